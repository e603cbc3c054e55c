//! Source text in, facts out, both as text.

use std::fmt::Write;

use super::{FileFacts, ReferenceKind, analyse};
use crate::source::File;

fn facts(source: &str) -> FileFacts {
    analyse(&File::new("lib/a.ex", source))
}

/// One line for each definition: kind, name with the lowest arity, lines of the whole and of each clause.
fn definitions(source: &str, expected: &str) {
    let mut seen = String::new();
    for d in &facts(source).definitions {
        let kind = format!("{:?}", d.kind).to_lowercase();
        let private = if d.public { "" } else { " private" };
        write!(seen, "{kind} {}{private} {}-{}", d.qualified(), d.span.line_start, d.span.line_end).unwrap();
        if d.clauses.len() > 1 {
            let clauses: Vec<_> =
                d.clauses.iter().map(|c| format!("{}-{}", c.line_start, c.line_end)).collect();
            write!(seen, " ({})", clauses.join(" ")).unwrap();
        }
        if d.defaults > 0 {
            write!(seen, " defaults {}", d.defaults).unwrap();
        }
        if !d.fields.is_empty() {
            write!(seen, " [{}]", d.fields.join(" ")).unwrap();
        }
        seen.push('\n');
    }
    compare(source, &seen, expected);
}

/// One line for each reference: where from, what kind if not a call, what to, and `?` when it is not certain.
fn references(source: &str, expected: &str) {
    let facts = facts(source);
    let mut seen = String::new();
    for r in &facts.references {
        let from = r.from.map_or_else(|| "file".into(), |from| facts.definitions[from as usize].qualified());
        let kind = match r.kind {
            ReferenceKind::Call => String::new(),
            kind => format!("{} ", format!("{kind:?}").to_lowercase()),
        };
        let mut to = r.module.as_deref().unwrap_or("").to_owned();
        if !r.name.is_empty() {
            let dot = if to.is_empty() { "" } else { "." };
            write!(to, "{dot}{}/{}", r.name, r.arity.unwrap()).unwrap();
        }
        writeln!(seen, "{from} -> {kind}{to}{}", if r.basis.is_certain() { "" } else { "?" }).unwrap();
    }
    compare(source, &seen, expected);
}

fn compare(source: &str, seen: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(seen), lines(expected), "of\n{source}");
}

#[test]
fn modules_nest_and_functions_gather_their_clauses() {
    definitions(
        r#"
defmodule Shop.Cart do
  @moduledoc "Carts."

  # Adds.
  @doc "Adds an item."
  @spec add(t, term) :: t
  def add(cart, item \\ nil)
  def add(cart, nil), do: cart

  def add(cart, item) when is_map(item) do
    [item | cart]
  end

  defp help, do: 1
  def add(a, b, c), do: {a, b, c}
  defp help(), do: 2

  defmodule Item.Deep do
    def x, do: 1
  end

  def a ~> b, do: {a, b}
  def unquote(:dynamic)(a), do: a
end

defmodule Shop.Other, do: def(one, do: 1)
"#,
        "module Shop.Cart 2-25
         function Shop.Cart.add/2 5-13 (8-8 9-9 11-13) defaults 1
         function Shop.Cart.help/0 private 15-15 (15-15 17-17)
         function Shop.Cart.add/3 16-16
         module Shop.Cart.Item.Deep 19-21
         function Shop.Cart.Item.Deep.x/0 20-20
         function Shop.Cart.~>/2 23-23
         module Shop.Other 27-27
         function Shop.Other.one/0 27-27",
    );
}

