/*
 * AMD hardware vIOMMU: state and interfaces between the parts of the model
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * amd_viommu.c opens with an overview. Everything here is private to
 * amd_viommu*.c; amd_iommu_model.h is the door to the IOMMU around it.
 */

#ifndef HW_I386_AMD_VIOMMU_H
#define HW_I386_AMD_VIOMMU_H

#include "amd_iommu.h"
#include "amd_iommu_model.h"
#include "amd_viommu_regs.h"

typedef enum AMDViommuReason {
#define R(sym, name, blame) AMD_VR_##sym
#include "amd_viommu_reasons.h"
#undef R
    AMD_VR__MAX,
} AMDViommuReason;

typedef enum AMDViommuRing {
    AMD_RING_CMD,
    AMD_RING_EVT,
    AMD_RING_PPR,
    AMD_RING_EVTB,
    AMD_RING_PPRB,
} AMDViommuRing;

/* What a completion wait does besides what it should */
typedef enum AMDViommuCwKnob {
    AMD_CW_NORMAL,
    AMD_CW_LOST,
    AMD_CW_WRONG,
    AMD_CW__MAX,
} AMDViommuCwKnob;

/* How the host hears that a guest's ring or store cannot be reached */
typedef enum AMDViommuRingFault {
    AMD_RF_ILLEGAL_COMMAND,
    AMD_RF_IO_PAGE_FAULT,
    AMD_RF__MAX,
} AMDViommuRingFault;

/**
 * AMDViommuGuest - what hardware keeps per guest ID
 * @gid: guest ID
 * @ready: RESET_VMMIO has been executed
 * @unfenced: RESET_VMMIO has been executed, but no completion wait since
 * @running: the command ring is being executed (no recursion)
 * @halted: the command ring stopped on an error until it is enabled again
 * @linger: VFC 20h, 28h and 30h as they were when that ring was switched off,
 *     as long as it still runs; else 0
 * @linger_until: when it stops, ns of virtual time
 * @iotlb_until: when the IOTLB invalidation at the head gives up, likewise; 0:
 *     there is none
 * @iotlb_devid: the device that does not answer it, host's ID
 * @vfc: VFCtrl registers, one per 8 bytes
 * @vf: VF page registers, one per 8 bytes
 * @cmds: commands executed, by opcode
 * @doorbells: writes of the command tail
 * @events: entries written to the event logs
 * @pprs: entries written to the PPR logs
 * @overflows: entries lost because a log was full
 * @irqs: interrupts delivered by extended remapping, by type
 * @irqs_lost: interrupts with no valid remapping entry
 */
typedef struct AMDViommuGuest {
    uint16_t gid;
    bool ready;
    bool unfenced;
    bool running;
    bool halted;
    uint64_t linger[3];
    int64_t linger_until[3];
    int64_t iotlb_until;
    uint16_t iotlb_devid;
    uint64_t vfc[AMD_VFC_NR_REGS];
    uint64_t vf[AMD_VF_NR_REGS];

    uint64_t cmds[16];
    uint64_t doorbells;
    uint64_t events;
    uint64_t pprs;
    uint64_t overflows;
    uint64_t irqs[2];
    uint64_t irqs_lost;
} AMDViommuGuest;

/* Who uses a host ID of a map, to find one that two guests can reach */
typedef struct AMDViommuOwner {
    uint16_t gid;
    uint32_t refs;
} AMDViommuOwner;

typedef struct AMDViommuCounters {
    uint64_t vf_reads;
    uint64_t vf_writes;
    uint64_t vfc_reads;
    uint64_t vfc_writes;
    uint64_t map_writes[2];
    uint64_t map_clears[2];
    uint64_t pas_walks;
    uint64_t pas_hits;
    uint64_t gpa_walks;
    uint64_t gpa_hits;
    uint64_t doorbells;
    uint64_t guest_events;
    uint64_t guest_pprs;
    uint64_t guest_faults_b;
    uint64_t hw_errors_c;
    uint64_t resets;
} AMDViommuCounters;

struct AMDViommu {
    AMDVIState *iommu;
    bool enabled;               /* property "viommu" */
    bool realized;

