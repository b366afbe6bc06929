# SPDX-License-Identifier: Apache-2.0
"""The table of what each load said of each subject."""
import results
from proxy.loads import gbits, machine_cpu, process_cpu, rate

VALUES = [  # title, load, value, how it is shown
    ('same host, bulk down, Gbit/s', 'local_down', gbits, '{:.1f}'),
    ('same host, bulk up, Gbit/s', 'local_up', gbits, '{:.1f}'),
    ('same host, bulk down, CPU-s a GB', 'local_down', machine_cpu, '{:.2f}'),
    ('same host, round trips/s, 1 connection', 'local_rr1', rate, '{:,.0f}'),
    ('same host, round trips/s, 64 connections', 'local_rr64', rate, '{:,.0f}'),
    ('same host, new connections/s', 'local_connect', rate, '{:,.0f}'),
    ('remote, bulk down, Gbit/s', 'remote_down', gbits, '{:.1f}'),
    ('remote, bulk down, CPU-s a GB', 'remote_down', machine_cpu, '{:.2f}'),
    ('remote, bulk down, CPU-s a GB, proxy only', 'remote_down', process_cpu, '{:.2f}'),
    ('remote, bulk up, Gbit/s', 'remote_up', gbits, '{:.1f}'),
    ('remote, bulk up, CPU-s a GB', 'remote_up', machine_cpu, '{:.2f}'),
    ('remote, bulk up, CPU-s a GB, proxy only', 'remote_up', process_cpu, '{:.2f}'),
    ('remote, round trips/s, 8 connections', 'remote_rr8', rate, '{:,.0f}'),
    ('remote, round trips/s, 64 connections', 'remote_rr64', rate, '{:,.0f}'),
    ('remote, new connections/s', 'remote_connect', rate, '{:,.0f}'),
]


def cell(outcomes, load, name, value, form):
    median = outcomes.median(load, name, value)
    if median is None:
        return 'failed' if (load, name) in outcomes.all else '-'
    return form.format(median)


def table(outcomes, names):
    measured = {load for load, _ in outcomes.all}
    rows = [[title, *(cell(outcomes, load, name, value, form) for name in names)]
            for title, load, value, form in VALUES if load in measured]
    problems = [f'- {load}, {name}: {"; ".join(sorted(set(outcomes.errors(load, name))))}\n'
                for load, name in outcomes.all if outcomes.errors(load, name)]
    return results.table(['', *names], rows) + ('\nWhat failed:\n\n' + ''.join(problems) if problems else '')
