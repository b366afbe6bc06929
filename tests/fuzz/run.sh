#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS [BUILD]: builds every fuzz target and runs each for SECONDS. Fails on the first crash; the input that
# did it stays in BUILD/fuzz-crashes. New inputs go to BUILD, the corpus in the source tree is only read.
set -eu
if [ $# -lt 1 ] || ! [ "$1" -gt 0 ] 2>/dev/null; then
  echo "usage: $0 SECONDS [BUILD]" >&2
  exit 2
fi
seconds=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${2:-$root/build/fuzz}

mkdir -p "$build"
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSONDE_FUZZ=ON >"$build/configure.log" 2>&1 || {
  cat "$build/configure.log" >&2
  exit 1
}
ninja -C "$build" fuzz_targets
mkdir -p "$build/fuzz-crashes"

for source in "$here"/fuzz_*.cpp; do
  target=$(basename "$source" .cpp)
  name=${target#fuzz_}
  found="$build/fuzz-found/$name"
  mkdir -p "$found"
  echo "== $target, $seconds s"
  "$build/tests/fuzz/libfuzzer/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -verbosity=0 -artifact_prefix="$build/fuzz-crashes/$name-" "$found" "$here/corpus/$name"
done
echo "no crash"
