# SPDX-License-Identifier: Apache-2.0
"""Rows of the result table."""
import dataclasses
import sys
import time

import results
from capture.network import BenchError

HEAD = ['row', 'sonde', 'peer', 'ratio', 'target', 'result']


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    sonde: str
    peer: str = ''
    ratio: str = ''
    target: str = ''
    met: bool | None = None  # None: for information
    short: str = ''          # how far off, when missed

    def cells(self):
        result = {None: 'information', True: 'met', False: f'**missed** {self.short}'.strip()}[self.met]
        return [self.name, self.sonde, self.peer, self.ratio, self.target, result]


def at_least(name, value, limit, show, **cells):
    """`show` writes a value with its unit."""
    met = value >= limit
    short = '' if met else f'by {1 - value / limit:.0%}'
    return Row(name, target='at least ' + show(limit), met=met, short=short, **cells)


def at_most(name, value, limit, show, **cells):
    met = value <= limit
    short = '' if met or not limit else f'by {value / limit - 1:.0%}'
    return Row(name, target='at most ' + show(limit), met=met, short=short, **cells)


def times(value):
    return f'{value:.2f} x'


def ratio(value, base):
    return value / base if base else 0.0


def show(rows):
    return results.table(HEAD, [row.cells() for row in rows])


def run_parts(parts, *arguments):
    """`parts`: names and functions that give rows and markdown. All rows, and a list of markdown with headings. A part that
    fails is a row that is missed; the others go on. How long each took goes to standard error."""
    rows, details = [], []
    for name, part in parts:
        start = time.monotonic()
        try:
            more, text = part(*arguments)
        except BenchError as error:
            more, text = [Row(name, f'failed: {error}', met=False)], ''
        rows += more
        details += [f'### {name}\n\n{text}'] if text else []
        print(f'{name}: {time.monotonic() - start:.0f} s', file=sys.stderr, flush=True)
    return rows, details
