use super::*;
use crate::source::File;
use crate::syntax::analyse;
use crate::{Cancel, ErrorKind};

/// The graph of files given as `== path` lines followed by their text.
fn graph(files: &str) -> CodeGraph {
    let files: Vec<_> = files
        .split("== ")
        .skip(1)
        .map(|file| file.split_once('\n').unwrap())
        .map(|(path, text)| (path.trim(), analyse(&File::new(path.trim(), text))))
        .collect();
    CodeGraph::build(files)
}

fn edges(files: &str, expected: &str) {
    let seen: Vec<_> = graph(files)
        .edges()
        .map(|edge| {
            let caller = match (&edge.caller_fun, edge.caller_arity) {
                (Some(fun), Some(arity)) => format!("{}.{fun}/{arity}", edge.caller_module),
                _ => edge.caller_module.to_string(),
            };
            let mark = if edge.basis.is_certain() { "" } else { "?" };
            format!("{caller} -> {}.{}/{}{mark}", edge.callee_module, edge.callee_fun, edge.callee_arity)
        })
        .collect();
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(seen, expected, "{files}");
}

const SHOP: &str = r#"
== lib/cart.ex
defmodule Shop.Cart do
  alias Shop.Tax
  defstruct items: []
  def total(cart, country \\ :de), do: sum(cart.items) + Tax.rate(country)
  defp sum(items), do: Enum.sum(items)
end
== lib/tax.ex
defmodule Shop.Tax do
  @default "de"
  def rate(country), do: lookup(country)
  def lookup(_), do: 19
  def unused, do: 0
end
== lib/web.ex
defmodule Shop.Web do
  def show(cart), do: Shop.Cart.total(cart)
  def child, do: [Shop.Tax, %Shop.Cart{}]
end
== test/cart_test.exs
defmodule Shop.CartTest do
  use ExUnit.Case
  setup do
    {:ok, rate: Shop.Tax.rate(:de)}
  end

  describe "total" do
    test "adds" do
      assert Shop.Cart.total(%{}, :fr)
    end
  end

  test "nothing", do: assert(true)
end
== test/other_test.exs
defmodule Shop.OtherTest do
  test "other", do: Shop.Tax.unused()
end
"#;

#[test]
fn calls_are_resolved_over_the_project() {
    edges(
        SHOP,
        r"Shop.Cart.sum/1 -> Enum.sum/1
          Shop.Cart.total/2 -> Shop.Cart.sum/1
          Shop.Cart.total/2 -> Shop.Tax.rate/1
          Shop.CartTest -> ExUnit.Callbacks.setup/1
          Shop.CartTest -> Shop.Tax.rate/1
          Shop.CartTest.test nothing/1 -> ExUnit.Assertions.assert/1
          Shop.CartTest.test total adds/1 -> ExUnit.Assertions.assert/1
          Shop.CartTest.test total adds/1 -> Shop.Cart.total/2
          Shop.OtherTest.test other/1 -> Shop.Tax.unused/0
          Shop.Tax.rate/1 -> Shop.Tax.lookup/1
          Shop.Web.show/1 -> Shop.Cart.total/2",
    );
}

#[test]
fn imports_are_resolved_with_only_except_and_scope() {
    edges(
        "== a.ex
         defmodule A do
           def x(a), do: a
           def y(a, b \\\\ 1), do: {a, b}
           defp z(a), do: a
         end
         == b.ex
         defmodule B do
           def one do
             import A, only: [x: 1]
             {x(1), y(1), z(1)}
           end
           def two, do: x(1)
           import A, except: [x: 1]
           import Some.Dep
           def three, do: {x(1), y(1), y(1, 2), z(1), self(), is_nil(1)}
         end",
        "B.one/0 -> A.x/1
         B.three/0 -> A.y/2
         B.three/0 -> Kernel.self/0
         B.three/0 -> Some.Dep.x/1?
         B.three/0 -> Some.Dep.z/1?",
    );
}

