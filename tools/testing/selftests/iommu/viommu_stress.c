// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can be done to a vIOMMU, by many threads at once
 *
 * The threads share one iommufd and draw operations from a seeded generator,
 * see viommu_stress_ops.h for what each may return. A group of rounds ends in
 * one of two ways: all objects are destroyed in the right order, which shows a
 * leaked reference, or the iommufd is closed under the running threads. Each
 * operation has to succeed now and then, else it would not race with anything.
 *
 * Environment: ROUNDS=n operations in all (100000), SEED=n to repeat a run's
 * choice of operations. How they interleave is up to the scheduler.
 */
#include <pthread.h>
#include <time.h>

#include "viommu_stress_ops.h"

#define DEFAULT_ROUNDS 100000
#define NUM_CASES 3
#define GROUP_ROUNDS 1000
#define MAX_THREADS 8
/* What a thread still tries on an iommufd that is closed */
#define ROUNDS_AFTER_CLOSE 4
/* A destroy waits for ioctls that run; the kernel gives that up after 60 */
#define MAX_SECONDS 20

struct worker {
	pthread_t thread;
	__u64 rnd;
	bool closes;
	double longest;
	unsigned int longest_op;
	unsigned long success[NUM_OPS];
	unsigned long closed[NUM_OPS];
	unsigned long errors[NUM_OPS][MAX_ERRORS];
};

/* What the threads found that must not be; the first one counts */
static atomic_int failed_op = -1;
static atomic_int failed_rc;

static unsigned int total_weight;

static __attribute__((constructor)) void add_weights(void)
{
	unsigned int i;

	for (i = 0; i != NUM_OPS; i++)
		total_weight += ops[i].weight;
}

static unsigned int pick_op(__u64 *rnd)
{
	unsigned int n = draw(rnd, total_weight), i;

	for (i = 0; n >= ops[i].weight; i++)
		n -= ops[i].weight;
	return i;
}

/* false if the result is not one of those that the table allows */
static bool count_result(struct worker *worker, unsigned int op, int rc)
{
	unsigned int i;

	if (!rc) {
		worker->success[op]++;
		return true;
	}
	for (i = 0; i != MAX_ERRORS && ops[op].errors[i]; i++) {
		if (rc == -ops[op].errors[i]) {
			worker->errors[op][i]++;
			return true;
		}
	}
	/* /dev/null has taken the place of the iommufd */
	if (world.closed && (rc == -ENOTTY || rc == -ENODEV)) {
		worker->closed[op]++;
		return true;
	}
	return false;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int run_op(struct worker *worker, unsigned int op)
{
	double begin = seconds(), took;
	int rc = ops[op].run(&worker->rnd);

	took = seconds() - begin;
	if (took > worker->longest) {
		worker->longest = took;
		worker->longest_op = op;
	}
	return rc;
}

/* Other threads are in the middle of ioctls, each of which holds the file */
static void close_world(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	world.closed = true;
	dup2(fd, world.fd);
	close(fd);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	unsigned int after_close = 0;

	while (failed_op < 0 && after_close != ROUNDS_AFTER_CLOSE) {
		bool closed = world.closed;
		unsigned int op, round;
		int rc;

		after_close += closed;
		op = pick_op(&worker->rnd);
		rc = run_op(worker, op);
		if (rc == NOTHING)
			continue;
		if (!count_result(worker, op, rc)) {
			failed_rc = rc;
			failed_op = op;
		}
		if (closed)
			continue;
		round = atomic_fetch_add(&world.rounds, 1) + 1;
		if (round == GROUP_ROUNDS && worker->closes)
			close_world();
		if (round >= GROUP_ROUNDS && !worker->closes)
			break;
	}
	return NULL;
}

static const char *make_world(void)
{
	unsigned int i;

	memset(&world, 0, sizeof(world));
	for (i = 0; i != ARRAY_SIZE(world.event_fd); i++)
		world.event_fd[i] = -1;
	if (viommu_open(&world.fd))
		return "cannot open /dev/iommu again";
	if (viommu_make_objs(world.fd, &world.objs))
		return "cannot make the first objects";
	return NULL;
}

/*
 * The kernel gives out low IDs first, so a sweep over them finds all objects. A
 * sweep destroys what is not in use, and what was in use by that is destroyed
 * by the next one, until only a leaked reference could keep anything alive.
 */
static const char *destroy_all(void)
{
	__u32 id, last = world.max_id + 64;
	bool progress;

	do {
		progress = false;
		for (id = 1; id <= last; id++)
			if (!_test_ioctl_destroy(world.fd, id))
				progress = true;
	} while (progress);

	for (id = 1; id <= last; id++)
		if (!_test_ioctl_destroy(world.fd, id) || errno != ENOENT)
			return "an object cannot be destroyed at the end";
	return NULL;
}

static unsigned long pinned_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = ~0UL;
	char line[128];

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

static const char *end_world(bool closed)
{
	const char *problem = NULL;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(world.event_fd); i++)
		if (world.event_fd[i] != -1)
			close(world.event_fd[i]);
	if (!closed)
		problem = destroy_all();
	close(world.fd);
	munmap(world.objs.ram, VIOMMU_RAM_SIZE);
	if (!problem && pinned_kib())
		problem = "VmPin is not 0 after the end";
	return problem;
}

