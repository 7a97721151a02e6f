// SPDX-License-Identifier: GPL-2.0-only
/*
 * HW queues: the command buffer and the logs of a guest
 *
 * Hardware reaches a ring by guest physical address, through the translate
 * device's DTE and so through the nesting parent. Nothing is pinned: an address
 * that is not mapped, now or later, is an event of hardware.
 *
 * A queue is base and length in registers, disabled. IOMMU_VIOMMU_COMMAND
 * enables it. Log B shares the register for lengths and enables with log A.
 *
 * Head and tail are the guest's, and stay: base and length are written before
 * them, enables after. (Whether hardware resets them with the base, as it does
 * those of its own rings, is not known.)
 */
#include <linux/bitfield.h>
#include <linux/iommufd.h>
#include <linux/log2.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_trace.h"

/* Where a ring has its base, its length, and what goes off without it */
static const struct {
	u8 base_reg;
	u8 base_shift;
	u8 ctl_reg;
	u8 len_shift;
	u64 enables;
	u64 running;
	u8 head;
	u8 tail;
} rings[AMD_VIOMMU_NUM_RINGS] = {
	[AMD_VIOMMU_CMD] = { VFC_CMD, 0, VFC_CMD, 0, VFC_CMD_EN,
			     VF_STATUS_CMD_RUN, VF_CMD_HEAD, VF_CMD_TAIL },
	[AMD_VIOMMU_EVT] = { VFC_EVT, 0, VFC_EVT, 0,
			     VFC_EVT_EN | VFC_EVT_DUAL, VF_STATUS_EVT_RUN,
			     VF_EVT_HEAD, VF_EVT_TAIL },
	[AMD_VIOMMU_PPR] = { VFC_PPR, VFC_PPR_BASE_SHIFT, VFC_PPR, 0,
			     VFC_PPR_EN | VFC_PPR_DUAL, VF_STATUS_PPR_RUN,
			     VF_PPR_HEAD, VF_PPR_TAIL },
	[AMD_VIOMMU_EVT_B] = { VFC_EVT_B_BASE, 0, VFC_EVT, 4, VFC_EVT_DUAL, 0,
			       VF_EVT_B_HEAD, VF_EVT_B_TAIL },
	[AMD_VIOMMU_PPR_B] = { VFC_PPR_B_BASE, 0, VFC_PPR, 4, VFC_PPR_DUAL, 0,
			       VF_PPR_B_HEAD, VF_PPR_B_TAIL },
};

/**
 * amd_viommu_ring_of - Which ring a HW queue is about
 * @caps: what the vIOMMU can do
 * @type: type of the HW queue
 * @index: its index
 *
 * Return: one of enum amd_viommu_ring, -EOPNOTSUPP for a type and -EINVAL for
 * an index that this vIOMMU does not have
 */
