/*
 * QTest for the AMD IOMMU (host-grade): random input
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers, commands, device table entries and page tables are random, with a
 * bias to what gets past the first check, and the device sends DMA through
 * them. Nothing is expected but that QEMU lives and that the machine still
 * works after a reset. OPS=n and SEED=n in the environment change the run.
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "libqtest.h"
#include "libqos/qos-amd-iommu.h"

#define ALL_FEATURES            ",giosup=on,gcr3trpmode=on,gats=1,pasmax=15," \
                                "glxsup=2,hadsup=on,ephsup=on,xtsup=on,"      \
                                "gamsup=1"
#define POOL_PAGES              32
#define DEFAULT_OPS             20000

static uint64_t rnd(GRand *r)
{
    return (uint64_t)g_rand_int(r) << 32 | g_rand_int(r);
}

static bool often(GRand *r)
{
    return g_rand_int_range(r, 0, 8) != 0;
}

/* An address in the pool, so that tables point to tables */
static uint64_t pool_page(GRand *r, uint64_t pool)
{
    return often(r) ? pool + g_rand_int_range(r, 0, POOL_PAGES) * 0x1000ULL :
                      rnd(r) & GENMASK64(51, 12);
}

static void fuzz_table(QAMDIOMMU *q, GRand *r, uint64_t pool)
{
    uint64_t at = pool + (g_rand_int_range(r, 0, POOL_PAGES * 512)) * 8;
    /* Host level or guest bits, both with random rest */
    uint64_t e = pool_page(r, pool) | (rnd(r) & 0xfff) |
                 (often(r) ? 1 : 0) | (often(r) ? QAMD_PTE_RW : 0);

    qtest_writeq(q->qts, at, e);
}

static void fuzz_dte(QAMDIOMMU *q, GRand *r, uint64_t pool)
{
    uint64_t dte[4] = { };

    qamd_host_dte(dte, g_rand_int_range(r, 0, 4), pool_page(r, pool),
                  g_rand_int_range(r, 0, 8));
    if (g_rand_boolean(r)) {
        qamd_guest_dte(dte, pool_page(r, pool), g_rand_int_range(r, 0, 4),
                       g_rand_boolean(r));
    }
    if (!often(r)) {
        dte[g_rand_int_range(r, 0, 4)] ^= 1ULL << g_rand_int_range(r, 0, 64);
    }
    if (g_rand_boolean(r)) {
        dte[0] |= 3ULL << 7;
    }
    qamd_set_dte(q, dte);
}

static void fuzz_command(QAMDIOMMU *q, GRand *r)
{
    uint64_t q0 = (uint64_t)g_rand_int_range(r, 0, 16) << 60;
    uint64_t q1 = 0;

    switch (g_rand_int_range(r, 0, 4)) {
    case 0:
        q0 |= rnd(r) >> 4;
        q1 = rnd(r);
        break;
    case 1:
        q0 = 3ULL << 60 | (uint64_t)g_rand_int_range(r, 0, 4) << 32;
        q1 = (rnd(r) & ~0xfffULL) | g_rand_int_range(r, 0, 8);
        break;
    case 2:
        q0 = 2ULL << 60 | q->devid;
        break;
    }
    qamd_cmd(q, q0, q1);
}

static void fuzz_register(QAMDIOMMU *q, GRand *r)
{
    static const uint16_t regs[] = {
        0x00, 0x08, 0x10, 0x18, 0x18, 0x18, 0x20, 0x28, 0x30, 0x38, 0xe0,
        0xe8, 0x170, 0x178, 0x180, 0x1a0, 0x2000, 0x2008, 0x2010, 0x2018,
        0x2020, 0x2030, 0x2038, 0x2040, 0x2048,
    };
    uint64_t at = AMDVI_BASE_ADDR +
        (often(r) ? regs[g_rand_int_range(r, 0, ARRAY_SIZE(regs))] :
                    g_rand_int_range(r, 0, AMDVI_MMIO_SIZE / 8) * 8);

    switch (g_rand_int_range(r, 0, 5)) {
    case 0:
        qtest_readq(q->qts, at);
        break;
    case 1:
        qtest_writel(q->qts, at + g_rand_int_range(r, 0, 2) * 4,
                     g_rand_int(r));
        break;
    case 2:
        qtest_writeb(q->qts, at + g_rand_int_range(r, 0, 8), g_rand_int(r));
        break;
    case 3:
        qtest_writew(q->qts, at + g_rand_int_range(r, 0, 4) * 2,
                     g_rand_int(r));
        break;
    default:
        qtest_writeq(q->qts, at, rnd(r));
    }
}

