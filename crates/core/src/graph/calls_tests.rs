//! Who calls whom, where that takes more than a name: operators, scopes of directives, values, macros of packages.

use super::testing::graph;
use super::{CodeGraph, DeadOptions};
use crate::Cancel;

/// Whether `source`, a file, has just these callees of these functions: `caller -> callee` lines, `?` behind a guess.
fn check(source: &str, expected: &str) {
    let graph = graph(&format!("== lib/a.ex\n{source}"));
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let callers: Vec<_> = expected.iter().filter_map(|line| Some(line.split_once(" -> ")?.0)).collect();
    let all = edges(&graph);
    let mut seen: Vec<_> = all
        .iter()
        .filter(|edge| callers.iter().any(|caller| edge.starts_with(&format!("{caller} -> "))))
        .collect();
    seen.sort();
    assert_eq!(seen, expected, "of\n{source}\nall: {all:#?}");
}

fn edges(graph: &CodeGraph) -> Vec<String> {
    let edges = graph.edges().map(|edge| {
        let caller = match (&edge.caller_fun, edge.caller_arity) {
            (Some(fun), Some(arity)) => format!("{}.{fun}/{arity}", edge.caller_module),
            _ => edge.caller_module.to_string(),
        };
        let mark = if edge.basis.is_certain() { "" } else { "?" };
        format!("{caller} -> {}.{}/{}{mark}", edge.callee_module, edge.callee_fun, edge.callee_arity)
    });
    edges.collect()
}

const SIGNS: &str = r#"
defmodule Signs do
  def a <~> b, do: {a, b}
  defmacro a ~>> b, do: {:{}, [], [a, b]}
  def +a, do: a
  def sigil_q(text, _), do: text
  defmacro sigil_Q(text, _), do: text
  def unused, do: 1
end
defmodule User do
  import Kernel, except: [+: 1, /: 2]
  import Signs
  def binary(x), do: x <~> 1
  def of_macro(x), do: x ~>> 2
  def unary(x), do: +x
  def remote(x), do: Signs.<~>(x, 2)
  def captured, do: &<~>/2
  def captured_far, do: &Signs.<~>/2
  def captured_part(list), do: Enum.map(list, &(&1 <~> 3))
  def a / b, do: Kernel.div(a, b)
  def own(x), do: x / 2
  def of_kernel(x), do: x * 2 != 3
  def piped(x), do: x |> Kernel.-(1)
  def sigil, do: ~q(abc)
  def raw_sigil, do: ~Q[abc #{x}]
  def inside(x), do: ~q"a #{own(x)}"
  def heredoc, do: ~q"""
  text
  """
  def usual, do: ~w(a b)
  def pattern(<<x::size(4), rest::binary-size(x)>>), do: rest
end
"#;

#[test]
fn operators_and_sigils_are_calls() {
    check(
        SIGNS,
        "
        User.binary/1 -> Signs.<~>/2
        User.captured/0 -> Signs.<~>/2
        User.captured_far/0 -> Signs.<~>/2
        User.captured_part/1 -> Enum.map/2
        User.captured_part/1 -> Signs.<~>/2
        User.heredoc/0 -> Signs.sigil_q/2
        User.inside/1 -> Signs.sigil_q/2
        User.inside/1 -> User.own/1
        User.of_kernel/1 -> Kernel.!=/2
        User.of_kernel/1 -> Kernel.*/2
        User.of_macro/1 -> Signs.~>>/2
        User.own/1 -> User.//2
        User.piped/1 -> Kernel.-/2
        User.raw_sigil/0 -> Signs.sigil_Q/2
        User.remote/1 -> Signs.<~>/2
        User.sigil/0 -> Signs.sigil_q/2
        User.unary/1 -> Signs.+/1
        ",
    );
    let graph = graph(&format!("== lib/a.ex\n{SIGNS}"));
    let options = DeadOptions { public: false, ..DeadOptions::default() };
    let roots = graph.symbols().filter(|symbol| &*symbol.module == "User" && symbol.arity.is_some());
    let options = DeadOptions { roots: roots.map(|symbol| symbol.id).collect(), ..options };
    let dead = graph.dead(&options, &Cancel::new()).unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| dead.symbol.qualified()).collect();
    assert_eq!(dead, ["Signs.unused/0"]);
    for name in ["User.//2", "Signs.<~>/2", "<~>/2", "Signs.+/1"] {
        assert_eq!(graph.find(name).unwrap().len(), 1, "{name}");
    }
}

