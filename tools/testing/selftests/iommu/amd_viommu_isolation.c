// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: two guests on one IOMMU, with all IDs and addresses the
 * same. Whatever one does, the other does not notice.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "amd_viommu_utils.h"

#define BAD_GVA (AMD_GVA + AMD_PAGE)

/* Up to a device that does DMA through its guest's tables */
static const char *open_guest(struct amd_hw *hw, unsigned int nth)
{
	const char *why = amd_hw_open(hw, nth);

	if (why)
		return why;
	if (!amd_hw_start(hw, AMD_RING_MIN) && !amd_hw_nest(hw))
		return NULL;
	amd_hw_close(hw);
	return "the rings of a guest do not start";
}

/* All of a guest works, after whatever the other one has done */
static void check_works(struct __test_metadata *_metadata, struct amd_hw *hw)
{
	struct amd_event event = {};

	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	EXPECT_EQ(0, amd_hw_dma(hw));
	EXPECT_EQ(-EAGAIN, amd_ring_pop_event(&hw->rings.evt, &event));
	EXPECT_EQ(-EFAULT, amd_device_dma(&hw->setup.dev, BAD_GVA));
	test_guest_fault(hw, AMD_VIRT_ID, BAD_GVA);
	test_command_reads(&hw->v, CONTROL, amd_rings_control(&hw->rings));
	EXPECT_EQ(AMD_STATUS_CMD_RUN | AMD_STATUS_EVT_RUN,
		  amd_vf_read(&hw->v, AMD_VF_STATUS) &
		  (AMD_STATUS_CMD_RUN | AMD_STATUS_EVT_RUN |
		   AMD_STATUS_EVT_OVERFLOW));
	test_no_vmm_event(hw);
}

FIXTURE(guests)
{
	struct amd_hw a;
	struct amd_hw b;
};

FIXTURE_SETUP(guests)
{
	const char *why = open_guest(&self->a, 0);

	if (why)
		SKIP(return, "%s", why);
	why = open_guest(&self->b, 1);
	if (why) {
		amd_hw_close(&self->a);
		SKIP(return, "%s", why);
	}
}

FIXTURE_TEARDOWN(guests)
{
	amd_hw_close(&self->b);
	amd_hw_close(&self->a);
}

#define test_works(hw) check_works(_metadata, hw)

TEST_F(guests, both_work)
{
	test_works(&self->a);
	test_works(&self->b);
	test_works(&self->a);
}

/* The same guest address is each one's own memory */
TEST_F(guests, stores)
{
	__u64 gpa = AMD_RAM_GPA + AMD_HW_RAM_SIZE - AMD_PAGE;
	__u64 *word_a = amd_guest_ptr(&self->a.setup.guest, gpa);
	__u64 *word_b = amd_guest_ptr(&self->b.setup.guest, gpa);

	EXPECT_EQ(self->a.rings.cmd.gpa, self->b.rings.cmd.gpa);
	ASSERT_EQ(0, amd_ring_run(&self->a.rings.cmd,
				  amd_cmd_wait(gpa, 0xa, AMD_WAIT_STORE)));
	EXPECT_EQ(0xa, *word_a);
	EXPECT_EQ(0, *word_b);
	ASSERT_EQ(0, amd_ring_run(&self->b.rings.cmd,
				  amd_cmd_wait(gpa, 0xb, AMD_WAIT_STORE)));
	EXPECT_EQ(0xa, *word_a);
	EXPECT_EQ(0xb, *word_b);
}

/* Memory that one has is not there for the other */
TEST_F(guests, address_of_the_other)
{
	struct amd_guest *guest = &self->b.setup.guest;

	ASSERT_EQ(0, amd_guest_map(guest, guest->ram, AMD_NO_GPA, AMD_PAGE));
	EXPECT_EQ(0, amd_ring_run(&self->b.rings.cmd,
				  amd_cmd_wait(AMD_NO_GPA, 1, 1)));
	EXPECT_EQ(-EIO, amd_ring_run(&self->a.rings.cmd,
				     amd_cmd_wait(AMD_NO_GPA, 2, 1)));
	test_vmm_event(&self->a, AMD_EVENT_GUEST_FAULT, AMD_NO_GPA);
	test_works(&self->b);
}

TEST_F(guests, same_domain_other_translations)
{
	ASSERT_EQ(0, amd_hw_make_stale(&self->a));
	ASSERT_EQ(0, amd_hw_make_stale(&self->b));
	ASSERT_EQ(0, amd_ring_run(&self->a.rings.cmd,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->a));
	EXPECT_EQ(0, amd_hw_dma(&self->b));
	ASSERT_EQ(0, amd_ring_run(&self->b.rings.cmd,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->b));
}

