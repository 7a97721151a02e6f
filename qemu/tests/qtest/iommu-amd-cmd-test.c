/*
 * QTest for the AMD IOMMU (host-grade): registers, commands, events, knobs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/qos-amd-iommu.h"
#include "qobject/qdict.h"

#define REG_EFR                 0x30
#define REG_EFR2                0x1a0
#define RING_BYTES              4096
#define CMD(op)                 ((uint64_t)(op) << 60)
#define NS_PER_MS               1000000ULL

/*
 * Feature and control registers
 */

typedef struct Feature {
    const char *name;
    const char *props;
    unsigned reg;
    unsigned shift;
    unsigned len;
    uint64_t value;
} Feature;

static const Feature features[] = {
    { "ppr", "", REG_EFR, 1, 1, 1 },
    { "ppr-off", ",ppr=off", REG_EFR, 1, 1, 0 },
    { "xt", ",xtsup=on", REG_EFR, 2, 1, 1 },
    { "gt", "", REG_EFR, 4, 1, 1 },
    { "gt-off", ",gt=off", REG_EFR, 4, 1, 0 },
    { "ga", "", REG_EFR, 7, 1, 1 },
    { "ga-off", ",ga=off", REG_EFR, 7, 1, 0 },
    { "hats", ",hats=1", REG_EFR, 10, 2, 1 },
    { "gats", ",gats=1", REG_EFR, 12, 2, 1 },
    { "glx", ",glxsup=2", REG_EFR, 14, 2, 2 },
    { "gam", ",gamsup=1", REG_EFR, 21, 3, 1 },
    { "pasmax", ",pasmax=15", REG_EFR, 32, 5, 15 },
    { "gio", ",giosup=on", REG_EFR, 48, 1, 1 },
    { "gio-off", "", REG_EFR, 48, 1, 0 },
    { "ha", ",hadsup=on", REG_EFR, 49, 1, 1 },
    { "hd", ",hadsup=on", REG_EFR, 52, 1, 1 },
    { "eph", ",ephsup=on", REG_EFR, 50, 1, 1 },
    { "viommu-off", "", REG_EFR, 55, 1, 0 },
    { "gcr3trpmode", ",gcr3trpmode=on", REG_EFR2, 3, 1, 1 },
    { "efr2-empty", "", REG_EFR2, 0, 64, 0 },
};

static void test_feature(const void *data)
{
    const Feature *f = data;
    QAMDIOMMU *q = qamd_start(f->props, "");

    g_assert_cmphex(extract64(qamd_reg(q, f->reg), f->shift, f->len), ==,
                    f->value);
    qamd_set_reg(q, f->reg, ~qamd_reg(q, f->reg));
    g_assert_cmphex(extract64(qamd_reg(q, f->reg), f->shift, f->len), ==,
                    f->value);
    qamd_stop(q);
}

/* A command line of today gets the register of today */
static void test_feature_default(void)
{
    QTestState *qts = qtest_init("-M q35 -device amd-iommu");
    uint64_t efr = qtest_readq(qts, AMDVI_BASE_ADDR + REG_EFR);

    g_assert_cmphex(efr, ==, AMDVI_DEFAULT_EXT_FEATURES);
    qtest_quit(qts);
}

typedef struct ControlBit {
    const char *name;
    const char *props;
    unsigned bit;
    bool sticks;
} ControlBit;

static const ControlBit control_bits[] = {
    { "gten", "", 16, true },
    { "gten-off", ",gt=off", 16, false },
    { "ppren", "", 15, true },
    { "ppren-off", ",ppr=off", 15, false },
    { "ephen", ",ephsup=on", 45, true },
    { "ephen-off", "", 45, false },
    { "xten", ",xtsup=on", 50, true },
    { "xten-off", "", 50, false },
    { "gcr3trpmode", ",gcr3trpmode=on", 58, true },
    { "gcr3trpmode-off", "", 58, false },
    { "vcmden-off", "", 52, false },
    { "viommuen-off", "", 53, false },
    { "gstbuftrpmode-off", "", 60, false },
    { "undefined", "", 63, false },
};

