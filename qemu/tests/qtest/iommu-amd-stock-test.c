/*
 * QTest for the AMD IOMMU as it comes, without host-grade=on
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a guest sees of errors: the event log, the command ring that stops, the
 * status bits and their interrupts. What a guest may do to QEMU: rings in
 * registers, tables taken away at once.
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/qos-amd-iommu.h"

#define DIR             "/amd-iommu/"
#define CMD(op)         ((uint64_t)(op) << 60)
#define RING_CODE       8
#define RING_BYTES      (16U << RING_CODE)
#define DOMID           0x123
#define IOVA            0x123000ULL
#define VECTOR          0x61

static bool status(QAMDIOMMU *q, uint64_t bits)
{
    return (qamd_reg(q, AMDVI_MMIO_STATUS) & bits) == bits;
}

static void control(QAMDIOMMU *q, uint64_t clear, uint64_t set)
{
    qamd_set_reg(q, AMDVI_MMIO_CONTROL,
                 (qamd_reg(q, AMDVI_MMIO_CONTROL) & ~clear) | set);
}

/* A table of three levels for the device; dma-remap=on looks at it now */
static uint64_t attach(QAMDIOMMU *q)
{
    uint64_t root = qamd_page(q), dte[4];

    qamd_host_dte(dte, DOMID, root, 3);
    qamd_set_dte(q, dte);
    qamd_inv_dte(q, q->devid);
    return root;
}

/*
 * Events of devices
 */

static void check_fault(QAMDIOMMU *q)
{
    uint64_t root, evt[2], page;

    qamd_enable(q, 0);
    root = attach(q);
    g_assert_true(qamd_dma_fails(q, IOVA + 0x10, 0));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[0], ==, 2ULL << 60 | BIT_ULL(53) |
                    (uint64_t)DOMID << 32 | q->devid);
    g_assert_cmphex(evt[1], ==, IOVA + 0x10);
    /* There is a page, but not for writing */
    page = qamd_page(q);
    qamd_map_host(q, root, 3, IOVA, page, 1, QAMD_PTE_IR);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[0], ==, 2ULL << 60 | BIT_ULL(53) | BIT_ULL(52) |
                    BIT_ULL(54) | (uint64_t)DOMID << 32 | q->devid);
    g_assert_cmphex(evt[1], ==, IOVA);
    qamd_stop(q);
}

static void test_fault(void)
{
    check_fault(qamd_start_stock(",dma-remap=on", "", ""));
}

static void test_fault_behind_bridge(void)
{
    QAMDIOMMU *q = qamd_start_stock_behind_bridge(",dma-remap=on");

    q->devid = 0x100;
    check_fault(q);
}

/*
 * The command ring
 */

typedef struct Command {
    const char *name;
    uint64_t q0;
    uint64_t q1;
} Command;

static const Command illegal[] = {
    { "opcode-0", CMD(0), 0 },
    { "opcode-9", CMD(9), 0 },
    { "opcode-f", CMD(0xf), 0 },
    { "wait-reserved", CMD(1) | 1ULL << 52, 0 },
    { "devtab-reserved", CMD(2) | 1ULL << 16, 0 },
    { "pages-reserved", CMD(3) | 1ULL << 20, 0 },
    { "iotlb-reserved", CMD(4), 1ULL << 1 },
    { "intr-reserved", CMD(5) | 1ULL << 16, 0 },
    { "prefetch-reserved", CMD(6) | 1ULL << 16, 0 },
    { "ppr-reserved", CMD(7) | 1ULL << 52, 0 },
    { "all-reserved", CMD(8) | 1, 0 },
};

