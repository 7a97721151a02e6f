/*
 * QTest for the AMD hardware vIOMMU: random operations
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Accesses of registers, by a host driver and by guests that know no rules, and
 * commands in the rings of guests, partly well-formed. The two are counted
 * apart, since one doorbell is thousands of commands, and what a ring did not
 * execute does not count. The model must neither crash nor hang, and afterwards
 * a correct guest must still work. The seed is that of the test framework
 * (--seed); AMD_VIOMMU_FUZZ_OPS changes the number of accesses, and there are
 * twenty times as many commands.
 */

#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/qos-amd-viommu.h"

#define OPS             40000ULL
#define COMMANDS_PER_OP 20
#define GUESTS          4
#define RING_CODE       12
#define BATCH           (1U << RING_CODE)
/* Who has not done it by then has failed */
#define SECONDS         480

typedef struct Fuzz {
    QAMDVIOMMU *v;
    QAVGuest *guest[GUESTS];
    uint64_t done;              /* accesses of registers, host commands */
    uint64_t commands;          /* executed by rings of guests */
    uint64_t torn, torn_old;    /* where a table is wrong, and what was there */
} Fuzz;

static uint64_t r64(void)
{
    return (uint64_t)(uint32_t)g_test_rand_int() << 32 |
           (uint32_t)g_test_rand_int();
}

static unsigned below(unsigned n)
{
    return (uint32_t)g_test_rand_int() % n;
}

/* Values near what is valid are the ones that get far */
static uint64_t value(void)
{
    switch (below(6)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return BIT_ULL(below(64));
    case 3:
        return r64() & 0x7fff0;
    case 4:
        return r64() & r64() & r64();
    default:
        return r64();
    }
}

static QAVGuest *any(Fuzz *f)
{
    return f->guest[below(GUESTS)];
}

static uint16_t any_gid(Fuzz *f)
{
    return below(8) ? any(f)->gid : r64();
}

static uint64_t some_control(QAVGuest *g, unsigned reg)
{
    static const uint64_t masks[] = {
        AMD_VFC_MAP_MASK, AMD_VFC_MAP_MASK, AMD_VFC_MISC_MASK,
        AMD_VFC_BASE_MASK, AMD_VFC_CMD_MASK, AMD_VFC_EVT_MASK,
        AMD_VFC_PPR_MASK, AMD_VFC_BASE_MASK,
    };
    uint64_t val = r64() & masks[reg / 8];

    if (below(3)) {
        return value();
    }
    if (reg == AMD_VFC_CMD || reg == AMD_VFC_EVT) {
        val = (val & 0xfff) | (g->ring & AMD_VFC_BASE_MASK);
    } else if (reg == AMD_VFC_MISC && below(4)) {
        val = (uint64_t)g->trans << AMD_VFC_MISC_TRANS_SHIFT;
    } else if (reg <= AMD_VFC_DOM_MAP) {
        val |= AMD_VFC_MAP_TRIGGER | AMD_VFC_MAP_VALID;
    }
    return val;
}

static void vfc(Fuzz *f)
{
    unsigned reg = below(8) * 8;

    qav_vfc_write(f->v, any_gid(f), reg, some_control(any(f), reg));
    f->done++;
}

static void odd_access(Fuzz *f)
{
    QTestState *qts = f->v->q->qts;
    uint64_t at = below(2) ?
                  AMD_VIOMMU_VF_BASE_DEFAULT + r64() % AMD_VIOMMU_VF_SIZE :
                  AMD_VIOMMU_VFC_BASE_DEFAULT + r64() % AMD_VIOMMU_VFC_SIZE;

    switch (below(6)) {
    case 0:
        qtest_writeb(qts, at, r64());
        break;
    case 1:
        qtest_writew(qts, at, r64());
        break;
    case 2:
        qtest_writel(qts, at & ~3ULL, r64());
        break;
    case 3:
        qtest_readl(qts, at);
        break;
    case 4:
        qtest_readq(qts, at & ~7ULL);
        break;
    default:
        qtest_writeq(qts, at & ~7ULL, value());
        break;
    }
    f->done++;
}

static void vf(Fuzz *f)
{
    if (below(4)) {
        qav_vf_write(f->v, any_gid(f), below(20) * 8, value());
    } else {
        qav_vf_read(f->v, any_gid(f), below(20) * 8);
    }
    f->done++;
}

static void host_command(Fuzz *f)
{
    static const uint8_t ops[] = { 1, 2, 3, 4, 5, 7, 8, 9, 0xa };
    uint64_t op = below(10) ? ops[below(ARRAY_SIZE(ops))] : below(16);
    uint64_t q0 = value() & MAKE_64BIT_MASK(0, 60), q1 = value();

    if (op == 1) {
        q0 = below(2);
    } else if (below(4)) {
        q0 = op == 0xa ? AMD_CMD_RESET_ALL | AMD_CMD_RESET_VCMD | any_gid(f) :
             op == 3 ? (uint64_t)QAV_PAS_DOMID << 32 : f->v->own;
        q1 = op == 3 ? QAMD_INV_ALL_ADDR | QAMD_INV_S : 0;
    }
    qamd_cmd(f->v->q, op << 60 | q0, q1);
    f->done++;
}

