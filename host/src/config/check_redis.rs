//! Checks the variables of the connection to Redis.

use std::path::PathBuf;

use super::check::Checker;
use super::redis_address::{self, AddressParts, AddressVariables, Provided, RedisAddress, Verification};

impl Checker<'_> {
    /// Returns the address of Redis.
    pub(super) fn redis(&mut self) -> RedisAddress {
        let built = self.redis_host();
        let variables = self.redis_variables();
        // The origin and the hidden URL are part of each message.
        let (parts, place) = match self.layers.get("REDIS_URL") {
            Some(url) => {
                let place =
                    format!("REDIS_URL: found `{}` ({}): ", redis_address::without_secrets(&url.text), url.origin);
                (AddressParts::from_url(&url.text), place)
            }
            None => (built, "REDIS_HOST: ".to_owned()),
        };
        match parts.and_then(|parts| parts.into_address(variables)) {
            Ok(address) => {
                self.warn_of_unverified(&address);
                address
            }
            Err(problems) => {
                self.problems.extend(problems.iter().map(|problem| format!("invalid {place}{problem}")));
                // This address is never used, because a configuration with problems is rejected.
                RedisAddress::local()
            }
        }
    }

    /// Returns the address in `REDIS_HOST`, `REDIS_PORT` and `REDIS_DB`. Invalid values are replaced
    /// by their defaults.
    fn redis_host(&mut self) -> Result<AddressParts, Vec<String>> {
        let host = self.required("REDIS_HOST", redis_address::parse_host);
        let port = self.number("REDIS_PORT", 1..=65535) as u16;
        let db = self.number("REDIS_DB", 0..=65535) as u16;
        Ok(AddressParts::from_host(redis_address::HostPort { host, port }, db))
    }

    /// Returns the variables that complete an address.
    fn redis_variables(&mut self) -> AddressVariables {
        let verification = self.read("REDIS_TLS_VERIFY", |text| match text.to_lowercase().as_str() {
            "full" => Some(Verification::Full),
            "authority" => Some(Verification::WithoutHostname),
            "none" => Some(Verification::Disabled),
            _ => None,
        });
        AddressVariables {
            username: provided("REDIS_USERNAME", self.read("REDIS_USERNAME", |text| Some(text.to_owned()))),
            password: provided("REDIS_PASSWORD", self.secret("REDIS_PASSWORD", |_| true)),
            sentinel_username: provided(
                "REDIS_SENTINEL_USERNAME",
                self.read("REDIS_SENTINEL_USERNAME", |text| Some(text.to_owned())),
            ),
            sentinel_password: provided("REDIS_SENTINEL_PASSWORD", self.secret("REDIS_SENTINEL_PASSWORD", |_| true)),
            ca: self.file("REDIS_TLS_CA"),
            certificate: self.file("REDIS_TLS_CERT"),
            key: self.file("REDIS_TLS_KEY"),
            verification: provided("REDIS_TLS_VERIFY", verification),
        }
    }

    /// Returns a variable that is the path of a file.
    fn file(&mut self, name: &'static str) -> Option<Provided<PathBuf>> {
        let folder = self.folder;
        provided(name, self.read(name, |path| Some(folder.join(path))))
    }

    fn warn_of_unverified(&mut self, address: &RedisAddress) {
        let unverified = match address.tls().map(|tls| tls.verification) {
            Some(Verification::Disabled) => "the certificate of Redis is not verified",
            Some(Verification::WithoutHostname) => "the host name in the certificate of Redis is not verified",
            Some(Verification::Full) | None => return,
        };
        self.warnings.push(format!(
            "{unverified}, so another server could pose as Redis; set REDIS_TLS_CA to the certificate authority and \
             REDIS_TLS_VERIFY=full"
        ));
    }
}

fn provided<T>(name: &'static str, value: Option<T>) -> Option<Provided<T>> {
    value.map(|value| Provided { name, value })
}
