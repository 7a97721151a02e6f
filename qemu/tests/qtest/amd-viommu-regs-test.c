/*
 * QTest for the AMD hardware vIOMMU: discovery, registers, knobs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/qos-amd-viommu.h"

#define GID     5

static uint8_t find_vsc(QAMDVIOMMU *v, QPCIDevice **dev)
{
    *dev = qpci_device_find(v->q->bus, v->own);
    g_assert(*dev);
    return qpci_find_capability(*dev, PCI_CAP_ID_VNDR, 0);
}

static void check_bar(QPCIDevice *dev, uint8_t at, uint64_t base, bool enable)
{
    g_assert_cmphex(qpci_config_readl(dev, at), ==,
                    (uint32_t)base | enable);
    g_assert_cmphex(qpci_config_readl(dev, at + 4), ==, base >> 32);
}

static void test_capability(void)
{
    QAMDVIOMMU *v = qav_start("");
    QPCIDevice *dev;
    uint8_t at = find_vsc(v, &dev);

    g_assert_cmpuint(at, >=, 0x40);
    g_assert_cmphex(qpci_config_readb(dev, at), ==, PCI_CAP_ID_VNDR);
    g_assert_cmphex(qpci_config_readb(dev, at + 2), ==, AMD_VIOMMU_VSC_SIZE);
    check_bar(dev, at + AMD_VIOMMU_VSC_VF_LO, AMD_VIOMMU_VF_BASE_DEFAULT,
              true);
    check_bar(dev, at + AMD_VIOMMU_VSC_VFC_LO, AMD_VIOMMU_VFC_BASE_DEFAULT,
              true);
    /* Read-only, no size probing */
    qpci_config_writel(dev, at + AMD_VIOMMU_VSC_VF_LO, ~0);
    check_bar(dev, at + AMD_VIOMMU_VSC_VF_LO, AMD_VIOMMU_VF_BASE_DEFAULT,
              true);
    g_assert(qamd_reg(v->q, AMDVI_MMIO_EXT_FEATURES) & AMD_VIOMMU_EFR_SUP);
    g_free(dev);
    qav_stop(v);
}

static void test_capability_absent(void)
{
    QAMDVIOMMU *v = qav_start(",viommu-vsc=off");
    QPCIDevice *dev;

    g_assert_cmpuint(find_vsc(v, &dev), ==, 0);
    g_free(dev);
    qav_stop(v);
}

static void test_base_zero(void)
{
    QAMDVIOMMU *v = qav_start(",viommu-vf-base=0,viommu-vfc-base=0");
    QPCIDevice *dev;
    uint8_t at = find_vsc(v, &dev);

    check_bar(dev, at + AMD_VIOMMU_VSC_VF_LO, 0, true);
    check_bar(dev, at + AMD_VIOMMU_VSC_VFC_LO, 0, true);
    g_free(dev);
    qav_stop(v);
}

static void test_bar_disabled(void)
{
    QAMDVIOMMU *v = qav_up(",viommu-vfc-enable=off");
    QPCIDevice *dev;
    uint8_t at = find_vsc(v, &dev);

    check_bar(dev, at + AMD_VIOMMU_VSC_VFC_LO, AMD_VIOMMU_VFC_BASE_DEFAULT,
              false);
    g_assert_cmphex(qav_vfc_read(v, GID, AMD_VFC_CMD), ==, UINT64_MAX);
    qav_set_bool(v, "viommu-vf-enable", false);
    check_bar(dev, at + AMD_VIOMMU_VSC_VF_LO, AMD_VIOMMU_VF_BASE_DEFAULT,
              false);
    g_assert_cmphex(qav_vf_read(v, GID, AMD_VF_STATUS), ==, UINT64_MAX);
    qav_set_bool(v, "viommu-vf-enable", true);
    check_bar(dev, at + AMD_VIOMMU_VSC_VF_LO, AMD_VIOMMU_VF_BASE_DEFAULT,
              true);
    g_free(dev);
    qav_stop(v);
}

