// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices, two domains, two vIOMMUs, two VMMs on one AMD IOMMU: what is
 * said of one must not do anything to the other
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "amd_utils.h"

/* A device with tables of its own and a page at AMD_GVA */
struct side {
	struct amd_guest *guest;
	struct amd_device *dev;
	struct amd_tables tables;
	__u64 dte[4];
	__u64 page;
	__u32 hwpt_id;
};

static int side_init(struct side *side, struct amd_guest *guest,
		     struct amd_device *dev, __u16 domid)
{
	int rc;

	side->guest = guest;
	side->dev = dev;
	rc = amd_tables_init(guest, &side->tables, 0, 4);
	if (rc)
		return rc;
	side->page = amd_guest_page(guest);
	rc = amd_tables_map(guest, &side->tables, AMD_GVA, side->page,
			    AMD_PTE_W, false);
	if (rc)
		return rc;
	amd_tables_dte(&side->tables, domid, side->dte);
	rc = amd_guest_nested(guest, dev, side->dte, &side->hwpt_id);
	return rc ?: amd_device_attach(dev, side->hwpt_id);
}

/* 0 if DMA arrives at the side's page */
static int side_dma(struct side *side)
{
	void *word = amd_guest_ptr(side->guest, side->page);
	int rc;

	amd_store(word, 0);
	rc = amd_device_dma(side->dev, AMD_GVA);
	if (rc)
		return amd_load(word) ? -EPROTO : rc;
	return amd_load(word) == AMD_DMA_VALUE ? 0 : -EPROTO;
}

/* One guest with two devices */

FIXTURE(two_devices)
{
	struct amd_setup setup;
	struct amd_device dev;
	struct side side[2];
};

FIXTURE_SETUP(two_devices)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_device_open(&self->dev, &self->setup.guest, 1));
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	ASSERT_EQ(0, amd_guest_vdevice(&self->setup.guest, &self->dev,
				       AMD_VIRT_ID + 1, NULL));
	ASSERT_EQ(0, side_init(&self->side[0], &self->setup.guest,
			       &self->setup.dev, 1));
	ASSERT_EQ(0, side_init(&self->side[1], &self->setup.guest, &self->dev,
			       2));
}

FIXTURE_TEARDOWN(two_devices)
{
	amd_device_close(&self->dev);
	amd_setup_close(&self->setup);
}

TEST_F(two_devices, same_address_other_page)
{
	int i;

	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, side_dma(&self->side[i & 1]));
}

TEST_F(two_devices, invalidation_is_of_one_domain)
{
	struct side *a = &self->side[0], *b = &self->side[1];

	EXPECT_EQ(0, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_tables_unmap(a->guest, &a->tables, AMD_GVA));
	ASSERT_EQ(0, amd_tables_unmap(b->guest, &b->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(a->guest, 1));
	EXPECT_EQ(-EFAULT, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_guest_inv_domain(a->guest, 2));
	EXPECT_EQ(-EFAULT, side_dma(b));
}

TEST_F(two_devices, events_have_the_id_of_the_device)
{
	struct amd_event event;

	EXPECT_EQ(-EFAULT, amd_device_dma(self->side[1].dev, 0x1000));
	ASSERT_EQ(0, amd_event_read(self->setup.event_fd, &event));
	EXPECT_EQ(AMD_VIRT_ID + 1, event.devid);
	EXPECT_EQ(-EFAULT, amd_device_dma(self->side[0].dev, 0x2000));
	ASSERT_EQ(0, amd_event_read(self->setup.event_fd, &event));
	EXPECT_EQ(AMD_VIRT_ID, event.devid);
	EXPECT_EQ(0x2000, event.addr);
}

TEST_F(two_devices, one_changes_and_the_other_does_not)
{
	struct side *a = &self->side[0], *b = &self->side[1];

	ASSERT_EQ(0, amd_device_attach(a->dev, a->guest->hwpt_id));
	EXPECT_EQ(-EFAULT, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_device_detach(a->dev));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_guest_destroy(a->guest, a->hwpt_id));
	EXPECT_EQ(0, side_dma(b));
}

