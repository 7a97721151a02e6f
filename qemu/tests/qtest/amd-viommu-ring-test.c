/*
 * QTest for the AMD hardware vIOMMU: command ring, maps, logs, interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/qos-amd-viommu.h"
#include "hw/i386/amd_iommu_model.h"

#define GID             5
#define HDOM            0x1f5
#define GDOM            3
#define GDEV            0x42
#define IOVA            0x123456000ULL
#define CMD(op)         ((uint64_t)AMDVI_CMD_##op << 60)

static QAVGuest *ring_guest(const char *props)
{
    QAVGuest *g = qav_guest(qav_up(props), GID);

    qav_ring(g, QAV_RING_CODE);
    return g;
}

static void end(QAVGuest *g, bool clean)
{
    if (clean) {
        qav_assert_clean(g->v);
    }
    qav_stop(g->v);
    qav_guest_free(g);
}

static void assert_event(QAMDVIOMMU *v, uint64_t lo, uint64_t hi)
{
    uint64_t evt[2];

    g_assert(qamd_event(v->q, evt));
    g_assert_cmphex(evt[0], ==, lo);
    g_assert_cmphex(evt[1], ==, hi);
}

static void assert_no_event(QAMDVIOMMU *v)
{
    uint64_t evt[2];

    g_assert(!qamd_event(v->q, evt));
}

/*
 * Completion wait
 */

static void test_cw_store(void)
{
    QAVGuest *g = ring_guest("");

    g_assert(qav_wait(g));
    g_assert(qav_wait(g));
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 32);
    assert_no_event(g->v);
    end(g, true);
}

static void test_cw_interrupt_bit(void)
{
    QAVGuest *g = ring_guest("");

    qav_cmd(g, CMD(COMPLETION_WAIT) | 2, 0);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_COMWAIT_INT);
    qav_vf_write(g->v, GID, AMD_VF_STATUS, AMD_VF_ST_COMWAIT_INT);
    g_assert(!(qav_vf_read(g->v, GID, AMD_VF_STATUS) &
               AMD_VF_ST_COMWAIT_INT));
    /* Neither bit: nothing happens */
    qav_cmd(g, CMD(COMPLETION_WAIT) | g->sem, 0x55);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, 0);
    end(g, true);
}

/* Every legal length: fill the ring but for one entry, go round twice */
static void check_length(const void *arg)
{
    unsigned code = GPOINTER_TO_UINT(arg);
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint32_t n, entries = 1U << code;
    g_autofree uint64_t *ring = g_new(uint64_t, 2 * entries);

    qav_ring(g, code);
    for (n = 0; n < entries; n++) {
        ring[2 * n] = CMD(COMPLETION_WAIT) | g->sem | 1;
        ring[2 * n + 1] = n + 1;
    }
    qtest_bufwrite(g->v->q->qts, g->ring_spa, ring, 16 * entries);
    g->tail = (entries - 1) * 16;
    qav_doorbell(g);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, g->tail);
    g_assert_cmpuint(qtest_readq(g->v->q->qts, g->sem_spa), ==, entries - 1);
    g->tail = 16;
    qav_doorbell(g);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 16);
    g_assert_cmpuint(qtest_readq(g->v->q->qts, g->sem_spa), ==, 1);
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "command-1"), ==,
                     entries + 1);
    end(g, true);
}

static void test_disabled_ring_waits(void)
{
    QAVGuest *g = ring_guest("");

    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
    g_assert(!qav_wait(g));
    qav_vfc_write(g->v, GID, AMD_VFC_CMD,
                  g->ring | QAV_RING_CODE | AMD_VFC_CMD_EN);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, g->sem_value);
    end(g, true);
}

static void test_control_stops_rings(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t on = qamd_reg(g->v->q, AMDVI_MMIO_CONTROL);

    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, on & ~AMD_VIOMMU_CTRL_VCMD_EN);
    g_assert(!qav_wait(g));
    g_assert(!(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_CMD_RUN));
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, on);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, g->sem_value);
    end(g, true);
}

/*
 * Substitution: the effect of a guest's command on the host's caches
 */

/* The device with a table in domain HDOM; returns the leaf entry */
static uint64_t attach_device(QAVGuest *g, uint64_t spa)
{
    uint64_t root = qamd_page(g->v->q), dte[4], leaf;

    leaf = qamd_map_host(g->v->q, root, 4, IOVA, spa, 1, QAMD_PTE_RW);
    qamd_host_dte(dte, HDOM, root, 4);
    qav_set_dte(g->v, g->v->q->devid, dte);
    return leaf;
}

static void move(QAVGuest *g, uint64_t leaf, uint64_t spa)
{
    qtest_writeq(g->v->q->qts, leaf, spa | QAMD_PTE_PR | QAMD_PTE_RW);
}

