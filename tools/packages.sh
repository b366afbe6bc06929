#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# packages.sh COMMAND SECTION...: installs the Debian packages of these sections of packages.txt for `./dev COMMAND`.
# Exit status 3: something is missing and cannot be installed from here.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command=$1
shift

# wanted SECTION...
wanted() {
  local name section=
  while read -r name _; do
    case $name in
      '' | '#'*) ;;
      \[*\]) section=${name:1:-1} ;;
      *) [[ " $* " != *" $section "* ]] || echo "$name" ;;
    esac
  done <"$root/packages.txt" | sort -u
}

installed() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u
}

give_up() {
  printf './dev %s needs packages that are not installed: %s\n' "$command" "${missing[*]}" >&2
  printf '%s\n' "$1" >&2
  exit 3
}

command -v dpkg-query >/dev/null || exit 0 # not Debian: the configure step says what it does not find
mapfile -t packages < <(wanted "$@")
mapfile -t missing < <(comm -23 <(printf '%s\n' "${packages[@]}") <(installed "${packages[@]}"))
[ ${#missing[@]} -gt 0 ] || exit 0

[ "$(id -u)" = 0 ] || give_up "Install them as root: apt-get install --no-install-recommends ${missing[*]}"
printf 'installing %s\n' "${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# Peers that are servers are not started: the benches start them with configurations of their own (invoke-rc.d asks this).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
{
  apt-get -qq update &&
    apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
} </dev/null >&2 || give_up "apt-get could not install them; see its messages above."
