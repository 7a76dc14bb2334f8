"""What is asked: the request sets of `loadtest/requests`, and as many distinct requests as a phase needs.

Everything random comes from a seed by `random.Random`, so the same seed is the same bytes on every machine.
`python3 -m bench.prompts` (in loadtest/) writes the one set that is generated, long-document.json."""
import json
import os
import random

from . import wire, words

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SETS = ("short-chat", "multi-turn", "explicit-model", "long-document")
# Of a hundred requests of the mix, so many come from each set.
MIX = (("short-chat", 60), ("multi-turn", 20), ("long-document", 10), ("explicit-model", 10))


def load(name):
    with open(os.path.join(ROOT, "requests", name + ".json")) as file:
        return json.load(file)


def base():
    """All requests that are written down, each with a name to speak of it."""
    return [(f"{name}/{i}", request) for name in SETS for i, request in enumerate(load(name))]


def fill(text, rng):
    return text.format(thing=rng.choice(words.THINGS), who=rng.choice(words.PEOPLE), place=rng.choice(words.PLACES),
                       food=rng.choice(words.FOODS), n=rng.randrange(40, 900), m=rng.randrange(2, 40))


def prompt(rng, serial, size=None):
    """A prompt of a task and some details, distinct by its serial number; cut or filled to `size` bytes where given."""
    text = fill(rng.choice(words.TASKS), rng) + f". Case {serial:07d}. "
    while size and len(text) < size or not size and rng.random() < 0.6:
        text += rng.choice(words.DETAILS) + " "
    return text[:size] if size else text.strip()


def document(rng, size):
    text = f"Report {rng.randrange(10**6):06d}. "
    while len(text) < size:
        text += fill(rng.choice(words.REPORT), rng) + (" " if rng.random() < 0.85 else "\n\n")
    return text.strip() + "\n\n" + rng.choice(words.CLOSINGS)


def user(text):
    return {"role": "ROLE_USER", "content": text}


def short(rng, serial):
    return {"requestId": f"s{serial}", "messages": [user(prompt(rng, serial))]}


def sized(rng, serial, size=300):
    return {"requestId": f"b{serial}", "messages": [user(prompt(rng, serial, size))]}


def long(rng, serial):
    return {"requestId": f"l{serial}", "messages": [user(document(rng, 6000))]}


def multi(rng, serial):
    messages = [{"role": "ROLE_SYSTEM", "content": "You are a helpful assistant. Answer briefly."}]
    for turn in range(rng.randrange(1, 4)):
        messages += [user(prompt(rng, serial * 4 + turn)), {"role": "ROLE_ASSISTANT", "content": fill(rng.choice(words.REPORT), rng)}]
    return {"requestId": f"m{serial}", "messages": messages + [user(prompt(rng, serial * 4 + 3))]}


def explicit(rng, serial):
    return {"requestId": f"e{serial}", "model": rng.choice(["large", "coder", "best"]), "messages": [user(prompt(rng, serial))]}


KINDS = {"short-chat": short, "multi-turn": multi, "long-document": long, "explicit-model": explicit}


def mix(seed, count):
    """Distinct requests of all kinds, shuffled."""
    rng = random.Random(f"mix/{seed}")
    kinds = [KINDS[name] for name, share in MIX for _ in range(share)]
    return [rng.choice(kinds)(rng, serial) for serial in range(count)]


def distinct(kind, seed, count):
    rng = random.Random(f"{kind.__name__}/{seed}")
    return [kind(rng, serial) for serial in range(count)]


def repeated(kind, seed, count, hits, warm=100):
    """`count` requests of which the share `hits` comes from `warm` ones that were sent before; the others are distinct.

    Returns both: what to warm the cache with, and what to send."""
    pool = distinct(kind, f"{seed}/warm", warm)
    fresh = iter(distinct(kind, f"{seed}/fresh", count))
    rng = random.Random(f"hits/{seed}")
    whole = round(hits * count)
    order = [True] * whole + [False] * (count - whole)
    rng.shuffle(order)
    return pool, [rng.choice(pool) if hit else next(fresh) for hit in order]


def with_cache(requests, mode):
    return [{**request, "cache": mode} for request in requests]


def write(path, requests):
    """As one file for ghz."""
    with open(path, "wb") as file:
        file.write(wire.delimited([wire.encode(request) for request in requests]))


def long_documents():
    return distinct(long, "written", 3)


def main():
    path = os.path.join(ROOT, "requests", "long-document.json")
    with open(path, "w") as file:
        json.dump(long_documents(), file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
