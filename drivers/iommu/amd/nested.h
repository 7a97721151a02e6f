/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested translation: a guest's stage 1 on top of the nesting parent
 *
 * Locks, outermost first:
 *   iommu_group->mutex		attach and detach, taken by the core
 *   iommu_dev_data->mutex	writes of ->domain and ->ndom, guest events
 *   protection_domain->lock	DTEs of the devices on its list, ->ndom, the
 *				list of vIOMMUs
 *   gdomid_array.xa_lock	guest domain IDs of a vIOMMU
 *   amd_iommu->lock		command ring
 * The xa_lock of iommufd_viommu->vdevs is taken with none of these held but the
 * first two, and only amd_iommu->lock nests inside it.
 */
#ifndef AMD_IOMMU_NESTED_H
#define AMD_IOMMU_NESTED_H

#include <uapi/linux/iommufd.h>

#include "amd_iommu_types.h"

/*
 * Guest domain IDs of one user that have a host domain ID. There are 65535 of
 * the latter in the host, one per domain of whatever kind. A guest needs one
 * per device at most; Linux guests share them.
 */
#define AMD_VIOMMU_MAX_GDOM_IDS		1024

/*
 * vIOMMUs of one user that have hardware. Each has a guest ID, a device ID and
 * a domain ID. A guest needs one per IOMMU that it has devices behind.
 */
#define AMD_VIOMMU_MAX_GUESTS		256

/* What a user can take no more than so many of */
enum amd_viommu_budget {
	AMD_VIOMMU_GDOM_IDS,
	AMD_VIOMMU_GUESTS,
	AMD_VIOMMU_NUM_BUDGETS,
};

/**
 * amd_iommu_gdte_blocks - Does a guest DTE keep its device from all DMA?
 * @gdte: guest DTE, validated
 *
 * V=0 passes requests on untranslated, on bare metal. A device with a guest DTE
 * like that is blocked: the guest has not said yet what it may access.
 *
 * Return: true if it does
 */
static inline bool
amd_iommu_gdte_blocks(const struct iommu_hwpt_amd_guest *gdte)
{
	return !(gdte->dte[0] & DTE_FLAG_V) || !(gdte->dte[0] & DTE_FLAG_TV);
}

/* ATS is on if the guest knows of it, as it has to invalidate the ATC then */
static inline bool
amd_iommu_gdte_wants_ats(const struct iommu_hwpt_amd_guest *gdte)
{
	return !amd_iommu_gdte_blocks(gdte) && (gdte->dte[1] & DTE_FLAG_IOTLB);
}

/* Code of an entry of the host's event log */
static inline unsigned int amd_iommu_event_type(const u32 event[4])
{
	return (event[1] >> EVENT_TYPE_SHIFT) & EVENT_TYPE_MASK;
}

#if IS_ENABLED(CONFIG_AMD_IOMMU_IOMMUFD)
int amd_iommu_gdte_validate(const struct iommu_hwpt_amd_guest *gdte);
void amd_iommu_gdte_apply(const struct iommu_hwpt_amd_guest *gdte,
			  struct dev_table_entry *new);

int amd_viommu_owner_get(struct amd_iommu_viommu *aviommu);
void amd_viommu_owner_put(struct amd_iommu_viommu *aviommu);
int amd_viommu_charge(struct amd_iommu_viommu *aviommu,
		      enum amd_viommu_budget what);
void amd_viommu_uncharge(struct amd_iommu_viommu *aviommu,
			 enum amd_viommu_budget what);

int amd_viommu_vdevice_init(struct iommufd_vdevice *vdev);
void amd_viommu_vdevice_destroy(struct iommufd_vdevice *vdev);

int amd_iommu_guest_cmd_check(const struct iommu_cmd *cmd);
void amd_iommu_guest_cmd_set_dev(struct iommu_cmd *cmd, u16 devid, int qdep);
u16 amd_iommu_guest_domid(struct amd_iommu_viommu *aviommu, u16 gdom_id);
int amd_iommu_flush_hdom_id(struct amd_iommu *iommu, u16 hdom_id);
int amd_viommu_cache_invalidate(struct iommufd_viommu *viommu,
				struct iommu_user_data_array *array);

struct iommu_vevent_amd;
bool amd_iommu_event_for_guest(const u32 event[4]);
void amd_iommu_event_translate(const u32 event[4], u16 gdev_id, u16 gdom_id,
			       struct iommu_vevent_amd *out);
bool amd_iommu_report_guest_event(struct amd_iommu *iommu, const u32 event[4]);
#else
static inline void amd_iommu_gdte_apply(const struct iommu_hwpt_amd_guest *gdte,
					struct dev_table_entry *new)
{
}

static inline int amd_iommu_flush_hdom_id(struct amd_iommu *iommu, u16 hdom_id)
{
	return 0;
}

static inline bool amd_iommu_report_guest_event(struct amd_iommu *iommu,
						const u32 event[4])
{
	return false;
}
#endif /* CONFIG_AMD_IOMMU_IOMMUFD */

#endif /* AMD_IOMMU_NESTED_H */
