/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sweeps of a VMM's calls, each of which fails once at every point where it can
 *
 * Needs CONFIG_FAULT_INJECTION with failslab, as iommufd_fail_nth does. After
 * each failure the same sequence has to succeed, so nothing may be left behind.
 */
#ifndef __SELFTEST_IOMMU_AMD_FAIL_NTH
#define __SELFTEST_IOMMU_AMD_FAIL_NTH

#include <fcntl.h>
#include <stdio.h>

#include "amd_utils.h"

/* Injection points are looked for up to this one */
#define MAX_NTH 4000

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		len = -errno;
	close(fd);
	return len < 0 ? len : 0;
}

/* State of the injection: its file, whether it is on, whether it came to it */
static int nth_fd = -1;
static bool armed, injected;

/* Every call may fail, and the log is for splats */
static int setup_fault_injection(void)
{
	int rc;

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	if (nth_fd < 0)
		return -errno;
	rc = write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	if (rc)
		return rc;
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	write_file("/sys/kernel/debug/fail_iommufd/verbose", "0");
	return 0;
}

/* The nth next call that can fail does */
static int start_nth(unsigned int nth)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", nth);

	armed = true;
	injected = false;
	return pwrite(nth_fd, buf, len, 0) == len ? 0 : -errno;
}

/* From here on nothing fails. Turning it off can be what does. */
static void stop_nth(void)
{
	char buf[16] = "";

	if (!armed)
		return;
	armed = false;
	if (pread(nth_fd, buf, sizeof(buf) - 1, 0) < 0)
		injected = true;
	else
		injected = !strtoul(buf, NULL, 10);
	if (pwrite(nth_fd, "0", 1, 0) != 1)
		pwrite(nth_fd, "0", 1, 0);
}

/* A sequence: does as much as it can, then undoes all of that */
typedef int (*sequence)(void *arg);

/* Undoing must not fail, so it is not asked to */
static int undo(const struct amd_guest *guest, __u32 id, int rc)
{
	int rc2;

	stop_nth();
	rc2 = amd_guest_destroy(guest, id);
	return rc2 ? -EPROTO : rc;
}

static void sweep(struct __test_metadata *_metadata, const char *name,
		  sequence func, void *arg)
{
	unsigned int nth, failed = 0;
	int rc = 0;

	/* Whatever is allocated once and for all */
	ASSERT_EQ(0, func(arg));
	for (nth = 1; nth < MAX_NTH; nth++) {
		ASSERT_EQ(0, start_nth(nth));
		rc = func(arg);
		stop_nth();
		ASSERT_NE(-EPROTO, rc)
			TH_LOG("point %u", nth);
		/* Not every failure is one of the caller's */
		failed += !!rc;
		ASSERT_EQ(0, func(arg))
			TH_LOG("after point %u", nth);
		if (!injected && !rc)
			break;
	}
	EXPECT_GT(MAX_NTH, nth);
	EXPECT_LT(0, failed);
	printf("# %s: %u injection points, %u errors\n", name, nth - 1, failed);
}

#endif
