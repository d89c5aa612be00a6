//! Forges: the port and its dialects.
