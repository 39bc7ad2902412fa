//! Bad input of every kind gets its status and a problem that says what is wrong.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ordain_tests::{Server, ServerOptions, Told};

use crate::Home;

fn assert_problem(told: &Told, status: u16, what: &str) {
    assert_eq!(told.status, status, "{what}: {}", told.body);
    assert_eq!(told.header("content-type"), "application/problem+json", "{what}");
    assert_eq!(told.at("/status"), status, "{what}");
    for member in ["/title", "/code", "/type"] {
        assert!(told.at(member).is_string(), "{what}: {member} in {}", told.body);
    }
}

/// What is wrong, the status, the path, the headers, the body.
type Case<'a> = (&'a str, u16, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn each_kind_gets_its_status() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let open = "/v1/account/a/open";
    let deposit = "/v1/account/a/deposit";
    let key = |key| [("idempotency-key", key)];
    let cases: &[Case<'_>] = &[
        ("malformed JSON", 400, deposit, &key("a"), r#"{"amount":"#),
        ("a member twice", 400, deposit, &key("a"), r#"{"amount":1,"amount":1}"#),
        ("a lone surrogate", 400, deposit, &key("a"), r#"{"amount":"\ud800"}"#),
        ("NUL in a name", 400, deposit, &key("a"), r#"{"amo\u0000unt":1}"#),
        ("an integer beyond i64", 400, deposit, &key("a"), r#"{"amount":18446744073709551616}"#),
        ("an id with a slash's look", 400, "/v1/account/a%20b/open", &key("a"), "{}"),
        ("an id that begins with x~", 400, "/v1/account/x~YQ/open", &key("a"), "{}"),
        ("a bad request id", 400, open, &key("a b"), "{}"),
        ("an empty request id", 400, open, &key(""), "{}"),
        ("a deadline that is none", 400, open, &[("ordain-deadline", "soon")], "{}"),
        ("any tag", 400, open, &[("if-match", "*")], "{}"),
        ("a weak tag", 400, open, &[("if-match", "W/\"1\"")], "{}"),
        ("a list of tags", 400, open, &[("if-match", "\"1\", \"2\"")], "{}"),
        ("an unknown type", 404, "/v1/boat/a/open", &key("a"), "{}"),
        ("an unknown command", 404, "/v1/account/a/close", &key("a"), "{}"),
        ("an unknown route", 404, "/v2/account/a/open", &key("a"), "{}"),
        ("a body that breaks its schema", 422, deposit, &key("a"), r#"{"amount":0}"#),
        ("a member too many", 422, open, &key("a"), r#"{"more":1}"#),
        ("another sequence", 412, open, &[("if-match", "\"7\""), ("idempotency-key", "m")], "{}"),
        (
            "a deadline that is over",
            409,
            open,
            &[("ordain-deadline", "2020-01-01T00:00:00Z"), ("idempotency-key", "e")],
            "{}",
        ),
    ];
    for (what, status, path, headers, body) in cases {
        let told = client.send_with(path, headers, body).await.unwrap();
        assert_problem(&told, *status, what);
    }
    let wrong = client.get(deposit).await.unwrap();
    assert_problem(&wrong, 405, "a wrong method");
    assert!(wrong.header("allow").contains("POST"));
    let large = format!(r#"{{"amount":1{}}}"#, " ".repeat(3 << 20));
    let told = client.send(deposit, "a", &large).await.unwrap();
    assert_problem(&told, 413, "a large body");
    for path in ["/v1/account/nobody", "/v1/views/nothing/a", "/v1/account/nobody/events?from=0"] {
        let told = client.get(path).await.unwrap();
        let status = if path.ends_with("from=0") { 400 } else { 404 };
        assert_problem(&told, status, path);
    }
    server.terminate().await;
}

/// Sends raw bytes and gives what comes back until the server closes the connection.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let address = server.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_even_http_gets_an_answer_or_is_closed() {
    let home = Home::new();
    let quick = ("ORDAIN_API__HEADER_MS_MAX".to_owned(), "500".to_owned());
    let options = ServerOptions { environment: vec![quick], ..ServerOptions::default() };
    let server = home.serve(&options).await;
    assert_eq!(raw(&server, b""), "", "a silent connection is closed");
    let slow = raw(&server, b"POST /v1/account/a/open HTTP/1.1\r\nhost: a\r\n");
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 4"), "{slow}");
    let mut many = b"GET /livez HTTP/1.1\r\nhost: a\r\n".to_vec();
    for number in 0..400 {
        many.extend_from_slice(format!("x-{number}: y\r\n").as_bytes());
    }
    many.extend_from_slice(b"\r\n");
    assert!(raw(&server, &many).starts_with("HTTP/1.1 431"), "too many headers");
    let typed = raw(
        &server,
        b"POST /v1/account/a/open HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n\
          content-length: 2\r\nconnection: close\r\n\r\n{}",
    );
    assert!(typed.starts_with("HTTP/1.1 415"), "{typed}");
    assert!(raw(&server, b"\x16\x03\x01\x02\x00\x01\x00").len() < 1_000);
    assert_eq!(server.client().get("/livez").await.unwrap().status, 200, "others are served");
    server.terminate().await;
}
