/*
 * Host side of the Tegra241 CMDQV: properties, fault knobs and counters
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All are properties of the SMMUv3 device. What is fixed at start is set with
 * -device, knobs also at run time with qom-set. Counters are read with qom-get
 * and come back as JSON.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "tegra241-host.h"

typedef struct Knob {
    const char *name;
    const char *type;
    size_t offset;
    bool fixed;                 /* once the device is realized */
    const char *help;
} Knob;

#define KNOB(name, type, field, fixed, help) \
    { name, type, offsetof(TegraHost, field), fixed, help }

static const Knob knobs[] = {
    KNOB("cmdqv-log2-vintfs", "uint8", log2_vintfs, true,
         "log2 of the number of VINTFs"),
    KNOB("cmdqv-log2-queues", "uint8", log2_queues, true,
         "log2 of the number of virtual queues of all VINTFs together"),
    KNOB("cmdqv-log2-sids", "uint8", log2_sids, true,
         "log2 of the number of StreamIDs a VINTF can replace"),
    KNOB("cmdqv-stuck", "bool", stuck, false,
         "the CMDQV does not get enabled"),
    KNOB("cmdqv-all-ones", "bool", all_ones, false,
         "reads give all ones, writes get lost"),
    KNOB("cmdqv-irq-lost", "bool", irq_lost, false,
         "the error interrupt does not arrive"),
    KNOB("cmdqv-atc-timeout", "bool", atc_timeout, false,
         "no device answers an ATC invalidation"),
    KNOB("cmdqv-vintf-stuck", "uint64", vintf_stuck, false,
         "mask of VINTFs that do not get enabled"),
    KNOB("cmdqv-vintf-live", "uint64", vintf_live, false,
         "mask of VINTFs that do not get disabled"),
    KNOB("cmdqv-queue-stuck", "uint64", queue_stuck, false,
         "mask of queues that report an init error instead of enabled"),
    KNOB("cmdqv-queue-live", "uint64", queue_live, false,
         "mask of queues that do not get disabled"),
    KNOB("cmdqv-queue-stall", "uint64", queue_stall, false,
         "mask of queues that consume nothing"),
    KNOB("cmdqv-fetch-error", "uint64", fetch_error, false,
         "mask of queues whose commands cannot be read"),
};

static TegraHost *of(Object *obj)
{
    return ARM_SMMUV3(obj)->cmdqv_host;
}

static void knob_visit(Visitor *vis, const char *name, const Knob *knob,
                       void *field, Error **errp)
{
    if (!strcmp(knob->type, "bool")) {
        visit_type_bool(vis, name, field, errp);
    } else if (!strcmp(knob->type, "uint8")) {
        visit_type_uint8(vis, name, field, errp);
    } else {
        visit_type_uint64(vis, name, field, errp);
    }
}

static void knob_get(Object *obj, Visitor *vis, const char *name, void *opaque,
                     Error **errp)
{
    const Knob *knob = opaque;

    knob_visit(vis, name, knob, (void *)of(obj) + knob->offset, errp);
}

static void knob_set(Object *obj, Visitor *vis, const char *name, void *opaque,
                     Error **errp)
{
    TegraHost *h = of(obj);
    const Knob *knob = opaque;

    if (knob->fixed && DEVICE(obj)->realized) {
        error_setg(errp, "'%s' can only be set at start", name);
        return;
    }
    knob_visit(vis, name, knob, (void *)h + knob->offset, errp);
    if (h->ready) {
        tegra241_host_kick_all(h);
    }
}

static void visit_u64(Visitor *vis, const char *name, uint64_t val)
{
    visit_type_uint64(vis, name, &val, &error_abort);
}

static void counters_get(Object *obj, Visitor *vis, const char *name,
                         void *opaque, Error **errp)
{
    TegraHost *h = of(obj);

    if (!visit_start_struct(vis, name, NULL, 0, errp)) {
        return;
    }
    visit_u64(vis, "mmio-reads", h->mmio_reads);
    visit_u64(vis, "mmio-writes", h->mmio_writes);
    visit_u64(vis, "irqs", h->irqs);
    visit_u64(vis, "irqs-masked", h->irqs_masked);
    visit_u64(vis, "resets", h->resets);
    visit_u64(vis, "guest-faults", h->guest_faults);
    visit_u64(vis, "dropped", h->dropped);
    visit_u64(vis, "smmu-commands", h->smmu_commands);
    visit_u64(vis, "smmu-syncs", h->smmu_syncs);
    visit_check_struct(vis, errp);
    visit_end_struct(vis, NULL);
}

static void violations_get(Object *obj, Visitor *vis, const char *name,
                           void *opaque, Error **errp)
{
    TegraHost *h = of(obj);
    int i;

    if (!visit_start_struct(vis, name, NULL, 0, errp)) {
        return;
    }
    for (i = 0; i < TH_VIOLATIONS; i++) {
        if (h->violations[i]) {
            visit_u64(vis, tegra241_host_violation_name(i), h->violations[i]);
        }
    }
    visit_check_struct(vis, errp);
    visit_end_struct(vis, NULL);
}

