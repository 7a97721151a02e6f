// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tour of the vIOMMU of iommufd, on the mock IOMMU of IOMMUFD_TEST
 *
 * Prints each step that a VMM takes, in its order, so that a guest can use
 * queues of the IOMMU hardware directly, and what the kernel refuses. Stops at
 * the first deviation. viommu_example.c shows the structures that are behind.
 */
#include "iommufd_utils.h"

#define RAM_BASE MOCK_APERTURE_START
#define RAM_SIZE (16 * PAGE_SIZE)
#define RING_BASE (RAM_BASE + PAGE_SIZE)
#define RING_SIZE PAGE_SIZE
#define RING_WORD(i) (0xc0ffee0000ULL + (i))
#define VIRT_ID 0x42
#define QUEUE_BIT IOMMU_TEST_QUEUE_IOVA

static int fd, event_fd, event_seq = -1;
static unsigned int steps;
static __u32 ioas_id, stdev_id, dev_id, hwpt_id, event_id;
static __u32 *page;
static size_t page_len;

#define section(title) puts("\n" title)

/* One step: what came of it must be @error, or success if that is 0 */
static void expect(int error, int rc, const char *what)
{
	int got = rc ? errno : 0;

	steps++;
	if (error)
		printf("%3u. refused as it must be: %s -> %s\n", steps, what,
		       strerrorname_np(error));
	else
		printf("%3u. %s\n", steps, what);
	if (got == error)
		return;
	printf("DEVIATION in step %u: -> %s\n", steps, strerrorname_np(got));
	exit(KSFT_FAIL);
}

/* One step whose result is a value */
static void expect_value(__u64 value, __u64 got, const char *what)
{
	steps++;
	printf("%3u. %s: 0x%llx\n", steps, what, got);
	if (got == value)
		return;
	printf("DEVIATION in step %u: not 0x%llx\n", steps, value);
	exit(KSFT_FAIL);
}

static int command(__u32 viommu, __u16 op, __u16 index, __u64 *val)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = viommu,
		.op = op,
		.index = index,
		.val64 = *val,
	};
	int rc = ioctl(fd, IOMMU_VIOMMU_COMMAND, &cmd);

	*val = cmd.val64;
	return rc;
}

static int set(__u32 viommu, __u16 index, __u64 val)
{
	return command(viommu, IOMMU_VIOMMU_COMMAND_OP_SET, index, &val);
}

static int try_get(__u32 viommu, __u16 index)
{
	__u64 val = 0;

	return command(viommu, IOMMU_VIOMMU_COMMAND_OP_GET, index, &val);
}

static __u64 get(__u32 viommu, __u16 index)
{
	__u64 val = 0;

	/* No register of the demo reads like this, so the step will tell */
	if (command(viommu, IOMMU_VIOMMU_COMMAND_OP_GET, index, &val))
		return ~0ULL;
	return val;
}

/* A guest writes to its MMIO page for this; the mock takes it as a command */
static int ring_doorbell(__u32 viommu, unsigned int word)
{
	return set(viommu, IOMMU_TEST_VIOMMU_CMD_DOORBELL,
		   word << IOMMU_TEST_DOORBELL_WORD_SHIFT | QUEUE_BIT);
}

static int map_ram(void)
{
	__u64 iova = RAM_BASE;

	return _test_ioctl_ioas_map(fd, ioas_id, mfd_buffer, RAM_SIZE, &iova,
				    IOMMU_IOAS_MAP_FIXED_IOVA |
					    IOMMU_IOAS_MAP_READABLE |
					    IOMMU_IOAS_MAP_WRITEABLE);
}

static int unmap_ram(void)
{
	return _test_ioctl_ioas_unmap(fd, ioas_id, RAM_BASE, RAM_SIZE, NULL);
}

static int destroy(__u32 id)
{
	return _test_ioctl_destroy(fd, id);
}

