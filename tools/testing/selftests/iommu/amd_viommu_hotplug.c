// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: a device turns up with the ID that a guest's rings are
 * translated by
 *
 * The devices are virtual functions of PCI devices that no driver needs. Their
 * IDs count as taken for ever after that, so each case takes a device of its
 * own. Skips without, and without the monitor of an emulated machine, which
 * says what ID a guest has.
 */
#include <dirent.h>
#include <poll.h>

#include "amd_fail_nth.h"
#include "amd_viommu_utils.h"

#define DEVICES "/sys/bus/pci/devices/"

/* More than there are IDs on a bus */
#define MANY 256

/* A device with virtual functions */
struct pf {
	char bdf[64];
	unsigned int devid;
	unsigned int offset;
	unsigned int stride;
	unsigned int num;
};

FIXTURE(hotplug)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct pf pf;
	long tainted;
};

static int write_attr(const char *bdf, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "%s/%s", bdf, name);
	return amd_write_file(path, text);
}

static unsigned int read_number(const char *bdf, const char *name)
{
	char path[PATH_MAX];
	unsigned int num = 0;
	FILE *file;

	snprintf(path, sizeof(path), DEVICES "%s/%s", bdf, name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%u", &num) != 1)
		num = 0;
	fclose(file);
	return num;
}

static int has_functions(const struct dirent *ent)
{
	return read_number(ent->d_name, "sriov_totalvfs") > 1;
}

/* IDs that are on the bus of the device, which the IOMMU knows */
static int find_pf(struct pf *pf, unsigned int nth)
{
	unsigned int bus, slot, func;
	struct dirent **list;
	int i, num;

	num = scandir(DEVICES, &list, has_functions, alphasort);
	if (num < 0)
		return -errno;
	if (nth < (unsigned int)num)
		snprintf(pf->bdf, sizeof(pf->bdf), "%.60s",
			 list[nth]->d_name);
	for (i = 0; i < num; i++)
		free(list[i]);
	free(list);
	if (nth >= (unsigned int)num ||
	    sscanf(pf->bdf, "%*x:%x:%x.%x", &bus, &slot, &func) != 3)
		return -ENODEV;

	pf->devid = bus << 8 | slot << 3 | func;
	pf->offset = read_number(pf->bdf, "sriov_offset");
	pf->stride = read_number(pf->bdf, "sriov_stride");
	pf->num = read_number(pf->bdf, "sriov_totalvfs");
	while (pf->num && (pf->devid + pf->offset +
			   (pf->num - 1) * pf->stride) >> 8 != bus)
		pf->num--;
	return pf->num ? 0 : -ENODEV;
}

static bool is_function(const struct pf *pf, unsigned int devid)
{
	unsigned int i;

	for (i = 0; i < pf->num; i++)
		if (devid == pf->devid + pf->offset + i * pf->stride)
			return true;
	return false;
}

/* vfio-pci lets functions come, and asks for nothing of the device */
static int bind_pf(const struct pf *pf)
{
	int rc = amd_write_file("/sys/module/vfio_pci/parameters/enable_sriov",
				"Y");

	rc = rc ?: write_attr(pf->bdf, "driver_override", "vfio-pci");
	/* Fails if it is bound already, which is as good */
	if (!rc)
		amd_write_file("/sys/bus/pci/drivers_probe", pf->bdf);
	return rc;
}

static int set_functions(const struct pf *pf, unsigned int num)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", num);
	return write_attr(pf->bdf, "sriov_numvfs", text);
}

