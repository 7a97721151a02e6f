/*
 * AMD IOMMU, accelerated: device table entries become nested page tables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * While the guest's IOMMU is off, devices have the nesting parent: their DMA
 * addresses are guest physical. While it is on they have what their entries
 * say, or nothing. If the host can neither attach nor detach a device, that one
 * keeps the table of before until it can: QEMU tries once a second.
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_bus.h"
#include "system/dma.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

/* Of the third word, what is not about interrupts */
#define DTE2_USED       GENMASK64(55, 52)
#define DTE0_V1         (GENMASK64(51, 12) | GENMASK64(11, 9))

/* A driver that writes an entry word by word is through after this */
#define FAULT_DELAY_MS  100

/* A host that can neither attach nor detach a device may be able to later */
#define RETRY_MS        1000

static bool attach(AMDIOMMUAccel *a, AMDAccelDevice *dev, AMDAccelAttach to,
                   uint32_t id, Error **errp)
{
    uint32_t old = dev->hwpt_id;

    if (dev->attach == to && to != AMD_ACCEL_NESTED) {
        return true;
    }
    if (!amd_accel_host_attach(a, dev, id, errp)) {
        return false;
    }
    trace_amd_iommu_accel_attach(amd_accel_rid(dev), to, id);
    dev->attach = to;
    dev->hwpt_id = to == AMD_ACCEL_NESTED ? id : 0;
    amd_accel_host_destroy(a, &old);
    return true;
}

