//! A primary, a replica and three sentinels that fail over between them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::FromRedisValue;
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::redis_server::{free_port, server_program};
use crate::tcp_proxy::{ProxyTarget, TcpProxy};
use crate::{Redis, SOON, eventually};

/// The name of the group in the configuration of the sentinels.
pub const GROUP: &str = "oculus";

/// Servers and their sentinels. The sentinels and the workers reach the primary through a proxy.
pub struct SentinelSite {
    /// The server that is the primary at first.
    pub first: Redis,
    /// The server that is a replica at first.
    pub second: Redis,
    /// The proxy in front of the first server.
    pub proxy: TcpProxy,
    /// The sentinels.
    pub sentinels: Vec<Sentinel>,
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
        let (first, port) = server(options, &[]);
        let proxy = TcpProxy::start(ProxyTarget::Port(port));
        let (second, _) = server(options, &["--replicaof", "127.0.0.1", &proxy.port().to_string()]);
        eventually("replica", SOON, || {
            second.info("replication", "master_link_status").filter(|status| status == "up")
        });
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(proxy.port(), options)).collect();
        let site = Self { first, second, proxy, sentinels };
        eventually("agreement of the sentinels", SOON, || {
            site.sentinels.iter().all(Sentinel::knows_the_others).then_some(())
        });
        site
    }

    /// Returns the address for REDIS_URL.
    pub fn url(&self) -> String {
        let sentinels: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("localhost:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{GROUP}", sentinels.join(","))
    }

    /// Waits until the second server is the primary.
    pub fn wait_for_failover(&self) {
        eventually("new primary", SOON * 2, || self.second.info("replication", "role").filter(|role| role == "master"));
    }
}

/// Starts a server. Returns it together with the port on which its clients reach it.
fn server(options: &SiteOptions, more: &[&str]) -> (Redis, u16) {
    let port = free_port();
    let tls = options.tls.map(|certificates| certificates.server_options("server", port)).unwrap_or_default();
    let mut all: Vec<&str> = tls.iter().map(String::as_str).collect();
    if options.tls.is_some() {
        all.extend(["--tls-auth-clients", "no", "--tls-replication", "yes"]);
    }
    all.extend(options.server.iter().chain(more));
    let redis = Redis::start_on_tcp(&all);
    let port = if options.tls.is_some() { port } else { redis.port() };
    (redis, port)
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

    fn try_query<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let url = format!("unix://{}", self.folder.path().join("sentinel.sock").display());
        let mut connection =
            redis::Client::open(url).unwrap().get_connection_with_timeout(Duration::from_secs(2)).ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).ok()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.kill();
    }
}
