/*
 * AMD hardware vIOMMU: register layout, shared by the model and its tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Words in brackets grade how sure a position is: [several] is found in more
 * than one public source, [once] in one, [inferred] is a conclusion, [chosen]
 * is this model's own. docs/specs/amd-viommu.rst lists all that is chosen.
 */

#ifndef HW_I386_AMD_VIOMMU_REGS_H
#define HW_I386_AMD_VIOMMU_REGS_H

#include "qemu/bitops.h"

/* Feature bit and control register of the host MMIO region [several] */
#define AMD_VIOMMU_EFR_SUP              BIT_ULL(55)
#define AMD_VIOMMU_EFR_DUAL_PPR         BIT_ULL(24)
#define AMD_VIOMMU_EFR_DUAL_EVT         BIT_ULL(28)
#define AMD_VIOMMU_CTRL_VCMD_EN         BIT_ULL(52)
#define AMD_VIOMMU_CTRL_VIOMMU_EN       BIT_ULL(53)
#define AMD_VIOMMU_CTRL_GCR3_TRP        BIT_ULL(58)
#define AMD_VIOMMU_CTRL_GST_BUF_TRP     BIT_ULL(60)

/* Vendor-specific capability; offsets from its start [several] */
#define AMD_VIOMMU_VSC_SIZE             0x18
#define AMD_VIOMMU_VSC_INFO             0x04    /* [chosen] */
#define AMD_VIOMMU_VSC_VF_LO            0x08
#define AMD_VIOMMU_VSC_VF_HI            0x0c
#define AMD_VIOMMU_VSC_VFC_LO           0x10
#define AMD_VIOMMU_VSC_VFC_HI           0x14
#define   AMD_VIOMMU_VSC_ENABLE         BIT(0)
#define AMD_VIOMMU_VSC_INFO_REV         (1u << 16)

/* The two windows: one page, one 64-byte block per guest ID [several] */
#define AMD_VIOMMU_VF_SIZE              0x10000000ULL
#define AMD_VIOMMU_VF_SHIFT             12
#define AMD_VIOMMU_VFC_SIZE             0x400000ULL
#define AMD_VIOMMU_VFC_SHIFT            6
#define AMD_VIOMMU_VF_BASE_DEFAULT      0x7f00000000ULL /* [chosen] */
#define AMD_VIOMMU_VFC_BASE_DEFAULT     0x7f10000000ULL /* [chosen] */

/* VF page: guest MMIO offset - 0x2000 [several], B logs [inferred] */
#define AMD_VF_CMD_HEAD                 0x00
#define AMD_VF_CMD_TAIL                 0x08
#define AMD_VF_EVT_HEAD                 0x10
#define AMD_VF_EVT_TAIL                 0x18
#define AMD_VF_STATUS                   0x20
#define AMD_VF_PPR_HEAD                 0x30
#define AMD_VF_PPR_TAIL                 0x38
#define AMD_VF_PPRB_HEAD                0x50
#define AMD_VF_PPRB_TAIL                0x58
#define AMD_VF_EVTB_HEAD                0x70
#define AMD_VF_EVTB_TAIL                0x78
#define AMD_VF_NR_REGS                  16
#define AMD_VF_PTR_MASK                 MAKE_64BIT_MASK(4, 15)

/* VF status: as the host register at 0x2020 [inferred], B bits [chosen] */
#define AMD_VF_ST_EVT_OVF               BIT_ULL(0)
#define AMD_VF_ST_EVT_INT               BIT_ULL(1)
#define AMD_VF_ST_COMWAIT_INT           BIT_ULL(2)
#define AMD_VF_ST_EVT_RUN               BIT_ULL(3)
#define AMD_VF_ST_CMD_RUN               BIT_ULL(4)
#define AMD_VF_ST_PPR_OVF               BIT_ULL(5)
#define AMD_VF_ST_PPR_INT               BIT_ULL(6)
#define AMD_VF_ST_PPR_RUN               BIT_ULL(7)
#define AMD_VF_ST_PPRB_OVF              BIT_ULL(11)
#define AMD_VF_ST_PPRB_ACTIVE           BIT_ULL(12)
#define AMD_VF_ST_EVTB_OVF              BIT_ULL(15)
#define AMD_VF_ST_EVTB_ACTIVE           BIT_ULL(16)
#define AMD_VF_ST_W1C                   (AMD_VF_ST_EVT_OVF | \
                                         AMD_VF_ST_EVT_INT | \
                                         AMD_VF_ST_COMWAIT_INT | \
                                         AMD_VF_ST_PPR_OVF | \
                                         AMD_VF_ST_PPR_INT | \
                                         AMD_VF_ST_PPRB_OVF | \
                                         AMD_VF_ST_EVTB_OVF)

/* VFCtrl block [several] unless noted */
#define AMD_VFC_DEV_MAP                 0x00
#define AMD_VFC_DOM_MAP                 0x08
#define   AMD_VFC_MAP_VALID             BIT_ULL(0)
#define   AMD_VFC_MAP_HID_SHIFT         14
#define   AMD_VFC_MAP_GID_SHIFT         46
#define   AMD_VFC_MAP_TRIGGER           BIT_ULL(63)
#define   AMD_VFC_MAP_MASK              (AMD_VFC_MAP_VALID | \
                                         MAKE_64BIT_MASK(14, 16) | \
                                         MAKE_64BIT_MASK(46, 16) | \
                                         AMD_VFC_MAP_TRIGGER)
