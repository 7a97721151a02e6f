// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rounds of the adversary: attackers come, do a few thousand random things
 * and go, while a victim works; then the host has to be as it was before
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "viommu_adversary.h"

#define DEFAULT_OPS	100000
#define ROUND_OPS	2500
/* Longer without an ioctl is a hang; destroying gives up after 60 seconds */
#define MAX_SECONDS	150
/* How long what is freed late may take */
#define SETTLE_MS	5000
/* How often a run may find more pages of IOMMU tables than before */
#define MAX_NEW_TABLES	5

struct adv_shared *adv_shared;
const struct adv_driver *adv_driver;

static struct adv_op all_ops[ADV_MAX_OPS];
static unsigned int num_ops, total_weight;
static int shared_fd = -1;

/* The first problem is the one that counts */
const char *adv_problem(const char *format, ...)
{
	va_list args;

	if (!adv_shared->problem[0]) {
		va_start(args, format);
		vsnprintf(adv_shared->problem, sizeof(adv_shared->problem),
			  format, args);
		va_end(args);
	}
	return adv_shared->problem;
}

/*
 * The state of the host
 */

static long read_number(const char *path, const char *field)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long value = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (field && strncmp(line, field, strlen(field)))
			continue;
		value = strtol(line + (field ? strlen(field) : 0), NULL, 10);
		break;
	}
	if (file)
		fclose(file);
	return value;
}

static long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	long num = 0;

	while (dir && readdir(dir))
		num++;
	if (dir)
		closedir(dir);
	return num;
}

/* Nobody but iommufd need pin pages: all that is pinned and not released */
static long pinned_pages(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			perror("stat_refresh");
		close(fd);
	}
	return read_number("/proc/vmstat", "nr_foll_pin_acquired ") -
	       read_number("/proc/vmstat", "nr_foll_pin_released ");
}

/* Warnings, oopses and so on; the first three only ever grow */
struct faults {
	long warnings;
	long oopses;
	long taint;
};

/* What has to be the same after a round; 0 where the kernel does not tell */
struct host {
	long pinned;
	long table_pages;
	long groups;
	long mock_devices;
	long files;
	long leftovers;
};

static struct faults faults_now(void)
{
	return (struct faults){
		.warnings = read_number("/sys/kernel/warn_count", NULL),
		.oopses = read_number("/sys/kernel/oops_count", NULL),
		.taint = read_number("/proc/sys/kernel/tainted", NULL),
	};
}

static struct host host_now(void)
{
	return (struct host){
		.pinned = pinned_pages(),
		.table_pages = read_number("/proc/vmstat", "nr_iommu_pages "),
		.groups = count_entries("/sys/kernel/iommu_groups"),
		.mock_devices = count_entries("/sys/bus/iommufd_mock/devices"),
		.files = read_number("/sys/module/iommufd/refcnt", NULL),
		.leftovers = adv_driver->leftovers ? adv_driver->leftovers() :
						     0,
	};
}

/* What it is when nothing more is freed */
static struct host settled_host(void)
{
	struct host before, now = host_now();
	int i;

	for (i = 0; i < SETTLE_MS / 500; i++) {
		before = now;
		usleep(500000);
		now = host_now();
		if (!memcmp(&now, &before, sizeof(now)))
			break;
	}
	return now;
}

static const char *check_faults(const struct faults *before)
{
	struct faults now = faults_now();

	if (!memcmp(&now, before, sizeof(now)))
		return NULL;
	return adv_problem("complaints: %ld warnings, %ld oopses, taint 0x%lx, was 0x%lx",
			   now.warnings - before->warnings,
			   now.oopses - before->oopses, now.taint,
			   before->taint);
}

/*
 * A driver makes some of its tables when they are first needed, and keeps them.
 * That comes to an end; a leak does not.
 */
static bool new_tables(struct host *before, const struct host *now)
{
	static unsigned int times;
	struct host same = *now;

	same.table_pages = before->table_pages;
	if (memcmp(&same, before, sizeof(same)) ||
	    now->table_pages < before->table_pages || times == MAX_NEW_TABLES)
		return false;
	times++;
	printf("# %ld more pages of IOMMU tables\n",
	       now->table_pages - before->table_pages);
	*before = *now;
	return true;
}

static const char *check_host(struct host *before)
{
	struct host now;
	int i;

	for (i = 0; i < SETTLE_MS / 100; i++) {
		now = host_now();
		if (!memcmp(&now, before, sizeof(now)))
			return NULL;
		usleep(100000);
	}
	if (new_tables(before, &now))
		return NULL;
	return adv_problem("left: pins %ld tables %ld groups %ld mocks %ld files %ld refs %ld",
			   now.pinned - before->pinned,
			   now.table_pages - before->table_pages,
			   now.groups - before->groups,
			   now.mock_devices - before->mock_devices,
			   now.files - before->files,
			   now.leftovers - before->leftovers);
}

