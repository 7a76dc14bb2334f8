"""Writes a tiny random model that the real loader accepts: Qwen2 in shape, bytes as tokens, some 300 kB of weights.

What it says is noise, so that a decision by it shows the cost of asking a model in the process and nothing about routing."""
import json
import os
import random
import struct

HIDDEN, LAYERS, HEADS, CONTEXT = 64, 2, 4, 4_096
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{%- endfor %}"
            "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}")


def tensors():
    """Name, shape, and the middle and width of each tensor's values."""
    inner, keys = 2 * HIDDEN, HIDDEN // 2
    yield "model.embed_tokens.weight", [256 + len(SPECIALS), HIDDEN], 0.0, 0.3
    yield "model.norm.weight", [HIDDEN], 1.0, 0.0
    for layer in range(LAYERS):
        for name, shape, middle, width in (
                ("self_attn.q_proj.weight", [HIDDEN, HIDDEN], 0.0, 0.2), ("self_attn.q_proj.bias", [HIDDEN], 0.0, 0.1),
                ("self_attn.k_proj.weight", [keys, HIDDEN], 0.0, 0.2), ("self_attn.k_proj.bias", [keys], 0.0, 0.1),
                ("self_attn.v_proj.weight", [keys, HIDDEN], 0.0, 0.2), ("self_attn.v_proj.bias", [keys], 0.0, 0.1),
                ("self_attn.o_proj.weight", [HIDDEN, HIDDEN], 0.0, 0.2), ("mlp.gate_proj.weight", [inner, HIDDEN], 0.0, 0.2),
                ("mlp.up_proj.weight", [inner, HIDDEN], 0.0, 0.2), ("mlp.down_proj.weight", [HIDDEN, inner], 0.0, 0.2),
                ("input_layernorm.weight", [HIDDEN], 1.0, 0.0), ("post_attention_layernorm.weight", [HIDDEN], 1.0, 0.0)):
            yield f"model.layers.{layer}.{name}", shape, middle, width


def weights():
    """A file of safetensors."""
    rng, header, data = random.Random("tiny"), {}, b""
    for name, shape, middle, width in tensors():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = struct.pack(f"<{count}f", *(middle + width * rng.uniform(-1, 1) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def tokenizer():
    """GPT-2's printable characters for bytes, without merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = iter(range(256, 512))
    vocabulary = {chr(byte if byte in printable else next(other)): byte for byte in range(256)}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
        "added_tokens": [{"id": 256 + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                          "special": True} for i, text in enumerate(SPECIALS)],
        "pre_tokenizer": level, "decoder": level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []},
    }


def write(folder):
    os.makedirs(folder, exist_ok=True)
    files = {
        "config.json": {
            "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 256 + len(SPECIALS), "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS // 2,
            "max_position_embeddings": CONTEXT, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": True},
        "generation_config.json": {"eos_token_id": [258, 256]},
        "tokenizer_config.json": {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": TEMPLATE},
        "tokenizer.json": tokenizer(),
    }
    for name, content in files.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(weights())
    return folder
