//! The view `cleaner-jobs`: for each cleaner, the jobs offered, and what became of them.

use ordain_model::{Json, Unprocessable};
use ordain_ports::Published;
use serde::{Deserialize, Serialize};

use crate::view::{bad_row, data, unknown};
use crate::{Change, View};

/// A row a cleaner and job, under `cleaner/job`, so that a cleaner's jobs are a prefix read:
/// `{"cleaner": "ann", "job": "7", "status": "offered"}`.
///
/// The status is what this cleaner has to do with the job: `offered` until this cleaner answers
/// (also when another one took the job meanwhile), then `accepted` or `declined`; `finished` when
/// the cleaner who has it has done it.
#[derive(Debug, Clone, Copy)]
pub struct CleanerJobs;

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Offered,
    Accepted,
    Declined,
    Finished,
}

#[derive(Serialize)]
struct Row<'a> {
    cleaner: &'a str,
    job: &'a str,
    status: Status,
}

#[derive(Deserialize)]
struct Created {
    cleaners: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfCleaner {
    cleaner_id: String,
}

impl View for CleanerJobs {
    fn name(&self) -> &'static str {
        "cleaner-jobs"
    }

    fn follows(&self) -> &'static [&'static str] {
        &["job-request"]
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        let one =
            |status| data::<OfCleaner>(event).map(|of| vec![change(event, of.cleaner_id, status)]);
        match (event.event.name.as_str(), event.event.version) {
            ("created", 1) => {
                let created: Created = data(event)?;
                let offered = |cleaner| change(event, cleaner, Status::Offered);
                Ok(created.cleaners.into_iter().map(offered).collect())
            }
            ("accepted", 1) => one(Status::Accepted),
            ("declined", 1) => one(Status::Declined),
            ("finished", 1) => one(Status::Finished),
            ("all-declined" | "started" | "task-finished", 1) => Ok(Vec::new()),
            _ => Err(unknown(event)),
        }
    }
}

/// Every change says the whole row, so what it said before does not matter.
fn change(event: &Published, cleaner: String, status: Status) -> Change {
    let job = event.aggregate.id().to_owned();
    Change::new(format!("{cleaner}/{job}"), move |_| {
        Json::of(&Row { cleaner: &cleaner, job: &job, status }).map(Some).map_err(bad_row)
    })
}