static void test_domain_substitution(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t a = qamd_page(g->v->q), b = qamd_page(g->v->q);
    uint64_t leaf = attach_device(g, a);

    qav_map_dom(g, GDOM, HDOM);
    qav_map_dom(g, HDOM, 0x99);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    move(g, leaf, b);
    /* The guest's HDOM is another one of the host */
    qav_cmd(g, CMD(INVAL_AMDVI_PAGES) | (uint64_t)HDOM << 32,
            QAMD_INV_ALL_ADDR | QAMD_INV_S);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    qav_cmd(g, CMD(INVAL_AMDVI_PAGES) | (uint64_t)GDOM << 32,
            QAMD_INV_ALL_ADDR | QAMD_INV_S);
    g_assert(qamd_dma(g->v->q, IOVA, b, 0));
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "command-3"), ==, 2);
    end(g, true);
}

static void test_device_substitution(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t a = qamd_page(g->v->q), b = qamd_page(g->v->q);
    uint64_t root = qamd_page(g->v->q), dte[4];

    attach_device(g, a);
    qav_map_dev(g, GDEV, g->v->q->devid);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    /* Another DTE, with another domain: seen only when the old one is gone */
    qamd_map_host(g->v->q, root, 4, IOVA, b, 1, QAMD_PTE_RW);
    qamd_host_dte(dte, HDOM + 1, root, 4);
    qav_write_dte(g->v, g->v->q->devid, dte);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    qav_cmd(g, CMD(INVAL_DEVTAB_ENTRY) | GDEV, 0);
    g_assert(qamd_dma(g->v->q, IOVA, b, 0));
    end(g, true);
}

/* INVALIDATE_IOMMU_ALL of a guest drops its own domains, not the host's */
static void test_invalidate_all(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t a = qamd_page(g->v->q), b = qamd_page(g->v->q);
    uint64_t leaf = attach_device(g, a);

    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    move(g, leaf, b);
    qav_cmd(g, CMD(INVAL_AMDVI_ALL), 0);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    qav_map_dom(g, GDOM, HDOM);
    qav_cmd(g, CMD(INVAL_AMDVI_ALL), 0);
    g_assert(qamd_dma(g->v->q, IOVA, b, 0));
    end(g, true);
}

/* All commands of the public set, with IDs that are mapped */
static void test_all_commands(void)
{
    static const uint8_t ops[] = {
        AMDVI_CMD_INVAL_DEVTAB_ENTRY, AMDVI_CMD_INVAL_AMDVI_PAGES,
        AMDVI_CMD_INVAL_IOTLB_PAGES, AMDVI_CMD_INVAL_INTR_TABLE,
        AMDVI_CMD_COMPLETE_PPR_REQUEST, AMDVI_CMD_INVAL_AMDVI_ALL,
    };
    QAVGuest *g = ring_guest("");
    uint64_t q0;
    int i;

    qav_map_dom(g, GDOM, HDOM);
    qav_map_dev(g, GDEV, g->v->q->devid);
    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        g_autofree char *name = g_strdup_printf("command-%x", ops[i]);

        q0 = ops[i] == AMDVI_CMD_INVAL_AMDVI_ALL ? 0 :
             ops[i] == AMDVI_CMD_INVAL_AMDVI_PAGES ? (uint64_t)GDOM << 32 :
             GDEV;
        qav_cmd(g, (uint64_t)ops[i] << 60 | q0, 0);
        g_assert(qav_wait(g));
        g_assert_cmpuint(qav_guest_counter(g->v, GID, name), ==, 1);
    }
    assert_no_event(g->v);
    end(g, true);
}

/* Not a guest's: prefetch, RESET_VMMIO, INSERT_GUEST_EVENT, unknown ones */
static void test_illegal_commands(void)
{
    static const uint8_t ops[] = { 0, 6, 9, 0xa, 0xb, 0xf };
    QAVGuest *g = ring_guest("");
    uint64_t log = qav_event_log(g, 0), at;
    int i;

    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        at = g->ring + g->tail;
        qav_cmd(g, (uint64_t)ops[i] << 60 | AMD_CMD_RESET_ALL |
                AMD_CMD_RESET_VCMD | GID, 0);
        g_assert_cmpuint(qav_violations(g->v, "guest-command-illegal"), ==,
                         i + 1);
        /* Stopped, and the guest is told where */
        g_assert(!(qav_vf_read(g->v, GID, AMD_VF_STATUS) &
                   AMD_VF_ST_CMD_RUN));
        g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==,
                        (i + 1) * 16);
        g_assert_cmphex(qtest_readq(g->v->q->qts, log + i * 16), ==,
                        AMD_EVT_ILLEGAL_COMMAND << 60);
        g_assert_cmphex(qtest_readq(g->v->q->qts, log + i * 16 + 8), ==, at);
        g_assert(!qav_wait(g));
        /* Off and on starts it again behind what it stopped at */
        qav_vf_write(g->v, GID, AMD_VF_CMD_HEAD, g->tail);
        qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
        qav_vfc_write(g->v, GID, AMD_VFC_CMD,
                      g->ring | QAV_RING_CODE | AMD_VFC_CMD_EN);
        g_assert(qav_wait(g));
    }
    end(g, true);
}

