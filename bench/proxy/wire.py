# SPDX-License-Identifier: Apache-2.0
"""The wire splice of sonde proxy beside HAProxy, nginx and plain routing. Part of `./dev bench proxy`; alone: `./dev
bench wire`. Its parts are functions of (build, places, plan) that give rows of the table and markdown for below it."""

import results
from capture import verdict
from proxy import loads as measured
from proxy import side_by_side, subjects
from proxy import wire_moments as moments
from proxy.loads import Outcomes, gbits, machine_cpu, rate
from proxy.places import Places
from proxy.wire_common import ALL_BY_WIRE, AUTO, HAPROXY, SETTLED, STEADY, WIRE, Plan, required, share
from proxy.wire_many import lookup, many

NAMES = [subjects.DIRECT, HAPROXY, 'nginx', AUTO, WIRE]
CPU_SECONDS = 3.0
MOST_BY_WIRE = 0.8  # where the first 16 KiB of each connection are not

NOTES = '''\
Three network namespaces, two veth pairs, a client, a server and one worker in every proxy on the same CPUs; TCP
timestamps, SACK, GSO and GRO as the kernel sets them. The name in brackets is that of the load:
`bench/proxy/compare.py --loads NAME` runs it alone, `--targets PART` the rows. Medians of {ROUNDS} rounds of
{SECONDS:g} s, every subject in each. **direct** is plain routing by the namespace in the middle. **sonde wire**:
`forwarding: wire`, each connection is handed over as soon as it is relayed; **sonde auto** is the default: after 16
KiB or 50 ms.

- **CPU-seconds a GB**: user, nice, system, irq and softirq of the whole machine (/proc/stat), client and server
  included, nothing subtracted, divided by the bytes that the receiver read.
- **proxy's own CPU**: user and system time of the proxy's processes (/proc/PID/stat, in steps of 10 ms) in
  {CPU_SECONDS:g} s that begin {SETTLED:g} s after the connections. The scheduler's count (/proc/PID/task/*/schedstat)
  is in brackets: once a second a thread walks the table.
- **hand-over**: each connection sends a message of 64 bytes behind its ClientHello, and one more when that has come
  back. Told is the time from sending to the first byte of the answer, the connect of the upstream included. One proxy
  with a listener of either forwarding; first answers of `wire` less those of `splice` in {PAIRS} alternating runs;
  medians of the percentiles of the runs.
- **short connections**: connect, ClientHello, an answer of 1,024 bytes, the end from the server, 32 at a time. Median
  of the ratios of {SHORT_PAIRS} alternating pairs, each started anew; {NOISE:.0%} are taken for noise.
- **killed**: SIGKILL while the load is measured, and at once another proxy, which first tries its paths: that takes
  CPU from the load. A connection that ended would fail the load.
- **many connections**: one real connection, copied in the pinned maps until there are {MANY:,} (the machine allows
  20,000 descriptors); the running proxy takes them over as those of an earlier process. Maps: `memlock` of
  /proc/PID/fdinfo with one connection, and what that or the kernel's slab grew by, whichever is more. Process: what
  its anonymous memory grew by. The frozen sockets are not in it.
- **a packet**: BPF_PROG_TEST_RUN of forward_packet, TCP with timestamps and 64 bytes. Each packet becomes one of
  another flow, in random order, so that no run finds the flow of the one before in the caches; every packet is
  checked to have been forwarded.
'''

# title, load, value, form, limit, at least, whom against
TARGETS = [
    ('bulk down, 8 connections', 'remote_down', gbits, '{:.1f} Gbit/s', 2.5, True, HAPROXY),
    ('bulk down, 8 connections', 'remote_down', gbits, '{:.1f} Gbit/s', 0.85, True, subjects.DIRECT),
    ('bulk up, 8 connections', 'remote_up', gbits, '{:.1f} Gbit/s', 2.5, True, HAPROXY),
    ('bulk up, 8 connections', 'remote_up', gbits, '{:.1f} Gbit/s', 0.85, True, subjects.DIRECT),
    ('round trips, 8 connections', 'remote_rr8', rate, '{:,.0f}/s', 4.0, True, HAPROXY),
    ('round trips, 8 connections', 'remote_rr8', rate, '{:,.0f}/s', 0.9, True, subjects.DIRECT),
    ('round trips, 64 connections', 'remote_rr64', rate, '{:,.0f}/s', 4.0, True, HAPROXY),
    ('round trips, 64 connections', 'remote_rr64', rate, '{:,.0f}/s', 0.9, True, subjects.DIRECT),
    ('bulk down, CPU-seconds a GB, whole machine', 'remote_down', machine_cpu, '{:.2f}', 0.4, False, HAPROXY),
    ('bulk up, CPU-seconds a GB, whole machine', 'remote_up', machine_cpu, '{:.2f}', 0.4, False, HAPROXY),
]


