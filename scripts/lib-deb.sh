# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Packages of a Debian suite that the machine is not set up for, without
# touching the machine's own apt. Source it after lib.sh and rig.sh.

DEB_SUITE=trixie-backports
DEB_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# deb_mirror: the address of the main archive, as this machine knows it. With
# package lists the archive names itself; a machine that never ran apt-get
# update has only the address to judge by.
deb_mirror() {
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		sed -n 's/^Debian|Debian|//p' | head -n 1 | grep . && return
	# shellcheck disable=SC2016
	apt-get indextargets --no-release-info --format '$(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		grep '/debian/*$' | head -n 1 | grep .
}

# deb_apt DIR COMMAND...: apt-get with all its state in DIR. On the command
# line, since a file named by APT_CONFIG yields to the machine's settings.
deb_apt() {
	_dir=$1
	shift
	apt-get -q \
		-o "Dir::Etc::SourceList=$_dir/sources.list" \
		-o Dir::Etc::SourceParts=- \
		-o Dir::Etc::Preferences=- -o Dir::Etc::PreferencesParts=- \
		-o "Dir::State::Lists=$_dir/lists" \
		-o "Dir::Cache=$_dir/cache" \
		${DEB_ARCH:+-o "APT::Architecture=$DEB_ARCH"} \
		${DEB_ARCH:+-o "APT::Architectures=$DEB_ARCH"} \
		-o APT::Sandbox::User=root -o APT::Default-Release= "$@"
}

deb_progress() {
	say "download: $(du -sm "$1" | cut -f 1) MiB"
}

# deb_download DIR PACKAGE: the newest version into DIR, verified by apt's
# chain of signatures; sets DEB_FILE to its name there. DEB_SUITE is the suite,
# DEB_ARCH the architecture if it is not that of this machine.
deb_download() {
	_apt=$1/apt
	_mirror=$(deb_mirror) ||
		die "apt knows no Debian archive; add one to the machine's sources or set KSRC"
	rm -rf "$_apt"
	mkdir -p "$_apt/lists/partial" "$_apt/cache/archives/partial" "$_apt/got"
	printf 'deb [signed-by=%s] %s %s main\n' "$DEB_KEYRING" "$_mirror" \
		"$DEB_SUITE" >"$_apt/sources.list"
	quiet "$B/log/apt-update.log" deb_apt "$_apt" update
	say "download: $2 of $DEB_SUITE"
	every 10 deb_progress "$_apt/got"
	(cd "$_apt/got" && quiet "$B/log/apt-download.log" \
		deb_apt "$_apt" download "$2") || exit 1
	every_end
	DEB_FILE=$(cd "$_apt/got" && ls)
	mv "$_apt/got/$DEB_FILE" "$1/$DEB_FILE"
	rm -rf "$_apt"
}
