// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations on a guest with an AMD IOMMU, against a model of what may
 * be cached: no stale translation after a completed unmap or invalidation
 *
 * OPS=n sets how many (100000), SEED=n repeats a run.
 */
#include <stdio.h>
#include <time.h>

#include "amd_utils.h"

#define NUM_GVAS	16	/* addresses that a domain may map */
#define NUM_GPAS	8	/* pages of the guest that come and go */
#define NUM_PAGES	16	/* of memory that may be behind them */
#define NUM_DOMAINS	2
#define NONE		NUM_GPAS
#define NOWHERE		NUM_PAGES

/* Beside what the tables are in, and above the parent's first tables */
#define GPA_BASE	0x200000000ULL

/**
 * struct domain - A domain of the guest
 * @tables: its stage 1
 * @hwpt_id: its nested HWPT
 * @map: what each GVA is mapped to now, or NONE
 * @may: all that it may still be cached as, a bit each, @map included
 */
struct domain {
	struct amd_tables tables;
	__u32 hwpt_id;
	unsigned int map[NUM_GVAS];
	unsigned int may[NUM_GVAS];
};

enum place {
	DETACHED,
	PARENT,
	NESTED,		/* + number of the domain */
};

FIXTURE(random)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	struct domain domain[NUM_DOMAINS];
	void *data;
	unsigned int page_of[NUM_GPAS];
	unsigned int place;
	__u64 rnd;
	unsigned long dmas;
	unsigned long arrived;
	unsigned long stale;
};

/* Pages next to each other, then each with tables of its own */
static __u64 gva_of(unsigned int i)
{
	return i < NUM_GVAS / 2 ? AMD_GVA + i * AMD_PAGE :
				  AMD_GVA + ((__u64)i << 30);
}

static __u64 gpa_of(unsigned int i)
{
	return GPA_BASE + i * AMD_PAGE;
}

static __u16 domid_of(unsigned int i)
{
	return AMD_DOMID + i;
}

static void *word_of(FIXTURE_DATA(random) *self, unsigned int page)
{
	return self->data + page * AMD_PAGE;
}

/* xorshift: what counts is that a seed repeats it */
static unsigned int draw(FIXTURE_DATA(random) *self, unsigned int below)
{
	self->rnd ^= self->rnd << 13;
	self->rnd ^= self->rnd >> 7;
	self->rnd ^= self->rnd << 17;
	return (self->rnd >> 20) % below;
}

static int new_hwpt(FIXTURE_DATA(random) *self, unsigned int i)
{
	struct domain *domain = &self->domain[i];
	__u64 dte[4];

	amd_tables_dte(&domain->tables, domid_of(i), dte);
	return amd_guest_nested(self->guest, &self->setup.dev, dte,
				&domain->hwpt_id);
}

FIXTURE_SETUP(random)
{
	const char *why = amd_setup_device(&self->setup, 0);
	const char *seed = getenv("SEED");
	unsigned int i, gva;

	if (why)
		SKIP(return, "%s", why);
	self->rnd = seed ? strtoull(seed, NULL, 0) : time(NULL) | 1ULL << 40;
	printf("# SEED=%llu\n", self->rnd);

	self->guest = &self->setup.guest;
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->setup.dev,
				       AMD_VIRT_ID, NULL));
	self->data = mmap(NULL, NUM_PAGES * AMD_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->data);
	for (i = 0; i < NUM_GPAS; i++)
		self->page_of[i] = NOWHERE;
	for (i = 0; i < NUM_DOMAINS; i++) {
		ASSERT_EQ(0, amd_tables_init(self->guest,
					     &self->domain[i].tables, i, 4));
		ASSERT_EQ(0, new_hwpt(self, i));
		for (gva = 0; gva < NUM_GVAS; gva++) {
			self->domain[i].map[gva] = NONE;
			self->domain[i].may[gva] = 1 << NONE;
		}
	}
	self->place = DETACHED;
}

FIXTURE_TEARDOWN(random)
{
	amd_setup_close(&self->setup);
}

/* Of the guest: a table changes, and the IOMMU need not notice */

static int op_guest_map(FIXTURE_DATA(random) *self)
{
	struct domain *domain = &self->domain[draw(self, NUM_DOMAINS)];
	unsigned int gva = draw(self, NUM_GVAS), gpa = draw(self, NUM_GPAS);

	domain->map[gva] = gpa;
	domain->may[gva] |= 1 << gpa;
	return amd_tables_map(self->guest, &domain->tables, gva_of(gva),
			      gpa_of(gpa), AMD_PTE_W, false);
}

static int op_guest_unmap(FIXTURE_DATA(random) *self)
{
	struct domain *domain = &self->domain[draw(self, NUM_DOMAINS)];
	unsigned int gva = draw(self, NUM_GVAS);

	if (domain->map[gva] == NONE)
		return 0;
	domain->map[gva] = NONE;
	domain->may[gva] |= 1 << NONE;
	return amd_tables_unmap(self->guest, &domain->tables, gva_of(gva));
}

static void forget(struct domain *domain, unsigned int gva)
{
	domain->may[gva] = 1 << domain->map[gva];
}

static void forget_all(struct domain *domain)
{
	unsigned int gva;

	for (gva = 0; gva < NUM_GVAS; gva++)
		forget(domain, gva);
}

static int op_invalidate_page(FIXTURE_DATA(random) *self)
{
	unsigned int i = draw(self, NUM_DOMAINS), gva = draw(self, NUM_GVAS);
	struct iommu_viommu_amd_invalidate cmd =
		amd_cmd_pages(domid_of(i), 0, gva_of(gva), false);
	__u32 num = 1;

	/* It leaves upper tables alone, but none of them ever changes */
	forget(&self->domain[i], gva);
	return amd_guest_invalidate(self->guest, &cmd, &num);
}