/*
 * The attackers
 */

static unsigned int pick_op(struct adv_thread *t)
{
	unsigned int n = adv_draw(t, total_weight), i;

	for (i = 0; n >= all_ops[i].weight; i++)
		n -= all_ops[i].weight;
	return i;
}

static bool round_ends(void)
{
	return adv_shared->ioctls >= adv_shared->goal || adv_shared->problem[0];
}

/* The same one several times, now and then, is more than one now and then */
static void *attack(void *arg)
{
	struct adv_thread *t = arg;

	while (!round_ends()) {
		unsigned int burst = 1;

		t->op = pick_op(t);
		if (all_ops[t->op].weight > 1 && !adv_draw(t, 4))
			burst += adv_draw(t, 32);
		t->ctx = &t->process->ctx[adv_draw(t, ADV_CONTEXTS)];
		while (burst-- && !round_ends())
			all_ops[t->op].run(t);
	}
	return NULL;
}

/* What a thread hands to the kernel is gone, or another page, or read-only */
static void *flip_memory(void *arg)
{
	struct adv_thread *t = arg;

	while (!t->process->stop) {
		unsigned int thread = adv_draw(t, ADV_THREADS);
		size_t offset = adv_draw(t, 2) * ADV_PAGE;
		char *page = t->process->flip[thread] + offset;

		switch (adv_draw(t, 6)) {
		case 0:
			mprotect(page, ADV_PAGE, PROT_READ);
			break;
		case 1:
			mprotect(page, ADV_PAGE, PROT_NONE);
			break;
		case 2:
			/* Behind the end of the file, no hole for others */
			mmap(page, ADV_PAGE, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_SHARED, t->mem_fd, 1UL << 20);
			break;
		case 3:
			mmap(page, ADV_PAGE, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			break;
		default:
			mmap(page, ADV_PAGE, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_SHARED,
			     t->process->mem_fd[thread], offset);
		}
		usleep(200);
	}
	return NULL;
}

static bool attacker_init(struct adv_process *process, unsigned int number)
{
	unsigned int i;

	memset(process, 0, sizeof(*process));
	process->number = number;
	for (i = 0; i < ADV_MAPS; i++)
		pthread_mutex_init(&process->map[i].lock, NULL);
	for (i = 0; i < ADV_FILES; i++)
		process->file[i] = -1;
	process->vfio[0] = -1;
	process->vfio[1] = -1;
	process->ctx[0].fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	process->ctx[0].pool = &adv_shared->pool[number];
	process->ctx[1].fd = shared_fd;
	process->ctx[1].pool = &adv_shared->pool[ADV_PROCESSES];
	process->ram = mmap(NULL, ADV_RAM_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return process->ctx[0].fd >= 0 && process->ram != MAP_FAILED;
}

/* Nothing of a round may be left in the process that was in it */
static const char *attacker_exit(struct adv_process *process,
				 struct adv_thread *t, long files)
{
	unsigned int i, tries;
	long kib, open_files;

	adv_unmap_all(process);
	adv_close_files(process);
	for (i = 0; i < ADV_CONTEXTS; i++)
		close(process->ctx[i].fd);
	for (i = 0; i < 2; i++)
		if (process->vfio[i] >= 0)
			close(process->vfio[i]);
	for (i = 0; i < ADV_THREADS + 1; i++) {
		if (t[i].nth_fd >= 0)
			close(t[i].nth_fd);
		adv_thread_exit(&t[i]);
	}
	/* What it has in the shared context is there until the other goes */
	for (tries = 0; tries < 300; tries++) {
		kib = read_number("/proc/self/status", "VmPin:");
		if (!kib || adv_shared->problem[0])
			break;
		usleep(100000);
	}
	if (kib)
		return adv_problem("VmPin is %ld KiB after the end", kib);
	open_files = count_entries("/proc/self/fd");
	if (open_files != files)
		return adv_problem("%ld files are left that nobody knows",
				   open_files - files);
	return NULL;
}

static void attacker(unsigned int number, __u64 seed)
{
	struct adv_thread t[ADV_THREADS + 1];
	static struct adv_process process;
	/* Less the one of the shared context, which the end closes, too */
	long files = count_entries("/proc/self/fd") - 1;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!attacker_init(&process, number))
		_exit(1);
	for (i = 0; i <= ADV_THREADS; i++)
		if (!adv_thread_init(&t[i], &process, i, seed + i))
			_exit(1);
	for (i = 0; i < ADV_RAM_SIZE; i += ADV_PAGE)
		adv_driver->fill(&t[0], process.ram + i);
	if (!adv_first_objects(&t[0]))
		adv_problem("the first objects cannot be made");
	if (number == 0) {
		t[0].ctx = &process.ctx[1];
		adv_first_objects(&t[0]);
	}
	for (i = 0; i < ADV_THREADS; i++)
		pthread_create(&t[i].thread, NULL, attack, &t[i]);
	pthread_create(&t[i].thread, NULL, flip_memory, &t[i]);
	for (i = 0; i < ADV_THREADS; i++)
		pthread_join(t[i].thread, NULL);
	process.stop = true;
	pthread_join(t[i].thread, NULL);
	attacker_exit(&process, t, files);
	_exit(0);
}

/*
 * The victim
 */

static void victim(void)
{
	const char *why = adv_driver->victim_start();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!why && !adv_shared->victim_ends) {
		if (adv_shared->victim_runs) {
			adv_shared->victim_waits = false;
			why = adv_driver->victim_step();
			adv_shared->victim_steps++;
			continue;
		}
		why = adv_driver->victim_check();
		adv_shared->victim_waits = true;
		usleep(1000);
	}
	if (!why)
		why = adv_driver->victim_end();
	if (why)
		adv_problem("seen by the other VM: %s", why);
	_exit(!!why);
}

