/*
 * AMD IOMMU, host-grade model: device, registers, commands
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * docs/specs/amd-iommu.rst describes what is modelled and what was chosen
 * where no public source says how hardware behaves.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qapi/error.h"
#include "hw/pci/pci_bus.h"
#include "migration/blocker.h"
#include "hw/core/qdev-properties.h"
#include "system/dma.h"
#include "system/runstate.h"
#include "amd_iommu_int.h"
#include "trace.h"

/* Longer than a loaded machine lets software pause between two commands */
#define WAIT_LIMIT_MS           5000

const AMDViommuOps *amd_iommu_viommu_ops;

void amd_iommu_register_viommu(const AMDViommuOps *ops)
{
    amd_iommu_viommu_ops = ops;
}

uint16_t amd_iommu_devid(AMDVIState *s)
{
    return pci_get_bdf(&s->pci->dev);
}

uint64_t amd_iommu_reg(AMDVIState *s, hwaddr offset)
{
    return ldq_le_p(&s->mmior[offset]);
}

void amd_iommu_set_reg(AMDVIState *s, hwaddr offset, uint64_t value)
{
    stq_le_p(&s->mmior[offset], value);
}

/*
 * Counters and violations
 */

void amd_iommu_counter(AMDVIState *s, const char *name, uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, value, OBJ_PROP_FLAG_READ);
}

static void add_counters(AMDVIState *s, AMDIOMMUStats *st)
{
    const struct {
        const char *name;
        uint64_t *value;
    } named[] = {
        { "stat-events-lost", &st->event_lost },
        { "stat-host-walks", &st->host_walks },
        { "stat-guest-walks", &st->guest_walks },
        { "stat-pte-reads", &st->pte_reads },
        { "stat-tlb-hits", &st->tlb_hits },
        { "stat-tlb-misses", &st->tlb_misses },
        { "stat-dte-reads", &st->dte_reads },
        { "stat-faults", &st->faults },
        { "stat-interrupts", &st->interrupts },
        { "stat-mmio-reads", &st->mmio_reads },
        { "stat-mmio-writes", &st->mmio_writes },
        { "stat-violations", &st->violations },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(named); i++) {
        amd_iommu_counter(s, named[i].name, named[i].value);
    }
    for (i = 1; i < 16; i++) {
        g_autofree char *cmd = g_strdup_printf("stat-cmd-%x", i);
        g_autofree char *evt = g_strdup_printf("stat-event-%x", i);

        amd_iommu_counter(s, cmd, &st->cmd[i]);
        amd_iommu_counter(s, evt, &st->event[i]);
    }
}

void amd_iommu_violation(AMDVIState *s, const char *fmt, ...)
{
    AMDIOMMUModel *m = s->model;
    va_list ap;

    g_free(m->last_violation);
    va_start(ap, fmt);
    m->last_violation = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    m->stats.violations++;
    trace_amd_iommu_violation(m->last_violation);
    if (s->cfg.strict) {
        error_report("amd-iommu: strict: %s", m->last_violation);
        qemu_system_shutdown_request_with_code(SHUTDOWN_CAUSE_HOST_ERROR,
                                               EXIT_FAILURE);
    }
}

static char *get_last_violation(Object *obj, Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);

    return g_strdup(s->model->last_violation ?: "");
}

/*
 * Commands
 */

/*
 * Address and size as the commands encode them: one page, or with the S bit
 * a power of two given by the first zero bit of the address from bit 12 up.
 */
hwaddr amd_iommu_cmd_range(uint64_t qword1, uint64_t *size)
{
    hwaddr addr = qword1 & AMDVI_PAGE_MASK_4K;
    unsigned ones;

    *size = AMDVI_PAGE_SIZE;
    if (!(qword1 & AMDVI_CMD_INVAL_IOMMU_PAGES_S)) {
        return addr;
    }
    ones = cto64(addr | ~AMDVI_PAGE_MASK_4K);
    if (ones >= 51) {
        *size = 0;
        return 0;
    }
    *size = 1ULL << (ones + 1);
    return addr & ~(*size - 1);
}

