/*
 * QTest for the AMD IOMMU (host-grade) with iommu-testdev: caches
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every case changes a table, sees that the old translation is still used,
 * gives a command, and sees whether the new one is. A case that expects the
 * old translation after the command shows that the command does not drop more
 * than it says.
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/qos-amd-iommu.h"

#define DOMID                   0x1234
#define IOVA                    0x7654321000ULL
#define PASID                   5

#define PROPS                   ",giosup=on,gcr3trpmode=on,gats=1,pasmax=15"
#define CTRL_GT                 (1ULL << 16)
#define CTRL_GCR3TRP            (1ULL << 58)

typedef struct Fixture {
    QAMDIOMMU *q;
    uint64_t host;
    uint64_t gcr3;
    uint64_t root;
    uint64_t old;
    uint64_t new;
    uint64_t pte;
    uint64_t dte[4];
} Fixture;

static void start(Fixture *f)
{
    f->q = qamd_start(PROPS, "");
    qamd_enable(f->q, CTRL_GT | CTRL_GCR3TRP);
    f->host = qamd_page(f->q);
    f->old = qamd_page(f->q);
    f->new = qamd_page(f->q);
}

static void start_host(Fixture *f)
{
    start(f);
    f->pte = qamd_map_host(f->q, f->host, 4, IOVA, f->old, 1, QAMD_PTE_RW);
    qamd_host_dte(f->dte, DOMID, f->host, 4);
    qamd_set_dte(f->q, f->dte);
    g_assert_true(qamd_dma(f->q, IOVA, f->old, 0));
}

static void start_nested(Fixture *f)
{
    uint64_t a;

    start(f);
    f->q->gpa_offset = QAMD_GPA_OFFSET;
    for (a = 0x10000000; a < 0x10200000; a += 0x1000) {
        qamd_map_host(f->q, f->host, 4, a + QAMD_GPA_OFFSET, a, 1,
                      QAMD_PTE_RW);
    }
    f->gcr3 = qamd_page(f->q);
    f->root = qamd_page(f->q);
    qamd_set_gcr3(f->q, f->gcr3, 0, PASID, f->root);
    f->pte = qamd_map_guest(f->q, f->root, 4, IOVA, f->old + QAMD_GPA_OFFSET,
                            1, QAMD_GPTE_RW);
    qamd_host_dte(f->dte, DOMID, f->host, 4);
    qamd_guest_dte(f->dte, f->gcr3 + QAMD_GPA_OFFSET, 0, false);
    qamd_set_dte(f->q, f->dte);
    g_assert_true(qamd_dma(f->q, IOVA, f->old, PASID));
}

static void remap_host(Fixture *f)
{
    qtest_writeq(f->q->qts, f->pte, f->new | QAMD_PTE_PR | QAMD_PTE_RW);
    g_assert_true(qamd_dma(f->q, IOVA, f->old, 0));
}

static void remap_guest(Fixture *f)
{
    qtest_writeq(f->q->qts, f->pte, (f->new + QAMD_GPA_OFFSET) |
                 QAMD_GPTE_P | QAMD_GPTE_RW);
    g_assert_true(qamd_dma(f->q, IOVA, f->old, PASID));
}

/*
 * INVALIDATE_IOMMU_PAGES and the TLB, table-driven
 */

typedef struct Case {
    const char *name;
    uint16_t domid;
    uint32_t pasid;
    uint64_t qword1;
    bool dropped;
} Case;

/* Address of a range of 2^n pages at @a, as the S bit wants it */
#define RANGE(a, n)             (((a) & ~((0x1000ULL << (n)) - 1)) |    \
                                 ((0x1000ULL << ((n) - 1)) - 0x1000) |  \
                                 QAMD_INV_S)
#define EVERYTHING              (QAMD_INV_ALL_ADDR | QAMD_INV_S)

static const Case host_cases[] = {
    { "page", DOMID, 0, IOVA, true },
    { "page-pde", DOMID, 0, IOVA | QAMD_INV_PDE, true },
    { "all-pages", DOMID, 0, EVERYTHING | QAMD_INV_PDE, true },
    { "range-2", DOMID, 0, RANGE(IOVA, 1), true },
    { "range-512", DOMID, 0, RANGE(IOVA, 9), true },
    { "other-page", DOMID, 0, IOVA + 0x1000, false },
    { "other-range", DOMID, 0, RANGE(IOVA + 0x200000, 9), false },
    { "other-domain", DOMID + 1, 0, EVERYTHING | QAMD_INV_PDE, false },
    { "gn-set", DOMID, 0, EVERYTHING | QAMD_INV_PDE | QAMD_INV_GN, false },
};

