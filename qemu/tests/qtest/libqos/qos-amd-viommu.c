/*
 * libqos: AMD hardware vIOMMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "pci-pc.h"
#include "qos-amd-viommu.h"

#define PAGE            0x1000ULL
#define MIB2            0x200000ULL
/* Above what qamd_page() hands out */
#define BACKING_SPA     0x18000000ULL
#define DEVICE_PATH     "/machine/peripheral/iommu"

static void save_own(QPCIDevice *dev, int devfn, void *data)
{
    *(uint16_t *)data = devfn;
    g_free(dev);
}

QAMDVIOMMU *qav_start(const char *props)
{
    g_autofree char *all = g_strdup_printf(",gcr3trpmode=on,giosup=on,"
                                           "glxsup=1,viommu=on%s", props);
    QAMDVIOMMU *v = g_new0(QAMDVIOMMU, 1);

    v->q = qamd_start(all, "");
    qpci_device_foreach(v->q->bus, 0x1022, 0x1419, save_own, &v->own);
    return v;
}

void qav_stop(QAMDVIOMMU *v)
{
    qamd_stop(v->q);
    g_free(v);
}

void qav_map_backing(QAMDVIOMMU *v)
{
    uint64_t at;

    v->pas_root = qamd_page(v->q);
    for (at = 0; at < AMD_PAS_BACKING_SIZE; at += MIB2) {
        qamd_map_host(v->q, v->pas_root, 4, AMD_PAS_BACKING + at,
                      BACKING_SPA + at, 2, QAMD_PTE_RW);
    }
}

void qav_write_dte(QAMDVIOMMU *v, uint16_t devid, const uint64_t dte[4])
{
    int i;

    for (i = 0; i < 4; i++) {
        qtest_writeq(v->q->qts, v->q->devtab + devid * 32 + i * 8, dte[i]);
    }
}

void qav_set_dte(QAMDVIOMMU *v, uint16_t devid, const uint64_t dte[4])
{
    qav_write_dte(v, devid, dte);
    qamd_inv_dte(v->q, devid);
    g_assert(qamd_wait(v->q));
}

void qav_own_dte(QAMDVIOMMU *v)
{
    uint64_t dte[4];

    qamd_host_dte(dte, QAV_PAS_DOMID, v->pas_root, 4);
    qav_set_dte(v, v->own, dte);
}

void qav_flush_pas(QAMDVIOMMU *v)
{
    qamd_inv_pages(v->q, QAV_PAS_DOMID, 0,
                   QAMD_INV_ALL_ADDR | QAMD_INV_S | QAMD_INV_PDE);
    g_assert(qamd_wait(v->q));
}

void qav_control(QAMDVIOMMU *v, uint64_t set)
{
    qamd_set_reg(v->q, AMDVI_MMIO_CONTROL,
                 qamd_reg(v->q, AMDVI_MMIO_CONTROL) | set);
}

void qav_enable(QAMDVIOMMU *v)
{
    qamd_enable(v->q, AMD_VIOMMU_CTRL_GCR3_TRP | AMDVI_MMIO_CONTROL_GAEN);
    qav_map_backing(v);
    qav_own_dte(v);
    qav_flush_pas(v);
    qav_control(v, AMD_VIOMMU_CTRL_GST_BUF_TRP);
    qav_control(v, AMD_VIOMMU_CTRL_VCMD_EN);
    qav_control(v, AMD_VIOMMU_CTRL_VIOMMU_EN);
}

QAMDVIOMMU *qav_up(const char *props)
{
    QAMDVIOMMU *v = qav_start(props);

    qav_enable(v);
    return v;
}

void qav_reset_cmd(QAMDVIOMMU *v, uint16_t gid)
{
    qamd_cmd(v->q, (uint64_t)AMD_CMD_RESET_VMMIO << 60 | AMD_CMD_RESET_VCMD |
             AMD_CMD_RESET_ALL | gid, 0);
}

/*
 * Registers
 */

static uint64_t vfc_addr(uint16_t gid, unsigned reg)
{
    return AMD_VIOMMU_VFC_BASE_DEFAULT +
           ((uint64_t)gid << AMD_VIOMMU_VFC_SHIFT) + reg;
}

static uint64_t vf_addr(uint16_t gid, unsigned reg)
{
    return AMD_VIOMMU_VF_BASE_DEFAULT +
           ((uint64_t)gid << AMD_VIOMMU_VF_SHIFT) + reg;
}

void qav_vfc_write(QAMDVIOMMU *v, uint16_t gid, unsigned reg, uint64_t val)
{
    qtest_writeq(v->q->qts, vfc_addr(gid, reg), val);
}