TEST_F(guests, all_is_all_of_one)
{
	ASSERT_EQ(0, amd_hw_make_stale(&self->b));
	ASSERT_EQ(0, amd_ring_run(&self->a.rings.cmd, amd_cmd_all()));
	EXPECT_EQ(0, amd_hw_dma(&self->b));
	EXPECT_EQ(0, amd_hw_dma(&self->a));
}

/* Any number at all, of either stage, in any command that has one */
TEST_F(guests, every_domain)
{
	struct amd_ring *ring = &self->a.rings.cmd;
	unsigned int domid;

	ASSERT_EQ(0, amd_hw_make_stale(&self->b));
	for (domid = 0; domid <= 0xffff; domid++) {
		ASSERT_EQ(0, amd_ring_put(ring, amd_cmd_pages(domid, 0, 0,
							      true)));
		ASSERT_EQ(0, amd_ring_put(ring,
					  amd_cmd_raw(3ULL << 60 |
						      (__u64)domid << 32,
						      0x7ffffffffffff003)));
		if (domid % 64 == 63)
			ASSERT_EQ(0, amd_ring_sync(ring));
	}
	EXPECT_EQ(0, amd_hw_dma(&self->b));
	test_no_vmm_event(&self->b);
	test_works(&self->a);
}

/* Nobody is told, nobody notices */
static void check_foreign_devices(struct __test_metadata *_metadata,
				  struct amd_hw *hw, struct amd_hw *other)
{
	const int ids[] = {
		amd_hw_devid(&hw->setup.dev), amd_hw_devid(&other->setup.dev),
		0,
	};
	struct amd_ring *ring = &hw->rings.cmd;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		if (ids[i] < 0)
			continue;
		EXPECT_EQ(0, amd_ring_run(ring, amd_cmd_devtab(ids[i])));
		EXPECT_EQ(0, amd_ring_run(ring, amd_cmd_iotlb(ids[i], 0)));
		test_no_vmm_event(hw);
		test_no_vmm_event(other);
	}
	check_works(_metadata, other);
}

/* The IDs that the devices have on the host are not the guest's either */
TEST_F(guests, devices_of_the_host)
{
	check_foreign_devices(_metadata, &self->a, &self->b);
	check_foreign_devices(_metadata, &self->b, &self->a);
}

/* A page of the guest's that its VMM has not given it: an event of the host */
static int fault_of_the_host(struct amd_hw *hw)
{
	struct amd_event event = {};
	int rc = amd_device_dma(&hw->setup.dev, BAD_GVA);

	if (rc != -EFAULT)
		return rc ?: -EPROTO;
	rc = amd_event_read(hw->setup.event_fd, &event);
	if (!rc && (event.code != AMD_EVENT_PAGE_FAULT ||
		    event.addr != AMD_NO_GPA))
		rc = -EPROTO;
	return rc;
}

/*
 * A guest that names all the IDs that it does not have, in all commands that
 * have one and as fast as it can: the host's log has room for the faults of
 * another guest all the same.
 */
TEST_F(guests, flood_of_unknown_devices)
{
	struct amd_ring *ring = &self->a.rings.cmd;
	long long events, lost, commands = 0;
	unsigned int id, faults = 0;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	ASSERT_EQ(0, amd_tables_map(&self->b.setup.guest, &self->b.tables,
				    BAD_GVA, AMD_NO_GPA, AMD_PTE_W, false));
	events = monitor_number("stat-event-5");
	lost = monitor_number("stat-events-lost");
	for (id = 0; id <= 0xffff; id++) {
		if (id == AMD_VIRT_ID)
			continue;
		ASSERT_EQ(0, amd_ring_put(ring, amd_cmd_devtab(id)));
		ASSERT_EQ(0, amd_ring_put(ring, amd_cmd_iotlb(id, AMD_GVA)));
		ASSERT_EQ(0, amd_ring_put(ring, amd_cmd_interrupts(id)));
		commands += 3;
		/* With a full ring before each fault of the other */
		if (id % 64 == 63)
			amd_ring_doorbell(ring);
		if (id % 4096 == 4095)
			faults += !fault_of_the_host(&self->b);
		if (id % 64 == 63)
			ASSERT_EQ(0, amd_ring_sync(ring));
	}
	printf("# %lld unknown IDs: %lld host events; %u of 16 other faults\n",
	       commands, monitor_number("stat-event-5") - events, faults);
	EXPECT_EQ(16, faults);
	EXPECT_EQ(events, monitor_number("stat-event-5"));
	EXPECT_EQ(lost, monitor_number("stat-events-lost"));
	test_no_vmm_event(&self->a);
	test_no_vmm_event(&self->b);
}

