// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a guest of the hardware vIOMMU
 *
 * It starts with nothing that could run: registers reset, maps empty, a
 * translate device, and no ring. The end is in the reverse order. What hardware
 * may still use, because it does not confirm that it does not, is taken out of
 * circulation: guest ID, domain ID, device ID, memory.
 */
#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "nested.h"
#include "viommu.h"
#include "viommu_hooks.h"
#include "viommu_trace.h"

static int init_vdevice(struct iommufd_vdevice *vdev)
{
	return amd_viommu_vdevice_init(vdev) ?: amd_viommu_map_vdevice(vdev);
}

static void destroy_viommu(struct iommufd_viommu *viommu)
{
	amd_viommu_guest_destroy(to_amd_viommu(viommu));
	amd_iommufd_viommu_destroy(viommu);
}

static const struct iommufd_viommu_ops hw_ops = {
	.destroy = destroy_viommu,
	.alloc_domain_nested = amd_iommu_alloc_domain_nested,
	.vdevice_init = init_vdevice,
	.cache_invalidate = amd_viommu_cache_invalidate,
	.get_hw_queue_size = amd_viommu_queue_size,
	.hw_queue_validate = amd_viommu_queue_validate,
	.hw_queue_init = amd_viommu_queue_init,
	.commands = amd_viommu_commands,
	.num_commands = AMD_VIOMMU_NUM_COMMANDS,
	.get_command = amd_viommu_get_command,
	.set_command = amd_viommu_set_command,
};

/**
 * amd_viommu_ops_of - The ops of a vIOMMU
 * @aviommu: the vIOMMU
 * @without: ops for one without hardware
 *
 * Return: the ops
 */
const struct iommufd_viommu_ops *
amd_viommu_ops_of(const struct amd_iommu_viommu *aviommu,
		  const struct iommufd_viommu_ops *without)
{
	return aviommu->guest ? &hw_ops : without;
}

static phys_addr_t vf_page(const struct amd_viommu_guest *guest)
{
	return guest->hw->windows.vf + ((u64)guest->gid << VF_PAGE_SHIFT);
}

/* What is the guest's alone, in software */
static int init_ids(struct amd_viommu_guest *guest)
{
	int domid, ret;

	ret = amd_viommu_add_guest(guest);
	if (ret)
		return ret;
	domid = amd_iommu_pdom_id_alloc_guest();
	if (domid <= 0) {
		ret = -ENOSPC;
		goto out_gid;
	}
	guest->scratch_domid = domid;
	guest->vfc = guest->hw->vfc + ((u64)guest->gid << VFC_SHIFT);
	guest->vf = ioremap(vf_page(guest), PAGE_SIZE);
	if (!guest->vf) {
		ret = -ENOMEM;
		goto out_domid;
	}
	return 0;

out_domid:
	amd_iommu_pdom_id_free(domid);
out_gid:
	amd_viommu_del_guest(guest);
	return ret;
}

static void exit_ids(struct amd_viommu_guest *guest)
{
	/* Nobody looks at the registers any more */
	amd_viommu_del_guest(guest);
	iounmap(guest->vf);
	if (!guest->stuck)
		amd_iommu_pdom_id_free(guest->scratch_domid);
}

/*
 * The IOMMU has the parent's translations cached even if none of its devices
 * are attached to that: the rings are reached by them. So it is on the list of
 * those that the parent flushes, and the parent's ID is flushed when it is not
 * any more.
 */
static void detach_parent(struct amd_viommu_guest *guest)
{
	struct protection_domain *parent = guest->viommu->parent;

	if (amd_iommu_flush_hdom_id(guest->hw->iommu, parent->id))
		guest->stuck = true;
	pdom_detach_iommu(guest->hw->iommu, parent);
}

static int init_hardware(struct amd_viommu_guest *guest)
{
	struct amd_iommu *iommu = guest->hw->iommu;
	int ret;

	ret = pdom_attach_iommu(iommu, guest->viommu->parent);
	if (ret)
		return ret;
	ret = amd_viommu_maps_init(guest);
	if (ret)
		goto out_detach;
	ret = amd_viommu_reset(guest) ?: amd_viommu_get_trans_devid(guest);
	if (!ret && amd_viommu_is_gone(guest))
		ret = -EIO;
	if (ret)
		goto out_maps;
	return 0;

out_maps:
	if (guest->trans_devid && amd_viommu_park(guest))
		guest->stuck = true;
	amd_viommu_put_trans_devid(guest);
	if (amd_viommu_maps_exit(guest))
		guest->stuck = true;
out_detach:
	detach_parent(guest);
	return ret;
}

/*
 * RESET_VMMIO makes the translate device the first one of the segment. What did
 * not stop must not go on by the table of that.
 */
static void amd_viommu_reset_for_good(struct amd_viommu_guest *guest)
{
	int ret = amd_viommu_park(guest);

	if (amd_viommu_reset(guest) || ret)
		guest->stuck = true;
	if (!guest->running)
		return;
	ret = amd_viommu_park(guest);
	if (amd_viommu_wait_stopped(guest, guest->running) || ret)
		guest->stuck = true;
}

