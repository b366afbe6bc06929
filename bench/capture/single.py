# SPDX-License-Identifier: Apache-2.0
"""Rows about one thing each: the cost of a rejected packet, iperf3 beside a capture, the time to the first event."""
import contextlib
import json
import select
import statistics
import subprocess
import time

import results
from capture import load, verdict
from capture.network import BenchError, Namespaces, Program, call, in_namespace

IPERF_ROUNDS = 4
IPERF_SECONDS = 2.5
STARTS = 7


def _nanoseconds(value):
    return f'{value:.1f} ns'


def reject(build):
    output = call('taskset', '-c', '0,1', build / 'bench/capture/program_cost')
    cases = [json.loads(line) for line in output.splitlines()]
    table = results.table(['program', 'case', 'ns a packet', 'empty program', 'over it'], [
        [case['hook'], case['case'], f'{case["ns"]:.1f}', f'{case["empty_ns"]:.1f}',
         f'{case["ns"] - case["empty_ns"]:.1f}'] for case in cases])
    rejects = [case for case in cases if case['hook'] == 'XDP' and case['case'].startswith('reject')]
    worst = max(rejects, key=lambda case: case['ns'] - case['empty_ns'])
    over = worst['ns'] - worst['empty_ns']
    row = verdict.at_most(f'5 rejected packet over an empty XDP program, worst case ({worst["case"][8:]})', over, 25,
                          _nanoseconds, sonde=_nanoseconds(worst['ns']), peer=_nanoseconds(worst['empty_ns']),
                          ratio='+' + _nanoseconds(over))
    return [row], table


CAPTURES = {'capture -q': ['-q'], 'capture -o json': ['-o', 'json'],
            'capture -q --xdp-mode native': ['-q', '--xdp-mode', 'native']}


def _iperf(net, build, options):
    """Gbit/s of one connection; options: of the capture beside it, None: no capture."""
    with contextlib.ExitStack() as stack:
        server = Program(net.b, ['iperf3', '-s', '-1', '--forceflush'], 1, 'Server listening', keep_output=True)
        stack.enter_context(server)
        if options is not None:
            capture = Program(net.b, [build / 'cli/sonde', 'capture', '-i', 'b0', *options], None, 'sonde: b0: in by')
            stack.enter_context(capture)
        client = Program(net.a, ['iperf3', '-c', '198.18.0.2', '-J', '-t', IPERF_SECONDS], 0, keep_output=True)
        stack.enter_context(client)
        output, _ = client.finish()
        if options is not None:
            capture.interrupt()
        return json.loads(output)['end']['sum_received']['bits_per_second'] / 1e9


def throughput(build):
    """The capture is not pinned: it takes what time the two ends leave."""
    without, ratios, rates = [], {name: [] for name in CAPTURES}, {name: [] for name in CAPTURES}
    with Namespaces(offload=True) as net:
        for _ in range(IPERF_ROUNDS):
            before = _iperf(net, build, None)
            without.append(before)
            for name, options in CAPTURES.items():
                rates[name].append(_iperf(net, build, options))
                ratios[name].append(rates[name][-1] / before)
    base = f'{statistics.median(without):.1f} Gbit/s'
    rows = []
    for name in CAPTURES:
        ratio = statistics.median(ratios[name])
        cells = {'sonde': f'{statistics.median(rates[name]):.1f} Gbit/s', 'peer': base, 'ratio': verdict.times(ratio)}
        title = f'6 iperf3 TCP through veth, {name} / no capture'
        if 'native' in name:  # a veth with a native XDP program gives up segmentation offload
            rows.append(verdict.Row(title, **cells))
        else:
            rows.append(verdict.at_least(title, ratio, 0.95, verdict.times, **cells))
    return rows, ''


def _first_line(namespace, command, timeout=10):
    """Milliseconds from exec to the first line on standard output."""
    start = time.monotonic()
    process = subprocess.Popen(in_namespace(namespace, command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL)
    try:
        if not select.select([process.stdout], [], [], timeout)[0] or not process.stdout.readline():
            raise BenchError(f'{" ".join(map(str, command))} printed nothing')
        return (time.monotonic() - start) * 1000
    finally:
        process.kill()
        process.communicate()


def first_event(build):
    """1,000 packets a second are on their way the whole time."""
    loader = load.Loader(build, seconds=60)
    times = {'sonde': [], 'tcpdump': []}
    with Namespaces(offload=False) as net, Program(net.a, loader.generator(net, 1000)):
        for _ in range(STARTS):
            times['sonde'].append(_first_line(net.b, [build / 'cli/sonde', 'capture', '-i', 'b0', '-c', '1']))
            times['tcpdump'].append(_first_line(net.b, ['tcpdump', '-n', '-l', '-i', 'b0', '-c', '1']))
    ours, peer = (statistics.median(times[name]) for name in ('sonde', 'tcpdump'))
    cells = {'sonde': f'{ours:.0f} ms', 'peer': f'{peer:.0f} ms', 'ratio': verdict.times(ours / peer)}
    return [verdict.at_most('7 start to first event', ours, 300, lambda value: f'{value:.0f} ms', **cells)], ''
