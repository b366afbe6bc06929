# SPDX-License-Identifier: Apache-2.0
"""What the parts of the wire splice's bench share."""
import dataclasses

from capture.network import BenchError

WIRE, AUTO, SPLICE, HAPROXY = 'sonde wire', 'sonde auto', 'sonde splice', 'HAProxy'
STEADY = ['remote_down', 'remote_up', 'remote_rr8', 'remote_rr64']
ALL_BY_WIRE = 0.99
SETTLED = 1.0      # seconds after which every connection has been handed over


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and how long."""
    loads: tuple = tuple(STEADY)
    rounds: int = 5
    seconds: float = 0.6


def share(outcome):
    """Of the bytes of the load, what the wire splice has forwarded; retransmissions may make it more than 1."""
    return outcome['wire_bytes'] / outcome['total_bytes']


def required(got):
    if 'error' in got:
        raise BenchError(got['error'])
    return got
