//! Source code that nobody would write: it must cost bounded time and stack, and never panic.

use std::thread;

use aludel_core::graph::CodeGraph;
use aludel_core::source::File;
use aludel_core::syntax::{FileFacts, analyse};
use proptest::prelude::*;

/// Less than the 320 KiB that a dirty scheduler of the BEAM has.
const STACK: usize = 256 * 1024;

/// Analyses on a small stack, builds a graph and drops everything there.
fn on_small_stack(text: String) -> FileFacts {
    analyse_at("lib/a.ex", text)
}

fn analyse_at(path: &'static str, text: String) -> FileFacts {
    let work = move || {
        let facts = analyse(&File::new(path, text));
        let graph = CodeGraph::build([(path, &facts)]);
        assert!(graph.edges().count() <= facts.references.len());
        facts
    };
    thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("defmodule A do\n  def f(x), do: {}{inside}{}\nend\n", open.repeat(depth), close.repeat(depth))
}

fn has_function(facts: &FileFacts) -> bool {
    facts.definitions.iter().any(|definition| definition.qualified() == "A.f/1")
}

#[test]
fn nesting_ten_thousand_deep_is_read() {
    for (open, inside, close) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("{", "x", "}"),
        ("%{a: ", "1", "}"),
        ("f(", "x", ")"),
        ("A.b(", "x", ")"),
        ("x |> ", "f()", ""),
        ("fn -> ", "x", " end"),
        ("not ", "x", ""),
        ("&(", "&1", ")"),
        ("\"#{", "x", "}\""),
        ("x = ", "x", ""),
        ("quote(do: ", "x", ")"),
        ("x.a.", "b", ""),
        ("x.A.", "B", ""),
        ("x[", "1", "]"),
        ("if(x, do: ", "x", ")"),
        ("<<x::", "8", " >>"),
    ] {
        let facts = on_small_stack(nested(open, inside, close, 10_000));
        assert!(has_function(&facts), "{open}");
    }
}

#[test]
fn nested_modules_and_blocks_are_read() {
    let facts = on_small_stack(format!("{}{}", "defmodule A do\n".repeat(2_000), "end\n".repeat(2_000)));
    assert_eq!(facts.definitions.len(), 2_000);
    let facts = on_small_stack(nested("if x do\n", "x\n", "end\n", 10_000));
    assert!(has_function(&facts));
}

#[test]
fn brackets_without_end_are_bounded() {
    for open in ["(", "[", "{", "%{", "<<", "fn -> ", "\"#{", "do ", "f(", ")", "end ", "~s(", "\\", "@", "&"]
    {
        on_small_stack(open.repeat(20_000));
        on_small_stack(format!("defmodule A do\n  def f(x), do: x\n{}", open.repeat(2_000)));
    }
    on_small_stack("[".repeat(100_000));
}

#[test]
fn long_lines_are_bounded() {
    on_small_stack("a".repeat(5_000_000));
    on_small_stack(format!("x = \"{}\"", "long ".repeat(1_000_000)));
    on_small_stack(format!("[{}]", "1234, ".repeat(100_000)));
    on_small_stack(format!("x = {}", "a + ".repeat(5_000)));
}

/// Analyses a template as files and in a sigil.
fn template(text: &str) -> FileFacts {
    on_small_stack(format!(
        "defmodule A do\n  def f(assigns) do\n    ~H\"\"\"\n{text}\n\"\"\"\n  end\nend\n"
    ));
    analyse_at("a.eex", text.to_owned());
    analyse_at("a.heex", text.to_owned())
}

fn calls(facts: &FileFacts, name: &str) -> usize {
    facts.references.iter().filter(|reference| &*reference.name == name).count()
}

#[test]
fn templates_nested_a_hundred_thousand_deep_are_bounded() {
    let deep = |open: &str, inside: &str, close: &str| {
        analyse_at("a.heex", format!("{}{inside}{}", open.repeat(100_000), close.repeat(100_000)))
    };
    assert_eq!(calls(&deep("<.a>", "{b()}", "</.a>"), "a"), 100_000);
    assert_eq!(calls(&deep("<p phx-no-curly-interpolation>", "{b()}", "</p>"), "b"), 0);
    assert_eq!(calls(&deep("{", "b()", "}"), "b"), 1);
    assert_eq!(calls(&deep("<%= if a() do %>", "{b()}", "<% end %>"), "b"), 1);
    deep("[{", "x", "}]");
    deep("<p :for={x <- y}>", "{x}", "</p>");
}

