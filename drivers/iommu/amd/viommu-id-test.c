// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of guest IDs, and of which device IDs are free */
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "viommu-fake-test.h"

#define LAST		(FAKE_DEVICES - 1)
#define DEVID		0x0123
#define GID_LAST	0x7fff

/* Guest IDs */
static void gid_unique(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *guests[4], *elsewhere;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(guests); i++) {
		guests[i] = fake_guest_add(test, fv);
		KUNIT_EXPECT_NE(test, guests[i]->guest.gid, 0);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, guests[i]->guest.gid,
					guests[j]->guest.gid);
	}
	/* Another IOMMU starts anew */
	elsewhere = fake_guest_add(test, other);
	KUNIT_EXPECT_EQ(test, elsewhere->guest.gid, guests[0]->guest.gid);
}

static void gid_find(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_viommu *other = fake_viommu_init(test);
	struct fake_guest *one = fake_guest_add(test, fv);
	struct fake_guest *two = fake_guest_add(test, fv);
	struct fake_guest *elsewhere = fake_guest_add(test, other);
	struct amd_iommu *iommu = &fv->fake->iommu;
	u16 gid;

	mutex_lock(&amd_viommu_guests_mutex);
	KUNIT_EXPECT_PTR_EQ(test, &one->guest,
			    amd_viommu_find_guest(iommu, one->guest.gid));
	KUNIT_EXPECT_PTR_EQ(test, &two->guest,
			    amd_viommu_find_guest(iommu, two->guest.gid));
	KUNIT_EXPECT_PTR_EQ(test, &elsewhere->guest,
			    amd_viommu_find_guest(&other->fake->iommu,
						  elsewhere->guest.gid));
	KUNIT_EXPECT_NULL(test, amd_viommu_find_guest(iommu, 0));
	KUNIT_EXPECT_NULL(test, amd_viommu_find_guest(iommu, 0x7000));
	KUNIT_EXPECT_NULL(test, amd_viommu_find_guest(&other->fake->iommu,
						      two->guest.gid));
	mutex_unlock(&amd_viommu_guests_mutex);

	gid = one->guest.gid;
	amd_viommu_del_guest(&one->guest);
	one->guest.gid = 0;
	mutex_lock(&amd_viommu_guests_mutex);
	KUNIT_EXPECT_NULL(test, amd_viommu_find_guest(iommu, gid));
	mutex_unlock(&amd_viommu_guests_mutex);
}

static void gid_exhausted(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *guest = fake_guest_init(test, fv);
	int i;

	for (i = 1; i <= GID_LAST; i++)
		KUNIT_ASSERT_EQ(test, i, ida_alloc_min(&fv->hw.gids, 1,
						       GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -ENOSPC, amd_viommu_add_guest(&guest->guest));
	KUNIT_EXPECT_EQ(test, 0, guest->guest.gid);

	ida_free(&fv->hw.gids, 0x1234);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_add_guest(&guest->guest));
	KUNIT_EXPECT_EQ(test, 0x1234, guest->guest.gid);
}

/* Hardware may still work for a guest that is stuck: nobody else gets its ID */
static void gid_stuck(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *guest = fake_guest_add(test, fv);
	u16 gid = guest->guest.gid;

	amd_viommu_del_guest(&guest->guest);
	guest->guest.gid = 0;
	KUNIT_EXPECT_FALSE(test, ida_exists(&fv->hw.gids, gid));

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_add_guest(&guest->guest));
	KUNIT_EXPECT_EQ(test, gid, guest->guest.gid);
	guest->guest.stuck = true;
	amd_viommu_del_guest(&guest->guest);
	guest->guest.gid = 0;
	KUNIT_EXPECT_TRUE(test, ida_exists(&fv->hw.gids, gid));
	KUNIT_EXPECT_NE(test, gid, fake_guest_add(test, fv)->guest.gid);
}

/* Who has a device ID */
enum taker {
	NOBODY, DEVICE, IRQ_TABLE, ALIAS, IOAPIC, HPET, IOMMU, ACPI, ACPI_ROOT,
	OTHER_SEGMENTS_IOAPIC, OTHER_SEGMENTS_IOMMU,
};

struct taken_case {
	const char *name;
	u16 devid;
	enum taker taker;
	bool is_free;
};

static const struct taken_case taken_cases[] = {
	{ "nobody", DEVID, NOBODY, true },
	{ "nobody, first", 1, NOBODY, true },
	{ "nobody, last", LAST, NOBODY, true },
	{ "0", 0, NOBODY, false },
	{ "beyond the last", LAST + 1, NOBODY, false },
	{ "far beyond the last", U16_MAX, NOBODY, false },
	{ "a device", DEVID, DEVICE, false },
	{ "interrupts", DEVID, IRQ_TABLE, false },
	{ "a device with an alias", DEVID, ALIAS, false },
	{ "an IOAPIC", DEVID, IOAPIC, false },
	{ "an HPET", DEVID, HPET, false },
	{ "an IOMMU", DEVID, IOMMU, false },
	{ "an ACPI device", DEVID, ACPI, false },
	{ "an ACPI device's alias", DEVID, ACPI_ROOT, false },
	{ "an IOAPIC elsewhere", DEVID, OTHER_SEGMENTS_IOAPIC, true },
	{ "an IOMMU elsewhere", DEVID, OTHER_SEGMENTS_IOMMU, true },
};

