// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the adversary does with the regions of vIOMMUs that it maps, with the
 * files that ioctls return, and with its own memory under the kernel's hands
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "viommu_adversary.h"

static void count_errno(struct adv_thread *t, bool failed)
{
	adv_count(t, failed ? -errno : 0);
}

/* A mapping of the process, that nobody else changes until it is given back */
static struct adv_map *take_map(struct adv_thread *t, bool used)
{
	unsigned int first = adv_draw(t, ADV_MAPS), i;

	for (i = 0; i < ADV_MAPS; i++) {
		struct adv_map *map =
			&t->process->map[(first + i) % ADV_MAPS];

		if (pthread_mutex_trylock(&map->lock))
			continue;
		if (!!map->size == used)
			return map;
		pthread_mutex_unlock(&map->lock);
	}
	return NULL;
}

static void give_map(struct adv_map *map)
{
	pthread_mutex_unlock(&map->lock);
}

/*
 * Offsets are given out from the first page on, the lowest first: that of a
 * vIOMMU that is being allocated can be guessed.
 */
static __u64 guess_offset(struct adv_thread *t)
{
	__u64 offset = t->ctx->pool->offset[adv_draw(t, ADV_SLOTS)];

	if (offset && adv_draw(t, 2))
		return adv_near(t, offset);
	return ADV_PAGE *
	       (1 + adv_driver->map_pages * (adv_draw(t, 4) ? adv_draw(t, 4) :
							     adv_draw(t, 16)));
}

static bool try_mmap(struct adv_thread *t, __u64 offset)
{
	int prot = adv_draw(t, 16) ? PROT_READ | PROT_WRITE : adv_draw(t, 8);
	int flags = adv_draw(t, 32) ? MAP_SHARED : MAP_PRIVATE;
	size_t size = adv_draw(t, 16) ? adv_driver->map_pages * ADV_PAGE :
					ADV_PAGE * (1 + adv_draw(t, 4));
	struct adv_map *map = take_map(t, false);
	void *addr;

	addr = mmap(NULL, size, prot, flags, t->ctx->fd, offset);
	count_errno(t, addr == MAP_FAILED);
	if (addr != MAP_FAILED && map) {
		map->addr = addr;
		map->size = size;
		map->writable = (prot & PROT_WRITE) && flags == MAP_SHARED;
	} else if (addr != MAP_FAILED) {
		munmap(addr, size);
	}
	if (map)
		give_map(map);
	return addr != MAP_FAILED;
}

/* Several in a row meet what another thread has in hand only for a moment */
static void op_mmap(struct adv_thread *t)
{
	unsigned int i, num = 1 + adv_draw(t, 16);
	__u64 offset = guess_offset(t);

	for (i = 0; i < num && !try_mmap(t, offset); i++)
		;
}

static void unmap(struct adv_map *map)
{
	if (map->size)
		munmap(map->addr, map->size);
	map->size = 0;
}

static void op_munmap(struct adv_thread *t)
{
	struct adv_map *map = take_map(t, true);

	if (!map)
		return;
	if (map->size > ADV_PAGE && adv_draw(t, 2)) {
		/* The first or the second half */
		void *half = map->addr;

		if (adv_draw(t, 2))
			half += map->size - ADV_PAGE;
		else
			map->addr += ADV_PAGE;
		count_errno(t, munmap(half, ADV_PAGE));
		map->size -= ADV_PAGE;
	} else {
		count_errno(t, munmap(map->addr, map->size));
		map->size = 0;
	}
	give_map(map);
}

static void op_mremap(struct adv_thread *t)
{
	struct adv_map *map = take_map(t, true);
	size_t size;
	void *addr;

	if (!map)
		return;
	size = adv_draw(t, 2) ? map->size : ADV_PAGE * (1 + adv_draw(t, 4));
	addr = mremap(map->addr, map->size, size, MREMAP_MAYMOVE);
	count_errno(t, addr == MAP_FAILED);
	if (addr != MAP_FAILED) {
		map->addr = addr;
		map->size = size;
	}
	give_map(map);
}

static void op_mprotect(struct adv_thread *t)
{
	struct adv_map *map = take_map(t, true);
	int prot = adv_draw(t, 8), rc;

	if (!map)
		return;
	rc = mprotect(map->addr, map->size, prot);
	count_errno(t, rc);
	if (!rc)
		map->writable = prot & PROT_WRITE;
	give_map(map);
}

