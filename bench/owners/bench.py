# SPDX-License-Identifier: Apache-2.0
"""`./dev bench owners`: what it costs the host that sonde retrans and sonde connections know the owners."""

from capture import verdict
from owners import cost, seed

PARTS = [('throughput', cost.throughput), ('round trips', cost.round_trips), ('connects', cost.connects),
         ('send hook', cost.send_hook), ('seed', seed.open_sockets)]

NOTES = '''\
Rates are those of the load; each ratio is the median over alternating runs: without, with, without. iperf3 runs between
two namespaces, the other loads on loopback in one, all with both CPUs for load and sonde.

- **bpftrace**: a one-liner that remembers the last sender of each socket and looks it up at a retransmission:
  `{ONE_LINER}`
- **send hook**: mean of the kernel's own statistics (kernel.bpf_stats_enabled), which count the two readings of the clock in.
- **connects**: each connection is four events: opened and closed at both ends. Reported are events that came out; lost
  is what the ledger counts.
- **seed**: sockets of several processes that are open when sonde starts; the time from exec to hooks attached and every
  owner known; memory is the peak resident set and what the kernel's slabs grew by.
'''


def run(build):
    rows, details = verdict.run_parts(PARTS, build)
    notes = NOTES.replace('{ONE_LINER}', cost.ONE_LINER)
    return verdict.show(rows) + '\n' + notes + '\n' + '\n'.join(details)
