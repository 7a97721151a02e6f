// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: hardware that does not do what it is told
 *
 * Needs the monitor of an emulated machine, see tegra241_utils.h, for the knobs
 * of the hardware; skips without it.
 */
#include <time.h>

#include "tegra241_utils.h"

FIXTURE(fault)
{
	struct tegra t;
	struct tegra_queue q;
	int fd;
};

/* What the tests turn; all of it is off before and after each of them */
static const char *const knobs[] = {
	"cmdqv-vintf-stuck", "cmdqv-vintf-live", "cmdqv-queue-stuck",
	"cmdqv-queue-live", "cmdqv-queue-stall", "cmdqv-fetch-error",
};

static int knobs_off(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knobs); i++)
		if (monitor_set(knobs[i], "0"))
			return -1;
	return monitor_set("cmdqv-atc-timeout", "false") ||
	       monitor_set("cmdqv-irq-lost", "false") ||
	       monitor_set("cmdqv-all-ones", "false");
}

FIXTURE_SETUP(fault)
{
	const char *reason;

	self->t.fd = -1;
	self->t.cdev[0] = -1;
	self->t.cdev[1] = -1;
	self->t.ram = MAP_FAILED;
	self->t.v.page0 = MAP_FAILED;
	if (knobs_off())
		SKIP(return, "no monitor of emulated hardware");
	reason = tegra_open(&self->t);
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 0));
}

FIXTURE_TEARDOWN(fault)
{
	if (self->t.fd < 0)
		return;
	EXPECT_EQ(0, knobs_off());
	tegra_close(&self->t);
}

static long long model_vintf(unsigned int vintf, const char *member)
{
	return monitor_member("cmdqv-vintfs", vintf, member);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* VINTF 2 does not get enabled: refused, and nothing of it stays behind */
TEST_F(fault, vintf_stuck)
{
	struct tegra_viommu v;

	ASSERT_EQ(0, monitor_set("cmdqv-vintf-stuck", "4"));
	EXPECT_ERRNO(ETIMEDOUT, tegra_viommu_alloc(&self->t, &v));
	EXPECT_EQ(0, model_vintf(2, "config"));
	EXPECT_EQ(0, model_vintf(2, "enabled"));
	/* The VINTF is free again, and the other one never noticed */
	ASSERT_EQ(0, monitor_set("cmdqv-vintf-stuck", "0"));
	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	EXPECT_EQ(1, model_vintf(2, "enabled"));
	test_viommu_reads(1 | 1 << 16, self->t.v.id, GET_VINTF);
}

TEST_F(fault, vintf_stays_enabled)
{
	struct tegra_viommu v;
	double begin;

	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	ASSERT_EQ(0, monitor_set("cmdqv-vintf-live", "4"));
	begin = now();
	test_ioctl_destroy(v.id);
	/* The driver waits for a second and goes on */
	EXPECT_GT(20, now() - begin);
	ASSERT_EQ(0, monitor_set("cmdqv-vintf-live", "0"));
	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	test_viommu_reads(1, v.id, GET_VINTF);
}

/* Hardware that is gone reads as all ones, which is not its state */
TEST_F(fault, all_ones_is_no_state)
{
	unsigned int i;

	ASSERT_EQ(0, monitor_set("cmdqv-all-ones", "true"));
	test_err_viommu_get(EIO, self->t.v.id, GET_VINTF);
	for (i = 0; i < 2; i++)
		test_err_viommu_get(EIO, self->t.v.id, GET_ERR_MAP + i);
	test_err_viommu_get(EIO, self->t.v.id, GET_QUEUE(0));
	/* What does not ask the hardware answers as ever */
	test_err_viommu_get(ENOENT, self->t.v.id, GET_QUEUE(1));
	ASSERT_EQ(0, monitor_set("cmdqv-all-ones", "false"));
	for (i = 0; i < 2; i++)
		test_viommu_reads(0, self->t.v.id, GET_ERR_MAP + i);
	test_viommu_reads(0, self->t.v.id, GET_QUEUE(0));
}

/* The enable of a queue fails: page 0 and the VMM's GET tell the same */
TEST_F(fault, queue_stuck)
{
	ASSERT_EQ(0, monitor_set("cmdqv-queue-stuck", "16"));
	EXPECT_FALSE(queue_enable(&self->q));
	EXPECT_EQ(GERROR_INIT, queue_pending(&self->q));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_STATUS));
	test_viommu_reads(queue_state(&self->q), self->t.v.id, GET_QUEUE(0));
	test_viommu_reads(1, self->t.v.id, GET_ERR_MAP);
	ASSERT_EQ(0, monitor_set("cmdqv-queue-stuck", "0"));
	queue_write(&self->q, PAGE0_GERRORN,
		    queue_read(&self->q, PAGE0_GERROR));
	test_queue_enable(&self->q);
	test_queue_good(&self->q, CMD_SYNC, 0);
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
}

