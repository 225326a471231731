//! Where the plugin looks for libtorch when it is loaded.
//!
//! First relative to itself, so that a checkout (or a published folder) can move with its `.tools`; then where it was
//! built. `LD_LIBRARY_PATH` stands above both: the host sets it from `LIBTORCH`.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let origin =
        if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos") { "@loader_path" } else { "$ORIGIN" };
    // Beside the library; then from `plugins/lstm/`, `target/debug/` and `target/debug/deps/` of a checkout.
    for place in ["libtorch/lib", "../../.tools/libtorch/lib", "../../../.tools/libtorch/lib"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{origin}/{place}");
    }
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", Path::new(&libtorch).join("lib").display());
    }
}
