# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what it says. Every subject is measured once in each round, so that what disturbs the machine
slowly disturbs all."""
import statistics
import sys
import time

from capture.network import BenchError
from proxy import subjects

# name: place, words of proxy_load
LOADS = {
    'local_down': ('local', 'bulk --connections 8'),
    'local_up': ('local', 'bulk --connections 8 --upload'),
    'local_rr1': ('local', 'rr --connections 1'),
    'local_rr64': ('local', 'rr --connections 64'),
    'local_connect': ('local', 'connect --connections 32'),
    'remote_down': ('remote', 'bulk --connections 8'),
    'remote_up': ('remote', 'bulk --connections 8 --upload'),
    'remote_rr8': ('remote', 'rr --connections 8'),
    'remote_rr64': ('remote', 'rr --connections 64'),
    'remote_connect': ('remote', 'connect --connections 32'),
}


def gbits(got):
    return got['bytes'] * 8 / got['seconds'] / 1e9


def rate(got):
    return got['count'] / got['seconds']


def machine_cpu(got):
    """CPU-seconds a GB."""
    return got['machine_cpu'] / (got['bytes'] / 1e9)


def process_cpu(got):
    return got['process_cpu'] / (got['bytes'] / 1e9)


def suits(name, place):
    """The bypass is for peers on one host only, the wire splice for none of them there."""
    return not (place == 'remote' and name == 'sonde bypass' or place == 'local' and name == 'sonde wire')


class Outcomes:
    """By load and subject: what each round said."""

    def __init__(self):
        self.all = {}

    def add(self, load, name, outcome):
        self.all.setdefault((load, name), []).append(outcome)

    def errors(self, load, name):
        found = [outcome['error'] for outcome in self.all.get((load, name), []) if 'error' in outcome]
        failed = sum(outcome.get('failed', 0) for outcome in self.all.get((load, name), []))
        return found + ([f'{failed} connections failed'] if failed else [])

    def median(self, load, name, value):
        """None: there is no round that worked."""
        good = [value(outcome) for outcome in self.all.get((load, name), []) if 'error' not in outcome]
        return statistics.median(good) if good else None

    def best(self, load, names, value, pick=max):
        """(subject, value) of the best; (None, None): none worked."""
        found = [(self.median(load, name, value), name) for name in names]
        found = [pair for pair in found if pair[0] is not None]
        if not found:
            return None, None
        best = pick(found)
        return best[1], best[0]


def measure_subject(build, places, place, name, loads, outcomes):
    """`loads`: {name: words}. A proxy that does not start has failed in all."""
    try:
        with subjects.started(name, build, places, getattr(places, place)) as subject:
            for load, words in loads.items():
                outcomes.add(load, name, subject.load(*words.split()))
    except BenchError as error:
        for load in loads:
            outcomes.add(load, name, {'error': str(error)})


def measure(build, places, names, chosen, rounds, seconds, outcomes):
    for number in range(rounds):
        start = time.monotonic()
        for place in ('local', 'remote'):
            loads = {load: f'{words} --seconds {seconds}' for load, (where, words) in LOADS.items()
                     if where == place and load in chosen}
            for name in names:
                if loads and suits(name, place):
                    measure_subject(build, places, place, name, loads, outcomes)
        print(f'proxy: round {number + 1} of {rounds}: {time.monotonic() - start:.0f} s', file=sys.stderr, flush=True)
