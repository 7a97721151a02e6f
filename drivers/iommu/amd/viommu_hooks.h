/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the hardware vIOMMU meets the rest of the driver
 *
 * Without CONFIG_AMD_IOMMU_VIOMMU there is nothing here, and the rest of the
 * driver compiles to what it would be if this header did not exist.
 */
#ifndef AMD_VIOMMU_HOOKS_H
#define AMD_VIOMMU_HOOKS_H

#include "amd_iommu_types.h"

struct iommu_viommu_amd;

#if IS_ENABLED(CONFIG_AMD_IOMMU_VIOMMU)

/* What is static but for the vIOMMU, which uses it too */
#define VISIBLE_IF_VIOMMU

int pdom_attach_iommu(struct amd_iommu *iommu, struct protection_domain *pdom);
void pdom_detach_iommu(struct amd_iommu *iommu,
		       struct protection_domain *pdom);
void dev_update_dte(struct iommu_dev_data *dev_data, bool set);
void iommu_feature_disable(struct amd_iommu *iommu, u8 bit);
struct iommu_domain *amd_iommu_domain_alloc_paging_v1(struct device *dev,
						      u32 flags);
void amd_iommufd_viommu_destroy(struct iommufd_viommu *viommu);

int amd_viommu_guest_create(struct amd_iommu_viommu *aviommu,
			    struct iommu_viommu_amd *data);
void amd_viommu_guest_destroy(struct amd_iommu_viommu *aviommu);
const struct iommufd_viommu_ops *
amd_viommu_ops_of(const struct amd_iommu_viommu *aviommu,
		  const struct iommufd_viommu_ops *without);
void amd_viommu_apply_dte(struct iommu_dev_data *dev_data,
			  struct dev_table_entry *new);
void amd_viommu_hide_device(struct iommu_dev_data *dev_data);
void amd_viommu_map_domain(struct amd_iommu_viommu *aviommu, u16 gdom_id,
			   u16 hdom_id);
void amd_viommu_unmap_domain(struct amd_iommu_viommu *aviommu, u16 gdom_id);
void amd_viommu_change_top(struct protection_domain *pdom,
			   phys_addr_t top_paddr, unsigned int top_level);
bool amd_viommu_set_dirty_tracking(struct protection_domain *pdom,
				   bool enable);
int amd_viommu_leave_devid(struct amd_iommu *iommu, u16 devid);
bool amd_viommu_report_event(struct amd_iommu *iommu, const u32 event[4]);
void amd_viommu_disable(struct amd_iommu *iommu);
void amd_viommu_resume(struct amd_iommu *iommu);

#else

#define VISIBLE_IF_VIOMMU static

static inline int amd_viommu_guest_create(struct amd_iommu_viommu *aviommu,
					  struct iommu_viommu_amd *data)
{
	return 0;
}

static inline void amd_viommu_guest_destroy(struct amd_iommu_viommu *aviommu)
{
}

static inline const struct iommufd_viommu_ops *
amd_viommu_ops_of(const struct amd_iommu_viommu *aviommu,
		  const struct iommufd_viommu_ops *without)
{
	return without;
}

static inline void amd_viommu_apply_dte(struct iommu_dev_data *dev_data,
					struct dev_table_entry *new)
{
}

static inline void amd_viommu_hide_device(struct iommu_dev_data *dev_data)
{
}

static inline void amd_viommu_map_domain(struct amd_iommu_viommu *aviommu,
					 u16 gdom_id, u16 hdom_id)
{
}

static inline void amd_viommu_unmap_domain(struct amd_iommu_viommu *aviommu,
					   u16 gdom_id)
{
}

static inline void amd_viommu_change_top(struct protection_domain *pdom,
					 phys_addr_t top_paddr,
					 unsigned int top_level)
{
}

static inline bool
amd_viommu_set_dirty_tracking(struct protection_domain *pdom, bool enable)
{
	return false;
}

static inline int amd_viommu_leave_devid(struct amd_iommu *iommu, u16 devid)
{
	return 0;
}

static inline bool amd_viommu_report_event(struct amd_iommu *iommu,
					   const u32 event[4])
{
	return false;
}

static inline void amd_viommu_disable(struct amd_iommu *iommu)
{
}

static inline void amd_viommu_resume(struct amd_iommu *iommu)
{
}

#endif /* CONFIG_AMD_IOMMU_VIOMMU */

#endif /* AMD_VIOMMU_HOOKS_H */
