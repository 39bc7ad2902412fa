//! The links between the processes of a fleet and its servers: each runs through a proxy of
//! Toxiproxy's (<https://github.com/Shopify/toxiproxy>) that cuts, delays, throttles and resets it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ordain_testkit::{Services, free_port};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

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
    /// Where each proxy listens, and what it stands before, by its name.
    ends: BTreeMap<String, (u16, u16)>,
    _proxy: Child,
}

#[expect(clippy::expect_used, reason = "a test without its proxy has failed")]
impl Links {
    /// Starts this program, and lets the processes of the fleet reach their servers through it.
    ///
    /// # Panics
    /// When that cannot be.
    pub async fn start(program: &Path, servers: &OwnServices, fleet: &Fleet) -> Self {
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-host", "127.0.0.1", "-port", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _proxy = command.kill_on_drop(true).spawn().expect("toxiproxy");
        let limited = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX);
        let http = limited.build().expect("a client");
        let address = format!("http://127.0.0.1:{port}");
        let mut links = Self { http, address, ends: BTreeMap::new(), _proxy };
        until("toxiproxy", || async { links.ask("GET", "/version", None).await.ok() }).await;
        for (number, place) in PLACES.into_iter().enumerate() {
            links.redirect((fleet, place), servers, number).await;
        }
        links
    }

    async fn redirect(
        &mut self,
        (fleet, place): (&Fleet, (Role, usize)),
        servers: &OwnServices,
        number: usize,
    ) {
        let behind = *servers.ports("kafka").get(KAFKA_OWN_PORTS + number).expect("a listener");
        let kafka = (behind - PROXY_BELOW, behind);
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
        &mut self,
        place: (Role, usize),
        (server, url): (&str, &str),
        servers: &OwnServices,
    ) -> String {
        let port = *servers.ports(server).first().expect("a server of its own");
        let proxy = self.add(place, server, (free_port(), port)).await;
        url.replace(&port.to_string(), &proxy.to_string())
    }

    async fn add(&mut self, place: (Role, usize), server: &str, ends: (u16, u16)) -> u16 {
        let name = name(place, server);
        self.ends.insert(name.clone(), ends);
        self.renew(&name).await.expect("a proxy");
        ends.0
    }

    /// Puts a new proxy, which harms nothing, in the place of one that there may be.
    async fn renew(&self, name: &str) -> Result<(), reqwest::Error> {
        let (listens, stands_before) = self.ends.get(name).expect("a link");
        let new = json!({
            "name": name,
            "listen": format!("127.0.0.1:{listens}"),
            "upstream": format!("127.0.0.1:{stands_before}"),
        });
        let _none_there = self.ask("DELETE", &format!("/proxies/{name}"), None).await;
        self.ask("POST", "/proxies", Some(new)).await.map(drop)
    }

    /// Waits until a link has connections that last: one to a server that is away is accepted by
    /// the proxy, and closed at once.
    ///
    /// # Panics
    /// When nobody connects.
    pub async fn connected(&self, (place, server): ((Role, usize), &str)) {
        let name = name(place, server);
        let listens = self.listens(&name);
        until(&format!("a connection through {name}"), || async {
            let before = connections(listens);
            sleep(LASTING).await;
            (!before.is_disjoint(&connections(listens))).then_some(())
        })
        .await;
    }

    /// Lets every link be whole, if the proxy still does what it is told. Gives why it does not.
    pub async fn heal(&self) -> Option<String> {
        for name in self.ends.keys() {
            if let Err(why) = self.renew(name).await {
                return Some(why.to_string());
            }
        }
        None
    }

    fn listens(&self, name: &str) -> u16 {
        self.ends.get(name).expect("a link").0
    }

    /// Does that to a link, for so long. Gives whether its connections lived through it, those
    /// too that were opened meanwhile.
    ///
    /// # Panics
    /// When the proxy does not do it, or when a connection lives through what closes all.
    pub async fn harm(
        &self,
        (place, server): ((Role, usize), &str),
        (harm, long): (Harm, Duration),
    ) -> bool {
        let name = name(place, server);
        let proxy = format!("/proxies/{name}");
        let listens = self.listens(&name);
        let mut seen = connections(listens);
        let toxics = self.poison(&proxy, harm).await;
        if matches!(harm, Harm::Cut | Harm::Reset) {
            self.switch(&proxy, false).await;
            let closed = || async { connections(listens).is_empty().then_some(()) };
            until(&format!("the end of all connections through {name}"), closed).await;
        }
        if harm == Harm::Reset {
            // It takes hold of new connections only.
            self.switch(&proxy, true).await;
        }
        let end = Instant::now() + long;
        while Instant::now() < end {
            sleep(LASTING).await;
            seen.extend(connections(listens));
        }
        let live = !seen.is_empty() && seen.is_subset(&connections(listens));
        self.end(&name, (live, toxics)).await;
        live
    }

    /// Lets nothing through on a link, both ways, while something is done.
    ///
    /// # Panics
    /// When the proxy does not do it.
    pub async fn silent<T>(
        &self,
        (place, server): ((Role, usize), &str),
        done: impl Future<Output = T>,
    ) -> T {
        let name = name(place, server);
        self.poison(&format!("/proxies/{name}"), Harm::Silence).await;
        let done = done.await;
        self.renew(&name).await.expect("a proxy");
        done
    }

    /// Adds the toxics of a harm to a proxy. Gives how many they are.
    async fn poison(&self, proxy: &str, harm: Harm) -> usize {
        let toxics = harm.toxics();
        let count = toxics.len();
        for (number, mut toxic) in toxics.into_iter().enumerate() {
            toxic["name"] = number.to_string().into();
            let added = self.ask("POST", &format!("{proxy}/toxics"), Some(toxic)).await;
            added.expect("a toxic");
        }
        count
    }

    /// Ends the harm of a link. To take a delay away, Toxiproxy writes what it holds back, waits
    /// five seconds or longer for each piece that nobody reads any more, and does not answer in the
    /// meantime (<https://github.com/Shopify/toxiproxy/issues/558>): a link that lost a connection
    /// gets a new proxy instead.
    async fn end(&self, name: &str, (live, toxics): (bool, usize)) {
        if !live {
            return self.renew(name).await.expect("a proxy");
        }
        for number in 0..toxics {
            let toxic = format!("/proxies/{name}/toxics/{number}");
            self.ask("DELETE", &toxic, None).await.expect("a toxic less");
        }
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
