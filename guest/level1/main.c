// SPDX-License-Identifier: GPL-2.0-only
/*
 * level1 SCENARIO MODE [NUMBER]: one scenario with guests whose IOMMU is that
 * of the mode; NUMBER is the amount of data in MiB, or how often to repeat.
 */
#include <stdlib.h>
#include <string.h>

#include "scenarios.h"

static const struct {
	const char *name;
	void (*run)(const struct mode *mode, unsigned int number);
	unsigned int number;
} scenarios[] = {
	{ "boot", scenario_boot, 16 },
	{ "life", scenario_life, 16 },
	{ "two", scenario_two, 64 },
	{ "kill", scenario_kill, 3 },
	{ "bench", scenario_bench, 100 },
	{ "bench_cpus", scenario_bench_cpus, 100 },
	{ "bench_disks", scenario_bench_disks, 100 },
	{ "bench_vms", scenario_bench_vms, 100 },
};

/* Has the QEMU that is here that mode? */
static bool is_there(const struct mode *mode)
{
	char command[256];

	if (!mode->needs)
		return true;
	snprintf(command, sizeof(command), QEMU
		 " -device amd-iommu,help | grep -q '^  %s='", mode->needs);
	return !system(command);
}

int main(int argc, char **argv)
{
	const struct mode *mode = argc > 2 ? find_mode(argv[2]) : NULL;
	size_t i;

	for (i = 0; mode && i < ARRAY_SIZE(scenarios); i++) {
		if (strcmp(argv[1], scenarios[i].name))
			continue;
		if (!is_there(mode)) {
			printf("# this QEMU has no amd-iommu with %s\n",
			       mode->needs);
			return EXIT_SKIP;
		}
		scenarios[i].run(mode, argc > 3 ? strtoul(argv[3], NULL, 0) :
						  scenarios[i].number);
		return steps_end();
	}
	fprintf(stderr, "usage: level1 SCENARIO MODE [NUMBER], where SCENARIO is one of:");
	for (i = 0; i < ARRAY_SIZE(scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fprintf(stderr, "\n");
	return 1;
}
