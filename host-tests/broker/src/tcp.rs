//! A cluster on sockets: one listener per node, one task per connection, all on one thread.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use crate::cluster::Cluster;
use crate::config::Address;
use crate::connection::Connection;

/// Bytes that are read at a time.
const BUFFER: usize = 64 * 1024;

/// Pause after a failure to accept a connection, such as a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A cluster that is served over TCP. It ends when this is dropped.
///
/// A node that was killed still accepts connections, and closes them at once.
///
/// ```
/// use ottla_broker::{Cluster, Config, Server};
///
/// # fn main() -> std::io::Result<()> {
/// let server = Server::start(Cluster::new(Config::new(3)), &[])?;
/// println!("bootstrap.servers={}", server.addresses()[0]);
/// server.with(|cluster, now| cluster.kill(now, 2)).expect("there is a node 2");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Instant 0 of the cluster.
    origin: Instant,
    /// The next deadline has come closer.
    sooner: Notify,
    stop: Notify,
}

#[derive(Debug)]
struct State {
    cluster: Cluster,
    /// Woken when their connection has something to do.
    tasks: HashMap<Connection, Arc<Notify>>,
    /// When the timer's task wakes up.
    armed: Option<u64>,
}

impl Server {
    /// Serves the nodes of `cluster` in their order on these addresses, the rest of them on free
    /// ports of the loopback interface. Nodes advertise the addresses that were bound, by their
    /// first listener; the cluster's time of day becomes the system's.
    ///
    /// # Errors
    /// What the system says, such as an address in use.
    pub fn start(mut cluster: Cluster, addresses: &[SocketAddr]) -> io::Result<Self> {
        // The runtime lives on its own thread: the caller may be inside of another one, where none
        // may be dropped.
        let nodes: Vec<i32> = cluster.config().nodes.iter().map(|node| node.id).collect();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let wanted = addresses.iter().copied().chain(std::iter::repeat(any));
        let mut bound = Vec::new();
        let mut listeners = Vec::new();
        for (node, address) in nodes.into_iter().zip(wanted) {
            let listener = StdListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = reachable(listener.local_addr()?);
            let advertised = Address { host: address.ip().to_string(), port: address.port() };
            cluster.set_address(node, 0, advertised).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidInput, "a node without listener")
            })?;
            listeners.push((node, listener));
            bound.push(address);
        }
        let of_day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        cluster.set_wall_clock(0, i64::try_from(of_day.as_millis()).unwrap_or(i64::MAX));
        let shared = Arc::new(Shared {
            state: Mutex::new(State { cluster, tasks: HashMap::new(), armed: None }),
            origin: Instant::now(),
            sooner: Notify::new(),
            stop: Notify::new(),
        });
        let served = Arc::clone(&shared);
        let (started, ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("ottla-broker".to_string()).spawn(
            move || match begin(&served, listeners) {
                Ok(runtime) => {
                    let _ = started.send(Ok(()));
                    runtime.block_on(served.stop.notified());
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            },
        )?;
        ready.recv().map_err(|_| io::Error::other("the broker's thread ended"))??;
        Ok(Self { shared, addresses: bound, thread: Some(thread) })
    }

    /// Where the nodes are reached, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Looks at the cluster, or changes it; the closure is also given the time. Everything stands
    /// still meanwhile.
    pub fn with<R>(&self, look: impl FnOnce(&mut Cluster, u64) -> R) -> R {
        self.shared.with(look)
    }
}

/// Starts serving on a runtime of this thread's own.
fn begin(
    shared: &Arc<Shared>,
    listeners: Vec<(i32, StdListener)>,
) -> io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    for (node, listener) in listeners {
        let listener = TcpListener::from_std(listener)?;
        runtime.spawn(accept(Arc::clone(shared), node, listener));
    }
    runtime.spawn(keep_time(Arc::clone(shared)));
    drop(context);
    Ok(runtime)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by then.
            let _ = thread.join();
        }
    }
}

/// An address that clients can connect to: one that stands for all interfaces is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, look: impl FnOnce(&mut Cluster, u64) -> R) -> R {
        let mut state = self.lock();
        let now = self.now();
        let result = look(&mut state.cluster, now);
        state.wake_tasks();
        let next = state.cluster.poll_timeout();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.sooner.notify_one();
        }
        result
    }

    /// Registers a connection; none if the node does not run.
    fn connect(&self, node: i32) -> Option<(Connection, Arc<Notify>)> {
        let connection = self.with(|cluster, now| cluster.connect(now, node))?;
        let wake = Arc::new(Notify::new());
        // Something may have happened to it in between.
        wake.notify_one();
        self.lock().tasks.insert(connection, Arc::clone(&wake));
        Some((connection, wake))
    }

    fn disconnect(&self, connection: Connection) {
        self.lock().tasks.remove(&connection);
        self.with(|cluster, now| cluster.disconnect(now, connection));
    }
}

impl State {
    fn wake_tasks(&mut self) {
        while let Some(connection) = self.cluster.poll_ready() {
            if let Some(task) = self.tasks.get(&connection) {
                task.notify_one();
            }
        }
    }
}

/// Tells the cluster when something is due.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = {
            let mut state = shared.lock();
            let now = shared.now();
            state.cluster.handle_timeout(now);
            state.wake_tasks();
            state.armed = state.cluster.poll_timeout();
            state.armed
        };
        match next.and_then(|at| shared.origin.checked_add(Duration::from_micros(at))) {
            None => shared.sooner.notified().await,
            Some(at) => tokio::select! {
                () = sleep_until(at.into()) => {}
                () = shared.sooner.notified() => {}
            },
        }
    }
}

/// Accepts the connections of a node.
async fn accept(shared: Arc<Shared>, node: i32, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(serve(Arc::clone(&shared), node, socket))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves a connection until one side ends it.
async fn serve(shared: Arc<Shared>, node: i32, mut socket: TcpStream) {
    let Some((connection, wake)) = shared.connect(node) else { return };
    // Ends of connections are no errors here: clients and tests come and go.
    let _ = exchange(&shared, connection, &wake, &mut socket).await;
    shared.disconnect(connection);
}

async fn exchange(
    shared: &Shared,
    connection: Connection,
    wake: &Notify,
    socket: &mut TcpStream,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        while let Some(frame) = shared.with(|cluster, _| cluster.poll_output(connection)) {
            socket.write_all(&frame).await?;
        }
        let (closed, wants_input) = shared
            .with(|cluster, _| (cluster.poll_close(connection), cluster.wants_input(connection)));
        if closed.is_some() {
            return socket.shutdown().await;
        }
        tokio::select! {
            () = wake.notified() => {}
            read = socket.read(&mut buffer), if wants_input => {
                let bytes = match read? {
                    0 => return Ok(()),
                    count => buffer.get(..count).unwrap_or(&[]),
                };
                shared.with(|cluster, now| cluster.handle_input(now, connection, bytes));
            }
        }
    }
}
