"""Load and something that happens meanwhile: reloads, twice too much of it, a server that is stopped, and time."""
import os
import re
import shutil
import threading
import time

from .. import check, proc, prompts, stats
from ..lab import POLICY, pause
from .steady import WARM, at


class Rewriter:
    """Puts a new policy in place once a second, as an editor does: another file, renamed over the old one."""

    written = int(time.time())  # revisions rise from here, over all turns

    def __init__(self, path, change, every=1.0):
        self.path, self.change, self.every = path, change, every
        self.count, self.done = 0, threading.Event()
        with open(POLICY) as file:
            self.text = file.read()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def run(self):
        while not self.done.wait(self.every):
            self.count += 1
            Rewriter.written += 1
            with open(self.path + ".new", "w") as file:
                file.write(self.change(self.text, Rewriter.written))
            os.replace(self.path + ".new", self.path)


def new_version(text, count):
    """A new revision with the same routes: nothing is trained anew."""
    return re.sub(r"(?m)^version: \d+$", f"version: {count}", text)


def new_example(text, count):
    """A new revision in which a route has another example, so that the classifier is trained anew."""
    return new_version(text, count).replace('"a recipe for lentil soup"', f'"a recipe for lentil soup number {count}"')


def reload(lab):
    """85 % with a reload a second, quiet and disturbed turns in alternation."""
    rate, seconds, rounds = at(lab), lab.size(10, 4), lab.size(3, 1)
    mix = prompts.mix("reload", 20_000)
    data = lab.file("reload", prompts.with_cache(mix, "CACHE_MODE_REFRESH"))
    policy = os.path.join(lab.work, "reloaded.yaml")
    shutil.copy(POLICY, policy)
    records = []
    with lab.start({"reload.debounce_ms": 100, "reload.poll_ms": 1000}, policy=policy) as server:
        pairs = lab.expect(server.address, mix, sample=0)  # what is written down is far from any threshold
        for turn in range(rounds):
            for what, change in (("quiet", None), ("new revision", new_version), ("new examples", new_example)):
                before = server.metrics()
                writer = Rewriter(policy, change) if change else None
                record = lab.measure(f"reload/{what} {turn + 1}", server, data, "sustained", pairs=pairs, during=writer,
                                     total=rate * seconds, rate=rate)
                applied = server.metrics()["signalbox_policy_reloads_total", (("result", "applied"),)]
                applied -= before["signalbox_policy_reloads_total", (("result", "applied"),)]
                records.append(record | {"what": what, "reloads": applied, "written": writer.count if writer else 0})
                pause(1.0)
    return records


def overload(lab):
    """Twice the ceiling of documents, open loop, with a bound on decisions; hits are asked for beside it."""
    bound, seconds = 64, lab.size(15, 3)
    count = lab.size(3_000, 600)
    documents = prompts.with_cache(prompts.distinct(prompts.long, "overload", count), "CACHE_MODE_BYPASS")
    data = lab.file("overload", documents)
    pool = prompts.distinct(prompts.short, "overload/warm", WARM)
    with lab.start({"limits.decisions": bound}) as server:
        client = check.Client(server.address)
        pairs = list(zip(pool, check.expected(client, pool)))
        client.close()
        lab.warm(server.address, pool)
        alone = lab.measure("overload/ceiling", server, data, "ceiling", pairs=pairs, hit=True, total=count * 2, concurrency=32)
        rate = int(alone["rps"] * 2)
        twice = lab.measure("overload/twice the ceiling", server, data, "overload", pairs=pairs, hit=True, total=rate * seconds, rate=rate)
    twice["goodput"] = round(twice["rps"] / alone["rps"], 3)
    return [alone | {"what": "ceiling"}, twice | {"what": "twice"}]


def drain(lab):
    """SIGTERM to one of two servers under load, a real client with retries: ghz knows one address and never asks again."""
    workers, seconds = 8, lab.size(4, 1.5)
    pool = [r for _, r in prompts.base()]
    with lab.start({"drain_ms": 1000}) as first, lab.start({"drain_ms": 1000}) as second:
        client = check.Client(first.address)
        pairs = list(zip(pool, check.expected(client, pool)))
        client.close()
        probers = [check.Prober([first.address, second.address], pairs, rate=200) for _ in range(workers)]
        for prober in probers:
            prober.__enter__()
        time.sleep(seconds)
        begin = time.monotonic()
        proc.stop(first.process, wait=30)
        took = time.monotonic() - begin
        time.sleep(seconds)
        for prober in probers:
            prober.__exit__(None, None, None)
    wrong, failed = ([text for prober in probers for text in getattr(prober, what)] for what in ("wrong", "failures"))
    latencies = [latency for prober in probers for latency in prober.latencies]
    calls = sum(prober.checked for prober in probers)
    return [{"name": "drain/SIGTERM to one of two", "generator": "grpcio", "calls": calls, "errors": len(failed), "failed": failed[:10],
             "answers": {"checked": calls, "wrong": wrong[:10], "wrong_count": len(wrong)},
             "seconds_to_exit": round(took, 2), "exit_code": first.process.returncode, "drain_ms": 1000,
             "client_ms": stats.summary(latencies)}]


CACHE = 100_000  # decisions that the cache holds by default


def soak(lab):
    """Distinct prompts for minutes, half of the ceiling, in turns of a minute as ghz keeps every call in memory."""
    rate = at(lab, 0.5)
    turn = lab.size(60, 5)
    turns = max(2, round(lab.soak_minutes * 60 / turn)) if not lab.quick else 2
    records, points, decisions, settled = [], [], 0, 0
    with lab.start() as server:
        begin = time.time()
        for i in range(turns):
            data = lab.file("soak", prompts.distinct(prompts.short, f"soak/{i}", rate * turn))
            record = lab.measure(f"soak/turn {i + 1} of {turns}", server, data, "sustained", pairs=lab.expect(server.address, [], 0),
                                 total=rate * turn, rate=rate, rss=True)
            decisions += int(record["cache"].get("miss", 0))
            if not settled and decisions >= CACHE:
                settled = time.time() - begin
            points += [[round(when - begin, 1), round(mib, 2)] for when, mib in record.pop("rss")[::10]]
            record.pop("p99_over_time")
            records.append(record | {"decisions": decisions})
    # The cache grows until it is full; what grows after that is a leak.
    late = [p for p in points if settled and p[0] >= max(settled, points[-1][0] / 2)]
    memory = {"name": "soak/memory", "what": "memory", "points": points, "decisions": decisions,
              "highest_mib": max(mib for _, mib in points)}
    if len(late) > 2:
        slope, error = stats.slope(late)
        sizes = [mib for _, mib in late]
        memory |= {"slope_mib_per_hour": round(slope * 3600, 2), "slope_error": round(error * 3600, 2),
                   "seconds": late[-1][0] - late[0][0], "spread_mib": round(max(sizes) - min(sizes), 2)}
    return records + [memory]
