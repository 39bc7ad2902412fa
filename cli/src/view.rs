//! `ordain view`: one row of a view, or a list of rows.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::arguments::ViewArguments;
use crate::client::{self, Answer, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::output::{self, printable};
use crate::read::{print_raw, there, understood};

const PAGE_ROWS: u64 = 100;

#[derive(Deserialize)]
struct Row<'a> {
    key: String,
    sequence: u64,
    #[serde(borrow)]
    row: &'a RawValue,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
    next: Option<String>,
}

/// Prints a row, or rows.
///
/// # Errors
/// There is nothing to print, and why.
pub(crate) async fn run(arguments: &ViewArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let client = Client::new(&arguments.server.server)?;
    let list = List { client, arguments, json };
    match &arguments.key {
        Some(key) if !arguments.prefix => list.row(key).await,
        prefix => list.rows(prefix.as_deref()).await,
    }
}

struct List<'a> {
    client: Client,
    arguments: &'a ViewArguments,
    json: bool,
}

impl List<'_> {
    /// The view's name; only the role goes without, and that is not asked here.
    fn view(&self) -> &str {
        self.arguments.view.as_deref().unwrap_or_default()
    }

    async fn row(&self, key: &str) -> Result<Exit, Box<Failure>> {
        let answer = self.ask(client::path(&["views", self.view(), key]), &[]).await?;
        if self.json {
            print_raw(&answer)?;
            return Ok(Exit::Success);
        }
        let row: Row<'_> = understood(&answer)?;
        let key = printable(&row.key);
        let body = json_text::pretty(row.row.get());
        output::print(&format!("{key}  sequence {}\n{body}", row.sequence))?;
        Ok(Exit::Success)
    }

    async fn rows(&self, prefix: Option<&str>) -> Result<Exit, Box<Failure>> {
        let path = client::path(&["views", self.view()]);
        let mut left = self.arguments.limit;
        let mut after = self.arguments.after.clone();
        let mut heading = true;
        loop {
            let limit = left.min(PAGE_ROWS).to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(prefix.map(|prefix| ("prefix", prefix)));
            query.extend(after.as_deref().map(|after| ("after", after)));
            let answer = self.ask(path.clone(), &query).await?;
            let mut page: Page<'_> = understood(&answer)?;
            page.rows.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.print(&page, heading)?;
            heading = false;
            left = left.saturating_sub(page.rows.len() as u64);
            let (Some(next), true) = (page.next, left > 0 && !page.rows.is_empty()) else {
                return Ok(Exit::Success);
            };
            after = Some(next);
        }
    }

    async fn ask(&self, path: String, query: &[(&str, &str)]) -> Result<Answer, Box<Failure>> {
        let mut query = query.to_vec();
        let seconds = client::whole_seconds(self.arguments.wait).to_string();
        if let Some(receipt) = &self.arguments.receipt {
            query.extend([("receipt", receipt.as_str()), ("wait", seconds.as_str())]);
        }
        let wait =
            if self.arguments.receipt.is_some() { self.arguments.wait } else { Duration::ZERO };
        there(self.client.get(client::with_query(path, &query), wait).await?)
    }

    fn print(&self, page: &Page<'_>, heading: bool) -> Result<(), Box<Failure>> {
        if self.json {
            return page
                .rows
                .iter()
                .try_for_each(|row| output::print(&json_text::one_line(row.get())));
        }
        let mut cells = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            let row: Row<'_> = serde_json::from_str(row.get()).map_err(|error| {
                Failure::new(Exit::Unknown, format!("a row cannot be understood: {error}"))
            })?;
            let key = printable(&row.key).into_owned();
            cells.push([key, row.sequence.to_string(), json_text::compact(row.row)]);
        }
        let table = output::table(["KEY", "SEQUENCE", "ROW"], &cells);
        match (heading, table.split_once('\n')) {
            (true, _) => output::print(&table),
            (false, Some((_, rows))) => output::print(rows),
            (false, None) => Ok(()),
        }
    }
}
