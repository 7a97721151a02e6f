#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmark counted, as tables, data and a plot.

    bench_report.py check RAW
        exit status 1 and a line for each mode that is not what it should be
    bench_report.py write [--instructions RAW] [--version TEXT]... DIR RAW
        DIR/figures.md, DIR/figures.json, DIR/figures.dat for gnuplot

RAW has the lines "# bench ..." and "# life ..." that guest/level1/bench.c
describes. Each number is a difference of two differences: what a run moved a
counter by, less what a run of no rounds did, per invalidation.
"""

import argparse
import json
import pathlib
import re
import sys
from dataclasses import dataclass

BENCH = re.compile(r"# bench (?P<mode>\w+) (?P<pages>\d+) (?P<rounds>\d+) "
                   r"(?P<words>.*=.*)")
LIFE = re.compile(r"# life (?P<mode>\w+) (?P<words>.*=.*)")
SETUP = ("cpus", "disks", "vms")
SINGLE = (1, 1, 1)
MODES = ("none", "accel", "trapped", "emulated", "virtio")
# MMIO exits of a guest per invalidation: at least, at most. A request to a
# virtio-iommu need not trap if its VMM is still at work.
TRAPS = {"none": (0, 0), "accel": (0, 0), "trapped": (2, None),
         "emulated": (2, None), "virtio": (1, None)}
# Those that must not be missing: without them a check would say nothing
WANTED = ("accel", "trapped")

IOCTLS = {
    0x3b64: "VFIO_GET_API_VERSION", 0x3b65: "VFIO_CHECK_EXTENSION",
    0x3b6b: "VFIO_DEVICE_GET_INFO", 0x3b6c: "VFIO_DEVICE_GET_REGION_INFO",
    0x3b6d: "VFIO_DEVICE_GET_IRQ_INFO", 0x3b6e: "VFIO_DEVICE_SET_IRQS",
    0x3b6f: "VFIO_DEVICE_RESET",
    0x3b70: "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO",
    0x3b71: "VFIO_DEVICE_PCI_HOT_RESET", 0x3b74: "VFIO_DEVICE_IOEVENTFD",
    0x3b75: "VFIO_DEVICE_FEATURE", 0x3b76: "VFIO_DEVICE_BIND_IOMMUFD",
    0x3b77: "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
    0x3b78: "VFIO_DEVICE_DETACH_IOMMUFD_PT",
    0x3b80: "IOMMU_DESTROY", 0x3b81: "IOMMU_IOAS_ALLOC",
    0x3b82: "IOMMU_IOAS_ALLOW_IOVAS", 0x3b83: "IOMMU_IOAS_COPY",
    0x3b84: "IOMMU_IOAS_IOVA_RANGES", 0x3b85: "IOMMU_IOAS_MAP",
    0x3b86: "IOMMU_IOAS_UNMAP", 0x3b87: "IOMMU_OPTION",
    0x3b88: "IOMMU_VFIO_IOAS", 0x3b89: "IOMMU_HWPT_ALLOC",
    0x3b8a: "IOMMU_GET_HW_INFO", 0x3b8b: "IOMMU_HWPT_SET_DIRTY_TRACKING",
    0x3b8c: "IOMMU_HWPT_GET_DIRTY_BITMAP", 0x3b8d: "IOMMU_HWPT_INVALIDATE",
    0x3b8e: "IOMMU_FAULT_QUEUE_ALLOC", 0x3b8f: "IOMMU_IOAS_MAP_FILE",
    0x3b90: "IOMMU_VIOMMU_ALLOC", 0x3b91: "IOMMU_VDEVICE_ALLOC",
    0x3b92: "IOMMU_IOAS_CHANGE_PROCESS", 0x3b93: "IOMMU_VEVENTQ_ALLOC",
    0x3b94: "IOMMU_HW_QUEUE_ALLOC", 0x3b96: "IOMMU_VIOMMU_COMMAND",
}


@dataclass
class Figures:
    """One mode, one number of pages, one set-up, per invalidation"""
    mode: str
    setup: tuple
    pages: int
    rounds: int
    invalidations: int
    counts: dict

    @property
    def per_read(self):
        """How many invalidations there are for one read"""
        cpus, disks, vms = self.setup
        return self.invalidations / (self.rounds * cpus * disks * vms)

    def get(self, name):
        """A counter, or a sum of some, per invalidation"""
        parts = {"traps": ("mmio_reads", "mmio_writes", "mmio_fast"),
                 "wakeups": ("returns", "polls")}.get(name, (name,))
        return sum(self.counts[part] for part in parts) / self.invalidations


def words(text):
    """Numbers by name, of "name=number name=number" and so on"""
    return {name: int(value) for name, value in
            (word.split("=", 1) for word in text.split() if "=" in word)}


def setup_of(counts):
    """Takes what describes the set-up out of the counters"""
    return tuple(counts.pop(name) for name in SETUP)


def read_raw(path):
    """(list of Figures, {(mode, setup): counters of a life})"""
    runs, lives = {}, {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = BENCH.search(line)
            if found:
                counts = words(found["words"])
                key = (found["mode"], setup_of(counts), int(found["pages"]))
                runs.setdefault(key, {})[int(found["rounds"])] = counts
            found = LIFE.search(line)
            if found:
                counts = words(found["words"])
                lives[found["mode"], setup_of(counts)] = counts
    return [item for key, pair in runs.items()
            for item in figures(key, pair)], lives


def figures(key, pair):
    """Of one run with rounds and one without; none if there are not both"""
    mode, setup, pages = key
    rounds = max(pair)
    if 0 not in pair or not rounds:
        return
    grown = {name: value - pair[0].get(name, 0)
             for name, value in pair[rounds].items()}
    requests = grown.pop("requests")
    if requests > 0:
        yield Figures(mode, setup, pages, rounds, requests, grown)


def check(all_figures):
    """What is not as it should be, one line each"""
    for mode in WANTED:
        if not any(item.mode == mode for item in all_figures):
            yield f"{mode}: there are no figures"
    for item in all_figures:
        where = f"{item.mode}, {item.pages} pages"
        least, most = TRAPS.get(item.mode, (0, None))
        traps, ioctls = item.get("traps"), item.get("ioctls_iommu")
        if traps < least or (most is not None and traps > most):
            yield f"{where}: {traps:g} MMIO exits per invalidation"
        if most == 0 and ioctls:
            yield f"{where}: {ioctls:g} ioctls per invalidation"


class Report:
    """All that was counted, and how to show it"""

    def __init__(self, raw, instructions=None, versions=()):
        self.figures, self.lives = read_raw(raw)
        self.timed = read_raw(instructions)[0] if instructions else []
        self.versions = list(versions)

    @staticmethod
    def find(where, mode, setup, pages):
        for item in where:
            if (item.mode, item.setup, item.pages) == (mode, setup, pages):
                return item
        return None

    def caused(self, item, name, where=None):
        """Less what the same reads cost without an IOMMU; None if unknown"""
        floor = self.find(self.figures if where is None else where, "none",
                          item.setup, item.pages)
        return item.get(name) - floor.get(name) if floor else None

    def ordered(self, where, setup=SINGLE):
        """Of one set-up, size by size and then in the order of the modes"""
        found = [item for item in where
                 if item.setup == setup and item.mode in MODES]
        return sorted(found, key=lambda item: (item.pages,
                                               MODES.index(item.mode)))

    def rows(self):
        """The main table: exact counts, then those above the floor"""
        for item in self.ordered(self.figures):
            yield [item.pages, item.mode, number(item.per_read),
                   *(number(item.get(name)) for name in
                     ("traps", "ioctls_iommu", "vmm_commands",
                      "vmm_invalidations", "host_commands", "host_writes",
                      "guest_commands", "doorbells")),
                   *(number(self.caused(item, name), 1)
                     for name in ("exits", "wakeups"))]

    def instruction_rows(self):
        """Instructions above the floor, and how many times those of accel"""
        for item in self.ordered(self.timed):
            accel = self.find(self.timed, "accel", item.setup, item.pages)
            own = self.caused(item, "cpu", self.timed)
            # Less than what the start of a program varies by
            noise = any(run and run.get("cpu") <= 0 for run in (item, accel))
            if item.mode == "none" or noise:
                continue
            base = accel and self.caused(accel, "cpu", self.timed)
            yield [item.pages, item.mode, number(item.get("cpu"), 0),
                   number(ratio(item.get("cpu"), accel and accel.get("cpu"))),
                   number(own, 0), number(ratio(own, base), 1)]

    def growth_rows(self):
        """Two of something, for one page"""
        for setup in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)):
            for item in self.ordered(self.figures, setup):
                if item.pages != 1:
                    continue
                life = self.lives.get((item.mode, setup), {})
                yield [*setup, item.mode,
                       *(number(item.get(name)) for name in
                         ("traps", "ioctls_iommu", "host_commands",
                          "doorbells")),
                       number(self.caused(item, "wakeups"), 1),
                       number(life.get("ioctls_iommu"))]

    def life_rows(self):
        """Each ioctl that was called, with a column for each mode"""
        modes = self.life_modes()
        lives = [self.lives[mode, SINGLE] for mode in modes]
        keys = sorted({key for life in lives for key in life
                       if key.startswith("0x")}, key=lambda key: int(key, 16))
        for key in keys:
            yield [IOCTLS.get(int(key, 16), key),
                   *(life.get(key, 0) for life in lives)]
        yield ["all of iommufd and VFIO",
               *(life["ioctls_iommu"] for life in lives)]
        yield ["of KVM, without KVM_RUN",
               *(life["ioctls_kvm"] - life["ioctls_run"] for life in lives)]

    def life_modes(self):
        return [mode for mode in MODES if (mode, SINGLE) in self.lives]

    def costs(self):
        """(pages, mode, cost) of the plot, and what the cost is"""
        if self.timed:
            return [(item.pages, item.mode,
                     self.caused(item, "cpu", self.timed))
                    for item in self.ordered(self.timed)
                    if item.mode != "none"], "instructions"
        return [(item.pages, item.mode,
                 item.get("traps") + item.get("ioctls_iommu"))
                for item in self.ordered(self.figures)
                if item.mode != "none"], "MMIO exits + ioctls"

    def data(self):
        """All of it for other programs"""
        return {
            "versions": self.versions,
            "figures": [{
                "mode": item.mode, **dict(zip(SETUP, item.setup)),
                "pages": item.pages, "rounds": item.rounds,
                "invalidations": item.invalidations,
                "per_invalidation": {
                    name: round(item.get(name), 4) for name in
                    (*item.counts, "traps", "wakeups") if name != "cpu"},
            } for item in self.figures],
            "instructions": [{
                "mode": item.mode, "pages": item.pages,
                "per_invalidation": round(item.get("cpu")),
            } for item in self.timed],
            "lives": [{"mode": mode, **dict(zip(SETUP, setup)), **counts}
                      for (mode, setup), counts in self.lives.items()],
        }

    def markdown(self):
        lines = ["# Figures", "", "Written by `make bench`; "
                 "[benchmark.md](../docs/benchmark.md) tells what they mean.",
                 "", *(f"- {text}" for text in self.versions),
                 "- To repeat: `make bench`"
                 + (", `make bench ICOUNT=1`" if self.timed else ""), "",
                 "![cost of an invalidation](figures.svg)", "",
                 "## Per guest invalidation", "",
                 *table(["pages of a read", "mode", "invalidations per read",
                         "MMIO exits", "ioctls", "commands: VMM decodes",
                         "passes on", "host posts", "host register writes",
                         "hardware executes", "doorbells",
                         "all exits, above `none`",
                         "VMM wake-ups, above `none`"], self.rows())]
        if self.timed:
            lines += ["## Instructions per guest invalidation", "",
                      *table(["pages of a read", "mode", "all", "times `accel`",
                              "above `none`", "times `accel`"], self.instruction_rows())]
        lines += ["## Growth: reads of one page", "",
                  *table([*SETUP, "mode", "MMIO exits", "ioctls",
                          "host commands", "doorbells",
                          "VMM wake-ups, above `none`", "ioctls of a life"],
                         self.growth_rows()),
                  "## Ioctls of a VM's life, from boot to power-off", "",
                  *table(["ioctl", *self.life_modes()], self.life_rows())]
        return "\n".join(lines).rstrip() + "\n"

    def gnuplot(self):
        """A line for each size, a column for each mode; nothing is 0"""
        costs, what = self.costs()
        modes = [mode for mode in MODES if any(c[1] == mode for c in costs)]
        lines = [" ".join(['"per invalidation: ' + what + '"', *modes])]
        for pages in sorted({cost[0] for cost in costs}):
            found = {mode: cost for size, mode, cost in costs if size == pages}
            lines.append(" ".join([
                f'"{pages} page{"s" if pages > 1 else ""}"',
                *(f"{max(found.get(mode) or 0, 0):.4f}" for mode in modes)]))
        return "\n".join(lines) + "\n"


def ratio(one, other):
    """None if there is none that would mean anything"""
    return one / other if one is not None and other and other > 0 else None


def number(value, digits=2):
    """As short as it can be; a dash for what is not known"""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def table(titles, rows):
    """A Markdown table and the blank line behind it"""
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def run_check(args):
    problems = list(check(read_raw(args.raw)[0]))
    for problem in problems:
        print(problem)
    return bool(problems)


def run_write(args):
    report = Report(args.raw, args.instructions, args.version)
    if not report.figures:
        print(f"error: {args.raw}: there are no figures", file=sys.stderr)
        return 1
    where = pathlib.Path(args.directory)
    where.mkdir(parents=True, exist_ok=True)
    for name, text in (("figures.md", report.markdown()),
                       ("figures.dat", report.gnuplot()),
                       ("figures.json",
                        json.dumps(report.data(), indent=1) + "\n")):
        (where / name).write_text(text, encoding="utf-8")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="bench_report.py")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("check")
    command.set_defaults(function=run_check)
    command.add_argument("raw")
    command = commands.add_parser("write")
    command.set_defaults(function=run_write)
    command.add_argument("--instructions", metavar="RAW")
    command.add_argument("--version", action="append", default=[])
    command.add_argument("directory")
    command.add_argument("raw")
    args = parser.parse_args()
    try:
        return int(args.function(args))
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
