//! Flags and wiring only; everything else lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    gradus::cli::main()
}