#[test]
fn everything_else_that_is_defined() {
    definitions(
        r#"
defmodule Shop.Money do
  @behaviour Shop.Value
  @default :eur
  @type t(x) :: {x, atom}
  @typep p :: 1
  @callback parse(String.t()) :: t(1)
  @derive Inspect
  defstruct [:amount, currency: :eur]
  defguard is_money(m) when is_struct(m)
  defguardp ok(m) when m
  defmacro money(x), do: x
  defdelegate new(a, b), to: Shop.Maker, as: :make
end

defmodule Shop.Error do
  defexception message: "x", code: 1
end

defprotocol Shop.Show do
  def show(x)
end

defimpl Shop.Show, for: [Shop.Money, Integer] do
  def show(x), do: x
end
"#,
        "module Shop.Money 2-14
         attribute Shop.Money.default private 4-4
         type Shop.Money.t/1 5-5
         type Shop.Money.p/0 private 6-6
         callback Shop.Money.parse/1 7-7
         struct Shop.Money.__struct__/0 8-9 [amount currency]
         guard Shop.Money.is_money/1 10-10
         guard Shop.Money.ok/1 private 11-11
         macro Shop.Money.money/1 12-12
         delegate Shop.Money.new/2 13-13
         module Shop.Error 16-18
         exception Shop.Error.exception/1 17-17 [message code]
         protocol Shop.Show 20-22
         function Shop.Show.show/1 21-21
         implementation Shop.Show.Shop.Money 24-26 [Shop.Show Shop.Money Integer]
         function Shop.Show.Shop.Money.show/1 25-25",
    );
}

#[test]
fn tests_have_the_names_that_exunit_gives_them() {
    let source = r#"
defmodule ShopTest do
  use ExUnit.Case, async: true
  setup %{conn: conn}, do: {:ok, conn: conn}
  setup [:basket, :user]

  describe "add/2" do
    @tag :slow
    test "adds", %{conn: conn} do
      assert {:ok, x} = Shop.add(conn)
      assert_receive {:done, y}
      use_it(x, y)
    end
  end

  test "alone" do
    assert helper() == 1
  end

  defp helper, do: 1
end
"#;
    definitions(
        source,
        "module ShopTest 2-21
         describe ShopTest.add/2 7-14
         test ShopTest.add/2 adds 8-13
         test ShopTest.alone 16-18
         function ShopTest.helper/0 private 20-20",
    );
    references(
        source,
        "ShopTest -> use ExUnit.Case
         ShopTest -> setup/2
         ShopTest -> setup/1
         ShopTest -> basket/1
         ShopTest -> user/1
         ShopTest.add/2 adds -> assert/1
         ShopTest.add/2 adds -> Shop.add/1
         ShopTest.add/2 adds -> assert_receive/1
         ShopTest.add/2 adds -> use_it/2
         ShopTest.alone -> assert/1
         ShopTest.alone -> helper/0",
    );
}

#[test]
fn documentation_specs_and_signatures_are_kept() {
    let facts = facts(
        r#"
defmodule A do
  @moduledoc """
  All of A.

    indented
  """
  @spec f(integer) :: integer
  @spec f(float) :: float
  @doc """
  Does "f".
  """
  @doc since: "1.0"
  def f(x) when x > 0, do: x
  @doc false
  def g(x), do: x
end
"#,
    );
    let by = |name: &str| facts.definitions.iter().find(|d| &*d.name == name).unwrap();
    assert_eq!(by("A").doc.as_deref(), Some("All of A.\n\n  indented\n"));
    let f = by("f");
    assert_eq!(f.doc.as_deref(), Some("Does \"f\".\n"));
    assert_eq!(f.spec.as_deref(), Some("f(integer) :: integer\nf(float) :: float"));
    assert_eq!(f.signature.as_deref(), Some("f(x) when x > 0"));
    assert_eq!((f.span.line_start, f.span.line_end), (8, 14));
    assert_eq!((by("g").doc.as_deref(), by("g").span.line_start), (None, 15));
}

