//! Addresses of Redis: their forms, TLS, secrets, and servers that cannot be used.

use oculus_tests::certificates::{Certificates, Validity};
use oculus_tests::redis_server::{QUEUE, free_port};
use oculus_tests::{Redis, SOON, Worker, eventually, jobs};

/// A server with a TLS port and an authority that the system does not know.
struct TlsSite {
    certificates: Certificates,
    redis: Redis,
    port: u16,
}

impl TlsSite {
    /// Starts a server with the certificate `name`, which must exist.
    fn start(certificates: Certificates, name: &str, more: &[&str]) -> Self {
        let port = free_port();
        let options = certificates.server_options(name, port);
        let options: Vec<&str> = options.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Self { redis: Redis::start_on_tcp(&options), certificates, port }
    }

    fn url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    fn ca(&self) -> String {
        self.certificates.file("ca.pem")
    }
}

/// Asserts that a worker logs a rejected connection with all of the texts.
fn assert_rejected(url: &str, settings: &[(&str, &str)], texts: &[&str]) {
    let worker = Worker::launch_at(url, settings);
    let event = worker.wait_for_event("rejected connection", |event| event.warns_of("does not accept this worker"));
    for text in texts {
        assert!(event.mentions(text), "{}", event.message());
    }
}

#[test]
fn each_form_of_address_leads_to_the_server() {
    let redis = Redis::start_on_tcp(&["--requirepass", "p@ss#w:rd?&%/ x"]);
    let port = redis.port();
    let escaped = "p%40ss%23w%3Ard%3F%26%25%2F%20x";
    let socket = redis.url().replace("unix://", "");
    for url in [
        format!("redis://:{escaped}@localhost:{port}/2"),
        format!("redis://default:{escaped}@127.0.0.1:{port}?db=2"),
        format!("redis://127.0.0.1:{port}/2?password={escaped}&protocol=3&socket_timeout=3"),
        format!("valkey://:{escaped}@localhost:{port}/2"),
        format!("unix://{socket}?db=2&pass={escaped}"),
        format!("redis+socket://{socket}?virtual_host=2&password={escaped}"),
        format!("redis+unix://:{escaped}@{socket}?db=2"),
    ] {
        let _worker = Worker::start_at(&url, &[]);
        let admin = redis::Client::open(format!("unix://{socket}?pass={escaped}")).unwrap();
        let mut admin = admin.get_connection().unwrap();
        eventually(&format!("connection through {url}"), SOON, || {
            let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut admin).unwrap();
            clients.lines().any(|client| client.contains(" db=2 ")).then_some(())
        });
    }
}

#[test]
fn host_port_and_login_are_taken_from_variables() {
    let redis = Redis::start_on_tcp(&["--requirepass", "p@ss"]);
    let port = redis.port().to_string();
    for host in ["127.0.0.1", "localhost"] {
        let settings = [("REDIS_HOST", host), ("REDIS_PORT", &port), ("REDIS_PASSWORD", "p@ss")];
        Worker::start_at("", &settings);
    }
}

#[test]
fn a_tls_server_is_trusted_through_the_configured_authority() {
    let site = TlsSite::start(Certificates::new(), "server", &["--tls-auth-clients", "no"]);
    Worker::start_at(&site.url(), &[("REDIS_TLS_CA", &site.ca())]);
    Worker::start_at(&format!("{}?ssl_ca_certs={}", site.url(), site.ca()), &[]);
    for url in [format!("{}?ssl_cert_reqs=none", site.url()), format!("{}#insecure", site.url())] {
        let worker = Worker::start_at(&url, &[]);
        worker.wait_for_event("warning", |event| event.warns_of("the certificate of Redis is not verified"));
    }
    assert_rejected(&site.url(), &[], &["unknown authority", "REDIS_TLS_CA"]);
}

#[test]
fn a_certificate_for_another_host_is_rejected_unless_only_the_authority_is_verified() {
    let certificates = Certificates::new();
    certificates.sign("other", "DNS:other.example", Validity::Valid);
    let site = TlsSite::start(certificates, "other", &["--tls-auth-clients", "no"]);
    let ca = site.ca();
    assert_rejected(&site.url(), &[("REDIS_TLS_CA", &ca)], &["other host names", "REDIS_TLS_VERIFY=authority"]);
    Worker::start_at(&site.url(), &[("REDIS_TLS_CA", &ca), ("REDIS_TLS_VERIFY", "authority")]);
}

