// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_HWPT_INVALIDATE on a vIOMMU: commands of the guest, which a VMM that
 * runs the guest's command ring itself forwards
 */
#include <linux/bitfield.h>
#include <linux/iommufd.h>
#include <linux/sched/signal.h>

#include "amd_iommu.h"
#include "nested.h"

#define GUEST_CMD_OPCODE	GENMASK(31, 28)
/* The rest of the command, by opcode: what a guest may set */
#define GUEST_CMD_DEVID		GENMASK(15, 0)
#define GUEST_CMD_DOMID		GENMASK(15, 0)
#define GUEST_CMD_PAGES_PASID	GENMASK(19, 0)
#define GUEST_CMD_PAGES_FLAGS	(CMD_INV_IOMMU_PAGES_SIZE_MASK |	\
				 CMD_INV_IOMMU_PAGES_PDE_MASK |		\
				 CMD_INV_IOMMU_PAGES_GN_MASK)
#define GUEST_CMD_IOTLB_FLAGS	(CMD_INV_IOMMU_PAGES_SIZE_MASK |	\
				 CMD_INV_IOMMU_PAGES_GN_MASK)
#define GUEST_CMD_ADDR_LO	GENMASK(31, 12)

#define ALL_ADDRESSES		(CMD_INV_IOMMU_ALL_PAGES_ADDRESS |	\
				 CMD_INV_IOMMU_PAGES_SIZE_MASK)

#define IOTLB_MAXPEND		GENMASK(31, 24)
#define IOTLB_QUEUEID		GENMASK(15, 0)
#define IOTLB_PASID_0		GENMASK(23, 16)
#define IOTLB_PASID_1		GENMASK(27, 16)

static const struct iommu_cmd guest_cmd_allowed[] = {
	[CMD_INV_DEV_ENTRY] = { { GUEST_CMD_DEVID, 0, 0, 0 } },
	[CMD_INV_IOMMU_PAGES] = { {
		GUEST_CMD_PAGES_PASID, GUEST_CMD_DOMID,
		GUEST_CMD_ADDR_LO | GUEST_CMD_PAGES_FLAGS, U32_MAX } },
	/* Device ID, PASID in three parts, MaxPend, QueueID */
	[CMD_INV_IOTLB_PAGES] = { {
		U32_MAX, GENMASK(27, 0),
		GUEST_CMD_ADDR_LO | GUEST_CMD_IOTLB_FLAGS, U32_MAX } },
	[CMD_INV_ALL] = { { 0, 0, 0, 0 } },
};

/**
 * amd_iommu_guest_cmd_check - May a guest's command get to the host's ring?
 * @cmd: the command as the guest wrote it
 *
 * One that the IOMMU takes for illegal stops the ring of the whole host.
 *
 * Return: 0, -EOPNOTSUPP if a VMM has to do without the host what the opcode
 * says, or nobody can, -EINVAL if a reserved bit is set
 */
int amd_iommu_guest_cmd_check(const struct iommu_cmd *cmd)
{
	unsigned int opcode = FIELD_GET(GUEST_CMD_OPCODE, cmd->data[1]);
	const struct iommu_cmd *allowed;
	u32 data1 = cmd->data[1] & ~GUEST_CMD_OPCODE;

	switch (opcode) {
	case CMD_INV_DEV_ENTRY:
	case CMD_INV_IOMMU_PAGES:
	case CMD_INV_IOTLB_PAGES:
	case CMD_INV_ALL:
		break;
	default:
		return -EOPNOTSUPP;
	}

	allowed = &guest_cmd_allowed[opcode];
	if ((cmd->data[0] & ~allowed->data[0]) || (data1 & ~allowed->data[1]) ||
	    (cmd->data[2] & ~allowed->data[2]) ||
	    (cmd->data[3] & ~allowed->data[3]))
		return -EINVAL;
	return 0;
}

/**
 * amd_iommu_guest_domid - Host domain ID for one of the guest
 * @aviommu: vIOMMU
 * @gdom_id: domain ID of the guest
 *
 * The ID may be free, and somebody else's, by the time the caller uses it: good
 * enough to flush what is cached for it.
 *
 * Return: the ID, 0 if no nested domain has @gdom_id
 */
u16 amd_iommu_guest_domid(struct amd_iommu_viommu *aviommu, u16 gdom_id)
{
	struct guest_domain_mapping_info *info;
	unsigned long flags;
	u16 hdom_id = 0;

	xa_lock_irqsave(&aviommu->gdomid_array, flags);
	info = xa_load(&aviommu->gdomid_array, gdom_id);
	if (info)
		hdom_id = info->hdom_id;
	xa_unlock_irqrestore(&aviommu->gdomid_array, flags);
	return hdom_id;
}

