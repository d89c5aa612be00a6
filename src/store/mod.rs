//! SQLite: journal and read model.
