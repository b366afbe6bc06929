#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients and upstreams for the tests of the proxy: peers.py NAME ARGUMENT...

A connection is planned by its number: how many bytes each side sends, with which pauses, who ends first and how. The
client puts the number into the random field of its ClientHello, so the upstream, which gets these bytes unchanged, has
the same plan. Both sides say what they saw, a line of JSON each: what arrived is compared with what the plan says was
sent, byte by byte.
"""
import errno
import hashlib
import json
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time

PATIENCE = 90.0  # seconds without a byte after which a connection is called stuck
BLOCK = random.Random(7).randbytes(1 << 20)
KINDS = ("both", "client_first", "upstream_first", "client_aborts", "upstream_aborts")


def say(**members):
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port):
    connection = socket.socket(family_of(address))
    connection.settimeout(PATIENCE)
    connection.connect((address, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def listen(address, port):
    listener = socket.socket(family_of(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(1024)
    say(listening=os.getpid())
    return listener


# ClientHello (RFC 8446 section 4.1.2)


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(number, data):
    return struct.pack("!H", number) + vector(2, data)


def hello(name, number=0, key_share=32, record=16384, with_name=True):
    """A ClientHello in records of so many bytes; a hybrid post-quantum key share has 1216."""
    extensions = b""
    if with_name:
        extensions += extension(0, vector(2, b"\0" + vector(2, name.encode())))
    extensions += extension(10, vector(2, struct.pack("!HH", 0x001D, 0x11EC)))
    extensions += extension(13, vector(2, struct.pack("!HH", 0x0403, 0x0804)))
    extensions += extension(43, vector(1, struct.pack("!HH", 0x0304, 0x0303)))
    extensions += extension(51, vector(2, struct.pack("!H", 0x11EC) + vector(2, BLOCK[:key_share])))
    body = struct.pack("!H", 0x0303) + struct.pack("!Q", number) + BLOCK[:24] + vector(1, BLOCK[:32])
    body += vector(2, struct.pack("!HH", 0x1301, 0xC02F)) + vector(1, b"\0") + vector(2, extensions)
    message = b"\x01" + vector(3, body)
    parts = [message[at : at + record] for at in range(0, len(message), record)]
    return b"".join(b"\x16\x03\x01" + vector(2, part) for part in parts)


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {size} bytes")
        data += part
    return data


def read_hello(connection, before=b""):
    """Its bytes as they came, and the number."""
    raw, message = before, b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        header = read_exactly(connection, 5)
        record = read_exactly(connection, int.from_bytes(header[3:], "big"))
        raw, message = raw + header + record, message + record
    return raw, struct.unpack_from("!Q", message, 6)[0]


# Plans


class Plan:
    def __init__(self, number, most=1 << 20):
        chance = random.Random(number)
        self.kind = chance.choices(KINDS, (5, 2, 2, 1, 1))[0]
        self.up, self.down = (
            0 if chance.random() < 0.1 else int(2 ** chance.uniform(0, most.bit_length() - 1)) for _ in range(2)
        )
        self.chance = chance.random()


def part_of(seed, at, size):
    start = (seed * 7919 + at) % len(BLOCK)
    return BLOCK[start : start + size]


class Stream:
    """One side of a planned connection."""

    def __init__(self, connection, number, sends, gets, seed_out, seed_in, ending):
        self.connection, self.sends, self.gets = connection, sends, gets
        self.seed_out, self.seed_in = seed_out, seed_in
        self.ending = ending  # "both", "first": sends at once, "second": when the other has ended, "abort"
        self.sent = self.received = 0
        self.matches, self.end, self.reset = True, "", False
        self.chance = random.Random(number * 2 + seed_out)

    def send(self):
        limit = self.sends if self.ending != "abort" else int(self.sends * self.chance.random())
        while self.sent < limit:
            size = min(limit - self.sent, int(2 ** self.chance.uniform(0, 17)))
            part = part_of(self.seed_out, self.sent, size)
            self.connection.sendall(part)
            self.sent += len(part)
            if self.chance.random() < 0.1:
                time.sleep(self.chance.random() * 0.02)
        if self.ending == "abort":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_WR)

    def receive(self):
        while True:
            data = self.connection.recv(1 << 16)
            if not data:
                self.end = "eof"
                return
            at = 0
            while at < len(data):
                expected = part_of(self.seed_in, self.received, len(data) - at)
                if data[at : at + len(expected)] != expected:
                    self.matches = False
                at += len(expected)
                self.received += len(expected)

    def guarded(self, work):
        """The kernel tells one caller of a reset; whatever the other sees, that is how it ended."""
        try:
            work()
        except (ConnectionResetError, BrokenPipeError):
            self.reset = True
        except TimeoutError:
            self.end = "stuck"
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                self.reset = True
            elif not (self.ending == "abort" and error.errno == errno.EBADF):  # closed here
                self.end = str(error)

    def run(self):
        if self.ending == "second":
            self.guarded(self.receive)
            if self.end == "eof":
                self.guarded(self.send)
        else:
            receiver = threading.Thread(target=self.guarded, args=(self.receive,), daemon=True)
            if self.ending != "abort":
                receiver.start()
            self.guarded(self.send)
            if self.ending != "abort":
                receiver.join()
        self.connection.close()


ENDINGS = {
    "both": ("both", "both"),
    "client_first": ("first", "second"),
    "upstream_first": ("second", "first"),
    "client_aborts": ("abort", "both"),
    "upstream_aborts": ("both", "abort"),
}


def report(side, number, plan, stream, **more):
    say(side=side, number=number, kind=plan.kind, up=plan.up, down=plan.down, sent=stream.sent,
        received=stream.received, matches=stream.matches, end="reset" if stream.reset else stream.end, **more)


def answer(connection, before_hello=""):
    """The upstream's side of a planned connection."""
    connection.settimeout(PATIENCE)
    header = b""
    try:
        if before_hello == "v1":
            while not header.endswith(b"\r\n"):
                header += read_exactly(connection, 1)
        elif before_hello == "v2":
            header = read_exactly(connection, 16)
            header += read_exactly(connection, int.from_bytes(header[14:], "big"))
        raw, number = read_hello(connection)
    except (EOFError, OSError) as error:
        say(side="upstream", number=0, end=f"no hello: {error!r}")
        connection.close()
        return
    plan = Plan(number)
    stream = Stream(connection, number, plan.down, plan.up, 2, 1, ENDINGS[plan.kind][1])
    stream.run()
    report("upstream", number, plan, stream, hello=hashlib.sha256(raw).hexdigest(), header=header.hex())


