// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: a guest's device, its page table and its queue together
 *
 * The guest is this program: its device DMAs through a stage 1 that it wrote,
 * and after a change of that it invalidates by its queue. No kernel is between
 * that and the DMA that goes elsewhere. Needs the DMA engine of QEMU's edu.
 */
#include "tegra241_utils.h"

#define BIT_ULL(n) (1ULL << (n))

#define VSID 0x123
#define ASID 7

/* Pages of the guest's address space, by their number from here on */
#define GVA 0x10000000ULL
#define PAGE 0x1000ULL
#define PAGE_TARGET 0
#define PAGE_PATTERN 1
#define PAGE_NOTHING 2

/* Quarters of a guest's half of the RAM's second half */
#define PART_TABLES 0
#define PART_FIRST 1
#define PART_SECOND 2
#define PART_PATTERN 3

/* Where a DMA arrived */
#define AT_FIRST 1
#define AT_SECOND 2

#define STE_V BIT_ULL(0)
#define STE_CFG(cfg) ((__u64)(cfg) << 1)
#define CFG_ABORT 0
#define CFG_BYPASS 4
#define CFG_STAGE1 5
#define CFG_STAGE2 6

/* 39 bits in pages of 4K, 40 bits out, inner shareable and write-back */
#define CD_TCR (25 | 1 << 8 | 1 << 10 | 3 << 12 | 2ULL << 32)
/* No TTB1, valid, AArch64, faults are recorded and abort, ASID of its own */
#define CD_FLAGS (BIT_ULL(30) | BIT_ULL(31) | BIT_ULL(41) | 7ULL << 45)
/* Memory types: write-back, and normal non-cacheable */
#define CD_MAIR 0x44ffULL
#define ATTR_WB 0
#define ATTR_NC 1

#define PTE_TABLE 3
/* Accessed, not global, inner shareable, for unprivileged reads and writes */
#define PTE_PAGE (3 | BIT_ULL(6) | 3 << 8 | BIT_ULL(10) | BIT_ULL(11))

#define EDU_SRC 0x80
#define EDU_DST 0x88
#define EDU_COUNT 0x90
#define EDU_CMD 0x98
#define EDU_RUN 1
#define EDU_TO_RAM 2
#define EDU_BUFFER 0x40000

#define EVT_TRANSLATION 0x10

struct guest {
	struct tegra *t;
	struct tegra_viommu *v;
	struct tegra_queue q;
	unsigned int n;
	__u32 nested_id;
	void *bar;
	size_t bar_size;
};

static __u64 guest_offset(struct guest *g, unsigned int part)
{
	return TEGRA_RAM_SIZE / 16 * (8 + 4 * g->n + part);
}

static void *guest_ram(struct guest *g, unsigned int part)
{
	return g->t->ram + guest_offset(g, part);
}

static __u64 guest_ipa(struct guest *g, unsigned int part)
{
	return TEGRA_RAM_IOVA + guest_offset(g, part);
}

static void store64(void *at, __u64 val)
{
	__atomic_store_n((__u64 *)at, val, __ATOMIC_SEQ_CST);
}

static __u64 load64(void *at)
{
	return __atomic_load_n((__u64 *)at, __ATOMIC_SEQ_CST);
}

/* Page @page of the guest is at @ipa; without an invalidation */
static void guest_map(struct guest *g, unsigned int page, __u64 ipa,
		      unsigned int attr)
{
	store64(guest_ram(g, PART_TABLES) + 3 * PAGE + 8 * page,
		ipa ? ipa | PTE_PAGE | attr << 2 : 0);
}

