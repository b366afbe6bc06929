#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev lint [--changed]: every check runs, the status is 1 if one found something.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
max_lines=800
export changed=false
case ${1:-} in
  '') ;;
  --changed) changed=true ;;
  *)
    printf './dev lint: unknown word "%s"; expected --changed\n' "$1" >&2
    exit 2
    ;;
esac
# shellcheck source=tools/files.sh
. "$root/tools/files.sh"

# refuse WHAT COMMAND...: fails if the command, given the files of standard input, prints something
refuse() {
  local what=$1 found
  shift
  found=$(xargs -r "$@") || : # grep and xargs: nothing found
  [ -n "$found" ] || return 0
  printf '%s:\n%s\n' "$what" "${found//"$root/"/}"
  return 1
}

check_format() {
  if $changed; then "$root/tools/format.sh" --check --changed; else "$root/tools/format.sh" --check; fi
}

check_scripts() { shell_files | xargs -r shellcheck -x -P "$root"; }

# Style notes (level style) are for manuals of an operating system: date, Os.
check_man_pages() { files 'docs/man/*.[1-9]' | xargs -r mandoc -T lint -W warning; }

check_includes() {
  files '*.cpp' '*.hpp' '*.c' '*.h' |
    refuse 'include by the folder (CMake gives each target its include roots), not by ./ or ../' \
      grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]\.\.?/'
}

check_licences() { source_files | refuse 'no SPDX-License-Identifier line' grep -L 'SPDX-License-Identifier: '; }

# Data of the tests and the texts of the licences are not ours to shape.
text_files() { files | { grep -vE '/LICENSES/|/tests/(golden|fuzz/corpus)' || :; } | { xargs -r grep -Il '' || :; }; }

check_length() {
  text_files | refuse "more than $max_lines lines: several things that want a file each" \
    awk -v max="$max_lines" 'FNR == max + 1 { print FILENAME }'
}

check_spaces() { text_files | refuse 'trailing white space' grep -nE '[[:space:]]+$'; }

# The analysis needs the compile commands and the generated headers of preset dev.
check_tidy() {
  local sources
  [ -f "$root/build/dev/compile_commands.json" ] || "$root/dev" configure dev || return 1
  mapfile -t sources < <(files '*.cpp' | grep -v '/tests/install/consumer/')
  [ ${#sources[@]} -gt 0 ] || return 0
  printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" "$root/tools/tidy.sh"
}

status=0
for check in format scripts man_pages includes licences length spaces tidy; do
  if "check_$check"; then printf 'ok      %s\n' "$check"; else
    printf 'FAILED  %s\n' "$check"
    status=1
  fi
done
[ "$status" = 0 ]
