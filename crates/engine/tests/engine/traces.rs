//! Commands that belong to a trace: what is told of them, and what their commits carry on.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use ordain_model::TraceContext;
use ordain_ports::{Span, Spans};
use ordain_testkit::faulty::Insert;

use crate::world::{Wanted, World, add, wanted};

/// Keeps the spans that it is given, and numbers the places that it gives.
#[derive(Default)]
struct Told {
    places: Mutex<u64>,
    spans: Mutex<Vec<Span>>,
}

impl Spans for Told {
    fn child(&self, parent: TraceContext) -> Option<TraceContext> {
        let mut places = self.places.lock().unwrap();
        *places += 1;
        parent.is_sampled().then(|| parent.with_span(NonZeroU64::new(*places).unwrap()))
    }

    fn root(&self) -> Option<TraceContext> {
        panic!("a worker begins no trace")
    }

    fn record(&self, span: Span) {
        self.spans.lock().unwrap().push(span);
    }
}

impl Told {
    /// The spans of this name, as the world ends with them.
    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|span| span.name == name).cloned().collect()
    }
}

fn caller(flags: &str) -> TraceContext {
    format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}").parse().unwrap()
}

fn traced(mut wanted: Wanted, flags: &str) -> Wanted {
    wanted.command.trace = Some(caller(flags));
    wanted
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn a_decision_is_told_under_its_caller_and_its_commit_carries_it_on() {
    let (world, told) = (World::new().await, Arc::new(Told::default()));
    world.append(&[traced(add("p", "r"), "01"), add("p", "s")]).await;
    let working = world.work_telling(Arc::clone(&told) as _);
    world.check(&["p"]).await;
    let [decision] = &told.named("decide probe.add")[..] else { panic!("one decision") };
    assert_eq!(decision.parent, Some(caller("01").span()));
    assert_eq!(attribute(decision, "ordain.outcome"), "SUCCESS");
    assert_eq!(attribute(decision, "ordain.replayed"), "false");
    let commits = world.history("p").await;
    assert_eq!((commits[0].trace, commits[1].trace), (Some(decision.own), None));
    let published = world.published().await;
    assert!(
        published.iter().all(|event| {
            event.trace == (event.request.as_str() == "r").then_some(decision.own)
        })
    );
    let [publication] = &told.named("publish probe")[..] else { panic!("one publication") };
    assert_eq!(publication.parent, Some(decision.own.span()));
    working.drain().await;
}

#[tokio::test]
async fn a_repeat_is_told_as_one_and_keeps_the_first_trace() {
    let (world, told) = (World::new().await, Arc::new(Told::default()));
    let refusal = || traced(wanted("p", "r", "refuse", "{}"), "01");
    world.append(&[refusal(), refusal()]).await;
    let working = world.work_telling(Arc::clone(&told) as _);
    world.settled().await;
    world.append(&[refusal()]).await;
    world.check(&["p"]).await;
    let spans = told.named("decide probe.refuse");
    let replayed: Vec<&str> = spans.iter().map(|span| attribute(span, "ordain.replayed")).collect();
    assert_eq!(replayed, ["false", "true", "true"]);
    assert_eq!(attribute(&spans[0], "ordain.code"), "REFUSED");
    assert_eq!(world.find("p", "r").await.unwrap().trace, Some(spans[0].own));
    assert!(told.named("publish probe").is_empty(), "there is nothing to publish");
    working.drain().await;
}

#[tokio::test]
async fn what_is_decided_anew_is_told_once_and_as_it_came_true() {
    let (world, told) = (World::new().await, Arc::new(Told::default()));
    world.commits.plan(Insert::Lost);
    world.append(&[traced(add("p", "r"), "01")]).await;
    let working = world.work_telling(Arc::clone(&told) as _);
    world.check(&["p"]).await;
    let [decision] = &told.named("decide probe.add")[..] else { panic!("one decision") };
    assert_eq!(world.history("p").await[0].trace, Some(decision.own));
    working.drain().await;
}

#[tokio::test]
async fn where_nothing_is_told_the_trace_goes_on_as_it_came() {
    let (world, told) = (World::new().await, Arc::new(Told::default()));
    world.append(&[traced(add("p", "r"), "00")]).await;
    let working = world.work_telling(Arc::clone(&told) as _);
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await[0].trace, Some(caller("00")));
    assert_eq!(world.published().await[0].trace, Some(caller("00")));
    assert!(told.spans.lock().unwrap().is_empty());
    working.drain().await;
}
