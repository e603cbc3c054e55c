//! JSON for what leaves and enters the tools: command output and JSON-lines files. Elixir 1.14 has none of its own.

use std::collections::HashMap;
use std::fmt;

use ambix_core::{Error, ErrorKind, Result};
use ambix_macros::nif;
use rustler::types::atom;
use rustler::{Binary, Encoder, Env, MapIterator, Term, TermType};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::guard::guard;

/// Deeper terms and documents are refused, so that no input can exhaust the stack of a scheduler.
const MAX_DEPTH: usize = 100;

/// A larger document is not written. A term may hold another many times in the memory of one.
const MAX_BYTES: usize = 256 << 20;

/// The term of a JSON document: objects become maps with strings as keys, numbers integers or floats, `null` `nil`.
#[nif(schedule = "DirtyCpu")]
fn json_decode<'a>(env: Env<'a>, text: Binary<'a>) -> Term<'a> {
    guard(env, || {
        let mut reader = serde_json::Deserializer::from_slice(text.as_slice());
        let term = Seed { env, depth: 0 }.deserialize(&mut reader).map_err(refused)?;
        reader.end().map_err(refused)?;
        Ok(term)
    })
}

/// The JSON of a term, keys in the order of their text.
#[nif(schedule = "DirtyCpu")]
fn json_encode<'a>(env: Env<'a>, term: Term<'a>) -> Term<'a> {
    guard(env, || {
        let mut text = Vec::new();
        write(&mut text, term, 0)?;
        let mut binary = rustler::NewBinary::new(env, text.len());
        binary.as_mut_slice().copy_from_slice(&text);
        Ok(Binary::from(binary))
    })
}

fn refused(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Corrupt, format!("this is not JSON that can be read: {error}"))
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    env: Env<'a>,
    depth: usize,
}

impl<'de, 'a> DeserializeSeed<'de> for Seed<'a> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Term<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Seed<'a> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nested more than {MAX_DEPTH} deep")));
        }
        Ok(Seed { env: self.env, depth: self.depth + 1 })
    }
}

impl<'de, 'a> Visitor<'de> for Seed<'a> {
    type Value = Term<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Term<'a>, E> {
        Ok(atom::nil().encode(self.env))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_str<E>(self, value: &str) -> Result<Term<'a>, E> {
        Ok(value.encode(self.env))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Term<'a>, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(list.encode(self.env))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Term<'a>, A::Error> {
        let inner = self.deeper()?;
        // A key that comes twice keeps its last value, as most readers have it.
        let mut values: HashMap<String, Term<'a>> = HashMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            values.insert(key, entries.next_value_seed(inner)?);
        }
        let pairs: Vec<(String, Term<'a>)> = values.into_iter().collect();
        Term::map_from_pairs(self.env, &pairs).map_err(|_| serde::de::Error::custom("not a map"))
    }
}

fn write(text: &mut Vec<u8>, term: Term<'_>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        let message = format!("a term nested more than {MAX_DEPTH} deep cannot be written as JSON");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    if text.len() > MAX_BYTES {
        let message = format!("a term of more than {} MiB of JSON cannot be written", MAX_BYTES >> 20);
        return Err(Error::new(ErrorKind::Limit, message));
    }
    match term.get_type() {
        TermType::Atom => write_atom(text, term),
        TermType::Binary => match term.decode::<&str>() {
            Ok(string) => write_string(text, string),
            Err(_) => Err(cannot("a binary that is not UTF-8")),
        },
        TermType::Integer => match (term.decode::<i64>(), term.decode::<u64>()) {
            (Ok(number), _) => write_display(text, number),
            (_, Ok(number)) => write_display(text, number),
            _ => Err(cannot("an integer of more than 64 bits")),
        },
        TermType::Float => match term.decode::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => write_display(text, number),
            None => Err(cannot("a float that is not finite")),
        },
        TermType::List => {
            text.push(b'[');
            let mut rest = term;
            while !rest.is_empty_list() {
                let (item, tail) = rest.list_get_cell().map_err(|_| cannot("an improper list"))?;
                write(text, item, depth + 1)?;
                if !tail.is_empty_list() {
                    text.push(b',');
                }
                rest = tail;
            }
            text.push(b']');
            Ok(())
        }
        TermType::Map => write_map(text, term, depth),
        _ => Err(cannot("a term that is no string, number, atom, list or map")),
    }
}

fn write_map(text: &mut Vec<u8>, term: Term<'_>, depth: usize) -> Result<()> {
    let mut entries: Vec<(String, Term<'_>)> = Vec::new();
    for (key, value) in MapIterator::new(term).ok_or_else(|| cannot("a broken map"))? {
        let name = match key.get_type() {
            TermType::Atom => key.atom_to_string().map_err(|_| cannot("a broken atom"))?,
            TermType::Binary => key.decode::<String>().map_err(|_| cannot("a key that is not UTF-8"))?,
            _ => return Err(cannot("a map whose keys are neither atoms nor strings")),
        };
        if name == "__struct__" {
            return Err(cannot("a struct; turn it into a map first"));
        }
        entries.push((name, value));
    }
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    text.push(b'{');
    for (nth, (name, value)) in entries.into_iter().enumerate() {
        if nth > 0 {
            text.push(b',');
        }
        write_string(text, &name)?;
        text.push(b':');
        write(text, value, depth + 1)?;
    }
    text.push(b'}');
    Ok(())
}

fn write_atom(text: &mut Vec<u8>, term: Term<'_>) -> Result<()> {
    match term.atom_to_string().map_err(|_| cannot("a broken atom"))?.as_str() {
        "nil" => text.extend_from_slice(b"null"),
        name @ ("true" | "false") => text.extend_from_slice(name.as_bytes()),
        name => write_string(text, name)?,
    }
    Ok(())
}

fn write_string(text: &mut Vec<u8>, string: &str) -> Result<()> {
    serde_json::to_writer(text, string).map_err(|error| Error::new(ErrorKind::Io, error))
}

fn write_display(text: &mut Vec<u8>, number: impl fmt::Display) -> Result<()> {
    text.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

fn cannot(what: &str) -> Error {
    Error::invalid(format!("{what} cannot be written as JSON"))
}
