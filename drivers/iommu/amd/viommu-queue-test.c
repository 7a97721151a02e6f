// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of HW queues and of the commands about them: what gets into the
 * registers of a guest, and that nothing that goes off is still running
 */
#include <linux/iommufd.h>

#include "viommu-fake-test.h"

#define CAPS_ALL	0x1f
#define ALL_FEATURES	(BIT_ULL(1) | BIT_ULL(41) | BIT_ULL(44))
/* All of the control register, but for dual modes that are reserved */
#define ALL_ON		0x6814000f01cULL

/* What a ring is, where it is, and what goes off with it */
struct ring {
	const char *name;
	enum iommu_hw_queue_type type;
	u32 index;
	int ring, base_reg, base_shift, ctl_reg, len_shift;
	u64 enables, runs;
	u16 command;
};

static const struct ring rings[] = {
	{ "command", IOMMU_HW_QUEUE_TYPE_AMD_CMD, 0, AMD_VIOMMU_CMD, 4, 0, 4,
	  0, 0x100, FAKE_CMD_RUNS, 0x08 },
	{ "event", IOMMU_HW_QUEUE_TYPE_AMD_EVT, 0, AMD_VIOMMU_EVT, 5, 0, 5,
	  0, 0xd00, FAKE_EVT_RUNS, 0x10 },
	{ "event B", IOMMU_HW_QUEUE_TYPE_AMD_EVT, 1, AMD_VIOMMU_EVT_B, 3, 0, 5,
	  4, 0xc00, 0, 0xf8 },
	{ "PPR", IOMMU_HW_QUEUE_TYPE_AMD_PPR, 0, AMD_VIOMMU_PPR, 6, 4, 6,
	  0, 0x1900, FAKE_PPR_RUNS, 0x38 },
	{ "PPR B", IOMMU_HW_QUEUE_TYPE_AMD_PPR, 1, AMD_VIOMMU_PPR_B, 7, 0, 6,
	  4, 0x1800, 0, 0xf0 },
};

struct guest {
	struct fake_viommu *fv;
	struct fake_guest *fguest;
	struct iommufd_viommu *viommu;
	struct amd_viommu_queue queues[ARRAY_SIZE(rings)];
	/* Of the ring that is destroyed, when it lost its base */
	const struct ring *ring;
	unsigned int losses;
	u64 status, ctl;
};

static struct guest *guest_init(struct kunit *test)
{
	struct guest *guest = kunit_kzalloc(test, sizeof(*guest), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, guest);
	guest->fv = fake_viommu_init(test);
	guest->fguest = fake_guest_ready(test, guest->fv);
	guest->fguest->guest.caps = CAPS_ALL;
	/* Filling the map is another test's */
	guest->fguest->guest.maps_filled = true;
	guest->viommu = &guest->fguest->aviommu.core;
	guest->fv->fake->iommu.features = ALL_FEATURES;
	guest->fv->private = guest;
	return guest;
}

static int add_queue(struct guest *guest, const struct ring *r)
{
	int i = r - rings;
	struct amd_viommu_queue *queue = &guest->queues[i];

	queue->core.viommu = guest->viommu;
	queue->core.type = r->type;
	queue->core.base_addr = 0x1000ULL << (i + 20);
	queue->core.length = 0x1000 << i;
	return amd_viommu_queue_init(&queue->core, r->index);
}

static u64 base_of(const struct ring *r)
{
	int i = r - rings;

	return 0x1000ULL << (i + 20) | (8ULL + i) << 56;
}

static void add_all(struct kunit *test, struct guest *guest)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rings); i++)
		KUNIT_ASSERT_EQ(test, 0, add_queue(guest, &rings[i]));
}

static int set_control(struct guest *guest, u64 control)
{
	return amd_viommu_set_command(guest->viommu, 0x18, control);
}

static u64 get_command(struct kunit *test, struct guest *guest, u16 index)
{
	u64 val = 0xbad;

	KUNIT_EXPECT_EQ(test, 0, amd_viommu_get_command(guest->viommu, index,
							&val));
	return val;
}

