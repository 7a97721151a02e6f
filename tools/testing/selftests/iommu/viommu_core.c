// SPDX-License-Identifier: GPL-2.0-only
/*
 * What IOMMU_VIOMMU_ALLOC, IOMMU_VDEVICE_ALLOC, IOMMU_VEVENTQ_ALLOC and an
 * invalidation batch refuse, for each type of mock vIOMMU
 */
#include "viommu_utils.h"

#define VDEVS IOMMU_TEST_VIOMMU_CMD_VDEVS
#define BATCH 0x80000U

FIXTURE(viommu_alloc)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_VARIANT(viommu_alloc)
{
	__u32 type;
};

FIXTURE_VARIANT_ADD(viommu_alloc, phys)
{
	.type = IOMMU_VIOMMU_TYPE_SELFTEST,
};

FIXTURE_VARIANT_ADD(viommu_alloc, iova)
{
	.type = IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
};

FIXTURE_VARIANT_ADD(viommu_alloc, bare)
{
	.type = IOMMU_VIOMMU_TYPE_SELFTEST_BARE,
};

FIXTURE_SETUP(viommu_alloc)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
}

FIXTURE_TEARDOWN(viommu_alloc)
{
	close(self->fd);
}

TEST_F(viommu_alloc, every_flag)
{
	int bit;

	for (bit = 0; bit < 32; bit++)
		EXPECT_ERRNO(EOPNOTSUPP,
			     _test_cmd_viommu_alloc(self->fd,
						    self->objs.device_id,
						    self->objs.hwpt_id,
						    1U << bit, variant->type,
						    NULL, 0, NULL));
	/* Nothing of it holds the parent */
	test_ioctl_destroy(self->objs.hwpt_id);
}

TEST_F(viommu_alloc, wrong_device)
{
	const struct viommu_objs *objs = &self->objs;

	test_err_viommu_alloc(ENOENT, 0, objs->hwpt_id, variant->type, NULL, 0,
			      NULL);
	test_err_viommu_alloc(ENOENT, objs->ioas_id, objs->hwpt_id,
			      variant->type, NULL, 0, NULL);
	test_err_viommu_alloc(ENOENT, objs->stdev_id, objs->hwpt_id,
			      variant->type, NULL, 0, NULL);
}

TEST_F(viommu_alloc, wrong_parent)
{
	const struct viommu_objs *objs = &self->objs;
	__u32 hwpt_id;

	test_err_viommu_alloc(ENOENT, objs->device_id, 0, variant->type, NULL,
			      0, NULL);
	test_err_viommu_alloc(ENOENT, objs->device_id, objs->ioas_id,
			      variant->type, NULL, 0, NULL);
	/* A page table that is not a nesting parent */
	test_cmd_hwpt_alloc(objs->device_id, objs->ioas_id, 0, &hwpt_id);
	test_err_viommu_alloc(EINVAL, objs->device_id, hwpt_id, variant->type,
			      NULL, 0, NULL);
}

TEST_F(viommu_alloc, holds_its_parent)
{
	__u32 id;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs, variant->type, &id));
	EXPECT_ERRNO(EBUSY,
		     _test_ioctl_destroy(self->fd, self->objs.hwpt_id));
	test_ioctl_destroy(id);
	test_ioctl_destroy(self->objs.hwpt_id);
}

/* viommu_init() casts the domain, so it must be one of its own driver */
TEST_F(viommu_alloc, parent_of_another_driver)
{
	const struct viommu_objs *objs = &self->objs;
	__u32 other_device, other_hwpt, id;

	test_cmd_mock_domain_flags(objs->ioas_id, MOCK_FLAGS_DEVICE_OTHER_IOMMU,
				   NULL, NULL, &other_device);
	test_cmd_hwpt_alloc(other_device, objs->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &other_hwpt);
	test_err_viommu_alloc(EINVAL, objs->device_id, other_hwpt,
			      variant->type, NULL, 0, &id);
	test_err_viommu_alloc(EINVAL, other_device, objs->hwpt_id,
			      variant->type, NULL, 0, &id);
	/* Each on its own is fine */
	test_cmd_viommu_alloc(other_device, other_hwpt, variant->type, NULL, 0,
			      &id);
	test_ioctl_destroy(id);
	test_cmd_viommu_alloc(objs->device_id, objs->hwpt_id, variant->type,
			      NULL, 0, &id);
}

