//! Source text in, facts out, both as text.

use std::fmt::Write;

use crate::graph::CodeGraph;
use crate::source::File;
use crate::syntax::{FileFacts, ReferenceKind, Shape, analyse};

fn facts(source: &str) -> FileFacts {
    analyse(&File::new("src/shop.erl", source))
}

/// One line for each definition: kind, name, lines of the whole and of each clause, fields.
fn shown_definitions(facts: &FileFacts) -> String {
    let mut seen = String::new();
    for d in &facts.definitions {
        let private = if d.public { "" } else { " private" };
        let lines = (d.span.line_start, d.span.line_end);
        write!(seen, "{} {}{private} {}-{}", d.kind.as_str(), d.qualified(), lines.0, lines.1).unwrap();
        if d.clauses.len() > 1 {
            let clauses: Vec<_> =
                d.clauses.iter().map(|c| format!("{}-{}", c.line_start, c.line_end)).collect();
            write!(seen, " ({})", clauses.join(" ")).unwrap();
        }
        if !d.fields.is_empty() {
            write!(seen, " [{}]", d.fields.join(" ")).unwrap();
        }
        seen.push('\n');
    }
    seen
}

/// One line for each reference: where from, what kind if not a call, what to, and the basis unless it is written.
fn shown_references(facts: &FileFacts) -> String {
    let mut seen = String::new();
    for r in &facts.references {
        let from = r.from.map_or_else(|| "file".into(), |from| facts.definitions[from as usize].qualified());
        let kind = match r.kind {
            ReferenceKind::Call => String::new(),
            kind => format!("{} ", format!("{kind:?}").to_lowercase()),
        };
        write!(seen, "{from} -> {kind}{}", r.module.as_deref().unwrap_or("?")).unwrap();
        if !r.name.is_empty() {
            write!(seen, ".{}", r.name).unwrap();
        }
        if let Some(arity) = r.arity {
            write!(seen, "/{arity}").unwrap();
        }
        let basis = if r.basis.is_certain() { "" } else { r.basis.as_str() };
        writeln!(seen, " {basis}").unwrap();
    }
    seen
}

fn compare(source: &str, seen: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(seen), lines(expected), "of\n{source}");
}

fn definitions(source: &str, expected: &str) {
    compare(source, &shown_definitions(&facts(source)), expected);
}

fn references(source: &str, expected: &str) {
    compare(source, &shown_references(&facts(source)), expected);
}

#[test]
fn functions_gather_their_clauses_specs_and_comments() {
    let source = r#"%% Licence.

-module(shop).
-export([add/2, 'b c'/0]).

%%--------------
%% Adds.
%%   Twice.
-spec add(cart(), item()) -> cart().
% Why so.
add(Cart, nil) ->
    Cart;

add(Cart, Item) when is_list(Cart) ->
    [Item | Cart].   % done

help() -> 1.
add(A) -> A.

%% About something else.

'b c'() -> 2.
help(X) -> X.
"#;
    definitions(
        source,
        "module :shop 1-23
         function :shop.add/2 6-15 (11-12 14-15)
         function :shop.help/0 private 17-17
         function :shop.add/1 private 18-18
         function :shop.b c/0 22-22
         function :shop.help/1 private 23-23",
    );
    let facts = facts(source);
    let add = &facts.definitions[1];
    assert_eq!(add.doc.as_deref(), Some("Adds.\n  Twice.\nWhy so."));
    assert_eq!(add.spec.as_deref(), Some("add(cart(), item()) -> cart()"));
    assert_eq!(add.signature.as_deref(), Some("add(Cart, nil)"));
    assert_eq!((&facts.definitions[0].doc, &facts.definitions[4].doc), (&None, &None));
}

#[test]
fn everything_else_that_is_defined() {
    definitions(
        r#"
-module('Elixir.Shop.Money').
-export_type([t/1]).
-define(SERVER, ?MODULE).
-define(LOG(F, A), io:format(F, A)).
-define('a b', 1).
-record(money, {amount = 0 :: integer(), currency, 'odd one'}).
-type t(X) :: {X, atom()}.
-type p() :: 1.
-opaque o() :: 2.
-callback parse(string()) -> t(1).
-ifdef(TEST).
f() -> 1.
-else.
f() -> 2.
-endif.
"#,
        "module Shop.Money 1-16
         macro Shop.Money.SERVER private 4-4
         macro Shop.Money.LOG/2 private 5-5
         macro Shop.Money.a b private 6-6
         record Shop.Money.money private 7-7 [amount currency odd one]
         type Shop.Money.t/1 8-8
         type Shop.Money.p/0 private 9-9
         type Shop.Money.o/0 private 10-10
         callback Shop.Money.parse/1 11-11
         function Shop.Money.f/0 private 13-15 (13-13 15-15)",
    );
}

