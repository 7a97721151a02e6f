/*
 * QTest for the AMD hardware vIOMMU: deliberate mistakes of a host driver
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each case makes one mistake, finds it under the name that the model has for
 * it, and sees that strict=on ends the run with status 1, unless a guest can
 * make the mistake alone. The last ones show that QEMU does go away, that no
 * guest can make it, and that a correct sequence passes.
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "qobject/qdict.h"
#include "libqos/qos-amd-viommu.h"

#define GID             5
#define CMD(op)         ((uint64_t)AMDVI_CMD_##op << 60)
#define RING_ON         (QAV_RING_CODE | AMD_VFC_CMD_EN)

typedef struct Mistake {
    const char *name;
    void (*make)(QAVGuest *g);
    bool guest;                 /* a guest can do it alone */
} Mistake;

static uint64_t vfc_addr(unsigned reg)
{
    return AMD_VIOMMU_VFC_BASE_DEFAULT + (GID << AMD_VIOMMU_VFC_SHIFT) + reg;
}

static uint64_t dom_map(void)
{
    return AMD_PAS_DOMMAP + ((uint64_t)GID << AMD_PAS_DOMMAP_SHIFT);
}

static QTestState *qts(QAVGuest *g)
{
    return g->v->q->qts;
}

/*
 * Accesses
 */

static void undefined_bit(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 1);
}

/* The base of the PPR log one nibble too low, as in an old header */
static void ppr_base_position(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_PPR, 0xfff0000000000000ULL | 8);
}

static void vfc_32_bit(QAVGuest *g)
{
    qtest_writel(qts(g), vfc_addr(AMD_VFC_CMD), 8);
}

static void vfc_misaligned(QAVGuest *g)
{
    qtest_writeq(qts(g), vfc_addr(AMD_VFC_CMD) + 4, 0);
}

static void bar_disabled(QAVGuest *g)
{
    qav_set_bool(g->v, "viommu-vfc-enable", false);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
}

static void gid_zero(QAVGuest *g)
{
    qav_vfc_write(g->v, 0, AMD_VFC_CMD, 0);
}

static void reset_gid_zero(QAVGuest *g)
{
    qav_reset_cmd(g->v, 0);
}

static void no_reset(QAVGuest *g)
{
    qav_vfc_write(g->v, GID + 1, AMD_VFC_CMD, 0);
}

static void unused_vf_page(QAVGuest *g)
{
    qav_vf_read(g->v, GID + 1, AMD_VF_STATUS);
}

static void vf_width(QAVGuest *g)
{
    qtest_writeb(qts(g), AMD_VIOMMU_VF_BASE_DEFAULT + GID * 0x1000, 0);
}

static void reset_without_wait(QAVGuest *g)
{
    qav_reset_cmd(g->v, GID);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
}

/* The table got another page; the old one was in use */
static void pas_flush_without_wait(QAVGuest *g)
{
    qav_map_dom(g, 1, 0x50);
    qamd_map_host(g->v->q, g->v->pas_root, 4, dom_map(), qamd_page(g->v->q), 1,
                  QAMD_PTE_RW);
    qamd_inv_pages(g->v->q, QAV_PAS_DOMID, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    qav_map_dom(g, 1, 0x50);
}

static void trans_flush_without_wait(QAVGuest *g)
{
    qamd_inv_dte(g->v->q, g->trans);
    qav_ring(g, QAV_RING_CODE);
}

/*
 * Control, own DTE, private memory
 */

static void control_order(QAVGuest *g)
{
    uint64_t off = qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                   ~(AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN);

    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, off);
    qav_control(g->v, AMD_VIOMMU_CTRL_VIOMMU_EN);
}

static void mode_with_enables(QAVGuest *g)
{
    uint64_t off = qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                   ~(AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN |
                     AMD_VIOMMU_CTRL_GST_BUF_TRP);

    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, off);
    qav_control(g->v, AMD_VIOMMU_CTRL_VIOMMU_EN | AMD_VIOMMU_CTRL_VCMD_EN |
                AMD_VIOMMU_CTRL_GST_BUF_TRP);
}

