//! How much memory an index takes, and what happens when that is more than it may.

use std::collections::HashSet;

use super::index::Index;
use super::vectors::Vectors;
use crate::project::too_much;
use crate::source::ContentHash;
use crate::{Cancel, Result};

/// The bytes of memory that an index takes, about: what allocations take beside what they are asked for is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Texts, and all that is known of them: definitions, references, chunks.
    pub files: u64,
    /// The tables that words are looked up in.
    pub words: u64,
    /// The tables that names are looked up in.
    pub names: u64,
    /// Vectors, and the cells that many of them are put into.
    pub vectors: u64,
    /// The sets of trigrams, as far as they were needed.
    pub trigrams: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.files + self.words + self.names + self.vectors + self.trigrams
    }
}

impl Index {
    /// How much memory this version takes. What other versions share with it is counted.
    pub fn memory(&self) -> Memory {
        let entries = self.chunk_table().entries();
        let (names, trigrams) = self.table_bytes();
        Memory {
            files: entries.iter().map(|entry| entry.bytes()).sum(),
            words: self.lexical().bytes() as u64,
            names: names as u64,
            vectors: self.vectors().bytes() as u64,
            trigrams: trigrams as u64,
        }
    }

    /// This index, which from now on takes no more than so many bytes of memory; `None` takes the ceiling away.
    ///
    /// Sets of trigrams are not made where they would lead over it: [`Index::grep`] then reads more texts. Nor are cells of
    /// vectors: a search then scans all of them. An encoder's vectors are
    /// dropped for those of the resident one. What still does not fit is an error, here and wherever the index would grow.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if it does not fit; those of [`Cancel::check`].
    pub fn with_ceiling(&self, max_memory: Option<u64>, cancel: &Cancel) -> Result<Index> {
        let mut next = self.clone();
        next.max_memory = max_memory;
        next.fitting(cancel)
    }

    /// This index, or what it can do without dropped.
    pub(super) fn fitting(self, cancel: &Cancel) -> Result<Index> {
        let Some(most) = self.max_memory else { return Ok(self) };
        let memory = self.memory();
        if memory.total() <= most {
            return Ok(self);
        }
        let scanned = self.with_other_vectors(self.vectors().without_cells());
        if scanned.memory().total() <= most {
            return Ok(scanned);
        }
        // Vectors that no chunk has any more stay until they are many, and may be what is too much.
        let used: HashSet<&ContentHash> = self.chunk_table().keys().iter().collect();
        let swept = self.with_other_vectors(self.vectors().without(|key| used.contains(key)));
        if swept.memory().total() <= most {
            return Ok(swept);
        }
        let is_foreign = self.encoder().is_some() && !self.speaks();
        if !is_foreign {
            return Err(too_much(most));
        }
        let next = self.without_vectors().embedded(cancel)?;
        if next.memory().total() <= most { Ok(next) } else { Err(too_much(most)) }
    }

    /// Without the vectors of any encoder.
    pub(super) fn without_vectors(&self) -> Index {
        self.with_other_vectors(Vectors::default())
    }

    /// Whether it may take so many bytes more.
    pub(super) fn has_room_for(&self, bytes: u64) -> bool {
        self.max_memory.is_none_or(|most| self.memory().total() + bytes <= most)
    }

    /// Whether there is room for sets of trigrams, each of which takes a quarter of its text at most.
    pub(super) fn has_room_for_trigrams(&self) -> bool {
        self.max_memory.is_none()
            || self.has_room_for(self.files().map(|file| file.text.len() as u64 / 4).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::project::BuildOptions;
    use crate::retrieval::testing::{HashEmbedder, embedded, project};
    use crate::retrieval::{Batch, Embedder, Grep, Query, StaticEncoder};
    use std::sync::Arc;

    #[test]
    fn an_index_stays_below_its_ceiling_or_says_so() {
        let root = project();
        let (cancel, options) = (Cancel::new(), BuildOptions::default());
        let build = |max_memory| {
            Index::build(root.path(), &BuildOptions { max_memory, ..options.clone() }, &mut |_| {}, &cancel)
        };
        let index = build(None).unwrap();
        let needed = index.memory().total();
        assert!(build(Some(needed)).is_ok());
        for most in [0, needed / 2, needed - 1] {
            let error = build(Some(most)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit);
            assert!(error.to_string().contains("max_memory"), "{error}");
        }

        // A change that leads over it is not taken in, and one that leads back is.
        let index = index.with_ceiling(Some(needed + 2000), &cancel).unwrap();
        let large = root.path().join("lib/large.ex");
        std::fs::write(
            &large,
            "defmodule Large do\n".to_string() + &"  def a, do: :b\n".repeat(200) + "end\n",
        )
        .unwrap();
        let update = |index: &Index| index.update(&options, &mut |_| {}, &cancel);
        assert_eq!(update(&index).unwrap_err().kind(), ErrorKind::Limit);
        std::fs::remove_file(&large).unwrap();
        assert!(update(&index).unwrap().1.is_empty());

        // Trigrams are not made, and what is found is the same.
        let grep = Grep::new("def add");
        let tight = index.with_ceiling(Some(needed), &cancel).unwrap();
        let found = tight.grep(&grep, &cancel).unwrap();
        assert_eq!(tight.memory().trigrams, 0);
        let roomy = tight.with_ceiling(None, &cancel).unwrap();
        assert_eq!(roomy.grep(&grep, &cancel).unwrap().lines, found.lines);
        assert!(roomy.memory().trigrams > 0);
    }

    #[test]
    fn an_encoders_vectors_go_first() {
        let root = project();
        let cancel = Cancel::new();
        let index = Index::build(root.path(), &BuildOptions::default(), &mut |_| {}, &cancel).unwrap();
        let index =
            embedded(&index).with_encoder(Arc::new(StaticEncoder::shipped().unwrap()), &cancel).unwrap();
        assert_eq!(index.encoder(), Some(Embedder::fingerprint(&HashEmbedder(1))));
        let own = index.without_vectors().embedded(&cancel).unwrap();
        let (foreign, own) = (index.memory().total(), own.memory().total());
        // The made-up vectors are smaller than those of the resident encoder, so that dropping them helps only where the ceiling
        // allows those.
        assert!(foreign < own);
        assert!(index.with_ceiling(Some(foreign), &cancel).unwrap().encoder() == index.encoder());
        assert_eq!(index.with_ceiling(Some(foreign - 1), &cancel).unwrap_err().kind(), ErrorKind::Limit);
        assert!(index.search(&Query::new("cart"), &cancel).is_ok());
    }

    #[test]
    fn cells_go_before_any_vector() {
        let root = project();
        let cancel = Cancel::new();
        let index = Index::build(root.path(), &BuildOptions::default(), &mut |_| {}, &cancel).unwrap();
        let texts: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
        let keys: Vec<_> = texts.iter().map(|text| ContentHash::of(text.as_bytes())).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encoder = HashEmbedder(1);
        let rows = encoder.embed(&texts, &cancel).unwrap();
        let index = index.with_vectors(Batch::new(encoder.fingerprint(), &keys, &rows).unwrap()).unwrap();
        let scanned = index.memory();
        index.vectors().make_cells();
        assert!(index.memory().vectors > scanned.vectors);
        let tight = index.with_ceiling(Some(scanned.total()), &cancel).unwrap();
        assert_eq!((tight.memory(), tight.vectors().rows()), (scanned, 3000));
        assert!(tight.has_room_for(0) && !tight.has_room_for(1));
    }
}