static void test_host(const void *data)
{
    const Case *c = data;
    Fixture f;

    start_host(&f);
    remap_host(&f);
    qamd_inv_pages(f.q, c->domid, c->pasid, c->qword1);
    g_assert_true(qamd_dma(f.q, IOVA, c->dropped ? f.new : f.old, 0));
    qamd_stop(f.q);
}

static const Case guest_cases[] = {
    { "page", DOMID, PASID, IOVA | QAMD_INV_GN, true },
    { "all-pages", DOMID, PASID, EVERYTHING | QAMD_INV_PDE | QAMD_INV_GN,
      true },
    { "range-512", DOMID, PASID, RANGE(IOVA, 9) | QAMD_INV_GN, true },
    { "other-page", DOMID, PASID, (IOVA + 0x1000) | QAMD_INV_GN, false },
    { "other-pasid", DOMID, PASID + 1,
      EVERYTHING | QAMD_INV_PDE | QAMD_INV_GN, false },
    { "other-domain", DOMID + 1, PASID,
      EVERYTHING | QAMD_INV_PDE | QAMD_INV_GN, false },
    { "host-level-all", DOMID, 0, EVERYTHING | QAMD_INV_PDE, true },
    { "host-level-gva", DOMID, 0, IOVA, false },
};

static void test_guest(const void *data)
{
    const Case *c = data;
    Fixture f;

    start_nested(&f);
    remap_guest(&f);
    qamd_inv_pages(f.q, c->domid, c->pasid, c->qword1);
    g_assert_true(qamd_dma(f.q, IOVA, c->dropped ? f.new : f.old, PASID));
    qamd_stop(f.q);
}

/* The host table under a guest translation changes: GN=0 with the GPA */
static void test_nested_host(const void *data)
{
    unsigned what = GPOINTER_TO_UINT(data);
    uint64_t gpa;
    Fixture f;

    start_nested(&f);
    gpa = f.old + QAMD_GPA_OFFSET;
    qamd_map_host(f.q, f.host, 4, gpa, f.new, 1, QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, PASID));
    switch (what) {
    case 0: /* guest level, which leaves the host translation of the GPA */
        qamd_inv_pages(f.q, DOMID, PASID,
                       EVERYTHING | QAMD_INV_PDE | QAMD_INV_GN);
        g_assert_true(qamd_dma(f.q, IOVA, f.old, PASID));
        break;
    case 1:
        qamd_inv_pages(f.q, DOMID, 0, gpa);
        g_assert_true(qamd_dma(f.q, IOVA, f.new, PASID));
        break;
    case 2:
        qamd_inv_pages(f.q, DOMID, 0, gpa + 0x1000);
        g_assert_true(qamd_dma(f.q, IOVA, f.old, PASID));
        break;
    }
    qamd_stop(f.q);
}

/*
 * Page-walk caches
 */

/* Replace the last table by one that maps to f->new */
static void test_host_pde(const void *data)
{
    bool pde = GPOINTER_TO_UINT(data);
    uint64_t table, at;
    Fixture f;

    start_host(&f);
    table = qamd_page(f.q);
    qtest_writeq(f.q->qts, table + extract64(IOVA, 12, 9) * 8,
                 f.new | QAMD_PTE_PR | QAMD_PTE_RW);
    at = qtest_readq(f.q->qts, f.host + extract64(IOVA, 39, 9) * 8);
    at = qtest_readq(f.q->qts, (at & GENMASK64(51, 12)) +
                     extract64(IOVA, 30, 9) * 8);
    at = (at & GENMASK64(51, 12)) + extract64(IOVA, 21, 9) * 8;
    qtest_writeq(f.q->qts, at, table | QAMD_PTE_PR | QAMD_PTE_NEXT(1) |
                 QAMD_PTE_RW);
    qamd_inv_pages(f.q, DOMID, 0, IOVA | (pde ? QAMD_INV_PDE : 0));
    g_assert_true(qamd_dma(f.q, IOVA, pde ? f.new : f.old, 0));
    qamd_stop(f.q);
}

