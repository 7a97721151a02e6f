/*
 * AMD IOMMU, accelerated: devices, features, reset
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest's IOMMU has the devices of vfio-pci and no others: emulated ones
 * would need QEMU to see the commands of the guest. The IVRS says so, and their
 * DMA addresses are guest physical ones.
 */

#include "qemu/osdep.h"
#include "hw/core/iommu.h"
#include "hw/core/qdev.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/vfio/types.h"
#include "hw/vfio/vfio-device.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

#define EFR_GATS        GENMASK64(13, 12)
#define EFR_GLX         GENMASK64(15, 14)

static AMDAccelDevice *find(AMDIOMMUAccel *a, PCIBus *bus, int devfn)
{
    AMDAccelDevice *dev;

    QLIST_FOREACH(dev, &a->devices, next) {
        if (dev->bus == bus && dev->devfn == devfn) {
            return dev;
        }
    }
    return NULL;
}

bool amd_iommu_accel_has_rings(AMDVIState *s)
{
    return s->accel && s->accel->vf;
}

/*
 * Features of the guest's IOMMU. Of tables, only those of the guest (v2) can be
 * nested; the IVRS says that there are no others. What is not here is nobody's
 * to do: page requests, PASIDs, prefetching, second logs, error registers.
 *
 * IASup is for QEMU to do. Nobody has said that hardware takes INVALIDATE_ALL
 * from a guest's ring, and without it a guest invalidates what it has one by one.
 */
uint64_t amd_iommu_accel_efr(AMDVIState *s, uint64_t efr)
{
    AMDIOMMUAccel *a = s->accel;

    if (!a) {
        return efr;
    }
    efr &= AMDVI_FEATURE_XT | AMDVI_FEATURE_GA;
    efr |= AMDVI_FEATURE_GT | AMD_IOMMU_EFR_GIOSUP;
    if (s->accel_cfg.hw_queues != ON_OFF_AUTO_ON) {
        efr |= AMDVI_FEATURE_IA;
    }
    return efr | (a->efr & (EFR_GATS | EFR_GLX));
}

/* The first one settles what the guest gets to see, if it is not running yet */
static bool check_features(AMDIOMMUAccel *a, HostIOMMUDeviceIOMMUFD *hiodi,
                           Error **errp)
{
    const uint64_t need = AMDVI_FEATURE_GT | AMD_IOMMU_EFR_GIOSUP;
    HostIOMMUDeviceCaps *caps = &HOST_IOMMU_DEVICE(hiodi)->caps;
    uint64_t efr = caps->vendor_caps.amd.efr;

    if (caps->type != IOMMU_HW_INFO_TYPE_AMD) {
        error_setg(errp, "accel=on, but the host has no AMD IOMMU (type %u)",
                   caps->type);
        return false;
    }
    if ((efr & need) != need ||
        !(caps->vendor_caps.amd.efr2 & AMD_IOMMU_EFR2_GCR3TRPMODE)) {
        error_setg(errp, "accel=on, but the host's IOMMU cannot nest: EFR "
                   "0x%" PRIx64 ", EFR2 0x%" PRIx64, efr,
                   (uint64_t)caps->vendor_caps.amd.efr2);
        return false;
    }
    if (!a->efr && !phase_check(PHASE_MACHINE_READY)) {
        a->efr = efr;
        amd_accel_set_reg(a, AMDVI_MMIO_EXT_FEATURES,
                          amdvi_extended_feature_register(a->s));
    }
    if ((efr & EFR_GATS) < (a->efr & EFR_GATS) ||
        (efr & EFR_GLX) < (a->efr & EFR_GLX)) {
        error_setg(errp, "The IOMMU of this device can do less than the "
                   "guest has been told: EFR 0x%" PRIx64, efr);
        return false;
    }
    return true;
}

/* NULL: it cannot be found out, as for a device that QEMU has got as a file */
static char *host_group(HostIOMMUDevice *hiod)
{
    VFIODevice *vbasedev = hiod->agent;
    g_autofree char *path = NULL;

    if (!vbasedev || !vbasedev->sysfsdev) {
        return NULL;
    }
    path = g_strdup_printf("%s/iommu_group", vbasedev->sysfsdev);
    return realpath(path, NULL);
}

