/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uAPI of the mock vIOMMU types: commands and guest-address queues
 */
#ifndef _UAPI_IOMMUFD_TEST_VIOMMU_H
#define _UAPI_IOMMUFD_TEST_VIOMMU_H

/*
 * As IOMMU_VIOMMU_TYPE_SELFTEST, but its queues are reached by guest physical
 * address. Each type has indices of its own.
 */
#define IOMMU_VIOMMU_TYPE_SELFTEST_IOVA 0xdeadbee0
#define IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA 0xdeadbee0
#define IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG 0xdeadbee1
#define IOMMU_TEST_IOVA_QUEUE_MIN 4096
#define IOMMU_TEST_IOVA_QUEUE_MAX (512 * 1024)

/* A vIOMMU without any op that is optional */
#define IOMMU_VIOMMU_TYPE_SELFTEST_BARE 0xdeadbee2

/**
 * enum iommu_viommu_selftest_command - Indices of the mock vIOMMU types
 * @IOMMU_TEST_VIOMMU_CMD_SCRATCH: Read/write, IOMMU_TEST_SCRATCH_MASK
 * @IOMMU_TEST_VIOMMU_CMD_VERSION: Read-only, IOMMU_TEST_VIOMMU_VERSION
 * @IOMMU_TEST_VIOMMU_CMD_TRIGGER: Write-only, IOMMU_TEST_TRIGGER_MASK, adds the
 *                                 value to the generation
 * @IOMMU_TEST_VIOMMU_CMD_GENERATION: Read-only
 * @IOMMU_TEST_VIOMMU_CMD_QUEUES: Read-only, bit map of the queues allocated, at
 *                                IOMMU_TEST_QUEUE_xx + index
 * @IOMMU_TEST_VIOMMU_CMD_ENABLE: Read/write, the same for the queues enabled.
 *                                ENOENT if one of them is not allocated
 * @IOMMU_TEST_VIOMMU_CMD_SUM: Read/write, a write adds the value, slowly. So do
 *                             a queue and a vDEVICE when they come and when
 *                             they go, with IOMMU_TEST_SUM_QUEUE and
 *                             IOMMU_TEST_SUM_VDEV. It reads as
 *                             IOMMU_TEST_SUM_BUSY in the middle of that, which
 *                             the lock of the vIOMMU has to hide
 * @IOMMU_TEST_VIOMMU_CMD_RESET: Write-only, only 0 can be written. Clears
 *                               scratch, generation, sum and enable
 * @IOMMU_TEST_VIOMMU_CMD_DOORBELL: Write-only. The hardware fetches a word of a
 *                                  guest-address queue: bits 7:0 say which one,
 *                                  bits 31:8 which word. ENOENT if the queue is
 *                                  not allocated, EINVAL if it is not enabled
 *                                  or shorter. A word that is not mapped
 *                                  counts as a fault and raises an event
 * @IOMMU_TEST_VIOMMU_CMD_DATA: Read-only, the word that was fetched last
 * @IOMMU_TEST_VIOMMU_CMD_FAULTS: Read-only, number of faults
 * @IOMMU_TEST_VIOMMU_CMD_VDEVS: Read-only, number of vDEVICEs
 * @IOMMU_TEST_VIOMMU_CMD_ROW_FIRST: Read-only, first of a row of indices. Each
 *                                   reads as its own complement
 * @IOMMU_TEST_VIOMMU_CMD_ROW_LAST: Last of the row
 * @IOMMU_TEST_VIOMMU_CMD_FAIL: Read/write, fails with EIO
 */
enum iommu_viommu_selftest_command {
	IOMMU_TEST_VIOMMU_CMD_SCRATCH = 1,
	IOMMU_TEST_VIOMMU_CMD_VERSION = 2,
	IOMMU_TEST_VIOMMU_CMD_TRIGGER = 3,
	IOMMU_TEST_VIOMMU_CMD_GENERATION = 4,
	IOMMU_TEST_VIOMMU_CMD_QUEUES = 5,
	IOMMU_TEST_VIOMMU_CMD_ENABLE = 6,
	IOMMU_TEST_VIOMMU_CMD_SUM = 7,
	IOMMU_TEST_VIOMMU_CMD_RESET = 8,
	IOMMU_TEST_VIOMMU_CMD_DOORBELL = 9,
	IOMMU_TEST_VIOMMU_CMD_DATA = 10,
	IOMMU_TEST_VIOMMU_CMD_FAULTS = 11,
	IOMMU_TEST_VIOMMU_CMD_VDEVS = 12,
	IOMMU_TEST_VIOMMU_CMD_ROW_FIRST = 0x100,
	IOMMU_TEST_VIOMMU_CMD_ROW_LAST = 0x103,
	IOMMU_TEST_VIOMMU_CMD_FAIL = 0xffff,
};

#define IOMMU_TEST_VIOMMU_VERSION 0x0123456789abcdefULL
#define IOMMU_TEST_SCRATCH_MASK 0xfff00ff000f0f0f1ULL
#define IOMMU_TEST_TRIGGER_MASK 0xffULL

#define IOMMU_TEST_SUM_QUEUE 0x100000000ULL
#define IOMMU_TEST_SUM_VDEV 0x1000000000000ULL
#define IOMMU_TEST_SUM_BUSY 0xffffffffffffffffULL

/* Positions of the queues in bit maps, plus the index */
#define IOMMU_TEST_QUEUE_PHYS 0
#define IOMMU_TEST_QUEUE_IOVA 8
#define IOMMU_TEST_QUEUE_IOVA_LOG 16
#define IOMMU_TEST_QUEUE_BITS 18
#define IOMMU_TEST_QUEUE_MASK 0x30303ULL
#define IOMMU_TEST_DOORBELL_QUEUE_MASK 0xffULL
#define IOMMU_TEST_DOORBELL_WORD_SHIFT 8
/* Event of a doorbell that faulted, plus the position of the queue */
#define IOMMU_TEST_VIRT_ID_QUEUE_FAULT 0xffff0000U

#endif
