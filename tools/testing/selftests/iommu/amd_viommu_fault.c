// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: hardware that does not do what it is told. No call may
 * hang, nothing may be left behind, and other errno than these are wrong.
 *
 * Needs the monitor of an emulated machine for the knobs; skips without it.
 */
#include <time.h>

#include "amd_viommu_utils.h"

/* Whatever the hardware does, a call is over by then: each wait may take two */
#define MAX_SECONDS	60

/* What the tests turn; all of it is off before and after each of them */
static int knobs_off(void)
{
	static const char *const flags[] = {
		"viommu-vf-all-ones", "viommu-vfc-all-ones",
		"viommu-ring-error", "viommu-log-overflow",
		"viommu-base-resets-pointers",
	};
	static const char *const numbers[] = {
		"viommu-control-stuck", "viommu-cw-delay-ms", "cmd-delay",
		"cw-lose", "cw-corrupt", "viommu-misc-extra",
		"viommu-stop-delay-ms",
	};
	unsigned int i;
	int rc = monitor_set("viommu-cw", "\"normal\"");

	rc |= monitor_set("iotlb-silent", "4294967295");
	rc |= monitor_set("viommu-vf-enable", "true");
	rc |= monitor_set("viommu-vfc-enable", "true");
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		rc |= monitor_set(flags[i], "false");
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		rc |= monitor_set(numbers[i], "0");
	return rc;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

#define test_in_time(call)                                             \
	({                                                             \
		double __begin = now();                                \
		typeof(call) __rc = (call);                            \
								       \
		EXPECT_GT(MAX_SECONDS, now() - __begin);               \
		__rc;                                                  \
	})

/* Before there is a guest */

FIXTURE(absent)
{
	struct amd_hw hw;
	struct amd_viommu v;
	long tainted;
};

FIXTURE_VARIANT(absent)
{
	const char *knob;
	const char *value;
};

/* A control bit that does not stay: buffers by guest address, vIommuEn, both */
FIXTURE_VARIANT_ADD(absent, no_guest_addresses)
{
	.knob = "viommu-control-stuck",
	.value = "1152921504606846976",
};

FIXTURE_VARIANT_ADD(absent, no_viommu_enable)
{
	.knob = "viommu-control-stuck",
	.value = "9007199254740992",
};

FIXTURE_VARIANT_ADD(absent, no_command_enable)
{
	.knob = "viommu-control-stuck",
	.value = "4503599627370496",
};

FIXTURE_VARIANT_ADD(absent, no_enable_at_all)
{
	.knob = "viommu-control-stuck",
	.value = "13510798882111488",
};

/* Firmware has not turned a window on */
FIXTURE_VARIANT_ADD(absent, no_guest_window)
{
	.knob = "viommu-vf-enable",
	.value = "false",
};

FIXTURE_VARIANT_ADD(absent, no_host_window)
{
	.knob = "viommu-vfc-enable",
	.value = "false",
};

FIXTURE_SETUP(absent)
{
	const char *why;

	if (knobs_off())
		SKIP(return, "no monitor of emulated hardware");
	why = amd_hw_open(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->tainted = amd_tainted();
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
}

FIXTURE_TEARDOWN(absent)
{
	EXPECT_EQ(0, knobs_off());
	EXPECT_EQ(self->tainted, amd_tainted());
	EXPECT_EQ(0, monitor_number("stat-violations"));
	amd_hw_close(&self->hw);
}

/* Then software does it, and hardware again as soon as it can */
TEST_F(absent, software_does_it)
{
	struct amd_guest *guest = &self->hw.setup.guest;
	__u32 id;

	ASSERT_EQ(0, monitor_set(variant->knob, variant->value));
	ASSERT_EQ(0, amd_viommu_alloc(&self->v, guest, &self->hw.setup.dev));
	EXPECT_EQ(0, self->v.caps);
	EXPECT_EQ(0, self->v.mmap_offset);
	EXPECT_EQ(0, self->v.mmap_length);
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_queue(&self->v, CMD_QUEUE, 0,
						AMD_RAM_GPA, AMD_PAGE, &id));
	test_command_fails(&self->v, CONTROL, EOPNOTSUPP);
	ASSERT_EQ(0, amd_setup_vdevice(&self->hw.setup));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_hw_make_stale(&self->hw));
	ASSERT_EQ(0, amd_guest_inv_domain(guest, AMD_DOMID));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->hw));
	ASSERT_EQ(0, amd_device_detach(&self->hw.setup.dev));
	ASSERT_EQ(0, amd_guest_destroy(guest, self->hw.hwpt_id));
	ASSERT_EQ(0, amd_guest_destroy(guest, self->hw.setup.vdevice_id));
	close(self->hw.setup.event_fd);
	self->hw.setup.event_fd = -1;
	ASSERT_EQ(0, amd_guest_destroy(guest, self->hw.setup.veventq_id));
	ASSERT_EQ(0, amd_viommu_free(&self->v));

	ASSERT_EQ(0, knobs_off());
	ASSERT_EQ(0, amd_viommu_alloc(&self->hw.v, guest, &self->hw.setup.dev));
	EXPECT_EQ(IOMMU_VIOMMU_AMD_CAP_HW_QUEUES,
		  self->hw.v.caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES);
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

