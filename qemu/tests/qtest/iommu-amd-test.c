/*
 * QTest for the AMD IOMMU (host-grade) with iommu-testdev: translation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/qos-amd-iommu.h"

#define DOMID                   0x1234
#define IOVA                    0x10203568ULL
#define IOVA_PAGE               (IOVA & ~0xfffULL)
#define OFFSET                  (IOVA & 0xfff)

#define EVF_GN                  (1ULL << 48)
#define EVF_US                  (1ULL << 50)
#define EVF_PR                  (1ULL << 52)
#define EVF_RW                  (1ULL << 53)
#define EVF_PE                  (1ULL << 54)
#define EVF_RZ                  (1ULL << 55)
#define EVF_ALL                 MAKE_64BIT_MASK(48, 9)

/* One event of a failed write, with this code, these flags and this address */
static void check_event(QAMDIOMMU *q, unsigned code, uint64_t flags,
                        uint64_t addr)
{
    uint64_t evt[2];

    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, code);
    g_assert_cmphex(QAMD_EVT_DEVID(evt), ==, q->devid);
    g_assert_cmphex(evt[0] & EVF_ALL, ==, flags);
    g_assert_cmphex(evt[1], ==, addr);
    g_assert_false(qamd_event(q, evt));
}

static void check_page_fault(QAMDIOMMU *q, uint64_t flags, uint64_t addr)
{
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    check_event(q, 2, flags | EVF_RW, addr);
}

/*
 * Without tables
 */

static void test_disabled(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t page = qamd_page(q);

    g_assert_true(qamd_dma(q, page, page, 0));
    qamd_stop(q);
}

static void test_not_valid(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t page = qamd_page(q);

    qamd_enable(q, 0);
    g_assert_true(qamd_dma(q, page, page, 0));
    qamd_stop(q);
}

static void test_mode0(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t page = qamd_page(q), dte[4];

    qamd_enable(q, 0);
    qamd_host_dte(dte, DOMID, 0, 0);
    qamd_set_dte(q, dte);
    g_assert_true(qamd_dma(q, page, page, 0));
    qamd_stop(q);
}

static void test_mode0_no_write(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t dte[4];

    qamd_enable(q, 0);
    qamd_host_dte(dte, DOMID, 0, 0);
    dte[0] &= ~QAMD_DTE0_IW;
    qamd_set_dte(q, dte);
    check_page_fault(q, EVF_PR | EVF_PE, IOVA);
    qamd_stop(q);
}

static void test_tv0(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    const uint64_t dte[4] = { QAMD_DTE0_V };

    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    check_page_fault(q, 0, IOVA);
    qamd_stop(q);
}

/* An access that QEMU splits is one request and makes one event */
static void test_one_event(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    const uint64_t dte[4] = { QAMD_DTE0_V | QAMD_DTE0_TV };
    uint64_t evt[2];

    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    g_assert_true(qamd_dma_fails(q, IOVA + 1, 0));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[1], ==, IOVA + 1);
    g_assert_false(qamd_event(q, evt));
    qamd_stop(q);
}

/* A device on another bus: its bus number is part of every ID */
static void test_bus(void)
{
    QAMDIOMMU *q = qamd_start_behind_bridge("");
    const uint64_t dte[4] = { QAMD_DTE0_V | QAMD_DTE0_TV };

    g_assert_cmphex(q->devid >> 8, ==, 1);
    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    check_page_fault(q, EVF_PR | EVF_PE, IOVA);
    qamd_stop(q);
}

/*
 * Illegal device table entries
 */

typedef struct IllegalDte {
    const char *name;
    const char *props;
    uint64_t dte[4];
} IllegalDte;

#define V_TV                    (QAMD_DTE0_V | QAMD_DTE0_TV)

