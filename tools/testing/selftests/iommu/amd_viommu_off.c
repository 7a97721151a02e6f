// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: a kernel that shall not use it does not touch it, and
 * does in software what can be done there
 *
 * For a kernel started with amd_iommu_viommu=off, or to dump a crash, which
 * finds the IOMMU as another kernel has left it. Skips on others.
 */
#include <fcntl.h>
#include <stdio.h>

#include "amd_viommu_utils.h"

FIXTURE(off)
{
	struct amd_hw hw;
	long long reads;
	long long writes;
	long tainted;
};

static bool cmdline_has(const char *word)
{
	char line[4096] = "";
	FILE *file = fopen("/proc/cmdline", "r");

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
	}
	return strstr(line, word);
}

static long long reads_of_the_vendor(void)
{
	return amd_counter("vf-reads") + amd_counter("vfc-reads");
}

static long long writes_of_the_vendor(void)
{
	return amd_counter("vf-writes") + amd_counter("vfc-writes");
}

FIXTURE_SETUP(off)
{
	const char *why;

	if (!cmdline_has("amd_iommu_viommu=off") &&
	    !cmdline_has("elfcorehdr="))
		SKIP(return, "the kernel may use the hardware vIOMMU");
	why = amd_hw_open_device(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->tainted = amd_tainted();
	if (amd_has_monitor()) {
		self->reads = reads_of_the_vendor();
		self->writes = writes_of_the_vendor();
	}
	ASSERT_EQ(0, amd_viommu_alloc(&self->hw.v, &self->hw.setup.guest,
				      &self->hw.setup.dev));
}

/* Nobody has looked at a register of the vIOMMU, then or before */
FIXTURE_TEARDOWN(off)
{
	amd_hw_close(&self->hw);
	EXPECT_EQ(self->tainted, amd_tainted());
	if (!amd_has_monitor())
		return;
	EXPECT_EQ(0, self->reads);
	EXPECT_EQ(0, self->writes);
	EXPECT_EQ(0, reads_of_the_vendor());
	EXPECT_EQ(0, writes_of_the_vendor());
	EXPECT_EQ(0, monitor_number("viommu-running"));
	EXPECT_EQ(0, monitor_number("stat-violations"));
}

TEST_F(off, has_no_rings)
{
	__u32 type, id;

	EXPECT_EQ(0, self->hw.v.caps);
	EXPECT_EQ(0, self->hw.v.mmap_offset);
	EXPECT_EQ(0, self->hw.v.mmap_length);
	for (type = CMD_QUEUE; type <= PPR_QUEUE; type++)
		EXPECT_EQ(-EOPNOTSUPP,
			  amd_viommu_queue(&self->hw.v, type, 0, AMD_RAM_GPA,
					   AMD_PAGE, &id));
	test_command_fails(&self->hw.v, CONTROL, EOPNOTSUPP);
	test_command_fails(&self->hw.v, STATUS, EOPNOTSUPP);
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_set(&self->hw.v, CONTROL, 0));
}

TEST_F(off, software_does_it)
{
	struct amd_hw *hw = &self->hw;

	ASSERT_EQ(0, amd_setup_vdevice(&hw->setup));
	ASSERT_EQ(0, amd_hw_nest(hw));
	ASSERT_EQ(0, amd_hw_make_stale(hw));
	ASSERT_EQ(0, amd_guest_inv_domain(&hw->setup.guest, AMD_DOMID));
	EXPECT_EQ(-EFAULT, amd_hw_dma(hw));
}

TEST_HARNESS_MAIN
