//! The view `job-requests`: each job, as far as it is.

use std::fmt;

use ordain_model::{AggregateKey, Json, Unprocessable};
use ordain_ports::{Published, SoleRow};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::view::{bad_row, data, unknown};
use crate::{Change, View};

/// A row a job, under its id: `{"status", "cleaners", "tasks": [{"id", "name", "done"}],
/// "answers": {cleaner: "accepted" | "declined"}, "acceptedCleaner"?}`, the answers in the order
/// given. The status is `offered`, `declined`, `accepted`, `started` or `finished`.
#[derive(Debug, Clone, Copy)]
pub struct JobRequests;

/// A job as its row says it. The view reads events as any other system would, so that a row keeps
/// its form when the aggregate's own state gets another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    status: Status,
    cleaners: Vec<String>,
    tasks: Vec<Task>,
    answers: Answers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_cleaner: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Offered,
    Declined,
    Accepted,
    Started,
    Finished,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    id: String,
    name: String,
    done: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Accepted,
    Declined,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    cleaners: Vec<String>,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfCleaner {
    cleaner_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskFinished {
    task_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllDeclined {}

impl View for JobRequests {
    fn name(&self) -> &'static str {
        "job-requests"
    }

    fn follows(&self) -> &'static [&'static str] {
        &["job-request"]
    }

    fn sole_row(&self) -> Option<SoleRow> {
        Some(AggregateKey::id)
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        let change = match (event.event.name.as_str(), event.event.version) {
            ("created", 1) => created(event, data(event)?),
            ("accepted", 1) => {
                let OfCleaner { cleaner_id } = data(event)?;
                edit(event, move |row| {
                    row.status = Status::Accepted;
                    row.answers.0.push((cleaner_id.clone(), Answer::Accepted));
                    row.accepted_cleaner = Some(cleaner_id.clone());
                })
            }
            ("declined", 1) => {
                let OfCleaner { cleaner_id } = data(event)?;
                edit(event, move |row| {
                    row.answers.0.push((cleaner_id.clone(), Answer::Declined));
                })
            }
            ("all-declined", 1) => {
                let AllDeclined {} = data(event)?;
                edit(event, |row| row.status = Status::Declined)
            }
            ("started", 1) => edit(event, |row| row.status = Status::Started),
            ("task-finished", 1) => {
                let TaskFinished { task_id } = data(event)?;
                edit(event, move |row| {
                    for task in row.tasks.iter_mut().filter(|task| task.id == task_id) {
                        task.done = true;
                    }
                })
            }
            ("finished", 1) => edit(event, |row| row.status = Status::Finished),
            _ => return Err(unknown(event)),
        };
        Ok(vec![change])
    }
}

fn created(event: &Published, created: Created) -> Change {
    let Created { cleaners, tasks } = created;
    let row = Row {
        status: Status::Offered,
        cleaners,
        tasks,
        answers: Answers::default(),
        accepted_cleaner: None,
    };
    Change::new(event.aggregate.id(), move |_| Json::of(&row).map(Some).map_err(bad_row))
}

fn edit(event: &Published, edit: impl Fn(&mut Row) + Send + Sync + 'static) -> Change {
    Change::new(event.aggregate.id(), move |row| {
        let row =
            row.ok_or_else(|| bad_row("something happened to a job before it was created"))?;
        let mut row: Row = row.decode().map_err(bad_row)?;
        edit(&mut row);
        Json::of(&row).map(Some).map_err(bad_row)
    })
}

/// Answers by cleaner, in the order given: in JSON an object whose members stand in that order.
#[derive(Clone, Default)]
struct Answers(Vec<(String, Answer)>);

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(cleaner, answer)| (cleaner, answer)))
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Answers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the answers by cleaner")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Answers, M::Error> {
                let mut answers = Vec::new();
                while let Some(answer) = map.next_entry()? {
                    answers.push(answer);
                }
                Ok(Answers(answers))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
