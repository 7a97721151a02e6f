/*
 * AMD hardware vIOMMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * Overview
 * ========
 *
 * An AMD IOMMU with a vIOMMU executes the command ring of a guest's IOMMU
 * driver itself and writes the guest's event and PPR logs, so that a guest
 * with an assigned device invalidates without an exit. This is a model of that
 * hardware for the host side of it: a driver under test programs it as it
 * would program the real thing, and what real hardware leaves undefined is
 * counted, traced and, with strict=on, ends the run.
 *
 * It was written from public facts only, and never tried against silicon.
 * docs/specs/amd-viommu.rst says what is known, and lists what was chosen.
 *
 *   amd_viommu.c          this essay, windows, VF page, life of a guest
 *   amd_viommu_vfctrl.c   VFCtrl registers
 *   amd_viommu_cmd.c      control bits, RESET_VMMIO, completion waits
 *   amd_viommu_xlat.c     private and guest addresses; what is kept of them
 *   amd_viommu_map.c      DevID and DomID maps
 *   amd_viommu_trans.c    rules for the DTEs that hardware depends on
 *   amd_viommu_ring.c     guest command ring
 *   amd_viommu_linger.c   rings that go on when they have been switched off
 *   amd_viommu_log.c      guest event and PPR logs
 *   amd_viommu_intr.c     extended interrupt remapping
 *   amd_viommu_strict.c   violations, host events 0xB and 0xC
 *   amd_viommu_prop.c     properties, knobs, counters
 *
 * MMIO map
 * --------
 * A vendor-specific capability of the IOMMU's PCI function holds two bases.
 *
 *   VF_BAR  + gid * 0x1000   256 MiB  the guest's third register page: heads,
 *                                     tails, status. Mapped into the guest.
 *   VFC_BAR + gid * 0x40     4 MiB    VFCtrl: maps, translate device, ring
 *                                     bases and enables. Host only.
 *
 * Neither window has memory behind it: a guest ID costs something only from
 * its first RESET_VMMIO on.
 *
 * Life cycle
 * ----------
 * 1. The host gives the IOMMU a DTE of its own, with a v1 table for "private
 *    address space": 8 MiB of backing at 0, later two tables per guest.
 * 2. Control bit 60 (guest buffers are guest addresses), then 52 and 53.
 * 3. Per guest: tables mapped, RESET_VMMIO, completion wait, the maps filled
 *    by writes to VFCtrl 0x00 and 0x08.
 * 4. A device table slot without a device gets the guest's nesting parent: the
 *    translate device, named in VFCtrl 0x10.
 * 5. The guest's base and control writes arrive in VFCtrl 0x18 to 0x38.
 * 6. Devices: DTE with guest tables, vImuEn, guest ID and guest device ID.
 * 7. The guest writes its command tail in the VF page: hardware executes.
 * 8. Down again in reverse: rings off, RESET_VMMIO, DTEs, then the tables.
 *
 * Isolation
 * ---------
 * - A guest reaches one VF page. Its guest ID is the page's number, not a
 *   value that it could write.
 * - Every device or domain ID in its commands goes through its own maps, which
 *   only the host writes. No entry, no execution.
 * - Every address in its commands, and its rings, goes through the translate
 *   DTE, so to memory that the host gave it or nowhere. Only RAM is accepted:
 *   no guest can make hardware write registers.
 * - Its faults go to its own log; if that is full they are lost, not diverted.
 * - Work per doorbell is bounded by the ring size.
 *
 * Limits
 * ------
 * - Commands complete at once, but for what the knobs hold back.
 *   COMPLETION_WAIT is still demanded.
 * - Rings at fixed private addresses (control bit 60 clear) are refused.
 * - Devices of this machine send no page requests: the PPR log is filled by
 *   the property viommu-inject only.
 * - No secure vIOMMU, no GAPPI, no migration.
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "migration/blocker.h"
#include "hw/pci/pci.h"
#include "e820_memory_layout.h"
#include "amd_viommu.h"
#include "trace.h"

static const uint64_t vf_mask[AMD_VF_NR_REGS] = {
    [AMD_VF_CMD_HEAD / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_CMD_TAIL / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_EVT_HEAD / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_EVT_TAIL / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_PPR_HEAD / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_PPR_TAIL / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_PPRB_HEAD / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_PPRB_TAIL / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_EVTB_HEAD / 8] = AMD_VF_PTR_MASK,
    [AMD_VF_EVTB_TAIL / 8] = AMD_VF_PTR_MASK,
};

AMDViommuGuest *amd_viommu_guest(AMDViommu *v, uint16_t gid)
{
    return g_hash_table_lookup(v->guests, GUINT_TO_POINTER((guint)gid));
}

/* RESET_VMMIO: a new guest, or an old one with all its registers zero */
AMDViommuGuest *amd_viommu_guest_new(AMDViommu *v, uint16_t gid)
{
    AMDViommuGuest *g = amd_viommu_guest(v, gid);

    if (!g) {
        g = g_new0(AMDViommuGuest, 1);
        g_hash_table_insert(v->guests, GUINT_TO_POINTER((guint)gid), g);
    }
    g->gid = gid;
    g->halted = false;
    g->iotlb_until = 0;
    memset(g->linger, 0, sizeof(g->linger));
    memset(g->vfc, 0, sizeof(g->vfc));
    memset(g->vf, 0, sizeof(g->vf));
    return g;
}

