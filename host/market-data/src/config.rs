//! Settings of the sources of bars, which are serialized for a job process.
//!
//! In: checked settings. Out: the same settings in another process. Invariant: the key is revealed
//! only to that process.

use std::path::PathBuf;

use oculus_system::secret::{self, Secret};
use serde::{Deserialize, Serialize};

/// Settings of fetching and caching Polygon's market data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolygonConfig {
    /// Base URL, without a slash at its end.
    pub base_url: String,
    /// The key.
    #[serde(with = "secret::revealed")]
    pub api_key: Secret,
    /// Requests per minute that the key's plan allows, for all processes of this machine together;
    /// 0 means no limit.
    pub requests_per_minute: u32,
    /// Folder of the cache.
    pub cache_dir: PathBuf,
}
