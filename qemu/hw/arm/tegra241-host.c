/*
 * Host side of the Tegra241 CMDQV: life of the device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * It is a part of the SMMUv3 device, as on the chip, and exists with
 * cmdqv-host=on. Its registers are the second MMIO region of that device and
 * its error interrupt is the fifth line.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qapi/error.h"
#include "hw/core/irq.h"
#include "tegra241-host.h"

static const char *const violation_names[TH_VIOLATIONS] = {
    [TH_BAD_ACCESS] = "bad-access",
    [TH_BAD_ALLOC] = "bad-alloc",
    [TH_ALLOC_ORDER] = "alloc-order",
    [TH_FREE_ORDER] = "free-order",
    [TH_FREE_LIVE] = "free-live",
    [TH_VINTF_LIVE_CHANGE] = "vintf-live-change",
    [TH_VINTF_LIVE_QUEUE] = "vintf-live-queue",
    [TH_BASE_LIVE_CHANGE] = "base-live-change",
    [TH_UNMAPPED_WRITE] = "unmapped-write",
    [TH_ACK_NOT_PENDING] = "ack-not-pending",
    [TH_STALE_TIMEOUT] = "stale-timeout",
};

const char *tegra241_host_violation_name(unsigned which)
{
    return violation_names[which];
}

void tegra241_host_violation(TegraHost *h, TegraHostViolation which)
{
    if (!h->violation_count++) {
        h->first_violation = which;
    }
    h->violations[which]++;
    qemu_log_mask(LOG_GUEST_ERROR, "tegra241-host: %s\n",
                  violation_names[which]);
}

/*
 * Page 0 of a VINTF that is not the hypervisor's is in the hands of a guest.
 * What goes wrong there is no mistake of the host's driver.
 */
void tegra241_host_fault(TegraHost *h, TegraHostVintf *vi,
                         TegraHostViolation which)
{
    if (vi && vi->enabled && !FIELD_EX32(vi->config, TH_VI_CONFIG, HYP_OWN)) {
        h->guest_faults++;
    } else if (vi && !vi->enabled) {
        /* Hardware drops it; the driver resets queues before it has them */
        h->dropped++;
    } else {
        tegra241_host_violation(h, which);
    }
}

static void reset_queue(TegraHostQueue *vq)
{
    /* A timeout that nobody has seen yet outlives even a reset */
    vq->alloc = 0;
    vq->config = 0;
    vq->status = 0;
    vq->gerror = 0;
    vq->gerrorn = 0;
    vq->dram = 0;
    vq->q.base = 0;
    vq->q.prod = 0;
    vq->q.cons = 0;
    vq->q.log2size = 0;
    vq->q.entry_size = sizeof(Cmd);
}

static void reset_vintf(TegraHostVintf *vi)
{
    vi->config = 0;
    vi->enabled = false;
    memset(vi->match, 0, sizeof(vi->match));
    memset(vi->replace, 0, sizeof(vi->replace));
}

/*
 * As after a reset that a driver has repaired for VINTF 0 alone: all others
 * have lost their state and their queues.
 */
void tegra241_host_lose(TegraHost *h)
{
    unsigned i;

    for (i = 1; i < th_vintfs(h); i++) {
        reset_vintf(&h->vintf[i]);
    }
    for (i = 0; i < th_queues(h); i++) {
        if (FIELD_EX32(h->queue[i].alloc, TH_ALLOC, VINTF)) {
            uint32_t owner = h->queue[i].alloc;

            reset_queue(&h->queue[i]);
            h->queue[i].alloc = FIELD_DP32(owner, TH_ALLOC, ALLOCATED, 0);
        }
    }
}

/*
 * Firmware of the real machine leaves the CMDQV disabled or enabled; the
 * driver copes with both. Disabled is the state in which a missing write shows.
 */
void tegra241_host_reset(TegraHost *h)
{
    unsigned i;

    h->config = TH_CONFIG_RESET;
    h->enabled = false;
    h->int_mask = 0;
    for (i = 0; i < TH_MAX_VINTFS; i++) {
        reset_vintf(&h->vintf[i]);
    }
    for (i = 0; i < TH_MAX_QUEUES; i++) {
        reset_queue(&h->queue[i]);
    }
    h->resets++;
}

void tegra241_host_instance_init(SMMUv3State *s)
{
    TegraHost *h = g_new0(TegraHost, 1);
    unsigned i;

    h->s = s;
    h->log2_vintfs = 2;
    h->log2_queues = 4;
    h->log2_sids = 4;
    h->first_violation = -1;
    for (i = 0; i < TH_MAX_QUEUES; i++) {
        h->queue[i].h = h;
        h->queue[i].index = i;
    }
    s->cmdqv_host = h;
    tegra241_host_add_properties(s);
}

void tegra241_host_instance_finalize(SMMUv3State *s)
{
    g_free(s->cmdqv_host);
}

bool tegra241_host_realize(SMMUv3State *s, Error **errp)
{
    SysBusDevice *sbd = SYS_BUS_DEVICE(s);
    TegraHost *h = s->cmdqv_host;
    uint64_t size;

    if (s->accel) {
        error_setg(errp, "cmdqv-host and accel exclude each other");
        return false;
    }
    if (h->log2_vintfs > TH_MAX_LOG2_VINTFS ||
        h->log2_queues > TH_MAX_LOG2_QUEUES ||
        h->log2_sids > TH_MAX_LOG2_SIDS) {
        error_setg(errp, "cmdqv-log2-*: at most %d VINTFs, %d queues, %d SIDs",
                   TH_MAX_LOG2_VINTFS, TH_MAX_LOG2_QUEUES, TH_MAX_LOG2_SIDS);
        return false;
    }
    if (h->log2_queues < h->log2_vintfs) {
        error_setg(errp, "cmdqv-log2-queues: each VINTF needs a queue");
        return false;
    }

    size = TH_VINTF_PAGES + 2ULL * TH_PAGE * th_vintfs(h);
    memory_region_init_io(&h->mmio, OBJECT(s), &tegra241_host_ops, h,
                          "tegra241-host", size);
    sysbus_init_mmio(sbd, &h->mmio);
    sysbus_init_irq(sbd, &h->irq);
    h->ready = true;
    return true;
}
