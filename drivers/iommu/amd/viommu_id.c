// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest IDs, and device IDs that translate for guests
 *
 * A guest ID is good for one IOMMU: everything it selects is. A translate
 * device ID names an entry of the device table, which all IOMMUs of a PCI
 * segment share, so it must be free in the segment: no device, no alias and no
 * other guest has it. A device may show up later that has it by nature. Then
 * the guest gets another one, see amd_viommu_leave_devid().
 */
#define dev_fmt(fmt)	"AMD-Vi: " fmt

#include <linux/bitfield.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_hooks.h"
#include "viommu_trace.h"

/*
 * The lists of guests, and what is in the table below. Who looks for a guest
 * because hardware has something to tell it does not wait for those who change
 * the lists, but they wait for it before a guest goes.
 */
DEFINE_MUTEX(amd_viommu_guests_mutex);
DEFINE_SRCU(amd_viommu_srcu);

/*
 * Who has a translate device ID, by segment and ID: a guest, or a value. Under
 * amd_viommu_guests_mutex.
 */
static DEFINE_XARRAY(trans_devids);

/* A device has come that it belongs to */
#define AMD_VIOMMU_ID_OF_DEVICE	1
/* The IOMMU has not confirmed that it does not know a guest's entry any more */
#define AMD_VIOMMU_ID_IN_DOUBT	2
/* A ring that does not stop may use it; its entry translates nothing */
#define AMD_VIOMMU_ID_RUNS	3
/* The one of an IOMMU that never translates anything, see block_devids */
#define AMD_VIOMMU_ID_BLOCKS	4

/* Hardware by segment and blocking ID; under amd_viommu_guests_mutex */
static DEFINE_XARRAY(block_devids);

static const struct dev_table_entry amd_viommu_block = {
	.data = { DTE_FLAG_V, 0, DTE_IRQ_REMAP_ENABLE },
};

/**
 * amd_viommu_init_locks - Initialize the locks and the work of a guest
 * @guest: the guest
 */
void amd_viommu_init_locks(struct amd_viommu_guest *guest)
{
	spin_lock_init(&guest->vfc_lock);
	mutex_init(&guest->irq_mutex);
	guest->resumed_irq = IRQ_WORK_INIT_LAZY(amd_viommu_resumed_irq);
	INIT_WORK(&guest->resumed, amd_viommu_resumed);
	INIT_DELAYED_WORK(&guest->loud, amd_viommu_loud);
	xa_init_flags(&guest->devices, XA_FLAGS_LOCK_IRQ | XA_FLAGS_ACCOUNT);
}

/**
 * amd_viommu_add_guest - Give a guest its ID and make it known
 * @guest: the guest
 *
 * Return: 0, -ENOSPC if all IDs of this IOMMU are taken, -ENOMEM
 */
int amd_viommu_add_guest(struct amd_viommu_guest *guest)
{
	int gid;

	gid = ida_alloc_range(&guest->hw->gids, VIOMMU_GID_MIN, VIOMMU_GID_MAX,
			      GFP_KERNEL);
	if (gid < 0)
		return gid;
	guest->gid = gid;

	guard(mutex)(&amd_viommu_guests_mutex);
	hlist_add_head_rcu(&guest->node, &guest->hw->iommu->viommu_guests);
	return 0;
}

/**
 * amd_viommu_del_guest - Undo amd_viommu_add_guest()
 * @guest: the guest
 *
 * Nobody reports anything to it after that. The ID of a guest that hardware did
 * not let go is not used again before all of the vIOMMU has been off.
 */
void amd_viommu_del_guest(struct amd_viommu_guest *guest)
{
	scoped_guard(mutex, &amd_viommu_guests_mutex)
		hlist_del_rcu(&guest->node);
	synchronize_srcu_expedited(&amd_viommu_srcu);
	irq_work_sync(&guest->resumed_irq);
	cancel_work_sync(&guest->resumed);
	cancel_delayed_work_sync(&guest->loud);
	if (!guest->stuck)
		ida_free(&guest->hw->gids, guest->gid);
}

