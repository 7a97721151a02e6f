/*
 * Unit test of the accelerated AMD IOMMU: what a guest does to its registers
 * and its device table, on a host that is made up
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device needs KVM and hardware. Its files are included with everything
 * under them replaced, see amd-iommu-accel-fake.h.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"

/* The objects in here are none, so they are given names that QOM has not */
#define object_dynamic_cast             fake_dynamic_cast
#define object_dynamic_cast_assert      fake_dynamic_cast_assert
#define object_unparent                 fake_unparent
#define object_get_root                 fake_get_root
#define object_child_foreach_recursive  fake_child_foreach_recursive
#define object_property_get_link        fake_property_get_link
#define object_property_add_uint64_ptr  fake_property_add_uint64_ptr
#define object_property_add_str         fake_property_add_str

/* Tracing would pull in the generated tables; some variables are for it only */
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define TRACE_HW_I386_GENERATED_TRACERS_H
#define trace_amd_iommu_accel_device(...)
#define trace_amd_iommu_accel_viommu(...)
#define trace_amd_iommu_accel_queue(...)
#define trace_amd_iommu_accel_set_control(...)
#define trace_amd_iommu_accel_dte(...)
#define trace_amd_iommu_accel_dte_write(...)
#define trace_amd_iommu_accel_attach(...)
#define trace_amd_iommu_accel_watch(...)
#define trace_amd_iommu_accel_invalidate(...)
#define trace_amd_iommu_accel_event(...)
#define trace_amd_iommu_accel_irq(...)
#define trace_amd_iommu_accel_lost(...)
#define trace_amd_iommu_accel_error(text) \
    g_strlcpy(last_report, text, sizeof(last_report))

static char last_report[256];

#include "../../hw/i386/amd_iommu_accel.c"
#include "../../hw/i386/amd_iommu_accel_cmd.c"
#include "../../hw/i386/amd_iommu_accel_dte.c"
#include "../../hw/i386/amd_iommu_accel_event.c"
#include "../../hw/i386/amd_iommu_accel_host.c"
#include "../../hw/i386/amd_iommu_accel_init.c"
#include "../../hw/i386/amd_iommu_accel_ring.c"
#include "../../hw/i386/amd_iommu_accel_viommu.c"
#include "../../hw/i386/amd_iommu_accel_watch.c"

#include "amd-iommu-accel-fake.h"

/* Guest control register */
#define IOMMU_EN        0x1ULL
#define EVT_EN          0x4ULL
#define EVT_INT         0x8ULL
#define CW_INT          0x10ULL
#define CMD_EN          0x1000ULL
#define PPR_EN          0x8000ULL

/* Guest memory */
#define CMD_GPA         0x200000ULL
#define EVT_GPA         0x210000ULL
#define TABLE           0x100000ULL
#define TABLE2          0x180000ULL
#define BASE(gpa)       ((gpa) | 9ULL << 56)
#define RING_BYTES      0x2000

/* Guest DTE */
#define V               0x1ULL
#define TV              0x2ULL
#define GIOV            (1ULL << 54)
#define GV              (1ULL << 55)
#define IR_IW           (3ULL << 61)
#define V2              (V | TV | GIOV | GV | IR_IW)

#define DEVFN(n)        (8 * ((n) + 3))

static AMDIOMMUAccel *a;

static uint64_t *count_ioctl(AMDIOMMUIoctl kind)
{
    return &state.counters.ioctl[kind];
}

static uint64_t shown(AMDAccelBlame blame)
{
    return a->reports[blame].shown;
}

static hwaddr dte_gpa(unsigned n)
{
    return state.devtab + amd_accel_rid(find(a, &buses[n], DEVFN(n))) * 32;
}

/* One access of the guest to a register, as amd_iommu.c hands it on */
static void reg_write(hwaddr reg, uint64_t val, unsigned size)
{
    stn_le_p(&state.mmior[reg], size, val);
    if ((reg & ~7) == AMDVI_MMIO_CONTROL) {
        amdvi_handle_control_write(&state);
        amd_iommu_accel_control(&state);
    } else if ((reg & ~7) == AMDVI_MMIO_DEVICE_TABLE) {
        val = ldq_le_p(&state.mmior[0]);
        state.devtab = val & GENMASK64(51, 12);
        state.devtab_len = ((val & 0x1ff) + 1) * 128;
        amd_iommu_accel_devtab(&state, reg, size);
    } else if (reg == AMDVI_MMIO_COMMAND_BASE) {
        state.cmdbuf = val & GENMASK64(51, 12);
        state.cmdbuf_len = 1 << extract64(val, 56, 4);
        state.cmdbuf_head = state.cmdbuf_tail = 0;
    }
}

static void w64(hwaddr reg, uint64_t val)
{
    reg_write(reg, val, 8);
}

#define INV_PAGES(n)    (3ULL << 60 | (uint64_t)(n) << 32)
#define INV_ALL         (8ULL << 60)
#define INV_DEVTAB(id)  (2ULL << 60 | (id))
#define WAIT            (1ULL << 60)

static void command(uint64_t low, uint64_t high, bool taken)
{
    const uint64_t cmd[2] = { low, high };

    g_assert(amd_iommu_accel_command(&state, cmd) == taken);
    /* As amd_iommu.c does */
    if (state.cmdbuf_enabled) {
        state.cmdbuf_head += 16;
        amd_accel_set_reg(a, AMDVI_MMIO_COMMAND_HEAD, state.cmdbuf_head);
    }
}

/* A word of a DTE: trapped or not */
static void mem_write(hwaddr gpa, uint64_t val, unsigned size)
{
    AMDAccelWatch *w = &a->watch;
    hwaddr first = w->table + w->start;

    if (w->size && gpa >= first && gpa < first + w->size) {
        watch_ops.write(a, gpa - w->table, val, size);
    } else {
        stn_le_p(ram + gpa, size, val);
    }
}

static void set_dte(unsigned n, uint64_t q0, uint64_t q1)
{
    mem_write(dte_gpa(n) + 8, q1, 8);
    mem_write(dte_gpa(n), q0, 8);
}

static uint64_t status(void)
{
    return host.vf[4];
}

/* A device as VFIO hands it on, which may be plugged */
static void set_up(unsigned n)
{
    HostIOMMUDevice *hiod = HOST_IOMMU_DEVICE(&hiods[n]);

    /* VFIO does this before */
    host.attached[n] = PARENT;
    hiods[n].iommufd = &backend;
    hiods[n].devid = DEV_ID(n);
    hiods[n].hwpt_id = PARENT;
    hiod->aliased_bus = &buses[n];
    hiod->aliased_devfn = DEVFN(n);
    hiod->caps.type = IOMMU_HW_INFO_TYPE_AMD;
    hiod->caps.vendor_caps.amd.efr = AMDVI_FEATURE_GT | AMD_IOMMU_EFR_GIOSUP;
    hiod->caps.vendor_caps.amd.efr2 = AMD_IOMMU_EFR2_GCR3TRPMODE;
}

static bool plug_as_it_is(unsigned n, Error **errp)
{
    return accel_ops.set_iommu_device(&buses[n], &state, DEVFN(n),
                                      HOST_IOMMU_DEVICE(&hiods[n]), errp);
}

static bool plug(unsigned n, Error **errp)
{
    set_up(n);
    return plug_as_it_is(n, errp);
}

static void is_refused_as_it_is(unsigned n, const char *text)
{
    unsigned objs = num_objs(OBJ_NONE);
    Error *err = NULL;

    g_assert_false(plug_as_it_is(n, &err));
    g_assert_nonnull(strstr(error_get_pretty(err), text));
    error_free(err);
    g_assert_cmpuint(num_objs(OBJ_NONE), ==, objs);
}

static void is_refused(unsigned n, const char *text)
{
    set_up(n);
    is_refused_as_it_is(n, text);
}

static void unplug(unsigned n)
{
    accel_ops.unset_iommu_device(&buses[n], &state, DEVFN(n));
}

