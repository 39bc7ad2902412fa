//! What lies on the command log, and the rules that decide it.

/// An aggregate, counted from 0.
pub type Aggregate = u8;
/// A request id. It names a command of one aggregate; another aggregate may see the same number.
pub type Request = u8;
/// The number of a commit in the line of its aggregate, from 1.
pub type Revision = u8;
/// The number of an event in the line of its aggregate, from 1; 0 is "no event yet".
pub type Sequence = u8;
/// The place of a record in its partition, from 0.
pub type Offset = u8;
/// A partition of the command log, counted from 0.
pub type Partition = u8;
/// A worker process, counted from 0.
pub type Worker = u8;

/// What a command asks for: the part of it that its fingerprint covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Body {
    /// Always accepted, one event.
    Add,
    /// Always accepted, two events.
    AddTwo,
    /// Accepted by an aggregate without events, refused by any other: of two, one may have it.
    BeFirst,
    /// Carries an expected sequence: refused unless the aggregate stands exactly there.
    AddAt(Sequence),
    /// Always accepted, unless its deadline has passed before it is taken up.
    AddInTime,
}

/// A record of the command log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// The aggregate it is for.
    pub aggregate: Aggregate,
    /// The client's name for it.
    pub request: Request,
    /// What it asks for.
    pub body: Body,
}

impl Command {
    /// A command for aggregate `aggregate` under the request id `request`.
    pub const fn new(aggregate: Aggregate, request: Request, body: Body) -> Self {
        Self { aggregate, request, body }
    }
}

/// What became of a command, stored for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Accepted, with this many events.
    Success(u8),
    /// A rule refused, or the expected sequence was another.
    Fail,
    /// The deadline had passed before the command was taken up.
    Expired,
}

impl Outcome {
    /// How many events the outcome adds to the aggregate.
    pub const fn events(self) -> u8 {
        match self {
            Self::Success(events) => events,
            Self::Fail | Self::Expired => 0,
        }
    }
}

/// The rules: pure, on the sequence that the aggregate has reached.
pub const fn decide(body: Body, sequence: Sequence) -> Outcome {
    match body {
        Body::Add | Body::AddInTime => Outcome::Success(1),
        Body::AddTwo => Outcome::Success(2),
        Body::BeFirst if sequence == 0 => Outcome::Success(1),
        Body::AddAt(expected) if sequence == expected => Outcome::Success(1),
        Body::BeFirst | Body::AddAt(_) => Outcome::Fail,
    }
}