static bool exec_inv_pages(AMDVIState *s, const uint64_t cmd[2])
{
    AMDIOMMUInvPages inv = {
        .domid = extract64(cmd[0], 32, 16),
        .pasid = extract64(cmd[0], 0, 20),
        .pde = extract64(cmd[1], 1, 1),
        .gn = extract64(cmd[1], 2, 1),
    };

    if (extract64(cmd[0], 20, 12) || extract64(cmd[0], 48, 12) ||
        extract64(cmd[1], 3, 9)) {
        return false;
    }
    inv.addr = amd_iommu_cmd_range(cmd[1], &inv.size);
    amd_iommu_inv_pages(s, &inv);
    return true;
}

static bool exec_inv_iotlb(AMDVIState *s, const uint64_t cmd[2])
{
    uint64_t size;
    hwaddr addr;

    if (extract64(cmd[1], 1, 1) || extract64(cmd[1], 3, 1) ||
        extract64(cmd[1], 6, 6)) {
        return false;
    }
    addr = amd_iommu_cmd_range(cmd[1], &size);
    amd_iommu_inv_iotlb(s, extract64(cmd[0], 0, 16), addr, size);
    return true;
}

/* A command that names a device and nothing else */
static bool only_devid(const uint64_t cmd[2])
{
    return !extract64(cmd[0], 16, 44) && !cmd[1];
}

bool amd_iommu_exec_inv(AMDVIState *s, const uint64_t cmd[2])
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    uint16_t devid = extract64(cmd[0], 0, 16);
    bool ok = false;

    switch (extract64(cmd[0], 60, 4)) {
    case AMDVI_CMD_INVAL_DEVTAB_ENTRY:
        ok = only_devid(cmd);
        if (ok) {
            amd_iommu_inv_devtab(s, devid);
        }
        break;
    case AMDVI_CMD_INVAL_AMDVI_PAGES:
        ok = exec_inv_pages(s, cmd);
        break;
    case AMDVI_CMD_INVAL_IOTLB_PAGES:
        ok = exec_inv_iotlb(s, cmd);
        break;
    case AMDVI_CMD_INVAL_INTR_TABLE:
        ok = only_devid(cmd);
        if (ok) {
            amd_iommu_inv_intr_table(s, devid);
        }
        break;
    case AMDVI_CMD_INVAL_AMDVI_ALL:
        ok = !extract64(cmd[0], 0, 60) && !cmd[1];
        if (ok) {
            amd_iommu_inv_all(s);
        }
        break;
    }
    if (ok && ops && ops->inv) {
        ops->inv(s, cmd);
    }
    return ok;
}

/* The store, which the knobs may lose or falsify */
static void completion_store(AMDVIState *s, const uint64_t cmd[2])
{
    AMDIOMMUModel *m = s->model;
    hwaddr addr = cmd[0] & GENMASK64(51, 3);
    uint64_t data = cpu_to_le64(cmd[1]);

    if (m->cw_lose) {
        m->cw_lose--;
        return;
    }
    if (m->cw_corrupt) {
        m->cw_corrupt--;
        data = ~data;
    }
    if (dma_memory_write(&address_space_memory, addr, &data, sizeof(data),
                         MEMTXATTRS_UNSPECIFIED)) {
        trace_amdvi_completion_wait_fail(addr);
    }
}

static bool exec_completion_wait(AMDVIState *s, const uint64_t cmd[2])
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;

    if (extract64(cmd[0], 52, 8)) {
        return false;
    }
    if (extract64(cmd[0], 0, 1)) {
        completion_store(s, cmd);
    }
    if (extract64(cmd[0], 1, 1)) {
        amd_iommu_set_reg(s, AMDVI_MMIO_STATUS,
                          amd_iommu_reg(s, AMDVI_MMIO_STATUS) |
                          AMDVI_MMIO_STATUS_COMP_INT);
        if (s->completion_wait_intr) {
            amd_iommu_interrupt(s);
        }
    }
    if (ops && ops->inv) {
        ops->inv(s, cmd);
    }
    s->model->unwaited_ms = 0;
    amd_iommu_audit_tick(s);
    return true;
}

