/*
 * AMD hardware vIOMMU: the VFCtrl registers, 64 bytes per guest, host only
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "amd_viommu.h"
#include "trace.h"

static const uint64_t reg_mask[AMD_VFC_NR_REGS] = {
    [AMD_VFC_DEV_MAP / 8] = AMD_VFC_MAP_MASK,
    [AMD_VFC_DOM_MAP / 8] = AMD_VFC_MAP_MASK,
    [AMD_VFC_MISC / 8] = AMD_VFC_MISC_MASK,
    [AMD_VFC_EVTB_BASE / 8] = AMD_VFC_BASE_MASK,
    [AMD_VFC_CMD / 8] = AMD_VFC_CMD_MASK,
    [AMD_VFC_EVT / 8] = AMD_VFC_EVT_MASK,
    [AMD_VFC_PPR / 8] = AMD_VFC_PPR_MASK,
    [AMD_VFC_PPRB_BASE / 8] = AMD_VFC_BASE_MASK,
};

/* Where each ring has its base, its length code and its enable bits */
static const struct {
    unsigned reg;
    uint64_t base_mask;
    unsigned base_right;
    unsigned len_reg;
    unsigned len_shift;
    unsigned enable_shift;
    unsigned enable_width;
} rings[] = {
    [AMD_RING_CMD] = { AMD_VFC_CMD, AMD_VFC_BASE_MASK, 0,
                       AMD_VFC_CMD, 0, 8, 1 },
    [AMD_RING_EVT] = { AMD_VFC_EVT, AMD_VFC_BASE_MASK, 0,
                       AMD_VFC_EVT, 0, 8, 1 },
    [AMD_RING_PPR] = { AMD_VFC_PPR, AMD_VFC_PPR_BASE_MASK,
                       AMD_VFC_PPR_BASE_SHIFT, AMD_VFC_PPR, 0, 8, 1 },
    [AMD_RING_EVTB] = { AMD_VFC_EVTB_BASE, AMD_VFC_BASE_MASK, 0,
                        AMD_VFC_EVT, 4, AMD_VFC_EVT_DUAL_SHIFT, 2 },
    [AMD_RING_PPRB] = { AMD_VFC_PPRB_BASE, AMD_VFC_BASE_MASK, 0,
                        AMD_VFC_PPR, 4, AMD_VFC_PPR_DUAL_SHIFT, 2 },
};

static uint64_t base_of(AMDViommuRing ring, uint64_t reg)
{
    return (reg & rings[ring].base_mask) >> rings[ring].base_right;
}

static unsigned len_code_of(AMDViommuRing ring, uint64_t reg)
{
    return extract64(reg, rings[ring].len_shift, 4);
}

static bool enabled_in(AMDViommuRing ring, uint64_t reg)
{
    return extract64(reg, rings[ring].enable_shift, rings[ring].enable_width);
}

/* What the registers say */
static uint64_t ring_base(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return base_of(ring, amd_vfc(g, rings[ring].reg));
}

static unsigned ring_len_code(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return len_code_of(ring, amd_vfc(g, rings[ring].len_reg));
}

static bool ring_enabled(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return enabled_in(ring, amd_vfc(g, rings[ring].len_reg));
}

/*
 * What hardware works with: a ring that was switched off and still runs does
 * so with what the registers were before
 */
uint64_t amd_viommu_ring_reg(const AMDViommuGuest *g, unsigned reg)
{
    uint64_t kept = reg >= AMD_VFC_CMD && reg <= AMD_VFC_PPR ?
                    g->linger[(reg - AMD_VFC_CMD) / 8] : 0;

    return kept ?: amd_vfc(g, reg);
}

uint64_t amd_viommu_ring_base(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return base_of(ring, amd_viommu_ring_reg(g, rings[ring].reg));
}

uint32_t amd_viommu_ring_bytes(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return AMD_VIOMMU_ENTRY_SIZE <<
           len_code_of(ring, amd_viommu_ring_reg(g, rings[ring].len_reg));
}

static bool ring_works(const AMDViommuGuest *g, AMDViommuRing ring)
{
    return enabled_in(ring, amd_viommu_ring_reg(g, rings[ring].len_reg));
}

uint16_t amd_viommu_trans_devid(const AMDViommuGuest *g)
{
    return extract64(amd_vfc(g, AMD_VFC_MISC), AMD_VFC_MISC_TRANS_SHIFT, 16);
}

bool amd_viommu_any_ring_enabled(const AMDViommuGuest *g)
{
    return ring_works(g, AMD_RING_CMD) || ring_works(g, AMD_RING_EVT) ||
           ring_works(g, AMD_RING_PPR);
}