static void visit_queue(Visitor *vis, TegraHostQueue *vq)
{
    visit_start_struct(vis, NULL, NULL, 0, &error_abort);
    visit_u64(vis, "index", vq->index);
    visit_u64(vis, "vintf", FIELD_EX32(vq->alloc, TH_ALLOC, VINTF));
    visit_u64(vis, "mapped", tegra241_host_mapped(vq));
    visit_u64(vis, "enabled", vq->status & TH_Q_EN);
    visit_u64(vis, "base", vq->q.base);
    visit_u64(vis, "doorbells", vq->doorbells);
    visit_u64(vis, "commands", vq->commands);
    visit_u64(vis, "syncs", vq->syncs);
    visit_u64(vis, "refused", vq->refused);
    visit_u64(vis, "errors", vq->errors);
    visit_u64(vis, "last-id", vq->last_id);
    visit_check_struct(vis, &error_abort);
    visit_end_struct(vis, NULL);
}

static void queues_get(Object *obj, Visitor *vis, const char *name,
                       void *opaque, Error **errp)
{
    TegraHost *h = of(obj);
    unsigned i;

    if (!visit_start_list(vis, name, NULL, 0, errp)) {
        return;
    }
    for (i = 0; i < th_queues(h); i++) {
        visit_queue(vis, &h->queue[i]);
    }
    visit_check_list(vis, errp);
    visit_end_list(vis, NULL);
}

static void vintfs_get(Object *obj, Visitor *vis, const char *name,
                       void *opaque, Error **errp)
{
    TegraHost *h = of(obj);
    unsigned i, j, sids;

    if (!visit_start_list(vis, name, NULL, 0, errp)) {
        return;
    }
    for (i = 0; i < th_vintfs(h); i++) {
        TegraHostVintf *vi = &h->vintf[i];

        for (j = 0, sids = 0; j < TH_MAX_SIDS; j++) {
            sids += FIELD_EX32(vi->match[j], TH_SID_MATCH, EN);
        }
        visit_start_struct(vis, NULL, NULL, 0, &error_abort);
        visit_u64(vis, "config", vi->config);
        visit_u64(vis, "enabled", vi->enabled);
        visit_u64(vis, "sids", sids);
        visit_u64(vis, "page0-reads", vi->page0_reads);
        visit_u64(vis, "page0-writes", vi->page0_writes);
        visit_check_struct(vis, &error_abort);
        visit_end_struct(vis, NULL);
    }
    visit_check_list(vis, errp);
    visit_end_list(vis, NULL);
}

static char *first_violation_get(Object *obj, Error **errp)
{
    int first = of(obj)->first_violation;

    return g_strdup(first < 0 ? "" : tegra241_host_violation_name(first));
}

/*
 * "reset": the CMDQV loses its state behind the driver's back.
 * "lose": all VINTFs do but that of the host.
 * "error QUEUE BITS": the queue reports these errors, in hexadecimal.
 */
static void inject_set(Object *obj, const char *str, Error **errp)
{
    TegraHost *h = of(obj);
    unsigned queue, bits;

    if (!strcmp(str, "reset")) {
        tegra241_host_reset(h);
    } else if (!strcmp(str, "lose")) {
        tegra241_host_lose(h);
    } else if (sscanf(str, "error %x %x", &queue, &bits) == 2 &&
               queue < th_queues(h) && !(bits & ~TH_GERROR_ALL)) {
        tegra241_host_raise(&h->queue[queue], bits);
    } else {
        error_setg(errp, "expected 'reset', 'lose' or 'error QUEUE BITS'");
    }
}

void tegra241_host_add_properties(SMMUv3State *s)
{
    Object *obj = OBJECT(s);
    int i;

    for (i = 0; i < ARRAY_SIZE(knobs); i++) {
        object_property_add(obj, knobs[i].name, knobs[i].type, knob_get,
                            knob_set, NULL, (void *)&knobs[i]);
        object_property_set_description(obj, knobs[i].name, knobs[i].help);
    }
    object_property_add(obj, "cmdqv-counters", "struct", counters_get, NULL,
                        NULL, NULL);
    object_property_add(obj, "cmdqv-violations", "struct", violations_get,
                        NULL, NULL, NULL);
    object_property_add(obj, "cmdqv-queues", "list", queues_get, NULL, NULL,
                        NULL);
    object_property_add(obj, "cmdqv-vintfs", "list", vintfs_get, NULL, NULL,
                        NULL);
    object_property_add_uint64_ptr(obj, "cmdqv-violation-count",
                                   &of(obj)->violation_count,
                                   OBJ_PROP_FLAG_READ);
    object_property_add_str(obj, "cmdqv-first-violation", first_violation_get,
                            NULL);
    object_property_add_str(obj, "cmdqv-inject", NULL, inject_set);
}