/* A machine without devices */
static void start_empty(OnOffAuto hw_queues)
{
    int vf_fd = host.vf_fd;
    void *vf = host.vf;

    if (!vf) {
        vf_fd = memfd_create("viommu-vf", 0);
        g_assert_cmpint(ftruncate(vf_fd, VF_SIZE), ==, 0);
        vf = mmap(NULL, VF_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vf_fd, 0);
    }
    memset(vf, 0, VF_SIZE);
    memset(&host, 0, sizeof(host));
    host.vf_fd = vf_fd;
    host.vf = vf;
    host.vf_length = VF_SIZE;
    host.caps = IOMMU_VIOMMU_AMD_CAP_HW_QUEUES | IOMMU_VIOMMU_AMD_CAP_LOG_IRQ;
    memset(ram, 0, sizeof(ram));
    memset(rom, 0x5a, sizeof(rom));
    memset(&state, 0, sizeof(state));
    memset(hiods, 0, sizeof(hiods));
    ram_mr.ram = true;
    is_iommufd = true;
    machine_ready = false;
    msis = emulated_runs = iec_notifies = watched_fds = guest_log_len = 0;
    memset(fakes, 0, sizeof(fakes));
    num_fakes = 0;
    buses[0].flags = buses[1].flags = 0;
    vf_in_guest = false;
    vf_regions = 0;
    clock_ms = 0;
    bus_numbers[0] = 0;
    bus_numbers[1] = 2;
    state.pci = &pci;
    pci.dev.config = g_malloc0(256);
    state.iommu.dma_translation = true;
    state.iommu.intr_supported = ON_OFF_AUTO_OFF;
    state.accel_cfg.accel = true;
    state.accel_cfg.hw_queues = hw_queues;
    g_assert_true(amd_iommu_accel_realize(&state, &error_abort));
    a = state.accel;
}

static void start(OnOffAuto hw_queues)
{
    start_empty(hw_queues);
    g_assert_true(plug(0, &error_abort));
    machine_ready = true;
}

/* As Linux does it: table, rings, and at last the IOMMU */
static void guest_on(void)
{
    w64(AMDVI_MMIO_DEVICE_TABLE, TABLE | 0x1ff);
    w64(AMDVI_MMIO_COMMAND_BASE, BASE(CMD_GPA));
    w64(AMDVI_MMIO_CONTROL, CMD_EN);
    w64(AMDVI_MMIO_EVENT_BASE, BASE(EVT_GPA));
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | EVT_INT);
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | EVT_INT | IOMMU_EN);
}

/* Whatever the test was about: no rule was broken, and all can be given back */
static void finish(void)
{
    unsigned n;

    memset(host.fail, 0, sizeof(host.fail));
    for (n = 0; n < DEVS; n++) {
        unplug(n);
        if (host.attached[n]) {
            g_assert_cmpuint(host.attached[n], ==, PARENT);
        }
    }
    g_assert_cmpuint(num_objs(OBJ_NONE), ==, 0);
    g_assert_cmpuint(vf_mappings(), ==, 0);
    g_assert_cmpuint(host.refused, ==, 0);
    g_assert_cmpuint(host.busy, ==, 0);
    g_assert_cmphex(host.control, ==, 0);
    amd_iommu_accel_finalize(OBJECT(&state));
    g_free(a);
    g_free(pci.dev.config);
    a = NULL;
}

static bool is_blocked(unsigned n)
{
    uint32_t id = host.attached[n];

    return !id || (id != PARENT && is_blocking(obj(id)->dte));
}

/* The table that the device has, which is made from the guest's DTE now */
static bool has_dte(unsigned n)
{
    uint32_t id = host.attached[n];

    return id && id != PARENT && !memcmp(obj(id)->dte, ram + dte_gpa(n), 32);
}

/* Rings */

static void test_ring_usual(void)
{
    Obj *cmd, *evt;

    start(ON_OFF_AUTO_ON);
    guest_on();
    cmd = first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD);
    evt = first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_EVT);
    g_assert_cmphex(cmd->addr, ==, CMD_GPA);
    g_assert_cmphex(cmd->length, ==, RING_BYTES);
    g_assert_cmphex(evt->addr, ==, EVT_GPA);
    g_assert_cmphex(status(), ==, 0x18);
    g_assert_true(amd_iommu_accel_has_rings(&state));
    /* Off and on is two commands and no other queue */
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    g_assert_cmphex(status(), ==, 0);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN | EVT_EN);
    g_assert_cmphex(status(), ==, 0x18);
    g_assert_cmpuint(host.queues, ==, 2);
    g_assert_cmpuint(host.commands, ==, 3);
    g_assert_cmpuint(state.counters.errors, ==, 0);
    finish();
}

/* Until IommuEn, nothing is on; and what is not about rings is not for it */
static void test_ring_enable_order(void)
{
    start(ON_OFF_AUTO_ON);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    w64(AMDVI_MMIO_COMMAND_BASE, BASE(CMD_GPA));
    g_assert_cmpuint(host.queues, ==, 0);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN | PPR_EN | CW_INT | 1ULL << 50);
    g_assert_cmphex(host.control, ==, CMD_EN | CW_INT);
    w64(AMDVI_MMIO_CONTROL, CMD_EN);
    g_assert_cmphex(status(), ==, 0);
    g_assert_cmpuint(host.queues, ==, 1);
    finish();
}

static void test_ring_no_base(void)
{
    start(ON_OFF_AUTO_ON);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN | EVT_EN | EVT_INT);
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_HW_QUEUE_ALLOC), ==, 0);
    g_assert_cmphex(status(), ==, 0);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 2);
    /* A length that hardware does not have */
    w64(AMDVI_MMIO_COMMAND_BASE, CMD_GPA | 7ULL << 56);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_HW_QUEUE_ALLOC), ==, 0);
    g_assert_cmphex(status(), ==, 0);
    finish();
}

static void test_ring_half_base(void)
{
    const uint64_t high = CMD_GPA | 1ULL << 40;

    start(ON_OFF_AUTO_ON);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    reg_write(AMDVI_MMIO_COMMAND_BASE, (uint32_t)high, 4);
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_HW_QUEUE_ALLOC), ==, 0);
    reg_write(AMDVI_MMIO_COMMAND_BASE + 4, BASE(high) >> 32, 4);
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_HW_QUEUE_ALLOC), ==, 0);
    reg_write(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN, 4);
    g_assert_cmphex(first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD)->addr,
                    ==, high);
    finish();
}

static void test_ring_alloc_fails(void)
{
    start(ON_OFF_AUTO_ON);
    host.fail[AMD_IOCTL_HW_QUEUE_ALLOC] = ENOMEM;
    guest_on();
    g_assert_cmphex(status(), ==, 0);
    g_assert_cmphex(host.control, ==, 0);
    /* The guest reads what it has written, as on hardware: that is no claim */
    g_assert_cmphex(amd_accel_reg(a, AMDVI_MMIO_COMMAND_BASE), ==,
                    BASE(CMD_GPA));
    /* The other ring is none the worse for it, nor a later attempt */
    host.fail[AMD_IOCTL_HW_QUEUE_ALLOC] = 0;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | EVT_EN);
    g_assert_cmphex(status(), ==, AMDVI_MMIO_STATUS_EVT_RUN);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | EVT_EN | CMD_EN);
    g_assert_cmphex(status(), ==, 0x18);
    finish();
}

static void test_ring_command_fails(void)
{
    start(ON_OFF_AUTO_ON);
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = EIO;
    guest_on();
    g_assert_cmphex(status(), ==, 0);
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = 0;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | EVT_EN | CMD_EN);
    g_assert_cmphex(status(), ==, 0x18);
    /* One that does not stop still runs, and the guest sees that */
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = EIO;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    g_assert_cmphex(status(), ==, 0x18);
    finish();
}

static void test_ring_new_base(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    w64(AMDVI_MMIO_COMMAND_BASE, BASE(CMD_GPA + 0x4000));
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_cmphex(first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD)->addr,
                    ==, CMD_GPA + 0x4000);
    /* Against the rules, without turning it off: no worse */
    w64(AMDVI_MMIO_COMMAND_BASE, BASE(CMD_GPA));
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_cmphex(first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD)->addr,
                    ==, CMD_GPA);
    g_assert_cmphex(status(), ==, AMDVI_MMIO_STATUS_CMDBUF_RUN);
    finish();
}

