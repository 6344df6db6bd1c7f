//! The `muster` binary: server and command line in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster::cli::main()
}
