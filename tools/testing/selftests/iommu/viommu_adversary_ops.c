// SPDX-License-Identifier: GPL-2.0-only
/* What the adversary does with /dev/iommu, whatever IOMMU there is */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "viommu_adversary.h"

/* Room for the data of any driver: invalidations, nested HWPTs, vIOMMUs */
#define MAX_DATA 1024

static __u64 own_address(struct adv_thread *t)
{
	__u64 offset = (__u64)adv_draw(t, ADV_RAM_SIZE / ADV_PAGE) * ADV_PAGE;

	return adv_near(t, (uintptr_t)t->process->ram + offset);
}

static __u64 some_iova(struct adv_thread *t)
{
	/* What is mapped from the start, and as much beside it */
	__u32 pages = 2 * ADV_RAM_SIZE / ADV_PAGE;

	return adv_near(t, ADV_RAM_IOVA + adv_draw(t, pages) * ADV_PAGE);
}

static __u64 some_length(struct adv_thread *t)
{
	return adv_near(t, ADV_PAGE << adv_draw(t, 8));
}

static void op_destroy(struct adv_thread *t)
{
	/* The first ones are what all others hang on */
	static const enum adv_kind kinds[] = {
		ADV_VIOMMU, ADV_VIOMMU, ADV_VIOMMU, ADV_VDEVICE, ADV_VDEVICE,
		ADV_QUEUE, ADV_QUEUE, ADV_QUEUE, ADV_QUEUE, ADV_QUEUE,
		ADV_NESTED, ADV_NESTED, ADV_VEVENTQ, ADV_VEVENTQ, ADV_FAULT,
		ADV_HWPT,
	};
	enum adv_kind kind = kinds[adv_draw(t, ARRAY_SIZE(kinds))];
	struct iommu_destroy cmd = { .size = sizeof(cmd) };

	if (!adv_draw(t, 32))
		kind = adv_draw(t, ADV_KINDS);
	cmd.id = adv_id(t, kind);
	if (!adv_call(t, IOMMU_DESTROY, &cmd, sizeof(cmd)))
		adv_forget(t, cmd.id);
}

static void op_ioas_alloc(struct adv_thread *t)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	cmd.flags = adv_near(t, 0);
	if (!adv_call(t, IOMMU_IOAS_ALLOC, &cmd, sizeof(cmd)))
		adv_add(t, ADV_IOAS, cmd.out_ioas_id);
}

static void op_ioas_map(struct adv_thread *t)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, IOMMU_IOAS_MAP_FIXED_IOVA |
				     IOMMU_IOAS_MAP_WRITEABLE |
				     IOMMU_IOAS_MAP_READABLE),
		.ioas_id = adv_id(t, ADV_IOAS),
		.user_va = own_address(t),
		.length = some_length(t),
		.iova = some_iova(t),
	};

	adv_call(t, IOMMU_IOAS_MAP, &cmd, sizeof(cmd));
}

static void op_ioas_map_file(struct adv_thread *t)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, IOMMU_IOAS_MAP_FIXED_IOVA |
				     IOMMU_IOAS_MAP_WRITEABLE |
				     IOMMU_IOAS_MAP_READABLE),
		.ioas_id = adv_id(t, ADV_IOAS),
		.fd = adv_near(t, t->mem_fd),
		.start = adv_near(t, 0),
		.length = adv_near(t, ADV_PAGE),
		.iova = some_iova(t),
	};

	adv_call(t, IOMMU_IOAS_MAP_FILE, &cmd, sizeof(cmd));
}

static void op_ioas_unmap(struct adv_thread *t)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = adv_id(t, ADV_IOAS),
		.iova = some_iova(t),
		.length = some_length(t),
	};

	if (!adv_draw(t, 16)) {
		cmd.iova = 0;
		cmd.length = ~0ULL;
	}
	adv_call(t, IOMMU_IOAS_UNMAP, &cmd, sizeof(cmd));
}

static void op_ioas_copy(struct adv_thread *t)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, IOMMU_IOAS_MAP_FIXED_IOVA |
				     IOMMU_IOAS_MAP_READABLE),
		.dst_ioas_id = adv_id(t, ADV_IOAS),
		.src_ioas_id = adv_id(t, ADV_IOAS),
		.length = some_length(t),
		.dst_iova = some_iova(t),
		.src_iova = some_iova(t),
	};

	adv_call(t, IOMMU_IOAS_COPY, &cmd, sizeof(cmd));
}