FIXTURE_SETUP(hotplug)
{
	const char *why;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	why = amd_hw_open_device(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->tainted = amd_tainted();
}

FIXTURE_TEARDOWN(hotplug)
{
	if (self->pf.num)
		EXPECT_EQ(0, set_functions(&self->pf, 0));
	amd_hw_close(&self->hw);
	EXPECT_EQ(self->tainted, amd_tainted());
	EXPECT_EQ(0, monitor_number("stat-violations"));
}

/* Each case takes another one. NULL, or why there is nothing to test. */
static const char *take_pf(FIXTURE_DATA(hotplug) *self, unsigned int nth)
{
	if (find_pf(&self->pf, nth))
		return "no device with virtual functions is left";
	if (bind_pf(&self->pf) || set_functions(&self->pf, 0))
		return "vfio-pci cannot enable functions";
	return NULL;
}

/* Bits 31:16 of the third register, or -1 */
static int trans_devid(const struct amd_viommu *v)
{
	unsigned long long regs[AMD_VFC_REGS];

	if (amd_model_vfc(amd_model_gid(v), regs))
		return -1;
	return regs[2] >> 16 & 0xffff;
}

/* A guest whose ID a function is going to have; others are in its way */
static int alloc_in_the_way(FIXTURE_DATA(hotplug) *self)
{
	struct amd_viommu *v = &self->hw.v;
	__u32 others[MANY];
	int i, num, rc;

	for (num = 0;; num++) {
		rc = amd_viommu_alloc(v, self->guest, &self->hw.setup.dev);
		rc = rc ?: amd_viommu_map(v);
		if (rc || is_function(&self->pf, trans_devid(v)))
			break;
		amd_viommu_unmap(v);
		others[num] = self->guest->viommu_id;
		if (num == MANY - 1)
			rc = -ENOSPC;
	}
	for (i = 0; i < num; i++)
		rc = rc ?: amd_guest_destroy(self->guest, others[i]);
	return rc;
}

TEST_F(hotplug, guest_moves)
{
	const char *why = take_pf(self, 0);
	struct amd_hw *hw = &self->hw;
	struct amd_guest second;
	struct amd_viommu v;
	int devid;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, alloc_in_the_way(self));
	ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(hw));
	ASSERT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	ASSERT_EQ(true, is_function(&self->pf, trans_devid(&hw->v)));

	ASSERT_EQ(0, set_functions(&self->pf, self->pf.num));
	devid = trans_devid(&hw->v);
	EXPECT_LT(0, devid);
	EXPECT_EQ(false, is_function(&self->pf, devid));
	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	ASSERT_EQ(0, amd_hw_make_stale(hw));
	EXPECT_EQ(0, amd_ring_run(&hw->rings.cmd,
				  amd_cmd_pages(AMD_DOMID, 0, 0, true)));
	EXPECT_EQ(-EFAULT, amd_hw_dma(hw));
	test_guest_fault(hw, AMD_VIRT_ID, AMD_GVA);

	/* The function goes, its ID stays taken */
	ASSERT_EQ(0, set_functions(&self->pf, 0));
	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	second = *self->guest;
	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, &hw->setup.dev));
	ASSERT_EQ(0, amd_viommu_map(&v));
	EXPECT_EQ(false, is_function(&self->pf, trans_devid(&v)));
	EXPECT_EQ(0, amd_viommu_unmap(&v));
	EXPECT_EQ(0, amd_viommu_free(&v));
}

/* All vIOMMUs that there can be, each with a queue of events */
struct crowd {
	struct amd_guest guests[MANY];
	__u32 veventq_ids[MANY];
	int fds[MANY];
	int num;
};

static int alloc_all(FIXTURE_DATA(hotplug) *self, struct crowd *crowd)
{
	struct amd_viommu v;
	int i, rc;

	for (i = 0; i < MANY; i++) {
		crowd->guests[i] = *self->guest;
		rc = amd_viommu_alloc(&v, &crowd->guests[i],
				      &self->hw.setup.dev);
		/* The parent stays */
		self->guest->hwpt_id = crowd->guests[i].hwpt_id;
		crowd->num = i;
		if (rc)
			return rc == -ENOSPC ? 0 : rc;
		rc = amd_guest_veventq(&crowd->guests[i], 4,
				       &crowd->veventq_ids[i], &crowd->fds[i]);
		if (rc)
			return rc;
	}
	return -E2BIG;
}

static int free_all(FIXTURE_DATA(hotplug) *self, struct crowd *crowd)
{
	int i, rc = 0;

	for (i = 0; i < crowd->num; i++) {
		close(crowd->fds[i]);
		rc = rc ?: amd_guest_destroy(self->guest,
					     crowd->veventq_ids[i]);
		rc = rc ?: amd_guest_destroy(self->guest,
					     crowd->guests[i].viommu_id);
	}
	return rc;
}

