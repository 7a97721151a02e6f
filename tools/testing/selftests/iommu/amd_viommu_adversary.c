// SPDX-License-Identifier: GPL-2.0-only
/*
 * The adversary of iommufd on the hardware vIOMMU of an AMD IOMMU: ioctls of
 * iommufd and VFIO, rings and tables of random content, random writes to the
 * registers of the guest; see viommu_adversary.h
 *
 * OPS=n sets the number of ioctls (100000), SEED=n repeats the choices of a
 * run.
 * Two iommu-testdev and two edu devices are needed, each in a group of its own.
 */
#include <dirent.h>
#include <glob.h>

#include "amd_viommu_utils.h"
#include "viommu_adversary.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_SECONDS 30

#define PCI_DEVICES "/sys/bus/pci/devices/"
#define TESTDEV "0x1b36 0x0005"
#define EDU "0x1234 0x11e8"

/* Of the victim is the second iommu-testdev: amd_device_open() finds it */
enum { DMA0, EDU0, EDU1, NUM_DEVICES };

static char bdfs[NUM_DEVICES][NAME_MAX + 1];

static void read_id(const char *bdf, const char *file, char *id, size_t room)
{
	char path[PATH_MAX];
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "%s/%s", bdf, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, id, room - 1);
		close(fd);
	}
	id[len < 0 ? 0 : len] = '\0';
	id[strcspn(id, "\n")] = '\0';
}

/* The nth device with that vendor and device ID */
static bool find_device(const char *ids, unsigned int nth, char *bdf,
			size_t room)
{
	struct dirent **list;
	bool found = false;
	int i, num;

	num = scandir(PCI_DEVICES, &list, NULL, alphasort);
	for (i = 0; i < num; i++) {
		char vendor[16], device[16], text[40];

		read_id(list[i]->d_name, "vendor", vendor, sizeof(vendor));
		read_id(list[i]->d_name, "device", device, sizeof(device));
		snprintf(text, sizeof(text), "%s %s", vendor, device);
		if (!found && !strcmp(text, ids) && !nth--) {
			snprintf(bdf, room, "%s", list[i]->d_name);
			found = true;
		}
		free(list[i]);
	}
	if (num >= 0)
		free(list);
	return found;
}

/*
 * Attackers
 */

static bool devices(struct adv_thread *t)
{
	unsigned int i = EDU0;

	if (t->ctx == &t->process->ctx[0])
		i = t->process->number ? EDU1 : DMA0;
	return adv_vfio_bind(t, bdfs[i]);
}

static __u64 some_gpa(struct adv_thread *t)
{
	return adv_near(t, ADV_RAM_IOVA + adv_draw(t, ADV_RAM_SIZE));
}

static __u64 some_page(struct adv_thread *t)
{
	return adv_near(t, ADV_RAM_IOVA +
			   adv_draw(t, ADV_RAM_SIZE / ADV_PAGE) * ADV_PAGE);
}

static __u16 some_id(struct adv_thread *t)
{
	return adv_draw(t, 4) ? adv_draw(t, 4) : adv_random(t);
}

/* One command: all fields of both words, those that are reserved seldom */
static void random_command(struct adv_thread *t, __u64 cmd[2])
{
	__u64 op = adv_draw(t, 16) ? 1 + adv_draw(t, 8) : adv_draw(t, 16);

	switch (op) {
	case 1:
		cmd[0] = (some_gpa(t) & 0xffffffffffff8ULL) | adv_draw(t, 8);
		cmd[1] = adv_random(t);
		break;
	case 3:
		cmd[0] = (adv_draw(t, 2) ? adv_random(t) & 0xfffff : 0) |
			 (__u64)some_id(t) << 32;
		cmd[1] = (adv_random(t) & ~0xfffULL) | adv_draw(t, 8);
		break;
	case 4:
		cmd[0] = some_id(t) | (__u64)some_id(t) << 32 |
			 (adv_draw(t, 2) ? adv_random(t) & 0xff0000ff000000ULL :
					   0);
		cmd[1] = (adv_random(t) & ~0xfffULL) | adv_draw(t, 8);
		break;
	default:
		cmd[0] = some_id(t);
		cmd[1] = adv_draw(t, 8) ? 0 : adv_random(t);
	}
	cmd[0] |= op << 60;
	cmd[adv_draw(t, 2)] ^= adv_draw(t, 16) ? 0 : 1ULL << adv_draw(t, 64);
}

static void inv_data(struct adv_thread *t, void *data)
{
	random_command(t, data);
}

/* Commands, or entries of a table: both are taken from the same memory */
static void fill(struct adv_thread *t, void *page)
{
	bool table = !adv_draw(t, 4);
	__u64 *word = page;
	unsigned int i;

	for (i = 0; i < ADV_PAGE / sizeof(*word); i += 2) {
		if (table) {
			word[i] = (some_page(t) & ~0xfffULL) | 7;
			word[i + 1] = adv_draw(t, 4) ? word[i] : adv_random(t);
		} else {
			random_command(t, &word[i]);
		}
	}
}

