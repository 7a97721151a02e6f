// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested translation of an AMD IOMMU: a device does DMA through tables of its
 * guest on top of the nesting parent
 *
 * Needs an IOMMU with GCR3TRPMode and QEMU's iommu-testdev; skips without them.
 */
#include "amd_utils.h"

FIXTURE(nested)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	struct amd_tables tables;
	__u64 dte[4];
	__u64 page;
	__u32 hwpt_id;
};

FIXTURE_VARIANT(nested)
{
	unsigned int glx;
	unsigned int levels;
};

FIXTURE_VARIANT_ADD(nested, glx0_4_levels)
{
	.glx = 0,
	.levels = 4,
};

FIXTURE_VARIANT_ADD(nested, glx1_4_levels)
{
	.glx = 1,
	.levels = 4,
};

FIXTURE_VARIANT_ADD(nested, glx0_5_levels)
{
	.glx = 0,
	.levels = 5,
};

FIXTURE_VARIANT_ADD(nested, glx1_5_levels)
{
	.glx = 1,
	.levels = 5,
};

/* Attached, with a page of the guest at AMD_GVA */
FIXTURE_SETUP(nested)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->setup.guest;
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	ASSERT_EQ(0, amd_tables_init(self->guest, &self->tables, variant->glx,
				     variant->levels));
	self->page = amd_guest_page(self->guest);
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables, AMD_GVA,
				    self->page, AMD_PTE_W, false));
	amd_tables_dte(&self->tables, AMD_DOMID, self->dte);
	ASSERT_EQ(0, amd_guest_nested(self->guest, &self->setup.dev, self->dte,
				      &self->hwpt_id));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
}

FIXTURE_TEARDOWN(nested)
{
	amd_setup_close(&self->setup);
}

/* The device gets another DTE of the guest */
#define test_new_dte(dte)                                                    \
	({                                                                   \
		__u32 __hwpt_id;                                             \
									     \
		ASSERT_EQ(0, amd_guest_nested(self->guest, &self->setup.dev, \
					      dte, &__hwpt_id));             \
		ASSERT_EQ(0, amd_device_attach(&self->setup.dev, __hwpt_id)); \
		ASSERT_EQ(0, amd_guest_destroy(self->guest, self->hwpt_id)); \
		self->hwpt_id = __hwpt_id;                                   \
	})

TEST_F(nested, dma_arrives)
{
	test_dma_at(&self->setup, AMD_GVA, self->page);
	test_dma_at(&self->setup, AMD_GVA + 0xffc, self->page + 0xffc);
}

TEST_F(nested, large_page)
{
	const __u64 gpa = AMD_RAM_GPA + (4 << 20);

	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + (1 << 30), gpa, AMD_PTE_W, true));
	test_dma_at(&self->setup, AMD_GVA + (1 << 30) + 0x12344,
		    gpa + 0x12344);
}

TEST_F(nested, gva_not_mapped)
{
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, true, 0, AMD_GVA + AMD_PAGE);
}

TEST_F(nested, gpa_is_no_gva)
{
	test_no_dma_at(&self->setup, self->page, self->page);
	test_page_fault(&self->setup, true, 0, self->page);
}

TEST_F(nested, gva_read_only)
{
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, self->page, 0, false));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, true, 0, AMD_GVA + AMD_PAGE);
}

/* The guest's table has an address that is not the guest's */
TEST_F(nested, gpa_not_mapped)
{
	const __u64 gpa = AMD_RAM_GPA + AMD_RAM_SIZE;

	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, false, AMD_DOMID, gpa);
}

TEST_F(nested, table_not_mapped)
{
	struct amd_tables tables = self->tables;
	__u64 dte[4];

	tables.gcr3 = AMD_RAM_GPA + AMD_RAM_SIZE;
	amd_tables_dte(&tables, AMD_DOMID, dte);
	test_new_dte(dte);
	ASSERT_EQ(0, amd_guest_inv_domain(self->guest, AMD_DOMID));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

TEST_F(nested, read_only_stage_2)
{
	const __u64 gpa = AMD_RAM_GPA + (64 << 20);
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = self->guest->ioas_id,
		.user_va = (uintptr_t)amd_guest_ptr(self->guest, self->page),
		.length = AMD_PAGE,
		.iova = gpa,
	};

	ASSERT_EQ(0, ioctl(self->guest->iommufd, IOMMU_IOAS_MAP, &map));
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, false, AMD_DOMID, gpa);
}

