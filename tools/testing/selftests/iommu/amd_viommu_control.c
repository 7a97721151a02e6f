// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: the control register of a guest, each bit of it, and
 * what arrives in the registers of the hardware
 */
#include "amd_viommu_utils.h"

/* Rings that are not enabled. With log B if there is one. */
static int make_queues(struct amd_hw *hw)
{
	__u32 id;
	int rc;

	rc = amd_rings_init(&hw->rings, &hw->v, AMD_RING_MIN);
	if (!rc && (hw->v.caps & IOMMU_VIOMMU_AMD_CAP_EVT_B))
		rc = amd_viommu_queue(&hw->v, EVT_QUEUE, 1, AMD_RAM_GPA,
				      AMD_RING_MIN, &id);
	if (!rc && (hw->v.caps & IOMMU_VIOMMU_AMD_CAP_PPR_B))
		rc = amd_viommu_queue(&hw->v, PPR_QUEUE, 1, AMD_RAM_GPA,
				      AMD_RING_MIN, &id);
	return rc;
}

/* Bits of the control register, and where the hardware has them */
static const struct {
	__u64 bit;
	unsigned int reg;
	unsigned long long reg_bit;
	bool ring;
	__u32 cap;
	__u64 efr;
} control_bits[] = {
	{ AMD_CONTROL_CMD_BUF_EN, 0x20, 0x100, true, 0, 0 },
	{ AMD_CONTROL_COMWAIT_INT_EN, 0x20, 0x200, false, 0, 0 },
	{ AMD_CONTROL_EVT_LOG_EN, 0x28, 0x100, true, 0, 0 },
	{ AMD_CONTROL_EVT_INT_EN, 0x28, 0x200, false, 0, 0 },
	{ AMD_CONTROL_DUAL_EVT_LOG, 0x28, 0x400, true,
	  IOMMU_VIOMMU_AMD_CAP_EVT_B, 0 },
	{ AMD_CONTROL_PPR_LOG_EN, 0x30, 0x100, true,
	  IOMMU_VIOMMU_AMD_CAP_PPR, 0 },
	{ AMD_CONTROL_PPR_INT_EN, 0x30, 0x200, false,
	  IOMMU_VIOMMU_AMD_CAP_PPR, 0 },
	{ AMD_CONTROL_PPR_EN, 0x30, 0x400, false,
	  IOMMU_VIOMMU_AMD_CAP_PPR, 0 },
	{ AMD_CONTROL_DUAL_PPR_LOG, 0x30, 0x800, true,
	  IOMMU_VIOMMU_AMD_CAP_PPR_B, 0 },
	{ AMD_CONTROL_PPR_AUTO_RSP_EN, 0x30, 0x2000, false, 0, 1ULL << 41 },
	{ AMD_CONTROL_BLK_STOP_MRK_EN, 0x30, 0x4000, false, 0, 1ULL << 44 },
	{ AMD_CONTROL_PPR_AUTO_RSP_AON, 0x30, 0x8000, false, 0, 1ULL << 41 },
};

/* The bits of a register of the hardware that the table is about */
static unsigned long long enables_of(unsigned int reg)
{
	return reg == 0x20 ? 0x300 : reg == 0x28 ? 0xf00 : 0xff00;
}

/* Those that can be set when all rings are there, or none */
static __u64 allowed(const struct amd_hw *hw, bool queues)
{
	__u64 efr = amd_hw_efr(hw), bits = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(control_bits); i++)
		if ((queues || !control_bits[i].ring) &&
		    !(control_bits[i].cap & ~hw->v.caps) &&
		    !(control_bits[i].efr & ~efr))
			bits |= control_bits[i].bit;
	return bits;
}

/* What a SET has to make of them, and of nothing else */
static void check_hardware(struct __test_metadata *_metadata, int gid,
			   __u64 control)
{
	unsigned long long regs[AMD_VFC_REGS], want[AMD_VFC_REGS] = {};
	unsigned int i;

	/* No monitor: GET has to do */
	if (gid < 0)
		return;
	ASSERT_EQ(0, amd_model_vfc(gid, regs));
	for (i = 0; i < ARRAY_SIZE(control_bits); i++)
		if (control & control_bits[i].bit)
			want[control_bits[i].reg / 8] |=
				control_bits[i].reg_bit;
	for (i = 0x20; i <= 0x30; i += 8)
		EXPECT_EQ(want[i / 8], regs[i / 8] & enables_of(i))
			TH_LOG("register %#x", i);
}

