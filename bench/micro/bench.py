# SPDX-License-Identifier: Apache-2.0
"""The micro benches: Google Benchmark programs, medians of three repetitions."""
import json
import subprocess

import results

PROGRAMS = ['export_benchmark']


def run(build):
    rows = []
    for program in PROGRAMS:
        done = subprocess.run([build / 'bench/micro' / program, '--benchmark_format=json', '--benchmark_min_time=0.2',
                               '--benchmark_repetitions=3', '--benchmark_report_aggregates_only=true'],
                              capture_output=True, text=True, check=True)
        for case in json.loads(done.stdout)['benchmarks']:
            if case.get('aggregate_name') == 'median':
                rate = case.get('items_per_second')
                rows.append([case['run_name'], f'{case["cpu_time"]:.0f} {case["time_unit"]}',
                             f'{rate / 1e6:.2f} M/s' if rate else ''])
    return results.table(['bench', 'CPU time', 'items'], rows)
