// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tegra241 CMDQV: what a VMM can ask for, and what it is refused
 *
 * vIOMMUs, vDEVICEs, HW queues, page 0 and commands of the real driver. What
 * the queues do is in tegra241_ring.c.
 */
#include "tegra241_utils.h"

#define LENGTH 4096
#define BASE(part) (TEGRA_RAM_IOVA + TEGRA_RAM_SIZE / 16 * (part))

FIXTURE(tegra241)
{
	struct tegra t;
	int fd;
};

FIXTURE_SETUP(tegra241)
{
	const char *reason = tegra_open(&self->t);

	if (reason) {
		tegra_close(&self->t);
		SKIP(return, "%s", reason);
	}
	self->fd = self->t.fd;
}

FIXTURE_TEARDOWN(tegra241)
{
	tegra_close(&self->t);
}

#define viommu_err(_errno, type, flags, data, len)                         \
	({                                                                 \
		__u32 __id;                                                \
									   \
		EXPECT_ERRNO(_errno,                                       \
			     _test_cmd_viommu_alloc(self->fd,              \
						    self->t.dev_id[0],     \
						    self->t.hwpt_id, flags, \
						    type, data, len,       \
						    &__id));               \
	})

TEST_F(tegra241, hw_info)
{
	struct iommu_hw_info_tegra241_cmdqv info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
		.dev_id = self->t.dev_id[0],
		.in_data_type = IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV,
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	ASSERT_EQ(0, ioctl(self->fd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV, cmd.out_data_type);
	EXPECT_EQ(1, info.version);
	EXPECT_EQ(TEGRA_QUEUES, 1 << info.log2vcmdqs);
	EXPECT_EQ(16, 1 << info.log2vsids);
	EXPECT_EQ(0, info.flags);
}

TEST_F(tegra241, hw_info_of_the_smmu)
{
	struct iommu_hw_info_arm_smmuv3 info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = self->t.dev_id[0],
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	ASSERT_EQ(0, ioctl(self->fd, IOMMU_GET_HW_INFO, &cmd));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_ARM_SMMUV3, cmd.out_data_type);
	/* Forced write-back, and both stages */
	EXPECT_EQ(1 << 8, info.idr[3] & 1 << 8);
	EXPECT_EQ(3, info.idr[0] & 3);
}

TEST_F(tegra241, viommu)
{
	EXPECT_EQ(TEGRA_PAGE0_SIZE, self->t.v.mmap_length);
	EXPECT_NE(0, self->t.v.mmap_offset);
}

TEST_F(tegra241, viommu_without_data)
{
	viommu_err(EINVAL, TEGRA, 0, NULL, 0);
}

TEST_F(tegra241, viommu_short_data)
{
	struct iommu_viommu_tegra241_cmdqv data = {};

	viommu_err(EINVAL, TEGRA, 0, &data, sizeof(data) - 8);
}

TEST_F(tegra241, viommu_long_data)
{
	struct {
		struct iommu_viommu_tegra241_cmdqv known;
		__u64 unknown;
	} data = {};

	viommu_err(EINVAL, TEGRA, 0, &data, sizeof(data));
}

TEST_F(tegra241, viommu_flags)
{
	struct iommu_viommu_tegra241_cmdqv data = {};

	viommu_err(EOPNOTSUPP, TEGRA, 1, &data, sizeof(data));
}

TEST_F(tegra241, viommu_type_of_others)
{
	struct iommu_viommu_tegra241_cmdqv data = {};

	viommu_err(EOPNOTSUPP, IOMMU_VIOMMU_TYPE_DEFAULT, 0, &data,
		   sizeof(data));
	viommu_err(EOPNOTSUPP, TEGRA + 1, 0, &data, sizeof(data));
}

TEST_F(tegra241, viommu_parent_is_no_parent)
{
	struct iommu_viommu_tegra241_cmdqv data = {};
	__u32 hwpt_id, id;

	ASSERT_EQ(0, _test_cmd_hwpt_alloc(self->fd, self->t.dev_id[0],
					  self->t.ioas_id, 0, 0, &hwpt_id,
					  IOMMU_HWPT_DATA_NONE, NULL, 0));
	EXPECT_ERRNO(EINVAL,
		     _test_cmd_viommu_alloc(self->fd, self->t.dev_id[0],
					    hwpt_id, 0, TEGRA, &data,
					    sizeof(data), &id));
}

