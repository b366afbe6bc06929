# SPDX-License-Identifier: Apache-2.0
"""Starting beside many open sockets."""
import contextlib
import pathlib
import re
import statistics
import subprocess
import time

from capture import verdict
from capture.network import BenchError, Namespaces, Program, in_namespace
from owners.cost import READY

SOCKETS = 100_000
PROCESSES = 10  # a process may have 20,000 descriptors on some hosts
STARTS = 3


@contextlib.contextmanager
def holder(build, namespace, number):
    command = in_namespace(namespace, [build / 'bench/owners/loopback_load', 'open', '--sockets', number])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if not process.stdout.readline().startswith('open'):
            raise BenchError('the sockets could not be opened')
        try:
            yield
        finally:
            process.stdin.close()
            process.wait()


def slab_bytes():
    text = pathlib.Path('/proc/meminfo').read_text()
    return int(re.search(r'^Slab:\s+(\d+) kB', text, re.MULTILINE).group(1)) * 1024


def start(build, namespace):
    """Milliseconds until the owners are known, resident bytes, slab bytes."""
    slab = slab_bytes()
    begin = time.monotonic()
    with Program(namespace, [build / 'cli/sonde', 'retrans'], None, READY) as program:
        took = (time.monotonic() - begin) * 1000
        resident = program.peak_memory()
        grown = slab_bytes() - slab
        program.interrupt()
    time.sleep(0.5)  # storage of sockets is freed after a grace period
    return took, resident, grown


def open_sockets(build):
    with Namespaces(offload=True) as net, contextlib.ExitStack() as stack:
        start(build, net.a)  # the first start reads the disk
        for _ in range(PROCESSES):
            stack.enter_context(holder(build, net.a, SOCKETS // PROCESSES))
        runs = [start(build, net.a) for _ in range(STARTS)]
    took, resident, grown = (statistics.median(column) for column in zip(*runs))

    def megabytes(value):
        return f'{value / 1e6:.1f} MB'
    return [verdict.at_most(f'{SOCKETS:,} open sockets: start until every owner is known', took, 1000,
                            lambda value: f'{value:.0f} ms', sonde=f'{took:.0f} ms'),
            verdict.at_most(f'{SOCKETS:,} open sockets: resident memory', resident, 40e6, megabytes,
                            sonde=megabytes(resident)),
            verdict.at_most(f'{SOCKETS:,} open sockets: kernel memory of their owners', grown, 40e6, megabytes,
                            sonde=megabytes(grown))], ''
