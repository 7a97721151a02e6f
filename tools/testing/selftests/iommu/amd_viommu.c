// SPDX-License-Identifier: GPL-2.0-only
/* The hardware vIOMMU of an AMD IOMMU, see amd_viommu.h */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "amd_viommu.h"

/* What hardware does takes microseconds, but an emulated machine is slow */
#define TIMEOUT_MS 1000

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/*
 * The VMM
 */

/**
 * amd_viommu_alloc - Allocate a vIOMMU, and its nesting parent if need be
 * @v: the vIOMMU
 * @guest: whose it is
 * @dev: a device behind the IOMMU
 *
 * Without hardware it is one as amd_guest_viommu() makes it: caps are 0.
 *
 * Return: 0 or a negative errno; -ENOSPC: IDs have run out
 */
int amd_viommu_alloc(struct amd_viommu *v, struct amd_guest *guest,
		     struct amd_device *dev)
{
	struct iommu_viommu_amd data = {};
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_AMD,
		.dev_id = dev->dev_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	int rc = 0;

	memset(v, 0, sizeof(*v));
	v->guest = guest;
	if (!guest->hwpt_id)
		rc = amd_guest_parent(guest, dev, 0);
	if (rc)
		return rc;
	cmd.hwpt_id = guest->hwpt_id;
	rc = call(guest->iommufd, IOMMU_VIOMMU_ALLOC, &cmd);
	if (rc)
		return rc;
	guest->viommu_id = cmd.out_viommu_id;
	v->caps = data.out_caps;
	v->mmap_offset = data.out_vfmmio_mmap_offset;
	v->mmap_length = data.out_vfmmio_mmap_length;
	return 0;
}

/* The guest's page of registers. A VMM has it in the guest's address space. */
int amd_viommu_map(struct amd_viommu *v)
{
	void *vf = mmap(NULL, v->mmap_length, PROT_READ | PROT_WRITE,
			MAP_SHARED, v->guest->iommufd, v->mmap_offset);

	if (vf == MAP_FAILED)
		return -errno;
	v->vf = vf;
	return 0;
}

int amd_viommu_unmap(struct amd_viommu *v)
{
	void *vf = v->vf;

	v->vf = NULL;
	return vf && munmap(vf, v->mmap_length) ? -errno : 0;
}

/**
 * amd_viommu_queue - Allocate a HW queue: tell the hardware where a ring is
 * @v: the vIOMMU
 * @type: IOMMU_HW_QUEUE_TYPE_AMD_*
 * @index: 1 for log B, else 0
 * @base: guest physical address
 * @length: bytes, not the code of the guest's register
 * @queue_id: ID of the HW queue; amd_guest_destroy() is the reverse
 *
 * Return: 0 or a negative errno
 */
int amd_viommu_queue(const struct amd_viommu *v, __u32 type, __u32 index,
		     __u64 base, __u64 length, __u32 *queue_id)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = v->guest->viommu_id,
		.type = type,
		.index = index,
		.nesting_parent_iova = base,
		.length = length,
	};
	int rc = call(v->guest->iommufd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	if (!rc)
		*queue_id = cmd.out_hw_queue_id;
	return rc;
}

static int command(const struct amd_viommu *v, __u16 op, __u16 index,
		   __u64 *val64)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = v->guest->viommu_id,
		.op = op,
		.index = index,
		.val64 = *val64,
	};
	int rc = call(v->guest->iommufd, IOMMU_VIOMMU_COMMAND, &cmd);

	/* Whatever the kernel wrote, also where it must not have written */
	*val64 = cmd.val64;
	return rc;
}

int amd_viommu_get(const struct amd_viommu *v, __u16 index, __u64 *val64)
{
	return command(v, IOMMU_VIOMMU_COMMAND_OP_GET, index, val64);
}

int amd_viommu_set(const struct amd_viommu *v, __u16 index, __u64 val64)
{
	return command(v, IOMMU_VIOMMU_COMMAND_OP_SET, index, &val64);
}

static int change_control(const struct amd_viommu *v, __u64 set, __u64 clear)
{
	const __u16 index = IOMMU_VIOMMU_AMD_CMD_CONTROL;
	__u64 control = 0;
	int rc;

	rc = amd_viommu_get(v, index, &control);
	return rc ?: amd_viommu_set(v, index, (control & ~clear) | set);
}

/* Bits of the guest's control register. A VMM sets what the guest writes. */
int amd_viommu_enable(const struct amd_viommu *v, __u64 bits)
{
	return change_control(v, bits, 0);
}

