//! Combines the parts of an address, which come from the URL and from other variables.
//!
//! In: a [`ParsedUrl`], or a host, a port and a database; and [`AddressVariables`]. Out: a
//! [`RedisAddress`]. Invariant: a value that is given twice in different forms is a problem that
//! names both.

use std::path::PathBuf;
use std::time::Duration;

use oculus_system::secret::Secret;
use redis::ProtocolVersion;

use super::options::UrlOption;
use super::tls::{ClientCertificate, RedisTls, Verification};
use super::url::{self, GivenOption, ParsedUrl, Place, keep};
use super::{HostPort, Login, RedisAddress, RedisEndpoint, RedisTimeouts, SentinelGroup, ServerPlace};

/// A value, and the name of the variable or option that provides it.
#[derive(Clone, Debug)]
pub(crate) struct Provided<T> {
    /// The name as a message shows it.
    pub name: &'static str,
    /// The value.
    pub value: T,
}

/// The variables that complete an address.
#[derive(Debug, Default)]
pub(crate) struct AddressVariables {
    /// The user of the server.
    pub username: Option<Provided<String>>,
    /// The password of the server.
    pub password: Option<Provided<Secret>>,
    /// The user of the sentinels.
    pub sentinel_username: Option<Provided<String>>,
    /// The password of the sentinels.
    pub sentinel_password: Option<Provided<Secret>>,
    /// The file of trusted certificate authorities.
    pub ca: Option<Provided<PathBuf>>,
    /// The file of the client certificate.
    pub certificate: Option<Provided<PathBuf>>,
    /// The file of the private key of the client certificate.
    pub key: Option<Provided<PathBuf>>,
    /// The checks of the server's certificate.
    pub verification: Option<Provided<Verification>>,
}

/// The parts of an address, before the variables are added.
#[derive(Debug)]
pub(crate) struct AddressParts {
    place: Place,
    tls: bool,
    db: u16,
    protocol: ProtocolVersion,
    timeouts: RedisTimeouts,
    given: AddressVariables,
}

impl AddressParts {
    /// Returns the parts in a URL.
    ///
    /// # Errors
    /// Returns one sentence per problem.
    pub(crate) fn from_url(url: &str) -> Result<Self, Vec<String>> {
        let ParsedUrl { place, tls, login, db, options, insecure } = url::parse(url)?;
        let given = AddressVariables {
            username: login.username.map(|value| Provided { name: "the user name before the host", value }),
            password: login.password.map(|value| Provided { name: "the password before the host", value }),
            ..AddressVariables::default()
        };
        let timeouts = RedisTimeouts::default();
        let mut parts = Self { place, tls, db: 0, protocol: ProtocolVersion::RESP2, timeouts, given };
        let mut problems = Vec::new();
        parts.db = db.unwrap_or(0);
        for option in &options {
            keep(parts.apply(option, db), &mut problems);
        }
        keep(parts.set_verification(&options, insecure), &mut problems);
        if problems.is_empty() { Ok(parts) } else { Err(problems) }
    }

    /// Returns the parts of a server without TLS.
    pub(crate) fn from_host(place: HostPort, db: u16) -> Self {
        let timeouts = RedisTimeouts::default();
        let given = AddressVariables::default();
        Self { place: Place::Tcp(place), tls: false, db, protocol: ProtocolVersion::RESP2, timeouts, given }
    }

    /// Applies one option of the query.
    fn apply(&mut self, given: &GivenOption, db_in_path: Option<u16>) -> Result<(), String> {
        let GivenOption { option, name, value } = given;
        let name = *name;
        let path = || Some(Provided { name, value: PathBuf::from(value) });
        match option {
            UrlOption::Db => self.db = self.database(name, value, db_in_path)?,
            UrlOption::Username => set(&mut self.given.username, name, value.clone())?,
            UrlOption::Password => set(&mut self.given.password, name, Secret::new(value.clone()))?,
            UrlOption::SentinelUsername => set(&mut self.given.sentinel_username, name, value.clone())?,
            UrlOption::SentinelPassword => set(&mut self.given.sentinel_password, name, Secret::new(value.clone()))?,
            UrlOption::MasterName => self.set_master_name(name, value)?,
            UrlOption::Protocol => self.protocol = protocol(value)?,
            UrlOption::CaCerts => self.given.ca = path(),
            UrlOption::CertFile => self.given.certificate = path(),
            UrlOption::KeyFile => self.given.key = path(),
            UrlOption::SocketTimeout => self.timeouts.response = seconds(name, value)?,
            UrlOption::ConnectTimeout => self.timeouts.connect = seconds(name, value)?,
            // These two depend on each other; `set_verification` combines them.
            UrlOption::CertReqs | UrlOption::CheckHostname => {}
        }
        Ok(())
    }

