// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: IOMMU_VIOMMU_COMMAND, each index; amd_viommu_control.c
 * has all about the control register
 */
#include "amd_viommu_utils.h"

/* The base registers, for each length code */

FIXTURE(base)
{
	struct amd_hw hw;
	int gid;
};

FIXTURE_VARIANT(base)
{
	__u64 code;
};

FIXTURE_VARIANT_ADD(base, code_8) { .code = 8 };
FIXTURE_VARIANT_ADD(base, code_9) { .code = 9 };
FIXTURE_VARIANT_ADD(base, code_10) { .code = 10 };
FIXTURE_VARIANT_ADD(base, code_11) { .code = 11 };
FIXTURE_VARIANT_ADD(base, code_12) { .code = 12 };
FIXTURE_VARIANT_ADD(base, code_13) { .code = 13 };
FIXTURE_VARIANT_ADD(base, code_14) { .code = 14 };
FIXTURE_VARIANT_ADD(base, code_15) { .code = 15 };

FIXTURE_SETUP(base)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->gid = amd_model_gid(&self->hw.v);
}

FIXTURE_TEARDOWN(base)
{
	amd_hw_close(&self->hw);
}

/* Type and index of each ring, its register, and those of the hardware */
static const struct {
	__u32 type;
	__u32 index;
	__u16 command;
	__u32 cap;
	unsigned int base_reg;
	unsigned int base_shift;
	unsigned int len_reg;
	unsigned int len_shift;
} ring_regs[] = {
	{ CMD_QUEUE, 0, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, 0, 0x20, 0, 0x20, 0 },
	{ EVT_QUEUE, 0, IOMMU_VIOMMU_AMD_CMD_EVT_BASE, 0, 0x28, 0, 0x28, 0 },
	{ PPR_QUEUE, 0, IOMMU_VIOMMU_AMD_CMD_PPR_BASE,
	  IOMMU_VIOMMU_AMD_CAP_PPR, 0x30, 4, 0x30, 0 },
	{ EVT_QUEUE, 1, IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE,
	  IOMMU_VIOMMU_AMD_CAP_EVT_B, 0x18, 0, 0x28, 4 },
	{ PPR_QUEUE, 1, IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE,
	  IOMMU_VIOMMU_AMD_CAP_PPR_B, 0x38, 0, 0x30, 4 },
};

static void check_base(struct __test_metadata *_metadata, int gid,
		       unsigned int ring, __u64 base, __u64 code)
{
	const unsigned long long mask = 0xffffffffff000ULL;
	unsigned long long regs[AMD_VFC_REGS];

	if (gid < 0)
		return;
	ASSERT_EQ(0, amd_model_vfc(gid, regs));
	EXPECT_EQ(base, regs[ring_regs[ring].base_reg / 8] >>
		  ring_regs[ring].base_shift & mask);
	EXPECT_EQ(code, regs[ring_regs[ring].len_reg / 8] >>
		  ring_regs[ring].len_shift & 0xf);
}

/* Bits of an address that are not all 0 above bit 31, and all of them */
TEST_F(base, layout)
{
	static const __u64 bases[] = {
		AMD_RAM_GPA, 0x1000, 0xa5a5a5a5a5000, 0xffffffff80000,
	};
	const __u64 length = AMD_ENTRY << variant->code;
	unsigned int ring, i;
	__u32 id;

	for (ring = 0; ring < ARRAY_SIZE(ring_regs); ring++) {
		if (ring_regs[ring].cap & ~self->hw.v.caps)
			continue;
		for (i = 0; i < 4; i++) {
			test_command_fails(&self->hw.v, ring_regs[ring].command,
					   ENOENT);
			ASSERT_EQ(0, amd_viommu_queue(&self->hw.v,
						      ring_regs[ring].type,
						      ring_regs[ring].index,
						      bases[i], length, &id));
			test_command_reads(&self->hw.v, ring_regs[ring].command,
					   bases[i] | variant->code << 56);
			check_base(_metadata, self->gid, ring, bases[i],
				   variant->code);
			ASSERT_EQ(0, amd_guest_destroy(&self->hw.setup.guest,
						       id));
			check_base(_metadata, self->gid, ring, 0, 0);
		}
	}
}

