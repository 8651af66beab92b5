//! Every script on every host: a test for each of both. `UPDATE=1` in the environment records
//! traces anew before.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use ottla_scenarios::play;
use ottla_scenarios::script::Kind;

/// Seeds with which every script runs on the bare machine.
const SEEDS: u64 = 12;

fn main() -> Result<ExitCode> {
    if let Some(good) = play::child() {
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let arguments = Arguments::from_args();
    let files = play::files(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let mut trials = Vec::new();
    for file in files {
        if std::env::var_os("UPDATE").is_some() {
            match play::update(&file) {
                Ok(true) => println!("{}: recorded", file.display()),
                Ok(false) => {}
                // Its tests tell what is wrong.
                Err(_) => println!("{}: not recorded, as it fails", file.display()),
            }
        }
        trials.push(seeds(file.clone()));
        for kind in play::read(&file)?.hosts() {
            trials.push(trial(file.clone(), kind));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(String::new, |stem| stem.display().to_string())
}

/// Pauses that are drawn otherwise make no difference: the producer for tokio draws its seed.
fn seeds(file: PathBuf) -> Trial {
    Trial::test(format!("{}::seeds", stem(&file)), move || {
        play::play_seeds(&file, SEEDS)
            .map_err(|e| Failed::from(format!("{e:#}")))?
            .map_err(Failed::from)
    })
}

fn trial(file: PathBuf, kind: Kind) -> Trial {
    Trial::test(format!("{}::{}", stem(&file), kind.name()), move || {
        play::play(&file, kind)
            .map_err(|error| Failed::from(format!("{error:#}")))?
            .map_err(Failed::from)
    })
}
