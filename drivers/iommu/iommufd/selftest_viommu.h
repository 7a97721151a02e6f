/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the mock IOMMU that stands in for a vIOMMU's hardware: commands,
 * and HW queues that are reached by guest physical address
 */
#ifndef __IOMMUFD_SELFTEST_VIOMMU_H
#define __IOMMUFD_SELFTEST_VIOMMU_H

#include <linux/iommufd.h>

#include "iommufd_test.h"

/**
 * struct mock_viommu_hw - "Hardware" of one mock vIOMMU
 * @scratch: Register behind IOMMU_TEST_VIOMMU_CMD_SCRATCH
 * @generation: Counter behind IOMMU_TEST_VIOMMU_CMD_GENERATION
 * @sum: Accumulator behind IOMMU_TEST_VIOMMU_CMD_SUM
 * @faults: Doorbells that hit a queue which is not mapped
 * @data: Word that the last doorbell fetched
 * @queues: Bit map of the queues that are allocated, MOCK_QUEUE_xx positions
 * @enabled: Bit map of the queues that are enabled, a subset of @queues
 * @num_vdevs: Number of vDEVICEs
 * @queue: Queues by guest physical address, by MOCK_QUEUE_xx position
 *
 * All of it is protected by the lock of struct iommufd_viommu, which the core
 * holds around each op. That is what the tests want to see.
 */
struct mock_viommu_hw {
	u64 scratch;
	u64 generation;
	u64 sum;
	u64 faults;
	u64 data;
	u64 queues;
	u64 enabled;
	unsigned int num_vdevs;
	struct iommufd_hw_queue *queue[IOMMU_TEST_QUEUE_BITS];
};

/* In selftest.c, which owns the structure around it */
struct mock_viommu_hw *mock_viommu_to_hw(struct iommufd_viommu *viommu);

#define MOCK_VIOMMU_NUM_COMMANDS 14
extern const struct iommufd_viommu_command
	mock_viommu_commands[MOCK_VIOMMU_NUM_COMMANDS];

int mock_viommu_get_command(struct iommufd_viommu *viommu, u16 index,
			    u64 *val64);
int mock_viommu_set_command(struct iommufd_viommu *viommu, u16 index,
			    u64 val64);
int mock_viommu_vdevice_init(struct iommufd_vdevice *vdev);

void mock_viommu_queue_add(struct iommufd_viommu *viommu, unsigned int bit);
void mock_viommu_queue_del(struct iommufd_viommu *viommu, unsigned int bit);

size_t mock_viommu_get_iova_queue_size(struct iommufd_viommu *viommu,
				       enum iommu_hw_queue_type queue_type);
int mock_viommu_validate_iova_queue(struct iommufd_viommu *viommu,
				    enum iommu_hw_queue_type queue_type,
				    u32 index, u64 base_addr, u64 length);
int mock_viommu_init_iova_queue(struct iommufd_hw_queue *hw_queue, u32 index);

#endif
