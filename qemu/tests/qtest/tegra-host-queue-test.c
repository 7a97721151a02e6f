/*
 * QTest for the host side of the Tegra241 CMDQV: virtual queues
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/qos-tegra-host.h"

#define CERROR_ILL          1
#define CERROR_ABT          2
#define CERROR_ATC_SYNC     3
#define CERROR_ILL_ACCESS   4

#define GICD_BASE           0x08000000ULL
#define GICD_ISPENDR(n)     (GICD_BASE + 0x200 + (n) / 32 * 4)
#define GICD_ICPENDR(n)     (GICD_BASE + 0x280 + (n) / 32 * 4)
#define GICD_ICFGR(n)       (GICD_BASE + 0xc00 + (n) / 16 * 4)

static void irq_edge(QTegraHost *h)
{
    qtest_writel(h->qts, GICD_ICFGR(QTH_INTID), 2 << QTH_INTID % 16 * 2);
}

/* Has it come since the last look? */
static bool irq_pending(QTegraHost *h)
{
    uint32_t bit = 1u << QTH_INTID % 32;
    bool pending = qtest_readl(h->qts, GICD_ISPENDR(QTH_INTID)) & bit;

    qtest_writel(h->qts, GICD_ICPENDR(QTH_INTID), bit);
    return pending;
}

static void test_sync(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_good(&q, QTH_SYNC, 0);
    g_assert_cmpuint(qth_queue_stat(&q, "syncs"), ==, 1);
    g_assert_cmpuint(qth_queue_stat(&q, "doorbells"), ==, 1);
    qth_assert_clean(h);
    qth_stop(h);
}

/* Every length of ring: to the end, over it, and full */
static void test_wrap(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;
    unsigned log2, i, j;

    qth_vintf(h, 1, 7, false);
    for (log2 = 1; log2 <= 8; log2++) {
        qth_queue(h, &q, 1, 0, log2);
        qth_page0_write(&q, QTH_PROD, 0);
        qth_page0_write(&q, QTH_CONS, 0);
        qth_queue_enable(&q);
        for (i = 0; i < 3; i++) {
            for (j = 0; j < 1u << log2; j++) {
                qth_put(&q, QTH_SYNC, 0);
            }
            qth_kick(&q);
            g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, q.prod);
            qth_good(&q, QTH_TLBI_NH_ASID, 0);
        }
        qth_page0_write(&q, QTH_Q_CONFIG, 0);
    }
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_disabled(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_vintf(h, 1, 7, false);
    qth_queue(h, &q, 1, 0, 3);
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 0);
    /* What waits in the ring runs as soon as the queue does */
    qth_queue_enable(&q);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 1);
    qth_page0_write(&q, QTH_Q_CONFIG, 0);
    g_assert_cmphex(qth_page0(&q, QTH_Q_STATUS), ==, 0);
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 1);
    qth_assert_clean(h);
    qth_stop(h);
}

static void check_init_error(QTegraHost *h, QTegraQueue *q, uint64_t base)
{
    qth_write64(h, QTH_PAGE1(q->vi, q->lq) + QTH_Q_BASE, base);
    qth_page0_write(q, QTH_Q_CONFIG, 1);
    g_assert_cmphex(qth_page0(q, QTH_Q_STATUS), ==, 0);
    g_assert_cmphex(qth_page0(q, QTH_GERROR) ^ qth_page0(q, QTH_GERRORN), ==,
                    QTH_ERR_INIT);
    qth_page0_write(q, QTH_GERRORN, qth_page0(q, QTH_GERROR));
    qth_page0_write(q, QTH_Q_CONFIG, 0);
}