/* While a guest runs */

FIXTURE(fault)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_viommu *v;
	struct amd_ring *ring;
	long tainted;
};

FIXTURE_SETUP(fault)
{
	const char *why;

	if (knobs_off())
		SKIP(return, "no monitor of emulated hardware");
	why = amd_hw_open(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->v = &self->hw.v;
	self->ring = &self->hw.rings.cmd;
	self->tainted = amd_tainted();
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_EQ(0, amd_ring_sync(self->ring));
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, knobs_off());
	amd_hw_close(&self->hw);
	EXPECT_EQ(self->tainted, amd_tainted());
	EXPECT_EQ(0, monitor_number("stat-violations"));
}

#define test_knob(name, value) ASSERT_EQ(0, monitor_set(name, value))

/* All works, at the latest after the guest has turned its ring off and on */
static void check_works(struct __test_metadata *_metadata, struct amd_hw *hw)
{
	ASSERT_EQ(0, amd_viommu_set(&hw->v, CONTROL, 0));
	amd_vf_write(&hw->v, AMD_VF_STATUS, ~0ULL);
	ASSERT_EQ(0, amd_viommu_start(&hw->rings));
	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	EXPECT_EQ(0, amd_hw_dma(hw));
	EXPECT_EQ(-EFAULT, amd_device_dma(&hw->setup.dev, AMD_GVA + AMD_PAGE));
	test_guest_fault(hw, AMD_VIRT_ID, AMD_GVA + AMD_PAGE);
}

#define test_works() check_works(_metadata, &self->hw)

/* The host's registers are gone: a VMM gets to know, and cannot do anything */
TEST_F(fault, host_registers_all_ones)
{
	static const __u16 gets[] = {
		CONTROL, STATUS, IOMMU_VIOMMU_AMD_CMD_CMD_BASE,
		IOMMU_VIOMMU_AMD_CMD_EVT_BASE, IOMMU_VIOMMU_AMD_CMD_PPR_BASE,
	};
	unsigned int i;

	test_knob("viommu-vfc-all-ones", "true");
	for (i = 0; i < ARRAY_SIZE(gets); i++)
		test_command_fails(self->v, gets[i], EIO);
	EXPECT_EQ(-EIO, test_in_time(amd_viommu_set(self->v, CONTROL, 0)));
	EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL,
				       AMD_CONTROL_EVT_LOG_EN));
	/* What is wrong by itself is so first */
	EXPECT_EQ(-EINVAL, amd_viommu_set(self->v, CONTROL, 1));
	EXPECT_EQ(-EACCES, amd_viommu_set(self->v, STATUS, 0));
	EXPECT_EQ(-EOPNOTSUPP, amd_viommu_set(self->v, 0x20, 0));
	test_knob("viommu-vfc-all-ones", "false");
	test_command_reads(self->v, CONTROL,
			   amd_rings_control(&self->hw.rings));
	test_works();
}

