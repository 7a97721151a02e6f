// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HW_QUEUE_ALLOC for queues that the hardware reaches by guest physical
 * address. viommu_hw_queue_phys.c has those by host physical address.
 */
#include "viommu_utils.h"

#define CMD IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA
#define LOG IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG
#define QUEUES IOMMU_TEST_VIOMMU_CMD_QUEUES
#define ENABLE IOMMU_TEST_VIOMMU_CMD_ENABLE
#define DOORBELL IOMMU_TEST_VIOMMU_CMD_DOORBELL
#define DATA IOMMU_TEST_VIOMMU_CMD_DATA
#define FAULTS IOMMU_TEST_VIOMMU_CMD_FAULTS

#define MIN_LEN IOMMU_TEST_IOVA_QUEUE_MIN
#define MAX_LEN IOMMU_TEST_IOVA_QUEUE_MAX
#define BASE VIOMMU_RAM_IOVA
#define CMD0 VIOMMU_QUEUE_BIT(IOMMU_TEST_QUEUE_IOVA)
#define CMD1 (2ULL << IOMMU_TEST_QUEUE_IOVA)
#define LOG0 VIOMMU_QUEUE_BIT(IOMMU_TEST_QUEUE_IOVA_LOG)

FIXTURE(iova_queue)
{
	int fd;
	__u32 viommu_id;
	__u32 ioas_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(iova_queue)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	self->ioas_id = self->objs.ioas_id;
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
				 &self->viommu_id));
}

FIXTURE_TEARDOWN(iova_queue)
{
	close(self->fd);
}

/* Refused, and the hardware has no queue afterwards */
#define test_refused(_errno, type, index, base, length)                    \
	({                                                                 \
		__u32 __id;                                                \
									   \
		test_err_hw_queue_alloc(_errno, self->viommu_id, type,     \
					index, base, length, &__id);       \
		test_viommu_reads(0, self->viommu_id, QUEUES);             \
	})

static __u64 doorbell(unsigned int bit, __u64 word)
{
	return bit | word << IOMMU_TEST_DOORBELL_WORD_SHIFT;
}

/* What may be asked for */

TEST_F(iova_queue, every_length)
{
	__u64 len;
	__u32 id;

	for (len = MIN_LEN; len <= MAX_LEN; len *= 2) {
		test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, len,
					&id);
		test_viommu_reads(CMD0, self->viommu_id, QUEUES);
		test_ioctl_destroy(id);
		test_viommu_reads(0, self->viommu_id, QUEUES);
	}
}

TEST_F(iova_queue, indices_are_per_type)
{
	__u32 cmd, log;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &cmd);
	test_cmd_hw_queue_alloc(self->viommu_id, LOG, 0, BASE, MIN_LEN, &log);
	test_viommu_reads(CMD0 | LOG0, self->viommu_id, QUEUES);
	test_ioctl_destroy(cmd);
	test_viommu_reads(LOG0, self->viommu_id, QUEUES);
	test_ioctl_destroy(log);
}

TEST_F(iova_queue, any_order_of_indices)
{
	__u32 first, second;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 1, BASE, MIN_LEN,
				&second);
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &first);
	test_viommu_reads(CMD0 | CMD1, self->viommu_id, QUEUES);
	test_ioctl_destroy(first);
	test_viommu_reads(CMD1, self->viommu_id, QUEUES);
	test_ioctl_destroy(second);
}

TEST_F(iova_queue, both_ends_of_the_aperture)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, MOCK_APERTURE_START,
				MIN_LEN, &id);
	test_ioctl_destroy(id);
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0,
				MOCK_APERTURE_LAST + 1ULL - MIN_LEN, MIN_LEN,
				&id);
	test_ioctl_destroy(id);
}

/* What may not */