static void test_init_error_base(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_vintf(h, 1, 7, false);
    qth_queue(h, &q, 1, 0, 3);
    check_init_error(h, &q, 0);
    check_init_error(h, &q, q.ring);            /* one entry */
    check_init_error(h, &q, q.ring | 20);       /* more than IDR1.CMDQS */
    check_init_error(h, &q, (q.ring + 64) | 3); /* not aligned */
    check_init_error(h, &q, 3);                 /* no address */
    /* None of that is for ever */
    qth_write64(h, QTH_PAGE1(1, 0) + QTH_Q_BASE, q.ring | 3);
    qth_queue_enable(&q);
    qth_good(&q, QTH_SYNC, 0);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_init_error_unmapped(void)
{
    QTegraHost *h = qth_up("");

    qth_write64(h, QTH_DIRECT1(3), QTH_RAM | 3);
    qth_write(h, QTH_DIRECT0(3) + QTH_Q_CONFIG, 1);
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(3) + QTH_Q_STATUS), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(3) + QTH_GERROR), ==, QTH_ERR_INIT);
    /* Of no VINTF: in the map of queues alone, and no interrupt */
    g_assert_cmphex(qth_read(h, QTH_QUEUE_ERR_MAP), ==, 1 << 3);
    g_assert_cmphex(qth_read(h, QTH_VINTF_ERR_MAP), ==, 0);
    g_assert_cmpuint(qth_counter(h, "irqs"), ==, 0);
    qth_stop(h);
}

static void test_init_error_vintf_off(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_queue(h, &q, 1, 0, 3);
    qth_page0_write(&q, QTH_Q_CONFIG, 1);
    g_assert_cmphex(qth_page0(&q, QTH_Q_STATUS), ==, 0);
    g_assert_cmphex(qth_page0(&q, QTH_GERROR), ==, QTH_ERR_INIT);
    qth_stop(h);
}

/* What a guest may send and, all of it, what not */
static void test_filter(void)
{
    static const uint8_t good[] = {
        QTH_TLBI_NH_ASID, QTH_TLBI_NH_VA, QTH_SYNC,
    };
    QTegraHost *h = qth_up("");
    QTegraQueue q;
    unsigned op;

    qth_guest(h, &q);
    for (op = 0; op < 256; op++) {
        if (memchr(good, op, sizeof(good))) {
            qth_good(&q, op, 0);
        } else if (op != QTH_ATC_INV) {
            qth_bad(&q, op, 0, CERROR_ILL);
            qth_skip(&q);
            g_assert_cmphex(qth_page0(&q, QTH_CONS) & 0xfffff, ==, q.prod);
        }
    }
    g_assert_cmpuint(qth_queue_stat(&q, "refused"), ==, 256 - 4);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_hyp_own(void)
{
    static const uint8_t ops[] = {
        QTH_CFGI_ALL, QTH_TLBI_NH_ALL, QTH_TLBI_NH_ASID, QTH_TLBI_NH_VA,
        QTH_TLBI_NSNH_ALL, QTH_ATC_INV, QTH_SYNC,
    };
    QTegraHost *h = qth_up("");
    QTegraQueue q;
    unsigned i;

    qth_vintf(h, 0, 0, true);
    qth_queue(h, &q, 0, 0, 3);
    qth_queue_enable(&q);
    for (i = 0; i < ARRAY_SIZE(ops); i++) {
        qth_good(&q, ops[i], 0);
    }
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    /* The hypervisor's own VMIDs and SIDs stay what they are */
    qth_skip(&q);
    qth_good(&q, QTH_TLBI_NH_ASID | QTH_VMID(0x33), 0);
    g_assert_cmphex(qth_queue_stat(&q, "last-id"), ==, 0x33);
    qth_good(&q, QTH_ATC_INV | QTH_SID(0x42), 0);
    g_assert_cmphex(qth_queue_stat(&q, "last-id"), ==, 0x42);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_sync_signal(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;
    unsigned cs;

    qth_guest(h, &q);
    for (cs = 1; cs < 4; cs++) {
        qth_bad(&q, QTH_SYNC | cs << 12, 0, CERROR_ILL);
        qth_skip(&q);
    }
    qth_good(&q, QTH_SYNC, 0);
    qth_stop(h);
}

static void test_vmid(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_good(&q, QTH_TLBI_NH_ASID | QTH_VMID(0x1234) | QTH_ASID(9), 0);
    g_assert_cmphex(qth_queue_stat(&q, "last-id"), ==, 7);
    qth_good(&q, QTH_TLBI_NH_VA | QTH_VMID(0), 0);
    g_assert_cmphex(qth_queue_stat(&q, "last-id"), ==, 7);
    qth_stop(h);
}

static void test_sid(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_bad(&q, QTH_ATC_INV | QTH_SID(0x10), 0, CERROR_ILL_ACCESS);
    qth_skip(&q);
    qth_write(h, QTH_VINTF(1) + QTH_VI_REPLACE(5), 0x77);
    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(5), 0x10 << 1 | 1);
    qth_good(&q, QTH_ATC_INV | QTH_SID(0x10), 0);
    g_assert_cmphex(qth_queue_stat(&q, "last-id"), ==, 0x77);
    qth_bad(&q, QTH_ATC_INV | QTH_SID(0x77), 0, CERROR_ILL_ACCESS);
    qth_skip(&q);
    /* Without its enable bit an entry matches nothing */
    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(5), 0x10 << 1);
    qth_bad(&q, QTH_ATC_INV | QTH_SID(0x10), 0, CERROR_ILL_ACCESS);
    qth_stop(h);
}

