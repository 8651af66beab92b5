//! Sizes of images: measured, compared with their budget, written down for people.

mod budget;
mod measure;
mod modules;
mod report;

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::image;
use budget::Budget;
use measure::Sizes;

/// Sizes of one board's images.
struct Measured {
    folder: String,
    target: String,
    /// The image with the client.
    plain: Sizes,
    /// The image without it.
    bare: Sizes,
}

/// Measures the images of all boards of QEMU, prints the sizes, and checks them against the
/// budget or keeps them as the new one. Sizes depend on `compiler`.
pub fn run(compiler: &str, save: bool) -> Result<()> {
    let root = image::root();
    let mut boards = Vec::new();
    for board in board_matrix::all(root)?.into_iter().filter(|board| board.qemu.is_some()) {
        let measure = |variant| measure::measure(&image::path(&board, variant)?, root);
        let (plain, bare) = (measure("plain")?, measure("bare")?);
        boards.push(Measured { folder: board.folder, target: board.target, plain, bare });
    }
    println!("{}", report::for_terminal(&boards));
    let path = root.join(board_matrix::FOLDER).join("sizes.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let budget = Budget::read(&text).with_context(|| format!("in {}", path.display()))?;
    if save {
        fs::write(&path, budget::with_sizes(&text, compiler, &boards)?)?;
        let readme = root.join("README.md");
        let text = fs::read_to_string(&readme)?;
        let table = report::for_readme(compiler, &boards);
        let text = board_matrix::between_marks(&text, "<!-- sizes -->", &table);
        fs::write(&readme, text.with_context(|| format!("in {}", readme.display()))?)?;
        println!("kept in {}, and in {}", path.display(), readme.display());
    }
    let problems =
        if save { budget.limits_passed(&boards) } else { budget.problems(compiler, &boards) };
    ensure!(problems.is_empty(), "images are too large:\n{}", problems.join("\n"));
    Ok(())
}
