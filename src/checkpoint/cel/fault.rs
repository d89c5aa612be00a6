//! Why an evaluation has no result.

/// An evaluation that ended without a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What kind of trouble.
    pub kind: FaultKind,
    /// A phrase without a full stop.
    pub message: String,
    /// Id of the sub-expression that raised it, once known.
    pub node: Option<u32>,
}

/// Kinds of trouble, by whose matter they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The data has no such key or item.
    Missing,
    /// A value is of a type or content that the operation does not take.
    Invalid,
    /// The rule takes more steps than [`super::limits::STEPS_PER_EVALUATION`] or
    /// [`super::limits::STEPS_PER_CHECKPOINT`].
    Steps,
    /// A list or text of the data is longer than a rule may walk.
    TooLong,
    /// The arguments fit no overload; the caller words the message, for it knows the name of the function.
    Overload,
}

impl Fault {
    /// The data has no such key or item.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Missing, message: message.into(), node: None }
    }

    /// A value does not suit.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Invalid, message: message.into(), node: None }
    }

    /// Too many steps.
    pub fn steps(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Steps, message: message.into(), node: None }
    }

    /// Too long to walk.
    pub fn too_long(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::TooLong, message: message.into(), node: None }
    }

    /// The arguments fit no overload.
    pub fn overload() -> Self {
        Self { kind: FaultKind::Overload, message: String::new(), node: None }
    }

    /// Whether evaluation must stop at once: `||` and `exists` absorb other faults.
    pub fn is_fatal(&self) -> bool {
        matches!(self.kind, FaultKind::Steps | FaultKind::TooLong)
    }
}
