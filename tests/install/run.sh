#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD WORK COMPILER: installs BUILD below WORK, moves the result (it must not depend on where it was installed),
# builds consumer/ against it with find_package and runs it. Then the installed program and manuals are looked at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 work=$2 compiler=$3
first=$work/first prefix=$work/prefix

fail() {
  printf 'FAILED: %s\n' "$1" >&2
  exit 1
}

rm -rf "$first" "$prefix" "$work/consumer"
cmake --install "$build" --prefix "$first" >"$work/install.log" || fail 'cmake --install'

# The units name the program where it was installed, and systemd has nothing to say about them.
units=$first/lib/systemd/system
for unit in sonde-proxy.service sonde-proxy@.service; do
  grep -q "^ExecStart=$first/bin/sonde proxy " "$units/$unit" || fail "$unit does not start the installed program"
done
if command -v systemd-analyze >"$work/analyze.log"; then
  cp "$units/sonde-proxy@.service" "$units/sonde-proxy@2.service"
  systemd-analyze verify --man=no "$units"/sonde-proxy.{service,socket} "$units/sonde-proxy@2.service" 2>&1 |
    tee "$work/analyze.log"
  [ ! -s "$work/analyze.log" ] || fail 'systemd-analyze verify'
  rm "$units/sonde-proxy@2.service"
fi
mv "$first" "$prefix"

cmake -S "$here/consumer" -B "$work/consumer" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
cmake --build "$work/consumer"
"$work/consumer/consumer" no-such-interface

"$prefix/bin/sonde" --version
for page in sonde sonde-capture sonde-connections sonde-doctor sonde-drops sonde-retrans; do
  [ -s "$prefix/share/man/man1/$page.1" ] || fail "no manual $page(1)"
done
[ -s "$prefix/share/doc/sonde/LICENSE" ] || fail 'no licence'
! grep -rlF -e "$here" -e "$first" "$prefix/lib"/*/cmake "$prefix/lib/cmake" 2>/dev/null ||
  fail 'the CMake package holds paths of the build'
