// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IDs of a guest mean: the DevID and the DomID map of each guest
 *
 * The maps are in memory, but in a format that only hardware knows, and written
 * entry by entry through two registers. No entry can be taken back, as far as
 * is known: one that is of no use has to name something harmless.
 *
 * - All device IDs that the guest has no device for name its translate device:
 *   an entry of the device table that no device has. So do those of devices
 *   that have no ATS for the guest, as long as that is so: what else a command
 *   can invalidate of a device is for the host to do, and one that does not
 *   answer, as it is being reset, would hold up the commands of all.
 * - All domain IDs that the guest has no domain for name its scratch domain:
 *   an ID that nothing is tagged with.
 *
 * Hardware makes an entry in the host's event log for each command with an ID
 * that has no entry, which a guest could fill with them. So all IDs get one
 * before the first command can be executed. That takes 131072 writes.
 */
#include <linux/bitfield.h>
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "nested.h"
#include "viommu.h"
#include "viommu_hooks.h"
#include "viommu_trace.h"

/* Entries of a map that are written without letting others run */
#define MAP_BATCH	256

static u64 dev_map_addr(const struct amd_viommu_guest *guest)
{
	return PAS_DEV_MAP + (u64)guest->gid * PAS_DEV_MAP_SIZE;
}

static u64 dom_map_addr(const struct amd_viommu_guest *guest)
{
	return PAS_DOM_MAP + (u64)guest->gid * PAS_DOM_MAP_SIZE;
}

/**
 * amd_viommu_maps_init - Give the hardware memory for the maps of a guest
 * @guest: the guest
 *
 * Return: 0, -ENOMEM, -EIO if the IOMMU does not answer
 */
int amd_viommu_maps_init(struct amd_viommu_guest *guest)
{
	struct amd_viommu_hw *hw = guest->hw;
	int nid = dev_to_node(&hw->iommu->dev->dev);
	int ret;

	ret = amd_viommu_mem_alloc(&guest->dev_map, PAS_DEV_MAP_SIZE, nid,
				   GFP_KERNEL_ACCOUNT);
	if (ret)
		return ret;
	ret = amd_viommu_mem_alloc(&guest->dom_map, PAS_DOM_MAP_SIZE, nid,
				   GFP_KERNEL_ACCOUNT);
	if (ret)
		goto out_dev_mem;
	ret = amd_viommu_pas_map(hw, dev_map_addr(guest), &guest->dev_map);
	if (ret)
		goto out_dom_mem;
	ret = amd_viommu_pas_map(hw, dom_map_addr(guest), &guest->dom_map);
	if (ret)
		goto out_dev_map;
	return 0;

out_dev_map:
	ret = amd_viommu_pas_unmap(hw, dev_map_addr(guest),
				   &guest->dev_map) ?: ret;
out_dom_mem:
	/* Memory that the IOMMU may use is nobody else's */
	if (ret == -EIO)
		return ret;
	amd_viommu_mem_free(&guest->dom_map);
out_dev_mem:
	amd_viommu_mem_free(&guest->dev_map);
	return ret;
}

