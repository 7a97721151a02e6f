// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the device IDs that translate for guests: which one a guest
 * gets, what is in its DTE, and who may see what of it when
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>

#include "viommu-fake-test.h"
#include "viommu_hooks.h"

#define LAST		(FAKE_DEVICES - 1)
#define DOMID_MASK	0xffffULL
#define V		BIT_ULL(0)
#define IV		BIT_ULL(0)

/* What hardware could see of two entries, at each wait and at each MISC */
struct look {
	struct dev_table_entry from, to;
	u16 devid;
	u64 misc;
	unsigned int posted;
};

struct looks {
	struct fake_guest *fguest;
	u16 from, to;
	struct look at_wait[16];
	unsigned int waits;
	struct look at_misc[4];
	unsigned int miscs;
};

static void look(struct fake_viommu *fv, struct look *look)
{
	const struct looks *looks = fv->private;
	unsigned int count = fv->fake->count;

	look->from = *fake_dte(fv, looks->from);
	look->to = *fake_dte(fv, looks->to);
	look->misc = looks->fguest->vfc[2];
	look->posted = looks->fguest->posted;
	if (count && count <= FAKE_CMDS &&
	    fake_opcode(&fv->fake->cmds[count - 1]) == 2)
		look->devid = fv->fake->cmds[count - 1].data[0];
}

static void look_at_wait(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct looks *looks = fv->private;

	if (looks->waits < ARRAY_SIZE(looks->at_wait))
		look(fv, &looks->at_wait[looks->waits]);
	looks->waits++;
}

static void look_at_misc(struct kunit *test, struct fake_guest *fguest,
			 unsigned int reg, u64 val)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct looks *looks = fv->private;

	if (reg != 0x10)
		return;
	if (looks->miscs < ARRAY_SIZE(looks->at_misc))
		look(fv, &looks->at_misc[looks->miscs]);
	looks->miscs++;
}

static struct looks *looks_init(struct kunit *test, struct fake_guest *fguest,
				u16 from, u16 to)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct looks *looks = kunit_kzalloc(test, sizeof(*looks), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, looks);
	looks->fguest = fguest;
	looks->from = from;
	looks->to = to;
	fv->private = looks;
	fv->on_wait = look_at_wait;
	fguest->on_write = look_at_misc;
	return looks;
}

/* V, TV, IR, IW, the v1 table and the ID of the parent; no interrupts */
static struct dev_table_entry dte_of(struct protection_domain *parent)
{
	struct pt_iommu_amdv1_hw_info info;

	pt_iommu_amdv1_hw_info(&parent->amdv1, &info);
	return (struct dev_table_entry) { .data = {
		V | BIT_ULL(1) | BIT_ULL(61) | BIT_ULL(62) |
		(u64)info.mode << 9 | __sme_set(info.host_pt_root),
		parent->id,
		IV,
	} };
}

static void fill_dte(struct dev_table_entry *dte, u8 byte)
{
	memset(dte, byte, sizeof(*dte));
}

#define EXPECT_DTE(test, a, b) \
	KUNIT_EXPECT_MEMEQ(test, a, b, sizeof(struct dev_table_entry))

static void expect_filled(struct kunit *test, const struct dev_table_entry *dte,
			  u8 byte)
{
	KUNIT_EXPECT_NULL(test, memchr_inv(dte, byte, sizeof(*dte)));
}

/* From the end, each for one guest of the segment */
static void trans_from_end(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *one, *two, *three, *elsewhere;

	fv->irq_tables[LAST] = (void *)1;
	fv->irq_tables[LAST - 2] = (void *)1;
	one = fake_guest_ready(test, fv);
	two = fake_guest_ready(test, fv);
	three = fake_guest_ready(test, fv);
	elsewhere = fake_guest_ready(test, other);
	KUNIT_EXPECT_EQ(test, one->guest.trans_devid, LAST - 1);
	KUNIT_EXPECT_EQ(test, two->guest.trans_devid, LAST - 3);
	KUNIT_EXPECT_EQ(test, three->guest.trans_devid, LAST - 4);
	KUNIT_EXPECT_EQ(test, elsewhere->guest.trans_devid, LAST);

	amd_viommu_put_trans_devid(&two->guest);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_get_trans_devid(&two->guest));
	KUNIT_EXPECT_EQ(test, two->guest.trans_devid, LAST - 3);
}