#[test]
fn aliases_are_resolved_where_they_hold() {
    references(
        r#"
defmodule Shop do
  alias Shop.Cart
  alias Shop.{Item, Tax.Rate}
  alias Shop.Very.Long, as: L
  alias __MODULE__.Own
  require Logger, as: Log
  @store Shop.Store

  def a do
    alias Other.Cart
    Cart.x()
    :lists.map(1, 2)
  end

  def b, do: {Cart.x, Rate.y(1), L.z, Item.Deep.w(), Own.v, @store.get(1), __MODULE__.c(), __MODULE__.Sub.d()}
  def c, do: [Own, Elixir.Cart, %Item{a: 1}, %{a: 1}]
  defmodule Sub do
    def d, do: Log.info("x")
  end
  def e(m), do: Sub.d() + m.field + m.call(1)
end
"#,
        "Shop -> alias Shop.Cart
         Shop -> alias Shop.Item
         Shop -> alias Shop.Tax.Rate
         Shop -> alias Shop.Very.Long
         Shop -> alias Shop.Own
         Shop -> require Logger
         Shop.store -> module Shop.Store
         Shop.a/0 -> alias Other.Cart
         Shop.a/0 -> Other.Cart.x/0
         Shop.a/0 -> :lists.map/2
         Shop.b/0 -> Shop.Cart.x/0
         Shop.b/0 -> Shop.Tax.Rate.y/1
         Shop.b/0 -> Shop.Very.Long.z/0
         Shop.b/0 -> Shop.Item.Deep.w/0
         Shop.b/0 -> Shop.Own.v/0
         Shop.b/0 -> Shop.Store.get/1
         Shop.b/0 -> Shop.c/0
         Shop.b/0 -> Shop.Sub.d/0
         Shop.c/0 -> module Shop.Own
         Shop.c/0 -> module Cart
         Shop.c/0 -> struct Shop.Item
         Shop.Sub.d/0 -> Logger.info/1
         Shop.e/1 -> Shop.Sub.d/0",
    );
}

#[test]
fn calls_come_in_many_forms() {
    references(
        r##"
defmodule A do
  def f(x) do
    one x, two(x)
    x |> three |> four(1) |> B.five() |> B.six
    Enum.map(x, &seven/1)
    Enum.map(x, &B.eight(&1, nine()))
    Enum.map(x, &B.ten/2)
    if x, do: eleven(), else: "#{twelve(x)}"
    thirteen do
      1
    end
    fun = &(&1 + 1)
    fun.(fourteen)
    B."quoted name"(1)
    apply(B, :applied, [1, 2])
    with {:ok, y} <- B.y(x), z = y, do: {y, z}
    try do
      x
    rescue
      e in [B.Error] -> e
    end
  end
end
"##,
        r#"A.f/1 -> one/2
         A.f/1 -> two/1
         A.f/1 -> three/1
         A.f/1 -> four/2
         A.f/1 -> B.five/1
         A.f/1 -> B.six/1
         A.f/1 -> Enum.map/2
         A.f/1 -> seven/1
         A.f/1 -> Enum.map/2
         A.f/1 -> B.eight/2
         A.f/1 -> nine/0
         A.f/1 -> Enum.map/2
         A.f/1 -> B.ten/2
         A.f/1 -> eleven/0
         A.f/1 -> twelve/1
         A.f/1 -> thirteen/1
         A.f/1 -> fourteen/0
         A.f/1 -> B.quoted name/1
         A.f/1 -> apply/3
         A.f/1 -> module B
         A.f/1 -> B.applied/2?
         A.f/1 -> B.y/1
         A.f/1 -> module B.Error"#,
    );
}

#[test]
fn variables_are_not_calls() {
    references(
        r#"
defmodule A do
  def f(a, %{b: b} = c, [d | e], <<g::size(a), h::binary>>, i \\ dflt()) when is_map(c) and a do
    {j, k} = {a, b}
    for l <- d, m = l, <<n <- h>>, <<o::8, p::8 <- h>>, do: {l, m, n, o, p, e, g}
    case i do
      ^j when k -> unbound
      %{x: q} -> q
      r -> fn s, {t} -> s + t + r end
    end
    cond do
      u = k -> u
      late -> 1
    end
    receive do
      v -> v
    after
      timeout() -> l
    end
    w = w
  end

  def g, do: a
end
"#,
        "         A.f/5 -> dflt/0
         A.f/5 -> is_map/1
         A.f/5 -> unbound/0
         A.f/5 -> late/0
         A.f/5 -> timeout/0
         A.f/5 -> l/0
         A.f/5 -> w/0
         A.g/0 -> a/0",
    );
}

