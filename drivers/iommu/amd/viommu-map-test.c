// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the maps of a guest: its device and domain IDs */
#include <linux/iommufd.h>

#include "../iommufd/iommufd_private.h"
#include "nested.h"
#include "viommu-fake-test.h"
#include "viommu_hooks.h"

#define SCRATCH		0x5c5c
#define CMD_EN		BIT_ULL(12)
#define EVT_EN		BIT_ULL(2)
#define XLATE		(BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(61) | BIT_ULL(62))

/* Domains of the guest; those without an ID of the host are being made */
static const struct known {
	u16 gdom_id, hdom_id;
} known[] = {
	{ 0, 0x11 }, { 1, 0x22 }, { 0xff, 0x33 }, { 0x100, 0x44 },
	{ 0x101, 0 }, { 0x7fff, 0x55 }, { 0x8000, 0x8000 }, { 0xfffe, 0 },
	{ 0xffff, 0xffff },
};

static void add_known(struct kunit *test, struct fake_guest *fguest)
{
	struct guest_domain_mapping_info *infos;
	int i;

	infos = kunit_kcalloc(test, ARRAY_SIZE(known), sizeof(*infos),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, infos);
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		infos[i].hdom_id = known[i].hdom_id;
		KUNIT_ASSERT_NULL(test, xa_store(&fguest->aviommu.gdomid_array,
						 known[i].gdom_id, &infos[i],
						 GFP_KERNEL));
	}
}

static u16 meaning_of(unsigned int id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].gdom_id == id && known[i].hdom_id)
			return known[i].hdom_id;
	return SCRATCH;
}

static void fill_all(struct kunit *test)
{
	struct fake_guest *fguest = fake_guest_add(test,
						   fake_viommu_init(test));
	const struct fake_map *map = fguest->dom_map;
	unsigned int id, wrong = 0, not_once = 0;

	add_known(test, fguest);
	amd_viommu_fill_maps(&fguest->guest);
	for (id = 0; id <= U16_MAX; id++) {
		wrong += map->host[id] != meaning_of(id);
		not_once += map->times[id] != 1;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, not_once, 0);
	KUNIT_EXPECT_EQ(test, map->writes, 65536);
	KUNIT_EXPECT_EQ(test, fguest->count, 2 * 65536);
	KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);
	KUNIT_EXPECT_EQ(test, fguest->posted, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&fguest->guest.map_writes),
			2 * 65536);
}

/* Device IDs: those of devices stay, all others are the translate device's */
static void fill_devices(struct kunit *test)
{
	static const u16 ids[] = { 0, 0xff, 0x100, 0x8001, 0xffff };
	struct fake_guest *fguest = fake_guest_ready(test,
						     fake_viommu_init(test));
	const struct fake_map *map = fguest->dev_map;
	unsigned int id, i, wrong = 0, not_once = 0, known = 0;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		KUNIT_ASSERT_NULL(test, xa_store_irq(&fguest->guest.devices,
						     ids[i],
						     xa_mk_value(i | BIT(16)),
						     GFP_KERNEL));
	/* Out of reach is as if there were none */
	KUNIT_ASSERT_NULL(test, xa_store_irq(&fguest->guest.devices, 0x42,
					     xa_mk_value(7), GFP_KERNEL));
	fguest->count = 0;
	amd_viommu_fill_maps(&fguest->guest);
	for (id = 0; id <= U16_MAX; id++) {
		for (i = 0; i < ARRAY_SIZE(ids) && ids[i] != id; i++)
			;
		if (i < ARRAY_SIZE(ids)) {
			known += map->times[id];
			continue;
		}
		wrong += map->host[id] != fguest->guest.trans_devid;
		not_once += map->times[id] != 1;
	}
	KUNIT_EXPECT_EQ(test, known, 0);
	KUNIT_EXPECT_EQ(test, map->host[0x42], fguest->guest.trans_devid);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, not_once, 0);
	KUNIT_EXPECT_EQ(test, map->writes, 65536 - ARRAY_SIZE(ids));
	KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);
	/* Both maps */
	KUNIT_EXPECT_LT(test, fguest->count, 132000);
}

static void fill_once(struct kunit *test)
{
	struct fake_guest *fguest = fake_guest_add(test,
						   fake_viommu_init(test));

	amd_viommu_fill_maps(&fguest->guest);
	amd_viommu_fill_maps(&fguest->guest);
	KUNIT_EXPECT_EQ(test, fguest->dom_map->writes, 65536);
	KUNIT_EXPECT_EQ(test, fguest->dev_map->writes, 65536);
}