TEST_F(viommu_alloc, user_data)
{
	struct iommu_viommu_selftest data = { .in_data = 0x1234 };
	__u32 id;

	test_cmd_viommu_alloc(self->objs.device_id, self->objs.hwpt_id,
			      variant->type, &data, sizeof(data), &id);
	EXPECT_EQ(0x1234, data.out_data);
	EXPECT_NE(0, data.out_mmap_offset);
	EXPECT_EQ(2 * PAGE_SIZE, data.out_mmap_length);
	test_ioctl_destroy(id);
}

TEST_F(viommu_alloc, user_data_too_short)
{
	struct iommu_viommu_selftest data = { .in_data = 0x1234 };

	test_err_viommu_alloc(EINVAL, self->objs.device_id, self->objs.hwpt_id,
			      variant->type, &data, sizeof(data.in_data), NULL);
	EXPECT_EQ(0, data.out_data);
	test_ioctl_destroy(self->objs.hwpt_id);
}

TEST_F(viommu_alloc, user_data_too_long)
{
	struct {
		struct iommu_viommu_selftest data;
		__u64 future;
	} user = {};

	test_err_viommu_alloc(EINVAL, self->objs.device_id, self->objs.hwpt_id,
			      variant->type, &user, sizeof(user), NULL);
	test_ioctl_destroy(self->objs.hwpt_id);
}

TEST_F(viommu_alloc, user_data_cannot_be_written)
{
	void *data = mmap(NULL, PAGE_SIZE, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, data);
	test_err_viommu_alloc(EFAULT, self->objs.device_id, self->objs.hwpt_id,
			      variant->type, data,
			      sizeof(struct iommu_viommu_selftest), NULL);
	test_ioctl_destroy(self->objs.hwpt_id);
	munmap(data, PAGE_SIZE);
}

TEST_F(viommu_alloc, vdevice_of_another_iommu)
{
	__u32 other_device, id;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs, variant->type, &id));
	test_cmd_mock_domain_flags(self->objs.ioas_id,
				   MOCK_FLAGS_DEVICE_OTHER_IOMMU, NULL, NULL,
				   &other_device);
	test_err_vdevice_alloc(EINVAL, id, other_device, 0x99, NULL);
}

TEST_F(viommu_alloc, vdevice_twice)
{
	__u32 id, vdev_id, second_device;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs, variant->type, &id));
	test_cmd_vdevice_alloc(id, self->objs.device_id, 0x99, &vdev_id);
	/* The device has one, and the ID is taken */
	test_err_vdevice_alloc(EEXIST, id, self->objs.device_id, 0x98, NULL);
	test_cmd_mock_domain(self->objs.ioas_id, NULL, NULL, &second_device);
	test_err_vdevice_alloc(EEXIST, id, second_device, 0x99, NULL);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id));
	test_ioctl_destroy(vdev_id);
	test_cmd_vdevice_alloc(id, second_device, 0x99, &vdev_id);
}

TEST_F(viommu_alloc, veventq)
{
	__u32 id, eventq_id, eventq_fd;

	ASSERT_EQ(0, viommu_make(self->fd, &self->objs, variant->type, &id));
	test_err_veventq_alloc(EOPNOTSUPP, id, IOMMU_VEVENTQ_TYPE_DEFAULT, 2,
			       NULL, NULL);
	test_err_veventq_alloc(EINVAL, id, IOMMU_VEVENTQ_TYPE_SELFTEST, 0, NULL,
			       NULL);
	test_err_veventq_alloc(ENOENT, 0, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, NULL,
			       NULL);
	test_cmd_veventq_alloc(id, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &eventq_id,
			       &eventq_fd);
	test_err_veventq_alloc(EEXIST, id, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, NULL,
			       NULL);
	EXPECT_ERRNO(EBUSY, _test_ioctl_destroy(self->fd, id));
	close(eventq_fd);
	test_ioctl_destroy(eventq_id);
	test_ioctl_destroy(id);
}

