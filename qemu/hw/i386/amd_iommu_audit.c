/*
 * AMD IOMMU, host-grade model: does a cache hold what memory no longer says?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A missing flush shows as stale data only if the device uses the address
 * again. What is here finds it without: every cached thing is looked up anew,
 * with empty caches and without setting accessed or dirty bits.
 *
 * Two properties do it when they are read. Software that flushes lazily has
 * stale entries in between; it has none after it waited for its flush.
 *
 *   stale-translations  TLB entries that a walk of today would not give, or
 *                       whose domain ID no device table entry has any more
 *   stale-dtes          cached device table entries that memory contradicts
 *
 * While the machine runs, completion waits do it now and then. What is found
 * wrong twice in that time was changed and never flushed: a violation. Only
 * what the host is to blame for counts there: its device table, and the host
 * stage of the domains that it has attached. The tables of a guest are not its
 * business, and a domain ID that nobody uses may be flushed when it is reused.
 */

#include "qemu/osdep.h"
#include "qapi/visitor.h"
#include "amd_iommu_int.h"
#include "trace.h"

/* Longer than a table of gigabytes takes to be torn down before its flush */
#define TICK_MS         10000

typedef struct Audit {
    AMDVIState *s;
    const AMDIOMMUTlbEntry *e;
    AMDIOMMUTag tag;
    hwaddr addr;
    bool host_only;
    bool attached;
    bool found;
} Audit;

/* Would this device get the translation? */
static void try_device(gpointer key, gpointer value, gpointer opaque)
{
    Audit *a = opaque;
    const AMDIOMMUTlbEntry *e = a->e;
    AMDIOMMUDte *dte = value;
    AMDIOMMUTlbEntry fresh = { };

    if (a->found || dte->fault != AMD_IOMMU_OK ||
        DTE1_DOMID(dte->q[1]) != e->tag.domid) {
        return;
    }
    a->attached = true;
    /* Mode 0 has no host stage that could change */
    if (a->host_only && !DTE0_MODE(dte->q[0])) {
        a->found = true;
        return;
    }
    if (!amd_iommu_walk_again(a->s, GPOINTER_TO_UINT(key), dte, a->tag,
                              a->addr, &fresh)) {
        return;
    }
    a->found = (fresh.out | (a->addr & fresh.mask)) ==
               (e->out | (a->addr & e->mask)) && !(e->perm & ~fresh.perm);
}

static bool entry_is_stale(AMDVIState *s, GHashTable *dtes, hwaddr addr,
                           const AMDIOMMUTlbEntry *e)
{
    Audit a = { .s = s, .e = e, .tag = e->tag, .addr = addr };

    g_hash_table_foreach(dtes, try_device, &a);
    if (!a.found) {
        trace_amd_iommu_stale(e->tag.domid, e->tag.pasid, addr, e->out);
    }
    return !a.found;
}

/* The host stage alone: for a guest translation, that of its GPA */
static bool host_stage_is_stale(AMDVIState *s, GHashTable *dtes, hwaddr addr,
                                const AMDIOMMUTlbEntry *e)
{
    bool guest = e->tag.pasid != AMD_IOMMU_PASID_NONE;
    Audit a = {
        .s = s, .e = e, .tag = { e->tag.domid, AMD_IOMMU_PASID_NONE },
        .addr = guest ? e->gpa : addr, .host_only = true,
    };

    g_hash_table_foreach(dtes, try_device, &a);
    return a.attached && !a.found;
}

/* Found wrong at two ticks: a violation, once */
static bool overdue(uint8_t *ticks, bool stale)
{
    *ticks = stale ? MIN(*ticks + 1, 3) : 0;
    return *ticks == 2;
}

/*
 * The walks must neither see nor change what is cached. Returns how many are
 * stale, or with @tick how many have become overdue.
 */
static uint64_t count_translations(AMDVIState *s, bool tick)
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
        n += tick ? overdue(&e->ticks, host_stage_is_stale(s, saved.dtes,
                                                           page, e)) :
                    entry_is_stale(s, saved.dtes, page, e);
    }
    amd_iommu_cache_finalize(m);
    *m = saved;
    return n;
}

static uint64_t count_dtes(AMDVIState *s, bool tick)
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
        bool stale = d->fault != now->fault ||
                     memcmp(d->q, now->q, sizeof(d->q));

        n += tick ? overdue(&d->ticks, stale) : stale;
    }
    m->stats = saved;
    return n;
}

/* A completion wait is done: nothing old should be left */
void amd_iommu_audit_tick(AMDVIState *s)
{
    AMDIOMMUModel *m = s->model;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
    uint64_t n;

    if (now - m->tick_ms < TICK_MS) {
        return;
    }
    m->tick_ms = now;
    n = count_dtes(s, true);
    if (n) {
        amd_iommu_violation(s, "%" PRIu64 " device table entries changed and "
                            "not flushed", n);
    }
    n = count_translations(s, true);
    if (n) {
        amd_iommu_violation(s, "%" PRIu64 " translations changed and not "
                            "flushed", n);
    }
}

static void get_stale(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    uint64_t (*count)(AMDVIState *, bool) = opaque;
    uint64_t n = s->model->tlb ? count(s, false) : 0;

    visit_type_uint64(v, name, &n, errp);
}

void amd_iommu_audit_init(Object *obj)
{
    object_property_add(obj, "stale-translations", "uint64", get_stale, NULL,
                        NULL, count_translations);
    object_property_add(obj, "stale-dtes", "uint64", get_stale, NULL, NULL,
                        count_dtes);
}
