// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counters of all three levels. Each only ever grows, so two samples tell
 * what was between them, and two such differences what made them differ.
 */
#include <string.h>
#include <time.h>

#include "../../tools/testing/selftests/iommu/viommu_monitor.h"
#include "bench.h"

/* How the numbers of ioctls are made up: a letter and a number */
#define IOCTL_TYPE 0xff00
#define IOCTL_NUMBER 0xffff
/* iommufd and VFIO share one letter; KVM has the other one, KVM_RUN 0x80 */
#define TYPE_IOMMU (';' << 8)
#define TYPE_KVM 0xae00
#define KVM_RUN 0xae80
/* All of this is x86 alone */
#define SYS_PPOLL 271
/* KVM traces a read that it cannot satisfy, a write in any case */
#define MMIO_READ 0
#define MMIO_WRITE 2
/* Exits of SVM */
#define SVM_INTR 0x60
#define SVM_HLT 0x78
#define SVM_IO 0x7b
#define SVM_MSR 0x7c
#define SVM_NPF 0x400

struct count {
	const char *name;
	long long (*get)(const struct count *count, struct vm *const *vms);
	const char *property;
	enum trace trace;
	unsigned long mask, value;
};

static long long from_trace(const struct count *count, struct vm *const *vms)
{
	(void)vms;
	return trace_count(count->trace, count->mask, count->value);
}

/* A counter of the hardware, which level 0 is asked for */
static long long from_host(const struct count *count, struct vm *const *vms)
{
	(void)vms;
	return monitor_number(count->property);
}

static long long host_commands(const struct count *count,
			       struct vm *const *vms)
{
	long long sum = 0, number;
	char name[16];
	unsigned int i;

	(void)count;
	(void)vms;
	for (i = 1; i < 16; i++) {
		snprintf(name, sizeof(name), "stat-cmd-%x", i);
		number = monitor_number(name);
		if (number < 0)
			return -1;
		sum += number;
	}
	return sum;
}

static long long doorbells(const struct count *count, struct vm *const *vms)
{
	(void)count;
	(void)vms;
	return monitor_member("viommu-counters", 0, "doorbells");
}

/* What hardware has executed from rings of guests, whatever the command is */
static long long guest_commands(const struct count *count,
				struct vm *const *vms)
{
	static char line[65536];
	const char *mark = "\"command-", *at;
	long long sum = 0;

	(void)count;
	(void)vms;
	if (monitor_get("viommu-guests", line, sizeof(line)))
		return -1;
	for (at = strstr(line, mark); at; at = strstr(at + 1, mark)) {
		at = strchr(at, ':');
		if (!at)
			return -1;
		sum += strtoll(at + 1, NULL, 10);
	}
	return sum;
}

/* A counter of the VMM's amd-iommu: 0 where it has no such device */
static long long from_vmm(const struct count *count, struct vm *const *vms)
{
	long long sum = 0, number;

	for (; *vms; vms++) {
		if (!(*vms)->mode->needs)
			continue;
		number = vmm_number(*vms, count->property);
		if (number < 0)
			return -1;
		sum += number;
	}
	return sum;
}

/*
 * Nanoseconds that VMMs have run, their guests included; while one waits, none
 * pass. With one CPU and QEMU's -icount shift=0, these are instructions.
 */
static long long cpu_time(const struct count *count, struct vm *const *vms)
{
	struct timespec ts;
	long long sum = 0;
	clockid_t clock;

	(void)count;
	for (; *vms; vms++) {
		/* One that is over took its time with it */
		if (!vm_running(*vms))
			continue;
		if (clock_getcpuclockid((*vms)->pid, &clock) ||
		    clock_gettime(clock, &ts))
			return -1;
		sum += ts.tv_sec * 1000000000LL + ts.tv_nsec;
	}
	return sum;
}

#define TRACE(_name, _trace, _mask, _value) { .name = _name, \
	.get = from_trace, .trace = _trace, .mask = _mask, .value = _value }

/* First what takes long to ask for: guests that idle have exits, too */
static const struct count counts[] = {
	{ .name = "host_commands", .get = host_commands },
	{ .name = "host_writes", .get = from_host,
	  .property = "stat-mmio-writes" },
	{ .name = "doorbells", .get = doorbells },
	{ .name = "guest_commands", .get = guest_commands },
	{ .name = "vmm_commands", .get = from_vmm,
	  .property = "count-commands" },
	{ .name = "vmm_invalidations", .get = from_vmm,
	  .property = "count-invalidations" },
	{ .name = "vmm_writes", .get = from_vmm,
	  .property = "count-mmio-writes" },
	{ .name = "cpu", .get = cpu_time },
	TRACE("exits", TRACE_EXIT, 0, 0),
	TRACE("exits_npf", TRACE_EXIT, ~0UL, SVM_NPF),
	TRACE("exits_io", TRACE_EXIT, ~0UL, SVM_IO),
	TRACE("exits_hlt", TRACE_EXIT, ~0UL, SVM_HLT),
	TRACE("exits_msr", TRACE_EXIT, ~0UL, SVM_MSR),
	TRACE("exits_intr", TRACE_EXIT, ~0UL, SVM_INTR),
	TRACE("mmio_reads", TRACE_MMIO, ~0UL, MMIO_READ),
	TRACE("mmio_writes", TRACE_MMIO, ~0UL, MMIO_WRITE),
	TRACE("mmio_fast", TRACE_FAST_MMIO, 0, 0),
	TRACE("returns", TRACE_RETURN, 0, 0),
	TRACE("polls", TRACE_SYSCALL, ~0UL, SYS_PPOLL),
	TRACE("syscalls", TRACE_SYSCALL, 0, 0),
	TRACE("ioctls_run", TRACE_IOCTL, IOCTL_NUMBER, KVM_RUN),
	TRACE("ioctls_kvm", TRACE_IOCTL, IOCTL_TYPE, TYPE_KVM),
	TRACE("ioctls_iommu", TRACE_IOCTL, IOCTL_TYPE, TYPE_IOMMU),
};

_Static_assert(ARRAY_SIZE(counts) <= MAX_COUNTS, "a sample is too small");

static void take(struct sample *sample, size_t i, struct vm *const *vms)
{
	sample->counts[i] = counts[i].get(&counts[i], vms);
	if (sample->counts[i] >= 0)
		return;
	note("nobody tells %s", counts[i].name);
	sample->complete = false;
}

void sample_before(struct sample *sample, struct vm *const *vms)
{
	size_t i;

	sample->complete = true;
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		take(sample, i, vms);
}

/* The other way round, so that asking is outside of what is counted */
void sample_after(struct sample *sample, struct vm *const *vms)
{
	size_t i;

	sample->complete = true;
	for (i = ARRAY_SIZE(counts); i-- > 0;)
		take(sample, i, vms);
}

long long sample_growth(const struct sample *before,
			const struct sample *after, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		if (!strcmp(counts[i].name, name))
			return after->counts[i] - before->counts[i];
	abort();
}

void sample_print(const struct sample *before, const struct sample *after,
		  char *text, size_t room)
{
	size_t used = strlen(text), i;

	for (i = 0; i < ARRAY_SIZE(counts) && used < room; i++)
		used += snprintf(text + used, room - used, " %s=%lld",
				 counts[i].name,
				 after->counts[i] - before->counts[i]);
}
