// SPDX-License-Identifier: GPL-2.0-only
/* VMMs as processes: start, listen to, end */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "level1.h"

/* As in tests/machines/guest */
static const struct {
	const char *name, *serial, *bdf;
} disks[NR_DISKS] = {
	{ "guest0", "disk0", "0000:00:08.0" },
	{ "guest1", "disk1", "0000:00:09.0" },
};

static struct vm vms[NR_DISKS];

struct vm *vm_get(unsigned int disk, const struct mode *mode)
{
	struct vm *vm = &vms[disk];

	memset(vm, 0, sizeof(*vm));
	vm->name = disks[disk].name;
	vm->disk = disks[disk].serial;
	vm->bdf = disks[disk].bdf;
	vm->mode = mode;
	vm->cpus = 1;
	memcpy(vm->ports, ports, sizeof(vm->ports));
	return vm;
}

static void run_vmm(struct vm *vm, const char *dir)
{
	char **argv = vmm_arguments(vm, dir);
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(vm->ports[ERRORS].out, STDOUT_FILENO);
	dup2(vm->ports[ERRORS].out, STDERR_FILENO);
	vmm_environment();
	execv(QEMU, argv);
	dprintf(STDERR_FILENO, "cannot run " QEMU ": %s\n", strerror(errno));
	_exit(127);
}

bool vm_start(struct vm *vm)
{
	char dir[64];
	size_t i;

	snprintf(dir, sizeof(dir), "/run/%s", vm->name);
	mkdir(dir, 0700);
	for (i = 0; i < NR_PORTS; i++)
		if (!port_make(&vm->ports[i], dir))
			return false;
	fflush(stdout);
	vm->pid = fork();
	if (!vm->pid)
		run_vmm(vm, dir);
	return vm->pid > 0;
}

bool vm_running(const struct vm *vm)
{
	return vm->pid > 0;
}

/* Whatever it said before its end is still in the pipes */
static void forget(struct vm *vm)
{
	size_t i;

	for (i = 0; i < NR_PORTS; i++) {
		while (port_take(vm, &vm->ports[i]))
			;
		port_close(&vm->ports[i]);
	}
	vm->pid = 0;
}

/* What any of the VMMs has to say, or a tenth of a second */
static void listen_to_all(void)
{
	struct pollfd fds[NR_DISKS * NR_PORTS];
	size_t count = 0, i, j;

	for (i = 0; i < NR_DISKS; i++)
		for (j = 0; j < NR_PORTS && vm_running(&vms[i]); j++)
			fds[count++] = (struct pollfd){
				.fd = vms[i].ports[j].out,
				.events = POLLIN,
			};
	poll(fds, count, 100);
	for (i = 0; i < NR_DISKS; i++) {
		for (j = 0; j < NR_PORTS && vm_running(&vms[i]); j++)
			port_take(&vms[i], &vms[i].ports[j]);
		if (vm_running(&vms[i]) &&
		    waitpid(vms[i].pid, &vms[i].status, WNOHANG) == vms[i].pid)
			forget(&vms[i]);
	}
}

void vm_listen(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		listen_to_all();
}

/* All VMMs are listened to meanwhile. False, with a note why, if it is over */
bool vm_wait(struct vm *vm, bool (*done)(const struct vm *vm), double seconds)
{
	double end = now() + seconds;

	while (!done(vm)) {
		if (now() > end) {
			note("%s: nothing after %.0f s", vm->name, seconds);
			return false;
		}
		if (vm->panicked) {
			note("%s: its kernel panicked", vm->name);
			return false;
		}
		if (!vm_running(vm)) {
			note("%s: the VMM has ended, wait status 0x%x",
			     vm->name, vm->status);
			return false;
		}
		listen_to_all();
	}
	return true;
}

static bool is_gone(const struct vm *vm)
{
	return !vm_running(vm);
}

bool vm_ends(struct vm *vm, double seconds)
{
	return vm_wait(vm, is_gone, seconds) && !vm->status;
}

/* Returns when its files are closed: a process waits for that before it ends */
void vm_kill(struct vm *vm)
{
	if (!vm_running(vm))
		return;
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, &vm->status, 0);
	forget(vm);
}