TEST_F(iova_queue, flags)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu_id,
		.type = CMD,
		.nesting_parent_iova = BASE,
		.length = MIN_LEN,
	};
	int bit;

	for (bit = 0; bit < 32; bit++) {
		cmd.flags = 1U << bit;
		EXPECT_ERRNO(EOPNOTSUPP,
			     ioctl(self->fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
	}
	test_viommu_reads(0, self->viommu_id, QUEUES);
	test_errno_hit("HW_QUEUE_ALLOC", "EOPNOTSUPP");
}

TEST_F(iova_queue, type_unknown)
{
	test_refused(EOPNOTSUPP, IOMMU_HW_QUEUE_TYPE_DEFAULT, 0, BASE, MIN_LEN);
	test_refused(EOPNOTSUPP, IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV, 0, BASE,
		     MIN_LEN);
	test_refused(EOPNOTSUPP, 0xffffffff, 0, BASE, MIN_LEN);
	/* The one of the other kind of vIOMMU */
	test_refused(EOPNOTSUPP, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0, BASE,
		     MIN_LEN);
}

TEST_F(iova_queue, viommu_unknown)
{
	test_err_hw_queue_alloc(ENOENT, 0, CMD, 0, BASE, MIN_LEN, NULL);
	test_err_hw_queue_alloc(ENOENT, self->objs.hwpt_id, CMD, 0, BASE,
				MIN_LEN, NULL);
	test_err_hw_queue_alloc(ENOENT, self->objs.ioas_id, CMD, 0, BASE,
				MIN_LEN, NULL);
	test_errno_hit("HW_QUEUE_ALLOC", "ENOENT");
}

TEST_F(iova_queue, length_zero)
{
	test_refused(EINVAL, CMD, 0, BASE, 0);
	test_errno_hit("HW_QUEUE_ALLOC", "EINVAL");
}

TEST_F(iova_queue, length_too_short)
{
	test_refused(EINVAL, CMD, 0, BASE, MIN_LEN / 2);
	test_refused(EINVAL, CMD, 0, BASE, 16);
	test_refused(EINVAL, CMD, 0, BASE, 1);
}

TEST_F(iova_queue, length_too_long)
{
	test_refused(EINVAL, CMD, 0, BASE, MAX_LEN * 2);
	test_refused(EINVAL, CMD, 0, BASE, 1ULL << 35);
	test_refused(EINVAL, CMD, 0, BASE, 1ULL << 62);
}

TEST_F(iova_queue, length_not_a_power_of_two)
{
	test_refused(EINVAL, CMD, 0, BASE, MIN_LEN + 1);
	test_refused(EINVAL, CMD, 0, BASE, MIN_LEN * 3);
	test_refused(EINVAL, CMD, 0, BASE, MAX_LEN - MIN_LEN);
}

TEST_F(iova_queue, base_not_aligned)
{
	int bit;

	for (bit = 0; bit < 12; bit++)
		test_refused(EINVAL, CMD, 0, BASE + (1ULL << bit), MIN_LEN);
}

TEST_F(iova_queue, end_overflows)
{
	test_refused(EOVERFLOW, CMD, 0, ~0ULL, MIN_LEN);
	test_refused(EOVERFLOW, CMD, 0, ~0ULL - MIN_LEN + 2, MIN_LEN);
	test_refused(EOVERFLOW, CMD, 0, BASE, ~0ULL);
	test_errno_hit("HW_QUEUE_ALLOC", "EOVERFLOW");
}

TEST_F(iova_queue, below_the_aperture)
{
	test_refused(ERANGE, CMD, 0, 0, MIN_LEN);
	test_refused(ERANGE, CMD, 0, MOCK_APERTURE_START - MIN_LEN, MIN_LEN);
	/* The end is inside */
	test_refused(ERANGE, CMD, 0, MOCK_APERTURE_START - MIN_LEN,
		     MIN_LEN * 2);
	test_errno_hit("HW_QUEUE_ALLOC", "ERANGE");
}

TEST_F(iova_queue, above_the_aperture)
{
	test_refused(ERANGE, CMD, 0, MOCK_APERTURE_LAST + 1ULL, MIN_LEN);
	/* The start is inside */
	test_refused(ERANGE, CMD, 0, MOCK_APERTURE_LAST + 1ULL - MIN_LEN,
		     MIN_LEN * 2);
	test_refused(ERANGE, CMD, 0, 1ULL << 52, MIN_LEN);
	test_refused(ERANGE, CMD, 0, ~0ULL - MIN_LEN + 1, MIN_LEN);
}

TEST_F(iova_queue, index_too_large)
{
	test_refused(EINVAL, CMD, IOMMU_TEST_HW_QUEUE_MAX, BASE, MIN_LEN);
	test_refused(EINVAL, LOG, UINT32_MAX, BASE, MIN_LEN);
}

TEST_F(iova_queue, index_taken)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	test_err_hw_queue_alloc(EEXIST, self->viommu_id, CMD, 0,
				BASE + MIN_LEN, MIN_LEN, NULL);
	test_viommu_reads(CMD0, self->viommu_id, QUEUES);
	/* What can be said without looking at the queues comes first */
	test_err_hw_queue_alloc(EINVAL, self->viommu_id, CMD, 0, BASE, 1, NULL);
	test_ioctl_destroy(id);
	test_errno_hit("HW_QUEUE_ALLOC", "EEXIST");
}