/* Never freed, though it may belong to somebody else after this */
static struct iommu_dev_data *find_guest_dev(struct amd_iommu_viommu *aviommu,
					     unsigned long gdev_id)
{
	struct iommu_dev_data *dev_data = NULL;
	struct device *dev;

	xa_lock(&aviommu->core.vdevs);
	dev = iommufd_viommu_find_dev(&aviommu->core, gdev_id);
	if (dev)
		dev_data = dev_iommu_priv_get(dev);
	xa_unlock(&aviommu->core.vdevs);
	return dev_data;
}

/**
 * amd_iommu_guest_cmd_set_dev - Make a guest's IOTLB command one for a device
 * @cmd: INVALIDATE_IOTLB_PAGES, checked
 * @devid: device ID of the host
 * @qdep: requests that the device can have outstanding
 */
void amd_iommu_guest_cmd_set_dev(struct iommu_cmd *cmd, u16 devid, int qdep)
{
	FIELD_MODIFY(GUEST_CMD_DEVID, &cmd->data[0], devid);
	FIELD_MODIFY(IOTLB_MAXPEND, &cmd->data[0], qdep & 0xff);
	FIELD_MODIFY(IOTLB_QUEUEID, &cmd->data[1], devid);
	/* The PASID is reserved then, and what is reserved stops the ring */
	if (!(cmd->data[2] & CMD_INV_IOMMU_PAGES_GN_MASK)) {
		cmd->data[0] &= ~IOTLB_PASID_0;
		cmd->data[1] &= ~IOTLB_PASID_1;
	}
}

/*
 * A request to a device that does not answer any more, as ATS was turned off
 * for a reset, times out. So wait while the lock keeps it on.
 */
static int inv_iotlb(struct amd_iommu_viommu *aviommu, struct amd_iommu *iommu,
		     struct iommu_dev_data *dev_data, struct iommu_cmd *cmd)
{
	int ret = 0;

	mutex_lock(&dev_data->mutex);
	if (dev_data->ndom && dev_data->ndom->viommu == aviommu &&
	    dev_data->ats_enabled) {
		amd_iommu_guest_cmd_set_dev(cmd, dev_data->devid,
					    dev_data->ats_qdep);
		ret = iommu_queue_command(iommu, cmd);
		if (!ret)
			ret = iommu_completion_wait(iommu);
	}
	mutex_unlock(&dev_data->mutex);
	return ret;
}

static int inv_dev_entry(struct amd_iommu *iommu, u16 devid)
{
	struct iommu_cmd cmd = { {
		devid, FIELD_PREP(GUEST_CMD_OPCODE, CMD_INV_DEV_ENTRY) } };

	return iommu_queue_command(iommu, &cmd);
}

/*
 * With GN=0 the address is one of the guest's memory, by the book. There are
 * guests that flush their own tables like that, though: Linux before 6.8 with
 * amd_iommu=pgtbl_v2, with the address that the table translates. Hardware
 * forgets that in some way, so both is flushed here.
 */
static int inv_pages(struct amd_iommu *iommu, struct iommu_cmd *cmd,
		     u16 hdom_id)
{
	int ret;

	FIELD_MODIFY(GUEST_CMD_DOMID, &cmd->data[1], hdom_id);
	if (cmd->data[2] & CMD_INV_IOMMU_PAGES_GN_MASK)
		return iommu_queue_command(iommu, cmd);

	cmd->data[0] &= ~GUEST_CMD_PAGES_PASID;
	ret = iommu_queue_command(iommu, cmd);
	if (ret)
		return ret;
	cmd->data[2] |= CMD_INV_IOMMU_PAGES_GN_MASK;
	return iommu_queue_command(iommu, cmd);
}

static int inv_all_of_dev(struct amd_iommu_viommu *aviommu,
			  struct amd_iommu *iommu,
			  struct iommu_dev_data *dev_data)
{
	struct iommu_cmd iotlb = { {
		0, FIELD_PREP(GUEST_CMD_OPCODE, CMD_INV_IOTLB_PAGES),
		lower_32_bits(ALL_ADDRESSES), upper_32_bits(ALL_ADDRESSES) } };
	int ret;

	ret = inv_dev_entry(iommu, dev_data->devid);
	if (ret)
		return ret;
	return inv_iotlb(aviommu, iommu, dev_data, &iotlb);
}

/*
 * Whatever the IOMMU has cached for a domain, the guest's tables and stage 2.
 * GN=0 leaves what is cached of the guest's upper tables alone, by the GPA of
 * which they are. PASID 0 is the only one: nested devices have no others.
 */
static int inv_all_of_domain(struct amd_iommu *iommu, u16 hdom_id)
{
	struct iommu_cmd cmd = { {
		0, FIELD_PREP(GUEST_CMD_OPCODE, CMD_INV_IOMMU_PAGES) | hdom_id,
		lower_32_bits(ALL_ADDRESSES) | CMD_INV_IOMMU_PAGES_PDE_MASK,
		upper_32_bits(ALL_ADDRESSES) } };
	int ret;

	ret = iommu_queue_command(iommu, &cmd);
	if (ret)
		return ret;
	cmd.data[2] |= CMD_INV_IOMMU_PAGES_GN_MASK;
	return iommu_queue_command(iommu, &cmd);
}