/* Once per program */

FIXTURE(core)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(core)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST, &self->viommu_id));
}

FIXTURE_TEARDOWN(core)
{
	close(self->fd);
}

TEST_F(core, unknown_types)
{
	const __u32 types[] = {
		IOMMU_VIOMMU_TYPE_DEFAULT, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV, 0xdead, UINT32_MAX,
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		test_err_viommu_alloc(EOPNOTSUPP, self->objs.device_id,
				      self->objs.hwpt_id, types[i], NULL, 0,
				      NULL);
}

TEST_F(core, counts_vdevices)
{
	__u32 vdev_id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_viommu_reads(1, self->viommu_id, VDEVS);
	test_ioctl_destroy(vdev_id);
	test_viommu_reads(0, self->viommu_id, VDEVS);
}

/* The core destroys it when the device goes; only the ID is left behind */
TEST_F(core, counts_vdevice_that_lost_its_device)
{
	__u32 vdev_id, second_device, second_id;

	test_cmd_mock_domain(self->objs.ioas_id, NULL, NULL, &second_device);
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_ioctl_destroy(self->objs.stdev_id);
	test_viommu_reads(0, self->viommu_id, VDEVS);
	/* What is left of it is neither counted nor in the way */
	test_cmd_vdevice_alloc(self->viommu_id, second_device, 0x99,
			       &second_id);
	EXPECT_NE(vdev_id, second_id);
	test_viommu_reads(1, self->viommu_id, VDEVS);
	EXPECT_ERRNO(ENOENT, _test_ioctl_destroy(self->fd, vdev_id));
	test_viommu_reads(1, self->viommu_id, VDEVS);
	test_ioctl_destroy(second_id);
	test_viommu_reads(0, self->viommu_id, VDEVS);
}

TEST_F(core, vdevice_that_cannot_be_reported_is_undone)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->viommu_id,
		.dev_id = self->objs.device_id,
		.virt_id = 0x99,
	};
	void *page = viommu_read_only(&cmd, sizeof(cmd));
	__u32 vdev_id;

	ASSERT_NE(NULL, page);
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, IOMMU_VDEVICE_ALLOC, page));
	test_viommu_reads(0, self->viommu_id, VDEVS);
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
}

/* 6 MiB, which kmalloc() does not have: it used to warn */
TEST_F(core, largest_invalidation_batch)
{
	struct iommu_viommu_invalidate_selftest *inv;
	size_t size = BATCH * sizeof(*inv);
	__u32 vdev_id, num = BATCH, i;
	long before;

	viommu_rearm_warnings();
	before = viommu_complaints();
	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	inv = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)inv);
	for (i = 0; i < BATCH; i++)
		inv[i].vdev_id = 0x99;
	inv[BATCH - 1].cache_id = 1;
	test_cmd_viommu_invalidate(self->viommu_id, inv, sizeof(*inv), &num);
	EXPECT_EQ(BATCH, num);
	/* The first and the last entry had their effect, no other */
	test_cmd_dev_check_cache(self->objs.device_id, 0, 0);
	test_cmd_dev_check_cache(self->objs.device_id, 1, 0);
	test_cmd_dev_check_cache(self->objs.device_id, 2,
				 IOMMU_TEST_DEV_CACHE_DEFAULT);
	EXPECT_EQ(before, viommu_complaints());
	munmap(inv, size);
}

TEST_F(core, invalidation_batch_too_large)
{
	struct iommu_viommu_invalidate_selftest inv = {};
	__u32 type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST;
	__u32 num = BATCH + 1;

	EXPECT_ERRNO(EINVAL, _test_cmd_viommu_invalidate(self->fd,
							 self->viommu_id, &inv,
							 type, sizeof(inv),
							 &num));
	EXPECT_EQ(0, num);
}

