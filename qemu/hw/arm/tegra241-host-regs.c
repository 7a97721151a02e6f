/*
 * Host side of the Tegra241 CMDQV: register pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Registers are 32 bits wide; base and DRAM address of a queue and the error
 * maps can be accessed as 64 bits too, which a driver does.
 */

#include "qemu/osdep.h"
#include "tegra241-host.h"
#include "trace.h"

static void set_enabled(TegraHost *h, bool enable)
{
    unsigned i;

    if (enable) {
        h->enabled = !h->stuck;
        return;
    }
    /* Off is a reset of all that depends on it, the allocations included */
    h->enabled = false;
    for (i = 0; i < th_queues(h); i++) {
        tegra241_host_stop(&h->queue[i]);
        h->queue[i].alloc = FIELD_DP32(h->queue[i].alloc, TH_ALLOC,
                                       ALLOCATED, 0);
    }
    for (i = 0; i < th_vintfs(h); i++) {
        h->vintf[i].enabled = false;
    }
}

static void stop_vintf(TegraHost *h, unsigned vintf)
{
    unsigned i;

    for (i = 0; i < th_queues_per_vintf(h); i++) {
        TegraHostQueue *vq = tegra241_host_find(h, vintf, i);

        if (vq && (vq->status & TH_Q_EN)) {
            tegra241_host_violation(h, TH_VINTF_LIVE_QUEUE);
            tegra241_host_stop(vq);
        }
    }
}

static void vintf_config_write(TegraHost *h, unsigned vintf, uint32_t val)
{
    TegraHostVintf *vi = &h->vintf[vintf];
    bool enable = FIELD_EX32(val, TH_VI_CONFIG, EN);
    uint32_t fixed = R_TH_VI_CONFIG_VMID_MASK | R_TH_VI_CONFIG_HYP_OWN_MASK;

    val &= TH_VI_CONFIG_WRITABLE;
    if (vi->enabled && enable && ((val ^ vi->config) & fixed)) {
        tegra241_host_violation(h, TH_VINTF_LIVE_CHANGE);
        return;
    }
    if (!enable && vi->enabled) {
        stop_vintf(h, vintf);
        vi->enabled = th_bit(h->vintf_live, vintf);
    } else if (enable) {
        vi->enabled = h->enabled && !th_bit(h->vintf_stuck, vintf);
    }
    vi->config = val;
    trace_tegra241_host_vintf(vintf, val, vi->enabled);
}

static uint32_t vintf_status(TegraHost *h, unsigned vintf)
{
    uint32_t val = FIELD_DP32(0, TH_VI_STATUS, ENABLED,
                              h->vintf[vintf].enabled);
    unsigned i, count = 0;

    for (i = 0; i < th_queues_per_vintf(h); i++) {
        count += !!tegra241_host_find(h, vintf, i);
    }
    if (th_bit(tegra241_host_vintf_map(h), vintf)) {
        val = FIELD_DP32(val, TH_VI_STATUS, STATUS, TH_VI_STATUS_QUEUE_ERROR);
    }
    return FIELD_DP32(val, TH_VI_STATUS, NUM_LQUEUES, count);
}

/* The SID registers: match and replace are two arrays of the same length */
static uint32_t *sid_reg(TegraHost *h, TegraHostVintf *vi, unsigned reg)
{
    unsigned index = reg % 0x40 / 4;

    if (index >= 1u << h->log2_sids) {
        return NULL;
    }
    switch (reg & ~0x3f) {
    case A_TH_VI_SID_MATCH:
        return &vi->match[index];
    case A_TH_VI_SID_REPLACE:
        return &vi->replace[index];
    default:
        return NULL;
    }
}

