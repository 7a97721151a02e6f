# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts of the QEMU rig have in common. Source it after lib.sh.

QOVERLAY=$TOP/qemu
QSRC_GIT=$B/qemu-src	# git: pristine source, branch "base", and the series on it
QTREE=$B/qemu-tree	# worktree of it: what is built
QBUILD=$B/qemu		# objects
QEMU_BIN=$QBUILD/qemu-system-x86_64
export QOVERLAY QSRC_GIT QTREE QBUILD QEMU_BIN

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

# build_rig_qemu TARGET...: parts of the QEMU of the rig, from wherever things stand;
# quick when nothing changed
build_rig_qemu() {
	"$TOP/scripts/setup" qemu-build
	"$TOP/scripts/qemu-fetch"
	"$TOP/scripts/qemu-prepare"
	"$TOP/scripts/qemu-build" "$@"
}
