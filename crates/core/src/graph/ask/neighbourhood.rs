//! The surroundings of symbols as text for a prompt: one line for each symbol, within a budget of tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::dense::{NumberedGraph, Tie};
use crate::graph::{CodeGraph, LinkKind, Symbol, SymbolId};
use crate::syntax::DefinitionKind;
use crate::{Cancel, Result};

/// After how many symbols in a row that do not fit no more are tried.
const MOST_MISFITS: usize = 16;

/// How many ties of a symbol are named.
const MOST_TIES: usize = 3;

/// How much of a line of source is shown, in characters.
const LONGEST_HEAD: usize = 120;

/// How a text is made out of the surroundings of symbols.
pub struct NeighbourhoodOptions<'a> {
    /// The most tokens that the text may have, as `count` counts them.
    pub budget: usize,
    /// The number of tokens of a text.
    pub count: &'a dyn Fn(&str) -> usize,
    /// The text of the file of a path, for the heads of definitions; without it there are none.
    pub source: &'a dyn Fn(&str) -> Option<Arc<str>>,
}

/// The surroundings of symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// A line `path:line Mod.fun/arity  (how it is tied)` for each symbol and below it the head of its definition. Those of
    /// one file and module stand together, nearest first, and groups are separated by an empty line.
    pub text: String,
    /// The tokens of `text`: never more than the budget.
    pub tokens: usize,
    /// The symbols in it, nearest first.
    pub symbols: Vec<SymbolId>,
    /// How many symbols that have to do with those asked for are not in it.
    pub omitted: usize,
}

impl CodeGraph {
    /// The symbols asked for, what they contain, what depends on them and what they depend on, and then whatever else is
    /// tied to these, by personalised PageRank. A module stands for all that it defines. Unknown symbols are ignored.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn neighbourhood(
        &self,
        symbols: &[SymbolId],
        options: &NeighbourhoodOptions,
        cancel: &Cancel,
    ) -> Result<Neighbourhood> {
        let kinds: Vec<_> = LinkKind::ALL.into_iter().filter(|kind| *kind != LinkKind::Alias).collect();
        let dense = NumberedGraph::of(self, &kinds);
        let places = places(&dense, symbols);
        if places.is_empty() {
            return Ok(Neighbourhood::default());
        }
        let seeds: Vec<_> =
            places.iter().filter(|place| place.depth == 0).map(|place| dense.symbols[place.at].id).collect();
        let scores: FxHashMap<SymbolId, f64> =
            self.rank(&seeds, cancel)?.into_iter().map(|(symbol, score)| (symbol.id, score)).collect();
        let places = ordered(&dense, places, &scores);
        let mut items = Vec::new();
        let (mut tokens, mut misfits) = (0, 0);
        for place in &places {
            cancel.check()?;
            let item = Item::new(&dense, place, options.source);
            let cost = (options.count)(&item.text);
            if tokens + cost > options.budget {
                misfits += 1;
                if misfits == MOST_MISFITS {
                    break;
                }
                continue;
            }
            (tokens, misfits) = (tokens + cost, 0);
            items.push(item);
        }
        // Symbols were counted one by one; what counts is the whole.
        loop {
            let text = text(&items);
            let tokens = if items.is_empty() { 0 } else { (options.count)(&text) };
            if tokens <= options.budget {
                let omitted = places.len() - items.len();
                let symbols = items.iter().map(|item| item.symbol.id).collect();
                return Ok(Neighbourhood { text, tokens, symbols, omitted });
            }
            // A sixteenth at once, so that a counter that is far off does not make this long.
            items.truncate(items.len() - items.len().div_ceil(16));
        }
    }
}

/// A symbol and how it belongs to those that were asked for.
struct Neighbour {
    at: usize,
    depth: usize,
    /// The symbol one step nearer.
    via: usize,
}

