// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock driver and a real one in the same context
 *
 * CONFIG_IOMMUFD_TEST lets user space mix mock devices with those that VFIO has
 * bound. Operations of the one kind must refuse objects of the other, since
 * each driver casts what it is handed to its own structures.
 *
 * Needs a PCI device that nobody uses: QEMU's edu device (1234:11e8), or the
 * one that the environment variable VFIO_BDF names. Skips without it. What it
 * changes of the machine for that, it changes back.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

#define __EXPORTED_HEADERS__
#include <linux/vfio.h>

#include "viommu_utils.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define UNSAFE "/sys/module/iommufd/parameters/allow_unsafe_interrupts"

static bool file_is(const char *path, const char *text)
{
	char buf[64] = "";
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	len = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return len > 0 && !strncmp(buf, text, strlen(text));
}

static bool file_write(const char *path, const char *text)
{
	ssize_t len;
	int fd;

	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	len = write(fd, text, strlen(text));
	close(fd);
	return len == (ssize_t)strlen(text);
}

static bool find_bdf(char *bdf, size_t room)
{
	const char *wanted = getenv("VFIO_BDF");
	char path[PATH_MAX];
	struct dirent *dent;
	bool found = false;
	DIR *dir;

	if (wanted) {
		snprintf(bdf, room, "%s", wanted);
		return true;
	}

	dir = opendir(PCI_DEVICES);
	if (!dir)
		return false;
	while (!found && (dent = readdir(dir))) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/vendor",
			 dent->d_name);
		if (!file_is(path, "0x1234"))
			continue;
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/device",
			 dent->d_name);
		if (!file_is(path, "0x11e8"))
			continue;
		snprintf(bdf, room, "%s", dent->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

/* false if the device has a driver that is not vfio-pci; *took: undo it */
static bool take_device(const char *bdf, bool *took)
{
	char path[PATH_MAX], driver[PATH_MAX] = "";

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", bdf);
	if (readlink(path, driver, sizeof(driver) - 1) >= 0)
		return strstr(driver, "/vfio-pci");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	*took = file_write(path, "vfio-pci");
	return *took && file_write("/sys/bus/pci/drivers_probe", bdf);
}

static void give_device_back(const char *bdf)
{
	char path[PATH_MAX];

	file_write("/sys/bus/pci/drivers/vfio-pci/unbind", bdf);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	file_write(path, "\n");
}

static int open_vfio_cdev(const char *bdf)
{
	char path[PATH_MAX];
	struct dirent *dent;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", bdf);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((dent = readdir(dir))) {
		if (strncmp(dent->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 dent->d_name);
		fd = open(path, O_RDWR);
		break;
	}
	closedir(dir);
	return fd;
}

FIXTURE(real_device)
{
	int fd;
	int cdev;
	bool took;
	char bdf[NAME_MAX + 1];
	uint32_t real_id;
	uint32_t ioas_id;
	uint32_t stdev_id;
	uint32_t mock_id;
};

FIXTURE_SETUP(real_device)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	bool was_safe;
	int rc;

	self->fd = open("/dev/iommu", O_RDWR);
	if (self->fd < 0)
		SKIP(return, "no /dev/iommu");
	if (!find_bdf(self->bdf, sizeof(self->bdf)))
		SKIP(return, "no PCI device to bind");
	self->cdev = -1;
	if (take_device(self->bdf, &self->took))
		self->cdev = open_vfio_cdev(self->bdf);
	if (self->cdev < 0) {
		if (self->took)
			give_device_back(self->bdf);
		SKIP(return, "vfio-pci does not take %s", self->bdf);
	}
	/* QEMU's amd-iommu has no interrupt remapping that Linux accepts */
	was_safe = file_is(UNSAFE, "N") && file_write(UNSAFE, "Y");
	bind.iommufd = self->fd;
	rc = ioctl(self->cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	/* It matters for as long as this call takes */
	if (was_safe)
		file_write(UNSAFE, "N");
	if (rc) {
		close(self->cdev);
		if (self->took)
			give_device_back(self->bdf);
	}
	ASSERT_EQ(0, rc);
	self->real_id = bind.out_devid;

	test_ioctl_ioas_alloc(&self->ioas_id);
	test_cmd_mock_domain(self->ioas_id, &self->stdev_id, NULL,
			     &self->mock_id);
}

FIXTURE_TEARDOWN(real_device)
{
	close(self->cdev);
	close(self->fd);
	if (self->took)
		give_device_back(self->bdf);
}

/* It reads the cache of a mock device, which a real one does not have */
TEST_F(real_device, dev_check_cache)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DEV_CHECK_CACHE,
		.id = self->real_id,
		.check_dev_cache = { .id = 0, .cache = 0 },
	};
	int id;

	/* Out of bounds, any value may be there: no guess may be confirmed */
	for (id = 0; id < MOCK_DEV_CACHE_NUM; id++) {
		cmd.check_dev_cache.id = id;
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, IOMMU_TEST_CMD, &cmd));
	}
	/* The mock device next to it still answers */
	test_cmd_dev_check_cache_all(self->mock_id,
				     IOMMU_TEST_DEV_CACHE_DEFAULT);
}

/* It takes a lock that a real device does not have */
TEST_F(real_device, trigger_vevent)
{
	EXPECT_ERRNO(EINVAL, _test_cmd_trigger_vevents(self->fd, self->real_id,
						       1));
}

TEST_F(real_device, trigger_iopf)
{
	EXPECT_ERRNO(EINVAL, _test_cmd_trigger_iopf(self->fd, self->real_id, 1,
						    -1));
}

/* viommu_init() of the real driver would cast the domain of the mock */
TEST_F(real_device, viommu_on_parent_of_mock)
{
	unsigned int type, known = 0;
	uint32_t hwpt_id;

	test_cmd_hwpt_alloc(self->mock_id, self->ioas_id,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt_id);
	/* Whichever types there are by now */
	for (type = IOMMU_VIOMMU_TYPE_DEFAULT + 1; type != 16; type++) {
		ASSERT_EQ(-1, _test_cmd_viommu_alloc(self->fd, self->real_id,
						     hwpt_id, 0, type, NULL, 0,
						     NULL));
		if (errno == EOPNOTSUPP)
			continue;
		/* The driver has that type, and may not see the domain */
		EXPECT_EQ(EINVAL, errno);
		known++;
	}
	/* Those of the mock are none of a real driver */
	test_err_viommu_alloc(EOPNOTSUPP, self->real_id, hwpt_id,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, NULL);
	if (!known)
		SKIP(return, "the driver of the device has no vIOMMU");
}

TEST_HARNESS_MAIN
