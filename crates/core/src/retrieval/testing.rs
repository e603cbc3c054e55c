//! Made-up entries for the tests of this module.

use std::cell::RefCell;
use std::sync::Arc;

use proptest::prelude::*;

use super::entry::Entry;
use super::index::Parts;
use super::outside::Outside;
use super::{Embedder, Index, embed_all};
use crate::source::{ContentHash, File, Span};
use crate::syntax::{Chunk, FileFacts, analyse};
use crate::{Cancel, Result};

/// A file whose chunks are the lines of `chunks`, each with its symbol.
pub(crate) fn entry(path: &str, chunks: &[(&str, &str)]) -> Arc<Entry> {
    let mut text = String::new();
    let mut facts = FileFacts::default();
    for (line, (symbol, body)) in (1..).zip(chunks) {
        let start = text.len() as u32;
        text.push_str(body);
        facts.chunks.push(Chunk {
            span: Span { start, end: text.len() as u32, line_start: line, line_end: line },
            symbol: Arc::from(*symbol),
            kind: None,
            header: Arc::from(path),
        });
        text.push('\n');
    }
    Arc::new(Entry::new(File::new(path, text), facts))
}

/// A file as it is read.
pub(crate) fn analysed(path: &str, text: &str) -> Arc<Entry> {
    let file = File::new(path, text);
    let facts = analyse(&file);
    Arc::new(Entry::new(file, facts))
}

/// An index of these files, which need not be on the disk.
pub(crate) fn index_of(entries: Vec<Arc<Entry>>) -> Index {
    Index::of("/".into(), Parts::new(entries, Vec::new(), Outside::default()))
}

/// A few short texts of few words, so that the same ones come again.
pub(crate) fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["alpha", "beta", "gamma", "delta", "Alpha.beta/2", "def"]);
    let text = prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    prop::collection::vec(text, 0..4)
}

/// A small project on the disk.
pub(crate) fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib/cart.ex", CART);
    write("lib/money.ex", MONEY);
    write(
        "test/cart_test.exs",
        "defmodule Shop.CartTest do\n  use ExUnit.Case\n\n  test \"total of a cart\" do\n    assert Shop.Cart.total([]) == 0\n  end\nend\n",
    );
    write("guide.md", "# Guide\n\nHow to fill a cart.\n\n## Money\n\nAmounts are in cents.\n");
    folder
}

const CART: &str = r#"defmodule Shop.Cart do
  @moduledoc "What a customer wants to buy."
  alias Shop.Money

  defstruct items: []

  @doc "Puts an item into the cart."
  @spec add(t, map) :: t
  def add(cart, item) when is_map(item) do
    %{cart | items: [item | cart.items]}
  end

  def add(cart, nil), do: cart

  @doc "What all items cost together."
  def total(cart) do
    cart.items
    |> Enum.map(& &1.price)
    |> Enum.reduce(0, &Money.sum/2)
  end
end
"#;

const MONEY: &str = r#"defmodule Shop.Money do
  @moduledoc "Amounts of money, in cents."

  @doc "Adds two amounts."
  def sum(a, b), do: a + b

  @doc "Rounds half up to whole units."
  def round_half_up(cents) do
    div(cents + 50, 100)
  end
end
"#;

/// A made-up encoder: four numbers from the hash of the text.
pub(crate) struct HashEmbedder(pub(crate) u8);

impl Embedder for HashEmbedder {
    fn dimensions(&self) -> usize {
        4
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash([self.0; 16])
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        cancel.check()?;
        let vector = |text: &&str| {
            ContentHash::of(text.as_bytes()).0[..4].iter().map(|b| f32::from(*b) - 127.0).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

/// The index with all vectors.
pub(crate) fn embedded(index: &Index) -> Index {
    let cell = RefCell::new(index.clone());
    embed_all(
        &|| cell.borrow().clone(),
        &HashEmbedder(1),
        3,
        &mut |batch, _| {
            let next = cell.borrow().with_vectors(batch)?;
            cell.replace(next);
            Ok(())
        },
        &Cancel::new(),
    )
    .unwrap();
    cell.into_inner()
}
