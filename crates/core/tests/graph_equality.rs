//! After any sequence of edits, renames, moves and deletions the graph is the one that a fresh build of the same files
//! gives. `PROPTEST_CASES=12800` makes ten thousand steps of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambix_core::graph::CodeGraph;
use ambix_core::source::File;
use ambix_core::syntax::analyse;
use proptest::prelude::ProptestConfig;

/// A small generator of numbers (SplitMix64, Steele, Lea and Flood 2014): the same seed gives the same edits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

const MODULES: [&str; 8] =
    ["A", "B", "Shop", "Shop.Cart", "ShopWeb", "ShopWeb.CartController", "ShopWeb.CartHTML", "Proto"];
const FUNCTIONS: [&str; 6] = ["one", "two", "three", "index", "handle_call", "__using__"];
const PATHS: [&str; 10] = [
    "lib/a.ex",
    "lib/b.ex",
    "lib/z.ex",
    "lib/shop/cart.ex",
    "lib/shop_web/cart_live.ex",
    "lib/shop_web/cart_live.html.heex",
    "lib/shop_web/cart_html/index.html.heex",
    "lib/shop_web/cart_html/two.html.eex",
    "src/old.erl",
    "test/a_test.exs",
];

/// A line that ties things together in one of the ways that the graph knows.
fn statement(random: &mut Random) -> String {
    let (module, function) = (random.pick(&MODULES), random.pick(&FUNCTIONS));
    match random.below(30) {
        0 => format!("use {module}"),
        1 => format!("use {module}, :{function}"),
        2 => format!("import {module}"),
        3 => format!("import {module}, only: [{function}: 1]"),
        4 => format!("alias {module}, as: {}", random.pick(&["A", "B", "X"])),
        5 => format!("@behaviour {module}"),
        6 => format!("@callback {function}(term) :: term"),
        7 => format!("@type {function}() :: {module}.{function}()"),
        8 => format!("@before_compile {module}"),
        9 => random
            .pick(&[
                "use GenServer",
                "use Phoenix.Router",
                "import Config",
                "@behaviour Plug",
                "@derive Plug",
            ])
            .into(),
        10 => "embed_templates \"cart_html/*\"".into(),
        11 => format!("defstruct [:{function}]"),
        12 => format!(
            "defmacro __using__(_), do: quote(do: (import {module}; alias {module}, as: X; def {function}(a), do: a))"
        ),
        13 => format!(
            "defmacro __using__(_) do\n quote do\n use {module}\n @behaviour {module}\n def two(a, b \\\\ 1), do: {{a, b}}\n end\n end"
        ),
        14 => format!("def handle_call({{:{function}, _}}, _, s), do: {{:reply, s, s}}"),
        15 => format!("def go, do: GenServer.call({module}, {{:{function}, 1}})"),
        16 => format!("get \"/{function}/:id\", {module}, :{function}"),
        17 => format!("def index(conn, _), do: render(conn, :{function})"),
        18 => format!("defdelegate {function}(a), to: {module}"),
        19 => format!("def {function}(a \\\\ 1), do: {module}.{}(a)", random.pick(&FUNCTIONS)),
        20 => format!("defp {function}(a), do: {}(a)", random.pick(&FUNCTIONS)),
        21 => format!("def {function}(a), do: X.{}(a)", random.pick(&FUNCTIONS)),
        22 => format!("@conf Application.get_env(:shop, :{function})"),
        23 => format!("def path, do: ~p\"/{function}/1\""),
        24 => format!("def {function}(a, b), do: %{module}{{}}"),
        25 => format!(
            "defimpl {module}, for: [{}, {}] do\n def {function}(a), do: a\n end",
            random.pick(&MODULES),
            random.pick(&MODULES)
        ),
        26 => format!("test \"{function}\", do: {module}.{function}(1)"),
        _ => format!("def {function}(a), do: {}(a)", random.pick(&FUNCTIONS)),
    }
}

fn text(path: &str, random: &mut Random) -> String {
    let (module, function) = (random.pick(&MODULES), random.pick(&FUNCTIONS));
    if path.ends_with("eex") {
        return format!("<p><%= {function}(1) %><.{function} a={{{module}.two(@x)}} /></p>\n");
    }
    if path.ends_with(".erl") {
        return format!(
            "-module(old).\n-export([{function}/1]).\n{function}(X) -> two(X), '{module}':one(X).\ntwo(X) -> X.\n"
        );
    }
    let keyword = if random.below(8) == 0 { "defprotocol" } else { "defmodule" };
    let mut text = format!("{keyword} {module} do\n");
    for _ in 0..random.below(8) {
        text.push_str(&statement(random));
        text.push('\n');
    }
    text.push_str("end\n");
    text
}