TEST_F(fault, host_registers_all_ones_and_objects)
{
	__u32 id;

	ASSERT_EQ(0, amd_ring_destroy(&self->hw.rings.evt));
	ASSERT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.vdevice_id));
	test_knob("viommu-vfc-all-ones", "true");
	EXPECT_EQ(-EIO, test_in_time(amd_ring_queue(&self->hw.rings.evt)));
	EXPECT_EQ(-EIO, test_in_time(amd_guest_vdevice(self->guest,
						       &self->hw.setup.dev,
						       7, &id)));
	/* It has no vDEVICE */
	EXPECT_NE(0, amd_hw_dma(&self->hw));
	test_knob("viommu-vfc-all-ones", "false");
	ASSERT_EQ(0, amd_ring_queue(&self->hw.rings.evt));
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->hw.setup.dev,
				       AMD_VIRT_ID, &id));
	test_works();
}

/* And all of that goes away while nothing answers */
TEST_F(fault, destroy_without_host_registers)
{
	test_knob("viommu-vfc-all-ones", "true");
	EXPECT_EQ(0, test_in_time(amd_ring_destroy(&self->hw.rings.cmd)));
	EXPECT_EQ(0, test_in_time(amd_ring_destroy(&self->hw.rings.evt)));
	amd_hw_close(&self->hw);
	test_knob("viommu-vfc-all-ones", "false");
	ASSERT_EQ(NULL, amd_hw_open(&self->hw, 0));
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

/* The guest's page is gone, which the guest notices itself */
TEST_F(fault, guest_registers_all_ones)
{
	test_knob("viommu-vf-all-ones", "true");
	EXPECT_EQ(~0ULL, amd_vf_read(self->v, AMD_VF_STATUS));
	test_command_fails(self->v, STATUS, EIO);
	test_command_reads(self->v, CONTROL,
			   amd_rings_control(&self->hw.rings));
	test_knob("viommu-vf-all-ones", "false");
	test_works();
}

/*
 * A ring that cannot be seen to stop may go on for ever: the VMM must not take
 * the memory of its guest back as if it had.
 */
TEST_F(fault, does_not_stop)
{
	test_knob("viommu-vf-all-ones", "true");
	EXPECT_EQ(-EIO, test_in_time(amd_viommu_set(self->v, CONTROL, 0)));
	EXPECT_EQ(-EIO, test_in_time(amd_viommu_set(self->v, CONTROL, 0)));
	test_knob("viommu-vf-all-ones", "false");
	/* As soon as it can be seen to have stopped, all is well */
	EXPECT_EQ(0, amd_viommu_set(self->v, CONTROL, 0));
	test_works();
}

/* Longer than the IOMMU waits for a device is for ever, less is not */
TEST_F(fault, stops_late)
{
	double begin = now();

	test_knob("viommu-stop-delay-ms", "900");
	EXPECT_EQ(0, amd_viommu_set(self->v, CONTROL, 0));
	EXPECT_LE(0.8, now() - begin);
	test_knob("viommu-stop-delay-ms", "0");
	test_works();
}

TEST_F(fault, stops_too_late)
{
	struct amd_rings *rings = &self->hw.rings;
	double begin = now();

	test_knob("viommu-stop-delay-ms", "4000");
	EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL, 0));
	EXPECT_GT(3, now() - begin);
	/* Nothing is enabled as long as it goes on */
	EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL, 0));
	EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL,
				       AMD_CONTROL_EVT_LOG_EN));
	test_command_reads(self->v, CONTROL, 0);
	while (now() - begin < 4.5)
		usleep(100000);
	EXPECT_EQ(0, amd_viommu_set(self->v, CONTROL, 0));
	test_knob("viommu-stop-delay-ms", "0");
	ASSERT_EQ(0, amd_ring_destroy(&rings->cmd));
	ASSERT_EQ(0, amd_ring_queue(&rings->cmd));
	test_works();
}

