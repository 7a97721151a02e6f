// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the guest's control register: what of it goes where, what is
 * refused, and what is done about it
 *
 * Bits are numbers here, not names of the driver's: those are to be tested.
 */
#include <kunit/test.h>
#include <linux/iommufd.h>
#include <linux/prandom.h>

#include "amd_iommu.h"
#include "viommu.h"

/* Rings, by number, and features by bit of the EFR */
#define CMD		BIT(0)
#define EVT		BIT(1)
#define PPR		BIT(2)
#define EVT_B		BIT(3)
#define PPR_B		BIT(4)
#define F_PPR		BIT_ULL(1)
#define F_AUTO_RSP	BIT_ULL(41)
#define F_BLK_STOP	BIT_ULL(44)
#define FEATURES	(F_PPR | F_AUTO_RSP | F_BLK_STOP)

/* A bit of control, where it goes to, and what it needs */
struct control_bit {
	const char *name;
	int bit, reg, reg_bit;
	unsigned long rings;
	u64 features;
	bool reserved;
};

static const struct control_bit control_bits[] = {
	{ "EvtLogEn", 2, 5, 8, EVT },
	{ "EvtIntEn", 3, 5, 9 },
	{ "ComWaitIntEn", 4, 4, 9 },
	{ "CmdBufEn", 12, 4, 8, CMD },
	{ "PprLogEn", 13, 6, 8, PPR, F_PPR },
	{ "PprIntEn", 14, 6, 9, 0, F_PPR },
	{ "PprEn", 15, 6, 10, 0, F_PPR },
	{ "DualPprLogEn 0", 30, 6, 11, PPR | PPR_B, F_PPR },
	{ "DualPprLogEn 1", 31, 6, 12, .reserved = true },
	{ "DualEvtLogEn 0", 32, 5, 10, EVT | EVT_B },
	{ "DualEvtLogEn 1", 33, 5, 11, .reserved = true },
	{ "PprAutoRspEn", 39, 6, 13, 0, F_AUTO_RSP },
	{ "BlkStopMrkEn", 41, 6, 14, 0, F_BLK_STOP },
	{ "PprAutoRspAon", 42, 6, 15, 0, F_AUTO_RSP },
};

static u64 all_control(void)
{
	u64 all = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(control_bits); i++)
		all |= BIT_ULL(control_bits[i].bit);
	return all;
}

static void add_to_regs(u64 control, u64 regs[8])
{
	int i;

	for (i = 0; i < ARRAY_SIZE(control_bits); i++)
		if (control & BIT_ULL(control_bits[i].bit))
			regs[control_bits[i].reg] |=
				BIT_ULL(control_bits[i].reg_bit);
}

static void control_to_regs(struct kunit *test)
{
	const struct control_bit *b = test->param_value;
	u64 set[8] = {}, clear[8], enables[8] = {};
	int i;

	add_to_regs(U64_MAX, enables);
	memset(clear, 0xff, sizeof(clear));
	amd_viommu_control_to_regs(BIT_ULL(b->bit), set);
	amd_viommu_control_to_regs(all_control() & ~BIT_ULL(b->bit), clear);
	for (i = 0; i < 8; i++) {
		u64 want = i == b->reg ? BIT_ULL(b->reg_bit) : 0;

		KUNIT_EXPECT_EQ_MSG(test, set[i], want, "register %d", i);
		KUNIT_EXPECT_EQ_MSG(test, ~clear[i], want, "register %d", i);
	}

	/* It is the only enable that stays, out of all */
	amd_viommu_control_to_regs(BIT_ULL(b->bit), clear);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ_MSG(test, clear[i], ~enables[i] | set[i],
				    "register %d", i);
}