/*
 * The host has one page table for all devices of a group, so that an entry of
 * the guest for one of them is one for the others. In one slot they are a group
 * for the guest as well.
 */
static bool check_group(AMDIOMMUAccel *a, PCIBus *bus, int devfn,
                        HostIOMMUDevice *hiod, Error **errp)
{
    g_autofree char *group = host_group(hiod);
    AMDAccelDevice *dev;

    QLIST_FOREACH(dev, &a->devices, next) {
        g_autofree char *other = host_group(HOST_IOMMU_DEVICE(dev->hiodi));

        if (!group || g_strcmp0(group, other) ||
            (dev->bus == bus && PCI_SLOT(dev->devfn) == PCI_SLOT(devfn))) {
            continue;
        }
        error_setg(errp, "This device and one at %02x.%x are one group of the "
                   "host, %s: put them in one slot of the guest, with "
                   "multifunction=on and addr=", PCI_SLOT(dev->devfn),
                   PCI_FUNC(dev->devfn), group);
        return false;
    }
    return true;
}

static bool check_device(AMDIOMMUAccel *a, PCIBus *bus, int devfn,
                         HostIOMMUDevice *hiod, Error **errp)
{
    HostIOMMUDeviceIOMMUFD *hiodi;

    if (!object_dynamic_cast(OBJECT(hiod), TYPE_HOST_IOMMU_DEVICE_IOMMUFD)) {
        error_setg(errp, "amd-iommu with accel=on needs vfio-pci with "
                   "iommufd=");
        return false;
    }
    hiodi = HOST_IOMMU_DEVICE_IOMMUFD(hiod);
    if (find(a, bus, devfn)) {
        error_setg(errp, "There is a device at this address");
        return false;
    }
    if (hiod->aliased_bus != bus || hiod->aliased_devfn != devfn) {
        error_setg(errp, "amd-iommu with accel=on cannot have devices behind "
                   "a bridge to conventional PCI: put it behind a "
                   "pcie-root-port");
        return false;
    }
    if (pci_bus_is_root(bus) && phase_check(PHASE_MACHINE_READY)) {
        error_setg(errp, "amd-iommu with accel=on needs hot-plugged devices "
                   "behind a root port: add a pcie-root-port when QEMU is "
                   "started");
        return false;
    }
    if (a->viommu_id && (a->iommufd != hiodi->iommufd ||
                         a->parent_id != hiodi->hwpt_id)) {
        error_setg(errp, "All devices of amd-iommu with accel=on need the same "
                   "iommufd and to be behind the same IOMMU of the host");
        return false;
    }
    return check_group(a, bus, devfn, hiod, errp) &&
           check_features(a, hiodi, errp);
}

/*
 * VFIO attaches devices behind different IOMMUs to one nesting parent, but a
 * vIOMMU is one of them. The host says so when it is asked for a vDEVICE, which
 * is too late if the guest's IOMMU is on: so ask now. That the ID is in use, as
 * all are before the guest has given numbers to buses, is no answer.
 */
static bool check_host_iommu(AMDIOMMUAccel *a, AMDAccelDevice *dev,
                             Error **errp)
{
    Error *err = NULL;

    if (amd_accel_host_vdevice(a, dev, amd_accel_rid(dev), &err)) {
        amd_accel_host_destroy(a, &dev->vdev_id);
        return true;
    }
    if (a->host_errno == EEXIST) {
        error_free(err);
        return true;
    }
    error_prepend(&err, "The host refuses to have this device in one vIOMMU "
                  "with the others: ");
    error_append_hint(&err, "All devices of an amd-iommu with accel=on have to "
                      "be behind the same IOMMU of the host.\n");
    error_propagate(errp, err);
    return false;
}

