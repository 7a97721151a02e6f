/*
 * Host side of the Tegra241 CMDQV beside the SMMUv3: registers and state
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * This is the hardware that a host driver finds, as opposed to
 * tegra241-cmdqv.c, which shows a guest what such a host driver hands out.
 * docs/specs/tegra241-cmdqv.rst says what is known and what was chosen.
 */

#ifndef HW_ARM_TEGRA241_HOST_H
#define HW_ARM_TEGRA241_HOST_H

#include "hw/arm/smmuv3.h"
#include "hw/core/registerfields.h"
#include "smmuv3-internal.h"

/* Pages of 64 KiB: configuration, queues twice, then two for each VINTF */
#define TH_PAGE                 0x10000
#define TH_QUEUE_PAGE0          (1 * TH_PAGE)
#define TH_QUEUE_PAGE1          (2 * TH_PAGE)
#define TH_VINTF_PAGES          (3 * TH_PAGE)
#define TH_QUEUE_STRIDE         0x80
#define TH_VINTF_BASE           0x1000
#define TH_VINTF_STRIDE         0x100

#define TH_VERSION              1
#define TH_MAX_LOG2_VINTFS      6
#define TH_MAX_LOG2_QUEUES      7
#define TH_MAX_LOG2_SIDS        4
#define TH_MAX_VINTFS           (1 << TH_MAX_LOG2_VINTFS)
#define TH_MAX_QUEUES           (1 << TH_MAX_LOG2_QUEUES)
#define TH_MAX_SIDS             (1 << TH_MAX_LOG2_SIDS)

/* Configuration page */
REG32(TH_CONFIG, 0x0)
    FIELD(TH_CONFIG, EN, 0, 1)
    FIELD(TH_CONFIG, CONS_DRAM_EN, 20, 1)
#define TH_CONFIG_WRITABLE      0x001fffff
#define TH_CONFIG_RESET         0x00020082
REG32(TH_PARAM, 0x4)
    FIELD(TH_PARAM, VER, 0, 4)
    FIELD(TH_PARAM, LOG2_QUEUES, 4, 4)
    FIELD(TH_PARAM, LOG2_VINTFS, 8, 4)
    FIELD(TH_PARAM, LOG2_SIDS, 12, 4)
REG32(TH_STATUS, 0x8)
    FIELD(TH_STATUS, ENABLED, 0, 1)
#define A_TH_VINTF_ERR_MAP      0x14    /* two words */
#define A_TH_VINTF_INT_MASK     0x1c    /* two words */
#define A_TH_QUEUE_ERR_MAP      0x24    /* four words */
#define A_TH_QUEUE_ALLOC        0x200   /* one word for each queue */
REG32(TH_ALLOC, 0x200)
    FIELD(TH_ALLOC, ALLOCATED, 0, 1)
    FIELD(TH_ALLOC, LQUEUE, 1, 7)
    FIELD(TH_ALLOC, VINTF, 15, 6)

/* One VINTF, offsets in its 256 bytes */
REG32(TH_VI_CONFIG, 0x0)
    FIELD(TH_VI_CONFIG, EN, 0, 1)
    FIELD(TH_VI_CONFIG, VMID, 1, 16)
    FIELD(TH_VI_CONFIG, HYP_OWN, 17, 1)
#define TH_VI_CONFIG_WRITABLE   0x3ffff
REG32(TH_VI_STATUS, 0x4)
    FIELD(TH_VI_STATUS, ENABLED, 0, 1)
    FIELD(TH_VI_STATUS, STATUS, 1, 3)
    FIELD(TH_VI_STATUS, NUM_LQUEUES, 16, 8)
#define TH_VI_STATUS_QUEUE_ERROR 1
#define A_TH_VI_SID_MATCH       0x40
REG32(TH_SID_MATCH, 0x40)
    FIELD(TH_SID_MATCH, EN, 0, 1)
    FIELD(TH_SID_MATCH, VIRT_SID, 1, 20)
#define A_TH_VI_SID_REPLACE     0x80
#define TH_SID_MASK             0xfffff
#define A_TH_VI_ERR_MAP         0xc0    /* four words */

