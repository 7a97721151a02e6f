// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap() of the region that a vIOMMU hands out: exactly that, shared, never
 * executable, and for as long as somebody has a piece of it
 */
#include <pthread.h>
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

/*
 * A vIOMMU whose ioctl fails has had its region for a moment. Nobody must get
 * hold of that: the page behind it goes to whoever comes next.
 */

#define FAILED_ALLOCS 3000
#define MIN_GUESSES 1000
/* Is in the page of a vIOMMU that is never finished */
#define UNFINISHED 0xdead

struct guesser {
	int fd;
	__u64 offset;
	__u64 length;
	bool stop;
	unsigned long guesses;
	unsigned long hits;
	unsigned long other_errors;
};

/* On a hit the mapping stays: to unmap it would be the next use after free */
static void *guess_offset(void *arg)
{
	struct guesser *guesser = arg;
	void *page;

	while (!__atomic_load_n(&guesser->stop, __ATOMIC_RELAXED)) {
		page = mmap(NULL, guesser->length, PROT_READ | PROT_WRITE,
			    MAP_SHARED, guesser->fd, guesser->offset);
		if (page != MAP_FAILED) {
			__atomic_store_n(&guesser->hits, 1, __ATOMIC_RELAXED);
			break;
		}
		if (errno != ENXIO)
			guesser->other_errors++;
		__atomic_fetch_add(&guesser->guesses, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Number of allocations that did not fail with EFAULT, each of which has to */
static int fail_allocs(struct guesser *guesser, struct iommu_viommu_alloc *cmd)
{
	unsigned long guesses = 0;
	int i, wrong = 0;

	for (i = 0; i < FAILED_ALLOCS || guesses < MIN_GUESSES; i++) {
		guesses = __atomic_load_n(&guesser->guesses, __ATOMIC_RELAXED);
		if (__atomic_load_n(&guesser->hits, __ATOMIC_RELAXED))
			break;
		if (!ioctl(guesser->fd, IOMMU_VIOMMU_ALLOC, cmd) ||
		    errno != EFAULT)
			wrong++;
	}
	return wrong;
}

static void guess_while_allocs_fail(struct __test_metadata *_metadata,
				    FIXTURE_DATA(region) *self,
				    struct iommu_viommu_alloc *cmd)
{
	struct guesser guesser = {
		.fd = self->fd,
		.offset = self->offset,
		.length = self->length,
	};
	__u64 offset, length;
	long before;
	pthread_t thread;
	__u32 *page;

	/* The next vIOMMU gets the lowest offset that is free, which is this */
	test_ioctl_destroy(self->viommu_id);
	viommu_rearm_warnings();
	before = viommu_complaints();
	ASSERT_EQ(0, pthread_create(&thread, NULL, guess_offset, &guesser));
	EXPECT_EQ(0, fail_allocs(&guesser, cmd));
	__atomic_store_n(&guesser.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, guesser.hits);
	EXPECT_EQ(0, guesser.other_errors);
	EXPECT_EQ(before, viommu_complaints());

	/* And that offset is as good as new */
	ASSERT_EQ(0, make_region(self->fd, &self->objs, 0xcafe,
				 &self->viommu_id, &offset, &length));
	ASSERT_EQ(self->offset, offset);
	page = map_region();
	ASSERT_NE(MAP_FAILED, (void *)page);
	EXPECT_EQ(0xcafe, *page);
	munmap(page, self->length);
	test_ioctl_destroy(self->viommu_id);
	test_ioctl_destroy(self->objs.hwpt_id);
}

/* The driver fails: it cannot tell user space where the region is */
TEST_F(region, not_of_a_viommu_that_its_driver_gives_up)
{
	const struct iommu_viommu_selftest data = { .in_data = UNFINISHED };
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
		.dev_id = self->objs.device_id,
		.hwpt_id = self->objs.hwpt_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)viommu_read_only(&data, sizeof(data)),
	};

	ASSERT_NE(0, cmd.data_uptr);
	guess_while_allocs_fail(_metadata, self, &cmd);
}

/* The core fails: it cannot tell user space the ID of the vIOMMU */
TEST_F(region, not_of_a_viommu_that_the_core_gives_up)
{
	struct iommu_viommu_selftest data = { .in_data = UNFINISHED };
	const struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
		.dev_id = self->objs.device_id,
		.hwpt_id = self->objs.hwpt_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	void *page = viommu_read_only(&cmd, sizeof(cmd));

	ASSERT_NE(NULL, page);
	guess_while_allocs_fail(_metadata, self, page);
}

TEST_HARNESS_MAIN