static void test_unmapped_device(void)
{
    QAVGuest *g = ring_guest(",viommu-sparse-dev-map=on");
    uint64_t at = g->ring + g->tail;

    qav_cmd(g, CMD(INVAL_DEVTAB_ENTRY) | GDEV, 0);
    g_assert_cmpuint(qav_violations(g->v, "gdevid-not-mapped"), ==, 1);
    assert_event(g->v, AMD_EVT_ILLEGAL_COMMAND << 60 | AMD_EVT_VFLAG_VCMD |
                 GID, at);
    /* Skipped, not stopped */
    g_assert(qav_wait(g));
    end(g, true);
}

/*
 * Isolation
 */

static void test_two_guests(void)
{
    QAVGuest *g = ring_guest(""), *h = qav_guest(g->v, GID + 1);
    uint64_t a = qamd_page(g->v->q), b = qamd_page(g->v->q);
    uint64_t leaf = attach_device(g, a);

    qav_ring(h, QAV_RING_CODE);
    qav_map_dom(g, GDOM, HDOM);
    qav_map_dom(h, GDOM, HDOM + 1);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    move(g, leaf, b);
    qav_cmd(h, CMD(INVAL_AMDVI_PAGES) | (uint64_t)GDOM << 32,
            QAMD_INV_ALL_ADDR | QAMD_INV_S);
    qav_cmd(h, CMD(INVAL_AMDVI_ALL), 0);
    g_assert(qamd_dma(g->v->q, IOVA, a, 0));
    /* What one guest can address, the other cannot */
    qav_cmd(h, CMD(COMPLETION_WAIT) | g->sem | 1, 0x66);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, 0);
    assert_event(g->v, AMD_EVT_GUEST_EVENT_FAULT << 60 |
                 (uint64_t)(GID + 1) << 32, g->sem);
    g_assert(qav_wait(g));
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "command-3"), ==, 0);
    qav_guest_free(h);
    end(g, true);
}

static void test_registers_are_separate(void)
{
    QAVGuest *g = ring_guest(""), *h = qav_guest(g->v, GID + 1);

    g_assert(qav_wait(g));
    g_assert_cmphex(qav_vf_read(g->v, GID + 1, AMD_VF_CMD_TAIL), ==, 0);
    g_assert_cmphex(qav_vfc_read(g->v, GID + 1, AMD_VFC_CMD), ==, 0);
    qav_ring(h, QAV_RING_CODE + 1);
    qav_guest_reset(h);
    g_assert(qav_wait(g));
    qav_guest_free(h);
    end(g, true);
}

/* A store to a register window must not reach it */
static void test_no_mmio_from_ring(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t gpa = 0x5000000000ULL;

    qav_map_guest_page(g, gpa, AMD_VIOMMU_VF_BASE_DEFAULT + GID * 0x1000);
    qav_cmd(g, CMD(COMPLETION_WAIT) | (gpa + AMD_VF_EVT_HEAD) | 1, 0x40);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_HEAD), ==, 0);
    g_assert_cmpuint(qav_violations(g->v, "store-address-not-mapped"), ==, 1);
    end(g, true);
}

/*
 * What hardware keeps: stale, then invalidated
 */

static void test_private_memory_stale(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t dom = AMD_PAS_DOMMAP + ((uint64_t)GID << AMD_PAS_DOMMAP_SHIFT);
    uint64_t page = qamd_page(g->v->q);

    qav_map_dom(g, GDOM, HDOM);
    qamd_map_host(g->v->q, g->v->pas_root, 4, dom, page, 1, QAMD_PTE_RW);
    qav_map_dom(g, GDOM, HDOM + 1);
    /* In the old page, for which the driver is to blame */
    g_assert_cmphex(qtest_readq(g->v->q->qts, page + GDOM * 8), ==, 0);
    g_assert_cmpuint(qav_violations(g->v, "pas-translation-stale"), >, 0);
    qav_flush_pas(g->v);
    qav_map_dom(g, GDOM, HDOM + 1);
    g_assert_cmphex(qtest_readq(g->v->q->qts, page + GDOM * 8), !=, 0);
    end(g, false);
}

