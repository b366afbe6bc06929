# SPDX-License-Identifier: Apache-2.0
"""Rows about packets a second: events, files, lines; and the memory that the capture took meanwhile."""
import statistics

import results
from capture import load, subjects, verdict

REPETITIONS = 3
MEGABYTE = 1024 * 1024


def _rate(value):
    return f'{value / 1e6:.2f} M/s'


def _search_row(name, search, peer, target=None):
    cells = {'sonde': _rate(search.rate), 'peer': _rate(peer.rate), 'ratio': verdict.times(
        verdict.ratio(search.rate, peer.rate))}
    if target is None:
        return verdict.Row(name, **cells)
    return verdict.at_least(name, verdict.ratio(search.rate, peer.rate), target, verdict.times, **cells)


def _details(searches):
    rows = [[search.subject.name, _rate(search.rate), search.describe()] for search in searches]
    return results.table(['program', 'highest rate without loss', 'as fast as the generator goes'], rows)


def events(build):
    """Every packet an event delivered to the consumer."""
    driver = subjects.consume(build, 'sonde (a): native XDP that ends the packet at the driver')
    native = subjects.sonde(build, 'sonde (b): capture -q --xdp-mode native', '-q', '--xdp-mode', 'native')
    tc = subjects.sonde(build, 'sonde (c): capture -q', '-q')
    peer = subjects.tcpdump('tcpdump -w /dev/null', '-w', '/dev/null')
    loader = load.Loader(build, size=64, flows=256, seconds=0.8)
    searches = [load.LosslessSearch(loader, subject) for subject in (driver, native, tc, peer)]
    load.alternate(searches, REPETITIONS)
    a, b, c, dump = searches
    rows = [verdict.at_least('1a 64-byte packets, none lost: XDP, ended at the driver', a.rate, 10e6, _rate,
                             sonde=_rate(a.rate), peer=''),
            _search_row('1a against tcpdump -w /dev/null', a, dump, 2.5),
            _search_row('1b capture -q, native XDP, packets go on to the stack', b, dump),
            _search_row('1c capture -q, tc ingress (default)', c, dump)]
    return rows, _details(searches)


def files(build):
    """-w to /dev/null with 96-byte snap, of 128-byte packets."""
    snap = ('--snaplen', '96')
    driver = subjects.consume(build, 'sonde: native XDP that ends the packet at the driver, pcapng', '--write',
                              '/dev/null', *snap)
    command = subjects.sonde(build, 'sonde: capture -w /dev/null --snaplen 96', '-w', '/dev/null', *snap)
    peer = subjects.tcpdump('tcpdump -s 96 -w /dev/null', '-s', '96', '-w', '/dev/null')
    loader = load.Loader(build, size=128, flows=256, seconds=0.8)
    searches = [load.LosslessSearch(loader, subject) for subject in (driver, command, peer)]
    load.alternate(searches, REPETITIONS)
    rows = [_search_row('2 -w /dev/null --snaplen 96, XDP, ended at the driver', searches[0], searches[2], 1.5),
            _search_row('2 the same, capture as it comes (tc ingress)', searches[1], searches[2], 1.5)]
    return rows, _details(searches)


def _lines_agree(build, subject):
    """Are the packets that a program says it printed the lines that it printed? tcpdump adds an empty one when
    interrupted, sonde's JSON a summary."""
    printed = subjects.Subject(subject.name, subject.command, subject.interface, subject.ready,
                               lambda output, log: (subject.counts(output, log), sum(map(bool, output.split('\n')))),
                               keep_output=True)
    counts, lines = _paced_run(build, printed)
    summary = 1 if 'json' in subject.command else 0
    return counts.delivered > 0 and counts.delivered == lines - summary


def _paced_run(build, subject):
    """Slow enough that nobody loses; tcpdump looks at a block that is not full only after a second."""
    return load.Loader(build, seconds=0.3).counts(subject, rate=5_000, settle=1.3)


def _line_details(build, runs, named):
    rows = []
    for name, list_of_runs in runs.items():
        rate = statistics.median(run.rate for run in list_of_runs)
        offered = statistics.median(run.offered for run in list_of_runs)
        lost = statistics.median(run.lost_share for run in list_of_runs)
        agree = 'yes' if _lines_agree(build, named[name]) else '**no**'
        rows.append([name, _rate(offered), _rate(rate), f'{lost:.1%}', agree])
    return results.table(['program', 'sent', 'lines', 'lost, counted', 'counts equal the lines (slow run)'], rows)


def lines(build):
    """-o text and -o json to /dev/null; more than anybody can print is sent."""
    text = subjects.sonde(build, 'sonde capture -o text', '-o', 'text')
    json = subjects.sonde(build, 'sonde capture -o json', '-o', 'json')
    native = subjects.sonde(build, 'sonde capture -o text --xdp-mode native', '-o', 'text', '--xdp-mode', 'native')
    peer = subjects.tcpdump('tcpdump -n', '-n')
    named = {subject.name: subject for subject in (text, json, native, peer)}
    runs = load.overload(load.Loader(build, flows=256, seconds=1.2), named.values(), REPETITIONS)
    rate = {name: statistics.median(run.rate for run in each) for name, each in runs.items()}
    rows = [_lines_row('3 -o text to /dev/null, lines', rate[text.name], rate[peer.name], 3),
            _lines_row('4 -o json to /dev/null, lines', rate[json.name], rate[peer.name], 1.5),
            _lines_row('3 -o text with native XDP', rate[native.name], rate[peer.name], None),
            _memory_row([run for each in (text, json, native) for run in runs[each.name]], runs[peer.name])]
    return rows, _line_details(build, runs, named)


def _lines_row(name, rate, peer, target):
    ratio = verdict.ratio(rate, peer)
    cells = {'sonde': _rate(rate), 'peer': _rate(peer), 'ratio': verdict.times(ratio)}
    if target is None:
        return verdict.Row(name, **cells)
    return verdict.at_least(name, ratio, target, verdict.times, **cells)


def _memory_row(runs, peer):
    memory, other = (max(run.memory for run in each) for each in (runs, peer))
    return verdict.at_most('7 peak resident memory, default buffers, after a flood', memory / MEGABYTE, 64,
                           lambda value: f'{value:.0f} MB', sonde=f'{memory / MEGABYTE:.0f} MB',
                           peer=f'{other / MEGABYTE:.0f} MB', ratio=verdict.times(memory / other))