/**
 * amd_viommu_find_guest - Look a guest up
 * @iommu: the IOMMU
 * @gid: guest ID
 *
 * With amd_viommu_srcu or the mutex held.
 *
 * Return: the guest, good for as long as the caller holds that, or NULL
 */
struct amd_viommu_guest *amd_viommu_find_guest(struct amd_iommu *iommu,
					       u16 gid)
{
	struct amd_viommu_guest *guest;

	hlist_for_each_entry_srcu(guest, &iommu->viommu_guests, node,
				  srcu_read_lock_held(&amd_viommu_srcu) ||
				  lockdep_is_held(&amd_viommu_guests_mutex))
		if (guest->gid == gid)
			return guest;
	return NULL;
}

static unsigned long trans_index(struct amd_iommu *iommu, u16 devid)
{
	return PCI_SEG_DEVID_TO_SBDF(iommu->pci_seg->id, devid);
}

static bool is_special(struct list_head *map, struct amd_iommu *iommu,
		       u16 devid)
{
	struct devid_map *entry;

	list_for_each_entry(entry, map, list)
		if (entry->devid ==
		    PCI_SEG_DEVID_TO_SBDF(iommu->pci_seg->id, devid))
			return true;
	return false;
}

/* Devices that ACPI knows have an ID before they are probed */
static bool amd_viommu_is_acpi(struct amd_iommu *iommu, u16 devid)
{
	u32 sbdf = PCI_SEG_DEVID_TO_SBDF(iommu->pci_seg->id, devid);
	struct acpihid_map_entry *entry;

	list_for_each_entry(entry, &acpihid_map, list)
		if (entry->devid == sbdf || entry->root_devid == sbdf)
			return true;
	return false;
}

/**
 * amd_viommu_devid_is_free - Has nothing in the segment this ID?
 * @iommu: an IOMMU of the segment
 * @devid: the ID
 *
 * An ID that a device or an alias has had once counts as taken: their data is
 * kept for ever.
 *
 * Return: true if nothing has
 */
bool amd_viommu_devid_is_free(struct amd_iommu *iommu, u16 devid)
{
	struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	struct amd_iommu *other;
	struct pci_dev *pdev;

	if (!devid || devid > seg->last_bdf || search_dev_data(iommu, devid) ||
	    seg->alias_table[devid] != devid ||
	    (seg->irq_lookup_table && seg->irq_lookup_table[devid]) ||
	    is_special(&ioapic_map, iommu, devid) ||
	    is_special(&hpet_map, iommu, devid) ||
	    amd_viommu_is_acpi(iommu, devid))
		return false;
	for_each_iommu(other)
		if (other->pci_seg == seg && other->devid == devid)
			return false;

	pdev = pci_get_domain_bus_and_slot(seg->id, PCI_BUS_NUM(devid),
					   devid & 0xff);
	pci_dev_put(pdev);
	return !pdev;
}

/* 0 if there is none. From the end, where devices are rare. */
static u16 find_free_devid(struct amd_iommu *iommu)
{
	u16 devid;

	for (devid = iommu->pci_seg->last_bdf; devid; devid--) {
		if (!xa_load(&trans_devids, trans_index(iommu, devid)) &&
		    amd_viommu_devid_is_free(iommu, devid))
			return devid;
		cond_resched();
	}
	return 0;
}

/*
 * Under the lock of the parent, so that its top is the one of the entry, as is
 * whether it tracks what is dirty: the IOMMU writes logs and completions.
 * Interrupt messages of this ID are aborted, IV=1 and IntCtl=0, as those of all
 * IDs that no device has: with IV=0 the IOMMU would pass them unmapped.
 */
static int write_trans_dte(struct amd_viommu_guest *guest, u16 devid,
			   const struct pt_iommu_amdv1_hw_info *pt_info)
{
	struct dev_table_entry dte = { .data[2] = DTE_IRQ_REMAP_ENABLE };
	struct protection_domain *parent = guest->viommu->parent;

	amd_viommu_plain_dte(&dte, pt_info, parent->id);
	if (parent->dirty_tracking)
		dte.data[0] |= DTE_FLAG_HAD;
	return amd_viommu_set_dte(guest->hw->iommu, devid, &dte);
}

