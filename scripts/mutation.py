# SPDX-License-Identifier: GPL-2.0-only
"""What the scripts that break the kernel share: the list of mutations, how one
is applied, how a boot is judged, the score."""

import pathlib
import re
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
TREE = BUILD / "linux"

FAILED_CASE = re.compile(r"^    not ok \d+ (?:- )?(\S+)", re.MULTILINE)
FAILED_PROGRAM = re.compile(r"^not ok \d+ - (.+)", re.MULTILINE)


class Mutation:
    """One entry of a list"""

    def __init__(self, name, text, file):
        self.name = name
        self.text = text
        self.file = file        # name of the list
        self.untestable = None
        self.commands = []      # programs with their arguments
        self.hunks = []         # (file, [lines that begin with " ", "-", "+"])


def fail(text):
    sys.exit(f"error: {text}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def parse(text, file):
    """The list of mutations; its format is described in the lists themselves"""
    mutations = []
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{file} line {number}"
        if not line or line[0] == "#":
            continue
        if line[0] == "=":
            name, colon, what = line[1:].partition(":")
            if not colon:
                fail(f"{where} needs NAME: TEXT")
            mutations.append(Mutation(name.strip(), what.strip(), file))
        elif not mutations:
            fail(f"{where} is before the first mutation")
        elif line[0] == "!":
            mutations[-1].untestable = line[1:].strip()
        elif line[0] == "*":
            mutations[-1].commands.append(line[1:].split())
        elif line[0] == "@":
            mutations[-1].hunks.append((line[1:].strip(), []))
        elif line[0] in " -+" and mutations[-1].hunks:
            mutations[-1].hunks[-1][1].append(line)
        else:
            fail(f"{where} does not begin with one of # = ! * @ or, after a "
                 "@, blank - +")
    names = [mutation.name for mutation in mutations]
    for name in names:
        if names.count(name) > 1:
            fail(f"{file} has two mutations {name}")
    return mutations


def choose(path, names):
    """Those of the list with these names, all without; a stale entry is an
    error now and not after half an hour"""
    mutations = parse(path.read_text(encoding="utf-8"), path.name)
    unknown = set(names) - {mutation.name for mutation in mutations}
    if unknown:
        fail(f"no mutation {' '.join(sorted(unknown))} in {path.name}")
    for mutation in mutations:
        mutate(mutation, read_source)
    return [m for m in mutations if not names or m.name in names]


def read_source(path):
    return (TREE / path).read_text(encoding="utf-8")


def mutate(mutation, read):
    """{file: new content} for a mutation; read(file) gives the old one"""
    files = {}
    for path, lines in mutation.hunks:
        old = "".join(l[1:] + "\n" for l in lines if l[0] in " -")
        new = "".join(l[1:] + "\n" for l in lines if l[0] in " +")
        content = files[path] if path in files else read(path)
        # At the begin of a line only: what follows a tab may be indented more
        count = ("\n" + content).count("\n" + old) if old else 0
        if count != 1 or old == new:
            fail(f"mutation {mutation.name} does not apply: its lines stand "
                 f"{count} times in {path}; adapt {mutation.file}")
        files[path] = ("\n" + content).replace("\n" + old, "\n" + new, 1)[1:]
    if not files:
        fail(f"mutation {mutation.name} changes nothing; adapt "
             f"{mutation.file}")
    return files


def run(*command, **options):
    return subprocess.run([str(word) for word in command], text=True,
                          check=False, **options)


def must(*command):
    if run(*command, stdout=sys.stderr).returncode:
        fail(f"{command[0].name} failed, see above")


def killer(name, flavour, *options):
    """What notices the mutation that scripts/boot runs with, None if nothing

    The first test that fails; without any, what the kernel said, or why the run
    did not get to its end.
    """
    boot = run(TOP / "scripts/boot", flavour, "--out", name, *options,
               capture_output=True)
    raw = (BUILD / f"results/{name}.ktap.raw").read_text(
        encoding="utf-8", errors="replace").replace("\r", "")
    case = FAILED_CASE.search(raw) or FAILED_PROGRAM.search(raw)
    if case:
        return case.group(1)
    scan = run(TOP / "scripts/splat-scan", BUILD / f"results/{name}.log",
               capture_output=True)
    if scan.returncode:
        # Without the time stamp, for a result that can be compared
        return "the log: " + re.sub(r"^\s*\[[^]]*\]\s*", "",
                                    scan.stdout.split("\n")[1])
    return died(boot) if boot.returncode else None


def died(boot):
    """Why a boot did not get to its end"""
    if "was killed" in boot.stderr:
        return "the time limit"
    said = re.search(r"boot \S+: (.*)", boot.stderr.splitlines()[-1])
    if not said or "the kernel stopped" in said.group(1):
        return "the end of the kernel"
    return "the machine: " + said.group(1).partition("; see ")[0]


class Score:
    """What became of each mutation"""

    def __init__(self, number):
        self.number = number
        self.lines = []
        self.killed = self.counted = 0
        self.begin = time.monotonic()

    def add(self, mutation, found):
        if mutation.untestable and found:
            line = f"{mutation.name}: killed by {found}, but it is listed " \
                   "as one that no test can notice"
        elif mutation.untestable:
            line = f"{mutation.name}: not testable, {mutation.untestable}"
        else:
            self.counted += 1
            self.killed += bool(found)
            line = f"{mutation.name}: " + (f"killed by {found}" if found else
                                           f"SURVIVED, {mutation.text}")
        self.lines.append(line)
        now = time.monotonic()
        say(f"[{len(self.lines)}/{self.number}, {now - self.begin:.0f} s] "
            f"{line}")
        self.begin = now

    def end(self, least, result):
        """The exit status; prints all, and writes it to a file if any"""
        self.lines.append(f"mutations: {self.killed} killed of {self.counted}")
        print("\n".join(self.lines))
        if result:
            result.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        return 0 if self.counted and \
            self.killed * 100 >= least * self.counted else 1