static const IllegalDte illegal_dtes[] = {
    { "reserved-q0", "", { V_TV | 1ULL << 2 } },
    { "reserved-q2", "", { V_TV, 0, 1ULL << 52 } },
    { "reserved-q3", "", { V_TV, 0, 0, 1ULL << 0 } },
    { "no-viommu", "", { V_TV, 0, 0, 1ULL << 15 | 1ULL << 32 } },
    { "had-unsupported", "", { V_TV | 1ULL << 7 } },
    { "had-2", ",hadsup=on", { V_TV | 2ULL << 7 } },
    { "mode-7", "", { V_TV | QAMD_DTE0_MODE(7) } },
    { "mode-over-hats", ",hats=0", { V_TV | QAMD_DTE0_MODE(5) } },
    { "giov-unsupported", "", { V_TV | QAMD_DTE0_GIOV } },
    { "gv-unsupported", ",gt=off", { V_TV | QAMD_DTE0_GV } },
    { "glx-unsupported", ",glxsup=1",
      { V_TV | QAMD_DTE0_GV | QAMD_DTE0_GLX(2) } },
    { "5-level-unsupported", ",gats=0",
      { V_TV | QAMD_DTE0_GV, 0, QAMD_DTE2_5LEVEL } },
};

static void test_illegal_dte(const void *data)
{
    const IllegalDte *t = data;
    QAMDIOMMU *q = qamd_start(t->props, "");
    uint64_t evt[2];

    qamd_enable(q, 0);
    qamd_set_dte(q, t->dte);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 1);
    g_assert_cmphex(QAMD_EVT_DEVID(evt), ==, q->devid);
    g_assert_cmphex(evt[1], ==, IOVA);
    qamd_stop(q);
}

static void test_dte_unreadable(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t table = 0x7f00000000ULL, evt[2];

    qamd_enable(q, 0);
    qamd_set_reg(q, AMDVI_MMIO_DEVICE_TABLE, table);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 3);
    g_assert_cmphex(evt[1], ==, table + q->devid * 32);
    qamd_stop(q);
}

/*
 * Host tables
 */

typedef struct Fixture {
    QAMDIOMMU *q;
    uint64_t root;
    uint64_t target;
    uint64_t dte[4];
} Fixture;

static void start_host(Fixture *f, const char *props, unsigned mode)
{
    f->q = qamd_start(props, "");
    qamd_enable(f->q, 0);
    f->root = qamd_page(f->q);
    f->target = qamd_page(f->q);
    qamd_host_dte(f->dte, DOMID, f->root, mode);
    qamd_set_dte(f->q, f->dte);
}

static void test_host_mode(const void *data)
{
    unsigned mode = GPOINTER_TO_UINT(data);
    uint64_t iova = mode == 1 ? IOVA & 0x1fffff : IOVA;
    Fixture f;

    start_host(&f, "", mode);
    qamd_map_host(f.q, f.root, mode, iova & ~0xfffULL, f.target, 1,
                  QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, iova, f.target + OFFSET, 0));
    qamd_stop(f.q);
}

static void test_host_large(const void *data)
{
    unsigned level = GPOINTER_TO_UINT(data);
    uint64_t size = 1ULL << (12 + 9 * (level - 1));
    uint64_t iova = 0x5540000000ULL + 0x1568;
    Fixture f;

    start_host(&f, "", 4);
    /* RAM begins at 0; the page of the device's choice is inside it */
    qamd_map_host(f.q, f.root, 4, iova & ~(size - 1), 0, level, QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, iova, iova & (size - 1), 0));
    qamd_stop(f.q);
}

/* NextLevel 7: 64 KiB, given by four address bits below the first zero */
static void test_host_odd_size(void)
{
    Fixture f;

    start_host(&f, "", 3);
    f.target = 0x1f0000;
    qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target | 0x7000, 1,
                  QAMD_PTE_RW | QAMD_PTE_NEXT(7));
    g_assert_true(qamd_dma(f.q, IOVA, f.target | (IOVA & 0xffff), 0));
    qamd_stop(f.q);
}

/* The root points past two levels */
static void skip_levels(Fixture *f, uint64_t iova)
{
    uint64_t leaf;

    start_host(f, "", 4);
    leaf = qamd_page(f->q);
    qtest_writeq(f->q->qts, f->root, leaf | QAMD_PTE_PR | QAMD_PTE_NEXT(1) |
                 QAMD_PTE_RW);
    qtest_writeq(f->q->qts, leaf + extract64(iova, 12, 9) * 8,
                 f->target | QAMD_PTE_PR | QAMD_PTE_RW);
}

