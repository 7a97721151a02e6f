// SPDX-License-Identifier: GPL-2.0-only
/*
 * reads PAGES ROUNDS CPUS SERIAL...: on each of the CPUs, from each of the
 * disks, ROUNDS reads of that many pages, one at a time, past the page cache.
 *
 * With an IOMMU each request is mapped, and unmapped and invalidated when it is
 * done, so this is a source of invalidations. The kernel tells how many:
 * "# requests N", those of the first reads included, which find caches empty.
 * A huge page is one piece for DMA, so that a request is one mapping.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "level2.h"

#define PAGE 4096UL
#define HUGE_PAGE (2UL << 20)
/* scripts/guest-disk has put something there */
#define FILLED (16UL << 20)
#define FIRST_READS 8
#define MAX_DISKS 4
/*
 * With an IOMMU the NVMe driver makes no request larger than this, which is the
 * largest that the cache of IO virtual addresses holds. Without one it would, and
 * then the same reads were not the same requests.
 */
#define MAX_KIB "128"

struct disk {
	const char *serial;
	char name[32];
	int fd;
};

static bool set(const char *path, const char *value)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fputs(value, file) >= 0;

	/* It is the write behind this that can fail */
	if (file && fclose(file))
		ok = false;
	if (!ok)
		printf("# %s: %s\n", path, strerror(errno));
	return ok;
}

static bool prepare(struct disk *disk)
{
	char path[96];

	disk->fd = wait_disk(disk->serial, disk->name, sizeof(disk->name));
	if (disk->fd < 0) {
		printf("# no %s\n", disk->serial);
		return false;
	}
	snprintf(path, sizeof(path), "/sys/block/%s/queue/max_sectors_kb",
		 disk->name);
	return set(path, MAX_KIB);
}

/* Requests to read that were completed; merged ones are one; -1: unknown */
static long completed(const struct disk *disk)
{
	char path[64];
	long count = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", disk->name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

static long all_completed(const struct disk *disks, unsigned int count)
{
	long sum = 0, one;
	unsigned int i;

	for (i = 0; i < count; i++) {
		one = completed(&disks[i]);
		if (one < 0)
			return -1;
		sum += one;
	}
	return sum;
}

/* In a process of its own, which is pinned */
static int read_disk(const struct disk *disk, unsigned int cpu, size_t size,
		     unsigned int rounds)
{
	unsigned int i;
	cpu_set_t set;
	char *buf;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	buf = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (buf == MAP_FAILED || sched_setaffinity(0, sizeof(set), &set)) {
		printf("# no huge page or no CPU %u\n", cpu);
		return 1;
	}
	for (i = 0; i < FIRST_READS + rounds; i++) {
		if (pread(disk->fd, buf, size, i * size % FILLED) ==
		    (ssize_t)size)
			continue;
		printf("# read %u of %s: %s\n", i, disk->serial,
		       strerror(errno));
		return 1;
	}
	return 0;
}

static bool read_all(const struct disk *disks, unsigned int count,
		     unsigned int cpus, size_t size, unsigned int rounds)
{
	unsigned int i, children = cpus * count;
	bool ok = true;
	int status;
	pid_t pid;

	fflush(stdout);
	for (i = 0; i < children; i++) {
		pid = fork();
		if (!pid)
			exit(read_disk(&disks[i / cpus], i % cpus, size,
				       rounds));
		ok = ok && pid > 0;
	}
	while (wait(&status) > 0)
		ok = ok && !status;
	return ok;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 4 ? argc - 4 : 0, cpus, i;
	struct disk disks[MAX_DISKS] = {};
	size_t size;
	long before;
	char text[16];

	size = argc > 4 ? strtoul(argv[1], NULL, 0) * PAGE : 0;
	if (!size || size > HUGE_PAGE || count > MAX_DISKS) {
		fprintf(stderr, "usage: reads PAGES ROUNDS CPUS SERIAL...\n");
		return 1;
	}
	cpus = strtoul(argv[3], NULL, 0);
	for (i = 0; i < count; i++) {
		disks[i].serial = argv[4 + i];
		if (!prepare(&disks[i]))
			return 1;
	}
	snprintf(text, sizeof(text), "%u", cpus * count);
	before = all_completed(disks, count);
	if (before < 0 || !set("/proc/sys/vm/nr_hugepages", text) ||
	    !read_all(disks, count, cpus, size, strtoul(argv[2], NULL, 0)))
		return 1;
	printf("# requests %ld\n", all_completed(disks, count) - before);
	return 0;
}
