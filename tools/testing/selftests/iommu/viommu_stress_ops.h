/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of viommu_stress
 *
 * Each takes an ID from the world that all threads share. By the time it is
 * used, the object may be gone, or the ID may name another one, because the
 * kernel gives out the lowest ID that is free. The table at the end says which
 * errors that explains.
 */
#ifndef __SELFTEST_IOMMU_VIOMMU_STRESS_OPS
#define __SELFTEST_IOMMU_VIOMMU_STRESS_OPS

#include <stdatomic.h>
#include <sys/wait.h>

#include "viommu_utils.h"

#define NUM_DEVICES 2
/* Behind the RAM that is always mapped */
#define RING_IOVA (VIOMMU_RAM_IOVA + VIOMMU_RAM_SIZE)
#define IN_DATA 0xbeef
/* In the page of a vIOMMU whose allocation fails: nobody may ever see it */
#define UNFINISHED 0xdead
/* An operation that found nothing to work on; not counted */
#define NOTHING 1

/*
 * The first two are crowded: queues, devices and events keep them in use. The
 * others are only used for as long as an ioctl takes, so that destroying them
 * mostly succeeds, under that ioctl.
 */
enum { CROWDED_IOVA, CROWDED_PHYS, LONE_IOVA, LONE_PHYS, NUM_VIOMMUS };

static const struct queue_kind {
	unsigned int viommu;
	__u32 type;
	__u32 index;
} queue_kinds[] = {
	{ CROWDED_IOVA, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0 },
	{ CROWDED_IOVA, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 1 },
	{ CROWDED_IOVA, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG, 0 },
	{ CROWDED_PHYS, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0 },
	{ CROWDED_PHYS, IOMMU_HW_QUEUE_TYPE_SELFTEST, 1 },
};

#define NUM_QUEUES ARRAY_SIZE(queue_kinds)

/* IDs of objects that come and go, 0 if there is none */
static struct world {
	int fd;
	struct viommu_objs objs;
	atomic_uint viommu[NUM_VIOMMUS];
	atomic_ullong mmap_offset[NUM_VIOMMUS];
	atomic_uint queue[NUM_QUEUES];
	atomic_uint stdev[NUM_DEVICES];
	atomic_uint device[NUM_DEVICES];
	atomic_uint vdev[NUM_DEVICES];
	atomic_uint nested[NUM_DEVICES];
	atomic_uint veventq[2];
	atomic_int event_fd[2];
	atomic_uint max_id;
	atomic_uint rounds;
	atomic_bool closed;
} world;

/* xorshift64*: the choice of one thread depends on nothing but its seed */
static __u32 draw(__u64 *state, __u32 below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL >> 32) % below;
}

static int result(int rc)
{
	return rc ? -errno : 0;
}

/* Give a new object its place, or destroy it if another thread was quicker */
static void publish(atomic_uint *slot, __u32 id)
{
	__u32 max = world.max_id, none = 0;

	while (id > max && !atomic_compare_exchange_weak(&world.max_id, &max,
							 id))
		;
	if (!atomic_compare_exchange_strong(slot, &none, id))
		_test_ioctl_destroy(world.fd, id);
}

static int destroy_slot(atomic_uint *slot)
{
	__u32 id = *slot;
	int rc;

	if (!id)
		return NOTHING;
	rc = result(_test_ioctl_destroy(world.fd, id));
	if (!rc || rc == -ENOENT)
		atomic_compare_exchange_strong(slot, &id, 0);
	return rc;
}

static int command(unsigned int viommu, __u16 op, __u16 index, __u64 *val)
{
	__u32 id = world.viommu[viommu];

	if (!id)
		return NOTHING;
	return result(_test_cmd_viommu_command(world.fd, id, op, index, val));
}

static int set(unsigned int viommu, __u16 index, __u64 val)
{
	return command(viommu, IOMMU_VIOMMU_COMMAND_OP_SET, index, &val);
}

static int get(unsigned int viommu, __u16 index, __u64 *val)
{
	return command(viommu, IOMMU_VIOMMU_COMMAND_OP_GET, index, val);
}

static int op_get(__u64 *rnd)
{
	__u64 val = 0;
	int rc;

	rc = get(draw(rnd, NUM_VIOMMUS), IOMMU_TEST_VIOMMU_CMD_VERSION, &val);
	if (!rc && val != IOMMU_TEST_VIOMMU_VERSION)
		return -EBADMSG;
	return rc;
}

