// SPDX-License-Identifier: GPL-2.0-only
/*
 * A flush that takes long, or is never confirmed: nobody gets memory that a
 * device of the last owner still reaches. Needs an IOMMU whose commands can be
 * slowed down, which real ones cannot.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "amd_utils.h"
#include "viommu_monitor.h"

/* Longer than a wait was once, shorter than the invalidation timeout */
#define SLOW "600000000"
/* Longer than any command may take */
#define DEAD "20000000000"

#define GPA (AMD_RAM_GPA + (64ULL << 20))

FIXTURE(flush)
{
	/* Two VMs with a device each */
	struct amd_setup one;
	struct amd_setup two;
	bool open;
};

FIXTURE_SETUP(flush)
{
	const char *why;

	if (monitor_number("cmd-delay"))
		SKIP(return, "no IOMMU that can be slowed down");
	why = amd_setup_device(&self->one, 0);
	if (why)
		SKIP(return, "%s", why);
	why = amd_setup_device(&self->two, 1);
	if (why) {
		amd_setup_close(&self->one);
		SKIP(return, "%s", why);
	}
	self->open = true;
	ASSERT_EQ(0, amd_setup_vdevice(&self->one));
	ASSERT_EQ(0, amd_device_attach(&self->two.dev,
				       self->two.guest.hwpt_id));
	ASSERT_EQ(0, amd_guest_map(&self->two.guest,
				   amd_guest_ptr(&self->two.guest, AMD_RAM_GPA),
				   GPA, AMD_PAGE));
}

FIXTURE_TEARDOWN(flush)
{
	if (!self->open)
		return;
	EXPECT_EQ(0, monitor_set("cmd-delay", "0"));
	amd_setup_close(&self->two);
	amd_setup_close(&self->one);
}

static long pinned_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* The first VM forwards commands of its guest all the time */
struct other_vm {
	struct amd_guest *guest;
	int stop;
	int rc;
	unsigned int rounds;
};

static void *invalidate(void *arg)
{
	struct other_vm *vm = arg;

	while (!__atomic_load_n(&vm->stop, __ATOMIC_RELAXED) && !vm->rc) {
		struct iommu_viommu_amd_invalidate cmd =
			amd_cmd_devtab(AMD_VIRT_ID);
		__u32 num = 1;

		vm->rc = amd_guest_invalidate(vm->guest, &cmd, &num);
		vm->rounds++;
	}
	return NULL;
}

TEST_F(flush, slow_is_waited_for)
{
	struct other_vm vm = { .guest = &self->one.guest };
	pthread_t thread;
	int i;

	test_dma_at(&self->two, GPA, AMD_RAM_GPA);
	ASSERT_EQ(0, monitor_set("cmd-delay", SLOW));
	ASSERT_EQ(0, pthread_create(&thread, NULL, invalidate, &vm));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, amd_guest_unmap(&self->two.guest, GPA, AMD_PAGE));
		test_no_dma_at(&self->two, GPA, AMD_RAM_GPA);
		EXPECT_EQ(0, amd_guest_map(&self->two.guest,
					   amd_guest_ptr(&self->two.guest,
							 AMD_RAM_GPA),
					   GPA, AMD_PAGE));
		test_dma_at(&self->two, GPA, AMD_RAM_GPA);
	}
	__atomic_store_n(&vm.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, vm.rc);
	EXPECT_LT(0, vm.rounds);
}

