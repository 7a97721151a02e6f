// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap() of the region that a vIOMMU hands out: exactly that, shared, never
 * executable, and for as long as somebody has a piece of it
 */
#include <sys/wait.h>

#include "viommu_utils.h"

FIXTURE(region)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
	__u64 offset;
	__u64 length;
};

static int make_region(int fd, const struct viommu_objs *objs, __u32 in_data,
		       __u32 *viommu_id, __u64 *offset, __u64 *length)
{
	struct iommu_viommu_selftest data = { .in_data = in_data };
	int rc;

	rc = _test_cmd_viommu_alloc(fd, objs->device_id, objs->hwpt_id, 0,
				    IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &data,
				    sizeof(data), viommu_id);
	*offset = data.out_mmap_offset;
	*length = data.out_mmap_length;
	return rc;
}

FIXTURE_SETUP(region)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, make_region(self->fd, &self->objs, 0xbeef,
				 &self->viommu_id, &self->offset,
				 &self->length));
}

FIXTURE_TEARDOWN(region)
{
	if (self->fd >= 0)
		close(self->fd);
}

#define map_region()                                                    \
	mmap(NULL, self->length, PROT_READ | PROT_WRITE, MAP_SHARED,    \
	     self->fd, self->offset)

#define test_busy() \
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->viommu_id))

TEST_F(region, shows_the_page)
{
	__u32 *page = map_region();

	ASSERT_NE(MAP_FAILED, (void *)page);
	EXPECT_EQ(0xbeef, *page);
	munmap(page, self->length);
}

TEST_F(region, read_only)
{
	__u32 *page = mmap(NULL, self->length, PROT_READ, MAP_SHARED, self->fd,
			   self->offset);

	ASSERT_NE(MAP_FAILED, (void *)page);
	EXPECT_EQ(0xbeef, *page);
	munmap(page, self->length);
}

TEST_F(region, private_is_refused)
{
	EXPECT_ERRNO(EINVAL,
		     (long)mmap(NULL, self->length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE, self->fd, self->offset));
}

TEST_F(region, exec_is_refused)
{
	EXPECT_ERRNO(EPERM, (long)mmap(NULL, self->length,
				       PROT_READ | PROT_EXEC, MAP_SHARED,
				       self->fd, self->offset));
}

TEST_F(region, exec_is_refused_later)
{
	void *page = map_region();

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_ERRNO(EACCES,
		     mprotect(page, self->length, PROT_READ | PROT_EXEC));
	EXPECT_ERRNO(EACCES, mprotect(page, PAGE_SIZE,
				      PROT_READ | PROT_WRITE | PROT_EXEC));
	munmap(page, self->length);
}

TEST_F(region, length_is_exact)
{
	test_err_mmap(ENXIO, self->length - PAGE_SIZE, self->offset);
	test_err_mmap(ENXIO, self->length + PAGE_SIZE, self->offset);
	test_err_mmap(ENXIO, self->length * 2, self->offset);
}

TEST_F(region, offset_is_exact)
{
	test_err_mmap(ENXIO, self->length, 0);
	test_err_mmap(ENXIO, self->length, self->offset - PAGE_SIZE);
	test_err_mmap(ENXIO, self->length, self->offset + PAGE_SIZE);
	test_err_mmap(ENXIO, self->length - PAGE_SIZE,
		      self->offset + PAGE_SIZE);
	test_err_mmap(ENXIO, self->length, self->offset + self->length);
	/* No attempt holds the vIOMMU */
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, two_viommus_have_two)
{
	__u32 other_id, *page, *other_page;
	__u64 offset, length;

	ASSERT_EQ(0, make_region(self->fd, &self->objs, 0xcafe, &other_id,
				 &offset, &length));
	ASSERT_NE(self->offset, offset);
	page = map_region();
	other_page = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->fd, offset);
	ASSERT_NE(MAP_FAILED, (void *)page);
	ASSERT_NE(MAP_FAILED, (void *)other_page);
	EXPECT_EQ(0xbeef, *page);
	EXPECT_EQ(0xcafe, *other_page);
	*other_page = 1;
	EXPECT_EQ(0xbeef, *page);
	munmap(other_page, length);
	test_ioctl_destroy(other_id);
	EXPECT_EQ(0xbeef, *page);
	munmap(page, self->length);
}

TEST_F(region, offset_of_another_context)
{
	int fd = open("/dev/iommu", O_RDWR);

	ASSERT_NE(-1, fd);
	EXPECT_ERRNO(ENXIO,
		     (long)mmap(NULL, self->length, PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, self->offset));
	close(fd);
}

TEST_F(region, mapping_holds_the_viommu)
{
	void *page = map_region();

	ASSERT_NE(MAP_FAILED, page);
	test_busy();
	munmap(page, self->length);
	test_ioctl_destroy(self->viommu_id);
	/* And its offset is dead */
	test_err_mmap(ENXIO, self->length, self->offset);
}

TEST_F(region, two_mappings)
{
	void *first = map_region(), *second = map_region();

	ASSERT_NE(MAP_FAILED, first);
	ASSERT_NE(MAP_FAILED, second);
	munmap(first, self->length);
	test_busy();
	munmap(second, self->length);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, each_half_holds_the_viommu)
{
	__u32 *page = map_region();
	void *second = (void *)page + PAGE_SIZE;

	ASSERT_NE(MAP_FAILED, (void *)page);
	munmap(second, PAGE_SIZE);
	test_busy();
	EXPECT_EQ(0xbeef, *page);
	munmap(page, PAGE_SIZE);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, first_half_goes_first)
{
	void *page = map_region();

	ASSERT_NE(MAP_FAILED, page);
	munmap(page, PAGE_SIZE);
	test_busy();
	munmap(page + PAGE_SIZE, PAGE_SIZE);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, moved)
{
	void *page = map_region(), *room;
	__u32 *moved;

	ASSERT_NE(MAP_FAILED, page);
	room = mmap(NULL, self->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	moved = mremap(page, self->length, self->length,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
	ASSERT_EQ(room, (void *)moved);
	EXPECT_EQ(0xbeef, *moved);
	test_busy();
	munmap(moved, self->length);
	test_ioctl_destroy(self->viommu_id);
}

/* What lies behind the region belongs to somebody else */
TEST_F(region, does_not_grow)
{
	void *page = map_region();

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_ERRNO(EFAULT, (long)mremap(page, self->length, self->length * 2,
					  MREMAP_MAYMOVE));
	munmap(page, self->length);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, child_counts_and_leaves)
{
	__u32 *page = map_region();
	int status, to_child[2];
	pid_t pid;
	char c;

	ASSERT_NE(MAP_FAILED, (void *)page);
	ASSERT_EQ(0, pipe(to_child));
	pid = fork();
	ASSERT_NE(-1, pid);
	if (!pid) {
		/* Until the parent has looked */
		close(to_child[1]);
		_exit(read(to_child[0], &c, 1) == 0 && *page == 0xbeef ? 0 : 1);
	}
	close(to_child[0]);
	munmap(page, self->length);
	/* The mapping that the child has inherited counts */
	test_busy();
	close(to_child[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	test_ioctl_destroy(self->viommu_id);
}

TEST_F(region, outlives_the_descriptor)
{
	__u32 *page = map_region();

	ASSERT_NE(MAP_FAILED, (void *)page);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0xbeef, *page);
	*page = 1;
	EXPECT_EQ(1, *page);
	/* The last reference: all objects go with it */
	munmap(page, self->length);
}

TEST_HARNESS_MAIN
