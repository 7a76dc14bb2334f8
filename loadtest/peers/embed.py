"""The static embedding that is built into Signalbox, for the peers: the mean of a text's rows, L2-normalised."""
import os

import numpy
from safetensors.numpy import load_file
from tokenizers import Tokenizer

ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "server", "evidence", "assets", "static-minilm-256")


class Static:
    def __init__(self):
        weights = load_file(os.path.join(ASSETS, "model.safetensors"))
        self.table = weights["embeddings"].astype(numpy.float32) * weights["weights"][:, None]
        self.tokenizer = Tokenizer.from_file(os.path.join(ASSETS, "tokenizer.json"))

    def __call__(self, texts):
        out = []
        for text in texts:
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            mean = self.table[ids].mean(axis=0) if ids else self.table[0] * 0
            out.append((mean / max(float(numpy.linalg.norm(mean)), 1e-9)).tolist())
        return out