static void test_guest_memory_stale(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t page = qamd_page(g->v->q);

    g_assert(qav_wait(g));
    qav_map_guest_page(g, g->sem, page);
    /* The host may be about to flush; after ten seconds it is not */
    g_assert(qav_wait(g));
    g_assert_cmpuint(qav_violations(g->v, "gpa-translation-stale"), ==, 0);
    qtest_clock_step(g->v->q->qts, 11000000000LL);
    g_assert(qav_wait(g));
    g_assert_cmpuint(qav_violations(g->v, "gpa-translation-stale"), ==, 1);
    qamd_inv_pages(g->v->q, g->domid, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    g_assert(qamd_wait(g->v->q));
    g_assert(!qav_wait(g));
    g_assert_cmphex(qtest_readq(g->v->q->qts, page), ==, g->sem_value);
    end(g, false);
}

static void test_other_domain_keeps(void)
{
    QAVGuest *g = ring_guest("");

    g_assert(qav_wait(g));
    qav_map_guest_page(g, g->sem, qamd_page(g->v->q));
    qav_flush_pas(g->v);
    g_assert(qav_wait(g));
    end(g, false);
}

/*
 * Logs
 */

/* A DTE that makes the device the guest's */
static void own_device(QAVGuest *g)
{
    uint64_t dte[4];

    qav_map_dev(g, GDEV, g->v->q->devid);
    qav_map_dom(g, GDOM, HDOM);
    qamd_host_dte(dte, HDOM, g->s2, 4);
    dte[3] = AMD_DTE3_VIMU_EN | (uint64_t)GDEV << AMD_DTE3_GDEVID_SHIFT |
             (uint64_t)g->gid << AMD_DTE3_GID_SHIFT;
    qav_set_dte(g->v, g->v->q->devid, dte);
}

static void inject(QAVGuest *g, const char *what, uint64_t q0, uint64_t q1)
{
    g_autofree char *str = g_strdup_printf("%s %x %" PRIx64 " %" PRIx64, what,
                                           g->v->q->devid, q0, q1);

    qav_set_str(g->v, "viommu-inject", str);
}

static void test_event(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t log = qav_event_log(g, 0);
    QTestState *qts = g->v->q->qts;
    uint64_t fault = 0x2ULL << 60 | (uint64_t)HDOM << 32 | g->v->q->devid;

    own_device(g);
    inject(g, "event", fault, 0xabc000);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 16);
    g_assert_cmphex(qtest_readq(qts, log), ==,
                    0x2ULL << 60 | (uint64_t)GDOM << 32 | GDEV);
    g_assert_cmphex(qtest_readq(qts, log + 8), ==, 0xabc000);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_EVT_INT);
    /* A PASID stays what it is */
    inject(g, "event", fault | BIT_ULL(48), 0xabc000);
    g_assert_cmphex(qtest_readq(qts, log + 16), ==,
                    0x2ULL << 60 | BIT_ULL(48) | (uint64_t)HDOM << 32 | GDEV);
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "events"), ==, 2);
    assert_no_event(g->v);
    end(g, true);
}

static void test_event_overflow(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t ctrl, i;

    qav_event_log(g, 0);
    own_device(g);
    for (i = 0; i < 256; i++) {
        inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), i);
    }
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 255 * 16);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==,
                    AMD_VF_ST_EVT_OVF | AMD_VF_ST_EVT_INT);
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "log-entries-lost"), ==, 1);
    /* What the guest loses does not show up at the host */
    assert_no_event(g->v);
    /* Off, cleared, on: runs again */
    ctrl = qav_vfc_read(g->v, GID, AMD_VFC_EVT);
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, ctrl & ~AMD_VFC_EVT_EN);
    qav_vf_write(g->v, GID, AMD_VF_STATUS, UINT64_MAX);
    qav_vf_write(g->v, GID, AMD_VF_EVT_HEAD, 255 * 16);
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, ctrl);
    inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), 1);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 0);
    end(g, true);
}

static void test_overflow_knob(void)
{
    QAVGuest *g = qav_guest(qav_up(",viommu-log-overflow=on"), GID);

    qav_event_log(g, 0);
    own_device(g);
    inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), 0);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_EVT_OVF);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 0);
    end(g, true);
}

static void test_event_log_b(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t spa, gpa = qav_guest_pages(g, 1, &spa), i;

    qav_vfc_write(g->v, GID, AMD_VFC_EVTB_BASE, gpa);
    qav_event_log(g, 1ULL << AMD_VFC_EVT_DUAL_SHIFT | QAV_RING_CODE << 4);
    own_device(g);
    for (i = 0; i < 256; i++) {
        inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), i);
    }
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVTB_TAIL), ==, 16);
    g_assert_cmphex(qtest_readq(g->v->q->qts, spa + 8), ==, 255);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_EVTB_ACTIVE);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_EVT_RUN);
    end(g, true);
}

static void test_ppr_log(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t spa, gpa = qav_guest_pages(g, 1, &spa);

    qav_vfc_write(g->v, GID, AMD_VFC_PPR, gpa << AMD_VFC_PPR_BASE_SHIFT |
                  QAV_RING_CODE | AMD_VFC_PPR_LOG_EN | AMD_VFC_PPR_EN);
    own_device(g);
    inject(g, "ppr", 0x1ULL << 60 | 0x7ULL << 32, 0x5000);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_PPR_TAIL), ==, 16);
    g_assert_cmphex(qtest_readq(g->v->q->qts, spa), ==,
                    0x1ULL << 60 | 0x7ULL << 32 | GDEV);
    g_assert(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_PPR_INT);
    end(g, true);
}

