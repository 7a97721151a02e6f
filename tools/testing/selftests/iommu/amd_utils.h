/* SPDX-License-Identifier: GPL-2.0-only */
/* A fixture's guest with devices of the AMD IOMMU, for kselftest_harness.h */
#ifndef __SELFTEST_IOMMU_AMD_UTILS
#define __SELFTEST_IOMMU_AMD_UTILS

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "amd_vmm.h"

/* Guest memory of a test: tables and data */
#define AMD_RAM_SIZE (8UL << 20)

/* What the device is in the guest, and the guest's domain for it */
#define AMD_VIRT_ID 0x0123
#define AMD_DOMID 0x0042

/* An address that the tests map, with all levels of 4 and 5 in use */
#define AMD_GVA 0x00007a5555600000ULL

/**
 * struct amd_setup - A guest and a device of it, up to the vDEVICE
 * @guest: the guest
 * @dev: the device, attached to nothing
 * @vdevice_id: the vDEVICE
 * @veventq_id: event queue
 * @event_fd: its file
 */
struct amd_setup {
	struct amd_guest guest;
	struct amd_device dev;
	__u32 vdevice_id;
	__u32 veventq_id;
	int event_fd;
};

/* NULL, or why there is nothing to test */
static inline const char *amd_setup_device(struct amd_setup *setup,
					   unsigned int nth)
{
	if (amd_guest_init(&setup->guest, AMD_RAM_SIZE))
		return "no /dev/iommu";
	setup->event_fd = -1;
	if (amd_device_open(&setup->dev, &setup->guest, nth)) {
		amd_guest_exit(&setup->guest);
		return "no iommu-testdev that VFIO can bind";
	}
	if (amd_guest_viommu(&setup->guest, &setup->dev)) {
		amd_device_close(&setup->dev);
		amd_guest_exit(&setup->guest);
		return "the IOMMU has no IOMMU_VIOMMU_TYPE_AMD";
	}
	return NULL;
}

static inline int amd_setup_vdevice(struct amd_setup *setup)
{
	int rc;

	rc = amd_guest_vdevice(&setup->guest, &setup->dev, AMD_VIRT_ID,
			       &setup->vdevice_id);
	if (rc)
		return rc;
	return amd_guest_veventq(&setup->guest, 16, &setup->veventq_id,
				 &setup->event_fd);
}

static inline void amd_setup_close(struct amd_setup *setup)
{
	if (setup->event_fd >= 0)
		close(setup->event_fd);
	amd_device_close(&setup->dev);
	amd_guest_exit(&setup->guest);
}

/* The word of the guest at @gpa. The device writes AMD_DMA_VALUE. */
#define amd_word(guest, gpa) amd_load(amd_guest_ptr(guest, gpa))
#define amd_clear_word(guest, gpa) amd_store(amd_guest_ptr(guest, gpa), 0)

/* DMA to @addr arrives at @gpa */
#define test_dma_at(setup, addr, gpa)                                    \
	({                                                               \
		struct amd_setup *__setup = (setup);                     \
		__u64 __gpa = (gpa);                                     \
									 \
		amd_clear_word(&__setup->guest, __gpa);                   \
		EXPECT_EQ(0, amd_device_dma(&__setup->dev, addr));       \
		EXPECT_EQ(AMD_DMA_VALUE, amd_word(&__setup->guest, __gpa)); \
	})

/* DMA to @addr is refused, and nothing gets to @gpa */
#define test_no_dma_at(setup, addr, gpa)                           \
	({                                                         \
		struct amd_setup *__setup = (setup);               \
		__u64 __gpa = (gpa);                               \
								   \
		amd_clear_word(&__setup->guest, __gpa);             \
		EXPECT_EQ(-EFAULT, amd_device_dma(&__setup->dev, addr)); \
		EXPECT_EQ(0, amd_word(&__setup->guest, __gpa));    \
	})

/* The next event is an IO_PAGE_FAULT of a write of the device */
#define test_page_fault(setup, _gn, _domid, _addr)                       \
	({                                                               \
		struct amd_event __event = {};                           \
									 \
		ASSERT_EQ(0, amd_event_read((setup)->event_fd, &__event)); \
		EXPECT_EQ(2, __event.code);                              \
		EXPECT_EQ(AMD_VIRT_ID, __event.devid);                   \
		EXPECT_EQ(_domid, __event.domid);                        \
		EXPECT_EQ(_gn, __event.gn);                              \
		EXPECT_EQ(true, __event.write);                          \
		EXPECT_EQ(_addr, __event.addr);                          \
	})

#endif