/**
 * amd_viommu_maps_exit - Undo amd_viommu_maps_init()
 * @guest: the guest, whose rings are off for good
 *
 * If the IOMMU does not confirm that it has forgotten the memory, then that is
 * not freed.
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_maps_exit(struct amd_viommu_guest *guest)
{
	struct amd_viommu_hw *hw = guest->hw;
	int ret;

	ret = amd_viommu_pas_unmap(hw, dom_map_addr(guest), &guest->dom_map);
	if (!ret)
		amd_viommu_mem_free(&guest->dom_map);
	if (!amd_viommu_pas_unmap(hw, dev_map_addr(guest), &guest->dev_map))
		amd_viommu_mem_free(&guest->dev_map);
	else
		ret = -EIO;
	return ret;
}

static void write_domain(struct amd_viommu_guest *guest, u16 gdom_id,
			 u16 hdom_id)
{
	amd_viommu_vfc_write(guest, VFC_DOM_MAP,
			     amd_viommu_vfc_map_entry(gdom_id, hdom_id));
}

static void amd_viommu_fill_dom_map(struct amd_viommu_guest *guest)
{
	struct amd_iommu_viommu *aviommu = guest->viommu;
	struct guest_domain_mapping_info *info;
	unsigned long flags;
	unsigned int id;

	for (id = 0; id <= U16_MAX;) {
		xa_lock_irqsave(&aviommu->gdomid_array, flags);
		do {
			info = xa_load(&aviommu->gdomid_array, id);
			write_domain(guest, id, info && info->hdom_id ?
				     info->hdom_id : guest->scratch_domid);
		} while (++id % MAP_BATCH);
		xa_unlock_irqrestore(&aviommu->gdomid_array, flags);
		cond_resched();
	}
}

/**
 * amd_viommu_map_domain - Say what a domain ID of a guest means
 * @aviommu: vIOMMU of the guest; may have no hardware
 * @gdom_id: domain ID of the guest
 * @hdom_id: that of the host
 *
 * Before a DTE has @hdom_id. With the lock of the guest's domain IDs held.
 */
void amd_viommu_map_domain(struct amd_iommu_viommu *aviommu, u16 gdom_id,
			   u16 hdom_id)
{
	if (!aviommu->guest)
		return;
	write_domain(aviommu->guest, gdom_id, hdom_id);
	trace_amd_viommu_map_domain(aviommu->guest, gdom_id, hdom_id);
}

/**
 * amd_viommu_unmap_domain - Undo amd_viommu_map_domain()
 * @aviommu: vIOMMU of the guest; may have no hardware
 * @gdom_id: domain ID of the guest
 *
 * When no DTE has the host's ID any more, but before that is flushed. With the
 * lock of the guest's domain IDs held.
 */
void amd_viommu_unmap_domain(struct amd_iommu_viommu *aviommu, u16 gdom_id)
{
	struct amd_viommu_guest *guest = aviommu->guest;

	if (!guest)
		return;
	write_domain(guest, gdom_id, guest->scratch_domid);
	/* The flush must not overtake it */
	amd_viommu_vfc_post(guest);
	trace_amd_viommu_map_domain(guest, gdom_id, guest->scratch_domid);
}

static void amd_viommu_write_device(struct amd_viommu_guest *guest, u16 gdev_id,
				    u16 hdev_id)
{
	amd_viommu_vfc_write(guest, VFC_DEV_MAP,
			     amd_viommu_vfc_map_entry(gdev_id, hdev_id));
}

static bool amd_viommu_in_reach(struct amd_viommu_guest *guest, u16 gdev_id)
{
	void *entry = xa_load(&guest->devices, gdev_id);

	return entry && (xa_to_value(entry) & AMD_VIOMMU_IN_REACH);
}

/*
 * Devices in reach have their entries already. Sleeps; others come and go
 * meanwhile.
 */
static void amd_viommu_fill_dev_map(struct amd_viommu_guest *guest)
{
	unsigned long flags;
	unsigned int id;

	for (id = 0; id <= U16_MAX;) {
		xa_lock_irqsave(&guest->devices, flags);
		do {
			if (!amd_viommu_in_reach(guest, id))
				amd_viommu_write_device(guest, id,
							guest->no_devid);
		} while (++id % MAP_BATCH);
		xa_unlock_irqrestore(&guest->devices, flags);
		cond_resched();
	}
}

/**
 * amd_viommu_fill_maps - Give all device and domain IDs of a guest a meaning
 * @guest: the guest, with its lock held
 *
 * Before it can execute a command. Sleeps; nested domains may come and go.
 */