/* Needs no memory, as there is an entry */
static void amd_viommu_mark_devid(struct amd_iommu *iommu, u16 devid,
				  unsigned long value)
{
	xa_store(&trans_devids, trans_index(iommu, devid), xa_mk_value(value),
		 GFP_ATOMIC);
}

/*
 * Hardware does not use the ID any more. If it does not say so, nobody else
 * may: the ID stays taken, and the entry translates to nothing.
 */
static int clear_trans_devid(struct amd_viommu_guest *guest, u16 devid,
			     const struct dev_table_entry *old)
{
	struct amd_iommu *iommu = guest->hw->iommu;
	int ret = amd_viommu_set_dte(iommu, devid, old);

	if (!ret)
		xa_erase(&trans_devids, trans_index(iommu, devid));
	else
		amd_viommu_mark_devid(iommu, devid, AMD_VIOMMU_ID_IN_DOUBT);
	return ret;
}

/* The same for a device, which no guest shall be in the way of again */
static int amd_viommu_yield_devid(struct amd_viommu_guest *guest, u16 devid,
				  const struct dev_table_entry *old)
{
	struct amd_iommu *iommu = guest->hw->iommu;
	int ret = amd_viommu_set_dte(iommu, devid, old);

	amd_viommu_mark_devid(iommu, devid, ret ? AMD_VIOMMU_ID_IN_DOUBT :
			      AMD_VIOMMU_ID_OF_DEVICE);
	return ret;
}

static int set_trans_devid(struct amd_viommu_guest *guest, u16 devid)
{
	struct protection_domain *parent = guest->viommu->parent;
	struct pt_iommu_amdv1_hw_info pt_info;
	struct dev_table_entry old;
	unsigned long flags;
	int ret;

	if (!devid)
		return -ENOSPC;
	ret = xa_err(xa_store(&trans_devids,
			      trans_index(guest->hw->iommu, devid), guest,
			      GFP_KERNEL));
	if (ret)
		return ret;

	spin_lock_irqsave(&parent->lock, flags);
	pt_iommu_amdv1_hw_info(&parent->amdv1, &pt_info);
	old = get_dev_table(guest->hw->iommu)[devid];
	ret = write_trans_dte(guest, devid, &pt_info);
	if (!ret) {
		guest->trans_dte = old;
		guest->trans_devid = devid;
		guest->trans_set = true;
	}
	spin_unlock_irqrestore(&parent->lock, flags);
	/* Without an answer the guest stays with what it had */
	if (ret)
		clear_trans_devid(guest, devid, &old);
	return ret;
}

/**
 * amd_viommu_get_trans_devid - Give a guest a translate device ID
 * @guest: the guest, whose rings are off
 *
 * Return: 0, -ENOSPC if no ID is free in the segment, -EIO if the IOMMU does
 * not answer
 */
int amd_viommu_get_trans_devid(struct amd_viommu_guest *guest)
{
	u16 devid;
	int ret;

	guard(mutex)(&amd_viommu_guests_mutex);
	devid = find_free_devid(guest->hw->iommu);
	ret = set_trans_devid(guest, devid);
	if (ret)
		return ret;
	amd_viommu_set_no_devid(guest, devid);
	amd_viommu_vfc_write(guest, VFC_MISC,
			     FIELD_PREP(VFC_TRANS_DEVID, devid));
	return 0;
}

/* Nothing writes the entry for another top of the parent any more */
static struct dev_table_entry
release_trans_dte(struct amd_viommu_guest *guest)
{
	struct protection_domain *parent = guest->viommu->parent;
	unsigned long flags;

	spin_lock_irqsave(&parent->lock, flags);
	guest->trans_set = false;
	spin_unlock_irqrestore(&parent->lock, flags);
	guest->trans_devid = 0;
	amd_viommu_set_no_devid(guest, 0);
	return guest->trans_dte;
}

