//! Tests of addresses.

use super::*;

fn shown(url: &str) -> String {
    RedisAddress::parse(url).unwrap_or_else(|problems| panic!("{url}: {problems:?}")).to_string()
}

fn problems(url: &str) -> String {
    RedisAddress::parse(url).expect_err(url).join("\n")
}

#[test]
fn every_form_of_address_is_accepted() {
    for (url, expected) in [
        ("redis://h", "redis://h:6379/0"),
        ("redis://h:1/", "redis://h:1/0"),
        ("redis://h:1/3", "redis://h:1/3"),
        ("redis://h?db=3", "redis://h:6379/3"),
        ("redis://h/3?db=3", "redis://h:6379/3"),
        ("REDISS://u:p@h", "rediss://u:***@h:6379/0"),
        ("valkey://h", "redis://h:6379/0"),
        ("valkeys://h", "rediss://h:6379/0"),
        ("redis://[::1]", "redis://[::1]:6379/0"),
        ("redis://[::1]:7", "redis://[::1]:7/0"),
        ("redis://:p@ss@h", "redis://:***@h:6379/0"),
        ("redis://:pa ss@h", "redis://:***@h:6379/0"),
        ("redis://u:@h", "redis://u:***@h:6379/0"),
        ("redis://:@h", "redis://h:6379/0"),
        ("redis://h?password=p@ss", "redis://:***@h:6379/0"),
        ("redis://h?username=u&password=p", "redis://u:***@h:6379/0"),
        ("redis://h?protocol=3&socket_timeout=2.5&socket_connect_timeout=1", "redis://h:6379/0"),
        ("unix:///run/r.sock", "unix:///run/r.sock"),
        ("unix:///run/r.sock?db=3&pass=p", "unix:///run/r.sock?db=3"),
        ("unix://u:p@/run/r@1.sock", "unix:///run/r@1.sock"),
        ("redis+socket:///run/r.sock?virtual_host=2", "unix:///run/r.sock?db=2"),
        ("redis+unix:///run/r.sock", "unix:///run/r.sock"),
        ("redis+sentinel://a,b:2/main", "redis+sentinel://a:26379,b:2/main/0"),
        ("rediss+sentinel://u:p@a,b:2/main/4", "rediss+sentinel://u:***@a:26379,b:2/main/4"),
        ("redis+sentinel://a?master_name=main", "redis+sentinel://a:26379/main/0"),
        ("redis+sentinel://a/main?sentinel_password=x", "redis+sentinel://a:26379/main/0"),
        ("rediss://h#insecure", "rediss://h:6379/0"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "rediss://h:6379/0"),
    ] {
        assert_eq!(shown(url), expected, "{url}");
    }
}

#[test]
fn passwords_are_decoded_once() {
    for (url, password) in [
        ("redis://:vyP0%2Bqk%2FA4Ps%3DuA@h", "vyP0+qk/A4Ps=uA"),
        ("redis://:a+b%2@h", "a+b%2"),
        ("redis://h?password=a%2Bb+c", "a+b c"),
        ("redis://:p@ss@h", "p@ss"),
    ] {
        let address = RedisAddress::parse(url).unwrap();
        let info = address.server_info(&ServerPlace::Unix("/r".into())).unwrap();
        assert_eq!(info.redis_settings().password(), Some(password), "{url}");
    }
}

#[test]
fn the_verification_of_certificates_follows_the_options() {
    for (options, expected) in [
        ("", Verification::Full),
        ("?ssl_cert_reqs=required", Verification::Full),
        ("?ssl_cert_reqs=optional", Verification::Full),
        ("?ssl_cert_reqs=none", Verification::Disabled),
        ("?ssl_cert_reqs=none&ssl_check_hostname=false", Verification::Disabled),
        ("?ssl_check_hostname=False", Verification::WithoutHostname),
        ("#insecure", Verification::Disabled),
    ] {
        let address = RedisAddress::parse(&format!("rediss://h{options}")).unwrap();
        assert_eq!(address.tls().unwrap().verification, expected, "{options}");
    }
}

