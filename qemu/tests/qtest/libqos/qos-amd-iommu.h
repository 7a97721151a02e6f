/*
 * libqos: AMD IOMMU, host-grade model
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Builds the tables that system software would build, talks to the IOMMU
 * through its registers and rings, and uses iommu-testdev as the device.
 *
 * Guest physical addresses of nested tests are system physical addresses plus
 * QAMD_GPA_OFFSET, so a model that takes one for the other is found out.
 */

#ifndef QTEST_LIBQOS_AMD_IOMMU_H
#define QTEST_LIBQOS_AMD_IOMMU_H

#include "../libqtest.h"
#include "pci.h"
#include "hw/i386/amd_iommu.h"
#include "hw/misc/iommu-testdev.h"

#define QAMD_GPA_OFFSET         0x4000000000ULL

/* DTE fields */
#define QAMD_DTE0_V             (1ULL << 0)
#define QAMD_DTE0_TV            (1ULL << 1)
#define QAMD_DTE0_MODE(n)       ((uint64_t)(n) << 9)
#define QAMD_DTE0_GIOV          (1ULL << 54)
#define QAMD_DTE0_GV            (1ULL << 55)
#define QAMD_DTE0_GLX(n)        ((uint64_t)(n) << 56)
#define QAMD_DTE0_IR            (1ULL << 61)
#define QAMD_DTE0_IW            (1ULL << 62)
#define QAMD_DTE1_SE            (1ULL << 33)
#define QAMD_DTE1_SA            (1ULL << 34)
#define QAMD_DTE2_IV            (1ULL << 0)
#define QAMD_DTE2_5LEVEL        (1ULL << 54)

/* Host page table entries */
#define QAMD_PTE_PR             (1ULL << 0)
#define QAMD_PTE_A              (1ULL << 5)
#define QAMD_PTE_D              (1ULL << 6)
#define QAMD_PTE_NEXT(n)        ((uint64_t)(n) << 9)
#define QAMD_PTE_IR             (1ULL << 61)
#define QAMD_PTE_IW             (1ULL << 62)
#define QAMD_PTE_RW             (QAMD_PTE_IR | QAMD_PTE_IW)

/* Guest page table entries */
#define QAMD_GPTE_P             (1ULL << 0)
#define QAMD_GPTE_W             (1ULL << 1)
#define QAMD_GPTE_U             (1ULL << 2)
#define QAMD_GPTE_A             (1ULL << 5)
#define QAMD_GPTE_D             (1ULL << 6)
#define QAMD_GPTE_PS            (1ULL << 7)
#define QAMD_GPTE_RW            (QAMD_GPTE_W | QAMD_GPTE_U)

/* Operands of INVALIDATE_IOMMU_PAGES, second quadword */
#define QAMD_INV_S              (1ULL << 0)
#define QAMD_INV_PDE            (1ULL << 1)
#define QAMD_INV_GN             (1ULL << 2)
#define QAMD_INV_ALL_ADDR       0x7ffffffffffff000ULL

#define QAMD_EVT_CODE(e)        extract64((e)[0], 60, 4)
#define QAMD_EVT_DEVID(e)       extract64((e)[0], 0, 16)
#define QAMD_EVT_DOMID(e)       extract64((e)[0], 32, 16)

/**
 * QAMDIOMMU - a machine with an IOMMU and one device
 * @devid: of the device
 * @devtab, @cmdbuf, @evtlog, @sem: where these things are
 * @gpa_offset: added to the address of a table page in the tables that
 *     qamd_map_guest() builds
 * @next: first free page of guest memory
 */
typedef struct QAMDIOMMU {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar;
    uint16_t devid;
    uint64_t devtab;
    uint64_t cmdbuf;
    uint32_t cmd_tail;
    uint64_t evtlog;
    uint32_t evt_head;
    uint64_t sem;
    uint64_t sem_value;
    uint64_t gpa_offset;
    uint64_t next;
} QAMDIOMMU;

/* @props: more properties of amd-iommu, as ",glxsup=2"; @args: other devices */
QAMDIOMMU *qamd_start(const char *props, const char *args);
/* The device is on bus 1 */
QAMDIOMMU *qamd_start_behind_bridge(const char *props);
/* The same with amd-iommu as it comes, without host-grade=on */
QAMDIOMMU *qamd_start_stock(const char *props, const char *dev_props,
                            const char *args);
QAMDIOMMU *qamd_start_stock_behind_bridge(const char *props);
void qamd_stop(QAMDIOMMU *q);

/* Rings and device table in place, IOMMU on, with these control bits besides */
void qamd_enable(QAMDIOMMU *q, uint64_t control);

uint64_t qamd_reg(QAMDIOMMU *q, uint64_t offset);
void qamd_set_reg(QAMDIOMMU *q, uint64_t offset, uint64_t value);
uint64_t qamd_page(QAMDIOMMU *q);

/* Knobs and counters of the device */
uint64_t qamd_get(QAMDIOMMU *q, const char *property);
void qamd_set(QAMDIOMMU *q, const char *property, uint64_t value);

/* The IVRS that firmware gets, to be freed */
uint8_t *qamd_read_ivrs(QTestState *qts, uint32_t *len);

void qamd_set_dte(QAMDIOMMU *q, const uint64_t dte[4]);
/* A DTE with a host table; permissions read and write */
void qamd_host_dte(uint64_t dte[4], uint16_t domid, uint64_t root,
                   unsigned mode);
/* Add a GCR3 table at @gcr3 to a DTE */
void qamd_guest_dte(uint64_t dte[4], uint64_t gcr3, unsigned glx, bool five);

/*
 * Map one page in a table of @top levels; @level is that of the leaf entry.
 * Returns the address of the leaf entry.
 */
uint64_t qamd_map_host(QAMDIOMMU *q, uint64_t root, unsigned top,
                       uint64_t iova, uint64_t spa, unsigned level,
                       uint64_t flags);
uint64_t qamd_map_guest(QAMDIOMMU *q, uint64_t root, unsigned top,
                        uint64_t gva, uint64_t gpa, unsigned level,
                        uint64_t flags);
/* Enter the page table @root of @pasid into the GCR3 table at @gcr3 */
void qamd_set_gcr3(QAMDIOMMU *q, uint64_t gcr3, unsigned glx, uint32_t pasid,
                   uint64_t root);

void qamd_cmd(QAMDIOMMU *q, uint64_t q0, uint64_t q1);
/* COMPLETION_WAIT with a store; true if the store came */
bool qamd_wait(QAMDIOMMU *q);
void qamd_inv_dte(QAMDIOMMU *q, uint16_t devid);
void qamd_inv_pages(QAMDIOMMU *q, uint16_t domid, uint32_t pasid,
                    uint64_t qword1);
void qamd_inv_all(QAMDIOMMU *q);

/* A DMA write to @iova; true if it arrived at @spa */
bool qamd_dma(QAMDIOMMU *q, uint64_t iova, uint64_t spa, uint32_t pasid);
/* The IOMMU refused it */
bool qamd_dma_fails(QAMDIOMMU *q, uint64_t iova, uint32_t pasid);

/* Take the oldest event out of the log; false if there is none */
bool qamd_event(QAMDIOMMU *q, uint64_t evt[2]);

#endif
