# SPDX-License-Identifier: Apache-2.0
"""`./dev bench proxy`: sonde proxy beside HAProxy, nginx and sniproxy, and beside no proxy."""
import functools
import subprocess
import statistics
import time

import results
from capture import verdict
from capture.network import BenchError
from proxy import side_by_side, subjects
from proxy.loads import LOADS, Outcomes, gbits, machine_cpu, measure, measure_subject, rate, suits
from proxy.places import SERVER_NAME, Places, enter

ROUNDS = 5
SECONDS = 0.5
BESIDE_ROUNDS = 5
BESIDE_SECONDS = 0.8
IDLE_CONNECTIONS = 9_500  # two descriptors each in the proxy, of 20,000

NOTES = '''\
One client, one server, one worker in every proxy, on all CPUs; a proxy runs only while it is measured. Medians; rounds: \
{ROUNDS}, every subject in each. The client sends a ClientHello of 517 bytes with a name, by which every proxy chooses the
server. Bulk is in pieces of 128 KiB, down: server to client; up: client to server; a round trip carries 64 bytes each way.
A new connection is connect, ClientHello, routing, an answer of 200 bytes and the end from the server, 32 at a time.

- **same host**: client, proxy and server in one network namespace, over loopback. **remote**: three namespaces and two
  veth pairs, offloads as the kernel sets them; direct is then plain routing by the namespace in the middle.
- **CPU a GB**: of the whole machine (/proc/stat: client, server and softirq included) and of the proxy's processes.
- **added latency**: an open loop: requests at fixed times over 64 connections, at half the rate that the slower of sonde and
  the best peer reached with 64 connections. A latency counts from when the request was due. Added is the 99th percentile
  less that of direct at the same rate.
- **memory**: what the resident set of the proxy grew by, divided by {IDLE} idle connections.
- **unrelated**: connections of two processes over loopback in the proxy's namespace, not through it; median of the ratios of
  running to the mean of before and after.
- HAProxy: mode tcp, nbthread 1, splice-auto, req.ssl_sni. nginx: stream, ssl_preread, buffers of the default size. sniproxy: as
  packaged. **sonde auto** is the default; the other columns name the forwarding that the listener was given.
'''

PLACES = {'local': 'same host', 'remote': 'remote'}


def against(outcomes, title, load, value, form, limit, least=True, peers=tuple(subjects.PEERS)):
    """A row: sonde's default against the best of `peers`."""
    ours = outcomes.median(load, subjects.SONDE, value)
    name, theirs = outcomes.best(load, peers, value, max if least else min)
    if ours is None or theirs is None:
        return verdict.Row(title, 'failed', met=False)
    ratio = verdict.ratio(ours, theirs)
    make = verdict.at_least if least else verdict.at_most
    return make(title, ratio, limit, verdict.times, sonde=form.format(ours), peer=f'{form.format(theirs)} ({name})',
                ratio=verdict.times(ratio))


# title, load, value, form, limit, at least, against
TARGETS = [
    ('same host, bulk, 8 connections', 'local_down', gbits, '{:.1f} Gbit/s', 2.0, True, 'peers'),
    ('same host, bulk, 8 connections', 'local_down', gbits, '{:.1f} Gbit/s', 1.0, True, 'direct'),
    ('same host, bulk up, 8 connections', 'local_up', gbits, '{:.1f} Gbit/s', 2.0, True, 'peers'),
    ('same host, bulk up, 8 connections', 'local_up', gbits, '{:.1f} Gbit/s', 1.0, True, 'direct'),
    ('same host, round trips, 1 connection', 'local_rr1', rate, '{:,.0f}/s', 2.0, True, 'peers'),
    ('same host, round trips, 1 connection', 'local_rr1', rate, '{:,.0f}/s', 1.0, True, 'direct'),
    ('same host, round trips, 64 connections', 'local_rr64', rate, '{:,.0f}/s', 2.0, True, 'peers'),
    ('same host, round trips, 64 connections', 'local_rr64', rate, '{:,.0f}/s', 1.0, True, 'direct'),
    ('remote, bulk down, CPU-seconds a GB, whole machine', 'remote_down', machine_cpu, '{:.2f}', 0.9, False, 'peers'),
    ('remote, bulk up, CPU-seconds a GB, whole machine', 'remote_up', machine_cpu, '{:.2f}', 0.9, False, 'peers'),
    ('remote, round trips, 8 connections', 'remote_rr8', rate, '{:,.0f}/s', 1.1, True, 'peers'),
    ('remote, round trips, 64 connections', 'remote_rr64', rate, '{:,.0f}/s', 1.1, True, 'peers'),
    ('new connections, same host', 'local_connect', rate, '{:,.0f}/s', 1.2, True, 'peers'),
    ('new connections, remote', 'remote_connect', rate, '{:,.0f}/s', 1.2, True, 'peers'),
]


def throughput(build, places):
    outcomes = Outcomes()
    measure(build, places, subjects.ALL, list(LOADS), ROUNDS, SECONDS, outcomes)
    rows = []
    for title, load, value, form, limit, least, whom in TARGETS:
        peers = tuple(subjects.PEERS) if whom == 'peers' else (subjects.DIRECT,)
        words = 'the best peer' if whom == 'peers' else 'direct'
        rows.append(against(outcomes, f'{title}, against {words}', load, value, form, limit, least, peers))
    return rows, side_by_side.table(outcomes, subjects.ALL), outcomes


def half_load(outcomes, place):
    load = f'{place}_rr64'
    ours = outcomes.median(load, subjects.SONDE, rate)
    best = outcomes.best(load, subjects.PEERS, rate)[1]
    known = [value for value in (ours, best) if value]
    return min(known) / 2 if known else None


def percentile(name):
    return lambda got: got[name]


