//! Exit codes: what a script learns without reading anything.

use std::process::ExitCode;

/// How a command of the command line ended. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Exit {
    /// SUCCESS, or what was asked for is there.
    Success,
    /// Any other stored outcome: FAIL, EXPIRED, REJECTED.
    Outcome,
    /// Wrong use, or refused before it was accepted: sending it again changes nothing.
    Refused,
    /// Not known: an attempt may have been accepted.
    Unknown,
    /// Certainly not accepted, by any attempt.
    NotAccepted,
}

impl Exit {
    /// The number that the process exits with.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Outcome => 1,
            Self::Refused => 2,
            Self::Unknown => 3,
            Self::NotAccepted => 4,
        }
    }

    /// What many commands come to together: unknown outweighs not accepted, that outweighs
    /// refused, and so on down to success.
    pub(crate) fn together(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    const fn weight(self) -> u8 {
        match self {
            Self::Unknown => 5,
            Self::NotAccepted | Self::Refused | Self::Outcome | Self::Success => self.number(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unknown_command_makes_all_unknown() {
        use Exit::{NotAccepted, Outcome, Refused, Success, Unknown};
        let ascending = [Success, Outcome, Refused, NotAccepted, Unknown];
        for (at, &lighter) in ascending.iter().enumerate() {
            for &heavier in &ascending[at..] {
                assert_eq!(lighter.together(heavier), heavier);
                assert_eq!(heavier.together(lighter), heavier);
            }
        }
    }
}