/* All of it is there when the first command can be executed */
static void note_fill(struct kunit *test, struct fake_guest *fguest,
		      unsigned int reg, u64 val)
{
	struct fake_viommu *fv = fake_viommu_of(test);

	if (reg == 0x20 && (val & FAKE_RING_EN) && !fv->private)
		fv->private = (void *)(long)min(fguest->dom_map->writes,
						fguest->dev_map->writes);
}

static void fill_before_commands(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_ready(test, fv);
	struct iommufd_viommu *viommu = &fguest->aviommu.core;

	fake_guest_rings(fguest, 0x1f);
	fguest->on_write = note_fill;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_set_command(viommu, 0x18, EVT_EN));
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_set_command(viommu, 0x18, 0));
	KUNIT_EXPECT_EQ(test, fguest->dom_map->writes, 0);
	KUNIT_EXPECT_EQ(test, fguest->dev_map->writes, 0);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_set_command(viommu, 0x18, CMD_EN));
	KUNIT_EXPECT_PTR_EQ(test, fv->private, (void *)65536L);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_set_command(viommu, 0x18, 0));
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_set_command(viommu, 0x18, CMD_EN));
	KUNIT_EXPECT_EQ(test, fguest->dom_map->writes, 65536);
}

static void domain_map_unmap(struct kunit *test)
{
	static const u16 ids[] = { 0, 1, 0x1234, 0x8000, 0xffff };
	struct fake_guest *fguest = fake_guest_add(test,
						   fake_viommu_init(test));
	const struct fake_map *map = fguest->dom_map;
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		amd_viommu_map_domain(&fguest->aviommu, ids[i], ~ids[i]);
		KUNIT_EXPECT_EQ(test, map->host[ids[i]], (u16)~ids[i]);
		KUNIT_EXPECT_EQ(test, map->writes, 2 * i + 1);
		amd_viommu_unmap_domain(&fguest->aviommu, ids[i]);
		KUNIT_EXPECT_EQ(test, map->host[ids[i]], SCRATCH);
		KUNIT_EXPECT_EQ(test, map->times[ids[i]], 2);
		KUNIT_EXPECT_EQ(test, map->writes, 2 * i + 2);
		/* A flush that follows does not overtake it */
		KUNIT_EXPECT_EQ(test, fguest->posted, 0);
	}
	KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);

	fguest->aviommu.guest = NULL;
	amd_viommu_map_domain(&fguest->aviommu, 2, 3);
	amd_viommu_unmap_domain(&fguest->aviommu, 2);
	KUNIT_EXPECT_EQ(test, map->writes, 2 * ARRAY_SIZE(ids));
}

static struct iommu_domain *alloc_nested(struct kunit *test,
					 struct fake_guest *fguest, u64 w0,
					 u16 gdom_id)
{
	struct iommu_hwpt_amd_guest gdte = { .dte = { w0, gdom_id } };
	struct iommu_user_data data = {
		.type = IOMMU_HWPT_DATA_AMD_GUEST,
		.uptr = fake_user(test, &gdte, sizeof(gdte)),
		.len = sizeof(gdte),
	};
	struct iommu_domain *dom;

	dom = amd_iommu_alloc_domain_nested(&fguest->aviommu.core, 0, &data);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
	return dom;
}

/* What the guest's ID means when the host's is flushed */
static void note_flush(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct fake_guest *fguest = fv->guests[0];

	if (!fv->private)
		fv->private = (void *)(long)fguest->dom_map->host[0xabc];
	KUNIT_EXPECT_EQ(test, fguest->posted, 0);
}