/* Rings and tables where they are real again: random ones lead nowhere */
static void restore(QAMDIOMMU *q, GRand *r)
{
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, 0);
    qamd_set_reg(q, AMDVI_MMIO_DEVICE_TABLE, q->devtab | 63);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE, q->cmdbuf | 8ULL << 56);
    qamd_set_reg(q, AMDVI_MMIO_EVENT_BASE, q->evtlog | 8ULL << 56);
    q->cmd_tail = 0;
    qamd_set_reg(q, AMDVI_MMIO_STATUS, UINT64_MAX);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, rnd(r) | AMDVI_MMIO_CONTROL_AMDVIEN |
                 AMDVI_MMIO_CONTROL_CMDBUFLEN | AMDVI_MMIO_CONTROL_EVENTLOGEN |
                 1ULL << 16);
}

/* A DMA whose result nobody waits for */
static void fuzz_dma(QAMDIOMMU *q, GRand *r, uint64_t pool)
{
    uint64_t iova = often(r) ? rnd(r) >> g_rand_int_range(r, 0, 52) : rnd(r);

    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_GVA_LO, iova);
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_GVA_HI, iova >> 32);
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_GPA_LO, pool);
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_GPA_HI, pool >> 32);
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_LEN,
                   g_rand_int_range(r, 1, 64));
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_ATTRS,
                   ITD_ATTRS_SET_PASID(0, g_rand_int_range(r, 0, 4)));
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_DBELL, ITD_DMA_DBELL_ARM);
    qpci_io_readl(q->dev, q->bar, ITD_REG_DMA_TRIGGERING);
}

static void fuzz_one(QAMDIOMMU *q, GRand *r, uint64_t pool)
{
    switch (g_rand_int_range(r, 0, 16)) {
    case 0 ... 5:
        fuzz_table(q, r, pool);
        break;
    case 6:
        fuzz_dte(q, r, pool);
        break;
    case 7 ... 9:
        fuzz_command(q, r);
        break;
    case 10 ... 11:
        fuzz_register(q, r);
        break;
    case 12:
        restore(q, r);
        break;
    case 13:
        qtest_clock_step(q->qts, 1000);
        break;
    default:
        fuzz_dma(q, r, pool);
    }
}

static unsigned from_env(const char *name, unsigned value)
{
    const char *text = getenv(name);

    if (text) {
        g_assert(qemu_strtoui(text, NULL, 0, &value) == 0);
    }
    return value;
}

static void test_random(const void *data)
{
    unsigned seed = from_env("SEED", 1), ops = from_env("OPS", DEFAULT_OPS);
    QAMDIOMMU *q = qamd_start(data, "");
    GRand *r = g_rand_new_with_seed(seed);
    uint64_t pool, page;
    unsigned i;

    qamd_enable(q, 1 << 16);
    pool = q->next;
    q->next += POOL_PAGES * 0x1000;
    for (i = 0; i < ops; i++) {
        fuzz_one(q, r, pool);
    }
    g_rand_free(r);

    qtest_system_reset(q->qts);
    page = qamd_page(q);
    qpci_device_enable(q->dev);
    q->bar = qpci_iomap(q->dev, 0, NULL);
    g_assert_true(qamd_dma(q, page, page, 0));
    qamd_enable(q, 0);
    qamd_set(q, "cmd-delay", 0);
    q->cmd_tail = 0;
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu") ||
        !qtest_has_device("iommu-testdev")) {
        return g_test_run();
    }

    qtest_add_data_func("/iommu-testdev/amd-fuzz/all-features", ALL_FEATURES,
                        test_random);
    qtest_add_data_func("/iommu-testdev/amd-fuzz/delayed",
                        ALL_FEATURES ",cmd-delay=500", test_random);
    qtest_add_data_func("/iommu-testdev/amd-fuzz/no-features", "",
                        test_random);
    return g_test_run();
}
