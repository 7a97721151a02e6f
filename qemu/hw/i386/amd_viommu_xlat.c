/*
 * AMD hardware vIOMMU: the two translations that hardware does for itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Private addresses go through the IOMMU's own DTE, guest addresses of rings
 * and completion stores through the DTE of the translate device. Both are
 * host (v1) tables. What hardware has used once it keeps, tagged with the
 * domain ID of that DTE, until an invalidation of that domain drops it. So a
 * driver that changes a table without a flush gets the old page, as it would
 * from hardware. On top, and unlike hardware, every use of a kept translation
 * or DTE is compared with memory. A difference is a violation, but for guest
 * addresses: a guest may use its ring while the host is about to flush, so
 * there it must have lasted.
 */

#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/timer.h"
#include "system/dma.h"
#include "system/address-spaces.h"
#include "amd_viommu.h"
#include "trace.h"

#define TLB_MAX         8192
/* Longer than a table of gigabytes takes to be torn down before its flush */
#define STALE_LIMIT_MS  10000
#define BLAMED          INT64_MIN

typedef struct TlbEntry {
    uint64_t page;              /* page number | domain ID << 48: the key */
    hwaddr spa;
    uint16_t devid;
    IOMMUAccessFlags perm;
    int64_t stale_since;        /* ms, 0: true, or not yet seen otherwise */
} TlbEntry;

static uint64_t tlb_key(uint16_t domid, hwaddr addr)
{
    return (uint64_t)domid << 48 | extract64(addr, 12, 48);
}

static const MemTxAttrs ram_only = { .memory = 1 };

static bool read_ram(hwaddr addr, void *buf, unsigned len)
{
    return dma_memory_read(&address_space_memory, addr, buf, len,
                           ram_only) == MEMTX_OK;
}

/* The DTE as it is in memory now */
bool amd_viommu_read_dte(AMDViommu *v, uint16_t devid, uint64_t dte[4])
{
    AMDVIState *s = v->iommu;
    int i;

    if (devid >= s->devtab_len ||
        !read_ram(s->devtab + devid * AMDVI_DEVTAB_ENTRY_SIZE, dte,
                  AMDVI_DEVTAB_ENTRY_SIZE)) {
        return false;
    }
    for (i = 0; i < 4; i++) {
        dte[i] = le64_to_cpu(dte[i]);
    }
    return true;
}

/* The DTE as cached; says so when memory has another one by now */
bool amd_viommu_get_dte(AMDViommu *v, uint16_t gid, uint16_t devid,
                        uint64_t dte[4])
{
    uint64_t now[4];

    if (amd_iommu_dte_get(v->iommu, devid, dte) != AMD_IOMMU_OK) {
        return false;
    }
    if (amd_viommu_read_dte(v, devid, now) && memcmp(now, dte, sizeof(now))) {
        amd_viommu_violation(v, AMD_VR_DTE_STALE, gid, devid);
    }
    return true;
}

/*
 * What the tables in memory say now, past every cache. No permissions: the
 * question is only whether a kept translation is still the true one.
 */
static bool walk_now(const uint64_t dte[4], hwaddr addr, hwaddr *spa)
{
    uint64_t entry = dte[0];
    unsigned level = extract64(dte[0], 9, 3);
    unsigned next = level;
    uint64_t size;

    if (level == 0 || level > 6 || addr > PT_LEVEL_MAX_ADDR(level)) {
        return false;
    }
    while (level) {
        if (!read_ram(NEXT_PTE_ADDR(entry, level, addr), &entry, 8)) {
            return false;
        }
        entry = le64_to_cpu(entry);
        next = PTE_NEXT_LEVEL(entry);
        if (!IOMMU_PTE_PRESENT(entry) || (next >= level && next != 7)) {
            return false;
        }
        if (next == 0 || next == 7) {
            break;
        }
        if (addr & (PT_LEVEL_MAX_ADDR(level - 1) & ~PT_LEVEL_MAX_ADDR(next))) {
            return false;
        }
        level = next;
    }
    /* The flags above the address are no part of the size */
    size = next == 7 ? PTE_LARGE_PAGE_SIZE(entry & AMDVI_DEV_PT_ROOT_MASK) :
                       PTE_LEVEL_PAGE_SIZE(level);
    *spa = ((entry & AMDVI_DEV_PT_ROOT_MASK & ~(size - 1)) |
            (addr & (size - 1))) & AMDVI_PAGE_MASK_4K;
    return true;
}

static bool entry_is_current(AMDViommu *v, const TlbEntry *e)
{
    uint64_t dte[4];
    hwaddr spa;

    if (amd_iommu_dte_get(v->iommu, e->devid, dte) != AMD_IOMMU_OK ||
        extract64(dte[1], 0, 16) != extract64(e->page, 48, 16)) {
        return false;
    }
    return walk_now(dte, (e->page & MAKE_64BIT_MASK(0, 48)) << 12, &spa) &&
           spa == e->spa;
}

/*
 * Whether it is no longer true. Between a change of a table and its flush that
 * is normal; an entry that stays so is blamed, once.
 */
static bool check_stale(AMDViommu *v, TlbEntry *e, int64_t now)
{
    bool pas = e->devid == amd_viommu_own_devid(v);

    if (entry_is_current(v, e)) {
        e->stale_since = 0;
        return false;
    }
    if (!e->stale_since) {
        e->stale_since = MAX(now, 1);
    } else if (e->stale_since != BLAMED &&
               now - e->stale_since >= STALE_LIMIT_MS) {
        e->stale_since = BLAMED;
        amd_viommu_violation(v, pas ? AMD_VR_PAS_FREE : AMD_VR_GPA_STALE, 0,
                             e->page << 12);
    }
    return true;
}

