// SPDX-License-Identifier: GPL-2.0-only
/* A guest and its VMM, asked to do something */
#include <string.h>

#include "level1.h"

/* What a VMM does at once takes no longer, even here */
#define MONITOR_SECONDS 60

static unsigned int wanted_boots;

static bool has_booted(const struct vm *vm)
{
	return vm->boots >= wanted_boots;
}

static bool has_answered(const struct vm *vm)
{
	return vm->answer != PENDING;
}

static bool has_replied(const struct vm *vm)
{
	return vm->reply != PENDING;
}

static bool is_unplugged(const struct vm *vm)
{
	return vm->unplugged;
}

/* Until its init has come up for that time since the VMM was started */
bool guest_boots(struct vm *vm, unsigned int times, double seconds)
{
	wanted_boots = times;
	return vm_wait(vm, has_booted, seconds);
}

/* Gives the guest a command that it may run so long; see guest/init.c */
bool guest_say(struct vm *vm, double seconds, const char *command)
{
	char line[512];

	vm->answer = PENDING;
	snprintf(line, sizeof(line), "command %.0f %s\n", seconds, command);
	return port_say(&vm->ports[REPORT], line);
}

/* The guest kills what takes too long, and tells; if it does not, it hangs */
bool guest_answers(struct vm *vm, double seconds)
{
	return vm_wait(vm, has_answered, seconds + 30) && vm->answer == PASSED;
}

bool guest_run(struct vm *vm, double seconds, const char *command)
{
	return guest_say(vm, seconds, command) && guest_answers(vm, seconds);
}

bool monitor_run(struct vm *vm, const char *command)
{
	vm->reply = PENDING;
	return port_say(&vm->ports[MONITOR], command) &&
	       vm_wait(vm, has_replied, MONITOR_SECONDS) && vm->reply == PASSED;
}

/* A property of the IOMMU that the guest has; -1 if it has no such thing */
long long vmm_number(struct vm *vm, const char *property)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"execute\": \"qom-get\", "
		 "\"arguments\": {\"path\": \"/machine/peripheral/iommu\", "
		 "\"property\": \"%s\"}}\n", property);
	return monitor_run(vm, text) ? vm->number : -1;
}

/* The guest has to agree, so it is a while between the reply and the event */
bool disk_unplug(struct vm *vm)
{
	vm->unplugged = false;
	return monitor_run(vm, "{\"execute\": \"device_del\", "
			       "\"arguments\": {\"id\": \"disk\"}}\n") &&
	       vm_wait(vm, is_unplugged, MONITOR_SECONDS);
}

bool disk_plug(struct vm *vm)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"execute\": \"device_add\", "
		 "\"arguments\": {\"driver\": \"vfio-pci\", \"id\": \"disk\", "
		 "\"bus\": \"root0\", \"iommufd\": \"iommufd0\", "
		 "\"host\": \"%s\"}}\n", vm->bdf);
	return monitor_run(vm, text);
}