/* They are on lists of the driver's, for as long as the case runs */
static void list_remove(void *data)
{
	list_del(data);
}

static void list_put(struct kunit *test, struct list_head *entry,
		     struct list_head *list)
{
	list_add_tail(entry, list);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, list_remove,
							   entry));
}

static void put_special(struct kunit *test, u16 seg, struct list_head *list)
{
	struct devid_map *entry = kunit_kzalloc(test, sizeof(*entry),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, entry);
	/* An ID that no interrupt is looked up by */
	entry->id = 0xff;
	entry->devid = seg << 16 | DEVID;
	list_put(test, &entry->list, list);
}

static void put_acpi(struct kunit *test, u16 seg, bool root)
{
	struct acpihid_map_entry *entry = kunit_kzalloc(test, sizeof(*entry),
							GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, entry);
	entry->devid = seg << 16 | (root ? DEVID + 2 : DEVID);
	entry->root_devid = seg << 16 | (root ? DEVID : DEVID + 2);
	list_put(test, &entry->list, &acpihid_map);
}

static void put_iommu(struct kunit *test, struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu = kunit_kzalloc(test, sizeof(*iommu),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, iommu);
	iommu->devid = DEVID;
	iommu->pci_seg = seg;
	list_put(test, &iommu->list, &amd_iommu_list);
}

static void take(struct kunit *test, struct fake_viommu *fv, enum taker taker)
{
	struct fake_viommu *other = fake_viommu_init(test);
	struct amd_iommu_pci_seg *seg = &fv->fake->seg;

	switch (taker) {
	case NOBODY:
		break;
	case DEVICE:
		llist_add(&fake_dev_init(test, fv->fake, DEVID,
					 true)->data.dev_data_list,
			  &seg->dev_data_list);
		break;
	case IRQ_TABLE:
		fv->irq_tables[DEVID] = (void *)1;
		break;
	case ALIAS:
		fv->fake->alias_table[DEVID] = DEVID + 1;
		break;
	case IOAPIC:
		put_special(test, seg->id, &ioapic_map);
		break;
	case HPET:
		put_special(test, seg->id, &hpet_map);
		break;
	case IOMMU:
		put_iommu(test, seg);
		break;
	case ACPI:
	case ACPI_ROOT:
		put_acpi(test, seg->id, taker == ACPI_ROOT);
		break;
	case OTHER_SEGMENTS_IOAPIC:
		put_special(test, other->fake->seg.id, &ioapic_map);
		put_special(test, other->fake->seg.id, &hpet_map);
		break;
	case OTHER_SEGMENTS_IOMMU:
		put_iommu(test, &other->fake->seg);
		break;
	}
}

static void devid_is_free(struct kunit *test)
{
	const struct taken_case *c = test->param_value;
	struct fake_viommu *fv = fake_viommu_init(test);
	struct amd_iommu *iommu = &fv->fake->iommu;

	take(test, fv, c->taker);
	KUNIT_EXPECT_EQ(test, c->is_free,
			amd_viommu_devid_is_free(iommu, c->devid));
	/* It is the only one that this makes a difference for */
	KUNIT_EXPECT_TRUE(test, amd_viommu_devid_is_free(iommu, DEVID - 1));
	KUNIT_EXPECT_TRUE(test, amd_viommu_devid_is_free(iommu, DEVID + 1));
}

static void taken_desc(const struct taken_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(taken, taken_cases, taken_desc);

/* One that PCI knows, and this driver does not: one of this machine's */
static void devid_of_pci_device(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct pci_dev *pdev = NULL;
	u16 devid = 0;

	for_each_pci_dev(pdev) {
		devid = pci_dev_id(pdev);
		if (!pci_domain_nr(pdev->bus) && devid && devid < FAKE_DEVICES)
			break;
	}
	if (!pdev)
		kunit_skip(test, "no PCI device");

	KUNIT_EXPECT_TRUE(test, amd_viommu_devid_is_free(&fv->fake->iommu,
							 devid));
	fv->fake->seg.id = 0;
	KUNIT_EXPECT_FALSE(test, amd_viommu_devid_is_free(&fv->fake->iommu,
							  devid));
	pci_dev_put(pdev);
}

static struct kunit_case id_cases[] = {
	KUNIT_CASE(gid_unique),
	KUNIT_CASE(gid_find),
	KUNIT_CASE(gid_exhausted),
	KUNIT_CASE(gid_stuck),
	KUNIT_CASE_PARAM(devid_is_free, taken_gen_params),
	KUNIT_CASE(devid_of_pci_device),
	{}
};

static struct kunit_suite id_suite = {
	.name = "amd_iommu_viommu_id",
	.test_cases = id_cases,
};

kunit_test_suite(id_suite);