TEST_F(iova_queue, id_cannot_be_reported)
{
	struct iommu_hw_queue_alloc *cmd;

	cmd = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)cmd);
	*cmd = (struct iommu_hw_queue_alloc){
		.size = sizeof(*cmd),
		.viommu_id = self->viommu_id,
		.type = CMD,
		.nesting_parent_iova = BASE,
		.length = MIN_LEN,
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE_SIZE, PROT_READ));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_HW_QUEUE_ALLOC, cmd));
	test_viommu_reads(0, self->viommu_id, QUEUES);
	munmap(cmd, PAGE_SIZE);
	test_ioctl_destroy(self->viommu_id);
}

/* Life of a queue */

TEST_F(iova_queue, viommu_lives_as_long)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->viommu_id));
	test_ioctl_destroy(id);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(iova_queue, enable_needs_the_queue)
{
	__u32 id;

	test_err_viommu_set(ENOENT, self->viommu_id, ENABLE, CMD0);
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	/* All or nothing: the queue that exists is not enabled either */
	test_err_viommu_set(ENOENT, self->viommu_id, ENABLE, CMD0 | CMD1);
	test_viommu_reads(0, self->viommu_id, ENABLE);
	test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
	test_viommu_reads(CMD0, self->viommu_id, ENABLE);
}

