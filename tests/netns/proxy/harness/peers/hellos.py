# SPDX-License-Identifier: Apache-2.0
"""ClientHellos as they do not usually come: in pieces, slowly, or none at all."""
import ssl
import threading
import time

from client_hello import hello
from echo import ask
from sockets import connect, read_line, say


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
