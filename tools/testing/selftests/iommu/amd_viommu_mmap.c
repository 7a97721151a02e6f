// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: the page of registers that a VMM maps into its guest is
 * exactly that page, shared, never executable, and holds the vIOMMU
 */
#include <sys/wait.h>

#include "amd_viommu_utils.h"

/* Ways to ask for it that are refused */

FIXTURE(refused)
{
	struct amd_hw hw;
};

FIXTURE_VARIANT(refused)
{
	long offset;		/* in pages, from the right one */
	size_t pages;
	int prot;
	int flags;
	int rc;
};

FIXTURE_VARIANT_ADD(refused, two_pages)
{
	.pages = 2,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_SHARED,
	.rc = -ENXIO,
};

FIXTURE_VARIANT_ADD(refused, many_pages)
{
	.pages = 65536,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_SHARED,
	.rc = -ENXIO,
};

FIXTURE_VARIANT_ADD(refused, page_before)
{
	.offset = -1,
	.pages = 1,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_SHARED,
	.rc = -ENXIO,
};

FIXTURE_VARIANT_ADD(refused, page_after)
{
	.offset = 1,
	.pages = 1,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_SHARED,
	.rc = -ENXIO,
};

FIXTURE_VARIANT_ADD(refused, from_the_page_before)
{
	.offset = -1,
	.pages = 2,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_SHARED,
	.rc = -ENXIO,
};

FIXTURE_VARIANT_ADD(refused, private_copy)
{
	.pages = 1,
	.prot = PROT_READ | PROT_WRITE,
	.flags = MAP_PRIVATE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(refused, private_read_only)
{
	.pages = 1,
	.prot = PROT_READ,
	.flags = MAP_PRIVATE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(refused, exec)
{
	.pages = 1,
	.prot = PROT_READ | PROT_EXEC,
	.flags = MAP_SHARED,
	.rc = -EPERM,
};

FIXTURE_VARIANT_ADD(refused, write_and_exec)
{
	.pages = 1,
	.prot = PROT_READ | PROT_WRITE | PROT_EXEC,
	.flags = MAP_SHARED,
	.rc = -EPERM,
};

FIXTURE_SETUP(refused)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_viommu_unmap(&self->hw.v));
}

FIXTURE_TEARDOWN(refused)
{
	amd_hw_close(&self->hw);
}

static int try_mmap(int fd, size_t length, int prot, int flags, __u64 offset)
{
	void *page = mmap(NULL, length, prot, flags, fd, offset);

	if (page == MAP_FAILED)
		return -errno;
	munmap(page, length);
	return 0;
}

TEST_F(refused, mmap)
{
	struct amd_viommu *v = &self->hw.v;

	EXPECT_EQ(variant->rc,
		  try_mmap(v->guest->iommufd, variant->pages * AMD_PAGE,
			   variant->prot, variant->flags,
			   v->mmap_offset + variant->offset * AMD_PAGE));
	/* No attempt holds the vIOMMU */
	EXPECT_EQ(0, amd_viommu_free(v));
}

/* The page */

FIXTURE(page)
{
	struct amd_hw hw;
	struct amd_viommu *v;
	struct amd_guest *guest;
};

FIXTURE_SETUP(page)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->v = &self->hw.v;
	self->guest = &self->hw.setup.guest;
}

FIXTURE_TEARDOWN(page)
{
	amd_hw_close(&self->hw);
}

#define test_busy() \
	EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest, \
					    self->guest->viommu_id))
#define test_free() \
	EXPECT_EQ(0, amd_guest_destroy(self->guest, self->guest->viommu_id))

/* All registers start at 0, and all else of the page is 0 */
TEST_F(page, starts_at_zero)
{
	unsigned int reg;

	for (reg = 0; reg < AMD_PAGE; reg += 8)
		EXPECT_EQ(0, amd_vf_read(self->v, reg));
}

