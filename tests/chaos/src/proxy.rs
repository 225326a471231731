//! A proxy between one worker and Redis, which can cut or stall the connections.
//!
//! In: TCP connections of the worker. Out: connections to the socket of Redis. Invariant: while the
//! proxy is closed, no worker reaches Redis; bytes are never dropped on an open connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::fault::FaultKind;

/// A running proxy. Its threads exit with the process.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    redis: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    is_stalled: bool,
    connections: Vec<Weak<Connection>>,
    /// The last fault of this proxy and the time at which it ended, until Redis has responded again.
    healed: Option<(FaultKind, Instant)>,
    /// The times from the end of a fault to the next response of Redis.
    recoveries: Vec<(FaultKind, Duration)>,
}

/// Both ends of a connection. They can be shut down while other threads read from them.
struct Connection {
    worker: TcpStream,
    redis: UnixStream,
}

impl Connection {
    fn shut_down(&self) {
        // The peer may have closed the connection already.
        let _ = self.worker.shutdown(Shutdown::Both);
        let _ = self.redis.shutdown(Shutdown::Both);
    }
}

impl Proxy {
    /// Starts a proxy at a free port.
    ///
    /// # Errors
    /// Returns [`io::Error`] if the port or a thread is not available.
    pub(crate) fn start(redis: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { redis: redis.to_owned(), state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            for worker in listener.incoming().flatten() {
                // If Redis is down, the connection of the worker is closed at once.
                let _ = accepting.connect(worker);
            }
        })?;
        Ok(Self { port, shared })
    }

    /// Returns the address for REDIS_URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Closes all connections. New ones are accepted.
    pub(crate) fn cut(&self, kind: FaultKind) {
        let mut state = self.shared.state.lock();
        state.drop_connections();
        state.healed = Some((kind, Instant::now()));
    }

    /// Closes all connections and rejects new ones until [`Proxy::open`].
    pub(crate) fn close(&self) {
        let mut state = self.shared.state.lock();
        state.is_closed = true;
        state.drop_connections();
    }

    /// Accepts connections again.
    pub(crate) fn open(&self) {
        self.shared.state.lock().is_closed = false;
    }

    /// Forwards no bytes until [`Proxy::resume`]. The connections stay open, and so does the
    /// listener: the worker receives no error.
    pub(crate) fn stall(&self) {
        self.shared.state.lock().is_stalled = true;
    }

    /// Forwards all bytes again, including those that arrived in the meantime.
    pub(crate) fn resume(&self, kind: FaultKind) {
        let mut state = self.shared.state.lock();
        state.is_stalled = false;
        state.healed = Some((kind, Instant::now()));
        self.shared.changed.notify_all();
    }

    /// Returns the times from the end of each fault to the next response of Redis, since the last
    /// call.
    pub(crate) fn take_recoveries(&self) -> Vec<(FaultKind, Duration)> {
        std::mem::take(&mut self.shared.state.lock().recoveries)
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
    fn connect(self: &Arc<Self>, worker: TcpStream) -> io::Result<()> {
        worker.set_nodelay(true)?;
        let mut state = self.state.lock();
        if state.is_closed {
            return Ok(());
        }
        let connection = Arc::new(Connection { worker, redis: UnixStream::connect(&self.redis)? });
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        drop(state);
        for direction in [Direction::ToRedis, Direction::ToWorker] {
            let shared = Arc::clone(self);
            let connection = Arc::clone(&connection);
            let pump = move || shared.pump(&connection, direction);
            std::thread::Builder::new().name("proxy".to_owned()).spawn(pump)?;
        }
        Ok(())
    }

    /// Forwards bytes in one direction until one end closes, then closes both ends.
    fn pump(&self, connection: &Connection, direction: Direction) {
        // An error ends the connection, just like the end of the stream.
        let _ = match direction {
            Direction::ToRedis => self.copy(&connection.worker, &connection.redis, direction),
            Direction::ToWorker => self.copy(&connection.redis, &connection.worker, direction),
        };
        connection.shut_down();
    }

    fn copy(&self, mut from: impl Read, mut to: impl Write, direction: Direction) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n_read = from.read(&mut buffer)?;
            self.wait_until_resumed();
            if n_read == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..n_read])?;
            if direction == Direction::ToWorker {
                self.note_response();
            }
        }
    }

    fn wait_until_resumed(&self) {
        let mut state = self.state.lock();
        while state.is_stalled {
            self.changed.wait(&mut state);
        }
    }

    fn note_response(&self) {
        let mut state = self.state.lock();
        if let Some((kind, healed)) = state.healed.take() {
            state.recoveries.push((kind, healed.elapsed()));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToRedis,
    ToWorker,
}

#[cfg(test)]
mod tests {
    use oculus_tests::{Redis, SOON, eventually};
    use redis::RedisResult;

    use super::*;

    fn ping(connection: &mut redis::Connection) -> RedisResult<String> {
        redis::cmd("PING").query(connection)
    }

    #[test]
    fn a_cut_closes_connections_and_a_stall_delays_them() {
        let redis = Redis::start();
        let proxy = Proxy::start(&redis.socket()).unwrap();
        let connect = || redis::Client::open(proxy.url()).unwrap().get_connection();
        let mut first = connect().unwrap();
        ping(&mut first).unwrap();
        proxy.cut(FaultKind::CutConnections);
        ping(&mut first).unwrap_err();
        let mut second = connect().unwrap();
        ping(&mut second).unwrap();
        assert_eq!(proxy.take_recoveries().len(), 1);

        proxy.stall();
        second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        ping(&mut second).unwrap_err();
        proxy.resume(FaultKind::StallConnections);
        eventually("response after the stall", SOON, || connect().ok().and_then(|mut third| ping(&mut third).ok()));
        proxy.close();
        assert!(connect().is_err(), "a closed proxy rejects connections");
        proxy.open();
        ping(&mut connect().unwrap()).unwrap();
    }
}
