//! `bootstrap.servers`: what it says, and what is wrong with it.

/// The addresses of a list, and all that is wrong with it.
pub(super) fn addresses(list: &str) -> (Vec<(String, u16)>, Vec<String>) {
    let (mut addresses, mut wrong) = (Vec::new(), Vec::new());
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        match address(entry) {
            Ok(address) if addresses.contains(&address) => {
                wrong.push(format!("{entry:?} stands there twice"));
            }
            Ok(address) => addresses.push(address),
            Err(what) => wrong.push(format!("{entry:?} {what}")),
        }
    }
    if addresses.is_empty() && wrong.is_empty() {
        wrong.push("is required: at least one address, as host:port".to_owned());
    }
    (addresses, wrong)
}

/// Host and port of `host:port` or `[address]:port`, perhaps behind `PLAINTEXT://`.
fn address(entry: &str) -> Result<(String, u16), &'static str> {
    const HOST_MAX: usize = 255;
    let bare = match entry.split_once("://") {
        Some((scheme, bare)) if scheme.eq_ignore_ascii_case("plaintext") => bare,
        Some(_) => return Err("is not of a plaintext listener, the only kind there is yet"),
        None => entry,
    };
    let (host, port) = bare.rsplit_once(':').ok_or("has no port; it has to be host:port")?;
    let host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').ok_or("lacks a closing bracket")?,
        None if host.contains(':') => return Err("is an IPv6 address without brackets"),
        None => host,
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '%' | ':');
    if host.is_empty() || host.len() > HOST_MAX || !host.chars().all(legal) {
        return Err("has no legal host");
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok((host.to_owned(), port)),
        _ => Err("has no port from 1 to 65535"),
    }
}
