# SPDX-License-Identifier: Apache-2.0
"""main.py [NAME...]: runs benches, prints their tables and puts them into RESULTS.md."""
import os
import pathlib
import signal
import sys
import time

import results
from capture import bench as capture
from flows import bench as flows
from guard import bench as guard
from micro import bench as micro
from owners import bench as owners
from proxy import bench as proxy
from proxy import wire

BENCHES = {'capture': capture.run, 'guard': guard.run, 'flows': flows.run, 'micro': micro.run, 'owners': owners.run,
           'proxy': proxy.run, 'wire': wire.run}
ALSO = {'proxy': ['wire']}  # parts with a section of their own


def stop(number, _frame):
    """A signal unwinds the stack: every `with` takes away what it made."""
    raise SystemExit(128 + number)


def run(name, build):
    start = time.monotonic()
    text = BENCHES[name](build)
    section = results.section(name, text, time.monotonic() - start)
    print(section)
    results.replace_section(pathlib.Path(__file__).with_name('RESULTS.md'), name, section)


def main(names):
    for name in names:
        if name not in BENCHES:
            print(f'./dev bench: unknown bench "{name}"; expected one of {", ".join(BENCHES)}', file=sys.stderr)
            return 2
    if os.geteuid() != 0:
        print('./dev bench: needs root: it makes network namespaces and loads BPF programs', file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    release = pathlib.Path(__file__).parents[1] / 'build/release'
    build = pathlib.Path(os.environ.get('SONDE_BUILD', release)).resolve()
    wanted = [part for name in names for part in (name, *ALSO.get(name, []))]
    for name in dict.fromkeys(wanted or BENCHES):
        run(name, build)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
