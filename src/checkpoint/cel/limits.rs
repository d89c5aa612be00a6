//! What a rule may cost. All limits are deterministic: the same rule and data give the same answer on every machine.

/// Longest source of an expression in bytes.
pub const SOURCE_BYTES: usize = 4096;

/// Most tokens of an expression: bounds the parser's recursion on chains such as `1 + 1 + …`.
pub const TOKENS: usize = 1200;

/// Deepest nesting of an expression. `&&` and `||` chains count as one level however long they are.
pub const DEPTH: usize = 80;

/// What is said of an expression that is nested deeper.
pub fn too_deep() -> String {
    format!(
        "the expression is nested more than {DEPTH} deep, where each term of a chain of `+`, `*` or `.` counts: split it"
    )
}

/// Steps (visited nodes, loop turns, 16-byte pieces of built text) of one evaluation. Kubernetes' cost budget of one
/// expression is 10 million units of a similar size.
pub const STEPS_PER_EVALUATION: u64 = 2_000_000;

/// Steps of all evaluations of one checkpoint: about two seconds of an unoptimised build.
pub const STEPS_PER_CHECKPOINT: u64 = 50_000_000;

/// Steps for one object while objects are screened: what takes longer spends its time on the rule, not on memory.
pub const STEPS_PER_SCREENED: u64 = 10_000;

/// Steps of one checkpoint while objects are screened; the rest is judged without.
pub const STEPS_PER_SCREENING: u64 = 5_000_000;

/// Longest list or map that a rule may walk.
pub const ITEMS: usize = 10_000;

/// Longest regular expression in bytes.
pub const PATTERN_BYTES: usize = 1000;

/// Largest compiled regular expression in bytes: `x{1000}{1000}` ends here.
pub const COMPILED_PATTERN_BYTES: usize = 1 << 20;

/// Longest `yaml(text)` in bytes.
pub const YAML_BYTES: usize = 1 << 20;
