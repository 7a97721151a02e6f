/*
 * AMD hardware vIOMMU: the guest's event and PPR logs, A and B
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A log is a ring in guest memory, written through the translate DTE. It runs
 * from the moment it is enabled until it overflows or cannot be written, and
 * then stops until software disables and enables it again [chosen: as the bare
 * metal log has it]. With DualLogEn 1 the other log of the pair takes over
 * when one is full, and only when both are full entries are lost [chosen].
 */

#include "qemu/osdep.h"
#include "amd_viommu.h"
#include "trace.h"

typedef struct Log {
    AMDViommuRing ring[2];      /* A, B */
    unsigned head[2];
    unsigned tail[2];
    uint64_t overflow[2];
    unsigned ctrl;
    uint64_t enable;            /* all of them must be set in ctrl */
    uint64_t int_enable;
    unsigned dual_shift;
    uint64_t run;
    uint64_t active_b;
    uint64_t int_status;
    unsigned irq;
} Log;

static const Log event_log = {
    { AMD_RING_EVT, AMD_RING_EVTB },
    { AMD_VF_EVT_HEAD, AMD_VF_EVTB_HEAD },
    { AMD_VF_EVT_TAIL, AMD_VF_EVTB_TAIL },
    { AMD_VF_ST_EVT_OVF, AMD_VF_ST_EVTB_OVF },
    AMD_VFC_EVT, AMD_VFC_EVT_EN, AMD_VFC_EVT_INT_EN, AMD_VFC_EVT_DUAL_SHIFT,
    AMD_VF_ST_EVT_RUN, AMD_VF_ST_EVTB_ACTIVE, AMD_VF_ST_EVT_INT,
    AMD_EXTIR_TYPE_EVT,
};

static const Log ppr_log = {
    { AMD_RING_PPR, AMD_RING_PPRB },
    { AMD_VF_PPR_HEAD, AMD_VF_PPRB_HEAD },
    { AMD_VF_PPR_TAIL, AMD_VF_PPRB_TAIL },
    { AMD_VF_ST_PPR_OVF, AMD_VF_ST_PPRB_OVF },
    AMD_VFC_PPR, AMD_VFC_PPR_LOG_EN | AMD_VFC_PPR_EN, AMD_VFC_PPR_INT_EN,
    AMD_VFC_PPR_DUAL_SHIFT,
    AMD_VF_ST_PPR_RUN, AMD_VF_ST_PPRB_ACTIVE, AMD_VF_ST_PPR_INT,
    AMD_EXTIR_TYPE_PPR,
};

static bool log_enabled(const AMDViommuGuest *g, const Log *log)
{
    return (amd_viommu_ring_reg(g, log->ctrl) & log->enable) == log->enable;
}

static bool log_is_dual(const AMDViommuGuest *g, const Log *log)
{
    return extract64(amd_viommu_ring_reg(g, log->ctrl), log->dual_shift, 2) ==
           1;
}

static void log_update(AMDViommuGuest *g, const AMDViommuGuest *old,
                       const Log *log)
{
    uint64_t *status = amd_vf(g, AMD_VF_STATUS);

    if (!log_enabled(g, log)) {
        *status &= ~(log->run | log->active_b);
    } else if (!log_enabled(old, log) && !(*status & log->overflow[0])) {
        *status |= log->run;
    }
}

/* VFCtrl has changed: start and stop the logs */
void amd_viommu_log_update(AMDViommu *v, AMDViommuGuest *g,
                           const AMDViommuGuest *old)
{
    log_update(g, old, &event_log);
    log_update(g, old, &ppr_log);
}

static void raise_irq(AMDViommu *v, AMDViommuGuest *g, const Log *log)
{
    *amd_vf(g, AMD_VF_STATUS) |= log->int_status;
    if (amd_vfc(g, log->ctrl) & log->int_enable) {
        amd_viommu_irq(v, g, log->irq);
    }
}

static bool log_full(AMDViommu *v, AMDViommuGuest *g, const Log *log, bool b)
{
    uint32_t bytes = amd_viommu_ring_bytes(g, log->ring[b]);
    uint32_t tail = *amd_vf(g, log->tail[b]);

    return v->log_overflow ||
           (tail + AMD_VIOMMU_ENTRY_SIZE) % bytes ==
           *amd_vf(g, log->head[b]) % bytes;
}