/**
 * amd_viommu_put_trans_devid - Take the translate device ID back
 * @guest: the guest, whose rings are off for good
 */
void amd_viommu_put_trans_devid(struct amd_viommu_guest *guest)
{
	struct dev_table_entry old;
	u16 devid;

	guard(mutex)(&amd_viommu_guests_mutex);
	devid = guest->trans_devid;
	if (!devid)
		return;
	old = release_trans_dte(guest);
	clear_trans_devid(guest, devid, &old);
}

static void
amd_viommu_write_all_trans(struct protection_domain *pdom,
			   const struct pt_iommu_amdv1_hw_info *info)
{
	struct amd_iommu_viommu *aviommu;

	list_for_each_entry(aviommu, &pdom->viommu_list, pdom_list) {
		struct amd_viommu_guest *guest = aviommu->guest;

		if (guest && guest->trans_set)
			write_trans_dte(guest, guest->trans_devid, info);
	}
}

/**
 * amd_viommu_change_top - The table of a nesting parent has got another top
 * @pdom: the parent
 * @top_paddr: its new top
 * @top_level: and the level of that, less 1
 *
 * The lock of the parent is held.
 */
void amd_viommu_change_top(struct protection_domain *pdom,
			   phys_addr_t top_paddr, unsigned int top_level)
{
	struct pt_iommu_amdv1_hw_info pt_info = {
		.host_pt_root = top_paddr,
		.mode = top_level + 1,
	};

	amd_viommu_write_all_trans(pdom, &pt_info);
}

/**
 * amd_viommu_set_dirty_tracking - A domain starts or ends dirty tracking
 * @pdom: the domain, of v1
 * @enable: the new state
 *
 * The lock of the domain is held.
 *
 * Return: true if the caller has to flush the domain, though it may not have a
 * device: there are guests
 */
bool amd_viommu_set_dirty_tracking(struct protection_domain *pdom, bool enable)
{
	struct pt_iommu_amdv1_hw_info pt_info;

	if (list_empty(&pdom->viommu_list))
		return false;
	/* What is written is made from it */
	pdom->dirty_tracking = enable;
	pt_iommu_amdv1_hw_info(&pdom->amdv1, &pt_info);
	amd_viommu_write_all_trans(pdom, &pt_info);
	return true;
}

/*
 * What hardware does for the guest goes by @devid when this is over, and by
 * nothing else. (inferred: it looks at VFC_MISC with every access to a ring.)
 * Something has to be queued, or there is nothing to wait for.
 */
static int amd_viommu_switch_devid(struct amd_viommu_guest *guest, u16 devid)
{
	u16 from = FIELD_GET(VFC_TRANS_DEVID, guest->shadow[VFC_MISC / 8]);
	struct iommu_cmd flush = { { from, CMD_INV_DEV_ENTRY << 28 } };
	struct amd_iommu *iommu = guest->hw->iommu;

	amd_viommu_vfc_write(guest, VFC_MISC,
			     FIELD_PREP(VFC_TRANS_DEVID, devid));
	amd_viommu_vfc_post(guest);
	return iommu_queue_command(iommu, &flush) ?:
	       iommu_completion_wait(iommu);
}

static int move_trans(struct amd_viommu_guest *guest, u16 to)
{
	u16 from = guest->trans_devid;
	int ret;

	ret = set_trans_devid(guest, to);
	if (ret)
		return ret;
	/* If it is not confirmed, neither is that the old entry is gone */
	amd_viommu_switch_devid(guest, to);
	amd_viommu_remap_devices(guest, to);
	trace_amd_viommu_move_trans(guest, from, to);
	return 0;
}

