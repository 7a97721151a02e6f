// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one user may take of the IDs that all have to share
 *
 * A user is an iommufd context, of which a device can be in one at a time: who
 * wants more has to be given more devices. The number of vIOMMUs is no measure,
 * as one device is enough for any number of those.
 */
#include <linux/iommufd.h>

#include "amd_iommu.h"
#include "nested.h"

struct amd_viommu_owner {
	struct list_head list;
	struct iommufd_ctx *ictx;	/* only compared */
	unsigned int viommus;
	unsigned int used[AMD_VIOMMU_NUM_BUDGETS];
};

static const unsigned int budgets[AMD_VIOMMU_NUM_BUDGETS] = {
	[AMD_VIOMMU_GDOM_IDS] = AMD_VIOMMU_MAX_GDOM_IDS,
	[AMD_VIOMMU_GUESTS] = AMD_VIOMMU_MAX_GUESTS,
};

/* The list, and all that is in it; innermost but for that of the allocator */
static DEFINE_SPINLOCK(owners_lock);
static LIST_HEAD(owners);

static struct amd_viommu_owner *find_owner(struct iommufd_ctx *ictx)
{
	struct amd_viommu_owner *owner;

	lockdep_assert_held(&owners_lock);
	list_for_each_entry(owner, &owners, list)
		if (owner->ictx == ictx)
			return owner;
	return NULL;
}

/**
 * amd_viommu_owner_get - Say who pays for what a vIOMMU takes
 * @aviommu: the vIOMMU
 *
 * Return: 0, -ENOMEM
 */
int amd_viommu_owner_get(struct amd_iommu_viommu *aviommu)
{
	struct amd_viommu_owner *owner, *new;
	unsigned long flags;

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->ictx = aviommu->core.ictx;

	spin_lock_irqsave(&owners_lock, flags);
	owner = find_owner(new->ictx);
	if (!owner) {
		owner = new;
		new = NULL;
		list_add(&owner->list, &owners);
	}
	owner->viommus++;
	aviommu->owner = owner;
	spin_unlock_irqrestore(&owners_lock, flags);
	kfree(new);
	return 0;
}

/**
 * amd_viommu_owner_put - Undo amd_viommu_owner_get()
 * @aviommu: the vIOMMU, which has given back what was charged
 */
void amd_viommu_owner_put(struct amd_iommu_viommu *aviommu)
{
	struct amd_viommu_owner *owner = aviommu->owner;
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&owners_lock, flags);
	last = !--owner->viommus;
	if (last)
		list_del(&owner->list);
	spin_unlock_irqrestore(&owners_lock, flags);
	if (last)
		kfree(owner);
}

/**
 * amd_viommu_charge - Take one of the shared IDs on behalf of a user
 * @aviommu: vIOMMU of the user
 * @what: the kind
 *
 * Return: 0, -ENOSPC if the user has enough of them
 */
int amd_viommu_charge(struct amd_iommu_viommu *aviommu,
		      enum amd_viommu_budget what)
{
	struct amd_viommu_owner *owner = aviommu->owner;
	unsigned long flags;
	int ret = -ENOSPC;

	spin_lock_irqsave(&owners_lock, flags);
	if (owner->used[what] < budgets[what]) {
		owner->used[what]++;
		ret = 0;
	}
	spin_unlock_irqrestore(&owners_lock, flags);
	return ret;
}

/**
 * amd_viommu_uncharge - Undo amd_viommu_charge()
 * @aviommu: vIOMMU of the user
 * @what: the kind
 *
 * Not for an ID that cannot be used again: it stays on the account of its user
 * for as long as that is there.
 */
void amd_viommu_uncharge(struct amd_iommu_viommu *aviommu,
			 enum amd_viommu_budget what)
{
	struct amd_viommu_owner *owner = aviommu->owner;
	unsigned long flags;

	spin_lock_irqsave(&owners_lock, flags);
	owner->used[what]--;
	spin_unlock_irqrestore(&owners_lock, flags);
}