/* A ring beside keeps its own when control changes and another goes */
TEST_F(base, stays)
{
	const __u64 length = AMD_ENTRY << variant->code;
	__u32 cmd_id, evt_id;

	ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, CMD_QUEUE, 0, AMD_RAM_GPA,
				      length, &cmd_id));
	ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, EVT_QUEUE, 0, AMD_NO_GPA,
				      length, &evt_id));
	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL,
				    AMD_CONTROL_EVT_LOG_EN |
				    AMD_CONTROL_COMWAIT_INT_EN));
	check_base(_metadata, self->gid, 0, AMD_RAM_GPA, variant->code);
	check_base(_metadata, self->gid, 1, AMD_NO_GPA, variant->code);
	ASSERT_EQ(0, amd_guest_destroy(&self->hw.setup.guest, cmd_id));
	test_command_reads(&self->hw.v, IOMMU_VIOMMU_AMD_CMD_EVT_BASE,
			   AMD_NO_GPA | variant->code << 56);
	test_command_fails(&self->hw.v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, ENOENT);
	check_base(_metadata, self->gid, 1, AMD_NO_GPA, variant->code);
}

/* Indices that can be read alone */

FIXTURE(get_only)
{
	struct amd_hw hw;
};

FIXTURE_VARIANT(get_only)
{
	__u16 index;
	int rc;
};

FIXTURE_VARIANT_ADD(get_only, cmd_base)
{
	.index = IOMMU_VIOMMU_AMD_CMD_CMD_BASE,
	.rc = -ENOENT,
};

FIXTURE_VARIANT_ADD(get_only, evt_base)
{
	.index = IOMMU_VIOMMU_AMD_CMD_EVT_BASE,
	.rc = -ENOENT,
};

FIXTURE_VARIANT_ADD(get_only, ppr_base)
{
	.index = IOMMU_VIOMMU_AMD_CMD_PPR_BASE,
	.rc = -ENOENT,
};

FIXTURE_VARIANT_ADD(get_only, ppr_b_base)
{
	.index = IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE,
	.rc = -ENOENT,
};

FIXTURE_VARIANT_ADD(get_only, evt_b_base)
{
	.index = IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE,
	.rc = -ENOENT,
};

FIXTURE_VARIANT_ADD(get_only, status)
{
	.index = IOMMU_VIOMMU_AMD_CMD_STATUS,
};

FIXTURE_SETUP(get_only)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(get_only)
{
	amd_hw_close(&self->hw);
}

TEST_F(get_only, set)
{
	EXPECT_EQ(-EACCES, amd_viommu_set(&self->hw.v, variant->index, 0));
	EXPECT_EQ(-EACCES, amd_viommu_set(&self->hw.v, variant->index, ~0ULL));
}

TEST_F(get_only, get_without_ring)
{
	__u64 val = 1;

	EXPECT_EQ(variant->rc, amd_viommu_get(&self->hw.v, variant->index,
					      &val));
	EXPECT_EQ(variant->rc ? 1 : 0, val);
}

/* All else */

FIXTURE(command)
{
	struct amd_hw hw;
};

FIXTURE_SETUP(command)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_rings_init(&self->hw.rings, &self->hw.v,
				    AMD_RING_MIN));
}

FIXTURE_TEARDOWN(command)
{
	amd_hw_close(&self->hw);
}