/* Most control bits would only switch the ring off that this test needs */
static void control(Fuzz *f)
{
    uint64_t flip = AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN |
                    AMD_VIOMMU_CTRL_GST_BUF_TRP | AMD_VIOMMU_CTRL_GCR3_TRP |
                    AMDVI_MMIO_CONTROL_EVENTLOGEN;

    qamd_set_reg(f->v->q, AMDVI_MMIO_CONTROL,
                 (qamd_reg(f->v->q, AMDVI_MMIO_CONTROL) & ~flip) |
                 (below(3) ? flip : r64() & flip) |
                 AMDVI_MMIO_CONTROL_AMDVIEN | AMDVI_MMIO_CONTROL_CMDBUFLEN);
    /* An illegal host command has stopped the host's ring, its log is full */
    qamd_set_reg(f->v->q, AMDVI_MMIO_STATUS, UINT64_MAX);
    f->done++;
}

static void restart_host_ring(Fuzz *f)
{
    uint64_t on = qamd_reg(f->v->q, AMDVI_MMIO_CONTROL);

    qamd_set_reg(f->v->q, AMDVI_MMIO_CONTROL,
                 on & ~AMDVI_MMIO_CONTROL_CMDBUFLEN);
    qamd_set_reg(f->v->q, AMDVI_MMIO_COMMAND_BASE,
                 qamd_reg(f->v->q, AMDVI_MMIO_COMMAND_BASE));
    f->v->q->cmd_tail = 0;
    qamd_set_reg(f->v->q, AMDVI_MMIO_CONTROL, on);
    f->done += 3;
}

/* Tables that stay wrong would leave guests that execute nothing any more */
static void mend(Fuzz *f)
{
    if (f->torn) {
        qtest_writeq(f->v->q->qts, f->torn, f->torn_old);
        f->torn = 0;
        restart_host_ring(f);
        qamd_inv_all(f->v->q);
    }
}

/* Tables and DTEs that point anywhere, until the next time */
static void scribble(Fuzz *f)
{
    QAVGuest *g = any(f);
    uint64_t where[] = {
        g->map_spa[below(4)], g->s2, f->v->pas_root,
        f->v->q->devtab + f->v->own * 32, f->v->q->devtab + g->trans * 32,
    };
    uint64_t at = where[below(ARRAY_SIZE(where))] + below(4) * 8;

    mend(f);
    f->torn = at;
    f->torn_old = qtest_readq(f->v->q->qts, at);
    qtest_writeq(f->v->q->qts, at, value());
    vfc(f);
    vf(f);
    host_command(f);
    if (below(4)) {
        mend(f);
    }
    f->done++;
}

static void knob(Fuzz *f)
{
    static const char *const names[] = {
        "viommu-ring-error", "viommu-log-overflow", "viommu-vf-enable",
        "viommu-vfc-all-ones", "viommu-base-resets-pointers",
    };
    static const char *const fault[] = { "io-page-fault", "illegal-command" };
    static const char *const cw[] = { "lost", "wrong", "normal" };
    const char *name = names[below(ARRAY_SIZE(names))];

    qav_set_bool(f->v, name, true);
    qav_set_str(f->v, "viommu-cw", cw[below(3)]);
    qav_set_str(f->v, "viommu-ring-fault", fault[below(2)]);
    qamd_set(f->v->q, "viommu-stop-delay-ms", below(3));
    qamd_set(f->v->q, "viommu-misc-extra", value());
    qamd_set(f->v->q, "iotlb-silent", below(2) ? 0x40 + below(4) : UINT32_MAX);
    vf(f);
    vfc(f);
    qav_set_bool(f->v, name, !strcmp(name, "viommu-vf-enable"));
    qtest_clock_step(f->v->q->qts, 300000000);
}

