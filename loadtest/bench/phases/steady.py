"""Undisturbed load: the ceiling, 85 % of it, connections apart from calls in flight, and the share of cache hits."""
from .. import check, h2, prompts, stats
from ..lab import pause

WARM = 100  # distinct requests that hits come from


def ceiling(lab):
    """As fast as ghz can: the whole mix decided anew, all of it from the cache, and what h2load gets out of the server.

    The first is the ceiling that later phases take 85 % of: there the server is what is full."""
    count, rounds = lab.size(30_000, 6_000), lab.size(3, 1)
    mix = prompts.mix("ceiling", count)
    # Decided anew and stored, the same work as a miss, so that the file may be sent again.
    fresh = lab.file("mix", prompts.with_cache(mix, "CACHE_MODE_REFRESH"))
    cached = lab.file("cached", mix[:WARM])
    records = []
    with lab.start() as server:
        lab.pairs = lab.expect(server.address, mix)
        lab.warm(server.address, mix[:WARM])
        for turn in range(rounds):
            for name, data in (("mix, no hit", fresh), ("mix, hits", cached)):
                records.append(lab.measure(f"ceiling/{name} {turn + 1}", server, data, total=count) | {"what": name})
        us, rps = h2.drive(server.pid, server.address, h2.body(h2.SHORT), lab.size(200_000, 20_000), lab.load_cpus)
        busy = {"server": round(us * rps / 1e6, 3)}
        records.append({"name": "ceiling/exact hit, h2load", "what": "exact hit, h2load", "rps": round(rps), "busy": busy,
                        "saturated": "server" if busy["server"] > 0.9 * lab.cpus["server"] else "generator",
                        "cpu_us_per_call": round(us, 1), "hit_ratio": 1.0, "connections": 8, "concurrency": 256, "errors": 0})
    found = stats.median([r["rps"] for r in records if r["what"] == "mix, no hit"])
    # A quick run is for machines that are busy with other things too: it asks for half as much.
    lab.found["ceiling"] = found / 2 if lab.quick else found
    return records


def at(lab, share=0.85):
    """Calls a second of a share of the ceiling; without that phase a cautious guess, for trying one phase alone."""
    return max(50, int(lab.found.get("ceiling", 1500) * share))


def sustained(lab):
    """85 % of the ceiling, open loop."""
    rate = at(lab)
    mix = prompts.mix("sustained", 20_000)
    data = lab.file("sustained", prompts.with_cache(mix, "CACHE_MODE_REFRESH"))
    half = lab.file("sustained-half", halved(mix))
    with lab.start() as server:
        lab.pairs = lab.expect(server.address, mix)
        lab.warm(server.address, mix[:WARM])
        total = rate * lab.size(60, 4)
        return [lab.measure("sustained/85 %, no hit", server, data, "sustained", total=total, rate=rate) | {"share": 0.85},
                lab.measure("sustained/85 %, half hits", server, half, "sustained", total=total // 2, rate=rate) | {"share": 0.85},
                lab.measure("sustained/50 %, no hit", server, data, "sustained", total=at(lab, 0.5) * lab.size(20, 3),
                            rate=at(lab, 0.5)) | {"share": 0.5}]


def halved(mix):
    """Every second request decided anew, the others from the cache."""
    return [mix[i % WARM] if i % 2 else {**request, "cache": "CACHE_MODE_REFRESH"} for i, request in enumerate(mix)]


def connections(lab):
    """1, 8, 32, 64 connections with 64 calls in flight, then 1, 8, 32, 64 calls in flight over one connection."""
    count = lab.size(12_000, 2_000)
    mix = prompts.mix("connections", count)
    data = lab.file("connections", halved(mix))
    cells = [(n, 64) for n in (1, 8, 32, 64)] + [(1, n) for n in (1, 8, 32)]
    with lab.start() as server:
        lab.pairs = lab.expect(server.address, mix)
        lab.warm(server.address, mix[:WARM])
        return [lab.measure(f"connections/{n} connections, {c} in flight", server, data, "connections", total=count,
                            connections=n, concurrency=c) for n, c in cells]


def hits(lab):
    """Hits of 0 to 100 %; what is no hit is a prompt that the server has never seen."""
    count, records = lab.size(24_000, 3_000), []
    for share in (0.0, 0.5, 0.9, 0.99, 1.0):
        with lab.start() as server:
            pool, sent = prompts.repeated(prompts.sized, f"hits/{share}", count, share, WARM)
            # The prober asks for what is warm: a first answer of its own to a fresh prompt would make a hit of it.
            client = check.Client(server.address)
            pairs = list(zip(pool, check.expected(client, pool)))
            client.close()
            lab.warm(server.address, pool)
            data = lab.file("hits", sent)
            records.append(lab.measure(f"hits/{share:.0%}", server, data, pairs=pairs, hit=True, total=count) | {"share": share})
        pause()
    return records