static void test_ring_double_enable(void)
{
    uint64_t ioctls;

    start(ON_OFF_AUTO_ON);
    guest_on();
    ioctls = *count_ioctl(AMD_IOCTL_VIOMMU_COMMAND);
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | EVT_INT | IOMMU_EN);
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | EVT_INT | IOMMU_EN);
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_VIOMMU_COMMAND), ==, ioctls);
    g_assert_cmpuint(host.queues, ==, 2);
    finish();
}

/*
 * A guest that does it for ever does not fill the log, nor keep the host's
 * errors out of it
 */
static void test_ring_flood(void)
{
    int i;

    start(ON_OFF_AUTO_ON);
    for (i = 0; i < 1000; i++) {
        w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    }
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, AMD_ACCEL_BURST);
    g_assert_cmpuint(a->reports[AMD_ACCEL_GUEST].hidden, ==,
                     1000 - AMD_ACCEL_BURST);
    w64(AMDVI_MMIO_COMMAND_BASE, BASE(CMD_GPA));
    host.fail[AMD_IOCTL_HW_QUEUE_ALLOC] = EIO;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_cmpuint(shown(AMD_ACCEL_HOST), ==, 1);
    host.fail[AMD_IOCTL_HW_QUEUE_ALLOC] = 0;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = ENODEV;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    g_assert_cmpuint(shown(AMD_ACCEL_HOST), ==, 2);
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = 0;
    /* One a second, with the number of the others; and a burst after a while */
    w64(AMDVI_MMIO_COMMAND_BASE, 0);
    clock_ms = AMD_ACCEL_REPORT_MS - 1;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, AMD_ACCEL_BURST);
    clock_ms++;
    for (i = 0; i < 1000; i++) {
        w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    }
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, AMD_ACCEL_BURST + 1);
    g_assert_cmpuint(a->reports[AMD_ACCEL_GUEST].hidden, ==, 999);
    clock_ms += 1000 * AMD_ACCEL_REPORT_MS;
    for (i = 0; i < 1000; i++) {
        w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    }
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 2 * AMD_ACCEL_BURST + 1);
    finish();
}

/* Device table entries */

static void test_dte_usual(void)
{
    uint64_t dte[4] = { V2, 0x80001 | 7, 0, 0 };
    uint64_t nested;

    start(ON_OFF_AUTO_ON);
    g_assert_cmpuint(host.attached[0], ==, PARENT);
    guest_on();
    /* All zero: V=0 */
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(num_objs(OBJ_VDEVICE), ==, 1);
    g_assert_cmphex(first_obj(OBJ_VDEVICE, 0)->id, ==, DEVFN(0));
    set_dte(0, dte[0], dte[1]);
    g_assert_true(has_dte(0));
    g_assert_cmpmem(ram + dte_gpa(0), 32, dte, 32);
    g_assert_cmpmem(rom + (dte_gpa(0) - TABLE), 32, dte, 32);
    /* Other bits of the interrupts are no other page table */
    nested = host.nested;
    mem_write(dte_gpa(0) + 16, 0x2000000000000001ULL, 8);
    mem_write(dte_gpa(0) + 20, 0x30000000, 4);
    g_assert_cmpuint(host.nested, ==, nested);
    /* Nor is the entry of somebody else */
    mem_write(dte_gpa(0) + 32, V2, 8);
    g_assert_cmpuint(host.nested, ==, nested);
    g_assert_cmpuint(state.counters.dte_writes, ==, 5);
    /* Unless a write is about the ends of both */
    mem_write(dte_gpa(0) - 4, (uint64_t)(uint32_t)(V | TV) << 32, 8);
    mem_write(dte_gpa(0) - 4, V2 << 32, 8);
    g_assert_cmpuint(host.nested, ==, nested);
    mem_write(dte_gpa(0) - 4, 0, 8);
    g_assert_true(is_blocked(0));
    /* The one before goes when there is another one */
    set_dte(0, V2, 0x90002);
    g_assert_true(has_dte(0));
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 2);
    set_dte(0, V, 0);
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 1);
    w64(AMDVI_MMIO_CONTROL, 0);
    g_assert_cmpuint(host.attached[0], ==, PARENT);
    g_assert_cmpuint(state.counters.errors, ==, 0);
    finish();
}

/* Words in any order, and parts of words */
static void test_dte_pieces(void)
{
    static const uint64_t dte[4] = { V2, 0x80007, 1ULL << 54, 0 };
    unsigned order, i;

    for (order = 0; order < 24; order++) {
        unsigned left = 0xf;

        start(ON_OFF_AUTO_ON);
        guest_on();
        for (i = 4; i > 0; i--) {
            unsigned nth = order / (i > 3 ? 6 : i > 2 ? 2 : 1) % i, w = 0;

            while (!(left & 1 << w) || nth--) {
                w++;
            }
            left &= ~(1 << w);
            if (order & 1) {
                mem_write(dte_gpa(0) + w * 8, dte[w], 8);
            } else {
                mem_write(dte_gpa(0) + w * 8 + 4, dte[w] >> 32, 4);
                mem_write(dte_gpa(0) + w * 8, (uint32_t)dte[w], 4);
            }
        }
        g_assert_true(has_dte(0));
        g_assert_null(find(a, &buses[0], DEVFN(0))->fault);
        finish();
    }
}

static void test_dte_refused(void)
{
    AMDAccelDevice *dev;

    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    dev = find(a, &buses[0], DEVFN(0));
    /* A reserved bit */
    mem_write(dte_gpa(0), V2 | 4, 8);
    g_assert_true(is_blocked(0));
    g_assert_nonnull(dev->fault);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 0);
    /* It may have been half of an entry */
    set_dte(0, V2, 0x80007);
    g_assert_true(has_dte(0));
    g_assert_null(dev->fault);
    amd_accel_fault_timer(a);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 0);
    /* Or not. A v1 table */
    set_dte(0, V | TV | IR_IW | 3 << 9 | 0x300000, 7);
    g_assert_true(is_blocked(0));
    amd_accel_fault_timer(a);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 1);
    amd_accel_fault_timer(a);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 1);
    /* Hardware has the log */
    g_assert_cmpuint(guest_log_len, ==, 0);
    finish();
}

static void test_dte_alloc_fails(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    host.fail[AMD_IOCTL_HWPT_ALLOC] = ENOSPC;
    mem_write(dte_gpa(0) + 8, 0x90008, 8);
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 1);
    host.fail[AMD_IOCTL_HWPT_ALLOC] = 0;
    mem_write(dte_gpa(0) + 8, 0x90008, 8);
    g_assert_true(has_dte(0));
    finish();
}

static void test_dte_attach_fails(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    /* Nothing can be attached, then it has to be detached */
    host.fail[AMD_IOCTL_ATTACH] = EBUSY;
    mem_write(dte_gpa(0) + 8, 0x90008, 8);
    g_assert_cmpuint(host.attached[0], ==, 0);
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 1);
    host.fail[AMD_IOCTL_ATTACH] = 0;
    mem_write(dte_gpa(0) + 8, 0x90008, 8);
    g_assert_true(has_dte(0));
    /* Not even that: nothing is given back in use, and it is tried again */
    host.fail[AMD_IOCTL_ATTACH] = host.fail[AMD_IOCTL_DETACH] = EIO;
    mem_write(dte_gpa(0), 0, 8);
    g_assert_cmpuint(host.busy, ==, 0);
    g_assert_false(is_blocked(0));
    g_assert_true(timer_pending(a->fault_timer));
    g_assert_cmpuint(a->fault_timer->expire_time, ==, RETRY_MS);
    timer_del(a->fault_timer);
    amd_accel_fault_timer(a);
    g_assert_false(is_blocked(0));
    g_assert_true(timer_pending(a->fault_timer));
    timer_del(a->fault_timer);
    host.fail[AMD_IOCTL_DETACH] = 0;
    amd_accel_fault_timer(a);
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 1);
    g_assert_false(timer_pending(a->fault_timer));
    host.fail[AMD_IOCTL_ATTACH] = 0;
    mem_write(dte_gpa(0), V2, 8);
    g_assert_true(has_dte(0));
    finish();
}

