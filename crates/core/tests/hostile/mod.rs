//! Text of any length that is not what its name says: what editors, merges, minifiers and attackers leave behind. The same
//! length gives the same text.

/// One way to be broken.
pub struct Kind {
    /// What the tables call it.
    pub name: &'static str,
    /// A name for a file of it.
    pub path: &'static str,
    /// Text of about so many bytes.
    pub text: fn(usize) -> String,
}

const fn kind(name: &'static str, path: &'static str, text: fn(usize) -> String) -> Kind {
    Kind { name, path, text }
}

/// Every kind, by language.
pub const KINDS: &[Kind] = &[
    kind("ends", "a.ex", |n| repeated("end\n", n)),
    kind("dos", "a.ex", |n| repeated("do ", n)),
    kind("defs", "a.ex", |n| repeated("def ", n)),
    kind("ends missing", "a.ex", |n| repeated("if a do\n", n * 2 / 3) + &repeated("end\n", n / 3)),
    kind("closed brackets", "a.ex", |n| repeated(")", n)),
    kind("open brackets", "a.ex", |n| repeated("([{", n)),
    kind("brackets", "a.ex", |n| jumble(&["(", ")", "[", "]", "{", "}", "%{", "<<", ">>", "a"], n)),
    kind("strings", "a.ex", |n| repeated("\"a\n", n)),
    kind("heredocs", "a.ex", |n| repeated("\"\"\"\na b\n", n)),
    kind("sigils", "a.exs", |n| repeated("~s(a\n", n)),
    kind("bytes", "a.ex", bytes),
    kind("words", "a.exs", |n| repeated("a b c 1 2 ", n)),
    kind("tokens", "a.ex", |n| jumble(ELIXIR_TOKENS, n)),
    kind("tokens in lines", "a.ex", |n| {
        format!("defmodule A do\n{}", lines(ELIXIR_TOKENS, "  def f(x), do: x\n", n))
    }),
    kind("heads", "a.ex", |n| format!("defmodule A do\n{}", repeated("  def f(, do: x\n", n))),
    kind("comments, then words", "a.ex", |n| repeated("# a\n", n / 2) + &repeated("a b c 1 2\n", n / 2)),
    kind("blank lines", "a.ex", |n| repeated("a )\n\n\n\n\n\n\n\n\n\n\n\n", n)),
    kind("half a module", "a.ex", |n| repeated(half(ELIXIR), n)),
    kind("sum", "a.ex", |n| repeated("a + )", n)),
    kind("differences", "a.ex", |n| format!("[{}1]", repeated("a - b, ", n))),
    kind("differences in pipes", "a.ex", |n| format!("x = {}c", repeated("a-b|>", n))),
    kind("space at the end of lines", "a.ex", |n| format!("a{}b", repeated(" \n", n))),
    kind("modules", "a.ex", |n| repeated("defmodule A do\n", n)),
    kind("heads in heads", "a.ex", |n| format!("defmodule A do\n{}", repeated("def f(", n))),
    kind("quotes in quotes", "a.ex", |n| repeated("render(\"#{", n)),
    kind("tests of a long name", "a.exs", |n| {
        let tests = repeated("test \"a\" do\nend\n", n / 2);
        format!("defmodule A do\ndescribe \"{}\" do\n{tests}", "a".repeat(n / 2))
    }),
    kind("loop over modules", "a.ex", |n| {
        let (modules, calls) = (repeated("A, ", n / 2), repeated("unquote(m).f()\n", n / 2));
        format!("defmodule A do\nfor m <- [{modules}B] do\n{calls}")
    }),
    kind("unclosed tags", "a.heex", |n| repeated("<div class={@a}><.b c={d(@e)}>{f(@g)}", n)),
    kind("broken tags", "a.heex", |n| repeated("<.a b={c(}><p {d>{e)}</q>", n)),
    kind("template tokens", "a.heex", |n| jumble(TEMPLATE_TOKENS, n)),
    kind("template bytes", "a.heex", bytes),
    kind("half a template", "a.heex", |n| repeated(half(TEMPLATE), n)),
    kind("blocks", "a.eex", |n| repeated("<%= if a do %>b", n)),
    kind("broken blocks", "a.eex", |n| repeated("<%= ) %><% end %>\n", n)),
    kind("eex tokens", "a.eex", |n| jumble(TEMPLATE_TOKENS, n)),
    kind("sigils of templates", "a.ex", |n| repeated("x = ~H\"<.a b={)}>{c d e}</.a>\"\n", n)),
    kind("erlang ends", "a.erl", |n| repeated("end ", n)),
    kind("erlang brackets", "a.erl", |n| jumble(&["(", ")", "[", "]", "{", "}", "#{", "<<", ">>", "a"], n)),
    kind("erlang strings", "a.erl", |n| repeated("\"a\n", n)),
    kind("erlang words", "a.hrl", |n| repeated("a b c 1 2 ", n)),
    kind("erlang bytes", "a.erl", bytes),
    kind("erlang tokens", "a.erl", |n| jumble(ERLANG_TOKENS, n)),
    kind("erlang tokens in lines", "a.erl", |n| lines(ERLANG_TOKENS, "f(X) -> X.\n", n)),
    kind("erlang heads", "a.erl", |n| repeated("f( -> g(a b).\n", n)),
    kind("erlang dots", "a.erl", |n| repeated(". ", n)),
    kind("erlang macros", "a.hrl", |n| repeated("-define(A, (b\n", n)),
    kind("erlang macros in macros", "a.erl", |n| {
        (0..n / 40).map(|at| format!("-define(A{at}, b(?A{}, ?A{})).\n", at + 1, at + 2)).collect()
    }),
    kind("erlang functions of a long name", "a.erl", |n| {
        format!("-module('{}').\n{}", "a".repeat(n / 2), repeated("f() -> ok.\n", n / 2))
    }),
    kind("half an erlang module", "a.erl", |n| repeated(half(ERLANG), n)),
];

