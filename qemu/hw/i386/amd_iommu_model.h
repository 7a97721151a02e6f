/*
 * AMD IOMMU, host-grade model: interface between its parts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * amd_iommu.c is the device: registers, command ring, interrupt remapping.
 * With the property "host-grade" it hands translation, caching, event logging
 * and command execution to the model behind this header:
 *
 *   amd_iommu_model.c    properties, registers, command execution, counters
 *   amd_iommu_cache.c    DTE cache, TLB, page-walk caches; who drops what
 *   amd_iommu_walk.c     host (v1), guest (v2) and nested walks
 *   amd_iommu_event.c    host event log, encoding of events
 *   amd_iommu_audit.c    finds cached things that memory no longer says
 *
 * The vIOMMU part (amd_viommu.c) uses the functions below and gets called
 * through AMDViommuOps, which it registers from a type_init() function. Its
 * state hangs off AMDVIState::viommu. Without registered ops the model is an
 * IOMMU without vIOMMU.
 *
 * All of this runs under the big QEMU lock.
 */

#ifndef HW_I386_AMD_IOMMU_MODEL_H
#define HW_I386_AMD_IOMMU_MODEL_H

#include "qom/object.h"
#include "exec/hwaddr.h"
#include "system/memory.h"

typedef struct AMDVIState AMDVIState;
typedef struct AMDVIPCIState AMDVIPCIState;
/* Private to amd_iommu_{model,cache,walk,event}.c, in amd_iommu_int.h */
typedef struct AMDIOMMUModel AMDIOMMUModel;
/* Private to amd_viommu*.c */
typedef struct AMDViommu AMDViommu;

/**
 * AMDIOMMUConfig - properties of the device, fixed at realize
 * @host_grade: use this model; without it all others must keep their defaults
 * @strict: software errors end QEMU, see amd_iommu_violation()
 * @southbridge: put a southbridge function at the place where the IVRS says
 *     the IOAPIC is; works without @host_grade, too
 * @np_cache: NpCache in the capability, as emulated IOMMUs have it: software
 *     must flush after a map. Hardware has it off.
 * @gt, @ppr, @ga: EFR bits that amd-iommu always had
 * @gio, @eph, @had: EFR bits GIOSup, EPHSup, HASup with HDSup
 * @gcr3trp: EFR2 bit GCR3TRPModeSup
 * @hats, @gats, @glx, @pasmax, @gam: EFR fields of these names
 */
typedef struct AMDIOMMUConfig {
    bool host_grade;
    bool strict;
    bool southbridge;
    bool np_cache;
    bool gt;
    bool ppr;
    bool ga;
    bool gio;
    bool eph;
    bool had;
    bool gcr3trp;
    uint8_t hats;
    uint8_t gats;
    uint8_t glx;
    uint8_t pasmax;
    uint8_t gam;
} AMDIOMMUConfig;

/* Bits of the control register (0x18) that amd_iommu.h does not name */
#define AMD_IOMMU_CTRL_PPRLOGEN         BIT_ULL(13)
#define AMD_IOMMU_CTRL_PPRINTEN         BIT_ULL(14)
#define AMD_IOMMU_CTRL_PPREN            BIT_ULL(15)
#define AMD_IOMMU_CTRL_GTEN             BIT_ULL(16)
#define AMD_IOMMU_CTRL_EPHEN            BIT_ULL(45)
#define AMD_IOMMU_CTRL_VCMDEN           BIT_ULL(52)
#define AMD_IOMMU_CTRL_VIOMMUEN         BIT_ULL(53)
#define AMD_IOMMU_CTRL_GCR3TRPMODE      BIT_ULL(58)
#define AMD_IOMMU_CTRL_IRTCACHEDIS      BIT_ULL(59)
#define AMD_IOMMU_CTRL_GSTBUFTRPMODE    BIT_ULL(60)

/* Registers that amd_iommu.h does not name */
#define AMD_IOMMU_REG_EXT_FEATURES2     0x01a0

/* Bits of EFR and EFR2 */
#define AMD_IOMMU_EFR_PPR               BIT_ULL(1)
#define AMD_IOMMU_EFR_GT                BIT_ULL(4)
#define AMD_IOMMU_EFR_GA                BIT_ULL(7)
#define AMD_IOMMU_EFR_GIOSUP            BIT_ULL(48)
#define AMD_IOMMU_EFR_HASUP             BIT_ULL(49)
#define AMD_IOMMU_EFR_HDSUP             BIT_ULL(52)
#define AMD_IOMMU_EFR_EPHSUP            BIT_ULL(50)
#define AMD_IOMMU_EFR_VIOMMUSUP         BIT_ULL(55)
#define AMD_IOMMU_EFR2_GCR3TRPMODE      BIT_ULL(3)