static void test_no_viommu(void)
{
    QAMDVIOMMU *v = qav_start(",viommu=off");
    QPCIDevice *dev;

    g_assert_cmpuint(find_vsc(v, &dev), ==, 0);
    g_assert(!(qamd_reg(v->q, AMDVI_MMIO_EXT_FEATURES) & AMD_VIOMMU_EFR_SUP));
    qav_control(v, AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN |
                AMD_VIOMMU_CTRL_GST_BUF_TRP);
    g_assert_cmphex(qamd_reg(v->q, AMDVI_MMIO_CONTROL), ==, 0);
    g_free(dev);
    qav_stop(v);
}

static void test_control_sticks(void)
{
    uint64_t all = AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN |
                   AMD_VIOMMU_CTRL_GST_BUF_TRP | AMD_VIOMMU_CTRL_GCR3_TRP;
    QAMDVIOMMU *v = qav_up("");

    g_assert_cmphex(qamd_reg(v->q, AMDVI_MMIO_CONTROL) & all, ==, all);
    qav_assert_clean(v);
    qav_stop(v);
}

static void test_control_stuck(void)
{
    QAMDVIOMMU *v = qav_start(",viommu-control-stuck=0x1000000000000000");

    qav_control(v, AMD_VIOMMU_CTRL_GST_BUF_TRP);
    g_assert_cmphex(qamd_reg(v->q, AMDVI_MMIO_CONTROL), ==, 0);
    qamd_set(v->q, "viommu-control-stuck", 0);
    qav_control(v, AMD_VIOMMU_CTRL_GST_BUF_TRP);
    g_assert_cmphex(qamd_reg(v->q, AMDVI_MMIO_CONTROL), ==,
                    AMD_VIOMMU_CTRL_GST_BUF_TRP);
    qav_stop(v);
}

static QAVGuest *one_guest(void)
{
    return qav_guest(qav_up(""), GID);
}

static void end(QAVGuest *g, bool clean)
{
    if (clean) {
        qav_assert_clean(g->v);
    }
    qav_stop(g->v);
    qav_guest_free(g);
}

/* A register keeps each bit that it has and refuses each that it has not */
static void check_vfc_bits(const void *arg)
{
    static const uint64_t masks[] = {
        [AMD_VFC_MISC / 8] = AMD_VFC_MISC_MASK,
        [AMD_VFC_EVTB_BASE / 8] = AMD_VFC_BASE_MASK,
        [AMD_VFC_CMD / 8] = AMD_VFC_CMD_MASK & ~AMD_VFC_CMD_EN,
        [AMD_VFC_EVT / 8] = AMD_VFC_EVT_MASK & ~(0xdULL << 8),
        [AMD_VFC_PPR / 8] = AMD_VFC_PPR_MASK & ~(0x19ULL << 8),
        [AMD_VFC_PPRB_BASE / 8] = AMD_VFC_BASE_MASK,
    };
    unsigned reg = GPOINTER_TO_UINT(arg);
    uint64_t start = reg == AMD_VFC_CMD || reg == AMD_VFC_EVT ||
                     reg == AMD_VFC_PPR ? 8 : 0;
    QAVGuest *g = one_guest();
    uint64_t refused = 0, enables, val;
    int i;

    enables = reg == AMD_VFC_CMD ? AMD_VFC_CMD_EN :
              reg == AMD_VFC_EVT ? 0xdULL << 8 :
              reg == AMD_VFC_PPR ? 0x19ULL << 8 : 0;
    for (i = 0; i < 64; i++) {
        val = start | BIT_ULL(i);
        if (enables & BIT_ULL(i)) {
            continue;
        }
        qav_vfc_write(g->v, GID, reg, start);
        qav_vfc_write(g->v, GID, reg, val);
        if (masks[reg / 8] & BIT_ULL(i)) {
            g_assert_cmphex(qav_vfc_read(g->v, GID, reg), ==, val);
        } else {
            refused++;
            g_assert_cmphex(qav_vfc_read(g->v, GID, reg), ==, start);
            g_assert_cmpuint(qav_violations(g->v, "vfc-undefined-bit"), ==,
                             refused);
        }
    }
    end(g, false);
}

