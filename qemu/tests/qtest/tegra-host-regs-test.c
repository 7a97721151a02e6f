/*
 * QTest for the host side of the Tegra241 CMDQV: registers, allocation, knobs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "hw/arm/smmuv3-common.h"
#include "libqos/qos-tegra-host.h"

static void test_param(void)
{
    QTegraHost *h = qth_start("");

    /* Version 1, 16 queues, 4 VINTFs, 16 SIDs each */
    g_assert_cmphex(qth_read(h, QTH_PARAM), ==, 0x4241);
    qth_stop(h);
    h = qth_start(",cmdqv-log2-vintfs=3,cmdqv-log2-queues=7,cmdqv-log2-sids=2");
    /* Another size of the region: another address */
    g_assert_cmphex(qtest_readl(h->qts, 0x0c200000 + QTH_PARAM), ==, 0x2371);
    qth_stop(h);
}

static void test_reset_state(void)
{
    QTegraHost *h = qth_start("");
    unsigned i;

    g_assert_cmphex(qth_read(h, QTH_CONFIG), ==, 0x00020082);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 0);
    for (i = 0; i < QTH_QUEUES; i++) {
        g_assert_cmphex(qth_read(h, QTH_ALLOC(i)), ==, 0);
        g_assert_cmphex(qth_read(h, QTH_DIRECT0(i) + QTH_Q_STATUS), ==, 0);
        g_assert_cmphex(qth_read64(h, QTH_DIRECT1(i)), ==, 0);
    }
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_enable(void)
{
    QTegraHost *h = qth_start("");

    /* Nothing of a VINTF without the whole */
    qth_write(h, QTH_VINTF(0) + QTH_VI_CONFIG, 1);
    g_assert_cmphex(qth_read(h, QTH_VINTF(0) + QTH_VI_STATUS), ==, 0);
    qth_write(h, QTH_VINTF(0) + QTH_VI_CONFIG, 0);
    qth_write(h, QTH_CONFIG, 0x00020083);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 1);
    qth_vintf(h, 0, 5, true);
    g_assert_cmphex(qth_read(h, QTH_VINTF(0) + QTH_VI_CONFIG), ==,
                    QTH_HYP_OWN | 5 << 1 | 1);
    /* Off takes the VINTF along */
    qth_write(h, QTH_CONFIG, 0x00020082);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_VINTF(0) + QTH_VI_STATUS), ==, 0);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_sid_registers(void)
{
    QTegraHost *h = qth_up("");
    unsigned i;

    for (i = 0; i < 16; i++) {
        qth_write(h, QTH_VINTF(2) + QTH_VI_MATCH(i), ~0);
        qth_write(h, QTH_VINTF(2) + QTH_VI_REPLACE(i), ~0);
    }
    for (i = 0; i < 16; i++) {
        g_assert_cmphex(qth_read(h, QTH_VINTF(2) + QTH_VI_MATCH(i)), ==,
                        0x1fffff);
        g_assert_cmphex(qth_read(h, QTH_VINTF(2) + QTH_VI_REPLACE(i)), ==,
                        0xfffff);
        g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_MATCH(i)), ==, 0);
    }
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_sid_registers_fewer(void)
{
    QTegraHost *h = qth_up(",cmdqv-log2-sids=2");

    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(3), 3);
    qth_assert_clean(h);
    qth_write(h, QTH_VINTF(1) + QTH_VI_MATCH(4), 3);
    qth_assert_violation(h, "bad-access");
    qth_stop(h);
}

