//! What the stages of a command cost by themselves, on one thread: a deposit of 1 to an open
//! account. `cargo bench --package ordain-limits --bench stages` measures them; without `--bench`
//! each is done once, as a test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a stage that fails ends the measurement")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ordain_embedded::{Home, Settings};
use ordain_model::{
    AggregateKey, Commit, Decision, Document, Event, Fingerprint, Fingerprinted, Handler, Json,
    NewEvent, Outcome, Source, State, Timestamp, json,
};

/// The body that `ordain bench` sends.
const BODY: &[u8] = br#"{"amount":1}"#;
/// How deep bodies may be by default.
const LIMITS: json::Limits = json::Limits { depth_max: 64 };
/// The sizes of batches that are stored.
const BATCHES: [u64; 3] = [1, 8, 64];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let registry = ordain_domain::registry().unwrap();
    let account = registry.get("account").unwrap().as_ref();
    ways_in(&mut criterion, account);
    rules(&mut criterion, account);
    ways_out(&mut criterion, account);
    stored(&mut criterion, account);
    criterion.final_summary();
}

/// What the API does with a body.
fn ways_in(criterion: &mut Criterion, account: &dyn Handler) {
    let document = Document::parse(BODY, &LIMITS).unwrap();
    let schema = &account.definition().command("deposit").unwrap().schema;
    criterion.bench_function("decode: JSON, strictly", |bencher| {
        bencher.iter(|| Document::parse(black_box(BODY), &LIMITS).unwrap());
    });
    criterion.bench_function("validate: the command's schema", |bencher| {
        bencher.iter(|| schema.validate(black_box(&document)));
    });
    criterion.bench_function("fingerprint: canonical form and hash", |bencher| {
        bencher.iter(|| fingerprint(&key(7), &Json::canonical(black_box(&document))));
    });
}

/// What a lane does with a command and its state.
fn rules(criterion: &mut Criterion, account: &dyn Handler) {
    let (state, data) = (open(account), data());
    criterion.bench_function("decide: the command decoded, the rules, the event", |bencher| {
        bencher.iter(|| account.decide(black_box(&state), "deposit", black_box(&data)).unwrap());
    });
    let event = deposited(account, &state);
    criterion.bench_function("fold: the event into the state", |bencher| {
        let folded = |mut state: State| {
            account.apply(&mut state, black_box(&event)).unwrap();
            state
        };
        bencher.iter_batched(|| state.clone(), folded, BatchSize::SmallInput);
    });
}

/// What becomes of a decision in a store.
fn ways_out(criterion: &mut Criterion, account: &dyn Handler) {
    let commit = commit(account, 7);
    criterion.bench_function("encode: a commit for a directory", |bencher| {
        bencher.iter(|| postcard::to_stdvec(black_box(&commit)).unwrap());
    });
    criterion.bench_function("encode: its events for an answer", |bencher| {
        bencher.iter(|| Json::of(black_box(&commit.events)).unwrap());
    });
}

/// Commits on their way into a directory, until they are synced.
fn stored(criterion: &mut Criterion, account: &dyn Handler) {
    let directory = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let home = Home::open(directory.path(), &Settings::default()).unwrap();
    let commits = home.commits();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("commit: a batch, synced");
    let mut next = 0;
    for count in BATCHES {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            let fresh = || {
                next += count;
                (next..next + count).map(|id| commit(account, id)).collect::<Vec<_>>()
            };
            let insert = |batch: Vec<Arc<Commit>>| {
                let inserted = runtime.block_on(commits.insert(&batch));
                assert_eq!(inserted.stored, batch.len(), "{:?}", inserted.stop);
            };
            bencher.iter_batched(fresh, insert, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn key(id: u64) -> AggregateKey {
    AggregateKey::new("bench", "account", &format!("account-{id:08}")).unwrap()
}

fn data() -> Json {
    Json::canonical(&Document::parse(BODY, &LIMITS).unwrap())
}

fn fingerprint(aggregate: &AggregateKey, data: &Json) -> Fingerprint {
    Fingerprint::of(&Fingerprinted {
        aggregate,
        command: "deposit",
        expected_sequence: None,
        deadline: None,
        body: data.as_str().as_bytes(),
    })
}

/// An account that was opened.
fn open(account: &dyn Handler) -> State {
    let mut state = account.initial();
    let nothing = Json::canonical(&Document::parse(b"{}", &LIMITS).unwrap());
    let opened = decided(account, &state, ("open", &nothing));
    account.apply(&mut state, &event(opened, 1)).unwrap();
    state
}

fn deposited(account: &dyn Handler, state: &State) -> Event {
    event(decided(account, state, ("deposit", &data())), 2)
}

fn decided(account: &dyn Handler, state: &State, (command, data): (&str, &Json)) -> NewEvent {
    let decision = account.decide(state, command, data).unwrap();
    let Decision::Accepted(mut events) = decision else { panic!("{command}: {decision:?}") };
    events.pop().unwrap()
}

fn event(new: NewEvent, sequence: u64) -> Event {
    let NewEvent { name, version, data } = new;
    Event { sequence, name, version, data, time: Timestamp::from_nanoseconds(1) }
}

/// The commit of a deposit, the first that the account has.
fn commit(account: &dyn Handler, id: u64) -> Arc<Commit> {
    let (aggregate, data) = (key(id), data());
    Arc::new(Commit {
        request: format!("request-{id}").parse().unwrap(),
        command: "deposit".parse().unwrap(),
        fingerprint: fingerprint(&aggregate, &data),
        revision: 1,
        sequence: 1,
        outcome: Outcome::Success,
        events: vec![Event { sequence: 1, ..deposited(account, &open(account)) }],
        time: Timestamp::from_nanoseconds(1),
        source: Source { partition: 0, offset: id, nonce: id },
        trace: None,
        aggregate,
    })
}