static void op_ioas_iova_ranges(struct adv_thread *t)
{
	struct iommu_iova_range ranges[8] = {};
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = adv_id(t, ADV_IOAS),
		.num_iovas = adv_near(t, ARRAY_SIZE(ranges)),
		.allowed_iovas = adv_data(t, ranges, sizeof(ranges)),
	};

	adv_call(t, IOMMU_IOAS_IOVA_RANGES, &cmd, sizeof(cmd));
}

static void op_ioas_allow_iovas(struct adv_thread *t)
{
	struct iommu_iova_range range = {
		.start = adv_near(t, 0),
		.last = adv_near(t, 0xffffffff),
	};
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = adv_id(t, ADV_IOAS),
		.num_iovas = adv_near(t, 1),
		.allowed_iovas = adv_data(t, &range, sizeof(range)),
	};

	adv_call(t, IOMMU_IOAS_ALLOW_IOVAS, &cmd, sizeof(cmd));
}

static void op_option(struct adv_thread *t)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = adv_near(t, IOMMU_OPTION_HUGE_PAGES),
		.op = adv_near(t, adv_draw(t, 2)),
		.object_id = adv_id(t, ADV_IOAS),
		.val64 = adv_near(t, adv_draw(t, 2)),
	};

	adv_call(t, IOMMU_OPTION, &cmd, sizeof(cmd));
}

static void op_vfio_ioas(struct adv_thread *t)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = adv_id(t, ADV_IOAS),
		.op = adv_near(t, adv_draw(t, 3)),
	};

	adv_call(t, IOMMU_VFIO_IOAS, &cmd, sizeof(cmd));
}

static void op_change_process(struct adv_thread *t)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	cmd.__reserved = adv_near(t, 0);
	adv_call(t, IOMMU_IOAS_CHANGE_PROCESS, &cmd, sizeof(cmd));
}

static void op_noiommu_get_pa(struct adv_thread *t)
{
	struct iommu_ioas_noiommu_get_pa cmd = {
		.size = sizeof(cmd),
		.ioas_id = adv_id(t, ADV_IOAS),
		.iova = some_iova(t),
	};

	adv_call(t, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd, sizeof(cmd));
}

static void op_hw_info(struct adv_thread *t)
{
	char data[64] = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, 0),
		.dev_id = adv_id(t, ADV_DEVICE),
		.data_len = adv_near(t, sizeof(data)),
		.data_uptr = adv_data(t, data, sizeof(data)),
	};

	adv_call(t, IOMMU_GET_HW_INFO, &cmd, sizeof(cmd));
}

static void op_hwpt_alloc(struct adv_thread *t)
{
	static const __u32 flags[] = {
		0, IOMMU_HWPT_ALLOC_NEST_PARENT, IOMMU_HWPT_ALLOC_NEST_PARENT,
		IOMMU_HWPT_ALLOC_DIRTY_TRACKING, IOMMU_HWPT_FAULT_ID_VALID,
		IOMMU_HWPT_ALLOC_PASID,
		IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, flags[adv_draw(t, ARRAY_SIZE(flags))]),
		.dev_id = adv_id(t, ADV_DEVICE),
		.pt_id = adv_id(t, ADV_IOAS),
		.fault_id = adv_id(t, ADV_FAULT),
	};

	if (!adv_call(t, IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd)))
		adv_add(t, ADV_HWPT, cmd.out_hwpt_id);
}

static void op_nested_alloc(struct adv_thread *t)
{
	char data[MAX_DATA] = {};
	size_t size = adv_driver->hwpt_data(t, data);
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, adv_draw(t, 8) ? 0 :
				     IOMMU_HWPT_FAULT_ID_VALID),
		.dev_id = adv_id(t, ADV_DEVICE),
		.pt_id = adv_id(t, adv_draw(t, 8) ? ADV_VIOMMU : ADV_HWPT),
		.data_type = adv_pick(t, &adv_driver->hwpt_types),
		.data_len = adv_near(t, size),
		.data_uptr = adv_data(t, data, sizeof(data)),
		.fault_id = adv_id(t, ADV_FAULT),
	};

	if (!adv_call(t, IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd)))
		adv_add(t, ADV_NESTED, cmd.out_hwpt_id);
}

static void op_set_dirty(struct adv_thread *t)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, adv_draw(t, 2)),
		.hwpt_id = adv_id(t, ADV_HWPT),
	};

	adv_call(t, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd, sizeof(cmd));
}

