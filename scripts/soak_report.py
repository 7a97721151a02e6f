#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The summary of scripts/soak.

    soak_report.py RESULTS FILE OPS ROUNDS SEED

Reads RESULTS/soak.parts and what the machines reported, writes FILE and prints a
table. Exits with status 1 if a part failed, or if one has no case that passed.
"""

import json
import re
import sys
from pathlib import Path

import ktap

COUNT = re.compile(r"#\s*(\d+) (ioctls|rounds)\b")


def read_part(results, line):
    """One line of soak.parts with the verdicts of its cases"""
    name, flavour, machine, status, seconds = line.split()
    raw = results / f"soak-{name}.ktap.raw"
    verdicts = {"pass": 0, "fail": 0, "skip": 0, "xfail": 0}
    for case in ktap.parse_file(raw, end_mark=True)[0]:
        for _, leaf in case.leaves():
            verdicts[leaf.verdict] += 1
    done = 0
    for found in COUNT.finditer(raw.read_text(errors="replace")):
        done = max(done, int(found[1]))
    works = status == "0" and not verdicts["fail"] and verdicts["pass"] > 0
    return {"part": name, "kernel": flavour, "machine": machine,
            "works": works, "seconds": int(seconds), "passed": verdicts["pass"],
            "failed": verdicts["fail"], "skipped": verdicts["skip"],
            "ioctls_or_rounds": done}


def main():
    if len(sys.argv) != 6:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    results, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = (results / "soak.parts").read_text().splitlines()
    parts = [read_part(results, line) for line in lines]
    summary = {"ops": int(sys.argv[3]), "rounds": int(sys.argv[4]),
               "seed": int(sys.argv[5]), "parts": parts}
    target.write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{'part':12} {'kernel':12} {'passed':>6} {'failed':>6} "
          f"{'skipped':>7} {'ioctls':>8} {'seconds':>7}")
    for part in parts:
        print(f"{part['part']:12} {part['kernel']:12} {part['passed']:6} "
              f"{part['failed']:6} {part['skipped']:7} "
              f"{part['ioctls_or_rounds']:8} {part['seconds']:7} "
              f"{'works' if part['works'] else 'FAILED'}")
    return 0 if parts and all(part["works"] for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