/*
 * Only a completion wait tells software that an invalidation is done: one that
 * is late by seconds was forgotten. Seen at the next command.
 */
static void check_waited(AMDVIState *s, unsigned opcode)
{
    AMDIOMMUModel *m = s->model;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);

    if (m->unwaited_ms && now - m->unwaited_ms >= WAIT_LIMIT_MS &&
        !m->cmd_delay_ns) {
        amd_iommu_violation(s, "no completion wait behind an invalidation, "
                            "for %" PRId64 " ms", now - m->unwaited_ms);
        m->unwaited_ms = 0;
    }
    switch (opcode) {
    case AMDVI_CMD_COMPLETION_WAIT:
    case AMDVI_CMD_PREFETCH_AMDVI_PAGES:
    case AMDVI_CMD_COMPLETE_PPR_REQUEST:
        break;
    default:
        m->unwaited_ms = m->unwaited_ms ?: MAX(now, 1);
    }
}

static bool exec_complete_ppr(AMDVIState *s, const uint64_t cmd[2])
{
    return s->cfg.ppr && !extract64(cmd[0], 52, 8) &&
           !extract64(cmd[1], 0, 2) && !extract64(cmd[1], 3, 29) &&
           !extract64(cmd[1], 48, 16);
}

static bool exec(AMDVIState *s, const uint64_t cmd[2])
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    unsigned opcode = extract64(cmd[0], 60, 4);

    s->model->stats.cmd[opcode]++;
    trace_amd_iommu_command(opcode, cmd[0], cmd[1]);
    check_waited(s, opcode);
    switch (opcode) {
    case AMDVI_CMD_COMPLETION_WAIT:
        return exec_completion_wait(s, cmd);
    case AMDVI_CMD_PREFETCH_AMDVI_PAGES:
        return true;
    case AMDVI_CMD_COMPLETE_PPR_REQUEST:
        return exec_complete_ppr(s, cmd);
    case 0x9:
    case 0xa:
        return ops && ops->command && ops->command(s, cmd);
    default:
        return amd_iommu_exec_inv(s, cmd);
    }
}

static bool ring_runs(AMDVIState *s)
{
    return s->cmdbuf_enabled && s->cmdbuf_len && !s->model->cmd_halted &&
           !s->model->iotlb_waits && s->cmdbuf_head != s->cmdbuf_tail;
}

/* InvTimeOut of the control register, bits 7:5; 7 is reserved */
int64_t amd_iommu_iotlb_deadline(AMDVIState *s, uint16_t devid)
{
    static const uint32_t ms[8] = { 0, 1, 10, 100, 1000, 10000, 100000, 0 };
    uint32_t limit = ms[extract64(amd_iommu_control(s), 5, 3)];

    if (devid != s->model->iotlb_silent) {
        return 0;
    }
    return !limit ? INT64_MAX :
           qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + limit * (int64_t)SCALE_MS;
}

static void advance(AMDVIState *s)
{
    s->cmdbuf_head = (s->cmdbuf_head + AMDVI_COMMAND_SIZE) %
                     (s->cmdbuf_len * AMDVI_COMMAND_SIZE);
    amd_iommu_set_reg(s, AMDVI_MMIO_COMMAND_HEAD, s->cmdbuf_head);
}

/* Whether the ring has to wait for a device that does not answer */
static bool iotlb_waits(AMDVIState *s, const uint64_t cmd[2])
{
    AMDIOMMUModel *m = s->model;
    int64_t until = extract64(cmd[0], 60, 4) == AMDVI_CMD_INVAL_IOTLB_PAGES ?
                    amd_iommu_iotlb_deadline(s, extract64(cmd[0], 0, 16)) : 0;

    m->iotlb_waits = until;
    m->iotlb_devid = extract64(cmd[0], 0, 16);
    if (until && until != INT64_MAX) {
        timer_mod(m->iotlb_timer, until);
    }
    return until;
}

