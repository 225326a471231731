//! A server that answers as a test tells it, byte for byte, and remembers what it was asked.

use parking_lot::Mutex;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    /// Path and query.
    pub target: String,
    /// The header of that name.
    pub authorization: String,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, header lines and a body.
    Whole(u16, &'static str, String),
    /// Half of a body; then the connection breaks.
    Half(String),
    /// Nothing, as long as the client waits.
    Silence,
}

impl Reply {
    /// A body.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Whole(200, "", body.into())
    }

    /// A status and a body.
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Whole(status, "", body.to_owned())
    }
}

/// A running server; ends when dropped.
pub(crate) struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts at a free port. `answer` is told what is asked and how much was asked before.
    pub(crate) fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(AtomicBool::new(false)));
        let (heard, stopped, answer) = (Arc::clone(&asked), Arc::clone(&stop), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &heard, answer.as_ref()));
            }
        });
        Self { address, asked, stop, thread: Some(thread) }
    }

    /// Its base address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked, usize) -> Reply) {
    let Some(asked) = read(&mut stream) else { return };
    let n_before = {
        let mut heard = heard.lock();
        heard.push(asked.clone());
        heard.len() - 1
    };
    let head = |status: u16, more: &str, n_bytes: usize| {
        format!("HTTP/1.1 {status} Said\r\n{more}Content-Length: {n_bytes}\r\nConnection: close\r\n\r\n")
    };
    // A client that has left is no failure of the test.
    let _ = match answer(&asked, n_before) {
        Reply::Whole(status, more, body) => stream.write_all((head(status, more, body.len()) + &body).as_bytes()),
        Reply::Half(body) => stream.write_all((head(200, "", body.len()) + &body[..body.len() / 2]).as_bytes()),
        Reply::Silence => stream.read(&mut [0]).map(|_| ()),
    };
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let authorization = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    Some(Asked { target, authorization: authorization.map(|(_, value)| value.to_owned()).unwrap_or_default() })
}