/* The kernel has made a VINTF by the time it finds out: it must take it back */
TEST_F(tegra241, viommu_data_cannot_be_written)
{
	struct iommu_viommu_tegra241_cmdqv data = {};
	struct tegra_viommu v[TEGRA_VINTFS];
	void *page = viommu_read_only(&data, sizeof(data));
	int i;

	ASSERT_NE(NULL, page);
	for (i = 0; i < 2 * TEGRA_VINTFS; i++)
		viommu_err(EFAULT, TEGRA, 0, page, sizeof(data));
	for (i = 0; i < TEGRA_VINTFS - 1; i++)
		ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v[i]));
	munmap(page, PAGE_SIZE);
}

TEST_F(tegra241, viommu_none_left)
{
	struct tegra_viommu v[TEGRA_VINTFS];
	int i;

	for (i = 0; i < TEGRA_VINTFS - 1; i++)
		ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v[i]));
	EXPECT_ERRNO(ENOSPC, tegra_viommu_alloc(&self->t, &v[i]));
	test_ioctl_destroy(v[0].id);
	EXPECT_EQ(0, tegra_viommu_alloc(&self->t, &v[0]));
	EXPECT_ERRNO(ENOSPC, tegra_viommu_alloc(&self->t, &v[i]));
}

/* The type without queues is there too */
TEST_F(tegra241, viommu_of_the_smmu)
{
	__u64 val = 0;
	__u32 id, queue;

	ASSERT_EQ(0, _test_cmd_viommu_alloc(self->fd, self->t.dev_id[0],
					    self->t.hwpt_id, 0,
					    IOMMU_VIOMMU_TYPE_ARM_SMMUV3, NULL,
					    0, &id));
	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_hw_queue_alloc(self->fd, id, TEGRA_QUEUE, 0,
					      BASE(0), LENGTH, &queue));
	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_viommu_get(self->fd, id, GET_VINTF, &val));
}

TEST_F(tegra241, vdevice)
{
	__u32 id;

	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 0x10, &id));
	test_ioctl_destroy(id);
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 0x11, &id));
}

TEST_F(tegra241, vdevice_stream_id)
{
	__u32 id;

	EXPECT_ERRNO(EINVAL,
		     _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 1 << 20, &id));
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], (1 << 20) - 1,
					     &id));
}

TEST_F(tegra241, vdevice_twice)
{
	__u32 id;

	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 0x10, &id));
	EXPECT_ERRNO(EEXIST,
		     _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 0x11, &id));
	EXPECT_ERRNO(EEXIST,
		     _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[1], 0x10, &id));
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[1], 0x11, &id));
}

/* The entries of the map come back: more rounds than there are of them */
TEST_F(tegra241, vdevice_again_and_again)
{
	__u32 id;
	int i;

	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
						     self->t.dev_id[0], i,
						     &id));
		test_ioctl_destroy(id);
	}
}

#define queue_ok(index, part, out)                                          \
	ASSERT_EQ(0, _test_cmd_hw_queue_alloc(self->fd, self->t.v.id,       \
					      TEGRA_QUEUE, index, BASE(part), \
					      LENGTH, out))
#define queue_err(_errno, index, base, length)                              \
	({                                                                  \
		__u32 __id;                                                 \
									    \
		EXPECT_ERRNO(_errno,                                        \
			     _test_cmd_hw_queue_alloc(self->fd,             \
						      self->t.v.id,         \
						      TEGRA_QUEUE, index,   \
						      base, length, &__id)); \
	})

TEST_F(tegra241, queues_ascending)
{
	__u32 id[TEGRA_QUEUES];
	int i;

	for (i = 0; i < TEGRA_QUEUES; i++)
		queue_ok(i, i, &id[i]);
	while (i--)
		test_ioctl_destroy(id[i]);
	queue_ok(0, 0, &id[0]);
}

TEST_F(tegra241, queue_gap)
{
	__u32 id;

	queue_err(EIO, 1, BASE(0), LENGTH);
	queue_ok(0, 0, &id);
	queue_err(EIO, 2, BASE(0), LENGTH);
	queue_ok(1, 1, &id);
}

TEST_F(tegra241, queue_twice)
{
	__u32 id;

	queue_ok(0, 0, &id);
	queue_err(EEXIST, 0, BASE(1), LENGTH);
	test_ioctl_destroy(id);
	queue_ok(0, 1, &id);
}

TEST_F(tegra241, queue_index)
{
	queue_err(EINVAL, TEGRA_QUEUES, BASE(0), LENGTH);
	queue_err(EINVAL, ~0U, BASE(0), LENGTH);
}

