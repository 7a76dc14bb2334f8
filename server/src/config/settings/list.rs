//! Every setting.

use super::{Kind, Setting};

/// A day: longer waits are mistakes.
const DAY_MS: u64 = 86_400_000;

/// More than any machine has: larger counts are mistakes.
const MANY: u64 = 1 << 40;

/// All settings, in the order of the manual.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        kind: Kind::Address,
        default: "127.0.0.1:50051",
        doc: "Address and port for gRPC; port 0 takes a free one.",
    },
    Setting {
        key: "metrics",
        kind: Kind::AddressOrOff,
        default: "127.0.0.1:9090",
        doc: "Address and port for Prometheus, or `off`.",
    },
    Setting {
        key: "http.listen",
        kind: Kind::AddressOrOff,
        default: "off",
        doc: "Address and port for `POST /v1/route` and `/v1/explain` in JSON, or `off`.",
    },
    Setting {
        key: "http.console",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether that listener has the console for policy authors too, at `/console`.",
    },
    Setting {
        key: "policy",
        kind: Kind::Text,
        default: "",
        doc: "The policy: a file, or a directory with `default.yaml` and a `NAME.yaml` for each tenant that has its own; without it, the built-in example.",
    },
    Setting {
        key: "cache.max_entries",
        kind: Kind::Integer { min: 0, max: MANY },
        default: "100000",
        doc: "Most decisions in the cache, and most answers of a language model beside them; 0 turns both off.",
    },
    Setting {
        key: "cache.max_bytes",
        kind: Kind::Integer { min: 0, max: MANY },
        default: "67108864",
        doc: "Most bytes of memory for the decisions in the cache, and as many again for the answers. By default an eighth of the memory limit (cgroup) where that is less.",
    },
    Setting {
        key: "sessions.max_entries",
        kind: Kind::Integer { min: 0, max: MANY },
        default: "100000",
        doc: "Most conversations held at once, where a policy holds them; 0 holds none.",
    },
    Setting {
        key: "sessions.max_bytes",
        kind: Kind::Integer { min: 0, max: MANY },
        default: "67108864",
        doc: "Most bytes of memory for them; by default an eighth of the limit too.",
    },
    Setting {
        key: "ring.size",
        kind: Kind::Integer {
            min: 0,
            max: 1_000_000,
        },
        default: "1000",
        doc: "Recent decisions kept, without text, to be explained by id and to measure what a new policy changes.",
    },
    Setting {
        key: "reload.poll_ms",
        kind: Kind::Integer { min: 10, max: DAY_MS },
        default: "5000",
        doc: "Milliseconds between two looks at the policy's content.",
    },
    Setting {
        key: "reload.debounce_ms",
        kind: Kind::Integer { min: 0, max: 60_000 },
        default: "300",
        doc: "Milliseconds that a changed policy must stay as it is before it is loaded.",
    },
    Setting {
        key: "reload.max_bytes",
        kind: Kind::Integer { min: 1, max: 1 << 30 },
        default: "4194304",
        doc: "Largest policy file that is read.",
    },
    Setting {
        key: "reload.allow_push",
        kind: Kind::Bool,
        default: "true",
        doc: "Whether `ReloadPolicy` may bring a policy along.",
    },
    Setting {
        key: "reload.last_good",
        kind: Kind::Text,
        default: "",
        doc: "A directory of this server's own where the last good policies are kept: a start with a bad or missing policy serves by them, and says so. It has to outlive the process. Off without it.",
    },
    Setting {
        key: "limits.message_bytes",
        kind: Kind::Integer {
            min: 1024,
            max: 1 << 30,
        },
        default: "4194304",
        doc: "Largest request.",
    },
    Setting {
        key: "limits.decisions",
        kind: Kind::Integer { min: 1, max: 1 << 20 },
        default: "1024",
        doc: "Most decisions in progress that the cache does not have; of one tenant half as many. More are refused with `RESOURCE_EXHAUSTED` and a time to wait; hits never are.",
    },
    Setting {
        key: "limits.max_concurrent_streams",
        kind: Kind::Integer {
            min: 1,
            max: u32::MAX as u64,
        },
        default: "1000",
        doc: "Most calls at once on one connection.",
    },
    Setting {
        key: "limits.keepalive_ms",
        kind: Kind::Integer {
            min: 1000,
            max: DAY_MS,
        },
        default: "30000",
        doc: "Milliseconds between two pings on a connection.",
    },
    Setting {
        key: "limits.header_bytes",
        kind: Kind::Integer {
            min: 1024,
            max: 1 << 24,
        },
        default: "16384",
        doc: "Most bytes of a call's headers, credentials among them.",
    },
    Setting {
        key: "limits.connections",
        kind: Kind::Integer { min: 1, max: 1 << 20 },
        default: "10000",
        doc: "Most connections at once; further ones are closed. Keep it below the limit of open files.",
    },
    Setting {
        key: "limits.connection_age_ms",
        kind: Kind::Integer { min: 0, max: DAY_MS },
        default: "0",
        doc: "Milliseconds after which a connection is asked to end, give or take a tenth, so that clients spread over new replicas and take up new certificates; 0 lets it stay.",
    },
    Setting {
        key: "tls.cert",
        kind: Kind::Text,
        default: "",
        doc: "The certificate for gRPC, and those that lead to its authority, as PEM; read again when it changes. Without it, connections are not encrypted.",
    },
    Setting {
        key: "tls.key",
        kind: Kind::Text,
        default: "",
        doc: "Its private key, as PEM.",
    },
    Setting {
        key: "tls.client_ca",
        kind: Kind::Text,
        default: "",
        doc: "Certificates of the authorities whose clients are let in (mTLS); without it, every client is.",
    },
    Setting {
        key: "tls.handshake_ms",
        kind: Kind::Integer {
            min: 100,
            max: 600_000,
        },
        default: "10000",
        doc: "Milliseconds for a new connection to finish its handshake, or without TLS to say anything.",
    },
    Setting {
        key: "admin.tokens_file",
        kind: Kind::Text,
        default: "",
        doc: "A file with bearer tokens for administrative calls, one a line, each at least 16 bytes; several for the time of a rotation. Read again when it changes.",
    },
    Setting {
        key: "admin.tokens_env",
        kind: Kind::Text,
        default: "",
        doc: "The environment variable that holds such tokens, separated by spaces.",
    },
    Setting {
        key: "admin.client_names",
        kind: Kind::Text,
        default: "",
        doc: "Names (DNS or URI, separated by commas) in the certificates of clients that may make administrative calls; needs `tls.client_ca`.",
    },
    Setting {
        key: "audit.path",
        kind: Kind::Text,
        default: "",
        doc: "A file that gets a line of JSON for each decision, with its evidence and without text; without it, none is written.",
    },
    Setting {
        key: "audit.sample",
        kind: Kind::Share,
        default: "1",
        doc: "Share of the decisions that are written, by a hash of their ids.",
    },
    Setting {
        key: "audit.max_bytes",
        kind: Kind::Integer { min: 4096, max: MANY },
        default: "104857600",
        doc: "Size from which the file is put aside as `NAME.1`.",
    },
    Setting {
        key: "audit.files",
        kind: Kind::Integer { min: 1, max: 1000 },
        default: "10",
        doc: "Most files kept, the one that is written among them.",
    },
    Setting {
        key: "audit.queue",
        kind: Kind::Integer { min: 1, max: 1 << 20 },
        default: "8192",
        doc: "Most decisions that wait to be written; more are left out and counted.",
    },
    Setting {
        key: "drain_ms",
        kind: Kind::Integer { min: 0, max: DAY_MS },
        default: "0",
        doc: "Milliseconds to serve on, not ready, after the signal to stop.",
    },
    Setting {
        key: "stop_deadline_ms",
        kind: Kind::Integer { min: 0, max: DAY_MS },
        default: "10000",
        doc: "Milliseconds to wait for calls in flight after that.",
    },
    Setting {
        key: "log.level",
        kind: Kind::Word(&["off", "error", "warn", "info", "debug", "trace"]),
        default: "info",
        doc: "How much Signalbox logs to stderr; `RUST_LOG`, where set, decides instead.",
    },
    Setting {
        key: "log.format",
        kind: Kind::Word(&["text", "json"]),
        default: "text",
        doc: "How it logs.",
    },
    Setting {
        key: "llm.path",
        kind: Kind::Text,
        default: "",
        doc: "A language model as second opinion, in this process: a directory, a GGUF file or `hf:org/name@revision`. Not in a build with `--no-default-features`.",
    },
    Setting {
        key: "llm.device",
        kind: Kind::Word(&["cpu", "gpu"]),
        default: "cpu",
        doc: "Where that model runs; `gpu` needs a build with `cuda` or `metal`.",
    },
    Setting {
        key: "llm.quantize",
        kind: Kind::Text,
        default: "",
        doc: "Quantise its weights while they load: `q4k`, `q6k`, `q8_0`, …; not for GGUF files.",
    },
    Setting {
        key: "llm.cache_bytes",
        kind: Kind::Integer { min: 0, max: MANY },
        default: "536870912",
        doc: "Most memory for the attention state of what its prompts share.",
    },
    Setting {
        key: "llm.remote.url",
        kind: Kind::Text,
        default: "",
        doc: "A language model elsewhere instead: the address of an OpenAI-compatible endpoint, such as `http://vllm:8000/v1`. Proxies and redirects are not followed.",
    },
    Setting {
        key: "llm.remote.model",
        kind: Kind::Text,
        default: "",
        doc: "The model's name there.",
    },
    Setting {
        key: "llm.remote.api_key_env",
        kind: Kind::Text,
        default: "",
        doc: "The environment variable that holds the key for it.",
    },
    Setting {
        key: "llm.required",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether to refuse to start while the language model does not answer; otherwise decisions are made without it.",
    },
    Setting {
        key: "llm.queue",
        kind: Kind::Integer { min: 1, max: 65_536 },
        default: "64",
        doc: "Most different questions to it at once; more are refused (`llm_overloaded`).",
    },
    Setting {
        key: "llm.prompt_tokens",
        kind: Kind::Integer {
            min: 256,
            max: 1 << 20,
        },
        default: "2048",
        doc: "Most tokens of its prompt, routes included; older turns are left out first.",
    },
    Setting {
        key: "llm.ascii",
        kind: Kind::Bool,
        default: "true",
        doc: "Whether its prompt has text outside ASCII as `\\uXXXX`, as Arch-Router was trained.",
    },
    Setting {
        key: "shared.url_file",
        kind: Kind::Text,
        default: "",
        doc: "A file with the address of a Redis or Valkey in which replicas share conversations and answers of the language model: `redis://user:password@host:6379/0`, or `rediss://` for TLS. Without it, each has its own.",
    },
    Setting {
        key: "shared.url_env",
        kind: Kind::Text,
        default: "",
        doc: "The environment variable that holds it instead.",
    },
    Setting {
        key: "shared.secret_file",
        kind: Kind::Text,
        default: "",
        doc: "A file with a secret of at least 32 bytes, the same for all replicas: only hashes with it, and what bears its seal, is there.",
    },
    Setting {
        key: "shared.secret_env",
        kind: Kind::Text,
        default: "",
        doc: "The environment variable that holds it instead.",
    },
    Setting {
        key: "shared.timeout_ms",
        kind: Kind::Integer { min: 1, max: 1000 },
        default: "20",
        doc: "Most milliseconds that a decision waits for what others shared.",
    },
    Setting {
        key: "shared.queue",
        kind: Kind::Integer { min: 1, max: 1 << 20 },
        default: "10000",
        doc: "Most values that wait to be shared; more are left out and counted.",
    },
];
