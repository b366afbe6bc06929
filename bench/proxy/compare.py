#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py [--subjects A,B] [--loads X,Y] [--rounds N] [--seconds S] [--targets P,Q]: some of what `./dev bench
proxy` measures, for work on the proxy. With --targets the rows that these parts of the wire splice's bench give, of
these loads. Words may be cut short: `--loads remote_` are all remote ones. Writes no RESULTS.md. SONDE_BUILD is the
build folder (default: build/release)."""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from capture import verdict  # noqa: E402  pylint: disable=wrong-import-position
from proxy import loads, places, side_by_side, subjects, wire  # noqa: E402  pylint: disable=wrong-import-position


def words(known):
    def parse(text):
        found = [word for word in known if any(word == part or word.startswith(part) for part in text.split(','))]
        if not found:
            raise argparse.ArgumentTypeError(f'"{text}": expected some of {", ".join(known)}')
        return found
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--subjects', type=words(subjects.ALL), default=subjects.ALL)
    parser.add_argument('--loads', type=words(list(loads.LOADS)), default=list(loads.LOADS))
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=0.7)
    parser.add_argument('--targets', type=words(list(wire.PARTS)), metavar=','.join(wire.PARTS))
    options = parser.parse_args()
    build = pathlib.Path(os.environ.get('SONDE_BUILD', pathlib.Path(__file__).parents[2] / 'build/release')).resolve()
    with places.Places(build / 'bench/proxy/proxy_load') as where:
        if options.targets:
            chosen = tuple(load for load in options.loads if load in wire.STEADY)
            plan = wire.Plan(chosen, options.rounds, options.seconds)
            rows, details = wire.run_parts(build, where, options.targets, plan)
            print(verdict.show(rows) + '\n' + '\n'.join(details))
            return
        outcomes = loads.Outcomes()
        loads.measure(build, where, options.subjects, options.loads, options.rounds, options.seconds, outcomes)
    print(side_by_side.table(outcomes, options.subjects))


if __name__ == '__main__':
    main()
