//! Leaves debugging information out of the library: tests copy it a thousand times.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,-S");
}