/* The IOMMU is at one command, and then comes back */
TEST_F(flush, unconfirmed_frees_nothing)
{
	struct iommu_viommu_amd_invalidate cmd = amd_cmd_devtab(AMD_VIRT_ID);
	long before = pinned_kib();
	__u32 num = 1;
	int i;

	ASSERT_LT(0, before);
	test_dma_at(&self->two, GPA, AMD_RAM_GPA);
	ASSERT_EQ(0, monitor_set("cmd-delay", DEAD));
	EXPECT_EQ(-EIO, amd_guest_unmap(&self->two.guest, GPA, AMD_PAGE));
	EXPECT_EQ(before, pinned_kib());
	/* It is unmapped all the same */
	EXPECT_EQ(-ENOENT, amd_guest_unmap(&self->two.guest, GPA, AMD_PAGE));
	/* Others are told, too, and lose nothing by it */
	EXPECT_EQ(-EIO, amd_guest_invalidate(&self->one.guest, &cmd, &num));

	ASSERT_EQ(0, monitor_set("cmd-delay", "0"));
	for (i = 0; i < 60; i++) {
		num = 1;
		if (!amd_guest_invalidate(&self->one.guest, &cmd, &num))
			break;
		sleep(1);
	}
	EXPECT_GT(60, i);
	/* Which pages it was about is not known any more: all of them stay */
	EXPECT_EQ(-EIO, amd_guest_unmap(&self->two.guest, AMD_RAM_GPA,
					AMD_RAM_SIZE));
	EXPECT_EQ(before, pinned_kib());
	test_no_dma_at(&self->two, AMD_RAM_GPA, AMD_RAM_GPA);
	EXPECT_EQ(0, amd_guest_unmap(&self->one.guest, AMD_RAM_GPA,
				     AMD_RAM_SIZE));
	EXPECT_EQ(before - (long)AMD_RAM_SIZE / 1024, pinned_kib());
}

/* INVALIDATE_IOMMU_PAGES for an unmap of the first VM */
static long long unmap_commands(struct amd_guest *guest)
{
	long long before = monitor_number("stat-cmd-3");

	if (amd_guest_map(guest, amd_guest_ptr(guest, AMD_RAM_GPA), GPA,
			  AMD_PAGE) ||
	    amd_guest_unmap(guest, GPA, AMD_PAGE))
		return -1;
	return monitor_number("stat-cmd-3") - before;
}

/* It costs others nothing that a guest has many domains */
TEST_F(flush, domains_of_no_device)
{
	enum { IDS = 1000 };
	static __u32 ids[IDS];
	struct amd_guest *guest = &self->one.guest;
	struct amd_tables tables;
	long long few, many;
	__u64 dte[4];
	int i;

	ASSERT_EQ(0, amd_tables_init(guest, &tables, 0, 4));
	for (i = 0; i < IDS; i++) {
		amd_tables_dte(&tables, i, dte);
		ASSERT_EQ(0, amd_guest_nested(guest, &self->one.dev, dte,
					      &ids[i]));
		if (i)
			continue;
		ASSERT_EQ(0, amd_device_attach(&self->one.dev, ids[0]));
		few = unmap_commands(guest);
	}
	many = unmap_commands(guest);
	printf("# commands of an unmap: %lld with one domain, %lld with %d\n",
	       few, many, IDS);
	EXPECT_LT(0, few);
	EXPECT_EQ(few, many);
	ASSERT_EQ(0, amd_device_detach(&self->one.dev));
	for (i = 0; i < IDS; i++)
		ASSERT_EQ(0, amd_guest_destroy(guest, ids[i]));
}

/* A domain that a device has left is forgotten, and not flushed any more */
TEST_F(flush, domain_that_was_left)
{
	struct amd_guest *guest = &self->one.guest;
	__u64 page = amd_guest_page(guest);
	__u32 hwpt_id, other_id;
	struct amd_tables tables;
	__u64 dte[4];

	ASSERT_EQ(0, amd_tables_init(guest, &tables, 0, 4));
	ASSERT_EQ(0, amd_guest_map(guest, amd_guest_ptr(guest, page), GPA,
				   AMD_PAGE));
	ASSERT_EQ(0, amd_tables_map(guest, &tables, AMD_GVA, GPA, AMD_PTE_W,
				    false));
	amd_tables_dte(&tables, AMD_DOMID, dte);
	ASSERT_EQ(0, amd_guest_nested(guest, &self->one.dev, dte, &hwpt_id));
	amd_tables_dte(&tables, AMD_DOMID + 1, dte);
	ASSERT_EQ(0, amd_guest_nested(guest, &self->one.dev, dte, &other_id));

	ASSERT_EQ(0, amd_device_attach(&self->one.dev, hwpt_id));
	test_dma_at(&self->one, AMD_GVA, page);
	ASSERT_EQ(0, amd_device_attach(&self->one.dev, other_id));
	ASSERT_EQ(0, amd_guest_unmap(guest, GPA, AMD_PAGE));
	ASSERT_EQ(0, amd_device_attach(&self->one.dev, hwpt_id));
	test_no_dma_at(&self->one, AMD_GVA, page);
}

TEST_HARNESS_MAIN