static void set_timer(AMDIOMMUAccel *a, int64_t ms)
{
    timer_mod(a->fault_timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
}

/* If there is nothing to attach it to, then to nothing: that blocks as well */
static void block(AMDIOMMUAccel *a, AMDAccelDevice *dev)
{
    Error *err = NULL;

    dev->stuck = false;
    if (attach(a, dev, AMD_ACCEL_BLOCKED, a->block_id, &err)) {
        return;
    }
    amd_accel_report(a, AMD_ACCEL_HOST, err);
    err = NULL;
    if (!amd_accel_host_detach(a, dev, &err)) {
        amd_accel_report(a, AMD_ACCEL_HOST, err);
        dev->stuck = true;
        set_timer(a, RETRY_MS);
        return;
    }
    dev->attach = AMD_ACCEL_BLOCKED;
    amd_accel_host_destroy(a, &dev->hwpt_id);
}

static void clear_fault(AMDAccelDevice *dev)
{
    error_free(dev->fault);
    dev->fault = NULL;
}

/* The guest is told where QEMU writes its log; else that is hardware's */
static void log_illegal_dte(AMDIOMMUAccel *a, uint16_t rid)
{
    uint64_t evt[2] = {
        rid | (uint64_t)AMDVI_EVENT_ILLEGAL_DEVTAB_ENTRY << 48,
        a->s->devtab + rid * AMDVI_DEVTAB_ENTRY_SIZE,
    };

    amdvi_log_event(a->s, evt);
}

/* Those that are still there */
static void show_faults(AMDIOMMUAccel *a)
{
    AMDAccelDevice *dev;

    QLIST_FOREACH(dev, &a->devices, next) {
        if (dev->fault) {
            amd_accel_report(a, dev->blame, dev->fault);
            dev->fault = NULL;
        }
    }
}

void amd_accel_fault_timer(void *opaque)
{
    AMDIOMMUAccel *a = opaque;
    AMDAccelDevice *dev;

    show_faults(a);
    QLIST_FOREACH(dev, &a->devices, next) {
        if (dev->stuck) {
            block(a, dev);
        }
    }
}

/* Takes @err */
static void fault(AMDIOMMUAccel *a, AMDAccelDevice *dev, AMDAccelBlame blame,
                  Error *err)
{
    uint16_t rid = amd_accel_rid(dev);

    clear_fault(dev);
    dev->blame = blame;
    error_prepend(&err, "guest device %02x:%02x.%x is blocked: ",
                  PCI_BUS_NUM(rid), PCI_SLOT(rid), PCI_FUNC(rid));
    dev->fault = err;
    block(a, dev);
    if (a->vf) {
        set_timer(a, FAULT_DELAY_MS);
    } else {
        log_illegal_dte(a, rid);
        show_faults(a);
    }
}

static bool read_dte(AMDIOMMUAccel *a, uint16_t rid, uint64_t dte[4],
                     Error **errp)
{
    AMDVIState *s = a->s;
    hwaddr addr = s->devtab + rid * AMDVI_DEVTAB_ENTRY_SIZE;
    int i;

    if (rid >= s->devtab_len) {
        error_setg(errp, "the device table has %" PRIu64 " entries",
                   s->devtab_len);
        return false;
    }
    if (dma_memory_read(&address_space_memory, addr, dte,
                        AMDVI_DEVTAB_ENTRY_SIZE, MEMTXATTRS_UNSPECIFIED)) {
        error_setg(errp, "no memory at 0x%" HWADDR_PRIx ", where its device "
                   "table entry should be", addr);
        return false;
    }
    for (i = 0; i < 4; i++) {
        dte[i] = le64_to_cpu(dte[i]);
    }
    return true;
}

/* The host checks all of it; this is what a user can do something about */
static bool check_dte(const uint64_t dte[4], Error **errp)
{
    if (dte[0] & DTE0_V1) {
        error_setg(errp, "the guest uses a v1 page table, but has to use v2");
        error_append_hint(errp, "Linux does with amd_iommu=pgtbl_v2 on its "
                          "command line.\n");
        return false;
    }
    return true;
}

static bool same_dte(const uint64_t one[4], const uint64_t other[4])
{
    return one[0] == other[0] && one[1] == other[1] &&
           !((one[2] ^ other[2]) & DTE2_USED) && one[3] == other[3];
}

static bool nest(AMDIOMMUAccel *a, AMDAccelDevice *dev, const uint64_t dte[4],
                 AMDAccelBlame *blame, Error **errp)
{
    uint32_t id;

    if (dev->attach == AMD_ACCEL_NESTED && same_dte(dev->dte, dte)) {
        return true;
    }
    if (!check_dte(dte, errp)) {
        return false;
    }
    if (!amd_accel_host_nested(a, dev->hiodi, dte, &id, errp)) {
        *blame = amd_accel_blame(a);
        return false;
    }
    if (!attach(a, dev, AMD_ACCEL_NESTED, id, errp)) {
        *blame = amd_accel_blame(a);
        amd_accel_host_destroy(a, &id);
        return false;
    }
    memcpy(dev->dte, dte, sizeof(dev->dte));
    return true;
}

static bool own_vdevice(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                        AMDAccelBlame *blame, Error **errp)
{
    if (dev->vdev_id && dev->rid == amd_accel_rid(dev)) {
        return true;
    }
    *blame = AMD_ACCEL_HOST;
    if (dev->vdev_id) {
        error_setg(errp, "the host has it as 0x%04x, and does not let go of "
                   "it", dev->rid);
        return false;
    }
    return amd_accel_host_vdevice(a, dev, amd_accel_rid(dev), errp);
}

/* Not while it translates: nobody could tell whose its faults are */
static void drop_vdevice(AMDIOMMUAccel *a, AMDAccelDevice *dev)
{
    if (dev->attach == AMD_ACCEL_NESTED) {
        block(a, dev);
    }
    if (dev->attach != AMD_ACCEL_NESTED) {
        amd_accel_host_destroy(a, &dev->vdev_id);
    }
}

/* Give a device what the guest wants it to have now */
void amd_accel_device_sync(AMDIOMMUAccel *a, AMDAccelDevice *dev)
{
    AMDAccelBlame blame = AMD_ACCEL_GUEST;
    uint16_t rid = amd_accel_rid(dev);
    uint64_t dte[4] = { 0 };
    Error *err = NULL;

    dev->stuck = false;
    if (!a->s->enabled) {
        clear_fault(dev);
        if (!attach(a, dev, AMD_ACCEL_PARENT, a->parent_id, &err)) {
            fault(a, dev, AMD_ACCEL_HOST, err);
        }
        return;
    }
    if (!own_vdevice(a, dev, &blame, &err) || !read_dte(a, rid, dte, &err)) {
        fault(a, dev, blame, err);
        return;
    }
    trace_amd_iommu_accel_dte(rid, dte[0], dte[1], dte[2], dte[3]);
    if (!(dte[0] & DTE0_V) || !(dte[0] & DTE0_TV)) {
        clear_fault(dev);
        block(a, dev);
    } else if (nest(a, dev, dte, &blame, &err)) {
        clear_fault(dev);
    } else {
        fault(a, dev, blame, err);
    }
}

static bool is_renumbered(const AMDAccelDevice *dev)
{
    return dev->vdev_id && dev->rid != amd_accel_rid(dev);
}

/* After what is about all of them: IOMMU on or off, another table, hotplug */
void amd_accel_devices_sync(AMDIOMMUAccel *a)
{
    AMDAccelDevice *dev;
    Error *err = NULL;

    /* A guest that gives buses other numbers may exchange two of them */
    QLIST_FOREACH(dev, &a->devices, next) {
        if (is_renumbered(dev)) {
            drop_vdevice(a, dev);
        }
    }
    if (!amd_accel_watch_update(a, &err)) {
        QLIST_FOREACH(dev, &a->devices, next) {
            fault(a, dev, AMD_ACCEL_GUEST, error_copy(err));
        }
        error_free(err);
        return;
    }
    QLIST_FOREACH(dev, &a->devices, next) {
        amd_accel_device_sync(a, dev);
    }
}

void amd_accel_dte_changed(AMDIOMMUAccel *a, uint16_t first, uint16_t last)
{
    AMDAccelDevice *dev;

    /* Nobody says that a bus has another number, and the IDs of others changed */
    QLIST_FOREACH(dev, &a->devices, next) {
        if (a->s->enabled && is_renumbered(dev)) {
            amd_accel_devices_sync(a);
            return;
        }
    }
    QLIST_FOREACH(dev, &a->devices, next) {
        uint16_t rid = amd_accel_rid(dev);

        if (a->s->enabled && rid >= first && rid <= last) {
            amd_accel_device_sync(a, dev);
        }
    }
}

/*
 * It goes back to VFIO. Attached to nothing, if the guest's IOMMU is on: with
 * the nesting parent, DMA that goes on would be to guest physical addresses.
 * VFIO does not mind.
 */
void amd_accel_device_detach(AMDIOMMUAccel *a, AMDAccelDevice *dev)
{
    Error *err = NULL;

    if (dev->attach != AMD_ACCEL_PARENT &&
        !amd_accel_host_detach(a, dev, &err)) {
        amd_accel_report(a, AMD_ACCEL_HOST, err);
        attach(a, dev, AMD_ACCEL_PARENT, a->parent_id, NULL);
    }
    amd_accel_host_destroy(a, &dev->hwpt_id);
    amd_accel_host_destroy(a, &dev->vdev_id);
    clear_fault(dev);
}