/* Each bit alone */

FIXTURE(bit)
{
	struct amd_hw hw;
	int gid;
};

FIXTURE_VARIANT(bit)
{
	unsigned int nr;
};

FIXTURE_VARIANT_ADD(bit, bit_0) { .nr = 0 };
FIXTURE_VARIANT_ADD(bit, bit_1) { .nr = 1 };
FIXTURE_VARIANT_ADD(bit, bit_2) { .nr = 2 };
FIXTURE_VARIANT_ADD(bit, bit_3) { .nr = 3 };
FIXTURE_VARIANT_ADD(bit, bit_4) { .nr = 4 };
FIXTURE_VARIANT_ADD(bit, bit_5) { .nr = 5 };
FIXTURE_VARIANT_ADD(bit, bit_6) { .nr = 6 };
FIXTURE_VARIANT_ADD(bit, bit_7) { .nr = 7 };
FIXTURE_VARIANT_ADD(bit, bit_8) { .nr = 8 };
FIXTURE_VARIANT_ADD(bit, bit_9) { .nr = 9 };
FIXTURE_VARIANT_ADD(bit, bit_10) { .nr = 10 };
FIXTURE_VARIANT_ADD(bit, bit_11) { .nr = 11 };
FIXTURE_VARIANT_ADD(bit, bit_12) { .nr = 12 };
FIXTURE_VARIANT_ADD(bit, bit_13) { .nr = 13 };
FIXTURE_VARIANT_ADD(bit, bit_14) { .nr = 14 };
FIXTURE_VARIANT_ADD(bit, bit_15) { .nr = 15 };
FIXTURE_VARIANT_ADD(bit, bit_16) { .nr = 16 };
FIXTURE_VARIANT_ADD(bit, bit_17) { .nr = 17 };
FIXTURE_VARIANT_ADD(bit, bit_18) { .nr = 18 };
FIXTURE_VARIANT_ADD(bit, bit_19) { .nr = 19 };
FIXTURE_VARIANT_ADD(bit, bit_20) { .nr = 20 };
FIXTURE_VARIANT_ADD(bit, bit_21) { .nr = 21 };
FIXTURE_VARIANT_ADD(bit, bit_22) { .nr = 22 };
FIXTURE_VARIANT_ADD(bit, bit_23) { .nr = 23 };
FIXTURE_VARIANT_ADD(bit, bit_24) { .nr = 24 };
FIXTURE_VARIANT_ADD(bit, bit_25) { .nr = 25 };
FIXTURE_VARIANT_ADD(bit, bit_26) { .nr = 26 };
FIXTURE_VARIANT_ADD(bit, bit_27) { .nr = 27 };
FIXTURE_VARIANT_ADD(bit, bit_28) { .nr = 28 };
FIXTURE_VARIANT_ADD(bit, bit_29) { .nr = 29 };
FIXTURE_VARIANT_ADD(bit, bit_30) { .nr = 30 };
FIXTURE_VARIANT_ADD(bit, bit_31) { .nr = 31 };
FIXTURE_VARIANT_ADD(bit, bit_32) { .nr = 32 };
FIXTURE_VARIANT_ADD(bit, bit_33) { .nr = 33 };
FIXTURE_VARIANT_ADD(bit, bit_34) { .nr = 34 };
FIXTURE_VARIANT_ADD(bit, bit_35) { .nr = 35 };
FIXTURE_VARIANT_ADD(bit, bit_36) { .nr = 36 };
FIXTURE_VARIANT_ADD(bit, bit_37) { .nr = 37 };
FIXTURE_VARIANT_ADD(bit, bit_38) { .nr = 38 };
FIXTURE_VARIANT_ADD(bit, bit_39) { .nr = 39 };
FIXTURE_VARIANT_ADD(bit, bit_40) { .nr = 40 };
FIXTURE_VARIANT_ADD(bit, bit_41) { .nr = 41 };
FIXTURE_VARIANT_ADD(bit, bit_42) { .nr = 42 };
FIXTURE_VARIANT_ADD(bit, bit_43) { .nr = 43 };
FIXTURE_VARIANT_ADD(bit, bit_44) { .nr = 44 };
FIXTURE_VARIANT_ADD(bit, bit_45) { .nr = 45 };
FIXTURE_VARIANT_ADD(bit, bit_46) { .nr = 46 };
FIXTURE_VARIANT_ADD(bit, bit_47) { .nr = 47 };
FIXTURE_VARIANT_ADD(bit, bit_48) { .nr = 48 };
FIXTURE_VARIANT_ADD(bit, bit_49) { .nr = 49 };
FIXTURE_VARIANT_ADD(bit, bit_50) { .nr = 50 };
FIXTURE_VARIANT_ADD(bit, bit_51) { .nr = 51 };
FIXTURE_VARIANT_ADD(bit, bit_52) { .nr = 52 };
FIXTURE_VARIANT_ADD(bit, bit_53) { .nr = 53 };
FIXTURE_VARIANT_ADD(bit, bit_54) { .nr = 54 };
FIXTURE_VARIANT_ADD(bit, bit_55) { .nr = 55 };
FIXTURE_VARIANT_ADD(bit, bit_56) { .nr = 56 };
FIXTURE_VARIANT_ADD(bit, bit_57) { .nr = 57 };
FIXTURE_VARIANT_ADD(bit, bit_58) { .nr = 58 };
FIXTURE_VARIANT_ADD(bit, bit_59) { .nr = 59 };
FIXTURE_VARIANT_ADD(bit, bit_60) { .nr = 60 };
FIXTURE_VARIANT_ADD(bit, bit_61) { .nr = 61 };
FIXTURE_VARIANT_ADD(bit, bit_62) { .nr = 62 };
FIXTURE_VARIANT_ADD(bit, bit_63) { .nr = 63 };