uint64_t qav_vfc_read(QAMDVIOMMU *v, uint16_t gid, unsigned reg)
{
    return qtest_readq(v->q->qts, vfc_addr(gid, reg));
}

void qav_vf_write(QAMDVIOMMU *v, uint16_t gid, unsigned reg, uint64_t val)
{
    qtest_writeq(v->q->qts, vf_addr(gid, reg), val);
}

uint64_t qav_vf_read(QAMDVIOMMU *v, uint16_t gid, unsigned reg)
{
    return qtest_readq(v->q->qts, vf_addr(gid, reg));
}

/*
 * Guests
 */

QAVGuest *qav_guest_alloc(QAMDVIOMMU *v, uint16_t gid)
{
    QAVGuest *g = g_new0(QAVGuest, 1);

    g->v = v;
    g->gid = gid;
    g->domid = 0x100 + gid;
    g->trans = QAV_TRANS_DEVID + gid % 8;
    g->s2 = qamd_page(v->q);
    return g;
}

/* The pages with the first and the last entries of both maps are enough */
void qav_guest_tables(QAVGuest *g)
{
    uint64_t dev = AMD_PAS_DEVMAP + ((uint64_t)g->gid << AMD_PAS_DEVMAP_SHIFT);
    uint64_t dom = AMD_PAS_DOMMAP + ((uint64_t)g->gid << AMD_PAS_DOMMAP_SHIFT);
    uint64_t pages[] = {
        dev, dev + (1ULL << AMD_PAS_DEVMAP_SHIFT) - PAGE,
        dom, dom + (1ULL << AMD_PAS_DOMMAP_SHIFT) - PAGE,
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(pages); i++) {
        g->map_spa[i] = qamd_page(g->v->q);
        qamd_map_host(g->v->q, g->v->pas_root, 4, pages[i], g->map_spa[i], 1,
                      QAMD_PTE_RW);
    }
    qav_flush_pas(g->v);
}

void qav_guest_reset(QAVGuest *g)
{
    qav_reset_cmd(g->v, g->gid);
    g_assert(qamd_wait(g->v->q));
}

void qav_guest_trans(QAVGuest *g)
{
    uint64_t dte[4];

    qamd_host_dte(dte, g->domid, g->s2, 4);
    /* Interrupt messages of that ID are refused */
    dte[2] = QAMD_DTE2_IV;
    qav_set_dte(g->v, g->trans, dte);
    qav_vfc_write(g->v, g->gid, AMD_VFC_MISC,
                  (uint64_t)g->trans << AMD_VFC_MISC_TRANS_SHIFT);
}

QAVGuest *qav_guest(QAMDVIOMMU *v, uint16_t gid)
{
    QAVGuest *g = qav_guest_alloc(v, gid);

    qav_guest_tables(g);
    qav_guest_reset(g);
    qav_guest_trans(g);
    g->sem = qav_guest_pages(g, 1, &g->sem_spa);
    return g;
}

void qav_guest_free(QAVGuest *g)
{
    g_free(g);
}

void qav_map_guest_page(QAVGuest *g, uint64_t gpa, uint64_t spa)
{
    qamd_map_host(g->v->q, g->s2, 4, gpa, spa, 1, QAMD_PTE_RW);
}

void qav_unmap_guest_page(QAVGuest *g, uint64_t gpa)
{
    uint64_t at = qamd_map_host(g->v->q, g->s2, 4, gpa, 0, 1, 0);

    qtest_writeq(g->v->q->qts, at, 0);
}

uint64_t qav_guest_pages(QAVGuest *g, unsigned n, uint64_t *spa)
{
    uint64_t first = g->v->q->next, i;

    g->v->q->next += n * PAGE;
    qtest_memset(g->v->q->qts, first, 0, n * PAGE);
    for (i = 0; i < n; i++) {
        qav_map_guest_page(g, first + i * PAGE + QAMD_GPA_OFFSET,
                           first + i * PAGE);
    }
    *spa = first;
    return first + QAMD_GPA_OFFSET;
}

static uint64_t map_value(uint16_t id, uint16_t hid)
{
    return AMD_VFC_MAP_TRIGGER | (uint64_t)id << AMD_VFC_MAP_GID_SHIFT |
           (uint64_t)hid << AMD_VFC_MAP_HID_SHIFT | AMD_VFC_MAP_VALID;
}

void qav_map_dev(QAVGuest *g, uint16_t gdev, uint16_t hdev)
{
    qav_vfc_write(g->v, g->gid, AMD_VFC_DEV_MAP, map_value(gdev, hdev));
}

void qav_map_dom(QAVGuest *g, uint16_t gdom, uint16_t hdom)
{
    qav_vfc_write(g->v, g->gid, AMD_VFC_DOM_MAP, map_value(gdom, hdom));
}