static size_t hwpt_data(struct adv_thread *t, void *data)
{
	struct iommu_hwpt_amd_guest *hwpt = data;
	struct amd_tables tables = {
		.gcr3 = some_page(t),
		.glx = adv_draw(t, 3),
		.levels = 4 + adv_draw(t, 2),
	};
	__u64 dte[4];
	unsigned int i;

	amd_tables_dte(&tables, some_id(t), dte);
	if (!adv_draw(t, 16))
		dte[0] = adv_draw(t, 4);
	for (i = 0; i < 4; i++)
		hwpt->dte[i] = adv_near(t, dte[i]);
	return sizeof(*hwpt);
}

/* The guest's registers: where the rings are is as random as what is in them */
static void poke(struct adv_thread *t, void *page)
{
	static const unsigned int regs[] = {
		AMD_VF_CMD_TAIL, AMD_VF_CMD_TAIL, AMD_VF_CMD_TAIL,
		AMD_VF_CMD_HEAD, AMD_VF_EVT_HEAD, AMD_VF_EVT_TAIL,
		AMD_VF_STATUS, AMD_VF_PPR_HEAD, AMD_VF_PPR_TAIL,
		AMD_VF_PPR_B_HEAD, AMD_VF_PPR_B_TAIL, AMD_VF_EVT_B_HEAD,
		AMD_VF_EVT_B_TAIL,
	};
	unsigned int i, num = 1 + adv_draw(t, 4);

	for (i = 0; i < num; i++) {
		unsigned int reg = regs[adv_draw(t, ARRAY_LEN(regs))];
		__u64 value = adv_near(t, adv_draw(t, 256) * AMD_ENTRY);

		if (!adv_draw(t, 16))
			reg = adv_draw(t, ADV_PAGE / 8) * 8;
		if (reg == AMD_VF_STATUS)
			value = adv_draw(t, 2) ? ~0ULL : adv_random(t);
		__atomic_store_n((__u64 *)(page + reg), value,
				 __ATOMIC_SEQ_CST);
	}
}

/* Bits that there are, so that rings run */
static void op_control(struct adv_thread *t)
{
	const __u64 bits = AMD_CONTROL_CMD_BUF_EN | AMD_CONTROL_EVT_LOG_EN |
			   AMD_CONTROL_EVT_INT_EN | AMD_CONTROL_COMWAIT_INT_EN |
			   AMD_CONTROL_PPR_LOG_EN | AMD_CONTROL_PPR_INT_EN |
			   AMD_CONTROL_PPR_EN;
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = adv_id(t, ADV_VIOMMU),
		.op = IOMMU_VIOMMU_COMMAND_OP_SET,
		.index = CONTROL,
		.val64 = adv_near(t, bits & adv_random(t)),
	};

	if (adv_draw(t, 2))
		cmd.val64 = adv_draw(t, 2) ? AMD_CONTROL_CMD_BUF_EN : 0;
	adv_call(t, IOMMU_VIOMMU_COMMAND, &cmd, sizeof(cmd));
}

/* The device of the first attacker writes to wherever */
static void op_dma(struct adv_thread *t)
{
	__u64 addr = adv_draw(t, 2) ? some_gpa(t) & ~3ULL : AMD_GVA;
	__u32 word[] = { addr, addr >> 32, 4, 0, 1 };
	int fd = t->process->vfio[0];

	if (fd < 0 || t->process->number)
		return;
	/* Address, length and, behind the result, the order to have it ready */
	if (pwrite(fd, word, 12, 4) == 12 && pwrite(fd, &word[4], 4, 20) == 4 &&
	    pread(fd, &word[3], 4, 0) == 4)
		adv_count(t, 0);
	else
		adv_count(t, -errno);
}

static struct adv_op amd_ops[16] = {
	{ "control", op_control, 16 },
	{ "dma", op_dma, 10 },
};

/* Guests that the driver knows of */
static long guests(void)
{
	glob_t found;
	long num = 0;

	if (!glob("/sys/kernel/debug/iommu/amd/iommu*/guest*", 0, NULL,
		  &found))
		num = found.gl_pathc;
	globfree(&found);
	return num;
}

/*
 * The victim: a guest whose rings run and whose device works
 */

static struct amd_hw vm;
static unsigned int turn;

static const char *victim_start(void)
{
	const char *why = amd_hw_open(&vm, 1);

	if (why)
		return why;
	if (amd_hw_start(&vm, AMD_RING_MIN))
		return "its rings do not start";
	if (amd_hw_nest(&vm))
		return "its device cannot be attached";
	return amd_hw_dma(&vm) ? "its device does not work" : NULL;
}

