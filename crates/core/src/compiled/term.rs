//! Looking at terms.

use std::borrow::Cow;

/// A term: numbers themselves, everything else by where it is. Elements are those from `first` on.
#[derive(Clone, Copy, Debug)]
pub(super) enum TermNode {
    Integer(i64),
    /// Without its sign, the lowest byte first.
    Big {
        at: u32,
        size: u32,
    },
    /// In UTF-8.
    Atom {
        at: u32,
        size: u16,
    },
    /// In a list of their own.
    Latin(u32),
    /// The empty list.
    Nil,
    /// A list of small numbers, packed.
    Bytes {
        at: u32,
        count: u32,
    },
    /// A list that is not proper counts its tail.
    List {
        first: u32,
        count: u32,
        proper: bool,
    },
    Tuple {
        first: u32,
        count: u32,
    },
    /// Keys and values in turn.
    Map {
        first: u32,
        pairs: u32,
    },
    Binary {
        at: u32,
        size: u32,
    },
    /// `fun Mod:name/arity`: module, name, arity.
    Export {
        first: u32,
    },
    /// What says nothing of code: floats, bitstrings, processes, ports, references, anonymous functions.
    Opaque,
}

/// A term with all that it holds.
pub(super) struct Terms<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) nodes: Vec<TermNode>,
    /// Atoms in Latin-1 that are not ASCII, as UTF-8.
    pub(super) latin: Vec<String>,
}

impl Terms<'_> {
    /// The term itself.
    pub(super) fn root(&self) -> Term<'_> {
        Term::new(self, self.nodes.first().copied().unwrap_or(TermNode::Opaque))
    }
}

/// A term in its place.
#[derive(Clone, Copy)]
pub(super) struct Term<'t> {
    terms: &'t Terms<'t>,
    node: TermNode,
}

impl<'t> Term<'t> {
    pub(super) fn new(terms: &'t Terms<'t>, node: TermNode) -> Self {
        Term { terms, node }
    }

    #[cfg(test)]
    pub(super) fn node(self) -> TermNode {
        self.node
    }

    /// The elements of a list that is not empty or packed, and its tail unless it is proper.
    #[cfg(test)]
    pub(super) fn elements_and_tail(self) -> (Vec<Term<'t>>, Option<Term<'t>>) {
        let TermNode::List { first, count, proper } = self.node else { panic!("{:?} is no list", self.node) };
        let all = Elements { terms: self.terms, place: ElementRange::Nodes { first, count } };
        let mut elements: Vec<_> = all.iter().collect();
        let tail = if proper { None } else { elements.pop() };
        (elements, tail)
    }

