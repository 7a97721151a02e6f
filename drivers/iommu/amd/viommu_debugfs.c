// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen of the guests of a hardware vIOMMU, in the directory of the
 * IOMMU in debugfs. Read-only; Documentation/ABI/testing/debugfs-amd-viommu
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "amd_iommu.h"
#include "viommu.h"

static const struct {
	const char *name;
	u8 offset;
} vf_regs[] = {
	{ "cmd_head", VF_CMD_HEAD },
	{ "cmd_tail", VF_CMD_TAIL },
	{ "evt_head", VF_EVT_HEAD },
	{ "evt_tail", VF_EVT_TAIL },
	{ "status", VF_STATUS },
	{ "ppr_head", VF_PPR_HEAD },
	{ "ppr_tail", VF_PPR_TAIL },
	{ "ppr_b_head", VF_PPR_B_HEAD },
	{ "ppr_b_tail", VF_PPR_B_TAIL },
	{ "evt_b_head", VF_EVT_B_HEAD },
	{ "evt_b_tail", VF_EVT_B_TAIL },
}, vfc_regs[] = {
	{ "misc", VFC_MISC },
	{ "evt_b_base", VFC_EVT_B_BASE },
	{ "cmd", VFC_CMD },
	{ "evt", VFC_EVT },
	{ "ppr", VFC_PPR },
	{ "ppr_b_base", VFC_PPR_B_BASE },
};

static int registers_show(struct seq_file *m, void *unused)
{
	struct amd_viommu_guest *guest = m->private;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vf_regs); i++)
		seq_printf(m, "vf %s 0x%llx\n", vf_regs[i].name,
			   amd_viommu_vf_read(guest, vf_regs[i].offset));
	for (i = 0; i < ARRAY_SIZE(vfc_regs); i++)
		seq_printf(m, "vfctrl %s 0x%llx written 0x%llx\n",
			   vfc_regs[i].name,
			   amd_viommu_vfc_read(guest, vfc_regs[i].offset),
			   READ_ONCE(guest->shadow[vfc_regs[i].offset / 8]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(registers);

static int devices_show(struct seq_file *m, void *unused)
{
	struct amd_viommu_guest *guest = m->private;
	unsigned long id;
	void *entry;

	seq_printf(m, "translate 0x%04x\n", READ_ONCE(guest->trans_devid));
	xa_for_each(&guest->devices, id, entry)
		seq_printf(m, "0x%04lx 0x%04x%s\n", id,
			   (u16)xa_to_value(entry),
			   xa_to_value(entry) & AMD_VIOMMU_IN_REACH ? "" :
			   " out of reach");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(devices);

static int domains_show(struct seq_file *m, void *unused)
{
	struct amd_viommu_guest *guest = m->private;
	struct xarray *domains = &guest->viommu->gdomid_array;
	struct guest_domain_mapping_info *info;
	unsigned long id, flags;
	u32 hdom_id;

	seq_printf(m, "scratch 0x%04x%s\n", guest->scratch_domid,
		   guest->maps_filled ? "" : " unused");
	xa_for_each(domains, id, info) {
		xa_lock_irqsave(domains, flags);
		info = xa_load(domains, id);
		hdom_id = info ? info->hdom_id : 0;
		xa_unlock_irqrestore(domains, flags);
		if (hdom_id)
			seq_printf(m, "0x%04lx 0x%04x\n", id, hdom_id);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(domains);

static int counters_show(struct seq_file *m, void *unused)
{
	struct amd_viommu_guest *guest = m->private;

	seq_printf(m, "map_writes %lld\nevents %lld\ninterrupts %lld\nstuck %d\n",
		   atomic64_read(&guest->map_writes),
		   atomic64_read(&guest->events), atomic64_read(&guest->irqs),
		   READ_ONCE(guest->stuck));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

/**
 * amd_viommu_debugfs_add - Show a guest
 * @guest: the guest
 */
void amd_viommu_debugfs_add(struct amd_viommu_guest *guest)
{
	char name[sizeof("guest0000")];
	struct dentry *dir;

	snprintf(name, sizeof(name), "guest%04x", guest->gid);
	dir = debugfs_create_dir(name, guest->hw->iommu->debugfs);
	debugfs_create_file("registers", 0400, dir, guest, &registers_fops);
	debugfs_create_file("devices", 0400, dir, guest, &devices_fops);
	debugfs_create_file("domains", 0400, dir, guest, &domains_fops);
	debugfs_create_file("counters", 0400, dir, guest, &counters_fops);
	guest->debugfs = dir;
}

/**
 * amd_viommu_debugfs_del - Undo amd_viommu_debugfs_add()
 * @guest: the guest
 *
 * Waits for who is reading.
 */
void amd_viommu_debugfs_del(struct amd_viommu_guest *guest)
{
	debugfs_remove_recursive(guest->debugfs);
}
