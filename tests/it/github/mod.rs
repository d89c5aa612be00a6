//! The GitHub dialect against the fake GitHub: what it reads, and that one review is what becomes visible.

mod marks;
mod objects;
mod posting;
mod reading;
mod table;
mod talk;
mod token;
mod trouble;
mod webhook;
mod world;
