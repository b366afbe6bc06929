# SPDX-License-Identifier: Apache-2.0
"""Loads beside sonde, beside bpftrace and alone."""
import contextlib
import json
import pathlib
import re
import statistics
import subprocess
import time

import results
from capture import verdict
from capture.network import BenchError, Namespaces, Program, call

ROUNDS = 9
SECONDS = 1.0
READY = 'sonde: owners by'
ONE_LINER = ('tracepoint:sock:sock_send_length { @pid[args->sk] = pid; @comm[args->sk] = comm; } '
             'tracepoint:tcp:tcp_retransmit_skb { printf("%s %d\\n", @comm[args->skaddr], @pid[args->skaddr]); }')


def sonde(build, namespace, *words):
    return Program(namespace, [build / 'cli/sonde', *words], None, READY)


def watchers(build, namespace):
    return [sonde(build, namespace, 'retrans'), sonde(build, namespace, 'connections')]


def loopback_load(build, namespace, *words):
    """Operations a second."""
    command = [build / 'bench/owners/loopback_load', *words, '--seconds', SECONDS]
    with Program(namespace, command, keep_output=True) as program:
        outcome = json.loads(program.finish()[0])
    return outcome['count'] / outcome['seconds']


def iperf(net):
    """Gbit/s of one connection from a to b."""
    with Program(net.b, ['iperf3', '-s', '-1', '--forceflush'], None, 'Server listening', keep_output=True):
        with Program(net.a, ['iperf3', '-c', '198.18.0.2', '-J', '-t', SECONDS], keep_output=True) as client:
            output, _ = client.finish()
    return json.loads(output)['end']['sum_received']['bits_per_second'] / 1e9


def beside(measure, programs, rounds=ROUNDS):
    """Medians: with the programs, without, and of the ratios. What disturbs the machine slowly disturbs both sides."""
    with_them, without, ratios = [], [], []
    for _ in range(rounds):
        before = measure()
        with contextlib.ExitStack() as stack:
            for program in programs():
                stack.enter_context(program)
            during = measure()
        alone = (before + measure()) / 2
        with_them.append(during)
        without.append(alone)
        ratios.append(during / alone)
    return statistics.median(with_them), statistics.median(without), statistics.median(ratios)


def cells(show, outcome):
    return {'sonde': show(outcome[0]), 'peer': show(outcome[1]), 'ratio': verdict.times(outcome[2])}


def throughput(build):
    with Namespaces(offload=True) as net:
        outcome = beside(lambda: iperf(net), lambda: watchers(build, net.b))
    title = 'iperf3 TCP over veth, retrans and connections running / not'
    return [verdict.at_least(title, outcome[2], 0.98, verdict.times,
                             **cells(lambda rate: f'{rate:.1f} Gbit/s', outcome))], ''


@contextlib.contextmanager
def bpftrace(namespace):
    """Needs tracefs, which a host mounts and a container may not."""
    tracing = pathlib.Path('/sys/kernel/tracing/events')
    mounted = not tracing.exists()
    if mounted:
        call('mount', '-t', 'tracefs', 'tracefs', tracing.parent)
    try:
        command = ['nsenter', f'--net=/run/netns/{namespace}', 'setpriv', '--pdeathsig', 'KILL', 'bpftrace', '-e', ONE_LINER]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in process.stdout:
                if line.startswith('Attaching'):
                    break
            else:
                raise BenchError('bpftrace did not attach')
            time.sleep(1)
            yield
        finally:
            process.kill()
            process.communicate()
    finally:
        if mounted:
            call('umount', tracing.parent)


def round_trips(build):
    with Namespaces(offload=True) as net:
        def measure():
            return loopback_load(build, net.a, 'rr', '--connections', 64)
        outcome = beside(measure, lambda: watchers(build, net.a))
        only_retrans = beside(measure, lambda: [sonde(build, net.a, 'retrans')])
        peer = beside(measure, lambda: [bpftrace(net.a)])

    def show(rate):
        return f'{rate / 1000:.0f} k/s'
    title = '64 connections, round trips on loopback'
    return [verdict.at_least(f'{title}, retrans and connections running / not', outcome[2], 0.97, verdict.times,
                             **cells(show, outcome)),
            verdict.at_least(f'{title}, beside sonde retrans / beside bpftrace\'s one-liner', only_retrans[2] / peer[2],
                             1.0, verdict.times, sonde=verdict.times(only_retrans[2]) + ' of alone',
                             peer=verdict.times(peer[2]) + ' of alone', ratio=verdict.times(only_retrans[2] / peer[2]))], ''


def counted(build, net):
    """Connections made, and the events and losses that sonde connections tells of them."""
    with sonde(build, net.a, 'connections') as watcher:
        command = [build / 'bench/owners/loopback_load', 'connect', '--seconds', SECONDS]
        with Program(net.a, command, keep_output=True) as load:
            made = json.loads(load.finish()[0])['count']
        time.sleep(0.5)
        _, log = watcher.interrupt()
    events = int(re.search(r'(\d+) events in', log).group(1))
    lost = int(re.search(r'(\d+) lost;', log).group(1))
    return made, events, lost, 'the books balance' in log


def connects(build):
    with Namespaces(offload=True) as net:
        outcome = beside(lambda: loopback_load(build, net.a, 'connect'),
                         lambda: [sonde(build, net.a, 'connections')])
        made, events, lost, balanced = counted(build, net)
    rate = verdict.at_least('connects a second on loopback, connections running / not', outcome[2], 0.93, verdict.times,
                            **cells(lambda value: f'{value / 1000:.1f} k/s', outcome))
    missing = 4 * made - events - lost
    every = verdict.at_most('connections not reported and not counted as lost', missing if balanced else 4 * made, 0,
                            lambda value: f'{value:.0f}',
                            sonde=f'{events} of {4 * made} events of {made} connections, {lost} lost')
    return [rate, every], ''


def statistics_of(programs):
    """Runs and nanoseconds a run by program, from bpftool."""
    rows = []
    for program in json.loads(call('bpftool', '-j', 'prog', 'show')):
        if program.get('name', '').startswith(programs) and program.get('run_cnt', 0) > 0:
            rows.append((program['name'], program['run_cnt'], program['run_time_ns'] / program['run_cnt']))
    return rows


def send_hook(build):
    switch = pathlib.Path('/proc/sys/kernel/bpf_stats_enabled')
    before = switch.read_text()
    with Namespaces(offload=True) as net, contextlib.ExitStack() as stack:
        switch.write_text('1')
        stack.callback(switch.write_text, before)
        stack.enter_context(sonde(build, net.a, 'retrans'))
        loopback_load(build, net.a, 'rr', '--connections', 64)
        rows = statistics_of('sonde_')
    if not rows:
        raise BenchError('no program of sonde ran')
    busiest = max(rows, key=lambda row: row[1])
    text = results.table(['program', 'runs', 'ns a run'], [[name, runs, f'{ns:.0f}'] for name, runs, ns in sorted(rows)])
    return [verdict.at_most('send hook (bpf_stats)', busiest[2], 100, lambda value: f'{value:.0f} ns',
                            sonde=f'{busiest[2]:.0f} ns')], text