static void domain_of_guest(struct kunit *test)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct fake_guest *fguest = fake_guest_add(test, fv);
	const struct fake_map *map = fguest->dom_map;
	struct iommu_domain *one, *two, *blocked;
	u16 hdom_id;

	blocked = alloc_nested(test, fguest, BIT_ULL(0), 0xabc);
	KUNIT_EXPECT_EQ(test, map->writes, 0);
	one = alloc_nested(test, fguest, XLATE, 0xabc);
	hdom_id = amd_iommu_guest_domid(&fguest->aviommu, 0xabc);
	KUNIT_EXPECT_NE(test, hdom_id, 0);
	KUNIT_EXPECT_EQ(test, map->writes, 1);
	KUNIT_EXPECT_EQ(test, map->host[0xabc], hdom_id);
	two = alloc_nested(test, fguest, XLATE, 0xabc);
	one->ops->free(one);
	blocked->ops->free(blocked);
	KUNIT_EXPECT_EQ(test, map->writes, 1);

	/* Nothing puts the ID into the TLB again, once it is flushed */
	fv->on_wait = note_flush;
	two->ops->free(two);
	KUNIT_EXPECT_EQ(test, map->writes, 2);
	KUNIT_EXPECT_EQ(test, map->times[0xabc], 2);
	KUNIT_EXPECT_EQ(test, map->host[0xabc], SCRATCH);
	KUNIT_EXPECT_PTR_EQ(test, fv->private, (void *)(long)SCRATCH);
}

/* A device of a guest, with or without a nested domain */
struct guest_dev {
	struct fake_guest *fguest;
	struct fake_dev *fdev;
	struct iommufd_device idev;
	struct iommufd_vdevice vdev;
	struct nested_domain ndom;
	struct guest_domain_mapping_info gdom_info;
	/* The map when the DTE was written, and the other way round */
	u16 map_at_dte;
	unsigned int posted_at_dte;
	u64 dte_at_map;
	bool flushed_at_map;
};

static struct guest_dev *guest_dev_init(struct kunit *test, u16 virt_id)
{
	struct fake_viommu *fv = fake_viommu_init(test);
	struct guest_dev *gdev = kunit_kzalloc(test, sizeof(*gdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, gdev);
	gdev->fguest = fake_guest_ready(test, fv);
	gdev->fdev = fake_dev_init(test, fv->fake, FAKE_DEVID, false);
	gdev->idev.dev = &gdev->fdev->pdev.dev;
	gdev->vdev.idev = &gdev->idev;
	gdev->vdev.viommu = &gdev->fguest->aviommu.core;
	gdev->vdev.virt_id = virt_id;
	gdev->gdom_info.hdom_id = 0x1357;
	gdev->ndom.viommu = &gdev->fguest->aviommu;
	gdev->ndom.gdom_info = &gdev->gdom_info;
	gdev->ndom.gdte.dte[0] = XLATE;
	return gdev;
}

static void attach(struct guest_dev *gdev)
{
	gdev->fdev->data.domain = gdev->fguest->aviommu.parent;
	gdev->fdev->data.ndom = &gdev->ndom;
	gdev->fdev->data.vdev_viommu = &gdev->fguest->aviommu;
}

static const u16 virt_ids[] = { 0, 1, 0x1234, 0xffff };

static void vdevice_map(struct kunit *test)
{
	u16 id = *(const u16 *)test->param_value;
	struct guest_dev *gdev = guest_dev_init(test, id);
	struct fake_guest *fguest = gdev->fguest;
	struct iommu_dev_data *data = &gdev->fdev->data;
	struct fake_map *map = fguest->dev_map;
	int ats, writes;

	for (ats = 0; ats < 2; ats++) {
		/* It is blocked without vDEVICE, as after the first round */
		attach(gdev);
		memset(map, 0, sizeof(*map));
		data->ats_enabled = ats;
		KUNIT_EXPECT_EQ(test, 0, amd_viommu_map_vdevice(&gdev->vdev));
		KUNIT_EXPECT_EQ(test, map->writes, ats + 1);
		KUNIT_EXPECT_EQ(test, map->times[id], ats + 1);
		KUNIT_EXPECT_EQ(test, map->host[id], ats ? FAKE_DEVID :
				fguest->guest.trans_devid);
		KUNIT_EXPECT_EQ(test, fguest->posted, 0);
		KUNIT_EXPECT_PTR_EQ(test, data->gdev_viommu, &fguest->aviommu);
		KUNIT_EXPECT_EQ(test, data->gdev_id, id);
		KUNIT_EXPECT_EQ(test, FAKE_DEVID | ats << 16,
				xa_to_value(xa_load(&fguest->guest.devices,
						    id)));

		KUNIT_ASSERT_NOT_NULL(test, gdev->vdev.destroy);
		writes = map->writes;
		gdev->vdev.destroy(&gdev->vdev);
		KUNIT_EXPECT_EQ(test, map->writes, writes + 1);
		KUNIT_EXPECT_EQ(test, map->times[id], map->writes);
		KUNIT_EXPECT_EQ(test, map->host[id], fguest->guest.trans_devid);
		KUNIT_EXPECT_EQ(test, fguest->posted, 0);
		KUNIT_EXPECT_NULL(test, data->gdev_viommu);
		KUNIT_EXPECT_TRUE(test, xa_empty(&fguest->guest.devices));
		KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);
	}
}