static void test_host_skip(void)
{
    Fixture f;

    skip_levels(&f, 0x3568);
    g_assert_true(qamd_dma(f.q, 0x3568, f.target + 0x568, 0));
    qamd_stop(f.q);
}

static void test_host_skip_bits(void)
{
    Fixture f;

    skip_levels(&f, IOVA);
    check_page_fault(f.q, 0, IOVA);
    qamd_stop(f.q);
}

static void test_host_not_present(void)
{
    uint64_t evt[2];
    Fixture f;

    start_host(&f, "", 3);
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    g_assert_true(qamd_event(f.q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 2);
    g_assert_cmphex(QAMD_EVT_DOMID(evt), ==, DOMID);
    g_assert_cmphex(evt[0] & EVF_ALL, ==, EVF_RW);
    g_assert_cmphex(evt[1], ==, IOVA);
    qamd_stop(f.q);
}

static void test_host_read_only(void)
{
    Fixture f;

    start_host(&f, "", 3);
    qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target, 1, QAMD_PTE_IR);
    check_page_fault(f.q, EVF_PR | EVF_PE, IOVA);
    qamd_stop(f.q);
}

/* The permissions of all levels count */
static void test_host_upper_read_only(void)
{
    uint64_t e;
    Fixture f;

    start_host(&f, "", 3);
    qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target, 1, QAMD_PTE_RW);
    e = qtest_readq(f.q->qts, f.root + extract64(IOVA, 30, 9) * 8);
    qtest_writeq(f.q->qts, f.root + extract64(IOVA, 30, 9) * 8,
                 e & ~QAMD_PTE_IW);
    check_page_fault(f.q, EVF_PR | EVF_PE, IOVA);
    qamd_stop(f.q);
}

static void test_host_dte_read_only(void)
{
    Fixture f;

    start_host(&f, "", 3);
    qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target, 1, QAMD_PTE_RW);
    f.dte[0] &= ~QAMD_DTE0_IW;
    qamd_set_dte(f.q, f.dte);
    check_page_fault(f.q, EVF_PR | EVF_PE, IOVA);
    qamd_stop(f.q);
}

static void test_host_beyond(void)
{
    Fixture f;

    start_host(&f, "", 1);
    check_page_fault(f.q, 0, IOVA);
    qamd_stop(f.q);
}

/* A table entry that names its own level */
static void test_host_bad_level(void)
{
    Fixture f;

    start_host(&f, "", 3);
    qamd_map_host(f.q, f.root, 3, IOVA_PAGE & ~0x3fffffffULL, f.target, 3,
                  QAMD_PTE_RW | QAMD_PTE_NEXT(3));
    check_page_fault(f.q, EVF_PR | EVF_RZ, IOVA);
    qamd_stop(f.q);
}

static void test_host_table_unreadable(void)
{
    uint64_t table = 0x7f00000000ULL;
    Fixture f;

    start_host(&f, "", 3);
    qtest_writeq(f.q->qts, f.root + extract64(IOVA, 30, 9) * 8,
                 table | QAMD_PTE_PR | QAMD_PTE_NEXT(2) | QAMD_PTE_RW);
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    check_event(f.q, 4, EVF_RW, table + extract64(IOVA, 21, 9) * 8);
    qamd_stop(f.q);
}

static void test_host_dirty(void)
{
    uint64_t pte;
    Fixture f;

    start_host(&f, ",hadsup=on", 3);
    f.dte[0] |= 3ULL << 7;
    qamd_set_dte(f.q, f.dte);
    pte = qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target, 1, QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, IOVA, f.target + OFFSET, 0));
    g_assert_cmphex(qtest_readq(f.q->qts, pte) & (QAMD_PTE_A | QAMD_PTE_D),
                    ==, QAMD_PTE_A | QAMD_PTE_D);
    qamd_stop(f.q);
}

static void test_host_not_dirty(void)
{
    uint64_t pte;
    Fixture f;

    start_host(&f, "", 3);
    pte = qamd_map_host(f.q, f.root, 3, IOVA_PAGE, f.target, 1, QAMD_PTE_RW);
    g_assert_true(qamd_dma(f.q, IOVA, f.target + OFFSET, 0));
    g_assert_cmphex(qtest_readq(f.q->qts, pte) & (QAMD_PTE_A | QAMD_PTE_D),
                    ==, 0);
    qamd_stop(f.q);
}

