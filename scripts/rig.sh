# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts that build and boot kernels have in common. Source it after
# lib.sh.

# The kernels there are: the series, the series with every sanitizer, and the
# kernel without the series, which the baseline is taken from. "step" is the tree
# in which the static checks go from patch to patch. "gcov" is base with the unit
# tests and with a vIOMMU driver that counts what of it is executed. arm64 and
# arm64-debug are the first two for the other architecture.
FLAVOURS='base debug pristine step gcov arm64 arm64-debug'

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
	step) echo "$B/steps/other-tree" ;;
	*) echo "$LINUX" ;;
	esac
}

# flavour_configs NAME: its fragments, in the order of merging
flavour_configs() {
	case $1 in
	arm64*) echo "$TOP/configs/arm64.config" "$TOP/configs/tegra.config" ;;
	pristine) echo "$TOP/configs/base.config" ;;
	*) echo "$TOP/configs/base.config" "$TOP/configs/series.config" ;;
	esac
	case $1 in
	base | pristine) echo "$TOP/configs/host.config" ;;
	*debug) echo "$TOP/configs/debug.config" ;;
	esac
	# Built for x86 alone
	case $1 in
	debug | gcov) echo "$TOP/configs/kunit.config" ;;
	esac
	[ "$1" != gcov ] || echo "$TOP/configs/gcov.config"
}

# flavour_make NAME: variables for its make: which objects count. Not that of the
# trace points, which is made of macros.
flavour_make() {
	[ "$1" = gcov ] || return 0
	for _word in "$(flavour_source "$1")"/drivers/iommu/amd/viommu_*.c; do
		_word=${_word##*/}
		[ "$_word" = viommu_trace.c ] || echo "GCOV_PROFILE_${_word%.c}.o=y"
	done
}

# kmake_in NAME DIR ARG...: make with its variables and objects in DIR.
# LOCALVERSION= : no "+" in the version for being in a git tree.
# KCFLAGS: ccache makes source paths relative; warnings should not show them.
kmake_in() {
	_flavour=$1 _out=$2 _source=$(flavour_source "$1")
	shift 2
	# shellcheck disable=SC2046 # a list of words
	make -C "$_source" O="$_out" ARCH="$(flavour_arch "$_flavour")" \
		CROSS_COMPILE="$(flavour_cross "$_flavour")" LOCALVERSION= V=0 \
		KCFLAGS="-fmacro-prefix-map=../../${_source##*/}/=" \
		CC="$TOP/scripts/cached-cc $(flavour_cc "$_flavour")" \
		HOSTCC="ccache gcc" \
		$(flavour_make "$_flavour") "$@"
}

# flavour_arch NAME: the architecture as the kernel's Makefile calls it
flavour_arch() {
	case $1 in
	arm64*) echo arm64 ;;
	*) echo x86_64 ;;
	esac
}

# flavour_cross NAME: what stands before the names of its compiler and tools
flavour_cross() {
	case $1 in
	arm64*) echo aarch64-linux-gnu- ;;
	esac
}

# flavour_cc NAME: its compiler
flavour_cc() {
	case $1 in
	arm64*) echo "$(flavour_cross "$1")gcc" ;;
	*) echo "${CC:-gcc}" ;;
	esac
}

# flavour_console NAME: what the kernel calls its first serial port
flavour_console() {
	case $1 in
	arm64*) echo ttyAMA0 ;;
	*) echo ttyS0 ;;
	esac
}

# flavour_image NAME: what of its build QEMU boots
flavour_image() {
	case $1 in
	arm64*) echo "$B/kernel/$1/arch/arm64/boot/Image" ;;
	*) echo "$B/kernel/$1/arch/x86/boot/bzImage" ;;
	esac
}

# What the test machines of arm64 need in binary form: package and suite. They
# are unpacked, not installed.
ARM64_FOREIGN='busybox-static:bookworm libcap-dev:bookworm'
ARM64_ROOT=$CACHE/arm64-root

# The kernel of the guests of the suite guest, see scripts/fetch-guest
export GUEST_KERNEL="$CACHE/guest-kernel"

# flavour_root NAME: where the unpacked packages of another architecture are;
# says nothing for that of this machine. Fetches them if they are not there yet.
flavour_root() {
	case $1 in arm64*) ;; *) return 0 ;; esac
	if [ ! -f "$ARM64_ROOT/complete" ]; then
		rm -rf "$ARM64_ROOT"
		mkdir -p "$ARM64_ROOT/deb"
		for _word in $ARM64_FOREIGN; do
			# shellcheck disable=SC2034 # lib-deb.sh reads them
			DEB_ARCH=arm64 DEB_SUITE=${_word#*:}
			deb_download "$ARM64_ROOT/deb" "${_word%:*}"
			dpkg-deb -x "$ARM64_ROOT/deb/$DEB_FILE" "$ARM64_ROOT"
		done
		: >"$ARM64_ROOT/complete"
	fi
	echo "$ARM64_ROOT"
}

# tests_flavour NAME: whose test programs run on it. They depend on the source
# alone, so the kernels of the series share one set.
tests_flavour() {
	case $1 in
	debug | gcov) echo base ;;
	arm64-debug) echo arm64 ;;
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

# pack_cpio DIR: what is in it as an archive for the kernel; the same input gives
# the same bytes
pack_cpio() {
	(cd "$1" && find . -exec touch -h -d @0 {} + && find . | sort |
		cpio --quiet --reproducible -R 0:0 -o -H newc)
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