/* Event codes, evt[0] bits 63:60 */
enum {
    AMD_IOMMU_EVT_ILLEGAL_DTE   = 0x1,
    AMD_IOMMU_EVT_PAGE_FAULT    = 0x2,
    AMD_IOMMU_EVT_DTE_HW        = 0x3,
    AMD_IOMMU_EVT_PT_HW         = 0x4,
    AMD_IOMMU_EVT_ILLEGAL_CMD   = 0x5,
    AMD_IOMMU_EVT_CMD_HW        = 0x6,
    AMD_IOMMU_EVT_IOTLB_TIMEOUT = 0x7,
    AMD_IOMMU_EVT_GUEST_FAULT   = 0xb,
    AMD_IOMMU_EVT_VIOMMU_HW     = 0xc,
};

/* Flags of the events 1 to 4, evt[0] bits 59:48, and vFlags, 31:27 */
#define AMD_IOMMU_EVF_VNR               BIT_ULL(27)
#define AMD_IOMMU_EVF_GN                BIT_ULL(48)
#define AMD_IOMMU_EVF_NX                BIT_ULL(49)
#define AMD_IOMMU_EVF_US                BIT_ULL(50)
#define AMD_IOMMU_EVF_I                 BIT_ULL(51)
#define AMD_IOMMU_EVF_PR                BIT_ULL(52)
#define AMD_IOMMU_EVF_RW                BIT_ULL(53)
#define AMD_IOMMU_EVF_PE                BIT_ULL(54)
#define AMD_IOMMU_EVF_RZ                BIT_ULL(55)
#define AMD_IOMMU_EVF_TR                BIT_ULL(56)

#define AMD_IOMMU_PASID_NONE            UINT32_MAX

/* Fields of a device table entry that both parts need */
#define AMD_IOMMU_DTE3_VIMUEN           BIT_ULL(15)
#define AMD_IOMMU_DTE3_GDEVID(q3)       extract64((q3), 16, 16)
#define AMD_IOMMU_DTE3_GUESTID(q3)      extract64((q3), 32, 16)

/**
 * AMDIOMMUFault - why a translation failed; also which event it makes
 * @AMD_IOMMU_OK: it did not fail
 * @AMD_IOMMU_NO_DTE: the device ID is beyond the device table
 * @AMD_IOMMU_DTE_HW: the DTE cannot be read
 * @AMD_IOMMU_DTE_ILLEGAL: reserved bits or an impossible combination
 * @AMD_IOMMU_DTE_NOT_VALID: V is 0. A device gets through untranslated then;
 *     amd_iommu_host_translate() treats it as an error.
 * @AMD_IOMMU_NOT_PRESENT: no translation for this address
 * @AMD_IOMMU_NO_PERM: there is one, but the access is not allowed
 * @AMD_IOMMU_PT_RESERVED: impossible content of a table entry
 * @AMD_IOMMU_PT_HW: a table entry cannot be read or written
 */
typedef enum AMDIOMMUFault {
    AMD_IOMMU_OK = 0,
    AMD_IOMMU_NO_DTE,
    AMD_IOMMU_DTE_HW,
    AMD_IOMMU_DTE_ILLEGAL,
    AMD_IOMMU_DTE_NOT_VALID,
    AMD_IOMMU_NOT_PRESENT,
    AMD_IOMMU_NO_PERM,
    AMD_IOMMU_PT_RESERVED,
    AMD_IOMMU_PT_HW,
} AMDIOMMUFault;

/**
 * AMDIOMMUXlat - result of a translation
 * @addr: system physical address of the byte asked for
 * @mask: size of the page minus one (the smaller one of both stages)
 * @perm: what is allowed
 * @fault: AMD_IOMMU_OK or why the other members mean nothing
 * @fault_addr: address the failing stage was asked for: a GVA when
 *     @fault_guest, else a GPA or IOVA; for AMD_IOMMU_PT_HW that of the entry
 * @fault_guest: the guest's own tables refuse the access
 */
typedef struct AMDIOMMUXlat {
    hwaddr addr;
    hwaddr mask;
    IOMMUAccessFlags perm;
    AMDIOMMUFault fault;
    hwaddr fault_addr;
    bool fault_guest;
} AMDIOMMUXlat;

