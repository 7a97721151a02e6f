/*
 * AMD IOMMU, host-grade model: translation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A request goes through one or two stages, as its DTE says:
 *
 *   GV = 0, or no PASID and GIOV = 0     host table (v1) alone
 *   GV = 1                               GCR3 table -> guest table (v2) of the
 *                                        PASID -> host table
 *
 * Requests without PASID use PASID 0 when GIOV is set. In the second case the
 * guest's tables are themselves at guest physical addresses: every read of
 * them goes through the host table. So does the GCR3 table when GCR3TRPMode is
 * set in the control register; when it is not, the GCR3 table is at a system
 * physical address and only what its leaf entries point to is a GPA. Mode 0 of
 * the host table means that GPAs are system physical addresses.
 *
 * Host tables are AMD's own format: up to six levels that may be skipped, page
 * sizes in between by NextLevel 7. Guest tables are those of the x86 CPU with
 * four or five levels.
 *
 * The permissions of the DTE (IR, IW) belong to the device, those of the tables
 * to the domain: only the latter go into the TLB.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/host-utils.h"
#include "system/dma.h"
#include "amd_iommu_int.h"
#include "trace.h"

#define GPTE_P          BIT_ULL(0)
#define GPTE_W          BIT_ULL(1)
#define GPTE_U          BIT_ULL(2)
#define GPTE_PS         BIT_ULL(7)

/*
 * What the parts of one translation hand to each other. A dry one sets no
 * accessed and dirty bits.
 */
typedef struct Walk {
    AMDVIState *s;
    uint16_t devid;
    AMDIOMMUDte *dte;
    AMDIOMMUTag tag;
    AMDIOMMUXlat x;
    bool dry;
} Walk;

static bool fail(Walk *w, AMDIOMMUFault fault, hwaddr addr, bool guest)
{
    w->x.fault = fault;
    w->x.fault_addr = addr;
    w->x.fault_guest = guest;
    w->x.perm = IOMMU_NONE;
    return false;
}

static bool read_entry(Walk *w, hwaddr spa, uint64_t *val)
{
    w->s->model->stats.pte_reads++;
    if (dma_memory_read(&address_space_memory, spa, val, sizeof(*val),
                        MEMTXATTRS_UNSPECIFIED)) {
        return fail(w, AMD_IOMMU_PT_HW, spa, false);
    }
    *val = le64_to_cpu(*val);
    return true;
}

static bool write_entry(Walk *w, hwaddr spa, uint64_t val)
{
    if (w->dry) {
        return true;
    }
    val = cpu_to_le64(val);
    if (dma_memory_write(&address_space_memory, spa, &val, sizeof(val),
                         MEMTXATTRS_UNSPECIFIED)) {
        return fail(w, AMD_IOMMU_PT_HW, spa, false);
    }
    return true;
}

static IOMMUAccessFlags dte_perm(const AMDIOMMUDte *dte)
{
    return extract64(dte->q[0], AMDVI_DEV_PERM_SHIFT, 2);
}

static AMDIOMMUTag host_tag(const AMDIOMMUDte *dte)
{
    return (AMDIOMMUTag) {
        .domid = DTE1_DOMID(dte->q[1]), .pasid = AMD_IOMMU_PASID_NONE,
    };
}

/*
 * Host stage
 */

/* Index bits of skipped levels must be zero */
static bool skips_address_bits(hwaddr addr, unsigned from, unsigned to)
{
    unsigned low = PT_LEVEL_SHIFT(to + 1), high = PT_LEVEL_SHIFT(from);

    return high > low && extract64(addr, low, MIN(high, 64) - low);
}

/* The page that a leaf entry of @level maps */
static bool host_leaf(Walk *w, AMDIOMMUTlbEntry *e, uint64_t pte,
                      unsigned level, hwaddr addr)
{
    uint64_t size = PTE_LEVEL_PAGE_SIZE(level);

    if (PTE_NEXT_LEVEL(pte) == 7) {
        unsigned ones = cto64((pte & PT_ADDR_MASK) | 0xfff);

        /* An odd size of this level, less than one page of the next */
        if (ones >= 51 || (1ULL << (ones + 1)) < size ||
            (level < WALK_LEVELS &&
             (1ULL << (ones + 1)) > PTE_LEVEL_PAGE_SIZE(level + 1))) {
            return fail(w, AMD_IOMMU_PT_RESERVED, addr, false);
        }
        size = 1ULL << (ones + 1);
    }
    e->mask = size - 1;
    e->in = addr & ~e->mask;
    e->out = pte & PT_ADDR_MASK & ~e->mask;
    return true;
}

