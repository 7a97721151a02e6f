/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the AMD hardware vIOMMU share: a guest with all that a VMM
 * gives it, and what the emulated hardware says of it.
 *
 * The tests skip without such an IOMMU and an iommu-testdev behind it; those of
 * the model's knobs and counters also without its monitor.
 */
#ifndef __SELFTEST_IOMMU_AMD_VIOMMU_UTILS
#define __SELFTEST_IOMMU_AMD_VIOMMU_UTILS

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "amd_utils.h"
#include "amd_viommu.h"
#include "viommu_monitor.h"

#define CMD_QUEUE	IOMMU_HW_QUEUE_TYPE_AMD_CMD
#define EVT_QUEUE	IOMMU_HW_QUEUE_TYPE_AMD_EVT
#define PPR_QUEUE	IOMMU_HW_QUEUE_TYPE_AMD_PPR

#define CONTROL		IOMMU_VIOMMU_AMD_CMD_CONTROL
#define STATUS		IOMMU_VIOMMU_AMD_CMD_STATUS

/* An ID that no test gives to a device, and a domain of no nested HWPT */
#define AMD_NO_VIRT_ID	0xbeef
#define AMD_NO_DOMID	0x4321

/* Guest memory for the largest rings of all types, twice */
#define AMD_HW_RAM_SIZE	(16UL << 20)
/* An address where the guest has no memory */
#define AMD_NO_GPA	(AMD_RAM_GPA + (1ULL << 32))

/**
 * struct amd_hw - A guest with a hardware vIOMMU
 * @setup: guest and device, as the tests without hardware have them
 * @v: the vIOMMU, mapped
 * @rings: after amd_hw_start()
 * @tables: stage 1, after amd_hw_nest()
 * @dte: with these tables
 * @page: what AMD_GVA is mapped to
 * @hwpt_id: nested HWPT of @dte, which the device has
 */
struct amd_hw {
	struct amd_setup setup;
	struct amd_viommu v;
	struct amd_rings rings;
	struct amd_tables tables;
	__u64 dte[4];
	__u64 page;
	__u32 hwpt_id;
};

static inline void amd_hw_close(struct amd_hw *hw)
{
	/* The mapping holds the iommufd open */
	amd_viommu_unmap(&hw->v);
	amd_setup_close(&hw->setup);
}

/* A guest and a device: NULL, or why there is nothing to test */
static inline const char *amd_hw_open_device(struct amd_hw *hw,
					     unsigned int nth)
{
	memset(hw, 0, sizeof(*hw));
	hw->setup.event_fd = -1;
	if (amd_guest_init(&hw->setup.guest, AMD_HW_RAM_SIZE))
		return "no /dev/iommu";
	if (amd_device_open(&hw->setup.dev, &hw->setup.guest, nth)) {
		amd_guest_exit(&hw->setup.guest);
		return "no iommu-testdev that VFIO can bind";
	}
	return NULL;
}

/* The same with a vIOMMU and its page */
static inline const char *amd_hw_open(struct amd_hw *hw, unsigned int nth)
{
	const char *why = amd_hw_open_device(hw, nth);
	int rc;

	if (why)
		return why;
	rc = amd_viommu_alloc(&hw->v, &hw->setup.guest, &hw->setup.dev);
	if (rc)
		why = "no vIOMMU with data can be allocated";
	else if (!(hw->v.caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES))
		why = "the IOMMU has no hardware vIOMMU";
	else if (amd_viommu_map(&hw->v))
		why = "the page of the vIOMMU cannot be mapped";
	if (why)
		amd_hw_close(hw);
	return why;
}

/* vDEVICE, event queue, rings that run */
static inline int amd_hw_start(struct amd_hw *hw, size_t bytes)
{
	int rc = amd_setup_vdevice(&hw->setup);

	rc = rc ?: amd_rings_init(&hw->rings, &hw->v, bytes);
	return rc ?: amd_viommu_start(&hw->rings);
}

