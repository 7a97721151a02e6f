/*
 * QTest for the accelerated AMD IOMMU: what there is without a host that has
 * one. Its options, what it tells a guest, and rings that QEMU runs while there
 * is no device.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "libqos/qos-amd-iommu.h"
#include "hw/pci/pci_regs.h"
#include "qobject/qdict.h"

#define Q35             "-M q35 -net none "
#define ACCEL           Q35 "-device amd-iommu,id=iommu,accel=on"
#define IOMMU_PATH      "/machine/peripheral/iommu"

#define CMDBUF          0x200000
#define STORE           0x300000
#define TABLE           0x400000
#define LOG             0x500000
#define LEN_256         (8ULL << 56)
#define ON              AMDVI_MMIO_CONTROL_AMDVIEN
#define CMD_ON          (ON | AMDVI_MMIO_CONTROL_CMDBUFLEN)
#define EVT_ON          AMDVI_MMIO_CONTROL_EVENTLOGEN

#define IVRS_BLOCKS     48

static uint64_t get(QTestState *qts, uint64_t reg)
{
    return qtest_readq(qts, AMDVI_BASE_ADDR + reg);
}

static void set(QTestState *qts, uint64_t reg, uint64_t val)
{
    qtest_writeq(qts, AMDVI_BASE_ADDR + reg, val);
}

/* What QEMU says when it does not start */
static char *refusal(const char *options)
{
    g_autofree char *line = g_strdup_printf("%s %s -display none -accel qtest",
                                            qtest_qemu_binary(NULL), options);
    char *err = NULL;
    int status = 0;

    g_assert_true(g_spawn_command_line_sync(line, NULL, &err, &status, NULL));
    g_assert_cmpint(WIFEXITED(status), !=, 0);
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    return err;
}

static void test_options(void)
{
    static const struct {
        const char *options;
        const char *text;
    } bad[] = {
        { ",hw-queues=on", "hw-queues= needs accel=on" },
        { ",hw-queues=off", "hw-queues= needs accel=on" },
        { ",accel=on,dma-remap=on", "accel=on excludes" },
        { ",accel=on,host-grade=on", "accel=on excludes" },
        { ",accel=on,dma-translation=off", "accel=on excludes" },
        { ",accel=on,device-iotlb=on", "accel=on excludes" },
        { ",accel=on,hw-queues=on,intremap=on", "needs intremap=off" },
        { ",accel=on,hw-queues=maybe", "hw-queues" },
        { ",accel=on -only-migratable", "not migratable" },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autofree char *options = g_strdup_printf(Q35 "-device amd-iommu%s",
                                                   bad[i].options);
        g_autofree char *err = refusal(options);

        g_assert_nonnull(strstr(err, bad[i].text));
    }
}

static char *get_string(QTestState *qts, const char *property)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': "
                           "{'path': '" IOMMU_PATH "', 'property': %s}}",
                           property);
    char *str = g_strdup(qdict_get_str(rsp, "return"));

    qobject_unref(rsp);
    return str;
}

static uint64_t get_number(QTestState *qts, const char *property)
{
    QDict *rsp = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': "
                           "{'path': '" IOMMU_PATH "', 'property': %s}}",
                           property);
    uint64_t val = qdict_get_int(rsp, "return");

    qobject_unref(rsp);
    return val;
}

static void test_mode(void)
{
    QTestState *qts = qtest_init(ACCEL);
    g_autofree char *mode = get_string(qts, "accel-mode");
    g_autofree char *off = NULL;

    g_assert_cmpstr(mode, ==, "no device");
    qtest_quit(qts);
    qts = qtest_init(Q35 "-device amd-iommu,id=iommu");
    off = get_string(qts, "accel-mode");
    g_assert_cmpstr(off, ==, "off");
    qtest_quit(qts);
}

