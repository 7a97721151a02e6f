/*
 * AMD IOMMU, host-grade model: what the hardware remembers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Four caches. Nothing is dropped from them but by the command that hardware
 * needs for it, by reset, or when one is full, so software that forgets a
 * flush gets the old translation:
 *
 *   cache    tagged by             dropped by
 *   DTEs     device ID             INVALIDATE_DEVTAB_ENTRY
 *   TLB      DomID, PASID or host  INVALIDATE_IOMMU_PAGES that hits the page
 *   PDEs     DomID, PASID or host  the same, with PDE set
 *   GCR3     device, DomID, PASID  the same with GN and PDE set,
 *                                  or INVALIDATE_DEVTAB_ENTRY
 *
 * and all of them by INVALIDATE_IOMMU_ALL. The TLB is tagged by domain, not by
 * device: two devices with one domain ID and different tables see each
 * other's translations, as they do on hardware.
 *
 * A guest translation in the TLB remembers the GPA that it goes through; an
 * invalidation of host translations (GN=0) of its domain drops it when the GPA
 * is in the range. Failures are never cached, except for entries of the device
 * table.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "system/dma.h"
#include "amd_iommu_int.h"
#include "trace.h"

#define TLB_MAX         8192
#define PDE_MAX         4096
#define GCR3_MAX        1024

typedef struct CacheKey {
    uint64_t addr;
    uint32_t pasid;
    uint16_t domid;
    uint16_t extra;
} CacheKey;

static guint key_hash(gconstpointer p)
{
    const CacheKey *k = p;
    uint64_t h = k->addr * 0x9e3779b97f4a7c15ULL;

    h ^= ((uint64_t)k->pasid << 32 | (uint32_t)k->domid << 16 | k->extra) *
         0xff51afd7ed558ccdULL;
    return h ^ (h >> 32);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    const CacheKey *k = a, *l = b;

    return k->addr == l->addr && k->pasid == l->pasid &&
           k->domid == l->domid && k->extra == l->extra;
}

static CacheKey make_key(AMDIOMMUTag tag, uint64_t addr, uint16_t extra)
{
    return (CacheKey) {
        .addr = addr, .pasid = tag.pasid, .domid = tag.domid, .extra = extra,
    };
}

/* A full cache forgets all: any order of eviction is allowed */
static void insert(GHashTable *t, unsigned max, CacheKey key, void *value)
{
    if (g_hash_table_size(t) >= max) {
        g_hash_table_remove_all(t);
    }
    g_hash_table_replace(t, g_memdup2(&key, sizeof(key)), value);
}

static GHashTable *new_table(void)
{
    return g_hash_table_new_full(key_hash, key_equal, g_free, g_free);
}

void amd_iommu_cache_init(AMDIOMMUModel *m)
{
    m->dtes = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    m->tlb = new_table();
    m->pdes = new_table();
    m->gcr3s = new_table();
}

void amd_iommu_cache_finalize(AMDIOMMUModel *m)
{
    g_hash_table_destroy(m->dtes);
    g_hash_table_destroy(m->tlb);
    g_hash_table_destroy(m->pdes);
    g_hash_table_destroy(m->gcr3s);
}

void amd_iommu_cache_reset(AMDIOMMUModel *m)
{
    g_hash_table_remove_all(m->dtes);
    g_hash_table_remove_all(m->tlb);
    g_hash_table_remove_all(m->pdes);
    g_hash_table_remove_all(m->gcr3s);
}

/*
 * Device table entries
 */

/* Number of host table levels that EFR.HATS allows */
static unsigned host_levels(AMDVIState *s)
{
    return s->cfg.hats + 4;
}

static bool dte_reserved_bits(AMDVIState *s, const uint64_t *q)
{
    uint64_t res3 = AMDVI_DTE_QUAD3_RESERVED;

    if (!(amd_iommu_reg(s, AMDVI_MMIO_EXT_FEATURES) &
          AMD_IOMMU_EFR_VIOMMUSUP)) {
        res3 |= GENMASK64(47, 15);
    }
    return (q[0] & AMDVI_DTE_QUAD0_RESERVED) ||
           (q[1] & AMDVI_DTE_QUAD1_RESERVED) ||
           (q[2] & AMDVI_DTE_QUAD2_RESERVED) || (q[3] & res3) ||
           (DTE0_HAD(q[0]) && !s->cfg.had) || DTE0_HAD(q[0]) == 2;
}

/* Combinations that no software may use. Irrelevant fields are not looked at */
static bool dte_illegal(AMDVIState *s, const uint64_t *q)
{
    if (!(q[0] & DTE0_V)) {
        return false;
    }
    if (dte_reserved_bits(s, q)) {
        return true;
    }
    if (!(q[0] & DTE0_TV)) {
        return false;
    }
    if (DTE0_MODE(q[0]) > host_levels(s)) {
        return true;
    }
    if ((q[0] & DTE0_GIOV) && !s->cfg.gio) {
        return true;
    }
    if ((q[0] & DTE0_GV) &&
        (!s->cfg.gt || DTE0_GLX(q[0]) > s->cfg.glx ||
         DTE2_GPM(q[2]) > 1 || DTE2_GPM(q[2]) > s->cfg.gats)) {
        return true;
    }
    return q[3] & AMD_IOMMU_DTE3_VIMUEN && !AMD_IOMMU_DTE3_GUESTID(q[3]);
}