static void guest_tables(struct guest *g)
{
	__u64 ipa = guest_ipa(g, PART_TABLES);
	void *ram = guest_ram(g, PART_TABLES);

	store64(ram, CD_TCR | CD_FLAGS | (__u64)ASID << 48);
	store64(ram + 8, ipa + PAGE);
	store64(ram + 24, CD_MAIR);
	store64(ram + PAGE + 8 * (GVA >> 30), (ipa + 2 * PAGE) | PTE_TABLE);
	store64(ram + 2 * PAGE + 8 * (GVA >> 21 & 511),
		(ipa + 3 * PAGE) | PTE_TABLE);
	guest_map(g, PAGE_TARGET, guest_ipa(g, PART_FIRST), ATTR_WB);
	guest_map(g, PAGE_PATTERN, guest_ipa(g, PART_PATTERN), ATTR_WB);
}

static int guest_hwpt(struct guest *g, __u64 ste0, __u64 ste1, __u32 *id)
{
	struct iommu_hwpt_arm_smmuv3 data = { .ste = { ste0, ste1 } };

	return _test_cmd_hwpt_alloc(g->t->fd, g->t->dev_id[g->n], g->v->id, 0,
				    0, id, IOMMU_HWPT_DATA_ARM_SMMUV3, &data,
				    sizeof(data));
}

static __u64 guest_ste(struct guest *g)
{
	return STE_V | STE_CFG(CFG_STAGE1) | guest_ipa(g, PART_TABLES);
}

static int guest_attach(struct guest *g, __u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt_id,
	};

	return ioctl(g->t->cdev[g->n], VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

/* Map the device's registers and let it DMA */
static int guest_device(struct guest *g)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int cdev = g->t->cdev[g->n];
	/* Memory and bus master */
	__u16 command = 6;

	if (ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    pwrite(cdev, &command, 2, config.offset + 4) != 2)
		return -1;
	g->bar_size = bar.size;
	g->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, cdev,
		      bar.offset);
	return g->bar == MAP_FAILED ? -1 : 0;
}

/* Eight bytes; 0 once the device is through, wherever they got to */
static int guest_dma(struct guest *g, __u64 src, __u64 dst, __u64 dir)
{
	int i;

	store64(g->bar + EDU_SRC, src);
	store64(g->bar + EDU_DST, dst);
	store64(g->bar + EDU_COUNT, 8);
	store64(g->bar + EDU_CMD, EDU_RUN | dir);
	for (i = 0; i < 1000; i++) {
		if (!(load64(g->bar + EDU_CMD) & EDU_RUN))
			return 0;
		usleep(10000);
	}
	return -1;
}

static __u64 guest_pattern(struct guest *g)
{
	return 0x600dc0de00000001ULL + g->n;
}

/* The device writes to @addr: AT_ bits of where it is found, or -1 */
static int guest_write(struct guest *g, __u64 addr)
{
	__u64 pattern = guest_pattern(g);

	store64(guest_ram(g, PART_FIRST), 0);
	store64(guest_ram(g, PART_SECOND), 0);
	if (guest_dma(g, EDU_BUFFER, addr, EDU_TO_RAM))
		return -1;
	return (load64(guest_ram(g, PART_FIRST)) == pattern ? AT_FIRST : 0) |
	       (load64(guest_ram(g, PART_SECOND)) == pattern ? AT_SECOND : 0);
}

static int guest_write_page(struct guest *g, unsigned int page)
{
	return guest_write(g, GVA + page * PAGE);
}

/* A guest with device @n on @v: NULL, or what failed */
static const char *guest_up(struct guest *g, struct tegra *t,
			    struct tegra_viommu *v, unsigned int n)
{
	__u32 vdevice_id;

	g->t = t;
	g->v = v;
	g->n = n;
	guest_tables(g);
	if (queue_alloc(t, v, &g->q, 0, n) || !queue_enable(&g->q))
		return "queue";
	if (_test_cmd_vdevice_alloc(t->fd, v->id, t->dev_id[n], VSID,
				    &vdevice_id))
		return "vdevice";
	if (guest_hwpt(g, guest_ste(g), 0, &g->nested_id) ||
	    guest_attach(g, g->nested_id))
		return "nested domain";
	store64(guest_ram(g, PART_PATTERN), guest_pattern(g));
	if (guest_device(g) ||
	    guest_dma(g, GVA + PAGE_PATTERN * PAGE, EDU_BUFFER, 0))
		return "device";
	return NULL;
}