void amd_viommu_fill_maps(struct amd_viommu_guest *guest)
{
	if (guest->maps_filled)
		return;
	amd_viommu_fill_dev_map(guest);
	amd_viommu_fill_dom_map(guest);
	amd_viommu_vfc_post(guest);
	guest->maps_filled = true;
}

/**
 * amd_viommu_set_no_devid - Say what an ID means that is no device's
 * @guest: the guest
 * @devid: its translate device ID, 0 if it has none any more
 */
void amd_viommu_set_no_devid(struct amd_viommu_guest *guest, u16 devid)
{
	unsigned long flags;

	xa_lock_irqsave(&guest->devices, flags);
	guest->no_devid = devid;
	xa_unlock_irqrestore(&guest->devices, flags);
}

/*
 * The device may be attached already, or still be: its DTE follows. If it is
 * being reset, then it has another DTE for now, and gets this one later.
 */
static void set_guest_devid(struct iommu_dev_data *dev_data,
			    struct amd_iommu_viommu *aviommu, u16 gdev_id)
{
	unsigned long flags;

	guard(mutex)(&dev_data->mutex);
	if (!dev_data->ndom) {
		dev_data->gdev_viommu = aviommu;
		dev_data->gdev_id = gdev_id;
		return;
	}
	/* A new top of the parent writes the DTE, too: with both or neither */
	spin_lock_irqsave(&dev_data->domain->lock, flags);
	dev_data->gdev_viommu = aviommu;
	dev_data->gdev_id = gdev_id;
	dev_update_dte(dev_data, true);
	spin_unlock_irqrestore(&dev_data->domain->lock, flags);
}

/* True if that is a change. Any context; needs no memory. */
static bool amd_viommu_set_reach(struct amd_viommu_guest *guest, u16 gdev_id,
				 bool reach)
{
	bool change = false;
	unsigned long flags;
	u16 hdev_id = 0;
	void *entry;

	xa_lock_irqsave(&guest->devices, flags);
	entry = xa_load(&guest->devices, gdev_id);
	if (entry && amd_viommu_in_reach(guest, gdev_id) != reach) {
		change = true;
		__xa_store(&guest->devices, gdev_id,
			   xa_mk_value(xa_to_value(entry) ^
				       AMD_VIOMMU_IN_REACH), GFP_ATOMIC);
		hdev_id = reach ? xa_to_value(entry) : guest->no_devid;
		/* Without a translate device, commands are off for good */
		if (reach || hdev_id)
			amd_viommu_write_device(guest, gdev_id, hdev_id);
	}
	xa_unlock_irqrestore(&guest->devices, flags);
	if (!change)
		return false;
	amd_viommu_vfc_post(guest);
	trace_amd_viommu_map_device(guest, gdev_id, hdev_id);
	return true;
}

/**
 * amd_viommu_hide_device - Keep commands of a guest from a device
 * @dev_data: the device, with its lock held
 *
 * Before ATS goes off: a device without does not answer an invalidation. It is
 * in reach again when its DTE says that it is the guest's, and has ATS.
 */
void amd_viommu_hide_device(struct iommu_dev_data *dev_data)
{
	struct amd_iommu_viommu *aviommu = dev_data->gdev_viommu;
	struct iommu_cmd flush = { { dev_data->devid,
				     CMD_INV_DEV_ENTRY << 28 } };
	struct amd_iommu *iommu;

	if (!aviommu || !amd_viommu_set_reach(aviommu->guest,
					      dev_data->gdev_id, false))
		return;
	/* What is under way has ended when this has */
	iommu = aviommu->guest->hw->iommu;
	if (!iommu_queue_command(iommu, &flush))
		iommu_completion_wait(iommu);
}

/**
 * amd_viommu_apply_dte - Let hardware know whose a device is
 * @dev_data: the device, which has a nested domain
 * @new: its DTE, about to be written
 *
 * And the guest's commands get to it, if it has ATS. With the lock of the
 * parent held.
 */
