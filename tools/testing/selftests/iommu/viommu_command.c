// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_COMMAND: what a command does, whose state it is, and what happens
 * to the memory of the caller. viommu_command_sweep.c covers the ranges.
 */
#include <pthread.h>

#include "viommu_utils.h"

#define SCRATCH IOMMU_TEST_VIOMMU_CMD_SCRATCH
#define VERSION IOMMU_TEST_VIOMMU_CMD_VERSION
#define TRIGGER IOMMU_TEST_VIOMMU_CMD_TRIGGER
#define GENERATION IOMMU_TEST_VIOMMU_CMD_GENERATION
#define SUM IOMMU_TEST_VIOMMU_CMD_SUM
#define RESET IOMMU_TEST_VIOMMU_CMD_RESET
#define VDEVS IOMMU_TEST_VIOMMU_CMD_VDEVS
#define QUEUES IOMMU_TEST_VIOMMU_CMD_QUEUES

FIXTURE(command)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(command)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
				 &self->viommu_id));
}

FIXTURE_TEARDOWN(command)
{
	close(self->fd);
}

/* What the hardware does */

TEST_F(command, set_then_get)
{
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0x10);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0);
	test_viommu_reads(0, self->viommu_id, SCRATCH);
}

TEST_F(command, fresh_viommu_reads_zero)
{
	test_viommu_reads(0, self->viommu_id, SCRATCH);
	test_viommu_reads(0, self->viommu_id, GENERATION);
	test_viommu_reads(0, self->viommu_id, SUM);
	test_viommu_reads(0, self->viommu_id, QUEUES);
	test_viommu_reads(0, self->viommu_id, VDEVS);
}

TEST_F(command, read_only)
{
	test_viommu_reads(IOMMU_TEST_VIOMMU_VERSION, self->viommu_id, VERSION);
	test_err_viommu_set(EACCES, self->viommu_id, VERSION, 0);
	test_err_viommu_set(EACCES, self->viommu_id, VERSION,
			    IOMMU_TEST_VIOMMU_VERSION);
	test_viommu_reads(IOMMU_TEST_VIOMMU_VERSION, self->viommu_id, VERSION);
	errno_hit("VIOMMU_COMMAND", "EACCES");
}

TEST_F(command, write_only)
{
	test_cmd_viommu_set(self->viommu_id, TRIGGER, 1);
	test_err_viommu_get(EACCES, self->viommu_id, TRIGGER);
}

TEST_F(command, write_triggers_state_elsewhere)
{
	test_cmd_viommu_set(self->viommu_id, TRIGGER, 3);
	test_cmd_viommu_set(self->viommu_id, TRIGGER, 4);
	test_viommu_reads(7, self->viommu_id, GENERATION);
	/* A refused one triggers nothing */
	test_err_viommu_set(EINVAL, self->viommu_id, TRIGGER, 0x100);
	test_viommu_reads(7, self->viommu_id, GENERATION);
}

TEST_F(command, write_of_only_zero)
{
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 1);
	test_err_viommu_set(EINVAL, self->viommu_id, RESET, 1);
	test_viommu_reads(1, self->viommu_id, SCRATCH);
	test_cmd_viommu_set(self->viommu_id, RESET, 0);
	test_viommu_reads(0, self->viommu_id, SCRATCH);
}

TEST_F(command, driver_error_is_passed_on)
{
	/* The mock leaves a value behind, which must not get out */
	test_err_viommu_get(EIO, self->viommu_id, IOMMU_TEST_VIOMMU_CMD_FAIL);
	test_err_viommu_set(EIO, self->viommu_id, IOMMU_TEST_VIOMMU_CMD_FAIL,
			    0);
	errno_hit("VIOMMU_COMMAND", "EIO");
}

TEST_F(command, survives_replace_of_the_domain)
{
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0x10);
	test_cmd_mock_domain_replace(self->objs.stdev_id, self->objs.hwpt_id);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
	test_cmd_mock_domain_replace(self->objs.stdev_id, self->objs.ioas_id);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
}

/* Defects of an earlier proposal */

TEST_F(command, zeroed_struct_does_nothing)
{
	struct iommu_viommu_command cmd = { .size = sizeof(cmd) };

	test_cmd_viommu_set(self->viommu_id, SCRATCH, 1);
	EXPECT_ERRNO(ENOENT, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	/* Op 0 is SET, so only the index stands in its way */
	cmd.object_id = self->viommu_id;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	test_viommu_reads(1, self->viommu_id, SCRATCH);
}

TEST_F(command, set_does_not_write_to_the_caller)
{
	struct iommu_viommu_command *cmd;

	/* Where the kernel cannot write, a SET succeeds */
	cmd = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)cmd);
	*cmd = (struct iommu_viommu_command){
		.size = sizeof(*cmd),
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_SET,
		.index = SCRATCH,
		.val64 = 0x10,
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, cmd));
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
	munmap(cmd, PAGE_SIZE);
}

