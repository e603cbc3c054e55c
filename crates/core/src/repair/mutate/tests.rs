use std::collections::BTreeSet;

use proptest::prelude::*;

use super::order::canonical;
use super::*;
use crate::Cancel;
use crate::edit::{Edit, tokens};
use crate::repair::Suspect;

#[test]
fn pages_make_up_the_whole_list() {
    let text = "defmodule A do\n  def f(a, b), do: if(a < b, do: a + 1, else: b - 2)\nend\n";
    let suspects = suspects(text);
    let request = Request::new("lib/a.ex", text, &suspects);
    let whole = candidates(&request, &Cancel::new()).unwrap();
    let (mut pages, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let page = page_of(&[Request { max: 7, ..request }], place, &Cancel::new()).unwrap();
        assert!(page.candidates.len() == 7 || page.next.is_none());
        pages.extend(page.candidates);
        from = page.next;
    }
    assert!(whole.len() > 21);
    assert_eq!(pages, whole);
    assert_eq!(page_of(&[request], usize::MAX, &Cancel::new()).unwrap().candidates, []);
}

#[test]
fn a_module_on_one_line_is_changed_as_any_other() {
    for text in [
        "defmodule A, do: (\n  def f(a, b), do: a < b\n)\n",
        "defmodule A, do: def f(a, b), do: a < b\n",
        "defmodule(A, do: (def f(a, b), do: a < b))\n",
    ] {
        let found = all(text, &[]);
        let wanted = text.replace("a < b", "a <= b");
        let right = found.iter().find(|one| one.patch().apply(text).unwrap() == wanted);
        let edits = &right.unwrap_or_else(|| panic!("nothing for {text}: {found:?}")).edits;
        let functions = Function::all(text).unwrap();
        let (function, ..) = Function::around(&functions, text, edits).unwrap();
        assert_eq!((function.name.as_str(), function.arity), ("f", 2), "{text}");
    }
}

fn suspects(text: &str) -> Vec<Suspect> {
    let lines = 1..=text.lines().count() as u32;
    lines.map(|line| Suspect { file: "lib/a.ex".into(), line, score: 1.0, why: String::new() }).collect()
}

fn all(text: &str, donors: &[(&str, &str)]) -> Vec<Candidate> {
    let suspects = suspects(text);
    let request = Request { donors, ..Request::new("lib/a.ex", text, &suspects) };
    candidates(&request, &Cancel::new()).unwrap()
}

/// Among the candidates for a function must be one of the kind that gives the other function.
fn check(kind: Kind, before: &str, after: &str) {
    let found = all(before, &[]);
    let texts = found.iter().map(|candidate| (candidate.kind, candidate.patch().apply(before).unwrap()));
    let hits: BTreeSet<Kind> = texts.filter(|(_, text)| text == after).map(|(kind, _)| kind).collect();
    assert!(
        hits.contains(&kind),
        "{kind:?} should make\n{after}\nof\n{before}\nbut that is made by {hits:?}"
    );
}

/// The two texts stand in the same function.
fn within(kind: Kind, before: &str, after: &str) {
    let frame = |body: &str| format!("def f(a, b, list) do\n  {body}\nend\n");
    check(kind, &frame(before), &frame(after));
}

#[test]
fn operators() {
    within(Kind::Comparison, "a < b", "a <= b");
    within(Kind::Comparison, "a >= b", "a > b");
    within(Kind::Comparison, "a != b", "a == b");
    within(Kind::Comparison, "a === b", "a !== b");
    within(Kind::Arithmetic, "a + b", "a - b");
    within(Kind::Arithmetic, "a * b / 2", "a / b / 2");
    within(Kind::Arithmetic, "-a", "a");
    within(Kind::Boolean, "a and b", "a or b");
    within(Kind::Boolean, "a || b", "a && b");
    within(Kind::Boolean, "a not in list", "a in list");
    within(Kind::ListOperator, "list ++ [a]", "list -- [a]");
    within(Kind::SwapOperands, "list ++ [a]", "[a] ++ list");
    within(Kind::SwapOperands, "a - b", "b - a");
    within(Kind::DropOperand, "a + b", "a");
    within(Kind::DropOperand, "(a + 1) * b", "(a + 1)");
    within(Kind::SwapOperands, "(a + 1) - b", "b - (a + 1)");
    within(Kind::Boundary, "(a + 1) < (b * 2)", "(a + 1) < (b * 2) + 1");
    within(Kind::Division, "a / b", "div(a, b)");
    within(Kind::Division, "div(a, b) + 1", "(a / b) + 1");
    within(Kind::Range, "1..a", "1..(a - 1)");
    within(Kind::Boundary, "a < b", "a < b + 1");
    within(Kind::Boundary, "elem(list, a)", "elem(list, a - 1)");
    within(Kind::Capture, "Enum.reduce(list, &(&1 - &1))", "Enum.reduce(list, &(&2 - &1))");
}

