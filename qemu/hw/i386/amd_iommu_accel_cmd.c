/*
 * AMD IOMMU, accelerated: the command buffer, if hardware does not run it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU decodes the guest's commands. Those that are about what hardware caches
 * go to the host, as they are and as many at a time as there are before the
 * next COMPLETION_WAIT, which must not be done before they are.
 */

#include "qemu/osdep.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

static void log_command(AMDIOMMUAccel *a, unsigned code, hwaddr addr)
{
    uint64_t evt[2] = { (uint64_t)code << 60, addr };

    amdvi_log_event(a->s, evt);
}

/* As on bare metal: no further command until the guest has enabled it again */
static void stop(AMDIOMMUAccel *a)
{
    uint64_t status = amd_accel_reg(a, AMDVI_MMIO_STATUS);

    a->s->cmdbuf_enabled = false;
    amd_accel_set_reg(a, AMDVI_MMIO_STATUS,
                      status & ~(uint64_t)AMDVI_MMIO_STATUS_CMDBUF_RUN);
}

/* The host does not like a command, or does not do any */
static bool failed(AMDIOMMUAccel *a, int ret, hwaddr addr, Error *err)
{
    error_prepend(&err, "The guest's command at 0x%" HWADDR_PRIx ": ", addr);
    amd_accel_report(a, err);
    if (ret == -EINVAL || ret == -EOPNOTSUPP) {
        log_command(a, AMD_IOMMU_EVT_ILLEGAL_CMD, addr);
        return true;
    }
    log_command(a, AMD_IOMMU_EVT_CMD_HW, addr);
    stop(a);
    return false;
}

/* The host has all that the guest has posted so far */
static void flush(AMDIOMMUAccel *a)
{
    AMDAccelBatch *b = &a->batch;
    unsigned num = b->num, done = 0;

    b->num = 0;
    while (done < num && a->viommu_id) {
        uint32_t n = num - done;
        Error *err = NULL;
        int ret = amd_accel_host_invalidate(a, &b->cmd[done], &n, &err);

        n = MIN(n, num - done);
        trace_amd_iommu_accel_invalidate(num - done, n, ret);
        a->s->counters.invalidations += n;
        done += n;
        if (!ret) {
            return;
        }
        if (done == num) {
            /* All are done, and yet it failed: not about one of them */
            done--;
        }
        if (!failed(a, ret, b->addr[done], err)) {
            return;
        }
        done++;
    }
}

static void queue(AMDIOMMUAccel *a, const uint64_t cmd[2])
{
    AMDAccelBatch *b = &a->batch;

    b->cmd[b->num].cmd[0] = cpu_to_le64(cmd[0]);
    b->cmd[b->num].cmd[1] = cpu_to_le64(cmd[1]);
    b->addr[b->num] = a->s->cmdbuf + a->s->cmdbuf_head;
    if (++b->num == AMD_ACCEL_BATCH) {
        flush(a);
    }
}

static void inval_devtab(AMDIOMMUAccel *a, const uint64_t cmd[2])
{
    uint16_t rid = cmd[0];

    if (extract64(cmd[0], 16, 44) || cmd[1]) {
        log_command(a, AMD_IOMMU_EVT_ILLEGAL_CMD,
                    a->s->cmdbuf + a->s->cmdbuf_head);
        return;
    }
    amd_accel_dte_changed(a, rid, rid);
    /* The entry may be the same, and something that it leads to another one */
    queue(a, cmd);
}

bool amd_iommu_accel_command(AMDVIState *s, const uint64_t cmd[2])
{
    AMDIOMMUAccel *a = s->accel;

    if (!a || !a->viommu_id) {
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
        inval_devtab(a, cmd);
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