/// Everything that is tied to `symbols`, by a search in breadth along links in both directions.
fn places(dense: &NumberedGraph, symbols: &[SymbolId]) -> Vec<Neighbour> {
    let mut seen = vec![false; dense.symbols.len()];
    let mut places: Vec<Neighbour> = Vec::new();
    let mut reach = |places: &mut Vec<Neighbour>, at: usize, depth: usize, via: usize| {
        if !std::mem::replace(&mut seen[at], true) {
            places.push(Neighbour { at, depth, via });
        }
    };
    let asked: Vec<usize> = symbols.iter().filter_map(|id| dense.number(*id)).collect();
    asked.iter().for_each(|at| reach(&mut places, *at, 0, *at));
    let modules: BTreeMap<_, _> = asked
        .iter()
        .filter(|at| dense.symbols[**at].is_module())
        .map(|at| ((&dense.symbols[*at].module, &dense.symbols[*at].file), *at))
        .collect();
    for (at, symbol) in dense.symbols.iter().enumerate() {
        if let Some(module) = modules.get(&(&symbol.module, &symbol.file)) {
            reach(&mut places, at, 0, *module);
        }
    }
    let (successors, predecessors) = (dense.successors(), dense.successors().reversed());
    let mut next = 0;
    while let Some(&Neighbour { at, depth, .. }) = places.get(next) {
        next += 1;
        for other in successors.of(at).iter().chain(predecessors.of(at)) {
            reach(&mut places, *other, depth + 1, at);
        }
    }
    places
}

/// Those that were asked for, their neighbours, all others; each by score.
fn ordered(
    dense: &NumberedGraph,
    mut places: Vec<Neighbour>,
    scores: &FxHashMap<SymbolId, f64>,
) -> Vec<Neighbour> {
    let score = |place: &Neighbour| scores.get(&dense.symbols[place.at].id).copied().unwrap_or(0.0);
    places.sort_by(|a, b| {
        let by_depth = a.depth.min(2).cmp(&b.depth.min(2));
        let by_score = if a.depth == 0 { std::cmp::Ordering::Equal } else { score(b).total_cmp(&score(a)) };
        by_depth.then(by_score).then(a.at.cmp(&b.at))
    });
    places
}

/// A symbol as it is shown.
struct Item<'g> {
    symbol: &'g Symbol,
    text: String,
}

impl<'g> Item<'g> {
    fn new(dense: &'g NumberedGraph, place: &Neighbour, source: &dyn Fn(&str) -> Option<Arc<str>>) -> Self {
        let symbol = &dense.symbols[place.at];
        let head = source(&symbol.file).and_then(|text| head(symbol, &text));
        let line = head.as_ref().map_or(symbol.span.line_start, |(line, _)| *line);
        let head = head.map(|(_, head)| format!("  {head}\n")).unwrap_or_default();
        let name = one_line(&symbol.qualified());
        let text = format!("{}:{line} {name}  ({})\n{head}", symbol.file, tied(dense, place));
        Item { symbol, text }
    }
}

/// How a symbol belongs to the one that it was reached by: `"calls Shop.Cart.add/2"`.
fn tied(dense: &NumberedGraph, place: &Neighbour) -> String {
    let via = one_line(&dense.symbols[place.via].qualified());
    if place.depth == 0 {
        return if place.via == place.at { "asked for".into() } else { format!("defined in {via}") };
    }
    let active = dense.between(place.at, place.via).iter().map(|tie: &Tie| verbs(tie.relation.kind).0);
    let passive = dense.between(place.via, place.at).iter().map(|tie| verbs(tie.relation.kind).1);
    let verbs: Vec<&str> = active.chain(passive).take(MOST_TIES).collect();
    let far = if place.depth > 1 { format!(", {} steps away", place.depth) } else { String::new() };
    format!("{} {via}{far}", verbs.join(", "))
}

