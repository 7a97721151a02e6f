/*
 * AMD IOMMU, accelerated: the command buffer, if hardware does not run it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU decodes the guest's commands. Those that are about what hardware caches
 * go to the host, as they are and as many at a time as there are before the
 * next COMPLETION_WAIT, which must not be done before they are.
 *
 * An error stops the buffer as on bare metal, with the head at the command that
 * is to blame. Those before it are done, and no other one is.
 */

#include "qemu/osdep.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

static void log_command(AMDIOMMUAccel *a, unsigned code, hwaddr addr)
{
    uint64_t evt[2] = { (uint64_t)code << 60, addr };

    amdvi_log_event(a->s, evt);
}

static hwaddr current_command(const AMDIOMMUAccel *a)
{
    return a->s->cmdbuf + a->s->cmdbuf_head;
}

/* Until the guest has disabled the buffer and enabled it again */
static void stop_at(AMDIOMMUAccel *a, hwaddr addr)
{
    AMDVIState *s = a->s;
    uint64_t status = amd_accel_reg(a, AMDVI_MMIO_STATUS);

    a->stopped = true;
    s->cmdbuf_enabled = false;
    s->cmdbuf_head = addr - s->cmdbuf;
    amd_accel_set_reg(a, AMDVI_MMIO_COMMAND_HEAD, s->cmdbuf_head);
    amd_accel_set_reg(a, AMDVI_MMIO_STATUS,
                      status & ~(uint64_t)AMDVI_MMIO_STATUS_CMDBUF_RUN);
}

/* The host does not like a command, or does not do any */
static void failed(AMDIOMMUAccel *a, int ret, hwaddr addr, Error *err)
{
    bool illegal = ret == -EINVAL || ret == -EOPNOTSUPP;

    error_prepend(&err, "The guest's command at 0x%" HWADDR_PRIx ": ", addr);
    amd_accel_report(a, illegal ? AMD_ACCEL_GUEST : AMD_ACCEL_HOST, err);
    log_command(a, illegal ? AMD_IOMMU_EVT_ILLEGAL_CMD : AMD_IOMMU_EVT_CMD_HW,
                addr);
    stop_at(a, addr);
}

/*
 * The host has all that the guest has posted so far. If it does not do one, the
 * guest finds those from that one on behind the head.
 */
static void flush(AMDIOMMUAccel *a)
{
    AMDAccelBatch *b = &a->batch;
    uint32_t num = b->num, done = num;
    Error *err = NULL;
    int ret;

    b->num = 0;
    if (!num || !a->viommu_id) {
        return;
    }
    ret = amd_accel_host_invalidate(a, b->cmd, &done, &err);
    done = MIN(done, num);
    trace_amd_iommu_accel_invalidate(num, done, ret);
    a->s->counters.invalidations += done;
    if (ret) {
        /* If all are done, and yet it failed, it is not about one of them */
        failed(a, ret, b->addr[MIN(done, num - 1)], err);
    }
}

static void queue(AMDIOMMUAccel *a, const uint64_t cmd[2])
{
    AMDAccelBatch *b = &a->batch;

    b->cmd[b->num].cmd[0] = cpu_to_le64(cmd[0]);
    b->cmd[b->num].cmd[1] = cpu_to_le64(cmd[1]);
    b->addr[b->num] = current_command(a);
    if (++b->num == AMD_ACCEL_BATCH) {
        flush(a);
    }
}

static void inval_devtab(AMDIOMMUAccel *a, const uint64_t cmd[2])
{
    uint16_t rid = cmd[0];

    amd_accel_dte_changed(a, rid, rid);
    /* The entry may be the same, and something that it leads to another one */
    queue(a, cmd);
}

/* Opcodes and reserved bits; what else there is to say about it the host says */
static bool is_legal(const uint64_t cmd[2])
{
    switch (extract64(cmd[0], 60, 4)) {
    case AMDVI_CMD_COMPLETION_WAIT:
        return !extract64(cmd[0], 52, 8);
    case AMDVI_CMD_INVAL_DEVTAB_ENTRY:
    case AMDVI_CMD_INVAL_INTR_TABLE:
        return !extract64(cmd[0], 16, 44) && !cmd[1];
    case AMDVI_CMD_INVAL_AMDVI_PAGES:
        return !extract64(cmd[0], 20, 12) && !extract64(cmd[0], 48, 12) &&
               !extract64(cmd[1], 3, 9);
    case AMDVI_CMD_INVAL_IOTLB_PAGES:
        return !extract64(cmd[1], 1, 1) && !extract64(cmd[1], 3, 1) &&
               !extract64(cmd[1], 6, 6);
    case AMDVI_CMD_INVAL_AMDVI_ALL:
        return !extract64(cmd[0], 0, 60) && !cmd[1];
    case AMDVI_CMD_PREFETCH_AMDVI_PAGES:
    case AMDVI_CMD_COMPLETE_PPR_REQUEST:
        return true;
    default:
        return false;
    }
}

/* What comes before it is done first, and may have stopped the buffer */
static void refuse_command(AMDIOMMUAccel *a, unsigned code)
{
    flush(a);
    if (a->s->cmdbuf_enabled) {
        log_command(a, code, current_command(a));
        stop_at(a, current_command(a));
    }
}

void amd_iommu_accel_no_command(AMDVIState *s)
{
    if (s->accel) {
        refuse_command(s->accel, AMD_IOMMU_EVT_CMD_HW);
    }
}

bool amd_iommu_accel_stopped(AMDVIState *s)
{
    const uint64_t on = AMDVI_MMIO_CONTROL_AMDVIEN |
                        AMDVI_MMIO_CONTROL_CMDBUFLEN;
    AMDIOMMUAccel *a = s->accel;

    if (!a) {
        return false;
    }
    a->stopped &= (amd_accel_reg(a, AMDVI_MMIO_CONTROL) & on) == on;
    return a->stopped;
}

bool amd_iommu_accel_command(AMDVIState *s, const uint64_t cmd[2])
{
    AMDIOMMUAccel *a = s->accel;

    if (!a) {
        return false;
    }
    if (!is_legal(cmd)) {
        refuse_command(a, AMD_IOMMU_EVT_ILLEGAL_CMD);
        return true;
    }
    if (!a->viommu_id) {
        return false;
    }
    switch (extract64(cmd[0], 60, 4)) {
    case AMDVI_CMD_INVAL_AMDVI_PAGES:
    case AMDVI_CMD_INVAL_IOTLB_PAGES:
        queue(a, cmd);
        return true;
    case AMDVI_CMD_INVAL_AMDVI_ALL:
        queue(a, cmd);
        amdvi_intremap_inval_notify_all(s, true, 0, 0);
        return true;
    case AMDVI_CMD_INVAL_DEVTAB_ENTRY:
        flush(a);
        if (s->cmdbuf_enabled) {
            inval_devtab(a, cmd);
        }
        return true;
    default:
        flush(a);
        /* The completion that it asks for would not be true */
        return !s->cmdbuf_enabled;
    }
}

void amd_iommu_accel_commands_end(AMDVIState *s)
{
    if (s->accel) {
        flush(s->accel);
    }
}