/* Two IOMMUs of a segment have one device table */
static void trans_shared_segment(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *one, *two;

	other->fake->iommu.pci_seg = &fv->fake->seg;
	one = fake_guest_ready(test, fv);
	two = fake_guest_ready(test, other);
	KUNIT_EXPECT_EQ(test, one->guest.trans_devid, LAST);
	KUNIT_EXPECT_EQ(test, two->guest.trans_devid, LAST - 1);
}

static void trans_exhausted(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *guests[3], *more;
	unsigned int i, count;

	fake_take_devids(fv, 0x10, 0x12);
	for (i = 0; i < ARRAY_SIZE(guests); i++) {
		guests[i] = fake_guest_ready(test, fv);
		KUNIT_EXPECT_EQ(test, guests[i]->guest.trans_devid, 0x12 - i);
	}
	more = fake_guest_add(test, fv);
	count = fv->fake->count;
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			amd_viommu_get_trans_devid(&more->guest));
	KUNIT_EXPECT_EQ(test, 0, more->guest.trans_devid);
	KUNIT_EXPECT_EQ(test, 0, more->count);
	KUNIT_EXPECT_EQ(test, count, fv->fake->count);

	amd_viommu_put_trans_devid(&guests[1]->guest);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_get_trans_devid(&more->guest));
	KUNIT_EXPECT_EQ(test, 0x11, more->guest.trans_devid);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			amd_viommu_get_trans_devid(&guests[1]->guest));
}

/* The entry is there, and known to be, before the register names it */
static void trans_dte(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);
	struct looks *looks = looks_init(test, fguest, 0, LAST);
	struct dev_table_entry want = dte_of(fv->parent);
	int i;

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&fguest->guest));
	EXPECT_DTE(test, fake_dte(fv, LAST), &want);
	for (i = 0; i < LAST; i++)
		expect_filled(test, fake_dte(fv, i), 0);
	KUNIT_EXPECT_EQ(test, fguest->count, 1);
	KUNIT_EXPECT_EQ(test, fguest->vfc[2], (u64)LAST << 16);
	KUNIT_ASSERT_EQ(test, looks->miscs, 1);
	EXPECT_DTE(test, &looks->at_misc[0].to, &want);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].devid, LAST);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].misc, 0);

	amd_viommu_put_trans_devid(&fguest->guest);
	expect_filled(test, fake_dte(fv, LAST), 0);
	KUNIT_EXPECT_EQ(test, 0, fguest->guest.trans_devid);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
}

/*
 * Interrupt messages of the ID never get through: they are aborted by what is
 * there before, if the driver has prepared the table, and by the guest's entry.
 */
static void trans_no_interrupts(struct kunit *test)
{
	static const u64 words[] = { IV, 0, IV | 2ULL << 60, 1ULL << 60 };
	struct fake_viommu *fv = fake_viommu_init(test);
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		struct dev_table_entry old = { .data = { V, 0, words[i] } };
		struct fake_guest *fguest = fake_guest_add(test, fv);
		struct looks *looks = looks_init(test, fguest, 0, LAST);

		*fake_dte(fv, LAST) = old;
		KUNIT_ASSERT_EQ(test, 0,
				amd_viommu_get_trans_devid(&fguest->guest));
		KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[2], IV);
		/* Then the interrupt half is not even written */
		KUNIT_EXPECT_EQ(test, looks->waits, words[i] == IV ? 1 : 2);
		for (j = words[i] == IV ? 0 : 1; j < looks->waits; j++)
			KUNIT_EXPECT_EQ(test, looks->at_wait[j].to.data[2], IV);
		amd_viommu_put_trans_devid(&fguest->guest);
		EXPECT_DTE(test, fake_dte(fv, LAST), &old);
	}
}

