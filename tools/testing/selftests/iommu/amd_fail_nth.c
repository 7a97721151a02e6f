// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of a VMM's life fails once, on the real driver
 *
 * Needs CONFIG_FAULT_INJECTION with failslab, as iommufd_fail_nth does. After
 * each failure the same sequence has to succeed, so nothing may be left behind.
 */
#include <fcntl.h>
#include <stdio.h>

#include "amd_utils.h"

/* Injection points are looked for up to this one */
#define MAX_NTH 400

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		len = -errno;
	close(fd);
	return len < 0 ? len : 0;
}

/* Every call may fail, and the log is for splats */
static int setup_fault_injection(void)
{
	int rc;

	rc = write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	if (rc)
		return rc;
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_file("/sys/kernel/debug/fail_iommufd/verbose", "0");
	return 0;
}

/* State of the injection: its file, whether it is on, whether it came to it */
static int nth_fd = -1;
static bool armed, injected;

/* The nth next call that can fail does */
static int start_nth(unsigned int nth)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", nth);

	armed = true;
	injected = false;
	return pwrite(nth_fd, buf, len, 0) == len ? 0 : -errno;
}

/* From here on nothing fails. Turning it off can be what does. */
static void stop_nth(void)
{
	char buf[16] = "";

	if (!armed)
		return;
	armed = false;
	if (pread(nth_fd, buf, sizeof(buf) - 1, 0) < 0)
		injected = true;
	else
		injected = !strtoul(buf, NULL, 10);
	if (pwrite(nth_fd, "0", 1, 0) != 1)
		pwrite(nth_fd, "0", 1, 0);
}

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
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	if (nth_fd < 0 || setup_fault_injection()) {
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

/* A sequence: does as much as it can, then undoes all of that */
typedef int (*sequence)(FIXTURE_DATA(fail_nth) *self);

/* Undoing must not fail, so it is not asked to */
static int undo(const struct amd_guest *guest, __u32 id, int rc)
{
	int rc2;

	stop_nth();
	rc2 = amd_guest_destroy(guest, id);
	return rc2 ? -EPROTO : rc;
}

static int viommu_with_data(FIXTURE_DATA(fail_nth) *self)
{
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

static int vdevice_and_veventq(FIXTURE_DATA(fail_nth) *self)
{
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
static int nested_from_detached(FIXTURE_DATA(fail_nth) *self)
{
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
static int nested_from_parent(FIXTURE_DATA(fail_nth) *self)
{
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
static int memory(FIXTURE_DATA(fail_nth) *self)
{
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

static void sweep(struct __test_metadata *_metadata,
		  FIXTURE_DATA(fail_nth) *self, const char *name, sequence func)
{
	unsigned int nth, failed = 0;
	int rc = 0;

	/* Whatever is allocated once and for all */
	ASSERT_EQ(0, func(self));
	for (nth = 1; nth < MAX_NTH; nth++) {
		ASSERT_EQ(0, start_nth(nth));
		rc = func(self);
		stop_nth();
		ASSERT_NE(-EPROTO, rc)
			TH_LOG("point %u", nth);
		/* Not every failure is one of the caller's */
		failed += !!rc;
		ASSERT_EQ(0, func(self))
			TH_LOG("after point %u", nth);
		if (!injected && !rc)
			break;
	}
	EXPECT_GT(MAX_NTH, nth);
	EXPECT_LT(0, failed);
	printf("# %s: %u injection points, %u errors\n", name, nth - 1, failed);
}

TEST_F(fail_nth, viommu_with_data)
{
	sweep(_metadata, self, "viommu_with_data", viommu_with_data);
}

TEST_F(fail_nth, vdevice_and_veventq)
{
	sweep(_metadata, self, "vdevice_and_veventq", vdevice_and_veventq);
}

TEST_F(fail_nth, nested_from_detached)
{
	sweep(_metadata, self, "nested_from_detached", nested_from_detached);
}

TEST_F(fail_nth, nested_from_parent)
{
	sweep(_metadata, self, "nested_from_parent", nested_from_parent);
}

TEST_F(fail_nth, memory)
{
	sweep(_metadata, self, "memory", memory);
}

TEST_HARNESS_MAIN
