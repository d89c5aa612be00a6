//! HTTP: git, pages, API.