void amd_viommu_apply_dte(struct iommu_dev_data *dev_data,
			  struct dev_table_entry *new)
{
	struct amd_iommu_viommu *aviommu = dev_data->ndom->viommu;

	if (!aviommu->guest || dev_data->gdev_viommu != aviommu)
		return;
	amd_viommu_set_reach(aviommu->guest, dev_data->gdev_id,
			     dev_data->ats_enabled);
	new->data[3] |= DTE_VIMU_EN |
			FIELD_PREP(DTE_GDEV_ID, dev_data->gdev_id) |
			FIELD_PREP(DTE_GUEST_ID, aviommu->guest->gid);
}

/**
 * amd_viommu_remap_devices - Follow a change of the translate device ID
 * @guest: the guest, with its lock held
 * @devid: the new ID
 *
 * The old one is that of a device now, and not this guest's. If the map is not
 * filled yet, then no command looks at it before it is.
 */
void amd_viommu_remap_devices(struct amd_viommu_guest *guest, u16 devid)
{
	amd_viommu_set_no_devid(guest, devid);
	if (!guest->maps_filled)
		return;
	amd_viommu_fill_dev_map(guest);
	amd_viommu_vfc_post(guest);
}

/* Out of reach yet. Its DTE names this ID, so there is an entry from now on. */
static int amd_viommu_add_device(struct amd_viommu_guest *guest, u16 gdev_id,
				 u16 hdev_id)
{
	unsigned long flags;
	int ret;

	ret = xa_err(xa_store_irq(&guest->devices, gdev_id,
				  xa_mk_value(hdev_id), GFP_KERNEL));
	if (ret)
		return ret;
	xa_lock_irqsave(&guest->devices, flags);
	if (guest->no_devid)
		amd_viommu_write_device(guest, gdev_id, guest->no_devid);
	xa_unlock_irqrestore(&guest->devices, flags);
	amd_viommu_vfc_post(guest);
	return 0;
}

static void amd_viommu_del_device(struct amd_viommu_guest *guest, u16 gdev_id)
{
	unsigned long flags;
	u16 hdev_id;

	xa_lock_irqsave(&guest->devices, flags);
	__xa_erase(&guest->devices, gdev_id);
	hdev_id = guest->no_devid;
	if (hdev_id)
		amd_viommu_write_device(guest, gdev_id, hdev_id);
	xa_unlock_irqrestore(&guest->devices, flags);
	amd_viommu_vfc_post(guest);
	trace_amd_viommu_map_device(guest, gdev_id, hdev_id);
}

static void unmap_vdevice(struct iommufd_vdevice *vdev)
{
	struct amd_viommu_guest *guest = to_amd_viommu(vdev->viommu)->guest;
	struct device *dev = iommufd_vdevice_to_device(vdev);

	set_guest_devid(dev_iommu_priv_get(dev), NULL, 0);
	amd_viommu_del_device(guest, vdev->virt_id);
	amd_viommu_vdevice_destroy(vdev);
}

/**
 * amd_viommu_map_vdevice - Say what a device ID of a guest means
 * @vdev: vDEVICE of a vIOMMU that has hardware, checked
 *
 * The op to destroy it undoes that.
 *
 * Return: 0, -ENOMEM, -EIO if the hardware is gone, or the guest has lost its
 * rings
 */
int amd_viommu_map_vdevice(struct iommufd_vdevice *vdev)
{
	struct amd_iommu_viommu *aviommu = to_amd_viommu(vdev->viommu);
	struct device *dev = iommufd_vdevice_to_device(vdev);
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	int ret;

	if (amd_viommu_is_gone(aviommu->guest) || !aviommu->guest->trans_devid)
		return -EIO;
	ret = amd_viommu_add_device(aviommu->guest, vdev->virt_id,
				    dev_data->devid);
	if (ret)
		return ret;
	set_guest_devid(dev_data, aviommu, vdev->virt_id);
	vdev->destroy = unmap_vdevice;
	return 0;
}
