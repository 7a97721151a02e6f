/*
 * AMD hardware vIOMMU: violations and the host events that hardware makes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A violation that the host driver is to blame for is handed on to
 * amd_iommu_violation(), which ends a strict=on run. One that an untrusted
 * guest can cause is counted and traced here and goes no further: a guest
 * that could end its host's run would be the bug. So does what happens between
 * a surprise reset and the moment when the host has enabled the vIOMMU again:
 * neither it nor a guest can know that their registers are gone.
 */

#include "qemu/osdep.h"
#include "amd_viommu.h"
#include "trace.h"

#define HOST true
#define GUEST false

static const struct {
    const char *name;
    bool host;
} reasons[AMD_VR__MAX] = {
#define R(sym, name, blame) [AMD_VR_##sym] = { name, blame }
#include "amd_viommu_reasons.h"
#undef R
};

const char *amd_viommu_reason_name(AMDViommuReason why)
{
    return reasons[why].name;
}

/* With viommu-sparse-dev-map an ID without entry is the guest's own affair */
static bool is_host(const AMDViommu *v, AMDViommuReason why)
{
    return reasons[why].host &&
           !(why == AMD_VR_GDEV_UNMAPPED && v->sparse_dev_map);
}

void amd_viommu_violation(AMDViommu *v, AMDViommuReason why, uint16_t gid,
                          uint64_t detail)
{
    trace_amd_viommu_violation(reasons[why].name, gid, detail);
    v->violations[why]++;
    if (!is_host(v, why) || v->surprised) {
        return;
    }
    if (v->first_violation < 0) {
        v->first_violation = why;
    }
    amd_iommu_violation(v->iommu, "viommu: %s: guest ID %u, 0x%" PRIx64,
                        reasons[why].name, gid, detail);
}

/* Hardware could not reach what a guest gave it: code 0xB, gid = dw1[15:0] */
void amd_viommu_event_guest_fault(AMDViommu *v, uint16_t gid, hwaddr addr)
{
    uint64_t evt[2] = {
        AMD_EVT_GUEST_EVENT_FAULT << AMD_EVT_CODE_SHIFT | (uint64_t)gid << 32,
        addr,
    };

    trace_amd_viommu_guest_event_fault(gid, addr);
    v->n.guest_faults_b++;
    amd_iommu_log_event(v->iommu, evt);
}

/*
 * The same for a ring's fetch or a completion store. Which event that is is not
 * known; what drivers of the vendor decode vFlags for are faults, in the name
 * of the translate device [inferred], whose positions are those of any other.
 */
void amd_viommu_event_unreachable(AMDViommu *v, AMDViommuGuest *g,
                                  hwaddr addr, bool write)
{
    uint16_t devid = amd_viommu_trans_devid(g);
    AMDIOMMUXlat x = { .fault_addr = addr };
    uint64_t dte[4] = {}, evt[2];

    if (v->ring_fault == AMD_RF_ILLEGAL_COMMAND) {
        amd_viommu_event_guest_fault(v, g->gid, addr);
        return;
    }
    x.fault = amd_iommu_dte_get(v->iommu, devid, dte) ?:
              AMD_IOMMU_NOT_PRESENT;
    amd_iommu_encode_fault(evt, devid, dte, &x, write ? IOMMU_WO : IOMMU_RO,
                           AMD_IOMMU_PASID_NONE,
                           AMD_EVT_VFLAG_VCMD | AMD_EVT_VFLAG_VPTR);
    amd_iommu_log_event(v->iommu, evt);
}

/* Hardware could not reach what the host gave it: gid = dw0[15:0] */
void amd_viommu_event_hw_error(AMDViommu *v, uint16_t gid, unsigned source,
                               hwaddr addr)
{
    uint64_t evt[2] = {
        AMD_EVT_VIOMMU_HW_ERROR << AMD_EVT_CODE_SHIFT |
        (uint64_t)source << AMD_EVT_HW_SOURCE_SHIFT | gid,
        addr,
    };

    trace_amd_viommu_hw_error(gid, source, addr);
    v->n.hw_errors_c++;
    amd_iommu_log_event(v->iommu, evt);
}

/*
 * A guest command names an ID that no map entry covers. Hardware logs "an
 * error" [once]; the code, with vCmd to tell it from a host command, is
 * [chosen].
 */
void amd_viommu_event_illegal(AMDViommu *v, uint16_t gid, hwaddr addr)
{
    uint64_t evt[2] = {
        AMD_EVT_ILLEGAL_COMMAND << AMD_EVT_CODE_SHIFT |
        AMD_EVT_VFLAG_VCMD | gid,
        addr,
    };

    amd_iommu_log_event(v->iommu, evt);
}