static const char *check_rings(void)
{
	struct pollfd pfd = { .fd = vm.setup.event_fd, .events = POLLIN };
	__u64 tail = amd_vf_read(&vm.v, AMD_VF_CMD_TAIL);

	if (tail != vm.rings.cmd.next)
		return "somebody else has written to its registers";
	if (amd_ring_sync(&vm.rings.cmd))
		return "a command of it is not completed";
	if (amd_vf_read(&vm.v, AMD_VF_EVT_TAIL) != vm.rings.evt.next)
		return "there is an event in its log that is not its own";
	if (poll(&pfd, 1, 0))
		return "its VMM gets an event that is not its own";
	return NULL;
}

static const char *victim_check(void)
{
	const char *why = check_rings();
	__u64 control = 0;

	if (why)
		return why;
	if (amd_viommu_get(&vm.v, CONTROL, &control) ||
	    control != amd_rings_control(&vm.rings))
		return "its control register has changed";
	return amd_hw_dma(&vm) ? "DMA of its device does not arrive" : NULL;
}

/* A second vIOMMU has the guest ID that somebody has just had */
static const char *victim_step(void)
{
	struct amd_guest second = vm.setup.guest;
	__u64 value = ++turn % 255 * AMD_ENTRY;
	const char *why = NULL;
	struct amd_viommu v;
	unsigned int i;

	if (amd_viommu_alloc(&v, &second, &vm.setup.dev))
		return "cannot allocate a vIOMMU";
	/* Where no guest ID is left it has no registers */
	if (v.mmap_length) {
		if (amd_viommu_map(&v))
			return "cannot map its registers";
		amd_vf_write(&v, AMD_VF_CMD_TAIL, value);
		amd_vf_write(&v, AMD_VF_EVT_HEAD, value);
		for (i = 0; i < 4 && !why; i++) {
			usleep(500);
			if (amd_vf_read(&v, AMD_VF_CMD_TAIL) != value ||
			    amd_vf_read(&v, AMD_VF_EVT_HEAD) != value)
				why = "somebody else has written to its new registers";
		}
	}
	if (amd_viommu_free(&v))
		return "cannot destroy a vIOMMU that nobody uses";
	if (!why && turn % 16 == 0)
		why = victim_check();
	return why ?: check_rings();
}

static const char *victim_end(void)
{
	struct amd_guest *guest = &vm.setup.guest;

	if (amd_viommu_reset(&vm.rings) ||
	    amd_device_detach(&vm.setup.dev) ||
	    amd_guest_destroy(guest, vm.hwpt_id) ||
	    amd_guest_destroy(guest, vm.setup.vdevice_id))
		return "cannot destroy what it has made";
	amd_hw_close(&vm);
	return NULL;
}

static struct adv_driver amd = {
	.name = "AMD hardware vIOMMU",
	.viommu_types = ADV_LIST(IOMMU_VIOMMU_TYPE_AMD),
	.queue_types = ADV_LIST(CMD_QUEUE, CMD_QUEUE, EVT_QUEUE, PPR_QUEUE),
	.veventq_types = ADV_LIST(IOMMU_VEVENTQ_TYPE_AMD,
				  IOMMU_VEVENTQ_TYPE_AMD_IRQ),
	.hwpt_types = ADV_LIST(IOMMU_HWPT_DATA_AMD_GUEST),
	.inv_types = ADV_LIST(IOMMU_VIOMMU_INVALIDATE_DATA_AMD),
	.indices = ADV_LIST(0x08, 0x10, 0x18, 0x38, 0xf0, 0xf8, 0x2020),
	.viommu_data = sizeof(struct iommu_viommu_amd),
	.offset_at = offsetof(struct iommu_viommu_amd,
			      out_vfmmio_mmap_offset),
	.map_pages = 1,
	.inv_len = sizeof(struct iommu_viommu_amd_invalidate),
	.ops = amd_ops,
	.devices = devices,
	.hwpt_data = hwpt_data,
	.inv_data = inv_data,
	.fill = fill,
	.poke = poke,
	.leftovers = guests,
	.victim_start = victim_start,
	.victim_step = victim_step,
	.victim_check = victim_check,
	.victim_end = victim_end,
};

FIXTURE(amd_viommu_adversary)
{
};

FIXTURE_SETUP(amd_viommu_adversary)
{
	const char *why;
	struct amd_hw hw;

	why = amd_hw_open(&hw, 1);
	if (why)
		SKIP(return, "%s", why);
	amd_hw_close(&hw);
	if (!find_device(TESTDEV, 0, bdfs[DMA0], sizeof(bdfs[0])) ||
	    !find_device(EDU, 0, bdfs[EDU0], sizeof(bdfs[0])) ||
	    !find_device(EDU, 1, bdfs[EDU1], sizeof(bdfs[0])))
		SKIP(return, "not enough devices for attackers");
}

FIXTURE_TEARDOWN(amd_viommu_adversary)
{
}

/* The time limit is for the long run */
TEST_F_TIMEOUT(amd_viommu_adversary, hardware, 28800)
{
	unsigned int i, num = 2;
	struct adv_result result;

	for (i = 0; i < adv_num_vfio_ops; i++)
		amd_ops[num++] = adv_vfio_ops[i];
	amd.num_ops = num;
	adv_run(&amd, &result);
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