/* DTE[SA]: no page faults; DTE[SE]: only the first */
static void test_suppress(const void *data)
{
    unsigned want = GPOINTER_TO_UINT(data);
    uint64_t evt[2];
    Fixture f;

    start_host(&f, "", 3);
    f.dte[1] |= want ? QAMD_DTE1_SE : QAMD_DTE1_SA;
    qamd_set_dte(f.q, f.dte);
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    g_assert_true(qamd_dma_fails(f.q, IOVA, 0));
    g_assert_true(qamd_event(f.q, evt) == want);
    g_assert_false(qamd_event(f.q, evt));
    qamd_stop(f.q);
}

/*
 * Guest tables, alone and nested
 */

#define GVA                     0x7654321568ULL
#define GVA_PAGE                (GVA & ~0xfffULL)

#define GUEST_PROPS             ",giosup=on,gcr3trpmode=on,gats=1,pasmax=15," \
                                "glxsup=2"
#define CTRL_GT                 (1ULL << 16)
#define CTRL_GCR3TRP            (1ULL << 58)

typedef struct Guest {
    QAMDIOMMU *q;
    uint64_t host;              /* root of the host table, 0: mode 0 */
    uint64_t gcr3;              /* SPA */
    uint64_t root;              /* SPA */
    uint64_t target;            /* SPA */
    uint64_t dte[4];
    unsigned levels;
} Guest;

/* All memory of the test, at GPA_OFFSET, by 2 MiB pages */
static void map_memory(Guest *g)
{
    uint64_t a;

    for (a = 0; a < 0x20000000; a += 0x200000) {
        qamd_map_host(g->q, g->host, 4, a + QAMD_GPA_OFFSET, a, 2,
                      QAMD_PTE_RW);
    }
}

static void start_guest(Guest *g, bool nested, bool trp, unsigned glx,
                        unsigned levels)
{
    g->q = qamd_start(GUEST_PROPS, "");
    qamd_enable(g->q, CTRL_GT | (trp ? CTRL_GCR3TRP : 0));
    g->levels = levels;
    g->host = 0;
    if (nested) {
        g->host = qamd_page(g->q);
        g->q->gpa_offset = QAMD_GPA_OFFSET;
        map_memory(g);
    }
    g->gcr3 = qamd_page(g->q);
    g->root = qamd_page(g->q);
    g->target = qamd_page(g->q);
    qamd_host_dte(g->dte, DOMID, g->host, nested ? 4 : 0);
    qamd_guest_dte(g->dte, g->gcr3 + (trp ? g->q->gpa_offset : 0), glx,
                   levels == 5);
    qamd_set_dte(g->q, g->dte);
}

static uint64_t map_gva(Guest *g)
{
    return qamd_map_guest(g->q, g->root, g->levels, GVA_PAGE,
                          g->target + g->q->gpa_offset, 1, QAMD_GPTE_RW);
}

typedef struct GuestCase {
    const char *name;
    bool nested;
    bool trp;
    unsigned glx;
    unsigned levels;
    uint32_t pasid;
} GuestCase;

static const GuestCase guest_cases[] = {
    { "v2/4-level", false, false, 0, 4, 0 },
    { "v2/5-level", false, false, 0, 5, 0 },
    { "v2/pasid", false, false, 0, 4, 0x5a },
    { "v2/glx1", false, false, 1, 4, 0x5a },
    { "v2/glx2", false, false, 2, 4, 0x5a },
    { "nested/4-level", true, true, 0, 4, 0 },
    { "nested/5-level", true, true, 0, 5, 0 },
    { "nested/pasid", true, true, 0, 4, 0x5a },
    { "nested/glx1", true, true, 1, 4, 0x5a },
    { "nested/glx2", true, true, 2, 4, 0x5a },
    { "nested/glx2-5-level-pasid-0", true, true, 2, 5, 0 },
    { "nested/gcr3-by-spa", true, false, 0, 4, 0 },
};

