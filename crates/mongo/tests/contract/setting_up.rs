//! Databases that are not set up, servers that cannot keep the promises, and passwords.

use mongodb::bson::doc;
use ordain_mongo::{Mongo, Settings};
use ordain_ports::contract::samples::Line;
use ordain_ports::{Action, Stop};

use crate::database::{Database, tail};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setting_up_again_changes_nothing() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut line = Line::of("a");
    assert!(mongo.commits().insert(&[line.success(1)]).await.stop.is_none());
    for _ in 0..2 {
        mongo.ensure().await.expect("sets up again");
    }
    assert_eq!(tail(&mongo, &line).await.len(), 1);
    let again = database.connect().await;
    assert!(again.commits().insert(&[line.success(1)]).await.stop.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_inserted_where_revisions_are_not_unique() {
    let database = Database::new();
    let mongo = database.connect().await;
    let raw = database.raw().await;
    let commits = raw.collection::<mongodb::bson::Document>("commits");
    for is_there in [false, true] {
        if is_there {
            raw.create_collection("commits").await.expect("creates");
        }
        let inserted = mongo.commits().insert(&[Line::of("a").success(1)]).await;
        let Some(Stop::Unavailable(error)) = inserted.stop else {
            panic!("it was inserted without the index: {:?}", inserted.stop);
        };
        assert_eq!(error.action(), Action::CallPerson, "{error}");
        assert_eq!(commits.count_documents(doc! {}).await.expect("counts"), 0);
    }
    mongo.ensure().await.expect("sets up");
    assert!(mongo.commits().insert(&[Line::of("a").success(1)]).await.stop.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_contradict_the_index_call_a_person() {
    let database = Database::new();
    let commits = database.raw().await.collection::<mongodb::bson::Document>("commits");
    let two = [doc! { "_id": 1, "a": "a", "r": 1 }, doc! { "_id": 2, "a": "a", "r": 1 }];
    commits.insert_many(two).await.expect("inserts");
    let error = database.connect().await.ensure().await.expect_err("it cannot be unique");
    assert_eq!(error.action(), Action::CallPerson, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_that_stands_still_is_removed_after_minutes() {
    let database = Database::new();
    let mongo = database.ready().await;
    assert!(matches!(heartbeat_limits(&database).await[..], [60..=600]));
    // A database that was set up by a build which did not know of it.
    let drop = doc! { "dropIndexes": "heartbeats", "index": "heartbeat_age" };
    database.raw().await.run_command(drop).await.expect("drops");
    assert!(heartbeat_limits(&database).await.is_empty());
    mongo.check().await.expect("a process can begin");
    assert!(matches!(heartbeat_limits(&database).await[..], [60..=600]));
}

/// After how many seconds heartbeats are removed that stand still.
async fn heartbeat_limits(database: &Database) -> Vec<i32> {
    let listed = database.raw().await.run_command(doc! { "listIndexes": "heartbeats" }).await;
    let listed = listed.expect("lists");
    let indexes = listed.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let indexes = indexes.expect("indexes").iter().filter_map(mongodb::bson::Bson::as_document);
    indexes.filter_map(|index| index.get_i32("expireAfterSeconds").ok()).collect()
}

const PASSWORD: &str = "hunter2/ü @:";

/// The settings of a user with a password from a file that holds this.
fn with_password(settings: &Settings, directory: &tempfile::TempDir, password: &str) -> Settings {
    let file = directory.path().join("password");
    std::fs::write(&file, format!("{password}\n")).expect("writes");
    Settings {
        username: Some("worker".to_owned()),
        password_file: Some(file),
        authentication_database: settings.prefix.clone(),
        ..settings.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_let_in_with_the_right_password_and_a_wrong_one_is_never_shown() {
    let database = Database::new();
    let raw = database.raw().await;
    let create = doc! { "createUser": "worker", "pwd": PASSWORD, "roles": ["readWrite"] };
    raw.run_command(create).await.expect("creates the user");
    let directory = tempfile::tempdir().expect("a directory");

    let wrong = with_password(&database.0, &directory, "wrong-secret");
    let mongo = Mongo::connect(&wrong).await.expect("connects later");
    let error = mongo.ping().await.expect_err("a wrong password");
    assert_eq!(error.action(), Action::CallPerson, "{error}");
    let inserted = mongo.commits().insert(&[Line::of("a").success(1)]).await;
    let said = format!("{error} {error:?} {inserted:?} {mongo:?} {wrong:?}");
    assert!(!said.contains("wrong-secret"), "{said}");
    assert!(matches!(inserted.stop, Some(Stop::Unavailable(_))), "{inserted:?}");

    let right = with_password(&database.0, &directory, PASSWORD);
    let mongo = Mongo::connect(&right).await.expect("connects");
    let let_in = mongo.ping().await;
    raw.run_command(doc! { "dropUser": "worker" }).await.expect("removes the user");
    let_in.expect("the right password");
}
