// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of what the IOMMU reports about guests, and of who is told */
#include <linux/iommufd.h>

#include "../iommufd/iommufd_private.h"
#include "viommu-fake-test.h"
#include "viommu_hooks.h"

#define ILL_CMD		5
#define GUEST_FAULT	0xb
#define VIOMMU_ERR	0xc

/* Where an event has the ID of a guest: word, and the bit that says so */
struct event {
	const char *name;
	int word;
	u32 flag;
};

static const struct event events[16] = {
	[0x0] = { "0", -1 },
	[0x1] = { "ILLEGAL_DEV_TABLE_ENTRY", -1 },
	[0x2] = { "IO_PAGE_FAULT", -1 },
	[0x3] = { "DEV_TAB_HARDWARE_ERROR", -1 },
	[0x4] = { "PAGE_TAB_HARDWARE_ERROR", -1 },
	[0x5] = { "ILLEGAL_COMMAND_ERROR", 0, BIT(31) },
	[0x6] = { "COMMAND_HARDWARE_ERROR", -1 },
	[0x7] = { "IOTLB_INV_TIMEOUT", -1 },
	[0x8] = { "INVALID_DEVICE_REQUEST", -1 },
	[0x9] = { "INVALID_PPR_REQUEST", -1 },
	[0xa] = { "EVENT_COUNTER_ZERO", -1 },
	[0xb] = { "GUEST_EVENT_FAULT", 1 },
	[0xc] = { "VIOMMU_HARDWARE_ERROR", 0 },
	[0xd] = { "RMP_PAGE_FAULT", -1 },
	[0xe] = { "RMP_HARDWARE_ERROR", -1 },
	[0xf] = { "f", -1 },
};

static void event_guest(struct kunit *test)
{
	const struct event *e = test->param_value;
	const u32 code = e - events;
	int word, bit;
	u16 want;

	for (word = 0; word < 4; word++) {
		for (bit = 0; bit < (word == 1 ? 28 : 32); bit++) {
			u32 event[4] = { 0, code << 28 };

			event[word] |= BIT(bit);
			want = word == e->word && bit < 16 && !e->flag ?
			       BIT(bit) : 0;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_viommu_event_guest(event),
					    "bit %d in word %d", bit, word);

			/* It may have a flag as well, or all but that */
			if (!e->flag || (!word && e->flag == BIT(bit)))
				continue;
			event[0] |= e->flag;
			want = word == e->word && bit < 16 ? BIT(bit) : 0;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_viommu_event_guest(event),
					    "bit %d in word %d", bit, word);
			event[0] = ~e->flag;
			KUNIT_EXPECT_EQ(test, 0, amd_viommu_event_guest(event));
		}
	}
}

static void event_guest_all(struct kunit *test)
{
	const struct event *e = test->param_value;
	const u32 code = e - events;
	u32 gid, wrong = 0;

	for (gid = 0; gid <= U16_MAX; gid++) {
		u32 event[4] = { ~gid, code << 28 | (~gid & 0xffff),
				 ~gid, ~gid };

		if (e->word >= 0)
			event[e->word] = (event[e->word] & ~0xffff) | gid;
		event[0] |= e->flag;
		wrong += amd_viommu_event_guest(event) !=
			 (e->word >= 0 ? gid : 0);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* Nothing gets through but the code, the source of an error, and addresses */
static void event_translate(struct kunit *test)
{
	const struct event *e = test->param_value;
	const u64 code = e - events;
	const bool err = code == VIOMMU_ERR;
	struct iommu_vevent_amd out;
	int word, bit;

	for (word = 0; word < 4; word++) {
		for (bit = 0; bit < (word == 1 ? 28 : 32); bit++) {
			u32 event[4] = { 0, code << 28 };
			u64 want[2] = { code << 60 };

			event[word] |= BIT(bit);
			if (err && !word && (bit == 16 || bit == 17))
				want[0] |= BIT(bit);
			if (!err && word > 1)
				want[1] = BIT_ULL(bit + (word - 2) * 32);
			memset(&out, 0xa5, sizeof(out));
			amd_viommu_event_translate(event, &out);
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(out.evt[0]),
					    want[0], "bit %d in word %d", bit,
					    word);
			KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(out.evt[1]),
					    want[1], "bit %d in word %d", bit,
					    word);
		}
	}
}

