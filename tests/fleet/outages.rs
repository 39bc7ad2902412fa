//! Redis goes and comes back: that costs latency, never a wrong or missing answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ordain_testkit::services;
use ordain_tests::{Client, ServerOptions, until};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::Home;

/// A way to Redis that can be cut.
struct Way {
    address: SocketAddr,
    /// Whatever goes over it, and who takes new connections.
    going: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Way {
    async fn open(address: &str) -> Self {
        // Of a port that was let go before, someone else's connection may have got hold.
        let bind = || async { TcpListener::bind(address).await.ok() };
        let listener = until("a port", bind).await;
        let address = listener.local_addr().unwrap();
        let going: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let to = services().redis.trim_start_matches("redis://").to_owned();
        let taken = Arc::clone(&going);
        let taking = tokio::spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let to = to.clone();
                let carrying = carried.spawn(async move {
                    let mut to = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await
                });
                taken.lock().unwrap().push(carrying);
            }
        });
        going.lock().unwrap().push(taking.abort_handle());
        Self { address, going }
    }

    /// Everything that goes over it breaks, and nothing new gets through.
    fn cut(self) {
        self.going.lock().unwrap().iter().for_each(AbortHandle::abort);
    }
}

fn options(way: &Way) -> ServerOptions {
    let url = ("ORDAIN_REDIS__URL".to_owned(), format!("redis://{}", way.address));
    ServerOptions { environment: vec![url], ..ServerOptions::default() }
}

/// Several clients send a few commands each; all are answered with success.
async fn all_are_answered(address: &str, round: &str) {
    let mut clients = JoinSet::new();
    for number in 0..8 {
        let (client, round) = (Client::new(address), round.to_owned());
        clients.spawn(async move {
            let open = format!("/v1/account/{round}{number}/open");
            let opened = client.send(&open, "o", "{}").await.unwrap();
            assert_eq!(opened.status, 201, "{}", opened.body);
            for deposit in 0..5 {
                let path = format!("/v1/account/{round}{number}/deposit");
                let id = format!("d{deposit}");
                let told = client.send(&path, &id, r#"{"amount":1}"#).await.unwrap();
                assert_eq!((told.status, told.at("/sequence")), (200, (deposit + 2).into()));
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_redis_costs_no_answer() {
    let way = Way::open("127.0.0.1:0").await;
    let home = Home::new();
    let server = home.serve(&options(&way)).await;
    all_are_answered(&server.address, "with").await;
    let address = way.address.to_string();
    way.cut();
    all_are_answered(&server.address, "without").await;
    let again = Way::open(&address).await;
    all_are_answered(&server.address, "again").await;
    assert_eq!(server.terminate().await.code(), Some(0));
    again.cut();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_starts_while_redis_is_away() {
    let way = Way::open("127.0.0.1:0").await;
    let (options, home) = (options(&way), Home::new());
    way.cut();
    let server = home.serve(&options).await;
    all_are_answered(&server.address, "never").await;
    assert!(server.log().contains("redis is away"), "{}", server.log());
    assert_eq!(server.terminate().await.code(), Some(0));
}