/* Another page table for the same PASID */
static void test_gcr3(const void *data)
{
    unsigned what = GPOINTER_TO_UINT(data);
    uint64_t root;
    Fixture f;

    start_nested(&f);
    root = qamd_page(f.q);
    qamd_map_guest(f.q, root, 4, IOVA, f.new + QAMD_GPA_OFFSET, 1,
                   QAMD_GPTE_RW);
    qamd_set_gcr3(f.q, f.gcr3, 0, PASID, root);
    if (what) {
        qamd_inv_pages(f.q, DOMID, PASID, EVERYTHING | QAMD_INV_GN |
                       (what == 2 ? QAMD_INV_PDE : 0));
    }
    g_assert_true(qamd_dma(f.q, IOVA, what == 2 ? f.new : f.old, PASID));
    qamd_stop(f.q);
}

/*
 * Device table entries
 */

static void other_table(Fixture *f, uint16_t domid)
{
    uint64_t root = qamd_page(f->q);

    qamd_map_host(f->q, root, 4, IOVA, f->new, 1, QAMD_PTE_RW);
    qamd_host_dte(f->dte, domid, root, 4);
    qamd_set_dte(f->q, f->dte);
    g_assert_true(qamd_dma(f->q, IOVA, f->old, 0));
}

static void test_dte(void)
{
    Fixture f;

    start_host(&f);
    other_table(&f, DOMID + 1);
    qamd_inv_dte(f.q, f.q->devid);
    g_assert_true(qamd_dma(f.q, IOVA, f.new, 0));
    qamd_stop(f.q);
}

static void test_dte_other_device(void)
{
    Fixture f;

    start_host(&f);
    other_table(&f, DOMID + 1);
    qamd_inv_dte(f.q, f.q->devid + 8);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    qamd_stop(f.q);
}

/* The domain keeps its translations when only the DTE is dropped */
static void test_dte_same_domain(void)
{
    Fixture f;

    start_host(&f);
    other_table(&f, DOMID);
    qamd_inv_dte(f.q, f.q->devid);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    qamd_inv_pages(f.q, DOMID, 0, EVERYTHING | QAMD_INV_PDE);
    g_assert_true(qamd_dma(f.q, IOVA, f.new, 0));
    qamd_stop(f.q);
}

/* Pages are not DTEs */
static void test_dte_needs_devtab(void)
{
    Fixture f;

    start_host(&f);
    other_table(&f, DOMID + 1);
    qamd_inv_pages(f.q, DOMID, 0, EVERYTHING | QAMD_INV_PDE);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    qamd_stop(f.q);
}

static void test_dte_permission(void)
{
    Fixture f;

    start_host(&f);
    f.dte[0] &= ~QAMD_DTE0_IW;
    qamd_set_dte(f.q, f.dte);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    qamd_inv_dte(f.q, f.q->devid);
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    qamd_stop(f.q);
}

/* A DTE that was not valid is remembered, too */
static void test_dte_not_valid(void)
{
    Fixture f;

    start(&f);
    g_assert_true(qamd_dma(f.q, f.old, f.old, 0));
    qamd_host_dte(f.dte, DOMID, f.host, 4);
    qamd_set_dte(f.q, f.dte);
    g_assert_true(qamd_dma(f.q, f.old, f.old, 0));
    qamd_inv_dte(f.q, f.q->devid);
    g_assert_true(qamd_dma_fails(f.q, f.old, 0));
    qamd_stop(f.q);
}

/*
 * The rest
 */

static void test_all(void)
{
    Fixture f;

    start_host(&f);
    other_table(&f, DOMID);
    qamd_inv_all(f.q);
    g_assert_true(qamd_dma(f.q, IOVA, f.new, 0));
    qamd_stop(f.q);
}

/* Software may map without a flush: what is not there is not cached */
static void test_not_present(void)
{
    Fixture f;

    start_host(&f);
    g_assert_true(qamd_dma_fails(f.q, IOVA + 0x1000, 0));
    qamd_map_host(f.q, f.host, 4, IOVA + 0x1000, f.new, 1, QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, IOVA + 0x1000, f.new, 0));
    qamd_stop(f.q);
}

static void test_unmap(void)
{
    Fixture f;

    start_host(&f);
    qtest_writeq(f.q->qts, f.pte, 0);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    qamd_stop(f.q);
}

/*
 * The audit: it sees what no flush removed, without any DMA, and changes
 * nothing
 */

static void check_stale(Fixture *f, unsigned translations, unsigned dtes)
{
    g_assert_cmpuint(qamd_get(f->q, "stale-translations"), ==, translations);
    g_assert_cmpuint(qamd_get(f->q, "stale-dtes"), ==, dtes);
}

static void test_audit_host(void)
{
    Fixture f;

    start_host(&f);
    check_stale(&f, 0, 0);
    qtest_writeq(f.q->qts, f.pte, 0);
    check_stale(&f, 1, 0);
    check_stale(&f, 1, 0);
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    check_stale(&f, 0, 0);
    qamd_stop(f.q);
}

