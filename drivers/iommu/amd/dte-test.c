// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of device table entries: what the driver writes, in which order,
 * and what of a guest's entry gets into the host's
 */
#include <linux/bitfield.h>

#include "fake-test.h"
#include "nested.h"

#define PREP(mask, x)	FIELD_PREP_CONST(mask, x)
#define GCR3(x)		PREP(DTE_GCR3_30_15, x)
#define LEVEL5		PREP(DTE_GPT_LEVEL_MASK, GUEST_PGTABLE_5_LEVEL)
#define XLATE		(DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW)
#define V1(mode, root)	(XLATE | PREP(DTE_MODE_MASK, mode) |		\
			 PREP(DTE_HOST_TRP, root))
#define STAGE1		(DTE_FLAG_GV | PREP(DTE_GLX, 1) |		\
			 PREP(DTE_GCR3_14_12, 5))
/* Bit 15 turns the vIOMMU of the hardware on, the rest is whose it is */
#define VIOMMU_A	(BIT_ULL(15) | 0x0001000a0000ULL)
#define VIOMMU_B	(BIT_ULL(15) | 0x0002000b0000ULL)
/* Table, length, control and the four pins */
#define INTERRUPTS	(0xa50123456789ab93ULL & DTE_DATA2_INTR_MASK)

struct dte_sample {
	const char *name;
	struct dev_table_entry dte;
};

#define SAMPLE(_name, ...) { _name, { .data = { __VA_ARGS__ } } }

/* Entries of all kinds that the driver writes, or finds in a kdump kernel */
static const struct dte_sample samples[] = {
	SAMPLE("not valid", 0),
	SAMPLE("blocked", DTE_FLAG_V),
	SAMPLE("blocked with GV", DTE_FLAG_V | STAGE1, GCR3(1), LEVEL5,
	       VIOMMU_A),
	SAMPLE("pass-through", XLATE, 1),
	SAMPLE("pass-through with PASIDs", XLATE | STAGE1, 1 | GCR3(2)),
	SAMPLE("v1", V1(3, 0x1111), 2),
	SAMPLE("v1 with dirty tracking", V1(4, 0x2222) | DTE_FLAG_HAD, 3),
	SAMPLE("v1 below a vIOMMU", V1(4, 0x2222), 4, 0, VIOMMU_A),
	SAMPLE("v2 4 levels", XLATE | STAGE1 | DTE_FLAG_GIOV, 5 | GCR3(3)),
	SAMPLE("v2 5 levels", XLATE | STAGE1 | DTE_FLAG_GIOV, 6 | GCR3(4),
	       LEVEL5),
	SAMPLE("nested 4 levels", V1(4, 0x2222) | STAGE1, 7 | GCR3(5)),
	SAMPLE("nested 4 levels, another", V1(4, 0x2222) | STAGE1,
	       8 | GCR3(6)),
	SAMPLE("nested 5 levels", V1(4, 0x2222) | STAGE1, 9 | GCR3(7), LEVEL5),
	SAMPLE("nested in vIOMMU A", V1(4, 0x2222) | STAGE1, 7 | GCR3(5), 0,
	       VIOMMU_A),
	SAMPLE("nested in vIOMMU B", V1(4, 0x3333) | STAGE1, 10 | GCR3(5), 0,
	       VIOMMU_B),
	SAMPLE("nested 5 levels in vIOMMU A", V1(4, 0x2222) | STAGE1,
	       9 | GCR3(7), LEVEL5, VIOMMU_A),
};

/* What hardware, which reads all 256 bits at once, has seen or could have */
struct dte_log {
	const struct dev_table_entry *watched;
	struct dev_table_entry seen[8];
	unsigned int count;
	/* So many writes were behind the last command that was waited for */
	unsigned int flushed;
	/* ... and at that write */
	unsigned int flushed_at[8];
};

static void log_write(struct kunit *test, u128 *ptr)
{
	struct fake_iommu *fake = test->priv;
	struct dte_log *log = fake->private;

	if (log->count >= ARRAY_SIZE(log->seen))
		return;
	log->flushed_at[log->count] = log->flushed;
	log->seen[log->count++] = *log->watched;
}

static void log_wait(struct kunit *test)
{
	struct fake_iommu *fake = test->priv;
	struct dte_log *log = fake->private;
	const struct iommu_cmd *cmd;

	if (!fake->count)
		return;
	cmd = &fake->cmds[fake->count - 1];
	if (fake_opcode(cmd) == CMD_INV_DEV_ENTRY && cmd->data[0] == FAKE_DEVID)
		log->flushed = log->count;
}

