# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Kernel modules without depmod and kmod: an object says itself what it needs.

# module_name FILE: as the kernel calls it
module_name() {
	_base=${1##*/}
	echo "${_base%%.*}" | tr - _
}

# module_needs FILE: the names of the modules that must be loaded before it
module_needs() {
	tr '\0' '\n' <"$1" | sed -n 's/^depends=//p' | tr ',' '\n' |
		sed '/^$/d' | tr - _
}

# module_order DIR: the objects in DIR, each after those that it needs
module_order() {
	for _file in "$1"/*.ko; do
		[ -e "$_file" ] || continue
		_name=$(module_name "$_file")
		echo "$_name $_name"
		for _need in $(module_needs "$_file"); do
			echo "$_need $_name"
		done
	done | tsort | while read -r _name; do
		for _file in "$1"/*.ko; do
			[ "$(module_name "$_file")" != "$_name" ] || echo "$_file"
		done
	done
}
