// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least that a VMM does for a vIOMMU: find out whether the kernel can, make
 * the objects, give the hardware a queue, command it, and take all down again.
 *
 * It runs on the mock IOMMU of CONFIG_IOMMUFD_TEST. Names with TEST or SELFTEST
 * in them stand for those of a vIOMMU type of real hardware.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../../../../drivers/iommu/iommufd/iommufd_test.h"

#define RAM_SIZE 0x100000UL
#define RAM_BASE MOCK_APERTURE_START
#define EXIT_SKIP 4

static int iommufd;

/* ENOTTY tells an older kernel. This one complains about the ID, 0 is none. */
static bool kernel_has_commands(void)
{
	struct iommu_viommu_command probe = { .size = sizeof(probe) };

	return ioctl(iommufd, IOMMU_VIOMMU_COMMAND, &probe) && errno == ENOENT;
}

/* For calls that only fail if the machine or this program has a fault */
static void call(unsigned long request, void *cmd, const char *what)
{
	if (ioctl(iommufd, request, cmd))
		err(1, "%s", what);
}

static __u32 alloc_ram(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.length = RAM_SIZE,
		.iova = RAM_BASE, /* Its guest physical address */
	};
	void *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		err(1, "RAM of the guest");
	call(IOMMU_IOAS_ALLOC, &ioas, "IOMMU_IOAS_ALLOC");
	map.ioas_id = ioas.out_ioas_id;
	map.user_va = (uintptr_t)ram;
	call(IOMMU_IOAS_MAP, &map, "IOMMU_IOAS_MAP");
	return ioas.out_ioas_id;
}

/* A VMM has its device from VFIO_DEVICE_BIND_IOMMUFD instead */
static __u32 bind_device(__u32 ioas_id)
{
	struct iommu_test_cmd mock = {
		.size = sizeof(mock),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas_id,
	};

	call(IOMMU_TEST_CMD, &mock, "a mock device");
	return mock.mock_domain.out_idev_id;
}

static __u32 alloc_viommu(__u32 ioas_id, __u32 dev_id)
{
	/* Translates guest physical addresses, of devices and of queues */
	struct iommu_hwpt_alloc parent = {
		.size = sizeof(parent),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = dev_id,
		.pt_id = ioas_id,
	};
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
		.dev_id = dev_id,
	};

	call(IOMMU_HWPT_ALLOC, &parent, "nest parent");
	viommu.hwpt_id = parent.out_hwpt_id;
	call(IOMMU_VIOMMU_ALLOC, &viommu, "IOMMU_VIOMMU_ALLOC");
	return viommu.out_viommu_id;
}

/*
 * The guest wrote address and size of its ring to registers that trap. So, an
 * error is not one of the VMM: it goes to the guest, as the hardware has it.
 */
static int alloc_queue(__u32 viommu_id, __u64 base, __u64 length, __u32 *id)
{
	struct iommu_hw_queue_alloc queue = {
		.size = sizeof(queue),
		.viommu_id = viommu_id,
		.type = IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA,
		.index = 0,
		.nesting_parent_iova = base,
		.length = length,
	};

	if (ioctl(iommufd, IOMMU_HW_QUEUE_ALLOC, &queue))
		return -errno;
	*id = queue.out_hw_queue_id;
	return 0;
}

static __u64 command(__u32 viommu_id, __u16 op, __u16 index, __u64 val64)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = viommu_id,
		.op = op,
		.index = index,
		.val64 = val64,
	};

	call(IOMMU_VIOMMU_COMMAND, &cmd, "IOMMU_VIOMMU_COMMAND");
	return cmd.val64;
}

static void destroy(__u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	call(IOMMU_DESTROY, &cmd, "IOMMU_DESTROY");
}

int main(void)
{
	const __u64 enable = 1 << IOMMU_TEST_QUEUE_IOVA;
	__u32 ioas_id, viommu_id, queue_id = 0;

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		err(EXIT_SKIP, "/dev/iommu");
	if (!kernel_has_commands())
		errx(EXIT_SKIP, "the VMM has to trap and emulate the queues");

	ioas_id = alloc_ram();
	viommu_id = alloc_viommu(ioas_id, bind_device(ioas_id));
	if (alloc_queue(viommu_id, RAM_BASE, RAM_SIZE / 16, &queue_id))
		errx(1, "the guest would now see a queue that does not run");

	command(viommu_id, IOMMU_VIOMMU_COMMAND_OP_SET,
		IOMMU_TEST_VIOMMU_CMD_ENABLE, enable);
	printf("enabled queues: 0x%llx\n",
	       command(viommu_id, IOMMU_VIOMMU_COMMAND_OP_GET,
		       IOMMU_TEST_VIOMMU_CMD_ENABLE, 0));

	/* First what uses, then what is used. close() does it in this order. */
	destroy(queue_id);
	destroy(viommu_id);
	return 0;
}
