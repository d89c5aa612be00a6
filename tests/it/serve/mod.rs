//! `gradus serve` as an operator runs it: the real program, its configuration, its signals.

mod config;
mod running;
mod world;
