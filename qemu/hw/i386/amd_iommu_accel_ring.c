/*
 * AMD IOMMU, accelerated: rings that hardware runs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A base register is complete when the guest enables its ring, and not before:
 * it is written in halves as often as not. So this is about the control
 * register, and looks at the others when that is written.
 *
 * Run bits, heads and tails are in the page of hardware. A ring that the host
 * has not taken does not run, and the guest sees that there.
 */

#include "qemu/osdep.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

#define BASE_ADDR       GENMASK64(51, 12)
#define BASE_LEN        GENMASK64(59, 56)
#define LEN_MIN         8

/*
 * Page requests and second logs are not offered to guests, so that these are
 * all. What @enable enables, @others make sense with only.
 */
static const struct {
    uint32_t type;
    hwaddr reg;
    uint64_t enable;
    uint64_t others;
    const char *name;
} rings[AMD_ACCEL_NUM_RINGS] = {
    [AMD_ACCEL_RING_CMD] = {
        IOMMU_HW_QUEUE_TYPE_AMD_CMD, AMDVI_MMIO_COMMAND_BASE,
        AMDVI_MMIO_CONTROL_CMDBUFLEN, AMDVI_MMIO_CONTROL_COMWAITINTEN,
        "command buffer",
    },
    [AMD_ACCEL_RING_EVT] = {
        IOMMU_HW_QUEUE_TYPE_AMD_EVT, AMDVI_MMIO_EVENT_BASE,
        AMDVI_MMIO_CONTROL_EVENTLOGEN, AMDVI_MMIO_CONTROL_EVENTINTEN,
        "event log",
    },
};

/* Registers that have another home while hardware runs the rings */
static const hwaddr pointers[] = {
    AMDVI_MMIO_COMMAND_HEAD, AMDVI_MMIO_COMMAND_TAIL,
    AMDVI_MMIO_EVENT_HEAD, AMDVI_MMIO_EVENT_TAIL,
};

/* What the guest has enabled. As in emulation, nothing while IommuEn is off */
static uint64_t wanted(const AMDIOMMUAccel *a)
{
    uint64_t control = amd_accel_reg(a, AMDVI_MMIO_CONTROL);
    uint64_t mask = 0;
    int i;

    for (i = 0; i < AMD_ACCEL_NUM_RINGS; i++) {
        mask |= rings[i].enable | rings[i].others;
    }
    return control & AMDVI_MMIO_CONTROL_AMDVIEN ? control & mask : 0;
}

static uint64_t base_of(const AMDIOMMUAccel *a, int ring)
{
    return amd_accel_reg(a, rings[ring].reg) & (BASE_ADDR | BASE_LEN);
}

/* The host stops a ring before its queue goes */
static void destroy_queue(AMDIOMMUAccel *a, int ring)
{
    amd_accel_host_destroy(a, &a->ring[ring].queue_id);
    a->control &= ~rings[ring].enable;
}

static bool has_base(const AMDIOMMUAccel *a, int ring)
{
    uint64_t base = base_of(a, ring);

    return (base & BASE_ADDR) && extract64(base, 56, 4) >= LEN_MIN;
}

static bool alloc_queue(AMDIOMMUAccel *a, int ring)
{
    AMDAccelRing *r = &a->ring[ring];
    uint64_t base = base_of(a, ring);
    uint64_t addr = base & BASE_ADDR;
    unsigned len = extract64(base, 56, 4);
    AMDAccelBlame blame = AMD_ACCEL_GUEST;
    Error *err = NULL;

    if (!has_base(a, ring)) {
        error_setg(&err, "The guest enables its %s at 0x%" PRIx64 " with "
                   "length code %u", rings[ring].name, addr, len);
    } else if (amd_accel_host_queue(a, rings[ring].type, addr,
                                    (uint64_t)AMDVI_COMMAND_SIZE << len,
                                    &r->queue_id, &err)) {
        r->base = base;
    } else {
        blame = amd_accel_blame(a);
        error_prepend(&err, "The guest's %s at 0x%" PRIx64 ": ",
                      rings[ring].name, addr);
    }
    trace_amd_iommu_accel_queue(rings[ring].name, addr, len, r->queue_id);
    if (err) {
        amd_accel_report(a, blame, err);
    }
    return r->queue_id;
}

static void set_control(AMDIOMMUAccel *a, uint64_t val)
{
    Error *err = NULL;

    if (val == a->control) {
        return;
    }
    if (amd_accel_host_set_control(a, val, &err)) {
        a->control = val;
    } else {
        error_prepend(&err, "The guest's control register 0x%" PRIx64 ": ",
                      val);
        amd_accel_report(a, amd_accel_blame(a), err);
    }
}