/* The bits that an IOMMU would look at for a DMA request, others zero */
static struct dev_table_entry hw_view(const struct dev_table_entry *dte)
{
	struct dev_table_entry view = {};

	view.data[0] = dte->data[0] & DTE_FLAG_V;
	if (!(dte->data[0] & DTE_FLAG_V) || !(dte->data[0] & DTE_FLAG_TV))
		return view;

	view = *dte;
	view.data[2] &= DTE_GPT_LEVEL_MASK;
	if (dte->data[0] & DTE_FLAG_GV)
		return view;
	view.data[0] &= ~(DTE_FLAG_PPR | DTE_FLAG_GIOV | DTE_GLX |
			  DTE_GCR3_14_12);
	view.data[1] &= ~(DTE_GCR3_30_15 | DTE_GCR3_51_31);
	view.data[2] = 0;
	return view;
}

static bool hw_same(const struct dev_table_entry *a,
		    const struct dev_table_entry *b)
{
	struct dev_table_entry view_a = hw_view(a), view_b = hw_view(b);

	return !memcmp(&view_a, &view_b, sizeof(view_a));
}

static bool hw_blocks(const struct dev_table_entry *dte)
{
	return (dte->data[0] & DTE_FLAG_V) && !(dte->data[0] & DTE_FLAG_TV);
}

/* Can the device access memory of the host by its address? */
static bool hw_passes(const struct dev_table_entry *dte)
{
	const u64 v2 = DTE_FLAG_GV | DTE_FLAG_GIOV;

	if (!(dte->data[0] & DTE_FLAG_V))
		return true;
	if (!(dte->data[0] & DTE_FLAG_TV))
		return false;
	return !(dte->data[0] & DTE_MODE_MASK) && (dte->data[0] & v2) != v2;
}

static void check_log(struct kunit *test, const struct dte_log *log,
		      const struct dte_sample *old,
		      const struct dte_sample *new)
{
	const struct dev_table_entry *dte;
	unsigned int i;

	KUNIT_ASSERT_LT(test, log->count, ARRAY_SIZE(log->seen));
	for (i = 0; i < log->count; i++) {
		dte = &log->seen[i];
		KUNIT_EXPECT_TRUE_MSG(test, hw_same(dte, &old->dte) ||
				      hw_same(dte, &new->dte) || hw_blocks(dte),
				      "%s -> %s: mixed after write %u: %*ph",
				      old->name, new->name, i, 32, dte);
		KUNIT_EXPECT_TRUE_MSG(test, !hw_passes(dte) ||
				      hw_passes(&old->dte) ||
				      hw_passes(&new->dte),
				      "%s -> %s: passes after write %u",
				      old->name, new->name, i);
		KUNIT_EXPECT_EQ_MSG(test, dte->data[2] & DTE_DATA2_INTR_MASK,
				    INTERRUPTS, "%s -> %s: interrupts, write %u",
				    old->name, new->name, i);
		/* Nobody must have the old entry when the new one is written */
		if (i + 1 < log->count && hw_blocks(dte) &&
		    !hw_blocks(&old->dte) && !hw_blocks(&new->dte) &&
		    !hw_blocks(&log->seen[i ? i - 1 : 0]))
			KUNIT_EXPECT_EQ_MSG(test, log->flushed_at[i + 1], i + 1,
					    "%s -> %s: no flush of the block",
					    old->name, new->name);
	}
	KUNIT_EXPECT_EQ_MSG(test, log->flushed, log->count,
			    "%s -> %s: no flush after the last write",
			    old->name, new->name);
}

static void update_from_to(struct kunit *test, const struct dte_sample *old,
			   const struct dte_sample *new)
{
	struct fake_iommu *fake = test->priv;
	struct fake_dev *fdev = fake_dev_init(test, fake, FAKE_DEVID, false);
	struct dev_table_entry *dte = &fake->dev_table[FAKE_DEVID];
	struct dte_log log = { .watched = dte };
	struct dev_table_entry want = new->dte, write = new->dte;

	fake->private = &log;
	fake->count = 0;
	*dte = old->dte;
	dte->data[2] |= INTERRUPTS;
	want.data[2] |= INTERRUPTS;

	amd_iommu_update_dte(&fake->iommu, &fdev->data, &write);

	check_log(test, &log, old, new);
	KUNIT_EXPECT_TRUE_MSG(test, hw_same(dte, &want), "%s -> %s: is %*ph",
			      old->name, new->name, 32, dte);
	/* It is copied to aliases, and what follows may be another field */
	KUNIT_EXPECT_MEMEQ_MSG(test, dte, &want, sizeof(want),
			       "%s -> %s: not all is written", old->name,
			       new->name);
}

