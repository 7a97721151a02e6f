# SPDX-License-Identifier: GPL-2.0-only
"""Tests of the KTAP parser and of what is made of its results."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import ktap         # noqa: E402 pylint: disable=wrong-import-position
import ktap_report  # noqa: E402 pylint: disable=wrong-import-position

GUEST = """\
KTAP version 1
1..3
# Subtest: iommufd
    TAP version 13
    1..3
    #  RUN           a.one ...
    #            OK  a.one
    ok 1 a.one
    # file.c:3:two:Expected 0 (0) == 1 (1)
    not ok 2 a.two
    ok 3 a.three # SKIP no such device
# exit status 1
# seconds: 12.5
not ok 1 - iommufd
# Subtest: plain
    # a program that prints no KTAP
# seconds: 0.1
ok 2 - plain
ok 3 - the kernel is not tainted by a fault
# end of tests
"""


def leaves(text, end_mark=False):
    cases, _ = ktap.parse(text.splitlines(), end_mark)
    return {"/".join(path): case.verdict
            for case in cases for path, case in case.leaves()}


def failed(text, end_mark=False):
    return sorted(path for path, verdict in leaves(text, end_mark).items()
                  if verdict == "fail")


class Parsing(unittest.TestCase):
    def test_nested_document(self):
        self.assertEqual(leaves(GUEST, True), {
            "iommufd/a.one": "pass", "iommufd/a.two": "fail",
            "iommufd/a.three": "skip", "plain": "pass",
            "the kernel is not tainted by a fault": "pass"})

    def test_diagnostics_belong_to_the_case_that_follows(self):
        cases, _ = ktap.parse(GUEST.splitlines())
        two = cases[0].children[1]
        self.assertEqual(two.notes, ["# file.c:3:two:Expected 0 (0) == 1 (1)"])
        self.assertEqual(cases[0].seconds, 12.5)
        self.assertIn("# a program that prints no KTAP", cases[1].notes)

    def test_three_levels(self):
        text = ("KTAP version 1\n1..1\n    KTAP version 1\n    1..1\n"
                "        1..1\n        ok 1 deep\n    ok 1 mid\nok 1 top\n")
        self.assertEqual(leaves(text), {"top/mid/deep": "pass"})

    def test_carriage_returns_and_noise(self):
        text = "TAP version 13\r\n1..1\r\nnoise\r\n  ok then\r\nok 1 x\r\n"
        self.assertEqual(leaves(text), {"x": "pass"})

    def test_directives(self):
        text = ("1..4\nok 1 a # XFAIL known\nnot ok 2 b # TODO later\n"
                "ok 3 c # skip\nok 4 d#1 of 2\n")
        self.assertEqual(leaves(text), {"a": "xfail", "b": "xfail",
                                        "c": "skip", "d#1 of 2": "pass"})


class BrokenDocuments(unittest.TestCase):
    """Each way in which a run can be cut short must count as a failure."""

    def test_complete_one_is_fine(self):
        self.assertEqual(failed(GUEST, True), ["iommufd/a.two"])

    def test_every_truncation_fails(self):
        good = GUEST.replace("not ok", "ok")
        self.assertEqual(failed(good, True), [])
        lines = good.splitlines(keepends=True)
        for length in range(len(lines)):
            with self.subTest(lines=length):
                self.assertTrue(failed("".join(lines[:length]), True))

    def test_missing_result(self):
        self.assertEqual(failed("1..2\nok 1 a\n"), ["complete results"])

    def test_missing_nested_result(self):
        text = "1..1\n    1..2\n    ok 1 a\nok 1 top\n"
        self.assertEqual(failed(text), ["top/complete results"])

    def test_missing_results_come_with_the_reason(self):
        cases, _ = ktap.parse(["1..1", "    1..2", "    ok 1 a",
                               "# timed out after 9 s, killed", "not ok 1 t"])
        self.assertIn("# timed out after 9 s, killed",
                      cases[0].children[1].notes)

    def test_surplus_result(self):
        self.assertEqual(failed("1..1\nok 1 a\nok 2 b\n"), ["complete results"])

    def test_no_plan(self):
        self.assertEqual(failed("ok 1 a\n"), ["complete results"])

    def test_bail_out(self):
        self.assertEqual(failed("1..1\nok 1 a\nBail out! no device\n"),
                         ["complete results"])

    def test_parent_fails_alone(self):
        text = "1..1\n    1..1\n    ok 1 a\nnot ok 1 top\n"
        self.assertEqual(failed(text), ["top"])

    def test_nothing_at_all(self):
        self.assertEqual(failed(""), ["complete results"])

    def test_no_such_file(self):
        cases, _ = ktap.parse_file("/nonexistent/file")
        self.assertEqual([case.verdict for case in cases], ["fail"])


class Commands(unittest.TestCase):
    BASELINE = "# comment\npass iommufd a.one\nfail iommufd a.two\n"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_command(self, function, text, baseline):
        raw, base = self.folder / "raw", self.folder / "baseline"
        raw.write_text(text)
        base.write_text(baseline)
        args = type("Args", (), {"raw": raw, "baseline": base})
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = function(args)
        return status, out.getvalue()

    def known(self, text, baseline=BASELINE):
        return self.run_command(ktap.command_known, text, baseline)[1]

    def compare(self, text, baseline=BASELINE):
        return self.run_command(ktap.command_compare, text, baseline)

    def test_known_failure_becomes_xfail(self):
        out = self.known(GUEST)
        self.assertEqual(failed(out, True), [])
        self.assertEqual(leaves(out)["iommufd/a.two"], "xfail")

    def test_status_of_known(self):
        for text, baseline, status in (
                (GUEST, self.BASELINE, 0),
                (GUEST, "pass iommufd a.two\n", 1),
                (GUEST.replace("# end of tests\n", ""), self.BASELINE, 1)):
            with self.subTest(baseline=baseline, status=status):
                self.assertEqual(self.run_command(ktap.command_known, text,
                                                  baseline)[0], status)

    def test_unknown_failure_stays(self):
        out = self.known(GUEST, "pass iommufd a.two\n")
        self.assertEqual(out, GUEST)

    def test_timeout_is_no_known_failure(self):
        text = GUEST.replace("# exit status 1", "# timed out after 9 s, killed")
        self.assertEqual(failed(self.known(text)), ["iommufd"])

    def test_cases_round_trip(self):
        _, baseline = self.run_command(ktap.command_cases, GUEST, "")
        self.assertEqual(baseline, "pass iommufd a.one\nfail iommufd a.two\n"
                                   "skip iommufd a.three\n")
        self.assertEqual(self.compare(GUEST, baseline)[0], 0)

    def test_compare(self):
        self.assertEqual(self.compare(GUEST)[0], 0)
        for old, new in (("ok 1 a.one", "not ok 1 a.one"),
                         ("ok 1 a.one", "ok 1 a.one # SKIP"),
                         ("ok 1 a.one", "ok 1 a.other")):
            with self.subTest(new=new):
                status, out = self.compare(GUEST.replace(old, new))
                self.assertEqual(status, 1)
                self.assertEqual(len(failed(out)), 1)

    def test_a_fixed_failure_is_no_deviation(self):
        text = GUEST.replace("not ok 2", "ok 2")
        self.assertEqual(self.compare(text)[0], 0)


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def report(self, text, status=0):
        file = self.folder / "s.ktap"
        file.write_text(text)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = ktap_report.report([f"s:{status}:7:{file}"],
                                      self.folder / "json", self.folder / "xml")
        return code, out.getvalue().splitlines()

    def test_totals_line(self):
        code, lines = self.report(GUEST)
        self.assertEqual((code, lines[-1]), (1, "3 passed, 1 failed, 1 skipped"))
        code, lines = self.report("1..1\nok 1 a\n")
        self.assertEqual((code, lines[-1]), (0, "1 passed, 0 failed"))

    def test_status_without_failure(self):
        code, lines = self.report("1..1\nok 1 a\n", status=1)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed"))

    def test_all_skipped_is_no_success(self):
        self.assertEqual(self.report("1..1\nok 1 a # SKIP\n")[0], 1)

    def test_files(self):
        self.report(GUEST)
        data = json.loads((self.folder / "json").read_text())
        self.assertEqual(data["totals"],
                         {"passed": 3, "failed": 1, "skipped": 1})
        self.assertEqual(len(data["suites"][0]["cases"]), 5)
        self.assertIn('failures="1"', (self.folder / "xml").read_text())


if __name__ == "__main__":
    unittest.main()
