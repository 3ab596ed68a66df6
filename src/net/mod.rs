//! What this machine knows about the network: names, routes, neighbours, interfaces, who holds a port, and what it
//! lets us do. No flows here.

pub mod holder;
pub mod interfaces;
pub mod names;
pub mod neighbours;
pub mod netlink;
pub mod nf_tables;
pub mod offloads;
pub mod privileges;
pub mod route;
pub mod router;
