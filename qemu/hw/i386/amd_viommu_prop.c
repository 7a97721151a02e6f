/*
 * AMD hardware vIOMMU: properties, fault knobs and counters
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All are properties of the amd-iommu device. What is fixed at start is set
 * with -device, knobs also at run time with qom-set, counters are read with
 * qom-get and come back as JSON objects.
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "amd_viommu.h"

typedef struct Knob {
    const char *name;
    const char *type;
    size_t offset;
    bool fixed;                 /* once the device is realized */
    const char *help;
} Knob;

#define KNOB(name, type, field, fixed, help) \
    { name, type, offsetof(AMDViommu, field), fixed, help }

static const Knob knobs[] = {
    KNOB("viommu", "bool", enabled, true, "the IOMMU has a vIOMMU"),
    KNOB("viommu-vf-base", "uint64", vf_base, true,
         "address of the VF window; 0: firmware has set none"),
    KNOB("viommu-vfc-base", "uint64", vfc_base, true,
         "address of the VFCtrl window; 0: firmware has set none"),
    KNOB("viommu-vsc", "bool", vsc_present, true,
         "the vendor-specific capability is there"),
    KNOB("viommu-log-b", "bool", log_b, true,
         "it says that there are second logs, of the host and of guests"),
    KNOB("viommu-vf-enable", "bool", vf_enable, false,
         "enable bit of the VF base; off: all ones"),
    KNOB("viommu-vfc-enable", "bool", vfc_enable, false,
         "enable bit of the VFCtrl base; off: all ones"),
    KNOB("viommu-vf-all-ones", "bool", vf_all_ones, false,
         "reads of VF pages give all ones"),
    KNOB("viommu-vfc-all-ones", "bool", vfc_all_ones, false,
         "reads of VFCtrl give all ones"),
    KNOB("viommu-control-stuck", "uint64", ctrl_stuck, false,
         "bits of the control register that read 0 whatever is written"),
    KNOB("viommu-ring-error", "bool", ring_error, false,
         "fetches from guest command rings fail"),
    KNOB("viommu-log-overflow", "bool", log_overflow, false,
         "guest logs count as full"),
    KNOB("viommu-sparse-dev-map", "bool", sparse_dev_map, false,
         "a host need not fill the DevID map"),
    KNOB("viommu-base-resets-pointers", "bool", base_resets, false,
         "another base or length of a guest ring sets its head and tail to 0"),
    KNOB("viommu-misc-extra", "uint64", misc_extra, false,
         "further bits that read 1 in VFCtrl 10h, outside 31:16"),
    KNOB("viommu-cw-delay-ms", "uint32", cw_delay_ms, false,
         "guest completion stores arrive that much later"),
    KNOB("viommu-stop-delay-ms", "uint32", stop_delay_ms, false,
         "guest rings go on that long after their enable bit is cleared"),
};

static const QEnumLookup cw_lookup = {
    .array = (const char *const[]) {
        [AMD_CW_NORMAL] = "normal",
        [AMD_CW_LOST] = "lost",
        [AMD_CW_WRONG] = "wrong",
    },
    .size = AMD_CW__MAX,
};

static const QEnumLookup ring_fault_lookup = {
    .array = (const char *const[]) {
        [AMD_RF_ILLEGAL_COMMAND] = "illegal-command",
        [AMD_RF_IO_PAGE_FAULT] = "io-page-fault",
    },
    .size = AMD_RF__MAX,
};

static AMDViommu *of(Object *obj)
{
    return AMD_IOMMU_DEVICE(obj)->viommu;
}