/* It has had the time that software gave it: logged, and the next command */
static void iotlb_timer(void *opaque)
{
    AMDIOMMUModel *m = opaque;

    m->iotlb_waits = false;
    /* Software could not wait for its flush meanwhile */
    m->unwaited_ms = m->unwaited_ms ? qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) :
                     0;
    amd_iommu_iotlb_timeout(m->s, m->iotlb_devid,
                            m->s->cmdbuf + m->s->cmdbuf_head, 0);
    advance(m->s);
    amd_iommu_model_cmdbuf_run(m->s);
}

static void iotlb_forget(AMDIOMMUModel *m)
{
    m->iotlb_waits = false;
    timer_del(m->iotlb_timer);
}

static void exec_one(AMDVIState *s)
{
    uint64_t cmd[2];

    if (dma_memory_read(&address_space_memory, s->cmdbuf + s->cmdbuf_head,
                        cmd, sizeof(cmd), MEMTXATTRS_UNSPECIFIED)) {
        amd_iommu_command_hw_error(s);
        return;
    }
    cmd[0] = le64_to_cpu(cmd[0]);
    cmd[1] = le64_to_cpu(cmd[1]);
    if (!exec(s, cmd)) {
        amd_iommu_illegal_command(s, cmd);
        return;
    }
    if (!iotlb_waits(s, cmd)) {
        advance(s);
    }
}

static void arm_timer(AMDIOMMUModel *m)
{
    timer_mod(m->cmd_timer,
              qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + m->cmd_delay_ns);
}

/* With cmd-delay every command takes that time, so a missing wait shows */
static void cmd_timer(void *opaque)
{
    AMDIOMMUModel *m = opaque;

    if (ring_runs(m->s)) {
        exec_one(m->s);
    }
    if (ring_runs(m->s)) {
        arm_timer(m);
    }
}

void amd_iommu_model_cmdbuf_run(AMDVIState *s)
{
    AMDIOMMUModel *m = s->model;

    if (timer_pending(m->cmd_timer)) {
        return;
    }
    while (ring_runs(s)) {
        if (m->cmd_delay_ns) {
            arm_timer(m);
            return;
        }
        exec_one(s);
    }
}

/*
 * Registers
 */

uint64_t amd_iommu_model_efr(AMDVIState *s, uint64_t efr)
{
    const AMDIOMMUConfig *c = &s->cfg;
    const AMDViommuOps *ops = amd_iommu_viommu_ops;

    efr &= ~(AMD_IOMMU_EFR_PPR | AMD_IOMMU_EFR_GT | AMD_IOMMU_EFR_GA |
             GENMASK64(13, 12));
    efr |= c->ppr ? AMD_IOMMU_EFR_PPR : 0;
    efr |= c->gt ? AMD_IOMMU_EFR_GT : 0;
    efr |= c->ga ? AMD_IOMMU_EFR_GA : 0;
    efr |= c->gio ? AMD_IOMMU_EFR_GIOSUP : 0;
    efr |= c->eph ? AMD_IOMMU_EFR_EPHSUP : 0;
    efr |= c->had ? AMD_IOMMU_EFR_HASUP | AMD_IOMMU_EFR_HDSUP : 0;
    if (s->iommu.dma_translation) {
        efr = deposit64(efr, 10, 2, c->hats);
    }
    efr = deposit64(efr, 12, 2, c->gats);
    efr = deposit64(efr, 14, 2, c->glx);
    efr = deposit64(efr, 21, 3, c->gam);
    efr = deposit64(efr, 32, 5, c->pasmax);
    return efr | (c->host_grade && ops && ops->efr ? ops->efr(s) : 0);
}