static u64 enables_of(int reg)
{
	return reg == 4 ? 0x300 : reg == 5 ? 0xf00 : reg == 6 ? 0xff00 : 0;
}

static void queue_init(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	u64 old[8], want[8];
	int i = r - rings, reg;

	for (reg = 3; reg < 8; reg++)
		amd_viommu_vfc_write(&fguest->guest, reg * 8, enables_of(reg));
	memcpy(want, fguest->vfc, sizeof(want));
	want[r->base_reg] |= 0x1000ULL << (i + 20 + r->base_shift);
	want[r->ctl_reg] |= (8ULL + i) << r->len_shift;

	KUNIT_ASSERT_EQ(test, 0, add_queue(guest, r));
	KUNIT_EXPECT_PTR_EQ(test, fguest->guest.queues[r->ring],
			    &guest->queues[i]);
	KUNIT_EXPECT_NOT_NULL(test, guest->queues[i].core.destroy);
	for (reg = 2; reg < 8; reg++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->vfc[reg], want[reg],
				    "register %d", reg);

	memcpy(old, fguest->vfc, sizeof(old));
	guest->queues[i].core.destroy = NULL;
	KUNIT_EXPECT_EQ(test, -EEXIST, add_queue(guest, r));
	KUNIT_EXPECT_MEMEQ(test, fguest->vfc, old, sizeof(old));
	KUNIT_EXPECT_NULL(test, guest->queues[i].core.destroy);
}

static void queue_refused(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	unsigned int count = fguest->count;
	u64 misc = fguest->vfc[2];

	fguest->guest.stuck = true;
	KUNIT_EXPECT_EQ(test, -EIO, add_queue(guest, r));
	fguest->guest.stuck = false;
	fguest->guest.running = FAKE_EVT_RUNS;
	fguest->vf[4] = FAKE_EVT_RUNS;
	KUNIT_EXPECT_EQ(test, -EIO, add_queue(guest, r));
	fguest->guest.running = 0;
	fguest->vf[4] = 0;
	fguest->absent = true;
	KUNIT_EXPECT_EQ(test, -EIO, add_queue(guest, r));
	fguest->absent = false;
	fguest->vfc[2] = 0;
	KUNIT_EXPECT_EQ(test, -EIO, add_queue(guest, r));
	fguest->vfc[2] = misc;
	KUNIT_EXPECT_EQ(test, count, fguest->count);
	KUNIT_EXPECT_NULL(test, fguest->guest.queues[r->ring]);
	KUNIT_EXPECT_EQ(test, 0, add_queue(guest, r));
}

static void note_loss(struct kunit *test, struct fake_guest *fguest,
		      unsigned int reg, u64 val)
{
	struct guest *guest = fake_viommu_of(test)->private;
	const struct ring *r = guest->ring;

	if (reg != r->base_reg * 8 ||
	    (val & GENMASK_ULL(51, 12) << r->base_shift) || guest->losses++)
		return;
	guest->status = fguest->vf[4];
	guest->ctl = fguest->vfc[r->ctl_reg];
}

/* It stops, with all that depends on it, before its memory is the guest's */
static void queue_destroy(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	struct amd_viommu_queue *queue = &guest->queues[r - rings];
	u64 want[8];
	int reg;

	add_all(test, guest);
	KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
	KUNIT_EXPECT_EQ(test, fguest->vf[4], 0x98);
	memcpy(want, fguest->vfc, sizeof(want));
	want[r->ctl_reg] &= ~r->enables & ~(0xfULL << r->len_shift);
	want[r->base_reg] &= ~(GENMASK_ULL(51, 12) << r->base_shift);

	guest->ring = r;
	fguest->lag = 7;
	fguest->on_write = note_loss;
	queue->core.destroy(&queue->core);
	KUNIT_EXPECT_EQ(test, guest->losses, 1);
	KUNIT_EXPECT_EQ(test, guest->status, 0x98 & ~r->runs);
	KUNIT_EXPECT_EQ(test, guest->ctl & r->enables, 0);
	for (reg = 2; reg < 8; reg++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->vfc[reg], want[reg],
				    "register %d", reg);
	KUNIT_EXPECT_EQ(test, fguest->posted, 0);
	KUNIT_EXPECT_NULL(test, fguest->guest.queues[r->ring]);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);

	/* Once more, it is where it was, and not enabled */
	want[r->ctl_reg] |= (8ULL + (r - rings)) << r->len_shift;
	want[r->base_reg] |= 0x1000ULL << (r - rings + 20 + r->base_shift);
	KUNIT_EXPECT_EQ(test, 0, add_queue(guest, r));
	for (reg = 2; reg < 8; reg++)
		KUNIT_EXPECT_EQ_MSG(test, fguest->vfc[reg], want[reg],
				    "register %d", reg);
}

