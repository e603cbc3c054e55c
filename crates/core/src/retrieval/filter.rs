//! Which chunks may be in an answer.

use fixedbitset::FixedBitSet;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::entry::{ChunkTable, Entry};
use super::patterns;
use crate::source::Language;
use crate::syntax::{Chunk, DefinitionKind};
use crate::{Error, Result};

/// Which chunks may be in an answer. Of the conditions in one field one must hold, and that for each field; an empty field
/// lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Files and folders relative to the root, with what lies below them: `"lib"`, `"lib/shop/*.ex"`, `"**/*_live.ex"`. `*` stands
    /// for anything but `/`. Those that begin with `!` must not match.
    pub paths: Vec<String>,
    /// What the chunk defines.
    pub kinds: Vec<DefinitionKind>,
    /// Modules, with what is nested in them: `"Shop.Cart"`.
    pub modules: Vec<String>,
    /// What the file is written in.
    pub languages: Vec<Language>,
    /// Whether the chunk defines what other modules can see, or cannot. Chunks that define nothing do not pass.
    pub public: Option<bool>,
    /// The file was written at this time or later, in milliseconds since 1970. Files of unknown time do not pass.
    pub modified_since: Option<u64>,
}

impl Filter {
    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// The numbers of the chunks that pass. `modified` knows the times of files.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a path that is no pattern.
    pub(crate) fn chunks(
        &self,
        files: &ChunkTable,
        modified: &dyn Fn(&str) -> Option<u64>,
    ) -> Result<FixedBitSet> {
        let paths = Paths::new(&self.paths)?;
        let mut chunks = FixedBitSet::with_capacity(files.chunks());
        for (at, entry) in files.entries().iter().enumerate() {
            let in_time = || {
                self.modified_since
                    .is_none_or(|since| modified(&entry.file.path).is_some_and(|time| time >= since))
            };
            let language = self.languages.is_empty() || self.languages.contains(&entry.file.language);
            if !language || !paths.pass(&entry.file.path) || !in_time() {
                continue;
            }
            let visible = self.public.map(|public| defining(entry, public));
            for (chunk, number) in files.numbers(at).enumerate() {
                if visible.as_ref().is_none_or(|visible| visible.contains(chunk))
                    && self.passes(&entry.chunks()[chunk])
                {
                    chunks.insert(number as usize);
                }
            }
        }
        Ok(chunks)
    }

