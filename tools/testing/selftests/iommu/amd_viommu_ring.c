// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: the command buffer of a guest, run by hardware alone
 */
#include "amd_viommu_utils.h"

/* For each size of a ring */

FIXTURE(size)
{
	struct amd_hw hw;
	struct amd_ring *ring;
};

FIXTURE_VARIANT(size)
{
	size_t bytes;
};

FIXTURE_VARIANT_ADD(size, entries_256) { .bytes = 4096 };
FIXTURE_VARIANT_ADD(size, entries_512) { .bytes = 8192 };
FIXTURE_VARIANT_ADD(size, entries_1024) { .bytes = 16384 };
FIXTURE_VARIANT_ADD(size, entries_2048) { .bytes = 32768 };
FIXTURE_VARIANT_ADD(size, entries_4096) { .bytes = 65536 };
FIXTURE_VARIANT_ADD(size, entries_8192) { .bytes = 131072 };
FIXTURE_VARIANT_ADD(size, entries_16384) { .bytes = 262144 };
FIXTURE_VARIANT_ADD(size, entries_32768) { .bytes = 524288 };

FIXTURE_SETUP(size)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->ring = &self->hw.rings.cmd;
	ASSERT_EQ(0, amd_hw_start(&self->hw, variant->bytes));
}

FIXTURE_TEARDOWN(size)
{
	amd_hw_close(&self->hw);
}

/* All but one entry at once, and on over the end of the ring */
TEST_F(size, full_and_wrapped)
{
	const size_t entries = variant->bytes / AMD_ENTRY;
	size_t i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < entries - 2; i++)
			ASSERT_EQ(0, amd_ring_put(self->ring,
						  amd_cmd_wait(0, 0, 0)));
		ASSERT_EQ(0, amd_ring_sync(self->ring));
		EXPECT_EQ((round + 1) * (entries - 1) % entries * AMD_ENTRY,
			  self->ring->next);
		EXPECT_EQ(0, amd_ring_wait_head(self->ring, self->ring->next));
	}
	/* One more than it holds */
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	for (i = 0; i < entries - 1; i++)
		ASSERT_EQ(0, amd_ring_put(self->ring, amd_cmd_wait(0, 0, 0)));
	EXPECT_EQ(-ENOSPC, amd_ring_put(self->ring, amd_cmd_wait(0, 0, 0)));
}

/* A pointer that the register has, but not the ring: it stops */
TEST_F(size, tail_beyond_the_end)
{
	if (variant->bytes == AMD_RING_MAX)
		SKIP(return, "there is nothing beyond");
	amd_vf_write(&self->hw.v, AMD_VF_CMD_TAIL, variant->bytes);
	EXPECT_EQ(0, amd_ring_wait_stop(self->ring));
	/* The VMM gets it going again */
	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, 0));
	ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	EXPECT_EQ(0, amd_ring_sync(self->ring));
}

/* For each opcode that there is */

FIXTURE(opcode)
{
	struct amd_hw hw;
	struct amd_ring *ring;
};

FIXTURE_VARIANT(opcode)
{
	unsigned int op;
	__u64 low;
	__u64 high;
	bool device;
};

FIXTURE_VARIANT_ADD(opcode, invalidate_devtab_entry)
{
	.op = 2,
	.low = AMD_VIRT_ID,
	.device = true,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_iommu_pages)
{
	.op = 3,
	.low = (__u64)AMD_DOMID << 32,
	.high = 0x7ffffffffffff007,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_iommu_pages_host_stage)
{
	.op = 3,
	.low = (__u64)AMD_DOMID << 32,
	.high = 0x7ffffffffffff003,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_iommu_page_of_a_pasid)
{
	.op = 3,
	.low = (__u64)AMD_DOMID << 32 | 0x7fff,
	.high = AMD_GVA | 4,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_iotlb_pages)
{
	.op = 4,
	.low = AMD_VIRT_ID,
	.high = AMD_GVA | 4,
	.device = true,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_interrupt_table)
{
	.op = 5,
	.low = AMD_VIRT_ID,
	.device = true,
};

FIXTURE_VARIANT_ADD(opcode, complete_ppr_request)
{
	.op = 7,
	.low = AMD_VIRT_ID,
	.device = true,
};

FIXTURE_VARIANT_ADD(opcode, invalidate_iommu_all)
{
	.op = 8,
};

FIXTURE_SETUP(opcode)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->ring = &self->hw.rings.cmd;
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
}

FIXTURE_TEARDOWN(opcode)
{
	amd_hw_close(&self->hw);
}

