# SPDX-License-Identifier: GPL-2.0-only
"""Tests of mutation: how a list is read and applied. Nothing is built."""

import pathlib
import sys
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
import mutation     # noqa: E402 pylint: disable=wrong-import-position

LIST = """\
# a comment

= first: what is wrong then
@ a.c
 \tif (x)
-\t\treturn 1;
+\t\treturn 2;

= second: more than one place
! nobody can see it
* program -t case
* other
@ a.c
-one();
@ b.c
-two();
+three();
"""
A = "one();\n\tif (x)\n\t\treturn 1;\n"
B = "two();\n"


class Mutations(unittest.TestCase):
    def files(self, number, a=A, b=B):
        sources = {"a.c": a, "b.c": b}
        return mutation.mutate(mutation.parse(LIST, "list")[number],
                               sources.get)

    def test_parse(self):
        first, second = mutation.parse(LIST, "list")
        self.assertEqual((first.name, first.text),
                         ("first", "what is wrong then"))
        self.assertIsNone(first.untestable)
        self.assertEqual(second.untestable, "nobody can see it")
        self.assertEqual(len(second.hunks), 2)
        self.assertEqual(second.commands, [["program", "-t", "case"],
                                           ["other"]])

    def test_apply(self):
        self.assertEqual(self.files(0),
                         {"a.c": "one();\n\tif (x)\n\t\treturn 2;\n"})
        self.assertEqual(self.files(1), {
            "a.c": "\tif (x)\n\t\treturn 1;\n", "b.c": "three();\n"})

    def refused(self, text, function, *args):
        with self.assertRaisesRegex(SystemExit, text):
            function(*args)

    def test_lines_are_gone(self):
        self.refused("first does not apply: its lines stand 0 times in a.c",
                     self.files, 0, "one();\n")

    def test_lines_are_there_twice(self):
        self.refused("stand 2 times in a.c", self.files, 0, A + A)

    def test_end_of_a_line_is_no_match(self):
        self.refused("second does not apply", self.files, 1, A,
                     "not_two();\n")

    def test_bad_lists(self):
        for text, problem in (
                ("= a\n", "needs NAME: TEXT"),
                ("-x\n", "before the first"),
                ("= a: b\n-x\n", "does not begin"),
                ("= a: b\n= a: c\n", "two mutations a")):
            self.refused(problem, mutation.parse, text, "list")

    def test_nothing_to_change(self):
        empty = mutation.parse("= a: b\n", "list")[0]
        self.refused("changes nothing", mutation.mutate, empty, None)

    def test_the_lists_themselves(self):
        for name in "mutations.txt", "mutations-amd.txt":
            text = (SCRIPTS.parent / "tests" / name).read_text()
            self.assertGreater(len(mutation.parse(text, name)), 24)


if __name__ == "__main__":
    unittest.main()
