// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot: a guest uses a disk of the host. life: and goes on to do so after the
 * disk was unplugged and plugged in again, after a reboot, after a reset in the
 * middle of its work, after a kexec.
 */
#include "scenarios.h"

/* Commands for guests */
#define WAIT_NO_DISK "while [ -e /sys/class/nvme/nvme0 ]; do sleep 0.1; done"
#define MAKE_INITRD "cd / && find . -xdev | cpio -o -H newc >/tmp/initrd"
#define KEXEC "kexec /vmlinuz /tmp/initrd kexeced=1"
#define HAS_KEXECED "grep -qw kexeced=1 /proc/cmdline"

static bool unplugs(struct vm *vm)
{
	step("%s loses the disk, which the host can use", vm->name);
	return step_end(disk_unplug(vm) &&
			guest_run(vm, 30, WAIT_NO_DISK) &&
			host_can_use(vm->bdf));
}

static bool plugs(struct vm *vm)
{
	step("%s gets the disk back", vm->name);
	return step_end(disk_plug(vm));
}

static bool reboots(struct vm *vm)
{
	unsigned int boots = vm->boots;

	step("%s reboots", vm->name);
	return step_end(guest_say(vm, 30, "reboot -f") &&
			guest_boots(vm, boots + 1, BOOT_SECONDS));
}

/* The rings of the disk and of the IOMMU are full of work then */
static bool is_reset(struct vm *vm)
{
	unsigned int boots = vm->boots;

	step("%s is reset while it writes", vm->name);
	if (!writes_say(vm, 256))
		return step_end(false);
	vm_listen(1);
	if (vm->answer != PENDING)
		note("it did not write any more");
	return step_end(vm->answer == PENDING &&
			monitor_run(vm, "{\"execute\": \"system_reset\"}\n") &&
			guest_boots(vm, boots + 1, BOOT_SECONDS));
}

/* What it was unpacked from is not there any more, so it packs another one */
static bool kexecs(struct vm *vm)
{
	unsigned int boots = vm->boots;

	step("%s starts another kernel by kexec", vm->name);
	return step_end(guest_run(vm, 60, MAKE_INITRD) &&
			guest_say(vm, 60, KEXEC) &&
			guest_boots(vm, boots + 1, BOOT_SECONDS) &&
			guest_run(vm, 30, HAS_KEXECED));
}

void scenario_boot(const struct mode *mode, unsigned int mib)
{
	struct vm *vm = vm_get(0, mode);

	begin(vm);
	if (boots(vm) && has_mode(vm) && reads(vm) && writes(vm, mib))
		powers_off(vm);
	end(vm);
	clean(vm);
}

void scenario_life(const struct mode *mode, unsigned int mib)
{
	struct vm *vm = vm_get(0, mode);

	begin(vm);
	if (boots(vm) && has_mode(vm) && reads(vm) && writes(vm, mib) &&
	    unplugs(vm) && plugs(vm) && reads(vm) && writes(vm, mib) &&
	    reboots(vm) && has_mode(vm) && writes(vm, mib) &&
	    is_reset(vm) && has_mode(vm) && writes(vm, mib) &&
	    kexecs(vm) && has_mode(vm) && writes(vm, mib))
		powers_off(vm);
	end(vm);
	clean(vm);
}
