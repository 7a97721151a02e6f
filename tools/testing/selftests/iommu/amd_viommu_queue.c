// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: what of vIOMMUs and HW queues is refused, with which
 * errno, and what comes and goes
 */
#include "amd_viommu_utils.h"

/* IOMMU_VIOMMU_ALLOC */

FIXTURE(alloc)
{
	struct amd_hw hw;
	struct iommu_viommu_alloc cmd;
	struct iommu_viommu_amd data;
};

FIXTURE_SETUP(alloc)
{
	const char *why = amd_hw_open(&self->hw, 0);
	struct amd_guest *guest = &self->hw.setup.guest;

	if (why)
		SKIP(return, "%s", why);
	/* There is hardware; the tests allocate their own */
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	self->cmd = (struct iommu_viommu_alloc){
		.size = sizeof(self->cmd),
		.type = IOMMU_VIOMMU_TYPE_AMD,
		.dev_id = self->hw.setup.dev.dev_id,
		.hwpt_id = guest->hwpt_id,
		.data_len = sizeof(self->data),
		.data_uptr = (uintptr_t)&self->data,
	};
}

FIXTURE_TEARDOWN(alloc)
{
	amd_hw_close(&self->hw);
}

/* What is allocated is destroyed at once */
static int try_alloc(const struct amd_guest *guest,
		     struct iommu_viommu_alloc *cmd)
{
	if (ioctl(guest->iommufd, IOMMU_VIOMMU_ALLOC, cmd))
		return -errno;
	return amd_guest_destroy(guest, cmd->out_viommu_id);
}

#define test_alloc(rc) \
	EXPECT_EQ(rc, try_alloc(&self->hw.setup.guest, &self->cmd))

TEST_F(alloc, says_what_there_is)
{
	const __u32 known = IOMMU_VIOMMU_AMD_CAP_HW_QUEUES |
			    IOMMU_VIOMMU_AMD_CAP_PPR |
			    IOMMU_VIOMMU_AMD_CAP_EVT_B |
			    IOMMU_VIOMMU_AMD_CAP_PPR_B |
			    IOMMU_VIOMMU_AMD_CAP_LOG_IRQ;

	memset(&self->data, 0xff, sizeof(self->data));
	self->data.__reserved = 0;
	test_alloc(0);
	EXPECT_EQ(IOMMU_VIOMMU_AMD_CAP_HW_QUEUES,
		  self->data.out_caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES);
	EXPECT_EQ(0, self->data.out_caps & ~known);
	EXPECT_EQ(0, self->data.__reserved);
	EXPECT_EQ(AMD_PAGE, self->data.out_vfmmio_mmap_length);
	EXPECT_NE(0, self->data.out_vfmmio_mmap_offset);
	EXPECT_EQ(0, self->data.out_vfmmio_mmap_offset % AMD_PAGE);
}

/* One PPR log can be there without a second one, but not the reverse */
TEST_F(alloc, caps_agree_with_the_features)
{
	__u64 efr = amd_hw_efr(&self->hw);
	__u32 caps;

	test_alloc(0);
	caps = self->data.out_caps;
	EXPECT_EQ(!!(efr & 0x2), !!(caps & IOMMU_VIOMMU_AMD_CAP_PPR));
	if (caps & IOMMU_VIOMMU_AMD_CAP_PPR_B)
		EXPECT_TRUE(caps & IOMMU_VIOMMU_AMD_CAP_PPR);
	if (!(efr >> 24 & 3))
		EXPECT_FALSE(caps & IOMMU_VIOMMU_AMD_CAP_PPR_B);
	if (!(efr >> 28 & 3))
		EXPECT_FALSE(caps & IOMMU_VIOMMU_AMD_CAP_EVT_B);
}

TEST_F(alloc, reserved_field)
{
	self->data.__reserved = 1;
	test_alloc(-EOPNOTSUPP);
	self->data.__reserved = 1U << 31;
	test_alloc(-EOPNOTSUPP);
}

TEST_F(alloc, flags)
{
	self->cmd.flags = 1;
	test_alloc(-EOPNOTSUPP);
}

