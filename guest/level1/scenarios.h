/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIOMMU_SCENARIOS_H
#define VIOMMU_SCENARIOS_H

#include "level1.h"

/* life.c, two.c, kill.c, bench.c: see there */
void scenario_boot(const struct mode *mode, unsigned int mib);
void scenario_life(const struct mode *mode, unsigned int mib);
void scenario_two(const struct mode *mode, unsigned int mib);
void scenario_kill(const struct mode *mode, unsigned int times);
void scenario_bench(const struct mode *mode, unsigned int rounds);
void scenario_bench_cpus(const struct mode *mode, unsigned int rounds);
void scenario_bench_disks(const struct mode *mode, unsigned int rounds);
void scenario_bench_vms(const struct mode *mode, unsigned int rounds);

/* steps.c: what scenarios are made of; false if they need not go on */
#define BOOT_SECONDS 600
#define IO_SECONDS 300

void begin(struct vm *vm);
void end(struct vm *vm);
bool boots(struct vm *vm);
bool powers_off(struct vm *vm);
bool has_mode(struct vm *vm);
bool reads(struct vm *vm);
bool writes(struct vm *vm, unsigned int mib);
bool writes_say(struct vm *vm, unsigned int mib);
bool clean(struct vm *vm);

#endif /* VIOMMU_SCENARIOS_H */
