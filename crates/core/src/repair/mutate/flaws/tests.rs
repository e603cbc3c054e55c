use super::*;
use crate::Cancel;
use crate::repair::mutate::source::Source;
use crate::repair::mutate::{parse, parser};
use crate::repair::{Candidate, Request, Suspect, candidates};
use crate::source::File;
use crate::syntax;

/// The flaws that `after` shows and `before` does not, as text, both a file of the same project.
fn new_flaws(before: &str, after: &str) -> Vec<String> {
    let others =
        ["defmodule Shop.Cart do\n  defstruct [:id, :total]\n  def add(cart, item), do: {cart, item}\nend\n"];
    let mut parser = parser().unwrap();
    let trees = [before, others[0]].map(|text| parse(&mut parser, text).unwrap());
    let sources: Vec<Source<'_>> =
        [before, others[0]].iter().zip(&trees).map(|(text, tree)| Source::new(text, tree)).collect();
    let facts = [("lib/a.ex", before), ("lib/b.ex", others[0])]
        .map(|(path, text)| (path, syntax::analyse(&File::new(path, text))));
    let facts: Vec<_> = facts.iter().map(|(path, facts)| (*path, facts)).collect();
    let donors = [("lib/b.ex", &sources[1], trees[1].root_node())];
    let flaws = FileFlaws::new("lib/a.ex", &sources[0], trees[0].root_node(), &donors, &facts);
    let tree = parse(&mut parser, after).unwrap();
    assert!(!tree.root_node().has_error(), "does not parse:\n{after}");
    let found = flaws.of(after, tree.root_node());
    found
        .iter()
        .filter(|flaw| !flaws.excuses(flaw))
        .map(|(what, about)| format!("{what:?} {about}"))
        .collect()
}

fn module(body: &str) -> String {
    format!(
        "defmodule A do\n  @list [1, 2]\n  def own(x), do: x\n  defp other(x, y \\\\ 0), do: x + y\n  def none, do: 1\n  {body}\nend\n"
    )
}

/// Nothing is wrong with the code.
fn fine(body: &str) {
    assert_eq!(new_flaws(&module(""), &module(body)), Vec::<String>::new(), "{body}");
}

/// Only this is wrong with the code.
fn flawed(body: &str, flaw: &str) {
    assert_eq!(new_flaws(&module(""), &module(body)), [flaw], "{body}");
}

#[test]
fn names_are_bound_before_they_are_read() {
    fine("def f(a, [b | _], %{c: c} = d), do: {a, b, c, d}");
    fine("def f(a) do\n    b = a\n    b + none\n  end");
    fine("def f(a \\\\ none), do: a");
    fine("def f(a), do: if(b = a, do: b, else: __MODULE__)");
    fine("def f(<<n, s::binary-size(n), rest::bits>>), do: {s, rest}");
    fine("def f(a), do: for({b, c} when b > 0 <- a, d = c, do: d)");
    fine("def f(a), do: for(<<b, c::8 <- a>>, do: b + c)");
    fine("def f(a) do\n    with {:ok, b} <- a, c = b do\n      c\n    else\n      e -> e\n    end\n  end");
    fine("def f(a) do\n    case a do\n      b when b > 1 -> b\n      {c, d} -> c + d\n    end\n  end");
    fine("def f(a) do\n    cond do\n      a > 1 -> a\n      b = own(a) -> b\n    end\n  end");
    fine(
        "def f(a) do\n    try do\n      a\n    rescue\n      e in [ArgumentError] -> e\n    catch\n      k, v -> {k, v}\n    end\n  end",
    );
    fine("def f(a) do\n    receive do\n      b -> b\n    after\n      a -> a\n    end\n  end");
    fine("def f(a), do: match?({b, c} when b > c, a)");
    fine("def f(a), do: Enum.map(a, fn {b, c} -> b.(c) end)");
    fine("def f(a), do: quote(do: b + unquote(a))");
    fine("for {n, v} <- @list do\n    def unquote(n)(), do: unquote(v)\n  end");
    fine("def f(a), do: var!(b) + a");
    flawed("def f(a), do: unquote(a)", "Unbound a");
    flawed("@sum unquote(1)\n  def f(a), do: a", "Local unquote/1");
    flawed("@sum for(b <- c, c <- @list, do: b + c)\n  def f(a), do: a", "Unbound c");
    let before = module("all = [1]\n  @sum Enum.sum(@list)");
    assert_eq!(new_flaws(&before, "@sum Enum.sum(all)\n"), Vec::<String>::new());
    flawed("def f(a), do: b + a", "Unbound b");
    flawed("def f(a) do\n    c = b\n    b = a\n    {b, c}\n  end", "Unbound b");
    flawed("def f(a) do\n    b = b + a\n    b\n  end", "Unbound b");
    flawed("def f(a) do\n    if a do\n      b = 1\n      b\n    end\n    b\n  end", "Unbound b");
    flawed("def f(a) do\n    case a do\n      b -> b\n      _ -> b\n    end\n  end", "Unbound b");
    flawed("def f(a), do: {Enum.map(a, fn b -> b end), b}", "Unbound b");
    flawed("def f(a) do\n    with b <- a do\n      b\n    else\n      _ -> b\n    end\n  end", "Unbound b");
    flawed("def f(_), do: _", "Unbound _");
    flawed("def f(a) when b > 0, do: a", "Unbound b");
    flawed("def f(<<s::binary-size(n)>>), do: s", "Unbound n");
    flawed("def g(b), do: b\n  def f(a), do: a + b", "Unbound b");
}

