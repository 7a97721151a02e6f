// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: what the hardware tells a guest by itself, in its logs
 * and by interrupts, and what it tells the VMM
 */
#include "amd_viommu_utils.h"

/* Entries of a log: one less than there is room for */
#define LOG_ENTRIES (AMD_RING_MIN / AMD_ENTRY - 1)

/* Addresses that the guest has not mapped */
#define BAD_GVA(n) (AMD_GVA + AMD_PAGE * (1 + (n) % 64))

FIXTURE(log)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_ring *evt;
	struct amd_ring *ppr;
};

FIXTURE_SETUP(log)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->evt = &self->hw.rings.evt;
	self->ppr = &self->hw.rings.ppr;
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
}

FIXTURE_TEARDOWN(log)
{
	amd_hw_close(&self->hw);
}

#define test_fault(gva) \
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev, gva))
#define test_empty(ring)                                    \
	({                                                  \
		__u64 __entry[2];                           \
							    \
		EXPECT_EQ(-EAGAIN, amd_ring_pop(ring, __entry)); \
	})
#define status_bits(bits) (amd_vf_read(&self->hw.v, AMD_VF_STATUS) & (bits))

/* Into the guest's log, with the guest's ID, and not to the VMM */
TEST_F(log, guest_stage)
{
	test_empty(self->evt);
	test_fault(BAD_GVA(0));
	EXPECT_EQ(AMD_STATUS_EVT_INT, status_bits(AMD_STATUS_EVT_INT));
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(0));
	test_empty(self->evt);
	test_no_vmm_event(&self->hw);
	amd_vf_write(&self->hw.v, AMD_VF_STATUS, AMD_STATUS_EVT_INT);
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_INT));
}

TEST_F(log, guest_stage_read_only)
{
	ASSERT_EQ(0, amd_tables_map(self->guest, &self->hw.tables, BAD_GVA(0),
				    self->hw.page, 0, false));
	test_fault(BAD_GVA(0));
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(0));
}

/* The guest's tables are all right, the VMM's are not: the VMM gets to know */
TEST_F(log, host_stage)
{
	struct amd_event event = {};

	ASSERT_EQ(0, amd_tables_map(self->guest, &self->hw.tables, BAD_GVA(0),
				    AMD_NO_GPA, AMD_PTE_W, false));
	test_fault(BAD_GVA(0));
	ASSERT_EQ(0, amd_event_read(self->hw.setup.event_fd, &event));
	EXPECT_EQ(AMD_EVENT_PAGE_FAULT, event.code);
	EXPECT_EQ(AMD_VIRT_ID, event.devid);
	EXPECT_EQ(AMD_DOMID, event.domid);
	EXPECT_EQ(false, event.gn);
	EXPECT_EQ(AMD_NO_GPA, event.addr);
	test_empty(self->evt);
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_INT));
}

/* By another name after the VMM has given it one, and no name without */
TEST_F(log, name_of_the_device)
{
	ASSERT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.vdevice_id));
	test_fault(BAD_GVA(0));
	test_empty(self->evt);
	/* Nobody could be told of its faults */
	EXPECT_NE(0, amd_hw_dma(&self->hw));
	test_no_vmm_event(&self->hw);
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->hw.setup.dev,
				       0xfedc, &self->hw.setup.vdevice_id));
	test_fault(BAD_GVA(1));
	test_guest_fault(&self->hw, 0xfedc, BAD_GVA(1));
	test_no_vmm_event(&self->hw);
}

TEST_F(log, name_0)
{
	ASSERT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.vdevice_id));
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->hw.setup.dev, 0,
				       &self->hw.setup.vdevice_id));
	test_fault(BAD_GVA(0));
	test_guest_fault(&self->hw, 0, BAD_GVA(0));
	EXPECT_EQ(0, amd_ring_run(&self->hw.rings.cmd, amd_cmd_devtab(0)));
	test_no_vmm_event(&self->hw);
}

