//! The README's lines do what the README says.

use std::path::Path;
use std::process::{Command, Output};

use ordain_tests::{Server, ServerOptions, broken_binary};

use crate::Home;

/// Lines that set up, that other runs show, or that need images from the network.
const ELSEWHERE: [&str; 4] = [
    "cargo run --release -- dev",
    "cargo xtask test",
    "alias ordain=target/release/ordain",
    "docker compose up --build --detach",
];

fn lines() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let joined: String = blocks.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty() && !ELSEWHERE.contains(&line.as_str())).collect()
}

fn run(server: &Server, line: &str) -> Output {
    let folder = broken_binary().parent().unwrap().join("readme");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("ordain");
    if !program.exists() {
        // Two tests may make it at once; one of them is enough.
        drop(std::os::unix::fs::symlink(broken_binary(), &program));
    }
    let address = server.address.trim_start_matches("http://");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-c", &line.replace("localhost:7400", address)])
        .env("PATH", path)
        .env("ORDAIN_SERVER", &server.address)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_works() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let lines = lines();
    assert!(lines.len() >= 9, "{lines:#?}");
    let mut deposits = Vec::new();
    for line in lines {
        let output = run(&server, &line);
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}\n{out}{err}");
        if line.contains("409") {
            assert!(out.contains("HTTP/1.1 409") && out.contains("JOB_ALREADY_ACCEPTED"), "{out}");
        } else if line.starts_with("curl") {
            assert!(out.starts_with("HTTP/1.1 20"), "{line}\n{out}");
        } else if line.contains("first-deposit") {
            deposits.push(out.replace(" (replayed)", ""));
        } else if line.contains("state") || line.contains("view") {
            assert!(out.contains("500"), "one deposit, not two: {out}");
        }
    }
    assert_eq!(deposits.len(), 2);
    assert_eq!(deposits.first(), deposits.last(), "no second effect, the same answer");
    server.terminate().await;
}
