//! `ordain events`: the events of an aggregate, each once and in order, also across restarts of
//! the server.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::arguments::EventsArguments;
use crate::client::{self, Answer, Call, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::output;
use crate::problem::Problem;
use crate::read::{refused, there, understood};
use crate::retry::{AskedWait, Policy};

/// How often a follower asks for more: at once after events, then less and less often.
const IDLE: Policy = Policy {
    attempts_max: u32::MAX,
    first_pause: Duration::from_millis(100),
    pause_max: Duration::from_secs(2),
};
/// How often a follower asks a server that does not answer.
const AWAY: Policy = Policy {
    attempts_max: u32::MAX,
    first_pause: Duration::from_millis(250),
    pause_max: Duration::from_secs(5),
};

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Numbered {
    sequence: u64,
}

/// Prints the events that there are, and with `--follow` those that come.
///
/// # Errors
/// Why no more can be printed.
pub(crate) async fn run(arguments: &EventsArguments) -> Result<Exit, Box<Failure>> {
    let reader = Reader {
        client: Client::new(&arguments.server.server)?,
        path: client::path(&[&arguments.aggregate_type, &arguments.id, "events"]),
    };
    if arguments.follow {
        reader.follow(arguments.from).await
    } else {
        reader.all(arguments.from).await
    }
}

struct Reader {
    client: Client,
    path: String,
}

impl Reader {
    async fn all(&self, from: u64) -> Result<Exit, Box<Failure>> {
        let mut next = from;
        loop {
            let answer = self.client.get(self.page(next), Duration::ZERO).await?;
            let more = print(&there(answer)?, &mut next)?;
            if !more {
                return Ok(Exit::Success);
            }
        }
    }

    async fn follow(&self, from: u64) -> Result<Exit, Box<Failure>> {
        let mut next = from;
        let mut idle = 0;
        let mut away = 0;
        loop {
            let wait = match self.ask(next).await? {
                Asked::Answered(answer) => {
                    if away > 0 {
                        output::say(&format!("{} answers again", self.client.address()));
                        away = 0;
                    }
                    let before = next;
                    let more = answer.map_or(Ok(false), |answer| print(&answer, &mut next))?;
                    idle = if next > before { 1 } else { idle + 1 };
                    if more { None } else { IDLE.pause(idle, AskedWait::NONE) }
                }
                Asked::Away(why, asked) => {
                    if away == 0 {
                        output::say(&format!("{why}; asking again until it answers"));
                    }
                    away += 1;
                    AWAY.pause(away, asked).or(Some(AWAY.pause_max))
                }
            };
            tokio::time::sleep(wait.unwrap_or_default()).await;
        }
    }

    /// Asks for the page from a sequence on. What may pass is no failure.
    async fn ask(&self, from: u64) -> Result<Asked, Box<Failure>> {
        let answer = match self.client.call(Call::get(self.page(from), Duration::ZERO)).await {
            Ok(answer) => answer,
            Err(broken) => {
                let why = format!("no answer from {}: {}", self.client.address(), broken.why());
                return Ok(Asked::Away(why, AskedWait::NONE));
            }
        };
        match answer.status {
            StatusCode::OK => Ok(Asked::Answered(Some(answer))),
            StatusCode::NOT_FOUND if not_yet(&answer) => Ok(Asked::Answered(None)),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Ok(away(&answer)),
            status if status.is_server_error() => Ok(away(&answer)),
            _ => Err(refused(&answer)),
        }
    }

    fn page(&self, from: u64) -> String {
        client::with_query(self.path.clone(), &[("from", &from.to_string())])
    }
}

enum Asked {
    /// A page; none while nothing has happened to the aggregate.
    Answered(Option<Answer>),
    /// No page for now: why, and how long the server asks to wait.
    Away(String, AskedWait),
}

fn away(answer: &Answer) -> Asked {
    let why = format!("the server said {} {}", answer.status.as_u16(), Problem::of(answer).line());
    Asked::Away(why, AskedWait::of(answer.header("retry-after")))
}

fn not_yet(answer: &Answer) -> bool {
    Problem::of(answer).code.as_deref() == Some("UNKNOWN_AGGREGATE")
}

/// Prints the events of a page from `next` on and moves `next` behind them; says whether there is
/// another page.
fn print(answer: &Answer, next: &mut u64) -> Result<bool, Box<Failure>> {
    let page: Page<'_> = understood(answer)?;
    for event in &page.events {
        let sequence = serde_json::from_str::<Numbered>(event.get()).map(|event| event.sequence);
        match sequence {
            Ok(sequence) if sequence < *next => continue,
            Ok(sequence) if sequence == *next => {}
            _ => {
                let text = format!("the server left out event {next}");
                return Err(Failure::new(Exit::Unknown, text));
            }
        }
        output::print(&json_text::one_line(event.get()))?;
        *next += 1;
    }
    Ok(page.next.is_some() && !page.events.is_empty())
}
