// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of the adversary: random choices, IDs, memory that the kernel can
 * read and not write, allocations that fail; and the count of the results
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "viommu_adversary.h"

/* Bytes of @good that ioctl structs and their data are in */
#define FRAME (2 * ADV_PAGE)
/* The struct is in the first page, what it points to in the second */
#define DATA ADV_PAGE

/* The longest struct of an ioctl, with room for what does not belong to it */
#define MAX_ARG 512

/* xorshift64*: the choices of a thread depend on nothing but its seed */
__u64 adv_random(struct adv_thread *t)
{
	t->rnd ^= t->rnd >> 12;
	t->rnd ^= t->rnd << 25;
	t->rnd ^= t->rnd >> 27;
	return t->rnd * 0x2545f4914f6cdd1dULL;
}

__u32 adv_draw(struct adv_thread *t, __u32 below)
{
	return (adv_random(t) >> 32) % below;
}

/* As a rule the value itself, else one next to it or at the end of a range */
__u64 adv_near(struct adv_thread *t, __u64 value)
{
	static const __u64 ends[] = {
		0, 1, 0x7fffffff, 0xffffffff, 0x100000000, 0xfffffffff000,
		0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000,
		~0ULL,
	};

	if (t->calm)
		return value;
	switch (adv_draw(t, 64)) {
	case 0:
		return value + 1;
	case 1:
		return value - 1;
	case 2:
		return value ^ 1ULL << adv_draw(t, 64);
	case 3:
		return value << 1;
	case 4:
		return adv_random(t);
	case 5 ... 6:
		return ends[adv_draw(t, ARRAY_SIZE(ends))];
	default:
		return value;
	}
}

__u32 adv_pick(struct adv_thread *t, const struct adv_list *list)
{
	__u32 value = list->num ? list->value[adv_draw(t, list->num)] : 0;

	return adv_near(t, value);
}

/*
 * IDs
 */

void adv_add(struct adv_thread *t, enum adv_kind kind, __u32 id)
{
	struct adv_pool *pool = t->ctx->pool;
	unsigned int i;

	for (i = 0; i < ADV_SLOTS; i++) {
		__u32 none = 0;

		if (atomic_compare_exchange_strong(&pool->live[kind][i], &none,
						   id))
			return;
	}
	/* It lives on and nobody knows, as long as there are so many others */
	pool->live[kind][adv_draw(t, ADV_SLOTS)] = id;
}

void adv_forget(struct adv_thread *t, __u32 id)
{
	struct adv_pool *pool = t->ctx->pool;
	unsigned int kind, i;

	for (kind = 0; kind < ADV_KINDS; kind++) {
		for (i = 0; i < ADV_SLOTS; i++) {
			__u32 old = id;

			atomic_compare_exchange_strong(&pool->live[kind][i],
						       &old, 0);
		}
	}
	pool->stale[adv_draw(t, ADV_SLOTS)] = id;
}

static __u32 live_id(struct adv_thread *t, enum adv_kind kind)
{
	struct adv_pool *pool = t->ctx->pool;
	unsigned int first = adv_draw(t, ADV_SLOTS), i;

	for (i = 0; i < ADV_SLOTS; i++) {
		__u32 id = pool->live[kind][(first + i) % ADV_SLOTS];

		if (id)
			return id;
	}
	return 0;
}

/* Mostly one of that kind, else a dead one, another kind, or any number */
__u32 adv_id(struct adv_thread *t, enum adv_kind kind)
{
	__u32 id = live_id(t, kind);

	if (t->calm)
		return id;
	switch (adv_draw(t, 32)) {
	case 0:
		return t->ctx->pool->stale[adv_draw(t, ADV_SLOTS)];
	case 1:
		return live_id(t, adv_draw(t, ADV_KINDS));
	case 2:
		return adv_near(t, id);
	default:
		return id;
	}
}

/*
 * Memory and failing allocations
 */

