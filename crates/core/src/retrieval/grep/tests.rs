use std::collections::BTreeMap;

use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::testing::pattern;
use super::*;
use crate::ErrorKind;
use crate::retrieval::testing::{analysed, index_of};
use crate::source::Language;
use crate::syntax::DefinitionKind;

const CART: &str = "defmodule Shop.Cart do
  @moduledoc \"A cart.\"
  @rate 19

  @doc \"Adds to the cart.\"
  def add(cart, item) do
    cart = Cart.put(cart, item)
    log(\"added\", cart)
  end

  defp log(text, cart), do: {text, cart}
end
";

fn shop() -> Index {
    index_of(vec![
        analysed("lib/shop/cart.ex", CART),
        analysed("lib/shop/till.ex", "defmodule Till do\r\n  def close(cart), do: cart\r\nend"),
        analysed("test/cart_test.exs", "defmodule CartTest do\n  test \"a cart\", do: 1\nend\n"),
        analysed("guide.md", "# Cart\n\nHow to fill a cärt, a cart.\n"),
        analysed("empty.ex", ""),
    ])
}

fn grep(index: &Index, grep: &Grep) -> Found {
    index.grep(grep, &Cancel::new()).unwrap()
}

fn places(found: &Found) -> Vec<String> {
    found.lines.iter().map(|line| format!("{}:{}:{}", line.file, line.line, line.column)).collect()
}

fn check(wanted: &Grep, expected: &[&str]) {
    assert_eq!(places(&grep(&shop(), wanted)), expected, "{wanted:?}");
}

#[test]
fn a_line_is_told_with_its_place_and_its_definition() {
    let found = grep(&shop(), &Grep::new(r"put\(\w+"));
    let at = CART.find("put(cart").unwrap() as u32;
    let line = FoundLine {
        file: "lib/shop/cart.ex".into(),
        line: 7,
        line_end: 7,
        column: 17,
        matches: std::iter::once(at..at + 8).collect(),
        text: "    cart = Cart.put(cart, item)".into(),
        text_start: at - 16,
        before: vec![],
        after: vec![],
        symbol: "Shop.Cart.add/2".into(),
        kind: Some(DefinitionKind::Function),
    };
    assert_eq!(found, Found { lines: vec![line], searched: 1, ..Found::default() });
}

#[test]
fn columns_count_characters_and_lines_lose_their_ends() {
    let found = grep(&shop(), &Grep::new("a cart"));
    let told: Vec<_> = found.lines.iter().map(|line| (&*line.text, line.column)).collect();
    assert_eq!(told, [("How to fill a cärt, a cart.", 21), ("  test \"a cart\", do: 1", 9)]);
    let found = grep(&shop(), &Grep::new("close"));
    assert_eq!(found.lines[0].text, "  def close(cart), do: cart");
    let found = grep(&shop(), &Grep::new("^end"));
    assert_eq!(found.lines.iter().map(|line| line.line).collect::<Vec<_>>(), [12, 3, 3]);
}

#[test]
fn options_narrow_what_matches() {
    let cart = || Grep::new("cart");
    check(&Grep { paths: vec!["guide.md".into()], ..cart() }, &["guide.md:3:23"]);
    check(
        &Grep { paths: vec!["guide.md".into()], case: Case::Insensitive, ..cart() },
        &["guide.md:1:3", "guide.md:3:23"],
    );
    check(&Grep { case: Case::Smart, ..Grep::new("CART") }, &[]);
    check(&Grep { case: Case::Smart, ..Grep::new("a CäRT") }, &[]);
    check(&Grep { case: Case::Smart, ..Grep::new("a cärt") }, &["guide.md:3:13"]);
    check(&Grep { word: true, ..Grep::new("car") }, &[]);
    check(&Grep { word: true, languages: vec![Language::Markdown], ..cart() }, &["guide.md:3:23"]);
    check(&Grep { fixed: true, ..Grep::new("log(\"") }, &["lib/shop/cart.ex:8:5"]);
    check(&Grep { fixed: true, ..Grep::new("c.rt") }, &[]);
    check(
        &Grep { fixed: true, case: Case::Insensitive, ..Grep::new("CART.PUT(") },
        &["lib/shop/cart.ex:7:12"],
    );
    check(&Grep { paths: vec!["test".into()], ..cart() }, &["test/cart_test.exs:2:11"]);
    check(&Grep { paths: vec!["*.exs".into(), "*.md".into(), "!test".into()], ..cart() }, &["guide.md:3:23"]);
    check(&Grep { paths: vec!["!lib".into()], ..cart() }, &["guide.md:3:23", "test/cart_test.exs:2:11"]);
    check(&Grep { paths: vec!["lib/*/t*.ex".into()], ..cart() }, &["lib/shop/till.ex:2:13"]);
    let inside = |kind| Grep { kinds: vec![kind], paths: vec!["lib".into()], ..cart() };
    check(&inside(DefinitionKind::Attribute), &[]);
    check(
        &inside(DefinitionKind::Function),
        &[
            "lib/shop/cart.ex:5:21",
            "lib/shop/cart.ex:6:11",
            "lib/shop/cart.ex:7:5",
            "lib/shop/cart.ex:8:18",
            "lib/shop/cart.ex:11:18",
            "lib/shop/till.ex:2:13",
        ],
    );
    check(&Grep { kinds: vec![DefinitionKind::Test], ..cart() }, &["test/cart_test.exs:2:11"]);
}

#[test]
fn anchors_of_the_text_are_those_of_each_line() {
    check(&Grep { paths: vec!["test".into()], ..Grep::new(r"\Aend\z") }, &["test/cart_test.exs:3:1"]);
    check(&Grep { paths: vec!["guide.md".into()], ..Grep::new("^$") }, &["guide.md:2:1"]);
    check(&Grep { paths: vec!["empty.ex".into()], ..Grep::new("^|$|x*") }, &[]);
    check(
        &Grep { paths: vec!["*.md".into()], ..Grep::new("x*$") },
        &["guide.md:1:7", "guide.md:2:1", "guide.md:3:28"],
    );
}

#[test]
fn a_match_may_go_across_lines_where_that_is_asked_for() {
    let across = |pattern: &str| Grep {
        multiline: true,
        paths: vec!["lib/shop/cart.ex".into()],
        ..Grep::new(pattern)
    };
    let found = grep(&shop(), &across(r"item\) do\n\s+cart = .*\n|log\("));
    let lines: Vec<_> = found.lines.iter().map(|it| (it.line, it.line_end, it.matches.len())).collect();
    assert_eq!(lines, [(6, 7, 1), (8, 8, 1), (11, 11, 1)]);
    assert_eq!(found.lines[0].text, "  def add(cart, item) do\n    cart = Cart.put(cart, item)");
    let touching = grep(&shop(), &across(r"Cart do\n  @mod|doc .*\n  @rate"));
    assert_eq!(touching.lines.iter().map(|it| (it.line, it.line_end)).collect::<Vec<_>>(), [(1, 3)]);
    let all = grep(&shop(), &across(r"(?s)\A.*\z"));
    assert_eq!((all.lines[0].line, all.lines[0].line_end, &*all.lines[0].text), (1, 12, CART.trim_end()));
    let refused = shop().grep(&Grep::new(r"do\n"), &Cancel::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    assert!(refused.to_string().contains("multiline"), "{refused}");
    // A class that has the line's end among others does not go across.
    check(&Grep { paths: vec!["lib/shop/till.ex".into()], ..Grep::new(r"do\s+def") }, &[]);
}

#[test]
fn each_line_around_is_told_once() {
    let index = index_of(vec![analysed("a.txt", "1\n2 x\n3\n4\n5 x\n6 x\n7\n8\n9\n")]);
    let around = |context, limit| {
        let found = grep(&index, &Grep { context, limit, ..Grep::new("x") });
        let lines =
            found.lines.iter().map(|it| format!("{}|{}|{}", it.before.join(""), it.text, it.after.join("")));
        (lines.collect::<Vec<_>>(), found.truncated)
    };
    assert_eq!(around(0, 9).0, ["|2 x|", "|5 x|", "|6 x|"]);
    assert_eq!(around(1, 9).0, ["1|2 x|3", "4|5 x|", "|6 x|7"]);
    assert_eq!(around(2, 9).0, ["1|2 x|34", "|5 x|", "|6 x|78"]);
    assert_eq!(around(100, 9).0, ["1|2 x|34", "|5 x|", "|6 x|789"]);
    assert_eq!(around(0, 2), (vec!["|2 x|".into(), "|5 x|".into()], true));
    assert!(!around(0, 3).1);
}

#[test]
fn limits_hold_and_say_so_and_counting_goes_past_them() {
    let files = (0..50).map(|at| analysed(&format!("f{at:02}.txt"), "x\nx\nx y\n"));
    let index = index_of(files.collect());
    let one = grep(&index, &Grep { per_file: 1, ..Grep::new("x") });
    assert_eq!((one.lines.len(), one.truncated), (50, true));
    let all = grep(&index, &Grep { per_file: 3, limit: 150, ..Grep::new("x") });
    assert_eq!((all.lines.len(), all.truncated, all.searched), (150, false, 50));
    let some = grep(&index, &Grep { limit: 7, ..Grep::new("x") });
    assert_eq!((places(&some), some.truncated), (places(&all)[..7].to_vec(), true));
    assert!(some.searched < 50);
    let counted = grep(&index, &Grep { per_file: 1, limit: 1, count: true, ..Grep::new("x|y") });
    assert_eq!(counted.counts.len(), 50);
    assert!(
        counted.counts.iter().all(|(_, count)| *count == 3) && counted.lines.is_empty() && !counted.truncated
    );
    let inside = Grep { count: true, kinds: vec![DefinitionKind::Function], ..Grep::new("cart") };
    assert_eq!(
        grep(&shop(), &inside).counts,
        [("lib/shop/cart.ex".into(), 5), ("lib/shop/till.ex".into(), 1)]
    );
}

#[test]
fn long_lines_are_cut_around_the_match() {
    let text = format!("{}needle{}\n", "ä".repeat(5000), "ö".repeat(5000));
    let index = index_of(vec![analysed("long.txt", &text), analysed("many.txt", &"x".repeat(5000))]);
    let line = &grep(&index, &Grep::new("needle")).lines[0];
    assert_eq!(line.column, 5001);
    assert!(line.text.len() <= 400 && line.text.contains("äneedleö"));
    let at = line.matches[0].start - line.text_start;
    assert_eq!(line.text.find("needle"), Some(at as usize));
    assert_eq!(grep(&index, &Grep::new("x")).lines[0].matches.len(), 100);
}

#[test]
fn bad_patterns_are_refused_with_a_sentence() {
    let index = shop();
    let refused = |grep: Grep| {
        let error = index.grep(&grep, &Cancel::new()).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        (error.kind(), error.to_string())
    };
    use ErrorKind::{InvalidArgument, Limit};
    for (grep, kind, part) in [
        (Grep::new(""), InvalidArgument, "empty"),
        (Grep::new("a(b"), InvalidArgument, "unclosed group at character 2"),
        (Grep::new(r"(?<=a)b"), InvalidArgument, "look-around"),
        (Grep::new(r"\p{Greeek}"), InvalidArgument, "Unicode property"),
        (Grep::new("x".repeat(1 << 20)), Limit, "65536"),
        (Grep { fixed: true, ..Grep::new("x".repeat(1 << 20)) }, Limit, "65536"),
        (Grep::new(r"(\w{100}){100}"), Limit, "too large"),
        (Grep::new("(".repeat(5000)), InvalidArgument, "the pattern"),
        (Grep::new(format!("{}a{}", "(".repeat(5000), ")".repeat(5000))), InvalidArgument, "nest"),
        (Grep { limit: 0, ..Grep::new("a") }, InvalidArgument, "limits"),
        (Grep { per_file: 0, ..Grep::new("a") }, InvalidArgument, "limits"),
        (Grep { context: 101, ..Grep::new("a") }, InvalidArgument, "context"),
        (Grep { paths: vec!["a[".into()], ..Grep::new("a") }, InvalidArgument, "glob"),
        (Grep { paths: vec![" ".into()], ..Grep::new("a") }, InvalidArgument, "glob"),
    ] {
        let (found, sentence) = refused(grep);
        assert!(found == kind && sentence.contains(part), "{found:?} {sentence}");
    }
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(index.grep(&Grep::new("a"), &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    for pattern in ["\0\u{1}", "\u{10ffff}", "(?-u)\\xff", "(?:)", "(((((a*)*)*)*)*)*!"] {
        grep(&index, &Grep::new(pattern));
    }
}

#[test]
fn a_text_that_cannot_match_is_not_read() {
    let index = shop();
    assert_eq!(grep(&index, &Grep::new("zebra")).searched, 0);
    assert_eq!(grep(&index, &Grep::new(r"def\s+close")).searched, 1);
    assert_eq!(grep(&index, &Grep::new(".")).searched, 5);
    assert!(index.table_bytes().1 > 0);
}

/// Each line asked by itself.
fn naive(texts: &BTreeMap<String, String>, wanted: &Grep) -> Vec<(String, u32, Vec<std::ops::Range<u32>>)> {
    let pattern = match wanted.word {
        true => format!(r"\b{{start-half}}(?:{})\b{{end-half}}", wanted.pattern),
        false => wanted.pattern.clone(),
    };
    let insensitive = wanted.case == Case::Insensitive;
    let regex = RegexBuilder::new(&pattern).multi_line(true).case_insensitive(insensitive).build().unwrap();
    let mut found = Vec::new();
    for (path, text) in texts {
        let mut start = 0;
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let matches: Vec<_> = regex
                .find_iter(bare.as_bytes())
                .map(|it| (start + it.start()) as u32..(start + it.end()) as u32)
                .collect();
            if !matches.is_empty() {
                found.push((path.clone(), number, matches));
            }
            start += line.len();
        }
    }
    found
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b", "c", "ab", "abc", "bca", "K", "k", "s", "é", "\u{212a}", "ſ", "\n", "\n\n", " ", "_",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

#[test]
fn anchors_stand_for_the_ends_of_lines_whatever_these_are_and_a_byte_order_mark_is_none_of_the_text() {
    let text = "defmodule A do\n  # note\n  def top(x) do\n    x\n  end\n\nend\n";
    let index = index_of(vec![
        analysed("bom.ex", &format!("\u{feff}{text}")),
        analysed("bomcrlf.ex", &format!("\u{feff}{}", text.replace('\n', "\r\n"))),
        analysed("crlf.ex", &text.replace('\n', "\r\n")),
        analysed("lf.ex", text),
    ]);
    for (pattern, lines) in [
        ("^defmodule", &["1:1"][..]),
        (r"\Adefmodule", &["1:1"]),
        ("do$", &["1:13", "3:14"]),
        (r"do\z", &["1:13", "3:14"]),
        ("^end$", &["7:1"]),
        ("^  end$", &["5:1"]),
        ("^$", &["6:1"]),
        ("^    x$", &["4:1"]),
        ("note.*$", &["2:5"]),
    ] {
        for multiline in [false, true] {
            // Those of a text are not those of its lines then.
            if multiline && pattern.contains('\\') {
                continue;
            }
            let found = grep(&index, &Grep { multiline, context: 1, ..Grep::new(pattern) });
            let expected: Vec<String> = ["bom.ex", "bomcrlf.ex", "crlf.ex", "lf.ex"]
                .iter()
                .flat_map(|file| lines.iter().map(move |line| format!("{file}:{line}")))
                .collect();
            assert_eq!(places(&found), expected, "{pattern} {multiline}");
            for line in &found.lines {
                assert!(!line.text.contains(['\r', '\u{feff}']), "{line:?}");
                assert!(line.matches.iter().all(|it| {
                    !index.text(&line.file).unwrap()[it.start as usize..it.end as usize].contains('\r')
                }));
            }
            let counted = grep(&index, &Grep { multiline, count: true, ..Grep::new(pattern) });
            assert!(counted.counts.iter().all(|it| it.1 == lines.len()), "{pattern} {:?}", counted.counts);
        }
    }
    // A line's end itself is found where it is asked for.
    assert_eq!(grep(&index, &Grep { count: true, ..Grep::new(r"\r") }).counts.len(), 2);
}

proptest! {
    // Most of the time goes into compiling patterns.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// After any history of updates a search finds what a search in all lines finds.
    #[test]
    fn searches_find_what_a_walk_through_all_lines_finds(
        steps in prop::collection::vec((0..4usize, prop::option::of(text())), 1..4),
        patterns in prop::collection::vec((pattern(), any::<bool>(), any::<bool>()), 1..4),
    ) {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let mut entries = BTreeMap::new();
        for (file, text) in steps {
            let path = format!("f{file}.txt");
            match text {
                Some(text) => {
                    entries.insert(path.clone(), analysed(&path, &text));
                    texts.insert(path, text);
                }
                None => {
                    entries.remove(&path);
                    texts.remove(&path);
                }
            }
            let index = index_of(entries.values().cloned().collect());
            for (pattern, insensitive, word) in &patterns {
                let case = if *insensitive { Case::Insensitive } else { Case::Sensitive };
                let wanted = Grep { case, word: *word, limit: 10_000, ..Grep::new(pattern) };
                let expected = naive(&texts, &wanted);
                let found = grep(&index, &wanted);
                let told: Vec<_> =
                    found.lines.iter().map(|it| (it.file.to_string(), it.line, it.matches.clone())).collect();
                prop_assert_eq!(&told, &expected, "{:?}", wanted);
                let counted: usize = grep(&index, &Grep { count: true, ..wanted }).counts.iter().map(|it| it.1).sum();
                prop_assert_eq!(counted, expected.len());
            }
        }
    }

    /// The definition of a line is the one that begins last among those around the match.
    #[test]
    fn definitions_are_the_innermost(pattern in "[a-z(@]{1,3}") {
        let index = shop();
        for line in grep(&index, &Grep { fixed: true, ..Grep::new(pattern) }).lines {
            let at = line.matches[0].start;
            let around = index.facts(&line.file).unwrap().definitions.iter();
            let innermost = around.filter(|it| it.span.start <= at && at < it.span.end).max_by_key(|it| (it.span.start, std::cmp::Reverse(it.span.end)));
            prop_assert_eq!(line.symbol.to_string(), innermost.map_or(String::new(), |it| it.qualified()));
        }
    }
}
