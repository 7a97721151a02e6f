// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of a guest's devices, reported to its VMM by IOMMU_VEVENTQ_TYPE_AMD
 */
#include <linux/bitfield.h>
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "amd_iommu.h"
#include "nested.h"

#define EVENT_0_DEVID		GENMASK(15, 0)
#define EVENT_1_DOMID		GENMASK(15, 0)
#define EVENT_1_FLAG_GN		BIT(16)
#define EVENT_1_FLAG_I		BIT(19)

/**
 * amd_iommu_event_for_guest - Is an event about what a guest set up?
 * @event: entry of the host's event log
 *
 * Interrupts are remapped by the host's table, and the IOMMU's own mishaps are
 * the host's.
 *
 * Return: true if it is, for a device that has a nested domain
 */
bool amd_iommu_event_for_guest(const u32 event[4])
{
	switch (amd_iommu_event_type(event)) {
	case EVENT_TYPE_ILL_DEV:
	case EVENT_TYPE_IO_FAULT:
	case EVENT_TYPE_PAGE_TAB_ERR:
	case EVENT_TYPE_INV_DEV_REQ:
		return !(event[1] & EVENT_1_FLAG_I);
	default:
		return false;
	}
}

/**
 * amd_iommu_event_translate - Put the guest's IDs into an event
 * @event: entry of the host's event log
 * @gdev_id: the device's ID in the guest
 * @gdom_id: domain ID of the guest's DTE
 * @out: entry for the guest's event log
 *
 * An event of stage 1 has a PASID in the place of the domain ID. The address of
 * PAGE_TAB_HARDWARE_ERROR is that of a table entry: where that is not one of
 * the guest's tables, it is the host's business alone.
 */
void amd_iommu_event_translate(const u32 event[4], u16 gdev_id, u16 gdom_id,
			       struct iommu_vevent_amd *out)
{
	u32 data0 = (event[0] & ~EVENT_0_DEVID) | gdev_id;
	u32 data1 = event[1];

	u64 address = (u64)event[3] << 32 | event[2];

	if (!(data1 & EVENT_1_FLAG_GN)) {
		data1 = (data1 & ~EVENT_1_DOMID) | gdom_id;
		if (amd_iommu_event_type(event) == EVENT_TYPE_PAGE_TAB_ERR)
			address = 0;
	}

	out->evt[0] = cpu_to_le64((u64)data1 << 32 | data0);
	out->evt[1] = cpu_to_le64(address);
}

/* Under the lock no other domain is attached, so the vIOMMU stays */
static bool report_event(struct iommu_dev_data *dev_data, const u32 event[4])
{
	struct nested_domain *ndom = dev_data->ndom;
	struct iommu_vevent_amd vevent;
	unsigned long gdev_id;

	lockdep_assert_held(&dev_data->mutex);

	if (!ndom || iommufd_viommu_get_vdev_id(&ndom->viommu->core,
						dev_data->dev, &gdev_id))
		return false;

	amd_iommu_event_translate(event, gdev_id, ndom->gdom_id, &vevent);
	return !iommufd_viommu_report_event(&ndom->viommu->core,
					    IOMMU_VEVENTQ_TYPE_AMD, &vevent,
					    sizeof(vevent));
}

/**
 * amd_iommu_report_guest_event - Give an event to the VMM, if it is about that
 * @iommu: the IOMMU whose event log it is from
 * @event: the entry
 *
 * From the threaded interrupt handler. The VMM's queue is bounded, so a device
 * that faults in a loop costs the host no more than one that does once.
 *
 * Return: false if nobody has taken it, and the host should log it
 */
bool amd_iommu_report_guest_event(struct amd_iommu *iommu, const u32 event[4])
{
	u16 devid = FIELD_GET(EVENT_0_DEVID, event[0]);
	struct iommu_dev_data *dev_data;
	struct pci_dev *pdev;
	bool taken = false;

	if (!amd_iommu_event_for_guest(event))
		return false;

	pdev = pci_get_domain_bus_and_slot(iommu->pci_seg->id,
					   PCI_BUS_NUM(devid), devid & 0xff);
	if (!pdev)
		return false;

	dev_data = dev_iommu_priv_get(&pdev->dev);
	if (dev_data) {
		mutex_lock(&dev_data->mutex);
		taken = report_event(dev_data, event);
		mutex_unlock(&dev_data->mutex);
	}
	pci_dev_put(pdev);
	return taken;
}
