//! `/livez`: whether the process still works. `/readyz`: whether it, and what it depends on, can
//! take commands.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ordain_model::{AggregateKey, RequestId, TENANT_DEFAULT};
use ordain_ports::Error;
use tokio::time::{Instant, timeout};

use crate::Api;
use crate::routes::json;
use crate::writer::ObjectWriter;

/// How long what the dependencies said is repeated: whoever asks often must not load them.
const REMEMBERED: Duration = Duration::from_millis(500);

/// What was said by name: well, or why not.
type Said = Vec<(String, Result<(), String>)>;

/// What the dependencies said last, and when.
#[derive(Debug, Default)]
pub(crate) struct Probes(tokio::sync::Mutex<Option<(Instant, Said)>>);

/// `GET /livez`
pub(crate) async fn live(State(api): State<Arc<Api>>) -> Response {
    let said = match api.parts.liveness.failure() {
        Some(why) => Err(why),
        None => Ok(()),
    };
    answer(&[("process".to_owned(), said)])
}

/// `GET /readyz`
pub(crate) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let mut said = api.parts.readiness.statuses();
    if let Some(why) = api.parts.liveness.failure() {
        said.push(("process".to_owned(), Err(why)));
    }
    said.extend(probed(&api).await);
    answer(&said)
}

fn answer(said: &[(String, Result<(), String>)]) -> Response {
    let checks = said.iter().map(|(name, status)| {
        let check = ObjectWriter::new().text("name", name);
        match status {
            Ok(()) => check.text("status", "ok").finish(),
            Err(why) => check.text("status", "failed").text("why", why).finish(),
        }
    });
    let is_well = said.iter().all(|(_, status)| status.is_ok());
    let word = if is_well { "ok" } else { "failed" };
    let document = ObjectWriter::new().text("status", word).array("checks", checks).finish();
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json(document)).into_response()
}

/// Asks every dependency for something small, all at once; whoever comes meanwhile is told the
/// same.
async fn probed(api: &Api) -> Said {
    let mut last = api.probes.0.lock().await;
    if let Some((at, said)) = last.as_ref().filter(|(at, _)| at.elapsed() < REMEMBERED) {
        tracing::trace!(age = ?at.elapsed(), "readiness repeated");
        return said.clone();
    }
    let ports = &api.parts.ports;
    let limit = Duration::from_millis(api.settings().ready_ms_max);
    let probe = probe_id();
    let ids = probe.as_slice();
    let view = api.parts.views.first().map_or("probe", |view| view.name.as_str());
    let keys = ["probe".to_owned()];
    let (log, outcomes, views) = tokio::join!(
        timeout(limit, ports.log.ends()),
        timeout(limit, ports.outcomes.find(ids)),
        timeout(limit, ports.views.rows(view, &keys)),
    );
    let said = vec![
        ("log".to_owned(), told(log)),
        ("outcomes".to_owned(), told(outcomes)),
        ("views".to_owned(), told(views)),
    ];
    *last = Some((Instant::now(), said.clone()));
    said
}

/// An id that nobody sends: it is asked for, to see whether the store answers.
fn probe_id() -> Option<(AggregateKey, RequestId)> {
    let key = AggregateKey::new(TENANT_DEFAULT, "admin", "probe").ok()?;
    Some((key, "probe".parse().ok()?))
}

fn told<T>(answer: Result<Result<T, Error>, tokio::time::error::Elapsed>) -> Result<(), String> {
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("does not answer in time".to_owned()),
    }
}