static uint32_t vintf_read(TegraHost *h, unsigned vintf, unsigned reg)
{
    uint32_t *sid = sid_reg(h, &h->vintf[vintf], reg);

    if (sid) {
        return *sid;
    }
    switch (reg) {
    case A_TH_VI_CONFIG:
        return h->vintf[vintf].config;
    case A_TH_VI_STATUS:
        return vintf_status(h, vintf);
    case A_TH_VI_ERR_MAP ... A_TH_VI_ERR_MAP + 0xc:
        return tegra241_host_lqueue_map(h, vintf,
                                        (reg - A_TH_VI_ERR_MAP) / 4);
    default:
        tegra241_host_violation(h, TH_BAD_ACCESS);
        return 0;
    }
}

static void vintf_write(TegraHost *h, unsigned vintf, unsigned reg,
                        uint32_t val)
{
    uint32_t *sid = sid_reg(h, &h->vintf[vintf], reg);

    if (sid) {
        *sid = val & (reg < A_TH_VI_SID_REPLACE ?
                      R_TH_SID_MATCH_EN_MASK | R_TH_SID_MATCH_VIRT_SID_MASK :
                      TH_SID_MASK);
        return;
    }
    if (reg == A_TH_VI_CONFIG) {
        vintf_config_write(h, vintf, val);
        return;
    }
    tegra241_host_violation(h, TH_BAD_ACCESS);
}

static uint32_t param(TegraHost *h)
{
    uint32_t val = FIELD_DP32(0, TH_PARAM, VER, TH_VERSION);

    val = FIELD_DP32(val, TH_PARAM, LOG2_QUEUES, h->log2_queues);
    val = FIELD_DP32(val, TH_PARAM, LOG2_VINTFS, h->log2_vintfs);
    return FIELD_DP32(val, TH_PARAM, LOG2_SIDS, h->log2_sids);
}

static uint32_t config_read(TegraHost *h, hwaddr reg)
{
    unsigned index;

    switch (reg) {
    case A_TH_CONFIG:
        return h->config;
    case A_TH_PARAM:
        return param(h);
    case A_TH_STATUS:
        return h->enabled;
    case A_TH_VINTF_ERR_MAP ... A_TH_VINTF_ERR_MAP + 4:
        return tegra241_host_vintf_map(h) >> (reg - A_TH_VINTF_ERR_MAP) * 8;
    case A_TH_VINTF_INT_MASK ... A_TH_VINTF_INT_MASK + 4:
        return h->int_mask >> (reg - A_TH_VINTF_INT_MASK) * 8;
    case A_TH_QUEUE_ERR_MAP ... A_TH_QUEUE_ERR_MAP + 0xc:
        return tegra241_host_queue_map(h, (reg - A_TH_QUEUE_ERR_MAP) / 4);
    default:
        index = (reg - A_TH_QUEUE_ALLOC) / 4;
        if (reg >= A_TH_QUEUE_ALLOC && index < th_queues(h)) {
            return h->queue[index].alloc;
        }
        tegra241_host_violation(h, TH_BAD_ACCESS);
        return 0;
    }
}

static void config_write(TegraHost *h, hwaddr reg, uint32_t val)
{
    unsigned index;

    switch (reg) {
    case A_TH_CONFIG:
        h->config = val & TH_CONFIG_WRITABLE;
        set_enabled(h, FIELD_EX32(val, TH_CONFIG, EN));
        break;
    case A_TH_VINTF_INT_MASK:
        h->int_mask = deposit64(h->int_mask, 0, 32, val);
        break;
    case A_TH_VINTF_INT_MASK + 4:
        h->int_mask = deposit64(h->int_mask, 32, 32, val);
        break;
    default:
        index = (reg - A_TH_QUEUE_ALLOC) / 4;
        if (reg >= A_TH_QUEUE_ALLOC && index < th_queues(h)) {
            tegra241_host_alloc_write(h, index, val);
        } else {
            tegra241_host_violation(h, TH_BAD_ACCESS);
        }
    }
}

/* Where an address in one of the queue pages leads to */
typedef struct Slot {
    TegraHostQueue *vq;     /* NULL: not allocated, reads 0, ignores writes */
    TegraHostVintf *vi;     /* whose page it is, NULL for the direct ones */
    unsigned reg;
    bool page1;
} Slot;

