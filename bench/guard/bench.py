# SPDX-License-Identifier: Apache-2.0
"""`./dev bench guard`: what the guard costs, against xdp-filter and nftables."""
import contextlib
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import results
from capture import verdict
from capture.network import Namespaces, Program, call, in_namespace

CPU = 0
REPETITIONS = 3
SECONDS = 0.8
XDP_FILTER_HOLDS = 10_000
RULES = (1, 10_000, 1_000_000)

NOTES = '''\
One core: the generator (BPF_PROG_TEST_RUN with live frames, redirected into a veth) and the receive path of the veth run
on CPU 0, with real-time priority. Every frame has another source, picked at random from the addresses of the rules, and
is dropped. A rate is what b0 received a second, the generator's own work included ("empty drop" is that alone); the stack
behind must have seen nothing. Medians; repetitions: {REPETITIONS}, alternating.

- **xdp-filter** (Debian's xdp-tools) holds 10,000 addresses. With 1,000,000 the stand-in takes its place: its look-up,
  one address in a per-CPU hash map and a counter of the action, in a program of the bench; it is measured with fewer
  rules, too. xdp-filter's own map is filled by the bench, for it takes milliseconds an address.
- **nftables**: one interval set of the same addresses and one rule, at the ingress hook of the interface, the earliest
  there is.
- **pass**: packets of random addresses, out of all of IPv4, nearly none of which has a rule. By BPF_PROG_TEST_RUN behind a
  program that changes the address, over an empty program behind the same; and by rate, where a tc program behind ends
  the packets. The networks are as blocklists have them: half single addresses, a third /24, the rest /20 to /31.
- **loading**: 1,000,000 such networks from a file, the command from start to end.
'''


def tool(build):
    return build / 'bench/guard/guard_bench'


def received(namespace):
    statistics_of = json.loads(call('ip', '-n', namespace, '-j', '-s', 'link', 'show', 'b0'))[0]['stats64']['rx']
    return statistics_of['packets']


def reached_stack(namespace):
    lines = call('ip', 'netns', 'exec', namespace, 'cat', '/proc/net/snmp').splitlines()
    names, values = [line.split() for line in lines if line.startswith('Ip:')]
    return int(values[names.index('InReceives')])


def hold(kind):
    def start(stack, net, build, rules):
        command = [tool(build), 'hold', '--kind', kind, '--rules', rules, '--interface', 'b0']
        stack.enter_context(Program(net.b, command, ready='ready'))
    return start


def xdp_filter(stack, net, build, rules):
    """In one mount namespace: `ip netns exec` gives each command its own /sys."""
    script = f'''mount -t bpf bpf /sys/fs/bpf
xdp-filter load -m native -f ipv4 -p allow b0 && xdp-filter ip -m src 0.0.0.0 || exit 1
{tool(build)} fill --pin /sys/fs/bpf/xdp-filter/filter_ipv4 --rules {rules} || exit 1
echo ready >&2; exec sleep 1000'''
    stack.enter_context(Program(net.b, ['sh', '-c', script], ready='ready'))


def nftables(stack, net, build, rules):
    with tempfile.NamedTemporaryFile('w') as file:
        file.write(call(tool(build), 'rules', '--rules', rules, '--format', 'nft', '--interface', 'b0'))
        file.flush()
        call('ip', 'netns', 'exec', net.b, 'nft', '-f', file.name)


def empty(stack, net, build, rules):
    hold('empty_drop')(stack, net, build, rules)


FILTERS = {'sonde guard': hold('guard'), 'xdp-filter': xdp_filter, 'stand-in': hold('hash_filter'),
           'nftables set': nftables, 'empty drop': empty}


class Case:
    """A filter with so many rules."""

    def __init__(self, name, rules):
        self.name, self.rules, self.rates = name, rules, []

    def repeat(self, build):
        with contextlib.ExitStack() as stack:
            net = stack.enter_context(Namespaces(offload=False))
            FILTERS[self.name](stack, net, build, self.rules)
            self.rates.append(measure(net, build, self.rules, passes=False))

    @property
    def rate(self):
        return statistics.median(self.rates)


def measure(net, build, rules, passes):
    before, stack_before = received(net.b), reached_stack(net.b)
    # A rate is of one core: what else runs on it waits.
    command = ['chrt', '--fifo', '1', tool(build), 'send', '--interface', 'a0', '--destination', net.mac, '--rules', rules,
               '--seconds', SECONDS]
    done = subprocess.run(in_namespace(net.a, command, CPU), capture_output=True, text=True, check=True)
    seconds = json.loads(done.stdout)['seconds']
    time.sleep(0.02)
    reached = reached_stack(net.b) - stack_before
    if reached > 100 and not passes:
        raise RuntimeError(f'{reached} packets were not dropped')
    return (received(net.b) - before) / seconds


def rate_text(value):
    return f'{value / 1e6:.2f} M/s'


def seconds_text(value):
    return f'{value:.2f} s'


