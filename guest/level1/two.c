// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two guests at once, each with a disk of its own. One VMM is killed in the
 * middle of its guest's work; the other guest must not notice.
 */
#include "scenarios.h"

/* More than is written until the VMM is killed */
#define MIB 2048

static bool both_boot(struct vm *first, struct vm *second)
{
	step("both guests boot");
	return step_end(vm_start(first) && vm_start(second) &&
			guest_boots(first, 1, BOOT_SECONDS) &&
			guest_boots(second, 1, BOOT_SECONDS));
}

static bool both_write(struct vm *first, struct vm *second, unsigned int mib)
{
	step("both write at the same time");
	return step_end(writes_say(first, mib) && writes_say(second, mib) &&
			guest_answers(first, IO_SECONDS) &&
			guest_answers(second, IO_SECONDS));
}

static bool one_is_killed(struct vm *first, struct vm *second,
			  unsigned int mib)
{
	step("the VMM of %s is killed while both write", first->name);
	if (!writes_say(first, MIB) || !writes_say(second, 2 * mib))
		return step_end(false);
	vm_listen(0.5);
	if (first->answer != PENDING || second->answer != PENDING)
		note("one of them did not write any more");
	step_end(first->answer == PENDING && second->answer == PENDING);
	vm_kill(first);

	step("the host can use %s", first->disk);
	step_end(host_can_use(first->bdf));
	step("%s goes on as if nothing had happened", second->name);
	return step_end(guest_answers(second, IO_SECONDS));
}

void scenario_two(const struct mode *mode, unsigned int mib)
{
	struct vm *first = vm_get(0, mode), *second = vm_get(1, mode);

	begin(first);
	begin(second);
	if (both_boot(first, second) && has_mode(first) && has_mode(second) &&
	    both_write(first, second, mib) &&
	    one_is_killed(first, second, mib))
		writes(second, mib);
	end(first);
	end(second);
	clean(first);
	clean(second);
}
