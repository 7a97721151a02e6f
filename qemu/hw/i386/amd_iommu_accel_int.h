/*
 * AMD IOMMU, accelerated: what its own files share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   amd_iommu_accel.c         devices, features, reset
 *   amd_iommu_accel_init.c    options, counters, start
 *   amd_iommu_accel_viommu.c  the vIOMMU and the guest's page of registers
 *   amd_iommu_accel_ring.c    rings that hardware runs
 *   amd_iommu_accel_dte.c     device table entries become nested page tables
 *   amd_iommu_accel_watch.c   memory of the device table
 *   amd_iommu_accel_cmd.c     the command buffer, if hardware does not run it
 *   amd_iommu_accel_event.c   events and interrupts from the host
 *   amd_iommu_accel_host.c    calls to the host, counted; errors, reported
 */

#ifndef HW_I386_AMD_IOMMU_ACCEL_INT_H
#define HW_I386_AMD_IOMMU_ACCEL_INT_H

#include <linux/iommufd.h>
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "system/iommufd.h"
#include "amd_iommu_int.h"
#include "amd_iommu_accel.h"

/* The guest's third page of registers is the one that hardware has */
#define AMD_ACCEL_VF_OFFSET     0x2000
#define AMD_ACCEL_VF_SIZE       0x1000

/* Messages at once; afterwards it is one in a second */
#define AMD_ACCEL_BURST         10
#define AMD_ACCEL_REPORT_MS     1000

/* Whose fault it is: what a guest does must not hide what the host does */
typedef enum AMDAccelBlame {
    AMD_ACCEL_GUEST,
    AMD_ACCEL_HOST,
    AMD_ACCEL_NUM_BLAMES,
} AMDAccelBlame;

/**
 * AMDAccelReports - messages about one of them
 * @recent: how many of the burst are used up, at @since
 * @shown: ever
 * @hidden: since the last one that was shown
 */
typedef struct AMDAccelReports {
    unsigned recent;
    int64_t since;
    uint64_t shown;
    uint64_t hidden;
} AMDAccelReports;

typedef enum AMDAccelAttach {
    AMD_ACCEL_PARENT,       /* DMA addresses are guest physical */
    AMD_ACCEL_BLOCKED,      /* all DMA is refused */
    AMD_ACCEL_NESTED,       /* as the guest's DTE says */
} AMDAccelAttach;

/**
 * AMDAccelDevice - a device of vfio-pci
 * @rid: device ID that @vdev_id was allocated for
 * @vdev_id: vDEVICE, 0 if there is none
 * @hwpt_id: nested page table, 0 if there is none
 * @dte: of the guest, what @hwpt_id was made from
 * @stuck: it has to be blocked, but keeps its table: the host could not do it
 * @fault: why it is blocked, if that is not the guest's wish; reported later
 * @blame: for @fault
 */
typedef struct AMDAccelDevice {
    QLIST_ENTRY(AMDAccelDevice) next;
    PCIBus *bus;
    int devfn;
    HostIOMMUDeviceIOMMUFD *hiodi;
    AMDAccelAttach attach;
    uint16_t rid;
    uint32_t vdev_id;
    uint32_t hwpt_id;
    uint64_t dte[4];
    bool stuck;
    Error *fault;
    AMDAccelBlame blame;
} AMDAccelDevice;

/* HW queue, 0 if there is none, and the guest's register it was made from */
typedef struct AMDAccelRing {
    uint32_t queue_id;
    uint64_t base;
} AMDAccelRing;

enum {
    AMD_ACCEL_RING_CMD,
    AMD_ACCEL_RING_EVT,
    AMD_ACCEL_NUM_RINGS,
};

typedef struct AMDAccelEventq {
    IOMMUFDVeventq q;
    bool used;
} AMDAccelEventq;