static void test_aliases(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_vintf(h, 1, 7, false);
    qth_queue(h, &q, 1, 0, 4);
    g_assert_cmphex(qth_read64(h, QTH_DIRECT1(4)), ==, q.ring | 4);
    qth_page0_write(&q, QTH_PROD, 9);
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(4) + QTH_PROD), ==, 9);
    qth_write(h, QTH_DIRECT0(4) + QTH_CONS, 3);
    g_assert_cmphex(qth_page0(&q, QTH_CONS), ==, 3);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_base_halves(void)
{
    QTegraHost *h = qth_up("");

    /* A queue can be set up before it belongs to anybody */
    qth_write(h, QTH_DIRECT1(2) + QTH_Q_BASE + 4, 0xffff1234);
    qth_write(h, QTH_DIRECT1(2) + QTH_Q_BASE, 0x56789abf);
    g_assert_cmphex(qth_read64(h, QTH_DIRECT1(2)), ==, 0x123456789abfULL);
    g_assert_cmphex(qth_read(h, QTH_DIRECT1(2) + 4), ==, 0x1234);
    qth_write64(h, QTH_DIRECT1(2) + QTH_Q_DRAM, 0x48000004);
    g_assert_cmphex(qth_read64(h, QTH_DIRECT1(2) + QTH_Q_DRAM), ==, 0x48000004);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_unmapped(void)
{
    QTegraHost *h = qth_up("");

    qth_vintf(h, 1, 7, false);
    qth_write(h, QTH_PAGE0(1, 0) + QTH_PROD, 1);
    g_assert_cmphex(qth_read(h, QTH_PAGE0(1, 0) + QTH_PROD), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(4) + QTH_PROD), ==, 0);
    /* A guest may do that, the host's driver may not */
    g_assert_cmpuint(qth_counter(h, "guest-faults"), ==, 1);
    qth_assert_clean(h);
    qth_vintf(h, 0, 0, true);
    qth_write(h, QTH_PAGE0(0, 0) + QTH_PROD, 1);
    qth_assert_violation(h, "unmapped-write");
    qth_stop(h);
}

static void test_alloc_ascending(void)
{
    QTegraHost *h = qth_up("");
    unsigned i;

    for (i = 0; i < QTH_PER_VINTF; i++) {
        qth_write(h, QTH_ALLOC(4 + i), QTH_ALLOC_VAL(1, i));
        g_assert_cmphex(qth_read(h, QTH_ALLOC(4 + i)), ==,
                        QTH_ALLOC_VAL(1, i));
        g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_STATUS) >> 16, ==,
                        i + 1);
    }
    while (i--) {
        qth_write(h, QTH_ALLOC(4 + i), QTH_ALLOC_VAL(1, i) & ~1);
        g_assert_cmphex(qth_read(h, QTH_ALLOC(4 + i)), ==,
                        QTH_ALLOC_VAL(1, i) & ~1);
    }
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_alloc_gap(void)
{
    QTegraHost *h = qth_up("");

    qth_write(h, QTH_ALLOC(5), QTH_ALLOC_VAL(1, 1));
    g_assert_cmphex(qth_read(h, QTH_ALLOC(5)) & 1, ==, 0);
    qth_assert_violation(h, "alloc-order");
    qth_stop(h);
}

static void test_free_order(void)
{
    QTegraHost *h = qth_up("");

    qth_write(h, QTH_ALLOC(4), QTH_ALLOC_VAL(1, 0));
    qth_write(h, QTH_ALLOC(5), QTH_ALLOC_VAL(1, 1));
    qth_write(h, QTH_ALLOC(4), 0);
    qth_assert_violation(h, "free-order");
    qth_stop(h);
}

static void test_alloc_bad(void)
{
    QTegraHost *h = qth_up("");

    qth_write(h, QTH_ALLOC(4), QTH_ALLOC_VAL(1, 0));
    qth_assert_clean(h);
    /* The same logical queue twice, no such VINTF, no such logical queue */
    qth_write(h, QTH_ALLOC(5), QTH_ALLOC_VAL(1, 0));
    g_assert_cmphex(qth_read(h, QTH_ALLOC(5)) & 1, ==, 0);
    qth_write(h, QTH_ALLOC(5), QTH_ALLOC_VAL(4, 0));
    g_assert_cmphex(qth_read(h, QTH_ALLOC(5)) & 1, ==, 0);
    qth_write(h, QTH_ALLOC(5), QTH_ALLOC_VAL(2, 4));
    g_assert_cmphex(qth_read(h, QTH_ALLOC(5)) & 1, ==, 0);
    g_assert_cmpuint(qth_violations(h, "bad-alloc"), ==, 3);
    qth_stop(h);
}

static void test_free_live(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_write(h, QTH_ALLOC(q.index), 0);
    qth_assert_violation(h, "free-live");
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(q.index) + QTH_Q_STATUS), ==, 0);
    qth_stop(h);
}

