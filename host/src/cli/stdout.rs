//! The answer of a command on stdout, which carries nothing else.

use std::io::{self, ErrorKind, Write};

/// Prints a command's answer. A closed pipe is not an error: its reader, such as `head`, needs no more.
///
/// # Errors
/// The error of writing to stdout.
pub(super) fn print_answer(text: &str) -> io::Result<()> {
    let written = writeln!(io::stdout(), "{text}");
    written.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
