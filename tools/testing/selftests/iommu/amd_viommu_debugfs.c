// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD hardware vIOMMU: what an administrator sees of a guest, as it is said in
 * Documentation/ABI/testing/debugfs-amd-viommu
 */
#include <glob.h>
#include <pthread.h>

#include "amd_viommu_utils.h"

#define GUESTS "/sys/kernel/debug/iommu/amd/iommu*/guest*"

FIXTURE(debugfs)
{
	struct amd_hw hw;
	char dir[PATH_MAX];
	size_t before;
	long tainted;
};

/* How many guests there are; the path of the last one */
static size_t guests(char *last)
{
	size_t num = 0;
	glob_t found;

	if (glob(GUESTS, 0, NULL, &found))
		return 0;
	num = found.gl_pathc;
	if (last)
		snprintf(last, PATH_MAX, "%s", found.gl_pathv[num - 1]);
	globfree(&found);
	return num;
}

FIXTURE_SETUP(debugfs)
{
	const char *why;

	if (access("/sys/kernel/debug/iommu/amd", F_OK))
		SKIP(return, "no debugfs of the AMD IOMMU");
	self->before = guests(NULL);
	why = amd_hw_open(&self->hw, 0);
	if (why)
		SKIP(return, "%s", why);
	self->tainted = amd_tainted();
	ASSERT_EQ(self->before + 1, guests(self->dir));
}

FIXTURE_TEARDOWN(debugfs)
{
	amd_hw_close(&self->hw);
	EXPECT_EQ(self->before, guests(NULL));
	EXPECT_EQ(self->tainted, amd_tainted());
}

static int open_file(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%.4000s/%s", dir, name);
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

/* All of a file: its length, or a negative errno */
static int read_all(const char *dir, const char *name, char *buf, size_t room)
{
	int fd = open_file(dir, name, O_RDONLY);
	size_t used = 0;
	ssize_t len;

	if (fd < 0)
		return fd;
	while ((len = read(fd, buf + used, room - 1 - used)) > 0)
		used += len;
	if (len < 0)
		len = -errno;
	close(fd);
	buf[used] = '\0';
	return len ?: (int)used;
}

/* The number behind @key at the start of a line, or -1 */
static long long value_of(const char *dir, const char *name, const char *key)
{
	char buf[4096], *line;

	if (read_all(dir, name, buf, sizeof(buf)) < 0)
		return -1;
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, key, strlen(key)) &&
		    line[strlen(key)] == ' ')
			return strtoull(line + strlen(key), NULL, 0);
	return -1;
}

#define test_value(file, key, expected) \
	EXPECT_EQ(expected, value_of(self->dir, file, key))

TEST_F(debugfs, registers)
{
	struct amd_rings *rings = &self->hw.rings;

	ASSERT_EQ(0, amd_hw_start(&self->hw, 2 * AMD_RING_MIN));
	ASSERT_EQ(0, amd_ring_sync(&rings->cmd));
	test_value("registers", "vf cmd_head",
		   (long long)amd_vf_read(&self->hw.v, AMD_VF_CMD_HEAD));
	test_value("registers", "vf cmd_tail",
		   (long long)amd_vf_read(&self->hw.v, AMD_VF_CMD_TAIL));
	test_value("registers", "vf status",
		   (long long)amd_vf_read(&self->hw.v, AMD_VF_STATUS));
	/* Base, and the length code of 8 KiB; what else is in there varies */
	EXPECT_EQ((long long)(rings->cmd.gpa | 9),
		  value_of(self->dir, "registers", "vfctrl cmd") & ~0xff0LL);
	EXPECT_EQ((long long)(rings->evt.gpa | 9),
		  value_of(self->dir, "registers", "vfctrl evt") & ~0xff0LL);
	EXPECT_LE(0, value_of(self->dir, "registers", "vfctrl ppr_b_base"));
	test_value("registers", "vf nothing", -1);
}

