// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether an IOMMU has a hardware vIOMMU, and turning it on and off
 *
 * Nothing of it is touched before somebody wants it: not the capability, not
 * the windows, not the control bits. The last guest turns it off again.
 */
#define dev_fmt(fmt)	"AMD-Vi: " fmt

#include <linux/crash_dump.h>
#include <linux/init.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ioport.h>
#include <linux/pci.h>

#include <asm/iommu.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_hooks.h"

static DEFINE_MUTEX(amd_viommu_hw_mutex);
static bool amd_viommu_off __ro_after_init;

static int __init amd_viommu_setup(char *str)
{
	if (strcmp(str, "off"))
		return 0;
	amd_viommu_off = true;
	return 1;
}
__setup("amd_iommu_viommu=", amd_viommu_setup);

/* Say why there is none where one could be expected, but once */
static void amd_viommu_complain(struct amd_iommu *iommu, const char *whose,
				const char *what)
{
	if (!iommu->viommu_complained)
		pci_warn(iommu->dev, "%sno hardware vIOMMU: %s\n", whose, what);
	iommu->viommu_complained = true;
}

static bool window_ok(u64 reg, u64 size, phys_addr_t *base)
{
	*base = reg & ~VSC_BASE_EN;
	return (reg & VSC_BASE_EN) && *base && IS_ALIGNED(*base, PAGE_SIZE) &&
	       *base + size - 1 > *base &&
	       *base + size - 1 <= GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1,
					       0);
}

/**
 * amd_viommu_parse_vsc - Find the windows of a vIOMMU
 * @vsc: vendor-specific capability of the IOMMU
 * @windows: where they are
 *
 * Return: 0, -ENODEV if firmware has not enabled both of them, or put one where
 * nothing can be
 */
int amd_viommu_parse_vsc(const u32 vsc[VSC_LENGTH / 4],
			 struct amd_viommu_windows *windows)
{
	const u32 *vf = &vsc[VSC_VF_BASE / 4];
	const u32 *vfc = &vsc[VSC_VFC_BASE / 4];

	if (!window_ok((u64)vf[1] << 32 | vf[0], VF_WINDOW_SIZE,
		       &windows->vf) ||
	    !window_ok((u64)vfc[1] << 32 | vfc[0], VFC_WINDOW_SIZE,
		       &windows->vfc))
		return -ENODEV;
	return 0;
}

static int read_vsc(struct amd_iommu *iommu,
		    struct amd_viommu_windows *windows)
{
	u32 vsc[VSC_LENGTH / 4];
	int cap, i;

	cap = pci_find_capability(iommu->dev, PCI_CAP_ID_VNDR);
	if (!cap) {
		amd_viommu_complain(iommu, FW_BUG,
				    "no vendor-specific capability");
		return -ENODEV;
	}
	for (i = 0; i < ARRAY_SIZE(vsc); i++)
		if (pci_read_config_dword(iommu->dev, cap + i * 4, &vsc[i]))
			return -ENODEV;
	if (amd_viommu_parse_vsc(vsc, windows)) {
		amd_viommu_complain(iommu, FW_BUG,
				    "its windows are not enabled");
		return -ENODEV;
	}
	return 0;
}

/*
 * As request_mem_region(), which allocates: then "in use" and "no memory" could
 * not be told apart. Firmware may have reserved the range, that is no use.
 */
static bool claim_window(struct resource *res, const char *name,
			 phys_addr_t base, resource_size_t size)
{
	struct resource *child;
	bool busy;

	*res = DEFINE_RES_MEM_NAMED(base, size, name);
	res->flags |= IORESOURCE_BUSY;
	if (insert_resource(&iomem_resource, res))
		return false;
	busy = res->parent->flags & IORESOURCE_BUSY;
	for (child = res->child; child; child = child->sibling)
		busy |= child->flags & IORESOURCE_BUSY;
	if (busy)
		remove_resource(res);
	return !busy;
}

