// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: what comes goes again, in any order and any number, and
 * what it costs
 *
 * CYCLES=n sets how often a vIOMMU is allocated and destroyed (10000).
 */
#include <sys/wait.h>
#include <time.h>

#include "amd_viommu_utils.h"

/* A vIOMMU may have this much of the host's memory, in KiB, and registers */
#define MAX_KIB		2048
#define MAX_WRITES	132000

/* More than small machines have IDs for */
#define MANY		2000

FIXTURE(life)
{
	struct amd_hw hw;
	struct amd_guest *guest;
	struct amd_device *dev;
};

FIXTURE_SETUP(life)
{
	const char *why = amd_hw_open(&self->hw, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->hw.setup.guest;
	self->dev = &self->hw.setup.dev;
}

FIXTURE_TEARDOWN(life)
{
	amd_hw_close(&self->hw);
}

/* A field of /proc/meminfo in KiB, or -1 */
static long mem_kib(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128], format[64];
	long kib = -1;

	snprintf(format, sizeof(format), "%s: %%ld", field);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* Lines of a file that have @text, or -1 */
static long count_lines(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	char line[512];
	long num = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		num += !!strstr(line, text);
	fclose(file);
	return num;
}

/* What is freed late is free then, and caches are as small as they can be */
static void settle(void)
{
	int fd, i;

	for (i = 0; i < 3; i++) {
		fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
		if (fd < 0 || write(fd, "3", 1) != 1)
			perror("drop_caches");
		close(fd);
		usleep(200000);
	}
}

/* These keep what was freed, or more: nothing can be said of memory */
static bool memory_is_vague(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

struct usage {
	long free;
	long slab;
	long vmalloc;
	int gid;
};

static struct usage usage_now(struct amd_hw *hw)
{
	settle();
	return (struct usage){
		.free = mem_kib("MemFree"),
		.slab = mem_kib("SUnreclaim"),
		.vmalloc = count_lines("/proc/vmallocinfo", "ioremap"),
		.gid = amd_model_gid(&hw->v),
	};
}

/* One and the same vIOMMU, from the IOMMU's point of view */
static int renew(FIXTURE_DATA(life) *self)
{
	int rc = amd_viommu_free(&self->hw.v);

	return rc ?: amd_viommu_alloc(&self->hw.v, self->guest, self->dev);
}

static unsigned long cycles(void)
{
	const char *env = getenv("CYCLES");

	return env ? strtoul(env, NULL, 0) : 10000;
}

static void test_usage(struct __test_metadata *_metadata,
		       const struct usage *before, const struct usage *after,
		       long limit, const char *what)
{
	printf("# %s: %ld KiB free less, %ld KiB slab more, %ld ioremaps more\n",
	       what, before->free - after->free, after->slab - before->slab,
	       after->vmalloc - before->vmalloc);
	EXPECT_EQ(before->vmalloc, after->vmalloc);
	EXPECT_EQ(before->gid, after->gid);
	if (memory_is_vague())
		return;
	EXPECT_GE(limit, before->free - after->free);
	EXPECT_GE(1024, after->slab - before->slab);
}

/*
 * Free memory goes up and down by some MiB as the direct map is split for
 * uncached pages, and as each CPU keeps large pages that were freed. A page
 * lost in each of the 10000 cycles would be 40 MiB; the maps of a guest lost in
 * each of the 50 whole lives 75 MiB, and the backing of the hardware 400.
 */
#define CYCLES_LIMIT_KIB	8192
#define LIVES_LIMIT_KIB		32768

/* With another vIOMMU beside, so that the hardware stays on */
TEST_F(life, cycles)
{
	struct amd_guest second = *self->guest;
	unsigned long i, num = cycles();
	struct usage before, after;
	struct amd_viommu v;

	ASSERT_EQ(0, amd_viommu_alloc(&v, &second, self->dev));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, renew(self));
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	before = usage_now(&self->hw);
	for (i = 0; i < num; i++)
		ASSERT_EQ(0, renew(self))
			TH_LOG("cycle %lu", i);
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	after = usage_now(&self->hw);
	test_usage(_metadata, &before, &after, CYCLES_LIMIT_KIB, "cycles");
	ASSERT_EQ(0, amd_viommu_free(&v));
}

/* Alone: the hardware is turned off and on */
TEST_F(life, first_and_last)
{
	struct usage before, after;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, renew(self));
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	before = usage_now(&self->hw);
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, renew(self));
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	after = usage_now(&self->hw);
	test_usage(_metadata, &before, &after, CYCLES_LIMIT_KIB,
		   "first and last");
}

/* With everything in it */
static int whole_life(struct amd_hw *hw)
{
	if (amd_hw_open(hw, 0))
		return -ENODEV;
	if (amd_hw_start(hw, AMD_RING_MIN) || amd_hw_nest(hw) ||
	    amd_ring_sync(&hw->rings.cmd) || amd_hw_dma(hw))
		return -EPROTO;
	amd_hw_close(hw);
	return 0;
}