TEST_F(log, wraps)
{
	unsigned int i;

	for (i = 0; i < 3 * LOG_ENTRIES; i++) {
		test_fault(BAD_GVA(i));
		test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(i));
	}
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_OVERFLOW));
}

/* All that fits is there in order, and the guest is told that there was more */
TEST_F(log, overflow)
{
	unsigned int i;

	for (i = 0; i < LOG_ENTRIES; i++)
		test_fault(BAD_GVA(i));
	EXPECT_EQ(AMD_STATUS_EVT_RUN,
		  status_bits(AMD_STATUS_EVT_OVERFLOW | AMD_STATUS_EVT_RUN));
	for (; i < LOG_ENTRIES + 50; i++)
		test_fault(BAD_GVA(i));
	EXPECT_EQ(AMD_STATUS_EVT_OVERFLOW,
		  status_bits(AMD_STATUS_EVT_OVERFLOW | AMD_STATUS_EVT_RUN));
	for (i = 0; i < LOG_ENTRIES; i++)
		test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(i));
	test_empty(self->evt);
	/* Nor does the host get what the guest has no room for */
	test_no_vmm_event(&self->hw);
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

/* What a driver in the guest does about that */
TEST_F(log, restart_after_overflow)
{
	unsigned int i;

	for (i = 0; i < LOG_ENTRIES + 1; i++)
		test_fault(BAD_GVA(i));
	EXPECT_EQ(AMD_STATUS_EVT_OVERFLOW,
		  status_bits(AMD_STATUS_EVT_OVERFLOW));
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	amd_vf_write(&self->hw.v, AMD_VF_STATUS, AMD_STATUS_EVT_OVERFLOW);
	amd_ring_rewind(self->evt);
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	EXPECT_EQ(AMD_STATUS_EVT_RUN,
		  status_bits(AMD_STATUS_EVT_OVERFLOW | AMD_STATUS_EVT_RUN));
	test_fault(BAD_GVA(5));
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(5));
}

/* Lost, and nothing of it shows up elsewhere */
TEST_F(log, disabled)
{
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_RUN));
	test_fault(BAD_GVA(0));
	test_empty(self->evt);
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_INT));
	test_no_vmm_event(&self->hw);
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	test_fault(BAD_GVA(1));
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(1));
}

/* The memory of the log is nowhere: the VMM hears it once */
TEST_F(log, is_nowhere)
{
	ASSERT_EQ(0, amd_ring_destroy(self->evt));
	ASSERT_EQ(0, amd_viommu_queue(&self->hw.v, EVT_QUEUE, 0, AMD_NO_GPA,
				      AMD_RING_MIN, &self->evt->queue_id));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	test_fault(BAD_GVA(0));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, AMD_NO_GPA);
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_RUN));
	test_fault(BAD_GVA(1));
	test_no_vmm_event(&self->hw);
	/* The ring of commands does not care */
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

/* Its queue is gone: nothing is written there any more */
TEST_F(log, queue_is_destroyed)
{
	__u64 *entry = amd_ring_entry(self->evt, 0);

	ASSERT_EQ(0, amd_ring_destroy(self->evt));
	test_fault(BAD_GVA(0));
	EXPECT_EQ(0, entry[0]);
	EXPECT_EQ(0, entry[1]);
	EXPECT_EQ(0, status_bits(AMD_STATUS_EVT_RUN | AMD_STATUS_EVT_INT));
}

/* The other log takes over, then there is none left */
TEST_F(log, dual)
{
	struct amd_ring evt_b;
	unsigned int i;

	if (!(self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_EVT_B))
		SKIP(return, "no event log B");
	ASSERT_EQ(0, amd_ring_init(&evt_b, &self->hw.v, EVT_QUEUE, 1,
				   AMD_RING_MIN));
	ASSERT_EQ(0, amd_ring_queue(&evt_b));
	amd_ring_rewind(&evt_b);
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_LOG_EN |
				       AMD_CONTROL_DUAL_EVT_LOG));
	for (i = 0; i < LOG_ENTRIES + 1; i++)
		test_fault(BAD_GVA(i));
	self->hw.rings.evt = evt_b;
	test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(LOG_ENTRIES));
	EXPECT_EQ(AMD_STATUS_EVT_RUN, status_bits(AMD_STATUS_EVT_RUN));
}

