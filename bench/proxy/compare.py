#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py [--subjects A,B] [--loads X,Y] [--rounds N] [--seconds S]: some of what `./dev bench proxy` measures, for
work on the proxy. Writes no RESULTS.md. SONDE_BUILD is the build folder (default: build/release)."""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

from proxy import bench, loads, places, subjects  # noqa: E402  pylint: disable=wrong-import-position


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
    options = parser.parse_args()
    build = pathlib.Path(os.environ.get('SONDE_BUILD', pathlib.Path(__file__).parents[2] / 'build/release')).resolve()
    outcomes = loads.Outcomes()
    with places.Places(build / 'bench/proxy/proxy_load') as where:
        loads.measure(build, where, options.subjects, options.loads, options.rounds, options.seconds, outcomes)
    print(bench.side_by_side(outcomes, options.subjects))


if __name__ == '__main__':
    main()
