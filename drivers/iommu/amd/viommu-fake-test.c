// SPDX-License-Identifier: GPL-2.0-only
/* A hardware vIOMMU for KUnit tests: registers that are memory */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>

#include "nested.h"
#include "viommu-fake-test.h"
#include "viommu_hooks.h"

#define MAP_BITS	(BIT_ULL(63) | BIT_ULL(0) | \
			 GENMASK_ULL(61, 46) | GENMASK_ULL(29, 14))

static struct fake_guest *to_fake(struct amd_viommu_guest *guest)
{
	return container_of(guest, struct fake_guest, guest);
}

static void write_map(struct fake_guest *fguest, struct fake_map *map, u64 val)
{
	u16 guest_id = val >> 46;

	if ((val & ~MAP_BITS) || !(val & BIT_ULL(63)) || !(val & BIT_ULL(0)))
		fguest->bad_entries++;
	map->host[guest_id] = val >> 14;
	map->times[guest_id]++;
	map->writes++;
}

static void write_ring(struct fake_guest *fguest, u64 runs, u64 val)
{
	u64 *status = &fguest->vf[VF_STATUS / 8];

	if (val & FAKE_RING_EN) {
		*status |= runs;
		fguest->stopping &= ~runs;
	} else if (!fguest->lag) {
		*status &= ~runs | fguest->hangs;
	} else {
		fguest->stopping |= runs & *status;
	}
}

/* Head and tail of the rings whose bases a register has */
static void reset_pointers(struct fake_guest *fguest, unsigned int reg)
{
	static const u8 heads[VFC_NUM_REGS] = {
		[VFC_EVT_B_BASE / 8] = VF_EVT_B_HEAD / 8,
		[VFC_EVT / 8] = VF_EVT_HEAD / 8,
		[VFC_PPR / 8] = VF_PPR_HEAD / 8,
		[VFC_PPR_B_BASE / 8] = VF_PPR_B_HEAD / 8,
	};

	if (!fguest->base_resets || reg <= VFC_MISC)
		return;
	fguest->vf[heads[reg / 8]] = 0;
	fguest->vf[heads[reg / 8] + 1] = 0;
}

static void fake_vfc_write(struct amd_viommu_guest *guest, unsigned int reg,
			   u64 val)
{
	struct fake_guest *fguest = to_fake(guest);

	if (fguest->on_write)
		fguest->on_write(kunit_get_current_test(), fguest, reg, val);
	if (fguest->count < FAKE_WRITES)
		fguest->writes[fguest->count] = (struct fake_write) {
			reg, val
		};
	fguest->count++;
	fguest->posted++;
	if (fguest->absent)
		return;

	if ((fguest->vfc[reg / 8] ^ val) & (VFC_BASE << 4 | VFC_BASE))
		reset_pointers(fguest, reg);
	fguest->vfc[reg / 8] = val;
	if (reg == VFC_DEV_MAP)
		write_map(fguest, fguest->dev_map, val);
	else if (reg == VFC_DOM_MAP)
		write_map(fguest, fguest->dom_map, val);
	else if (reg == VFC_CMD)
		write_ring(fguest, FAKE_CMD_RUNS, val);
	else if (reg == VFC_EVT)
		write_ring(fguest, FAKE_EVT_RUNS, val);
	else if (reg == VFC_PPR)
		write_ring(fguest, FAKE_PPR_RUNS, val);
}

static u64 fake_vfc_read(struct amd_viommu_guest *guest, unsigned int reg)
{
	struct fake_guest *fguest = to_fake(guest);

	fguest->posted = 0;
	if (fguest->absent)
		return U64_MAX;
	return fguest->vfc[reg / 8] |
	       (reg == VFC_MISC ? fguest->misc_extra : 0);
}

static u64 fake_vf_read(struct amd_viommu_guest *guest, unsigned int reg)
{
	struct fake_guest *fguest = to_fake(guest);
	u64 val = fguest->vf[reg / 8];

	fguest->posted = 0;
	if (fguest->absent)
		return U64_MAX;
	if (reg == VF_STATUS && fguest->stopping && !--fguest->lag) {
		fguest->vf[reg / 8] &= ~fguest->stopping | fguest->hangs;
		fguest->stopping = 0;
	}
	return val;
}

/* Maps are in memory, which no reset changes */
static void reset_guest(struct fake_viommu *fv, u16 gid)
{
	struct fake_guest *fguest;
	unsigned int i;

	for (i = 0; i < fv->num_guests; i++) {
		fguest = fv->guests[i];
		if (fguest->guest.gid != gid || fguest->absent)
			continue;
		memset(fguest->vf, 0, sizeof(fguest->vf));
		memset(fguest->vfc, 0, sizeof(fguest->vfc));
	}
}

static void execute(struct kunit *test)
{
	struct fake_iommu *fake = test->priv;
	struct fake_viommu *fv = fake->private;

	for (; fv->executed < min(fake->count, FAKE_CMDS); fv->executed++)
		if (fake_opcode(&fake->cmds[fv->executed]) == 0xa)
			reset_guest(fv, fake->cmds[fv->executed].data[0]);
	if (fv->on_wait)
		fv->on_wait(test);
}

static void free_viommu(void *data)
{
	struct fake_viommu *fv = data;

	ida_destroy(&fv->hw.gids);
	amd_iommu_domain_free(&fv->parent->domain);
}

/* Its size is what the driver has found, where there is an IOMMU */
static void parent_init(struct kunit *test, struct fake_viommu *fv)
{
	u8 size = amd_iommu_hpt_vasize;
	struct iommu_domain *domain;

	amd_iommu_hpt_vasize = 48;
	domain = amd_iommu_domain_alloc_paging_v1(&fv->pdev.dev, 0);
	amd_iommu_hpt_vasize = size;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	fv->parent = to_pdomain(domain);
}