static int map_windows(struct amd_viommu_hw *hw)
{
	if (!claim_window(&hw->vf_res, "amd_viommu_vf", hw->windows.vf,
			  VF_WINDOW_SIZE))
		goto out_complain;
	if (!claim_window(&hw->vfc_res, "amd_viommu_vfctrl", hw->windows.vfc,
			  VFC_WINDOW_SIZE))
		goto out_release_vf;
	hw->vfc = ioremap(hw->windows.vfc, VFC_WINDOW_SIZE);
	if (hw->vfc)
		return 0;

	remove_resource(&hw->vfc_res);
	remove_resource(&hw->vf_res);
	return -ENOMEM;

out_release_vf:
	remove_resource(&hw->vf_res);
out_complain:
	amd_viommu_complain(hw->iommu, FW_BUG, "its windows are in use");
	return -ENODEV;
}

static void unmap_windows(struct amd_viommu_hw *hw)
{
	iounmap(hw->vfc);
	remove_resource(&hw->vfc_res);
	remove_resource(&hw->vf_res);
}

static bool control_is_set(struct amd_iommu *iommu, u64 bits)
{
	u64 control = readq(iommu->mmio_base + MMIO_CONTROL_OFFSET);

	return control != U64_MAX && (control & bits) == bits;
}

/**
 * amd_viommu_hw_disable - Clear the control bits of the vIOMMU
 * @iommu: the IOMMU
 *
 * Any context.
 */
void amd_viommu_hw_disable(struct amd_iommu *iommu)
{
	iommu_feature_disable(iommu, CONTROL_VIOMMU_EN);
	iommu_feature_disable(iommu, CONTROL_VCMD_EN);
	iommu_feature_disable(iommu, CONTROL_GSTBUF_TRPMODE);
}

/**
 * amd_viommu_hw_enable - Set the control bits of the vIOMMU
 * @iommu: the IOMMU. Its private address space is set up
 *
 * Also for resume, where nothing can sleep.
 *
 * Return: 0, -ENODEV if a bit does not stay: guest buffers by guest address
 * have no other sign of being supported
 */
int amd_viommu_hw_enable(struct amd_iommu *iommu)
{
	iommu_feature_enable(iommu, CONTROL_GSTBUF_TRPMODE);
	if (!control_is_set(iommu, BIT_ULL(CONTROL_GSTBUF_TRPMODE)))
		goto out_disable;
	iommu_feature_enable(iommu, CONTROL_VCMD_EN);
	if (!control_is_set(iommu, BIT_ULL(CONTROL_VCMD_EN)))
		goto out_disable;
	iommu_feature_enable(iommu, CONTROL_VIOMMU_EN);
	if (control_is_set(iommu, CONTROL_VIOMMU_MASK))
		return 0;

out_disable:
	amd_viommu_hw_disable(iommu);
	return -ENODEV;
}

/*
 * The parent of a guest's tables has to be one that GCR3 points into. A kdump
 * kernel has better things to do.
 */
static bool hw_possible(struct amd_iommu *iommu)
{
	return !amd_viommu_off && (iommu->features & FEATURE_VIOMMU) &&
	       check_feature2(FEATURE_GCR3TRPMODE) && !amd_iommu_snp_en &&
	       !is_kdump_kernel() &&
	       iommu->devid <= iommu->pci_seg->last_bdf;
}

