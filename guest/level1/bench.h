/* SPDX-License-Identifier: GPL-2.0-only */
/* What the scenarios "bench" count, and how */
#ifndef VIOMMU_BENCH_H
#define VIOMMU_BENCH_H

#include "level1.h"

/* trace.c */
enum trace {
	TRACE_EXIT,
	TRACE_MMIO,
	TRACE_FAST_MMIO,
	TRACE_RETURN,
	TRACE_IOCTL,
	TRACE_SYSCALL,
	NR_TRACES
};

bool trace_start(void);
void trace_stop(void);
bool trace_each(enum trace trace,
		void (*each)(void *to, unsigned long key, long long hits),
		void *to);
long long trace_count(enum trace trace, unsigned long mask,
		      unsigned long value);

/* sample.c: the state of all counters at one moment */
#define MAX_COUNTS 40

struct sample {
	long long counts[MAX_COUNTS];
	bool complete;
};

/* The VMs are at the front of an array that a NULL ends */
void sample_before(struct sample *sample, struct vm *const *vms);
void sample_after(struct sample *sample, struct vm *const *vms);
/* By how much the counter of that name has grown */
long long sample_growth(const struct sample *before,
			const struct sample *after, const char *name);
/* All of them as "name=growth" behind what is in @text */
void sample_print(const struct sample *before, const struct sample *after,
		  char *text, size_t room);

#endif /* VIOMMU_BENCH_H */
