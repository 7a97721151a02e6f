// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: a guest's queues at work
 *
 * The guest is this program: it writes commands into memory and rings by way
 * of page 0, which no kernel sees. Where the emulated hardware has a monitor,
 * what a command acted on is looked up there.
 */
#include "tegra241_utils.h"

#define VSID 0x123

FIXTURE(ring)
{
	struct tegra t;
	struct tegra_queue q;
	__u32 veventq_id;
	__u32 event_fd;
	int fd;
};

FIXTURE_SETUP(ring)
{
	const char *reason = tegra_open(&self->t);

	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4,
					     &self->veventq_id,
					     &self->event_fd));
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 0));
	test_queue_enable(&self->q);
}

FIXTURE_TEARDOWN(ring)
{
	close(self->event_fd);
	tegra_close(&self->t);
}

TEST_F(ring, enabled)
{
	test_viommu_reads(queue_state(&self->q), self->t.v.id, GET_QUEUE(0));
	queue_write(&self->q, PAGE0_CONFIG, 0);
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_STATUS));
	test_viommu_reads(queue_state(&self->q), self->t.v.id, GET_QUEUE(0));
	test_queue_enable(&self->q);
	test_viommu_reads(queue_state(&self->q), self->t.v.id, GET_QUEUE(0));
}

TEST_F(ring, sync)
{
	test_queue_good(&self->q, CMD_SYNC, 0);
	test_queue_good(&self->q, CMD_SYNC, 0);
	EXPECT_EQ(0, queue_pending(&self->q));
}

TEST_F(ring, wrap)
{
	int i;

	for (i = 0; i < 100; i++)
		test_queue_good(&self->q, CMD_SYNC, 0);
	EXPECT_EQ(100 % 32, queue_read(&self->q, PAGE0_CONS));
}

TEST_F(ring, full)
{
	int i, j;

	for (i = 0; i < 5; i++) {
		for (j = 0; j < 16; j++)
			queue_put(&self->q, CMD_SYNC, 0);
		ASSERT_EQ(self->q.prod, queue_run(&self->q));
	}
}

TEST_F(ring, invalidations)
{
	test_queue_good(&self->q, CMD_TLBI_NH_ASID, 0);
	test_queue_good(&self->q, CMD_TLBI_NH_VA, 0x1000);
	test_queue_good(&self->q, CMD_SYNC, 0);
}

TEST_F(ring, runs_what_waited)
{
	queue_write(&self->q, PAGE0_CONFIG, 0);
	queue_put(&self->q, CMD_SYNC, 0);
	queue_write(&self->q, PAGE0_PROD, self->q.prod);
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_CONS));
	test_queue_enable(&self->q);
	EXPECT_EQ(1, queue_run(&self->q));
}

FIXTURE(illegal)
{
	struct tegra t;
	struct tegra_queue q;
	int fd;
};

FIXTURE_VARIANT(illegal)
{
	__u64 command;
};

/* Commands that an SMMU knows and a guest may not send here */
FIXTURE_VARIANT_ADD(illegal, prefetch)
{
	.command = 0x01,
};

FIXTURE_VARIANT_ADD(illegal, cfgi_ste)
{
	.command = 0x03,
};

FIXTURE_VARIANT_ADD(illegal, cfgi_all)
{
	.command = 0x04,
};

FIXTURE_VARIANT_ADD(illegal, cfgi_cd)
{
	.command = 0x05,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_nh_all)
{
	.command = 0x10,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_nh_vaa)
{
	.command = 0x13,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_el2_all)
{
	.command = 0x20,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_s12_vmall)
{
	.command = 0x28,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_s2_ipa)
{
	.command = 0x2a,
};

FIXTURE_VARIANT_ADD(illegal, tlbi_nsnh_all)
{
	.command = 0x30,
};

FIXTURE_VARIANT_ADD(illegal, resume)
{
	.command = 0x44,
};

FIXTURE_VARIANT_ADD(illegal, sync_with_interrupt)
{
	.command = CMD_SYNC | 1 << 12,
};

FIXTURE_VARIANT_ADD(illegal, no_command)
{
	.command = 0xff,
};

FIXTURE_SETUP(illegal)
{
	const char *reason = tegra_open(&self->t);

	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 0));
	test_queue_enable(&self->q);
}

FIXTURE_TEARDOWN(illegal)
{
	tegra_close(&self->t);
}

TEST_F(illegal, stops_the_queue)
{
	__u64 before = queue_state(&self->q);

	EXPECT_EQ(1, (__u32)before);
	test_queue_bad(&self->q, variant->command, 0, CERROR_ILL);
	test_viommu_reads(1, self->t.v.id, GET_ERR_MAP);
	/* Enabled, and the upper half is what toggled */
	EXPECT_EQ(before ^ (__u64)GERROR_CMDQ << 32, queue_state(&self->q));
	test_viommu_reads(queue_state(&self->q), self->t.v.id, GET_QUEUE(0));
	queue_skip(&self->q);
	EXPECT_EQ(self->q.prod, queue_run(&self->q));
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
	test_queue_good(&self->q, CMD_SYNC, 0);
}