static void without_ga(QAVGuest *g)
{
    uint64_t on = qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                  ~AMDVI_MMIO_CONTROL_GAEN;

    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL,
                 on & ~AMD_VIOMMU_CTRL_VIOMMU_EN);
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, on);
}

static void own_dte_missing(QAVGuest *g)
{
    uint64_t on = qamd_reg(g->v->q, AMDVI_MMIO_CONTROL), dte[4] = {};

    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL,
                 on & ~AMD_VIOMMU_CTRL_VIOMMU_EN);
    qav_set_dte(g->v, g->v->own, dte);
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL, on);
}

static void enable_while_off(QAVGuest *g)
{
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL,
                 qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                 ~AMD_VIOMMU_CTRL_VIOMMU_EN);
    qav_ring(g, QAV_RING_CODE);
}

static void map_while_off(QAVGuest *g)
{
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL,
                 qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                 ~AMD_VIOMMU_CTRL_VCMD_EN);
    qav_map_dom(g, 1, 0x50);
}

static void own_dte_not_flushed(QAVGuest *g)
{
    uint64_t dte[4];

    qamd_host_dte(dte, QAV_PAS_DOMID + 1, g->v->pas_root, 4);
    qav_write_dte(g->v, g->v->own, dte);
    qav_map_dom(g, 1, 0x50);
}

static void trans_dte_not_flushed(QAVGuest *g)
{
    uint64_t dte[4] = {};

    qav_ring(g, QAV_RING_CODE);
    qav_write_dte(g->v, g->trans, dte);
    qav_wait(g);
}

static void unmap_leaf(QAVGuest *g, uint64_t pas, unsigned level)
{
    uint64_t at = qamd_map_host(g->v->q, g->v->pas_root, 4, pas, 0, level, 0);

    qtest_writeq(qts(g), at, 0);
}

static void backing_not_mapped(QAVGuest *g)
{
    unmap_leaf(g, AMD_PAS_BACKING, 2);
    qav_flush_pas(g->v);
    qav_vfc_write(g->v, GID, AMD_VFC_EVTB_BASE, 0x1000);
}

static void pas_stale(QAVGuest *g)
{
    qav_map_dom(g, 1, 0x50);
    unmap_leaf(g, dom_map(), 1);
    qav_map_dom(g, 1, 0x51);
}

/* Noticed without anything using the translation, after ten seconds */
static void pas_free_without_flush(QAVGuest *g)
{
    qav_map_dom(g, 1, 0x50);
    unmap_leaf(g, dom_map(), 1);
    qtest_clock_step(qts(g), 200000000);
    g_assert(qamd_wait(g->v->q));
    g_assert_cmpuint(qamd_get(g->v->q, "viommu-audit"), ==, 1);
    qtest_clock_step(qts(g), 11000000000LL);
    g_assert(qamd_wait(g->v->q));
}

/*
 * Maps
 */

static void map_write_unmapped(QAVGuest *g)
{
    unmap_leaf(g, dom_map(), 1);
    qav_flush_pas(g->v);
    qav_map_dom(g, 1, 0x50);
}

static void unmap_while_enabled(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    unmap_leaf(g, dom_map(), 1);
    qav_flush_pas(g->v);
}

static void enable_without_tables(QAVGuest *g)
{
    unmap_leaf(g, dom_map(), 1);
    qav_flush_pas(g->v);
    qav_ring(g, QAV_RING_CODE);
}

static void map_without_trigger(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_DEV_MAP, AMD_VFC_MAP_VALID);
}

static void map_without_valid(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_DEV_MAP, AMD_VFC_MAP_TRIGGER);
}

static void hdom_of_parent(QAVGuest *g)
{
    qav_map_dom(g, 1, g->domid);
}

static void hdom_of_pas(QAVGuest *g)
{
    qav_map_dom(g, 1, QAV_PAS_DOMID);
}

