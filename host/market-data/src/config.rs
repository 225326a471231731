//! Settings of the sources of bars, and their form on the way to a job process.

use std::path::PathBuf;

use oculus_system::secret::{self, Secret};
use serde::{Deserialize, Serialize};

/// How Polygon's market data is fetched and kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolygonConfig {
    /// Base address, without a slash at its end.
    pub base_url: String,
    /// The key.
    #[serde(with = "secret::revealed")]
    pub api_key: Secret,
    /// Requests that the key's plan allows a minute, of all processes of this machine together; 0 is without limit.
    pub requests_per_minute: u32,
    /// Folder of the cache.
    pub cache_dir: PathBuf,
}
