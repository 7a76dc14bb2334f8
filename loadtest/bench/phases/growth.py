"""What a call costs the server as a policy, a conversation or the number of clients grows: CPU time by h2load, one thing at a time."""
import json
import os
import random

from .. import h2, proc, prompts, words

MODELS = ["a", "b"]


def policy(**parts):
    return {"schema": 1, "default": "a", "models": [{"id": name} for name in MODELS], **parts}


def routes(n):
    """Routes by description, each with words of its own."""
    rng = random.Random("growth/routes")
    def text():
        return f"{rng.choice(words.THINGS)} for {rng.choice(words.PEOPLE)}, {rng.choice(words.FOODS)} and matters of {rng.choice(words.PLACES)}"
    return policy(routes=[{"name": f"route_{i}", "description": f"{text()} {i}", "models": MODELS} for i in range(n)])


def rules(n):
    """Rules of which none applies: each compares a label and the size."""
    return policy(rules=[{"name": f"rule-{i}", "when": f'caller.labels["team"] == "team-{i}" && request.tokens > {i}',
                          "use": {"model": "b"}} for i in range(n)])


def models(n):
    """One route that chooses among all models, by price and latency."""
    listed = [{"id": f"m{i}", "price": {"input": 0.1 + i / n, "output": 1 + i / n},
               "latency": {"first_token_ms": 200 + i % 97, "tokens_per_second": 50 + i % 31}, "quality": {"default": 0.5 + i % 41 / 100}}
              for i in range(n)]
    route = {"name": "all", "description": "anything at all", "models": [m["id"] for m in listed], "select": "best"}
    return {"schema": 1, "default": "m0", "models": listed, "evidence": {"threshold": 0.0}, "rules": [
        {"name": "all", "when": "request.tokens > 0", "use": {"route": "all"}}], "routes": [route]}


def body(prompt, cache=None, tenant=None):
    request = {"requestId": "growth", "messages": [prompts.user(prompt)]}
    request |= {"caller": {"tenant": tenant}} if tenant else {}
    return h2.wire.framed(h2.wire.encode(request | ({"cache": cache} if cache else {})))


def conversation(size):
    return prompts.document(random.Random("growth/conversation"), size)


def point(lab, of, n, path, data, calls, settings=None, **streams):
    """One server, warmed, and what calls cost it; `calls` are fewer where each takes longer."""
    with lab.start(settings, policy=path) as server:
        h2.drive(server.pid, server.address, data, max(256, calls // 10), lab.load_cpus, **streams)
        us, rps = h2.drive(server.pid, server.address, data, calls, lab.load_cpus, **streams)
        lab.say(f"   growth/{of} {n:,}: {us:.1f} µs")
        return {"name": f"growth/{of}, {n:,}", "of": of, "n": n, "cpu_us_per_call": round(us, 1), "rps": round(rps),
                "rss_mib": round(proc.rss_mib(server.pid), 1), "errors": 0}


def written(lab, name, content):
    path = os.path.join(lab.work, name)
    with open(path, "w") as file:
        json.dump(content, file)
    return path


def growth(lab):
    quick, records = lab.quick, []
    steps = lambda *values: values[:2] if quick else values  # noqa: E731
    calls = lambda n: min(n, 2_000) if quick else n  # noqa: E731
    prompt = h2.LONG
    for n in steps(10, 100, 1_000, 10_000):
        path = written(lab, "routes.yaml", routes(n))
        records.append(point(lab, "routes", n, path, body(prompt, "CACHE_MODE_BYPASS"), calls(4_000 if n > 1_000 else 16_000)))
    for n in steps(0, 100, 1_000, 10_000):
        records.append(point(lab, "rules", n, written(lab, "rules.yaml", rules(n)), body(prompt), calls(4_000 if n > 1_000 else 30_000)))
    for n in steps(10, 100, 1_000):
        records.append(point(lab, "models", n, written(lab, "models.yaml", models(n)), body(prompt, "CACHE_MODE_BYPASS"), calls(10_000)))
    policy = written(lab, "ten.yaml", routes(10))
    for size in steps(1_000, 10_000, 100_000, 1_000_000):
        n = calls(max(512, 20_000_000 // size if size > 10_000 else 16_000))
        few = {"connections": 4, "streams": 4} if size > 10_000 else {}
        text = conversation(size)
        for of, cache in (("conversation, decided anew", "CACHE_MODE_BYPASS"), ("conversation, exact hit", None)):
            records.append(point(lab, of, size, policy, body(text, cache), n, **few))
    for n in steps(1, 10, 100, 1_000):
        folder = os.path.join(lab.work, f"tenants-{n}")
        os.makedirs(folder, exist_ok=True)
        for name in ["default", *(f"t{i}" for i in range(n))]:
            written(lab, os.path.join(f"tenants-{n}", f"{name}.yaml"), routes(10))
        records.append(point(lab, "tenants", n, folder, body(prompt, "CACHE_MODE_BYPASS", f"t{n - 1}"), calls(16_000)))
    for n in steps(1, 8, 64, 256):
        records.append(point(lab, "connections", n, policy, body(prompt), calls(60_000), connections=n, streams=max(1, 256 // n)))
    return records