uint64_t amd_iommu_model_efr2(AMDVIState *s)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;

    return (s->cfg.gcr3trp ? AMD_IOMMU_EFR2_GCR3TRPMODE : 0) |
           (s->cfg.host_grade && ops && ops->efr2 ? ops->efr2(s) : 0);
}

/* Control bits that exist, given the features */
static uint64_t control_mask(AMDVIState *s)
{
    const AMDIOMMUConfig *c = &s->cfg;
    uint64_t mask = GENMASK64(12, 0) | AMD_IOMMU_CTRL_IRTCACHEDIS;

    if (c->ppr) {
        mask |= AMD_IOMMU_CTRL_PPRLOGEN | AMD_IOMMU_CTRL_PPRINTEN |
                AMD_IOMMU_CTRL_PPREN;
    }
    mask |= c->gt ? AMD_IOMMU_CTRL_GTEN : 0;
    if (c->ga) {
        mask |= AMDVI_MMIO_CONTROL_GAEN | GENMASK64(29, 28);
    }
    mask |= c->gam ? GENMASK64(27, 25) : 0;
    mask |= c->eph ? AMD_IOMMU_CTRL_EPHEN : 0;
    if (s->xtsup) {
        mask |= AMDVI_MMIO_CONTROL_XTEN | AMDVI_MMIO_CONTROL_INTCAPXTEN;
    }
    mask |= c->gcr3trp ? AMD_IOMMU_CTRL_GCR3TRPMODE : 0;
    if (amd_iommu_reg(s, AMDVI_MMIO_EXT_FEATURES) & AMD_IOMMU_EFR_VIOMMUSUP) {
        mask |= AMD_IOMMU_CTRL_VCMDEN | AMD_IOMMU_CTRL_VIOMMUEN |
                AMD_IOMMU_CTRL_GSTBUFTRPMODE;
    }
    return mask;
}

/* Value of the register at @addr & ~7 after a write of a part of it */
static uint64_t merge(AMDVIState *s, hwaddr addr, unsigned size, uint64_t val)
{
    return deposit64(amd_iommu_reg(s, addr & ~7ULL), (addr & 7) * 8, size * 8,
                     val);
}

/* Off, EventOverflow cleared, on: in this order, or it stays as it is */
static void update_evt_stopped(AMDVIState *s, uint64_t control)
{
    AMDIOMMUModel *m = s->model;

    if (!(control & AMDVI_MMIO_CONTROL_EVENTLOGEN)) {
        m->evt_stopped = false;
    } else if (amd_iommu_reg(s, AMDVI_MMIO_STATUS) &
               AMDVI_MMIO_STATUS_EVT_OVF) {
        m->evt_stopped = true;
    }
}

/* What is enabled and does not run all the same */
static void clear_run_bits(AMDVIState *s)
{
    AMDIOMMUModel *m = s->model;
    uint64_t off = (m->cmd_halted ? AMDVI_MMIO_STATUS_CMDBUF_RUN : 0) |
                   (m->evt_stopped ? AMDVI_MMIO_STATUS_EVT_RUN : 0);

    amd_iommu_set_reg(s, AMDVI_MMIO_STATUS,
                      amd_iommu_reg(s, AMDVI_MMIO_STATUS) & ~off);
}

static void write_control(AMDVIState *s, uint64_t val)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    AMDIOMMUModel *m = s->model;
    uint64_t old = amd_iommu_control(s), sticks = val & control_mask(s);

    if (ops && ops->control_write) {
        sticks = ops->control_write(s, old, sticks);
    }
    if (sticks != val) {
        trace_amd_iommu_control_refused(val & ~sticks);
    }
    if (!(sticks & AMDVI_MMIO_CONTROL_CMDBUFLEN)) {
        m->cmd_halted = false;
        iotlb_forget(m);
    }
    update_evt_stopped(s, sticks);
    amd_iommu_set_reg(s, AMDVI_MMIO_CONTROL, sticks);
    amdvi_handle_control_write(s);
    clear_run_bits(s);
    if (ops && ops->control_changed) {
        ops->control_changed(s, old, sticks);
    }
}

