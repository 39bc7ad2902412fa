//! Two more members for the MongoDB of one test, so that its primary can be cut off from a majority
//! and what it has be rolled back.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use ordain_testkit::free_port;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::own_services::send_signal;
use crate::until;

/// How long members are silent until another primary is elected, in milliseconds. The one that is
/// cut off takes itself for the primary for as long.
const ELECTION_MS: i32 = 4_000;

/// The members that joined. They end with it.
#[derive(Debug)]
pub(crate) struct Secondaries {
    members: Vec<Member>,
    primary: u16,
}

#[derive(Debug)]
struct Member {
    program: PathBuf,
    process: Mutex<Child>,
    port: u16,
    directory: TempDir,
}

#[expect(clippy::expect_used, reason = "a test whose servers do not start has failed")]
impl Secondaries {
    /// Two members join the primary at this port, run by the same program as its process.
    pub(crate) async fn join(primary: u16, process: i64) -> Self {
        let program = std::fs::read_link(format!("/proc/{process}/exe")).expect("a program");
        let members = vec![Member::start(&program), Member::start(&program)];
        let url = format!("mongodb://127.0.0.1:{primary}/?directConnection=true");
        let client = Client::with_uri_str(url).await.expect("the primary");
        let admin = client.database("admin");
        let host = |number: i32, port: u16, priority: i32| {
            doc! { "_id": number, "host": format!("127.0.0.1:{port}"), "priority": priority }
        };
        let told = admin.run_command(doc! { "replSetGetConfig": 1 }).await.expect("a set");
        let mut set: Document = told.get_document("config").expect("its config").clone();
        let first = host(0, primary, 2);
        set.insert("members", [first, host(1, members[0].port, 1), host(2, members[1].port, 1)]);
        let version = set.get_i32("version").expect("its version");
        set.insert("version", version + 1);
        let mut settings = set.get_document("settings").cloned().unwrap_or_default();
        settings.insert("electionTimeoutMillis", ELECTION_MS);
        set.insert("settings", settings);
        until("members to answer", || async {
            let asked = doc! { "replSetReconfig": &set, "force": true };
            admin.run_command(asked).await.ok().map(drop)
        })
        .await;
        until("three members that are level", || async {
            let status = admin.run_command(doc! { "replSetGetStatus": 1 }).await.ok()?;
            let members = status.get_array("members").ok()?.iter();
            let states = members.filter_map(|member| member.as_document()?.get_i32("state").ok());
            let mut states: Vec<i32> = states.collect();
            states.sort_unstable();
            // A primary and two secondaries.
            (states == [1, 2, 2]).then_some(())
        })
        .await;
        Self { members, primary }
    }

    /// Where clients find whichever is the primary.
    pub(crate) fn url(&self) -> String {
        let hosts = self.members.iter().map(|member| format!(",127.0.0.1:{}", member.port));
        format!("mongodb://127.0.0.1:{}{}/?replicaSet=rs0", self.primary, hosts.collect::<String>())
    }

    /// Stops both, as if their machines stood still (`-STOP`), or lets them go on (`-CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        for member in &self.members {
            let process = member.process.try_lock().ok().and_then(|process| process.id());
            let is_sent = process.is_some_and(|process| send_signal(signal, i64::from(process)));
            assert!(is_sent, "{signal} to {process:?}");
        }
    }

    /// Kills both and starts them again.
    pub(crate) async fn start_again(&self) {
        for member in &self.members {
            let mut process = member.process.lock().await;
            process.kill().await.expect("a server that ends");
            *process = run(&member.program, member.port, member.directory.path());
        }
        for member in &self.members {
            let url = format!("mongodb://127.0.0.1:{}/?directConnection=true", member.port);
            let client = Client::with_uri_str(url).await.expect("a member");
            until("a member to answer", || async {
                client.database("admin").run_command(doc! { "hello": 1 }).await.ok().map(drop)
            })
            .await;
        }
    }
}

#[expect(clippy::expect_used, reason = "a test whose servers do not start has failed")]
impl Member {
    fn start(program: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let process = Mutex::new(run(program, port, directory.path()));
        Self { program: program.to_owned(), process, port, directory }
    }
}

#[expect(clippy::expect_used, reason = "a test whose servers do not start has failed")]
fn run(program: &Path, port: u16, data: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(["--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket", "--quiet"]);
    command.args(["--port", &port.to_string()]).arg("--dbpath").arg(data);
    command.args(["--wiredTigerCacheSizeGB", "0.5"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true).spawn().expect("a server")
}
