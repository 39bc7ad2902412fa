//! Logins, and settings that make no sense.

use std::fs;
use std::path::{Path, PathBuf};

use ordain_ports::{Action, Error};
use ordain_redis::{Redis, Settings};

use crate::inbox::{subscribed, to};
use crate::server::Server;

/// A user with only the rights that ordain needs.
const USER: &str = "worker on >sesame &ordain.* resetkeys -@all +@connection +publish +subscribe";

pub(crate) fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

pub(crate) async fn assert_works(settings: &Settings) {
    let redis = Redis::connect(settings).await.unwrap();
    redis.check().await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    redis.reply_sender().send(vec![to(&channel, 1)]);
    inbox.until("a reply", |arrived| arrived.nonces == [1]).await;
}

/// What both ends say when they cannot work.
pub(crate) async fn refusal(settings: &Settings) -> Error {
    let redis = Redis::connect(settings).await.unwrap();
    let sink = std::sync::Arc::new(crate::inbox::Inbox::default());
    let subscribing = redis.replies().subscribe(sink).await;
    let checked = redis.check().await.unwrap_err();
    if checked.action() == Action::CallPerson {
        subscribing.unwrap_err();
    }
    checked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_comes_from_a_file_or_a_variable() {
    let directory = tempfile::tempdir().unwrap();
    // A variable that is set in every test, with a value that is known.
    let (variable, value) = ("CARGO_PKG_NAME", env!("CARGO_PKG_NAME"));
    let server = Server::start_with(&["--requirepass", value]).await;
    let right = Some(file(directory.path(), "right", &format!("{value}\n")));
    assert_works(&Settings { password_file: right.clone(), ..server.settings() }).await;
    let variable = Some(variable.to_owned());
    assert_works(&Settings { password_variable: variable, ..server.settings() }).await;

    let wrong = Some(file(directory.path(), "wrong", "not-sesame"));
    let error = refusal(&Settings { password_file: wrong, ..server.settings() }).await;
    assert_eq!(error.action(), Action::CallPerson);
    assert!(!error.to_string().contains("not-sesame"), "{error}");
    assert_eq!(refusal(&server.settings()).await.action(), Action::CallPerson, "no password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_needs_few_rights() {
    let directory = tempfile::tempdir().unwrap();
    let rules: Vec<&str> = ["--user"].into_iter().chain(USER.split(' ')).collect();
    let server = Server::start_with(&[&rules[..], &["--user", "default", "off"]].concat()).await;
    let password_file = Some(file(directory.path(), "password", "sesame"));
    let username = Some("worker".to_owned());
    let settings = Settings { username, password_file, ..server.settings() };
    assert_works(&settings).await;
    // Another prefix is not theirs.
    let other = Settings { prefix: "other".to_owned(), ..settings };
    let sink = std::sync::Arc::new(crate::inbox::Inbox::default());
    let redis = Redis::connect(&other).await.unwrap();
    let error = redis.replies().subscribe(sink).await.unwrap_err();
    assert_eq!(error.action(), Action::CallPerson, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_are_refused_and_secrets_not_repeated() {
    let bad = [
        Settings { url: "redis://u:sesame@127.0.0.1:1".to_owned(), ..Settings::default() },
        Settings { url: "http://sesame".to_owned(), ..Settings::default() },
        Settings { prefix: String::new(), ..Settings::default() },
        Settings { prefix: "a*".to_owned(), ..Settings::default() },
        Settings { password_file: Some("/nowhere/sesame".into()), ..Settings::default() },
        Settings { password_variable: Some("NOT_SET_ANYWHERE".into()), ..Settings::default() },
        Settings {
            url: "rediss://127.0.0.1:1".to_owned(),
            tls_ca_file: Some("/nowhere".into()),
            ..Settings::default()
        },
    ];
    for settings in bad {
        let error = Redis::connect(&settings).await.unwrap_err();
        assert_eq!(error.action(), Action::CallPerson, "{settings:?}: {error}");
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
}