#[test]
fn quoted_code_is_not_certain_and_defines_nothing_here() {
    let source = r#"
defmodule A do
  defmacro __using__(opts) do
    helper(opts)
    quote bind_quoted: [a: b(opts)] do
      import A.Helpers, only: [x: 1]
      def generated(v), do: later(v, unquote(now(opts)))
      B.c(v)
    end
  end

  use B, :controller
end
"#;
    definitions(source, "module A 2-13\nmacro A.__using__/1 3-10");
    references(
        source,
        "A.__using__/1 -> helper/1
         A.__using__/1 -> b/1
         A.__using__/1 -> import A.Helpers?
         A.__using__/1 -> later/2?
         A.__using__/1 -> now/1
         A.__using__/1 -> B.c/1?
         A -> use B
         A -> B.controller/0?",
    );
    let import = &facts(source).imports[0];
    assert_eq!((&*import.module, import.injected_by), ("A.Helpers", Some(1)));
    assert_eq!(import.only.as_deref(), Some(&[("x".into(), 1)][..]));
}

#[test]
fn a_list_of_heads_delegates_each() {
    let source = "defmodule A do\n  defdelegate [reverse(list), flatten(list, tail)], to: :lists\nend\n";
    definitions(source, "module A 1-3\ndelegate A.reverse/1 2-2\ndelegate A.flatten/2 2-2");
    references(source, "A.reverse/1 -> :lists.reverse/1\nA.flatten/2 -> :lists.flatten/2");
}

#[test]
fn a_missing_end_costs_little() {
    let source = r#"
defmodule A do
  def one(x) do
    if x do
      B.x()
  end

  @doc "def not_this(x), do: x"
  def two(y) do
    y
  end
end
"#;
    definitions(
        source,
        "module A 2-12
         function A.one/1 3-6
         function A.two/1 8-11",
    );
}