/* It stops there, says where and nothing else, until it is off and on again */
static void test_illegal(const void *data)
{
    const Command *c = data;
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    uint64_t evt[2];

    qamd_enable(q, 0);
    g_assert_true(qamd_wait(q));
    qamd_cmd(q, c->q0, c->q1);
    g_assert_false(status(q, AMDVI_MMIO_STATUS_CMDBUF_RUN));
    g_assert_false(qamd_wait(q));
    g_assert_cmphex(qamd_reg(q, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[0], ==, 5ULL << 60);
    g_assert_cmphex(evt[1], ==, q->cmdbuf + 16);
    control(q, 0, 0);
    g_assert_false(status(q, AMDVI_MMIO_STATUS_CMDBUF_RUN));
    g_assert_false(qamd_wait(q));
    g_assert_false(qamd_event(q, evt));
    control(q, AMDVI_MMIO_CONTROL_CMDBUFLEN, 0);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_HEAD, 32);
    control(q, 0, AMDVI_MMIO_CONTROL_CMDBUFLEN);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_CMDBUF_RUN));
    g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, q->sem_value);
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

/* It is reported and not executed: a store would be seen */
static void test_wait_reserved_store(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");

    qamd_enable(q, 0);
    qamd_cmd(q, CMD(1) | 1ULL << 52 | q->sem | 1, 0x1234);
    g_assert_cmphex(qtest_readq(q->qts, q->sem), ==, 0);
    qamd_stop(q);
}

static void test_length(const void *data)
{
    unsigned code = GPOINTER_TO_UINT(data);
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    bool ok = code >= 8;
    uint64_t evt[2];

    qamd_enable(q, 0);
    control(q, AMDVI_MMIO_CONTROL_CMDBUFLEN, 0);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE,
                 q->cmdbuf | (uint64_t)code << 56);
    control(q, 0, AMDVI_MMIO_CONTROL_CMDBUFLEN);
    g_assert_true(qamd_wait(q) == ok);
    /* The same of a log; what is logged is a command of another ring */
    qamd_set_reg(q, AMDVI_MMIO_EVENT_BASE, q->evtlog | (uint64_t)code << 56);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE, q->cmdbuf | 8ULL << 56);
    qtest_writeq(q->qts, q->cmdbuf, CMD(0xf));
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, 16);
    g_assert_false(status(q, AMDVI_MMIO_STATUS_CMDBUF_RUN));
    g_assert_true(qamd_event(q, evt) == ok);
    qamd_stop(q);
}

/*
 * Interrupts: the message of the IOMMU arrives at the APIC, or it does not
 */

static void save_own(QPCIDevice *dev, int devfn, void *data)
{
    *(QPCIDevice **)data = dev;
}

static QPCIDevice *own_function(QAMDIOMMU *q)
{
    QPCIDevice *own = NULL;

    qpci_device_foreach(q->bus, 0x1022, 0x1419, save_own, &own);
    g_assert(own);
    return own;
}

static void enable_msi(QAMDIOMMU *q)
{
    QPCIDevice *own = own_function(q);
    uint8_t cap = qpci_find_capability(own, PCI_CAP_ID_MSI, 0);
    uint16_t flags = qpci_config_readw(own, cap + PCI_MSI_FLAGS);

    g_assert(cap);
    qpci_config_writel(own, cap + PCI_MSI_ADDRESS_LO, 0xfee00000);
    qpci_config_writew(own, cap + (flags & PCI_MSI_FLAGS_64BIT ?
                                   PCI_MSI_DATA_64 : PCI_MSI_DATA_32),
                       VECTOR);
    qpci_config_writew(own, cap + PCI_MSI_FLAGS,
                       flags | PCI_MSI_FLAGS_ENABLE);
    qpci_config_writew(own, PCI_COMMAND, PCI_COMMAND_MASTER);
    g_free(own);
}

/* It stays pending: nobody runs who could take it */
static bool interrupted(QAMDIOMMU *q)
{
    g_autofree char *lapic = qtest_hmp(q->qts, "info lapic 0");
    const char *irr = strstr(lapic, "IRR");

    g_assert(irr);
    return strstr(irr, " " "97") != NULL;
}

static void test_wait_interrupt(const void *data)
{
    uint64_t enable = GPOINTER_TO_UINT(data);
    QAMDIOMMU *q = qamd_start_stock("", "", "");

    enable_msi(q);
    qamd_enable(q, enable);
    g_assert_false(interrupted(q));
    qamd_cmd(q, CMD(1) | 1ULL << 1, 0);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_COMP_INT));
    g_assert_true(interrupted(q) == !!enable);
    qamd_stop(q);
}