/* Accessed and dirty bits, where DTE[HAD] asks for them */
static bool host_mark(Walk *w, hwaddr spa, uint64_t pte,
                      IOMMUAccessFlags access, IOMMUAccessFlags *perm)
{
    unsigned had = DTE0_HAD(w->dte->q[0]);
    uint64_t new = pte;

    if (!had) {
        return true;
    }
    new |= PTE_A;
    if (had == 3 && (access & IOMMU_WO) && (*perm & IOMMU_WO)) {
        new |= PTE_D;
    }
    /* A page that is not dirty yet must be walked again by the first write */
    if (had == 3 && !(new & PTE_D)) {
        *perm &= ~IOMMU_WO;
    }
    return new == pte || write_entry(w, spa, new);
}

/* Start of a host walk: the deepest cached table, else the root */
static void host_start(Walk *w, hwaddr addr, AMDIOMMUPde *pde)
{
    unsigned mode = DTE0_MODE(w->dte->q[0]);
    const AMDIOMMUPde *cached;

    cached = amd_iommu_pde_lookup(w->s->model, host_tag(w->dte), addr, mode);
    if (cached) {
        *pde = *cached;
        return;
    }
    *pde = (AMDIOMMUPde) {
        .tag = host_tag(w->dte),
        .level = mode,
        .table = w->dte->q[0] & PT_ADDR_MASK,
        .perm = IOMMU_RW,
    };
}

/* One level down; the table becomes known to the cache */
static bool host_descend(Walk *w, AMDIOMMUPde *pde, uint64_t pte, hwaddr addr)
{
    unsigned next = PTE_NEXT_LEVEL(pte);

    if (next >= pde->level) {
        return fail(w, AMD_IOMMU_PT_RESERVED, addr, false);
    }
    if (skips_address_bits(addr, pde->level, next)) {
        return fail(w, AMD_IOMMU_NOT_PRESENT, addr, false);
    }
    pde->level = next;
    pde->table = pte & PT_ADDR_MASK;
    pde->in = addr;
    amd_iommu_pde_insert(w->s->model, pde);
    return true;
}

static bool host_walk(Walk *w, hwaddr addr, IOMMUAccessFlags access,
                      AMDIOMMUTlbEntry *e)
{
    AMDIOMMUPde pde;
    uint64_t pte;
    hwaddr spa;

    w->s->model->stats.host_walks++;
    if (addr > PT_LEVEL_MAX_ADDR(DTE0_MODE(w->dte->q[0]))) {
        return fail(w, AMD_IOMMU_NOT_PRESENT, addr, false);
    }
    host_start(w, addr, &pde);
    for (;;) {
        spa = pde.table + PT_LEVEL_INDEX(pde.level, addr) * sizeof(pte);
        if (!read_entry(w, spa, &pte)) {
            return false;
        }
        if (!IOMMU_PTE_PRESENT(pte)) {
            return fail(w, AMD_IOMMU_NOT_PRESENT, addr, false);
        }
        pde.perm &= extract64(pte, AMDVI_DEV_PERM_SHIFT, 2);
        if (PTE_NEXT_LEVEL(pte) == 0 || PTE_NEXT_LEVEL(pte) == 7) {
            break;
        }
        if (!host_descend(w, &pde, pte, addr)) {
            return false;
        }
    }
    e->tag = pde.tag;
    e->perm = pde.perm;
    if (!host_leaf(w, e, pte, pde.level, addr)) {
        return false;
    }
    if (access & ~e->perm) {
        return fail(w, AMD_IOMMU_NO_PERM, addr, false);
    }
    return host_mark(w, spa, pte, access, &e->perm);
}

