"""Processes under test: pinned to processors, their CPU time and memory read from /proc, ended by their own id."""
import os
import re
import signal
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process and its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def split_cpus():
    """One processor for the server, the others for the generator; with only one, both share it."""
    cpus = sorted(os.sched_getaffinity(0))
    return {cpus[0]}, set(cpus[1:]) or {cpus[0]}


def pinned(cpus, command):
    return ["taskset", "-c", ",".join(map(str, sorted(cpus))), *map(str, command)]


def start(command, cpus, **options):
    """taskset replaces itself by the command, so the id is the command's."""
    return subprocess.Popen(pinned(cpus, command), **options)


def stop(process, wait=20):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def others_busy(seconds=1.0):
    """Processors that are busy while this waits: what the machine does besides the test."""
    def busy():
        with open("/proc/stat") as file:
            values = [int(v) for v in file.readline().split()[1:]]
        return sum(values) - values[3] - values[4]
    before = busy()
    time.sleep(seconds)
    return (busy() - before) / TICK / seconds


class Watch:
    """Samples CPU time and memory of some processes while a block runs, to be asked for any span of it afterwards."""

    def __init__(self, pids, every=0.1):
        self.pids, self.every = dict(pids), every
        self.samples = {name: [] for name in pids}
        self.done = threading.Event()

    def __enter__(self):
        self.look()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.look()

    def add(self, name, pid):
        self.samples[name] = []
        self.pids[name] = pid

    def run(self):
        while not self.done.wait(self.every):
            self.look()

    def look(self):
        for name, pid in list(self.pids.items()):
            try:
                self.samples[name].append((time.time(), cpu_seconds(pid), rss_mib(pid)))
            except (FileNotFoundError, ProcessLookupError, AttributeError):
                continue  # it has ended

    def cpu(self, name, begin, end):
        """CPU seconds used between two times, straight lines between the samples."""
        samples = self.samples[name]

        def at(when):
            before = [s for s in samples if s[0] <= when]
            after = [s for s in samples if s[0] > when]
            if not before or not after:
                return (before or after)[-1 if before else 0][1]
            (t0, c0, _), (t1, c1, _) = before[-1], after[0]
            return c0 + (c1 - c0) * (when - t0) / (t1 - t0)
        return at(end) - at(begin) if samples else 0.0

    def rss(self, name):
        return [(when, mib) for when, _, mib in self.samples[name]]


def saturated(cpu, cpus):
    """Who had no processor left: `cpu` is CPU seconds per wall second by name, `cpus` how many each may use."""
    full = [name for name in cpu if cpu[name] >= 0.9 * cpus.get(name, 1)]
    return " and ".join(sorted(full)) or "neither"
