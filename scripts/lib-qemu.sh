# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts of the QEMU rig have in common. Source it after lib.sh.

QOVERLAY=$TOP/qemu
QSRC_GIT=$B/qemu-src	# git: pristine source, branch "base", and the series on it
QTREE=$B/qemu-tree	# worktree of it: what is built
# Objects; x86_64 has the plain name, it is what most suites need
QARCH=${QARCH:-x86_64}
QBUILD=$B/qemu
[ "$QARCH" = x86_64 ] || QBUILD=$QBUILD-$QARCH
# With ASan, LSan and UBSan; of these only the last would go on after a report
[ -z "${SANITIZE:-}" ] || QBUILD=$QBUILD-san
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
QEMU_BIN=$QBUILD/qemu-system-$QARCH
export QOVERLAY QSRC_GIT QTREE QARCH QBUILD QEMU_BIN

# qemu_arch_options: what configure wants for this architecture alone
qemu_arch_options() {
	[ "$QARCH" != aarch64 ] || echo --enable-fdt=system
}

# qgit ARG...: git in the QEMU repository with an identity of its own, and
# commit ids that depend on the content alone
qgit() {
	GIT_AUTHOR_NAME=series GIT_AUTHOR_EMAIL=series@localhost \
		GIT_COMMITTER_NAME=series GIT_COMMITTER_EMAIL=series@localhost \
		GIT_AUTHOR_DATE='1970-01-01T00:00:00Z' \
		GIT_COMMITTER_DATE='1970-01-01T00:00:00Z' \
		git -C "$QSRC_GIT" "$@"
}

# qemu_patches: the patches in their order
qemu_patches() {
	find "$QOVERLAY/patches" -name '[0-9][0-9][0-9][0-9]-*.patch' | sort
}

# patch_new_files FILE: the new files that a patch brings
patch_new_files() {
	sed -n '/^diff --git /q; s/^New-file: //p' "$1"
}

# build_rig_qemu TARGET...: parts of the QEMU of the rig, from wherever things
# stand; quick when nothing changed
build_rig_qemu() {
	"$TOP/scripts/setup" qemu-build
	"$TOP/scripts/qemu-fetch"
	"$TOP/scripts/qemu-prepare"
	"$TOP/scripts/qemu-build" "$@"
}

# build_levels: all of the three levels, likewise. Source rig.sh before.
build_levels() {
	"$TOP/scripts/setup" guest
	"$TOP/scripts/fetch-guest"
	build_rig_qemu qemu-system-x86_64
	build_all base
	"$TOP/scripts/build-guest" base
}

# qtest_programs: the qtests that the series brings
qtest_programs() {
	qemu_patches | while read -r _p; do patch_new_files "$_p"; done |
		sed -n 's/^tests\/qtest\/\(.*-test\)\.c$/\1/p' | sort
}

# qtest_run NAME: its TAP as a KTAP document; nothing of QEMU's chatter
qtest_run() {
	echo 'KTAP version 1'
	_rc=0
	(cd "$QBUILD" && QTEST_QEMU_BINARY="./${QEMU_BIN##*/}" G_TEST_DBUS_DAEMON='' \
		timeout 600 "tests/qtest/$1" --tap -k 2>"$B/log/$1.err") \
		>"$B/log/$1.tap" || _rc=$?
	grep -E '^(ok |not ok |1\.\.|Bail out!)' "$B/log/$1.tap" || :
	[ "$_rc" = 0 ] || { sed 's/^/# /' "$B/log/$1.err" | tail -n 20; return 1; }
}

# unit_run PROGRAM: the same for one of QEMU's unit tests
unit_run() {
	echo 'KTAP version 1'
	_rc=0
	_log=$B/log/${1##*/}
	timeout 600 "$QBUILD/$1" --tap >"$_log.tap" 2>"$_log.err" || _rc=$?
	grep -E '^(ok |not ok |1\.\.|Bail out!)' "$_log.tap" || :
	return "$_rc"
}
