//! A picture of symbols or modules and what ties them: what is in it, before anything is drawn.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::layout::arrange;
use super::svg::{self, Arrow, Card, Drawing, Look};
use crate::graph::ask::dense::{Modules, NumberedGraph, Tie};
use crate::graph::{CodeGraph, LinkKind, Symbol, SymbolId};
use crate::syntax::DefinitionKind;
use crate::{Cancel, Error, ErrorKind, Result};

/// How many places of an edge its tooltip names.
const MOST_PLACES: usize = 8;

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// These symbols, or the modules that they are in; `None` for all that have a link of `kinds` to another one.
    pub symbols: Option<Vec<SymbolId>>,
    /// Links of these kinds; at first those that control passes along.
    pub kinds: Vec<LinkKind>,
    /// Whether a box is a module instead of a symbol; at first not.
    pub modules: bool,
    /// The most boxes; at first 150. Several hundred take seconds and can hardly be read.
    pub max_nodes: usize,
}

impl Default for Picture {
    fn default() -> Self {
        let kinds = LinkKind::ALL.into_iter().filter(|kind| kind.is_call()).collect();
        Picture { symbols: None, kinds, modules: false, max_nodes: 150 }
    }
}

impl CodeGraph {
    /// An SVG document with a box for each symbol or module and an arrow for each pair of which one depends on the other,
    /// from left to right as far as there are no cycles. It follows the reader's choice of light or dark. The same graph
    /// gives the same picture.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] when there would be more than `max_nodes` boxes or far too many arrows, and those of
    /// [`Cancel::check`].
    pub fn picture(&self, picture: &Picture, cancel: &Cancel) -> Result<String> {
        let mut dense = NumberedGraph::of(self, &picture.kinds);
        let chosen: Option<FxHashSet<usize>> = picture
            .symbols
            .as_ref()
            .map(|symbols| symbols.iter().filter_map(|id| dense.number(*id)).collect());
        let mut drawing = if picture.modules {
            let wanted = chosen.map(|chosen| -> FxHashSet<Arc<str>> {
                chosen.into_iter().map(|at| dense.symbols[at].module.clone()).collect()
            });
            let modules = Modules::of(&mut dense);
            let places = module_symbols(&dense);
            let numbers = (0..modules.names.len())
                .filter(|at| wanted.as_ref().is_none_or(|wanted| wanted.contains(&modules.names[*at])));
            let card = |at: usize| module_card(&modules.names[at], places.get(&*modules.names[at]).copied());
            drawing(self, numbers, &modules.ties, wanted.is_some(), picture.max_nodes, &card)?
        } else {
            let numbers = (0..dense.symbols.len())
                .filter(|at| chosen.as_ref().is_none_or(|chosen| chosen.contains(at)));
            let card = |at: usize| symbol_card(&dense.symbols[at]);
            drawing(self, numbers, &dense.ties, chosen.is_some(), picture.max_nodes, &card)?
        };
        drawing.layout = arrange(&drawing.sizes(), &drawing.pairs(), cancel)?;
        Ok(svg::write(&drawing))
    }
}

