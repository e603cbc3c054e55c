//! Templates in, facts out, both as text.

use std::fmt::Write;

use proptest::prelude::*;

use crate::source::File;
use crate::syntax::{DefinitionKind, FileFacts, Reference, ReferenceKind, analyse};

fn facts(path: &str, source: &str) -> FileFacts {
    analyse(&File::new(path, source))
}

/// One line for each reference: its line, what kind if not a call, what to, and `?` when it is not certain.
fn shown(facts: &FileFacts) -> String {
    let mut seen = String::new();
    // The calls of sigils stand for themselves.
    for r in facts.references.iter().filter(|r| !r.name.starts_with("sigil_")) {
        let kind = match r.kind {
            ReferenceKind::Call => String::new(),
            kind => format!("{} ", format!("{kind:?}").to_lowercase()),
        };
        write!(seen, "{} {kind}{}", r.span.line_start, r.module.as_deref().unwrap_or("")).unwrap();
        if !r.name.is_empty() {
            write!(seen, "{}{}", if r.module.is_some() { "." } else { "" }, r.name).unwrap();
        }
        if let Some(arity) = r.arity {
            write!(seen, "/{arity}").unwrap();
        }
        writeln!(seen, "{}", if r.basis.is_certain() { "" } else { "?" }).unwrap();
    }
    seen
}

fn compare(source: &str, seen: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(seen), lines(expected), "of\n{source}");
}

/// The references of a template, which has no errors.
fn template(path: &str, source: &str, expected: &str) {
    let facts = facts(path, source);
    assert_eq!(facts.diagnostics, [], "of\n{source}");
    assert!(facts.references.iter().all(|reference| reference.from == Some(0)));
    check_places(&facts, source);
    compare(source, &shown(&facts), expected);
}

fn heex(source: &str, expected: &str) {
    template("lib/a.html.heex", source, expected);
}

fn eex(source: &str, expected: &str) {
    template("lib/a.html.eex", source, expected);
}

fn elixir(source: &str, expected: &str) -> FileFacts {
    let facts = facts("lib/shop_web/page.ex", source);
    check_places(&facts, source);
    compare(source, &shown(&facts), expected);
    facts
}

/// Whether the text at a reference holds its name, as far as the name is written.
fn is_named(reference: &Reference, source: &str) -> bool {
    let text = &source[reference.span.start as usize..reference.span.end as usize];
    let first = |name: &str| name.split([':', '*']).next().unwrap_or_default().to_owned();
    match (reference.kind, &*reference.name) {
        (ReferenceKind::Call, "get") if reference.module.as_deref() == Some("Access") => true,
        (ReferenceKind::Render, name) => name.split('/').any(|part| text.contains(part)),
        (ReferenceKind::Route, name) => text.contains(&first(name)),
        (_, name) => text.contains(name.strip_prefix("sigil_").unwrap_or(name)),
    }
}

fn check_places(facts: &FileFacts, source: &str) {
    for reference in &facts.references {
        assert!(is_named(reference, source), "{reference:?} of\n{source}");
        let line = 1 + source[..reference.span.start as usize].matches('\n').count();
        assert_eq!(reference.span.line_start as usize, line, "{reference:?} of\n{source}");
    }
}

#[test]
fn a_template_is_one_definition() {
    for path in ["lib/page.html.heex", "page.eex", "old.html.leex"] {
        let facts = facts(path, "<p>\n</p>\n");
        let [definition] = &facts.definitions[..] else { panic!("one definition") };
        assert_eq!((definition.kind, &*definition.name), (DefinitionKind::Template, path));
        assert_eq!((&*definition.module, definition.qualified()), ("", path.to_owned()));
        assert_eq!((definition.span.start, definition.span.end, definition.span.line_end), (0, 9, 3));
        assert_eq!((facts.references.len(), facts.chunks.len()), (0, 1));
    }
}

#[test]
fn tags_are_one_program() {
    eex(
        "<%= for x <- xs(), y = x do %>\n  <b><%= show x %><%= y %></b><%= A.b(y)%>\n<% end %>\n\
         <%= if @a do %>1<% else %><%= c(1) %><% end %>\n\
         <%= case d(2) do %>\n <% @x == [] -> %>1\n <% {:ok, e} -> %><%= e %>\n <% _ ->%>\n<% end %>\n\
         <%= form_for @x, fn f -> %>\n  <%= f |> label(:y) %>\n<% end %>\n\
         <%= tag(:div) do %><% end %><%= -1 %><% z = 1 %><%= z %>",
        "1 xs/0
         2 show/1
         2 A.b/1
         4 c/1
         5 d/1
         10 form_for/2
         11 label/2
         13 tag/2",
    );
}