static void test_vintf_live(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_write(h, QTH_VINTF(1) + QTH_VI_CONFIG, 8 << 1 | 1);
    qth_assert_violation(h, "vintf-live-change");
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_CONFIG), ==, 7 << 1 | 1);
    qth_stop(h);
    h = qth_up("");
    qth_guest(h, &q);
    qth_write(h, QTH_VINTF(1) + QTH_VI_CONFIG, 0);
    qth_assert_violation(h, "vintf-live-queue");
    g_assert_cmphex(qth_page0(&q, QTH_Q_STATUS), ==, 0);
    qth_stop(h);
}

static void test_base_live(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_write64(h, QTH_PAGE1(1, 0) + QTH_Q_BASE, 0);
    qth_assert_violation(h, "base-live-change");
    g_assert_cmphex(qth_read64(h, QTH_PAGE1(1, 0) + QTH_Q_BASE), ==,
                    q.ring | q.log2);
    qth_stop(h);
}

static void test_bad_access(void)
{
    QTegraHost *h = qth_up("");

    qth_read(h, 0x100);
    qth_write(h, QTH_ALLOC(QTH_QUEUES), 1);
    qth_write(h, QTH_VINTF(0) + 0x20, 1);
    qth_write(h, QTH_VINTF(4), 1);
    qtest_writeq(h->qts, QTH_BASE + QTH_CONFIG, 0);
    g_assert_cmpuint(qth_violations(h, "bad-access"), ==, 5);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 1);
    qth_stop(h);
}

static void test_knob_stuck(void)
{
    QTegraHost *h = qth_start(",cmdqv-stuck=on");

    qth_write(h, QTH_CONFIG, 0x00020083);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 0);
    qth_set_bool(h, "cmdqv-stuck", false);
    qth_write(h, QTH_CONFIG, 0x00020083);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 1);
    qth_stop(h);
}

static void test_knob_vintf(void)
{
    QTegraHost *h = qth_up(",cmdqv-vintf-stuck=2");

    qth_vintf(h, 0, 0, true);
    qth_write(h, QTH_VINTF(1) + QTH_VI_CONFIG, 1);
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_STATUS), ==, 0);
    qth_set_u64(h, "cmdqv-vintf-live", 1);
    qth_write(h, QTH_VINTF(0) + QTH_VI_CONFIG, 0);
    g_assert_cmphex(qth_read(h, QTH_VINTF(0) + QTH_VI_STATUS), ==, 1);
    qth_stop(h);
}

static void test_knob_queue(void)
{
    QTegraHost *h = qth_up(",cmdqv-queue-stuck=16");
    QTegraQueue q;

    qth_vintf(h, 1, 7, false);
    qth_queue(h, &q, 1, 0, 3);
    qth_page0_write(&q, QTH_Q_CONFIG, 1);
    g_assert_cmphex(qth_page0(&q, QTH_Q_STATUS), ==, 0);
    g_assert_cmphex(qth_page0(&q, QTH_GERROR), ==, QTH_ERR_INIT);
    qth_set_u64(h, "cmdqv-queue-stuck", 0);
    qth_page0_write(&q, QTH_GERRORN, QTH_ERR_INIT);
    qth_queue_enable(&q);
    qth_set_u64(h, "cmdqv-queue-live", 1 << q.index);
    qth_page0_write(&q, QTH_Q_CONFIG, 0);
    g_assert_cmphex(qth_page0(&q, QTH_Q_STATUS), ==, 1);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_knob_all_ones(void)
{
    QTegraHost *h = qth_up("");

    qth_set_bool(h, "cmdqv-all-ones", true);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, UINT32_MAX);
    g_assert_cmphex(qth_read64(h, QTH_DIRECT1(0)), ==, UINT64_MAX);
    qth_write(h, QTH_CONFIG, 0);
    qth_set_bool(h, "cmdqv-all-ones", false);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 1);
    qth_stop(h);
}

