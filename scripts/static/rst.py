# SPDX-License-Identifier: GPL-2.0-only
"""Parse reStructuredText files of the kernel and print what is wrong with
their form. Directives and roles that only Sphinx has are taken as they are,
but a kernel-doc directive must name a file."""

import os
import sys

import docutils.core
import docutils.nodes
from docutils.parsers.rst import Directive, directives, roles


class Any(Directive):
    """A directive that plain docutils does not know."""

    has_content = True
    optional_arguments = 100
    final_argument_whitespace = True

    class _AnyOption(dict):
        def __contains__(self, name):
            return True

        def __getitem__(self, name):
            return directives.unchanged

    option_spec = _AnyOption()

    def run(self):
        if self.name == "kernel-doc" and not os.path.exists(self.arguments[0]):
            raise self.error(f"{self.arguments[0]} does not exist")
        box = docutils.nodes.container()
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


def any_role(_name, rawtext, text, *_args, **_kwargs):
    return [docutils.nodes.literal(rawtext, text)], []


def lenient(known, stand_in):
    def find(name, *args):
        found, messages = known(name, *args)
        return (found, messages) if found else (stand_in, [])
    return find


directives.directive = lenient(directives.directive, Any)
roles.role = lenient(roles.role, any_role)

for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        docutils.core.publish_doctree(
            file.read(), source_path=path, settings_overrides={
                "warning_stream": sys.stdout, "report_level": 2,
                "halt_level": 5, "file_insertion_enabled": False})