static void test_sid_of_other_vintf(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q, other;

    qth_guest(h, &q);
    qth_vintf(h, 2, 8, false);
    qth_queue(h, &other, 2, 0, 3);
    qth_queue_enable(&other);
    qth_write(h, QTH_VINTF(2) + QTH_VI_REPLACE(0), 0x55);
    qth_write(h, QTH_VINTF(2) + QTH_VI_MATCH(0), 0x10 << 1 | 1);
    qth_good(&other, QTH_ATC_INV | QTH_SID(0x10), 0);
    qth_bad(&q, QTH_ATC_INV | QTH_SID(0x10), 0, CERROR_ILL_ACCESS);
    /* The error of one stops nobody else */
    qth_good(&other, QTH_SYNC, 0);
    g_assert_cmphex(qth_read(h, QTH_VINTF(2) + QTH_VI_ERR_MAP), ==, 0);
    qth_stop(h);
}

static void test_stopped_by_error(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS) & 0xfffff, ==, 0);
    qth_skip(&q);
    g_assert_cmphex(qth_page0(&q, QTH_CONS) & 0xfffff, ==, 2);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_error_maps(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q0, q1;

    qth_guest(h, &q0);
    qth_queue(h, &q1, 1, 1, 3);
    qth_queue_enable(&q1);
    qth_bad(&q1, 0xff, 0, CERROR_ILL);
    g_assert_cmphex(qth_read(h, QTH_VINTF_ERR_MAP), ==, 1 << 1);
    g_assert_cmphex(qth_read(h, QTH_VINTF_ERR_MAP + 4), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_QUEUE_ERR_MAP), ==, 1 << 5);
    g_assert_cmphex(qth_read64(h, QTH_VINTF(1) + QTH_VI_ERR_MAP), ==, 1 << 1);
    g_assert_cmphex(qth_read64(h, QTH_VINTF(1) + QTH_VI_ERR_MAP + 8), ==, 0);
    /* Two queues allocated, one with an error, enabled */
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_STATUS), ==, 0x20003);
    qth_bad(&q0, 0xff, 0, CERROR_ILL);
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_ERR_MAP), ==, 3);
    qth_skip(&q1);
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_ERR_MAP), ==, 1);
    qth_skip(&q0);
    g_assert_cmphex(qth_read(h, QTH_VINTF_ERR_MAP), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_STATUS), ==, 0x20001);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_irq(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    irq_edge(h);
    qth_guest(h, &q);
    g_assert_false(irq_pending(h));
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    g_assert_true(irq_pending(h));
    /* An edge: it does not come again for the same error, but for the next */
    g_assert_false(irq_pending(h));
    qth_skip(&q);
    g_assert_false(irq_pending(h));
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    g_assert_true(irq_pending(h));
    g_assert_cmpuint(qth_counter(h, "irqs"), ==, 2);
    qth_stop(h);
}

static void test_irq_masked(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    irq_edge(h);
    qth_guest(h, &q);
    qth_write(h, QTH_INT_MASK, 1 << 1);
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    g_assert_false(irq_pending(h));
    g_assert_cmphex(qth_read(h, QTH_VINTF_ERR_MAP), ==, 1 << 1);
    g_assert_cmpuint(qth_counter(h, "irqs-masked"), ==, 1);
    qth_stop(h);
}