static void test_event_interrupt(const void *data)
{
    uint64_t enable = GPOINTER_TO_UINT(data);
    QAMDIOMMU *q = qamd_start_stock("", "", "");

    enable_msi(q);
    qamd_enable(q, enable);
    qamd_cmd(q, CMD(0xf), 0);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_EVENT_INT));
    g_assert_true(interrupted(q) == !!enable);
    qamd_stop(q);
}

/* There is one, and qpci_find_capability() has found it */
static void test_one_msi(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    QPCIDevice *own = own_function(q);
    uint8_t at = 0;
    int num = 0;

    while ((at = qpci_find_capability(own, PCI_CAP_ID_MSI, at))) {
        num++;
    }
    g_assert_cmpint(num, ==, 1);
    g_assert_cmpint(qpci_find_capability(own, PCI_CAP_ID_HT, 0), >, 0);
    g_free(own);
    qamd_stop(q);
}

/* Linux wants to see one where the IVRS has the IOAPIC */
static void test_southbridge(void)
{
    QAMDIOMMU *q = qamd_start_stock(",southbridge=on", "", "");
    QPCIDevice *sb = qpci_device_find(q->bus, QPCI_DEVFN(0x14, 0));

    g_assert(sb);
    g_assert_cmphex(qpci_config_readw(sb, PCI_CLASS_DEVICE), ==,
                    PCI_CLASS_SERIAL_SMBUS);
    g_free(sb);
    qamd_stop(q);
}

/*
 * The event log
 */

static void fill_log(QAMDIOMMU *q)
{
    unsigned i;

    for (i = 0; i < RING_BYTES / 16 - 1; i++) {
        g_assert_true(qamd_dma_fails(q, IOVA, 0));
    }
    g_assert_false(status(q, AMDVI_MMIO_STATUS_EVT_OVF));
    g_assert_true(status(q, AMDVI_MMIO_STATUS_EVT_RUN));
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
}

static void test_overflow(const void *data)
{
    QAMDIOMMU *q = qamd_start_stock(data, "", "");
    uint64_t evt[2];

    qamd_enable(q, 0);
    attach(q);
    fill_log(q);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_EVT_OVF |
                         AMDVI_MMIO_STATUS_EVENT_INT));
    g_assert_false(status(q, AMDVI_MMIO_STATUS_EVT_RUN));
    while (qamd_event(q, evt)) {
        continue;
    }
    /* There is room; each of these alone does not make it run again */
    control(q, 0, 0);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    control(q, AMDVI_MMIO_CONTROL_EVENTLOGEN, 0);
    control(q, 0, AMDVI_MMIO_CONTROL_EVENTLOGEN);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    qamd_set_reg(q, AMDVI_MMIO_STATUS, AMDVI_MMIO_STATUS_EVT_OVF);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    control(q, 0, 0);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    g_assert_false(status(q, AMDVI_MMIO_STATUS_EVT_RUN));
    g_assert_false(qamd_event(q, evt));
    control(q, AMDVI_MMIO_CONTROL_EVENTLOGEN, 0);
    control(q, 0, AMDVI_MMIO_CONTROL_EVENTLOGEN);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_EVT_RUN));
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    g_assert_true(qamd_event(q, evt));
    qamd_stop(q);
}

/* The next kernel finds EventLogInt set and wants its own log */
static void test_new_base(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    uint64_t evt[2], other;

    qamd_enable(q, AMDVI_MMIO_CONTROL_EVENTINTEN);
    qamd_cmd(q, CMD(0xf), 0);
    g_assert_true(status(q, AMDVI_MMIO_STATUS_EVENT_INT));
    other = qamd_page(q);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, 0);
    qamd_set_reg(q, AMDVI_MMIO_EVENT_BASE,
                 other | (uint64_t)RING_CODE << 56);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE,
                 q->cmdbuf | (uint64_t)RING_CODE << 56);
    control(q, 0, AMDVI_MMIO_CONTROL_AMDVIEN | AMDVI_MMIO_CONTROL_CMDBUFLEN |
            AMDVI_MMIO_CONTROL_EVENTLOGEN);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, 16);
    q->evtlog = other;
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[0], ==, 5ULL << 60);
    qamd_stop(q);
}

