# SPDX-License-Identifier: GPL-2.0-only
"""Tests of check-errnos: the header's lists against what the tests printed."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parent.parent / "check-errnos"

HEADER = """\
/**
 * struct iommu_first - ioctl(IOMMU_FIRST)
 * @size: sizeof(struct iommu_first)
 *
 * - a list that is not about errors
 *
 * The ioctl fails with:
 *
 * - EINVAL: @size is 0, or something that needs
 *   a second line - EIO: is not an entry
 * - ENOENT: no such object
 */
struct iommu_first {
\t__u32 size;
};

/**
 * enum iommu_kind - Not an ioctl
 *
 * - EPERM: not an ioctl either
 */

/**
 * struct iommu_second - ioctl(IOMMU_SECOND)
 * @size: sizeof(struct iommu_second)
 *
 * - EBUSY: in use
 */
"""

ALL = """\
KTAP version 1
# errno FIRST EINVAL
    # errno FIRST ENOENT
        #     # errno SECOND EBUSY\r
ok 1 - errno SECOND EIO
"""


class CheckErrnos(unittest.TestCase):
    def run_check(self, header, ktap):
        with tempfile.TemporaryDirectory() as name:
            tree = pathlib.Path(name)
            path = tree / "include/uapi/linux/iommufd.h"
            path.parent.mkdir(parents=True)
            path.write_text(header, encoding="utf-8")
            if ktap is not None:
                (tree / "ktap").write_text(ktap, encoding="utf-8")
            run = subprocess.run([sys.executable, CHECK, tree, tree / "ktap"],
                                 capture_output=True, text=True, check=False)
        return run.returncode, run.stdout, run.stderr

    def test_all_hit(self):
        status, out, _ = self.run_check(HEADER, ALL)
        self.assertEqual(out.splitlines(), [
            "KTAP version 1", "1..3", "ok 1 - FIRST EINVAL",
            "ok 2 - FIRST ENOENT", "ok 3 - SECOND EBUSY"])
        self.assertEqual(status, 0)

    def test_one_not_hit(self):
        status, out, _ = self.run_check(
            HEADER, ALL.replace("# errno FIRST ENOENT", ""))
        self.assertIn("ok 1 - FIRST EINVAL\n", out)
        self.assertIn("\nnot ok 2 - FIRST ENOENT\n", out)
        self.assertIn("\nok 3 - SECOND EBUSY\n", out)
        self.assertEqual(status, 1)

    def test_hit_of_the_other_ioctl_does_not_count(self):
        status, out, _ = self.run_check(
            HEADER, ALL.replace("SECOND EBUSY", "FIRST EBUSY"))
        self.assertIn("not ok 3 - SECOND EBUSY\n", out)
        self.assertIn("not ok 4 - FIRST EBUSY\n", out)
        self.assertEqual(status, 1)

    def test_hit_that_is_not_documented(self):
        status, out, _ = self.run_check(HEADER, ALL + "# errno FIRST EIO\n")
        self.assertIn("1..4\n", out)
        self.assertIn("not ok 4 - FIRST EIO\n", out)
        self.assertEqual(status, 1)

    def test_plan_matches_results(self):
        _, out, _ = self.run_check(HEADER, "")
        lines = out.splitlines()
        self.assertEqual(lines[1], "1..3")
        self.assertEqual(sum(l.startswith("not ok ") for l in lines), 3)

    def test_header_without_lists(self):
        status, out, err = self.run_check("/* nothing */\n", ALL)
        self.assertNotEqual(status, 0)
        self.assertEqual(out, "")
        self.assertIn("no list of errnos", err)

    def test_no_results(self):
        status, _, err = self.run_check(HEADER, None)
        self.assertNotEqual(status, 0)
        self.assertIn("cannot read", err)


if __name__ == "__main__":
    unittest.main()