static void queue_destroy_hangs(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	struct amd_viommu_queue *queue = &guest->queues[r - rings];
	u64 base;

	KUNIT_ASSERT_EQ(test, 0, add_queue(guest, r));
	fguest->vf[4] = r->runs;
	fguest->hangs = r->runs;
	queue->core.destroy(&queue->core);
	/* Log B has no bit of its own: it stops with log A */
	KUNIT_EXPECT_EQ(test, fguest->guest.running, r->runs);
	KUNIT_EXPECT_NULL(test, fguest->guest.queues[r->ring]);
	/* It does not go on elsewhere */
	base = GENMASK_ULL(51, 12) << r->base_shift;
	KUNIT_EXPECT_EQ(test, !!r->runs, !!(fguest->vfc[r->base_reg] & base));
	KUNIT_EXPECT_EQ(test, r->runs ? -EIO : 0, add_queue(guest, r));
	if (!r->runs)
		return;
	/* Late, but it has stopped */
	fguest->vf[4] = 0;
	KUNIT_EXPECT_EQ(test, 0, add_queue(guest, r));
	KUNIT_EXPECT_EQ(test, fguest->guest.running, 0);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
}

/* What is not there does not run, and need not be waited for */
static void queue_destroy_absent(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	struct amd_viommu_queue *queue = &guest->queues[r - rings];

	KUNIT_ASSERT_EQ(test, 0, add_queue(guest, r));
	fguest->absent = true;
	queue->core.destroy(&queue->core);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
	KUNIT_EXPECT_NULL(test, fguest->guest.queues[r->ring]);
}

/* Other bits of the register mean nothing; the ID, or no answer, does */
static void gone(struct kunit *test)
{
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	int bit;

	KUNIT_EXPECT_FALSE(test, amd_viommu_is_gone(&fguest->guest));
	for (bit = 0; bit < 64; bit++) {
		bool is_id = bit >= 16 && bit < 32;

		fguest->misc_extra = is_id ? 0 : BIT_ULL(bit);
		KUNIT_EXPECT_FALSE(test, amd_viommu_is_gone(&fguest->guest));
		if (!is_id)
			continue;
		fguest->vfc[2] ^= BIT_ULL(bit);
		KUNIT_EXPECT_TRUE(test, amd_viommu_is_gone(&fguest->guest));
		fguest->vfc[2] ^= BIT_ULL(bit);
	}
	fguest->misc_extra = ~0xffff0000ULL;
	KUNIT_EXPECT_EQ(test, 0, add_queue(guest, &rings[0]));
	KUNIT_EXPECT_EQ(test, 0, set_control(guest, BIT(12)));
	fguest->misc_extra = U64_MAX;
	KUNIT_EXPECT_TRUE(test, amd_viommu_is_gone(&fguest->guest));
}

/* Whether or not hardware resets them, the pointers stay the guest's */
static void queue_keeps_pointers(struct kunit *test)
{
	const struct ring *r = test->param_value;
	static const u8 heads[] = { 0, 2, 14, 6, 10 };
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	u64 *head = &fguest->vf[heads[r - rings]];
	struct amd_viommu_queue *queue = &guest->queues[r - rings];
	int i;

	for (i = 0; i < 4; i++) {
		fguest->base_resets = i & 1;
		head[0] = i & 2 ? 0x120 : 0;
		head[1] = 0x340;
		KUNIT_ASSERT_EQ(test, 0, add_queue(guest, r));
		KUNIT_EXPECT_EQ(test, head[0], i & 2 ? 0x120 : 0);
		KUNIT_EXPECT_EQ(test, head[1], 0x340);
		queue->core.destroy(&queue->core);
		KUNIT_EXPECT_EQ(test, head[0], i & 2 ? 0x120 : 0);
		KUNIT_EXPECT_EQ(test, head[1], 0x340);
	}
}

