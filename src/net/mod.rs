//! What this machine knows about the network: names, routes, interfaces, who holds a port. No flows here.

pub mod holder;
pub mod interfaces;
pub mod names;
pub mod netlink;
pub mod route;
