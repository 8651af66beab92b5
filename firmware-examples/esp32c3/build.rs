//! Arguments for the linker. Here and not in `.cargo/config.toml`, so that they also hold where
//! `RUSTFLAGS` is set or cargo is started from another folder.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in ["-Tlinkall.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