/// The cards of `numbers`, those without arrows left out unless `with_single`, and the arrows among them.
fn drawing(
    graph: &CodeGraph,
    numbers: impl Iterator<Item = usize>,
    ties: &[Tie],
    with_single: bool,
    most: usize,
    card: &dyn Fn(usize) -> Card,
) -> Result<Drawing> {
    let numbers: FxHashSet<usize> = numbers.collect();
    let inside = |tie: &&Tie| numbers.contains(&tie.from) && numbers.contains(&tie.to);
    let mut pairs: BTreeMap<(usize, usize), Vec<&Tie>> = BTreeMap::new();
    for tie in ties.iter().filter(inside) {
        pairs.entry((tie.from, tie.to)).or_default().push(tie);
    }
    let mut shown: Vec<usize> = if with_single {
        numbers.iter().copied().collect()
    } else {
        pairs.keys().filter(|(from, to)| from != to).flat_map(|(from, to)| [*from, *to]).collect()
    };
    shown.sort_unstable();
    shown.dedup();
    if shown.len() > most {
        let message = format!(
            "the picture would have {} boxes, and at most {most} are allowed; ask for fewer symbols or kinds of links, for \
             modules instead of symbols, or allow more",
            shown.len()
        );
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let place: FxHashMap<usize, usize> = shown.iter().enumerate().map(|(at, number)| (*number, at)).collect();
    let mut drawing = Drawing { cards: shown.iter().map(|at| card(*at)).collect(), ..Drawing::default() };
    for ((from, to), ties) in pairs {
        if let (Some(&from), Some(&to)) = (place.get(&from), place.get(&to)) {
            let (a, b) = (&drawing.cards[from].name, &drawing.cards[to].name);
            let title = format!("{a} → {b}\n{}", reasons(graph, &ties));
            let certain = ties.iter().any(|tie| tie.relation.basis.is_certain());
            drawing.arrows.push(Arrow { from, to, certain, title });
        }
    }
    Ok(drawing)
}

/// A line for each kind of link, with its places: `"call: lib/shop.ex:3, lib/shop.ex:7"`.
fn reasons(graph: &CodeGraph, ties: &[&Tie]) -> String {
    let mut kinds: BTreeMap<LinkKind, Vec<String>> = BTreeMap::new();
    for tie in ties {
        let file = graph.symbol(tie.relation.from).map(|symbol| symbol.file.clone()).unwrap_or_default();
        let places = kinds.entry(tie.relation.kind).or_default();
        places.extend(tie.relation.sites.iter().map(|site| format!("{file}:{}", site.line_start)));
    }
    let line = |(kind, mut places): (LinkKind, Vec<String>)| {
        places.dedup();
        let more = places.len().saturating_sub(MOST_PLACES);
        places.truncate(MOST_PLACES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}: {}{more}", kind.as_str(), places.join(", "))
    };
    kinds.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn symbol_card(symbol: &Symbol) -> Card {
    let qualified = symbol.qualified();
    let short = match symbol.arity {
        Some(arity) => format!("{}/{arity}", symbol.name),
        None if symbol.is_module() => qualified.clone(),
        None => symbol.name.to_string(),
    };
    let module = if symbol.is_module() { String::new() } else { symbol.module.to_string() };
    Card {
        title: format!("{qualified}\n{} in {}:{}", symbol.kind.as_str(), symbol.file, symbol.span.line_start),
        name: qualified,
        label: short,
        group: module,
        look: look(symbol),
    }
}

fn module_card(name: &str, symbol: Option<&Symbol>) -> Card {
    let place = symbol.map(|symbol| format!("\n{}:{}", symbol.file, symbol.span.line_start));
    Card {
        title: format!("{name}{}", place.unwrap_or_default()),
        name: name.to_owned(),
        label: name.to_owned(),
        group: String::new(),
        look: symbol.map_or(Look::Module, look),
    }
}

/// The first definition of each module.
fn module_symbols(dense: &NumberedGraph) -> BTreeMap<&str, &Symbol> {
    let mut symbols: BTreeMap<&str, &Symbol> = BTreeMap::new();
    for symbol in dense.symbols.iter().filter(|symbol| symbol.is_module()) {
        symbols.entry(&symbol.module).or_insert(symbol);
    }
    symbols
}

fn look(symbol: &Symbol) -> Look {
    use DefinitionKind::{Delegate, Describe, Doctest, Function, Guard, Macro, Test};
    match symbol.kind {
        Function | Delegate if symbol.public => Look::Public,
        Function | Delegate => Look::Private,
        Macro | Guard => Look::Macro,
        Test | Describe | Doctest => Look::Test,
        _ if symbol.is_module() => Look::Module,
        _ => Look::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::{calling, graph};

    fn picture(graph: &CodeGraph, picture: &Picture) -> String {
        graph.picture(picture, &Cancel::new()).unwrap()
    }

    const SHOP: &str = r#"
== lib/shop.ex
defmodule Shop do
  def left <> right, do: Shop.Cart.add(left, right)
  def lonely, do: 1
end
defmodule Shop.Cart do
  def add(cart, item), do: sum(cart) + sum(item)
  defp sum(x), do: apply(Shop, :<>, [x, x])
end
"#;

    #[test]
    fn a_picture_has_boxes_arrows_and_tooltips() {
        let svg = picture(&graph(SHOP), &Picture::default());
        for part in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ",
            "prefers-color-scheme: dark",
            "<title>Shop.&lt;&gt;/2\nfunction in lib/shop.ex:2</title>",
            ">&lt;&gt;/2</text>",
            "<title>Shop.Cart.add/2 → Shop.Cart.sum/1\ncall: lib/shop.ex:6</title>",
            "class=\"arrow guess",
        ] {
            assert!(svg.contains(part), "{part}\n{svg}");
        }
        assert!(!svg.contains("lonely"));
        assert_eq!(svg.matches("<rect class=\"box").count(), 3);
        assert_eq!(svg, picture(&graph(SHOP), &Picture::default()));
    }

    #[test]
    fn modules_and_chosen_symbols_can_be_drawn() {
        let graph = graph(SHOP);
        let modules = picture(&graph, &Picture { modules: true, ..Picture::default() });
        assert_eq!(modules.matches("<rect class=\"box").count(), 2);
        assert!(modules.contains("<title>Shop → Shop.Cart\ncall: lib/shop.ex:2</title>"), "{modules}");
        let lonely = graph.find("lonely").unwrap()[0].id;
        let one = picture(&graph, &Picture { symbols: Some(vec![lonely]), ..Picture::default() });
        assert_eq!(one.matches("<rect class=\"box").count(), 1);
        let none = picture(&graph, &Picture { symbols: Some(vec![]), ..Picture::default() });
        assert!(none.ends_with("</svg>\n"));
    }

    #[test]
    fn too_large_a_picture_is_an_error_that_says_what_to_do() {
        let graph = calling(5, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        let small = Picture { max_nodes: 4, ..Picture::default() };
        let error = graph.picture(&small, &Cancel::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(
            error.to_string().contains("5 boxes") && error.to_string().contains("ask for fewer"),
            "{error}"
        );
    }
}