fn repeated(part: &str, length: usize) -> String {
    part.repeat(length / part.len() + 1)
}

/// Numbers without pattern, the same ones each time.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }
}

/// Tokens in an order that makes no sense, with line breaks among them.
pub fn jumble(tokens: &[&str], length: usize) -> String {
    let (mut text, mut numbers) = (String::with_capacity(length + 16), Numbers(7));
    while text.len() < length {
        text.push_str(tokens[numbers.below(tokens.len())]);
        text.push(if numbers.below(8) == 0 { '\n' } else { ' ' });
    }
    text
}

/// Lines without sense, each of which ends what it begins, and here and there a `whole` one.
fn lines(tokens: &[&str], whole: &str, length: usize) -> String {
    let (mut text, mut numbers) = (String::with_capacity(length + 64), Numbers(11));
    let tokens: Vec<_> = tokens.iter().filter(|token| !token.contains(['"', '\'', '~'])).collect();
    while text.len() < length {
        if numbers.below(4) == 0 {
            text.push_str(whole);
        }
        text.push_str(&"  ".repeat(1 + numbers.below(3)));
        for _ in 0..numbers.below(12) {
            text.push_str(tokens[numbers.below(tokens.len())]);
            text.push(' ');
        }
        text.push('\n');
    }
    text
}

