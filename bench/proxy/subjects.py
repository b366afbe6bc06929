# SPDX-License-Identifier: Apache-2.0
"""Who is measured. Each is started with a configuration of the bench's own, and runs only while it is measured."""
import contextlib
import copy
import json
import pathlib
import subprocess
import time

from capture.network import BenchError, call
from proxy.places import SERVER_NAME, enter, listens, running

HAPROXY = '''\
global
  nbthread 1
  maxconn 9800
  maxpipes 150
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option splice-auto
frontend tls
  bind {listen}
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  use_backend bench if {{ req.ssl_sni -i {name} }}
backend bench
  server bench {upstream}
'''
NGINX = '''\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {folder}/nginx.pid; error_log /dev/null crit;
events {{ worker_connections 19900; }}
stream {{
  map $ssl_preread_server_name $upstream {{ {name} {upstream}; }}
  server {{ listen {listen}; ssl_preread on; proxy_pass $upstream; proxy_timeout 1h; }}
}}
'''
SNIPROXY = '''\
user root
pidfile {folder}/sniproxy.pid
error_log {{
  filename /dev/null
}}
listen {listen} {{
  proto tls
  table bench
}}
table bench {{
  {pattern} {upstream}
}}
'''


def _write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text)
    return path


def _values(place, folder):
    return {'listen': place.listen, 'upstream': place.upstream, 'name': SERVER_NAME, 'folder': folder,
            'pattern': SERVER_NAME.replace('.', '\\.')}


def haproxy(_build, place, folder):
    return ['haproxy', '-db', '-q', '-f', _write(folder, 'haproxy.cfg', HAPROXY.format(**_values(place, folder)))]


def nginx(_build, place, folder):
    return ['nginx', '-c', _write(folder, 'nginx.conf', NGINX.format(**_values(place, folder))), '-p', folder, '-e',
            '/dev/null']


def sniproxy(_build, place, folder):
    return ['sniproxy', '-f', '-n', '20000', '-c',
            _write(folder, 'sniproxy.conf', SNIPROXY.format(**_values(place, folder)))]


def second_of(listen):
    """The address of a second listener: the next port."""
    address, port = listen.rsplit(':', 1)
    return f'{address}:{int(port) + 1}'


def sonde(forwarding, second=None, **more):
    """`second`: the forwarding of a second listener."""
    def command(build, place, folder):
        listeners = [{'address': place.listen, 'forwarding': forwarding}]
        if second:
            listeners.append({'address': second_of(place.listen), 'forwarding': second})
        configuration = {
            'listeners': listeners,
            'routes': [{'name': 'bench', 'sni': [SERVER_NAME], 'upstreams': [place.upstream]}],
            'workers': 1, 'log': {'level': 'error'}, 'control': '',
            'ebpf': {'enabled': True, 'dns_cache': {'enabled': False}}, **more}
        path = _write(folder, f'sonde-{forwarding}.json', json.dumps(configuration, indent=1))
        return [build / 'cli/sonde', 'proxy', path]
    return command


DIRECT = 'direct'
PEERS = {'HAProxy': haproxy, 'nginx': nginx, 'sniproxy': sniproxy}
SONDE = 'sonde auto'
OURS = {f'sonde {forwarding}': sonde(forwarding)
        for forwarding in ('auto', 'bypass', 'wire', 'sockmap', 'splice', 'copy')}
MANY = 100_000
SONDE_MANY = 'sonde wire, many connections'
SONDE_BOTH = 'sonde wire beside splice'
COMMANDS = {**PEERS, **OURS, SONDE_MANY: sonde('wire', wire={'connections': MANY}), SONDE_BOTH: sonde('wire', 'splice')}
ALL = [DIRECT, *PEERS, *OURS]


def _children(pid):
    found = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def versions():
    def first(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).splitlines()[0].strip()
    return '; '.join([first('haproxy', '-v'), first('nginx', '-v'), first('sniproxy', '-V')])


def answer_of(command):
    """The JSON that a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(done.stderr.strip())
    return json.loads(done.stdout)


class Subject:
    """A proxy that runs, or none: then `target` is the server."""

    def __init__(self, places, place, target, pids, may_wire=False):
        self.tool, self.place, self.target, self.pids = places.tool, place, target, pids
        self.counter, self.wire_table = places.counter(place), places.wire_table
        self.may_wire = may_wire

    def load(self, *words):
        """What the load says; a failure is {'error': ...}. `wire_bytes`: what the wire splice has forwarded."""
        before = self.on_wire()['bytes'] if self.may_wire else 0
        got = self._load(words)
        if self.may_wire:
            got['wire_bytes'] = self.on_wire()['bytes'] - before
        return got

    def second(self):
        """The same by its second listener."""
        other = copy.copy(self)
        other.target = second_of(self.target)
        return other

    def on_wire(self, *words):
        """What wire_table says of the proxy's namespace."""
        command = enter(self.place.proxy, [self.wire_table, *(words or ['tell'])])
        return answer_of(command)

    def _load(self, words):
        command = [self.tool, *words, '--target', self.target, '--name', SERVER_NAME]
        for pid in self.pids:
            command += ['--pid', pid]
        if '--upload' in words:
            command += ['--counter', self.counter]
        try:
            done = subprocess.run(enter(self.place.client, command), capture_output=True, text=True, check=False,
                                  timeout=30)
        except subprocess.TimeoutExpired:
            return {'error': 'nothing for 30 s'}
        if done.returncode != 0:
            return {'error': (done.stderr.strip() or f'status {done.returncode}')[-200:]}
        return json.loads(done.stdout)

    def resident(self, which='VmRSS'):
        """Bytes of memory of the proxy's processes."""
        total = 0
        for pid in self.pids:
            lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f'{which}:'))
        return total


def _wait_until_served(subject, process):
    """A listener that is there may belong to a proxy that is not ready yet."""
    end = time.monotonic() + 20
    while 'error' in (got := subject.load('rr', '--connections', '1', '--seconds', '0.05', '--warm-up', '0')):
        if process.poll() is not None or time.monotonic() > end:
            raise BenchError(f'serves nobody: {got["error"]}')


@contextlib.contextmanager
def _without_leftovers(places, place):
    """Connections on the wire outlive the proxy, and so do its programs and maps."""
    try:
        yield
    finally:
        call(*enter(place.proxy, [places.wire_table, 'remove']))


@contextlib.contextmanager
def started(name, build, places, place, may_end=False):
    if name == DIRECT:
        yield Subject(places, place, place.upstream, [])
        return
    command = COMMANDS[name](build, place, places.folder)
    ours = name not in PEERS
    with contextlib.ExitStack() as stack:
        if ours:
            stack.enter_context(_without_leftovers(places, place))
        process = stack.enter_context(running(place.proxy, command, lambda: listens(place.proxy, place.listen),
                                              may_end=may_end))
        pids = [process.pid, *_children(process.pid)]
        subject = Subject(places, place, place.listen, pids, may_wire=ours and place is places.remote)
        _wait_until_served(subject, process)
        yield subject
