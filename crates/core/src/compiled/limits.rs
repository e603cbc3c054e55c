//! What reading one file may cost.

use std::io::Read;

use super::damage::Damage;
use crate::{Error, ErrorKind, Result};

/// Ceilings for one file. What needs more is refused with [`ErrorKind::Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that a compressed part may hold, uncompressed; each part is counted by itself.
    pub inflated: usize,
    /// Terms in one part. Each takes 16 bytes of memory.
    pub terms: usize,
    /// How deep tuples, lists and maps may stand in each other.
    pub nesting: usize,
}

impl Default for Limits {
    /// 256 MiB, 16 million terms, 65536 levels: a hundred times what large modules need.
    fn default() -> Self {
        Limits { inflated: 256 << 20, terms: 16 << 20, nesting: 1 << 16 }
    }
}

impl Limits {
    /// What `stream` gives, if it is not too much. `packed` is how many bytes it reads from, `expected` how many it is said
    /// to give: neither is trusted, but memory is taken by them.
    pub(super) fn inflate(
        &self,
        stream: impl Read,
        packed: usize,
        expected: Option<usize>,
        damage: Damage,
    ) -> Result<Vec<u8>> {
        if expected.is_some_and(|expected| expected > self.inflated) {
            return Err(self.too_large(damage));
        }
        let likely = expected.unwrap_or(usize::MAX).min(packed.saturating_mul(8)).min(self.inflated);
        let mut bytes = Vec::with_capacity(likely);
        let ceiling = expected.unwrap_or(self.inflated) as u64;
        match stream.take(ceiling.saturating_add(1)).read_to_end(&mut bytes) {
            Err(_) => Err(damage.at(0, "it cannot be inflated")),
            Ok(read) if read as u64 <= ceiling => Ok(bytes),
            Ok(_) if expected.is_some() => Err(damage.at(0, "it inflates to more than it says")),
            Ok(_) => Err(self.too_large(damage)),
        }
    }

    fn too_large(&self, damage: Damage) -> Error {
        let message =
            format!("{} inflates to more than {} bytes: raise the limit", damage.part(), self.inflated);
        Error::new(ErrorKind::Limit, message)
    }
}