/* Another DTE for the device */
static inline int amd_hw_attach(struct amd_hw *hw, __u16 domid)
{
	int rc;

	amd_tables_dte(&hw->tables, domid, hw->dte);
	rc = amd_guest_nested(&hw->setup.guest, &hw->setup.dev, hw->dte,
			      &hw->hwpt_id);
	return rc ?: amd_device_attach(&hw->setup.dev, hw->hwpt_id);
}

/* Tables of the guest with a page at AMD_GVA, and the device is attached */
static inline int amd_hw_nest(struct amd_hw *hw)
{
	struct amd_guest *guest = &hw->setup.guest;
	int rc = amd_tables_init(guest, &hw->tables, 0, 4);

	hw->page = amd_guest_page(guest);
	rc = rc ?: amd_tables_map(guest, &hw->tables, AMD_GVA, hw->page,
				  AMD_PTE_W, false);
	return rc ?: amd_hw_attach(hw, AMD_DOMID);
}

/* 0 if DMA arrives at the page of the guest, -EFAULT if it is refused */
static inline int amd_hw_dma(struct amd_hw *hw)
{
	struct amd_guest *guest = &hw->setup.guest;
	int rc;

	amd_clear_word(guest, hw->page);
	rc = amd_device_dma(&hw->setup.dev, AMD_GVA);
	if (rc)
		return amd_word(guest, hw->page) ? -EPROTO : rc;
	return amd_word(guest, hw->page) == AMD_DMA_VALUE ? 0 : -EPROTO;
}

/* The IOMMU knows the translation, and the guest has removed it */
static inline int amd_hw_make_stale(struct amd_hw *hw)
{
	int rc = amd_hw_dma(hw);

	rc = rc ?: amd_tables_unmap(&hw->setup.guest, &hw->tables, AMD_GVA);
	return rc ?: amd_hw_dma(hw);
}

/* Extended features of the IOMMU */
static inline __u64 amd_hw_efr(const struct amd_hw *hw)
{
	struct iommu_hw_info_amd data = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = hw->setup.dev.dev_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};

	return ioctl(hw->setup.guest.iommufd, IOMMU_GET_HW_INFO, &cmd) ?
	       0 : data.efr;
}

/* Bus, device and function of a test device on the host, or -1 */
static inline int amd_hw_devid(const struct amd_device *dev)
{
	unsigned int bus, slot, func;
	char path[64], link[PATH_MAX];
	struct stat st;
	ssize_t len;
	char *bdf;

	if (fstat(dev->cdev, &st))
		return -1;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return -1;
	link[len] = '\0';
	bdf = strrchr(link, '/');
	if (!bdf || sscanf(bdf, "/%*x:%x:%x.%x", &bus, &slot, &func) != 3)
		return -1;
	return bus << 8 | slot << 3 | func;
}

/* A file of sysfs or procfs: 0 or why it does not take the text */
static inline int amd_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* Bits of a warning, an oops and so on, or -1 */
static inline long amd_tainted(void)
{
	char buf[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);
	ssize_t len = -1;

	if (fd >= 0) {
		len = read(fd, buf, sizeof(buf) - 1);
		close(fd);
	}
	return len < 0 ? -1 : strtol(buf, NULL, 10);
}

/* The next event for the VMM has that code and address, and is of no device */
#define test_vmm_event(hw, _code, _addr)                               \
	({                                                             \
		struct amd_event __event = {};                         \
								       \
		ASSERT_EQ(0, amd_event_read((hw)->setup.event_fd,      \
					    &__event));                \
		EXPECT_EQ(_code, __event.code);                        \
		EXPECT_EQ(_addr, __event.addr);                        \
	})

#define test_no_vmm_event(hw)                                          \
	({                                                             \
		struct amd_event __event = {};                         \
								       \
		EXPECT_EQ(-EAGAIN,                                     \
			  amd_event_read((hw)->setup.event_fd, &__event)); \
	})

