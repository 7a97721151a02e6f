// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what the driver reads from, and puts into, registers and
 * commands of the hardware vIOMMU: windows, maps, rings
 *
 * Bits are numbers here, not names of the driver's: those are to be tested.
 */
#include <kunit/test.h>
#include <linux/iommufd.h>
#include <linux/prandom.h>
#include <linux/processor.h>
#include <linux/sizes.h>

#include "amd_iommu.h"
#include "viommu.h"

/* Windows: 256M for guests, 4M for the host. "high" counts from the limit */
struct vsc_case {
	const char *name;
	u64 vf, vfc;
	bool vf_high, vfc_high;
	int want;
};

static const struct vsc_case vsc_cases[] = {
	{ "below 4G", 0xe0000001, 0xf0000001 },
	{ "above 4G", 0x123456001, 0x234567001 },
	{ "page 1", 0x1001, 0x10001001 },
	{ "the same", 0xe0000001, 0xe0000001 },
	{ "no VF", 0xe0000000, 0xf0000001, .want = -ENODEV },
	{ "no VFCtrl", 0xe0000001, 0xf0000000, .want = -ENODEV },
	{ "neither", 0xe0000000, 0xf0000000, .want = -ENODEV },
	{ "zeros", 0, 0, .want = -ENODEV },
	{ "ones", U64_MAX, U64_MAX, .want = -ENODEV },
	{ "VF at 0", 1, 0xf0000001, .want = -ENODEV },
	{ "VFCtrl at 0", 0xe0000001, 1, .want = -ENODEV },
	{ "VF at the end", -SZ_256M + 1ULL, 0x1001, true },
	{ "VFCtrl at the end", 0x1001, -SZ_4M + 1ULL, false, true },
	{ "both at the end", -SZ_256M + 1ULL, -SZ_4M + 1ULL, true, true },
	{ "VF across the end", -SZ_256M + 0x1001ULL, 0x1001, true, false,
	  -ENODEV },
	{ "VFCtrl across the end", 0x1001, -SZ_4M + 0x1001ULL, false, true,
	  -ENODEV },
	{ "VF in the last page", -0xfffULL, 0x1001, true, false, -ENODEV },
	{ "VFCtrl in the last page", 0x1001, -0xfffULL, false, true, -ENODEV },
	{ "VF beyond the end", 1, 0x1001, true, false, -ENODEV },
	{ "VFCtrl beyond the end", 0x1001, 1, false, true, -ENODEV },
	{ "VF wraps", -SZ_256M + 0x1001ULL, 0x1001, .want = -ENODEV },
	{ "VFCtrl wraps", 0x1001, -SZ_4M + 0x1001ULL, .want = -ENODEV },
	{ "VF ends at 2^64", -SZ_256M + 1ULL, 0x1001, .want = -ENODEV },
	{ "VFCtrl ends at 2^64", 0x1001, -SZ_4M + 1ULL, .want = -ENODEV },
};

static int parse_vsc(u64 vf, u64 vfc, u32 rest,
		     struct amd_viommu_windows *windows)
{
	const u32 vsc[6] = { rest, rest, lower_32_bits(vf), upper_32_bits(vf),
			     lower_32_bits(vfc), upper_32_bits(vfc) };

	return amd_viommu_parse_vsc(vsc, windows);
}

static u64 phys_limit(void)
{
	return BIT_ULL(boot_cpu_data.x86_phys_bits);
}

static void vsc(struct kunit *test)
{
	const struct vsc_case *c = test->param_value;
	struct amd_viommu_windows windows = {};
	u64 vf = c->vf + (c->vf_high ? phys_limit() : 0);
	u64 vfc = c->vfc + (c->vfc_high ? phys_limit() : 0);

	KUNIT_EXPECT_EQ(test, c->want, parse_vsc(vf, vfc, 0, &windows));
	KUNIT_EXPECT_EQ(test, c->want, parse_vsc(vf, vfc, ~0, &windows));
	if (c->want)
		return;
	KUNIT_EXPECT_EQ(test, windows.vf, vf - 1);
	KUNIT_EXPECT_EQ(test, windows.vfc, vfc - 1);
}

static void vsc_desc(const struct vsc_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vsc, vsc_cases, vsc_desc);