TEST_F(guests, events)
{
	struct amd_event event;

	EXPECT_EQ(-EFAULT, amd_device_dma(&self->a.setup.dev, BAD_GVA));
	EXPECT_EQ(-EAGAIN, amd_ring_pop_event(&self->b.rings.evt, &event));
	EXPECT_EQ(0, amd_vf_read(&self->b.v, AMD_VF_STATUS) &
		  AMD_STATUS_EVT_INT);
	test_guest_fault(&self->a, AMD_VIRT_ID, BAD_GVA);
	test_works(&self->b);
}

/* One has the same bit of STATUS set, but its interrupt is not enabled */
TEST_F(guests, interrupts)
{
	int fd_a = -1, fd_b = -1;
	__u64 status = 0;
	__u32 id;

	if (!(self->a.v.caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ))
		SKIP(return, "no IOMMU_VIOMMU_AMD_CAP_LOG_IRQ");
	ASSERT_EQ(0, amd_viommu_irqs(&self->a.v, 4, &id, &fd_a));
	ASSERT_EQ(0, amd_viommu_irqs(&self->b.v, 4, &id, &fd_b));
	ASSERT_EQ(0, amd_viommu_enable(&self->a.v, AMD_CONTROL_EVT_INT_EN));
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->b.setup.dev, BAD_GVA));
	EXPECT_EQ(-EAGAIN, amd_irq_read(fd_a, 500, &status));
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->a.setup.dev, BAD_GVA));
	EXPECT_EQ(0, amd_irq_read(fd_a, 2000, &status));
	EXPECT_EQ(AMD_STATUS_EVT_INT, status & AMD_STATUS_EVT_INT);
	EXPECT_EQ(-EAGAIN, amd_irq_read(fd_b, 500, &status));
	close(fd_a);
	close(fd_b);
}

#define MANY_INTERRUPTS 2000

/* Interrupts that a VMM has got, up to now */
static int count_irqs(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	__u64 status;
	int num = 0;

	while (poll(&poll_fd, 1, 0) == 1)
		num += !amd_irq_read(fd, 0, &status);
	return num;
}

/*
 * One has a bit set that its guest does not clear. The other one interrupts as
 * fast as it can: that is no work for the first VMM, which misses nothing.
 */
TEST_F(guests, interrupts_of_the_other)
{
	struct amd_ring *ring = &self->a.rings.cmd;
	int i, own, others, fd_a = -1, fd_b = -1;
	__u64 status = 0;
	__u32 id;

	if (!(self->a.v.caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ))
		SKIP(return, "no IOMMU_VIOMMU_AMD_CAP_LOG_IRQ");
	ASSERT_EQ(0, amd_viommu_irqs(&self->a.v, 4096, &id, &fd_a));
	ASSERT_EQ(0, amd_viommu_irqs(&self->b.v, 4096, &id, &fd_b));
	ASSERT_EQ(0, amd_viommu_enable(&self->b.v, AMD_CONTROL_EVT_INT_EN));
	ASSERT_EQ(0, amd_viommu_enable(&self->a.v,
				       AMD_CONTROL_COMWAIT_INT_EN));
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->b.setup.dev, BAD_GVA));
	EXPECT_EQ(0, amd_irq_read(fd_b, 2000, &status));
	EXPECT_EQ(AMD_STATUS_EVT_INT, status & AMD_STATUS_EVT_INT);

	for (i = 0; i < MANY_INTERRUPTS; i++) {
		amd_vf_write(&self->a.v, AMD_VF_STATUS, AMD_STATUS_COMWAIT_INT);
		ASSERT_EQ(0, amd_ring_run(ring, amd_cmd_wait(0, 0,
							     AMD_WAIT_INT)));
	}
	usleep(500000);
	own = count_irqs(fd_a);
	others = count_irqs(fd_b);
	printf("# %d interrupts: %d for the VMM, %d for another one\n",
	       MANY_INTERRUPTS, own, others);
	EXPECT_EQ(0, others);
	EXPECT_LT(0, own);

	/* Both get their next one, cleared or not */
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->b.setup.dev, BAD_GVA));
	EXPECT_EQ(0, amd_irq_read(fd_b, 2000, &status));
	amd_vf_write(&self->b.v, AMD_VF_STATUS, AMD_STATUS_EVT_INT);
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->b.setup.dev, BAD_GVA));
	EXPECT_EQ(0, amd_irq_read(fd_b, 2000, &status));
	amd_vf_write(&self->a.v, AMD_VF_STATUS, AMD_STATUS_COMWAIT_INT);
	ASSERT_EQ(0, amd_ring_run(ring, amd_cmd_wait(0, 0, AMD_WAIT_INT)));
	EXPECT_EQ(0, amd_irq_read(fd_a, 2000, &status));
	close(fd_a);
	close(fd_b);
}