/* A device that the guest wants to translate again meanwhile is left alone */
static void test_dte_stuck_and_back(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    host.fail[AMD_IOCTL_ATTACH] = host.fail[AMD_IOCTL_DETACH] = EIO;
    mem_write(dte_gpa(0), 0, 8);
    g_assert_false(is_blocked(0));
    host.fail[AMD_IOCTL_ATTACH] = host.fail[AMD_IOCTL_DETACH] = 0;
    mem_write(dte_gpa(0), V2, 8);
    amd_accel_fault_timer(a);
    g_assert_true(has_dte(0));
    finish();
}

static void test_dte_vdevice_fails(void)
{
    start(ON_OFF_AUTO_ON);
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = EINVAL;
    guest_on();
    set_dte(0, V2, 0x80007);
    g_assert_true(is_blocked(0));
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = 0;
    mem_write(dte_gpa(0), V2, 8);
    g_assert_true(has_dte(0));
    finish();
}

/* Two devices that the host has in one group are so for the guest, too */
static void test_plug_group(void)
{
    g_autofree char *dir = g_dir_make_tmp("amd-accel-XXXXXX", NULL);
    g_autofree char *one = g_build_filename(dir, "one", NULL);
    g_autofree char *link = g_build_filename(dir, "iommu_group", NULL);
    g_autofree char *link1 = g_build_filename(one, "iommu_group", NULL);
    HostIOMMUDevice *hiod = HOST_IOMMU_DEVICE(&hiods[1]);
    VFIODevice first = { .sysfsdev = dir }, second = { .sysfsdev = dir };
    VFIODevice nowhere = { };

    g_assert_cmpint(symlink("/proc", link), ==, 0);
    start_empty(ON_OFF_AUTO_ON);
    set_up(0);
    HOST_IOMMU_DEVICE(&hiods[0])->agent = &first;
    g_assert_true(plug_as_it_is(0, &error_abort));
    set_up(1);
    hiod->agent = &second;
    is_refused_as_it_is(1, "multifunction=on");
    /* Another group, or who knows which */
    second.sysfsdev = one;
    g_assert_cmpint(mkdir(one, 0700), ==, 0);
    g_assert_cmpint(symlink("/", link1), ==, 0);
    g_assert_true(plug_as_it_is(1, &error_abort));
    unplug(1);
    hiod->agent = &nowhere;
    g_assert_true(plug_as_it_is(1, &error_abort));
    unplug(1);
    /* The other function of the slot */
    second.sysfsdev = dir;
    hiod->agent = &second;
    hiod->aliased_bus = &buses[0];
    hiod->aliased_devfn = DEVFN(0) + 1;
    g_assert_true(accel_ops.set_iommu_device(&buses[0], &state, DEVFN(0) + 1,
                                             hiod, &error_abort));
    accel_ops.unset_iommu_device(&buses[0], &state, DEVFN(0) + 1);
    finish();
    g_assert_cmpint(unlink(link), ==, 0);
    g_assert_cmpint(unlink(link1), ==, 0);
    g_assert_cmpint(rmdir(one), ==, 0);
    g_assert_cmpint(rmdir(dir), ==, 0);
}

/* A device behind another IOMMU of the host: not when it is too late */
static void test_plug_other_iommu(void)
{
    start_empty(ON_OFF_AUTO_ON);
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = EINVAL;
    is_refused(0, "one vIOMMU");
    g_assert_cmpuint(vf_mappings(), ==, 0);
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = 0;
    g_assert_true(plug(0, &error_abort));
    g_assert_cmpuint(num_objs(OBJ_VDEVICE), ==, 0);
    guest_on();
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = EINVAL;
    is_refused(1, "one vIOMMU");
    g_assert_null(find(a, &buses[1], DEVFN(1)));
    /* An ID that is in use tells nothing */
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = EEXIST;
    g_assert_true(plug(1, &error_abort));
    host.fail[AMD_IOCTL_VDEVICE_ALLOC] = 0;
    finish();
}

/* The host knows the device by the ID that it has now */
static void has_own_id(unsigned n)
{
    unsigned i;

    for (i = 0; i < OBJS; i++) {
        if (host.obj[i].type == OBJ_VDEVICE && host.obj[i].dev == DEV_ID(n)) {
            g_assert_cmphex(host.obj[i].id, ==,
                            amd_accel_rid(find(a, &buses[n], DEVFN(n))));
            return;
        }
    }
    g_assert_not_reached();
}

static void test_table_moves(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    stq_le_p(ram + TABLE2 + DEVFN(0) * 32, V2);
    stq_le_p(ram + TABLE2 + DEVFN(0) * 32 + 8, 0x90009);
    /* The halves of the register */
    reg_write(0, TABLE2 | 1, 4);
    g_assert_cmpuint(a->watch.table, ==, TABLE);
    reg_write(4, 0, 4);
    g_assert_cmpuint(a->watch.table, ==, TABLE2);
    g_assert_true(has_dte(0));
    g_assert_cmphex(obj(host.attached[0])->dte[1], ==, 0x90009);
    /* What was written to the first one has stayed there */
    g_assert_cmphex(ldq_le_p(ram + TABLE + DEVFN(0) * 32), ==, V2);
    finish();
}

static void test_table_bad(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    /* Not in memory */
    w64(AMDVI_MMIO_DEVICE_TABLE, RAM_SIZE | 0x1ff);
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(a->watch.size, ==, 0);
    w64(AMDVI_MMIO_DEVICE_TABLE, (RAM_SIZE - 0x1000) | 0x1ff);
    g_assert_true(is_blocked(0));
    w64(AMDVI_MMIO_DEVICE_TABLE, TABLE | 0x1ff);
    g_assert_true(has_dte(0));
    finish();
}

/* The second device is on bus 2, entry 0x220 */
static void test_table_short(void)
{
    start_empty(ON_OFF_AUTO_ON);
    g_assert_true(plug(0, &error_abort));
    g_assert_true(plug(1, &error_abort));
    guest_on();
    g_assert_cmpuint(a->watch.start, ==, 0);
    g_assert_cmpuint(a->watch.size, ==, 0x5000);
    set_dte(1, V2, 0x80007);
    g_assert_true(has_dte(1));
    w64(AMDVI_MMIO_DEVICE_TABLE, TABLE | 3);
    g_assert_cmpuint(a->watch.size, ==, 0x1000);
    g_assert_true(is_blocked(1));
    /* Its end is beyond that of memory */
    w64(AMDVI_MMIO_DEVICE_TABLE, (RAM_SIZE - 0x2000) | 0x1ff);
    g_assert_cmpuint(a->watch.size, ==, 0);
    g_assert_true(is_blocked(0));
    finish();
}

/*
 * The guest exchanges two buses: no ID is asked for while it is in use, and no
 * device has the one of before. The next write to the table shows it
 */
static void test_bus_renumbered(void)
{
    start_empty(ON_OFF_AUTO_ON);
    g_assert_true(plug(0, &error_abort));
    g_assert_true(plug(1, &error_abort));
    bus_numbers[0] = 1;
    guest_on();
    set_dte(0, V2, 0x80007);
    set_dte(1, V2, 0x90009);
    bus_numbers[0] = 2;
    bus_numbers[1] = 1;
    set_dte(0, V2, 0xa0007);
    g_assert_true(has_dte(0));
    g_assert_true(has_dte(1) || is_blocked(1));
    g_assert_cmpuint(*count_ioctl(AMD_IOCTL_VDEVICE_ALLOC), ==, 6);
    has_own_id(0);
    has_own_id(1);
    /* And all of it by the control register */
    bus_numbers[0] = 1;
    bus_numbers[1] = 2;
    w64(AMDVI_MMIO_CONTROL, CMD_EN | IOMMU_EN);
    has_own_id(0);
    has_own_id(1);
    finish();
}

/* The same without rings, where commands say it */
static void test_bus_renumbered_trapped(void)
{
    start_empty(ON_OFF_AUTO_OFF);
    g_assert_true(plug(0, &error_abort));
    g_assert_true(plug(1, &error_abort));
    bus_numbers[0] = 1;
    guest_on();
    set_dte(0, V2, 0x80007);
    command(INV_DEVTAB(amd_accel_rid(find(a, &buses[0], DEVFN(0)))), 0, true);
    g_assert_true(has_dte(0));
    bus_numbers[0] = 5;
    set_dte(0, V2, 0x80007);
    command(INV_DEVTAB(amd_accel_rid(find(a, &buses[0], DEVFN(0)))), 0, true);
    g_assert_true(has_dte(0));
    has_own_id(0);
    finish();
}