#[test]
fn a_problem_names_what_is_wrong_and_what_to_do() {
    for (url, expected) in [
        ("h:1", "unknown scheme; expected redis://"),
        ("h", "no scheme; expected redis://"),
        ("redsi://h", "did you mean redis://?"),
        ("sentinel://h", "did you mean redis+sentinel://?"),
        ("redis:/h", "write redis://"),
        ("redis://", "no host"),
        ("redis:///0", "no host"),
        ("redis://0.0.0.0", "write 127.0.0.1"),
        ("redis://::1", "an IPv6 address needs brackets"),
        ("redis://h:0", "the port is not a whole number"),
        ("redis://a,b", "write redis+sentinel://"),
        ("redis://h/x", "the database in the path is not a whole number"),
        ("redis://h/1?db=2", "the path names database 1, and the option `db` names 2"),
        ("redis://h?db=1&db=1", "`db` occurs twice"),
        ("redis://h?db=1&virtual_host=1", "`db` and `virtual_host` have the same meaning"),
        ("redis://u:a@h?password=b", "the password before the host and the option `password` have different values"),
        ("redis://u@h", "the user name before the host has no password"),
        ("redis://h?passwords=x", "unknown option `passwords`; did you mean `password`?"),
        ("redis://h?colour=x", "unknown option `colour`; docs/configuration.md"),
        ("redis://h?health_check_interval=30", "`health_check_interval` has no effect here"),
        ("redis://h?max_connections=3", "`max_connections` has no effect here"),
        ("redis://h?protocol=4", "`protocol` is not 2 or 3"),
        ("redis://h?socket_timeout=never", "`socket_timeout` is not a number of seconds"),
        ("redis://h?ssl_cert_reqs=none", "`ssl_cert_reqs` needs TLS; write rediss://"),
        ("redis://h#insecure", "`#insecure` needs TLS"),
        ("rediss://h#secure", "not `insecure`"),
        ("rediss://h?ssl_cert_reqs=maybe", "`ssl_cert_reqs` is not `none`"),
        ("rediss://h?ssl_cert_reqs=required#insecure", "`#insecure` contradicts `ssl_cert_reqs`"),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true", "contradicts `ssl_check_hostname`"),
        ("rediss://h?ssl_certfile=/nowhere", "ssl_certfile needs a private key"),
        ("rediss://h?ssl_ca_certs=/nowhere/ca.pem", "cannot read /nowhere/ca.pem"),
        ("unix://r.sock", "write unix:///path/to.sock"),
        ("redis+sentinel://a", "no name of a group of servers"),
        ("redis+sentinel://a/x?master_name=y", "name different groups"),
        ("redis://h?master_name=y", "`master_name` needs sentinels"),
        ("redis://h?sentinel_password=y", "sentinel_password needs sentinels"),
    ] {
        let found = problems(url);
        assert!(found.contains(expected), "{url}: {found}");
    }
}

#[test]
fn a_password_with_reserved_characters_must_be_escaped() {
    for url in [
        "redis://:vyP0/A4@h:1/0",
        "redis://:p#w@h",
        "redis://bob:12?34@h",
        "redis://bob:12#34@h",
        "redis://bob:12/34@h",
    ] {
        assert!(problems(url).contains("write %2F"), "{url}");
    }
}

#[test]
fn neither_a_problem_nor_the_shown_url_contains_a_part_of_the_password() {
    const SECRETS: [&str; 6] = ["hunter2", "hunt%65r2", "xq1@zw2/kj3", "xq1?zw2#kj3", "hunter2%40x", "12"];
    for secret in SECRETS {
        for url in [
            format!("redis://:{secret}@h:1/0"),
            format!("redis://bob:{secret}@h"),
            format!("redis://bob:{secret}"),
            format!("redis://:{secret}"),
            format!("redis:/bob:{secret}@h"),
            format!("redis::{secret}@h"),
            format!(":{secret}@h"),
            format!("{secret}@h"),
            format!("nonsense://:{secret}@h"),
            format!("redis://h?password={secret}"),
            format!("redis://h?{secret}"),
            format!("redis://h?{secret}=1"),
            format!("redis:/h?password={secret}"),
            format!("redis://h?passwords={secret}&protocol=9"),
            format!("redis://h?password={secret}&protocol=9"),
            format!("redis://h#{secret}"),
            format!("redis+sentinel://:{secret}@a,b"),
            format!("unix://bob:{secret}@r.sock"),
        ] {
            // Without the `@` in front of the host, a numeric secret cannot be distinguished from a
            // port, and the text after an `@` in the secret cannot be distinguished from a host.
            let is_ambiguous = secret == "12" || secret.contains('@');
            if is_ambiguous && !url.contains("@h") && !url.contains("@a") && !url.contains("h?") && !url.contains("h#")
            {
                continue;
            }
            let text = match RedisAddress::parse(&url) {
                Ok(address) => format!("{address} {address:?}"),
                Err(problems) => problems.join(" "),
            };
            let text = format!("{text} {}", without_secrets(&url));
            for part in secret.split(['@', '/', '?', '#']).filter(|part| part.len() > 1) {
                assert!(!text.replace("12, ", "").contains(part), "{url}: {text}");
            }
        }
    }
}
