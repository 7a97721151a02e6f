// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers of a guest, the host's and the guest's, and commands about them
 */
#include <kunit/static_stub.h>
#include <linux/bitfield.h>
#include <linux/iopoll.h>
#include <linux/io-64-nonatomic-lo-hi.h>

#include "amd_iommu.h"
#include "viommu.h"

/*
 * A ring that is told to stop may be waiting for a device to answer to an
 * invalidation. The IOMMU gives up after one second: CTRL_INV_TO_1S.
 */
#define STOP_TIMEOUT_US		1500000
#define STOP_POLL_US		20

/**
 * amd_viommu_vfc_map_entry - Build a write to one of the maps
 * @guest_id: ID of a device or domain in the guest
 * @host_id: the ID that it means
 *
 * Return: value for VFC_DEV_MAP or VFC_DOM_MAP
 */
u64 amd_viommu_vfc_map_entry(u16 guest_id, u16 host_id)
{
	return VFC_MAP_WRITE | VFC_MAP_VALID |
	       FIELD_PREP(VFC_MAP_GUEST_ID, guest_id) |
	       FIELD_PREP(VFC_MAP_HOST_ID, host_id);
}

void amd_viommu_vfc_write_raw(struct amd_viommu_guest *guest,
			      unsigned int reg, u64 val)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_viommu_vfc_write_raw, guest, reg, val);
	writeq(val, guest->vfc + reg);
}

static u64 amd_viommu_int_enables(unsigned int reg)
{
	switch (reg) {
	case VFC_CMD:
		return VFC_CMD_CW_INT_EN;
	case VFC_EVT:
		return VFC_EVT_INT_EN;
	case VFC_PPR:
		return VFC_PPR_INT_EN;
	default:
		return 0;
	}
}

/**
 * amd_viommu_vfc_write - Write a register of the host
 * @guest: the guest
 * @reg: offset
 * @val: value
 *
 * Any context. What is written has not arrived before a read.
 */
void amd_viommu_vfc_write(struct amd_viommu_guest *guest, unsigned int reg,
			  u64 val)
{
	unsigned long flags;

	if (reg == VFC_DEV_MAP || reg == VFC_DOM_MAP) {
		atomic64_inc(&guest->map_writes);
		amd_viommu_vfc_write_raw(guest, reg, val);
		return;
	}

	spin_lock_irqsave(&guest->vfc_lock, flags);
	WRITE_ONCE(guest->shadow[reg / 8], val);
	if (guest->quiet)
		val &= ~amd_viommu_int_enables(reg);
	amd_viommu_vfc_write_raw(guest, reg, val);
	spin_unlock_irqrestore(&guest->vfc_lock, flags);
}

/**
 * amd_viommu_set_quiet - Turn the interrupts of a guest off for a while
 * @guest: the guest
 * @quiet: false to turn those on that are to be
 *
 * Any context. Nobody but the host sees a difference.
 */
void amd_viommu_set_quiet(struct amd_viommu_guest *guest, bool quiet)
{
	static const u8 regs[] = { VFC_CMD, VFC_EVT, VFC_PPR };
	unsigned long flags;
	unsigned int i;
	u64 val;

	spin_lock_irqsave(&guest->vfc_lock, flags);
	guest->quiet = quiet;
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		val = guest->shadow[regs[i] / 8];
		if (!(val & amd_viommu_int_enables(regs[i])))
			continue;
		if (quiet)
			val &= ~amd_viommu_int_enables(regs[i]);
		amd_viommu_vfc_write_raw(guest, regs[i], val);
	}
	spin_unlock_irqrestore(&guest->vfc_lock, flags);
}

/**
 * amd_viommu_vfc_enables - Read a register of the host as a VMM has to see it
 * @guest: the guest
 * @reg: offset
 *
 * Return: value, with the interrupts that are off for a while
 */
u64 amd_viommu_vfc_enables(struct amd_viommu_guest *guest, unsigned int reg)
{
	unsigned long flags;
	u64 val;

	spin_lock_irqsave(&guest->vfc_lock, flags);
	val = amd_viommu_vfc_read(guest, reg);
	if (guest->quiet)
		val |= guest->shadow[reg / 8] & amd_viommu_int_enables(reg);
	spin_unlock_irqrestore(&guest->vfc_lock, flags);
	return val;
}

u64 amd_viommu_vfc_read(struct amd_viommu_guest *guest, unsigned int reg)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_viommu_vfc_read, guest, reg);
	return readq(guest->vfc + reg);
}

/**
 * amd_viommu_vfc_post - Let what was written to registers arrive
 * @guest: the guest
 *
 * By a read of a register that is known to be readable: the two of the maps are
 * not. Any context.
 */
void amd_viommu_vfc_post(struct amd_viommu_guest *guest)
{
	amd_viommu_vfc_read(guest, VFC_MISC);
}

u64 amd_viommu_vf_read(struct amd_viommu_guest *guest, unsigned int reg)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_viommu_vf_read, guest, reg);
	return readq(guest->vf + reg);
}

void amd_viommu_vf_write(struct amd_viommu_guest *guest, unsigned int reg,
			 u64 val)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_viommu_vf_write, guest, reg, val);
	writeq(val, guest->vf + reg);
}

