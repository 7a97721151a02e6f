// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tour of the hardware vIOMMU of an AMD IOMMU
 *
 * Plays a VMM and the IOMMU driver of its guest, and prints each step, what the
 * kernel refuses, and what the IOMMU does for the guest without the host. Stops
 * at the first deviation. What this costs the host is counted, in this process
 * and by the emulated hardware, and is in the report at the end.
 */
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "amd_viommu_demo.h"

static struct cost alloc_cost, rings_cost, enable_cost, fault_cost, end_cost;
static __u64 efr;

struct bit {
	unsigned int nr;
	const char *name;
};

/* In place of that of the C library, so that nobody calls it uncounted */
int ioctl(int fd, unsigned long cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	ioctls++;
	return syscall(SYS_ioctl, fd, cmd, arg);
}

static int destroy(__u32 id)
{
	return amd_guest_destroy(guest, id);
}

static long long get(__u16 index)
{
	__u64 val = 0;

	return amd_viommu_get(v, index, &val) ?: (long long)val;
}

static int try_get(__u16 index)
{
	__u64 val = 0;

	return amd_viommu_get(v, index, &val);
}

static int try_queue(__u32 type, __u32 index, __u64 base, __u64 length)
{
	__u32 id;

	return amd_viommu_queue(v, type, index, base, length, &id);
}

static void show_host(void)
{
	section("The host: memory for a guest, a device, and the IOMMU");
	printf("%3u. guest memory: %zu MiB at guest physical 0x%llx\n", ++steps,
	       guest->size >> 20, AMD_RAM_GPA);
	printf("%3u. a PCI device of VFIO, 0x%04x on the host\n", ++steps,
	       amd_hw_devid(&hw.setup.dev));
	efr = amd_hw_efr(&hw);
	printf("%3u. IOMMU_GET_HW_INFO: EFR 0x%llx, bit 55 is the vIOMMU\n",
	       ++steps, efr);
	require(efr >> 55 & 1, "this bit is 0");
	expect_count(0, guests_in_debugfs(), "guests that it has by now");
	expect_count(0, windows_in_iomem(), "windows for registers of guests");
	expect(amd_guest_parent(guest, &hw.setup.dev, 0),
	       "the nest parent: guest physical addresses to those of the host");
}

/* Nothing in what a VMM gets depends on the ID that the hardware knows */
static void show_guest_id(void)
{
	struct amd_hw other;
	int other_gid;

	gid = amd_model_gid(v);
	printf("%3u. the hardware says that it has guest ID %d\n", ++steps,
	       gid);
	expect(amd_hw_open(&other, 1) ? -ENODEV : 0,
	       "another VMM does the same with another device");
	other_gid = amd_model_gid(&other.v);
	printf("%3u. the hardware says that this one has guest ID %d\n",
	       ++steps, other_gid);
	require(gid > 0 && other_gid > 0 && gid != other_gid, "no two guests");
	expect(other.v.mmap_offset != v->mmap_offset ||
	       other.v.mmap_length != v->mmap_length || other.v.caps != v->caps,
	       "but both VMMs have got the same answer, to the last bit");
	expect_count(2, guests_in_debugfs(), "guests in debugfs of the host");
	amd_hw_close(&other);
	expect_count(1, guests_in_debugfs(), "and when the other VMM is gone");
}

static void show_viommu(void)
{
	section("A vIOMMU: the guest's share of the hardware");
	expect(COST(&alloc_cost, amd_viommu_alloc(v, guest, &hw.setup.dev)),
	       "IOMMU_VIOMMU_ALLOC");
	printf("     caps 0x%x, %lld bytes to map at offset 0x%llx, that is all\n",
	       v->caps, v->mmap_length, v->mmap_offset);
	require(v->caps & IOMMU_VIOMMU_AMD_CAP_HW_QUEUES, "without queues");
	denied(ENXIO, try_map(guest->iommufd, v->mmap_offset + AMD_PAGE,
			      AMD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED),
	       "mmap of another offset");
	denied(ENXIO, try_map(guest->iommufd, v->mmap_offset, 2 * AMD_PAGE,
			      PROT_READ | PROT_WRITE, MAP_SHARED),
	       "mmap of a page more, which is the next guest's");
	denied(EPERM, try_map(guest->iommufd, v->mmap_offset, AMD_PAGE,
			      PROT_READ | PROT_EXEC, MAP_SHARED),
	       "mmap to execute it");
	expect(COST(&alloc_cost, amd_viommu_map(v)),
	       "mmap: page 0x2000 of the guest's IOMMU, no exits there");
	expect_value(0, amd_vf_read(v, AMD_VF_CMD_TAIL), "its command tail");
	show_guest_id();
	expect_count(2, windows_in_iomem(), "windows for registers of guests");
}

