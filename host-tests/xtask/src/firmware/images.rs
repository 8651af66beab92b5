//! Building images.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use board_matrix::Board;

use crate::command::run;
use crate::context::Context;
use crate::cross::Toolchain;

/// Where tests and tools look for images.
pub(crate) const VARIABLE: &str = "OTTLA_FIRMWARE";

/// An image of a board, by its features.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    /// As users build it.
    Default,
    /// Without log and without the watchdog's task: what is measured.
    Plain,
    /// That, without the client.
    Bare,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Default => "default",
            Variant::Plain => "plain",
            Variant::Bare => "bare",
        }
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Variant::Default => &[],
            Variant::Plain => &["--no-default-features"],
            Variant::Bare => &["--no-default-features", "--features", "bare"],
        }
    }
}

/// Where images are kept.
pub(crate) fn folder(context: &Context) -> PathBuf {
    context.root.join(context.target_directory()).join("firmware")
}

/// Builds an image and copies it to where images are kept, since the next variant overwrites it.
pub(crate) fn build(context: &Context, board: &Board, variant: Variant) -> Result<PathBuf> {
    let toolchain = Toolchain::for_target(&board.target)?;
    let mut command = toolchain.build_board(context, board);
    run(command.args(variant.features())).with_context(|| format!("board {}", board.folder))?;
    let built = board.path.join("target").join(&board.target).join("release").join(&board.folder);
    let kept = folder(context).join(format!("{}-{}", board.folder, variant.name()));
    fs::create_dir_all(folder(context))?;
    fs::copy(&built, &kept)
        .with_context(|| format!("cannot copy {} to {}", built.display(), kept.display()))?;
    Ok(kept)
}