static void op_get_dirty(struct adv_thread *t)
{
	__u64 bitmap[8] = {};
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = adv_id(t, ADV_HWPT),
		.flags = adv_near(t, adv_draw(t, 2)),
		.iova = some_iova(t),
		.length = some_length(t),
		.page_size = adv_near(t, ADV_PAGE),
		.data = adv_data(t, bitmap, sizeof(bitmap)),
	};

	adv_call(t, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd, sizeof(cmd));
}

static void op_invalidate(struct adv_thread *t)
{
	size_t len = adv_driver->inv_len;
	__u32 num = 1 + adv_draw(t, 8), i;
	char data[MAX_DATA] = {};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = adv_id(t, adv_draw(t, 4) ? ADV_VIOMMU : ADV_NESTED),
		.data_type = adv_pick(t, &adv_driver->inv_types),
		.entry_len = adv_near(t, len),
		.entry_num = adv_near(t, num),
	};

	for (i = 0; i < num; i++)
		adv_driver->inv_data(t, data + i * len);
	cmd.data_uptr = adv_data(t, data, sizeof(data));
	adv_call(t, IOMMU_HWPT_INVALIDATE, &cmd, sizeof(cmd));
}

static void op_fault_alloc(struct adv_thread *t)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };

	cmd.flags = adv_near(t, 0);
	if (adv_call(t, IOMMU_FAULT_QUEUE_ALLOC, &cmd, sizeof(cmd)))
		return;
	adv_add(t, ADV_FAULT, cmd.out_fault_id);
	adv_add_file(t, cmd.out_fault_fd);
}

static void op_viommu_alloc(struct adv_thread *t)
{
	bool data = adv_draw(t, 4);
	char buf[MAX_DATA] = {};
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, 0),
		.type = adv_pick(t, &adv_driver->viommu_types),
		.dev_id = adv_id(t, ADV_DEVICE),
		.hwpt_id = adv_id(t, ADV_HWPT),
	};
	__u64 offset;

	if (data) {
		cmd.data_len = adv_near(t, adv_driver->viommu_data);
		cmd.data_uptr = adv_data(t, buf, adv_driver->viommu_data);
	}
	if (adv_call(t, IOMMU_VIOMMU_ALLOC, &cmd, sizeof(cmd)))
		return;
	adv_add(t, ADV_VIOMMU, cmd.out_viommu_id);
	if (!data)
		return;
	adv_data_back(t, buf, adv_driver->viommu_data);
	memcpy(&offset, buf + adv_driver->offset_at, sizeof(offset));
	t->ctx->pool->offset[adv_draw(t, ADV_SLOTS)] = offset;
}

static void op_vdevice_alloc(struct adv_thread *t)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = adv_id(t, ADV_VIOMMU),
		.dev_id = adv_id(t, ADV_DEVICE),
		.virt_id = adv_near(t, adv_draw(t, 4)),
	};

	if (!adv_call(t, IOMMU_VDEVICE_ALLOC, &cmd, sizeof(cmd)))
		adv_add(t, ADV_VDEVICE, cmd.out_vdevice_id);
}

static void op_veventq_alloc(struct adv_thread *t)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.flags = adv_near(t, 0),
		.viommu_id = adv_id(t, ADV_VIOMMU),
		.type = adv_pick(t, &adv_driver->veventq_types),
		.veventq_depth = adv_near(t, 4),
	};

	if (adv_call(t, IOMMU_VEVENTQ_ALLOC, &cmd, sizeof(cmd)))
		return;
	adv_add(t, ADV_VEVENTQ, cmd.out_veventq_id);
	adv_add_file(t, cmd.out_veventq_fd);
}

/*
 * Length and address that any ring may have, and an index that there is. Where
 * one queue depends on another, several attempts at the same vIOMMU matter.
 */
static void op_hw_queue_alloc(struct adv_thread *t)
{
	__u32 viommu = adv_id(t, ADV_VIOMMU);
	__u32 type = adv_pick(t, &adv_driver->queue_types);
	unsigned int i, num = 1 + adv_draw(t, 4);

	for (i = 0; i < num; i++) {
		__u64 length = ADV_PAGE << (adv_draw(t, 4) ? 0 :
					    adv_draw(t, 8));
		__u64 room = ADV_RAM_SIZE / length;
		struct iommu_hw_queue_alloc cmd = {
			.size = sizeof(cmd),
			.flags = adv_near(t, 0),
			.viommu_id = viommu,
			.type = type,
			.index = adv_near(t, adv_draw(t, 2)),
			.length = adv_near(t, length),
			.nesting_parent_iova =
				adv_near(t, ADV_RAM_IOVA +
					    length * adv_draw(t, room)),
		};

		if (!adv_call(t, IOMMU_HW_QUEUE_ALLOC, &cmd, sizeof(cmd)))
			adv_add(t, ADV_QUEUE, cmd.out_hw_queue_id);
	}
}

