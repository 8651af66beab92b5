//! A cluster on sockets: a socket per node and listener, a task per connection, all on one thread.

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

/// A listener: where each node is reached in one way.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct Listener {
    /// Where the nodes listen, in their order; those without an address on free ports of the
    /// loopback interface.
    pub bind: Vec<SocketAddr>,
    /// Where they say that they are, in their order; a port of 0 is the one that was bound. Those
    /// without an address say where they listen.
    pub advertised: Vec<Address>,
}

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
    /// By listener and node.
    addresses: Vec<Vec<SocketAddr>>,
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
    pub fn start(cluster: Cluster, addresses: &[SocketAddr]) -> io::Result<Self> {
        let bind = addresses.to_vec();
        Self::start_listeners(cluster, &[Listener { bind, advertised: Vec::new() }])
    }

    /// As [`Server::start`], by several listeners, which become the nodes' first ones. A client is
    /// told the addresses of the listener that it came by.
    ///
    /// # Errors
    /// What the system says, such as an address in use.
    pub fn start_listeners(mut cluster: Cluster, listeners: &[Listener]) -> io::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut bound = Vec::new();
        let mut sockets = Vec::new();
        for (index, listener) in listeners.iter().enumerate() {
            let mut addresses = Vec::new();
            let mut bind = listener.bind.iter().copied();
            let mut advertised = listener.advertised.iter().cloned();
            for node in &mut cluster.config_mut().nodes {
                let socket = StdListener::bind(bind.next().unwrap_or(any))?;
                socket.set_nonblocking(true)?;
                let address = reachable(socket.local_addr()?);
                let advertised = match advertised.next() {
                    Some(Address { host, port: 0 }) => Address { host, port: address.port() },
                    Some(advertised) => advertised,
                    None => Address { host: address.ip().to_string(), port: address.port() },
                };
                match node.listeners.get_mut(index) {
                    Some(listener) => *listener = advertised,
                    None => node.listeners.push(advertised),
                }
                sockets.push(Bound { node: node.id, listener: index, socket });
                addresses.push(address);
            }
            bound.push(addresses);
        }
        Self::serve(cluster, bound, sockets)
    }

    fn serve(
        mut cluster: Cluster,
        addresses: Vec<Vec<SocketAddr>>,
        sockets: Vec<Bound>,
    ) -> io::Result<Self> {
        // The runtime lives on its own thread: the caller may be inside of another one, where none
        // may be dropped.
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
            move || match begin(&served, sockets) {
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
        Ok(Self { shared, addresses, thread: Some(thread) })
    }

    /// Where the nodes are reached by their first listener, in their order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.addresses_of(0)
    }

    /// Where the nodes are reached by a listener, in their order; nowhere if there is none.
    #[must_use]
    pub fn addresses_of(&self, listener: usize) -> &[SocketAddr] {
        self.addresses.get(listener).map_or(&[], Vec::as_slice)
    }

    /// Looks at the cluster, or changes it; the closure is also given the time. Everything stands
    /// still meanwhile.
    pub fn with<R>(&self, look: impl FnOnce(&mut Cluster, u64) -> R) -> R {
        self.shared.with(look)
    }
}

/// A socket of a node.
struct Bound {
    node: i32,
    listener: usize,
    socket: StdListener,
}

/// Starts serving on a runtime of this thread's own.
fn begin(shared: &Arc<Shared>, sockets: Vec<Bound>) -> io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    for Bound { node, listener, socket } in sockets {
        let socket = TcpListener::from_std(socket)?;
        runtime.spawn(accept(Arc::clone(shared), node, listener, socket));
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
    fn connect(&self, node: i32, listener: usize) -> Option<(Connection, Arc<Notify>)> {
        let connection = self.with(|cluster, now| cluster.connect_by(now, node, listener))?;
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
async fn accept(shared: Arc<Shared>, node: i32, listener: usize, accepting: TcpListener) {
    loop {
        match accepting.accept().await {
            Ok((socket, _)) => {
                drop(tokio::spawn(serve(Arc::clone(&shared), node, listener, socket)));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves a connection until one side ends it.
async fn serve(shared: Arc<Shared>, node: i32, listener: usize, mut socket: TcpStream) {
    let Some((connection, wake)) = shared.connect(node, listener) else { return };
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
