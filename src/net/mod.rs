//! What this machine knows about the network: names, routes, interfaces, who holds a port, and what it lets
//! us do. No flows here.

pub mod holder;
pub mod interfaces;
pub mod names;
pub mod netlink;
pub mod nf_tables;
pub mod offloads;
pub mod privileges;
pub mod route;
