//! View stores that break a promise.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::AggregateKey;
use ordain_ports::{Error, Mark, Row, RowList, RowRange, RowWrite, ViewStore};

use crate::broken::{Breakage, Forgets};

super::caught! {
    a_store_that_ignores_conditions: Unconditional,
        views::a_row_is_written_on_its_condition_only, "on condition Some(1)";
    a_store_that_ignores_conditions_at_once: Unconditional,
        views::one_of_many_at_once_writes_a_row, "a condition held for";
    a_store_that_ignores_conditions_within_a_call: Unconditional,
        views::one_row_twice_in_a_call_is_written_on_each_condition, "both found no row";
    a_store_that_ignores_conditions_of_marks_at_once: Unconditional,
        views::one_of_many_at_once_sets_a_mark, "a condition held for";
    a_store_that_shows_rows_late: ShowsLate,
        views::what_was_written_is_shown_at_once, "assertion";
    a_store_that_ignores_conditions_of_marks: Unconditional,
        views::a_mark_is_set_on_its_condition_only, "assertion";
    a_store_that_refuses_all_when_it_refuses_one: AllOrNothing,
        views::a_refused_write_leaves_the_others_of_its_call, "assertion";
    a_store_that_forgets: Forgets,
        views::what_was_written_survives_a_restart, "written rows were lost";
    a_store_that_forgets_what_it_showed: Forgets,
        views::what_was_shown_survives_a_restart, "what was shown is gone";
    a_store_that_forgets_tombstones: ForgetsTombstones,
        views::a_tombstone_counts_for_conditions, "assertion";
    a_store_that_does_not_give_tombstones: ForgetsTombstones,
        views::tombstones_are_given_and_not_listed, "assertion";
    a_list_that_ends_at_tombstones: EndsAtTombstones,
        views::a_list_comes_to_its_end_over_tombstones, "pages of";
    a_list_that_is_read_by_offset: Offsets,
        views::a_list_goes_on_behind_any_key, "there is no row under the key";
    a_list_that_loses_what_stands_at_the_end_of_a_page: LosesRows,
        views::a_list_beside_writers_gives_each_lasting_row_once,
        "lacks a row that was there";
    a_list_that_ends_a_prefix_too_early: EndsTooEarly,
        views::a_list_holds_what_begins_with_its_prefix, "prefix";
    a_store_with_one_view: OneView, views::views_do_not_see_one_another, "sees another";
}

/// A way to break a view store: what it leaves alone goes through.
#[async_trait]
trait BrokenViews: Send + Sync + 'static {
    fn view<'a>(&self, view: &'a str) -> &'a str {
        view
    }

    async fn rows(&self, port: &dyn ViewStore, view: &str, keys: &[String]) -> Vec<Option<Row>> {
        port.rows(view, keys).await.expect("reads")
    }

    async fn write(&self, port: &dyn ViewStore, view: &str, writes: Vec<RowWrite>) -> Vec<bool> {
        port.write(view, writes).await.expect("writes")
    }

    async fn set_marks(&self, port: &dyn ViewStore, view: &str, marks: Vec<Mark>) -> Vec<bool> {
        port.set_marks(view, marks).await.expect("sets")
    }

    async fn list(&self, port: &dyn ViewStore, view: &str, range: &RowRange) -> RowList {
        port.list(view, range).await.expect("lists")
    }
}

struct Wrapped<B> {
    port: Arc<dyn ViewStore>,
    how: Arc<B>,
}

#[async_trait]
impl<B: BrokenViews> ViewStore for Wrapped<B> {
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error> {
        Ok(self.how.rows(&*self.port, self.how.view(view), keys).await)
    }

    async fn write(&self, view: &str, writes: Vec<RowWrite>) -> Result<Vec<bool>, Error> {
        Ok(self.how.write(&*self.port, self.how.view(view), writes).await)
    }

    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error> {
        self.port.marks(self.how.view(view), of).await
    }

    async fn set_marks(&self, view: &str, marks: Vec<Mark>) -> Result<Vec<bool>, Error> {
        Ok(self.how.set_marks(&*self.port, self.how.view(view), marks).await)
    }

    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error> {
        Ok(self.how.list(&*self.port, self.how.view(view), range).await)
    }
}

