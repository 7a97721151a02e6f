# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# How a suite writes its KTAP document on stdout. Source it after lib.sh.
# Progress and errors of the set-up go to stderr, so stdout is KTAP alone.

KTAP_COUNT=0
KTAP_FAILED=0

# ktap_plan N: how many results there will be; a suite that dies before the
# last one is incomplete and therefore failed
ktap_plan() {
	printf 'KTAP version 1\n1..%d\n' "$1"
}

# ktap_result NAME STATUS SECONDS
ktap_result() {
	KTAP_COUNT=$((KTAP_COUNT + 1))
	printf '# seconds: %d\n' "$3"
	if [ "$2" = 0 ]; then
		printf 'ok %d - %s\n' "$KTAP_COUNT" "$1"
	else
		KTAP_FAILED=1
		printf 'not ok %d - %s\n' "$KTAP_COUNT" "$1"
	fi
}

# ktap_run PREFIX NAME COMMAND...: its output goes behind PREFIX
ktap_run() {
	_prefix=$1 _name=$2
	shift 2
	_begin=$(date +%s) _status=0
	_text=$("$@" 2>&1) || _status=$?
	[ -z "$_text" ] || printf '%s\n' "$_text" | sed "s/^/$_prefix/"
	ktap_result "$_name" "$_status" $(($(date +%s) - _begin))
}

# ktap_case NAME COMMAND...: one result; the output explains it
ktap_case() {
	ktap_run '# ' "$@"
}

# ktap_nested NAME COMMAND...: the command prints a KTAP document of its own
ktap_nested() {
	printf '# Subtest: %s\n' "$1"
	ktap_run '    ' "$@"
}

# ktap_skip NAME REASON
ktap_skip() {
	KTAP_COUNT=$((KTAP_COUNT + 1))
	printf 'ok %d - %s # SKIP %s\n' "$KTAP_COUNT" "$1" "$2"
}

# ktap_end: the exit status of the suite
ktap_end() {
	exit "$KTAP_FAILED"
}
