"""A language model that takes 5 ms for each question: decisions a second by the share of hits, and what becomes of more calls than
may wait for it."""
import contextlib
import os
import re
import subprocess
import sys

from .. import check, proc, prompts, server, tiny_model
from ..lab import POLICY, pause
from .steady import WARM

MS = 5


class Stub:
    """The model, on the generator's processors."""

    def __init__(self, cpus):
        self.process = proc.start([sys.executable, os.path.join(server.ROOT, "bench", "llm_stub.py"), MS], cpus,
                                  stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        proc.stop(self.process)

    def measured(self, lab, *args, **options):
        """A run, with what the model took of the generator's processors."""
        before = proc.cpu_seconds(self.process.pid)
        record = lab.measure(*args, **options)
        record["busy"]["model"] = round((proc.cpu_seconds(self.process.pid) - before) / max(record["seconds"], 1e-9), 3)
        return record


def always(lab, timeout_ms):
    """The policy, which has a model asked about every request."""
    path = os.path.join(lab.work, "llm.yaml")
    with open(POLICY) as source, open(path, "w") as target:
        target.write(re.sub(r"(?m)^llm: .*$", f"llm: {{mode: always, timeout_ms: {timeout_ms}}}", source.read()))
    return path


@contextlib.contextmanager
def model(lab):
    """The model, the settings of a server that asks it, and a policy that always does."""
    policy = always(lab, 1_000)
    with Stub(lab.load_cpus) as stub:
        yield stub, {"llm.remote.url": stub.url, "llm.remote.model": "stub", "llm.required": "true"}, policy


def overload(lab):
    """Twice what a bound on decisions allows that wait 5 ms each, open loop: the processor has time to refuse the rest at once."""
    bound, seconds = 16, lab.size(15, 3)
    count = lab.size(20_000, 2_000)
    with model(lab) as (stub, settings, policy):
        asked = prompts.with_cache(prompts.distinct(prompts.short, "overload_llm", count), "CACHE_MODE_BYPASS")
        data = lab.file("overload_llm", asked)
        with lab.start(settings | {"limits.decisions": bound}, policy=policy) as ours:
            client = check.Client(ours.address)
            pool = prompts.distinct(prompts.short, "overload_llm/warm", WARM)
            pairs = list(zip(pool, check.expected(client, pool)))
            client.close()
            lab.warm(ours.address, pool)
            alone = stub.measured(lab, "overload_llm/ceiling", ours, data, pairs=pairs, hit=True, total=count, concurrency=bound)
            rate = int(alone["rps"] * 2)
            twice = stub.measured(lab, "overload_llm/twice the ceiling", ours, data, "overload", pairs=pairs, hit=True,
                                  total=rate * seconds, rate=rate)
        # What the generator and the machine take of that by themselves.
        with server.Echo(lab.echo, lab.server_cpus) as bare:
            control = lab.measure("overload_llm/the bare service at that rate", bare, data, "overload", total=rate * seconds, rate=rate)
    twice["goodput"] = round(twice["rps"] / alone["rps"], 3)
    return [record | {"what": what, "model_ms": MS} for record, what in ((alone, "ceiling"), (twice, "twice"), (control, "bare"))]


def llm(lab):
    count, records = lab.size(8_000, 800), []
    with model(lab) as (stub, settings, policy):
        for share in (0.0, 0.5, 0.9, 0.99, 1.0):
            with lab.start(settings, policy=policy) as ours:
                pool, sent = prompts.repeated(prompts.sized, f"llm/{share}", count, share, WARM)
                client = check.Client(ours.address)
                pairs = list(zip(pool, check.expected(client, pool)))
                client.close()
                lab.warm(ours.address, pool)
                data = lab.file("llm", sent)
                # Fewer calls in flight than `llm.queue` questions: none is refused.
                record = stub.measured(lab, f"llm/{share:.0%}", ours, data, pairs=pairs, hit=True, total=count, concurrency=48)
                records.append(record | {"share": share, "model_ms": MS})
            pause()
    return records


def local(lab):
    """A model in the process, tiny and random, on the server's processor: as many decisions as it makes, and hits meanwhile."""
    count, policy = lab.size(60, 6), always(lab, 20_000)
    settings = {"llm.path": tiny_model.write(os.path.join(lab.work, "tiny")), "llm.required": "true"}
    with lab.start(settings, policy=policy) as ours:
        pool, sent = prompts.repeated(prompts.short, "llm_local", count, 0.0, 4)
        client = check.Client(ours.address)
        pairs = list(zip(pool, check.expected(client, pool)))
        client.close()
        lab.warm(ours.address, pool)
        data = lab.file("llm_local", sent)
        return [lab.measure("llm_local/4 in flight", ours, data, pairs=pairs, hit=True, total=count, concurrency=4, connections=4)]