/* Returns what the host can run of what the guest has enabled */
static uint64_t alloc_queues(AMDIOMMUAccel *a)
{
    uint64_t want = wanted(a);
    int i;

    for (i = 0; i < AMD_ACCEL_NUM_RINGS; i++) {
        AMDAccelRing *r = &a->ring[i];

        if (r->queue_id && r->base != base_of(a, i)) {
            destroy_queue(a, i);
        }
        if ((want & rings[i].enable) && !r->queue_id && !alloc_queue(a, i)) {
            want &= ~(rings[i].enable | rings[i].others);
        }
    }
    return want;
}

/**
 * amd_accel_rings_update - Let hardware run what the guest has enabled
 * @a: the IOMMU
 *
 * What the host refuses stays off, and is tried again with the next write to
 * the control register. To turn off and on takes no queue away, unless its base
 * has changed.
 */
void amd_accel_rings_update(AMDIOMMUAccel *a)
{
    set_control(a, alloc_queues(a));
    amd_accel_events_poll(a);
}

/* Whatever the guest has enabled */
static void rings_off(AMDIOMMUAccel *a)
{
    int i;

    set_control(a, 0);
    for (i = 0; i < AMD_ACCEL_NUM_RINGS; i++) {
        destroy_queue(a, i);
    }
    amd_accel_events_poll(a);
}

/*
 * The guest does not have the page of hardware yet. An interrupt that QEMU has
 * raised is in the status register no more; the event behind it is in the log,
 * and is found with the next one.
 *
 * A new base may set heads and tails to 0, as it does on bare metal. So all that
 * have one get it before these, enabled or not, and run after them.
 */
void amd_accel_rings_adopt(AMDIOMMUAccel *a)
{
    AMDVIState *s = a->s;
    uint64_t want = alloc_queues(a);
    int i;

    for (i = 0; i < AMD_ACCEL_NUM_RINGS; i++) {
        if (!a->ring[i].queue_id && !(wanted(a) & rings[i].enable) &&
            has_base(a, i)) {
            alloc_queue(a, i);
        }
    }
    amd_accel_vf_write(a, AMDVI_MMIO_COMMAND_HEAD, s->cmdbuf_head);
    amd_accel_vf_write(a, AMDVI_MMIO_COMMAND_TAIL, s->cmdbuf_tail);
    amd_accel_vf_write(a, AMDVI_MMIO_EVENT_HEAD, s->evtlog_head);
    amd_accel_vf_write(a, AMDVI_MMIO_EVENT_TAIL, s->evtlog_tail);
    a->stopped = false;
    set_control(a, want);
    amd_accel_events_poll(a);
}

/* The guest does not have the page of hardware any more */
void amd_accel_rings_release(AMDIOMMUAccel *a)
{
    AMDVIState *s = a->s;
    uint64_t status, ring;
    int i;

    rings_off(a);
    for (i = 0; i < ARRAY_SIZE(pointers); i++) {
        amd_accel_set_reg(a, pointers[i], amd_accel_vf_read(a, pointers[i]) &
                                          AMDVI_MMIO_CMDBUF_HEAD_MASK);
    }
    /* The guest may have written anything, and QEMU goes from head to tail */
    ring = s->cmdbuf_len * AMDVI_COMMAND_SIZE - 1;
    s->cmdbuf_head = amd_accel_reg(a, AMDVI_MMIO_COMMAND_HEAD) & ring;
    s->cmdbuf_tail = amd_accel_reg(a, AMDVI_MMIO_COMMAND_TAIL) & ring;
    s->evtlog_head = amd_accel_reg(a, AMDVI_MMIO_EVENT_HEAD);
    s->evtlog_tail = amd_accel_reg(a, AMDVI_MMIO_EVENT_TAIL);
    /* All ones is what is read from hardware that is gone */
    status = amd_accel_vf_read(a, AMDVI_MMIO_STATUS);
    if (status != UINT64_MAX) {
        amd_accel_set_reg(a, AMDVI_MMIO_STATUS,
                          status & (AMDVI_MMIO_STATUS_EVT_OVF |
                                    AMDVI_MMIO_STATUS_EVENT_INT |
                                    AMDVI_MMIO_STATUS_COMP_INT));
    }
}

/* Power-on state of the page, which a reset of the guest does not reach */
static void reset_page(AMDIOMMUAccel *a)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(pointers); i++) {
        amd_accel_vf_write(a, pointers[i], 0);
    }
    amd_accel_vf_write(a, AMDVI_MMIO_STATUS,
                       amd_accel_vf_read(a, AMDVI_MMIO_STATUS));
}

void amd_accel_rings_reset(AMDIOMMUAccel *a)
{
    rings_off(a);
    reset_page(a);
}