/* Commands get to it while it is attached with ATS, not when that goes off */
static void vdevice_hide(struct kunit *test)
{
	struct guest_dev *gdev = guest_dev_init(test, 0x42);
	struct fake_guest *fguest = gdev->fguest;
	struct fake_viommu *fv = fake_viommu_of(test);
	struct iommu_dev_data *data = &gdev->fdev->data;
	struct fake_map *map = fguest->dev_map;
	const u16 none = fguest->guest.trans_devid;
	struct dev_table_entry dte = {};
	unsigned int count;
	int i;

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_map_vdevice(&gdev->vdev));
	KUNIT_EXPECT_EQ(test, map->host[0x42], none);
	attach(gdev);
	data->ats_enabled = 1;
	for (i = 0; i < 3; i++) {
		amd_viommu_apply_dte(data, &dte);
		KUNIT_EXPECT_EQ(test, map->host[0x42], FAKE_DEVID);
		KUNIT_EXPECT_EQ(test, fguest->posted, 0);
		count = map->writes;
		amd_viommu_apply_dte(data, &dte);
		KUNIT_EXPECT_EQ(test, map->writes, count);

		/* It has arrived, and the IOMMU has been waited for */
		count = fv->fake->count;
		amd_viommu_hide_device(data);
		KUNIT_EXPECT_EQ(test, map->host[0x42], none);
		KUNIT_EXPECT_EQ(test, fguest->posted, 0);
		KUNIT_EXPECT_EQ(test, fv->fake->count, count + 1);
		KUNIT_EXPECT_EQ(test, fv->fake->waited, count + 1);
		amd_viommu_hide_device(data);
		KUNIT_EXPECT_EQ(test, fv->fake->count, count + 1);
	}
	data->ats_enabled = 0;
	amd_viommu_apply_dte(data, &dte);
	KUNIT_EXPECT_EQ(test, map->host[0x42], none);
	KUNIT_EXPECT_EQ(test, fguest->bad_entries, 0);
	gdev->vdev.destroy(&gdev->vdev);
	amd_viommu_hide_device(data);
	KUNIT_EXPECT_EQ(test, map->host[0x42], none);
}

static void virt_id_desc(const u16 *id, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "0x%04x", *id);
}

KUNIT_ARRAY_PARAM(virt_id, virt_ids, virt_id_desc);

static void note_dte(struct kunit *test, u128 *ptr)
{
	struct guest_dev *gdev = fake_viommu_of(test)->private;

	gdev->map_at_dte = gdev->fguest->dev_map->host[0x42];
	gdev->posted_at_dte = gdev->fguest->posted;
}

static void note_map(struct kunit *test, struct fake_guest *fguest,
		     unsigned int reg, u64 val)
{
	struct fake_viommu *fv = fake_viommu_of(test);
	struct guest_dev *gdev = fv->private;

	if (reg)
		return;
	gdev->dte_at_map = fake_dte(fv, FAKE_DEVID)->data[3];
	gdev->flushed_at_map = fv->fake->waited == fv->fake->count;
}

/* The DTE names the guest's ID as long as the map has that, and not longer */
static void vdevice_attached(struct kunit *test)
{
	struct guest_dev *gdev = guest_dev_init(test, 0x42);
	struct fake_guest *fguest = gdev->fguest;
	struct fake_viommu *fv = fake_viommu_of(test);
	struct dev_table_entry *dte = fake_dte(fv, FAKE_DEVID);
	const u64 want = BIT_ULL(15) | 0x42 << 16 |
			 (u64)fguest->guest.gid << 32;

	attach(gdev);
	gdev->fdev->data.ats_enabled = 1;
	fv->private = gdev;
	fv->fake->on_write = note_dte;
	fguest->on_write = note_map;
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_map_vdevice(&gdev->vdev));
	KUNIT_EXPECT_EQ(test, gdev->map_at_dte, FAKE_DEVID);
	KUNIT_EXPECT_EQ(test, gdev->posted_at_dte, 0);
	KUNIT_EXPECT_EQ(test, dte->data[3], want);
	KUNIT_EXPECT_EQ(test, dte->data[1] & 0xffff, 0x1357);

	gdev->vdev.destroy(&gdev->vdev);
	KUNIT_EXPECT_EQ(test, gdev->dte_at_map, 0);
	KUNIT_EXPECT_TRUE(test, gdev->flushed_at_map);
	KUNIT_EXPECT_EQ(test, dte->data[3], 0);
	/* No vDEVICE, no DMA */
	KUNIT_EXPECT_EQ(test, dte->data[0] & DTE_FLAG_TV, 0);
	fv->fake->on_write = NULL;
}

