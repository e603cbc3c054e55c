//! Source code of any kind.

use ambix_core::source::{File, Span};
use ambix_core::syntax::{FileFacts, analyse};

#[path = "../../crates/core/tests/hostile/mod.rs"]
#[allow(dead_code, reason = "the names of kinds are for tables")]
mod hostile;

use hostile::KINDS;

/// Elixir code.
pub fn elixir(data: &[u8]) {
    read("lib/a.ex", data)
}

/// HTML with Elixir.
pub fn heex(data: &[u8]) {
    read("a.heex", data)
}

/// Text with Elixir.
pub fn eex(data: &[u8]) {
    read("a.eex", data)
}

/// Erlang code; with a zero as the first byte, of a header.
pub fn erlang(data: &[u8]) {
    match data.split_first() {
        Some((0, rest)) => read("a.hrl", rest),
        _ => read("a.erl", data),
    }
}

/// What is split into chunks and not read; with a zero as the first byte, of no known kind.
pub fn prose(data: &[u8]) {
    match data.split_first() {
        Some((0, rest)) => read("a.txt", rest),
        _ => read("README.md", data),
    }
}

/// Reading never fails and gives the same facts twice. Every place lies in the file, splits no character and knows its
/// lines; whatever is listed by position is; each line with text is in exactly one chunk.
fn read(path: &str, data: &[u8]) {
    let file = File::new(path, String::from_utf8_lossy(data));
    let facts = analyse(&file);
    assert_eq!(facts, analyse(&file), "reading twice gives other facts");
    for span in spans(&facts) {
        assert_place(&file, span);
    }
    let count = facts.definitions.len() as u32;
    assert!(facts.references.iter().filter_map(|reference| reference.from).all(|from| from < count));
    assert!(facts.imports.iter().filter_map(|import| import.injected_by).all(|from| from < count));
    assert!(facts.definitions.is_sorted_by_key(|definition| definition.span.start));
    assert!(facts.references.is_sorted_by_key(|reference| reference.span.start));
    assert!(facts.chunks.is_sorted_by_key(|chunk| chunk.span.start));
    assert!(facts.messages.iter().all(|message| (message.of as usize) < facts.references.len()));
    assert!(facts.receivers.iter().all(|receiver| receiver.of < count));
    assert_covered(&file, &facts);
}