#define AMD_VFC_MISC                    0x10
#define   AMD_VFC_MISC_TRANS_SHIFT      16
#define   AMD_VFC_MISC_MASK             MAKE_64BIT_MASK(16, 16)
#define AMD_VFC_EVTB_BASE               0x18    /* [once] */
#define AMD_VFC_CMD                     0x20
#define   AMD_VFC_CMD_EN                BIT_ULL(8)
#define   AMD_VFC_CMD_INT_EN            BIT_ULL(9)
#define   AMD_VFC_CMD_MASK              (0xfULL | AMD_VFC_CMD_EN | \
                                         AMD_VFC_CMD_INT_EN | \
                                         AMD_VFC_BASE_MASK)
#define AMD_VFC_EVT                     0x28
#define   AMD_VFC_EVT_EN                BIT_ULL(8)
#define   AMD_VFC_EVT_INT_EN            BIT_ULL(9)
#define   AMD_VFC_EVT_DUAL_SHIFT        10
#define   AMD_VFC_EVT_MASK              (MAKE_64BIT_MASK(0, 12) | \
                                         AMD_VFC_BASE_MASK)
#define AMD_VFC_PPR                     0x30
#define   AMD_VFC_PPR_LOG_EN            BIT_ULL(8)
#define   AMD_VFC_PPR_INT_EN            BIT_ULL(9)
#define   AMD_VFC_PPR_EN                BIT_ULL(10)
#define   AMD_VFC_PPR_DUAL_SHIFT        11
#define   AMD_VFC_PPR_BASE_MASK         MAKE_64BIT_MASK(16, 40)
#define   AMD_VFC_PPR_BASE_SHIFT        4
#define   AMD_VFC_PPR_MASK              (MAKE_64BIT_MASK(0, 16) | \
                                         AMD_VFC_PPR_BASE_MASK)
#define AMD_VFC_PPRB_BASE               0x38    /* [once] */
#define AMD_VFC_NR_REGS                 8
#define AMD_VFC_BASE_MASK               MAKE_64BIT_MASK(12, 40)

/* Ring length code: 2^code entries of 16 bytes [several] */
#define AMD_VIOMMU_LEN_MIN              8
#define AMD_VIOMMU_LEN_MAX              15
#define AMD_VIOMMU_ENTRY_SIZE           16

/* Private address space, reached through the IOMMU's own DTE [several] */
#define AMD_PAS_BACKING                 0x0ULL
#define AMD_PAS_BACKING_SHIFT           6
#define AMD_PAS_BACKING_SIZE            0x800000ULL
#define AMD_PAS_DEVMAP                  0x1000000000ULL
#define AMD_PAS_DEVMAP_SHIFT            20
#define AMD_PAS_DEVMAP_ENTRY            16
#define AMD_PAS_DOMMAP                  0x2000000000ULL
#define AMD_PAS_DOMMAP_SHIFT            19
#define AMD_PAS_DOMMAP_ENTRY            8

/*
 * Map entry in memory: one driver of the vendor reads the host ID of the DevID
 * map out of bits 39:24 [once]; all else is [chosen]
 */
#define AMD_MAP_ENTRY_VALID             BIT_ULL(0)
#define AMD_MAP_DEV_ENTRY_ID_SHIFT      24
#define AMD_MAP_DOM_ENTRY_ID_SHIFT      14

/* DTE fields of a device owned by a guest, qword 3 [several] */
#define AMD_DTE1_I                      BIT_ULL(32)
#define AMD_DTE3_VIMU_EN                BIT_ULL(15)
#define AMD_DTE3_GDEVID_SHIFT           16
#define AMD_DTE3_GID_SHIFT              32
#define AMD_DTE0_GV                     BIT_ULL(55)

/* Host commands [several]; INSERT_GUEST_EVENT's operands are unknown */
#define AMD_CMD_INSERT_GUEST_EVENT      0x9
#define AMD_CMD_RESET_VMMIO             0xa
#define   AMD_CMD_RESET_ALL             BIT_ULL(28)
#define   AMD_CMD_RESET_VCMD            BIT_ULL(31)

/* Host events [several]; positions in bits of the 128-bit entry */
#define AMD_EVT_ILLEGAL_COMMAND         0x5ULL
#define AMD_EVT_GUEST_EVENT_FAULT       0xbULL
#define AMD_EVT_VIOMMU_HW_ERROR         0xcULL
#define AMD_EVT_CODE_SHIFT              60
#define AMD_EVT_VFLAG_VCMD              BIT_ULL(31)
#define AMD_EVT_VFLAG_VPTR              BIT_ULL(30)
#define AMD_EVT_VFLAG_VEVENT            BIT_ULL(29)
#define AMD_EVT_VFLAG_VNR               BIT_ULL(27)
#define AMD_EVT_HW_SOURCE_SHIFT         16

/* Source codes of event 0xC [chosen] */
enum {
    AMD_HW_SRC_BACKING = 0,
    AMD_HW_SRC_DEVMAP = 1,
    AMD_HW_SRC_DOMMAP = 2,
    AMD_HW_SRC_EXTIR = 3,
};

/* Extended interrupt remapping [once] */
#define AMD_EXTIR_TYPE_EVT              0
#define AMD_EXTIR_TYPE_PPR              1
#define AMD_EXTIR_TYPE_SHIFT            16
#define AMD_EXTIR_INTTABLEN             10
#define AMD_EXTIR_INTCTL_REMAP          2
#define AMD_EXTIR_L1_VALID              BIT_ULL(0)
#define AMD_EXTIR_L1_LEN_SHIFT          2
#define AMD_EXTIR_L2_LEN                8
#define AMD_EXTIR_ROOT_MASK             MAKE_64BIT_MASK(6, 46)
#define AMD_EXTIR_IRTE_VALID            BIT_ULL(0)
#define AMD_EXTIR_IRTE_ISRUN            BIT_ULL(6)
#define AMD_EXTIR_IRTE_GUEST            BIT_ULL(7)

#endif