static void vdevice_hardware_gone(struct kunit *test)
{
	struct guest_dev *gdev = guest_dev_init(test, 0x42);
	struct fake_guest *fguest = gdev->fguest;
	u64 misc = fguest->vfc[2];
	int i;

	for (i = 0; i < 2; i++) {
		fguest->absent = !i;
		fguest->vfc[2] = 0;
		KUNIT_EXPECT_EQ(test, -EIO,
				amd_viommu_map_vdevice(&gdev->vdev));
		KUNIT_EXPECT_EQ(test, fguest->dev_map->writes, 0);
		KUNIT_EXPECT_NULL(test, gdev->fdev->data.gdev_viommu);
		KUNIT_EXPECT_NULL(test, gdev->vdev.destroy);
		KUNIT_EXPECT_TRUE(test, xa_empty(&fguest->guest.devices));
	}
	fguest->vfc[2] = misc;
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_map_vdevice(&gdev->vdev));
}

/* There is nothing harmless to name any more, and nothing that names it */
static void vdevice_without_trans(struct kunit *test)
{
	struct guest_dev *gdev = guest_dev_init(test, 0x42);
	struct fake_guest *fguest = gdev->fguest;

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_map_vdevice(&gdev->vdev));
	amd_viommu_put_trans_devid(&fguest->guest);
	gdev->vdev.destroy(&gdev->vdev);
	KUNIT_EXPECT_EQ(test, fguest->dev_map->writes, 1);
	KUNIT_EXPECT_NULL(test, gdev->fdev->data.gdev_viommu);
	KUNIT_EXPECT_TRUE(test, xa_empty(&fguest->guest.devices));
}

/* Hardware takes a device for a guest's if all of it is that guest's */
static void dte_of_device(struct kunit *test)
{
	struct guest_dev *gdev = guest_dev_init(test, 0xfedc);
	struct amd_iommu_viommu *aviommu = &gdev->fguest->aviommu, other = {};
	struct iommu_dev_data *data = &gdev->fdev->data;
	struct dev_table_entry dte;
	int i;

	attach(gdev);
	gdev->fguest->guest.hw = &fake_viommu_of(test)->hw;
	data->gdev_id = 0xfedc;
	for (i = 0; i < 8; i++) {
		bool want = i == 7;

		data->gdev_viommu = i & 1 ? aviommu : i & 2 ? NULL : &other;
		gdev->ndom.viommu = i & 2 ? aviommu : &other;
		aviommu->guest = i & 4 ? &gdev->fguest->guest : NULL;
		memset(&dte, 0, sizeof(dte));
		amd_viommu_apply_dte(data, &dte);
		KUNIT_EXPECT_EQ_MSG(test, dte.data[3], !want ? 0 :
				    0xfedc8000ULL |
				    (u64)gdev->fguest->guest.gid << 32,
				    "case %d", i);
		KUNIT_EXPECT_EQ(test, dte.data[0] | dte.data[1] | dte.data[2],
				0);
	}
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE(fill_all),
	KUNIT_CASE(fill_devices),
	KUNIT_CASE(fill_once),
	KUNIT_CASE(fill_before_commands),
	KUNIT_CASE(domain_map_unmap),
	KUNIT_CASE(domain_of_guest),
	KUNIT_CASE_PARAM(vdevice_map, virt_id_gen_params),
	KUNIT_CASE(vdevice_hide),
	KUNIT_CASE(vdevice_attached),
	KUNIT_CASE(vdevice_hardware_gone),
	KUNIT_CASE(vdevice_without_trans),
	KUNIT_CASE(dte_of_device),
	{}
};

static struct kunit_suite map_suite = {
	.name = "amd_iommu_viommu_map",
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);
