//! GitHub Actions without GitHub: the scripts of `.github/actions/grade`, and whole workflows run by act.

mod install;