/* Page requests: no emulated device has any, so the monitor injects them */

static int put_ppr(const struct amd_hw *hw, __u64 low, __u64 high)
{
	char text[128];

	snprintf(text, sizeof(text), "\"ppr %x %llx %llx\"",
		 amd_hw_devid(&hw->setup.dev), low, high);
	return monitor_set("viommu-inject", text);
}

/* NULL, or why there is nothing to test */
static const char *no_ppr(const struct amd_hw *hw)
{
	if (!(hw->v.caps & IOMMU_VIOMMU_AMD_CAP_PPR))
		return "no PPR log";
	if (amd_hw_devid(&hw->setup.dev) < 0 || !amd_has_monitor())
		return "no monitor of emulated hardware";
	return NULL;
}

TEST_F(log, page_request)
{
	const __u64 low = 1ULL << 60 | 0x123ULL << 32;
	const char *why = no_ppr(&self->hw);
	__u64 entry[2];

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, put_ppr(&self->hw, low | 0xffff, AMD_GVA | 7));
	ASSERT_EQ(0, amd_ring_pop(self->ppr, entry));
	EXPECT_EQ(low | AMD_VIRT_ID, entry[0]);
	EXPECT_EQ(AMD_GVA | 7, entry[1]);
	EXPECT_EQ(AMD_STATUS_PPR_INT | AMD_STATUS_PPR_RUN,
		  status_bits(AMD_STATUS_PPR_INT | AMD_STATUS_PPR_RUN));
	test_empty(self->evt);
	EXPECT_EQ(0, amd_ring_run(&self->hw.rings.cmd,
				  amd_cmd_ppr(AMD_VIRT_ID)));
	test_no_vmm_event(&self->hw);
}

TEST_F(log, page_requests_disabled)
{
	const char *why = no_ppr(&self->hw);
	__u64 entry[2];

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_PPR_LOG_EN));
	ASSERT_EQ(0, put_ppr(&self->hw, 1ULL << 60, AMD_GVA));
	test_empty(self->ppr);
	EXPECT_EQ(0, status_bits(AMD_STATUS_PPR_INT | AMD_STATUS_PPR_RUN));
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_PPR_LOG_EN));
	ASSERT_EQ(0, put_ppr(&self->hw, 1ULL << 60, AMD_GVA));
	EXPECT_EQ(0, amd_ring_pop(self->ppr, entry));
}

TEST_F(log, page_requests_overflow)
{
	const char *why = no_ppr(&self->hw);
	unsigned int i;
	__u64 entry[2];

	if (why)
		SKIP(return, "%s", why);
	/* As if all but two were unread */
	ASSERT_EQ(0, amd_viommu_disable(&self->hw.v, AMD_CONTROL_PPR_LOG_EN));
	amd_vf_write(&self->hw.v, AMD_VF_PPR_HEAD, 3 * AMD_ENTRY);
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_PPR_LOG_EN));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, put_ppr(&self->hw, 1ULL << 60,
				     AMD_GVA + i * AMD_PAGE));
	EXPECT_EQ(AMD_STATUS_PPR_OVERFLOW,
		  status_bits(AMD_STATUS_PPR_OVERFLOW | AMD_STATUS_PPR_RUN |
			      AMD_STATUS_EVT_OVERFLOW));
	EXPECT_EQ(2 * AMD_ENTRY, amd_vf_read(&self->hw.v, AMD_VF_PPR_TAIL));
	ASSERT_EQ(0, amd_ring_pop(self->ppr, entry));
	EXPECT_EQ(AMD_GVA, entry[1]);
}