/* What is cached stays until the guest says so, and not longer */
TEST_F(nested, invalidate_page)
{
	struct iommu_viommu_amd_invalidate cmd =
		amd_cmd_pages(AMD_DOMID, 0, AMD_GVA, false);
	__u64 other = amd_guest_page(self->guest);
	__u32 num = 1;

	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables, AMD_GVA, other,
				    AMD_PTE_W, false));
	test_dma_at(&self->setup, AMD_GVA, self->page);

	ASSERT_EQ(0, amd_guest_invalidate(self->guest, &cmd, &num));
	EXPECT_EQ(1, num);
	test_dma_at(&self->setup, AMD_GVA, other);
}

TEST_F(nested, invalidate_domain)
{
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_tables_unmap(self->guest, &self->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(self->guest, AMD_DOMID));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

TEST_F(nested, invalidate_all)
{
	struct iommu_viommu_amd_invalidate cmd = amd_cmd_all();
	__u32 num = 1;

	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_tables_unmap(self->guest, &self->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_invalidate(self->guest, &cmd, &num));
	EXPECT_EQ(1, num);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/* A command for a domain of somebody else leaves this one alone */
TEST_F(nested, invalidate_other_domain)
{
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_tables_unmap(self->guest, &self->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(self->guest, AMD_DOMID + 1));
	test_dma_at(&self->setup, AMD_GVA, self->page);
}

/* The VMM takes memory away: no command of the guest is needed */
TEST_F(nested, unmap_stage_2)
{
	const __u64 gpa = AMD_RAM_GPA + (64 << 20);
	void *data = amd_guest_ptr(self->guest, self->page);

	ASSERT_EQ(0, amd_guest_map(self->guest, data, gpa, AMD_PAGE));
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, gpa, AMD_PAGE));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, false, AMD_DOMID, gpa);
	/* And its own tables */
	ASSERT_EQ(0, amd_guest_unmap(self->guest, AMD_RAM_GPA, AMD_RAM_SIZE));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/* As after a reset by VFIO: the device has not been on the parent's list */
TEST_F(nested, unmap_stage_2_from_detached)
{
	const __u64 gpa = AMD_RAM_GPA + (64 << 20);
	void *data = amd_guest_ptr(self->guest, self->page);

	ASSERT_EQ(0, amd_device_detach(&self->setup.dev));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	ASSERT_EQ(0, amd_guest_map(self->guest, data, gpa, AMD_PAGE));
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, gpa, AMD_PAGE));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
}

/* 0 is an ID like all others, also when it is not the first of a guest */
TEST_F(nested, unmap_stage_2_of_domain_id_0)
{
	amd_tables_dte(&self->tables, 0, self->dte);
	test_new_dte(self->dte);
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, AMD_RAM_GPA, AMD_RAM_SIZE));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/* The guest turns its IOMMU off and on again */
TEST_F(nested, back_to_the_parent)
{
	int i;

	for (i = 0; i < 3; i++) {
		test_dma_at(&self->setup, AMD_GVA, self->page);
		ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->guest->hwpt_id));
		test_dma_at(&self->setup, self->page, self->page);
		test_no_dma_at(&self->setup, AMD_GVA, self->page);
		ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->hwpt_id));
		test_no_dma_at(&self->setup, self->page, self->page);
	}
}

TEST_F(nested, other_ioas_and_back)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	ASSERT_EQ(0, ioctl(self->guest->iommufd, IOMMU_IOAS_ALLOC, &cmd));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, cmd.out_ioas_id));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, self->page, self->page);
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	test_dma_at(&self->setup, AMD_GVA, self->page);
}

