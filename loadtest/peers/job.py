"""What every router gets: the same routes, examples and prompts of a labelled set, and how its answers are counted.

A set is `policies/NAME.json`, `fit/NAME.jsonl` and `dev/NAME.jsonl` in a directory that is given by path; no data is in this
repository."""
import json
import os
import resource
import sys
import time

EXAMPLES = 20  # of each route


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read(folder, name):
    with open(os.path.join(folder, "policies", name + ".json"), encoding="utf-8") as file:
        described = json.load(file)
    fit, dev = (lines(os.path.join(folder, half, name + ".jsonl")) for half in ("fit", "dev"))
    routes = []
    for route in described:
        texts = [line["text"] for line in fit if line["route"] == route["name"]]
        evenly = [texts[i * len(texts) // EXAMPLES] for i in range(min(EXAMPLES, len(texts)))]
        routes.append({**route, "examples": list(dict.fromkeys(evenly))})
    asked = [{"conversation": line["conversation"], "expected": line["expected_route"]} for line in dev]
    return {"set": name, "routes": routes, "other": [line["text"] for line in fit if line["route"] == "other"], "asked": asked}


def last_user_turn(conversation):
    """All that a router which takes one text can be given."""
    return next((turn["content"] for turn in reversed(conversation) if turn["role"] == "user"), "")


def threshold_of(build, job):
    """The similarity from which a peer that knows no examples of `other` should answer with a route, fairly chosen: every
    fifth example and what belongs to no route are held out, the latter counts a fifth of the whole, and the threshold that
    gets most right is taken.

    `build(routes)` gives a function from a text to (route, similarity) without any threshold."""
    held = [(text, route["name"]) for route in job["routes"] for text in route["examples"][::5]]
    kept = [{**route, "examples": [t for i, t in enumerate(route["examples"]) if i % 5]} for route in job["routes"]]
    decide = build(kept)
    inside = [(decide(text), truth) for text, truth in held]
    outside = [decide(text) for text in job["other"]]

    def right(bar):
        routes = sum(score >= bar and route == truth for (route, score), truth in inside) / max(len(inside), 1)
        none = sum(score < bar for _, score in outside) / max(len(outside), 1)
        return 0.8 * routes + 0.2 * none
    bars = sorted({0.0, *(round(score, 2) for score in [score for (_, score), _ in inside] + [score for _, score in outside])})
    return max(bars, key=right)


def measure(decide, job, rounds):
    """Each prompt `rounds` times through `decide`, which gives a route or `other`; one warm-up round before."""
    asked = [(last_user_turn(a["conversation"]), a["expected"]) for a in job["asked"]]
    answers = [decide(text) for text, _ in asked]
    latencies, cpu = [], time.process_time()
    for _ in range(rounds):
        for text, _ in asked:
            begin = time.perf_counter()
            decide(text)
            latencies.append(time.perf_counter() - begin)
    cpu = time.process_time() - cpu
    return {"answers": answers, "latencies": latencies, "cpu_us": cpu / len(latencies) * 1e6,
            "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(peers):
    """`PEER.py JOB.json ROUNDS`: a result of each of the file's routers as JSON on standard output."""
    with open(sys.argv[1]) as file:
        job = json.load(file)
    out, real = {}, sys.stdout
    sys.stdout = sys.stderr  # libraries that talk
    for name, build in peers.items():
        decide, about = build(job)
        out[name] = measure(decide, job, int(sys.argv[2])) | about
    json.dump(out, real)