#[test]
fn directives_end_with_their_block() {
    let modules = "
defmodule A do
  def f(x), do: x
end
defmodule B do
  def f(x), do: x
end
";
    for (body, expected) in [
        ("if c do\nimport A\nf(1)\nelse\nimport B\nf(2)\nend", "AB"),
        ("if c do\nimport A\nf(1)\nelse\nf(2)\nend", "A"),
        ("if c, do: (import A; f(1)), else: f(2)", "A"),
        ("try do\nimport A\nf(c)\nrescue\n_ ->\nf(c)\ncatch\n_ -> f(c)\nafter\nimport B\nf(c)\nend", "AB"),
        ("try do\nalias A, as: M\nM.f(c)\nafter\nalias B, as: M\nM.f(c)\nend", "AB"),
        ("if c do\nalias A, as: M\nM.f(c)\nelse\nM.f(c)\nend", "AM"),
        ("case c do\n1 ->\nimport A\nf(1)\n_ -> f(2)\nend", "A"),
        ("receive do\n1 ->\nimport A\nf(1)\nafter\n1 -> f(2)\nend", "A"),
        ("with 1 <- c do\nimport B\nf(1)\nelse\n_ -> f(2)\nend", "B"),
        ("import A\nimport A, only: []\nf(c)", ""),
        ("import A, only: []\nimport A\nf(c)", "A"),
        ("import A\nimport A, except: [f: 1]\nf(c)", ""),
        ("import A\nimport A, only: []\nimport B\nf(c)", "B"),
    ] {
        let source = format!("== a.ex\n{modules}defmodule C do\ndef g(c) do\n{body}\nend\nend\n");
        let seen: String = edges(&graph(&source))
            .iter()
            .filter_map(|edge| edge.strip_prefix("C.g/1 -> ")?.strip_suffix(".f/1"))
            .collect();
        assert_eq!(seen, expected, "{body}");
    }
}

#[test]
fn calls_through_values_are_guesses() {
    check(
        r#"
defmodule Till do
  @store Application.compile_env(:till, :store, Till.FileStore)
  @clock Application.get_env(:till, :clock) || Till.Clock
  def save(x), do: @store.put(x)
  def now, do: @clock.now()
  def given(x), do: impl().put(x)
  defp impl, do: Application.get_env(:till, :impl, Till.FileStore)
  def variable do
    m = Till.Clock
    m.now()
  end
  def parameter(x, store \\ Till.FileStore), do: store.put(x)
  def option(opts, x) do
    store = Keyword.get(opts, :store, Till.FileStore)
    store.put(x)
  end
  def chosen(c), do: which(c).now()
  def branch(c) do
    m = if c, do: Till.Clock, else: Till.Slow
    m.now()
  end
  def captured(list), do: Enum.each(list, &@store.put/1)
  def applied(x), do: apply(@clock, :now, [])
  def forgotten(opts) do
    m = Till.Clock
    m = opts
    m.now()
  end
end
defmodule Till.FileStore do
  def put(x), do: x
end
defmodule Till.Clock do
  def now, do: 0
end
defmodule Till.Slow do
  def now, do: 0
end
"#,
        "
        Till.applied/1 -> Kernel.apply/3
        Till.applied/1 -> Till.Clock.now/0?
        Till.branch/1 -> Till.Clock.now/0?
        Till.branch/1 -> Till.Slow.now/0?
        Till.captured/1 -> Enum.each/2
        Till.captured/1 -> Till.FileStore.put/1?
        Till.given/1 -> Till.FileStore.put/1?
        Till.given/1 -> Till.impl/0
        Till.now/0 -> Till.Clock.now/0?
        Till.option/2 -> Keyword.get/3
        Till.option/2 -> Till.FileStore.put/1?
        Till.parameter/2 -> Till.FileStore.put/1?
        Till.save/1 -> Till.FileStore.put/1?
        Till.variable/0 -> Till.Clock.now/0?
        ",
    );
}

#[test]
fn macros_that_define_are_known_by_their_form() {
    check(
        r#"
defmodule Net do
  import Nx.Defn
  defn add(a, b \\ 1) do
    help(a, b)
  end
  defnp help(a, b), do: Nx.add(a, b)
  defwidget show(x) when is_map(x) do
    add(x)
  end
  defenum Color, [:red]
  def plain(x), do: show(x)
end
"#,
        "
        Net.add/2 -> Net.help/2
        Net.help/2 -> Nx.add/2
        Net.plain/1 -> Net.show/1?
        Net.show/1 -> Kernel.is_map/1
        Net.show/1 -> Net.add/2
        ",
    );
}