TEST_F(nested, detach_and_attach)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, amd_device_detach(&self->setup.dev));
		test_no_dma_at(&self->setup, AMD_GVA, self->page);
		test_no_dma_at(&self->setup, self->page, self->page);
		ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->hwpt_id));
		test_dma_at(&self->setup, AMD_GVA, self->page);
	}
}

TEST_F(nested, dte_not_valid_blocks)
{
	const __u64 dte[4] = {};

	test_new_dte(dte);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, self->page, self->page);
	test_new_dte(self->dte);
	test_dma_at(&self->setup, AMD_GVA, self->page);
}

TEST_F(nested, dte_without_translation_blocks)
{
	self->dte[0] &= ~GDTE_0_TV;
	test_new_dte(self->dte);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, self->page, self->page);
}

/* Pass-through of the guest: what it passes to are its own addresses */
TEST_F(nested, dte_without_gv_is_stage_2)
{
	const __u64 dte[4] = {
		GDTE_0_V | GDTE_0_TV | GDTE_0_IR | GDTE_0_IW, AMD_DOMID,
	};

	test_new_dte(dte);
	test_dma_at(&self->setup, self->page, self->page);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	test_page_fault(&self->setup, false, AMD_DOMID, AMD_GVA);
}

/* Requests without PASID are not the guest's tables' without it */
TEST_F(nested, dte_without_giov_is_stage_2)
{
	self->dte[0] &= ~GDTE_0_GIOV;
	test_new_dte(self->dte);
	test_dma_at(&self->setup, self->page, self->page);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

TEST_F(nested, dte_without_iw_is_read_only)
{
	self->dte[0] &= ~GDTE_0_IW;
	test_new_dte(self->dte);
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/* Levels are in the other half of the DTE than the tables */
TEST_F(nested, other_number_of_levels)
{
	struct amd_tables tables;
	__u64 dte[4];
	int i;

	ASSERT_EQ(0, amd_tables_init(self->guest, &tables, variant->glx,
				     9 - variant->levels));
	ASSERT_EQ(0, amd_tables_map(self->guest, &tables, AMD_GVA + AMD_PAGE,
				    self->page, AMD_PTE_W, false));
	amd_tables_dte(&tables, AMD_DOMID + 1, dte);
	for (i = 0; i < 3; i++) {
		test_new_dte(dte);
		test_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
		test_no_dma_at(&self->setup, AMD_GVA, self->page);
		test_new_dte(self->dte);
		test_dma_at(&self->setup, AMD_GVA, self->page);
		test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	}
}

/* Two HWPTs, one domain ID: what is cached is shared, as the guest said */
TEST_F(nested, domain_id_of_two_hwpts)
{
	__u32 other;

	ASSERT_EQ(0, amd_guest_nested(self->guest, &self->setup.dev, self->dte,
				      &other));
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, other));
	ASSERT_EQ(0, amd_guest_destroy(self->guest, self->hwpt_id));
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_tables_unmap(self->guest, &self->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(self->guest, AMD_DOMID));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/*
 * The host has IDs of its own for these and gives out the lowest that is free,
 * so the second domain gets the one of the first, and must not see what the
 * first left in the cache.
 */
TEST_F(nested, domain_id_is_flushed_before_reuse)
{
	struct amd_tables empty;
	__u64 dte[4];
	__u32 hwpt_id;

	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
				       self->guest->hwpt_id));
	test_dma_at(&self->setup, self->page, self->page);
	ASSERT_EQ(0, amd_guest_destroy(self->guest, self->hwpt_id));

	ASSERT_EQ(0, amd_tables_init(self->guest, &empty, 0, variant->levels));
	amd_tables_dte(&empty, AMD_DOMID + 7, dte);
	ASSERT_EQ(0, amd_guest_nested(self->guest, &self->setup.dev, dte,
				      &hwpt_id));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, hwpt_id));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
}

