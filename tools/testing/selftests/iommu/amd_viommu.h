/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VMM and a guest do with the hardware vIOMMU of an AMD IOMMU
 *
 * For authors of VMMs: the first half of amd_viommu.c is what a VMM does, the
 * second half what the IOMMU driver of a guest does, which a VMM does not have
 * to look at. In the order of a VMM:
 *
 *   amd_viommu_alloc()	when the guest starts; without capabilities: do all
 *			of it in software, as with a vIOMMU without data
 *   amd_viommu_map()	offset 0x2000 of the guest's MMIO space
 *   amd_guest_vdevice()	for each device
 *   amd_viommu_queue()	when the guest enables a ring: its base register is
 *			complete then
 *   amd_viommu_set()	the guest writes its control register
 *   amd_guest_nested()	the guest invalidates a device table entry
 *   amd_viommu_get()	the guest reads a register that the VMM traps
 *   amd_viommu_reset()	the guest, or its IOMMU, is reset
 *   amd_viommu_free()	the end
 *
 * Commands, their completion and events of the guest then take no exit.
 *
 * Functions return 0 or a negative errno and print nothing.
 */
#ifndef __SELFTEST_IOMMU_AMD_VIOMMU
#define __SELFTEST_IOMMU_AMD_VIOMMU

#include "amd_vmm.h"

/* Registers of the guest in its page, offset 0x2000 of its MMIO space */
#define AMD_VF_CMD_HEAD		0x00
#define AMD_VF_CMD_TAIL		0x08
#define AMD_VF_EVT_HEAD		0x10
#define AMD_VF_EVT_TAIL		0x18
#define AMD_VF_STATUS		0x20
#define AMD_VF_PPR_HEAD		0x30
#define AMD_VF_PPR_TAIL		0x38
#define AMD_VF_PPR_B_HEAD	0x50
#define AMD_VF_PPR_B_TAIL	0x58
#define AMD_VF_EVT_B_HEAD	0x70
#define AMD_VF_EVT_B_TAIL	0x78

/* Status register: written 1 to clear, but for what runs */
#define AMD_STATUS_EVT_OVERFLOW	0x01ULL
#define AMD_STATUS_EVT_INT	0x02ULL
#define AMD_STATUS_COMWAIT_INT	0x04ULL
#define AMD_STATUS_EVT_RUN	0x08ULL
#define AMD_STATUS_CMD_RUN	0x10ULL
#define AMD_STATUS_PPR_OVERFLOW	0x20ULL
#define AMD_STATUS_PPR_INT	0x40ULL
#define AMD_STATUS_PPR_RUN	0x80ULL

/* Control register, as far as it is about rings */
#define AMD_CONTROL_EVT_LOG_EN		0x4ULL
#define AMD_CONTROL_EVT_INT_EN		0x8ULL
#define AMD_CONTROL_COMWAIT_INT_EN	0x10ULL
#define AMD_CONTROL_CMD_BUF_EN		0x1000ULL
#define AMD_CONTROL_PPR_LOG_EN		0x2000ULL
#define AMD_CONTROL_PPR_INT_EN		0x4000ULL
#define AMD_CONTROL_PPR_EN		0x8000ULL
#define AMD_CONTROL_DUAL_PPR_LOG	0x40000000ULL
#define AMD_CONTROL_DUAL_EVT_LOG	0x100000000ULL
#define AMD_CONTROL_PPR_AUTO_RSP_EN	0x8000000000ULL
#define AMD_CONTROL_BLK_STOP_MRK_EN	0x20000000000ULL
#define AMD_CONTROL_PPR_AUTO_RSP_AON	0x40000000000ULL

/* Bytes of the smallest and the largest ring, and of an entry */
#define AMD_RING_MIN	4096UL
#define AMD_RING_MAX	524288UL
#define AMD_ENTRY	16UL

/* Event codes, bits 63:60 of the first quadword */
#define AMD_EVENT_PAGE_FAULT	0x2
#define AMD_EVENT_ILLEGAL	0x5
#define AMD_EVENT_GUEST_FAULT	0xb
#define AMD_EVENT_HARDWARE	0xc

/**
 * struct amd_viommu - A vIOMMU with hardware behind it
 * @guest: whose it is; amd_guest_vdevice() and others use it by that
 * @caps: bits of enum iommu_viommu_amd_caps, 0 if there is no hardware
 * @mmap_offset: where the page of registers is for mmap()
 * @mmap_length: bytes of it
 * @vf: the page, or NULL if it is not mapped
 */
struct amd_viommu {
	struct amd_guest *guest;
	__u32 caps;
	__u64 mmap_offset;
	__u64 mmap_length;
	void *vf;
};

