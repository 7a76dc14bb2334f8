"""CPU per call beside a bare tonic service that answers a constant, same bytes, alternating rounds."""
from .. import h2, prompts, server, stats


def floor(lab):
    """Exact hits and bypassed single prompts by h2load, which costs little; distinct prompts by ghz, which h2load cannot."""
    rounds, n = lab.size(5, 2), lab.size(40_000, 8_000)
    fresh = lab.file("floor", prompts.with_cache(prompts.distinct(prompts.sized, "floor", 20_000), "CACHE_MODE_BYPASS"))
    cases = [("exact hit, 41 bytes", h2.body(h2.SHORT)), ("bypassed, one prompt of 300 bytes", h2.body(h2.LONG, "CACHE_MODE_BYPASS")),
             ("bypassed, 300-byte prompts all distinct", None)]
    records = []
    with lab.start() as ours, server.Echo(lab.echo, lab.server_cpus) as bare:
        lab.pairs = lab.expect(ours.address, [])
        for name, data in cases:
            cost = {"signalbox": [], "echo": []}
            rate = {"signalbox": [], "echo": []}
            for turn in range(rounds):
                for who, target in (("echo", bare), ("signalbox", ours)):
                    if data is None:
                        run = lab.measure(f"floor/{who}-{turn}", target, fresh, total=n // 2)
                        us, rps = run["cpu_us_per_call"], run["rps"]
                    else:
                        us, rps = h2.drive(target.pid, target.address, data, n, lab.load_cpus)
                    cost[who].append(us), rate[who].append(rps)
            us = {who: stats.median(values) for who, values in cost.items()}
            ratios = [ours / bare for ours, bare in zip(cost["signalbox"], cost["echo"])]
            records.append({
                "name": name, "generator": "ghz" if data is None else "h2load", "rounds": rounds, "cpu_us": us,
                "ratio": round(us["signalbox"] / us["echo"], 3), "lowest": round(min(ratios), 3), "highest": round(max(ratios), 3),
                "rps": {who: round(stats.median(values)) for who, values in rate.items()}})
    return records