/* Memory above what the parent's table had levels for: it gets a new top */
TEST_F(nested, new_top_of_stage_2)
{
	const __u64 gpa = 1ULL << 40;
	void *data = amd_guest_ptr(self->guest, self->page);

	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, amd_guest_map(self->guest, data, gpa, AMD_PAGE));
	/* Still through the guest's tables */
	test_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, self->page, self->page);
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, gpa, AMD_PAGE));
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
}

TEST_F(nested, new_top_while_detached)
{
	const __u64 gpa = 1ULL << 40;
	void *data = amd_guest_ptr(self->guest, self->page);

	ASSERT_EQ(0, amd_device_detach(&self->setup.dev));
	ASSERT_EQ(0, amd_guest_map(self->guest, data, gpa, AMD_PAGE));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables,
				    AMD_GVA + AMD_PAGE, gpa, AMD_PTE_W, false));
	test_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_dma_at(&self->setup, AMD_GVA, self->page);
}

/* It is the guest's name of the device; the device works without */
TEST_F(nested, vdevice_goes_while_attached)
{
	struct amd_event event;

	ASSERT_EQ(0, amd_guest_destroy(self->guest, self->setup.vdevice_id));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, self->page, self->page);
	EXPECT_EQ(-EAGAIN, amd_event_read(self->setup.event_fd, &event));
	/* What needs no guest needs no vDEVICE */
	EXPECT_EQ(0, amd_device_attach(&self->setup.dev,
				       self->guest->hwpt_id));
	test_dma_at(&self->setup, self->page, self->page);
	EXPECT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	test_no_dma_at(&self->setup, AMD_GVA, self->page);
	/* The host has seen the event when the device gets an ID again */
	EXPECT_EQ(-EAGAIN, amd_event_read(self->setup.event_fd, &event));
	/* Another vDEVICE, at once */
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->setup.dev,
				       AMD_VIRT_ID, NULL));
	test_dma_at(&self->setup, AMD_GVA, self->page);
	test_no_dma_at(&self->setup, AMD_GVA + AMD_PAGE, self->page);
	test_page_fault(&self->setup, true, 0, AMD_GVA + AMD_PAGE);
}

/*
 * The queue is full: the guest is told that there was more, by the last entry
 * or, if there was room again afterwards, by a gap in the numbers.
 */
TEST_F(nested, events_overflow)
{
	struct amd_event event;
	bool lost = false;
	int i, rc;

	for (i = 0; i < 200; i++)
		EXPECT_EQ(-EFAULT, amd_device_dma(&self->setup.dev,
						  AMD_GVA + AMD_PAGE));
	sleep(1);
	for (i = 0; i < 200 && !lost; i++) {
		rc = amd_event_read(self->setup.event_fd, &event);
		lost = rc == -EOVERFLOW || (!rc && event.sequence != i);
		if (lost)
			break;
		ASSERT_EQ(0, rc);
		EXPECT_EQ(AMD_GVA + AMD_PAGE, event.addr);
	}
	EXPECT_TRUE(lost);
	EXPECT_LE(16, i);
	test_dma_at(&self->setup, AMD_GVA, self->page);
}

