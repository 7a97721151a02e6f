/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An adversary of iommufd: what a hostile VMM does, by several processes and
 * threads at once, and what another VMM notices of it
 *
 * viommu_adversary_core.c has the rounds, the processes and the checks after a
 * round, viommu_adversary_call.c the ioctls with bad memory and failing
 * allocations, viommu_adversary_ops.c the operations on any IOMMU and
 * viommu_adversary_maps.c those on mappings and files. A program of a driver
 * adds a struct adv_driver.
 */
#ifndef __SELFTEST_IOMMU_VIOMMU_ADVERSARY
#define __SELFTEST_IOMMU_VIOMMU_ADVERSARY

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __EXPORTED_HEADERS__
#include "kselftest.h"

#include <linux/iommufd.h>
#include <linux/types.h>

#define ADV_PROCESSES	2
#define ADV_THREADS	4
/* A process has a context of its own and one that both share */
#define ADV_CONTEXTS	2
#define ADV_SLOTS	16
#define ADV_MAPS	8
#define ADV_FILES	16
#define ADV_MAX_OPS	64
#define ADV_ERRNOS	134
#define ADV_PAGE	4096UL
/* Memory of each attacker, and where it is mapped in each IOAS of its own */
#define ADV_RAM_SIZE	0x100000UL
#define ADV_RAM_IOVA	0x1000000UL

/* Kinds of objects, as far as an ioctl tells them apart */
enum adv_kind {
	ADV_IOAS,
	ADV_HWPT,
	ADV_NESTED,
	ADV_DEVICE,
	ADV_STDEV,
	ADV_VIOMMU,
	ADV_VDEVICE,
	ADV_QUEUE,
	ADV_VEVENTQ,
	ADV_FAULT,
	ADV_KINDS,
};

/**
 * struct adv_pool - What is known of a context, in memory that all share
 * @live: IDs of objects by kind, 0 where there is none
 * @stale: IDs that were destroyed
 * @offset: offsets for mmap() that an ioctl has returned
 */
struct adv_pool {
	atomic_uint live[ADV_KINDS][ADV_SLOTS];
	atomic_uint stale[ADV_SLOTS];
	atomic_ullong offset[ADV_SLOTS];
};

struct adv_context {
	int fd;
	struct adv_pool *pool;
};

/* A mapping of a region of a vIOMMU */
struct adv_map {
	pthread_mutex_t lock;
	void *addr;
	size_t size;
	bool writable;
};

/**
 * struct adv_process - An attacker
 * @number: 0 or 1
 * @ctx: its contexts
 * @map: its mappings
 * @file: files that ioctls have returned, -1 where there is none
 * @ram: its memory, with random content
 * @flip: memory of the threads that comes, goes and changes its protection
 * @mem_fd: files of that memory
 * @vfio: VFIO files of its devices by context, -1 where there is none
 * @stop: ends the thread that changes @flip
 */
struct adv_process {
	unsigned int number;
	struct adv_context ctx[ADV_CONTEXTS];
	struct adv_map map[ADV_MAPS];
	atomic_int file[ADV_FILES];
	char *ram;
	char *flip[ADV_THREADS + 1];
	int mem_fd[ADV_THREADS + 1];
	atomic_int vfio[ADV_CONTEXTS];
	atomic_bool stop;
};

/**
 * struct adv_thread - A thread of an attacker
 * @thread: the thread
 * @process: the attacker
 * @ctx: context of the operation that runs
 * @number: of the thread in the process
 * @rnd: state of the generator
 * @op: the operation that runs
 * @calm: memory is good and nothing is made to fail
 * @nth_fd: file that makes the nth allocation fail, or -1
 * @mem_fd: file of the memory below
 * @good: two pages, then a hole
 * @read_only: the same pages
 */
struct adv_thread {
	pthread_t thread;
	struct adv_process *process;
	struct adv_context *ctx;
	unsigned int number;
	__u64 rnd;
	unsigned int op;
	bool calm;
	int nth_fd;
	int mem_fd;
	char *good;
	char *read_only;
};

/* Never succeeds on this driver, or so rarely that it need not */
#define ADV_OP_RARE 1

/**
 * struct adv_op - An operation
 * @name: for the report
 * @run: does it, once
 * @weight: how often, compared with the others
 * @flags: ADV_OP_RARE
 */
struct adv_op {
	const char *name;
	void (*run)(struct adv_thread *t);
	unsigned int weight;
	unsigned int flags;
};

struct adv_list {
	const __u32 *value;
	unsigned int num;
};

#define ADV_LIST(...)                                                     \
	{                                                                 \
		.value = (const __u32[]){ __VA_ARGS__ },                  \
		.num = sizeof((const __u32[]){ __VA_ARGS__ }) / sizeof(__u32), \
	}

/**
 * struct adv_driver - What differs between the drivers
 * @name: for the report
 * @viommu_types: types of vIOMMUs
 * @queue_types: types of HW queues
 * @veventq_types: types of event queues
 * @hwpt_types: types of data of a nested HWPT
 * @inv_types: types of invalidation commands
 * @indices: indices of IOMMU_VIOMMU_COMMAND
 * @viommu_data: bytes of data of a vIOMMU
 * @offset_at: where in them the offset for mmap() is
 * @map_pages: pages of a region of a vIOMMU
 * @inv_len: bytes of an invalidation command
 * @ops: further operations
 * @num_ops: how many
 * @devices: makes the devices of a context; false if it cannot
 * @hwpt_data: fills in data of a nested HWPT, returns their size
 * @inv_data: fills in an invalidation command
 * @fill: fills a page of an attacker's memory, where rings are
 * @poke: writes to a mapped region of a vIOMMU
 * @leftovers: prints nothing, returns a number that is the same when all
 *             objects are gone
 * @victim_start: makes another VMM; NULL or what is wrong
 * @victim_step: one piece of its work, the result of which it checks
 * @victim_check: nothing of what it has may have changed
 * @victim_end: destroys all of it
 */
