// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: each allocation of a VMM's life fails once
 *
 * Needs CONFIG_FAULT_INJECTION with failslab. A sequence that is broken off at
 * any of its points must leave nothing behind: at the end of each sweep as many
 * vIOMMUs, queues and vDEVICEs can be had as before.
 */
#include "tegra241_utils.h"

#define MAX_NTH 500

static int nth_fd = -1;

static bool setup_injection(void)
{
	char path[64];

	if (tegra_file_write("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"))
		return false;
	tegra_file_write("/sys/kernel/debug/failslab/verbose", "0");
	tegra_file_write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait",
			 "N");
	tegra_file_write("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
	nth_fd = open(path, O_RDWR);
	return nth_fd >= 0;
}

static void nth_start(unsigned int nth)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", nth);

	if (pwrite(nth_fd, buf, len, 0) != len)
		abort();
}

/* Did it come to the point? Reading and clearing it may be what fails. */
static bool nth_stop(void)
{
	char buf[16] = "";
	ssize_t len = pread(nth_fd, buf, sizeof(buf) - 1, 0);
	bool hit = len < 0 || !atoi(buf);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	return hit;
}

FIXTURE(nth)
{
	struct tegra t;
	int fd;
};

FIXTURE_SETUP(nth)
{
	const char *reason = tegra_open(&self->t);

	if (!reason && !setup_injection())
		reason = "the kernel has no fault injection";
	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
}

FIXTURE_TEARDOWN(nth)
{
	if (nth_fd >= 0)
		close(nth_fd);
	tegra_close(&self->t);
}

/*
 * Memory, a user copy and, with CONFIG_IOMMUFD_TEST, the look-up of an object
 * or the walk of the pages to pin
 */
static bool injected_errno(int err)
{
	return err == ENOMEM || err == EFAULT || err == ENOENT || err == EINVAL;
}

/*
 * Sweep over @call, which returns -1 with errno as ioctl() does; @undo takes
 * back what it did.
 */
#define sweep(call, undo)                                            \
	({                                                           \
		unsigned int __nth;                                  \
		int __rc = 0;                                        \
								     \
		for (__nth = 1; __nth < MAX_NTH; __nth++) {          \
			int __errno;                                 \
			bool __hit;                                  \
								     \
			nth_start(__nth);                            \
			__rc = (call);                               \
			__errno = errno;                             \
			__hit = nth_stop();                          \
			if (!__rc) {                                 \
				undo;                                \
				if (!__hit)                          \
					break;                       \
				continue;                            \
			}                                            \
			ASSERT_TRUE(__hit);                          \
			ASSERT_TRUE(injected_errno(__errno));        \
		}                                                    \
		ASSERT_EQ(0, __rc);                                  \
		ASSERT_GT(MAX_NTH, __nth);                           \
		TH_LOG("%u points", __nth - 1);                      \
		/* Something was injected at all */                  \
		ASSERT_LT(1, __nth);                                 \
	})

TEST_F(nth, viommu)
{
	struct tegra_viommu v[TEGRA_VINTFS];
	int i;

	sweep(tegra_viommu_alloc(&self->t, &v[0]), test_ioctl_destroy(v[0].id));
	for (i = 0; i < TEGRA_VINTFS - 1; i++)
		ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v[i]));
}

TEST_F(nth, vdevice)
{
	__u32 id;
	int i;

	sweep(_test_cmd_vdevice_alloc(self->fd, self->t.v.id,
				      self->t.dev_id[0], 1, &id),
	      test_ioctl_destroy(id));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
						     self->t.dev_id[0], i,
						     &id));
		test_ioctl_destroy(id);
	}
}

TEST_F(nth, queue)
{
	struct tegra_queue q[2];
	long pinned = viommu_pinned();

	sweep(queue_alloc(&self->t, &self->t.v, &q[0], 0, 0),
	      test_ioctl_destroy(q[0].id));
	EXPECT_EQ(pinned, viommu_pinned());
	ASSERT_EQ(0, queue_alloc(&self->t, &self->t.v, &q[0], 0, 0));
	sweep(queue_alloc(&self->t, &self->t.v, &q[1], 1, 1),
	      test_ioctl_destroy(q[1].id));
	test_queue_enable(&q[0]);
	test_queue_good(&q[0], CMD_SYNC, 0);
	/* Nothing depends on it that is not there */
	test_ioctl_destroy(q[0].id);
}

TEST_F(nth, veventq)
{
	__u32 id, event_fd;

	sweep(_test_cmd_veventq_alloc(self->fd, self->t.v.id, TEGRA_VEVENTQ, 4,
				      &id, &event_fd),
	      ({ close(event_fd); test_ioctl_destroy(id); }));
}

TEST_F(nth, get)
{
	__u64 val = 0;

	sweep(_test_cmd_viommu_get(self->fd, self->t.v.id, GET_VINTF, &val),
	      ASSERT_EQ(1, val));
}

TEST_F(nth, page0)
{
	munmap(self->t.v.page0, TEGRA_PAGE0_SIZE);
	self->t.v.page0 = MAP_FAILED;
	sweep(tegra_map_page0(&self->t, &self->t.v),
	      munmap(self->t.v.page0, TEGRA_PAGE0_SIZE));
	self->t.v.page0 = MAP_FAILED;
	test_ioctl_destroy(self->t.v.id);
}

TEST_HARNESS_MAIN
