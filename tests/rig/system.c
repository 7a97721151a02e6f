// SPDX-License-Identifier: GPL-2.0-only
/* Files of sysfs, the kernel's log, physical addresses */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "rig.h"

/* The start of a file in a buffer that the next call takes; "" if none */
const char *file_text(const char *path)
{
	static char text[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return text;
}

bool file_write(const char *path, const char *text)
{
	ssize_t len = strlen(text), done;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	done = write(fd, text, len);
	close(fd);
	return done == len;
}

bool kernel_said(const char *text)
{
	enum { READ_ALL = 3, SIZE = 10 };
	int size = klogctl(SIZE, NULL, 0);
	char *log = calloc(1, size + 1);
	bool found;

	klogctl(READ_ALL, log, size);
	found = strstr(log, text);
	free(log);
	return found;
}

/* Of memory that stays where it is; 0 if it is not to be had */
uint64_t physical(const volatile void *va)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  (uintptr_t)va / PAGE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	/* Bit 63: present; 54:0: page frame */
	return entry >> 63 ? (entry & ((1ULL << 55) - 1)) * PAGE : 0;
}
