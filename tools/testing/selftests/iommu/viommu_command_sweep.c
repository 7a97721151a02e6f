// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_COMMAND, all of it: each index in each direction, each op, each
 * bit of each index, each bit that is reserved, each size, each kind of object
 *
 * The table below says what must be possible. It is written from the uAPI
 * header of the mock and not derived from the kernel's table, so a bit that
 * gets reachable by mistake makes a case fail.
 */
#include "viommu_utils.h"

#define GET 1
#define SET 2

/* The indices of the mock that are not refused as unknown */
static const struct mock_command {
	__u16 first;
	__u16 last;
	int dirs;
	__u64 mask;
} mock_table[] = {
	{ IOMMU_TEST_VIOMMU_CMD_SCRATCH, IOMMU_TEST_VIOMMU_CMD_SCRATCH,
	  GET | SET, 0xfff00ff000f0f0f1ULL },
	{ IOMMU_TEST_VIOMMU_CMD_VERSION, IOMMU_TEST_VIOMMU_CMD_VERSION, GET },
	{ IOMMU_TEST_VIOMMU_CMD_TRIGGER, IOMMU_TEST_VIOMMU_CMD_TRIGGER, SET,
	  0xff },
	{ IOMMU_TEST_VIOMMU_CMD_GENERATION, IOMMU_TEST_VIOMMU_CMD_GENERATION,
	  GET },
	{ IOMMU_TEST_VIOMMU_CMD_QUEUES, IOMMU_TEST_VIOMMU_CMD_QUEUES, GET },
	{ IOMMU_TEST_VIOMMU_CMD_ENABLE, IOMMU_TEST_VIOMMU_CMD_ENABLE,
	  GET | SET, 0x30303 },
	{ IOMMU_TEST_VIOMMU_CMD_SUM, IOMMU_TEST_VIOMMU_CMD_SUM, GET | SET,
	  ~0ULL },
	{ IOMMU_TEST_VIOMMU_CMD_RESET, IOMMU_TEST_VIOMMU_CMD_RESET, SET, 0 },
	{ IOMMU_TEST_VIOMMU_CMD_DOORBELL, IOMMU_TEST_VIOMMU_CMD_DOORBELL, SET,
	  0xffffffff },
	{ IOMMU_TEST_VIOMMU_CMD_DATA, IOMMU_TEST_VIOMMU_CMD_DATA, GET },
	{ IOMMU_TEST_VIOMMU_CMD_FAULTS, IOMMU_TEST_VIOMMU_CMD_FAULTS, GET },
	{ IOMMU_TEST_VIOMMU_CMD_VDEVS, IOMMU_TEST_VIOMMU_CMD_VDEVS, GET },
	{ IOMMU_TEST_VIOMMU_CMD_ROW_FIRST, IOMMU_TEST_VIOMMU_CMD_ROW_LAST,
	  GET },
	{ IOMMU_TEST_VIOMMU_CMD_FAIL, IOMMU_TEST_VIOMMU_CMD_FAIL, GET | SET,
	  ~0ULL },
};

static const struct mock_command *find(__u16 index)
{
	size_t i;

	for (i = 0; i < sizeof(mock_table) / sizeof(*mock_table); i++)
		if (index >= mock_table[i].first &&
		    index <= mock_table[i].last)
			return &mock_table[i];
	return NULL;
}

/* 0 or the negative errno that a GET must give */
static int expected_get(__u16 index)
{
	const struct mock_command *cmd = find(index);

	if (!cmd)
		return -EOPNOTSUPP;
	if (!(cmd->dirs & GET))
		return -EACCES;
	return index == IOMMU_TEST_VIOMMU_CMD_FAIL ? -EIO : 0;
}