static int op_set(__u64 *rnd)
{
	return set(draw(rnd, NUM_VIOMMUS), IOMMU_TEST_VIOMMU_CMD_SCRATCH,
		   draw(rnd, 2));
}

static int op_sum(__u64 *rnd)
{
	return set(draw(rnd, NUM_VIOMMUS), IOMMU_TEST_VIOMMU_CMD_SUM, 1);
}

static int op_reset(__u64 *rnd)
{
	return set(draw(rnd, NUM_VIOMMUS), IOMMU_TEST_VIOMMU_CMD_RESET, 0);
}

static int op_enable(__u64 *rnd)
{
	unsigned int viommu = draw(rnd, CROWDED_PHYS + 1);
	__u64 queues = 0;
	int rc;

	/* One of them may be gone before the SET */
	rc = get(viommu, IOMMU_TEST_VIOMMU_CMD_QUEUES, &queues);
	if (rc)
		return rc;
	return set(viommu, IOMMU_TEST_VIOMMU_CMD_ENABLE, queues);
}

static int op_doorbell(__u64 *rnd)
{
	return set(CROWDED_IOVA, IOMMU_TEST_VIOMMU_CMD_DOORBELL,
		   IOMMU_TEST_QUEUE_IOVA + draw(rnd, 2));
}

static int op_viommu_alloc(__u64 *rnd)
{
	struct iommu_viommu_selftest data = { .in_data = IN_DATA };
	unsigned int i = draw(rnd, NUM_VIOMMUS);
	__u32 type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, id;

	if (world.viommu[i])
		return NOTHING;
	if (i == CROWDED_PHYS || i == LONE_PHYS)
		type = IOMMU_VIOMMU_TYPE_SELFTEST;
	if (_test_cmd_viommu_alloc(world.fd, world.objs.device_id,
				   world.objs.hwpt_id, 0, type, &data,
				   sizeof(data), &id))
		return -errno;
	world.mmap_offset[i] = data.out_mmap_offset;
	publish(&world.viommu[i], id);
	return 0;
}

static int op_viommu_destroy(__u64 *rnd)
{
	return destroy_slot(&world.viommu[draw(rnd, NUM_VIOMMUS)]);
}

static int queue_alloc(unsigned int i)
{
	const struct queue_kind *kind = &queue_kinds[i];
	__u32 viommu = world.viommu[kind->viommu], id;

	if (!viommu)
		return NOTHING;
	if (_test_cmd_hw_queue_alloc(world.fd, viommu, kind->type, kind->index,
				     RING_IOVA, PAGE_SIZE, &id))
		return -errno;
	publish(&world.queue[i], id);
	return 0;
}

static int op_phys_queue_alloc(__u64 *rnd)
{
	return queue_alloc(3 + draw(rnd, 2));
}

static int op_iova_queue_alloc(__u64 *rnd)
{
	return queue_alloc(draw(rnd, 3));
}

static int op_queue_destroy(__u64 *rnd)
{
	return destroy_slot(&world.queue[draw(rnd, NUM_QUEUES)]);
}

static __u64 virt_id(unsigned int device)
{
	return 0x10 + device;
}

static int op_vdevice_alloc(__u64 *rnd)
{
	unsigned int i = draw(rnd, NUM_DEVICES);
	__u32 viommu = world.viommu[i], device = world.device[i], id;

	if (!viommu || !device)
		return NOTHING;
	if (_test_cmd_vdevice_alloc(world.fd, viommu, device, virt_id(i), &id))
		return -errno;
	publish(&world.vdev[i], id);
	return 0;
}

static int op_vdevice_destroy(__u64 *rnd)
{
	return destroy_slot(&world.vdev[draw(rnd, NUM_DEVICES)]);
}

static int op_device_alloc(__u64 *rnd)
{
	unsigned int i = draw(rnd, NUM_DEVICES);
	__u32 stdev, device;

	if (world.stdev[i])
		return NOTHING;
	if (_test_cmd_mock_domain(world.fd, world.objs.ioas_id, &stdev, NULL,
				  &device))
		return -errno;
	world.device[i] = device;
	publish(&world.stdev[i], stdev);
	return 0;
}

/* Takes a vDEVICE of the device with it */
static int op_device_destroy(__u64 *rnd)
{
	return destroy_slot(&world.stdev[draw(rnd, NUM_DEVICES)]);
}