static void event_desc(const struct event *e, char *desc)
{
	strscpy(desc, e->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(event, events, event_desc);

static void event_samples(struct kunit *test)
{
	static const u32 command[4] = { 0x80011234, 0x50000000, 0xfff0, 0x12 };
	static const u32 fault[4] = { 0xa5a5a5a5, 0xb5a51234, 0x5000, 0x34 };
	static const u32 error[4] = { 0xfffd1234, 0xcfffffff, 0x6000, 0x20 };
	struct iommu_vevent_amd out;

	amd_viommu_event_translate(command, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 5ULL << 60);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0x120000fff0ULL);
	amd_viommu_event_translate(fault, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 0xbULL << 60);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0x3400005000ULL);
	amd_viommu_event_translate(error, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 0xcULL << 60 | 0x10000);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0);
}

/* What the VMM of a guest reads from */
static void free_queue(void *data)
{
	struct iommufd_veventq *queue = data;
	struct iommufd_vevent *vevent, *next;

	list_for_each_entry_safe(vevent, next, &queue->common.deliver, node)
		if (vevent != &queue->lost_events_header)
			kfree(vevent);
}

static struct iommufd_veventq *queue_init(struct kunit *test,
					  struct fake_guest *fguest)
{
	struct iommufd_veventq *queue = kunit_kzalloc(test, sizeof(*queue),
						      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, queue);
	spin_lock_init(&queue->common.lock);
	INIT_LIST_HEAD(&queue->common.deliver);
	init_waitqueue_head(&queue->common.wait_queue);
	queue->type = IOMMU_VEVENTQ_TYPE_AMD;
	queue->depth = 16;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_queue,
							   queue));
	list_add(&queue->node, &fguest->aviommu.core.veventqs);
	return queue;
}

static void expect_event(struct kunit *test, struct iommufd_veventq *queue,
			 unsigned int num, u64 evt0, u64 evt1)
{
	const struct iommu_vevent_amd *out;
	struct iommufd_vevent *vevent;

	KUNIT_ASSERT_EQ(test, queue->num_events, num);
	vevent = list_last_entry(&queue->common.deliver, struct iommufd_vevent,
				 node);
	KUNIT_ASSERT_EQ(test, vevent->data_len, sizeof(*out));
	out = (void *)vevent->event_data;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out->evt[0]), evt0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out->evt[1]), evt1);
}

/* To the VMM of that guest, and to no other; commands not to the host's log */
static void report_event(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_add(test, fv);
	struct fake_guest *two = fake_guest_add(test, fv);
	struct iommufd_veventq *wrong[2], *queue = queue_init(test, two);
	struct amd_iommu *iommu = &fv->fake->iommu;
	const u16 gid = two->guest.gid;
	const u32 command[4] = { BIT(31) | gid, 0x50000000, 0x1230, 4 };
	const u32 fault[4] = { 0, 0xb0000000 | gid, 0x5000, 6 };
	const u32 error[4] = { BIT(17) | gid, 0xc0000000, 0x7000, 8 };

	wrong[0] = queue_init(test, one);
	fake_guest_add(test, other);
	wrong[1] = queue_init(test, fake_guest_add(test, other));
	KUNIT_EXPECT_TRUE(test, amd_viommu_report_event(iommu, command));
	expect_event(test, queue, 1, 5ULL << 60, 0x400001230);
	KUNIT_EXPECT_FALSE(test, amd_viommu_report_event(iommu, fault));
	expect_event(test, queue, 2, 0xbULL << 60, 0x600005000);
	KUNIT_EXPECT_FALSE(test, amd_viommu_report_event(iommu, error));
	expect_event(test, queue, 3, 0xcULL << 60 | BIT(17), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&two->guest.events), 3);
	KUNIT_EXPECT_EQ(test, atomic64_read(&one->guest.events), 0);
	KUNIT_EXPECT_EQ(test, wrong[0]->num_events, 0);
	KUNIT_EXPECT_EQ(test, wrong[1]->num_events, 0);
}

