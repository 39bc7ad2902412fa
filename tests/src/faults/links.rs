//! The links between the processes of a fleet and its servers: each runs through a proxy of
//! Toxiproxy's (<https://github.com/Shopify/toxiproxy>) that cuts, delays, throttles and resets it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ordain_testkit::Services;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::{Fleet, OwnServices, Role, until};

/// The processes of a fleet under fire, each with links of its own.
pub const PLACES: [(Role, usize); 7] = [
    (Role::Api, 0),
    (Role::Api, 1),
    (Role::Worker, 0),
    (Role::Worker, 1),
    (Role::Worker, 2),
    (Role::View, 0),
    (Role::View, 1),
];
/// What they are linked to.
pub const SERVERS: [&str; 3] = ["kafka", "mongodb", "redis"];
/// A proxy of Kafka stands so many ports below the listener that it stands before: Kafka was told
/// so when it was started, because it tells clients where they find it.
const PROXY_BELOW: u16 = 12_000;
/// The ports of Kafka's that are not listeners behind proxies.
const KAFKA_OWN_PORTS: usize = 2;

/// How long the proxy may take to do what it is told.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A connection that is there for so long lasts.
const LASTING: Duration = Duration::from_millis(200);

/// What can be done to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Connections are closed and refused.
    Cut,
    /// Nothing comes through, both ways; connections stay.
    Silence,
    /// Nothing comes through to the server.
    SilenceThere,
    /// Nothing comes back from the server.
    SilenceBack,
    /// Everything comes back so many milliseconds later.
    Delay(u32),
    /// So many kilobytes a second come through.
    Throttle(u32),
    /// Connections are closed, and for a while those that are opened anew are reset.
    Reset,
    /// Connections are closed behind so many bytes, in the middle of a message.
    CutBehind(u32),
}

/// A proxy for each link.
#[derive(Debug)]
pub struct Links {
    http: reqwest::Client,
    address: String,
    _proxy: Child,
}

#[expect(clippy::expect_used, reason = "a test without its proxy has failed")]
impl Links {
    /// Starts this program, and lets the processes of the fleet reach their servers through it.
    ///
    /// # Panics
    /// When that cannot be.
    pub async fn start(program: &Path, servers: &OwnServices, fleet: &Fleet) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let mut command = Command::new(program);
        command.args(["-host", "127.0.0.1", "-port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _proxy = command.kill_on_drop(true).spawn().expect("toxiproxy");
        let limited = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX);
        let http = limited.build().expect("a client");
        let links = Self { http, address: format!("http://127.0.0.1:{port}"), _proxy };
        until("toxiproxy", || async { links.ask("GET", "/version", None).await.ok() }).await;
        for (number, place) in PLACES.into_iter().enumerate() {
            links.redirect((fleet, place), servers, number).await;
        }
        links
    }

    async fn redirect(
        &self,
        (fleet, place): (&Fleet, (Role, usize)),
        servers: &OwnServices,
        number: usize,
    ) {
        let behind = *servers.ports("kafka").get(KAFKA_OWN_PORTS + number).expect("a listener");
        let kafka = (behind, behind - PROXY_BELOW);
        let direct = servers.services();
        let through = Services {
            kafka: format!("127.0.0.1:{}", self.add(place, "kafka", kafka).await),
            mongodb: self.through(place, ("mongodb", &direct.mongodb), servers).await,
            redis: self.through(place, ("redis", &direct.redis), servers).await,
        };
        fleet.redirect(place, &through);
    }

    /// The URL of a server, through a proxy.
    async fn through(
        &self,
        place: (Role, usize),
        (server, url): (&str, &str),
        servers: &OwnServices,
    ) -> String {
        let port = *servers.ports(server).first().expect("a server of its own");
        let proxy = self.add(place, server, (port, 0)).await;
        url.replace(&port.to_string(), &proxy.to_string())
    }

    async fn add(&self, place: (Role, usize), server: &str, (port, listens): (u16, u16)) -> u16 {
        let proxy = json!({
            "name": name(place, server),
            "listen": format!("127.0.0.1:{listens}"),
            "upstream": format!("127.0.0.1:{port}"),
            "enabled": true,
        });
        let made = self.ask("POST", "/proxies", Some(proxy)).await.expect("a proxy");
        listening_port(&made)
    }

    /// Waits until a link has connections that last: one to a server that is away is accepted by
    /// the proxy, and closed at once.
    ///
    /// # Panics
    /// When nobody connects.
    pub async fn connected(&self, (place, server): ((Role, usize), &str)) {
        let name = name(place, server);
        let listens = self.listens(&name).await;
        until(&format!("a connection through {name}"), || async {
            let before = connections(listens);
            sleep(LASTING).await;
            (!before.is_disjoint(&connections(listens))).then_some(())
        })
        .await;
    }

    /// Lets every link be whole, if the proxy still does what it is told. Gives why it does not.
    pub async fn heal(&self) -> Option<String> {
        self.ask("POST", "/reset", None).await.err().map(|why| why.to_string())
    }

