/*
 * QTest for the host side of the Tegra241 CMDQV: what its commands do to
 * translations, and forced write-back
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "hw/arm/smmuv3-common.h"
#include "libqos/qos-tegra-host.h"

#define OFFS            QSMMU_SPACE_OFFS_NS
#define PAGE_OF(iova)   ((iova) & 0xfff)
#define TARGET          (OFFS + QSMMU_L3_PTE_VAL)
#define OTHER           (TARGET + 0x10000)
#define ASID            0x1e20
#define VMID            7

/* Index 0 of MAIR: write-back, and normal non-cacheable */
#define MAIR_WB         0xff
#define MAIR_NC         0x44

/* Where the leaf of the IOVA stands, in stage 1 alone */
static uint64_t leaf_at(void)
{
    return OFFS + QSMMU_L2_PTE_VAL + 0 +
           ((QSMMU_IOVA >> 12) & 0x1ff) * 8;
}

static uint64_t ste_at(QTegraHost *h)
{
    return OFFS + QSMMU_STR_TAB_BASE + h->dev->devfn * 64;
}

/* Stage 1, tagged with a VMID as that of a guest would be */
static QTegraHost *setup(QSMMUTransMode mode, const char *props)
{
    QTegraHost *h = qth_up(props);

    g_assert_cmpuint(qsmmu_build_translation(h->qts, mode,
                                             QSMMU_SPACE_NONSECURE,
                                             h->dev->devfn), ==, 0);
    qtest_writel(h->qts, ste_at(h) + 16, VMID);
    qsmmu_program_bank(h->qts, QTH_SMMU_BASE, QSMMU_SPACE_NONSECURE);
    return h;
}

/* Does DMA to the IOVA arrive there? */
static bool dma_reaches(QTegraHost *h, uint64_t target)
{
    uint64_t at = target + PAGE_OF(QSMMU_IOVA);
    int i;

    qtest_memset(h->qts, at, 0, 4);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_GVA_LO, (uint32_t)QSMMU_IOVA);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_GVA_HI, QSMMU_IOVA >> 32);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_GPA_LO, at);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_GPA_HI, at >> 32);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_LEN, 4);
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_ATTRS,
                   qsmmu_build_dma_attrs(QSMMU_SPACE_NONSECURE));
    qpci_io_writel(h->dev, h->bar, ITD_REG_DMA_DBELL, ITD_DMA_DBELL_ARM);
    qpci_io_readl(h->dev, h->bar, ITD_REG_DMA_TRIGGERING);
    for (i = 0; i < 100; i++) {
        uint32_t res = qpci_io_readl(h->dev, h->bar, ITD_REG_DMA_RESULT);

        if (res != ITD_DMA_RESULT_BUSY) {
            g_assert(res == 0 || res == ITD_DMA_ERR_MISMATCH);
            return res == 0;
        }
    }
    g_assert_not_reached();
}

/* The page moves; the TLB still knows where it was */
static void make_stale(QTegraHost *h)
{
    uint64_t attrs = qtest_readq(h->qts, leaf_at()) & ~QSMMU_PTE_MASK;

    g_assert_true(dma_reaches(h, TARGET));
    qtest_writeq(h->qts, leaf_at(), OTHER | attrs);
    g_assert_true(dma_reaches(h, TARGET));
    g_assert_false(dma_reaches(h, OTHER));
}

static void check_drops(uint64_t lo, uint64_t hi, bool drops)
{
    QTegraHost *h = setup(QSMMU_TM_S1_ONLY, "");
    QTegraQueue q;

    qth_guest(h, &q);
    make_stale(h);
    qth_good(&q, lo, hi);
    qth_good(&q, QTH_SYNC, 0);
    g_assert_cmpint(dma_reaches(h, OTHER), ==, drops);
    qth_assert_clean(h);
    qth_stop(h);
}

static void test_inv_va(void)
{
    check_drops(QTH_TLBI_NH_VA | QTH_ASID(ASID),
                QSMMU_IOVA & ~0xfffULL, true);
}

static void test_inv_other_va(void)
{
    check_drops(QTH_TLBI_NH_VA | QTH_ASID(ASID),
                (QSMMU_IOVA & ~0xfffULL) + 0x1000, false);
}

static void test_inv_asid(void)
{
    check_drops(QTH_TLBI_NH_ASID | QTH_ASID(ASID), 0, true);
}

static void test_inv_other_asid(void)
{
    check_drops(QTH_TLBI_NH_ASID | QTH_ASID(ASID + 1), 0, false);
}

/* Whatever VMID the guest names, its own one counts */
static void test_inv_any_vmid(void)
{
    check_drops(QTH_TLBI_NH_ASID | QTH_ASID(ASID) | QTH_VMID(0x99), 0, true);
}

