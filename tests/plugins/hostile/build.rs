//! Strips debugging information from the library, because tests copy it a thousand times.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,-S");
}