#[test]
fn imports_of_packages_bring_what_they_are_known_to_have() {
    check(
        r#"
defmodule Pipe do
  import Plug.Conn
  import Unheard.Of
  def go(conn), do: send_resp(conn, 200, "")
  def other(conn), do: unheard(conn)
end
"#,
        "
        Pipe.go/1 -> Plug.Conn.send_resp/3?
        Pipe.other/1 -> Unheard.Of.unheard/1?
        ",
    );
}

#[test]
fn what_runs_when_the_module_compiles_belongs_to_it() {
    check(
        r#"
defmodule Table do
  def size, do: unquote(Table.Build.count())
  def far(x), do: Table.Build.unquote(name(x))()
  for target <- [Integer, Atom] do
    defimpl Showing, for: target do
      def show(x), do: Table.Build.show(x)
    end
  end
  for protocol <- [Seeing, Hearing], target <- [Float] do
    defimpl protocol, for: target do
      def show(x), do: Table.Build.show(x)
    end
  end
end
defmodule Table.Build do
  def count, do: 1
  def show(x), do: x
end
defmodule Rows do
  import Ecto.Query
  def old(name), do: from(u in User, where: not is_nil(field(u, ^column(name))) and u.age > 1)
  defp column(name), do: name
end
"#,
        "
        Hearing.Float.show/1 -> Table.Build.show/1
        Rows.old/1 -> Ecto.Query.from/2?
        Rows.old/1 -> Rows.column/1
        Seeing.Float.show/1 -> Table.Build.show/1
        Showing.Atom.show/1 -> Table.Build.show/1
        Showing.Integer.show/1 -> Table.Build.show/1
        Table -> Table.Build.count/0
        ",
    );
}

#[test]
fn definitions_of_macros_that_are_written_are_no_guesses() {
    check(
        r#"
defmodule Defining do
  defmacro defwork(head, do: body) do
    made(head, body)
  end
  defp made(head, body) do
    quote do
      def unquote(head), do: unquote(body)
    end
  end
  defmacro defnote(head, do: body) do
    quote do
      @notes {unquote(head), unquote(body)}
    end
  end
end
defmodule Working do
  import Defining
  defwork one(x) do
    two(x)
  end
  defnote two(x) do
    x
  end
  def three(x), do: one(two(x))
end
"#,
        "
        Working.one/1 -> Working.two/1?
        Working.three/1 -> Working.one/1
        Working.three/1 -> Working.two/1?
        ",
    );
}

#[test]
fn modules_that_macros_make_have_the_names_that_the_use_gives_them() {
    const MAKER: &str = r#"
defmodule Maker do
  defmacro make(name) do
    quote do
      defmodule unquote(name) do
        def given, do: :ok
        defmodule Inner do
          def deep, do: :ok
        end
      end
      def beside, do: :ok
    end
  end
  defmacro fixed do
    quote do
      defmodule Fixed do
        defstruct [:a]
        def inside(x), do: x
      end
      defmodule __MODULE__.Dotted do
        def dotted, do: 1
      end
      defmodule Elixir.Alone do
        def alone, do: 1
      end
      defmodule unquote(Module.concat([Far, computed()])) do
        def lost, do: 1
      end
    end
  end
  defmacro __using__(_) do
    quote do
      defmodule Used do
        def used, do: 1
      end
      def by_use(x), do: x
    end
  end
end
"#;
    const USERS: &str = r#"
defmodule User do
  import Maker
  use Maker
  make Given
  fixed()
  def a, do: User.Given.given()
  def b, do: User.Given.Inner.deep()
  def c, do: User.Fixed.inside(1)
  def d, do: User.Dotted.dotted()
  def e, do: Alone.alone()
  def f, do: User.Used.used()
  def g, do: by_use(1)
  def h, do: beside()
end
defmodule Far.Caller do
  require Maker
  Maker.make(Some.Name)
  def a, do: Far.Caller.Some.Name.given()
  def b, do: User.by_use(2)
end
"#;
    check(
        &format!("{MAKER}{USERS}"),
        "
        Far.Caller.a/0 -> Far.Caller.Some.Name.given/0
        Far.Caller.b/0 -> User.by_use/1
        User.a/0 -> User.Given.given/0
        User.b/0 -> User.Given.Inner.deep/0
        User.c/0 -> User.Fixed.inside/1
        User.d/0 -> User.Dotted.dotted/0
        User.e/0 -> Alone.alone/0
        User.f/0 -> User.Used.used/0
        User.g/0 -> User.by_use/1
        User.h/0 -> User.beside/0
        ",
    );
    let graph = graph(&format!("== lib/maker.ex\n{MAKER}== lib/users.ex\n{USERS}"));
    let found = |name: &str| {
        let found: Vec<_> = graph.find(name).unwrap().into_iter().collect();
        found
            .into_iter()
            .map(|symbol| format!("{} in {}", symbol.qualified(), symbol.file))
            .collect::<Vec<_>>()
    };
    for (name, seen) in [
        ("User.Given", "User.Given in lib/users.ex"),
        ("User.Given.given/0", "User.Given.given/0 in lib/users.ex"),
        ("User.Given.Inner.deep", "User.Given.Inner.deep/0 in lib/users.ex"),
        ("Far.Caller.Some.Name", "Far.Caller.Some.Name in lib/users.ex"),
        ("User.Fixed.__struct__/0", "User.Fixed.__struct__/0 in lib/users.ex"),
        ("User.by_use/1", "User.by_use/1 in lib/users.ex"),
    ] {
        assert_eq!(found(name), [seen], "{name}");
    }
    for name in ["User.lost/0", "User.given/0", "User.inside/1", "Maker.given/0"] {
        assert!(graph.find(name).map_or(true, |found| found.is_empty()), "{name}");
    }
}

