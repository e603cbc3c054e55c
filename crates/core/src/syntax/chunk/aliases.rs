//! What the short names in a chunk stand for: a chunk is read apart from the `alias` lines at the head of its module.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::source::{File, Span};
use crate::syntax::facts::{Chunk, FileFacts, Reference, ReferenceKind};

/// A header names so many aliases.
const MOST: usize = 8;
/// So many are looked for in the text of a chunk, which may be one long line.
const MOST_TRIED: usize = 32;
/// A name that is given by `as:` has at most so many bytes.
const LONGEST_NAME: usize = 64;
/// What stands before the names.
const MARK: &str = "\nalias ";

/// Adds to the header of each chunk the aliases that its code goes by, in the order of their first use.
pub(super) fn name(file: &File, facts: &FileFacts, chunks: &mut [Chunk]) {
    let directives = |references: &'_ [Reference]| -> HashMap<Arc<str>, u32> {
        let aliases = references.iter().filter(|reference| reference.kind == ReferenceKind::Alias);
        aliases.filter_map(|alias| Some((alias.module.clone()?, alias.span.end))).collect()
    };
    let aliases = directives(&facts.references);
    if aliases.is_empty() {
        return;
    }
    for chunk in chunks {
        let Span { start, end, .. } = chunk.span;
        let place = |byte: u32| facts.references.partition_point(|reference| reference.span.start < byte);
        let inside = &facts.references[place(start)..place(end)];
        let shown = directives(inside);
        let text = file.slice(chunk.span);
        let (mut tried, mut named) = (HashSet::new(), Vec::new());
        for module in inside.iter().filter_map(|reference| reference.module.as_deref()) {
            let known = |prefix: &str| aliases.get_key_value(prefix);
            let Some((alias, at)) = prefixes(module).find_map(known) else { continue };
            if named.len() == MOST || tried.len() == MOST_TRIED {
                break;
            }
            if tried.insert(alias) && !shown.contains_key(alias) && !text.contains(&**alias) {
                named.push(match other_name(file, *at) {
                    Some(short) => format!("{alias} as {short}"),
                    None => alias.to_string(),
                });
            }
        }
        if !named.is_empty() {
            chunk.header = format!("{}{MARK}{}", chunk.header, named.join(", ")).into();
        }
    }
}

/// The name that `as:` gives behind the module that ends at a byte.
fn other_name(file: &File, end: u32) -> Option<&str> {
    let rest =
        file.text.get(end as usize..)?.strip_prefix(',')?.trim_start().strip_prefix("as:")?.trim_start();
    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (1..=LONGEST_NAME).contains(&length).then(|| &rest[..length])
}

/// `A.B.C`, `A.B`, `A`.
fn prefixes(module: &str) -> impl Iterator<Item = &str> {
    let points = module.rmatch_indices('.').map(|(at, _)| &module[..at]);
    std::iter::once(module).chain(points)
}

/// A header without the aliases.
pub(crate) fn without(header: &Arc<str>) -> &str {
    header.split_once(MARK).map_or(header, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::analyse;

    fn headers(text: &str) -> Vec<String> {
        let facts = analyse(&File::new("lib/cart.ex", text));
        facts.chunks.iter().map(|chunk| chunk.header.to_string()).collect()
    }

    #[test]
    fn a_chunk_names_the_aliases_that_its_code_goes_by() {
        let body =
            "    Enum.map(items, fn item -> Item.price(item, :gross, currency: :euro) end)\n".repeat(3);
        let text = format!(
            "defmodule Shop.Cart do\n  alias Shop.{{Item, Money}}\n  alias Shop.Stock, as: S\n\n  def a(items) do\n{body}    %Money{{}}\n  end\n\n  def b(items) do\n{}    S.Shelf.take(items)\n  end\n\n  def c(items) do\n{}  end\nend\n",
            body.replace("Item.", "Shop.Item."),
            body.replace("Item.", "Enum."),
        );
        let place = "Shop.Cart (lib/cart.ex)";
        assert_eq!(
            headers(&text),
            [
                place.to_string(),
                format!("{place}\nalias Shop.Item, Shop.Money"),
                format!("{place}\nalias Shop.Stock as S"),
                place.to_string(),
            ]
        );
    }

    #[test]
    fn a_header_without_the_aliases_is_where_the_chunk_stands() {
        for (header, place) in [("A (a.ex)\nalias B, C.D", "A (a.ex)"), ("A (a.ex)", "A (a.ex)"), ("", "")] {
            assert_eq!(without(&header.into()), place);
        }
    }
}
