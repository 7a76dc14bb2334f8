#!/usr/bin/env python3
"""No call fails while servers come and go: `drain_test.py BIN [--kills N] [--seed N]`, with two real servers.

Callers go on calling through one channel, balanced over both and led by their health, without a retry policy. Meanwhile one server
after the other, chosen by the seed, gets SIGTERM at a moment chosen by the seed, ends, and starts anew on its port.
"""
import argparse
import json
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
from signalbox.v1 import route_pb2, router_service_pb2_grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from servers import Server, until  # noqa: E402

CALLERS = 4
# For the callers to learn that a server is going: two round trips and a busy machine's delays.
SETTINGS = {"DRAIN_MS": 400, "STOP_DEADLINE_MS": 5000}
SERVICE = json.dumps({
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "signalbox.v1.RouterService"},
})


class Callers:
    """Threads that call one after the other, until they are told to stop."""

    def __init__(self, addresses):
        # A list of addresses has no name of its own.
        options = [("grpc.service_config", SERVICE), ("grpc.default_authority", "localhost"), ("grpc.min_reconnect_backoff_ms", 50),
                   ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.insecure_channel(f"ipv4:{','.join(addresses)}", options)
        self.stub = router_service_pb2_grpc.RouterServiceStub(self.channel)
        self.lock, self.ended, self.done = threading.Lock(), Counter(), threading.Event()
        self.threads = [threading.Thread(target=self.call, args=(number,)) for number in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def call(self, number):
        """Half of the prompts are new, half are known."""
        count = 0
        while not self.done.is_set():
            count += 1
            text = f"write a python function, version {count if count % 2 else 0} of {number}"
            request = route_pb2.RouteRequest(messages=[route_pb2.Message(role=route_pb2.ROLE_USER, content=text)])
            try:
                self.stub.Route(request, timeout=10)
                how = "OK"
            except grpc.RpcError as error:
                how = f"{error.code().name}: {error.details()}"
            with self.lock:
                self.ended[how] += 1

    def stop(self):
        """How the calls ended."""
        self.done.set()
        for thread in self.threads:
            thread.join()
        self.channel.close()
        return self.ended


def free_port():
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    """Kills and counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    dice = random.Random(given.seed)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    start = lambda at: Server(given.binaries, listen=addresses[at], **SETTINGS)  # noqa: E731
    servers = [start(0), start(1)]
    callers = Callers(addresses)
    try:
        until("both servers are called", lambda: all(server.routed() for server in servers))
        for kill in range(given.kills):
            at = dice.randrange(2)
            time.sleep(dice.uniform(0, 0.1))
            servers[at].signal(signal.SIGTERM)
            code = servers[at].process.wait(timeout=30)
            if code != 0:
                raise AssertionError(f"kill {kill}: the server ended with {code}")
            servers[at].kill()
            servers[at] = start(at)
            until("the new server is called", servers[at].routed)
    finally:
        ended = callers.stop()
        for server in servers:
            server.kill()
    answered, failed = ended.pop("OK", 0), sum(ended.values())
    print(f"{given.kills} kills (seed {given.seed}): {answered} calls answered, {failed} failed {dict(ended) or ''}")
    sys.exit(failed > 0 or answered < 10 * given.kills)


if __name__ == "__main__":
    main()
