#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that send and receive for the tests: traffic.py NAME ARGUMENT...

Each says on standard output which sockets it uses, a line each: "PID LOCAL-PORT".
"""
import fcntl
import os
import socket
import struct
import sys
import threading
import time


def say(connection, pid=None):
    print(pid or os.getpid(), connection.getsockname()[1], flush=True)


def drain(connection):
    with connection:
        while connection.recv(1 << 16):
            pass


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(address, port, local_port=0):
    connection = socket.socket(family_of(address))
    if local_port:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind(("", local_port))
    connection.connect((address, int(port)))
    return connection


def send_all(connection, size, pause=0.0):
    """Ends when the peer has everything, so that every retransmission has been sent."""
    rest, part = int(size), b"x" * 16384
    while rest > 0:
        rest -= connection.send(part[: min(rest, len(part))])
        time.sleep(pause)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
    say_counted(connection)


def say_counted(connection):
    """What TCP_INFO says: "retransmitted LOCAL-PORT SEGMENTS"."""
    total_retrans, = struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)
    sys.stdout.write(f"retransmitted {connection.getsockname()[1]} {total_retrans}\n")
    sys.stdout.flush()


def listen(address, port, reuse_port=False):
    listener = socket.socket(family_of(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, int(port)))
    listener.listen(512)
    print("listening", os.getpid(), flush=True)
    return listener


def receive(address, port):
    """Takes everything from everybody."""
    listener = listen(address, port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=drain, args=(connection,), daemon=True).start()


def send(address, port, size, connections=1, local_port=0):
    """One process, several connections at once."""
    sockets = [connect(address, port, int(local_port)) for _ in range(int(connections))]
    for connection in sockets:
        say(connection)
    threads = [threading.Thread(target=send_all, args=(connection, size)) for connection in sockets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_slowly(address, port, count, gap):
    """Small messages, each alone on its way: what is lost is the tail."""
    connection = connect(address, port)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(connection)
    for _ in range(int(count)):
        connection.send(b"y" * 100)
        time.sleep(float(gap))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def try_connect(address, port, seconds):
    """A SYN that nobody answers."""
    connection = socket.socket(family_of(address))
    connection.settimeout(float(seconds))
    connection.bind(("", 0))
    say(connection)
    try:
        connection.connect((address, int(port)))
    except OSError:
        pass


def serve(address, port, size, reuse_port=""):
    """Sends to everybody who connects, in this process."""
    listener = listen(address, port, bool(reuse_port))
    while True:
        connection, peer = listener.accept()
        print(os.getpid(), peer[1], flush=True)
        threading.Thread(target=send_all, args=(connection, size), daemon=True).start()


def hang_up(address, port):
    """Accepts and closes: only FIN is ever sent."""
    listener = listen(address, port)
    while True:
        connection, peer = listener.accept()
        print(os.getpid(), peer[1], flush=True)
        connection.close()


def fetch(address, port, connections=1):
    """Reads what serve() sends, from several connections one after the other."""
    for _ in range(int(connections)):
        connection = connect(address, port)
        say(connection)
        drain(connection)


def take(address, port):
    """Accepts and closes, as fast as it can."""
    listener = listen(address, port)
    while True:
        listener.accept()[0].close()


def pass_on(address, port, size):
    """Connects, gives the socket to another process, which sends."""
    here, there = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        _, descriptors, _, _ = socket.recv_fds(there, 1, 1)
        connection = socket.socket(fileno=descriptors[0])
        say(connection)
        send_all(connection, size)
        os._exit(0)
    connection = connect(address, port)
    print("opener", os.getpid(), flush=True)
    socket.send_fds(here, [b"1"], [connection.fileno()])
    connection.close()
    os.waitpid(child, 0)


def fork_send(address, port, size):
    """Connects, then the child sends."""
    connection = connect(address, port)
    print("opener", os.getpid(), flush=True)
    child = os.fork()
    if child == 0:
        say(connection)
        send_all(connection, size)
        os._exit(0)
    connection.close()
    os.waitpid(child, 0)


def file_send(address, port, size, way):
    """sendfile(2) or splice(2): no byte passes through the process."""
    connection = connect(address, port)
    say(connection)
    file = os.memfd_create("data")
    os.truncate(file, int(size))
    if way == "sendfile":
        done = 0
        while done < int(size):
            done += os.sendfile(connection.fileno(), file, done, int(size) - done)
    else:
        reader, writer = os.pipe()
        while moved := os.splice(file, writer, 65536):
            while moved > 0:
                moved -= os.splice(reader, connection.fileno(), moved)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def leave(address, port, size):
    """Exits while the kernel still has data to send."""
    connection = connect(address, port)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    say(connection)
    connection.setblocking(False)
    rest = int(size)
    while rest > 0:
        try:
            rest -= connection.send(b"z" * min(rest, 65536))
        except BlockingIOError:
            break


def send_reset(address, port, size, local_port):
    """Ends without TIME-WAIT, so that the next process can have the same addresses and ports at once."""
    connection = connect(address, port, int(local_port))
    say(connection)
    connection.sendall(b"w" * int(size))
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[24:28] != b"\0\0\0\0":  # tcpi_unacked
        time.sleep(0.01)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def swallow(name):
    """A network device behind which everything vanishes: for the kernel it was sent."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI
    os.system(f"ip link set {name} up")
    print("swallowing", flush=True)
    while True:
        os.read(tap, 1 << 17)


def short_connections(address, port, count):
    for _ in range(int(count)):
        with connect(address, port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.send(b"s")


def burn():
    print("burning", flush=True)
    while True:
        pass


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
