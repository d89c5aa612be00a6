//! Kubernetes' ip and cidr libraries.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Declaration, global, method, text};
use crate::checkpoint::cel::fault::Fault;
use crate::checkpoint::cel::value::Val;

/// The table.
pub const FUNCTIONS: &[Declaration] = &[
    global("ip", &["string -> ip"], |_, args| match args {
        [value] => parse_ip(text(value)?).map(Val::Ip),
        _ => Err(Fault::overload()),
    }),
    global("isIP", &["string -> bool"], |_, args| match args {
        [value] => Ok(Val::Bool(parse_ip(text(value)?).is_ok())),
        _ => Err(Fault::overload()),
    }),
    global("ip.isCanonical", &["string -> bool"], |_, args| match args {
        [value] => parse_ip(text(value)?).map(|ip| Val::Bool(value.as_text() == Some(&ip.to_string()))),
        _ => Err(Fault::overload()),
    }),
    method("family", &["ip -> int"], |_, args| Ok(Val::Int(if address(args)?.is_ipv4() { 4 } else { 6 }))),
    method("isUnspecified", TEST, |_, args| address(args).map(|ip| Val::Bool(ip.is_unspecified()))),
    method("isLoopback", TEST, |_, args| address(args).map(|ip| Val::Bool(ip.is_loopback()))),
    method("isLinkLocalMulticast", TEST, |_, args| {
        Ok(Val::Bool(match address(args)? {
            IpAddr::V4(ip) => ip.octets().starts_with(&[224, 0, 0]),
            IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
        }))
    }),
    method("isLinkLocalUnicast", TEST, |_, args| address(args).map(|ip| Val::Bool(is_link_local(ip)))),
    method("isGlobalUnicast", TEST, |_, args| {
        let ip = address(args)?;
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        let other = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || is_link_local(ip);
        Ok(Val::Bool(!broadcast && !other))
    }),
    global("cidr", &["string -> cidr"], |_, args| match args {
        [value] => parse_cidr(text(value)?).map(Val::Cidr),
        _ => Err(Fault::overload()),
    }),
    global("isCIDR", &["string -> bool"], |_, args| match args {
        [value] => Ok(Val::Bool(parse_cidr(text(value)?).is_ok())),
        _ => Err(Fault::overload()),
    }),
    method("containsIP", &["cidr, ip -> bool", "cidr, string -> bool"], |_, args| match args {
        [Val::Cidr(network), Val::Ip(ip)] => Ok(Val::Bool(network.0.contains(ip))),
        [Val::Cidr(network), ip] => Ok(Val::Bool(network.0.contains(&parse_ip(text(ip)?)?))),
        _ => Err(Fault::overload()),
    }),
    method("containsCIDR", &["cidr, cidr -> bool", "cidr, string -> bool"], |_, args| match args {
        [Val::Cidr(outer), Val::Cidr(inner)] => Ok(Val::Bool(outer.0.contains(&inner.0))),
        [Val::Cidr(outer), inner] => Ok(Val::Bool(outer.0.contains(&parse_cidr(text(inner)?)?.0))),
        _ => Err(Fault::overload()),
    }),
    method("ip", &["cidr -> ip"], |_, args| network(args).map(|network| Val::Ip(network.0.addr()))),
    method("masked", &["cidr -> cidr"], |_, args| network(args).map(|network| Val::Cidr(Network(network.0.trunc())))),
    method("prefixLength", &["cidr -> int"], |_, args| {
        network(args).map(|network| Val::Int(network.0.prefix_len().into()))
    }),
];

const TEST: &[&str] = &["ip -> bool"];

/// An address with a prefix length; bits after the prefix are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an address; IPv4 inside IPv6, zones and leading zeros are refused as Kubernetes refuses them.
pub fn parse_ip(text: &str) -> Result<IpAddr, Fault> {
    let mapped = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    let parsed: Option<IpAddr> = text.parse().ok().filter(|ip| !mapped(ip));
    parsed.ok_or_else(|| Fault::invalid(format!("{} is not an IP address", Val::text(text).show())))
}

/// Reads an address with a prefix length.
pub fn parse_cidr(text: &str) -> Result<Network, Fault> {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let canonical = prefix == "0" || (!prefix.starts_with('0') && prefix.bytes().all(|b| b.is_ascii_digit()));
        let address = parse_ip(address).ok()?;
        if canonical { IpNet::new(address, prefix.parse().ok()?).ok() } else { None }
    });
    parsed
        .map(Network)
        .ok_or_else(|| Fault::invalid(format!("{} is not a network in CIDR notation", Val::text(text).show())))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn address(args: &[Val<'_>]) -> Result<IpAddr, Fault> {
    match args {
        [Val::Ip(ip)] => Ok(*ip),
        _ => Err(Fault::overload()),
    }
}

fn network(args: &[Val<'_>]) -> Result<Network, Fault> {
    match args {
        [Val::Cidr(network)] => Ok(*network),
        _ => Err(Fault::overload()),
    }
}
