// SPDX-License-Identifier: GPL-2.0-only
/* The IOMMUs that a guest can have; a new one is an entry here */
#include <string.h>

#include "level1.h"

/* The guest translates its DMA, and each unmap is flushed at once */
#define STRICT "iommu.strict=1 iommu.passthrough=0"

/* Nested translation has tables of this format for its first stage */
#define V2_TABLES " amd_iommu=pgtbl_v2"
#define HAS_V2_TABLES " && dmesg | grep -q 'AMD-Vi: V2 page table enabled'"

/* The disk's DMA goes through page tables of the guest */
#define DISK_IS_TRANSLATED \
	"grep -qx DMA /sys/class/nvme/nvme0/device/iommu_group/type"

static const struct mode modes[] = {
	{
		.name = "none",
		.machine = "q35",
		.devices = "",
		.append = "",
		.check = "test -z \"$(ls /sys/class/iommu)\"",
	}, {
		/*
		 * As QEMU has it: the guest's page tables are read by the VMM,
		 * which maps what it finds there for the device.
		 */
		.name = "emulated",
		.machine = "q35,kernel-irqchip=split",
		.devices = "-device amd-iommu,dma-remap=on",
		.append = STRICT,
		.check = DISK_IS_TRANSLATED,
		.needs = "dma-remap",
	}, {
		/*
		 * The host's IOMMU walks the guest's page tables. This one has
		 * a VMM between the guest's commands and the host,
		 */
		.name = "trapped",
		.machine = "q35,kernel-irqchip=split",
		.devices = "-device amd-iommu,accel=on,hw-queues=off",
		.append = STRICT V2_TABLES,
		.check = DISK_IS_TRANSLATED HAS_V2_TABLES,
		.needs = "accel",
	}, {
		/* and here it is the hardware that executes them */
		.name = "accel",
		.machine = "q35,kernel-irqchip=split",
		.devices = "-device amd-iommu,accel=on,hw-queues=on",
		.append = STRICT V2_TABLES,
		.check = DISK_IS_TRANSLATED HAS_V2_TABLES,
		.needs = "accel",
		.rings = true,
	},
};

const struct mode *find_mode(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return &modes[i];
	return NULL;
}
