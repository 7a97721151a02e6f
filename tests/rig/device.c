// SPDX-License-Identifier: GPL-2.0-only
/* PCI devices behind VFIO, and the two kinds that DMA on command */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "rig.h"

#define SYSFS "/sys/bus/pci/devices/"

/* BAR 0 of iommu-testdev, 32-bit registers */
enum {
	TESTDEV_TRIGGER = 0x00,
	TESTDEV_IOVA_LO = 0x04,
	TESTDEV_IOVA_HI = 0x08,
	TESTDEV_LEN = 0x0c,
	TESTDEV_RESULT = 0x10,
	TESTDEV_ARM = 0x14,
	TESTDEV_PA_LO = 0x1c,
	TESTDEV_PA_HI = 0x20,
};

/* BAR 0 of edu; its own memory is at 0x40000 in its DMA address space */
enum {
	EDU_SRC = 0x80,
	EDU_DST = 0x88,
	EDU_LEN = 0x90,
	EDU_COMMAND = 0x98,
	EDU_BUFFER = 0x40000,
	EDU_RUN = 1,
	EDU_TO_MEMORY = 2,
};

static int open_cdev(const char *bdf)
{
	char path[512];
	struct dirent *ent;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS "%s/driver_override", bdf);
	if (!file_write(path, "vfio-pci"))
		return -1;
	/* Fails if it is bound already, which is as good */
	file_write("/sys/bus/pci/drivers_probe", bdf);
	snprintf(path, sizeof(path), SYSFS "%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && fd < 0 && (ent = readdir(dir))) {
		if (strncmp(ent->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 ent->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* BAR 0 into this process, and the device may be bus master */
static int open_bar(struct device *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info) ||
	    pwrite(dev->fd, &command, sizeof(command),
		   info.offset + PCI_COMMAND) != sizeof(command))
		return errno;
	info.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return errno;
	dev->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			dev->fd, info.offset);
	return dev->bar == MAP_FAILED ? errno : 0;
}

int device_bind(struct device *dev, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	int err;

	dev->fd = open_cdev(dev->bdf);
	if (dev->fd < 0)
		return ENODEV;
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		err = errno;
		close(dev->fd);
		return err;
	}
	dev->id = bind.out_devid;
	return open_bar(dev);
}

int device_attach(struct device *dev, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt,
	};

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) ?
	       errno : 0;
}

static void write32(struct device *dev, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(dev->bar + reg) = value;
}

static uint32_t read32(struct device *dev, unsigned int reg)
{
	return *(volatile uint32_t *)(dev->bar + reg);
}

static void write64(struct device *dev, unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(dev->bar + reg) = value;
}

/* Four bytes to @iova; 0 if they are found at @pa afterwards */
uint32_t testdev_dma(struct device *dev, uint64_t iova, uint64_t pa)
{
	write32(dev, TESTDEV_IOVA_LO, iova);
	write32(dev, TESTDEV_IOVA_HI, iova >> 32);
	write32(dev, TESTDEV_PA_LO, pa);
	write32(dev, TESTDEV_PA_HI, pa >> 32);
	write32(dev, TESTDEV_LEN, 4);
	write32(dev, TESTDEV_ARM, 1);
	read32(dev, TESTDEV_TRIGGER);
	return read32(dev, TESTDEV_RESULT);
}

/* Four bytes between @iova and the start of the device's memory */
void edu_dma(struct device *dev, uint64_t iova, enum edu_direction direction)
{
	bool write = direction == EDU_WRITE;

	write64(dev, EDU_SRC, write ? EDU_BUFFER : iova);
	write64(dev, EDU_DST, write ? iova : EDU_BUFFER);
	write64(dev, EDU_LEN, 4);
	write64(dev, EDU_COMMAND, EDU_RUN | (write ? EDU_TO_MEMORY : 0));
	/* It takes a tenth of a second */
	while (*(volatile uint64_t *)(dev->bar + EDU_COMMAND) & EDU_RUN)
		usleep(10 * 1000);
}
