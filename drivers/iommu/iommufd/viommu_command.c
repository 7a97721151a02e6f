// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_COMMAND: typed reads and writes of the state of a vIOMMU
 *
 * This is not a register window. A driver publishes a table of the commands of
 * its vIOMMU type, and the core refuses all that the table does not allow, so
 * that what user space can do to the hardware is readable in one place and no
 * driver can forget a check. Each index is also described in the uAPI header.
 * An index once published is ABI.
 */
#include "iommufd_private.h"

static bool
iommufd_viommu_command_is_sane(const struct iommufd_viommu_ops *ops,
			       const struct iommufd_viommu_command *command,
			       u16 after)
{
	if (command->first <= after || command->last < command->first)
		return false;
	if (!command->flags ||
	    command->flags & ~(IOMMUFD_VIOMMU_COMMAND_GET |
			       IOMMUFD_VIOMMU_COMMAND_SET))
		return false;
	if (command->flags & IOMMUFD_VIOMMU_COMMAND_GET && !ops->get_command)
		return false;
	if (command->flags & IOMMUFD_VIOMMU_COMMAND_SET)
		return ops->set_command;
	return !command->set_mask;
}

/*
 * Whether the table of a driver is what it has to be: in ascending order, so
 * that no index is there twice, none of them 0, with an op for each direction.
 * Seen when a vIOMMU is allocated, a mistake in it cannot wait for the day on
 * which user space comes across that command.
 */
bool iommufd_viommu_commands_are_sane(const struct iommufd_viommu_ops *ops)
{
	u16 after = 0;
	unsigned int i;

	if (ops->num_commands && !ops->commands)
		return false;
	for (i = 0; i != ops->num_commands; i++) {
		if (!iommufd_viommu_command_is_sane(ops, &ops->commands[i],
						    after))
			return false;
		after = ops->commands[i].last;
	}
	return true;
}

static const struct iommufd_viommu_command *
iommufd_viommu_find_command(struct iommufd_viommu *viommu, u16 index)
{
	const struct iommufd_viommu_ops *ops = viommu->ops;
	unsigned int i;

	for (i = 0; i != ops->num_commands; i++) {
		const struct iommufd_viommu_command *command =
			&ops->commands[i];

		if (index >= command->first && index <= command->last)
			return command;
	}
	return NULL;
}

static int
iommufd_viommu_get_command(struct iommufd_viommu *viommu,
			   const struct iommufd_viommu_command *command,
			   struct iommu_viommu_command *cmd)
{
	u64 val64 = 0;
	int rc;

	if (!(command->flags & IOMMUFD_VIOMMU_COMMAND_GET))
		return -EACCES;

	mutex_lock(&viommu->lock);
	rc = viommu->ops->get_command(viommu, cmd->index, &val64);
	mutex_unlock(&viommu->lock);
	if (rc)
		return rc;
	cmd->val64 = val64;
	return 0;
}

static int
iommufd_viommu_set_command(struct iommufd_viommu *viommu,
			   const struct iommufd_viommu_command *command,
			   const struct iommu_viommu_command *cmd)
{
	int rc;

	if (!(command->flags & IOMMUFD_VIOMMU_COMMAND_SET))
		return -EACCES;
	if (cmd->val64 & ~command->set_mask)
		return -EINVAL;

	mutex_lock(&viommu->lock);
	rc = viommu->ops->set_command(viommu, cmd->index, cmd->val64);
	mutex_unlock(&viommu->lock);
	return rc;
}

int iommufd_viommu_command_ioctl(struct iommufd_ucmd *ucmd)
{
	const struct iommufd_viommu_command *command;
	struct iommu_viommu_command *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->op != IOMMU_VIOMMU_COMMAND_OP_SET &&
	    cmd->op != IOMMU_VIOMMU_COMMAND_OP_GET)
		return -EOPNOTSUPP;

	viommu = iommufd_get_viommu(ucmd, cmd->object_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);

	command = iommufd_viommu_find_command(viommu, cmd->index);
	if (!command) {
		rc = -EOPNOTSUPP;
		goto out_put;
	}

	if (cmd->op == IOMMU_VIOMMU_COMMAND_OP_GET) {
		rc = iommufd_viommu_get_command(viommu, command, cmd);
		if (!rc)
			rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	} else {
		rc = iommufd_viommu_set_command(viommu, command, cmd);
	}

out_put:
	iommufd_put_object(ucmd->ictx, &viommu->obj);
	return rc;
}
