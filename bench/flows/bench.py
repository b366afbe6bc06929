# SPDX-License-Identifier: Apache-2.0
"""`./dev bench flows`: how fast packets are counted in flows, what it costs TCP, and how flows are collected."""
import json
import statistics
import subprocess
import time

import results
from capture import verdict
from capture.network import BenchError, Namespaces, Program, call
from owners.cost import beside, cells, iperf

ROUNDS = 3
SECONDS = 1.5
CPU = 0  # veth runs the receiving program where the generator sends: one core does both
OTHER_CPU = 1
TARGETS = {1: 12e6, 50_000: 8e6, 1_000_000: 4e6}
TABLES = ['sonde', 'lru', 'per_cpu', 'none']
NAMES = {'sonde': 'sonde', 'lru': 'LRU_HASH', 'per_cpu': 'PERCPU_HASH', 'hash': 'HASH', 'none': 'parser alone'}

NOTES = '''\
64-byte UDP frames whose source address is a random one of so many, generated (live frames) and counted on one core;
native XDP drops them behind the table. **parser alone**: the same program without a table: what generator, veth, parser
and drop leave to be had. The hash maps of the kernel hold the same key and the same counters, written by the same code.
Medians of {ROUNDS} alternating runs of {SECONDS:g} s.

- **exact**: packets that the interface counted = packets that the program took = in the table + spilled + lost, and the
  deltas of all collections add up to those in the table.
- **ns a packet**: BPF_PROG_TEST_RUN, over a program that only makes the packet; the parser is in it.
- **TCP**: iperf3 through tc hooks with owners, collected every second, beside / without; by the flow source alone,
  without a screen.
- **draining**: CPU time of a collection that shows every flow, and of the one that removes every flow; resident memory is
  the peak of the process, which maps the kernel's table a part at a time.
'''


def mpps(value):
    return f'{value / 1e6:.2f} Mpps'


def received(net):
    """veth counts here what it hands to an XDP program."""
    link = json.loads(call('ip', '-n', net.b, '-j', '-s', 'link', 'show', 'b0'))[0]
    return link['stats64']['rx']['packets']


def sink(build, net, table, room, cpu=OTHER_CPU):
    command = [build / 'bench/flows/flow_sink', '--interface', 'b0', '--table', table, '--flows', room]
    return Program(net.b, command, cpu, 'ready', keep_output=True)


def generate(build, net, flows, seconds):
    command = [build / 'bench/capture/live_frames', '--interface', 'a0', '--destination', net.mac, '--seconds', seconds,
               '--addresses', flows]
    with Program(net.a, command, CPU, keep_output=True) as generator:
        return json.loads(generator.finish()[0])


def run_once(build, table, flows):
    """Packets a second, what the sink tells, what the interface counted, peak memory."""
    with Namespaces(offload=False) as net:
        before = received(net)
        with sink(build, net, table, flows) as program:
            generate(build, net, flows, 1.0 if flows > 1 else 0.2)  # fills the table
            start = received(net)
            sent = generate(build, net, flows, SECONDS)
            rate = (received(net) - start) / (sent['end'] - sent['start'])
            time.sleep(1.5)  # a collection in which all flows have changed
            memory = program.peak_memory()
            told = json.loads(program.interrupt()[0])
            memory = max(memory, told.get('memory', 0))
        return rate, told, received(net) - before, memory


def is_exact(told, arrived):
    return (told['taken'] == arrived == told['counted'] + told['spilled'] + told['lost']
            and told['summed'] == told['counted'])


