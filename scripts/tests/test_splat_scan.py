# SPDX-License-Identifier: GPL-2.0-only
"""Tests of splat-scan: each kind of complaint is seen, nothing else is."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCAN = pathlib.Path(__file__).resolve().parent.parent / "splat-scan"
START = "[    0.000000] Linux version 7.3.4-viommu (viommu@viommu) #1 SMP\r\n"

SPLATS = """\
WARNING: drivers/iommu/iommufd/main.c:123 at iommufd_fops_ioctl+0x1/0x2, CPU#0: a/1
WARNING: CPU: 1 PID: 99 at mm/page_alloc.c:1 f+0x1/0x2
------------[ cut here ]------------
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffffffc0000000
BUG: KASAN: slab-use-after-free in iommufd_object_remove+0x1/0x2
BUG: sleeping function called from invalid context at mm/slab.h:1
BUG: scheduling while atomic: iommufd/7/0x00000002
BUG: soft lockup - CPU#1 stuck for 26s! [iommufd:99]
watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [iommufd:99]
watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 30s!
BUG kmalloc-64 (Tainted: G    B): Poison overwritten
BUG: Bad page state in process iommufd  pfn:12345
kernel BUG at drivers/iommu/amd/iommu.c:1!
UBSAN: array-index-out-of-bounds in drivers/iommu/iommufd/viommu.c:1:2
UBSAN: shift-out-of-bounds in lib/x.c:1:2
Oops: general protection fault, probably for non-canonical address 0xdffffc00: 0000
Oops: 0000 [#1] SMP KASAN
invalid opcode: 0000 [#1] SMP
Kernel panic - not syncing: kernel: panic_on_warn set ...
INFO: task iommufd:99 blocked for more than 60 seconds.
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: inconsistent lock state
WARNING: lock held when returning to user space!
WARNING: suspicious RCU usage
WARNING: bad unlock balance detected!
[ BUG: Invalid wait context ]
DEBUG_LOCKS_WARN_ON(lock->magic != lock)
INFO: trying to register non-static key.
BUG: MAX_LOCKDEP_ENTRIES too low!
unreferenced object 0xffff888004d0a000 (size 64):
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
refcount_t: underflow; use-after-free.
list_add corruption. prev->next should be next (1), but was 2. (prev=3).
list_del corruption, 1->next is LIST_POISON1 (2)
ODEBUG: free active (active state 0) object: 1 object type: timer_list
iommufd: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL)
Out of memory: Killed process 99 (iommufd)
iommufd invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0
Call Trace:
""".splitlines()

CLEAN = """\
[    0.295525] AMD-Vi: [Firmware Bug]: : No southbridge IOAPIC found
[    0.950000] AMD-Vi: Using strict mode due to virtualization
[    1.106694] lkdtm: No crash points registered, enable through debugfs
[   16.759940] kobject: kobject_add_internal failed for 3 (error: -12 parent: iommu_groups)
[   16.783610] iommufd_mock iommufd_mock1: Failed to add to iommu group 3: -12
[   17.000000] traps: iommufd[99] general protection fault ip:401000 sp:7ffc error:0
[   17.100000] iommufd[99]: segfault at 0 ip 0000000000401000 sp 00007ffc error 4
[   17.200000] kmemleak: Kernel memory leak detector initialized (mem pool available: 1)
[   17.300000] debug: BUGS are welcome, WARNINGS too
[   17.709952] reboot: Power down
"""


def scan(text):
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.write(text)
        log.flush()
        return subprocess.run([sys.executable, SCAN, log.name], text=True,
                              stdout=subprocess.PIPE, check=False)


class SplatScan(unittest.TestCase):
    def test_each_complaint(self):
        for number, line in enumerate(SPLATS):
            with self.subTest(line=line):
                text = f"{START}{CLEAN}[   {number}.000001] {line}\r\n"
                result = scan(text)
                self.assertEqual(result.returncode, 1)
                self.assertIn(line, result.stdout)

    def test_clean_log(self):
        result = scan(START + CLEAN)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_one_complaint_is_reported_once(self):
        trace = "".join(f"[    2.0] {line}\n" for line in (
            "------------[ cut here ]------------", "WARNING: a.c:1 at f",
            "Call Trace:", " f+0x1/0x2", "---[ end trace ]---"))
        self.assertIn("splat 1 of 1,", scan(START + trace).stdout)
        far = START + trace + CLEAN * 10 + trace
        self.assertIn("splat 2 of 2,", scan(far).stdout)

    def test_a_log_without_a_kernel_proves_nothing(self):
        self.assertEqual(scan("").returncode, 2)
        self.assertEqual(scan(CLEAN).returncode, 2)

    def test_missing_log(self):
        result = subprocess.run([sys.executable, SCAN, "/nonexistent"],
                                stdout=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