static bool set_iommu_device(PCIBus *bus, void *opaque, int devfn,
                             HostIOMMUDevice *hiod, Error **errp)
{
    AMDVIState *s = opaque;
    AMDIOMMUAccel *a = s->accel;
    HostIOMMUDeviceIOMMUFD *hiodi;
    AMDAccelDevice *dev;

    if (!check_device(a, bus, devfn, hiod, errp)) {
        return false;
    }
    hiodi = HOST_IOMMU_DEVICE_IOMMUFD(hiod);
    if (!a->viommu_id && !amd_accel_viommu_create(a, hiodi, errp)) {
        return false;
    }
    dev = g_new0(AMDAccelDevice, 1);
    dev->bus = bus;
    dev->devfn = devfn;
    dev->hiodi = hiodi;
    if (!check_host_iommu(a, dev, errp)) {
        g_free(dev);
        if (QLIST_EMPTY(&a->devices)) {
            amd_accel_viommu_destroy(a);
        }
        return false;
    }
    QLIST_INSERT_HEAD(&a->devices, dev, next);
    trace_amd_iommu_accel_device(devfn, hiodi->devid, true);
    /* If the guest is running, its table may have an entry for the device */
    if (s->enabled) {
        amd_accel_devices_sync(a);
    }
    return true;
}

static void unset_iommu_device(PCIBus *bus, void *opaque, int devfn)
{
    AMDVIState *s = opaque;
    AMDIOMMUAccel *a = s->accel;
    AMDAccelDevice *dev = find(a, bus, devfn);

    if (!dev) {
        return;
    }
    trace_amd_iommu_accel_device(devfn, dev->hiodi->devid, false);
    amd_accel_device_detach(a, dev);
    QLIST_REMOVE(dev, next);
    g_free(dev);
    if (QLIST_EMPTY(&a->devices)) {
        amd_accel_viommu_destroy(a);
    } else if (s->enabled) {
        amd_accel_devices_sync(a);
    }
}

bool amd_accel_is_vfio(PCIDevice *pdev)
{
    return object_dynamic_cast(OBJECT(pdev), TYPE_VFIO_PCI);
}

/*
 * The host has no IOMMU for a mediated device: VFIO tells us of none, and its
 * DMA would be to guest physical addresses, whatever the guest sets up
 */
static bool check_vfio(PCIDevice *pdev, Error **errp)
{
    if (vfio_device_is_mdev(vfio_get_vfio_device(OBJECT(pdev)))) {
        error_setg(errp, "amd-iommu with accel=on cannot have mediated "
                   "devices");
        return false;
    }
    if (!object_property_get_link(OBJECT(pdev), "iommufd", NULL)) {
        error_setg(errp, "amd-iommu with accel=on needs vfio-pci with "
                   "iommufd=");
        return false;
    }
    return true;
}

/* On a root bus it is beside the IOMMU, or the IVRS says that it is behind it */
static bool check_emulated(AMDVIState *s, PCIBus *bus, int devfn, Error **errp)
{
    if (!pci_bus_is_root(bus)) {
        error_setg(errp, "amd-iommu with accel=on cannot have an emulated "
                   "device behind a root port or bridge: put it on the root "
                   "bus, with bus=pcie.0");
        return false;
    }
    if (PCI_BUILD_BDF(pci_bus_num(bus), devfn) == AMDVI_IOAPIC_SB_DEVID &&
        x86_iommu_ir_supported(X86_IOMMU_DEVICE(s))) {
        error_setg(errp, "amd-iommu with accel=on and intremap=on has the "
                   "IOAPIC at this address: put the device elsewhere, with "
                   "addr=");
        return false;
    }
    return true;
}

/*
 * The PCI core names the requester whose ID a device has. A device that is asked
 * about is not realized yet; so one that is stands for another one behind it.
 */
static bool supports_address_space(PCIBus *bus, void *opaque, int devfn,
                                   Error **errp)
{
    PCIDevice *pdev = pci_find_device(bus, pci_bus_num(bus), devfn);

    if ((pdev && qdev_is_realized(DEVICE(pdev))) ||
        (!pci_bus_is_express(bus) && !pci_bus_is_root(bus))) {
        error_setg(errp, "amd-iommu with accel=on cannot have devices behind a "
                   "bridge to conventional PCI: put an emulated one on the "
                   "root bus, with bus=pcie.0, and one of vfio-pci behind a "
                   "pcie-root-port");
        return false;
    }
    if (!pdev || IS_PCI_BRIDGE(pdev)) {
        return true;
    }
    return amd_accel_is_vfio(pdev) ? check_vfio(pdev, errp) :
                                     check_emulated(opaque, bus, devfn, errp);
}

