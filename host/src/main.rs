//! The binary `oculus-host`. The binary only calls the command-line interface.

use std::process::ExitCode;

fn main() -> ExitCode {
    oculus_host::cli::main()
}