TEST_F(alloc, data_too_short)
{
	self->cmd.data_len = sizeof(self->data) - 8;
	test_alloc(-EINVAL);
	self->cmd.data_len = 1;
	test_alloc(-EINVAL);
}

TEST_F(alloc, data_too_long)
{
	__u64 longer[sizeof(self->data) / 8 + 1] = {};

	self->cmd.data_uptr = (uintptr_t)longer;
	self->cmd.data_len = sizeof(longer);
	test_alloc(-EINVAL);
}

TEST_F(alloc, data_not_there)
{
	self->cmd.data_uptr = 8;
	test_alloc(-EFAULT);
}

/* More often than there are IDs on a small machine: none may be left behind */
TEST_F(alloc, data_read_only)
{
	void *page = mmap(NULL, AMD_PAGE, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	ASSERT_NE(MAP_FAILED, page);
	self->cmd.data_uptr = (uintptr_t)page;
	for (i = 0; i < 300; i++)
		test_alloc(-EFAULT);
	self->cmd.data_uptr = (uintptr_t)&self->data;
	test_alloc(0);
	EXPECT_EQ(IOMMU_VIOMMU_AMD_CAP_HW_QUEUES,
		  self->data.out_caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES);
}

TEST_F(alloc, no_nesting_parent)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = self->cmd.dev_id,
		.pt_id = self->hw.setup.guest.ioas_id,
	};

	ASSERT_EQ(0, ioctl(self->hw.setup.guest.iommufd, IOMMU_HWPT_ALLOC,
			   &hwpt));
	self->cmd.hwpt_id = hwpt.out_hwpt_id;
	test_alloc(-EINVAL);
}

TEST_F(alloc, no_such_device)
{
	self->cmd.dev_id = 0x7fffffff;
	test_alloc(-ENOENT);
}

/* Software does all for a VMM that does not ask, and nobody else can */
TEST_F(alloc, without_data)
{
	struct amd_guest *guest = &self->hw.setup.guest;
	__u64 base = amd_guest_page(guest);
	__u32 type, id;

	ASSERT_EQ(0, amd_guest_viommu(guest, &self->hw.setup.dev));
	for (type = 0; type < 16; type++)
		EXPECT_EQ(-EOPNOTSUPP,
			  amd_viommu_queue(&self->hw.v, type, 0, base,
					   AMD_PAGE, &id));
	test_command_fails(&self->hw.v, CONTROL, EOPNOTSUPP);
	test_command_fails(&self->hw.v, STATUS, EOPNOTSUPP);
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_set(&self->hw.v, CONTROL, 0));
	EXPECT_EQ(0, amd_guest_destroy(guest, guest->viommu_id));
}

/* With and without hardware, on one parent */
TEST_F(alloc, both_kinds)
{
	struct amd_guest *guest = &self->hw.setup.guest;
	struct amd_guest soft = *guest;
	struct amd_viommu v;

	ASSERT_EQ(0, amd_guest_viommu(&soft, &self->hw.setup.dev));
	ASSERT_EQ(0, amd_viommu_alloc(&v, guest, &self->hw.setup.dev));
	test_command_reads(&v, CONTROL, 0);
	EXPECT_EQ(0, amd_guest_destroy(&soft, soft.viommu_id));
	test_command_reads(&v, CONTROL, 0);
	EXPECT_EQ(0, amd_viommu_free(&v));
}

/* IOMMU_HW_QUEUE_ALLOC: a ring that cannot be, for each type of ring */

FIXTURE(shape)
{
	struct amd_hw hw;
};

FIXTURE_VARIANT(shape)
{
	__u32 index;
	__u32 flags;
	__u64 base;
	__u64 length;
	int rc;
};

FIXTURE_VARIANT_ADD(shape, flag_0)
{
	.flags = 1,
	.base = AMD_RAM_GPA,
	.length = AMD_PAGE,
	.rc = -EOPNOTSUPP,
};

