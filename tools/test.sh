#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev test [--long] [-L LABEL] [-R REGEX]: all tests of preset dev, then what needs no kernel under asan and ubsan.
# With -L or -R only the chosen tests of preset dev run. Ends with the last lines of what failed, the names of what was
# skipped and of what failed, and "N passed, N failed, N skipped" over all of them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)
kernel_labels='^(prog|netns)$'
tail_lines=40
passed=0 failed=0 skipped=0
long=false
choice=()
skips=() failures=()
folder_of_logs=$(mktemp -d)
trap 'rm -rf "$folder_of_logs"' EXIT
tails=$folder_of_logs/tails # the end of the output of everything that failed, for the end of a log that may be cut

usage_error() {
  printf './dev test: %s; expected --long, -L LABEL or -R REGEX\n' "$1" >&2
  exit 2
}

parse_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --long) long=true ;;
      -L | -R)
        [ $# -gt 1 ] || usage_error "$1 needs a value"
        choice+=("$1" "$2")
        shift
        ;;
      *) usage_error "unknown word \"$1\"" ;;
    esac
    shift
  done
}

step() { printf '\n== %s\n' "$*"; }

# problem WHAT [LOG]: what is no test
problem() {
  printf 'FAILED: %s\n' "$1"
  failed=$((failed + 1))
  failures+=("($1)")
  [ -z "${2:-}" ] || { printf '\n-- %s\n' "$1" && tail -n "$tail_lines" "$2" | cut -c1-400; } >>"$tails"
}

# build PRESET [TARGET...]: false, and counted, if it does not build
build() {
  local log=$folder_of_logs/build-$1
  "$root/dev" build "$@" 2>&1 | tee "$log" || { problem "preset $1 does not build" "$log"; return 1; }
}

# count PRESET REPORT: adds up a JUnit report of ctest
count() {
  local names verdict name
  names=$("$root/tools/test_report.py" names "$2") || { problem "$1: the report of ctest cannot be read"; return; }
  while read -r verdict name; do
    case $verdict in
      passed) passed=$((passed + 1)) ;;
      skipped) skipped=$((skipped + 1)) skips+=("$name") ;;
      failed) failed=$((failed + 1)) failures+=("$1:$name") ;;
    esac
  done <<<"$names"
  "$root/tools/test_report.py" tails "$2" "$tail_lines" >>"$tails"
}

# run_tests PRESET [CTEST ARGS]: one run of ctest
run_tests() {
  local preset=$1 folder=$root/build/$1 report status=0 before=$failed
  shift
  report=$folder/test-report.xml
  rm -f "$report"
  ctest --test-dir "$folder" --output-on-failure --no-tests=ignore --output-junit "$report" "$@" || status=$?
  [ ! -f "$report" ] || count "$preset" "$report"
  [ $status = 0 ] || [ "$failed" -gt "$before" ] || problem "$preset: ctest ended with status $status"
}

# Kernel tests share the machine's hooks: one at a time, and nothing may stay behind.
run_kernel_tests() {
  local before log=$folder_of_logs/leftovers
  before=$("$root/tools/leftovers.sh")
  run_tests dev -L "$kernel_labels" "${choice[@]}" -j1
  "$root/tools/leftovers.sh" --since "$before" 2>&1 | tee "$log" ||
    problem "the tests left something in the kernel" "$log"
}

test_dev() {
  step "preset dev"
  build dev || return 0
  run_tests dev -LE "$kernel_labels" "${choice[@]}" -j"$jobs"
  run_kernel_tests
}

# unit_targets PRESET: the folders of the configured tree that have a test with the label unit
unit_targets() {
  (cd "$root/build/$1" && grep -rlE 'LABELS[;" ]+unit' tests --include=CTestTestfile.cmake --include='*_include.cmake') |
    sed 's|/[^/]*$|/all|' | sort -u
}

test_sanitizer() {
  local targets
  step "preset $1: the tests that need no kernel"
  [ -f "$root/build/$1/build.ninja" ] || "$root/dev" configure "$1" || { problem "preset $1 does not configure"; return; }
  mapfile -t targets < <(unit_targets "$1")
  build "$1" "${targets[@]}" || return 0
  run_tests "$1" -L '^unit$' -j"$jobs"
}

test_long() {
  step "fuzzing, 60 s a target"
  if "$root/tests/fuzz/run.sh" 60; then passed=$((passed + 1)); else problem "a fuzz target"; fi
  step "kernel matrix"
  if "$root/dev" matrix; then passed=$((passed + 1)); else problem "the kernel matrix"; fi
}

parse_options "$@"
test_dev
if [ ${#choice[@]} -eq 0 ]; then
  test_sanitizer asan
  test_sanitizer ubsan
fi
if $long; then test_long; fi

[ $((passed + failed + skipped)) -gt 0 ] || problem "no test matches ${choice[*]}"
[ ! -s "$tails" ] || { printf '\n== the end of what failed\n' && cat "$tails"; }
[ "$skipped" = 0 ] || printf '\nskipped: %s\n' "${skips[*]}"
[ "$failed" = 0 ] || printf '\nfailed: %s\n' "${failures[*]}"
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
