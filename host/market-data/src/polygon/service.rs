//! The addresses of the market-data service: the one that receives requests, and the names by which
//! links may refer to it.
//!
//! In: the configured addresses, and links of a response. Out: addresses that may receive the API
//! key. Invariant: a link to any other server is rejected.
//!
//! The service has two host names since October 2025, `api.polygon.io` and `api.massive.com`, and a
//! response of one may link to the other. Further pages are always requested from the configured
//! address: the names stand for one service, and a firewall may permit only one of them.

use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Response, Url};

use super::error::PolygonError;
use crate::config::PolygonConfig;

/// The addresses of one service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    base: Url,
    aliases: Vec<Url>,
}

/// The reason that a link cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The link is not a URL.
    Invalid,
    /// The link refers to another server. The value is its scheme, host and port.
    Foreign(String),
}

impl Service {
    /// Parses the configured addresses.
    ///
    /// # Errors
    /// Returns [`PolygonError::Client`] if an address is not a URL.
    pub(crate) fn from_config(config: &PolygonConfig) -> Result<Self, PolygonError> {
        let parse = |url: &String| Url::parse(url).map_err(|error| PolygonError::Client(error.to_string()));
        let aliases = config.alias_urls.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { base: parse(&config.base_url)?, aliases })
    }

    /// Returns the address that receives the requests.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Formats the names of the service for an error message.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in self.all().map(|url| url.origin().ascii_serialization()) {
            // The base address may also be an alias.
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }

    /// Returns the path and query at the base address to which a link refers, without the API key.
    ///
    /// # Errors
    /// Returns [`LinkError`] if the link refers to another server or is not a URL.
    pub(crate) fn path_of(&self, link: &str) -> Result<String, LinkError> {
        let url = self.base.join(link).map_err(|_| LinkError::Invalid)?;
        let foreign = || LinkError::Foreign(url.origin().ascii_serialization());
        let name = self.named_in(&url).ok_or_else(foreign)?;
        // An address may have a path of its own, below which the service is.
        let below = url.path().strip_prefix(name.path().trim_end_matches('/')).ok_or_else(foreign)?;
        let path = self.base.path().trim_end_matches('/');
        // Polygon accepts the key as a query parameter too, and may repeat it in its URLs.
        let is_key = |pair: &&str| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("apikey"));
        let query: Vec<&str> = url.query().unwrap_or_default().split('&').filter(|pair| !is_key(pair)).collect();
        Ok(format!("{path}{below}?{}", query.join("&")))
    }

    /// Returns the target of a redirect if it is an address of the service. Otherwise returns the
    /// other server, for an error message.
    pub(crate) fn redirect_target(&self, response: &Response) -> Result<Url, String> {
        let location = response.headers().get(LOCATION).map(HeaderValue::to_str);
        let Some(Ok(location)) = location else { return Err("no address".to_owned()) };
        let target = response.url().join(location).map_err(|_| "an invalid address".to_owned())?;
        match self.named_in(&target) {
            Some(_) => Ok(target),
            None => Err(target.origin().ascii_serialization()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Url> {
        [&self.base].into_iter().chain(&self.aliases)
    }

    /// Returns the address of the service whose scheme, host and port a URL has.
    fn named_in(&self, url: &Url) -> Option<&Url> {
        // A URL without a host, such as `file:`, has an opaque origin. Such a URL is rejected as well.
        self.all().find(|name| url.has_host() && name.origin() == url.origin())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use oculus_system::secret::Secret;

    use super::*;

    /// Returns a service with a base address and further names.
    pub(crate) fn service(base_url: &str, aliases: &[&str]) -> Service {
        let config = PolygonConfig {
            base_url: base_url.to_owned(),
            alias_urls: aliases.iter().map(|url| (*url).to_owned()).collect(),
            api_key: Secret::new("key"),
            requests_per_minute: 0,
            cache_dir: PathBuf::new(),
        };
        Service::from_config(&config).unwrap()
    }

    #[test]
    fn a_link_to_any_name_of_the_service_is_a_path_at_the_base_address() {
        let names = ["https://api.polygon.io", "https://api.massive.com"];
        for base in names {
            let service = service(base, &names);
            for name in names {
                let link = format!("{name}/v2/aggs?cursor=b%3D&apiKey=k");
                assert_eq!(service.path_of(&link).as_deref(), Ok("/v2/aggs?cursor=b%3D"), "{base} {link}");
            }
            assert_eq!(service.path_of("/v2/aggs?cursor=1").as_deref(), Ok("/v2/aggs?cursor=1"));
        }
        let behind_a_proxy = service("http://localhost:1/market/", &["https://api.massive.com"]);
        for link in ["https://api.massive.com/v2?cursor=1", "http://localhost:1/market/v2?cursor=1"] {
            assert_eq!(behind_a_proxy.path_of(link).as_deref(), Ok("/market/v2?cursor=1"), "{link}");
        }
    }

    #[test]
    fn a_link_to_another_scheme_host_or_port_is_rejected() {
        let service = service("https://api.polygon.io", &["https://api.massive.com"]);
        for (link, found) in [
            ("https://evil.example/v2?cursor=1", "https://evil.example"),
            ("http://api.polygon.io/v2?cursor=1", "http://api.polygon.io"),
            ("http://api.massive.com/v2?cursor=1", "http://api.massive.com"),
            ("https://api.massive.com:8443/v2", "https://api.massive.com:8443"),
            ("https://api.massive.com@evil.example/v2", "https://evil.example"),
            ("https://api.massive.com.evil.example/v2", "https://api.massive.com.evil.example"),
            ("//evil.example/v2", "https://evil.example"),
            ("file:///etc/passwd", "null"),
        ] {
            assert_eq!(service.path_of(link), Err(LinkError::Foreign(found.to_owned())), "{link}");
        }
        assert_eq!(service.path_of("https://"), Err(LinkError::Invalid));
        let both = ["https://api.polygon.io", "https://api.massive.com"];
        assert_eq!(self::service(both[1], &both).names(), "https://api.massive.com, https://api.polygon.io");
    }
}
