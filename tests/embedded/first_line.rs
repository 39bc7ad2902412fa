//! The first line that the README tells people to type: it builds the right binary and serves.

use ordain_tests::{Process, broken_binary, cargo};
use tempfile::tempdir;

const FIRST_LINE: &str = "cargo run --release -- dev";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_of_the_readme_serves() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.unwrap();
    let first = readme.split("```sh\n").nth(1).unwrap().lines().next();
    assert_eq!(first, Some(FIRST_LINE));
    // As it is typed, but for the profile: a release build takes minutes.
    let mut line = FIRST_LINE.split(' ').filter(|word| *word != "--release").skip(1);
    let (run, arguments) = (line.next().unwrap(), line.collect::<Vec<_>>());
    // Other tests have theirs built meanwhile, and cargo lets one build at a time: who waits for
    // that one does not serve in time.
    let _built = broken_binary();
    let mut build = cargo();
    assert!(build.args(["build", "--quiet"]).status().unwrap().success(), "it builds");
    let directory = tempdir().unwrap();
    let mut command = cargo();
    command.args([run, "--quiet"]).args(arguments).arg("--data").arg(directory.path());
    command.args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json"]);
    let served = Process::start(command.into()).await.unwrap();
    assert!(served.address.starts_with("http://127.0.0.1:"), "{served:?}");
    assert_eq!(served.terminate().await.code(), Some(0));
}
