# SPDX-License-Identifier: GPL-2.0-only
"""The report of "make test": for people, as JSON, as JUnit."""

import json
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree

import ktap

NOTES_SHOWN = 40
SLOWEST_SHOWN = 5


@dataclass
class Suite:
    """The outcome of one suite: its status, seconds and all that counts."""
    name: str
    seconds: float
    cases: list
    leaves: list

    @property
    def counts(self):
        count = Counter(case.verdict for _, case in self.leaves)
        # A failure that the stock kernel has too tells nothing about the
        # series: it counts as skipped and is named in the report.
        return {"passed": count["pass"], "failed": count["fail"],
                "skipped": count["skip"] + count["xfail"]}


def load(word):
    """A suite from NAME:STATUS:SECONDS:FILE"""
    name, status, seconds, path = word.split(":", 3)
    cases, _ = ktap.parse_file(path)
    leaves = [leaf for case in cases for leaf in case.leaves()]
    if status != "0" and all(c.verdict != "fail" for _, c in leaves):
        note = f"# it ended with status {status} and reported no failure"
        case = ktap.Case("the suite itself", False, notes=[note])
        cases.append(case)
        leaves.append(((case.name,), case))
    return Suite(name, float(seconds), cases, leaves)


def totals_line(counts):
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    if counts["skipped"]:
        line += f", {counts['skipped']} skipped"
    return line


def shorten(notes):
    """The head says what happened first, the tail what it ended with."""
    if len(notes) <= NOTES_SHOWN:
        return notes
    half = NOTES_SHOWN // 2
    return notes[:half] + [f"# ... {len(notes) - 2 * half} lines ..."] + \
        notes[-half:]


def print_failures(suites):
    for suite in suites:
        for path, case in suite.leaves:
            if case.verdict != "fail":
                continue
            print(f"FAILED  {suite.name}: {' / '.join(path)}")
            for note in shorten(case.notes):
                print(f"        {note}")


def print_skips(suites):
    reasons = Counter()
    for suite in suites:
        for _, case in suite.leaves:
            if case.verdict in ("skip", "xfail"):
                reasons[suite.name, case.reason or "no reason given"] += 1
    for (suite, reason), count in sorted(reasons.items()):
        print(f"skipped {count:5d}  {suite}: {reason}")


def timed(cases, path):
    """(seconds, path) of every case that says how long it took"""
    for case in cases:
        here = path + (case.name,)
        if case.seconds is not None:
            yield case.seconds, here
        yield from timed(case.children, here)


def print_slowest(suites):
    times = [t for suite in suites for t in timed(suite.cases, (suite.name,))]
    for seconds, path in sorted(times, reverse=True)[:SLOWEST_SHOWN]:
        print(f"slowest {seconds:7.1f} s  {' / '.join(path)}")


def print_table(suites):
    print(f"{'suite':12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for suite in suites:
        counts = suite.counts
        print(f"{suite.name:12}{counts['passed']:8d}{counts['failed']:8d}"
              f"{counts['skipped']:9d}{suite.seconds:9.0f}")


def write_json(path, suites, totals):
    data = {"totals": totals, "suites": []}
    for suite in suites:
        data["suites"].append({
            "name": suite.name, "seconds": suite.seconds, **suite.counts,
            "cases": [{
                "path": list(case_path), "result": case.verdict,
                "reason": case.reason, "seconds": case.seconds,
                "diagnostics": case.notes if case.verdict == "fail" else [],
            } for case_path, case in suite.leaves]})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


def write_junit(path, suites):
    root = ElementTree.Element("testsuites")
    for suite in suites:
        counts = suite.counts
        element = ElementTree.SubElement(root, "testsuite", {
            "name": suite.name, "tests": str(len(suite.leaves)),
            "failures": str(counts["failed"]),
            "skipped": str(counts["skipped"]), "time": f"{suite.seconds:.1f}"})
        for case_path, case in suite.leaves:
            test = ElementTree.SubElement(element, "testcase", {
                "classname": ".".join((suite.name,) + case_path[:-1]),
                "name": case_path[-1], "time": f"{case.seconds or 0:.1f}"})
            if case.verdict == "fail":
                failure = ElementTree.SubElement(test, "failure")
                failure.text = "\n".join(case.notes)
            elif case.verdict != "pass":
                ElementTree.SubElement(test, "skipped", {"message": case.reason})
    ElementTree.ElementTree(root).write(path, "utf-8", xml_declaration=True)


def report(words, json_path, junit_path):
    """Print all, the totals last; the exit status says whether all passed."""
    suites = [load(word) for word in words]
    totals = {key: sum(suite.counts[key] for suite in suites)
              for key in ("passed", "failed", "skipped")}
    if json_path:
        write_json(json_path, suites, totals)
    if junit_path:
        write_junit(junit_path, suites)
    print_failures(suites)
    print_skips(suites)
    print_slowest(suites)
    print_table(suites)
    print(totals_line(totals))
    return 1 if totals["failed"] or not totals["passed"] else 0
