//! `oculus-host`: wiring only.

use std::process::ExitCode;

fn main() -> ExitCode {
    oculus_host::cli::main()
}
