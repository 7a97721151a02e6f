/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How amd_viommu_demo prints a step, counts what it costs the host, sees what
 * the host has of a guest, and invalidates in two ways
 */
#ifndef __SELFTEST_IOMMU_AMD_VIOMMU_DEMO
#define __SELFTEST_IOMMU_AMD_VIOMMU_DEMO

#include <glob.h>

#include "amd_viommu_utils.h"

/* Room for MOST invalidations in one go */
#define RING_SIZE	16384UL
#define MOST		512U

static struct amd_hw hw;
static struct amd_viommu *const v = &hw.v;
static struct amd_guest *const guest = &hw.setup.guest;
static struct amd_ring *const ring = &hw.rings.cmd;

static unsigned int steps, refusals;

/* Calls of this process, see ioctl() in amd_viommu_demo.c */
static long long ioctls;

/* Commands of the guest in its ring, and the guest as the hardware knows it */
static long long posted;
static int gid;

#define section(title) puts("\n" title)

/* The demonstration ends with the first step that is not what it has to be */
static void require(bool good, const char *why)
{
	if (good)
		return;
	printf("DEVIATION in step %u: %s\n", steps, why);
	exit(KSFT_FAIL);
}

/* Functions of the library return a negative errno */
static const char *name_of(int rc)
{
	return rc ? strerrorname_np(-rc) ?: "an unknown error" : "success";
}

/* One step: what came of it must be success */
static void expect(int rc, const char *what)
{
	printf("%3u. %s\n", ++steps, what);
	require(!rc, name_of(rc));
}

/* One step that the kernel has to refuse, with this errno and no other */
static void denied(int error, int rc, const char *what)
{
	printf("%3u. refused as it must be: %s -> %s\n", ++steps, what,
	       name_of(-error));
	refusals++;
	require(rc == -error, name_of(rc));
}

/* One step that cannot succeed, for what has been done before */
static void fails(int error, int rc, const char *what)
{
	printf("%3u. %s -> %s\n", ++steps, what, name_of(-error));
	require(rc == -error, name_of(rc));
}

/* One step whose result is a value; negative ones are errors */
static void expect_value(long long value, long long got, const char *what)
{
	printf("%3u. %s: 0x%llx\n", ++steps, what, got);
	if (got != value)
		printf("     it has to be 0x%llx\n", value);
	require(got == value, "the value");
}

static void expect_count(long long count, long long got, const char *what)
{
	printf("%3u. %s: %lld\n", ++steps, what, got);
	if (got != count)
		printf("     it has to be %lld\n", count);
	require(got == count, "the number");
}

/**
 * struct cost - What something costs the host, and what the IOMMU does for that
 * @ioctls: calls of this process
 * @commands: commands that the host had the IOMMU execute, all opcodes
 * @writes: of the host to registers of the IOMMU, the VFctrl ones not counted
 * @vfctrl: of the host to the VFctrl registers, which are about guests
 * @posted: commands that the guest has put into its ring
 * @executed: commands that the IOMMU has executed from there
 * @doorbells: of guests, in the pages that they have
 */
struct cost {
	long long ioctls;
	long long commands;
	long long writes;
	long long vfctrl;
	long long posted;
	long long executed;
	long long doorbells;
};

/* Commands of these opcodes; the model leaves out those that there were not */
static long long guest_commands(void)
{
	static const char *const names[] = { "command-1", "command-3" };
	long long num, sum = 0;
	unsigned int i;

	for (i = 0; gid && i < ARRAY_SIZE(names); i++) {
		num = amd_guest_counter(gid, names[i]);
		sum += num > 0 ? num : 0;
	}
	return sum;
}

/* What cannot be read must not look like what does not change */
static long long counted(long long value)
{
	require(value >= 0, "the hardware does not tell");
	return value;
}

static void read_counters(struct cost *cost)
{
	char name[16];
	unsigned int op;

	cost->commands = 0;
	for (op = 1; op <= 0xf; op++) {
		snprintf(name, sizeof(name), "stat-cmd-%x", op);
		cost->commands += counted(monitor_number(name));
	}
	cost->writes = counted(monitor_number("stat-mmio-writes"));
	cost->vfctrl = counted(amd_counter("vfc-writes"));
	cost->executed = guest_commands();
	cost->doorbells = counted(amd_counter("doorbells"));
}

/* To ask the monitor may take calls, too; they are not counted */
static struct cost cost_begin(void)
{
	struct cost cost;

	read_counters(&cost);
	cost.ioctls = ioctls;
	cost.posted = posted;
	return cost;
}

