// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private address space: memory that the vIOMMU itself works with
 *
 * It is an ordinary domain with an ordinary v1 table, and the IOMMU is in its
 * list, so that map, unmap and flush are those of every domain. Only the DTE is
 * not: no device has it, but the PCI function that is the IOMMU.
 */
#include <linux/bitfield.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/scatterlist.h>
#include <linux/set_memory.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_hooks.h"

static void free_pages_of(struct amd_viommu_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->num && mem->pages[i]; i++)
		__free_page(mem->pages[i]);
	kvfree(mem->pages);
	mem->pages = NULL;
}

/**
 * amd_viommu_mem_free - Free memory of the vIOMMU
 * @mem: the memory, no longer mapped for the IOMMU
 *
 * What cannot be made cached again, as the direct map has to be split for that
 * and there is no memory, is of no use for anybody else.
 */
void amd_viommu_mem_free(struct amd_viommu_mem *mem)
{
	if (!set_pages_array_wb(mem->pages, mem->num))
		free_pages_of(mem);
}

/**
 * amd_viommu_mem_alloc - Allocate memory for the vIOMMU
 * @mem: the memory
 * @size: bytes of it
 * @nid: node of the IOMMU
 * @gfp: GFP_KERNEL, with __GFP_ACCOUNT if a guest pays for it
 *
 * Page by page, since nothing of it has to be contiguous, and mapped uncached
 * because the hardware is said not to look into caches for it.
 *
 * Return: 0, -ENOMEM
 */
int amd_viommu_mem_alloc(struct amd_viommu_mem *mem, size_t size, int nid,
			 gfp_t gfp)
{
	unsigned int i;

	mem->num = size >> PAGE_SHIFT;
	mem->pages = kvzalloc_objs(*mem->pages, mem->num, gfp);
	if (!mem->pages)
		return -ENOMEM;
	for (i = 0; i < mem->num; i++) {
		mem->pages[i] = alloc_pages_node(nid, gfp | __GFP_ZERO, 0);
		if (!mem->pages[i]) {
			free_pages_of(mem);
			return -ENOMEM;
		}
	}

	/* Some of them may be uncached when it fails */
	if (set_pages_array_uc(mem->pages, mem->num)) {
		amd_viommu_mem_free(mem);
		return -ENOMEM;
	}
	return 0;
}

static int pas_flush(struct amd_viommu_hw *hw, u64 addr, size_t size)
{
	unsigned long flags;

	spin_lock_irqsave(&hw->pas->lock, flags);
	amd_iommu_domain_flush_pages(hw->pas, addr, addr + size - 1,
				     CMD_INV_IOMMU_PAGES_PDE_MASK);
	spin_unlock_irqrestore(&hw->pas->lock, flags);
	/* It has waited, but does not tell how that went */
	return iommu_completion_wait(hw->iommu);
}

/**
 * amd_viommu_pas_map - Make memory accessible to the IOMMU
 * @hw: the vIOMMU
 * @addr: private address
 * @mem: the memory
 *
 * Return: 0, -ENOMEM, and nothing is mapped then; -EIO if the IOMMU does not
 * answer: it may use the memory all the same
 */
int amd_viommu_pas_map(struct amd_viommu_hw *hw, u64 addr,
		       const struct amd_viommu_mem *mem)
{
	size_t size = (size_t)mem->num << PAGE_SHIFT;
	struct sg_table sgt;
	ssize_t mapped;
	int ret;

	ret = sg_alloc_table_from_pages(&sgt, mem->pages, mem->num, 0, size,
					GFP_KERNEL);
	if (ret)
		return ret;
	mapped = iommu_map_sgtable(&hw->pas->domain, addr, &sgt,
				   IOMMU_READ | IOMMU_WRITE);
	sg_free_table(&sgt);
	if (mapped != size)
		return mapped < 0 ? mapped : -ENOMEM;

	/* What was not there before may be cached, too */
	ret = pas_flush(hw, addr, size);
	if (ret)
		iommu_unmap(&hw->pas->domain, addr, size);
	return ret;
}

/**
 * amd_viommu_pas_unmap - Undo amd_viommu_pas_map()
 * @hw: the vIOMMU
 * @addr: private address
 * @mem: the memory
 *
 * Return: 0, -EIO if the IOMMU did not say that it has forgotten the memory,
 * which must not be used for anything else then
 */
int amd_viommu_pas_unmap(struct amd_viommu_hw *hw, u64 addr,
			 const struct amd_viommu_mem *mem)
{
	size_t size = (size_t)mem->num << PAGE_SHIFT;

	/* As above: it has waited */
	iommu_unmap(&hw->pas->domain, addr, size);
	return iommu_completion_wait(hw->iommu);
}

/**
 * amd_viommu_pas_init - Set up the private address space
 * @hw: the vIOMMU
 *
 * Return: 0, -ENOMEM, -EIO if the IOMMU does not answer
 */
