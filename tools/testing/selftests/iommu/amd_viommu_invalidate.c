// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: what a guest invalidates by itself. The IOMMU keeps a
 * translation that the guest has removed until the right command; so does the
 * model, which makes visible what a command has dropped and what it has not.
 */
#include "amd_viommu_utils.h"

FIXTURE(inv)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_ring *ring;
};

/* A translation is known that the guest does not have any more */
FIXTURE_SETUP(inv)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->ring = &self->hw.rings.cmd;
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
}

FIXTURE_TEARDOWN(inv)
{
	amd_hw_close(&self->hw);
}

#define test_run(cmd)	ASSERT_EQ(0, amd_ring_run(self->ring, cmd))
#define test_stale()	EXPECT_EQ(0, amd_hw_dma(&self->hw))
#define test_dropped()	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->hw))

TEST_F(inv, page)
{
	test_run(amd_cmd_pages(AMD_DOMID, 0, AMD_GVA, false));
	test_dropped();
}

TEST_F(inv, domain)
{
	test_run(amd_cmd_pages(AMD_DOMID, 0, 0, true));
	test_dropped();
}

TEST_F(inv, all)
{
	test_run(amd_cmd_all());
	test_dropped();
}

TEST_F(inv, other_page)
{
	test_run(amd_cmd_pages(AMD_DOMID, 0, AMD_GVA + AMD_PAGE, false));
	test_stale();
	test_run(amd_cmd_pages(AMD_DOMID, 0, AMD_GVA - AMD_PAGE, false));
	test_stale();
}

TEST_F(inv, other_pasid)
{
	test_run(amd_cmd_pages(AMD_DOMID, 1, 0, true));
	test_stale();
}

/*
 * None of the other numbers means the guest's domain, or one of the host that
 * has that number: those are what a map from guest to host IDs is for.
 */
TEST_F(inv, every_other_domain)
{
	unsigned int domid;

	for (domid = 0; domid <= 0xffff; domid++) {
		if (domid == AMD_DOMID)
			continue;
		ASSERT_EQ(0, amd_ring_put(self->ring,
					  amd_cmd_pages(domid, 0, 0, true)));
		if (domid % 128 == 127)
			ASSERT_EQ(0, amd_ring_sync(self->ring));
	}
	test_stale();
	/* Of the host's stage, too */
	for (domid = 0; domid < 1024; domid++) {
		if (domid == AMD_DOMID)
			continue;
		test_run(amd_cmd_raw(3ULL << 60 | (__u64)domid << 32,
				     0x7ffffffffffff003));
	}
	test_stale();
	test_no_vmm_event(&self->hw);
	test_run(amd_cmd_pages(AMD_DOMID, 0, 0, true));
	test_dropped();
}

TEST_F(inv, devices_and_waits)
{
	test_run(amd_cmd_devtab(AMD_VIRT_ID));
	test_run(amd_cmd_iotlb(AMD_VIRT_ID, AMD_GVA));
	test_run(amd_cmd_interrupts(AMD_VIRT_ID));
	test_run(amd_cmd_ppr(AMD_VIRT_ID));
	test_run(amd_cmd_wait(0, 0, AMD_WAIT_INT));
	test_stale();
}

/* Not executed is not invalidated */
TEST_F(inv, disabled_ring)
{
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	ASSERT_EQ(0, amd_ring_put(self->ring,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	amd_ring_doorbell(self->ring);
	usleep(20000);
	test_stale();
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	ASSERT_EQ(0, amd_ring_wait_head(self->ring, self->ring->next));
	test_dropped();
}

/* The VMM can do it as well, whatever the guest's ring does */
TEST_F(inv, by_the_vmm)
{
	ASSERT_EQ(0, amd_guest_inv_domain(self->guest, AMD_DOMID));
	test_dropped();
}

/* A domain that is used no more: its number means nothing then */
TEST_F(inv, domain_that_was)
{
	__u32 old = self->hw.hwpt_id;

	ASSERT_EQ(0, amd_tables_map(self->guest, &self->hw.tables, AMD_GVA,
				    self->hw.page, AMD_PTE_W, false));
	ASSERT_EQ(0, amd_hw_attach(&self->hw, AMD_DOMID + 1));
	ASSERT_EQ(0, amd_guest_destroy(self->guest, old));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
	test_run(amd_cmd_pages(AMD_DOMID, 0, 0, true));
	test_stale();
	test_no_vmm_event(&self->hw);
	test_run(amd_cmd_pages(AMD_DOMID + 1, 0, 0, true));
	test_dropped();
}

/* A domain that comes after all IDs have got their meaning */
TEST_F(inv, domain_that_comes)
{
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->hw.tables, AMD_GVA,
				    self->hw.page, AMD_PTE_W, false));
	ASSERT_EQ(0, amd_hw_attach(&self->hw, 0xffff));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
	test_run(amd_cmd_pages(AMD_DOMID, 0, 0, true));
	test_stale();
	test_run(amd_cmd_pages(0xffff, 0, 0, true));
	test_dropped();
}

/* Domain 0 is one like all others */
TEST_F(inv, domain_0)
{
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->hw.tables, AMD_GVA,
				    self->hw.page, AMD_PTE_W, false));
	ASSERT_EQ(0, amd_hw_attach(&self->hw, 0));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
	test_run(amd_cmd_pages(0, 0, 0, true));
	test_dropped();
}

/* Memory that the VMM takes away is gone, even if the guest does not say so */
TEST_F(inv, host_does_not_wait_for_the_guest)
{
	ASSERT_EQ(0, amd_guest_unmap(self->guest, AMD_RAM_GPA,
				     self->guest->size));
	test_dropped();
}

/*
 * What this hardware is for: a guest maps, uses, unmaps and invalidates, and
 * the host has nothing to do: no ioctl, no exit, no command.
 */
TEST_F(inv, costs_the_host_nothing)
{
	long long writes, waits, invs, doorbells;
	int i, wrong = 0;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	writes = amd_host_writes();
	waits = monitor_number("stat-cmd-1");
	invs = monitor_number("stat-cmd-3");
	doorbells = amd_counter("doorbells");
	for (i = 0; i < 1000; i++) {
		wrong += !!amd_tables_map(self->guest, &self->hw.tables,
					  AMD_GVA, self->hw.page, AMD_PTE_W,
					  false);
		wrong += amd_hw_dma(&self->hw) != 0;
		wrong += !!amd_tables_unmap(self->guest, &self->hw.tables,
					    AMD_GVA);
		wrong += !!amd_ring_run(self->ring,
					amd_cmd_pages(AMD_DOMID, 0, AMD_GVA,
						      false));
	}
	EXPECT_EQ(0, wrong);
	test_dropped();
	EXPECT_EQ(doorbells + 1000, amd_counter("doorbells"));
	EXPECT_EQ(writes, amd_host_writes());
	EXPECT_EQ(waits, monitor_number("stat-cmd-1"));
	EXPECT_EQ(invs, monitor_number("stat-cmd-3"));
	printf("# 1000 unmaps of the guest: %lld writes of the host\n",
	       amd_host_writes() - writes);
}

TEST_HARNESS_MAIN
