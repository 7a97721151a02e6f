// SPDX-License-Identifier: GPL-2.0-only
/* What the adversary does with the VFIO file of a device */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "viommu_adversary.h"

#include <linux/vfio.h>

#define PCI_DEVICES "/sys/bus/pci/devices/"
/* Whoever was killed with the device in hand has to be gone for good */
#define BIND_TRIES 200

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = write(fd, text, strlen(text));
	close(fd);
	return len == (ssize_t)strlen(text);
}

/**
 * adv_vfio_open - Give a device to VFIO
 * @bdf: its name
 *
 * Return: its file or a negative errno
 */
int adv_vfio_open(const char *bdf)
{
	char path[PATH_MAX];
	struct dirent *ent;
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "%s/driver_override", bdf);
	if (!write_text(path, "vfio-pci"))
		return -ENODEV;
	/* Fails if it is bound already, which is as good */
	write_text("/sys/bus/pci/drivers_probe", bdf);

	snprintf(path, sizeof(path), PCI_DEVICES "%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && fd < 0 && (ent = readdir(dir))) {
		if (strncmp(ent->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 ent->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	if (dir)
		closedir(dir);
	return fd;
}

static bool enable_memory(int fd)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	return !ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) &&
	       pwrite(fd, &command, sizeof(command),
		      info.offset + PCI_COMMAND) == sizeof(command);
}

/* The device of this context, anew: the old file goes first */
bool adv_vfio_bind(struct adv_thread *t, const char *bdf)
{
	atomic_int *file = &t->process->vfio[t->ctx != t->process->ctx];
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = t->ctx->fd,
	};
	int fd = atomic_exchange(file, -1), i;

	if (fd >= 0)
		close(fd);
	for (i = 0; i < BIND_TRIES; i++) {
		fd = adv_vfio_open(bdf);
		if (fd >= 0 && !ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
			break;
		if (fd >= 0)
			close(fd);
		fd = -1;
		usleep(50000);
	}
	if (fd < 0)
		return false;
	adv_add(t, ADV_DEVICE, bind.out_devid);
	enable_memory(fd);
	*file = fd;
	return true;
}

/* A file and its context belong together */
static int vfio_file(struct adv_thread *t)
{
	return t->process->vfio[t->ctx != t->process->ctx];
}

static void vfio_call(struct adv_thread *t, unsigned long cmd, void *arg,
		      size_t size)
{
	int fd = vfio_file(t);

	if (fd >= 0)
		adv_call_fd(t, fd, cmd, arg, size);
}

static void op_attach(struct adv_thread *t)
{
	static const enum adv_kind kinds[] = {
		ADV_IOAS, ADV_HWPT, ADV_NESTED, ADV_NESTED, ADV_NESTED,
	};
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = adv_near(t, 0),
		.pt_id = adv_id(t, kinds[adv_draw(t, ARRAY_SIZE(kinds))]),
	};

	vfio_call(t, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd, sizeof(cmd));
}

static void op_detach(struct adv_thread *t)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	cmd.flags = adv_near(t, 0);
	vfio_call(t, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd, sizeof(cmd));
}

static void op_reset(struct adv_thread *t)
{
	__u32 nothing = 0;

	vfio_call(t, VFIO_DEVICE_RESET, &nothing, sizeof(nothing));
}

static void op_bind(struct adv_thread *t)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.flags = adv_near(t, 0),
		.iommufd = adv_near(t, t->ctx->fd),
	};

	vfio_call(t, VFIO_DEVICE_BIND_IOMMUFD, &cmd, sizeof(cmd));
}

static void op_info(struct adv_thread *t)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = adv_near(t, adv_draw(t, 9)),
	};

	if (adv_draw(t, 2))
		vfio_call(t, VFIO_DEVICE_GET_INFO, &info, sizeof(info));
	else
		vfio_call(t, VFIO_DEVICE_GET_REGION_INFO, &region,
			  sizeof(region));
}

/* Not every device can be reset */
const struct adv_op adv_vfio_ops[] = {
	{ "vfio_attach", op_attach, 24 },
	{ "vfio_detach", op_detach, 6 },
	{ "vfio_reset", op_reset, 1, ADV_OP_RARE },
	{ "vfio_bind", op_bind, 2, ADV_OP_RARE },
	{ "vfio_info", op_info, 2 },
};

const unsigned int adv_num_vfio_ops = ARRAY_SIZE(adv_vfio_ops);
