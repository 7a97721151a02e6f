// SPDX-License-Identifier: GPL-2.0-only
/* An IOMMU for KUnit tests: the driver's code down to the ring, no hardware */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "fake-test.h"

static struct fake_iommu *fake_iommu(void)
{
	return kunit_get_current_test()->priv;
}

static void fake_atomic128_set(u128 *ptr, u128 val)
{
	struct fake_iommu *fake = fake_iommu();

	*ptr = val;
	if (fake->on_write)
		fake->on_write(kunit_get_current_test(), ptr);
}

static int fake_queue_command(struct amd_iommu *iommu, struct iommu_cmd *cmd)
{
	struct fake_iommu *fake = fake_iommu();

	if (fake->queue_ret && fake->count >= fake->fail_from)
		return fake->queue_ret;
	if (fake->count < FAKE_CMDS)
		fake->cmds[fake->count] = *cmd;
	fake->count++;
	return 0;
}

static int fake_completion_wait(struct amd_iommu *iommu)
{
	struct fake_iommu *fake = fake_iommu();

	fake->waited = fake->count;
	fake->waits++;
	if (fake->on_wait)
		fake->on_wait(kunit_get_current_test());
	return fake->wait_ret;
}

struct fake_iommu *fake_iommu_init(struct kunit *test)
{
	struct fake_iommu *fake;
	int i;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);

	raw_spin_lock_init(&fake->iommu.lock);
	fake->iommu.pci_seg = &fake->seg;
	fake->seg.dev_table = fake->dev_table;
	fake->seg.alias_table = fake->alias_table;
	fake->seg.last_bdf = FAKE_DEVICES - 1;
	for (i = 0; i < FAKE_DEVICES; i++)
		fake->alias_table[i] = i;

	test->priv = fake;
	kunit_activate_static_stub(test, amd_iommu_atomic128_set,
				   fake_atomic128_set);
	kunit_activate_static_stub(test, iommu_queue_command,
				   fake_queue_command);
	kunit_activate_static_stub(test, iommu_completion_wait,
				   fake_completion_wait);
	return fake;
}

/* Never registered: nothing but what the driver looks at is filled in */
struct fake_dev *fake_dev_init(struct kunit *test, struct fake_iommu *fake,
			       u16 devid, bool is_pci)
{
	struct fake_dev *fdev;

	fdev = kunit_kzalloc(test, sizeof(*fdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fdev);

	fdev->bus.number = PCI_BUS_NUM(devid);
	fdev->pdev.bus = &fdev->bus;
	fdev->pdev.devfn = devid & 0xff;
	fdev->pdev.dev.bus = is_pci ? &pci_bus_type : NULL;
	fdev->pdev.dev.iommu = &fdev->param;
	fdev->param.iommu_dev = &fake->iommu.iommu;
	fdev->param.priv = &fdev->data;

	mutex_init(&fdev->data.mutex);
	spin_lock_init(&fdev->data.dte_lock);
	fdev->data.dev = &fdev->pdev.dev;
	fdev->data.devid = devid;
	return fdev;
}

void __user *fake_user(struct kunit *test, const void *data, size_t len)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(len),
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);
	KUNIT_ASSERT_EQ(test, copy_to_user((void __user *)addr, data, len), 0);
	return (void __user *)addr;
}
