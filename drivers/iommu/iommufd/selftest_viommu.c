// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands and guest-address queues of the mock vIOMMU
 *
 * The mock plays hardware of the kind that IOMMU_VIOMMU_COMMAND and
 * hw_queue_init() are made for. Its registers exercise each case that the core
 * has to tell apart: read/write with holes in the mask, read-only, write-only,
 * a write whose effect is elsewhere, a row of indices, one that always fails.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "io_pagetable.h"
#include "iommufd_private.h"
#include "selftest_viommu.h"

#define MOCK_COMMAND(_first, _last, _flags, _set_mask)                       \
	{                                                                    \
		.first = IOMMU_TEST_VIOMMU_CMD_##_first,                     \
		.last = IOMMU_TEST_VIOMMU_CMD_##_last,                       \
		.flags = (_flags), .set_mask = (_set_mask),                  \
	}
#define MOCK_RO IOMMUFD_VIOMMU_COMMAND_GET
#define MOCK_WO IOMMUFD_VIOMMU_COMMAND_SET
#define MOCK_RW (MOCK_RO | MOCK_WO)

const struct iommufd_viommu_command
mock_viommu_commands[MOCK_VIOMMU_NUM_COMMANDS] = {
	MOCK_COMMAND(SCRATCH, SCRATCH, MOCK_RW, IOMMU_TEST_SCRATCH_MASK),
	MOCK_COMMAND(VERSION, VERSION, MOCK_RO, 0),
	MOCK_COMMAND(TRIGGER, TRIGGER, MOCK_WO, IOMMU_TEST_TRIGGER_MASK),
	MOCK_COMMAND(GENERATION, GENERATION, MOCK_RO, 0),
	MOCK_COMMAND(QUEUES, QUEUES, MOCK_RO, 0),
	MOCK_COMMAND(ENABLE, ENABLE, MOCK_RW, IOMMU_TEST_QUEUE_MASK),
	MOCK_COMMAND(SUM, SUM, MOCK_RW, U64_MAX),
	MOCK_COMMAND(RESET, RESET, MOCK_WO, 0),
	MOCK_COMMAND(DOORBELL, DOORBELL, MOCK_WO, U32_MAX),
	MOCK_COMMAND(DATA, DATA, MOCK_RO, 0),
	MOCK_COMMAND(FAULTS, FAULTS, MOCK_RO, 0),
	MOCK_COMMAND(VDEVS, VDEVS, MOCK_RO, 0),
	MOCK_COMMAND(ROW_FIRST, ROW_LAST, MOCK_RO, 0),
	MOCK_COMMAND(FAIL, FAIL, MOCK_RW, U64_MAX),
};

/*
 * The core promises this lock. Without lockdep this only sees that somebody has
 * it; that it is the caller shows in the sum.
 */
static struct mock_viommu_hw *
mock_viommu_locked_hw(struct iommufd_viommu *viommu)
{
	WARN_ON_ONCE(!mutex_is_locked(&viommu->lock));
	iommufd_viommu_lockdep_assert_held(viommu);
	return mock_viommu_to_hw(viommu);
}

/*
 * Give others the time to get in between, as a slow access to the hardware
 * does. Whoever holds the lock of the vIOMMU meanwhile is alone.
 */
static void mock_viommu_slow_access(void)
{
	usleep_range(10, 20);
}

/*
 * What changes the hardware ends up here. A missing lock shows as an update
 * that is lost, or as a value that is neither the old nor the new one.
 */
static void mock_viommu_add_sum(struct mock_viommu_hw *hw, u64 val64)
{
	u64 sum = READ_ONCE(hw->sum);

	WRITE_ONCE(hw->sum, IOMMU_TEST_SUM_BUSY);
	mock_viommu_slow_access();
	WRITE_ONCE(hw->sum, sum + val64);
}

int mock_viommu_get_command(struct iommufd_viommu *viommu, u16 index,
			    u64 *val64)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);

	switch (index) {
	case IOMMU_TEST_VIOMMU_CMD_SCRATCH:
		*val64 = hw->scratch;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_VERSION:
		*val64 = IOMMU_TEST_VIOMMU_VERSION;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_GENERATION:
		*val64 = hw->generation;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_QUEUES:
		*val64 = hw->queues;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_ENABLE:
		*val64 = hw->enabled;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_SUM:
		*val64 = READ_ONCE(hw->sum);
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_DATA:
		*val64 = hw->data;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_FAULTS:
		*val64 = hw->faults;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_VDEVS:
		*val64 = hw->num_vdevs;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_ROW_FIRST ... IOMMU_TEST_VIOMMU_CMD_ROW_LAST:
		*val64 = ~(u64)index;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_FAIL:
		/* User space must not get to see this */
		*val64 = ~0ULL;
		return -EIO;
	default:
		/* Only reached if the core let something through */
		return -ENXIO;
	}
}

/*
 * Fetch one word of a queue as hardware does: by guest physical address, at the
 * time of the access. Taking domains_rwsem for write keeps the memory mapped
 * while it is read, which a real IOMMU does by its own means.
 */
static bool mock_viommu_fetch(struct iommufd_viommu *viommu, u64 iova,
			      u64 *word)
{
	struct io_pagetable *iopt = &viommu->hwpt->ioas->iopt;
	bool fetched = false;
	phys_addr_t pa;

	down_write(&iopt->domains_rwsem);
	pa = iommu_iova_to_phys(viommu->hwpt->common.domain, iova);
	/* A DMABUF may have mapped a BAR, which has no kernel address */
	if (pa && page_is_ram(PHYS_PFN(pa))) {
		*word = READ_ONCE(*(u64 *)phys_to_virt(pa));
		fetched = true;
	}
	up_write(&iopt->domains_rwsem);
	return fetched;
}