TEST_F(fault, queue_stuck_is_an_event)
{
	__u32 id, event_fd;

	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &id,
					     &event_fd));
	ASSERT_EQ(0, monitor_set("cmdqv-queue-stuck", "16"));
	EXPECT_FALSE(queue_enable(&self->q));
	EXPECT_EQ(1, tegra_event(event_fd, NULL));
	close(event_fd);
}

TEST_F(fault, queue_stays_enabled)
{
	double begin;

	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-queue-live", "16"));
	begin = now();
	test_ioctl_destroy(self->q.id);
	EXPECT_GT(20, now() - begin);
	ASSERT_EQ(0, monitor_set("cmdqv-queue-live", "0"));
}

TEST_F(fault, stalled_queue_can_go)
{
	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-queue-stall", "16"));
	queue_put(&self->q, CMD_SYNC, 0);
	EXPECT_EQ(0, queue_run(&self->q));
	test_ioctl_destroy(self->q.id);
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 1));
	test_queue_enable(&self->q);
}

TEST_F(fault, commands_cannot_be_read)
{
	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-fetch-error", "16"));
	test_queue_bad(&self->q, CMD_SYNC, 0, 2);
	ASSERT_EQ(0, monitor_set("cmdqv-fetch-error", "0"));
	queue_write(&self->q, PAGE0_GERRORN,
		    queue_read(&self->q, PAGE0_GERROR));
	EXPECT_EQ(1, queue_run(&self->q));
}

/* No event then, but the VMM can read what hardware says */
TEST_F(fault, interrupt_lost)
{
	__u32 id, event_fd;

	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &id,
					     &event_fd));
	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-irq-lost", "true"));
	test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
	EXPECT_EQ(0, tegra_event(event_fd, NULL));
	test_viommu_reads(1, self->t.v.id, GET_ERR_MAP);
	close(event_fd);
}

/* A timeout that the guest did not collect is not for the next one */
TEST_F(fault, timeout_of_the_past)
{
	__u32 id;

	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 5, &id));
	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-atc-timeout", "true"));
	test_queue_good(&self->q, CMD_ATC_INV | CMD_ID(5), 0);
	test_ioctl_destroy(self->q.id);
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 0));
	test_queue_enable(&self->q);
	test_queue_good(&self->q, CMD_SYNC, 0);
	/* Whoever asks for it gets it */
	test_queue_good(&self->q, CMD_ATC_INV | CMD_ID(5), 0);
	test_queue_bad(&self->q, CMD_SYNC, 0, CERROR_ATC_SYNC);
}

/*
 * The driver's reset of an SMMU sets up the host's own VINTF again and no
 * other: here is what that looks like to a VMM. It can find out, and nothing of
 * what it does then may hang or reach others. A vIOMMU that it makes anew
 * works.
 */
TEST_F(fault, vintfs_lost_in_a_reset)
{
	struct tegra_viommu v;

	test_queue_enable(&self->q);
	ASSERT_EQ(0, monitor_set("cmdqv-inject", "\"lose\""));
	test_viommu_reads(0, self->t.v.id, GET_VINTF);
	test_viommu_reads(0, self->t.v.id, GET_QUEUE(0));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_STATUS));
	queue_put(&self->q, CMD_SYNC, 0);
	queue_write(&self->q, PAGE0_PROD, self->q.prod);
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_CONS));
	test_ioctl_destroy(self->q.id);
	munmap(self->t.v.page0, TEGRA_PAGE0_SIZE);
	self->t.v.page0 = MAP_FAILED;
	test_ioctl_destroy(self->t.v.id);
	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	ASSERT_EQ(0, tegra_map_page0(&self->t, &v));
	ASSERT_EQ(0, queue_alloc(&self->t, &v, &self->q, 0, 1));
	test_queue_enable(&self->q);
	test_queue_good(&self->q, CMD_SYNC, 0);
	munmap(v.page0, TEGRA_PAGE0_SIZE);
}

TEST_HARNESS_MAIN