/* Registers and table agree, and offer what the host can do for a guest */
static void check_features(const char *options, uint64_t efr)
{
    QTestState *qts = qtest_init(options);
    g_autofree uint8_t *ivrs = NULL;
    uint32_t len, at;
    bool seen = false;

    g_assert_cmphex(get(qts, AMDVI_MMIO_EXT_FEATURES), ==, efr);
    g_assert_cmphex(get(qts, AMD_IOMMU_REG_EXT_FEATURES2), ==, 0);
    ivrs = qamd_read_ivrs(qts, &len);
    for (at = IVRS_BLOCKS; at < len; at += lduw_le_p(ivrs + at + 2)) {
        /* Neither ATS nor page requests nor prefetching */
        g_assert_cmphex(ivrs[at + 1], ==, 1);
        if (ivrs[at] == 0x11) {
            seen = true;
            /* HATDis */
            g_assert_cmphex(ldl_le_p(ivrs + at + 20), ==, 1);
            g_assert_cmphex(ldq_le_p(ivrs + at + 24), ==, efr);
            /* No device, and no end of the list either: the host bridge */
            g_assert_cmpuint(lduw_le_p(ivrs + at + 2), ==, 44);
            g_assert_cmphex(ldl_le_p(ivrs + at + 40), ==, 2);
        }
    }
    g_assert_true(seen);
    qtest_quit(qts);
}

static void test_features(void)
{
    const uint64_t efr = AMDVI_FEATURE_GT | AMDVI_FEATURE_GA |
                         AMD_IOMMU_EFR_GIOSUP;

    check_features(ACCEL ",intremap=off", efr | AMDVI_FEATURE_IA);
    check_features(ACCEL ",hw-queues=off,intremap=off",
                   efr | AMDVI_FEATURE_IA);
    /* INVALIDATE_ALL is for QEMU, not for hardware */
    check_features(ACCEL ",hw-queues=on", efr);
}

/* Behind a root port is behind the IOMMU: not for devices that QEMU emulates */
static void test_emulated(void)
{
    g_autofree char *err = refusal(ACCEL " -device pcie-root-port,id=rp0 "
                                   "-device nvme,bus=rp0,serial=1");
    QTestState *qts;

    g_autofree char *late = refusal(Q35 "-device pcie-root-port,id=rp0 "
                                    "-device nvme,bus=rp0,serial=1 "
                                    "-device amd-iommu,accel=on");

    g_assert_nonnull(strstr(err, "cannot have an emulated device"));
    g_assert_nonnull(strstr(err, "bus=pcie.0"));
    g_assert_nonnull(strstr(late, "has to be before 'nvme'"));
    qts = qtest_init(ACCEL " -device pcie-root-port,id=rp0 "
                     "-device nvme,serial=1");
    qtest_quit(qts);
}

/*
 * A bridge to conventional PCI has an ID of its own for what is behind it, which
 * is behind the IOMMU, too
 */
static void test_conventional(void)
{
    static const char *const bad[] = {
        "-device pcie-root-port,id=p -device pcie-pci-bridge,id=b,bus=p "
        "-device edu,bus=b,addr=1",
        "-device pcie-root-port,id=p -device pcie-pci-bridge,id=b,bus=p "
        "-device virtio-rng-pci,bus=b,addr=2",
        "-device i82801b11-bridge,id=b -device edu,bus=b,addr=0",
        "-device i82801b11-bridge,id=b -device edu,bus=b,addr=1",
        "-device pci-bridge,id=b,chassis_nr=1 -device nvme,serial=1,bus=b,addr=1",
        "-device pcie-root-port,id=p -device pcie-pci-bridge,id=q,bus=p "
        "-device pci-bridge,id=b,bus=q,chassis_nr=1,addr=1 "
        "-device edu,bus=b,addr=1",
    };
    static const char *const good[] = {
        "-device pcie-root-port,id=p -device pcie-pci-bridge,id=b,bus=p",
        "-device i82801b11-bridge,id=b",
        "-device pci-bridge,id=b,chassis_nr=1",
        "-device pxb-pcie,id=b,bus_nr=0x40 -device pcie-root-port,bus=b",
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autofree char *options = g_strdup_printf(ACCEL " %s", bad[i]);
        g_autofree char *err = refusal(options);

        g_assert_nonnull(strstr(err, "bridge to conventional PCI"));
        g_assert_nonnull(strstr(err, "bus=pcie.0"));
    }
    for (i = 0; i < ARRAY_SIZE(good); i++) {
        qtest_quit(qtest_initf(ACCEL " %s", good[i]));
    }
}

