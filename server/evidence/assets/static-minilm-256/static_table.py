#!/usr/bin/env python3
"""Distils a static embedding table from a sentence encoder.

Every vocabulary token is embedded on its own, then the table is fitted so that the mean of a sentence's rows comes as close as possible to the encoder's own
sentence embedding: ridge regression towards the start (conjugate gradients), in the first DIM principal components of the sentence embeddings.
Result: int8 rows `embeddings` [V, DIM] and one float32 scale a row `weights` [V] (Model2Vec's names), in a safetensors file.

usage: static_table.py ENCODER.onnx tokenizer.json SENTENCES.txt[.gz] OUT_DIR      (needs numpy, scipy, onnxruntime, tokenizers, safetensors)
"""
import gzip, os, shutil, sys
import numpy as np, onnxruntime, scipy.sparse as sparse
from safetensors.numpy import save_file
from tokenizers import Tokenizer

DIM, RIDGE, STEPS, MAX_TOKENS = 256, 0.003, 40, 128

encoder, tokenizer_file, sentences_file, out = sys.argv[1:5]
tokenizer = Tokenizer.from_file(tokenizer_file)
tokenizer.no_padding(); tokenizer.enable_truncation(MAX_TOKENS)
session = onnxruntime.InferenceSession(encoder, providers=["CPUExecutionProvider"])
opened = gzip.open if sentences_file.endswith(".gz") else open
sentences = [line.rstrip("\n") for line in opened(sentences_file, "rt", encoding="utf-8") if line.strip()]


def encode(batch):
    """Mean-pooled, L2-normalised embeddings of lists of token ids, [n, hidden]."""
    width = max(map(len, batch))
    ids = np.zeros((len(batch), width), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    hidden = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0]
    mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def encode_all(lists, size=64):
    order = sorted(range(len(lists)), key=lambda i: len(lists[i]))
    result = None
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        part = encode([lists[i] for i in rows])
        result = np.zeros((len(lists), part.shape[1]), np.float32) if result is None else result
        result[rows] = part
    return result


first, last = tokenizer.encode("").ids                        # [CLS], [SEP]
alone = encode_all([[first, token, last] for token in range(tokenizer.get_vocab_size())], 512)
target = encode_all([tokenizer.encode(s).ids for s in sentences])
centre = target.mean(0)
_, axes = np.linalg.eigh((target - centre).T @ (target - centre))
axes = axes[:, ::-1][:, :DIM]
target, start = (target - centre) @ axes, (alone - centre) @ axes

rows, columns, values = [], [], []
for i, s in enumerate(sentences):
    ids = tokenizer.encode(s, add_special_tokens=False).ids
    rows += [i] * len(ids); columns += ids; values += [1 / max(len(ids), 1)] * len(ids)
mean = sparse.csr_matrix((values, (rows, columns)), shape=(len(sentences), len(start)), dtype=np.float32)
pooled = mean @ start
start *= (pooled * target).sum() / (pooled * pooled).sum()

# (MᵀM + ridge) d = Mᵀ(target − M start), one conjugate-gradient run for all columns
transpose, delta = mean.T.tocsr(), np.zeros_like(start)
residual = transpose @ (target - mean @ start)
direction, norm = residual.copy(), (residual * residual).sum(0)
for _ in range(STEPS):
    image = transpose @ (mean @ direction) + RIDGE * direction
    step = norm / ((direction * image).sum(0) + 1e-12)
    delta += step * direction; residual -= step * image
    new = (residual * residual).sum(0)
    direction, norm = residual + (new / (norm + 1e-12)) * direction, new

table = start + delta
scale = np.maximum(np.abs(table).max(1), 1e-12) / 127
os.makedirs(out, exist_ok=True)
save_file({"embeddings": np.clip(np.round(table / scale[:, None]), -127, 127).astype(np.int8), "weights": scale.astype(np.float32)}, f"{out}/model.safetensors")
tokenizer.no_truncation(); tokenizer.save(f"{out}/tokenizer.json")
pooled = mean @ table
print("mean cosine to the encoder:", ((pooled * target).sum(1) / (np.linalg.norm(pooled, axis=1) * np.linalg.norm(target, axis=1) + 1e-9)).mean())