struct adv_driver {
	const char *name;
	struct adv_list viommu_types;
	struct adv_list queue_types;
	struct adv_list veventq_types;
	struct adv_list hwpt_types;
	struct adv_list inv_types;
	struct adv_list indices;
	size_t viommu_data;
	size_t offset_at;
	unsigned int map_pages;
	size_t inv_len;
	const struct adv_op *ops;
	unsigned int num_ops;
	bool (*devices)(struct adv_thread *t);
	size_t (*hwpt_data)(struct adv_thread *t, void *data);
	void (*inv_data)(struct adv_thread *t, void *data);
	void (*fill)(struct adv_thread *t, void *page);
	void (*poke)(struct adv_thread *t, void *page);
	long (*leftovers)(void);
	const char *(*victim_start)(void);
	const char *(*victim_step)(void);
	const char *(*victim_check)(void);
	const char *(*victim_end)(void);
};

/**
 * struct adv_shared - What all processes of a run see
 * @ioctls: how many were issued
 * @goal: at which number of them the round ends
 * @count: results by operation and errno
 * @failures: allocations and copies that were made to fail
 * @bad_memory: ioctls with memory that the kernel cannot read or write
 * @longest: the longest ioctl in microseconds
 * @longest_op: which one that was
 * @pool: of each process, then the one that they share
 * @victim_runs: the victim works; else it stands still
 * @victim_waits: it has seen that it shall stand still
 * @victim_ends: it shall end
 * @victim_steps: pieces of work that it has done
 * @problem: what an attacker or the victim has found
 */
struct adv_shared {
	atomic_ulong ioctls;
	atomic_ulong goal;
	atomic_ulong count[ADV_MAX_OPS][ADV_ERRNOS];
	atomic_ulong failures;
	atomic_ulong bad_memory;
	atomic_ulong longest;
	atomic_uint longest_op;
	struct adv_pool pool[ADV_PROCESSES + 1];
	atomic_bool victim_runs;
	atomic_bool victim_waits;
	atomic_bool victim_ends;
	atomic_ulong victim_steps;
	char problem[256];
};

extern struct adv_shared *adv_shared;
extern const struct adv_driver *adv_driver;
extern const struct adv_op adv_generic_ops[], adv_map_ops[], adv_vfio_ops[];
extern const unsigned int adv_num_generic_ops, adv_num_map_ops,
	adv_num_vfio_ops;

/**
 * struct adv_result - What came out of a run
 * @problem: NULL, or the first thing that is not as it has to be
 * @ops: ioctls that were asked for
 * @ioctls: those that were issued
 * @never: operations that never succeeded
 * @success: ioctls that succeeded, of a thousand
 * @enoent: those with ENOENT, of a thousand
 * @victim_steps: pieces of work of the victim
 * @seconds: of the longest ioctl
 */
struct adv_result {
	const char *problem;
	unsigned long ops;
	unsigned long ioctls;
	unsigned int never;
	unsigned int success;
	unsigned int enoent;
	unsigned long victim_steps;
	double seconds;
};

void adv_run(const struct adv_driver *driver, struct adv_result *result);
const char *adv_problem(const char *format, ...)
	__printf(1, 2);

/* viommu_adversary_call.c */
bool adv_thread_init(struct adv_thread *t, struct adv_process *process,
		     unsigned int number, __u64 seed);
void adv_thread_exit(struct adv_thread *t);
bool adv_fault_injection(bool on);
__u32 adv_draw(struct adv_thread *t, __u32 below);
__u64 adv_random(struct adv_thread *t);
__u64 adv_near(struct adv_thread *t, __u64 value);
__u32 adv_pick(struct adv_thread *t, const struct adv_list *list);
__u64 adv_data(struct adv_thread *t, const void *data, size_t size);
void adv_data_back(struct adv_thread *t, void *data, size_t size);
int adv_call(struct adv_thread *t, unsigned long cmd, void *arg, size_t size);
int adv_call_fd(struct adv_thread *t, int fd, unsigned long cmd, void *arg,
		size_t size);
void adv_count(struct adv_thread *t, int rc);
__u32 adv_id(struct adv_thread *t, enum adv_kind kind);
void adv_add(struct adv_thread *t, enum adv_kind kind, __u32 id);
void adv_forget(struct adv_thread *t, __u32 id);

/* viommu_adversary_ops.c */
bool adv_first_objects(struct adv_thread *t);
void adv_nest(struct adv_thread *t);

/* viommu_adversary_maps.c */
void adv_add_file(struct adv_thread *t, int fd);
void adv_close_files(struct adv_process *process);
void adv_unmap_all(struct adv_process *process);
void adv_reopen(struct adv_thread *t);

/* viommu_adversary_vfio.c */
int adv_vfio_open(const char *bdf);
bool adv_vfio_bind(struct adv_thread *t, const char *bdf);

#endif
