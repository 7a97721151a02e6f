/*
 * libqos: AMD IOMMU, host-grade model
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qnum.h"
#include "pci-pc.h"
#include "qos-iommu-testdev.h"
#include "fw_cfg.h"
#include "qos-amd-iommu.h"

/* Memory that nothing else uses: no firmware runs */
#define MEM_BASE                0x10000000ULL
#define PAGE                    0x1000ULL
#define RING_CODE               8
#define RING_BYTES              (16U << RING_CODE)
/* Entries for bus 0 to 31 */
#define DEVTAB_PAGES            64

#define CTRL_ON                 (AMDVI_MMIO_CONTROL_AMDVIEN |           \
                                 AMDVI_MMIO_CONTROL_EVENTLOGEN |        \
                                 AMDVI_MMIO_CONTROL_CMDBUFLEN)

uint64_t qamd_reg(QAMDIOMMU *q, uint64_t offset)
{
    return qtest_readq(q->qts, AMDVI_BASE_ADDR + offset);
}

void qamd_set_reg(QAMDIOMMU *q, uint64_t offset, uint64_t value)
{
    qtest_writeq(q->qts, AMDVI_BASE_ADDR + offset, value);
}

static uint64_t pages(QAMDIOMMU *q, unsigned n)
{
    uint64_t p = q->next;

    q->next += n * PAGE;
    qtest_memset(q->qts, p, 0, n * PAGE);
    return p;
}

uint64_t qamd_page(QAMDIOMMU *q)
{
    return pages(q, 1);
}

static void save_device(QPCIDevice *dev, int devfn, void *data)
{
    *(QPCIDevice **)data = dev;
}

static QAMDIOMMU *start_machine(const char *props, const char *args)
{
    QAMDIOMMU *q = g_new0(QAMDIOMMU, 1);

    q->qts = qtest_initf("-machine q35 -m 512 -net none "
                         "-device amd-iommu,id=iommu%s %s", props, args);
    q->bus = qpci_new_pc(q->qts, NULL);
    q->next = MEM_BASE;
    return q;
}

static void start_device(QAMDIOMMU *q)
{
    g_assert(q->dev);
    qpci_device_enable(q->dev);
    q->bar = qpci_iomap(q->dev, 0, NULL);
    q->devid = q->dev->devfn;
}

QAMDIOMMU *qamd_start(const char *props, const char *args)
{
    g_autofree char *model = g_strdup_printf(",host-grade=on%s", props);

    return qamd_start_stock(model, "", args);
}

QAMDIOMMU *qamd_start_stock(const char *props, const char *dev_props,
                            const char *args)
{
    g_autofree char *all = g_strdup_printf("-device iommu-testdev,id=itd%s %s",
                                           dev_props, args);
    QAMDIOMMU *q = start_machine(props, all);

    qpci_device_foreach(q->bus, IOMMU_TESTDEV_VENDOR_ID,
                        IOMMU_TESTDEV_DEVICE_ID, save_device, &q->dev);
    start_device(q);
    return q;
}

/*
 * libqos knows bus 0 alone, but puts what it is given as devfn into the
 * address register, where the bus number is next to it.
 */
QAMDIOMMU *qamd_start_behind_bridge(const char *props)
{
    g_autofree char *model = g_strdup_printf(",host-grade=on%s", props);

    return qamd_start_stock_behind_bridge(model);
}

QAMDIOMMU *qamd_start_stock_behind_bridge(const char *props)
{
    QAMDIOMMU *q = start_machine(props, "-device pcie-root-port,id=rp,"
                                 "addr=1e.0 -device iommu-testdev,bus=rp");
    QPCIDevice *port = qpci_device_find(q->bus, QPCI_DEVFN(0x1e, 0));

    g_assert(port);
    qpci_config_writeb(port, PCI_SECONDARY_BUS, 1);
    qpci_config_writeb(port, PCI_SUBORDINATE_BUS, 1);
    q->dev = qpci_device_find(q->bus, 1 << 8);
    start_device(q);
    /* A window around what libqos gave the device */
    qpci_config_writew(port, PCI_MEMORY_BASE, q->bar.addr >> 16);
    qpci_config_writew(port, PCI_MEMORY_LIMIT, q->bar.addr >> 16);
    qpci_device_enable(port);
    g_free(port);
    return q;
}

void qamd_stop(QAMDIOMMU *q)
{
    g_free(q->dev);
    qpci_free_pc(q->bus);
    qtest_quit(q->qts);
    g_free(q);
}

