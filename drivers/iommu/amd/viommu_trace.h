/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace points of the AMD hardware vIOMMU
 *
 * All of them name the guest: segment and device ID of its IOMMU, as one
 * number, and the guest ID, after which its directory in debugfs is called.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM amd_viommu

#if !defined(AMD_VIOMMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define AMD_VIOMMU_TRACE_H

#include <linux/tracepoint.h>

#include "viommu.h"

#ifndef AMD_VIOMMU_TRACE_ONCE
#define AMD_VIOMMU_TRACE_ONCE
static inline u32
viommu_trace_iommu(const struct amd_viommu_guest *guest)
{
	return PCI_SEG_DEVID_TO_SBDF(guest->hw->iommu->pci_seg->id,
				     guest->hw->iommu->devid);
}
#endif

TRACE_EVENT(amd_viommu_guest,
	    TP_PROTO(struct amd_viommu_guest *guest, bool create),
	    TP_ARGS(guest, create),
	    TP_STRUCT__entry(__field(u32, iommu)
			     __field(u16, gid)
			     __field(bool, create)
			     __field(bool, stuck)),
	    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
			   __entry->gid = guest->gid;
			   __entry->create = create;
			   __entry->stuck = guest->stuck;),
	    TP_printk("iommu=%08x guest=0x%04x %s%s",
		      __entry->iommu, __entry->gid,
		      __entry->create ? "create" : "destroy",
		      __entry->stuck ? " stuck" : "")
);

DECLARE_EVENT_CLASS(amd_viommu_map,
		    TP_PROTO(struct amd_viommu_guest *guest, u16 from, u16 to),
		    TP_ARGS(guest, from, to),
		    TP_STRUCT__entry(__field(u32, iommu)
				     __field(u16, gid)
				     __field(u16, from)
				     __field(u16, to)),
		    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
				   __entry->gid = guest->gid;
				   __entry->from = from;
				   __entry->to = to;),
		    TP_printk("iommu=%08x guest=0x%04x from=0x%04x to=0x%04x",
			      __entry->iommu, __entry->gid,
			      __entry->from, __entry->to)
);

/* A device ID of the guest has got a meaning */
DEFINE_EVENT(amd_viommu_map, amd_viommu_map_device,
	     TP_PROTO(struct amd_viommu_guest *guest, u16 from, u16 to),
	     TP_ARGS(guest, from, to)
);

/* A domain ID likewise */
DEFINE_EVENT(amd_viommu_map, amd_viommu_map_domain,
	     TP_PROTO(struct amd_viommu_guest *guest, u16 from, u16 to),
	     TP_ARGS(guest, from, to)
);

/* The translate device is another one now */
DEFINE_EVENT(amd_viommu_map, amd_viommu_move_trans,
	     TP_PROTO(struct amd_viommu_guest *guest, u16 from, u16 to),
	     TP_ARGS(guest, from, to)
);

TRACE_EVENT(amd_viommu_queue,
	    TP_PROTO(struct amd_viommu_guest *guest, unsigned int ring,
		     u64 base, u64 length),
	    TP_ARGS(guest, ring, base, length),
	    TP_STRUCT__entry(__field(u32, iommu)
			     __field(u16, gid)
			     __field(unsigned int, ring)
			     __field(u64, base)
			     __field(u64, length)),
	    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
			   __entry->gid = guest->gid;
			   __entry->ring = ring;
			   __entry->base = base;
			   __entry->length = length;),
	    TP_printk("iommu=%08x guest=0x%04x %s base=0x%llx length=%llu",
		      __entry->iommu, __entry->gid,
		      __print_symbolic(__entry->ring,
				       { AMD_VIOMMU_CMD, "cmd" },
				       { AMD_VIOMMU_EVT, "evt" },
				       { AMD_VIOMMU_PPR, "ppr" },
				       { AMD_VIOMMU_EVT_B, "evt-b" },
				       { AMD_VIOMMU_PPR_B, "ppr-b" }),
		      __entry->base, __entry->length)
);

TRACE_EVENT(amd_viommu_command,
	    TP_PROTO(struct amd_viommu_guest *guest, u16 index, bool set,
		     u64 value, int ret),
	    TP_ARGS(guest, index, set, value, ret),
	    TP_STRUCT__entry(__field(u32, iommu)
			     __field(u16, gid)
			     __field(u16, index)
			     __field(bool, set)
			     __field(u64, value)
			     __field(int, ret)),
	    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
			   __entry->gid = guest->gid;
			   __entry->index = index;
			   __entry->set = set;
			   __entry->value = value;
			   __entry->ret = ret;),
	    TP_printk("iommu=%08x guest=0x%04x %s index=0x%x value=0x%llx ret=%d",
		      __entry->iommu, __entry->gid,
		      __entry->set ? "set" : "get", __entry->index,
		      __entry->value, __entry->ret)
);

TRACE_EVENT(amd_viommu_event,
	    TP_PROTO(struct amd_viommu_guest *guest, const u32 event[4]),
	    TP_ARGS(guest, event),
	    TP_STRUCT__entry(__field(u32, iommu)
			     __field(u16, gid)
			     __array(u32, event, 4)),
	    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
			   __entry->gid = guest->gid;
			   memcpy(__entry->event, event, 16);),
	    TP_printk("iommu=%08x guest=0x%04x %08x %08x %08x %08x",
		      __entry->iommu, __entry->gid,
		      __entry->event[0], __entry->event[1],
		      __entry->event[2], __entry->event[3])
);

TRACE_EVENT(amd_viommu_irq,
	    TP_PROTO(struct amd_viommu_guest *guest, u64 status),
	    TP_ARGS(guest, status),
	    TP_STRUCT__entry(__field(u32, iommu)
			     __field(u16, gid)
			     __field(u64, status)),
	    TP_fast_assign(__entry->iommu = viommu_trace_iommu(guest);
			   __entry->gid = guest->gid;
			   __entry->status = status;),
	    TP_printk("iommu=%08x guest=0x%04x status=0x%llx",
		      __entry->iommu, __entry->gid,
		      __entry->status)
);

#endif /* AMD_VIOMMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE viommu_trace
#include <trace/define_trace.h>
