//! The parts of binaries: `<<a::size(8), rest::binary>>`.

use tree_sitter::Node;

use crate::repair::mutate::source::{arguments, field, parts};

/// What stands right of `::`, read.
#[derive(Default)]
pub(super) struct Bits<'t> {
    /// `binary`, `little`, …: those without arguments.
    names: Vec<&'t str>,
    sizes: usize,
    units: usize,
    /// What is computed: `n` of `size(n)`.
    pub computed: Vec<Node<'t>>,
    /// A name that no binary knows: a macro, at best.
    pub unknown: Option<&'t str>,
}

const TYPES: [&str; 9] =
    ["integer", "float", "bits", "bitstring", "binary", "bytes", "utf8", "utf16", "utf32"];
const SIGNS: [&str; 2] = ["signed", "unsigned"];
const ENDS: [&str; 3] = ["big", "little", "native"];

impl<'t> Bits<'t> {
    pub fn read(text: &'t str, node: Node<'t>) -> Self {
        let mut bits = Bits::default();
        let of = |node: Node<'t>| text.get(node.byte_range()).unwrap_or("");
        let mut left = vec![node];
        while let Some(node) = left.pop() {
            match node.kind() {
                "identifier" => bits.name(of(node)),
                "integer" => bits.sizes += 1,
                "binary_operator" => {
                    let sign = field(node, "operator").map_or("", of);
                    let sides = [field(node, "left"), field(node, "right")];
                    match (sign, sides) {
                        ("-", [Some(a), Some(b)]) => left.extend([b, a]),
                        ("*", [Some(a), Some(b)]) => {
                            bits.sizes += 1;
                            bits.units += 1;
                            bits.computed.extend([a, b].iter().filter(|side| side.kind() != "integer"));
                        }
                        _ => bits.unknown = Some(of(node)),
                    }
                }
                "call" => match (field(node, "target").map_or("", of), arguments(node)) {
                    ("size", Some(given)) => {
                        bits.sizes += 1;
                        bits.computed.extend(parts(given));
                    }
                    ("unit", Some(_)) => bits.units += 1,
                    (name, None) => bits.name(name),
                    (name, Some(_)) => bits.unknown = Some(name),
                },
                _ => bits.unknown = Some(of(node)),
            }
        }
        bits
    }

    fn name(&mut self, name: &'t str) {
        let known = [&TYPES[..], &SIGNS, &ENDS].concat();
        if known.contains(&name) {
            self.names.push(name);
        } else {
            self.unknown = Some(name);
        }
    }

    fn one_of(&self, set: &[&str]) -> usize {
        self.names.iter().filter(|name| set.contains(name)).count()
    }

    /// Whether nothing says how long it is although its type says nothing of it either.
    pub fn is_open(&self) -> bool {
        self.unknown.is_none()
            && self.sizes == 0
            && self.one_of(&["binary", "bytes", "bits", "bitstring"]) > 0
    }

    /// Whether its words contradict each other; `literal` says that it stands right of a string.
    pub fn contradicts(&self, literal: bool) -> bool {
        if self.unknown.is_some() {
            return false;
        }
        let utf = self.one_of(&["utf8", "utf16", "utf32"]) > 0;
        let text = self.one_of(&["binary", "bytes", "bits", "bitstring"]) > 0;
        let float = self.one_of(&["float"]) > 0;
        self.one_of(&TYPES) > 1
            || self.one_of(&SIGNS) > 1
            || self.one_of(&ENDS) > 1
            || self.sizes > 1
            || self.units > 1
            || utf && self.sizes + self.units > 0
            || (utf || text) && self.one_of(&SIGNS) > 0
            || text && self.one_of(&ENDS) > 0
            || self.units > 0 && self.sizes == 0 && !text
            || literal && (float || self.one_of(&["integer"]) > 0 || !utf && self.sizes > 0 && !text)
    }
}