static void show_vdevice(void)
{
	__u32 id;

	section("The device gets the number by which the guest knows it");
	denied(EINVAL, amd_guest_vdevice(guest, &hw.setup.dev, 0x10000, &id),
	       "a number of 17 bits");
	expect(COST(&alloc_cost, amd_guest_vdevice(guest, &hw.setup.dev,
						   AMD_VIRT_ID,
						   &hw.setup.vdevice_id)),
	       "vDEVICE 0x0123, in the map that only the kernel writes");
	denied(EEXIST, amd_guest_vdevice(guest, &hw.setup.dev, 1, &id),
	       "the same device by another number");
	expect(COST(&alloc_cost,
		    amd_guest_veventq(guest, 16, &hw.setup.veventq_id,
				      &hw.setup.event_fd)),
	       "an event queue, for what the VMM has to know");
}

static void show_refused_rings(void)
{
	section("What no VMM gets, whatever its guest asks for");
	denied(EINVAL, amd_viommu_set(v, CONTROL, AMD_CONTROL_CMD_BUF_EN),
	       "SET of CmdBufEn without a ring");
	denied(EINVAL, amd_viommu_set(v, CONTROL, 1),
	       "SET of IommuEn, the host's own switch");
	denied(EACCES, amd_viommu_set(v, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, 0),
	       "SET of a base register");
	denied(EACCES, amd_viommu_set(v, STATUS, 0), "SET of the status");
	denied(ENOENT, try_get(IOMMU_VIOMMU_AMD_CMD_CMD_BASE),
	       "GET of the base of a ring that is not there");
	denied(EOPNOTSUPP, try_get(0), "GET of index 0, the device table");
	denied(EOPNOTSUPP, amd_viommu_set(v, 0x2008, 16),
	       "SET of an index not in the list");
	denied(EINVAL, try_queue(CMD_QUEUE, 0, AMD_RAM_GPA + 8, RING_SIZE),
	       "a ring that is not aligned");
	denied(EINVAL, try_queue(CMD_QUEUE, 0, AMD_RAM_GPA, RING_SIZE - 16),
	       "a ring whose length is no power of two");
	denied(EINVAL, try_queue(CMD_QUEUE, 0, AMD_RAM_GPA, 2 * AMD_RING_MAX),
	       "a ring of 1 MiB, twice what hardware has a code for");
	denied(EINVAL, try_queue(CMD_QUEUE, 1, AMD_RAM_GPA, RING_SIZE),
	       "command buffer number 1");
	denied(EOPNOTSUPP, try_queue(9, 0, AMD_RAM_GPA, RING_SIZE),
	       "a ring of a type that there is not");
	expect_value(0, get(CONTROL), "after all that, control reads");
}

static void show_rings(void)
{
	const long long status = AMD_STATUS_CMD_RUN | AMD_STATUS_EVT_RUN;
	__u64 control;

	section("The rings, in guest memory, by guest physical address");
	expect(COST(&rings_cost, amd_rings_init(&hw.rings, v, RING_SIZE)),
	       "command buffer, event log, PPR log of 1024 entries each");
	denied(EEXIST, try_queue(CMD_QUEUE, 0, AMD_RAM_GPA, RING_SIZE),
	       "a second command buffer");
	expect_value(amd_viommu_base(ring->gpa, RING_SIZE),
		     get(IOMMU_VIOMMU_AMD_CMD_CMD_BASE),
		     "GET of the base, as the guest's own register has it");
	control = amd_rings_control(&hw.rings);
	expect(COST(&enable_cost, amd_viommu_start(&hw.rings)),
	       "SET of control: CmdBufEn, EvtLogEn, PprLogEn, PprEn");
	expect_value(control, get(CONTROL), "GET of control");
	expect_value(status, get(STATUS) & status,
		     "GET of the status: command buffer and event log run");
	expect_value(get(STATUS), amd_vf_read(v, AMD_VF_STATUS),
		     "and the guest reads in its page");
	expect(amd_ring_sync(ring),
	       "COMPLETION_WAIT and doorbell: its number is in guest memory");
	denied(EBUSY, destroy(guest->viommu_id),
	       "to destroy the vIOMMU with queues");
}

