//! placeholder
use anyhow::Result;
pub fn run() -> Result<()> {
    crate::setup::run()?;
    crate::cargo::build()
}
