//! W3C trace context: from the caller through every process to the collector, and back.

use std::net::TcpListener;

use ordain_testkit::free_port;
use ordain_tests::{Client, Collected, Collector, Server, ServerOptions, Told, until};

use crate::Home;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OTHER: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "00f067aa0ba902b7";

/// A server whose spans go there.
async fn serve(home: &Home, collector: &str, more: &[(&str, &str)]) -> Server {
    let given = [("OTLP_ENDPOINT", collector), ("EXPORT_EVERY_MS", "20")];
    let named =
        |(name, value): &(&str, &str)| (format!("ORDAIN_TELEMETRY__{name}"), (*value).to_owned());
    let environment = given.iter().chain(more).map(named).collect();
    home.serve(&ServerOptions { environment, ..ServerOptions::default() }).await
}

async fn send(client: &Client, command: &str, request: &str, trace: &str) -> Told {
    let headers = [("idempotency-key", request), ("traceparent", trace)];
    let body = if command == "deposit" { r#"{"amount":5}"# } else { "{}" };
    client.send_with(&format!("/v1/account/a/{command}"), &headers, body).await.unwrap()
}

fn attribute<'a>(span: &'a Collected, name: &str) -> &'a str {
    span.attributes.get(name).map_or("", String::as_str)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_leads_from_the_caller_to_the_views_and_back() {
    let (home, collector) = (Home::new(), Collector::start().await);
    let server = serve(&home, &collector.address, &[]).await;
    let client = server.client();
    let told = send(&client, "open", "o", &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(told.status, 201, "{}", told.body);
    let submit = collector.span(TRACE, "submit account.open").await;
    let decide = collector.span(TRACE, "decide account.open").await;
    let publish = collector.span(TRACE, "publish account").await;
    let fold = collector.span(TRACE, "fold accounts").await;
    let parents = [&submit, &decide, &publish, &fold].map(|span| span.parent.as_str());
    assert_eq!(parents, [CALLER, &submit.id, &decide.id, &decide.id]);
    assert_eq!(told.header("traceparent"), format!("00-{TRACE}-{}-01", decide.id));
    for (span, role) in
        [(&submit, "api"), (&decide, "worker"), (&publish, "worker"), (&fold, "view")]
    {
        assert!(span.roles.split(',').any(|own| own == role), "{span:?}");
        assert_eq!(attribute(span, "ordain.aggregate"), "default/account/a");
        assert!(span.took_ns.is_some(), "it ends before it begins: {span:?}");
    }
    assert_eq!(attribute(&submit, "ordain.outcome"), "SUCCESS");
    // Asked again in another trace, it is told in which it was decided.
    let again = send(&client, "open", "o", &format!("00-{OTHER}-{CALLER}-01")).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &told.body));
    assert_eq!(again.header("traceparent"), told.header("traceparent"));
    let repeat = collector.span(OTHER, "decide account.open").await;
    assert_eq!(attribute(&repeat, "ordain.replayed"), "true");
    assert_eq!(repeat.parent, collector.span(OTHER, "submit account.open").await.id);
    assert_eq!(server.terminate().await.code(), Some(0));
    let spans = collector.spans();
    let folds = spans.iter().filter(|span| span.name.starts_with("fold")).count();
    assert_eq!(folds, 1, "nothing happened the second time: {spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_does_not_record_is_not_recorded() {
    let (home, collector) = (Home::new(), Collector::start().await);
    let server = serve(&home, &collector.address, &[]).await;
    let client = server.client();
    let unsampled = format!("00-{OTHER}-{CALLER}-00");
    let told = send(&client, "open", "o", &unsampled).await;
    assert_eq!((told.status, told.header("traceparent")), (201, unsampled.as_str()));
    let zeros = "0".repeat(32);
    for (nth, bad) in ["", "?", &format!("00-{zeros}-{CALLER}-01")].into_iter().enumerate() {
        let told = send(&client, "deposit", &format!("bad-{nth}"), bad).await;
        assert_eq!((told.status, told.header("traceparent")), (200, ""), "{bad}");
    }
    let told = client.send("/v1/account/a/deposit", "none", r#"{"amount":1}"#).await.unwrap();
    assert_eq!((told.status, told.header("traceparent")), (200, ""));
    send(&client, "deposit", "last", &format!("00-{TRACE}-{CALLER}-01")).await;
    collector.span(TRACE, "fold accounts").await;
    // Who has ended has sent all that it had.
    assert_eq!(server.terminate().await.code(), Some(0));
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:?}");
    assert_eq!(spans.len(), 4, "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_begun_where_that_is_configured() {
    let (home, collector) = (Home::new(), Collector::start().await);
    let server = serve(&home, &collector.address, &[("ROOT_RATIO", "1.0")]).await;
    let told = server.client().send("/v1/account/a/open", "o", "{}").await.unwrap();
    let parts: Vec<&str> = told.header("traceparent").split('-').collect();
    let [_, trace, decide, "01"] = parts[..] else { panic!("{parts:?}") };
    let submit = collector.span(trace, "submit account.open").await;
    assert_eq!(submit.parent, "", "the first");
    let fold = collector.span(trace, "fold accounts").await;
    assert_eq!(fold.parent, decide);
    server.terminate().await;
}

/// Spans that are lost in all processes, and what they say of it in their logs.
async fn lost(server: &Server) -> (f64, usize) {
    let mut lost = 0.0;
    for process in server.operators() {
        let metrics = process.get("/metrics").await.unwrap().body;
        let lines = metrics.lines().filter(|line| line.starts_with("ordain_otlp_lost_spans"));
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        lost += values.sum::<f64>();
    }
    (lost, server.log().lines().filter(|line| line.contains("spans_lost")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_costs_spans_and_nothing_else() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = format!("http://{}", silent.local_addr().unwrap());
    let away_at = format!("http://127.0.0.1:{}", free_port());
    for collector in [away_at, silent_at] {
        let home = Home::new();
        let limits = [("EXPORT_MS_MAX", "300"), ("ROOT_RATIO", "1.0"), ("DRAIN_MS_MAX", "200")];
        let server = serve(&home, &collector, &limits).await;
        let client = server.client();
        assert_eq!(client.send("/v1/account/a/open", "o", "{}").await.unwrap().status, 201);
        let body = r#"{"amount":1}"#;
        for nth in 0..20 {
            let told = client.send("/v1/account/a/deposit", &format!("d{nth}"), body).await;
            assert_eq!(told.unwrap().status, 200);
        }
        // Of each command its submission, decision, publication and fold.
        let lines = until("the loss to be counted", || async {
            let (lost, lines) = lost(&server).await;
            (lost >= 84.0).then_some(lines)
        });
        let processes = server.operators().len();
        assert!((1..=processes).contains(&lines.await), "one line a process: {}", server.log());
        assert_eq!(server.terminate().await.code(), Some(0), "{collector}");
    }
}
