/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sweeps of iommufd_fail_nth over vIOMMU commands, HW queues and vDEVICEs
 *
 * As the sequences of that file, these look for splats of the kernel. Beyond
 * that, they hold it to two promises of the uAPI: an ioctl that fails leaves no
 * trace, and a GET that fails leaves the value alone. A broken promise aborts
 * the test.
 */
#ifndef __SELFTEST_IOMMUFD_FAIL_NTH_VIOMMU
#define __SELFTEST_IOMMUFD_FAIL_NTH_VIOMMU

#include "viommu_utils.h"

#define SWEEP_IOVA MOCK_APERTURE_START
#define SWEEP_VIRT_ID 0x99
/* More than kmalloc() has: only a vmalloc() of the array can succeed */
#define SWEEP_BATCH 0x80000U

static struct iommu_viommu_invalidate_selftest *sweep_batch;

/* Touched before the sweeps, so that its page faults are not points of them */
static __attribute__((constructor)) void setup_sweep_batch(void)
{
	sweep_batch = mmap(NULL, SWEEP_BATCH * sizeof(*sweep_batch),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert(sweep_batch != MAP_FAILED);
}

/* Iteration n of a sweep failed point n, and the last one found no more */
static bool fail_nth_next_counted(struct __test_metadata *_metadata,
				  struct fail_nth_state *nth_state,
				  int test_result)
{
	if (fail_nth_next(_metadata, nth_state, test_result))
		return true;
	printf("# fail_nth %s: %u points\n", _metadata->name,
	       nth_state->iteration - 1);
	fflush(stdout);
	return false;
}

/* Only for what follows: TEST_FAIL_NTH() looks the name up where it is used */
#define fail_nth_next fail_nth_next_counted

FIXTURE(viommu_fail_nth)
{
	int fd;
	int event_fd;
	__u32 ioas_id;
	__u32 stdev_id;
	__u32 device_id;
	__u32 hwpt_id;
	__u32 viommu_id;
	void *page;
	size_t page_len;
};

FIXTURE_SETUP(viommu_fail_nth)
{
	const char *reason = viommu_open(&self->fd);

	self->event_fd = -1;
	self->page = MAP_FAILED;
	if (reason)
		SKIP(return, "%s", reason);
	test_ioctl_set_default_memory_limit();
	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_domain(self->ioas_id, &self->stdev_id, NULL,
			     &self->device_id);
	test_cmd_hwpt_alloc(self->device_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &self->hwpt_id);
}

FIXTURE_TEARDOWN(viommu_fail_nth)
{
	/* Both hold the iommufd open */
	if (self->page != MAP_FAILED)
		munmap(self->page, self->page_len);
	if (self->event_fd != -1)
		close(self->event_fd);
	teardown_iommufd(self->fd, _metadata);
}

static int sweep_viommu(FIXTURE_DATA(viommu_fail_nth) *self, __u32 type)
{
	return _test_cmd_viommu_alloc(self->fd, self->device_id, self->hwpt_id,
				      0, type, NULL, 0, &self->viommu_id);
}

static int sweep_map(FIXTURE_DATA(viommu_fail_nth) *self)
{
	__u64 iova = SWEEP_IOVA;

	return _test_ioctl_ioas_map(self->fd, self->ioas_id, buffer,
				    4 * PAGE_SIZE, &iova,
				    IOMMU_IOAS_MAP_FIXED_IOVA |
					    IOMMU_IOAS_MAP_WRITEABLE |
					    IOMMU_IOAS_MAP_READABLE);
}

static int sweep_unmap(FIXTURE_DATA(viommu_fail_nth) *self)
{
	return _test_ioctl_ioas_unmap(self->fd, self->ioas_id, SWEEP_IOVA,
				      4 * PAGE_SIZE, NULL);
}

static int sweep_get(FIXTURE_DATA(viommu_fail_nth) *self, __u16 index,
		     __u64 *val64)
{
	__u64 val = VIOMMU_CANARY;
	int rc;

	rc = _test_cmd_viommu_command(self->fd, self->viommu_id,
				      IOMMU_VIOMMU_COMMAND_OP_GET, index, &val);
	if (rc)
		assert(val == VIOMMU_CANARY);
	*val64 = val;
	return rc;
}

/*
 * For after a failure: a point is failed once, so this one always gets to see
 * what was left.
 */
static __u64 sweep_look(FIXTURE_DATA(viommu_fail_nth) *self, __u16 index)
{
	__u64 val = 0;

	assert(!sweep_get(self, index, &val));
	return val;
}

static int sweep_set(FIXTURE_DATA(viommu_fail_nth) *self, __u16 index,
		     __u64 val)
{
	return _test_cmd_viommu_command(self->fd, self->viommu_id,
					IOMMU_VIOMMU_COMMAND_OP_SET, index,
					&val);
}

static int sweep_queue(FIXTURE_DATA(viommu_fail_nth) *self, __u32 type,
		       __u32 index, __u64 queues_before, __u32 *queue_id)
{
	static unsigned int seen;
	int saved_errno;

	if (!_test_cmd_hw_queue_alloc(self->fd, self->viommu_id, type, index,
				      SWEEP_IOVA + index * PAGE_SIZE, PAGE_SIZE,
				      queue_id))
		return 0;
	saved_errno = errno;
	if (errno == ENOMEM && !seen++)
		errno_hit("HW_QUEUE_ALLOC", "ENOMEM");
	assert(sweep_look(self, IOMMU_TEST_VIOMMU_CMD_QUEUES) ==
	       queues_before);
	errno = saved_errno;
	return -1;
}

/* The page of the vIOMMU, and the mapping that keeps the vIOMMU in use */
TEST_FAIL_NTH(viommu_fail_nth, user_data_mmap)
{
	struct iommu_viommu_selftest data = { .in_data = 0xbeef };

	fail_nth_enable();

	if (_test_cmd_viommu_alloc(self->fd, self->device_id, self->hwpt_id, 0,
				   IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &data,
				   sizeof(data), &self->viommu_id)) {
		assert(!_test_ioctl_destroy(self->fd, self->hwpt_id));
		return -1;
	}

	self->page_len = data.out_mmap_length;
	self->page = mmap(NULL, self->page_len, PROT_READ | PROT_WRITE,
			  MAP_SHARED, self->fd, data.out_mmap_offset);
	if (self->page == MAP_FAILED) {
		/* Nor may a mapping that failed keep the vIOMMU in use */
		assert(!_test_ioctl_destroy(self->fd, self->viommu_id));
		return -1;
	}
	assert(*(__u32 *)self->page == data.in_data);
	if (munmap(self->page, self->page_len))
		return -1;
	self->page = MAP_FAILED;
	return _test_ioctl_destroy(self->fd, self->viommu_id);
}

/* Each kind of command, in both directions */
TEST_FAIL_NTH(viommu_fail_nth, commands)
{
	static const __u16 readable[] = {
		IOMMU_TEST_VIOMMU_CMD_SCRATCH, IOMMU_TEST_VIOMMU_CMD_VERSION,
		IOMMU_TEST_VIOMMU_CMD_QUEUES, IOMMU_TEST_VIOMMU_CMD_VDEVS,
		IOMMU_TEST_VIOMMU_CMD_ROW_LAST,
	};
	static const __u16 writable[] = {
		IOMMU_TEST_VIOMMU_CMD_TRIGGER, IOMMU_TEST_VIOMMU_CMD_ENABLE,
		IOMMU_TEST_VIOMMU_CMD_SUM, IOMMU_TEST_VIOMMU_CMD_RESET,
	};
	unsigned int i;
	__u64 val;

	if (sweep_viommu(self, IOMMU_VIOMMU_TYPE_SELFTEST))
		return -1;

	fail_nth_enable();

	if (sweep_set(self, IOMMU_TEST_VIOMMU_CMD_SCRATCH, 1)) {
		assert(!sweep_look(self, IOMMU_TEST_VIOMMU_CMD_SCRATCH));
		return -1;
	}
	for (i = 0; i != ARRAY_SIZE(readable); i++)
		if (sweep_get(self, readable[i], &val))
			return -1;
	for (i = 0; i != ARRAY_SIZE(writable); i++)
		if (sweep_set(self, writable[i], 0))
			return -1;

	/* The paths out of the middle of a command */
	if (!sweep_get(self, IOMMU_TEST_VIOMMU_CMD_FAIL, &val) ||
	    errno != EIO)
		return -1;
	if (!sweep_set(self, IOMMU_TEST_VIOMMU_CMD_FAIL, 0) || errno != EIO)
		return -1;
	if (!sweep_get(self, IOMMU_TEST_VIOMMU_CMD_TRIGGER, &val) ||
	    errno != EACCES)
		return -1;
	if (!sweep_set(self, IOMMU_TEST_VIOMMU_CMD_SCRATCH, ~0ULL) ||
	    errno != EINVAL)
		return -1;
	return 0;
}

/* Two pinned queues, of which the second depends on the first */
TEST_FAIL_NTH(viommu_fail_nth, phys_queues)
{
	const __u32 type = IOMMU_HW_QUEUE_TYPE_SELFTEST;
	__u32 queue_id[2];

	if (sweep_map(self) || sweep_viommu(self, IOMMU_VIOMMU_TYPE_SELFTEST))
		return -1;

	fail_nth_enable();

	if (sweep_queue(self, type, 0, 0, &queue_id[0])) {
		/* No pin is left behind */
		assert(!sweep_unmap(self));
		return -1;
	}
	if (sweep_queue(self, type, 1, 1, &queue_id[1])) {
		/* Nor is the dependency */
		assert(!_test_ioctl_destroy(self->fd, queue_id[0]));
		assert(!sweep_unmap(self));
		return -1;
	}
	if (_test_ioctl_destroy(self->fd, queue_id[1]))
		return -1;
	return _test_ioctl_destroy(self->fd, queue_id[0]);
}

/* Queues by guest address: enable, fetch, and the event of a faulting fetch */
TEST_FAIL_NTH(viommu_fail_nth, iova_queues)
{
	const __u64 cmds = 1ULL << IOMMU_TEST_QUEUE_IOVA;
	const __u64 both = cmds | 1ULL << IOMMU_TEST_QUEUE_IOVA_LOG;
	__u32 queue_id[2], veventq_id, event_fd;
	int seq = -1;
	__u64 word;

	if (sweep_map(self) ||
	    sweep_viommu(self, IOMMU_VIOMMU_TYPE_SELFTEST_IOVA))
		return -1;
	*(__u64 *)buffer = SWEEP_VIRT_ID;

	fail_nth_enable();

	if (_test_cmd_veventq_alloc(self->fd, self->viommu_id,
				    IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &veventq_id,
				    &event_fd))
		return -1;
	self->event_fd = event_fd;
	if (sweep_queue(self, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0, 0,
			&queue_id[0]) ||
	    sweep_queue(self, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG, 0, cmds,
			&queue_id[1]))
		return -1;
	if (sweep_set(self, IOMMU_TEST_VIOMMU_CMD_ENABLE, both))
		return -1;

	if (sweep_set(self, IOMMU_TEST_VIOMMU_CMD_DOORBELL,
		      IOMMU_TEST_QUEUE_IOVA) ||
	    sweep_get(self, IOMMU_TEST_VIOMMU_CMD_DATA, &word))
		return -1;
	assert(word == SWEEP_VIRT_ID);

	if (sweep_unmap(self) ||
	    sweep_set(self, IOMMU_TEST_VIOMMU_CMD_DOORBELL,
		      IOMMU_TEST_QUEUE_IOVA_LOG) ||
	    _test_cmd_read_vevents(self->fd, event_fd, 1,
				   IOMMU_TEST_VIRT_ID_QUEUE_FAULT |
					   IOMMU_TEST_QUEUE_IOVA_LOG, &seq))
		return -1;

	if (_test_ioctl_destroy(self->fd, queue_id[0]) ||
	    _test_ioctl_destroy(self->fd, queue_id[1]) ||
	    sweep_get(self, IOMMU_TEST_VIOMMU_CMD_ENABLE, &word))
		return -1;
	assert(!word);
	return 0;
}

/* A nested hwpt of the vIOMMU itself, and a device that uses it */
TEST_FAIL_NTH(viommu_fail_nth, vdevice_attach)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	__u32 nested_id, vdev_id, veventq_id, event_fd;
	int seq = -1;
	__u64 vdevs;

	if (sweep_viommu(self, IOMMU_VIOMMU_TYPE_SELFTEST_IOVA))
		return -1;

	fail_nth_enable();

	if (_test_cmd_hwpt_alloc(self->fd, self->device_id, self->viommu_id, 0,
				 0, &nested_id, IOMMU_HWPT_DATA_SELFTEST, &data,
				 sizeof(data)))
		return -1;
	if (_test_cmd_veventq_alloc(self->fd, self->viommu_id,
				    IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &veventq_id,
				    &event_fd))
		return -1;
	self->event_fd = event_fd;
	if (_test_cmd_vdevice_alloc(self->fd, self->viommu_id, self->device_id,
				    SWEEP_VIRT_ID, &vdev_id)) {
		assert(!sweep_look(self, IOMMU_TEST_VIOMMU_CMD_VDEVS));
		return -1;
	}
	if (_test_cmd_mock_domain_replace(self->fd, self->stdev_id, nested_id,
					  NULL))
		return -1;
	if (_test_cmd_trigger_vevents(self->fd, self->device_id, 1) ||
	    _test_cmd_read_vevents(self->fd, event_fd, 1, SWEEP_VIRT_ID, &seq))
		return -1;
	if (_test_cmd_mock_domain_replace(self->fd, self->stdev_id,
					  self->ioas_id, NULL))
		return -1;
	if (_test_ioctl_destroy(self->fd, vdev_id) ||
	    _test_ioctl_destroy(self->fd, nested_id) ||
	    sweep_get(self, IOMMU_TEST_VIOMMU_CMD_VDEVS, &vdevs))
		return -1;
	assert(!vdevs);
	return 0;
}