/* Both halves change: nobody sees one of each */
static void trans_dte_replaced(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);
	struct looks *looks = looks_init(test, fguest, 0, LAST);
	struct dev_table_entry want = dte_of(fv->parent), old;
	unsigned int i;

	fill_dte(&old, 0xa5);
	*fake_dte(fv, LAST) = old;
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&fguest->guest));
	amd_viommu_put_trans_devid(&fguest->guest);
	amd_viommu_put_trans_devid(&fguest->guest);
	EXPECT_DTE(test, fake_dte(fv, LAST), &old);

	KUNIT_ASSERT_EQ(test, looks->waits, 4);
	for (i = 0; i < 4; i++) {
		const struct look *at = &looks->at_wait[i];

		KUNIT_EXPECT_EQ(test, at->devid, LAST);
		if (i & 1) {
			EXPECT_DTE(test, &at->to, i == 1 ? &want : &old);
			continue;
		}
		KUNIT_EXPECT_EQ(test, at->to.data[0], V);
		KUNIT_EXPECT_EQ(test, at->to.data[1], 0);
	}
}

/* An ID that hardware may still know stays taken, and names nobody's memory */
static void trans_kept_if_not_flushed(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);

	fv->fake->wait_ret = -EIO;
	amd_viommu_put_trans_devid(&fguest->guest);
	fv->fake->wait_ret = 0;
	KUNIT_EXPECT_EQ(test, 0, fguest->guest.trans_devid);
	expect_filled(test, fake_dte(fv, LAST), 0);
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&fguest->guest));
	KUNIT_EXPECT_EQ(test, LAST - 1, fguest->guest.trans_devid);

	fv->fake->queue_ret = -EIO;
	amd_viommu_put_trans_devid(&fguest->guest);
	fv->fake->queue_ret = 0;
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&fguest->guest));
	KUNIT_EXPECT_EQ(test, LAST - 2, fguest->guest.trans_devid);

	/* A device that has such an ID takes nothing from anybody */
	amd_viommu_leave_devid(&fv->fake->iommu, LAST);
	KUNIT_EXPECT_EQ(test, LAST - 2, fguest->guest.trans_devid);
}

/* V=1, TV=0, and no interrupts either */
static void expect_blocks(struct kunit *test, struct fake_viommu *fv, u16 devid)
{
	const struct dev_table_entry block = { .data = { V, 0, IV } };

	EXPECT_DTE(test, fake_dte(fv, devid), &block);
}

static void trans_not_answered(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);

	fill_dte(fake_dte(fv, LAST), 0x5a);
	fv->fake->queue_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_get_trans_devid(&fguest->guest));
	KUNIT_EXPECT_EQ(test, 0, fguest->count);
	amd_viommu_put_trans_devid(&fguest->guest);
	fv->fake->queue_ret = 0;
	KUNIT_EXPECT_EQ(test, 0, fguest->guest.trans_devid);
	expect_filled(test, fake_dte(fv, LAST), 0x5a);
}

static void change_top(struct fake_viommu *fv, phys_addr_t top,
		       unsigned int level)
{
	unsigned long flags;

	spin_lock_irqsave(&fv->parent->lock, flags);
	amd_viommu_change_top(fv->parent, top, level);
	spin_unlock_irqrestore(&fv->parent->lock, flags);
}

/* Rings go on meanwhile: the entry is never blocked, the other half stays */
static void trans_change_top(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_ready(test, fv);
	struct fake_guest *two = fake_guest_ready(test, fv);
	struct fake_guest *three = fake_guest_add(test, fv);
	struct looks *looks = looks_init(test, one, LAST, LAST - 1);
	const u64 want = V | BIT_ULL(1) | BIT_ULL(61) | BIT_ULL(62) |
			 4 << 9 | __sme_set(0x000fedcba9876000ULL);
	u16 id = fv->parent->id;
	unsigned int count = fv->fake->count;

	three->aviommu.guest = NULL;
	change_top(fv, 0x000fedcba9876000ULL, 3);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[0], want);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[1], id);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST - 1)->data[0], want);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST - 1)->data[1], id);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[2], IV);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[3], 0);
	expect_filled(test, fake_dte(fv, LAST - 2), 0);
	KUNIT_EXPECT_EQ(test, fv->fake->count, count + 2);
	KUNIT_ASSERT_EQ(test, looks->waits, 2);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].devid, LAST);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].from.data[0], want);
	KUNIT_EXPECT_EQ(test, looks->at_wait[1].devid, LAST - 1);
	KUNIT_EXPECT_EQ(test, looks->at_wait[1].to.data[0], want);

	/* Whose entry it was before has no part in it any more */
	amd_viommu_put_trans_devid(&one->guest);
	change_top(fv, 0x1000, 4);
	expect_filled(test, fake_dte(fv, LAST), 0);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST - 1)->data[0],
			V | BIT_ULL(1) | BIT_ULL(61) | BIT_ULL(62) | 5 << 9 |
			__sme_set(0x1000));
	amd_viommu_put_trans_devid(&two->guest);
	change_top(fv, 0x2000, 4);
	expect_filled(test, fake_dte(fv, LAST - 1), 0);
}

