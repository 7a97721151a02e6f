/*
 * Unit test of the accelerated Tegra241 CMDQV: what a guest does to its
 * registers, on a host that is made up here
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The device needs KVM and a Grace. Its file is included with everything under
 * it replaced: iommufd by a host that keeps the rules of uapi/linux/iommufd.h,
 * memory regions by nothing. The tests go through the MMIO handlers only, so
 * that they run on the file as it was before, too: TEGRA241_CMDQV_C names
 * another one.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qapi/error.h"

/* Tracing would pull in the generated tables; some variables are for it only */
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define TRACE_HW_ARM_GENERATED_TRACERS_H
#define trace_tegra241_cmdqv_read_mmio(...)
#define trace_tegra241_cmdqv_write_mmio(...)
#define trace_tegra241_cmdqv_err_map(...)
#define trace_tegra241_cmdqv_init_regs(...)
#define trace_tegra241_cmdqv_read_vcmdq_page0(...)
#define trace_tegra241_cmdqv_read_vcmdq_page1(...)
#define trace_tegra241_cmdqv_write_vcmdq_page0(...)
#define trace_tegra241_cmdqv_write_vcmdq_page1(...)

#ifndef TEGRA241_CMDQV_C
#define TEGRA241_CMDQV_C "../../hw/arm/tegra241-cmdqv.c"
#endif
#include TEGRA241_CMDQV_C

#define QUEUES          TEGRA241_CMDQV_MAX_CMDQ
#define CMDQS           8
#define BASE(n)         (0x100000000ULL * ((n) + 1) + 0x40000000ULL)
#define LOG2            6
#define EN_OK           R_VCMDQ0_STATUS_CMDQ_EN_OK_MASK
#define INIT_ERR        R_VCMDQ0_GERROR_CMDQ_INIT_ERR_MASK

/* The host: what it has given, and what it was asked for */
typedef struct Host {
    uint8_t page0[VINTF_PAGE_SIZE];
    struct {
        bool used;
        uint32_t id;
        uint64_t addr;
        uint64_t length;
    } q[QUEUES];
    uint32_t next_id;
    bool fail[QUEUES];          /* no memory for that one */
    bool has_command;
    uint64_t state[4];

    unsigned allocs;
    unsigned refused;           /* asked against the rules */
    unsigned busy;              /* destroyed against the rules */
    bool wrong_addr;            /* asked for an address no guest has set */
    uint64_t largest;
    unsigned irqs;
} Host;

static Host host;
static Tegra241CMDQV cmdqv;
static SMMUv3State smmu;
static SMMUv3AccelState accel;
static IOMMUFDViommu viommu;

bool iommufd_backend_alloc_hw_queue(IOMMUFDBackend *be, uint32_t viommu_id,
                                    uint32_t queue_type, uint32_t index,
                                    uint64_t addr, uint64_t length,
                                    uint32_t *out_id, Error **errp)
{
    host.allocs++;
    host.largest = MAX(host.largest, length);
    if (addr != BASE(0) && addr != BASE(1)) {
        host.wrong_addr = true;
    }
    if (index >= QUEUES || host.q[index].used ||
        (index && !host.q[index - 1].used) || length > 16 << CMDQS) {
        host.refused++;
        error_setg(errp, "refused");
        return false;
    }
    if (host.fail[index]) {
        error_setg(errp, "no memory");
        return false;
    }
    host.q[index].used = true;
    host.q[index].id = ++host.next_id;
    host.q[index].addr = addr;
    host.q[index].length = length;
    memset(host.page0 + index * CMDQV_VCMDQ_STRIDE, 0, CMDQV_VCMDQ_STRIDE);
    *out_id = host.q[index].id;
    return true;
}

void iommufd_backend_free_id(IOMMUFDBackend *be, uint32_t id)
{
    int i;

    for (i = 0; i < QUEUES; i++) {
        if (!host.q[i].used || host.q[i].id != id) {
            continue;
        }
        if (i + 1 < QUEUES && host.q[i + 1].used) {
            host.busy++;
            return;
        }
        host.q[i].used = false;
        memset(host.page0 + i * CMDQV_VCMDQ_STRIDE, 0, CMDQV_VCMDQ_STRIDE);
    }
}

/* The headers of a QEMU that does not ask do not have it */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
int iommufd_backend_viommu_get(IOMMUFDBackend *be, uint32_t viommu_id,
                               uint16_t index, uint64_t *val)
{
    if (!host.has_command) {
        return -ENOTTY;
    }
    *val = host.state[index];
    return 0;
}