    /* configuration and knobs; see amd_viommu_prop.c */
    uint64_t vf_base;
    uint64_t vfc_base;
    bool vsc_present;
    bool log_b;
    bool vf_enable;
    bool vfc_enable;
    bool vf_all_ones;
    bool vfc_all_ones;
    bool ring_error;
    bool log_overflow;
    bool sparse_dev_map;
    bool base_resets;
    uint64_t ctrl_stuck;        /* control bits that do not stick */
    uint64_t misc_extra;
    uint32_t cw_delay_ms;
    uint32_t stop_delay_ms;
    int cw_knob;                /* AMDViommuCwKnob */
    int ring_fault;             /* AMDViommuRingFault */

    MemoryRegion vf_mr;
    MemoryRegion vfc_mr;
    uint8_t vsc_offset;

    GHashTable *guests;         /* gid -> AMDViommuGuest */
    GHashTable *tlb;            /* amd_viommu_xlat.c */
    GHashTable *extir;          /* amd_viommu_intr.c */
    AMDViommuOwner *owner[2];   /* by map (device, domain), by host ID */
    GHashTable *unfenced;       /* AMD_FENCE_*: flushed, and not waited for */
    int64_t audit_ms;           /* when the translations were last audited */
    bool guest_cmd;             /* what is executed now is a guest's */
    bool surprised;             /* state was lost, the host does not know yet */

    QEMUTimer *cw_timer;
    GQueue *cw_late;            /* guest stores that the knob holds back */
    QEMUTimer *ring_timer;      /* a ring stops, or gives up to wait */
    Error *blocker;

    uint64_t violations[AMD_VR__MAX];
    int first_violation;        /* AMDViommuReason, or -1 */
    AMDViommuCounters n;
};

/* amd_viommu.c: guests, the windows and the VF page */
AMDViommuGuest *amd_viommu_guest(AMDViommu *v, uint16_t gid);
AMDViommuGuest *amd_viommu_guest_new(AMDViommu *v, uint16_t gid);
void amd_viommu_update_vsc(AMDViommu *v);
static inline uint64_t amd_vfc(const AMDViommuGuest *g, unsigned reg)
{
    return g->vfc[reg / 8];
}
static inline uint64_t *amd_vf(AMDViommuGuest *g, unsigned reg)
{
    return &g->vf[reg / 8];
}

/* amd_viommu_vfctrl.c */
extern const MemoryRegionOps amd_viommu_vfc_ops;
uint64_t amd_viommu_ring_reg(const AMDViommuGuest *g, unsigned reg);
uint64_t amd_viommu_ring_base(const AMDViommuGuest *g, AMDViommuRing ring);
uint32_t amd_viommu_ring_bytes(const AMDViommuGuest *g, AMDViommuRing ring);
uint16_t amd_viommu_trans_devid(const AMDViommuGuest *g);
bool amd_viommu_any_ring_enabled(const AMDViommuGuest *g);

/* amd_viommu_xlat.c: the two translations hardware does for itself */
bool amd_viommu_read_dte(AMDViommu *v, uint16_t devid, uint64_t dte[4]);
bool amd_viommu_get_dte(AMDViommu *v, uint16_t gid, uint16_t devid,
                        uint64_t dte[4]);
static inline uint16_t amd_viommu_own_devid(AMDViommu *v)
{
    return amd_iommu_devid(v->iommu);
}
bool amd_viommu_pas_rw(AMDViommu *v, uint16_t gid, hwaddr pas, void *buf,
                       unsigned len, bool write);
bool amd_viommu_pas_mapped(AMDViommu *v, hwaddr pas);
bool amd_viommu_gpa_rw(AMDViommu *v, AMDViommuGuest *g, hwaddr gpa, void *buf,
                       unsigned len, bool write);
void amd_viommu_tlb_flush(AMDViommu *v, int domid, hwaddr addr, hwaddr size);
unsigned amd_viommu_tlb_audit(AMDViommu *v, int64_t now);
void amd_viommu_tlb_reset(AMDViommu *v);

/* amd_viommu_map.c: the DevID and DomID maps */
typedef enum AMDViommuMap {
    AMD_MAP_DEV,
    AMD_MAP_DOM,
} AMDViommuMap;
void amd_viommu_map_write(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                          uint64_t val);
bool amd_viommu_map_lookup(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                           uint16_t id, uint16_t *hid);
bool amd_viommu_map_peek(AMDViommu *v, AMDViommuGuest *g, AMDViommuMap map,
                         uint16_t id, uint16_t *hid);