static void test_vfc_map_readback(void)
{
    QAVGuest *g = one_guest();
    uint64_t val = AMD_VFC_MAP_VALID | 0x1234ULL << AMD_VFC_MAP_HID_SHIFT |
                   7ULL << AMD_VFC_MAP_GID_SHIFT;

    qav_map_dev(g, 7, 0x1234);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_DEV_MAP), ==, val);
    qav_map_dom(g, 7, 0x1234);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_DOM_MAP), ==, val);
    g_assert_cmpuint(qav_counter(g->v, "dev-map-writes"), ==, 1);
    g_assert_cmpuint(qav_counter(g->v, "dom-map-writes"), ==, 1);
    end(g, true);
}

/* Where hardware keeps the maps is public, how an entry looks hardly */
static void test_map_in_private_memory(void)
{
    QAVGuest *g = one_guest();

    qav_map_dev(g, 3, 0x77);
    qav_map_dom(g, 0xffff, 0x77);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->map_spa[0] + 3 * 16), ==,
                    0x77ULL << 24 | AMD_MAP_ENTRY_VALID);
    g_assert_cmphex(qtest_readq(g->v->q->qts, g->map_spa[3] + 0xff8), ==,
                    0x77ULL << 14 | AMD_MAP_ENTRY_VALID);
    end(g, true);
}

static void test_vf_pointers(void)
{
    static const unsigned regs[] = {
        AMD_VF_CMD_HEAD, AMD_VF_CMD_TAIL, AMD_VF_EVT_HEAD, AMD_VF_EVT_TAIL,
        AMD_VF_PPR_HEAD, AMD_VF_PPR_TAIL, AMD_VF_PPRB_HEAD, AMD_VF_PPRB_TAIL,
        AMD_VF_EVTB_HEAD, AMD_VF_EVTB_TAIL,
    };
    QAVGuest *g = one_guest();
    uint64_t at;
    int i;

    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        qav_vf_write(g->v, GID, regs[i], UINT64_MAX);
        g_assert_cmphex(qav_vf_read(g->v, GID, regs[i]), ==, 0x7fff0);
        /* Guests use the low half as well; the high one has no effect */
        at = AMD_VIOMMU_VF_BASE_DEFAULT + GID * 0x1000 + regs[i];
        qtest_writel(g->v->q->qts, at, 0x40);
        qtest_writel(g->v->q->qts, at + 4, 0x80);
        g_assert_cmphex(qtest_readl(g->v->q->qts, at), ==, 0x40);
        g_assert_cmphex(qtest_readl(g->v->q->qts, at + 4), ==, 0);
    }
    end(g, true);
}

static void test_vf_other_offsets(void)
{
    QAVGuest *g = one_guest();
    unsigned reg;

    for (reg = 0x80; reg < 0x1000; reg += 0x78) {
        qav_vf_write(g->v, GID, reg, UINT64_MAX);
        g_assert_cmphex(qav_vf_read(g->v, GID, reg), ==, 0);
    }
    end(g, true);
}

static void test_status_run_bits(void)
{
    QAVGuest *g = one_guest();

    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==, 0);
    qav_ring(g, QAV_RING_CODE);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==,
                    AMD_VF_ST_CMD_RUN);
    qav_event_log(g, 0);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==,
                    AMD_VF_ST_CMD_RUN | AMD_VF_ST_EVT_RUN);
    /* Read-only */
    qav_vf_write(g->v, GID, AMD_VF_STATUS, UINT64_MAX);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==,
                    AMD_VF_ST_CMD_RUN | AMD_VF_ST_EVT_RUN);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, 0);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==, 0);
    end(g, true);
}

static void test_reset_clears(void)
{
    QAVGuest *g = one_guest();
    unsigned reg;

    qav_ring(g, QAV_RING_CODE);
    qav_event_log(g, 0);
    qav_vf_write(g->v, GID, AMD_VF_EVT_HEAD, 0x40);
    qav_guest_reset(g);
    for (reg = 0; reg < 64; reg += 8) {
        g_assert_cmphex(qav_vfc_read(g->v, GID, reg), ==, 0);
    }
    for (reg = 0; reg < 128; reg += 8) {
        g_assert_cmphex(qav_vf_read(g->v, GID, reg), ==, 0);
    }
    end(g, true);
}