int amd_viommu_alloc(struct amd_viommu *v, struct amd_guest *guest,
		     struct amd_device *dev);
int amd_viommu_map(struct amd_viommu *v);
int amd_viommu_unmap(struct amd_viommu *v);
int amd_viommu_queue(const struct amd_viommu *v, __u32 type, __u32 index,
		     __u64 base, __u64 length, __u32 *queue_id);
int amd_viommu_get(const struct amd_viommu *v, __u16 index, __u64 *val64);
int amd_viommu_set(const struct amd_viommu *v, __u16 index, __u64 val64);
int amd_viommu_enable(const struct amd_viommu *v, __u64 bits);
int amd_viommu_disable(const struct amd_viommu *v, __u64 bits);
int amd_viommu_free(struct amd_viommu *v);
__u64 amd_viommu_base(__u64 base, __u64 length);

/* Registers: memory that the guest has written before is seen before */
static inline __u64 amd_vf_read(const struct amd_viommu *v, unsigned int reg)
{
	return __atomic_load_n((__u64 *)(v->vf + reg), __ATOMIC_SEQ_CST);
}

static inline void amd_vf_write(const struct amd_viommu *v, unsigned int reg,
				__u64 value)
{
	__atomic_store_n((__u64 *)(v->vf + reg), value, __ATOMIC_SEQ_CST);
}

/**
 * struct amd_ring - A ring in the memory of the guest
 * @v: the vIOMMU
 * @type: type of the HW queue
 * @index: 1 for log B
 * @gpa: where it is
 * @bytes: how long it is
 * @queue_id: HW queue, 0 if there is none
 * @next: offset of the next entry to write, or in a log to read
 * @fence: where completions are stored, in a command buffer
 * @fence_value: the last one that was asked for
 */
struct amd_ring {
	struct amd_viommu *v;
	__u32 type;
	__u32 index;
	__u64 gpa;
	size_t bytes;
	__u32 queue_id;
	__u32 next;
	__u64 fence;
	__u64 fence_value;
};

int amd_ring_init(struct amd_ring *ring, struct amd_viommu *v, __u32 type,
		  __u32 index, size_t bytes);
int amd_ring_queue(struct amd_ring *ring);
int amd_ring_destroy(struct amd_ring *ring);
void amd_ring_rewind(struct amd_ring *ring);
void *amd_ring_entry(const struct amd_ring *ring, __u32 offset);

/* Commands, beside those of amd_vmm.h */
#define AMD_WAIT_STORE	1
#define AMD_WAIT_INT	2
struct iommu_viommu_amd_invalidate amd_cmd_wait(__u64 gpa, __u64 data,
						unsigned int flags);
struct iommu_viommu_amd_invalidate amd_cmd_iotlb(__u16 devid, __u64 gva);
struct iommu_viommu_amd_invalidate amd_cmd_interrupts(__u16 devid);
struct iommu_viommu_amd_invalidate amd_cmd_ppr(__u16 devid);
struct iommu_viommu_amd_invalidate amd_cmd_raw(__u64 low, __u64 high);

int amd_ring_put(struct amd_ring *ring,
		 struct iommu_viommu_amd_invalidate cmd);
void amd_ring_doorbell(const struct amd_ring *ring);
int amd_ring_sync(struct amd_ring *ring);
int amd_ring_run(struct amd_ring *ring,
		 struct iommu_viommu_amd_invalidate cmd);
int amd_ring_wait_head(const struct amd_ring *ring, __u32 offset);
int amd_ring_wait_stop(const struct amd_ring *ring);

/* Logs */
int amd_ring_pop(struct amd_ring *ring, __u64 entry[2]);
int amd_ring_pop_event(struct amd_ring *ring, struct amd_event *event);

/**
 * struct amd_rings - The rings that a guest has as a rule
 * @cmd: command buffer
 * @evt: event log
 * @ppr: PPR log, without HW queue if the IOMMU has none
 */
struct amd_rings {
	struct amd_ring cmd;
	struct amd_ring evt;
	struct amd_ring ppr;
};

int amd_rings_init(struct amd_rings *rings, struct amd_viommu *v, size_t bytes);
__u64 amd_rings_control(const struct amd_rings *rings);
int amd_viommu_start(struct amd_rings *rings);
int amd_viommu_reset(struct amd_rings *rings);

/* Interrupts for the guest, IOMMU_VIOMMU_AMD_CAP_LOG_IRQ */
int amd_viommu_irqs(const struct amd_viommu *v, __u32 depth, __u32 *veventq_id,
		    int *fd);
int amd_irq_read(int fd, int timeout_ms, __u64 *status);

#endif
