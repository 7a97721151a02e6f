// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does what no driver may: an access of 32 bits to the VFCtrl window of the
 * hardware vIOMMU, by the DMA of a device that is not translated
 * (iommu.passthrough=1). A strict machine must not survive it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "rig.h"

#define DEVICE "/sys/bus/pci/devices/0000:00:07.0"
#define VFCTRL 0x7f10000000ULL

int main(void)
{
	struct device dev = { .name = "iommu-testdev" };
	int fd = open(DEVICE "/resource0", O_RDWR | O_CLOEXEC);

	dev.bar = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!file_write(DEVICE "/enable", "1") || dev.bar == MAP_FAILED) {
		perror("rig_violate");
		return 1;
	}
	testdev_dma(&dev, VFCTRL + 0x60, VFCTRL + 0x60);
	printf("the machine is still there\n");
	return 0;
}
