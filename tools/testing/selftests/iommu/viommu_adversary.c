// SPDX-License-Identifier: GPL-2.0-only
/*
 * The adversary of iommufd on the mock driver: what hostile users of /dev/iommu
 * do, by threads and processes, see viommu_adversary.h
 *
 * OPS=n sets the number of ioctls (100000), SEED=n repeats the choices of a
 * run.
 */
#include <sys/wait.h>

#include "viommu_adversary.h"
#include "viommu_utils.h"

/* The kernel gives an object up after 60 */
#define MAX_SECONDS 55

/*
 * Attackers
 */

static int test_call(struct adv_thread *t, struct iommu_test_cmd *cmd)
{
	return adv_call(t, _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32), cmd,
			sizeof(*cmd));
}

static void op_mock_domain(struct adv_thread *t)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = adv_id(t, ADV_IOAS),
		.mock_domain_flags.dev_flags =
			adv_near(t, adv_draw(t, 2) ? MOCK_FLAGS_DEVICE_PASID :
						     0),
	};

	if (test_call(t, &cmd))
		return;
	adv_add(t, ADV_STDEV, cmd.mock_domain_flags.out_stdev_id);
	adv_add(t, ADV_DEVICE, cmd.mock_domain_flags.out_idev_id);
}

static enum adv_kind page_table(struct adv_thread *t)
{
	static const enum adv_kind kinds[] = {
		ADV_IOAS, ADV_HWPT, ADV_NESTED, ADV_NESTED,
	};

	return kinds[adv_draw(t, ARRAY_SIZE(kinds))];
}

static void attach(struct adv_thread *t, enum adv_kind kind)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = adv_id(t, ADV_STDEV),
		.mock_domain_replace.pt_id = adv_id(t, kind),
	};

	test_call(t, &cmd);
}

/* At random a device hardly ever gets all that an event of it needs */
static void op_replace(struct adv_thread *t)
{
	if (adv_draw(t, 8)) {
		attach(t, page_table(t));
		return;
	}
	t->calm = true;
	adv_nest(t);
	attach(t, ADV_NESTED);
	t->calm = false;
}

static void op_trigger_vevent(struct adv_thread *t)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_TRIGGER_VEVENT,
		.trigger_vevent.dev_id = adv_id(t, ADV_DEVICE),
	};

	test_call(t, &cmd);
}

static void op_trigger_iopf(struct adv_thread *t)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = adv_id(t, ADV_DEVICE),
			.pasid = adv_near(t, 0),
			.grpid = adv_near(t, 2),
			.perm = adv_near(t, IOMMU_PGFAULT_PERM_READ),
			.addr = adv_random(t),
		},
	};

	test_call(t, &cmd);
}

static void op_pasid(struct adv_thread *t)
{
	static const __u32 ops[] = {
		IOMMU_TEST_OP_PASID_ATTACH, IOMMU_TEST_OP_PASID_REPLACE,
		IOMMU_TEST_OP_PASID_DETACH,
	};
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = ops[adv_draw(t, ARRAY_SIZE(ops))],
		.id = adv_id(t, ADV_STDEV),
		.pasid_attach = {
			.pasid = adv_near(t, 1 + adv_draw(t, 3)),
			.pt_id = adv_id(t, page_table(t)),
		},
	};

	test_call(t, &cmd);
}

static const struct adv_op mock_ops[] = {
	{ "mock_domain", op_mock_domain, 3 },
	{ "replace", op_replace, 12 },
	{ "trigger_vevent", op_trigger_vevent, 6 },
	{ "trigger_iopf", op_trigger_iopf, 4, ADV_OP_RARE },
	{ "pasid", op_pasid, 8, ADV_OP_RARE },
};

static bool mock_devices(struct adv_thread *t)
{
	op_mock_domain(t);
	op_mock_domain(t);
	return adv_id(t, ADV_DEVICE);
}