static void control_from_regs(struct kunit *test)
{
	const struct control_bit *b = test->param_value;
	u64 regs[8] = {};

	regs[b->reg] = BIT_ULL(b->reg_bit);
	KUNIT_EXPECT_EQ(test, amd_viommu_control_from_regs(regs),
			BIT_ULL(b->bit));
	memset(regs, 0xff, sizeof(regs));
	regs[b->reg] &= ~BIT_ULL(b->reg_bit);
	KUNIT_EXPECT_EQ(test, amd_viommu_control_from_regs(regs),
			all_control() & ~BIT_ULL(b->bit));
}

static void control_bit_desc(const struct control_bit *b, char *desc)
{
	strscpy(desc, b->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(control_bit, control_bits, control_bit_desc);

/* Bases and lengths are no part of it, in either direction */
static void control_from_each_bit(struct kunit *test)
{
	int reg, bit, i;
	u64 want;

	for (reg = 0; reg < 8; reg++) {
		for (bit = 0; bit < 64; bit++) {
			u64 regs[8] = {};

			regs[reg] = BIT_ULL(bit);
			want = 0;
			for (i = 0; i < ARRAY_SIZE(control_bits); i++)
				if (control_bits[i].reg == reg &&
				    control_bits[i].reg_bit == bit)
					want = BIT_ULL(control_bits[i].bit);
			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_viommu_control_from_regs(regs),
					    "register %d, bit %d", reg, bit);
		}
	}
}

static u64 random64(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

static void control_random(struct kunit *test)
{
	u64 old[8], regs[8], want[8], enables[8] = {}, control;
	struct rnd_state rnd;
	int round, i, wrong = 0;

	prandom_seed_state(&rnd, 0x48882);
	add_to_regs(U64_MAX, enables);
	for (round = 0; round < 10000; round++) {
		control = random64(&rnd) & all_control();
		for (i = 0; i < 8; i++) {
			old[i] = random64(&rnd);
			want[i] = old[i] & ~enables[i];
		}
		add_to_regs(control, want);

		memcpy(regs, old, sizeof(regs));
		amd_viommu_control_to_regs(control, regs);
		if (memcmp(regs, want, sizeof(regs)))
			wrong++;
		if (amd_viommu_control_from_regs(regs) != control)
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* All 16384 of them; from and to are each other's reverse */
static void control_round_trip(struct kunit *test)
{
	const u64 all = all_control();
	u64 control = 0, regs[8] = {};
	u32 count = 0, wrong = 0;

	do {
		amd_viommu_control_to_regs(control, regs);
		if (amd_viommu_control_from_regs(regs) != control)
			wrong++;
		count++;
		control = (control - all) & all;
	} while (control);
	KUNIT_EXPECT_EQ(test, count, 1U << ARRAY_SIZE(control_bits));
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, regs[4] | regs[5] | regs[6], 0xff00);
}

/* With all subsets of the rings and of the features */
static int check_want(u64 control, u64 features, unsigned long rings)
{
	const struct control_bit *b;

	for (b = control_bits; b < control_bits + ARRAY_SIZE(control_bits); b++)
		if ((control & BIT_ULL(b->bit)) &&
		    (b->reserved || (b->rings & ~rings) ||
		     (b->features & ~features)))
			return -EINVAL;
	return 0;
}

static void check_control(struct kunit *test, u64 control)
{
	unsigned long rings;
	u64 features;
	int i;

	for (rings = 0; rings < 32; rings++) {
		for (i = 0; i < 16; i++) {
			features = (i & 1 ? F_PPR : 0) |
				   (i & 2 ? F_AUTO_RSP : 0) |
				   (i & 4 ? F_BLK_STOP : 0) |
				   (i & 8 ? ~FEATURES : 0);
			KUNIT_EXPECT_EQ_MSG(test,
					    check_want(control, features,
						       rings),
					    amd_viommu_control_check(control,
								     features,
								     rings),
					    "features 0x%llx, rings 0x%lx",
					    features, rings);
		}
	}
}

static void control_check(struct kunit *test)
{
	const struct control_bit *b = test->param_value;

	check_control(test, BIT_ULL(b->bit));
}

/* One that is refused is refused among others */
static void control_check_with(struct kunit *test)
{
	const struct control_bit *b = test->param_value;
	int i;

	for (i = 0; i < ARRAY_SIZE(control_bits); i++)
		check_control(test, BIT_ULL(b->bit) |
				    BIT_ULL(control_bits[i].bit));
	check_control(test, all_control() & ~(BIT_ULL(31) | BIT_ULL(33)) &
			    ~BIT_ULL(b->bit));
}

static const int dual[] = { 0, 1, 2, 3 };

static void control_check_dual(struct kunit *test)
{
	u64 mode = *(const int *)test->param_value;
	u64 other;

	for (other = 0; other < 4; other++) {
		int want = mode > 1 || other > 1 ? -EINVAL : 0;

		KUNIT_EXPECT_EQ(test, want,
				amd_viommu_control_check(mode << 30 |
							 other << 32,
							 U64_MAX, 0x1f));
		KUNIT_EXPECT_EQ(test, want,
				amd_viommu_control_check(mode << 32 |
							 other << 30,
							 U64_MAX, 0x1f));
		check_control(test, mode << 30 | other << 32);
	}
}

static void dual_desc(const int *mode, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d", *mode);
}

KUNIT_ARRAY_PARAM(dual, dual, dual_desc);

static void control_check_none(struct kunit *test)
{
	check_control(test, 0);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_control_check(0, 0, 0));
}

static void command_table(struct kunit *test)
{
	static const u16 indexes[] = { 0x08, 0x10, 0x18, 0x38, 0xf0, 0xf8,
				       0x2020 };
	const struct iommufd_viommu_command *c;
	int i, j, found;

	KUNIT_ASSERT_EQ(test, AMD_VIOMMU_NUM_COMMANDS, ARRAY_SIZE(indexes));
	for (i = 0; i < ARRAY_SIZE(indexes); i++) {
		found = 0;
		for (j = 0; j < AMD_VIOMMU_NUM_COMMANDS; j++)
			found += amd_viommu_commands[j].first == indexes[i];
		KUNIT_EXPECT_EQ_MSG(test, found, 1, "0x%x", indexes[i]);
	}
	for (i = 0; i < AMD_VIOMMU_NUM_COMMANDS; i++) {
		c = &amd_viommu_commands[i];
		KUNIT_EXPECT_EQ(test, c->first, c->last);
		if (c->first == 0x18) {
			KUNIT_EXPECT_EQ(test, c->flags,
					IOMMUFD_VIOMMU_COMMAND_GET |
					IOMMUFD_VIOMMU_COMMAND_SET);
			KUNIT_EXPECT_EQ(test, c->set_mask, all_control());
		} else {
			KUNIT_EXPECT_EQ(test, c->flags,
					IOMMUFD_VIOMMU_COMMAND_GET);
			KUNIT_EXPECT_EQ(test, c->set_mask, 0);
		}
	}
}

static struct kunit_case control_cases[] = {
	KUNIT_CASE_PARAM(control_to_regs, control_bit_gen_params),
	KUNIT_CASE_PARAM(control_from_regs, control_bit_gen_params),
	KUNIT_CASE(control_from_each_bit),
	KUNIT_CASE(control_random),
	KUNIT_CASE(control_round_trip),
	KUNIT_CASE_PARAM(control_check, control_bit_gen_params),
	KUNIT_CASE_PARAM(control_check_with, control_bit_gen_params),
	KUNIT_CASE_PARAM(control_check_dual, dual_gen_params),
	KUNIT_CASE(control_check_none),
	KUNIT_CASE(command_table),
	{}
};

static struct kunit_suite control_suite = {
	.name = "amd_iommu_viommu_control",
	.test_cases = control_cases,
};

kunit_test_suite(control_suite);
