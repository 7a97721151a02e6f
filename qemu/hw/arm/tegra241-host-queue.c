/*
 * Host side of the Tegra241 CMDQV: virtual command queues
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A queue has one set of registers. It is seen by its global number in the
 * direct pages and, once it is allocated to a VINTF, by its number there in
 * the pages of that VINTF.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "tegra241-host.h"
#include "trace.h"

bool tegra241_host_mapped(const TegraHostQueue *vq)
{
    return FIELD_EX32(vq->alloc, TH_ALLOC, ALLOCATED);
}

TegraHostQueue *tegra241_host_find(TegraHost *h, unsigned vintf,
                                   unsigned lqueue)
{
    unsigned i;

    for (i = 0; i < th_queues(h); i++) {
        TegraHostQueue *vq = &h->queue[i];

        if (tegra241_host_mapped(vq) &&
            FIELD_EX32(vq->alloc, TH_ALLOC, VINTF) == vintf &&
            FIELD_EX32(vq->alloc, TH_ALLOC, LQUEUE) == lqueue) {
            return vq;
        }
    }
    return NULL;
}

void tegra241_host_stop(TegraHostQueue *vq)
{
    vq->status &= ~TH_Q_EN;
}

static bool may_map(TegraHost *h, uint32_t val)
{
    unsigned vintf = FIELD_EX32(val, TH_ALLOC, VINTF);
    unsigned lqueue = FIELD_EX32(val, TH_ALLOC, LQUEUE);

    if (vintf >= th_vintfs(h) || lqueue >= th_queues_per_vintf(h) ||
        tegra241_host_find(h, vintf, lqueue)) {
        tegra241_host_violation(h, TH_BAD_ALLOC);
        return false;
    }
    if (lqueue && !tegra241_host_find(h, vintf, lqueue - 1)) {
        tegra241_host_violation(h, TH_ALLOC_ORDER);
        return false;
    }
    return true;
}

/* A driver can do nothing about a queue that refuses to get disabled */
static void live_violation(TegraHostQueue *vq, TegraHostViolation which)
{
    if (!th_bit(vq->h->queue_live, vq->index)) {
        tegra241_host_violation(vq->h, which);
    }
}

static void unmap(TegraHostQueue *vq)
{
    unsigned vintf = FIELD_EX32(vq->alloc, TH_ALLOC, VINTF);
    unsigned lqueue = FIELD_EX32(vq->alloc, TH_ALLOC, LQUEUE);

    if (tegra241_host_find(vq->h, vintf, lqueue + 1)) {
        tegra241_host_violation(vq->h, TH_FREE_ORDER);
    }
    if (vq->status & TH_Q_EN) {
        live_violation(vq, TH_FREE_LIVE);
        tegra241_host_stop(vq);
    }
    vq->alloc = FIELD_DP32(vq->alloc, TH_ALLOC, ALLOCATED, 0);
}

/* What a mapped queue belongs to is fixed until it is unmapped */
void tegra241_host_alloc_write(TegraHost *h, unsigned index, uint32_t val)
{
    TegraHostQueue *vq = &h->queue[index];
    bool map = FIELD_EX32(val, TH_ALLOC, ALLOCATED);

    val &= R_TH_ALLOC_ALLOCATED_MASK | R_TH_ALLOC_LQUEUE_MASK |
           R_TH_ALLOC_VINTF_MASK;
    trace_tegra241_host_alloc(index, val);
    if (tegra241_host_mapped(vq)) {
        if (map) {
            return;
        }
        unmap(vq);
    } else if (map && !may_map(h, val)) {
        val = FIELD_DP32(val, TH_ALLOC, ALLOCATED, 0);
    }
    vq->alloc = val;
}

/* Who may be at the queue's page 0; NULL: nobody but the driver */
static TegraHostVintf *owner(TegraHostQueue *vq)
{
    return tegra241_host_mapped(vq) ? tegra241_host_vintf(vq) : NULL;
}

static void consume(TegraHostQueue *vq)
{
    Error *err = NULL;

    smmuv3_queue_consume(vq->h->s, &vq->q, vq, &err);
    if (err) {
        error_report_err(err);
    }
}

/* After a knob has changed */
void tegra241_host_kick_all(TegraHost *h)
{
    unsigned i;

    for (i = 0; i < th_queues(h); i++) {
        if (!tegra241_host_stopped(&h->queue[i])) {
            consume(&h->queue[i]);
        }
    }
}