/* The host does not let go of the old ID: then the device is not translated */
static void test_bus_renumbered_stuck(void)
{
    start(ON_OFF_AUTO_ON);
    bus_numbers[0] = 1;
    guest_on();
    set_dte(0, V2, 0x80007);
    /* The entry of the new one is the same, so that nothing has to be done */
    bus_numbers[0] = 2;
    stq_le_p(ram + dte_gpa(0) + 8, 0x80007);
    stq_le_p(ram + dte_gpa(0), V2);
    host.fail[AMD_IOCTL_ATTACH] = host.fail[AMD_IOCTL_DETACH] = EIO;
    w64(AMDVI_MMIO_CONTROL, CMD_EN | IOMMU_EN);
    g_assert_cmpuint(host.busy, ==, 0);
    host.fail[AMD_IOCTL_ATTACH] = host.fail[AMD_IOCTL_DETACH] = 0;
    amd_accel_fault_timer(a);
    g_assert_true(is_blocked(0));
    set_dte(0, V2, 0x80007);
    g_assert_true(has_dte(0));
    has_own_id(0);
    finish();
}

/* Reset, unplug */

static void test_reset(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    host.vf[0] = host.vf[1] = 0x40;
    memset(state.mmior, 0, sizeof(state.mmior));
    state.enabled = false;
    state.devtab_len = 0;
    amd_iommu_accel_reset(&state);
    g_assert_cmphex(status(), ==, 0);
    g_assert_cmphex(host.vf[0] | host.vf[1], ==, 0);
    g_assert_cmpuint(num_objs(OBJ_QUEUE), ==, 0);
    g_assert_cmpuint(a->watch.size, ==, 0);
    /* The device is not reset yet, and must not reach what it did not */
    g_assert_cmpuint(host.attached[0], !=, PARENT);
    amd_iommu_accel_reset_exit(&state);
    g_assert_cmpuint(host.attached[0], ==, PARENT);
    g_assert_cmpuint(num_objs(OBJ_NESTED), ==, 1);
    /* And once more */
    guest_on();
    set_dte(0, V2, 0x80007);
    g_assert_cmphex(status(), ==, 0x18);
    g_assert_true(has_dte(0));
    finish();
}

static void test_reset_host_stuck(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = EIO;
    memset(state.mmior, 0, sizeof(state.mmior));
    state.enabled = false;
    amd_iommu_accel_reset(&state);
    amd_iommu_accel_reset_exit(&state);
    g_assert_cmpuint(num_objs(OBJ_QUEUE), ==, 0);
    g_assert_cmpuint(host.attached[0], ==, PARENT);
    finish();
}

/* The guest's driver goes on with QEMU, and with hardware again */
static void test_unplug_live(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    bus_numbers[0] = 1;
    host.vf[0] = 0x20;
    host.vf[1] = 0x60;
    host.vf[2] = host.vf[3] = 0x10;
    unplug(0);
    g_assert_cmpuint(num_objs(OBJ_NONE), ==, 0);
    /* If the device goes on, it is to nowhere */
    g_assert_cmpuint(host.attached[0], ==, 0);
    g_assert_false(amd_iommu_accel_has_rings(&state));
    g_assert_cmphex(state.cmdbuf_head, ==, 0x20);
    g_assert_cmphex(state.cmdbuf_tail, ==, 0x60);
    g_assert_cmphex(state.evtlog_tail, ==, 0x10);
    g_assert_cmpuint(emulated_runs, ==, 1);
    state.cmdbuf_head = state.cmdbuf_tail = 0x80;
    g_assert_true(plug(0, &error_abort));
    g_assert_cmphex(host.vf[0], ==, 0x80);
    g_assert_cmphex(host.vf[1], ==, 0x80);
    g_assert_cmphex(host.vf[2], ==, 0x10);
    g_assert_cmphex(host.vf[3], ==, 0x10);
    g_assert_cmphex(host.started_at, ==, 0x80);
    g_assert_cmphex(status(), ==, 0x18);
    set_dte(0, V2, 0x80007);
    g_assert_true(has_dte(0));
    finish();
}

/* The same with rings that are off for the moment */
static void test_unplug_disabled(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    bus_numbers[0] = 1;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    host.vf[0] = host.vf[1] = 0x40;
    host.vf[2] = host.vf[3] = 0x20;
    unplug(0);
    g_assert_true(plug(0, &error_abort));
    g_assert_cmphex(status(), ==, 0);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN | EVT_EN);
    g_assert_cmphex(status(), ==, 0x18);
    g_assert_cmphex(host.vf[0], ==, 0x40);
    g_assert_cmphex(host.vf[1], ==, 0x40);
    g_assert_cmphex(host.vf[2], ==, 0x20);
    g_assert_cmphex(host.vf[3], ==, 0x20);
    finish();
}

/*
 * The page comes and goes, its addresses and its region do not: a reader may
 * still have an old view of memory, which does not keep a region alive
 */
static void test_unplug_page(void)
{
    uint64_t *page;
    unsigned i;

    start_empty(ON_OFF_AUTO_ON);
    page = a->vf_ptr;
    for (i = 0; i < 3; i++) {
        g_assert_false(vf_in_guest);
        g_assert_true(plug(0, &error_abort));
        g_assert_true(vf_in_guest);
        g_assert_true(a->vf_ptr == page);
        g_assert_cmpuint(vf_mappings(), ==, 1);
        host.vf[5] = 0x1234 + i;
        g_assert_cmphex(page[5], ==, 0x1234 + i);
        unplug(0);
        g_assert_false(vf_in_guest);
        g_assert_cmpuint(vf_mappings(), ==, 0);
        /* Late readers find something, and late writers do no harm */
        g_assert_cmphex(page[5], ==, 0);
        page[5] = 1;
        g_assert_cmphex(host.vf[5], ==, 0x1234 + i);
    }
    g_assert_cmpuint(vf_regions, ==, 1);
    finish();
}

static void test_unplug_one(void)
{
    start_empty(ON_OFF_AUTO_ON);
    g_assert_true(plug(0, &error_abort));
    g_assert_true(plug(1, &error_abort));
    guest_on();
    set_dte(0, V2, 0x80007);
    set_dte(1, V2, 0x80007);
    unplug(1);
    g_assert_cmpuint(host.attached[1], ==, 0);
    g_assert_true(has_dte(0));
    g_assert_cmphex(status(), ==, 0x18);
    g_assert_cmpuint(a->watch.size, ==, 0x1000);
    /* Twice is once */
    unplug(1);
    finish();
}

/* Not even detached: then what can be given back is */
static void test_unplug_stuck(void)
{
    start(ON_OFF_AUTO_ON);
    guest_on();
    set_dte(0, V2, 0x80007);
    host.fail[AMD_IOCTL_DETACH] = EIO;
    unplug(0);
    g_assert_cmpuint(host.attached[0], ==, PARENT);
    g_assert_cmpuint(num_objs(OBJ_NONE), ==, 0);
    finish();
}

/* Nothing that cannot be works by halves */
static void test_plug_fails(void)
{
    static const AMDIOMMUIoctl kinds[] = {
        AMD_IOCTL_VIOMMU_ALLOC, AMD_IOCTL_VEVENTQ_ALLOC, AMD_IOCTL_HWPT_ALLOC,
    };
    Error *err = NULL;
    unsigned i;

    start_empty(ON_OFF_AUTO_ON);
    for (i = 0; i < ARRAY_SIZE(kinds); i++) {
        host.fail[kinds[i]] = ENOSPC;
        g_assert_false(plug(0, &err));
        error_free_or_abort(&err);
        g_assert_cmpuint(num_objs(OBJ_NONE), ==, 0);
        g_assert_cmpuint(vf_mappings(), ==, 0);
        host.fail[kinds[i]] = 0;
    }
    host.fail_mmap = EPERM;
    g_assert_false(plug(0, &err));
    error_free_or_abort(&err);
    host.fail_mmap = 0;
    host.vf_length = 0x10000;
    g_assert_false(plug(0, &err));
    error_free_or_abort(&err);
    host.vf_length = VF_SIZE;
    host.caps = 0;
    g_assert_false(plug(0, &err));
    error_free_or_abort(&err);
    is_iommufd = false;
    g_assert_false(plug(0, &err));
    error_free_or_abort(&err);
    g_assert_cmpuint(num_objs(OBJ_NONE), ==, 0);
    finish();
}