#define test_command(low, high) \
	EXPECT_EQ(0, amd_ring_run(self->ring, \
				  amd_cmd_raw((__u64)variant->op << 60 | \
					      (low), high)))

TEST_F(opcode, executes)
{
	char name[16];
	int gid;

	test_command(variant->low, variant->high);
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
	test_no_vmm_event(&self->hw);
	gid = amd_model_gid(&self->hw.v);
	if (gid < 0)
		SKIP(return, "executed; no monitor to count it");
	snprintf(name, sizeof(name), "command-%x", variant->op);
	EXPECT_LE(1, amd_guest_counter(gid, name));
}

/* Of a device or domain that the VMM has not allocated: nothing comes of it */
TEST_F(opcode, of_an_unknown_id)
{
	__u64 low = variant->low & ~0xffffULL;

	if (variant->op == 8)
		SKIP(return, "it names nothing");
	if (variant->device)
		low |= AMD_NO_VIRT_ID;
	else
		low = (__u64)AMD_NO_DOMID << 32;
	test_command(low, variant->high);
	test_no_vmm_event(&self->hw);
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
}

/* A name that the guest had for a device before. Nobody else gets hit. */
TEST_F(opcode, of_a_dead_device)
{
	struct amd_guest *guest = &self->hw.setup.guest;

	if (!variant->device)
		SKIP(return, "it names no device");
	ASSERT_EQ(0, amd_guest_destroy(guest, self->hw.setup.vdevice_id));
	test_command(variant->low, variant->high);
	/* Its faults could not be told to the guest: it is blocked */
	EXPECT_NE(0, amd_hw_dma(&self->hw));
	test_no_vmm_event(&self->hw);
	/* The device is back, by another name */
	ASSERT_EQ(0, amd_guest_vdevice(guest, &self->hw.setup.dev,
				       AMD_VIRT_ID + 1,
				       &self->hw.setup.vdevice_id));
	test_command((variant->low & ~0xffffULL) | (AMD_VIRT_ID + 1),
		     variant->high);
	test_command(variant->low, variant->high);
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
	test_no_vmm_event(&self->hw);
}

/* Commands that do not exist */

FIXTURE(illegal)
{
	struct amd_hw hw;
	struct amd_ring *ring;
};

FIXTURE_VARIANT(illegal)
{
	__u64 low;
	__u64 high;
};

FIXTURE_VARIANT_ADD(illegal, zeroes) { .low = 0 };
FIXTURE_VARIANT_ADD(illegal, op_6) { .low = 6ULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_9) { .low = 9ULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_a) { .low = 0xaULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_b) { .low = 0xbULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_c) { .low = 0xcULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_d) { .low = 0xdULL << 60 };
FIXTURE_VARIANT_ADD(illegal, op_e) { .low = 0xeULL << 60 };
FIXTURE_VARIANT_ADD(illegal, all_ones) { .low = ~0ULL, .high = ~0ULL };
/* RESET_VMMIO of guest 1, as a host has it */
FIXTURE_VARIANT_ADD(illegal, reset_vmmio) { .low = 0xa000000090000001 };
FIXTURE_VARIANT_ADD(illegal, all_with_operand) { .low = 8ULL << 60 | 1 };
FIXTURE_VARIANT_ADD(illegal, devtab_with_operand)
{
	.low = 2ULL << 60 | AMD_VIRT_ID,
	.high = 1,
};

FIXTURE_SETUP(illegal)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->ring = &self->hw.rings.cmd;
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
}

FIXTURE_TEARDOWN(illegal)
{
	amd_hw_close(&self->hw);
}

/* The guest's own business: its log has it, its ring stops, its device works */
TEST_F(illegal, stops_the_ring)
{
	struct amd_viommu *v = &self->hw.v;
	struct amd_event event = {};
	__u64 status = ~0ULL;
	__u32 at;

	ASSERT_EQ(0, amd_ring_sync(self->ring));
	at = self->ring->next;
	EXPECT_EQ(-EIO, amd_ring_run(self->ring, amd_cmd_raw(variant->low,
							     variant->high)));
	EXPECT_EQ(at, amd_vf_read(v, AMD_VF_CMD_HEAD));
	EXPECT_EQ(0, amd_viommu_get(v, STATUS, &status));
	EXPECT_EQ(0, status & AMD_STATUS_CMD_RUN);
	ASSERT_EQ(0, amd_ring_pop_event(&self->hw.rings.evt, &event));
	EXPECT_EQ(AMD_EVENT_ILLEGAL, event.code);
	EXPECT_EQ(self->ring->gpa + at, event.addr);
	test_no_vmm_event(&self->hw);
	EXPECT_EQ(0, amd_hw_dma(&self->hw));

	/* Without it, and off and on again, it continues where it stopped */
	*(struct iommu_viommu_amd_invalidate *)amd_ring_entry(self->ring, at) =
		amd_cmd_wait(0, 0, 0);
	ASSERT_EQ(0, amd_viommu_disable(v, AMD_CONTROL_CMD_BUF_EN));
	ASSERT_EQ(0, amd_viommu_enable(v, AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(0, amd_ring_sync(self->ring));
}

/* What completes */

FIXTURE(ring)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_ring *ring;
	__u64 page;
};

FIXTURE_SETUP(ring)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->ring = &self->hw.rings.cmd;
	self->page = amd_guest_page(self->guest);
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
}

