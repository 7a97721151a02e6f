// SPDX-License-Identifier: GPL-2.0-only
/* NVMe disks by serial number, which tells that it is the right one */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "level2.h"

/* The disk may still be on its way: drivers probe in the background */
#define SECONDS_TO_APPEAR 30

static bool has_serial(const char *path, const char *serial)
{
	char text[64] = "";
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		*text = '\0';
	fclose(file);
	/* It is filled up with blanks */
	text[strcspn(text, " \n")] = '\0';
	return !strcmp(text, serial);
}

/* The namespace of the controller with that serial number, opened, or -1 */
static int find_disk(const char *serial, char *name, size_t room)
{
	char path[64], *dir;
	glob_t found;
	int fd = -1;
	size_t i;

	if (glob("/sys/class/nvme/nvme*/serial", 0, NULL, &found))
		return -1;
	for (i = 0; i < found.gl_pathc && fd < 0; i++) {
		if (!has_serial(found.gl_pathv[i], serial))
			continue;
		dir = found.gl_pathv[i] + strlen("/sys/class/nvme/");
		snprintf(name, room, "%.*sn1", (int)strcspn(dir, "/"), dir);
		snprintf(path, sizeof(path), "/dev/%s", name);
		fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	}
	globfree(&found);
	return fd;
}

int wait_disk(const char *serial, char *name, size_t room)
{
	unsigned int i;
	int fd = -1;

	for (i = 0; i < 10 * SECONDS_TO_APPEAR && fd < 0; i++) {
		if (i)
			usleep(100 * 1000);
		fd = find_disk(serial, name, room);
	}
	return fd;
}
