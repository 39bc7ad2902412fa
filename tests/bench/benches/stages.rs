//! What the stages of a command cost by themselves: a deposit of 1 to an open account, on one
//! thread, and its commit, with the thread that writes. Without `--bench` each is done once, as a
//! test: `cargo bench --package ordain-limits --bench stages` measures them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a stage that fails ends the measurement")]

use std::hint::black_box;
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
const BATCHES: [usize; 3] = [1, 8, 64];
/// Among so many accounts they go in turn.
const ACCOUNTS: u64 = 10_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let registry = ordain_domain::registry().unwrap();
    let account = registry.get("account").unwrap().as_ref();
    ways_in(&mut criterion, account);
    rules(&mut criterion, account);
    encoding(&mut criterion, account);
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
    assert_eq!(schema.validate(&document), []);
    criterion.bench_function("validate: the command's schema", |bencher| {
        bencher.iter(|| schema.validate(black_box(&document)));
    });
    let data = data();
    criterion.bench_function("check: the command's own type", |bencher| {
        bencher.iter(|| account.check("deposit", black_box(&data)).unwrap());
    });
    let key = key(7);
    criterion.bench_function("fingerprint: canonical form and hash", |bencher| {
        bencher.iter(|| fingerprint(&key, &Json::canonical(black_box(&document))));
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

/// What becomes of a decision before a directory keeps it.
fn encoding(criterion: &mut Criterion, account: &dyn Handler) {
    let commit = commit(account, 7);
    criterion.bench_function("encode: a commit for a directory", |bencher| {
        let encoded = |room| postcard::to_extend(black_box(commit.as_ref()), room).unwrap();
        bencher.iter(|| -> Vec<u8> { encoded(Vec::with_capacity(256)) });
    });
}

/// Commits on their way into a new directory, until they are synced.
fn stored(criterion: &mut Criterion, account: &dyn Handler) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("commit: a batch, synced");
    for count in BATCHES {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let home = Home::open(directory.path(), &Settings::default()).unwrap();
        let commits = home.commits();
        let mut numbers = 0..;
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            let fresh = || -> Vec<_> {
                numbers.by_ref().take(count).map(|number| commit(account, number)).collect()
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

/// The nth deposit, where all accounts get one in turn.
fn commit(account: &dyn Handler, nth: u64) -> Arc<Commit> {
    let (aggregate, data, revision) = (key(nth % ACCOUNTS), data(), nth / ACCOUNTS + 1);
    Arc::new(Commit {
        request: format!("request-{nth}").parse().unwrap(),
        command: "deposit".parse().unwrap(),
        fingerprint: fingerprint(&aggregate, &data),
        revision,
        sequence: revision,
        outcome: Outcome::Success,
        events: vec![Event { sequence: revision, ..deposited(account, &open(account)) }],
        time: Timestamp::from_nanoseconds(1),
        source: Source { partition: 0, offset: nth, nonce: nth },
        trace: None,
        aggregate,
    })
}