static void dte_update(struct kunit *test)
{
	const struct dte_sample *old = test->param_value;
	struct fake_iommu *fake = fake_iommu_init(test);
	int i;

	fake->on_write = log_write;
	fake->on_wait = log_wait;
	for (i = 0; i < ARRAY_SIZE(samples); i++)
		update_from_to(test, old, &samples[i]);
}

static void sample_desc(const struct dte_sample *sample, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "from %s", sample->name);
}

KUNIT_ARRAY_PARAM(dte_update, samples, sample_desc);

/* The table has an entry for each device; only one must change */
static void dte_update_other_devices(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct fake_dev *fdev = fake_dev_init(test, fake, FAKE_DEVID, false);
	struct dev_table_entry new = samples[5].dte;
	int i;

	memset(fake->dev_table, 0x5a, sizeof(fake->dev_table));
	amd_iommu_update_dte(&fake->iommu, &fdev->data, &new);
	for (i = 0; i < FAKE_DEVICES; i++) {
		if (i == FAKE_DEVID)
			continue;
		KUNIT_EXPECT_FALSE(test, memchr_inv(&fake->dev_table[i], 0x5a,
						    sizeof(new)));
	}
}

/* Stage 2 as the driver builds it for the nesting parent */
#define S2_0		(V1(4, 0x12345) | DTE_FLAG_HAD)
#define S2_1		(0x77 | DTE_FLAG_IOTLB)
/* What a guest writes that wants DMA and ATS; its domain ID is another */
#define G_0		XLATE
#define G_1		(0xabcd | DTE_FLAG_IOTLB)
#define GCR3_LOW	PREP(DTE_GCR3_14_12, 5)
#define GCR3_MID	PREP(DTE_GCR3_30_15, 0x8001)
#define GCR3_HIGH	PREP(DTE_GCR3_51_31, 0x100001)
/* SE, SA, IOCtl, Cache, SD, EX, SysMgt and SATS; the first three words' rest */
#define HOSTS_1		GENMASK_ULL(42, 33)

struct apply_case {
	const char *name;
	struct iommu_hwpt_amd_guest guest;
	struct dev_table_entry want;
};

#define GUEST(...)	{ .dte = { __VA_ARGS__ } }
#define HOST(...)	{ .data = { __VA_ARGS__ } }

static const struct apply_case apply_cases[] = {
	{ "stage 2 alone", GUEST(G_0, G_1), HOST(S2_0, S2_1) },
	{ "no reads", GUEST(G_0 & ~DTE_FLAG_IR, G_1),
	  HOST(S2_0 & ~DTE_FLAG_IR, S2_1) },
	{ "no writes", GUEST(G_0 & ~DTE_FLAG_IW, G_1),
	  HOST(S2_0 & ~DTE_FLAG_IW, S2_1) },
	{ "neither", GUEST(DTE_FLAG_V | DTE_FLAG_TV, G_1),
	  HOST(S2_0 & ~(DTE_FLAG_IR | DTE_FLAG_IW), S2_1) },
	{ "no ATS", GUEST(G_0, 0xabcd), HOST(S2_0, 0x77) },
	{ "guest tables without GV",
	  GUEST(G_0 | (STAGE1 & ~DTE_FLAG_GV) | DTE_FLAG_GIOV,
		G_1 | GCR3_MID | GCR3_HIGH, LEVEL5), HOST(S2_0, S2_1) },
	{ "GCR3 14:12", GUEST(G_0 | DTE_FLAG_GV | GCR3_LOW, G_1),
	  HOST(S2_0 | DTE_FLAG_GV | GCR3_LOW, S2_1) },
	{ "GCR3 30:15", GUEST(G_0 | DTE_FLAG_GV, G_1 | GCR3_MID),
	  HOST(S2_0 | DTE_FLAG_GV, S2_1 | GCR3_MID) },
	{ "GCR3 51:31", GUEST(G_0 | DTE_FLAG_GV, G_1 | GCR3_HIGH),
	  HOST(S2_0 | DTE_FLAG_GV, S2_1 | GCR3_HIGH) },
	{ "GIOV", GUEST(G_0 | STAGE1 | DTE_FLAG_GIOV, G_1),
	  HOST(S2_0 | STAGE1 | DTE_FLAG_GIOV, S2_1) },
	{ "GLX 1", GUEST(G_0 | STAGE1, G_1), HOST(S2_0 | STAGE1, S2_1) },
	{ "GLX 2", GUEST(G_0 | DTE_FLAG_GV | PREP(DTE_GLX, 2), G_1),
	  HOST(S2_0 | DTE_FLAG_GV | PREP(DTE_GLX, 2), S2_1) },
	{ "5 levels", GUEST(G_0 | STAGE1, G_1, LEVEL5),
	  HOST(S2_0 | STAGE1, S2_1, LEVEL5) },
	{ "fields of the host", GUEST(G_0 | STAGE1, G_1 | HOSTS_1),
	  HOST(S2_0 | STAGE1, S2_1) },
	{ "interrupts", GUEST(G_0 | STAGE1, G_1, INTERRUPTS),
	  HOST(S2_0 | STAGE1, S2_1) },
	{ "no reads with tables", GUEST((G_0 | STAGE1) & ~DTE_FLAG_IR, G_1),
	  HOST((S2_0 | STAGE1) & ~DTE_FLAG_IR, S2_1) },
};

