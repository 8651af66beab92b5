//! The server: addresses, the end of connections, shutdown, and what a bare socket sees.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use ottla_broker::{Action, Address, Cluster, Config, Listener, Server};

fn start(nodes: u8) -> Result<Server> {
    Ok(Server::start(Cluster::new(Config::new(nodes)), &[])?)
}

fn connect(server: &Server, node: usize) -> Result<TcpStream> {
    let socket = TcpStream::connect(server.addresses()[node])?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(socket)
}

/// A request without a client id.
fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&(10 + body.len() as u32).to_be_bytes());
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&7_i32.to_be_bytes());
    frame.extend_from_slice(&[0xff, 0xff]);
    frame.extend_from_slice(body);
    frame
}

fn answer(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut size = [0; 4];
    socket.read_exact(&mut size)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    socket.read_exact(&mut frame)?;
    Ok(frame)
}

/// Whether the other side has ended the connection.
fn is_closed(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn nodes_advertise_where_they_are_bound() -> Result<()> {
    let server = start(3)?;
    ensure!(server.addresses().len() == 3);
    let mut socket = connect(&server, 1)?;
    // Metadata version 0, all topics.
    socket.write_all(&request(3, 0, &[0; 4]))?;
    let answer = answer(&mut socket)?;
    let mut expected = vec![0, 0, 0, 7, 0, 0, 0, 3];
    for (id, address) in (1_i32..).zip(server.addresses()) {
        expected.extend_from_slice(&id.to_be_bytes());
        expected.extend_from_slice(b"\x00\x09127.0.0.1");
        expected.extend_from_slice(&u32::from(address.port()).to_be_bytes());
    }
    expected.extend_from_slice(&[0; 4]);
    ensure!(answer == expected, "{answer:?}");
    Ok(())
}

/// The addresses that a Metadata answer of version 0 without topics has.
fn advertised(socket: &mut TcpStream) -> Result<Vec<String>> {
    socket.write_all(&request(3, 0, &[0; 4]))?;
    let frame = answer(socket)?;
    let mut rest = &frame[8..];
    let mut addresses = Vec::new();
    while rest.len() > 4 {
        let length = usize::from(rest[5]);
        let host = String::from_utf8(rest[6..6 + length].to_vec())?;
        let port = u32::from_be_bytes(rest[6 + length..10 + length].try_into()?);
        addresses.push(format!("{host}:{port}"));
        rest = &rest[10 + length..];
    }
    Ok(addresses)
}

#[test]
fn each_listener_tells_its_own_addresses() -> Result<()> {
    let guest = |port| Address { host: "10.0.2.2".to_string(), port };
    let named = Listener { bind: Vec::new(), advertised: vec![guest(9_092), guest(0)] };
    let listeners = [Listener::default(), named];
    let server = Server::start_listeners(Cluster::new(Config::new(2)), &listeners)?;
    let plain: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    for node in 0..2 {
        ensure!(advertised(&mut connect(&server, node)?)? == plain);
        let mut socket = TcpStream::connect(server.addresses_of(1)[node])?;
        let second = server.addresses_of(1)[1].port();
        let expected = ["10.0.2.2:9092".to_string(), format!("10.0.2.2:{second}")];
        ensure!(advertised(&mut socket)? == expected);
    }
    ensure!(server.addresses_of(2).is_empty());
    Ok(())
}

#[test]
fn given_addresses_are_bound_and_others_are_reported() -> Result<()> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let server = Server::start(Cluster::new(Config::new(2)), &[free, any])?;
    ensure!(server.addresses()[0] == free);
    ensure!(server.addresses()[1].ip() == Ipv4Addr::LOCALHOST, "clients can reach it");
    let again = Server::start(Cluster::new(Config::new(1)), &[free]);
    ensure!(again.is_err_and(|error| error.kind() == ErrorKind::AddrInUse));
    Ok(())
}

