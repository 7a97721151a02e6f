// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest device table entries: what is accepted, and what of it gets into the
 * host's entry
 */
#include <linux/bitfield.h>

#include "amd_iommu.h"
#include "nested.h"

/* Not Mode, HAD and the table root: they are the host's */
#define GDTE_0_USED	(DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_GIOV |	\
			 DTE_FLAG_GV | DTE_GLX | DTE_GCR3_14_12 |	\
			 DTE_FLAG_IR | DTE_FLAG_IW)

/*
 * All of the second word means something. Beyond the domain ID, the GCR3 table
 * and I, it is about traffic that the host decides on.
 *
 * Interrupts are remapped by the host's table, which the guest's is none of the
 * business of; 53:52 are reserved. The last word is for the vIOMMU hardware.
 */
#define GDTE_2_RESERVED	GENMASK_ULL(53, 52)

static bool gdte_has_gcr3(const struct iommu_hwpt_amd_guest *gdte)
{
	return (gdte->dte[0] & DTE_GCR3_14_12) ||
	       (gdte->dte[1] & (DTE_GCR3_30_15 | DTE_GCR3_51_31));
}

static int gdte_validate_stage1(const struct iommu_hwpt_amd_guest *gdte)
{
	int glx = FIELD_GET(DTE_GLX, gdte->dte[0]);

	if (!gdte_has_gcr3(gdte))
		return -EINVAL;

	/* GLX = 3 is reserved */
	if (glx == 3)
		return -EINVAL;
	if (glx > amd_iommu_max_glx_val)
		return -EOPNOTSUPP;

	switch (FIELD_GET(DTE_GPT_LEVEL_MASK, gdte->dte[2])) {
	case GUEST_PGTABLE_4_LEVEL:
		return 0;
	case GUEST_PGTABLE_5_LEVEL:
		return amd_iommu_gpt_level < PAGE_MODE_5_LEVEL ?
		       -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

/**
 * amd_iommu_gdte_validate - Check a guest DTE from user space
 * @gdte: guest DTE
 *
 * As the hardware does not look at what V, TV and GV say is not valid, nor does
 * this; but nothing that means something gets lost without an error.
 *
 * Return: 0, -EINVAL if a reserved bit or one of the host's is set or a field
 * has a reserved value, -EOPNOTSUPP for what this host cannot do: page requests
 * of the guest, more levels of the GCR3 table or of the page table
 */
int amd_iommu_gdte_validate(const struct iommu_hwpt_amd_guest *gdte)
{
	if (!(gdte->dte[0] & DTE_FLAG_V))
		return 0;

	if (gdte->dte[0] & ~(GDTE_0_USED | DTE_FLAG_PPR))
		return -EINVAL;
	if ((gdte->dte[2] & GDTE_2_RESERVED) || gdte->dte[3])
		return -EINVAL;

	/* Nobody would answer them */
	if (gdte->dte[0] & DTE_FLAG_PPR)
		return -EOPNOTSUPP;

	if ((gdte->dte[0] & DTE_FLAG_TV) && (gdte->dte[0] & DTE_FLAG_GV))
		return gdte_validate_stage1(gdte);
	return 0;
}

/**
 * amd_iommu_gdte_apply - Put the guest's stage 1 on top of stage 2
 * @gdte: guest DTE, validated, one that does not block
 * @new: DTE with stage 2, as for a device of the nesting parent itself
 *
 * Without GV the guest wants no translation: stage 2 alone. IR and IW can take
 * permissions away only.
 */
void amd_iommu_gdte_apply(const struct iommu_hwpt_amd_guest *gdte,
			  struct dev_table_entry *new)
{
	new->data[0] &= gdte->dte[0] | ~(DTE_FLAG_IR | DTE_FLAG_IW);
	new->data[1] &= gdte->dte[1] | ~DTE_FLAG_IOTLB;
	if (!(gdte->dte[0] & DTE_FLAG_GV))
		return;

	new->data[0] |= gdte->dte[0] & (DTE_FLAG_GV | DTE_FLAG_GIOV | DTE_GLX |
					DTE_GCR3_14_12);
	new->data[1] |= gdte->dte[1] & (DTE_GCR3_30_15 | DTE_GCR3_51_31);
	new->data[2] |= gdte->dte[2] & DTE_GPT_LEVEL_MASK;
}
