/*
 * AMD IOMMU, accelerated: a QEMU without it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "amd_iommu.h"
#include "amd_iommu_accel.h"

void amd_iommu_accel_instance_init(Object *obj)
{
}

void amd_iommu_accel_choose_intremap(AMDVIState *s)
{
}

void amd_iommu_accel_finalize(Object *obj)
{
}

bool amd_iommu_accel_realize(AMDVIState *s, Error **errp)
{
    if (s->accel_cfg.accel || s->accel_cfg.hw_queues != ON_OFF_AUTO_AUTO) {
        error_setg(errp, "accel=on is not in this QEMU: it needs iommufd");
        return false;
    }
    return true;
}

const PCIIOMMUOps *amd_iommu_accel_pci_ops(void)
{
    return NULL;
}

uint64_t amd_iommu_accel_efr(AMDVIState *s, uint64_t efr)
{
    return efr;
}

bool amd_iommu_accel_covers(PCIBus *bus, PCIDevice *dev)
{
    return true;
}

bool amd_iommu_accel_passes_msi(AMDVIState *s, uint16_t sid)
{
    return false;
}

void amd_iommu_accel_control(AMDVIState *s)
{
}

void amd_iommu_accel_devtab(AMDVIState *s, hwaddr offset, unsigned size)
{
}

bool amd_iommu_accel_has_rings(AMDVIState *s)
{
    return false;
}

bool amd_iommu_accel_command(AMDVIState *s, const uint64_t cmd[2])
{
    return false;
}

void amd_iommu_accel_commands_end(AMDVIState *s)
{
}

void amd_iommu_accel_no_command(AMDVIState *s)
{
}

bool amd_iommu_accel_stopped(AMDVIState *s)
{
    return false;
}

void amd_iommu_accel_reset(AMDVIState *s)
{
}

void amd_iommu_accel_reset_exit(AMDVIState *s)
{
}
