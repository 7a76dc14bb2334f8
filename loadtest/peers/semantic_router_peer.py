"""aurelio-labs' semantic-router, its encoder the static embedding of Signalbox."""
import asyncio
import importlib.metadata

from semantic_router import IndexedRouter, Route
from semantic_router.encoders import DenseEncoder

import embed
import job


class Encoder(DenseEncoder):
    name: str = "static"
    type: str = "static"

    def __call__(self, docs):
        return TABLE(docs)

    async def acall(self, docs):
        return TABLE(docs)


TABLE = embed.Static()
LOOP = asyncio.new_event_loop()


def router(routes, aggregation, threshold=None):
    routes = [Route(name=r["name"], description=r["description"], utterances=r["examples"] or [r["description"]]) for r in routes]
    return IndexedRouter(encoder=Encoder(), confidence_threshold=threshold, aggregation=aggregation, routes=routes)


def by(aggregation):
    """The router that takes the mean (its default), the best or the sum of a route's hits among the 5 nearest examples."""
    def unbounded(routes):
        route = router(routes, aggregation)

        def decide(text):
            choice = LOOP.run_until_complete(route.acall(text))
            return choice.name, choice.confidence
        return decide

    def build(given):
        threshold = job.threshold_of(unbounded, given)
        route = router(given["routes"], aggregation, threshold)
        about = {"version": importlib.metadata.version("semantic-router"),
                 "setting": f"IndexedRouter, {aggregation} of the 5 nearest, threshold {threshold:.2f}"}
        # Its asynchronous call, which costs less than the other one.
        return (lambda text: LOOP.run_until_complete(route.acall(text)).name or "other"), about
    return build


if __name__ == "__main__":
    job.main({f"semantic-router, {how}": by(how) for how in ("mean", "max", "sum")})
