// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_COMMAND: what a command does, whose state it is, what happens to
 * the memory of the caller. viommu_command_sweep.c covers the ranges.
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
	test_errno_hit("VIOMMU_COMMAND", "EACCES");
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
	test_errno_hit("VIOMMU_COMMAND", "EIO");
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
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_SET,
		.index = SCRATCH,
		.val64 = 0x10,
	};
	void *page = viommu_read_only(&cmd, sizeof(cmd));

	/* Where the kernel cannot write, a SET succeeds */
	ASSERT_NE(NULL, page);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, page));
	test_viommu_reads(0x10, self->viommu_id, SCRATCH);
}

TEST_F(command, get_into_read_only_memory)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_GET,
		.index = VERSION,
	};
	void *page = viommu_read_only(&cmd, sizeof(cmd));

	ASSERT_NE(NULL, page);
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, page));
	test_errno_hit("VIOMMU_COMMAND", "EFAULT");
}

/* The error pointer of an object that is not there was put and looked at */
TEST_F(command, reserved_field_and_no_object)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VIOMMU_COMMAND_OP_GET,
		.index = VERSION,
		.__reserved = 1,
	};

	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	cmd.object_id = self->objs.ioas_id;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	/* No reference is left of it either */
	cmd.object_id = self->viommu_id;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	test_ioctl_destroy(self->viommu_id);
}

/* A newer VMM gets the value where it is, and no byte more */
TEST_F(command, get_into_a_longer_struct)
{
	struct {
		struct iommu_viommu_command cmd;
		__u64 tail[4];
	} future = {
		.cmd = {
			.size = sizeof(future),
			.object_id = self->viommu_id,
			.op = IOMMU_VIOMMU_COMMAND_OP_GET,
			.index = VERSION,
		},
	}, want = future;

	want.cmd.val64 = IOMMU_TEST_VIOMMU_VERSION;
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &future));
	EXPECT_EQ(0, memcmp(&future, &want, sizeof(future)));
}

/* The size reaches past the memory that is there */
TEST_F(command, struct_that_ends_too_early)
{
	struct iommu_viommu_command *cmd;
	void *pages;

	pages = mmap(NULL, PAGE_SIZE * 2, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + PAGE_SIZE, PAGE_SIZE));
	cmd = pages + PAGE_SIZE - sizeof(*cmd);
	*cmd = (struct iommu_viommu_command){
		.size = sizeof(*cmd) + 8,
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_SET,
		.index = SCRATCH,
		.val64 = 1,
	};
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, cmd));
	test_viommu_reads(0, self->viommu_id, SCRATCH);
	/* Right up to the end is fine */
	cmd->size = sizeof(*cmd);
	ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, cmd));
	test_viommu_reads(1, self->viommu_id, SCRATCH);
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

/* Whose state */

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
	test_err_viommu_set(ENOENT, other_id, SCRATCH, 1);
	close(fd);
}

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

/* One at a time */

#define THREADS 4
#define ADDS 200

struct adder {
	int fd;
	__u32 viommu_id;
	int errors;
	pthread_t thread;
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

static int start_adders(struct adder *adders, int fd, __u32 viommu_id)
{
	int i, rc = 0;

	for (i = 0; i < THREADS; i++) {
		adders[i] = (struct adder){ .fd = fd, .viommu_id = viommu_id };
		rc |= pthread_create(&adders[i].thread, NULL, adder_thread,
				     &adders[i]);
	}
	return rc;
}

/* Number of SETs that failed */
static int join_adders(struct adder *adders)
{
	int i, errors = 0;

	for (i = 0; i < THREADS; i++) {
		pthread_join(adders[i].thread, NULL);
		errors += adders[i].errors;
	}
	return errors;
}

/* The mock sleeps between read and write: an overlap loses an update */
TEST_F(command, serialized_with_each_other)
{
	struct adder adders[THREADS];

	ASSERT_EQ(0, start_adders(adders, self->fd, self->viommu_id));
	EXPECT_EQ(0, join_adders(adders));
	test_viommu_reads(THREADS * ADDS, self->viommu_id, SUM);
}

TEST_F(command, two_viommus_at_the_same_time)
{
	struct adder first[THREADS], second[THREADS];
	__u32 other_id;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST, &other_id));
	ASSERT_EQ(0, start_adders(first, self->fd, self->viommu_id));
	ASSERT_EQ(0, start_adders(second, self->fd, other_id));
	EXPECT_EQ(0, join_adders(first));
	EXPECT_EQ(0, join_adders(second));
	test_viommu_reads(THREADS * ADDS, self->viommu_id, SUM);
	test_viommu_reads(THREADS * ADDS, other_id, SUM);
}

