"""A language model that takes 5 ms for each question: decisions a second by the share of hits."""
import os
import re
import subprocess
import sys

from .. import check, proc, prompts, server
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


def llm(lab):
    count, records = lab.size(8_000, 800), []
    policy = os.path.join(lab.work, "llm.yaml")
    with open(POLICY) as source, open(policy, "w") as target:
        target.write(re.sub(r"(?m)^llm: .*$", "llm: {mode: always, timeout_ms: 1000}", source.read()))
    with Stub(lab.load_cpus) as stub:
        settings = {"llm.remote.url": stub.url, "llm.remote.model": "stub", "llm.required": "true"}
        for share in (0.0, 0.5, 0.9, 0.99, 1.0):
            with lab.start(settings, policy=policy) as ours:
                pool, sent = prompts.repeated(prompts.sized, f"llm/{share}", count, share, WARM)
                client = check.Client(ours.address)
                pairs = list(zip(pool, check.expected(client, pool)))
                client.close()
                lab.warm(ours.address, pool)
                data = lab.file("llm", sent)
                before = proc.cpu_seconds(stub.process.pid)
                # Fewer calls in flight than `llm.queue` questions: none is refused.
                record = lab.measure(f"llm/{share:.0%}", ours, data, pairs=pairs, hit=True, total=count, concurrency=48)
                record["busy"]["model"] = round((proc.cpu_seconds(stub.process.pid) - before) / max(record["seconds"], 1e-9), 3)
                records.append(record | {"share": share, "model_ms": MS})
            pause()
    return records