macro_rules! broken_views {
    ($($name:ident)*) => {$(
        #[derive(Default)]
        struct $name;

        impl Breakage for $name {
            fn view_store(self: &Arc<Self>, port: Arc<dyn ViewStore>) -> Arc<dyn ViewStore> {
                Arc::new(Wrapped { port, how: Arc::clone(self) })
            }
        }
    )*};
}

broken_views! {
    Unconditional AllOrNothing ForgetsTombstones EndsAtTombstones Offsets LosesRows EndsTooEarly
    OneView ShowsLate
}

#[async_trait]
impl BrokenViews for Unconditional {
    async fn write(&self, port: &dyn ViewStore, view: &str, writes: Vec<RowWrite>) -> Vec<bool> {
        let count = writes.len();
        for mut write in writes {
            // Whatever is stored now, that is what was expected.
            let keys = [write.row.key.clone()];
            let stored = port.rows(view, &keys).await.expect("reads");
            write.expected = stored[0].as_ref().map(|row| row.sequence);
            port.write(view, vec![write]).await.expect("writes");
        }
        vec![true; count]
    }

    async fn set_marks(&self, port: &dyn ViewStore, view: &str, marks: Vec<Mark>) -> Vec<bool> {
        for mut mark in marks.clone() {
            let of = [mark.aggregate.clone()];
            mark.expected = port.marks(view, &of).await.expect("reads")[0];
            port.set_marks(view, vec![mark]).await.expect("sets");
        }
        vec![true; marks.len()]
    }
}

#[async_trait]
impl BrokenViews for AllOrNothing {
    async fn write(&self, port: &dyn ViewStore, view: &str, writes: Vec<RowWrite>) -> Vec<bool> {
        for write in &writes {
            let stored =
                port.rows(view, std::slice::from_ref(&write.row.key)).await.expect("reads");
            if stored[0].as_ref().map(|row| row.sequence) != write.expected {
                return vec![false; writes.len()];
            }
        }
        port.write(view, writes).await.expect("writes")
    }
}

#[async_trait]
impl BrokenViews for ForgetsTombstones {
    async fn rows(&self, port: &dyn ViewStore, view: &str, keys: &[String]) -> Vec<Option<Row>> {
        let rows = port.rows(view, keys).await.expect("reads");
        rows.into_iter().map(|row| row.filter(|row| row.body.is_some())).collect()
    }
}

#[async_trait]
impl BrokenViews for ShowsLate {
    async fn rows(&self, port: &dyn ViewStore, view: &str, keys: &[String]) -> Vec<Option<Row>> {
        let rows = port.rows(view, keys).await.expect("reads");
        rows.into_iter().map(|row| row.filter(|row| row.sequence > 1)).collect()
    }
}

#[async_trait]
impl BrokenViews for EndsAtTombstones {
    async fn list(&self, port: &dyn ViewStore, view: &str, range: &RowRange) -> RowList {
        let mut list = port.list(view, range).await.expect("lists");
        if list.rows.len() < range.limit || list.rows.iter().any(|row| row.key == "k27") {
            list.next = None;
        }
        list
    }
}

#[async_trait]
impl BrokenViews for Offsets {
    async fn list(&self, port: &dyn ViewStore, view: &str, range: &RowRange) -> RowList {
        if let Some(after) = &range.after {
            let there = port.rows(view, std::slice::from_ref(after)).await.expect("reads");
            if there[0].is_none() {
                return RowList::default();
            }
        }
        port.list(view, range).await.expect("lists")
    }
}

#[async_trait]
impl BrokenViews for LosesRows {
    async fn list(&self, port: &dyn ViewStore, view: &str, range: &RowRange) -> RowList {
        let mut list = port.list(view, range).await.expect("lists");
        if list.next.is_some() {
            list.rows.pop();
        }
        list
    }
}

#[async_trait]
impl BrokenViews for EndsTooEarly {
    async fn list(&self, port: &dyn ViewStore, view: &str, range: &RowRange) -> RowList {
        let mut list = port.list(view, range).await.expect("lists");
        let end = format!("{}\u{10ffff}", range.prefix);
        list.rows.retain(|row| row.key < end);
        list
    }
}

#[async_trait]
impl BrokenViews for OneView {
    fn view<'a>(&self, _: &'a str) -> &'a str {
        "all"
    }
}