FIXTURE_TEARDOWN(ring)
{
	amd_hw_close(&self->hw);
}

/* Eight bytes exactly where they were wanted */
TEST_F(ring, store)
{
	static const __u64 values[] = {
		0, ~0ULL, 1, 1ULL << 63, 0x0123456789abcdef,
	};
	__u64 *words = amd_guest_ptr(self->guest, self->page);
	unsigned int i, at;

	for (at = 0; at < AMD_PAGE / 8; at += 73) {
		for (i = 0; i < ARRAY_SIZE(values); i++) {
			memset(words, 0x5a, AMD_PAGE);
			ASSERT_EQ(0, amd_ring_run(self->ring,
						  amd_cmd_wait(self->page +
							       8 * at,
							       values[i],
							       1)));
			EXPECT_EQ(values[i], words[at]);
			if (at)
				EXPECT_EQ(0x5a5a5a5a5a5a5a5a, words[at - 1]);
			if (at < AMD_PAGE / 8 - 1)
				EXPECT_EQ(0x5a5a5a5a5a5a5a5a, words[at + 1]);
		}
	}
}

TEST_F(ring, no_store)
{
	__u64 *word = amd_guest_ptr(self->guest, self->page);

	*word = 7;
	ASSERT_EQ(0, amd_ring_run(self->ring, amd_cmd_wait(self->page, 1, 0)));
	EXPECT_EQ(7, *word);
}

TEST_F(ring, interrupt_bit)
{
	EXPECT_EQ(0, amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  AMD_STATUS_COMWAIT_INT);
	ASSERT_EQ(0, amd_ring_run(self->ring,
				  amd_cmd_wait(0, 0, AMD_WAIT_INT)));
	EXPECT_EQ(AMD_STATUS_COMWAIT_INT,
		  amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  AMD_STATUS_COMWAIT_INT);
	amd_vf_write(&self->hw.v, AMD_VF_STATUS, AMD_STATUS_COMWAIT_INT);
	EXPECT_EQ(AMD_STATUS_CMD_RUN | AMD_STATUS_EVT_RUN,
		  amd_vf_read(&self->hw.v, AMD_VF_STATUS) & ~0xe0ULL);
}

/* Nothing before the doorbell, and nothing before it is enabled */
TEST_F(ring, disabled)
{
	__u64 *word = amd_guest_ptr(self->guest, self->page);

	ASSERT_EQ(0, amd_ring_put(self->ring, amd_cmd_wait(self->page, 5, 1)));
	usleep(20000);
	EXPECT_EQ(0, *word);
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	amd_ring_doorbell(self->ring);
	usleep(20000);
	EXPECT_EQ(0, *word);
	EXPECT_EQ(0, amd_vf_read(&self->hw.v, AMD_VF_CMD_HEAD));
	EXPECT_EQ(0, amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  AMD_STATUS_CMD_RUN);
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(0, amd_ring_wait_head(self->ring, self->ring->next));
	EXPECT_EQ(5, *word);
}

/* An address where the guest has no memory stops the ring; the VMM hears it */
TEST_F(ring, store_to_nowhere)
{
	const __u32 at = self->ring->next;

	EXPECT_EQ(-EIO, amd_ring_run(self->ring,
				     amd_cmd_wait(AMD_NO_GPA + 8, 1, 1)));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, AMD_NO_GPA + 8);
	EXPECT_EQ(at, amd_vf_read(&self->hw.v, AMD_VF_CMD_HEAD));
	/* With memory there, it goes on */
	ASSERT_EQ(0, amd_guest_map(self->guest,
				   amd_guest_ptr(self->guest, self->page),
				   AMD_NO_GPA, AMD_PAGE));
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(0, amd_ring_sync(self->ring));
	EXPECT_EQ(1, ((__u64 *)amd_guest_ptr(self->guest, self->page))[1]);
}