static void test_control_bit(const void *data)
{
    const ControlBit *c = data;
    QAMDIOMMU *q = qamd_start(c->props, "");
    uint64_t bit = 1ULL << c->bit;

    qamd_set_reg(q, AMDVI_MMIO_CONTROL, bit);
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_CONTROL), ==, c->sticks ? bit : 0);
    /* In halves as well */
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, 0);
    qtest_writel(q->qts, AMDVI_BASE_ADDR + AMDVI_MMIO_CONTROL + c->bit / 32 * 4,
                 1U << (c->bit % 32));
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_CONTROL), ==, c->sticks ? bit : 0);
    qamd_stop(q);
}

/*
 * Commands that are not well-formed
 */

typedef struct Command {
    const char *name;
    uint64_t q0;
    uint64_t q1;
} Command;

static const Command illegal[] = {
    { "opcode-0", CMD(0), 0 },
    { "opcode-9-no-viommu", CMD(9), 0 },
    { "opcode-a-no-viommu", CMD(0xa) | 1ULL << 31 | 1ULL << 28 | 1, 0 },
    { "opcode-b", CMD(0xb), 0 },
    { "opcode-f", CMD(0xf), 0 },
    { "wait-reserved", CMD(1) | 1ULL << 52, 0 },
    { "devtab-reserved", CMD(2) | 1ULL << 16, 0 },
    { "devtab-second", CMD(2), 1 },
    { "pages-reserved-20", CMD(3) | 1ULL << 20, 0 },
    { "pages-reserved-48", CMD(3) | 1ULL << 48, 0 },
    { "pages-reserved-67", CMD(3), 1ULL << 3 },
    { "iotlb-reserved", CMD(4), 1ULL << 1 },
    { "intr-reserved", CMD(5) | 1ULL << 16, 0 },
    { "ppr-reserved", CMD(7) | 1ULL << 52, 0 },
    { "all-reserved", CMD(8) | 1, 0 },
};

/* The ring stops at it, with an event that says where */
static void test_illegal(const void *data)
{
    const Command *c = data;
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t evt[2];

    qamd_enable(q, 0);
    g_assert_true(qamd_wait(q));
    qamd_cmd(q, c->q0, c->q1);
    g_assert_false(qamd_wait(q));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 5);
    g_assert_cmphex(evt[1], ==, q->cmdbuf + 16);
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) &
                   AMDVI_MMIO_STATUS_CMDBUF_RUN);
    g_assert_cmpuint(qamd_get(q, "stat-violations"), ==, 1);
    qamd_stop(q);
}

/* Off and on, past the bad one: it runs again */
static void test_restart(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t control;

    qamd_enable(q, 0);
    control = qamd_reg(q, AMDVI_MMIO_CONTROL);
    qamd_cmd(q, CMD(0xf), 0);
    g_assert_false(qamd_wait(q));
    qamd_set_reg(q, AMDVI_MMIO_CONTROL,
                 control & ~AMDVI_MMIO_CONTROL_CMDBUFLEN);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_HEAD, q->cmd_tail);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, control);
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

static void test_wrap(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    unsigned i;

    qamd_enable(q, 0);
    for (i = 0; i < 2 * RING_BYTES / 16; i++) {
        g_assert_true(qamd_wait(q));
    }
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_HEAD), ==, 0);
    g_assert_cmpuint(qamd_get(q, "stat-cmd-1"), ==, i);
    qamd_stop(q);
}

/* A ring where no memory is */
static void test_ring_unreadable(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t base = 0x7f00000000ULL, evt[2];

    qamd_enable(q, 0);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE, base | 8ULL << 56);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, 16);
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(QAMD_EVT_CODE(evt), ==, 6);
    g_assert_cmphex(evt[1], ==, base);
    qamd_stop(q);
}

static void test_wait_status(void)
{
    QAMDIOMMU *q = qamd_start("", "");

    qamd_enable(q, 0);
    qamd_cmd(q, CMD(1) | 1ULL << 1, 0);
    g_assert_true(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_COMP_INT);
    qamd_set_reg(q, AMDVI_MMIO_STATUS, AMDVI_MMIO_STATUS_COMP_INT);
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) &
                   AMDVI_MMIO_STATUS_COMP_INT);
    qamd_stop(q);
}