TEST_F(ring, event)
{
	EXPECT_EQ(0, tegra_event(self->event_fd, NULL));
	test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
	EXPECT_EQ(1, tegra_event(self->event_fd, NULL));
	/* One for each error */
	EXPECT_EQ(0, tegra_event(self->event_fd, NULL));
	queue_skip(&self->q);
	test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
	EXPECT_EQ(1, tegra_event(self->event_fd, NULL));
}

TEST_F(ring, event_of_another_queue)
{
	struct tegra_queue q1;

	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &q1, 1, 1));
	test_queue_enable(&q1);
	test_queue_bad(&q1, 0xff, 0, CERROR_ILL);
	EXPECT_EQ(2, tegra_event(self->event_fd, NULL));
	/* That one goes on */
	test_queue_good(&self->q, CMD_SYNC, 0);
	test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
	EXPECT_EQ(3, tegra_event(self->event_fd, NULL));
	test_viommu_reads(3, self->t.v.id, GET_ERR_MAP);
	/* Two queues, an error, enabled */
	test_viommu_reads(0x20003, self->t.v.id, GET_VINTF);
}

TEST_F(ring, events_that_nobody_reads)
{
	__u32 flags = 0;
	int i;

	for (i = 0; i < 8; i++) {
		test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
		/* The event is on its way through a thread of the kernel */
		usleep(20000);
		queue_skip(&self->q);
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(1, tegra_event(self->event_fd, &flags));
		EXPECT_EQ(0, flags);
	}
	EXPECT_EQ(0, tegra_event(self->event_fd, &flags));
	EXPECT_EQ(IOMMU_VEVENTQ_FLAG_LOST_EVENTS, flags);
}

TEST_F(ring, stream_without_vdevice)
{
	test_queue_bad(&self->q, CMD_ATC_INV | CMD_ID(VSID), 0,
		       CERROR_ILL_ACCESS);
	EXPECT_EQ(1, tegra_event(self->event_fd, NULL));
}

TEST_F(ring, stream_of_a_vdevice)
{
	__u32 id;

	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], VSID, &id));
	test_queue_good(&self->q, CMD_ATC_INV | CMD_ID(VSID), 0);
	test_queue_bad(&self->q, CMD_ATC_INV | CMD_ID(VSID + 1), 0,
		       CERROR_ILL_ACCESS);
	queue_skip(&self->q);
	/* What is freed is out of reach at once */
	test_ioctl_destroy(id);
	test_queue_bad(&self->q, CMD_ATC_INV | CMD_ID(VSID), 0,
		       CERROR_ILL_ACCESS);
}

/* Requester ID of a device, which is its StreamID in the emulated machine */
static int stream_of(const char *bdf)
{
	unsigned int domain, bus, slot, fn;

	if (sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &slot, &fn) != 4)
		return -1;
	return bus << 8 | slot << 3 | fn;
}

/* The global number of the first VINTF's queue 0 is that of the host's + 4 */
#define model_queue(index, member) \
	monitor_member("cmdqv-queues", TEGRA_QUEUES + (index), member)

TEST_F(ring, stream_is_replaced)
{
	__u32 id;
	int n;

	if (model_queue(0, "last-id") < 0)
		SKIP(return, "no monitor of emulated hardware");
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
						     self->t.dev_id[n],
						     VSID + n, &id));
		test_queue_good(&self->q, CMD_ATC_INV | CMD_ID(VSID + n), 0);
		EXPECT_EQ(stream_of(self->t.bdf[n]), model_queue(0, "last-id"));
	}
	/* The first one is still there */
	test_queue_good(&self->q, CMD_ATC_INV | CMD_ID(VSID), 0);
	EXPECT_EQ(stream_of(self->t.bdf[0]), model_queue(0, "last-id"));
}

TEST_F(ring, vmid_is_replaced)
{
	long long config, vmid;

	config = monitor_member("cmdqv-vintfs", 1, "config");
	if (config < 0)
		SKIP(return, "no monitor of emulated hardware");
	/* Not the hypervisor's, enabled, VMID in between */
	EXPECT_EQ(1, config & 0x20001);
	vmid = config >> 1 & 0xffff;
	EXPECT_NE(0, vmid);
	test_queue_good(&self->q, CMD_TLBI_NH_ASID | CMD_ID(0xabcd), 0);
	EXPECT_EQ(vmid, model_queue(0, "last-id"));
	test_queue_good(&self->q, CMD_TLBI_NH_VA | CMD_ID(0), 0x1000);
	EXPECT_EQ(vmid, model_queue(0, "last-id"));
}

/* A second guest, with another address space and another device */
FIXTURE(two)
{
	struct tegra t;
	struct tegra_viommu other;
	struct tegra_queue a;
	struct tegra_queue b;
	__u32 event_fd[2];
	int fd;
};