void qav_ring(QAVGuest *g, unsigned code)
{
    g->ring_bytes = 16U << code;
    g->ring = qav_guest_pages(g, g->ring_bytes / PAGE, &g->ring_spa);
    g->tail = 0;
    qav_vf_write(g->v, g->gid, AMD_VF_CMD_HEAD, 0);
    qav_vf_write(g->v, g->gid, AMD_VF_CMD_TAIL, 0);
    qav_vfc_write(g->v, g->gid, AMD_VFC_CMD, g->ring | code);
    qav_vfc_write(g->v, g->gid, AMD_VFC_CMD, g->ring | code | AMD_VFC_CMD_EN);
}

uint64_t qav_event_log(QAVGuest *g, uint64_t flags)
{
    uint64_t spa, gpa = qav_guest_pages(g, 1, &spa);

    qav_vfc_write(g->v, g->gid, AMD_VFC_EVT,
                  gpa | QAV_RING_CODE | AMD_VFC_EVT_EN | flags);
    return spa;
}

void qav_put(QAVGuest *g, uint64_t q0, uint64_t q1)
{
    qtest_writeq(g->v->q->qts, g->ring_spa + g->tail, q0);
    qtest_writeq(g->v->q->qts, g->ring_spa + g->tail + 8, q1);
    g->tail = (g->tail + 16) % g->ring_bytes;
}

void qav_doorbell(QAVGuest *g)
{
    qav_vf_write(g->v, g->gid, AMD_VF_CMD_TAIL, g->tail);
}

void qav_cmd(QAVGuest *g, uint64_t q0, uint64_t q1)
{
    qav_put(g, q0, q1);
    qav_doorbell(g);
}

bool qav_wait(QAVGuest *g)
{
    g->sem_value++;
    qav_cmd(g, (uint64_t)AMDVI_CMD_COMPLETION_WAIT << 60 | g->sem | 1,
            g->sem_value);
    return qtest_readq(g->v->q->qts, g->sem_spa) == g->sem_value;
}

/*
 * Properties
 */

static QObject *get(QAMDVIOMMU *v, const char *property)
{
    QDict *rsp = qtest_qmp(v->q->qts, "{ 'execute': 'qom-get', 'arguments': "
                           "{ 'path': '" DEVICE_PATH "', "
                           "'property': %s } }", property);
    QObject *ret = qobject_ref(qdict_get(rsp, "return"));

    g_assert(ret);
    qobject_unref(rsp);
    return ret;
}

static uint64_t member(QDict *dict, const char *name)
{
    QNum *num = qobject_to(QNum, qdict_get(dict, name));

    return num ? qnum_get_uint(num) : 0;
}

static uint64_t get_member(QAMDVIOMMU *v, const char *property,
                           const char *name)
{
    QObject *obj = get(v, property);
    uint64_t value = member(qobject_to(QDict, obj), name);

    qobject_unref(obj);
    return value;
}

uint64_t qav_counter(QAMDVIOMMU *v, const char *name)
{
    return get_member(v, "viommu-counters", name);
}

uint64_t qav_violations(QAMDVIOMMU *v, const char *name)
{
    return get_member(v, "viommu-violations", name);
}

uint64_t qav_guest_counter(QAMDVIOMMU *v, uint16_t gid, const char *name)
{
    QObject *obj = get(v, "viommu-guests");
    const QListEntry *e;
    uint64_t value = 0;

    QLIST_FOREACH_ENTRY(qobject_to(QList, obj), e) {
        QDict *d = qobject_to(QDict, qlist_entry_obj(e));

        if (member(d, "gid") == gid) {
            value = member(d, name);
        }
    }
    qobject_unref(obj);
    return value;
}

void qav_assert_clean(QAMDVIOMMU *v)
{
    QObject *obj = get(v, "viommu-first-violation");

    g_assert_cmpstr(qstring_get_str(qobject_to(QString, obj)), ==, "");
    qobject_unref(obj);
    g_assert_cmpuint(qamd_get(v->q, "stat-violations"), ==, 0);
    g_assert_cmpuint(qamd_get(v->q, "viommu-audit"), ==, 0);
}

void qav_set_bool(QAMDVIOMMU *v, const char *property, bool value)
{
    qtest_qmp_assert_success(v->q->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': '" DEVICE_PATH "', 'property': %s, "
                             "'value': %i } }", property, value);
}

void qav_set_str(QAMDVIOMMU *v, const char *property, const char *value)
{
    qtest_qmp_assert_success(v->q->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': '" DEVICE_PATH "', 'property': %s, "
                             "'value': %s } }", property, value);
}
