// SPDX-License-Identifier: GPL-2.0-only
/* The objects and the memory of a guest with an AMD IOMMU, see amd_vmm.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "amd_vmm.h"

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int amd_guest_map(const struct amd_guest *guest, void *va, __u64 gpa,
		  size_t size)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA |
			 IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE,
		.ioas_id = guest->ioas_id,
		.user_va = (uintptr_t)va,
		.length = size,
		.iova = gpa,
	};

	return call(guest->iommufd, IOMMU_IOAS_MAP, &cmd);
}

int amd_guest_unmap(const struct amd_guest *guest, __u64 gpa, size_t size)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = guest->ioas_id,
		.iova = gpa,
		.length = size,
	};

	return call(guest->iommufd, IOMMU_IOAS_UNMAP, &cmd);
}

/**
 * amd_guest_init - Open iommufd and give the guest memory
 * @guest: the guest
 * @size: bytes of memory
 *
 * Return: 0 or a negative errno
 */
int amd_guest_init(struct amd_guest *guest, size_t size)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc;

	memset(guest, 0, sizeof(*guest));
	guest->size = size;
	guest->ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guest->ram == MAP_FAILED)
		return -errno;
	guest->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (guest->iommufd < 0) {
		rc = -errno;
		munmap(guest->ram, size);
		return rc;
	}
	rc = call(guest->iommufd, IOMMU_IOAS_ALLOC, &cmd);
	guest->ioas_id = cmd.out_ioas_id;
	if (!rc)
		rc = amd_guest_map(guest, guest->ram, AMD_RAM_GPA, size);
	if (rc)
		amd_guest_exit(guest);
	return rc;
}

/* Devices have to be closed before; iommufd takes all else with it */
void amd_guest_exit(struct amd_guest *guest)
{
	close(guest->iommufd);
	munmap(guest->ram, guest->size);
}

/* Guest physical address of a page that is 0 and nobody uses yet, or 0 */
__u64 amd_guest_page(struct amd_guest *guest)
{
	if (guest->used + AMD_PAGE > guest->size)
		return 0;
	guest->used += AMD_PAGE;
	return AMD_RAM_GPA + guest->used - AMD_PAGE;
}

void *amd_guest_ptr(const struct amd_guest *guest, __u64 gpa)
{
	return guest->ram + (gpa - AMD_RAM_GPA);
}

static int alloc_hwpt(const struct amd_guest *guest,
		      const struct amd_device *dev, __u32 pt_id, __u32 flags,
		      const struct iommu_hwpt_amd_guest *data, __u32 *hwpt_id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev->dev_id,
		.pt_id = pt_id,
		.data_type = data ? IOMMU_HWPT_DATA_AMD_GUEST :
				    IOMMU_HWPT_DATA_NONE,
		.data_len = data ? sizeof(*data) : 0,
		.data_uptr = (uintptr_t)data,
	};
	int rc = call(guest->iommufd, IOMMU_HWPT_ALLOC, &cmd);

	if (!rc)
		*hwpt_id = cmd.out_hwpt_id;
	return rc;
}

int amd_guest_parent(struct amd_guest *guest, struct amd_device *dev,
		     __u32 flags)
{
	return alloc_hwpt(guest, dev, guest->ioas_id,
			  flags | IOMMU_HWPT_ALLOC_NEST_PARENT, NULL,
			  &guest->hwpt_id);
}

/**
 * amd_guest_viommu - Allocate the vIOMMU, and its nesting parent if need be
 * @guest: the guest
 * @dev: a device behind the IOMMU
 *
 * Return: 0 or a negative errno
 */
int amd_guest_viommu(struct amd_guest *guest, struct amd_device *dev)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_AMD,
		.dev_id = dev->dev_id,
	};
	int rc = 0;

	if (!guest->hwpt_id)
		rc = amd_guest_parent(guest, dev, 0);
	if (rc)
		return rc;
	cmd.hwpt_id = guest->hwpt_id;
	rc = call(guest->iommufd, IOMMU_VIOMMU_ALLOC, &cmd);
	if (!rc)
		guest->viommu_id = cmd.out_viommu_id;
	return rc;
}

int amd_guest_vdevice(struct amd_guest *guest, struct amd_device *dev,
		      __u64 virt_id, __u32 *vdevice_id)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = guest->viommu_id,
		.dev_id = dev->dev_id,
		.virt_id = virt_id,
	};
	int rc = call(guest->iommufd, IOMMU_VDEVICE_ALLOC, &cmd);

	if (!rc && vdevice_id)
		*vdevice_id = cmd.out_vdevice_id;
	return rc;
}

int amd_guest_veventq(struct amd_guest *guest, __u32 depth, __u32 *veventq_id,
		      int *fd)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = guest->viommu_id,
		.type = IOMMU_VEVENTQ_TYPE_AMD,
		.veventq_depth = depth,
	};
	int rc = call(guest->iommufd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (!rc) {
		*veventq_id = cmd.out_veventq_id;
		*fd = cmd.out_veventq_fd;
	}
	return rc;
}

int amd_guest_nested(struct amd_guest *guest, struct amd_device *dev,
		     const __u64 dte[4], __u32 *hwpt_id)
{
	struct iommu_hwpt_amd_guest data;

	memcpy(data.dte, dte, sizeof(data.dte));
	return alloc_hwpt(guest, dev, guest->viommu_id, 0, &data, hwpt_id);
}

int amd_guest_destroy(const struct amd_guest *guest, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(guest->iommufd, IOMMU_DESTROY, &cmd);
}

/**
 * amd_guest_invalidate - Forward commands of the guest
 * @guest: the guest
 * @cmds: the commands
 * @num: how many; how many were done
 *
 * Return: 0 or a negative errno
 */
int amd_guest_invalidate(const struct amd_guest *guest,
			 const struct iommu_viommu_amd_invalidate *cmds,
			 __u32 *num)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = guest->viommu_id,
		.data_uptr = (uintptr_t)cmds,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
		.entry_len = sizeof(*cmds),
		.entry_num = *num,
	};
	int rc = call(guest->iommufd, IOMMU_HWPT_INVALIDATE, &cmd);

	*num = cmd.entry_num;
	return rc;
}

int amd_guest_inv_domain(const struct amd_guest *guest, __u16 domid)
{
	struct iommu_viommu_amd_invalidate cmd =
		amd_cmd_pages(domid, 0, 0, true);
	__u32 num = 1;

	return amd_guest_invalidate(guest, &cmd, &num);
}

/* The next event within a second, -EAGAIN; -EOVERFLOW if the last got lost */
int amd_event_read(int fd, struct amd_event *event)
{
	struct {
		struct iommufd_vevent_header header;
		struct iommu_vevent_amd data;
	} buf;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t len;

	if (poll(&poll_fd, 1, 1000) != 1)
		return -EAGAIN;
	len = read(fd, &buf, sizeof(buf));
	if (len < 0)
		return -errno;
	if (buf.header.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS)
		return -EOVERFLOW;
	if (len != sizeof(buf))
		return -EIO;

	event->sequence = buf.header.sequence;
	event->code = buf.data.evt[0] >> 60;
	event->devid = buf.data.evt[0];
	event->domid = buf.data.evt[0] >> 32;
	event->gn = buf.data.evt[0] >> 48 & 1;
	event->write = buf.data.evt[0] >> 53 & 1;
	event->addr = buf.data.evt[1];
	return 0;
}
