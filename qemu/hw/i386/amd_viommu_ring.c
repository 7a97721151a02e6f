/*
 * AMD hardware vIOMMU: the guest command ring
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A write of the tail executes commands until head meets tail. Device and
 * domain IDs are the guest's and are replaced by the host's before the command
 * is executed like one of the host; what has no replacement is not executed.
 * Everything in the ring is under the control of an untrusted guest.
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "amd_viommu.h"
#include "trace.h"

#define CMD_CW_STORE    BIT_ULL(0)
#define CMD_CW_INT      BIT_ULL(1)

typedef enum Result {
    DONE,
    SKIPPED,            /* logged, go on with the next command */
    HALT,               /* the ring stops here */
    WAIT,               /* the command is not done yet */
} Result;

/* A completion store that the knob holds back */
typedef struct LateStore {
    uint16_t gid;
    int64_t when;
    hwaddr gpa;
    uint64_t data;
} LateStore;

static bool ring_may_run(AMDViommu *v, AMDViommuGuest *g)
{
    return (amd_viommu_ring_reg(g, AMD_VFC_CMD) & AMD_VFC_CMD_EN) &&
           !g->halted && amd_viommu_on(v) &&
           (amd_iommu_control(v->iommu) & AMD_VIOMMU_CTRL_GST_BUF_TRP);
}

static void show_run_bit(AMDViommu *v, AMDViommuGuest *g)
{
    uint64_t *status = amd_vf(g, AMD_VF_STATUS);

    *status &= ~AMD_VF_ST_CMD_RUN;
    *status |= ring_may_run(v, g) ? AMD_VF_ST_CMD_RUN : 0;
}

/* An address of the guest's that hardware cannot reach: the host hears of it */
static Result unreachable(AMDViommu *v, AMDViommuGuest *g,
                          AMDViommuReason why, hwaddr gpa)
{
    amd_viommu_violation(v, why, g->gid, gpa);
    amd_viommu_event_unreachable(v, g, gpa, why == AMD_VR_CW_UNMAPPED);
    return HALT;
}

/* As on bare metal the ring stops, and the owner of the ring is told */
static Result illegal(AMDViommu *v, AMDViommuGuest *g, const uint64_t cmd[2],
                      hwaddr gpa)
{
    uint64_t evt[2] = { AMD_EVT_ILLEGAL_COMMAND << AMD_EVT_CODE_SHIFT, gpa };

    amd_viommu_violation(v, AMD_VR_GUEST_ILLEGAL, g->gid, cmd[0]);
    amd_viommu_log_event(v, g, evt);
    return HALT;
}

static bool store(AMDViommu *v, AMDViommuGuest *g, hwaddr gpa, uint64_t data)
{
    uint64_t le = cpu_to_le64(data);

    return amd_viommu_gpa_rw(v, g, gpa, &le, sizeof(le), true);
}

static void late_stores(void *opaque)
{
    AMDViommu *v = opaque;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
    LateStore *l;

    while ((l = g_queue_peek_head(v->cw_late)) && l->when <= now) {
        AMDViommuGuest *g = amd_viommu_guest(v, l->gid);

        g_queue_pop_head(v->cw_late);
        if (g && !store(v, g, l->gpa, l->data)) {
            unreachable(v, g, AMD_VR_CW_UNMAPPED, l->gpa);
        }
        g_free(l);
    }
    if (l) {
        timer_mod(v->cw_timer, l->when);
    }
}

static void store_later(AMDViommu *v, AMDViommuGuest *g, hwaddr gpa,
                        uint64_t data)
{
    LateStore *l = g_new0(LateStore, 1);

    l->gid = g->gid;
    l->when = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + v->cw_delay_ms;
    l->gpa = gpa;
    l->data = data;
    if (!v->cw_timer) {
        v->cw_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, late_stores, v);
    }
    g_queue_push_tail(v->cw_late, l);
    if (g_queue_get_length(v->cw_late) == 1) {
        timer_mod(v->cw_timer, l->when);
    }
}

