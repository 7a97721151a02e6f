/*
 * AMD IOMMU, accelerated: options, counters, start
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/core/qdev.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "migration/blocker.h"
#include "system/address-spaces.h"
#include "amd_iommu_accel_int.h"

/* A device that was there before the IOMMU has got past it */
static int check_earlier(Object *obj, void *opaque)
{
    PCIDevice *pdev = (PCIDevice *)object_dynamic_cast(obj, TYPE_PCI_DEVICE);

    if (!pdev || !qdev_is_realized(DEVICE(obj)) || IS_PCI_BRIDGE(pdev) ||
        (pci_bus_is_root(pci_get_bus(pdev)) && !amd_accel_is_vfio(pdev))) {
        return 0;
    }
    error_setg(opaque, "amd-iommu with accel=on has to be before '%s' on the "
               "command line: put it first", pdev->name);
    return 1;
}

/* Who wants hardware to run rings, and has not said anything else, gets them */
void amd_iommu_accel_choose_intremap(AMDVIState *s)
{
    if (s->accel_cfg.accel && s->accel_cfg.hw_queues == ON_OFF_AUTO_ON &&
        s->iommu.intr_supported == ON_OFF_AUTO_AUTO) {
        s->iommu.intr_supported = ON_OFF_AUTO_OFF;
    }
}

static bool check_config(AMDVIState *s, Error **errp)
{
    AMDIOMMUAccelConfig *c = &s->accel_cfg;

    if (!c->accel) {
        if (c->hw_queues != ON_OFF_AUTO_AUTO) {
            error_setg(errp, "hw-queues= needs accel=on");
            return false;
        }
        return true;
    }
    if (s->cfg.host_grade || s->dma_remap || !s->iommu.dma_translation ||
        s->iommu.dt_supported) {
        error_setg(errp, "accel=on excludes host-grade=on, dma-remap=on, "
                   "dma-translation=off and device-iotlb=on");
        return false;
    }
    if (c->hw_queues == ON_OFF_AUTO_ON &&
        x86_iommu_ir_supported(X86_IOMMU_DEVICE(s))) {
        error_setg(errp, "hw-queues=on needs intremap=off: QEMU remaps the "
                   "interrupts and would not see the guest's commands");
        return false;
    }
    return true;
}

/* NpCache would make the guest invalidate what it has just mapped */
static void set_capability(AMDVIState *s)
{
    uint8_t *cap = s->pci->dev.config + s->pci->capab_offset;

    pci_set_long(cap, pci_get_long(cap) & ~(AMDVI_CAPAB_FLAG_NPCACHE |
                                            AMDVI_CAPAB_FLAG_IOTLBSUP));
}

/* What emulated devices read and write, and on top of it those of vfio-pci */
static void init_address_spaces(AMDIOMMUAccel *a)
{
    AMDVIState *s = a->s;

    memory_region_init(&a->emulated_root, OBJECT(s), "amdvi-emulated",
                       UINT64_MAX);
    memory_region_init_alias(&a->sysmem, OBJECT(s), "amdvi-accel-sysmem",
                             get_system_memory(), 0,
                             memory_region_size(get_system_memory()));
    memory_region_add_subregion(&a->emulated_root, 0, &a->sysmem);
    /* Messages of devices that do not go through KVM */
    memory_region_init_alias(&a->ir, OBJECT(s), "amdvi-accel-ir", &s->mr_ir, 0,
                             memory_region_size(&s->mr_ir));
    memory_region_add_subregion_overlap(&a->emulated_root,
                                        AMDVI_INT_ADDR_FIRST, &a->ir, 1);
    address_space_init(&a->emulated_as, &a->emulated_root, "amdvi-emulated");

    memory_region_init(&a->root, OBJECT(s), "amdvi-accel", UINT64_MAX);
    memory_region_init_alias(&a->emulated, OBJECT(s), "amdvi-accel-emulated",
                             &a->emulated_root, 0, UINT64_MAX);
    memory_region_add_subregion(&a->root, 0, &a->emulated);
    address_space_init(&a->as, &a->root, "amdvi-accel");
}

