//! Where the world of `gradus serve` looks for that of `gradus up`.

#[path = "../../tests/it/up/world.rs"]
pub mod world;
