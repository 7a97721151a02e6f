// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of which device table entries of a guest are accepted */
#include <kunit/test.h>
#include <linux/bitfield.h>

#include "amd_iommu.h"
#include "nested.h"

#define XLATE		(DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW)
#define GCR3_MID	FIELD_PREP_CONST(DTE_GCR3_30_15, 0x10)

/* All fields of a DTE and what struct iommu_hwpt_amd_guest says of them */
struct field {
	const char *name;
	int word, high, low;
	int want;
};

static const struct field fields[] = {
	{ "V", 0, 0, 0, 0 },
	{ "TV", 0, 1, 1, 0 },
	{ "reserved 6:2", 0, 6, 2, -EINVAL },
	{ "HAD", 0, 8, 7, -EINVAL },
	{ "Mode", 0, 11, 9, -EINVAL },
	{ "host root", 0, 51, 12, -EINVAL },
	{ "PPR", 0, 52, 52, -EOPNOTSUPP },
	{ "reserved 53", 0, 53, 53, -EINVAL },
	{ "GIOV", 0, 54, 54, 0 },
	{ "GV", 0, 55, 55, 0 },
	{ "GLX", 0, 57, 56, 0 },
	{ "GCR3 14:12", 0, 60, 58, 0 },
	{ "IR", 0, 61, 61, 0 },
	{ "IW", 0, 62, 62, 0 },
	{ "reserved 63", 0, 63, 63, -EINVAL },
	{ "domain ID", 1, 15, 0, 0 },
	{ "GCR3 30:15", 1, 31, 16, 0 },
	{ "I", 1, 32, 32, 0 },
	{ "SE to SATS", 1, 42, 33, 0 },
	{ "GCR3 51:31", 1, 63, 43, 0 },
	{ "interrupt table", 2, 51, 0, 0 },
	{ "reserved 181:180", 2, 53, 52, -EINVAL },
	{ "guest paging mode", 2, 55, 54, 0 },
	{ "interrupt control", 2, 63, 56, 0 },
	{ "last word", 3, 63, 0, -EINVAL },
};

/* What the host can do is the test's to say, until the case is over */
struct host_caps {
	int glx, levels;
};

static void host_caps_restore(void *data)
{
	struct host_caps *caps = data;

	amd_iommu_max_glx_val = caps->glx;
	amd_iommu_gpt_level = caps->levels;
}

static void host_caps_set(struct kunit *test, int glx, int levels)
{
	struct host_caps *caps = kunit_kzalloc(test, sizeof(*caps), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, caps);
	caps->glx = amd_iommu_max_glx_val;
	caps->levels = amd_iommu_gpt_level;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   host_caps_restore,
							   caps));
	amd_iommu_max_glx_val = glx;
	amd_iommu_gpt_level = levels;
}

static int validate(u64 w0, u64 w1, u64 w2, u64 w3)
{
	struct iommu_hwpt_amd_guest gdte = { .dte = { w0, w1, w2, w3 } };

	return amd_iommu_gdte_validate(&gdte);
}

static int validate_with(const u64 base[4], int word, u64 bits)
{
	struct iommu_hwpt_amd_guest gdte;

	memcpy(gdte.dte, base, sizeof(gdte.dte));
	gdte.dte[word] |= bits;
	return amd_iommu_gdte_validate(&gdte);
}

/* Each bit alone, in an entry that is valid, blocks, passes on, translates */
static void gdte_field(struct kunit *test)
{
	static const u64 bases[][4] = {
		{ DTE_FLAG_V },
		{ XLATE },
		{ XLATE | DTE_FLAG_GV, GCR3_MID },
		{ DTE_FLAG_V | DTE_FLAG_GV | DTE_FLAG_IR, 0xffff },
	};
	static const u64 not_valid[4] = { DTE_FLAG_TV };
	const struct field *f = test->param_value;
	int bit, i, want;

	host_caps_set(test, 2, PAGE_MODE_5_LEVEL);
	for (bit = f->low; bit <= f->high; bit++) {
		for (i = 0; i < ARRAY_SIZE(bases); i++) {
			want = f->want;
			/* These want a table, or are a reserved paging mode */
			if ((i == 1 && f->word == 0 && bit == 55) ||
			    (i == 2 && f->word == 2 && bit == 55) ||
			    (i == 3 && f->word == 0 && bit == 1))
				want = -EINVAL;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    validate_with(bases[i], f->word,
							  BIT_ULL(bit)),
					    "bit %d, entry %d", bit, i);
		}
		if (f->word || bit)
			KUNIT_EXPECT_EQ_MSG(test, 0,
					    validate_with(not_valid, f->word,
							  BIT_ULL(bit)),
					    "bit %d with V=0", bit);
	}
}

static void field_desc(const struct field *f, char *desc)
{
	strscpy(desc, f->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(field, fields, field_desc);

/* Is the table above complete? */
static void gdte_fields_cover_all(struct kunit *test)
{
	u64 seen[4] = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 mask = GENMASK_ULL(fields[i].high, fields[i].low);

		KUNIT_EXPECT_EQ(test, seen[fields[i].word] & mask, 0);
		seen[fields[i].word] |= mask;
	}
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, seen[i], U64_MAX);
}

