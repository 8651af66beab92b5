//! The boards of `firmware-examples`, as data: what `[package.metadata.board]` says in the
//! `Cargo.toml` of each. And the table of them, for people.

mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
pub use table::{between_marks, readme};

/// Where the boards are, below the root of the project.
pub const FOLDER: &str = "firmware-examples";

/// A board: its folder, and what its metadata says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Its folder, which is the name of its package and of its image, too.
    #[serde(skip)]
    pub folder: String,
    /// Where that folder is.
    #[serde(skip)]
    pub path: PathBuf,
    /// What people call the board.
    pub name: String,
    /// The processor's core.
    pub core: String,
    /// The target of the compiler.
    pub target: String,
    /// Bytes of flash that an image may take.
    pub flash: u32,
    /// Bytes of RAM that an image may take.
    pub ram: u32,
    /// What connects it to the network.
    pub network: String,
    /// How it is tested.
    pub tested: String,
    /// What a compiler without this target's library has to build of it, beside `core`.
    #[serde(default)]
    pub build_std: Vec<String>,
    /// The chip, as probe-rs calls it; none for what runs in QEMU.
    pub chip: Option<String>,
    /// How QEMU runs it; none for real boards.
    pub qemu: Option<Qemu>,
}

/// How QEMU runs a board.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// The machine.
    pub machine: String,
    /// The model of its network interface.
    pub nic: String,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    board: Option<Board>,
}

/// All boards, those of QEMU first, each kind by the names of their folders.
pub fn all(root: &Path) -> Result<Vec<Board>> {
    let folder = root.join(FOLDER);
    let list =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut boards = Vec::new();
    for entry in list {
        let path = entry?.path();
        let manifest = path.join("Cargo.toml");
        if manifest.is_file() {
            let board = read(&manifest).with_context(|| format!("in {}", manifest.display()))?;
            boards.extend(board.map(|board| Board { path, ..board }));
        }
    }
    boards.sort_by_key(|board| (board.qemu.is_none(), board.folder.clone()));
    Ok(boards)
}

/// The board in a folder.
pub fn find(root: &Path, folder: &str) -> Result<Board> {
    let boards = all(root)?;
    match boards.iter().find(|board| board.folder == folder) {
        Some(board) => Ok(board.clone()),
        None => {
            let folders: Vec<&str> = boards.iter().map(|board| board.folder.as_str()).collect();
            bail!("there is no board {folder}; there are {}", folders.join(", "))
        }
    }
}

/// What a package says of its board, if it is one.
fn read(manifest: &Path) -> Result<Option<Board>> {
    let Manifest { package } = toml::from_str(&fs::read_to_string(manifest)?)?;
    let Some(board) = package.metadata.and_then(|metadata| metadata.board) else { return Ok(None) };
    if board.qemu.is_none() == board.chip.is_none() {
        bail!("a board has either a `chip`, for probe-rs, or a table `qemu`");
    }
    Ok(Some(Board { folder: package.name, ..board }))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
    }

    #[test]
    fn every_board_is_read_and_named_as_its_folder() {
        let boards = all(root()).unwrap();
        assert!(boards[0].qemu.is_some());
        for board in &boards {
            assert_eq!(board.path.file_name().unwrap(), board.folder.as_str());
            assert_eq!(&find(root(), &board.folder).unwrap(), board);
        }
    }

    #[test]
    fn an_unknown_board_is_answered_with_those_there_are() {
        let error = find(root(), "zx81").unwrap_err().to_string();
        assert!(error.starts_with("there is no board zx81; there are qemu-lm3s6965"), "{error}");
    }
}
