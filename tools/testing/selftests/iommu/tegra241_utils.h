/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the Tegra241 CMDQV share: two devices behind such an SMMU,
 * the objects of a VMM, the queues of a guest, and the knobs of the emulated
 * hardware.
 *
 * The devices are QEMU's edu (1234:11e8), or those that TEGRA241_BDF0 and
 * TEGRA241_BDF1 name. Without them the tests skip.
 */
#ifndef __SELFTEST_IOMMU_TEGRA241_UTILS
#define __SELFTEST_IOMMU_TEGRA241_UTILS

#include <dirent.h>
#include <limits.h>
#include <poll.h>

#define __EXPORTED_HEADERS__
#include <linux/vfio.h>

#include "viommu_monitor.h"
#include "viommu_utils.h"

#define TEGRA IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV
#define TEGRA_QUEUE IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV
#define TEGRA_VEVENTQ IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV
#define TEGRA_PAGE0_SIZE 0x10000UL
/* One huge page: queues have to be contiguous */
#define TEGRA_RAM_SIZE (2UL * 1024 * 1024)
#define TEGRA_RAM_IOVA 0x80000000ULL
/* Of the emulated hardware, which alone these tests are for */
#define TEGRA_QUEUES 4
#define TEGRA_VINTFS 3

/* Page 0, 128 bytes for each queue */
#define PAGE0_CONS 0x00
#define PAGE0_PROD 0x04
#define PAGE0_CONFIG 0x08
#define PAGE0_STATUS 0x0c
#define PAGE0_GERROR 0x10
#define PAGE0_GERRORN 0x14
#define CERROR_ILL 1
#define CERROR_ATC_SYNC 3
#define CERROR_ILL_ACCESS 4
#define GERROR_CMDQ 1
#define GERROR_INIT 4

/* Commands of a guest */
#define CMD_TLBI_NH_ASID 0x11
#define CMD_TLBI_NH_VA 0x12
#define CMD_ATC_INV 0x40
#define CMD_SYNC 0x46
#define CMD_ID(id) ((__u64)(id) << 32)

#define GET_VINTF IOMMU_TEGRA241_CMDQV_CMD_VINTF_STATUS
#define GET_ERR_MAP IOMMU_TEGRA241_CMDQV_CMD_LVCMDQ_ERR_MAP0
#define GET_QUEUE(n) (IOMMU_TEGRA241_CMDQV_CMD_LVCMDQ_STATUS_FIRST + (n))

/* One vIOMMU with its page 0 */
struct tegra_viommu {
	__u32 id;
	__u64 mmap_offset;
	__u64 mmap_length;
	void *page0;
};

/* A queue of @log2 entries in the RAM, from the start of its quarter on */
struct tegra_queue {
	struct tegra_viommu *v;
	__u64 *ring;
	unsigned int index;
	unsigned int log2;
	__u32 prod;
	__u32 id;
};

struct tegra {
	int fd;
	int cdev[2];
	__u32 dev_id[2];
	char bdf[2][16];
	__u32 ioas_id;
	__u32 hwpt_id;
	void *ram;
	struct tegra_viommu v;
};

static inline int tegra_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(text);
	int rc;

	if (fd < 0)
		return -1;
	rc = write(fd, text, len) == len ? 0 : -1;
	close(fd);
	return rc;
}

