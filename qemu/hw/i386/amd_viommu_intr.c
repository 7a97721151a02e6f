/*
 * AMD hardware vIOMMU: interrupts to a guest by extended remapping
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The interrupt half of the IOMMU's own DTE points to a first-level table of
 * 1024 entries, each to a second-level table of 256 128-bit entries, indexed
 * by event type and guest ID. All of this has one public source [once].
 *
 * An entry in guest mode posts its vector into the IRR of the vAPIC page that
 * it names. No doorbell is rung: there is no AVIC under TCG, so a guest sees
 * the vector when something else makes its hypervisor look [chosen]. An entry
 * in plain mode is sent as an ordinary interrupt.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "system/dma.h"
#include "system/address-spaces.h"
#include "hw/i386/apic_internal.h"
#include "amd_viommu.h"
#include "trace.h"

/* IRR of an APIC page: 32 bits every 16 bytes */
#define APIC_PAGE_IRR   0x200

/* What hardware does not cache of an entry: IsRun, Destination, GATag */
#define IRTE_LO_CACHED  (~(AMD_EXTIR_IRTE_ISRUN | MAKE_64BIT_MASK(8, 56)))
#define IRTE_HI_CACHED  MAKE_64BIT_MASK(0, 56)

typedef struct Irte {
    uint64_t lo, hi;
} Irte;

static bool read_qwords(hwaddr addr, uint64_t *q, int n)
{
    const MemTxAttrs ram_only = { .memory = 1 };
    int i;

    if (dma_memory_read(&address_space_memory, addr, q, n * 8, ram_only)) {
        return false;
    }
    for (i = 0; i < n; i++) {
        q[i] = le64_to_cpu(q[i]);
    }
    return true;
}

typedef enum Found {
    MALFORMED,          /* software filled a table wrongly */
    NOT_SET_UP,         /* it has not filled it at all */
    FOUND,
} Found;

/* The entry in memory */
static Found walk(AMDViommu *v, uint32_t ext_id, Irte *irte)
{
    uint64_t dte[4], l1, q[2];

    if (amd_iommu_dte_get(v->iommu, amd_viommu_own_devid(v), dte) !=
        AMD_IOMMU_OK || !(dte[2] & AMDVI_IR_REMAP_ENABLE)) {
        return NOT_SET_UP;
    }
    if (extract64(dte[2], 1, 4) != AMD_EXTIR_INTTABLEN ||
        extract64(dte[2], AMDVI_IR_INTCTL_SHIFT, 2) !=
        AMD_EXTIR_INTCTL_REMAP ||
        !read_qwords((dte[2] & AMD_EXTIR_ROOT_MASK) +
                     extract32(ext_id, 8, 10) * 8, &l1, 1)) {
        return MALFORMED;
    }
    if (!(l1 & AMD_EXTIR_L1_VALID)) {
        return NOT_SET_UP;
    }
    if (extract64(l1, AMD_EXTIR_L1_LEN_SHIFT, 4) != AMD_EXTIR_L2_LEN ||
        !read_qwords((l1 & AMD_EXTIR_ROOT_MASK) + (ext_id & 0xff) * 16, q,
                     2)) {
        return MALFORMED;
    }
    irte->lo = q[0];
    irte->hi = q[1];
    return irte->lo & AMD_EXTIR_IRTE_VALID ? FOUND : NOT_SET_UP;
}

/* The entry as hardware sees it: cached until the interrupt table flush */
static Found get_irte(AMDViommu *v, uint16_t gid, uint32_t ext_id, Irte *irte)
{
    Irte *kept = g_hash_table_lookup(v->extir, GUINT_TO_POINTER(ext_id));
    Found now = walk(v, ext_id, irte);

    if (!kept) {
        if (now == FOUND) {
            g_hash_table_insert(v->extir, GUINT_TO_POINTER(ext_id),
                                g_memdup2(irte, sizeof(*irte)));
        }
        return now;
    }
    if (now != FOUND) {
        *irte = *kept;
    }
    if (now != FOUND || ((kept->lo ^ irte->lo) & IRTE_LO_CACHED) ||
        ((kept->hi ^ irte->hi) & IRTE_HI_CACHED)) {
        amd_viommu_violation(v, AMD_VR_EXTIR_STALE, gid, ext_id);
    }
    irte->lo = (kept->lo & IRTE_LO_CACHED) | (irte->lo & ~IRTE_LO_CACHED);
    irte->hi = (kept->hi & IRTE_HI_CACHED) | (irte->hi & ~IRTE_HI_CACHED);
    return FOUND;
}

static bool post(const Irte *irte)
{
    const MemTxAttrs ram_only = { .memory = 1 };
    unsigned vector = extract64(irte->hi, 0, 8);
    hwaddr addr = (irte->hi & MAKE_64BIT_MASK(12, 40)) + APIC_PAGE_IRR +
                  (vector / 32) * 16;
    uint32_t irr;

    if (dma_memory_read(&address_space_memory, addr, &irr, sizeof(irr),
                        ram_only)) {
        return false;
    }
    irr = cpu_to_le32(le32_to_cpu(irr) | BIT(vector % 32));
    return dma_memory_write(&address_space_memory, addr, &irr, sizeof(irr),
                            ram_only) == MEMTX_OK;
}

static void send_plain(const Irte *irte)
{
    X86IOMMUIrq irq = {
        .vector = extract64(irte->hi, 0, 8),
        .dest = extract64(irte->lo, 8, 24) | extract64(irte->hi, 56, 8) << 24,
        .dest_mode = extract64(irte->lo, 6, 1),
    };
    MSIMessage msg;

    x86_iommu_irq_to_msi_message(&irq, &msg);
    apic_get_class(NULL)->send_msi(&msg);
}

void amd_viommu_irq(AMDViommu *v, AMDViommuGuest *g, unsigned type)
{
    uint32_t ext_id = type << AMD_EXTIR_TYPE_SHIFT | g->gid;
    Irte irte;
    Found found = get_irte(v, g->gid, ext_id, &irte);
    bool sent = found == FOUND;

    if (sent && (irte.lo & AMD_EXTIR_IRTE_GUEST)) {
        sent = post(&irte);
    } else if (sent) {
        send_plain(&irte);
    }
    trace_amd_viommu_irq(g->gid, type, sent);
    g->irqs[type] += sent;
    g->irqs_lost += !sent;
    /* A host that relays no interrupts leaves the tables empty: its right */
    if (!sent && found != NOT_SET_UP) {
        amd_viommu_violation(v, AMD_VR_EXTIR_BAD, g->gid, ext_id);
        amd_viommu_event_hw_error(v, g->gid, AMD_HW_SRC_EXTIR, ext_id);
    }
}

/* INVALIDATE_INTERRUPT_TABLE of the IOMMU's own ID */
void amd_viommu_irq_flush(AMDViommu *v)
{
    if (!v->extir) {
        v->extir = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    }
    g_hash_table_remove_all(v->extir);
}
