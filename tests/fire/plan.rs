//! What is done to the fleet in a round: drawn from a seed, so that it can be done again.

use std::time::Duration;

use fastrand::Rng;
use ordain_checker::evidence::Topic;
use ordain_tests::Role;
use ordain_tests::faults::{Harm, Off, PLACES, POINTS, Rule, SERVERS, Strike};

/// Beside the crash points, so many processes are killed, paused and asked to leave in a round.
const KILLS: usize = 10;
const PAUSES: usize = 6;
const LEAVES: usize = 4;
/// So many links are harmed in a round; in seven rounds every one in every way.
const LINKS: usize = 22;
/// So long a worker is cut off from Kafka: it loses its partitions, and what it has fetched and
/// holds for its own is another's for minutes.
const CUT_OFF: Duration = Duration::from_secs(120);
/// So many partitions more the log of requests gets in the first rounds, beside one at each P1.
const RAISED_BY: [u32; 2] = [4, 4];
/// A worker that is one of two owners is struck at the latest so long after it could send what it
/// held: it has not sent it then, has sent it, or has an answer.
const SOON_MS: u64 = 60;

/// A round. What is done to processes, links and servers is done at the same time.
pub(crate) struct Round {
    pub(crate) processes: Vec<OnProcess>,
    pub(crate) links: Vec<OnLink>,
    pub(crate) servers: Vec<OnServer>,
    /// What is done to workers alone, behind all that, as it harms links and raises partitions.
    pub(crate) amid: Vec<OnProcess>,
    /// What is done alone, at last: a worker that is killed meanwhile would be another.
    pub(crate) cut_off: Option<OnLink>,
}

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnProcess {
    /// It is struck at a crash point, which it passes so often before.
    Point(Strike, (&'static str, Role), u32),
    /// Z3: a worker is struck so soon after it could insert what others have taken over.
    TwoOwners(Strike, Duration),
    /// P1: the same while the log of requests gets more partitions.
    Raised(Strike, Duration),
    Kill(Role),
    Pause(Role),
    /// It is asked to leave.
    Leave(Role),
    /// Workers are ended by a rule, one after the other, until its command is given up.
    Rule(Rule),
    /// One is started whose clock is off, and put right while it runs.
    Clock(Role, Off),
    /// All workers and views are away until the logs have expired.
    Expire,
}

/// What is done to the link from a process to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnLink {
    pub(crate) place: (Role, usize),
    pub(crate) server: &'static str,
    pub(crate) harm: Harm,
    pub(crate) long: Duration,
}

impl OnLink {
    /// What one chooses it by.
    pub(crate) fn kind(&self) -> &'static str {
        if self.long == CUT_OFF { "cut-off" } else { "link" }
    }
}

/// What is done to a server, or to what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnServer {
    /// It is killed, and started again after this time.
    Kill(&'static str, Duration),
    /// It stands still for this time.
    Stop(&'static str, Duration),
    /// Redis closes every connection.
    CloseRedisConnections,
    /// Somebody publishes in every channel of Redis for this time.
    FloodRedis(Duration),
    /// MongoDB's primary steps down, and is elected again.
    StepDown,
    /// The log of requests gets so many partitions more.
    Raise(u32),
    /// Records are written once more, neighbours swapped.
    Replay(&'static str),
    /// Somebody else's records stand in every partition.
    Plant(Topic),
}

impl OnServer {
    /// What one chooses it by.
    const fn kind(self) -> &'static str {
        match self {
            Self::Kill(server, _) | Self::Stop(server, _) => server,
            Self::CloseRedisConnections | Self::FloodRedis(_) => "redis",
            Self::StepDown => "mongodb",
            Self::Raise(_) => "raise",
            Self::Replay(_) => "replay",
            Self::Plant(_) => "foreign",
        }
    }
}

/// The rounds of this seed, of nothing but these kinds if there are any.
pub(crate) fn rounds(count: u32, seed: u64, only: &[String]) -> Vec<Round> {
    let mut random = Rng::with_seed(seed);
    let mut deck = Vec::new();
    let is_wanted = |kind: &str| only.is_empty() || only.iter().any(|wanted| wanted == kind);
    let round = |number| {
        let mut processes = processes(&mut random);
        processes.retain(|one| is_wanted(one.kind()));
        let mut links = links(&mut deck, &mut random);
        links.retain(|one| is_wanted(one.kind()));
        let mut amid = amid(&mut random);
        amid.retain(|one| is_wanted(one.kind()));
        let cut_off = Some(cut_off(&mut random, number)).filter(|one| is_wanted(one.kind()));
        let mut servers = servers(&mut random, number);
        servers.retain(|one| is_wanted(one.kind()));
        Round { processes, links, servers, amid, cut_off }
    };
    (0..count as usize).map(round).collect()
}

impl OnProcess {
    const fn kind(self) -> &'static str {
        match self {
            Self::Point(..) => "point",
            Self::TwoOwners(..) | Self::Raised(..) => "owners",
            Self::Kill(_) => "kill",
            Self::Pause(_) => "pause",
            Self::Leave(_) => "leave",
            Self::Rule(_) => "rule",
            Self::Clock(..) => "clock",
            Self::Expire => "expired",
        }
    }
}

