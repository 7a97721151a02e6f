// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel still has of a VMM that is gone. Nothing lists the objects of
 * iommufd, but they pin pages, have page tables, and hold modules.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tests/rig/rig.h"
#include "level1.h"

/* Of those that the vIOMMU of the AMD driver runs rings for */
#define GUESTS "/sys/kernel/debug/iommu/amd/iommu*/guest*"
/* Some of it is freed a moment later, by RCU or a work item */
#define SECONDS_TO_CLEAN 10

static long vmstat(const char *name)
{
	char *text, *line, key[64];
	long value = 0;

	/* Each CPU counts for itself; this adds it up */
	write_file("/proc/sys/vm/stat_refresh", "1");
	text = read_file("/proc/vmstat");
	snprintf(key, sizeof(key), "%s ", name);
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key), NULL, 10);
	}
	free(text);
	return value;
}

static long pinned_pages(void)
{
	return vmstat("nr_foll_pin_acquired") - vmstat("nr_foll_pin_released");
}

static long table_pages(void)
{
	return vmstat("nr_iommu_pages");
}

/* 0 if it is built in, too */
static long file_number(const char *path)
{
	char *text = read_file(path);
	long value = text ? strtol(text, NULL, 10) : 0;

	free(text);
	return value;
}

static long iommufd_users(void)
{
	return file_number("/sys/module/iommufd/refcnt");
}

static long vfio_users(void)
{
	return file_number("/sys/module/vfio_pci/refcnt");
}

static long guests_with_rings(void)
{
	glob_t found;
	long count = 0;

	if (!glob(GUESTS, 0, NULL, &found)) {
		count = found.gl_pathc;
		globfree(&found);
	}
	return count;
}

bool host_runs_rings(void)
{
	return guests_with_rings();
}

static long taints(void)
{
	return file_number("/proc/sys/kernel/tainted");
}

static const struct {
	const char *what;
	long (*count)(void);
	/* Each VMM with a device adds to it */
	bool grows;
} counts[] = {
	{ "pages pinned for devices", pinned_pages, true },
	{ "pages of IOMMU tables", table_pages, true },
	{ "users of iommufd", iommufd_users, true },
	{ "users of vfio-pci", vfio_users, true },
	{ "guests with rings", guests_with_rings, false },
	{ "taints of the kernel", taints, false },
};

static long before[ARRAY_SIZE(counts)];

void host_remember(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		before[i] = counts[i].count();
}

/* Counts that do not move would make every host a clean one */
bool host_notices(void)
{
	bool all = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		if (!counts[i].grows || counts[i].count() > before[i])
			continue;
		note("%s are no more than before", counts[i].what);
		all = false;
	}
	return all;
}

static bool all_as_before(bool tell)
{
	bool same = true;
	size_t i;
	long after;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		after = counts[i].count();
		if (after == before[i])
			continue;
		same = false;
		if (tell)
			note("%s: %ld, before %ld", counts[i].what, after,
			     before[i]);
	}
	return same;
}

/* Everything is as it was when it was remembered */
bool host_clean(void)
{
	double end = now() + SECONDS_TO_CLEAN;

	while (!all_as_before(false)) {
		if (now() > end)
			return all_as_before(true);
		usleep(100 * 1000);
	}
	return true;
}

/*
 * An interrupt of the device: with the first one it gets a table of its own in
 * the IOMMU, for as long as this kernel runs.
 */
static int use_interrupt(int fd)
{
	struct {
		struct vfio_irq_set set;
		int fd;
	} irq = {
		.set = {
			.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1,
		},
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	return ioctl(fd, VFIO_DEVICE_SET_IRQS, &irq) ? errno : 0;
}

/*
 * A vIOMMU with hardware behind it: with the first one the IOMMU gets tables
 * for the interrupts that it has for guests, which stay as well.
 */
static int use_viommu(int iommufd, uint32_t dev_id, uint32_t ioas)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = dev_id,
		.pt_id = ioas,
	};
	struct iommu_viommu_amd data = {};
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.type = IOMMU_VIOMMU_TYPE_AMD,
		.dev_id = dev_id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &hwpt))
		return errno;
	viommu.hwpt_id = hwpt.out_hwpt_id;
	return ioctl(iommufd, IOMMU_VIOMMU_ALLOC, &viommu) ? errno : 0;
}

static int use(const char *bdf)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct device dev = { .name = "disk", .bdf = bdf };
	int iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	int err;

	if (iommufd < 0 || ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas))
		return 1;
	err = device_bind(&dev, iommufd);
	if (!err)
		err = device_attach(&dev, ioas.out_ioas_id);
	if (!err)
		err = use_interrupt(dev.fd);
	if (!err)
		err = use_viommu(iommufd, dev.id, ioas.out_ioas_id);
	if (err)
		note("%s: %s", bdf, strerror(err));
	return err;
}

/* Another process can have the device; its end gives all of it back */
bool host_can_use(const char *bdf)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(!!use(bdf));
	waitpid(pid, &status, 0);
	return !status;
}