/* Less permission is a change, too */
static void test_audit_permission(void)
{
    Fixture f;

    start_host(&f);
    qtest_writeq(f.q->qts, f.pte, f.old | QAMD_PTE_PR | QAMD_PTE_IR);
    check_stale(&f, 1, 0);
    qamd_stop(f.q);
}

static void test_audit_nested(void)
{
    Fixture f;

    start_nested(&f);
    check_stale(&f, 0, 0);
    qtest_writeq(f.q->qts, f.pte, 0);
    check_stale(&f, 1, 0);
    qamd_inv_pages(f.q, DOMID, PASID, IOVA | QAMD_INV_GN);
    check_stale(&f, 0, 0);
    g_assert_true(qamd_dma_fails(f.q, IOVA, PASID));
    qamd_stop(f.q);
}

/* The host table below a guest: the guest translation and that of the GPA */
static void test_audit_nested_host(void)
{
    Fixture f;

    start_nested(&f);
    qamd_map_host(f.q, f.host, 4, f.old + QAMD_GPA_OFFSET, f.new, 1,
                  QAMD_PTE_RW);
    check_stale(&f, 2, 0);
    qamd_inv_pages(f.q, DOMID, 0, f.old + QAMD_GPA_OFFSET);
    check_stale(&f, 0, 0);
    qamd_stop(f.q);
}

/* A domain ID that no device has, with translations left */
static void test_audit_domain(void)
{
    const uint64_t dte[4] = { };
    Fixture f;

    start_host(&f);
    qamd_set_dte(f.q, dte);
    check_stale(&f, 0, 1);
    qamd_inv_dte(f.q, f.q->devid);
    check_stale(&f, 1, 0);
    qamd_inv_pages(f.q, DOMID, 0, EVERYTHING | QAMD_INV_PDE);
    check_stale(&f, 0, 0);
    qamd_stop(f.q);
}

/*
 * What stays wrong for long is a violation, without anybody asking
 */

#define TICK_NS                 10000000000LL

/* A completion wait after ten more seconds; violations by then */
static void check_after_tick(Fixture *f, uint64_t violations)
{
    qtest_clock_step(f->q->qts, TICK_NS);
    g_assert_true(qamd_wait(f->q));
    g_assert_cmpuint(qamd_get(f->q, "stat-violations"), ==, violations);
}

static void test_overdue_host(void)
{
    Fixture f;

    start_host(&f);
    check_after_tick(&f, 0);
    remap_host(&f);
    check_after_tick(&f, 0);
    check_after_tick(&f, 1);
    /* Once */
    check_after_tick(&f, 1);
    qamd_stop(f.q);
}

/* Flushed in between: nobody may complain */
static void test_overdue_flushed(void)
{
    unsigned i;
    Fixture f;

    start_host(&f);
    for (i = 0; i < 3; i++) {
        g_assert_true(qamd_dma(f.q, IOVA, i % 2 ? f.new : f.old, 0));
        qtest_writeq(f.q->qts, f.pte, (i % 2 ? f.old : f.new) |
                     QAMD_PTE_PR | QAMD_PTE_RW);
        check_after_tick(&f, 0);
        qamd_inv_pages(f.q, DOMID, 0, IOVA);
        g_assert_true(qamd_wait(f.q));
    }
    check_after_tick(&f, 0);
    qamd_stop(f.q);
}

static void test_overdue_dte(void)
{
    Fixture f;

    start_host(&f);
    f.dte[1]++;
    qamd_set_dte(f.q, f.dte);
    check_after_tick(&f, 0);
    check_after_tick(&f, 1);
    qamd_stop(f.q);
}

/* A guest that forgets its flush hurts nobody but itself */
static void test_overdue_guest(void)
{
    Fixture f;

    start_nested(&f);
    remap_guest(&f);
    check_after_tick(&f, 0);
    check_after_tick(&f, 0);
    check_after_tick(&f, 0);
    qamd_stop(f.q);
}

/* But the host is to blame for the stage below */
static void test_overdue_nested_host(void)
{
    Fixture f;

    start_nested(&f);
    qamd_map_host(f.q, f.host, 4, f.old + QAMD_GPA_OFFSET, f.new, 1,
                  QAMD_PTE_RW);
    check_after_tick(&f, 0);
    check_after_tick(&f, 1);
    qamd_stop(f.q);
}