/* Interrupts */

FIXTURE(irq)
{
	struct amd_hw hw;
	__u32 veventq_id;
	int fd;
};

FIXTURE_SETUP(irq)
{
	const char *why = amd_hw_open(&self->hw, 0);

	self->fd = -1;
	if (why)
		SKIP(return, "%s", why);
	if (!(self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ)) {
		amd_hw_close(&self->hw);
		SKIP(return, "no IOMMU_VIOMMU_AMD_CAP_LOG_IRQ");
	}
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_viommu_irqs(&self->hw.v, 4, &self->veventq_id,
				     &self->fd));
}

FIXTURE_TEARDOWN(irq)
{
	close(self->fd);
	amd_hw_close(&self->hw);
}

#define test_irq(bits)                                                 \
	({                                                             \
		__u64 __status = 0, __bits = (bits);                   \
								       \
		ASSERT_EQ(0, amd_irq_read(self->fd, 2000, &__status)); \
		EXPECT_EQ(__bits, __status & __bits);                  \
	})

#define test_no_irq()                                                  \
	({                                                             \
		__u64 __status;                                        \
								       \
		EXPECT_EQ(-EAGAIN, amd_irq_read(self->fd, 500, &__status)); \
	})

/* What has happened is for whoever wants to know */
TEST_F(irq, none_that_is_not_enabled)
{
	test_fault(BAD_GVA(0));
	EXPECT_EQ(0, amd_ring_run(&self->hw.rings.cmd,
				  amd_cmd_wait(0, 0, AMD_WAIT_INT)));
	test_no_irq();
}

TEST_F(irq, event_log)
{
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_INT_EN));
	test_no_irq();
	test_fault(BAD_GVA(0));
	test_irq(AMD_STATUS_EVT_INT);
	/* The next one is another one */
	amd_vf_write(&self->hw.v, AMD_VF_STATUS, AMD_STATUS_EVT_INT);
	test_no_irq();
	test_fault(BAD_GVA(1));
	test_irq(AMD_STATUS_EVT_INT);
}

TEST_F(irq, completion_wait)
{
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v,
				       AMD_CONTROL_COMWAIT_INT_EN));
	ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
	test_no_irq();
	ASSERT_EQ(0, amd_ring_run(&self->hw.rings.cmd,
				  amd_cmd_wait(0, 0, AMD_WAIT_INT)));
	test_irq(AMD_STATUS_COMWAIT_INT);
}

TEST_F(irq, ppr_log)
{
	const char *why = no_ppr(&self->hw);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, put_ppr(&self->hw, 1ULL << 60, AMD_GVA));
	test_no_irq();
	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_PPR_INT_EN));
	ASSERT_EQ(0, put_ppr(&self->hw, 1ULL << 60, AMD_GVA));
	test_irq(AMD_STATUS_PPR_INT);
}

/* More than the VMM reads: some are merged, none is lost for good */
TEST_F(irq, flood)
{
	int i, num = 0;
	__u64 status;

	ASSERT_EQ(0, amd_viommu_enable(&self->hw.v, AMD_CONTROL_EVT_INT_EN));
	for (i = 0; i < 200; i++)
		test_fault(BAD_GVA(i));
	while (!amd_irq_read(self->fd, 1000, &status))
		num++;
	EXPECT_LE(1, num);
	EXPECT_GE(200, num);
	for (i = 0; i < 200; i++)
		test_guest_fault(&self->hw, AMD_VIRT_ID, BAD_GVA(i));
	test_fault(BAD_GVA(0));
	test_irq(AMD_STATUS_EVT_INT);
}

TEST_F(irq, second_queue)
{
	__u32 id;
	int fd;

	EXPECT_EQ(-EEXIST, amd_viommu_irqs(&self->hw.v, 4, &id, &fd));
}

TEST_HARNESS_MAIN