#[test]
fn literals() {
    within(Kind::Integer, "a + 1", "a + 2");
    within(Kind::Integer, "a + 1", "a + 0");
    within(Kind::Integer, "a * 1", "a * (-1)");
    within(Kind::Integer, "<<0x0F>>", "<<0x10>>");
    within(Kind::Float, "a * 0.1", "a * 1.0");
    within(Kind::StringLiteral, "Enum.join(list, \"-\")", "Enum.join(list, \"\")");
    within(Kind::StringLiteral, "Enum.join(list, \"-\")", "Enum.join(list, \",\")");
    within(Kind::StringLiteral, "{\"x\", \"other\"}", "{\"other\", \"other\"}");
    within(Kind::StringLiteral, "[\".jp2\"]", "[\"jp2\"]");
    within(Kind::Atom, "{:up, if(a, do: :down)}", "{:down, if(a, do: :down)}");
    within(Kind::Literal, "g(a, true)", "g(a, false)");
    within(Kind::Literal, "g(:unit, nil)", "g(:unit, :unit)");
    within(Kind::Key, "%{first: a, third: h(second: b)}", "%{second: a, third: h(second: b)}");
    within(Kind::Key, "{a.size, b.weight}", "{a.weight, b.weight}");
    within(Kind::Sigil, "a =~ ~r/x/", "a =~ ~r/x/i");
    within(Kind::Attribute, "@one + g(@two)", "@two + g(@two)");
}

#[test]
fn names_and_calls() {
    within(Kind::Variable, "g(a)", "g(b)");
    within(Kind::SiblingFunction, "Enum.min(list)", "Enum.max(list)");
    within(Kind::SiblingFunction, "Enum.filter(list, a)", "Enum.reject(list, a)");
    within(Kind::SiblingFunction, "String.trim_leading(a)", "String.trim(a)");
    within(Kind::SwapArguments, "g(a, b)", "g(b, a)");
    within(Kind::UnwrapCall, "g(Enum.sort(list))", "g(list)");
    within(Kind::WrapCall, "g(a, tidy(b))", "g(tidy(a), tidy(b))");
    within(Kind::Conversion, "a <> b", "to_string(a) <> b");
    within(Kind::Conversion, "g(to_string(a))", "g(a)");
    within(Kind::Module, "Stream.map(list, a) |> Enum.sort()", "Enum.map(list, a) |> Enum.sort()");
    within(Kind::DropElement, "g(a, b)", "g(a)");
    within(Kind::ResultTuple, "{:ok, a}", "a");
    within(Kind::ResultTuple, "g(a, b)", "{:ok, g(a, b)}");
    within(Kind::DefaultValue, "a || b", "a");
    within(Kind::DefaultValue, "Map.get(a, b)", "Map.get(a, b) || 0");
    within(Kind::SwapElements, "{a, b}", "{b, a}");
    within(Kind::PipeRemove, "list |> Enum.sort() |> hd()", "list |> hd()");
    within(Kind::PipeInsert, "list |> Enum.sort()", "list |> Enum.sort() |> Enum.reverse()");
    within(Kind::PipeInsert, "list\n  |> Enum.sort()", "list\n  |> Enum.sort()\n  |> hd()");
    within(Kind::BitType, "<<a::utf8, b::binary>>", "<<a::binary, b::binary>>");
    check(
        Kind::ProjectFunction,
        "defmodule A do\n  def gross(a), do: net_price(a)\n  def net_price(a), do: a\n  def gross_price(a), do: a\nend\n",
        "defmodule A do\n  def gross(a), do: gross_price(a)\n  def net_price(a), do: a\n  def gross_price(a), do: a\nend\n",
    );
}