/* What a device has to have that is plugged beside another one */
static void test_plug_mixed(void)
{
    HostIOMMUDevice *hiod = HOST_IOMMU_DEVICE(&hiods[1]);
    static IOMMUFDBackend other;

    start(ON_OFF_AUTO_ON);
    machine_ready = true;
    bus_numbers[1] = 3;
    buses[1].flags = PCI_BUS_IS_ROOT;
    is_refused(1, "behind a root port");
    buses[1].flags = 0;
    is_refused(0, "at this address");
    /* All that it is refused for, one by one; at last there is nothing */
    set_up(1);
    hiods[1].iommufd = &other;
    is_refused_as_it_is(1, "same iommufd");
    set_up(1);
    hiods[1].hwpt_id = PARENT + 1;
    is_refused_as_it_is(1, "same IOMMU of the host");
    set_up(1);
    hiod->aliased_bus = &buses[0];
    is_refused_as_it_is(1, "conventional PCI");
    set_up(1);
    hiod->aliased_devfn = 0;
    is_refused_as_it_is(1, "conventional PCI");
    set_up(1);
    hiod->caps.type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
    is_refused_as_it_is(1, "no AMD IOMMU");
    set_up(1);
    hiod->caps.vendor_caps.amd.efr &= ~(uint64_t)AMDVI_FEATURE_GT;
    is_refused_as_it_is(1, "cannot nest");
    set_up(1);
    hiod->caps.vendor_caps.amd.efr &= ~(uint64_t)AMD_IOMMU_EFR_GIOSUP;
    is_refused_as_it_is(1, "cannot nest");
    set_up(1);
    hiod->caps.vendor_caps.amd.efr2 = 0;
    is_refused_as_it_is(1, "cannot nest");
    set_up(1);
    is_iommufd = false;
    is_refused_as_it_is(1, "iommufd=");
    is_iommufd = true;
    g_assert_true(plug(1, &error_abort));
    finish();
}

/* A guest has been told what the IOMMU of the first device can do */
static void test_plug_features(void)
{
    HostIOMMUDevice *hiod = HOST_IOMMU_DEVICE(&hiods[1]);
    const uint64_t gats = 1ULL << 12, glx = 1ULL << 14;

    start_empty(ON_OFF_AUTO_ON);
    set_up(0);
    HOST_IOMMU_DEVICE(&hiods[0])->caps.vendor_caps.amd.efr |= gats | glx;
    g_assert_true(plug_as_it_is(0, &error_abort));
    g_assert_cmphex(amd_iommu_accel_efr(&state, 0) & (EFR_GATS | EFR_GLX), ==,
                    gats | glx);
    set_up(1);
    hiod->caps.vendor_caps.amd.efr |= gats;
    is_refused_as_it_is(1, "can do less");
    set_up(1);
    hiod->caps.vendor_caps.amd.efr |= glx;
    is_refused_as_it_is(1, "can do less");
    hiod->caps.vendor_caps.amd.efr |= gats | 2 * glx;
    g_assert_true(plug_as_it_is(1, &error_abort));
    g_assert_cmphex(amd_iommu_accel_efr(&state, 0) & (EFR_GATS | EFR_GLX), ==,
                    gats | glx);
    finish();
}

/* Another device, which no test plugs */
static FakeDevice *add_fake(PCIBus *bus, int devfn, const char *type)
{
    FakeDevice *fake = &fakes[num_fakes++];

    g_assert_cmpuint(num_fakes, <=, ARRAY_SIZE(fakes));
    fake->bus = bus;
    fake->dev.devfn = devfn;
    fake->type = type;
    return fake;
}

static bool accepts(const FakeDevice *fake, const char *text)
{
    Error *err = NULL;

    if (accel_ops.supports_address_space(fake->bus, &state, fake->dev.devfn,
                                         &err)) {
        return true;
    }
    g_assert_nonnull(strstr(error_get_pretty(err), text));
    error_free(err);
    return false;
}

/* Which devices QEMU starts with, and what they see of memory */
static void test_plug_kinds(void)
{
    const uint8_t ioapic = AMDVI_IOAPIC_SB_DEVID;
    FakeDevice *emulated, *behind, *bridge, *vfio;

    start_empty(ON_OFF_AUTO_ON);
    buses[0].flags = PCI_BUS_IS_ROOT;
    buses[1].flags = PCI_BUS_EXTENDED_CONFIG_SPACE;
    emulated = add_fake(&buses[0], 8, "virtio");
    behind = add_fake(&buses[1], 8, "virtio");
    bridge = add_fake(&buses[0], 16, TYPE_PCI_BRIDGE);
    vfio = add_fake(&buses[1], 0, TYPE_VFIO_PCI);
    g_assert_true(accepts(emulated, ""));
    g_assert_false(accepts(behind, "bus=pcie.0"));
    g_assert_true(accepts(bridge, ""));
    g_assert_true(accepts(vfio, ""));
    vfio->no_iommufd = true;
    g_assert_false(accepts(vfio, "iommufd="));
    vfio->no_iommufd = false;
    vfio->mdev = true;
    g_assert_false(accepts(vfio, "mediated"));
    vfio->mdev = false;
    g_assert_true(accel_ops.get_address_space(&buses[1], &state, 0) == &a->as);
    g_assert_true(accel_ops.get_address_space(&buses[0], &state, 8) ==
                  &a->emulated_as);
    g_assert_true(a->as.root == &a->root);
    g_assert_true(a->emulated_as.root == &a->emulated_root);
    /* Something behind the bridge, which has its ID; then one that has not */
    bridge->dev.qdev.realized = true;
    g_assert_false(accepts(bridge, "bus=pcie.0"));
    buses[1].flags = 0;
    g_assert_false(accepts(behind, "bridge to conventional PCI"));
    g_assert_false(accepts(vfio, "bridge to conventional PCI"));
    /* Whose ID is that of nobody on that bus */
    num_fakes = 3;
    g_assert_false(accepts(vfio, "bridge to conventional PCI"));
    /* The address of the IOAPIC, which the IVRS lists if it has to */
    emulated->dev.devfn = ioapic;
    g_assert_true(accepts(emulated, ""));
    state.iommu.intr_supported = ON_OFF_AUTO_ON;
    g_assert_false(accepts(emulated, "addr="));
    finish();
}

/* Without rings */

static void is_stopped_at(uint64_t head, unsigned code, uint64_t event)
{
    g_assert_false(state.cmdbuf_enabled);
    g_assert_cmphex(state.cmdbuf_head, ==, head);
    g_assert_cmphex(amd_accel_reg(a, AMDVI_MMIO_COMMAND_HEAD), ==, head);
    g_assert_cmphex(amd_accel_reg(a, AMDVI_MMIO_STATUS) &
                    AMDVI_MMIO_STATUS_CMDBUF_RUN, ==, 0);
    g_assert_cmphex(guest_log[guest_log_len - 1][0], ==,
                    (uint64_t)code << 60);
    g_assert_cmphex(guest_log[guest_log_len - 1][1], ==, event);
}

/* Another value of the register alone does not make it run */
static void restart(void)
{
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | IOMMU_EN);
    g_assert_false(state.cmdbuf_enabled);
    w64(AMDVI_MMIO_CONTROL, EVT_EN | IOMMU_EN);
    w64(AMDVI_MMIO_CONTROL, CMD_EN | EVT_EN | IOMMU_EN);
    g_assert_true(state.cmdbuf_enabled);
}

static void trapped_on(void)
{
    start(ON_OFF_AUTO_OFF);
    guest_on();
    g_assert_false(amd_iommu_accel_has_rings(&state));
    g_assert_cmpuint(num_objs(OBJ_QUEUE), ==, 0);
    g_assert_cmpuint(a->watch.size, ==, 0);
    state.cmdbuf_head = 0;
}