/// What the first of two tied symbols does with the second, and the second seen from the first.
fn verbs(kind: LinkKind) -> (&'static str, &'static str) {
    match kind {
        LinkKind::Call => ("calls", "called by"),
        LinkKind::Message => ("sends a message to", "gets a message from"),
        LinkKind::Dispatch => ("dispatches to", "dispatched to by"),
        LinkKind::Route => ("routes to", "routed to by"),
        LinkKind::Plug => ("plugs in", "plugged in by"),
        LinkKind::Render => ("renders", "rendered by"),
        LinkKind::Doctest => ("runs the documentation of", "documentation run by"),
        LinkKind::Supervise => ("supervises", "supervised by"),
        LinkKind::Use => ("uses", "used by"),
        LinkKind::Import => ("imports", "imported by"),
        LinkKind::Require => ("requires", "required by"),
        LinkKind::Alias => ("aliases", "aliased by"),
        LinkKind::Behaviour => ("has the behaviour", "behaviour of"),
        LinkKind::Implements => ("implements", "implemented by"),
        LinkKind::Struct => ("uses the struct of", "struct used by"),
        LinkKind::Module => ("names", "named by"),
        LinkKind::Type => ("uses a type of", "type used by"),
        LinkKind::Schema => ("uses the schema", "schema used by"),
        LinkKind::Config => ("reads the configuration", "read by"),
    }
}

/// The line of a definition that says what is defined, after documentation and specs, and its number.
fn head(symbol: &Symbol, source: &str) -> Option<(u32, String)> {
    use DefinitionKind::{Callback, Type};
    let span = symbol.span;
    let text = source.get(span.start as usize..span.end as usize)?;
    let starts: &[&str] = match symbol.kind {
        Type => &["@type", "@opaque", "-type", "-opaque"],
        Callback => &["@callback", "@macrocallback", "-callback"],
        _ if symbol.is_module() || symbol.is_callable() => &["def"],
        _ => &[],
    };
    let mut in_text = false;
    let mut first = None;
    for (number, line) in (span.line_start..).zip(text.lines()) {
        let was_in_text = in_text;
        if (line.matches("\"\"\"").count() + line.matches("'''").count()) % 2 == 1 {
            in_text = !in_text;
        }
        let line = line.trim();
        if was_in_text || line.is_empty() {
            continue;
        }
        // Erlang has no word before a function.
        let is_head = starts.iter().any(|start| line.starts_with(start))
            || line.strip_prefix(&*symbol.name).is_some_and(|rest| rest.starts_with('('));
        if is_head || starts.is_empty() {
            return Some((number, shortened(line)));
        }
        first.get_or_insert_with(|| (number, shortened(line)));
    }
    first
}