/* The guest that owns the page at @addr, if the access may have an effect */
static AMDViommuGuest *vf_decode(AMDViommu *v, hwaddr addr, unsigned size)
{
    uint16_t gid = addr >> AMD_VIOMMU_VF_SHIFT;
    AMDViommuGuest *g = amd_viommu_guest(v, gid);

    if (!v->vf_enable) {
        amd_viommu_violation(v, AMD_VR_BAR_DISABLED, gid, addr);
    } else if (!gid) {
        amd_viommu_violation(v, AMD_VR_GID_ZERO, gid, addr);
    } else if (!g) {
        amd_viommu_violation(v, AMD_VR_VF_NO_GUEST, gid, addr);
    } else if ((size != 4 && size != 8) || addr % size) {
        amd_viommu_violation(v, AMD_VR_VF_ACCESS, gid, addr);
    } else {
        return g;
    }
    return NULL;
}

static uint64_t vf_read(void *opaque, hwaddr addr, unsigned size)
{
    AMDViommu *v = opaque;
    unsigned off = addr % AMDVI_PAGE_SIZE;
    AMDViommuGuest *g = vf_decode(v, addr, size);
    uint64_t val = 0;

    v->n.vf_reads++;
    if (!v->vf_enable || v->vf_all_ones) {
        return UINT64_MAX;
    }
    if (g && off / 8 < AMD_VF_NR_REGS) {
        val = g->vf[off / 8] >> (off % 8 * 8);
    }
    trace_amd_viommu_vf_read(addr >> AMD_VIOMMU_VF_SHIFT, off, val);
    return val;
}

static void vf_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    AMDViommu *v = opaque;
    unsigned off = addr % AMDVI_PAGE_SIZE;
    AMDViommuGuest *g = vf_decode(v, addr, size);

    v->n.vf_writes++;
    trace_amd_viommu_vf_write(addr >> AMD_VIOMMU_VF_SHIFT, off, val);
    /* All fields are in the low half: a write of the high one does nothing */
    if (!g || off / 8 >= AMD_VF_NR_REGS || off % 8) {
        return;
    }
    if (off == AMD_VF_STATUS) {
        g->vf[off / 8] &= ~(val & AMD_VF_ST_W1C);
        return;
    }
    g->vf[off / 8] = val & vf_mask[off / 8];
    if (off == AMD_VF_CMD_TAIL) {
        g->doorbells++;
        v->n.doorbells++;
    }
    if (off == AMD_VF_CMD_TAIL || off == AMD_VF_CMD_HEAD) {
        amd_viommu_ring_run(v, g);
    }
}