#[test]
fn a_use_brings_imports_and_aliases_along() {
    edges(
        "== web.ex
         defmodule Web do
           def controller do
             quote do
               use Web.Base
               alias Web.Deep.Thing, as: T
             end
           end
           defmacro __using__(which), do: apply(__MODULE__, which, [])
         end
         defmodule Web.Base do
           defmacro __using__(_) do
             quote do
               import Web.Helpers
             end
           end
         end
         defmodule Web.Helpers do
           def help(x), do: x
         end
         defmodule Web.Deep.Thing do
           def do_it, do: 1
         end
         == page.ex
         defmodule Page do
           use Web, :controller
           def show(x), do: {help(x), T.do_it()}
         end
         defmodule Plain do
           def show(x), do: {help(x), T.do_it()}
         end",
        "Page -> Web.controller/0?
         Page.show/1 -> Web.Deep.Thing.do_it/0
         Page.show/1 -> Web.Helpers.help/1
         Plain.show/1 -> T.do_it/0
         Web.__using__/1 -> Kernel.apply/3",
    );
}

#[test]
fn protocols_call_every_implementation() {
    let graph = graph(
        "== p.ex
         defprotocol P do
           def show(x)
         end
         defimpl P, for: [Integer, Atom] do
           def show(x), do: help(x)
           defp help(x), do: x
         end
         == a.ex
         defmodule A do
           def a(x), do: P.show(x)
         end",
    );
    let help = graph.find("P.Atom.help/1").unwrap()[0].id;
    let callers: Vec<_> =
        graph.callers(&[help], 9).iter().map(|hit| (hit.symbol.qualified(), hit.depth, hit.kind)).collect();
    assert_eq!(
        callers,
        [
            ("P.Atom.show/1".into(), 1, LinkKind::Call),
            ("P.show/1".into(), 2, LinkKind::Dispatch),
            ("A.a/1".into(), 3, LinkKind::Call),
        ]
    );
}

#[test]
fn symbols_are_found_by_whole_and_partial_names() {
    let graph = graph(SHOP);
    let names =
        |query: &str| -> Vec<String> { graph.find(query).unwrap().iter().map(Symbol::qualified).collect() };
    for (query, expected) in [
        ("Shop.Cart.total/2", "Shop.Cart.total/2"),
        ("Shop.Cart.total/1", "Shop.Cart.total/2"),
        ("Shop.Cart.total", "Shop.Cart.total/2"),
        ("Cart.total", "Shop.Cart.total/2"),
        ("total", "Shop.Cart.total/2"),
        ("rate/1", "Shop.Tax.rate/1"),
        ("Shop.Tax", "Shop.Tax"),
        ("Tax", "Shop.Tax"),
        ("total adds", "Shop.CartTest.total adds"),
    ] {
        assert_eq!(names(query), [expected], "{query}");
    }
    for (query, hint) in [
        ("Shop.Cart.totel/2", "Shop.Cart.total/2"),
        ("lokup", "lookup"),
        ("Shop.Carts", "Shop.Cart"),
        ("total/3", "total/2"),
    ] {
        let error = graph.find(query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(hint), "{error}");
    }
    assert_eq!(graph.find("").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!graph.find("zzzzzz").unwrap_err().to_string().contains("did you mean"));
}

#[test]
fn callers_and_callees_come_nearest_first_with_their_sites() {
    let graph = graph(SHOP);
    let names = |hits: &[Reached]| -> Vec<(String, usize)> {
        hits.iter().map(|hit| (hit.symbol.qualified(), hit.depth)).collect()
    };
    let rate = graph.find("Tax.rate").unwrap()[0].id;
    let callers = graph.callers(&[rate], 2);
    assert_eq!(
        names(&callers),
        [
            ("Shop.Cart.total/2".into(), 1),
            ("Shop.CartTest".into(), 1),
            ("Shop.Web.show/1".into(), 2),
            ("Shop.CartTest.total adds".into(), 2),
        ]
    );
    assert_eq!((&*callers[0].symbol.file, callers[0].sites[0].line_start), ("lib/cart.ex", 4));
    assert_eq!(names(&graph.callers(&[rate], 1)).len(), 2);
    let show = graph.find("Web.show/1").unwrap()[0].id;
    assert_eq!(names(&graph.callees(&[show], 1)), [("Shop.Cart.total/2".into(), 1)]);
    assert_eq!(names(&graph.callees(&[show], 3)).len(), 4);
    assert!(graph.callers(&[SymbolId { file: 9999, index: 9999 }], 3).is_empty());
}

