/*
 * AMD IOMMU, accelerated: what the rest of QEMU sees of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * With accel=on, an amd-iommu translates nothing itself. Its devices are those
 * of vfio-pci, and the IOMMU of the host walks the guest's tables for them. See
 * docs/system/i386/amd-iommu-accel.rst. All of it runs under the BQL.
 */

#ifndef HW_I386_AMD_IOMMU_ACCEL_H
#define HW_I386_AMD_IOMMU_ACCEL_H

#include "hw/pci/pci.h"
#include "qapi/qapi-types-common.h"

typedef struct AMDVIState AMDVIState;
typedef struct AMDIOMMUAccel AMDIOMMUAccel;

/**
 * AMDIOMMUAccelConfig - properties, fixed at realize
 * @accel: the host's IOMMU does the work
 * @hw_queues: and executes the guest's command buffer. Auto: it does not
 */
typedef struct AMDIOMMUAccelConfig {
    bool accel;
    OnOffAuto hw_queues;
} AMDIOMMUAccelConfig;

/**
 * AMDIOMMUCounters - what a guest and its IOMMU cost QEMU, in any mode
 * @mmio_reads, @mmio_writes: accesses to registers that came to QEMU
 * @commands: of the guest's command buffer, decoded by QEMU
 *
 * The others count with accel=on only:
 * @dte_writes: to the part of the device table that is watched
 * @invalidations: commands that went to the host
 * @events, @interrupts: that the host has reported
 * @errors: what the host has refused
 * @ioctl: calls of iommufd and VFIO, by kind
 */
typedef enum AMDIOMMUIoctl {
    AMD_IOCTL_VIOMMU_ALLOC,
    AMD_IOCTL_VDEVICE_ALLOC,
    AMD_IOCTL_VEVENTQ_ALLOC,
    AMD_IOCTL_HW_QUEUE_ALLOC,
    AMD_IOCTL_HWPT_ALLOC,
    AMD_IOCTL_HWPT_INVALIDATE,
    AMD_IOCTL_VIOMMU_COMMAND,
    AMD_IOCTL_ATTACH,
    AMD_IOCTL_DETACH,
    AMD_IOCTL_DESTROY,
    AMD_IOCTL__MAX,
} AMDIOMMUIoctl;

typedef struct AMDIOMMUCounters {
    uint64_t mmio_reads;
    uint64_t mmio_writes;
    uint64_t commands;
    uint64_t dte_writes;
    uint64_t invalidations;
    uint64_t events;
    uint64_t interrupts;
    uint64_t errors;
    uint64_t ioctl[AMD_IOCTL__MAX];
} AMDIOMMUCounters;

/* Once, in this order; all but the first do nothing with accel=off */
void amd_iommu_accel_instance_init(Object *obj);
void amd_iommu_accel_choose_intremap(AMDVIState *s);
bool amd_iommu_accel_realize(AMDVIState *s, Error **errp);
void amd_iommu_accel_finalize(Object *obj);

/* For amd-iommu with accel=on instead of its own */
const PCIIOMMUOps *amd_iommu_accel_pci_ops(void);
uint64_t amd_iommu_accel_efr(AMDVIState *s, uint64_t efr);

/*
 * For the IVRS. Only devices of vfio-pci are behind an accelerated IOMMU; with
 * accel=off, or without an amd-iommu, all are.
 */
bool amd_iommu_accel_covers(PCIBus *bus, PCIDevice *dev);

/*
 * An interrupt message of @sid passes as it is, as from a device that no IOMMU
 * is in front of
 */
bool amd_iommu_accel_passes_msi(AMDVIState *s, uint16_t sid);

/* The guest has written a register, which has the new value */
void amd_iommu_accel_control(AMDVIState *s);
void amd_iommu_accel_devtab(AMDVIState *s, hwaddr offset, unsigned size);

/* Is the command buffer none of QEMU's business? */
bool amd_iommu_accel_has_rings(AMDVIState *s);

/*
 * A command of the guest's buffer, in host order. False: it is for QEMU to
 * execute. At the end of a run of commands, those that wait go to the host.
 */
bool amd_iommu_accel_command(AMDVIState *s, const uint64_t cmd[2]);
void amd_iommu_accel_commands_end(AMDVIState *s);

/* There is no memory where the next command should be */
void amd_iommu_accel_no_command(AMDVIState *s);

/*
 * The guest has written its control register. Is the command buffer off, all
 * the same, because of an error?
 */
bool amd_iommu_accel_stopped(AMDVIState *s);

/*
 * Reset: rings first, with all that the guest has set up. Devices do DMA until
 * they are reset themselves, so they keep their tables until the very end.
 */
void amd_iommu_accel_reset(AMDVIState *s);
void amd_iommu_accel_reset_exit(AMDVIState *s);

/* What amd_iommu.c lends: an event, in host order, for the guest's log */
void amdvi_log_event(AMDVIState *s, uint64_t *evt);

#endif