static void test_irq_lost(void)
{
    QTegraHost *h = qth_up(",cmdqv-irq-lost=on");
    QTegraQueue q;

    irq_edge(h);
    qth_guest(h, &q);
    qth_bad(&q, 0xff, 0, CERROR_ILL);
    g_assert_false(irq_pending(h));
    g_assert_cmpuint(qth_counter(h, "irqs"), ==, 1);
    qth_stop(h);
}

static void test_ack_not_pending(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_page0_write(&q, QTH_GERRORN, QTH_ERR_CMDQ);
    /* A guest may hurt itself with that: it is an error for the queue now */
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 0);
    g_assert_cmpuint(qth_counter(h, "guest-faults"), ==, 1);
    qth_assert_clean(h);
    qth_vintf(h, 0, 0, true);
    qth_queue(h, &q, 0, 0, 3);
    qth_page0_write(&q, QTH_GERRORN, QTH_ERR_CMDQ);
    qth_assert_violation(h, "ack-not-pending");
    qth_stop(h);
}

static void test_fetch_error(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_set_u64(h, "cmdqv-fetch-error", 1 << q.index);
    qth_bad(&q, QTH_SYNC, 0, CERROR_ABT);
    qth_set_u64(h, "cmdqv-fetch-error", 0);
    qth_page0_write(&q, QTH_GERRORN, qth_page0(&q, QTH_GERROR));
    g_assert_cmphex(qth_page0(&q, QTH_CONS) & 0xfffff, ==, 1);
    qth_stop(h);
}

/* A ring where there is no memory */
static void test_fetch_abort(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_vintf(h, 1, 7, false);
    qth_queue(h, &q, 1, 0, 3);
    qth_write64(h, QTH_PAGE1(1, 0) + QTH_Q_BASE, 0xf00000000000ULL | 3);
    qth_queue_enable(&q);
    qth_page0_write(&q, QTH_PROD, 1);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, CERROR_ABT << 24);
    g_assert_cmphex(qth_page0(&q, QTH_GERROR), ==, QTH_ERR_CMDQ);
    qth_stop(h);
}

static void test_stall(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_set_u64(h, "cmdqv-queue-stall", 1 << q.index);
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 0);
    qth_set_u64(h, "cmdqv-queue-stall", 0);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 1);
    qth_stop(h);
}

static void test_atc_timeout(void)
{
    QTegraHost *h = qth_up(",cmdqv-atc-timeout=on");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(0), 1);
    qth_good(&q, QTH_ATC_INV, 0);
    qth_bad(&q, QTH_SYNC, 0, CERROR_ATC_SYNC);
    /* The sync is repeated once that has been seen */
    qth_page0_write(&q, QTH_GERRORN, qth_page0(&q, QTH_GERROR));
    g_assert_cmphex(qth_page0(&q, QTH_CONS) & 0xfffff, ==, q.prod);
    qth_assert_clean(h);
    qth_stop(h);
}

static void smmu_sync(QTegraHost *h)
{
    uint64_t ring = QTH_RAM + 0x200000;

    qtest_writeq(h->qts, ring, QTH_SYNC);
    qtest_writeq(h->qts, ring + 8, 0);
    qtest_writeq(h->qts, QTH_SMMU_BASE + 0x90, ring | 3);
    qtest_writel(h->qts, QTH_SMMU_BASE + 0x9c, 0);
    qtest_writel(h->qts, QTH_SMMU_BASE + 0x20, 8);
    qtest_writel(h->qts, QTH_SMMU_BASE + 0x98, 1);
    g_assert_cmphex(qtest_readl(h->qts, QTH_SMMU_BASE + 0x9c), ==, 1);
}