/* What the VMM of a guest gets that has no rings any more, and no other */
static bool is_told(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	struct amd_event event = {};

	return poll(&poll_fd, 1, 0) == 1 && !amd_event_read(fd, &event) &&
	       event.code == AMD_EVENT_HARDWARE && !event.addr;
}

TEST_F(hotplug, no_id_is_left)
{
	const char *why = take_pf(self, 1);
	static struct crowd crowd;
	int i, num, lost = 0;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, alloc_all(self, &crowd));
	num = crowd.num;
	ASSERT_LT(1, num);
	ASSERT_EQ(0, set_functions(&self->pf, 1));

	/* Exactly one has lost its rings, the others do not notice */
	for (i = 0; i < num; i++) {
		struct amd_viommu v = { .guest = &crowd.guests[i] };
		int rc = amd_viommu_set(&v, CONTROL, 0);

		if (rc)
			EXPECT_EQ(-EIO, rc);
		EXPECT_EQ(!!rc, is_told(crowd.fds[i]));
		lost += !!rc;
	}
	EXPECT_EQ(1, lost);
	ASSERT_EQ(0, free_all(self, &crowd));
	ASSERT_EQ(0, alloc_all(self, &crowd));
	ASSERT_EQ(num - 1, crowd.num);
	ASSERT_EQ(0, free_all(self, &crowd));
}

/* A guest in the way of the first function; others stay above it */
static int alloc_at_first(FIXTURE_DATA(hotplug) *self)
{
	struct amd_viommu *v = &self->hw.v;
	const int first = self->pf.devid + self->pf.offset;
	int rc, devid;

	for (;;) {
		rc = amd_viommu_alloc(v, self->guest, &self->hw.setup.dev);
		rc = rc ?: amd_viommu_map(v);
		if (rc)
			return rc;
		devid = trans_devid(v);
		if (devid == first)
			return 0;
		amd_viommu_unmap(v);
		if (devid < first)
			return -ENOSPC;
	}
}

/* What the guest of the last round had */
static int free_guest(struct amd_hw *hw)
{
	int rc;

	rc = amd_ring_destroy(&hw->rings.cmd);
	rc = rc ?: amd_ring_destroy(&hw->rings.evt);
	rc = rc ?: amd_ring_destroy(&hw->rings.ppr);
	rc = rc ?: amd_viommu_unmap(&hw->v);
	return rc ?: amd_viommu_free(&hw->v);
}

/*
 * Each allocation of the way to a function fails once. One of them is the data
 * that the driver keeps of a device: then it ignores the device, and must not
 * take the entry for the device's that a guest's rings depend on.
 */
TEST_F(hotplug, failed_probe)
{
	const char *why = take_pf(self, 2);
	struct amd_hw *hw = &self->hw;
	const size_t size = self->guest->used;
	unsigned int nth, moved = 0;
	int rc = 0;

	if (why)
		SKIP(return, "%s", why);
	if (setup_fault_injection())
		SKIP(return, "no fault injection");
	for (nth = 1; nth < MAX_NTH && !rc; nth++) {
		rc = alloc_at_first(self);
		if (rc)
			break;
		ASSERT_EQ(0, amd_rings_init(&hw->rings, &hw->v, AMD_RING_MIN));
		ASSERT_EQ(0, amd_viommu_start(&hw->rings));
		ASSERT_EQ(0, amd_ring_sync(&hw->rings.cmd));
		ASSERT_EQ(0, start_nth(nth));
		set_functions(&self->pf, 1);
		stop_nth();
		moved += trans_devid(&hw->v) != (int)(self->pf.devid +
						      self->pf.offset);
		ASSERT_EQ(0, amd_ring_sync(&hw->rings.cmd))
			TH_LOG("after point %u", nth);
		EXPECT_EQ(0, set_functions(&self->pf, 0));
		EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
		ASSERT_EQ(0, free_guest(hw));
		memset(self->guest->ram + size, 0, self->guest->used - size);
		self->guest->used = size;
	}
	/* After that the ID is the function's */
	EXPECT_EQ(-ENOSPC, rc);
	EXPECT_EQ(1, moved);
	printf("# %u points before the guest had to move\n", nth - 1);
}

TEST_HARNESS_MAIN
