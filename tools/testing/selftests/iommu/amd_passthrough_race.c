// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device whose DTE changes in both halves must not see the memory of the host
 * in between
 *
 * The device writes all the time to the address that a page of this process has
 * for the host. Its guest has something else at that address, so the page stays
 * as it is unless the IOMMU passes a request on untranslated.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "amd_utils.h"

#define PAGEMAP_PRESENT	0x8000000000000000ULL
#define PAGEMAP_PFN	0x007fffffffffffffULL

/* Host physical address of a page that is not going to move, or 0 */
static __u64 host_address(void *page)
{
	__u64 entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)page / AMD_PAGE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry & PAGEMAP_PRESENT ? (entry & PAGEMAP_PFN) * AMD_PAGE : 0;
}

struct writer {
	struct amd_device *dev;
	__u64 addr;
	atomic_int stop;
	atomic_uint arrived;
	atomic_uint refused;
};

static void *keep_writing(void *arg)
{
	struct writer *writer = arg;

	while (!writer->stop) {
		if (amd_device_dma(writer->dev, writer->addr))
			writer->refused++;
		else
			writer->arrived++;
	}
	return NULL;
}

FIXTURE(race)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	void *canary;
	__u64 addr;
	__u32 hwpt_id[2];
	__u64 page;
};

FIXTURE_SETUP(race)
{
	const char *why = amd_setup_device(&self->setup, 0);
	struct amd_tables tables;
	__u64 dte[4];
	int i;

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->setup.guest;
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));

	/* In the IOAS, so that it is pinned; the guest does not use it */
	self->canary = mmap(NULL, AMD_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->canary);
	amd_store(self->canary, 0);
	ASSERT_EQ(0, amd_guest_map(self->guest, self->canary,
				   AMD_RAM_GPA + AMD_RAM_SIZE, AMD_PAGE));
	self->addr = host_address(self->canary);
	if (!self->addr)
		SKIP(return, "no /proc/self/pagemap");

	self->page = amd_guest_page(self->guest);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, amd_tables_init(self->guest, &tables, 0, 4 + i));
		ASSERT_EQ(0, amd_tables_map(self->guest, &tables, self->addr,
					    self->page, AMD_PTE_W, false));
		amd_tables_dte(&tables, AMD_DOMID + i, dte);
		ASSERT_EQ(0, amd_guest_nested(self->guest, &self->setup.dev,
					      dte, &self->hwpt_id[i]));
	}
	ASSERT_EQ(0, amd_device_attach(&self->setup.dev, self->hwpt_id[0]));
}

FIXTURE_TEARDOWN(race)
{
	amd_setup_close(&self->setup);
}

TEST_F(race, number_of_levels)
{
	struct writer writer = { .dev = &self->setup.dev, .addr = self->addr };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_writing, &writer));
	for (i = 0; i < 4000; i++)
		ASSERT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->hwpt_id[~i & 1]));
	writer.stop = 1;
	pthread_join(thread, NULL);

	EXPECT_EQ(0, amd_load(self->canary));
	/* It was there, and not always blocked */
	EXPECT_LT(1000, writer.arrived);
	EXPECT_EQ(AMD_DMA_VALUE, amd_word(self->guest, self->page));
	TH_LOG("%u arrived, %u refused", writer.arrived, writer.refused);
}

TEST_HARNESS_MAIN
