//! The client commands of the binary against a scripted server: what they send, print and exit
//! with.

mod file;
mod program;
mod read;
mod send;
mod server;