/* All that is below a page, and above what the CPU can address */
static void vsc_each_bit(struct kunit *test)
{
	const u64 vf = 0xe0000001, vfc = 0xf0000001;
	struct amd_viommu_windows windows;
	int bit, want;
	u64 other;

	for (bit = 1; bit < 64; bit++) {
		other = BIT_ULL(bit) | 1;
		want = bit < 12 || BIT_ULL(bit) >= phys_limit() ? -ENODEV : 0;
		KUNIT_EXPECT_EQ_MSG(test, want,
				    parse_vsc(other, vfc, 0, &windows),
				    "VF bit %d", bit);
		KUNIT_EXPECT_EQ_MSG(test, want,
				    parse_vsc(vf, other, 0, &windows),
				    "VFCtrl bit %d", bit);
	}
}

static void map_entry_bits(struct kunit *test)
{
	const u64 none = BIT_ULL(63) | BIT_ULL(0);
	int bit;

	KUNIT_EXPECT_EQ(test, amd_viommu_vfc_map_entry(0, 0), none);
	for (bit = 0; bit < 16; bit++) {
		KUNIT_EXPECT_EQ(test, amd_viommu_vfc_map_entry(BIT(bit), 0),
				none | BIT_ULL(46 + bit));
		KUNIT_EXPECT_EQ(test, amd_viommu_vfc_map_entry(0, BIT(bit)),
				none | BIT_ULL(14 + bit));
	}
	KUNIT_EXPECT_EQ(test, amd_viommu_vfc_map_entry(0xffff, 0xffff),
			0xbfffc0003fffc001ULL);
}