#define test_guest_up(g, v, n)                                      \
	({                                                          \
		const char *__fails = guest_up(g, &self->t, v, n);  \
								    \
		ASSERT_EQ(NULL, __fails)                            \
		{                                                   \
			TH_LOG("%s: %s", __fails, strerror(errno)); \
		}                                                   \
	})

/* Registers of another device are not to be written blindly */
static const char *open_edus(struct tegra *t)
{
	const char *reason = tegra_open(t);

	if (!reason &&
	    (!tegra_bdf_is_edu(t->bdf[0]) || !tegra_bdf_is_edu(t->bdf[1])))
		reason = "the devices are no edu";
	return reason;
}

static void guest_down(struct guest *g)
{
	if (g->bar != MAP_FAILED)
		munmap(g->bar, g->bar_size);
}

/* The page moves, and hardware still knows where it was */
#define test_make_stale(g)                                               \
	({                                                               \
		struct guest *__g = (g);                                 \
									 \
		ASSERT_EQ(AT_FIRST, guest_write_page(__g, PAGE_TARGET)); \
		guest_map(__g, PAGE_TARGET, guest_ipa(__g, PART_SECOND), \
			  ATTR_WB);                                      \
		ASSERT_EQ(AT_FIRST, guest_write_page(__g, PAGE_TARGET)); \
	})

FIXTURE(nest)
{
	struct tegra t;
	struct guest g;
	int fd;
};

FIXTURE_SETUP(nest)
{
	const char *reason = open_edus(&self->t);

	self->g.bar = MAP_FAILED;
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	test_guest_up(&self->g, &self->t.v, 0);
}

FIXTURE_TEARDOWN(nest)
{
	guest_down(&self->g);
	tegra_close(&self->t);
}

TEST_F(nest, both_stages)
{
	EXPECT_EQ(AT_FIRST, guest_write_page(&self->g, PAGE_TARGET));
	guest_map(&self->g, PAGE_NOTHING, guest_ipa(&self->g, PART_SECOND),
		  ATTR_WB);
	EXPECT_EQ(AT_SECOND, guest_write_page(&self->g, PAGE_NOTHING));
}

TEST_F(nest, invalidate_address)
{
	test_make_stale(&self->g);
	queue_put(&self->g.q, CMD_TLBI_NH_VA | (__u64)ASID << 48, GVA);
	test_queue_good(&self->g.q, CMD_SYNC, 0);
	EXPECT_EQ(AT_SECOND, guest_write_page(&self->g, PAGE_TARGET));
}

TEST_F(nest, invalidate_asid)
{
	test_make_stale(&self->g);
	queue_put(&self->g.q, CMD_TLBI_NH_ASID | (__u64)ASID << 48, 0);
	test_queue_good(&self->g.q, CMD_SYNC, 0);
	EXPECT_EQ(AT_SECOND, guest_write_page(&self->g, PAGE_TARGET));
}

TEST_F(nest, invalidate_others)
{
	test_make_stale(&self->g);
	queue_put(&self->g.q, CMD_TLBI_NH_VA | (__u64)ASID << 48, GVA + PAGE);
	queue_put(&self->g.q, CMD_TLBI_NH_ASID | (__u64)(ASID + 1) << 48, 0);
	test_queue_good(&self->g.q, CMD_SYNC, 0);
	EXPECT_EQ(AT_FIRST, guest_write_page(&self->g, PAGE_TARGET));
}

/* The same by a VMM that traps the guest's queue */
TEST_F(nest, invalidate_trapped)
{
	struct iommu_viommu_arm_smmuv3_invalidate inv = {
		.cmd = { CMD_TLBI_NH_VA | (__u64)ASID << 48, GVA },
	};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = self->t.v.id,
		.data_uptr = (uintptr_t)&inv,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = sizeof(inv),
		.entry_num = 1,
	};

	test_make_stale(&self->g);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_HWPT_INVALIDATE, &cmd));
	EXPECT_EQ(AT_SECOND, guest_write_page(&self->g, PAGE_TARGET));
}