def upstream(address, port, before_hello=""):
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, before_hello), daemon=True).start()


def one(address, port, name, number):
    plan = Plan(number)
    first = hello(name, number, key_share=1216 if number % 2 else 32)
    try:
        connection = connect(address, port)
        connection.sendall(first)
    except OSError as error:
        say(side="client", number=number, kind=plan.kind, end=f"no connection: {error}")
        return
    stream = Stream(connection, number, plan.up, plan.down, 1, 2, ENDINGS[plan.kind][0])
    stream.run()
    report("client", number, plan, stream, hello=hashlib.sha256(first).hexdigest())


def clients(address, port, name, first, count, at_once):
    """Planned connections with the numbers from `first` on."""
    numbers = iter(range(int(first), int(first) + int(count)))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            one(address, port, name, number)

    threads = [threading.Thread(target=work) for _ in range(int(at_once))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(done=int(count))


# Echo: what is sent after the hello comes back, in capitals


def echo_one(connection):
    with connection:
        try:
            connection.settimeout(600)
            raw, _ = read_hello(connection)
            connection.sendall(b"hello %d\n" % len(raw))
            while True:
                data = connection.recv(1 << 16)
                if not data:
                    return
                connection.sendall(data.upper())
        except (EOFError, OSError):
            pass


def echo(address, port):
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo_one, args=(connection,), daemon=True).start()


def open_echo(address, port, name, **options):
    """Returns a connection whose upstream has answered."""
    connection = connect(address, port)
    first = hello(name, **options)
    connection.sendall(first)
    answer = read_line(connection)
    if answer != b"hello %d\n" % len(first):
        raise OSError(f"answer {answer!r}")
    return connection


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(1)
        if not part:
            break
        line += part
    return line


def ask(connection, word):
    connection.sendall(word.encode() + b"\n")
    return read_line(connection).decode().strip()


def hold(address, port, name, count, pause="0.05"):
    """Connections that talk now and then, until standard input ends. Says how many answers came and what failed."""
    connections = [open_echo(address, port, name) for _ in range(int(count))]
    say(open=len(connections))
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    asked, failures = 0, []
    while connections:
        last = ended.is_set()
        for connection in connections:
            try:
                if ask(connection, f"word{asked}") != f"WORD{asked}":
                    failures.append("wrong answer")
            except OSError as error:
                failures.append(str(error))
            asked += 1
        if last:
            break
        time.sleep(float(pause))
    say(asked=asked, failures=failures)


