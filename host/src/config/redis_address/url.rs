//! Splits a Redis URL into its parts.
//!
//! In: the text of a URL. Out: a [`ParsedUrl`], whose parts are decoded but not yet combined.
//! Invariant: a problem quotes only schemes and names of known options, because every other part
//! of a broken URL may belong to a password.

use std::path::PathBuf;

use oculus_system::secret::Secret;

use super::options::{self, Meaning, UrlOption};
use super::{HostPort, Login, percent};

/// The parts of a URL.
#[derive(Debug)]
pub(super) struct ParsedUrl {
    /// The place, without the database.
    pub place: Place,
    /// True if the scheme selects TLS.
    pub tls: bool,
    /// The login in front of the host.
    pub login: Login,
    /// The database in the path.
    pub db: Option<u16>,
    /// The options of the query, in their order.
    pub options: Vec<GivenOption>,
    /// True if the fragment is `#insecure`.
    pub insecure: bool,
}

/// The place in a URL.
#[derive(Debug)]
pub(super) enum Place {
    /// A host and a port.
    Tcp(HostPort),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// Sentinels, and the name of a group if the path contains one.
    Sentinels(Vec<HostPort>, Option<String>),
}

/// An option of the query.
#[derive(Debug)]
pub(super) struct GivenOption {
    /// The meaning of the option.
    pub option: UrlOption,
    /// The name as the URL spells it.
    pub name: &'static str,
    /// The decoded value.
    pub value: String,
}

/// The kind of place that a scheme stands for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A host and a port.
    Tcp,
    /// A Unix socket.
    Unix,
    /// Sentinels.
    Sentinel,
}

/// All schemes, with their kind and whether they select TLS.
pub(super) const SCHEMES: &[(&str, Kind, bool)] = &[
    ("redis", Kind::Tcp, false),
    ("rediss", Kind::Tcp, true),
    ("unix", Kind::Unix, false),
    ("redis+sentinel", Kind::Sentinel, false),
    ("rediss+sentinel", Kind::Sentinel, true),
    // Celery's spelling.
    ("redis+socket", Kind::Unix, false),
    ("redis+unix", Kind::Unix, false),
    ("valkey", Kind::Tcp, false),
    ("valkeys", Kind::Tcp, true),
];

const EXPECTED_SCHEMES: &str =
    "expected redis://, rediss:// (TLS), unix://, redis+sentinel:// or rediss+sentinel:// (TLS)";

const ESCAPE: &str = "the user name or the password contains `/`, `?`, `#` or `@`; write %2F, %3F, %23 or %40 instead";

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Splits a URL.
///
/// # Errors
/// Returns one sentence per problem.
pub(super) fn parse(url: &str) -> Result<ParsedUrl, Vec<String>> {
    let (kind, tls, rest) = scheme(url).map_err(|problem| vec![problem])?;
    parse_rest(kind, tls, rest).map_err(|problems| {
        // An `@` after the host is the end of a password that is not escaped. The other problems
        // are then consequences.
        let tail = rest.find(['/', '?', '#']).map_or("", |end| &rest[end..]);
        if tail.contains('@') { vec![ESCAPE.to_owned()] } else { problems }
    })
}

/// Returns the kind of the scheme, whether it selects TLS, and the text after `://`.
fn scheme(url: &str) -> Result<(Kind, bool, &str), String> {
    let (name, rest) = url.split_once(':').ok_or_else(|| format!("no scheme; {EXPECTED_SCHEMES}"))?;
    let lower = name.to_lowercase();
    let Some((_, kind, tls)) = SCHEMES.iter().find(|(known, ..)| *known == lower) else {
        // The text before the colon is not quoted, because it is a user or host name if the scheme
        // is absent.
        return Err(match nearest_scheme(&lower) {
            Some(near) => format!("unknown scheme; did you mean {near}://?"),
            None => format!("unknown scheme; {EXPECTED_SCHEMES}"),
        });
    };
    match rest.strip_prefix("//") {
        Some(rest) => Ok((*kind, *tls, rest)),
        None => Err(format!("`//` is absent after `{lower}:`; write {lower}://…")),
    }
}

