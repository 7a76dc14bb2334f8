//! Writes tiny random Qwen2 models that the real loader accepts: bytes as tokens, and the lines of the router's prompt that
//! are always the same, which makes prompts short; a few hundred kilobytes of weights.

use std::fs;
use std::path::Path;

use serde_json::json;

const END_OF_TEXT: usize = 256;
const START: usize = 257;
const END: usize = 258;

/// Lines that are tokens.
const LINES: [&str; 8] = [
    "You are a helpful assistant designed to find the best suited route.",
    "You are provided with route description within <routes></routes> XML tags:",
    "Your task is to decide which route is best suit with user intent on the conversation in \
     <conversation></conversation> XML tags.  Follow the instruction:",
    "1. If the latest intent from user is irrelevant or user intent is full filled, response with other route",
    "2. You must analyze the route descriptions and find the best match route for user latest intent.",
    "3. You only response the name of the route that best matches the user's request, use the exact name in the",
    "Based on your analysis, provide your response in the following JSON formats if you decide to match any route:",
    "You are tiny.",
];
const VOCABULARY: usize = END + 1 + LINES.len();

/// Tokens a model reads.
pub(super) const MAX_TOKENS: usize = 4_096;

const TEMPLATE: &str = "\
    {%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are tiny.<|im_end|>\\n' }}{%- endif %}\
    {%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{%- endfor %}\
    {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

/// A model to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiny {
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) seed: u64,
    /// Whether a weight is not a number.
    pub(super) nan: bool,
    /// Whether it ends whatever it says before it began.
    pub(super) mute: bool,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            hidden: 64,
            layers: 2,
            seed: 1,
            nan: false,
            mute: false,
        }
    }
}

/// A tensor: name, shape, and the middle and width of its random values.
type Tensor = (String, Vec<usize>, f32, f32);

impl Tiny {
    /// Heads of the attention; half as many for keys and values.
    const HEADS: usize = 4;

    pub(super) fn write(self, directory: &Path) {
        let write = |name: &str, value: &serde_json::Value| {
            fs::write(directory.join(name), value.to_string()).unwrap();
        };
        write(
            "config.json",
            &json!({
                "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": VOCABULARY,
                "hidden_size": self.hidden, "intermediate_size": self.hidden * 2, "num_hidden_layers": self.layers,
                "num_attention_heads": Self::HEADS, "num_key_value_heads": Self::HEADS / 2,
                "max_position_embeddings": MAX_TOKENS, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "hidden_act": "silu",
                "tie_word_embeddings": true,
            }),
        );
        write(
            "generation_config.json",
            &json!({"eos_token_id": [END, END_OF_TEXT]}),
        );
        write(
            "tokenizer_config.json",
            &json!({
                "bos_token": null, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": TEMPLATE,
            }),
        );
        write("tokenizer.json", &tokenizer());
        fs::write(directory.join("model.safetensors"), self.weights()).unwrap();
    }

    fn tensors(self) -> Vec<Tensor> {
        let (hidden, inner) = (self.hidden, self.hidden * 2);
        let keys = hidden / 2;
        let norm = if self.nan { f32::NAN } else { 1.0 };
        let mut all = vec![
            (
                "model.embed_tokens.weight".to_owned(),
                vec![VOCABULARY, hidden],
                0.0,
                0.3,
            ),
            ("model.norm.weight".to_owned(), vec![hidden], norm, 0.0),
        ];
        for layer in 0..self.layers {
            let tensors = [
                ("self_attn.q_proj.weight", vec![hidden, hidden], 0.0, 0.2),
                ("self_attn.q_proj.bias", vec![hidden], 0.0, 0.1),
                ("self_attn.k_proj.weight", vec![keys, hidden], 0.0, 0.2),
                ("self_attn.k_proj.bias", vec![keys], 0.0, 0.1),
                ("self_attn.v_proj.weight", vec![keys, hidden], 0.0, 0.2),
                ("self_attn.v_proj.bias", vec![keys], 0.0, 0.1),
                ("self_attn.o_proj.weight", vec![hidden, hidden], 0.0, 0.2),
                ("mlp.gate_proj.weight", vec![inner, hidden], 0.0, 0.2),
                ("mlp.up_proj.weight", vec![inner, hidden], 0.0, 0.2),
                ("mlp.down_proj.weight", vec![hidden, inner], 0.0, 0.2),
                ("input_layernorm.weight", vec![hidden], 1.0, 0.0),
                ("post_attention_layernorm.weight", vec![hidden], 1.0, 0.0),
            ];
            let named =
                |(name, shape, middle, width)| (format!("model.layers.{layer}.{name}"), shape, middle, width);
            all.extend(tensors.map(named));
        }
        all
    }