static int op_nested_alloc(__u64 *rnd)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	unsigned int i = draw(rnd, NUM_DEVICES);
	__u32 viommu = world.viommu[i], id;

	if (!viommu || world.nested[i])
		return NOTHING;
	if (_test_cmd_hwpt_alloc(world.fd, world.objs.device_id, viommu, 0, 0,
				 &id, IOMMU_HWPT_DATA_SELFTEST, &data,
				 sizeof(data)))
		return -errno;
	publish(&world.nested[i], id);
	return 0;
}

static int op_nested_destroy(__u64 *rnd)
{
	return destroy_slot(&world.nested[draw(rnd, NUM_DEVICES)]);
}

static int op_attach(__u64 *rnd)
{
	unsigned int i = draw(rnd, NUM_DEVICES);
	__u32 stdev = world.stdev[i], nested = world.nested[i];

	if (!stdev || !nested)
		return NOTHING;
	return result(_test_cmd_mock_domain_replace(world.fd, stdev, nested,
						    NULL));
}

static int op_detach(__u64 *rnd)
{
	__u32 stdev = world.stdev[draw(rnd, NUM_DEVICES)];

	if (!stdev)
		return NOTHING;
	return result(_test_cmd_mock_domain_replace(world.fd, stdev,
						    world.objs.ioas_id, NULL));
}

static int op_invalidate(__u64 *rnd)
{
	unsigned int i = draw(rnd, NUM_DEVICES);
	struct iommu_viommu_invalidate_selftest req = {
		.vdev_id = virt_id(i),
	};
	__u32 type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST;
	__u32 viommu = world.viommu[i], num = 1;

	if (!viommu)
		return NOTHING;
	return result(_test_cmd_viommu_invalidate(world.fd, viommu, &req, type,
						  sizeof(req), &num));
}

static int op_event_trigger(__u64 *rnd)
{
	__u32 device = world.device[draw(rnd, NUM_DEVICES)];

	if (!device)
		return NOTHING;
	return result(_test_cmd_trigger_vevents(world.fd, device, 1));
}

/* The fd may be closed by now, or name the queue that came after */
static int op_event_read(__u64 *rnd)
{
	int event_fd = world.event_fd[draw(rnd, 2)];
	char buf[64];
	ssize_t len;

	if (event_fd == -1)
		return NOTHING;
	len = read(event_fd, buf, sizeof(buf));
	if (len < 0)
		return -errno;
	return len ? 0 : NOTHING;
}

static int op_veventq_alloc(__u64 *rnd)
{
	unsigned int i = draw(rnd, 2);
	__u32 viommu = world.viommu[i], id, event_fd;
	int none = -1;

	if (!viommu)
		return NOTHING;
	if (_test_cmd_veventq_alloc(world.fd, viommu,
				    IOMMU_VEVENTQ_TYPE_SELFTEST, 4, &id,
				    &event_fd))
		return -errno;
	if (!atomic_compare_exchange_strong(&world.event_fd[i], &none,
					    (int)event_fd))
		close(event_fd);
	publish(&world.veventq[i], id);
	return 0;
}

static int op_veventq_destroy(__u64 *rnd)
{
	unsigned int i = draw(rnd, 2);
	int event_fd = atomic_exchange(&world.event_fd[i], -1);

	if (event_fd != -1)
		close(event_fd);
	return destroy_slot(&world.veventq[i]);
}

/* NULL and *rc, or the region of a vIOMMU that is there */
static char *map_region(__u64 *rnd, int *rc)
{
	__u64 offset = world.mmap_offset[draw(rnd, NUM_VIOMMUS)];
	char *page;

	*rc = NOTHING;
	if (!offset)
		return NULL;
	page = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    world.fd, offset);
	if (page == MAP_FAILED) {
		*rc = -errno;
		return NULL;
	}
	/* The page of a vIOMMU that is gone would be somebody else's memory */
	*rc = 0;
	if (__atomic_load_n((__u32 *)page, __ATOMIC_RELAXED) != IN_DATA)
		*rc = -EBADMSG;
	return page;
}

/* In two halves, for the reference that each of them holds */
static int op_mmap(__u64 *rnd)
{
	int rc;
	char *page = map_region(rnd, &rc);

	if (!page)
		return rc;
	if (munmap(page + PAGE_SIZE, PAGE_SIZE) || munmap(page, PAGE_SIZE))
		return -errno;
	return rc;
}

