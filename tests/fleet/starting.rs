//! A process that cannot work says why, where, and what to do, and ends.

use ordain_tests::ServerOptions;
use tokio::net::TcpListener;

use crate::Home;

/// Nobody listens there.
const NOBODY: &str = "127.0.0.1:1";

fn with(name: &str, value: &str) -> ServerOptions {
    let variable = (name.to_owned(), value.to_owned());
    ServerOptions { environment: vec![variable], ..ServerOptions::default() }
}

async fn refused(home: &Home, role: &str, options: &ServerOptions) -> String {
    home.start(role, options).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_cannot_be_used_are_named_with_their_address() {
    let home = Home::new();
    for role in ["api", "worker", "view"] {
        let why = refused(&home, role, &ServerOptions::default()).await;
        assert!(why.contains("ordain topics ensure"), "{role}: {why}");
    }
    home.ensure(None).await.unwrap();
    let kafka = refused(&home, "worker", &with("ORDAIN_KAFKA__BOOTSTRAP_SERVERS", NOBODY)).await;
    for word in [NOBODY, "Kafka", "kafka.bootstrap_servers"] {
        assert!(kafka.contains(word), "{word}: {kafka}");
    }
    let url = format!("mongodb://{NOBODY}");
    let mongo = refused(&home, "api", &with("ORDAIN_MONGO__URL", &url)).await;
    for word in [NOBODY, "MongoDB", "mongo.url"] {
        assert!(mongo.contains(word), "{word}: {mongo}");
    }
    let redis = refused(&home, "view", &with("ORDAIN_REDIS__URL", "http://a")).await;
    assert!(redis.contains("Redis") && redis.contains("redis.url"), "{redis}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_told_with_its_line_and_no_secret() {
    let home = Home::new();
    let right = std::fs::read_to_string(home.file()).unwrap();
    let lines = right.lines().count();
    std::fs::write(home.file(), format!("{right}pingms = 3\n")).unwrap();
    let why = refused(&home, "worker", &ServerOptions::default()).await;
    assert!(why.contains(&format!("fleet.toml:{}: redis.pingms", lines + 1)), "{why}");
    std::fs::write(home.file(), right).unwrap();
    let secret = with("ORDAIN_MONGO__URL", "mongodb://u:hunter2@localhost");
    let why = refused(&home, "api", &secret).await;
    assert!(why.contains("password_file") && !why.contains("hunter2"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_told_before_anything_is_joined() {
    let home = Home::new();
    home.ensure(None).await.unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for role in ["worker", "view"] {
        let mut options = with("ORDAIN_METRICS", &address);
        // Whoever joins a group ends at once.
        options.failpoints = "kafka-feed-start=panic".to_owned();
        let why = refused(&home, role, &options).await;
        assert!(why.contains(&address) && why.contains("`metrics`"), "{role}: {why}");
    }
}