#[test]
fn an_expired_certificate_is_named() {
    let certificates = Certificates::new();
    certificates.sign("old", "DNS:localhost", Validity::Expired);
    let site = TlsSite::start(certificates, "old", &["--tls-auth-clients", "no"]);
    assert_rejected(&site.url(), &[("REDIS_TLS_CA", &site.ca())], &["has expired", "renew it"]);
}

#[test]
fn a_client_certificate_is_sent_and_its_absence_is_named() {
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let certificates = Certificates::new();
        certificates.sign("client", "DNS:worker", Validity::Valid);
        let site = TlsSite::start(certificates, "server", &["--tls-auth-clients", "yes", "--tls-protocols", protocols]);
        let ca = site.ca();
        let [certificate, key] = ["client.pem", "client.key"].map(|file| site.certificates.file(file));
        let login = [("REDIS_TLS_CA", ca.as_str()), ("REDIS_TLS_CERT", &certificate), ("REDIS_TLS_KEY", &key)];
        Worker::start_at(&site.url(), &login);
        assert_rejected(&site.url(), &login[..1], &["client certificate", "REDIS_TLS_CERT"]);
    }
}

#[test]
fn tls_on_a_plain_port_and_the_reverse_are_named() {
    let site = TlsSite::start(Certificates::new(), "server", &["--tls-auth-clients", "no"]);
    assert_rejected(&format!("redis://localhost:{}", site.port), &[], &["uses TLS", "rediss://"]);
    let ca = site.ca();
    let plain = format!("rediss://localhost:{}", site.redis.port());
    assert_rejected(&plain, &[("REDIS_TLS_CA", &ca)], &["does not use TLS", "redis://"]);
}

#[test]
fn a_wrong_password_is_named_and_the_worker_continues_when_it_becomes_right() {
    let redis = Redis::start_on_tcp(&["--requirepass", "before"]);
    assert_rejected(&format!("redis://localhost:{}", redis.port()), &[], &["requires a password", "REDIS_PASSWORD"]);
    let worker = Worker::launch_at(&format!("redis://:after@localhost:{}", redis.port()), &[]);
    let event = worker.wait_for_event("rejected login", |event| event.warns_of("does not accept this worker"));
    assert!(event.mentions("rejects the user name or the password"), "{}", event.message());
    let admin = redis::Client::open(format!("{}?pass=before", redis.url())).unwrap();
    let set = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("after").clone();
    let () = set.query(&mut admin.get_connection().unwrap()).unwrap();
    worker.wait_for_event("ready worker", |event| event.has("queues"));
}

#[test]
fn no_output_contains_a_secret_of_an_address() {
    const SECRET: &str = "xq1zw2kj3";
    let redis = Redis::start_on_tcp(&["--requirepass", SECRET]);
    let at = format!("127.0.0.1:{}/0", redis.port());
    for url in [
        format!("redis://:{SECRET}@{at}"),
        format!("redis://{at}?password={SECRET}"),
        format!("redis://:{SECRET}a@{at}"),
        format!("redis://:%78q1zw2kj3@{at}"),
    ] {
        let mut worker = Worker::launch_at(&url, &[("LOG_LEVEL", "TRACE")]);
        let is_decided = |event: &oculus_tests::log::LogEvent| event.has("queues") || event.mentions("does not accept");
        worker.wait_for_event("end of the start", is_decided);
        worker.terminate();
        worker.wait_for_end(SOON);
        assert!(!worker.log().contains(SECRET), "{}", worker.log());
    }
    for (url, host) in [
        (format!("redis:/{at}?password={SECRET}"), ""),
        (format!("redis::{SECRET}@{at}"), ""),
        (format!("redis://:{SECRET}/x@{at}"), ""),
        (format!("redis://{at}?{SECRET}"), ""),
        (format!("redis://bob:{SECRET}"), ""),
        (format!("nonsense://:{SECRET}@{at}"), ""),
        (String::new(), SECRET_HOST),
    ] {
        let mut worker = Worker::launch_at(&url, &[("REDIS_HOST", host)]);
        assert_eq!(worker.wait_for_end(SOON).code(), Some(2), "{url}");
        eventually("error", SOON, || worker.log().contains("invalid REDIS_").then_some(()));
        assert!(!worker.log().contains(SECRET), "{}", worker.log());
    }
}

