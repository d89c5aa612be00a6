//! GitHub Actions without GitHub: the scripts of `.github/actions/grade`, and whole workflows run by act.

mod check;
mod course;
mod grade;
mod install;
mod world;
