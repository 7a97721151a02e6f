/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers and memory layout of the AMD hardware vIOMMU
 *
 * AMD's specification (48882) does not have all of this in its public editions.
 * What is marked "inferred" is a conclusion from other public sources that has
 * not been confirmed; it is in this file, so that it can be corrected here.
 */
#ifndef AMD_VIOMMU_REGS_H
#define AMD_VIOMMU_REGS_H

#include <linux/bits.h>
#include <linux/sizes.h>

/* Extended feature register, of each IOMMU */
#define FEATURE_DUAL_PPR_LOG	GENMASK_ULL(25, 24)
#define FEATURE_DUAL_EVT_LOG	GENMASK_ULL(29, 28)
#define FEATURE_PPR_AUTO_RSP	BIT_ULL(41)
#define FEATURE_BLK_STOP_MRK	BIT_ULL(44)
#define FEATURE_VIOMMU		BIT_ULL(55)

/*
 * Control register: guest buffers are in guest memory, which nothing else
 * announces, so a bit that reads back 0 means that they cannot be; guest
 * commands are executed; all of the vIOMMU. In the order of enabling.
 */
#define CONTROL_GSTBUF_TRPMODE	60
#define CONTROL_VCMD_EN		52
#define CONTROL_VIOMMU_EN	53
#define CONTROL_VIOMMU_MASK	(BIT_ULL(CONTROL_GSTBUF_TRPMODE) | \
				 BIT_ULL(CONTROL_VCMD_EN) |        \
				 BIT_ULL(CONTROL_VIOMMU_EN))

/*
 * Vendor-specific PCI capability of the IOMMU: where firmware has put the two
 * windows. Each base has bit 0 of its low half set if the window is enabled.
 */
#define VSC_LENGTH		0x18
#define VSC_VF_BASE		0x08
#define VSC_VFC_BASE		0x10
#define VSC_BASE_EN		BIT_ULL(0)

/*
 * VF window: for each guest ID, the page of registers that is the guest's. They
 * are those of the IOMMU at 0x2000 in its own MMIO space.
 */
#define VF_WINDOW_SIZE		SZ_256M
#define VF_PAGE_SHIFT		12
#define VF_CMD_HEAD		0x00
#define VF_CMD_TAIL		0x08
#define VF_EVT_HEAD		0x10
#define VF_EVT_TAIL		0x18
#define VF_STATUS		0x20
#define VF_PPR_HEAD		0x30
#define VF_PPR_TAIL		0x38
#define VF_PPR_B_HEAD		0x50	/* inferred, as are the next three */
#define VF_PPR_B_TAIL		0x58
#define VF_EVT_B_HEAD		0x70
#define VF_EVT_B_TAIL		0x78
#define VF_PTR_MASK		GENMASK_ULL(18, 4)
/* inferred: the bits of the IOMMU's own status register */
#define VF_STATUS_EVT_OVERFLOW	BIT_ULL(0)
#define VF_STATUS_EVT_INT	BIT_ULL(1)
#define VF_STATUS_CW_INT	BIT_ULL(2)
#define VF_STATUS_EVT_RUN	BIT_ULL(3)
#define VF_STATUS_CMD_RUN	BIT_ULL(4)
#define VF_STATUS_PPR_OVERFLOW	BIT_ULL(5)
#define VF_STATUS_PPR_INT	BIT_ULL(6)
#define VF_STATUS_PPR_RUN	BIT_ULL(7)
#define VF_STATUS_INTS		(VF_STATUS_EVT_INT | VF_STATUS_CW_INT | \
				 VF_STATUS_PPR_INT)

/*
 * VFCtrl window: for each guest ID, eight registers that are the host's. 64-bit
 * accesses only.
 */
#define VFC_WINDOW_SIZE		SZ_4M
#define VFC_SHIFT		6
#define VFC_DEV_MAP		0x00
#define VFC_DOM_MAP		0x08
#define VFC_MISC		0x10
#define VFC_EVT_B_BASE		0x18
#define VFC_CMD			0x20
#define VFC_EVT			0x28
#define VFC_PPR			0x30
#define VFC_PPR_B_BASE		0x38
#define VFC_NUM_REGS		8

