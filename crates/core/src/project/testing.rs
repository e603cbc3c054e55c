//! Made-up projects for tests.

use std::sync::Arc;

use super::artifacts::CompiledFacts;
use super::dependencies::DependencyFacts;
use super::file::ProjectFile;
use super::snapshot::{Parts, Snapshot};
use crate::source::Stamps;

/// A snapshot of these files, which need not be on the disk.
pub(crate) fn snapshot_of(files: Vec<Arc<ProjectFile>>) -> Snapshot {
    let (dependencies, compiled) = (DependencyFacts::default(), CompiledFacts::default());
    let (unread, modified, stamps) = (Vec::new(), Default::default(), Stamps::default());
    Snapshot::of("/".into(), Parts { files, unread, dependencies, modified, stamps, compiled })
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
