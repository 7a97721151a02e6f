// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel itself has to say once the last command has ended */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "guest.h"

#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define LOCKDEP_STATS "/proc/lockdep_stats"
#define TAINTED "/proc/sys/kernel/tainted"

/* Bits of Documentation/admin-guide/tainted-kernels.rst that mean a fault */
static const struct {
	unsigned int bit;
	const char *meaning;
} taints[] = {
	{ 1, "a module was loaded by force" },
	{ 3, "a module was unloaded by force" },
	{ 4, "machine check" },
	{ 5, "bad page or KASAN report" },
	{ 7, "oops or BUG" },
	{ 9, "warning" },
	{ 14, "soft lockup" },
};

static void check_taint(struct ktap *ktap)
{
	char *text = read_file(TAINTED);
	unsigned long value;
	bool ok = text;
	size_t i;

	value = text ? strtoul(text, NULL, 10) : 0;
	for (i = 0; i < ARRAY_SIZE(taints); i++) {
		if (!(value >> taints[i].bit & 1))
			continue;
		ktap_note(ktap, taints[i].meaning);
		ok = false;
	}
	ktap_result(ktap, "the kernel is not tainted by a fault", ok, NULL);
	free(text);
}

/*
 * kmemleak reports only what is older than five seconds and was found twice
 * with an unchanged checksum, hence the two scans.
 */
static void check_kmemleak(struct ktap *ktap)
{
	char *text;
	bool ok;

	sleep(5);
	write_file(KMEMLEAK, "scan");
	sleep(1);
	ok = !write_file(KMEMLEAK, "scan");
	text = read_file(KMEMLEAK);
	ok = ok && text && !*text;
	if (text)
		ktap_note(ktap, text);
	ktap_result(ktap, "kmemleak found no leak", ok, NULL);
	free(text);
}

/* Lockdep turns itself off after a report and when it runs out of room */
static void check_lockdep(struct ktap *ktap)
{
	char *text = read_file(LOCKDEP_STATS);
	char *value = text ? strstr(text, "debug_locks:") : NULL;
	bool ok = value && strtoul(value + strlen("debug_locks:"), NULL, 10);

	if (!ok)
		ktap_note(ktap, value ? "lockdep turned itself off" :
				"no debug_locks in " LOCKDEP_STATS);
	ktap_result(ktap, "lockdep is still on", ok, NULL);
	free(text);
}

static const struct {
	const char *needs;
	void (*run)(struct ktap *ktap);
} checks[] = {
	{ TAINTED, check_taint },
	{ LOCKDEP_STATS, check_lockdep },
	{ KMEMLEAK, check_kmemleak },
};

unsigned int count_checks(void)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checks); i++)
		count += !access(checks[i].needs, F_OK);
	return count;
}

void run_checks(struct ktap *ktap)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checks); i++)
		if (!access(checks[i].needs, F_OK))
			checks[i].run(ktap);
}
