# SPDX-License-Identifier: Apache-2.0
"""Where it is measured: in one namespace over loopback, and from a client's namespace through the proxy's to the
server's, over two veth pairs. Both are there at the same time; a server waits in each."""
import contextlib
import dataclasses
import os
import subprocess
import tempfile
import time

from capture.network import PREFIX, BenchError, call, remove_stale

SERVER_NAME = 'www.bench.example'
SYSCTLS = ('net.ipv4.ip_local_port_range=1024 65535', 'net.ipv4.tcp_tw_reuse=1', 'net.ipv4.ip_forward=1',
           'net.core.somaxconn=4096', 'net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1')


@dataclasses.dataclass(frozen=True)
class Place:
    client: str  # namespaces
    proxy: str
    server: str
    listen: str  # of the proxy, ADDRESS:PORT
    upstream: str


def enter(namespace, command, cpu=None):
    """Not `ip netns exec`, which hides what is mounted below /sys. If the bench is killed, so is the program."""
    pin = ['taskset', '-c', str(cpu)] if cpu is not None else []
    return ['nsenter', f'--net=/run/netns/{namespace}', *pin, 'setpriv', '--pdeathsig', 'KILL', *map(str, command)]


@contextlib.contextmanager
def running(namespace, command, ready, log=None, may_end=False):
    """A program that is ready when ready() is true; it is asked to end, then killed. Gives the process. `may_end`: that
    it has ended is no error."""
    with tempfile.TemporaryFile('w+') as own_log:
        output = log or own_log
        process = subprocess.Popen(enter(namespace, command), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 20
            while not ready():
                if process.poll() is not None or time.monotonic() > end:
                    raise BenchError(f'{command[0]} did not start: {last_words(output)}')
                time.sleep(0.005)
            yield process
            if process.poll() is not None and not may_end:
                raise BenchError(f'{command[0]} ended with {process.returncode}: {last_words(output)}')
        finally:
            stop(process)


def last_words(file):
    file.seek(0)
    return file.read().strip()[-400:]


def stop(process):
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listens(namespace, address):
    port = address.rsplit(':', 1)[1]
    return bool(call(*enter(namespace, ['ss', '-ltnH', f'sport = :{port}'])).strip())


class Places:
    """`local`, `remote`. Leaving the `with` takes all away."""

    def __init__(self, tool):
        self.tool = tool
        self.wire_table = tool.with_name('wire_table')
        names = {which: f'{PREFIX}{which}-{os.getpid()}' for which in 'cps'}
        self.names = names
        self.local = Place(names['p'], names['p'], names['p'], '127.0.0.1:8443', '127.0.0.1:9000')
        self.remote = Place(names['c'], names['p'], names['s'], '198.18.0.2:8443', '198.18.1.2:9000')
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        remove_stale()
        with contextlib.ExitStack() as stack:
            self.folder = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(self.folder, 0o755)  # for proxies that run as somebody else
            stack.callback(self._remove)
            self._make()
            for place in (self.local, self.remote):
                command = [self.tool, 'server', '--listen', place.upstream, '--counter', self.counter(place)]
                stack.enter_context(running(place.server, command, lambda p=place: listens(p.server, p.upstream)))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def counter(self, place):
        return f'{self.folder}/received-{place.upstream}'

    def _remove(self):
        for name in self.names.values():
            subprocess.run(['ip', 'netns', 'delete', name], capture_output=True, check=False)

    def _make(self):
        client, proxy, server = self.names.values()
        for name in self.names.values():
            call('ip', 'netns', 'add', name)
            call('ip', 'netns', 'exec', name, 'sysctl', '-qw', *SYSCTLS)
            call('ip', '-n', name, 'link', 'set', 'lo', 'up')
        for interface, near, address, far, router in (('c0', client, '198.18.0.1', 'p0', '198.18.0.2'),
                                                      ('s0', server, '198.18.1.2', 'p1', '198.18.1.1')):
            call('ip', 'link', 'add', interface, 'netns', near, 'type', 'veth', 'peer', 'name', far, 'netns', proxy)
            for name, which, own in ((near, interface, address), (proxy, far, router)):
                call('ip', '-n', name, 'address', 'add', f'{own}/30', 'dev', which)
                call('ip', '-n', name, 'link', 'set', which, 'up')
            call('ip', '-n', near, 'route', 'add', 'default', 'via', router)