static int amd_viommu_set_block_devid(struct amd_viommu_hw *hw, u16 devid)
{
	struct amd_iommu *iommu = hw->iommu;
	unsigned long index = trans_index(iommu, devid);
	struct dev_table_entry old;
	int ret;

	if (!devid)
		return -ENOSPC;
	ret = xa_err(xa_store(&trans_devids, index,
			      xa_mk_value(AMD_VIOMMU_ID_BLOCKS), GFP_KERNEL));
	if (ret)
		return ret;
	ret = xa_err(xa_store(&block_devids, index, hw, GFP_KERNEL));
	if (ret)
		goto out_erase;
	old = get_dev_table(iommu)[devid];
	ret = amd_viommu_set_dte(iommu, devid, &amd_viommu_block);
	if (ret)
		goto out_doubt;
	hw->block_dte = old;
	hw->block_devid = devid;
	return 0;

out_doubt:
	amd_viommu_set_dte(iommu, devid, &old);
	amd_viommu_mark_devid(iommu, devid, AMD_VIOMMU_ID_IN_DOUBT);
	xa_erase(&block_devids, index);
	return ret;
out_erase:
	xa_erase(&trans_devids, index);
	return ret;
}

/**
 * amd_viommu_get_block_devid - Reserve a device ID that translates nothing
 * @hw: the vIOMMU, not used by guests yet
 *
 * Return: 0, -ENOSPC if no ID is free in the segment, -ENOMEM, -EIO if the
 * IOMMU does not answer
 */
int amd_viommu_get_block_devid(struct amd_viommu_hw *hw)
{
	guard(mutex)(&amd_viommu_guests_mutex);
	return amd_viommu_set_block_devid(hw, find_free_devid(hw->iommu));
}

/**
 * amd_viommu_put_block_devid - Undo amd_viommu_get_block_devid()
 * @hw: the vIOMMU, off
 */
void amd_viommu_put_block_devid(struct amd_viommu_hw *hw)
{
	unsigned long index;

	guard(mutex)(&amd_viommu_guests_mutex);
	if (!hw->block_devid)
		return;
	index = trans_index(hw->iommu, hw->block_devid);
	xa_erase(&block_devids, index);
	if (amd_viommu_set_dte(hw->iommu, hw->block_devid, &hw->block_dte))
		amd_viommu_mark_devid(hw->iommu, hw->block_devid,
				      AMD_VIOMMU_ID_IN_DOUBT);
	else
		xa_erase(&trans_devids, index);
	hw->block_devid = 0;
}

/**
 * amd_viommu_park - Let nothing be translated for a guest any more
 * @guest: the guest
 *
 * Whatever does not stop accesses nothing after that.
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_park(struct amd_viommu_guest *guest)
{
	u16 devid = READ_ONCE(guest->hw->block_devid);

	/* A device has that, and there was no other */
	if (!devid)
		devid = FIELD_GET(VFC_TRANS_DEVID, guest->shadow[VFC_MISC / 8]);
	return amd_viommu_switch_devid(guest, devid);
}

static int amd_viommu_move_block(struct amd_viommu_hw *hw, u16 devid)
{
	struct dev_table_entry old = hw->block_dte;
	struct amd_viommu_guest *guest;
	int ret = 0;
	u16 to;

	xa_erase(&block_devids, trans_index(hw->iommu, devid));
	hw->block_devid = 0;
	if (amd_viommu_set_block_devid(hw, find_free_devid(hw->iommu)))
		pci_warn(hw->iommu->dev, "no device ID is left that blocks\n");
	to = hw->block_devid;
	hlist_for_each_entry(guest, &hw->iommu->viommu_guests, node) {
		if (guest->trans_devid ||
		    FIELD_GET(VFC_TRANS_DEVID,
			      guest->shadow[VFC_MISC / 8]) != devid)
			continue;
		/* One that has stopped accesses nothing, whatever it has */
		if (to)
			ret = amd_viommu_switch_devid(guest, to) ?: ret;
		else if (guest->running)
			ret = -EBUSY;
	}
	if (ret) {
		amd_viommu_mark_devid(hw->iommu, devid, AMD_VIOMMU_ID_RUNS);
		return ret;
	}
	ret = amd_viommu_set_dte(hw->iommu, devid, &old);
	amd_viommu_mark_devid(hw->iommu, devid, ret ? AMD_VIOMMU_ID_IN_DOUBT :
			      AMD_VIOMMU_ID_OF_DEVICE);
	return ret;
}