static void test_log_not_mapped(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t spa = qav_event_log(g, 0);

    own_device(g);
    qav_unmap_guest_page(g, spa + QAMD_GPA_OFFSET);
    inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), 0);
    assert_event(g->v, AMD_EVT_GUEST_EVENT_FAULT << 60 | (uint64_t)GID << 32,
                 spa + QAMD_GPA_OFFSET);
    g_assert(!(qav_vf_read(g->v, GID, AMD_VF_STATUS) & AMD_VF_ST_EVT_RUN));
    end(g, true);
}

/*
 * A guest with a device, end to end: DMA through the guest's tables and the
 * host's, invalidated by the guest's own ring
 */

typedef struct Nested {
    QAVGuest *g;
    uint64_t pte;       /* leaf entry of IOVA, in system memory */
    uint64_t table;     /* GPA of the table it is in */
    uint64_t data[2];   /* GPA of two pages; the first is mapped */
    uint64_t spa[2];
} Nested;

/* Four levels of one page each, all of them in guest memory */
static void guest_tables(Nested *n, uint64_t *gcr3)
{
    QAVGuest *g = n->g;
    uint64_t spa, gpa = qav_guest_pages(g, 5, &spa), at, i;

    for (i = 0; i < 4; i++) {
        at = spa + i * 0x1000 + extract64(IOVA, 39 - 9 * i, 9) * 8;
        qtest_writeq(g->v->q->qts, at, (gpa + (i + 1) * 0x1000) |
                     QAMD_GPTE_P | QAMD_GPTE_RW);
    }
    n->pte = at;
    n->table = gpa + 3 * 0x1000;
    qtest_writeq(g->v->q->qts, at, n->data[0] | QAMD_GPTE_P | QAMD_GPTE_RW);
    *gcr3 = gpa + 4 * 0x1000;
    qtest_writeq(g->v->q->qts, spa + 4 * 0x1000, gpa | 1);
}

static void nested_start(Nested *n)
{
    QAVGuest *g = ring_guest(",strict=on");
    uint64_t dte[4], gcr3;

    n->g = g;
    n->data[0] = qav_guest_pages(g, 1, &n->spa[0]);
    n->data[1] = qav_guest_pages(g, 1, &n->spa[1]);
    guest_tables(n, &gcr3);
    qav_control(g->v, AMD_IOMMU_CTRL_GTEN);
    qav_event_log(g, 0);
    qav_map_dev(g, GDEV, g->v->q->devid);
    qav_map_dom(g, GDOM, HDOM);
    qamd_host_dte(dte, HDOM, g->s2, 4);
    qamd_guest_dte(dte, gcr3, 0, false);
    dte[3] = AMD_DTE3_VIMU_EN | (uint64_t)GDEV << AMD_DTE3_GDEVID_SHIFT |
             (uint64_t)g->gid << AMD_DTE3_GID_SHIFT;
    qav_set_dte(g->v, g->v->q->devid, dte);
    g_assert(qamd_dma(g->v->q, IOVA, n->spa[0], 0));
}

/* The guest flushes IOVA in its domain, with its own numbers */
static void guest_flush(Nested *n)
{
    qav_cmd(n->g, CMD(INVAL_AMDVI_PAGES) | (uint64_t)GDOM << 32,
            IOVA | QAMD_INV_GN);
    g_assert(qav_wait(n->g));
}