/*
 * What the IOMMU writes for guests is as dirty as what devices write: in the
 * entry of each guest that has one, from the start or not, and after a new top
 */
static void trans_dirty_tracking(struct kunit *test)
{
	const u64 had = 3ULL << 7;
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_ready(test, fv);
	struct fake_guest *two = fake_guest_add(test, fv);
	struct looks *looks = looks_init(test, one, LAST, LAST - 1);
	struct dev_table_entry want = dte_of(fv->parent);
	unsigned long flags;

	EXPECT_DTE(test, fake_dte(fv, LAST), &want);
	want.data[0] |= had;
	spin_lock_irqsave(&fv->parent->lock, flags);
	KUNIT_EXPECT_TRUE(test,
			  amd_viommu_set_dirty_tracking(fv->parent, true));
	spin_unlock_irqrestore(&fv->parent->lock, flags);
	EXPECT_DTE(test, fake_dte(fv, LAST), &want);
	KUNIT_EXPECT_EQ(test, looks->waits, 1);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].devid, LAST);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
	expect_filled(test, fake_dte(fv, LAST - 1), 0);

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&two->guest));
	EXPECT_DTE(test, fake_dte(fv, LAST - 1), &want);
	change_top(fv, 0x1000, 3);
	KUNIT_EXPECT_EQ(test, fake_dte(fv, LAST)->data[0] & had, had);

	spin_lock_irqsave(&fv->parent->lock, flags);
	KUNIT_EXPECT_TRUE(test,
			  amd_viommu_set_dirty_tracking(fv->parent, false));
	spin_unlock_irqrestore(&fv->parent->lock, flags);
	want.data[0] &= ~had;
	EXPECT_DTE(test, fake_dte(fv, LAST), &want);
	EXPECT_DTE(test, fake_dte(fv, LAST - 1), &want);
}

/* A mapping at an address that three levels cannot have */
static void trans_map_changes_top(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct iommu_domain *domain = &fv->parent->domain;
	struct dev_table_entry before = dte_of(fv->parent), after, elsewhere;

	fake_guest_ready(test, fv);
	fake_guest_ready(test, other);
	elsewhere = dte_of(other->parent);
	EXPECT_DTE(test, fake_dte(fv, LAST), &before);
	KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, BIT_ULL(39), 0xfee00000,
					   SZ_4K, IOMMU_READ, GFP_KERNEL));
	after = dte_of(fv->parent);
	KUNIT_EXPECT_MEMNEQ(test, &before, &after, sizeof(before));
	EXPECT_DTE(test, fake_dte(fv, LAST), &after);
	EXPECT_DTE(test, fake_dte(other, LAST), &elsewhere);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(domain, BIT_ULL(39), SZ_4K));
}

/* A guest with rings that run, full maps and two devices */
static struct fake_guest *running_guest(struct kunit *test,
					struct fake_viommu *fv)
{
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	struct xarray *devices = &fguest->guest.devices;

	KUNIT_ASSERT_NULL(test, xa_store_irq(devices, 0, xa_mk_value(0x10108),
					     GFP_KERNEL));
	KUNIT_ASSERT_NULL(test, xa_store_irq(devices, 0x11,
					     xa_mk_value(0x10000),
					     GFP_KERNEL));
	amd_viommu_fill_maps(&fguest->guest);
	memset(fguest->dev_map, 0, sizeof(*fguest->dev_map));
	amd_viommu_vfc_write(&fguest->guest, 0x20, 0x12345309);
	amd_viommu_vfc_write(&fguest->guest, 0x28, 0x23456f98);
	amd_viommu_vfc_write(&fguest->guest, 0x30, 0x34567fff98);
	fguest->count = 0;
	return fguest;
}

