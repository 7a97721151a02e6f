# SPDX-License-Identifier: GPL-2.0-only
"""Write a C file that tells the layout of structs when it is compiled to
assembler: of each struct that the second header has and the first does not,
or has otherwise. Lines "->LAYOUT name.member offset" need no run."""

import re
import sys

STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\}[^;]*;", re.M | re.S)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
MEMBER = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*;")
INNER = re.compile(r"(?:struct|union)(?:\s+\w+)?\s*\{([^{}]*)\}\s*(\w*)")
ASM = '\t__asm__ volatile("\\n->LAYOUT {} %c0" :: "i" ({}));'


def structs(path):
    with open(path, encoding="utf-8") as file:
        return dict(STRUCT.findall(COMMENT.sub("", file.read())))


def members(body):
    """Of an inner struct or union, its members or, if it has one, its name."""
    while INNER.search(body):
        body = INNER.sub(lambda m: f"int {m[2]}" if m[2] else m[1], body)
    return MEMBER.findall(body)


def main(before, after):
    old, new = structs(before), structs(after)
    print("#include <linux/iommufd.h>\n")
    print("void layout(void);\nvoid layout(void)\n{")
    for name, body in new.items():
        if old.get(name) == body:
            continue
        print(ASM.format(name, f"sizeof(struct {name})"))
        for member in members(body):
            print(ASM.format(f"{name}.{member}",
                             f"__builtin_offsetof(struct {name}, {member})"))
    print("}")


if __name__ == "__main__":
    main(*sys.argv[1:])