def drops(build):
    cases = [Case(name, rules) for rules in RULES for name in FILTERS
             if not (name == 'xdp-filter' and rules > XDP_FILTER_HOLDS)]
    for _ in range(REPETITIONS):
        for case in cases:
            case.repeat(build)
    by_name = {(case.name, case.rules): case.rate for case in cases}
    rows = []
    for rules in RULES:
        ours = by_name['sonde guard', rules]
        peer = 'xdp-filter' if rules <= XDP_FILTER_HOLDS else 'stand-in'
        for name, target in ((peer, 1.0), ('nftables set', 5.0)):
            ratio = verdict.ratio(ours, by_name[name, rules])
            rows.append(verdict.at_least(f'drop, {rules:,} rules, against {name}', ratio, target, verdict.times,
                                         sonde=rate_text(ours), peer=rate_text(by_name[name, rules])))
    table = [[name, *(rate_text(by_name[name, rules]) if (name, rules) in by_name else '-' for rules in RULES)]
             for name in FILTERS]
    return rows, results.table(['filter', *(f'{rules:,} rules' for rules in RULES)], table)


def pass_rate(build, kind, rules):
    with Namespaces(offload=False) as net, contextlib.ExitStack() as stack:
        net.drop_behind_taps(build / 'bench/capture/sonde_bench_drop.bpf.o')
        command = [tool(build), 'hold', '--kind', kind, '--rules', rules, '--mixed', '--interface', 'b0']
        stack.enter_context(Program(net.b, command, ready='ready'))
        return measure(net, build, 0, passes=True)


def cost(build, *options):
    return json.loads(call('chrt', '--fifo', '1', 'taskset', '-c', CPU, tool(build), 'cost', *options))


def passes(build):
    rows, lines = [], []
    for rules in (0, 100_000, 1_000_000):
        got = cost(build, '--kind', 'pass', '--mixed', '--rules', rules, '--rounds', 9)
        nanoseconds = got['guard_ns'] - got['empty_ns']
        lines.append([f'{rules:,} networks', f'{got["empty_ns"]:.1f} ns', f'{got["guard_ns"]:.1f} ns',
                      f'{nanoseconds:.1f} ns'])
        if rules == 100_000:
            rows.append(verdict.at_most('pass, 100,000 networks, by BPF_PROG_TEST_RUN', nanoseconds, 60,
                                        lambda value: f'{value:.1f} ns', sonde=f'{got["guard_ns"]:.1f} ns',
                                        peer=f'{got["empty_ns"]:.1f} ns'))
    with_guard, without = [], []
    for _ in range(REPETITIONS):
        without.append(pass_rate(build, 'empty_pass', 0))
        with_guard.append(pass_rate(build, 'guard', 100_000))
    guarded, bare = statistics.median(with_guard), statistics.median(without)
    rows.append(verdict.at_most('pass, 100,000 networks, by rate', 1e9 / guarded - 1e9 / bare, 60,
                                lambda value: f'{value:.1f} ns', sonde=rate_text(guarded), peer=rate_text(bare)))
    return rows, results.table(['rules', 'empty program', 'guard', 'difference'], lines)


def sonde_apply(build, net, file):
    sonde = build / 'cli/sonde'
    script = f'{sonde} guard attach -i b0 >/dev/null && time -p chrt --fifo 1 {sonde} guard apply {file} ' \
             f'>/dev/null; status=$?; {sonde} guard detach >/dev/null; exit $status'
    return subprocess.run(['ip', 'netns', 'exec', net.b, 'bash', '-c', script], capture_output=True, text=True,
                          check=False)


def loading(build):
    compiled = json.loads(call(tool(build), 'compile', '--rules', 1_000_000, '--mixed', '--rounds', 5))['seconds']
    rows = [verdict.at_most('compile and load 1,000,000 networks', compiled, 3, seconds_text,
                            sonde=seconds_text(compiled), peer='')]
    with tempfile.TemporaryDirectory() as folder, Namespaces(offload=False) as net:
        file = pathlib.Path(folder) / 'networks'
        file.write_text(call(tool(build), 'rules', '--rules', 1_000_000, '--mixed'))
        times = []
        for _ in range(3):
            done = sonde_apply(build, net, file)
            if done.returncode != 0:
                return rows, f'`sonde guard apply` did not run: {done.stderr.strip()[:300]}\n'
            times.append(float(next(line.split()[1] for line in done.stderr.splitlines() if line.startswith('real'))))
    applied = statistics.median(times)
    rows.append(verdict.at_most('`sonde guard apply` of a file of 1,000,000 networks', applied, 3, seconds_text,
                                sonde=seconds_text(applied), peer=''))
    return rows, ''


PARTS = [('drops', drops), ('passes', passes), ('loading', loading)]


def run(build):
    rows, details = verdict.run_parts(PARTS, build)
    notes = NOTES.replace('{REPETITIONS}', str(REPETITIONS))
    return verdict.show(rows) + '\n' + notes + '\n' + '\n'.join(details)