static int op_invalidate_domain(FIXTURE_DATA(random) *self)
{
	unsigned int i = draw(self, NUM_DOMAINS);

	forget_all(&self->domain[i]);
	return amd_guest_inv_domain(self->guest, domid_of(i));
}

static int op_invalidate_all(FIXTURE_DATA(random) *self)
{
	struct iommu_viommu_amd_invalidate cmd = amd_cmd_all();
	unsigned int i;
	__u32 num = 1;

	for (i = 0; i < NUM_DOMAINS; i++)
		forget_all(&self->domain[i]);
	return amd_guest_invalidate(self->guest, &cmd, &num);
}

/* Of the VMM: all of it is done when the call returns */

static int op_memory(FIXTURE_DATA(random) *self)
{
	unsigned int gpa = draw(self, NUM_GPAS);

	if (self->page_of[gpa] != NOWHERE) {
		self->page_of[gpa] = NOWHERE;
		return amd_guest_unmap(self->guest, gpa_of(gpa), AMD_PAGE);
	}
	self->page_of[gpa] = draw(self, NUM_PAGES);
	return amd_guest_map(self->guest,
			     word_of(self, self->page_of[gpa]),
			     gpa_of(gpa), AMD_PAGE);
}

static int op_attach(FIXTURE_DATA(random) *self)
{
	unsigned int place = draw(self, NESTED + NUM_DOMAINS);

	/* More often below the guest's tables */
	if (place < NESTED && draw(self, 2))
		place = NESTED + draw(self, NUM_DOMAINS);
	self->place = place;
	if (place == DETACHED)
		return amd_device_detach(&self->setup.dev);
	if (place == PARENT)
		return amd_device_attach(&self->setup.dev,
					 self->guest->hwpt_id);
	return amd_device_attach(&self->setup.dev,
				 self->domain[place - NESTED].hwpt_id);
}

static int op_new_hwpt(FIXTURE_DATA(random) *self)
{
	unsigned int i = draw(self, NUM_DOMAINS);
	int rc;

	if (self->place == NESTED + i)
		return 0;
	rc = amd_guest_destroy(self->guest, self->domain[i].hwpt_id);
	if (rc)
		return rc;
	/* The host's ID for the domain is gone, with all that it had */
	forget_all(&self->domain[i]);
	return new_hwpt(self, i);
}

/* Pages that a write to this address may get to, a bit each */
static unsigned int expected(FIXTURE_DATA(random) *self, bool nested,
			     unsigned int addr)
{
	unsigned int may, pages = 0, gpa;
	bool below = self->place >= NESTED;

	if (self->place == DETACHED || nested != below)
		return 1 << NOWHERE;
	if (nested)
		may = self->domain[self->place - NESTED].may[addr];
	else
		may = 1 << addr;
	if (may & 1 << NONE)
		pages |= 1 << NOWHERE;
	for (gpa = 0; gpa < NUM_GPAS; gpa++)
		if (may & 1 << gpa)
			pages |= 1 << self->page_of[gpa];
	return pages;
}

/* -EPROTO if it gets anywhere else */
static int op_dma(FIXTURE_DATA(random) *self)
{
	bool nested = draw(self, 8);
	unsigned int addr = draw(self, nested ? NUM_GVAS : NUM_GPAS);
	unsigned int may = expected(self, nested, addr), page, at = NOWHERE;
	int rc;

	for (page = 0; page < NUM_PAGES; page++)
		amd_store(word_of(self, page), 0);
	rc = amd_device_dma(&self->setup.dev,
			    nested ? gva_of(addr) : gpa_of(addr));
	for (page = 0; page < NUM_PAGES; page++)
		if (amd_load(word_of(self, page)))
			at = page;

	self->dmas++;
	self->arrived += at != NOWHERE;
	self->stale += !!(may & (may - 1));
	if (at == NOWHERE ? !rc : rc)
		may = 0;
	if (may & 1 << at)
		return 0;
	printf("# place %u, %s %u: got to %u (%d), not in 0x%x\n", self->place,
	       nested ? "gva" : "gpa", addr, at, rc, may);
	return -EPROTO;
}

static const struct {
	const char *name;
	int (*func)(FIXTURE_DATA(random) *self);
	unsigned int weight;
} ops[] = {
	{ "dma", op_dma, 45 },
	{ "guest map", op_guest_map, 14 },
	{ "guest unmap", op_guest_unmap, 10 },
	{ "memory", op_memory, 12 },
	{ "invalidate page", op_invalidate_page, 8 },
	{ "invalidate domain", op_invalidate_domain, 4 },
	{ "invalidate all", op_invalidate_all, 2 },
	{ "attach", op_attach, 4 },
	{ "new hwpt", op_new_hwpt, 1 },
};

static unsigned int pick(FIXTURE_DATA(random) *self)
{
	unsigned int left = draw(self, 100), i;

	for (i = 0; left >= ops[i].weight; i++)
		left -= ops[i].weight;
	return i;
}

TEST_F(random, no_stale_translation)
{
	const char *want = getenv("OPS");
	unsigned long i, num = want ? strtoul(want, NULL, 0) : 100000;

	for (i = 0; i < num; i++) {
		unsigned int op = pick(self);

		ASSERT_EQ(0, ops[op].func(self))
			TH_LOG("operation %lu: %s", i, ops[op].name);
	}
	printf("# %lu operations, %lu DMAs, %lu arrived, %lu may be stale\n",
	       num, self->dmas, self->arrived, self->stale);
	/* It has not been all faults, or all things undecided */
	EXPECT_LT(self->dmas / 10, self->arrived);
	EXPECT_GT(self->dmas / 2, self->stale);
}

TEST_HARNESS_MAIN
