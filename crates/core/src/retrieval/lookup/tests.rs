use super::*;
use crate::ErrorKind;
use crate::retrieval::testing::{analysed, index_of};

fn shop() -> Index {
    index_of(vec![
        analysed(
            "lib/shop/cart.ex",
            "defmodule Shop.Cart do
  @doc \"Puts it in.\"
  def add(cart, item), do: [item | cart]
  def add_all(cart, items \\\\ []), do: items ++ cart
  def round_half_up(x), do: x
  defp added?(x), do: x
  defmodule Item do
    def new(x), do: x
  end
end
",
        ),
        analysed(
            "lib/shop.ex",
            "defmodule Shop do\n  def add(a, b, c), do: {a, b, c}\n  @add 1\n  def +a, do: a\nend\n",
        ),
        analysed("lib/shop/cart_item.ex", "defmodule Shop.CartItem do\n  @type add :: map\nend\n"),
        analysed(
            "test/shop/cart_test.exs",
            "defmodule Shop.CartTest do\n  test \"adds 1/2 to a cart\", do: 1\n  def add(x), do: x\nend\n",
        ),
        analysed("lib/shop_web/page/index.html.heex", "<p>Hello</p>\n"),
        analysed("src/till.erl", "-module(till).\n-export([close/1]).\nclose(X) -> X.\n"),
    ])
}

fn found(index: &Index, lookup: &Lookup) -> Vec<String> {
    let named = index.lookup(lookup, &Cancel::new()).unwrap();
    named.iter().map(|it| format!("{} {}", it.fit.as_str(), it.symbol)).collect()
}

fn check(name: &str, expected: &[&str]) {
    assert_eq!(found(&shop(), &Lookup::new(name)), expected, "{name}");
}

#[test]
fn the_whole_name_is_found_first_then_the_end_and_the_beginning() {
    check("Shop.Cart.add/2", &["exact Shop.Cart.add/2", "prefix Shop.Cart.add_all/2"]);
    check(
        "Cart.add",
        &[
            "tail Shop.Cart.add/2",
            "prefix Shop.Cart.add_all/2",
            "prefix Shop.Cart.added?/1",
            "prefix Shop.CartItem.add/0",
            "prefix Shop.CartTest.add/1",
            "prefix Shop.CartTest.adds 1/2 to a cart",
        ],
    );
    check(
        "add",
        &[
            "tail Shop.add/3",
            "tail Shop.Cart.add/2",
            "tail Shop.CartItem.add/0",
            "tail Shop.add",
            "tail Shop.CartTest.add/1",
            "prefix Shop.Cart.add_all/2",
            "prefix Shop.Cart.added?/1",
            "prefix Shop.CartTest.adds 1/2 to a cart",
        ],
    );
    check("Shop", &["exact Shop"]);
    check("Cart", &["tail Shop.Cart", "prefix Shop.CartItem", "prefix Shop.CartTest"]);
    check("Cart.Item", &["tail Shop.Cart.Item"]);
}

#[test]
fn an_arity_counts_defaults_and_a_wrong_one_is_a_typo() {
    check("add_all/1", &["tail Shop.Cart.add_all/2"]);
    check("add/3", &["tail Shop.add/3"]);
    check("round_half_up/7", &["typo Shop.Cart.round_half_up/1"]);
    check("Shop/1", &[]);
}

#[test]
fn capitals_abbreviations_and_typos_are_told_where_nothing_has_the_name() {
    check("shop.cart.ADD_ALL", &["case Shop.Cart.add_all/2"]);
    check("rhu", &["abbreviation Shop.Cart.round_half_up/1"]);
    check("SC.rohaup", &["abbreviation Shop.Cart.round_half_up/1"]);
    check("CaIt", &["abbreviation Shop.CartItem", "typo Shop.Cart"]);
    check("round_hafl_up", &["typo Shop.Cart.round_half_up/1"]);
    check("Shpo.Cart.ronud_half_up/1", &["typo Shop.Cart.round_half_up/1"]);
    check("Crat.round_half_up", &["typo Shop.Cart.round_half_up/1"]);
    check("nowhere_to_be_found", &[]);
}

#[test]
fn other_names_are_found_as_they_are_written() {
    check("+", &["tail Shop.+/1"]);
    check("Shop.+/1", &["exact Shop.+/1"]);
    check("till:close/1", &["exact :till.close/1"]);
    check(":till.close", &["exact :till.close/1"]);
    check("till", &["exact :till"]);
    check(":till", &["exact :till"]);
    check("adds 1/2 to a cart", &["tail Shop.CartTest.adds 1/2 to a cart"]);
    check("index.html", &["prefix lib/shop_web/page/index.html.heex"]);
    check("page/index.html.heex", &["tail lib/shop_web/page/index.html.heex"]);
    check("`add_all/2`", &["tail Shop.Cart.add_all/2"]);
    check("&Cart.add_all/2", &["tail Shop.Cart.add_all/2"]);
    check("Cart.add_all(cart, items)", &["tail Shop.Cart.add_all/2"]);
}

#[test]
fn kinds_and_the_limit_narrow_it() {
    let index = shop();
    let module = Lookup { kinds: vec![DefinitionKind::Module], ..Lookup::new("cart") };
    assert_eq!(found(&index, &module), ["case Shop.Cart", "prefix Shop.CartItem", "prefix Shop.CartTest"]);
    let all = found(&index, &Lookup::new("a"));
    for limit in 1..=all.len() + 1 {
        let some = found(&index, &Lookup { limit, ..Lookup::new("a") });
        assert_eq!(some, all[..limit.min(all.len())], "the first {limit}");
    }
}

#[test]
fn an_answer_says_where() {
    let named = shop().lookup(&Lookup::new("Shop.Cart.add"), &Cancel::new()).unwrap().remove(0);
    assert_eq!((&*named.file, named.line, named.span.line_start), ("lib/shop/cart.ex", 3, 2));
    assert_eq!((named.kind, named.public), (DefinitionKind::Function, true));
    assert_eq!(named.signature.as_deref(), Some("add(cart, item)"));
}

#[test]
fn bad_names_are_refused_and_huge_ones_are_found_nowhere() {
    let index = shop();
    for lookup in [Lookup::new(""), Lookup::new(" \n"), Lookup { limit: 0, ..Lookup::new("add") }] {
        let error = index.lookup(&lookup, &Cancel::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    for name in [
        "a".repeat(1 << 20),
        "a.".repeat(1 << 19),
        "/".repeat(1 << 20),
        "\0\u{1}\u{10ffff}".into(),
        "...".into(),
    ] {
        assert_eq!(found(&index, &Lookup::new(name)), [""; 0]);
    }
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(index.lookup(&Lookup::new("add"), &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
}