/* An error of hardware is a bit in here when QEMU is told of an event */
static uint64_t event_map;

int smmuv3_accel_event_read_validate(IOMMUFDVeventq *veventq, uint32_t type,
                                     void *buf, size_t size, Error **errp)
{
    struct iommu_vevent_tegra241_cmdqv *vevent =
        buf + sizeof(struct iommufd_vevent_header);

    vevent->lvcmdq_err_map[0] = event_map;
    vevent->lvcmdq_err_map[1] = 0;
    return 0;
}

void qemu_set_irq(qemu_irq irq, int level)
{
    host.irqs += level;
}

/* The rest of what the file needs has nothing to do here */

bool iommufd_backend_get_device_info(IOMMUFDBackend *be, uint32_t devid,
                                     uint32_t *type, void *data, uint32_t len,
                                     uint64_t *caps, uint8_t *max_pasid_log2,
                                     Error **errp)
{
    g_assert_not_reached();
}

bool iommufd_backend_alloc_viommu(IOMMUFDBackend *be, uint32_t dev_id,
                                  uint32_t viommu_type, uint32_t hwpt_id,
                                  void *data_ptr, uint32_t data_len,
                                  uint32_t *out_hwpt, Error **errp)
{
    g_assert_not_reached();
}

bool iommufd_backend_alloc_veventq(IOMMUFDBackend *be, uint32_t viommu_id,
                                   uint32_t type, uint32_t depth,
                                   uint32_t *out_veventq_id,
                                   uint32_t *out_veventq_fd, Error **errp)
{
    g_assert_not_reached();
}

bool iommufd_backend_viommu_mmap(IOMMUFDBackend *be, uint32_t viommu_id,
                                 uint64_t size, off_t offset, void **out_ptr,
                                 Error **errp)
{
    g_assert_not_reached();
}

void memory_region_init_io(MemoryRegion *mr, Object *owner,
                           const MemoryRegionOps *ops, void *opaque,
                           const char *name, uint64_t size)
{
    g_assert_not_reached();
}

void memory_region_init_ram_device_ptr(MemoryRegion *mr, Object *owner,
                                       const char *name, uint64_t size,
                                       void *ptr)
{
}

void memory_region_set_skip_iommu_map(MemoryRegion *mr, bool skip)
{
}

void memory_region_add_subregion_overlap(MemoryRegion *mr, hwaddr offset,
                                         MemoryRegion *subregion, int priority)
{
}

void memory_region_del_subregion(MemoryRegion *mr, MemoryRegion *subregion)
{
}

const char *memory_region_name(const MemoryRegion *mr)
{
    return "test";
}

Object *memory_region_owner(const MemoryRegion *mr)
{
    return NULL;
}

void sysbus_init_mmio(SysBusDevice *dev, MemoryRegion *memory)
{
    g_assert_not_reached();
}

void sysbus_init_irq(SysBusDevice *dev, qemu_irq *p)
{
    g_assert_not_reached();
}

long qemu_minrampagesize(void)
{
    return 16 << CMDQS;
}

/* The guest */

static void w32(hwaddr offset, uint32_t val)
{
    tegra241_cmdqv_write_mmio(&cmdqv, offset, val, 4);
}

static void w64(hwaddr offset, uint64_t val)
{
    tegra241_cmdqv_write_mmio(&cmdqv, offset, val, 8);
}

static uint32_t r32(hwaddr offset)
{
    return tegra241_cmdqv_read_mmio(&cmdqv, offset, 4);
}

static hwaddr page0(int index, hwaddr reg)
{
    return reg + index * CMDQV_VCMDQ_STRIDE;
}

static hwaddr page1(int index)
{
    return A_VCMDQ0_BASE_L + index * CMDQV_VCMDQ_STRIDE;
}

static void set_base(int index)
{
    w64(page1(index), BASE(index) | LOG2);
}

static void set_alloc(int index, bool on)
{
    w32(A_CMDQ_ALLOC_MAP_0 + index * 4, index << 1 | on);
}

/* What the guest sees with the page of the host mapped, and without */
static uint32_t mapped(int index, hwaddr reg)
{
    return ldl_le_p(host.page0 + index * CMDQV_VCMDQ_STRIDE +
                    (reg - A_VCMDQ0_CONS_INDX));
}