static Slot slot_of(TegraHost *h, hwaddr addr)
{
    unsigned number = addr % TH_PAGE / TH_QUEUE_STRIDE;
    Slot slot = { .reg = addr % TH_QUEUE_STRIDE };
    unsigned vintf;

    if (addr < TH_VINTF_PAGES) {
        slot.page1 = addr >= TH_QUEUE_PAGE1;
        slot.vq = number < th_queues(h) ? &h->queue[number] : NULL;
        return slot;
    }
    addr -= TH_VINTF_PAGES;
    vintf = addr / (2 * TH_PAGE);
    slot.page1 = addr / TH_PAGE % 2;
    slot.vi = &h->vintf[vintf];
    slot.vq = tegra241_host_find(h, vintf, number);
    return slot;
}

static uint32_t queue_read(TegraHost *h, hwaddr addr)
{
    Slot slot = slot_of(h, addr);

    if (slot.vi && !slot.page1) {
        slot.vi->page0_reads++;
    }
    if (!slot.vq) {
        return 0;
    }
    if (slot.page1) {
        return tegra241_host_page1_read(slot.vq, slot.reg & ~7) >>
               (slot.reg & 4) * 8;
    }
    return tegra241_host_page0_read(slot.vq, slot.reg);
}

static void queue_write(TegraHost *h, hwaddr addr, uint64_t val, unsigned size)
{
    Slot slot = slot_of(h, addr);
    unsigned shift = (slot.reg & 4) * 8;

    if (slot.vi && !slot.page1) {
        slot.vi->page0_writes++;
    }
    if (!slot.vq) {
        tegra241_host_fault(h, slot.vi, TH_UNMAPPED_WRITE);
    } else if (slot.page1) {
        tegra241_host_page1_write(slot.vq, slot.reg & ~7, val << shift,
                                  size == 8 ? UINT64_MAX :
                                  (uint64_t)UINT32_MAX << shift);
    } else if (size == 4) {
        tegra241_host_page0_write(slot.vq, slot.reg, val);
    } else {
        tegra241_host_fault(h, slot.vi, TH_BAD_ACCESS);
    }
}

static uint32_t read32(TegraHost *h, hwaddr addr)
{
    unsigned vintf = (addr - TH_VINTF_BASE) / TH_VINTF_STRIDE;

    if (addr >= TH_QUEUE_PAGE0) {
        return queue_read(h, addr);
    }
    if (addr >= TH_VINTF_BASE && vintf < th_vintfs(h)) {
        return vintf_read(h, vintf, addr % TH_VINTF_STRIDE);
    }
    return config_read(h, addr);
}

static uint64_t host_read(void *opaque, hwaddr addr, unsigned size)
{
    TegraHost *h = opaque;
    uint64_t val;

    h->mmio_reads++;
    if (h->all_ones) {
        return size == 8 ? UINT64_MAX : UINT32_MAX;
    }
    val = read32(h, addr);
    if (size == 8) {
        val |= (uint64_t)read32(h, addr + 4) << 32;
    }
    trace_tegra241_host_read(addr, size, val);
    return val;
}

static void host_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    TegraHost *h = opaque;
    unsigned vintf = (addr - TH_VINTF_BASE) / TH_VINTF_STRIDE;

    h->mmio_writes++;
    trace_tegra241_host_write(addr, size, val);
    if (h->all_ones) {
        return;
    }
    if (addr >= TH_QUEUE_PAGE0) {
        queue_write(h, addr, val, size);
    } else if (size != 4) {
        tegra241_host_violation(h, TH_BAD_ACCESS);
    } else if (addr >= TH_VINTF_BASE && vintf < th_vintfs(h)) {
        vintf_write(h, vintf, addr % TH_VINTF_STRIDE, val);
    } else {
        config_write(h, addr, val);
    }
}

const MemoryRegionOps tegra241_host_ops = {
    .read = host_read,
    .write = host_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};