/* The same for a SET, while no queue is allocated */
static int expected_set(__u16 index, __u64 val64)
{
	const struct mock_command *cmd = find(index);

	if (!cmd)
		return -EOPNOTSUPP;
	if (!(cmd->dirs & SET))
		return -EACCES;
	if (val64 & ~cmd->mask)
		return -EINVAL;
	if (index == IOMMU_TEST_VIOMMU_CMD_FAIL)
		return -EIO;
	if (index == IOMMU_TEST_VIOMMU_CMD_DOORBELL)
		return -ENOENT;
	if (index == IOMMU_TEST_VIOMMU_CMD_ENABLE && val64)
		return -ENOENT;
	return 0;
}

FIXTURE(sweep)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_VARIANT(sweep)
{
	__u32 type;
	__u32 queue_type;
};

FIXTURE_VARIANT_ADD(sweep, phys)
{
	.type = IOMMU_VIOMMU_TYPE_SELFTEST,
	.queue_type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
};

FIXTURE_VARIANT_ADD(sweep, iova)
{
	.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
	.queue_type = IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA,
};

FIXTURE_SETUP(sweep)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs, variant->type,
				 &self->viommu_id));
}

FIXTURE_TEARDOWN(sweep)
{
	close(self->fd);
}

/* 0 or the negative errno of the command */
static int run(int fd, __u32 id, __u16 op, __u16 index, __u64 *val64)
{
	return _test_cmd_viommu_command(fd, id, op, index, val64) ? -errno : 0;
}

TEST_F(sweep, get_every_index)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		__u64 val = VIOMMU_CANARY;
		int want = expected_get(index);

		ASSERT_EQ(want, run(self->fd, self->viommu_id,
				    IOMMU_VIOMMU_COMMAND_OP_GET, index, &val))
			TH_LOG("index 0x%x", index);
		/* Written exactly if it succeeded */
		ASSERT_EQ(want != 0, val == VIOMMU_CANARY);
	}
}

TEST_F(sweep, set_every_index_to_0)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		__u64 val = 0;

		ASSERT_EQ(expected_set(index, 0),
			  run(self->fd, self->viommu_id,
			      IOMMU_VIOMMU_COMMAND_OP_SET, index, &val))
			TH_LOG("index 0x%x", index);
	}
}

TEST_F(sweep, set_every_index_to_all_ones)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		__u64 val = ~0ULL;

		ASSERT_EQ(expected_set(index, ~0ULL),
			  run(self->fd, self->viommu_id,
			      IOMMU_VIOMMU_COMMAND_OP_SET, index, &val))
			TH_LOG("index 0x%x", index);
	}
}

TEST_F(sweep, every_bit_of_every_index)
{
	unsigned int index;
	int bit;

	for (index = 1; index <= UINT16_MAX; index++) {
		if (!find(index))
			continue;
		for (bit = 0; bit < 64; bit++) {
			__u64 val = 1ULL << bit;

			ASSERT_EQ(expected_set(index, val),
				  run(self->fd, self->viommu_id,
				      IOMMU_VIOMMU_COMMAND_OP_SET, index, &val))
				TH_LOG("index 0x%x bit %d", index, bit);
			/* A SET leaves the struct of the caller alone */
			ASSERT_EQ(1ULL << bit, val);
		}
	}
}

TEST_F(sweep, refused_bit_changes_nothing)
{
	__u64 mask = IOMMU_TEST_SCRATCH_MASK;
	int bit;

	test_cmd_viommu_set(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH,
			    mask);
	for (bit = 0; bit < 64; bit++) {
		if (mask & (1ULL << bit))
			continue;
		/* Alone, and together with bits that may be set */
		test_err_viommu_set(EINVAL, self->viommu_id,
				    IOMMU_TEST_VIOMMU_CMD_SCRATCH, 1ULL << bit);
		test_err_viommu_set(EINVAL, self->viommu_id,
				    IOMMU_TEST_VIOMMU_CMD_SCRATCH,
				    (1ULL << bit) | 1);
		test_viommu_reads(mask, self->viommu_id,
				  IOMMU_TEST_VIOMMU_CMD_SCRATCH);
	}
	test_errno_hit("VIOMMU_COMMAND", "EINVAL");
}

