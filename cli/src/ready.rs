//! `ordain ready`: whether a process can do its work, for whoever starts and watches it. It needs
//! no shell and no other program, so that an image with this binary alone can be watched.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use ordain_node::Flags;

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::serving::FileArguments;

const READY_HELP: &str = "\
Examples:
  $ ordain ready
  $ ordain ready --config fleet.toml
  $ ordain ready --admin http://127.0.0.1:7421

Asks the listener for operators, which every role has, whether the process and
all that it depends on can do their work now. Without an address it asks the
process on this machine that has the same configuration: the same file, the
same variables. Of such a process it knows the certificate, if it has one, and
trusts no other.

Exit codes:
  0  ready
  1  not ready: what is missing is printed
  3  no answer";

/// What `ready` can be told.
#[derive(Debug, Args)]
#[command(after_long_help = READY_HELP)]
pub(crate) struct ReadyArguments {
    /// The address of the listener for operators [default: as configured]
    #[arg(long, value_name = "URL", env = "ORDAIN_ADMIN", hide_env_values = true)]
    admin: Option<String>,
    #[command(flatten)]
    file: FileArguments,
}

/// Asks once.
///
/// # Errors
/// There is no answer, or nothing can be printed.
pub(crate) async fn run(arguments: &ReadyArguments) -> Result<Exit, Box<Failure>> {
    let client = match &arguments.admin {
        Some(admin) => Client::new(admin)?,
        None => configured(&arguments.file)?,
    };
    let answer = client.get("/readyz".to_owned(), std::time::Duration::ZERO).await?;
    output::print(answer.body.trim_end())?;
    Ok(if answer.status.is_success() { Exit::Success } else { Exit::Outcome })
}

/// A client of the process on this machine that has this configuration.
fn configured(file: &FileArguments) -> Result<Client, Box<Failure>> {
    let configuration = file.load(&Flags::default())?.configuration;
    let address = reachable(&configuration.metrics);
    match configuration.api.tls.certificate_file.as_deref() {
        Some(certificate) => Client::of_own(&format!("https://{address}"), certificate),
        None => Client::new(&format!("http://{address}")),
    }
}

/// Where somebody is to be found who listens there; who listens everywhere, here too.
fn reachable(listens: &str) -> String {
    let Ok(address) = listens.parse::<SocketAddr>() else { return listens.to_owned() };
    let here = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(here, address.port()).to_string()
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn who_listens_everywhere_is_found_here() {
        for (listens, found) in [
            ("127.0.0.1:7401", "127.0.0.1:7401"),
            ("0.0.0.0:7401", "127.0.0.1:7401"),
            ("[::]:7401", "[::1]:7401"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("localhost:7401", "localhost:7401"),
        ] {
            assert_eq!(reachable(listens), found);
        }
    }
}