/**
 * AMDAccelWatch - the part of the device table that has the entries of devices
 * @start, @size: bytes of the table; 0: nothing is watched
 * @table: guest physical address of the table
 * @rom: stands in for the memory: reads are direct, writes are trapped
 * @rom_alias: the part of @rom that the guest has in its memory
 * @ram_alias: the memory itself, for devices, whose view must not change
 * @ram: region that has the memory, referenced
 */
typedef struct AMDAccelWatch {
    hwaddr start;
    uint64_t size;
    hwaddr table;
    bool has_rom;
    MemoryRegion rom;
    MemoryRegion rom_alias;
    MemoryRegion ram_alias;
    MemoryRegion *ram;
} AMDAccelWatch;

#define AMD_ACCEL_BATCH 64

/* Commands that wait for their ioctl, and where the guest has them */
typedef struct AMDAccelBatch {
    unsigned num;
    struct iommu_viommu_amd_invalidate cmd[AMD_ACCEL_BATCH];
    hwaddr addr[AMD_ACCEL_BATCH];
} AMDAccelBatch;

/**
 * AMDIOMMUAccel
 * @viommu_id: 0 if there is no vIOMMU, as while there is no device. QEMU then
 *     emulates all of it
 * @parent_id: nesting parent, which VFIO has allocated
 * @block_id: nested page table that refuses all DMA
 * @caps: what the vIOMMU can do, less what is not to be used
 * @vf: hardware's registers are at @vf_ptr, and @vf_mr is in the guest's page
 * @vf_ptr: a page of addresses, for as long as there is this IOMMU
 * @vf_mr: what is at @vf_ptr, for as long as there is this IOMMU
 * @control: bits of the guest's control register that hardware has
 * @stopped: the command buffer, by an error, until the guest disables it
 * @devtab_half: halves of the base of the device table that wait for the other
 * @as: of devices of vfio-pci, that of emulated ones and what @watch puts on top
 * @emulated_as: the guest's memory as its CPUs see it, and interrupt messages
 * @host_errno: of the last call that the host has refused
 * @efr: of the host, from the first device. 0: there has not been one
 */
struct AMDIOMMUAccel {
    AMDVIState *s;
    QLIST_HEAD(, AMDAccelDevice) devices;
    IOMMUFDBackend *iommufd;
    uint32_t viommu_id;
    uint32_t parent_id;
    uint32_t block_id;
    uint32_t caps;
    bool vf;
    void *vf_ptr;
    MemoryRegion vf_mr;
    AMDAccelRing ring[AMD_ACCEL_NUM_RINGS];
    uint64_t control;
    AMDAccelEventq events;
    AMDAccelEventq irqs;
    QEMUTimer *poll_timer;
    QEMUTimer *fault_timer;
    AMDAccelWatch watch;
    AMDAccelBatch batch;
    bool stopped;
    uint8_t devtab_half;
    uint64_t efr;
    AMDAccelReports reports[AMD_ACCEL_NUM_BLAMES];
    int host_errno;
    Error *blocker;
    AddressSpace as;
    MemoryRegion root;
    MemoryRegion emulated;
    AddressSpace emulated_as;
    MemoryRegion emulated_root;
    MemoryRegion sysmem;
    MemoryRegion ir;
};

/* Registers of the guest, the stored value; those in the page of hardware */
static inline uint64_t amd_accel_reg(const AMDIOMMUAccel *a, hwaddr reg)
{
    return ldq_le_p(&a->s->mmior[reg]);
}

static inline void amd_accel_set_reg(AMDIOMMUAccel *a, hwaddr reg,
                                     uint64_t val)
{
    stq_le_p(&a->s->mmior[reg], val);
}

static inline uint64_t amd_accel_vf_read(const AMDIOMMUAccel *a, hwaddr reg)
{
    uint64_t *p = a->vf_ptr + (reg - AMD_ACCEL_VF_OFFSET);

    return le64_to_cpu(qatomic_read(p));
}

static inline void amd_accel_vf_write(AMDIOMMUAccel *a, hwaddr reg,
                                      uint64_t val)
{
    uint64_t *p = a->vf_ptr + (reg - AMD_ACCEL_VF_OFFSET);

    qatomic_set(p, cpu_to_le64(val));
}

