//! The jars of Kafka and the compiled Java side of the harness.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::cache;
use crate::java::finish;

/// The Java side, file by file.
const SOURCES: [&str; 2] = ["Harness.java", "Administration.java"];

/// A release of Kafka that nodes can be of. The tools and the harness's own clients are always
/// those of the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The one that `pom.xml` names.
    #[default]
    Newest,
    /// The last of Kafka 3.
    Last3,
}

impl Release {
    /// Its number, where it is not the one of `pom.xml`.
    const fn number(self) -> Option<&'static str> {
        match self {
            Release::Newest => None,
            Release::Last3 => Some("3.9.1"),
        }
    }
}

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
        Artifacts::of(Release::Newest)
    }

    /// The same with the jars of a release.
    pub(crate) fn of(release: Release) -> Result<&'static Artifacts> {
        static NEWEST: OnceLock<Artifacts> = OnceLock::new();
        static LAST_3: OnceLock<Artifacts> = OnceLock::new();
        let place = match release {
            Release::Newest => &NEWEST,
            Release::Last3 => &LAST_3,
        };
        match place.get() {
            Some(artifacts) => Ok(artifacts),
            None => {
                let artifacts = Artifacts::make(release)?;
                Ok(place.get_or_init(|| artifacts))
            }
        }
    }

    fn make(release: Release) -> Result<Artifacts> {
        // Our classes are compiled with the newest jars, whatever they run with.
        let newest = match release {
            Release::Newest => None,
            Release::Last3 => Some(Artifacts::get()?),
        };
        let directory = cache::directory()?.join("kafka");
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let lock: File = cache::lock_file(&directory.join("lock"))?;
        lock.lock().context("cannot lock the cache")?;

        let pom = read(&source("pom.xml"))?;
        if let (Some(newest), Some(number)) = (newest, release.number()) {
            let artifacts = Artifacts {
                jars: directory.join(format!("jars-{number}")),
                classes: newest.classes.clone(),
            };
            cache::make_once(&artifacts.jars, &(pom + number), || artifacts.fetch(Some(number)))?;
            return Ok(artifacts);
        }
        let mut java = pom.clone();
        for name in SOURCES {
            java += &read(&source(name))?;
        }
        // Named after what is in it: several working copies may share the cache, and none may
        // take away what another one runs.
        let mut hasher = DefaultHasher::new();
        java.hash(&mut hasher);
        let artifacts = Artifacts {
            jars: directory.join("jars"),
            classes: directory.join(format!("classes-{:016x}", hasher.finish())),
        };
        cache::make_once(&artifacts.jars, &pom, || artifacts.fetch(None))?;
        cache::make_once(&artifacts.classes, &java, || artifacts.compile())?;
        Ok(artifacts)
    }

    fn fetch(&self, number: Option<&str>) -> Result<()> {
        eprintln!("fetching Kafka's jars into {}", self.jars.display());
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "--file"]).arg(source("pom.xml"));
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        // Kafka 3 brings a bridge to its own version of log4j, beside the one of ours.
        maven.arg("-DexcludeArtifactIds=slf4j-reload4j");
        maven.args(number.map(|number| format!("-Dkafka.version={number}")));
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
        compiler.arg(&self.classes).args(SOURCES.map(source));
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
