/*
 * AMD IOMMU, accelerated: events and interrupts from the host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Hardware that runs the guest's rings writes the guest's event log, too, and
 * QEMU has nothing to do with it but to raise the interrupt. What comes as an
 * event then is about QEMU or the host, not for the guest.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "amd_iommu_accel_int.h"
#include "trace.h"

#define EVENTS_DEPTH    256
#define IRQS_DEPTH      8
/* At once, so that a device that faults all the time does not stop the rest */
#define EVENTS_BURST    64

#define POLL_MS         10


/* Returns 1 if @data has an event, 0 if there was a loss only, -1 if nothing */
static int read_event(AMDIOMMUAccel *a, IOMMUFDVeventq *q, void *data,
                      size_t size)
{
    struct {
        struct iommufd_vevent_header header;
        uint8_t data[16];
    } buf = { };
    ssize_t len = RETRY_ON_EINTR(read(q->veventq_fd, &buf,
                                      sizeof(buf.header) + size));
    uint32_t lost;

    /* An empty queue reads as the end of a file, but is none */
    if (len < 0 && errno != EAGAIN) {
        error_report_once("amd-iommu: no more events from the host: %s",
                          strerror(errno));
        qemu_set_fd_handler(q->veventq_fd, NULL, NULL, NULL);
    }
    if (len < (ssize_t)sizeof(buf.header)) {
        return -1;
    }
    lost = buf.header.sequence - q->last_event_seq - 1;
    if (q->event_start && lost && lost < UINT32_MAX / 2) {
        trace_amd_iommu_accel_lost(q->veventq_id, lost);
    }
    q->last_event_seq = buf.header.sequence;
    q->event_start = true;
    if (len < sizeof(buf.header) + size) {
        return 0;
    }
    memcpy(data, buf.data, size);
    return 1;
}

/* Faults of devices; the other codes are about rings, IDs and the host */
static bool is_fault(unsigned code)
{
    return code == AMD_IOMMU_EVT_ILLEGAL_DTE ||
           code == AMD_IOMMU_EVT_PAGE_FAULT || code == AMD_IOMMU_EVT_PT_HW ||
           code == 0x8;
}

static void handle_event(AMDIOMMUAccel *a, const struct iommu_vevent_amd *data)
{
    uint64_t evt[2] = { le64_to_cpu(data->evt[0]), le64_to_cpu(data->evt[1]) };
    unsigned code = extract64(evt[0], 60, 4);
    Error *err = NULL;

    trace_amd_iommu_accel_event(evt[0], evt[1]);
    a->s->counters.events++;
    if (!a->vf && is_fault(code)) {
        amdvi_log_event(a->s, evt);
        return;
    }
    if (code == AMD_IOMMU_EVT_ILLEGAL_CMD) {
        error_setg(&err, "the guest's command at 0x%" PRIx64 " is illegal, or "
                   "about a device that the guest does not have", evt[1]);
    } else {
        error_setg(&err, "event %x from the host, guest device 0x%04x, "
                   "address 0x%" PRIx64, code, (uint16_t)evt[0], evt[1]);
    }
    amd_accel_report(a, AMD_ACCEL_GUEST, err);
}

static void events_ready(void *opaque)
{
    AMDIOMMUAccel *a = opaque;
    struct iommu_vevent_amd data;
    int i, ret;

    for (i = 0; i < EVENTS_BURST; i++) {
        ret = read_event(a, &a->events.q, &data, sizeof(data));
        if (ret < 0) {
            return;
        }
        if (ret) {
            handle_event(a, &data);
        }
    }
}

static void inject(AMDIOMMUAccel *a)
{
    a->s->counters.interrupts++;
    amdvi_generate_msi_interrupt(a->s);
}

/*
 * What has been merged or lost is in the guest's status register all the same,
 * so one interrupt does for all that there is to read.
 */
static void irqs_ready(void *opaque)
{
    AMDIOMMUAccel *a = opaque;
    struct iommu_vevent_amd_irq data;
    bool any = false;
    int i;

    for (i = 0; i < EVENTS_BURST; i++) {
        if (read_event(a, &a->irqs.q, &data, sizeof(data)) < 0) {
            break;
        }
        any = true;
    }
    trace_amd_iommu_accel_irq(any);
    if (any) {
        inject(a);
    }
}

static uint64_t ints_enabled(const AMDIOMMUAccel *a)
{
    uint64_t ints = 0;

    if (a->control & AMDVI_MMIO_CONTROL_EVENTINTEN) {
        ints |= AMDVI_MMIO_STATUS_EVENT_INT;
    }
    if (a->control & AMDVI_MMIO_CONTROL_COMWAITINTEN) {
        ints |= AMDVI_MMIO_STATUS_COMP_INT;
    }
    return ints;
}

void amd_accel_poll_status(void *opaque)
{
    AMDIOMMUAccel *a = opaque;
    uint64_t status = a->vf ? amd_accel_vf_read(a, AMDVI_MMIO_STATUS) : 0;

    if (status != UINT64_MAX && (status & ints_enabled(a))) {
        inject(a);
    }
    amd_accel_events_poll(a);
}

void amd_accel_events_poll(AMDIOMMUAccel *a)
{
    if (a->vf && ints_enabled(a) &&
        !(a->caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ)) {
        timer_mod(a->poll_timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) +
                                 POLL_MS);
    } else {
        timer_del(a->poll_timer);
    }
}

static void destroy(AMDIOMMUAccel *a, AMDAccelEventq *eq)
{
    if (!eq->used) {
        return;
    }
    eq->used = false;
    qemu_set_fd_handler(eq->q.veventq_fd, NULL, NULL, NULL);
    close(eq->q.veventq_fd);
    amd_accel_host_destroy(a, &eq->q.veventq_id);
}

static bool create(AMDIOMMUAccel *a, AMDAccelEventq *eq, uint32_t type,
                   uint32_t depth, IOHandler *ready, Error **errp)
{
    if (!amd_accel_host_veventq(a, type, depth, &eq->q, errp)) {
        return false;
    }
    eq->used = true;
    if (!qemu_set_blocking(eq->q.veventq_fd, false, errp)) {
        destroy(a, eq);
        return false;
    }
    qemu_set_fd_handler(eq->q.veventq_fd, ready, NULL, a);
    return true;
}

void amd_accel_events_destroy(AMDIOMMUAccel *a)
{
    timer_del(a->poll_timer);
    destroy(a, &a->irqs);
    destroy(a, &a->events);
}

bool amd_accel_events_create(AMDIOMMUAccel *a, Error **errp)
{
    if (!create(a, &a->events, IOMMU_VEVENTQ_TYPE_AMD, EVENTS_DEPTH,
                events_ready, errp)) {
        return false;
    }
    if ((a->caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ) &&
        !create(a, &a->irqs, IOMMU_VEVENTQ_TYPE_AMD_IRQ, IRQS_DEPTH,
                irqs_ready, errp)) {
        amd_accel_events_destroy(a);
        return false;
    }
    return true;
}
