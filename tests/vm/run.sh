#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh LIST: inside the guest of tools/vm/vmtest.sh, from the project's root. Runs the test programs that the file LIST
# names (that of retransmissions on two rungs of the owner ladder), doctor, and the program's commands between two
# namespaces. One line a step; what failed shows its output.
set -uo pipefail
sonde=${SONDE:-build/dev/cli/sonde}
passed=0 failed=0 skipped=0
log=$(mktemp)

# step NAME COMMAND...: tests that a gtest program skips are counted and named.
step() {
  local name=$1 status=0
  shift
  SECONDS=0
  "$@" >"$log" 2>&1 || status=$?
  skipped=$((skipped + $(grep -c '^\[  SKIPPED \] .*ms)$' "$log")))
  if [ $status = 0 ]; then
    passed=$((passed + 1))
    printf 'ok      %s (%d s)\n' "$name" "$SECONDS"
    sed -n 's/^\[  SKIPPED \] \(.*\) (.*ms)$/skipped \1/p' "$log"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%d s), status %d\n' "$name" "$SECONDS" "$status"
    tail -n 40 "$log"
  fi
}

run_test_programs() {
  local program rung
  while IFS= read -r program; do
    case $program in
      */retransmissions_netns_test)
        for rung in fentry kprobe; do
          step "${program##*/}, $rung" env SONDE_TEST_HOOK=$rung "$program" --gtest_brief=0
        done
        ;;
      *) step "${program##*/}" "$program" --gtest_brief=0 ;;
    esac
  done <"$1"
}

two_namespaces() {
  ip netns add left && ip netns add right &&
    ip link add veth0 netns left type veth peer name veth0 netns right &&
    nsenter --net=/run/netns/left ip address add 192.0.2.1/24 dev veth0 &&
    nsenter --net=/run/netns/right ip address add 192.0.2.2/24 dev veth0 &&
    nsenter --net=/run/netns/left ip link set veth0 up &&
    nsenter --net=/run/netns/right ip link set veth0 up
}

# capture OPTIONS...: six ICMP packets, three each way, must be on the lines. nsenter and not `ip netns exec`, which hides
# tracefs and bpffs.
capture() {
  local output messages pid status=0
  output=$(mktemp)
  messages=$(mktemp)
  nsenter --net=/run/netns/left "$sonde" capture -i veth0 -o json -c 6 --duration 60s "$@" icmp >"$output" 2>"$messages" &
  pid=$!
  waits_for '^sonde: source' "$messages" $pid
  nsenter --net=/run/netns/right ping -c 3 -i 0.3 192.0.2.1
  wait $pid || status=$?
  cat "$messages" "$output"
  [ $status = 0 ] && [ "$(grep -c '"direction":"in"' "$output")" = 3 ] && [ "$(grep -c '"direction":"out"' "$output")" = 3 ]
}

# shellcheck source=tests/vm/events.sh
. tests/vm/events.sh

# Only what was there before is there after: no program, map, link, qdisc.
nothing_left() { tools/leftovers.sh --since "$1"; }

printf 'kernel %s\n' "$(uname -r)"
before=$(tools/leftovers.sh)
run_test_programs "$1"
step doctor "$sonde" doctor
grep -v '^$' "$log" | sed 's/^/        /'
step 'two namespaces' two_namespaces
step 'capture, tc' capture --source ebpf
step 'capture, xdp native' capture --source ebpf --xdp-mode native
step 'capture, xdp generic' capture --source ebpf --xdp-mode generic
step 'capture, perf transport' capture --source ebpf --transport perf
step 'capture, AF_PACKET' capture --source afpacket
step 'retrans, netem loss, fentry' netem_loss fentry
step 'retrans, netem loss, kprobe' netem_loss kprobe
step connections connections_of_both
step drops drops_of_sender
ip netns delete left
ip netns delete right
step 'nothing left behind' nothing_left "$before"
printf '%d passed, %d failed, %d tests skipped\n' "$passed" "$failed" "$skipped"
[ $failed = 0 ]
