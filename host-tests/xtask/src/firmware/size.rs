//! Measuring images.

use std::collections::BTreeSet;

use anyhow::Result;

use super::images::{self, Variant};
use crate::command::run;
use crate::context::Context;
use crate::cross::Toolchain;

/// Builds the images that are measured, with the client and without it, and has them measured.
pub(super) fn measure(context: &Context, save: bool) -> Result<()> {
    let mut tool = context.cargo(["run", "--quiet", "--package", "firmware-tests", "--", "size"]);
    let mut compilers = BTreeSet::new();
    for board in board_matrix::all(&context.root)?.iter().filter(|board| board.qemu.is_some()) {
        for variant in [Variant::Plain, Variant::Bare] {
            images::build(context, board, variant)?;
        }
        compilers.insert(Toolchain::for_target(&board.target)?.version()?);
    }
    tool.args(["--compiler", &compilers.into_iter().collect::<Vec<_>>().join(", ")]);
    if save {
        tool.arg("--save");
    }
    run(tool.env(images::VARIABLE, images::folder(context)))
}