#[test]
fn comments_and_quotations_are_not_code() {
    eex(
        "<%% a() %><%# b() %><%!-- <% c() %> --%><% # d() %><%= e(1) # f() %><%= g(\n  1) %><%| h() %><%/ i() %> {j()} <.k />",
        "1 e/1
         1 g/1
         2 h/0
         2 i/0",
    );
    heex(
        "<!-- {a()} <.b /> <%= c() %> --><script x={d()}>if (a) { e() } <%= f() %> <.g /></script>\n\
         <style>.h { color: i }</style><!doctype html><p title=\"{j()} <.k>\" alt='{l()}'>{m()}</p>",
        "1 c/0
         1 d/0
         1 f/0
         2 m/0",
    );
    heex(
        "<pre phx-no-curly-interpolation>{a()} <p>{b()}<br></p> <.c d={e()}>{f()}</.c></pre>{g()}",
        "1 c/1
         1 e/0
         1 g/0",
    );
}

#[test]
fn components_are_calls() {
    heex(
        "<.header>\n  <:sub>{a(@b)}</:sub>\n</.header>\n<Core.Form.input field={@f[:x]} {@rest} /><Local.x/>\n\
         <.live_component module={Shop.Cart} id=\"c\" /><div.x></div.x><Not.A></Not.A><.><.link navigate={~p\"/\"}>",
        "1 header/1
         2 a/1
         4 Core.Form.input/1
         4 Access.get/2
         4 Local.x/1
         5 live_component/1
         5 module Shop.Cart
         5 link/1
         5 route /",
    );
}

#[test]
fn a_name_by_itself_is_no_call() {
    heex(
        "<li class={x.c} id={y} :for={{x, %{a: y}} <- list(@xs)} :if={x}>{x.name}{y}</li>\n\
         <.form :let={f} for={@f}><.input field={f[:a]} /></.form>\n\
         <:col :let={%User{id: id} = user}\n>{id}{user}{name()}{given}</:col><%= z |> f %>{&g/1}",
        "1 list/1
         2 form/1
         2 input/1
         2 Access.get/2
         3 struct User
         4 name/0
         4 f/1
         4 g/1",
    );
}

#[test]
fn braces_are_counted_as_live_view_counts_them() {
    heex(
        "{%{a: {1, b()}}}<p class={[\"x\", c() && \"\\}\"]} {%{d: e()}}>{\n  f()\n}</p>{# g() \n}{h()}{}{ }",
        "1 b/0
         1 c/0
         1 e/0
         2 f/0
         4 h/0",
    );
}

#[test]
fn verified_routes_are_routes() {
    heex(
        "<.link navigate={~p\"/users/#{id(@user)}/edit?#{[a: b()]}\"}>x</.link>\n<a href={~p\"/a#b\"}></a>",
        "1 link/1
         1 route /users/:_/edit
         1 id/1
         1 b/0
         2 route /a",
    );
    elixir(
        "defmodule A do\n  def a(x), do: {~p\"/a/#{x}\", ~p(/b), ~p\"#{x}/c\"}\nend",
        "2 route /a/:_\n2 route /b",
    );
}