/* All IOMMUs of the segment may have had it in use */
static int amd_viommu_flush_devid(struct amd_iommu *iommu, u16 devid)
{
	struct iommu_cmd flush = { { devid, CMD_INV_DEV_ENTRY << 28 } };
	struct amd_iommu *other;
	int ret;

	ret = iommu_queue_command(iommu, &flush) ?:
	      iommu_completion_wait(iommu);
	for_each_iommu(other)
		if (other != iommu && other->pci_seg == iommu->pci_seg)
			ret = iommu_queue_command(other, &flush) ?:
			      iommu_completion_wait(other) ?: ret;
	return ret;
}

/* No guest has the ID, but something else may be in the way of a device */
static int amd_viommu_settle_devid(struct amd_iommu *iommu, u16 devid,
				   unsigned long value)
{
	switch (value) {
	case AMD_VIOMMU_ID_IN_DOUBT:
		if (amd_viommu_flush_devid(iommu, devid))
			return -EIO;
		amd_viommu_mark_devid(iommu, devid, AMD_VIOMMU_ID_OF_DEVICE);
		return 0;
	case AMD_VIOMMU_ID_RUNS:
		return -EBUSY;
	case AMD_VIOMMU_ID_BLOCKS:
		return amd_viommu_move_block(xa_load(&block_devids,
						     trans_index(iommu, devid)),
					     devid);
	default:
		return 0;
	}
}

/*
 * There is no other ID. If a ring does not stop, then the device must not come
 * either: its requests and those of the ring are the same for the IOMMU.
 */
static int amd_viommu_lose_rings(struct amd_viommu_guest *guest, u16 devid)
{
	struct dev_table_entry old;
	int ret;

	pci_warn(guest->hw->iommu->dev,
		 "guest 0x%04x lost its rings to device %04x:%02x:%02x.%x\n",
		 guest->gid, guest->hw->iommu->pci_seg->id, PCI_BUS_NUM(devid),
		 PCI_SLOT(devid), PCI_FUNC(devid));
	amd_viommu_park(guest);
	ret = amd_viommu_stop(guest);
	old = release_trans_dte(guest);
	amd_viommu_report_lost(guest);
	if (!ret)
		return amd_viommu_yield_devid(guest, devid, &old);

	amd_viommu_yield_devid(guest, devid, &amd_viommu_block);
	amd_viommu_mark_devid(guest->hw->iommu, devid, AMD_VIOMMU_ID_RUNS);
	return -EBUSY;
}

/**
 * amd_viommu_leave_devid - A device has got an ID that a guest may use
 * @iommu: the IOMMU of the device
 * @devid: ID of the device or of an alias of it
 *
 * Before anything else is done with the ID, and whatever becomes of the device:
 * its entry must not be written as long as the rings of a guest depend on it.
 * No guest gets the ID after that. If there is no other ID for the guest, then
 * its rings stop, and its VMM is told.
 *
 * Return: 0, -EIO if the IOMMU has not confirmed that no guest uses the ID,
 * -EBUSY if a guest's ring that does not stop has had the ID
 */
int amd_viommu_leave_devid(struct amd_iommu *iommu, u16 devid)
{
	struct amd_viommu_guest *guest;
	struct dev_table_entry old;

	guard(mutex)(&amd_viommu_guests_mutex);
	guest = xa_load(&trans_devids, trans_index(iommu, devid));
	if (!guest)
		return 0;
	if (xa_is_value(guest))
		return amd_viommu_settle_devid(iommu, devid,
					       xa_to_value(guest));

	guard(mutex)(&guest->viommu->core.lock);
	old = guest->trans_dte;
	if (move_trans(guest, find_free_devid(iommu)))
		return amd_viommu_lose_rings(guest, devid);
	return amd_viommu_yield_devid(guest, devid, &old);
}
