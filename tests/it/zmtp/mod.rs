//! The daemon's sockets: attacks, peers of other makes, our own client.

mod attacks;
mod flow;
mod lab;
mod peers;
mod ports;