/// One change of the tree: the paths that it touches are given back.
fn edit(files: &mut BTreeMap<&'static str, String>, random: &mut Random) -> Vec<&'static str> {
    let path = PATHS[random.below(PATHS.len())];
    let other = PATHS[random.below(PATHS.len())];
    match (random.below(10), files.get(path).cloned()) {
        (0 | 1, Some(_)) => {
            files.remove(path);
            vec![path]
        }
        // A file is moved, or two change places.
        (2, Some(text)) => {
            match files.remove(other) {
                Some(there) if other != path => files.insert(path, there),
                _ => files.remove(path),
            };
            files.insert(other, text);
            vec![path, other]
        }
        // A line goes away or comes.
        (3, Some(old)) => {
            let mut lines: Vec<&str> = old.lines().collect();
            if lines.len() > 2 {
                lines.remove(1 + random.below(lines.len() - 2));
            }
            files.insert(path, lines.join("\n"));
            vec![path]
        }
        (4 | 5, Some(old)) => {
            let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
            if !path.ends_with("eex") {
                let at = if lines.len() > 2 { 1 + random.below(lines.len() - 2) } else { lines.len().min(1) };
                lines.insert(at, statement(random));
            }
            files.insert(path, lines.join("\n"));
            vec![path]
        }
        // A name is changed everywhere in the file.
        (6, Some(old)) => {
            let (from, to) = (random.pick(&FUNCTIONS), random.pick(&FUNCTIONS));
            files.insert(path, old.replace(from, to));
            vec![path]
        }
        _ => {
            let text = text(path, random);
            files.insert(path, text);
            vec![path]
        }
    }
}

/// All that a graph says, as text.
fn told(graph: &CodeGraph) -> String {
    let mut told = String::new();
    for symbol in graph.symbols() {
        told.push_str(&format!("{symbol:?}\n"));
        let (id, depth) = ([symbol.id], 2);
        for hit in graph.callers(&id, depth).into_iter().chain(graph.callees(&id, depth)) {
            told.push_str(&format!("  {hit:?}\n"));
        }
    }
    graph.relations().for_each(|relation| told.push_str(&format!("{relation:?}\n")));
    graph.edges().for_each(|edge| told.push_str(&format!("{edge:?}\n")));
    for behaviour in MODULES.iter().chain(&["GenServer", "Plug", "Phoenix.Router", "GenServer.handle_call/3"])
    {
        told.push_str(&format!("{behaviour} {:?}\n", graph.implementations(behaviour).unwrap_or_default()));
    }
    told.push_str(&graph.unresolved().to_string());
    told
}

fn walk(seed: u64, steps: usize) {
    let mut random = Random(seed);
    let mut files = BTreeMap::new();
    let mut graph = CodeGraph::default();
    for step in 0..steps {
        let before = (graph.clone(), told(&graph));
        // Several edits may come in one update.
        let touched: Vec<_> = (0..1 + random.below(3)).flat_map(|_| edit(&mut files, &mut random)).collect();
        let facts = |path: &str, text: &str| Arc::new(analyse(&File::new(path, text)));
        let changes = touched.iter().map(|path| (*path, files.get(path).map(|text| facts(path, text))));
        graph = graph.updated(changes.collect::<Vec<_>>());
        let fresh = CodeGraph::build(files.iter().map(|(path, text)| (*path, facts(path, text))));
        assert!(
            told(&graph) == told(&fresh),
            "seed {seed}, step {step}:\n{}",
            difference(&graph, &fresh, &files)
        );
        assert!(told(&before.0) == before.1, "seed {seed}, step {step}: the old version changed");
    }
}

fn difference(one: &CodeGraph, other: &CodeGraph, files: &BTreeMap<&str, String>) -> String {
    let (one, other) = (told(one), told(other));
    let lines = |text: &str, other: &str| -> Vec<String> {
        let known: std::collections::BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !known.contains(line)).take(5).map(str::to_owned).collect()
    };
    format!("only updated: {:#?}\nonly fresh: {:#?}\n{files:#?}", lines(&one, &other), lines(&other, &one))
}

#[test]
fn an_updated_graph_is_a_fresh_one() {
    // 256 cases if nobody says otherwise, which are 200 steps.
    let walks = ProptestConfig::default().cases.div_ceil(64);
    (0..u64::from(walks)).for_each(|seed| walk(seed, 50));
}