void qamd_enable(QAMDIOMMU *q, uint64_t control)
{
    q->devtab = pages(q, DEVTAB_PAGES);
    q->cmdbuf = qamd_page(q);
    q->evtlog = qamd_page(q);
    q->sem = qamd_page(q);
    qamd_set_reg(q, AMDVI_MMIO_DEVICE_TABLE, q->devtab | (DEVTAB_PAGES - 1));
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_BASE,
                 q->cmdbuf | (uint64_t)RING_CODE << 56);
    qamd_set_reg(q, AMDVI_MMIO_EVENT_BASE,
                 q->evtlog | (uint64_t)RING_CODE << 56);
    qamd_set_reg(q, AMDVI_MMIO_CONTROL, CTRL_ON | control);
}

uint64_t qamd_get(QAMDIOMMU *q, const char *property)
{
    QDict *rsp = qtest_qmp(q->qts, "{ 'execute': 'qom-get', 'arguments': "
                           "{ 'path': '/machine/peripheral/iommu', "
                           "'property': %s } }", property);
    uint64_t value;

    g_assert(qdict_haskey(rsp, "return"));
    value = qnum_get_uint(qobject_to(QNum, qdict_get(rsp, "return")));
    qobject_unref(rsp);
    return value;
}

void qamd_set(QAMDIOMMU *q, const char *property, uint64_t value)
{
    qtest_qmp_assert_success(q->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': '/machine/peripheral/iommu', "
                             "'property': %s, 'value': %" PRIu64 " } }",
                             property, value);
}

/*
 * Tables
 */

void qamd_set_dte(QAMDIOMMU *q, const uint64_t dte[4])
{
    int i;

    for (i = 0; i < 4; i++) {
        qtest_writeq(q->qts, q->devtab + q->devid * 32 + i * 8, dte[i]);
    }
}

void qamd_host_dte(uint64_t dte[4], uint16_t domid, uint64_t root,
                   unsigned mode)
{
    dte[0] = QAMD_DTE0_V | QAMD_DTE0_TV | QAMD_DTE0_MODE(mode) | root |
             QAMD_DTE0_IR | QAMD_DTE0_IW;
    dte[1] = domid;
    dte[2] = 0;
    dte[3] = 0;
}

void qamd_guest_dte(uint64_t dte[4], uint64_t gcr3, unsigned glx, bool five)
{
    dte[0] |= QAMD_DTE0_GV | QAMD_DTE0_GIOV | QAMD_DTE0_GLX(glx) |
              extract64(gcr3, 12, 3) << 58;
    dte[1] |= extract64(gcr3, 15, 16) << 16 | extract64(gcr3, 31, 21) << 43;
    dte[2] |= five ? QAMD_DTE2_5LEVEL : 0;
}

static uint64_t entry_addr(uint64_t table, uint64_t addr, unsigned level)
{
    return table + (addr >> (12 + 9 * (level - 1)) & 0x1ff) * 8;
}

uint64_t qamd_map_host(QAMDIOMMU *q, uint64_t root, unsigned top,
                       uint64_t iova, uint64_t spa, unsigned level,
                       uint64_t flags)
{
    uint64_t table = root, at, e;

    for (;; top--) {
        at = entry_addr(table, iova, top);
        if (top == level) {
            break;
        }
        e = qtest_readq(q->qts, at);
        if (!(e & QAMD_PTE_PR)) {
            e = qamd_page(q) | QAMD_PTE_PR | QAMD_PTE_NEXT(top - 1) |
                QAMD_PTE_RW;
            qtest_writeq(q->qts, at, e);
        }
        table = e & GENMASK64(51, 12);
    }
    qtest_writeq(q->qts, at, spa | QAMD_PTE_PR | flags);
    return at;
}

uint64_t qamd_map_guest(QAMDIOMMU *q, uint64_t root, unsigned top,
                        uint64_t gva, uint64_t gpa, unsigned level,
                        uint64_t flags)
{
    uint64_t table = root, at, e;

    for (;; top--) {
        at = entry_addr(table, gva, top);
        if (top == level) {
            break;
        }
        e = qtest_readq(q->qts, at);
        if (!(e & QAMD_GPTE_P)) {
            e = (qamd_page(q) + q->gpa_offset) | QAMD_GPTE_P | QAMD_GPTE_RW;
            qtest_writeq(q->qts, at, e);
        }
        table = (e & GENMASK64(51, 12)) - q->gpa_offset;
    }
    qtest_writeq(q->qts, at, gpa | QAMD_GPTE_P | flags |
                 (level > 1 ? QAMD_GPTE_PS : 0));
    return at;
}

