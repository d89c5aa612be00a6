//! `gradus serve` as an operator runs it: the real program, its configuration, its signals.

mod config;
mod doctor;
mod gitea;
mod running;
mod world;