#[test]
fn all_or_tests_can_be_exported() {
    for options in ["export_all", "[debug_info, export_all]", "[export_all, nowarn_export_all]"] {
        definitions(
            &format!("-module(a).\n-compile({options}).\nf() -> 1.\n"),
            "module :a 1-3
             function :a.f/0 3-3",
        );
    }
    definitions(
        "-module(a).\n-include_lib(\"eunit/include/eunit.hrl\").\nf_test() -> 1.\ng_test_() -> [].\ng_test(X) -> X.\n",
        "module :a 1-5
         function :a.f_test/0 3-3
         function :a.g_test_/0 4-4
         function :a.g_test/1 private 5-5",
    );
}

#[test]
fn documentation_is_in_attributes_or_comments() {
    let facts = facts(
        r#"%% @doc The shop.
-module(shop).
-doc "Adds.".
-doc #{since => "1.0"}.
add() -> 1.

-doc """
  Drops.

    Well.
  """.

-spec drop() -> 1.
drop() -> 1.

-doc false.
-type t() :: 1.

%% @doc Commented.
%% @end
keep() -> 1.
"#,
    );
    let docs: Vec<_> = facts.definitions.iter().map(|d| d.doc.as_deref().unwrap_or("none")).collect();
    assert_eq!(docs, ["The shop.", "Adds.", "Drops.\n\n  Well.", "none", "Commented.\n@end"]);
    let module = analyse(&File::new("a.erl", "-module(a).\n-moduledoc \"A.\".\n"));
    assert_eq!(module.definitions[0].doc.as_deref(), Some("A."));
}

#[test]
fn headers_are_modules_of_their_own() {
    let source = "-record(cart, {items}).\n-define(ADD(X), shop:add(X, twice(X), length(X), ?ADD(1))).\n-type t() :: #cart{}.\n";
    let facts = analyse(&File::new("include/cart.hrl", source));
    compare(
        source,
        &shown_definitions(&facts),
        "module cart.hrl 1-3
         record cart.hrl.cart 1-1 [items]
         macro cart.hrl.ADD/1 2-2
         type cart.hrl.t/0 3-3",
    );
    compare(
        source,
        &shown_references(&facts),
        "cart.hrl.ADD/1 -> :shop.add/4 quoted
         cart.hrl.ADD/1 -> :erlang.length/1 quoted
         cart.hrl.ADD/1 -> cart.hrl.ADD/1 quoted
         cart.hrl.t/0 -> struct cart.hrl.cart",
    );
    assert_eq!(&*facts.definitions[0].name, "cart.hrl");
    assert!(analyse(&File::new("a.hrl", "-ifdef(A).\n")).definitions.is_empty());
}

#[test]
fn calls_of_every_form() {
    references(
        r#"
-module(shop).
-import(lists, [map/2]).
-on_load(init/0).
-define(SELF, ?MODULE).
-define(OTHER, other).
-define(BOTH, one).
-define(BOTH, two).
init() -> ok.
f(X) when is_list(X) ->
    lists:reverse(X), map(fun init/0, X), length(X), absent(X),
    fun lists:sort/1, fun ?MODULE:f/1, fun X:f/1, fun(Y) -> init() end,
    ?SELF:f(1), ?OTHER:f(2), ?BOTH:f(3), X:f(g()), X(1), (fun f/1)(2),
    'Elixir.Foo.Bar':baz(1), 'a-b':'c d'(), lists:X(1), m:f(1)(init()),
    ?ADD(init()), ?OTHER(), ?MODULE:?OTHER(1), ?OTHER(),
    [other() || _ <- X, map(1, 2)], #{a => map(3, 4)}, <<(init())/binary>>,
    try init() of 1 -> 1 catch _:_ -> f(1) after f(2) end, "a" "b".
length(_, _) -> 1.
other() -> 1.
"#,
        ":shop -> import :lists
         :shop -> :shop.init/0
         :shop.f/1 -> :erlang.is_list/1
         :shop.f/1 -> :lists.reverse/1
         :shop.f/1 -> :lists.map/2
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :erlang.length/1
         :shop.f/1 -> :shop.absent/1
         :shop.f/1 -> :lists.sort/1
         :shop.f/1 -> :shop.f/1
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :shop.f/1
         :shop.f/1 -> :other.f/1
         :shop.f/1 -> :shop.g/0
         :shop.f/1 -> :shop.f/1
         :shop.f/1 -> Foo.Bar.baz/1
         :shop.f/1 -> :\"a-b\".c d/0
         :shop.f/1 -> :m.f/1
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :shop.other/0
         :shop.f/1 -> :shop.other/1
         :shop.f/1 -> :shop.other/0
         :shop.f/1 -> :shop.other/0
         :shop.f/1 -> :lists.map/2
         :shop.f/1 -> :lists.map/2
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :shop.init/0
         :shop.f/1 -> :shop.f/1
         :shop.f/1 -> :shop.f/1",
    );
    // Whoever defines `length/1` means it.
    references("-module(a).\nf() -> length(1).\nlength(_) -> 1.\n", ":a.f/0 -> :a.length/1");
}