/* What the guest's table lacks is for the guest to know */
TEST_F(nest, fault_of_the_guest)
{
	struct {
		struct iommufd_vevent_header hdr;
		struct iommu_vevent_arm_smmuv3 event;
	} buf = {};
	struct pollfd pfd = { .events = POLLIN };
	__u32 id, event_fd;

	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, 4,
					     &id, &event_fd));
	EXPECT_EQ(0, guest_write_page(&self->g, PAGE_NOTHING));
	pfd.fd = event_fd;
	ASSERT_EQ(1, poll(&pfd, 1, 5000));
	ASSERT_EQ(sizeof(buf), read(event_fd, &buf, sizeof(buf)));
	EXPECT_EQ(EVT_TRANSLATION, buf.event.evt[0] & 0xff);
	EXPECT_EQ(VSID, buf.event.evt[0] >> 32);
	EXPECT_EQ(GVA + PAGE_NOTHING * PAGE, buf.event.evt[2]);
	close(event_fd);
}

/* Memory that the guest does not have: out of reach, and the host's business */
TEST_F(nest, outside_of_the_guest)
{
	struct pollfd pfd = { .events = POLLIN };
	__u32 id, event_fd;

	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, 4,
					     &id, &event_fd));
	guest_map(&self->g, PAGE_NOTHING, TEGRA_RAM_IOVA + TEGRA_RAM_SIZE,
		  ATTR_WB);
	EXPECT_EQ(0, guest_write_page(&self->g, PAGE_NOTHING));
	pfd.fd = event_fd;
	EXPECT_EQ(0, poll(&pfd, 1, 1000));
	/* The device is none the worse for it */
	EXPECT_EQ(AT_FIRST, guest_write_page(&self->g, PAGE_TARGET));
	close(event_fd);
}

/* A guest cannot make its DMA go past the caches: the host does not flush */
TEST_F(nest, forced_write_back)
{
	long long yes = monitor_number("dma-coherent");
	long long no = monitor_number("dma-noncoherent");

	if (yes < 0)
		SKIP(return, "no monitor of emulated hardware");
	guest_map(&self->g, PAGE_NOTHING, guest_ipa(&self->g, PART_SECOND),
		  ATTR_NC);
	EXPECT_EQ(AT_SECOND, guest_write_page(&self->g, PAGE_NOTHING));
	EXPECT_LT(yes, monitor_number("dma-coherent"));
	EXPECT_EQ(no, monitor_number("dma-noncoherent"));
}

TEST_F(nest, bypass)
{
	__u64 ipa = guest_ipa(&self->g, PART_SECOND);
	__u32 id;

	ASSERT_EQ(0, guest_hwpt(&self->g, STE_V | STE_CFG(CFG_BYPASS), 0, &id));
	ASSERT_EQ(0, guest_attach(&self->g, id));
	EXPECT_EQ(AT_SECOND, guest_write(&self->g, ipa));
	EXPECT_EQ(0, guest_write_page(&self->g, PAGE_TARGET));
}

TEST_F(nest, abort)
{
	const __u64 ste[] = { STE_V | STE_CFG(CFG_ABORT), 0 };
	unsigned int i;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(ste); i++) {
		ASSERT_EQ(0, guest_hwpt(&self->g, ste[i], 0, &id));
		ASSERT_EQ(0, guest_attach(&self->g, id));
		EXPECT_EQ(0, guest_write_page(&self->g, PAGE_TARGET));
		EXPECT_EQ(0, guest_write(&self->g,
					 guest_ipa(&self->g, PART_FIRST)));
	}
	/* And back */
	ASSERT_EQ(0, guest_attach(&self->g, self->g.nested_id));
	EXPECT_EQ(AT_FIRST, guest_write_page(&self->g, PAGE_TARGET));
}