static void hdom_zero_used(QAVGuest *g)
{
    qav_map_dom(g, 1, 0);
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_AMDVI_PAGES) | 1ULL << 32, 0);
}

static void hdom_of_other_guest(QAVGuest *g)
{
    QAVGuest *h = qav_guest(g->v, GID + 1);

    qav_map_dom(h, 1, 0x50);
    qav_map_dom(g, 1, 0x50);
    qav_guest_free(h);
}

static void hdev_of_other_guest(QAVGuest *g)
{
    QAVGuest *h = qav_guest(g->v, GID + 1);

    qav_map_dev(h, 1, 0x50);
    qav_map_dev(g, 1, 0x50);
    qav_guest_free(h);
}

static void cleared_device_used(QAVGuest *g)
{
    qav_map_dev(g, 1, 0);
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_DEVTAB_ENTRY) | 1, 0);
}

static void gdom_not_mapped(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_AMDVI_PAGES) | 9ULL << 32, 0);
}

static void gdev_not_mapped(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_DEVTAB_ENTRY) | 9, 0);
}

/*
 * Translate device
 */

static void no_trans_id(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 0);
    qav_ring(g, QAV_RING_CODE);
}

static void no_trans_dte(QAVGuest *g)
{
    uint64_t dte[4] = {};

    qav_set_dte(g->v, g->trans, dte);
    qav_ring(g, QAV_RING_CODE);
}

static void with_trans_dte(QAVGuest *g, uint64_t clear, uint64_t set0,
                           uint16_t domid, uint64_t q2, uint64_t q3)
{
    uint64_t dte[4];

    qamd_host_dte(dte, domid, g->s2, 4);
    dte[0] = (dte[0] & ~clear) | set0;
    dte[2] = q2;
    dte[3] = q3;
    qav_set_dte(g->v, g->trans, dte);
    qav_ring(g, QAV_RING_CODE);
}

static void trans_read_only(QAVGuest *g)
{
    with_trans_dte(g, QAMD_DTE0_IW, 0, g->domid, QAMD_DTE2_IV, 0);
}

/* IV = 0: interrupt messages of that ID would get through as they are */
static void trans_without_iv(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, g->domid, 0, 0);
}

/* IntCtl 1: passed on, 2: remapped. Only 0 refuses them. */
static void trans_intr_forwarded(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, g->domid, QAMD_DTE2_IV | 1ULL << 60, 0);
}

static void trans_intr_remapped(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, g->domid, QAMD_DTE2_IV | 2ULL << 60, 0);
}

static void trans_with_vimu(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, g->domid, QAMD_DTE2_IV, AMD_DTE3_VIMU_EN |
                   (uint64_t)GID << AMD_DTE3_GID_SHIFT);
}

static void trans_domid_zero(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, 0, QAMD_DTE2_IV, 0);
}

static void trans_domid_of_pas(QAVGuest *g)
{
    with_trans_dte(g, 0, 0, QAV_PAS_DOMID, QAMD_DTE2_IV, 0);
}

static void trans_is_device(QAVGuest *g)
{
    g->trans = g->v->q->devid;
    qav_guest_trans(g);
    qav_ring(g, QAV_RING_CODE);
}

static void trans_cleared_live(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 0);
}

static void parent_not_flushed(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_wait(g);
    qav_unmap_guest_page(g, g->sem);
    qav_wait(g);
    qtest_clock_step(qts(g), 11000000000LL);
    qav_wait(g);
}

/*
 * Rings
 */

static void ring_without_mode(QAVGuest *g)
{
    qamd_set_reg(g->v->q, AMDVI_MMIO_CONTROL,
                 qamd_reg(g->v->q, AMDVI_MMIO_CONTROL) &
                 ~AMD_VIOMMU_CTRL_GST_BUF_TRP);
    qav_ring(g, QAV_RING_CODE);
}

static void length_too_small(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0x1000 | 7);
}

static void length_zero(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, 0x1000);
}

