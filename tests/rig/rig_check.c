// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does an unmodified kernel run on the machine as it would on hardware?
 *
 *   rig_check host    a host-grade IOMMU: interrupts are remapped, VFIO binds,
 *                     a nesting parent can be had
 *   rig_check plain   QEMU's amd-iommu without the new properties: nothing of
 *                     that, as ever
 *
 * Both move data by DMA of real (emulated) devices and see that it stops after
 * an unmap. The output is KTAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>

#include "rig.h"

#define IOVA 0x10000000ULL
#define TESTDEV_VALUE 0x12345678U
#define UNSAFE "/sys/module/iommufd/parameters/allow_unsafe_interrupts"
#define FEATURES "/sys/class/iommu/ivhd0/amd-iommu/features"

/* What amd-iommu of QEMU 11.1 always said of itself */
#define PLAIN_FEATURES 0x29d3ULL

static bool host;
static int iommufd;
static uint32_t ioas;

/* One page that devices write to, and where it is in physical memory */
static struct page {
	volatile uint32_t *va;
	uint64_t pa;
} first, second;

static void check_features(void)
{
	uint64_t efr = strtoull(file_text(FEATURES), NULL, 16);

	if (host)
		result(efr >> 48 & 1 && efr >> 4 & 1,
		       "the features have GIOSup: EFR is 0x%llx",
		       (unsigned long long)efr);
	else
		result(efr == PLAIN_FEATURES,
		       "the features are the old ones: EFR is 0x%llx",
		       (unsigned long long)efr);
}

static void check_interrupts(void)
{
	bool on = kernel_said("AMD-Vi: Interrupt remapping enabled");
	bool none = kernel_said("No southbridge IOAPIC found");

	if (host)
		result(on && !none,
		       "interrupt remapping is on: %d, no southbridge %d", on,
		       none);
	else
		result(!on && none,
		       "interrupt remapping is off: %d, no southbridge %d", on,
		       none);
}

/* The kernel binds a device only if no device can fake its interrupts */
static void check_bind(struct device *dev)
{
	const char *unsafe = file_text(UNSAFE);
	int err = device_bind(dev, iommufd);

	if (host) {
		result(!err && *unsafe == 'N', "%s binds, no unsafe interrupts",
		       dev->name);
		return;
	}
	result(err == EPERM, "%s does not bind by itself", dev->name);
	file_write(UNSAFE, "Y");
	err = device_bind(dev, iommufd);
	file_write(UNSAFE, "N");
	result(!err, "%s binds with unsafe interrupts", dev->name);
}

static void check_nest_parent(struct device *dev)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = dev->id,
		.pt_id = ioas,
	};
	int err = ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd) ? errno : 0;

	if (!host) {
		result(err == EOPNOTSUPP, "%s has no nesting parent: errno %d",
		       dev->name, err);
		result(!device_attach(dev, ioas), "%s attaches to the IOAS",
		       dev->name);
		return;
	}
	result(!err, "%s gets a nesting parent: errno %d", dev->name, err);
	result(!device_attach(dev, cmd.out_hwpt_id),
	       "%s attaches to the nesting parent", dev->name);
}

static int map(uint64_t iova, struct page *page)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)page->va,
		.length = PAGE,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &cmd);
}

static int unmap(uint64_t iova)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = PAGE,
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd);
}

/* The device checks itself that its write got to that physical address */
static void check_testdev_dma(struct device *dev)
{
	uint32_t got;

	result(!map(IOVA, &first), "a page is mapped");
	*first.va = 0;
	got = testdev_dma(dev, IOVA, first.pa);
	result(!got && *first.va == TESTDEV_VALUE,
	       "%s writes to it: result 0x%x, memory 0x%x", dev->name, got,
	       *first.va);

	*first.va = 0;
	result(!unmap(IOVA), "it is unmapped");
	got = testdev_dma(dev, IOVA, first.pa);
	result(got == TESTDEV_FAILED && !*first.va,
	       "%s does not get there any more: result 0x%x", dev->name, got);

	*second.va = 0;
	result(!map(IOVA, &second), "another page is mapped in its place");
	got = testdev_dma(dev, IOVA, second.pa);
	result(!got && *second.va == TESTDEV_VALUE && !*first.va,
	       "%s writes to that one: result 0x%x", dev->name, got);
	unmap(IOVA);
}

/* From memory into the device, and from there to another address */
static void check_edu_dma(struct device *dev)
{
	result(!map(IOVA, &first) && !map(IOVA + PAGE, &second),
	       "two pages are mapped");
	*first.va = 0xcafe;
	*second.va = 0;
	edu_dma(dev, IOVA, EDU_READ);
	edu_dma(dev, IOVA + PAGE, EDU_WRITE);
	result(*second.va == 0xcafe, "%s copies one to the other: 0x%x",
	       dev->name, *second.va);

	result(!unmap(IOVA + PAGE), "the second is unmapped");
	*second.va = 0;
	edu_dma(dev, IOVA + PAGE, EDU_WRITE);
	result(!*second.va, "%s does not get there any more", dev->name);
	unmap(IOVA);
}

static bool make_page(struct page *page)
{
	page->va = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page->va == MAP_FAILED || mlock((void *)page->va, PAGE))
		return false;
	*page->va = 0;
	page->pa = physical(page->va);
	return page->pa;
}

static bool open_all(void)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0 || ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd))
		return false;
	ioas = cmd.out_ioas_id;
	return make_page(&first) && make_page(&second);
}

int main(int argc, char **argv)
{
	struct device edu = { .name = "edu", .bdf = "0000:00:04.0" };
	struct device testdev = { .name = "iommu-testdev",
				  .bdf = "0000:00:06.0" };

	host = argc == 2 && !strcmp(argv[1], "host");
	if (argc != 2 || (!host && strcmp(argv[1], "plain"))) {
		fprintf(stderr, "usage: rig_check host|plain\n");
		return 1;
	}
	printf("KTAP version 1\n");
	check_features();
	check_interrupts();
	result(open_all(), "an IOAS and memory are there");
	check_bind(&edu);
	check_bind(&testdev);
	check_nest_parent(&edu);
	check_nest_parent(&testdev);
	check_testdev_dma(&testdev);
	check_edu_dma(&edu);
	return results_end();
}
