//! What a user's release build of the server side costs: crates, seconds, and no C. `cargo xtask
//! build-limit` measures all of it; the crates and the C are a step of the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::command::{read, run as run_command};
use crate::context::Context;
use crate::figures::cpu_seconds;

/// Crates that are built, Ottla's own included, the user's not.
const CRATES: usize = 25;

/// Seconds from nothing, on two cores.
const SECONDS: f64 = 25.0;

/// Crates by which a build compiles C, or looks for what C compiled.
const BUILDS_C: &[&str] = &[
    "bindgen",
    "cc",
    "cmake",
    "cxx-build",
    "nasm-rs",
    "pkg-config",
    "pkgconf",
    "system-deps",
    "vcpkg",
];

/// A user's package, with the features that come by default.
const MANIFEST: &str = r#"[package]
name = "user"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
"#;

/// A user's program: without one, nothing would be linked.
const PROGRAM: &str = r#"fn main() -> Result<(), ottla_tokio::ConfigError> {
    let config = ottla_tokio::Producer::builder().bootstrap_servers("localhost:9092").config()?;
    println!("{:?}, {} bytes", config.bootstrap_servers(), size_of::<ottla::Instant>());
    Ok(())
}
"#;

/// What `cargo metadata` tells.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    links: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    root: Option<String>,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The packages of a build, and what of them brings C.
#[derive(Debug, PartialEq, Eq)]
struct Built {
    crates: BTreeSet<String>,
    c: BTreeSet<String>,
}

/// Walks from the user's package along what is built: not along what only tests need.
fn built(metadata: &Metadata) -> Result<Built> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let root = metadata.resolve.root.as_deref().context("cargo tells no root")?;
    let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
    let (mut crates, mut c) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let package = packages.get(id).with_context(|| format!("cargo tells nothing of {id}"))?;
        let node = nodes.get(id).with_context(|| format!("cargo resolves nothing of {id}"))?;
        let name = format!("{} {}", package.name, package.version);
        if id != root {
            crates.insert(name.clone());
        }
        if let Some(links) = &package.links {
            c.insert(format!("{name} links {links}"));
        }
        if BUILDS_C.contains(&package.name.as_str()) {
            c.insert(name);
        }
        let is_built = |kind: &Kind| kind.kind.as_deref() != Some("dev");
        let needed = node.deps.iter().filter(|needed| needed.dep_kinds.iter().any(is_built));
        open.extend(needed.map(|needed| needed.pkg.as_str()));
    }
    Ok(Built { crates, c })
}

/// Makes the user's package; cargo locks what the workspace has locked.
fn make(context: &Context) -> Result<PathBuf> {
    let place = context.root.join(context.target_directory()).join("build-limit").join("user");
    let told = || place.display().to_string();
    fs::create_dir_all(place.join("src")).with_context(told)?;
    let path = |path: &str| context.root.join(path).display().to_string();
    let manifest = format!(
        "{MANIFEST}ottla = {{ path = {:?} }}\nottla-tokio = {{ path = {:?} }}\n",
        path("core"),
        path("adapters/tokio")
    );
    fs::write(place.join("Cargo.toml"), manifest).with_context(told)?;
    fs::write(place.join("src/main.rs"), PROGRAM).with_context(told)?;
    fs::copy(context.root.join("Cargo.lock"), place.join("Cargo.lock")).with_context(told)?;
    Ok(place)
}

/// Cargo in the user's package, as the user calls it.
fn cargo(context: &Context, place: &Path, arguments: &[&str]) -> Command {
    let mut cargo = context.cargo(arguments.iter().copied());
    cargo.current_dir(place);
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_JOBS"] {
        cargo.env_remove(variable);
    }
    cargo
}

/// The check: how many crates, and none with C. Nothing is built, and nothing fetched.
pub(crate) fn check(context: &Context) -> Result<()> {
    look(context, &make(context)?)
}

fn look(context: &Context, place: &Path) -> Result<()> {
    let host = read(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("no host")?;
    let told = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
    let metadata = read(&mut cargo(context, place, &told))?;
    let Built { crates, c } = built(&serde_json::from_str(&metadata)?)?;
    println!("   {} crates, at most {CRATES}; {} with C, at most 0", crates.len(), c.len());
    let list = |of: &BTreeSet<String>| of.iter().cloned().collect::<Vec<_>>().join(", ");
    ensure!(
        crates.len() <= CRATES,
        "a user's build has {} crates, more than {CRATES}: {}",
        crates.len(),
        list(&crates)
    );
    ensure!(c.is_empty(), "a user's build has C in it: {}", list(&c));
    Ok(())
}

/// All of it, and how long the build takes.
pub(crate) fn run(context: &Context) -> Result<()> {
    let place = make(context)?;
    run_command(&mut cargo(context, &place, &["fetch"]))?;
    look(context, &place)?;
    let target = place.with_file_name("target");
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| target.display().to_string())?;
    }
    let (begun, cpu) = (Instant::now(), cpu_seconds()?);
    let mut build = cargo(context, &place, &["build", "--release", "--offline", "--jobs", "2"]);
    let result = run_command(build.arg("--target-dir").arg(&target));
    let seconds = begun.elapsed().as_secs_f64();
    fs::remove_dir_all(&target).with_context(|| target.display().to_string())?;
    result?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let cpu = cpu_seconds()? - cpu;
    println!(
        "   {seconds:.1} s with two jobs, at most {SECONDS}; {cpu} s of CPU time, load {load}"
    );
    ensure!(
        seconds <= SECONDS,
        "a user's release build takes {seconds:.1} s, more than {SECONDS}; with nothing else on two cores, \
         its {cpu} s of CPU time take {:.1} s at least",
        cpu as f64 / 2.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user who needs `a`, which needs what is given, each with the kind of the need.
    fn metadata(packages: &[(&str, Option<&str>, Option<&str>)]) -> Metadata {
        let package = |name: &str, links: Option<&str>| Package {
            id: name.into(),
            name: name.into(),
            version: "1.0.0".into(),
            links: links.map(str::to_owned),
        };
        let needs = |pkg: &str, kind: Option<&str>| Dependency {
            pkg: pkg.into(),
            dep_kinds: vec![Kind { kind: kind.map(str::to_owned) }],
        };
        let node = |id: &str, deps| Node { id: id.into(), deps };
        let mut all = vec![package("user", None), package("a", None)];
        let needed = packages.iter().map(|(name, _, kind)| needs(name, *kind)).collect();
        let mut nodes = vec![node("user", vec![needs("a", None)]), node("a", needed)];
        for (name, links, _) in packages {
            all.push(package(name, *links));
            nodes.push(node(name, Vec::new()));
        }
        Metadata { packages: all, resolve: Resolve { root: Some("user".into()), nodes } }
    }

    #[test]
    fn crates_are_counted_without_the_users_own_and_without_those_of_tests() {
        let of = built(&metadata(&[("b", None, None), ("test", None, Some("dev"))])).unwrap();
        assert_eq!(of.crates, ["a 1.0.0".to_owned(), "b 1.0.0".to_owned()].into());
        assert!(of.c.is_empty());
    }

    #[test]
    fn c_is_found_by_what_builds_it_and_by_what_it_links() {
        let of = built(&metadata(&[("cc", None, Some("build")), ("z-sys", Some("z"), None)]));
        let expected = ["cc 1.0.0".to_owned(), "z-sys 1.0.0 links z".to_owned()];
        assert_eq!(of.unwrap().c, expected.into());
    }
}