/**
 * amd_iommu_flush_hdom_id - Make a host domain ID fit for somebody else
 * @iommu: the IOMMU of the vIOMMU whose it was
 * @hdom_id: the ID; no DTE has it any more
 *
 * Return: 0, -EIO if the IOMMU does not answer
 */
int amd_iommu_flush_hdom_id(struct amd_iommu *iommu, u16 hdom_id)
{
	int ret = inv_all_of_domain(iommu, hdom_id);

	return ret ?: iommu_completion_wait(iommu);
}

/* Everything of this guest, nothing of anybody else */
static int inv_all(struct amd_iommu_viommu *aviommu, struct amd_iommu *iommu)
{
	struct iommu_dev_data *dev_data;
	unsigned long id;
	void *entry;
	u16 hdom_id;
	int ret = 0;

	xa_for_each(&aviommu->gdomid_array, id, entry) {
		hdom_id = amd_iommu_guest_domid(aviommu, id);
		if (hdom_id)
			ret = inv_all_of_domain(iommu, hdom_id);
		if (ret)
			return ret;
	}

	xa_for_each(&aviommu->core.vdevs, id, entry) {
		dev_data = find_guest_dev(aviommu, id);
		if (dev_data)
			ret = inv_all_of_dev(aviommu, iommu, dev_data);
		if (ret)
			return ret;
	}
	return 0;
}

/* An ID that the guest has, but the host does not know, has nothing cached */
static int run_guest_cmd(struct amd_iommu_viommu *aviommu,
			 struct amd_iommu *iommu, struct iommu_cmd *cmd)
{
	u16 gdev_id = FIELD_GET(GUEST_CMD_DEVID, cmd->data[0]);
	u16 gdom_id = FIELD_GET(GUEST_CMD_DOMID, cmd->data[1]);
	struct iommu_dev_data *dev_data;
	u16 hdom_id;
	int ret;

	ret = amd_iommu_guest_cmd_check(cmd);
	if (ret)
		return ret;

	switch (FIELD_GET(GUEST_CMD_OPCODE, cmd->data[1])) {
	case CMD_INV_DEV_ENTRY:
		dev_data = find_guest_dev(aviommu, gdev_id);
		return dev_data ? inv_dev_entry(iommu, dev_data->devid) : 0;
	case CMD_INV_IOTLB_PAGES:
		dev_data = find_guest_dev(aviommu, gdev_id);
		return dev_data ? inv_iotlb(aviommu, iommu, dev_data, cmd) : 0;
	case CMD_INV_IOMMU_PAGES:
		hdom_id = amd_iommu_guest_domid(aviommu, gdom_id);
		return hdom_id ? inv_pages(iommu, cmd, hdom_id) : 0;
	default:
		return inv_all(aviommu, iommu);
	}
}

/**
 * amd_viommu_cache_invalidate - Execute commands of the guest
 * @viommu: vIOMMU
 * @array: struct iommu_viommu_amd_invalidate, any number of them. Gets the
 *         number of those that are done
 *
 * One at a time, so that user space can make neither an allocation nor a
 * section with a lock held any longer, and one wait for all.
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP for the command that could not be done,
 * -EFAULT, -EINTR if the caller is being killed, -EIO if the IOMMU does not
 * answer; nothing counts as done then
 */
int amd_viommu_cache_invalidate(struct iommufd_viommu *viommu,
				struct iommu_user_data_array *array)
{
	struct amd_iommu_viommu *aviommu =
		container_of(viommu, struct amd_iommu_viommu, core);
	struct amd_iommu *iommu =
		container_of(viommu->iommu_dev, struct amd_iommu, iommu);
	const u32 type = IOMMU_VIOMMU_INVALIDATE_DATA_AMD;
	struct iommu_viommu_amd_invalidate ucmd;
	struct iommu_cmd cmd;
	u32 done = 0;
	int ret = 0;

	if (array->type != type) {
		array->entry_num = 0;
		return -EINVAL;
	}

	for (; done < array->entry_num; done++) {
		ret = iommu_copy_struct_from_user_array(&ucmd, array, type,
							done, cmd);
		if (ret)
			break;
		cmd.data[0] = le64_to_cpu(ucmd.cmd[0]);
		cmd.data[1] = le64_to_cpu(ucmd.cmd[0]) >> 32;
		cmd.data[2] = le64_to_cpu(ucmd.cmd[1]);
		cmd.data[3] = le64_to_cpu(ucmd.cmd[1]) >> 32;
		ret = run_guest_cmd(aviommu, iommu, &cmd);
		if (ret)
			break;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}

	if (iommu_completion_wait(iommu)) {
		done = 0;
		ret = -EIO;
	}
	array->entry_num = done;
	return ret;
}
