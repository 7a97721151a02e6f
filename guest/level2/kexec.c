// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec KERNEL INITRD WORD: start that kernel with the command line of this
 * one, and one word more in front by which the new one can be told.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the kernel takes at most is 2048 */
#define CMDLINE_ROOM 2048

static bool new_cmdline(const char *word, char *text)
{
	char old[CMDLINE_ROOM];
	FILE *file = fopen("/proc/cmdline", "re");
	bool ok = file && fgets(old, sizeof(old), file);

	if (file)
		fclose(file);
	if (!ok)
		return false;
	old[strcspn(old, "\n")] = '\0';
	return snprintf(text, CMDLINE_ROOM, "%s %s", word, old) < CMDLINE_ROOM;
}

int main(int argc, char **argv)
{
	char cmdline[CMDLINE_ROOM];
	int kernel, initrd;

	if (argc != 4) {
		fprintf(stderr, "usage: kexec KERNEL INITRD WORD\n");
		return 1;
	}
	kernel = open(argv[1], O_RDONLY | O_CLOEXEC);
	initrd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (kernel < 0 || initrd < 0 || !new_cmdline(argv[3], cmdline)) {
		fprintf(stderr, "kexec: %s or %s cannot be read\n", argv[1],
			argv[2]);
		return 1;
	}
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(cmdline) + 1,
		    cmdline, 0UL)) {
		perror("kexec: the kernel refuses to load it");
		return 1;
	}
	sync();
	reboot(LINUX_REBOOT_CMD_KEXEC);
	perror("kexec: the kernel does not start it");
	return 1;
}
