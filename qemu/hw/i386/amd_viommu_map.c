/*
 * AMD hardware vIOMMU: the DevID and DomID maps of the guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A map is a table in private address space, one per guest, that software
 * provides zeroed and hardware alone reads and writes: software goes through
 * VFCtrl 0x00 and 0x08. The entry format is this model's own [chosen]: bit 0
 * valid, bits 29:14 the host ID, as in the register, but for that of a DevID
 * entry, which is in bits 39:24 [once].
 *
 * Beside the tables the model keeps who can reach which host ID, to notice
 * when a host ID of one guest becomes reachable by another.
 */

#include "qemu/osdep.h"
#include "amd_viommu.h"
#include "trace.h"

static const struct {
    hwaddr base;
    unsigned shift;
    unsigned entry;
    unsigned id_shift;
    unsigned source;
    AMDViommuReason cross;
} maps[] = {
    [AMD_MAP_DEV] = { AMD_PAS_DEVMAP, AMD_PAS_DEVMAP_SHIFT,
                      AMD_PAS_DEVMAP_ENTRY, AMD_MAP_DEV_ENTRY_ID_SHIFT,
                      AMD_HW_SRC_DEVMAP, AMD_VR_HDEV_CROSS },
    [AMD_MAP_DOM] = { AMD_PAS_DOMMAP, AMD_PAS_DOMMAP_SHIFT,
                      AMD_PAS_DOMMAP_ENTRY, AMD_MAP_DOM_ENTRY_ID_SHIFT,
                      AMD_HW_SRC_DOMMAP, AMD_VR_HDOM_CROSS },
};

static hwaddr entry_pas(AMDViommuMap map, uint16_t gid, uint16_t id)
{
    return maps[map].base + ((hwaddr)gid << maps[map].shift) +
           (hwaddr)id * maps[map].entry;
}

/* Only the low quadword of an entry is used; the rest stays as it is */
static bool entry_rw(AMDViommu *v, uint16_t gid, AMDViommuMap map,
                     uint16_t id, uint64_t *entry, bool write)
{
    uint64_t le = cpu_to_le64(*entry);

    if (!amd_viommu_pas_rw(v, gid, entry_pas(map, gid, id), &le, sizeof(le),
                           write)) {
        return false;
    }
    *entry = le64_to_cpu(le);
    return true;
}

static bool entry_decode(AMDViommuMap map, uint64_t entry, uint16_t *hid)
{
    *hid = extract64(entry, maps[map].id_shift, 16);
    return entry & AMD_MAP_ENTRY_VALID;
}

static void release(AMDViommu *v, AMDViommuMap map, uint16_t gid, uint16_t hid)
{
    AMDViommuOwner *o = &v->owner[map][hid];

    /* The old entry may be anything: a guest's memory is not to be trusted */
    if (o->gid == gid && o->refs) {
        o->refs--;
    }
}

static void claim(AMDViommu *v, AMDViommuMap map, uint16_t gid, uint16_t hid)
{
    AMDViommuOwner *o = &v->owner[map][hid];

    /* An owner whose table is gone from private memory cannot use it */
    if (o->refs && o->gid != gid &&
        amd_viommu_pas_mapped(v, entry_pas(map, o->gid, 0))) {
        amd_viommu_violation(v, maps[map].cross, gid, hid);
    }
    if (o->gid != gid) {
        o->gid = gid;
        o->refs = 0;
    }
    o->refs++;
}

/* A domain ID that the host itself translates with, hence not the guest's */
static bool shared_with_host(AMDViommu *v, AMDViommuGuest *g, uint16_t hdom)
{
    uint16_t ids[] = { amd_viommu_own_devid(v), amd_viommu_trans_devid(g) };
    uint64_t dte[4];
    int i;

    for (i = 0; i < ARRAY_SIZE(ids); i++) {
        if (ids[i] &&
            amd_iommu_dte_get(v->iommu, ids[i], dte) == AMD_IOMMU_OK &&
            extract64(dte[1], 0, 16) == hdom) {
            return true;
        }
    }
    return false;
}

static bool map_write_allowed(AMDViommu *v, AMDViommuGuest *g, uint64_t val)
{
    if (!(val & AMD_VFC_MAP_TRIGGER)) {
        amd_viommu_violation(v, AMD_VR_MAP_NO_TRIGGER, g->gid, val);
        return false;
    }
    if (!(val & AMD_VFC_MAP_VALID)) {
        amd_viommu_violation(v, AMD_VR_MAP_NOT_VALID, g->gid, val);
        return false;
    }
    if (!amd_viommu_on(v)) {
        amd_viommu_violation(v, AMD_VR_VIOMMU_OFF, g->gid, val);
        return false;
    }
    return true;
}

