"""What all phases share: the binaries, the processors, the size of a run, and one measured ghz run with everything that is
written down about it."""
import json
import os
import random
import re
import sys
import time

from . import check, ghz, proc, prompts, server, stats

POLICY = os.path.join(server.ROOT, "policy.yaml")


class Lab:
    def __init__(self, signalbox, echo, ghz_path, work, results, quick=False, soak_minutes=10.0, server_cpus=None):
        self.signalbox, self.echo, self.ghz_path = signalbox, echo, ghz_path
        self.work, self.results, self.quick, self.soak_minutes = work, results, quick, soak_minutes
        self.server_cpus, self.load_cpus = proc.split_cpus()
        if server_cpus:
            self.server_cpus = server_cpus
            self.load_cpus = set(os.sched_getaffinity(0)) - server_cpus or server_cpus
        self.cpus = {"server": len(self.server_cpus), "generator": len(self.load_cpus)}
        self.found = {}   # what a phase tells the next ones, the ceiling above all
        self.pairs = []   # requests with the answers that are right

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def size(self, whole, quick):
        return quick if self.quick else whole

    def start(self, settings=None, policy=POLICY, cpus=None, config=None):
        log = os.path.join(self.work, "signalbox.log")
        return server.Signalbox(self.signalbox, policy, cpus or self.server_cpus, settings, config, log)

    def file(self, name, requests):
        path = os.path.join(self.work, name + ".bin")
        prompts.write(path, requests)
        return path

    def expect(self, address, requests, sample=60):
        """The right answers of the written requests and of some that are to be sent."""
        client = check.Client(address)
        asked = [r for _, r in prompts.base()] + random.Random(0).sample(requests, min(sample, len(requests)))
        pairs = list(zip(asked, check.expected(client, asked)))
        client.close()
        return pairs

    def warm(self, address, requests):
        client = check.Client(address)
        for request in requests:
            client.route(request)
        client.close()

    def measure(self, name, target, data, config="ceiling", pairs=None, hit=False, during=None, rss=False, **options):
        """One ghz run: the client's figures, the server's own, who was busy, the hit ratio, and whether answers were right."""
        self.say(f"   {name}")
        scraped = hasattr(target, "metrics")
        before = target.metrics() if scraped else {}
        watch = proc.Watch({"server": target.pid, "prober": os.getpid()})
        pairs = pairs if pairs is not None else self.pairs
        prober = check.Prober(target.address, pairs, hit=hit) if pairs and scraped else None
        with watch:
            for block in (prober, during):
                if block:
                    block.__enter__()
            try:
                record, good, span = ghz.run(
                    self.ghz_path, self.load_cpus, watch=watch, config=config, address=target.address, data=data,
                    out=os.path.join(self.work, "ghz.json"), keep=os.path.join(self.results, "ghz", re.sub(r"\W+", "-", name) + ".json"),
                    **options)
            finally:
                for block in (during, prober):
                    if block:
                        block.__exit__(None, None, None)
        wall = max(span[1] - span[0], 1e-9)
        busy = {n: round(watch.cpu(n, *span) / wall, 3) for n in watch.samples}
        record |= {"name": name, "busy": busy, "saturated": proc.saturated(busy, self.cpus),
                   "cpu_us_per_call": round(busy["server"] * wall / max(record["calls"], 1) * 1e6, 1)}
        if prober:
            record |= {"answers": prober.result()}
        if scraped:
            record |= self.server_side(server.difference(target.metrics(), before))
        record["rss_mib"] = round(watch.rss("server")[-1][1], 1)
        if rss:
            record["rss"] = watch.rss("server")
        if config in ("sustained",):
            record["p99_over_time"] = stats.over_time(good)
        return record

    @staticmethod
    def server_side(metrics):
        """The server's own histograms and counters for the run; the few calls of the prober are among them."""
        def quantiles(name, **labels):
            buckets = server.buckets(metrics, name, **labels)
            values = {mark: stats.quantile(buckets, share) for mark, share in (("p50", 0.5), ("p99", 0.99))}
            return {mark: round(value * 1e3, 4) for mark, value in values.items() if value is not None}
        cache = server.by(metrics, "signalbox_decisions_total", "cache")
        whole = sum(cache.values())
        return {
            "server_ms": {"decision": quantiles("signalbox_decision_duration_seconds"),
                          "call": quantiles("signalbox_rpc_duration_seconds", method="Route")},
            "hit_ratio": round(cache.get("exact_hit", 0) / whole, 4) if whole else None,
            "cache": cache, "sources": server.by(metrics, "signalbox_decisions_total", "source"),
            "degraded": server.by(metrics, "signalbox_degraded_total", "code"),
        }

    def save(self, raw):
        os.makedirs(self.results, exist_ok=True)
        with open(os.path.join(self.results, "raw.json"), "w") as file:
            json.dump(raw, file, indent=1)
            file.write("\n")


def pause(seconds=0.3):
    """Lets what the last run left behind come to rest."""
    time.sleep(seconds)
