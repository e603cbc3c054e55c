use std::collections::BTreeSet;

use proptest::prelude::*;

use super::key::lowered;
use super::*;
use crate::retrieval::query::{QueryMention, mentions};
use crate::retrieval::testing::{analysed, index_of};

const TEXTS: [&str; 6] = [
    "defmodule Shop.Cart do\n  def add(cart, item \\\\ nil), do: cart\n  defp Add(x), do: x\n  @rate 1\nend\n",
    "defmodule Cart do\n  defstruct [:a]\n  defmacro add(x), do: x\n  @type t :: map\nend\n",
    "defmodule Shop.CartTest do\n  use ExUnit.Case\n  test \"add\", do: 1\n  describe \"add/2\" do\n  end\nend\n",
    "defmodule Shop do\n  defmodule ÄPFEL do\n    def größe(x), do: x\n    def +a, do: a\n  end\nend\n",
    "defimpl Enumerable, for: Shop.Cart do\n  def count(cart), do: 1\n  def add?(x), do: x\nend\n",
    "-module(shop).\n-export([add/2]).\nadd(A, B) -> A + B.\n",
];
const PATHS: [&str; 6] =
    ["lib/a.ex", "lib/b.ex", "test/a_test.exs", "lib/c/d.ex", "lib/e.ex", "src/shop.erl"];

fn entries(which: &[Option<usize>]) -> Vec<Arc<Entry>> {
    let present = which.iter().enumerate().filter_map(|(path, text)| Some((path, (*text)?)));
    present.map(|(path, text)| analysed(PATHS[path], TEXTS[text])).collect()
}

fn places<'n>(candidates: impl IntoIterator<Item = Candidate<'n>>) -> BTreeSet<(String, usize, usize)> {
    let place = |it: Candidate<'n>| (it.entry.file.path.to_string(), it.index, it.distance);
    candidates.into_iter().map(place).collect()
}

/// The definitions whose key in lower case is `right`, one by one; the number is told with them.
fn walked(
    files: &ChunkTable,
    right: &dyn Fn(&str, &str) -> Option<usize>,
) -> BTreeSet<(String, usize, usize)> {
    let mut found = BTreeSet::new();
    for entry in files.entries() {
        for (index, definition) in entry.facts.definitions.iter().enumerate() {
            if let Some(distance) = right(&lowered(key(definition)), key(definition)) {
                found.insert((entry.file.path.to_string(), index, distance));
            }
        }
    }
    found
}

fn check(names: &Names, files: &ChunkTable) {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    for wanted in [
        "add", "a", "cart", "größe", "äpfel", "shop", "+", "count", "adx", "cartest", "ct", "grösse", ":shop",
    ] {
        let number = |is: bool| is.then_some(0);
        assert_eq!(places(names.equal(wanted)), walked(files, &|key, _| number(key == wanted)), "{wanted}");
        let longer = |key: &str, _: &str| number(key != wanted && key.starts_with(wanted));
        assert_eq!(places(names.longer(wanted)), walked(files, &longer), "{wanted}");
        // Keys that are written in several ways have the parts of all of them.
        let abbreviated =
            |key: &str, name: &str| number(!key.starts_with(wanted) && abbreviates(wanted, key, humps(name)));
        let found = places(names.abbreviated(wanted));
        assert!(found.is_superset(&walked(files, &abbreviated)), "{wanted}");
        let mistyped = |key: &str, _: &str| {
            let wanted = characters(wanted);
            distance(&wanted, &characters(key), typos(wanted.len())).filter(|distance| *distance > 0)
        };
        assert_eq!(places(names.mistyped(wanted)), walked(files, &mistyped), "{wanted}");
    }
}

#[test]
fn a_change_makes_one_table_anew() {
    let entry =
        |at: usize| analysed(&format!("lib/m{at}.ex"), &format!("defmodule M{at} do\n  def f, do: 1\nend\n"));
    let mut all: Vec<_> = (0..300).map(entry).collect();
    let first = Names::default().updated(&ChunkTable::new(all.clone()));
    assert_eq!(first.groups.len(), 4);
    assert!(first.groups.iter().all(|group| group.files.len() > 30), "groups are of like sizes");
    all[7] = analysed("lib/m7.ex", "defmodule Other do\nend\n");
    let second = first.updated(&ChunkTable::new(all.clone()));
    let shared = first.groups.iter().zip(&second.groups).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
    assert_eq!(shared, 3);
    assert!(second.bytes() > 300 * size_of::<Posting>());
    // Back again: the number of groups stays as long as they are not far too large or too small.
    all.truncate(160);
    assert_eq!(second.updated(&ChunkTable::new(all.clone())).groups.len(), 4);
    all.truncate(60);
    assert_eq!(second.updated(&ChunkTable::new(all)).groups.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// After any history of puts and removals every question finds what a walk over all definitions finds.
    #[test]
    fn history_never_shows(steps in prop::collection::vec((0..6usize, prop::option::of(0..6usize)), 1..20)) {
        let mut now = [None; 6];
        let mut names = Names::default();
        for (path, text) in steps {
            now[path] = text;
            let files = ChunkTable::new(entries(&now));
            names = names.updated(&files);
            check(&names, &files);
        }
    }

    /// Symbols in questions fit what they fit when each definition is asked by itself.
    #[test]
    fn definitions_of_mentions_are_those_of_a_walk(which in prop::collection::vec(prop::option::of(0..6usize), 6)) {
        let index = index_of(entries(&which));
        let questions = [
            "add", "Shop.Cart.add/2", "Cart.add", "add/1", "Shop.Cart", "Cart", "ÄPFEL", "größe/1", "cart",
            "what do Cart.add and add/1 of `Shop.Cart` have to do with Shop.CartTest", "Enumerable.Shop.Cart", "shop",
        ];
        for question in questions {
            let (symbols, _) = mentions(question);
            let found = index.definitions_of(&symbols);
            prop_assert_eq!(found, walk(&index, &symbols), "{}", question);
        }
    }
}

fn walk<'i>(index: &'i crate::retrieval::Index, symbols: &[QueryMention]) -> Vec<(u32, &'i Definition, f32)> {
    let mut found = Vec::new();
    for (at, entry) in index.chunk_table().entries().iter().enumerate() {
        for definition in &entry.facts.definitions {
            let fit = symbols.iter().map(|symbol| symbol.fit(definition)).fold(0.0, f32::max);
            let line =
                definition.clauses.first().map_or(definition.span.line_start, |clause| clause.line_start);
            let chunk = entry.chunks().partition_point(|chunk| chunk.span.line_end < line);
            if fit > 0.0 && chunk < entry.chunks().len() {
                found.push((index.chunk_table().numbers(at).start + chunk as u32, definition, fit));
            }
        }
    }
    found
}