static void set_result(Walk *w, const AMDIOMMUTlbEntry *e, hwaddr addr)
{
    w->x.addr = e->out | (addr & e->mask);
    w->x.mask = e->mask;
    w->x.perm = e->perm & dte_perm(w->dte);
}

/* GPA or IOVA to SPA; leaves the result in w->x */
static bool host_stage(Walk *w, hwaddr addr, IOMMUAccessFlags access)
{
    AMDIOMMUModel *m = w->s->model;
    AMDIOMMUTlbEntry new = { };
    const AMDIOMMUTlbEntry *e;

    if (access & ~dte_perm(w->dte)) {
        return fail(w, AMD_IOMMU_NO_PERM, addr, false);
    }
    if (!DTE0_MODE(w->dte->q[0])) {
        w->x.addr = addr;
        w->x.mask = ~AMDVI_PAGE_MASK_4K;
        w->x.perm = dte_perm(w->dte);
        return true;
    }
    e = amd_iommu_tlb_lookup(m, host_tag(w->dte), addr);
    if (!e || (access & ~e->perm)) {
        /* Software may give permissions without a flush */
        if (!host_walk(w, addr, access, &new)) {
            return false;
        }
        amd_iommu_tlb_insert(m, &new, addr);
        e = &new;
    }
    set_result(w, e, addr);
    return true;
}

/*
 * Guest stage
 */

/* Read one entry of a table in guest memory; *spa is where it is */
static bool guest_entry(Walk *w, hwaddr gpa, hwaddr *spa, uint64_t *val)
{
    if (!host_stage(w, gpa, IOMMU_RO)) {
        return false;
    }
    *spa = w->x.addr;
    return read_entry(w, *spa, val);
}

static hwaddr gcr3_root(const AMDIOMMUDte *dte)
{
    return extract64(dte->q[0], 58, 3) << 12 |
           extract64(dte->q[1], 16, 16) << 15 |
           extract64(dte->q[1], 43, 21) << 31;
}

/* The root of the page table of w->tag.pasid */
static bool gcr3_walk(Walk *w, hwaddr gva, uint64_t *cr3)
{
    bool gpa = amd_iommu_control(w->s) & AMD_IOMMU_CTRL_GCR3TRPMODE;
    unsigned level = DTE0_GLX(w->dte->q[0]);
    hwaddr table = gcr3_root(w->dte), spa;
    uint32_t pasid = w->tag.pasid;

    if (amd_iommu_gcr3_lookup(w->s->model, w->devid, w->tag, cr3)) {
        return true;
    }
    if (pasid >> (9 * (level + 1))) {
        return fail(w, AMD_IOMMU_NOT_PRESENT, gva, true);
    }
    for (;; level--) {
        spa = table + extract32(pasid, 9 * level, 9) * sizeof(*cr3);
        if (!(gpa ? guest_entry(w, spa, &spa, cr3) :
                    read_entry(w, spa, cr3))) {
            return false;
        }
        if (!(*cr3 & GPTE_P)) {
            return fail(w, AMD_IOMMU_NOT_PRESENT, gva, true);
        }
        table = *cr3 & PT_ADDR_MASK;
        if (!level) {
            break;
        }
    }
    *cr3 = table;
    amd_iommu_gcr3_insert(w->s->model, w->devid, w->tag, *cr3);
    return true;
}

static unsigned guest_levels(const AMDIOMMUDte *dte)
{
    return 4 + DTE2_GPM(dte->q[2]);
}

static bool canonical(hwaddr gva, unsigned levels)
{
    unsigned bits = 12 + 9 * levels;

    return sextract64(gva, 0, bits) == (int64_t)gva;
}

/* Where the walk begins: the deepest cached table, else the root */
static bool guest_start(Walk *w, hwaddr gva, AMDIOMMUPde *pde)
{
    unsigned levels = guest_levels(w->dte);
    const AMDIOMMUPde *cached;

    if (!canonical(gva, levels)) {
        return fail(w, AMD_IOMMU_NOT_PRESENT, gva, true);
    }
    cached = amd_iommu_pde_lookup(w->s->model, w->tag, gva, levels);
    if (cached) {
        *pde = *cached;
        return true;
    }
    *pde = (AMDIOMMUPde) {
        .tag = w->tag, .level = levels, .perm = IOMMU_RW,
    };
    return gcr3_walk(w, gva, &pde->table);
}

