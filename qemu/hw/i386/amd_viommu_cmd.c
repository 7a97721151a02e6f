/*
 * AMD hardware vIOMMU: control bits, host commands and what they need
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands take effect at once here, but real hardware promises that only
 * when a COMPLETION_WAIT behind them has completed. So what a command has
 * changed is "unfenced" until then, and touching it before is a violation.
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "amd_viommu.h"
#include "trace.h"

/* Auditing walks all kept translations: not at every completion wait */
#define AUDIT_INTERVAL_MS       100

void amd_viommu_fence(AMDViommu *v, uint64_t key)
{
    g_hash_table_add(v->unfenced, g_memdup2(&key, sizeof(key)));
}

void amd_viommu_check_fence(AMDViommu *v, uint16_t gid, uint64_t key)
{
    /* Removed, so that one missing wait is one violation */
    if (g_hash_table_remove(v->unfenced, &key)) {
        amd_viommu_violation(v, AMD_VR_NO_WAIT, gid, key);
    }
}

static void completion_wait(AMDViommu *v)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
    GHashTableIter iter;
    AMDViommuGuest *g;

    g_hash_table_remove_all(v->unfenced);
    g_hash_table_iter_init(&iter, v->guests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
        g->unfenced = false;
    }
    if (now - v->audit_ms >= AUDIT_INTERVAL_MS) {
        v->audit_ms = now;
        amd_viommu_tlb_audit(v, now);
    }
}

static uint16_t own_domid(AMDViommu *v)
{
    uint64_t dte[4];

    return amd_iommu_dte_get(v->iommu, amd_viommu_own_devid(v), dte) ==
           AMD_IOMMU_OK ? extract64(dte[1], 0, 16) : 0;
}

/* The host has flushed private address space: are live tables still there? */
static void check_live_maps(AMDViommu *v)
{
    GHashTableIter iter;
    AMDViommuGuest *g;

    g_hash_table_iter_init(&iter, v->guests);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
        if (amd_viommu_any_ring_enabled(g) &&
            !amd_viommu_maps_present(v, g->gid)) {
            amd_viommu_violation(v, AMD_VR_MAP_LIVE_UNMAPPED, g->gid, 0);
        }
    }
}

static void inv_pages(AMDViommu *v, const uint64_t cmd[2])
{
    uint16_t domid = extract64(cmd[0], 32, 16);
    bool guest_stage = extract64(cmd[1], 2, 1);
    uint64_t size;
    hwaddr addr = amd_iommu_cmd_range(cmd[1], &size);

    if (guest_stage) {
        return;
    }
    amd_viommu_tlb_flush(v, domid, addr, size);
    if (!v->guest_cmd && domid == own_domid(v)) {
        check_live_maps(v);
    }
}

static void inv_devtab(AMDViommu *v, uint16_t devid)
{
    if (!v->guest_cmd) {
        amd_viommu_fence(v, AMD_FENCE_DEV(devid));
        amd_viommu_check_nested(v, devid);
    }
}

/* The IOMMU has executed @cmd; NULL: it has been reset */
void amd_viommu_inv(AMDVIState *s, const uint64_t cmd[2])
{
    AMDViommu *v = s->viommu;

    if (!v->realized) {
        return;
    }
    switch (cmd ? extract64(cmd[0], 60, 4) : AMDVI_CMD_INVAL_AMDVI_ALL) {
    case AMDVI_CMD_COMPLETION_WAIT:
        completion_wait(v);
        break;
    case AMDVI_CMD_INVAL_DEVTAB_ENTRY:
        inv_devtab(v, extract64(cmd[0], 0, 16));
        break;
    case AMDVI_CMD_INVAL_AMDVI_PAGES:
        inv_pages(v, cmd);
        break;
    case AMDVI_CMD_INVAL_INTR_TABLE:
        if (extract64(cmd[0], 0, 16) == amd_viommu_own_devid(v)) {
            amd_viommu_irq_flush(v);
        }
        break;
    case AMDVI_CMD_INVAL_AMDVI_ALL:
        amd_viommu_tlb_reset(v);
        amd_viommu_irq_flush(v);
        break;
    }
}

