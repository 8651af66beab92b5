//! Running an image for a person to watch.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use board_matrix::Qemu;
use clap::Args;
use firmware_tests::machine::HOST;
use firmware_tests::readings::{self, Audit};
use firmware_tests::{End, Image, Machine};
use ottla_broker::{Cluster, Config, NewTopic, Server};
use tokio::signal::ctrl_c;

/// Partitions of the topic, as the node takes for granted.
const PARTITIONS: i32 = 4;

/// How often the run is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Options of `run`.
#[derive(Args)]
pub(crate) struct Run {
    /// The image
    image: PathBuf,
    /// Machine of QEMU's
    #[arg(long)]
    machine: String,
    /// Model of its network interface
    #[arg(long)]
    nic: String,
    /// A Kafka that runs already, instead of a development broker made for the run
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Topic of the readings
    #[arg(long)]
    topic: String,
    /// Number of readings
    #[arg(long)]
    readings: u32,
    /// Milliseconds between two readings
    #[arg(long)]
    every: u32,
}

impl Run {
    pub(crate) fn run(self) -> Result<()> {
        let broker = match &self.bootstrap {
            Some(address) => Broker::Other(resolve(address)?),
            None => Broker::start(&self.topic)?,
        };
        println!("Kafka: {}", broker.describe());
        println!(
            "{} in QEMU: {} readings, one each {} ms; Ctrl-C ends it",
            self.machine, self.readings, self.every
        );
        let arguments = format!(
            "node broker={} topic={} count={} every={} time={}",
            seen_by_guest(broker.address()),
            self.topic,
            self.readings,
            self.every,
            SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        );
        let qemu = Qemu { machine: self.machine.clone(), nic: self.nic.clone() };
        let image = Image { path: self.image.clone(), qemu };
        let machine = Machine::start_with(&image, &arguments, |line| println!("  {line}"))?;
        let Some(end) = until_end_or_ctrl_c(machine)? else {
            println!("ended by Ctrl-C");
            return broker.tell(&self.topic, None);
        };
        print!("{}", end.said);
        broker.tell(&self.topic, Some(self.readings))?;
        ensure!(end.code == Some(0), "the image failed with code {:?}", end.code);
        Ok(())
    }
}

/// The end of a run, or none if a person ended it.
fn until_end_or_ctrl_c(mut machine: Machine) -> Result<Option<End>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupted = std::pin::pin!(ctrl_c());
        loop {
            if let Some(end) = machine.try_end()? {
                // QEMU is told of Ctrl-C, too, if it is typed at a terminal, and may be faster.
                let also = tokio::time::timeout(TICK, &mut interrupted).await;
                return Ok(also.is_err().then_some(end));
            }
            tokio::select! {
                result = &mut interrupted => {
                    result.context("Ctrl-C cannot be waited for")?;
                    return Ok(None);
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
    })
}

/// Where the image delivers to.
enum Broker {
    Own(Server, SocketAddr),
    Other(SocketAddr),
}

impl Broker {
    fn start(topic: &str) -> Result<Broker> {
        let mut cluster = Cluster::new(Config::new(1));
        let made = cluster.create_topic(&NewTopic::new(topic, PARTITIONS, 1));
        if let Err((code, text)) = made {
            bail!("topic {topic} cannot be made: {text} ({code})");
        }
        let server =
            Server::start(cluster, &[]).context("the development broker does not start")?;
        let address = server.addresses().first().copied().context("a broker without address")?;
        Ok(Broker::Own(server, address))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Broker::Own(_, address) | Broker::Other(address) => *address,
        }
    }

    fn describe(&self) -> String {
        match self {
            Broker::Own(_, address) => format!("a development broker at {address}"),
            Broker::Other(address) => address.to_string(),
        }
    }

    /// Says what the log holds. With `expected`, anything missing or surplus is an error.
    fn tell(&self, topic: &str, expected: Option<u32>) -> Result<()> {
        let Broker::Own(server, _) = self else {
            println!(
                "What arrived: kafka-console-consumer.sh --bootstrap-server {} --topic {topic} \
                 --from-beginning --property print.key=true --property print.headers=true",
                self.address()
            );
            return Ok(());
        };
        let readings = readings::of_server(server, topic)?;
        let mut numbers = Vec::new();
        for reading in &readings {
            numbers.push((reading.partition, reading.number()?));
        }
        let so_far = numbers.iter().map(|(_, number)| number + 1).max().unwrap_or_default();
        let mut audit = Audit::new(expected.unwrap_or(so_far));
        numbers.into_iter().for_each(|(partition, number)| audit.see(partition, number));
        println!("\nIn the broker's log, topic {topic}:\n{audit}");
        ensure!(expected.is_none() || audit.is_clean(), "readings are missing, or surplus");
        Ok(())
    }
}

fn resolve(address: &str) -> Result<SocketAddr> {
    let mut found = address.to_socket_addrs().with_context(|| {
        format!("--bootstrap {address}: want HOST:PORT, of a host that is known")
    })?;
    let found = found.find(SocketAddr::is_ipv4);
    found.with_context(|| format!("--bootstrap {address}: it has no IPv4 address"))
}

/// QEMU shows the guest this machine's loopback under another address.
fn seen_by_guest(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if !ip.is_loopback() => address.to_string(),
        _ => format!("{HOST}:{}", address.port()),
    }
}
