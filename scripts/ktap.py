#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Read KTAP: the parser, and the commands of the suites that need it.

    ktap.py cases RAW                 "pass|fail|skip PROGRAM CASE" lines
    ktap.py known --baseline B RAW    mark failures that B has too as XFAIL
    ktap.py compare --baseline B RAW  KTAP: is everything as in B?
    ktap.py report [--json F] [--junit F] NAME:STATUS:SECONDS:FILE...

RAW is what the guest wrote. A document that is not complete is a failure:
the parser adds a failed case that says what is missing.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field

RESULT = re.compile(r"(?P<status>ok|not ok)\s+(?P<number>\d+)\b"
                    r"(?:\s+-\s+|\s+)?(?P<name>.*?)"
                    r"(?:\s*#\s*(?P<directive>SKIP|XFAIL|TODO|TIMEOUT|ERROR)\b"
                    r"\s*(?P<reason>.*))?$", re.IGNORECASE)
PLAN = re.compile(r"\d+\.\.(?P<count>\d+)(?:\s*#\s*(?P<skip>SKIP.*))?$",
                  re.IGNORECASE)
VERSION = re.compile(r"(KTAP version|TAP version)\s")
SUBTEST = re.compile(r"#\s*Subtest:\s*(?P<name>.*)")
SECONDS = re.compile(r"#\s*seconds:\s*(?P<seconds>[\d.]+)$")
END_MARK = "# end of tests"


@dataclass
class Case:
    """One result line with what belongs to it."""
    name: str
    ok: bool
    directive: str = ""
    reason: str = ""
    notes: list = field(default_factory=list)
    children: list = field(default_factory=list)
    line: int = -1

    @property
    def verdict(self):
        """pass, fail, skip or xfail, of this line alone"""
        if self.directive == "SKIP":
            return "skip"
        if self.directive in ("XFAIL", "TODO"):
            return "xfail"
        return "pass" if self.ok else "fail"

    @property
    def seconds(self):
        for note in self.notes:
            found = SECONDS.match(note)
            if found:
                return float(found["seconds"])
        return None

    def leaves(self, path=()):
        """(path, case) of all that counts below this line, or of itself.

        A failed line whose children all passed fails for a reason of its
        own, a crash after the last case for example: it counts as well.
        """
        path = path + (self.name,)
        if not self.children:
            yield path, self
            return
        failed = False
        for child in self.children:
            for leaf in child.leaves(path):
                failed = failed or leaf[1].verdict == "fail"
                yield leaf
        if self.verdict == "fail" and not failed:
            yield path, self


@dataclass
class Document:
    """The lines of one indentation between two lines of a lower one."""
    indent: int
    name: str = ""
    plan: int = None
    skip: str = ""
    cases: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    bailed: str = ""

    def close(self):
        """The cases, with a failed one added where the document is broken."""
        problem = ""
        if self.bailed:
            problem = self.bailed
        elif self.plan is None and self.cases:
            problem = "there is no plan line"
        elif self.plan is not None and self.plan != len(self.cases):
            problem = f"{self.plan} results planned, {len(self.cases)} seen"
        if problem:
            self.cases.append(Case("complete results", False,
                                   notes=["# " + problem] + self.notes))
        return self.cases


class Parser:
    """Feeds on lines; the indentation says which document a line is of."""

    def __init__(self):
        self.stack = [Document(0)]
        self.lines = []
        self.last_text = ""

    def _level(self, indent):
        """Open or drop documents until the top one has this indentation."""
        orphans = []
        while self.stack[-1].indent > indent:
            document = self.stack.pop()
            orphans.append((document.name, document.close(), document.notes))
        if self.stack[-1].indent < indent:
            self.stack.append(Document(indent))
        return orphans

    def feed(self, raw):
        line = raw.rstrip("\r\n")
        self.lines.append(line)
        text = line.strip()
        if not text:
            return
        self.last_text = text
        indent = len(line) - len(line.lstrip(" "))
        if text.startswith("#"):
            self._note(indent, text)
            return
        result, plan = RESULT.match(text), PLAN.match(text)
        bail = text.startswith("Bail out!")
        # Anything else is noise and must not open or close a document
        if not (result or plan or bail or VERSION.match(text)):
            return
        if not result:
            self._adopt(self._level(indent))
            top = self.stack[-1]
            if plan:
                top.plan, top.skip = int(plan["count"]), plan["skip"] or ""
            elif bail:
                top.bailed = text
            return
        self._result(indent, result)

    def _note(self, indent, text):
        # Notes never close a document: a "# Subtest" of the outer level
        # comes before its document, a "# seconds" after it.
        top = self.stack[-1]
        if indent > top.indent:
            self._level(indent)
            top = self.stack[-1]
        for document in reversed(self.stack):
            if document.indent <= indent:
                document.notes.append(text)
                subtest = SUBTEST.match(text)
                if subtest:
                    document.name = subtest["name"]
                break

    def _result(self, indent, match):
        children, inner = [], []
        for _, cases, notes in self._level(indent):
            children = cases + children
            inner = notes + inner
        top = self.stack[-1]
        # Why results are missing stands behind them: a timeout, a signal
        for child in children:
            if child.line < 0:
                child.notes = child.notes + top.notes
        case = Case(match["name"].strip(), match["status"].lower() == "ok",
                    (match["directive"] or "").upper(), match["reason"] or "",
                    top.notes + ([] if children else inner), children,
                    len(self.lines) - 1)
        top.notes = []
        top.cases.append(case)

    def _adopt(self, orphans):
        """Inner results whose own result line never came."""
        for _, cases, notes in orphans:
            top = self.stack[-1]
            if cases or notes:
                top.cases.append(Case(top.name or "unknown", False,
                                      notes=notes, children=cases))

    def finish(self, end_mark=False):
        """All cases of the outer level."""
        self._adopt(self._level(0))
        top = self.stack[0]
        cases = top.close()
        if not cases and not top.skip:
            cases.append(Case("complete results", False,
                              notes=["# no result at all"]))
        if end_mark and self.last_text != END_MARK:
            note = f"# the last line is not '{END_MARK}': the run was cut off"
            cases.append(Case("end of the run", False, notes=[note]))
        return cases


