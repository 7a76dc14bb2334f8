"""LiteLLM's Router: its auto-router with the static embedding of Signalbox, its complexity router, and its simple shuffle.

Each decision is `Router.select`, which is what a completion asks before it calls anybody."""
import asyncio
import importlib.metadata
import json
import logging
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices while it is imported
os.environ["LITELLM_LOG"] = "ERROR"  # else it writes two lines for a decision

import litellm
from litellm.types.utils import Embedding
from semantic_router import Route
from semantic_router.routers import SemanticRouter

import embed
import job

logging.disable(logging.WARNING)
TABLE = embed.Static()
LOOP = asyncio.new_event_loop()


class Provider(litellm.CustomLLM):
    """The embedding as a model that LiteLLM may call, in this process."""

    def embedding(self, model, input, model_response, *_, **__):
        model_response.model = model
        model_response.data = [Embedding(embedding=v, index=i, object="embedding") for i, v in enumerate(TABLE(input))]
        return model_response

    async def aembedding(self, *args, **kwargs):
        return self.embedding(*args, **kwargs)


def deployment(name):
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none"}}


def chooser(models, name):
    """What a request for the model `name` goes to."""
    litellm.custom_provider_map = [{"provider": "static", "custom_handler": Provider()}]
    router = litellm.Router(model_list=models)

    def decide(text):
        messages = [{"role": "user", "content": text}]
        return LOOP.run_until_complete(router.select(name, {}, messages=messages))["model_name"]
    return decide


def auto(routes, threshold):
    names = {f"m{i}": r["name"] for i, r in enumerate(routes)}
    config = {"routes": [{"name": f"m{i}", "description": r["description"], "utterances": r["examples"] or [r["description"]],
                          "score_threshold": threshold} for i, r in enumerate(routes)]}
    models = [deployment(name) for name in [*names, "none"]] + [
        {"model_name": "static", "litellm_params": {"model": "static/minilm", "api_key": "none"}},
        {"model_name": "auto", "litellm_params": {
            "model": "auto_router/auto", "auto_router_config": json.dumps(config), "auto_router_default_model": "none",
            "auto_router_embedding_model": "static"}}]
    choose = chooser(models, "auto")
    return lambda text: names.get(choose(text), "other")


def unbounded(routes):
    """The semantic router that the auto-router builds, without its thresholds."""
    from semantic_router.encoders import DenseEncoder

    class Encoder(DenseEncoder):
        name: str = "static"
        score_threshold: float = 0.0

        def __call__(self, docs):
            return TABLE(docs)
    router = SemanticRouter(encoder=Encoder(), auto_sync="local", routes=[
        Route(name=r["name"], utterances=r["examples"] or [r["description"]], score_threshold=0.0) for r in routes])

    def decide(text):
        choice = router(text)
        return choice.name or "other", choice.similarity_score or 0.0
    return decide


VERSION = importlib.metadata.version("litellm")


def auto_router(given):
    threshold = job.threshold_of(unbounded, given)
    return auto(given["routes"], threshold), {"version": VERSION, "setting": f"auto_router, threshold {threshold:.2f}"}


def complexity(_):
    tiers = {"SIMPLE": "small", "MEDIUM": "middle", "COMPLEX": "large", "REASONING": "large"}
    models = [deployment(name) for name in ("small", "middle", "large")] + [{"model_name": "smart", "litellm_params": {
        "model": "auto_router/complexity_router", "complexity_router_config": {"tiers": tiers}, "complexity_router_default_model": "small"}}]
    return chooser(models, "smart"), {"version": VERSION, "setting": "complexity_router, by words", "routes": False}


def shuffle(_):
    models = [{"model_name": "any", "litellm_params": {"model": f"openai/m{i}", "api_key": "none"}} for i in range(3)]
    return chooser(models, "any"), {"version": VERSION, "setting": "simple-shuffle over 3 deployments", "routes": False}


if __name__ == "__main__":
    job.main({"LiteLLM auto-router": auto_router, "LiteLLM complexity router": complexity, "LiteLLM simple shuffle": shuffle})