/* What is no guest's is left alone, whoever else has that number */
static void leave_nobody(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	unsigned int count = fv->fake->count;
	int devid;

	for (devid = 0; devid < LAST; devid++)
		amd_viommu_leave_devid(&fv->fake->iommu, devid);
	amd_viommu_leave_devid(&other->fake->iommu, LAST);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, LAST);
	KUNIT_EXPECT_EQ(test, fguest->count, 0);
	KUNIT_EXPECT_EQ(test, count, fv->fake->count);
}

/* The rings run on, so each of both entries is good while it is in use */
static void leave_order(struct kunit *test, const struct looks *looks,
			const struct dev_table_entry *want,
			const struct dev_table_entry *old)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, looks->miscs, 1);
	EXPECT_DTE(test, &looks->at_misc[0].from, want);
	EXPECT_DTE(test, &looks->at_misc[0].to, want);
	KUNIT_ASSERT_GE(test, looks->waits, 2);
	KUNIT_ASSERT_LT(test, looks->waits, ARRAY_SIZE(looks->at_wait));
	for (i = 0; i < looks->waits; i++) {
		const struct look *at = &looks->at_wait[i];
		bool is_new = at->misc == (u64)looks->to << 16;

		KUNIT_EXPECT_EQ(test, at->devid,
				is_new ? looks->to + 1 : looks->to);
		if (is_new) {
			EXPECT_DTE(test, &at->to, want);
			/* Nobody has the old one: the write has arrived */
			KUNIT_EXPECT_EQ(test, at->posted, 0);
		} else {
			EXPECT_DTE(test, &at->from, want);
		}
	}
	EXPECT_DTE(test, &looks->at_wait[looks->waits - 1].from, old);
}

static void leave_moves(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct dev_table_entry old = { .data = { V } }, want;
	struct fake_guest *fguest;
	struct looks *looks;

	*fake_dte(fv, LAST) = old;
	*fake_dte(fv, LAST - 1) = old;
	fguest = running_guest(test, fv);
	looks = looks_init(test, fguest, LAST, LAST - 1);
	want = dte_of(fv->parent);

	fv->irq_tables[LAST] = (void *)1;
	amd_viommu_leave_devid(&fv->fake->iommu, LAST);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, LAST - 1);
	KUNIT_EXPECT_EQ(test, fguest->vfc[2], (LAST - 1) << 16);
	EXPECT_DTE(test, fake_dte(fv, LAST), &old);
	EXPECT_DTE(test, fake_dte(fv, LAST - 1), &want);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
	leave_order(test, looks, &want, &old);
	/* MISC and all but two devices: no ring was touched */
	KUNIT_EXPECT_EQ(test, fguest->count, 1 + 65536 - 2);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);

	amd_viommu_put_trans_devid(&fguest->guest);
	EXPECT_DTE(test, fake_dte(fv, LAST - 1), &old);
}

static void leave_remaps(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = running_guest(test, fv);
	struct fake_map *map = fguest->dev_map;
	unsigned int id, wrong = 0;

	fv->irq_tables[LAST] = (void *)1;
	amd_viommu_leave_devid(&fv->fake->iommu, LAST);
	for (id = 0; id <= U16_MAX; id++) {
		if (id == 0 || id == 0x11)
			wrong += map->times[id];
		else
			wrong += map->times[id] != 1 ||
				 map->host[id] != LAST - 1;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);
}

/* No entry that is read back: the move itself has to arrive */
static void leave_without_maps(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct dev_table_entry old = { .data = { V } }, want;
	struct fake_guest *fguest;
	struct looks *looks;

	*fake_dte(fv, LAST) = old;
	fguest = fake_guest_ready(test, fv);
	looks = looks_init(test, fguest, LAST, LAST - 1);
	want = dte_of(fv->parent);
	fv->irq_tables[LAST] = (void *)1;
	amd_viommu_leave_devid(&fv->fake->iommu, LAST);
	leave_order(test, looks, &want, &old);
}