AMDIOMMUDte *amd_iommu_dte_read(AMDVIState *s, uint16_t devid)
{
    AMDIOMMUDte *d = g_new0(AMDIOMMUDte, 1);
    hwaddr addr = s->devtab + devid * AMDVI_DEVTAB_ENTRY_SIZE;
    unsigned i;

    s->model->stats.dte_reads++;
    if (devid >= s->devtab_len) {
        d->fault = AMD_IOMMU_NO_DTE;
        return d;
    }
    if (dma_memory_read(&address_space_memory, addr, d->q, sizeof(d->q),
                        MEMTXATTRS_UNSPECIFIED)) {
        d->fault = AMD_IOMMU_DTE_HW;
        return d;
    }
    for (i = 0; i < 4; i++) {
        d->q[i] = le64_to_cpu(d->q[i]);
    }
    if (!(d->q[0] & DTE0_V)) {
        d->fault = AMD_IOMMU_DTE_NOT_VALID;
    } else if (dte_illegal(s, d->q)) {
        d->fault = AMD_IOMMU_DTE_ILLEGAL;
    }
    trace_amd_iommu_dte(devid, d->fault, d->q[0], d->q[1], d->q[2], d->q[3]);
    return d;
}

AMDIOMMUDte *amd_iommu_cache_dte(AMDVIState *s, uint16_t devid)
{
    GHashTable *t = s->model->dtes;
    AMDIOMMUDte *d = g_hash_table_lookup(t, GUINT_TO_POINTER(devid));

    if (!d) {
        d = amd_iommu_dte_read(s, devid);
        g_hash_table_insert(t, GUINT_TO_POINTER(devid), d);
    }
    return d;
}

/*
 * Translations
 */

const AMDIOMMUTlbEntry *amd_iommu_tlb_lookup(AMDIOMMUModel *m,
                                             AMDIOMMUTag tag, hwaddr addr)
{
    CacheKey key = make_key(tag, addr >> AMDVI_PAGE_SHIFT, 0);
    const AMDIOMMUTlbEntry *e = g_hash_table_lookup(m->tlb, &key);

    if (e) {
        m->stats.tlb_hits++;
    } else {
        m->stats.tlb_misses++;
    }
    return e;
}

hwaddr amd_iommu_tlb_page(gconstpointer key)
{
    return ((const CacheKey *)key)->addr << AMDVI_PAGE_SHIFT;
}

/* One entry per 4 KiB page that was used, whatever the size of the mapping */
void amd_iommu_tlb_insert(AMDIOMMUModel *m, const AMDIOMMUTlbEntry *e,
                          hwaddr addr)
{
    insert(m->tlb, TLB_MAX, make_key(e->tag, addr >> AMDVI_PAGE_SHIFT, 0),
           g_memdup2(e, sizeof(*e)));
}

/* Addresses that one table of @level translates */
static unsigned table_shift(unsigned level)
{
    return MIN(PT_LEVEL_SHIFT(level + 1), 63);
}

/* The lowest cached table for @addr below the one of level @top */
const AMDIOMMUPde *amd_iommu_pde_lookup(AMDIOMMUModel *m, AMDIOMMUTag tag,
                                        hwaddr addr, unsigned top)
{
    unsigned level;

    for (level = 1; level < top; level++) {
        CacheKey key = make_key(tag, addr >> table_shift(level), level);
        const AMDIOMMUPde *pde = g_hash_table_lookup(m->pdes, &key);

        if (pde) {
            return pde;
        }
    }
    return NULL;
}

void amd_iommu_pde_insert(AMDIOMMUModel *m, const AMDIOMMUPde *pde)
{
    AMDIOMMUPde *copy = g_memdup2(pde, sizeof(*pde));
    unsigned shift = table_shift(pde->level);

    copy->mask = (1ULL << shift) - 1;
    copy->in &= ~copy->mask;
    insert(m->pdes, PDE_MAX,
           make_key(pde->tag, pde->in >> shift, pde->level), copy);
}

bool amd_iommu_gcr3_lookup(AMDIOMMUModel *m, uint16_t devid, AMDIOMMUTag tag,
                           uint64_t *cr3)
{
    CacheKey key = make_key(tag, devid, 0);
    const AMDIOMMUGcr3 *g = g_hash_table_lookup(m->gcr3s, &key);

    if (g) {
        *cr3 = g->cr3;
    }
    return g;
}