static void exit_hardware(struct amd_viommu_guest *guest)
{
	amd_viommu_reset_for_good(guest);
	amd_viommu_put_trans_devid(guest);
	if (amd_viommu_maps_exit(guest))
		guest->stuck = true;
	detach_parent(guest);
}

/* amd_viommu_change_top() finds the guest by that */
static void set_guest(struct amd_iommu_viommu *aviommu,
		      struct amd_viommu_guest *guest)
{
	unsigned long flags;

	spin_lock_irqsave(&aviommu->parent->lock, flags);
	aviommu->guest = guest;
	spin_unlock_irqrestore(&aviommu->parent->lock, flags);
}

static struct amd_viommu_guest *new_guest(struct amd_iommu_viommu *aviommu,
					  struct amd_viommu_hw *hw)
{
	struct amd_viommu_guest *guest;
	int ret;

	guest = kzalloc_obj(*guest, GFP_KERNEL_ACCOUNT);
	if (!guest)
		return ERR_PTR(-ENOMEM);
	guest->hw = hw;
	guest->viommu = aviommu;
	guest->caps = amd_viommu_hw_caps(hw);
	amd_viommu_init_locks(guest);

	ret = init_ids(guest);
	if (ret)
		goto out_free;
	/* Before there is a DTE that has the top of the parent in it */
	set_guest(aviommu, guest);
	ret = init_hardware(guest);
	if (ret)
		goto out_ids;
	ret = iommufd_viommu_alloc_mmap(&aviommu->core, vf_page(guest),
					PAGE_SIZE, &guest->mmap_offset);
	if (ret)
		goto out_hardware;
	return guest;

out_hardware:
	exit_hardware(guest);
out_ids:
	set_guest(aviommu, NULL);
	exit_ids(guest);
out_free:
	kfree(guest);
	return ERR_PTR(ret);
}

/**
 * amd_viommu_guest_create - Let hardware do what it can for a guest
 * @aviommu: the vIOMMU, on the list of its parent
 * @data: what to tell user space
 *
 * An IOMMU without a vIOMMU is no error: there is nothing it does by itself.
 * Nor is one that cannot say of memory that it writes that it is dirty, if that
 * is wanted.
 *
 * Return: 0, -ENOMEM, -ENOSPC if an ID of some kind has run out or the user has
 * as many as it may, -EIO if the IOMMU does not answer
 */
int amd_viommu_guest_create(struct amd_iommu_viommu *aviommu,
			    struct iommu_viommu_amd *data)
{
	struct amd_iommu *iommu = container_of(aviommu->core.iommu_dev,
					       struct amd_iommu, iommu);
	struct amd_viommu_guest *guest;
	struct amd_viommu_hw *hw;
	int ret;

	if (aviommu->parent->domain.dirty_ops &&
	    !(iommu->features & FEATURE_HDSUP))
		return 0;
	hw = amd_viommu_hw_get(iommu);
	if (IS_ERR(hw))
		return PTR_ERR(hw) == -ENODEV ? 0 : PTR_ERR(hw);
	ret = amd_viommu_charge(aviommu, AMD_VIOMMU_GUESTS);
	if (ret)
		goto out_hw;
	guest = new_guest(aviommu, hw);
	if (IS_ERR(guest)) {
		ret = PTR_ERR(guest);
		goto out_uncharge;
	}

	/* The core of nested translation gives that back */
	aviommu->charged = true;
	amd_viommu_debugfs_add(guest);
	trace_amd_viommu_guest(guest, true);
	data->out_caps = guest->caps;
	data->out_vfmmio_mmap_offset = guest->mmap_offset;
	data->out_vfmmio_mmap_length = PAGE_SIZE;
	return 0;

out_uncharge:
	amd_viommu_uncharge(aviommu, AMD_VIOMMU_GUESTS);
out_hw:
	amd_viommu_hw_put(hw);
	return ret;
}

/**
 * amd_viommu_guest_destroy - Undo amd_viommu_guest_create()
 * @aviommu: the vIOMMU; may have no hardware
 *
 * It has no HW queues, vDEVICEs and nested domains any more, and no mapping.
 */
void amd_viommu_guest_destroy(struct amd_iommu_viommu *aviommu)
{
	struct amd_viommu_guest *guest = aviommu->guest;
	struct amd_viommu_hw *hw;

	if (!guest)
		return;
	hw = guest->hw;
	iommufd_viommu_destroy_mmap(&aviommu->core, guest->mmap_offset);
	amd_viommu_debugfs_del(guest);
	exit_hardware(guest);
	set_guest(aviommu, NULL);
	trace_amd_viommu_guest(guest, false);
	exit_ids(guest);
	xa_destroy(&guest->devices);
	kfree(guest);
	amd_viommu_hw_put(hw);
}