def idle(address, port, name, count):
    """As many connections, each established through to the upstream, that say nothing until standard input ends; then
    each is asked once."""
    connections = [open_echo(address, port, name) for _ in range(int(count))]
    say(open=len(connections))
    sys.stdin.read()
    say(alive=sum(ask(connection, "still") == "STILL" for connection in connections))


def knock(address, port, name):
    """Connects, asks once and closes, all the time until standard input ends."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    count, failures = 0, []
    say(knocking=os.getpid())
    while not ended.is_set():
        try:
            with open_echo(address, port, name) as connection:
                if ask(connection, "x") != "X":
                    failures.append("wrong answer")
        except OSError as error:
            failures.append(repr(error))
        count += 1
    say(knocked=count, failures=failures)


def send_raw(address, port, text, wait="5"):
    """Bytes as given in hexadecimal; says what came back, and how it ended."""
    connection = connect(address, port)
    connection.settimeout(float(wait))
    got, end = b"", "eof"
    began = time.monotonic()
    try:
        connection.sendall(bytes.fromhex(text))
        while True:
            data = connection.recv(4096)
            if not data:
                break
            got += data
    except ConnectionResetError:
        end = "reset"
    except TimeoutError:
        end = "stuck"
    say(answer=got.hex(), end=end, seconds=time.monotonic() - began)


def send_hello(address, port, name, record="16384", key_share="32", with_name="1", wait="5"):
    send_raw(address, port, hello(name, 0, int(key_share), int(record), with_name == "1").hex(), wait)


def drip(address, port, name, pause, wait="60"):
    """A hello byte by byte, as slow as that."""
    connection = connect(address, port)
    began, sent, end = time.monotonic(), 0, "open"
    try:
        for byte in hello(name):
            connection.sendall(bytes([byte]))
            sent += 1
            connection.settimeout(float(pause))
            try:
                if not connection.recv(1):
                    end = "eof"
                    break
            except TimeoutError:
                pass
    except OSError:
        end = "reset"
    say(sent=sent, end=end, seconds=time.monotonic() - began)


def split(address, port, name, pause="0.004", records="16384", key_share="32"):
    """The hello in two segments, cut at every byte, with a pause between; each connection is asked a word."""
    first = hello(name, 0, int(key_share), int(records))
    failures = []

    def cut(at):
        try:
            with connect(address, port) as connection:
                connection.sendall(first[:at])
                time.sleep(float(pause))
                connection.sendall(first[at:])
                if read_line(connection) != b"hello %d\n" % len(first) or ask(connection, "x") != "X":
                    failures.append(f"{at}: wrong answer")
        except OSError as error:
            failures.append(f"{at}: {error!r}")

    each(cut, range(1, len(first)))
    say(cuts=len(first) - 1, failures=failures)


def each(work, values, at_once=16):
    numbers, lock = iter(values), threading.Lock()

    def run():
        while True:
            with lock:
                value = next(numbers, None)
            if value is None:
                return
            work(value)

    threads = [threading.Thread(target=run) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tls_split(address, port, name, pause="0.004"):
    """The same with OpenSSL's hello, a real handshake and a request of HTTP/1.1."""
    import ssl

    def connection_of():
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(here, there, server_hostname=name)
        return tls, here, there

    def step(tls, here, there, connection, work):
        while True:
            try:
                result = work()
                connection.sendall(there.read())
                return result
            except ssl.SSLWantReadError:
                connection.sendall(there.read())
                data = connection.recv(1 << 16)
                if not data:
                    raise OSError("closed during TLS")
                here.write(data)

    def hello_of(tls, there):
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return there.read()
        raise OSError("no hello")

    tls, here, there = connection_of()
    size, failures = len(hello_of(tls, there)), []

    def cut(at):
        try:
            tls, here, there = connection_of()
            first = hello_of(tls, there)
            with connect(address, port) as connection:
                connection.sendall(first[:at])
                time.sleep(float(pause))
                connection.sendall(first[at:])
                step(tls, here, there, connection, tls.do_handshake)
                tls.write(b"GET / HTTP/1.0\r\nHost: " + name.encode() + b"\r\n\r\n")
                reply = step(tls, here, there, connection, lambda: tls.read(4096))
                if not reply.startswith(b"HTTP/1.1 200"):
                    failures.append(f"{at}: {reply[:40]!r}")
        except OSError as error:
            failures.append(f"{at}: {error!r}")

    each(cut, range(1, size))
    say(cuts=size - 1, failures=failures)


