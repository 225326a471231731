//! The control channel between a process and its child: frames over a Unix socket.
//!
//! In: bodies of messages, or a stream. Out: the stream with frames, or the bodies again. A frame
//! is a little-endian `u32` length and that many bytes; what the bytes mean is the caller's
//! protocol. A child finds its end at file descriptor [`CONTROL_FD`], never at stdout, where
//! libraries print.
//! Invariant: the end of the stream means that the parent is gone or done, and the child exits at once.

use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Where a child finds its end of the control channel.
pub const CONTROL_FD: RawFd = 3;

/// The longest frame that is read; a longer one means that the peer is broken.
pub const MAX_FRAME: usize = 1 << 31;

/// Writes one frame.
///
/// # Errors
/// The stream's own, or `InvalidInput` for a body of [`MAX_FRAME`] bytes or more.
pub fn write_frame(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() < MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "message too long for a frame"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.flush()
}

/// Reads one frame; `None` when the peer closed the stream between two frames.
///
/// # Errors
/// The stream's own, `UnexpectedEof` within a frame, `InvalidData` for an impossible length.
pub fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    let n_read = loop {
        match input.read(&mut length[..1]) {
            // A signal that a plugin handles does not end the channel.
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
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Returns the child's end of the control channel that its parent opened at [`CONTROL_FD`].
///
/// # Errors
/// `NotFound` if no socket is open there, as in a process that a user started.
pub fn inherited() -> io::Result<UnixStream> {
    let stream = UnixStream::from(inherited_fd(CONTROL_FD)?);
    stream.peer_addr().map_err(|_| not_a_child())?;
    Ok(stream)
}

/// Takes ownership of a descriptor that the parent passed on, and keeps it from this process's own children.
///
/// # Errors
/// `NotFound` when nothing is open there.
pub fn inherited_fd(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only borrowed for the check; an unopened descriptor answers EBADF and is not used further.
    let probe = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(probe, rustix::io::FdFlags::CLOEXEC).map_err(|_| not_a_child())?;
    // SAFETY: it is open (checked above), the parent opened it for this process alone, and each role takes each
    // descriptor once, at its start.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn not_a_child() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "this subcommand is started by oculus-host itself, not by hand")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_and_in_order() {
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
    fn a_frame_cut_short_is_an_error_not_an_end() {
        let mut stream = Vec::new();
        write_frame(&mut stream, b"whole").unwrap();
        for cut in 1..stream.len() {
            assert!(read_frame(&mut &stream[..cut]).is_err(), "cut at {cut}");
        }
    }
}