def latency_place(build, places, place, requests):
    outcomes = Outcomes()
    words = f'latency --connections 64 --seconds 1.2 --rate {requests:.0f}'
    for _ in range(ROUNDS):
        for name in subjects.ALL:
            if suits(name, place):
                measure_subject(build, places, place, name, {'latency': words}, outcomes)
    return outcomes


def latency(build, places, throughputs):
    rows, lines = [], []
    for place, title in PLACES.items():
        requests = half_load(throughputs, place)
        if requests is None:
            rows.append(verdict.Row(f'{title}, added latency', 'failed', met=False))
            continue
        outcomes = latency_place(build, places, place, requests)
        p99 = functools.partial(outcomes.median, 'latency', value=percentile('p99'))
        base, ours = p99(name=subjects.DIRECT), p99(name=subjects.SONDE)
        peer, best = outcomes.best('latency', subjects.PEERS, percentile('p99'), min)
        title = f'{title}, p99 added latency at {requests:,.0f} requests/s'
        if None in (base, ours, best):
            rows.append(verdict.Row(title, 'failed', met=False))
        else:
            rows.append(verdict.at_most(f'{title}, against the best peer', ours - base, best - base,
                                        lambda value: f'{value:.0f} us', sonde=f'{ours - base:.0f} us',
                                        peer=f'{best - base:.0f} us ({peer})'))
        for percent in ('p50', 'p99', 'p999'):
            lines.append([f'{PLACES[place]}, {percent}, us', *(side_by_side.cell(outcomes, 'latency', name, percentile(percent), '{:.0f}')
                                                       for name in subjects.ALL)])
    return rows, results.table(['', *subjects.ALL], lines)


def ratio_beside(build, places, words, value):
    """Medians with sonde, without, and of the ratios."""
    with_it, without, ratios = [], [], []
    place = places.local

    def alone():
        with subjects.started(subjects.DIRECT, build, places, place) as direct:
            return value(required(direct.load(*words)))
    for _ in range(BESIDE_ROUNDS):
        before = alone()
        with subjects.started(subjects.SONDE, build, places, place) as proxy:
            required(proxy.load('rr', '--connections', '8', '--seconds', '0.05', '--warm-up', '0'))
            during = alone()
        base = (before + alone()) / 2
        with_it.append(during)
        without.append(base)
        ratios.append(during / base)
    return statistics.median(with_it), statistics.median(without), statistics.median(ratios)


def required(got):
    if 'error' in got:
        raise BenchError(got['error'])
    return got


def unrelated(build, places, _throughputs):
    rows = []
    for title, words, value, form in (
            ('bulk, 8 connections', 'bulk --connections 8', gbits, '{:.1f} Gbit/s'),
            ('round trips, 64 connections', 'rr --connections 64', rate, '{:,.0f}/s'),
            ('new connections', 'connect --connections 32', rate, '{:,.0f}/s')):
        title = f'unrelated loopback connections, {title}, sonde running / not'
        try:
            with_it, without, ratio = ratio_beside(build, places, [*words.split(), '--seconds', str(BESIDE_SECONDS)], value)
        except BenchError as error:
            rows.append(verdict.Row(title, f'failed: {error}', met=False))
            continue
        rows.append(verdict.at_least(title, ratio, 0.98, verdict.times, sonde=form.format(with_it),
                                     peer=form.format(without), ratio=verdict.times(ratio)))
    return rows, ''


def bytes_a_connection(build, places, name):
    with subjects.started(name, build, places, places.local) as subject:
        required(subject.load('rr', '--connections', '8', '--seconds', '0.05', '--warm-up', '0'))
        before = subject.resident()
        command = [places.tool, 'idle', '--target', subject.target, '--name', SERVER_NAME, '--connections',
                   IDLE_CONNECTIONS]
        holder = subprocess.Popen(enter(places.local.client, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        try:
            line = holder.stdout.readline()
            if not line:
                raise BenchError(holder.stderr.read().strip())
            time.sleep(1)
            return (subject.resident() - before) / IDLE_CONNECTIONS
        finally:
            holder.kill()
            holder.communicate()


def memory(build, places, _throughputs):
    found, lines = {}, []
    for name in (*subjects.PEERS, subjects.SONDE, 'sonde copy'):
        try:
            found[name] = bytes_a_connection(build, places, name)
            lines.append([name, f'{found[name]:,.0f} bytes'])
        except BenchError as error:
            lines.append([name, f'failed: {error}'])
    title = f'memory a connection, {IDLE_CONNECTIONS:,} idle'
    if subjects.SONDE not in found:
        return [verdict.Row(title, 'failed', met=False)], results.table(['', 'a connection'], lines)
    peers = {name: found[name] for name in subjects.PEERS if name in found}
    best = min(peers, key=peers.get, default=None)
    row = verdict.at_most(title, found[subjects.SONDE], 4096, lambda value: f'{value:,.0f} bytes',
                          sonde=f'{found[subjects.SONDE]:,.0f} bytes',
                          peer=f'{peers[best]:,.0f} bytes ({best})' if best else '')
    return [row], results.table(['', 'a connection'], lines)


PARTS = [('unrelated', unrelated), ('latency', latency), ('memory', memory)]


def run(build):
    with Places(build / 'bench/proxy/proxy_load') as places:
        rows, table, throughputs = throughput(build, places)
        details = [f'### side by side\n\n{table}']
        more, texts = verdict.run_parts(PARTS, build, places, throughputs)
        rows += more
        details += texts
    notes = NOTES.replace('{ROUNDS}', str(ROUNDS)).replace('{IDLE}', f'{IDLE_CONNECTIONS:,}')
    return verdict.show(rows) + '\n' + notes + f'- peers: {subjects.versions()}\n\n' + '\n'.join(details)