static int alloc_queue(__u32 viommu, __u32 type, __u32 index,
		       __u64 base, __u32 *id)
{
	return _test_cmd_hw_queue_alloc(fd, viommu, type, index, base,
					RING_SIZE, id);
}

static void show_memory(void)
{
	section("The memory of the guest");
	expect(0, _test_ioctl_ioas_alloc(fd, &ioas_id),
	       "an address space: what the guest takes for physical addresses");
	expect(0, map_ram(), "16 pages of RAM, at 16 MiB of it");
	/* A real VMM gets its device from VFIO */
	expect(0, _test_cmd_mock_domain(fd, ioas_id, &stdev_id, NULL, &dev_id),
	       "a device, behind the mock IOMMU");
	expect(0, _test_cmd_hwpt_alloc(fd, dev_id, ioas_id, 0,
				       IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt_id,
				       IOMMU_HWPT_DATA_NONE, NULL, 0),
	       "the nest parent: a page table that the hardware walks for it");
}

static __u32 show_viommu(void)
{
	struct iommu_viommu_selftest data = { .in_data = 0xcafe };
	__u32 viommu = 0;

	section("A vIOMMU: the guest's share of the IOMMU hardware");
	expect(0, _test_cmd_viommu_alloc(fd, dev_id, hwpt_id, 0,
					 IOMMU_VIOMMU_TYPE_SELFTEST_IOVA, &data,
					 sizeof(data), &viommu),
	       "a vIOMMU; the driver says where its MMIO page is");
	page_len = data.out_mmap_length;
	page = mmap(NULL, page_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    data.out_mmap_offset);
	expect(0, page == MAP_FAILED,
	       "map that page: the guest will use it without the VMM");
	expect_value(data.in_data, *page, "it is the page of this vIOMMU");
	return viommu;
}

static void show_commands(__u32 viommu)
{
	section("Commands: state that the VMM may read or change, by a list");
	expect_value(IOMMU_TEST_VIOMMU_VERSION,
		     get(viommu, IOMMU_TEST_VIOMMU_CMD_VERSION),
		     "GET of the version register");
	expect(0, set(viommu, IOMMU_TEST_VIOMMU_CMD_SCRATCH, 0xf0),
	       "SET of a read/write register");
	expect_value(0xf0, get(viommu, IOMMU_TEST_VIOMMU_CMD_SCRATCH),
		     "GET returns what was set");
	expect(EOPNOTSUPP, try_get(viommu, 0),
	       "index 0, so that a request of zeros does nothing");
	expect(EOPNOTSUPP, try_get(viommu, 0xfff), "an index not in the list");
	expect(EACCES, set(viommu, IOMMU_TEST_VIOMMU_CMD_VERSION, 0),
	       "SET of a read-only index");
	expect(EACCES, try_get(viommu, IOMMU_TEST_VIOMMU_CMD_TRIGGER),
	       "GET of a write-only index");
	expect(EINVAL, set(viommu, IOMMU_TEST_VIOMMU_CMD_SCRATCH, 0x2),
	       "SET of a bit that may not be set");
	expect(ENOENT, try_get(hwpt_id, IOMMU_TEST_VIOMMU_CMD_SCRATCH),
	       "a command to what is no vIOMMU");
	expect_value(0xf0, get(viommu, IOMMU_TEST_VIOMMU_CMD_SCRATCH),
		     "after all that, the register is as it was");
}

