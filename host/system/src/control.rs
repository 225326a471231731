//! The control channel between a process and its child: frames over a Unix socket.
//!
//! In: message bodies, or a stream. Out: frames on the stream, or the message bodies. A frame is a
//! little-endian `u32` length, followed by that number of bytes. The caller defines the meaning of
//! the bytes. A child inherits its socket as file descriptor [`CONTROL_FD`]; stdout is not used,
//! because libraries print to it. Invariant: the parent closes the stream, or dies, when it no
//! longer needs the child. The child exits as soon as it reads the end of the stream.

use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// File descriptor of the control channel in a child process.
pub const CONTROL_FD: RawFd = 3;

/// Length in bytes from which on a frame is rejected. The peer never sends such a long frame, so
/// such a length means that the stream is corrupt.
pub const MAX_FRAME: usize = 1 << 31;

/// Writes one frame.
///
/// # Errors
/// Returns an [`io::Error`] if the stream cannot be written, and `InvalidInput` if the body has
/// [`MAX_FRAME`] bytes or more.
pub fn write_frame(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() < MAX_FRAME).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("invalid frame: found {} bytes, expected fewer than {MAX_FRAME}", body.len()),
        )
    })?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.flush()
}

/// Reads one frame. Returns `None` if the peer closed the stream between two frames.
///
/// # Errors
/// Returns an [`io::Error`] if the stream cannot be read, `UnexpectedEof` if it ends within a
/// frame, and `InvalidData` if the length is [`MAX_FRAME`] or more.
pub fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    // The first byte is read separately: the end of the stream before this byte is regular, but the
    // end after it is an error.
    let n_read = loop {
        match input.read(&mut length[..1]) {
            // A plugin may install a signal handler, which interrupts the read. The channel stays
            // open.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if n_read == 0 {
        return Ok(None);
    }
    input.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length) as usize;
    if length >= MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("invalid frame: found {length} bytes, expected fewer than {MAX_FRAME}"),
        ));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Returns the control channel that the parent of this process opened as [`CONTROL_FD`].
///
/// # Errors
/// Returns `NotFound` if that descriptor is not a connected socket, which is the case in a process
/// that a user started.
pub fn inherited() -> io::Result<UnixStream> {
    let stream = UnixStream::from(inherited_fd(CONTROL_FD)?);
    stream.peer_addr().map_err(|_| not_a_child())?;
    Ok(stream)
}

/// Takes ownership of a descriptor that the parent passed to this process. Children of this process
/// do not inherit it.
///
/// # Errors
/// Returns `NotFound` if the descriptor is not open.
pub fn inherited_fd(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the borrow lasts for one system call. If the descriptor is not open, the call fails
    // with EBADF and the descriptor is not used again.
    let probe = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(probe, rustix::io::FdFlags::CLOEXEC).map_err(|_| not_a_child())?;
    // SAFETY: the descriptor is open (checked above). The parent opened it for this process only,
    // and the process takes each descriptor once, at its start, so there is a single owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn not_a_child() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "this subcommand is internal: only oculus-host can start it, as a child process",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_completely_and_in_order() {
        let mut stream = Vec::new();
        for body in [&b"first"[..], b"", &[7; 100_000]] {
            write_frame(&mut stream, body).unwrap();
        }
        let mut input = stream.as_slice();
        assert_eq!(read_frame(&mut input).unwrap().unwrap(), b"first");
        assert_eq!(read_frame(&mut input).unwrap().unwrap(), b"");
        assert_eq!(read_frame(&mut input).unwrap().unwrap(), vec![7; 100_000]);
        assert!(read_frame(&mut input).unwrap().is_none());
    }

    #[test]
    fn a_truncated_frame_is_an_error() {
        let mut stream = Vec::new();
        write_frame(&mut stream, b"whole").unwrap();
        for cut in 1..stream.len() {
            assert!(read_frame(&mut &stream[..cut]).is_err(), "cut at {cut}");
        }
    }
}