static void show_tables(void)
{
	section("The device uses tables that the guest has written");
	expect(amd_hw_nest(&hw),
	       "a nested HWPT by the guest's DTE, and the device is attached");
	expect(amd_hw_dma(&hw),
	       "DMA to 0x7a5555600000 arrives in the page the guest has there");
}

static void show_one_change(void)
{
	section("The guest changes its table");
	pages[0] = amd_guest_page(guest);
	pages[1] = amd_guest_page(guest);
	expect(settle_pages(invalidate_by_ring),
	       "512 addresses of the guest are one page, which DMA gets to");
	mapped = 1;
	expect(map_page(0) ?: dma_to(0, 0),
	       "another page there now: DMA gets to the old one, that is known");
	expect(amd_ring_run(ring, inv_cmd(1)) ?: dma_to(0, 0),
	       "INVALIDATE_IOMMU_PAGES of another address: still the old one");
	expect(amd_ring_run(ring, inv_cmd(0)) ?: dma_to(0, 1),
	       "of this address, COMPLETION_WAIT, doorbell: the new one");
	mapped = 0;
	expect(map_page(0) ?: invalidate_by_ring(1) ?: dma_to(0, 0),
	       "and back");
}

static void count_row(const struct row *row, struct cost *cost,
		      int (*invalidate)(unsigned int))
{
	char what[96];
	int rc;

	snprintf(what, sizeof(what),
		 "%u x %u: DMA to the old page before, to the new one after",
		 row->times, row->pages);
	rc = settle_pages(invalidate);
	rc = rc ?: COST(cost, change_pages(row, invalidate));
	expect(rc, what);
	printf("     host: ioctls %lld, commands %lld, register writes %lld\n",
	       cost->ioctls, cost->commands, cost->writes + cost->vfctrl);
	if (cost->posted)
		printf("     guest: posted %lld, executed %lld, doorbells %lld\n",
		       cost->posted, cost->executed, cost->doorbells);
}

static void show_counts(void)
{
	unsigned int i;

	section("Invalidations counted: the guest's ring");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cost *cost = &rows[i].by_ring;

		count_row(&rows[i], cost, invalidate_by_ring);
		require(!cost->ioctls && !cost->commands && !cost->writes &&
			!cost->vfctrl, "the host had to do something");
		require(cost->doorbells == rows[i].times, "other doorbells");
		require(cost->executed == cost->posted, "other commands");
	}
	section("The same, trapped: ring off, IOMMU_HWPT_INVALIDATE of the VMM");
	expect(amd_viommu_disable(v, AMD_CONTROL_CMD_BUF_EN), "CmdBufEn off");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cost *cost = &rows[i].by_vmm;

		count_row(&rows[i], cost, invalidate_by_vmm);
		require(cost->ioctls == rows[i].times, "other ioctls");
		require(cost->commands > rows[i].times * rows[i].pages,
			"too few commands of the host");
	}
	expect(amd_viommu_enable(v, AMD_CONTROL_CMD_BUF_EN), "CmdBufEn on");
	expect(amd_ring_sync(ring), "the guest's ring goes on");
}

