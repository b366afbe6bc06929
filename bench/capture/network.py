# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces with a veth between them, and programs that run in them. Leaving a `with` takes all away."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

PREFIX = 'sonde-bench-'


class BenchError(Exception):
    """Something that the bench needs did not work."""


def call(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f'{" ".join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}')
    return done.stdout


def remove_stale():
    """Namespaces of benches that were killed: their names end with a PID that is gone."""
    for line in call('ip', 'netns', 'list').splitlines():
        name = line.split()[0]
        owner = re.fullmatch(PREFIX + r'\w+-(\d+)', name)
        if owner and not pathlib.Path('/proc', owner.group(1)).exists():
            call('ip', 'netns', 'delete', name)


class Namespaces:
    """`a` sends from interface a0, `b` receives on b0; 198.18.0.1/30 and 198.18.0.2/30 (RFC 2544)."""

    def __init__(self, offload):
        self.offload = offload  # False: whole frames only, as generated; no GRO merging on the way
        self.a = f'{PREFIX}a-{os.getpid()}'
        self.b = f'{PREFIX}b-{os.getpid()}'

    def __enter__(self):
        remove_stale()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.a, self.b):
            subprocess.run(['ip', 'netns', 'delete', name], capture_output=True, check=False)

    def _make(self):
        for name in (self.a, self.b):
            call('ip', 'netns', 'add', name)
            call('ip', 'netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1',
                 'net.ipv6.conf.default.disable_ipv6=1')
        call('ip', 'link', 'add', 'a0', 'netns', self.a, 'type', 'veth', 'peer', 'name', 'b0', 'netns', self.b)
        for name, interface, address in ((self.a, 'a0', '198.18.0.1/30'), (self.b, 'b0', '198.18.0.2/30')):
            call('ip', '-n', name, 'address', 'add', address, 'dev', interface)
            call('ip', '-n', name, 'link', 'set', 'lo', 'up')
            call('ip', '-n', name, 'link', 'set', interface, 'up')
        if not self.offload:  # veth polls b0, and so takes redirected frames without an XDP program, only with GRO on
            call('ip', 'netns', 'exec', self.b, 'ethtool', '-K', 'b0', 'gro', 'on')
        self.mac = json.loads(call('ip', '-n', self.b, '-j', 'link', 'show', 'b0'))[0]['address']

    def drop_behind_taps(self, drop_object):
        call('tc', '-n', self.b, 'qdisc', 'add', 'dev', 'b0', 'clsact')
        call('ip', 'netns', 'exec', self.b, 'tc', 'filter', 'add', 'dev', 'b0', 'ingress', 'pref', '49000', 'bpf',
             'direct-action', 'object-file', drop_object, 'section', 'tc')


def in_namespace(namespace, command, cpu=None):
    """setpriv: if the bench is killed, so is the program."""
    pin = ['taskset', '-c', str(cpu)] if cpu is not None else []
    return ['ip', 'netns', 'exec', namespace, *pin, 'setpriv', '--pdeathsig', 'KILL', *map(str, command)]


class Program:
    """A program in a namespace; standard error, and standard output if asked for, are kept."""

    def __init__(self, namespace, command, cpu=None, ready=None, keep_output=False):
        self.command = [str(word) for word in command]
        self.ready = ready
        self.log = tempfile.TemporaryFile('w+')
        self.output = tempfile.TemporaryFile('w+') if keep_output else None
        argv = in_namespace(namespace, self.command, cpu)
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.output or subprocess.DEVNULL,
                                        stderr=self.log)
        self.ended = None

    def __enter__(self):
        try:
            self._wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _wait_ready(self, timeout=20):
        end = time.monotonic() + timeout
        while self.ready and not re.search(self.ready, self.text(self.log) + self.text(self.output)):
            if self.process.poll() is not None or time.monotonic() > end:
                raise BenchError(f'{" ".join(self.command)} did not start: {self.text(self.log).strip()}')
            time.sleep(0.005)

    @staticmethod
    def text(file):
        """What is in it now. By its own path: the position of the shared descriptor is the program's."""
        return pathlib.Path(f'/proc/self/fd/{file.fileno()}').read_text() if file else ''

    def peak_memory(self):
        """Bytes: the high-water mark of the resident set."""
        status = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
        return int(re.search(r'VmHWM:\s+(\d+) kB', status).group(1)) * 1024

    def finish(self, number=None, timeout=60):
        """Sends the signal if there is one and waits; the texts of standard output and standard error."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        self.ended = time.monotonic()
        if status not in (0, 128 + (number or 0)):
            raise BenchError(f'{" ".join(self.command)} ended with {status}: {self.text(self.log).strip()}')
        return self.text(self.output), self.text(self.log)

    def interrupt(self):
        return self.finish(signal.SIGINT)
