#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What sonde and its tests could leave in the kernel, one line each: network namespaces, BPF programs and maps whose name
# starts with "sonde_", the links of such programs, pins below /sys/fs/bpf (a folder itself holds nothing), clsact qdiscs,
# interfaces with an XDP program.
#   leftovers.sh                  prints the list
#   leftovers.sh --since "LIST"   fails if there is something that LIST does not have; waits a while for it to go, since
#                                 the kernel frees maps and namespaces in the background
set -euo pipefail
export LC_ALL=C

bpf_objects() {
  [ "$(id -u)" = 0 ] && command -v bpftool >/dev/null || return 0
  local programs
  programs=$(bpftool -j prog show 2>/dev/null | jq -c '[.[]? | select((.name // "") | startswith("sonde_"))]') || return 0
  jq -r '.[] | "program \(.id) \(.name)"' <<<"$programs"
  bpftool -j map show 2>/dev/null | jq -r '.[]? | select((.name // "") | startswith("sonde_")) | "map \(.id) \(.name)"' || :
  bpftool -j link show 2>/dev/null |
    jq -r --argjson programs "$programs" '.[]? | select(.prog_id as $id | any($programs[]; .id == $id)) | "link \(.id)"' || :
}

list() {
  {
    ip netns list | sed 's/^\([^ ]*\).*/namespace \1/'
    bpf_objects
    find /sys/fs/bpf -mindepth 1 -not -type d -not -name '*.debug' -printf 'pin %p\n' 2>/dev/null || :
    tc qdisc show 2>/dev/null | sed -n 's/^qdisc clsact .* dev \([^ ]*\).*/clsact on \1/p'
    ip -o link show | sed -n 's/^[0-9]*: \([^:@]*\).* prog\/xdp id \([0-9]*\).*/xdp program \2 on \1/p'
  } | sort -u
}

new_since() { comm -13 <(printf '%s\n' "$1") <(list); }

case ${1:-} in
  '') list ;;
  --since)
    for _ in $(seq 20); do
      new=$(new_since "$2")
      [ -n "$new" ] || exit 0
      sleep 0.25
    done
    printf 'left behind:\n%s\n' "$new" >&2
    exit 1
    ;;
  *)
    echo 'leftovers.sh: expected nothing or --since LIST' >&2
    exit 2
    ;;
esac
