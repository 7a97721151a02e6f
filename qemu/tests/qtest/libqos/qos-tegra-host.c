/*
 * libqos: host side of the Tegra241 CMDQV
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qos-tegra-host.h"

#define DEVICE_PATH     "/machine/peripheral/iommu"

static void save_dev(QPCIDevice *dev, int devfn, void *data)
{
    *(QPCIDevice **)data = dev;
}

QTegraHost *qth_start(const char *props)
{
    QTegraHost *h = g_new0(QTegraHost, 1);

    h->qts = qtest_initf("-machine virt,acpi=off,gic-version=3 -smp 1 -m 512 "
                         "-cpu max -net none -device arm-smmuv3,id=iommu,"
                         "primary-bus=pcie.0,stage=nested,cmdqv-host=on%s "
                         "-device iommu-testdev", props);
    qpci_init_generic(&h->gbus, h->qts, NULL, false);
    qpci_device_foreach(&h->gbus.bus, IOMMU_TESTDEV_VENDOR_ID,
                        IOMMU_TESTDEV_DEVICE_ID, save_dev, &h->dev);
    g_assert(h->dev);
    qpci_device_enable(h->dev);
    h->bar = qpci_iomap(h->dev, 0, NULL);
    return h;
}

void qth_stop(QTegraHost *h)
{
    g_free(h->dev);
    qtest_quit(h->qts);
    g_free(h);
}

uint32_t qth_read(QTegraHost *h, uint64_t reg)
{
    return qtest_readl(h->qts, QTH_BASE + reg);
}

void qth_write(QTegraHost *h, uint64_t reg, uint32_t val)
{
    qtest_writel(h->qts, QTH_BASE + reg, val);
}

uint64_t qth_read64(QTegraHost *h, uint64_t reg)
{
    return qtest_readq(h->qts, QTH_BASE + reg);
}

void qth_write64(QTegraHost *h, uint64_t reg, uint64_t val)
{
    qtest_writeq(h->qts, QTH_BASE + reg, val);
}

QTegraHost *qth_up(const char *props)
{
    QTegraHost *h = qth_start(props);

    qth_write(h, QTH_CONFIG, qth_read(h, QTH_CONFIG) | 1);
    g_assert_cmphex(qth_read(h, QTH_STATUS), ==, 1);
    return h;
}

void qth_vintf(QTegraHost *h, unsigned vi, uint16_t vmid, bool hyp)
{
    uint32_t config = vmid << 1 | (hyp ? QTH_HYP_OWN : 0);

    qth_write(h, QTH_VINTF(vi) + QTH_VI_CONFIG, config);
    qth_write(h, QTH_VINTF(vi) + QTH_VI_CONFIG, config | 1);
    g_assert_cmphex(qth_read(h, QTH_VINTF(vi) + QTH_VI_STATUS) & 1, ==, 1);
}

void qth_queue(QTegraHost *h, QTegraQueue *q, unsigned vi, unsigned lq,
               unsigned log2)
{
    q->h = h;
    q->index = vi * QTH_PER_VINTF + lq;
    q->vi = vi;
    q->lq = lq;
    q->log2 = log2;
    q->ring = QTH_RAM + q->index * 0x10000;
    q->prod = 0;
    qth_write(h, QTH_ALLOC(q->index), QTH_ALLOC_VAL(vi, lq));
    qth_write64(h, QTH_PAGE1(vi, lq) + QTH_Q_BASE, q->ring | log2);
}

void qth_queue_enable(QTegraQueue *q)
{
    qth_page0_write(q, QTH_Q_CONFIG, 1);
    g_assert_cmphex(qth_page0(q, QTH_Q_STATUS), ==, 1);
}

void qth_guest(QTegraHost *h, QTegraQueue *q)
{
    qth_vintf(h, 1, 7, false);
    qth_queue(h, q, 1, 0, 3);
    qth_queue_enable(q);
}

uint32_t qth_page0(QTegraQueue *q, unsigned reg)
{
    return qth_read(q->h, QTH_PAGE0(q->vi, q->lq) + reg);
}

void qth_page0_write(QTegraQueue *q, unsigned reg, uint32_t val)
{
    qth_write(q->h, QTH_PAGE0(q->vi, q->lq) + reg, val);
}

void qth_put(QTegraQueue *q, uint64_t lo, uint64_t hi)
{
    uint64_t at = q->ring + 16 * (q->prod & ((1 << q->log2) - 1));

    qtest_writeq(q->h->qts, at, lo);
    qtest_writeq(q->h->qts, at + 8, hi);
    q->prod = (q->prod + 1) & ((2 << q->log2) - 1);
}

void qth_kick(QTegraQueue *q)
{
    qth_page0_write(q, QTH_PROD, q->prod);
}

void qth_command(QTegraQueue *q, uint64_t lo, uint64_t hi)
{
    qth_put(q, lo, hi);
    qth_kick(q);
}

void qth_good(QTegraQueue *q, uint64_t lo, uint64_t hi)
{
    qth_command(q, lo, hi);
    /* The code of the last error stays beside the index */
    g_assert_cmphex(qth_page0(q, QTH_CONS) & 0xfffff, ==, q->prod);
    g_assert_cmphex(qth_page0(q, QTH_GERROR), ==, qth_page0(q, QTH_GERRORN));
}