static bool sees_enabled(int index)
{
    return (r32(page0(index, A_VCMDQ0_STATUS)) & EN_OK) ||
           (mapped(index, A_VCMDQ0_STATUS) & EN_OK);
}

static uint32_t pending(int index)
{
    return r32(page0(index, A_VCMDQ0_GERROR)) ^
           r32(page0(index, A_VCMDQ0_GERRORN));
}

/* Hardware enables what it has */
static void hardware(void)
{
    int i;

    for (i = 0; i < QUEUES; i++) {
        uint8_t *slot = host.page0 + i * CMDQV_VCMDQ_STRIDE;

        if (host.q[i].used) {
            stl_le_p(slot + 0xc, ldl_le_p(slot + 8) & 1);
        } else {
            memset(slot, 0, CMDQV_VCMDQ_STRIDE);
        }
    }
}

static void guest_enable(int index)
{
    w32(page0(index, A_VCMDQ0_CONFIG), 1);
    hardware();
}

static void start(void)
{
    memset(&host, 0, sizeof(host));
    memset(&cmdqv, 0, sizeof(cmdqv));
    memset(&accel, 0, sizeof(accel));
    memset(&smmu, 0, sizeof(smmu));
    event_map = 0;
    accel.viommu = &viommu;
    accel.cmdqv = &cmdqv;
    smmu.s_accel = &accel;
    smmu.idr[1] = FIELD_DP32(0, IDR1, CMDQS, 19);
    cmdqv.s_accel = &accel;
    cmdqv.vintf_page0 = host.page0;
    tegra241_cmdqv_init_regs(&smmu, &cmdqv);
    w32(A_CONFIG, V_CONFIG_RESET);
    w32(A_VINTF0_CONFIG, 1);
}

/* The usual way, so that what fails below does so for a reason */
static void test_ascending(void)
{
    int i;

    start();
    for (i = 0; i < QUEUES; i++) {
        set_alloc(i, true);
        set_base(i);
        g_assert_false(sees_enabled(i));
        guest_enable(i);
        g_assert_true(sees_enabled(i));
        g_assert_cmphex(host.q[i].addr, ==, BASE(i));
        g_assert_cmphex(host.q[i].length, ==, 16 << LOG2);
    }
    while (i--) {
        set_alloc(i, false);
        g_assert_false(host.q[i].used);
    }
    g_assert_cmpuint(host.refused + host.busy, ==, 0);
}

/* Case i */
static void test_init_error(void)
{
    start();
    host.fail[0] = true;
    set_alloc(0, true);
    set_base(0);
    guest_enable(0);
    g_assert_false(sees_enabled(0));
    g_assert_cmphex(pending(0), ==, INIT_ERR);
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 1);
    g_assert_cmphex(r32(A_CMDQ_ERR_MAP_0), ==, 1);
    g_assert_cmphex(r32(A_VI_ERR_MAP_0), ==, 1);
    g_assert_cmpuint(host.irqs, ==, 1);
    /* Acknowledged: gone from the maps, and another failure is another error */
    w32(page0(0, A_VCMDQ0_GERRORN), r32(page0(0, A_VCMDQ0_GERROR)));
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 0);
    g_assert_cmphex(r32(A_VI_ERR_MAP_0), ==, 0);
    set_base(0);
    g_assert_cmphex(pending(0), ==, INIT_ERR);
    g_assert_cmpuint(host.irqs, ==, 2);
    /* And it works once the host can */
    host.fail[0] = false;
    set_base(0);
    hardware();
    g_assert_true(sees_enabled(0));
    g_assert_cmphex(pending(0), ==, 0);
    g_assert_cmphex(r32(A_VI_ERR_MAP_0), ==, 0);
}

static void test_init_error_masked(void)
{
    start();
    w32(A_VI_INT_MASK_0, 1);
    host.fail[0] = true;
    set_alloc(0, true);
    set_base(0);
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 1);
    g_assert_cmpuint(host.irqs, ==, 0);
}

/* Case ii */
static void test_higher_first(void)
{
    start();
    set_alloc(1, true);
    set_base(1);
    guest_enable(1);
    g_assert_cmpuint(host.allocs, ==, 0);
    g_assert_false(sees_enabled(1));
    g_assert_cmphex(pending(1), ==, 0);
    set_alloc(0, true);
    set_base(0);
    hardware();
    g_assert_true(host.q[0].used && host.q[1].used);
    /* What was asked for before comes true, and no more than that */
    g_assert_true(sees_enabled(1));
    g_assert_false(sees_enabled(0));
    g_assert_cmpuint(host.refused, ==, 0);
}