static size_t mock_hwpt_data(struct adv_thread *t, void *data)
{
	struct iommu_hwpt_selftest *hwpt = data;

	hwpt->iotlb = adv_random(t);
	hwpt->pagetable_type = adv_near(t, MOCK_IOMMUPT_DEFAULT);
	return sizeof(*hwpt);
}

/* For a nested HWPT the first two words are all there is */
static void mock_inv_data(struct adv_thread *t, void *data)
{
	struct iommu_viommu_invalidate_selftest *inv = data;

	inv->flags = adv_near(t, adv_draw(t, 2));
	inv->vdev_id = adv_near(t, adv_draw(t, 4));
	inv->cache_id = adv_near(t, adv_draw(t, MOCK_DEV_CACHE_NUM));
}

static void fill_random(struct adv_thread *t, void *page)
{
	__u64 *word = page;
	unsigned int i;

	for (i = 0; i < ADV_PAGE / sizeof(*word); i++)
		word[i] = adv_random(t);
}

/*
 * The victim: a VMM that has nothing to do with any of that
 */

#define NUM_PAGES 2
enum { QUEUE_BIT = 1 << IOMMU_TEST_QUEUE_IOVA };
#define SCRATCH_VALUE (0x1230045600708090ULL & IOMMU_TEST_SCRATCH_MASK)

static struct {
	int fd;
	struct viommu_objs objs;
	__u32 viommu_id;
	__u32 queue_id;
	__u32 vdevice_id;
	__u32 *page;
	size_t page_size;
	__u32 turn;
} vm;

static void fill_pattern(__u32 *word, size_t size, __u32 seed)
{
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		__atomic_store_n(&word[i], seed ^ i * 2654435761U,
				 __ATOMIC_RELAXED);
}

static bool has_pattern(const __u32 *word, size_t size, __u32 seed)
{
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++)
		if (__atomic_load_n(&word[i], __ATOMIC_RELAXED) !=
		    (seed ^ (__u32)(i * 2654435761U)))
			return false;
	return true;
}

/* A vIOMMU with a region, and that mapped */
static const char *map_viommu(__u32 *viommu_id, __u32 **page)
{
	struct iommu_viommu_selftest data = { .in_data = 0xbeef };

	if (_test_cmd_viommu_alloc(vm.fd, vm.objs.device_id, vm.objs.hwpt_id, 0,
				   IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &data,
				   sizeof(data), viommu_id))
		return "cannot allocate a vIOMMU";
	*page = mmap(NULL, data.out_mmap_length, PROT_READ | PROT_WRITE,
		     MAP_SHARED, vm.fd, data.out_mmap_offset);
	if (*page == MAP_FAILED)
		return "cannot map the region of its vIOMMU";
	vm.page_size = data.out_mmap_length;
	if (**page != data.in_data)
		return "its new region is not what the kernel has made";
	return NULL;
}

static const char *victim_start(void)
{
	const char *why = viommu_open(&vm.fd);

	if (why)
		return why;
	if (viommu_make_objs(vm.fd, &vm.objs))
		return "cannot make the first objects";
	why = map_viommu(&vm.viommu_id, &vm.page);
	if (why)
		return why;
	fill_pattern(vm.page, vm.page_size, 1);
	fill_pattern(vm.objs.ram, VIOMMU_RAM_SIZE, 2);
	if (_test_cmd_vdevice_alloc(vm.fd, vm.viommu_id, vm.objs.device_id, 1,
				    &vm.vdevice_id) ||
	    _test_cmd_hw_queue_alloc(vm.fd, vm.viommu_id,
				     IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA, 0,
				     VIOMMU_RAM_IOVA, PAGE_SIZE, &vm.queue_id))
		return "cannot make a queue and a vDEVICE";
	if (_test_cmd_viommu_set(vm.fd, vm.viommu_id,
				 IOMMU_TEST_VIOMMU_CMD_SCRATCH,
				 SCRATCH_VALUE) ||
	    _test_cmd_viommu_set(vm.fd, vm.viommu_id,
				 IOMMU_TEST_VIOMMU_CMD_ENABLE,
				 QUEUE_BIT))
		return "cannot set its registers";
	return NULL;
}