int amd_viommu_pas_init(struct amd_viommu_hw *hw)
{
	struct device *dev = &hw->iommu->dev->dev;
	struct iommu_domain *domain;
	int ret;

	domain = amd_iommu_domain_alloc_paging_v1(dev, 0);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	hw->pas = to_pdomain(domain);

	ret = pdom_attach_iommu(hw->iommu, hw->pas);
	if (ret)
		goto out_domain;
	ret = amd_viommu_mem_alloc(&hw->backing, PAS_BACKING_SIZE,
				   dev_to_node(dev), GFP_KERNEL);
	if (ret)
		goto out_detach;
	ret = amd_viommu_pas_map(hw, PAS_BACKING, &hw->backing);
	/* Nothing has that table as its own yet, whatever it has answered */
	if (ret)
		goto out_mem;
	return 0;

out_mem:
	amd_viommu_mem_free(&hw->backing);
out_detach:
	pdom_detach_iommu(hw->iommu, hw->pas);
out_domain:
	amd_iommu_domain_free(domain);
	return ret;
}

/**
 * amd_viommu_pas_exit - Undo amd_viommu_pas_init()
 * @hw: the vIOMMU, off, and its DTE is not the one for this any more
 * @gone: the IOMMU has said so. If it has not, it may go on using the tables
 *        and the memory, which are not freed then
 */
void amd_viommu_pas_exit(struct amd_viommu_hw *hw, bool gone)
{
	if (amd_viommu_pas_unmap(hw, PAS_BACKING, &hw->backing) || !gone)
		return;
	amd_viommu_mem_free(&hw->backing);
	pdom_detach_iommu(hw->iommu, hw->pas);
	amd_iommu_domain_free(&hw->pas->domain);
}

/**
 * amd_viommu_plain_dte - Build the DTE of something that is no device
 * @dte: the entry; the half for interrupts stays as it is
 * @pt_info: the v1 table
 * @domid: domain ID
 */
void amd_viommu_plain_dte(struct dev_table_entry *dte,
			  const struct pt_iommu_amdv1_hw_info *pt_info,
			  u16 domid)
{
	u64 root = __sme_set(pt_info->host_pt_root);

	dte->data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW |
		       FIELD_PREP(DTE_MODE_MASK, pt_info->mode) |
		       FIELD_PREP(DTE_HOST_TRP, root >> 12);
	dte->data[1] = FIELD_PREP(DTE_DOMID_MASK, domid);
	dte->data[3] = 0;
}

/**
 * amd_viommu_set_dte - Write the DTE of something that is no device
 * @iommu: the IOMMU that uses it
 * @devid: its ID
 * @new: the entry
 *
 * No device has this ID, so there are no aliases, no ATC and no lock of its
 * own: the caller sees to it that nobody else writes this entry. If only the
 * lower half differs, which is where the top of the table is, then the IOMMU
 * can go on using it meanwhile. Never sleeps.
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_set_dte(struct amd_iommu *iommu, u16 devid,
		       const struct dev_table_entry *new)
{
	struct dev_table_entry *ptr = &get_dev_table(iommu)[devid];
	struct iommu_cmd flush = { { devid, CMD_INV_DEV_ENTRY << 28 } };
	const struct dev_table_entry block = { .data[0] = DTE_FLAG_V };
	int ret = 0;

	if (ptr->data128[1] != new->data128[1]) {
		arch_cmpxchg128_local(&ptr->data128[0], ptr->data128[0],
				      block.data128[0]);
		ret = iommu_queue_command(iommu, &flush) ?:
		      iommu_completion_wait(iommu);
		arch_cmpxchg128_local(&ptr->data128[1], ptr->data128[1],
				      new->data128[1]);
	}
	arch_cmpxchg128_local(&ptr->data128[0], ptr->data128[0],
			      new->data128[0]);
	if (iommu_queue_command(iommu, &flush) || iommu_completion_wait(iommu))
		ret = -EIO;
	return ret;
}

/**
 * amd_viommu_pas_set_own_dte - Let the IOMMU access its private address space
 * @hw: the vIOMMU
 *
 * The half for interrupts is what it was, but for guests' interrupts.
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_pas_set_own_dte(struct amd_viommu_hw *hw)
{
	struct amd_iommu *iommu = hw->iommu;
	struct pt_iommu_amdv1_hw_info pt_info;
	struct dev_table_entry dte;
	int ret;

	pt_iommu_amdv1_hw_info(&hw->pas->amdv1, &pt_info);
	hw->own_dte = get_dev_table(iommu)[iommu->devid];
	dte = hw->own_dte;
	dte.data[2] = amd_viommu_intr_dte(hw, dte.data[2]);
	amd_viommu_plain_dte(&dte, &pt_info, hw->pas->id);
	ret = amd_viommu_set_dte(iommu, iommu->devid, &dte);
	if (ret)
		amd_viommu_pas_reset_own_dte(hw);
	return ret;
}

/**
 * amd_viommu_pas_reset_own_dte - Undo amd_viommu_pas_set_own_dte()
 * @hw: the vIOMMU, off
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_viommu_pas_reset_own_dte(struct amd_viommu_hw *hw)
{
	return amd_viommu_set_dte(hw->iommu, hw->iommu->devid, &hw->own_dte);
}
