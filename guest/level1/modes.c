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

/* Its driver is a module, and the one of the disk waits for it */
#define WAIT_DISK "for i in $(seq 100); do " \
	"[ -e /sys/class/nvme/nvme0 ] && break; sleep 0.1; done; "

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
		.devices = "-device amd-iommu,id=iommu,dma-remap=on",
		.append = STRICT,
		.check = DISK_IS_TRANSLATED,
		.needs = "dma-remap",
		.traps = 2,
	}, {
		/*
		 * Made for virtual machines, and the guest asks for each map
		 * as well. A request may find the VMM at work on the one
		 * before it, and then need not trap.
		 */
		.name = "virtio",
		.machine = "q35",
		.devices = "-device virtio-iommu-pci",
		.append = STRICT,
		.check = WAIT_DISK DISK_IS_TRANSLATED,
		.traps = 1,
	}, {
		/*
		 * The host's IOMMU walks the guest's page tables. This one has
		 * a VMM between the guest's commands and the host,
		 */
		.name = "trapped",
		.machine = "q35,kernel-irqchip=split",
		.devices = "-device amd-iommu,id=iommu,accel=on,hw-queues=off",
		.append = STRICT V2_TABLES,
		.check = DISK_IS_TRANSLATED HAS_V2_TABLES,
		.needs = "accel",
		.traps = 2,
	}, {
		/* and here it is the hardware that executes them */
		.name = "accel",
		.machine = "q35,kernel-irqchip=split",
		.devices = "-device amd-iommu,id=iommu,accel=on,hw-queues=on",
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