    async fn listens(&self, name: &str) -> u16 {
        let known = self.ask("GET", &format!("/proxies/{name}"), None).await;
        listening_port(&known.expect("a proxy"))
    }

    /// Does that to a link, for so long.
    ///
    /// # Panics
    /// When the proxy does not do it, or when a connection lives through what closes all.
    pub async fn harm(
        &self,
        (place, server): ((Role, usize), &str),
        (harm, long): (Harm, Duration),
    ) {
        let name = name(place, server);
        let proxy = format!("/proxies/{name}");
        let listens = self.listens(&name).await;
        let before = connections(listens);
        let toxics = harm.toxics();
        for (number, mut toxic) in toxics.iter().cloned().enumerate() {
            toxic["name"] = number.to_string().into();
            let added = self.ask("POST", &format!("{proxy}/toxics"), Some(toxic)).await;
            added.expect("a toxic");
        }
        if matches!(harm, Harm::Cut | Harm::Reset) {
            self.switch(&proxy, false).await;
            let closed = || async { connections(listens).is_empty().then_some(()) };
            until(&format!("the end of all connections through {name}"), closed).await;
        }
        if harm == Harm::Reset {
            // It takes hold of new connections only.
            self.switch(&proxy, true).await;
        }
        sleep(long).await;
        if harm == Harm::Cut {
            self.switch(&proxy, true).await;
        } else if before.is_subset(&connections(listens)) {
            for number in 0..toxics.len() {
                let removed = self.ask("DELETE", &format!("{proxy}/toxics/{number}"), None).await;
                removed.expect("a toxic less");
            }
        } else {
            self.renew(&proxy).await;
        }
    }

    /// Puts a new proxy in the place of one of whose clients some have gone: to take a delay away,
    /// Toxiproxy writes what it holds back, waits five seconds for each piece that nobody reads any
    /// more, and does not answer in the meantime (<https://github.com/Shopify/toxiproxy/issues/558>).
    async fn renew(&self, proxy: &str) {
        let known = self.ask("GET", proxy, None).await.expect("a proxy");
        self.ask("DELETE", proxy, None).await.expect("a proxy less");
        self.ask("POST", "/proxies", Some(known)).await.expect("a proxy");
    }

    async fn switch(&self, proxy: &str, enabled: bool) {
        let switched = self.ask("POST", proxy, Some(json!({"enabled": enabled}))).await;
        switched.expect("a proxy that is switched");
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let mut request = self.http.request(method, format!("{}{path}", self.address));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

impl Harm {
    /// As Toxiproxy calls it.
    fn toxics(self) -> Vec<Value> {
        let toxic = |kind: &str, stream: &str, attribute: &str, value: u32| {
            let attributes = json!({ attribute: value });
            json!({"type": kind, "stream": stream, "attributes": attributes})
        };
        let (there, back) = ("upstream", "downstream");
        match self {
            Self::Cut => Vec::new(),
            Self::Silence => {
                vec![toxic("timeout", there, "timeout", 0), toxic("timeout", back, "timeout", 0)]
            }
            Self::SilenceThere => vec![toxic("timeout", there, "timeout", 0)],
            Self::SilenceBack => vec![toxic("timeout", back, "timeout", 0)],
            Self::Delay(ms) => vec![toxic("latency", back, "latency", ms)],
            Self::Throttle(rate) => {
                vec![
                    toxic("bandwidth", there, "rate", rate),
                    toxic("bandwidth", back, "rate", rate),
                ]
            }
            Self::Reset => vec![toxic("reset_peer", back, "timeout", 0)],
            Self::CutBehind(bytes) => vec![
                toxic("limit_data", there, "bytes", bytes),
                toxic("limit_data", back, "bytes", bytes),
            ],
        }
    }
}

/// Where a proxy listens, by what Toxiproxy says of it.
#[expect(clippy::expect_used, reason = "a test without its proxy has failed")]
fn listening_port(proxy: &Value) -> u16 {
    let listens = proxy["listen"].as_str().and_then(|address| address.rsplit_once(':'));
    listens.and_then(|(_, port)| port.parse().ok()).expect("where the proxy listens")
}

/// From which ports connections to that port of this machine are open: the second and third columns
/// of `/proc/net/tcp` are the near and the far end, in hexadecimal digits, the fourth is the state,
/// of which 01 is open (<https://docs.kernel.org/networking/proc_net_tcp.html>).
#[expect(clippy::expect_used, reason = "a machine without it runs no test of links")]
fn connections(to: u16) -> BTreeSet<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of connections");
    let there = format!(":{to:04X}");
    let from = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (near, far, state) = (columns.next()?, columns.next()?, columns.next()?);
        (far.ends_with(&there) && state == "01").then(|| near.to_owned())
    };
    table.lines().filter_map(from).collect()
}

fn name((role, number): (Role, usize), server: &str) -> String {
    format!("{role}-{number}-{server}")
}
