/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit tests have instead of hardware: an IOMMU whose commands are
 * recorded and not executed, and devices behind it.
 */
#ifndef AMD_IOMMU_FAKE_TEST_H
#define AMD_IOMMU_FAKE_TEST_H

#include <kunit/test.h>
#include <linux/pci.h>

#include "amd_iommu.h"

/* Device IDs below this have a place in the tables */
#define FAKE_DEVICES		512
#define FAKE_DEVID		0x0108
#define FAKE_CMDS		64

struct fake_iommu {
	struct amd_iommu iommu;
	struct amd_iommu_pci_seg seg;
	struct dev_table_entry dev_table[FAKE_DEVICES];
	u16 alias_table[FAKE_DEVICES];

	/* What was queued; count goes on when there is no more room */
	struct iommu_cmd cmds[FAKE_CMDS];
	unsigned int count;
	/* So many were queued at the last wait for them */
	unsigned int waited;
	unsigned int waits;

	/* What a command, or the wait, is to return; from the nth command on */
	unsigned int fail_from;
	int queue_ret;
	int wait_ret;

	/* Called with the lock of whatever is flushed: record, do not judge */
	void (*on_write)(struct kunit *test, u128 *ptr);
	void (*on_wait)(struct kunit *test);
	void *private;
};

struct fake_dev {
	struct pci_dev pdev;
	struct pci_bus bus;
	struct dev_iommu param;
	struct iommu_dev_data data;
};

/* The one that the test has in its priv */
struct fake_iommu *fake_iommu_init(struct kunit *test);

struct fake_dev *fake_dev_init(struct kunit *test, struct fake_iommu *fake,
			       u16 devid, bool is_pci);

/* Memory of user space with a copy of the data in it */
void __user *fake_user(struct kunit *test, const void *data, size_t len);

static inline unsigned int fake_opcode(const struct iommu_cmd *cmd)
{
	return cmd->data[1] >> 28;
}

#endif /* AMD_IOMMU_FAKE_TEST_H */