static void gdte_apply(struct kunit *test)
{
	const struct apply_case *c = test->param_value;
	struct dev_table_entry dte = HOST(S2_0, S2_1);
	int i;

	amd_iommu_gdte_apply(&c->guest, &dte);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ_MSG(test, dte.data[i], c->want.data[i],
				    "word %d", i);
}

static void apply_desc(const struct apply_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(gdte_apply, apply_cases, apply_desc);

/* The guest cannot give itself what its host does not have or allow */
static void gdte_apply_adds_nothing(struct kunit *test)
{
	struct iommu_hwpt_amd_guest guest = GUEST(G_0, G_1);
	struct dev_table_entry dte = HOST(S2_0 & ~(DTE_FLAG_IR | DTE_FLAG_IW),
					  0x77);

	amd_iommu_gdte_apply(&guest, &dte);
	KUNIT_EXPECT_EQ(test, dte.data[0],
			S2_0 & ~(DTE_FLAG_IR | DTE_FLAG_IW));
	KUNIT_EXPECT_EQ(test, dte.data[1], 0x77);
}

/* Of each word of the guest, the bits that reach the host's entry */
static const u64 gets_through[] = {
	DTE_FLAG_GIOV | DTE_FLAG_GV | DTE_GLX | DTE_GCR3_14_12 | DTE_FLAG_IR |
	DTE_FLAG_IW,
	DTE_FLAG_IOTLB | DTE_GCR3_30_15 | DTE_GCR3_51_31,
	DTE_GPT_LEVEL_MASK,
	0,
};

static void gdte_apply_leaks_nothing(struct kunit *test)
{
	const u64 *mask = test->param_value;
	struct iommu_hwpt_amd_guest guest;
	struct dev_table_entry with, without;
	int word = mask - gets_through, bit, i;
	u64 want;

	for (bit = 0; bit < 64; bit++) {
		guest = (struct iommu_hwpt_amd_guest)GUEST(DTE_FLAG_GV);
		guest.dte[word] &= ~BIT_ULL(bit);
		without = (struct dev_table_entry)HOST(S2_0, S2_1);
		amd_iommu_gdte_apply(&guest, &without);
		guest.dte[word] |= BIT_ULL(bit);
		with = (struct dev_table_entry)HOST(S2_0, S2_1);
		amd_iommu_gdte_apply(&guest, &with);
		for (i = 0; i < 4; i++) {
			want = i == word ? *mask & BIT_ULL(bit) : 0;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    with.data[i] ^ without.data[i],
					    "bit %d in word %d", bit, i);
		}
	}
}

static void word_desc(const u64 *mask, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "word %td", mask - gets_through);
}

KUNIT_ARRAY_PARAM(word, gets_through, word_desc);

static struct kunit_case dte_cases[] = {
	KUNIT_CASE_PARAM(dte_update, dte_update_gen_params),
	KUNIT_CASE(dte_update_other_devices),
	KUNIT_CASE_PARAM(gdte_apply, gdte_apply_gen_params),
	KUNIT_CASE(gdte_apply_adds_nothing),
	KUNIT_CASE_PARAM(gdte_apply_leaks_nothing, word_gen_params),
	{}
};

static struct kunit_suite dte_suite = {
	.name = "amd_iommu_dte",
	.test_cases = dte_cases,
};

kunit_test_suite(dte_suite);
