// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace points of this kernel as counters. A histogram counts each event, so
 * unlike a trace buffer it loses none, however many there are.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "bench.h"

#define TRACEFS "/sys/kernel/tracing"
#define LOCAL_APIC_OR_HPET "(gpa >= 0xfee00000 && gpa <= 0xfee00fff) || " \
	"(gpa >= 0xfed00000 && gpa <= 0xfed003ff)"

/* Indexed by enum trace */
static const struct {
	const char *event, *key, *filter;
} traces[NR_TRACES] = {
	[TRACE_EXIT] = { "kvm/kvm_exit", "exit_reason", "" },
	/* Timers are a matter of how long it takes, which no count may be */
	[TRACE_MMIO] = { "kvm/kvm_mmio", "type",
			 " if !(" LOCAL_APIC_OR_HPET ")" },
	/* Where a write is a mere doorbell for the VMM */
	[TRACE_FAST_MMIO] = { "kvm/kvm_fast_mmio", "gpa", "" },
	[TRACE_RETURN] = { "kvm/kvm_userspace_exit", "reason", "" },
	[TRACE_IOCTL] = { "syscalls/sys_enter_ioctl", "cmd", "" },
	/* Processes are VMMs, or sleep, or this one */
	[TRACE_SYSCALL] = { "raw_syscalls/sys_enter", "id",
			    " if comm != \"level1\"" },
};

static void trace_path(char *path, size_t room, enum trace trace,
		       const char *file)
{
	snprintf(path, room, TRACEFS "/events/%s/%s", traces[trace].event,
		 file);
}

/* @prefix is "!" to take it away */
static bool set_trigger(enum trace trace, const char *prefix)
{
	char path[128], text[256];

	trace_path(path, sizeof(path), trace, "trigger");
	snprintf(text, sizeof(text), "%shist:keys=%s%s", prefix,
		 traces[trace].key, traces[trace].filter);
	return !write_file(path, text);
}

bool trace_start(void)
{
	unsigned int i;

	/* It may be there already; what is missing is noticed below */
	mount("none", TRACEFS, "tracefs", 0, NULL);
	/* Of a scenario that was killed */
	trace_stop();
	for (i = 0; i < NR_TRACES; i++) {
		if (set_trigger(i, ""))
			continue;
		note("no histogram of %s", traces[i].event);
		return false;
	}
	return true;
}

/* The next scenario starts with no events */
void trace_stop(void)
{
	unsigned int i;

	for (i = 0; i < NR_TRACES; i++)
		set_trigger(i, "!");
}

/*
 * Calls @each for the entries of a histogram, which are lines like
 * "{ exit_reason:       1024 } hitcount:       1234".
 */
bool trace_each(enum trace trace,
		void (*each)(void *to, unsigned long key, long long hits),
		void *to)
{
	char path[128], *text, *line, *key, *hits;

	trace_path(path, sizeof(path), trace, "hist");
	text = read_file(path);
	if (!text)
		return false;
	for (line = strstr(text, "\n{ "); line; line = strstr(line, "\n{ ")) {
		line++;
		key = strchr(line, ':');
		hits = strstr(line, "hitcount:");
		if (!key || !hits)
			break;
		each(to, strtoul(key + 1, NULL, 0),
		     strtoll(hits + strlen("hitcount:"), NULL, 10));
	}
	free(text);
	return true;
}

struct sum {
	unsigned long mask, value;
	long long hits;
};

static void add_hits(void *to, unsigned long key, long long hits)
{
	struct sum *sum = to;

	if ((key & sum->mask) == sum->value)
		sum->hits += hits;
}

/* Of all events whose key has @value where @mask has ones; -1: no idea */
long long trace_count(enum trace trace, unsigned long mask,
		      unsigned long value)
{
	struct sum sum = { .mask = mask, .value = value };

	return trace_each(trace, add_hits, &sum) ? sum.hits : -1;
}