TEST_F(tegra241, queue_destroy_order)
{
	__u32 id[3];
	int i;

	for (i = 0; i < 3; i++)
		queue_ok(i, i, &id[i]);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id[0]));
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id[1]));
	test_ioctl_destroy(id[2]);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id[0]));
	test_ioctl_destroy(id[1]);
	test_ioctl_destroy(id[0]);
}

TEST_F(tegra241, queue_holds_the_viommu)
{
	__u32 id;

	queue_ok(0, 0, &id);
	munmap(self->t.v.page0, TEGRA_PAGE0_SIZE);
	self->t.v.page0 = MAP_FAILED;
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->t.v.id));
	test_ioctl_destroy(id);
	test_ioctl_destroy(self->t.v.id);
}

TEST_F(tegra241, queue_type)
{
	__u32 id;

	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_hw_queue_alloc(self->fd, self->t.v.id, 0, 0,
					      BASE(0), LENGTH, &id));
	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_hw_queue_alloc(self->fd, self->t.v.id,
					      TEGRA_QUEUE + 1, 0, BASE(0),
					      LENGTH, &id));
}

TEST_F(tegra241, queue_flags)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.flags = 1,
		.viommu_id = self->t.v.id,
		.type = TEGRA_QUEUE,
		.nesting_parent_iova = BASE(0),
		.length = LENGTH,
	};

	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, IOMMU_HW_QUEUE_ALLOC, &cmd));
}

TEST_F(tegra241, queue_length)
{
	__u32 id;

	queue_err(EINVAL, 0, BASE(0), 0);
	queue_err(EINVAL, 0, BASE(0), 16);
	queue_err(EINVAL, 0, BASE(0), LENGTH - 1);
	queue_err(EINVAL, 0, BASE(0), LENGTH + 32);
	ASSERT_EQ(0, _test_cmd_hw_queue_alloc(self->fd, self->t.v.id,
					      TEGRA_QUEUE, 0, BASE(0), 32,
					      &id));
	test_ioctl_destroy(id);
	ASSERT_EQ(0, _test_cmd_hw_queue_alloc(self->fd, self->t.v.id,
					      TEGRA_QUEUE, 0, BASE(0),
					      TEGRA_RAM_SIZE, &id));
}

/* More than IDR1.CMDQS: refused before anything is allocated or pinned */
TEST_F(tegra241, queue_oversized)
{
	struct iommu_hw_info_arm_smmuv3 info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = self->t.dev_id[0],
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};
	long pinned = viommu_pinned();
	unsigned int log2;

	ASSERT_EQ(0, ioctl(self->fd, IOMMU_GET_HW_INFO, &cmd));
	log2 = (info.idr[1] >> 21 & 0x1f) + 4;
	/* Not mapped: a kernel that looked at the memory would say ENOENT */
	while (++log2 < 63)
		queue_err(EINVAL, 0, 0, 1ULL << log2);
	EXPECT_EQ(pinned, viommu_pinned());
	queue_err(EOVERFLOW, 0, BASE(0), 1ULL << 63 | 1ULL << 62 | 1ULL << 61 |
		  (~0ULL >> 3));
}

TEST_F(tegra241, queue_alignment)
{
	__u32 id;

	queue_err(EINVAL, 0, BASE(0) + LENGTH / 2, LENGTH);
	queue_err(EINVAL, 0, BASE(0) + 16, 32);
	ASSERT_EQ(0, _test_cmd_hw_queue_alloc(self->fd, self->t.v.id,
					      TEGRA_QUEUE, 0, BASE(0) + 32, 32,
					      &id));
}

TEST_F(tegra241, queue_not_mapped)
{
	queue_err(ENOENT, 0, TEGRA_RAM_IOVA + TEGRA_RAM_SIZE, LENGTH);
	queue_err(ENOENT, 0, TEGRA_RAM_IOVA - LENGTH, LENGTH);
}

/* Two pages, one after the other for the guest and not for the host */
TEST_F(tegra241, queue_not_contiguous)
{
	__u64 iova = 0x90000000;
	int i;

	for (i = 0; i < 2; i++, iova += PAGE_SIZE)
		ASSERT_EQ(0, _test_ioctl_ioas_map(self->fd, self->t.ioas_id,
						  self->t.ram +
							  (4 - i) * PAGE_SIZE,
						  PAGE_SIZE, &iova,
						  IOMMU_IOAS_MAP_FIXED_IOVA |
						  IOMMU_IOAS_MAP_WRITEABLE |
						  IOMMU_IOAS_MAP_READABLE));
	queue_err(EFAULT, 0, 0x90000000, 2 * PAGE_SIZE);
}

