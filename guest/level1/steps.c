// SPDX-License-Identifier: GPL-2.0-only
/* What scenarios are made of: each is one line of the report */
#include "scenarios.h"

/*
 * What scripts/guest-disk puts at the start of a disk, in MiB. Behind it each
 * write gets a place of its own, so that all can be compared in the end.
 */
#define FILLED 16

static unsigned int take_place(const struct vm *vm, unsigned int mib)
{
	unsigned int place = FILLED;
	char path[64];
	FILE *file;

	/* The next scenario is another process */
	snprintf(path, sizeof(path), "/run/%s.end", vm->disk);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%u", &place) != 1)
			place = FILLED;
		fclose(file);
	}
	file = fopen(path, "we");
	if (file) {
		fprintf(file, "%u\n", place + mib);
		fclose(file);
	}
	return place;
}

/* What there is before the first VMM, for clean() */
void begin(struct vm *vm)
{
	step("the host can use %s", vm->disk);
	step_end(host_can_use(vm->bdf));
	host_remember();
}

bool boots(struct vm *vm)
{
	step("%s boots", vm->name);
	return step_end(vm_start(vm) && guest_boots(vm, 1, BOOT_SECONDS) &&
			host_notices());
}

/*
 * virtio-rng has an interrupt for each buffer of 64 bytes, on whatever CPU.
 * Nobody uses it afterwards, as benchmarks count what happens.
 */
#define GETS_INTERRUPTS \
	"count() { awk '/-input/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }" \
	" END { print n + 0 }' /proc/interrupts; }; " \
	"cd /sys/class/misc/hw_random && " \
	"cut -d ' ' -f 1 rng_available >rng_current && a=$(count) && " \
	"dd if=/dev/hwrng of=/dev/null bs=256 count=4 2>/dev/null && " \
	"b=$(count) && echo none >rng_current && " \
	"echo \"$a interrupts, then $b\" && [ $b -ge $((a + 4)) ]"

static bool has_interrupts(struct vm *vm)
{
	step("%s gets the interrupts of an emulated device", vm->name);
	return step_end(guest_run(vm, 30, GETS_INTERRUPTS));
}

bool has_mode(struct vm *vm)
{
	step("%s has the IOMMU it should have", vm->name);
	return step_end(guest_run(vm, 30, vm->mode->check) &&
			host_runs_rings() == vm->mode->rings) &&
	       has_interrupts(vm);
}

bool reads(struct vm *vm)
{
	char text[128];

	step("%s reads from the disk", vm->name);
	snprintf(text, sizeof(text), "disk read %s 0 %u", vm->disk, FILLED);
	return step_end(guest_run(vm, IO_SECONDS, text));
}

/* Only starts to: guest_answers() tells how it went */
bool writes_say(struct vm *vm, unsigned int mib)
{
	unsigned int at = take_place(vm, mib);
	char text[128];

	snprintf(text, sizeof(text), "disk write %s %u %u %u", vm->disk, at,
		 mib, at);
	return guest_say(vm, IO_SECONDS, text);
}

bool writes(struct vm *vm, unsigned int mib)
{
	step("%s writes to the disk and reads it back", vm->name);
	return step_end(writes_say(vm, mib) && guest_answers(vm, IO_SECONDS));
}

bool powers_off(struct vm *vm)
{
	step("%s powers off, and its VMM ends", vm->name);
	return step_end(guest_say(vm, 30, "poweroff -f") && vm_ends(vm, 60));
}

/* In any case no VMM runs afterwards */
void end(struct vm *vm)
{
	if (!vm_running(vm))
		return;
	step("the VMM of %s ends when told to", vm->name);
	/* Which it can whatever has become of its guest */
	vm->panicked = false;
	step_end(monitor_run(vm, "{\"execute\": \"quit\"}\n") &&
		 vm_ends(vm, 60));
	vm_kill(vm);
}

bool clean(struct vm *vm)
{
	step("the host has nothing left of it and can use %s", vm->disk);
	return step_end(host_clean() && host_can_use(vm->bdf));
}
