//! `gradus serve` as an operator runs it: the real program, its configuration, its signals.

mod config;
mod docs;
mod doctor;
mod forks;
mod gitea;
mod gradebook;
mod rubric;
mod running;
pub mod world;