/* Nobody uses the domain ID: to be flushed when it is used again */
static void test_overdue_detached(void)
{
    const uint64_t dte[4] = { };
    Fixture f;

    start_host(&f);
    qamd_set_dte(f.q, dte);
    qamd_inv_dte(f.q, f.q->devid);
    g_assert_true(qamd_wait(f.q));
    check_after_tick(&f, 0);
    check_after_tick(&f, 0);
    qamd_stop(f.q);
}

/* An invalidation, and no completion wait for seconds */
static void test_unwaited(void)
{
    Fixture f;

    start_host(&f);
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    qtest_clock_step(f.q->qts, 4000000000LL);
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    g_assert_cmpuint(qamd_get(f.q, "stat-violations"), ==, 0);
    qtest_clock_step(f.q->qts, 1001000000LL);
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    g_assert_cmpuint(qamd_get(f.q, "stat-violations"), ==, 1);
    g_assert_true(qamd_wait(f.q));
    qtest_clock_step(f.q->qts, 6000000000LL);
    g_assert_true(qamd_wait(f.q));
    g_assert_cmpuint(qamd_get(f.q, "stat-violations"), ==, 1);
    qamd_stop(f.q);
}

static void test_counters(void)
{
    uint64_t walks;
    Fixture f;

    start_host(&f);
    walks = qamd_get(f.q, "stat-host-walks");
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    g_assert_cmpuint(qamd_get(f.q, "stat-host-walks"), ==, walks);
    qamd_inv_pages(f.q, DOMID, 0, IOVA);
    g_assert_cmpuint(qamd_get(f.q, "stat-cmd-3"), ==, 1);
    g_assert_true(qamd_dma(f.q, IOVA, f.old, 0));
    g_assert_cmpuint(qamd_get(f.q, "stat-host-walks"), ==, walks + 1);
    qamd_stop(f.q);
}

/* The machine is reset: caches as after power-on */
static void test_reset(void)
{
    Fixture f;

    start_host(&f);
    qtest_system_reset(f.q->qts);
    g_assert_cmphex(qamd_reg(f.q, AMDVI_MMIO_CONTROL), ==, 0);
    qamd_stop(f.q);
}

static void add_cases(const char *dir, const Case *c, unsigned n,
                      void (*fn)(const void *))
{
    unsigned i;

    for (i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf(
            "/iommu-testdev/amd-inv/%s/%s", dir, c[i].name);

        qtest_add_data_func(path, &c[i], fn);
    }
}

static void add(const char *name, void (*fn)(void))
{
    g_autofree char *path = g_strdup_printf("/iommu-testdev/amd-inv/%s", name);

    qtest_add_func(path, fn);
}

static void add_n(const char *name, unsigned n, void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/iommu-testdev/amd-inv/%s", name);

    qtest_add_data_func(path, GUINT_TO_POINTER(n), fn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu") ||
        !qtest_has_device("iommu-testdev")) {
        return g_test_run();
    }

    add_cases("host", host_cases, ARRAY_SIZE(host_cases), test_host);
    add_cases("guest", guest_cases, ARRAY_SIZE(guest_cases), test_guest);
    add_n("nested/guest-level", 0, test_nested_host);
    add_n("nested/gpa", 1, test_nested_host);
    add_n("nested/other-gpa", 2, test_nested_host);
    add_n("pde/kept", 0, test_host_pde);
    add_n("pde/dropped", 1, test_host_pde);
    add_n("gcr3/none", 0, test_gcr3);
    add_n("gcr3/kept", 1, test_gcr3);
    add_n("gcr3/dropped", 2, test_gcr3);
    add("dte/dropped", test_dte);
    add("dte/other-device", test_dte_other_device);
    add("dte/same-domain", test_dte_same_domain);
    add("dte/needs-devtab", test_dte_needs_devtab);
    add("dte/permission", test_dte_permission);
    add("dte/not-valid", test_dte_not_valid);
    add("all", test_all);
    add("not-present", test_not_present);
    add("unmap", test_unmap);
    add("audit/host", test_audit_host);
    add("audit/permission", test_audit_permission);
    add("audit/nested", test_audit_nested);
    add("audit/nested-host", test_audit_nested_host);
    add("audit/domain", test_audit_domain);
    add("overdue/host", test_overdue_host);
    add("overdue/flushed", test_overdue_flushed);
    add("overdue/dte", test_overdue_dte);
    add("overdue/guest", test_overdue_guest);
    add("overdue/nested-host", test_overdue_nested_host);
    add("overdue/detached", test_overdue_detached);
    add("overdue/wait", test_unwaited);
    add("counters", test_counters);
    add("reset", test_reset);
    return g_test_run();
}
