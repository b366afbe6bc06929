# SPDX-License-Identifier: Apache-2.0
"""The wire splice of sonde proxy beside HAProxy, nginx and plain routing. Part of `./dev bench proxy`; alone: `./dev
bench wire`. Its parts are functions of (build, places, plan) that give rows of the table and markdown for below it."""
import dataclasses
import pathlib
import statistics
import subprocess
import sys
import time

import results
from capture import verdict
from capture.network import BenchError
from proxy import loads as measured
from proxy import side_by_side, subjects
from proxy.loads import Outcomes, gbits, machine_cpu, rate
from proxy.places import SERVER_NAME, Places, enter

WIRE, AUTO, SPLICE, HAPROXY = 'sonde wire', 'sonde auto', 'sonde splice', 'HAProxy'
NAMES = [subjects.DIRECT, HAPROXY, 'nginx', AUTO, WIRE]
STEADY = ['remote_down', 'remote_up', 'remote_rr8', 'remote_rr64']
PAIRS = 9          # alternating runs of two listeners
SHORT_PAIRS = 5    # of two proxies, each for two runs
CPU_SECONDS = 3.0
SETTLED = 1.0      # seconds after which every connection has been handed over
ALL_BY_WIRE = 0.99
MOST_BY_WIRE = 0.8  # where the first 16 KiB of each connection are not
NOISE = 0.02       # of the ratio of alternating runs


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and how long."""
    loads: tuple = tuple(STEADY)
    rounds: int = 5
    seconds: float = 0.6


NOTES = '''\
Three network namespaces, two veth pairs, a client, a server and one worker in every proxy on the same CPUs; TCP timestamps, SACK, GSO
and GRO as the kernel sets them. The name in brackets is that of the load: `bench/proxy/compare.py --loads NAME` runs it alone,
`--targets PART` the rows. Medians of {ROUNDS} rounds of {SECONDS:g} s, every subject in each. **direct** is plain routing by the namespace in
the middle. **sonde wire**: `forwarding: wire`, each connection is handed over as soon as it is relayed; **sonde auto** is the default: after
16 KiB or 50 ms.

- **CPU-seconds a GB**: user, nice, system, irq and softirq of the whole machine (/proc/stat), client and server included, nothing
  subtracted, divided by the bytes that the receiver read.
- **proxy's own CPU**: user and system time of the proxy's processes (/proc/PID/stat, in steps of 10 ms) in {CPU_SECONDS:g} s that begin
  {SETTLED:g} s after the connections. The scheduler's count (/proc/PID/task/*/schedstat) is in brackets: once a second a thread walks the table.
- **hand-over**: each connection sends a message of 64 bytes behind its ClientHello, and one more when that has come back. Told is the time
  from sending to the first byte of the answer, the connect of the upstream included. One proxy with a listener of either forwarding; first answers of `wire` less
  those of `splice` in {PAIRS} alternating runs; medians of the percentiles of the runs.
- **short connections**: connect, ClientHello, an answer of 1,024 bytes, the end from the server, 32 at a time. Median of the ratios
  of {SHORT_PAIRS} alternating pairs, each started anew; {NOISE:.0%} are taken for noise.
- **many connections**: one real connection, copied in the pinned maps until there are {MANY:,} (the machine allows 20,000 descriptors); the
  running proxy takes them over as those of an earlier process. Maps: `memlock` of /proc/PID/fdinfo with one connection, and what that or the
  kernel's slab grew by, whichever is more. Process: what its anonymous memory grew by. The frozen sockets are not in it.
- **a packet**: BPF_PROG_TEST_RUN of forward_packet, TCP with timestamps and 64 bytes. Each packet becomes one of another flow, in random
  order, so that no run finds the flow of the one before in the caches; every packet is checked to have been forwarded.
'''


def share(outcome):
    """Of the bytes of the load, what the wire splice has forwarded; retransmissions may make it more than 1."""
    return outcome['wire_bytes'] / outcome['total_bytes']


# title, load, value, form, limit, at least, whom against
TARGETS = [
    ('bulk down, 8 connections', 'remote_down', gbits, '{:.1f} Gbit/s', 2.5, True, HAPROXY),
    ('bulk down, 8 connections', 'remote_down', gbits, '{:.1f} Gbit/s', 0.85, True, subjects.DIRECT),
    ('bulk up, 8 connections', 'remote_up', gbits, '{:.1f} Gbit/s', 2.5, True, HAPROXY),
    ('bulk up, 8 connections', 'remote_up', gbits, '{:.1f} Gbit/s', 0.85, True, subjects.DIRECT),
    ('round trips, 8 connections', 'remote_rr8', rate, '{:,.0f}/s', 4.0, True, HAPROXY),
    ('round trips, 8 connections', 'remote_rr8', rate, '{:,.0f}/s', 0.9, True, subjects.DIRECT),
    ('round trips, 64 connections', 'remote_rr64', rate, '{:,.0f}/s', 4.0, True, HAPROXY),
    ('round trips, 64 connections', 'remote_rr64', rate, '{:,.0f}/s', 0.9, True, subjects.DIRECT),
    ('bulk down, CPU-seconds a GB, whole machine', 'remote_down', machine_cpu, '{:.2f}', 0.4, False, HAPROXY),
    ('bulk up, CPU-seconds a GB, whole machine', 'remote_up', machine_cpu, '{:.2f}', 0.4, False, HAPROXY),
]


def target_row(outcomes, title, load, value, form, limit, least, peer):
    title = f'[{load}] {title}, against {peer}'
    ours, theirs = outcomes.median(load, WIRE, value), outcomes.median(load, peer, value)
    if ours is None or theirs is None:
        return verdict.Row(title, 'failed', met=False)
    ratio = verdict.ratio(ours, theirs)
    make = verdict.at_least if least else verdict.at_most
    return make(title, ratio, limit, verdict.times, sonde=form.format(ours), peer=form.format(theirs),
                ratio=verdict.times(ratio))


def by_wire_row(outcomes, load, name):
    """A load that fell back would be measured as something else."""
    title = f'[{load}] {name}: bytes by the wire, the least of all rounds'
    good = [share(outcome) for outcome in outcomes.all.get((load, name), []) if 'error' not in outcome]
    if not good:
        return verdict.Row(title, 'failed', met=False)
    limit = ALL_BY_WIRE if name == WIRE else MOST_BY_WIRE
    return verdict.at_least(title, min(good), limit, '{:.0%}'.format, sonde=f'{min(min(good), 1):.1%}')


def throughput(build, places, plan):
    outcomes = Outcomes()
    measured.measure(build, places, NAMES, plan.loads, plan.rounds, plan.seconds, outcomes)
    rows = [target_row(outcomes, *target) for target in TARGETS if target[1] in plan.loads]
    rows += [by_wire_row(outcomes, load, name) for load in plan.loads if load in STEADY for name in (AUTO, WIRE)]
    return rows, side_by_side.table(outcomes, NAMES)


def own_cpu(build, places, _plan):
    rows, lines = [], []
    names = (HAPROXY, WIRE)
    for title, words in (('rr', 'rr --connections 64'), ('bulk', 'bulk --connections 64')):
        outcomes = {}
        for name in names:
            with subjects.started(name, build, places, places.remote) as subject:
                long = [*words.split(), '--seconds', str(CPU_SECONDS), '--warm-up', str(SETTLED)]
                outcomes[name] = required(subject.load(*long))
        lines.append([f'{words}, seconds of CPU in {CPU_SECONDS:g} s',
                      *(f'{outcomes[name]["process_cpu"]:.2f}' for name in names)])
        got = outcomes[WIRE]
        shown = f'{got["process_cpu"]:.2f} s in {CPU_SECONDS:g} s ({got["scheduled"] * 1e3:.2f} ms)'
        rows.append(verdict.at_most(f'[{title}] proxy\'s own CPU, 64 connections', got['process_cpu'], 0,
                                    lambda value: f'{value:g} s', sonde=shown))
        rows.append(verdict.at_least(f'[{title}] 64 connections: bytes by the wire', share(got), ALL_BY_WIRE,
                                     '{:.0%}'.format, sonde=f'{min(share(got), 1):.1%}'))
    return rows, results.table(['', *names], lines)


def alternating(runs, subjects_by_name, words):
    """By name, what each run said. The order changes from one to the next."""
    got = {name: [] for name in subjects_by_name}
    for number in range(runs):
        for name in subjects_by_name if number % 2 == 0 else reversed(subjects_by_name):
            got[name].append(required(subjects_by_name[name].load(*words.split())))
    return got


def hand_over(build, places, plan):
    rows, lines = [], []
    with subjects.started(subjects.SONDE_BOTH, build, places, places.remote) as subject:
        for number in (1, 16):
            words = f'first-byte --connections {number} --seconds {plan.seconds} --warm-up 0.1'
            got = alternating(PAIRS, {SPLICE: subject.second(), WIRE: subject}, words)
            more, table = added(got, number)
            rows += more
            lines += table
    return rows, results.table(['', SPLICE, WIRE], lines)


def added(got, number):
    """Rows of what the hand-over adds with so many connections at a time."""
    def median(name, value):
        return statistics.median(run[value] for run in got[name])
    rows = []
    for value in ('p50', 'p99'):
        ours, theirs = median(WIRE, f'first_{value}'), median(SPLICE, f'first_{value}')
        row = verdict.at_most(f'[first-byte] hand-over, {value} added, {number} at a time', ours - theirs, 1000,
                              lambda value: f'{value:.0f} us', sonde=f'{ours:.0f} us', peer=f'{theirs:.0f} us (splice)',
                              ratio=f'{ours - theirs:+.0f} us')
        # With more than one at a time the CPUs are full, and latency is what work waits for.
        rows.append(row if number == 1 else dataclasses.replace(row, target='', met=None))
    # The second message and the answer to it have only the wire to go by.
    handed = min(run['wire_bytes'] / (run['count'] * 128) for run in got[WIRE])
    failed = sum(run['failed'] for runs in got.values() for run in runs)
    rows.append(verdict.at_least(f'[first-byte] {number} at a time: second messages by the wire', handed, ALL_BY_WIRE,
                                 '{:.0%}'.format, sonde=f'{min(handed, 1):.1%}'))
    rows.append(verdict.at_most(f'[first-byte] {number} at a time: connections that failed', failed, 0, str,
                                sonde=str(failed)))
    lines = [[f'{number} at a time, {value.replace("_", " answer, ")}, us',
              *(f'{median(name, value):.0f}' for name in (SPLICE, WIRE))]
             for value in ('first_p50', 'first_p99', 'second_p50', 'second_p99')]
    return rows, lines


def short(build, places, plan):
    """Each is started anew: where nothing is to go by the wire, its program is not on the packets."""
    words = f'connect --connections 32 --answer 1024 --seconds {plan.seconds}'
    ratios, rates, failed = [], {AUTO: [], SPLICE: []}, 0
    for number in range(SHORT_PAIRS):
        for name in (AUTO, SPLICE) if number % 2 == 0 else (SPLICE, AUTO):
            with subjects.started(name, build, places, places.remote) as subject:
                got = [required(subject.load(*words.split())) for _ in range(2)]
            rates[name].append(statistics.mean(rate(run) for run in got))
            failed += sum(run['failed'] for run in got)
        ratios.append(rates[AUTO][-1] / rates[SPLICE][-1])
    ratio = statistics.median(ratios)
    title = '[connect --answer 1024] short connections, auto against splice'
    row = verdict.at_least(title, ratio, 1 - NOISE, verdict.times, sonde=f'{statistics.median(rates[AUTO]):,.0f}/s',
                           peer=f'{statistics.median(rates[SPLICE]):,.0f}/s (splice)',
                           ratio=f'{verdict.times(ratio)} ({min(ratios):.2f} to {max(ratios):.2f})')
    return [dataclasses.replace(row, target=f'at least 1.00 x, less {NOISE:.0%} for noise'),
            verdict.at_most(f'{title}: that failed', failed, 0, str, sonde=str(failed))], ''


def scheduled(pids):
    """Seconds of CPU of all threads."""
    files = [file for pid in pids for file in pathlib.Path(f'/proc/{pid}/task').glob('*/schedstat')]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def slab_bytes():
    """Of the whole machine: map elements are rounded up to its sizes, which `memlock` does not know."""
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('SUnreclaim:'))


def many(build, places, _plan):
    connections = subjects.MANY
    with subjects.started(subjects.SONDE_MANY, build, places, places.remote) as subject:
        command = [places.tool, 'idle', '--target', subject.target, '--name', SERVER_NAME, '--connections', 1]
        holder = subprocess.Popen(enter(places.remote.client, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        try:
            if not holder.stdout.readline():
                raise BenchError('the connection to copy did not come about')
            end = time.monotonic() + 15
            while subject.on_wire()['connections'] != 1:  # those of the start linger
                if time.monotonic() > end:
                    raise BenchError('the connection to copy is not alone on the wire')
                time.sleep(0.2)
            maps, process, slab = subject.on_wire()['memory'], subject.resident('RssAnon'), slab_bytes()
            after = subject.on_wire('multiply', '--connections', str(connections))
            time.sleep(4)  # taken over: the table is walked once a second
            grown, slab = subject.resident('RssAnon') - process, slab_bytes() - slab
            cpu, start = scheduled(subject.pids), time.monotonic()
            time.sleep(3)
            walk = (scheduled(subject.pids) - cpu) / (time.monotonic() - start)
            there = subject.on_wire()['connections']
        finally:
            holder.kill()
            holder.communicate()
    total = maps + max(after['memory'] - maps, slab) + max(grown, 0)
    title = f'[many] {connections:,} spliced connections'
    rows = [verdict.at_most(f'{title}: maps and process', total, 100e6, lambda value: f'{value / 1e6:.0f} MB',
                            sonde=f'{total / 1e6:.1f} MB'),
            verdict.at_least(f'{title}: that were there at the end', there, connections, '{:,}'.format,
                             sonde=f'{there:,}')]
    lines = [['maps, one connection', f'{maps / 1e6:.1f} MB'], ['maps, all', f'{after["memory"] / 1e6:.1f} MB'],
             ['slab of the kernel, growth (SUnreclaim)', f'{slab / 1e6:.1f} MB'],
             ['process, growth', f'{grown / 1e6:.1f} MB'], ['process, growth a connection', f'{grown / connections:.0f} bytes'],
             ['process, CPU while none sends', f'{walk * 1e3:.1f} ms a second']]
    return rows, results.table(['', ''], lines)


def lookup(_build, places, _plan):
    connections = subjects.MANY
    command = enter(places.remote.proxy, [places.wire_table, 'cost', '--connections', connections, '--seconds', 2])
    got = subjects.answer_of(command)
    title = f'[cost] a packet with {connections:,} connections in the maps'
    rows = []
    for words, key in (('of one of them', 'same'), ('of a random one', 'random')):
        ratio = got[key] / got['one']
        rows.append(verdict.at_most(f'{title}, {words}, against one in all', ratio, 1.1, verdict.times,
                                    sonde=f'{got[key]:.0f} ns', peer=f'{got["one"]:.0f} ns', ratio=verdict.times(ratio)))
    return rows, ''


def required(got):
    if 'error' in got:
        raise BenchError(got['error'])
    return got


PARTS = {'throughput': throughput, 'own-cpu': own_cpu, 'hand-over': hand_over, 'short': short, 'many': many,
         'lookup': lookup}


def run_parts(build, places, names, plan):
    """Rows, and markdown. A part that fails is a row that is missed; the others go on."""
    rows, details = [], []
    for name in names:
        start = time.monotonic()
        try:
            more, text = PARTS[name](build, places, plan)
        except BenchError as error:
            more, text = [verdict.Row(name, f'failed: {error}', met=False)], ''
        rows += more
        details += [f'### {name}\n\n{text}'] if text else []
        print(f'wire, {name}: {time.monotonic() - start:.0f} s', file=sys.stderr, flush=True)
    return rows, details


def run(build):
    plan = Plan()
    with Places(build / 'bench/proxy/proxy_load') as places:
        rows, details = run_parts(build, places, PARTS, plan)
    notes = NOTES.format(ROUNDS=plan.rounds, SECONDS=plan.seconds, CPU_SECONDS=CPU_SECONDS, SETTLED=SETTLED, PAIRS=PAIRS,
                         SHORT_PAIRS=SHORT_PAIRS, NOISE=NOISE, MANY=subjects.MANY)
    return verdict.show(rows) + '\n' + notes + f'- peers: {subjects.versions()}\n\n' + '\n'.join(details)
