#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev fmt [--changed] [--check]: clang-format of Debian 12 (14) over the sources, in place unless --check.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
changed=false
mode=(-i)
for word; do
  case $word in
    --changed) changed=true ;;
    --check) mode=(--dry-run -Werror) ;;
    *)
      printf './dev fmt: unknown word "%s"; expected --changed or --check\n' "$word" >&2
      exit 2
      ;;
  esac
done
# shellcheck source=tools/files.sh
. "$root/tools/files.sh"
status=0
cxx_files | xargs -r clang-format --style=file "${mode[@]}" || status=1
kernel_files | xargs -r clang-format --style="file:$root/bpf/.clang-format" "${mode[@]}" || status=1
exit $status
