#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run the unit tests of this directory and print KTAP."""

import io
import pathlib
import sys
import unittest


def cases(suite):
    """All single tests of a nested suite"""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def main():
    here = str(pathlib.Path(__file__).resolve().parent)
    tests = list(cases(unittest.defaultTestLoader.discover(here)))
    print(f"KTAP version 1\n1..{len(tests)}")
    status = 0
    for number, test in enumerate(tests, 1):
        text = io.StringIO()
        runner = unittest.TextTestRunner(stream=text, verbosity=0)
        good = runner.run(unittest.TestSuite([test])).wasSuccessful()
        if not good:
            status = 1
            for line in text.getvalue().splitlines():
                print("#", line)
        print("ok" if good else "not ok", number, "-",
              ".".join(test.id().split(".")[-3:]))
    return status


if __name__ == "__main__":
    sys.exit(main())