/* Hardware reads as what was written to it, unless it lost it */
TEST_F(debugfs, written)
{
	char buf[4096], *line;
	int num = 0;

	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_LT(0, read_all(self->dir, "registers", buf, sizeof(buf)));
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long long is, written;

		if (sscanf(line, "vfctrl %*s %llx written %llx", &is,
			   &written) != 2)
			continue;
		EXPECT_EQ(written, is);
		num++;
	}
	EXPECT_EQ(6, num);
}

TEST_F(debugfs, devices)
{
	int devid = amd_hw_devid(&self->hw.setup.dev);

	EXPECT_LT(0, value_of(self->dir, "devices", "translate"));
	test_value("devices", "0x0123", -1);
	ASSERT_EQ(0, amd_setup_vdevice(&self->hw.setup));
	test_value("devices", "0x0123", devid);
	/* It means nothing any more */
	ASSERT_EQ(0, amd_guest_destroy(&self->hw.setup.guest,
				       self->hw.setup.vdevice_id));
	test_value("devices", "0x0123", -1);
}

TEST_F(debugfs, domains)
{
	char buf[4096];

	ASSERT_LT(0, read_all(self->dir, "domains", buf, sizeof(buf)));
	EXPECT_NE(NULL, strstr(buf, " unused\n"));
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	ASSERT_EQ(0, amd_hw_nest(&self->hw));
	ASSERT_LT(0, read_all(self->dir, "domains", buf, sizeof(buf)));
	EXPECT_EQ(NULL, strstr(buf, "unused"));
	EXPECT_LT(0, value_of(self->dir, "domains", "0x0042"));
	EXPECT_NE(value_of(self->dir, "domains", "scratch"),
		  value_of(self->dir, "domains", "0x0042"));
}

TEST_F(debugfs, counters)
{
	long long writes = value_of(self->dir, "counters", "map_writes");

	EXPECT_LE(0, writes);
	ASSERT_EQ(0, amd_hw_start(&self->hw, AMD_RING_MIN));
	/* All of both maps once, and a few that change */
	writes = value_of(self->dir, "counters", "map_writes") - writes;
	EXPECT_LE(2 * 65536, writes);
	EXPECT_GE(132000, writes);
	test_value("counters", "events", 0);
	test_value("counters", "stuck", 0);
	/* An unknown device is no event, a bad address is one for the VMM */
	ASSERT_EQ(0, amd_ring_run(&self->hw.rings.cmd,
				  amd_cmd_iotlb(AMD_VIRT_ID + 1, 0)));
	test_no_vmm_event(&self->hw);
	test_value("counters", "events", 0);
	EXPECT_EQ(-EIO, amd_ring_run(&self->hw.rings.cmd,
				     amd_cmd_wait(AMD_NO_GPA, 1, 1)));
	test_vmm_event(&self->hw, AMD_EVENT_GUEST_FAULT, AMD_NO_GPA);
	test_value("counters", "events", 1);
}

/* Not even for root, who may open any file */
TEST_F(debugfs, read_only)
{
	static const char *const names[] = {
		"registers", "devices", "domains", "counters",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open_file(self->dir, names[i], O_WRONLY);

		EXPECT_LE(0, fd);
		EXPECT_EQ(-1, write(fd, "1", 1));
		EXPECT_EQ(EINVAL, errno);
		close(fd);
	}
}

static void *read_for_ever(void *stop)
{
	char dir[PATH_MAX], buf[4096];

	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		if (!guests(dir))
			continue;
		read_all(dir, "registers", buf, sizeof(buf));
		read_all(dir, "devices", buf, sizeof(buf));
		read_all(dir, "domains", buf, sizeof(buf));
	}
	return NULL;
}

/* Who reads while the guest goes gets nothing, or what there was */
TEST_F(debugfs, guests_come_and_go)
{
	struct amd_guest second = self->hw.setup.guest;
	bool stop = false;
	pthread_t thread;
	int i, rc = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_for_ever, &stop));
	for (i = 0; i < 200 && !rc; i++) {
		struct amd_viommu v;

		rc = amd_viommu_alloc(&v, &second, &self->hw.setup.dev);
		rc = rc ?: amd_viommu_free(&v);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, rc);
}

TEST_HARNESS_MAIN
