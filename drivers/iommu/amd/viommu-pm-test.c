// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of suspend and resume: what is saved, what comes back when */
#include <linux/iommufd.h>

#include "viommu-fake-test.h"
#include "viommu_hooks.h"

#define CONTROL_BITS	(BIT_ULL(60) | BIT_ULL(53) | BIT_ULL(52))
#define FEATURE		BIT_ULL(55)
#define PTR_MASK	0x7fff0ULL

/* Numbers of the registers of a guest that are pointers into rings */
static const int pointers[] = { 0, 1, 2, 3, 6, 7, 10, 11, 14, 15 };

/* Registers of the host, and bits of them that make something run */
static const u64 running[8] = {
	[3] = 0x1111000, [4] = 0x2222308, [5] = 0x3333798, [6] = 0x44440ff98,
	[7] = 0x5555000,
};

static const u64 enables[8] = { [4] = 0x300, [5] = 0xf00, [6] = 0xff00 };

/* What there was at the writes of a restore */
struct pm_log {
	/* Commands that were executed before the first */
	unsigned int executed, waited;
	unsigned int writes;
	/* Not in this order: bases, pointers, enables, commands the last */
	unsigned int pointers_early, enabled_early, base_late, not_last;
	u64 control;
};

static struct pm_log *pm_log_init(struct kunit *test)
{
	struct pm_log *log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, log);
	fake_viommu_of(test)->private = log;
	return log;
}

/* With other bits around it, which are not to be restored */
static u64 pointer_of(int i)
{
	return ~0x7ffffULL | (i + 1) << 14 | (16 - i) << 4 | 0xf;
}

static void fill_pointers(struct fake_guest *fguest)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fguest->vf); i++)
		if (i != 4)
			fguest->vf[i] = pointer_of(i);
}

static struct fake_guest *running_guest(struct kunit *test,
					struct fake_viommu *fv)
{
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	int i;

	for (i = 3; i < 8; i++)
		amd_viommu_vfc_write(&fguest->guest, i * 8, running[i]);
	fill_pointers(fguest);
	fguest->count = 0;
	return fguest;
}

static void expect_stopped(struct kunit *test, const struct fake_guest *fguest)
{
	int i;

	for (i = 3; i < 8; i++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->vfc[i],
				    running[i] & ~enables[i], "register %d", i);
	KUNIT_EXPECT_EQ(test, fguest->vf[4] & 0x98, 0);
}

static void expect_running(struct kunit *test, const struct fake_guest *fguest)
{
	u64 misc = (u64)fguest->guest.trans_devid << 16;
	int i;

	KUNIT_EXPECT_EQ(test, fguest->vfc[2], misc);
	KUNIT_EXPECT_EQ(test, fguest->guest.shadow[2], misc);
	for (i = 3; i < 8; i++) {
		KUNIT_EXPECT_EQ_MSG(test, fguest->vfc[i], running[i],
				    "register %d", i);
		KUNIT_EXPECT_EQ_MSG(test, fguest->guest.shadow[i], running[i],
				    "shadow of register %d", i);
	}
	KUNIT_EXPECT_EQ(test, fguest->vf[4], 0x98);
}

/* The last entry, and the last command, while the rings stop */
static void move_on(struct kunit *test, struct fake_guest *fguest,
		    unsigned int reg, u64 val)
{
	if (reg == 0x20)
		fguest->vf[0] = 0x12340;
	if (reg == 0x28)
		fguest->vf[3] = 0x43210;
}

static void save(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	u64 shadow[8], want[16] = {};
	int i;

	fguest->on_write = move_on;
	fguest->lag = 3;
	memcpy(shadow, fguest->guest.shadow, sizeof(shadow));
	amd_viommu_save(&fguest->guest);
	expect_stopped(test, fguest);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
	KUNIT_EXPECT_MEMEQ(test, fguest->guest.shadow, shadow, sizeof(shadow));
	for (i = 0; i < ARRAY_SIZE(pointers); i++)
		want[pointers[i]] = pointer_of(pointers[i]) & PTR_MASK;
	want[0] = 0x12340;
	want[3] = 0x43210;
	for (i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->guest.saved[i], want[i],
				    "register %d", i);
}

static const u64 runs[] = { FAKE_CMD_RUNS, FAKE_EVT_RUNS, FAKE_PPR_RUNS };

static void save_hangs(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	u64 shadow[8];

	fguest->hangs = *(const u64 *)test->param_value;
	memcpy(shadow, fguest->guest.shadow, sizeof(shadow));
	amd_viommu_save(&fguest->guest);
	KUNIT_EXPECT_EQ(test, fguest->guest.running, 0x98);
	KUNIT_EXPECT_MEMEQ(test, fguest->guest.shadow, shadow, sizeof(shadow));
	KUNIT_EXPECT_EQ(test, fguest->guest.saved[15],
			pointer_of(15) & PTR_MASK);
}