/*
 * What the IOMMU itself must not reach: registers, here those of the device
 */

static uint32_t victim(QAMDIOMMU *q)
{
    return qpci_io_readl(q->dev, q->bar, ITD_REG_DMA_GVA_LO);
}

static uint64_t victim_addr(QAMDIOMMU *q)
{
    return q->bar.addr + ITD_REG_DMA_GVA_LO;
}

static void test_store_into_register(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    uint64_t at;

    qamd_enable(q, 0);
    at = victim_addr(q) & ~7ULL;
    qamd_cmd(q, CMD(1) | at | 1, 0x1234567812345678ULL);
    g_assert_cmphex(victim(q), ==, 0);
    /* It is lost, and no more */
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

static void test_log_in_registers(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    uint64_t base;

    qamd_enable(q, 0);
    base = victim_addr(q) & ~0xfffULL;
    qamd_set_reg(q, AMDVI_MMIO_EVENT_BASE, base | (uint64_t)RING_CODE << 56);
    qpci_io_writel(q->dev, q->bar, ITD_REG_DMA_GVA_LO, 0x5a5a5a5a);
    /* Into each of the first registers, were it let */
    qamd_cmd(q, CMD(0xf), 0);
    g_assert_cmphex(victim(q), ==, 0x5a5a5a5a);
    qamd_stop(q);
}

/* What is read there is no command */
static void test_ring_in_registers(void)
{
    QAMDIOMMU *q = qamd_start_stock("", "", "");
    uint64_t evt[2], base;

    qamd_enable(q, 0);
    base = victim_addr(q) & ~0xfffULL;
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE,
                 base | (uint64_t)RING_CODE << 56);
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, 16);
    g_assert_true(qamd_event(q, evt));
    g_assert_cmphex(evt[0], ==, 6ULL << 60);
    g_assert_cmphex(evt[1], ==, base);
    g_assert_false(status(q, AMDVI_MMIO_STATUS_CMDBUF_RUN));
    qamd_stop(q);
}

/*
 * Devices whose mappings QEMU has to follow, as those of VFIO
 */

static uint64_t told(QAMDIOMMU *q, const char *what)
{
    QDict *rsp = qtest_qmp(q->qts, "{ 'execute': 'qom-get', 'arguments': "
                           "{ 'path': '/machine/peripheral/itd', "
                           "'property': %s } }", what);
    uint64_t n;

    g_assert(qdict_haskey(rsp, "return"));
    n = qdict_get_int(rsp, "return");
    qobject_unref(rsp);
    return n;
}

static void inv_all_pages(QAMDIOMMU *q)
{
    qamd_inv_pages(q, DOMID, 0, QAMD_INV_ALL_ADDR | QAMD_INV_S |
                   QAMD_INV_PDE);
    g_assert_true(qamd_wait(q));
}

/* Three small pages; @unmaps is what there was before the first of them */
static QAMDIOMMU *follow(uint64_t *root, uint64_t *pte, uint64_t *unmaps)
{
    QAMDIOMMU *q = qamd_start_stock(",dma-remap=on", ",notify=on", "");
    uint64_t page;
    int i;

    qamd_enable(q, 0);
    *root = attach(q);
    for (i = 0; i < 3; i++) {
        page = qamd_page(q);
        *pte = qamd_map_host(q, *root, 3, IOVA + i * 0x1000, page, 1,
                             QAMD_PTE_RW);
    }
    inv_all_pages(q);
    g_assert_cmpuint(told(q, "notify-maps"), ==, 3);
    *unmaps = told(q, "notify-unmaps");
    return q;
}

