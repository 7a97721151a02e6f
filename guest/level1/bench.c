// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the invalidations of a guest cost. Guests read from their disks, and
 * each request maps its pages, and unmaps and invalidates them when it is done.
 * In the report are the differences of all counters:
 *
 *   bench MODE PAGES ROUNDS cpus=N disks=N vms=N requests=N NAME=N ...
 *   life MODE cpus=N disks=N vms=N NAME=N ... 0xIOCTL=N ...
 *
 * The second is a whole life, with the reads. A run of no rounds is everything
 * but the invalidations: the command over the port, the start of the program,
 * its first reads. scripts/bench_report.py subtracts it, and so do we.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "scenarios.h"

/* Under -icount a second of level 1 is 10^9 instructions; that is not long */
#define READ_SECONDS 300
#define SETTLE_SECONDS 5

static const unsigned int sizes[] = { 1, 16, 512 };

struct bench {
	const struct mode *mode;
	unsigned int cpus, disks, rounds;
	/* Ends with NULL */
	struct vm *vms[NR_DISKS + 1];
	unsigned int count;
};

/* One run of the guests' program, and by how much it has moved counters */
struct run {
	struct sample before, after;
	long requests;
};

static void print_setup(const struct bench *bench, char *text, size_t room)
{
	size_t used = strlen(text);

	snprintf(text + used, room - used, " cpus=%u disks=%u vms=%u",
		 bench->cpus, bench->disks, bench->count);
}

/* All are told before any is listened to, so that they work at once */
static bool read_disks(struct bench *bench, unsigned int pages,
		       unsigned int rounds, long *requests)
{
	char text[128];
	unsigned int i;
	bool ok = true;

	*requests = 0;
	for (i = 0; i < bench->count; i++) {
		bench->vms[i]->requests = 0;
		snprintf(text, sizeof(text), "reads %u %u %u %s%s", pages,
			 rounds, bench->cpus, bench->vms[i]->disk,
			 bench->disks > 1 ? " disk1" : "");
		ok = ok && guest_say(bench->vms[i], READ_SECONDS, text);
	}
	for (i = 0; ok && i < bench->count; i++) {
		ok = guest_answers(bench->vms[i], READ_SECONDS);
		*requests += bench->vms[i]->requests;
	}
	return ok && *requests > 0;
}

static bool run(struct bench *bench, unsigned int pages, unsigned int rounds,
		struct run *run)
{
	char text[NOTE_ROOM];
	bool ok;

	sample_before(&run->before, bench->vms);
	ok = read_disks(bench, pages, rounds, &run->requests);
	sample_after(&run->after, bench->vms);
	snprintf(text, sizeof(text), "bench %s %u %u", bench->mode->name, pages,
		 rounds);
	print_setup(bench, text, sizeof(text));
	snprintf(text + strlen(text), sizeof(text) - strlen(text),
		 " requests=%ld", run->requests);
	sample_print(&run->before, &run->after, text, sizeof(text));
	note("%s", text);
	return ok && run->before.complete && run->after.complete;
}

static long long growth(const struct run *run, const char *name)
{
	return sample_growth(&run->before, &run->after, name);
}

/* What rounds add to a run without any */
static long long extra(const struct run *none, const struct run *some,
		       const char *name)
{
	return growth(some, name) - growth(none, name);
}

static bool costs(const struct bench *bench, const struct run *none,
		  const struct run *some)
{
	long long mmio = extra(none, some, "mmio_reads") +
			 extra(none, some, "mmio_writes") +
			 extra(none, some, "mmio_fast");
	long long ioctls = extra(none, some, "ioctls_iommu");
	long long executed = extra(none, some, "guest_commands");
	long requests = some->requests - none->requests;
	unsigned int traps = bench->mode->traps;

	note("%lld MMIO exits, %lld ioctls, %lld commands that hardware ran for %ld invalidations",
	     mmio, ioctls, executed, requests);
	if (requests <= 0)
		return false;
	/* To cost nothing is no feat when nobody does it */
	if (bench->mode->rings && executed < requests)
		return false;
	if (traps)
		return mmio >= (long long)traps * requests;
	/* Without an IOMMU there is nothing to prove: an odd interrupt may move */
	if (!bench->mode->rings)
		return mmio * 10 < requests && ioctls * 10 < requests;
	return !mmio && !ioctls;
}

