// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HW_QUEUE_ALLOC for queues that the hardware reads by host physical
 * address: contiguous, pinned, in order. viommu_hw_queue.c has the other kind.
 */
#include <pthread.h>

#include "viommu_utils.h"

#define PHYS IOMMU_HW_QUEUE_TYPE_SELFTEST
#define QUEUES IOMMU_TEST_VIOMMU_CMD_QUEUES
#define ENABLE IOMMU_TEST_VIOMMU_CMD_ENABLE
#define BASE VIOMMU_RAM_IOVA

FIXTURE(phys_queue)
{
	int fd;
	__u32 viommu_id;
	__u32 ioas_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(phys_queue)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	self->ioas_id = self->objs.ioas_id;
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST, &self->viommu_id));
}

FIXTURE_TEARDOWN(phys_queue)
{
	close(self->fd);
}

#define test_refused(_errno, type, index, base, length)                    \
	({                                                                 \
		__u32 __id;                                                \
									   \
		test_err_hw_queue_alloc(_errno, self->viommu_id, type,     \
					index, base, length, &__id);       \
		test_viommu_reads(0, self->viommu_id, QUEUES);             \
	})

TEST_F(phys_queue, type_of_the_other_kind)
{
	test_refused(EOPNOTSUPP, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0, BASE,
		     PAGE_SIZE);
	test_refused(EOPNOTSUPP, IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG, 0, BASE,
		     PAGE_SIZE);
}

TEST_F(phys_queue, length_zero)
{
	test_refused(EINVAL, PHYS, 0, BASE, 0);
}

TEST_F(phys_queue, end_overflows)
{
	test_refused(EOVERFLOW, PHYS, 0, ~0ULL, PAGE_SIZE);
	test_refused(EOVERFLOW, PHYS, 0, BASE, ~0ULL);
}

/* Rounded up to pages it does not fit, though the end itself does */
TEST_F(phys_queue, pages_overflow)
{
	test_refused(ERANGE, PHYS, 0, 0, ~0ULL);
	test_refused(ERANGE, PHYS, 0, 1, ~0ULL);
}

TEST_F(phys_queue, not_mapped)
{
	test_refused(ENOENT, PHYS, 0, BASE + VIOMMU_RAM_SIZE, PAGE_SIZE);
	/* Only the first page is */
	test_refused(ENOENT, PHYS, 0, BASE + VIOMMU_RAM_SIZE - PAGE_SIZE,
		     PAGE_SIZE * 2);
}

TEST_F(phys_queue, out_of_order)
{
	test_refused(EIO, PHYS, 1, BASE, PAGE_SIZE);
	test_errno_hit("HW_QUEUE_ALLOC", "EIO");
}

TEST_F(phys_queue, index_too_large)
{
	test_refused(EINVAL, PHYS, IOMMU_TEST_HW_QUEUE_MAX, BASE, PAGE_SIZE);
	test_refused(EINVAL, PHYS, UINT32_MAX, BASE, PAGE_SIZE);
}

TEST_F(phys_queue, not_contiguous)
{
	__u64 base = BASE + VIOMMU_RAM_SIZE;
	void *page[4];
	int i;

	/* A page twice in a row cannot be contiguous */
	for (i = 0; i < 4; i++) {
		page[i] = self->objs.ram;
		test_ioctl_ioas_map_fixed_id(self->ioas_id, page[i], PAGE_SIZE,
					     base + i * PAGE_SIZE);
	}
	test_refused(EFAULT, PHYS, 0, base, PAGE_SIZE * 2);
	/* Across the boundary in the middle of two pages */
	test_refused(EFAULT, PHYS, 0, base + PAGE_SIZE / 2, PAGE_SIZE);
	test_errno_hit("HW_QUEUE_ALLOC", "EFAULT");
	/* Nothing stayed pinned */
	for (i = 0; i < 4; i++)
		test_ioctl_ioas_unmap_id(self->ioas_id, base + i * PAGE_SIZE,
					 PAGE_SIZE);
}

TEST_F(phys_queue, memory_stays_until_the_queue_goes)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 0, BASE, PAGE_SIZE, &id);
	test_err_ioctl_ioas_unmap(EBUSY, BASE, VIOMMU_RAM_SIZE);
	test_ioctl_destroy(id);
	test_ioctl_ioas_unmap_id(self->ioas_id, BASE, VIOMMU_RAM_SIZE);
}

TEST_F(phys_queue, refused_queue_leaves_memory_alone)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 0, BASE, PAGE_SIZE, &id);
	/* The driver refuses these after the memory was pinned for them */
	test_err_hw_queue_alloc(EEXIST, self->viommu_id, PHYS, 0, BASE,
				PAGE_SIZE, NULL);
	test_err_hw_queue_alloc(EINVAL, self->viommu_id, PHYS, 7, BASE,
				PAGE_SIZE, NULL);
	test_ioctl_destroy(id);
	test_ioctl_ioas_unmap_id(self->ioas_id, BASE, VIOMMU_RAM_SIZE);
}