/* One guest after the other gives way; the ID that it gives up is not its */
static void leave_many(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_ready(test, fv);
	struct fake_guest *two = fake_guest_ready(test, fv);
	int devid;

	for (devid = LAST; devid > LAST - 8; devid--) {
		fv->irq_tables[devid] = (void *)1;
		amd_viommu_leave_devid(&fv->fake->iommu, devid);
		expect_filled(test, fake_dte(fv, devid), 0);
	}
	KUNIT_EXPECT_EQ(test, one->guest.trans_devid, LAST - 8);
	KUNIT_EXPECT_EQ(test, two->guest.trans_devid, LAST - 9);
	KUNIT_EXPECT_EQ(test, one->vfc[2], (LAST - 8) << 16);
	KUNIT_EXPECT_EQ(test, two->vfc[2], (LAST - 9) << 16);
}

static void expect_no_rings(struct kunit *test, struct fake_guest *fguest)
{
	struct iommufd_viommu *viommu = &fguest->aviommu.core;
	unsigned int count;

	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, 0);
	/* Base and length stay */
	KUNIT_EXPECT_EQ(test, fguest->vfc[4], 0x12345009);
	KUNIT_EXPECT_EQ(test, fguest->vfc[5], 0x23456098);
	KUNIT_EXPECT_EQ(test, fguest->vfc[6], 0x34567f0098);
	KUNIT_EXPECT_EQ(test, fguest->vf[4] & 0x98, 0);

	/* They do not start again */
	count = fguest->count;
	fake_guest_rings(fguest, 0x1f);
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_set_command(viommu, 0x18,
							   BIT(12)));
	KUNIT_EXPECT_EQ(test, count, fguest->count);
}

static void leave_none(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest;
	unsigned int count;

	fake_take_devids(fv, 0x20, 0x20);
	fill_dte(fake_dte(fv, 0x20), 0x77);
	fguest = running_guest(test, fv);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, 0x20);
	fv->irq_tables[0x20] = (void *)1;
	amd_viommu_leave_devid(&fv->fake->iommu, 0x20);
	expect_filled(test, fake_dte(fv, 0x20), 0x77);
	expect_no_rings(test, fguest);
	KUNIT_EXPECT_FALSE(test, fguest->guest.stuck);

	/* It is over, and the entry is the device's */
	count = fv->fake->count;
	amd_viommu_put_trans_devid(&fguest->guest);
	amd_viommu_leave_devid(&fv->fake->iommu, 0x20);
	change_top(fv, 0x1000, 3);
	expect_filled(test, fake_dte(fv, 0x20), 0x77);
	KUNIT_EXPECT_EQ(test, count, fv->fake->count);
}

/* The device must not have the entry of a ring that goes on */
static void leave_none_and_hang(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest;

	fake_take_devids(fv, 0x20, 0x20);
	fguest = running_guest(test, fv);
	fguest->hangs = FAKE_EVT_RUNS;
	fv->irq_tables[0x20] = (void *)1;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			amd_viommu_leave_devid(&fv->fake->iommu, 0x20));
	KUNIT_EXPECT_NE(test, fguest->guest.running, 0);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, 0);
	expect_blocks(test, fv, 0x20);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			amd_viommu_leave_devid(&fv->fake->iommu, 0x20));
	expect_blocks(test, fv, 0x20);
}

static void free_block(void *data)
{
	amd_viommu_put_block_devid(data);
}

/* An ID that no guest has, and no device, which translates nothing */
static void block_init(struct kunit *test, struct fake_viommu *fv)
{
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_block_devid(&fv->hw));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_block,
							   &fv->hw));
}