TEST_F(life, whole_lives)
{
	struct usage before, after;
	struct amd_hw *hw = &self->hw;
	int i;

	amd_hw_close(hw);
	ASSERT_EQ(0, whole_life(hw));
	ASSERT_EQ(NULL, amd_hw_open(hw, 0));
	before = usage_now(hw);
	amd_hw_close(hw);
	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, whole_life(hw));
	ASSERT_EQ(NULL, amd_hw_open(hw, 0));
	after = usage_now(hw);
	test_usage(_metadata, &before, &after, LIVES_LIMIT_KIB,
		   "whole lives");
}

/* The windows of the hardware are the host's as long as there are guests */
TEST_F(life, windows)
{
	EXPECT_EQ(2, count_lines("/proc/iomem", "amd_viommu_vf"));
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	EXPECT_EQ(0, count_lines("/proc/iomem", "amd_viommu_vf"));
	ASSERT_EQ(0, amd_viommu_alloc(&self->hw.v, self->guest, self->dev));
	EXPECT_EQ(2, count_lines("/proc/iomem", "amd_viommu_vf"));
}

/* And for as long it is on */
TEST_F(life, on_and_off)
{
	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	EXPECT_LT(0, monitor_number("viommu-control"));
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	EXPECT_EQ(0, monitor_number("viommu-control"));
	ASSERT_EQ(0, amd_viommu_alloc(&self->hw.v, self->guest, self->dev));
	EXPECT_LT(0, monitor_number("viommu-control"));
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Register writes and time of one vIOMMU with a ring that runs, to the end */
TEST_F(life, costs_time)
{
	long long alloc, enable, end;
	double t_alloc, t_enable, t_end;

	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	end = amd_host_writes();
	t_end = now();
	ASSERT_EQ(0, amd_viommu_alloc(&self->hw.v, self->guest, self->dev));
	t_alloc = now() - t_end;
	alloc = amd_host_writes() - end;
	ASSERT_EQ(0, amd_viommu_map(&self->hw.v));
	ASSERT_EQ(0, amd_rings_init(&self->hw.rings, &self->hw.v,
				    AMD_RING_MIN));
	t_end = now();
	ASSERT_EQ(0, amd_viommu_start(&self->hw.rings));
	t_enable = now() - t_end;
	enable = amd_host_writes() - end - alloc;
	ASSERT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
	t_end = now();
	ASSERT_EQ(0, amd_viommu_reset(&self->hw.rings));
	ASSERT_EQ(0, amd_viommu_free(&self->hw.v));
	t_end = now() - t_end;
	end = amd_host_writes() - end - alloc - enable;
	printf("# register writes: %lld to allocate, %lld to enable, %lld to end\n",
	       alloc, enable, end);
	printf("# milliseconds: %.1f to allocate, %.1f to enable, %.1f to end\n",
	       t_alloc * 1000, t_enable * 1000, t_end * 1000);
	EXPECT_GE(MAX_WRITES, alloc + enable);
	EXPECT_GE(1000, end);
	/* A VMM that never enables the ring does not pay for it */
	EXPECT_GE(1000, alloc);
}

TEST_F(life, costs_memory)
{
	struct amd_guest guests[32];
	struct amd_viommu v[32];
	long before, after;
	int i;

	settle();
	before = mem_kib("MemFree");
	for (i = 0; i < 32; i++) {
		guests[i] = *self->guest;
		ASSERT_EQ(0, amd_viommu_alloc(&v[i], &guests[i], self->dev));
	}
	after = mem_kib("MemFree");
	for (i = 0; i < 32; i++)
		ASSERT_EQ(0, amd_viommu_free(&v[i]));
	printf("# memory: %ld KiB for a vIOMMU\n", (before - after) / 32);
	if (!memory_is_vague())
		EXPECT_GT(MAX_KIB, (before - after) / 32);
}

/* How many there can be; -ENOSPC is the end. -1: it ended otherwise */
static int allocate_all(FIXTURE_DATA(life) *self, __u32 *ids)
{
	struct amd_guest guest = *self->guest;
	struct amd_viommu v;
	int rc, num;

	for (num = 0; num < MANY; num++) {
		rc = amd_viommu_alloc(&v, &guest, self->dev);
		if (rc)
			return rc == -ENOSPC ? num : -1;
		ids[num] = guest.viommu_id;
	}
	return num;
}

TEST_F(life, exhaustion)
{
	static __u32 ids[MANY];
	struct amd_guest soft = *self->guest;
	int i, num = allocate_all(self, ids), again;

	ASSERT_LE(0, num);
	if (num == MANY)
		SKIP(return, "this machine has IDs for more");
	printf("# %d vIOMMUs until IDs run out\n", num + 1);
	ASSERT_LT(1, num);
	/* Those that are there work, and software does not need any */
	test_command_reads(&self->hw.v, CONTROL, 0);
	ASSERT_EQ(0, amd_guest_viommu(&soft, self->dev));
	EXPECT_EQ(0, amd_guest_destroy(&soft, soft.viommu_id));

	/* One goes, and exactly one can come */
	ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[num / 2]));
	ASSERT_EQ(1, allocate_all(self, &ids[num / 2]));
	for (i = 0; i < num; i++)
		ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[i]));

	again = allocate_all(self, ids);
	EXPECT_EQ(num, again);
	for (i = 0; i < again; i++)
		ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[i]));
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	EXPECT_EQ(0, amd_ring_sync(&self->hw.rings.cmd));
}

