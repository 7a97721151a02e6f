# SPDX-License-Identifier: GPL-2.0-only
"""Tests of mutate: how its list is read and applied. Nothing is built."""

import importlib.machinery
import importlib.util
import pathlib
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent


def load():
    """The script has no suffix, so that import does not find it"""
    loader = importlib.machinery.SourceFileLoader("mutate",
                                                  str(SCRIPTS / "mutate"))
    spec = importlib.util.spec_from_loader("mutate", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


mutate = load()

LIST = """\
# a comment

= first: what is wrong then
@ a.c
 \tif (x)
-\t\treturn 1;
+\t\treturn 2;

= second: more than one place
! nobody can see it
@ a.c
-one();
@ b.c
-two();
+three();
"""
A = "one();\n\tif (x)\n\t\treturn 1;\n"
B = "two();\n"


class Mutate(unittest.TestCase):
    def files(self, number, a=A, b=B):
        sources = {"a.c": a, "b.c": b}
        return mutate.mutate(mutate.parse(LIST)[number], sources.get)

    def test_parse(self):
        first, second = mutate.parse(LIST)
        self.assertEqual((first.name, first.text),
                         ("first", "what is wrong then"))
        self.assertIsNone(first.untestable)
        self.assertEqual(second.untestable, "nobody can see it")
        self.assertEqual(len(second.hunks), 2)

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
            self.refused(problem, mutate.parse, text)

    def test_nothing_to_change(self):
        empty = mutate.parse("= a: b\n")[0]
        self.refused("changes nothing", mutate.mutate, empty, None)

    def test_the_list_itself(self):
        text = (SCRIPTS.parent / "tests/mutations.txt").read_text()
        self.assertGreater(len(mutate.parse(text)), 24)


if __name__ == "__main__":
    unittest.main()
