//! The jars of Kafka and the compiled Java side of the harness.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::cache;
use crate::java::finish;

/// Kafka's jars and our own classes, in the cache.
#[derive(Debug)]
pub struct Artifacts {
    jars: PathBuf,
    classes: PathBuf,
}

impl Artifacts {
    /// Fetches and compiles what the cache does not hold yet. The first call of a machine takes
    /// about a minute.
    pub fn get() -> Result<&'static Artifacts> {
        static ARTIFACTS: OnceLock<Artifacts> = OnceLock::new();
        match ARTIFACTS.get() {
            Some(artifacts) => Ok(artifacts),
            None => {
                let artifacts = Artifacts::make()?;
                Ok(ARTIFACTS.get_or_init(|| artifacts))
            }
        }
    }

    fn make() -> Result<Artifacts> {
        let directory = cache::directory()?.join("kafka");
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let lock: File = cache::lock_file(&directory.join("lock"))?;
        lock.lock().context("cannot lock the cache")?;

        let artifacts =
            Artifacts { jars: directory.join("jars"), classes: directory.join("classes") };
        let pom = read(&source("pom.xml"))?;
        let harness = read(&source("Harness.java"))?;
        cache::make_once(&artifacts.jars, &pom, || artifacts.fetch())?;
        cache::make_once(&artifacts.classes, &(harness + &pom), || artifacts.compile())?;
        Ok(artifacts)
    }

    fn fetch(&self) -> Result<()> {
        eprintln!("fetching Kafka's jars into {}", self.jars.display());
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "--file"]).arg(source("pom.xml"));
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", self.jars.display()));
        finish(&mut maven).map(drop)
    }

    fn compile(&self) -> Result<()> {
        let mut compiler = Command::new("javac");
        compiler.args([
            "--release",
            "17",
            "-Xlint:all",
            "-Werror",
            "-classpath",
            &self.class_path(),
            "-d",
        ]);
        compiler.arg(&self.classes).arg(source("Harness.java"));
        finish(&mut compiler).map(drop)
    }

    /// What `java -classpath` takes to find all classes.
    pub(crate) fn class_path(&self) -> String {
        format!("{}:{}/*", self.classes.display(), self.jars.display())
    }

    /// The jar of one Maven artifact, for example `kafka-clients`, which holds Kafka's message
    /// definitions.
    pub fn jar(&self, artifact: &str) -> Result<PathBuf> {
        let is_version = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
        for entry in fs::read_dir(&self.jars)
            .with_context(|| format!("cannot list {}", self.jars.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let version = name.strip_prefix(artifact).and_then(|rest| rest.strip_prefix('-'));
            if version.is_some_and(is_version) {
                return Ok(path);
            }
        }
        anyhow::bail!("no jar of {artifact} in {}", self.jars.display())
    }
}

/// A file of the Java side.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("java").join(name)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