TEST_F(iova_queue, toggles_without_reallocation)
{
	__u32 id;
	int i;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	for (i = 0; i < 3; i++) {
		test_err_viommu_set(EINVAL, self->viommu_id, DOORBELL,
				    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
		test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
		test_cmd_viommu_set(self->viommu_id, DOORBELL,
				    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
		test_cmd_viommu_set(self->viommu_id, ENABLE, 0);
	}
}

TEST_F(iova_queue, destroy_disables)
{
	__u32 id;

	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
	test_ioctl_destroy(id);
	test_viommu_reads(0, self->viommu_id, ENABLE);
	test_err_viommu_set(ENOENT, self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
	/* The next owner of the index starts disabled */
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	test_viommu_reads(0, self->viommu_id, ENABLE);
}

/* What the hardware reads */

TEST_F(iova_queue, reads_every_page_through_the_parent)
{
	__u64 *ram = self->objs.ram;
	__u64 word, words = MAX_LEN / sizeof(*ram);
	__u64 step = PAGE_SIZE / sizeof(*ram);
	__u32 id;

	for (word = 0; word < words; word++)
		ram[word] = 0xabcd0000 + word;
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MAX_LEN, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
	/* One word per page, a different one each time, and the very last */
	for (word = 0; word < words; word += step + 1) {
		test_cmd_viommu_set(self->viommu_id, DOORBELL,
				    doorbell(IOMMU_TEST_QUEUE_IOVA, word));
		test_viommu_reads(0xabcd0000 + word, self->viommu_id, DATA);
	}
	test_cmd_viommu_set(self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, words - 1));
	test_viommu_reads(0xabcd0000 + words - 1, self->viommu_id, DATA);
	test_viommu_reads(0, self->viommu_id, FAULTS);
	/* Past the end is not the queue's */
	test_err_viommu_set(EINVAL, self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, words));
}

TEST_F(iova_queue, memory_need_not_be_contiguous)
{
	__u64 base = BASE + VIOMMU_RAM_SIZE;
	size_t pages = MAX_LEN / PAGE_SIZE, i;
	__u32 id;

	/* The pages of RAM in reverse order, mapped one by one */
	for (i = 0; i < pages; i++) {
		__u64 iova = base + i * PAGE_SIZE;
		void *page = self->objs.ram + (pages - 1 - i) * PAGE_SIZE;

		*(__u64 *)page = 0x1000 + i;
		test_ioctl_ioas_map_fixed_id(self->ioas_id, page, PAGE_SIZE,
					     iova);
	}
	test_cmd_hw_queue_alloc(self->viommu_id, LOG, 1, base, MAX_LEN, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE,
			    2ULL << IOMMU_TEST_QUEUE_IOVA_LOG);
	for (i = 0; i < pages; i++) {
		test_cmd_viommu_set(self->viommu_id, DOORBELL,
				    doorbell(IOMMU_TEST_QUEUE_IOVA_LOG + 1,
					     i * PAGE_SIZE / sizeof(__u64)));
		test_viommu_reads(0x1000 + i, self->viommu_id, DATA);
	}
}

TEST_F(iova_queue, unmapped_memory_faults)
{
	__u64 base = BASE + VIOMMU_RAM_SIZE;
	__u32 id, veventq_id, veventq_fd;
	int seq = -1;

	test_cmd_veventq_alloc(self->viommu_id, IOMMU_VEVENTQ_TYPE_SELFTEST, 4,
			       &veventq_id, &veventq_fd);
	/* It need not be mapped to be allocated, nor to be enabled */
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, base, MIN_LEN, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
	test_cmd_viommu_set(self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, 1));
	test_viommu_reads(1, self->viommu_id, FAULTS);
	test_viommu_reads(0, self->viommu_id, DATA);
	test_cmd_read_vevents(veventq_fd, 1,
			      IOMMU_TEST_VIRT_ID_QUEUE_FAULT |
				      IOMMU_TEST_QUEUE_IOVA, &seq);
	close(veventq_fd);
}

TEST_F(iova_queue, unmap_and_remap_under_the_queue)
{
	__u64 base = BASE + VIOMMU_RAM_SIZE, *ram = self->objs.ram;
	__u32 id;

	ram[0] = 0x11;
	ram[PAGE_SIZE / sizeof(*ram)] = 0x22;
	test_ioctl_ioas_map_fixed_id(self->ioas_id, ram, PAGE_SIZE, base);
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, base, MIN_LEN, &id);
	test_cmd_viommu_set(self->viommu_id, ENABLE, CMD0);
	test_cmd_viommu_set(self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
	test_viommu_reads(0x11, self->viommu_id, DATA);

	/* Nothing is pinned, so it can go away */
	test_ioctl_ioas_unmap_id(self->ioas_id, base, PAGE_SIZE);
	test_cmd_viommu_set(self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
	test_viommu_reads(1, self->viommu_id, FAULTS);
	test_viommu_reads(0x11, self->viommu_id, DATA);

	test_ioctl_ioas_map_fixed_id(self->ioas_id,
				     (void *)ram + PAGE_SIZE, PAGE_SIZE, base);
	test_cmd_viommu_set(self->viommu_id, DOORBELL,
			    doorbell(IOMMU_TEST_QUEUE_IOVA, 0));
	test_viommu_reads(0x22, self->viommu_id, DATA);
}

TEST_F(iova_queue, other_viommu_does_not_see_it)
{
	__u32 other_id, id;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &other_id));
	test_cmd_hw_queue_alloc(self->viommu_id, CMD, 0, BASE, MIN_LEN, &id);
	test_viommu_reads(0, other_id, QUEUES);
	test_err_viommu_set(ENOENT, other_id, ENABLE, CMD0);
	test_cmd_hw_queue_alloc(other_id, CMD, 0, BASE, MIN_LEN, NULL);
	test_ioctl_destroy(id);
	test_viommu_reads(CMD0, other_id, QUEUES);
}

TEST_HARNESS_MAIN
