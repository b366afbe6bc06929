#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients and upstreams for the tests of the proxy: main.py NAME ARGUMENT... calls a function of its module below."""
import importlib
import pathlib
import sys
import threading

PEERS = {
    'backpressure': ('pour', 'swallow_slowly'),
    'echo': ('echo', 'hold', 'idle', 'knock'),
    'hellos': ('drip', 'send_hello', 'send_raw', 'split', 'tls_split'),
    'name_server': ('dns',),
    'planned': ('clients', 'upstream'),
    'socks5': ('socks',),
}


def main(name, *arguments):
    threading.stack_size(256 * 1024)
    module = next(module for module, names in PEERS.items() if name in names)
    getattr(importlib.import_module(module), name)(*arguments)


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    sys.dont_write_bytecode = True
    main(*sys.argv[1:])
