//! The network of a board.

use embassy_net::{Config, DhcpConfig, Runner, Stack, StackResources};
use embassy_net_driver::Driver;
use static_cell::ConstStaticCell;

/// The DHCP client, DNS, and one TCP connection.
const SOCKETS: usize = 3;

/// Starts the network; it gets its address by DHCP. The board spawns a task that runs the
/// runner, and another for the node.
///
/// They must be two: whoever looks at a socket wakes the runner, so in one task they keep each
/// other awake, and the core never sleeps.
pub fn network<D: Driver>(driver: D, seed: u64) -> Option<(Stack<'static>, Runner<'static, D>)> {
    static RESOURCES: ConstStaticCell<StackResources<SOCKETS>> =
        ConstStaticCell::new(StackResources::new());
    let config = Config::dhcpv4(DhcpConfig::default());
    Some(embassy_net::new(driver, config, RESOURCES.try_take()?, seed))
}
