//! The external term format, as `term_to_binary` writes it.
//!
//! Terms are kept in one array and refer to their elements by number, so that reading, walking and dropping them needs no
//! recursion, however deep they stand in each other. Text and binaries stay where they are in the bytes.
//!
//! Format: <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>

use std::borrow::Cow;

use flate2::read::ZlibDecoder;

use super::Limits;
use super::damage::Damage;
use super::term::{TermNode, Terms};
use crate::{Error, ErrorKind, Result};

const VERSION: u8 = 131;
const COMPRESSED: u8 = 80;

impl<'a> Terms<'a> {
    /// Reads the term that the chunk `id` holds.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no term, `Limit` if reading it would cost more than `limits` allow.
    pub(super) fn read(bytes: &'a [u8], id: [u8; 4], limits: &Limits) -> Result<Self> {
        let chunk = Damage::Chunk(id);
        match bytes {
            [VERSION, COMPRESSED, rest @ ..] => {
                let Some((size, packed)) = rest.split_first_chunk() else {
                    return Err(chunk.at(bytes.len(), "it is cut off"));
                };
                let size = u32::from_be_bytes(*size) as usize;
                let bytes = limits.inflate(ZlibDecoder::new(packed), packed.len(), Some(size), chunk)?;
                Decoder::new(Cow::Owned(bytes), 0, Damage::Inflated(id), limits).decode()
            }
            [VERSION, ..] => Decoder::new(Cow::Borrowed(bytes), 1, chunk, limits).decode(),
            _ => Err(chunk.at(0, "it does not begin as a term does")),
        }
    }
}

/// Elements that are still to be read: those of one tuple, list or map.
struct Frame {
    next: usize,
    end: usize,
    /// The number of the list that they belong to, if it is one: the last of them is its tail.
    list: Option<usize>,
}

struct Decoder<'a, 'l> {
    terms: Terms<'a>,
    at: usize,
    damage: Damage,
    limits: &'l Limits,
    open: Vec<Frame>,
    /// How many terms were promised and not yet read. Each takes a byte at least, so what promises more than there are
    /// bytes is refused before memory is taken for it.
    owed: usize,
}

impl<'a, 'l> Decoder<'a, 'l> {
    fn new(bytes: Cow<'a, [u8]>, at: usize, damage: Damage, limits: &'l Limits) -> Self {
        let terms = Terms { bytes, nodes: Vec::new(), latin: Vec::new() };
        Decoder { terms, at, damage, limits, open: Vec::new(), owed: 0 }
    }

