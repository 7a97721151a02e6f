// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: a guest goes on after the host has slept
 *
 * The kernel goes to sleep up to the point where the machine would, which is
 * after the IOMMU was turned off, and wakes up: pm_test of CONFIG_PM_DEBUG.
 * Skips without, and unless the environment variable VIOMMU_MAY_SLEEP is set:
 * not every machine that runs the selftests is one to put to sleep.
 */
#include <fcntl.h>
#include <stdio.h>

#include "amd_viommu_utils.h"

static int sleep_and_wake_up(void)
{
	int rc = amd_write_file("/sys/power/state", "mem");

	/* A wakeup event that is under way: that is no failure of anybody */
	return rc == -EBUSY ? amd_write_file("/sys/power/state", "mem") : rc;
}

FIXTURE(suspend)
{
	struct amd_hw hw;
	struct amd_viommu *v;
	struct amd_rings *rings;
	long tainted;
};

FIXTURE_SETUP(suspend)
{
	const char *why;

	if (!getenv("VIOMMU_MAY_SLEEP"))
		SKIP(return, "VIOMMU_MAY_SLEEP is not set");
	why = amd_hw_open(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->v = &self->hw.v;
	self->rings = &self->hw.rings;
	self->tainted = amd_tainted();
	ASSERT_EQ(0, amd_hw_start(&self->hw, 2 * AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	/* Last: teardown undoes it, and runs only if nothing here has failed */
	if (amd_write_file("/sys/power/pm_test", "core")) {
		amd_hw_close(&self->hw);
		SKIP(return, "no pm_test, or nothing to suspend to");
	}
}

FIXTURE_TEARDOWN(suspend)
{
	amd_hw_close(&self->hw);
	amd_write_file("/sys/power/pm_test", "none");
	EXPECT_EQ(self->tainted, amd_tainted());
}

/* Pointers are in the middle of the rings, so they have to be saved */
TEST_F(suspend, rings_go_on)
{
	const __u64 control = amd_rings_control(self->rings);
	__u64 base = 0, head, tail;
	int i;

	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, amd_ring_sync(&self->rings->cmd));
	ASSERT_EQ(0, amd_viommu_get(self->v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE,
				    &base));
	head = amd_vf_read(self->v, AMD_VF_CMD_HEAD);
	tail = amd_vf_read(self->v, AMD_VF_CMD_TAIL);

	ASSERT_EQ(0, sleep_and_wake_up());
	EXPECT_EQ(head, amd_vf_read(self->v, AMD_VF_CMD_HEAD));
	EXPECT_EQ(tail, amd_vf_read(self->v, AMD_VF_CMD_TAIL));
	test_command_reads(self->v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, base);
	test_command_reads(self->v, IOMMU_VIOMMU_AMD_CMD_CONTROL, control);
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, amd_ring_sync(&self->rings->cmd));
}

TEST_F(suspend, device_goes_on)
{
	ASSERT_EQ(0, amd_hw_dma(&self->hw));
	ASSERT_EQ(0, sleep_and_wake_up());
	ASSERT_EQ(0, amd_hw_dma(&self->hw));
	/* Both maps are what they were: its own commands arrive */
	ASSERT_EQ(0, amd_ring_run(&self->rings->cmd,
				  amd_cmd_devtab(AMD_VIRT_ID)));
	ASSERT_EQ(0, amd_ring_run(&self->rings->cmd,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	ASSERT_EQ(0, amd_hw_dma(&self->hw));
	test_no_vmm_event(&self->hw);
}

TEST_F(suspend, log_goes_on)
{
	const __u64 gva = AMD_GVA + 16 * AMD_PAGE;

	EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev, gva));
	test_guest_fault(&self->hw, AMD_VIRT_ID, gva);
	ASSERT_EQ(0, sleep_and_wake_up());
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev, gva));
	test_guest_fault(&self->hw, AMD_VIRT_ID, gva);
}

TEST_F(suspend, off_stays_off)
{
	ASSERT_EQ(0, amd_viommu_set(self->v, IOMMU_VIOMMU_AMD_CMD_CONTROL, 0));
	ASSERT_EQ(0, sleep_and_wake_up());
	test_command_reads(self->v, IOMMU_VIOMMU_AMD_CMD_CONTROL, 0);
	EXPECT_EQ(-EIO, amd_ring_sync(&self->rings->cmd));
}

TEST_F(suspend, again_and_again)
{
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, sleep_and_wake_up());
		ASSERT_EQ(0, amd_ring_sync(&self->rings->cmd));
		ASSERT_EQ(0, amd_hw_dma(&self->hw));
	}
}

TEST_HARNESS_MAIN