TEST_F(command, get_into_read_only_memory)
{
	struct iommu_viommu_command *cmd;

	cmd = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)cmd);
	*cmd = (struct iommu_viommu_command){
		.size = sizeof(*cmd),
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_GET,
		.index = VERSION,
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE_SIZE, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, cmd));
	munmap(cmd, PAGE_SIZE);
	errno_hit("VIOMMU_COMMAND", "EFAULT");
}

TEST_F(command, no_memory_of_the_caller)
{
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, NULL));
}

TEST_F(command, get_writes_the_value_and_nothing_else)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_GET,
		.index = VERSION,
		.val64 = VIOMMU_CANARY,
	};
	struct iommu_viommu_command want = cmd;

	want.val64 = IOMMU_TEST_VIOMMU_VERSION;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	ASSERT_EQ(0, memcmp(&cmd, &want, sizeof(cmd)));
}

/* Which object */

TEST_F(command, id_of_nothing)
{
	test_err_viommu_get(ENOENT, 0, VERSION);
	test_err_viommu_get(ENOENT, 0x7fffffff, VERSION);
	test_err_viommu_get(ENOENT, UINT32_MAX, VERSION);
	test_err_viommu_set(ENOENT, 0, SCRATCH, 1);
	errno_hit("VIOMMU_COMMAND", "ENOENT");
}

TEST_F(command, id_of_a_destroyed_viommu)
{
	test_ioctl_destroy(self->viommu_id);
	test_err_viommu_get(ENOENT, self->viommu_id, VERSION);
	test_err_viommu_set(ENOENT, self->viommu_id, SCRATCH, 1);
}

TEST_F(command, id_of_an_ioas)
{
	test_err_viommu_get(ENOENT, self->objs.ioas_id, VERSION);
	test_err_viommu_set(ENOENT, self->objs.ioas_id, SCRATCH, 1);
}

TEST_F(command, id_of_a_hwpt)
{
	test_err_viommu_get(ENOENT, self->objs.hwpt_id, VERSION);
	test_err_viommu_set(ENOENT, self->objs.hwpt_id, SCRATCH, 1);
}

TEST_F(command, id_of_a_device)
{
	test_err_viommu_get(ENOENT, self->objs.device_id, VERSION);
	test_err_viommu_set(ENOENT, self->objs.device_id, SCRATCH, 1);
}

TEST_F(command, id_of_a_vdevice)
{
	__u32 vdev_id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_err_viommu_get(ENOENT, vdev_id, VERSION);
	test_err_viommu_set(ENOENT, vdev_id, SCRATCH, 1);
}

TEST_F(command, id_of_a_veventq)
{
	__u32 veventq_id, veventq_fd;

	test_cmd_veventq_alloc(self->viommu_id, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
			       &veventq_id, &veventq_fd);
	test_err_viommu_get(ENOENT, veventq_id, VERSION);
	test_err_viommu_set(ENOENT, veventq_id, SCRATCH, 1);
	close(veventq_fd);
}

TEST_F(command, id_of_a_fault_queue)
{
	__u32 fault_id, fault_fd;

	test_ioctl_fault_alloc(&fault_id, &fault_fd);
	test_err_viommu_get(ENOENT, fault_id, VERSION);
	test_err_viommu_set(ENOENT, fault_id, SCRATCH, 1);
	close(fault_fd);
}

TEST_F(command, id_of_a_hw_queue)
{
	__u32 queue_id;

	test_cmd_hw_queue_alloc(self->viommu_id,
				IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, &queue_id);
	test_err_viommu_get(ENOENT, queue_id, VERSION);
	test_err_viommu_set(ENOENT, queue_id, SCRATCH, 1);
}

TEST_F(command, id_of_another_context)
{
	struct viommu_objs other;
	__u32 other_id = 0;
	int i, fd;

	ASSERT_EQ(NULL, viommu_open(&fd));
	ASSERT_EQ(0, viommu_make_objs(fd, &other));
	/* More objects than the first has, so that this ID is none of its */
	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, viommu_make(fd, &other,
					 IOMMU_VIOMMU_TYPE_SELFTEST,
					 &other_id));
	test_err_viommu_get(ENOENT, other_id, VERSION);
	close(fd);
}

/* Whose state */