static void knob_visit(Visitor *vis, const char *name, const Knob *knob,
                       void *field, Error **errp)
{
    if (!strcmp(knob->type, "bool")) {
        visit_type_bool(vis, name, field, errp);
    } else if (!strcmp(knob->type, "uint32")) {
        visit_type_uint32(vis, name, field, errp);
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
    AMDViommu *v = of(obj);
    const Knob *knob = opaque;

    if (knob->fixed && DEVICE(obj)->realized) {
        error_setg(errp, "'%s' can only be set at start", name);
        return;
    }
    knob_visit(vis, name, knob, (void *)v + knob->offset, errp);
    amd_viommu_update_vsc(v);
}

static int cw_get(Object *obj, Error **errp)
{
    return of(obj)->cw_knob;
}

static void cw_set(Object *obj, int val, Error **errp)
{
    of(obj)->cw_knob = val;
}

static int ring_fault_get(Object *obj, Error **errp)
{
    return of(obj)->ring_fault;
}

static void ring_fault_set(Object *obj, int val, Error **errp)
{
    of(obj)->ring_fault = val;
}

static void visit_u64(Visitor *vis, const char *name, uint64_t val)
{
    visit_type_uint64(vis, name, &val, &error_abort);
}

static void counters_get(Object *obj, Visitor *vis, const char *name,
                         void *opaque, Error **errp)
{
    AMDViommuCounters *n = &of(obj)->n;

    if (!visit_start_struct(vis, name, NULL, 0, errp)) {
        return;
    }
    visit_u64(vis, "vf-reads", n->vf_reads);
    visit_u64(vis, "vf-writes", n->vf_writes);
    visit_u64(vis, "vfc-reads", n->vfc_reads);
    visit_u64(vis, "vfc-writes", n->vfc_writes);
    visit_u64(vis, "dev-map-writes", n->map_writes[AMD_MAP_DEV]);
    visit_u64(vis, "dev-map-clears", n->map_clears[AMD_MAP_DEV]);
    visit_u64(vis, "dom-map-writes", n->map_writes[AMD_MAP_DOM]);
    visit_u64(vis, "dom-map-clears", n->map_clears[AMD_MAP_DOM]);
    visit_u64(vis, "private-walks", n->pas_walks);
    visit_u64(vis, "private-hits", n->pas_hits);
    visit_u64(vis, "guest-walks", n->gpa_walks);
    visit_u64(vis, "guest-hits", n->gpa_hits);
    visit_u64(vis, "doorbells", n->doorbells);
    visit_u64(vis, "guest-events", n->guest_events);
    visit_u64(vis, "guest-pprs", n->guest_pprs);
    visit_u64(vis, "guest-event-faults", n->guest_faults_b);
    visit_u64(vis, "hardware-errors", n->hw_errors_c);
    visit_u64(vis, "resets", n->resets);
    visit_check_struct(vis, errp);
    visit_end_struct(vis, NULL);
}

static void violations_get(Object *obj, Visitor *vis, const char *name,
                           void *opaque, Error **errp)
{
    AMDViommu *v = of(obj);
    int i;

    if (!visit_start_struct(vis, name, NULL, 0, errp)) {
        return;
    }
    for (i = 0; i < AMD_VR__MAX; i++) {
        if (v->violations[i]) {
            visit_u64(vis, amd_viommu_reason_name(i), v->violations[i]);
        }
    }
    visit_check_struct(vis, errp);
    visit_end_struct(vis, NULL);
}

static void visit_guest(Visitor *vis, const AMDViommuGuest *g)
{
    int op;

    visit_start_struct(vis, NULL, NULL, 0, &error_abort);
    visit_u64(vis, "gid", g->gid);
    visit_u64(vis, "doorbells", g->doorbells);
    visit_u64(vis, "events", g->events);
    visit_u64(vis, "pprs", g->pprs);
    visit_u64(vis, "log-entries-lost", g->overflows);
    visit_u64(vis, "irqs-event", g->irqs[AMD_EXTIR_TYPE_EVT]);
    visit_u64(vis, "irqs-ppr", g->irqs[AMD_EXTIR_TYPE_PPR]);
    visit_u64(vis, "irqs-lost", g->irqs_lost);
    for (op = 0; op < ARRAY_SIZE(g->cmds); op++) {
        g_autofree char *key = g_strdup_printf("command-%x", op);

        if (g->cmds[op]) {
            visit_u64(vis, key, g->cmds[op]);
        }
    }
    visit_check_struct(vis, &error_abort);
    visit_end_struct(vis, NULL);
}

static void guests_get(Object *obj, Visitor *vis, const char *name,
                       void *opaque, Error **errp)
{
    AMDViommu *v = of(obj);
    GHashTableIter iter;
    AMDViommuGuest *g;

    if (!visit_start_list(vis, name, NULL, 0, errp)) {
        return;
    }
    if (v->realized) {
        g_hash_table_iter_init(&iter, v->guests);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
            visit_guest(vis, g);
        }
    }
    visit_check_list(vis, errp);
    visit_end_list(vis, NULL);
}