FIXTURE_SETUP(bit)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->gid = amd_model_gid(&self->hw.v);
}

FIXTURE_TEARDOWN(bit)
{
	amd_hw_close(&self->hw);
}

/* @base is set before, after, and on the way, if the bit is refused */
static void try_bit(struct __test_metadata *_metadata,
		    FIXTURE_DATA(bit) *self, __u64 base, __u64 bit, bool ok)
{
	__u64 now = ok ? base | bit : base;

	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, base));
	EXPECT_EQ(ok ? 0 : -EINVAL,
		  amd_viommu_set(&self->hw.v, CONTROL, base | bit));
	test_command_reads(&self->hw.v, CONTROL, now);
	check_hardware(_metadata, self->gid, now);
	EXPECT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, base));
	test_command_reads(&self->hw.v, CONTROL, base);
	check_hardware(_metadata, self->gid, base);
}

TEST_F(bit, with_rings)
{
	const __u64 bit = 1ULL << variant->nr;

	ASSERT_EQ(0, make_queues(&self->hw));
	try_bit(_metadata, self, 0, bit, allowed(&self->hw, true) & bit);
}

TEST_F(bit, without_rings)
{
	const __u64 bit = 1ULL << variant->nr;

	try_bit(_metadata, self, 0, bit, allowed(&self->hw, false) & bit);
}

/* Bits for interrupts alone and with it: one does not take others along */
TEST_F(bit, beside_others)
{
	const __u64 others = AMD_CONTROL_EVT_INT_EN | AMD_CONTROL_EVT_LOG_EN;
	const __u64 bit = 1ULL << variant->nr;

	ASSERT_EQ(0, make_queues(&self->hw));
	if (bit & others)
		SKIP(return, "it is one of the others");
	try_bit(_metadata, self, others, bit, allowed(&self->hw, true) & bit);
}

/* Several of them */

FIXTURE(control)
{
	struct amd_hw hw;
	int gid;
};

FIXTURE_SETUP(control)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->gid = amd_model_gid(&self->hw.v);
	ASSERT_EQ(0, make_queues(&self->hw));
}

