//! Errors that say which part of a file is damaged, and where.

use std::fmt;

use crate::{Error, ErrorKind};

/// The part of a file that is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// The file outside of its chunks.
    File,
    /// A chunk.
    Chunk([u8; 4]),
    /// What a compressed chunk holds.
    Inflated([u8; 4]),
}

impl Damage {
    /// The error that byte `offset` of this part is wrong: `what` is a clause that says how.
    pub(super) fn at(self, offset: usize, what: impl fmt::Display) -> Error {
        let message =
            format!("{} is damaged at byte {offset}: {what}; compile the module again", self.part());
        Error::new(ErrorKind::Corrupt, message)
    }

    /// Its name in a sentence.
    pub(super) fn part(self) -> String {
        match self {
            Damage::File => "the BEAM file".into(),
            Damage::Chunk(id) => format!("the chunk {}", id.escape_ascii()),
            Damage::Inflated(id) => format!("what the chunk {} holds compressed", id.escape_ascii()),
        }
    }
}
