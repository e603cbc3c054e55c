use proptest::prelude::*;

use super::*;
use crate::Cancel;
use crate::project::BuildOptions;
use crate::retrieval::testing::{analysed, index_of, project};
use crate::retrieval::{Answer, Index, Query, search_all};

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// As tokenizers of code count, about: a word is a token for each four letters, any other character one.
fn tokens(text: &str) -> usize {
    let (mut count, mut letters) = (0, 0_usize);
    for character in text.chars() {
        if character.is_alphanumeric() || character == '_' {
            letters += 1;
        } else {
            count += letters.div_ceil(4) + usize::from(character == '\n' || !character.is_whitespace());
            letters = 0;
        }
    }
    count + letters.div_ceil(4)
}

fn shop() -> Index {
    let root = project();
    Index::build(root.path(), &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
}

fn index(files: &[(&str, &str)]) -> Index {
    index_of(files.iter().map(|(path, text)| analysed(path, text)).collect())
}

fn answer(index: &Index, text: &str, limit: usize) -> Answer {
    index.search(&Query { limit, ..Query::new(text) }, &Cancel::new()).unwrap()
}

/// Everything is worth its tokens, best first.
fn options(budget: usize) -> PackOptions {
    PackOptions { budget, order: Order::Best, worth: 0.0, only_found: false }
}

fn packed(index: &Index, question: &str, limit: usize, options: &PackOptions) -> Context {
    pack(index, question, &answer(index, question, limit), options, &words)
}

/// The lines of the first section without blank ones.
fn first(context: &Context) -> Vec<&str> {
    context.sections[0].text.lines().filter(|line| !line.trim().is_empty()).collect()
}

const LEDGER: &str = r#"defmodule Shop.Ledger do
  @moduledoc "What was paid."
  use GenServer

  alias Shop.{Money, Tax}
  alias Shop.Orders.Order, as: Bought
  alias Shop.Unused
  import Shop.Format, only: [cents: 1]
  import Shop.Other
  require Logger

  @limit 500
  @other 1

  @doc """
  Books what an order costs.

  The order must be paid.
  """
  @spec book(Bought.t()) :: :ok
  def book(%Bought{} = order) do
    total = Money.sum(order.net, order.vat)
    Logger.info(cents(total))
    if total > @limit, do: check(order), else: :ok
  end

  defp check(order) do
    order.first |> Money.sum(order.second) |> Money.sum(order.third) |> Money.sum(order.fourth)
    {:error, :large, order.first, order.second, order.third, order.fourth, order.fifth}
  end

  def close(ledger) do
    Enum.each(ledger.orders, fn order -> book(order) end)
    {:ok, ledger.first, ledger.second, ledger.third, ledger.fourth, ledger.fifth, ledger.sixth}
  end
end
"#;

const MONEY: &str = "defmodule Shop.Money do\n  @doc \"Adds amounts, whatever they are amounts of, and rounds what is the sum of them to whole cents.\"\n  def sum(a, b), do: a + b\nend\n";

const OTHER: &str = "defmodule Shop.Other do\n  def nobody_calls_this(a), do: a\nend\n";

fn ledger() -> Index {
    index(&[("lib/ledger.ex", LEDGER), ("lib/money.ex", MONEY), ("lib/other.ex", OTHER)])
}

#[test]
fn a_place_unfolds_as_the_budget_grows() {
    let index = ledger();
    let at = |budget| packed(&index, "Shop.Ledger.book/1", 1, &options(budget));
    let nothing = at(10);
    assert_eq!((nothing.sections.len(), nothing.tokens), (0, 0));
    assert!(nothing.omitted > 0 && nothing.note.is_some() && nothing.text.is_empty());
    let signature = "  def book(%Bought{} = order) do";
    let context = at(11);
    assert_eq!((&first(&context)[..], context.tokens), (&[signature][..], 11), "{context:?}");
    assert_eq!(context.sections[0].title, "[1] lib/ledger.ex:21 Shop.Ledger.book/1");
    assert!(context.sections[0].trimmed);
    let whole = at(1000);
    let said = ["Books what an order costs.", "@spec book(Bought.t()) :: :ok", "else: :ok"];
    assert!(said.iter().all(|it| whole.text.contains(it)), "{}", whole.text);
    // What the question does not ask for is not shown.
    assert!(!whole.text.contains("The order must be paid.") && !whole.text.contains("What was paid."));
    assert!(!whole.sections[0].trimmed && whole.omitted == 0 && whole.note.is_none());
}

#[test]
fn what_code_needs_of_its_module_stands_above_it() {
    let index = ledger();
    let context = packed(&index, "Shop.Ledger.book/1", 1, &options(1000));
    let text = &context.sections[0].text;
    for needed in [
        "use GenServer",
        "Shop.{Money, Tax}",
        "as: Bought",
        "only: [cents: 1]",
        "require Logger",
        "@limit 500",
    ] {
        assert!(text.contains(needed), "{needed} is missing in\n{text}");
    }
    for unused in ["Shop.Unused", "import Shop.Other", "@other", "@moduledoc"] {
        assert!(!text.contains(unused), "{unused} is in\n{text}");
    }
}

#[test]
fn code_along_the_calls_follows() {
    let index = ledger();
    let context = packed(&index, "Shop.Ledger.book/1", 1, &options(1000));
    for shown in ["def close(ledger) do", ":large", "ledger.sixth", "def sum(a, b), do: a + b"] {
        assert!(context.text.contains(shown), "{shown} is missing in\n{}", context.text);
    }
    assert!(!context.text.contains("nobody_calls_this") && !context.text.contains("Adds amounts"));
    assert!(context.sections[0].symbols.iter().any(|symbol| &**symbol == "Shop.Ledger.close/1"));
    let enough = packed(&index, "Shop.Ledger.book/1", 1, &options(context.tokens));
    assert_eq!(enough, context);
    let less = packed(&index, "Shop.Ledger.book/1", 1, &options(context.tokens / 2));
    assert!(less.tokens <= context.tokens / 2 && less.text.contains("else: :ok"), "{}", less.text);
}

#[test]
fn a_filtered_search_shows_nothing_else() {
    let index = ledger();
    let options = PackOptions { only_found: true, ..options(1000) };
    let context = packed(&index, "Shop.Ledger.book/1", 1, &options);
    assert!(context.text.contains("else: :ok"), "{}", context.text);
    for other in ["def close", "def sum", ":large"] {
        assert!(!context.text.contains(other), "{other} is in\n{}", context.text);
    }
}

#[test]
fn functions_that_stand_in_one_another_are_read_within_a_bound() {
    let deep = |name: &dyn Fn(usize) -> String| {
        let heads: String = (0..4000).map(|at| format!("def {}(a) do\n", name(at))).collect();
        format!("defmodule Deep do\n{heads}{}end\n", "end\n".repeat(4000))
    };
    for text in [deep(&|_| "same".to_string()), deep(&|at| format!("other{at}"))] {
        let index = index(&[("lib/deep.ex", &text)]);
        let context = packed(&index, "same other deep", 20, &options(500));
        assert!(context.tokens <= 500 && !context.sections.is_empty());
        check_lines(&index, &context);
    }
}

#[test]
fn who_calls_by_an_import_is_named() {
    let body = "    step(cents, :one)\n".repeat(10);
    let module = |name: &str, head: &str, call: &str| {
        format!("defmodule Shop.{name} do\n{head}  def run(cents) do\n{body}    {call}\n  end\nend\n")
    };
    let format = format!("defmodule Shop.Format do\n  def cents(cents) do\n{body}  end\nend\n");
    let index = index(&[
        ("lib/format.ex", &format),
        ("lib/receipt.ex", &module("Receipt", "  import Shop.Format\n\n", "cents(cents)")),
        ("lib/other.ex", &module("Other", "  import Shop.Format, except: [cents: 1]\n\n", "cents(cents)")),
    ]);
    let symbols = |question: &str| -> Vec<String> {
        let context = packed(&index, question, 1, &options(1000));
        context.sections.iter().flat_map(|it| &it.symbols).map(|symbol| symbol.to_string()).collect()
    };
    assert_eq!(symbols("Shop.Format.cents/1"), ["Shop.Format.cents/1", "Shop.Receipt.run/1"]);
    assert_eq!(symbols("Shop.Receipt.run/1"), ["Shop.Receipt.run/1", "Shop.Format.cents/1"]);
    assert_eq!(symbols("Shop.Other.run/1"), ["Shop.Other.run/1"]);
}

#[test]
fn places_of_several_indexes_are_in_one_context_behind_the_names_of_their_sources() {
    let body = "    step(cents, :one)\n".repeat(10);
    let format = format!("defmodule Format do\n  def cents(cents) do\n{body}  end\nend\n");
    let receipt =
        format!("defmodule Receipt do\n  def total(cents) do\n{body}    Format.cents(cents)\n  end\nend\n");
    let (project, package) = (index(&[("lib/a.ex", &receipt)]), index(&[("lib/a.ex", &format)]));
    let all = |question: &str, limit: usize| {
        let query = Query { limit, ..Query::new(question) };
        let answer = search_all(&[&project, &package], &query, &Cancel::new()).unwrap();
        let sources = [
            IndexSource { index: &project, name: "" },
            IndexSource { index: &package, name: "format-1.2.0" },
        ];
        pack_all(&sources, question, &answer, &options(1000), &words)
    };
    let context = all("Receipt.total/1", 1);
    let shown: Vec<_> = context.sections.iter().map(|it| (it.source, &*it.file, it.title.as_str())).collect();
    assert_eq!(
        shown,
        [
            (0, "lib/a.ex", "[1] lib/a.ex:2-14 Receipt.total/1"),
            (1, "format-1.2.0/lib/a.ex", "[2] format-1.2.0/lib/a.ex:2-13 Format.cents/1"),
        ]
    );
    assert!(context.text.contains("```elixir\n  def cents(cents) do\n    step"), "{}", context.text);
    let both = all("cents", 10);
    assert_eq!(both.sections.len(), 2);
    assert!(both.sections.iter().all(|section| !section.trimmed));
}

#[test]
fn as_many_places_are_whole_as_fit() {
    let body = |at: usize| format!("    some_step_of_it_that_is_long_enough_to_count({at})\n").repeat(20);
    let functions: String =
        (0..8).map(|at| format!("  def charge_{at}(card) do\n{}  end\n\n", body(at))).collect();
    let index = index(&[("lib/card.ex", &format!("defmodule Card do\n{functions}end\n"))]);
    let context = packed(&index, "charge a card", 8, &options(120));
    let named = (0..8).filter(|at| context.text.contains(&format!("def charge_{at}("))).count();
    assert!(named >= 4, "{named} are in\n{}", context.text);
    assert_eq!(context.text.matches("some_step_of_it").count(), 20 * named, "{}", context.text);
    let large = packed(&index, "charge a card", 8, &options(1000));
    assert!(large.sections.len() == 1 && !large.sections[0].trimmed, "{}", large.text);
    assert_eq!(large.text.matches("some_step_of_it").count(), 160, "whole, and no line twice");
}

#[test]
fn the_part_of_a_long_place_is_the_one_that_matches() {
    let filler = |from: usize| -> String {
        (from..from + 20).map(|at| format!("    step_number(one, {at}, two)\n")).collect()
    };
    let text = format!(
        "defmodule Card do\n  def charge(card) do\n{}    refund_the_customer(card)\n{}  end\nend\n",
        filler(0),
        filler(20)
    );
    let index = index(&[("lib/card.ex", &text)]);
    let context = packed(&index, "charge refund customer", 1, &options(70));
    let section = &context.sections[0];
    assert!(section.text.contains("def charge(card) do"), "{}", section.text);
    assert!(section.text.contains("\n    refund_the_customer(card)\n"), "{}", section.text);
    assert!(section.trimmed && section.text.contains("# …\n") && context.tokens <= 70);
}

#[test]
fn places_far_below_the_best_one_are_left_out() {
    let index = shop();
    let question = "Cart add total items";
    let answer = answer(&index, question, 20);
    let at = |worth| pack(&index, question, &answer, &PackOptions { worth, ..options(10_000) }, &words);
    let (all, some, best) = (at(0.0), at(0.5), at(1.0));
    assert_eq!((all.unworthy, all.omitted), (0, 0));
    assert!(0 < some.unworthy && some.unworthy < best.unworthy, "{some:?}");
    assert!(best.tokens < some.tokens && some.tokens < all.tokens);
    assert_eq!(best.sections[0].symbols[0], some.sections[0].symbols[0]);
}

#[test]
fn sections_are_numbered_where_they_stand() {
    let index = shop();
    let at = |order| packed(&index, "cart money total", 20, &PackOptions { order, ..options(10_000) });
    let files = |context: &Context| -> Vec<String> {
        context.sections.iter().map(|section| section.file.to_string()).collect()
    };
    let (best, ends) = (at(Order::Best), at(Order::Ends));
    assert!(best.sections.len() > 2, "{best:?}");
    let mut expected = files(&best);
    let second = expected.remove(1);
    expected.push(second);
    assert_eq!(files(&ends), expected);
    for (number, section) in (1..).zip(&ends.sections) {
        assert_eq!(section.number, number);
        let lines = section.lines.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        let lines: Vec<String> = lines.collect();
        let place = format!("[{number}] {}:{}", section.file, lines.join(","));
        assert!(section.title.starts_with(&place), "{}", section.title);
        assert!(ends.text.contains(&format!("### {}\n", section.title)));
    }
}

/// Each section has the lines that it says, once, and marks for what is between them.
fn check_lines(index: &Index, context: &Context) {
    let mut files = Vec::new();
    for section in &context.sections {
        assert!(!files.contains(&&section.file), "{} has two sections", section.file);
        files.push(&section.file);
        let lines: Vec<&str> = index.text(&section.file).unwrap().lines().collect();
        let parts: Vec<String> = section
            .lines
            .iter()
            .map(|(first, last)| lines[*first as usize - 1..*last as usize].join("\n"))
            .collect();
        let mut rest = &*section.text;
        for part in &parts {
            let at = rest.find(part.as_str()).unwrap_or_else(|| panic!("{part} is missing in {rest}"));
            assert!(at == 0 || rest[..at].contains('…'), "something else stands in {rest}");
            rest = &rest[at + part.len()..];
        }
        assert!(rest.is_empty(), "{rest}");
        assert!(section.lines.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", section.lines);
        let span = section.lines.first().zip(section.lines.last()).map(|(first, last)| (first.0, last.1));
        assert_eq!(span, Some((section.span.line_start, section.span.line_end)));
    }
}

proptest! {
    #[test]
    fn never_over_budget_and_no_line_twice(
        budget in 0..800usize,
        limit in 1..20usize,
        order in prop::sample::select(Order::ALL.to_vec()),
        text in "(cart|money|add|total|guide|book|order| ){1,6}[a-z]",
    ) {
        let shop = shop();
        let ledger = ledger();
        // The third counts more for the whole than for its parts; the fourth says anything.
        let counters: [&dyn TokenCounter; 5] = [
            &words,
            &tokens,
            &|text: &str| text.len() * text.len() / 4000,
            &|text: &str| if text.len().is_multiple_of(7) { 100_000 } else { text.len() % 50 },
            &Estimate,
        ];
        for (index, counter) in [&shop, &ledger].into_iter().flat_map(|index| counters.map(|it| (index, it))) {
            let answer = answer(index, &text, limit);
            let options = PackOptions { order, ..options(budget) };
            let context = pack(index, &text, &answer, &options, counter);
            prop_assert!(context.tokens <= budget);
            let counted = if context.sections.is_empty() { 0 } else { counter.count(&context.text) };
            prop_assert_eq!(context.tokens, counted);
            prop_assert_eq!(context.note.is_some(), context.omitted > 0);
            check_lines(index, &context);
            prop_assert_eq!(pack(index, &text, &answer, &options, counter), context);
        }
    }
}
