# SPDX-License-Identifier: GPL-2.0-only
"""Tests of guest-disk: it believes no checksum that it has not computed."""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "guest-disk"
MIB = 1 << 20


class GuestDisk(unittest.TestCase):
    """A disk of 32 MiB and reports of what guests said of it"""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.directory = pathlib.Path(self.scratch.name)
        self.image = self.directory / "disk0.img"
        self.run_program("make", self.image, 32)

    def run_program(self, *words):
        return subprocess.run([sys.executable, PROGRAM, *map(str, words)],
                              capture_output=True, text=True, check=False)

    def line(self, at, mib, where=None):
        """What a guest says that reads there and tells the truth"""
        data = self.image.read_bytes()[at * MIB:(at + mib) * MIB]
        return (f"    # guest0: sha256 {hashlib.sha256(data).hexdigest()} of "
                f"disk0 at {at if where is None else where} MiB, {mib} MiB\n")

    def check(self, *lines):
        report = self.directory / "report"
        report.write_text("".join(lines), encoding="utf-8")
        return self.run_program("check", self.directory, report)

    def test_true(self):
        done = self.check(self.line(0, 16), self.line(4, 2), self.line(0, 16))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("1..2", done.stdout)

    def test_wrong_place(self):
        done = self.check(self.line(0, 16), self.line(4, 2, 5))
        self.assertEqual(done.returncode, 1)
        self.assertIn("not ok 2 - disk0, 2 MiB at 5 MiB", done.stdout)

    def test_two_answers(self):
        done = self.check(self.line(4, 2), self.line(5, 2, 4))
        self.assertEqual(done.returncode, 1)

    def test_nothing_said(self):
        self.assertEqual(self.check("ok 1 - nothing\n").returncode, 1)

    def test_start_is_filled(self):
        data = self.image.read_bytes()
        self.assertEqual(len(data), 32 * MIB)
        self.assertEqual(len({data[at:at + 512]
                              for at in range(0, 16 * MIB, 512)}), 32768)
        self.assertEqual(data[16 * MIB:].strip(b"\0"), b"")