#[test]
fn ties_of_frameworks_add_no_sites_and_no_dependencies_on_oneself() {
    let graph = graph(
        r#"
== lib/user.ex
defmodule Shop.User do
  @type t :: term
  @spec all(t) :: [t]
  def all(_), do: Shop.Repo.all(Shop.Post)
end
== lib/post.ex
defmodule Shop.Post do
end
"#,
    );
    let found = |name: &str| graph.find(name).unwrap()[0].id;
    let hits = graph.impact_of(&[found("Shop.Post")]).hits;
    let seen: Vec<_> = hits.iter().map(|hit| (hit.symbol.qualified(), hit.sites.len())).collect();
    assert_eq!(seen, [("Shop.User.all/1".to_owned(), 1)]);
    let ranks = |spec: &str| {
        let source = format!("defmodule A do\n@type t :: term\n{spec}\ndef f(_), do: 1\nend");
        let facts = analyse(&File::new("lib/a.ex", source));
        let ranked = CodeGraph::build([("lib/a.ex", facts)]).rank(&[], &Cancel::new()).unwrap();
        ranked.into_iter().map(|(symbol, score)| (symbol.qualified(), score)).collect::<Vec<_>>()
    };
    assert_eq!(ranks("@spec f(t) :: t"), ranks(""));
}