/* Objects that are in use stay, whatever the order */
TEST_F(nested, destroy_in_wrong_order)
{
	struct amd_guest *guest = self->guest;

	EXPECT_EQ(-EBUSY, amd_guest_destroy(guest, self->hwpt_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(guest, guest->viommu_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(guest, guest->hwpt_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(guest, guest->ioas_id));
	test_dma_at(&self->setup, AMD_GVA, self->page);

	ASSERT_EQ(0, amd_device_detach(&self->setup.dev));
	EXPECT_EQ(0, amd_guest_destroy(guest, self->hwpt_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(guest, guest->viommu_id));
	EXPECT_EQ(0, amd_guest_destroy(guest, self->setup.vdevice_id));
	EXPECT_EQ(0, close(self->setup.event_fd));
	self->setup.event_fd = -1;
	EXPECT_EQ(0, amd_guest_destroy(guest, self->setup.veventq_id));
	EXPECT_EQ(0, amd_guest_destroy(guest, guest->viommu_id));
	EXPECT_EQ(0, amd_guest_destroy(guest, guest->hwpt_id));
}

/* What the device writes is dirty, through whatever tables it goes */

FIXTURE(dirty)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	__u64 page;
	__u32 hwpt_id;
};

FIXTURE_SETUP(dirty)
{
	struct amd_guest *guest = &self->setup.guest;
	struct amd_tables tables;
	__u64 dte[4];

	self->guest = guest;
	self->setup.event_fd = -1;
	if (amd_guest_init(guest, AMD_RAM_SIZE))
		SKIP(return, "no /dev/iommu");
	if (amd_device_open(&self->setup.dev, guest, 0)) {
		amd_guest_exit(guest);
		SKIP(return, "no iommu-testdev that VFIO can bind");
	}
	if (amd_guest_parent(guest, &self->setup.dev,
			     IOMMU_HWPT_ALLOC_DIRTY_TRACKING) ||
	    amd_guest_viommu(guest, &self->setup.dev)) {
		amd_setup_close(&self->setup);
		SKIP(return, "the IOMMU has no HDSup");
	}
	ASSERT_EQ(0, amd_guest_vdevice(guest, &self->setup.dev, AMD_VIRT_ID,
				       NULL));
	ASSERT_EQ(0, amd_tables_init(guest, &tables, 0, 4));
	self->page = amd_guest_page(guest);
	ASSERT_EQ(0, amd_tables_map(guest, &tables, AMD_GVA, self->page,
				    AMD_PTE_W, false));
	amd_tables_dte(&tables, AMD_DOMID, dte);
	ASSERT_EQ(0, amd_guest_nested(guest, &self->setup.dev, dte,
				      &self->hwpt_id));
}

FIXTURE_TEARDOWN(dirty)
{
	amd_setup_close(&self->setup);
}

static int set_tracking(const struct amd_guest *guest, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = guest->hwpt_id,
	};

	return ioctl(guest->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd) ?
	       -errno : 0;
}

/*
 * 1 if the page has become dirty since the last question, or an errno. All of
 * the memory is asked for: pages that happen to be contiguous in the host are
 * one entry, and what is dirty of an entry that begins before the range of the
 * question is lost.
 */
static int is_dirty(const struct amd_guest *guest, __u64 gpa)
{
	__u64 bitmap[AMD_RAM_SIZE / AMD_PAGE / 64] = {};
	unsigned int bit = (gpa - AMD_RAM_GPA) / AMD_PAGE;
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = guest->hwpt_id,
		.iova = AMD_RAM_GPA,
		.length = AMD_RAM_SIZE,
		.page_size = AMD_PAGE,
		.data = (uintptr_t)bitmap,
	};

	if (ioctl(guest->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd))
		return -errno;
	return bitmap[bit / 64] >> (bit % 64) & 1;
}

#define test_dirties()                                             \
	({                                                         \
		EXPECT_EQ(0, is_dirty(self->guest, self->page));   \
		test_dma_at(&self->setup, AMD_GVA, self->page);    \
		EXPECT_EQ(1, is_dirty(self->guest, self->page));   \
		EXPECT_EQ(0, is_dirty(self->guest, self->page));   \
	})

TEST_F(dirty, tracking_before_attach)
{
	ASSERT_EQ(0, set_tracking(self->guest, true));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	test_dirties();
	test_dirties();
}

TEST_F(dirty, tracking_after_attach)
{
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, set_tracking(self->guest, true));
	test_dirties();
	ASSERT_EQ(0, set_tracking(self->guest, false));
	test_dma_at(&self->setup, AMD_GVA, self->page);
	ASSERT_EQ(0, set_tracking(self->guest, true));
	test_dirties();
}

/* Still on after what the guest does, and after a new top of stage 2 */
TEST_F(dirty, tracking_stays)
{
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	ASSERT_EQ(0, set_tracking(self->guest, true));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
				       self->guest->hwpt_id));
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id));
	test_dirties();
	ASSERT_EQ(0, amd_guest_map(self->guest, self->guest->ram, 1ULL << 40,
				   AMD_PAGE));
	test_dirties();
}

TEST_HARNESS_MAIN