fn nearest_scheme(name: &str) -> Option<&'static str> {
    if name.contains("sentinel") {
        return Some("redis+sentinel");
    }
    let distance = |known: &str| strsim::damerau_levenshtein(name, known);
    let near = SCHEMES.iter().map(|(known, ..)| *known).min_by_key(|known| distance(known))?;
    (distance(near) <= 2).then_some(near)
}

fn parse_rest(kind: Kind, tls: bool, rest: &str) -> Result<ParsedUrl, Vec<String>> {
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    // The last `@` ends the password, because an unescaped password may itself contain `@`.
    let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut problems = Vec::new();
    let login = keep(login(user_info), &mut problems);
    let place = keep(place(kind, hosts, path), &mut problems);
    let options = given_options(query, &mut problems);
    let insecure = keep(is_insecure(fragment, tls), &mut problems);
    match (login, place, insecure) {
        (Some(login), Some((place, db)), Some(insecure)) if problems.is_empty() => {
            Ok(ParsedUrl { place, tls, login, db, options, insecure })
        }
        _ => Err(problems),
    }
}

/// Returns the value, or adds the problem to the list.
pub(super) fn keep<T>(result: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn login(user_info: &str) -> Result<Login, String> {
    let not_text = || "the user name or the password is not percent-encoded UTF-8".to_owned();
    let (username, password) =
        user_info.split_once(':').map_or((user_info, None), |(username, password)| (username, Some(password)));
    let username = percent::decode(username).ok_or_else(not_text)?;
    let password = password.map(|password| percent::decode(password).ok_or_else(not_text)).transpose()?;
    let username = Some(username).filter(|username| !username.is_empty());
    // A user may have an empty password, but a password without a user must not be empty.
    let password = password.filter(|password| !password.is_empty() || username.is_some());
    Ok(Login { username, password: password.map(Secret::new) })
}

/// Returns the place and the database in the path.
fn place(kind: Kind, hosts: &str, path: &str) -> Result<(Place, Option<u16>), String> {
    match kind {
        Kind::Unix => {
            let path = percent::decode(path).ok_or("the path of the socket is not percent-encoded UTF-8")?;
            if !hosts.is_empty() || path.len() < 2 {
                return Err("the path of the socket is not absolute; write unix:///path/to.sock".to_owned());
            }
            Ok((Place::Unix(path.into()), None))
        }
        Kind::Tcp if hosts.contains(',') => {
            Err("several hosts need sentinels; write redis+sentinel://HOST:PORT,HOST:PORT/NAME".to_owned())
        }
        Kind::Tcp => Ok((Place::Tcp(host_port(hosts, DEFAULT_PORT)?), db_in_path(path.trim_matches('/'))?)),
        Kind::Sentinel => {
            let sentinels = hosts.split(',').map(|host| host_port(host, DEFAULT_SENTINEL_PORT));
            let sentinels = sentinels.collect::<Result<_, _>>()?;
            let path = path.trim_matches('/');
            let (name, db) = path.split_once('/').unwrap_or((path, ""));
            let name = Some(name.to_owned()).filter(|name| !name.is_empty());
            name.iter().try_for_each(|name| check_master_name(name))?;
            Ok((Place::Sentinels(sentinels, name), db_in_path(db)?))
        }
    }
}

fn db_in_path(path: &str) -> Result<Option<u16>, String> {
    if path.is_empty() { Ok(None) } else { number("the database in the path", path).map(Some) }
}

/// Returns the number of a database. `place` is its place in messages.
pub(super) fn number(place: &str, value: &str) -> Result<u16, String> {
    value.parse().map_err(|_| format!("{place} is not a whole number from 0 to 65535"))
}

/// Checks the name of a group of servers against the characters that Sentinel allows.
pub(super) fn check_master_name(name: &str) -> Result<(), String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !name.is_empty() && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err("the name of the group of servers contains a character other than A-Z, a-z, 0-9, `.`, `-` and `_`".to_owned())
}