static void queue_validate(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	u32 caps, *guest_caps = &guest->fguest->guest.caps;

	for (caps = 0; caps < 32; caps++) {
		int want = amd_viommu_ring_of(caps, r->type, r->index);
		bool has_type = amd_viommu_ring_of(caps, r->type, 0) >= 0;

		*guest_caps = caps;
		KUNIT_EXPECT_EQ(test, has_type ? sizeof(struct amd_viommu_queue)
					       : 0,
				amd_viommu_queue_size(guest->viommu, r->type));
		KUNIT_EXPECT_EQ(test, want < 0 ? want : 0,
				amd_viommu_queue_validate(guest->viommu,
							  r->type, r->index,
							  0x1000, 0x1000));
		KUNIT_EXPECT_EQ(test, want < 0 ? want : -EINVAL,
				amd_viommu_queue_validate(guest->viommu,
							  r->type, r->index,
							  0x1000, 0x800));
		KUNIT_EXPECT_EQ(test, want < 0 ? want : -EINVAL,
				amd_viommu_queue_validate(guest->viommu,
							  r->type, r->index,
							  0x800, 0x1000));
	}
}

/* What hardware has, not what it was told */
static void get_base(struct kunit *test)
{
	const struct ring *r = test->param_value;
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	u64 val = 0xbad;

	KUNIT_EXPECT_EQ(test, -ENOENT,
			amd_viommu_get_command(guest->viommu, r->command,
					       &val));
	add_all(test, guest);
	KUNIT_EXPECT_EQ(test, get_command(test, guest, r->command), base_of(r));
	KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
	KUNIT_EXPECT_EQ(test, get_command(test, guest, r->command), base_of(r));
	fguest->vfc[r->base_reg] |= 0x7ULL << (12 + r->base_shift);
	KUNIT_EXPECT_EQ(test, get_command(test, guest, r->command),
			base_of(r) | 0x7000);
	fguest->absent = true;
	KUNIT_EXPECT_EQ(test, -EIO,
			amd_viommu_get_command(guest->viommu, r->command,
					       &val));
}

static void ring_desc(const struct ring *r, char *desc)
{
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ring, rings, ring_desc);

static void get_others(struct kunit *test)
{
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	u64 val = 0xbad;

	add_all(test, guest);
	KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18), 0);
	KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
	KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18), ALL_ON);
	fguest->vfc[4] &= ~0x100ULL;
	KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18),
			ALL_ON & ~BIT_ULL(12));
	fguest->vf[4] = 0x123456789abcdef0ULL;
	KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x2020),
			0x123456789abcdef0ULL);
	/* The page of the guest can go while that of the host is there */
	fguest->vf[4] = U64_MAX;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_get_command(guest->viommu,
							   0x2020, &val));
	fguest->vfc[2] = 0;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_get_command(guest->viommu, 0x18,
							   &val));
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_get_command(guest->viommu,
							   0x2020, &val));
}

static void control_refused(struct kunit *test)
{
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	u64 misc = fguest->vfc[2];
	u16 devid = fguest->guest.trans_devid;
	unsigned int count;

	count = fguest->count;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_control(guest, BIT_ULL(12)));
	add_all(test, guest);
	guest->fv->fake->iommu.features = 0;
	count = fguest->count;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_control(guest, BIT_ULL(13)));
	KUNIT_EXPECT_EQ(test, -EINVAL, set_control(guest, BIT_ULL(39)));
	KUNIT_EXPECT_EQ(test, -EINVAL, set_control(guest, BIT_ULL(33)));
	fguest->guest.stuck = true;
	KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, BIT_ULL(12)));
	fguest->guest.stuck = false;
	fguest->guest.trans_devid = 0;
	KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, BIT_ULL(12)));
	fguest->guest.trans_devid = devid;
	fguest->vfc[2] = 0;
	KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, BIT_ULL(12)));
	fguest->vfc[2] = misc;
	KUNIT_EXPECT_EQ(test, count, fguest->count);
	KUNIT_EXPECT_EQ(test, 0, set_control(guest, BIT_ULL(12)));
}