TEST_F(command, two_viommus_have_two_states)
{
	__u32 other_id;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST, &other_id));
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0x10);
	test_viommu_reads(0, other_id, SCRATCH);
	test_cmd_viommu_set(other_id, SCRATCH, 0x20);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
	test_cmd_viommu_set(other_id, RESET, 0);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
	test_ioctl_destroy(other_id);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
}

TEST_F(command, two_contexts_have_two_states)
{
	struct viommu_objs other;
	__u32 other_id;
	__u64 val = ~0ULL;
	int fd;

	ASSERT_EQ(NULL, viommu_open(&fd));
	ASSERT_EQ(0, viommu_make_objs(fd, &other));
	ASSERT_EQ(0, viommu_make(fd, &other, IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
				 &other_id));
	/* The same ID in both contexts is two objects */
	ASSERT_EQ(self->viommu_id, other_id);
	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0x10);
	ASSERT_EQ(0, _test_cmd_viommu_get(fd, other_id, SCRATCH, &val));
	ASSERT_EQ(0, val);
	close(fd);
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
}

TEST_F(command, id_is_reused_with_fresh_state)
{
	__u32 id;

	test_cmd_viommu_set(self->viommu_id, SCRATCH, 0x10);
	test_ioctl_destroy(self->viommu_id);
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &id));
	test_viommu_reads(0, id, SCRATCH);
}

TEST_F(command, counts_vdevices)
{
	__u32 vdev_id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_viommu_reads(1, self->viommu_id, VDEVS);
	test_ioctl_destroy(vdev_id);
	test_viommu_reads(0, self->viommu_id, VDEVS);
	/* Destroyed by the core when the device goes */
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_ioctl_destroy(self->objs.stdev_id);
	test_viommu_reads(0, self->viommu_id, VDEVS);
}

TEST_F(command, vdevice_that_cannot_be_reported_is_undone)
{
	struct iommu_vdevice_alloc *cmd;
	__u32 vdev_id;

	cmd = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)cmd);
	*cmd = (struct iommu_vdevice_alloc){
		.size = sizeof(*cmd),
		.viommu_id = self->viommu_id,
		.dev_id = self->objs.device_id,
		.virt_id = 0x99,
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE_SIZE, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VDEVICE_ALLOC, cmd));
	test_viommu_reads(0, self->viommu_id, VDEVS);
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	munmap(cmd, PAGE_SIZE);
}

/* A vIOMMU of a driver that has no commands */

FIXTURE(bare)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(bare)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_BARE,
				 &self->viommu_id));
}

FIXTURE_TEARDOWN(bare)
{
	close(self->fd);
}

TEST_F(bare, every_index)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		test_err_viommu_get(EOPNOTSUPP, self->viommu_id, index);
		test_err_viommu_set(EOPNOTSUPP, self->viommu_id, index, 0);
	}
}

TEST_F(bare, no_hw_queue)
{
	test_err_hw_queue_alloc(EOPNOTSUPP, self->viommu_id,
				IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, NULL);
	test_err_hw_queue_alloc(EOPNOTSUPP, self->viommu_id,
				IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, NULL);
}

TEST_F(bare, no_invalidation)
{
	struct iommu_viommu_invalidate_selftest inv = {};
	__u32 num = 1;

	test_err_viommu_invalidate(EOPNOTSUPP, self->viommu_id, &inv,
				   IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
				   sizeof(inv), &num);
}

TEST_F(bare, no_nested_hwpt)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	__u32 hwpt_id;

	test_err_hwpt_alloc_nested(EOPNOTSUPP, self->objs.device_id,
				   self->viommu_id, 0, &hwpt_id,
				   IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
}

TEST_F(bare, vdevice_without_op)
{
	__u32 vdev_id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_ioctl_destroy(vdev_id);
}

/* One at a time */

#define THREADS 4
#define ADDS 200

struct adder {
	int fd;
	__u32 viommu_id;
	int errors;
};

static void *adder_thread(void *arg)
{
	struct adder *adder = arg;
	int i;

	for (i = 0; i < ADDS; i++)
		if (_test_cmd_viommu_set(adder->fd, adder->viommu_id, SUM, 1))
			adder->errors++;
	return NULL;
}

TEST_F(command, serialized_with_each_other)
{
	struct adder adder = { .fd = self->fd, .viommu_id = self->viommu_id };
	struct adder adders[THREADS];
	pthread_t thread[THREADS];
	int i;

	/* The mock sleeps between read and write: an overlap loses an update */
	for (i = 0; i < THREADS; i++) {
		adders[i] = adder;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, adder_thread,
					    &adders[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, adders[i].errors);
	}
	test_viommu_reads(THREADS * ADDS, self->viommu_id, SUM);
}

TEST_HARNESS_MAIN