def accounting(build):
    rows, details, drained = [], [], []
    for flows, target in TARGETS.items():
        rates = {table: [] for table in TABLES}
        inexact, spilled = 0, 0
        for _ in range(ROUNDS):
            for table in TABLES:
                rate, told, arrived, memory = run_once(build, table, flows)
                rates[table].append(rate)
                if table == 'sonde':
                    inexact += not is_exact(told, arrived)
                    spilled = max(spilled, told['spilled'] / told['taken'])
                    drained += [(told, memory)] if flows == max(TARGETS) else []
        median = {table: statistics.median(values) for table, values in rates.items()}
        title = f'one core, {flows:,} flow{"s" if flows > 1 else ""}'
        peer = f'LRU_HASH {median["lru"] / 1e6:.2f}, parser alone {median["none"] / 1e6:.2f}'
        rows.append(verdict.at_least(title, median['sonde'], target, mpps, sonde=mpps(median['sonde']), peer=peer,
                                     ratio=verdict.times(median['sonde'] / median['lru'])))
        rows.append(verdict.at_most(f'{title}: runs whose totals are not exact', inexact, 0, str,
                                    sonde=f'{inexact} of {ROUNDS}, {spilled:.2%} of the packets by the ring'))
        details.append([f'{flows:,}', *(f'{median[table] / 1e6:.2f}' for table in TABLES)])
    text = results.table(['flows', *(f'{NAMES[table]}, Mpps' for table in TABLES)], details)
    return rows + draining(drained), text


def draining(runs):
    changed = statistics.median(told['most_cpu'] / told['most'] * 1e6 for told, _ in runs)
    removed = statistics.median(told['last_cpu'] / told['last'] * 1e6 for told, _ in runs)
    memory = statistics.median(memory for _, memory in runs)
    flows = min(told['most'] for told, _ in runs)

    def seconds(value):
        return f'{value:.3f} s'
    title = f'draining 1,000,000 flows (measured with {flows:,})'
    return [verdict.at_most(f'{title}: CPU time, all changed', changed, 1.0, seconds, sonde=seconds(changed)),
            verdict.at_most(f'{title}: CPU time, all removed', removed, 1.0, seconds, sonde=seconds(removed)),
            verdict.at_most(f'{title}: resident memory', memory, 200e6, lambda value: f'{value / 1e6:.0f} MB',
                            sonde=f'{memory / 1e6:.0f} MB')]


def program_cost(build):
    lines = []
    for flows in TARGETS:
        for table in ['sonde', 'lru', 'hash', 'per_cpu', 'none']:
            command = [build / 'bench/flows/flow_cost', '--table', table, '--flows', flows, '--repeat', 1_500_000,
                       '--rounds', 3]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BenchError(done.stderr)
            cost = json.loads(done.stdout)
            lines.append([f'{flows:,}', NAMES[table], f'{cost["ns"] - cost["without_ns"]:.0f}'])
    return [], results.table(['flows', 'table', 'ns a packet'], lines)


def has_command(build, name):
    sonde = build / 'cli/sonde'
    return sonde.exists() and subprocess.run([str(sonde), name, '--help'], capture_output=True, check=False).returncode == 0


def throughput(build):
    rows = []
    with Namespaces(offload=True) as net:
        def row(title, programs):
            outcome = beside(lambda: iperf(net), programs)
            rows.append(verdict.at_least(title, outcome[2], 0.97, verdict.times,
                                         **cells(lambda rate: f'{rate:.1f} Gbit/s', outcome)))
        row('iperf3 TCP over veth, flows on / off', lambda: [sink(build, net, 'source', 65536, None)])
        if has_command(build, 'watch'):
            row('iperf3 TCP over veth, sonde watch on / off',
                lambda: [Program(net.b, [build / 'cli/sonde', 'watch', '-i', 'b0'], None, 'sonde:')])
    return rows, ''


PARTS = [('accounting', accounting), ('program cost', program_cost), ('throughput', throughput)]


def run(build):
    rows, details = verdict.run_parts(PARTS, build)
    notes = NOTES.replace('{ROUNDS}', str(ROUNDS)).replace('{SECONDS:g}', f'{SECONDS:g}')
    return verdict.show(rows) + '\n' + notes + '\n' + '\n'.join(details)
