//! A TCP proxy that can stop forwarding, like a network that loses all packets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A proxy in front of a local port. Its threads end with the process of the test.
pub struct TcpProxy {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl TcpProxy {
    /// Starts a proxy in front of a local port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&is_cut);
        std::thread::spawn(move || {
            for inward in listener.incoming().flatten() {
                let is_cut = Arc::clone(&shared);
                std::thread::spawn(move || connect(inward, target, &is_cut));
            }
        });
        Self { port, is_cut }
    }

    /// Returns the port of the proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops forwarding. Connections stay open, and new ones are accepted.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    /// Forwards again.
    pub fn restore(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn connect(inward: TcpStream, target: u16, is_cut: &Arc<AtomicBool>) {
    let Ok(outward) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let (Ok(inward_copy), Ok(outward_copy)) = (inward.try_clone(), outward.try_clone()) else { return };
    let shared = Arc::clone(is_cut);
    std::thread::spawn(move || forward(inward_copy, outward_copy, &shared));
    forward(outward, inward, is_cut);
}

/// Forwards one direction of a connection until it is closed.
fn forward(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n_read @ 1..) = from.read(&mut buffer) {
        // The bytes are held back, as by a sender that repeats lost packets.
        while is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&buffer[..n_read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
