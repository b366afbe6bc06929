#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev matrix [KERNEL...]: tests/vm/run.sh inside Debian's kernels (default 6.1 6.12), with the programs of build/dev.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -gt 0 ] || set -- 6.1 6.12

# Emulation is 20 to 40 times slower than the machine: a test program runs there as a whole, not once a test.
test_programs() {
  ctest --test-dir "$root/build/dev" --show-only=json-v1 -L "^$1\$" |
    jq -r '.tests[].command[0] // empty' | sort -u
}

cd "$root"
list=$root/build/dev/kernel-test-programs
# many_processes_test and many_connections_test make thousands, which takes too long there.
{ test_programs prog && test_programs netns; } | grep -v '/many_[a-z]*_test$' >"$list"

# Guests are single-threaded, so kernels run beside each other; their output comes one after the other.
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
declare -A guests
for kernel; do
  tools/vm/vmtest.sh -k "$kernel" -t "${SONDE_VM_SECONDS:-5400}" -- tests/vm/run.sh "$list" >"$logs/$kernel" 2>&1 &
  guests[$kernel]=$!
done

status=0
for kernel; do
  wait "${guests[$kernel]}" || status=1
  printf '\n== kernel %s\n' "$kernel"
  cat "$logs/$kernel"
done
exit $status
