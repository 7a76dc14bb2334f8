"""h2load as generator: one request again and again, at a cost of CPU so small that the server is what is measured."""
import subprocess
import sys
import tempfile
import time

from . import proc, wire

SHORT = "write a python function that parses dates"
LONG = ("I have a list of customer records in a CSV file with names, e-mail addresses and signup dates. Some of the dates are "
        "written as 2024-01-31 and some as 31/01/2024. Please write a Python script that reads the file, turns all dates into "
        "one format, removes duplicates by e-mail address, and writes the result.")
LONG = (LONG + " Thank you very much in advance.")[:300]


def body(prompt, cache=None):
    request = {"requestId": "load-test", "messages": [{"role": "ROLE_USER", "content": prompt}]}
    return wire.framed(wire.encode(request | ({"cache": cache} if cache else {})))


def drive(pid, address, data, requests, cpus=None, connections=8, streams=32):
    """CPU microseconds of the process for each request, and requests a second."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data), file.flush()
        command = ["h2load", "-n", str(requests), "-c", str(connections), "-m", str(streams), "-d", file.name, "-H", "content-type: application/grpc",
                   "-H", "te: trailers", f"http://{address}{wire.PATH}"]
        before, start = proc.cpu_seconds(pid), time.monotonic()
        out = subprocess.run(proc.pinned(cpus, command) if cpus else command, capture_output=True, text=True, check=True).stdout
        wall = time.monotonic() - start
    if f"{requests} succeeded" not in out:
        sys.exit(out)
    return (proc.cpu_seconds(pid) - before) / requests * 1e6, requests / wall