/**
 * amd_viommu_is_gone - Has the hardware lost what was written to it?
 * @guest: the guest
 *
 * The registers of a device that is not there read as all ones, those of one
 * that was reset behind our back as 0. The translate device ID is neither, as
 * long as the guest has one. It is compared alone: what else the register may
 * have, as its name suggests, is not known.
 *
 * Return: true if nothing can be expected of it
 */
bool amd_viommu_is_gone(struct amd_viommu_guest *guest)
{
	u64 misc = amd_viommu_vfc_read(guest, VFC_MISC);

	return misc == U64_MAX ||
	       ((misc ^ guest->shadow[VFC_MISC / 8]) & VFC_TRANS_DEVID);
}

/**
 * amd_viommu_build_reset - Build the command RESET_VMMIO
 * @cmd: the command
 * @gid: guest ID
 *
 * All registers of this guest ID, and its command processing. (inferred: "All"
 * does not mean all guests.)
 */
void amd_viommu_build_reset(struct iommu_cmd *cmd, u16 gid)
{
	*cmd = (struct iommu_cmd) { {
		gid | CMD_RESET_VMMIO_ALL | CMD_RESET_VMMIO_VCMD,
		(u32)CMD_RESET_VMMIO << 28,
	} };
}

/**
 * amd_viommu_reset - Reset all registers of a guest
 * @guest: the guest
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_reset(struct amd_viommu_guest *guest)
{
	struct amd_iommu *iommu = guest->hw->iommu;
	struct iommu_cmd cmd;
	unsigned long flags;

	/* Nothing of it is written again after that */
	spin_lock_irqsave(&guest->vfc_lock, flags);
	memset(guest->shadow, 0, sizeof(guest->shadow));
	spin_unlock_irqrestore(&guest->vfc_lock, flags);
	amd_viommu_build_reset(&cmd, guest->gid);
	return iommu_queue_command(iommu, &cmd) ?:
	       iommu_completion_wait(iommu);
}

static bool amd_viommu_runs(struct amd_viommu_guest *guest, u64 running)
{
	u64 status = amd_viommu_vf_read(guest, VF_STATUS);

	/* Who is not there does not run either */
	if (status == U64_MAX && amd_viommu_is_gone(guest))
		return false;
	return status & running;
}

/**
 * amd_viommu_wait_stopped - Wait until rings do not run
 * @guest: the guest
 * @running: bits of VF_STATUS that have to become 0
 *
 * Sleeps. Those that do not become 0 are in @guest->running after that.
 *
 * Return: 0, -EIO if they go on
 */
int amd_viommu_wait_stopped(struct amd_viommu_guest *guest, u64 running)
{
	bool runs;

	guest->running |= running;
	if (read_poll_timeout(amd_viommu_runs, runs, !runs, STOP_POLL_US,
			      STOP_TIMEOUT_US, false, guest, running)) {
		guest->running &= amd_viommu_vf_read(guest, VF_STATUS) |
				  ~running;
		return -EIO;
	}
	guest->running &= ~running;
	return 0;
}

/**
 * amd_viommu_has_stopped - Has everything stopped that was told to?
 * @guest: the guest
 *
 * What did not in time may have done so since.
 *
 * Return: true if it has
 */
bool amd_viommu_has_stopped(struct amd_viommu_guest *guest)
{
	if (guest->running && !amd_viommu_runs(guest, guest->running))
		guest->running = 0;
	return !guest->running;
}

#define VF_STATUS_RUN	(VF_STATUS_CMD_RUN | VF_STATUS_EVT_RUN | \
			 VF_STATUS_PPR_RUN)

/* Base and length stay, so that the rings can go on */
static void amd_viommu_disable_rings(struct amd_viommu_guest *guest)
{
	const u64 *shadow = guest->shadow;

	amd_viommu_vfc_write(guest, VFC_CMD,
			     shadow[VFC_CMD / 8] & ~VFC_CMD_ENABLES);
	amd_viommu_vfc_write(guest, VFC_EVT,
			     shadow[VFC_EVT / 8] & ~VFC_EVT_ENABLES);
	amd_viommu_vfc_write(guest, VFC_PPR,
			     shadow[VFC_PPR / 8] & ~VFC_PPR_ENABLES);
}

/**
 * amd_viommu_stop - Stop all rings of a guest
 * @guest: the guest
 *
 * Sleeps.
 *
 * Return: 0, -EIO if they go on
 */
int amd_viommu_stop(struct amd_viommu_guest *guest)
{
	amd_viommu_disable_rings(guest);
	return amd_viommu_wait_stopped(guest, VF_STATUS_RUN);
}

/**
 * amd_viommu_stop_atomic - The same, where nothing else runs
 * @guest: the guest
 */
void amd_viommu_stop_atomic(struct amd_viommu_guest *guest)
{
	bool runs;

	amd_viommu_disable_rings(guest);
	if (read_poll_timeout_atomic(amd_viommu_runs, runs, !runs, 100,
				     STOP_TIMEOUT_US, false, guest,
				     VF_STATUS_RUN))
		guest->running |= VF_STATUS_RUN;
}
