# SPDX-License-Identifier: GPL-2.0-only
"""Suites beside each other: what is printed, and who waits for whom"""
import os
import stat
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "suites.py")


class Suites(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def suite(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, stat.S_IRWXU)

    def run_suites(self, *words):
        done = subprocess.run([sys.executable, SCRIPT, self.dir, self.dir,
                               *words], capture_output=True, text=True,
                              check=True)
        return [line.split(":") for line in done.stdout.splitlines()]

    def read(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as file:
            return file.read()

    def test_order_status_and_document(self):
        self.suite("late", "sleep 0.5; echo one")
        self.suite("bad", "echo two; exit 3")
        self.suite("killed", "kill -9 $$")
        rows = self.run_suites("late:1", "bad:1", "killed:1")
        self.assertEqual([(row[0], row[1], row[3]) for row in rows],
                         [("late", "0", "late.ktap"), ("bad", "3", "bad.ktap"),
                          ("killed", "255", "killed.ktap")])
        self.assertEqual(self.read("late.ktap"), "one\n")
        self.assertEqual(self.read("bad.ktap"), "two\n")

    def test_beside_each_other(self):
        # Each waits for the other to have begun
        for name, other in ("a", "b"), ("b", "a"):
            self.suite(name, f"touch {self.dir}/{name}.begun\n"
                       f"for i in $(seq 100); do [ -e {self.dir}/{other}.begun ]"
                       " && exit 0; sleep 0.1; done; exit 1\n")
        self.assertEqual([row[1] for row in self.run_suites("a:1", "b:1")],
                         ["0", "0"])

    def test_not_more_than_there_are_processors(self):
        many = len(os.sched_getaffinity(0)) + 1
        for name in "a", "b":
            self.suite(name, f"mkdir {self.dir}/alone || exit 1\nsleep 0.5\n"
                       f"rmdir {self.dir}/alone\n")
        rows = self.run_suites(f"a:{many}", f"b:{many}")
        self.assertEqual([row[1] for row in rows], ["0", "0"])


if __name__ == "__main__":
    unittest.main()