/* Another guest cannot drop what belongs to this one */
static void test_inv_other_vintf(void)
{
    QTegraHost *h = setup(QSMMU_TM_S1_ONLY, "");
    QTegraQueue q;

    qth_vintf(h, 2, VMID + 1, false);
    qth_queue(h, &q, 2, 0, 3);
    qth_queue_enable(&q);
    make_stale(h);
    qth_good(&q, QTH_TLBI_NH_ASID | QTH_ASID(ASID) | QTH_VMID(VMID), 0);
    g_assert_false(dma_reaches(h, OTHER));
    qth_bad(&q, QTH_TLBI_NSNH_ALL, 0, 1);
    g_assert_false(dma_reaches(h, OTHER));
    qth_stop(h);
}

static void test_inv_hyp_own(void)
{
    QTegraHost *h = setup(QSMMU_TM_S1_ONLY, "");
    QTegraQueue q;

    qth_vintf(h, 0, 0, true);
    qth_queue(h, &q, 0, 0, 3);
    qth_queue_enable(&q);
    make_stale(h);
    qth_good(&q, QTH_TLBI_NH_ASID | QTH_ASID(ASID) | QTH_VMID(VMID + 1), 0);
    g_assert_false(dma_reaches(h, OTHER));
    qth_good(&q, QTH_TLBI_NH_ASID | QTH_ASID(ASID) | QTH_VMID(VMID), 0);
    g_assert_true(dma_reaches(h, OTHER));
    qth_stop(h);
}

/* One DMA; is the memory type that comes out of both stages write-back? */
static bool coherent(QSMMUTransMode mode, uint8_t mair, bool s2fwb,
                     const char *props, unsigned memattr)
{
    QTegraHost *h = setup(mode, props);
    uint64_t s2, cd = OFFS + QSMMU_CD_GPA, yes, no;

    if (mode != QSMMU_TM_S2_ONLY) {
        qtest_writeq(h->qts, cd + 24, mair);
    }
    qtest_writel(h->qts, ste_at(h) + 8,
                 qtest_readl(h->qts, ste_at(h) + 8) | s2fwb << 25);
    if (mode == QSMMU_TM_S2_ONLY) {
        s2 = qtest_readq(h->qts, leaf_at());
        s2 = deposit64(s2, 6, 2, 3);
        qtest_writeq(h->qts, leaf_at(), deposit64(s2, 2, 4, memattr));
    }
    g_assert_true(dma_reaches(h, TARGET));
    yes = qth_get(h, "dma-coherent");
    no = qth_get(h, "dma-noncoherent");
    g_assert_cmpuint(!!yes + !!no, ==, 1);
    qth_stop(h);
    return yes;
}

static void test_attr_s1(void)
{
    g_assert_true(coherent(QSMMU_TM_S1_ONLY, MAIR_WB, false, "", 0));
    g_assert_false(coherent(QSMMU_TM_S1_ONLY, MAIR_NC, false, "", 0));
    g_assert_false(coherent(QSMMU_TM_S1_ONLY, 0x00, false, "", 0));
    g_assert_false(coherent(QSMMU_TM_S1_ONLY, 0xbb, false, "", 0));
}

/* The same bits mean something else with FWB */
static void test_attr_s2(void)
{
    g_assert_true(coherent(QSMMU_TM_S2_ONLY, 0, false, "", 0xf));
    g_assert_false(coherent(QSMMU_TM_S2_ONLY, 0, false, "", 0x6));
    g_assert_true(coherent(QSMMU_TM_S2_ONLY, 0, true, ",fwb=on", 0x6));
    g_assert_true(coherent(QSMMU_TM_S2_ONLY, 0, true, ",fwb=on", 0x7));
    g_assert_false(coherent(QSMMU_TM_S2_ONLY, 0, true, ",fwb=on", 0x5));
    g_assert_false(coherent(QSMMU_TM_S2_ONLY, 0, true, ",fwb=on", 0xf));
}

/* Reserved in an SMMU without it: the bit of the STE does nothing */
static void test_attr_absent(void)
{
    g_assert_true(coherent(QSMMU_TM_S2_ONLY, 0, true, "", 0xf));
    g_assert_false(coherent(QSMMU_TM_S2_ONLY, 0, true, "", 0x6));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/tegra-host/inv/va", test_inv_va);
    qtest_add_func("/tegra-host/inv/other-va", test_inv_other_va);
    qtest_add_func("/tegra-host/inv/asid", test_inv_asid);
    qtest_add_func("/tegra-host/inv/other-asid", test_inv_other_asid);
    qtest_add_func("/tegra-host/inv/any-vmid", test_inv_any_vmid);
    qtest_add_func("/tegra-host/inv/other-vintf", test_inv_other_vintf);
    qtest_add_func("/tegra-host/inv/hyp-own", test_inv_hyp_own);
    qtest_add_func("/tegra-host/fwb/stage-1", test_attr_s1);
    qtest_add_func("/tegra-host/fwb/stage-2", test_attr_s2);
    qtest_add_func("/tegra-host/fwb/absent", test_attr_absent);
    return g_test_run();
}