TEST_F(phys_queue, destroy_in_descending_order)
{
	__u32 id[2];

	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 0, BASE, PAGE_SIZE,
				&id[0]);
	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 1, BASE, PAGE_SIZE,
				&id[1]);
	test_viommu_reads(3, self->viommu_id, QUEUES);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->viommu_id));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id[0]));
	test_ioctl_destroy(id[1]);
	test_viommu_reads(1, self->viommu_id, QUEUES);
	test_ioctl_destroy(id[0]);
	test_viommu_reads(0, self->viommu_id, QUEUES);
	test_ioctl_destroy(self->viommu_id);
}

/* The mock used to forget which index a queue has */
TEST_F(phys_queue, last_index_can_come_back)
{
	__u32 id[2];
	int i;

	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 0, BASE, PAGE_SIZE,
				&id[0]);
	for (i = 0; i < 3; i++) {
		test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 1, BASE,
					PAGE_SIZE, &id[1]);
		test_ioctl_destroy(id[1]);
		test_err_hw_queue_alloc(EEXIST, self->viommu_id, PHYS, 0, BASE,
					PAGE_SIZE, NULL);
	}
	test_ioctl_destroy(id[0]);
}

TEST_F(phys_queue, enable)
{
	__u32 id;

	test_err_viommu_set(ENOENT, self->viommu_id, ENABLE, 1);
	test_cmd_hw_queue_alloc(self->viommu_id, PHYS, 0, BASE, PAGE_SIZE, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE, 1);
	test_ioctl_destroy(id);
	test_viommu_reads(0, self->viommu_id, ENABLE);
}

TEST_F(phys_queue, id_cannot_be_reported)
{
	struct iommu_hw_queue_alloc *cmd;

	cmd = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)cmd);
	*cmd = (struct iommu_hw_queue_alloc){
		.size = sizeof(*cmd),
		.viommu_id = self->viommu_id,
		.type = PHYS,
		.nesting_parent_iova = BASE,
		.length = PAGE_SIZE,
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE_SIZE, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_HW_QUEUE_ALLOC, cmd));
	test_viommu_reads(0, self->viommu_id, QUEUES);
	munmap(cmd, PAGE_SIZE);
	/* Unpinned again */
	test_ioctl_ioas_unmap_id(self->ioas_id, BASE, VIOMMU_RAM_SIZE);
}

/* One after the other, while both ends are in motion */

#define FAILED_QUEUES 5000

struct failing_queue {
	int fd;
	void *cmd;
	bool stop;
	int wrong;
};

/* Queue 0 comes and goes, and is never one that user space has the ID of */
static void *fail_queue_thread(void *arg)
{
	struct failing_queue *queue = arg;
	int i;

	for (i = 0; i < FAILED_QUEUES; i++)
		if (!ioctl(queue->fd, IOMMU_HW_QUEUE_ALLOC, queue->cmd) ||
		    errno != EFAULT)
			queue->wrong++;
	__atomic_store_n(&queue->stop, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Queue 1 depends on queue 0. If it could depend on one that is then given up,
 * that would be freed under it.
 */
TEST_F(phys_queue, not_after_a_queue_that_is_given_up)
{
	const struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu_id,
		.type = PHYS,
		.nesting_parent_iova = BASE,
		.length = PAGE_SIZE,
	};
	struct failing_queue first = {
		.fd = self->fd,
		.cmd = viommu_read_only(&cmd, sizeof(cmd)),
	};
	unsigned long tries = 0, got = 0, other_errors = 0;
	pthread_t thread;
	long before;
	__u32 id;

	ASSERT_NE(NULL, first.cmd);
	viommu_rearm_warnings();
	before = viommu_complaints();
	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_queue_thread, &first));
	while (!__atomic_load_n(&first.stop, __ATOMIC_ACQUIRE)) {
		tries++;
		if (!_test_cmd_hw_queue_alloc(self->fd, self->viommu_id, PHYS,
					      1, BASE, PAGE_SIZE, &id))
			got++;
		else if (errno != EIO)
			other_errors++;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, first.wrong);
	EXPECT_LT(FAILED_QUEUES / 10, tries);
	EXPECT_EQ(0, got);
	/* The driver does not even get to see a queue that is given up */
	EXPECT_EQ(0, other_errors);
	EXPECT_EQ(before, viommu_complaints());
	test_viommu_reads(0, self->viommu_id, QUEUES);
	test_ioctl_ioas_unmap_id(self->ioas_id, BASE, VIOMMU_RAM_SIZE);
	test_ioctl_destroy(self->viommu_id);
}

TEST_HARNESS_MAIN