#[test]
fn pins_are_of_names_bound_before_the_pattern() {
    fine("def f(a, b) do\n    case b do\n      ^a -> b\n    end\n  end");
    flawed("def f(a) do\n    case a do\n      {b, ^b} -> b\n    end\n  end", "Pin b");
    flawed("def f(a) do\n    case a do\n      ^_ -> a\n    end\n  end", "Pin _");
    flawed("def f(a, ^a), do: a", "Pin a");
}

#[test]
fn local_calls_are_of_functions_with_as_many_arguments() {
    fine("def f(a), do: own(a) |> other() |> other(1) |> to_string()");
    fine("def f(a), do: Enum.map(a, &own/1) ++ Enum.map(a, &to_string/1)");
    fine("import Bitwise\n  def f(a), do: a");
    flawed("def f(a), do: upcase(a)", "Local upcase/1");
    flawed("def f(a), do: own(a, 1)", "Local own/2");
    flawed("def f(a), do: a |> own(1)", "Local own/2");
    flawed("def f(a), do: Enum.map(a, &own/2)", "Local own/2");
    let before = module("import Bitwise\n  import Plug.Conn, only: [halt: 1]\n  def f(a), do: strange(a)");
    let after = before.replace("strange(a)", "strange(band(a, 1)) + halt(a)");
    assert_eq!(
        new_flaws(&before, &after),
        Vec::<String>::new(),
        "what is imported, and what was called before"
    );
}

#[test]
fn remote_calls_are_of_functions_that_a_known_module_has() {
    fine("def f(a), do: String.upcase(a, :ascii) |> String.split(\",\") |> Foreign.anything()");
    fine("def f(a), do: Cart.add(a, 1) |> :lists.anything()");
    flawed("def f(a), do: String.max(a)", "Remote String.max/1");
    flawed("def f(a), do: a |> Enum.map()", "Remote Enum.map/1");
    flawed("def f(a), do: Enum.map(a, &String.upcase/3)", "Remote String.upcase/3");
    flawed("def f(a), do: Shop.Cart.drop(a, 1)", "Remote Shop.Cart.drop/2");
}

#[test]
fn patterns_hold_what_patterns_can() {
    fine("def f(\"a\" <> b, [1] ++ c, -1, %A{} = d, 1..2), do: {b, c, d}");
    flawed("def f(a <> \"b\"), do: a", "Pattern a <>");
    flawed("def f(a + 1), do: a", "Pattern +");
    flawed("def f(own(a)), do: a", "Pattern own/1");
    flawed(
        "def f(a) do\n    try do\n      a\n    rescue\n      _ not in [ArgumentError] -> a\n    end\n  end",
        "Pattern not in",
    );
    fine("def f(<<a, b::binary-size(2), c::binary>>), do: {a, b, c}");
    flawed("def f(<<a::binary, b>>), do: {a, b}", "Bits open: <<a::binary, b>>");
    flawed("def f(a), do: <<a::utf8-binary>>", "Bits utf8-binary");
    flawed("def f(a), do: <<a::foo>>", "Bits foo");
    fine("def f([a, b | c]), do: %{a | b: [c | b]}");
    flawed("def f([a | b, c]), do: {a, b, c}", "Cons a | b");
    flawed("def f(a), do: {a | a}", "Cons a | a");
}

