//! The text of a request. Only probes read it; it is never logged, recorded or stored.

use std::fmt;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator; `developer` too.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// What a tool gave back.
    Tool,
}

/// The messages of a request, oldest first.
#[derive(Clone, Default, PartialEq)]
pub struct Conversation {
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// Whether an assistant message calls tools.
    pub has_tool_calls: bool,
    /// Modality and token count of what is attached.
    pub attachments: Vec<(String, u64)>,
}

impl Conversation {
    /// A single user message.
    pub fn from_prompt(prompt: impl Into<String>) -> Self {
        let content = prompt.into();
        Conversation {
            messages: vec![Message {
                role: Role::User,
                content,
                has_tool_calls: false,
                attachments: Vec::new(),
            }],
        }
    }
}

// Prompts are private: a `{:?}` that slips into a log shows sizes only.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.messages).finish()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} message of {} bytes", self.role, self.content.len())
    }
}