static void host_flush(Nested *n)
{
    QAMDIOMMU *q = n->g->v->q;

    qamd_inv_pages(q, HDOM, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S | QAMD_INV_PDE);
    qamd_inv_pages(q, n->g->domid, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    g_assert(qamd_wait(q));
}

static void test_nested_invalidate(void)
{
    QAMDIOMMU *q;
    Nested n;

    nested_start(&n);
    q = n.g->v->q;
    qtest_writeq(q->qts, n.pte, n.data[1] | QAMD_GPTE_P | QAMD_GPTE_RW);
    g_assert(qamd_dma(q, IOVA, n.spa[0], 0));
    guest_flush(&n);
    g_assert(qamd_dma(q, IOVA, n.spa[1], 0));
    g_assert_cmpuint(qamd_get(q, "stat-cmd-3"), ==, 2);
    g_assert_cmpuint(qav_guest_counter(n.g->v, GID, "command-3"), ==, 1);
    end(n.g, true);
}

/* Stage 1: for the guest, in its numbers, and for nobody else */
static void test_nested_guest_fault(void)
{
    uint64_t log, evt[2];
    QAMDIOMMU *q;
    Nested n;

    nested_start(&n);
    q = n.g->v->q;
    log = qav_vfc_read(n.g->v, GID, AMD_VFC_EVT) & AMD_VFC_BASE_MASK;
    log -= QAMD_GPA_OFFSET;
    qtest_writeq(q->qts, n.pte, 0);
    guest_flush(&n);
    g_assert(qamd_dma_fails(q, IOVA, 0));
    g_assert_cmphex(qav_vf_read(n.g->v, GID, AMD_VF_EVT_TAIL), ==, 16);
    evt[0] = qtest_readq(q->qts, log);
    evt[1] = qtest_readq(q->qts, log + 8);
    /* No bits for the host; PASID 0 */
    g_assert_cmphex(evt[0], ==, 0x2ULL << 60 | AMD_IOMMU_EVF_RW |
                    AMD_IOMMU_EVF_US | AMD_IOMMU_EVF_GN | GDEV);
    g_assert_cmphex(evt[1], ==, IOVA);
    assert_no_event(n.g->v);
    end(n.g, true);
}

static void check_host_fault(Nested *n, uint64_t gpa)
{
    qav_unmap_guest_page(n->g, gpa & ~0xfffULL);
    host_flush(n);
    g_assert(qamd_dma_fails(n->g->v->q, IOVA, 0));
    assert_event(n->g->v, 0x2ULL << 60 | AMD_IOMMU_EVF_RW |
                 (uint64_t)HDOM << 32 | AMD_IOMMU_EVF_VNR |
                 n->g->v->q->devid, gpa);
    g_assert_cmphex(qav_vf_read(n->g->v, GID, AMD_VF_EVT_TAIL), ==, 0);
    end(n->g, true);
}

/* Stage 2: for the host, in its numbers, with the GPA; the guest sees none */
static void test_nested_host_fault(void)
{
    Nested n;

    nested_start(&n);
    check_host_fault(&n, n.data[0]);
}

/* The same when hardware wanted to read the guest's table there */
static void test_nested_table_fault(void)
{
    Nested n;

    nested_start(&n);
    check_host_fault(&n, n.table + extract64(IOVA, 12, 9) * 8);
}

/*
 * Knobs, and host events
 */

static void test_ring_not_mapped(void)
{
    QAVGuest *g = ring_guest("");

    qav_unmap_guest_page(g, g->ring);
    qamd_inv_pages(g->v->q, g->domid, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    g_assert(qamd_wait(g->v->q));
    g_assert(!qav_wait(g));
    assert_event(g->v, AMD_EVT_GUEST_EVENT_FAULT << 60 | (uint64_t)GID << 32,
                 g->ring);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 0);
    end(g, true);
}

static void test_ring_error_knob(void)
{
    QAVGuest *g = ring_guest("");

    qav_set_bool(g->v, "viommu-ring-error", true);
    g_assert(!qav_wait(g));
    assert_event(g->v, AMD_EVT_GUEST_EVENT_FAULT << 60 | (uint64_t)GID << 32,
                 g->ring);
    end(g, true);
}

static void test_cw_knobs(void)
{
    QAVGuest *g = ring_guest("");

    qav_set_str(g->v, "viommu-cw", "lost");
    g_assert(!qav_wait(g));
    qav_set_str(g->v, "viommu-cw", "wrong");
    g_assert(!qav_wait(g));
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, ~g->sem_value);
    qav_set_str(g->v, "viommu-cw", "normal");
    g_assert(qav_wait(g));
    qamd_set(g->v->q, "viommu-cw-delay-ms", 5);
    g_assert(!qav_wait(g));
    qtest_clock_step(g->v->q->qts, 6000000);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->sem_spa), ==, g->sem_value);
    end(g, true);
}

/* Knob: a fault in the name of the translate device instead of event Bh */
static void test_ring_fault_knob(void)
{
    QAVGuest *g = ring_guest(",viommu-ring-fault=io-page-fault");
    uint64_t flags = 0x2ULL << 60 | (uint64_t)g->domid << 32 | g->trans |
                     AMD_EVT_VFLAG_VCMD | AMD_EVT_VFLAG_VPTR;

    qav_cmd(g, CMD(COMPLETION_WAIT) | 0x1000 | 1, 0);
    assert_event(g->v, flags | AMD_IOMMU_EVF_RW, 0x1000);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    qav_ring(g, QAV_RING_CODE);
    qav_set_bool(g->v, "viommu-ring-error", true);
    g_assert(!qav_wait(g));
    assert_event(g->v, flags, g->ring);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 0);
    end(g, true);
}

static bool runs(QAVGuest *g, uint64_t bit)
{
    return qav_vf_read(g->v, GID, AMD_VF_STATUS) & bit;
}