FIXTURE_VARIANT_ADD(shape, flag_31)
{
	.flags = 1U << 31,
	.base = AMD_RAM_GPA,
	.length = AMD_PAGE,
	.rc = -EOPNOTSUPP,
};

FIXTURE_VARIANT_ADD(shape, index_2)
{
	.index = 2,
	.base = AMD_RAM_GPA,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, index_all_ones)
{
	.index = ~0U,
	.base = AMD_RAM_GPA,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_0)
{
	.base = AMD_RAM_GPA,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_is_a_code)
{
	.base = AMD_RAM_GPA,
	.length = 8,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_half_a_page)
{
	.base = AMD_RAM_GPA,
	.length = 2048,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_page_and_entry)
{
	.base = AMD_RAM_GPA,
	.length = 4096 + 16,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_3_pages)
{
	.base = AMD_RAM_GPA,
	.length = 3 * 4096,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_1m)
{
	.base = AMD_RAM_GPA,
	.length = 2 * AMD_RING_MAX,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, length_4g)
{
	.base = AMD_RAM_GPA,
	.length = 1ULL << 32,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, base_0)
{
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, base_not_aligned)
{
	.base = AMD_RAM_GPA + 16,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, base_bit_52)
{
	.base = 1ULL << 52,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

/* Its second page has an address that the IOMMU has no bits for */
FIXTURE_VARIANT_ADD(shape, ends_beyond_bit_52)
{
	.base = (1ULL << 52) - AMD_PAGE,
	.length = 2 * AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, longest_ends_beyond_bit_52)
{
	.base = (1ULL << 52) - AMD_RING_MAX + AMD_PAGE,
	.length = AMD_RING_MAX,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, base_bit_63)
{
	.base = 1ULL << 63,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, at_the_very_end)
{
	.base = ~0xfffULL,
	.length = AMD_PAGE,
	.rc = -EINVAL,
};

FIXTURE_VARIANT_ADD(shape, beyond_the_end)
{
	.base = ~0xfffULL,
	.length = 8192,
	.rc = -EOVERFLOW,
};

FIXTURE_SETUP(shape)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(shape)
{
	amd_hw_close(&self->hw);
}

/* Refused, and a good one afterwards is not: nothing is left behind */
static void try_shape(struct __test_metadata *_metadata, struct amd_hw *hw,
		      const struct iommu_hw_queue_alloc *shape, int rc)
{
	struct iommu_hw_queue_alloc cmd = *shape;
	__u32 id;

	cmd.size = sizeof(cmd);
	cmd.viommu_id = hw->setup.guest.viommu_id;
	EXPECT_EQ(rc, ioctl(hw->setup.guest.iommufd, IOMMU_HW_QUEUE_ALLOC,
			    &cmd) ? -errno : 0);
	EXPECT_EQ(0, amd_viommu_queue(&hw->v, cmd.type, 0, AMD_RAM_GPA,
				      AMD_PAGE, &id));
	EXPECT_EQ(0, amd_guest_destroy(&hw->setup.guest, id));
}

#define test_shape(_type)                                              \
	({                                                             \
		struct iommu_hw_queue_alloc __shape = {                \
			.flags = variant->flags,                       \
			.type = _type,                                 \
			.index = variant->index,                       \
			.nesting_parent_iova = variant->base,          \
			.length = variant->length,                     \
		};                                                     \
								       \
		try_shape(_metadata, &self->hw, &__shape, variant->rc); \
	})

TEST_F(shape, command_buffer)
{
	test_shape(CMD_QUEUE);
}

TEST_F(shape, event_log)
{
	test_shape(EVT_QUEUE);
}

TEST_F(shape, ppr_log)
{
	if (!(self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_PPR))
		SKIP(return, "no PPR log");
	test_shape(PPR_QUEUE);
}

/* HW queues that come and go */

FIXTURE(queue)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	__u64 base;
};

FIXTURE_SETUP(queue)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->base = amd_guest_page(self->guest);
}

FIXTURE_TEARDOWN(queue)
{
	amd_hw_close(&self->hw);
}