/*
 * Knobs
 */

static void test_delay(void)
{
    QAMDIOMMU *q = qamd_start("", "");

    qamd_enable(q, 0);
    qamd_set(q, "cmd-delay", 5 * NS_PER_MS);
    qamd_inv_all(q);
    g_assert_false(qamd_wait(q));
    qtest_clock_step(q->qts, 6 * NS_PER_MS);
    /* One command per period */
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
    g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, 0);
    qtest_clock_step(q->qts, 6 * NS_PER_MS);
    g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, q->sem_value);
    qamd_stop(q);
}

/* A flush without a wait: the old translation is still there */
static void test_delay_stale(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t root, old, new, pte, dte[4];

    qamd_enable(q, 0);
    root = qamd_page(q);
    old = qamd_page(q);
    new = qamd_page(q);
    pte = qamd_map_host(q, root, 3, 0x1000, old, 1, QAMD_PTE_RW);
    qamd_host_dte(dte, 1, root, 3);
    qamd_set_dte(q, dte);
    g_assert_true(qamd_dma(q, 0x1000, old, 0));
    qtest_writeq(q->qts, pte, new | QAMD_PTE_PR | QAMD_PTE_RW);
    qamd_set(q, "cmd-delay", 5 * NS_PER_MS);
    qamd_inv_pages(q, 1, 0, 0x1000);
    g_assert_true(qamd_dma(q, 0x1000, old, 0));
    qtest_clock_step(q->qts, 6 * NS_PER_MS);
    g_assert_true(qamd_dma(q, 0x1000, new, 0));
    qamd_stop(q);
}

/* A device that never answers: the time that software allows, then an event */
static void test_iotlb_silent(const void *data)
{
    unsigned code = GPOINTER_TO_UINT(data);
    int64_t ms = code == 1 ? 1 : code == 4 ? 1000 : 100000;
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t evt[2];

    qamd_enable(q, (uint64_t)code << 5);
    g_assert_cmphex(qamd_get(q, "iotlb-silent"), ==, UINT32_MAX);
    qamd_cmd(q, CMD(4) | q->devid, 0);
    g_assert_true(qamd_wait(q));
    qamd_set(q, "iotlb-silent", q->devid);
    qamd_cmd(q, CMD(4) | (q->devid + 8), 0);
    g_assert_true(qamd_wait(q));
    qamd_cmd(q, CMD(4) | q->devid, 0);
    g_assert_false(qamd_wait(q));
    qtest_clock_step(q->qts, ms * NS_PER_MS - 1);
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_HEAD), ==, 4 * 16);
    g_assert_false(qamd_event(q, evt));
    g_assert_true(qamd_reg(q, AMDVI_MMIO_STATUS) &
                  AMDVI_MMIO_STATUS_CMDBUF_RUN);
    qtest_clock_step(q->qts, 1);
    if (code == 7) {
        /* Reserved, so no limit: off and on is the way out */
        g_assert_false(qamd_event(q, evt));
    } else {
        g_assert_true(qamd_event(q, evt));
        g_assert_cmphex(evt[0], ==, 7ULL << 60 | q->devid);
        g_assert_cmphex(evt[1], ==, q->cmdbuf + 4 * 16);
        g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, q->sem_value);
    }
    g_assert_cmpuint(qamd_get(q, "stat-violations"), ==, 0);
    qamd_stop(q);
}

static void test_lose(void)
{
    QAMDIOMMU *q = qamd_start("", "");

    qamd_enable(q, 0);
    qamd_set(q, "cw-lose", 2);
    g_assert_false(qamd_wait(q));
    g_assert_false(qamd_wait(q));
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

static void test_corrupt(void)
{
    QAMDIOMMU *q = qamd_start("", "");

    qamd_enable(q, 0);
    qamd_set(q, "cw-corrupt", 1);
    g_assert_false(qamd_wait(q));
    g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, ~q->sem_value);
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

static void test_strict(void)
{
    QAMDIOMMU *q = qamd_start(",strict=on", "");

    qamd_enable(q, 0);
    qtest_writeq(q->qts, q->cmdbuf, CMD(0xf));
    qtest_set_expected_status(q->qts, 1);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, 16);
    qtest_wait_qemu(q->qts);
    qamd_stop(q);
}

