//! Leaves out the C start code on hosts, where the linker is a C compiler; bare targets have none.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system != "none") {
        println!("cargo::rustc-link-arg-bins=-nostartfiles");
        // For `memcpy` and its like, which the compiler itself calls.
        println!("cargo::rustc-link-arg-bins=-lc");
    }
}