struct fake_viommu *fake_viommu_init(struct kunit *test)
{
	static atomic_t segments = ATOMIC_INIT(0);
	struct fake_iommu *first = test->priv;
	struct fake_viommu *fv;

	fv = kunit_kzalloc(test, sizeof(*fv), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fv);
	fv->pdev.dev.init_name = "fake";
	set_dev_node(&fv->pdev.dev, NUMA_NO_NODE);
	parent_init(test, fv);
	ida_init(&fv->hw.gids);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_viommu,
							   fv));

	fv->fake = fake_iommu_init(test);
	/* What is left over from one test is not in the way of another */
	fv->fake->seg.id = 0x8000 + atomic_inc_return(&segments) % 0x7fff;
	fv->fake->seg.irq_lookup_table = fv->irq_tables;
	fv->fake->iommu.dev = &fv->pdev;
	fv->fake->iommu.iommu.dev = &fv->pdev.dev;
	fv->fake->iommu.devid = 0x0002;
	fv->fake->iommu.mmio_base = (__force void __iomem *)fv->mmio;
	fv->fake->iommu.viommu_hw = &fv->hw;
	fv->fake->private = fv;
	fv->fake->on_wait = execute;
	fv->hw.iommu = &fv->fake->iommu;
	if (first)
		test->priv = first;

	kunit_activate_static_stub(test, amd_viommu_vfc_write_raw,
				   fake_vfc_write);
	kunit_activate_static_stub(test, amd_viommu_vfc_read, fake_vfc_read);
	kunit_activate_static_stub(test, amd_viommu_vf_read, fake_vf_read);
	return fv;
}

static void free_guest(void *data)
{
	struct fake_guest *fguest = data;

	/* What these record to may be gone already */
	fake_viommu_of(kunit_get_current_test())->on_wait = NULL;
	fguest->on_write = NULL;
	irq_work_sync(&fguest->guest.resumed_irq);
	cancel_work_sync(&fguest->guest.resumed);
	list_del(&fguest->aviommu.pdom_list);
	amd_viommu_put_trans_devid(&fguest->guest);
	if (fguest->guest.gid)
		amd_viommu_del_guest(&fguest->guest);
	xa_destroy(&fguest->guest.devices);
	xa_destroy(&fguest->aviommu.gdomid_array);
	amd_viommu_owner_put(&fguest->aviommu);
	kvfree(fguest->dev_map);
	kvfree(fguest->dom_map);
}

struct fake_guest *fake_guest_init(struct kunit *test, struct fake_viommu *fv)
{
	struct fake_viommu *first = fake_viommu_of(test);
	struct fake_guest *fguest;

	fguest = kunit_kzalloc(test, sizeof(*fguest), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fguest);
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_owner_get(&fguest->aviommu));
	fguest->dev_map = kvzalloc_obj(*fguest->dev_map);
	fguest->dom_map = kvzalloc_obj(*fguest->dom_map);
	list_add_tail(&fguest->aviommu.pdom_list, &fv->parent->viommu_list);
	amd_viommu_init_locks(&fguest->guest);
	xa_init_flags(&fguest->aviommu.gdomid_array, XA_FLAGS_ALLOC1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_guest,
							   fguest));
	KUNIT_ASSERT_NOT_NULL(test, fguest->dev_map);
	KUNIT_ASSERT_NOT_NULL(test, fguest->dom_map);

	mutex_init(&fguest->aviommu.core.lock);
	init_rwsem(&fguest->aviommu.core.veventqs_rwsem);
	INIT_LIST_HEAD(&fguest->aviommu.core.veventqs);
	fguest->aviommu.core.iommu_dev = &fv->fake->iommu.iommu;
	fguest->aviommu.parent = fv->parent;
	fguest->aviommu.guest = &fguest->guest;
	fguest->guest.viommu = &fguest->aviommu;
	fguest->guest.hw = &fv->hw;
	fguest->guest.scratch_domid = 0x5c5c;
	fguest->guest.vf = (__force void __iomem *)fguest->vf;
	fguest->guest.vfc = (__force void __iomem *)fguest->vfc;
	KUNIT_ASSERT_LT(test, first->num_guests, FAKE_GUESTS);
	first->guests[first->num_guests++] = fguest;
	return fguest;
}

struct fake_guest *fake_guest_add(struct kunit *test, struct fake_viommu *fv)
{
	struct fake_guest *fguest = fake_guest_init(test, fv);

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_add_guest(&fguest->guest));
	return fguest;
}

struct fake_guest *fake_guest_ready(struct kunit *test, struct fake_viommu *fv)
{
	struct fake_guest *fguest = fake_guest_add(test, fv);

	KUNIT_ASSERT_EQ(test, 0, amd_viommu_get_trans_devid(&fguest->guest));
	return fguest;
}

/* No test looks into them: that they are there is what counts */
void fake_guest_rings(struct fake_guest *fguest, unsigned long rings)
{
	static struct amd_viommu_queue queue;
	unsigned int i;

	for (i = 0; i < AMD_VIOMMU_NUM_RINGS; i++)
		fguest->guest.queues[i] = rings & BIT(i) ? &queue : NULL;
}

void fake_take_devids(struct fake_viommu *fv, u16 low, u16 high)
{
	static struct irq_remap_table *taken = (void *)1;
	unsigned int i;

	for (i = 0; i < FAKE_DEVICES; i++)
		fv->irq_tables[i] = i < low || i > high ? taken : NULL;
}