/* What must hold for a ring to be enabled, as far as registers go */
static bool ring_legal(AMDViommu *v, const AMDViommuGuest *g,
                       AMDViommuRing ring)
{
    uint64_t base = ring_base(g, ring);
    unsigned len = ring_len_code(g, ring);
    bool on = ring_enabled(g, ring);
    bool ok = true;

    if ((base || on) && len < AMD_VIOMMU_LEN_MIN) {
        amd_viommu_violation(v, AMD_VR_RING_LENGTH, g->gid, len);
        ok = false;
    }
    if (on && !base) {
        amd_viommu_violation(v, AMD_VR_RING_BASE, g->gid, ring);
        ok = false;
    }
    return ok;
}

/* What else must be in place at the moment a ring goes from off to on */
static bool ring_may_start(AMDViommu *v, AMDViommuGuest *g)
{
    uint64_t control = amd_iommu_control(v->iommu);

    if (!amd_viommu_on(v)) {
        amd_viommu_violation(v, AMD_VR_VIOMMU_OFF, g->gid, control);
        return false;
    }
    if (!(control & AMD_VIOMMU_CTRL_GST_BUF_TRP)) {
        amd_viommu_violation(v, AMD_VR_TRP_OFF, g->gid, control);
        return false;
    }
    if (!amd_viommu_check_trans(v, g)) {
        return false;
    }
    if (!amd_viommu_maps_present(v, g->gid)) {
        amd_viommu_violation(v, AMD_VR_MAP_LIVE_UNMAPPED, g->gid, 0);
    }
    return true;
}

/* Base and length of a running ring must stay: software disables it first */
static bool ring_changed_live(const AMDViommuGuest *old,
                              const AMDViommuGuest *g, AMDViommuRing ring)
{
    return ring_works(old, ring) && ring_enabled(g, ring) &&
           (amd_viommu_ring_base(old, ring) != ring_base(g, ring) ||
            amd_viommu_ring_bytes(old, ring) !=
            AMD_VIOMMU_ENTRY_SIZE << ring_len_code(g, ring));
}

static bool write_ring(AMDViommu *v, AMDViommuGuest *g,
                       const AMDViommuGuest *old)
{
    AMDViommuRing ring;

    if (extract64(amd_vfc(g, AMD_VFC_EVT), AMD_VFC_EVT_DUAL_SHIFT, 2) > 1 ||
        extract64(amd_vfc(g, AMD_VFC_PPR), AMD_VFC_PPR_DUAL_SHIFT, 2) > 1) {
        amd_viommu_violation(v, AMD_VR_DUAL_MODE, g->gid, 0);
        return false;
    }
    for (ring = AMD_RING_CMD; ring <= AMD_RING_PPRB; ring++) {
        if (ring_changed_live(old, g, ring)) {
            amd_viommu_violation(v, AMD_VR_RING_LIVE_CHANGE, g->gid, ring);
            return false;
        }
        /* The base of log B has a register of its own: judge it when on */
        if ((ring < AMD_RING_EVTB || ring_enabled(g, ring)) &&
            !ring_legal(v, g, ring)) {
            return false;
        }
        if (ring_enabled(g, ring) && !ring_enabled(old, ring) &&
            !ring_may_start(v, g)) {
            return false;
        }
    }
    return true;
}

/*
 * Hardware keeps guest registers in private memory [several]; which of them,
 * and where in the 64 bytes, is [chosen].
 */
static void write_backing(AMDViommu *v, AMDViommuGuest *g, unsigned reg)
{
    hwaddr pas = AMD_PAS_BACKING +
                 ((hwaddr)g->gid << AMD_PAS_BACKING_SHIFT) + reg;
    uint64_t le = cpu_to_le64(amd_vfc(g, reg));

    if (!amd_viommu_pas_rw(v, g->gid, pas, &le, sizeof(le), true)) {
        amd_viommu_violation(v, AMD_VR_PAS_BACKING, g->gid, pas);
        amd_viommu_event_hw_error(v, g->gid, AMD_HW_SRC_BACKING, pas);
    }
}

/* Knob: the base register of bare metal takes head and tail along */
static void reset_pointers(AMDViommuGuest *g, const AMDViommuGuest *old)
{
    static const unsigned head[] = {
        [AMD_RING_CMD] = AMD_VF_CMD_HEAD,
        [AMD_RING_EVT] = AMD_VF_EVT_HEAD,
        [AMD_RING_PPR] = AMD_VF_PPR_HEAD,
    };
    AMDViommuRing ring;

    for (ring = AMD_RING_CMD; ring <= AMD_RING_PPR; ring++) {
        if (ring_base(g, ring) != ring_base(old, ring) ||
            ring_len_code(g, ring) != ring_len_code(old, ring)) {
            *amd_vf(g, head[ring]) = 0;
            *amd_vf(g, head[ring] + 8) = 0;
        }
    }
}