/* That a VMM has no rings any more is an event without any cause in it */
static void report_lost(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_add(test, fv);
	struct fake_guest *two = fake_guest_add(test, fv);
	struct iommufd_veventq *queue = queue_init(test, two);
	struct iommufd_veventq *other = queue_init(test, one);

	amd_viommu_report_lost(&two->guest);
	expect_event(test, queue, 1, 0xcULL << 60, 0);
	KUNIT_EXPECT_EQ(test, other->num_events, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&two->guest.events), 1);

	/* After resume, if it is so then */
	amd_viommu_resumed(&two->guest.resumed);
	KUNIT_EXPECT_EQ(test, queue->num_events, 1);
	two->guest.stuck = true;
	amd_viommu_resumed(&two->guest.resumed);
	expect_event(test, queue, 2, 0xcULL << 60, 0);
}

/* Nobody is told, but the host must not look for the command all the same */
static void report_unknown_guest(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);
	struct iommufd_veventq *queue = queue_init(test, fguest);
	struct amd_iommu *iommu = &fv->fake->iommu;
	static const u32 command[4] = { BIT(31) | 0x7ffe, 0x50000000, 0x1230 };
	static const u32 fault[4] = { 0, 0xb0007ffe, 0x5000, 6 };
	const u32 of_host[4] = { fguest->guest.gid, 0x50000000, 0x1230, 4 };

	KUNIT_EXPECT_TRUE(test, amd_viommu_report_event(iommu, command));
	KUNIT_EXPECT_FALSE(test, amd_viommu_report_event(iommu, fault));
	KUNIT_EXPECT_FALSE(test, amd_viommu_report_event(iommu, of_host));
	KUNIT_EXPECT_EQ(test, queue->num_events, 0);
}

/* A guest that makes events for ever fills its own queue, and no more */
static void report_many(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);
	struct iommufd_veventq *queue = queue_init(test, fguest);
	const u32 fault[4] = { 0, 0xb0000000 | fguest->guest.gid, 0x5000, 6 };
	int i;

	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_FALSE(test,
				   amd_viommu_report_event(&fv->fake->iommu,
							   fault));
	KUNIT_EXPECT_EQ(test, queue->num_events, queue->depth);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fguest->guest.events), 100);
}

static struct iommufd_veventq *irq_queue_init(struct kunit *test,
					      struct fake_guest *fguest)
{
	struct iommufd_veventq *queue = queue_init(test, fguest);

	queue->type = IOMMU_VEVENTQ_TYPE_AMD_IRQ;
	queue->depth = 1000;
	return queue;
}

/* A bit that is still set is told once, unless there is more in the log */
static void irq_once(struct kunit *test)
{
	static const struct {
		unsigned int reg;
		u64 enable, status;
		int mark;
	} ints[] = {
		{ 0x20, BIT(9), BIT(2), 0 }, { 0x28, BIT(9), BIT(1), 3 },
		{ 0x28, BIT(9), BIT(1), 15 }, { 0x30, BIT(9), BIT(6), 7 },
		{ 0x30, BIT(9), BIT(6), 11 },
	};
	struct fake_viommu *fv = fake_viommu_init(test);
	int i, num;

	for (i = 0; i < ARRAY_SIZE(ints); i++) {
		struct fake_guest *fguest = fake_guest_ready(test, fv);
		struct iommufd_veventq *queue = irq_queue_init(test, fguest);

		fguest->vf[4] = ints[i].status | 0x98;
		amd_viommu_report_irq(&fguest->guest);
		KUNIT_EXPECT_EQ(test, queue->num_events, 0);
		amd_viommu_vfc_write(&fguest->guest, ints[i].reg,
				     ints[i].enable);
		for (num = 1; num < 4; num++) {
			amd_viommu_report_irq(&fguest->guest);
			amd_viommu_report_irq(&fguest->guest);
			KUNIT_EXPECT_EQ(test, queue->num_events, num);
			fguest->vf[ints[i].mark] += 16;
		}
		fguest->vf[ints[i].mark] -= 16;

		/* The guest has cleared it, and that was seen */
		fguest->vf[4] = 0x98;
		amd_viommu_report_irq(&fguest->guest);
		fguest->vf[4] |= ints[i].status;
		amd_viommu_report_irq(&fguest->guest);
		KUNIT_EXPECT_EQ(test, queue->num_events, 4);
		amd_viommu_report_irq(&fguest->guest);
		amd_viommu_rearm(&fguest->guest);
		amd_viommu_report_irq(&fguest->guest);
		KUNIT_EXPECT_EQ(test, queue->num_events, 5);
		KUNIT_EXPECT_EQ(test, atomic64_read(&fguest->guest.irqs), 5);
	}
}

