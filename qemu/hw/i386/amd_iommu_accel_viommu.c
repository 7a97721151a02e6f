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

/*
 * The region is never taken apart: a view of memory that a reader still has
 * keeps the owner of a region alive, which is the IOMMU, and not the region. So
 * the addresses and the region stay, and only what is mapped there changes.
 */
bool amd_accel_vf_init(AMDIOMMUAccel *a, Error **errp)
{
    a->vf_ptr = mmap(NULL, AMD_ACCEL_VF_SIZE, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a->vf_ptr == MAP_FAILED) {
        error_setg_errno(errp, errno, "No address for the host's registers");
        return false;
    }
    memory_region_init_ram_device_ptr(&a->vf_mr, OBJECT(a->s), "amdvi-vf",
                                      AMD_ACCEL_VF_SIZE, a->vf_ptr);
    /* No device writes to it */
    memory_region_set_skip_iommu_map(&a->vf_mr, true);
    return true;
}

void amd_accel_vf_finalize(AMDIOMMUAccel *a)
{
    munmap(a->vf_ptr, AMD_ACCEL_VF_SIZE);
}

static bool vf_create(AMDIOMMUAccel *a, const struct iommu_viommu_amd *data,
                      Error **errp)
{
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
    /* It takes the place of what is there, in one step */
    if (mremap(ptr, AMD_ACCEL_VF_SIZE, AMD_ACCEL_VF_SIZE,
               MREMAP_MAYMOVE | MREMAP_FIXED, a->vf_ptr) == MAP_FAILED) {
        error_setg_errno(errp, errno, "Cannot move the host's page of IOMMU "
                         "registers");
        munmap(ptr, AMD_ACCEL_VF_SIZE);
        return false;
    }
    a->vf = true;
    return true;
}

/*
 * The host wants its page back before the vIOMMU can go, but another thread may
 * still be about to access it: for that one, put a page there that nobody reads
 */
static void vf_destroy(AMDIOMMUAccel *a)
{
    if (!a->vf) {
        return;
    }
    a->vf = false;
    if (mmap(a->vf_ptr, AMD_ACCEL_VF_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        error_report_once("amd-iommu: cannot unmap the host's page: %s",
                          strerror(errno));
    }
}

/*
 * Not before a user says so: with rings the device table is trapped, and a guest
 * that writes it with CMPXCHG16B, as Linux does since 6.13, dies of a KVM that
 * cannot emulate this. QEMU cannot tell whether it can.
 */
static bool rings_wanted(AMDIOMMUAccel *a)
{
    return a->s->accel_cfg.hw_queues == ON_OFF_AUTO_ON;
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
    if (rings) {
        error_setg(errp, "hw-queues=on, but the host's IOMMU does not run "
                   "rings of guests: try hw-queues=off");
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
                                            AMD_ACCEL_VF_OFFSET, &a->vf_mr, 1);
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
        memory_region_del_subregion(&a->s->mr_mmio, &a->vf_mr);
        amd_accel_rings_release(a);
    }
    undo(a);
    /* With the last of the events, which may be about these commands */
    amdvi_handle_control_write(a->s);
}