#[test]
fn guards_hold_what_guards_can() {
    fine("def f(a) when is_list(a) and length(a) > 1 and a not in @list, do: a");
    fine("def f(a) when a in ?A..?Z or a in [1, 2] or a.b > 1 or not is_nil(a), do: a");
    let before = module("defguardp small(a) when a < 3");
    let after = before.replace("a < 3", "a < 3\n  def f(a) when small(a), do: a");
    assert_eq!(new_flaws(&before, &after), Vec::<String>::new());
    flawed("def f(a) when own(a), do: a", "Guard own/1");
    flawed("def f(a) when String.length(a) > 1, do: a", "Guard String.length");
    flawed("def f(a) when is_nil(a) || a, do: a", "Guard ||");
    flawed("def f(a) when is_bitstring(a, 1), do: a", "Local is_bitstring/2");
    assert!(!new_flaws(&module(""), &module("def f(h) when ?A..?Z in h, do: h")).is_empty());
}

#[test]
fn captures_have_all_their_numbers() {
    fine("def f(a), do: Enum.reduce(a, 0, &(&1 + &2)) + Enum.map(a, & &1.b)");
    fine("def f(a), do: own(&{&1, own(&1)}).(a)");
    flawed("def f(a), do: Enum.map(a, &(&2))", "Capture a number is left out: &2");
    flawed("def f(a), do: Enum.map(a, &(own(a)))", "Capture no argument: own(a)");
    flawed("def f(a), do: a + &1", "Capture &1");
    flawed("def f(a), do: Enum.map(a, &(own(&1) + own(&(&1))))", "Capture &(&1)");
}

#[test]
fn literals_and_forms_have_the_keys_that_they_know() {
    fine("def f(a), do: for(b <- a, into: %{}, uniq: true, do: b)");
    fine("def f(a) do\n    for b <- a, reduce: 0 do\n      c -> b + c\n    end\n  end");
    fine("def f(a), do: {%{\"a\" => 2, a: 1}, %Shop.Cart{id: a}, [g: 1, g: 2]}");
    flawed("def f(a), do: %{a: a, b: 1, a: 2}", "Twice a");
    flawed("def f(a), do: for(b <- a, scope: 1, do: b)", "Option for scope");
    flawed("def f(a), do: if(a, do: 1, into: 2)", "Option if into");
    flawed("def f(a) do\n    for b <- a, reduce: 0 do\n      b\n    end\n  end", "Option for reduce");
    flawed("def f(a), do: for(b = a, do: b)", "Option for without a generator");
    flawed("def f(a), do: %Shop.Cart{name: a}", "Option %Shop.Cart name");
    flawed("def f(a), do: %Till{name: a}", "Option %Till");
}

fn all(text: &str) -> Vec<Candidate> {
    let lines = 1..=text.lines().count() as u32;
    let suspects: Vec<Suspect> =
        lines.map(|line| Suspect { file: "lib/a.ex".into(), line, score: 1.0, why: String::new() }).collect();
    let facts = syntax::analyse(&File::new("lib/a.ex", text));
    let facts = [("lib/a.ex", &facts)];
    let request = Request { facts: &facts, ..Request::new("lib/a.ex", text, &suspects) };
    candidates(&request, &Cancel::new()).unwrap()
}

#[test]
fn candidates_bring_no_flaw() {
    let text = module(
        "def f(list, type) do\n    first = own(list)\n    names = Enum.map(list, &other/1)\n    [head | tail] = names\n    mime = %{first: first, head: head}\n    Enum.map(tail, &(&1 + 1)) ++ [type, mime.first]\n  end\n\n  def g(<<h, t::binary>>) when h in ?A..?Z, do: <<h + 32>> <> g(t)\n  def g(rest), do: rest",
    );
    let found = all(&text);
    assert!(found.len() > 500);
    for candidate in &found {
        let new = candidate.patch().apply(&text).unwrap();
        assert_eq!(new_flaws(&text, &new), Vec::<String>::new(), "{}", candidate.label);
    }
    let texts: Vec<String> = found.iter().map(|one| one.patch().apply(&text).unwrap()).collect();
    let made = |old: &str, new: &str| texts.contains(&text.replace(old, new));
    assert!(made("[type, mime.first]", "[first, mime.first]"), "what is bound is tried");
    assert!(made("h in ?A..?Z", "h not in ?A..?Z"), "other guards are tried");
    assert!(made("own(list)", "list"), "the value of what is read later may change");
}