bool amd_iommu_accel_realize(AMDVIState *s, Error **errp)
{
    AMDIOMMUAccel *a;
    Error *blocker = NULL;

    if (!check_config(s, errp)) {
        return false;
    }
    if (!s->accel_cfg.accel) {
        return true;
    }
    if (object_child_foreach_recursive(object_get_root(), check_earlier,
                                       errp)) {
        return false;
    }
    error_setg(&blocker, "amd-iommu with accel=on cannot be migrated: the "
               "state of the host's IOMMU cannot be read and restored");
    if (migrate_add_blocker(&blocker, errp) < 0) {
        return false;
    }
    a = g_new0(AMDIOMMUAccel, 1);
    a->s = s;
    a->blocker = blocker;
    if (!amd_accel_vf_init(a, errp)) {
        migrate_del_blocker(&a->blocker);
        g_free(a);
        return false;
    }
    a->poll_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, amd_accel_poll_status, a);
    a->fault_timer = timer_new_ms(QEMU_CLOCK_REALTIME, amd_accel_fault_timer,
                                  a);
    init_address_spaces(a);
    s->accel = a;
    set_capability(s);
    return true;
}

static char *get_mode(Object *obj, Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);

    if (!s->accel) {
        return g_strdup("off");
    }
    if (!s->accel->viommu_id) {
        return g_strdup("no device");
    }
    return g_strdup(s->accel->vf ? "hw-queues" : "trapped");
}

static const char *const ioctl_names[AMD_IOCTL__MAX] = {
    [AMD_IOCTL_VIOMMU_ALLOC] = "viommu-alloc",
    [AMD_IOCTL_VDEVICE_ALLOC] = "vdevice-alloc",
    [AMD_IOCTL_VEVENTQ_ALLOC] = "veventq-alloc",
    [AMD_IOCTL_HW_QUEUE_ALLOC] = "hw-queue-alloc",
    [AMD_IOCTL_HWPT_ALLOC] = "hwpt-alloc",
    [AMD_IOCTL_HWPT_INVALIDATE] = "hwpt-invalidate",
    [AMD_IOCTL_VIOMMU_COMMAND] = "viommu-command",
    [AMD_IOCTL_ATTACH] = "attach",
    [AMD_IOCTL_DETACH] = "detach",
    [AMD_IOCTL_DESTROY] = "destroy",
};

static void add_counter(Object *obj, const char *name, uint64_t *value)
{
    g_autofree char *full = g_strdup_printf("count-%s", name);

    object_property_add_uint64_ptr(obj, full, value, OBJ_PROP_FLAG_READ);
}

void amd_iommu_accel_instance_init(Object *obj)
{
    AMDIOMMUCounters *c = &AMD_IOMMU_DEVICE(obj)->counters;
    int i;

    add_counter(obj, "mmio-reads", &c->mmio_reads);
    add_counter(obj, "mmio-writes", &c->mmio_writes);
    add_counter(obj, "commands", &c->commands);
    add_counter(obj, "dte-writes", &c->dte_writes);
    add_counter(obj, "invalidations", &c->invalidations);
    add_counter(obj, "events", &c->events);
    add_counter(obj, "interrupts", &c->interrupts);
    add_counter(obj, "errors", &c->errors);
    for (i = 0; i < AMD_IOCTL__MAX; i++) {
        g_autofree char *name = g_strdup_printf("ioctl-%s", ioctl_names[i]);

        add_counter(obj, name, &c->ioctl[i]);
    }
    object_property_add_str(obj, "accel-mode", get_mode, NULL);
}

void amd_iommu_accel_finalize(Object *obj)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    AMDIOMMUAccel *a = s->accel;

    if (a) {
        s->accel = NULL;
        migrate_del_blocker(&a->blocker);
        timer_free(a->poll_timer);
        timer_free(a->fault_timer);
        amd_accel_vf_finalize(a);
    }
}
