# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Common parts of every script here: where things are, how to talk, how to
# stop. Source it, do not run it. POSIX sh.

TOP=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
# The suites stand one level deeper
[ ! -f "$TOP/lib.sh" ] || TOP=${TOP%/*}
B=$TOP/build
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/linux-viommu
SRC=$B/src		# git: the pristine source, branch "base"
LINUX=$B/linux		# worktree of it: base + series, what is built
RESULTS=$B/results
JOBS=${JOBS:-$(nproc)}
export TOP B CACHE SRC LINUX RESULTS JOBS

# The same objects from any clone on this machine: paths relative to the
# clone, no directory names hashed.
export CCACHE_BASEDIR="$TOP" CCACHE_NOHASHDIR=1
# What is not cached is not preprocessed twice; cached-cc says what that costs
export CCACHE_DEPEND=1
export CCACHE_DIR="${CCACHE_DIR:-$CACHE/ccache}" CCACHE_MAXSIZE=8G
# Builds must not depend on who builds, where and when.
export KBUILD_BUILD_USER=viommu KBUILD_BUILD_HOST=viommu
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
# "make test T=..." must not hand its variables on to the makes of the kernel
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

STEP_T0=$(date +%s)

# say TEXT: one line of progress, with the seconds since the script started.
# A script that keeps stderr as findings sets SAY_FD to where progress goes.
say() {
	printf '[%4ds] %s\n' $(($(date +%s) - STEP_T0)) "$*" >&"${SAY_FD:-2}"
}

# die TEXT: one line that says what to do, then stop
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# quiet LOG CMD...: run with output to LOG; on failure show its end
quiet() {
	_log=$1
	shift
	mkdir -p "$(dirname "$_log")"
	if ! "$@" >"$_log" 2>&1; then
		tail -n 25 "$_log" >&2
		die "'$1' failed; the whole log is ${_log#"$TOP"/}"
	fi
}

# need_space DIR MIB: stop early rather than with a full disk
need_space() {
	mkdir -p "$1" || die "cannot create $1"
	_free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$_free" -ge "$2" ] ||
		die "$1 has $_free MiB free, $2 are needed; free some or move the clone"
}

# take_lock: one script at a time may change build/; scripts that it starts
# share the lock
take_lock() {
	[ -z "${VIOMMU_LOCKED:-}" ] || return 0
	mkdir -p "$B"
	exec 9>"$B/lock"
	flock -n 9 || {
		say 'waiting for another script that works in build/'
		flock 9
	}
	export VIOMMU_LOCKED=1
}

# one_at_a_time NAME [PROGRESS...]: wait until nobody else makes build/NAME, which
# suites that run beside each other may ask for at the same time; PROGRESS says
# every 10 s how far the other one is
one_at_a_time() {
	_one=$1
	shift
	mkdir -p "$(dirname "$B/$_one")"
	exec 8>"$B/$_one.lock"
	! flock -n 8 || return 0
	say "$_one: waiting for another script that makes it"
	[ $# -eq 0 ] || every 10 "$@"
	flock 8
	[ $# -eq 0 ] || every_end
}

# series_identity CMD...: run with the author and date that all commits in
# build/ have, so that their ids depend on the content alone
series_identity() {
	GIT_AUTHOR_NAME='vIOMMU series' GIT_COMMITTER_NAME='vIOMMU series' \
		GIT_AUTHOR_EMAIL=viommu@localhost.invalid \
		GIT_COMMITTER_EMAIL=viommu@localhost.invalid \
		GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' \
		GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' "$@"
}