static void op_command(struct adv_thread *t)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = adv_id(t, ADV_VIOMMU),
		.op = adv_near(t, adv_draw(t, 2) ? IOMMU_VIOMMU_COMMAND_OP_GET :
						  IOMMU_VIOMMU_COMMAND_OP_SET),
		.index = adv_pick(t, &adv_driver->indices),
		.val64 = adv_near(t, adv_draw(t, 2) ? adv_draw(t, 0x20000) :
						     adv_random(t)),
	};

	adv_call(t, IOMMU_VIOMMU_COMMAND, &cmd, sizeof(cmd));
}

/* Any number, any content: also those of VFIO's type 1 that iommufd knows */
static void op_garbage(struct adv_thread *t)
{
	__u32 nr = adv_draw(t, 2) ? 0x80 + adv_draw(t, 0x18) :
				    100 + adv_draw(t, 28);
	__u32 arg[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = adv_draw(t, 2) ? adv_draw(t, 16) : adv_random(t);
	arg[0] = adv_near(t, 8 * (1 + adv_draw(t, 8)));
	adv_call(t, (IOMMU_DESTROY & ~0xffUL) | nr, arg, sizeof(arg));
}

const struct adv_op adv_generic_ops[] = {
	{ "destroy", op_destroy, 40 },
	{ "ioas_alloc", op_ioas_alloc, 2 },
	{ "ioas_map", op_ioas_map, 16 },
	{ "ioas_map_file", op_ioas_map_file, 4 },
	{ "ioas_unmap", op_ioas_unmap, 6 },
	{ "ioas_copy", op_ioas_copy, 4 },
	{ "ioas_iova_ranges", op_ioas_iova_ranges, 2 },
	{ "ioas_allow_iovas", op_ioas_allow_iovas, 1, ADV_OP_RARE },
	{ "option", op_option, 1 },
	{ "vfio_ioas", op_vfio_ioas, 1 },
	{ "change_process", op_change_process, 1, ADV_OP_RARE },
	/* Only where there is no IOMMU */
	{ "noiommu_get_pa", op_noiommu_get_pa, 1, ADV_OP_RARE },
	{ "get_hw_info", op_hw_info, 4 },
	{ "hwpt_alloc", op_hwpt_alloc, 10 },
	{ "nested_alloc", op_nested_alloc, 14 },
	{ "set_dirty", op_set_dirty, 3 },
	{ "get_dirty", op_get_dirty, 3 },
	{ "invalidate", op_invalidate, 16 },
	{ "fault_queue_alloc", op_fault_alloc, 3 },
	{ "viommu_alloc", op_viommu_alloc, 40 },
	{ "vdevice_alloc", op_vdevice_alloc, 16 },
	{ "veventq_alloc", op_veventq_alloc, 10 },
	{ "hw_queue_alloc", op_hw_queue_alloc, 20 },
	{ "viommu_command", op_command, 30 },
	{ "garbage", op_garbage, 6, ADV_OP_RARE },
};

const unsigned int adv_num_generic_ops = ARRAY_SIZE(adv_generic_ops);

/* What faults of a device need to get to a VMM, as long as nobody is faster */
void adv_nest(struct adv_thread *t)
{
	op_vdevice_alloc(t);
	op_veventq_alloc(t);
	op_nested_alloc(t);
}

/* Something for all others to work with, by good memory and without failures */
bool adv_first_objects(struct adv_thread *t)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.user_va = (uintptr_t)t->process->ram,
		.length = ADV_RAM_SIZE,
		.iova = ADV_RAM_IOVA,
	};
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
	};
	bool calm = t->calm, ok = false;

	t->calm = true;
	op_ioas_alloc(t);
	map.ioas_id = adv_id(t, ADV_IOAS);
	if (adv_call(t, IOMMU_IOAS_MAP, &map, sizeof(map)) ||
	    !adv_driver->devices(t))
		goto out;
	hwpt.dev_id = adv_id(t, ADV_DEVICE);
	hwpt.pt_id = map.ioas_id;
	if (adv_call(t, IOMMU_HWPT_ALLOC, &hwpt, sizeof(hwpt)))
		goto out;
	adv_add(t, ADV_HWPT, hwpt.out_hwpt_id);
	op_viommu_alloc(t);
	ok = adv_id(t, ADV_VIOMMU);
out:
	t->calm = calm;
	return ok;
}