static void write_reg(AMDViommu *v, AMDViommuGuest *g, unsigned reg,
                      uint64_t val)
{
    AMDViommuGuest old = *g;

    if (reg == AMD_VFC_DEV_MAP || reg == AMD_VFC_DOM_MAP) {
        amd_viommu_map_write(v, g, reg == AMD_VFC_DEV_MAP ? AMD_MAP_DEV :
                             AMD_MAP_DOM, val);
        /* Trigger reads as 0: the write is done [chosen] */
        g->vfc[reg / 8] = val & ~AMD_VFC_MAP_TRIGGER;
        return;
    }
    g->vfc[reg / 8] = val;
    if (reg == AMD_VFC_MISC && !val && amd_viommu_any_ring_enabled(g)) {
        amd_viommu_violation(v, AMD_VR_TRANS_LIVE_CLEAR, g->gid, old.vfc[2]);
    }
    if (reg != AMD_VFC_MISC && !write_ring(v, g, &old)) {
        g->vfc[reg / 8] = old.vfc[reg / 8];
        return;
    }
    if (reg == AMD_VFC_MISC && val && amd_viommu_any_ring_enabled(g)) {
        amd_viommu_check_trans(v, g);
    }
    write_backing(v, g, reg);
    if (reg == AMD_VFC_CMD && !(old.vfc[reg / 8] & AMD_VFC_CMD_EN)) {
        g->halted = false;
    }
    if (v->base_resets) {
        reset_pointers(g, &old);
    }
    amd_viommu_linger_update(v, g, &old, reg);
    amd_viommu_log_update(v, g, &old);
    amd_viommu_ring_run(v, g);
}

static AMDViommuGuest *decode(AMDViommu *v, hwaddr addr, unsigned size,
                              uint64_t val)
{
    uint16_t gid = addr >> AMD_VIOMMU_VFC_SHIFT;

    if (!v->vfc_enable) {
        amd_viommu_violation(v, AMD_VR_BAR_DISABLED, gid, addr);
        return NULL;
    }
    if (size != 8 || addr % 8) {
        amd_viommu_violation(v, AMD_VR_VFC_ACCESS, gid, addr);
        return NULL;
    }
    if (!gid) {
        amd_viommu_violation(v, AMD_VR_GID_ZERO, gid, addr);
        return NULL;
    }
    return amd_viommu_guest(v, gid);
}

static uint64_t vfc_read(void *opaque, hwaddr addr, unsigned size)
{
    AMDViommu *v = opaque;
    AMDViommuGuest *g = decode(v, addr, size, 0);
    uint64_t val;

    v->n.vfc_reads++;
    if (!v->vfc_enable || v->vfc_all_ones) {
        return UINT64_MAX;
    }
    val = g ? g->vfc[(addr % 64) / 8] : 0;
    if (g && addr % 64 == AMD_VFC_MISC) {
        val |= v->misc_extra & ~AMD_VFC_MISC_MASK;
    }
    trace_amd_viommu_vfc_read(addr >> AMD_VIOMMU_VFC_SHIFT, addr % 64, val);
    return val;
}

static void vfc_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    AMDViommu *v = opaque;
    uint64_t bad = val & ~reg_mask[(addr % 64) / 8];
    uint16_t gid = addr >> AMD_VIOMMU_VFC_SHIFT;
    AMDViommuGuest *g = decode(v, addr, size, val);

    /* Whether software writes back what it has read there is its choice */
    if (addr % 64 == AMD_VFC_MISC) {
        bad &= ~v->misc_extra;
        val &= AMD_VFC_MISC_MASK | bad;
    }
    v->n.vfc_writes++;
    trace_amd_viommu_vfc_write(gid, addr % 64, val);
    if (!gid || !v->vfc_enable || size != 8 || addr % 8) {
        return;
    }
    if (!g) {
        amd_viommu_violation(v, AMD_VR_NO_RESET, gid, addr);
        return;
    }
    if (bad) {
        amd_viommu_violation(v, AMD_VR_VFC_UNDEFINED_BIT, gid, bad);
        return;
    }
    if (g->unfenced) {
        amd_viommu_violation(v, AMD_VR_NO_WAIT, gid, addr);
    }
    write_reg(v, g, addr % 64, val);
}

const MemoryRegionOps amd_viommu_vfc_ops = {
    .read = vfc_read,
    .write = vfc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    /* All sizes arrive here, so that a wrong one is seen and not split */
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};
