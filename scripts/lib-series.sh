# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# The format of patches/ and of the overlay. Source it after lib.sh.
#
# patches/NNNN-slug.patch (or NNNNa-slug.patch, of which the next letter comes
# after it): "Subject: ...", blank line, the rest of the commit
# message, "---", "New-file: PATH" lines, then a diff of files that exist
# upstream. A New-file stands in the overlay: at its kernel path below $TOP.

OVERLAY_DIRS='arch block crypto Documentation drivers fs include init io_uring
	ipc kernel lib mm net samples security sound tools virt'

# patch_files: all patches in order
patch_files() {
	(cd "$TOP" && ls patches/[0-9]*.patch 2>/dev/null) || :
}

# patch_number FILE: 0012 or 0012a of its name
patch_number() {
	echo "$1" | sed 's|^.*/||; s|-.*||'
}

# overlay_dirs: the top directories that it has, on one line
overlay_dirs() {
	for _dir in $OVERLAY_DIRS; do
		[ ! -d "$TOP/$_dir" ] || echo "$_dir"
	done | xargs
}

# overlay_files: all files of the overlay, tracked or not, that git does not
# ignore
overlay_files() (
	cd "$TOP" || exit 1
	_dirs=$(overlay_dirs)
	[ -n "$_dirs" ] || exit 0
	# shellcheck disable=SC2086 # a list of words
	{
		git ls-files --cached --others --exclude-standard -- $_dirs ||
			find $_dirs -type f
	} 2>/dev/null | sort -u | while read -r _file; do
		[ ! -f "$_file" ] || echo "$_file"
	done
)

# file_mode FILE: as git records it
file_mode() {
	if [ -x "$1" ]; then echo 100755; else echo 100644; fi
}

# patch_message FILE: the commit message
patch_message() {
	sed -e '1s/^Subject: //' -e '/^---$/,$d' "$1"
}

# patch_diff FILE: the diff alone
patch_diff() {
	sed -n '/^diff --git /,$p' "$1"
}

# patch_new FILE: its new files
patch_new() {
	sed -n -e '/^diff --git /q' -e 's/^New-file: //p' "$1"
}

# patch_facts FILE...: one line each: "claim PATH FILE" for a New-file,
# "create PATH FILE" and "edit PATH FILE" for what the diff does, and
# "error TEXT" for a form that is wrong
patch_facts() {
	awk '
	function wrong(text) { print "error " FILENAME " " text }
	function leave() {
		if (last != "" && part < 2) print "error " last " has no line ---; add it after the message"
	}
	FNR == 1 {
		leave(); part = 1; last = FILENAME
		if (!/^Subject: [^ ]/) wrong("does not begin with a Subject: line; add it")
		next
	}
	FNR == 2 && $0 != "" && $0 != "---" { wrong("lacks the blank line after its Subject:; add it") }
	part == 1 && /^Signed-off-by:/ { wrong("has a Signed-off-by; remove it, whoever submits adds it") }
	part == 1 && /^---$/ { part = 2; next }
	/^diff --git / {
		if (part == 1) { wrong("has no line --- before the diff; add it"); nextfile }
		part = 3; path = $3; sub(/^a\//, "", path)
		print "edit", path, FILENAME
	}
	part == 2 && /^New-file: / { print "claim", $2, FILENAME }
	part == 3 && /^new file mode / { print "create", path, FILENAME }
	END { leave() }' "$@"
}

# series_errors BASE: what is wrong with patches/ and the overlay, a line each
series_errors() (
	cd "$TOP" || exit 1
	_tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$_tmp"' EXIT
	overlay_files >"$_tmp/overlay"
	patch_files | sed 's/^\(patches\/[0-9a-z]*\).*/\1/' | uniq -d |
		sed 's/$/: two patches have this number; rename one/'
	# shellcheck disable=SC2046 # a list of words
	set -- "$1" $(patch_files)
	[ $# -gt 1 ] || exit 0
	_base=$1
	shift
	patch_facts "$@" >"$_tmp/facts"
	sed -n 's/^error //p' "$_tmp/facts"
	sed -n 's/^claim \([^ ]*\) .*/\1/p' "$_tmp/facts" | sort -u >"$_tmp/claimed"

	comm -13 "$_tmp/claimed" "$_tmp/overlay" |
		sed 's/$/: no patch has a New-file line for it; add one or remove the file/'
	comm -23 "$_tmp/claimed" "$_tmp/overlay" | while read -r _file; do
		echo "$(grep -l -x "New-file: $_file" "$@" | head -n 1): New-file $_file does not exist; add the file or remove the line"
	done
	sed -n 's/^claim \([^ ]*\) .*/\1/p' "$_tmp/facts" | sort | uniq -d |
		sed 's/$/: several New-file lines name it; keep one/'
	xargs -r git -C "$SRC" ls-tree -r --name-only "$_base" -- <"$_tmp/claimed" |
		sed 's/$/: exists upstream; edit it by the diff of a patch instead of a New-file line/'
	awk '$1 == "create" { print $3 ": creates " $2 " by its diff; move the file into the overlay and add a New-file line" }' "$_tmp/facts"
	awk 'NR == FNR { new[$1]; next } $1 == "edit" && $2 in new {
		print $3 ": edits " $2 ", a file of the overlay; edit that file instead" }' \
		"$_tmp/claimed" "$_tmp/facts"
)

# series_hash BASE: one word that changes with all that prepare makes commits
# from
series_hash() (
	cd "$TOP" || exit 1
	{
		echo "$1"
		patch_files | xargs -r sha256sum
		overlay_files >"$B/overlay.list"
		xargs -r sha256sum <"$B/overlay.list"
		while read -r _file; do
			[ ! -x "$_file" ] || echo "x $_file"
		done <"$B/overlay.list"
	} | sha256sum | cut -d ' ' -f 1
)

# sparse_worktree DIR COMMIT: a work tree of $SRC that holds only the files
# that the list on stdin names; quick where a full one takes a minute. Use git
# in it by sparse_git.
sparse_worktree() {
	drop_worktree "$1"
	git -C "$SRC" worktree add -q --force --detach --no-checkout "$1" "$2"
	_sparse=$(git -C "$1" rev-parse --git-path info/sparse-checkout)
	mkdir -p "${_sparse%/*}"
	{
		echo /.gitattributes
		sed 's|^|/|'
	} >"$_sparse"
	sparse_git "$1" checkout -q
}

sparse_git() {
	_dir=$1
	shift
	series_identity git -C "$_dir" -c core.sparseCheckout=true \
		-c core.sparseCheckoutCone=false -c core.hooksPath=/dev/null \
		-c core.abbrev=40 -c commit.gpgSign=false \
		-c commit.cleanup=whitespace "$@"
}

# drop_worktree DIR
drop_worktree() {
	rm -rf "$1"
	git -C "$SRC" worktree prune
}
