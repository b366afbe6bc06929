# SPDX-License-Identifier: Apache-2.0
"""One end of a conversation, as a process of its own: peer.py ROLE [name=NAME] [uid=N] ...

Says "ready" when it listens or could begin; a client begins at SIGUSR1 and says "done". Both ends of a TCP connection
close after both have finished, so that no packet is left to a TIME-WAIT timer without a socket.
"""
import os
import signal
import socket
import sys

HELLO = b"h" * 700
ANSWER = b"a" * 900


def serve_tcp(address, port, connections):
    listener = socket.create_server((address, port))
    ready()
    for _ in range(connections):
        connection, _ = listener.accept()
        while data := connection.recv(4096):
            connection.sendall(ANSWER[:len(data)])
        connection.shutdown(socket.SHUT_WR)
        connection.close()


def connect_tcp(address, port):
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.connect((address, port))
    return connection


def call_tcp(address, port, connections, rounds):
    begin()
    for _ in range(connections):
        connection = connect_tcp(address, port)
        for _ in range(rounds):
            connection.sendall(HELLO)
            received = 0
            while received < len(HELLO):
                received += len(connection.recv(4096))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
        connection.close()
    print("done", flush=True)


def serve_udp(address, port, datagrams):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    ready()
    for _ in range(datagrams):
        data, peer = server.recvfrom(4096)
        server.sendto(data, peer)
    signal.pause()


def call_udp(address, port, datagrams, connected):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begin()
    if connected:
        client.connect((address, port))
    for number in range(datagrams):
        if connected:
            client.send(b"%d" % number)
        else:
            client.sendto(b"%d" % number, (address, port))
        client.recv(4096)
    print("done", flush=True)
    signal.pause()


def call_nobody(address, port):
    begin()
    try:
        connect_tcp(address, port)
    except ConnectionRefusedError:
        print("done", flush=True)


def ready():
    print("ready", flush=True)


def begin():
    ready()
    signal.sigwait({signal.SIGUSR1})


ROLES = {
    "serve_tcp": serve_tcp, "call_tcp": call_tcp, "serve_udp": serve_udp, "call_udp": call_udp,
    "call_nobody": call_nobody,
}


def main(role, *words):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    arguments = []
    for word in words:
        if word.startswith("name="):
            with open("/proc/self/comm", "w", encoding="ascii") as comm:
                comm.write(word[5:])
        elif word.startswith("cgroup="):
            with open(word[7:] + "/cgroup.procs", "w", encoding="ascii") as processes:
                processes.write(str(os.getpid()))
        elif word.startswith("uid="):
            os.setuid(int(word[4:]))
        else:
            arguments.append(int(word) if word.isdigit() else word)
    ROLES[role](*arguments)


main(*sys.argv[1:])