fn shortened(line: &str) -> String {
    let line = line.strip_suffix(" do").unwrap_or(line);
    match line.char_indices().nth(LONGEST_HEAD) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Names of tests may have several lines.
fn one_line(name: &str) -> String {
    name.split(char::is_control).collect::<Vec<_>>().join(" ")
}

/// The items by file and module, groups and items in the order of `items`.
fn text(items: &[Item]) -> String {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut numbers: FxHashMap<(&str, &str), usize> = FxHashMap::default();
    for item in items {
        let group = *numbers.entry((&item.symbol.file, &item.symbol.module)).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(&item.text);
    }
    groups.into_iter().map(|group| group.concat()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::testing::graph;

    const SHOP: &str = r#"
== lib/cart.ex
defmodule Shop.Cart do
  @doc """
  Adds.

      def add(fake) do
  """
  @spec add(list, term) :: list
  def add(cart, item) when is_list(cart) do
    [check(item) | cart]
  end

  defp check(item), do: Shop.Tax.check(item)
end
== lib/tax.ex
defmodule Shop.Tax do
  def check(x), do: rate(x)
  defp rate(x), do: x
  def far(x), do: x
end
== lib/web.ex
defmodule Shop.Web do
  def add(item), do: Shop.Cart.add([], item)
end
== test/cart_test.exs
defmodule Shop.CartTest do
  test "adds", do: Shop.Cart.add([], 1)
end
"#;

    fn source(path: &str) -> Option<Arc<str>> {
        let (_, rest) = SHOP.split_once(&format!("== {path}\n"))?;
        Some(rest.split("== ").next()?.into())
    }

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn around(name: &str, budget: usize) -> Neighbourhood {
        let graph = graph(SHOP);
        let id = graph.find(name).unwrap()[0].id;
        let options = NeighbourhoodOptions { budget, count: &words, source: &source };
        graph.neighbourhood(&[id], &options, &Cancel::new()).unwrap()
    }

    #[test]
    fn the_nearest_come_first_with_their_heads_and_ties() {
        let all = around("Shop.Cart.add/2", 1000);
        assert_eq!(
            all.text,
            r#"lib/cart.ex:8 Shop.Cart.add/2  (asked for)
  def add(cart, item) when is_list(cart)
lib/cart.ex:12 Shop.Cart.check/1  (called by Shop.Cart.add/2)
  defp check(item), do: Shop.Tax.check(item)

lib/web.ex:2 Shop.Web.add/1  (calls Shop.Cart.add/2)
  def add(item), do: Shop.Cart.add([], item)

test/cart_test.exs:2 Shop.CartTest.adds  (calls Shop.Cart.add/2)
  test "adds", do: Shop.Cart.add([], 1)

lib/tax.ex:2 Shop.Tax.check/1  (called by Shop.Cart.check/1, 2 steps away)
  def check(x), do: rate(x)
lib/tax.ex:3 Shop.Tax.rate/1  (called by Shop.Tax.check/1, 3 steps away)
  defp rate(x), do: x
"#
        );
        assert_eq!((all.symbols.len(), all.omitted), (6, 0));
        let some = around("Shop.Cart.add/2", 20);
        assert!(some.tokens <= 20 && some.omitted > 0 && some.text.starts_with("lib/cart.ex:8"), "{some:?}");
        let module = around("Shop.Tax", 1000);
        assert!(module.text.contains("Shop.Tax.far/1  (defined in Shop.Tax)"), "{}", module.text);
        assert!(module.text.starts_with("lib/tax.ex:1 Shop.Tax  (asked for)\n  defmodule Shop.Tax\n"));
        assert_eq!(around("Shop.Tax", 1).text, "");
    }

    #[test]
    fn without_sources_there_are_no_heads() {
        let graph = graph(SHOP);
        let id = graph.find("Shop.Web.add/1").unwrap()[0].id;
        let options = NeighbourhoodOptions { budget: 9, count: &words, source: &|_| None };
        let found = graph.neighbourhood(&[id, id], &options, &Cancel::new()).unwrap();
        assert_eq!(
            found.text,
            "lib/web.ex:2 Shop.Web.add/1  (asked for)\n\n\
             lib/cart.ex:2 Shop.Cart.add/2  (called by Shop.Web.add/1)\n"
        );
        let empty = graph.neighbourhood(&[], &options, &Cancel::new()).unwrap();
        assert_eq!(empty, Neighbourhood::default());
    }

    proptest! {
        #[test]
        fn never_over_budget_and_nothing_twice(budget in 0..300_usize, picks in prop::collection::vec(0..12_usize, 1..3)) {
            let graph = graph(SHOP);
            let all: Vec<_> = graph.symbols().map(|symbol| symbol.id).collect();
            let ids: Vec<_> = picks.iter().filter_map(|pick| all.get(*pick).copied()).collect();
            // The last one counts more for the whole than for its parts.
            let counters: [&dyn Fn(&str) -> usize; 3] = [&words, &str::len, &|text| text.len() * text.len() / 400];
            for count in counters {
                let options = NeighbourhoodOptions { budget, count, source: &source };
                let found = graph.neighbourhood(&ids, &options, &Cancel::new()).unwrap();
                prop_assert!(found.tokens <= budget);
                prop_assert_eq!(found.tokens, if found.symbols.is_empty() { 0 } else { count(&found.text) });
                let mut once = found.symbols.clone();
                once.sort_unstable();
                once.dedup();
                prop_assert_eq!(once.len(), found.symbols.len());
                for symbol in &found.symbols {
                    let name = format!(" {}  (", graph.symbol(*symbol).unwrap().qualified());
                    prop_assert_eq!(found.text.matches(&name).count(), 1, "{}", &name);
                }
                prop_assert_eq!(&found, &graph.neighbourhood(&ids, &options, &Cancel::new()).unwrap());
            }
        }
    }
}