/* What has stopped at the end is free: the next guest has the ID of this one */
TEST_F(fault, stops_too_late_and_ends)
{
	int i, gid = amd_model_gid(self->v);

	ASSERT_LT(0, gid);
	for (i = 0; i < 3; i++) {
		test_knob("viommu-stop-delay-ms", "2200");
		EXPECT_EQ(-EIO, amd_viommu_set(self->v, CONTROL, 0));
		amd_hw_close(&self->hw);
		test_knob("viommu-stop-delay-ms", "0");
		ASSERT_EQ(NULL, amd_hw_open(&self->hw, 0));
		ASSERT_EQ(gid, amd_model_gid(self->v));
		ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
		ASSERT_EQ(0, amd_hw_nest(&self->hw));
		EXPECT_EQ(0, amd_ring_sync(self->ring));
	}
	test_works();
}

/* Completions of the guest that get lost are the guest's problem */
TEST_F(fault, completion_lost)
{
	test_knob("viommu-cw", "\"lost\"");
	EXPECT_EQ(-ETIMEDOUT, amd_ring_sync(self->ring));
	EXPECT_EQ(AMD_STATUS_CMD_RUN,
		  amd_vf_read(self->v, AMD_VF_STATUS) & AMD_STATUS_CMD_RUN);
	test_knob("viommu-cw", "\"normal\"");
	EXPECT_EQ(0, amd_ring_sync(self->ring));
	test_works();
}

TEST_F(fault, completion_wrong)
{
	test_knob("viommu-cw", "\"wrong\"");
	EXPECT_EQ(-ETIMEDOUT, amd_ring_sync(self->ring));
	test_knob("viommu-cw", "\"normal\"");
	EXPECT_EQ(0, amd_ring_sync(self->ring));
	test_works();
}

TEST_F(fault, completion_late)
{
	double begin = now();

	test_knob("viommu-cw-delay-ms", "300");
	EXPECT_EQ(0, amd_ring_sync(self->ring));
	EXPECT_LE(0.25, now() - begin);
	test_knob("viommu-cw-delay-ms", "0");
	test_works();
}

/* It comes when the memory is not the guest's any more */
TEST_F(fault, completion_after_unmap)
{
	__u64 *word = amd_guest_ptr(self->guest, self->hw.page);
	__u64 gpa = AMD_NO_GPA;

	ASSERT_EQ(0, amd_guest_map(self->guest, word, gpa, AMD_PAGE));
	test_knob("viommu-cw-delay-ms", "500");
	*word = 0;
	ASSERT_EQ(0, amd_ring_put(self->ring, amd_cmd_wait(gpa, 1, 1)));
	amd_ring_doorbell(self->ring);
	ASSERT_EQ(0, amd_guest_unmap(self->guest, gpa, AMD_PAGE));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, gpa);
	EXPECT_EQ(0, *word);
	test_knob("viommu-cw-delay-ms", "0");
	test_works();
}

/* It comes when the guest is gone, and another one has its IDs */
TEST_F(fault, completion_after_the_end)
{
	test_knob("viommu-cw-delay-ms", "1000");
	ASSERT_EQ(0, amd_ring_put(self->ring,
				  amd_cmd_wait(AMD_NO_GPA, 1, 1)));
	amd_ring_doorbell(self->ring);
	amd_hw_close(&self->hw);
	ASSERT_EQ(NULL, amd_hw_open(&self->hw, 0));
	sleep(2);
	test_knob("viommu-cw-delay-ms", "0");
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	test_works();
}

/*
 * A device that has no ATS for the guest, as its DTE says so or as it is
 * detached from that, would not answer: the guest's command does not get to it.
 */
TEST_F(fault, device_does_not_answer)
{
	long long timeouts = monitor_number("stat-event-7");
	int i, devid = amd_hw_devid(&self->hw.setup.dev);
	char text[16];
	double begin;

	ASSERT_LT(0, devid);
	snprintf(text, sizeof(text), "%d", devid);
	test_knob("iotlb-silent", text);
	for (i = 0; i < 3; i++) {
		begin = now();
		EXPECT_EQ(0, amd_ring_run(self->ring,
					  amd_cmd_iotlb(AMD_VIRT_ID, AMD_GVA)));
		EXPECT_GT(0.5, now() - begin);
		if (!i) {
			ASSERT_EQ(0, amd_device_detach(&self->hw.setup.dev));
		} else if (i == 1) {
			ASSERT_EQ(0, amd_device_attach(&self->hw.setup.dev,
						       self->hw.hwpt_id));
		}
	}
	EXPECT_EQ(timeouts, monitor_number("stat-event-7"));
	test_works();
}