/* The IVRS lists the IOAPIC, at the address of no device */
static void test_ioapic_slot(void)
{
    g_autofree char *err = refusal(ACCEL ",hw-queues=off,intremap=on "
                                   "-device edu,addr=14");

    g_assert_nonnull(strstr(err, "IOAPIC"));
    qtest_quit(qtest_init(ACCEL ",intremap=off -device edu,addr=14"));
}

static void wait_cmd(QTestState *qts, unsigned n, uint64_t data)
{
    qtest_writeq(qts, CMDBUF + n * 16, 1ULL << 60 | STORE | 1);
    qtest_writeq(qts, CMDBUF + n * 16 + 8, data);
    set(qts, AMDVI_MMIO_COMMAND_TAIL, (n + 1) * 16);
}

/* Without device, QEMU is the hardware */
static void test_no_device(void)
{
    QTestState *qts = qtest_init(ACCEL);

    set(qts, AMDVI_MMIO_DEVICE_TABLE, 0x400000);
    set(qts, AMDVI_MMIO_COMMAND_BASE, CMDBUF | LEN_256);
    set(qts, AMDVI_MMIO_CONTROL, CMD_ON);
    g_assert_cmphex(get(qts, AMDVI_MMIO_STATUS), ==,
                    AMDVI_MMIO_STATUS_CMDBUF_RUN);
    wait_cmd(qts, 0, 0x1234);
    g_assert_cmphex(qtest_readq(qts, STORE), ==, 0x1234);
    g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
    g_assert_cmpuint(get_number(qts, "count-commands"), ==, 1);
    g_assert_cmpuint(get_number(qts, "count-mmio-writes"), ==, 4);
    g_assert_cmpuint(get_number(qts, "count-mmio-reads"), ==, 2);
    g_assert_cmpuint(get_number(qts, "count-ioctl-viommu-command"), ==, 0);
    qtest_system_reset(qts);
    g_assert_cmphex(get(qts, AMDVI_MMIO_STATUS), ==, 0);
    qtest_quit(qts);
}

/* An interrupt of the device at 00:04.0, by message; is it at the CPU? */
static bool interrupts(QTestState *qts)
{
    const unsigned vector = 0x61;
    QPCIBus *bus = qpci_new_pc(qts, NULL);
    QPCIDevice *dev = qpci_device_find(bus, QPCI_DEVFN(4, 0));
    g_autofree char *irr = g_strdup_printf("IRR\t %u ", vector);
    g_autofree char *lapic = NULL;
    QPCIBar bar;
    uint8_t cap;

    g_assert_nonnull(dev);
    qpci_device_enable(dev);
    bar = qpci_iomap(dev, 0, NULL);
    cap = qpci_find_capability(dev, PCI_CAP_ID_MSI, 0);
    qpci_config_writel(dev, cap + PCI_MSI_ADDRESS_LO, 0xfee00000);
    qpci_config_writel(dev, cap + PCI_MSI_ADDRESS_HI, 0);
    qpci_config_writew(dev, cap + PCI_MSI_DATA_64, vector);
    qpci_config_writew(dev, cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE |
                       qpci_config_readw(dev, cap + PCI_MSI_FLAGS));
    qpci_io_writel(dev, bar, 0x60, 1);
    lapic = qtest_hmp(qts, "info lapic");
    g_free(dev);
    qpci_free_pc(bus);
    g_assert_nonnull(strstr(lapic, "IRR\t "));
    return strstr(lapic, irr);
}