TEST_F(nest, parent)
{
	ASSERT_EQ(0, guest_attach(&self->g, self->t.hwpt_id));
	EXPECT_EQ(AT_SECOND,
		  guest_write(&self->g, guest_ipa(&self->g, PART_SECOND)));
	EXPECT_EQ(0, guest_write_page(&self->g, PAGE_TARGET));
}

TEST_F(nest, bad_ste)
{
	__u64 good = guest_ste(&self->g);
	const __u64 bad[][2] = {
		{ STE_V | STE_CFG(CFG_STAGE2), 0 },
		{ STE_V | STE_CFG(CFG_STAGE1 | CFG_STAGE2), 0 },
		/* Not the guest's to set: reserved, MEV, S2FWB, STRW, SHCFG */
		{ good | BIT_ULL(52), 0 },
		{ good, BIT_ULL(19) },
		{ good, BIT_ULL(25) },
		{ good, 3ULL << 30 },
		{ good, 3ULL << 44 },
		/* EATS of 2 and 3 */
		{ good, 2ULL << 28 },
		{ good, 3ULL << 28 },
	};
	unsigned int i;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EIO,
			     guest_hwpt(&self->g, bad[i][0], bad[i][1], &id));
	ASSERT_EQ(0, guest_hwpt(&self->g, good, 0, &id));
}

/* The other device is none of the guest's */
TEST_F(nest, without_vdevice)
{
	struct guest other = { .t = &self->t, .v = &self->t.v, .n = 1 };

	EXPECT_ERRNO(ENOENT, guest_attach(&other, self->g.nested_id));
}

TEST_F(nest, in_use)
{
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->g.nested_id));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->t.v.id));
	EXPECT_EQ(AT_FIRST, guest_write_page(&self->g, PAGE_TARGET));
}

/* Two guests that are alike in all that they can choose */
FIXTURE(pair)
{
	struct tegra t;
	struct tegra_viommu v;
	struct guest g[2];
	int fd;
};

FIXTURE_SETUP(pair)
{
	const char *reason = open_edus(&self->t);

	self->g[0].bar = MAP_FAILED;
	self->g[1].bar = MAP_FAILED;
	self->v.page0 = MAP_FAILED;
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	/* Another parent: the VMID comes from there */
	ASSERT_EQ(0, _test_cmd_hwpt_alloc(self->fd, self->t.dev_id[1],
					  self->t.ioas_id, 0,
					  IOMMU_HWPT_ALLOC_NEST_PARENT,
					  &self->t.hwpt_id,
					  IOMMU_HWPT_DATA_NONE, NULL, 0));
	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &self->v));
	ASSERT_EQ(0, tegra_map_page0(&self->t, &self->v));
	test_guest_up(&self->g[0], &self->t.v, 0);
	test_guest_up(&self->g[1], &self->v, 1);
}

FIXTURE_TEARDOWN(pair)
{
	guest_down(&self->g[0]);
	guest_down(&self->g[1]);
	if (self->v.page0 != MAP_FAILED)
		munmap(self->v.page0, TEGRA_PAGE0_SIZE);
	tegra_close(&self->t);
}

TEST_F(pair, invalidations)
{
	int n;

	test_make_stale(&self->g[0]);
	test_make_stale(&self->g[1]);
	for (n = 0; n < 2; n++) {
		queue_put(&self->g[n].q, CMD_TLBI_NH_ASID | (__u64)ASID << 48,
			  0);
		test_queue_good(&self->g[n].q, CMD_SYNC, 0);
		EXPECT_EQ(AT_SECOND,
			  guest_write_page(&self->g[n], PAGE_TARGET));
		EXPECT_EQ(n ? AT_SECOND : AT_FIRST,
			  guest_write_page(&self->g[1], PAGE_TARGET));
	}
}

TEST_HARNESS_MAIN
