// SPDX-License-Identifier: GPL-2.0-only
/* What the VMM of a guest is started with */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "level1.h"

#define MAX_WORDS 96

static void add_words(char **argv, size_t *count, const char *text)
{
	char *save, *word = strtok_r(strdup(text), " ", &save);

	while (word && *count < MAX_WORDS - 1) {
		argv[(*count)++] = word;
		word = strtok_r(NULL, " ", &save);
	}
	argv[*count] = NULL;
}

__attribute__((format(printf, 3, 4)))
static void add(char **argv, size_t *count, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_words(argv, count, text);
}

/*
 * Time in a guest of an emulated machine stands still now and then, which its
 * kernel must not take for a fault.
 */
#define APPEND "console=ttyS0 loglevel=6 no_timer_check nosoftlockup " \
	"rcupdate.rcu_cpu_stall_timeout=120 "

/*
 * What a VMM frees is overwritten at once: to use it afterwards must not work
 * for as long as nobody else happens to get the memory
 */
void vmm_environment(void)
{
	setenv("MALLOC_PERTURB_", "90", 1);
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
}

/* @dir is where the pipes are. Nobody frees it: the program is replaced */
char **vmm_arguments(const struct vm *vm, const char *dir)
{
	static char *argv[MAX_WORDS];
	const struct mode *mode = vm->mode;
	size_t count = 0, i;

	add(argv, &count, QEMU " -L " FIRMWARE " -nodefaults -no-user-config");
	add(argv, &count, "-name %s -display none -accel kvm -cpu host -smp %u",
	    vm->name, vm->cpus);
	add(argv, &count, "-m 512 -machine %s", mode->machine);
	for (i = CONSOLE; i <= MONITOR; i++)
		add(argv, &count, "-chardev pipe,id=%s,path=%s/%s",
		    vm->ports[i].name, dir, vm->ports[i].name);
	add(argv, &count, "-serial chardev:console -serial chardev:report");
	add(argv, &count, "-object monitor-qmp,id=qmp,chardev=monitor");
	add(argv, &count, "-object iommufd,id=iommufd0");
	add(argv, &count, "%s", mode->devices);
	add(argv, &count, "-device pcie-root-port,id=root0,chassis=1");
	add(argv, &count, "-device vfio-pci,id=disk,bus=root0,"
	    "iommufd=iommufd0,host=%s", vm->bdf);
	if (vm->more_bdf) {
		add(argv, &count, "-device pcie-root-port,id=root1,chassis=2");
		add(argv, &count, "-device vfio-pci,id=disk1,bus=root1,"
		    "iommufd=iommufd0,host=%s", vm->more_bdf);
	}
	/*
	 * An emulated device beside the disk: it has interrupts of its own, and
	 * a queue that the VMM keeps a view of the guest's memory for
	 */
	add(argv, &count, "-device virtio-rng-pci,bus=pcie.0");
	add(argv, &count, "-kernel " KERNEL " -initrd " INITRD " -append");
	if (asprintf(&argv[count], APPEND "%s -- serve", mode->append) < 0)
		abort();
	argv[count + 1] = NULL;
	return argv;
}