/*
 * As Linux leaves entries that nobody uses, and the entry of a device that is
 * not behind the IOMMU: interrupts are aborted. With bits that make it illegal.
 */
static void set_table(QTestState *qts, uint64_t q0)
{
    unsigned i;

    for (i = 0; i < 256; i++) {
        qtest_writeq(qts, TABLE + i * 32, q0);
        qtest_writeq(qts, TABLE + i * 32 + 16, 1);
    }
    set(qts, AMDVI_MMIO_DEVICE_TABLE, TABLE | 0x1ff);
    set(qts, AMDVI_MMIO_EVENT_BASE, LOG | LEN_256);
    set(qts, AMDVI_MMIO_CONTROL, ON | EVT_ON);
}

static void test_interrupts(void)
{
    static const struct {
        const char *options;
        uint64_t q0;
        bool passes;
        bool event;
    } cases[] = {
        { ",accel=on,hw-queues=off,intremap=on", 0, true, false },
        { ",accel=on,hw-queues=off,intremap=on", 1 | 1 << 2, true, false },
        { ",accel=on,intremap=off", 0, true, false },
        { ",accel=on,intremap=off", 1 | 1 << 2, true, false },
        /* The same with an IOMMU that is in front of it */
        { ",intremap=on", 0, false, false },
        { ",intremap=on", 1 | 1 << 2, false, true },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        QTestState *qts = qtest_initf(Q35 "-device amd-iommu%s "
                                      "-device edu,addr=4", cases[i].options);

        set_table(qts, cases[i].q0);
        g_assert_true(interrupts(qts) == cases[i].passes);
        g_assert_cmphex(get(qts, AMDVI_MMIO_EVENT_TAIL), ==,
                        cases[i].event ? 16 : 0);
        qtest_quit(qts);
    }
}

static void test_migration(void)
{
    QTestState *qts = qtest_init(ACCEL);
    QDict *rsp = qtest_qmp(qts, "{'execute': 'migrate', 'arguments': "
                           "{'uri': 'exec:cat >/dev/null'}}");
    const char *desc;

    g_assert_true(qdict_haskey(rsp, "error"));
    desc = qdict_get_str(qdict_get_qdict(rsp, "error"), "desc");
    g_assert_nonnull(strstr(desc, "amd-iommu"));
    qobject_unref(rsp);
    qtest_quit(qts);
}

