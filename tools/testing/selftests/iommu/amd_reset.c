// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets of a device with ATS. The core blocks it meanwhile and attaches it to
 * what it had before, which must not fail, whatever the VMM has done to that.
 */
#include <limits.h>

#include <linux/pci_regs.h>
#define __EXPORTED_HEADERS__
#include <linux/vfio.h>

#include "amd_fail_nth.h"

FIXTURE(reset)
{
	struct amd_setup setup;
	struct amd_tables tables;
	char bdf[NAME_MAX + 1];
	__u32 hwpt_id;
	bool dev_open;
	bool open;
};

/* A word of the configuration space as it is, and not as VFIO shows it */
static int config_read(const char *bdf, unsigned int at, void *data, size_t len)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	got = pread(fd, data, len, at);
	close(fd);
	return got == (ssize_t)len ? 0 : -EIO;
}

/* Where an extended capability is; 0: it has none */
static unsigned int find_ext_cap(const char *bdf, unsigned int id)
{
	unsigned int at = 0x100;
	__u32 header;

	while (at && !config_read(bdf, at, &header, sizeof(header))) {
		if (PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

static bool ats_is_on(const char *bdf)
{
	unsigned int at = find_ext_cap(bdf, PCI_EXT_CAP_ID_ATS);
	__u16 ctrl = 0;

	return at && !config_read(bdf, at + PCI_ATS_CTRL, &ctrl,
				  sizeof(ctrl)) && (ctrl & PCI_ATS_CTRL_ENABLE);
}

/* Warnings, oopses */
static long taint(void)
{
	char buf[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		return -1;
	close(fd);
	return strtol(buf, NULL, 10);
}

static int reset(struct amd_device *dev)
{
	return ioctl(dev->cdev, VFIO_DEVICE_RESET) ? -errno : 0;
}

FIXTURE_SETUP(reset)
{
	struct amd_guest *guest = &self->setup.guest;
	struct amd_device *dev = &self->setup.dev;
	__u64 dte[4];

	if (amd_guest_init(guest, AMD_RAM_SIZE))
		SKIP(return, "no /dev/iommu");
	self->setup.event_fd = -1;
	self->open = true;
	if (amd_device_open_ats(dev, guest, self->bdf, sizeof(self->bdf)))
		SKIP(return, "no device with ATS that VFIO can bind");
	self->dev_open = true;
	if (amd_guest_viommu(guest, dev))
		SKIP(return, "the IOMMU has no IOMMU_VIOMMU_TYPE_AMD");
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	ASSERT_EQ(0, amd_tables_init(guest, &self->tables, 0, 4));
	amd_tables_dte(&self->tables, AMD_DOMID, dte);
	dte[1] |= GDTE_1_I;
	ASSERT_EQ(0, amd_guest_nested(guest, dev, dte, &self->hwpt_id));
	ASSERT_EQ(0, amd_device_attach(dev, self->hwpt_id));
	ASSERT_TRUE(ats_is_on(self->bdf));
}

FIXTURE_TEARDOWN(reset)
{
	if (self->setup.event_fd >= 0)
		close(self->setup.event_fd);
	if (self->dev_open)
		amd_device_close(&self->setup.dev);
	if (self->open)
		amd_guest_exit(&self->setup.guest);
}

TEST_F(reset, with_vdevice)
{
	long before = taint();

	EXPECT_EQ(0, reset(&self->setup.dev));
	EXPECT_EQ(before, taint());
	EXPECT_TRUE(ats_is_on(self->bdf));
}

TEST_F(reset, without_vdevice)
{
	long before = taint();

	ASSERT_EQ(0, amd_guest_destroy(&self->setup.guest,
				       self->setup.vdevice_id));
	EXPECT_EQ(0, reset(&self->setup.dev));
	EXPECT_EQ(before, taint());
	/* It goes on with the next vDEVICE */
	EXPECT_EQ(0, amd_guest_vdevice(&self->setup.guest, &self->setup.dev,
				       AMD_VIRT_ID, NULL));
	EXPECT_TRUE(ats_is_on(self->bdf));
	EXPECT_EQ(0, reset(&self->setup.dev));
	EXPECT_EQ(before, taint());
}

/* VFIO resets at the last close, while the device is still attached */
TEST_F(reset, close_without_vdevice)
{
	long before = taint();

	ASSERT_EQ(0, amd_guest_destroy(&self->setup.guest,
				       self->setup.vdevice_id));
	amd_device_close(&self->setup.dev);
	self->dev_open = false;
	EXPECT_EQ(before, taint());
}

/* As a guest does it: VFIO passes the bit on as a reset of its own */
TEST_F(reset, flr_of_the_guest_without_vdevice)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int cdev = self->setup.dev.cdev;
	long before = taint();
	__u8 at = 0, id = 0;
	__u16 ctrl;

	ASSERT_EQ(0, amd_guest_destroy(&self->setup.guest,
				       self->setup.vdevice_id));
	ASSERT_EQ(0, ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, &info));
	ASSERT_EQ(1, pread(cdev, &at, 1, info.offset + PCI_CAPABILITY_LIST));
	while (at) {
		ASSERT_EQ(1, pread(cdev, &id, 1, info.offset + at));
		if (id == PCI_CAP_ID_EXP)
			break;
		ASSERT_EQ(1, pread(cdev, &at, 1, info.offset + at + 1));
	}
	ASSERT_NE(0, at);
	ASSERT_EQ(2, pread(cdev, &ctrl, 2, info.offset + at + PCI_EXP_DEVCTL));
	ctrl |= PCI_EXP_DEVCTL_BCR_FLR;
	EXPECT_EQ(2, pwrite(cdev, &ctrl, 2, info.offset + at + PCI_EXP_DEVCTL));
	EXPECT_EQ(before, taint());
}

/* To be attached again takes no memory */
TEST_F(reset, out_of_memory)
{
	long before = taint();
	unsigned int nth;

	if (setup_fault_injection())
		SKIP(return, "no fault injection");
	for (nth = 1; nth < MAX_NTH; nth++) {
		ASSERT_EQ(0, start_nth(nth));
		reset(&self->setup.dev);
		stop_nth();
		ASSERT_EQ(before, taint())
			TH_LOG("point %u", nth);
		ASSERT_TRUE(ats_is_on(self->bdf))
			TH_LOG("point %u", nth);
		if (!injected)
			break;
	}
	EXPECT_GT(MAX_NTH, nth);
	close(nth_fd);
}

TEST_HARNESS_MAIN
