/*
 * AMD IOMMU, host-grade model: what its own files share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_I386_AMD_IOMMU_INT_H
#define HW_I386_AMD_IOMMU_INT_H

#include "qemu/timer.h"
#include "amd_iommu.h"
#include "amd_iommu_model.h"

/* Device table entry, fields of the four quadwords */
#define DTE0_V                  BIT_ULL(0)
#define DTE0_TV                 BIT_ULL(1)
#define DTE0_HAD(q)             extract64((q), 7, 2)
#define DTE0_MODE(q)            extract64((q), 9, 3)
#define DTE0_GIOV               BIT_ULL(54)
#define DTE0_GV                 BIT_ULL(55)
#define DTE0_GLX(q)             extract64((q), 56, 2)
#define DTE1_DOMID(q)           extract64((q), 0, 16)
#define DTE1_SE                 BIT_ULL(33)
#define DTE1_SA                 BIT_ULL(34)
#define DTE2_IG                 BIT_ULL(5)
#define DTE2_GPM(q)             extract64((q), 54, 2)

#define PT_ADDR_MASK            GENMASK64(51, 12)
/* Accessed and dirty in host PTEs and in guest ones */
#define PTE_A                   BIT_ULL(5)
#define PTE_D                   BIT_ULL(6)

/* Host tables have up to six levels, guest tables up to five */
#define WALK_LEVELS             6

typedef struct AMDIOMMUDte {
    uint64_t q[4];
    AMDIOMMUFault fault;
    /* DTE[SE]: a fault of the device was already logged */
    bool logged;
    /* See amd_iommu_audit.c */
    uint8_t ticks;
} AMDIOMMUDte;

/**
 * AMDIOMMUTag - who a cached thing belongs to
 * @domid: host domain
 * @pasid: of the guest translation, AMD_IOMMU_PASID_NONE for a host one
 */
typedef struct AMDIOMMUTag {
    uint16_t domid;
    uint32_t pasid;
} AMDIOMMUTag;

/**
 * AMDIOMMUTlbEntry - translation of one page
 * @in, @mask: input page
 * @out: system physical address of it
 * @gpa: of a guest translation; with @mask what a host invalidation hits
 * @perm: permissions of all tables, not of the DTE
 * @ticks: see amd_iommu_audit.c
 */
typedef struct AMDIOMMUTlbEntry {
    AMDIOMMUTag tag;
    hwaddr in;
    hwaddr mask;
    hwaddr out;
    hwaddr gpa;
    IOMMUAccessFlags perm;
    uint8_t ticks;
} AMDIOMMUTlbEntry;

/**
 * AMDIOMMUPde - a cached pointer to a table
 * @in, @mask: input addresses that go through the table
 * @level: of the table
 * @table: its address: a GPA for guest tables, an SPA for host tables
 * @perm: permissions of the levels above
 */
typedef struct AMDIOMMUPde {
    AMDIOMMUTag tag;
    hwaddr in;
    hwaddr mask;
    unsigned level;
    hwaddr table;
    IOMMUAccessFlags perm;
} AMDIOMMUPde;

/* A cached GCR3 table entry: the guest's page table root of one PASID */
typedef struct AMDIOMMUGcr3 {
    AMDIOMMUTag tag;
    uint16_t devid;
    uint64_t cr3;
} AMDIOMMUGcr3;

typedef struct AMDIOMMUStats {
    uint64_t cmd[16];
    uint64_t event[16];
    uint64_t event_lost;
    uint64_t host_walks;
    uint64_t guest_walks;
    uint64_t pte_reads;
    uint64_t tlb_hits;
    uint64_t tlb_misses;
    uint64_t dte_reads;
    uint64_t faults;
    uint64_t interrupts;
    uint64_t mmio_reads;
    uint64_t mmio_writes;
    uint64_t violations;
} AMDIOMMUStats;

struct AMDIOMMUModel {
    AMDVIState *s;
    GHashTable *dtes;
    GHashTable *tlb;
    GHashTable *pdes;
    GHashTable *gcr3s;
    QEMUTimer *cmd_timer;
    /* Runs while the host's ring waits for the device iotlb_silent */
    QEMUTimer *iotlb_timer;
    bool iotlb_waits;
    uint16_t iotlb_devid;
    Error *blocker;
    bool cmd_halted;
    /* The event log has overflowed, and has not been turned off since */
    bool evt_stopped;
    bool in_surprise;
    char *last_violation;
    /* When the caches were last audited */
    int64_t tick_ms;
    /* Since when an invalidation has had no completion wait behind it, or 0 */
    int64_t unwaited_ms;
    AMDIOMMUStats stats;
    /* The last request failed, and these were its address and sender */
    bool fault_last;
    hwaddr fault_addr;
    uint32_t fault_pasid;
    uint16_t fault_devid;
    /* Knobs, settable at run time */
    uint64_t cmd_delay_ns;
    uint32_t cw_lose;
    uint32_t cw_corrupt;
    uint32_t iotlb_silent;
};