static Result completion_wait(AMDViommu *v, AMDViommuGuest *g,
                              const uint64_t cmd[2], hwaddr at)
{
    hwaddr gpa = cmd[0] & MAKE_64BIT_MASK(3, 49);
    uint64_t data = cmd[1] ^ (v->cw_knob == AMD_CW_WRONG ? UINT64_MAX : 0);

    if (extract64(cmd[0], 52, 8)) {
        return illegal(v, g, cmd, at);
    }
    if (v->cw_knob == AMD_CW_LOST) {
        return DONE;
    }
    if ((cmd[0] & CMD_CW_STORE) && v->cw_delay_ms) {
        store_later(v, g, gpa, data);
    } else if ((cmd[0] & CMD_CW_STORE) && !store(v, g, gpa, data)) {
        return unreachable(v, g, AMD_VR_CW_UNMAPPED, gpa);
    }
    if (cmd[0] & CMD_CW_INT) {
        *amd_vf(g, AMD_VF_STATUS) |= AMD_VF_ST_COMWAIT_INT;
        if (amd_vfc(g, AMD_VFC_CMD) & AMD_VFC_CMD_INT_EN) {
            amd_viommu_irq(v, g, AMD_EXTIR_TYPE_EVT);
        }
    }
    return DONE;
}

static bool names_device(unsigned op)
{
    return op == AMDVI_CMD_INVAL_DEVTAB_ENTRY ||
           op == AMDVI_CMD_INVAL_IOTLB_PAGES ||
           op == AMDVI_CMD_INVAL_INTR_TABLE ||
           op == AMDVI_CMD_COMPLETE_PPR_REQUEST;
}

/* INVALIDATE_IOMMU_ALL of a guest is about its own domains [chosen] */
static Result invalidate_all(AMDViommu *v, AMDViommuGuest *g)
{
    unsigned hdom;

    for (hdom = 1; hdom < 0x10000; hdom++) {
        AMDViommuOwner *o = &v->owner[AMD_MAP_DOM][hdom];

        if (o->gid == g->gid && o->refs) {
            amd_iommu_inv_domain(v->iommu, hdom);
            amd_viommu_tlb_flush(v, hdom, 0, 0);
        }
    }
    return DONE;
}

/* Knob iotlb-silent: the device never says that it has dropped anything */
static bool iotlb_waits(AMDViommu *v, AMDViommuGuest *g, unsigned op,
                        uint16_t hid)
{
    if (op != AMDVI_CMD_INVAL_IOTLB_PAGES) {
        return false;
    }
    g->iotlb_until = amd_iommu_iotlb_deadline(v->iommu, hid);
    g->iotlb_devid = hid;
    if (g->iotlb_until) {
        amd_viommu_linger_arm(v);
    }
    return g->iotlb_until;
}

static Result execute(AMDViommu *v, AMDViommuGuest *g, const uint64_t cmd[2],
                      hwaddr at)
{
    unsigned op = extract64(cmd[0], 60, 4);
    AMDViommuMap map = names_device(op) ? AMD_MAP_DEV : AMD_MAP_DOM;
    unsigned pos = map == AMD_MAP_DEV ? 0 : 32;
    uint64_t host[2] = { cmd[0], cmd[1] };
    uint16_t hid;
    bool ok;

    g->cmds[op]++;
    trace_amd_viommu_guest_cmd(g->gid, at, cmd[0], cmd[1]);
    if (op == AMDVI_CMD_COMPLETION_WAIT) {
        return completion_wait(v, g, cmd, at);
    }
    if (op == AMDVI_CMD_INVAL_AMDVI_ALL) {
        return extract64(cmd[0], 0, 60) || cmd[1] ? illegal(v, g, cmd, at) :
               invalidate_all(v, g);
    }
    if (op != AMDVI_CMD_INVAL_AMDVI_PAGES && !names_device(op)) {
        return illegal(v, g, cmd, at);
    }
    if (!amd_viommu_map_lookup(v, g, map, extract64(cmd[0], pos, 16), &hid)) {
        amd_viommu_event_illegal(v, g->gid, at);
        return SKIPPED;
    }
    host[0] = deposit64(host[0], pos, 16, hid);
    /* No device here waits for the answer to a page request */
    if (op == AMDVI_CMD_COMPLETE_PPR_REQUEST) {
        return DONE;
    }
    v->guest_cmd = true;
    ok = amd_iommu_exec_inv(v->iommu, host);
    v->guest_cmd = false;
    if (!ok) {
        return illegal(v, g, cmd, at);
    }
    return iotlb_waits(v, g, op, hid) ? WAIT : DONE;
}

