#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Part of run.sh: the event commands of the program $sonde on traffic between the namespaces left and right. The last three
# functions are steps: what they print is shown if they fail.
events=$(mktemp)
errors=$(mktemp)
traffic=tests/netns/retransmissions/traffic.py
watcher='' sender='' receiver=''

# No functions: in the background $! must be the program itself.
in_left=(nsenter --net=/run/netns/left)
in_right=(nsenter --net=/run/netns/right)

# waits_for WORDS FILE PID: until the file has the words; fails if the process ends before
waits_for() {
  until grep -q "$1" "$2"; do
    kill -0 "$3" || return
    sleep 0.5
  done
}

# watch COMMAND OPTIONS...: `sonde COMMAND` in the background, from when its hooks are attached
watch() {
  : >"$errors" # of the one before
  # shellcheck disable=SC2154 # of run.sh
  "$sonde" "$@" -o json >"$events" 2>"$errors" &
  watcher=$!
  waits_for '^sonde: owners by' "$errors" $watcher || { cat "$errors" && return 1; }
}

# Its events are in $events then.
end_watch() {
  local status=0
  kill -TERM $watcher
  wait $watcher || status=$?
  cat "$errors"
  [ $status = 0 ] && grep -q 'the books balance' "$errors"
}

start_receiver() {
  local listening
  listening=$(mktemp)
  "${in_right[@]}" python3 "$traffic" receive 192.0.2.2 5001 >"$listening" &
  receiver=$!
  waits_for listening "$listening" $receiver
}

end_receiver() {
  kill $receiver
  wait $receiver || :
}

# Four connections of one process, all data acknowledged at the end.
bulk_transfer() {
  "${in_left[@]}" python3 "$traffic" send 192.0.2.2 5001 "$1" 4 &
  sender=$!
  wait $sender
}

# A counter of the whole namespace.
segments_sent_again() { "${in_left[@]}" nstat -asz TcpRetransSegs | awk '$1 == "TcpRetransSegs" { print $2 }'; }

# netem_loss HOOK: netem loses what left sends. `sonde retrans` tells of as many segments as the kernel counts there, and
# the sender's process with each.
netem_loss() {
  local before again left
  "${in_left[@]}" tc qdisc add dev veth0 root netem loss 5% && start_receiver && watch retrans --hook "$1" || return
  before=$(segments_sent_again)
  bulk_transfer 4000000 || return
  again=$(($(segments_sent_again) - before))
  "${in_left[@]}" tc qdisc delete dev veth0 root
  end_receiver
  end_watch || return
  cat "$events"
  echo "the kernel counts $again"
  left=$(stat -Lc %i /run/netns/left)
  jq --slurp --exit-status --argjson again "$again" --argjson pid $sender --argjson left "$left" '
    map(select(.type == "retransmission" and .network_namespace == $left)) |
    (map((.segments // 0) + (.unreported // 0)) | add) as $told |
    (map(select(.owner.pid != $pid)) | length) as $others |
    "told \($told), of \($others) events the sender is not named" | debug |
    $again > 0 and $told == $again and $others == 0' "$events"
}

# Both ends of each connection open and end, under the name of the process there.
connections_of_both() {
  start_receiver && watch connections && bulk_transfer 10000 || return
  for _ in {1..60}; do
    [ "$(grep -c '"event":"closed"' "$events")" -lt 8 ] || break
    sleep 1
  done
  end_watch || return
  end_receiver
  cat "$events"
  jq --slurp --exit-status --argjson sender $sender --argjson receiver $receiver '
    map(select(.type == "connection" and .protocol == "tcp") | "\(.event) \(.direction) \(.owner.pid)") |
    group_by(.) | map({key: .[0], value: length}) | from_entries | debug |
    . == {"opened outbound \($sender)": 4, "closed outbound \($sender)": 4,
          "opened inbound \($receiver)": 4, "closed inbound \($receiver)": 4}' "$events"
}

# What a firewall takes from a sender carries the sender's name.
drops_of_sender() {
  "${in_left[@]}" nft 'add table inet t; add chain inet t c { type filter hook output priority 0; };
    add rule inet t c udp dport 9 drop' && watch drops || return
  "${in_left[@]}" bash -c 'for i in 1 2 3 4 5; do echo >/dev/udp/192.0.2.2/9; done; true' 2>/dev/null &
  sender=$!
  wait $sender
  "${in_left[@]}" nft delete table inet t
  end_watch || return
  cat "$events"
  jq --slurp --exit-status --argjson sender $sender '
    map(select(.type == "drop" and .reason == "NETFILTER_DROP" and .owner.pid == $sender)) | length == 5' "$events"
}