TEST_F(ring, store_to_read_only_memory)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = self->guest->ioas_id,
		.user_va = (uintptr_t)amd_guest_ptr(self->guest, self->page),
		.length = AMD_PAGE,
		.iova = AMD_NO_GPA,
	};

	ASSERT_EQ(0, ioctl(self->guest->iommufd, IOMMU_IOAS_MAP, &map));
	EXPECT_EQ(-EIO, amd_ring_run(self->ring,
				     amd_cmd_wait(AMD_NO_GPA, 1, 1)));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, AMD_NO_GPA);
	EXPECT_EQ(0, amd_word(self->guest, self->page));
}

TEST_F(ring, is_nowhere)
{
	ASSERT_EQ(0, amd_ring_sync(self->ring));
	ASSERT_EQ(0, amd_ring_destroy(self->ring));
	ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, AMD_NO_GPA,
				      AMD_RING_MIN, &self->ring->queue_id));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(-EIO, amd_ring_sync(self->ring));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT,
		       AMD_NO_GPA + AMD_ENTRY);
	/* One event, not one per look at it */
	amd_ring_doorbell(self->ring);
	test_no_vmm_event(&self->hw);
}

/*
 * Memory of the guest that goes away under a ring that runs, and comes back as
 * other memory: the IOMMU must not go on in what is no longer the guest's.
 */
TEST_F(ring, memory_is_replaced)
{
	size_t offset = self->ring->gpa - AMD_RAM_GPA;
	void *other, *old = amd_guest_ptr(self->guest, self->ring->gpa);
	__u64 *word = amd_guest_ptr(self->guest, self->page);

	ASSERT_EQ(0, amd_ring_sync(self->ring));
	other = mmap(NULL, self->guest->size, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, AMD_RAM_GPA,
				     self->guest->size));
	EXPECT_EQ(-EIO, amd_ring_sync(self->ring));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT,
		       self->ring->gpa + AMD_ENTRY);

	/* The old ring has a command that the new one has not */
	*(struct iommu_viommu_amd_invalidate *)(old + AMD_ENTRY) =
		amd_cmd_wait(self->page, 0xbad, AMD_WAIT_STORE);
	*(struct iommu_viommu_amd_invalidate *)(other + offset + AMD_ENTRY) =
		amd_cmd_wait(self->page, 0x900d, AMD_WAIT_STORE);
	ASSERT_EQ(0, amd_guest_map(self->guest, other, AMD_RAM_GPA,
				   self->guest->size));
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(0, amd_ring_wait_head(self->ring, self->ring->next));
	EXPECT_EQ(0, *word);
	EXPECT_EQ(0x900d, *(__u64 *)(other + self->page - AMD_RAM_GPA));
}

/* The parent's table gets another top while the ring runs */
TEST_F(ring, new_top_of_stage_2)
{
	unsigned int bit;

	for (bit = 40; bit < 52; bit++) {
		ASSERT_EQ(0, amd_guest_map(self->guest,
					   amd_guest_ptr(self->guest,
							 self->page),
					   1ULL << bit, AMD_PAGE));
		EXPECT_EQ(0, amd_ring_run(self->ring,
					  amd_cmd_wait(1ULL << bit, bit, 1)));
		EXPECT_EQ(bit, amd_word(self->guest, self->page));
		ASSERT_EQ(0, amd_guest_unmap(self->guest, 1ULL << bit,
					     AMD_PAGE));
	}
}

/* What the IOMMU writes for a guest is as dirty as what its devices write */

FIXTURE(dirty)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	__u64 store;
};

FIXTURE_SETUP(dirty)
{
	struct amd_hw *hw = &self->hw;
	const char *why = amd_hw_open_device(hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &hw->setup.guest;
	if (amd_guest_parent(self->guest, &hw->setup.dev,
			     IOMMU_HWPT_ALLOC_DIRTY_TRACKING) ||
	    amd_viommu_alloc(&hw->v, self->guest, &hw->setup.dev) ||
	    !(hw->v.caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES)) {
		amd_hw_close(hw);
		SKIP(return, "no hardware vIOMMU with HDSup");
	}
	ASSERT_EQ(0, amd_viommu_map(&hw->v));
	ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(hw));
	self->store = amd_guest_page(self->guest);
	ASSERT_EQ(0, amd_ring_sync(&hw->rings.cmd));
}

FIXTURE_TEARDOWN(dirty)
{
	amd_hw_close(&self->hw);
}

