# SPDX-License-Identifier: Apache-2.0
"""`./dev bench capture`: sonde capture against tcpdump and against itself not running."""

from capture import packets, single, verdict

PARTS = [('events', packets.events), ('files', packets.files), ('lines', packets.lines), ('reject', single.reject),
         ('throughput', single.throughput), ('first event', single.first_event)]

NOTES = '''\
The generator (BPF_PROG_TEST_RUN with live frames, redirected into a veth) has CPU 0, where the receive path of the veth
runs too; the capture program has CPU 1. Rates are medians of alternating repetitions. Lost is what each program's own
statistics say. The highest rate without loss is found by sending as fast as possible first, then less and less.

- **1a**: sonde's XDP program itself ends the packet at the driver (it returns XDP_DROP, which only this bench can make
  it do), so the kernel builds no skb. The pipeline behind the ring is that of `sonde capture`.
- **1b**, **1c** and every other row: the packet goes on, and a tc program behind sonde's hook and behind tcpdump's tap
  drops it, so that nobody pays for the rest of the stack.
- **6**: the other rows send whole small packets; here TCP segments stay together (GSO, GRO).
'''


def run(build):
    rows, details = verdict.run_parts(PARTS, build)
    return verdict.show(rows) + '\n' + NOTES + '\n' + '\n'.join(details)