/* One queue, offsets in its 128 bytes of page 0 */
#define A_TH_Q_CONS             0x00
#define A_TH_Q_PROD             0x04
#define A_TH_Q_CONFIG           0x08
#define A_TH_Q_STATUS           0x0c
#define A_TH_Q_GERROR           0x10
#define A_TH_Q_GERRORN          0x14
#define TH_Q_INDEX_MASK         0xfffff
#define TH_Q_EN                 1
#define TH_GERROR_CMDQ          (1 << 0)
#define TH_GERROR_DRAM          (1 << 1)
#define TH_GERROR_INIT          (1 << 2)
#define TH_GERROR_ALL           0x7

/* ... and of page 1 */
#define A_TH_Q_BASE             0x00
#define A_TH_Q_DRAM             0x08
#define TH_BASE_ADDR            MAKE_64BIT_MASK(5, 43)
#define TH_BASE_LOG2            0x1f

/* Error codes in CONS that the SMMU's own queue does not have */
#define TH_CERROR_ILL_ACCESS    4

/* What a driver must not do; each has a counter */
typedef enum TegraHostViolation {
    TH_BAD_ACCESS,          /* offset or width that has no register */
    TH_BAD_ALLOC,           /* names a VINTF or logical queue there is not */
    TH_ALLOC_ORDER,         /* mapped in other than ascending order */
    TH_FREE_ORDER,          /* unmapped in other than descending order */
    TH_FREE_LIVE,           /* unmapped while enabled */
    TH_VINTF_LIVE_CHANGE,   /* VMID or HYP_OWN changed while enabled */
    TH_VINTF_LIVE_QUEUE,    /* VINTF disabled before its queues */
    TH_BASE_LIVE_CHANGE,    /* queue base changed while enabled */
    TH_UNMAPPED_WRITE,      /* to a logical queue that is not mapped */
    TH_ACK_NOT_PENDING,     /* error acknowledged that there is not */
    TH_STALE_TIMEOUT,       /* enabled with the ATC timeout of a past owner */
    TH_VIOLATIONS
} TegraHostViolation;

typedef struct TegraHostQueue {
    struct TegraHost *h;
    unsigned index;
    uint32_t alloc;
    uint32_t config;
    uint32_t status;
    uint32_t gerror;
    uint32_t gerrorn;
    uint64_t dram;
    SMMUQueue q;
    bool atc_pending;       /* an ATC_INV of it has timed out */

    /* Counters */
    uint64_t doorbells;
    uint64_t commands;
    uint64_t syncs;
    uint64_t refused;
    uint64_t errors;
    uint64_t last_id;       /* VMID or SID that the last command acted on */
} TegraHostQueue;

typedef struct TegraHostVintf {
    uint32_t config;
    bool enabled;
    uint32_t match[TH_MAX_SIDS];
    uint32_t replace[TH_MAX_SIDS];
    uint64_t page0_reads;
    uint64_t page0_writes;
} TegraHostVintf;

typedef struct TegraHost {
    SMMUv3State *s;
    MemoryRegion mmio;
    qemu_irq irq;
    bool ready;

    /* Fixed at start */
    uint8_t log2_vintfs;
    uint8_t log2_queues;
    uint8_t log2_sids;

    uint32_t config;
    bool enabled;
    uint64_t int_mask;
    TegraHostVintf vintf[TH_MAX_VINTFS];
    TegraHostQueue queue[TH_MAX_QUEUES];

    /* Knobs: what the hardware gets wrong. Masks have a bit for each one. */
    bool stuck;             /* the CMDQV does not get enabled */
    bool all_ones;          /* it has gone: reads give all ones */
    bool irq_lost;
    bool atc_timeout;       /* devices do not answer ATC_INV */
    uint64_t vintf_stuck;   /* does not get enabled */
    uint64_t vintf_live;    /* does not get disabled */
    uint64_t queue_stuck;   /* reports an init error instead of enabled */
    uint64_t queue_live;    /* does not get disabled */
    uint64_t queue_stall;   /* consumes nothing */
    uint64_t fetch_error;   /* reads of commands fail */

    /* Counters */
    uint64_t mmio_reads;
    uint64_t mmio_writes;
    uint64_t irqs;
    uint64_t irqs_masked;
    uint64_t resets;
    uint64_t guest_faults;  /* what would be a violation of a driver */
    uint64_t dropped;       /* writes to a VINTF that is not enabled */
    uint64_t smmu_commands; /* of the SMMU's own queue, to compare with */
    uint64_t smmu_syncs;
    uint64_t violations[TH_VIOLATIONS];
    uint64_t violation_count;
    int first_violation;
} TegraHost;

