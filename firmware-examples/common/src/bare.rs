//! The network without a client, for comparing sizes: DHCP, and one connection that is echoed.

use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};

use crate::Arguments;

/// Connects to the `broker` of the arguments and sends back what comes, until it has come to its
/// end.
///
/// # Errors
/// What went wrong.
pub async fn run(stack: Stack<'static>, arguments: &'static str) -> Result<(), &'static str> {
    let (host, port) =
        Arguments::new(arguments).address("broker").ok_or("want broker=address:port")?;
    let host = host.parse().map_err(|_| "want an address in numbers")?;
    stack.wait_config_up().await;
    let (mut receive, mut send) = ([0; 512], [0; 1024]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    let connected = socket.connect((IpAddress::Ipv4(host), port)).await;
    connected.map_err(|_| "cannot connect")?;
    let mut bytes = [0; 64];
    loop {
        let count = socket.read(&mut bytes).await.map_err(|_| "cannot read")?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = bytes.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let written = socket.write(rest).await.map_err(|_| "cannot write")?;
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}
