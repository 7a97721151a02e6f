// SPDX-License-Identifier: GPL-2.0-only
/* What a guest's IOMMU driver writes: tables, entries, commands */
#include <errno.h>
#include <string.h>

#include "amd_vmm.h"

#define PTE_P		0x1ULL
#define PTE_U		0x4ULL
#define PTE_PS		0x80ULL
#define PTE_ADDR	0x000ffffffffff000ULL

static __u64 *entry_of(const struct amd_guest *guest, __u64 table,
		       unsigned int index)
{
	return (__u64 *)amd_guest_ptr(guest, table) + index;
}

/* The table behind an entry, which gets one if it has none. 0 if it cannot. */
static __u64 next_table(struct amd_guest *guest, __u64 *entry, __u64 flags)
{
	__u64 table;

	if (*entry & PTE_P)
		return *entry & PTE_ADDR;
	table = amd_guest_page(guest);
	if (table)
		*entry = table | flags | PTE_P;
	return table;
}

/**
 * amd_tables_init - An empty page table for PASID 0, and a GCR3 table with it
 * @guest: the guest
 * @tables: what is made
 * @glx: levels of the GCR3 table, less 1
 * @levels: of the page table, 4 or 5
 *
 * Return: 0, -ENOMEM if the guest has no more pages
 */
int amd_tables_init(struct amd_guest *guest, struct amd_tables *tables,
		    unsigned int glx, unsigned int levels)
{
	__u64 table;

	tables->glx = glx;
	tables->levels = levels;
	tables->root = amd_guest_page(guest);
	tables->gcr3 = amd_guest_page(guest);
	table = tables->gcr3;
	while (table && glx--)
		table = next_table(guest, entry_of(guest, table, 0), 0);
	if (!table)
		return -ENOMEM;
	*entry_of(guest, table, 0) = tables->root | PTE_P;
	return 0;
}

static unsigned int index_of(__u64 gva, unsigned int level)
{
	return gva >> (12 + 9 * (level - 1)) & 0x1ff;
}

/**
 * amd_tables_map - Map a page
 * @guest: the guest
 * @tables: where
 * @gva: DMA address of the guest
 * @gpa: guest physical address
 * @flags: AMD_PTE_W or 0
 * @large: 2 MiB instead of 4 KiB
 *
 * Return: 0, -ENOMEM if the guest has no more pages
 */
int amd_tables_map(struct amd_guest *guest, struct amd_tables *tables,
		   __u64 gva, __u64 gpa, __u64 flags, bool large)
{
	unsigned int level, last = large ? 2 : 1;
	__u64 table = tables->root;

	for (level = tables->levels; level > last; level--) {
		table = next_table(guest,
				   entry_of(guest, table, index_of(gva, level)),
				   AMD_PTE_W | PTE_U);
		if (!table)
			return -ENOMEM;
	}
	*entry_of(guest, table, index_of(gva, last)) =
		gpa | flags | PTE_U | PTE_P | (large ? PTE_PS : 0);
	return 0;
}

/* -ENOENT if it is not mapped */
int amd_tables_unmap(struct amd_guest *guest, struct amd_tables *tables,
		     __u64 gva)
{
	__u64 table = tables->root, *entry;
	unsigned int level = tables->levels;

	for (;; level--) {
		entry = entry_of(guest, table, index_of(gva, level));
		if (!(*entry & PTE_P))
			return -ENOENT;
		if (level == 1 || (*entry & PTE_PS))
			break;
		table = *entry & PTE_ADDR;
	}
	*entry = 0;
	return 0;
}

/* A DTE as Linux has it for a DMA domain with a v2 page table */
void amd_tables_dte(const struct amd_tables *tables, __u16 domid, __u64 dte[4])
{
	__u64 gcr3 = tables->gcr3;

	memset(dte, 0, 4 * sizeof(*dte));
	dte[0] = GDTE_0_V | GDTE_0_TV | GDTE_0_GV | GDTE_0_GIOV | GDTE_0_IR |
		 GDTE_0_IW | (__u64)tables->glx << GDTE_0_GLX_SHIFT |
		 (gcr3 >> 12 & 0x7) << 58;
	dte[1] = domid | (gcr3 >> 15 & 0xffff) << 16 |
		 (gcr3 >> 31 & 0x1fffff) << 43;
	dte[2] = (__u64)(tables->levels - 4) << GDTE_2_LEVELS_SHIFT;
}

struct iommu_viommu_amd_invalidate amd_cmd_devtab(__u16 devid)
{
	return (struct iommu_viommu_amd_invalidate){
		{ devid | 2ULL << 60, 0 }
	};
}

/* Of the guest's translations: a page, or all with what leads to them */
struct iommu_viommu_amd_invalidate amd_cmd_pages(__u16 domid, __u32 pasid,
						 __u64 gva, bool all)
{
	const __u64 s = 1, pde = 2, gn = 4;

	return (struct iommu_viommu_amd_invalidate){ {
		pasid | (__u64)domid << 32 | 3ULL << 60,
		all ? 0x7ffffffffffff000ULL | s | pde | gn :
		      (gva & ~0xfffULL) | gn,
	} };
}

struct iommu_viommu_amd_invalidate amd_cmd_all(void)
{
	return (struct iommu_viommu_amd_invalidate){ { 8ULL << 60, 0 } };
}
