# SPDX-License-Identifier: Apache-2.0
"""What 100,000 connections on the wire take."""
import pathlib
import subprocess
import time

import results
from capture import verdict
from capture.network import BenchError
from proxy import subjects
from proxy.places import SERVER_NAME, enter


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
    lines = [['maps, one connection', f'{maps / 1e6:.1f} MB'],
             ['maps, all', f'{after["memory"] / 1e6:.1f} MB'],
             ['slab of the kernel, growth (SUnreclaim)', f'{slab / 1e6:.1f} MB'],
             ['process, growth', f'{grown / 1e6:.1f} MB'],
             ['process, growth a connection', f'{grown / connections:.0f} bytes'],
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
                                    sonde=f'{got[key]:.0f} ns', peer=f'{got["one"]:.0f} ns',
                                    ratio=verdict.times(ratio)))
    return rows, ''