# Backpressure


def swallow_slowly(address, port):
    """An upstream that reads the hello and nothing more, until it is told to go on by a line on standard input."""
    listener = listen(address, port)
    go_on = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), go_on.set()), daemon=True).start()

    def swallow(connection):
        connection.settimeout(PATIENCE)  # which makes it O_NONBLOCK, as the bypass wants it
        read_hello(connection)
        say(stalled=True)
        go_on.wait()
        received, digest = 0, hashlib.sha256()
        while True:
            data = connection.recv(1 << 20)
            if not data:
                break
            received += len(data)
            digest.update(data)
        connection.close()
        say(received=received, sha256=digest.hexdigest())

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=swallow, args=(connection,), daemon=True).start()


def pour(address, port, name, size):
    """Sends as much as goes, and says every time it is stopped."""
    connection = connect(address, port)
    connection.sendall(hello(name))
    connection.settimeout(None)
    connection.setblocking(False)
    waiting = selectors.DefaultSelector()
    waiting.register(connection, selectors.EVENT_WRITE)
    sent, digest, stopped = 0, hashlib.sha256(), False
    while sent < int(size):
        if not waiting.select(2.0):
            if not stopped:
                say(stopped_at=sent)
            stopped = True
            continue
        part = part_of(3, sent, min(int(size) - sent, 65536))
        try:
            done = connection.send(part)
        except BlockingIOError:
            continue
        digest.update(part[:done])
        sent += done
    connection.shutdown(socket.SHUT_WR)
    say(sent=sent, sha256=digest.hexdigest())


# SOCKS5 (RFC 1928, 1929)


def relay(a, b):
    def one_way(source, target):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
        except OSError:
            pass

    threads = [threading.Thread(target=one_way, args=pair, daemon=True) for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    a.close()
    b.close()


def socks_one(connection, credentials, target, refusal):
    try:
        _, count = read_exactly(connection, 2)
        methods = read_exactly(connection, count)
        wanted = 2 if credentials else 0
        if wanted not in methods:
            say(methods=methods.hex(), refused="method")
            connection.sendall(b"\x05\xff")
            connection.close()
            return
        connection.sendall(bytes([5, wanted]))
        given = ""
        if wanted == 2:
            read_exactly(connection, 1)
            user = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
            password = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
            given = f"{user}:{password}"
            connection.sendall(bytes([1, 0 if given == credentials else 1]))
            if given != credentials:
                say(credentials=given, refused="credentials")
                connection.close()
                return
        _, command, _, kind = read_exactly(connection, 4)
        if kind == 3:
            host = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
        else:
            host = socket.inet_ntop(*((socket.AF_INET, read_exactly(connection, 4)) if kind == 1 else
                                      (socket.AF_INET6, read_exactly(connection, 16))))
        port = int.from_bytes(read_exactly(connection, 2), "big")
        say(command=command, kind=kind, host=host, port=port, credentials=given)
        connection.sendall(bytes([5, refusal, 0, 1, 0, 0, 0, 0, 0, 0]))
        if refusal:
            connection.close()
            return
        relay(connection, connect(*target))
    except (OSError, EOFError) as error:
        say(socks_error=str(error))


def socks(address, port, target_address, target_port, credentials="", refusal="0"):
    """Leads everybody to one target, whatever is asked for."""
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=socks_one, daemon=True,
                         args=(connection, credentials, (target_address, int(target_port)), int(refusal))).start()


# DNS


def dns(address, port, *records):
    """Answers with NAME=ADDRESS records, NXDOMAIN otherwise; TTL 60."""
    known = {}
    for record in records:
        name, _, value = record.partition("=")
        known.setdefault(name, []).append(value)
    server = socket.socket(family_of(address), socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    say(listening=os.getpid())
    while True:
        query, client = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, kind = ".".join(labels), int.from_bytes(query[at + 1 : at + 3], "big")
        question = query[12 : at + 5]
        answers = b""
        count = 0
        for value in known.get(name, []):
            if (kind == 28) != (":" in value) or kind not in (1, 28):
                continue
            data = socket.inet_pton(family_of(value), value)
            answers += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
            count += 1
        code = 0x8180 if name in known else 0x8183
        say(asked=name, kind=kind, answers=count)
        server.sendto(query[:2] + struct.pack("!HHHHH", code, 1, count, 0, 0) + question + answers, client)


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    globals()[sys.argv[1]](*sys.argv[2:])
