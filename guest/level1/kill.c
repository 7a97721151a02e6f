// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM is killed at random moments between its start and a while after its
 * guest has begun to write. Nothing of it may stay.
 */
#include <stdlib.h>
#include <time.h>

#include "scenarios.h"

/* More than is written until the VMM is killed */
#define MIB 1024
#define SECONDS_OF_WRITING 3.0

static double random_seconds(double most)
{
	return most * random() / RAND_MAX;
}

/* The first one: it tells how long a boot takes. 0 if there is none */
static double killed_while_writing(struct vm *vm)
{
	double began = now(), ready;

	if (!boots(vm))
		return 0;
	ready = now() - began;
	step("its VMM is killed while it writes");
	if (!writes_say(vm, MIB))
		note("it cannot be told to");
	vm_listen(random_seconds(SECONDS_OF_WRITING));
	step_end(vm->answer == PENDING);
	return ready;
}

static void killed_after(struct vm *vm, double seconds)
{
	double end = now() + seconds;
	bool said = false;

	if (!vm_start(vm)) {
		note("there is no VMM");
		return;
	}
	while (now() < end && vm_running(vm)) {
		vm_listen(0.1);
		if (vm->boots && !said)
			said = writes_say(vm, MIB);
	}
	note("killed after %.1f s, the guest %s", seconds,
	     said ? "wrote" : "was not up yet");
}

void scenario_kill(const struct mode *mode, unsigned int times)
{
	const char *text = getenv("SEED");
	unsigned int seed = text ? strtol(text, NULL, 0) : time(NULL);
	struct vm *vm = vm_get(0, mode);
	double ready;
	unsigned int i;

	srandom(seed);
	begin(vm);
	note("SEED=%u for the moments", seed);
	ready = killed_while_writing(vm);
	vm_kill(vm);
	clean(vm);
	for (i = 1; ready && i < times; i++) {
		vm = vm_get(0, mode);
		step("VMM %u is killed at a random moment", i + 1);
		killed_after(vm, random_seconds(ready + SECONDS_OF_WRITING));
		step_end(vm_running(vm));
		vm_kill(vm);
		clean(vm);
	}
}