/* Bits 18:4, in each of the registers for heads and tails */
TEST_F(page, pointers_are_the_guests)
{
	static const unsigned int regs[] = {
		AMD_VF_CMD_HEAD, AMD_VF_CMD_TAIL, AMD_VF_EVT_HEAD,
		AMD_VF_EVT_TAIL, AMD_VF_PPR_HEAD, AMD_VF_PPR_TAIL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		amd_vf_write(self->v, regs[i], 0x7fff0 - 0x10 * i);
		EXPECT_EQ(0x7fff0 - 0x10 * i, amd_vf_read(self->v, regs[i]));
	}
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		EXPECT_EQ(0x7fff0 - 0x10 * i, amd_vf_read(self->v, regs[i]));
}

/* As Linux has it in a guest */
TEST_F(page, accesses_of_32_bits)
{
	amd_store(self->v->vf + AMD_VF_EVT_HEAD, 0x120);
	EXPECT_EQ(0x120, amd_load(self->v->vf + AMD_VF_EVT_HEAD));
	EXPECT_EQ(0, amd_load(self->v->vf + AMD_VF_EVT_HEAD + 4));
	EXPECT_EQ(0x120, amd_vf_read(self->v, AMD_VF_EVT_HEAD));
}

/* A vIOMMU that has had another life starts anew */
TEST_F(page, nothing_of_the_one_before)
{
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, amd_vf_read(self->v, AMD_VF_EVT_HEAD));
		EXPECT_EQ(0, amd_vf_read(self->v, AMD_VF_CMD_TAIL));
		amd_vf_write(self->v, AMD_VF_EVT_HEAD, 0x340);
		amd_vf_write(self->v, AMD_VF_CMD_TAIL, 0x560);
		ASSERT_EQ(0, amd_viommu_free(self->v));
		ASSERT_EQ(0, amd_viommu_alloc(self->v, self->guest,
					      &self->hw.setup.dev));
		ASSERT_EQ(0, amd_viommu_map(self->v));
	}
}

/* Who has many lives behind it must not run out of offsets for the next one */
TEST_F(page, offset_is_free_again)
{
	const __u64 offset = self->v->mmap_offset;
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, amd_viommu_free(self->v));
		ASSERT_EQ(0, amd_viommu_alloc(self->v, self->guest,
					      &self->hw.setup.dev));
		EXPECT_EQ(offset, self->v->mmap_offset);
	}
}

TEST_F(page, read_only)
{
	void *page = mmap(NULL, AMD_PAGE, PROT_READ, MAP_SHARED,
			  self->guest->iommufd, self->v->mmap_offset);

	ASSERT_NE(MAP_FAILED, page);
	amd_vf_write(self->v, AMD_VF_EVT_HEAD, 0x10);
	EXPECT_EQ(0x10, amd_load(page + AMD_VF_EVT_HEAD));
	munmap(page, AMD_PAGE);
}