static TlbEntry *tlb_get(AMDViommu *v, uint16_t gid, uint16_t devid,
                         const uint64_t dte[4], hwaddr addr,
                         IOMMUAccessFlags access)
{
    bool pas = devid == amd_viommu_own_devid(v);
    uint64_t key = tlb_key(dte[1], addr);
    TlbEntry *e = g_hash_table_lookup(v->tlb, &key);
    AMDIOMMUXlat x;

    if (e) {
        if (pas && !entry_is_current(v, e)) {
            amd_viommu_violation(v, AMD_VR_PAS_STALE, gid, addr);
        } else if (!pas) {
            check_stale(v, e, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL));
        }
        pas ? v->n.pas_hits++ : v->n.gpa_hits++;
        return e->perm & access ? e : NULL;
    }
    if (pas) {
        amd_viommu_check_fence(v, gid, AMD_FENCE_PAGE(extract64(dte[1], 0, 16),
                                                      addr));
    }
    pas ? v->n.pas_walks++ : v->n.gpa_walks++;
    if (!amd_iommu_host_translate(v->iommu, devid, addr, access, &x)) {
        return NULL;
    }
    if (g_hash_table_size(v->tlb) >= TLB_MAX) {
        g_hash_table_remove_all(v->tlb);
    }
    e = g_new0(TlbEntry, 1);
    e->page = key;
    e->spa = x.addr & AMDVI_PAGE_MASK_4K;
    e->devid = devid;
    e->perm = x.perm;
    g_hash_table_insert(v->tlb, &e->page, e);
    return e;
}

static bool rw(AMDViommu *v, uint16_t gid, uint16_t devid,
               const uint64_t dte[4], hwaddr addr, void *buf, unsigned len,
               bool write)
{
    while (len) {
        unsigned n = MIN(len, AMDVI_PAGE_SIZE - (addr & ~AMDVI_PAGE_MASK_4K));
        TlbEntry *e = tlb_get(v, gid, devid, dte, addr,
                              write ? IOMMU_WO : IOMMU_RO);

        /* RAM only: a store into a register window would recurse */
        if (!e || dma_memory_rw(&address_space_memory,
                                e->spa | (addr & ~AMDVI_PAGE_MASK_4K), buf, n,
                                write ? DMA_DIRECTION_FROM_DEVICE :
                                        DMA_DIRECTION_TO_DEVICE, ram_only)) {
            return false;
        }
        addr += n;
        buf += n;
        len -= n;
    }
    return true;
}

bool amd_viommu_pas_rw(AMDViommu *v, uint16_t gid, hwaddr pas, void *buf,
                       unsigned len, bool write)
{
    uint16_t devid = amd_viommu_own_devid(v);
    uint64_t dte[4];

    if (!amd_viommu_get_dte(v, gid, devid, dte) ||
        !(dte[0] & AMDVI_DEV_TRANSLATION_VALID)) {
        return false;
    }
    amd_viommu_check_fence(v, gid, AMD_FENCE_DEV(devid));
    return rw(v, gid, devid, dte, pas, buf, len, write);
}

/* Whether the tables in memory map @pas, without any effect */
bool amd_viommu_pas_mapped(AMDViommu *v, hwaddr pas)
{
    uint64_t dte[4];
    hwaddr spa;

    return amd_iommu_dte_get(v->iommu, amd_viommu_own_devid(v), dte) ==
           AMD_IOMMU_OK && (dte[0] & AMDVI_DEV_TRANSLATION_VALID) &&
           walk_now(dte, pas, &spa);
}

bool amd_viommu_gpa_rw(AMDViommu *v, AMDViommuGuest *g, hwaddr gpa, void *buf,
                       unsigned len, bool write)
{
    uint16_t devid = amd_viommu_trans_devid(g);
    uint64_t dte[4];

    if (!devid || !amd_viommu_get_dte(v, g->gid, devid, dte) ||
        !(dte[0] & AMDVI_DEV_TRANSLATION_VALID)) {
        return false;
    }
    return rw(v, g->gid, devid, dte, gpa, buf, len, write);
}

void amd_viommu_tlb_reset(AMDViommu *v)
{
    if (!v->tlb) {
        v->tlb = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                       g_free);
    }
    g_hash_table_remove_all(v->tlb);
}

/*
 * Drop the translations of @domid in the range; a @size of 0 is everything.
 * One that was wrong may still be used until the command is waited for; for
 * the others the flush was none of their business, so nobody has to wait.
 */
void amd_viommu_tlb_flush(AMDViommu *v, int domid, hwaddr addr, hwaddr size)
{
    GHashTableIter iter;
    TlbEntry *e;

    g_hash_table_iter_init(&iter, v->tlb);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&e)) {
        hwaddr page = (e->page & MAKE_64BIT_MASK(0, 48)) << 12;

        if (extract64(e->page, 48, 16) == domid &&
            (!size || (page >= addr && page - addr < size))) {
            if (!entry_is_current(v, e)) {
                amd_viommu_fence(v, AMD_FENCE_PAGE(domid, page));
            }
            g_hash_table_iter_remove(&iter);
        }
    }
}

/* Count the kept translations that are no longer true */
unsigned amd_viommu_tlb_audit(AMDViommu *v, int64_t now)
{
    GHashTableIter iter;
    TlbEntry *e;
    unsigned stale = 0;

    g_hash_table_iter_init(&iter, v->tlb);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&e)) {
        stale += check_stale(v, e, now);
    }
    return stale;
}
