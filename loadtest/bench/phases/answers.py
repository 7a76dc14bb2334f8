"""Without load: whether the server says of each written request what `signalbox route` says without a server."""
from .. import check, prompts
from ..lab import POLICY


def answers(lab):
    with lab.start() as server:
        client = check.Client(server.address)
        named = prompts.base()
        right = check.expected(client, [request for _, request in named])
        client.close()
    wrong = check.by_command_line(lab.signalbox, POLICY, named, right)
    return [{"name": "answers/alone", "errors": 0, "answers": {"checked": len(named), "wrong": wrong[:10], "wrong_count": len(wrong)},
             "right": [{"request": name, **{k: answer[k] for k in ("model", "route", "source")}}
                       for (name, _), answer in zip(named, right)]}]