/// A host with the login of a URL, which a user might write.
const SECRET_HOST: &str = ":xq1zw2kj3@127.0.0.1";

/// Starts a server in cluster mode that has all slots.
fn start_cluster(options: &[&str]) -> Redis {
    let redis = Redis::start_on_tcp(&[&["--cluster-enabled", "yes"], options].concat());
    take_all_slots(&redis);
    redis
}

fn take_all_slots(redis: &Redis) {
    let slots: Vec<String> = (0..16384).map(|slot: u32| slot.to_string()).collect();
    let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    let () = redis.query(&words);
    eventually("cluster", SOON, || {
        redis.query::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    });
}

#[test]
fn a_server_in_cluster_mode_is_refused_at_start_and_keeps_its_jobs() {
    let redis = start_cluster(&["--user", "blind", "on", ">p", "~*", "&*", "+@all", "-@dangerous"]);
    redis.push("waiting");
    let url = format!("redis://localhost:{}", redis.port());
    // The second user may not run INFO.
    for url in [url.clone(), format!("redis://blind:p@localhost:{}", redis.port())] {
        let mut worker = Worker::launch_at(&url, &[]);
        assert_eq!(worker.wait_for_end(SOON).code(), Some(2), "{url}");
        eventually("error", SOON, || worker.log().contains("cluster mode").then_some(()));
        assert!(worker.log().contains("redis+sentinel://"), "{}", worker.log());
    }
    assert_eq!(redis.query::<u64>(&["LLEN", QUEUE]), 1);
    let output = oculus_tests::command::run_on(&jobs::job("sent"), &["submit"], &[("REDIS_URL", &url)]);
    assert!(output.code != 0 && output.stderr.contains("cluster mode"), "{output:?}");
}

#[test]
fn a_worker_takes_no_jobs_after_its_server_has_entered_cluster_mode() {
    let mut redis = Redis::start_on_tcp(&["--appendonly", "no"]);
    let worker = Worker::start_at(&format!("redis://localhost:{}", redis.port()), &[]);
    redis.stop();
    redis.restart_with(&["--appendonly", "no", "--cluster-enabled", "yes"]);
    take_all_slots(&redis);
    redis.push("waiting");
    worker.wait_for_event("refusal", |event| event.level() == "ERROR" && event.mentions("cluster mode"));
    // The worker has looked for jobs again when it has made another connection.
    let n_connections = || redis.info("stats", "total_connections_received").unwrap().parse::<u64>().unwrap();
    let before = n_connections();
    eventually("further attempts of the worker", SOON, || (n_connections() > before + 8).then_some(()));
    assert_eq!(redis.query::<u64>(&["LLEN", QUEUE]), 1);
    assert!(worker.is_running());
}

#[test]
fn a_frozen_server_that_accepts_connections_is_reported_as_unavailable() {
    let redis = Redis::start_on_tcp(&[]);
    let worker = Worker::start_at(&format!("redis://localhost:{}", redis.port()), &[]);
    redis.freeze();
    worker.wait_for_event("outage", |event| event.warns_of("Redis at") && event.mentions("unavailable"));
    redis.thaw();
    worker.wait_for_event("end of the outage", |event| event.mentions("available again"));
    redis.submit(&jobs::job("after"));
    assert_eq!(redis.result_of("after")["status"], "success");
}

#[test]
fn a_worker_that_waits_for_a_server_starts_when_it_appears() {
    let mut redis = Redis::start_on_tcp(&[]);
    redis.stop();
    let worker = Worker::launch_at(&format!("redis://localhost:{}", redis.port()), &[]);
    worker.wait_for_event("outage", |event| event.warns_of("Redis at") && event.mentions("unavailable"));
    redis.restart();
    worker.wait_for_event("ready worker", |event| event.has("queues"));
    assert!(worker.is_running());
}