/*
 * Check one entry on the way down. Device accesses are user accesses, so U
 * must be set at every level.
 */
static bool guest_check(Walk *w, AMDIOMMUPde *pde, uint64_t pte, hwaddr gva)
{
    if (!(pte & GPTE_P)) {
        return fail(w, AMD_IOMMU_NOT_PRESENT, gva, true);
    }
    if (!(pte & GPTE_U)) {
        return fail(w, AMD_IOMMU_NO_PERM, gva, true);
    }
    if ((pte & GPTE_PS) && pde->level > 3) {
        return fail(w, AMD_IOMMU_PT_RESERVED, gva, true);
    }
    if (!(pte & GPTE_W)) {
        pde->perm &= ~IOMMU_WO;
    }
    return true;
}

/*
 * Accessed and dirty bits of the guest's tables, as a CPU sets them. The page
 * of the table needs to be writable in the host table only if one changes.
 */
static bool guest_mark(Walk *w, hwaddr gpa, uint64_t pte, uint64_t bits)
{
    if ((pte & bits) == bits || w->dry) {
        return true;
    }
    return host_stage(w, gpa, IOMMU_RW) &&
           write_entry(w, w->x.addr, pte | bits);
}

static bool guest_leaf(Walk *w, AMDIOMMUPde *pde, hwaddr gpa, uint64_t pte,
                       hwaddr gva, IOMMUAccessFlags access)
{
    bool write = access & IOMMU_WO;

    if (access & ~pde->perm) {
        return fail(w, AMD_IOMMU_NO_PERM, gva, true);
    }
    if (!guest_mark(w, gpa, pte, PTE_A | (write ? PTE_D : 0))) {
        return false;
    }
    if (!write && !(pte & PTE_D)) {
        pde->perm &= ~IOMMU_WO;
    }
    return true;
}

/* GVA to GPA: e->in, e->gpa, e->mask and e->perm of the guest's page */
static bool guest_walk(Walk *w, hwaddr gva, IOMMUAccessFlags access,
                       AMDIOMMUTlbEntry *e)
{
    AMDIOMMUPde pde;
    hwaddr gpa, spa;
    uint64_t pte;

    w->s->model->stats.guest_walks++;
    if (!guest_start(w, gva, &pde)) {
        return false;
    }
    for (;;) {
        gpa = pde.table + PT_LEVEL_INDEX(pde.level, gva) * sizeof(pte);
        if (!guest_entry(w, gpa, &spa, &pte) ||
            !guest_check(w, &pde, pte, gva)) {
            return false;
        }
        if (pde.level == 1 || (pte & GPTE_PS)) {
            break;
        }
        if (!guest_mark(w, gpa, pte, PTE_A)) {
            return false;
        }
        pde.level--;
        pde.table = pte & PT_ADDR_MASK;
        pde.in = gva;
        amd_iommu_pde_insert(w->s->model, &pde);
    }
    if (!guest_leaf(w, &pde, gpa, pte, gva, access)) {
        return false;
    }
    e->tag = w->tag;
    e->perm = pde.perm;
    e->mask = PTE_LEVEL_PAGE_SIZE(pde.level) - 1;
    e->in = gva & ~e->mask;
    e->gpa = pte & PT_ADDR_MASK & ~e->mask;
    return true;
}

/* Both stages; what is cached is the smaller one of the two pages */
static bool nested_walk(Walk *w, hwaddr gva, IOMMUAccessFlags access,
                        AMDIOMMUTlbEntry *e)
{
    hwaddr gpa;

    if (!guest_walk(w, gva, access, e)) {
        return false;
    }
    gpa = e->gpa | (gva & e->mask);
    if (!host_stage(w, gpa, access)) {
        return false;
    }
    e->mask = MIN(e->mask, w->x.mask);
    e->in = gva & ~e->mask;
    e->gpa = gpa & ~e->mask;
    e->out = w->x.addr & ~e->mask;
    e->perm &= w->x.perm;
    return true;
}

