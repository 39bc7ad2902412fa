//! The check of a command before it is produced: what is accepted can be stored, and decoded by
//! every worker.

use ordain_model::{
    Command, CommandType, Commit, Document, Fingerprint, Fingerprinted, Handler, Json, Malformed,
    ReplyAddress, SchemaHash, Timestamp, Violation, json,
};

use super::{Request, SubmitLimits};

/// Why a command is refused before anything is produced. It certainly has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// There is no such command, or no such aggregate type.
    UnknownCommand,
    /// The body is not JSON as it has to be.
    Malformed(Malformed),
    /// The body breaks the schema of the command, in these ways.
    Violations(Vec<Violation>),
    /// The body fulfils the schema and is still not what the command decodes; for people.
    Undecodable(String),
    /// The command with all its names has more bytes than this.
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

/// The most bytes that a record needs beside its body, ids and names: two hashes, four numbers, the
/// reply channel, the trace and the lengths of the texts.
const FIXED_BYTES_MAX: usize = 256;

/// How much of a decoder's message is passed on; it may repeat a value of the body.
const MESSAGE_CHARS_MAX: usize = 200;

/// What the check made of a body.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) data: Json,
    pub(super) schema: SchemaHash,
    pub(super) fingerprint: Fingerprint,
}

/// Whether a commit answers the command of this fingerprint; the id is the same.
pub(super) fn is_of(commit: &Commit, fingerprint: &Fingerprint) -> bool {
    fail::fail_point!("broken-fingerprint-ignored", |_| true);
    commit.fingerprint == *fingerprint
}

/// Checks a command's body.
pub(super) fn check(
    handler: &dyn Handler,
    limits: &SubmitLimits,
    request: &Request,
) -> Result<Checked, Invalid> {
    let command =
        handler.definition().command(request.command.as_str()).ok_or(Invalid::UnknownCommand)?;
    if record_bytes(request) > limits.command_bytes_max {
        return Err(Invalid::TooLarge { bytes_max: limits.command_bytes_max });
    }
    let depth = json::Limits { depth_max: limits.body_depth_max };
    let document = Document::parse(&request.body, &depth).map_err(Invalid::Malformed)?;
    fulfils(command, &document)?;
    let data = Json::canonical(&document);
    handler
        .check(request.command.as_str(), &data)
        .map_err(|bad| Invalid::Undecodable(bad.why.chars().take(MESSAGE_CHARS_MAX).collect()))?;
    let fingerprint = Fingerprint::of(&Fingerprinted {
        aggregate: &request.aggregate,
        command: request.command.as_str(),
        expected_sequence: request.expected_sequence,
        deadline: request.deadline,
        body: data.as_str().as_bytes(),
    });
    Ok(Checked { data, schema: command.schema.hash(), fingerprint })
}

impl Checked {
    /// The command as it is produced.
    pub(super) fn into_command(
        self,
        request: &Request,
        reply_to: ReplyAddress,
        time: Timestamp,
    ) -> Command {
        Command {
            aggregate: request.aggregate.clone(),
            request: request.request.clone(),
            name: request.command.clone(),
            schema: self.schema,
            data: self.data,
            fingerprint: self.fingerprint,
            expected_sequence: request.expected_sequence,
            deadline: request.deadline,
            reply_to,
            time,
            trace: request.trace,
        }
    }
}

fn fulfils(command: &CommandType, document: &Document<'_>) -> Result<(), Invalid> {
    let violations = command.schema.validate(document);
    if violations.is_empty() { Ok(()) } else { Err(Invalid::Violations(violations)) }
}

/// A bound on the bytes of the record.
pub(super) fn record_bytes(request: &Request) -> usize {
    let names = request.aggregate.as_str().len() + request.request.as_str().len();
    request.body.len() + names + request.command.as_str().len() + FIXED_BYTES_MAX
}
