//! A text for each symbol that no other symbol of the graph has, and that stays when other files change.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::Symbol;
use crate::source::ContentHash;

/// The longest text, in bytes. Databases leave texts of some thousands out of their indexes without a word.
const LONGEST: usize = 512;

/// The texts of all symbols and files.
pub(super) struct ExportNames {
    of_symbol: Vec<String>,
    of_file: FxHashMap<Arc<str>, String>,
}

/// Names for `symbols`: their qualified name if it is the only one; or else followed by `@path`, then also by the kind and
/// the line, as much as it takes, and at last by a number. A file is called by its path, unless a symbol is called so.
pub(super) fn unique(symbols: &[Symbol]) -> ExportNames {
    let mut of_symbol = vec![String::new(); symbols.len()];
    let mut taken: FxHashSet<String> = FxHashSet::default();
    let mut open: Vec<usize> = (0..symbols.len()).collect();
    let forms: [fn(&Symbol) -> String; 4] = [
        |symbol| symbol.qualified(),
        |symbol| format!("{}@{}", symbol.qualified(), symbol.file),
        |symbol| format!("{}@{} {}", symbol.qualified(), symbol.file, symbol.kind.as_str()),
        |symbol| {
            let (line, kind) = (symbol.span.line_start, symbol.kind.as_str());
            format!("{}@{}:{line} {kind}", symbol.qualified(), symbol.file)
        },
    ];
    for form in forms {
        let wanted: Vec<String> = open.iter().map(|at| indexable(&form(&symbols[*at]))).collect();
        let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
        wanted.iter().for_each(|name| *counts.entry(name).or_default() += 1);
        let mut rest = Vec::new();
        for (at, name) in open.iter().zip(&wanted) {
            if counts.get(&**name) == Some(&1) && taken.insert(name.clone()) {
                of_symbol[*at] = name.clone();
            } else {
                rest.push(*at);
            }
        }
        open = rest;
    }
    let mut numbers: FxHashMap<String, usize> = FxHashMap::default();
    for at in open {
        let name = indexable(&forms[3](&symbols[at]));
        let number = numbers.entry(name.clone()).or_default();
        of_symbol[at] = loop {
            *number += 1;
            let numbered = format!("{name} #{number}");
            if taken.insert(numbered.clone()) {
                break numbered;
            }
        };
    }
    let mut of_file: FxHashMap<Arc<str>, String> = FxHashMap::default();
    for symbol in symbols {
        if !of_file.contains_key(&symbol.file) {
            let mut name = indexable(&symbol.file);
            while !taken.insert(name.clone()) {
                name.push_str(" file");
            }
            of_file.insert(symbol.file.clone(), name);
        }
    }
    ExportNames { of_symbol, of_file }
}

impl ExportNames {
    /// The name of the symbol of this number.
    pub(super) fn symbol(&self, at: usize) -> &str {
        &self.of_symbol[at]
    }

    /// The name of a file.
    pub(super) fn file<'a>(&'a self, path: &'a str) -> &'a str {
        self.of_file.get(path).map_or(path, String::as_str)
    }
}

/// The text as an index can hold it: cut with a hash at its end if it is long, and without white space around it, which
/// some databases drop when they look a text up.
fn indexable(text: &str) -> String {
    let text = text.trim();
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let hash = ContentHash::of(text.as_bytes()).0;
    let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}…{digits}", &text[..end])
}
