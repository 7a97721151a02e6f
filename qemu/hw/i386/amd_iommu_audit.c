/*
 * AMD IOMMU, host-grade model: does a cache hold what memory no longer says?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A missing flush shows as stale data only if the device uses the address
 * again. The properties here find it without: every cached thing is looked up
 * anew, with empty caches and without setting accessed or dirty bits.
 *
 *   stale-translations  TLB entries that a walk of today would not give, or
 *                       whose domain ID no device table entry has any more
 *   stale-dtes          cached device table entries that memory contradicts
 *
 * Software that flushes lazily has stale entries in between; it has none after
 * it waited for its flush.
 */

#include "qemu/osdep.h"
#include "qapi/visitor.h"
#include "amd_iommu_int.h"
#include "trace.h"

typedef struct Audit {
    AMDVIState *s;
    const AMDIOMMUTlbEntry *e;
    hwaddr addr;
    bool found;
} Audit;

/* Would this device get the translation? */
static void try_device(gpointer key, gpointer value, gpointer opaque)
{
    Audit *a = opaque;
    const AMDIOMMUTlbEntry *e = a->e;
    AMDIOMMUTlbEntry fresh = { };

    if (a->found ||
        !amd_iommu_walk_again(a->s, GPOINTER_TO_UINT(key), value, e->tag,
                              a->addr, &fresh)) {
        return;
    }
    a->found = (fresh.out | (a->addr & fresh.mask)) ==
               (e->out | (a->addr & e->mask)) && !(e->perm & ~fresh.perm);
}

static bool is_stale(AMDVIState *s, GHashTable *dtes, hwaddr addr,
                     const AMDIOMMUTlbEntry *e)
{
    Audit a = { .s = s, .e = e, .addr = addr };

    g_hash_table_foreach(dtes, try_device, &a);
    if (!a.found) {
        trace_amd_iommu_stale(e->tag.domid, e->tag.pasid, addr, e->out);
    }
    return !a.found;
}

/* The walks must neither see nor change what is cached */
static uint64_t count_translations(AMDVIState *s)
{
    AMDIOMMUModel *m = s->model;
    AMDIOMMUModel saved = *m;
    AMDIOMMUTlbEntry *e;
    GHashTableIter it;
    uint64_t n = 0;
    hwaddr page;
    gpointer key;

    amd_iommu_cache_init(m);
    g_hash_table_iter_init(&it, saved.tlb);
    while (g_hash_table_iter_next(&it, &key, (gpointer *)&e)) {
        page = amd_iommu_tlb_page(key);
        amd_iommu_cache_reset(m);
        n += is_stale(s, saved.dtes, page, e);
    }
    amd_iommu_cache_finalize(m);
    *m = saved;
    return n;
}

static uint64_t count_dtes(AMDVIState *s)
{
    AMDIOMMUModel *m = s->model;
    AMDIOMMUStats saved = m->stats;
    GHashTableIter it;
    AMDIOMMUDte *d;
    uint64_t n = 0;
    gpointer key;

    g_hash_table_iter_init(&it, m->dtes);
    while (g_hash_table_iter_next(&it, &key, (gpointer *)&d)) {
        g_autofree AMDIOMMUDte *now =
            amd_iommu_dte_read(s, GPOINTER_TO_UINT(key));

        n += d->fault != now->fault || memcmp(d->q, now->q, sizeof(d->q));
    }
    m->stats = saved;
    return n;
}

static void get_stale(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    uint64_t (*count)(AMDVIState *) = opaque;
    uint64_t n = s->model->tlb ? count(s) : 0;

    visit_type_uint64(v, name, &n, errp);
}

void amd_iommu_audit_init(Object *obj)
{
    object_property_add(obj, "stale-translations", "uint64", get_stale, NULL,
                        NULL, count_translations);
    object_property_add(obj, "stale-dtes", "uint64", get_stale, NULL, NULL,
                        count_dtes);
}