bool amd_iommu_model_mmio_read(AMDVIState *s, hwaddr addr, unsigned size,
                               uint64_t *val)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;

    s->model->stats.mmio_reads++;
    return ops && ops->mmio_read && ops->mmio_read(s, addr, size, val);
}

/* Whether a register that only this model has, or that it treats otherwise */
bool amd_iommu_model_mmio_write(AMDVIState *s, hwaddr addr, unsigned size,
                                uint64_t val)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    hwaddr reg = addr & ~7ULL;

    s->model->stats.mmio_writes++;
    switch (reg) {
    case AMDVI_MMIO_CONTROL:
        write_control(s, merge(s, addr, size, val));
        return true;
    case 0x00e0: /* guest vAPIC log base, tail address, head, tail */
    case 0x00e8:
    case 0x2040:
    case 0x2048:
    case 0x0178: /* XT interrupt control of the PPR and GA logs */
    case 0x0180:
        amd_iommu_set_reg(s, reg, merge(s, addr, size, val));
        return true;
    default:
        return ops && ops->mmio_write && ops->mmio_write(s, addr, size, val);
    }
}

/*
 * Device
 */

static void write_once(AMDVIState *s, hwaddr addr, uint64_t val)
{
    stq_le_p(&s->mmior[addr], val);
    stq_le_p(&s->romask[addr], UINT64_MAX);
}

void amd_iommu_model_reset(AMDVIState *s)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    AMDIOMMUModel *m = s->model;

    timer_del(m->cmd_timer);
    iotlb_forget(m);
    m->cmd_halted = false;
    m->evt_stopped = false;
    m->fault_last = false;
    m->unwaited_ms = 0;
    amd_iommu_cache_reset(m);
    write_once(s, AMD_IOMMU_REG_EXT_FEATURES2, amd_iommu_model_efr2(s));
    if (ops && ops->reset) {
        ops->reset(s, m->in_surprise);
    }
}

/*
 * Knob: the IOMMU loses all its state while the machine goes on, as after a
 * power failure of that part alone. DMA is not translated from here on.
 */
static void set_surprise_reset(Object *obj, bool on, Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);

    if (!s->cfg.host_grade || !DEVICE(obj)->realized) {
        error_setg(errp, "surprise-reset needs a running host-grade IOMMU");
    } else if (on) {
        s->model->in_surprise = true;
        amdvi_init(s);
        s->model->in_surprise = false;
    }
}

static bool check_config(AMDVIState *s, Error **errp)
{
    const AMDIOMMUConfig *c = &s->cfg;

    if (!c->host_grade &&
        (c->strict || !c->np_cache || !c->gt || !c->ppr || !c->ga || c->gio ||
         c->eph || c->had || c->gcr3trp || c->hats != 2 || c->gats != 2 ||
         c->glx || c->pasmax || c->gam)) {
        error_setg(errp, "feature properties need host-grade=on");
        return false;
    }
    if (c->host_grade && s->dma_remap) {
        error_setg(errp, "host-grade=on translates always; it has no "
                   "dma-remap");
        return false;
    }
    if (c->hats > 2 || c->gats > 2 || c->glx > 2 || c->pasmax > 19 ||
        c->gam > 7) {
        error_setg(errp, "hats, gats and glxsup go up to 2, pasmax to 19 and "
                   "gamsup to 7");
        return false;
    }
    if ((c->gio || c->glx || c->gcr3trp || c->pasmax) && !c->gt) {
        error_setg(errp, "giosup, glxsup, gcr3trpmode and pasmax need gt=on");
        return false;
    }
    return true;
}

/*
 * Linux wants to see the southbridge at the place where the IVRS has the
 * IOAPIC, or it leaves interrupt remapping off.
 */