/* As the tables of the last kernel go when a next one is started */
static void test_unmap_table(void)
{
    uint64_t root, pte, before;
    QAMDIOMMU *q = follow(&root, &pte, &before);

    qtest_writeq(q->qts, root, 0);
    inv_all_pages(q);
    g_assert_cmpuint(told(q, "notify-unmaps"), >, before);
    g_assert_true(qamd_dma_fails(q, IOVA, 0));
    /* All are forgotten: another table is mapped from the start */
    qamd_map_host(q, root, 3, IOVA, qamd_page(q), 1, QAMD_PTE_RW);
    inv_all_pages(q);
    g_assert_cmpuint(told(q, "notify-maps"), ==, 4);
    qamd_stop(q);
}

static void test_unmap_one(void)
{
    uint64_t root, pte, before;
    QAMDIOMMU *q = follow(&root, &pte, &before);

    qtest_writeq(q->qts, pte, 0);
    inv_all_pages(q);
    g_assert_cmpuint(told(q, "notify-unmaps"), ==, before + 1);
    qamd_stop(q);
}

/* Not present, but with permissions */
static void test_unmap_with_permission(void)
{
    uint64_t root, pte, before;
    QAMDIOMMU *q = follow(&root, &pte, &before);

    qtest_writeq(q->qts, pte, QAMD_PTE_RW);
    inv_all_pages(q);
    g_assert_cmpuint(told(q, "notify-unmaps"), ==, before + 1);
    qamd_stop(q);
}

/* A large page whose address has no 0 that ends its size */
static void test_page_of_all_ones(void)
{
    uint64_t root, pte, before;
    QAMDIOMMU *q = follow(&root, &pte, &before);

    qtest_writeq(q->qts, pte, UINT64_MAX & ~QAMD_PTE_A);
    inv_all_pages(q);
    g_assert_true(qamd_wait(q));
    qamd_stop(q);
}

int main(int argc, char **argv)
{
    int i;

    g_test_init(&argc, &argv, NULL);
    qtest_add_func(DIR "fault/device", test_fault);
    qtest_add_func(DIR "fault/behind-bridge", test_fault_behind_bridge);
    for (i = 0; i < ARRAY_SIZE(illegal); i++) {
        g_autofree char *path = g_strdup_printf(DIR "illegal/%s",
                                                illegal[i].name);

        qtest_add_data_func(path, &illegal[i], test_illegal);
    }
    qtest_add_func(DIR "illegal/not-executed", test_wait_reserved_store);
    qtest_add_data_func(DIR "length/0", GUINT_TO_POINTER(0), test_length);
    qtest_add_data_func(DIR "length/7", GUINT_TO_POINTER(7), test_length);
    qtest_add_data_func(DIR "length/8", GUINT_TO_POINTER(8), test_length);
    qtest_add_data_func(DIR "interrupt/wait-off", GUINT_TO_POINTER(0),
                        test_wait_interrupt);
    qtest_add_data_func(DIR "interrupt/wait-on",
                        GUINT_TO_POINTER(AMDVI_MMIO_CONTROL_COMWAITINTEN),
                        test_wait_interrupt);
    qtest_add_data_func(DIR "interrupt/event-off", GUINT_TO_POINTER(0),
                        test_event_interrupt);
    qtest_add_data_func(DIR "interrupt/event-on",
                        GUINT_TO_POINTER(AMDVI_MMIO_CONTROL_EVENTINTEN),
                        test_event_interrupt);
    qtest_add_func(DIR "interrupt/one-msi", test_one_msi);
    qtest_add_func(DIR "southbridge", test_southbridge);
    qtest_add_data_func(DIR "log/overflow", ",dma-remap=on", test_overflow);
    qtest_add_data_func(DIR "log/overflow-model", ",host-grade=on",
                        test_overflow);
    qtest_add_func(DIR "log/new-base", test_new_base);
    qtest_add_func(DIR "memory-only/store", test_store_into_register);
    qtest_add_func(DIR "memory-only/log", test_log_in_registers);
    qtest_add_func(DIR "memory-only/ring", test_ring_in_registers);
    qtest_add_func(DIR "unmap/one", test_unmap_one);
    qtest_add_func(DIR "unmap/table", test_unmap_table);
    qtest_add_func(DIR "unmap/with-permission", test_unmap_with_permission);
    qtest_add_func(DIR "unmap/all-ones", test_page_of_all_ones);
    return g_test_run();
}
