//! A TCP proxy that can close its connections or stop forwarding, like a network that fails.
//!
//! In: TCP connections of clients. Out: connections to a local server. Invariant: while the proxy
//! is closed, no client reaches the server; bytes are never dropped on an open connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

/// The address of the server behind a proxy.
#[derive(Clone, Debug)]
pub enum ProxyTarget {
    /// A local TCP port.
    Port(u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// A running proxy. Its threads exit with the process.
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: ProxyTarget,
    on_response: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    resumed: Condvar,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    is_stalled: bool,
    connections: Vec<Weak<Connection>>,
}

impl TcpProxy {
    /// Starts a proxy at a free port.
    ///
    /// # Panics
    /// Panics if the port or a thread is not available.
    pub fn start(target: ProxyTarget) -> Self {
        Self::start_with(target, || {})
    }

    /// Starts a proxy at a free port.
    ///
    /// * `on_response`: called each time after bytes of the server were forwarded.
    ///
    /// # Panics
    /// Panics if the port or a thread is not available.
    pub fn start_with(target: ProxyTarget, on_response: impl Fn() + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let on_response = Box::new(on_response);
        let shared = Arc::new(Shared { target, on_response, state: Mutex::default(), resumed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // If the server is down, the connection of the client is closed at once.
                let _ = accepting.connect(client);
            }
        });
        Self { port, shared }
    }

    /// Returns the port of the proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes all connections. New ones are accepted.
    pub fn cut(&self) {
        self.shared.state.lock().drop_connections();
    }

    /// Closes all connections and rejects new ones until [`TcpProxy::open`].
    pub fn close(&self) {
        let mut state = self.shared.state.lock();
        state.is_closed = true;
        state.drop_connections();
    }

    /// Accepts connections again.
    pub fn open(&self) {
        self.shared.state.lock().is_closed = false;
    }

    /// Forwards no bytes until [`TcpProxy::resume`]. The connections stay open, and new ones are
    /// accepted: the client receives no error.
    pub fn stall(&self) {
        self.shared.state.lock().is_stalled = true;
    }

    /// Forwards all bytes again, including those that arrived in the meantime.
    pub fn resume(&self) {
        self.shared.state.lock().is_stalled = false;
        self.shared.resumed.notify_all();
    }
}

impl State {
    fn drop_connections(&mut self) {
        for connection in self.connections.drain(..).filter_map(|connection| connection.upgrade()) {
            connection.shut_down();
        }
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut state = self.state.lock();
        if state.is_closed {
            return Ok(());
        }
        let connection = Arc::new(Connection { client: Stream::Tcp(client), server: self.target.connect()? });
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        drop(state);
        for direction in [Direction::ToServer, Direction::ToClient] {
            let shared = Arc::clone(self);
            let connection = Arc::clone(&connection);
            std::thread::spawn(move || shared.pump(&connection, direction));
        }
        Ok(())
    }

    /// Forwards bytes in one direction until one end closes, then closes both ends.
    fn pump(&self, connection: &Connection, direction: Direction) {
        // An error ends the connection, just like the end of the stream.
        let _ = match direction {
            Direction::ToServer => self.copy(&connection.client, &connection.server, direction),
            Direction::ToClient => self.copy(&connection.server, &connection.client, direction),
        };
        connection.shut_down();
    }

    fn copy(&self, mut from: &Stream, mut to: &Stream, direction: Direction) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n_read = from.read(&mut buffer)?;
            // The bytes are held back, as by a sender that repeats lost packets.
            self.wait_until_resumed();
            if n_read == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..n_read])?;
            if direction == Direction::ToClient {
                (self.on_response)();
            }
        }
    }

    fn wait_until_resumed(&self) {
        let mut state = self.state.lock();
        while state.is_stalled {
            self.resumed.wait(&mut state);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// Both ends of a connection. They can be shut down while other threads read from them.
struct Connection {
    client: Stream,
    server: Stream,
}

impl Connection {
    fn shut_down(&self) {
        self.client.shut_down();
        self.server.shut_down();
    }
}

impl ProxyTarget {
    fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Socket(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn shut_down(&self) {
        // The peer may have closed the connection already.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => { stream }.read(buffer),
            Stream::Unix(stream) => { stream }.read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => { stream }.write(bytes),
            Stream::Unix(stream) => { stream }.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use redis::{Connection, RedisResult};

    use super::*;
    use crate::{Redis, SOON, eventually};

    fn ping(connection: &mut Connection) -> RedisResult<String> {
        redis::cmd("PING").query(connection)
    }

    fn assert_cuts_closes_and_stalls(target: ProxyTarget) {
        let n_responses = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&n_responses);
        let proxy = TcpProxy::start_with(target, move || _ = counter.fetch_add(1, Ordering::SeqCst));
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", proxy.port())).unwrap();
        let mut cut = client.get_connection().unwrap();
        ping(&mut cut).unwrap();
        proxy.cut();
        ping(&mut cut).unwrap_err();

        let mut stalled = client.get_connection().unwrap();
        ping(&mut stalled).unwrap();
        assert!(n_responses.load(Ordering::SeqCst) >= 2);
        proxy.stall();
        stalled.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = redis::cmd("SET").arg("key").arg("late").exec(&mut stalled).unwrap_err();
        assert!(error.is_timeout(), "a stalled connection stays open: {error}");
        proxy.resume();
        let mut resumed = client.get_connection().unwrap();
        eventually("write after the stall", SOON, || {
            redis::cmd("GET").arg("key").query::<Option<String>>(&mut resumed).unwrap()
        });

        proxy.close();
        ping(&mut resumed).unwrap_err();
        assert!(client.get_connection().is_err(), "a closed proxy rejects connections");
        proxy.open();
        ping(&mut client.get_connection().unwrap()).unwrap();
    }

    #[test]
    fn connections_to_a_port_and_to_a_socket_are_cut_closed_and_stalled() {
        let redis = Redis::start_on_tcp(&[]);
        assert_cuts_closes_and_stalls(ProxyTarget::Port(redis.port()));
        let () = redis.query(&["DEL", "key"]);
        assert_cuts_closes_and_stalls(ProxyTarget::Socket(redis.socket()));
    }
}