static void gdte_all_ones(struct kunit *test)
{
	host_caps_set(test, 2, PAGE_MODE_5_LEVEL);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			validate(U64_MAX, U64_MAX, U64_MAX, U64_MAX));
	KUNIT_EXPECT_EQ(test, 0, validate(U64_MAX & ~DTE_FLAG_V, U64_MAX,
					  U64_MAX, U64_MAX));
	KUNIT_EXPECT_EQ(test, 0, validate(0, 0, 0, 0));
	/* A reserved bit is the worse mistake */
	KUNIT_EXPECT_EQ(test, -EINVAL, validate(XLATE | DTE_FLAG_PPR, 0, 0, 1));
}

static const int numbers[] = { 0, 1, 2, 3 };

static void gdte_glx(struct kunit *test)
{
	int glx = *(const int *)test->param_value;
	u64 w0 = DTE_FLAG_GV | FIELD_PREP(DTE_GLX, glx);
	int max, want;

	/* -1: no IOMMU has guest translation */
	for (max = -1; max <= 3; max++) {
		host_caps_set(test, max, PAGE_MODE_4_LEVEL);
		want = glx == 3 ? -EINVAL : glx > max ? -EOPNOTSUPP : 0;
		KUNIT_EXPECT_EQ_MSG(test, validate(XLATE | w0, GCR3_MID, 0, 0),
				    want, "host can do %d", max);
		/* Nobody looks at it in these */
		KUNIT_EXPECT_EQ(test, 0, validate(DTE_FLAG_V | w0, 0, 0, 0));
		KUNIT_EXPECT_EQ(test, 0, validate(XLATE | (w0 & ~DTE_FLAG_GV),
						  0, 0, 0));
	}
}

static void gdte_levels(struct kunit *test)
{
	int mode = *(const int *)test->param_value;
	u64 w2 = FIELD_PREP(DTE_GPT_LEVEL_MASK, mode);

	host_caps_set(test, 2, PAGE_MODE_5_LEVEL);
	KUNIT_EXPECT_EQ(test, validate(XLATE | DTE_FLAG_GV, GCR3_MID, w2, 0),
			mode > 1 ? -EINVAL : 0);
	amd_iommu_gpt_level = PAGE_MODE_4_LEVEL;
	KUNIT_EXPECT_EQ(test, validate(XLATE | DTE_FLAG_GV, GCR3_MID, w2, 0),
			mode > 1 ? -EINVAL : mode == 1 ? -EOPNOTSUPP : 0);
	KUNIT_EXPECT_EQ(test, 0, validate(XLATE, 0, w2, 0));
}

static void number_desc(const int *number, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d", *number);
}

KUNIT_ARRAY_PARAM(number, numbers, number_desc);

static void gdte_gcr3(struct kunit *test)
{
	const u64 w0 = XLATE | DTE_FLAG_GV;
	int bit;

	host_caps_set(test, 2, PAGE_MODE_4_LEVEL);
	KUNIT_EXPECT_EQ(test, -EINVAL, validate(w0, 0, 0, 0));
	/* All around it does not count */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			validate(w0 | DTE_FLAG_GIOV,
				 ~(DTE_GCR3_30_15 | DTE_GCR3_51_31), 0, 0));
	for (bit = 58; bit <= 60; bit++)
		KUNIT_EXPECT_EQ(test, 0, validate(w0 | BIT_ULL(bit), 0, 0, 0));
	for (bit = 16; bit <= 31; bit++)
		KUNIT_EXPECT_EQ(test, 0, validate(w0, BIT_ULL(bit), 0, 0));
	for (bit = 43; bit <= 63; bit++)
		KUNIT_EXPECT_EQ(test, 0, validate(w0, BIT_ULL(bit), 0, 0));
}

static void gdte_blocks(struct kunit *test)
{
	struct iommu_hwpt_amd_guest gdte = { .dte = { 0, DTE_FLAG_IOTLB } };
	int i;

	for (i = 0; i < 4; i++) {
		gdte.dte[0] = ~(DTE_FLAG_V | DTE_FLAG_TV) | i;
		KUNIT_EXPECT_EQ(test, amd_iommu_gdte_blocks(&gdte), i != 3);
		KUNIT_EXPECT_EQ(test, amd_iommu_gdte_wants_ats(&gdte), i == 3);
	}
	gdte.dte[1] = ~DTE_FLAG_IOTLB;
	KUNIT_EXPECT_FALSE(test, amd_iommu_gdte_wants_ats(&gdte));
}

static struct kunit_case gdte_cases[] = {
	KUNIT_CASE_PARAM(gdte_field, field_gen_params),
	KUNIT_CASE(gdte_fields_cover_all),
	KUNIT_CASE(gdte_all_ones),
	KUNIT_CASE_PARAM(gdte_glx, number_gen_params),
	KUNIT_CASE_PARAM(gdte_levels, number_gen_params),
	KUNIT_CASE(gdte_gcr3),
	KUNIT_CASE(gdte_blocks),
	{}
};

static struct kunit_suite gdte_suite = {
	.name = "amd_iommu_gdte",
	.test_cases = gdte_cases,
};

kunit_test_suite(gdte_suite);