static void advance(AMDViommuGuest *g)
{
    uint64_t *head = amd_vf(g, AMD_VF_CMD_HEAD);

    *head = (*head + AMD_VIOMMU_ENTRY_SIZE) %
            amd_viommu_ring_bytes(g, AMD_RING_CMD);
}

static Result step(AMDViommu *v, AMDViommuGuest *g)
{
    uint32_t bytes = amd_viommu_ring_bytes(g, AMD_RING_CMD);
    uint64_t *head = amd_vf(g, AMD_VF_CMD_HEAD);
    hwaddr gpa = amd_viommu_ring_base(g, AMD_RING_CMD) + *head;
    uint64_t cmd[2];
    Result r;

    if (*head >= bytes || *amd_vf(g, AMD_VF_CMD_TAIL) >= bytes) {
        amd_viommu_violation(v, AMD_VR_TAIL_BEYOND, g->gid,
                             *amd_vf(g, AMD_VF_CMD_TAIL));
        return HALT;
    }
    if (v->ring_error ||
        !amd_viommu_gpa_rw(v, g, gpa, cmd, sizeof(cmd), false)) {
        return unreachable(v, g, AMD_VR_RING_UNMAPPED, gpa);
    }
    cmd[0] = le64_to_cpu(cmd[0]);
    cmd[1] = le64_to_cpu(cmd[1]);
    r = execute(v, g, cmd, gpa);
    if (r == DONE || r == SKIPPED) {
        advance(g);
    }
    return r;
}

/* The invalidation at the head has given up: the next command's turn */
void amd_viommu_ring_iotlb_done(AMDViommu *v, AMDViommuGuest *g)
{
    hwaddr at = amd_viommu_ring_base(g, AMD_RING_CMD) +
                *amd_vf(g, AMD_VF_CMD_HEAD);

    g->iotlb_until = 0;
    amd_iommu_iotlb_timeout(v->iommu, g->iotlb_devid, at, AMD_EVT_VFLAG_VCMD);
    advance(g);
}

void amd_viommu_ring_run(AMDViommu *v, AMDViommuGuest *g)
{
    if (g->running) {
        return;
    }
    g->running = true;
    if (ring_may_run(v, g) &&
        *amd_vf(g, AMD_VF_CMD_HEAD) != *amd_vf(g, AMD_VF_CMD_TAIL)) {
        amd_viommu_check_trans(v, g);
    }
    while (ring_may_run(v, g) && !g->iotlb_until &&
           *amd_vf(g, AMD_VF_CMD_HEAD) != *amd_vf(g, AMD_VF_CMD_TAIL)) {
        if (step(v, g) == HALT) {
            g->halted = true;
        }
    }
    g->running = false;
    show_run_bit(v, g);
}

/* Something that all rings depend on has changed */
void amd_viommu_ring_run_all(AMDViommu *v)
{
    GHashTableIter iter;
    AMDViommuGuest *g;

    g_hash_table_iter_init(&iter, v->guests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
        amd_viommu_ring_run(v, g);
    }
}