TEST_F(tegra241, queue_holds_the_memory)
{
	__u32 id;

	queue_ok(0, 0, &id);
	EXPECT_ERRNO(EBUSY,
		     _test_ioctl_ioas_unmap(self->fd, self->t.ioas_id,
					    TEGRA_RAM_IOVA, TEGRA_RAM_SIZE,
					    NULL));
	test_ioctl_destroy(id);
	EXPECT_EQ(0, _test_ioctl_ioas_unmap(self->fd, self->t.ioas_id,
					    TEGRA_RAM_IOVA, TEGRA_RAM_SIZE,
					    NULL));
}

TEST_F(tegra241, queues_of_two_viommus)
{
	struct tegra_queue q[2];
	struct tegra_viommu v;
	__u32 id;

	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	queue_ok(0, 0, &id);
	ASSERT_EQ(0, queue_alloc(&self->t, &v, &q[0], 0, 1));
	ASSERT_EQ(0, queue_alloc(&self->t, &v, &q[1], 1, 2));
	/* The order is one of each vIOMMU */
	test_ioctl_destroy(id);
	queue_err(EIO, 1, BASE(3), LENGTH);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, q[0].id));
}

#define mmap_err(_errno, prot, flags, length, offset)                       \
	EXPECT_ERRNO(_errno, (long)mmap(NULL, length, prot, flags, self->fd, \
					offset))

TEST_F(tegra241, page0_length)
{
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE / 2,
		 self->t.v.mmap_offset);
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE * 2,
		 self->t.v.mmap_offset);
}

TEST_F(tegra241, page0_offset)
{
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE,
		 self->t.v.mmap_offset + TEGRA_PAGE0_SIZE);
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE, 0);
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE / 2,
		 self->t.v.mmap_offset + TEGRA_PAGE0_SIZE / 2);
}

TEST_F(tegra241, page0_private)
{
	mmap_err(EINVAL, PROT_READ, MAP_PRIVATE, TEGRA_PAGE0_SIZE,
		 self->t.v.mmap_offset);
}

TEST_F(tegra241, page0_executable)
{
	mmap_err(EPERM, PROT_READ | PROT_EXEC, MAP_SHARED, TEGRA_PAGE0_SIZE,
		 self->t.v.mmap_offset);
	EXPECT_ERRNO(EACCES, mprotect(self->t.v.page0, PAGE_SIZE,
				      PROT_READ | PROT_EXEC));
}

TEST_F(tegra241, page0_holds_the_viommu)
{
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, self->t.v.id));
	munmap(self->t.v.page0, TEGRA_PAGE0_SIZE);
	self->t.v.page0 = MAP_FAILED;
	test_ioctl_destroy(self->t.v.id);
}

TEST_F(tegra241, page0_of_each_viommu)
{
	struct tegra_viommu v;

	ASSERT_EQ(0, tegra_viommu_alloc(&self->t, &v));
	EXPECT_NE(self->t.v.mmap_offset, v.mmap_offset);
	ASSERT_EQ(0, tegra_map_page0(&self->t, &v));
	munmap(v.page0, TEGRA_PAGE0_SIZE);
	test_ioctl_destroy(v.id);
	mmap_err(ENXIO, PROT_READ, MAP_SHARED, TEGRA_PAGE0_SIZE,
		 v.mmap_offset);
}

/* Queues that are not allocated: nothing to see, nothing to write */
TEST_F(tegra241, page0_without_queue)
{
	unsigned int i;

	for (i = 0; i < 512; i++) {
		page0_write(&self->t.v, i, PAGE0_CONFIG, 1);
		page0_write(&self->t.v, i, PAGE0_PROD, 5);
	}
	for (i = 0; i < 512; i++) {
		ASSERT_EQ(0, page0_read(&self->t.v, i, PAGE0_CONFIG));
		ASSERT_EQ(0, page0_read(&self->t.v, i, PAGE0_STATUS));
		ASSERT_EQ(0, page0_read(&self->t.v, i, PAGE0_PROD));
	}
}

TEST_F(tegra241, get_vintf_status)
{
	__u32 id;

	/* Enabled; and how many queues */
	test_viommu_reads(1, self->t.v.id, GET_VINTF);
	queue_ok(0, 0, &id);
	test_viommu_reads(1 | 1 << 16, self->t.v.id, GET_VINTF);
}

TEST_F(tegra241, get_error_map)
{
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
	test_viommu_reads(0, self->t.v.id, GET_ERR_MAP + 1);
}