/* Add what came since @begin to @sum */
static void cost_end(const struct cost *begin, struct cost *sum)
{
	struct cost now = { .ioctls = ioctls, .posted = posted };

	read_counters(&now);
	sum->ioctls += now.ioctls - begin->ioctls;
	sum->commands += now.commands - begin->commands;
	sum->writes += now.writes - begin->writes;
	sum->vfctrl += now.vfctrl - begin->vfctrl;
	sum->posted += now.posted - begin->posted;
	sum->executed += now.executed - begin->executed;
	sum->doorbells += now.doorbells - begin->doorbells;
}

/* That of one call, whose result it is */
#define COST(sum, call)                                                \
	({                                                             \
		struct cost __begin = cost_begin();                    \
		int __rc = (call);                                     \
								       \
		cost_end(&__begin, sum);                               \
		__rc;                                                  \
	})

/* Guests whose rings the kernel has an IOMMU run, as root sees them */
static int guests_in_debugfs(void)
{
	glob_t found;
	int num;

	if (glob("/sys/kernel/debug/iommu/amd/*/guest*", 0, NULL, &found))
		return 0;
	num = found.gl_pathc;
	globfree(&found);
	return num;
}

/* Windows of an IOMMU's registers for guests that the kernel has in use */
static int windows_in_iomem(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	char line[256];
	int num = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		num += !!strstr(line, "amd_viommu_vf");
	fclose(file);
	return num;
}

/* mmap() of the iommufd, and away with it */
static int try_map(int fd, __u64 offset, size_t length, int prot, int flags)
{
	void *page = mmap(NULL, length, prot, flags, fd, offset);

	if (page == MAP_FAILED)
		return -errno;
	munmap(page, length);
	return 0;
}

/* How the guest invalidates: so many pages, and so often */
static struct row {
	unsigned int pages;
	unsigned int times;
	struct cost by_ring;
	struct cost by_vmm;
} rows[] = {
	{ .pages = 1, .times = 1 },
	{ .pages = 1, .times = 16 },
	{ .pages = 1, .times = MOST },
	{ .pages = MOST, .times = 1 },
};

/* The guest has two pages, which it maps by turns */
static __u64 pages[2];
static int mapped;

static int map_page(unsigned int i)
{
	return amd_tables_map(guest, &hw.tables, AMD_GVA + i * AMD_PAGE,
			      pages[mapped], AMD_PTE_W, false);
}

/* DMA gets to @page and not to the other one */
static int dma_to(unsigned int i, int page)
{
	int rc;

	amd_clear_word(guest, pages[0]);
	amd_clear_word(guest, pages[1]);
	rc = amd_device_dma(&hw.setup.dev, AMD_GVA + i * AMD_PAGE);
	if (rc)
		return rc;
	return amd_word(guest, pages[page]) == AMD_DMA_VALUE &&
	       !amd_word(guest, pages[!page]) ? 0 : -EPROTO;
}

static struct iommu_viommu_amd_invalidate inv_cmd(unsigned int i)
{
	return amd_cmd_pages(AMD_DOMID, 0, AMD_GVA + i * AMD_PAGE, false);
}

/* What this hardware is for: no host in here */
static int invalidate_by_ring(unsigned int num)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < num && !rc; i++)
		rc = amd_ring_put(ring, inv_cmd(i));
	posted += num + 1;
	return rc ?: amd_ring_sync(ring);
}

/* What a VMM does for it that has trapped the write to the guest's tail */
static int invalidate_by_vmm(unsigned int num)
{
	static struct iommu_viommu_amd_invalidate cmds[MOST];
	unsigned int i;
	__u32 done = num;
	int rc;

	for (i = 0; i < num; i++)
		cmds[i] = inv_cmd(i);
	rc = amd_guest_invalidate(guest, cmds, &done);
	return rc ?: done == num ? 0 : -EPROTO;
}

/* All are the page that is mapped now, and the IOMMU knows it */
static int settle_pages(int (*invalidate)(unsigned int))
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < MOST && !rc; i++)
		rc = map_page(i);
	rc = rc ?: invalidate(MOST);
	for (i = 0; i < MOST && !rc; i++)
		rc = dma_to(i, mapped);
	return rc;
}

/* Each page is used by its old translation before, and by its new one after */
static int change_pages(const struct row *row, int (*invalidate)(unsigned int))
{
	unsigned int i, n;
	int rc = 0;

	for (n = 0; n < row->times && !rc; n++) {
		mapped = !mapped;
		for (i = 0; i < row->pages && !rc; i++)
			rc = map_page(i) ?: dma_to(i, !mapped);
		rc = rc ?: invalidate(row->pages);
		for (i = 0; i < row->pages && !rc; i++)
			rc = dma_to(i, mapped);
	}
	return rc;
}

#endif