int amd_viommu_ring_of(u32 caps, enum iommu_hw_queue_type type, u32 index)
{
	switch (type) {
	case IOMMU_HW_QUEUE_TYPE_AMD_CMD:
		return index ? -EINVAL : AMD_VIOMMU_CMD;
	case IOMMU_HW_QUEUE_TYPE_AMD_EVT:
		if (!index)
			return AMD_VIOMMU_EVT;
		return index == 1 && (caps & IOMMU_VIOMMU_AMD_CAP_EVT_B) ?
		       AMD_VIOMMU_EVT_B : -EINVAL;
	case IOMMU_HW_QUEUE_TYPE_AMD_PPR:
		if (!(caps & IOMMU_VIOMMU_AMD_CAP_PPR))
			return -EOPNOTSUPP;
		if (!index)
			return AMD_VIOMMU_PPR;
		return index == 1 && (caps & IOMMU_VIOMMU_AMD_CAP_PPR_B) ?
		       AMD_VIOMMU_PPR_B : -EINVAL;
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * amd_viommu_ring_fits - Can a ring be there?
 * @base: guest physical address
 * @length: bytes
 *
 * Return: true if the registers can say so, of its first and its last byte
 */
bool amd_viommu_ring_fits(u64 base, u64 length)
{
	return base && !(base & ~VFC_BASE) && is_power_of_2(length) &&
	       length >= BIT(VFC_LEN_MIN + VFC_ENTRY_SHIFT) &&
	       length <= BIT(VFC_LEN_MAX + VFC_ENTRY_SHIFT) &&
	       base + length - 1 <= (VFC_BASE | ~PAGE_MASK);
}

/**
 * amd_viommu_ring_regs - Put a ring into the registers
 * @regs: registers of the host; enables stay as they are
 * @ring: the ring
 * @base: guest physical address, 0 for none
 * @length: bytes, 0 for none
 */
void amd_viommu_ring_regs(u64 regs[VFC_NUM_REGS], enum amd_viommu_ring ring,
			  u64 base, u64 length)
{
	u64 len = length ? ilog2(length) - VFC_ENTRY_SHIFT : 0;
	u64 *reg = &regs[rings[ring].base_reg / 8];
	u64 *ctl = &regs[rings[ring].ctl_reg / 8];

	*reg &= ~(VFC_BASE << rings[ring].base_shift);
	*reg |= base << rings[ring].base_shift;
	*ctl &= ~(VFC_LEN << rings[ring].len_shift);
	*ctl |= len << rings[ring].len_shift;
}

/**
 * amd_viommu_ring_base - What the guest's base register says of a ring
 * @regs: registers of the host
 * @ring: the ring
 *
 * Return: value in the layout of the guest's register
 */
u64 amd_viommu_ring_base(const u64 regs[VFC_NUM_REGS],
			 enum amd_viommu_ring ring)
{
	u64 base = regs[rings[ring].base_reg / 8] >> rings[ring].base_shift;
	u64 len = regs[rings[ring].ctl_reg / 8] >> rings[ring].len_shift;

	return (base & VFC_BASE) | (len & VFC_LEN) << MMIO_CMD_SIZE_SHIFT;
}

size_t amd_viommu_queue_size(struct iommufd_viommu *viommu,
			     enum iommu_hw_queue_type type)
{
	u32 caps = to_amd_viommu(viommu)->guest->caps;

	if (amd_viommu_ring_of(caps, type, 0) < 0)
		return 0;
	return HW_QUEUE_STRUCT_SIZE(struct amd_viommu_queue, core);
}

int amd_viommu_queue_validate(struct iommufd_viommu *viommu,
			      enum iommu_hw_queue_type type, u32 index,
			      u64 base, u64 length)
{
	u32 caps = to_amd_viommu(viommu)->guest->caps;
	int ring = amd_viommu_ring_of(caps, type, index);

	if (ring < 0)
		return ring;
	return amd_viommu_ring_fits(base, length) ? 0 : -EINVAL;
}

/* The guest may have written another one meanwhile */
static void amd_viommu_keep_pointer(struct amd_viommu_guest *guest, u8 reg,
				    u64 val)
{
	if (val && !(amd_viommu_vf_read(guest, reg) & VF_PTR_MASK))
		amd_viommu_vf_write(guest, reg, val);
}

static void write_ring(struct amd_viommu_guest *guest,
		       enum amd_viommu_ring ring, u64 base, u64 length)
{
	u64 head = amd_viommu_vf_read(guest, rings[ring].head) & VF_PTR_MASK;
	u64 tail = amd_viommu_vf_read(guest, rings[ring].tail) & VF_PTR_MASK;
	u64 regs[VFC_NUM_REGS];

	memcpy(regs, guest->shadow, sizeof(regs));
	amd_viommu_ring_regs(regs, ring, base, length);
	amd_viommu_vfc_write(guest, rings[ring].ctl_reg,
			     regs[rings[ring].ctl_reg / 8]);
	if (rings[ring].base_reg != rings[ring].ctl_reg)
		amd_viommu_vfc_write(guest, rings[ring].base_reg,
				     regs[rings[ring].base_reg / 8]);
	amd_viommu_keep_pointer(guest, rings[ring].head, head);
	amd_viommu_keep_pointer(guest, rings[ring].tail, tail);
}

/* Off, and only then gone from the registers: hardware may be using it */
static void destroy_queue(struct iommufd_hw_queue *hw_queue)
{
	struct amd_viommu_guest *guest =
		to_amd_viommu(hw_queue->viommu)->guest;
	struct amd_viommu_queue *queue =
		container_of(hw_queue, struct amd_viommu_queue, core);
	enum amd_viommu_ring ring = queue->ring;
	u8 ctl = rings[ring].ctl_reg;

	amd_viommu_vfc_write(guest, ctl,
			     guest->shadow[ctl / 8] & ~rings[ring].enables);
	/* One that goes on shall not do so at address 0 */
	if (!amd_viommu_wait_stopped(guest, rings[ring].running))
		write_ring(guest, ring, 0, 0);
	amd_viommu_vfc_post(guest);
	guest->queues[ring] = NULL;
	trace_amd_viommu_queue(guest, ring, 0, 0);
}

/**
 * amd_viommu_queue_init - Tell the hardware where a ring is
 * @hw_queue: HW queue of the core, validated
 * @index: its index
 *
 * Return: 0, -EEXIST if there is one already, -EIO if the hardware is gone or
 * has not stopped the ring that was there before
 */
int amd_viommu_queue_init(struct iommufd_hw_queue *hw_queue, u32 index)
{
	struct amd_viommu_guest *guest =
		to_amd_viommu(hw_queue->viommu)->guest;
	struct amd_viommu_queue *queue =
		container_of(hw_queue, struct amd_viommu_queue, core);
	int ring = amd_viommu_ring_of(guest->caps, hw_queue->type, index);

	if (guest->queues[ring])
		return -EEXIST;
	if (guest->stuck || amd_viommu_is_gone(guest) ||
	    !amd_viommu_has_stopped(guest))
		return -EIO;

	write_ring(guest, ring, hw_queue->base_addr, hw_queue->length);
	queue->ring = ring;
	guest->queues[ring] = queue;
	hw_queue->destroy = destroy_queue;
	trace_amd_viommu_queue(guest, ring, hw_queue->base_addr,
			       hw_queue->length);
	return 0;
}
