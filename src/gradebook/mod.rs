//! Verdicts over time: best, latest, attempts.