/* Knob: switched off, the base gone from the register, and still at work */
static void test_stop_delay(void)
{
    QAVGuest *g = ring_guest("");

    qamd_set(g->v->q, "viommu-stop-delay-ms", 20);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_CMD), ==, 0);
    g_assert(runs(g, AMD_VF_ST_CMD_RUN));
    g_assert_cmpuint(qamd_get(g->v->q, "viommu-running"), ==, 1);
    g_assert(qav_wait(g));
    qtest_clock_step(g->v->q->qts, 19000000);
    g_assert(runs(g, AMD_VF_ST_CMD_RUN));
    qtest_clock_step(g->v->q->qts, 1000001);
    g_assert(!runs(g, AMD_VF_ST_CMD_RUN));
    g_assert_cmpuint(qamd_get(g->v->q, "viommu-running"), ==, 0);
    g_assert(!qav_wait(g));
    /* On again in time: as if it had never been off */
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE |
                  AMD_VFC_CMD_EN);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE |
                  AMD_VFC_CMD_EN);
    qtest_clock_step(g->v->q->qts, 30000000);
    g_assert(runs(g, AMD_VF_ST_CMD_RUN));
    g_assert(qav_wait(g));
    /* RESET_VMMIO ends it at once */
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    qav_guest_reset(g);
    g_assert(!runs(g, AMD_VF_ST_CMD_RUN));
    end(g, true);
}

static void test_stop_delay_log(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);

    qav_event_log(g, 0);
    own_device(g);
    qamd_set(g->v->q, "viommu-stop-delay-ms", 20);
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, 0);
    g_assert(runs(g, AMD_VF_ST_EVT_RUN));
    inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), 0);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 16);
    qtest_clock_step(g->v->q->qts, 21000000);
    g_assert(!runs(g, AMD_VF_ST_EVT_RUN));
    inject(g, "event", 0x2ULL << 60 | BIT_ULL(48), 0);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_EVT_TAIL), ==, 16);
    end(g, true);
}

/* Knob: the ring waits for a device, and cannot stop before it has given up */
static void test_iotlb_silent(void)
{
    QAVGuest *g = ring_guest("");
    QAMDIOMMU *q = g->v->q;

    qav_map_dev(g, GDEV, q->devid);
    qav_map_dev(g, GDEV + 1, q->devid + 8);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL,
                 qamd_reg(q, AMDVI_MMIO_CONTROL) | 2ULL << 5);
    qamd_set(q, "iotlb-silent", q->devid);
    qav_cmd(g, CMD(INVAL_IOTLB_PAGES) | (GDEV + 1), 0);
    g_assert(qav_wait(g));
    qav_cmd(g, CMD(INVAL_IOTLB_PAGES) | GDEV, 0);
    g_assert(!qav_wait(g));
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 32);
    /* Another ring is not concerned: the host's own */
    g_assert(qamd_wait(q));
    qtest_clock_step(q->qts, 9000000);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
    g_assert(runs(g, AMD_VF_ST_CMD_RUN));
    assert_no_event(g->v);
    qtest_clock_step(q->qts, 1000001);
    assert_event(g->v, 0x7ULL << 60 | AMD_EVT_VFLAG_VCMD | q->devid,
                 g->ring + 32);
    /* The command that was begun is over, the next one was not */
    g_assert(!runs(g, AMD_VF_ST_CMD_RUN));
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_CMD_HEAD), ==, 48);
    g_assert_cmphex(qtest_readq(q->qts, g->sem_spa), ==, g->sem_value - 1);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE |
                  AMD_VFC_CMD_EN);
    g_assert_cmphex(qtest_readq(q->qts, g->sem_spa), ==, g->sem_value);
    end(g, true);
}

static void test_hw_error_event(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t pas = AMD_PAS_DOMMAP + ((uint64_t)GID << AMD_PAS_DOMMAP_SHIFT) +
                   0x1000 * 8;

    qav_map_dom(g, 0x1000, HDOM);
    assert_event(g->v, AMD_EVT_VIOMMU_HW_ERROR << 60 |
                 AMD_HW_SRC_DOMMAP << AMD_EVT_HW_SOURCE_SHIFT | GID, pas);
    end(g, false);
}

/*
 * Extended interrupt remapping
 */

static void set_extir(QAVGuest *g, unsigned type, uint64_t lo, uint64_t hi)
{
    QTestState *qts = g->v->q->qts;
    uint64_t l1 = qamd_page(g->v->q), l2 = qamd_page(g->v->q), dte[4];
    unsigned id = type << AMD_EXTIR_TYPE_SHIFT | GID;

    /* The first level is 8 KiB */
    qamd_page(g->v->q);
    qtest_writeq(qts, l1 + (id >> 8 & 0x3ff) * 8, 1 |
                 AMD_EXTIR_L2_LEN << AMD_EXTIR_L1_LEN_SHIFT | l2);
    qtest_writeq(qts, l2 + (id & 0xff) * 16, lo);
    qtest_writeq(qts, l2 + (id & 0xff) * 16 + 8, hi);
    qamd_host_dte(dte, QAV_PAS_DOMID, g->v->pas_root, 4);
    dte[2] = 1 | AMD_EXTIR_INTTABLEN << 1 | l1 | 2ULL << 60;
    qav_set_dte(g->v, g->v->own, dte);
}