TEST_F(guests, log_overflow)
{
	unsigned int i;

	for (i = 0; i < 2 * AMD_RING_MIN / AMD_ENTRY; i++)
		EXPECT_EQ(-EFAULT, amd_device_dma(&self->a.setup.dev,
						  BAD_GVA));
	EXPECT_EQ(AMD_STATUS_EVT_OVERFLOW,
		  amd_vf_read(&self->a.v, AMD_VF_STATUS) &
		  AMD_STATUS_EVT_OVERFLOW);
	test_works(&self->b);
}

TEST_F(guests, illegal_command)
{
	EXPECT_EQ(-EIO, amd_ring_run(&self->a.rings.cmd, amd_cmd_raw(0, 0)));
	test_works(&self->b);
}

/* A RESET_VMMIO of either guest in the ring of one */
TEST_F(guests, reset_of_the_other)
{
	unsigned int gid;

	for (gid = 1; gid < 8; gid++) {
		EXPECT_EQ(-EIO, amd_ring_run(&self->a.rings.cmd,
					     amd_cmd_raw(0xa000000090000000 |
							 gid, 0)));
		test_works(&self->b);
		ASSERT_EQ(0, amd_viommu_set(&self->a.v, CONTROL, 0));
		ASSERT_EQ(0, amd_viommu_start(&self->a.rings));
	}
	test_works(&self->a);
}

TEST_F(guests, registers)
{
	unsigned int reg;

	ASSERT_EQ(0, amd_viommu_set(&self->a.v, CONTROL, 0));
	for (reg = 0; reg < AMD_PAGE; reg += 8)
		amd_vf_write(&self->a.v, reg, ~0ULL);
	test_works(&self->b);
	for (reg = 0; reg < AMD_PAGE; reg += 8)
		amd_vf_write(&self->a.v, reg, 0);
	test_works(&self->b);
}

TEST_F(guests, control)
{
	ASSERT_EQ(0, amd_viommu_set(&self->a.v, CONTROL, 0));
	test_works(&self->b);
	EXPECT_EQ(-EIO, amd_ring_sync(&self->a.rings.cmd));
	ASSERT_EQ(0, amd_viommu_reset(&self->a.rings));
	test_works(&self->b);
}

/* Objects belong to a file: IDs and offsets of the other's are none here */
TEST_F(guests, objects_of_the_other)
{
	struct amd_guest mixed = self->a.setup.guest;
	struct amd_guest more = self->b.setup.guest;
	struct amd_viommu v;
	void *page;
	__u32 id;
	int i;

	/* More objects than the other has, so that these IDs are none of its */
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, amd_viommu_alloc(&v, &more, &self->b.setup.dev));
	mixed.viommu_id = more.viommu_id;
	v.guest = &mixed;
	test_command_fails(&v, CONTROL, ENOENT);
	EXPECT_EQ(-ENOENT, amd_viommu_set(&v, CONTROL, 0));
	EXPECT_EQ(-ENOENT, amd_viommu_queue(&v, CMD_QUEUE, 0, AMD_RAM_GPA,
					    AMD_PAGE, &id));
	EXPECT_EQ(-ENOENT, amd_guest_vdevice(&mixed, &self->a.setup.dev, 1,
					     &id));
	EXPECT_EQ(-ENOENT, amd_guest_destroy(&mixed, mixed.viommu_id));
	page = mmap(NULL, v.mmap_length, PROT_READ | PROT_WRITE, MAP_SHARED,
		    mixed.iommufd, v.mmap_offset);
	EXPECT_EQ(MAP_FAILED, page);
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(guests, one_ends)
{
	struct amd_hw *a = &self->a;
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, amd_ring_sync(&a->rings.cmd));
		/* In the middle of everything */
		amd_hw_close(a);
		test_works(&self->b);
		ASSERT_EQ(NULL, open_guest(a, 0));
		test_works(&self->b);
	}
	test_works(a);
}

