//! A primary, a replica and three sentinels that fail over between them.
//!
//! Each server has a proxy, and all other parts reach it only through this proxy. A fail-over can
//! therefore be caused and repeated in both directions.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Client, Connection, FromRedisValue};
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::redis_server::{free_port, server_program};
use crate::tcp_proxy::{ProxyTarget, TcpProxy};
use crate::{Redis, SOON, eventually};

/// The name of the group in the configuration of the sentinels.
pub const GROUP: &str = "oculus";

/// Servers and their sentinels.
pub struct SentinelSite {
    /// The server that is the primary at first, and the one that is a replica at first.
    pub servers: [SiteServer; 2],
    /// The sentinels.
    pub sentinels: Vec<Sentinel>,
}

/// A server, and the proxy through which workers, sentinels and the other server reach it.
pub struct SiteServer {
    /// The server.
    pub redis: Redis,
    /// The proxy.
    pub proxy: TcpProxy,
}

/// A running sentinel; killed when dropped.
pub struct Sentinel {
    folder: TempDir,
    process: Child,
    port: u16,
}

/// The options of the servers and of the sentinels.
#[derive(Default)]
pub struct SiteOptions<'a> {
    /// Further options of both servers.
    pub server: &'a [&'a str],
    /// Further lines of the configuration of the sentinels.
    pub sentinel: &'a [&'a str],
    /// The certificates, if all connections use TLS.
    pub tls: Option<&'a Certificates>,
}

impl SentinelSite {
    /// Starts servers and sentinels without passwords and TLS.
    pub fn start() -> Self {
        Self::start_with(&SiteOptions::default())
    }

    /// Starts servers and sentinels.
    ///
    /// # Panics
    /// Panics if the replica does not follow the primary, or the sentinels do not find each other.
    pub fn start_with(options: &SiteOptions) -> Self {
        let first = SiteServer::start(options, None);
        let second = SiteServer::start(options, Some(first.proxy.port()));
        eventually("replica", SOON, || {
            second.redis.info("replication", "master_link_status").filter(|status| status == "up")
        });
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(first.proxy.port(), options)).collect();
        let site = Self { servers: [first, second], sentinels };
        eventually("agreement of the sentinels", SOON, || {
            site.sentinels.iter().all(Sentinel::knows_the_others).then_some(())
        });
        site
    }

    /// Returns the server that is the primary at first.
    pub fn first(&self) -> &Redis {
        &self.servers[0].redis
    }

    /// Returns the server that is a replica at first.
    pub fn second(&self) -> &Redis {
        &self.servers[1].redis
    }

    /// Returns the address for REDIS_URL.
    pub fn url(&self) -> String {
        let sentinels: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("localhost:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{GROUP}", sentinels.join(","))
    }

    /// Returns a client that finds the primary through the sentinels.
    pub fn client(&self) -> PrimaryClient {
        PrimaryClient { sentinels: self.sentinels.iter().map(Sentinel::url).collect() }
    }

    /// Waits until the second server is the primary.
    pub fn wait_for_failover(&self) {
        self.wait_for_promotion(1);
    }

    /// Waits until a server is the primary.
    ///
    /// * `server`: the index of the server.
    pub fn wait_for_promotion(&self, server: usize) {
        let redis = &self.servers[server].redis;
        eventually("new primary", SOON * 2, || redis.info("replication", "role").filter(|role| role == "master"));
    }

    /// Returns whether a fail-over from a server is possible: the other one is its replica and has
    /// all of its data on disk, and every sentinel has noticed both.
    ///
    /// * `primary`: the index of the server.
    pub fn can_fail_over_from(&self, primary: usize) -> bool {
        let replica = &self.servers[1 - primary].redis;
        let is_linked = replica.info("replication", "master_link_status").as_deref() == Some("up");
        let port = self.servers[primary].proxy.port();
        is_linked
            && replica.has_complete_append_only_file()
            && self.sentinels.iter().all(|sentinel| sentinel.can_fail_over_from(port))
    }
}

/// A client that asks the sentinels for the primary each time it connects.
#[derive(Clone, Debug)]
pub struct PrimaryClient {
    sentinels: Vec<String>,
}

impl PrimaryClient {
    /// Connects to the primary that a sentinel names. Returns `None` if that server does not
    /// respond in time or is a replica.
    ///
    /// * `timeout`: the time limit of the connect and of each later request.
    pub fn connect(&self, timeout: Duration) -> Option<Connection> {
        self.sentinels.iter().find_map(|sentinel| {
            let name = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP];
            let (host, port): (String, u16) = query(sentinel, timeout, &name)?;
            let client = Client::open(format!("redis://{host}:{port}")).ok()?;
            let mut connection = client.get_connection_with_timeout(timeout).ok()?;
            connection.set_read_timeout(Some(timeout)).ok()?;
            connection.set_write_timeout(Some(timeout)).ok()?;
            let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut connection).ok()?;
            let role: String = redis::from_redis_value(role.into_iter().next()?).ok()?;
            (role == "master").then_some(connection)
        })
    }
}