    /// Every tensor with its values.
    fn values(self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        // Seeds that are alike are to have nothing in common.
        let mut state = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state |= 1;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        };
        let filled = |(name, shape, middle, width): Tensor| -> (String, Vec<usize>, Vec<f32>) {
            let count = shape.iter().product::<usize>();
            let mut values: Vec<f32> = (0..count).map(|_| middle + width * random()).collect();
            if self.mute && name == "model.embed_tokens.weight" {
                // All tokens have this in common, and the end has most of it: it is the most probable after any.
                for token in 0..VOCABULARY {
                    values[token * self.hidden] = if token == END { 12.0 } else { 3.0 };
                }
            }
            (name, shape, values)
        };
        self.tensors().into_iter().map(filled).collect()
    }

    /// A file of safetensors.
    fn weights(self) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for (name, shape, values) in self.values() {
            let start = data.len();
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            header.insert(
                name,
                json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}),
            );
        }
        let mut header = serde_json::Value::Object(header).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
    }

    /// The same model as a GGUF file, unquantised.
    pub(super) fn write_gguf(self, file: &Path) {
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        };
        let tensors = self.values();
        let numbers = [
            ("context_length", MAX_TOKENS),
            ("embedding_length", self.hidden),
            ("feed_forward_length", self.hidden * 2),
            ("block_count", self.layers),
            ("attention.head_count", Self::HEADS),
            ("attention.head_count_kv", Self::HEADS / 2),
        ];
        let fractions = [
            ("attention.layer_norm_rms_epsilon", 1e-6_f32),
            ("rope.freq_base", 1e6),
        ];
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend((tensors.len() as u64).to_le_bytes());
        out.extend(((1 + numbers.len() + fractions.len()) as u64).to_le_bytes());
        text(&mut out, "general.architecture");
        out.extend(8_u32.to_le_bytes());
        text(&mut out, "qwen2");
        for (name, value) in numbers {
            text(&mut out, &format!("qwen2.{name}"));
            out.extend(4_u32.to_le_bytes());
            out.extend((value as u32).to_le_bytes());
        }
        for (name, value) in fractions {
            text(&mut out, &format!("qwen2.{name}"));
            out.extend(6_u32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        let mut data = Vec::new();
        for (name, shape, values) in &tensors {
            data.resize(data.len().next_multiple_of(32), 0);
            text(&mut out, &gguf_name(name));
            out.extend((shape.len() as u32).to_le_bytes());
            for size in shape.iter().rev() {
                out.extend((*size as u64).to_le_bytes());
            }
            out.extend(0_u32.to_le_bytes());
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(data);
        fs::write(file, out).unwrap();
    }
}

/// llama.cpp's name of a tensor.
fn gguf_name(name: &str) -> String {
    let pairs = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers", "blk"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
    ];
    pairs
        .iter()
        .fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// The tokens of a prompt, by other means than the tokenizer: a message in the template, up to the answer.
pub(super) fn tokens(message: &str) -> Vec<u32> {
    let bytes = |text: &str| {
        let (mut tokens, mut rest) = (Vec::new(), text.as_bytes());
        while let Some(&byte) = rest.first() {
            let line = LINES.iter().position(|line| rest.starts_with(line.as_bytes()));
            tokens.push(line.map_or(u32::from(byte), |line| (END + 1 + line) as u32));
            rest = &rest[line.map_or(1, |line| LINES[line].len())..];
        }
        tokens
    };
    let (start, end) = (vec![START as u32], vec![END as u32]);
    [
        start.clone(),
        bytes("system\nYou are tiny."),
        end.clone(),
        bytes("\n"),
        start.clone(),
        bytes("user\n"),
        bytes(message),
        end,
        bytes("\n"),
        start,
        bytes("assistant\n"),
    ]
    .concat()
}

/// GPT-2's printable characters for bytes.
fn characters() -> Vec<char> {
    let mut next = 256;
    let character = |byte: u32| {
        let is_printable = matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let code = if is_printable {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap()
    };
    (0..256).map(character).collect()
}

fn tokenizer() -> serde_json::Value {
    let vocabulary: serde_json::Map<_, _> = characters()
        .into_iter()
        .enumerate()
        .map(|(byte, character)| (character.to_string(), json!(byte)))
        .collect();
    let added = |(id, content): (usize, &str)| {
        json!({
            "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": id <= END,
        })
    };
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let all = (END_OF_TEXT..).zip(specials.into_iter().chain(LINES));
    let added: Vec<_> = all.map(added).collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": [],
        },
    })
}