static void show_fault(void)
{
	const __u64 bad = AMD_GVA + MOST * AMD_PAGE;
	struct amd_event event = {};
	int rc;

	section("A fault of the device, which is the guest's business");
	fails(EFAULT, COST(&fault_cost, amd_device_dma(&hw.setup.dev, bad)),
	      "DMA to where the guest has mapped nothing");
	rc = COST(&fault_cost, amd_ring_pop_event(&hw.rings.evt, &event));
	expect(rc, "the guest finds an event in its own log");
	expect_value(AMD_EVENT_PAGE_FAULT, event.code, "IO_PAGE_FAULT");
	expect_value(AMD_VIRT_ID, event.devid, "of the guest's device");
	expect_value(bad, event.addr, "at the guest's address");
	expect_count(0, fault_cost.ioctls + fault_cost.commands +
		     fault_cost.writes + fault_cost.vfctrl,
		     "ioctls, commands and register writes of the host for it");
	fails(EAGAIN, amd_event_read(hw.setup.event_fd, &event),
	      "the VMM looks for an event: there is none");
}

static void show_lost_ring(void)
{
	const __u64 at = ring->gpa + ring->next;
	struct amd_event event = {};

	section("The VMM takes the memory of the ring away");
	expect(amd_guest_unmap(guest, AMD_RAM_GPA, guest->size),
	       "unmap it: nothing is pinned, so the ring does not prevent it");
	fails(EIO, amd_ring_sync(ring),
	      "a command there: the ring stops");
	expect(amd_event_read(hw.setup.event_fd, &event),
	       "an event for the VMM");
	expect_value(AMD_EVENT_GUEST_FAULT, event.code, "GUEST_EVENT_FAULT");
	expect_value(at, event.addr, "at the guest physical address");
	expect(amd_guest_map(guest, guest->ram, AMD_RAM_GPA, guest->size),
	       "map the memory again");
	expect(amd_viommu_disable(v, AMD_CONTROL_CMD_BUF_EN) ?:
	       amd_viommu_enable(v, AMD_CONTROL_CMD_BUF_EN),
	       "CmdBufEn off and on, as the guest would do it");
	expect(amd_ring_wait_head(ring, ring->next),
	       "the command that was waiting is executed");
	expect(amd_ring_sync(ring) ?: dma_to(0, mapped),
	       "ring and device work as before");
}

static void show_wrong_end(void)
{
	section("The end of the guest, in the wrong order");
	denied(EBUSY, destroy(guest->ioas_id), "to destroy its memory");
	denied(EBUSY, destroy(guest->hwpt_id), "to destroy the nest parent");
	denied(EBUSY, destroy(hw.hwpt_id),
	       "to destroy the nested HWPT while the device has it");
	denied(EBUSY, destroy(guest->viommu_id), "to destroy the vIOMMU");
	expect(amd_ring_sync(ring) ?: dma_to(0, mapped),
	       "none of that has hurt the guest");
}

static void show_end(void)
{
	section("And in the right one");
	expect(COST(&end_cost, amd_viommu_reset(&hw.rings)),
	       "control 0, destroy the queues: the hardware knows no ring");
	expect(COST(&end_cost, amd_device_detach(&hw.setup.dev)),
	       "detach the device");
	expect(COST(&end_cost, destroy(hw.hwpt_id)), "destroy the nested HWPT");
	expect(COST(&end_cost, destroy(hw.setup.vdevice_id)),
	       "destroy the vDEVICE");
	close(hw.setup.event_fd);
	expect(COST(&end_cost, destroy(hw.setup.veventq_id)),
	       "destroy the event queue");
	denied(EBUSY, destroy(guest->viommu_id),
	       "to destroy the vIOMMU with its page mapped");
	expect(COST(&end_cost, amd_viommu_free(v)),
	       "munmap, destroy the vIOMMU");
	expect(destroy(guest->hwpt_id), "destroy the nest parent");
	amd_device_close(&hw.setup.dev);
	amd_guest_exit(guest);
	section("Nothing is left on the host");
	expect_count(0, guests_in_debugfs(), "guests in debugfs");
	expect_count(0, windows_in_iomem(), "windows in /proc/iomem");
	expect_count(0, monitor_number("stat-violations"),
		     "rules of the hardware that were broken");
	expect_count(0, monitor_number("stale-translations") +
		     monitor_number("stale-dtes") +
		     monitor_number("viommu-audit"),
		     "translations, DTEs or IDs kept that are wrong by now");
}