static void test_interrupt_posted(void)
{
    QAVGuest *g = ring_guest("");
    uint64_t apic = qamd_page(g->v->q);

    set_extir(g, AMD_EXTIR_TYPE_EVT, AMD_EXTIR_IRTE_VALID |
              AMD_EXTIR_IRTE_GUEST, apic | 0x45);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE |
                  AMD_VFC_CMD_EN | AMD_VFC_CMD_INT_EN);
    qav_cmd(g, CMD(COMPLETION_WAIT) | 2, 0);
    g_assert_cmphex(qtest_readl(g->v->q->qts, apic + 0x220), ==, BIT(5));
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "irqs-event"), ==, 1);
    end(g, true);
}

static void test_interrupt_not_set_up(void)
{
    QAVGuest *g = ring_guest("");

    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE |
                  AMD_VFC_CMD_EN | AMD_VFC_CMD_INT_EN);
    qav_cmd(g, CMD(COMPLETION_WAIT) | 2, 0);
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "irqs-lost"), ==, 1);
    end(g, true);
}

static void add_ring_tests(void)
{
    unsigned code;

    qtest_add_func("/amd-viommu/cw/store", test_cw_store);
    qtest_add_func("/amd-viommu/cw/interrupt-bit", test_cw_interrupt_bit);
    qtest_add_func("/amd-viommu/cw/knobs", test_cw_knobs);
    for (code = AMD_VIOMMU_LEN_MIN; code <= AMD_VIOMMU_LEN_MAX; code++) {
        g_autofree char *path = g_strdup_printf("/amd-viommu/ring/length/%u",
                                                code);

        qtest_add_data_func(path, GUINT_TO_POINTER(code), check_length);
    }
    qtest_add_func("/amd-viommu/ring/disabled", test_disabled_ring_waits);
    qtest_add_func("/amd-viommu/ring/control", test_control_stops_rings);
    qtest_add_func("/amd-viommu/ring/not-mapped", test_ring_not_mapped);
    qtest_add_func("/amd-viommu/ring/error-knob", test_ring_error_knob);
    qtest_add_func("/amd-viommu/ring/fault-knob", test_ring_fault_knob);
    qtest_add_func("/amd-viommu/ring/stop-delay", test_stop_delay);
    qtest_add_func("/amd-viommu/ring/iotlb-silent", test_iotlb_silent);
    qtest_add_func("/amd-viommu/cmd/domain", test_domain_substitution);
    qtest_add_func("/amd-viommu/cmd/device", test_device_substitution);
    qtest_add_func("/amd-viommu/cmd/all", test_invalidate_all);
    qtest_add_func("/amd-viommu/cmd/every", test_all_commands);
    qtest_add_func("/amd-viommu/cmd/illegal", test_illegal_commands);
    qtest_add_func("/amd-viommu/cmd/unmapped-device", test_unmapped_device);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_ring_tests();
    qtest_add_func("/amd-viommu/isolation/domains", test_two_guests);
    qtest_add_func("/amd-viommu/isolation/registers",
                   test_registers_are_separate);
    qtest_add_func("/amd-viommu/isolation/mmio", test_no_mmio_from_ring);
    qtest_add_func("/amd-viommu/stale/private", test_private_memory_stale);
    qtest_add_func("/amd-viommu/stale/guest", test_guest_memory_stale);
    qtest_add_func("/amd-viommu/stale/other-domain", test_other_domain_keeps);
    qtest_add_func("/amd-viommu/log/event", test_event);
    qtest_add_func("/amd-viommu/log/overflow", test_event_overflow);
    qtest_add_func("/amd-viommu/log/overflow-knob", test_overflow_knob);
    qtest_add_func("/amd-viommu/log/event-b", test_event_log_b);
    qtest_add_func("/amd-viommu/log/ppr", test_ppr_log);
    qtest_add_func("/amd-viommu/log/not-mapped", test_log_not_mapped);
    qtest_add_func("/amd-viommu/log/stop-delay", test_stop_delay_log);
    qtest_add_func("/amd-viommu/nested/invalidate", test_nested_invalidate);
    qtest_add_func("/amd-viommu/nested/guest-fault", test_nested_guest_fault);
    qtest_add_func("/amd-viommu/nested/host-fault", test_nested_host_fault);
    qtest_add_func("/amd-viommu/nested/table-fault", test_nested_table_fault);
    qtest_add_func("/amd-viommu/event/hardware-error", test_hw_error_event);
    qtest_add_func("/amd-viommu/irq/posted", test_interrupt_posted);
    qtest_add_func("/amd-viommu/irq/not-set-up", test_interrupt_not_set_up);
    return g_test_run();
}