/* All is gone, and software can set it up again while the machine runs */
static void test_surprise_reset(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    uint64_t page = qamd_page(q);
    const uint64_t dte[4] = { QAMD_DTE0_V | QAMD_DTE0_TV };

    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    qtest_qmp_assert_success(q->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': '/machine/peripheral/iommu', "
                             "'property': 'surprise-reset', "
                             "'value': true } }");
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_CONTROL), ==, 0);
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_BASE), ==, 0);
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_EVENT_TAIL), ==, 0);
    g_assert_cmphex(qamd_reg(q, REG_EFR), !=, 0);
    g_assert_false(qamd_wait(q));
    g_assert_true(qamd_dma(q, page, page, 0));

    q->cmd_tail = 0;
    q->evt_head = 0;
    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    g_assert_true(qamd_wait(q));
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    qamd_stop(q);
}

/*
 * The event log
 */

static void test_overflow(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    const uint64_t dte[4] = { QAMD_DTE0_V | QAMD_DTE0_TV };
    uint64_t control, evt[2];
    unsigned i;

    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    for (i = 0; i < RING_BYTES / 16 - 1; i++) {
        g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    }
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_OVF);
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    g_assert_true(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_OVF);
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_RUN);
    g_assert_cmpuint(qamd_get(q, "stat-events-lost"), ==, 1);

    /* Neither of these is enough */
    control = qamd_reg(q, AMDVI_MMIO_CONTROL);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, control);
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_RUN);
    qamd_set_reg(q, AMDVI_MMIO_STATUS, AMDVI_MMIO_STATUS_EVT_OVF);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, control);
    g_assert_false(qamd_reg(q, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_RUN);
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    g_assert_cmpuint(qamd_get(q, "stat-events-lost"), ==, 2);

    /* As software does it: off, clear the bit, on */
    qamd_set_reg(q, AMDVI_MMIO_CONTROL,
                 control & ~AMDVI_MMIO_CONTROL_EVENTLOGEN);
    qamd_set_reg(q, AMDVI_MMIO_STATUS, AMDVI_MMIO_STATUS_EVT_OVF);
    while (qamd_event(q, evt)) {
        continue;
    }
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, control);
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    g_assert_true(qamd_event(q, evt));
    qamd_stop(q);
}

static void test_event_off(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    const uint64_t dte[4] = { QAMD_DTE0_V | QAMD_DTE0_TV };
    uint64_t evt[2];

    qamd_enable(q, 0);
    qamd_set_dte(q, dte);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, qamd_reg(q, AMDVI_MMIO_CONTROL) &
                 ~AMDVI_MMIO_CONTROL_EVENTLOGEN);
    g_assert_true(qamd_dma_fails(q, 0x1000, 0));
    g_assert_false(qamd_event(q, evt));
    g_assert_cmpuint(qamd_get(q, "stat-event-2"), ==, 1);
    qamd_stop(q);
}

/*
 * PCI: the capability and the southbridge
 */

static void test_np_cache(const void *data)
{
    bool on = GPOINTER_TO_UINT(data);
    QAMDIOMMU *q = qamd_start(on ? "" : ",np-cache=off", "");
    QPCIDevice *iommu = NULL;
    uint8_t cap;
    int devfn;

    for (devfn = 0; devfn < 256 && !iommu; devfn += 8) {
        iommu = qpci_device_find(q->bus, devfn);
        if (iommu && (qpci_config_readw(iommu, 0) != 0x1022 ||
                      qpci_config_readw(iommu, 2) != 0x1419)) {
            g_clear_pointer(&iommu, g_free);
        }
    }
    g_assert(iommu);
    cap = qpci_find_capability(iommu, AMDVI_CAPAB_ID_SEC, 0);
    g_assert_true(!!(qpci_config_readl(iommu, cap) &
                     AMDVI_CAPAB_FLAG_NPCACHE) == on);
    g_free(iommu);
    qamd_stop(q);
}