#[test]
fn conditions_and_clauses() {
    within(Kind::Negate, "if a, do: b", "unless a, do: b");
    within(Kind::Negate, "if !a, do: b", "if a, do: b");
    within(Kind::Negate, "if !(a && b), do: b", "if (a && b), do: b");
    within(Kind::Negate, "if Enum.empty?(a), do: b", "if not Enum.empty?(a), do: b");
    within(Kind::SwapBranches, "if a, do: 1, else: 2", "if a, do: 2, else: 1");
    within(
        Kind::SwapBranches,
        "if a do\n    1\n  else\n    2\n  end",
        "if a do\n    2\n  else\n    1\n  end",
    );
    within(Kind::DeleteStatement, "g(a)\n  g(b)", "g(b)");
    within(Kind::MoveStatement, "g(a)\n  h(b)", "h(b)\n  g(a)");
    within(Kind::Pin, "case b do\n    {a, 1} -> a\n  end", "case b do\n    {^a, 1} -> a\n  end");
    within(
        Kind::ClauseSwap,
        "case b do\n    1 -> a\n    _ -> b\n  end",
        "case b do\n    _ -> b\n    1 -> a\n  end",
    );
    within(Kind::ClauseRemove, "case b do\n    1 -> a\n    _ -> b\n  end", "case b do\n    _ -> b\n  end");
    within(
        Kind::MissingClause,
        "case b do\n    1 -> a\n  end",
        "case b do\n    nil -> nil\n    1 -> a\n  end",
    );
    within(Kind::MissingClause, "case b do\n    1 -> a\n  end", "case b do\n    1 -> a\n    _ -> nil\n  end");
    check(Kind::Guard, "def f(a) when a > 0, do: a\n", "def f(a), do: a\n");
    check(Kind::Guard, "def f(a) when a > 0 and a < 9, do: a\n", "def f(a) when a < 9, do: a\n");
    check(
        Kind::Guard,
        "def f(a, 1) when a > 0, do: a\ndef f(a, 2), do: 0\n",
        "def f(a, 1) when a > 0, do: a\ndef f(a, 2) when a > 0, do: 0\n",
    );
    check(Kind::ClauseSwap, "def f(a), do: a\ndef f(0), do: 1\n", "def f(0), do: 1\ndef f(a), do: a\n");
    check(
        Kind::MissingClause,
        "def f([h | t], acc), do: f(t, acc + h)\n",
        "def f([], acc), do: acc\ndef f([h | t], acc), do: f(t, acc + h)\n",
    );
}

#[test]
fn a_head_with_defaults_stays_the_first() {
    let text = "def f(a, b \\\\ 1)\ndef f(0, b), do: b\ndef f(a, b), do: a + b\n";
    let texts: BTreeSet<String> =
        all(text, &[]).iter().map(|candidate| candidate.patch().apply(text).unwrap()).collect();
    for text in &texts {
        assert!(!text.lines().next().unwrap().contains("do:"), "{text}");
        assert!(!text.contains("\\\\ a)"), "{text}");
    }
    assert!(texts.contains("def f(a, b \\\\ 1)\ndef f(a, b), do: a + b\ndef f(0, b), do: b\n"));
}

#[test]
fn files_are_ranked_in_one_list() {
    let (one, other) = ("def f(a), do: a + 1\n", "def g(a), do: a + 1\n\ndef h(a), do: a - 1\n");
    let suspect = |file: &str, line, score| Suspect { file: file.into(), line, score, why: String::new() };
    let suspects = [suspect("lib/a.ex", 1, 0.2), suspect("lib/b.ex", 1, 1.0), suspect("lib/b.ex", 3, 0.9)];
    let requests = [Request::new("lib/a.ex", one, &suspects), Request::new("lib/b.ex", other, &suspects)];
    let found = candidates_of(&requests, &Cancel::new()).unwrap();
    assert!(found.windows(2).all(|pair| pair[0].prior >= pair[1].prior));
    assert_eq!((&*found[0].file, found[0].prior), ("lib/b.ex", 1.0));
    let place = |file: &str, label: &str| {
        found.iter().position(|one| *one.file == *file && one.label.contains(label)).unwrap()
    };
    assert!(place("lib/b.ex", "`+` becomes `-`") < place("lib/a.ex", "`+` becomes `-`"));
    let prior = |file: &str, label: &str| found[place(file, label)].prior;
    let share = prior("lib/a.ex", "`+` becomes `-`") / prior("lib/b.ex", "`+` becomes `-`");
    assert!((share - 0.2).abs() < 1e-9, "the same change differs by its suspicion only: {share}");
    let alone = candidates(&requests[0], &Cancel::new()).unwrap();
    assert_eq!(found.iter().filter(|one| &*one.file == "lib/a.ex").count(), alone.len());
    let few = requests.map(|request| Request { max: 3, ..request });
    assert_eq!(candidates_of(&few, &Cancel::new()).unwrap().len(), 3);
}