#[test]
fn macros_of_the_file_are_seen_through() {
    references(
        r#"
-module(shop).
-define(NOW, erlang:monotonic_time()).
-define(ADD(X), stock:add(X, ?NOW)).
-define(loop(X), loop(X, 1)).
f() -> ?NOW, ?NOW.
g() -> ?ADD(1), ?loop(2).
loop(_) -> ?loop(3).
loop(_, _) -> loop(1).
"#,
        ":shop.NOW -> :erlang.monotonic_time/0 quoted
         :shop.ADD/1 -> :stock.add/2 quoted
         :shop.loop -> :shop.loop/2 quoted
         :shop.f/0 -> :erlang.monotonic_time/0 quoted
         :shop.g/0 -> :stock.add/2 quoted
         :shop.g/0 -> :erlang.monotonic_time/0 quoted
         :shop.g/0 -> :shop.ADD/1
         :shop.g/0 -> :shop.loop/2 quoted
         :shop.loop/1 -> :shop.loop/2 quoted
         :shop.loop/2 -> :shop.loop/1",
    );
}

#[test]
fn maybe_is_an_atom_where_it_is_no_keyword() {
    let read = |source: &str| (shown_references(&facts(source)), facts(source).diagnostics.len());
    let atom = "-module(a).\nf() -> M = maybe(), M(g()), maybe.\nmaybe() -> 1.\n";
    assert_eq!(read(atom), (":a.f/0 -> :a.maybe/0 \n:a.f/0 -> :a.g/0 \n".into(), 0));
    let keyword = "-module(a).\nf() -> maybe ok ?= g(), h() else _ -> 1 end.\n";
    assert_eq!(read(keyword), (":a.f/0 -> :a.g/0 \n:a.f/0 -> :a.h/0 \n".into(), 0));
}

#[test]
fn functions_that_are_passed_by_name() {
    references(
        r#"
-module(shop).
f(X) ->
    apply(m, f, [1]), spawn_opt(?MODULE, f, [1], [link]), apply(m, f, X), apply(m, f, [1 | X]),
    rpc:call(node, m, f, []), timer:apply_after(10, m, f, [1, 2]), proc_lib:start_link(?MODULE, init, [X]),
    other(m, f, [1]).
init() ->
    [#{id => a, start => {worker, start_link, [1]}}, {b, {?MODULE, f, [2]}, permanent, 5, worker, [b]},
     {b, {worker, f, [2]}}].
"#,
        ":shop.f/1 -> :erlang.apply/3
         :shop.f/1 -> :m.f/1 by_name
         :shop.f/1 -> :erlang.spawn_opt/4
         :shop.f/1 -> :shop.f/1 by_name
         :shop.f/1 -> :erlang.apply/3
         :shop.f/1 -> :erlang.apply/3
         :shop.f/1 -> :rpc.call/4
         :shop.f/1 -> :m.f/0 by_name
         :shop.f/1 -> :timer.apply_after/4
         :shop.f/1 -> :m.f/2 by_name
         :shop.f/1 -> :proc_lib.start_link/3
         :shop.f/1 -> :shop.init/1 by_name
         :shop.f/1 -> :shop.other/3
         :shop.init/0 -> supervise :worker convention
         :shop.init/0 -> :worker.start_link/1 by_name
         :shop.init/0 -> supervise :shop convention
         :shop.init/0 -> :shop.f/1 by_name",
    );
}

