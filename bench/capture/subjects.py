# SPDX-License-Identifier: Apache-2.0
"""The capture programs that are compared: how each is started, and what it says about itself at its end."""
import dataclasses
import json
import re

from capture.network import BenchError


@dataclasses.dataclass(frozen=True)
class Counts:
    arrived: int    # packets that reached the program's hook or tap
    delivered: int  # of these, that it counted, printed or wrote
    lost: int       # of these, dropped between kernel and program, by the program's own statistics


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str
    command: tuple      # without the program's interface
    interface: str      # the option before the interface
    ready: str          # what it writes once attached
    counts: object      # (output, log) -> Counts
    drops: bool = True  # needs the tc program behind it that drops
    keep_output: bool = False

    def argv(self):
        return [*self.command, self.interface, 'b0']


def _sonde_counts(_output, log):
    stages = {name: [int(number) for number in numbers.split()]
              for name, numbers in re.findall(r'^  (\w+)((?: +\d+){4})(?:  .*)?$', log, re.MULTILINE)}
    if 'device' not in stages or 'the books balance' not in log:
        raise BenchError('sonde wrote no ledger that balances:\n' + log)
    lost = int(re.search(r'^(\d+) lost;', log, re.MULTILINE).group(1))
    return Counts(stages['device'][0], stages['output'][1], lost)


def _consume_counts(output, _log):
    counts = json.loads(output)
    return Counts(counts['taken'], counts['delivered'], counts['lost'])


def _tcpdump_counts(_output, log):
    def number(what):
        found = re.search(rf'^(\d+) packets? {what}', log, re.MULTILINE)
        if not found:
            raise BenchError('tcpdump wrote no statistics:\n' + log)
        return int(found.group(1))

    # Received includes dropped (PACKET_STATISTICS), and a few that it had not read when it was interrupted.
    return Counts(number('received by filter'), number('captured'), number('dropped by kernel'))


def sonde(build, name, *options):
    return Subject(name, (build / 'cli/sonde', 'capture', *options), '-i', r'sonde: b0: in by', _sonde_counts)


def consume(build, name, *options):
    return Subject(name, (build / 'bench/capture/consume', *options), '--interface', r'^ready', _consume_counts,
                   drops=False, keep_output=True)


def tcpdump(name, *options):
    return Subject(name, ('tcpdump', *options), '-i', r'listening on', _tcpdump_counts)
