"""Whether answers are right, not only OK.

What is right is asked for before any load: each request alone, cache bypassed, and what is written down in
`loadtest/requests` also by `signalbox route`, which decides without a server. During a load a `Prober` asks the same again
beside ghz, which throws answers away, and compares whole answers."""
import json
import subprocess
import tempfile
import threading
import time

from . import wire

CLI = {"ROLE_SYSTEM": "system", "ROLE_USER": "user", "ROLE_ASSISTANT": "assistant", "ROLE_TOOL": "tool"}
RETRIES = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{"name": [{"service": "signalbox.v1.RouterService"}], "retryPolicy": {
        "maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]}}],
}


class Client:
    """A real gRPC client with its own wire format: no generated code. One address, or several that take turns."""

    def __init__(self, *addresses):
        import grpc
        self.grpc = grpc
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost")]
        if len(addresses) > 1:
            options.append(("grpc.service_config", json.dumps(RETRIES)))
        self.channel = grpc.insecure_channel("ipv4:" + ",".join(addresses), options=options)
        self.call = self.channel.unary_unary(wire.PATH, request_serializer=wire.encode, response_deserializer=wire.decode)

    def route(self, request, timeout=10):
        return self.call(request, timeout=timeout)

    def future(self, request, timeout=10):
        return self.call.future(request, timeout=timeout)

    def close(self):
        self.channel.close()


def expected(client, requests):
    """The answer to each request, asked alone and past the cache."""
    return [client.route({**request, "cache": "CACHE_MODE_BYPASS"}) for request in requests]


def by_command_line(binary, policy, named, answers):
    """Compares answers with those of `signalbox route`; returns what differs. Labels, which it cannot be told, are left out."""
    wrong = []
    for (name, request), answer in zip(named, answers):
        if "caller" in request or any(message.get("hasToolCalls") for message in request["messages"]):
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump([{"role": CLI[m["role"]], "content": m["content"]} for m in request["messages"]], file)
            file.flush()
            model = ["--model", request["model"]] if "model" in request else []
            said = subprocess.run([binary, "route", "--policy", policy, "--messages", file.name, "--json", *model],
                                  capture_output=True, text=True)
        if said.returncode != 0:
            wrong.append(f"{name}: signalbox route: {said.stderr.strip()}")
            continue
        alone = json.loads(said.stdout)
        alone = {"model": alone["model_id"], "fallbacks": alone["fallback_model_ids"], "route": alone["route"] or "",
                 "source": alone["source"]}
        if not wire.same(answer, alone):
            wrong.append(f"{name}: the server says {answer}, signalbox route {alone}")
    return wrong


class Prober:
    """Asks again and again while a block runs: `with Prober(address, pairs) as p:`, then `p.checked`, `p.wrong` and `p.failures`.

    `pairs` are requests with their expected answers. With `hit`, each must moreover come from the cache."""

    def __init__(self, addresses, pairs, rate=40, hit=False):
        self.addresses = [addresses] if isinstance(addresses, str) else addresses
        self.pairs, self.pause, self.hit = pairs, 1 / rate, hit
        self.checked, self.wrong, self.failures, self.latencies = 0, [], [], []
        self.done = threading.Event()

    def __enter__(self):
        self.client = Client(*self.addresses)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.client.close()

    def run(self):
        at = 0
        while not self.done.wait(self.pause):
            request, answer = self.pairs[at % len(self.pairs)]
            at += 1
            self.checked += 1
            begin = time.monotonic()
            try:
                got = self.client.route(request)
            except self.client.grpc.RpcError as error:
                self.failures.append(f"{request['requestId']}: {error.code().name}: {error.details()}")
                continue
            self.latencies.append(time.monotonic() - begin)
            if not wire.same(got, answer):
                self.wrong.append(f"{request['requestId']}: got {got}, expected {answer}")
            elif self.hit and got["cache"] != "exact_hit":
                self.wrong.append(f"{request['requestId']}: got {got['cache'] or 'no cache status'}, expected a hit")

    def result(self):
        return {"checked": self.checked, "wrong": self.wrong[:10], "wrong_count": len(self.wrong),
                "failed": self.failures[:3], "failed_count": len(self.failures)}