static bool reads(__u16 index, __u64 expected)
{
	__u64 val = ~expected;

	return !_test_cmd_viommu_get(vm.fd, vm.viommu_id, index, &val) &&
	       val == expected;
}

static const char *check_registers(void)
{
	__u64 word = *(__u64 *)vm.objs.ram;

	if (!reads(IOMMU_TEST_VIOMMU_CMD_SCRATCH, SCRATCH_VALUE) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_GENERATION, 0) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_FAULTS, 0) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_VDEVS, 1) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_QUEUES, QUEUE_BIT) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_ENABLE, QUEUE_BIT))
		return "its registers have changed";
	if (_test_cmd_viommu_set(vm.fd, vm.viommu_id,
				 IOMMU_TEST_VIOMMU_CMD_DOORBELL,
				 IOMMU_TEST_QUEUE_IOVA) ||
	    !reads(IOMMU_TEST_VIOMMU_CMD_DATA, word))
		return "its queue does not work";
	return NULL;
}

/* The parent translates to the same pages as ever */
static const char *check_mapping(void)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = vm.objs.hwpt_id,
		.check_map = {
			.iova = VIOMMU_RAM_IOVA,
			.length = VIOMMU_RAM_SIZE,
			.uptr = (uintptr_t)vm.objs.ram,
		},
	};

	return ioctl(vm.fd, IOMMU_TEST_CMD, &cmd) ?
		       "its memory is not mapped as it was" : NULL;
}

static const char *victim_check(void)
{
	const char *why;

	if (!has_pattern(vm.page, vm.page_size, 1))
		return "somebody else has written to its region";
	if (!has_pattern(vm.objs.ram, VIOMMU_RAM_SIZE, 2))
		return "somebody else has written to its memory";
	why = check_registers();
	if (!why)
		why = check_mapping();
	if (!why && !_test_ioctl_destroy(vm.fd, vm.viommu_id))
		why = "its vIOMMU is not held by what it has";
	return why;
}

/* Regions that were others' a moment ago, or of which others know as much */
static const char *victim_step(void)
{
	__u32 viommu_id, *page, seed = ++vm.turn << 8;
	const char *why = map_viommu(&viommu_id, &page);
	unsigned int i;

	if (why)
		return why;
	fill_pattern(page, vm.page_size, seed);
	for (i = 0; i < 4 && !why; i++) {
		usleep(500);
		if (!has_pattern(page, vm.page_size, seed))
			why = "somebody else has written to its new region";
	}
	if (munmap(page, vm.page_size))
		return "cannot unmap its region";
	if (_test_ioctl_destroy(vm.fd, viommu_id))
		return "cannot destroy a vIOMMU that nobody uses";
	if (!why && vm.turn % 64 == 0)
		why = victim_check();
	return why;
}

static const char *victim_end(void)
{
	if (munmap(vm.page, vm.page_size) ||
	    _test_ioctl_destroy(vm.fd, vm.queue_id) ||
	    _test_ioctl_destroy(vm.fd, vm.vdevice_id) ||
	    _test_ioctl_destroy(vm.fd, vm.viommu_id) ||
	    _test_ioctl_destroy(vm.fd, vm.objs.hwpt_id))
		return "cannot destroy what it has made";
	return close(vm.fd) ? "cannot close" : NULL;
}