#define ROUNDS 100
#define CMD0 VIOMMU_QUEUE_BIT(IOMMU_TEST_QUEUE_IOVA)

/* Each of them changes the sum twice, as slowly as the adders do */
TEST_F(command, serialized_with_queues)
{
	struct adder adders[THREADS];
	__u32 queue_id;
	int i;

	ASSERT_EQ(0, start_adders(adders, self->fd, self->viommu_id));
	for (i = 0; i < ROUNDS; i++) {
		test_cmd_hw_queue_alloc(self->viommu_id,
					IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
					VIOMMU_RAM_IOVA, PAGE_SIZE, &queue_id);
		test_viommu_reads(CMD0, self->viommu_id, QUEUES);
		test_ioctl_destroy(queue_id);
		test_viommu_reads(0, self->viommu_id, QUEUES);
	}
	EXPECT_EQ(0, join_adders(adders));
	test_viommu_reads(THREADS * ADDS + ROUNDS * 2 * IOMMU_TEST_SUM_QUEUE,
			  self->viommu_id, SUM);
}

TEST_F(command, serialized_with_vdevices)
{
	struct adder adders[THREADS];
	__u32 vdev_id;
	int i;

	ASSERT_EQ(0, start_adders(adders, self->fd, self->viommu_id));
	for (i = 0; i < ROUNDS; i++) {
		test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id,
				       0x99, &vdev_id);
		test_viommu_reads(1, self->viommu_id, VDEVS);
		test_ioctl_destroy(vdev_id);
		test_viommu_reads(0, self->viommu_id, VDEVS);
	}
	EXPECT_EQ(0, join_adders(adders));
	test_viommu_reads(THREADS * ADDS + ROUNDS * 2 * IOMMU_TEST_SUM_VDEV,
			  self->viommu_id, SUM);
}

#define MAX_GETS 1000000

/* A GET waits for what is changing, and sees all of it */
TEST_F(command, get_sees_no_change_half_done)
{
	struct adder adders[THREADS];
	__u64 sum = 0, last = 0;
	int gets = 0;

	ASSERT_EQ(0, start_adders(adders, self->fd, self->viommu_id));
	while (sum < THREADS * ADDS && gets < MAX_GETS) {
		test_cmd_viommu_get(self->viommu_id, SUM, &sum);
		if (sum < last || sum > THREADS * ADDS)
			break;
		last = sum;
		gets++;
	}
	EXPECT_EQ(0, join_adders(adders));
	EXPECT_LE(last, sum);
	EXPECT_EQ(THREADS * ADDS, sum);
	EXPECT_LT(10, gets);
}

/* Enough for the enable to come at each point of a queue's life */
#define MIN_ENABLES 50
#define MAX_ROUNDS 100000

struct enabler {
	int fd;
	__u32 viommu_id;
	bool stop;
	int enables;
	int errors;
};

static void *enabler_thread(void *arg)
{
	struct enabler *enabler = arg;

	while (!__atomic_load_n(&enabler->stop, __ATOMIC_RELAXED))
		if (!_test_cmd_viommu_set(enabler->fd, enabler->viommu_id,
					  IOMMU_TEST_VIOMMU_CMD_ENABLE, CMD0))
			__atomic_fetch_add(&enabler->enables, 1,
					   __ATOMIC_RELAXED);
		else if (errno != ENOENT)
			enabler->errors++;
	return NULL;
}

/* However late the enable comes, it is not for a queue that is gone */
TEST_F(command, enable_while_the_queue_goes)
{
	struct enabler enabler = { .fd = self->fd,
				   .viommu_id = self->viommu_id };
	pthread_t thread;
	__u32 queue_id;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, enabler_thread, &enabler));
	for (i = 0; i < MAX_ROUNDS; i++) {
		if (i >= ROUNDS && __atomic_load_n(&enabler.enables,
						   __ATOMIC_RELAXED) >=
					   MIN_ENABLES)
			break;
		test_cmd_hw_queue_alloc(self->viommu_id,
					IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
					VIOMMU_RAM_IOVA, PAGE_SIZE, &queue_id);
		test_ioctl_destroy(queue_id);
		test_viommu_reads(0, self->viommu_id,
				  IOMMU_TEST_VIOMMU_CMD_ENABLE);
	}
	__atomic_store_n(&enabler.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LE(MIN_ENABLES, enabler.enables);
	EXPECT_EQ(0, enabler.errors);
}

TEST_HARNESS_MAIN