bool amd_iommu_accel_covers(PCIBus *bus, PCIDevice *dev)
{
    X86IOMMUState *x86 = x86_iommu_get_default();
    AMDVIState *s;

    if (!x86 || !object_dynamic_cast(OBJECT(x86), TYPE_AMD_IOMMU_DEVICE)) {
        return true;
    }
    s = AMD_IOMMU_DEVICE(x86);
    return !s->accel || find(s->accel, bus, dev->devfn);
}

/*
 * Guests have entries that abort the interrupts of all, and set up those that
 * the IVRS lists. It lists our devices, the IOAPIC and what is behind bridges:
 * so on a root bus the others, ports among them, are not remapped. And if nobody
 * is, no entry is read: a bad one would be an event.
 */
bool amd_iommu_accel_passes_msi(AMDVIState *s, uint16_t sid)
{
    PCIDevice *pdev;
    PCIBus *bus;

    if (!s->accel) {
        return false;
    }
    if (!x86_iommu_ir_supported(X86_IOMMU_DEVICE(s))) {
        return true;
    }
    if (sid == AMDVI_IOAPIC_SB_DEVID) {
        return false;
    }
    pdev = pci_find_device(pci_get_bus(&s->pci->dev), PCI_BUS_NUM(sid),
                           PCI_BDF_TO_DEVFN(sid));
    if (!pdev) {
        return false;
    }
    bus = pci_get_bus(pdev);
    return pci_bus_is_root(bus) && !find(s->accel, bus, pdev->devfn);
}

/*
 * That of devices of vfio-pci is the guest's memory, mapped at guest physical
 * addresses whatever the guest does. See amd_iommu_accel_watch.c for why it is
 * not address_space_memory itself. An emulated device must not get past the
 * watch: CPUs would not see what it has written.
 */
static AddressSpace *get_address_space(PCIBus *bus, void *opaque, int devfn)
{
    AMDVIState *s = opaque;
    PCIDevice *pdev = pci_find_device(bus, pci_bus_num(bus), devfn);

    return pdev && amd_accel_is_vfio(pdev) ? &s->accel->as :
                                             &s->accel->emulated_as;
}

static uint64_t get_viommu_flags(void *opaque)
{
    return VIOMMU_FLAG_WANT_NESTING_PARENT;
}

static const PCIIOMMUOps accel_ops = {
    .supports_address_space = supports_address_space,
    .get_address_space = get_address_space,
    .set_iommu_device = set_iommu_device,
    .unset_iommu_device = unset_iommu_device,
    .get_viommu_flags = get_viommu_flags,
};

const PCIIOMMUOps *amd_iommu_accel_pci_ops(void)
{
    return &accel_ops;
}

void amd_iommu_accel_control(AMDVIState *s)
{
    AMDIOMMUAccel *a = s->accel;

    if (!a || !a->viommu_id) {
        return;
    }
    a->devtab_half = 0;
    if (a->vf) {
        amd_accel_rings_update(a);
    }
    amd_accel_devices_sync(a);
}

/* An address of a new half and an old one is none to read entries from */
void amd_iommu_accel_devtab(AMDVIState *s, hwaddr offset, unsigned size)
{
    AMDIOMMUAccel *a = s->accel;

    if (!a || !a->viommu_id || !s->enabled) {
        return;
    }
    a->devtab_half |= size == 8 ? 3 : offset & 4 ? 2 : 1;
    if (a->devtab_half == 3) {
        a->devtab_half = 0;
        amd_accel_devices_sync(a);
    }
}

void amd_iommu_accel_reset(AMDVIState *s)
{
    AMDIOMMUAccel *a = s->accel;

    if (!a) {
        return;
    }
    a->devtab_half = 0;
    a->stopped = false;
    a->batch.num = 0;
    amd_accel_watch_off(a);
    if (a->vf) {
        amd_accel_rings_reset(a);
    }
}

void amd_iommu_accel_reset_exit(AMDVIState *s)
{
    if (s->accel && s->accel->viommu_id) {
        amd_accel_devices_sync(s->accel);
    }
}
