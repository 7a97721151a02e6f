/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host of the three levels: starts VMMs on the kernel that is tested, talks
 * to them and to their guests, and looks at what they leave behind.
 */
#ifndef VIOMMU_LEVEL1_H
#define VIOMMU_LEVEL1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "../guest.h"

/* Where scripts/build-guest puts what a guest is made of */
#define QEMU "/guest/qemu-system-x86_64"
#define FIRMWARE "/guest/firmware"
#define KERNEL "/guest/vmlinuz"
#define INITRD "/guest/initrd"
/* Consoles of guests go here, each line with the name of the guest in front */
#define CONSOLES "/dev/ttyS3"

/* The disks that the machine "guest" has to hand out: see disks[] in vm.c */
#define NR_DISKS 2

/* What the IOMMU of a guest is, modes.c */
struct mode {
	const char *name;
	/* Properties of the machine, and devices that go before the disk */
	const char *machine;
	const char *devices;
	/* Words for the command line of the guest's kernel */
	const char *append;
	/* A command that succeeds in a guest if it has what it should have */
	const char *check;
	/* A property of QEMU's amd-iommu without which there is no such mode */
	const char *needs;
	/* The hardware of the host runs rings of the guest */
	bool rings;
	/* At least so often an invalidation traps; 0 is never */
	unsigned int traps;
};

const struct mode *find_mode(const char *name);

/* port.c: what one end of a VMM says, cut into lines */
struct vm;

struct port {
	const char *name;
	void (*line)(struct vm *vm, char *line);
	int in, out;
	size_t used;
	char text[4096];
};

bool port_make(struct port *port, const char *dir);
bool port_say(struct port *port, const char *text);
bool port_take(struct vm *vm, struct port *port);
void port_close(struct port *port);

/* vm.c */
enum { CONSOLE, REPORT, MONITOR, ERRORS, NR_PORTS };

/* lines.c: as they are before anything was said */
extern const struct port ports[NR_PORTS];

enum answer { PENDING, PASSED, FAILED };

struct vm {
	const char *name;
	const char *disk, *bdf;
	const struct mode *mode;
	/* One unless somebody asks for more; the second disk, if any */
	unsigned int cpus;
	const char *more_bdf;
	struct port ports[NR_PORTS];
	pid_t pid;
	int status;
	/* The guest: how often it came up, the command it was given last */
	unsigned int boots;
	bool panicked;
	enum answer answer;
	/* What guest/level2/reads.c has asked the disks for */
	long requests;
	/* The VMM: its last reply, and whether the disk is gone */
	enum answer reply;
	long long number;
	bool unplugged;
};

struct vm *vm_get(unsigned int disk, const struct mode *mode);
bool vm_start(struct vm *vm);
bool vm_wait(struct vm *vm, bool (*done)(const struct vm *vm), double seconds);
bool vm_running(const struct vm *vm);
void vm_listen(double seconds);
void vm_kill(struct vm *vm);
/* After it the VMM must end by itself and well */
bool vm_ends(struct vm *vm, double seconds);

/* vmm.c */
char **vmm_arguments(const struct vm *vm, const char *dir);
void vmm_environment(void);

/* guest.c: the two that a VM consists of, asked to do something */
bool guest_boots(struct vm *vm, unsigned int times, double seconds);
bool guest_say(struct vm *vm, double seconds, const char *command);
bool guest_answers(struct vm *vm, double seconds);
bool guest_run(struct vm *vm, double seconds, const char *command);
bool monitor_run(struct vm *vm, const char *command);
long long vmm_number(struct vm *vm, const char *property);
bool disk_unplug(struct vm *vm);
bool disk_plug(struct vm *vm);

/* host.c: what this kernel still has of a VMM that is gone */
void host_remember(void);
bool host_notices(void);
bool host_clean(void);
bool host_can_use(const char *bdf);
bool host_runs_rings(void);

/* step.c: the report */
#define NOTE_ROOM 2000

void step(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool step_end(bool ok);
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
int steps_end(void);
double now(void);

#endif /* VIOMMU_LEVEL1_H */