static int hw_init(struct amd_viommu_hw *hw)
{
	int ret;

	/* It has lost its state: what it does not say is no answer */
	if (!control_is_set(hw->iommu, BIT_ULL(CONTROL_IOMMU_EN)))
		return -EIO;
	/* All that is known of the vIOMMU says that this has to be on before */
	if (!control_is_set(hw->iommu, BIT_ULL(CONTROL_GA_EN))) {
		amd_viommu_complain(hw->iommu, "",
				    "interrupts are not remapped in guest mode");
		return -ENODEV;
	}
	ret = read_vsc(hw->iommu, &hw->windows);
	if (ret)
		return ret;
	ret = map_windows(hw);
	if (ret)
		return ret;
	ret = amd_viommu_pas_init(hw);
	if (ret)
		goto out_unmap;
	/* Guests can do without: their VMMs poll */
	if (amd_viommu_intr_init(hw))
		pci_dbg(hw->iommu->dev, "no interrupts for guests\n");
	ret = amd_viommu_pas_set_own_dte(hw);
	if (ret)
		goto out_pas;
	ret = amd_viommu_get_block_devid(hw);
	if (ret)
		goto out_dte;
	ret = amd_viommu_hw_enable(hw->iommu);
	if (ret) {
		amd_viommu_complain(hw->iommu, "", "it does not turn on");
		goto out_block;
	}
	return 0;

out_block:
	amd_viommu_put_block_devid(hw);
out_dte:
	ret = amd_viommu_pas_reset_own_dte(hw) ?: ret;
out_pas:
	amd_viommu_pas_exit(hw, ret != -EIO);
out_unmap:
	unmap_windows(hw);
	return ret;
}

/**
 * amd_viommu_hw_get - Get the vIOMMU of an IOMMU, turned on
 * @iommu: the IOMMU
 *
 * Return: the vIOMMU, or an ERR_PTR: -ENODEV if there is none that works, which
 * has been said in the log; -ENOMEM; -ENOSPC if no device ID is free in the
 * segment; -EIO if the IOMMU does not answer. Give it back by
 * amd_viommu_hw_put().
 */
struct amd_viommu_hw *amd_viommu_hw_get(struct amd_iommu *iommu)
{
	struct amd_viommu_hw *hw;
	int ret;

	if (!hw_possible(iommu))
		return ERR_PTR(-ENODEV);

	guard(mutex)(&amd_viommu_hw_mutex);
	hw = iommu->viommu_hw;
	if (hw) {
		hw->users++;
		return hw;
	}

	hw = kzalloc_obj(*hw);
	if (!hw)
		return ERR_PTR(-ENOMEM);
	hw->iommu = iommu;
	hw->users = 1;
	ida_init(&hw->gids);
	ret = hw_init(hw);
	if (ret) {
		kfree(hw);
		return ERR_PTR(ret);
	}
	iommu->viommu_hw = hw;
	return hw;
}

/**
 * amd_viommu_hw_put - Give a vIOMMU back
 * @hw: the vIOMMU
 *
 * The last user turns it off.
 */
void amd_viommu_hw_put(struct amd_viommu_hw *hw)
{
	guard(mutex)(&amd_viommu_hw_mutex);
	if (--hw->users)
		return;

	hw->iommu->viommu_hw = NULL;
	amd_viommu_hw_disable(hw->iommu);
	amd_viommu_put_block_devid(hw);
	amd_viommu_pas_exit(hw, !amd_viommu_pas_reset_own_dte(hw));
	unmap_windows(hw);
	ida_destroy(&hw->gids);
	kfree(hw);
}

/**
 * amd_viommu_hw_caps - What a vIOMMU can do for guests
 * @hw: the vIOMMU
 *
 * Return: bits of enum iommu_viommu_amd_caps
 */
u32 amd_viommu_hw_caps(const struct amd_viommu_hw *hw)
{
	u64 features = hw->iommu->features;
	u32 caps = IOMMU_VIOMMU_AMD_CAP_HW_QUEUES;

	if (features & FEATURE_PPR)
		caps |= IOMMU_VIOMMU_AMD_CAP_PPR;
	if (features & FEATURE_DUAL_EVT_LOG)
		caps |= IOMMU_VIOMMU_AMD_CAP_EVT_B;
	if ((features & FEATURE_PPR) && (features & FEATURE_DUAL_PPR_LOG))
		caps |= IOMMU_VIOMMU_AMD_CAP_PPR_B;
	if (hw->iommu->viommu_intr)
		caps |= IOMMU_VIOMMU_AMD_CAP_LOG_IRQ;
	return caps;
}