static void ring_base_zero(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, RING_ON);
}

/* The write that moves the base also lost the enable bit, or kept it */
static void ring_moved_live(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, (g->ring + 0x1000) | RING_ON);
}

/* Off and on again elsewhere, without a look at the run bit */
static void ring_moved_while_stopping(QAVGuest *g)
{
    qamd_set(g->v->q, "viommu-stop-delay-ms", 10);
    qav_ring(g, QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, (g->ring + 0x1000) | RING_ON);
}

/* The translate device goes while the ring still uses it */
static void trans_cleared_stopping(QAVGuest *g)
{
    qamd_set(g->v->q, "viommu-stop-delay-ms", 10);
    qav_ring(g, QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 0);
}

static void dual_mode(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, 0x1000 | QAV_RING_CODE | 3 << 10);
}

static void ring_not_mapped(QAVGuest *g)
{
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0x1000 | RING_ON);
    qav_vf_write(g->v, GID, AMD_VF_CMD_TAIL, 16);
}

static void store_not_mapped(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(COMPLETION_WAIT) | 0x1000 | 1, 0);
}

static void tail_beyond(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_vf_write(g->v, GID, AMD_VF_CMD_TAIL, g->ring_bytes);
}

static void guest_illegal(QAVGuest *g)
{
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_AMDVI_ALL) | 1, 0);
}

/*
 * DTEs of devices, host commands, interrupts
 */

static void nested_dte(QAVGuest *g, uint16_t gid, uint16_t gdev)
{
    uint64_t dte[4];

    qamd_host_dte(dte, 0x50, g->s2, 4);
    dte[3] = AMD_DTE3_VIMU_EN | (uint64_t)gdev << AMD_DTE3_GDEVID_SHIFT |
             (uint64_t)gid << AMD_DTE3_GID_SHIFT;
    qav_set_dte(g->v, g->v->q->devid, dte);
}

static void dte_gid_unused(QAVGuest *g)
{
    nested_dte(g, GID + 1, 0);
}

static void dte_gid_zero(QAVGuest *g)
{
    nested_dte(g, 0, 0);
}

static void dte_gdev_not_mapped(QAVGuest *g)
{
    nested_dte(g, GID, 7);
}

/* GuestID and GDeviceID exchanged, as in an old driver */
static void dte_fields_swapped(QAVGuest *g)
{
    qav_map_dev(g, 7, g->v->q->devid);
    nested_dte(g, 7, GID);
}

static void reset_without_all(QAVGuest *g)
{
    qamd_cmd(g->v->q, (uint64_t)AMD_CMD_RESET_VMMIO << 60 |
             AMD_CMD_RESET_VCMD | GID, 0);
}

static void reset_all_one_bit_low(QAVGuest *g)
{
    qamd_cmd(g->v->q, (uint64_t)AMD_CMD_RESET_VMMIO << 60 |
             AMD_CMD_RESET_VCMD | BIT_ULL(27) | GID, 0);
}

static void insert_event(QAVGuest *g)
{
    qamd_cmd(g->v->q, (uint64_t)AMD_CMD_INSERT_GUEST_EVENT << 60 |
             (uint64_t)GID << 32, 0);
}

static void extir(QAVGuest *g, unsigned l2_len, uint64_t *irte)
{
    uint64_t l1 = qamd_page(g->v->q), l2 = qamd_page(g->v->q), dte[4];

    qamd_page(g->v->q);
    qtest_writeq(qts(g), l1, 1 | l2_len << AMD_EXTIR_L1_LEN_SHIFT | l2);
    *irte = l2 + GID * 16;
    qtest_writeq(qts(g), *irte, AMD_EXTIR_IRTE_VALID | AMD_EXTIR_IRTE_GUEST);
    qtest_writeq(qts(g), *irte + 8, qamd_page(g->v->q) | 0x45);
    qamd_host_dte(dte, QAV_PAS_DOMID, g->v->pas_root, 4);
    dte[2] = 1 | AMD_EXTIR_INTTABLEN << 1 | l1 | 2ULL << 60;
    qav_set_dte(g->v, g->v->own, dte);
    qav_ring(g, QAV_RING_CODE);
    qav_vfc_write(g->v, GID, AMD_VFC_CMD, g->ring | RING_ON |
                  AMD_VFC_CMD_INT_EN);
    qav_cmd(g, CMD(COMPLETION_WAIT) | 2, 0);
}

