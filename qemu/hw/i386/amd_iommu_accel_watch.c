/*
 * AMD IOMMU, accelerated: memory of the device table
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hardware that executes the guest's commands executes INVALIDATE_DEVTAB_ENTRY,
 * too, and nobody tells QEMU that an entry has changed. It has to be known
 * before that command completes, so the write itself is trapped: a ROM device
 * stands in for those pages of the table that have entries of our devices.
 *
 * A ROM device rather than plain I/O: the guest and QEMU read as before, and no
 * copy of an entry is made of two reads. It has memory of its own, which is
 * written along with the guest's, so that taking it away leaves the guest with
 * all that it has written.
 *
 * Devices of the host must not see any of this: the split of the memory would
 * be an unmap and a map of all of it for VFIO, and DMA and rings would fault in
 * between. Their address space has the memory itself on top at the same place,
 * which makes their view one piece again. Emulated devices see what CPUs see, so
 * that a write of theirs is trapped as well.
 *
 * KVM emulates instructions that write to a ROM device. It cannot do so with
 * CMPXCHG16B, which Linux has used for this since 6.13: such a guest needs a
 * KVM that can, or hw-queues=off. Plain writes of words can come in any order,
 * and each makes another entry; see amd_iommu_accel_dte.c.
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "system/address-spaces.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

#define TABLE_MAX       (2 * MiB)
#define PAGE            0x1000ULL

/* The part of the table; @start and @size are 0 for nothing */
typedef struct Window {
    hwaddr start;
    uint64_t size;
} Window;

/* Atomic as the guest's write was, for another vCPU that reads */
static void write_rom(AMDAccelWatch *w, hwaddr addr, uint64_t val,
                      unsigned size)
{
    uint8_t *p = (uint8_t *)memory_region_get_ram_ptr(&w->rom) + addr;

    if (size == 8 && QEMU_PTR_IS_ALIGNED(p, 8)) {
        qatomic_set((uint64_t *)p, cpu_to_le64(val));
    } else if (size == 4 && QEMU_PTR_IS_ALIGNED(p, 4)) {
        qatomic_set((uint32_t *)p, cpu_to_le32(val));
    } else {
        stn_le_p(p, size, val);
    }
}

static void watch_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    AMDIOMMUAccel *a = opaque;
    AMDAccelWatch *w = &a->watch;
    uint8_t buf[8];

    /* Another vCPU may have moved the table while this one was on its way */
    if (w->size && (addr < w->start || addr + size > w->start + w->size)) {
        return;
    }
    stn_le_p(buf, size, val);
    address_space_write(&a->as, w->table + addr, MEMTXATTRS_UNSPECIFIED, buf,
                        size);
    /* Or have ended the watch: then it was a write to memory after all */
    if (!w->size) {
        return;
    }
    trace_amd_iommu_accel_dte_write(w->table + addr, val, size);
    a->s->counters.dte_writes++;
    write_rom(w, addr, val, size);
    amd_accel_dte_changed(a, addr / AMDVI_DEVTAB_ENTRY_SIZE,
                          (addr + size - 1) / AMDVI_DEVTAB_ENTRY_SIZE);
}

/* Only a host without read-only memory gets here */
static uint64_t watch_read(void *opaque, hwaddr addr, unsigned size)
{
    AMDIOMMUAccel *a = opaque;
    uint8_t *p = memory_region_get_ram_ptr(&a->watch.rom);

    return ldn_le_p(p + addr, size);
}

static const MemoryRegionOps watch_ops = {
    .read = watch_read,
    .write = watch_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
    .impl = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
};

/* The pages from the first entry to the last one, as far as there is a table */
static Window window_of(AMDIOMMUAccel *a)
{
    uint64_t table = a->s->devtab_len * AMDVI_DEVTAB_ENTRY_SIZE;
    hwaddr first = table, last = 0;
    AMDAccelDevice *dev;

    QLIST_FOREACH(dev, &a->devices, next) {
        hwaddr entry = amd_accel_rid(dev) * AMDVI_DEVTAB_ENTRY_SIZE;

        if (entry < table) {
            first = MIN(first, QEMU_ALIGN_DOWN(entry, PAGE));
            last = MAX(last, QEMU_ALIGN_DOWN(entry, PAGE) + PAGE);
        }
    }
    return last ? (Window) { first, last - first } : (Window) { };
}