def target_row(outcomes, title, load, value, form, limit, least, peer):
    title = f'[{load}] {title}, against {peer}'
    ours, theirs = outcomes.median(load, WIRE, value), outcomes.median(load, peer, value)
    if ours is None or theirs is None:
        return verdict.Row(title, 'failed', met=False)
    ratio = verdict.ratio(ours, theirs)
    make = verdict.at_least if least else verdict.at_most
    return make(title, ratio, limit, verdict.times, sonde=form.format(ours), peer=form.format(theirs),
                ratio=verdict.times(ratio))


def by_wire_row(outcomes, load, name):
    """A load that fell back would be measured as something else."""
    title = f'[{load}] {name}: bytes by the wire, the least of all rounds'
    good = [share(outcome) for outcome in outcomes.all.get((load, name), []) if 'error' not in outcome]
    if not good:
        return verdict.Row(title, 'failed', met=False)
    limit = ALL_BY_WIRE if name == WIRE else MOST_BY_WIRE
    return verdict.at_least(title, min(good), limit, '{:.0%}'.format, sonde=f'{min(min(good), 1):.1%}')


def throughput(build, places, plan):
    outcomes = Outcomes()
    measured.measure(build, places, NAMES, plan.loads, plan.rounds, plan.seconds, outcomes)
    rows = [target_row(outcomes, *target) for target in TARGETS if target[1] in plan.loads]
    rows += [by_wire_row(outcomes, load, name) for load in plan.loads if load in STEADY for name in (AUTO, WIRE)]
    return rows, side_by_side.table(outcomes, NAMES)


def own_cpu(build, places, _plan):
    rows, lines = [], []
    names = (HAPROXY, WIRE)
    for title, words in (('rr', 'rr --connections 64'), ('bulk', 'bulk --connections 64')):
        outcomes = {}
        for name in names:
            with subjects.started(name, build, places, places.remote) as subject:
                long = [*words.split(), '--seconds', str(CPU_SECONDS), '--warm-up', str(SETTLED)]
                outcomes[name] = required(subject.load(*long))
        lines.append([f'{words}, seconds of CPU in {CPU_SECONDS:g} s',
                      *(f'{outcomes[name]["process_cpu"]:.2f}' for name in names)])
        got = outcomes[WIRE]
        shown = f'{got["process_cpu"]:.2f} s in {CPU_SECONDS:g} s ({got["scheduled"] * 1e3:.2f} ms)'
        rows.append(verdict.at_most(f'[{title}] proxy\'s own CPU, 64 connections', got['process_cpu'], 0,
                                    lambda value: f'{value:g} s', sonde=shown))
        rows.append(verdict.at_least(f'[{title}] 64 connections: bytes by the wire', share(got), ALL_BY_WIRE,
                                     '{:.0%}'.format, sonde=f'{min(share(got), 1):.1%}'))
    return rows, results.table(['', *names], lines)


PARTS = {'throughput': throughput, 'own-cpu': own_cpu, 'hand-over': moments.hand_over, 'short': moments.short,
         'killed': moments.killed, 'many': many, 'lookup': lookup}


def run_parts(build, places, names, plan):
    return verdict.run_parts([(name, PARTS[name]) for name in names], build, places, plan)


def run(build):
    plan = Plan()
    with Places(build / 'bench/proxy/proxy_load') as places:
        rows, details = run_parts(build, places, PARTS, plan)
    notes = NOTES.format(ROUNDS=plan.rounds, SECONDS=plan.seconds, CPU_SECONDS=CPU_SECONDS, SETTLED=SETTLED,
                         PAIRS=moments.PAIRS, SHORT_PAIRS=moments.SHORT_PAIRS, NOISE=moments.NOISE, MANY=subjects.MANY)
    return verdict.show(rows) + '\n' + notes + f'- peers: {subjects.versions()}\n\n' + '\n'.join(details)
