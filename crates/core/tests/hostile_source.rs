//! Source code that nobody would write: it must cost bounded time and stack, and never panic.

use std::thread;

use ambix_core::graph::CodeGraph;
use ambix_core::source::File;
use ambix_core::syntax::{DefinitionKind, FileFacts, ReferenceKind, analyse};
use proptest::prelude::*;

/// Less than the 320 KiB that a dirty scheduler of the BEAM has.
const STACK: usize = 256 * 1024;

/// Analyses on a small stack, builds a graph and drops everything there.
fn on_small_stack(text: String) -> FileFacts {
    read_on_small_stack("lib/a.ex", text)
}

fn read_on_small_stack(path: &'static str, text: String) -> FileFacts {
    let work = move || {
        let facts = analyse(&File::new(path, text));
        let graph = CodeGraph::build([(path, facts.clone())]);
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
fn frameworks_nest_without_bounds_of_their_own() {
    let module = |used: &str, open: &str, inside: &str, close: &str, depth: usize| {
        let (open, close) = (open.repeat(depth), close.repeat(depth));
        on_small_stack(format!("defmodule A do\nuse {used}\n{open}{inside}{close}end\n"))
    };
    let routes = |facts: &FileFacts| {
        let routes = facts.definitions.iter().filter(|d| d.kind == DefinitionKind::Route);
        routes.map(|route| route.name.len()).collect::<Vec<_>>()
    };
    let scope = "scope \"/aaaaaaaaaa\", B do\npipe_through :p\n";
    let facts = module("Phoenix.Router", scope, "get \"/x\", C, :d\n", "end\n", 5_000);
    assert!(matches!(routes(&facts)[..], [length] if length < 1_000));
    let facts = module("Phoenix.Router", "resources \"/a\", B do\n", "", "end\n", 3_000);
    assert!(routes(&facts).len() == 24_000 && routes(&facts).iter().all(|length| *length < 1_000));
    module("Plug.Router", "get \"/:a\" do\n", "a\n", "end\n", 5_000);
    module("Ecto.Schema", "schema \"a\" do\n", "field :a\n", "end\n", 5_000);
    let embeds = format!("schema \"a\" do\n{}", "embeds_one :a, B do\n".repeat(5_000));
    module("Ecto.Schema", "", &format!("{embeds}{}", "end\n".repeat(5_001)), "", 1);
    for (open, inside, close) in [
        ("from(x in ", "B", ")"),
        ("where([x], ", "x", ")"),
        ("children = [", "B", "]"),
        ("[] ++ ", "B", ""),
        ("GenServer.call(B, ", "1", ")"),
        ("{:ok, 1, {:continue, ", "1", "}}"),
        ("Supervisor.child_spec({", "B", "}, [])"),
        ("Repo.all(", "B", ")"),
        ("a = ", "GenServer.cast(B, a = b)", ""),
    ] {
        assert!(has_function(&on_small_stack(nested(open, inside, close, 10_000))), "{open}");
    }
    let types = format!("defmodule A do\n@type t :: {}a{}\nend", "[".repeat(5_000), "]".repeat(5_000));
    on_small_stack(types);
}

#[test]
fn long_lists_of_a_framework_take_linear_time() {
    let config = format!("import Config\nconfig :a, {}b: 1\n", "a: [b: 1],\n".repeat(50_000));
    assert_eq!(on_small_stack(config).definitions.len(), 50_001);
    on_small_stack(format!("children = [{}]", "{A, 1}, ".repeat(50_000)));
    on_small_stack(format!("defmodule A do\n@moduledoc \"\"\"\n{}\"\"\"\nend", "iex> 1\n\n".repeat(50_000)));
    on_small_stack(format!("defmodule A do\n@type t :: {} b\nend", "a | ".repeat(5_000)));
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

fn is_given_up(facts: &FileFacts) -> bool {
    facts.diagnostics.iter().any(|diagnostic| diagnostic.message.ends_with("was given up"))
}

#[test]
fn well_formed_text_is_read_however_long_or_deep() {
    for (open, inside, close, times) in [
        ("if x do\n", "x\n", "end\n", 30_000),
        ("f(", "x", ")", 100_000),
        ("x.a.", "b", "", 100_000),
        ("# a\n", "x", "", 100_000),
        ("[1234, ", "x", "]", 50_000),
        ("g(x, [1, y])\n", "x", "", 50_000),
        ("\n", "x", "", 500_000),
        ("x + ", "x", "", 5_000),
    ] {
        let facts = on_small_stack(nested(open, inside, close, times));
        assert!(has_function(&facts) && facts.diagnostics.is_empty(), "{open}");
    }
}

#[test]
fn what_the_grammar_reads_in_many_ways_takes_no_stack() {
    for part in ["a - b, ", "a-b,", "a: b-c, ", "[a-b], "] {
        let facts = on_small_stack(format!(
            "defmodule A do\n  def f(x), do: x\n  @a [{}1]\nend",
            part.repeat(30_000)
        ));
        assert!(has_function(&facts), "{part}");
    }
}

#[test]
fn what_costs_too_much_is_given_up_and_the_rest_is_read() {
    let sum = "a + ".repeat(100_000);
    assert!(is_given_up(&on_small_stack(format!("x = {sum}"))));
    let facts = on_small_stack(format!("defmodule A do\n  def f(x), do: x\nend\n{sum}1\n"));
    assert!(is_given_up(&facts) && has_function(&facts));
    let facts = on_small_stack(format!("defmodule A do\n  def f(x), do: x\n  def g, do: {sum}1\nend\n"));
    assert!(is_given_up(&facts) && has_function(&facts));
}

#[test]
fn functions_are_found_among_thousands_of_errors() {
    let functions: String = (0..3_000).map(|n| format!("  def f{n}(x), do: x\n  def (, do: [\n\n")).collect();
    let facts = on_small_stack(format!("defmodule A do\n{functions}end\n"));
    let found = |name: &str| facts.definitions.iter().any(|definition| definition.qualified() == name);
    assert!((0..3_000).all(|n| found(&format!("A.f{n}/1"))) && !facts.diagnostics.is_empty());
    let functions: String = (0..3_000).map(|n| format!("f{n}(X) -> X.\ng( -> [.\n\n")).collect();
    let facts = erlang(format!("-module(a).\n{functions}"));
    let found = |name: &str| facts.definitions.iter().any(|definition| definition.qualified() == name);
    assert!((0..3_000).all(|n| found(&format!(":a.f{n}/1"))) && !facts.diagnostics.is_empty());
}

#[test]
fn names_without_end_take_linear_space() {
    let facts = on_small_stack(format!("alias A.B, as: A\n{}", "alias A.B, as: A\n".repeat(10_000)));
    let modules = facts.references.iter().filter_map(|reference| reference.module.as_deref());
    assert!(modules.map(str::len).max() < Some(300));
    let longest = |text: String| on_small_stack(text).definitions.iter().map(|d| d.qualified().len()).max();
    assert!(longest("defmodule A do\n".repeat(3_000) + &"end\n".repeat(3_000)) < Some(300));
    let name = "A".repeat(100_000);
    assert!(longest(format!("defmodule {name} do\n{}end", "def f, do: 1\n".repeat(2_000))) < Some(300));
    let tests = "test \"a\" do\nend\n".repeat(2_000);
    assert!(longest(format!("defmodule A do\ndescribe \"{name}\" do\n{tests}end\nend")) < Some(300));
    let facts = on_small_stack(format!("defmodule A do\n{}", "def f(".repeat(20_000)));
    let signatures = facts.definitions.iter().filter_map(|definition| definition.signature.as_deref());
    assert!(signatures.map(str::len).sum::<usize>() <= 130_000);
    let facts =
        erlang(format!("-module('{name}').\n-define(M, '{name}').\n{}", "f() -> ?M:f().\n".repeat(2_000)));
    assert!(facts.references.iter().filter_map(|it| it.module.as_deref()).all(|module| module.len() < 300));
}

fn erlang(text: String) -> FileFacts {
    read_on_small_stack("src/a.erl", text)
}

fn erlang_has_function(facts: &FileFacts) -> bool {
    facts.definitions.iter().any(|definition| definition.qualified() == ":a.f/1")
}

#[test]
fn erlang_that_is_nested_deeply_is_read() {
    for (open, inside, close) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("{", "x", "}"),
        ("#{a => ", "1", "}"),
        ("#r{a = ", "1", "}"),
        ("g(", "x", ")"),
        ("m:g(", "x", ")"),
        ("m:g", "", "(1)"),
        ("?M(", "x", ")"),
        ("fun() -> ", "x", " end"),
        ("begin ", "x", " end"),
        ("case x of y -> ", "x", " end"),
        ("not ", "x", ""),
        ("x + ", "x", ""),
        ("X = ", "x", ""),
        ("[x || ", "x", "]"),
        ("<<(", "8", ")>>"),
        ("gen_server:call(a, ", "x", ")"),
    ] {
        let text = format!("-module(a).\nf(X) -> {}{inside}{}.\n", open.repeat(10_000), close.repeat(10_000));
        assert!(erlang_has_function(&erlang(text)), "{open}");
    }
    let brackets = format!("-module(a).\nf(X) -> {}{}.\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(erlang_has_function(&erlang(brackets)));
    let types =
        format!("-module(a).\n-type t() :: {}{}.\nf(X) -> X.\n", "{".repeat(10_000), "}".repeat(10_000));
    assert!(erlang_has_function(&erlang(types)));
}

#[test]
fn erlang_without_end_is_bounded() {
    for open in [
        "(",
        "[",
        "{",
        "#{",
        "<<",
        "fun() -> ",
        "\"",
        "'",
        "$",
        "?",
        "?A(",
        "g(",
        ")",
        "end ",
        "-",
        "-a(",
        ".",
        ". ",
        "-define(A, ",
        "\"\"\"\n",
        "x \"\"\"\n",
        "~(",
        "a.\n",
        "a(\n",
        "%\n",
        "case ",
        "\\x",
        "maybe ",
    ] {
        erlang(open.repeat(20_000));
        let facts = erlang(format!("-module(a).\nf(X) -> X.\n{}", open.repeat(2_000)));
        assert!(erlang_has_function(&facts), "{open}");
    }
    erlang("[".repeat(100_000));
    erlang("\"".repeat(100_000));
}

#[test]
fn long_lines_of_erlang_are_bounded() {
    erlang("a".repeat(5_000_000));
    erlang(format!("-module(a).\nf(X) -> \"{}\".\n", "long ".repeat(1_000_000)));
    erlang(format!("-module(a).\nf(X) -> [{}X].\n", "g(1), ".repeat(100_000)));
    erlang(format!("-module(a).\nf(X) -> {}X.\n", "a + ".repeat(5_000)));
    erlang(format!("-module(a).\n-define(A, b()).\n{}", "f() -> ?A. ".repeat(20_000)));
    let macros: String =
        (0..5_000).map(|n| format!("-define(A{n}, b(?A{}, ?A{})).\n", n + 1, n + 2)).collect();
    erlang(format!("-module(a).\n{macros}f(X) -> {}X.\n", "?A0, ".repeat(5_000)));
}

const ERLANG: &str = r##"%% @doc Carts, mit Ümläuten: 日本.
-module(a).
-behaviour(gen_server).
-export([add/2, 'b c'/0]).
-import(lists, [map/2]).
-include("a.hrl").
-compile([export_all]).
-define(SERVER, ?MODULE).
-define(LOG(F, A), io:format(F ++ "~n", A)).
-record(cart, {items = [] :: [item()], total}).
-type item() :: {atom(), #cart{}} | m:t(1).

-doc """
Adds.
""".
-spec add(#cart{}, item()) -> ok when X :: term().
add(#cart{items = I} = C, {N, _} = X) when is_atom(N) ->
    ?LOG("a~p \"q\" $", [X, $a, $", 16#ff, 1.5e3]),
    map(fun(Y) -> add(C, Y) end, [fun m:f/1 | I]), % done
    gen_server:call(?SERVER, {add, <<N:8/binary, "é"/utf8>>}),
    C#cart{total = #{a => 1, b := 2}};
add(_, _) -> try apply(m, f, [1]) of ok -> a catch E:R:S -> {E, R, S} after b end.
'b c'() -> receive {a, B} when B > 1 -> self() ! B after 10 -> timeout end.
handle_call({add, X}, _, S) -> case X of a -> if X -> b; true -> c end end.
-ifdef(TEST).
c() -> [X || X <- d(), X =/= 'e f'], maybe ok ?= f() end.
-endif.
"##;

/// Analyses a template as files and in a sigil.
fn template(text: &str) -> FileFacts {
    on_small_stack(format!(
        "defmodule A do\n  def f(assigns) do\n    ~H\"\"\"\n{text}\n\"\"\"\n  end\nend\n"
    ));
    read_on_small_stack("a.eex", text.to_owned());
    read_on_small_stack("a.heex", text.to_owned())
}

fn calls(facts: &FileFacts, name: &str) -> usize {
    facts.references.iter().filter(|reference| &*reference.name == name).count()
}

#[test]
fn templates_nested_a_hundred_thousand_deep_are_bounded() {
    let deep = |open: &str, inside: &str, close: &str| {
        read_on_small_stack("a.heex", format!("{}{inside}{}", open.repeat(100_000), close.repeat(100_000)))
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
        read_on_small_stack("a.heex", open.repeat(20_000));
        template(&format!("<p>{{a()}}</p>{}<p>{{b()}}</p>", open.repeat(1_000)));
    }
    on_small_stack("x = ~H\"<.a>{b )}</.a>\"\n".repeat(10_000));
}

#[test]
fn long_templates_are_bounded() {
    for part in ["a", "<p>é</p>", "<.a b={\"long text\"}/>", "\n"] {
        read_on_small_stack("a.heex", part.repeat(5_000_000 / part.len()));
    }
    let facts =
        read_on_small_stack("a.heex", format!("<.a b={{\"{}\"}}/>{{c()}}", "long ".repeat(1_000_000)));
    assert_eq!((calls(&facts, "a"), calls(&facts, "c")), (1, 1));
    let facts = read_on_small_stack("a.heex", format!("{{b()}}{}{{c()}}", "<p>text</p>\n".repeat(400_000)));
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

const FRAMEWORKS: &str = r##"
import Config
config :shop, Shop.Repo, url: "x"
defmodule ShopWeb.Router do
  use ShopWeb, :router
  pipeline :browser do
    plug :accepts, ["html"] when action in [:a]
  end
  scope "/", ShopWeb, as: :x do
    pipe_through [:browser]
    resources "/users", UserController, only: [:index] do
      live "/cart/:id", CartLive, :show
    end
  end
end
defmodule Api do
  use Plug.Router
  get "/:id" when id != 1, do: send_resp(conn, 200, id)
  match _ do conn end
end
defmodule Shop.User do
  @moduledoc """
      iex> 1 + ü
      2
  """
  use Ecto.Schema
  @derive {Jason.Encoder, only: [:a]}
  schema "users" do
    field :name, :string
    embeds_one :a, A do
      belongs_to :b, {"b", B}
    end
  end
  @spec all(String.t) :: [t] when x: var
  def all(x), do: Repo.all(from u in User, join: p in assoc(u, :p), where: u.id == ^x)
  def init(_) do
    children = [A, {B, 1}, %{start: {C, :d, [1]}}] ++ x
    send(self(), {:tick, "a"})
    {:ok, apply(A, :b, children), {:continue, %A{}}}
  end
  def handle_info({:tick, _} = a, s), do: GenServer.call(__MODULE__, :stop)
end
"##;

fn check(path: &str, text: &str) -> Result<(), TestCaseError> {
    let file = File::new(path, text);
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
    prop_assert!(facts.receivers.iter().all(|receiver| receiver.of < count));
    let sent = facts.references.iter().filter(|r| r.kind == ReferenceKind::Message).count();
    prop_assert_eq!(facts.messages.len(), sent);
    prop_assert!(facts.messages.is_sorted_by_key(|message| message.of));
    for message in &facts.messages {
        let reference = facts.references.get(message.of as usize);
        prop_assert!(reference.is_some_and(|r| r.kind == ReferenceKind::Message));
    }
    prop_assert!(facts.definitions.is_sorted_by_key(|d| d.span.start));
    prop_assert!(facts.references.is_sorted_by_key(|r| r.span.start));
    prop_assert!(facts.chunks.is_sorted_by_key(|c| c.span.start));
    prop_assert_eq!(&analyse(&file), &facts);
    CodeGraph::build([(path, facts.clone())]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_source_gives_facts_in_bounds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[\\[\\](){}\"'#@&|<>~%:a-z ü\n]{0,4}|end|do |fn "), 1..6),
    ) {
        for (path, source) in [("lib/a.ex", SOURCE), ("lib/a.ex", FRAMEWORKS), ("src/a.erl", ERLANG), ("src/a.hrl", ERLANG)] {
            let mut text: Vec<char> = source.chars().collect();
            for (at, cut, insert) in &changes {
                let at = at.index(text.len() + 1);
                let end = (at + cut).min(text.len());
                text.splice(at..end, insert.chars());
            }
            check(path, &text.into_iter().collect::<String>())?;
        }
    }

    #[test]
    fn truncated_source_gives_facts_in_bounds(at in any::<prop::sample::Index>()) {
        for (path, source) in [("lib/a.ex", SOURCE), ("src/a.erl", ERLANG)] {
            let chars: Vec<char> = source.chars().collect();
            let at = at.index(chars.len() + 1);
            check(path, &chars[..at].iter().collect::<String>())?;
            check(path, &chars[at..].iter().collect::<String>())?;
        }
    }

    #[test]
    fn any_text_gives_facts_in_bounds(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        for path in ["lib/a.ex", "src/a.erl", "src/a.hrl"] {
            check(path, &text)?;
        }
    }
}