fn bytes(length: usize) -> String {
    let mut numbers = Numbers(3);
    let bytes: Vec<u8> = (0..length).map(|_| numbers.below(256) as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is left when a connection breaks off.
fn half(text: &str) -> &str {
    &text[..text.floor_char_boundary(text.len() / 2)]
}

const ELIXIR_TOKENS: &[&str] = &[
    "def",
    "defmodule",
    "A",
    "do",
    "end",
    "fn",
    "->",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "%{",
    "<<",
    ">>",
    "a",
    "b:",
    ":c",
    "@d",
    "1",
    "+",
    "|>",
    "=",
    "<-",
    "\\\\",
    ",",
    ".",
    "&1",
    "\"",
    "'",
    "~s(",
    "~r/",
    "#{",
    "#",
    "?",
    "::",
    "|",
    "when",
    "not",
    "in",
    "rescue",
    "else",
    "alias",
    "use",
    "\"\"\"",
    "é",
    ";",
];

const TEMPLATE_TOKENS: &[&str] = &[
    "<.a", "<A.b", "<p", "</p>", "</.a>", "<:c", ">", "/>", "{", "}", "<%=", "<%", "%>", "<%!--", "--%>",
    "<!--", "-->", "end", "else", "do", "->", "fn x", "(", ")", "a", "@b", "\"", "'", "=", ":if={", ":for={",
    "x <- y", "<script>", "é",
];

const ERLANG_TOKENS: &[&str] = &[
    "-module(a).",
    "-define(",
    "-record(",
    "-spec",
    "f",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "#{",
    "<<",
    ">>",
    "->",
    ".",
    ";",
    ",",
    "case",
    "of",
    "end",
    "fun",
    "begin",
    "if",
    "try",
    "catch",
    "receive",
    "after",
    "when",
    "A",
    "_",
    "1",
    "$",
    "?",
    "?M(",
    "#r{",
    "\"",
    "'",
    "%",
    ":",
    "::",
    "=",
    "||",
    "<-",
    "|",
    "/",
    "\"\"\"",
    "é",
];

const ELIXIR: &str = r##"defmodule Shop.Cart do
  @moduledoc """
  Carts of a shop.
  """
  use GenServer
  alias Shop.{Item, Tax}
  import Enum, only: [map: 2]
  @type t :: %__MODULE__{items: [Item.t()]}
  defstruct items: [], total: 0

  @doc "Adds an item."
  @spec add(t, Item.t()) :: t
  def add(%__MODULE__{} = cart, item, opts \\ [])

  def add(cart, %Item{price: price} = item, _) when price > 0 do
    total = cart.items |> map(&Tax.net/1) |> Enum.sum() |> Kernel.+(price)

    case Keyword.fetch(opts, :limit) do
      {:ok, limit} when total > limit ->
        {:error, "more than #{limit}"}

      _ ->
        {:ok, %{cart | items: [item | cart.items], total: total}}
    end
  end

  defp notify(cart) do
    for %{owner: owner} <- cart.items, do: send(owner, {:changed, cart})
  end

  def handle_call({:add, item}, _from, cart) do
    with {:ok, cart} <- add(cart, item) do
      notify(cart)
      {:reply, :ok, cart}
    else
      {:error, why} -> {:reply, {:error, why}, cart}
    end
  end
end
"##;

const TEMPLATE: &str = r#"<.form :let={f} for={@form} id="cart" phx-change={JS.push("change")} {@rest}>
  <Shop.Core.input class={[f.x, "wide"]} :for={%{id: id} <- @items} field={f[:count]} />
  <:col :let={user} label="Name">{user.name} {~p"/users/#{user}"}</:col>
  <%= case @state do %>
    <% {:ok, cart} -> %>
      <p class="total">{Money.format(cart.total)}</p>
    <% {:error, _} -> %>
      <p>No cart</p>
  <% end %>
</.form>
"#;

const ERLANG: &str = r##"%% Carts of a shop.
-module(cart).
-behaviour(gen_server).
-export([add/2, init/1]).
-include_lib("shop/include/shop.hrl").
-define(LOG(F, A), io:format(F ++ "~n", A)).
-record(cart, {items = [] :: [item()], total}).

%% @doc Adds an item.
-spec add(#cart{}, item()) -> {ok, #cart{}} | {error, term()}.
add(#cart{items = Items} = Cart, {Name, Price}) when Price > 0 ->
    ?LOG("adds ~p", [Name]),
    Total = lists:sum([P || {_, P} <- Items]) + Price,
    case Total of
        T when T > 100 -> {error, "too much"};
        _ -> {ok, Cart#cart{items = [{Name, Price} | Items], total = Total}}
    end;
add(_, _) ->
    {error, badarg}.

init(_) ->
    {ok, #cart{}}.

handle_call({add, Item}, _From, Cart) ->
    try add(Cart, Item) of
        {ok, New} -> {reply, ok, New};
        Error -> {reply, Error, Cart}
    catch
        error:Reason -> {stop, Reason, Cart}
    end.
"##;