    fn decode(mut self) -> Result<Terms<'a>> {
        if u32::try_from(self.terms.bytes.len()).is_err() {
            return Err(self.limit("bytes"));
        }
        self.owed = 1;
        let mut slot = self.grow(1)? as usize;
        loop {
            let node = self.term(slot)?;
            self.owed -= 1;
            if let Some(place) = self.terms.nodes.get_mut(slot) {
                *place = node;
            }
            match self.next_slot() {
                Some(next) => slot = next,
                None => return Ok(self.terms),
            }
        }
    }

    /// The number of the next term to read; whatever is complete is closed.
    fn next_slot(&mut self) -> Option<usize> {
        loop {
            let frame = self.open.last_mut()?;
            if frame.next < frame.end {
                frame.next += 1;
                return Some(frame.next - 1);
            }
            let (list, tail) = (frame.list, frame.end - 1);
            self.open.pop();
            let is_proper = matches!(self.terms.nodes.get(tail), Some(TermNode::Nil));
            if let Some(TermNode::List { count, proper, .. }) =
                list.and_then(|at| self.terms.nodes.get_mut(at))
                && is_proper
            {
                (*count, *proper) = (*count - 1, true);
            }
        }
    }

    /// Reads one term, without its elements, for which room is made.
    fn term(&mut self, slot: usize) -> Result<TermNode> {
        let start = self.at;
        let tag = self.u8()?;
        Ok(match tag {
            97 => TermNode::Integer(self.u8()?.into()),
            98 => TermNode::Integer((self.u32()? as i32).into()),
            110 => {
                let length = self.u8()?.into();
                self.big(length)?
            }
            111 => {
                let length = self.u32()?;
                self.big(length)?
            }
            100 | 115 | 118 | 119 => self.atom_of(tag)?,
            106 => TermNode::Nil,
            107 => {
                let count = self.u16()?.into();
                TermNode::Bytes { at: self.skip(count)?, count }
            }
            108 => {
                let count = self.u32()?;
                let first = self.elements((count as usize).saturating_add(1), Some(slot))?;
                TermNode::List { first, count: count.saturating_add(1), proper: false }
            }
            104 => {
                let count = self.u8()?.into();
                TermNode::Tuple { first: self.elements(count as usize, None)?, count }
            }
            105 => {
                let count = self.u32()?;
                TermNode::Tuple { first: self.elements(count as usize, None)?, count }
            }
            116 => {
                let pairs = self.u32()?;
                TermNode::Map { first: self.elements((pairs as usize).saturating_mul(2), None)?, pairs }
            }
            109 => {
                let size = self.u32()?;
                TermNode::Binary { at: self.skip(size)?, size }
            }
            // Floats.
            70 => self.opaque(8)?,
            99 => self.opaque(31)?,
            // A bitstring: the size in bytes, and how many bits of the last one count.
            77 => {
                let size = self.u32()?;
                self.u8()?;
                self.opaque(size)?
            }
            113 => {
                let (module, function) = (self.atom()?, self.atom()?);
                if self.u8()? != 97 {
                    return Err(self.damage.at(self.at - 1, "a function has no arity"));
                }
                let arity = TermNode::Integer(self.u8()?.into());
                let first = self.grow(3)?;
                for (place, node) in
                    self.terms.nodes.iter_mut().skip(first as usize).zip([module, function, arity])
                {
                    *place = node;
                }
                TermNode::Export { first }
            }
            // What runs: processes, ports, references and anonymous functions.
            101 | 102 => self.running(0, 5)?,
            103 => self.running(0, 9)?,
            88 => self.running(0, 12)?,
            89 => self.running(0, 8)?,
            120 => self.running(0, 12)?,
            114 => {
                let words = self.u16()?.into();
                self.running(words, 1)?
            }
            90 => {
                let words = self.u16()?.into();
                self.running(words, 4)?
            }
            112 => {
                // The size counts itself.
                let size = self.u32()?.saturating_sub(4);
                self.opaque(size)?
            }
            117 => {
                // Process, module, index and a number, then the values of variables.
                let variables = self.u32()? as usize;
                self.elements(variables.saturating_add(4), None)?;
                TermNode::Opaque
            }
            _ => return Err(self.damage.at(start, format_args!("no term has the tag {tag}"))),
        })
    }

    /// An identifier: its node's name, then `words` of four bytes and `rest` bytes.
    fn running(&mut self, words: u32, rest: u32) -> Result<TermNode> {
        self.atom()?;
        self.opaque(words * 4 + rest)
    }

    /// `size` bytes that nothing is asked of.
    fn opaque(&mut self, size: u32) -> Result<TermNode> {
        self.skip(size)?;
        Ok(TermNode::Opaque)
    }

    fn big(&mut self, size: u32) -> Result<TermNode> {
        let _sign = self.u8()?;
        Ok(TermNode::Big { at: self.skip(size)?, size })
    }

    /// A whole term that must be an atom.
    fn atom(&mut self) -> Result<TermNode> {
        let start = self.at;
        match self.u8()? {
            tag @ (100 | 115 | 118 | 119) => self.atom_of(tag),
            _ => Err(self.damage.at(start, "there should be an atom")),
        }
    }

    fn atom_of(&mut self, tag: u8) -> Result<TermNode> {
        let start = self.at;
        let size = if matches!(tag, 100 | 118) { self.u16()? } else { self.u8()?.into() };
        let at = self.skip(size.into())?;
        let Some(text) = self.terms.bytes.get(at as usize..self.at) else { return Ok(TermNode::Opaque) };
        if matches!(tag, 118 | 119) {
            if std::str::from_utf8(text).is_err() {
                return Err(self.damage.at(start, "an atom is not UTF-8"));
            }
        } else if !text.is_ascii() {
            let text = text.iter().map(|byte| char::from(*byte)).collect();
            self.terms.latin.push(text);
            return Ok(TermNode::Latin(self.terms.latin.len() as u32 - 1));
        }
        Ok(TermNode::Atom { at, size })
    }

    /// Makes room for `count` elements that follow, and sees to it that they are read next.
    fn elements(&mut self, count: usize, list: Option<usize>) -> Result<u32> {
        // The term that holds them is still among those that are owed.
        self.owed = self.owed.saturating_add(count);
        if self.owed - 1 > self.terms.bytes.len() - self.at {
            return Err(self.damage.at(self.at, "it says to hold more than it has bytes"));
        }
        let first = self.grow(count)?;
        if count > 0 {
            if self.open.len() >= self.limits.nesting {
                return Err(self.limit("levels"));
            }
            let next = first as usize;
            self.open.push(Frame { next, end: next + count, list });
        }
        Ok(first)
    }

    /// Makes room for `count` more terms.
    fn grow(&mut self, count: usize) -> Result<u32> {
        let first = self.terms.nodes.len();
        if first.saturating_add(count) > self.limits.terms.min(u32::MAX as usize) {
            return Err(self.limit("terms"));
        }
        self.terms.nodes.resize(first + count, TermNode::Opaque);
        Ok(first as u32)
    }

    fn limit(&self, of_what: &str) -> Error {
        let message =
            format!("{} holds more {of_what} than the limits allow: raise them", self.damage.part());
        Error::new(ErrorKind::Limit, message)
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.terms.bytes.len());
        let Some(end) = end else {
            return Err(self.damage.at(self.terms.bytes.len(), "it is cut off"));
        };
        let start = std::mem::replace(&mut self.at, end);
        Ok(self.terms.bytes.get(start..end).unwrap_or_default())
    }

    /// Goes past `count` bytes and says where they began.
    fn skip(&mut self, count: u32) -> Result<u32> {
        let start = self.at as u32;
        self.take(count as usize)?;
        Ok(start)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }
}
