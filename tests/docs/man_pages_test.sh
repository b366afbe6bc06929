#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# man_pages_test.sh SONDE: every command of `sonde --help` is in sonde(1) and has a manual; every option of
# `sonde COMMAND --help` is in that manual, and the other way round.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sonde=$1
status=0

# Options stand at the start of a line of --help: "  -i,--interface NAME  which ..."
options_of_help() {
  "$sonde" "$@" --help | sed -n 's/^ *\(-[^ ].*\)$/\1/p' | sed 's/  .*//' | grep -oE '(^|[ ,])--?[A-Za-z0-9][A-Za-z0-9-]*' |
    tr -d ' ,' | sort -u
}

# In mdoc every option that a page describes opens a list item: ".It Fl i , Fl -interface Ar name"
options_of_page() {
  grep -E '^\.It Fl ' "$1" | grep -oE 'Fl [A-Za-z0-9-]+' | sed 's/^Fl /-/' | sort -u
}

# same WHAT MANUAL HELP: the two lists are equal and not empty
same() {
  if [ -z "$3" ] || ! diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2; then
    printf 'FAILED: %s: manual (<) and --help (>) differ\n' "$1" >&2
    status=1
  fi
}

# "Commands:" and a line for each, in --help; ".It Cm name" in sonde(1)
commands=$("$sonde" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | sort)
same 'commands of sonde' "$(sed -n 's/^\.It Cm //p' "$root/docs/man/sonde.1" | sort)" "$commands"
for command in $commands; do
  page=$root/docs/man/sonde-$command.1
  same "options of sonde $command" "$(options_of_page "$page")" "$(options_of_help "$command")"
done
exit $status