/* As often as a device can be reset, by all names that it can have */
TEST_F(life, vdevices)
{
	unsigned int i;
	__u32 id;

	for (i = 0; i < 3000; i++) {
		ASSERT_EQ(0, amd_guest_vdevice(self->guest, self->dev,
					       i * 0x1b & 0xffff, &id));
		ASSERT_EQ(0, amd_guest_destroy(self->guest, id));
	}
	EXPECT_EQ(-EINVAL, amd_guest_vdevice(self->guest, self->dev, 0x10000,
					     &id));
	EXPECT_EQ(-EINVAL, amd_guest_vdevice(self->guest, self->dev, ~0ULL,
					     &id));
	EXPECT_EQ(0, amd_guest_vdevice(self->guest, self->dev, 0xffff, &id));
	EXPECT_EQ(-EEXIST, amd_guest_vdevice(self->guest, self->dev, 1, &id));
}

/* Objects that are in use stay */
TEST_F(life, wrong_orders)
{
	struct amd_hw *hw = &self->hw;

	ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(hw));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest, hw->hwpt_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest,
					    self->guest->viommu_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest,
					    self->guest->hwpt_id));
	EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest,
					    self->guest->ioas_id));
	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
	EXPECT_EQ(0, amd_hw_dma(hw));
}

/* Each of what holds the vIOMMU does so alone, whatever goes before it */
TEST_F(life, right_orders)
{
	int order, i, k;
	__u32 id;

	for (order = 0; order < 4; order++) {
		struct amd_hw *hw = &self->hw;

		ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
		ASSERT_EQ(0, amd_hw_nest(hw));
		ASSERT_EQ(0, amd_device_detach(self->dev));
		for (i = 0; i < 4; i++) {
			EXPECT_EQ(-EBUSY,
				  amd_guest_destroy(self->guest,
						    self->guest->viommu_id));
			k = (order + i) % 4;
			if (k == 0)
				ASSERT_EQ(0, amd_viommu_reset(&hw->rings));
			if (k == 1)
				ASSERT_EQ(0, amd_guest_destroy(self->guest,
							       hw->hwpt_id));
			id = hw->setup.vdevice_id;
			if (k == 2)
				ASSERT_EQ(0, amd_guest_destroy(self->guest,
							       id));
			if (k != 3)
				continue;
			close(hw->setup.event_fd);
			hw->setup.event_fd = -1;
			ASSERT_EQ(0, amd_guest_destroy(self->guest,
						       hw->setup.veventq_id));
		}
		EXPECT_EQ(-EBUSY, amd_guest_destroy(self->guest,
						    self->guest->viommu_id));
		ASSERT_EQ(0, amd_viommu_free(&hw->v));
		ASSERT_EQ(0, amd_viommu_alloc(&hw->v, self->guest, self->dev));
		ASSERT_EQ(0, amd_viommu_map(&hw->v));
	}
}

/* All at once, by the last reference to the file, which is the mapping's */
TEST_F(life, file_is_closed)
{
	struct amd_hw *hw = &self->hw;
	struct amd_viommu v;

	ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(hw));
	v = hw->v;
	hw->v.vf = NULL;
	amd_hw_close(hw);
	/* The guest's page outlives the device, and works */
	EXPECT_EQ(AMD_STATUS_CMD_RUN,
		  amd_vf_read(&v, AMD_VF_STATUS) & AMD_STATUS_CMD_RUN);
	ASSERT_EQ(0, munmap(v.vf, v.mmap_length));
	EXPECT_EQ(0, count_lines("/proc/iomem", "amd_viommu_vf"));
	ASSERT_EQ(NULL, amd_hw_open(hw, 0));
	ASSERT_EQ(0, amd_hw_start(hw, AMD_RING_MIN));
	EXPECT_EQ(0, amd_ring_sync(&hw->rings.cmd));
}

/* The same with a VMM that exits without a word */
TEST_F(life, process_exits)
{
	int i, status;
	pid_t pid;

	amd_hw_close(&self->hw);
	for (i = 0; i < 10; i++) {
		pid = fork();
		ASSERT_NE(-1, pid);
		if (!pid) {
			bool bad = amd_hw_open(&self->hw, 0) ||
				   amd_hw_start(&self->hw, AMD_RING_MIN) ||
				   amd_hw_nest(&self->hw) ||
				   amd_ring_sync(&self->hw.rings.cmd);

			_exit(bad);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(0, count_lines("/proc/iomem", "amd_viommu_vf"));
	}
	ASSERT_EQ(NULL, amd_hw_open(&self->hw, 0));
}

TEST_HARNESS_MAIN