static void block_devid(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct dev_table_entry old = { .data = { V, 0, IV } };
	struct fake_guest *fguest;

	fill_dte(fake_dte(fv, LAST), 0x33);
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_block_devid(&fv->hw));
	KUNIT_EXPECT_EQ(test, fv->hw.block_devid, LAST);
	expect_blocks(test, fv, LAST);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
	amd_viommu_put_block_devid(&fv->hw);
	expect_filled(test, fake_dte(fv, LAST), 0x33);

	*fake_dte(fv, LAST) = old;
	block_init(test, fv);
	fguest = fake_guest_ready(test, fv);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, LAST - 1);

	/* A guest at its end has this, confirmed, and nothing else */
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_park(&fguest->guest));
	KUNIT_EXPECT_EQ(test, fguest->vfc[2], LAST << 16);
	KUNIT_EXPECT_EQ(test, fguest->posted, 0);
	KUNIT_EXPECT_EQ(test, fv->fake->waited, fv->fake->count);
	fv->fake->wait_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_park(&fguest->guest));
	fv->fake->wait_ret = 0;
}

static void block_none(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);

	fake_take_devids(fv, 0x20, 0x1f);
	KUNIT_EXPECT_EQ(test, -ENOSPC, amd_viommu_get_block_devid(&fv->hw));
	amd_viommu_put_block_devid(&fv->hw);
	fake_take_devids(fv, 0x20, 0x20);
	fill_dte(fake_dte(fv, 0x20), 0x44);
	fv->fake->queue_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_get_block_devid(&fv->hw));
	fv->fake->queue_ret = 0;
	expect_filled(test, fake_dte(fv, 0x20), 0x44);
	KUNIT_EXPECT_EQ(test, fv->hw.block_devid, 0);
}

/* The entry goes when hardware has confirmed that it does not go by that */
static void leave_none_blocks(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct dev_table_entry want;
	struct fake_guest *fguest;
	struct looks *looks;

	fake_take_devids(fv, 0x20, 0x21);
	block_init(test, fv);
	fguest = running_guest(test, fv);
	want = dte_of(fv->parent);
	looks = looks_init(test, fguest, 0x20, 0x21);
	fv->irq_tables[0x20] = (void *)1;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_leave_devid(&fv->fake->iommu,
							0x20));
	KUNIT_ASSERT_GE(test, looks->waits, 2);
	EXPECT_DTE(test, &looks->at_wait[0].from, &want);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].misc, 0x21 << 16);
	KUNIT_EXPECT_EQ(test, looks->at_wait[0].posted, 0);
	expect_no_rings(test, fguest);
	KUNIT_EXPECT_EQ(test, fguest->vfc[2], 0x21 << 16);
	expect_filled(test, fake_dte(fv, 0x20), 0);
}

/* A device that has the blocking ID by nature */
static void leave_block(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct amd_iommu *iommu = &fv->fake->iommu;
	struct fake_guest *lost, *fguest;

	fake_take_devids(fv, 0x20, 0x22);
	fill_dte(fake_dte(fv, 0x22), 0x11);
	block_init(test, fv);
	lost = running_guest(test, fv);
	fguest = fake_guest_ready(test, fv);
	fv->irq_tables[0x21] = (void *)1;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_leave_devid(iommu, 0x21));
	KUNIT_EXPECT_EQ(test, lost->guest.trans_devid, 0);

	/* There is another one: what is parked goes there */
	fv->irq_tables[0x1f] = NULL;
	fv->irq_tables[0x22] = (void *)1;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_leave_devid(iommu, 0x22));
	KUNIT_EXPECT_EQ(test, fv->hw.block_devid, 0x1f);
	KUNIT_EXPECT_EQ(test, lost->vfc[2], 0x1f << 16);
	KUNIT_EXPECT_EQ(test, fguest->vfc[2], 0x20 << 16);
	expect_blocks(test, fv, 0x1f);
	expect_filled(test, fake_dte(fv, 0x22), 0x11);

	/* And there is none, which matters if something goes on */
	fv->irq_tables[0x1f] = (void *)1;
	lost->guest.running = FAKE_CMD_RUNS;
	KUNIT_EXPECT_EQ(test, -EBUSY, amd_viommu_leave_devid(iommu, 0x1f));
	KUNIT_EXPECT_EQ(test, -EBUSY, amd_viommu_leave_devid(iommu, 0x1f));
	expect_blocks(test, fv, 0x1f);
	lost->guest.running = 0;
}

/*
 * The device is not known yet, and may never be, if there is no memory: nobody
 * gets the ID again all the same.
 */
