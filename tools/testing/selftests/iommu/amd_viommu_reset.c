// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: the IOMMU has lost all that it was told, and does not
 * answer any more. Whoever has a guest on it gets to know, and can end it.
 *
 * What the kernel has told that IOMMU is not told again, so this is the last
 * thing to do with a machine. It needs the monitor of an emulated one, and
 * interrupts that the IOMMU does not remap: boot with nointremap and
 * iommufd.allow_unsafe_interrupts=1. Skips otherwise.
 */
#include <time.h>

#include "amd_viommu_utils.h"

/* Some dozens of waits for an answer, two seconds each */
#define MAX_SECONDS	200

FIXTURE(reset)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_viommu *v;
	long tainted;
};

static bool interrupts_are_remapped(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	bool found = false;
	char line[4096];

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " IR-");
	if (file)
		fclose(file);
	return found;
}

FIXTURE_SETUP(reset)
{
	const char *why;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	if (interrupts_are_remapped())
		SKIP(return, "interrupts are remapped, and would not arrive");
	why = amd_hw_open(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->v = &self->hw.v;
	self->tainted = amd_tainted();
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

FIXTURE_TEARDOWN(reset)
{
	amd_hw_close(&self->hw);
	EXPECT_EQ(self->tainted, amd_tainted());
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

TEST_F(reset, guest_that_ran)
{
	struct amd_guest second = *self->guest;
	const double begin = now();
	struct amd_viommu v;
	__u32 id;

	ASSERT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.vdevice_id));
	ASSERT_EQ(0, monitor_set("surprise-reset", "true"));
	test_command_fails(self->v, CONTROL, EIO);
	test_command_fails(self->v, STATUS, EIO);
	test_command_fails(self->v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, EIO);
	EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL, 0));
	EXPECT_EQ(-EINVAL, amd_viommu_set(self->v, CONTROL, 1));
	EXPECT_EQ(-EIO, amd_ring_sync(&self->hw.rings.cmd));
	EXPECT_EQ(-EIO, amd_guest_vdevice(self->guest, &self->hw.setup.dev, 1,
					  &id));
	EXPECT_EQ(-EIO, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));

	/* It can all be taken down, and none comes up */
	EXPECT_EQ(0, amd_ring_destroy(&self->hw.rings.cmd));
	EXPECT_EQ(0, amd_ring_destroy(&self->hw.rings.evt));
	EXPECT_EQ(-EIO, amd_ring_queue(&self->hw.rings.cmd));
	EXPECT_EQ(0, amd_ring_destroy(&self->hw.rings.ppr));
	EXPECT_EQ(0, amd_device_detach(&self->hw.setup.dev));
	EXPECT_EQ(0, amd_guest_destroy(self->guest, self->hw.hwpt_id));
	close(self->hw.setup.event_fd);
	self->hw.setup.event_fd = -1;
	EXPECT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.veventq_id));
	EXPECT_EQ(0, amd_viommu_free(self->v));
	EXPECT_EQ(-EIO, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_GT(MAX_SECONDS, now() - begin);
	EXPECT_EQ(0, monitor_number("stat-violations"));
}

TEST_HARNESS_MAIN
