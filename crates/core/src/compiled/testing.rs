//! A writer of terms and files, for tests.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::term::{Term, TermNode};

/// A term by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i32),
    /// Whether it is negative is not read.
    Big(u128, bool),
    Atom(String),
    /// Written in Latin-1.
    Latin(String),
    /// A list of numbers, packed.
    Bytes(Vec<u8>),
    /// Not empty, with its tail, which may be another list.
    List(Vec<Value>, Box<Value>),
    Nil,
    Tuple(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Binary(Vec<u8>),
    Export(String, String, u8),
    Float(f64),
    Bits(Vec<u8>),
    Process,
    Reference,
    /// The body of an anonymous function.
    Function(Vec<u8>),
    /// What is read of each of the five before.
    Opaque,
}

/// Shorthand for atoms.
pub(super) fn atom(name: &str) -> Value {
    Value::Atom(name.into())
}

/// Shorthand for tuples.
pub(super) fn tuple(elements: impl IntoIterator<Item = Value>) -> Value {
    Value::Tuple(elements.into_iter().collect())
}

/// Shorthand for proper lists.
pub(super) fn list(elements: impl IntoIterator<Item = Value>) -> Value {
    let elements: Vec<_> = elements.into_iter().collect();
    if elements.is_empty() { Value::Nil } else { Value::List(elements, Box::new(Value::Nil)) }
}

impl Value {
    /// In the external term format.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut bytes = vec![131];
        self.write(&mut bytes);
        bytes
    }

    /// In the external term format, compressed.
    pub(super) fn compressed(&self) -> Vec<u8> {
        let plain = self.encoded();
        let mut encoder = ZlibEncoder::new(vec![131, 80], Compression::default());
        encoder.get_mut().extend((plain.len() as u32 - 1).to_be_bytes());
        encoder.write_all(&plain[1..]).unwrap();
        encoder.finish().unwrap()
    }

    fn write(&self, to: &mut Vec<u8>) {
        let mut tagged = |tag: u8, length: u32, rest: &[u8]| {
            to.push(tag);
            to.extend(length.to_be_bytes());
            to.extend(rest);
        };
        match self {
            Value::Integer(value @ 0..=255) => to.extend([97, *value as u8]),
            Value::Integer(value) => tagged(98, *value as u32, &[]),
            Value::Big(value, negative) => {
                to.extend([110, 16, u8::from(*negative)]);
                to.extend(value.to_le_bytes());
            }
            Value::Atom(name) if name.len() < 256 => {
                to.extend([119, name.len() as u8]);
                to.extend(name.as_bytes());
            }
            Value::Atom(name) => {
                to.push(118);
                to.extend((name.len() as u16).to_be_bytes());
                to.extend(name.as_bytes());
            }
            Value::Latin(name) => {
                to.extend([100, 0, name.chars().count() as u8]);
                to.extend(name.chars().map(|character| character as u8));
            }
            Value::Bytes(bytes) => {
                to.push(107);
                to.extend((bytes.len() as u16).to_be_bytes());
                to.extend(bytes);
            }
            Value::List(elements, tail) => {
                tagged(108, elements.len() as u32, &[]);
                elements.iter().chain([&**tail]).for_each(|element| element.write(to));
            }
            Value::Nil => to.push(106),
            Value::Tuple(elements) => {
                match u8::try_from(elements.len()) {
                    Ok(count) => to.extend([104, count]),
                    Err(_) => tagged(105, elements.len() as u32, &[]),
                }
                elements.iter().for_each(|element| element.write(to));
            }
            Value::Map(pairs) => {
                tagged(116, pairs.len() as u32, &[]);
                for (key, value) in pairs {
                    key.write(to);
                    value.write(to);
                }
            }
            Value::Binary(bytes) => tagged(109, bytes.len() as u32, bytes),
            Value::Export(module, name, arity) => {
                to.push(113);
                atom(module).write(to);
                atom(name).write(to);
                to.extend([97, *arity]);
            }
            Value::Float(value) => {
                to.push(70);
                to.extend(value.to_be_bytes());
            }
            Value::Bits(bytes) => {
                tagged(77, bytes.len() as u32, &[3]);
                to.extend(bytes);
            }
            Value::Process => {
                to.push(88);
                atom("node@host").write(to);
                to.extend([1; 12]);
            }
            Value::Reference => {
                to.extend([90, 0, 3]);
                atom("node@host").write(to);
                to.extend([1; 16]);
            }
            Value::Function(body) => tagged(112, body.len() as u32 + 4, body),
            Value::Opaque => unreachable!("it stands for what was read"),
        }
    }

    /// What a reader should see of it.
    pub(super) fn seen(&self) -> Value {
        let all = |values: &[Value]| values.iter().map(Value::seen).collect::<Vec<_>>();
        match self {
            Value::Latin(name) => atom(name),
            Value::Big(value, _) => Value::Big(*value, false),
            Value::List(elements, tail) => Value::List(all(elements), Box::new(tail.seen())),
            Value::Tuple(elements) => Value::Tuple(all(elements)),
            Value::Map(pairs) => {
                Value::Map(pairs.iter().map(|(key, value)| (key.seen(), value.seen())).collect())
            }
            Value::Float(_) | Value::Bits(_) | Value::Process | Value::Reference | Value::Function(_) => {
                Value::Opaque
            }
            other => other.clone(),
        }
    }

    /// The term, taken out of what was read.
    pub(super) fn of(term: Term) -> Value {
        let (integer, text) = (|| term.integer().unwrap() as i32, || term.atom().unwrap());
        match term.node() {
            TermNode::Integer(_) => Value::Integer(integer()),
            TermNode::Big { .. } => Value::Big(term.magnitude().unwrap(), false),
            TermNode::Atom { .. } | TermNode::Latin(_) => atom(text()),
            TermNode::Nil => Value::Nil,
            TermNode::Bytes { .. } => {
                Value::Bytes(term.list().unwrap().iter().map(|byte| byte.integer().unwrap() as u8).collect())
            }
            TermNode::List { .. } => {
                let (elements, tail) = term.elements_and_tail();
                Value::List(
                    elements.into_iter().map(Value::of).collect(),
                    Box::new(tail.map_or(Value::Nil, Value::of)),
                )
            }
            TermNode::Tuple { .. } => Value::Tuple(term.tuple().unwrap().iter().map(Value::of).collect()),
            TermNode::Map { .. } => {
                let pairs = term.pairs().unwrap();
                Value::Map(pairs.map(|(key, value)| (Value::of(key), Value::of(value))).collect())
            }
            TermNode::Binary { at, size } => Value::Binary(term.bytes(at, size).to_vec()),
            TermNode::Export { .. } => {
                let (module, name, arity) = term.export().unwrap();
                Value::Export(module.into(), name.into(), arity)
            }
            TermNode::Opaque => Value::Opaque,
        }
    }
}

/// A file of these chunks, before which come those that every file has.
pub(super) fn file(module: &str, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut atoms = 1_u32.to_be_bytes().to_vec();
    atoms.push(module.len() as u8);
    atoms.extend(module.as_bytes());
    bare_file(&[&[(b"AtU8", atoms)], chunks].concat())
}

/// A file of these chunks.
pub(super) fn bare_file(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"BEAM".to_vec();
    for (id, data) in chunks {
        body.extend(*id);
        body.extend((data.len() as u32).to_be_bytes());
        body.extend(data);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    [b"FOR1", &(body.len() as u32).to_be_bytes()[..], &body].concat()
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