/* Knob: what else there may be in VFCtrl 10h is no part of the device ID */
static void test_misc_extra(void)
{
    QAVGuest *g = one_guest();
    uint64_t extra = 0x123456780000abcdULL;
    uint64_t id = (uint64_t)g->trans << AMD_VFC_MISC_TRANS_SHIFT, val;

    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_MISC), ==, id);
    qamd_set(g->v->q, "viommu-misc-extra", extra | AMD_VFC_MISC_MASK);
    val = qav_vfc_read(g->v, GID, AMD_VFC_MISC);
    g_assert_cmphex(val, ==, extra | id);
    /* Written back, or not: both right, and they stay */
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, val);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_MISC), ==, val);
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 0);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_MISC), ==, extra);
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, id);
    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    qav_assert_clean(g->v);
    /* A bit that is in neither is still wrong */
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, id | 0x10);
    g_assert_cmpuint(qav_violations(g->v, "vfc-undefined-bit"), ==, 1);
    end(g, false);
}

static void check_pointers(QAVGuest *g, unsigned head, uint64_t want)
{
    g_assert_cmphex(qav_vf_read(g->v, GID, head), ==, want);
    g_assert_cmphex(qav_vf_read(g->v, GID, head + 8), ==, want);
}

static void move_ring(QAVGuest *g, unsigned head, unsigned reg, uint64_t base,
                      uint64_t after)
{
    qav_vfc_write(g->v, GID, reg, 0);
    qav_vf_write(g->v, GID, head, 0x40);
    qav_vf_write(g->v, GID, head + 8, 0x40);
    qav_vfc_write(g->v, GID, reg, base | QAV_RING_CODE);
    check_pointers(g, head, after);
    qav_vf_write(g->v, GID, head, 0x40);
    qav_vf_write(g->v, GID, head + 8, 0x40);
    /* The same base, another bit: they stay in any case */
    qav_vfc_write(g->v, GID, reg, base | QAV_RING_CODE | BIT(9));
    check_pointers(g, head, 0x40);
    /* Length is a part of the base register */
    qav_vfc_write(g->v, GID, reg, base | (QAV_RING_CODE + 1));
    check_pointers(g, head, after);
}

/* Knob: whether another base moves head and tail is not known */
static void test_base_resets(void)
{
    QAVGuest *g = one_guest();
    int i;

    for (i = 0; i < 2; i++) {
        uint64_t after = i ? 0 : 0x40;

        qav_set_bool(g->v, "viommu-base-resets-pointers", i);
        move_ring(g, AMD_VF_CMD_HEAD, AMD_VFC_CMD, 0x5000, after);
        move_ring(g, AMD_VF_EVT_HEAD, AMD_VFC_EVT, 0x5000, after);
        move_ring(g, AMD_VF_PPR_HEAD, AMD_VFC_PPR,
                  0x5000ULL << AMD_VFC_PPR_BASE_SHIFT, after);
    }
    end(g, true);
}

static void test_all_ones(void)
{
    QAVGuest *g = one_guest();

    qav_set_bool(g->v, "viommu-vf-all-ones", true);
    qav_set_bool(g->v, "viommu-vfc-all-ones", true);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==, UINT64_MAX);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_CMD), ==, UINT64_MAX);
    qav_set_bool(g->v, "viommu-vf-all-ones", false);
    qav_set_bool(g->v, "viommu-vfc-all-ones", false);
    g_assert_cmphex(qav_vf_read(g->v, GID, AMD_VF_STATUS), ==, 0);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_CMD), ==, 0);
    end(g, true);
}

static void test_last_guest(void)
{
    QAMDVIOMMU *v = qav_up("");
    QAVGuest *g = qav_guest(v, 0xffff);

    qav_map_dev(g, 1, 0x10);
    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    end(g, true);
}

static void test_machine_reset(void)
{
    QAVGuest *g = one_guest();

    qav_ring(g, QAV_RING_CODE);
    qtest_system_reset(g->v->q->qts);
    g_assert_cmphex(qav_vfc_read(g->v, GID, AMD_VFC_CMD), ==, 0);
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "gid"), ==, 0);
    end(g, false);
}

/*
 * The vIOMMU loses its state under a running guest. What host and guest do
 * before they can know is no violation; afterwards all can be set up again.
 */