static void test_trapped_usual(void)
{
    unsigned i;

    trapped_on();
    set_dte(0, V2, 0x80007);
    /* Not before the guest says so */
    g_assert_true(is_blocked(0));
    command(INV_DEVTAB(DEVFN(0)), 0, true);
    g_assert_true(has_dte(0));
    for (i = 0; i < 10; i++) {
        command(INV_PAGES(i), i << 12, true);
    }
    g_assert_cmpuint(host.num_inv, ==, 0);
    command(WAIT, 1, false);
    g_assert_cmpuint(host.num_inv, ==, 11);
    g_assert_cmpuint(host.invs, ==, 1);
    g_assert_cmphex(host.inv[0][0], ==, INV_DEVTAB(DEVFN(0)));
    g_assert_cmphex(host.inv[10][0], ==, INV_PAGES(9));
    for (i = 0; i < AMD_ACCEL_BATCH + 1; i++) {
        command(INV_PAGES(7), 0, true);
    }
    g_assert_cmpuint(host.num_inv, ==, 11 + AMD_ACCEL_BATCH);
    amd_iommu_accel_commands_end(&state);
    g_assert_cmpuint(host.num_inv, ==, 12 + AMD_ACCEL_BATCH);
    command(INV_ALL, 0, true);
    g_assert_cmpuint(iec_notifies, ==, 1);
    amd_iommu_accel_commands_end(&state);
    g_assert_cmpuint(state.counters.invalidations, ==, host.num_inv);
    finish();
}

/* What the host calls illegal: those before it are done, and no other one */
static void test_trapped_illegal(void)
{
    static const int errors[] = { EINVAL, EOPNOTSUPP };
    unsigned i, n;

    for (n = 0; n < ARRAY_SIZE(errors); n++) {
        trapped_on();
        host.fail[AMD_IOCTL_HWPT_INVALIDATE] = errors[n];
        host.fail_inval_at = 2;
        for (i = 0; i < 5; i++) {
            command(INV_PAGES(i), 0, true);
        }
        command(WAIT, 1, true);
        g_assert_cmpuint(host.num_inv, ==, 2);
        g_assert_cmpuint(guest_log_len, ==, 1);
        is_stopped_at(0x20, AMD_IOMMU_EVT_ILLEGAL_CMD, CMD_GPA + 0x20);
        /* The guest does as it should, and goes on from there */
        host.fail[AMD_IOCTL_HWPT_INVALIDATE] = 0;
        restart();
        g_assert_cmphex(state.cmdbuf_head, ==, 0x20);
        finish();
    }
}

/* What QEMU itself does: an opcode that is none, reserved bits */
static void test_trapped_reserved(void)
{
    static const uint64_t bad[][2] = {
        { 0, 0 }, { 9ULL << 60, 0 }, { 15ULL << 60, 0 },
        { WAIT | 1ULL << 52, 0 }, { WAIT | 1ULL << 59, 0 },
        { INV_DEVTAB(0) | 1 << 16, 0 }, { INV_DEVTAB(0), 1 },
        { INV_PAGES(1) | 1 << 20, 0 }, { INV_PAGES(1) | 1ULL << 48, 0 },
        { INV_PAGES(1), 1 << 3 }, { INV_PAGES(1), 1 << 11 },
        { 4ULL << 60, 1 << 1 }, { 4ULL << 60, 1 << 3 },
        { 4ULL << 60, 1 << 6 }, { 4ULL << 60, 1 << 11 },
        { 5ULL << 60 | 1 << 16, 0 }, { 5ULL << 60, 1 },
        { INV_ALL | 1, 0 }, { INV_ALL, 1 },
    };
    unsigned i, n;

    /* And the same while there is no device and no host to ask */
    for (n = 0; n < 2; n++) {
        for (i = 0; i < ARRAY_SIZE(bad); i++) {
            trapped_on();
            command(INV_PAGES(7), 0, true);
            if (n) {
                command(WAIT, 0, false);
                unplug(0);
            }
            command(bad[i][0], bad[i][1], true);
            g_assert_cmpuint(host.num_inv, ==, 1);
            g_assert_cmpuint(guest_log_len, ==, 1);
            is_stopped_at(state.cmdbuf_head, AMD_IOMMU_EVT_ILLEGAL_CMD,
                          CMD_GPA + (n ? 0x20 : 0x10));
            restart();
            finish();
        }
    }
    trapped_on();
    command(INV_PAGES(7), 0, true);
    amd_iommu_accel_no_command(&state);
    g_assert_cmpuint(host.num_inv, ==, 1);
    is_stopped_at(0x10, AMD_IOMMU_EVT_CMD_HW, CMD_GPA + 0x10);
    finish();
}

/*
 * Nothing of a batch is lost: the guest finds the first command that was not
 * done at the head, and the host gets all of them when it is back
 */
static void test_trapped_host_gone(void)
{
    unsigned i, n;

    for (n = 0; n < 3; n++) {
        trapped_on();
        host.fail[AMD_IOCTL_HWPT_INVALIDATE] = EIO;
        host.fail_inval_at = 2;
        for (i = 0; i < 5; i++) {
            command(INV_PAGES(i), 0, true);
        }
        /* No completion: nothing is. Nor an entry that is looked at */
        if (n == 0) {
            command(WAIT, 1, true);
        } else if (n == 1) {
            command(INV_DEVTAB(DEVFN(0)), 0, true);
        } else {
            amd_iommu_accel_commands_end(&state);
        }
        g_assert_cmpuint(host.num_inv, ==, 2);
        g_assert_cmpuint(guest_log_len, ==, 1);
        is_stopped_at(0x20, AMD_IOMMU_EVT_CMD_HW, CMD_GPA + 0x20);
        host.fail[AMD_IOCTL_HWPT_INVALIDATE] = 0;
        restart();
        for (i = state.cmdbuf_head / 16; i < 5; i++) {
            command(INV_PAGES(i), 0, true);
        }
        command(WAIT, 1, false);
        g_assert_cmpuint(host.num_inv, ==, 5);
        for (i = 0; i < 5; i++) {
            g_assert_cmphex(host.inv[i][0], ==, INV_PAGES(i));
        }
        finish();
    }
}

/* A full batch goes before the guest has posted the next command */
static void test_trapped_full_batch(void)
{
    unsigned i;

    trapped_on();
    host.fail[AMD_IOCTL_HWPT_INVALIDATE] = EIO;
    for (i = 0; i < AMD_ACCEL_BATCH; i++) {
        command(INV_PAGES(i), 0, true);
    }
    is_stopped_at(0, AMD_IOMMU_EVT_CMD_HW, CMD_GPA);
    finish();
}

static void test_trapped_bad_dte(void)
{
    trapped_on();
    set_dte(0, V2 | 4, 7);
    command(INV_DEVTAB(DEVFN(0)), 0, true);
    g_assert_true(is_blocked(0));
    g_assert_cmpuint(guest_log_len, ==, 1);
    g_assert_cmphex(guest_log[0][0], ==, 1ULL << 60 | DEVFN(0));
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 1);
    finish();
}

/* Rings are for who asks for them */
static void test_trapped_auto(void)
{
    start_empty(ON_OFF_AUTO_AUTO);
    g_assert_true(plug(0, &error_abort));
    g_assert_false(amd_iommu_accel_has_rings(&state));
    finish();
}

