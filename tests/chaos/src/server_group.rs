//! The Redis of a run with fail-overs: a primary, a replica and three sentinels.
//!
//! In: fail-over faults. Out: an unavailable primary, and later a replica that was promoted in its
//! place. Invariant: the former primary returns as a replica, so that the next fail-over is
//! possible.

use std::time::{Duration, Instant};

use oculus_tests::Redis;
use oculus_tests::sentinels::{PrimaryClient, SentinelSite, SiteOptions};
use redis::{Connection, cmd};

/// The time limit of a request that looks for a promotion.
const POLL_LIMIT: Duration = Duration::from_millis(500);

/// A port on which no server listens.
const UNUSED_PORT: &str = "1";

/// The lines of the configuration of the sentinels. After a fail-over, they wait for twice this
/// time before the next one.
const SENTINEL_CONFIG: [&str; 1] = ["sentinel failover-timeout oculus 3000"];

/// How the primary is made unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailOverMethod {
    /// Killed with SIGKILL.
    Kill,
    /// Stopped with SIGSTOP.
    Freeze,
    /// Cut off from the workers, the replica and the sentinels.
    Partition,
}

impl FailOverMethod {
    /// Returns the method that a random number selects.
    pub(crate) fn pick(number: usize) -> Self {
        [Self::Kill, Self::Freeze, Self::Partition][number % 3]
    }
}

/// A fault that makes a primary unavailable.
#[derive(Clone, Copy, Debug)]
struct Failure {
    method: FailOverMethod,
    /// The index of the server.
    server: usize,
    at: Instant,
}

/// The servers and their sentinels.
pub(crate) struct ServerGroup {
    site: SentinelSite,
    /// The index of the primary.
    primary: usize,
    /// True if the other server has been a replica since it was last the primary.
    is_replica: bool,
    /// The fault that has not ended.
    failure: Option<Failure>,
    /// The connection to the replica that looks for its promotion.
    connection: Option<Connection>,
}

impl ServerGroup {
    /// Starts empty servers.
    pub(crate) fn start() -> Self {
        let site = SentinelSite::start_with(&SiteOptions { sentinel: &SENTINEL_CONFIG, ..SiteOptions::default() });
        Self { site, primary: 0, is_replica: false, failure: None, connection: None }
    }

    /// Returns the primary.
    pub(crate) fn primary(&self) -> &Redis {
        &self.site.servers[self.primary].redis
    }

    /// Returns the address for REDIS_URL.
    pub(crate) fn url(&self) -> String {
        self.site.url()
    }

    /// Returns a client of the primary.
    pub(crate) fn client(&self) -> PrimaryClient {
        self.site.client()
    }

    /// Stops replication, so that the replica lacks the writes that the primary accepts from now
    /// on. Returns false, and changes nothing, if no fail-over is possible.
    ///
    /// The replica keeps its data and may be promoted. The sentinels would repair its configuration
    /// after some seconds.
    pub(crate) fn stop_replication(&self) -> bool {
        if self.failure.is_some() || !self.is_replica || !self.site.can_fail_over_from(self.primary) {
            return false;
        }
        let replica = &self.site.servers[1 - self.primary].redis;
        let () = replica.query(&["REPLICAOF", "127.0.0.1", UNUSED_PORT]);
        true
    }

    /// Makes the primary unavailable.
    pub(crate) fn fail(&mut self, method: FailOverMethod) {
        let server = &mut self.site.servers[self.primary];
        let at = Instant::now();
        match method {
            FailOverMethod::Kill => server.redis.kill(),
            FailOverMethod::Freeze => server.redis.freeze(),
            FailOverMethod::Partition => server.proxy.stall(),
        }
        self.failure = Some(Failure { method, server: self.primary, at });
    }

    /// Returns the time of the fault that has made the primary unavailable, if no other server is
    /// the primary yet.
    pub(crate) fn failed_at(&self) -> Option<Instant> {
        self.failure.filter(|failure| failure.server == self.primary).map(|failure| failure.at)
    }

    /// Returns whether the replica has become the primary. It is [`ServerGroup::primary`] from then
    /// on.
    pub(crate) fn follow_promotion(&mut self) -> bool {
        let replica = 1 - self.primary;
        if self.failure.is_some_and(|failure| failure.server == replica) {
            return false;
        }
        if self.connection.is_none() {
            self.connection = connect(&self.site.servers[replica].redis);
        }
        let role = self.connection.as_mut().and_then(role_of);
        match role.as_deref() {
            // A former primary keeps its role until a sentinel has noticed its return.
            Some("master") if self.is_replica => {
                self.primary = replica;
                self.is_replica = false;
                self.connection = None;
                return true;
            }
            Some("slave") => self.is_replica = true,
            Some(_) => {}
            // A sentinel closes all connections of a server whose role it changes.
            None => self.connection = None,
        }
        false
    }

    /// Makes the former primary available again, which the sentinels then turn into a replica.
    pub(crate) fn restore_former(&mut self) {
        let Some(failure) = self.failure.take() else { return };
        let server = &mut self.site.servers[failure.server];
        match failure.method {
            FailOverMethod::Kill => server.redis.restart(),
            FailOverMethod::Freeze => server.redis.thaw(),
            FailOverMethod::Partition => server.proxy.resume(),
        }
    }
}

fn connect(redis: &Redis) -> Option<Connection> {
    let client = redis::Client::open(redis.url()).ok()?;
    let connection = client.get_connection_with_timeout(POLL_LIMIT).ok()?;
    connection.set_read_timeout(Some(POLL_LIMIT)).ok()?;
    Some(connection)
}

fn role_of(connection: &mut Connection) -> Option<String> {
    let reply: Vec<redis::Value> = cmd("ROLE").query(connection).ok()?;
    redis::from_redis_value(reply.into_iter().next()?).ok()
}
