// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: what an invalidation of a guest costs the host
 *
 * The same commands, once by the guest's own queue and once as a VMM that traps
 * the guest's ring forwards them. Counted are calls of this program and what
 * the emulated hardware saw; needs its monitor. A VMM has an exit for each
 * ioctl: the guest's write to PROD that tells it of the commands.
 */
#include "tegra241_utils.h"

#define ROUNDS 1000
#define MOST 8

FIXTURE(cost)
{
	struct tegra t;
	struct tegra_queue q;
	long long begin;
	int fd;
};

/* Of each CMD_SYNC */
FIXTURE_VARIANT(cost)
{
	unsigned int invalidations;
};

FIXTURE_VARIANT_ADD(cost, one)
{
	.invalidations = 1,
};

FIXTURE_VARIANT_ADD(cost, many)
{
	.invalidations = MOST,
};

/* Commands of the host: in the queue of the SMMU and in those of its VINTF */
static long long host_commands(void)
{
	long long sum = monitor_member("cmdqv-counters", 0, "smmu-commands");
	int i;

	for (i = 0; i < TEGRA_QUEUES; i++)
		sum += monitor_member("cmdqv-queues", i, "commands");
	return sum;
}

FIXTURE_SETUP(cost)
{
	const char *reason = tegra_open(&self->t);

	if (!reason && monitor_member("cmdqv-counters", 0, "irqs") < 0)
		reason = "no monitor of emulated hardware";
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 0));
	test_queue_enable(&self->q);
	self->begin = host_commands();
}

FIXTURE_TEARDOWN(cost)
{
	tegra_close(&self->t);
}

/* In brackets: invalidations of the guest and its CMD_SYNCs */
#define log_cost(how, ioctls, host, writes)                                 \
	TH_LOG("%s (%u+%d): %d ioctls, %lld host commands, %lld doorbells", \
	       how, ROUNDS * variant->invalidations, ROUNDS, ioctls, host,  \
	       writes)

/* Writes of the guest to its page are all there is */
TEST_F(cost, direct)
{
	long long writes = monitor_member("cmdqv-vintfs", 1, "page0-writes");
	long long host;
	unsigned int n;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		for (n = 0; n < variant->invalidations; n++)
			queue_put(&self->q, CMD_TLBI_NH_ASID, 0);
		test_queue_good(&self->q, CMD_SYNC, 0);
	}
	host = host_commands() - self->begin;
	writes = monitor_member("cmdqv-vintfs", 1, "page0-writes") - writes;
	log_cost("direct", 0, host, writes);
	EXPECT_EQ(ROUNDS, writes);
	/* Whatever else the host has to do in the meantime, it is not this */
	EXPECT_GT(ROUNDS / 10, host);
}

/* An ioctl for each CMD_SYNC, and the host's own commands for it */
TEST_F(cost, trapped)
{
	struct iommu_viommu_arm_smmuv3_invalidate inv[MOST] = {};
	long long writes = monitor_member("cmdqv-vintfs", 1, "page0-writes");
	int ioctls = 0;
	long long host;
	unsigned int n;
	int i;

	for (n = 0; n < variant->invalidations; n++)
		inv[n].cmd[0] = CMD_TLBI_NH_ASID;
	for (i = 0; i < ROUNDS; i++) {
		struct iommu_hwpt_invalidate cmd = {
			.size = sizeof(cmd),
			.hwpt_id = self->t.v.id,
			.data_uptr = (uintptr_t)inv,
			.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
			.entry_len = sizeof(*inv),
			.entry_num = variant->invalidations,
		};

		ioctls++;
		ASSERT_EQ(0, ioctl(self->fd, IOMMU_HWPT_INVALIDATE, &cmd));
		ASSERT_EQ(variant->invalidations, cmd.entry_num);
	}
	host = host_commands() - self->begin;
	writes = monitor_member("cmdqv-vintfs", 1, "page0-writes") - writes;
	log_cost("trapped", ioctls, host, writes);
	EXPECT_EQ(0, writes);
	/* The commands and their CMD_SYNC */
	EXPECT_LE((variant->invalidations + 1) * ROUNDS, host);
}

TEST_HARNESS_MAIN