static inline uint16_t amd_accel_rid(const AMDAccelDevice *dev)
{
    return PCI_BUILD_BDF(pci_bus_num(dev->bus), dev->devfn);
}

/* amd_iommu_accel.c */
bool amd_accel_is_vfio(PCIDevice *pdev);

/* amd_iommu_accel_host.c: as the functions of iommufd that they call */
bool amd_accel_host_viommu(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                           struct iommu_viommu_amd *data, Error **errp);
bool amd_accel_host_vdevice(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                            uint16_t rid, Error **errp);
bool amd_accel_host_veventq(AMDIOMMUAccel *a, uint32_t type, uint32_t depth,
                            IOMMUFDVeventq *q, Error **errp);
bool amd_accel_host_queue(AMDIOMMUAccel *a, uint32_t type, uint64_t base,
                          uint64_t length, uint32_t *id, Error **errp);
bool amd_accel_host_nested(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                           const uint64_t dte[4], uint32_t *id, Error **errp);
bool amd_accel_host_attach(AMDIOMMUAccel *a, AMDAccelDevice *dev, uint32_t id,
                           Error **errp);
bool amd_accel_host_detach(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                           Error **errp);
/* Returns 0 or a negative errno; @num is the number of commands done */
int amd_accel_host_invalidate(AMDIOMMUAccel *a,
                              struct iommu_viommu_amd_invalidate *cmd,
                              uint32_t *num, Error **errp);
bool amd_accel_host_set_control(AMDIOMMUAccel *a, uint64_t val, Error **errp);
/* Nothing if it is 0, which it is afterwards */
void amd_accel_host_destroy(AMDIOMMUAccel *a, uint32_t *id);

/* Takes @err, and shows it if there have not been too many */
void amd_accel_report(AMDIOMMUAccel *a, AMDAccelBlame blame, Error *err);
/* For what the host has refused just now */
AMDAccelBlame amd_accel_blame(const AMDIOMMUAccel *a);

/* amd_iommu_accel_viommu.c */
bool amd_accel_viommu_create(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                             Error **errp);
void amd_accel_viommu_destroy(AMDIOMMUAccel *a);
/* The page of addresses, with nothing there yet */
bool amd_accel_vf_init(AMDIOMMUAccel *a, Error **errp);
void amd_accel_vf_finalize(AMDIOMMUAccel *a);

/* amd_iommu_accel_ring.c */
void amd_accel_rings_update(AMDIOMMUAccel *a);
void amd_accel_rings_reset(AMDIOMMUAccel *a);
/* Between emulation and hardware, as what they have left off is in registers */
void amd_accel_rings_adopt(AMDIOMMUAccel *a);
void amd_accel_rings_release(AMDIOMMUAccel *a);

/* amd_iommu_accel_dte.c */
void amd_accel_device_sync(AMDIOMMUAccel *a, AMDAccelDevice *dev);
void amd_accel_devices_sync(AMDIOMMUAccel *a);
void amd_accel_device_detach(AMDIOMMUAccel *a, AMDAccelDevice *dev);
/* Device IDs whose entries the guest has written or invalidated */
void amd_accel_dte_changed(AMDIOMMUAccel *a, uint16_t first, uint16_t last);
void amd_accel_fault_timer(void *opaque);

/* amd_iommu_accel_watch.c */
bool amd_accel_watch_update(AMDIOMMUAccel *a, Error **errp);
void amd_accel_watch_off(AMDIOMMUAccel *a);

/* amd_iommu_accel_event.c */
bool amd_accel_events_create(AMDIOMMUAccel *a, Error **errp);
void amd_accel_events_destroy(AMDIOMMUAccel *a);
/* Interrupts that the guest enables may need to be polled for */
void amd_accel_events_poll(AMDIOMMUAccel *a);
void amd_accel_poll_status(void *opaque);

#endif