static const struct adv_driver mock = {
	.name = "mock",
	.viommu_types = ADV_LIST(IOMMU_VIOMMU_TYPE_SELFTEST,
				 IOMMU_VIOMMU_TYPE_SELFTEST,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
				 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA,
				 IOMMU_VIOMMU_TYPE_SELFTEST_BARE),
	.queue_types = ADV_LIST(IOMMU_HW_QUEUE_TYPE_SELFTEST,
				IOMMU_HW_QUEUE_TYPE_SELFTEST,
				IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA,
				IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA_LOG),
	.veventq_types = ADV_LIST(IOMMU_VEVENTQ_TYPE_SELFTEST),
	.hwpt_types = ADV_LIST(IOMMU_HWPT_DATA_SELFTEST),
	.inv_types = ADV_LIST(IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST),
	.indices = ADV_LIST(1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12, 0x100,
			    0x103, 0xffff),
	.viommu_data = sizeof(struct iommu_viommu_selftest),
	.offset_at = offsetof(struct iommu_viommu_selftest, out_mmap_offset),
	.map_pages = NUM_PAGES,
	.inv_len = sizeof(struct iommu_viommu_invalidate_selftest),
	.ops = mock_ops,
	.num_ops = ARRAY_SIZE(mock_ops),
	.devices = mock_devices,
	.hwpt_data = mock_hwpt_data,
	.inv_data = mock_inv_data,
	.fill = fill_random,
	.poke = fill_random,
	.victim_start = victim_start,
	.victim_step = victim_step,
	.victim_check = victim_check,
	.victim_end = victim_end,
};

FIXTURE(viommu_adversary)
{
};

FIXTURE_SETUP(viommu_adversary)
{
	const char *why;
	int fd;

	why = viommu_open(&fd);
	if (why)
		SKIP(return, "%s", why);
	close(fd);
}

FIXTURE_TEARDOWN(viommu_adversary)
{
}

/* Pages that @fd has from a file: the caller is who has them pinned */
static int take_over(int fd)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	if (ioctl(fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd))
		return 1;
	return viommu_pinned() == 4 * (long)PAGE_SIZE / 1024 ? 0 : 2;
}

/* The adversary found this one: with CAP_IPC_LOCK nothing was moved */
TEST_F(viommu_adversary, pinned_pages_move)
{
	__u32 ioas_id, stdev_id, hwpt_id;
	__u64 iova = VIOMMU_RAM_IOVA;
	int fd, mem_fd, status;
	pid_t pid;

	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	mem_fd = memfd_create("pinned", MFD_CLOEXEC);
	ASSERT_NE(-1, fd);
	ASSERT_EQ(0, ftruncate(mem_fd, 4 * PAGE_SIZE));
	ASSERT_EQ(0, _test_ioctl_ioas_alloc(fd, &ioas_id));
	ASSERT_EQ(0, _test_cmd_mock_domain(fd, ioas_id, &stdev_id, &hwpt_id,
					   NULL));
	ASSERT_EQ(0, _test_ioctl_ioas_map_file(fd, ioas_id, mem_fd, 0,
					       4 * PAGE_SIZE, &iova,
					       IOMMU_IOAS_MAP_FIXED_IOVA |
					       IOMMU_IOAS_MAP_WRITEABLE |
					       IOMMU_IOAS_MAP_READABLE));
	ASSERT_EQ(4 * (long)PAGE_SIZE / 1024, viommu_pinned());
	pid = fork();
	ASSERT_NE(-1, pid);
	if (!pid)
		_exit(take_over(fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, viommu_pinned());
	close(mem_fd);
	close(fd);
	EXPECT_EQ(0, viommu_pinned());
}

/* The time limit is for the long run */
TEST_F_TIMEOUT(viommu_adversary, mock, 14400)
{
	struct adv_result result;

	adv_run(&mock, &result);
	if (result.problem)
		TH_LOG("%s", result.problem);
	ASSERT_EQ(NULL, result.problem);
	EXPECT_LE(result.ops, result.ioctls);
	EXPECT_GT(MAX_SECONDS, result.seconds);
	/* One that never gets anywhere attacks nothing */
	EXPECT_LT(200, result.success);
	EXPECT_GT(300, result.enoent);
	/* A few rounds prove nothing about the rare operations */
	if (result.ops >= 50000)
		EXPECT_EQ(0, result.never);
	EXPECT_LT(0, result.victim_steps);
}

TEST_HARNESS_MAIN
