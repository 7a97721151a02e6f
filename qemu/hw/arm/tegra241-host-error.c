/*
 * Host side of the Tegra241 CMDQV: errors and their interrupt
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * GERROR and GERRORN work as those of the SMMU: hardware toggles a bit of the
 * first to report, software makes them equal to acknowledge. The maps are
 * views of that, so an acknowledge clears them.
 */

#include "qemu/osdep.h"
#include "hw/core/irq.h"
#include "tegra241-host.h"
#include "trace.h"

static unsigned vintf_of(const TegraHostQueue *vq)
{
    return FIELD_EX32(vq->alloc, TH_ALLOC, VINTF);
}

TegraHostVintf *tegra241_host_vintf(TegraHostQueue *vq)
{
    return &vq->h->vintf[vintf_of(vq)];
}

/* The interrupt is an edge: one for each error that is new */
void tegra241_host_raise(TegraHostQueue *vq, uint32_t bits)
{
    TegraHost *h = vq->h;
    uint32_t fresh = bits & ~th_pending(vq);

    if (!fresh) {
        return;
    }
    vq->gerror ^= fresh;
    vq->errors++;
    trace_tegra241_host_error(vq->index, vq->gerror, vq->gerrorn);
    if (!tegra241_host_mapped(vq)) {
        return;
    }
    if (th_bit(h->int_mask, vintf_of(vq))) {
        h->irqs_masked++;
        return;
    }
    h->irqs++;
    if (!h->irq_lost) {
        qemu_irq_pulse(h->irq);
    }
}

uint64_t tegra241_host_vintf_map(TegraHost *h)
{
    uint64_t map = 0;
    unsigned i;

    for (i = 0; i < th_queues(h); i++) {
        TegraHostQueue *vq = &h->queue[i];

        if (tegra241_host_mapped(vq) && th_pending(vq)) {
            map |= BIT_ULL(vintf_of(vq));
        }
    }
    return map;
}

/* Queues by their global number, 32 in a word */
uint32_t tegra241_host_queue_map(TegraHost *h, unsigned word)
{
    uint32_t map = 0;
    unsigned i;

    for (i = 0; i < 32; i++) {
        unsigned index = word * 32 + i;

        if (index < th_queues(h) && th_pending(&h->queue[index])) {
            map |= BIT(i);
        }
    }
    return map;
}

/* Queues of one VINTF by their number in it */
uint32_t tegra241_host_lqueue_map(TegraHost *h, unsigned vintf, unsigned word)
{
    uint32_t map = 0;
    unsigned i;

    for (i = 0; i < 32; i++) {
        TegraHostQueue *vq = tegra241_host_find(h, vintf, word * 32 + i);

        if (vq && th_pending(vq)) {
            map |= BIT(i);
        }
    }
    return map;
}