/* Off means stopped, but what stays on is not waited for */
static void control_stops(struct kunit *test)
{
	static const struct {
		u64 off, runs;
	} parts[] = {
		{ BIT_ULL(12), FAKE_CMD_RUNS },
		{ BIT_ULL(2) | BIT_ULL(32), FAKE_EVT_RUNS },
		{ BIT_ULL(13) | BIT_ULL(30), FAKE_PPR_RUNS },
	};
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	int i;

	add_all(test, guest);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
		KUNIT_EXPECT_EQ(test, fguest->vf[4], 0x98);
		fguest->lag = 11;
		KUNIT_EXPECT_EQ(test, 0,
				set_control(guest, ALL_ON & ~parts[i].off));
		KUNIT_EXPECT_EQ(test, fguest->vf[4], 0x98 & ~parts[i].runs);
		KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18),
				ALL_ON & ~parts[i].off);
	}
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
	KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		fguest->hangs = parts[i].runs;
		KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, 0));
		KUNIT_EXPECT_EQ(test, fguest->guest.running, parts[i].runs);
		KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18), 0);
		/* As long as it goes on, nothing is enabled */
		KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, ALL_ON));
		KUNIT_EXPECT_EQ(test, -EIO, set_control(guest, 0));
		KUNIT_EXPECT_EQ(test, get_command(test, guest, 0x18), 0);
		fguest->vf[4] = 0;
		KUNIT_EXPECT_EQ(test, 0, set_control(guest, 0));
		KUNIT_EXPECT_EQ(test, fguest->guest.running, 0);
		KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);
		KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
	}
}

static void reset(struct kunit *test)
{
	struct guest *guest = guest_init(test);
	struct fake_guest *fguest = guest->fguest;
	struct fake_iommu *fake = guest->fv->fake;
	unsigned int count = fake->count;

	add_all(test, guest);
	KUNIT_ASSERT_EQ(test, 0, set_control(guest, ALL_ON));
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_reset(&fguest->guest));
	KUNIT_ASSERT_EQ(test, fake->count, count + 1);
	KUNIT_EXPECT_EQ(test, fake->waited, fake->count);
	KUNIT_EXPECT_EQ(test, fake->cmds[count].data[0],
			0x90000000 | fguest->guest.gid);
	KUNIT_EXPECT_NULL(test, memchr_inv(fguest->guest.shadow, 0,
					   sizeof(fguest->guest.shadow)));
	KUNIT_EXPECT_FALSE(test, amd_viommu_is_gone(&fguest->guest));

	fake->wait_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_reset(&fguest->guest));
	fake->wait_ret = 0;
	fake->queue_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_reset(&fguest->guest));
	fake->queue_ret = 0;
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE_PARAM(queue_init, ring_gen_params),
	KUNIT_CASE_PARAM(queue_refused, ring_gen_params),
	KUNIT_CASE_PARAM(queue_destroy, ring_gen_params),
	KUNIT_CASE_PARAM(queue_destroy_hangs, ring_gen_params),
	KUNIT_CASE_PARAM(queue_destroy_absent, ring_gen_params),
	KUNIT_CASE(gone),
	KUNIT_CASE_PARAM(queue_keeps_pointers, ring_gen_params),
	KUNIT_CASE_PARAM(queue_validate, ring_gen_params),
	KUNIT_CASE_PARAM(get_base, ring_gen_params),
	KUNIT_CASE(get_others),
	KUNIT_CASE(control_refused),
	KUNIT_CASE(control_stops),
	KUNIT_CASE(reset),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "amd_iommu_viommu_queue",
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