#[test]
fn donor_code_is_taken_over_with_the_names_of_the_place() {
    let before = "def f(a) do\n  clamp(a, 0, 9)\nend\n";
    let donor = "def g(x) do\n  clamp(x, 0, size(x) - 1)\nend\n";
    let found = all(before, &[("lib/b.ex", donor)]);
    let texts: Vec<_> = found.iter().map(|candidate| candidate.patch().apply(before).unwrap()).collect();
    assert!(texts.contains(&"def f(a) do\n  clamp(a, 0, size(a) - 1)\nend\n".to_string()));
}

#[test]
fn the_words_of_the_failing_test_come_first() {
    let text = "def f(a) do\n  g(a, :east)\n  [:north, :south, :west, :up, :down, :left, :right]\nend\n";
    let suspects = suspects(text);
    let rank = |evidence: &str| {
        let request = Request { evidence, ..Request::new("lib/a.ex", text, &suspects) };
        let found = candidates(&request, &Cancel::new()).unwrap();
        found.iter().position(|one| one.label.contains("`:east` becomes `:right`")).unwrap()
    };
    assert!(rank("assert f(1) == :right") < rank(""));
}

#[test]
fn kin_of_a_wrong_word_come_first() {
    let text = "def f(a) do\n  g(a, :sent)\n  {:red, :green, :blue, :left, :right, :up, :down}\nend\n";
    let rank = |donors: &[(&str, &str)]| {
        let found = all(text, donors);
        found.iter().position(|one| one.label.contains("`:sent` becomes `:arrived`"))
    };
    let states = [("lib/b.ex", "def states, do: [:new, :sent, :arrived]\n")];
    let strangers = [("lib/b.ex", "def states, do: {[:new, :sent], :arrived}\n")];
    assert!(rank(&states).unwrap() < 20);
    assert!(rank(&strangers).is_none_or(|stranger| rank(&states).unwrap() < stranger));
}

#[test]
fn a_clause_that_functions_like_this_one_have_is_missed_first() {
    let text = "def up(list, nil), do: list\ndef up(list, n), do: g(list, n)\n\ndef down(list, n), do: g(list, -n)\n";
    let labels: Vec<String> = all(text, &[]).into_iter().map(|one| one.label).collect();
    let place = |label: &str| labels.iter().position(|one| one.contains(label)).unwrap();
    assert!(place("add `def down(list, nil), do: list") < place("add `def down(list, []), do: list"));
}

#[test]
fn prose_and_heads_are_left_alone() {
    let text = "defmodule A do\n  @doc \"says 1\"\n  @spec f(integer) :: 1\n  alias B.C\n  # 1\n  def f(a), do: a\nend\n";
    for candidate in all(text, &[]) {
        let new = candidate.patch().apply(text).unwrap();
        for kept in ["@doc \"says 1\"", "@spec f(integer) :: 1", "alias B.C", "# 1", "def f("] {
            assert!(new.contains(kept), "{} broke {kept}:\n{new}", candidate.label);
        }
    }
}

#[test]
fn the_first_hundred_show_every_suspicious_line_and_many_kinds() {
    let text = "def f(a, b) do\n  x = a + 1\n  y = if b > 2, do: :big, else: :small\n  {x, y} |> g(\"s\") |> h()\nend\n";
    let found = all(text, &[]);
    let first = &found[..100];
    let lines: BTreeSet<u32> = first.iter().map(|candidate| candidate.line).collect();
    let kinds: BTreeSet<Kind> = first.iter().map(|candidate| candidate.kind).collect();
    assert!(lines.is_superset(&BTreeSet::from([2, 3, 4])), "{lines:?}");
    assert!(kinds.len() >= 15, "{kinds:?}");
    assert!(found.windows(2).all(|pair| pair[0].prior >= pair[1].prior));
}

