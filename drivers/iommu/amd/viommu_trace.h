/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points of the AMD hardware vIOMMU
 *
 * All of them name the guest by PCI segment, ID of the IOMMU and guest ID, which
 * is what its directory in debugfs is called.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM amd_viommu

#if !defined(AMD_VIOMMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define AMD_VIOMMU_TRACE_H

#include <linux/tracepoint.h>

#include "viommu.h"

#define GUEST_FIELDS					\
	__field(u16, seg)				\
	__field(u16, iommu)				\
	__field(u16, gid)

#define GUEST_ASSIGN(guest)				\
	do {						\
		__entry->seg = (guest)->hw->iommu->pci_seg->id;	\
		__entry->iommu = (guest)->hw->iommu->devid;	\
		__entry->gid = (guest)->gid;			\
	} while (0)

#define GUEST_FMT	"%04x:%04x guest=0x%04x "
#define GUEST_ARGS	__entry->seg, __entry->iommu, __entry->gid

TRACE_EVENT(amd_viommu_guest,
	TP_PROTO(struct amd_viommu_guest *guest, bool create),
	TP_ARGS(guest, create),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__field(bool, create)
		__field(bool, stuck)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		__entry->create = create;
		__entry->stuck = guest->stuck;
	),
	TP_printk(GUEST_FMT "%s%s", GUEST_ARGS,
		  __entry->create ? "create" : "destroy",
		  __entry->stuck ? " stuck" : "")
);

DECLARE_EVENT_CLASS(amd_viommu_map,
	TP_PROTO(struct amd_viommu_guest *guest, u16 guest_id, u16 host_id),
	TP_ARGS(guest, guest_id, host_id),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__field(u16, guest_id)
		__field(u16, host_id)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		__entry->guest_id = guest_id;
		__entry->host_id = host_id;
	),
	TP_printk(GUEST_FMT "id=0x%04x host_id=0x%04x", GUEST_ARGS,
		  __entry->guest_id, __entry->host_id)
);

DEFINE_EVENT(amd_viommu_map, amd_viommu_map_device,
	TP_PROTO(struct amd_viommu_guest *guest, u16 guest_id, u16 host_id),
	TP_ARGS(guest, guest_id, host_id));

DEFINE_EVENT(amd_viommu_map, amd_viommu_map_domain,
	TP_PROTO(struct amd_viommu_guest *guest, u16 guest_id, u16 host_id),
	TP_ARGS(guest, guest_id, host_id));

DEFINE_EVENT_PRINT(amd_viommu_map, amd_viommu_move_trans,
	TP_PROTO(struct amd_viommu_guest *guest, u16 guest_id, u16 host_id),
	TP_ARGS(guest, guest_id, host_id),
	TP_printk(GUEST_FMT "from=0x%04x to=0x%04x", GUEST_ARGS,
		  __entry->guest_id, __entry->host_id));

TRACE_EVENT(amd_viommu_queue,
	TP_PROTO(struct amd_viommu_guest *guest, unsigned int ring, u64 base,
		 u64 length),
	TP_ARGS(guest, ring, base, length),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__field(unsigned int, ring)
		__field(u64, base)
		__field(u64, length)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		__entry->ring = ring;
		__entry->base = base;
		__entry->length = length;
	),
	TP_printk(GUEST_FMT "%s base=0x%llx length=%llu", GUEST_ARGS,
		  __print_symbolic(__entry->ring,
				   { AMD_VIOMMU_CMD, "cmd" },
				   { AMD_VIOMMU_EVT, "evt" },
				   { AMD_VIOMMU_PPR, "ppr" },
				   { AMD_VIOMMU_EVT_B, "evt-b" },
				   { AMD_VIOMMU_PPR_B, "ppr-b" }),
		  __entry->base, __entry->length)
);

TRACE_EVENT(amd_viommu_command,
	TP_PROTO(struct amd_viommu_guest *guest, u16 index, bool set, u64 value,
		 int ret),
	TP_ARGS(guest, index, set, value, ret),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__field(u16, index)
		__field(bool, set)
		__field(u64, value)
		__field(int, ret)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		__entry->index = index;
		__entry->set = set;
		__entry->value = value;
		__entry->ret = ret;
	),
	TP_printk(GUEST_FMT "%s index=0x%x value=0x%llx ret=%d", GUEST_ARGS,
		  __entry->set ? "set" : "get", __entry->index,
		  __entry->value, __entry->ret)
);

TRACE_EVENT(amd_viommu_event,
	TP_PROTO(struct amd_viommu_guest *guest, const u32 event[4]),
	TP_ARGS(guest, event),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__array(u32, event, 4)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		memcpy(__entry->event, event, sizeof(__entry->event));
	),
	TP_printk(GUEST_FMT "code=0x%x %08x %08x %08x %08x", GUEST_ARGS,
		  __entry->event[1] >> 28, __entry->event[0],
		  __entry->event[1], __entry->event[2], __entry->event[3])
);

TRACE_EVENT(amd_viommu_irq,
	TP_PROTO(struct amd_viommu_guest *guest, u64 status),
	TP_ARGS(guest, status),
	TP_STRUCT__entry(
		GUEST_FIELDS
		__field(u64, status)
	),
	TP_fast_assign(
		GUEST_ASSIGN(guest);
		__entry->status = status;
	),
	TP_printk(GUEST_FMT "status=0x%llx", GUEST_ARGS, __entry->status)
);

#endif /* AMD_VIOMMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../drivers/iommu/amd
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE viommu_trace
#include <trace/define_trace.h>