static void show_device(__u32 viommu)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	__u32 nested = 0, vdev = 0;

	section("A device of the guest, and an event about it");
	expect(0, _test_cmd_veventq_alloc(fd, viommu,
					  IOMMU_VEVENTQ_TYPE_SELFTEST, 8,
					  &event_id, (__u32 *)&event_fd),
	       "an event queue, which the VMM polls and reads");
	expect(0, _test_cmd_hwpt_alloc(fd, dev_id, viommu, 0, 0, &nested,
				       IOMMU_HWPT_DATA_SELFTEST, &data,
				       sizeof(data)),
	       "a nested page table: the guest's own, on top of the parent");
	expect(ENOENT, _test_cmd_mock_domain_replace(fd, stdev_id, nested,
						     NULL),
	       "to use it for a device that the guest does not know");
	expect(0, _test_cmd_vdevice_alloc(fd, viommu, dev_id, VIRT_ID, &vdev),
	       "a vDEVICE: by what number the guest knows the device");
	expect(0, _test_cmd_mock_domain_replace(fd, stdev_id, nested, NULL),
	       "the device now uses the guest's page table");
	expect(0, _test_cmd_trigger_vevents(fd, dev_id, 1),
	       "the device does what it should not");
	expect(0, _test_cmd_read_vevents(fd, event_fd, 1, VIRT_ID, &event_seq),
	       "the VMM reads the event, which has the guest's number");
	expect(0, _test_cmd_mock_domain_replace(fd, stdev_id, ioas_id, NULL),
	       "the device leaves the guest");
	expect(0, destroy(vdev), "destroy the vDEVICE");
	expect(0, destroy(nested), "destroy the nested page table");
}

static __u32 show_ring(__u32 viommu)
{
	const __u32 type = IOMMU_HW_QUEUE_TYPE_SELFTEST_IOVA;
	__u64 *ring = mfd_buffer + (RING_BASE - RAM_BASE);
	__u32 queue = 0;
	unsigned int i;

	section("A queue: a ring in guest memory, read by the hardware itself");
	for (i = 0; i != RING_SIZE / sizeof(*ring); i++)
		ring[i] = RING_WORD(i);
	expect(EINVAL, alloc_queue(viommu, type, 0, RING_BASE + 8, NULL),
	       "a ring that is not aligned");
	expect(ERANGE, alloc_queue(viommu, type, 0, 1ULL << 52, NULL),
	       "a ring outside of what the nest parent can translate");
	expect(ENOENT,
	       set(viommu, IOMMU_TEST_VIOMMU_CMD_ENABLE, 1 << QUEUE_BIT),
	       "to enable a queue that is not there");
	expect(0, alloc_queue(viommu, type, 0, RING_BASE, &queue),
	       "queue 0, by the guest's own address of the ring");
	expect(EEXIST, alloc_queue(viommu, type, 0, RING_BASE, NULL),
	       "queue 0 once more");
	expect(EINVAL, ring_doorbell(viommu, 0),
	       "a doorbell while the queue is disabled");
	expect(0, set(viommu, IOMMU_TEST_VIOMMU_CMD_ENABLE, 1 << QUEUE_BIT),
	       "enable it, as the guest asked for in its control register");
	expect(0, ring_doorbell(viommu, 7),
	       "doorbell: the hardware fetches word 7 through the nest parent");
	expect_value(RING_WORD(7), get(viommu, IOMMU_TEST_VIOMMU_CMD_DATA),
		     "it got what the guest wrote there");
	return queue;
}

static void show_fault(__u32 viommu)
{
	section("The VMM takes the memory of the ring away");
	expect(0, unmap_ram(),
	       "unmap it: nothing is pinned, so the queue does not prevent it");
	expect(0, ring_doorbell(viommu, 8),
	       "doorbell: the hardware faults, and reaches no other memory");
	expect_value(1, get(viommu, IOMMU_TEST_VIOMMU_CMD_FAULTS),
		     "number of faults");
	expect(0, _test_cmd_read_vevents(fd, event_fd, 1,
					 IOMMU_TEST_VIRT_ID_QUEUE_FAULT |
						 QUEUE_BIT, &event_seq),
	       "the VMM reads the event, which names the queue");
	expect(0, map_ram(), "map the memory again");
	expect(0, ring_doorbell(viommu, 8), "doorbell");
	expect_value(RING_WORD(8), get(viommu, IOMMU_TEST_VIOMMU_CMD_DATA),
		     "the ring works as before");
}