static void extir_length(QAVGuest *g)
{
    uint64_t irte;

    extir(g, 7, &irte);
}

static void extir_not_flushed(QAVGuest *g)
{
    uint64_t irte;

    extir(g, AMD_EXTIR_L2_LEN, &irte);
    qtest_writeq(qts(g), irte + 8, qamd_page(g->v->q) | 0x46);
    qav_cmd(g, CMD(COMPLETION_WAIT) | 2, 0);
}

static const Mistake mistakes[] = {
    { "vfc-undefined-bit", undefined_bit },
    { "vfc-undefined-bit", ppr_base_position },
    { "vfc-access-not-64-bit", vfc_32_bit },
    { "vfc-access-not-64-bit", vfc_misaligned },
    { "access-while-bar-disabled", bar_disabled },
    { "gid-zero", gid_zero },
    { "gid-zero", reset_gid_zero },
    { "gid-zero", dte_gid_zero },
    { "vfc-write-before-reset", no_reset },
    { "vf-page-of-unused-gid", unused_vf_page },
    { "no-completion-wait", reset_without_wait },
    { "no-completion-wait", pas_flush_without_wait },
    { "no-completion-wait", trans_flush_without_wait },
    { "control-enable-order", control_order },
    { "control-enable-order", mode_with_enables },
    { "viommu-before-ga", without_ga },
    { "own-dte-not-ready", own_dte_missing },
    { "use-while-viommu-off", enable_while_off },
    { "use-while-viommu-off", map_while_off },
    { "dte-changed-without-flush", own_dte_not_flushed },
    { "dte-changed-without-flush", trans_dte_not_flushed },
    { "backing-not-mapped", backing_not_mapped },
    { "pas-translation-stale", pas_stale },
    { "pas-unmap-without-flush", pas_free_without_flush },
    { "map-write-while-unmapped", map_write_unmapped },
    { "map-unmapped-while-enabled", unmap_while_enabled },
    { "map-unmapped-while-enabled", enable_without_tables },
    { "map-write-without-trigger", map_without_trigger },
    { "map-write-without-valid", map_without_valid },
    { "hdomid-shared-with-host", hdom_of_parent },
    { "hdomid-shared-with-host", hdom_of_pas },
    { "hdomid-shared-with-host", hdom_zero_used },
    { "hdomid-of-another-guest", hdom_of_other_guest },
    { "hdevid-of-another-guest", hdev_of_other_guest },
    { "cleared-hdevid-used-as-0", cleared_device_used },
    { "gdomid-not-mapped", gdom_not_mapped },
    { "gdevid-not-mapped", gdev_not_mapped },
    { "ring-without-translate-dte", no_trans_id },
    { "ring-without-translate-dte", no_trans_dte },
    { "translate-dte-permissions", trans_read_only },
    { "translate-dte-extra-fields", trans_with_vimu },
    { "translate-dte-interrupts", trans_without_iv },
    { "translate-dte-interrupts", trans_intr_forwarded },
    { "translate-dte-interrupts", trans_intr_remapped },
    { "translate-dte-domid", trans_domid_zero },
    { "translate-dte-domid", trans_domid_of_pas },
    { "translate-id-is-a-device", trans_is_device },
    { "translate-id-cleared-live", trans_cleared_live },
    { "translate-id-cleared-live", trans_cleared_stopping },
    { "gpa-translation-stale", parent_not_flushed },
    { "ring-without-buffer-mode", ring_without_mode },
    { "ring-length-code", length_too_small },
    { "ring-length-code", length_zero },
    { "ring-base-zero", ring_base_zero },
    { "ring-changed-while-enabled", ring_moved_live },
    { "ring-changed-while-enabled", ring_moved_while_stopping },
    { "dual-log-mode-undefined", dual_mode },
    { "dte-gid-never-set-up", dte_gid_unused },
    { "dte-gid-never-set-up", dte_fields_swapped },
    { "dte-gdevid-not-mapped", dte_gdev_not_mapped },
    { "reset-vmmio-fields", reset_without_all },
    { "reset-vmmio-fields", reset_all_one_bit_low },
    { "insert-guest-event-issued", insert_event },
    { "extended-ir-entry-invalid", extir_length },
    { "extended-ir-entry-stale", extir_not_flushed },
    { "vf-access-width", vf_width, true },
    { "ring-address-not-mapped", ring_not_mapped, true },
    { "store-address-not-mapped", store_not_mapped, true },
    { "pointer-beyond-ring", tail_beyond, true },
    { "guest-command-illegal", guest_illegal, true },
};