#[test]
fn messages_and_who_handles_them() {
    let source = r#"
-module(shop).
-behaviour(gen_server).
-define(SERVER, ?MODULE).
-record(order, {item, count}).
add(X) -> gen_server:call(?SERVER, {add, X}), gen_server:cast({global, stock}, 'Elixir.Stop'), gen_server:call(X, 1).
tell(X) -> ?MODULE ! #order{item = X}, self() ! X, timer:send_after(5, #{}), X ! 1, a + b, {shop, X} ! -1.
init(X) -> {ok, X, {continue, {load, X}}}.
handle_call({add, X}, _, S) -> S;
handle_call(M = {drop, _, _}, _, S) -> S;
handle_call(_, _, S) -> S.
handle_info(#order{}, S) -> S;
handle_info(({X, Y}) = M, S) -> S;
handle_info(#unknown{}, S) -> S;
handle_info('EXIT', S) -> S.
handle_event(_, {a, b}, _, _) -> ok.
handle_cast(X) -> X.
"#;
    references(
        source,
        ":shop -> behaviour :gen_server
         :shop.add/1 -> :gen_server.call/2
         :shop.add/1 -> message :shop.handle_call/3 message
         :shop.add/1 -> :gen_server.cast/2
         :shop.add/1 -> message :stock.handle_cast/2 message
         :shop.add/1 -> :gen_server.call/2
         :shop.add/1 -> message ?.handle_call/3 message
         :shop.tell/1 -> message :shop.handle_info/2 message
         :shop.tell/1 -> struct :shop.order
         :shop.tell/1 -> :erlang.self/0
         :shop.tell/1 -> message :shop.handle_info/2 message
         :shop.tell/1 -> :timer.send_after/2
         :shop.tell/1 -> message :shop.handle_info/2 message
         :shop.tell/1 -> message :shop.handle_info/2 message
         :shop.init/1 -> message :shop.handle_continue/2 message
         :shop.handle_info/2 -> struct :shop.order
         :shop.handle_info/2 -> struct ?.unknown imported",
    );
    let facts = facts(source);
    let sent: Vec<_> = facts.messages.iter().map(|message| &*message.shape).collect();
    let expected = ["{:add, 2}", ":Elixir.Stop", "1", "{:order, 3}", "_", "%{}", "-1", "{:load, 2}"];
    assert_eq!(sent, expected);
    let sends = |message: &Shape| facts.references[message.of as usize].kind == ReferenceKind::Message;
    assert!(facts.messages.iter().all(sends));
    let mut received = String::new();
    for Shape { of, clause, shape } in &facts.receivers {
        writeln!(received, "{} {clause} {shape}", facts.definitions[*of as usize].qualified()).unwrap();
    }
    compare(
        source,
        &received,
        ":shop.handle_call/3 0 {:add, 2}
         :shop.handle_call/3 1 {:drop, 3}
         :shop.handle_call/3 2 _
         :shop.handle_info/2 0 {:order, 3}
         :shop.handle_info/2 1 {_, 2}
         :shop.handle_info/2 2 _
         :shop.handle_info/2 3 :EXIT
         :shop.handle_event/4 0 {:a, 2}",
    );
}

#[test]
fn types_records_and_headers() {
    references(
        r#"
-module(shop).
-include("shop.hrl").
-record(cart, {items = stock:all() :: [stock:item()], owner :: #user{}}).
-type t() :: cart() | #cart{items :: integer()} | fun((t(), absent()) -> list(integer())).
-spec f(t()) -> {ok, stock:t(1)} | integer() when X :: t().
f(#cart{items = I} = C) -> ?LOG(C#cart.items), #cart.owner, C#user{name = 1}, #cart{}.
"#,
        ":shop -> require shop.hrl
         :shop.cart -> :stock.all/0
         :shop.cart -> type :stock.item/0
         :shop.cart -> struct shop.hrl.user imported
         :shop.t/0 -> type :shop.cart/0
         :shop.t/0 -> struct :shop.cart
         :shop.t/0 -> type :shop.t/0
         :shop.t/0 -> type :shop.absent/0
         :shop.f/1 -> type :shop.t/0
         :shop.f/1 -> type :stock.t/1
         :shop.f/1 -> type :shop.t/0
         :shop.f/1 -> struct :shop.cart
         :shop.f/1 -> shop.hrl.LOG/1 imported
         :shop.f/1 -> struct :shop.cart
         :shop.f/1 -> struct :shop.cart
         :shop.f/1 -> struct shop.hrl.user imported
         :shop.f/1 -> struct :shop.cart",
    );
    // Of two headers either can define the record.
    references(
        "-module(a).\n-include(\"b.hrl\").\n-include_lib(\"c/include/c.hrl\").\nf() -> ?LOG(#r{}).\n",
        ":a -> require b.hrl
         :a -> require c.hrl
         :a.f/0 -> struct ?.r imported",
    );
}

#[test]
fn a_broken_form_does_not_lose_the_others() {
    let names = |source: &str| -> Vec<String> {
        facts(source).definitions.iter().map(|definition| definition.qualified()).collect()
    };
    for broken in [
        "b( -> (.",
        "((((",
        "b() -> \"no end.",
        "b() -> 'no end.",
        "b() -> case X of",
        "b() -> [",
        "-record(b, {",
        "-ifdef(B)",
        "b() ->",
        "end.",
        "?B b.",
        "-spec b() ->",
        "b() -> \"\"\"\n",
    ] {
        let source =
            format!("-module(a).\n\na() -> 1.\n\n{broken}\n\n%% C.\nc(X) ->\n    d(X).\n\nd(X) -> X.\n");
        let names = names(&source);
        for name in [":a", ":a.a/0", ":a.c/1", ":a.d/1"] {
            assert!(names.contains(&name.to_owned()), "{name} after {broken}: {names:?}");
        }
        let facts = facts(&source);
        assert!(facts.diagnostics.iter().all(|diagnostic| diagnostic.code == "syntax"));
        assert!(!facts.diagnostics.is_empty(), "{broken}");
        assert!(shown_references(&facts).contains(":a.c/1 -> :a.d/1"));
    }
    let many = facts(&"a( -> .\n".repeat(100));
    assert_eq!(many.diagnostics.len(), 50);
}

#[test]
fn functions_are_chunks() {
    let body = "    a_rather_long_call_with_a_name(Items, Items),\n".repeat(4);
    let source = format!(
        "-module(a).\n\n%% Adds.\n-spec add(t()) -> t().\nadd(1) ->\n{body}    1;\nadd(X) ->\n{body}    X.\n\ndrop(X) ->\n{body}    X.\n"
    );
    let chunks: Vec<_> = facts(&source)
        .chunks
        .iter()
        .map(|chunk| {
            format!("{}-{} {} [{}]", chunk.span.line_start, chunk.span.line_end, chunk.symbol, chunk.header)
        })
        .collect();
    assert_eq!(
        chunks,
        [
            "1-1 :a [:a (src/shop.erl)]",
            "3-16 :a.add/1 [:a (src/shop.erl)]",
            "18-23 :a.drop/1 [:a (src/shop.erl)]",
        ]
    );
}

#[test]
fn elixir_and_erlang_call_each_other() {
    let elixir = "defmodule Shop do\n  def f(x), do: :shop.add(x, 1)\n  def g, do: 1\nend\n";
    let erlang = "-module(shop).\n-export([add/2]).\nadd(X, Y) -> 'Elixir.Shop':g(), length(X).\n";
    let files = [("lib/shop.ex", elixir), ("src/shop.erl", erlang)]
        .map(|(path, text)| (path, analyse(&File::new(path, text))));
    let graph = CodeGraph::build(files);
    let edges: Vec<_> = graph
        .edges()
        .map(|edge| {
            let (from, to) = (edge.caller_fun.unwrap_or_default(), edge.callee_fun);
            format!(
                "{}.{from} -> {}.{to}/{} {}",
                edge.caller_module,
                edge.callee_module,
                edge.callee_arity,
                edge.basis.is_certain()
            )
        })
        .collect();
    assert_eq!(
        edges,
        [":shop.add -> :erlang.length/1 true", ":shop.add -> Shop.g/0 true", "Shop.f -> :shop.add/2 true",]
    );
    let callees = graph.symbols().filter(|symbol| symbol.public).map(|symbol| symbol.qualified());
    assert_eq!(callees.collect::<Vec<_>>(), ["Shop", "Shop.f/1", "Shop.g/0", ":shop", ":shop.add/2"]);
}