int amd_viommu_disable(const struct amd_viommu *v, __u64 bits)
{
	return change_control(v, 0, bits);
}

/* All else that is in the vIOMMU has to be gone before */
int amd_viommu_free(struct amd_viommu *v)
{
	int rc = amd_viommu_unmap(v);

	return rc ?: amd_guest_destroy(v->guest, v->guest->viommu_id);
}

/* What the guest has in a base register for a ring */
__u64 amd_viommu_base(__u64 base, __u64 length)
{
	__u64 code = 0;

	while (AMD_ENTRY << code < length)
		code++;
	return base | code << 56;
}

/* Interrupts are events of the VMM, see amd_irq_read() */
int amd_viommu_irqs(const struct amd_viommu *v, __u32 depth, __u32 *veventq_id,
		    int *fd)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = v->guest->viommu_id,
		.type = IOMMU_VEVENTQ_TYPE_AMD_IRQ,
		.veventq_depth = depth,
	};
	int rc = call(v->guest->iommufd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (!rc) {
		*veventq_id = cmd.out_veventq_id;
		*fd = cmd.out_veventq_fd;
	}
	return rc;
}

/**
 * amd_irq_read - Wait for an interrupt of the guest
 * @fd: file of the event queue
 * @timeout_ms: how long
 * @status: the guest's status register. What to inject follows from that and
 *	    from the enables in its control register. 0 if interrupts were
 *	    merged: look at all that is enabled
 *
 * Return: 0, -EAGAIN if there was none, another negative errno
 */
int amd_irq_read(int fd, int timeout_ms, __u64 *status)
{
	struct {
		struct iommufd_vevent_header header;
		struct iommu_vevent_amd_irq data;
	} buf = {};
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t len;

	if (poll(&poll_fd, 1, timeout_ms) != 1)
		return -EAGAIN;
	len = read(fd, &buf, sizeof(buf));
	if (len < 0)
		return -errno;
	if (len < (ssize_t)sizeof(buf.header))
		return -EIO;
	*status = buf.data.status;
	return 0;
}

/*
 * The guest
 */

/* The next page, or the first of several that follow each other */
static __u64 guest_pages(struct amd_guest *guest, size_t bytes)
{
	__u64 first = amd_guest_page(guest), page = first;

	for (; page && bytes > AMD_PAGE; bytes -= AMD_PAGE)
		page = amd_guest_page(guest);
	return page ? first : 0;
}

static const struct {
	unsigned int head;
	unsigned int tail;
} ring_regs[][2] = {
	[IOMMU_HW_QUEUE_TYPE_AMD_CMD] = {
		{ AMD_VF_CMD_HEAD, AMD_VF_CMD_TAIL },
	},
	[IOMMU_HW_QUEUE_TYPE_AMD_EVT] = {
		{ AMD_VF_EVT_HEAD, AMD_VF_EVT_TAIL },
		{ AMD_VF_EVT_B_HEAD, AMD_VF_EVT_B_TAIL },
	},
	[IOMMU_HW_QUEUE_TYPE_AMD_PPR] = {
		{ AMD_VF_PPR_HEAD, AMD_VF_PPR_TAIL },
		{ AMD_VF_PPR_B_HEAD, AMD_VF_PPR_B_TAIL },
	},
};

static unsigned int head_reg(const struct amd_ring *ring)
{
	return ring_regs[ring->type][ring->index].head;
}

static unsigned int tail_reg(const struct amd_ring *ring)
{
	return ring_regs[ring->type][ring->index].tail;
}

/* The entry of a ring at @offset, two quadwords */
void *amd_ring_entry(const struct amd_ring *ring, __u32 offset)
{
	return amd_guest_ptr(ring->v->guest, ring->gpa + offset);
}

/**
 * amd_ring_init - Memory for a ring. The hardware does not know of it yet
 * @ring: the ring
 * @v: the vIOMMU
 * @type: type of its HW queue
 * @index: 1 for log B
 * @bytes: how long it is
 *
 * Return: 0, -ENOMEM if the guest has no more pages
 */
int amd_ring_init(struct amd_ring *ring, struct amd_viommu *v, __u32 type,
		  __u32 index, size_t bytes)
{
	memset(ring, 0, sizeof(*ring));
	ring->v = v;
	ring->type = type;
	ring->index = index;
	ring->bytes = bytes;
	ring->gpa = guest_pages(v->guest, bytes);
	ring->fence = guest_pages(v->guest, AMD_PAGE);
	return ring->gpa && ring->fence ? 0 : -ENOMEM;
}