/* Fields that a command has, everything in them that there can be */
static void some_command(QAVGuest *g, uint64_t cmd[2])
{
    static const uint8_t ops[] = { 1, 2, 3, 4, 5, 7, 8 };
    uint64_t op = ops[below(ARRAY_SIZE(ops))];
    uint64_t id = below(4) ? below(256) : below(0x10000);

    cmd[0] = id;
    cmd[1] = 0;
    switch (op) {
    case 1:
        cmd[0] = (below(2000) ? g->sem : r64() & MAKE_64BIT_MASK(3, 49)) |
                 below(8);
        cmd[1] = r64();
        break;
    case 3:
        /* Domain, PASID; address, S, PDE, GN */
        cmd[0] = id << 32 | below(1 << 20);
        cmd[1] = value() & (MAKE_64BIT_MASK(12, 52) | 7);
        break;
    case 4:
        /* Also queue ID, MaxPend and PASID; address, S, GN and type */
        cmd[0] |= value() & MAKE_64BIT_MASK(16, 44);
        cmd[1] = value() & (MAKE_64BIT_MASK(12, 52) | 0x35);
        break;
    case 7:
        cmd[0] |= value() & MAKE_64BIT_MASK(32, 20);
        cmd[1] = value();
        break;
    case 8:
        cmd[0] = 0;
        break;
    }
    cmd[0] |= op << 60;
    /* Whatever else: mostly it stops the ring */
    if (!below(5000)) {
        cmd[below(2)] ^= below(2) ? BIT_ULL(below(64)) : value();
    }
}

/* A whole ring of commands with one doorbell */
static void batch(Fuzz *f)
{
    g_autofree uint64_t *ring = g_new(uint64_t, 2 * BATCH);
    QAVGuest *g = any(f);
    uint64_t head;
    unsigned i;

    for (i = 0; i < BATCH; i++) {
        some_command(g, &ring[2 * i]);
    }
    qtest_bufwrite(f->v->q->qts, g->ring_spa, ring, 16 * BATCH);
    qav_vfc_write(f->v, g->gid, AMD_VFC_MISC,
                  (uint64_t)g->trans << AMD_VFC_MISC_TRANS_SHIFT);
    qav_vfc_write(f->v, g->gid, AMD_VFC_CMD, 0);
    qav_vf_write(f->v, g->gid, AMD_VF_CMD_HEAD, 0);
    qav_vf_write(f->v, g->gid, AMD_VF_CMD_TAIL, 0);
    qav_vfc_write(f->v, g->gid, AMD_VFC_CMD,
                  g->ring | RING_CODE | AMD_VFC_CMD_EN);
    qav_vf_write(f->v, g->gid, AMD_VF_CMD_TAIL, (BATCH - 1) * 16);
    head = qav_vf_read(f->v, g->gid, AMD_VF_CMD_HEAD);
    f->commands += head == UINT64_MAX ? 0 : head / 16;
    f->done += 7;
}

static void one(Fuzz *f)
{
    static void (*const often[])(Fuzz *) = {
        vfc, vfc, vf, vf, host_command, odd_access,
    };

    switch (below(1000)) {
    case 0 ... 9:
        batch(f);
        break;
    case 10 ... 19:
        scribble(f);
        break;
    case 20 ... 39:
        control(f);
        break;
    case 40 ... 49:
        restart_host_ring(f);
        break;
    case 50:
        knob(f);
        break;
    default:
        often[below(ARRAY_SIZE(often))](f);
        break;
    }
}

/* The hardware is not left in a state from which it cannot be brought back */
static void recover(Fuzz *f)
{
    QAVGuest *g;

    qtest_system_reset(f->v->q->qts);
    qav_set_str(f->v, "viommu-cw", "normal");
    qamd_set(f->v->q, "iotlb-silent", UINT32_MAX);
    f->v->q->cmd_tail = 0;
    qav_enable(f->v);
    g = qav_guest(f->v, 77);
    qav_ring(g, QAV_RING_CODE);
    g_assert(qav_wait(g));
    qav_guest_free(g);
}

static void test_fuzz(void)
{
    const char *env = g_getenv("AMD_VIOMMU_FUZZ_OPS");
    uint64_t ops = env ? g_ascii_strtoull(env, NULL, 0) : OPS;
    Fuzz f = { .v = qav_up("") };
    int i;

    for (i = 0; i < GUESTS; i++) {
        f.guest[i] = qav_guest(f.v, i + 1);
        qav_map_dom(f.guest[i], i, 0x40 + i);
        qav_map_dev(f.guest[i], i, 0x40 + i);
        qav_ring(f.guest[i], RING_CODE);
    }
    /* A device that does not answer holds a ring up for 1 ms */
    qav_control(f.v, 1ULL << 5);
    g_test_timer_start();
    while (f.done < ops || f.commands < ops * COMMANDS_PER_OP) {
        one(&f);
        g_assert_cmpfloat(g_test_timer_elapsed(), <, SECONDS);
    }
    g_test_message("%" PRIu64 " accesses, %" PRIu64 " commands in %.0f s, %"
                   PRIu64 " violations", f.done, f.commands,
                   g_test_timer_elapsed(),
                   qamd_get(f.v->q, "stat-violations"));
    recover(&f);
    for (i = 0; i < GUESTS; i++) {
        qav_guest_free(f.guest[i]);
    }
    qav_stop(f.v);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-viommu/fuzz", test_fuzz);
    return g_test_run();
}
