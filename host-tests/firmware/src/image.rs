//! Finding images.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use board_matrix::{Board, Qemu};

/// The folder of images.
const VARIABLE: &str = "OTTLA_FIRMWARE";

/// An image, and the machine that runs it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where it is.
    pub path: PathBuf,
    /// The machine.
    pub qemu: Qemu,
}

impl Image {
    /// The image of a board as users build it.
    pub fn of(folder: &str) -> Result<Image> {
        let board = board_matrix::find(root(), folder)?;
        let path = path(&board, "default")?;
        Ok(Image { path, qemu: board.qemu.with_context(|| format!("QEMU has no {folder}"))? })
    }
}

/// The root of the project.
pub fn root() -> &'static Path {
    let this_package = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_package.ancestors().nth(2).unwrap_or(this_package)
}

/// An image of a board by its variant: `default`, `plain`, `bare`.
pub fn path(board: &Board, variant: &str) -> Result<PathBuf> {
    let folder = env::var_os(VARIABLE).with_context(|| {
        format!(
            "{VARIABLE} does not say where images are; `cargo xtask test --only firmware` builds \
             them and sets it"
        )
    })?;
    let path = Path::new(&folder).join(format!("{}-{variant}", board.folder));
    fs::metadata(&path).with_context(|| format!("there is no image {}", path.display()))?;
    Ok(path)
}