void qth_bad(QTegraQueue *q, uint64_t lo, uint64_t hi, unsigned code)
{
    uint32_t before = qth_page0(q, QTH_CONS) & 0xfffff;
    uint32_t cons;

    qth_command(q, lo, hi);
    cons = qth_page0(q, QTH_CONS);
    g_assert_cmphex(cons & 0xfffff, ==, before);
    g_assert_cmphex(cons >> 24, ==, code);
    g_assert_cmphex(qth_page0(q, QTH_GERROR) ^ qth_page0(q, QTH_GERRORN), ==,
                    QTH_ERR_CMDQ);
}

void qth_skip(QTegraQueue *q)
{
    uint32_t cons = qth_page0(q, QTH_CONS) & ((1 << q->log2) - 1);

    qtest_writeq(q->h->qts, q->ring + 16 * cons, QTH_SYNC);
    qtest_writeq(q->h->qts, q->ring + 16 * cons + 8, 0);
    qth_page0_write(q, QTH_GERRORN, qth_page0(q, QTH_GERROR));
}

void qth_set_bool(QTegraHost *h, const char *name, bool val)
{
    qtest_qmp_assert_success(h->qts, "{ 'execute': 'qom-set', 'arguments': {"
                             " 'path': %s, 'property': %s, 'value': %i } }",
                             DEVICE_PATH, name, val);
}

void qth_set_u64(QTegraHost *h, const char *name, uint64_t val)
{
    qtest_qmp_assert_success(h->qts, "{ 'execute': 'qom-set', 'arguments': {"
                             " 'path': %s, 'property': %s, 'value': %"
                             PRIu64 "} }", DEVICE_PATH, name, val);
}

void qth_inject(QTegraHost *h, const char *what)
{
    qtest_qmp_assert_success(h->qts, "{ 'execute': 'qom-set', 'arguments': {"
                             " 'path': %s, 'property': 'cmdqv-inject',"
                             " 'value': %s } }", DEVICE_PATH, what);
}

static QDict *qom_get(QTegraHost *h, const char *name)
{
    return qtest_qmp(h->qts, "{ 'execute': 'qom-get', 'arguments': {"
                     " 'path': %s, 'property': %s } }", DEVICE_PATH, name);
}

uint64_t qth_get(QTegraHost *h, const char *name)
{
    QDict *rsp = qom_get(h, name);
    uint64_t val = qnum_get_uint(qobject_to(QNum, qdict_get(rsp, "return")));

    qobject_unref(rsp);
    return val;
}

/* A member that is not there counts as 0 */
static uint64_t member(QDict *dict, const char *key)
{
    QNum *num = qobject_to(QNum, qdict_get(dict, key));

    return num ? qnum_get_uint(num) : 0;
}

uint64_t qth_counter(QTegraHost *h, const char *key)
{
    QDict *rsp = qom_get(h, "cmdqv-counters");
    QDict *all = qdict_get_qdict(rsp, "return");
    uint64_t val;

    g_assert(qdict_haskey(all, key));
    val = member(all, key);
    qobject_unref(rsp);
    return val;
}

uint64_t qth_queue_stat(QTegraQueue *q, const char *key)
{
    QDict *rsp = qom_get(q->h, "cmdqv-queues");
    QList *list = qobject_to(QList, qdict_get(rsp, "return"));
    const QListEntry *entry;
    uint64_t val = UINT64_MAX;

    QLIST_FOREACH_ENTRY(list, entry) {
        QDict *one = qobject_to(QDict, qlist_entry_obj(entry));

        if (member(one, "index") == q->index) {
            g_assert(qdict_haskey(one, key));
            val = member(one, key);
        }
    }
    qobject_unref(rsp);
    return val;
}

uint64_t qth_violations(QTegraHost *h, const char *name)
{
    QDict *rsp = qom_get(h, "cmdqv-violations");
    uint64_t val = member(qdict_get_qdict(rsp, "return"), name);

    qobject_unref(rsp);
    return val;
}

void qth_assert_clean(QTegraHost *h)
{
    g_assert_cmpuint(qth_get(h, "cmdqv-violation-count"), ==, 0);
}

void qth_assert_violation(QTegraHost *h, const char *name)
{
    g_assert_cmpuint(qth_violations(h, name), ==, 1);
    g_assert_cmpuint(qth_get(h, "cmdqv-violation-count"), ==, 1);
}
