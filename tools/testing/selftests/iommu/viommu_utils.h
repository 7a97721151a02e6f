/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers of the vIOMMU tests: IOMMU_VIOMMU_COMMAND in the three layers of
 * iommufd_utils.h (raw, must succeed, must fail with an errno), and the objects
 * that each test needs first.
 */
#ifndef __SELFTEST_IOMMU_VIOMMU_UTILS
#define __SELFTEST_IOMMU_VIOMMU_UTILS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Its own guard ends too early for being included twice */
#ifndef __SELFTEST_IOMMUFD_UTILS
#include "iommufd_utils.h"
#endif

/* Guest RAM of a test: enough for the largest queue and something around it */
#define VIOMMU_RAM_SIZE (1024UL * 1024)
#define VIOMMU_RAM_IOVA ((__u64)MOCK_APERTURE_START)

/* The bit of a queue type in the registers that enable and count queues */
#define VIOMMU_QUEUE_BIT(type) (1ULL << (type))

/*
 * Says in the output that a documented errno came back where it has to.
 * scripts/check-errnos compares these lines with the uAPI header.
 */
static inline void errno_hit(const char *ioctl_name, const char *errno_name)
{
	printf("# errno %s %s\n", ioctl_name, errno_name);
}

/* The same in a case, unless an EXPECT_ before it has failed */
#define test_errno_hit(ioctl_name, errno_name)                   \
	({                                                       \
		if (__test_passed(_metadata))                    \
			errno_hit(ioctl_name, errno_name);       \
	})

static int _test_cmd_viommu_command(int fd, __u32 object_id, __u16 op,
				    __u16 index, __u64 *val64)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = object_id,
		.op = op,
		.index = index,
		.val64 = *val64,
	};
	int ret;

	ret = ioctl(fd, IOMMU_VIOMMU_COMMAND, &cmd);
	/* Whatever the kernel wrote, also where it must not have written */
	*val64 = cmd.val64;
	return ret;
}

static int _test_cmd_viommu_get(int fd, __u32 object_id, __u16 index,
				__u64 *val64)
{
	return _test_cmd_viommu_command(fd, object_id,
					IOMMU_VIOMMU_COMMAND_OP_GET, index,
					val64);
}

static int _test_cmd_viommu_set(int fd, __u32 object_id, __u16 index,
				__u64 val64)
{
	return _test_cmd_viommu_command(fd, object_id,
					IOMMU_VIOMMU_COMMAND_OP_SET, index,
					&val64);
}

#define test_cmd_viommu_get(object_id, index, val64) \
	ASSERT_EQ(0, _test_cmd_viommu_get(self->fd, object_id, index, val64))
#define test_cmd_viommu_set(object_id, index, val64) \
	ASSERT_EQ(0, _test_cmd_viommu_set(self->fd, object_id, index, val64))
#define test_err_viommu_get(_errno, object_id, index)                         \
	({                                                                    \
		__u64 __val = VIOMMU_CANARY;                                  \
									      \
		EXPECT_ERRNO(_errno, _test_cmd_viommu_get(self->fd, object_id, \
							  index, &__val));    \
		/* A GET that fails leaves the value alone */                 \
		EXPECT_EQ(VIOMMU_CANARY, __val);                              \
	})
#define test_err_viommu_set(_errno, object_id, index, val64)                \
	EXPECT_ERRNO(_errno, _test_cmd_viommu_set(self->fd, object_id, index, \
						  val64))
#define test_viommu_reads(expected, object_id, index)          \
	({                                                     \
		__u64 __want = (expected);                     \
		__u64 __val = ~__want;                         \
							       \
		test_cmd_viommu_get(object_id, index, &__val); \
		EXPECT_EQ(__want, __val);                      \
	})
#define VIOMMU_CANARY 0x5ca1ab1e0ddba11ULL

/* Object 0 is none, so this never does anything; ENOTTY is an older kernel */
static inline bool viommu_has_commands(int fd)
{
	struct iommu_viommu_command cmd = { .size = sizeof(cmd) };

	return ioctl(fd, IOMMU_VIOMMU_COMMAND, &cmd) && errno == ENOENT;
}