/* 0 for what cannot be read */
static void read_all(int fd, __u32 id, __u64 *state)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		state[index] = 0;
		if (!expected_get(index))
			run(fd, id, IOMMU_VIOMMU_COMMAND_OP_GET, index,
			    &state[index]);
	}
}

/* A queue that is enabled, a vDEVICE and a value in each register first */
TEST_F(sweep, refused_set_changes_no_register)
{
	static __u64 before[UINT16_MAX + 1], after[UINT16_MAX + 1];
	unsigned int index;
	__u64 queues = 0;
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, variant->queue_type, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, &id);
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &id);
	test_cmd_viommu_get(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_QUEUES,
			    &queues);
	test_cmd_viommu_set(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_ENABLE,
			    queues);
	test_cmd_viommu_set(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH, 1);
	test_cmd_viommu_set(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_TRIGGER, 2);
	test_cmd_viommu_set(self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SUM, 3);

	read_all(self->fd, self->viommu_id, before);
	for (index = 0; index <= UINT16_MAX; index++) {
		__u64 val = ~0ULL;

		if (expected_set(index, ~0ULL))
			ASSERT_NE(0, run(self->fd, self->viommu_id,
					 IOMMU_VIOMMU_COMMAND_OP_SET, index,
					 &val));
	}
	read_all(self->fd, self->viommu_id, after);
	ASSERT_EQ(0, memcmp(before, after, sizeof(before)));
}

TEST_F(sweep, accepted_bit_is_the_one_that_changes)
{
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(IOMMU_TEST_SCRATCH_MASK & (1ULL << bit)))
			continue;
		test_cmd_viommu_set(self->viommu_id,
				    IOMMU_TEST_VIOMMU_CMD_SCRATCH, 1ULL << bit);
		test_viommu_reads(1ULL << bit, self->viommu_id,
				  IOMMU_TEST_VIOMMU_CMD_SCRATCH);
	}
}

TEST_F(sweep, every_op)
{
	unsigned int op;

	for (op = 2; op <= UINT16_MAX; op++) {
		__u64 val = 1;

		ASSERT_EQ(-EOPNOTSUPP,
			  run(self->fd, self->viommu_id, op,
			      IOMMU_TEST_VIOMMU_CMD_SCRATCH, &val))
			TH_LOG("op 0x%x", op);
		ASSERT_EQ(1, val);
	}
	test_viommu_reads(0, self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH);
	test_errno_hit("VIOMMU_COMMAND", "EOPNOTSUPP");
}

TEST_F(sweep, every_reserved_bit)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->viommu_id,
		.index = IOMMU_TEST_VIOMMU_CMD_SCRATCH,
		.val64 = 1,
	};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		cmd.__reserved = 1U << bit;
		cmd.op = IOMMU_VIOMMU_COMMAND_OP_SET;
		EXPECT_ERRNO(EOPNOTSUPP,
			     ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
		cmd.op = IOMMU_VIOMMU_COMMAND_OP_GET;
		EXPECT_ERRNO(EOPNOTSUPP,
			     ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
		ASSERT_EQ(1, cmd.val64);
	}
	test_viommu_reads(0, self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH);
}

TEST_F(sweep, every_short_size)
{
	struct iommu_viommu_command cmd = {
		.object_id = self->viommu_id,
		.op = IOMMU_VIOMMU_COMMAND_OP_SET,
		.index = IOMMU_TEST_VIOMMU_CMD_SCRATCH,
		.val64 = 1,
	};

	for (cmd.size = 0; cmd.size < sizeof(cmd); cmd.size++)
		EXPECT_ERRNO(EINVAL,
			     ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &cmd));
	test_viommu_reads(0, self->viommu_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH);
}