#[test]
fn impact_names_files_and_tests() {
    let graph = graph(SHOP);
    let impact = graph.impact("lib/cart.ex").unwrap();
    let files: Vec<_> = impact.files.iter().map(|file| &**file).collect();
    assert_eq!(files, ["lib/web.ex", "test/cart_test.exs"]);
    let tests = |impact: &Impact| -> Vec<String> { impact.tests.iter().map(Symbol::qualified).collect() };
    assert_eq!(tests(&impact), ["Shop.CartTest.total adds"]);
    // The setup of the module calls it, so every test there may change.
    let rate = graph.find("Tax.rate").unwrap()[0].id;
    assert_eq!(tests(&graph.impact_of(&[rate])), ["Shop.CartTest.total adds", "Shop.CartTest.nothing"]);
    assert_eq!(graph.impact("lib/none.ex").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_depended_on_ranks_high() {
    let graph = graph(SHOP);
    let ranked = graph.rank(&[], &Cancel::new()).unwrap();
    let place = |name: &str| ranked.iter().position(|(symbol, _)| symbol.qualified() == name).unwrap();
    assert!(place("Shop.Tax.lookup/1") < place("Shop.Tax.unused/0"));
    assert!(place("Shop.Tax.rate/1") < place("Shop.Web.show/1"));
    let sum: f64 = ranked.iter().map(|(_, score)| score).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");

    let other = graph.find("Shop.OtherTest.other").unwrap()[0].id;
    let personal = graph.rank(&[other], &Cancel::new()).unwrap();
    assert_eq!(personal[0].0.qualified(), "Shop.OtherTest.other");
    assert_eq!(personal[1].0.qualified(), "Shop.Tax.unused/0");

    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(graph.rank(&[], &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(CodeGraph::default().rank(&[], &Cancel::new()).unwrap().is_empty());
}

#[test]
fn the_order_of_files_does_not_matter() {
    let facts: Vec<_> = SHOP
        .split("== ")
        .skip(1)
        .map(|file| file.split_once('\n').unwrap())
        .map(|(path, text)| (path, analyse(&File::new(path, text))))
        .collect();
    let forward = CodeGraph::build(facts.iter().cloned());
    let backward = CodeGraph::build(facts.iter().rev().cloned());
    assert!(forward.symbols().eq(backward.symbols()));
    assert!(forward.edges().eq(backward.edges()));
    assert_eq!(forward.definitions()[&crate::syntax::DefinitionKind::Test], 3);
}

#[test]
fn a_use_brings_functions_and_behaviours_along() {
    let graph = graph(
        "== lib/worker.ex
         defmodule Worker do
           @callback work(term) :: term
           @callback stop() :: term
           defmacro __using__(_) do
             quote do
               @behaviour unquote(__MODULE__)
               @before_compile unquote(__MODULE__)
               import unquote(__MODULE__), only: [help: 1]
               def start(a, b \\\\ 1), do: {a, b}
               def stop, do: :ok
               defoverridable stop: 0
             end
           end
           defmacro __before_compile__(_), do: quote(do: def late, do: 1)
           def help(x), do: x
         end
         == lib/a.ex
         defmodule A do
           use Worker
           def work(x), do: help(x)
           def stop, do: start(1)
         end
         == lib/b.ex
         defmodule B do
           use GenServer
           def go, do: {A.start(1), A.start(1, 2), A.late(), A.missing(), B.child_spec([])}
         end",
    );
    let callers = |name: &str| -> Vec<String> {
        let ids: Vec<_> = graph.find(name).unwrap().iter().map(|symbol| symbol.id).collect();
        graph
            .callers(&ids, 1)
            .iter()
            .map(|hit| format!("{} {}", hit.symbol.qualified(), hit.basis.as_str()))
            .collect()
    };
    assert_eq!(callers("A.start/2"), ["A.stop/0 written", "B.go/0 written"]);
    assert_eq!(callers("A.start/1"), callers("A.start/2"));
    assert_eq!(callers("A.late/0"), ["B.go/0 written"]);
    assert_eq!(callers("A.work/1"), ["Worker.work/1 dispatch"]);
    assert_eq!(callers("A.stop/0"), ["Worker.stop/0 dispatch"]);
    assert_eq!(callers("Worker.help/1"), ["A.work/1 written"]);
    assert_eq!(callers("B.child_spec/1"), ["B.go/0 written"]);
    let made: Vec<_> = graph
        .symbols()
        .filter_map(|symbol| Some(format!("{} by {}", symbol.qualified(), symbol.generated_by.clone()?)))
        .collect();
    let by = ["A.late/0 by Worker.__before_compile__", "A.start/2 by Worker.__using__"];
    assert_eq!(made, [&by[..], &["B.child_spec/1 by GenServer.__using__"]].concat());
}

#[test]
fn changed_lines_touch_the_innermost_definitions() {
    let graph = graph(SHOP);
    let touched = |path, first, last| -> Vec<String> {
        let (touched, _) = graph.impact_of_lines([(path, first, last)]);
        touched.iter().map(Symbol::qualified).collect()
    };
    assert_eq!(touched("lib/cart.ex", 4, 4), ["Shop.Cart.total/2"]);
    assert_eq!(touched("lib/cart.ex", 4, 5), ["Shop.Cart.total/2", "Shop.Cart.sum/1"]);
    assert_eq!(touched("lib/cart.ex", 2, 2), ["Shop.Cart"]);
    assert_eq!(touched("test/cart_test.exs", 7, 8), ["Shop.CartTest.total", "Shop.CartTest.total adds"]);
    assert_eq!(touched("lib/cart.ex", 9, u32::MAX), [""; 0]);
    assert_eq!(touched("lib/none.ex", 0, u32::MAX), [""; 0]);
    let (_, impact) = graph.impact_of_lines([("lib/tax.ex", 4, 4)]);
    let tests: Vec<_> = impact.tests.iter().map(|test| &*test.name).collect();
    // The setup of the case calls it too.
    assert_eq!(tests, ["total adds", "nothing"]);
}

#[test]
fn a_live_route_leads_to_what_phoenix_calls_of_the_view() {
    let graph = graph(
        r#"
== lib/shop_web/router.ex
defmodule ShopWeb.Router do
  use Phoenix.Router
  scope "/", ShopWeb do
    live "/cart", CartLive, :show
    live "/faq", FaqLive
  end
end
== lib/shop_web/live/cart_live.ex
defmodule ShopWeb.CartLive do
  use Phoenix.LiveView
  def mount(_params, _session, socket), do: {:ok, socket}
  def handle_params(_params, _uri, socket), do: {:noreply, socket}
  def handle_event("save", _, socket), do: {:noreply, socket}
  def mount(socket), do: socket
end
== lib/shop_web/live/cart_live.html.heex
<p>Cart</p>
== lib/shop_web/live/faq_live.ex
defmodule ShopWeb.FaqLive do
  use Phoenix.LiveView
  def render(assigns), do: assigns
end
"#,
    );
    let reached = |route: &str| -> Vec<String> {
        let id = graph.find(route).unwrap()[0].id;
        let hits = graph.dependencies(&[id], 2, &[LinkKind::Route, LinkKind::Render]);
        let text = |hit: &Reached| {
            format!("{} {} {}", hit.symbol.qualified(), hit.kind.as_str(), hit.basis.as_str())
        };
        hits.iter().map(text).collect()
    };
    assert_eq!(
        reached("ShopWeb.Router.GET /cart"),
        [
            "ShopWeb.CartLive route convention",
            "ShopWeb.CartLive.mount/3 route convention",
            "ShopWeb.CartLive.handle_params/3 route convention",
            "lib/shop_web/live/cart_live.html.heex render convention",
        ]
    );
    assert_eq!(
        reached("ShopWeb.Router.GET /faq"),
        ["ShopWeb.FaqLive route convention", "ShopWeb.FaqLive.render/1 route convention"]
    );
}

#[test]
fn a_request_of_a_test_leads_to_the_route_with_its_verb() {
    let graph = graph(
        r#"
== lib/shop_web/router.ex
defmodule ShopWeb.Router do
  use Phoenix.Router
  scope "/", ShopWeb do
    get "/orders/:id", OrderController, :show
    delete "/orders/:id", OrderController, :delete
    live "/cart", CartLive
  end
end
== lib/shop_web/order_controller.ex
defmodule ShopWeb.OrderController do
  def show(conn, _), do: conn
  def delete(conn, _), do: conn
end
== lib/shop_web/client.ex
defmodule ShopWeb.Client do
  def remote(client), do: get(client, "/orders/1")
end
== test/order_test.exs
defmodule OrderTest do
  use ShopWeb.ConnCase
  test "shows", %{conn: conn}, do: get(conn, "/orders/#{1}?full=1")
  test "deletes", %{conn: conn}, do: conn |> delete("/orders/2")
  test "heads", do: conn(:head, "/orders/3")
  test "mounts", %{conn: conn}, do: live(conn, "/cart")
  test "posts", %{conn: conn}, do: post(conn, "/orders/4")
  test "asks nothing", %{map: map}, do: {Map.get(map, "/orders/5"), get(map, "orders/6"), put(map, :a, "/orders/7")}
end
"#,
    );
    let tests = |route: &str| -> Vec<String> {
        let id = graph.find(route).unwrap()[0].id;
        let hits = graph.dependents(&[id], 1, &[LinkKind::Route]);
        hits.iter().map(|hit| format!("{} {}", hit.symbol.name, hit.basis.as_str())).collect()
    };
    assert_eq!(tests("ShopWeb.Router.GET /orders/:id"), ["shows convention", "heads convention"]);
    assert_eq!(tests("ShopWeb.Router.DELETE /orders/:id"), ["deletes convention"]);
    assert_eq!(tests("ShopWeb.Router.GET /cart"), ["mounts convention"]);
}