static void runs_desc(const u64 *bit, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "status 0x%llx", *bit);
}

KUNIT_ARRAY_PARAM(runs, runs, runs_desc);

static void note_restore(struct kunit *test, struct fake_guest *fguest,
			 unsigned int reg, u64 val)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct pm_log *log = fv->private;
	unsigned int i, there = 0;
	bool enabled = val & enables[reg / 8];

	if (!log->writes++) {
		log->executed = fv->executed;
		log->waited = fv->fake->waited;
		log->control = fv->mmio[3];
	}
	for (i = 0; i < ARRAY_SIZE(pointers); i++)
		there += fguest->vf[pointers[i]] ==
			 fguest->guest.saved[pointers[i]];
	if (!enabled) {
		log->pointers_early += !!there;
		return;
	}
	log->enabled_early += there != ARRAY_SIZE(pointers);
	for (i = 3; i < 8; i++)
		log->base_late += (fguest->vfc[i] & ~enables[i]) !=
				  (running[i] & ~enables[i]);
	if (reg == 0x20)
		log->not_last += fguest->vfc[5] != running[5] ||
				 fguest->vfc[6] != running[6];
}

/* Hardware forgets all of it; a reset does so, too */
static void lose_power(struct fake_guest *fguest)
{
	memset(fguest->vf, 0, sizeof(fguest->vf));
	memset(fguest->vfc, 0, sizeof(fguest->vfc));
}

static void expect_restored(struct kunit *test, struct fake_guest *fguest)
{
	int i;

	expect_running(test, fguest);
	for (i = 0; i < ARRAY_SIZE(pointers); i++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->vf[pointers[i]],
				    pointer_of(pointers[i]) & PTR_MASK,
				    "register %d", pointers[i]);
	KUNIT_EXPECT_EQ(test, fguest->dom_map->writes, 0);
	KUNIT_EXPECT_EQ(test, fguest->dev_map->writes, 0);
}

static void restore(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	struct pm_log *log = pm_log_init(test);
	const struct iommu_cmd *cmd;
	unsigned int count;

	amd_viommu_save(&fguest->guest);
	lose_power(fguest);
	count = fv->fake->count;
	fguest->on_write = note_restore;
	amd_viommu_restore(&fguest->guest);
	expect_restored(test, fguest);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);

	/* All registers of this guest are reset before the first is written */
	KUNIT_ASSERT_EQ(test, fv->fake->count, count + 1);
	cmd = &fv->fake->cmds[count];
	KUNIT_EXPECT_EQ(test, cmd->data[0], 0x90000000 | fguest->guest.gid);
	KUNIT_EXPECT_EQ(test, cmd->data[1], 0xa0000000);
	KUNIT_EXPECT_EQ(test, log->executed, count + 1);
	KUNIT_EXPECT_EQ(test, log->waited, count + 1);

	KUNIT_EXPECT_GE(test, log->writes, 9);
	KUNIT_EXPECT_EQ(test, log->pointers_early, 0);
	KUNIT_EXPECT_EQ(test, log->enabled_early, 0);
	KUNIT_EXPECT_EQ(test, log->base_late, 0);
	KUNIT_EXPECT_EQ(test, log->not_last, 0);
}

/* Whatever was in the registers before */
static void restore_twice(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	int i;

	for (i = 0; i < 3; i++) {
		amd_viommu_save(&fguest->guest);
		expect_stopped(test, fguest);
		amd_viommu_restore(&fguest->guest);
		expect_restored(test, fguest);
	}
}

static void restore_not_answered(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);

	amd_viommu_save(&fguest->guest);
	fv->fake->wait_ret = -EIO;
	amd_viommu_restore(&fguest->guest);
	fv->fake->wait_ret = 0;
	KUNIT_EXPECT_TRUE(test, fguest->guest.stuck);
}

/* A guest whose rings are off, or that has none, gets none */
static void restore_idle(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	int i;

	amd_viommu_save(&fguest->guest);
	lose_power(fguest);
	amd_viommu_restore(&fguest->guest);
	KUNIT_EXPECT_EQ(test, fguest->vfc[2],
			(u64)fguest->guest.trans_devid << 16);
	for (i = 3; i < 8; i++)
		KUNIT_EXPECT_EQ(test, fguest->vfc[i], 0);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, fguest->vf[i], 0);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
}

