//! An API over stores that a test fills, and requests to it without a socket.

mod stores;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use ordain_model::AggregateKey;
use ordain_ports::NoSpans;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::scripted::{Beats, Channel, Log, StoppedClock, Stored};
use crate::{Api, Liveness, Parts, Ports, Readiness, Settings, ViewInfo, admin, public};
use stores::{Histories, Letters, Views};

/// An API and the stores behind it.
pub(crate) struct Stage {
    pub(crate) api: Arc<Api>,
    pub(crate) log: Arc<Log>,
    pub(crate) outcomes: Arc<Stored>,
    pub(crate) replies: Arc<Channel>,
    pub(crate) beats: Arc<Beats>,
    pub(crate) histories: Arc<Histories>,
    pub(crate) views: Arc<Views>,
    pub(crate) letters: Arc<Letters>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::set_with(Settings::default()).await
    }

    pub(crate) async fn set_with(settings: Settings) -> Self {
        let (log, outcomes) = (Arc::new(Log::default()), Arc::new(Stored::default()));
        let beats = Arc::new(Beats::default());
        let (replies, histories) = (Arc::new(Channel::default()), Arc::new(Histories::default()));
        let (views, letters) = (Arc::new(Views::default()), Arc::new(Letters::default()));
        let ports = Ports {
            log: log.clone(),
            replies: replies.clone(),
            outcomes: outcomes.clone(),
            commits: histories.clone(),
            views: views.clone(),
            dead_letters: letters.clone(),
            heartbeats: beats.clone(),
            clock: Arc::new(StoppedClock),
            spans: Arc::new(NoSpans),
        };
        let view = |name: &str, followed: &str| ViewInfo {
            name: name.to_owned(),
            types: vec![followed.to_owned()],
            sole_row: None,
        };
        let funds = ViewInfo { sole_row: Some(AggregateKey::id), ..view("funds", "account") };
        let parts = Parts {
            settings,
            registry: Arc::new(ordain_domain::registry().unwrap()),
            ports,
            views: vec![view("accounts", "account"), view("cleaner-jobs", "job-request"), funds],
            liveness: Liveness::default(),
            readiness: Readiness::default(),
            metrics: Arc::new(|| "some_metric 1\n".to_owned()),
            configuration: serde_json::json!({"listen": {"value": "x", "from": "default"}}),
            version: "1.2.3".to_owned(),
        };
        let api = Api::start(parts).await.unwrap();
        Self { api, log, outcomes, replies, beats, histories, views, letters }
    }

    pub(crate) async fn get(&self, path: &str) -> Read {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Read {
        ask(public(&self.api), request).await
    }

    pub(crate) async fn operate(&self, request: Request<Body>) -> Read {
        ask(admin(&self.api), request).await
    }
}

/// A request to routes, and the answer.
pub(crate) async fn ask(routes: Router, request: Request<Body>) -> Read {
    let response: Response = routes.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Read { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Read {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|bad| panic!("{bad}: {}", self.text()))
    }

    /// Status and code of a problem, which it must be.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The key of an account.
pub(crate) fn account(id: &str) -> AggregateKey {
    AggregateKey::new("default", "account", id).unwrap()
}
