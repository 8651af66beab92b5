//! A run of an image in QEMU.

use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use tempfile::TempDir;

use crate::image::Image;
use crate::log;

const QEMU: &str = "qemu-system-arm";

/// Where the guest reaches this machine's loopback.
pub const HOST: &str = "10.0.2.2";

/// Name of the network interface.
const NIC: &str = "network";

/// Name of the monitor's socket.
const MONITOR: &str = "monitor";

/// How long QEMU may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How often a run is looked at.
const TICK: Duration = Duration::from_millis(20);

/// An image that runs. It is ended when this is dropped.
#[derive(Debug)]
pub struct Machine {
    process: Child,
    /// Where QEMU's monitor listens.
    directory: TempDir,
    log: Arc<Mutex<Vec<String>>>,
    /// Reads the log until QEMU ends.
    reader: Option<JoinHandle<Result<()>>>,
    /// Reads what QEMU and the image say in plain text.
    listener: Option<JoinHandle<String>>,
    started: Instant,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct End {
    /// The code that QEMU ended with: the image's verdict. See the package `qemu-machine`.
    pub code: Option<i32>,
    /// What the image said in plain text: how it ended, and what it used.
    pub said: String,
    /// The lines of its log.
    pub log: Vec<String>,
    /// How long it ran.
    pub took: Duration,
}

impl Machine {
    /// Runs an image with these arguments.
    pub fn start(image: &Image, arguments: &str) -> Result<Machine> {
        Machine::start_with(image, arguments, |_| {})
    }

    /// As [`Machine::start`], and passes each line of the log on as it comes.
    pub fn start_with(
        image: &Image,
        arguments: &str,
        mut line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Machine> {
        let table = log::table(&image.path)?;
        let mut command = Command::new(QEMU);
        command.args(["-machine", &image.qemu.machine]);
        command.args(["-display", "none", "-serial", "none"]);
        let directory = TempDir::with_prefix("ottla-qemu-").context("no temporary directory")?;
        let monitor = directory.path().join(MONITOR);
        command.args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())]);
        let words = std::iter::once("image").chain(arguments.split_whitespace());
        let words: String = words.map(|word| format!(",arg={}", word.replace(',', ",,"))).collect();
        command.args(["-semihosting-config", &format!("enable=on,target=native{words}")]);
        command.args(["-nic", &format!("user,id={NIC},model={}", image.qemu.nic)]);
        command.arg("-kernel").arg(&image.path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| {
            format!("cannot run `{QEMU}`; `cargo xtask setup` installs what is missing")
        })?;
        let stdout = process.stdout.take().context("no standard output")?;
        let mut stderr = process.stderr.take().context("no standard error")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let reader = thread::spawn(move || {
            log::follow(stdout, &table, |text| {
                line(&text);
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            })
        });
        let listener = thread::spawn(move || {
            let mut said = Vec::new();
            // What was read until then is what there is.
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        let (reader, listener) = (Some(reader), Some(listener));
        Ok(Machine { process, directory, log, reader, listener, started: Instant::now() })
    }

    /// The lines of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pulls the network's cable out, or puts it back in. What is sent meanwhile is lost.
    pub fn plug(&self, connected: bool) -> Result<()> {
        let path = self.directory.path().join(MONITOR);
        let deadline = Instant::now() + START_LIMIT;
        let mut monitor = loop {
            match UnixStream::connect(&path) {
                Ok(monitor) => break monitor,
                Err(_) if Instant::now() < deadline => thread::sleep(TICK),
                Err(error) => return Err(error).context("QEMU's monitor does not listen"),
            }
        };
        monitor.set_read_timeout(Some(START_LIMIT))?;
        let state = if connected { "on" } else { "off" };
        until_prompt(&mut monitor)?;
        writeln!(monitor, "set_link {NIC} {state}")?;
        let said = until_prompt(&mut monitor)?;
        if said.contains("not found") {
            bail!("QEMU does not know its network interface: {said}");
        }
        Ok(())
    }

    /// How the run ended, if it has.
    pub fn try_end(&mut self) -> Result<Option<End>> {
        let Some(status) = self.process.try_wait().context("cannot wait for QEMU")? else {
            return Ok(None);
        };
        let took = self.started.elapsed();
        let reader = self.reader.take().context("a run ends once")?;
        reader.join().map_err(|_| anyhow!("reading the log failed"))??;
        let listener = self.listener.take().context("a run ends once")?;
        let said = listener.join().map_err(|_| anyhow!("listening failed"))?;
        Ok(Some(End { code: status.code(), said, log: self.log(), took }))
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// If it has not ended within `limit`, with the last lines of its log.
    pub fn wait(mut self, limit: Duration) -> Result<End> {
        let deadline = self.started + limit;
        loop {
            if let Some(end) = self.try_end()? {
                return Ok(end);
            }
            if Instant::now() > deadline {
                let log = self.log();
                let last = log[log.len().saturating_sub(30)..].join("\n");
                bail!("the image still runs after {limit:?}; its log ends\n{last}");
            }
            thread::sleep(TICK);
        }
    }
}

fn until_prompt(monitor: &mut UnixStream) -> Result<String> {
    let mut said = Vec::new();
    while !said.ends_with(b"(qemu) ") {
        let mut byte = [0];
        monitor.read_exact(&mut byte).context("QEMU's monitor has ended")?;
        said.extend(byte);
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It has ended by itself, or it ends now; nobody is told either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