/* What else the third register has is nobody's business, 0 or not */
TEST_F(fault, misc_has_more_bits)
{
	struct amd_guest second = *self->guest;
	struct amd_viommu v;
	__u32 id;

	test_knob("viommu-misc-extra", "18446744069414649855");
	test_works();
	ASSERT_EQ(0, amd_guest_destroy(self->guest,
				       self->hw.setup.vdevice_id));
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, &self->hw.setup.dev,
				       AMD_VIRT_ID, &id));
	test_command_reads(self->v, CONTROL,
			   amd_rings_control(&self->hw.rings));
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_EQ(0, amd_viommu_free(&v));
	test_works();
	test_knob("viommu-misc-extra", "0");
	test_works();
}

/*
 * A queue that goes and comes back is the same ring, where it was: the pointers
 * are the guest's, even if hardware takes a new base for a new ring.
 */
TEST_F(fault, base_resets_pointers)
{
	struct amd_rings *rings = &self->hw.rings;
	const __u64 control = amd_rings_control(rings);
	int i;

	test_knob("viommu-base-resets-pointers", "true");
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev,
						  AMD_GVA + AMD_PAGE));
		test_guest_fault(&self->hw, AMD_VIRT_ID, AMD_GVA + AMD_PAGE);
		ASSERT_EQ(0, amd_ring_sync(self->ring));
		ASSERT_EQ(0, amd_viommu_set(self->v, CONTROL, 0));
		ASSERT_EQ(0, amd_ring_destroy(&rings->cmd));
		ASSERT_EQ(0, amd_ring_destroy(&rings->evt));
		ASSERT_EQ(0, amd_ring_queue(&rings->cmd));
		ASSERT_EQ(0, amd_ring_queue(&rings->evt));
		EXPECT_EQ(self->ring->next,
			  amd_vf_read(self->v, AMD_VF_CMD_HEAD));
		EXPECT_EQ(self->ring->next,
			  amd_vf_read(self->v, AMD_VF_CMD_TAIL));
		EXPECT_EQ((i + 1) * AMD_ENTRY,
			  amd_vf_read(self->v, AMD_VF_EVT_HEAD));
		EXPECT_EQ((i + 1) * AMD_ENTRY,
			  amd_vf_read(self->v, AMD_VF_EVT_TAIL));
		ASSERT_EQ(0, amd_viommu_set(self->v, CONTROL, control));
	}
	ASSERT_EQ(0, amd_ring_sync(self->ring));
	test_knob("viommu-base-resets-pointers", "false");
	test_works();
}

/* Memory of the ring that fails: the VMM hears where, once */
TEST_F(fault, ring_cannot_be_read)
{
	__u64 at = self->ring->gpa + self->ring->next;
	__u64 status = ~0ULL;

	test_knob("viommu-ring-error", "true");
	EXPECT_EQ(-EIO, amd_ring_sync(self->ring));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, at);
	EXPECT_EQ(0, amd_viommu_get(self->v, STATUS, &status));
	EXPECT_EQ(0, status & AMD_STATUS_CMD_RUN);
	test_no_vmm_event(&self->hw);
	test_knob("viommu-ring-error", "false");
	test_works();
}

/* Each try to go on fails again, and is one event again */
TEST_F(fault, ring_can_still_not_be_read)
{
	__u64 at = self->ring->gpa + self->ring->next;
	int i;

	test_knob("viommu-ring-error", "true");
	EXPECT_EQ(-EIO, amd_ring_sync(self->ring));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, at);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, amd_viommu_disable(self->v,
						AMD_CONTROL_CMD_BUF_EN));
		EXPECT_EQ(0, amd_viommu_enable(self->v,
					       AMD_CONTROL_CMD_BUF_EN));
		test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, at);
	}
	test_knob("viommu-ring-error", "false");
	test_works();
}