TEST_F(page, exec_is_refused_later)
{
	EXPECT_EQ(-1, mprotect(self->v->vf, AMD_PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(page, does_not_grow)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->v->vf, AMD_PAGE, 2 * AMD_PAGE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, amd_viommu_unmap(self->v));
	test_free();
}

TEST_F(page, moves)
{
	void *room = mmap(NULL, AMD_PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, room);
	amd_vf_write(self->v, AMD_VF_EVT_HEAD, 0x70);
	ASSERT_EQ(room, mremap(self->v->vf, AMD_PAGE, AMD_PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, room));
	self->v->vf = room;
	EXPECT_EQ(0x70, amd_vf_read(self->v, AMD_VF_EVT_HEAD));
	test_busy();
	ASSERT_EQ(0, amd_viommu_unmap(self->v));
	test_free();
}

TEST_F(page, holds_the_viommu)
{
	__u64 offset = self->v->mmap_offset;

	test_busy();
	ASSERT_EQ(0, amd_viommu_unmap(self->v));
	test_free();
	/* And its offset is dead */
	EXPECT_EQ(-ENXIO, try_mmap(self->guest->iommufd, AMD_PAGE,
				   PROT_READ | PROT_WRITE, MAP_SHARED,
				   offset));
}

TEST_F(page, mapped_twice)
{
	struct amd_viommu again = *self->v;

	ASSERT_EQ(0, amd_viommu_map(&again));
	amd_vf_write(&again, AMD_VF_PPR_HEAD, 0x80);
	EXPECT_EQ(0x80, amd_vf_read(self->v, AMD_VF_PPR_HEAD));
	ASSERT_EQ(0, amd_viommu_unmap(self->v));
	test_busy();
	ASSERT_EQ(0, amd_viommu_unmap(&again));
	test_free();
}

TEST_F(page, another_iommufd)
{
	int fd = open("/dev/iommu", O_RDWR);

	ASSERT_NE(-1, fd);
	EXPECT_EQ(-ENXIO, try_mmap(fd, AMD_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->v->mmap_offset));
	close(fd);
}

TEST_F(page, two_viommus)
{
	struct amd_guest guest = *self->guest;
	struct amd_viommu v;

	ASSERT_EQ(0, amd_viommu_alloc(&v, &guest, &self->hw.setup.dev));
	ASSERT_EQ(0, amd_viommu_map(&v));
	EXPECT_NE(self->v->mmap_offset, v.mmap_offset);
	amd_vf_write(&v, AMD_VF_EVT_HEAD, 0x20);
	amd_vf_write(self->v, AMD_VF_EVT_HEAD, 0x30);
	EXPECT_EQ(0x20, amd_vf_read(&v, AMD_VF_EVT_HEAD));
	EXPECT_EQ(0x30, amd_vf_read(self->v, AMD_VF_EVT_HEAD));
	/* Pages next to each other are two all the same */
	EXPECT_EQ(-ENXIO, try_mmap(guest.iommufd, 2 * AMD_PAGE,
				   PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->v->mmap_offset));
	ASSERT_EQ(0, amd_viommu_free(&v));
	EXPECT_EQ(0x30, amd_vf_read(self->v, AMD_VF_EVT_HEAD));
	test_busy();
}

TEST_F(page, none_without_hardware)
{
	struct amd_guest soft = *self->guest;

	ASSERT_EQ(0, amd_viommu_free(self->v));
	ASSERT_EQ(0, amd_guest_viommu(&soft, &self->hw.setup.dev));
	EXPECT_EQ(-ENXIO, try_mmap(soft.iommufd, AMD_PAGE,
				   PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->v->mmap_offset));
	EXPECT_EQ(0, amd_guest_destroy(&soft, soft.viommu_id));
}

/* A process that inherits the mapping holds the vIOMMU, too */
TEST_F(page, child)
{
	int status, to_child[2];
	pid_t pid;
	char c;

	amd_vf_write(self->v, AMD_VF_EVT_HEAD, 0x40);
	ASSERT_EQ(0, pipe(to_child));
	pid = fork();
	ASSERT_NE(-1, pid);
	if (!pid) {
		/* Until the parent has looked */
		close(to_child[1]);
		_exit(read(to_child[0], &c, 1) == 0 &&
		      amd_vf_read(self->v, AMD_VF_EVT_HEAD) == 0x40 ? 0 : 1);
	}
	close(to_child[0]);
	ASSERT_EQ(0, amd_viommu_unmap(self->v));
	test_busy();
	close(to_child[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	test_free();
}

/* All objects live as long as it, and go with it */
TEST_F(page, outlives_the_file)
{
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	close(self->guest->iommufd);
	self->guest->iommufd = -1;
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
	/* The device and the event queue hold the file as well */
	close(self->hw.setup.event_fd);
	self->hw.setup.event_fd = -1;
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

TEST_HARNESS_MAIN