/* This is the VMM's part, when the guest has written the base register */
int amd_ring_queue(struct amd_ring *ring)
{
	return amd_viommu_queue(ring->v, ring->type, ring->index, ring->gpa,
				ring->bytes, &ring->queue_id);
}

/* And this, when the guest writes another base, or is gone */
int amd_ring_destroy(struct amd_ring *ring)
{
	int rc;

	if (!ring->queue_id)
		return 0;
	rc = amd_guest_destroy(ring->v->guest, ring->queue_id);
	if (!rc)
		ring->queue_id = 0;
	return rc;
}

/* Empty, while it is disabled: head and tail stay where they were otherwise */
void amd_ring_rewind(struct amd_ring *ring)
{
	ring->next = 0;
	amd_vf_write(ring->v, head_reg(ring), 0);
	amd_vf_write(ring->v, tail_reg(ring), 0);
}

struct iommu_viommu_amd_invalidate amd_cmd_raw(__u64 low, __u64 high)
{
	return (struct iommu_viommu_amd_invalidate){ { low, high } };
}

/* COMPLETION_WAIT: with AMD_WAIT_STORE it writes @data to @gpa, 8 bytes */
struct iommu_viommu_amd_invalidate amd_cmd_wait(__u64 gpa, __u64 data,
						unsigned int flags)
{
	return amd_cmd_raw(gpa | flags | 1ULL << 60, data);
}

/* INVALIDATE_IOTLB_PAGES of an address of the guest's tables */
struct iommu_viommu_amd_invalidate amd_cmd_iotlb(__u16 devid, __u64 gva)
{
	return amd_cmd_raw(devid | 4ULL << 60, (gva & ~0xfffULL) | 4);
}

/* INVALIDATE_INTERRUPT_TABLE */
struct iommu_viommu_amd_invalidate amd_cmd_interrupts(__u16 devid)
{
	return amd_cmd_raw(devid | 5ULL << 60, 0);
}

/* COMPLETE_PPR_REQUEST, success, PASID 0, tag 0 */
struct iommu_viommu_amd_invalidate amd_cmd_ppr(__u16 devid)
{
	return amd_cmd_raw(devid | 7ULL << 60, 0);
}

/* Nothing is executed before amd_ring_doorbell(). -ENOSPC: the ring is full */
int amd_ring_put(struct amd_ring *ring, struct iommu_viommu_amd_invalidate cmd)
{
	__u32 next = (ring->next + AMD_ENTRY) % ring->bytes;

	if (next == amd_vf_read(ring->v, AMD_VF_CMD_HEAD))
		return -ENOSPC;
	memcpy(amd_ring_entry(ring, ring->next), &cmd, sizeof(cmd));
	ring->next = next;
	return 0;
}