TEST_F(fault, log_overflow)
{
	struct amd_event event;

	test_knob("viommu-log-overflow", "true");
	EXPECT_EQ(-EFAULT, amd_device_dma(&self->hw.setup.dev,
					  AMD_GVA + AMD_PAGE));
	EXPECT_EQ(AMD_STATUS_EVT_OVERFLOW | AMD_STATUS_EVT_INT,
		  amd_vf_read(self->v, AMD_VF_STATUS) &
		  (AMD_STATUS_EVT_OVERFLOW | AMD_STATUS_EVT_INT |
		   AMD_STATUS_EVT_RUN));
	EXPECT_EQ(-EAGAIN, amd_ring_pop_event(&self->hw.rings.evt, &event));
	test_no_vmm_event(&self->hw);
	test_knob("viommu-log-overflow", "false");
	test_works();
}

/* Host commands that take a millisecond each: a driver has to wait for them */
TEST_F(fault, slow_host_commands)
{
	int i;

	test_knob("cmd-delay", "1000000");
	for (i = 0; i < 3; i++) {
		amd_hw_close(&self->hw);
		ASSERT_EQ(NULL, amd_hw_open(&self->hw, 0));
		ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
		ASSERT_EQ(0, amd_hw_nest(&self->hw));
		EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
		EXPECT_EQ(0, amd_hw_dma(&self->hw));
	}
	/* A ring whose memory goes, while the flush of that is under way */
	ASSERT_EQ(0, amd_guest_unmap(&self->hw.setup.guest, AMD_RAM_GPA,
				     self->hw.setup.guest.size));
	EXPECT_EQ(-EIO, amd_ring_sync(&self->hw.rings.cmd));
	EXPECT_EQ(-EFAULT, amd_hw_dma(&self->hw));
}

/* No register answers while a vIOMMU is made: it is not */
TEST_F(fault, alloc_without_host_registers)
{
	struct amd_guest second = *self->guest;
	struct amd_viommu v;

	test_knob("viommu-vfc-all-ones", "true");
	EXPECT_EQ(-EIO, test_in_time(amd_viommu_alloc(&v, &second,
						      &self->hw.setup.dev)));
	test_knob("viommu-vfc-all-ones", "false");
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_EQ(0, amd_viommu_free(&v));
	test_works();
}

/* The host's own wait gets no answer: whose it is decides what comes of it */
TEST_F(fault, host_completion_lost)
{
	struct amd_guest second = *self->guest;
	struct amd_viommu v;
	int rc;

	test_knob("cw-lose", "1");
	rc = test_in_time(amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	test_knob("cw-lose", "0");
	EXPECT_TRUE(!rc || rc == -EIO) {
		TH_LOG("errno %d", -rc);
	}
	if (!rc)
		EXPECT_EQ(0, amd_viommu_free(&v));
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_EQ(0, amd_viommu_free(&v));
	test_works();
}

/* Not one of them gets an answer, also when the call undoes what it has done */
TEST_F(fault, all_host_completions_lost)
{
	struct amd_guest second = *self->guest;
	struct amd_viommu v;

	test_knob("cw-lose", "1000");
	EXPECT_EQ(-EIO, test_in_time(amd_viommu_alloc(&v, &second,
						      &self->hw.setup.dev)));
	test_knob("cw-lose", "0");
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_EQ(0, amd_viommu_free(&v));
	test_works();
}

TEST_F(fault, host_completion_lost_at_the_end)
{
	struct amd_guest second = *self->guest;
	struct amd_viommu v;

	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	test_knob("cw-lose", "1");
	EXPECT_EQ(0, test_in_time(amd_viommu_free(&v)));
	test_knob("cw-lose", "0");
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &self->hw.setup.dev));
	EXPECT_EQ(0, amd_viommu_free(&v));
	test_works();
}

TEST_HARNESS_MAIN