static void note_disable(struct kunit *test, struct fake_guest *fguest,
			 unsigned int reg, u64 val)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct pm_log *log = fv->private;

	log->control = fv->mmio[3];
	log->writes++;
}

/* All guests, and just once */
static void disable_and_resume(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = running_guest(test, fv);
	struct fake_guest *two = running_guest(test, fv);
	struct pm_log *log = pm_log_init(test);
	struct amd_iommu *iommu = &fv->fake->iommu;

	iommu->features = FEATURE;
	fv->mmio[3] = U64_MAX;
	two->on_write = note_disable;
	amd_viommu_disable(iommu);
	expect_stopped(test, one);
	expect_stopped(test, two);
	KUNIT_EXPECT_TRUE(test, fv->hw.suspended);
	KUNIT_EXPECT_EQ(test, log->control, U64_MAX);
	KUNIT_EXPECT_EQ(test, fv->mmio[3], ~CONTROL_BITS);

	log->writes = 0;
	lose_power(one);
	lose_power(two);
	amd_viommu_disable(iommu);
	KUNIT_EXPECT_EQ(test, log->writes, 0);

	two->on_write = note_restore;
	fv->mmio[3] = 1;
	amd_viommu_resume(iommu);
	expect_restored(test, one);
	expect_restored(test, two);
	KUNIT_EXPECT_FALSE(test, fv->hw.suspended);
	KUNIT_EXPECT_EQ(test, log->control, CONTROL_BITS | 1);
	KUNIT_EXPECT_EQ(test, fv->mmio[3], CONTROL_BITS | 1);
}

static void disable_one_of_two(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *here = running_guest(test, fv);
	struct fake_guest *elsewhere;

	/* A reset that is for the first guest is not for this one */
	fake_guest_add(test, other);
	elsewhere = running_guest(test, other);
	fv->fake->iommu.features = FEATURE;
	other->fake->iommu.features = FEATURE;
	fv->mmio[3] = CONTROL_BITS | 1;
	other->mmio[3] = CONTROL_BITS | 1;
	amd_viommu_disable(&fv->fake->iommu);
	expect_stopped(test, here);
	KUNIT_EXPECT_EQ(test, fv->mmio[3], 1);
	amd_viommu_resume(&fv->fake->iommu);
	expect_restored(test, here);

	KUNIT_EXPECT_EQ(test, elsewhere->count, 0);
	expect_running(test, elsewhere);
	KUNIT_EXPECT_EQ(test, other->mmio[3], CONTROL_BITS | 1);
	KUNIT_EXPECT_FALSE(test, other->hw.suspended);
}

/* Bits of control, by whether they are there and anybody uses them */
struct disable_case {
	const char *name;
	u64 features, control, want;
};

static const struct disable_case disable_cases[] = {
	{ "on", FEATURE, U64_MAX, ~CONTROL_BITS },
	{ "TRPMODE alone", FEATURE, BIT_ULL(60) | 1, 1 },
	{ "vIOMMU alone", FEATURE, BIT_ULL(53) | 1, 1 },
	{ "vCmd alone", FEATURE, BIT_ULL(52) | 1, 1 },
	{ "off", FEATURE, ~CONTROL_BITS, ~CONTROL_BITS },
	{ "not there", ~FEATURE, U64_MAX, U64_MAX },
};

static void disable_unused(struct kunit *test)
{
	const struct disable_case *c = test->param_value;
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	struct amd_iommu *iommu = &fv->fake->iommu;

	iommu->viommu_hw = NULL;
	iommu->features = c->features;
	fv->mmio[3] = c->control;
	amd_viommu_disable(iommu);
	KUNIT_EXPECT_EQ(test, fv->mmio[3], c->want);
	amd_viommu_resume(iommu);
	KUNIT_EXPECT_EQ(test, fv->mmio[3], c->want);
	KUNIT_EXPECT_EQ(test, fguest->count, 0);
}

static void disable_desc(const struct disable_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(disable, disable_cases, disable_desc);

static struct kunit_case pm_cases[] = {
	KUNIT_CASE(save),
	KUNIT_CASE_PARAM(save_hangs, runs_gen_params),
	KUNIT_CASE(restore),
	KUNIT_CASE(restore_twice),
	KUNIT_CASE(restore_not_answered),
	KUNIT_CASE(restore_idle),
	KUNIT_CASE(disable_and_resume),
	KUNIT_CASE(disable_one_of_two),
	KUNIT_CASE_PARAM(disable_unused, disable_gen_params),
	{}
};

static struct kunit_suite pm_suite = {
	.name = "amd_iommu_viommu_pm",
	.test_cases = pm_cases,
};

kunit_test_suite(pm_suite);