void amd_accel_watch_off(AMDIOMMUAccel *a)
{
    AMDAccelWatch *w = &a->watch;

    if (!w->size) {
        return;
    }
    trace_amd_iommu_accel_watch(0, 0);
    w->size = 0;
    memory_region_transaction_begin();
    memory_region_del_subregion(get_system_memory(), &w->rom_alias);
    memory_region_del_subregion(&a->root, &w->ram_alias);
    memory_region_transaction_commit();
    object_unparent(OBJECT(&w->rom_alias));
    object_unparent(OBJECT(&w->ram_alias));
    memory_region_unref(w->ram);
    w->ram = NULL;
}

static bool create_rom(AMDIOMMUAccel *a, Error **errp)
{
    AMDAccelWatch *w = &a->watch;

    if (!w->has_rom) {
        w->has_rom = memory_region_init_rom_device(&w->rom, OBJECT(a->s),
                                                   &watch_ops, a,
                                                   "amdvi-devtab", TABLE_MAX,
                                                   errp);
    }
    return w->has_rom;
}

/* @sec is all of the window, and memory */
static void watch_on(AMDIOMMUAccel *a, Window win, MemoryRegionSection *sec)
{
    AMDAccelWatch *w = &a->watch;
    uint8_t *rom = memory_region_get_ram_ptr(&w->rom);
    uint8_t *ram = memory_region_get_ram_ptr(sec->mr);
    hwaddr gpa = sec->offset_within_address_space;

    w->start = win.start;
    w->size = win.size;
    w->table = a->s->devtab;
    w->ram = sec->mr;
    memory_region_init_alias(&w->ram_alias, OBJECT(a->s), "amdvi-devtab-ram",
                             sec->mr, sec->offset_within_region, win.size);
    memory_region_init_alias(&w->rom_alias, OBJECT(a->s), "amdvi-devtab-rom",
                             &w->rom, win.start, win.size);
    memcpy(rom + win.start, ram + sec->offset_within_region, win.size);
    memory_region_transaction_begin();
    memory_region_add_subregion_overlap(&a->root, gpa, &w->ram_alias, 1);
    memory_region_add_subregion_overlap(get_system_memory(), gpa,
                                        &w->rom_alias, 1);
    memory_region_transaction_commit();
    /* Another vCPU may have written before that; now it waits for the BQL */
    memcpy(rom + win.start, ram + sec->offset_within_region, win.size);
    trace_amd_iommu_accel_watch(gpa, win.size);
}

/**
 * amd_accel_watch_update - Watch the part of the table that devices have now
 * @a: the IOMMU
 * @errp: the table is not in memory
 *
 * Returns: true if there is nothing that would not be noticed
 */
bool amd_accel_watch_update(AMDIOMMUAccel *a, Error **errp)
{
    AMDAccelWatch *w = &a->watch;
    Window win = { };
    MemoryRegionSection sec;

    /* Without rings, commands say it */
    if (a->s->enabled && a->vf) {
        win = window_of(a);
    }
    if (w->size == win.size && (!win.size || (w->start == win.start &&
                                              w->table == a->s->devtab))) {
        return true;
    }
    amd_accel_watch_off(a);
    if (!win.size) {
        return true;
    }
    sec = memory_region_find(get_system_memory(), a->s->devtab + win.start,
                             win.size);
    if (!sec.mr || !memory_region_is_ram(sec.mr) || sec.readonly ||
        memory_region_is_ram_device(sec.mr) ||
        int128_get64(sec.size) != win.size) {
        error_setg(errp, "the device table at 0x%" HWADDR_PRIx " is not in "
                   "memory", a->s->devtab);
        memory_region_unref(sec.mr);
        return false;
    }
    if (!create_rom(a, errp)) {
        memory_region_unref(sec.mr);
        return false;
    }
    watch_on(a, win, &sec);
    return true;
}