static void test_southbridge(const void *data)
{
    bool on = GPOINTER_TO_UINT(data);
    QAMDIOMMU *q = qamd_start(on ? ",southbridge=on" : "", "");
    QPCIDevice *sb = qpci_device_find(q->bus, QPCI_DEVFN(0x14, 0));

    g_assert_true(!!sb == on);
    if (sb) {
        /* Class SMBus */
        g_assert_cmphex(qpci_config_readw(sb, 0xa), ==, 0x0c05);
    }
    g_free(sb);
    qamd_stop(q);
}

/* Its state is not saved, and it says so before any is lost */
static void test_no_migration(void)
{
    QAMDIOMMU *q = qamd_start("", "");
    QDict *rsp = qtest_qmp(q->qts, "{ 'execute': 'migrate', 'arguments': "
                           "{ 'uri': 'exec:cat >/dev/null' } }");

    g_assert_true(qdict_haskey(rsp, "error"));
    qobject_unref(rsp);
    qamd_stop(q);
}

#define DIR                     "/iommu-testdev/amd-cmd/"

#define ADD_TABLE(dir, table, fn)                                           \
    for (i = 0; i < ARRAY_SIZE(table); i++) {                               \
        g_autofree char *path = g_strdup_printf(DIR dir "/%s",              \
                                                (table)[i].name);           \
        qtest_add_data_func(path, &(table)[i], fn);                         \
    }

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu") ||
        !qtest_has_device("iommu-testdev")) {
        return g_test_run();
    }

    ADD_TABLE("efr", features, test_feature);
    ADD_TABLE("control", control_bits, test_control_bit);
    ADD_TABLE("illegal", illegal, test_illegal);
    qtest_add_func(DIR "efr/default", test_feature_default);
    qtest_add_func(DIR "ring/restart", test_restart);
    qtest_add_func(DIR "ring/wrap", test_wrap);
    qtest_add_func(DIR "ring/unreadable", test_ring_unreadable);
    qtest_add_func(DIR "wait/status", test_wait_status);
    qtest_add_func(DIR "knob/delay", test_delay);
    qtest_add_func(DIR "knob/delay-stale", test_delay_stale);
    qtest_add_data_func(DIR "knob/iotlb-silent-1ms", GUINT_TO_POINTER(1),
                        test_iotlb_silent);
    qtest_add_data_func(DIR "knob/iotlb-silent-1s", GUINT_TO_POINTER(4),
                        test_iotlb_silent);
    qtest_add_data_func(DIR "knob/iotlb-silent-100s", GUINT_TO_POINTER(6),
                        test_iotlb_silent);
    qtest_add_data_func(DIR "knob/iotlb-silent-reserved", GUINT_TO_POINTER(7),
                        test_iotlb_silent);
    qtest_add_func(DIR "knob/lose", test_lose);
    qtest_add_func(DIR "knob/corrupt", test_corrupt);
    qtest_add_func(DIR "knob/strict", test_strict);
    qtest_add_func(DIR "knob/surprise-reset", test_surprise_reset);
    qtest_add_func(DIR "migration", test_no_migration);
    qtest_add_func(DIR "event/overflow", test_overflow);
    qtest_add_func(DIR "event/off", test_event_off);
    qtest_add_data_func(DIR "pci/np-cache", GUINT_TO_POINTER(1),
                        test_np_cache);
    qtest_add_data_func(DIR "pci/np-cache-off", GUINT_TO_POINTER(0),
                        test_np_cache);
    qtest_add_data_func(DIR "pci/southbridge", GUINT_TO_POINTER(1),
                        test_southbridge);
    qtest_add_data_func(DIR "pci/no-southbridge", GUINT_TO_POINTER(0),
                        test_southbridge);
    return g_test_run();
}