FIXTURE_TEARDOWN(control)
{
	amd_hw_close(&self->hw);
}

/* Dual logs have one mode, and that needs both logs */
TEST_F(control, dual_modes)
{
	const __u64 bits = allowed(&self->hw, true);
	__u64 mode, evt, ppr;

	for (mode = 0; mode < 4; mode++) {
		bool none = !mode, one = mode == 1;

		evt = mode * AMD_CONTROL_DUAL_EVT_LOG;
		ppr = mode * AMD_CONTROL_DUAL_PPR_LOG;
		EXPECT_EQ(none || (one && (bits & evt)) ? 0 : -EINVAL,
			  amd_viommu_set(&self->hw.v, CONTROL, evt));
		EXPECT_EQ(none || (one && (bits & ppr)) ? 0 : -EINVAL,
			  amd_viommu_set(&self->hw.v, CONTROL, ppr));
	}
}

/* All at once, then one after the other off */
TEST_F(control, all_bits)
{
	__u64 bits = allowed(&self->hw, true);
	unsigned int i;

	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, bits));
	check_hardware(_metadata, self->gid, bits);
	for (i = 0; i < ARRAY_SIZE(control_bits); i++) {
		bits &= ~control_bits[i].bit;
		ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, bits));
		test_command_reads(&self->hw.v, CONTROL, bits);
		check_hardware(_metadata, self->gid, bits);
	}
}

/* One wrong bit, and nothing of the value takes effect */
TEST_F(control, refused_as_a_whole)
{
	const __u64 bits = AMD_CONTROL_EVT_LOG_EN | AMD_CONTROL_EVT_INT_EN;

	EXPECT_EQ(-EINVAL, amd_viommu_set(&self->hw.v, CONTROL, bits | 1));
	test_command_reads(&self->hw.v, CONTROL, 0);
	EXPECT_EQ(-EINVAL, amd_viommu_set(&self->hw.v, CONTROL, ~0ULL));
	test_command_reads(&self->hw.v, CONTROL, 0);
	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, bits));
	EXPECT_EQ(-EINVAL, amd_viommu_set(&self->hw.v, CONTROL, 1));
	test_command_reads(&self->hw.v, CONTROL, bits);
}

/* The enables of a ring go with it, and no others */
TEST_F(control, destroy_clears_enables)
{
	struct amd_rings *rings = &self->hw.rings;
	__u64 bits = allowed(&self->hw, true);

	ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, bits));
	ASSERT_EQ(0, amd_ring_destroy(&rings->cmd));
	bits &= ~AMD_CONTROL_CMD_BUF_EN;
	test_command_reads(&self->hw.v, CONTROL, bits);
	check_hardware(_metadata, self->gid, bits);
	ASSERT_EQ(0, amd_ring_destroy(&rings->evt));
	bits &= ~(AMD_CONTROL_EVT_LOG_EN | AMD_CONTROL_DUAL_EVT_LOG);
	test_command_reads(&self->hw.v, CONTROL, bits);
	check_hardware(_metadata, self->gid, bits);
	ASSERT_EQ(0, amd_ring_destroy(&rings->ppr));
	bits &= ~(AMD_CONTROL_PPR_LOG_EN | AMD_CONTROL_DUAL_PPR_LOG);
	test_command_reads(&self->hw.v, CONTROL, bits);
	check_hardware(_metadata, self->gid, bits);
	/* And cannot come back before it */
	EXPECT_EQ(-EINVAL, amd_viommu_enable(&self->hw.v,
					     AMD_CONTROL_CMD_BUF_EN));
	EXPECT_EQ(-EINVAL, amd_viommu_enable(&self->hw.v,
					     AMD_CONTROL_EVT_LOG_EN));
}

/* The costly part of the first enable is not repeated */
TEST_F(control, enable_again_is_cheap)
{
	long long before, i;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	before = amd_counter("vfc-writes");
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, amd_viommu_set(&self->hw.v, CONTROL, 0));
		ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
		ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
	}
	EXPECT_GE(before + 100, amd_counter("vfc-writes"));
}

TEST_HARNESS_MAIN