static void test_guest(const void *data)
{
    const GuestCase *t = data;
    Guest g;

    start_guest(&g, t->nested, t->trp, t->glx, t->levels);
    qamd_set_gcr3(g.q, g.gcr3, t->glx, t->pasid, g.root);
    map_gva(&g);
    g_assert_true(qamd_dma(g.q, GVA, g.target + 0x568, t->pasid));
    qamd_stop(g.q);
}

static void start_nested(Guest *g)
{
    start_guest(g, true, true, 0, 4);
    qamd_set_gcr3(g->q, g->gcr3, 0, 0, g->root);
}

static void test_guest_large(const void *data)
{
    unsigned level = GPOINTER_TO_UINT(data);
    uint64_t size = 1ULL << (12 + 9 * (level - 1));
    uint64_t offset = 0x1321568 & (size - 1);
    Guest g;

    start_nested(&g);
    qamd_map_guest(g.q, g.root, 4, GVA & ~(size - 1), QAMD_GPA_OFFSET, level,
                   QAMD_GPTE_RW);
    g_assert_true(qamd_dma(g.q, (GVA & ~(size - 1)) + offset, offset, 0));
    qamd_stop(g.q);
}

static void check_guest_fault(Guest *g, uint64_t gva, uint32_t pasid,
                              uint64_t flags)
{
    uint64_t evt[2];

    g_assert_true(qamd_dma_fails(g->q, gva, pasid));
    g_assert_true(qamd_event(g->q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 2);
    g_assert_cmphex(QAMD_EVT_DEVID(evt), ==, g->q->devid);
    g_assert_cmphex(evt[0] & EVF_ALL, ==, flags | EVF_GN | EVF_US | EVF_RW);
    g_assert_cmphex(extract64(evt[0], 32, 16), ==, pasid);
    g_assert_cmphex(evt[1], ==, gva);
    qamd_stop(g->q);
}

static void test_guest_not_present(void)
{
    Guest g;

    start_nested(&g);
    check_guest_fault(&g, GVA, 0, 0);
}

static void test_guest_pasid_not_present(void)
{
    Guest g;

    start_nested(&g);
    map_gva(&g);
    check_guest_fault(&g, GVA, 7, 0);
}

static void test_guest_read_only(void)
{
    Guest g;

    start_nested(&g);
    qamd_map_guest(g.q, g.root, 4, GVA_PAGE, g.target + QAMD_GPA_OFFSET, 1,
                   QAMD_GPTE_U);
    check_guest_fault(&g, GVA, 0, EVF_PR | EVF_PE);
}

static void test_guest_supervisor(void)
{
    Guest g;

    start_nested(&g);
    qamd_map_guest(g.q, g.root, 4, GVA_PAGE, g.target + QAMD_GPA_OFFSET, 1,
                   QAMD_GPTE_W);
    check_guest_fault(&g, GVA, 0, EVF_PR | EVF_PE);
}

static void test_guest_not_canonical(void)
{
    Guest g;

    start_nested(&g);
    check_guest_fault(&g, 1ULL << 47, 0, 0);
}

/* PS in the top level */
static void test_guest_reserved(void)
{
    Guest g;

    start_nested(&g);
    qamd_map_guest(g.q, g.root, 4, GVA_PAGE, QAMD_GPA_OFFSET, 4,
                   QAMD_GPTE_RW);
    check_guest_fault(&g, GVA, 0, EVF_PR | EVF_RZ);
}

/* A host fault names the GPA and the domain */
static void check_host_fault(Guest *g, uint64_t gpa, uint64_t flags)
{
    uint64_t evt[2];

    g_assert_true(qamd_dma_fails(g->q, GVA, 0));
    g_assert_true(qamd_event(g->q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 2);
    g_assert_cmphex(QAMD_EVT_DOMID(evt), ==, DOMID);
    g_assert_cmphex(evt[0] & EVF_ALL, ==, flags);
    g_assert_cmphex(evt[1], ==, gpa);
    qamd_stop(g->q);
}

static void test_nested_data_unmapped(void)
{
    Guest g;

    start_nested(&g);
    qamd_map_guest(g.q, g.root, 4, GVA_PAGE, 0x123000, 1, QAMD_GPTE_RW);
    check_host_fault(&g, 0x123568, EVF_RW);
}

static void test_nested_table_unmapped(void)
{
    Guest g;

    start_nested(&g);
    /* A table pointer without the offset is an address the host has not */
    qtest_writeq(g.q->qts, g.root + extract64(GVA, 39, 9) * 8,
                 0x123000 | QAMD_GPTE_P | QAMD_GPTE_RW | QAMD_GPTE_A);
    check_host_fault(&g, 0x123000 + extract64(GVA, 30, 9) * 8, EVF_RW);
}

static void test_nested_gcr3_unmapped(void)
{
    Guest g;

    start_nested(&g);
    qamd_host_dte(g.dte, DOMID, g.host, 4);
    qamd_guest_dte(g.dte, 0x123000, 0, false);
    qamd_set_dte(g.q, g.dte);
    check_host_fault(&g, 0x123000, EVF_RW);
}

/* GIOV off: a request without PASID sees the host table alone */
static void test_no_giov(void)
{
    Guest g;

    start_nested(&g);
    map_gva(&g);
    g.dte[0] &= ~QAMD_DTE0_GIOV;
    qamd_set_dte(g.q, g.dte);
    g_assert_true(qamd_dma_fails(g.q, GVA, 0));
    g_assert_true(qamd_dma(g.q, g.target + QAMD_GPA_OFFSET, g.target, 0));
    qamd_stop(g.q);
}

/* GTEn off: GV means nothing */
static void test_no_gten(void)
{
    Guest g;

    start_nested(&g);
    qamd_set_reg(g.q, AMDVI_MMIO_CONTROL,
                 qamd_reg(g.q, AMDVI_MMIO_CONTROL) & ~CTRL_GT);
    g_assert_true(qamd_dma(g.q, g.target + QAMD_GPA_OFFSET, g.target, 0));
    qamd_stop(g.q);
}

/* PASIDs of different tables do not mix */
static void test_two_pasids(void)
{
    uint64_t root2, target2;
    Guest g;

    start_nested(&g);
    map_gva(&g);
    root2 = qamd_page(g.q);
    target2 = qamd_page(g.q);
    qamd_set_gcr3(g.q, g.gcr3, 0, 9, root2);
    qamd_map_guest(g.q, root2, 4, GVA_PAGE, target2 + QAMD_GPA_OFFSET, 1,
                   QAMD_GPTE_RW);
    g_assert_true(qamd_dma(g.q, GVA, g.target + 0x568, 0));
    g_assert_true(qamd_dma(g.q, GVA, target2 + 0x568, 9));
    g_assert_true(qamd_dma(g.q, GVA, g.target + 0x568, 0));
    qamd_stop(g.q);
}

static void test_pasid_over_pasmax(void)
{
    QAMDIOMMU *q = qamd_start(",giosup=on,pasmax=3", "");
    uint64_t dte[4], evt[2], gcr3, root;

    qamd_enable(q, CTRL_GT);
    gcr3 = qamd_page(q);
    root = qamd_page(q);
    qamd_host_dte(dte, DOMID, 0, 0);
    qamd_guest_dte(dte, gcr3, 0, false);
    qamd_set_dte(q, dte);
    qamd_set_gcr3(q, gcr3, 0, 0x10, root);
    qamd_map_guest(q, root, 4, GVA_PAGE, qamd_page(q), 1, QAMD_GPTE_RW);
    g_assert_true(qamd_dma_fails(q, GVA, 0x10));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 2);
    qamd_stop(q);
}

static void test_guest_dirty(void)
{
    uint64_t pte;
    Guest g;

    start_nested(&g);
    pte = map_gva(&g);
    g_assert_true(qamd_dma(g.q, GVA, g.target + 0x568, 0));
    g_assert_cmphex(qtest_readq(g.q->qts, pte) & (QAMD_GPTE_A | QAMD_GPTE_D),
                    ==, QAMD_GPTE_A | QAMD_GPTE_D);
    g_assert_cmphex(qtest_readq(g.q->qts,
                                g.root + extract64(GVA, 39, 9) * 8) &
                    (QAMD_GPTE_A | QAMD_GPTE_D), ==, QAMD_GPTE_A);
    qamd_stop(g.q);
}

/* Accessed bits need a host page that may be written */
static void test_guest_dirty_host_read_only(void)
{
    uint64_t gpa;
    Guest g;

    start_nested(&g);
    map_gva(&g);
    qamd_map_host(g.q, g.host, 4, (g.root & ~0x1fffffULL) + QAMD_GPA_OFFSET,
                  g.root & ~0x1fffffULL, 2, QAMD_PTE_IR);
    gpa = g.root + extract64(GVA, 39, 9) * 8 + QAMD_GPA_OFFSET;
    check_host_fault(&g, gpa, EVF_RW | EVF_PR | EVF_PE);
}

static void add_table_driven(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(illegal_dtes); i++) {
        g_autofree char *path = g_strdup_printf(
            "/iommu-testdev/amd/dte/%s", illegal_dtes[i].name);

        qtest_add_data_func(path, &illegal_dtes[i], test_illegal_dte);
    }
    for (i = 0; i < ARRAY_SIZE(guest_cases); i++) {
        g_autofree char *path = g_strdup_printf(
            "/iommu-testdev/amd/%s", guest_cases[i].name);

        qtest_add_data_func(path, &guest_cases[i], test_guest);
    }
    for (i = 1; i <= 6; i++) {
        g_autofree char *path = g_strdup_printf(
            "/iommu-testdev/amd/host/mode-%u", i);

        qtest_add_data_func(path, GUINT_TO_POINTER(i), test_host_mode);
    }
}

