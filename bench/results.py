# SPDX-License-Identifier: Apache-2.0
"""Tables, and RESULTS.md: one section a bench, replaced when it runs again."""
import datetime
import os
import pathlib
import platform
import re
import subprocess

TITLE = '# Results of `./dev bench`\n\nWritten by the benches; each section is replaced when its bench runs again.\n'


def table(head, rows):
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in line) + ' |' for line in lines) + '\n'


def _first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0] if done.stdout or done.stderr else 'unknown'


def _cpu():
    model = re.search(r'^model name\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    return f'{model.group(1) if model else platform.machine()}, {os.cpu_count()} CPUs'


def _memory():
    kilobytes = int(re.search(r'MemTotal:\s+(\d+)', pathlib.Path('/proc/meminfo').read_text()).group(1))
    return f'{kilobytes / 1024 / 1024:.0f} GiB'


def _commit():
    root = pathlib.Path(__file__).parent
    git = ['git', '-c', f'safe.directory={root.parent}', '-C', str(root)]
    commit = subprocess.run([*git, 'rev-parse', '--short=12', 'HEAD'], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, 'status', '--porcelain', '--', ':!RESULTS.md'], capture_output=True, text=True,
                             check=False)
    if commit.returncode != 0:
        return 'unknown'
    return commit.stdout.strip() + (' and changes that are not committed' if changed.stdout else '')


def section(name, text, seconds):
    """`text` is markdown without a heading."""
    load = ', '.join(f'{value:.1f}' for value in LOAD_AT_START)
    facts = [['machine', _cpu() + ', ' + _memory()],
             ['kernel', f'{platform.system()} {platform.release()}'],
             ['load average before', load + (' - **busy: the figures are lower than the machine\'s**'
                                             if LOAD_AT_START[0] > BUSY else '')],
             ['date', datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC')],
             ['commit', _commit()],
             ['peers', '; '.join(_first_line([peer, '--version']) for peer in ('tcpdump', 'iperf3', 'bpftrace'))],
             ['took', f'{seconds:.0f} s']]
    return f'## {name}\n\n' + table(['', ''], facts) + '\n' + text.strip() + '\n'


def replace_section(path, name, text):
    old = path.read_text() if path.exists() else TITLE
    parts = re.split(r'^(?=## )', old, flags=re.MULTILINE)
    kept = [part.strip() + '\n' for part in parts[1:] if not part.startswith(f'## {name}\n')]
    path.write_text('\n'.join([parts[0].strip() + '\n', *sorted([*kept, text])]))


# The bench itself is load: what counts is who else was there.
LOAD_AT_START = os.getloadavg()
BUSY = 0.5