TEST_F(two_devices, one_hwpt_for_both)
{
	struct side *a = &self->side[0], *b = &self->side[1];

	ASSERT_EQ(0, amd_device_attach(b->dev, a->hwpt_id));
	b->page = a->page;
	EXPECT_EQ(0, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_tables_unmap(a->guest, &a->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(a->guest, 1));
	EXPECT_EQ(-EFAULT, side_dma(a));
	EXPECT_EQ(-EFAULT, side_dma(b));
}

TEST_F(two_devices, id_is_taken)
{
	__u32 id;

	ASSERT_EQ(0, amd_guest_destroy(&self->setup.guest,
				       self->setup.vdevice_id));
	EXPECT_EQ(-EEXIST, amd_guest_vdevice(&self->setup.guest,
					     &self->setup.dev, AMD_VIRT_ID + 1,
					     &id));
	EXPECT_EQ(0, amd_guest_vdevice(&self->setup.guest, &self->setup.dev,
				       AMD_VIRT_ID + 2, &id));
}

/* Memory that goes away does so for both */
TEST_F(two_devices, unmap_stage_2)
{
	ASSERT_EQ(0, side_dma(&self->side[0]));
	ASSERT_EQ(0, side_dma(&self->side[1]));
	ASSERT_EQ(0, amd_guest_unmap(&self->setup.guest, AMD_RAM_GPA,
				     AMD_RAM_SIZE));
	EXPECT_EQ(-EFAULT, side_dma(&self->side[0]));
	EXPECT_EQ(-EFAULT, side_dma(&self->side[1]));
}

/*
 * Two vIOMMUs of one VMM: each has its own domain IDs and device IDs, so the
 * same numbers are other ones.
 */
FIXTURE(two_viommus)
{
	struct amd_setup setup;
	struct amd_guest second;
	struct amd_device dev;
	struct side side[2];
};

FIXTURE_SETUP(two_viommus)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_device_open(&self->dev, &self->setup.guest, 1));
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	ASSERT_EQ(0, side_init(&self->side[0], &self->setup.guest,
			       &self->setup.dev, AMD_DOMID));
	self->second = self->setup.guest;
	ASSERT_EQ(0, amd_guest_viommu(&self->second, &self->dev));
	ASSERT_EQ(0, amd_guest_vdevice(&self->second, &self->dev, AMD_VIRT_ID,
				       NULL));
	ASSERT_EQ(0, side_init(&self->side[1], &self->second, &self->dev,
			       AMD_DOMID));
}

FIXTURE_TEARDOWN(two_viommus)
{
	amd_device_close(&self->dev);
	amd_setup_close(&self->setup);
}

TEST_F(two_viommus, same_ids_other_domains)
{
	int i;

	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, side_dma(&self->side[i & 1]));
}

TEST_F(two_viommus, invalidation_is_of_one_viommu)
{
	struct side *a = &self->side[0], *b = &self->side[1];
	struct iommu_viommu_amd_invalidate all = amd_cmd_all();
	__u32 num = 1;

	EXPECT_EQ(0, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_tables_unmap(a->guest, &a->tables, AMD_GVA));
	ASSERT_EQ(0, amd_tables_unmap(b->guest, &b->tables, AMD_GVA));
	ASSERT_EQ(0, amd_guest_inv_domain(a->guest, AMD_DOMID));
	EXPECT_EQ(-EFAULT, side_dma(a));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_guest_invalidate(a->guest, &all, &num));
	EXPECT_EQ(0, side_dma(b));
	ASSERT_EQ(0, amd_guest_invalidate(b->guest, &all, &num));
	EXPECT_EQ(-EFAULT, side_dma(b));
}

/* A nested HWPT is for the devices of its vIOMMU */
TEST_F(two_viommus, hwpt_of_the_other)
{
	/* A table of this vIOMMU blocks a device of another one */
	EXPECT_EQ(0, amd_device_attach(self->side[1].dev,
				       self->side[0].hwpt_id));
	EXPECT_EQ(0, side_dma(&self->side[0]));
	EXPECT_NE(0, side_dma(&self->side[1]));
	EXPECT_EQ(0, amd_device_attach(self->side[1].dev,
				       self->side[1].hwpt_id));
	EXPECT_EQ(0, side_dma(&self->side[1]));
}

TEST_F(two_viommus, device_has_one_vdevice)
{
	EXPECT_EQ(-EEXIST, amd_guest_vdevice(&self->second, &self->setup.dev,
					     1, NULL));
}

TEST_F(two_viommus, events_go_to_their_viommu)
{
	struct amd_event event;

	EXPECT_EQ(-EFAULT, amd_device_dma(self->side[1].dev, 0x1000));
	EXPECT_EQ(-EAGAIN, amd_event_read(self->setup.event_fd, &event));
	EXPECT_EQ(-EFAULT, amd_device_dma(self->side[0].dev, 0x2000));
	EXPECT_EQ(0, amd_event_read(self->setup.event_fd, &event));
}

/* Memory that goes away does so for both: the parent is the same */
TEST_F(two_viommus, unmap_stage_2)
{
	ASSERT_EQ(0, side_dma(&self->side[0]));
	ASSERT_EQ(0, side_dma(&self->side[1]));
	ASSERT_EQ(0, amd_guest_unmap(&self->setup.guest, AMD_RAM_GPA,
				     AMD_RAM_SIZE));
	EXPECT_EQ(-EFAULT, side_dma(&self->side[0]));
	EXPECT_EQ(-EFAULT, side_dma(&self->side[1]));
}

/* Two VMMs, each a process with a device */

FIXTURE(two_vmms)
{
	struct amd_setup setup;
	struct side side;
};

FIXTURE_SETUP(two_vmms)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	ASSERT_EQ(0, side_init(&self->side, &self->setup.guest,
			       &self->setup.dev, AMD_DOMID));
}

FIXTURE_TEARDOWN(two_vmms)
{
	amd_setup_close(&self->setup);
}