#[test]
fn attributes_that_hold_modules_are_those_modules() {
    check(
        r#"
defmodule Wire do
  @mod Wire.Json
  def one(x), do: @mod.encode(x)
  def all(list), do: Enum.map(list, &@mod.encode/1)
  def piped(x), do: x |> @mod.encode()
  def nested(x), do: @mod.Inner.encode(x)
  @mod Wire.Text
  def two(x), do: @mod.encode(x)
  @unknown compute()
  def three(x), do: @unknown.encode(x)
end
defmodule Wire.Json do
  def encode(x), do: x
  defmodule Inner do
    def encode(x), do: x
  end
end
defmodule Wire.Text do
  def encode(x), do: x
end
"#,
        "
        Wire.all/1 -> Enum.map/2
        Wire.all/1 -> Wire.Json.encode/1
        Wire.nested/1 -> Wire.Json.Inner.encode/1
        Wire.one/1 -> Wire.Json.encode/1
        Wire.piped/1 -> Wire.Json.encode/1
        Wire.two/1 -> Wire.Text.encode/1
        ",
    );
}

#[test]
fn operators_are_kernels_unless_the_file_takes_them_away() {
    check(
        r#"
defmodule Own do
  import Kernel, except: [+: 2]
  def a + b, do: {a, b}
  def a - b, do: {a, b}
  def plus(x), do: x + 1
  def minus(x), do: x - 1
end
defmodule Other do
  def a + b, do: {a, b}
  def plus(x), do: x + 1
end
defmodule Taking do
  import Kernel, except: [+: 2]
  import Own
  def plus(x), do: x + 1
end
defmodule Nobody do
  import Kernel, only: [-: 2]
  def minus(x), do: x - 1
end
"#,
        "
        Nobody.minus/1 -> Kernel.-/2
        Other.plus/1 -> Kernel.+/2
        Own.minus/1 -> Kernel.-/2
        Own.plus/1 -> Own.+/2
        Taking.plus/1 -> Own.+/2
        ",
    );
}

#[test]
fn captures_of_what_the_compiler_replaces_are_what_is_written() {
    check(
        r#"
defmodule Sums do
  def all(list), do: Enum.reduce(list, 0, &Kernel.+/2)
  def short(list), do: Enum.reduce(list, 0, &+/2)
  def lengths(lists), do: Enum.map(lists, &length/1)
  def far(lists), do: Enum.map(lists, &Kernel.length/1)
  def of_map(maps), do: Enum.map(maps, &Map.fetch!(&1, :a))
end
"#,
        "
        Sums.all/1 -> Enum.reduce/3
        Sums.all/1 -> Kernel.+/2
        Sums.far/1 -> Enum.map/2
        Sums.far/1 -> Kernel.length/1
        Sums.lengths/1 -> Enum.map/2
        Sums.lengths/1 -> Kernel.length/1
        Sums.of_map/1 -> Enum.map/2
        Sums.of_map/1 -> Map.fetch!/2
        Sums.short/1 -> Enum.reduce/3
        Sums.short/1 -> Kernel.+/2
        ",
    );
}