static void show_pinned_queues(void)
{
	const __u32 type = IOMMU_HW_QUEUE_TYPE_SELFTEST;
	__u32 viommu = 0, queue[2] = {};

	section("The other kind of hardware: queues by host physical address");
	expect(0, _test_cmd_viommu_alloc(fd, dev_id, hwpt_id, 0,
					 IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
					 &viommu),
	       "a vIOMMU of that kind, beside the first one");
	expect(ENOENT, alloc_queue(viommu, type, 0, RAM_BASE + RAM_SIZE, NULL),
	       "a queue where nothing is mapped");
	expect(EIO, alloc_queue(viommu, type, 1, RING_BASE, NULL),
	       "queue 1 before queue 0, which this hardware needs first");
	expect(0, alloc_queue(viommu, type, 0, RING_BASE, &queue[0]),
	       "queue 0; its memory is pinned");
	expect(0, alloc_queue(viommu, type, 1, RING_BASE + RING_SIZE,
			      &queue[1]), "queue 1");
	expect_value(3, get(viommu, IOMMU_TEST_VIOMMU_CMD_QUEUES),
		     "bit map of the queues of this vIOMMU");
	expect(EBUSY, unmap_ram(), "to unmap memory that these queues use");
	expect(EBUSY, destroy(queue[0]), "to destroy queue 0 before queue 1");
	expect(0, destroy(queue[1]), "destroy queue 1");
	expect(0, destroy(queue[0]), "destroy queue 0");
	expect(0, destroy(viommu), "destroy this vIOMMU");
}

static void tear_down(__u32 viommu, __u32 queue)
{
	section("The end of the virtual machine");
	expect(EBUSY, destroy(hwpt_id), "to destroy the nest parent in use");
	expect(EBUSY, destroy(viommu), "to destroy a vIOMMU that has a queue");
	expect(0, close(event_fd), "close the event queue");
	expect(0, destroy(event_id), "destroy the event queue");
	expect(0, destroy(queue), "destroy the queue, which stops it first");
	expect_value(0, get(viommu, IOMMU_TEST_VIOMMU_CMD_ENABLE),
		     "bit map of the enabled queues");
	expect(EBUSY, destroy(viommu), "to destroy it with its page mapped");
	expect(0, munmap(page, page_len), "unmap the MMIO page");
	expect(0, destroy(viommu), "destroy the vIOMMU");
	expect(0, destroy(hwpt_id), "destroy the nest parent");
	expect(0, destroy(stdev_id), "give the device back");
	expect(0, unmap_ram(), "unmap the RAM");
	expect(0, destroy(ioas_id), "destroy the address space");
	expect(0, close(fd), "close /dev/iommu");
}

static void skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(KSFT_SKIP);
}

int main(void)
{
	__u32 viommu, queue;

	setvbuf(stdout, NULL, _IOLBF, 0);
	PAGE_SIZE = sysconf(_SC_PAGE_SIZE);
	mfd_buffer = memfd_mmap(RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				&mfd);
	fd = open("/dev/iommu", O_RDWR);
	if (fd < 0 || mfd_buffer == MAP_FAILED)
		skip(strerror(errno));
	if (try_get(0, 0) && errno == ENOTTY)
		skip("this kernel does not have IOMMU_VIOMMU_COMMAND");
	if (_test_ioctl_set_temp_memory_limit(fd, 65536))
		skip("this kernel does not have CONFIG_IOMMUFD_TEST");

	show_memory();
	viommu = show_viommu();
	show_commands(viommu);
	show_device(viommu);
	queue = show_ring(viommu);
	show_fault(viommu);
	show_pinned_queues();
	tear_down(viommu, queue);
	printf("\n%u steps, all as expected\n", steps);
	return KSFT_PASS;
}