static const MemoryRegionOps vf_ops = {
    .read = vf_read,
    .write = vf_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void set_bar(AMDViommu *v, unsigned reg, uint64_t base, bool enable)
{
    uint8_t *vsc = v->iommu->pci->dev.config + v->vsc_offset;

    pci_set_long(vsc + reg, (uint32_t)base |
                 (enable ? AMD_VIOMMU_VSC_ENABLE : 0));
    pci_set_long(vsc + reg + 4, base >> 32);
}

/* Show the bases and their enable bits as the knobs have them */
void amd_viommu_update_vsc(AMDViommu *v)
{
    if (v->vsc_offset) {
        set_bar(v, AMD_VIOMMU_VSC_VF_LO, v->vf_base, v->vf_enable);
        set_bar(v, AMD_VIOMMU_VSC_VFC_LO, v->vfc_base, v->vfc_enable);
    }
}

static bool add_vsc(AMDViommu *v, Error **errp)
{
    PCIDevice *pdev = &v->iommu->pci->dev;
    int pos;

    if (!v->vsc_present) {
        return true;
    }
    pos = pci_add_capability(pdev, PCI_CAP_ID_VNDR, 0, AMD_VIOMMU_VSC_SIZE,
                             errp);
    if (pos < 0) {
        return false;
    }
    v->vsc_offset = pos;
    pci_set_byte(pdev->config + pos + PCI_CAP_FLAGS, AMD_VIOMMU_VSC_SIZE);
    pci_set_long(pdev->config + pos + AMD_VIOMMU_VSC_INFO,
                 AMD_VIOMMU_VSC_INFO_REV);
    amd_viommu_update_vsc(v);
    return true;
}

static void add_window(AMDViommu *v, MemoryRegion *mr, const char *name,
                       const MemoryRegionOps *ops, uint64_t base,
                       uint64_t size)
{
    memory_region_init_io(mr, OBJECT(v->iommu), ops, v, name, size);
    if (base) {
        memory_region_add_subregion(get_system_memory(), base, mr);
        /* Firmware keeps what it has placed there out of the OS's hands */
        e820_add_entry(base, size, E820_RESERVED);
    }
}

static void realize(AMDVIState *s, Error **errp)
{
    AMDViommu *v = s->viommu;

    if (!v->enabled) {
        return;
    }
    if (v->vf_base % AMD_VIOMMU_VF_SIZE || v->vfc_base % AMD_VIOMMU_VFC_SIZE) {
        error_setg(errp, "viommu-vf-base must be aligned to 256 MiB, "
                   "viommu-vfc-base to 4 MiB");
        return;
    }
    error_setg(&v->blocker, "The state of an AMD vIOMMU cannot be migrated");
    if (migrate_add_blocker(&v->blocker, errp) < 0 || !add_vsc(v, errp)) {
        return;
    }
    add_window(v, &v->vf_mr, "amd-viommu-vf", &vf_ops, v->vf_base,
               AMD_VIOMMU_VF_SIZE);
    add_window(v, &v->vfc_mr, "amd-viommu-vfctrl", &amd_viommu_vfc_ops,
               v->vfc_base, AMD_VIOMMU_VFC_SIZE);
    v->guests = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    v->unfenced = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                        NULL);
    v->cw_late = g_queue_new();
    v->owner[AMD_MAP_DEV] = g_new0(AMDViommuOwner, 64 * KiB);
    v->owner[AMD_MAP_DOM] = g_new0(AMDViommuOwner, 64 * KiB);
    amd_viommu_tlb_reset(v);
    amd_viommu_irq_flush(v);
    v->realized = true;
}

/* All guests are gone; counters and violations stay for whoever reads them */
static void reset(AMDVIState *s, bool surprise)
{
    AMDViommu *v = s->viommu;
    int map;

    if (!v->realized) {
        return;
    }
    trace_amd_viommu_reset(surprise);
    v->surprised = surprise;
    if (v->cw_timer) {
        timer_del(v->cw_timer);
    }
    g_queue_free_full(v->cw_late, g_free);
    v->cw_late = g_queue_new();
    amd_viommu_linger_reset(v);
    g_hash_table_remove_all(v->guests);
    g_hash_table_remove_all(v->unfenced);
    amd_viommu_tlb_reset(v);
    amd_viommu_irq_flush(v);
    for (map = AMD_MAP_DEV; map <= AMD_MAP_DOM; map++) {
        memset(v->owner[map], 0, 64 * KiB * sizeof(AMDViommuOwner));
    }
    v->audit_ms = 0;
}

static void instance_init(AMDVIState *s)
{
    AMDViommu *v = g_new0(AMDViommu, 1);

    v->iommu = s;
    v->vf_base = AMD_VIOMMU_VF_BASE_DEFAULT;
    v->vfc_base = AMD_VIOMMU_VFC_BASE_DEFAULT;
    v->vsc_present = true;
    v->vf_enable = true;
    v->vfc_enable = true;
    v->first_violation = -1;
    s->viommu = v;
    amd_viommu_add_properties(s);
}

static void instance_finalize(AMDVIState *s)
{
    AMDViommu *v = s->viommu;

    if (v->realized) {
        g_hash_table_destroy(v->guests);
        g_hash_table_destroy(v->unfenced);
        g_hash_table_destroy(v->tlb);
        g_hash_table_destroy(v->extir);
        g_queue_free_full(v->cw_late, g_free);
        g_free(v->owner[AMD_MAP_DEV]);
        g_free(v->owner[AMD_MAP_DOM]);
        timer_free(v->cw_timer);
        timer_free(v->ring_timer);
    }
    migrate_del_blocker(&v->blocker);
    g_free(v);
    s->viommu = NULL;
}

static uint64_t efr(AMDVIState *s)
{
    if (!s->viommu->enabled) {
        return 0;
    }
    return AMD_VIOMMU_EFR_SUP | (s->viommu->log_b ?
           AMD_VIOMMU_EFR_DUAL_EVT | AMD_VIOMMU_EFR_DUAL_PPR : 0);
}

static const AMDViommuOps ops = {
    .instance_init = instance_init,
    .instance_finalize = instance_finalize,
    .realize = realize,
    .reset = reset,
    .efr = efr,
    .control_write = amd_viommu_control_write,
    .control_changed = amd_viommu_control_changed,
    .command = amd_viommu_command,
    .guest_event = amd_viommu_guest_event,
    .guest_ppr = amd_viommu_guest_ppr,
    .inv = amd_viommu_inv,
};

static void register_viommu(void)
{
    amd_iommu_register_viommu(&ops);
}
type_init(register_viommu)