#[test]
fn sigils_see_what_is_around_them() {
    let facts = elixir(
        r#"
defmodule ShopWeb.Page do
  use Phoenix.Component
  alias Shop.Cart
  alias ShopWeb.Core, as: C
  @item Shop.Item

  def page(assigns) do
    x = 1
    ~H"""
    <C.button :for={y <- Cart.all()} click={x}>{y}
      {@item.name}{@item.price()}</C.button>
    <.footer year={year()} />
    """
  end

  def old(assigns), do: ~L"<%= Cart.old() %>{no}<.no>"
  def item, do: @item.new()
  def text(x), do: ~s(#{f(x)} <.no>) <> ~S(<.no>)
end
"#,
        "3 use Phoenix.Component
         4 alias Shop.Cart
         5 alias ShopWeb.Core
         6 module Shop.Item
         11 ShopWeb.Core.button/1
         11 Shop.Cart.all/0
         13 footer/1
         13 year/0
         17 Shop.Cart.old/0
         18 Shop.Item.new/0
         19 f/1",
    );
    let owner = |at: usize| facts.definitions[facts.references[at].from.unwrap() as usize].qualified();
    assert_eq!((owner(4), owner(7)), ("ShopWeb.Page.page/1".into(), "ShopWeb.Page.page/1".into()));
    assert_eq!(facts.diagnostics, []);
}

#[test]
fn attributes_and_slots_belong_to_their_component() {
    let source = r#"
defmodule A do
  @doc "A button."
  attr :kind, :string, default: "x"
  attr :user, Shop.User

  slot :inner, required: true do
    attr :label, :string
  end

  def button(assigns), do: ~H"<b></b>"

  attr :rest, :global

  def plain(assigns), do: ~H"<b></b>"
  attr x, 1
end
"#;
    let facts = elixir(source, "5 module Shop.User\n16 attr/2\n16 x/0");
    let lines = |name: &str| {
        let found = facts.definitions.iter().find(|definition| &*definition.name == name).unwrap();
        (found.span.line_start, found.span.line_end, found.doc.as_deref())
    };
    assert_eq!(lines("button"), (3, 11, Some("A button.")));
    assert_eq!(lines("plain"), (13, 15, None));
}

#[test]
fn modules_say_which_templates_they_take_in_and_render() {
    elixir(
        r#"
defmodule A do
  embed_templates "page_html/*"
  embed_templates "../x/./*", root: __DIR__
  embed_templates "y/*", root: "priv"
  embed_templates "../../../up/*"

  def a(conn, x) do
    render(conn, :home, a: 1)
    conn |> put_view(html: A.HTML, json: A.JSON) |> render("a/show.json")
    put_layout(conn, html: {A.Layouts, :app})
    Phoenix.Template.render_to_string(A.View, "mail", "html", x)
    render(A.View, "form.v2.html", x)
    render(conn, x)
    EEx.eval_file("priv/./x.eex", a: 1)
    EEx.eval_file(Path.join(__DIR__, "y.eex"))
  end
end
"#,
        "3 embed_templates/1
         3 render lib/shop_web/page_html/*
         4 embed_templates/2
         4 render lib/x/*
         5 embed_templates/2
         5 render priv/y/*
         6 embed_templates/1
         9 render/3
         9 render home?
         10 put_view/2
         10 module A.HTML
         10 render A.HTML?
         10 module A.JSON
         10 render A.JSON?
         10 render/2
         10 render a/show?
         11 put_layout/2
         11 module A.Layouts
         11 render A.Layouts.app?
         12 Phoenix.Template.render_to_string/4
         12 module A.View
         12 render A.View.mail?
         13 render/3
         13 module A.View
         13 render A.View.form.v2?
         14 render/2
         15 EEx.eval_file/2
         15 render priv/x.eex?
         16 EEx.eval_file/1
         16 render lib/shop_web/y.eex?
         16 Path.join/2",
    );
}

#[test]
fn eex_defines_functions() {
    let facts = elixir(
        r#"
defmodule A do
  require EEx
  EEx.function_from_file(:def, :page, "lib/page.eex", [:a, :b])
  EEx.function_from_string(:defp, :line, "<%= B.show(c) %><%= d() %>", [:c])
  EEx.function_from_string(:def, :escaped, "<%= e(\"x\") %>", [])
end
"#,
        "3 require EEx
         4 EEx.function_from_file/4
         4 render lib/page.eex?
         5 EEx.function_from_string/4
         5 B.show/1
         5 d/0
         6 EEx.function_from_string/4",
    );
    let seen: Vec<_> = facts.definitions.iter().map(|d| (d.qualified(), d.public)).collect();
    let expected = [("A", true), ("A.page/2", true), ("A.line/1", false), ("A.escaped/0", true)];
    assert_eq!(seen, expected.map(|(name, public)| (name.to_owned(), public)));
    let show = facts.references.iter().find(|r| &*r.name == "show").unwrap();
    assert_eq!(show.from, Some(2));
}

#[test]
fn what_is_broken_costs_little() {
    for (source, names) in [
        ("{a()}<p x={b(}>{c()}</p>{d() e}{f()}", &["a", "c", "f"][..]),
        ("{a()}<%= b( %>{c()}<%= if d() do %>{e()", &["a", "c", "d"]),
        ("<.a <.b>{c()}<%= d()", &["a", "b", "c"]),
        ("<p>{x do}</p>{a()}<.b/>{\"}<.c/>", &["a", "b", "c"]),
        ("<%= for x <- a() do %>{)}<.b/><% end %>{c()}", &["a", "b", "c"]),
    ] {
        let facts = facts("a.heex", source);
        let seen: Vec<_> = facts.references.iter().map(|r| &*r.name).collect();
        assert_eq!(seen, names, "of {source}");
        assert!(!facts.diagnostics.is_empty(), "of {source}");
        assert!(facts.diagnostics.iter().all(|d| d.code == "syntax" && d.span.is_some()));
        check_places(&facts, source);
    }
}

/// Whole parts of templates and fragments of them.
fn part() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![
        "<.icon name={x} />",
        "<A.B.c>",
        "</A.B.c>",
        "<%= if a() do %>",
        "<% else %>",
        "<% end %>",
        "{b(c)}",
        "<li :for={d <- e()}>",
        "</li>",
        "<.form :let={f} for={g()}>",
        "</.form>",
        "\n",
        "é ",
        "<!-- x -->",
        "<%= for i <- j do %>",
        "<script>{k()}</script>",
        "{~p\"/l/#{m}\"}",
        "<%= n(&o/1) %>",
        "{\n@p.q}",
    ]);
    prop_oneof![4 => whole.prop_map(str::to_owned), 1 => "[<>{}%=/.:\"'#a-dA-C \n-]{0,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn references_lie_where_their_names_are(
        parts in prop::collection::vec(part(), 0..25),
        path in prop::sample::select(vec!["a.heex", "a.eex", "a.ex"]),
    ) {
        let text = parts.concat();
        let source = if path == "a.ex" {
            format!("defmodule A do\n  def f(assigns) do\n    ~H|\n{}\n|\n  end\nend\n", text.replace('|', ""))
        } else {
            text
        };
        let facts = facts(path, &source);
        check_places(&facts, &source);
        prop_assert!(facts.references.is_sorted_by_key(|reference| reference.span.start));
        prop_assert!(facts.diagnostics.is_sorted_by_key(|diagnostic| diagnostic.span.map(|span| span.start)));
    }
}