/* VFC_DEV_MAP, VFC_DOM_MAP: writes one entry. Valid is set in all known uses */
#define VFC_MAP_VALID		BIT_ULL(0)
#define VFC_MAP_HOST_ID		GENMASK_ULL(29, 14)
#define VFC_MAP_GUEST_ID	GENMASK_ULL(61, 46)
#define VFC_MAP_WRITE		BIT_ULL(63)

/* VFC_MISC */
#define VFC_TRANS_DEVID		GENMASK_ULL(31, 16)

/* All rings: bits 51:12 of the guest physical address of the base */
#define VFC_BASE		GENMASK_ULL(51, 12)
/* Ring length: log2 of the number of entries, of 16 bytes each; log A, log B */
#define VFC_LEN			GENMASK_ULL(3, 0)
#define VFC_LEN_B		GENMASK_ULL(7, 4)
#define VFC_LEN_MIN		8
#define VFC_LEN_MAX		15
#define VFC_ENTRY_SHIFT		4

/* VFC_CMD */
#define VFC_CMD_EN		BIT_ULL(8)
#define VFC_CMD_CW_INT_EN	BIT_ULL(9)

/* VFC_EVT */
#define VFC_EVT_EN		BIT_ULL(8)
#define VFC_EVT_INT_EN		BIT_ULL(9)
#define VFC_EVT_DUAL		GENMASK_ULL(11, 10)

/* VFC_PPR: the base is shifted left by 4 to make room for the flags */
#define VFC_PPR_EN		BIT_ULL(8)
#define VFC_PPR_INT_EN		BIT_ULL(9)
#define VFC_PPR_SERVICE_EN	BIT_ULL(10)
#define VFC_PPR_DUAL		GENMASK_ULL(12, 11)
#define VFC_PPR_AUTO_RSP_EN	BIT_ULL(13)
#define VFC_PPR_BLK_STOP_EN	BIT_ULL(14)
#define VFC_PPR_AUTO_RSP_AON	BIT_ULL(15)
#define VFC_PPR_BASE_SHIFT	4

/* All that makes the IOMMU use a ring, by register */
#define VFC_CMD_ENABLES		(VFC_CMD_EN | VFC_CMD_CW_INT_EN)
#define VFC_EVT_ENABLES		GENMASK_ULL(11, 8)
#define VFC_PPR_ENABLES		GENMASK_ULL(15, 8)

/*
 * Private address space: what the IOMMU itself accesses, through the DTE that
 * belongs to its own PCI function. The backing store holds registers of all
 * guests; then there are two maps for each guest ID. Hardware alone reads and
 * writes this memory, uncached, and finds it zeroed.
 */
#define PAS_BACKING		0x0ULL
#define PAS_BACKING_SIZE	SZ_8M
#define PAS_DEV_MAP		0x1000000000ULL
#define PAS_DEV_MAP_SIZE	SZ_1M
#define PAS_DOM_MAP		0x2000000000ULL
#define PAS_DOM_MAP_SIZE	SZ_512K

/*
 * Guest IDs. 0 is never used. With secure guests, which this driver does not
 * have, the upper half would be theirs.
 */
#define VIOMMU_GID_MIN		1
#define VIOMMU_GID_MAX		0x7fff

/* RESET_VMMIO: registers and command processing of one guest ID start anew */
#define CMD_RESET_VMMIO		0x0a
#define CMD_RESET_VMMIO_ALL	BIT(28)
#define CMD_RESET_VMMIO_VCMD	BIT(31)

/* DTE of a device of a guest, last quadword */
#define DTE_VIMU_EN		BIT_ULL(15)
#define DTE_GDEV_ID		GENMASK_ULL(31, 16)
#define DTE_GUEST_ID		GENMASK_ULL(47, 32)

/* Host event log: an event that a command of a guest has caused */
#define EVENT_0_VFLAG_VCMD	BIT(31)
#define EVENT_0_GUEST_ID	GENMASK(15, 0)
#define EVENT_1_GUEST_ID	GENMASK(15, 0)
#define EVENT_0_HW_ERR_SOURCE	GENMASK(17, 16)

#endif /* AMD_VIOMMU_REGS_H */