#[test]
fn requests_that_come_at_once_or_byte_by_byte_are_answered_in_order() -> Result<()> {
    let server = start(1)?;
    let mut socket = connect(&server, 0)?;
    socket.set_nodelay(true)?;
    let versions = request(18, 0, &[]);
    socket.write_all(&versions.repeat(50))?;
    for byte in &versions {
        socket.write_all(&[*byte])?;
    }
    for _ in 0..51 {
        ensure!(answer(&mut socket)?.len() == 4 + 2 + 4 + 12 * 6);
    }
    Ok(())
}

#[test]
fn malformed_input_closes_after_the_answers_before_it() -> Result<()> {
    let server = start(1)?;
    let mut socket = connect(&server, 0)?;
    socket.write_all(&[request(18, 0, &[]), request(999, 0, &[])].concat())?;
    answer(&mut socket)?;
    ensure!(is_closed(&mut socket));
    let mut socket = connect(&server, 0)?;
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    ensure!(is_closed(&mut socket));
    let began = Instant::now();
    while server.with(|cluster, _| cluster.connection_count()) > 0 {
        ensure!(began.elapsed() < Duration::from_secs(10), "a connection is left behind");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[test]
fn a_killed_node_ends_its_connections_and_takes_no_others() -> Result<()> {
    let server = start(2)?;
    let mut sockets = [connect(&server, 0)?, connect(&server, 1)?];
    for socket in &mut sockets {
        socket.write_all(&request(18, 0, &[]))?;
        answer(socket)?;
    }
    server.with(|cluster, now| cluster.kill(now, 1))?;
    ensure!(is_closed(&mut sockets[0]) && is_closed(&mut connect(&server, 0)?));
    sockets[1].write_all(&request(18, 0, &[]))?;
    answer(&mut sockets[1])?;
    server.with(|cluster, now| cluster.start(now, 1))?;
    let mut socket = connect(&server, 0)?;
    socket.write_all(&request(18, 0, &[]))?;
    answer(&mut socket)?;
    Ok(())
}

#[test]
fn a_delay_is_waited_for() -> Result<()> {
    let server = start(1)?;
    server.with(|cluster, _| cluster.set_hook(|_| Action::Delay(50_000)));
    let mut socket = connect(&server, 0)?;
    let began = Instant::now();
    socket.write_all(&request(18, 0, &[]).repeat(2))?;
    answer(&mut socket)?;
    answer(&mut socket)?;
    ensure!(began.elapsed() >= Duration::from_millis(100));
    Ok(())
}

#[test]
fn a_large_frame_behind_a_held_answer_is_taken_when_its_turn_comes() -> Result<()> {
    let server = start(1)?;
    let mut is_first = true;
    server.with(|cluster, _| {
        cluster.set_hook(move |_| {
            let delay = if std::mem::take(&mut is_first) { 50_000 } else { 0 };
            Action::Delay(delay)
        });
    });
    let mut socket = connect(&server, 0)?;
    // Surplus bytes behind the body are passed over.
    let large = request(18, 0, &vec![0; 5 << 20]);
    socket.write_all(&[request(18, 0, &[]), large].concat())?;
    answer(&mut socket)?;
    answer(&mut socket)?;
    Ok(())
}

#[test]
fn the_time_of_day_is_the_systems() -> Result<()> {
    let server = start(1)?;
    let told = server.with(|cluster, now| {
        cluster.handle_timeout(now);
        cluster.wall_clock()
    });
    let is = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    ensure!((is - told).abs() < 10_000, "{told} is not {is}");
    Ok(())
}

#[test]
fn dropping_it_ends_everything() -> Result<()> {
    let server = start(2)?;
    let mut sockets = [connect(&server, 0)?, connect(&server, 1)?];
    let addresses = server.addresses().to_vec();
    for socket in &mut sockets {
        socket.write_all(&request(18, 0, &[]))?;
        answer(socket)?;
    }
    drop(server);
    for socket in &mut sockets {
        ensure!(is_closed(socket));
    }
    let again = Server::start(Cluster::new(Config::new(2)), &addresses)?;
    ensure!(again.addresses() == addresses);
    Ok(())
}