fn processes(random: &mut Rng) -> Vec<OnProcess> {
    let mut all = Vec::new();
    for (point, role, passed) in POINTS {
        for strike in [Strike::Kill, Strike::Pause] {
            all.push(OnProcess::Point(strike, (point, role), passed));
        }
    }
    let counted = [(KILLS, OnProcess::Kill as fn(Role) -> OnProcess), (PAUSES, OnProcess::Pause)];
    for (count, what) in counted.into_iter().chain([(LEAVES, OnProcess::Leave as _)]) {
        all.extend((0..count).map(|_| what(role(random))));
    }
    all.extend([Rule::Hangs, Rule::Aborts].map(OnProcess::Rule));
    all.push(OnProcess::Expire);
    for role in [Role::Api, Role::Worker, Role::View] {
        all.extend([Off::Ahead, Off::Behind].map(|off| OnProcess::Clock(role, off)));
    }
    random.shuffle(&mut all);
    all
}

fn amid(random: &mut Rng) -> Vec<OnProcess> {
    let mut all = Vec::new();
    for what in [OnProcess::TwoOwners as fn(Strike, Duration) -> OnProcess, OnProcess::Raised] {
        let mut soon = || Duration::from_millis(random.u64(..SOON_MS));
        all.extend([Strike::Kill, Strike::Pause].map(|strike| what(strike, soon())));
    }
    random.shuffle(&mut all);
    all
}

/// As many of each as there are processes of it.
fn role(random: &mut Rng) -> Role {
    PLACES[random.usize(..PLACES.len())].0
}

/// Deals out every way to harm every link before any comes again.
fn links(deck: &mut Vec<OnLink>, random: &mut Rng) -> Vec<OnLink> {
    let mut dealt = Vec::new();
    while dealt.len() < LINKS {
        match deck.pop() {
            Some(link) => dealt.push(link),
            None => {
                *deck = every_link(random);
                random.shuffle(deck);
            }
        }
    }
    dealt
}

/// A worker that cannot reach Kafka, by turns as it notices at once and as it does not, and goes on
/// reaching everything else.
fn cut_off(random: &mut Rng, round: usize) -> OnLink {
    let harm = if round.is_multiple_of(2) { Harm::Silence } else { Harm::Cut };
    let place = (Role::Worker, random.usize(..3));
    OnLink { place, server: "kafka", harm, long: CUT_OFF }
}

fn every_link(random: &mut Rng) -> Vec<OnLink> {
    let mut all = Vec::new();
    for place in PLACES {
        // A view only looks whether Redis is there when it starts.
        for server in
            SERVERS.into_iter().filter(|server| (place.0, *server) != (Role::View, "redis"))
        {
            for harm in harms(random) {
                let long = Duration::from_millis(random.u64(1_000..9_000));
                all.push(OnLink { place, server, harm, long });
            }
        }
    }
    all
}