/* The next owner of a queue must not get the timeout of the one before */
static void test_stale_timeout(void)
{
    QTegraHost *h = qth_up(",cmdqv-atc-timeout=on");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(0), 1);
    qth_good(&q, QTH_ATC_INV, 0);
    qth_page0_write(&q, QTH_Q_CONFIG, 0);
    smmu_sync(h);
    qth_queue_enable(&q);
    qth_good(&q, QTH_SYNC, 0);
    qth_assert_clean(h);

    qth_good(&q, QTH_ATC_INV, 0);
    qth_page0_write(&q, QTH_Q_CONFIG, 0);
    qth_queue_enable(&q);
    qth_assert_violation(h, "stale-timeout");
    g_assert_cmpuint(qth_counter(h, "smmu-syncs"), ==, 1);
    qth_stop(h);
}

static void test_cons_to_memory(void)
{
    QTegraHost *h = qth_up("");
    uint64_t at = QTH_RAM + 0x300000;
    QTegraQueue q;

    qth_guest(h, &q);
    qtest_writel(h->qts, at, 0xdead);
    qth_write64(h, QTH_PAGE1(1, 0) + QTH_Q_DRAM, at);
    qth_good(&q, QTH_SYNC, 0);
    g_assert_cmphex(qtest_readl(h->qts, at), ==, 0xdead);
    qth_write(h, QTH_CONFIG, qth_read(h, QTH_CONFIG) | 1 << 20);
    qth_good(&q, QTH_SYNC, 0);
    g_assert_cmphex(qtest_readl(h->qts, at), ==, 2);
    qth_write64(h, QTH_PAGE1(1, 0) + QTH_Q_DRAM, 0xf00000000000ULL);
    qth_command(&q, QTH_SYNC, 0);
    g_assert_cmphex(qth_page0(&q, QTH_GERROR), ==, QTH_ERR_DRAM);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 3);
    qth_stop(h);
}

static void test_inject_error(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    irq_edge(h);
    qth_guest(h, &q);
    qth_inject(h, "error 4 3");
    g_assert_cmphex(qth_page0(&q, QTH_GERROR), ==, QTH_ERR_CMDQ | QTH_ERR_DRAM);
    g_assert_true(irq_pending(h));
    qth_page0_write(&q, QTH_GERRORN, 3);
    qth_good(&q, QTH_SYNC, 0);
    qth_stop(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/tegra-host/ring/sync", test_sync);
    qtest_add_func("/tegra-host/ring/wrap", test_wrap);
    qtest_add_func("/tegra-host/ring/disabled", test_disabled);
    qtest_add_func("/tegra-host/ring/fetch-abort", test_fetch_abort);
    qtest_add_func("/tegra-host/ring/cons-to-memory", test_cons_to_memory);
    qtest_add_func("/tegra-host/init-error/base", test_init_error_base);
    qtest_add_func("/tegra-host/init-error/unmapped", test_init_error_unmapped);
    qtest_add_func("/tegra-host/init-error/vintf", test_init_error_vintf_off);
    qtest_add_func("/tegra-host/filter/guest", test_filter);
    qtest_add_func("/tegra-host/filter/hyp-own", test_hyp_own);
    qtest_add_func("/tegra-host/filter/sync-signal", test_sync_signal);
    qtest_add_func("/tegra-host/id/vmid", test_vmid);
    qtest_add_func("/tegra-host/id/sid", test_sid);
    qtest_add_func("/tegra-host/id/other-vintf", test_sid_of_other_vintf);
    qtest_add_func("/tegra-host/error/stops", test_stopped_by_error);
    qtest_add_func("/tegra-host/error/maps", test_error_maps);
    qtest_add_func("/tegra-host/error/irq", test_irq);
    qtest_add_func("/tegra-host/error/irq-masked", test_irq_masked);
    qtest_add_func("/tegra-host/error/ack", test_ack_not_pending);
    qtest_add_func("/tegra-host/knob/irq-lost", test_irq_lost);
    qtest_add_func("/tegra-host/knob/fetch-error", test_fetch_error);
    qtest_add_func("/tegra-host/knob/stall", test_stall);
    qtest_add_func("/tegra-host/knob/atc-timeout", test_atc_timeout);
    qtest_add_func("/tegra-host/knob/inject", test_inject_error);
    qtest_add_func("/tegra-host/timeout/stale", test_stale_timeout);
    return g_test_run();
}
