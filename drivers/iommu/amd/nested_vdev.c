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
 * amd_viommu_vdevice_destroy - Block a nested device whose vDEVICE goes
 * @vdev: vDEVICE
 */
void amd_viommu_vdevice_destroy(struct iommufd_vdevice *vdev)
{
	amd_iommu_set_vdevice(iommufd_vdevice_to_device(vdev), NULL);
}

/**
 * amd_viommu_vdevice_init - Check what a vDEVICE is allocated for
 * @vdev: vDEVICE, filled in by the core but for what is the driver's
 *
 * The device may have a nested domain already, under which it was blocked for
 * the lack of a vDEVICE.
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

	amd_iommu_set_vdevice(dev, container_of(vdev->viommu,
						struct amd_iommu_viommu, core));
	vdev->destroy = amd_viommu_vdevice_destroy;
	return 0;
}