static void leave_for_good(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_ready(test, fv);
	struct dev_table_entry want = dte_of(fv->parent);
	unsigned int count;

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_leave_devid(&fv->fake->iommu,
							LAST));
	KUNIT_EXPECT_EQ(test, one->guest.trans_devid, LAST - 1);
	EXPECT_DTE(test, fake_dte(fv, LAST - 1), &want);
	KUNIT_EXPECT_EQ(test, LAST - 2,
			fake_guest_ready(test, fv)->guest.trans_devid);
	/* Its entry is the device's from now on */
	fill_dte(fake_dte(fv, LAST), 0x77);
	count = fv->fake->count;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_leave_devid(&fv->fake->iommu,
							LAST));
	KUNIT_EXPECT_EQ(test, count, fv->fake->count);
	expect_filled(test, fake_dte(fv, LAST), 0x77);
}

/* The device has to wait until the IOMMU has let go of what the guest had */
static void leave_in_doubt(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	struct amd_iommu *iommu = &fv->fake->iommu;

	fv->fake->wait_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_leave_devid(iommu, LAST));
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_leave_devid(iommu, LAST));
	fv->fake->wait_ret = 0;
	fv->fake->queue_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, amd_viommu_leave_devid(iommu, LAST));
	fv->fake->queue_ret = 0;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_leave_devid(iommu, LAST));
	KUNIT_EXPECT_EQ(test, 0, fguest->guest.trans_devid);
}

/* The IOMMU does not say that it has the new entry: the guest has neither */
static void leave_not_answered(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest, *more;
	unsigned int count;

	fake_take_devids(fv, 0x20, 0x21);
	fill_dte(fake_dte(fv, 0x20), 0x77);
	fill_dte(fake_dte(fv, 0x21), 0x66);
	fguest = running_guest(test, fv);
	KUNIT_EXPECT_EQ(test, fguest->guest.trans_devid, 0x21);

	fv->irq_tables[0x21] = (void *)1;
	fv->fake->wait_ret = -EIO;
	amd_viommu_leave_devid(&fv->fake->iommu, 0x21);
	fv->fake->wait_ret = 0;
	expect_filled(test, fake_dte(fv, 0x20), 0x77);
	expect_filled(test, fake_dte(fv, 0x21), 0x66);
	expect_no_rings(test, fguest);

	/* Nobody takes it for that guest's any more, and nobody gets it */
	count = fguest->count;
	amd_viommu_leave_devid(&fv->fake->iommu, 0x20);
	KUNIT_EXPECT_EQ(test, count, fguest->count);
	more = fake_guest_add(test, fv);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			amd_viommu_get_trans_devid(&more->guest));
}

static struct kunit_case trans_cases[] = {
	KUNIT_CASE(trans_from_end),
	KUNIT_CASE(trans_shared_segment),
	KUNIT_CASE(trans_exhausted),
	KUNIT_CASE(trans_dte),
	KUNIT_CASE(trans_no_interrupts),
	KUNIT_CASE(trans_dte_replaced),
	KUNIT_CASE(trans_kept_if_not_flushed),
	KUNIT_CASE(trans_not_answered),
	KUNIT_CASE(trans_change_top),
	KUNIT_CASE(trans_dirty_tracking),
	KUNIT_CASE(trans_map_changes_top),
	KUNIT_CASE(leave_nobody),
	KUNIT_CASE(leave_moves),
	KUNIT_CASE(leave_remaps),
	KUNIT_CASE(leave_without_maps),
	KUNIT_CASE(leave_many),
	KUNIT_CASE(leave_none),
	KUNIT_CASE(leave_none_and_hang),
	KUNIT_CASE(block_devid),
	KUNIT_CASE(block_none),
	KUNIT_CASE(leave_none_blocks),
	KUNIT_CASE(leave_block),
	KUNIT_CASE(leave_for_good),
	KUNIT_CASE(leave_in_doubt),
	KUNIT_CASE(leave_not_answered),
	{}
};

static struct kunit_suite trans_suite = {
	.name = "amd_iommu_viommu_trans",
	.test_cases = trans_cases,
};

kunit_test_suite(trans_suite);
