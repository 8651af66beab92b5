//! Runs a target on one input, and tells what the input means, where it means more than its bytes.
//! `cargo run -p ottla-fuzz --example input -- TARGET FILE`

use std::process::ExitCode;
use std::{env, fs};

use ottla_fuzz::{TARGETS, producer};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, path] = &arguments[..] else {
        eprintln!("error: a target and a file are needed");
        return ExitCode::FAILURE;
    };
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        eprintln!("error: there is no target {name}");
        return ExitCode::FAILURE;
    };
    let data = match fs::read(path) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("error: {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    if target.name == "producer" {
        producer::tell(&data);
    }
    (target.run)(&data);
    println!("{name} on {path}: nothing is broken");
    ExitCode::SUCCESS
}
