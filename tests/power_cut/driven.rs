//! `ordain-driven DIRECTORY TOLD PLAN`: opens a home and has writers and readers work on it, and
//! tells in the file TOLD what was begun, answered and shown. It is run under a tracer, killed,
//! and given failing syncs and full disks.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ordain_embedded::{Home, Settings};
use ordain_model::{Command, Timestamp};
use ordain_ports::{Content, Input, Lane, Published, Record};
use ordain_tests::workload::{
    self, AGGREGATES, APPENDER, APPENDERS, Answered, FILLER, GROUP, HOME_FAILED, KINDS, Line,
    State, Told, WRITERS,
};
use tokio::task::JoinSet;

/// Enough large commits for a journal to be full.
const LARGE_COMMITS: u64 = 132;

/// How long after a failure the process may still be there.
const FAILURE_MAX: Duration = Duration::from_secs(2);

/// Where it is told what happens.
#[derive(Clone)]
struct Teller(Arc<File>);

impl Teller {
    fn tell(&self, line: &Line) -> Result<()> {
        // One write, so that it is one moment.
        (&*self.0).write_all(line.to_string().as_bytes())?;
        Ok(())
    }
}

/// What a process works on.
#[derive(Clone)]
struct Driven {
    home: Home,
    teller: Teller,
}