/* A device of one gets to the other: nothing of the first guest is in it */
TEST_F(guests, device_moves)
{
	struct amd_hw c;

	amd_hw_close(&self->b);
	/* What was the other device is in a third guest, by the same name */
	ASSERT_EQ(NULL, open_guest(&c, 1));
	test_works(&self->a);
	test_works(&c);
	ASSERT_EQ(0, amd_hw_make_stale(&c));
	ASSERT_EQ(0, amd_ring_run(&self->a.rings.cmd, amd_cmd_all()));
	ASSERT_EQ(0, amd_ring_run(&self->a.rings.cmd,
				  amd_cmd_iotlb(AMD_VIRT_ID + 1, 0)));
	test_no_vmm_event(&self->a);
	EXPECT_EQ(0, amd_hw_dma(&c));
	amd_hw_close(&c);
	ASSERT_EQ(NULL, open_guest(&self->b, 1));
}

/* VMMs of their own */

FIXTURE(vmms)
{
	struct amd_hw hw;
};

FIXTURE_SETUP(vmms)
{
	const char *why = open_guest(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(vmms)
{
	amd_hw_close(&self->hw);
}

/* Never ends by itself; 'n' if there is nothing that could be killed */
static void other_vmm(int fd)
{
	struct amd_hw hw;
	char ready = open_guest(&hw, 1) ? 'n' : 'y';
	unsigned int i;

	if (write(fd, &ready, 1) != 1 || ready == 'n')
		_exit(1);
	for (i = 0;; i++) {
		if (amd_ring_run(&hw.rings.cmd,
				 amd_cmd_pages(AMD_DOMID, 0, 0, true)) ||
		    amd_hw_dma(&hw))
			_exit(2);
		if (i % 8 == 7 &&
		    (amd_viommu_set(&hw.v, CONTROL, 0) ||
		     amd_viommu_start(&hw.rings)))
			_exit(3);
	}
}

TEST_F(vmms, one_is_killed)
{
	struct timespec nap = {};
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
		EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("the other VMM ended with %d",
			       WEXITSTATUS(status));
		}
		close(fds[0]);
		close(fds[1]);
		check_works(_metadata, &self->hw);
	}
}

/* Two vIOMMUs in one VMM, on one nesting parent: the memory is the same one */

FIXTURE(shared)
{
	struct amd_hw hw;
	struct amd_guest second;
	struct amd_viommu v;
	struct amd_rings rings;
};

FIXTURE_SETUP(shared)
{
	const char *why = open_guest(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->second = self->hw.setup.guest;
	ASSERT_EQ(0, amd_viommu_alloc(&self->v, &self->second,
				      &self->hw.setup.dev));
	ASSERT_EQ(0, amd_viommu_map(&self->v));
	ASSERT_EQ(0, amd_rings_init(&self->rings, &self->v, AMD_RING_MIN));
	ASSERT_EQ(0, amd_viommu_start(&self->rings));
}

FIXTURE_TEARDOWN(shared)
{
	amd_viommu_unmap(&self->v);
	amd_hw_close(&self->hw);
}

TEST_F(shared, two_sets_of_ids)
{
	ASSERT_EQ(0, amd_ring_sync(&self->rings.cmd));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
	ASSERT_EQ(0, amd_ring_run(&self->rings.cmd,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	ASSERT_EQ(0, amd_ring_run(&self->rings.cmd, amd_cmd_all()));
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
	ASSERT_EQ(0, amd_ring_run(&self->hw.rings.cmd, amd_cmd_all()));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->hw));
}

/* Whose device it is */
TEST_F(shared, device_has_one_viommu)
{
	__u32 id;

	EXPECT_EQ(-EEXIST, amd_guest_vdevice(&self->second,
					     &self->hw.setup.dev, 1, &id));
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev, BAD_GVA));
	EXPECT_EQ(0, amd_vf_read(&self->v, AMD_VF_EVT_TAIL));
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA);
}

TEST_F(shared, one_goes)
{
	ASSERT_EQ(0, amd_ring_sync(&self->rings.cmd));
	ASSERT_EQ(0, amd_viommu_reset(&self->rings));
	ASSERT_EQ(0, amd_viommu_free(&self->v));
	check_works(_metadata, &self->hw);
}

TEST_F(shared, memory_goes_for_both)
{
	ASSERT_EQ(0, amd_ring_sync(&self->rings.cmd));
	ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
	ASSERT_EQ(0, amd_guest_unmap(&self->second, AMD_RAM_GPA,
				     self->second.size));
	EXPECT_EQ(-EIO, amd_ring_sync(&self->rings.cmd));
	EXPECT_EQ(-EIO, amd_ring_sync(&self->hw.rings.cmd));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->hw));
}

TEST_HARNESS_MAIN