static inline unsigned th_vintfs(const TegraHost *h)
{
    return 1u << h->log2_vintfs;
}

static inline unsigned th_queues(const TegraHost *h)
{
    return 1u << h->log2_queues;
}

static inline unsigned th_queues_per_vintf(const TegraHost *h)
{
    return th_queues(h) / th_vintfs(h);
}

static inline bool th_bit(uint64_t mask, unsigned n)
{
    return n < 64 && (mask >> n & 1);
}

static inline uint32_t th_pending(const TegraHostQueue *vq)
{
    return vq->gerror ^ vq->gerrorn;
}

/* tegra241-host.c */
void tegra241_host_violation(TegraHost *h, TegraHostViolation which);
void tegra241_host_fault(TegraHost *h, TegraHostVintf *vi,
                         TegraHostViolation which);
const char *tegra241_host_violation_name(unsigned which);
void tegra241_host_reset(TegraHost *h);
void tegra241_host_lose(TegraHost *h);

/* tegra241-host-regs.c */
extern const MemoryRegionOps tegra241_host_ops;

/* tegra241-host-queue.c */
TegraHostQueue *tegra241_host_find(TegraHost *h, unsigned vintf,
                                   unsigned lqueue);
bool tegra241_host_mapped(const TegraHostQueue *vq);
void tegra241_host_alloc_write(TegraHost *h, unsigned index, uint32_t val);
uint32_t tegra241_host_page0_read(TegraHostQueue *vq, unsigned reg);
void tegra241_host_page0_write(TegraHostQueue *vq, unsigned reg, uint32_t val);
uint64_t tegra241_host_page1_read(TegraHostQueue *vq, unsigned reg);
void tegra241_host_page1_write(TegraHostQueue *vq, unsigned reg, uint64_t val,
                               uint64_t mask);
void tegra241_host_stop(TegraHostQueue *vq);
void tegra241_host_kick_all(TegraHost *h);

/* tegra241-host-error.c */
void tegra241_host_raise(TegraHostQueue *vq, uint32_t bits);
uint64_t tegra241_host_vintf_map(TegraHost *h);
uint32_t tegra241_host_queue_map(TegraHost *h, unsigned word);
uint32_t tegra241_host_lqueue_map(TegraHost *h, unsigned vintf, unsigned word);

TegraHostVintf *tegra241_host_vintf(TegraHostQueue *vq);

/* tegra241-host-prop.c */
void tegra241_host_add_properties(SMMUv3State *s);

/*
 * For smmuv3.c, tegra241-host-filter.c and others. The engine of the SMMU
 * consumes virtual queues too and calls back for what is different there.
 */
void tegra241_host_instance_init(SMMUv3State *s);
void tegra241_host_instance_finalize(SMMUv3State *s);
bool tegra241_host_realize(SMMUv3State *s, Error **errp);
bool tegra241_host_stopped(TegraHostQueue *vq);
MemTxResult tegra241_host_fetched(TegraHostQueue *vq, MemTxResult res);
int tegra241_host_filter(TegraHostQueue *vq, Cmd *cmd);
void tegra241_host_done(TegraHostQueue *vq, int error);
void tegra241_host_smmu_command(SMMUv3State *s, const Cmd *cmd);
void smmuv3_queue_consume(SMMUv3State *s, SMMUQueue *q, TegraHostQueue *vq,
                          Error **errp);

#endif