/// Broken text of every kind there is for files of this ending.
fn hostile(ending: &str) -> impl Iterator<Item = Vec<u8>> {
    KINDS.iter().filter(move |kind| kind.path.ends_with(ending)).map(|kind| (kind.text)(300).into_bytes())
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn elixir_seeds() -> Vec<Vec<u8>> {
    let broken = "defmodule A do\n  def b(, do: [[[{%{<<\n  \"\"\"\nend end ) fn -> @doc ~r/\n";
    let mut seeds = bytes(&[MODULE, COMPONENTS, TESTS, broken]);
    seeds.extend(hostile(".ex").chain(hostile(".exs")));
    seeds
}

pub(crate) fn heex_seeds() -> Vec<Vec<u8>> {
    let loop_of_tags = "<div :if={@a}><%= for b <- @c do %>{b}<% end %></div>\n";
    let broken = "<p x={b(}>{\"}{end}<.a <%= c <%% <!-- {d} <script>{</script\n";
    let mut seeds = bytes(&[TEMPLATE, loop_of_tags, broken]);
    seeds.extend(hostile(".heex"));
    seeds
}

pub(crate) fn eex_seeds() -> Vec<Vec<u8>> {
    let branches = "<%= if @a do %>b<% else %>c<% end %>\n";
    let broken = "<%= f @a, fn x -> %>é<%= x %><%= y # z %><% end %><%!-- <%= --%><%| b %><% c\n";
    let mut seeds = bytes(&[branches, broken]);
    seeds.extend(hostile(".eex"));
    seeds
}

pub(crate) fn erlang_seeds() -> Vec<Vec<u8>> {
    let small = "-module(a).\n-export([b/1]).\nb(C) -> lists:map(fun d/1, C).\n";
    let broken =
        "-module(a).\nb(C) -> [{<<\"\n-define(A, \"\"\"\n'c' d() -> ?A( fun e/ case #r{\n%% f\ng( .\n";
    let header = "\0-define(A, b).\n-record(c, {d = ?A}).\n";
    let mut seeds = bytes(&[ERLANG, small, broken, header]);
    seeds.extend(hostile(".erl").chain(hostile(".hrl")));
    seeds
}

pub(crate) fn prose_seeds() -> Vec<Vec<u8>> {
    let markdown = "# One\n\ntext\n\n## Two\n\n```elixir\n# not a title\n```\n";
    bytes(&[markdown, "\0one\r\n\r\ntwo\u{2028}three\n"])
}

const MODULE: &str = r#"
defmodule Shop.Cart do
  @moduledoc """
  A cart.
  """
  use GenServer
  alias Shop.{Item, Money}
  alias Shop.Catalog, as: C
  import Enum, only: [map: 2, sum: 1]
  @behaviour Access
  @limit 10
  @type t :: %__MODULE__{items: [Item.t()]}
  defstruct items: [], owner: nil

  @doc "Adds."
  @spec add(t, Item.t(), pos_integer) :: {:ok, t} | {:error, :full}
  def add(cart, item, count \\ 1)
  def add(%{items: items}, _, _) when length(items) >= @limit, do: {:error, :full}
  def add(cart, %Item{} = item, count), do: {:ok, %{cart | items: [{item, count} | cart.items]}}

  defmacro twice(do: block) do
    quote do
      import Shop.Cart
      unquote(block)
    end
  end

  def total(%__MODULE__{items: i}), do: i |> map(fn {x, n} -> C.price(x) * n end) |> sum() |> Money.new(&1)
  defp é(~s(#{x})), do: &Money.add/2
end

defimpl Inspect, for: Shop.Cart do
  def inspect(cart, _), do: "cart #{length(cart.items)}"
end
"#;

const COMPONENTS: &str = r#"
defmodule A do
  use Phoenix.Component
  embed_templates "../a/*"
  attr :b, C, default: nil
  slot :d do
    attr :e, :any
  end

  def f(assigns), do: ~H"<.g :for={h <- @i}>{h}</.g>" <> ~L|<% j() %>|
  def k(conn), do: conn |> put_view(html: L) |> render("m/n.html", o: ~p"/p/#{q}")
  EEx.function_from_string(:def, :r, "<%= s %>", [:s])
end
"#;

const TESTS: &str = "defmodule ATest do\n  use ExUnit.Case\n  describe \"a\" do\n    test \"b\", %{c: c} do\n      assert c == :d\n    end\n  end\nend\n";

const TEMPLATE: &str = r#"
<.form :let={f} for={@form} id="x" phx-change={JS.push("a")} {@rest}>
  <A.B.input class={[f.x, "\}"]} :for={%{id: x} <- @items} field={f[:é]} />
  <:col :let={user} label='{no}'>{user.name} {~p"/users/#{user}?#{[a: 1]}"}</:col>
  <pre phx-no-curly-interpolation>{no}<br></pre><!-- {no} <%= yes() %> -->
  <%= case @x do %>
    <% {:ok, y} -> %>{y}
    <% _ -> %><style>{no}</style>
  <% end %>
</.form>
"#;

const ERLANG: &str = r#"%% Carts.
-module('Elixir.Shop.Cart').
-behaviour(gen_server).
-export([add/2]).
-import(lists, [map/2]).
-include_lib("shop/include/shop.hrl").
-define(SERVER, ?MODULE).
-define(LOG(F, A), io:format(F, A)).
-record(cart, {items = [] :: [item()], total}).
-type item() :: {atom(), #cart{}} | m:t(1).

%% @doc Adds.
-spec add(#cart{}, item()) -> ok.
add(#cart{items = I} = C, {N, _}) when is_atom(N) ->
    ?LOG("a~p \"q\"", [$a, $"]),
    map(fun(Y) -> add(C, Y) end, [fun m:f/1 | I]), % done
    gen_server:call(?SERVER, {add, <<N:8/binary>>});
add(_, _) -> try apply(m, f, [1]) of ok -> a catch E:R:S -> {E, R, S} after b end.
handle_call({add, X}, _, S) -> maybe ok ?= X end.
init(_) -> {ok, {#{}, [#{id => a, start => {a, start_link, [1]}}]}}.
"#;

fn spans(facts: &FileFacts) -> impl Iterator<Item = Span> + '_ {
    let definitions = facts
        .definitions
        .iter()
        .flat_map(|definition| std::iter::once(definition.span).chain(definition.clauses.iter().copied()));
    definitions
        .chain(facts.references.iter().map(|reference| reference.span))
        .chain(facts.imports.iter().map(|import| import.scope))
        .chain(facts.chunks.iter().map(|chunk| chunk.span))
        .chain(facts.diagnostics.iter().filter_map(|diagnostic| diagnostic.span))
}

fn assert_place(file: &File, span: Span) {
    let (start, end) = (span.start as usize, span.end as usize);
    assert!(start <= end && file.text.get(start..end).is_some(), "{span:?} is not in the file");
    let line_of =
        |byte: usize| 1 + file.text.as_bytes()[..byte].iter().filter(|&&b| b == b'\n').count() as u32;
    assert_eq!(span.line_start, line_of(start), "{span:?} begins on another line");
    assert!(
        span.line_start <= span.line_end && span.line_end <= line_of(end),
        "{span:?} ends on another line"
    );
}

fn assert_covered(file: &File, facts: &FileFacts) {
    let mut before = 0;
    for chunk in &facts.chunks {
        let start = chunk.span.start as usize;
        assert!(before <= start, "chunks overlap at {start}");
        assert!(file.text[before..start].trim().is_empty(), "no chunk holds {:?}", &file.text[before..start]);
        before = chunk.span.end as usize;
    }
    assert!(file.text[before..].trim().is_empty(), "no chunk holds {:?}", &file.text[before..]);
}