static bool machine_has_ended(QAVGuest *g)
{
    QDict *rsp = qtest_qmp(qts(g), "{ 'execute': 'query-status' }");
    QDict *ret = qdict_get_qdict(rsp, "return");
    bool ended = !strcmp(qdict_get_str(ret, "status"), "shutdown");

    qobject_unref(rsp);
    return ended;
}

/* -no-shutdown: the machine ends but can still be asked what happened */
static void check_mistake(const void *arg)
{
    const Mistake *m = arg;
    QAVGuest *g = qav_guest(qav_up(",strict=on -no-shutdown"), GID);

    qav_assert_clean(g->v);
    g_assert_false(machine_has_ended(g));
    m->make(g);
    g_assert_cmpuint(qav_violations(g->v, m->name), >, 0);
    g_assert(machine_has_ended(g) == !m->guest);
    if (m->guest) {
        qav_assert_clean(g->v);
    } else {
        g_assert_cmpuint(qamd_get(g->v->q, "stat-violations"), >, 0);
        qtest_set_expected_status(qts(g), EXIT_FAILURE);
    }
    qav_stop(g->v);
    qav_guest_free(g);
}

/* A flush for one guest, not yet waited for, is nothing to another one */
static void test_strict_concurrent(void)
{
    QAVGuest *g = qav_guest(qav_up(",strict=on"), GID);
    QAVGuest *h = qav_guest_alloc(g->v, GID + 1);

    qav_map_dom(g, 1, 0x50);
    qav_guest_tables(h);
    qamd_inv_pages(g->v->q, QAV_PAS_DOMID, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    qav_map_dom(g, 2, 0x51);
    qav_reset_cmd(g->v, GID + 1);
    qav_map_dom(g, 3, 0x52);
    qav_assert_clean(g->v);
    qav_stop(g->v);
    qav_guest_free(g);
    qav_guest_free(h);
}

/* What a guest can do must not end a strict run */
static void test_strict_guest(void)
{
    QAVGuest *g = qav_guest(qav_up(",strict=on"), GID);
    int i;

    for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
        if (mistakes[i].guest) {
            mistakes[i].make(g);
            qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
        }
    }
    qav_assert_clean(g->v);
    qav_stop(g->v);
    qav_guest_free(g);
}

/* The property for a host that leaves the DevID map empty */
static void test_strict_sparse(void)
{
    QAVGuest *g = qav_guest(qav_up(",strict=on,viommu-sparse-dev-map=on"),
                            GID);

    gdev_not_mapped(g);
    g_assert_cmpuint(qav_violations(g->v, "gdevid-not-mapped"), ==, 1);
    qav_assert_clean(g->v);
    qav_stop(g->v);
    qav_guest_free(g);
}

/* A DTE with an ID that no map entry has is one mistake, not two */
static void test_strict_peek(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);

    dte_gdev_not_mapped(g);
    g_assert_cmpuint(qav_violations(g->v, "dte-gdevid-not-mapped"), ==, 1);
    g_assert_cmpuint(qav_violations(g->v, "gdevid-not-mapped"), ==, 0);
    qav_stop(g->v);
    qav_guest_free(g);
}

