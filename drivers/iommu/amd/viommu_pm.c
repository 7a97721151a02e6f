// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend, resume, and the end of this kernel
 *
 * Registers of guests are lost over suspend, or have to be expected to be;
 * memory is not: maps, rings, tables. So the host's registers come from what
 * was last written to them, and those of the guest are saved.
 *
 * A kernel that follows this one must not find rings running in what is its
 * memory now, so whoever turns the IOMMU off turns this off before.
 */
#include <linux/io-64-nonatomic-lo-hi.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_hooks.h"

static const u8 vf_pointers[] = {
	VF_CMD_HEAD, VF_CMD_TAIL, VF_EVT_HEAD, VF_EVT_TAIL, VF_PPR_HEAD,
	VF_PPR_TAIL, VF_EVT_B_HEAD, VF_EVT_B_TAIL, VF_PPR_B_HEAD, VF_PPR_B_TAIL,
};

/**
 * amd_viommu_save - Stop a guest and keep its registers
 * @guest: the guest
 *
 * Nothing else runs, nothing can sleep. The host's registers stay in the shadow
 * as they were: stopping is not what they get when they are restored.
 */
void amd_viommu_save(struct amd_viommu_guest *guest)
{
	u64 shadow[VFC_NUM_REGS];
	unsigned int i;

	memcpy(shadow, guest->shadow, sizeof(shadow));
	amd_viommu_stop_atomic(guest);
	memcpy(guest->shadow, shadow, sizeof(shadow));
	for (i = 0; i < ARRAY_SIZE(vf_pointers); i++)
		guest->saved[vf_pointers[i] / 8] =
			amd_viommu_vf_read(guest, vf_pointers[i]) &
			VF_PTR_MASK;
	/* These cannot be set again, so they are told after resume */
	guest->saved[VF_STATUS / 8] =
		amd_viommu_vf_read(guest, VF_STATUS) & VF_STATUS_INTS;
}

/**
 * amd_viommu_resumed - Tell a VMM what has become of its guest over suspend
 * @work: of the guest
 *
 * Nothing can be told while the registers are restored.
 */
void amd_viommu_resumed(struct work_struct *work)
{
	struct amd_viommu_guest *guest =
		container_of(work, struct amd_viommu_guest, resumed);

	if (guest->stuck)
		amd_viommu_report_lost(guest);
	else
		amd_viommu_report_missed(guest, guest->saved[VF_STATUS / 8]);
}

/**
 * amd_viommu_restore - Let a guest go on
 * @guest: the guest, saved
 *
 * Bases and lengths come before the pointers into them, enables after.
 */
void amd_viommu_restore(struct amd_viommu_guest *guest)
{
	u64 shadow[VFC_NUM_REGS];
	unsigned int i;

	memcpy(shadow, guest->shadow, sizeof(shadow));
	if (amd_viommu_reset(guest))
		guest->stuck = true;
	/* Whatever had not stopped is not there any more */
	guest->running = 0;

	amd_viommu_vfc_write(guest, VFC_MISC, shadow[VFC_MISC / 8]);
	amd_viommu_vfc_write(guest, VFC_EVT_B_BASE,
			     shadow[VFC_EVT_B_BASE / 8]);
	amd_viommu_vfc_write(guest, VFC_PPR_B_BASE,
			     shadow[VFC_PPR_B_BASE / 8]);
	amd_viommu_vfc_write(guest, VFC_CMD,
			     shadow[VFC_CMD / 8] & ~VFC_CMD_ENABLES);
	amd_viommu_vfc_write(guest, VFC_EVT,
			     shadow[VFC_EVT / 8] & ~VFC_EVT_ENABLES);
	amd_viommu_vfc_write(guest, VFC_PPR,
			     shadow[VFC_PPR / 8] & ~VFC_PPR_ENABLES);
	for (i = 0; i < ARRAY_SIZE(vf_pointers); i++)
		amd_viommu_vf_write(guest, vf_pointers[i],
				    guest->saved[vf_pointers[i] / 8]);
	amd_viommu_vfc_write(guest, VFC_EVT, shadow[VFC_EVT / 8]);
	amd_viommu_vfc_write(guest, VFC_PPR, shadow[VFC_PPR / 8]);
	amd_viommu_vfc_write(guest, VFC_CMD, shadow[VFC_CMD / 8]);
}

/**
 * amd_viommu_disable - The IOMMU is about to be turned off
 * @iommu: the IOMMU
 *
 * At suspend, shutdown, kexec; also before this kernel has turned it on for the
 * first time, in case the last one did not turn it off.
 */
void amd_viommu_disable(struct amd_iommu *iommu)
{
	struct amd_viommu_guest *guest;
	u64 control;

	/* Resume turns it off first, too: nothing is left to save then */
	if (iommu->viommu_hw && !iommu->viommu_hw->suspended) {
		iommu->viommu_hw->suspended = true;
		hlist_for_each_entry(guest, &iommu->viommu_guests, node)
			if (guest->vf)
				amd_viommu_save(guest);
	}

	control = readq(iommu->mmio_base + MMIO_CONTROL_OFFSET);
	if ((iommu->features & FEATURE_VIOMMU) &&
	    (control & CONTROL_VIOMMU_MASK))
		amd_viommu_hw_disable(iommu);
}

/**
 * amd_viommu_resumed_irq - Have the VMM told, when time goes on
 * @work: of the guest
 *
 * The scheduler must not be asked for anything before: the IOMMU is turned on
 * while time still stands still.
 */
void amd_viommu_resumed_irq(struct irq_work *work)
{
	struct amd_viommu_guest *guest =
		container_of(work, struct amd_viommu_guest, resumed_irq);

	schedule_work(&guest->resumed);
}

/**
 * amd_viommu_resume - The IOMMU has been turned on
 * @iommu: the IOMMU; takes commands
 *
 * At boot, too, when there is nothing to resume.
 */
void amd_viommu_resume(struct amd_iommu *iommu)
{
	struct amd_viommu_guest *guest;
	int off;

	if (!iommu->viommu_hw)
		return;
	off = amd_viommu_hw_enable(iommu);
	if (off)
		pr_err("no hardware vIOMMU after resume\n");
	hlist_for_each_entry(guest, &iommu->viommu_guests, node) {
		if (!guest->vf)
			continue;
		if (off)
			guest->stuck = true;
		else
			amd_viommu_restore(guest);
		irq_work_queue(&guest->resumed_irq);
	}
	iommu->viommu_hw->suspended = false;
}
