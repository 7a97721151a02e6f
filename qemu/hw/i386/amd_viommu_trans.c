/*
 * AMD hardware vIOMMU: what the DTEs that it depends on must look like
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The translate device is a device table slot without a device: a plain host
 * table of the guest's memory, tagged with the parent's domain ID, and
 * nothing else. Its interrupt half stays what it is for a slot without a
 * device, IV = 1 and IntCtl = 0: with IV = 0 the IOMMU would pass on, without
 * remapping, whatever interrupt message arrives under that ID. The DTE of a
 * device of the guest carries guest ID and guest device ID, and both must have
 * been set up before hardware sees them.
 */

#include "qemu/osdep.h"
#include "amd_viommu.h"

static uint16_t own_domid(AMDViommu *v)
{
    uint64_t dte[4];

    if (amd_iommu_dte_get(v->iommu, amd_viommu_own_devid(v), dte) !=
        AMD_IOMMU_OK) {
        return 0;
    }
    return extract64(dte[1], 0, 16);
}

/* A virtual function that the host has not enabled is none */
static bool is_real_device(AMDViommu *v, uint16_t devid)
{
    PCIBus *bus = pci_device_root_bus(&v->iommu->pci->dev);
    PCIDevice *dev = pci_find_device(bus, PCI_BUS_NUM(devid), devid & 0xff);

    return dev && dev->enabled;
}

/* Whether rings can be used at all; says what is wrong besides */
bool amd_viommu_check_trans(AMDViommu *v, AMDViommuGuest *g)
{
    uint16_t devid = amd_viommu_trans_devid(g);
    uint64_t dte[4];
    uint16_t domid;

    if (!devid || !amd_viommu_get_dte(v, g->gid, devid, dte) ||
        !(dte[0] & AMDVI_DEV_TRANSLATION_VALID) ||
        !extract64(dte[0], AMDVI_DEV_MODE_RSHIFT, 3)) {
        amd_viommu_violation(v, AMD_VR_TRANS_MISSING, g->gid, devid);
        return false;
    }
    amd_viommu_check_fence(v, g->gid, AMD_FENCE_DEV(devid));
    if (is_real_device(v, devid)) {
        amd_viommu_violation(v, AMD_VR_TRANS_REAL, g->gid, devid);
    }
    if (~dte[0] & (AMDVI_DEV_PERM_READ | AMDVI_DEV_PERM_WRITE)) {
        amd_viommu_violation(v, AMD_VR_TRANS_PERM, g->gid, dte[0]);
    }
    if ((dte[0] & AMD_DTE0_GV) || dte[3]) {
        amd_viommu_violation(v, AMD_VR_TRANS_EXTRA, g->gid, devid);
    }
    if (!(dte[2] & AMDVI_IR_REMAP_ENABLE) ||
        extract64(dte[2], AMDVI_IR_INTCTL_SHIFT, 2)) {
        amd_viommu_violation(v, AMD_VR_TRANS_INTR, g->gid, dte[2]);
    }
    domid = extract64(dte[1], 0, 16);
    if (!domid || domid == own_domid(v)) {
        amd_viommu_violation(v, AMD_VR_TRANS_DOMID, g->gid, domid);
    }
    return true;
}

/*
 * A DTE has just been flushed: look at what hardware will find in it. A device
 * without ATS, I = 0, has nothing that a command of its guest could invalidate,
 * and would not answer: its ID may mean the translate device as well.
 */
void amd_viommu_check_nested(AMDViommu *v, uint16_t devid)
{
    AMDViommuGuest *g;
    uint16_t gid, gdev, hdev;
    uint64_t dte[4];

    if (!amd_viommu_read_dte(v, devid, dte) || !(dte[0] & AMDVI_DEV_VALID) ||
        !(dte[3] & AMD_DTE3_VIMU_EN)) {
        return;
    }
    gid = extract64(dte[3], AMD_DTE3_GID_SHIFT, 16);
    gdev = extract64(dte[3], AMD_DTE3_GDEVID_SHIFT, 16);
    if (!gid) {
        amd_viommu_violation(v, AMD_VR_GID_ZERO, 0, devid);
        return;
    }
    g = amd_viommu_guest(v, gid);
    if (!g) {
        amd_viommu_violation(v, AMD_VR_DTE_GID_UNUSED, gid, devid);
        return;
    }
    if (!amd_viommu_maps_present(v, gid) ||
        !amd_viommu_map_peek(v, g, AMD_MAP_DEV, gdev, &hdev) ||
        (hdev != devid &&
         ((dte[1] & AMD_DTE1_I) || hdev != amd_viommu_trans_devid(g)))) {
        amd_viommu_violation(v, AMD_VR_DTE_GDEV_UNMAPPED, gid, devid);
    }
}
