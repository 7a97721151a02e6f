# SPDX-License-Identifier: GPL-2.0-only
"""Tests of bench_report: figures are differences, and a zero must be one."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "bench_report.py"
# What a run costs that reads nothing, and what 100 invalidations add
EMPTY = {"host_commands": 4, "host_writes": 4, "doorbells": 16,
         "guest_commands": 32, "vmm_commands": 0, "vmm_invalidations": 0,
         "vmm_writes": 0, "cpu": 40000000, "exits": 900, "exits_npf": 20,
         "exits_io": 300, "exits_hlt": 50, "exits_msr": 80, "exits_intr": 12,
         "mmio_reads": 3, "mmio_writes": 5, "mmio_fast": 1,
         "returns": 310, "polls": 700,
         "syscalls": 2100, "ioctls_run": 310, "ioctls_kvm": 312,
         "ioctls_iommu": 2}
READS = {"cpu": 9000000, "exits": 420, "exits_hlt": 100, "exits_msr": 320,
         "returns": 10, "polls": 5, "syscalls": 40, "ioctls_run": 10,
         "ioctls_kvm": 10}
ADDED = {
    "none": {},
    "accel": {"cpu": 600000, "doorbells": 200, "guest_commands": 200},
    "trapped": {"cpu": 6600000, "exits": 210, "exits_npf": 200,
                "mmio_writes": 200, "returns": 200, "ioctls_run": 200,
                "ioctls_kvm": 200, "ioctls_iommu": 100, "syscalls": 300,
                "vmm_commands": 200, "vmm_invalidations": 100,
                "vmm_writes": 200, "host_commands": 200, "host_writes": 200},
}
INDENT = "    "


def words(counts):
    return " ".join(f"{name}={value}" for name, value in counts.items())


def plus(*all_counts):
    """Sum of the counters, in the order of the first"""
    return {name: sum(counts.get(name, 0) for counts in all_counts)
            for name in all_counts[0]}


def bench(mode, pages=1, added=None, vms=1):
    """The two lines of a run, as scripts/boot gets them from level 1"""
    setup = f"cpus=1 disks=1 vms={vms}"
    more = plus(EMPTY, READS, ADDED[mode] if added is None else added)
    rounds = 100 // vms
    return (f"{INDENT}#  RUN           reads of {pages} pages are counted\n"
            f"{INDENT}# bench {mode} {pages} 0 {setup} requests=8 "
            f"{words(EMPTY)}\n"
            f"{INDENT}# guest0: requests 108\n"
            f"{INDENT}# bench {mode} {pages} {rounds} {setup} requests=108 "
            f"{words(more)}\n"
            f"{INDENT}ok 3 - reads of {pages} pages are counted\n")


def life(mode, number):
    return (f"{INDENT}# life {mode} cpus=1 disks=1 vms=1 "
            f"{words(plus(EMPTY, {'ioctls_iommu': number}))} "
            f"0x3b85={number} 0x3b96=2\n")


class BenchReport(unittest.TestCase):
    """Reports of runs in which each number is known"""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.directory = pathlib.Path(self.scratch.name)

    def run_program(self, *args):
        return subprocess.run([sys.executable, PROGRAM, *map(str, args)],
                              capture_output=True, text=True, check=False)

    def raw(self, *lines, name="raw"):
        path = self.directory / name
        path.write_text("KTAP version 1\n" + "".join(lines),
                        encoding="utf-8")
        return path

    def check(self, *lines):
        return self.run_program("check", self.raw(*lines))

    def write(self, *lines, timed=()):
        more = ["--instructions", self.raw(*timed, name="timed")] if timed \
            else []
        done = self.run_program("write", *more, "--version", "level 1: Linux",
                                self.directory, self.raw(*lines))
        self.assertEqual(done.returncode, 0, done.stderr)
        return {suffix: (self.directory / f"figures.{suffix}").read_text(
            encoding="utf-8") for suffix in ("md", "json", "dat")}

    def rows(self, text, title):
        """The cells of the table under that heading"""
        part = text.split(f"## {title}", 1)[1].split("##", 1)[0]
        return [[cell.strip() for cell in line.strip("|").split("|")]
                for line in part.splitlines() if line.startswith("|")][2:]

    def test_good(self):
        done = self.check(bench("none"), bench("accel"), bench("trapped"))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout, "")

    def test_one_exit_is_too_many(self):
        done = self.check(bench("accel", added={"mmio_writes": 1}),
                          bench("trapped"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("accel, 1 pages: 0.01 MMIO exits", done.stdout)

    def test_one_ioctl_is_too_many(self):
        done = self.check(bench("accel", added={"ioctls_iommu": 1}),
                          bench("trapped"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("0.01 ioctls per invalidation", done.stdout)

    def test_trapped_that_does_not_trap(self):
        done = self.check(bench("accel"),
                          bench("trapped", added={"mmio_writes": 199}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("trapped, 1 pages: 1.99 MMIO exits", done.stdout)

    def test_missing_mode(self):
        done = self.check(bench("trapped"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("accel: there are no figures", done.stdout)

    def test_half_a_measurement_is_none(self):
        half = bench("accel").splitlines(keepends=True)[3:]
        done = self.check("".join(half), bench("trapped"))
        self.assertEqual(done.returncode, 1)

    def test_no_figures(self):
        done = self.run_program("write", self.directory, self.raw("ok 1\n"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("there are no figures", done.stderr)

    def test_no_file(self):
        done = self.run_program("check", self.directory / "nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nowhere: No such file", done.stderr)

    def test_main_table(self):
        text = self.write(bench("trapped"), bench("accel"), bench("none"))
        rows = self.rows(text["md"], "Per guest invalidation")
        self.assertEqual([row[1] for row in rows],
                         ["none", "accel", "trapped"])
        self.assertEqual(rows[1], ["1", "accel", "1", "0", "0", "0", "0", "0",
                                   "0", "2", "2", "0", "0"])
        self.assertEqual(rows[2], ["1", "trapped", "1", "2", "1", "2", "1",
                                   "2", "2", "0", "0", "2.1", "2"])

    def test_floor_is_unknown(self):
        text = self.write(bench("accel"))
        row = self.rows(text["md"], "Per guest invalidation")[0]
        self.assertEqual(row[-2:], ["-", "-"])

    def test_instructions(self):
        runs = [bench(mode) for mode in ADDED]
        text = self.write(*runs, timed=runs)
        rows = self.rows(text["md"], "Instructions per guest invalidation")
        self.assertEqual(rows, [["1", "accel", "96000", "1", "6000", "1"],
                                ["1", "trapped", "156000", "1.62", "66000",
                                 "11"]])
        self.assertEqual(text["dat"].splitlines(), [
            '"per invalidation: instructions" accel trapped',
            '"1 page" 6000.0000 66000.0000'])

    def test_data_of_plot(self):
        text = self.write(*(bench(mode, pages) for mode in ADDED
                            for pages in (512, 1)))
        self.assertEqual(text["dat"].splitlines(), [
            '"per invalidation: MMIO exits + ioctls" accel trapped',
            '"1 page" 0.0000 3.0000', '"512 pages" 0.0000 3.0000'])

    def test_growth(self):
        text = self.write(bench("accel"), bench("accel", vms=2))
        rows = self.rows(text["md"], "Growth: reads of one page")
        self.assertEqual([row[:4] for row in rows],
                         [["1", "1", "1", "accel"], ["1", "1", "2", "accel"]])

    def test_lives(self):
        text = self.write(bench("accel"), life("accel", 40), life("none", 30))
        rows = self.rows(text["md"], "Ioctls of a VM's life")
        self.assertIn(["IOMMU_IOAS_MAP", "30", "40"], rows)
        self.assertIn(["IOMMU_VIOMMU_COMMAND", "2", "2"], rows)
        self.assertIn(["all of iommufd and VFIO", "32", "42"], rows)
        self.assertIn(["of KVM, without KVM_RUN", "2", "2"], rows)

    def test_json(self):
        data = json.loads(self.write(bench("trapped"), bench("none"))["json"])
        self.assertEqual(data["versions"], ["level 1: Linux"])
        figures = data["figures"][0]
        self.assertEqual(figures["invalidations"], 100)
        self.assertEqual(figures["per_invalidation"]["traps"], 2)
        self.assertNotIn("cpu", figures["per_invalidation"])