void amd_ring_doorbell(const struct amd_ring *ring)
{
	amd_vf_write(ring->v, AMD_VF_CMD_TAIL, ring->next);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/**
 * amd_ring_sync - Wait until all commands so far are completed
 * @ring: command buffer
 *
 * As Linux does it in a guest: a COMPLETION_WAIT stores a number, and its
 * memory is polled.
 *
 * Return: 0, -ENOSPC, -EIO if the ring stopped, -ETIMEDOUT
 */
int amd_ring_sync(struct amd_ring *ring)
{
	__u64 *fence = amd_guest_ptr(ring->v->guest, ring->fence);
	long long end = now_ms() + TIMEOUT_MS;
	int rc;

	rc = amd_ring_put(ring, amd_cmd_wait(ring->fence, ++ring->fence_value,
					     AMD_WAIT_STORE));
	if (rc)
		return rc;
	amd_ring_doorbell(ring);
	while (__atomic_load_n(fence, __ATOMIC_ACQUIRE) != ring->fence_value) {
		if (!(amd_vf_read(ring->v, AMD_VF_STATUS) &
		      AMD_STATUS_CMD_RUN) &&
		    __atomic_load_n(fence, __ATOMIC_ACQUIRE) !=
		    ring->fence_value)
			return -EIO;
		if (now_ms() > end)
			return -ETIMEDOUT;
	}
	return 0;
}

/* A command, and wait until it is completed */
int amd_ring_run(struct amd_ring *ring, struct iommu_viommu_amd_invalidate cmd)
{
	return amd_ring_put(ring, cmd) ?: amd_ring_sync(ring);
}

/* Until hardware has executed all before @offset: 0 or -ETIMEDOUT */
int amd_ring_wait_head(const struct amd_ring *ring, __u32 offset)
{
	long long end = now_ms() + TIMEOUT_MS;

	while (amd_vf_read(ring->v, AMD_VF_CMD_HEAD) != offset)
		if (now_ms() > end)
			return -ETIMEDOUT;
	return 0;
}

/* Until the command buffer does not run any more: 0 or -ETIMEDOUT */
int amd_ring_wait_stop(const struct amd_ring *ring)
{
	long long end = now_ms() + TIMEOUT_MS;

	while (amd_vf_read(ring->v, AMD_VF_STATUS) & AMD_STATUS_CMD_RUN)
		if (now_ms() > end)
			return -ETIMEDOUT;
	return 0;
}

/* The oldest entry of a log, which is then free again. -EAGAIN: none */
int amd_ring_pop(struct amd_ring *ring, __u64 entry[2])
{
	__u64 *slot = amd_ring_entry(ring, ring->next);

	if (amd_vf_read(ring->v, tail_reg(ring)) == ring->next)
		return -EAGAIN;
	memcpy(entry, slot, AMD_ENTRY);
	memset(slot, 0, AMD_ENTRY);
	ring->next = (ring->next + AMD_ENTRY) % ring->bytes;
	amd_vf_write(ring->v, head_reg(ring), ring->next);
	return 0;
}

/* The same, taken apart. @event->sequence is 0. */
int amd_ring_pop_event(struct amd_ring *ring, struct amd_event *event)
{
	__u64 entry[2];
	int rc = amd_ring_pop(ring, entry);

	if (rc)
		return rc;
	*event = (struct amd_event){
		.code = entry[0] >> 60,
		.devid = entry[0],
		.domid = entry[0] >> 32,
		.gn = entry[0] >> 48 & 1,
		.write = entry[0] >> 53 & 1,
		.addr = entry[1],
	};
	return 0;
}

/**
 * amd_rings_init - The rings that this vIOMMU has, with HW queues, disabled
 * @rings: the rings
 * @v: the vIOMMU, mapped
 * @bytes: how long each is
 *
 * Return: 0 or a negative errno
 */
int amd_rings_init(struct amd_rings *rings, struct amd_viommu *v, size_t bytes)
{
	struct amd_ring *const ring[3] = {
		&rings->cmd, &rings->evt, &rings->ppr,
	};
	static const __u32 types[3] = {
		IOMMU_HW_QUEUE_TYPE_AMD_CMD, IOMMU_HW_QUEUE_TYPE_AMD_EVT,
		IOMMU_HW_QUEUE_TYPE_AMD_PPR,
	};
	int i, rc = 0;

	for (i = 0; i < 3 && !rc; i++) {
		rc = amd_ring_init(ring[i], v, types[i], 0, bytes);
		if (!rc && (i != 2 || (v->caps & IOMMU_VIOMMU_AMD_CAP_PPR)))
			rc = amd_ring_queue(ring[i]);
	}
	return rc;
}

/* What a guest enables for them */
__u64 amd_rings_control(const struct amd_rings *rings)
{
	__u64 control = AMD_CONTROL_CMD_BUF_EN | AMD_CONTROL_EVT_LOG_EN;

	if (rings->ppr.queue_id)
		control |= AMD_CONTROL_PPR_LOG_EN | AMD_CONTROL_PPR_EN;
	return control;
}

/* Empty rings, enabled: the guest's driver starts */
int amd_viommu_start(struct amd_rings *rings)
{
	amd_ring_rewind(&rings->cmd);
	amd_ring_rewind(&rings->evt);
	if (rings->ppr.queue_id)
		amd_ring_rewind(&rings->ppr);
	return amd_viommu_set(rings->cmd.v, IOMMU_VIOMMU_AMD_CMD_CONTROL,
			      amd_rings_control(rings));
}

/* The guest is reset: all is as after amd_viommu_map() */
int amd_viommu_reset(struct amd_rings *rings)
{
	struct amd_viommu *v = rings->cmd.v;
	int rc;

	rc = amd_viommu_set(v, IOMMU_VIOMMU_AMD_CMD_CONTROL, 0);
	rc = rc ?: amd_ring_destroy(&rings->cmd);
	rc = rc ?: amd_ring_destroy(&rings->evt);
	rc = rc ?: amd_ring_destroy(&rings->ppr);
	if (rc)
		return rc;
	amd_ring_rewind(&rings->cmd);
	amd_ring_rewind(&rings->evt);
	amd_ring_rewind(&rings->ppr);
	amd_vf_write(v, AMD_VF_STATUS, ~0ULL);
	return 0;
}