/**
 * AMDIOMMUInvPages - what INVALIDATE_IOMMU_PAGES names
 * @domid: host domain ID
 * @pasid: for @gn only
 * @gn: guest (v2) translations of @pasid; else host translations, and the
 *     guest translations that were made through them
 * @pde: page-walk caches as well, not only leaf translations
 * @addr: first address, aligned to @size
 * @size: bytes, a power of two; 0 is everything
 */
typedef struct AMDIOMMUInvPages {
    uint16_t domid;
    uint32_t pasid;
    bool gn;
    bool pde;
    hwaddr addr;
    uint64_t size;
} AMDIOMMUInvPages;

/*
 * What the vIOMMU part calls
 */

/* The IOMMU's own bus/device/function, index of its own DTE */
uint16_t amd_iommu_devid(AMDVIState *s);

/**
 * amd_iommu_dte_get - the DTE of a device as the hardware sees it: the cached
 * copy until INVALIDATE_DEVTAB_ENTRY, INVALIDATE_IOMMU_ALL or reset drops it.
 * Logs nothing.
 *
 * @dte is valid for AMD_IOMMU_OK and AMD_IOMMU_DTE_NOT_VALID.
 */
AMDIOMMUFault amd_iommu_dte_get(AMDVIState *s, uint16_t devid,
                                uint64_t dte[4]);

/**
 * amd_iommu_host_translate - translate @addr through the host (v1) table of
 * the DTE of @devid, with its IR/IW and the TLB tagged by its domain ID. GV is
 * ignored. Logs nothing; returns whether it worked.
 */
bool amd_iommu_host_translate(AMDVIState *s, uint16_t devid, hwaddr addr,
                              IOMMUAccessFlags access, AMDIOMMUXlat *out);

/*
 * amd_iommu_host_read/write - the same for @len bytes, page by page. On
 * failure @out (may be NULL) has the fault of the page that failed; what lies
 * before has been transferred.
 */
bool amd_iommu_host_read(AMDVIState *s, uint16_t devid, hwaddr addr,
                         void *buf, size_t len, AMDIOMMUXlat *out);
bool amd_iommu_host_write(AMDVIState *s, uint16_t devid, hwaddr addr,
                          const void *buf, size_t len, AMDIOMMUXlat *out);

/* Invalidation primitives; each says in amd_iommu_cache.c what it leaves */
void amd_iommu_inv_devtab(AMDVIState *s, uint16_t devid);
void amd_iommu_inv_pages(AMDVIState *s, const AMDIOMMUInvPages *inv);
/* All translations of a domain, host and guest, page-walk caches included */
void amd_iommu_inv_domain(AMDVIState *s, uint16_t domid);
/* The translations that the device itself cached (ATS) */
void amd_iommu_inv_iotlb(AMDVIState *s, uint16_t devid, hwaddr addr,
                         uint64_t size);
void amd_iommu_inv_intr_table(AMDVIState *s, uint16_t devid);
void amd_iommu_inv_all(AMDVIState *s);

/**
 * amd_iommu_exec_inv - decode and execute one of the commands 2, 3, 4, 5, 8
 * (host order, host IDs: substitute before). Returns false, and does nothing,
 * if the opcode is another one or a reserved bit is set.
 */
bool amd_iommu_exec_inv(AMDVIState *s, const uint64_t cmd[2]);

/**
 * amd_iommu_iotlb_deadline - when an INVALIDATE_IOTLB_PAGES that has just been
 * sent to @devid gives up, in ns of virtual time; INT64_MAX: never. 0 if the
 * device answers, as all do but the one that the knob iotlb-silent names.
 */
int64_t amd_iommu_iotlb_deadline(AMDVIState *s, uint16_t devid);

/**
 * amd_iommu_iotlb_timeout - log IOTLB_INV_TIMEOUT
 * @addr: of the command
 * @vflags: AMD_EVT_VFLAG_* if it was in a guest's ring
 */
void amd_iommu_iotlb_timeout(AMDVIState *s, uint16_t devid, hwaddr addr,
                             uint64_t vflags);

/* Fields of INVALIDATE_IOMMU_PAGES and INVALIDATE_IOTLB_PAGES */
hwaddr amd_iommu_cmd_range(uint64_t qword1, uint64_t *size);

/*
 * amd_iommu_log_event - append 16 bytes (host order) to the host event log,
 * with overflow and interrupt as the control register says
 */
void amd_iommu_log_event(AMDVIState *s, const uint64_t evt[2]);

