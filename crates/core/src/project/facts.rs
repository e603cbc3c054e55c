//! The facts of a file. Stored facts are decoded when somebody asks for them.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::source::File;
use crate::syntax::{Chunk, FileFacts, analyse};

/// Facts, decoded at first use.
///
/// Most of a snapshot is facts, and most questions look at few files. A snapshot that was opened keeps the bytes of the others.
#[derive(Debug)]
pub(crate) struct LazyFacts {
    made: OnceLock<Arc<FileFacts>>,
    stored: Option<Stored>,
}

#[derive(Debug)]
struct Stored {
    /// Facts without chunks. Their hash was compared when they were read.
    bytes: Box<[u8]>,
    file: File,
    chunks: Vec<Chunk>,
}

impl LazyFacts {
    pub(super) fn read(facts: FileFacts) -> LazyFacts {
        LazyFacts { made: OnceLock::from(Arc::new(facts)), stored: None }
    }

    pub(super) fn stored(bytes: &[u8], file: File, chunks: Vec<Chunk>) -> LazyFacts {
        LazyFacts { made: OnceLock::new(), stored: Some(Stored { bytes: bytes.into(), file, chunks }) }
    }

    /// The chunks, which are there from the beginning.
    pub(super) fn chunks(&self) -> &[Chunk] {
        self.stored.as_ref().map_or_else(|| &self.shared().chunks[..], |stored| &stored.chunks)
    }

    /// The facts, to be kept by somebody else too.
    pub(crate) fn shared(&self) -> &Arc<FileFacts> {
        self.made.get_or_init(|| {
            let Some(Stored { bytes, file, chunks }) = &self.stored else { return Arc::default() };
            // Bytes that were written as something else by their hash say what nobody can know; the text still says what it is.
            let mut facts: FileFacts = postcard::from_bytes(bytes).unwrap_or_else(|_| analyse(file));
            facts.chunks.clone_from(chunks);
            Arc::new(facts)
        })
    }

    /// What is stored: the facts without their chunks.
    ///
    /// # Errors
    /// None that is known of: facts are plain values.
    pub(super) fn bytes(&self) -> postcard::Result<Cow<'_, [u8]>> {
        match &self.stored {
            Some(stored) => Ok(Cow::Borrowed(&stored.bytes)),
            None => Ok(Cow::Owned(postcard::to_stdvec(&**self.shared())?)),
        }
    }
}

impl Deref for LazyFacts {
    type Target = FileFacts;

    fn deref(&self) -> &FileFacts {
        self.shared()
    }
}
