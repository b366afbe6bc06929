# SPDX-License-Identifier: Apache-2.0
"""A capture program under generated packets: what it took, how fast, and what it lost."""
import contextlib
import dataclasses
import json
import statistics
import time

from capture.network import Namespaces, Program

GENERATOR_CPU = 0
CONSUMER_CPU = 1


@dataclasses.dataclass(frozen=True)
class Run:
    counts: object
    sent: int
    offered: float   # frames sent a second
    rate: float      # packets delivered a second
    memory: int      # bytes, peak resident set of the program

    @property
    def lost_share(self):
        return self.counts.lost / self.counts.arrived if self.counts.arrived else 0.0


class Loader:
    """Runs subjects, each in fresh namespaces, so that none inherits anything."""

    def __init__(self, build, size=64, flows=1, seconds=1.0):
        self.build = build
        self.size = size
        self.flows = flows
        self.seconds = seconds

    def run(self, subject, rate=0.0):
        counts, program, sent, memory = self._load(subject, rate)
        # With loss the program was busy until its end, the ring's last packets included; without, it kept pace.
        seconds = (program.ended if counts.lost else sent['end']) - sent['start']
        offered = sent['sent'] / (sent['end'] - sent['start'])
        return Run(counts, sent['sent'], offered, counts.delivered / seconds, memory)

    def counts(self, subject, rate, settle):
        """What subject.counts makes of the program's output, interrupted `settle` seconds after the last packet."""
        return self._load(subject, rate, settle)[0]

    def _load(self, subject, rate, settle=0.0):
        with contextlib.ExitStack() as stack:
            net = stack.enter_context(Namespaces(offload=False))
            if subject.drops:
                net.drop_behind_taps(self.build / 'bench/capture/sonde_bench_drop.bpf.o')
            program = stack.enter_context(Program(net.b, subject.argv(), CONSUMER_CPU, subject.ready,
                                                  subject.keep_output))
            sent = self._generate(stack, net, rate)
            memory = program.peak_memory()
            time.sleep(settle)
            return subject.counts(*program.interrupt()), program, sent, memory

    def _generate(self, stack, net, rate):
        generator = stack.enter_context(Program(net.a, self.generator(net, rate), GENERATOR_CPU, keep_output=True))
        return json.loads(generator.finish()[0])

    def generator(self, net, rate):
        return [self.build / 'bench/capture/live_frames', '--interface', 'a0', '--destination', net.mac, '--size',
                self.size, '--flows', self.flows, '--seconds', self.seconds, '--rate', round(rate)]


class LosslessSearch:
    """The highest rate without a lost packet: first as fast as the generator goes, then down a ladder of rates. The
    next repetition starts one step above where the last one ended."""

    LADDER = (1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)

    def __init__(self, loader, subject):
        self.loader = loader
        self.subject = subject
        self.step = 0
        self.full = []      # runs as fast as the generator goes
        self.lossless = []  # the fastest run without loss of each repetition

    def repeat(self):
        run = self.loader.run(self.subject)
        self.full.append(run)
        reference = run.rate
        for step in range(max(0, self.step - 1), len(self.LADDER)):
            if run.counts.lost == 0:
                break
            self.step = step
            run = self.loader.run(self.subject, reference * self.LADDER[step])
        if run.counts.lost == 0:
            self.lossless.append(run)

    @property
    def rate(self):
        """Packets a second, none lost; 0: there was always loss."""
        return statistics.median(run.rate for run in self.lossless) if self.lossless else 0.0

    def describe(self):
        full = statistics.median(run.rate for run in self.full)
        lost = statistics.median(run.lost_share for run in self.full)
        offered = statistics.median(run.offered for run in self.full)
        return f'{offered / 1e6:.2f} M sent/s: {full / 1e6:.2f} M delivered/s, {lost:.1%} lost'


def alternate(searches, repetitions):
    """A B A B: what disturbs the machine for a while disturbs all of them."""
    for _ in range(repetitions):
        for search in searches:
            search.repeat()


def overload(loader, subjects, repetitions):
    """Runs of each subject, by name, as fast as the generator goes."""
    runs = {subject.name: [] for subject in subjects}
    for _ in range(repetitions):
        for subject in subjects:
            runs[subject.name].append(loader.run(subject))
    return runs