FIXTURE_SETUP(two)
{
	const char *reason = tegra_open(&self->t);
	__u32 id;

	self->other.page0 = MAP_FAILED;
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &self->other));
	ASSERT_EQ(0, tegra_map_page0(&self->t, &self->other));
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->a, 0, 0));
	ASSERT_EQ(0, queue_alloc(&self->t, &self->other, &self->b, 0, 1));
	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &id,
					     &self->event_fd[0]));
	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->other.id,
					     TEGRA_VEVENTQ, 4, &id,
					     &self->event_fd[1]));
}

FIXTURE_TEARDOWN(two)
{
	close(self->event_fd[0]);
	close(self->event_fd[1]);
	if (self->other.page0 != MAP_FAILED)
		munmap(self->other.page0, TEGRA_PAGE0_SIZE);
	tegra_close(&self->t);
}

TEST_F(two, registers)
{
	test_queue_enable(&self->a);
	EXPECT_EQ(0, queue_read(&self->b, PAGE0_STATUS));
	queue_write(&self->b, PAGE0_PROD, 3);
	EXPECT_EQ(0, queue_read(&self->a, PAGE0_PROD));
	test_viommu_reads(queue_state(&self->a), self->t.v.id, GET_QUEUE(0));
	test_viommu_reads(queue_state(&self->b), self->other.id, GET_QUEUE(0));
	EXPECT_EQ(1, queue_state(&self->a) & 1);
	EXPECT_EQ(0, queue_state(&self->b) & 1);
}

TEST_F(two, errors)
{
	test_queue_enable(&self->a);
	test_queue_enable(&self->b);
	test_queue_bad(&self->a, 0xff, 0, CERROR_ILL);
	test_queue_good(&self->b, CMD_SYNC, 0);
	EXPECT_EQ(1, tegra_event(self->event_fd[0], NULL));
	EXPECT_EQ(0, tegra_event(self->event_fd[1], NULL));
	test_viommu_reads(1, self->t.v.id, GET_ERR_MAP);
	test_viommu_reads(0, self->other.id, GET_ERR_MAP);
}

TEST_F(two, streams)
{
	__u32 id;

	test_queue_enable(&self->a);
	test_queue_enable(&self->b);
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], VSID, &id));
	test_queue_good(&self->a, CMD_ATC_INV | CMD_ID(VSID), 0);
	test_queue_bad(&self->b, CMD_ATC_INV | CMD_ID(VSID), 0,
		       CERROR_ILL_ACCESS);
	queue_skip(&self->b);
	/* The same vSID may be another device there */
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->other.id,
					     self->t.dev_id[1], VSID, &id));
	test_queue_good(&self->b, CMD_ATC_INV | CMD_ID(VSID), 0);
}

TEST_F(two, one_leaves)
{
	test_queue_enable(&self->a);
	test_queue_enable(&self->b);
	test_queue_bad(&self->b, 0xff, 0, CERROR_ILL);
	munmap(self->other.page0, TEGRA_PAGE0_SIZE);
	self->other.page0 = MAP_FAILED;
	test_ioctl_destroy(self->b.id);
	test_queue_good(&self->a, CMD_SYNC, 0);
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
}

/* A queue with an error goes; the next one there knows nothing of it */
TEST_F(ring, next_queue_is_clean)
{
	test_queue_bad(&self->q, 0xff, 0, CERROR_ILL);
	test_ioctl_destroy(self->q.id);
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &self->q, 0, 3));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_STATUS));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_PROD));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_CONS) & 0xfffff);
	EXPECT_EQ(0, queue_pending(&self->q));
	test_queue_enable(&self->q);
	test_queue_good(&self->q, CMD_SYNC, 0);
}

/* What is destroyed while it runs stops, and page 0 shows nothing any more */
TEST_F(ring, destroyed_while_enabled)
{
	queue_put(&self->q, CMD_SYNC, 0);
	test_ioctl_destroy(self->q.id);
	queue_write(&self->q, PAGE0_PROD, self->q.prod);
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_STATUS));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_PROD));
	EXPECT_EQ(0, queue_read(&self->q, PAGE0_CONS));
}

/* A guest that writes nonsense into its page hurts nobody else */
TEST_F(ring, nonsense)
{
	unsigned int i;
	__u64 status = 0;

	srand(1);
	for (i = 0; i < 20000; i++)
		page0_write(&self->t.v, 0, rand() % TEGRA_PAGE0_SIZE & ~3,
			    rand());
	for (i = 0; i < 5000; i++)
		page0_write(&self->t.v, 0, rand() % 8 * 4, rand());
	/* Still enabled, still one queue, and whatever that one has come to */
	test_cmd_viommu_get(self->t.v.id, GET_VINTF, &status);
	EXPECT_EQ(1 | 1 << 16, status & ~0xeULL);
}

TEST_HARNESS_MAIN
