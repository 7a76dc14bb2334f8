"""The bytes of a Route call, by hand: requests in the JSON that ghz takes too become protobuf, answers become a dict.

A generated client would need a compiler for a few dozen lines; the field numbers never change (proto/signalbox/v1)."""

ROLES = {"ROLE_SYSTEM": 1, "ROLE_USER": 2, "ROLE_ASSISTANT": 3, "ROLE_TOOL": 4}
CACHE_MODES = {"CACHE_MODE_BYPASS": 1, "CACHE_MODE_REFRESH": 2}
SOURCES = ["", "direct", "alias", "rule", "session", "profile", "embedding", "llm", "default"]
CACHE_STATUSES = ["", "miss", "exact_hit", "semantic_hit", "bypass"]
PATH = "/signalbox.v1.RouterService/Route"


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, payload):
    """A field of bytes, or of text."""
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number(number, value):
    return varint(number << 3) + varint(value) if value else b""


def encode(request):
    """A RouteRequest; a key that this does not know is an error."""
    request = dict(request)
    out = field(1, request.pop("requestId")) if "requestId" in request else b""
    for message in request.pop("messages", []):
        unknown = set(message) - {"role", "content", "hasToolCalls"}
        if unknown:
            raise ValueError(f"unknown keys of a message: {sorted(unknown)}")
        body = number(1, ROLES[message["role"]]) + field(2, message.get("content", ""))
        out += field(2, body + number(4, int(message.get("hasToolCalls", False))))
    if "model" in request:
        out += field(3, request.pop("model"))
    caller = request.pop("caller", {})
    if caller:
        body = b"".join(field(i, caller.pop(key)) for i, key in ((1, "tenant"), (2, "tier"), (3, "sessionId")) if key in caller)
        body += b"".join(field(4, field(1, k) + field(2, v)) for k, v in caller.pop("labels", {}).items())
        out += field(7, body)
    mode = request.pop("cache", None)
    out += number(12, CACHE_MODES[mode]) if mode else b""
    if request or caller:
        raise ValueError(f"unknown keys of a request: {sorted(request) + sorted(caller)}")
    return out


def framed(message):
    """As gRPC sends it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def delimited(messages):
    """As ghz takes many in one `--binary-file`."""
    return b"".join(varint(len(message)) + message for message in messages)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """Number and value of each field; fixed ones come as bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            if kind == 2:
                size, at = read_varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise ValueError(f"wire type {kind}")
            if at + size > len(data):
                raise ValueError("the message ends too early")
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def decode(data):
    """What of a RouteResponse is compared: who was chosen, by what, and whether the cache answered."""
    answer = {"model": "", "fallbacks": [], "route": "", "source": "", "cache": "", "rule": "", "degraded": 0}
    for key, value in fields(data):
        if key == 2:
            answer["model"] = value.decode()
        elif key == 3:
            answer["fallbacks"].append(value.decode())
        elif key == 4:
            answer["route"] = value.decode()
        elif key == 7:
            answer["source"] = SOURCES[value]
        elif key == 8:
            answer["cache"] = CACHE_STATUSES[value]
        elif key == 17:
            answer["rule"] = value.decode()
        elif key == 19:
            answer["degraded"] += 1
    return answer


def same(answer, expected):
    """Whether two answers say the same; whether the cache gave one of them is beside the point."""
    return all(answer[key] == expected[key] for key in expected if key != "cache")