/* A device with I = 0 may be out of reach of its guest, one with I = 1 not */
static void test_strict_out_of_reach(void)
{
    QAVGuest *g = qav_guest(qav_up(""), GID);
    uint64_t dte[4];
    int i;

    qav_map_dev(g, 7, g->trans);
    qav_map_dev(g, 8, g->trans + 8);
    nested_dte(g, GID, 7);
    qav_assert_clean(g->v);
    for (i = 0; i < 2; i++) {
        qamd_host_dte(dte, 0x50, g->s2, 4);
        dte[1] |= i ? 0 : BIT_ULL(32);
        dte[3] = AMD_DTE3_VIMU_EN |
                 (uint64_t)(7 + i) << AMD_DTE3_GDEVID_SHIFT |
                 (uint64_t)GID << AMD_DTE3_GID_SHIFT;
        qav_set_dte(g->v, g->v->q->devid, dte);
        g_assert_cmpuint(qav_violations(g->v, "dte-gdevid-not-mapped"), ==,
                         i + 1);
    }
    qav_stop(g->v);
    qav_guest_free(g);
}

/* A host's mistake ends it, with a status that says so */
static void test_strict_exits(void)
{
    QAVGuest *g = qav_guest(qav_up(",strict=on"), GID);

    qtest_set_expected_status(qts(g), EXIT_FAILURE);
    undefined_bit(g);
    qtest_wait_qemu(qts(g));
    qav_stop(g->v);
    qav_guest_free(g);
}

/* Up, used, down again, in the order that leaves nothing behind */
static void test_strict_clean_life(void)
{
    QAVGuest *g = qav_guest(qav_up(",strict=on"), GID);
    uint64_t none[4] = {};

    qav_map_dom(g, 1, 0x50);
    qav_map_dev(g, 7, g->v->q->devid);
    nested_dte(g, GID, 7);
    qav_event_log(g, 0);
    qav_ring(g, QAV_RING_CODE);
    qav_cmd(g, CMD(INVAL_AMDVI_PAGES) | 1ULL << 32, 0);
    g_assert(qav_wait(g));

    qav_vfc_write(g->v, GID, AMD_VFC_CMD, 0);
    qav_vfc_write(g->v, GID, AMD_VFC_EVT, 0);
    qav_set_dte(g->v, g->v->q->devid, none);
    qav_guest_reset(g);
    qav_vfc_write(g->v, GID, AMD_VFC_MISC, 0);
    qav_set_dte(g->v, g->trans, none);
    qamd_inv_pages(g->v->q, g->domid, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    unmap_leaf(g, dom_map(), 1);
    unmap_leaf(g, AMD_PAS_DEVMAP + ((uint64_t)GID << AMD_PAS_DEVMAP_SHIFT),
               1);
    qav_flush_pas(g->v);
    qav_assert_clean(g->v);
    qav_stop(g->v);
    qav_guest_free(g);
}

int main(int argc, char **argv)
{
    int i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
        g_autofree char *path = g_strdup_printf("/amd-viommu/mistake/%s/%d",
                                                mistakes[i].name, i);

        qtest_add_data_func(path, &mistakes[i], check_mistake);
    }
    qtest_add_func("/amd-viommu/strict/guest", test_strict_guest);
    qtest_add_func("/amd-viommu/strict/sparse", test_strict_sparse);
    qtest_add_func("/amd-viommu/strict/peek", test_strict_peek);
    qtest_add_func("/amd-viommu/strict/out-of-reach",
                   test_strict_out_of_reach);
    qtest_add_func("/amd-viommu/strict/exits", test_strict_exits);
    qtest_add_func("/amd-viommu/strict/concurrent", test_strict_concurrent);
    qtest_add_func("/amd-viommu/strict/clean-life", test_strict_clean_life);
    return g_test_run();
}