#[test]
fn functions_in_one_big_error_are_read_by_their_layout() {
    let source = r#"
defmodule A.B do
  alias Shop.Cart
  def one(x, y \\\\ 1), do: Cart.add(x, y)

  defmodule C do
    defp two(x) do
      one(x)
    rescue
      _ -> x
    end
  def three( do
    {[ "open
  end

  def four(y) when y > 1 do
    D.call(y)
  end
"#
    .replace("\\\\\\\\", "\\\\");
    let facts = facts(&source);
    let seen: Vec<_> = facts.definitions.iter().map(|d| d.qualified()).collect();
    for name in ["A.B", "A.B.one/2", "A.B.C", "A.B.C.two/1", "A.B.four/1"] {
        assert!(seen.contains(&name.to_owned()), "{name} is not in {seen:?}");
    }
    let call = facts.references.iter().find(|r| r.module.as_deref() == Some("D")).unwrap();
    assert_eq!(facts.definitions[call.from.unwrap() as usize].qualified(), "A.B.four/1");
    let call = facts.references.iter().find(|r| &*r.name == "add").unwrap();
    assert_eq!((call.module.as_deref(), call.from.is_some()), (Some("Shop.Cart"), true));
    assert!(
        facts.diagnostics.iter().all(|d| d.code == "syntax" && d.span.is_some())
            && !facts.diagnostics.is_empty()
    );
}

#[test]
fn other_languages_give_chunks_and_nothing_else() {
    for path in ["a.erl", "a.md", "a.txt"] {
        let facts = analyse(&File::new(path, "defmodule A do\n<%= x %>\n-module(a).\n"));
        assert_eq!((facts.definitions.len(), facts.references.len(), facts.diagnostics.len()), (0, 0, 0));
        assert_eq!(facts.chunks.len(), 1);
    }
    assert_eq!(analyse(&File::new("a.ex", "")), FileFacts::default());
}

#[test]
fn what_stands_in_quotes_is_told_apart() {
    let source = r#"
defmodule A do
  defmacro __using__(_) do
    quote do
      @behaviour unquote(__MODULE__)
      @behaviour __MODULE__
      @before_compile A.Late
      import unquote(__MODULE__)
      defstruct [:a]
      def one(a, b \\ 2)
      def one(a, b), do: {a, b}
      defp two, do: __MODULE__.x()
    end
  end
end
"#;
    references(
        source,
        "A.__using__/1 -> behaviour A?
         A.__using__/1 -> A.Late.__before_compile__/1?
         A.__using__/1 -> import A?",
    );
    let injected = facts(source).injected_definitions;
    let seen: Vec<_> =
        injected.iter().map(|d| (&*d.name, d.arity, d.defaults, d.public, d.injected_by)).collect();
    assert_eq!(seen, [("__struct__", 0, 0, true, 1), ("one", 2, 1, true, 1), ("two", 0, 0, false, 1)]);
}

#[test]
fn code_for_another_version_of_elixir_is_a_guess() {
    references(
        r#"
defmodule A do
  if Version.match?(System.version(), ">= 1.12.0-rc") do
    def a, do: new()
  else
    def a, do: old()
  end

  unless Version.compare(System.version(), "1.11.0") == :lt do
    def b, do: new()
  end

  if Version.compare(System.version(), "1.16.0") in [:lt] do
    def c, do: old()
  end

  if Mix.env() == :test do
    def d, do: any()
  end
end
"#,
        "A.a/0 -> new/0
         A.a/0 -> old/0?
         A.b/0 -> new/0
         A.c/0 -> old/0?
         A -> Mix.env/0
         A.d/0 -> any/0",
    );
}

#[test]
fn loops_over_modules_call_each_of_them() {
    references(
        "
defmodule A do
  for module <- [Date, B.Time] do
    def to_s(%unquote(module){} = value), do: unquote(module).to_string(value)
  end
end
",
        "A -> module Date
         A -> module B.Time
         A.to_s/1 -> Date.to_string/1
         A.to_s/1 -> B.Time.to_string/1",
    );
}

#[test]
fn operators_and_atoms_that_call() {
    references(
        r#"
defmodule A do
  def a(x, y), do: x not in y
  def b(x), do: {:"a#{x}", ["b#{x}": c(), d: 1]}
  def e(x), do: put_in(x[:a][f()], x[:b])
end
"#,
        "A.a/2 -> not/1
         A.b/1 -> :erlang.binary_to_atom/2
         A.b/1 -> :erlang.binary_to_atom/2
         A.b/1 -> c/0
         A.e/1 -> put_in/2
         A.e/1 -> f/0
         A.e/1 -> Access.get/2",
    );
}

#[test]
fn sections_that_stand_where_none_is_allowed_are_told() {
    let told = |source: &str| -> Vec<String> {
        let facts = analyse(&File::new("lib/a.ex", format!("defmodule A do\n{source}\nend\n")));
        let line = |at: Option<crate::source::Span>| at.map_or(0, |at| at.line_start);
        let told = facts.diagnostics.iter().map(|d| format!("{} {}: {}", line(d.span), d.code, d.message));
        told.collect()
    };
    for (source, expected) in [
        (
            "def f(x) do\nx\nelse\n3\nend",
            "4 misplaced: the \"else\" of \"def\" has no clauses: they are written with \"->\"",
        ),
        (
            "def f(x) do\nx\nrescue\n_ -> 1\nrescue\n_ -> 3\nend",
            "6 misplaced: \"def\" has a second \"rescue\"",
        ),
        ("if x do\n1\nelse\n2\nelse\n3\nend", "6 misplaced: \"if\" has a second \"else\""),
        ("unless x do\n1\nafter\n2\nend", "4 misplaced: \"unless\" has no \"after\""),
        ("case x do\n1 -> 2\nelse\n3\nend", "4 misplaced: \"case\" has no \"else\""),
        ("for y <- x do\ny\nrescue\n_ -> 3\nend", "4 misplaced: \"for\" has no \"rescue\""),
        ("receive do\ny -> y\nelse\nz -> 3\nend", "4 misplaced: \"receive\" has no \"else\""),
        ("defmodule N do\ndef g, do: 1\nelse\n3\nend", "4 misplaced: \"defmodule\" has no \"else\""),
    ] {
        assert_eq!(told(source), [expected], "{source}");
    }
    for source in [
        "def f(x) do\nx\nrescue\n_ -> 1\ncatch\n_ -> 2\nelse\n_ -> 3\nafter\n4\nend",
        "def f(x) do\nx\nelse\n_ -> 3\nend",
        "def f(x) do\nif x do\n1\nelse\n2\nend\nend",
        "def f(x) do\nwith y <- x do\ny\nelse\n_ -> 2\nend\nend",
        "def f(x) do\nreceive do\ny -> y\nafter\n1 -> 2\nend\nend",
        "quote do\n1\nelse\n2\nend",
        "of_somebody x do\n1\nelse\n2\nelse\n3\nend",
    ] {
        assert_eq!(told(source), [""; 0], "{source}");
    }
}
