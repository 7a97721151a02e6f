/*
 * AMD hardware vIOMMU: rings that go on when they have been switched off
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Software that clears an enable bit has to wait for the run bit before it
 * takes the memory away. Here nothing takes time, unless a knob says so: with
 * viommu-stop-delay-ms a ring goes on that long, with base and length of
 * before, and a command ring whose IOTLB invalidation a device does not answer
 * cannot stop before the invalidation has given up.
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "amd_viommu.h"

static const struct {
    uint64_t enable;
    uint64_t run;
} rings[] = {
    [AMD_RING_CMD] = { AMD_VFC_CMD_EN, AMD_VF_ST_CMD_RUN },
    [AMD_RING_EVT] = { AMD_VFC_EVT_EN, AMD_VF_ST_EVT_RUN },
    [AMD_RING_PPR] = { AMD_VFC_PPR_LOG_EN | AMD_VFC_PPR_EN,
                       AMD_VF_ST_PPR_RUN },
};

static int64_t now_ns(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void end_linger(AMDViommu *v, AMDViommuGuest *g, int64_t now)
{
    AMDViommuGuest old = *g;
    int i;

    for (i = 0; i < ARRAY_SIZE(rings); i++) {
        if (g->linger_until[i] <= now) {
            g->linger[i] = 0;
        }
    }
    amd_viommu_log_update(v, g, &old);
}

static void ring_timer(void *opaque)
{
    AMDViommu *v = opaque;
    int64_t now = now_ns();
    GHashTableIter iter;
    AMDViommuGuest *g;

    g_hash_table_iter_init(&iter, v->guests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
        if (g->iotlb_until && g->iotlb_until <= now) {
            amd_viommu_ring_iotlb_done(v, g);
        }
        end_linger(v, g, now);
        amd_viommu_ring_run(v, g);
    }
    amd_viommu_linger_arm(v);
}

static int64_t guest_next(const AMDViommuGuest *g)
{
    int64_t next = g->iotlb_until ?: INT64_MAX;
    int i;

    for (i = 0; i < ARRAY_SIZE(rings); i++) {
        if (g->linger[i]) {
            next = MIN(next, g->linger_until[i]);
        }
    }
    return next;
}

/* Wake up when the next ring has something to end */
void amd_viommu_linger_arm(AMDViommu *v)
{
    int64_t next = INT64_MAX;
    GHashTableIter iter;
    AMDViommuGuest *g;

    g_hash_table_iter_init(&iter, v->guests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
        next = MIN(next, guest_next(g));
    }
    if (!v->ring_timer) {
        v->ring_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, ring_timer, v);
    }
    if (next == INT64_MAX) {
        timer_del(v->ring_timer);
    } else {
        timer_mod(v->ring_timer, next);
    }
}

/* All guests are about to go */
void amd_viommu_linger_reset(AMDViommu *v)
{
    if (v->ring_timer) {
        timer_del(v->ring_timer);
    }
}

/* @reg of VFCtrl has changed: a ring may have been switched off, or on again */
void amd_viommu_linger_update(AMDViommu *v, AMDViommuGuest *g,
                              const AMDViommuGuest *old, unsigned reg)
{
    int i = ((int)reg - AMD_VFC_CMD) / 8;
    int64_t now = now_ns(), until;
    uint64_t was = amd_viommu_ring_reg(old, reg);

    if (reg < AMD_VFC_CMD || reg > AMD_VFC_PPR) {
        return;
    }
    if ((amd_vfc(g, reg) & rings[i].enable) == rings[i].enable) {
        g->linger[i] = 0;
    } else if (!g->linger[i] && (was & rings[i].enable) == rings[i].enable &&
               (*amd_vf(g, AMD_VF_STATUS) & rings[i].run)) {
        until = now + (int64_t)v->stop_delay_ms * SCALE_MS;
        if (i == AMD_RING_CMD) {
            until = MAX(until, g->iotlb_until);
        }
        if (until > now) {
            g->linger[i] = was;
            g->linger_until[i] = until;
            amd_viommu_linger_arm(v);
        }
    }
}