/*
 * The rounds
 */

/* Where the threads of a process are that does not get on */
static void report_process(pid_t pid)
{
	char path[64], text[128] = "";
	struct dirent *ent;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (ent = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.16s/wchan", ent->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(text, 0, sizeof(text));
		if (read(fd, text, sizeof(text) - 1) > 0)
			printf("# thread %s of %d waits in %s\n", ent->d_name,
			       pid, text);
		close(fd);
	}
	if (dir)
		closedir(dir);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	printf("# process %d: VmPin %ld KiB\n", pid,
	       read_number(path, "VmPin:"));
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static pid_t start(void (*run)(unsigned int, __u64), unsigned int number,
		   __u64 seed)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (run)
			run(number, seed);
		victim();
	}
	return pid;
}

/* An attacker or the victim has gone; a signal is not how it should go */
static const char *reap(pid_t *pid, bool killed)
{
	int status;

	if (*pid <= 0 || waitpid(*pid, &status, WNOHANG) != *pid)
		return NULL;
	*pid = 0;
	if (!status || killed)
		return NULL;
	if (WIFSIGNALED(status))
		return adv_problem("a process was ended by signal %d",
				   WTERMSIG(status));
	return adv_problem("a process ended with status %d",
			   WEXITSTATUS(status));
}

static bool victim_stands(pid_t *pid)
{
	double begin = seconds();

	adv_shared->victim_runs = false;
	while (!adv_shared->victim_waits) {
		if (reap(pid, false) || !*pid)
			return false;
		if (seconds() - begin > MAX_SECONDS) {
			adv_problem("the victim hangs");
			return false;
		}
		usleep(1000);
	}
	return true;
}

/* In each second round one of the attackers is killed in the middle */
static const char *run_round(unsigned int round, __u64 seed, pid_t *victim_pid,
			     const struct faults *faults)
{
	bool kills = round % 2, killed = false;
	pid_t pid[ADV_PROCESSES];
	unsigned long last = 0, half;
	double moved = seconds();
	unsigned int i;

	memset(adv_shared->pool, 0, sizeof(adv_shared->pool));
	half = adv_shared->ioctls + ROUND_OPS / 2;
	adv_shared->goal = adv_shared->ioctls + ROUND_OPS;
	shared_fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	adv_shared->victim_waits = false;
	adv_shared->victim_runs = true;
	for (i = 0; i < ADV_PROCESSES; i++)
		pid[i] = start(attacker, i, seed + i * (ADV_THREADS + 1));
	close(shared_fd);
	while (pid[0] > 0 || pid[1] > 0) {
		unsigned long now = adv_shared->ioctls;

		if (now != last)
			moved = seconds();
		last = now;
		if (seconds() - moved > MAX_SECONDS) {
			for (i = 0; i < ADV_PROCESSES; i++)
				if (pid[i] > 0)
					report_process(pid[i]);
			return adv_problem("no ioctl for %d seconds",
					   MAX_SECONDS);
		}
		/* What has met an oops may never end */
		if (check_faults(faults))
			return adv_shared->problem;
		if (kills && !killed && now >= half && pid[1] > 0) {
			kill(pid[1], SIGKILL);
			killed = true;
		}
		for (i = 0; i < ADV_PROCESSES; i++)
			reap(&pid[i], killed && i == 1);
		reap(victim_pid, false);
		usleep(5000);
	}
	return adv_shared->problem[0] ? adv_shared->problem : NULL;
}

