/*
 * AMD IOMMU, host-grade model: events
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "system/dma.h"
#include "amd_iommu_int.h"
#include "trace.h"

#define EVT_CODE(code)          ((uint64_t)(code) << 60)

static void set_status(AMDVIState *s, uint64_t set, uint64_t clear)
{
    uint64_t v = amd_iommu_reg(s, AMDVI_MMIO_STATUS);

    amd_iommu_set_reg(s, AMDVI_MMIO_STATUS, (v & ~clear) | set);
}

void amd_iommu_interrupt(AMDVIState *s)
{
    s->model->stats.interrupts++;
    amdvi_generate_msi_interrupt(s);
}

/*
 * The log stops at an overflow, also when nobody wants an interrupt for it,
 * until software clears the bit and turns the log off and on.
 */
static void overflow(AMDVIState *s)
{
    s->model->stats.event_lost++;
    s->model->evt_stopped = true;
    set_status(s, AMDVI_MMIO_STATUS_EVT_OVF, AMDVI_MMIO_STATUS_EVT_RUN);
    if (s->evtlog_intr) {
        amd_iommu_interrupt(s);
    }
}

void amd_iommu_log_event(AMDVIState *s, const uint64_t evt[2])
{
    uint32_t size = s->evtlog_len * AMDVI_EVENT_LEN;
    uint64_t le[2] = { cpu_to_le64(evt[0]), cpu_to_le64(evt[1]) };
    uint32_t next;

    s->model->stats.event[extract64(evt[0], 60, 4)]++;
    trace_amd_iommu_event(evt[0], evt[1]);
    if (!s->evtlog_enabled || !size ||
        !(amd_iommu_reg(s, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_RUN)) {
        s->model->stats.event_lost++;
        return;
    }
    next = (s->evtlog_tail + AMDVI_EVENT_LEN) % size;
    if (next == s->evtlog_head) {
        overflow(s);
        return;
    }
    if (dma_memory_write(&address_space_memory, s->evtlog + s->evtlog_tail,
                         le, sizeof(le), MEMTXATTRS_UNSPECIFIED)) {
        trace_amdvi_evntlog_fail(s->evtlog, s->evtlog_tail);
    }
    s->evtlog_tail = next;
    amd_iommu_set_reg(s, AMDVI_MMIO_EVENT_TAIL, next);
    set_status(s, AMDVI_MMIO_STATUS_EVENT_INT, 0);
    if (s->evtlog_intr) {
        amd_iommu_interrupt(s);
    }
}

static uint64_t fault_code(AMDIOMMUFault fault)
{
    switch (fault) {
    case AMD_IOMMU_NO_DTE:
    case AMD_IOMMU_DTE_ILLEGAL:
    case AMD_IOMMU_DTE_NOT_VALID:
        return EVT_CODE(AMD_IOMMU_EVT_ILLEGAL_DTE);
    case AMD_IOMMU_DTE_HW:
        return EVT_CODE(AMD_IOMMU_EVT_DTE_HW);
    case AMD_IOMMU_PT_HW:
        return EVT_CODE(AMD_IOMMU_EVT_PT_HW);
    default:
        return EVT_CODE(AMD_IOMMU_EVT_PAGE_FAULT);
    }
}

static uint64_t fault_flags(const AMDIOMMUXlat *x, IOMMUAccessFlags access)
{
    uint64_t flags = access & IOMMU_WO ? AMD_IOMMU_EVF_RW : 0;

    switch (x->fault) {
    case AMD_IOMMU_NO_PERM:
        return flags | AMD_IOMMU_EVF_PR | AMD_IOMMU_EVF_PE;
    case AMD_IOMMU_PT_RESERVED:
        return flags | AMD_IOMMU_EVF_PR | AMD_IOMMU_EVF_RZ;
    case AMD_IOMMU_DTE_ILLEGAL:
        return flags | AMD_IOMMU_EVF_RZ;
    default:
        return flags;
    }
}

/*
 * A fault of the guest's tables names GVA and PASID (GN=1), one of the host
 * table GPA and domain.
 */
void amd_iommu_encode_fault(uint64_t evt[2], uint16_t devid,
                            const uint64_t dte[4], const AMDIOMMUXlat *x,
                            IOMMUAccessFlags access, uint32_t pasid,
                            uint64_t flags)
{
    evt[0] = fault_code(x->fault) | fault_flags(x, access) | flags | devid;
    evt[1] = x->fault_addr;
    if (x->fault_guest && pasid != AMD_IOMMU_PASID_NONE) {
        evt[0] |= AMD_IOMMU_EVF_GN | AMD_IOMMU_EVF_US;
        evt[0] |= (uint64_t)extract32(pasid, 16, 4) << 16;
        evt[0] |= (uint64_t)extract32(pasid, 0, 16) << 32;
    } else if (x->fault >= AMD_IOMMU_NOT_PRESENT) {
        evt[0] |= DTE1_DOMID(dte[1]) << 32;
    }
}

/* DTE[SA] keeps the page faults of a device quiet, DTE[SE] all but the first */
static bool suppressed(AMDIOMMUDte *dte)
{
    bool quiet = (dte->q[1] & DTE1_SA) ||
                 ((dte->q[1] & DTE1_SE) && dte->logged);

    dte->logged = true;
    return quiet;
}

/* The device is a guest's, which is not told of this fault [chosen] */
static bool is_guests(AMDVIState *s, const AMDIOMMUDte *dte)
{
    return dte->fault == AMD_IOMMU_OK && (dte->q[3] & AMD_IOMMU_DTE3_VIMUEN) &&
           (amd_iommu_control(s) & AMD_IOMMU_CTRL_VIOMMUEN);
}

void amd_iommu_report_fault(AMDVIState *s, uint16_t devid, AMDIOMMUDte *dte,
                            const AMDIOMMUXlat *x, IOMMUAccessFlags access,
                            uint32_t pasid)
{
    const AMDViommuOps *ops = amd_iommu_viommu_ops;
    AMDIOMMUXlat y = *x;
    uint64_t evt[2];

    s->model->stats.faults++;
    if (x->fault == AMD_IOMMU_DTE_HW) {
        y.fault_addr = s->devtab + devid * AMDVI_DEVTAB_ENTRY_SIZE;
    } else if (x->fault >= AMD_IOMMU_NOT_PRESENT &&
               x->fault != AMD_IOMMU_PT_HW && suppressed(dte)) {
        return;
    }
    amd_iommu_encode_fault(evt, devid, dte->q, &y, access, pasid, 0);
    if (x->fault_guest && (dte->q[3] & AMD_IOMMU_DTE3_VIMUEN) && ops &&
        ops->guest_event && ops->guest_event(s, devid, dte->q, evt)) {
        return;
    }
    if (is_guests(s, dte)) {
        evt[0] |= AMD_IOMMU_EVF_VNR;
    }
    amd_iommu_log_event(s, evt);
}

/* An interrupt that remapping refused; DTE[IG] keeps these quiet */
void amd_iommu_model_int_fault(AMDVIState *s, uint16_t devid, hwaddr addr)
{
    AMDIOMMUDte *dte = amd_iommu_cache_dte(s, devid);
    uint64_t evt[2] = {
        EVT_CODE(AMD_IOMMU_EVT_PAGE_FAULT) | AMD_IOMMU_EVF_I |
        AMD_IOMMU_EVF_RW | DTE1_DOMID(dte->q[1]) << 32 | devid, addr
    };

    s->model->stats.faults++;
    if (dte->fault == AMD_IOMMU_OK && !(dte->q[2] & DTE2_IG)) {
        amd_iommu_log_event(s, evt);
    }
}

void amd_iommu_iotlb_timeout(AMDVIState *s, uint16_t devid, hwaddr addr,
                             uint64_t vflags)
{
    uint64_t evt[2] = {
        EVT_CODE(AMD_IOMMU_EVT_IOTLB_TIMEOUT) | vflags | devid, addr
    };

    amd_iommu_log_event(s, evt);
}

/* The command stays at the head: the ring stops until it is enabled anew */
static void halt(AMDVIState *s)
{
    s->model->cmd_halted = true;
    set_status(s, 0, AMDVI_MMIO_STATUS_CMDBUF_RUN);
}

void amd_iommu_illegal_command(AMDVIState *s, const uint64_t cmd[2])
{
    uint64_t evt[2] = {
        EVT_CODE(AMD_IOMMU_EVT_ILLEGAL_CMD), s->cmdbuf + s->cmdbuf_head
    };

    halt(s);
    amd_iommu_log_event(s, evt);
    amd_iommu_violation(s, "illegal command %016" PRIx64 " %016" PRIx64,
                        cmd[0], cmd[1]);
}

void amd_iommu_command_hw_error(AMDVIState *s)
{
    uint64_t evt[2] = {
        EVT_CODE(AMD_IOMMU_EVT_CMD_HW), s->cmdbuf + s->cmdbuf_head
    };

    halt(s);
    amd_iommu_log_event(s, evt);
}
