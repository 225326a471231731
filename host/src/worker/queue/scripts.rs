//! The Lua scripts of the queue. The head of each file states its KEYS, ARGV and reply.

use std::sync::LazyLock;

use redis::Script;

// A script in Redis cannot load another file. Therefore each script is a concatenation of files,
// and the files with shared functions come first.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("../scripts/", $file))),+)))
    };
}

pub(super) static FETCH: LazyLock<Script> = script!("ownership.lua", "token.lua", "fetch.lua");
pub(super) static NAME: LazyLock<Script> = script!("holder.lua", "ownership.lua", "name.lua");
pub(super) static START: LazyLock<Script> = script!("holder.lua", "ownership.lua", "start.lua");
pub(super) static RENEW: LazyLock<Script> = script!("holder.lua", "cancellation.lua", "renew.lua");
pub(super) static WATCH: LazyLock<Script> = script!("cancellation.lua", "watch.lua");
pub(super) static FINISH: LazyLock<Script> = script!(
    "holder.lua",
    "ownership.lua",
    "cancellation.lua",
    "dead_letter.lua",
    "submission.lua",
    "recent.lua",
    "finish.lua"
);
pub(super) static REAP: LazyLock<Script> =
    script!("ownership.lua", "cancellation.lua", "dead_letter.lua", "recent.lua", "reap.lua");
pub(super) static ADOPT: LazyLock<Script> =
    script!("holder.lua", "ownership.lua", "token.lua", "entries.lua", "adopt.lua");
pub(super) static AUDIT: LazyLock<Script> = script!("entries.lua", "audit.lua");
pub(super) static RIGHTS: LazyLock<Script> = script!("rights.lua");
pub(in crate::worker) static CANCEL: LazyLock<Script> =
    script!("token.lua", "ownership.lua", "entries.lua", "recent.lua", "cancel.lua");
pub(in crate::worker) static OVERVIEW: LazyLock<Script> = script!("overview.lua");
pub(in crate::worker) static READ_KEYS: LazyLock<Script> = script!("read_keys.lua");
pub(in crate::worker) static TAKE_LETTERS: LazyLock<Script> = script!("take_letters.lua");
pub(in crate::worker) static PRESENCE: LazyLock<Script> = script!("presence.lua");