TEST_F(queue, types_of_others)
{
	__u32 type, id;

	for (type = 0; type < 256; type++) {
		if (type >= CMD_QUEUE && type <= PPR_QUEUE)
			continue;
		EXPECT_EQ(-EOPNOTSUPP,
			  amd_viommu_queue(&self->hw.v, type, 0, self->base,
					   AMD_PAGE, &id))
			TH_LOG("type %u", type);
	}
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_queue(&self->hw.v, 0xffff, 0,
						self->base, AMD_PAGE, &id));
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_queue(&self->hw.v, ~0U, 0, self->base,
						AMD_PAGE, &id));
}

/* Not a power of 2, or a power that has no code */
TEST_F(queue, every_length)
{
	__u64 length;
	__u32 id;
	int rc;

	for (length = 16; length <= 4 * AMD_RING_MAX; length += 16) {
		bool good = length >= AMD_RING_MIN && length <= AMD_RING_MAX &&
			    !(length & (length - 1));

		rc = amd_viommu_queue(&self->hw.v, EVT_QUEUE, 0, self->base,
				      length, &id);
		ASSERT_EQ(good ? 0 : -EINVAL, rc)
			TH_LOG("length %llu", length);
		if (good)
			ASSERT_EQ(0, amd_guest_destroy(self->guest, id));
	}
}

TEST_F(queue, second_command_buffer)
{
	__u32 id;

	EXPECT_EQ(-EINVAL, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 1,
					    self->base, AMD_PAGE, &id));
}

/* Log B, where the IOMMU has one */
TEST_F(queue, second_logs)
{
	const __u32 caps = self->hw.v.caps;
	__u32 id;

	EXPECT_EQ(caps & IOMMU_VIOMMU_AMD_CAP_EVT_B ? 0 : -EINVAL,
		  amd_viommu_queue(&self->hw.v, EVT_QUEUE, 1, self->base,
				   AMD_PAGE, &id));
	if (!(caps & IOMMU_VIOMMU_AMD_CAP_PPR))
		return;
	EXPECT_EQ(caps & IOMMU_VIOMMU_AMD_CAP_PPR_B ? 0 : -EINVAL,
		  amd_viommu_queue(&self->hw.v, PPR_QUEUE, 1, self->base,
				   AMD_PAGE, &id));
}

TEST_F(queue, one_of_each)
{
	__u32 type, other, id;

	for (type = CMD_QUEUE; type <= PPR_QUEUE; type++) {
		if (type == PPR_QUEUE &&
		    !(self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_PPR))
			break;
		ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, type, 0, self->base,
					      AMD_PAGE, &id));
		/* Neither the same one nor another takes its place */
		for (other = CMD_QUEUE; other <= type; other++)
			EXPECT_EQ(-EEXIST,
				  amd_viommu_queue(&self->hw.v, other, 0,
						   self->base + AMD_PAGE,
						   2 * AMD_PAGE, &id));
	}
	test_command_reads(&self->hw.v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE,
			   amd_viommu_base(self->base, AMD_PAGE));
}

TEST_F(queue, no_vdevice_or_parent_for_it)
{
	struct amd_guest guest = *self->guest;
	struct amd_viommu v = self->hw.v;
	__u32 id;

	v.guest = &guest;
	guest.viommu_id = guest.hwpt_id;
	EXPECT_EQ(-ENOENT, amd_viommu_queue(&v, CMD_QUEUE, 0, self->base,
					    AMD_PAGE, &id));
	guest.viommu_id = 0x7fffffff;
	EXPECT_EQ(-ENOENT, amd_viommu_queue(&v, CMD_QUEUE, 0, self->base,
					    AMD_PAGE, &id));
}

/* As long as the parent can map it one day, it does not have to be mapped */
TEST_F(queue, memory_is_not_there)
{
	__u32 id;

	EXPECT_EQ(0, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, AMD_NO_GPA,
				      AMD_RING_MAX, &id));
	EXPECT_EQ(0, amd_guest_destroy(self->guest, id));
}

