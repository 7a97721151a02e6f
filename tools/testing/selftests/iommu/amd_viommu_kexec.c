// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: the rings of a guest have stopped when the next kernel
 * takes over
 *
 *   amd_viommu_kexec KERNEL
 *
 * Ends the kernel it runs on without a goodbye to anybody, so it is not among
 * the programs that a run of all tests takes. A guest runs its rings, and
 * KERNEL is started with the initial ramdisk of this one, which retain_initrd
 * on the kernel command line keeps. It is expected to run this program again:
 * that is where the result comes from.
 */
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>

#include "amd_viommu_utils.h"

/* Tells the second kernel that it is the second one */
#define MARK " amd_viommu_kexec=second"

static const char *kernel;

static int read_cmdline(char *buf, size_t room)
{
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, room - 1);
	close(fd);
	if (len <= 0)
		return -EIO;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

/* The kernel wants a file that it can read from any offset: a copy in memory */
static int open_initrd(void)
{
	int from = open("/sys/firmware/initrd", O_RDONLY | O_CLOEXEC);
	int to = memfd_create("initrd", MFD_CLOEXEC);
	static char buf[65536];
	ssize_t len = -1;

	if (from >= 0 && to >= 0)
		while ((len = read(from, buf, sizeof(buf))) > 0)
			if (write(to, buf, len) != len)
				break;
	close(from);
	if (!len)
		return to;
	close(to);
	return -1;
}

/* Words after " -- " are for init: the mark goes before them */
static int load_next(void)
{
	char now[4096], next[4200];
	const char *init;
	int image, initrd, rc;

	rc = read_cmdline(now, sizeof(now));
	if (rc)
		return rc;
	init = strstr(now, " -- ") ?: now + strlen(now);
	snprintf(next, sizeof(next), "%.*s" MARK "%s", (int)(init - now), now,
		 init);
	image = open(kernel, O_RDONLY | O_CLOEXEC);
	initrd = open_initrd();
	if (image < 0 || initrd < 0)
		return -ENOENT;
	rc = syscall(SYS_kexec_file_load, image, initrd, strlen(next) + 1, next,
		     0) ? -errno : 0;
	close(image);
	close(initrd);
	return rc;
}

static bool is_second(void)
{
	char cmdline[4200];

	return !read_cmdline(cmdline, sizeof(cmdline)) &&
	       strstr(cmdline, MARK);
}

FIXTURE(kexec)
{
	struct amd_hw hw;
};

FIXTURE_SETUP(kexec)
{
	const char *why;

	if (!kernel)
		SKIP(return, "no kernel to start");
	if (!amd_has_monitor())
		SKIP(return, "no monitor of emulated hardware");
	why = amd_hw_open_device(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(kexec)
{
	amd_hw_close(&self->hw);
}

static int start_guest(struct amd_hw *hw)
{
	int rc = amd_viommu_alloc(&hw->v, &hw->setup.guest, &hw->setup.dev);

	rc = rc ?: amd_viommu_map(&hw->v);
	rc = rc ?: amd_hw_start(hw, AMD_RING_MIN);
	rc = rc ?: amd_hw_nest(hw);
	return rc ?: amd_ring_sync(&hw->rings.cmd);
}

TEST_F(kexec, no_ring_runs_in_the_next_kernel)
{
	if (!is_second()) {
		ASSERT_EQ(0, start_guest(&self->hw));
		ASSERT_EQ(1, monitor_number("viommu-running"));
		ASSERT_EQ(0, load_next());
		fflush(stdout);
		ASSERT_EQ(0, reboot(RB_KEXEC));
		/* Not reached */
	}

	EXPECT_EQ(0, monitor_number("viommu-running"));
	/* And the hardware is free for another guest */
	ASSERT_EQ(0, start_guest(&self->hw));
	EXPECT_EQ(1, monitor_number("viommu-running"));
	EXPECT_EQ(0, amd_hw_dma(&self->hw));
	EXPECT_EQ(0, monitor_number("stat-violations"));
}

int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-') {
		kernel = argv[1];
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	return test_harness_run(argc, argv);
}