void qamd_set_gcr3(QAMDIOMMU *q, uint64_t gcr3, unsigned glx, uint32_t pasid,
                   uint64_t root)
{
    uint64_t at, e;

    for (;; glx--) {
        at = gcr3 + extract32(pasid, 9 * glx, 9) * 8;
        if (!glx) {
            break;
        }
        e = qtest_readq(q->qts, at);
        if (!(e & 1)) {
            e = (qamd_page(q) + q->gpa_offset) | 1;
            qtest_writeq(q->qts, at, e);
        }
        gcr3 = (e & GENMASK64(51, 12)) - q->gpa_offset;
    }
    qtest_writeq(q->qts, at, (root + q->gpa_offset) | 1);
}

/*
 * Commands
 */

void qamd_cmd(QAMDIOMMU *q, uint64_t q0, uint64_t q1)
{
    qtest_writeq(q->qts, q->cmdbuf + q->cmd_tail, q0);
    qtest_writeq(q->qts, q->cmdbuf + q->cmd_tail + 8, q1);
    q->cmd_tail = (q->cmd_tail + 16) % RING_BYTES;
    qamd_set_reg(q, AMDVI_MMIO_COMMAND_TAIL, q->cmd_tail);
}

bool qamd_wait(QAMDIOMMU *q)
{
    q->sem_value++;
    qamd_cmd(q, (uint64_t)AMDVI_CMD_COMPLETION_WAIT << 60 | q->sem | 1,
             q->sem_value);
    return qtest_readq(q->qts, q->sem) == q->sem_value;
}

void qamd_inv_dte(QAMDIOMMU *q, uint16_t devid)
{
    qamd_cmd(q, (uint64_t)AMDVI_CMD_INVAL_DEVTAB_ENTRY << 60 | devid, 0);
}

void qamd_inv_pages(QAMDIOMMU *q, uint16_t domid, uint32_t pasid,
                    uint64_t qword1)
{
    qamd_cmd(q, (uint64_t)AMDVI_CMD_INVAL_AMDVI_PAGES << 60 |
             (uint64_t)domid << 32 | pasid, qword1);
}

void qamd_inv_all(QAMDIOMMU *q)
{
    qamd_cmd(q, (uint64_t)AMDVI_CMD_INVAL_AMDVI_ALL << 60, 0);
}

/*
 * The device and the event log
 */

static uint32_t dma(QAMDIOMMU *q, uint64_t iova, uint64_t spa, uint32_t pasid)
{
    return qos_iommu_testdev_trigger_dma(q->dev, q->bar, iova, spa, 4,
                                         ITD_ATTRS_SET_PASID(0, pasid));
}

bool qamd_dma(QAMDIOMMU *q, uint64_t iova, uint64_t spa, uint32_t pasid)
{
    qtest_writel(q->qts, spa, 0);
    return dma(q, iova, spa, pasid) == 0;
}

bool qamd_dma_fails(QAMDIOMMU *q, uint64_t iova, uint32_t pasid)
{
    return dma(q, iova, 0, pasid) == ITD_DMA_ERR_TX_FAIL;
}

bool qamd_event(QAMDIOMMU *q, uint64_t evt[2])
{
    if (qamd_reg(q, AMDVI_MMIO_EVENT_TAIL) == q->evt_head) {
        return false;
    }
    evt[0] = qtest_readq(q->qts, q->evtlog + q->evt_head);
    evt[1] = qtest_readq(q->qts, q->evtlog + q->evt_head + 8);
    q->evt_head = (q->evt_head + 16) % RING_BYTES;
    qamd_set_reg(q, AMDVI_MMIO_EVENT_HEAD, q->evt_head);
    return true;
}

#define TABLES_MAX              (16 * 1024)

uint8_t *qamd_read_ivrs(QTestState *qts, uint32_t *len)
{
    QFWCFG *fw_cfg = pc_fw_cfg_init(qts);
    g_autofree uint8_t *all = g_malloc0(TABLES_MAX);
    size_t size, at = 0;

    size = MIN(qfw_cfg_get_file(fw_cfg, "etc/acpi/tables", all, TABLES_MAX),
               TABLES_MAX);
    pc_fw_cfg_uninit(fw_cfg);
    /* The FACS comes first and is as long as it says; so are all others */
    while (at + 36 < size && ldl_le_p(all + at + 4)) {
        *len = ldl_le_p(all + at + 4);
        if (!memcmp(all + at, "IVRS", 4) && at + *len <= size) {
            return g_memdup2(all + at, *len);
        }
        at += *len;
    }
    g_assert_not_reached();
}
