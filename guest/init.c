// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process 1 of the test machine: sets up what the tests expect, runs the
 * commands of /run-list, reports and powers off. What stands behind "--" on
 * the kernel command line steers it:
 *
 *   shell           a shell on the console instead of the run list
 *   serve           commands come one by one over the port of the report
 *   panic_on_warn   a warning ends the run at once
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/reboot.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const struct {
	const char *type, *where, *options;
} mounts[] = {
	{ "devtmpfs", "/dev", NULL },
	{ "proc", "/proc", NULL },
	{ "sysfs", "/sys", NULL },
	{ "debugfs", "/sys/kernel/debug", NULL },
	{ "tmpfs", "/tmp", "mode=1777" },
	{ "tmpfs", "/run", "mode=0755" },
	{ "tmpfs", "/dev/shm", "mode=1777" },
};

static const struct {
	const char *path, *value;
} settings[] = {
	/*
	 * Above a notice: fault injection announces each injected failure at
	 * that level, a warning or worse still gets to the console.
	 */
	{ "/proc/sys/kernel/printk", "5" },
	{ "/proc/sys/kernel/hung_task_timeout_secs", "60" },
};

/* 2 MiB each; the hugetlb cases of iommufd take about 40 */
#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	/* Only a kernel without ACPI gets here; a reset ends QEMU as well */
	reboot(RB_AUTOBOOT);
}

static void mount_all(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount("none", mounts[i].where, mounts[i].type, 0,
			  mounts[i].options) && errno != EBUSY)
			printf("init: cannot mount %s: %s\n", mounts[i].where,
			       strerror(errno));
	}
	if (symlink("/proc/self/fd", "/dev/fd"))
		printf("init: no /dev/fd: %s\n", strerror(errno));
}

static void use_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static void set(const char *path, const char *value)
{
	if (write_file(path, value))
		printf("init: cannot set %s\n", path);
}

static void apply_settings(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++)
		set(settings[i].path, settings[i].value);
}

/* Stacks of injected failures would hide those of real faults in the log */
static void quiet_fault_injection(void)
{
	glob_t found;
	size_t i;

	if (glob("/sys/kernel/debug/fail*/verbose", 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		write_file(found.gl_pathv[i], "0");
	globfree(&found);
}

static bool asked_for(char **argv, const char *word)
{
	while (*argv)
		if (!strcmp(*argv++, word))
			return true;
	return false;
}

/* A session of its own gives the shell job control and Ctrl-C */
static void run_shell(void)
{
	static const char script[] =
		"cd /tests; ls; echo 'exit or Ctrl-D powers off'; "
		"exec setsid -c sh -l";
	pid_t pid = fork();

	if (!pid) {
		setenv("PS1", "viommu:\\w# ", 1);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) != pid)
		;
}

static void run_list(void)
{
	struct command *list;
	struct ktap ktap;
	size_t count, i;

	if (ktap_open(&ktap, KTAP_PORT)) {
		printf("init: no " KTAP_PORT " to report to\n");
		return;
	}
	list = read_run_list(RUN_LIST, &count);
	/* No command at all would look like complete success */
	ktap_plan(&ktap, count + !count + count_checks());
	if (!count)
		ktap_result(&ktap, "there is a run list", false, NULL);
	for (i = 0; i < count; i++)
		run_command(&ktap, &list[i]);
	run_checks(&ktap);
	ktap_close(&ktap);
}

/*
 * The first line tells who sends the commands that we are up, again after each
 * reboot. There is no end: one of the commands will be to power off.
 */
static void serve(void)
{
	FILE *in = fopen(KTAP_PORT, "re");
	struct command cmd;
	struct ktap ktap;
	char *line = NULL;
	size_t room = 0;

	if (!in || ktap_open(&ktap, KTAP_PORT)) {
		printf("init: no " KTAP_PORT " to be served from\n");
		return;
	}
	ktap_note(&ktap, "ready");
	while (getline(&line, &room, in) > 0) {
		if (!parse_command(line, &cmd))
			continue;
		run_command(&ktap, &cmd);
		free(cmd.name);
		free(cmd.script);
	}
}

int main(int argc, char **argv)
{
	char *cmdline;

	(void)argc;
	mount_all();
	use_console();
	setenv("PATH", "/bin:/tests", 1);
	setenv("HOME", "/tmp", 1);
	/* What a test program may do here, and not on somebody's machine */
	setenv("VIOMMU_MONITOR", "/dev/ttyS2", 1);
	setenv("VIOMMU_MAY_SLEEP", "1", 1);
	cmdline = read_file("/proc/cmdline");
	load_modules(MODULE_LIST, cmdline ? cmdline : "");
	free(cmdline);
	apply_settings();
	quiet_fault_injection();
	if (asked_for(argv, "panic_on_warn"))
		write_file("/proc/sys/kernel/panic_on_warn", "1");

	if (asked_for(argv, "serve")) {
		serve();
	} else if (asked_for(argv, "shell")) {
		set(NR_HUGEPAGES, "64");
		run_shell();
	} else {
		set(NR_HUGEPAGES, "64");
		run_list();
	}
	power_off();
	return 1;
}
