// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices for the tests of the AMD IOMMU: QEMU's iommu-testdev (1b36:0005, no
 * I/O BAR), behind VFIO. It writes a word wherever it is told to, at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#define __EXPORTED_HEADERS__
#include <linux/vfio.h>

#include "amd_vmm.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

/* BAR 0 */
enum {
	REG_TRIGGER = 0x00,
	REG_ADDR_LO = 0x04,
	REG_ADDR_HI = 0x08,
	REG_LEN = 0x0c,
	REG_RESULT = 0x10,
	REG_ARM = 0x14,
};

/* The address was not translated. Other results are about the memory behind. */
#define RESULT_FAULT 0xdead0002U

static bool write_text(const char *path, const char *text)
{
	ssize_t len;
	int fd;

	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	len = write(fd, text, strlen(text));
	close(fd);
	return len == (ssize_t)strlen(text);
}

static bool has_text(const char *bdf, const char *file, const char *text)
{
	char path[PATH_MAX], buf[32] = "";
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = 0;
	close(fd);
	return !strncmp(buf, text, strlen(text));
}

static int is_test_device(const struct dirent *ent)
{
	return has_text(ent->d_name, "vendor", "0x1b36") &&
	       has_text(ent->d_name, "device", "0x0005");
}

/* QEMU's virtio-rng-pci with ats=on: the one kind of device that has ATS */
static int is_ats_device(const struct dirent *ent)
{
	return has_text(ent->d_name, "vendor", "0x1af4") &&
	       has_text(ent->d_name, "device", "0x1044");
}

static int find_bdf(int (*is_it)(const struct dirent *), unsigned int nth,
		    char *bdf, size_t room)
{
	struct dirent **list;
	int i, num;

	num = scandir(PCI_DEVICES, &list, is_it, alphasort);
	if (num < 0)
		return -errno;
	if (nth < (unsigned int)num)
		snprintf(bdf, room, "%s", list[nth]->d_name);
	for (i = 0; i < num; i++)
		free(list[i]);
	free(list);
	return nth < (unsigned int)num ? 0 : -ENODEV;
}

static int open_cdev(const char *bdf)
{
	char path[PATH_MAX];
	struct dirent *ent;
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	if (!write_text(path, "vfio-pci"))
		return -ENODEV;
	/* Fails if it is bound already, which is as good */
	write_text("/sys/bus/pci/drivers_probe", bdf);

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && fd < 0 && (ent = readdir(dir))) {
		if (strncmp(ent->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 ent->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	if (dir)
		closedir(dir);
	return fd;
}

static int open_bar(struct amd_device *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (ioctl(dev->cdev, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	if (pwrite(dev->cdev, &command, sizeof(command),
		   info.offset + PCI_COMMAND) != sizeof(command))
		return -EIO;
	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(dev->cdev, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	dev->bar_size = info.size;
	dev->bar = NULL;
	if (!info.size)
		return 0;
	dev->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			dev->cdev, info.offset);
	return dev->bar == MAP_FAILED ? -errno : 0;
}

static int open_bdf(struct amd_device *dev, const struct amd_guest *guest,
		    const char *bdf)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = guest->iommufd,
	};
	int rc;

	dev->cdev = open_cdev(bdf);
	if (dev->cdev < 0)
		return dev->cdev;
	rc = ioctl(dev->cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind) ? -errno :
								 open_bar(dev);
	dev->dev_id = bind.out_devid;
	if (rc)
		close(dev->cdev);
	return rc;
}

/**
 * amd_device_open - Bind a test device
 * @dev: the device
 * @guest: whose it gets
 * @nth: which of the machine's test devices, from 0
 *
 * Return: 0, -ENODEV if there is none, or another negative errno
 */
int amd_device_open(struct amd_device *dev, const struct amd_guest *guest,
		    unsigned int nth)
{
	char bdf[NAME_MAX + 1];
	int rc;

	rc = find_bdf(is_test_device, nth, bdf, sizeof(bdf));
	return rc ?: open_bdf(dev, guest, bdf);
}

/**
 * amd_device_open_ats - Bind a device that has ATS, and does no DMA
 * @dev: the device
 * @guest: whose it gets
 * @bdf: gets its address
 * @room: for that
 *
 * Return: 0, -ENODEV if there is none, or another negative errno
 */
int amd_device_open_ats(struct amd_device *dev, const struct amd_guest *guest,
			char *bdf, size_t room)
{
	int rc = find_bdf(is_ats_device, 0, bdf, room);

	return rc ?: open_bdf(dev, guest, bdf);
}

/* Detaches and unbinds, too */
void amd_device_close(struct amd_device *dev)
{
	if (dev->bar)
		munmap(dev->bar, dev->bar_size);
	close(dev->cdev);
}

int amd_device_attach(struct amd_device *dev, __u32 pt_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt_id,
	};

	return ioctl(dev->cdev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd) ? -errno :
								       0;
}

int amd_device_detach(struct amd_device *dev)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return ioctl(dev->cdev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd) ? -errno :
								       0;
}

static void write_reg(struct amd_device *dev, unsigned int reg, __u32 value)
{
	amd_store(dev->bar + reg, value);
}

static __u32 read_reg(struct amd_device *dev, unsigned int reg)
{
	return amd_load(dev->bar + reg);
}

/**
 * amd_device_dma - Let the device write AMD_DMA_VALUE
 * @dev: the device
 * @addr: DMA address, a multiple of 4
 *
 * Return: 0 if it went through, -EFAULT if the IOMMU refused it
 */
int amd_device_dma(struct amd_device *dev, __u64 addr)
{
	write_reg(dev, REG_ADDR_LO, addr);
	write_reg(dev, REG_ADDR_HI, addr >> 32);
	write_reg(dev, REG_LEN, 4);
	write_reg(dev, REG_ARM, 1);
	read_reg(dev, REG_TRIGGER);
	return read_reg(dev, REG_RESULT) == RESULT_FAULT ? -EFAULT : 0;
}