/// Returns a host and its port.
pub(super) fn host_port(text: &str, default_port: u16) -> Result<HostPort, String> {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or(port.is_empty().then_some(""))),
        None => text.split_once(':').map_or((text, Some("")), |(host, port)| (host, Some(port))),
    };
    let is_ipv6 = text.starts_with('[');
    let port = match port {
        Some("") => Some(default_port),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => None,
    };
    let port = port.ok_or("the port is not a whole number from 1 to 65535; an IPv6 address needs brackets")?;
    check_host(host, is_ipv6)?;
    Ok(HostPort { host: host.to_owned(), port })
}

/// Checks a host name or an IP address, without brackets.
pub(super) fn check_host(host: &str, is_ipv6: bool) -> Result<(), String> {
    if host.is_empty() {
        return Err("no host; write for example redis://localhost:6379/0".to_owned());
    }
    let is_allowed = |char: char| match char {
        ':' | '%' => is_ipv6,
        char => char.is_ascii_alphanumeric() || "-._".contains(char),
    };
    if !host.chars().all(is_allowed) {
        return Err("the host contains a character that is not allowed in host names".to_owned());
    }
    if matches!(host, "0.0.0.0" | "::") {
        return Err("the host is an address to listen on; to connect, write 127.0.0.1 or [::1]".to_owned());
    }
    Ok(())
}

/// Returns the known options of a query. Adds the others to the problems.
fn given_options(query: &str, problems: &mut Vec<String>) -> Vec<GivenOption> {
    let mut given: Vec<GivenOption> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match given_option(pair) {
            Ok(new) => match given.iter().find(|earlier| earlier.option == new.option) {
                Some(earlier) if earlier.name == new.name => {
                    problems.push(format!("the option `{}` occurs twice; remove one", new.name));
                }
                Some(earlier) => problems.push(format!(
                    "the options `{}` and `{}` have the same meaning; remove one",
                    earlier.name, new.name
                )),
                None => given.push(new),
            },
            Err(problem) => problems.push(problem),
        }
    }
    given
}

fn given_option(pair: &str) -> Result<GivenOption, String> {
    let Some((name, value)) = pair.split_once('=') else {
        return Err("the query contains text that is not an option; write ?name=value".to_owned());
    };
    let (known, meaning) = match options::OPTIONS.iter().find(|(known, _)| *known == name) {
        Some(found) => *found,
        None => return Err(unknown_option(name)),
    };
    match meaning {
        Meaning::Rejected(reason) => Err(format!("the option `{known}` has no effect here: {reason}; remove it")),
        Meaning::Used(option) => {
            let value = percent::decode_query(value)
                .ok_or_else(|| format!("the value of `{known}` is not percent-encoded UTF-8"))?;
            Ok(GivenOption { option, name: known, value })
        }
    }
}

fn unknown_option(name: &str) -> String {
    // Only the spelling of a known option can be shown: any other text may belong to a password.
    let is_name = (2..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let name = if is_name { format!("`{name}`") } else { "in the query".to_owned() };
    match options::nearest(name.trim_matches('`')) {
        Some(near) => format!("unknown option {name}; did you mean `{near}`?"),
        None => format!("unknown option {name}; docs/configuration.md lists the options"),
    }
}

fn is_insecure(fragment: Option<&str>, tls: bool) -> Result<bool, String> {
    match fragment {
        None | Some("") => Ok(false),
        Some("insecure") if tls => Ok(true),
        Some("insecure") => Err("`#insecure` needs TLS; write rediss://, or remove it".to_owned()),
        Some(_) => Err("the text after `#` is not `insecure`, the only fragment that is supported".to_owned()),
    }
}