/* What a VMM has before it makes a vIOMMU */
struct viommu_objs {
	__u32 ioas_id;
	__u32 stdev_id;
	__u32 device_id;
	__u32 hwpt_id;
	void *ram;
};

/* NULL, or why the tests of this program cannot run here */
static inline const char *viommu_open(int *fd)
{
	*fd = open("/dev/iommu", O_RDWR);
	if (*fd < 0)
		return "no /dev/iommu";
	if (!viommu_has_commands(*fd))
		return "the kernel has no IOMMU_VIOMMU_COMMAND";
	if (ioctl(*fd, IOMMU_TEST_CMD, NULL) && errno == ENOTTY)
		return "the kernel has no CONFIG_IOMMUFD_TEST";
	return NULL;
}

/* IOAS with RAM at VIOMMU_RAM_IOVA, a mock device, a nesting parent */
static inline int viommu_make_objs(int fd, struct viommu_objs *objs)
{
	__u64 iova = VIOMMU_RAM_IOVA;

	objs->ram = mmap(NULL, VIOMMU_RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (objs->ram == MAP_FAILED)
		return -1;
	if (_test_ioctl_ioas_alloc(fd, &objs->ioas_id) ||
	    _test_ioctl_ioas_map(fd, objs->ioas_id, objs->ram, VIOMMU_RAM_SIZE,
				 &iova,
				 IOMMU_IOAS_MAP_FIXED_IOVA |
					 IOMMU_IOAS_MAP_WRITEABLE |
					 IOMMU_IOAS_MAP_READABLE) ||
	    _test_cmd_mock_domain(fd, objs->ioas_id, &objs->stdev_id, NULL,
				  &objs->device_id))
		return -1;
	return _test_cmd_hwpt_alloc(fd, objs->device_id, objs->ioas_id, 0,
				    IOMMU_HWPT_ALLOC_NEST_PARENT,
				    &objs->hwpt_id, IOMMU_HWPT_DATA_NONE, NULL,
				    0);
}

/* A vIOMMU without user data */
static inline int viommu_make(int fd, const struct viommu_objs *objs,
			      __u32 type, __u32 *viommu_id)
{
	return _test_cmd_viommu_alloc(fd, objs->device_id, objs->hwpt_id, 0,
				      type, NULL, 0, viommu_id);
}

/* A copy of a struct in a page that the kernel can read and not write */
static inline void *viommu_read_only(const void *data, size_t size)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	memcpy(page, data, size);
	if (mprotect(page, PAGE_SIZE, PROT_READ))
		return NULL;
	return page;
}

/* A number in a file of sysfs, or 0 if the kernel has no such file */
static inline long viommu_sysfs_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%ld", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/*
 * How often the kernel has warned or oopsed since it booted. Unlike the taint
 * bits this changes each time. For a WARN_ON_ONCE that has spoken before,
 * viommu_rearm_warnings() has to be called first.
 */
static inline long viommu_complaints(void)
{
	return viommu_sysfs_number("/sys/kernel/warn_count") +
	       viommu_sysfs_number("/sys/kernel/oops_count");
}

/* Let each WARN_ON_ONCE speak again, if debugfs is mounted */
static inline void viommu_rearm_warnings(void)
{
	FILE *file = fopen("/sys/kernel/debug/clear_warn_once", "w");

	if (!file)
		return;
	fputs("1", file);
	fclose(file);
}

/* Memory of this process that iommufd holds, in KiB, or -1 */
static inline long viommu_pinned(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

static __attribute__((constructor)) void viommu_setup_sizes(void)
{
	PAGE_SIZE = sysconf(_SC_PAGE_SIZE);
}

/* Keeps the compiler quiet about buffers that most tests here do without */
static inline void viommu_unused_buffers(void)
{
	(void)mfd_buffer;
	(void)mfd;
}

#endif