    fn database(&self, name: &str, value: &str, in_path: Option<u16>) -> Result<u16, String> {
        let db = url::number(&format!("the option `{name}`"), value)?;
        match in_path {
            Some(in_path) if in_path != db => {
                Err(format!("the path names database {in_path}, and the option `{name}` names {db}; remove one"))
            }
            _ => Ok(db),
        }
    }

    fn set_master_name(&mut self, name: &str, value: &str) -> Result<(), String> {
        match &mut self.place {
            Place::Sentinels(_, Some(in_path)) if in_path != value => {
                Err(format!("the path and the option `{name}` name different groups of servers; remove one"))
            }
            Place::Sentinels(_, master_name) => {
                url::check_master_name(value)?;
                *master_name = Some(value.to_owned());
                Ok(())
            }
            _ => Err(format!("the option `{name}` needs sentinels; write redis+sentinel://HOST:PORT/NAME")),
        }
    }

    /// Combines `ssl_cert_reqs`, `ssl_check_hostname` and `#insecure`.
    fn set_verification(&mut self, options: &[GivenOption], insecure: bool) -> Result<(), String> {
        let find = |option| options.iter().find(|given| given.option == option);
        let is_verified = find(UrlOption::CertReqs).map(|given| is_verified(&given.value)).transpose()?;
        let has_hostname = find(UrlOption::CheckHostname).map(|given| flag(given.name, &given.value)).transpose()?;
        let (name, value) = match (insecure, is_verified, has_hostname) {
            (false, None, None) => return Ok(()),
            (true, Some(true), _) => return Err("`#insecure` contradicts `ssl_cert_reqs`; remove one".to_owned()),
            (true, _, Some(true)) => return Err("`#insecure` contradicts `ssl_check_hostname`; remove one".to_owned()),
            (_, Some(false), Some(true)) => {
                return Err("`ssl_cert_reqs=none` contradicts `ssl_check_hostname`; remove one".to_owned());
            }
            (true, ..) => ("`#insecure`", Verification::Disabled),
            (false, Some(false), _) => ("`ssl_cert_reqs`", Verification::Disabled),
            (false, _, Some(false)) => ("`ssl_check_hostname`", Verification::WithoutHostname),
            (false, Some(true), _) => ("`ssl_cert_reqs`", Verification::Full),
            (false, None, Some(true)) => ("`ssl_check_hostname`", Verification::Full),
        };
        self.given.verification = Some(Provided { name, value });
        Ok(())
    }

    /// Adds the variables and checks the combination.
    ///
    /// # Errors
    /// Returns one sentence per problem.
    pub(crate) fn into_address(self, variables: AddressVariables) -> Result<RedisAddress, Vec<String>> {
        let mut problems = Vec::new();
        let Self { place, tls, db, protocol, timeouts, given } = self;
        let given = given.merge(variables, &mut problems);
        let tls = given.tls(tls, &mut problems);
        let sentinel_option = name_of(&given.sentinel_username).or(name_of(&given.sentinel_password));
        let login = keep(login(given.username, given.password), &mut problems);
        let sentinel_login = keep(self::login(given.sentinel_username, given.sentinel_password), &mut problems);
        let endpoint = keep(endpoint(place, sentinel_login.unwrap_or_default()), &mut problems);
        if let (Some(RedisEndpoint::Server(_)), Some(name)) = (&endpoint, sentinel_option) {
            problems.push(format!("{name} needs sentinels; write redis+sentinel://HOST:PORT/NAME, or remove it"));
        }
        let (Some(endpoint), Some(login), []) = (endpoint, login, problems.as_slice()) else { return Err(problems) };
        let address = RedisAddress { endpoint, login, db, protocol, tls, timeouts };
        address.check_files().map_err(|problem| vec![problem])?;
        Ok(address)
    }
}

impl AddressVariables {
    /// Adds the values of `other`. Two different values for one setting are a problem.
    fn merge(self, other: Self, problems: &mut Vec<String>) -> Self {
        Self {
            username: merge(self.username, other.username, problems),
            password: merge(self.password, other.password, problems),
            sentinel_username: merge(self.sentinel_username, other.sentinel_username, problems),
            sentinel_password: merge(self.sentinel_password, other.sentinel_password, problems),
            ca: merge(self.ca, other.ca, problems),
            certificate: merge(self.certificate, other.certificate, problems),
            key: merge(self.key, other.key, problems),
            verification: merge(self.verification, other.verification, problems),
        }
    }