static void run_rounds(unsigned long ops, __u64 seed)
{
	struct faults faults = faults_now();
	struct host host = {};
	unsigned int round = 0;
	pid_t victim_pid;
	bool ok = true;

	victim_pid = start(NULL, 0, 0);
	if (victim_pid < 0 || !victim_stands(&victim_pid)) {
		adv_problem("the victim does not start");
		return;
	}
	while (ok && adv_shared->ioctls < ops) {
		ok = !run_round(round, seed + round * 64, &victim_pid,
				&faults);
		ok = !check_faults(&faults) && ok;
		ok = ok && victim_stands(&victim_pid);
		/* The first one makes what the host only ever makes once */
		if (ok && !round)
			host = settled_host();
		else if (ok)
			ok = !check_host(&host);
		round++;
	}
	printf("# %u rounds\n", round);
	adv_shared->victim_ends = true;
	while (victim_pid > 0 && ok) {
		reap(&victim_pid, false);
		usleep(1000);
	}
	if (victim_pid > 0)
		kill(victim_pid, SIGKILL);
	check_faults(&faults);
}

/*
 * The report
 */

static void add_ops(const struct adv_op *ops, unsigned int num)
{
	for (; num; num--, ops++) {
		all_ops[num_ops++] = *ops;
		total_weight += ops->weight;
	}
}

/* One line for each operation: how often it succeeded, then its errors */
static void report_op(unsigned int op, unsigned long *sums)
{
	unsigned int error;

	printf("# %-18s %8lu ok", all_ops[op].name,
	       (unsigned long)adv_shared->count[op][0]);
	for (error = 1; error < ADV_ERRNOS; error++) {
		unsigned long num = adv_shared->count[op][error];

		if (num)
			printf(" %lu %s", num, strerrorname_np(error) ?: "?");
	}
	printf("\n");
	for (error = 0; error < ADV_ERRNOS; error++)
		sums[error] += adv_shared->count[op][error];
}

static void report(struct adv_result *result)
{
	unsigned long sums[ADV_ERRNOS] = {}, total = 0;
	unsigned int op, error;

	for (op = 0; op < num_ops; op++) {
		report_op(op, sums);
		if (!adv_shared->count[op][0] &&
		    !(all_ops[op].flags & ADV_OP_RARE))
			result->never++;
	}
	for (error = 0; error < ADV_ERRNOS; error++)
		total += sums[error];
	total = total ?: 1;
	result->success = sums[0] * 1000 / total;
	result->enoent = sums[ENOENT] * 1000 / total;
	result->ioctls = adv_shared->ioctls;
	result->victim_steps = adv_shared->victim_steps;
	result->seconds = adv_shared->longest / 1e6;
	printf("# %lu ioctls, %u of 1000 calls succeed, %u are ENOENT\n",
	       result->ioctls, result->success, result->enoent);
	printf("# %lu with bad memory, %lu with a failure, %lu steps of the victim\n",
	       (unsigned long)adv_shared->bad_memory,
	       (unsigned long)adv_shared->failures, result->victim_steps);
	printf("# longest: %s, %.3f s\n",
	       all_ops[adv_shared->longest_op].name, result->seconds);
}

static __u64 env_number(const char *name, __u64 number)
{
	const char *value = getenv(name);

	return value ? strtoull(value, NULL, 0) : number;
}

/**
 * adv_run - Let the adversary loose
 * @driver: what is special about the IOMMU
 * @result: what came out
 *
 * Environment: OPS=n ioctls in all (100000), SEED=n to repeat the choices of a
 * run. How they interleave is up to the scheduler.
 */
void adv_run(const struct adv_driver *driver, struct adv_result *result)
{
	__u64 seed = env_number("SEED", time(NULL));

	memset(result, 0, sizeof(*result));
	result->ops = env_number("OPS", DEFAULT_OPS);
	adv_driver = driver;
	adv_shared = mmap(NULL, sizeof(*adv_shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (adv_shared == MAP_FAILED) {
		result->problem = "no memory";
		return;
	}
	num_ops = 0;
	total_weight = 0;
	add_ops(adv_generic_ops, adv_num_generic_ops);
	add_ops(adv_map_ops, adv_num_map_ops);
	add_ops(driver->ops, driver->num_ops);
	printf("# SEED=%llu, OPS=%lu, %s\n", seed, result->ops, driver->name);
	if (!adv_fault_injection(true))
		printf("# no fail-nth: no allocation is made to fail\n");
	run_rounds(result->ops, seed);
	adv_fault_injection(false);
	report(result);
	if (adv_shared->problem[0])
		result->problem = adv_shared->problem;
}