#[test]
fn what_is_asked_for_is_respected() {
    let text = "def f(a), do: a + 1\n\ndef g(a), do: a + 2\n";
    let only = [Suspect { file: "lib/a.ex".into(), line: 3, score: 1.0, why: String::new() }];
    let found =
        candidates(&Request { max: 7, ..Request::new("lib/a.ex", text, &only) }, &Cancel::new()).unwrap();
    assert_eq!(found.len(), 7);
    assert!(found.iter().all(|candidate| candidate.line == 3));
    assert_eq!(candidates(&Request::new("lib/b.ex", text, &only), &Cancel::new()).unwrap(), []);
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(candidates(&Request::new("lib/a.ex", text, &only), &cancel).is_err());
}

#[test]
fn depth_and_broken_code_do_no_harm() {
    let deep = format!("def f(a), do: {}a + 1{}\n", "(".repeat(10_000), ")".repeat(10_000));
    let line = [Suspect { file: "lib/a.ex".into(), line: 1, score: 1.0, why: String::new() }];
    let request = Request { max: 5, ..Request::new("lib/a.ex", &deep, &line) };
    // The stack that a dirty scheduler of the BEAM has.
    std::thread::scope(|scope| {
        let work = || candidates(&request, &Cancel::new()).map(|found| found.len());
        let thread = std::thread::Builder::new().stack_size(320 * 1024).spawn_scoped(scope, work).unwrap();
        assert_eq!(thread.join().unwrap().unwrap(), 5);
    });
    let half = "def f(a) do\n  a + 1\n";
    assert!(all(half, &[]).iter().any(|one| one.patch().apply(half).unwrap() == "def f(a) do\n  a - 1\n"));
}

#[test]
fn equal_texts_have_one_canonical_edit() {
    let same = |text: &str, edits: &[(usize, usize, &str)]| {
        let found: BTreeSet<_> =
            edits.iter().map(|&(start, end, new)| canonical(text, &Edit::new(start, end, new))).collect();
        assert_eq!(found.len(), 1, "{found:?}");
    };
    same("a + 11", &[(4, 6, "111"), (5, 5, "1"), (6, 6, "1")]);
    same("f(a, a)", &[(3, 6, ""), (2, 5, ""), (0, 7, "f(a)")]);
    same("é = è", &[(0, 7, "é = é"), (5, 7, "é")]);
    assert_eq!(canonical("same", &Edit::new(0, 4, "same")), None);
}

/// Function bodies of the words that templates know.
fn bodies() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-c]",
        "[0-9]{1,2}",
        ":[a-c]",
        "\"[a-z]\"",
        Just("nil".to_string()),
        Just("é".to_string()),
        Just("g(a, b)".into()),
        Just("if a, do: b, else: c".into()),
        Just("a |> h()".into()),
        Just("{a, b}".into()),
        Just("[a | b]".into()),
        Just("fn [] -> 1; x when x > 1 -> x end".into()),
        Just("%{k: a}".into()),
        Just("<<a::8>>".into()),
        Just("do".into()),
        Just(")".into()),
    ];
    let sign = prop_oneof![
        Just(" + "),
        Just(" == "),
        Just(" and "),
        Just("\n  "),
        Just(" |> "),
        Just(", "),
        Just("..")
    ];
    proptest::collection::vec((word, sign), 1..7)
        .prop_map(|parts| parts.into_iter().map(|(word, sign)| format!("{word}{sign}")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn candidates_parse_differ_and_repeat(body in bodies()) {
        let text = format!("def f(a, b) do\n  {body}\nend\n");
        let mut parser = parser().unwrap();
        let mut broken = |text: &str| parse(&mut parser, text).unwrap().root_node().has_error();
        let was_broken = broken(&text);
        let found = all(&text, &[]);
        let mut seen = BTreeSet::new();
        for candidate in &found {
            let new = candidate.patch().apply(&text).unwrap();
            prop_assert!(was_broken || !broken(&new), "{}:\n{new}", candidate.label);
            prop_assert!(tokens(&new) != tokens(&text) || new != text);
            prop_assert!(seen.insert(new), "twice: {}", candidate.label);
            prop_assert!(candidate.prior > 0.0 && candidate.prior <= 1.0);
        }
        prop_assert_eq!(all(&text, &[]), found);
    }
}