static void test_lower_fails(void)
{
    start();
    host.fail[0] = true;
    set_alloc(0, true);
    set_alloc(1, true);
    set_base(0);
    set_base(1);
    guest_enable(0);
    guest_enable(1);
    g_assert_false(sees_enabled(0));
    g_assert_false(sees_enabled(1));
    g_assert_cmpuint(host.refused, ==, 0);
    host.fail[0] = false;
    set_base(0);
    hardware();
    g_assert_true(sees_enabled(0));
    g_assert_true(sees_enabled(1));
}

/* Case iii: the base of the lower one is written again */
static void test_lower_rebase(void)
{
    start();
    set_alloc(0, true);
    set_base(0);
    set_alloc(1, true);
    set_base(1);
    guest_enable(0);
    guest_enable(1);
    w32(page0(1, A_VCMDQ0_PROD_INDX), 5);
    stl_le_p(host.page0 + CMDQV_VCMDQ_STRIDE, 3);
    set_base(0);
    hardware();
    g_assert_cmpuint(host.busy + host.refused, ==, 0);
    g_assert_true(host.q[0].used && host.q[1].used);
    /* The other one goes on where it was */
    g_assert_true(sees_enabled(1));
    g_assert_cmphex(mapped(1, A_VCMDQ0_PROD_INDX), ==, 5);
    g_assert_cmphex(mapped(1, A_VCMDQ0_CONS_INDX), ==, 3);
    g_assert_false(sees_enabled(0));
}

/* ... or it is unmapped */
static void test_lower_unmap(void)
{
    start();
    set_alloc(0, true);
    set_base(0);
    set_alloc(1, true);
    set_base(1);
    guest_enable(1);
    set_alloc(0, false);
    hardware();
    g_assert_cmpuint(host.busy, ==, 0);
    g_assert_false(host.q[0].used || host.q[1].used);
    g_assert_false(sees_enabled(1));
    set_alloc(0, true);
    hardware();
    g_assert_true(host.q[0].used && host.q[1].used);
    g_assert_true(sees_enabled(1));
    g_assert_cmpuint(host.refused, ==, 0);
}

/* Case iv */
static void test_stale_cache(void)
{
    start();
    host.fail[0] = true;
    w32(page0(0, A_VCMDQ0_PROD_INDX), 9);
    set_alloc(0, true);
    set_base(0);
    guest_enable(0);
    g_assert_cmphex(pending(0), ==, INIT_ERR);
    set_alloc(0, false);
    g_assert_cmphex(pending(0), ==, 0);
    g_assert_cmphex(r32(page0(0, A_VCMDQ0_PROD_INDX)), ==, 0);
    g_assert_cmphex(r32(page0(0, A_VCMDQ0_CONFIG)), ==, 0);
    host.fail[0] = false;
    set_alloc(0, true);
    hardware();
    g_assert_false(sees_enabled(0));
    guest_enable(0);
    g_assert_true(sees_enabled(0));
}

/* What was written before the allocation is for the queue that comes */
static void test_early_writes(void)
{
    start();
    w32(page0(0, A_VCMDQ0_PROD_INDX), 7);
    w32(page0(0, A_VCMDQ0_CONS_INDX), 7);
    set_alloc(0, true);
    set_base(0);
    g_assert_cmphex(mapped(0, A_VCMDQ0_PROD_INDX), ==, 7);
    g_assert_cmphex(mapped(0, A_VCMDQ0_CONS_INDX), ==, 7);
}

/* Case v */
static void test_half_base(void)
{
    start();
    set_alloc(0, true);
    w32(page1(0), (uint32_t)BASE(0) | LOG2);
    g_assert_cmpuint(host.allocs, ==, 0);
    w32(page1(0) + 4, BASE(0) >> 32);
    g_assert_cmphex(host.q[0].addr, ==, BASE(0));
    /* And when there is one already */
    w32(page1(0) + 4, BASE(1) >> 32);
    g_assert_cmphex(host.q[0].addr, ==, BASE(0));
    w32(page1(0), (uint32_t)BASE(1) | LOG2);
    g_assert_cmphex(host.q[0].addr, ==, BASE(1));
    g_assert_false(host.wrong_addr);
    g_assert_cmpuint(host.allocs, ==, 2);
}