bool amd_viommu_map_reverse(AMDViommu *v, AMDViommuGuest *g, uint16_t hdom,
                            uint16_t *gdom);
bool amd_viommu_maps_present(AMDViommu *v, uint16_t gid);
void amd_viommu_map_forget(AMDViommu *v, uint16_t gid);

/* amd_viommu_trans.c: rules for translate and nested DTEs */
bool amd_viommu_check_trans(AMDViommu *v, AMDViommuGuest *g);
void amd_viommu_check_nested(AMDViommu *v, uint16_t devid);

/* amd_viommu_linger.c: rings that go on although they have been switched off */
void amd_viommu_linger_update(AMDViommu *v, AMDViommuGuest *g,
                              const AMDViommuGuest *old, unsigned reg);
void amd_viommu_linger_arm(AMDViommu *v);
void amd_viommu_linger_reset(AMDViommu *v);

/* amd_viommu_ring.c: the guest command ring */
void amd_viommu_ring_run(AMDViommu *v, AMDViommuGuest *g);
void amd_viommu_ring_iotlb_done(AMDViommu *v, AMDViommuGuest *g);
void amd_viommu_ring_run_all(AMDViommu *v);

/* amd_viommu_log.c: guest event and PPR logs */
void amd_viommu_log_update(AMDViommu *v, AMDViommuGuest *g,
                           const AMDViommuGuest *old);
bool amd_viommu_log_event(AMDViommu *v, AMDViommuGuest *g,
                          const uint64_t evt[2]);
bool amd_viommu_log_ppr(AMDViommu *v, AMDViommuGuest *g,
                        const uint64_t ppr[2]);
bool amd_viommu_guest_event(AMDVIState *s, uint16_t devid,
                            const uint64_t dte[4], const uint64_t evt[2]);
bool amd_viommu_guest_ppr(AMDVIState *s, uint16_t devid,
                          const uint64_t dte[4], const uint64_t ppr[2]);

/* amd_viommu_intr.c: extended interrupt remapping */
void amd_viommu_irq(AMDViommu *v, AMDViommuGuest *g, unsigned type);
void amd_viommu_irq_flush(AMDViommu *v);

/* amd_viommu_strict.c: violations, and the host events 0xB and 0xC */
void amd_viommu_violation(AMDViommu *v, AMDViommuReason why, uint16_t gid,
                          uint64_t detail);
const char *amd_viommu_reason_name(AMDViommuReason why);
void amd_viommu_event_guest_fault(AMDViommu *v, uint16_t gid, hwaddr addr);
void amd_viommu_event_unreachable(AMDViommu *v, AMDViommuGuest *g,
                                  hwaddr addr, bool write);
void amd_viommu_event_hw_error(AMDViommu *v, uint16_t gid, unsigned source,
                               hwaddr addr);
void amd_viommu_event_illegal(AMDViommu *v, uint16_t gid, hwaddr addr);

/* amd_viommu_cmd.c: host commands, control bits, completion waits */
#define AMD_FENCE_DEV(devid)            ((uint64_t)(devid))
#define AMD_FENCE_PAGE(domid, addr)     (BIT_ULL(63) | \
                                         (uint64_t)(domid) << 40 | (addr) >> 12)
void amd_viommu_fence(AMDViommu *v, uint64_t key);
void amd_viommu_check_fence(AMDViommu *v, uint16_t gid, uint64_t key);
bool amd_viommu_command(AMDVIState *s, const uint64_t cmd[2]);
void amd_viommu_inv(AMDVIState *s, const uint64_t cmd[2]);
uint64_t amd_viommu_control_write(AMDVIState *s, uint64_t old, uint64_t val);
void amd_viommu_control_changed(AMDVIState *s, uint64_t old, uint64_t val);
static inline bool amd_viommu_on(AMDViommu *v)
{
    uint64_t both = AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN;

    return (amd_iommu_control(v->iommu) & both) == both;
}

/* amd_viommu_prop.c: properties, knobs, counters */
void amd_viommu_add_properties(AMDVIState *s);

#endif