/* The other VMM: does the same with the other device until it is killed */
static void other_vmm(int fd)
{
	struct amd_setup setup;
	struct side side;
	char ready = 'y';

	if (amd_setup_device(&setup, 1) || amd_setup_vdevice(&setup) ||
	    side_init(&side, &setup.guest, &setup.dev, AMD_DOMID) ||
	    side_dma(&side))
		ready = 'n';
	if (write(fd, &ready, 1) != 1)
		_exit(1);
	while (ready == 'y') {
		if (side_dma(&side) ||
		    amd_device_attach(side.dev, setup.guest.hwpt_id) ||
		    amd_device_attach(side.dev, side.hwpt_id) ||
		    amd_guest_inv_domain(&setup.guest, AMD_DOMID))
			_exit(2);
	}
	_exit(3);
}

/* Killed wherever it is, which leaves its device and domains to the kernel */
TEST_F(two_vmms, one_is_killed)
{
	struct timespec nap = { .tv_nsec = 1 };
	int i, fds[2], status;
	char ready;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pipe(fds));
		pid = fork();
		ASSERT_NE(-1, pid);
		if (!pid)
			other_vmm(fds[1]);
		ASSERT_EQ(1, read(fds[0], &ready, 1));
		ASSERT_EQ('y', ready);
		nap.tv_nsec = i * 1700000L;
		nanosleep(&nap, NULL);
		EXPECT_EQ(0, side_dma(&self->side));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("the other VMM ended with %d",
			       WEXITSTATUS(status));
		}
		EXPECT_EQ(0, side_dma(&self->side));
		close(fds[0]);
		close(fds[1]);
	}
}

/* A VMM cannot have what another has */
TEST_F(two_vmms, device_of_the_other)
{
	struct amd_guest guest;
	struct amd_device dev;

	ASSERT_EQ(0, amd_guest_init(&guest, AMD_RAM_SIZE));
	EXPECT_GT(0, amd_device_open(&dev, &guest, 0));
	EXPECT_EQ(0, side_dma(&self->side));
	amd_guest_exit(&guest);
}

/* Under load: each thread does one thing to the guest, as fast as it can */

struct load {
	struct amd_setup *setup;
	struct side *side;
	atomic_int stop;
	atomic_int wrong;
	atomic_uint rounds[4];
};

/* The device never gets anywhere but to its page */
static void *load_dma(void *arg)
{
	struct load *load = arg;
	int rc;

	while (!load->stop) {
		rc = amd_device_dma(load->side->dev, AMD_GVA);
		if (rc && rc != -EFAULT)
			load->wrong = rc;
		load->rounds[0]++;
	}
	return NULL;
}

static void *load_invalidate(void *arg)
{
	struct load *load = arg;
	struct iommu_viommu_amd_invalidate cmds[3] = {
		amd_cmd_pages(AMD_DOMID, 0, 0, true), amd_cmd_all(),
		amd_cmd_devtab(AMD_VIRT_ID),
	};
	__u32 num;
	int rc;

	while (!load->stop) {
		num = 3;
		rc = amd_guest_invalidate(&load->setup->guest, cmds, &num);
		if (rc)
			load->wrong = rc;
		load->rounds[1]++;
	}
	return NULL;
}

static void *load_domains(void *arg)
{
	struct load *load = arg;
	__u64 dte[4];
	__u32 id;
	int rc;

	while (!load->stop) {
		amd_tables_dte(&load->side->tables,
			       AMD_DOMID + (load->rounds[2] & 3), dte);
		rc = amd_guest_nested(&load->setup->guest, load->side->dev,
				      dte, &id);
		if (!rc)
			rc = amd_guest_destroy(&load->setup->guest, id);
		if (rc)
			load->wrong = rc;
		load->rounds[2]++;
	}
	return NULL;
}

/* Above the tables that stage 2 has, again and again: it gets its new top */
static void *load_map(void *arg)
{
	struct load *load = arg;
	void *data = amd_guest_ptr(&load->setup->guest, load->side->page);
	int rc;

	while (!load->stop) {
		__u64 gpa = 1ULL << (32 + load->rounds[3] % 16);

		rc = amd_guest_map(&load->setup->guest, data, gpa, AMD_PAGE);
		if (!rc)
			rc = amd_guest_unmap(&load->setup->guest, gpa,
					     AMD_PAGE);
		if (rc)
			load->wrong = rc;
		load->rounds[3]++;
	}
	return NULL;
}

TEST_F(two_vmms, attach_under_load)
{
	static void *(*const funcs[4])(void *) = {
		load_dma, load_invalidate, load_domains, load_map,
	};
	struct load load = { .setup = &self->setup, .side = &self->side };
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, funcs[i],
					    &load));
	for (i = 0; i < 300; i++) {
		EXPECT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->setup.guest.hwpt_id));
		EXPECT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->side.hwpt_id));
		if (i % 10)
			continue;
		EXPECT_EQ(0, amd_device_detach(&self->setup.dev));
		EXPECT_EQ(0, amd_device_attach(&self->setup.dev,
					       self->side.hwpt_id));
	}
	load.stop = 1;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, load.wrong);
	for (i = 0; i < 4; i++)
		EXPECT_NE(0, load.rounds[i]);
	EXPECT_EQ(0, side_dma(&self->side));
}

TEST_HARNESS_MAIN