#[test]
fn templates_without_end_are_bounded() {
    for open in [
        "<",
        "{",
        "}",
        "<%",
        "<%=",
        "<%!--",
        "<!--",
        "<!",
        "</",
        "<.a",
        "<.a x={",
        "<a \"",
        "<a '",
        "<a b=",
        "<script>",
        "{\"",
        "{)}",
        "{a ) }",
        "{end}",
        "<% end %>",
        "<% ) %>",
        "<% do %>",
        "<% -> %>",
        "<a :let={",
        "<a :let={)}>",
        "<a :for={x <- ",
        "\\{",
        "é",
        "\n",
        "{\n}",
        "{a\n\n}",
        "~H\"{)}\" ",
        "~H\"<.a\" ",
    ] {
        analyse_at("a.heex", open.repeat(20_000));
        template(&format!("<p>{{a()}}</p>{}<p>{{b()}}</p>", open.repeat(1_000)));
    }
    on_small_stack("x = ~H\"<.a>{b )}</.a>\"\n".repeat(10_000));
}

#[test]
fn long_templates_are_bounded() {
    for part in ["a", "<p>é</p>", "<.a b={\"long text\"}/>", "\n"] {
        analyse_at("a.heex", part.repeat(5_000_000 / part.len()));
    }
    let facts = analyse_at("a.heex", format!("<.a b={{\"{}\"}}/>{{c()}}", "long ".repeat(1_000_000)));
    assert_eq!((calls(&facts, "a"), calls(&facts, "c")), (1, 1));
    let facts = analyse_at("a.heex", format!("{{b()}}{}{{c()}}", "<p>text</p>\n".repeat(400_000)));
    assert_eq!((calls(&facts, "b"), calls(&facts, "c")), (1, 1));
}

const SOURCE: &str = r##"
defmodule Shop.Cart do
  @moduledoc """
  Carts, mit Ümläuten: 日本.
  """
  use GenServer
  alias Shop.{Item, Tax}
  import Enum, only: [map: 2]
  @type t :: %__MODULE__{items: [Item.t()]}
  defstruct items: [], total: 0

  @doc "Adds."
  @spec add(t, Item.t()) :: t
  def add(%__MODULE__{} = cart, item, opts \\ [])
  def add(cart, %Item{price: p} = item, _) when p > 0 do
    cart.items |> map(&Tax.net/1) |> Enum.sum() |> Kernel.+(p)
    %{cart | items: [item | cart.items]}
  rescue
    e in [ArgumentError] -> reraise e, __STACKTRACE__
  end

  defmacro __using__(_), do: quote(do: (def x(y), do: unquote(y)))
  defimpl String.Chars, for: [Shop.Cart, Integer], do: def(to_string(c), do: "#{c.total} ~w(a b) ?x")
end

defmodule Shop.CartTest do
  describe "add" do
    test "works", %{cart: cart} do
      assert <<a::8, _::binary>> = for <<b <- cart>>, into: "", do: <<b>>
    end
  end
end
"##;

fn check(text: &str) -> Result<(), TestCaseError> {
    let file = File::new("lib/a.ex", text);
    let facts = analyse(&file);
    let definitions = facts.definitions.iter().flat_map(|d| d.clauses.iter().chain([&d.span]));
    let spans = definitions
        .chain(facts.references.iter().map(|r| &r.span))
        .chain(facts.imports.iter().map(|i| &i.scope))
        .chain(facts.chunks.iter().map(|c| &c.span))
        .chain(facts.diagnostics.iter().filter_map(|d| d.span.as_ref()));
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1;
    for span in spans {
        prop_assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?}");
        prop_assert!(
            1 <= span.line_start && span.line_start <= span.line_end && span.line_end <= lines,
            "{span:?}"
        );
    }
    let count = facts.definitions.len() as u32;
    prop_assert!(facts.references.iter().filter_map(|r| r.from).all(|from| from < count));
    prop_assert!(facts.definitions.is_sorted_by_key(|d| d.span.start));
    prop_assert!(facts.references.is_sorted_by_key(|r| r.span.start));
    prop_assert_eq!(&analyse(&file), &facts);
    CodeGraph::build([("lib/a.ex", &facts)]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_source_gives_facts_in_bounds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[\\[\\](){}\"'#@&|<>~%:a-z ü\n]{0,4}|end|do |fn "), 1..6),
    ) {
        let mut text: Vec<char> = SOURCE.chars().collect();
        for (at, cut, insert) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, insert.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn any_text_gives_facts_in_bounds(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        check(&text)?;
    }
}