/* 0: there is such a command */
static int expected(__u16 index, bool set)
{
	switch (index) {
	case IOMMU_VIOMMU_AMD_CMD_CONTROL:
		return 0;
	case IOMMU_VIOMMU_AMD_CMD_CMD_BASE:
	case IOMMU_VIOMMU_AMD_CMD_EVT_BASE:
	case IOMMU_VIOMMU_AMD_CMD_STATUS:
	case IOMMU_VIOMMU_AMD_CMD_PPR_BASE:
	case IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE:
	case IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE:
		return set ? -EACCES : 0;
	default:
		return -EOPNOTSUPP;
	}
}

TEST_F(command, every_index)
{
	unsigned int index;
	__u64 val;
	int rc;

	for (index = 0; index <= 0xffff; index++) {
		ASSERT_EQ(expected(index, true),
			  amd_viommu_set(&self->hw.v, index, 0))
			TH_LOG("SET %#x", index);
		val = index;
		rc = amd_viommu_get(&self->hw.v, index, &val);
		/* A ring that this IOMMU does not have */
		if (rc == -ENOENT)
			rc = 0;
		ASSERT_EQ(expected(index, false), rc)
			TH_LOG("GET %#x", index);
		if (rc)
			ASSERT_EQ(index, val);
	}
}

static int raw(FIXTURE_DATA(command) *self, __u16 op, __u32 reserved)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->hw.setup.guest.viommu_id,
		.op = op,
		.index = CONTROL,
		.__reserved = reserved,
	};

	return ioctl(self->hw.setup.guest.iommufd, IOMMU_VIOMMU_COMMAND,
		     &cmd) ? -errno : 0;
}

TEST_F(command, ops_and_reserved)
{
	unsigned int op;

	for (op = 0; op < 64; op++) {
		bool known = op == IOMMU_VIOMMU_COMMAND_OP_GET ||
			     op == IOMMU_VIOMMU_COMMAND_OP_SET;

		EXPECT_EQ(known ? 0 : -EOPNOTSUPP, raw(self, op, 0));
		EXPECT_EQ(-EOPNOTSUPP, raw(self, op, 1));
	}
}

/* The VMM sees in the status what the guest sees */
TEST_F(command, status_is_the_guests)
{
	struct amd_ring *ring = &self->hw.rings.cmd;

	ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	test_command_reads(&self->hw.v, STATUS,
			   amd_vf_read(&self->hw.v, AMD_VF_STATUS));
	ASSERT_EQ(0, amd_ring_run(ring, amd_cmd_wait(0, 0, AMD_WAIT_INT)));
	test_command_reads(&self->hw.v, STATUS,
			   amd_vf_read(&self->hw.v, AMD_VF_STATUS));
	EXPECT_EQ(AMD_STATUS_COMWAIT_INT | AMD_STATUS_CMD_RUN,
		  amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  (AMD_STATUS_COMWAIT_INT | AMD_STATUS_CMD_RUN));
	/* A GET does not clear it; the guest does */
	amd_vf_write(&self->hw.v, AMD_VF_STATUS, AMD_STATUS_COMWAIT_INT);
	EXPECT_EQ(0, amd_vf_read(&self->hw.v, AMD_VF_STATUS) &
		  AMD_STATUS_COMWAIT_INT);
	test_command_reads(&self->hw.v, STATUS,
			   amd_vf_read(&self->hw.v, AMD_VF_STATUS));
}

TEST_F(command, objects_of_other_types)
{
	struct amd_guest guest = self->hw.setup.guest;
	struct amd_viommu v = self->hw.v;
	const __u32 ids[] = {
		0, guest.ioas_id, guest.hwpt_id, self->hw.setup.dev.dev_id,
		self->hw.rings.cmd.queue_id, 0x7fffffff,
	};
	unsigned int i;

	v.guest = &guest;
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		guest.viommu_id = ids[i];
		test_command_fails(&v, CONTROL, ENOENT);
		EXPECT_EQ(-ENOENT, amd_viommu_set(&v, CONTROL, 0));
	}
}

TEST_HARNESS_MAIN