static void test_surprise_reset(void)
{
    QAMDVIOMMU *v = qav_up(",strict=on");
    QAVGuest *g = qav_guest(v, GID);

    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    qav_set_bool(v, "surprise-reset", true);
    g_assert(!qav_wait(g));
    g_assert_cmphex(qav_vf_read(v, GID, AMD_VF_CMD_TAIL), ==, 0);
    qav_vfc_write(v, GID, AMD_VFC_CMD, g->ring | QAV_RING_CODE);
    g_assert_cmphex(qav_vfc_read(v, GID, AMD_VFC_CMD), ==, 0);
    g_assert_cmpuint(qav_violations(v, "vf-page-of-unused-gid"), >, 0);
    g_assert_cmpuint(qav_violations(v, "vfc-write-before-reset"), >, 0);
    qav_assert_clean(v);
    qav_guest_free(g);

    v->q->cmd_tail = 0;
    qav_enable(v);
    g = qav_guest(v, GID);
    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    end(g, true);
}

static void test_counters(void)
{
    QAVGuest *g = one_guest();
    uint64_t writes = qav_counter(g->v, "vfc-writes");
    uint64_t reads = qav_counter(g->v, "vfc-reads");

    qav_map_dom(g, 1, 0x50);
    qav_vfc_read(g->v, GID, AMD_VFC_CMD);
    g_assert_cmpuint(qav_counter(g->v, "vfc-writes"), ==, writes + 1);
    g_assert_cmpuint(qav_counter(g->v, "vfc-reads"), ==, reads + 1);
    g_assert_cmpuint(qav_counter(g->v, "resets"), ==, 1);
    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    g_assert(qav_wait(g));
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "command-1"), ==, 2);
    /* The tail is also written when the ring is set up */
    g_assert_cmpuint(qav_guest_counter(g->v, GID, "doorbells"), ==, 3);
    g_assert_cmpuint(qav_counter(g->v, "doorbells"), ==, 3);
    g_assert_cmpuint(qamd_get(g->v->q, "stat-cmd-a"), ==, 1);
    end(g, true);
}

int main(int argc, char **argv)
{
    static const unsigned regs[] = {
        AMD_VFC_MISC, AMD_VFC_EVTB_BASE, AMD_VFC_CMD, AMD_VFC_EVT,
        AMD_VFC_PPR, AMD_VFC_PPRB_BASE,
    };
    int i;

    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-viommu/capability", test_capability);
    qtest_add_func("/amd-viommu/capability/absent", test_capability_absent);
    qtest_add_func("/amd-viommu/capability/base-zero", test_base_zero);
    qtest_add_func("/amd-viommu/capability/disabled", test_bar_disabled);
    qtest_add_func("/amd-viommu/capability/no-viommu", test_no_viommu);
    qtest_add_func("/amd-viommu/control/sticks", test_control_sticks);
    qtest_add_func("/amd-viommu/control/stuck", test_control_stuck);
    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        g_autofree char *path = g_strdup_printf("/amd-viommu/vfctrl/%02x",
                                                regs[i]);

        qtest_add_data_func(path, GUINT_TO_POINTER(regs[i]), check_vfc_bits);
    }
    qtest_add_func("/amd-viommu/vfctrl/map-readback", test_vfc_map_readback);
    qtest_add_func("/amd-viommu/vfctrl/map-memory",
                   test_map_in_private_memory);
    qtest_add_func("/amd-viommu/vf/pointers", test_vf_pointers);
    qtest_add_func("/amd-viommu/vf/other-offsets", test_vf_other_offsets);
    qtest_add_func("/amd-viommu/vf/status", test_status_run_bits);
    qtest_add_func("/amd-viommu/reset-vmmio", test_reset_clears);
    qtest_add_func("/amd-viommu/misc-extra", test_misc_extra);
    qtest_add_func("/amd-viommu/base-resets", test_base_resets);
    qtest_add_func("/amd-viommu/all-ones", test_all_ones);
    qtest_add_func("/amd-viommu/last-gid", test_last_guest);
    qtest_add_func("/amd-viommu/machine-reset", test_machine_reset);
    qtest_add_func("/amd-viommu/surprise-reset", test_surprise_reset);
    qtest_add_func("/amd-viommu/counters", test_counters);
    return g_test_run();
}