/* A vIOMMU of a driver that has nothing optional */

FIXTURE(bare)
{
	int fd;
	__u32 viommu_id;
	struct viommu_objs objs;
};

FIXTURE_SETUP(bare)
{
	const char *why = viommu_open(&self->fd);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, viommu_make_objs(self->fd, &self->objs));
	ASSERT_EQ(0, viommu_make(self->fd, &self->objs,
				 IOMMU_VIOMMU_TYPE_SELFTEST_BARE,
				 &self->viommu_id));
}

FIXTURE_TEARDOWN(bare)
{
	close(self->fd);
}

TEST_F(bare, every_index)
{
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		test_err_viommu_get(EOPNOTSUPP, self->viommu_id, index);
		test_err_viommu_set(EOPNOTSUPP, self->viommu_id, index, 0);
	}
}

TEST_F(bare, no_hw_queue)
{
	test_err_hw_queue_alloc(EOPNOTSUPP, self->viommu_id,
				IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, NULL);
	test_err_hw_queue_alloc(EOPNOTSUPP, self->viommu_id,
				IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
				VIOMMU_RAM_IOVA, PAGE_SIZE, NULL);
}

TEST_F(bare, no_invalidation)
{
	struct iommu_viommu_invalidate_selftest inv = {};
	__u32 num = 1;

	test_err_viommu_invalidate(EOPNOTSUPP, self->viommu_id, &inv,
				   IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
				   sizeof(inv), &num);
}

TEST_F(bare, no_nested_hwpt)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	__u32 hwpt_id;

	test_err_hwpt_alloc_nested(EOPNOTSUPP, self->objs.device_id,
				   self->viommu_id, 0, &hwpt_id,
				   IOMMU_HWPT_DATA_SELFTEST, &data,
				   sizeof(data));
}

TEST_F(bare, vdevice_without_op)
{
	__u32 vdev_id;

	test_cmd_vdevice_alloc(self->viommu_id, self->objs.device_id, 0x99,
			       &vdev_id);
	test_ioctl_destroy(vdev_id);
}

/* The mock device is destroyed, by its ID or with the file */
FIXTURE(pasid)
{
	int fd;
	__u32 stdev_id;
	bool warned;
};

static bool has_warned(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long taint = 0;

	if (!file)
		return false;
	if (fscanf(file, "%lu", &taint) != 1)
		taint = 0;
	fclose(file);
	return taint & (1UL << 9);
}

FIXTURE_SETUP(pasid)
{
	static const __u32 pasids[] = { 1, 100, 0xfffff };
	const char *why = viommu_open(&self->fd);
	__u32 ioas_id, idev_id, hwpt_id;
	unsigned int i;

	if (why)
		SKIP(return, "%s", why);
	self->warned = has_warned();
	test_ioctl_ioas_alloc(&ioas_id);
	/* A device that has PASIDs needs a domain that is made for them */
	test_cmd_mock_domain(ioas_id, NULL, NULL, &idev_id);
	test_cmd_hwpt_alloc(idev_id, ioas_id, IOMMU_HWPT_ALLOC_PASID, &hwpt_id);
	test_cmd_mock_domain_flags(hwpt_id, MOCK_FLAGS_DEVICE_PASID,
				   &self->stdev_id, NULL, NULL);
	for (i = 0; i != ARRAY_SIZE(pasids); i++)
		test_cmd_pasid_attach(pasids[i], hwpt_id);
}

FIXTURE_TEARDOWN(pasid)
{
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(pasid, device_goes_while_attached)
{
	test_ioctl_destroy(self->stdev_id);
	EXPECT_FALSE(!self->warned && has_warned());
}

TEST_F(pasid, file_goes_while_attached)
{
	close(self->fd);
	self->fd = -1;
	EXPECT_FALSE(!self->warned && has_warned());
}

TEST_HARNESS_MAIN
