//! The child process that evaluates learner input: limits and protocol (design §9).

/// Where checkpoints are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// In a restricted child process: the only choice for anybody else's work.
    Child,
    /// In this process: for the child itself, for benchmarks and unit tests.
    InProcess,
}
