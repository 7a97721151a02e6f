/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit tests have instead of a hardware vIOMMU: registers that are
 * memory, with as much behind them as the driver can notice.
 */
#ifndef AMD_VIOMMU_FAKE_TEST_H
#define AMD_VIOMMU_FAKE_TEST_H

#include "fake-test.h"
#include "viommu.h"

#define FAKE_WRITES	64
#define FAKE_GUESTS	8
/* Bits of the host's registers of a ring, and of the guest's status */
#define FAKE_RING_EN	BIT_ULL(8)
#define FAKE_CMD_RUNS	BIT_ULL(4)
#define FAKE_EVT_RUNS	BIT_ULL(3)
#define FAKE_PPR_RUNS	BIT_ULL(7)

/* One of the maps of a guest, as hardware has it */
struct fake_map {
	u16 host[U16_MAX + 1];
	u8 times[U16_MAX + 1];
	unsigned int writes;
};

struct fake_write {
	unsigned int reg;
	u64 val;
};

struct fake_guest {
	struct amd_viommu_guest guest;
	struct amd_iommu_viommu aviommu;
	u64 vf[16];
	u64 vfc[VFC_NUM_REGS];
	struct fake_map *dev_map, *dom_map;

	/* All writes to the host's registers; count goes on as for commands */
	struct fake_write writes[FAKE_WRITES];
	unsigned int count;
	/* So many may not have arrived, for want of a read */
	unsigned int posted;
	/* Entries of a map with a bit where no field is */
	unsigned int bad_entries;

	/* Rings that are told to stop: do so after that many looks, or never */
	unsigned int lag;
	u64 stopping;
	u64 hangs;
	/* Nobody answers */
	bool absent;
	/* A base that is written makes the ring start anew */
	bool base_resets;
	/* Bits of the third register of the host that nobody knows */
	u64 misc_extra;

	/* Called before a write has an effect: record, do not judge */
	void (*on_write)(struct kunit *test, struct fake_guest *fguest,
			 unsigned int reg, u64 val);
};

struct fake_viommu {
	struct fake_iommu *fake;
	struct amd_viommu_hw hw;
	struct pci_dev pdev;
	u64 mmio[8];
	struct irq_remap_table *irq_tables[FAKE_DEVICES];
	struct protection_domain *parent;
	/* Of the first one: all there are in the test */
	struct fake_guest *guests[FAKE_GUESTS];
	unsigned int num_guests;
	unsigned int executed;
	void (*on_wait)(struct kunit *test);
	void *private;
};

/*
 * In a segment of its own, with a nesting parent. The first one of a test has
 * the commands of all.
 */
struct fake_viommu *fake_viommu_init(struct kunit *test);

/* The first one */
static inline struct fake_viommu *fake_viommu_of(struct kunit *test)
{
	return ((struct fake_iommu *)test->priv)->private;
}

/* A guest of it that has nothing yet, and one that has a guest ID */
struct fake_guest *fake_guest_init(struct kunit *test, struct fake_viommu *fv);
struct fake_guest *fake_guest_add(struct kunit *test, struct fake_viommu *fv);

/* A guest that could run: translate device ID, rings if wanted, not enabled */
struct fake_guest *fake_guest_ready(struct kunit *test, struct fake_viommu *fv);
void fake_guest_rings(struct fake_guest *fguest, unsigned long rings);

/* All device IDs but those from low to high are taken, in this segment */
void fake_take_devids(struct fake_viommu *fv, u16 low, u16 high);

static inline struct dev_table_entry *fake_dte(struct fake_viommu *fv,
					       u16 devid)
{
	return &fv->fake->dev_table[devid];
}

#endif /* AMD_VIOMMU_FAKE_TEST_H */
