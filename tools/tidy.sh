#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh FILE.cpp: clang-tidy of one file. Version 19, because libstdc++ has std::expected only for compilers whose
# __cpp_concepts is 202002, which Clang has since 19.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
grep -qF "\"file\": \"$1\"" "$root/build/dev/compile_commands.json" || exit 0 # a folder that is not in the build
output=$(clang-tidy-19 --quiet -p "$root/build/dev" "$1" 2>&1) && ! grep -qE ': (warning|error):' <<<"$output" && exit 0
printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter'
exit 1