/* A guest that never writes the other half, and says so */
static void test_half_base_enable(void)
{
    start();
    set_alloc(0, true);
    set_base(0);
    w32(page1(0) + 4, BASE(1) >> 32);
    set_alloc(0, false);
    set_alloc(0, true);
    g_assert_false(host.q[0].used);
    w32(page0(0, A_VCMDQ0_CONFIG), 1);
    g_assert_cmphex(host.q[0].addr, ==, BASE(1));
    hardware();
    g_assert_true(sees_enabled(0));
}

/* Case vi */
static void test_size(void)
{
    unsigned log2;

    for (log2 = CMDQS + 1; log2 < 32; log2++) {
        start();
        set_alloc(0, true);
        w64(page1(0), BASE(0) | log2);
        guest_enable(0);
        g_assert_cmpuint(host.allocs, ==, 0);
        g_assert_false(sees_enabled(0));
        g_assert_cmphex(pending(0), ==, INIT_ERR);
    }
    start();
    set_alloc(0, true);
    w64(page1(0), BASE(0) | CMDQS);
    guest_enable(0);
    g_assert_true(sees_enabled(0));
    g_assert_cmphex(host.largest, ==, 16 << CMDQS);
}

/* After a failure nothing looks enabled, whatever the guest does then */
static void test_never_enabled(void)
{
    int i;

    start();
    host.fail[0] = true;
    set_alloc(0, true);
    set_base(0);
    for (i = 0; i < 3; i++) {
        guest_enable(0);
        g_assert_false(sees_enabled(0));
        w32(page0(0, A_VCMDQ0_GERRORN), r32(page0(0, A_VCMDQ0_GERROR)));
        guest_enable(0);
        g_assert_false(sees_enabled(0));
        w32(page0(0, A_VCMDQ0_CONFIG), 0);
        g_assert_false(sees_enabled(0));
        w32(A_VINTF0_CONFIG, 0);
        w32(A_VINTF0_CONFIG, 1);
        g_assert_false(sees_enabled(0));
    }
}

/* A host that can tell is asked; one that cannot tells by events */
static void test_host_state(void)
{
    start();
    event_map = 2;
    tegra241_cmdqv_event_read(&cmdqv);
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 2);
    host.has_command = true;
    host.state[1] = 3 | 2 << 16;
    host.state[2] = 0x100000001ULL;
    host.state[3] = 0;
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 1);
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0 + 4), ==, 1);
    g_assert_cmphex(r32(A_CMDQ_ERR_MAP_0), ==, 1);
    g_assert_cmphex(r32(A_VI_ERR_MAP_0), ==, 1);
    g_assert_cmphex(r32(A_VINTF0_STATUS), ==, 0x20003);
    /* The guest has acknowledged in its page; the host has lost the VINTF */
    host.state[2] = 0;
    host.state[1] = 0;
    g_assert_cmphex(r32(A_VINTF0_LVCMDQ_ERR_MAP_0), ==, 0);
    g_assert_cmphex(r32(A_VI_ERR_MAP_0), ==, 0);
    g_assert_cmphex(r32(A_VINTF0_STATUS), ==, 0);
    /* Not enabled by the guest: not enabled, whatever the host says */
    host.state[1] = 1;
    w32(A_VINTF0_CONFIG, 0);
    g_assert_cmphex(r32(A_VINTF0_STATUS), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tegra241-cmdqv/ascending", test_ascending);
    g_test_add_func("/tegra241-cmdqv/early-writes", test_early_writes);
    g_test_add_func("/tegra241-cmdqv/i/init-error", test_init_error);
    g_test_add_func("/tegra241-cmdqv/i/masked", test_init_error_masked);
    g_test_add_func("/tegra241-cmdqv/ii/higher-first", test_higher_first);
    g_test_add_func("/tegra241-cmdqv/ii/lower-fails", test_lower_fails);
    g_test_add_func("/tegra241-cmdqv/iii/rebase", test_lower_rebase);
    g_test_add_func("/tegra241-cmdqv/iii/unmap", test_lower_unmap);
    g_test_add_func("/tegra241-cmdqv/iv/stale-cache", test_stale_cache);
    g_test_add_func("/tegra241-cmdqv/v/half-base", test_half_base);
    g_test_add_func("/tegra241-cmdqv/v/enable", test_half_base_enable);
    g_test_add_func("/tegra241-cmdqv/vi/size", test_size);
    g_test_add_func("/tegra241-cmdqv/state/never-enabled", test_never_enabled);
    g_test_add_func("/tegra241-cmdqv/state/host", test_host_state);
    return g_test_run();
}
