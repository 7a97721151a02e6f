# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the static checks have in common. Source it after lib.sh, rig.sh and
# lib-series.sh; the series must be prepared.

# Work trees that move from commit to commit: what is compiled for x86 has one,
# the rest another, so that both can be under way at once
STEP_TREE=$B/steps/tree
STEP_OTHER=$B/steps/other-tree
BASE=$(git -C "$SRC" rev-parse base)
TIP=$(git -C "$LINUX" rev-parse HEAD)

# Results of checks by what decides them. They are where compiled objects are, for
# every clone on this machine: what a patch does has been seen once.
# shellcheck disable=SC2034
KEPT=$CACHE/checked

# key_of_files FILE...: one word for the contents of files and for standard input
key_of_files() {
	cat - "$@" | sha256sum | cut -c 1-32
}

# touched FILTER: files that the series changes (M), adds (A) or both (AM)
touched() {
	git -C "$SRC" diff-tree -r --no-renames --name-only \
		--diff-filter="$1" "$BASE" "$TIP"
}

# new_lines BEFORE AFTER: what AFTER has and BEFORE does not; fails if there
# is anything. Line numbers move with every edit and do not count.
new_lines() {
	sed -E 's/:[0-9]+(:[0-9]+)?[: ]/:/' "$1" | sort -u >"$1.plain"
	awk 'FILENAME == ARGV[1] { old[$0]; next }
		{ plain = $0; sub(/:[0-9]+(:[0-9]+)?[: ]/, ":", plain) }
		!(plain in old) && !seen[$0]++ { print; found = 1 }
		END { exit found }' "$1.plain" "$2"
}

# step_tree COMMIT: $STEP_TREE holds it
step_tree() {
	take_lock
	if [ ! -e "$STEP_TREE/.git" ]; then
		need_space "$B" 3000
		say 'static: checking out a tree that moves from patch to patch'
		mkdir -p "$B/steps"
		drop_worktree "$STEP_TREE"
		git -C "$SRC" worktree add -q --force --detach "$STEP_TREE" "$1"
	fi
	git -C "$STEP_TREE" checkout -q -f --detach "$1"
}

# step_configs ARCH: its config fragments
step_configs() {
	case $1 in
	x86) echo "$TOP/configs/base.config $TOP/configs/series.config" \
		"$TOP/configs/kunit.config" ;;
	arm64) echo "$TOP/configs/arm64.config" ;;
	esac
}

# step_key ARCH COMMIT: one word for all that decides how the kernel compiles,
# which the drivers for the other architecture do not
step_key() {
	case $1 in
	x86) _other=arm ;;
	arm64) _other=amd ;;
	esac
	{
		git -C "$SRC" ls-tree "$2" |
			grep -v '	\(Documentation\|MAINTAINERS\|drivers\|tools\|samples\)$'
		git -C "$SRC" ls-tree "$2" drivers/ | grep -v '	drivers/iommu$'
		git -C "$SRC" ls-tree "$2" drivers/iommu/ |
			grep -v "	drivers/iommu/$_other\$"
		git -C "$SRC" ls-tree "$2" tools/ | grep -v '	tools/testing$'
		step_configs "$1" | xargs cat
		step_dirs "$1"
		step_cc "$1" --version | head -n 1
	} | key_of_files "$TOP/scripts/lib-static.sh" "$TOP/scripts/static/step" \
		"$TOP/scripts/static/sparse"
}

# step_hand ARCH: the work tree for it
step_hand() {
	[ "$1" = x86 ] || STEP_TREE=$STEP_OTHER
}

# step_cc ARCH ARG...: the compiler
step_cc() {
	case $1 in
	x86) shift; "${CC:-gcc}" "$@" ;;
	arm64) shift; aarch64-linux-gnu-gcc "$@" ;;
	esac
}

# step_make ARCH ARG...: make of $STEP_TREE
step_make() {
	_arch=$1
	shift
	case $_arch in
	x86) set -- ARCH=x86_64 CC="ccache ${CC:-gcc}" "$@" ;;
	arm64)
		set -- ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
			CC='ccache aarch64-linux-gnu-gcc' "$@"
		;;
	esac
	make -C "$STEP_TREE" O="$B/kernel/steps-$_arch" LOCALVERSION= V=0 W=1 \
		KCFLAGS="-fmacro-prefix-map=../../steps/${STEP_TREE##*/}/=" \
		HOSTCC='ccache gcc' "$@"
}

# step_dirs ARCH: the directories that the series can break
step_dirs() {
	case $1 in
	x86) printf '%s\n' drivers/iommu/ drivers/vfio/ ;;
	arm64) printf '%s\n' drivers/iommu/ ;;
	esac
	touched AM | sed -n 's|/[^/]*\.c$|/|p' | sort -u |
		grep -v '^\(drivers/iommu\|drivers/vfio\|tools\|samples\|arch\)/' || :
	touched AM | sed -n "s|^\(arch/$1/.*/\)[^/]*\.c\$|\1|p" | sort -u
}

# step_config ARCH: configure for what $STEP_TREE holds; only when something
# of it changed
step_config() {
	_out=$B/kernel/steps-$1
	mkdir -p "$_out"
	_want=$(
		step_configs "$1" | xargs sha256sum
		git -C "$STEP_TREE" ls-tree -r HEAD | grep '/Kconfig[^/]*$' | sha256sum
		step_cc "$1" --version | head -n 1
	)
	[ "$(cat "$_out/.config-of" 2>/dev/null)" != "$_want" ] || return 0
	rm -f "$_out/.config-of"
	step_make "$1" tinyconfig
	(cd "$_out" && step_configs "$1" |
		xargs "$STEP_TREE/scripts/kconfig/merge_config.sh" -m -O "$_out" "$_out/.config")
	step_make "$1" olddefconfig
	printf '%s\n' "$_want" >"$_out/.config-of"
}

# tests_key COMMIT: one word for all that decides how the selftests compile
tests_key() {
	{
		git -C "$SRC" ls-tree -r "$1" -- tools/testing/selftests/iommu include/uapi
		git -C "$SRC" ls-tree -r "$1" -- drivers/iommu/iommufd | grep "\.h$"
		git -C "$SRC" ls-tree "$1" -- tools/include tools/testing/selftests/
		step_cc x86 --version | head -n 1
	} | key_of_files "$TOP/scripts/build-tests"
}

# findings_since_base COMMAND...: run it in the base and in the series; it
# prints findings on stdout, and those the base does not have are shown
findings_since_base() {
	_tmp=$(mktemp -d)
	(cd "$SRC" && "$@" >"$_tmp/base" 2>&1) || :
	(cd "$LINUX" && "$@" >"$_tmp/series" 2>&1) || :
	_status=0
	new_lines "$_tmp/base" "$_tmp/series" || _status=$?
	rm -rf "$_tmp"
	return "$_status"
}

# repo_files: all files of the repository that git does not ignore; the
# caller is in $TOP
repo_files() {
	cd "$TOP" || exit 1
	git ls-files --cached --others --exclude-standard |
		while read -r _file; do
			[ ! -f "$_file" ] || [ -L "$_file" ] || echo "$_file"
		done
}
