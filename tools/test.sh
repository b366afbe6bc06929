#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev test [--long] [-L LABEL] [-R REGEX]: all tests of preset dev, then what needs no kernel under asan and ubsan.
# With -L or -R only the chosen tests of preset dev run. Ends with "N passed, N failed, N skipped" over all of them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)
kernel_labels='^(prog|netns)$'
passed=0 failed=0 skipped=0
long=false
choice=()
skips=()

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

problem() {
  printf 'FAILED: %s\n' "$1"
  failed=$((failed + 1))
}

# attribute NAME FILE: of the <testsuite> element
attribute() { tr '\n' ' ' <"$2" | sed -n "s/.*<testsuite [^>]*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p"; }

# skips_of REPORT: names of the tests that decided to skip, or are switched off
skips_of() {
  tr -d '\n' <"$1" | grep -oE '<testcase [^>]*status="(notrun|disabled)"[^>]*>[[:space:]]*(<skipped message="[A-Z_]+"|<)' |
    grep -E 'status="disabled"|SKIP_REGULAR_EXPRESSION_MATCHED|SKIP_RETURN_CODE' | sed 's/<testcase name="\([^"]*\)".*/\1/' || :
}

# count REPORT: adds up a JUnit report of ctest. A test that could not be run (no program) has failed.
count() {
  local total good names=()
  mapfile -t names < <(skips_of "$1")
  total=$(attribute tests "$1")
  good=$((total - $(attribute failures "$1") - $(attribute skipped "$1") - $(attribute disabled "$1")))
  passed=$((passed + good)) skipped=$((skipped + ${#names[@]})) failed=$((failed + total - good - ${#names[@]}))
  skips+=("${names[@]}")
}

# run_tests PRESET [CTEST ARGS]: one run of ctest
run_tests() {
  local folder=$root/build/$1 report status=0 before=$failed
  shift
  report=$folder/test-report.xml
  rm -f "$report"
  ctest --test-dir "$folder" --output-on-failure --no-tests=ignore --output-junit "$report" "$@" || status=$?
  [ ! -f "$report" ] || count "$report"
  [ $status = 0 ] || [ "$failed" -gt "$before" ] || problem "ctest ended with status $status"
}

# Kernel tests share the machine's hooks: one at a time, and nothing may stay behind.
run_kernel_tests() {
  local before
  before=$("$root/tools/leftovers.sh")
  run_tests dev -L "$kernel_labels" "${choice[@]}" -j1
  "$root/tools/leftovers.sh" --since "$before" || problem "the tests left something in the kernel"
}

test_dev() {
  step "preset dev"
  "$root/dev" build dev || { problem "preset dev does not build"; return; }
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
  "$root/dev" build "$1" "${targets[@]}" || { problem "preset $1 does not build"; return; }
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
[ "$skipped" = 0 ] || printf '\nskipped: %s\n' "${skips[*]}"
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