impl SiteServer {
    /// Starts a server.
    ///
    /// * `primary`: the port of the server that it replicates.
    fn start(options: &SiteOptions, primary: Option<u16>) -> Self {
        let port = free_port();
        let proxy = TcpProxy::start(ProxyTarget::Port(port));
        // The sentinels and the other server learn the address from the server itself.
        let announced = proxy.port().to_string();
        let mut all = vec!["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", &announced];
        // By default, a primary waits 5 s for further replicas before it sends its data.
        all.extend(["--repl-diskless-sync-delay", "0"]);
        let primary = primary.map(|port| port.to_string());
        all.extend(primary.iter().flat_map(|port| ["--replicaof", "127.0.0.1", port]));
        let tls = options.tls.map(|certificates| certificates.server_options("server", port)).unwrap_or_default();
        all.extend(tls.iter().map(String::as_str));
        if options.tls.is_some() {
            all.extend(["--tls-auth-clients", "no", "--tls-replication", "yes"]);
        }
        all.extend(options.server);
        // With TLS, the plain port must differ from the one of the clients.
        let redis = if options.tls.is_some() { Redis::start_on_tcp(&all) } else { Redis::start_on_port(port, &all) };
        Self { redis, proxy }
    }
}

impl Sentinel {
    fn start(primary: u16, options: &SiteOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut config = match options.tls {
            Some(certificates) => {
                let options = certificates.server_options("server", port);
                let lines = options.chunks(2).map(|pair| format!("{} {}\n", pair[0].trim_start_matches('-'), pair[1]));
                format!("port 0\n{}tls-auth-clients no\ntls-replication yes\n", lines.collect::<String>())
            }
            None => format!("port {port}\n"),
        };
        config += &format!(
            "unixsocket {}\nsentinel monitor {GROUP} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {GROUP} 1500\nsentinel failover-timeout {GROUP} 6000\n",
            folder.path().join("sentinel.sock").display()
        );
        options.sentinel.iter().for_each(|line| config.extend([line, "\n"]));
        std::fs::write(folder.path().join("sentinel.conf"), config).unwrap();
        let mut command = Command::new(server_program());
        command.args(["sentinel.conf", "--sentinel"]).current_dir(folder.path());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sentinel = Self { folder, process, port };
        eventually("sentinel", SOON, || sentinel.try_query::<String>(&["PING"]));
        // By default, a sentinel looks for replicas every 10 s. Sentinels before version 7 have
        // no command that changes this.
        let _: Option<String> =
            sentinel.try_query(&["SENTINEL", "DEBUG", "INFO-PERIOD", "500", "PUBLISH-PERIOD", "500"]);
        sentinel
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the sentinel.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn knows_the_others(&self) -> bool {
        let others: Option<Vec<redis::Value>> = self.try_query(&["SENTINEL", "SENTINELS", GROUP]);
        let replicas: Option<Vec<redis::Value>> = self.try_query(&["SENTINEL", "REPLICAS", GROUP]);
        others.is_some_and(|others| others.len() == 2) && replicas.is_some_and(|replicas| replicas.len() == 1)
    }

    fn can_fail_over_from(&self, port: u16) -> bool {
        let is = |fields: &HashMap<String, String>, name: &str, value: &str| {
            fields.get(name).is_some_and(|found| found == value)
        };
        let primary: Option<HashMap<String, String>> = self.try_query(&["SENTINEL", "MASTER", GROUP]);
        let replicas: Option<Vec<HashMap<String, String>>> = self.try_query(&["SENTINEL", "REPLICAS", GROUP]);
        primary.is_some_and(|fields| is(&fields, "port", &port.to_string()) && is(&fields, "flags", "master"))
            && replicas.is_some_and(|replicas| {
                let is_linked = |fields| is(fields, "flags", "slave") && is(fields, "master-link-status", "ok");
                replicas.iter().any(is_linked)
            })
    }

    fn try_query<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        query(&self.url(), Duration::from_secs(2), words)
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("sentinel.sock").display())
    }
}

/// Runs a command on a new connection. Returns `None` if it fails.
fn query<T: FromRedisValue>(url: &str, timeout: Duration, words: &[&str]) -> Option<T> {
    let mut connection = Client::open(url).unwrap().get_connection_with_timeout(timeout).ok()?;
    redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).ok()
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.kill();
    }
}