static inline bool tegra_file_is(const char *bdf, const char *name,
				 const char *text)
{
	char path[PATH_MAX], buf[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = '\0';
	close(fd);
	return !strncmp(buf, text, strlen(text));
}

static inline bool tegra_bdf_is_edu(const char *bdf)
{
	return tegra_file_is(bdf, "vendor", "0x1234") &&
	       tegra_file_is(bdf, "device", "0x11e8");
}

static inline int tegra_is_edu(const struct dirent *ent)
{
	return tegra_bdf_is_edu(ent->d_name);
}

static inline int tegra_find_bdfs(struct tegra *t)
{
	struct dirent **list;
	int i, num;

	for (i = 0; i < 2; i++) {
		const char *bdf = getenv(i ? "TEGRA241_BDF1" : "TEGRA241_BDF0");

		snprintf(t->bdf[i], sizeof(t->bdf[i]), "%s", bdf ? bdf : "");
	}
	if (*t->bdf[0] && *t->bdf[1])
		return 0;
	num = scandir("/sys/bus/pci/devices", &list, tegra_is_edu, alphasort);
	if (num < 0)
		return -1;
	for (i = 0; i < num; i++) {
		if (i < 2)
			snprintf(t->bdf[i], sizeof(t->bdf[i]), "%.15s",
				 list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return num < 2 ? -1 : 0;
}

/* Hand the device to vfio-pci and open its cdev */
static inline int tegra_open_cdev(const char *bdf)
{
	char path[PATH_MAX];
	struct dirent *ent;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/driver_override", bdf);
	if (tegra_file_write(path, "vfio-pci"))
		return -1;
	/* Fails if it is bound already, which is as good */
	tegra_file_write("/sys/bus/pci/drivers_probe", bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && fd < 0 && (ent = readdir(dir))) {
		if (strncmp(ent->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 ent->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static inline int tegra_bind(struct tegra *t, unsigned int n)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = t->fd,
	};

	t->cdev[n] = tegra_open_cdev(t->bdf[n]);
	if (t->cdev[n] < 0)
		return -1;
	if (ioctl(t->cdev[n], VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return -1;
	t->dev_id[n] = bind.out_devid;
	return 0;
}

/* All but the vIOMMU: NULL, or why there is nothing to test */
static inline const char *tegra_open_objs(struct tegra *t)
{
	__u64 iova = TEGRA_RAM_IOVA;

	t->cdev[0] = -1;
	t->cdev[1] = -1;
	t->ram = MAP_FAILED;
	t->v.page0 = MAP_FAILED;
	t->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (t->fd < 0)
		return "no /dev/iommu";
	if (!viommu_has_commands(t->fd))
		return "the kernel has no IOMMU_VIOMMU_COMMAND";
	if (tegra_find_bdfs(t) || tegra_bind(t, 0) || tegra_bind(t, 1))
		return "no two edu devices that VFIO can bind";
	t->ram = mmap(NULL, TEGRA_RAM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (t->ram == MAP_FAILED)
		return "no huge page";
	memset(t->ram, 0, TEGRA_RAM_SIZE);
	if (_test_ioctl_ioas_alloc(t->fd, &t->ioas_id) ||
	    _test_ioctl_ioas_map(t->fd, t->ioas_id, t->ram, TEGRA_RAM_SIZE,
				 &iova,
				 IOMMU_IOAS_MAP_FIXED_IOVA |
					 IOMMU_IOAS_MAP_WRITEABLE |
					 IOMMU_IOAS_MAP_READABLE))
		return "no address space";
	if (_test_cmd_hwpt_alloc(t->fd, t->dev_id[0], t->ioas_id, 0,
				 IOMMU_HWPT_ALLOC_NEST_PARENT, &t->hwpt_id,
				 IOMMU_HWPT_DATA_NONE, NULL, 0))
		return "the SMMU has no nesting parents";
	return NULL;
}

static inline int tegra_viommu_alloc(struct tegra *t, struct tegra_viommu *v)
{
	struct iommu_viommu_tegra241_cmdqv data = {};

	v->page0 = MAP_FAILED;
	if (_test_cmd_viommu_alloc(t->fd, t->dev_id[0], t->hwpt_id, 0, TEGRA,
				   &data, sizeof(data), &v->id))
		return -1;
	v->mmap_offset = data.out_vintf_mmap_offset;
	v->mmap_length = data.out_vintf_mmap_length;
	return 0;
}

static inline int tegra_map_page0(struct tegra *t, struct tegra_viommu *v)
{
	v->page0 = mmap(NULL, v->mmap_length, PROT_READ | PROT_WRITE,
			MAP_SHARED, t->fd, v->mmap_offset);
	return v->page0 == MAP_FAILED ? -1 : 0;
}

/* The same with a vIOMMU and its page 0 */
static inline const char *tegra_open(struct tegra *t)
{
	const char *reason = tegra_open_objs(t);

	if (reason)
		return reason;
	if (tegra_viommu_alloc(t, &t->v))
		return "no vIOMMU of type TEGRA241_CMDQV";
	return tegra_map_page0(t, &t->v) ? "no page 0" : NULL;
}

static inline void tegra_close(struct tegra *t)
{
	int n;

	/* Holds the iommufd open */
	if (t->v.page0 != MAP_FAILED)
		munmap(t->v.page0, TEGRA_PAGE0_SIZE);
	for (n = 0; n < 2; n++)
		if (t->cdev[n] >= 0)
			close(t->cdev[n]);
	if (t->fd >= 0)
		close(t->fd);
	if (t->ram != MAP_FAILED)
		munmap(t->ram, TEGRA_RAM_SIZE);
}

/* Registers of page 0: what was stored to memory before is there before */
static inline __u32 page0_read(struct tegra_viommu *v, unsigned int index,
			       unsigned int reg)
{
	return __atomic_load_n((__u32 *)(v->page0 + 0x80 * index + reg),
			       __ATOMIC_SEQ_CST);
}

static inline void page0_write(struct tegra_viommu *v, unsigned int index,
			       unsigned int reg, __u32 val)
{
	__atomic_store_n((__u32 *)(v->page0 + 0x80 * index + reg), val,
			 __ATOMIC_SEQ_CST);
}

static inline __u32 queue_read(struct tegra_queue *q, unsigned int reg)
{
	return page0_read(q->v, q->index, reg);
}

static inline void queue_write(struct tegra_queue *q, unsigned int reg,
			       __u32 val)
{
	page0_write(q->v, q->index, reg, val);
}

/* @part: which sixteenth of the RAM it gets */
static inline int queue_alloc(struct tegra *t, struct tegra_viommu *v,
			      struct tegra_queue *q, unsigned int index,
			      unsigned int part)
{
	__u64 offset = TEGRA_RAM_SIZE / 16 * part;

	q->v = v;
	q->index = index;
	q->log2 = 4;
	q->prod = 0;
	q->ring = t->ram + offset;
	return _test_cmd_hw_queue_alloc(t->fd, v->id, TEGRA_QUEUE, index,
					TEGRA_RAM_IOVA + offset, 16 << q->log2,
					&q->id);
}

/* With its enable bit; false if hardware does not follow */
static inline bool queue_enable(struct tegra_queue *q)
{
	queue_write(q, PAGE0_CONFIG, 1);
	return queue_read(q, PAGE0_STATUS) & 1;
}

static inline void queue_put(struct tegra_queue *q, __u64 lo, __u64 hi)
{
	unsigned int slot = q->prod & ((1U << q->log2) - 1);

	q->ring[2 * slot] = lo;
	q->ring[2 * slot + 1] = hi;
	q->prod = (q->prod + 1) & ((2U << q->log2) - 1);
}

/* The index in CONS, once hardware is through or has stopped */
static inline __u32 queue_run(struct tegra_queue *q)
{
	int i;

	queue_write(q, PAGE0_PROD, q->prod);
	for (i = 0; i < 1000; i++) {
		if ((queue_read(q, PAGE0_CONS) & 0xfffff) == q->prod ||
		    queue_read(q, PAGE0_GERROR) != queue_read(q, PAGE0_GERRORN))
			break;
		usleep(100);
	}
	return queue_read(q, PAGE0_CONS) & 0xfffff;
}

/* Replace the bad command by a harmless one and acknowledge the error */
static inline void queue_skip(struct tegra_queue *q)
{
	unsigned int slot = queue_read(q, PAGE0_CONS) & ((1U << q->log2) - 1);

	q->ring[2 * slot] = CMD_SYNC;
	q->ring[2 * slot + 1] = 0;
	queue_write(q, PAGE0_GERRORN, queue_read(q, PAGE0_GERROR));
}

/* STATUS and GERROR in one, as the VMM reads it. GERROR toggles. */
static inline __u64 queue_state(struct tegra_queue *q)
{
	return queue_read(q, PAGE0_STATUS) |
	       (__u64)queue_read(q, PAGE0_GERROR) << 32;
}

/* Errors that nobody has acknowledged */
static inline __u32 queue_pending(struct tegra_queue *q)
{
	return queue_read(q, PAGE0_GERROR) ^ queue_read(q, PAGE0_GERRORN);
}

#define test_queue_enable(q) ASSERT_TRUE(queue_enable(q))
/* Commands that have to succeed, and one that has to stop the queue */
#define test_queue_good(q, lo, hi)                    \
	({                                            \
		struct tegra_queue *__q = (q);        \
						      \
		queue_put(__q, lo, hi);               \
		ASSERT_EQ(__q->prod, queue_run(__q)); \
	})
#define test_queue_bad(q, lo, hi, code)                           \
	({                                                        \
		struct tegra_queue *__q = (q);                    \
		__u32 __at = queue_read(__q, PAGE0_CONS) & 0xfffff; \
								  \
		queue_put(__q, lo, hi);                           \
		ASSERT_EQ(__at, queue_run(__q));                  \
		EXPECT_EQ(code, queue_read(__q, PAGE0_CONS) >> 24); \
		EXPECT_EQ(GERROR_CMDQ, queue_pending(__q));       \
	})

/* The next event, or 0 if there is none for a second */
static inline __u64 tegra_event(int fd, __u32 *flags)
{
	struct {
		struct iommufd_vevent_header hdr;
		struct iommu_vevent_tegra241_cmdqv event;
	} buf = {};
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, 1000) != 1 ||
	    read(fd, &buf, sizeof(buf)) < (ssize_t)sizeof(buf.hdr))
		return 0;
	if (flags)
		*flags = buf.hdr.flags;
	return buf.event.lvcmdq_err_map[0];
}

#endif
