/*
 * AMD IOMMU, accelerated: the vIOMMU and the guest's page of registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * There is a vIOMMU while there is a device: VFIO takes the nesting parent away
 * with the last one. Without, QEMU emulates all registers and executes the
 * guest's commands, which do not concern any device. The guest does not notice
 * the change: heads, tails and what is enabled go along.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

static void vf_reclaim(AMDAccelVf *vf)
{
    munmap(vf->ptr, AMD_ACCEL_VF_SIZE);
    g_free(vf);
}

static bool vf_create(AMDIOMMUAccel *a, const struct iommu_viommu_amd *data,
                      Error **errp)
{
    AMDAccelVf *vf;
    void *ptr;

    if (data->out_vfmmio_mmap_length != AMD_ACCEL_VF_SIZE) {
        error_setg(errp, "The host's page of IOMMU registers has 0x%" PRIx64
                   " bytes", (uint64_t)data->out_vfmmio_mmap_length);
        return false;
    }
    if (!iommufd_backend_viommu_mmap(a->iommufd, a->viommu_id,
                                     AMD_ACCEL_VF_SIZE,
                                     data->out_vfmmio_mmap_offset, &ptr,
                                     errp)) {
        return false;
    }
    vf = g_new0(AMDAccelVf, 1);
    vf->ptr = ptr;
    memory_region_init_ram_device_ptr(&vf->mr, OBJECT(a->s), "amdvi-vf",
                                      AMD_ACCEL_VF_SIZE, ptr);
    /* No device writes to it */
    memory_region_set_skip_iommu_map(&vf->mr, true);
    a->vf = vf;
    return true;
}

/*
 * The host wants its page back before the vIOMMU can go, but another thread may
 * still be about to access it: for that one, put a page there that nobody reads
 */
static void vf_destroy(AMDIOMMUAccel *a)
{
    AMDAccelVf *vf = a->vf;

    if (!vf) {
        return;
    }
    a->vf = NULL;
    object_unparent(OBJECT(&vf->mr));
    if (mmap(vf->ptr, AMD_ACCEL_VF_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        error_report_once("amd-iommu: cannot unmap the host's page: %s",
                          strerror(errno));
    }
    call_rcu(vf, vf_reclaim, rcu);
}

static bool rings_wanted(AMDIOMMUAccel *a)
{
    /*
     * Hardware would execute INVALIDATE_INTERRUPT_TABLE, too, and QEMU, which
     * remaps the interrupts, not notice.
     */
    return a->s->accel_cfg.hw_queues != ON_OFF_AUTO_OFF &&
           !x86_iommu_ir_supported(X86_IOMMU_DEVICE(a->s));
}

static bool alloc(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                  Error **errp)
{
    struct iommu_viommu_amd data = { };
    bool rings = rings_wanted(a);

    if (!amd_accel_host_viommu(a, hiodi, rings ? &data : NULL, errp)) {
        error_append_hint(errp, "The host needs a kernel with AMD vIOMMUs.\n");
        return false;
    }
    a->caps = data.out_caps;
    if (a->caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES) {
        return vf_create(a, &data, errp);
    }
    a->caps = 0;
    if (a->s->accel_cfg.hw_queues == ON_OFF_AUTO_ON) {
        error_setg(errp, "hw-queues=on, but the host's IOMMU does not run "
                   "rings of guests");
        return false;
    }
    return true;
}

static void undo(AMDIOMMUAccel *a)
{
    amd_accel_events_destroy(a);
    amd_accel_host_destroy(a, &a->block_id);
    vf_destroy(a);
    amd_accel_host_destroy(a, &a->viommu_id);
    a->caps = 0;
    a->control = 0;
    a->iommufd = NULL;
    a->parent_id = 0;
}

/* Nothing of what the guest has set up is in it yet, and all of it comes now */
bool amd_accel_viommu_create(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                             Error **errp)
{
    static const uint64_t blocked[4];

    a->iommufd = hiodi->iommufd;
    a->parent_id = hiodi->hwpt_id;
    if (!alloc(a, hiodi, errp) ||
        !amd_accel_host_nested(a, hiodi, blocked, &a->block_id, errp) ||
        !amd_accel_events_create(a, errp)) {
        undo(a);
        return false;
    }
    trace_amd_iommu_accel_viommu(a->viommu_id, a->caps);
    if (a->vf) {
        amd_accel_rings_adopt(a);
        memory_region_add_subregion_overlap(&a->s->mr_mmio,
                                            AMD_ACCEL_VF_OFFSET, &a->vf->mr,
                                            1);
    }
    return true;
}

/* There is no device any more; the guest's driver may go on */
void amd_accel_viommu_destroy(AMDIOMMUAccel *a)
{
    if (!a->viommu_id) {
        return;
    }
    trace_amd_iommu_accel_viommu(0, 0);
    amd_accel_watch_off(a);
    if (a->vf) {
        /* From here on, what the guest does waits for the BQL */
        memory_region_del_subregion(&a->s->mr_mmio, &a->vf->mr);
        amd_accel_rings_release(a);
    }
    undo(a);
    /* With the last of the events, which may be about these commands */
    amdvi_handle_control_write(a->s);
}
