//! A proxy between one worker and Redis, which measures the recovery from its faults.
//!
//! In: faults. Out: the time from the end of each fault to the next response of Redis.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oculus_tests::tcp_proxy::{ProxyTarget, TcpProxy};
use parking_lot::Mutex;

use crate::fault::FaultKind;

/// A running proxy.
pub(crate) struct WorkerProxy {
    proxy: TcpProxy,
    recoveries: Arc<Mutex<Recoveries>>,
}

#[derive(Default)]
struct Recoveries {
    /// The last fault of this proxy and the time at which it ended, until Redis has responded again.
    healed: Option<(FaultKind, Instant)>,
    /// The times from the end of a fault to the next response of Redis.
    times: Vec<(FaultKind, Duration)>,
}

impl WorkerProxy {
    /// Starts a proxy in front of the socket of Redis.
    pub(crate) fn start(redis: &Path) -> Self {
        let recoveries = Arc::<Mutex<Recoveries>>::default();
        let observed = Arc::clone(&recoveries);
        let proxy = TcpProxy::start_with(ProxyTarget::Socket(redis.to_owned()), move || observed.lock().responded());
        Self { proxy, recoveries }
    }

    /// Returns the address for REDIS_URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.proxy.port())
    }

    /// Closes all connections. New ones are accepted.
    pub(crate) fn cut(&self, kind: FaultKind) {
        self.proxy.cut();
        self.healed(kind);
    }

    /// Closes all connections and rejects new ones until [`WorkerProxy::open`].
    pub(crate) fn close(&self) {
        self.proxy.close();
    }

    /// Accepts connections again.
    pub(crate) fn open(&self) {
        self.proxy.open();
    }

    /// Forwards no bytes until [`WorkerProxy::resume`].
    pub(crate) fn stall(&self) {
        self.proxy.stall();
    }

    /// Forwards all bytes again.
    pub(crate) fn resume(&self, kind: FaultKind) {
        // Responses that were held back are forwarded at once, so the fault must have ended before.
        self.healed(kind);
        self.proxy.resume();
    }

    /// Returns the times from the end of each fault to the next response of Redis, since the last
    /// call.
    pub(crate) fn take_recoveries(&self) -> Vec<(FaultKind, Duration)> {
        std::mem::take(&mut self.recoveries.lock().times)
    }

    fn healed(&self, kind: FaultKind) {
        self.recoveries.lock().healed = Some((kind, Instant::now()));
    }
}

impl Recoveries {
    fn responded(&mut self) {
        if let Some((kind, healed)) = self.healed.take() {
            self.times.push((kind, healed.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use oculus_tests::{Redis, SOON, eventually};

    use super::*;

    #[test]
    fn each_fault_is_measured_once_until_the_next_response() {
        let redis = Redis::start();
        let proxy = WorkerProxy::start(&redis.socket());
        let ping = || {
            let mut connection = redis::Client::open(proxy.url()).unwrap().get_connection().ok()?;
            redis::cmd("PING").query::<String>(&mut connection).ok()
        };
        let recovered_kinds = || {
            eventually("recovery", SOON, || Some(proxy.take_recoveries()).filter(|times| !times.is_empty()))
                .into_iter()
                .map(|(kind, _)| kind)
                .collect::<Vec<_>>()
        };
        ping().unwrap();
        assert!(proxy.take_recoveries().is_empty(), "a response without a fault is not a recovery");
        proxy.cut(FaultKind::CutConnections);
        ping().unwrap();
        assert_eq!(recovered_kinds(), [FaultKind::CutConnections]);
        proxy.stall();
        proxy.resume(FaultKind::StallConnections);
        ping().unwrap();
        ping().unwrap();
        assert_eq!(recovered_kinds(), [FaultKind::StallConnections]);
        assert!(proxy.take_recoveries().is_empty(), "a fault has one recovery");
    }
}