TEST_F(tegra241, get_queue_status)
{
	__u32 id;

	test_err_viommu_get(ENOENT, self->t.v.id, GET_QUEUE(0));
	queue_ok(0, 0, &id);
	test_viommu_reads(0, self->t.v.id, GET_QUEUE(0));
	test_err_viommu_get(ENOENT, self->t.v.id, GET_QUEUE(1));
	test_ioctl_destroy(id);
	test_err_viommu_get(ENOENT, self->t.v.id, GET_QUEUE(0));
}

TEST_F(tegra241, get_queue_that_hardware_has_not)
{
	unsigned int i;

	for (i = TEGRA_QUEUES; i < 128; i++)
		test_err_viommu_get(EOPNOTSUPP, self->t.v.id, GET_QUEUE(i));
}

/* All that is not in the table of the uAPI */
TEST_F(tegra241, get_unknown)
{
	unsigned int i;

	for (i = 0; i < 0x10000; i++) {
		__u64 val = VIOMMU_CANARY;

		if ((i >= GET_VINTF && i <= GET_ERR_MAP + 1) ||
		    (i >= GET_QUEUE(0) && i <= GET_QUEUE(127)))
			continue;
		ASSERT_EQ(-1, _test_cmd_viommu_get(self->fd, self->t.v.id, i,
						   &val));
		ASSERT_EQ(EOPNOTSUPP, errno);
		ASSERT_EQ(VIOMMU_CANARY, val);
	}
}

TEST_F(tegra241, set_is_refused)
{
	unsigned int i;

	for (i = GET_VINTF; i <= GET_ERR_MAP + 1; i++)
		test_err_viommu_set(EACCES, self->t.v.id, i, 0);
	for (i = 0; i < 128; i++)
		test_err_viommu_set(EACCES, self->t.v.id, GET_QUEUE(i), 0);
	test_err_viommu_set(EOPNOTSUPP, self->t.v.id, 0, 0);
	test_err_viommu_set(EOPNOTSUPP, self->t.v.id, 0x80, 0);
	test_viommu_reads(1, self->t.v.id, GET_VINTF);
}

TEST_F(tegra241, get_of_no_viommu)
{
	test_err_viommu_get(ENOENT, self->t.hwpt_id + 1000, GET_VINTF);
	test_err_viommu_get(ENOENT, self->t.hwpt_id, GET_VINTF);
}

TEST_F(tegra241, veventq_types)
{
	__u32 id, fd;

	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &id, &fd));
	close(fd);
	EXPECT_ERRNO(EEXIST,
		     _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &id, &fd));
	EXPECT_ERRNO(EOPNOTSUPP,
		     _test_cmd_veventq_alloc(self->fd, self->t.v.id, 0, 4, &id,
					     &fd));
}

static void use_everything(struct __test_metadata *_metadata,
			   FIXTURE_DATA(tegra241) *self)
{
	__u32 id, vdev, veventq, fd;
	int i;

	for (i = 0; i < TEGRA_QUEUES; i++)
		queue_ok(i, i, &id);
	ASSERT_EQ(0, _test_cmd_vdevice_alloc(self->fd, self->t.v.id,
					     self->t.dev_id[0], 7, &vdev));
	ASSERT_EQ(0, _test_cmd_veventq_alloc(self->fd, self->t.v.id,
					     TEGRA_VEVENTQ, 4, &veventq, &fd));
	close(fd);
	for (i = 0; i < TEGRA_QUEUES; i++)
		page0_write(&self->t.v, i, PAGE0_CONFIG, 1);
}

/*
 * What a VMM leaves behind, the kernel cleans up: the next one gets all of it,
 * in the state of the first day
 */
TEST_F(tegra241, everything_at_once)
{
	struct tegra_viommu other[TEGRA_VINTFS - 1];
	int i, round;

	for (round = 0; round < 2 * TEGRA_VINTFS; round++) {
		test_viommu_reads(0, self->t.v.id, GET_ERR_MAP);
		test_err_viommu_get(ENOENT, self->t.v.id, GET_QUEUE(0));
		use_everything(_metadata, self);
		tegra_close(&self->t);
		ASSERT_EQ(NULL, tegra_open(&self->t));
		self->fd = self->t.fd;
	}
	for (i = 0; i < TEGRA_VINTFS - 1; i++)
		EXPECT_EQ(0, tegra_viommu_alloc(&self->t, &other[i]));
}

TEST_HARNESS_MAIN
