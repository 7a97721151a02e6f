// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the host's log that hardware reports about guests
 *
 * Faults of a guest's devices go to the guest's log without the host, or, if
 * they are of stage 2, are handled as without hardware (nested_event.c). Here
 * is what is about the guest itself: a ring that is nowhere, a command that
 * names what there is not, hardware that fails. A guest can cause the first two
 * as often as it likes.
 */
#define dev_fmt(fmt)	"AMD-Vi: " fmt

#include <linux/bitfield.h>
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "nested.h"
#include "viommu.h"
#include "viommu_hooks.h"
#include "viommu_trace.h"

/**
 * amd_viommu_event_guest - Which guest an event is about
 * @event: entry of the host's event log
 *
 * Return: guest ID, 0 if it is about something else
 */
u16 amd_viommu_event_guest(const u32 event[4])
{
	switch (amd_iommu_event_type(event)) {
	case EVENT_TYPE_ILL_CMD:
		/* inferred: vCmd, and where the ID is */
		return event[0] & EVENT_0_VFLAG_VCMD ?
		       FIELD_GET(EVENT_0_GUEST_ID, event[0]) : 0;
	case EVENT_TYPE_GUEST_FAULT:
		return FIELD_GET(EVENT_1_GUEST_ID, event[1]);
	case EVENT_TYPE_VIOMMU_ERR:
		return FIELD_GET(EVENT_0_GUEST_ID, event[0]);
	default:
		return 0;
	}
}

/**
 * amd_viommu_event_translate - What a VMM gets to know of an event
 * @event: entry of the host's event log, about a guest
 * @out: entry for user space
 *
 * The guest ID means nothing to it, and the host's private addresses are none
 * of its business.
 */
void amd_viommu_event_translate(const u32 event[4],
				struct iommu_vevent_amd *out)
{
	u64 addr = (u64)event[3] << 32 | event[2];
	unsigned int type = amd_iommu_event_type(event);
	u32 source = 0;

	if (type == EVENT_TYPE_VIOMMU_ERR) {
		source = event[0] & EVENT_0_HW_ERR_SOURCE;
		addr = 0;
	}
	out->evt[0] = cpu_to_le64((u64)type << (32 + EVENT_TYPE_SHIFT) |
				  source);
	out->evt[1] = cpu_to_le64(addr);
}

/**
 * amd_viommu_report_lost - Tell a VMM that it has no rings any more
 * @guest: the guest
 *
 * Sleeps. With the same event as for hardware that fails by itself: its
 * consequences are the same for the VMM.
 */
void amd_viommu_report_lost(struct amd_viommu_guest *guest)
{
	static const u32 event[4] = { 0, EVENT_TYPE_VIOMMU_ERR <<
				      EVENT_TYPE_SHIFT };
	struct iommu_vevent_amd vevent;

	amd_viommu_event_translate(event, &vevent);
	atomic64_inc(&guest->events);
	iommufd_viommu_report_event(&guest->viommu->core,
				    IOMMU_VEVENTQ_TYPE_AMD, &vevent,
				    sizeof(vevent));
}

/**
 * amd_viommu_report_event - Give an event about a guest to its VMM
 * @iommu: the IOMMU whose event log it is from
 * @event: the entry
 *
 * From the threaded interrupt handler. The host logs it, too, but for commands
 * of guests: they have the address that a guest knows them by, at which the
 * host must not look for them.
 *
 * Return: false if the host should log it
 */
bool amd_viommu_report_event(struct amd_iommu *iommu, const u32 event[4])
{
	u16 gid = amd_viommu_event_guest(event);
	struct iommu_vevent_amd vevent;
	struct amd_viommu_guest *guest;
	int idx;

	if (!gid)
		return false;

	amd_viommu_event_translate(event, &vevent);
	idx = srcu_read_lock(&amd_viommu_srcu);
	guest = amd_viommu_find_guest(iommu, gid);
	if (guest) {
		atomic64_inc(&guest->events);
		trace_amd_viommu_event(guest, event);
		iommufd_viommu_report_event(&guest->viommu->core,
					    IOMMU_VEVENTQ_TYPE_AMD, &vevent,
					    sizeof(vevent));
	}
	srcu_read_unlock(&amd_viommu_srcu, idx);

	if (amd_iommu_event_type(event) != EVENT_TYPE_ILL_CMD)
		return false;
	dev_err_ratelimited(iommu->iommu.dev,
			    "Event logged [ILLEGAL_COMMAND_ERROR guest=0x%04x address=0x%llx]\n",
			    gid, le64_to_cpu(vevent.evt[1]));
	return true;
}