static int set_tracking(const struct amd_guest *guest, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = guest->hwpt_id,
	};

	return ioctl(guest->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd) ?
	       -errno : 0;
}

/* 1 if the page has become dirty since the last question, or an errno */
static int is_dirty(const struct amd_guest *guest, __u64 gpa)
{
	static __u64 bitmap[AMD_HW_RAM_SIZE / AMD_PAGE / 64];
	unsigned int bit = (gpa - AMD_RAM_GPA) / AMD_PAGE;
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = guest->hwpt_id,
		.iova = AMD_RAM_GPA,
		.length = AMD_HW_RAM_SIZE,
		.page_size = AMD_PAGE,
		.data = (uintptr_t)bitmap,
	};

	memset(bitmap, 0, sizeof(bitmap));
	if (ioctl(guest->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd))
		return -errno;
	return bitmap[bit / 64] >> (bit % 64) & 1;
}

#define test_writes(gpa, call)                                         \
	({                                                             \
		__u64 __gpa = (gpa);                                   \
		EXPECT_LE(0, is_dirty(self->guest, __gpa));            \
		EXPECT_EQ(0, is_dirty(self->guest, __gpa));            \
		call;                                                  \
		EXPECT_EQ(1, is_dirty(self->guest, __gpa));            \
		EXPECT_EQ(0, is_dirty(self->guest, __gpa));            \
	})

static void check_dirty(struct __test_metadata *_metadata,
			FIXTURE_DATA(dirty) *self)
{
	struct amd_hw *hw = &self->hw;

	test_writes(hw->page, EXPECT_EQ(0, amd_hw_dma(hw)));
	test_writes(self->store,
		    EXPECT_EQ(0, amd_ring_run(&hw->rings.cmd,
					      amd_cmd_wait(self->store, 7,
							   AMD_WAIT_STORE))));
	EXPECT_EQ(7, amd_word(self->guest, self->store));
	amd_clear_word(self->guest, self->store);
	test_writes(hw->rings.evt.gpa,
		    EXPECT_EQ(-EFAULT, amd_device_dma(&hw->setup.dev,
						      AMD_GVA + AMD_PAGE)));
	test_guest_fault(hw, AMD_VIRT_ID, AMD_GVA + AMD_PAGE);
}

TEST_F(dirty, rings)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, set_tracking(self->guest, true));
		check_dirty(_metadata, self);
		/* Off, and what is written meanwhile is known to the IOMMU */
		ASSERT_EQ(0, set_tracking(self->guest, false));
		EXPECT_EQ(0, amd_ring_run(&self->hw.rings.cmd,
					  amd_cmd_wait(self->store, 1,
						       AMD_WAIT_STORE)));
	}
}

/* There is no device that is attached to anything of the guest */
TEST_F(dirty, rings_without_device)
{
	struct amd_ring *ring = &self->hw.rings.cmd;

	ASSERT_EQ(0, amd_ring_run(ring, amd_cmd_wait(self->store, 1,
						     AMD_WAIT_STORE)));
	ASSERT_EQ(0, amd_device_detach(&self->hw.setup.dev));
	ASSERT_EQ(0, set_tracking(self->guest, true));
	test_writes(self->store,
		    EXPECT_EQ(0, amd_ring_run(ring,
					      amd_cmd_wait(self->store, 2,
							   AMD_WAIT_STORE))));
}

/* Tracking was on before, and the table gets another top */
TEST_F(dirty, rings_of_another_guest)
{
	struct amd_hw *hw = &self->hw;
	struct amd_guest second = *self->guest;
	struct amd_rings rings = {};
	struct amd_viommu v;

	ASSERT_EQ(0, set_tracking(self->guest, true));
	ASSERT_EQ(0, amd_guest_map(self->guest, self->guest->ram, 1ULL << 44,
				   AMD_PAGE));
	check_dirty(_metadata, self);
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &hw->setup.dev));
	ASSERT_EQ(0, amd_viommu_map(&v));
	ASSERT_EQ(0, amd_rings_init(&rings, &v, AMD_RING_MIN));
	ASSERT_EQ(0, amd_viommu_start(&rings));
	ASSERT_EQ(0, amd_ring_sync(&rings.cmd));
	test_writes(self->store,
		    EXPECT_EQ(0, amd_ring_run(&rings.cmd,
					      amd_cmd_wait(self->store, 3,
							   AMD_WAIT_STORE))));
	EXPECT_EQ(0, amd_viommu_unmap(&v));
}

TEST_HARNESS_MAIN