/* An illegal command, or none, stops the buffer; it does not go on by itself */
static void test_illegal(void)
{
    static const uint64_t bad[][2] = {
        { 0, 0xf0ULL << 56 }, { 0xf0ULL << 56, 0 },
        { 1ULL << 60 | 1ULL << 52 | STORE | 1, 0x5678 },
    };
    QTestState *qts = qtest_init(ACCEL);
    uint64_t log = 0;
    unsigned i;

    set(qts, AMDVI_MMIO_EVENT_BASE, LOG | LEN_256);
    set(qts, AMDVI_MMIO_COMMAND_BASE, CMDBUF | LEN_256);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        set(qts, AMDVI_MMIO_CONTROL, ON | EVT_ON);
        set(qts, AMDVI_MMIO_COMMAND_HEAD, 0);
        set(qts, AMDVI_MMIO_COMMAND_TAIL, 0);
        set(qts, AMDVI_MMIO_CONTROL, CMD_ON | EVT_ON);
        wait_cmd(qts, 0, 0x1234);
        g_assert_cmphex(qtest_readq(qts, STORE), ==, 0x1234);
        qtest_writeq(qts, CMDBUF + 16, bad[i][0]);
        qtest_writeq(qts, CMDBUF + 24, bad[i][1]);
        wait_cmd(qts, 2, 0x9abc);
        g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
        g_assert_cmphex(get(qts, AMDVI_MMIO_STATUS), ==,
                        AMDVI_MMIO_STATUS_EVT_RUN |
                        AMDVI_MMIO_STATUS_EVENT_INT);
        g_assert_cmphex(qtest_readq(qts, STORE), ==, 0x1234);
        g_assert_cmphex(qtest_readq(qts, LOG + log), ==, 5ULL << 60);
        g_assert_cmphex(qtest_readq(qts, LOG + log + 8), ==, CMDBUF + 16);
        log += 16;
        /* Neither by another bit, nor by the tail */
        set(qts, AMDVI_MMIO_CONTROL, CMD_ON | EVT_ON | 1 << 4);
        wait_cmd(qts, 3, 0xdef0);
        g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 16);
        g_assert_cmphex(get(qts, AMDVI_MMIO_EVENT_TAIL), ==, log);
        /* The guest repairs it */
        qtest_writeq(qts, CMDBUF + 16, 3ULL << 60);
        qtest_writeq(qts, CMDBUF + 24, 0);
        set(qts, AMDVI_MMIO_CONTROL, ON | EVT_ON);
        set(qts, AMDVI_MMIO_CONTROL, CMD_ON | EVT_ON);
        g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 64);
        g_assert_cmphex(qtest_readq(qts, STORE), ==, 0xdef0);
    }
    /* No memory there */
    set(qts, AMDVI_MMIO_COMMAND_BASE, 0xc0000000 | LEN_256);
    set(qts, AMDVI_MMIO_COMMAND_TAIL, 16);
    g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 0);
    g_assert_cmphex(get(qts, AMDVI_MMIO_STATUS), ==,
                    AMDVI_MMIO_STATUS_EVT_RUN | AMDVI_MMIO_STATUS_EVENT_INT);
    g_assert_cmphex(qtest_readq(qts, LOG + log), ==, 6ULL << 60);
    g_assert_cmphex(qtest_readq(qts, LOG + log + 8), ==, 0xc0000000);
    qtest_quit(qts);
}

/* Rings without base. Of any amd-iommu: QEMU must not hang, nor divide by 0 */
static void test_no_base(const void *options)
{
    QTestState *qts = qtest_init(options);

    set(qts, AMDVI_MMIO_CONTROL, CMD_ON | EVT_ON);
    set(qts, AMDVI_MMIO_COMMAND_TAIL, 0x40);
    set(qts, AMDVI_MMIO_COMMAND_TAIL, 0);
    /* An illegal command, and no log for the event */
    qtest_writeq(qts, CMDBUF, 15ULL << 60);
    set(qts, AMDVI_MMIO_COMMAND_BASE, CMDBUF | LEN_256);
    set(qts, AMDVI_MMIO_COMMAND_TAIL, 16);
    /* The ring has stopped there */
    g_assert_cmphex(get(qts, AMDVI_MMIO_COMMAND_HEAD), ==, 0);
    g_assert_false(get(qts, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_CMDBUF_RUN);
    qtest_quit(qts);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu")) {
        return g_test_run();
    }

    qtest_add_func("/amd-iommu-accel/options", test_options);
    qtest_add_func("/amd-iommu-accel/mode", test_mode);
    qtest_add_func("/amd-iommu-accel/features", test_features);
    qtest_add_func("/amd-iommu-accel/emulated", test_emulated);
    qtest_add_func("/amd-iommu-accel/conventional", test_conventional);
    qtest_add_func("/amd-iommu-accel/ioapic-slot", test_ioapic_slot);
    qtest_add_func("/amd-iommu-accel/no-device", test_no_device);
    qtest_add_func("/amd-iommu-accel/interrupts", test_interrupts);
    qtest_add_func("/amd-iommu-accel/migration", test_migration);
    qtest_add_func("/amd-iommu-accel/illegal", test_illegal);
    qtest_add_data_func("/amd-iommu-accel/no-base/accel", ACCEL, test_no_base);
    qtest_add_data_func("/amd-iommu-accel/no-base/stock",
                        Q35 "-device amd-iommu", test_no_base);
    return g_test_run();
}
