//! What callers give: decoded in one place, within bounds, and refused with a sentence instead of an exception.

use ambix_core::{Error, ErrorKind, Result};
use rustler::types::tuple::get_tuple;
use rustler::{Binary, Decoder, Encoder, Env, MapIterator, Term, TermType};

use crate::guard;

/// How much a function takes: elements of lists, tuples and maps, and bytes of texts, of all arguments together.
///
/// Decoding takes time on the scheduler that the function runs on.
pub struct Room {
    terms: usize,
    bytes: usize,
}

impl Room {
    /// On a normal scheduler: what is decoded within microseconds.
    const NORMAL: Room = Room { terms: 4096, bytes: 64 << 10 };
    /// On a dirty scheduler. Coverage of a large suite has millions of lines.
    const DIRTY: Room = Room { terms: 4 << 20, bytes: 512 << 20 };

    /// Decodes the argument of that name.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than there is room for, [`ErrorKind::InvalidArgument`] for what has another type.
    pub fn decode<'a, T: Decoder<'a>>(&mut self, name: &str, term: Term<'a>) -> Result<T> {
        self.take(name, term)?;
        term.decode().map_err(|error| refused(name, error, term.get_env()))
    }

    /// Walks through a term, without recursion. The decoders of rustler panic at the end of an improper list.
    fn take(&mut self, name: &str, term: Term<'_>) -> Result<()> {
        let full =
            || Error::new(ErrorKind::Limit, format!("the argument {name} is larger than can be taken"));
        let mut open = vec![term];
        while let Some(term) = open.pop() {
            self.terms = self.terms.checked_sub(1).ok_or_else(full)?;
            match term.get_type() {
                TermType::Binary => {
                    let size = Binary::from_term(term).map_or(0, |binary| binary.len());
                    self.bytes = self.bytes.checked_sub(size).ok_or_else(full)?;
                }
                TermType::List if !term.is_empty_list() => {
                    let (first, rest) = term.list_get_cell().map_err(|_| improper(name))?;
                    if !rest.is_list() {
                        return Err(improper(name));
                    }
                    open.push(rest);
                    open.push(first);
                }
                TermType::Tuple => open.extend(get_tuple(term).unwrap_or_default()),
                TermType::Map => {
                    for (key, value) in MapIterator::new(term).into_iter().flatten() {
                        self.terms = self.terms.checked_sub(1).ok_or_else(full)?;
                        open.extend([key, value]);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Decodes all arguments of a function inside the guard; the term is the answer of one that refuses them.
pub fn decoded<'a, T>(
    env: Env<'a>,
    is_dirty: bool,
    decode: impl FnOnce(&mut Room) -> Result<T>,
) -> Result<T, Term<'a>> {
    let mut room = if is_dirty { Room::DIRTY } else { Room::NORMAL };
    match guard::run(|| decode(&mut room)) {
        guard::Outcome::Done(Ok(arguments)) => Ok(arguments),
        refused => Err(refused.encode(env, |env, _| rustler::types::atom::nil().encode(env))),
    }
}

fn improper(name: &str) -> Error {
    Error::invalid(format!("the argument {name} holds an improper list"))
}

/// Names the field of a map that does not fit, if rustler tells it, and never a value: that may be a prompt or a source.
fn refused(name: &str, error: rustler::Error, env: Env<'_>) -> Error {
    let text = match error {
        rustler::Error::RaiseTerm(text) => text.encode(env).decode::<String>().ok(),
        _ => None,
    };
    let field = text.as_deref().and_then(|text| text.split_once("field ")?.1.split(' ').next());
    let of = field.map(|field| format!("{field} of ")).unwrap_or_default();
    Error::invalid(format!("{of}the argument {name} has a wrong type or is out of range"))
}