/* A ring has a size that the SMMU has, and lies on a multiple of it */
static bool base_ok(TegraHostQueue *vq)
{
    uint32_t log2 = vq->q.base & TH_BASE_LOG2;
    uint64_t size = sizeof(Cmd) << log2;

    return log2 && log2 <= FIELD_EX32(vq->h->s->idr[1], IDR1, CMDQS) &&
           (vq->q.base & TH_BASE_ADDR) &&
           !(vq->q.base & TH_BASE_ADDR & (size - 1));
}

static void enable(TegraHostQueue *vq)
{
    TegraHost *h = vq->h;
    unsigned vintf = FIELD_EX32(vq->alloc, TH_ALLOC, VINTF);

    if (vq->status & TH_Q_EN) {
        return;
    }
    if (!h->enabled || !tegra241_host_mapped(vq) || !h->vintf[vintf].enabled ||
        !base_ok(vq) || th_bit(h->queue_stuck, vq->index)) {
        tegra241_host_raise(vq, TH_GERROR_INIT);
        return;
    }
    if (vq->atc_pending) {
        tegra241_host_violation(h, TH_STALE_TIMEOUT);
    }
    vq->q.log2size = vq->q.base & TH_BASE_LOG2;
    vq->status |= TH_Q_EN;
    consume(vq);
}

static void write_config(TegraHostQueue *vq, uint32_t val)
{
    vq->config = val & TH_Q_EN;
    if (vq->config) {
        enable(vq);
    } else if (!th_bit(vq->h->queue_live, vq->index)) {
        tegra241_host_stop(vq);
    }
}

static void write_gerrorn(TegraHostQueue *vq, uint32_t val)
{
    uint32_t toggled = (val ^ vq->gerrorn) & TH_GERROR_ALL;

    if (toggled & ~th_pending(vq)) {
        tegra241_host_fault(vq->h, owner(vq), TH_ACK_NOT_PENDING);
    }
    vq->gerrorn = val & TH_GERROR_ALL;
    if (!tegra241_host_stopped(vq)) {
        consume(vq);
    }
}

uint32_t tegra241_host_page0_read(TegraHostQueue *vq, unsigned reg)
{
    switch (reg) {
    case A_TH_Q_CONS:
        return vq->q.cons;
    case A_TH_Q_PROD:
        return vq->q.prod;
    case A_TH_Q_CONFIG:
        return vq->config;
    case A_TH_Q_STATUS:
        return vq->status;
    case A_TH_Q_GERROR:
        return vq->gerror;
    case A_TH_Q_GERRORN:
        return vq->gerrorn;
    default:
        tegra241_host_fault(vq->h, owner(vq), TH_BAD_ACCESS);
        return 0;
    }
}

void tegra241_host_page0_write(TegraHostQueue *vq, unsigned reg, uint32_t val)
{
    trace_tegra241_host_page0_write(vq->index, reg, val);
    switch (reg) {
    case A_TH_Q_CONS:
        vq->q.cons = val & TH_Q_INDEX_MASK;
        break;
    case A_TH_Q_PROD:
        vq->q.prod = val & TH_Q_INDEX_MASK;
        vq->doorbells++;
        if (!tegra241_host_stopped(vq)) {
            consume(vq);
        }
        break;
    case A_TH_Q_CONFIG:
        write_config(vq, val);
        break;
    case A_TH_Q_GERRORN:
        write_gerrorn(vq, val);
        break;
    case A_TH_Q_STATUS:
    case A_TH_Q_GERROR:
        break; /* read-only */
    default:
        tegra241_host_fault(vq->h, owner(vq), TH_BAD_ACCESS);
    }
}

uint64_t tegra241_host_page1_read(TegraHostQueue *vq, unsigned reg)
{
    switch (reg) {
    case A_TH_Q_BASE:
        return vq->q.base;
    case A_TH_Q_DRAM:
        return vq->dram;
    default:
        tegra241_host_violation(vq->h, TH_BAD_ACCESS);
        return 0;
    }
}

void tegra241_host_page1_write(TegraHostQueue *vq, unsigned reg, uint64_t val,
                               uint64_t mask)
{
    switch (reg) {
    case A_TH_Q_BASE:
        if (vq->status & TH_Q_EN) {
            live_violation(vq, TH_BASE_LIVE_CHANGE);
            return;
        }
        vq->q.base = ((vq->q.base & ~mask) | (val & mask)) &
                     (TH_BASE_ADDR | TH_BASE_LOG2);
        break;
    case A_TH_Q_DRAM:
        vq->dram = ((vq->dram & ~mask) | (val & mask)) &
                   MAKE_64BIT_MASK(2, 46);
        break;
    default:
        tegra241_host_violation(vq->h, TH_BAD_ACCESS);
    }
}
