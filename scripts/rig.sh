# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts that build and boot kernels have in common. Source it after
# lib.sh.

# The kernels there are: the series, the series with every sanitizer, and the
# kernel without the series, which the baseline is taken from. "step" is the tree
# in which the static checks go from patch to patch.
FLAVOURS='base debug pristine step'

# need_flavour NAME: stop unless there is such a kernel
need_flavour() {
	case " $FLAVOURS " in
	*" ${1:-none} "*) ;;
	*) die "no kernel flavour '${1:-}'; there are: $FLAVOURS" ;;
	esac
}

# flavour_source NAME: the tree it is built from
flavour_source() {
	case $1 in
	pristine) echo "$SRC" ;;
	step) echo "$B/steps/tree" ;;
	*) echo "$LINUX" ;;
	esac
}

# flavour_configs NAME: its fragments, in the order of merging
flavour_configs() {
	echo "$TOP/configs/base.config"
	[ "$1" != debug ] ||
		echo "$TOP/configs/debug.config $TOP/configs/kunit.config"
}

# tests_flavour NAME: whose test programs run on it. They depend on the source
# alone, so both kernels of the series share one set.
tests_flavour() {
	case $1 in
	debug) echo base ;;
	*) echo "$1" ;;
	esac
}

# tree_id DIR: one word that changes with the content of a git work tree,
# edits that are not committed included
tree_id() {
	git -C "$1" rev-parse --verify --quiet 'HEAD^{tree}' >/dev/null ||
		die "${1#"$TOP"/} is no source tree; run scripts/fetch and scripts/prepare"
	_dirty=$(git -C "$1" status --porcelain --untracked-files=all) ||
		die "git status fails in ${1#"$TOP"/}; remove it and run scripts/prepare"
	if [ -z "$_dirty" ]; then
		git -C "$1" rev-parse 'HEAD^{tree}'
		return
	fi
	{
		git -C "$1" rev-parse 'HEAD^{tree}'
		git -C "$1" diff HEAD
		git -C "$1" ls-files --others --exclude-standard -z |
			(cd "$1" && xargs -0 -r sha256sum)
	} | sha256sum | cut -d ' ' -f 1
}

# every SECONDS COMMAND...: run the command in the background that often until
# every_end; the work itself stays in the foreground, where Ctrl-C reaches it
every() {
	_seconds=$1
	shift
	# The sleep outlives a killed loop: it must not hold our output open
	(while sleep "$_seconds" >/dev/null 2>&1 8>&- 9>&-; do "$@"; done) &
	EVERY_PID=$!
	trap every_end EXIT
	trap 'exit 130' INT TERM
}

every_end() {
	kill "$EVERY_PID" 2>/dev/null || :
	wait "$EVERY_PID" 2>/dev/null || :
	trap - EXIT INT TERM
}

# build_all FLAVOUR: all that a boot of it needs; quick when nothing changed
build_all() {
	"$TOP/scripts/build-kernel" "$1"
	"$TOP/scripts/build-tests" "$1"
	"$TOP/scripts/build-initramfs" "$1"
}

# ready GROUP...: packages and sources; quick when all is there
ready() {
	"$TOP/scripts/setup" "$@"
	"$TOP/scripts/fetch"
	"$TOP/scripts/prepare"
}