static int op_mremap(__u64 *rnd)
{
	char *page, *room, *moved;
	int rc;

	page = map_region(rnd, &rc);
	if (!page)
		return rc;
	room = mmap(NULL, 2 * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	moved = mremap(page, 2 * PAGE_SIZE, 2 * PAGE_SIZE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (moved == MAP_FAILED || munmap(moved, 2 * PAGE_SIZE))
		return -errno;
	return rc;
}

/* The child has the mapping too, and everything else of the process */
static int op_fork(__u64 *rnd)
{
	char *page;
	int rc, status;
	pid_t pid;

	page = map_region(rnd, &rc);
	if (!page)
		return rc;
	pid = fork();
	if (!pid)
		_exit(__atomic_load_n((__u32 *)page, __ATOMIC_RELAXED) !=
		      IN_DATA);
	if (munmap(page, 2 * PAGE_SIZE))
		return -errno;
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EBADMSG : rc;
}

/*
 * Allocations that fail at the end, where the kernel has an object and cannot
 * say so. The error that each of them must have is success here.
 */
static int must_fault(const void *cmd, size_t size, unsigned long nr)
{
	void *page = viommu_read_only(cmd, size);
	int rc = -EBADMSG;

	if (!page)
		return -errno;
	if (ioctl(world.fd, nr, page))
		rc = errno == EFAULT ? 0 : -errno;
	munmap(page, PAGE_SIZE);
	return rc;
}

static int viommu_fault(const void *data)
{
	const struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
		.dev_id = world.objs.device_id,
		.hwpt_id = world.objs.hwpt_id,
		.data_len = sizeof(struct iommu_viommu_selftest),
		.data_uptr = (uintptr_t)data,
	};

	return must_fault(&cmd, sizeof(cmd), IOMMU_VIOMMU_ALLOC);
}

/* By the core, which has no place for the ID */
static int op_viommu_id_fault(__u64 *rnd)
{
	struct iommu_viommu_selftest data = { .in_data = UNFINISHED };

	return viommu_fault(&data);
}

/* By the driver, which has no place for the offset of the region */
static int op_viommu_data_fault(__u64 *rnd)
{
	const struct iommu_viommu_selftest data = { .in_data = UNFINISHED };
	void *page = viommu_read_only(&data, sizeof(data));
	int rc;

	if (!page)
		return -errno;
	rc = viommu_fault(page);
	munmap(page, PAGE_SIZE);
	return rc;
}

static int op_queue_fault(__u64 *rnd)
{
	const struct queue_kind *kind = &queue_kinds[draw(rnd, NUM_QUEUES)];
	const struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = world.viommu[kind->viommu],
		.type = kind->type,
		.index = kind->index,
		.nesting_parent_iova = RING_IOVA,
		.length = PAGE_SIZE,
	};

	if (!cmd.viommu_id)
		return NOTHING;
	return must_fault(&cmd, sizeof(cmd), IOMMU_HW_QUEUE_ALLOC);
}

static int op_vdevice_fault(__u64 *rnd)
{
	unsigned int i = draw(rnd, NUM_DEVICES);
	const struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = world.viommu[i],
		.dev_id = world.device[i],
		.virt_id = virt_id(i),
	};

	if (!cmd.viommu_id || !cmd.dev_id)
		return NOTHING;
	return must_fault(&cmd, sizeof(cmd), IOMMU_VDEVICE_ALLOC);
}

static int op_veventq_fault(__u64 *rnd)
{
	const struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = world.viommu[draw(rnd, 2)],
		.type = IOMMU_VEVENTQ_TYPE_SELFTEST,
		.veventq_depth = 4,
	};

	if (!cmd.viommu_id)
		return NOTHING;
	return must_fault(&cmd, sizeof(cmd), IOMMU_VEVENTQ_ALLOC);
}

static int op_fault_fault(__u64 *rnd)
{
	const struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };

	return must_fault(&cmd, sizeof(cmd), IOMMU_FAULT_QUEUE_ALLOC);
}

static int op_map(__u64 *rnd)
{
	const unsigned int flags = IOMMU_IOAS_MAP_FIXED_IOVA |
				   IOMMU_IOAS_MAP_READABLE |
				   IOMMU_IOAS_MAP_WRITEABLE;
	__u64 iova = RING_IOVA;

	return result(_test_ioctl_ioas_map(world.fd, world.objs.ioas_id,
					   world.objs.ram, PAGE_SIZE, &iova,
					   flags));
}