static void test_surprise_reset(void)
{
    QTegraHost *h = qth_up("");
    uint64_t before = qth_counter(h, "resets");
    QTegraQueue q;

    qth_guest(h, &q);
    qth_inject(h, "reset");
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_CONFIG), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_DIRECT0(q.index) + QTH_Q_STATUS), ==, 0);
    g_assert_cmpuint(qth_counter(h, "resets"), ==, before + 1);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_lose(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue host, q;

    qth_vintf(h, 0, 0, true);
    qth_queue(h, &host, 0, 0, 3);
    qth_queue_enable(&host);
    qth_guest(h, &q);
    qth_inject(h, "lose");
    g_assert_cmphex(qth_read(h, QTH_VINTF(1) + QTH_VI_STATUS), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_ALLOC(q.index)), ==,
                    QTH_ALLOC_VAL(1, 0) & ~1);
    qth_good(&host, QTH_SYNC, 0);
    /* The driver does not know and takes it down */
    qth_page0_write(&q, QTH_Q_CONFIG, 0);
    qth_write(h, QTH_ALLOC(q.index), QTH_ALLOC_VAL(1, 0) & ~1);
    qth_write(h, QTH_VINTF(1) + QTH_VI_CONFIG, 0);
    qth_assert_clean(h);
    qth_guest(h, &q);
    qth_good(&q, QTH_SYNC, 0);
    qth_stop(h);
}

static void test_system_reset(void)
{
    QTegraHost *h = qth_up("");
    QTegraQueue q;

    qth_guest(h, &q);
    qtest_system_reset(h->qts);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 0);
    g_assert_cmphex(qth_read(h, QTH_ALLOC(q.index)), ==, 0);
    qth_stop(h);
}

static void test_absent(void)
{
    QTestState *qts;

    qts = qtest_init("-machine virt,acpi=off,gic-version=3 -smp 1 -m 128 "
                     "-cpu max -net none -device arm-smmuv3,id=iommu,"
                     "primary-bus=pcie.0,stage=nested");
    g_assert_cmphex(qtest_readl(qts, QTH_BASE + QTH_PARAM), ==, 0);
    g_assert_cmphex(qtest_readl(qts, QTH_SMMU_BASE + A_IDR3) & 0x100, ==, 0);
    qtest_quit(qts);
    qts = qtest_init("-machine virt,acpi=off,gic-version=3 -smp 1 -m 128 "
                     "-cpu max -net none -device arm-smmuv3,id=iommu,"
                     "primary-bus=pcie.0,stage=nested,fwb=on");
    g_assert_cmphex(qtest_readl(qts, QTH_SMMU_BASE + A_IDR3) & 0x100, ==,
                    0x100);
    qtest_quit(qts);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/tegra-host/regs/param", test_param);
    qtest_add_func("/tegra-host/regs/reset-state", test_reset_state);
    qtest_add_func("/tegra-host/regs/enable", test_enable);
    qtest_add_func("/tegra-host/regs/sids", test_sid_registers);
    qtest_add_func("/tegra-host/regs/sids-fewer", test_sid_registers_fewer);
    qtest_add_func("/tegra-host/regs/aliases", test_aliases);
    qtest_add_func("/tegra-host/regs/base-halves", test_base_halves);
    qtest_add_func("/tegra-host/regs/unmapped", test_unmapped);
    qtest_add_func("/tegra-host/regs/bad-access", test_bad_access);
    qtest_add_func("/tegra-host/regs/absent", test_absent);
    qtest_add_func("/tegra-host/alloc/ascending", test_alloc_ascending);
    qtest_add_func("/tegra-host/alloc/gap", test_alloc_gap);
    qtest_add_func("/tegra-host/alloc/free-order", test_free_order);
    qtest_add_func("/tegra-host/alloc/bad", test_alloc_bad);
    qtest_add_func("/tegra-host/alloc/free-live", test_free_live);
    qtest_add_func("/tegra-host/live/vintf", test_vintf_live);
    qtest_add_func("/tegra-host/live/base", test_base_live);
    qtest_add_func("/tegra-host/knob/stuck", test_knob_stuck);
    qtest_add_func("/tegra-host/knob/vintf", test_knob_vintf);
    qtest_add_func("/tegra-host/knob/queue", test_knob_queue);
    qtest_add_func("/tegra-host/knob/all-ones", test_knob_all_ones);
    qtest_add_func("/tegra-host/reset/surprise", test_surprise_reset);
    qtest_add_func("/tegra-host/reset/lose", test_lose);
    qtest_add_func("/tegra-host/reset/system", test_system_reset);
    return g_test_run();
}