fn harms(random: &mut Rng) -> [Harm; 8] {
    [
        Harm::Cut,
        Harm::Silence,
        Harm::SilenceThere,
        Harm::SilenceBack,
        Harm::Delay(random.u32(50..5_000)),
        Harm::Throttle(random.u32(5..100)),
        Harm::Reset,
        Harm::CutBehind(random.u32(100..20_000)),
    ]
}

fn servers(random: &mut Rng, round: usize) -> Vec<OnServer> {
    let mut seconds = |from, to| Duration::from_secs(random.u64(from..to));
    let mut all = vec![
        OnServer::Kill("redis", seconds(10, 60)),
        OnServer::Stop("redis", seconds(2, 10)),
        OnServer::CloseRedisConnections,
        OnServer::FloodRedis(seconds(2, 6)),
        OnServer::Kill("kafka", seconds(5, 20)),
        OnServer::Stop("kafka", seconds(2, 10)),
        OnServer::Kill("mongodb", seconds(1, 10)),
        OnServer::Stop("mongodb", seconds(2, 10)),
        OnServer::StepDown,
        OnServer::Replay("requests"),
        OnServer::Replay("finalevents"),
        OnServer::Plant(Topic::Requests),
        OnServer::Plant(Topic::FinalEvents),
        OnServer::Plant(Topic::DeadLetters),
    ];
    all.extend(RAISED_BY.get(round).map(|by| OnServer::Raise(*by)));
    random.shuffle(&mut all);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        let planned = |seed| {
            let rounds = rounds(2, seed, &[]);
            let words = |round: &Round| {
                let Round { processes, links, servers, amid, cut_off } = round;
                format!("{processes:?} {links:?} {servers:?} {amid:?} {cut_off:?}")
            };
            rounds.iter().map(words).collect::<Vec<_>>()
        };
        assert_eq!(planned(1), planned(1));
        assert_ne!(planned(1), planned(2));
        let [first, second] = planned(1).try_into().unwrap_or_default();
        assert_ne!(first, second);
    }

    #[test]
    fn every_link_is_harmed_in_every_way_before_any_is_again() {
        let links: Vec<OnLink> =
            rounds(7, 1, &["link".to_owned()]).into_iter().flat_map(|round| round.links).collect();
        let every = every_link(&mut Rng::with_seed(1));
        let (first, again) = links.split_at(every.len());
        let named = |link: &OnLink| (link.place, link.server, std::mem::discriminant(&link.harm));
        let is_in =
            |some: &[OnLink], link: &OnLink| some.iter().any(|one| named(one) == named(link));
        assert!(every.iter().all(|link| is_in(first, link)));
        assert!(!again.is_empty(), "{}", links.len());
    }

    #[test]
    fn a_round_kills_and_pauses_at_every_point() {
        for round in rounds(3, 1, &[]) {
            for (point, role, passed) in POINTS {
                for strike in [Strike::Kill, Strike::Pause] {
                    let struck = OnProcess::Point(strike, (point, role), passed);
                    assert!(round.processes.contains(&struck), "{struck:?}");
                }
            }
            let struck = |one: &OnProcess| match one {
                OnProcess::TwoOwners(strike, _) => format!("Z3 {strike}"),
                OnProcess::Raised(strike, _) => format!("P1 {strike}"),
                other => format!("{other:?}"),
            };
            let amid: BTreeSet<String> = round.amid.iter().map(struck).collect();
            let all = ["P1 killed", "P1 paused", "Z3 killed", "Z3 paused"];
            assert_eq!(amid, all.map(String::from).into());
        }
    }

    #[test]
    fn only_what_is_wanted_is_planned() {
        let only = |kind: &str| rounds(1, 1, &[kind.to_owned()]).remove(0);
        let redis = only("redis");
        assert!(redis.processes.is_empty() && redis.links.is_empty() && redis.amid.is_empty());
        assert!(!redis.servers.is_empty());
        assert!(redis.servers.iter().all(|one| one.kind() == "redis"));
        let links = only("link");
        assert!(links.processes.is_empty() && links.servers.is_empty());
        assert_eq!(links.links.len(), LINKS);
    }
}