fn main() -> ExitCode {
    let _failpoints = fail::FailScenario::setup();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let ran = runtime.context("there is no runtime").and_then(|runtime| runtime.block_on(run()));
    match ran {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("DIRECTORY TOLD PLAN");
    let (directory, told, plan) = (PathBuf::from(argument()?), argument()?, argument()?);
    let file = OpenOptions::new().create(true).append(true).open(&told)?;
    let teller = Teller(Arc::new(file));
    let told = || -> Result<Told> { Ok(Told::of(&std::fs::read_to_string(&told)?)) };
    for part in plan.split(',') {
        let (what, count) = part.split_once('=').context("a plan is load=10,fill=1,…")?;
        let (what, count) = (what.to_owned(), count.parse()?);
        let told = told()?;
        let home = open(&directory, &what)?;
        let driven = Driven { home: home.clone(), teller: teller.clone() };
        let failing = home.clone();
        tokio::spawn(async move {
            let failure = failing.failed().await;
            eprintln!("the home failed: {failure}");
            // As the server does: nobody is answered any more.
            std::process::exit(HOME_FAILED);
        });
        let worked = driven.work(&what, count, told).await;
        if worked.is_err() {
            // What is begun after a failure finds the home closed; the failure itself decides.
            if tokio::time::timeout(FAILURE_MAX, home.failed()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        }
        worked?;
        home.close().await;
    }
    Ok(ExitCode::SUCCESS)
}

fn open(directory: &Path, what: &str) -> Result<Home> {
    let mut settings = workload::settings();
    if what == "space" {
        // What is flushed and merged in the background has to fit into what is kept free.
        settings =
            Settings { free_bytes_min_commands: 56 << 20, free_bytes_min: 48 << 20, ..settings };
    }
    Ok(Home::open(directory, &settings)?)
}

impl Driven {
    async fn work(&self, what: &str, count: u64, told: Told) -> Result<()> {
        let begin = self.begin(told.clone()).await?;
        match what {
            "fill" => self.fill(count).await,
            "load" => self.load(&begin, count).await,
            "append" | "space" => self.append(count, &told).await,
            _ => bail!("there is no plan {what}"),
        }
    }

    /// How many jobs of each writer are done; as this is shown now, it must stay.
    async fn begin(&self, mut told: Told) -> Result<Vec<u64>> {
        for writer in 0..WRITERS {
            told.begun.entry(writer).or_default();
        }
        self.show(&told).await?;
        let found = workload::observe(&self.home, &told).await?;
        let mut begin = Vec::new();
        for (writer, state) in found.states.into_iter().filter(|(writer, _)| *writer < WRITERS) {
            let most = told.begun.get(&writer).copied().unwrap_or(0);
            // Of a job that leaves nothing to be read it is unknown whether it is done.
            let least = told.shown.get(&writer).copied().unwrap_or(0);
            let jobs = (least..=most).find(|jobs| State::after(writer, *jobs) == state);
            let jobs = jobs.with_context(|| format!("writer {writer} is at {state:?}"))?;
            if let Some(job) = jobs.checked_sub(1) {
                self.teller.tell(&Line::Shown { writer, job, at: None })?;
            }
            begin.push(jobs);
        }
        for ((group, partition), progress) in found.progress {
            self.teller.tell(&Line::Saved { group, partition, progress })?;
        }
        Ok(begin)
    }

    /// Reads what the writers left, and writes nothing: whatever is shown must stay, though it may
    /// have been written by a process that was killed before it was synced.
    async fn show(&self, told: &Told) -> Result<()> {
        let mut feed = self.home.join_requests();
        let ends = self.home.command_log().ends().await?;
        for _ in 0..self.home.partitions() {
            let lane = feed.lane().await?.context("a member that has not left gets a lane")?;
            let mut offset = lane.progress().unwrap_or(0);
            while Some(&offset) < ends.get(lane.partition() as usize) {
                let Input::Records(records) = lane.next(100, 1 << 20).await? else { break };
                for record in records {
                    self.tell_command(&record)?;
                    offset = record.position.offset + 1;
                }
            }
        }
        for (&writer, &begun) in told.begun.range(..WRITERS) {
            for which in 0..AGGREGATES {
                let mut revision = 1;
                while self.outcome(writer, which, revision).await?.is_some() {
                    let job = workload::cycle_of(writer, which, revision) * KINDS + 1;
                    self.teller.tell(&Line::Shown { writer, job, at: None })?;
                    revision += 1;
                    ensure!(job < begun, "job {job} of {writer} was never begun");
                }
            }
        }
        Ok(())
    }

    fn tell_command(&self, record: &Record<Command>) -> Result<()> {
        let Content::Whole(command) = &record.content else { bail!("a damaged record") };
        let (writer, _, number) =
            workload::request_of(&command.request).context("a command of nobody")?;
        let job = workload::job_of_command(writer, number);
        self.teller.tell(&Line::Shown { writer, job, at: Some(record.position) })
    }

    /// Inserts large commits.
    async fn fill(&self, count: u64) -> Result<()> {
        for job in 0..count * LARGE_COMMITS {
            self.perform(FILLER, job).await?;
        }
        Ok(())
    }

    /// Appends commands until so many of each writer's were accepted after any was refused.
    async fn append(&self, count: u64, told: &Told) -> Result<()> {
        let refused = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in APPENDER..APPENDER + APPENDERS {
            let (driven, refused) = (self.clone(), Arc::clone(&refused));
            let begin = told.begun.get(&writer).copied().unwrap_or(0);
            writers.spawn(async move {
                let mut pause = tokio::time::interval(Duration::from_millis(5));
                let mut accepted = 0;
                for job in begin.. {
                    if accepted == count {
                        break;
                    }
                    if !driven.perform(writer, job).await? {
                        refused.store(true, Ordering::Relaxed);
                        accepted = 0;
                        pause.tick().await;
                    } else if refused.load(Ordering::Relaxed) {
                        accepted += 1;
                    }
                }
                Ok(())
            });
        }
        self.both(writers, JoinSet::new()).await
    }

    /// Has all writers do so many cycles, while readers read.
    async fn load(&self, begin: &[u64], cycles: u64) -> Result<()> {
        let mut readers = JoinSet::new();
        let driven = self.clone();
        readers.spawn(async move { driven.read_requests().await });
        let driven = self.clone();
        readers.spawn(async move { driven.read_events().await });
        let driven = self.clone();
        readers.spawn(async move { driven.look_up().await });
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let driven = self.clone();
            let begin = begin.get(writer as usize).copied().unwrap_or(0);
            writers.spawn(async move {
                for job in begin..begin + cycles * KINDS {
                    driven.perform(writer, job).await?;
                }
                Ok(())
            });
        }
        self.both(writers, readers).await
    }

    /// Waits for the writers; a reader that ends before them has failed.
    async fn both(
        &self,
        mut writers: JoinSet<Result<()>>,
        mut readers: JoinSet<Result<()>>,
    ) -> Result<()> {
        loop {
            tokio::select! {
                Some(ended) = readers.join_next() => ended??,
                written = writers.join_next() => match written {
                    Some(written) => written??,
                    None => break,
                },
            }
        }
        readers.shutdown().await;
        Ok(())
    }

    /// Does a job and tells of it; says whether it was not refused.
    async fn perform(&self, writer: u32, job: u64) -> Result<bool> {
        self.teller.tell(&Line::Begun { writer, job })?;
        let at = match workload::perform(&self.home, writer, job).await? {
            Answered::Done => None,
            Answered::At(position) => Some(position),
            Answered::Refused => {
                self.teller.tell(&Line::Refused { writer, job })?;
                return Ok(false);
            }
        };
        self.teller.tell(&Line::Shown { writer, job, at })?;
        Ok(true)
    }

    /// Reads the lanes of requests, saves their progress and prunes what lies below it.
    async fn read_requests(&self) -> Result<()> {
        let mut feed = self.home.join_requests();
        let mut lanes = JoinSet::new();
        while let Some(lane) = feed.lane().await? {
            let driven = self.clone();
            lanes.spawn(async move { driven.read_requests_of(&*lane).await });
            if lanes.len() == self.home.partitions() as usize {
                break;
            }
        }
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn read_requests_of(&self, lane: &dyn Lane<Command>) -> Result<()> {
        let mut progress = 0;
        loop {
            let Input::Records(records) = lane.next(3, 1 << 20).await? else { return Ok(()) };
            progress = records.last().map_or(progress, |last| last.position.offset + 1);
            self.save(lane, "", progress).await?;
            // Durable with what was written after it was read, if it was not before.
            records.iter().try_for_each(|record| self.tell_command(record))?;
            if progress.is_multiple_of(3) {
                // Everything handled is old enough for this.
                let end_of_time = Timestamp::from_nanoseconds(i64::MAX);
                self.home.command_log().prune(end_of_time).await?;
            }
        }
    }

    async fn save<R>(&self, lane: &dyn Lane<R>, group: &str, progress: u64) -> Result<()> {
        let (group, partition) = (group.to_owned(), lane.partition());
        self.teller.tell(&Line::Saving { group: group.clone(), partition, progress })?;
        lane.save(progress).await?;
        self.teller.tell(&Line::Saved { group, partition, progress })
    }

    /// Reads the lanes of events and saves their progress.
    async fn read_events(&self) -> Result<()> {
        let mut feed = self.home.join_events(GROUP);
        let mut lanes = JoinSet::new();
        while let Some(lane) = feed.lane().await? {
            let driven = self.clone();
            lanes.spawn(async move { driven.read_events_of(&*lane).await });
            if lanes.len() == self.home.event_partitions() as usize {
                break;
            }
        }
        while let Some(ended) = lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn read_events_of(&self, lane: &dyn Lane<Published>) -> Result<()> {
        loop {
            let Input::Records(records) = lane.next(8, 1 << 20).await? else { return Ok(()) };
            let mut progress = 0;
            for record in records {
                progress = record.position.offset + 1;
                let Content::Whole(event) = &record.content else { bail!("a damaged event") };
                let Some((writer, which, revision)) = workload::request_of(&event.request) else {
                    continue;
                };
                let cycle = workload::cycle_of(writer, which.parse()?, revision);
                self.teller.tell(&Line::Shown { writer, job: cycle * KINDS + 2, at: None })?;
            }
            self.save(lane, GROUP, progress).await?;
        }
    }

    /// Looks outcomes up that are just being decided, and tells of those that are shown.
    async fn look_up(&self) -> Result<()> {
        let mut next = vec![[1; AGGREGATES]; WRITERS as usize];
        let mut pause = tokio::time::interval(Duration::from_millis(1));
        loop {
            pause.tick().await;
            for (writer, next) in (0..).zip(&mut next) {
                for (which, revision) in next.iter_mut().enumerate() {
                    while let Some(commit) = self.outcome(writer, which, *revision).await? {
                        let expected = workload::commit(writer, which, *revision)?;
                        ensure!(commit == expected, "an outcome that nobody decided");
                        let cycle = workload::cycle_of(writer, which, *revision);
                        let job = cycle * KINDS + 1;
                        self.teller.tell(&Line::Shown { writer, job, at: None })?;
                        *revision += 1;
                    }
                }
            }
        }
    }

    async fn outcome(
        &self,
        writer: u32,
        which: usize,
        revision: u64,
    ) -> Result<Option<ordain_model::Commit>> {
        let commit = workload::commit(writer, which, revision)?;
        let found = self.home.outcomes().find(&[(commit.aggregate, commit.request)]).await?;
        Ok(found.into_iter().next().flatten().map(|found| found.as_ref().clone()))
    }
}