static void map_entry_all(struct kunit *test)
{
	const u64 none = BIT_ULL(63) | BIT_ULL(0);
	u32 id, other, wrong = 0;

	for (id = 0; id <= 0xffff; id++) {
		other = id * 0x9e37 & 0xffff;
		if (amd_viommu_vfc_map_entry(id, other) !=
		    (none | (u64)id << 46 | other << 14))
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void reset_command(struct kunit *test)
{
	u32 gid, wrong = 0;

	for (gid = 0; gid <= 0xffff; gid++) {
		const struct iommu_cmd want = { { 0x90000000 | gid,
						  0xa0000000 } };
		struct iommu_cmd cmd;

		memset(&cmd, 0xa5, sizeof(cmd));
		amd_viommu_build_reset(&cmd, gid);
		if (memcmp(&cmd, &want, sizeof(cmd)))
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Which capability a type and an index need, and what ring they are then */
#define CAP_PPR		BIT(1)
#define CAP_EVT_B	BIT(2)
#define CAP_PPR_B	BIT(3)

struct ring_type {
	const char *name;
	int type;
	u32 needs;
	struct {
		int ring;
		u32 needs;
	} index[2];
};

static const struct ring_type ring_types[] = {
	{ "default", 0, ~0 },
	{ "Tegra241", 1, ~0 },
	{ "command", 2, 0, { { AMD_VIOMMU_CMD, 0 }, { -EINVAL, 0 } } },
	{ "event", 3, 0,
	  { { AMD_VIOMMU_EVT, 0 }, { AMD_VIOMMU_EVT_B, CAP_EVT_B } } },
	{ "PPR", 4, CAP_PPR,
	  { { AMD_VIOMMU_PPR, 0 }, { AMD_VIOMMU_PPR_B, CAP_PPR_B } } },
	{ "next", 5, ~0 },
	{ "last", INT_MAX, ~0 },
};

static void ring_of(struct kunit *test)
{
	static const u32 indexes[] = { 0, 1, 2, 3, 0x10000, U32_MAX };
	const struct ring_type *t = test->param_value;
	u32 caps, index;
	int i, want;

	for (caps = 0; caps < 32; caps++) {
		for (i = 0; i < ARRAY_SIZE(indexes); i++) {
			index = indexes[i];
			if (t->needs & ~caps)
				want = -EOPNOTSUPP;
			else if (index > 1 || (t->index[index].needs & ~caps))
				want = -EINVAL;
			else
				want = t->index[index].ring;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_viommu_ring_of(caps, t->type,
							       index),
					    "caps 0x%x, index %u", caps,
					    index);
		}
	}
}

static void ring_type_desc(const struct ring_type *t, char *desc)
{
	strscpy(desc, t->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ring_type, ring_types, ring_type_desc);

/* 256 to 32768 entries of 16 bytes */
static void ring_fits_length(struct kunit *test)
{
	const u64 base = 0x12345000;
	int bit, other;

	KUNIT_EXPECT_FALSE(test, amd_viommu_ring_fits(base, 0));
	KUNIT_EXPECT_FALSE(test, amd_viommu_ring_fits(base, U64_MAX));
	for (bit = 0; bit < 64; bit++) {
		KUNIT_EXPECT_EQ_MSG(test, bit >= 12 && bit <= 19,
				    amd_viommu_ring_fits(base, BIT_ULL(bit)),
				    "bit %d", bit);
		for (other = 0; other < bit; other++) {
			u64 length = BIT_ULL(bit) | BIT_ULL(other);

			KUNIT_EXPECT_FALSE_MSG(test,
					       amd_viommu_ring_fits(base,
								    length),
					       "bits %d and %d", bit, other);
		}
	}
}

static void ring_fits_base(struct kunit *test)
{
	const u64 good = 0x000ffffffffff000ULL;
	int bit, len;

	for (len = 12; len <= 19; len++) {
		const u64 length = BIT_ULL(len);

		KUNIT_EXPECT_FALSE(test, amd_viommu_ring_fits(0, length));
		KUNIT_EXPECT_FALSE(test, amd_viommu_ring_fits(U64_MAX, length));
		/* No byte of it is beyond what 52 bits can say */
		KUNIT_EXPECT_EQ(test, len == 12,
				amd_viommu_ring_fits(good, length));
		KUNIT_EXPECT_TRUE(test, amd_viommu_ring_fits(BIT_ULL(52) -
							     length, length));
		for (bit = 0; bit < 64; bit++) {
			bool want = good & BIT_ULL(bit);

			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_viommu_ring_fits(BIT_ULL(bit),
								 length),
					    "bit %d", bit);
			KUNIT_EXPECT_EQ_MSG(test, want && len == 12,
					    amd_viommu_ring_fits(good |
								 BIT_ULL(bit),
								 length),
					    "with bit %d", bit);
		}
	}
}

/* Where a ring has its base and its length, by number of the register */
struct ring_place {
	const char *name;
	int ring, base_reg, base_shift, len_reg, len_shift;
};

static const struct ring_place ring_places[] = {
	{ "command", AMD_VIOMMU_CMD, 4, 0, 4, 0 },
	{ "event", AMD_VIOMMU_EVT, 5, 0, 5, 0 },
	{ "event B", AMD_VIOMMU_EVT_B, 3, 0, 5, 4 },
	{ "PPR", AMD_VIOMMU_PPR, 6, 4, 6, 0 },
	{ "PPR B", AMD_VIOMMU_PPR_B, 7, 0, 6, 4 },
};

static const u64 some_bases[] = {
	BIT_ULL(12), BIT_ULL(51), 0x000ffffffffff000ULL, 0x000a5a5a5a5a5000ULL,
	0x0005a5a5a5a5a000ULL, 0,
};

static void ring_regs_check(struct kunit *test, const struct ring_place *p,
			    const u64 old[8], u64 base, int len)
{
	u64 regs[8], want[8];
	int i;

	memcpy(want, old, sizeof(want));
	want[p->base_reg] &= ~(GENMASK_ULL(51, 12) << p->base_shift);
	want[p->base_reg] |= base << p->base_shift;
	want[p->len_reg] &= ~(0xfULL << p->len_shift);
	want[p->len_reg] |= (u64)len << p->len_shift;

	memcpy(regs, old, sizeof(regs));
	amd_viommu_ring_regs(regs, p->ring, base, len ? 16ULL << len : 0);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ_MSG(test, regs[i], want[i],
				    "register %d, base 0x%llx, length %d", i,
				    base, len);
	KUNIT_EXPECT_EQ(test, amd_viommu_ring_base(regs, p->ring),
			base | (u64)len << 56);
	/* The others are where they were */
	for (i = 0; i < AMD_VIOMMU_NUM_RINGS; i++)
		if (i != p->ring)
			KUNIT_EXPECT_EQ_MSG(test,
					    amd_viommu_ring_base(regs, i),
					    amd_viommu_ring_base(old, i),
					    "ring %d", i);
}

/* All lengths, and none, in registers that are full, empty, and in between */
static void ring_regs(struct kunit *test)
{
	const struct ring_place *p = test->param_value;
	struct rnd_state rnd;
	u64 old[8];
	int fill, i, len, base;

	prandom_seed_state(&rnd, 0x48882);
	for (fill = 0; fill < 16; fill++) {
		for (i = 0; i < 8; i++)
			old[i] = fill < 2 ? -(u64)fill :
				 (u64)prandom_u32_state(&rnd) << 32 |
				 prandom_u32_state(&rnd);
		for (base = 0; base < ARRAY_SIZE(some_bases); base++)
			for (len = 8; len <= 15; len++)
				ring_regs_check(test, p, old, some_bases[base],
						len);
		ring_regs_check(test, p, old, 0, 0);
	}
}

static void ring_regs_base_bits(struct kunit *test)
{
	const struct ring_place *p = test->param_value;
	const u64 none[8] = {}, all[8] = { ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL,
					   ~0ULL, ~0ULL, ~0ULL };
	int bit;

	for (bit = 12; bit <= 51; bit++) {
		ring_regs_check(test, p, none, BIT_ULL(bit), 8);
		ring_regs_check(test, p, all, BIT_ULL(bit), 15);
	}
}

static void ring_place_desc(const struct ring_place *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ring_place, ring_places, ring_place_desc);

/* Five rings at once, in any order */
static void ring_regs_together(struct kunit *test)
{
	u64 one[8] = {}, two[8] = {};
	int i, last = ARRAY_SIZE(ring_places) - 1;

	for (i = 0; i <= last; i++) {
		amd_viommu_ring_regs(one, i, 0x1000ULL << i, 0x1000 << i);
		amd_viommu_ring_regs(two, last - i, 0x1000ULL << (last - i),
				     0x1000 << (last - i));
	}
	KUNIT_EXPECT_MEMEQ(test, one, two, sizeof(one));
	for (i = 0; i <= last; i++)
		KUNIT_EXPECT_EQ(test, amd_viommu_ring_base(one, i),
				0x1000ULL << i | (8ULL + i) << 56);
	/* Numbered as above: PPR is 2, 0x4000 and 10; PPR B is 4, 12 */
	KUNIT_EXPECT_EQ(test, one[6], 0x40000 | 12 << 4 | 10);
	KUNIT_EXPECT_EQ(test, one[5], 0x2000 | 11 << 4 | 9);
	KUNIT_EXPECT_EQ(test, one[4], 0x1000 | 8);
	KUNIT_EXPECT_EQ(test, one[3], 0x8000);
	KUNIT_EXPECT_EQ(test, one[7], 0x10000);
}

/* PPR, dual event log, dual PPR log */
static void caps(struct kunit *test)
{
	struct amd_iommu *iommu = kunit_kzalloc(test, sizeof(*iommu),
						GFP_KERNEL);
	struct amd_viommu_hw hw = { .iommu = iommu };
	u64 rest = ~(BIT_ULL(1) | GENMASK_ULL(25, 24) | GENMASK_ULL(29, 28));
	u32 i, want;

	KUNIT_ASSERT_NOT_NULL(test, iommu);
	for (i = 0; i < 128; i++) {
		u64 ppr = i & 1, evt_b = (i >> 1) & 3, ppr_b = (i >> 3) & 3;

		iommu->features = ppr << 1 | evt_b << 28 | ppr_b << 24;
		if (i & BIT(5))
			iommu->features |= rest;
		iommu->viommu_intr = i & BIT(6) ? (void *)1 : NULL;
		want = 1 | (ppr ? 2 : 0) | (evt_b ? 4 : 0) |
		       (ppr && ppr_b ? 8 : 0) | (i & BIT(6) ? 16 : 0);
		KUNIT_EXPECT_EQ_MSG(test, amd_viommu_hw_caps(&hw), want,
				    "features 0x%llx", iommu->features);
	}
}

static struct kunit_case regs_cases[] = {
	KUNIT_CASE_PARAM(vsc, vsc_gen_params),
	KUNIT_CASE(vsc_each_bit),
	KUNIT_CASE(map_entry_bits),
	KUNIT_CASE(map_entry_all),
	KUNIT_CASE(reset_command),
	KUNIT_CASE_PARAM(ring_of, ring_type_gen_params),
	KUNIT_CASE(ring_fits_length),
	KUNIT_CASE(ring_fits_base),
	KUNIT_CASE_PARAM(ring_regs, ring_place_gen_params),
	KUNIT_CASE_PARAM(ring_regs_base_bits, ring_place_gen_params),
	KUNIT_CASE(ring_regs_together),
	KUNIT_CASE(caps),
	{}
};

static struct kunit_suite regs_suite = {
	.name = "amd_iommu_viommu_regs",
	.test_cases = regs_cases,
};

kunit_test_suite(regs_suite);
