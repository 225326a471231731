//! The control channel between a process and its child: frames over a Unix socket.
//!
//! A frame is a little-endian `u32` length and that many bytes; what the bytes mean is the caller's protocol.
//! A child finds its end at file descriptor [`CONTROL_FD`], never at stdout, where libraries print.
//! Invariant: the end of the stream means that the parent is gone or done, and the child exits at once.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Where a child finds its end of the control channel.
pub const CONTROL_FD: RawFd = 3;

/// The longest frame that is read; a longer one is a broken peer, not a message.
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
            // A signal that a plugin handles is no end of the channel.
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

/// The child's end of the control channel that its parent opened at [`CONTROL_FD`].
///
/// # Errors
/// `NotFound` when the process was started by hand, with no socket there.
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

/// Ends this process at once, whatever its threads do, without exit handlers that native code may trip over.
pub fn end_now() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // Not reached: nobody survives that signal.
    std::process::abort()
}

/// This executable as it runs now, also after an update has replaced its file.
///
/// # Errors
/// The system's own, where it cannot tell.
pub fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// Ends this process and all that it has started, where it leads a process group of its own; else itself alone.
pub fn end_group_now() -> ! {
    if rustix::process::getpgrp() == rustix::process::getpid() {
        let _ = rustix::process::kill_current_process_group(rustix::process::Signal::KILL);
    }
    end_now()
}

/// The variables of a child: what programs and native libraries need to run, and this process's log level; nothing
/// secret.
pub fn child_environment() -> impl Iterator<Item = (OsString, OsString)> {
    const NAMES: [&str; 10] = [
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "LC_ALL",
        "TZ",
        "RUST_BACKTRACE",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
    ];
    let level = tracing::level_filters::LevelFilter::current().to_string();
    let is_inherited =
        |name: &OsStr, value: &OsStr| NAMES.iter().any(|known| name == *known) || is_library_root(name, value);
    let inherited = std::env::vars_os().filter(move |(name, value)| is_inherited(name, value));
    inherited.chain([("LOG_LEVEL".into(), level.into())])
}

/// Returns whether a variable names the folder of a native library, such as `LIBXYZ=/opt/libxyz`, whose `lib/` holds it.
pub fn is_library_root(name: &OsStr, value: &OsStr) -> bool {
    let letters = name.to_str().and_then(|name| name.strip_prefix("LIB")).unwrap_or_default();
    let is_name = !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_name && Path::new(value).is_absolute() && Path::new(value).join("lib").is_dir()
}

fn not_a_child() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "this subcommand is started by oculus-host itself, not by hand")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
    fn only_a_folder_with_libraries_is_the_root_of_a_native_library() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        let is_root = |name: &str, value: &Path| is_library_root(name.as_ref(), value.as_os_str());
        assert!(is_root("LIBXYZ", folder.path()) && is_root("LIBX11", folder.path()));
        let others = ["LIB", "LIBRARY_PATH", "LIBxyz", "PATH"];
        assert!(others.iter().all(|name| !is_root(name, folder.path())), "the names of other variables");
        let elsewhere = [folder.path().join("lib"), "lib".into(), "".into()];
        assert!(elsewhere.iter().all(|value| !is_root("LIBXYZ", value)), "a secret, or another folder");
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