def parse(lines, end_mark=False):
    """(cases of the outer level, the lines themselves)"""
    parser = Parser()
    for line in lines:
        parser.feed(line)
    return parser.finish(end_mark), parser.lines


def parse_file(path, end_mark=False):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return parse(file, end_mark)
    except OSError as error:
        note = f"# {path}: {error.strerror}"
        return [Case("results", False, notes=[note])], []


def read_baseline(path):
    """{(program, case): verdict} of a file that "cases" wrote"""
    known = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#", 1)[0].split()
            if len(words) == 3:
                known[words[1], words[2]] = words[0]
    return known


def program_cases(cases):
    """(program, case) for what the programs of a guest run reported"""
    for program in cases:
        for case in program.children:
            yield program, case


def command_cases(args):
    cases, _ = parse_file(args.raw, end_mark=True)
    for program, case in program_cases(cases):
        print(case.verdict, program.name, case.name)
    return 0


def is_plain_failure(program):
    """It failed because cases of it did, not by a crash or a timeout."""
    return any(note == "# exit status 1" for note in program.notes)


def command_known(args):
    baseline = read_baseline(args.baseline)
    cases, lines = parse_file(args.raw)
    for program in cases:
        for case in program.children:
            if (case.verdict == "fail" and case.line >= 0 and
                    baseline.get((program.name, case.name)) == "fail"):
                case.ok, case.directive = True, "XFAIL"
                lines[case.line] = (lines[case.line].replace("not ok", "ok", 1) +
                                    " # XFAIL fails without the series too")
        if (program.verdict == "fail" and program.line >= 0 and
                is_plain_failure(program) and program.children and
                all(c.verdict != "fail" for c in program.children)):
            lines[program.line] = lines[program.line].replace("not ok", "ok", 1)
    print("\n".join(lines))
    cases, _ = parse(lines, end_mark=True)
    return int(any(leaf.verdict == "fail"
                   for case in cases for _, leaf in case.leaves()))


def deviations(program, baseline, seen):
    """What is worse in this run than in the baseline, as lines of text"""
    for (name, case), was in baseline.items():
        if name != program:
            continue
        verdict = seen.get((name, case), "missing")
        if verdict == was or verdict == "pass" or was == "fail":
            continue
        yield f"{case}: {verdict}, without the series: {was}"


def command_compare(args):
    baseline = read_baseline(args.baseline)
    cases, _ = parse_file(args.raw, end_mark=True)
    seen = {(p.name, c.name): c.verdict for p, c in program_cases(cases)}
    programs = sorted({program for program, _ in baseline})
    print(f"KTAP version 1\n1..{len(programs)}")
    status = 0
    for number, program in enumerate(programs, 1):
        worse = list(deviations(program, baseline, seen))
        for line in worse:
            print("#", line)
        count = sum(name == program for name, _ in baseline)
        print("not ok" if worse else "ok", number, "-",
              f"{program}: its {count} stock cases do as without the series")
        status = status or bool(worse)
    return int(status)


def command_report(args):
    import ktap_report  # pylint: disable=import-outside-toplevel
    return ktap_report.report(args.suites, args.json, args.junit)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("cases", command_cases), ("known", command_known),
                           ("compare", command_compare)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("raw")
        if name != "cases":
            command.add_argument("--baseline", required=True)
    command = commands.add_parser("report")
    command.set_defaults(function=command_report)
    command.add_argument("--json")
    command.add_argument("--junit")
    command.add_argument("suites", nargs="+", metavar="NAME:STATUS:SECONDS:FILE")
    args = parser.parse_args()
    try:
        return args.function(args)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