/* Interrupts are remapped for those that the IVRS lists, and for no others */
static void test_trapped_interrupts(void)
{
    start_empty(ON_OFF_AUTO_OFF);
    state.iommu.intr_supported = ON_OFF_AUTO_ON;
    buses[0].flags = PCI_BUS_IS_ROOT;
    /* Emulated; ours; a port, and something behind it */
    add_fake(&buses[0], 8, "virtio");
    add_fake(&buses[0], DEVFN(0), TYPE_VFIO_PCI);
    add_fake(&buses[0], 16, TYPE_PCI_BRIDGE);
    add_fake(&buses[1], 0, TYPE_VFIO_PCI);
    g_assert_true(plug(0, &error_abort));
    g_assert_true(amd_iommu_accel_passes_msi(&state, 8));
    g_assert_false(amd_iommu_accel_passes_msi(&state, DEVFN(0)));
    g_assert_true(amd_iommu_accel_passes_msi(&state, 16));
    g_assert_false(amd_iommu_accel_passes_msi(&state, 0x200));
    g_assert_false(amd_iommu_accel_passes_msi(&state, AMDVI_IOAPIC_SB_DEVID));
    /* Of nobody */
    g_assert_false(amd_iommu_accel_passes_msi(&state, 0x300));
    state.iommu.intr_supported = ON_OFF_AUTO_OFF;
    g_assert_true(amd_iommu_accel_passes_msi(&state, DEVFN(0)));
    g_assert_true(amd_iommu_accel_passes_msi(&state, AMDVI_IOAPIC_SB_DEVID));
    finish();
}

/* Events */

static void send_event(uint32_t type, uint32_t seq, uint64_t q0, size_t len)
{
    struct {
        struct iommufd_vevent_header header;
        uint64_t data[2];
    } buf = { { 0, seq }, { cpu_to_le64(q0), cpu_to_le64(0x1234000) } };
    int fd = first_obj(OBJ_VEVENTQ, type)->fd;

    g_assert_cmpint(write(fd, &buf, sizeof(buf.header) + len), ==,
                    sizeof(buf.header) + len);
}

static void test_events_rings(void)
{
    int i;

    start(ON_OFF_AUTO_ON);
    guest_on();
    irqs_ready(a);
    g_assert_cmpuint(msis, ==, 0);
    send_event(IOMMU_VEVENTQ_TYPE_AMD_IRQ, 0, 2, 8);
    send_event(IOMMU_VEVENTQ_TYPE_AMD_IRQ, 1, 2, 8);
    irqs_ready(a);
    g_assert_cmpuint(msis, ==, 1);
    /*
     * Faults that come this way are not for the guest's log, which is full or
     * off, and there may be any number of them
     */
    for (i = 0; i < 200; i++) {
        send_event(IOMMU_VEVENTQ_TYPE_AMD, i * 2, 2ULL << 60 | 0x18, 16);
    }
    for (i = 0; i < 10; i++) {
        events_ready(a);
    }
    g_assert_cmpuint(state.counters.events, ==, 200);
    g_assert_cmpuint(guest_log_len, ==, 0);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, AMD_ACCEL_BURST);
    finish();
}

static void test_events_trapped(void)
{
    trapped_on();
    g_assert_null(first_obj(OBJ_VEVENTQ, IOMMU_VEVENTQ_TYPE_AMD_IRQ));
    send_event(IOMMU_VEVENTQ_TYPE_AMD, 0, 2ULL << 60 | 0x18, 16);
    send_event(IOMMU_VEVENTQ_TYPE_AMD, 1, 0xbULL << 60, 16);
    events_ready(a);
    g_assert_cmpuint(guest_log_len, ==, 1);
    g_assert_cmphex(guest_log[0][0], ==, 2ULL << 60 | 0x18);
    g_assert_cmphex(guest_log[0][1], ==, 0x1234000);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, 1);
    finish();
}

/* What the host says about the guest's rings is not for its log */
static void test_events_command(void)
{
    int i;

    start(ON_OFF_AUTO_ON);
    guest_on();
    send_event(IOMMU_VEVENTQ_TYPE_AMD, 0, 5ULL << 60, 16);
    events_ready(a);
    g_assert_nonnull(strstr(last_report, "the guest's command at 0x1234000"));
    for (i = 1; i < 50; i++) {
        send_event(IOMMU_VEVENTQ_TYPE_AMD, i, 5ULL << 60, 16);
    }
    events_ready(a);
    g_assert_cmpuint(guest_log_len, ==, 0);
    g_assert_cmpuint(shown(AMD_ACCEL_GUEST), ==, AMD_ACCEL_BURST);
    /* And the host's own trouble is still told */
    host.fail[AMD_IOCTL_VIOMMU_COMMAND] = EIO;
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN);
    g_assert_cmpuint(shown(AMD_ACCEL_HOST), ==, 1);
    finish();
}

/* A queue that is empty reads as the end of a file */
static void test_events_empty(void)
{
    Obj *o;

    start(ON_OFF_AUTO_ON);
    g_assert_cmpuint(watched_fds, ==, 2);
    o = first_obj(OBJ_VEVENTQ, IOMMU_VEVENTQ_TYPE_AMD);
    close(o->fd);
    o->fd = -1;
    events_ready(a);
    g_assert_cmpuint(watched_fds, ==, 2);
    finish();
    g_assert_cmpuint(watched_fds, ==, 0);
}

/* A host that does not tell of interrupts is asked */
static void test_events_poll(void)
{
    start_empty(ON_OFF_AUTO_ON);
    host.caps = IOMMU_VIOMMU_AMD_CAP_HW_QUEUES;
    g_assert_true(plug(0, &error_abort));
    g_assert_false(timer_pending(a->poll_timer));
    guest_on();
    g_assert_true(timer_pending(a->poll_timer));
    amd_accel_poll_status(a);
    g_assert_cmpuint(msis, ==, 0);
    host.vf[4] |= AMDVI_MMIO_STATUS_EVENT_INT;
    amd_accel_poll_status(a);
    g_assert_cmpuint(msis, ==, 1);
    w64(AMDVI_MMIO_CONTROL, IOMMU_EN | CMD_EN);
    g_assert_false(timer_pending(a->poll_timer));
    finish();
}

static const struct {
    const char *name;
    void (*func)(void);
} tests[] = {
    { "ring/usual", test_ring_usual },
    { "ring/enable-order", test_ring_enable_order },
    { "ring/no-base", test_ring_no_base },
    { "ring/half-base", test_ring_half_base },
    { "ring/alloc-fails", test_ring_alloc_fails },
    { "ring/command-fails", test_ring_command_fails },
    { "ring/new-base", test_ring_new_base },
    { "ring/double-enable", test_ring_double_enable },
    { "ring/flood", test_ring_flood },
    { "dte/usual", test_dte_usual },
    { "dte/pieces", test_dte_pieces },
    { "dte/refused", test_dte_refused },
    { "dte/alloc-fails", test_dte_alloc_fails },
    { "dte/attach-fails", test_dte_attach_fails },
    { "dte/stuck-and-back", test_dte_stuck_and_back },
    { "dte/vdevice-fails", test_dte_vdevice_fails },
    { "table/moves", test_table_moves },
    { "table/bad", test_table_bad },
    { "table/short", test_table_short },
    { "table/bus-renumbered", test_bus_renumbered },
    { "trapped/bus-renumbered", test_bus_renumbered_trapped },
    { "table/bus-renumbered-stuck", test_bus_renumbered_stuck },
    { "reset/usual", test_reset },
    { "reset/host-stuck", test_reset_host_stuck },
    { "unplug/live", test_unplug_live },
    { "unplug/disabled", test_unplug_disabled },
    { "unplug/page", test_unplug_page },
    { "unplug/one", test_unplug_one },
    { "unplug/stuck", test_unplug_stuck },
    { "plug/fails", test_plug_fails },
    { "plug/mixed", test_plug_mixed },
    { "plug/other-iommu", test_plug_other_iommu },
    { "plug/group", test_plug_group },
    { "plug/features", test_plug_features },
    { "plug/kinds", test_plug_kinds },
    { "trapped/usual", test_trapped_usual },
    { "trapped/illegal", test_trapped_illegal },
    { "trapped/reserved", test_trapped_reserved },
    { "trapped/host-gone", test_trapped_host_gone },
    { "trapped/full-batch", test_trapped_full_batch },
    { "trapped/bad-dte", test_trapped_bad_dte },
    { "trapped/auto", test_trapped_auto },
    { "trapped/interrupts", test_trapped_interrupts },
    { "events/rings", test_events_rings },
    { "events/trapped", test_events_trapped },
    { "events/command", test_events_command },
    { "events/empty", test_events_empty },
    { "events/poll", test_events_poll },
};

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path = g_strdup_printf("/amd-iommu-accel/%s",
                                                tests[i].name);

        g_test_add_func(path, tests[i].func);
    }
    return g_test_run();
}