static bool guest_stage(Walk *w, hwaddr gva, IOMMUAccessFlags access)
{
    AMDIOMMUModel *m = w->s->model;
    const AMDIOMMUTlbEntry *e = amd_iommu_tlb_lookup(m, w->tag, gva);
    AMDIOMMUTlbEntry new = { };

    if (access & ~dte_perm(w->dte)) {
        return fail(w, AMD_IOMMU_NO_PERM, gva, false);
    }
    if (!e || (access & ~e->perm)) {
        if (!nested_walk(w, gva, access, &new)) {
            return false;
        }
        amd_iommu_tlb_insert(m, &new, gva);
        e = &new;
    }
    set_result(w, e, gva);
    return true;
}

/*
 * Entry points
 */

AMDIOMMUFault amd_iommu_dte_get(AMDVIState *s, uint16_t devid,
                                uint64_t dte[4])
{
    const AMDIOMMUDte *d = amd_iommu_cache_dte(s, devid);

    memcpy(dte, d->q, sizeof(d->q));
    return d->fault;
}

bool amd_iommu_host_translate(AMDVIState *s, uint16_t devid, hwaddr addr,
                              IOMMUAccessFlags access, AMDIOMMUXlat *out)
{
    Walk w = { .s = s, .devid = devid, .dte = amd_iommu_cache_dte(s, devid) };

    if (w.dte->fault != AMD_IOMMU_OK) {
        fail(&w, w.dte->fault, addr, false);
    } else if (!(w.dte->q[0] & DTE0_TV)) {
        fail(&w, AMD_IOMMU_NOT_PRESENT, addr, false);
    } else {
        host_stage(&w, addr, access);
    }
    *out = w.x;
    return w.x.fault == AMD_IOMMU_OK;
}

/*
 * What a walk from memory gives for @addr, for the domain and PASID @tag, if
 * @dte belongs to that domain. The caches are those of the moment.
 */
bool amd_iommu_walk_again(AMDVIState *s, uint16_t devid, AMDIOMMUDte *dte,
                          AMDIOMMUTag tag, hwaddr addr, AMDIOMMUTlbEntry *e)
{
    Walk w = {
        .s = s, .devid = devid, .dte = dte, .tag = tag, .dry = true,
    };

    if (dte->fault != AMD_IOMMU_OK || !(dte->q[0] & DTE0_TV) ||
        DTE1_DOMID(dte->q[1]) != tag.domid) {
        return false;
    }
    if (tag.pasid != AMD_IOMMU_PASID_NONE) {
        return (dte->q[0] & DTE0_GV) && nested_walk(&w, addr, IOMMU_NONE, e);
    }
    return DTE0_MODE(dte->q[0]) && host_walk(&w, addr, IOMMU_NONE, e);
}

static bool host_transfer(AMDVIState *s, uint16_t devid, hwaddr addr,
                          uint8_t *buf, size_t len, bool write,
                          AMDIOMMUXlat *out)
{
    AMDIOMMUXlat x;

    while (len) {
        size_t n = MIN(len, AMDVI_PAGE_SIZE - (addr & ~AMDVI_PAGE_MASK_4K));
        bool ok = amd_iommu_host_translate(s, devid, addr,
                                           write ? IOMMU_WO : IOMMU_RO, &x);

        if (ok && dma_memory_rw(&address_space_memory, x.addr, buf, n,
                                write ? DMA_DIRECTION_FROM_DEVICE :
                                        DMA_DIRECTION_TO_DEVICE,
                                MEMTXATTRS_UNSPECIFIED)) {
            x.fault = AMD_IOMMU_PT_HW;
            x.fault_addr = x.addr;
            ok = false;
        }
        if (!ok) {
            if (out) {
                *out = x;
            }
            return false;
        }
        addr += n;
        buf += n;
        len -= n;
    }
    return true;
}

bool amd_iommu_host_read(AMDVIState *s, uint16_t devid, hwaddr addr,
                         void *buf, size_t len, AMDIOMMUXlat *out)
{
    return host_transfer(s, devid, addr, buf, len, false, out);
}

