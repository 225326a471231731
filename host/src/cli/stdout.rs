//! Prints the output of a command on stdout. Logs and progress go to stderr.

use std::io::{self, ErrorKind, Write};

/// Prints the output of a command, followed by a newline.
///
/// # Errors
/// Returns an [`io::Error`] if stdout cannot be written, unless its reader has closed the pipe.
pub(super) fn print_output(text: &str) -> io::Result<()> {
    let written = writeln!(io::stdout(), "{text}");
    // A reader such as `head` closes the pipe when it has read enough. This is not a failure of the
    // command.
    written.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
