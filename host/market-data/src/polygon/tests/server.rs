//! An HTTP server for tests. It sends given replies and records the requests.
//!
//! In: a function from requests to replies. Out: a base URL, and the requests received so far.
//! Invariant: dropping the server stops its thread.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;

/// A request that the server has received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// Path and query.
    pub target: String,
    /// Value of the header `Authorization`.
    pub authorization: String,
}

/// A reply of the server.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, header lines and a body.
    Complete(u16, &'static str, String),
    /// The server sends half of this body and then closes the connection.
    Half(String),
    /// The server sends nothing until the client closes the connection.
    Silence,
}

impl Reply {
    /// Creates a reply with a body.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Complete(200, "", body.into())
    }

    /// Creates a reply with a status and a body.
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Complete(status, "", body.to_owned())
    }
}

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts the server on a free port.
    ///
    /// * `answer`: returns the reply to a request, given the number of earlier requests.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let received = Arc::clone(&requests);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let answer = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let received = Arc::clone(&received);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || reply(stream, &received, answer.as_ref()));
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    /// Returns the base URL of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests received so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // A connection wakes the thread, which waits in `accept`.
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn reply(mut stream: TcpStream, received: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request, usize) -> Reply) {
    let Some(request) = read(&mut stream) else { return };
    let n_before = {
        let mut received = received.lock();
        received.push(request.clone());
        received.len() - 1
    };
    let head = |status: u16, more: &str, n_bytes: usize| {
        format!("HTTP/1.1 {status} Status\r\n{more}Content-Length: {n_bytes}\r\nConnection: close\r\n\r\n")
    };
    // A client that has closed the connection does not fail the test.
    let _ = match answer(&request, n_before) {
        Reply::Complete(status, more, body) => stream.write_all((head(status, more, body.len()) + &body).as_bytes()),
        Reply::Half(body) => stream.write_all((head(200, "", body.len()) + &body[..body.len() / 2]).as_bytes()),
        Reply::Silence => stream.read(&mut [0]).map(|_| ()),
    };
}

fn read(stream: &mut TcpStream) -> Option<Request> {
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
    Some(Request { target, authorization: authorization.map(|(_, value)| value.to_owned()).unwrap_or_default() })
}