static bool add_southbridge(AMDVIState *s, Error **errp)
{
    PCIBus *bus = pci_get_bus(&s->pci->dev);
    int devfn = AMDVI_IOAPIC_SB_DEVID;

    if (bus->devices[devfn]) {
        error_setg(errp, "southbridge=on needs slot 0x14 of the root bus, "
                   "which has a %s", bus->devices[devfn]->name);
        return false;
    }
    return qdev_realize_and_unref(
        DEVICE(pci_new(devfn, TYPE_AMD_IOMMU_SOUTHBRIDGE)), &bus->qbus, errp);
}

bool amd_iommu_model_realize(AMDVIState *s, Error **errp)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    uint8_t *cap = s->pci->dev.config + s->pci->capab_offset;
    Error *local_err = NULL;
    AMDIOMMUModel *m;

    if (!check_config(s, errp) ||
        (s->cfg.southbridge && !add_southbridge(s, errp))) {
        return false;
    }
    if (!s->cfg.host_grade) {
        return true;
    }
    m = s->model;
    error_setg(&m->blocker, "The state of a host-grade amd-iommu cannot be "
               "migrated");
    if (migrate_add_blocker(&m->blocker, errp) < 0) {
        return false;
    }
    m->cmd_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, cmd_timer, m);
    m->iotlb_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, iotlb_timer, m);
    amd_iommu_cache_init(m);
    add_counters(s, &m->stats);
    if (!s->cfg.np_cache) {
        pci_set_long(cap, pci_get_long(cap) & ~AMDVI_CAPAB_FLAG_NPCACHE);
    }
    if (ops && ops->realize) {
        ops->realize(s, &local_err);
    }
    error_propagate(errp, local_err);
    return !local_err;
}

void amd_iommu_model_class_init(ObjectClass *klass)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;

    object_class_property_add_str(klass, "last-violation",
                                  get_last_violation, NULL);
    if (ops && ops->class_init) {
        ops->class_init(klass);
    }
}

void amd_iommu_model_instance_init(Object *obj)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    AMDIOMMUModel *m = g_new0(AMDIOMMUModel, 1);

    m->s = s;
    s->model = m;
    object_property_add_uint64_ptr(obj, "cmd-delay", &m->cmd_delay_ns,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "cw-lose", &m->cw_lose,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "cw-corrupt", &m->cw_corrupt,
                                   OBJ_PROP_FLAG_READWRITE);
    m->iotlb_silent = UINT32_MAX;
    object_property_add_uint32_ptr(obj, "iotlb-silent", &m->iotlb_silent,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_bool(obj, "surprise-reset", NULL, set_surprise_reset);
    amd_iommu_audit_init(obj);
    if (ops && ops->instance_init) {
        ops->instance_init(s);
    }
}

void amd_iommu_model_instance_finalize(Object *obj)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    AMDIOMMUModel *m = s->model;

    if (ops && ops->instance_finalize) {
        ops->instance_finalize(s);
    }
    migrate_del_blocker(&m->blocker);
    if (m->cmd_timer) {
        timer_free(m->cmd_timer);
        timer_free(m->iotlb_timer);
        amd_iommu_cache_finalize(m);
    }
    g_free(m->last_violation);
    g_free(m);
}

/*
 * Southbridge: nothing but its identity
 */

static void southbridge_realize(PCIDevice *pdev, Error **errp)
{
}

static void southbridge_class_init(ObjectClass *klass, const void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = southbridge_realize;
    k->vendor_id = PCI_VENDOR_ID_AMD;
    k->device_id = 0x790b;
    k->class_id = PCI_CLASS_SERIAL_SMBUS;
    dc->desc = "Southbridge function at the IOAPIC's device ID";
    dc->user_creatable = false;
    dc->hotpluggable = false;
}

static const TypeInfo southbridge_info = {
    .name = TYPE_AMD_IOMMU_SOUTHBRIDGE,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(PCIDevice),
    .class_init = southbridge_class_init,
    .interfaces = (const InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

static void amd_iommu_model_register_types(void)
{
    type_register_static(&southbridge_info);
}

type_init(amd_iommu_model_register_types)