static int mock_viommu_doorbell(struct iommufd_viommu *viommu, u64 val64)
{
	struct mock_viommu_hw *hw = mock_viommu_to_hw(viommu);
	u64 offset = (val64 >> IOMMU_TEST_DOORBELL_WORD_SHIFT) * sizeof(u64);
	u64 bit = val64 & IOMMU_TEST_DOORBELL_QUEUE_MASK;
	struct iommu_viommu_event_selftest event = {};
	struct iommufd_hw_queue *hw_queue;

	if (bit >= IOMMU_TEST_QUEUE_BITS || !hw->queue[bit])
		return -ENOENT;
	hw_queue = hw->queue[bit];
	if (!(hw->enabled & BIT_ULL(bit)) || offset >= hw_queue->length)
		return -EINVAL;

	if (mock_viommu_fetch(viommu, hw_queue->base_addr + offset, &hw->data))
		return 0;

	/* As hardware, tell the VMM and complete the write nevertheless */
	hw->faults++;
	event.virt_id = IOMMU_TEST_VIRT_ID_QUEUE_FAULT | bit;
	iommufd_viommu_report_event(viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, &event,
				    sizeof(event));
	return 0;
}

int mock_viommu_set_command(struct iommufd_viommu *viommu, u16 index, u64 val64)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);

	switch (index) {
	case IOMMU_TEST_VIOMMU_CMD_SCRATCH:
		hw->scratch = val64;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_TRIGGER:
		hw->generation += val64;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_ENABLE:
		if (val64 & ~READ_ONCE(hw->queues))
			return -ENOENT;
		/* The queue must not go between the check and the write */
		mock_viommu_slow_access();
		WRITE_ONCE(hw->enabled, val64);
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_SUM:
		mock_viommu_add_sum(hw, val64);
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_RESET:
		hw->scratch = 0;
		hw->generation = 0;
		hw->enabled = 0;
		hw->sum = 0;
		return 0;
	case IOMMU_TEST_VIOMMU_CMD_DOORBELL:
		return mock_viommu_doorbell(viommu, val64);
	case IOMMU_TEST_VIOMMU_CMD_FAIL:
		return -EIO;
	default:
		/* Only reached if the core let something through */
		return -ENXIO;
	}
}

static void mock_viommu_vdevice_destroy(struct iommufd_vdevice *vdev)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(vdev->viommu);

	mock_viommu_add_sum(hw, IOMMU_TEST_SUM_VDEV);
	hw->num_vdevs--;
}

int mock_viommu_vdevice_init(struct iommufd_vdevice *vdev)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(vdev->viommu);

	mock_viommu_add_sum(hw, IOMMU_TEST_SUM_VDEV);
	hw->num_vdevs++;
	vdev->destroy = mock_viommu_vdevice_destroy;
	return 0;
}

void mock_viommu_queue_add(struct iommufd_viommu *viommu, unsigned int bit)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);

	mock_viommu_add_sum(hw, IOMMU_TEST_SUM_QUEUE);
	hw->queues |= BIT_ULL(bit);
}

/* A queue that is gone is not enabled any more, whoever allocates it next */
void mock_viommu_queue_del(struct iommufd_viommu *viommu, unsigned int bit)
{
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);

	mock_viommu_add_sum(hw, IOMMU_TEST_SUM_QUEUE);
	hw->enabled &= ~BIT_ULL(bit);
	hw->queues &= ~BIT_ULL(bit);
}

size_t mock_viommu_get_iova_queue_size(struct iommufd_viommu *viommu,
				       enum iommu_hw_queue_type queue_type)
{
	if (queue_type != IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA &&
	    queue_type != IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG)
		return 0;
	return sizeof(struct iommufd_hw_queue);
}

/* Limits like those of a real ring: a power of two, page aligned, bounded */
int mock_viommu_validate_iova_queue(struct iommufd_viommu *viommu,
				    enum iommu_hw_queue_type queue_type,
				    u32 index, u64 base_addr, u64 length)
{
	if (index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;
	if (!is_power_of_2(length) || length < IOMMU_TEST_IOVA_QUEUE_MIN ||
	    length > IOMMU_TEST_IOVA_QUEUE_MAX)
		return -EINVAL;
	if (!IS_ALIGNED(base_addr, SZ_4K))
		return -EINVAL;
	return 0;
}

static unsigned int mock_iova_queue_bit(enum iommu_hw_queue_type queue_type,
					u32 index)
{
	if (queue_type == IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA)
		return IOMMU_TEST_QUEUE_IOVA + index;
	return IOMMU_TEST_QUEUE_IOVA_LOG + index;
}

static void mock_iova_queue_destroy(struct iommufd_hw_queue *hw_queue)
{
	struct iommufd_viommu *viommu = hw_queue->viommu;
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);
	unsigned int bit;

	for (bit = 0; bit != IOMMU_TEST_QUEUE_BITS; bit++) {
		if (hw->queue[bit] != hw_queue)
			continue;
		mock_viommu_queue_del(viommu, bit);
		hw->queue[bit] = NULL;
	}
}

int mock_viommu_init_iova_queue(struct iommufd_hw_queue *hw_queue, u32 index)
{
	unsigned int bit = mock_iova_queue_bit(hw_queue->type, index);
	struct iommufd_viommu *viommu = hw_queue->viommu;
	struct mock_viommu_hw *hw = mock_viommu_locked_hw(viommu);

	if (hw->queue[bit])
		return -EEXIST;

	hw->queue[bit] = hw_queue;
	mock_viommu_queue_add(viommu, bit);
	hw_queue->destroy = mock_iova_queue_destroy;
	return 0;
}
