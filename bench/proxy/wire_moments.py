# SPDX-License-Identifier: Apache-2.0
"""What the wire splice does to connections when they begin, and when the proxy ends."""
import concurrent.futures
import dataclasses
import os
import signal
import statistics
import time

import results
from capture import verdict
from proxy import subjects
from proxy.loads import gbits, rate
from proxy.wire_common import ALL_BY_WIRE, AUTO, SPLICE, WIRE, required, share

PAIRS = 9          # alternating runs of two listeners
SHORT_PAIRS = 5    # of two proxies, each for two runs
NOISE = 0.02       # of the ratio of alternating runs
KILLED_RUNS = 2
KILLED_SECONDS = 3.0
KILLED_AFTER = 1.0  # seconds from the start of the load


def alternating(runs, subjects_by_name, words):
    """By name, what each run said. The order changes from one to the next."""
    got = {name: [] for name in subjects_by_name}
    for number in range(runs):
        for name in subjects_by_name if number % 2 == 0 else reversed(subjects_by_name):
            got[name].append(required(subjects_by_name[name].load(*words.split())))
    return got


def hand_over(build, places, plan):
    rows, lines = [], []
    with subjects.started(subjects.SONDE_BOTH, build, places, places.remote) as subject:
        for number in (1, 16):
            words = f'first-byte --connections {number} --seconds {plan.seconds} --warm-up 0.1'
            got = alternating(PAIRS, {SPLICE: subject.second(), WIRE: subject}, words)
            more, table = added(got, number)
            rows += more
            lines += table
    return rows, results.table(['', SPLICE, WIRE], lines)


def added(got, number):
    """Rows of what the hand-over adds with so many connections at a time."""
    def median(name, value):
        return statistics.median(run[value] for run in got[name])
    rows = []
    for value in ('p50', 'p99'):
        ours, theirs = median(WIRE, f'first_{value}'), median(SPLICE, f'first_{value}')
        row = verdict.at_most(f'[first-byte] hand-over, {value} added, {number} at a time', ours - theirs, 1000,
                              lambda value: f'{value:.0f} us', sonde=f'{ours:.0f} us', peer=f'{theirs:.0f} us (splice)',
                              ratio=f'{ours - theirs:+.0f} us')
        # With more than one at a time the CPUs are full, and latency is what work waits for.
        rows.append(row if number == 1 else dataclasses.replace(row, target='', met=None))
    # The second message and the answer to it have only the wire to go by.
    handed = min(run['wire_bytes'] / (run['count'] * 128) for run in got[WIRE])
    failed = sum(run['failed'] for runs in got.values() for run in runs)
    rows.append(verdict.at_least(f'[first-byte] {number} at a time: second messages by the wire', handed, ALL_BY_WIRE,
                                 '{:.0%}'.format, sonde=f'{min(handed, 1):.1%}'))
    rows.append(verdict.at_most(f'[first-byte] {number} at a time: connections that failed', failed, 0, str,
                                sonde=str(failed)))
    lines = [[f'{number} at a time, {value.replace("_", " answer, ")}, us',
              *(f'{median(name, value):.0f}' for name in (SPLICE, WIRE))]
             for value in ('first_p50', 'first_p99', 'second_p50', 'second_p99')]
    return rows, lines


def short(build, places, plan):
    """Each is started anew: where nothing is to go by the wire, its program is not on the packets."""
    words = f'connect --connections 32 --answer 1024 --seconds {plan.seconds}'
    ratios, rates, failed = [], {AUTO: [], SPLICE: []}, 0
    for number in range(SHORT_PAIRS):
        for name in (AUTO, SPLICE) if number % 2 == 0 else (SPLICE, AUTO):
            with subjects.started(name, build, places, places.remote) as subject:
                got = [required(subject.load(*words.split())) for _ in range(2)]
            rates[name].append(statistics.mean(rate(run) for run in got))
            failed += sum(run['failed'] for run in got)
        ratios.append(rates[AUTO][-1] / rates[SPLICE][-1])
    ratio = statistics.median(ratios)
    title = '[connect --answer 1024] short connections, auto against splice'
    row = verdict.at_least(title, ratio, 1 - NOISE, verdict.times, sonde=f'{statistics.median(rates[AUTO]):,.0f}/s',
                           peer=f'{statistics.median(rates[SPLICE]):,.0f}/s (splice)',
                           ratio=f'{verdict.times(ratio)} ({min(ratios):.2f} to {max(ratios):.2f})')
    return [dataclasses.replace(row, target=f'at least 1.00 x, less {NOISE:.0%} for noise'),
            verdict.at_most(f'{title}: that failed', failed, 0, str, sonde=str(failed))], ''


def kill_and_start(build, places, words):
    """What the load says while its proxy is killed (SIGKILL) and another one started."""
    with (subjects.started(WIRE, build, places, places.remote, may_end=True) as subject,
          concurrent.futures.ThreadPoolExecutor(1) as pool):
        load = pool.submit(subject.load, *words)
        time.sleep(KILLED_AFTER)
        os.kill(subject.pids[0], signal.SIGKILL)
        time.sleep(0.2)
        with subjects.started(WIRE, build, places, places.remote):
            return required(load.result())


def killed(build, places, _plan):
    words = ['bulk', '--connections', '8', '--seconds', str(KILLED_SECONDS), '--warm-up', '0.5']
    alone, during = [], []
    for _ in range(KILLED_RUNS):
        with subjects.started(WIRE, build, places, places.remote) as subject:
            alone.append(required(subject.load(*words)))
        during.append(kill_and_start(build, places, words))
    ours, theirs = (statistics.median(map(gbits, runs)) for runs in (during, alone))
    title = '[bulk] 8 connections, the proxy killed and started again meanwhile'
    handed = min(map(share, during))
    return [verdict.Row(title, f'{ours:.1f} Gbit/s', f'{theirs:.1f} Gbit/s (not killed)',
                        verdict.times(verdict.ratio(ours, theirs))),
            verdict.at_least(f'{title}: bytes by the wire', handed, ALL_BY_WIRE, '{:.0%}'.format,
                             sonde=f'{min(handed, 1):.1%}')], ''
