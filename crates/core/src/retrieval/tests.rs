//! What an index promises as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::testing::{HashEmbedder, analysed, embedded, index_of, project};
use super::*;
use crate::project::store::{FileStore, StoreOptions};
use crate::project::{BuildOptions, Changes};
use crate::source::{History, Language};
use crate::syntax::DefinitionKind;
use crate::{Cancel, ErrorKind, Result};

fn write_below(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn store(path: &Path) -> FileStore {
    FileStore::new(path, StoreOptions::default())
}

fn build(root: &Path) -> Index {
    Index::build(root, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
}

fn update(index: &Index) -> (Index, Changes) {
    index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
}

fn update_paths(index: &Index, paths: &BTreeSet<String>) -> (Index, Changes) {
    index.update_paths(paths, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
}

fn search(index: &Index, text: &str) -> Answer {
    index.search(&Query::new(text), &Cancel::new()).unwrap()
}

fn check_first(index: &Index, text: &str, expected: &str) {
    let answer = search(index, text);
    let first = answer.results.first().map(|hit| format!("{} {}", hit.file, hit.symbol));
    assert_eq!(first.as_deref(), Some(expected), "{text}: {answer:#?}");
}

#[test]
fn symbols_lead_to_their_definitions() {
    let root = project();
    let index = build(root.path());
    check_first(&index, "Shop.Cart.add/2", "lib/cart.ex Shop.Cart.add/2");
    check_first(&index, "Cart.add", "lib/cart.ex Shop.Cart.add/2");
    check_first(&index, "add", "lib/cart.ex Shop.Cart.add/2");
    check_first(&index, "sum/2", "lib/money.ex Shop.Money.sum/2");
    check_first(&index, "def round_half_up(cents)", "lib/money.ex Shop.Money.round_half_up/1");
    check_first(&index, "defmodule Shop.Cart", "lib/cart.ex Shop.Cart");
    check_first(&index, "Shop.Money", "lib/money.ex Shop.Money");
}

#[test]
fn names_of_erlang_lead_to_their_definitions() {
    let lexer = "-module(shop_lexer).\n-export([tokens/2]).\ntokens(Text, Line) -> {ok, Text, Line}.\n";
    let caller = "-module(shop_parser).\n-export([parse/1]).\nparse(Text) -> shop_lexer:tokens(Text, 1), shop_lexer:tokens(Text, 2).\n";
    let index =
        index_of(vec![analysed("src/shop_lexer.erl", lexer), analysed("src/shop_parser.erl", caller)]);
    for text in
        ["shop_lexer:tokens/2", "shop_lexer:tokens", ":shop_lexer.tokens", "what does shop_lexer:tokens give"]
    {
        check_first(&index, text, "src/shop_lexer.erl :shop_lexer.tokens/2");
    }
}

#[test]
fn what_is_near_to_where_the_caller_is_comes_first_among_equals() {
    let module = |name: &str, more: &str| {
        format!("defmodule {name} do\n  def price(item) do\n    item.price + item.tax\n  end\n\n{more}end\n")
    };
    let files = [
        ("lib/here/page.ex", module("Page", "  def show(item), do: Used.other(item)\n")),
        ("lib/used.ex", module("Used", "")),
        ("lib/uses.ex", module("Uses", "  def show(item), do: Page.show(item)\n")),
        ("lib/here/beside.ex", module("Beside", "")),
        ("lib/together.ex", module("Together", "")),
        ("lib/apart.ex", module("Apart", "")),
    ];
    let index = index_of(files.iter().map(|(path, text)| analysed(path, text)).collect());
    let log =
        b"\x02\0\nlib/here/page.ex\0lib/together.ex\0\x02\0\nlib/here/page.ex\0lib/together.ex\0".as_slice();
    let near = |path: &str, history: Option<&[u8]>| -> BTreeMap<String, f32> {
        let query = Query {
            near: vec![path.into()],
            history: history.map(|log| Arc::new(History::parse(log))),
            limit: 20,
            ..Query::new("price of an item")
        };
        let answer = index.search(&query, &Cancel::new()).unwrap();
        let value = |hit: &Hit| hit.features.iter().find(|it| it.0 == Feature::Near).map_or(0.0, |it| it.1);
        answer.results.iter().map(|hit| (hit.file.to_string(), value(hit))).collect()
    };
    let expected = |together: f32| -> BTreeMap<String, f32> {
        let near = [1.0, 0.6, 0.6, 0.5, together, 0.0];
        files.iter().zip(near).map(|((path, _), near)| (path.to_string(), near)).collect()
    };
    assert_eq!(near("lib/here/page.ex", None), expected(0.0));
    assert_eq!(near("lib/here/page.ex", Some(log)), expected(0.8));
    assert!(near("lib/none/none.ex", Some(log)).values().all(|near| *near == 0.0));
}

#[test]
fn words_lead_to_what_they_say_and_tests_come_after_code() {
    let root = project();
    let index = build(root.path());
    check_first(&index, "put an item into the cart", "lib/cart.ex Shop.Cart.add/2");
    check_first(&index, "rounding to whole units", "lib/money.ex Shop.Money.round_half_up/1");
    check_first(&index, "amounts in cents", "lib/money.ex Shop.Money");
    assert!(search(&index, "amounts in cents").results.iter().any(|hit| &*hit.file == "guide.md"));
    let answer = search(&index, "total of cart");
    assert_eq!(&*answer.results[0].symbol, "Shop.Cart.total/1");
    assert!(answer.results.iter().any(|hit| &*hit.file == "test/cart_test.exs"));
    assert_eq!(&*search(&index, "test total of a cart").results[0].file, "test/cart_test.exs");
}

#[test]
fn an_answer_says_what_it_is_made_from() {
    let root = project();
    let index = build(root.path());
    let chunks = index.stats().chunks;
    let made_from = |index: &Index, mode, vector| {
        let query = Query { mode, vector, ..Query::new("cart") };
        index.search(&query, &Cancel::new()).unwrap().made_from
    };
    let lexical = MadeFrom { lexical: true, semantic: false, vectors: 0, chunks };
    assert_eq!(made_from(&index, Mode::Hybrid, Some(vec![1.0; 4])), lexical);
    let full = embedded(&index);
    assert_eq!(made_from(&full, Mode::Hybrid, None), MadeFrom { vectors: chunks, ..lexical });
    let both = MadeFrom { semantic: true, vectors: chunks, ..lexical };
    assert_eq!(made_from(&full, Mode::Hybrid, Some(vec![1.0; 4])), both);
    assert_eq!(made_from(&full, Mode::Semantic, Some(vec![1.0; 4])), MadeFrom { lexical: false, ..both });
}

#[test]
fn a_chunk_is_nearest_to_its_own_vector() {
    let root = project();
    let index = embedded(&build(root.path()));
    let fresh = build(root.path());
    for missing in fresh.missing_vectors(HashEmbedder(1).fingerprint()) {
        let vector = HashEmbedder(1).embed(&[&missing.text()], &Cancel::new()).unwrap().remove(0);
        let query = Query { mode: Mode::Semantic, vector: Some(vector), ..Query::new("x") };
        let answer = index.search(&query, &Cancel::new()).unwrap();
        let hit = answer.results.iter().find(|hit| hit.semantic_rank == Some(1)).unwrap();
        assert!(
            missing
                .text()
                .ends_with(&index.text(&hit.file).unwrap()[hit.span.start as usize..hit.span.end as usize])
        );
    }
}

#[test]
fn vectors_stay_with_contents_and_another_encoder_replaces_them() {
    let root = project();
    let index = embedded(&build(root.path()));
    assert_eq!(index.stats().vectors, index.stats().chunks);
    std::fs::write(root.path().join("lib/money.ex"), "defmodule Shop.Money do\nend\n").unwrap();
    let (next, changes) = update(&index);
    assert_eq!(changes.changed.iter().map(|path| &**path).collect::<Vec<_>>(), ["lib/money.ex"]);
    assert_eq!(next.missing_vectors(HashEmbedder(1).fingerprint()).len(), 1);
    assert_eq!(next.missing_vectors(HashEmbedder(2).fingerprint()).len(), next.stats().chunks);
    assert_eq!(index.stats().vectors, index.stats().chunks, "the old version is as it was");
}

#[test]
fn a_filter_holds_for_every_way_to_be_found() {
    let root = project();
    let index = embedded(&build(root.path()));
    let filtered = |paths: &[&str], mode| {
        let filter = Filter { paths: paths.iter().map(ToString::to_string).collect(), ..Filter::default() };
        // The symbol is defined in a file that does not pass, the words are everywhere.
        let query = Query {
            mode,
            vector: Some(vec![0.1; 4]),
            filter,
            ..Query::new("Shop.Cart.add/2 money guide total")
        };
        index.search(&query, &Cancel::new()).map(|answer| answer.results)
    };
    for mode in [Mode::Lexical, Mode::Hybrid, Mode::Semantic] {
        let all = filtered(&[], mode).unwrap();
        assert!(all.iter().any(|hit| &*hit.file == "lib/cart.ex"), "{all:?}");
        let found = filtered(&["!lib/cart.ex", "!test"], mode).unwrap();
        let files: BTreeSet<&str> = found.iter().map(|hit| &*hit.file).collect();
        assert_eq!(files, BTreeSet::from(["guide.md", "lib/money.ex"]), "{mode:?}");
        assert!(filtered(&["nowhere"], mode).unwrap().is_empty());
        assert_eq!(filtered(&["["], mode).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

/// Each side ranks what a filter lets pass as it does among all.
#[test]
fn a_filter_leaves_the_order_of_the_others() {
    let root = project();
    let index = embedded(&build(root.path()));
    let filters = [
        Filter { paths: vec!["lib".into()], ..Filter::default() },
        Filter { kinds: vec![DefinitionKind::Function, DefinitionKind::Module], ..Filter::default() },
        Filter { modules: vec!["Shop.Money".into(), "Shop.CartTest".into()], ..Filter::default() },
        Filter { languages: vec![Language::Markdown], ..Filter::default() },
        Filter { public: Some(true), ..Filter::default() },
    ];
    for text in ["put an item into the cart", "amounts of money in cents", "total"] {
        let ranked = |filter: &Filter| {
            let vector = Some(vec![0.3, -0.2, 0.9, 0.1]);
            let query = Query { vector, limit: 1000, filter: filter.clone(), ..Query::new(text) };
            let hits = index.search(&query, &Cancel::new()).unwrap().results;
            let side = |rank: fn(&Hit) -> Option<u32>| {
                let mut side: Vec<_> =
                    hits.iter().filter_map(|hit| Some((rank(hit)?, hit.file.clone(), hit.span))).collect();
                side.sort();
                side.into_iter().map(|(_, file, span)| (file, span)).collect::<Vec<_>>()
            };
            (side(|hit| hit.lexical_rank), side(|hit| hit.semantic_rank))
        };
        let (words, meaning) = ranked(&Filter::default());
        assert_eq!(meaning.len(), index.stats().chunks);
        for filter in &filters {
            let some = filter.chunks(index.chunk_table(), &|_| None).unwrap();
            let all = index.chunks().map(|(file, chunk)| (file.path.clone(), chunk.span));
            let passing: BTreeSet<_> =
                all.zip(0..).filter(|(_, at)| some.contains(*at)).map(|it| it.0).collect();
            assert!(!passing.is_empty() && passing.len() < meaning.len(), "{filter:?}");
            let rest =
                |side: &Vec<_>| side.iter().filter(|hit| passing.contains(hit)).cloned().collect::<Vec<_>>();
            assert_eq!(ranked(filter), (rest(&words), rest(&meaning)), "{text} {filter:?}");
        }
    }
}

#[test]
fn times_of_files_are_those_of_the_last_look() {
    let root = project();
    let index = build(root.path());
    let (path, guide) = (root.path().join("guide.md"), "guide.md");
    let set = |seconds| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    let since = |index: &Index, since| {
        let filter = Filter { modified_since: Some(since), paths: vec![guide.into()], ..Filter::default() };
        let query = Query { filter, ..Query::new("cart money") };
        index.search(&query, &Cancel::new()).unwrap().results.len()
    };
    assert!(index.modified(guide).is_some() && index.modified("none").is_none());
    set(1000);
    let (older, changes) = update(&index);
    assert!(changes.is_empty(), "a time is no content");
    assert_eq!(
        (index.modified("lib/cart.ex"), older.modified(guide)),
        (older.modified("lib/cart.ex"), Some(1_000_000))
    );
    assert_eq!((since(&older, 1_000_000), since(&older, 1_000_001)), (1, 0));
    set(2000);
    let (newer, _) = update_paths(&older, &BTreeSet::from([guide.to_string()]));
    assert_eq!((since(&newer, 1_000_001), since(&older, 1_000_001)), (1, 0));
    assert_eq!(newer.modified("lib/cart.ex"), older.modified("lib/cart.ex"));
    let file = root.path().join("index");
    persistence::save(&newer, &mut store(&file), &Cancel::new()).unwrap();
    assert_eq!(
        persistence::open(&mut store(&file), &Cancel::new()).unwrap().modified(guide),
        Some(2_000_000)
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(update(&newer).0.modified(guide), None);
}

#[test]
fn a_resident_encoder_gives_chunks_and_questions_their_vectors() {
    let root = project();
    let bare = build(root.path());
    let index = bare.with_encoder(Arc::new(HashEmbedder(1)), &Cancel::new()).unwrap();
    let complete = |index: &Index| index.stats().vectors == index.stats().chunks;
    assert!(complete(&index) && !complete(&bare));
    let asked = search(&index, "what a cart costs");
    assert!(asked.made_from.semantic);
    let vector = HashEmbedder(1).embed_query("what a cart costs", &Cancel::new()).unwrap();
    let given = Query { vector: Some(vector), ..Query::new("what a cart costs") };
    assert_eq!(index.search(&given, &Cancel::new()).unwrap(), asked);
    let lexical = Query { mode: Mode::Lexical, ..Query::new("cart") };
    assert!(!index.search(&lexical, &Cancel::new()).unwrap().made_from.semantic);

    std::fs::write(root.path().join("lib/new.ex"), "defmodule New do\n  def made, do: :new\nend\n").unwrap();
    let (next, _) = update(&index);
    assert!(complete(&next));
    let fresh = build(root.path()).with_encoder(Arc::new(HashEmbedder(1)), &Cancel::new()).unwrap();
    assert_eq!(search(&next, "a new cart"), search(&fresh, "a new cart"));

    // Another encoder takes over, and the resident one does not speak for it.
    let keys: Vec<_> =
        next.missing_vectors(HashEmbedder(2).fingerprint()).iter().map(|missing| missing.key()).collect();
    let batch = Batch::new(HashEmbedder(2).fingerprint(), &keys, &vec![vec![1.0; 4]; keys.len()]).unwrap();
    let other = next.with_vectors(batch).unwrap();
    assert!(!search(&other, "cart").made_from.semantic);
    std::fs::remove_file(root.path().join("lib/new.ex")).unwrap();
    assert_eq!(update(&other).0.encoder(), Some(HashEmbedder(2).fingerprint()));
}

#[test]
fn bad_questions_are_refused() {
    let root = project();
    let index = embedded(&build(root.path()));
    for query in [
        Query::new(""),
        Query::new(" \n"),
        Query { limit: 0, ..Query::new("cart") },
        Query { mode: Mode::Semantic, ..Query::new("cart") },
        Query { vector: Some(vec![1.0]), ..Query::new("cart") },
        Query { vector: Some(vec![f32::NAN; 4]), ..Query::new("cart") },
    ] {
        let error = index.search(&query, &Cancel::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{query:?}");
    }
    assert!(search(&index, "?? !!").results.is_empty());
    assert_eq!(search(&index, &"cart ".repeat(50_000)).made_from.chunks, index.stats().chunks);
}

#[test]
fn work_can_be_stopped() {
    let root = project();
    let cancel = Cancel::new();
    let index = build(root.path());
    let mut seen = 0;
    let stopped = Index::build(
        root.path(),
        &BuildOptions::default(),
        &mut |progress| {
            seen += 1;
            if progress.phase == "analyse" {
                cancel.cancel();
            }
        },
        &cancel,
    );
    // The token is looked at before each step, and what was begun is finished.
    assert!(seen >= 2);
    assert_eq!(stopped.map(|_| ()).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(index.search(&Query::new("cart"), &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    let embedding = embed_all(&|| index.clone(), &HashEmbedder(1), 2, &mut |_, _| Ok(()), &cancel);
    assert_eq!(embedding.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn embedding_ends_even_if_nobody_takes_the_vectors() -> Result<()> {
    let root = project();
    let index = build(root.path());
    let mut last = (0, 0);
    let mut take = |_, progress: crate::job::Progress| {
        last = (progress.done, progress.total);
        Ok(())
    };
    embed_all(&|| index.clone(), &HashEmbedder(1), 2, &mut take, &Cancel::new())?;
    assert_eq!(last.0, last.1);
    assert_eq!(last.0 as usize, index.missing_vectors(HashEmbedder(1).fingerprint()).len());
    Ok(())
}

#[test]
fn the_graph_is_that_of_the_files() {
    let root = project();
    let index = build(root.path());
    let edges = |index: &Index| index.graph().edges().count();
    assert!(!index.graph().find("Shop.Money.sum/2").unwrap().is_empty());
    assert!(std::ptr::eq(index.graph(), embedded(&index).graph()), "vectors do not change it");
    let before = edges(&index);
    std::fs::remove_file(root.path().join("lib/cart.ex")).unwrap();
    assert!(edges(&update(&index).0) < before);
}

/// A step in the history of a folder.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize),
    Remove(usize),
    Rename(usize, usize),
    /// Of the whole tree, or of what was touched.
    Update(bool),
    Embed,
}

const PATHS: &[&str] =
    &["lib/a.ex", "lib/b.ex", "lib/deep/c.ex", "test/a_test.exs", "README.md", "notes/d.md"];
const TEXTS: &[&str] = &[
    "",
    "defmodule A do\n  @doc \"Alpha.\"\n  def alpha(x), do: beta(x)\n\n  defp beta(x), do: x\nend\n",
    "defmodule B do\n  alias A\n  def beta(x) do\n    A.alpha(x)\n  end\nend\n",
    "defmodule Broken do\n  def alpha(x do\n    (((\n",
    "# Alpha\n\nAbout beta.\n\n## Gamma\n\nMore of alpha.\n",
    "defmodule ATest do\n  use ExUnit.Case\n  test \"alpha\" do\n    assert A.alpha(1) == 1\n  end\nend\n",
];

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        4 => (path.clone(), 0..TEXTS.len()).prop_map(|(path, text)| Step::Write(path, text)),
        1 => path.clone().prop_map(Step::Remove),
        1 => (path.clone(), path).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => any::<bool>().prop_map(Step::Update),
        1 => Just(Step::Embed),
    ]
}

/// All that an index says of itself and answers to a few questions.
fn told(index: &Index) -> String {
    let questions = ["alpha", "A.alpha/1", "about beta", "gamma", "defmodule B", "README"];
    let modes = [Mode::Lexical, Mode::Hybrid, Mode::Semantic];
    let answers: Vec<_> = questions
        .iter()
        .flat_map(|text| {
            modes.map(|mode| Query { mode, vector: Some(vec![0.1, -0.7, 0.2, 0.4]), ..Query::new(*text) })
        })
        .map(|query| index.search(&query, &Cancel::new()).unwrap())
        .collect();
    let files: Vec<_> = index.files().map(|file| (file, index.facts(&file.path))).collect();
    let graph: Vec<_> = index.graph().relations().collect();
    format!(
        "{:?} {answers:?} {files:?} {:?} {graph:?}",
        index.stats(),
        index.diagnostics().collect::<Vec<_>>()
    )
}

#[test]
fn dependencies_tell_what_they_bring_into_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write_below(folder.path(), path, text);
    write("mix.exs", "");
    write("lib/a.ex", "defmodule A do\n  use Parsers\n  def go(x), do: {many(x), one(x), other(x)}\nend\n");
    let told = |index: &Index| -> Vec<String> {
        let edges = index.graph().edges();
        edges
            .map(|edge| format!("{}.{}/{}", edge.callee_module, edge.callee_fun, edge.callee_arity))
            .collect()
    };
    let index = build(folder.path());
    assert_eq!(told(&index), [""; 0]);
    write(
        "deps/parsers/lib/parsers.ex",
        "defmodule Parsers do\n  defmacro __using__(_) do\n    quote do\n      use Parsers.Deep\n      \
         import Parsers.Base\n    end\n  end\nend\n",
    );
    write(
        "deps/parsers/lib/deep.ex",
        "defmodule Parsers.Deep do\n  defmacro __using__(_), do: quote(do: import(Parsers.Late))\nend\n",
    );
    write(
        "deps/parsers/lib/parts.ex",
        "defmodule Parsers.Base do\n  def many(x, y \\\\ 1), do: {x, y}\nend\n",
    );
    write("deps/parsers/lib/late.ex", "defmodule Parsers.Late do\n  def one(x), do: x\nend\n");
    write("deps/parsers/test/base_test.exs", "defmodule Parsers.Base do\n  def other(x), do: x\nend\n");
    let expected = ["Parsers.Base.many/1", "Parsers.Late.one/1"];
    for index in [
        update(&index).0,
        update_paths(&index, &BTreeSet::from(["lib/a.ex".to_owned()])).0,
        build(folder.path()),
    ] {
        assert_eq!(told(&index), expected);
        // They are not of the project.
        assert!(index.graph().symbols().all(|symbol| &*symbol.file == "lib/a.ex"));
        assert_eq!(index.files().count(), 2);
    }
    let (index, changes) = update(&index);
    assert!(changes.dependencies && changes.added.is_empty());
    let (_, changes) = update(&index);
    assert!(changes.is_empty());
    let path = folder.path().join("index");
    persistence::save(&index, &mut store(&path), &Cancel::new()).unwrap();
    assert_eq!(told(&persistence::open(&mut store(&path), &Cancel::new()).unwrap()), expected);
}

#[test]
fn macros_of_dependencies_tell_what_defines() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write_below(folder.path(), path, text);
    write("mix.exs", "");
    write(
        "lib/a.ex",
        "defmodule A do\n  import Works\n  defwork one(x) do\n    x\n  end\n  defnote two(x) do\n    x\n  end\n  \
         def go(x), do: one(two(x))\nend\n",
    );
    let certain = |index: &Index| -> Vec<(String, bool)> {
        let edges = index.graph().edges().filter(|edge| &*edge.callee_module == "A");
        edges.map(|edge| (edge.callee_fun.to_string(), edge.basis.is_certain())).collect()
    };
    let index = build(folder.path());
    assert_eq!(certain(&index), [("one".into(), false), ("two".into(), false)], "by their form");
    write(
        "deps/works/lib/works.ex",
        "defmodule Works do\n  defmacro defwork(head, do: body) do\n    quote do\n      def unquote(head), do: unquote(body)\n    \
         end\n  end\n  defmacro defnote(head, do: body), do: quote(do: @notes({unquote(head), unquote(body)}))\nend\n",
    );
    for index in [update(&index).0, build(folder.path())] {
        assert_eq!(certain(&index), [("one".into(), true), ("two".into(), false)]);
    }
}

#[test]
fn only_paths_below_the_root_can_be_updated() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ex"), "defmodule A do\nend").unwrap();
    let index = build(folder.path());
    for path in ["../x.ex", "/etc/passwd", "", "a/../../b"] {
        let paths = BTreeSet::from([path.to_owned()]);
        let error =
            index.update_paths(&paths, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{path}");
    }
    std::fs::write(folder.path().join("b.ex"), "defmodule B do\nend").unwrap();
    let (same, changes) = update_paths(&index, &BTreeSet::from(["c.ex".to_owned()]));
    assert!(changes.is_empty() && same.facts("b.ex").is_none());
    std::fs::create_dir(folder.path().join("deps")).unwrap();
    std::fs::write(folder.path().join("deps/d.ex"), "defmodule D do\nend").unwrap();
    let (_, changes) = update_paths(&index, &BTreeSet::from(["deps/d.ex".to_owned(), "b.ex".to_owned()]));
    assert_eq!(changes.added, ["b.ex".into()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn updates_end_where_a_fresh_build_does(steps in prop::collection::vec(step(), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut index = build(root);
        let mut on_disk: BTreeMap<&str, &str> = BTreeMap::new();
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for step in steps.iter().chain([&Step::Update(false)]) {
            match *step {
                Step::Write(path, text) => {
                    touched.insert(PATHS[path].into());
                    let path = root.join(PATHS[path]);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, TEXTS[text]).unwrap();
                }
                Step::Remove(path) => {
                    // A folder stands for all that is in it.
                    touched.insert(PATHS[path].rsplit_once('/').map_or(PATHS[path], |(folder, _)| folder).into());
                    let _ = std::fs::remove_file(root.join(PATHS[path]));
                }
                Step::Rename(from, to) => {
                    touched.extend([PATHS[from].into(), PATHS[to].into()]);
                    let to = root.join(PATHS[to]);
                    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                    let _ = std::fs::rename(root.join(PATHS[from]), to);
                }
                Step::Embed => index = embedded(&index),
                Step::Update(whole) => {
                    index.graph();
                    let (next, changes) =
                        if whole { update(&index) } else { update_paths(&index, &touched) };
                    touched.clear();
                    let now: BTreeMap<&str, &str> = PATHS
                        .iter()
                        .filter_map(|path| {
                            let text = std::fs::read_to_string(root.join(path)).ok()?;
                            TEXTS.iter().find(|known| **known == text).map(|text| (*path, *text))
                        })
                        .collect();
                    prop_assert_eq!(changes.added.len(), now.keys().filter(|path| !on_disk.contains_key(*path)).count());
                    prop_assert_eq!(changes.removed.len(), on_disk.keys().filter(|path| !now.contains_key(*path)).count());
                    let same = now.iter().filter(|(path, text)| on_disk.get(*path) == Some(text)).count();
                    prop_assert_eq!(changes.unchanged, same);
                    on_disk = now;
                    index = next;
                    let fresh = build(root);
                    if index.stats().vectors == 0 {
                        prop_assert_eq!(told(&index), told(&fresh));
                    }
                    prop_assert_eq!(told(&embedded(&index)), told(&embedded(&fresh)));
                }
            }
        }
    }
}

/// Two packages, as one index and as two.
fn packages() -> (Index, Index, Index) {
    let first = [
        (
            "a/cart.ex",
            "defmodule Shop.Cart do\n  @doc \"Adds a product.\"\n  def add(cart, product), do: [product | cart]\nend\n",
        ),
        (
            "a/price.ex",
            "defmodule Shop.Price do\n  @doc \"Rounds half up.\"\n  def round(price), do: price\nend\n",
        ),
    ];
    let second = [
        (
            "b/list.ex",
            "defmodule List.Tools do\n  @doc \"Adds numbers up.\"\n  def sum(numbers), do: numbers\n\n  def rare, do: :heron\nend\n",
        ),
        (
            "b/round.ex",
            "defmodule Num do\n  def round(number), do: number\n  def add(a, b), do: a + b\nend\n",
        ),
    ];
    let entries =
        |some: &[(&str, &str)]| some.iter().map(|(path, text)| analysed(path, text)).collect::<Vec<_>>();
    let both = entries(&first).into_iter().chain(entries(&second)).collect();
    (index_of(both), index_of(entries(&first)), index_of(entries(&second)))
}

#[test]
fn several_indexes_answer_as_one() {
    let (both, first, second) = packages();
    for text in
        ["add a product", "round", "adds numbers", "heron", "Shop.Cart.add/2", "prodct", "b/round.ex:2"]
    {
        let query = Query::new(text);
        let one = both.search(&query, &Cancel::new()).unwrap();
        let all = search_all(&[&first, &second], &query, &Cancel::new()).unwrap();
        let place = |hit: &Hit| (hit.file.clone(), hit.span, hit.symbol.clone());
        assert_eq!(
            one.results.iter().map(place).collect::<Vec<_>>(),
            all.results.iter().map(|(_, hit)| place(hit)).collect::<Vec<_>>(),
            "{text}"
        );
        for (one, (at, other)) in one.results.iter().zip(&all.results) {
            assert_eq!(*at, usize::from(other.file.starts_with("b/")));
            // The length of a chunk is measured within its index.
            assert!((one.score - other.score).abs() < 0.5, "{text}: {} {}", one.score, other.score);
        }
        assert_eq!(one.made_from, all.made_from);
        assert!(!one.results.is_empty(), "{text}");
    }
}

#[test]
fn what_is_asked_of_several_indexes_is_checked() {
    let (_, first, second) = packages();
    let all = |query: &Query| search_all(&[&first, &second], query, &Cancel::new());
    assert!(all(&Query::new(" ")).is_err());
    assert!(all(&Query { limit: 0, ..Query::new("add") }).is_err());
    assert!(all(&Query { mode: Mode::Semantic, ..Query::new("add") }).is_err());
    assert_eq!(all(&Query { limit: 1, ..Query::new("add") }).unwrap().results.len(), 1);
    let none = search_all(&[], &Query::new("add"), &Cancel::new()).unwrap();
    assert!(none.results.is_empty() && none.made_from.chunks == 0);
    let pulled = Cancel::new();
    pulled.cancel();
    assert!(search_all(&[&first], &Query::new("add"), &pulled).is_err());
}

#[test]
fn vectors_come_back_as_numbers_in_the_order_of_the_chunks() {
    let texts = [("a.ex", "defmodule A do\n  def f, do: 1\nend\n"), ("b.md", "# B\n\ntext\n")];
    let index = index_of(texts.iter().map(|(path, text)| analysed(path, text)).collect());
    let keys: Vec<_> =
        index.missing_vectors(HashEmbedder(48).fingerprint()).iter().map(|it| it.key()).collect();
    let vectors: Vec<Vec<f32>> =
        (0..keys.len()).map(|n| (0..48).map(|i| ((i * 7 + n) as f32).sin()).collect()).collect();
    let batch = Batch::new(HashEmbedder(48).fingerprint(), &keys, &vectors).unwrap();
    let index = index.with_vectors(batch).unwrap();
    let dense = index.dense();
    assert_eq!((dense.chunks.len(), dense.dimensions, dense.data.len()), (keys.len(), 48, keys.len() * 48));
    for (row, chunk) in dense.data.chunks(48).zip(&dense.chunks) {
        let (_, chunk) = index.nth_chunk(*chunk as usize).unwrap();
        assert!(!chunk.symbol.is_empty() || chunk.span.start == 0);
        let length: f32 = row.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-4);
        let nearness = |other: &Vec<f32>| -> f32 {
            let length = other.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.iter().zip(other).map(|(a, b)| a * b).sum::<f32>() / length
        };
        assert!(vectors.iter().map(nearness).fold(0.0, f32::max) > 0.999);
    }
    assert!(index.nth_chunk(keys.len()).is_none() && index.nth_chunk(usize::MAX).is_none());
    assert_eq!(index_of(Vec::new()).dense(), Dense::default());
}
