//! Every script on every host: a test for each of both. `UPDATE=1` in the environment records
//! traces anew before.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use ottla_scenarios::play;
use ottla_scenarios::script::Kind;

fn main() -> Result<ExitCode> {
    if let Some(good) = play::child() {
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let arguments = Arguments::from_args();
    let files = play::files(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let mut trials = Vec::new();
    for file in files {
        if std::env::var_os("UPDATE").is_some() && play::update(&file)? {
            println!("{}: recorded", file.display());
        }
        for kind in play::read(&file)?.hosts() {
            trials.push(trial(file.clone(), kind));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn trial(file: PathBuf, kind: Kind) -> Trial {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.display().to_string());
    Trial::test(format!("{stem}::{}", kind.name()), move || {
        play::play(&file, kind)
            .map_err(|error| Failed::from(format!("{error:#}")))?
            .map_err(Failed::from)
    })
}
