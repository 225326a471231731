//! Settings for Polygon. The worker serialises them for a job process.
//!
//! In: validated settings. Out: the same settings in the job process. Invariant: the API key is
//! revealed only to the job process.

use std::path::PathBuf;

use oculus_system::secret::{self, Secret};
use serde::{Deserialize, Serialize};

/// Settings for fetching and caching Polygon's market data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolygonConfig {
    /// URL that receives the requests, without a trailing slash.
    pub base_url: String,
    /// Other URLs of the same service, to which its responses may link.
    pub alias_urls: Vec<String>,
    /// API key.
    #[serde(with = "secret::revealed")]
    pub api_key: Secret,
    /// Maximum number of requests per minute, counted over all processes of this machine. 0 means
    /// no limit.
    pub requests_per_minute: u32,
    /// Folder of the cache.
    pub cache_dir: PathBuf,
}