/* Hooks in amd_iommu.c, amd_iommu_model.c */
void amd_iommu_model_class_init(ObjectClass *klass);
void amd_iommu_model_instance_init(Object *obj);
void amd_iommu_model_instance_finalize(Object *obj);
bool amd_iommu_model_realize(AMDVIState *s, Error **errp);
void amd_iommu_model_reset(AMDVIState *s);
uint64_t amd_iommu_model_efr(AMDVIState *s, uint64_t efr);
bool amd_iommu_model_mmio_read(AMDVIState *s, hwaddr addr, unsigned size,
                               uint64_t *val);
bool amd_iommu_model_mmio_write(AMDVIState *s, hwaddr addr, unsigned size,
                                uint64_t val);
void amd_iommu_model_cmdbuf_run(AMDVIState *s);
extern const AMDViommuOps *amd_iommu_viommu_ops;

#define TYPE_AMD_IOMMU_SOUTHBRIDGE "amd-iommu-southbridge"

/* What amd_iommu.c lends */
void amdvi_generate_msi_interrupt(AMDVIState *s);
void amdvi_handle_control_write(AMDVIState *s);
void amdvi_intremap_inval_notify_all(AMDVIState *s, bool global,
                                     uint32_t index, uint32_t mask);
void amdvi_init(AMDVIState *s);

/* amd_iommu_walk.c */
bool amd_iommu_model_get_dte(AMDVIState *s, uint16_t devid, uint64_t dte[4]);
void amd_iommu_model_translate(AMDVIState *s, uint16_t devid, uint32_t pasid,
                               hwaddr addr, IOMMUAccessFlags access,
                               IOMMUTLBEntry *ret);

bool amd_iommu_walk_again(AMDVIState *s, uint16_t devid, AMDIOMMUDte *dte,
                          AMDIOMMUTag tag, hwaddr addr, AMDIOMMUTlbEntry *e);

/* amd_iommu_audit.c */
void amd_iommu_audit_init(Object *obj);
void amd_iommu_audit_tick(AMDVIState *s);

/* amd_iommu_event.c */
void amd_iommu_model_int_fault(AMDVIState *s, uint16_t devid, hwaddr addr);
void amd_iommu_report_fault(AMDVIState *s, uint16_t devid, AMDIOMMUDte *dte,
                            const AMDIOMMUXlat *x, IOMMUAccessFlags access,
                            uint32_t pasid);
void amd_iommu_illegal_command(AMDVIState *s, const uint64_t cmd[2]);
void amd_iommu_command_hw_error(AMDVIState *s);

/* amd_iommu_cache.c */
void amd_iommu_cache_init(AMDIOMMUModel *m);
void amd_iommu_cache_finalize(AMDIOMMUModel *m);
void amd_iommu_cache_reset(AMDIOMMUModel *m);
AMDIOMMUDte *amd_iommu_dte_read(AMDVIState *s, uint16_t devid);
AMDIOMMUDte *amd_iommu_cache_dte(AMDVIState *s, uint16_t devid);
/* The address that a key of the TLB stands for */
hwaddr amd_iommu_tlb_page(gconstpointer key);
const AMDIOMMUTlbEntry *amd_iommu_tlb_lookup(AMDIOMMUModel *m,
                                             AMDIOMMUTag tag, hwaddr addr);
void amd_iommu_tlb_insert(AMDIOMMUModel *m, const AMDIOMMUTlbEntry *e,
                          hwaddr addr);
const AMDIOMMUPde *amd_iommu_pde_lookup(AMDIOMMUModel *m, AMDIOMMUTag tag,
                                        hwaddr addr, unsigned top);
void amd_iommu_pde_insert(AMDIOMMUModel *m, const AMDIOMMUPde *pde);
bool amd_iommu_gcr3_lookup(AMDIOMMUModel *m, uint16_t devid, AMDIOMMUTag tag,
                           uint64_t *cr3);
void amd_iommu_gcr3_insert(AMDIOMMUModel *m, uint16_t devid, AMDIOMMUTag tag,
                           uint64_t cr3);

#endif