TEST_F(queue, beyond_the_aperture)
{
	struct iommu_iova_range ranges[64];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->guest->ioas_id,
		.num_iovas = 64,
		.allowed_iovas = (uintptr_t)ranges,
	};
	__u64 end;
	__u32 id;

	ASSERT_EQ(0, ioctl(self->guest->iommufd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	ASSERT_NE(0, cmd.num_iovas);
	end = ranges[cmd.num_iovas - 1].last + 1;
	if (!end || end >= 1ULL << 52)
		SKIP(return, "the parent maps all that a ring can have");
	EXPECT_EQ(-ERANGE, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, end,
					    AMD_PAGE, &id));
	EXPECT_EQ(-ERANGE, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0,
					    end - AMD_PAGE, 2 * AMD_PAGE,
					    &id));
	EXPECT_EQ(0, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, end - AMD_PAGE,
				      AMD_PAGE, &id));
}

TEST_F(queue, holds_the_viommu)
{
	__u32 id;

	ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, self->base,
				      AMD_PAGE, &id));
	ASSERT_EQ(0, amd_viommu_unmap(&self->hw.v));
	EXPECT_EQ(-EBUSY, amd_viommu_free(&self->hw.v));
	ASSERT_EQ(0, amd_guest_destroy(self->guest, id));
	EXPECT_EQ(-ENOENT, amd_guest_destroy(self->guest, id));
	EXPECT_EQ(0, amd_viommu_free(&self->hw.v));
}

/* The guest moves its command buffer: the new one works, at a new length */
TEST_F(queue, again_elsewhere)
{
	struct amd_ring ring;
	size_t bytes;

	for (bytes = AMD_RING_MIN; bytes <= AMD_RING_MAX; bytes *= 2) {
		ASSERT_EQ(0, amd_ring_init(&ring, &self->hw.v, CMD_QUEUE, 0,
					   bytes));
		ASSERT_EQ(0, amd_ring_queue(&ring));
		amd_ring_rewind(&ring);
		ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL,
					    AMD_CONTROL_CMD_BUF_EN));
		EXPECT_EQ(0, amd_ring_sync(&ring));
		/* It is enabled, which does not stop a VMM */
		ASSERT_EQ(0, amd_ring_destroy(&ring));
		test_command_reads(&self->hw.v, CONTROL, 0);
		EXPECT_EQ(-EIO, amd_ring_sync(&ring));
	}
}

/* What is destroyed does not run any more, whatever the guest does */
TEST_F(queue, destroyed_means_stopped)
{
	struct amd_rings *rings = &self->hw.rings;
	__u32 head;

	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_ring_sync(&rings->cmd));
	head = amd_vf_read(&self->hw.v, AMD_VF_CMD_HEAD);
	ASSERT_EQ(0, amd_ring_destroy(&rings->cmd));
	EXPECT_EQ(0, amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  AMD_STATUS_CMD_RUN);
	EXPECT_EQ(-EIO, amd_ring_sync(&rings->cmd));
	EXPECT_EQ(head, amd_vf_read(&self->hw.v, AMD_VF_CMD_HEAD));
	/* The logs go on */
	test_command_reads(&self->hw.v, CONTROL,
			   amd_rings_control(rings) &
			   ~AMD_CONTROL_CMD_BUF_EN);
	EXPECT_EQ(AMD_STATUS_EVT_RUN,
		  amd_vf_read(&self->hw.v, AMD_VF_STATUS) & AMD_STATUS_EVT_RUN);
}

TEST_F(queue, guest_reset_and_start)
{
	int i;

	ASSERT_EQ(0, amd_hw_start(&self->hw, 2 * AMD_RING_MIN));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
		ASSERT_EQ(0, amd_viommu_reset(&self->hw.rings));
		test_command_reads(&self->hw.v, CONTROL, 0);
		test_command_reads(&self->hw.v, STATUS, 0);
		ASSERT_EQ(0, amd_ring_queue(&self->hw.rings.cmd));
		ASSERT_EQ(0, amd_ring_queue(&self->hw.rings.evt));
		if (self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_PPR)
			ASSERT_EQ(0, amd_ring_queue(&self->hw.rings.ppr));
		ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	}
}

TEST_HARNESS_MAIN