void amd_viommu_map_write(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                          uint64_t val)
{
    uint16_t hid = extract64(val, AMD_VFC_MAP_HID_SHIFT, 16);
    uint16_t id = extract64(val, AMD_VFC_MAP_GID_SHIFT, 16);
    uint64_t old = 0, entry;
    uint16_t old_hid;

    if (!map_write_allowed(v, g, val)) {
        return;
    }
    trace_amd_viommu_map_write(g->gid, map, id, hid);
    v->n.map_writes[map]++;
    /* All known software "clears" by writing host ID 0; hardware maps to 0 */
    v->n.map_clears[map] += hid == 0;
    entry = AMD_MAP_ENTRY_VALID | (uint64_t)hid << maps[map].id_shift;
    if (!entry_rw(v, g->gid, map, id, &old, false) ||
        !entry_rw(v, g->gid, map, id, &entry, true)) {
        amd_viommu_violation(v, AMD_VR_MAP_PAS_UNMAPPED, g->gid,
                             entry_pas(map, g->gid, id));
        amd_viommu_event_hw_error(v, g->gid, maps[map].source,
                                  entry_pas(map, g->gid, id));
        return;
    }
    if (entry_decode(map, old, &old_hid) && old_hid) {
        release(v, map, g->gid, old_hid);
    }
    if (!hid) {
        return;
    }
    claim(v, map, g->gid, hid);
    if (map == AMD_MAP_DOM && shared_with_host(v, g, hid)) {
        amd_viommu_violation(v, AMD_VR_HDOM_SHARED, g->gid, hid);
    }
}

/* What the map says, for a check of the model's own: nobody is to blame */
bool amd_viommu_map_peek(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                         uint16_t id, uint16_t *hid)
{
    uint64_t entry = 0;

    return entry_rw(v, g->gid, map, id, &entry, false) &&
           entry_decode(map, entry, hid);
}

/* Substitute a guest ID in a command of this guest */
bool amd_viommu_map_lookup(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                           uint16_t id, uint16_t *hid)
{
    bool dom = map == AMD_MAP_DOM;
    uint64_t entry = 0;

    if (!entry_rw(v, g->gid, map, id, &entry, false)) {
        amd_viommu_violation(v, AMD_VR_MAP_LIVE_UNMAPPED, g->gid,
                             entry_pas(map, g->gid, id));
        amd_viommu_event_hw_error(v, g->gid, maps[map].source,
                                  entry_pas(map, g->gid, id));
        return false;
    }
    if (!entry_decode(map, entry, hid)) {
        amd_viommu_violation(v, dom ? AMD_VR_GDOM_UNMAPPED :
                             AMD_VR_GDEV_UNMAPPED, g->gid, id);
        return false;
    }
    trace_amd_viommu_map_lookup(g->gid, map, id, *hid);
    if (dom && (!*hid || shared_with_host(v, g, *hid))) {
        amd_viommu_violation(v, AMD_VR_HDOM_SHARED, g->gid, *hid);
    } else if (!dom && !*hid) {
        amd_viommu_violation(v, AMD_VR_HDEV_ALIAS, g->gid, id);
    }
    return true;
}

/*
 * Which of its domains a guest knows as @hdom; events carry the guest's ID.
 * The first one found: several may share a host ID.
 */
bool amd_viommu_map_reverse(AMDViommu *v, AMDViommuGuest *g, uint16_t hdom,
                            uint16_t *gdom)
{
    uint64_t table[AMDVI_PAGE_SIZE / AMD_PAS_DOMMAP_ENTRY];
    unsigned first, i;
    uint16_t hid;

    for (first = 0; first < 0x10000; first += ARRAY_SIZE(table)) {
        if (!amd_viommu_pas_rw(v, g->gid,
                               entry_pas(AMD_MAP_DOM, g->gid, first), table,
                               sizeof(table), false)) {
            continue;
        }
        for (i = 0; i < ARRAY_SIZE(table); i++) {
            if (entry_decode(AMD_MAP_DOM, le64_to_cpu(table[i]), &hid) &&
                hid == hdom) {
                *gdom = first + i;
                return true;
            }
        }
    }
    return false;
}

/* Both ends of both tables are mapped: what a running ring depends on */
bool amd_viommu_maps_present(AMDViommu *v, uint16_t gid)
{
    int map;

    for (map = AMD_MAP_DEV; map <= AMD_MAP_DOM; map++) {
        if (!amd_viommu_pas_mapped(v, entry_pas(map, gid, 0)) ||
            !amd_viommu_pas_mapped(v, entry_pas(map, gid, 0xffff))) {
            return false;
        }
    }
    return true;
}

/* The guest ID starts anew: it reaches no host ID any more */
void amd_viommu_map_forget(AMDViommu *v, uint16_t gid)
{
    int map, i;

    for (map = AMD_MAP_DEV; map <= AMD_MAP_DOM; map++) {
        for (i = 0; i < 0x10000; i++) {
            if (v->owner[map][i].gid == gid) {
                v->owner[map][i] = (AMDViommuOwner) {};
            }
        }
    }
}
