//! Sets the folders in which the dynamic linker searches for libtorch when the plugin is loaded.
//!
//! Folders relative to the plugin come first, so that a checkout or a published folder can be moved
//! together with its `.tools`. The folder used at build time is last. `LD_LIBRARY_PATH`, which the
//! host sets from `LIBTORCH`, overrides all these folders.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let origin =
        if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos") { "@loader_path" } else { "$ORIGIN" };
    // The first folder is next to the library. The other folders lead to `.tools` from three
    // folders of a checkout: `plugins/lstm/`, `target/debug/` and `target/debug/deps/`.
    for folder in ["libtorch/lib", "../../.tools/libtorch/lib", "../../../.tools/libtorch/lib"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{origin}/{folder}");
    }
    if let Some(libtorch) = std::env::var_os("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", Path::new(&libtorch).join("lib").display());
    }
}
