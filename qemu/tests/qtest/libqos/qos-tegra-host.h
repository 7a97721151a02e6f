/*
 * libqos: host side of the Tegra241 CMDQV
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Does what a correct host driver does, step by step, so that a test of a
 * deliberate mistake can leave out or falsify one of the steps.
 */

#ifndef QTEST_LIBQOS_TEGRA_HOST_H
#define QTEST_LIBQOS_TEGRA_HOST_H

#include "generic-pcihost.h"
#include "pci.h"
#include "qos-smmuv3.h"

/* Where the platform bus of "virt" puts the two regions of the SMMU */
#define QTH_SMMU_BASE           0x0c000000ULL
#define QTH_BASE                0x0c100000ULL
/* The fifth line of the SMMU, as an interrupt of the GIC */
#define QTH_INTID               (32 + 112 + 4)

#define QTH_RAM                 0x48000000ULL
#define QTH_QUEUES              16
#define QTH_PER_VINTF           4

/* Registers, as a driver knows them */
#define QTH_CONFIG              0x0
#define QTH_PARAM               0x4
#define QTH_STATUS              0x8
#define QTH_VINTF_ERR_MAP       0x14
#define QTH_INT_MASK            0x1c
#define QTH_QUEUE_ERR_MAP       0x24
#define QTH_ALLOC(q)            (0x200 + 4 * (q))
#define QTH_ALLOC_VAL(v, l)     ((v) << 15 | (l) << 1 | 1)
#define QTH_VINTF(v)            (0x1000 + 0x100 * (v))
#define QTH_VI_CONFIG           0x0
#define QTH_VI_STATUS           0x4
#define QTH_VI_MATCH(s)         (0x40 + 4 * (s))
#define QTH_VI_REPLACE(s)       (0x80 + 4 * (s))
#define QTH_VI_ERR_MAP          0xc0
#define QTH_HYP_OWN             (1 << 17)
#define QTH_DIRECT0(q)          (0x10000 + 0x80 * (q))
#define QTH_DIRECT1(q)          (0x20000 + 0x80 * (q))
#define QTH_PAGE0(v, l)         (0x30000 + 0x20000 * (v) + 0x80 * (l))
#define QTH_PAGE1(v, l)         (QTH_PAGE0(v, l) + 0x10000)
#define QTH_CONS                0x0
#define QTH_PROD                0x4
#define QTH_Q_CONFIG            0x8
#define QTH_Q_STATUS            0xc
#define QTH_GERROR              0x10
#define QTH_GERRORN             0x14
#define QTH_Q_BASE              0x0
#define QTH_Q_DRAM              0x8
#define QTH_ERR_CMDQ            1
#define QTH_ERR_DRAM            2
#define QTH_ERR_INIT            4

/* Commands: opcode and what goes with it */
#define QTH_CFGI_ALL            0x04
#define QTH_TLBI_NH_ALL         0x10
#define QTH_TLBI_NH_ASID        0x11
#define QTH_TLBI_NH_VA          0x12
#define QTH_TLBI_NSNH_ALL       0x30
#define QTH_ATC_INV             0x40
#define QTH_SYNC                0x46
#define QTH_VMID(v)             ((uint64_t)(v) << 32)
#define QTH_ASID(a)             ((uint64_t)(a) << 48)
#define QTH_SID(s)              ((uint64_t)(s) << 32)
#define QTH_SYNC_IRQ            (1 << 12)

typedef struct QTegraHost {
    QTestState *qts;
    QGenericPCIBus gbus;
    QPCIDevice *dev;
    QPCIBar bar;
} QTegraHost;

/* A queue that is seen as number @lq of VINTF @vi; @index is its global one */
typedef struct QTegraQueue {
    QTegraHost *h;
    unsigned index;
    unsigned vi;
    unsigned lq;
    unsigned log2;
    uint64_t ring;
    uint32_t prod;
} QTegraQueue;

/* Machine; nothing is enabled yet. @props are of the SMMU, "," in front. */
QTegraHost *qth_start(const char *props);
void qth_stop(QTegraHost *h);

uint32_t qth_read(QTegraHost *h, uint64_t reg);
void qth_write(QTegraHost *h, uint64_t reg, uint32_t val);
uint64_t qth_read64(QTegraHost *h, uint64_t reg);
void qth_write64(QTegraHost *h, uint64_t reg, uint64_t val);

/* CMDQV on */
QTegraHost *qth_up(const char *props);
/* VINTF on with that VMID, and the hypervisor's or not */
void qth_vintf(QTegraHost *h, unsigned vi, uint16_t vmid, bool hyp);
/* Allocate queue @lq of a VINTF, set its ring; not enabled yet */
void qth_queue(QTegraHost *h, QTegraQueue *q, unsigned vi, unsigned lq,
               unsigned log2);
void qth_queue_enable(QTegraQueue *q);
/* A guest's VINTF 1 with VMID 7 and one queue of 8 entries, all enabled */
void qth_guest(QTegraHost *h, QTegraQueue *q);

uint32_t qth_page0(QTegraQueue *q, unsigned reg);
void qth_page0_write(QTegraQueue *q, unsigned reg, uint32_t val);
/* Put a command into the ring, then tell the queue of all that are new */
void qth_put(QTegraQueue *q, uint64_t lo, uint64_t hi);
void qth_kick(QTegraQueue *q);
/* Both */
void qth_command(QTegraQueue *q, uint64_t lo, uint64_t hi);
/* A command that must succeed, and one that must stop the queue like that */
void qth_good(QTegraQueue *q, uint64_t lo, uint64_t hi);
void qth_bad(QTegraQueue *q, uint64_t lo, uint64_t hi, unsigned code);
/* Make the command at CONS a harmless one and acknowledge the error */
void qth_skip(QTegraQueue *q);

/* Properties of the device */
void qth_set_bool(QTegraHost *h, const char *name, bool val);
void qth_set_u64(QTegraHost *h, const char *name, uint64_t val);
void qth_inject(QTegraHost *h, const char *what);
uint64_t qth_get(QTegraHost *h, const char *name);
uint64_t qth_counter(QTegraHost *h, const char *key);
uint64_t qth_queue_stat(QTegraQueue *q, const char *key);
uint64_t qth_violations(QTegraHost *h, const char *name);
/* No violation at all so far */
void qth_assert_clean(QTegraHost *h);
/* This one, once, and no other */
void qth_assert_violation(QTegraHost *h, const char *name);

#endif