static void reset_backing(AMDViommu *v, uint16_t gid)
{
    uint8_t zero[1 << AMD_PAS_BACKING_SHIFT] = {};
    hwaddr pas = AMD_PAS_BACKING + ((hwaddr)gid << AMD_PAS_BACKING_SHIFT);

    if (!amd_viommu_pas_rw(v, gid, pas, zero, sizeof(zero), true)) {
        amd_viommu_violation(v, AMD_VR_PAS_BACKING, gid, pas);
        amd_viommu_event_hw_error(v, gid, AMD_HW_SRC_BACKING, pas);
    }
}

/*
 * "All" has no public definition. Drivers set it, and vCmd, while other guests
 * run, so both are read as "everything of this guest ID" [inferred]; any other
 * combination is refused [chosen].
 */
static bool reset_vmmio(AMDViommu *v, const uint64_t cmd[2])
{
    uint64_t want = AMD_CMD_RESET_ALL | AMD_CMD_RESET_VCMD;
    uint16_t gid = extract64(cmd[0], 0, 16);
    AMDViommuGuest *g;

    if (!gid) {
        amd_viommu_violation(v, AMD_VR_GID_ZERO, 0, cmd[0]);
        return false;
    }
    if (extract64(cmd[0], 16, 44) << 16 != want || cmd[1]) {
        amd_viommu_violation(v, AMD_VR_RESET_FIELDS, gid, cmd[0]);
        return false;
    }
    trace_amd_viommu_reset_vmmio(gid);
    g = amd_viommu_guest_new(v, gid);
    g->ready = true;
    g->unfenced = true;
    v->n.resets++;
    amd_viommu_map_forget(v, gid);
    reset_backing(v, gid);
    return true;
}

/* Commands that only a vIOMMU knows; false: illegal */
bool amd_viommu_command(AMDVIState *s, const uint64_t cmd[2])
{
    AMDViommu *v = s->viommu;

    if (!v->realized) {
        return false;
    }
    switch (extract64(cmd[0], 60, 4)) {
    case AMD_CMD_RESET_VMMIO:
        return reset_vmmio(v, cmd);
    case AMD_CMD_INSERT_GUEST_EVENT:
        /* Operands unknown: accept, inject nothing, and say so [chosen] */
        amd_viommu_violation(v, AMD_VR_INSERT_EVENT,
                             extract64(cmd[0], 32, 16), cmd[0]);
        return true;
    default:
        return false;
    }
}

uint64_t amd_viommu_control_write(AMDVIState *s, uint64_t old, uint64_t val)
{
    AMDViommu *v = s->viommu;

    if (!v->realized) {
        return val & ~(AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN |
                       AMD_VIOMMU_CTRL_GST_BUF_TRP);
    }
    return val & ~v->ctrl_stuck;
}

/*
 * The order known is: buffer mode, read it back, then vCmdEn, then vIommuEn,
 * with private address space in place [several]. Both enables in one write
 * are accepted [chosen]. Interrupts to guests have the format that GAEn turns
 * on: all known software sets it before [several].
 */
void amd_viommu_control_changed(AMDVIState *s, uint64_t old, uint64_t val)
{
    AMDViommu *v = s->viommu;
    uint64_t rise = val & ~old;

    if (!v->realized) {
        return;
    }
    if (rise & AMD_VIOMMU_CTRL_VIOMMU_EN) {
        v->surprised = false;
    }
    if ((rise & (AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN)) &&
        !(old & AMD_VIOMMU_CTRL_GST_BUF_TRP)) {
        amd_viommu_violation(v, AMD_VR_CTRL_ORDER, 0, rise);
    } else if ((rise & AMD_VIOMMU_CTRL_VIOMMU_EN) &&
               !(val & AMD_VIOMMU_CTRL_VCMD_EN)) {
        amd_viommu_violation(v, AMD_VR_CTRL_ORDER, 0, rise);
    }
    if ((rise & AMD_VIOMMU_CTRL_VIOMMU_EN) &&
        !(val & AMDVI_MMIO_CONTROL_GAEN)) {
        amd_viommu_violation(v, AMD_VR_BEFORE_GA, 0, val);
    }
    if ((rise & AMD_VIOMMU_CTRL_VIOMMU_EN) &&
        !amd_viommu_pas_mapped(v, AMD_PAS_BACKING)) {
        amd_viommu_violation(v, AMD_VR_OWN_DTE, 0, rise);
    }
    amd_viommu_ring_run_all(v);
}
