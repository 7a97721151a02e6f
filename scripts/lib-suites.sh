# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What tests/suites says. Source it after lib.sh.

# suites: all of them, in their order
suites() {
	sed '/^#/d; s/[[:blank:]].*//' "$TOP/tests/suites"
}

# suite_needs SUITE packages|kernels|qemus|processors: each in a line
suite_needs() {
	awk -v suite="$1" -v what="$2" '
		BEGIN { column["packages"] = 2; column["kernels"] = 3; column["qemus"] = 4
			column["processors"] = 5 }
		!/^#/ && $1 == suite && $column[what] != "-" { print $column[what] }
	' "$TOP/tests/suites" | tr , '\n'
}