static char *map_frame(int fd, int prot)
{
	char *area = mmap(NULL, FRAME + ADV_PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	/* The page behind stays a hole */
	if (mmap(area, FRAME, prot, MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED)
		return NULL;
	return area;
}

bool adv_thread_init(struct adv_thread *t, struct adv_process *process,
		     unsigned int number, __u64 seed)
{
	memset(t, 0, sizeof(*t));
	t->process = process;
	t->ctx = &process->ctx[0];
	t->number = number;
	/* Far apart, and never 0, where the generator would stay */
	t->rnd = seed * 0x9e3779b97f4a7c15ULL | 1;
	t->nth_fd = -1;
	t->mem_fd = memfd_create("adversary", MFD_CLOEXEC);
	if (t->mem_fd < 0 || ftruncate(t->mem_fd, FRAME))
		return false;
	process->mem_fd[number] = t->mem_fd;
	t->good = map_frame(t->mem_fd, PROT_READ | PROT_WRITE);
	t->read_only = map_frame(t->mem_fd, PROT_READ);
	process->flip[number] = map_frame(t->mem_fd, PROT_READ | PROT_WRITE);
	return t->good && t->read_only && process->flip[number];
}

void adv_thread_exit(struct adv_thread *t)
{
	close(t->mem_fd);
}

/* The same bytes by one of several addresses, or where there are none */
static char *place(struct adv_thread *t, size_t offset, size_t size)
{
	unsigned int how = t->calm ? 99 : adv_draw(t, 100);

	if (how < 30)
		adv_shared->bad_memory++;
	if (how < 15)
		return t->read_only + offset;
	if (how < 25)
		return t->process->flip[t->number] + offset;
	if (how < 27)
		return t->good + FRAME;
	/* The end of it is in the hole */
	if (how < 30)
		return t->good + FRAME - adv_draw(t, size + 1);
	return t->good + offset;
}

/* An address for the pointer in an ioctl struct */
__u64 adv_data(struct adv_thread *t, const void *data, size_t size)
{
	if (size > ADV_PAGE)
		size = ADV_PAGE;
	memcpy(t->good + DATA, data, size);
	return (uintptr_t)place(t, DATA, size);
}

/* What the kernel has written there */
void adv_data_back(struct adv_thread *t, void *data, size_t size)
{
	memcpy(data, t->good + DATA, size);
}

static void nth_begin(struct adv_thread *t)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", 1 + adv_draw(t, 24));

	if (t->nth_fd < 0)
		t->nth_fd = open("/proc/thread-self/fail-nth",
				 O_RDWR | O_CLOEXEC);
	if (pwrite(t->nth_fd, text, len, 0) != len)
		t->nth_fd = -1;
}

/* Also what asks for it, or ends it, can be what fails */
static void nth_end(struct adv_thread *t)
{
	char text[16] = "";

	if (pread(t->nth_fd, text, sizeof(text) - 1, 0) < 0 ||
	    text[0] == '0')
		adv_shared->failures++;
	while (pwrite(t->nth_fd, "0", 1, 0) != 1)
		;
}

static unsigned long microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000UL + ts.tv_nsec / 1000;
}

void adv_count(struct adv_thread *t, int rc)
{
	unsigned int error = -rc;

	adv_shared->count[t->op][error < ADV_ERRNOS ? error : 1]++;
}

static bool nth_wanted;

static int timed_ioctl(struct adv_thread *t, int fd, unsigned long cmd,
		       void *arg)
{
	bool nth = nth_wanted && !t->calm && !adv_draw(t, 12);
	unsigned long begin = microseconds(), took;
	int rc;

	if (nth)
		nth_begin(t);
	rc = ioctl(fd, cmd, arg);
	if (rc < 0)
		rc = -errno;
	if (nth && t->nth_fd >= 0)
		nth_end(t);
	took = microseconds() - begin;
	if (took > adv_shared->longest) {
		adv_shared->longest = took;
		adv_shared->longest_op = t->op;
	}
	return rc;
}

/**
 * adv_call_fd - An ioctl whose struct is in some memory or other
 * @t: the thread
 * @fd: the file
 * @cmd: the ioctl
 * @arg: the struct, which begins with its size; the kernel's answer
 * @size: bytes of it
 *
 * Return: 0, a positive result or a negative errno
 */
int adv_call_fd(struct adv_thread *t, int fd, unsigned long cmd, void *arg,
		size_t size)
{
	size_t room = size;
	int rc;

	memset(t->good, 0, MAX_ARG);
	memcpy(t->good, arg, size);
	if (!t->calm && !adv_draw(t, 64)) {
		/* Shorter, longer, with something behind that is not known */
		room = adv_draw(t, MAX_ARG);
		*(__u32 *)t->good = room;
		if (adv_draw(t, 2))
			t->good[size + adv_draw(t, 16)] = 1;
	}
	rc = timed_ioctl(t, fd, cmd, place(t, 0, room));
	memcpy(arg, t->good, size);
	adv_count(t, rc < 0 ? rc : 0);
	adv_shared->ioctls++;
	return rc;
}

int adv_call(struct adv_thread *t, unsigned long cmd, void *arg, size_t size)
{
	return adv_call_fd(t, t->ctx->fd, cmd, arg, size);
}

/*
 * Fault injection: how it was is put back at the end
 */

#define DEBUGFS "/sys/kernel/debug/"

static struct setting {
	const char *path;
	const char *value;
	char old[16];
} settings[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
	{ DEBUGFS "fail_usercopy/verbose", "0" },
	{ DEBUGFS "fail_iommufd/verbose", "0" },
};

static ssize_t transfer(const char *path, char *text, size_t len, bool write_it)
{
	int fd = open(path, (write_it ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	ssize_t rc;

	if (fd < 0)
		return -1;
	rc = write_it ? write(fd, text, len) : read(fd, text, len);
	close(fd);
	return rc;
}

/* false: the kernel has none of it, and all else goes on without */
bool adv_fault_injection(bool on)
{
	struct setting *s;

	nth_wanted = on && !access("/proc/thread-self/fail-nth", W_OK);
	for (s = settings; s != settings + sizeof(settings) / sizeof(*s); s++) {
		if (on) {
			memset(s->old, 0, sizeof(s->old));
			if (transfer(s->path, s->old, sizeof(s->old) - 1,
				     false) > 0)
				transfer(s->path, (char *)s->value,
					 strlen(s->value), true);
		} else if (s->old[0]) {
			transfer(s->path, s->old, strlen(s->old), true);
		}
	}
	return nth_wanted;
}