/* Guests with a ring that is on: none when the host has powered off */
static void running_get(Object *obj, Visitor *vis, const char *name,
                        void *opaque, Error **errp)
{
    AMDViommu *v = of(obj);
    GHashTableIter iter;
    AMDViommuGuest *g;
    unsigned num = 0;

    if (v->realized) {
        g_hash_table_iter_init(&iter, v->guests);
        while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&g)) {
            num += amd_viommu_any_ring_enabled(g);
        }
    }
    visit_u64(vis, name, num);
}

/* What of the host's control register turns the vIOMMU on: 0 without guests */
static void control_get(Object *obj, Visitor *vis, const char *name,
                        void *opaque, Error **errp)
{
    AMDViommu *v = of(obj);
    uint64_t control = 0;

    if (v->realized) {
        control = amd_iommu_control(v->iommu) &
                  (AMD_VIOMMU_CTRL_VCMD_EN | AMD_VIOMMU_CTRL_VIOMMU_EN);
    }
    visit_u64(vis, name, control);
}

static char *first_violation_get(Object *obj, Error **errp)
{
    AMDViommu *v = of(obj);

    return g_strdup(v->first_violation < 0 ? "" :
                    amd_viommu_reason_name(v->first_violation));
}

/* Kept translations that are wrong by now: 0 at the clean end of a run */
static void audit_get(Object *obj, Visitor *vis, const char *name,
                      void *opaque, Error **errp)
{
    AMDViommu *v = of(obj);
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);

    visit_u64(vis, name, v->realized ? amd_viommu_tlb_audit(v, now) : 0);
}

/*
 * "event DEVID QWORD0 QWORD1" or "ppr ...", in hexadecimal: what hardware
 * would report for that device, as if the device had caused it
 */
static void inject_set(Object *obj, const char *str, Error **errp)
{
    AMDVIState *s = AMD_IOMMU_DEVICE(obj);
    unsigned devid;
    uint64_t q[2], dte[4];
    char what[8];
    bool taken;

    if (sscanf(str, "%7s %x %" SCNx64 " %" SCNx64, what, &devid, &q[0],
               &q[1]) != 4 || devid > 0xffff ||
        (strcmp(what, "event") && strcmp(what, "ppr"))) {
        error_setg(errp, "expected 'event|ppr DEVID QWORD0 QWORD1'");
        return;
    }
    if (amd_iommu_dte_get(s, devid, dte) != AMD_IOMMU_OK) {
        error_setg(errp, "device %x has no valid DTE", devid);
        return;
    }
    taken = what[0] == 'e' ? amd_viommu_guest_event(s, devid, dte, q) :
            amd_viommu_guest_ppr(s, devid, dte, q);
    if (!taken) {
        error_setg(errp, "device %x belongs to no guest", devid);
    }
}

void amd_viommu_add_properties(AMDVIState *s)
{
    Object *obj = OBJECT(s);
    int i;

    for (i = 0; i < ARRAY_SIZE(knobs); i++) {
        object_property_add(obj, knobs[i].name, knobs[i].type, knob_get,
                            knob_set, NULL, (void *)&knobs[i]);
        object_property_set_description(obj, knobs[i].name, knobs[i].help);
    }
    object_property_add_enum(obj, "viommu-cw", "AMDViommuCw", &cw_lookup,
                             cw_get, cw_set);
    object_property_add_enum(obj, "viommu-ring-fault", "AMDViommuRingFault",
                             &ring_fault_lookup, ring_fault_get,
                             ring_fault_set);
    object_property_add(obj, "viommu-counters", "struct", counters_get, NULL,
                        NULL, NULL);
    object_property_add(obj, "viommu-violations", "struct", violations_get,
                        NULL, NULL, NULL);
    object_property_add(obj, "viommu-guests", "list", guests_get, NULL, NULL,
                        NULL);
    object_property_add(obj, "viommu-audit", "uint64", audit_get, NULL, NULL,
                        NULL);
    object_property_add(obj, "viommu-running", "uint64", running_get, NULL,
                        NULL, NULL);
    object_property_add(obj, "viommu-control", "uint64", control_get, NULL,
                        NULL, NULL);
    object_property_add_str(obj, "viommu-first-violation", first_violation_get,
                            NULL);
    object_property_add_str(obj, "viommu-inject", NULL, inject_set);
}