static void add(const char *name, void (*fn)(void))
{
    g_autofree char *path = g_strdup_printf("/iommu-testdev/amd/%s", name);

    qtest_add_func(path, fn);
}

static void add_n(const char *name, unsigned n, void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/iommu-testdev/amd/%s", name);

    qtest_add_data_func(path, GUINT_TO_POINTER(n), fn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu") ||
        !qtest_has_device("iommu-testdev")) {
        return g_test_run();
    }

    add("pt/disabled", test_disabled);
    add("pt/not-valid", test_not_valid);
    add("pt/mode-0", test_mode0);
    add("pt/mode-0-no-write", test_mode0_no_write);
    add("dte/tv-0", test_tv0);
    add("dte/unreadable", test_dte_unreadable);
    add("dte/one-event", test_one_event);
    add("dte/bus", test_bus);
    add_n("host/2m", 2, test_host_large);
    add_n("host/1g", 3, test_host_large);
    add("host/odd-size", test_host_odd_size);
    add("host/skip", test_host_skip);
    add("host/skip-bits", test_host_skip_bits);
    add("host/not-present", test_host_not_present);
    add("host/read-only", test_host_read_only);
    add("host/upper-read-only", test_host_upper_read_only);
    add("host/dte-read-only", test_host_dte_read_only);
    add("host/beyond", test_host_beyond);
    add("host/bad-level", test_host_bad_level);
    add("host/table-unreadable", test_host_table_unreadable);
    add("host/dirty", test_host_dirty);
    add("host/not-dirty", test_host_not_dirty);
    add_n("host/suppress-all", 0, test_suppress);
    add_n("host/suppress-more", 1, test_suppress);
    add_n("nested/2m", 2, test_guest_large);
    add_n("nested/1g", 3, test_guest_large);
    add("nested/not-present", test_guest_not_present);
    add("nested/pasid-not-present", test_guest_pasid_not_present);
    add("nested/read-only", test_guest_read_only);
    add("nested/supervisor", test_guest_supervisor);
    add("nested/not-canonical", test_guest_not_canonical);
    add("nested/reserved", test_guest_reserved);
    add("nested/data-unmapped", test_nested_data_unmapped);
    add("nested/table-unmapped", test_nested_table_unmapped);
    add("nested/gcr3-unmapped", test_nested_gcr3_unmapped);
    add("nested/no-giov", test_no_giov);
    add("nested/no-gten", test_no_gten);
    add("nested/two-pasids", test_two_pasids);
    add("nested/pasid-over-pasmax", test_pasid_over_pasmax);
    add("nested/dirty", test_guest_dirty);
    add("nested/dirty-host-read-only", test_guest_dirty_host_read_only);
    add_table_driven();
    return g_test_run();
}