    pub(super) fn atom(self) -> Option<&'t str> {
        match self.node {
            TermNode::Atom { at, size } => std::str::from_utf8(self.bytes(at, size.into())).ok(),
            TermNode::Latin(number) => self.terms.latin.get(number as usize).map(String::as_str),
            _ => None,
        }
    }

    pub(super) fn is_atom(self, name: &str) -> bool {
        match self.node {
            TermNode::Atom { at, size } => self.bytes(at, size.into()) == name.as_bytes(),
            _ => self.atom() == Some(name),
        }
    }

    pub(super) fn integer(self) -> Option<i64> {
        match self.node {
            TermNode::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// An integer without its sign, if it has 128 bits at most.
    pub(super) fn magnitude(self) -> Option<u128> {
        match self.node {
            TermNode::Integer(value) => Some(value.unsigned_abs().into()),
            TermNode::Big { at, size, .. } if size <= 16 => {
                let digits = self.bytes(at, size).iter().rev();
                Some(digits.fold(0, |value, byte| value << 8 | u128::from(*byte)))
            }
            _ => None,
        }
    }

    /// The text of a binary or of a list of characters.
    pub(super) fn text(self) -> Option<Cow<'t, str>> {
        match self.node {
            TermNode::Binary { at, size } => Some(String::from_utf8_lossy(self.bytes(at, size))),
            TermNode::Nil | TermNode::Bytes { .. } | TermNode::List { .. } => {
                let characters =
                    self.list()?.iter().map(|item| char::from_u32(item.integer()?.try_into().ok()?));
                characters.collect::<Option<String>>().map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// The elements of a proper list.
    pub(super) fn list(self) -> Option<Elements<'t>> {
        let place = match self.node {
            TermNode::Nil => ElementRange::Nodes { first: 0, count: 0 },
            TermNode::Bytes { at, count } => ElementRange::Bytes { at, count },
            TermNode::List { first, count, proper: true } => ElementRange::Nodes { first, count },
            _ => return None,
        };
        Some(Elements { terms: self.terms, place })
    }

    /// The elements of a tuple.
    pub(super) fn tuple(self) -> Option<Elements<'t>> {
        match self.node {
            TermNode::Tuple { first, count } => {
                Some(Elements { terms: self.terms, place: ElementRange::Nodes { first, count } })
            }
            _ => None,
        }
    }

    /// The elements of a tuple of `N`.
    pub(super) fn tuple_of<const N: usize>(self) -> Option<[Term<'t>; N]> {
        let elements = self.tuple()?;
        if elements.len() != N {
            return None;
        }
        let mut found = [self; N];
        for (place, element) in found.iter_mut().zip(elements.iter()) {
            *place = element;
        }
        Some(found)
    }

    /// Module, name and arity of a function that is named.
    pub(super) fn export(self) -> Option<(&'t str, &'t str, u8)> {
        let TermNode::Export { first } = self.node else { return None };
        let parts = Elements { terms: self.terms, place: ElementRange::Nodes { first, count: 3 } };
        Some((parts.get(0)?.atom()?, parts.get(1)?.atom()?, parts.get(2)?.arity()?))
    }

    /// An integer as the number of arguments that a function takes.
    pub(super) fn arity(self) -> Option<u8> {
        self.integer()?.try_into().ok()
    }

    /// An integer as a line. 0: there is none.
    pub(super) fn line(self) -> Option<u32> {
        self.integer()?.try_into().ok()
    }

    /// `{name, arity}`.
    pub(super) fn name_and_arity(self) -> Option<(&'t str, u8)> {
        let [name, arity] = self.tuple_of()?;
        Some((name.atom()?, arity.arity()?))
    }

    /// The keys and values of a map.
    pub(super) fn pairs(self) -> Option<impl Iterator<Item = (Term<'t>, Term<'t>)>> {
        let TermNode::Map { first, pairs } = self.node else { return None };
        let all = Elements {
            terms: self.terms,
            place: ElementRange::Nodes { first, count: pairs.saturating_mul(2) },
        };
        Some((0..pairs as usize).filter_map(move |pair| Some((all.get(2 * pair)?, all.get(2 * pair + 1)?))))
    }

    /// What the atom `key` stands for in a map or in a list of pairs.
    pub(super) fn value(self, key: &str) -> Option<Term<'t>> {
        if let Some(mut pairs) = self.pairs() {
            return pairs.find_map(|(known, value)| known.is_atom(key).then_some(value));
        }
        self.list()?.iter().find_map(|pair| {
            let [known, value] = pair.tuple_of()?;
            known.is_atom(key).then_some(value)
        })
    }

    pub(super) fn bytes(self, at: u32, size: u32) -> &'t [u8] {
        let at = at as usize;
        self.terms.bytes.get(at..at.saturating_add(size as usize)).unwrap_or_default()
    }
}

/// Terms in a row.
#[derive(Clone, Copy)]
pub(super) struct Elements<'t> {
    terms: &'t Terms<'t>,
    place: ElementRange,
}

#[derive(Clone, Copy)]
enum ElementRange {
    Nodes { first: u32, count: u32 },
    Bytes { at: u32, count: u32 },
}

impl<'t> Elements<'t> {
    pub(super) fn len(self) -> usize {
        match self.place {
            ElementRange::Nodes { count, .. } | ElementRange::Bytes { count, .. } => count as usize,
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Term<'t>> {
        if index >= self.len() {
            return None;
        }
        let node = match self.place {
            ElementRange::Nodes { first, .. } => *self.terms.nodes.get(first as usize + index)?,
            ElementRange::Bytes { at, .. } => {
                TermNode::Integer((*self.terms.bytes.get(at as usize + index)?).into())
            }
        };
        Some(Term::new(self.terms, node))
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Term<'t>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}
