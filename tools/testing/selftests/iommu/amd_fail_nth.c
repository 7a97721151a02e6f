// SPDX-License-Identifier: GPL-2.0-only
/* Every allocation of a VMM's life fails once, on the real driver */
#include "amd_fail_nth.h"

FIXTURE(fail_nth)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	struct amd_tables tables;
	__u64 page;
};

FIXTURE_SETUP(fail_nth)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	if (setup_fault_injection()) {
		amd_setup_close(&self->setup);
		SKIP(return, "no fault injection");
	}
	self->guest = &self->setup.guest;
	ASSERT_EQ(0, amd_tables_init(self->guest, &self->tables, 0, 4));
	self->page = amd_guest_page(self->guest);
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables, AMD_GVA,
				    self->page, AMD_PTE_W, false));
}

FIXTURE_TEARDOWN(fail_nth)
{
	close(nth_fd);
	amd_setup_close(&self->setup);
}

static int viommu_with_data(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	struct amd_guest guest = *self->guest;
	struct iommu_viommu_amd data = {};
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_AMD,
		.dev_id = self->setup.dev.dev_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	int rc;

	rc = amd_guest_parent(&guest, &self->setup.dev, 0);
	if (rc)
		return rc;
	cmd.hwpt_id = guest.hwpt_id;
	if (ioctl(guest.iommufd, IOMMU_VIOMMU_ALLOC, &cmd))
		return undo(&guest, guest.hwpt_id, -errno);
	rc = undo(&guest, cmd.out_viommu_id, 0);
	return undo(&guest, guest.hwpt_id, rc);
}

static int vdevice_and_veventq(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	__u32 vdevice_id, veventq_id;
	int rc, fd;

	rc = amd_guest_vdevice(self->guest, &self->setup.dev, AMD_VIRT_ID,
			       &vdevice_id);
	if (rc)
		return rc;
	rc = amd_guest_veventq(self->guest, 8, &veventq_id, &fd);
	if (!rc) {
		stop_nth();
		close(fd);
		rc = undo(self->guest, veventq_id, 0);
	}
	return undo(self->guest, vdevice_id, rc);
}

static int attach_and_dma(FIXTURE_DATA(fail_nth) *self, __u32 hwpt_id)
{
	int rc = amd_device_attach(&self->setup.dev, hwpt_id);

	if (rc)
		return rc;
	rc = amd_guest_inv_domain(self->guest, AMD_DOMID);
	stop_nth();
	amd_clear_word(self->guest, self->page);
	if (amd_device_dma(&self->setup.dev, AMD_GVA) ||
	    amd_word(self->guest, self->page) != AMD_DMA_VALUE)
		rc = -EPROTO;
	return rc;
}

/* From the detached device to DMA and back */
static int nested_from_detached(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	__u32 vdevice_id, hwpt_id;
	__u64 dte[4];
	int rc;

	rc = amd_guest_vdevice(self->guest, &self->setup.dev, AMD_VIRT_ID,
			       &vdevice_id);
	if (rc)
		return rc;
	amd_tables_dte(&self->tables, AMD_DOMID, dte);
	rc = amd_guest_nested(self->guest, &self->setup.dev, dte, &hwpt_id);
	if (!rc) {
		rc = attach_and_dma(self, hwpt_id);
		stop_nth();
		amd_device_detach(&self->setup.dev);
		rc = undo(self->guest, hwpt_id, rc);
	}
	return undo(self->guest, vdevice_id, rc);
}

/* The same, where the device was with its parent before and is again */
static int nested_from_parent(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	int rc;

	rc = amd_device_attach(&self->setup.dev, self->guest->hwpt_id);
	if (rc)
		return rc;
	rc = nested_from_detached(self);
	stop_nth();
	amd_device_detach(&self->setup.dev);
	return rc;
}

/* A top level for stage 2 comes with it */
static int memory(void *arg)
{
	FIXTURE_DATA(fail_nth) *self = arg;
	const __u64 gpa = 1ULL << 40;
	int rc, rc2;

	rc = amd_guest_map(self->guest, amd_guest_ptr(self->guest, self->page),
			   gpa, AMD_PAGE);
	if (!rc)
		rc = amd_guest_unmap(self->guest, gpa, AMD_PAGE);
	stop_nth();
	/* The call can fail after its work is done, in telling so */
	rc2 = rc ? amd_guest_unmap(self->guest, gpa, AMD_PAGE) : 0;
	return rc2 && rc2 != -ENOENT ? -EPROTO : rc;
}

TEST_F(fail_nth, viommu_with_data)
{
	sweep(_metadata, "viommu_with_data", viommu_with_data, self);
}

TEST_F(fail_nth, vdevice_and_veventq)
{
	sweep(_metadata, "vdevice_and_veventq", vdevice_and_veventq, self);
}

TEST_F(fail_nth, nested_from_detached)
{
	sweep(_metadata, "nested_from_detached", nested_from_detached, self);
}

TEST_F(fail_nth, nested_from_parent)
{
	sweep(_metadata, "nested_from_parent", nested_from_parent, self);
}

TEST_F(fail_nth, memory)
{
	sweep(_metadata, "memory", memory, self);
}

TEST_HARNESS_MAIN