    /// Returns the TLS settings, or `None` if the scheme does not select TLS.
    fn tls(&self, is_selected: bool, problems: &mut Vec<String>) -> Option<RedisTls> {
        let names = [name_of(&self.ca), name_of(&self.certificate), name_of(&self.key), name_of(&self.verification)];
        if !is_selected {
            for name in names.into_iter().flatten() {
                problems.push(format!("{name} needs TLS; write rediss:// or rediss+sentinel://, or remove it"));
            }
            return None;
        }
        let client = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate { certificate: certificate.value.clone(), key: key.value.clone() })
            }
            (Some(given), None) => {
                problems.push(format!("{} needs a private key; set REDIS_TLS_KEY or `ssl_keyfile`", given.name));
                None
            }
            (None, Some(given)) => {
                problems.push(format!("{} needs a certificate; set REDIS_TLS_CERT or `ssl_certfile`", given.name));
                None
            }
            (None, None) => None,
        };
        let verification = self.verification.as_ref().map(|given| given.value).unwrap_or_default();
        Some(RedisTls { ca: self.ca.as_ref().map(|given| given.value.clone()), client, verification })
    }
}

fn name_of<T>(given: &Option<Provided<T>>) -> Option<&'static str> {
    given.as_ref().map(|given| given.name)
}

fn endpoint(place: Place, sentinel_login: Login) -> Result<RedisEndpoint, String> {
    match place {
        Place::Tcp(place) => Ok(RedisEndpoint::Server(ServerPlace::Tcp(place))),
        Place::Unix(path) => Ok(RedisEndpoint::Server(ServerPlace::Unix(path))),
        Place::Sentinels(sentinels, Some(master_name)) => {
            Ok(RedisEndpoint::Sentinels(SentinelGroup { sentinels, master_name, login: sentinel_login }))
        }
        Place::Sentinels(_, None) => {
            Err("no name of a group of servers; write redis+sentinel://HOST:PORT,HOST:PORT/NAME".to_owned())
        }
    }
}

/// Returns the login, unless a user has no password. A password alone is the one of the user
/// `default`.
fn login(username: Option<Provided<String>>, password: Option<Provided<Secret>>) -> Result<Login, String> {
    match (username, password) {
        (Some(username), None) => {
            Err(format!("{} has no password; if it is itself a password, write redis://:PASSWORD@HOST", username.name))
        }
        (username, password) => {
            Ok(Login { username: username.map(|given| given.value), password: password.map(|given| given.value) })
        }
    }
}

/// Returns the value that is set. Two different values are a problem.
fn merge<T: PartialEq>(
    one: Option<Provided<T>>,
    other: Option<Provided<T>>,
    problems: &mut Vec<String>,
) -> Option<Provided<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one.value != other.value => {
            problems.push(format!("{} and {} have different values; remove one", one.name, other.name));
            Some(one)
        }
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}

/// Sets a value of the query, unless the URL contains another one before the host.
fn set<T: PartialEq>(slot: &mut Option<Provided<T>>, name: &'static str, value: T) -> Result<(), String> {
    match slot {
        Some(earlier) if earlier.value != value => {
            Err(format!("{} and the option `{name}` have different values; remove one", earlier.name))
        }
        _ => {
            *slot = Some(Provided { name, value });
            Ok(())
        }
    }
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = value.parse().ok().filter(|seconds| (0.1..=300.0).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("the option `{name}` is not a number of seconds from 0.1 to 300"))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn protocol(value: &str) -> Result<ProtocolVersion, String> {
    match value {
        "2" | "resp2" => Ok(ProtocolVersion::RESP2),
        "3" | "resp3" => Ok(ProtocolVersion::RESP3),
        _ => Err("the option `protocol` is not 2 or 3".to_owned()),
    }
}

/// Returns whether `ssl_cert_reqs` selects the verification of the certificate.
fn is_verified(value: &str) -> Result<bool, String> {
    match value.to_lowercase().trim_start_matches("cert_") {
        "none" => Ok(false),
        // A server always sends its certificate, so an optional certificate is verified too.
        "optional" | "required" => Ok(true),
        _ => Err("the option `ssl_cert_reqs` is not `none`, `optional` or `required`".to_owned()),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("the option `{name}` is not `true` or `false`")),
    }
}