/**
 * amd_iommu_encode_fault - the event for a failed translation
 * @flags: AMD_IOMMU_EVF_* that the fault does not imply (I, TR, US)
 * @access: what was tried
 * @pasid: or AMD_IOMMU_PASID_NONE
 */
void amd_iommu_encode_fault(uint64_t evt[2], uint16_t devid,
                            const uint64_t dte[4], const AMDIOMMUXlat *x,
                            IOMMUAccessFlags access, uint32_t pasid,
                            uint64_t flags);

/* Host registers: the stored value, no side effects, offset in the MMIO page */
uint64_t amd_iommu_reg(AMDVIState *s, hwaddr offset);
void amd_iommu_set_reg(AMDVIState *s, hwaddr offset, uint64_t value);
static inline uint64_t amd_iommu_control(AMDVIState *s)
{
    return amd_iommu_reg(s, 0x18);
}

/* The EFR2 register, for it and for the IVHD */
uint64_t amd_iommu_model_efr2(AMDVIState *s);

/* The MSI or XT interrupt of the IOMMU itself */
void amd_iommu_interrupt(AMDVIState *s);

/**
 * amd_iommu_counter - publish a counter as a read-only property of the device
 * (qom-get); @value must live as long as the device
 */
void amd_iommu_counter(AMDVIState *s, const char *name, uint64_t *value);

/**
 * amd_iommu_violation - software did what hardware leaves undefined. Counted
 * ("stat-violations"), traced, the text kept ("last-violation"); with the
 * property strict=on it is printed and QEMU ends with status 1, as soon
 * as the access that caused it is done.
 */
void G_GNUC_PRINTF(2, 3) amd_iommu_violation(AMDVIState *s, const char *fmt,
                                             ...);

/*
 * What the model calls in the vIOMMU part; every member may be NULL
 */

/**
 * AMDViommuOps
 * @class_init: add properties to the class of amd-iommu
 * @instance_init: allocate AMDVIState::viommu, before properties are set
 * @instance_finalize: and free it
 * @realize: host-grade devices only, after the PCI function and the MMIO
 *     region exist; capabilities may be added to &s->pci->dev here
 * @reset: power-on state. @surprise: without the machine being reset, at run
 *     time; the model has reset itself by then.
 * @efr, @efr2: bits to set in the feature registers and the IVHD
 * @control_write: bits of a control register write that stick. Called before
 *     the new value is stored; returns it.
 * @control_changed: after it was stored
 * @mmio_read: asked first for any register of the 16 KiB page; false: the
 *     stored value (amd_iommu_set_reg()) is read
 * @mmio_write: registers that nobody else knows; false if this part does not
 *     either
 * @command: opcode 0x9 or 0xA, in host order; false: illegal command
 * @guest_event: a device whose DTE has vImuEn caused this event in the guest
 *     stage; true if taken, else it goes to the host log
 * @guest_ppr: a page request of such a device; true if taken
 * @inv: called after any invalidation took place, for caches of this part, and
 *     after a completion wait, which says that those before it are done.
 *     @cmd is the command as executed.
 */
typedef struct AMDViommuOps {
    void (*class_init)(ObjectClass *klass);
    void (*instance_init)(AMDVIState *s);
    void (*instance_finalize)(AMDVIState *s);
    void (*realize)(AMDVIState *s, Error **errp);
    void (*reset)(AMDVIState *s, bool surprise);
    uint64_t (*efr)(AMDVIState *s);
    uint64_t (*efr2)(AMDVIState *s);
    uint64_t (*control_write)(AMDVIState *s, uint64_t old, uint64_t val);
    void (*control_changed)(AMDVIState *s, uint64_t old, uint64_t val);
    bool (*mmio_read)(AMDVIState *s, hwaddr addr, unsigned size,
                      uint64_t *val);
    bool (*mmio_write)(AMDVIState *s, hwaddr addr, unsigned size,
                       uint64_t val);
    bool (*command)(AMDVIState *s, const uint64_t cmd[2]);
    bool (*guest_event)(AMDVIState *s, uint16_t devid, const uint64_t dte[4],
                        const uint64_t evt[2]);
    bool (*guest_ppr)(AMDVIState *s, uint16_t devid, const uint64_t dte[4],
                      const uint64_t ppr[2]);
    void (*inv)(AMDVIState *s, const uint64_t cmd[2]);
} AMDViommuOps;

void amd_iommu_register_viommu(const AMDViommuOps *ops);

#endif