    fn passes(&self, chunk: &Chunk) -> bool {
        let is_in = |module: &String| {
            chunk.symbol.strip_prefix(&**module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        (self.kinds.is_empty() || chunk.kind.is_some_and(|kind| self.kinds.contains(&kind)))
            && (self.modules.is_empty() || self.modules.iter().any(is_in))
    }
}

/// The chunks of a file that define what is `public`, or is not.
fn defining(entry: &Entry, public: bool) -> FixedBitSet {
    let chunks = entry.chunks();
    let mut found = FixedBitSet::with_capacity(chunks.len());
    for definition in entry.facts.definitions.iter().filter(|definition| definition.public == public) {
        let line = definition.clauses.first().unwrap_or(&definition.span).line_start;
        let first = chunks.partition_point(|chunk| chunk.span.line_end < line);
        // What is large has several chunks.
        let same =
            |chunk: &&Chunk| chunk.kind == Some(definition.kind) && chunk.symbol == chunks[first].symbol;
        let last = first + chunks[first..].iter().take_while(same).count();
        found.insert_range(first..last);
    }
    found
}

/// Patterns of paths.
struct Paths {
    wanted: Option<GlobSet>,
    refused: GlobSet,
}

impl Paths {
    fn new(patterns: &[String]) -> Result<Paths> {
        patterns::check(patterns)?;
        let (refused, wanted): (Vec<&str>, Vec<&str>) =
            patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
        Ok(Paths {
            wanted: if wanted.is_empty() { None } else { Some(globs(&wanted)?) },
            refused: globs(&refused)?,
        })
    }

    fn pass(&self, path: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.is_match(path)) && !self.refused.is_match(path)
    }
}

fn globs(patterns: &[&str]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    let refuse = |pattern: &str, error: globset::Error| {
        Error::invalid(format!("{pattern:?} is not a pattern of paths: {}", error.kind()))
    };
    for pattern in patterns {
        let bare = pattern.trim_start_matches('!').trim_start_matches("./").trim_end_matches('/');
        for glob in [bare.to_string(), format!("{bare}/**")] {
            let glob = GlobBuilder::new(&glob).literal_separator(true).build();
            set.add(glob.map_err(|error| refuse(pattern, error))?);
        }
    }
    set.build().map_err(|error| refuse(&patterns.join(", "), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::testing::analysed;
    use crate::source::Language;

    const CART: &str = "defmodule Shop.Cart do\n  @moduledoc \"A cart holds what a customer wants to buy, and knows what all of it costs together.\"\n\n  \
        @doc \"Puts an item into the cart, in front of those that are there already, and gives the new cart back.\"\n  def add(cart, item) do\n    \
        put(cart, [item | cart.items])\n  end\n\n  defp put(cart, items) do\n    %{cart | items: items, total: cart.total, changed: true, by: :someone_else, at: :some_time}\n  end\nend\n";
    const CARTON: &str = "defmodule Shop.Carton do\n  def fold(x), do: x\nend\n";
    const ITEM: &str = "defmodule Shop.Cart.Item do\n  def price(x), do: x\nend\n";

    fn files() -> ChunkTable {
        let texts = [
            ("lib/shop/cart.ex", CART),
            ("lib/shop/cart/item.ex", ITEM),
            ("lib/shop/carton.ex", CARTON),
            (
                "test/cart_test.exs",
                "defmodule Shop.CartTest do\n  use ExUnit.Case\n  test \"adds\" do\n  end\nend\n",
            ),
            ("README.md", "# Shop\n\nText.\n"),
        ];
        let entry = |(path, text): (&str, &str)| analysed(path, text);
        ChunkTable::new(texts.into_iter().map(entry).collect())
    }

    fn check(filter: &Filter, expected: &[&str]) {
        let files = files();
        let modified = |path: &str| (path != "README.md").then_some(path.len() as u64);
        let passed = filter.chunks(&files, &modified).unwrap();
        let names: Vec<String> = passed
            .ones()
            .map(|number| {
                let (file, chunk) = files.locate(number as u32);
                let entry = &files.entries()[file];
                match &*entry.chunks()[chunk].symbol {
                    "" => entry.file.path.to_string(),
                    symbol => symbol.to_string(),
                }
            })
            .collect();
        assert_eq!(names, expected, "{filter:?}");
    }

    fn paths(paths: &[&str]) -> Filter {
        Filter { paths: paths.iter().map(ToString::to_string).collect(), ..Filter::default() }
    }

    #[test]
    fn paths_are_folders_files_and_patterns() {
        let cart = ["Shop.Cart", "Shop.Cart.add/2", "Shop.Cart.put/2"];
        let item = ["Shop.Cart.Item", "Shop.Cart.Item.price/1"];
        let carton = ["Shop.Carton", "Shop.Carton.fold/1"];
        let lib = [&cart[..], &item, &carton].concat();
        check(&paths(&["lib"]), &lib);
        check(&paths(&["./lib/"]), &lib);
        check(&paths(&["lib/shop/cart"]), &item);
        check(&paths(&["lib/shop/cart.ex"]), &cart);
        check(&paths(&["lib/*"]), &lib);
        check(&paths(&["lib/*.ex"]), &[]);
        check(&paths(&["**/car*on.ex", "*.md"]), &["README.md", carton[0], carton[1]]);
        check(&paths(&["!lib", "!**/*.exs"]), &["README.md"]);
        check(&paths(&["lib", "!lib/shop/cart*"]), &[]);
        assert!(paths(&["a[", "b"]).chunks(&files(), &|_| None).unwrap_err().to_string().contains("\"a[\""));
    }

    #[test]
    fn fields_are_conditions_that_must_all_hold() {
        use DefinitionKind::{Function, Module};
        let cart = Filter { modules: vec!["Shop.Cart".into()], ..Filter::default() };
        let functions = ["Shop.Cart.add/2", "Shop.Cart.put/2", "Shop.Cart.Item.price/1"];
        check(&cart, &["Shop.Cart", functions[0], functions[1], "Shop.Cart.Item", functions[2]]);
        check(&Filter { kinds: vec![Function], ..cart.clone() }, &functions);
        check(&Filter { kinds: vec![Function], public: Some(false), ..cart.clone() }, &functions[1..2]);
        check(&Filter { kinds: vec![Module], ..cart.clone() }, &["Shop.Cart", "Shop.Cart.Item"]);
        check(&Filter { public: Some(false), ..Filter::default() }, &functions[1..2]);
        let markdown = Filter { languages: vec![Language::Markdown], ..Filter::default() };
        check(&markdown, &["README.md"]);
        check(&Filter { modified_since: Some(19), ..Filter::default() }, &["Shop.Cart.Item", functions[2]]);
        check(&Filter { modified_since: Some(0), ..markdown }, &[]);
        assert!(Filter::default().is_empty() && !cart.is_empty());
    }
}
