# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# From commits back to patches/ and the overlay. Source it after lib.sh.

# export_commits DIR BASE TIP: write DIR/patches/*.patch and DIR/overlay/ in
# the format that lib-series.sh describes; errors go to DIR/errors
export_commits() {
	rm -rf "$1"
	mkdir -p "$1/patches" "$1/overlay"
	: >"$1/errors"
	: >"$1/new"
	git -C "$SRC" diff-tree -r --no-renames --name-only --diff-filter=A \
		"$2" "$3" >"$1/added"
	patch_files | while read -r _old; do
		echo "$(patch_number "$_old") $(sed -n '1s/^Subject: //p' "$TOP/$_old")"
	done >"$1/numbers"
	_number=0000
	for _commit in $(git -C "$SRC" rev-list --reverse "$2..$3"); do
		_number=$(number_after "$1/numbers" "$_number" \
			"$(git -C "$SRC" log -1 --format=%s "$_commit")")
		export_one "$1" "$_commit" "$_number" "$2"
	done
	export_overlay "$1" "$3"
}

# number_after NUMBERS NUMBER SUBJECT: the number of the patch with this subject
# that follows NUMBER. A patch keeps the one it has, so that two branches can add
# patches in different places; a new one adds a letter to that of the patch before
# it: 0012a, 0012b.
number_after() {
	awk -v last="$2" -v subject="$3" '
	{ number = $1; sub(/^[^ ]* /, ""); taken[number]; if ($0 == subject) own = number }
	END {
		if (own > last) { print own; exit }
		letters = "abcdefghijklmnopqrstuvwxyz"
		stem = substr(last, 1, 4); at = index(letters, substr(last, 5, 1))
		if (length(last) == 4) at = 0
		do number = stem substr(letters, ++at, 1)
		while (number in taken && at < 26)
		print number
	}' "$1"
}

# export_one DIR COMMIT NUMBER BASE
export_one() {
	_name=$(printf '%s-%s' "$3" "$(git -C "$SRC" log -1 --format=%f "$2")")
	_file=$1/patches/$(printf '%.57s' "$_name").patch
	_title="$(git -C "$SRC" log -1 --format='%h ("%s")' "$2")"
	git -C "$SRC" log -1 --format=%B "$2" | sed '/^Signed-off-by: /d' |
		git stripspace >"$1/message"
	! git -C "$SRC" rev-parse -q --verify "$2^2" >/dev/null ||
		echo "$_title is a merge; rebase it" >>"$1/errors"
	! grep -qx -e --- "$1/message" ||
		echo "$_title has a line --- in its message; reword it" >>"$1/errors"

	# A path that no base has is the overlay's, whatever the commit does to it
	git -C "$SRC" diff-tree -r --no-commit-id --no-renames --name-only "$2" |
		sort >"$1/paths"
	[ -s "$1/paths" ] || echo "$_title changes nothing; drop it" >>"$1/errors"
	xargs -r git -C "$SRC" ls-tree -r --name-only "$4" -- <"$1/paths" |
		sort >"$1/upstream"
	comm -23 "$1/paths" "$1/upstream" >"$1/own"
	sort "$1/new" | comm -12 - "$1/own" |
		sed "s|\$|: $_title changes it again; git commit --fixup the commit that adds it instead|" >>"$1/errors"
	cat "$1/own" >>"$1/new"
	{
		sed '1s/^/Subject: /' "$1/message"
		echo ---
		sed 's/^/New-file: /' "$1/own"
		if [ -s "$1/upstream" ]; then
			echo
			xargs git -C "$LINUX" diff-tree -p --no-commit-id -U3 \
				--no-renames --full-index "$2" -- <"$1/upstream" |
				sed '/^index [0-9a-f]\{40\}\.\./d'
		fi
	} >"$_file"
}

# export_overlay DIR TIP: the new files as they are in the end
export_overlay() {
	[ -s "$1/added" ] || return 0
	xargs git -C "$SRC" archive "$2" -- <"$1/added" | tar -x -C "$1/overlay"
}

# install_export DIR: make patches/ and the overlay what DIR holds; files that
# are the same are not touched
install_export() {
	for _old in $(patch_files); do
		patch_new "$TOP/$_old" | while read -r _path; do
			[ -e "$1/overlay/$_path" ] || rm -f "$TOP/$_path"
		done
		[ -e "$1/$_old" ] || rm -f "$TOP/$_old"
	done
	mkdir -p "$TOP/patches"
	(cd "$1" && ls -d patches/*.patch && sed 's|^|overlay/|' added) 2>/dev/null |
		while read -r _path; do
			_to=$TOP/${_path#overlay/}
			if cmp -s "$1/$_path" "$_to" &&
				[ "$(file_mode "$1/$_path")" = "$(file_mode "$_to")" ]; then
				continue
			fi
			mkdir -p "$(dirname "$_to")"
			cp "$1/$_path" "$_to"
		done
}