static int op_unmap(__u64 *rnd)
{
	return result(_test_ioctl_ioas_unmap(world.fd, world.objs.ioas_id,
					     RING_IOVA, PAGE_SIZE, NULL));
}

#define MAX_ERRORS 5

/*
 * ENOENT is the object that is gone, EBUSY at a destroy one that is used, by
 * another object or by an ioctl that runs. The others have a comment.
 */
static const struct op {
	const char *name;
	int (*run)(__u64 *rnd);
	unsigned int weight;
	int errors[MAX_ERRORS];
} ops[] = {
	{ "get", op_get, 20, { ENOENT } },
	{ "set", op_set, 12, { ENOENT } },
	{ "sum", op_sum, 3, { ENOENT } },
	{ "reset", op_reset, 3, { ENOENT } },
	{ "enable", op_enable, 6, { ENOENT } },
	/* EINVAL: the queue is not enabled */
	{ "doorbell", op_doorbell, 10, { ENOENT, EINVAL } },
	{ "viommu_alloc", op_viommu_alloc, 10, {} },
	{ "viommu_destroy", op_viommu_destroy, 8, { ENOENT, EBUSY } },
	/*
	 * EEXIST: another thread has the index. EIO: queue 0 has to be first.
	 * EOPNOTSUPP: the ID is now that of a vIOMMU of the other type.
	 */
	{ "phys_queue_alloc", op_phys_queue_alloc, 8,
	  { ENOENT, EEXIST, EIO, EOPNOTSUPP } },
	{ "iova_queue_alloc", op_iova_queue_alloc, 8,
	  { ENOENT, EEXIST, EOPNOTSUPP } },
	{ "queue_destroy", op_queue_destroy, 12, { ENOENT, EBUSY } },
	/* EEXIST: the device, or the virtual ID, has a vDEVICE */
	{ "vdevice_alloc", op_vdevice_alloc, 6, { ENOENT, EEXIST } },
	{ "vdevice_destroy", op_vdevice_destroy, 5, { ENOENT, EBUSY } },
	{ "device_alloc", op_device_alloc, 2, {} },
	{ "device_destroy", op_device_destroy, 1, { ENOENT, EBUSY } },
	/* EINVAL: hwpt_alloc() says so of a parent that is gone */
	{ "nested_alloc", op_nested_alloc, 4, { EINVAL } },
	{ "nested_destroy", op_nested_destroy, 3, { ENOENT, EBUSY } },
	/* EINVAL: the ID is not one of a page table any more */
	{ "attach", op_attach, 5, { ENOENT, EINVAL } },
	{ "detach", op_detach, 4, { ENOENT } },
	/* EINVAL: there is no vDEVICE of that virtual ID */
	{ "invalidate", op_invalidate, 4, { ENOENT, EINVAL } },
	/* EOPNOTSUPP: the vIOMMU has no event queue */
	{ "event_trigger", op_event_trigger, 6, { ENOENT, EOPNOTSUPP } },
	/* EBADF: another thread has closed it */
	{ "event_read", op_event_read, 6, { EBADF } },
	/* EEXIST: the vIOMMU has an event queue */
	{ "veventq_alloc", op_veventq_alloc, 4, { ENOENT, EEXIST } },
	{ "veventq_destroy", op_veventq_destroy, 2, { ENOENT, EBUSY } },
	/* ENXIO: there is no vIOMMU with this offset */
	{ "mmap", op_mmap, 8, { ENXIO } },
	{ "mremap", op_mremap, 3, { ENXIO } },
	{ "fork", op_fork, 1, { ENXIO } },
	/* These succeed if the ioctl fails with EFAULT */
	{ "viommu_id_fault", op_viommu_id_fault, 3, {} },
	{ "viommu_data_fault", op_viommu_data_fault, 3, {} },
	/* The others: as for those that succeed */
	{ "queue_fault", op_queue_fault, 6,
	  { ENOENT, EEXIST, EIO, EOPNOTSUPP } },
	{ "vdevice_fault", op_vdevice_fault, 3, { ENOENT, EEXIST } },
	{ "veventq_fault", op_veventq_fault, 2, { ENOENT, EEXIST } },
	{ "fault_fault", op_fault_fault, 1, {} },
	{ "map", op_map, 5, { EEXIST } },
	/* EBUSY: a queue has the memory pinned, or another thread unmaps it */
	{ "unmap", op_unmap, 4, { ENOENT, EBUSY } },
};

#define NUM_OPS ARRAY_SIZE(ops)

#endif