TEST_F(sweep, every_long_size)
{
	struct {
		struct iommu_viommu_command cmd;
		__u8 tail[64];
	} future = {
		.cmd = {
			.object_id = self->viommu_id,
			.op = IOMMU_VIOMMU_COMMAND_OP_SET,
			.index = IOMMU_TEST_VIOMMU_CMD_SCRATCH,
		},
	};
	size_t i;

	for (i = 1; i <= sizeof(future.tail); i++) {
		future.cmd.size = sizeof(future.cmd) + i;
		future.cmd.val64 = 1;
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &future));

		/* Something in a part that the kernel does not know */
		future.tail[i - 1] = 1;
		future.cmd.val64 = 0x10;
		EXPECT_ERRNO(E2BIG,
			     ioctl(self->fd, IOMMU_VIOMMU_COMMAND, &future));
		test_viommu_reads(1, self->viommu_id,
				  IOMMU_TEST_VIOMMU_CMD_SCRATCH);
		future.tail[i - 1] = 0;
	}
}

TEST_F(sweep, row_of_indices)
{
	__u16 first = IOMMU_TEST_VIOMMU_CMD_ROW_FIRST;
	__u16 last = IOMMU_TEST_VIOMMU_CMD_ROW_LAST;
	__u16 index;

	test_err_viommu_get(EOPNOTSUPP, self->viommu_id, first - 1);
	for (index = first; index <= last; index++) {
		test_viommu_reads(~(__u64)index, self->viommu_id, index);
		test_err_viommu_set(EACCES, self->viommu_id, index, 0);
	}
	test_err_viommu_get(EOPNOTSUPP, self->viommu_id, last + 1);
}

/* Each kind of object that is no vIOMMU, and none at all */

#define test_no_viommu(id)                                                  \
	({                                                                  \
		__u32 __id = (id);                                          \
									    \
		test_err_viommu_get(ENOENT, __id,                           \
				    IOMMU_TEST_VIOMMU_CMD_VERSION);         \
		test_err_viommu_set(ENOENT, __id,                           \
				    IOMMU_TEST_VIOMMU_CMD_SCRATCH, 1);      \
	})

TEST_F(sweep, id_of_nothing)
{
	int bit;

	test_no_viommu(0);
	test_no_viommu(UINT32_MAX);
	/* No bit of the ID is dropped */
	for (bit = 8; bit < 32; bit++)
		test_no_viommu(self->viommu_id | 1U << bit);
	test_errno_hit("VIOMMU_COMMAND", "ENOENT");
}

TEST_F(sweep, id_of_a_destroyed_viommu)
{
	test_ioctl_destroy(self->viommu_id);
	test_no_viommu(self->viommu_id);
}

TEST_F(sweep, id_of_an_ioas)
{
	test_no_viommu(self->objs.ioas_id);
}

TEST_F(sweep, id_of_a_hwpt)
{
	test_no_viommu(self->objs.hwpt_id);
}

TEST_F(sweep, id_of_a_nested_hwpt)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	__u32 id;

	test_cmd_hwpt_alloc_nested(self->objs.device_id, self->viommu_id, 0,
				   &id, IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
	test_no_viommu(id);
}

TEST_F(sweep, id_of_a_device)
{
	test_no_viommu(self->objs.device_id);
}

/* An object of the test driver */
TEST_F(sweep, id_of_a_mock)
{
	test_no_viommu(self->objs.stdev_id);
}

TEST_F(sweep, id_of_a_vdevice)
{
	__u32 id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &id);
	test_no_viommu(id);
}

TEST_F(sweep, id_of_a_veventq)
{
	__u32 id, fd;

	test_cmd_veventq_alloc(self->viommu_id, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
			       &id, &fd);
	test_no_viommu(id);
	close(fd);
}

TEST_F(sweep, id_of_a_fault_queue)
{
	__u32 id, fd;

	test_ioctl_fault_alloc(&id, &fd);
	test_no_viommu(id);
	close(fd);
}

TEST_F(sweep, id_of_a_hw_queue)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, variant->queue_type, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, &id);
	test_no_viommu(id);
}

TEST_HARNESS_MAIN
