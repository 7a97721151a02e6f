// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's share of a comparison: writes a pattern to an NVMe disk, reads it
 * back, or only reads, past the page cache, and prints the SHA-256 of what it
 * got from the disk. Who owns the other side of the disk computes the same.
 *
 *   disk read SERIAL AT MIB
 *   disk write SERIAL AT MIB SEED
 *
 * SERIAL is that of the disk, which tells that it is the right one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "level2.h"

#define MIB (1UL << 20)

/*
 * No two words of a disk are alike, so that a block at another place is as
 * wrong as one with other content. splitmix64.
 */
static uint64_t word_at(uint64_t seed, uint64_t at)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + at;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static void fill(uint64_t *words, uint64_t seed, off_t at)
{
	size_t i;

	for (i = 0; i < MIB / sizeof(*words); i++)
		words[i] = word_at(seed, at + i * sizeof(*words));
}

static bool write_all(int fd, uint64_t *buf, off_t at, off_t size,
		      uint64_t seed)
{
	off_t pos;

	for (pos = at; pos < at + size; pos += MIB) {
		fill(buf, seed, pos);
		if (pwrite(fd, buf, MIB, pos) == MIB)
			continue;
		printf("# write at %lu MiB: %s\n", pos / MIB, strerror(errno));
		return false;
	}
	return !fsync(fd);
}

/* What is there, as it should be if @want is a buffer to make the pattern in */
static bool read_all(int fd, uint64_t *buf, off_t at, off_t size,
		     uint64_t *want, uint64_t seed, int hash)
{
	off_t pos;

	for (pos = at; pos < at + size; pos += MIB) {
		memset(buf, 0, MIB);
		if (pread(fd, buf, MIB, pos) != MIB) {
			printf("# read at %lu MiB: %s\n", pos / MIB,
			       strerror(errno));
			return false;
		}
		if (want) {
			fill(want, seed, pos);
			if (memcmp(buf, want, MIB)) {
				printf("# wrong bytes in the MiB at %lu MiB\n",
				       pos / MIB);
				return false;
			}
		}
		if (!sha256_add(hash, buf, MIB))
			return false;
	}
	return true;
}

static bool run(const char *serial, off_t at, off_t size, uint64_t seed,
		bool write)
{
	uint64_t *buf = aligned_alloc(4096, MIB), *want = NULL;
	char digest[SHA256_TEXT], name[32];
	int fd = wait_disk(serial, name, sizeof(name)), hash = sha256_start();

	if (fd < 0 || hash < 0 || !buf) {
		printf("# no %s\n", fd < 0 ? serial : "SHA-256 of the kernel");
		return false;
	}
	if (write) {
		want = malloc(MIB);
		if (!want || !write_all(fd, buf, at, size, seed))
			return false;
	}
	if (!read_all(fd, buf, at, size, want, seed, hash) ||
	    !sha256_end(hash, digest))
		return false;
	printf("# sha256 %s of %s at %lu MiB, %lu MiB\n", digest, serial,
	       at / MIB, size / MIB);
	return true;
}

int main(int argc, char **argv)
{
	bool write = argc == 6 && !strcmp(argv[1], "write");

	if (!write && (argc != 5 || strcmp(argv[1], "read"))) {
		fprintf(stderr, "usage: disk read SERIAL AT MIB | disk write SERIAL AT MIB SEED\n");
		return 1;
	}
	return !run(argv[2], strtoul(argv[3], NULL, 0) * MIB,
		    strtoul(argv[4], NULL, 0) * MIB,
		    write ? strtoull(argv[5], NULL, 0) : 0, write);
}