/* The next entry of the guest's log is a page fault of stage 1, by a write */
#define test_guest_fault(hw, _devid, _addr)                            \
	({                                                             \
		struct amd_event __event = {};                         \
								       \
		ASSERT_EQ(0, amd_ring_pop_event(&(hw)->rings.evt,      \
						&__event));            \
		EXPECT_EQ(AMD_EVENT_PAGE_FAULT, __event.code);         \
		EXPECT_EQ(_devid, __event.devid);                      \
		EXPECT_EQ(true, __event.gn);                           \
		EXPECT_EQ(0, __event.domid);                           \
		EXPECT_EQ(true, __event.write);                        \
		EXPECT_EQ(_addr, __event.addr);                        \
	})

/* What a register of the VMM reads */
#define test_command_reads(v, index, expected)                         \
	({                                                             \
		__u64 __val = ~0ULL;                                   \
								       \
		EXPECT_EQ(0, amd_viommu_get(v, index, &__val));        \
		EXPECT_EQ((__u64)(expected), __val);                   \
	})

/* What it does not, and then nothing is written to the caller */
#define test_command_fails(v, index, _errno)                           \
	({                                                             \
		__u64 __val = 0x5ca1ab1e0ddba11ULL;                    \
								       \
		EXPECT_EQ(-(_errno), amd_viommu_get(v, index, &__val)); \
		EXPECT_EQ(0x5ca1ab1e0ddba11ULL, __val);                \
	})

/*
 * The model of the hardware. -1 where it cannot be asked.
 */

static inline bool amd_has_monitor(void)
{
	return monitor_number("stat-violations") >= 0;
}

static inline long long amd_counter(const char *name)
{
	return monitor_entry("viommu-counters", NULL, 0, name);
}

/* What the host has written to registers: also any command comes to that */
static inline long long amd_host_writes(void)
{
	return monitor_number("stat-mmio-writes") + amd_counter("vfc-writes");
}

/* Doorbells of each guest ID; their number, or -1 */
static inline int amd_model_doorbells(unsigned int *doorbells)
{
	static char line[262144];
	char *at, *gid, *count;
	int num = 0;

	if (monitor_get("viommu-guests", line, sizeof(line)))
		return -1;
	at = strchr(line, '[');
	while (at && (at = strchr(at, '{'))) {
		char *end = strchr(at, '}');

		if (!end)
			break;
		*end = '\0';
		gid = strstr(at, "\"gid\": ");
		count = strstr(at, "\"doorbells\": ");
		if (!gid || !count)
			return -1;
		doorbells[strtoul(gid + 7, NULL, 10) & 0xffff] =
			strtoul(count + 13, NULL, 10);
		num++;
		at = end + 1;
	}
	return num;
}

/* Guest ID of a vIOMMU: it is the one that hears when its tail is written */
static inline int amd_model_gid(const struct amd_viommu *v)
{
	static unsigned int before[65536], after[65536];
	int gid;

	memset(before, 0, sizeof(before));
	memset(after, 0, sizeof(after));
	if (amd_model_doorbells(before) < 0)
		return -1;
	amd_vf_write(v, AMD_VF_CMD_TAIL, amd_vf_read(v, AMD_VF_CMD_TAIL));
	if (amd_model_doorbells(after) < 0)
		return -1;
	for (gid = 1; gid < 65536; gid++)
		if (before[gid] != after[gid])
			return gid;
	return -1;
}

static inline long long amd_guest_counter(int gid, const char *name)
{
	return monitor_entry("viommu-guests", "gid", gid, name);
}

/* The host's registers for a guest: 0x00 to 0x38 */
#define AMD_VFC_REGS 8
static inline int amd_model_vfc(int gid, unsigned long long regs[AMD_VFC_REGS])
{
	long long base = monitor_number("viommu-vfc-base");

	if (gid <= 0 || base <= 0)
		return -1;
	return monitor_peek(base + gid * 64LL, AMD_VFC_REGS, regs);
}

#endif
