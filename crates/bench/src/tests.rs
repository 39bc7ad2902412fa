//! A server that answers as ordain does, and what the generator says of it when it lies, stalls,
//! or keeps silent about what it has done.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Plan, Report, Workload, run};

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// The deposit that it answers thirtieth has no effect.
    LosesOne,
    /// A repeat has its effect again.
    RunsRepeats,
    /// A repeat is answered as a new command.
    AnswersAnew,
    /// The view never shows the last deposit to an account.
    ViewBehind,
    /// Every third answer is TIMEOUT, though the deposit has its effect.
    TimesOut,
    /// Nothing is answered for half a second.
    Stalls,
    /// Every third deposit is answered 500.
    Fails,
    /// Every third command that it says was accepted is not known afterwards.
    Forgets,
    /// Every third repeat is answered 409.
    RefusesRepeats,
    /// It takes 25 ms for each, one after the other.
    IsSlow,
    /// It has too much to do, now and then.
    IsBusy,
    /// It has too much to do, always.
    IsAlwaysBusy,
}

#[derive(Debug)]
struct Server {
    lie: Lie,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    funds: BTreeMap<String, u64>,
    answers: HashMap<(String, String), String>,
    forgotten: HashSet<String>,
    deposits: u64,
    openings: u64,
}

type Answered = (StatusCode, HeaderMap, String);

impl Server {
    fn deposit(&self, account: &str, request: &str) -> Answered {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.deposits += 1;
        let number = accounts.deposits;
        let third = number.is_multiple_of(3);
        if self.lie == Lie::Stalls && number == 30 {
            thread::sleep(Duration::from_millis(500));
        }
        if self.lie == Lie::IsSlow {
            thread::sleep(Duration::from_millis(25));
        }
        if self.lie == Lie::Fails && third {
            return (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), "{}".to_owned());
        }
        if self.lie == Lie::IsAlwaysBusy || self.lie == Lie::IsBusy && third {
            return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "{}".to_owned());
        }
        let mut headers = HeaderMap::new();
        let key = (account.to_owned(), request.to_owned());
        let earlier = accounts.answers.get(&key).cloned();
        let repeats = earlier.is_some();
        if repeats {
            headers.insert("idempotency-replayed", "true".parse().unwrap());
        }
        let effective = match self.lie {
            Lie::LosesOne => !repeats && number != 30,
            Lie::RunsRepeats => true,
            _ => !repeats,
        };
        if effective {
            *accounts.funds.get_mut(account).unwrap() += 1;
        }
        let answer = earlier.filter(|_| self.lie != Lie::AnswersAnew);
        let answer =
            answer.unwrap_or_else(|| json!({"outcome": "SUCCESS", "number": number}).to_string());
        accounts.answers.insert(key, answer.clone());
        if self.lie == Lie::Forgets && third {
            accounts.forgotten.insert(request.to_owned());
        }
        if self.lie == Lie::RefusesRepeats && repeats && third {
            return (StatusCode::CONFLICT, headers, answer);
        }
        if self.lie == Lie::TimesOut && third {
            return (StatusCode::GATEWAY_TIMEOUT, HeaderMap::new(), "{}".to_owned());
        }
        (StatusCode::OK, headers, answer)
    }
}

