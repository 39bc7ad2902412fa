//! Reading views.

use std::time::Duration;

use ordain_model::Receipt;
use tokio::time::{Instant, sleep};

use crate::staged::{Stage, account};

async fn stage() -> Stage {
    let stage = Stage::set().await;
    stage.views.put("accounts", "a", Some(r#"{"funds": 1}"#));
    stage.views.put("accounts", "gone", None);
    for key in ["c1/j1", "c1/j2", "c1/j3", "c2/j1"] {
        stage.views.put("cleaner-jobs", key, Some("{}"));
    }
    stage
}

fn receipt(sequence: u64) -> Receipt {
    Receipt { aggregate: account("a"), sequence }
}

#[tokio::test]
async fn a_row_is_found_by_its_key_with_or_without_encoded_slashes() {
    let stage = stage().await;
    let read = stage.get("/v1/views/accounts/a").await;
    assert_eq!(read.text(), r#"{"view":"accounts","key":"a","sequence":3,"row":{"funds": 1}}"#);
    assert_eq!(read.header("cache-control"), Some("no-store"));
    for path in ["c1/j2", "c1%2Fj2", "c1%2fj2"] {
        let read = stage.get(&format!("/v1/views/cleaner-jobs/{path}")).await;
        assert_eq!((read.status, &read.json()["key"]), (200, &"c1/j2".into()));
    }
}

#[tokio::test]
async fn a_removed_row_is_not_there() {
    let stage = stage().await;
    for path in ["accounts/gone", "accounts/never", "cleaner-jobs/c1/"] {
        let read = stage.get(&format!("/v1/views/{path}")).await;
        assert_eq!(read.problem(), (404, "UNKNOWN_ROW".to_owned()), "{path}");
    }
    for path in ["nothing", "nothing/a"] {
        let read = stage.get(&format!("/v1/views/{path}")).await;
        assert_eq!(read.problem(), (404, "UNKNOWN_VIEW".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn rows_are_listed_by_prefix_page_by_page() {
    let stage = stage().await;
    let text = concat!(
        r#"{"view":"cleaner-jobs","rows":[{"key":"c1/j1","sequence":3,"row":{}},"#,
        r#"{"key":"c1/j2","sequence":3,"row":{}}],"next":"c1/j2"}"#
    );
    let read = stage.get("/v1/views/cleaner-jobs?prefix=c1/&limit=2").await;
    assert_eq!(read.text(), text);
    let read = stage.get("/v1/views/cleaner-jobs?prefix=c1%2F&after=c1%2Fj2").await;
    let text = r#"{"view":"cleaner-jobs","rows":[{"key":"c1/j3","sequence":3,"row":{}}]}"#;
    assert_eq!(read.text(), text);
}

#[tokio::test(start_paused = true)]
async fn a_reader_sees_its_own_write() {
    let stage = stage().await;
    let path = format!("/v1/views/accounts/a?receipt={}&wait=2", receipt(7));
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_millis(500)).await;
        stage.views.mark("accounts", account("a"), 6);
        sleep(Duration::from_millis(500)).await;
        stage.views.mark("accounts", account("a"), 7);
    };
    let reading = async {
        let read = stage.get(&path).await;
        (read.status, begun.elapsed())
    };
    let ((status, waited), ()) = tokio::join!(reading, later);
    assert_eq!(status, 200);
    assert!((1_000..1_200).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_view_that_is_behind_says_so_when_the_wait_is_over() {
    let stage = stage().await;
    stage.views.mark("accounts", account("a"), 6);
    for path in ["/v1/views/accounts/a", "/v1/views/accounts"] {
        let begun = Instant::now();
        let read = stage.get(&format!("{path}?receipt={}&wait=2", receipt(7))).await;
        assert_eq!(read.problem(), (504, "VIEW_BEHIND".to_owned()));
        assert!(read.header("retry-after").is_some());
        assert_eq!(begun.elapsed().as_secs(), 2);
        let read = stage.get(&format!("{path}?receipt={}&wait=0", receipt(6))).await;
        assert_eq!(read.status, 200);
    }
}

/// There, the row is the mark; and a row of another aggregate says nothing.
#[tokio::test(start_paused = true)]
async fn a_view_of_sole_rows_has_reached_what_the_row_has() {
    let stage = stage().await;
    let path = "/v1/views/funds/a?wait=2&receipt=";
    assert_eq!(stage.get(&format!("{path}{}", receipt(1))).await.status, 504);
    stage.views.put("funds", "a", Some("{}"));
    for (sequence, status) in [(3, 200), (4, 504)] {
        assert_eq!(stage.get(&format!("{path}{}", receipt(sequence))).await.status, status);
    }
    let of_another = Receipt { aggregate: account("b"), sequence: 1 };
    stage.views.put("funds", "b", Some("{}"));
    assert_eq!(stage.get(&format!("{path}{of_another}")).await.status, 504);
}

#[tokio::test]
async fn a_receipt_of_what_the_view_ignores_is_refused() {
    let stage = stage().await;
    for query in [format!("receipt={}", receipt(1)), "receipt=nonsense".to_owned()] {
        for path in ["cleaner-jobs", "cleaner-jobs/c1/j1"] {
            let read = stage.get(&format!("/v1/views/{path}?{query}")).await;
            assert_eq!(read.problem(), (400, "BAD_QUERY".to_owned()), "{path} {query}");
        }
    }
}