bool amd_iommu_host_write(AMDVIState *s, uint16_t devid, hwaddr addr,
                          const void *buf, size_t len, AMDIOMMUXlat *out)
{
    return host_transfer(s, devid, addr, (void *)buf, len, true, out);
}

/* For interrupt remapping: reports an entry that cannot be used */
bool amd_iommu_model_get_dte(AMDVIState *s, uint16_t devid, uint64_t dte[4])
{
    AMDIOMMUDte *d = amd_iommu_cache_dte(s, devid);
    AMDIOMMUXlat x = { .fault = d->fault };

    memcpy(dte, d->q, sizeof(d->q));
    if (d->fault == AMD_IOMMU_OK || d->fault == AMD_IOMMU_DTE_NOT_VALID) {
        return true;
    }
    amd_iommu_report_fault(s, devid, d, &x, IOMMU_NONE, AMD_IOMMU_PASID_NONE);
    return false;
}

/* Which stages; the DTE is valid */
static void translate(Walk *w, uint32_t *pasid, hwaddr addr,
                      IOMMUAccessFlags access)
{
    const uint64_t *q = w->dte->q;
    bool gt = (q[0] & DTE0_GV) &&
              (amd_iommu_control(w->s) & AMD_IOMMU_CTRL_GTEN);

    if (!(q[0] & DTE0_TV)) {
        fail(w, AMD_IOMMU_NOT_PRESENT, addr, false);
        return;
    }
    if (*pasid == AMD_IOMMU_PASID_NONE && gt && (q[0] & DTE0_GIOV)) {
        *pasid = 0;
    }
    if (*pasid == AMD_IOMMU_PASID_NONE) {
        host_stage(w, addr, access);
    } else if (!gt || *pasid >> (w->s->cfg.pasmax + 1)) {
        fail(w, AMD_IOMMU_NOT_PRESENT, addr, true);
    } else {
        w->tag = (AMDIOMMUTag) { DTE1_DOMID(q[1]), *pasid };
        guest_stage(w, addr, access);
    }
}

/*
 * QEMU goes on with a request that failed in steps of at most eight bytes and
 * asks for each. For hardware that is one request, and one event.
 */
static bool continues_fault(AMDIOMMUModel *m, uint16_t devid, uint32_t pasid,
                            hwaddr addr)
{
    bool same = m->fault_last && m->fault_devid == devid &&
                m->fault_pasid == pasid && addr > m->fault_addr &&
                addr - m->fault_addr <= 8 &&
                !((addr ^ m->fault_addr) & AMDVI_PAGE_MASK_4K);

    m->fault_last = true;
    m->fault_devid = devid;
    m->fault_pasid = pasid;
    m->fault_addr = addr;
    return same;
}

/* A DMA request of a device; @ret is untouched on failure */
void amd_iommu_model_translate(AMDVIState *s, uint16_t devid, uint32_t pasid,
                               hwaddr addr, IOMMUAccessFlags access,
                               IOMMUTLBEntry *ret)
{
    Walk w = { .s = s, .devid = devid, .dte = amd_iommu_cache_dte(s, devid) };

    if (w.dte->fault == AMD_IOMMU_DTE_NOT_VALID) {
        w.x.addr = addr;
        w.x.mask = ~AMDVI_PAGE_MASK_4K;
        w.x.perm = IOMMU_RW;
    } else if (w.dte->fault != AMD_IOMMU_OK) {
        fail(&w, w.dte->fault, addr, false);
    } else {
        translate(&w, &pasid, addr, access);
    }
    trace_amd_iommu_translate(devid, pasid, addr, access, w.x.addr, w.x.mask,
                              w.x.fault);
    if (w.x.fault != AMD_IOMMU_OK) {
        if (!continues_fault(s->model, devid, pasid, addr)) {
            amd_iommu_report_fault(s, devid, w.dte, &w.x, access, pasid);
        }
        return;
    }
    s->model->fault_last = false;
    ret->iova = addr & ~w.x.mask;
    ret->translated_addr = w.x.addr & ~w.x.mask;
    ret->addr_mask = w.x.mask;
    ret->perm = w.x.perm;
}