async fn batch(State(server): State<Arc<Server>>, body: String) -> String {
    let lines = body.lines().enumerate().map(|(index, line)| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let status = if line["command"] == "open" {
            let mut accounts = server.accounts.lock().unwrap();
            accounts.openings += 1;
            // Not all at once, and not in this order.
            if accounts.openings % 3 == 0 {
                503
            } else {
                accounts.funds.entry(text("id")).or_default();
                201
            }
        } else {
            server.deposit(&text("id"), &text("requestId")).0.as_u16()
        };
        json!({"index": index, "status": status, "result": {}}).to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn deposit(
    State(server): State<Arc<Server>>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let answered = server.deposit(&account, headers["idempotency-key"].to_str().unwrap());
    if headers.contains_key("prefer") && answered.0 == StatusCode::OK {
        return (StatusCode::ACCEPTED, answered.1, "{}".to_owned());
    }
    answered
}

async fn account(State(server): State<Arc<Server>>, Path(account): Path<String>) -> Json<Value> {
    Json(json!({"state": {"funds": server.accounts.lock().unwrap().funds[&account]}}))
}

async fn outcome(
    State(server): State<Arc<Server>>,
    Path((account, request)): Path<(String, String)>,
) -> (StatusCode, String) {
    let accounts = server.accounts.lock().unwrap();
    if accounts.forgotten.contains(&request) {
        return (StatusCode::NOT_FOUND, "{}".to_owned());
    }
    (StatusCode::OK, accounts.answers[&(account, request)].clone())
}

async fn rows(State(server): State<Arc<Server>>) -> Json<Value> {
    let behind = u64::from(server.lie == Lie::ViewBehind);
    let funds = server.accounts.lock().unwrap().funds.clone();
    let row = |(key, funds): (String, u64)| json!({"key": key, "row": {"funds": funds.saturating_sub(behind)}});
    Json(json!({"rows": funds.into_iter().map(row).collect::<Vec<_>>()}))
}

/// A server on a thread of its own, until the test ends.
fn serve(lie: Lie) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Arc::new(Server { lie, accounts: Mutex::default() });
            let routes = Router::new()
                .route("/v1/commands", post(batch))
                .route("/v1/account/{id}/deposit", post(deposit))
                .route("/v1/account/{id}", get(account))
                .route("/v1/account/{id}/requests/{request}", get(outcome))
                .route("/v1/views/accounts", get(rows))
                .with_state(server);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, routes).await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn measured(lie: Lie, workload: Workload, rate: Option<f64>) -> Report {
    let plan = Plan {
        address: serve(lie).to_string(),
        workload,
        connections: 4,
        rate,
        duration: Duration::from_secs(1),
        warm_up: Duration::ZERO,
        accounts: 20,
        name: "a".to_owned(),
        batch: 10,
        views_within: Duration::from_millis(200),
    };
    run(&plan, &mut |_| {}).unwrap()
}

#[test]
fn an_honest_server_is_right_under_every_workload() {
    for workload in Workload::ALL {
        let report = measured(Lie::None, workload, None);
        assert!(report.is_right(), "{report}");
        assert!(report.counts.success > 30, "{report}");
        assert_eq!(report.counts.success, report.checked.deposited, "{report}");
        assert_eq!(report.counts.repeated > 0, workload == Workload::Retries, "{report}");
        assert_eq!(report.outcome_ms.is_some(), workload == Workload::Async, "{report}");
    }
}

#[test]
fn a_deposit_that_was_answered_and_has_no_effect_is_found() {
    let report = measured(Lie::LosesOne, Workload::DepositUniform, None);
    assert_eq!(report.checked.wrong, 1, "{report}");
    assert!(!report.is_right());
}

#[test]
fn a_repeat_that_has_its_effect_again_is_found() {
    let report = measured(Lie::RunsRepeats, Workload::Retries, None);
    assert!(report.checked.wrong > 0, "{report}");
    assert!(!report.is_right());
}

#[test]
fn a_repeat_that_is_answered_otherwise_is_found() {
    let report = measured(Lie::AnswersAnew, Workload::Retries, None);
    assert!(report.counts.wrong > 0, "{report}");
    assert!(!report.is_right());
}

#[test]
fn a_view_that_does_not_show_all_is_found() {
    let report = measured(Lie::ViewBehind, Workload::DepositUniform, None);
    assert_eq!(report.checked.wrong, 0, "{report}");
    assert_eq!(report.checked.views_level_seconds, None, "{report}");
    assert!(!report.is_right());
}

#[test]
fn what_timed_out_is_settled_and_counted_as_it_was() {
    for workload in [Workload::DepositUniform, Workload::Batch] {
        let report = measured(Lie::TimesOut, workload, None);
        assert!(report.is_right(), "{report}");
        assert!(report.counts.timeout > 0, "{report}");
        assert_eq!(report.counts.success + report.counts.timeout, report.checked.deposited);
    }
}

#[test]
fn an_answer_that_no_honest_server_gives_is_told() {
    for workload in Workload::ALL {
        let report = measured(Lie::Fails, workload, None);
        let unexpected = report.unexpected.as_deref().unwrap_or_default();
        assert!(unexpected.starts_with("500 "), "{report}");
        assert!(report.counts.refused > 0 && !report.is_right(), "{report}");
    }
}

#[test]
fn what_was_accepted_and_is_not_known_afterwards_is_told() {
    let report = measured(Lie::Forgets, Workload::Async, None);
    assert_eq!(report.unexpected.as_deref(), Some("404 {}"), "{report}");
    assert!(!report.is_right());
}

#[test]
fn a_repeat_that_is_refused_is_wrong() {
    let report = measured(Lie::RefusesRepeats, Workload::Retries, None);
    assert!(report.counts.wrong > 0 && !report.is_right(), "{report}");
}

#[test]
fn a_busy_server_is_right_unless_it_takes_nothing() {
    for workload in Workload::ALL {
        let report = measured(Lie::IsBusy, workload, None);
        assert!(report.counts.not_accepted > 0 && report.is_right(), "{report}");
    }
    let report = measured(Lie::IsAlwaysBusy, Workload::DepositUniform, None);
    assert!(report.latency_ms.is_none() && !report.is_right(), "{report}");
}

/// Forty a second at most are answered of two hundred that arrive.
#[test]
fn a_server_that_falls_behind_is_slow_to_all_that_arrive() {
    let report = measured(Lie::IsSlow, Workload::DepositUniform, Some(200.0));
    assert_eq!(report.counts.success, 200, "{report}");
    assert!(report.latency_ms.unwrap().p50 >= 1_000.0, "{report}");
}

/// At 200 requests a second 80 arrive in the first 400 ms of the stall, and each of them waits for
/// 100 ms at least; a closed loop would have sent four.
#[test]
fn a_stall_is_felt_by_all_that_arrive_meanwhile() {
    let report = measured(Lie::Stalls, Workload::DepositUniform, Some(200.0));
    assert!(report.is_right(), "{report}");
    let late = report.load.answers.count_between(100_000, u64::MAX);
    assert!(late >= 80, "{late} of {}: {report}", report.load.answers.len());
    assert!(report.latency_ms.unwrap().max >= 450.0, "{report}");
}
