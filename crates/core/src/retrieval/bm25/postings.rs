//! Postings as bytes: what most of an index is, so that they are kept and stored small.
//!
//! A posting is a byte that says which fields have the term and whether each has it once, the distance from the document before
//! as a varint, and how often each field has it, unless that is once.

use crate::retrieval::fields::FIELDS;

/// No place in a version: the document is dead.
pub(super) const DEAD: u32 = u32::MAX;

/// Each field has the term once, so that no frequencies follow.
const ONCE: u8 = 1 << 7;

/// Of each set of fields, at which place each of them stands among those that have the term; the place behind all others for those
/// that have it not. A loop over the fields takes longer, since its end depends on the data.
const PLACES: [[u8; FIELDS]; 1 << FIELDS] = places();

const fn places() -> [[u8; FIELDS]; 1 << FIELDS] {
    let mut places = [[FIELDS as u8; FIELDS]; 1 << FIELDS];
    let mut fields = 0;
    while fields < places.len() {
        let (mut field, mut next) = (0, 0);
        while field < FIELDS {
            if fields & 1 << field != 0 {
                places[fields][field] = next;
                next += 1;
            }
            field += 1;
        }
        fields += 1;
    }
    places
}

/// A document that has a term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Posting {
    pub(super) document: u32,
    /// How often each field has it.
    pub(super) frequencies: [u8; FIELDS],
}

/// Appends a posting; `last` is the document before, or 0.
pub(super) fn push(bytes: &mut Vec<u8>, posting: &Posting, last: u32) {
    let mut fields = 0;
    let mut once = ONCE;
    for (field, frequency) in posting.frequencies.iter().enumerate() {
        if *frequency > 0 {
            fields |= 1 << field;
        }
        if *frequency > 1 {
            once = 0;
        }
    }
    bytes.push(fields | once);
    let mut distance = posting.document - last;
    while distance >= 0x80 {
        bytes.push(distance as u8 | 0x80);
        distance >>= 7;
    }
    bytes.push(distance as u8);
    if once == 0 {
        bytes.extend(posting.frequencies.iter().filter(|frequency| **frequency > 0));
    }
}

/// Reads what [`push`] wrote; of other bytes something, and not more than there is.
#[derive(Clone, Debug)]
pub(super) struct Postings<'b> {
    bytes: &'b [u8],
    last: u32,
}

impl Postings<'_> {
    pub(super) fn new(bytes: &[u8]) -> Postings<'_> {
        Postings { bytes, last: 0 }
    }
}

impl Iterator for Postings<'_> {
    type Item = Posting;

    #[inline]
    fn next(&mut self) -> Option<Posting> {
        let [head, first, rest @ ..] = self.bytes else { return None };
        let mut rest = rest;
        let mut distance = u32::from(first & 0x7f);
        let (mut byte, mut shift) = (*first, 7);
        while byte >= 0x80 {
            let [next, after @ ..] = rest else { return None };
            if shift > 28 {
                return None;
            }
            (byte, rest) = (*next, after);
            distance |= u32::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let fields = head & !ONCE;
        let places = PLACES.get(usize::from(fields))?;
        let mut each = [1, 1, 1, 1, 1, 1, 0, 0];
        if head & ONCE == 0 {
            let (these, after) = rest.split_at_checked(fields.count_ones() as usize)?;
            // A copy whose length is known is faster; what is behind these has no place.
            match rest.first_chunk::<FIELDS>() {
                Some(first) => each[..FIELDS].copy_from_slice(first),
                None => each[..these.len()].copy_from_slice(these),
            }
            rest = after;
        }
        let frequencies = places.map(|place| each[usize::from(place % 8)]);
        self.bytes = rest;
        self.last = self.last.checked_add(distance)?;
        Some(Posting { document: self.last, frequencies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(all in prop::collection::vec((0..70_000u32, prop::array::uniform6(0..3u8)), 0..40)) {
            let mut bytes = Vec::new();
            let mut last = 0;
            let postings: Vec<Posting> = all
                .into_iter()
                .map(|(distance, frequencies)| {
                    let posting = Posting { document: last + distance, frequencies };
                    push(&mut bytes, &posting, last);
                    last = posting.document;
                    posting
                })
                .collect();
            prop_assert_eq!(Postings::new(&bytes).collect::<Vec<_>>(), postings);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(Postings::new(&bytes).count() <= bytes.len());
        }
    }
}
