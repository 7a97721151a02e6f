// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: every allocation and every copy from or to a VMM fails
 * once, and the same sequence of calls works after it
 */
#include "amd_fail_nth.h"
#include "amd_viommu_utils.h"

FIXTURE(fail_nth)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_device *dev;
};

FIXTURE_SETUP(fail_nth)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	if (setup_fault_injection()) {
		amd_hw_close(&self->hw);
		SKIP(return, "no fault injection");
	}
	self->guest = &self->hw.setup.guest;
	self->dev = &self->hw.setup.dev;
}

FIXTURE_TEARDOWN(fail_nth)
{
	stop_nth();
	close(nth_fd);
	amd_hw_close(&self->hw);
}

/* Guest memory starts over with each sequence: its pages are not 0 then */
static void reuse_memory(FIXTURE_DATA(fail_nth) *self, size_t used)
{
	memset(self->guest->ram + used, 0, self->guest->used - used);
	self->guest->used = used;
}

/* A vIOMMU with its page, beside another one or not */
static int make_viommu(FIXTURE_DATA(fail_nth) *self)
{
	struct amd_guest guest = *self->guest;
	struct amd_viommu v;
	int rc;

	rc = amd_viommu_alloc(&v, &guest, self->dev);
	if (rc)
		return rc;
	/* There is hardware, so one without it is not what was asked for */
	if (v.caps != self->hw.v.caps)
		return undo(&guest, guest.viommu_id, -EPROTO);
	rc = amd_viommu_map(&v);
	stop_nth();
	if (!rc && (amd_vf_read(&v, AMD_VF_STATUS) || amd_viommu_unmap(&v)))
		rc = -EPROTO;
	return undo(&guest, guest.viommu_id, rc);
}

static int viommu(void *arg)
{
	return make_viommu(arg);
}

static int hw_queues(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	size_t used = self->guest->used;
	struct amd_rings rings = {};
	__u64 val;
	int rc;

	rc = amd_rings_init(&rings, &self->hw.v, AMD_RING_MIN);
	rc = rc ?: amd_viommu_get(&self->hw.v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE,
				  &val);
	rc = rc ?: amd_viommu_get(&self->hw.v, IOMMU_VIOMMU_AMD_CMD_EVT_BASE,
				  &val);
	stop_nth();
	if (amd_ring_destroy(&rings.cmd) || amd_ring_destroy(&rings.evt) ||
	    amd_ring_destroy(&rings.ppr))
		rc = -EPROTO;
	reuse_memory(self, used);
	return rc;
}

/* A call that fails has done nothing */
static int commands(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	const __u64 all = amd_rings_control(&self->hw.rings);
	struct amd_viommu *v = &self->hw.v;
	__u64 val, want = 0;
	int rc;

	rc = amd_viommu_set(v, CONTROL, AMD_CONTROL_EVT_LOG_EN);
	if (!rc) {
		want = AMD_CONTROL_EVT_LOG_EN;
		rc = amd_viommu_set(v, CONTROL, all);
	}
	if (!rc) {
		want = all;
		rc = amd_viommu_get(v, STATUS, &val);
	}
	rc = rc ?: amd_viommu_get(v, CONTROL, &val);
	stop_nth();
	if (amd_viommu_get(v, CONTROL, &val) || val != want ||
	    amd_viommu_set(v, CONTROL, 0))
		return -EPROTO;
	return rc;
}

static int objects(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	const bool irqs = self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ;
	__u32 vdevice_id, veventq_id, irq_id;
	int rc, fd, irq_fd;

	rc = amd_guest_vdevice(self->guest, self->dev, AMD_VIRT_ID,
			       &vdevice_id);
	if (rc)
		return rc;
	rc = amd_guest_veventq(self->guest, 8, &veventq_id, &fd);
	if (rc)
		return undo(self->guest, vdevice_id, rc);
	if (irqs)
		rc = amd_viommu_irqs(&self->hw.v, 8, &irq_id, &irq_fd);
	stop_nth();
	if (irqs && !rc) {
		close(irq_fd);
		rc = undo(self->guest, irq_id, rc);
	}
	close(fd);
	rc = undo(self->guest, veventq_id, rc);
	return undo(self->guest, vdevice_id, rc);
}

/* A domain of the guest while its rings run: its ID gets a meaning, and back */
static int nested(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	struct amd_hw *hw = &self->hw;
	__u32 hwpt_id;
	int rc;

	rc = amd_guest_nested(self->guest, self->dev, hw->dte, &hwpt_id);
	if (rc)
		return rc;
	rc = amd_device_attach(self->dev, hwpt_id);
	stop_nth();
	if (!rc && (amd_hw_dma(hw) || amd_ring_run(&hw->rings.cmd,
						   amd_cmd_all())))
		rc = -EPROTO;
	amd_device_detach(self->dev);
	return undo(self->guest, hwpt_id, rc);
}

/* From nothing to a ring that runs, in one go, and all of it back */
static int whole(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	struct amd_guest guest = *self->guest;
	struct amd_rings rings = {};
	struct amd_viommu v;
	int rc;

	rc = amd_viommu_alloc(&v, &guest, self->dev);
	if (rc)
		return rc;
	rc = amd_viommu_map(&v);
	rc = rc ?: amd_rings_init(&rings, &v, AMD_RING_MIN);
	rc = rc ?: amd_viommu_start(&rings);
	stop_nth();
	if (!rc && amd_ring_sync(&rings.cmd))
		rc = -EPROTO;
	/* As it would be at the end of the VMM */
	if (amd_ring_destroy(&rings.cmd) || amd_ring_destroy(&rings.evt) ||
	    amd_ring_destroy(&rings.ppr) || amd_viommu_free(&v))
		rc = -EPROTO;
	memset(self->guest->ram + self->guest->used, 0,
	       guest.used - self->guest->used);
	return rc;
}

TEST_F(fail_nth, first_viommu)
{
	struct amd_guest soft = *self->guest;

	/* The hardware is off, and turned on by each of them */
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	sweep(_metadata, "first_viommu", viommu, self);
	ASSERT_EQ(0, amd_guest_viommu(&soft, self->dev));
}

TEST_F(fail_nth, another_viommu)
{
	sweep(_metadata, "another_viommu", viommu, self);
	test_command_reads(&self->hw.v, CONTROL, 0);
}

TEST_F(fail_nth, hw_queues)
{
	sweep(_metadata, "hw_queues", hw_queues, self);
}

TEST_F(fail_nth, commands)
{
	ASSERT_EQ(0, amd_rings_init(&self->hw.rings, &self->hw.v,
				    AMD_RING_MIN));
	sweep(_metadata, "commands", commands, self);
	ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

TEST_F(fail_nth, objects)
{
	sweep(_metadata, "objects", objects, self);
}

TEST_F(fail_nth, nested)
{
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_device_detach(self->dev));
	sweep(_metadata, "nested", nested, self);
}

TEST_F(fail_nth, whole)
{
	sweep(_metadata, "whole", whole, self);
}

TEST_HARNESS_MAIN