static bool measure(struct bench *bench, unsigned int pages)
{
	static struct run none, some;

	step("reads of %u pages are counted", pages);
	if (!step_end(run(bench, pages, 0, &none) &&
		      run(bench, pages, bench->rounds, &some)))
		return false;
	if (bench->mode->rings)
		step("an invalidation costs no exit and no ioctl");
	else if (!bench->mode->traps)
		step("there are hardly any exits or ioctls");
	else
		step("an invalidation costs %u or more exits",
		     bench->mode->traps);
	return step_end(costs(bench, &none, &some));
}

struct text {
	char *text;
	size_t room;
};

/* Only those of iommufd and VFIO one by one: KVM has dozens at start */
static void print_ioctl(void *to, unsigned long key, long long hits)
{
	size_t used = strlen(((struct text *)to)->text);
	struct text *text = to;

	if ((key & 0xff00) == ';' << 8)
		snprintf(text->text + used, text->room - used, " 0x%lx=%lld",
			 key & 0xffff, hits);
}

/* The trace points have counted nothing before this VM, so all is its own */
static bool print_life(const struct bench *bench, const struct sample *before)
{
	static struct sample after;
	static struct vm *const nobody[] = { NULL };
	char line[NOTE_ROOM];
	struct text text = { line, sizeof(line) };

	sample_after(&after, nobody);
	snprintf(line, sizeof(line), "life %s", bench->mode->name);
	print_setup(bench, line, sizeof(line));
	sample_print(before, &after, line, sizeof(line));
	trace_each(TRACE_IOCTL, print_ioctl, &text);
	note("%s", line);
	return after.complete;
}

static bool all_boot(struct bench *bench)
{
	unsigned int i;

	for (i = 0; i < bench->count; i++)
		if (!boots(bench->vms[i]) || !has_mode(bench->vms[i]))
			return false;
	return true;
}

static bool all_power_off(struct bench *bench)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < bench->count; i++)
		ok = powers_off(bench->vms[i]) && ok;
	return ok;
}

/*
 * The first program finds nothing in the guests' caches, and a guest is not at
 * rest when it says that it is up: interrupts are still being set up, which are
 * exits and ioctls too.
 */
static bool warm_up(struct bench *bench)
{
	long requests;
	bool ok;

	step("the guests have read once");
	ok = read_disks(bench, sizes[0], bench->rounds, &requests);
	sleep(SETTLE_SECONDS);
	return step_end(ok);
}

static bool whole_life(struct bench *bench)
{
	static struct sample before;
	static struct vm *const nobody[] = { NULL };
	unsigned int i;

	step("the kernel counts");
	if (!step_end(trace_start()))
		return false;
	sample_before(&before, nobody);
	if (!all_boot(bench) || !warm_up(bench))
		return false;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!measure(bench, sizes[i]))
			return false;
	if (!all_power_off(bench))
		return false;
	step("its whole life is counted");
	return step_end(before.complete && print_life(bench, &before));
}

static void scenario(struct bench *bench)
{
	struct vm *disks[NR_DISKS];
	unsigned int i;

	for (i = 0; i < NR_DISKS; i++) {
		disks[i] = vm_get(i, bench->mode);
		begin(disks[i]);
		disks[i]->cpus = bench->cpus;
	}
	for (i = 0; i < bench->count; i++)
		bench->vms[i] = disks[i];
	if (bench->disks > 1)
		disks[0]->more_bdf = disks[1]->bdf;
	whole_life(bench);
	trace_stop();
	for (i = 0; i < bench->count; i++)
		end(bench->vms[i]);
	for (i = 0; i < NR_DISKS; i++)
		clean(disks[i]);
}

static void bench(const struct mode *mode, unsigned int rounds,
		  unsigned int cpus, unsigned int disks, unsigned int vms)
{
	struct bench bench = {
		.mode = mode,
		.rounds = rounds,
		.cpus = cpus,
		.disks = disks,
		.count = vms,
	};

	scenario(&bench);
}

void scenario_bench(const struct mode *mode, unsigned int rounds)
{
	bench(mode, rounds, 1, 1, 1);
}

/* How it grows: two of one thing, and all else as it was */
void scenario_bench_cpus(const struct mode *mode, unsigned int rounds)
{
	bench(mode, rounds, 2, 1, 1);
}

void scenario_bench_disks(const struct mode *mode, unsigned int rounds)
{
	bench(mode, rounds, 1, 2, 1);
}

void scenario_bench_vms(const struct mode *mode, unsigned int rounds)
{
	bench(mode, rounds, 1, 1, 2);
}