/* A vIOMMU is refused a nest parent that another IOMMU driver made */
TEST_FAIL_NTH(viommu_fail_nth, foreign_parent)
{
	__u32 stdev_id, device_id;

	if (_test_cmd_mock_domain_flags(self->fd, self->ioas_id,
					MOCK_FLAGS_DEVICE_OTHER_IOMMU,
					&stdev_id, NULL, &device_id))
		return -1;

	fail_nth_enable();

	if (!_test_cmd_viommu_alloc(self->fd, device_id, self->hwpt_id, 0,
				    IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
				    &self->viommu_id) ||
	    errno != EINVAL)
		return -1;
	/* The refusal took no reference of the nest parent */
	return _test_ioctl_destroy(self->fd, self->hwpt_id);
}

/* The largest batch. The second entry ends it, so as not to take seconds. */
TEST_FAIL_NTH(viommu_fail_nth, large_batch)
{
	__u32 vdev_id, num = SWEEP_BATCH;
	int rc;

	if (sweep_viommu(self, IOMMU_VIOMMU_TYPE_SELFTEST) ||
	    _test_cmd_vdevice_alloc(self->fd, self->viommu_id, self->device_id,
				    0, &vdev_id))
		return -1;
	sweep_batch[1].cache_id = MOCK_DEV_CACHE_ID_MAX + 1;

	fail_nth_enable();

	rc = _test_cmd_viommu_invalidate(self->fd, self->viommu_id, sweep_batch,
					 IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
					 sizeof(*sweep_batch), &num);
	if (rc != -1 || errno != EINVAL || num != 1)
		return -1;
	return 0;
}

#endif
