// SPDX-License-Identifier: GPL-2.0-only
/*
 * vDEVICEs: the device ID that a device has in its guest
 */
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "nested.h"

static int is_other_id(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != *(u16 *)data;
}

/**
 * amd_viommu_vdevice_init - Check what a vDEVICE is allocated for
 * @vdev: vDEVICE, filled in by the core but for what is the driver's
 *
 * The core looks vDEVICEs up by ID, so there is nothing to set up or undo: one
 * can go while its device is attached. Events then have no ID to come with.
 *
 * A device whose requests come with more than one ID, or with that of another,
 * has more than one DTE, and faults nobody can assign.
 *
 * Return: 0, -EINVAL if the ID has more than 16 bits, -EOPNOTSUPP for a device
 * that is not PCI or has an alias
 */
int amd_viommu_vdevice_init(struct iommufd_vdevice *vdev)
{
	struct device *dev = iommufd_vdevice_to_device(vdev);
	struct amd_iommu *iommu =
		container_of(vdev->viommu->iommu_dev, struct amd_iommu, iommu);
	struct pci_dev *pdev;
	u16 devid;

	if (vdev->virt_id > U16_MAX)
		return -EINVAL;
	if (!dev_is_pci(dev))
		return -EOPNOTSUPP;

	pdev = to_pci_dev(dev);
	devid = pci_dev_id(pdev);
	if (pci_for_each_dma_alias(pdev, is_other_id, &devid) ||
	    iommu->pci_seg->alias_table[devid] != devid)
		return -EOPNOTSUPP;
	return 0;
}
