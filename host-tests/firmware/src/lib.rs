//! Images for microcontrollers, in QEMU: running them, reading their log, measuring them.
//!
//! Tests and tools find images in the folder that the variable `OTTLA_FIRMWARE` names, where
//! `cargo xtask firmware` and `cargo xtask test` put them.

pub mod image;
pub mod log;
pub mod machine;
pub mod readings;
pub mod size;
pub mod trial;

pub use image::Image;
pub use machine::{End, Machine};
