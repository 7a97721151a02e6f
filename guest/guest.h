/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest side of the test rig: one static binary that is process 1, runs
 * a list of commands and reports on a serial port of its own.
 */
#ifndef VIOMMU_GUEST_H
#define VIOMMU_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define KTAP_PORT "/dev/ttyS1"
#define RUN_LIST "/run-list"
#define MODULE_LIST "/etc/modules"

/* kselftest's exit status for "cannot be tested here" */
#define EXIT_SKIP 4

/* files.c: small files of procfs, sysfs and debugfs */
char *read_file(const char *path);
int write_file(const char *path, const char *text);

/* ktap.c: the report */
struct ktap {
	FILE *out;
	unsigned int count;
};

int ktap_open(struct ktap *ktap, const char *port);
void ktap_plan(struct ktap *ktap, unsigned int tests);
void ktap_child_line(struct ktap *ktap, char *line);
void ktap_note(struct ktap *ktap, const char *text);
void ktap_result(struct ktap *ktap, const char *name, bool ok,
		 const char *skip_reason);
void ktap_close(struct ktap *ktap);

/* run.c: the commands of the run list */
struct command {
	char *name;
	unsigned int timeout;
	char *script;
};

bool parse_command(char *line, struct command *cmd);
struct command *read_run_list(const char *path, size_t *count);
void run_command(struct ktap *ktap, const struct command *cmd);

/* checks.c: what the kernel says about itself after the last command */
unsigned int count_checks(void);
void run_checks(struct ktap *ktap);

/* modules.c */
void load_modules(const char *list, const char *cmdline);

#endif /* VIOMMU_GUEST_H */