/* What a vIOMMU leaves behind would show in the next one */
static const char *check_fresh(void)
{
	static const __u32 types[] = {
		IOMMU_VIOMMU_TYPE_SELFTEST,
		IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
	};
	static const __u16 indices[] = {
		IOMMU_TEST_VIOMMU_CMD_SCRATCH, IOMMU_TEST_VIOMMU_CMD_GENERATION,
		IOMMU_TEST_VIOMMU_CMD_QUEUES, IOMMU_TEST_VIOMMU_CMD_ENABLE,
		IOMMU_TEST_VIOMMU_CMD_SUM, IOMMU_TEST_VIOMMU_CMD_DATA,
		IOMMU_TEST_VIOMMU_CMD_FAULTS, IOMMU_TEST_VIOMMU_CMD_VDEVS,
	};
	unsigned int type, i;
	__u32 id;

	for (type = 0; type != ARRAY_SIZE(types); type++) {
		if (viommu_make(world.fd, &world.objs, types[type], &id))
			return "cannot make a fresh vIOMMU";
		for (i = 0; i != ARRAY_SIZE(indices); i++) {
			__u64 val = 0;

			if (_test_cmd_viommu_get(world.fd, id, indices[i],
						 &val) || val)
				return "a fresh vIOMMU has old state";
		}
	}
	return NULL;
}

static const char *run_group(struct worker *workers, unsigned int num,
			     __u64 seed, bool closes)
{
	const char *problem = make_world();
	unsigned int i;

	if (problem)
		return problem;
	for (i = 0; i != num; i++) {
		/* Far apart, and never 0, where the generator would stay */
		workers[i].rnd = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
		workers[i].closes = closes;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return "cannot create a thread";
	}
	for (i = 0; i != num; i++)
		pthread_join(workers[i].thread, NULL);
	problem = end_world(closes);
	return failed_op >= 0 ? "an operation failed" : problem;
}

/* One line for each operation; returns how many of them never succeeded */
static unsigned int report(const struct worker *workers, unsigned int num)
{
	unsigned int op, error, i, never = 0;

	for (op = 0; op != NUM_OPS; op++) {
		unsigned long success = 0, closed = 0, sum;

		for (i = 0; i != num; i++) {
			success += workers[i].success[op];
			closed += workers[i].closed[op];
		}
		printf("# %-17s %8lu ok %6lu closed", ops[op].name, success,
		       closed);
		for (error = 0; error != MAX_ERRORS; error++) {
			if (!ops[op].errors[error])
				break;
			for (i = 0, sum = 0; i != num; i++)
				sum += workers[i].errors[op][error];
			printf(" %8lu %s", sum,
			       strerrorname_np(ops[op].errors[error]));
		}
		printf("\n");
		never += !success;
	}
	return never;
}

static double report_longest(const struct worker *workers, unsigned int num)
{
	const struct worker *longest = workers;
	unsigned int i;

	for (i = 1; i != num; i++)
		if (workers[i].longest > longest->longest)
			longest = &workers[i];
	printf("# longest: %s, %.3f s\n", ops[longest->longest_op].name,
	       longest->longest);
	return longest->longest;
}

static unsigned long env_number(const char *name, unsigned long number)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : number;
}

FIXTURE(viommu_stress)
{
	struct worker workers[MAX_THREADS];
};

FIXTURE_VARIANT(viommu_stress)
{
	unsigned int threads;
};

FIXTURE_VARIANT_ADD(viommu_stress, threads_2)
{
	.threads = 2,
};

FIXTURE_VARIANT_ADD(viommu_stress, threads_4)
{
	.threads = 4,
};

FIXTURE_VARIANT_ADD(viommu_stress, threads_8)
{
	.threads = MAX_THREADS,
};

FIXTURE_SETUP(viommu_stress)
{
	const char *reason = viommu_open(&world.fd);

	if (reason)
		SKIP(return, "%s", reason);
	close(world.fd);
}

FIXTURE_TEARDOWN(viommu_stress)
{
}

/* The time limit is for the long run */
TEST_F_TIMEOUT(viommu_stress, race, 7200)
{
	unsigned long rounds = env_number("ROUNDS", DEFAULT_ROUNDS) / NUM_CASES;
	unsigned long groups = DIV_ROUND_UP(rounds, GROUP_ROUNDS), i;
	__u64 seed = env_number("SEED", time(NULL));
	const char *problem = NULL;
	double begin = seconds(), longest;
	unsigned int never;

	printf("# seed: %llu\n", seed);
	for (i = 0; i != groups && !problem; i++)
		problem = run_group(self->workers, variant->threads,
				    seed + i * MAX_THREADS, i % 2);
	printf("# %lu rounds in %lu groups, %.0f rounds/s\n", i * GROUP_ROUNDS,
	       i, i * GROUP_ROUNDS / (seconds() - begin));
	never = report(self->workers, variant->threads);
	longest = report_longest(self->workers, variant->threads);

	if (failed_op >= 0)
		TH_LOG("%s: %s", ops[failed_op].name, strerrorname_np(-failed_rc));
	else if (problem)
		TH_LOG("%s", problem);
	ASSERT_EQ(NULL, problem);
	ASSERT_GT(MAX_SECONDS, longest);
	/* A few rounds prove nothing about the rare operations */
	if (rounds >= 10 * GROUP_ROUNDS)
		ASSERT_EQ(0, never);

	ASSERT_EQ(NULL, make_world());
	ASSERT_EQ(NULL, check_fresh());
	ASSERT_EQ(NULL, end_world(false));
}

TEST_HARNESS_MAIN
