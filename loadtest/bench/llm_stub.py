"""A language model behind OpenAI's protocol that takes its time and names a route: `llm_stub.py MS` prints its port.

Which route follows from the bytes of the question alone, so answers can be checked. Speaks as much HTTP/1.1 as the server
needs, with asyncio and nothing else."""
import asyncio
import json
import math
import sys
import zlib

ROUTES = ["code_generation", "code_debugging", "summarization", "translation", "data_extraction", "creative_writing", "cooking", "math"]


def completion(route):
    """The answer as vLLM gives it, with the probability of each token."""
    def token(text, p, others=()):
        top = [{"token": t, "logprob": math.log(q), "bytes": list(t.encode())} for t, q in ((text, p), *others)]
        return {**top[0], "top_logprobs": top}
    parts = [token('{"', 1.0), token("route", 1.0), token('": "', 1.0), token(route, 0.9, [("other", 0.1)]), token('"}', 1.0)]
    body = json.dumps({
        "id": "x", "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": json.dumps({"route": route})},
                     "logprobs": {"content": parts}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 8, "total_tokens": 408},
    }).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


ANSWERS = [completion(route) for route in ROUTES]
OTHER = completion("other")


def answer(body):
    # The server's own question, to see whether the model answers, is about routes of its own.
    if b"cooking" not in body:
        return OTHER
    return ANSWERS[zlib.crc32(body) % len(ANSWERS)]


class Connection(asyncio.Protocol):
    seconds = 0.005

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + size:
                return
            body, self.data = self.data[end + 4:end + 4 + size], self.data[end + 4 + size:]
            asyncio.get_running_loop().call_later(self.seconds, self.transport.write, answer(body))


async def main():
    Connection.seconds = float(sys.argv[1]) / 1e3
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