/* Hardware is kept from a storm for a while; the VMM sees no difference */
static void irq_storm(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	struct iommufd_veventq *queue = irq_queue_init(test, fguest);
	struct amd_viommu_guest *guest = &fguest->guest;
	int i;

	amd_viommu_vfc_write(guest, 0x20, 0x12345309);
	amd_viommu_vfc_write(guest, 0x28, 0x23456398);
	fguest->vf[4] = BIT(1);
	/* All are in one period, which does not end, on any machine */
	disable_delayed_work_sync(&guest->loud);
	for (i = 0; i < 1000 && !READ_ONCE(guest->quiet); i++) {
		guest->irq_begin = jiffies;
		fguest->vf[3] += 16;
		amd_viommu_report_irq(guest);
	}
	KUNIT_ASSERT_TRUE(test, guest->quiet);
	KUNIT_EXPECT_EQ(test, queue->num_events, i);
	KUNIT_EXPECT_EQ(test, fguest->vfc[4], 0x12345109);
	KUNIT_EXPECT_EQ(test, fguest->vfc[5], 0x23456198);
	KUNIT_EXPECT_EQ(test, amd_viommu_vfc_enables(guest, 0x20), 0x12345309);
	KUNIT_EXPECT_EQ(test, amd_viommu_vfc_enables(guest, 0x28), 0x23456398);

	/* What is written meanwhile does not make it loud, but does later */
	amd_viommu_vfc_write(guest, 0x20, 0x54321308);
	KUNIT_EXPECT_EQ(test, fguest->vfc[4], 0x54321108);
	fguest->vf[3] += 16;
	amd_viommu_loud(&guest->loud.work);
	KUNIT_EXPECT_EQ(test, queue->num_events, i + 1);
	KUNIT_EXPECT_EQ(test, fguest->vfc[4], 0x54321308);
	KUNIT_EXPECT_EQ(test, fguest->vfc[5], 0x23456398);
}

/* What was set before suspend, and enabled, is told after resume */
static void irq_missed(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	struct iommufd_veventq *queue = irq_queue_init(test, fguest);
	struct amd_viommu_guest *guest = &fguest->guest;

	amd_viommu_vfc_write(guest, 0x28, 0x23456398);
	fguest->vf[4] = BIT(1) | BIT(2) | 0x98;
	amd_viommu_save(guest);
	fguest->vf[4] = 0;
	amd_viommu_restore(guest);
	KUNIT_EXPECT_EQ(test, queue->num_events, 0);
	amd_viommu_resumed(&guest->resumed);
	KUNIT_EXPECT_EQ(test, queue->num_events, 1);
	KUNIT_EXPECT_EQ(test, guest->saved[4], BIT(1) | BIT(2));
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE_PARAM(event_guest, event_gen_params),
	KUNIT_CASE_PARAM(event_guest_all, event_gen_params),
	KUNIT_CASE_PARAM(event_translate, event_gen_params),
	KUNIT_CASE(event_samples),
	KUNIT_CASE(report_event),
	KUNIT_CASE(report_lost),
	KUNIT_CASE(report_unknown_guest),
	KUNIT_CASE(report_many),
	KUNIT_CASE(irq_once),
	KUNIT_CASE(irq_storm),
	KUNIT_CASE(irq_missed),
	{}
};

static struct kunit_suite event_suite = {
	.name = "amd_iommu_viommu_event",
	.test_cases = event_cases,
};

kunit_test_suite(event_suite);
