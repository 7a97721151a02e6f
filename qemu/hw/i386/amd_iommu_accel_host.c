/*
 * AMD IOMMU, accelerated: calls to the host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All of them go through here, so that they are counted and traced, and so that
 * who reads the other files sees what they are for.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/core/iommu.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

static bool count(AMDIOMMUAccel *a, AMDIOMMUIoctl kind, bool ok)
{
    a->s->counters.ioctl[kind]++;
    if (!ok) {
        a->host_errno = errno;
        a->s->counters.errors++;
    }
    return ok;
}

/* Other errors tell that what the guest has set up cannot be */
AMDAccelBlame amd_accel_blame(const AMDIOMMUAccel *a)
{
    switch (a->host_errno) {
    case EIO:
    case ENODEV:
    case ENOMEM:
    case ENOSPC:
    case EBUSY:
    case EINTR:
    case ETIMEDOUT:
        return AMD_ACCEL_HOST;
    default:
        return AMD_ACCEL_GUEST;
    }
}

/* Without @data it is a vIOMMU without rings, whatever the host has */
bool amd_accel_host_viommu(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                           struct iommu_viommu_amd *data, Error **errp)
{
    bool ok = iommufd_backend_alloc_viommu(hiodi->iommufd, hiodi->devid,
                                           IOMMU_VIOMMU_TYPE_AMD,
                                           hiodi->hwpt_id, data,
                                           data ? sizeof(*data) : 0,
                                           &a->viommu_id, errp);

    if (!count(a, AMD_IOCTL_VIOMMU_ALLOC, ok)) {
        a->viommu_id = 0;
    }
    return ok;
}

bool amd_accel_host_vdevice(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                            uint16_t rid, Error **errp)
{
    uint32_t id;
    bool ok = iommufd_backend_alloc_vdev(a->iommufd, dev->hiodi->devid,
                                         a->viommu_id, rid, &id, errp);

    if (count(a, AMD_IOCTL_VDEVICE_ALLOC, ok)) {
        dev->vdev_id = id;
        dev->rid = rid;
    }
    return ok;
}

bool amd_accel_host_veventq(AMDIOMMUAccel *a, uint32_t type, uint32_t depth,
                            IOMMUFDVeventq *q, Error **errp)
{
    uint32_t id, fd;
    bool ok = iommufd_backend_alloc_veventq(a->iommufd, a->viommu_id, type,
                                            depth, &id, &fd, errp);

    if (count(a, AMD_IOCTL_VEVENTQ_ALLOC, ok)) {
        *q = (IOMMUFDVeventq) { .veventq_id = id, .veventq_fd = fd };
    }
    return ok;
}

bool amd_accel_host_queue(AMDIOMMUAccel *a, uint32_t type, uint64_t base,
                          uint64_t length, uint32_t *id, Error **errp)
{
    bool ok = iommufd_backend_alloc_hw_queue(a->iommufd, a->viommu_id, type, 0,
                                             base, length, id, errp);

    if (!count(a, AMD_IOCTL_HW_QUEUE_ALLOC, ok)) {
        *id = 0;
    }
    return ok;
}

bool amd_accel_host_nested(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                           const uint64_t dte[4], uint32_t *id, Error **errp)
{
    struct iommu_hwpt_amd_guest data;
    bool ok;
    int i;

    for (i = 0; i < 4; i++) {
        data.dte[i] = dte[i];
    }
    ok = iommufd_backend_alloc_hwpt(hiodi->iommufd, hiodi->devid, a->viommu_id,
                                    0, IOMMU_HWPT_DATA_AMD_GUEST, sizeof(data),
                                    &data, id, errp);
    if (!count(a, AMD_IOCTL_HWPT_ALLOC, ok)) {
        *id = 0;
    }
    return ok;
}

bool amd_accel_host_attach(AMDIOMMUAccel *a, AMDAccelDevice *dev, uint32_t id,
                           Error **errp)
{
    bool ok = host_iommu_device_iommufd_attach_hwpt(dev->hiodi, IOMMU_NO_PASID,
                                                    id, errp);

    return count(a, AMD_IOCTL_ATTACH, ok);
}

bool amd_accel_host_detach(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                           Error **errp)
{
    bool ok = host_iommu_device_iommufd_detach_hwpt(dev->hiodi, IOMMU_NO_PASID,
                                                    errp);

    return count(a, AMD_IOCTL_DETACH, ok);
}

int amd_accel_host_invalidate(AMDIOMMUAccel *a,
                              struct iommu_viommu_amd_invalidate *cmd,
                              uint32_t *num, Error **errp)
{
    bool ok = iommufd_backend_invalidate_cache(
                  a->iommufd, a->viommu_id, IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
                  sizeof(*cmd), num, cmd, errp);
    int ret = ok ? 0 : -(errno ?: EIO);

    count(a, AMD_IOCTL_HWPT_INVALIDATE, ok);
    return ret;
}

bool amd_accel_host_set_control(AMDIOMMUAccel *a, uint64_t val, Error **errp)
{
    bool ok = iommufd_backend_viommu_set(a->iommufd, a->viommu_id,
                                         IOMMU_VIOMMU_AMD_CMD_CONTROL, val,
                                         errp);

    trace_amd_iommu_accel_set_control(val, ok);
    return count(a, AMD_IOCTL_VIOMMU_COMMAND, ok);
}

void amd_accel_host_destroy(AMDIOMMUAccel *a, uint32_t *id)
{
    if (*id) {
        iommufd_backend_free_id(a->iommufd, *id);
        count(a, AMD_IOCTL_DESTROY, true);
        *id = 0;
    }
}

/* What a guest does again and again must not fill the log of the host */
static bool may_report(AMDAccelReports *r)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    int64_t more = (now - r->since) / AMD_ACCEL_REPORT_MS;

    if (more > 0) {
        r->since = now;
        r->recent -= MIN(more, r->recent);
    }
    if (r->recent == AMD_ACCEL_BURST) {
        r->hidden++;
        return false;
    }
    r->recent++;
    r->shown++;
    return true;
}

void amd_accel_report(AMDIOMMUAccel *a, AMDAccelBlame blame, Error *err)
{
    AMDAccelReports *r = &a->reports[blame];

    trace_amd_iommu_accel_error(error_get_pretty(err));
    if (!may_report(r)) {
        error_free(err);
        return;
    }
    if (r->hidden) {
        warn_report("amd-iommu: %" PRIu64 " errors were not shown, see the "
                    "trace event amd_iommu_accel_error", r->hidden);
        r->hidden = 0;
    }
    error_prepend(&err, "amd-iommu: ");
    error_report_err(err);
}