/* Whatever is there: it is the attacker's own, if all is right */
static void op_poke(struct adv_thread *t)
{
	struct adv_map *map = take_map(t, true);
	size_t at;

	if (!map)
		return;
	for (at = 0; map->writable && at < map->size; at += ADV_PAGE)
		adv_driver->poke(t, map->addr + at);
	adv_count(t, map->writable ? 0 : -EACCES);
	give_map(map);
}

/* A child inherits the mappings and lets them go in some way or other */
static void op_fork(struct adv_thread *t)
{
	struct adv_map *map = take_map(t, true);
	int status = 0;
	pid_t pid;

	if (!map)
		return;
	pid = fork();
	if (!pid) {
		if (adv_draw(t, 2))
			munmap(map->addr, adv_draw(t, 2) ? ADV_PAGE :
							   map->size);
		_exit(0);
	}
	count_errno(t, pid < 0);
	if (adv_draw(t, 2))
		unmap(map);
	give_map(map);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* New pages take the place of some that may be pinned and mapped */
static void op_memory(struct adv_thread *t)
{
	size_t offset = adv_draw(t, ADV_RAM_SIZE / ADV_PAGE) * ADV_PAGE;
	char *page = t->process->ram + offset;

	if (!adv_draw(t, 16))
		count_errno(t, mmap(page, ADV_PAGE, PROT_READ | PROT_WRITE,
				    MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1,
				    0) == MAP_FAILED);
	else
		adv_count(t, 0);
	adv_driver->fill(t, page);
}

/*
 * Files
 */

void adv_add_file(struct adv_thread *t, int fd)
{
	unsigned int i = adv_draw(t, ADV_FILES);
	int old;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	old = atomic_exchange(&t->process->file[i], fd);
	if (old >= 0)
		close(old);
}

void adv_close_files(struct adv_process *process)
{
	unsigned int i;

	for (i = 0; i < ADV_FILES; i++) {
		int fd = atomic_exchange(&process->file[i], -1);

		if (fd >= 0)
			close(fd);
	}
}

void adv_unmap_all(struct adv_process *process)
{
	unsigned int i;

	for (i = 0; i < ADV_MAPS; i++)
		unmap(&process->map[i]);
}

static void op_file(struct adv_thread *t)
{
	unsigned int i = adv_draw(t, ADV_FILES);
	int fd = t->process->file[i];
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	__u64 data[4] = { adv_draw(t, 4), adv_draw(t, 2) };
	size_t size = adv_near(t, sizeof(data)) % 4096;
	char *buf = (char *)(uintptr_t)adv_data(t, data, sizeof(data));

	if (fd < 0)
		return;
	switch (adv_draw(t, 4)) {
	case 0:
		count_errno(t, read(fd, buf, size) < 0);
		break;
	case 1:
		count_errno(t, write(fd, buf, size) < 0);
		break;
	case 2:
		count_errno(t, poll(&pfd, 1, 0) < 0);
		break;
	default:
		fd = atomic_exchange(&t->process->file[i], -1);
		if (fd >= 0)
			count_errno(t, close(fd));
	}
}

/*
 * The file of a context is another one from one moment to the next. Ioctls that
 * run hold the old one, and so do its mappings and event queues.
 */
void adv_reopen(struct adv_thread *t)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup3(fd, t->ctx->fd, O_CLOEXEC);
	close(fd);
	memset(t->ctx->pool, 0, sizeof(*t->ctx->pool));
}

static void op_reopen(struct adv_thread *t)
{
	t->ctx = &t->process->ctx[0];
	adv_reopen(t);
	adv_count(t, adv_first_objects(t) ? 0 : -ENODEV);
}

const struct adv_op adv_map_ops[] = {
	{ "mmap", op_mmap, 24 },
	{ "munmap", op_munmap, 20 },
	{ "mremap", op_mremap, 4 },
	{ "mprotect", op_mprotect, 3 },
	{ "poke", op_poke, 12 },
	{ "fork", op_fork, 1 },
	{ "memory", op_memory, 6 },
	{ "file", op_file, 12 },
	{ "reopen", op_reopen, 1 },
};

const unsigned int adv_num_map_ops = ARRAY_SIZE(adv_map_ops);