static void print_cost(const char *what, const struct cost *cost)
{
	printf("  %-36s %7lld %9lld %10lld %7lld\n", what, cost->ioctls,
	       cost->commands, cost->writes, cost->vfctrl);
}

static void print_row(const struct row *row, const char *how,
		      const struct cost *cost)
{
	printf("  %4u x %3u  %-8s %7lld %9lld %10lld %7lld %9lld %10lld %7lld\n",
	       row->times, row->pages, how, cost->posted, cost->executed,
	       cost->doorbells, cost->ioctls, cost->commands, cost->writes,
	       cost->vfctrl);
}

static void print_bits(const char *what, __u64 bits, const struct bit *names,
		       unsigned int num)
{
	unsigned int i;

	printf("  %-9s", what);
	for (i = 0; i < num; i++)
		printf(bits >> names[i].nr & 1 ? " %s" : "", names[i].name);
	putchar('\n');
}

static void print_hardware(void)
{
	static const struct bit features[] = {
		{ 1, "PPRSup" }, { 4, "GTSup" }, { 7, "GASup" },
		{ 24, "DualPprLogSup" }, { 28, "DualEventLogSup" },
		{ 48, "GIoSup" }, { 49, "HASup" }, { 52, "HDSup" },
		{ 55, "vIommuSup" },
	}, caps[] = {
		{ 0, "HW_QUEUES" }, { 1, "PPR" }, { 2, "EVT_B" },
		{ 3, "PPR_B" }, { 4, "LOG_IRQ" },
	};
	struct utsname uts;

	uname(&uts);
	printf("  %-9s Linux %s\n", "host", uts.release);
	print_bits("IOMMU", efr, features, ARRAY_SIZE(features));
	print_bits("vIOMMU", v->caps, caps, ARRAY_SIZE(caps));
}

/* All of this has been required to get here */
static void print_facts(void)
{
	static const char *const facts[] = {
		"the VMM neither chooses nor sees the guest ID",
		"a changed page is stale until the guest's own invalidation",
		"a fault is in the guest's log, by the guest's device number",
		"a ring without memory stops, the VMM is told, and it goes on",
		"the end has an order, and leaves nothing on the host",
	};
	unsigned int i;

	printf("  %-9s %u steps, of which %u are refusals\n", "verified", steps,
	       refusals);
	for (i = 0; i < ARRAY_SIZE(facts); i++)
		printf("  %-9s %s\n", "", facts[i]);
}

static void report(void)
{
	unsigned int i;

	section("Report");
	print_hardware();
	print_facts();
	printf("\n  %-36s %7s %9s %10s %7s\n", "cost of the host", "ioctls",
	       "commands", "registers", "VFctrl");
	print_cost("vIOMMU, page, vDEVICE, event queue", &alloc_cost);
	print_cost("three rings", &rings_cost);
	print_cost("the guest enables them, first time", &enable_cost);
	print_cost("a fault, in the guest's log", &fault_cost);
	print_cost("the end", &end_cost);
	printf("\n  %-22s%-29s%s\n", "invalidations", "in the guest's ring",
	       "of the host");
	printf("  %-20s %7s %9s %10s %7s %9s %10s %7s\n", "times x pages",
	       "posted", "executed", "doorbells", "ioctls", "commands",
	       "registers", "VFctrl");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		print_row(&rows[i], "ring", &rows[i].by_ring);
		print_row(&rows[i], "trapped", &rows[i].by_vmm);
	}
}

static void skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(KSFT_SKIP);
}

int main(void)
{
	const char *why;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!amd_has_monitor())
		skip("no monitor of emulated hardware, which counts");
	why = amd_hw_open_device(&hw, 0);
	if (why)
		skip(why);
	show_host();
	show_viommu();
	show_vdevice();
	show_refused_rings();
	show_rings();
	show_tables();
	show_one_change();
	show_counts();
	show_fault();
	show_lost_ring();
	show_wrong_end();
	show_end();
	report();
	puts("\nAll as expected");
	return KSFT_PASS;
}