void amd_iommu_gcr3_insert(AMDIOMMUModel *m, uint16_t devid, AMDIOMMUTag tag,
                           uint64_t cr3)
{
    AMDIOMMUGcr3 g = { .tag = tag, .devid = devid, .cr3 = cr3 };

    insert(m->gcr3s, GCR3_MAX, make_key(tag, devid, 0),
           g_memdup2(&g, sizeof(g)));
}

/*
 * Invalidation
 */

static gboolean gcr3_of_device(gpointer key, gpointer value, gpointer opaque)
{
    const AMDIOMMUGcr3 *g = value;

    return g->devid == *(uint16_t *)opaque;
}

/* Leaves the TLB and the page-walk caches: they belong to domains */
void amd_iommu_inv_devtab(AMDVIState *s, uint16_t devid)
{
    g_hash_table_remove(s->model->dtes, GUINT_TO_POINTER(devid));
    g_hash_table_foreach_remove(s->model->gcr3s, gcr3_of_device, &devid);
}

static bool in_range(const AMDIOMMUInvPages *inv, hwaddr base, hwaddr mask)
{
    if (!inv->size) {
        return true;
    }
    return base <= inv->addr + (inv->size - 1) && inv->addr <= (base | mask);
}

static gboolean tlb_hit(gpointer key, gpointer value, gpointer opaque)
{
    const AMDIOMMUInvPages *inv = opaque;
    const AMDIOMMUTlbEntry *e = value;
    bool guest = e->tag.pasid != AMD_IOMMU_PASID_NONE;

    if (e->tag.domid != inv->domid) {
        return false;
    }
    if (inv->gn) {
        return e->tag.pasid == inv->pasid && in_range(inv, e->in, e->mask);
    }
    return in_range(inv, guest ? e->gpa : e->in, e->mask);
}

/* Guest tables are cached by their GPA, so GN=0 leaves them */
static gboolean pde_hit(gpointer key, gpointer value, gpointer opaque)
{
    const AMDIOMMUInvPages *inv = opaque;
    const AMDIOMMUPde *p = value;

    return p->tag.domid == inv->domid &&
           p->tag.pasid == (inv->gn ? inv->pasid : AMD_IOMMU_PASID_NONE) &&
           in_range(inv, p->in, p->mask);
}

static gboolean gcr3_hit(gpointer key, gpointer value, gpointer opaque)
{
    const AMDIOMMUInvPages *inv = opaque;
    const AMDIOMMUGcr3 *g = value;

    return g->tag.domid == inv->domid && g->tag.pasid == inv->pasid;
}

/* Leaves the DTEs, other domains, other PASIDs, and tables unless @pde */
void amd_iommu_inv_pages(AMDVIState *s, const AMDIOMMUInvPages *inv)
{
    AMDIOMMUModel *m = s->model;

    g_hash_table_foreach_remove(m->tlb, tlb_hit, (gpointer)inv);
    if (inv->pde) {
        g_hash_table_foreach_remove(m->pdes, pde_hit, (gpointer)inv);
    }
    /* The root of a guest is an upper level of all of its addresses */
    if (inv->pde && inv->gn) {
        g_hash_table_foreach_remove(m->gcr3s, gcr3_hit, (gpointer)inv);
    }
    trace_amd_iommu_inv_pages(inv->domid, inv->gn, inv->pasid, inv->pde,
                              inv->addr, inv->size);
}

static gboolean tlb_of_domain(gpointer key, gpointer value, gpointer opaque)
{
    return ((AMDIOMMUTlbEntry *)value)->tag.domid == *(uint16_t *)opaque;
}

static gboolean pde_of_domain(gpointer key, gpointer value, gpointer opaque)
{
    return ((AMDIOMMUPde *)value)->tag.domid == *(uint16_t *)opaque;
}

static gboolean gcr3_of_domain(gpointer key, gpointer value, gpointer opaque)
{
    return ((AMDIOMMUGcr3 *)value)->tag.domid == *(uint16_t *)opaque;
}

void amd_iommu_inv_domain(AMDVIState *s, uint16_t domid)
{
    g_hash_table_foreach_remove(s->model->tlb, tlb_of_domain, &domid);
    g_hash_table_foreach_remove(s->model->pdes, pde_of_domain, &domid);
    g_hash_table_foreach_remove(s->model->gcr3s, gcr3_of_domain, &domid);
}

/* No device model of this machine caches translations of the AMD IOMMU */
void amd_iommu_inv_iotlb(AMDVIState *s, uint16_t devid, hwaddr addr,
                         uint64_t size)
{
    trace_amd_iommu_inv_iotlb(devid, addr, size);
}

/* Leaves the DTE, which holds the address of the table */
void amd_iommu_inv_intr_table(AMDVIState *s, uint16_t devid)
{
    amdvi_intremap_inval_notify_all(s, true, 0, 0);
}

void amd_iommu_inv_all(AMDVIState *s)
{
    amd_iommu_cache_reset(s->model);
    amdvi_intremap_inval_notify_all(s, true, 0, 0);
}