/* Which of the pair takes the next entry; false if none can */
static bool pick_log(AMDViommu *v, AMDViommuGuest *g, const Log *log, bool *b)
{
    uint64_t *status = amd_vf(g, AMD_VF_STATUS);

    *b = *status & log->active_b;
    if (!log_full(v, g, log, *b)) {
        return true;
    }
    *status |= log->overflow[*b];
    if (!log_is_dual(g, log) || log_full(v, g, log, !*b)) {
        return false;
    }
    *b = !*b;
    *status ^= log->active_b;
    return true;
}

/* Append an entry; false if it was lost */
static bool push(AMDViommu *v, AMDViommuGuest *g, const Log *log,
                 const uint64_t entry[2])
{
    uint64_t le[2] = { cpu_to_le64(entry[0]), cpu_to_le64(entry[1]) };
    uint64_t *status = amd_vf(g, AMD_VF_STATUS);
    uint64_t *tail;
    uint32_t bytes;
    hwaddr gpa;
    bool b;

    if (!(*status & log->run) || !amd_viommu_on(v)) {
        g->overflows++;
        return false;
    }
    if (!pick_log(v, g, log, &b)) {
        g->overflows++;
        *status &= ~log->run;
        raise_irq(v, g, log);
        return false;
    }
    tail = amd_vf(g, log->tail[b]);
    bytes = amd_viommu_ring_bytes(g, log->ring[b]);
    gpa = amd_viommu_ring_base(g, log->ring[b]) + *tail % bytes;
    if (!amd_viommu_gpa_rw(v, g, gpa, le, sizeof(le), true)) {
        *status &= ~log->run;
        amd_viommu_violation(v, AMD_VR_RING_UNMAPPED, g->gid, gpa);
        amd_viommu_event_guest_fault(v, g->gid, gpa);
        return false;
    }
    *tail = (*tail + AMD_VIOMMU_ENTRY_SIZE) % bytes;
    trace_amd_viommu_log(g->gid, log->irq, entry[0], entry[1]);
    raise_irq(v, g, log);
    return true;
}

bool amd_viommu_log_event(AMDViommu *v, AMDViommuGuest *g,
                          const uint64_t evt[2])
{
    bool ok = push(v, g, &event_log, evt);

    g->events += ok;
    v->n.guest_events += ok;
    return ok;
}

bool amd_viommu_log_ppr(AMDViommu *v, AMDViommuGuest *g,
                        const uint64_t ppr[2])
{
    bool ok = push(v, g, &ppr_log, ppr);

    g->pprs += ok;
    v->n.guest_pprs += ok;
    return ok;
}

static AMDViommuGuest *guest_of_dte(AMDViommu *v, const uint64_t dte[4])
{
    if (!v->realized || !(dte[3] & AMD_DTE3_VIMU_EN) || !amd_viommu_on(v)) {
        return NULL;
    }
    return amd_viommu_guest(v, extract64(dte[3], AMD_DTE3_GID_SHIFT, 16));
}

/*
 * A fault that the guest's own tables caused. Once the DTE names a guest it
 * is the guest's, even if its log is off or full: nothing of it may show up
 * in the host's log, which the guest could flood.
 */
bool amd_viommu_guest_event(AMDVIState *s, uint16_t devid,
                            const uint64_t dte[4], const uint64_t evt[2])
{
    AMDViommu *v = s->viommu;
    AMDViommuGuest *g = guest_of_dte(v, dte);
    uint64_t out[2] = { evt[0], evt[1] };
    bool page_fault = extract64(evt[0], 60, 4) == AMD_IOMMU_EVT_PAGE_FAULT;
    uint16_t gdom = 0;

    if (!g) {
        return false;
    }
    out[0] = deposit64(out[0], 0, 16,
                       extract64(dte[3], AMD_DTE3_GDEVID_SHIFT, 16));
    /* Bits 47:32 are the PASID of a guest (GN) address, else the domain */
    if (page_fault && !(evt[0] & AMD_IOMMU_EVF_GN)) {
        amd_viommu_map_reverse(v, g, extract64(evt[0], 32, 16), &gdom);
        out[0] = deposit64(out[0], 32, 16, gdom);
    }
    amd_viommu_log_event(v, g, out);
    return true;
}

bool amd_viommu_guest_ppr(AMDVIState *s, uint16_t devid,
                          const uint64_t dte[4], const uint64_t ppr[2])
{
    AMDViommu *v = s->viommu;
    AMDViommuGuest *g = guest_of_dte(v, dte);
    uint64_t out[2] = { ppr[0], ppr[1] };

    if (!g) {
        return false;
    }
    out[0] = deposit64(out[0], 0, 16,
                       extract64(dte[3], AMD_DTE3_GDEVID_SHIFT, 16));
    amd_viommu_log_ppr(v, g, out);
    return true;
}
