//! Identifies a Redis server, so that a worker notices when another process answers at its address.
//!
//! In: the replies to `INFO`. Out: a [`ServerId`]. Invariant: a server that has restarted, and a
//! replica that has become the primary, have another id than before. Only such a server can have
//! lost writes.

use serde::{Deserialize, Serialize};

/// The identity of a server process and of the history of its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerId {
    /// A random id that the server draws at its start.
    run_id: String,
    /// A random id of the history of writes. It changes when a replica becomes the primary.
    replication_id: String,
}

impl ServerId {
    /// Returns the id in two sections of `INFO`, or `None` if they do not contain it.
    pub(super) fn from_info(server: &str, replication: &str) -> Option<Self> {
        Some(Self {
            run_id: field(server, "run_id")?.to_owned(),
            replication_id: field(replication, "master_replid")?.to_owned(),
        })
    }
}

/// Returns the value of a field of `INFO`, whose lines have the form `name:value`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_two_sections_of_info() {
        let replication = "# Replication\r\nrole:master\r\nmaster_replid:4e1f\r\nmaster_replid2:0000\r\n";
        let id = ServerId::from_info("# Server\r\nredis_version:7.0.15\r\nrun_id:9ab3\r\n", replication).unwrap();
        assert_eq!((id.run_id.as_str(), id.replication_id.as_str()), ("9ab3", "4e1f"));
        assert_eq!(ServerId::from_info("", replication), None);
    }
}
