//! Running an image for a person to watch.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};
use board_matrix::{Board, FOLDER};

use super::Run;
use super::images::{self, Variant};
use crate::context::Context;
use crate::install;

pub(super) fn run(context: &Context, options: &Run) -> Result<()> {
    let board = board_matrix::find(&context.root, &options.board)?;
    let Some(qemu) = &board.qemu else {
        say_how(&board);
        return Ok(());
    };
    install::require(install::QEMU)?;
    let image = images::build(context, &board, Variant::Default)?;
    let mut tool = context.cargo(["run", "--quiet", "--package", "firmware-tests", "--", "run"]);
    tool.args(["--machine", &qemu.machine, "--nic", &qemu.nic, "--topic", &options.topic]);
    tool.args(["--readings", &options.readings.to_string()]);
    tool.args(["--every", &options.every.to_string()]);
    if let Some(bootstrap) = &options.bootstrap {
        tool.args(["--bootstrap", bootstrap]);
    }
    // In place of this program: it would end by Ctrl-C before the tool has said what arrived.
    let error = tool.arg(image).exec();
    Err(error).context("cannot run cargo")
}

/// Real boards have to be wired, and flashed by their owner.
fn say_how(board: &Board) {
    let Board { folder, name, chip, target, .. } = board;
    let chip = chip.as_deref().unwrap_or_default();
    println!(
        "{name} is a real board. Wire it as {FOLDER}/{folder}/README.md says; then, with HOST for \
         the address of a Kafka that it can reach:\n\n\
         \x20   rustup target add {target}\n\
         \x20   cd {FOLDER}/{folder}\n\
         \x20   OTTLA_BOOTSTRAP=HOST OTTLA_TIME=$(date +%s) cargo run --release\n\n\
         That flashes the image and shows its log, by `probe-rs run --chip {chip}`.\n\
         A Kafka for trying: cargo run --release -- dev-broker --listen HOST:9092 --topic readings:4"
    );
}
