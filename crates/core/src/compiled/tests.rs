//! Bytes in, facts out, both as text.

mod terms;

use std::fmt::Write;

use proptest::prelude::*;

use super::testing::{Value, atom, bare_file, file, gzipped, list, tuple};
use super::{CallKind, CompiledModule, Doc, ExportedFunction, Limits, Origin, Role};
use crate::source::Language;
use crate::syntax::DefinitionKind;
use crate::{ErrorKind, Result};

macro_rules! fixture {
    ($path:literal) => {
        include_bytes!(concat!("../../tests/fixtures/beam/", $path))
    };
}

const CART: &[u8] = fixture!("elixir-1.14/Elixir.Shop.Cart.beam");
const TILL: &[u8] = fixture!("elixir-1.14/Elixir.Shop.Till.beam");
const MADE: &[u8] = fixture!("elixir-1.14/Elixir.Shop.Made.beam");
const MADE_WITH_COLUMNS: &[u8] = fixture!("elixir-1.18/Elixir.Shop.Made.beam");
const SHOW_INTEGER: &[u8] = fixture!("elixir-1.14/Elixir.Shop.Show.Integer.beam");
const STOCK: &[u8] = fixture!("elixir-1.14/shop_stock.beam");
const ALL: &[&[u8]] = &[CART, TILL, MADE, MADE_WITH_COLUMNS, SHOW_INTEGER, STOCK];

fn read(bytes: &[u8]) -> CompiledModule {
    CompiledModule::read(bytes).unwrap()
}

/// One line for each function: what it is, its line, those of its clauses, and who made it unless it is written.
fn functions(module: &CompiledModule, expected: &str) {
    let mut seen = String::new();
    for f in &module.functions {
        let kind = match (f.kind, f.public) {
            (DefinitionKind::Macro, true) => "defmacro",
            (DefinitionKind::Macro, false) => "defmacrop",
            (_, true) => "def",
            (_, false) => "defp",
        };
        let clauses: Vec<_> = f.clauses.iter().map(u32::to_string).collect();
        write!(seen, "{kind} {}/{} {} ({})", f.name, f.arity, f.line, clauses.join(" ")).unwrap();
        if f.defaults > 0 {
            write!(seen, " defaults {}", f.defaults).unwrap();
        }
        match &f.origin {
            Origin::Written => {}
            Origin::Default => seen.push_str(" default"),
            Origin::Included { file } => write!(seen, " in {file}").unwrap(),
            Origin::Macro { module, file, line } => {
                write!(seen, " by {}", module.as_deref().unwrap_or("?")).unwrap();
                if let Some(file) = file {
                    write!(seen, " at {file}:{line}").unwrap();
                }
            }
        }
        assert_eq!(f.is_generated(), f.origin != Origin::Written);
        seen.push('\n');
    }
    compare(&seen, expected);
}

/// One line for each call: from where to what, `&` for captures, `!` if it came out of a macro.
fn calls(module: &CompiledModule, expected: &str) {
    let mut seen = String::new();
    for call in &module.calls {
        let from = &module.functions[call.from as usize];
        let kind = match call.kind {
            CallKind::Remote => "",
            CallKind::Local => "own ",
            CallKind::Capture => "&",
        };
        let expanded = if call.is_expanded { "!" } else { "" };
        let to = format!("{}.{}/{}", call.module, call.name, call.arity);
        writeln!(seen, "{}/{} {}: {kind}{to}{expanded}", from.name, from.arity, call.line).unwrap();
    }
    compare(&seen, expected);
}

fn mentions(module: &CompiledModule, expected: &str) {
    let mut seen = String::new();
    for mention in &module.mentions {
        let from = &module.functions[mention.from as usize];
        let kind = format!("{:?}", mention.kind).to_lowercase();
        writeln!(seen, "{}/{} {}: {kind} {}", from.name, from.arity, mention.line, mention.name).unwrap();
    }
    compare(&seen, expected);
}

fn compare(seen: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(seen), lines(expected), "\n{seen}");
}

fn names(exports: &[ExportedFunction]) -> Vec<String> {
    let name = |export: &ExportedFunction| {
        let mark = if export.is_macro { "macro " } else { "" };
        format!("{mark}{}/{}", export.name, export.arity)
    };
    exports.iter().map(name).collect()
}

#[test]
fn a_module_of_elixir() {
    let cart = read(CART);
    assert_eq!(
        (&*cart.module, cart.language, cart.line, cart.debug_info),
        ("Shop.Cart", Language::Elixir, 1, true)
    );
    assert_eq!(cart.source.as_deref(), Some("/tmp/shop/lib/cart.ex"));
    assert_eq!(cart.relative_source.as_deref(), Some("lib/cart.ex"));
    assert!(cart.vsn.as_ref().unwrap().parse::<u128>().unwrap() > 0);
    assert_eq!((cart.role.clone(), &*cart.behaviours), (Role::Plain, &["Shop.Store".into()][..]));
    assert_eq!(cart.fields.as_deref(), Some(&["owner".into(), "items".into()][..]));
    functions(
        &cart,
        "def __struct__/0 4 (4) by Kernel
         def __struct__/1 4 (4) by Kernel
         def add/2 14 (14) default
         def add/3 14 (15 16) defaults 1
         def put/2 20 (20)",
    );
    let public =
        "__info__/1 __struct__/0 __struct__/1 add/2 add/3 behaviour_info/1 module_info/0 module_info/1 put/2";
    assert_eq!(names(&cart.exports).join(" "), public);
    assert!(
        cart.imports
            .iter()
            .any(|import| (&*import.module, &*import.name, import.arity) == ("Enum", "reduce", 3))
    );
    let entry =
        |e: &super::TypeEntry| format!("{} {}/{} {} {}", e.line, e.name, e.arity, e.is_macro, e.public);
    let entries = |list: &[super::TypeEntry]| list.iter().map(entry).collect::<Vec<_>>();
    assert_eq!(entries(&cart.specs), ["13 add/3 false true"]);
    assert_eq!(entries(&cart.types), ["6 t/0 false true", "7 item/1 false false"]);
    assert_eq!(entries(&cart.callbacks), ["8 price/1 false true", "9 rule/1 true true"]);
}

#[test]
fn documentation_says_what_is_for_others() {
    let cart = read(CART);
    assert_eq!(cart.doc, Doc::Text("A cart.".into()));
    let by = |name: &str| cart.docs.iter().find(|entry| &*entry.name == name).unwrap();
    let add = by("add");
    assert_eq!((add.kind, add.arity, add.defaults, add.line), (DefinitionKind::Function, 3, 1, 11));
    assert_eq!(add.signature.as_deref(), Some("add(cart, name, count \\\\ 1)"));
    assert_eq!((&add.doc, add.since.as_deref()), (&Doc::Text("Adds.".into()), Some("1.1.0")));
    assert_eq!((&by("put").doc, by("put").deprecated.as_deref()), (&Doc::Hidden, Some("Use add/3")));
    assert_eq!((&by("t").doc, by("t").kind), (&Doc::None, DefinitionKind::Type));
    assert_eq!(by("rule").kind, DefinitionKind::Callback);
    assert!(cart.docs.is_sorted_by_key(|entry| (entry.kind, entry.name.clone(), entry.arity)));
}

#[test]
fn calls_are_found_in_expanded_code() {
    let till = read(TILL);
    assert_eq!(names(&till.exports)[4..], ["run/2", "total/1", "macro twice/1"]);
    calls(
        &till,
        "total/1 2: :lists.sum/1
         total/1 2: Enum.map/2
         total/1 2: &Shop.Till.price/1
         price/1 5: :erlang.atom_to_binary/1
         price/1 5: :erlang.hd/1
         price/1 6: :erlang.=:=/2!
         price/1 6: :erlang.>/2
         price/1 6: :erlang.apply/3
         each/1 10: Enum.each/2
         each/1 10: &IO.puts/1
         run/2 11: :erlang.self/0",
    );
    mentions(
        &till,
        "price/1 6: module Shop.Item
         price/1 6: module Shop.Prices
         price/1 6: struct URI
         twice/1 9: module Kernel
         twice/1 9: module Shop.Till",
    );
}

#[test]
fn macros_are_known_by_what_they_leave() {
    let made = read(MADE);
    functions(
        &made,
        "def kept/1 1 (1) by Shop.Tools at lib/tools.ex:14
         defp over (overridable 1)/1 2 (2) by Shop.Tools
         def plain/1 2 (2) by Shop.Tools
         def mark/0 4 (4) by Shop.Tools
         def head/1 5 (5)
         def hand/0 6 (6)
         def one/0 9 (9)
         def two/0 9 (9)
         def over/1 12 (12)
         def uses/1 14 (14)
         def trim/1 19 (19)",
    );
    calls(
        &made,
        "kept/1 14: String.trim/1!
         plain/1 2: Enum.sum/1!
         over/1 12: own Shop.Made.over (overridable 1)/1
         uses/1 15: Integer.digits/1!
         uses/1 15: Kernel.inspect/1!
         uses/1 15: List.first/1
         uses/1 15: Process.get/1
         uses/1 16: List.last/1
         uses/1 16: Process.put/2!
         trim/1 19: String.trim/1",
    );
}

#[test]
fn columns_tell_what_is_written() {
    let made = read(MADE_WITH_COLUMNS);
    calls(
        &made,
        "kept/1 14: String.trim/1!
         plain/1 2: Enum.sum/1!
         over/1 12: own Shop.Made.over (overridable 1)/1
         uses/1 15: Integer.digits/1!
         uses/1 15: Kernel.inspect/1!
         uses/1 15: List.first/1
         uses/1 15: Process.get/1!
         uses/1 16: List.last/1
         uses/1 16: Process.put/2!
         trim/1 19: String.trim/1!",
    );
    let origins = |module: &CompiledModule| {
        let functions = module.functions.iter();
        functions.map(|f| (f.name.clone(), f.arity, f.origin.clone())).collect::<Vec<_>>()
    };
    assert_eq!(origins(&made), origins(&read(MADE)));
}

#[test]
fn protocols_and_implementations_say_so() {
    let show = read(SHOW_INTEGER);
    let target: std::sync::Arc<str> = "Integer".into();
    assert_eq!(&*show.module, "Shop.Show.Integer");
    assert_eq!(show.role, Role::Implementation { protocol: "Shop.Show".into(), target });
    functions(
        &show,
        "def __impl__/1 5 (5 5 5) by Protocol
         def show/1 6 (6)",
    );
    let said = tuple([atom("__protocol__"), list([tuple([atom("fallback_to_any"), atom("false")])])]);
    let protocol = read(&file("Elixir.Shop.Show", &[(b"Attr", list([said]).encoded())]));
    assert_eq!(protocol.role, Role::Protocol);
}

#[test]
fn a_module_of_erlang() {
    let stock = read(STOCK);
    assert_eq!((&*stock.module, stock.language, stock.line), (":shop_stock", Language::Erlang, 1));
    assert_eq!(stock.source.as_deref(), Some("/tmp/shop/src/shop_stock.erl"));
    assert_eq!((&*stock.behaviours, &stock.doc), (&[":gen_event".into()][..], &Doc::None));
    functions(
        &stock,
        "def included/1 2 (2) in src/shop_stock.hrl
         def add/2 12 (12 14)
         def count/1 19 (19)
         defp sum/2 24 (24)",
    );
    calls(
        &stock,
        "add/2 12: :erlang.is_atom/1
         add/2 15: :erlang.length/1
         add/2 15: :erlang.self/0
         add/2 17: &:erlang.abs/1
         add/2 17: :lists.map/2
         add/2 17: Shop.Cart.put/2
         count/1 20: :lists.foldl/3
         count/1 20: &:shop_stock.sum/2
         count/1 21: own :shop_stock.module_info/1",
    );
    mentions(
        &stock,
        "included/1 2: record item
         add/2 13: record item
         count/1 21: record item
         sum/2 24: record item",
    );
    let item = &stock.records[0];
    assert_eq!((&*item.name, &*item.fields), ("item", &["name".into(), "count".into()][..]));
    assert_eq!((item.line, item.file.as_deref()), (1, Some("src/shop_stock.hrl")));
}

#[test]
fn a_summary_leaves_out_code_alone() {
    for bytes in ALL {
        let mut module = read(bytes);
        let summary = CompiledModule::summary(bytes).unwrap();
        assert!(module.debug_info && !summary.debug_info && summary.functions.is_empty());
        module.debug_info = false;
        module.functions.clear();
        module.calls.clear();
        module.mentions.clear();
        module.specs.clear();
        module.types.clear();
        module.callbacks.clear();
        module.records.clear();
        (module.fields, module.relative_source, module.line) = (None, None, summary.line);
        assert_eq!(module, summary);
    }
}

#[test]
fn a_file_can_be_gzipped() {
    assert!(CART.starts_with(&[0x1f, 0x8b]) && MADE.starts_with(b"FOR1"));
    let packed = gzipped(MADE);
    assert_eq!(read(&packed), read(MADE));
    let short = Limits { inflated: 100, ..Limits::default() };
    assert_eq!(kind(CompiledModule::read_within(&packed, &short)), ErrorKind::Limit);
    assert_eq!(kind(CompiledModule::read(&packed[..packed.len() / 2])), ErrorKind::Corrupt);
}

#[test]
fn atoms_come_in_three_encodings() {
    let with = |id: &'static [u8; 4], count: i32, rest: &[u8]| {
        let atoms = [&count.to_be_bytes()[..], rest].concat();
        let exports = [1_u32, 2, 3, 9].map(u32::to_be_bytes).concat();
        CompiledModule::read(&bare_file(&[(id, atoms), (b"ExpT", exports)]))
    };
    for module in [
        with(b"AtU8", 2, b"\x05lists\x04gr\xc3\xb6"),
        with(b"Atom", 2, b"\x05lists\x03gr\xf6"),
        // Since OTP 28: lengths of 4 bits, and of 11 in two bytes.
        with(b"AtU8", -2, b"\x50lists\x08\x04gr\xc3\xb6"),
    ] {
        let module = module.unwrap();
        assert_eq!((&*module.module, names(&module.exports)), (":lists", vec!["grö/3".to_owned()]));
    }
    let long = "a".repeat(1020);
    let module = with(b"AtU8", -2, &[b"\x10m\x68\xfc", long.as_bytes()].concat()).unwrap();
    assert_eq!(&*module.exports[0].name, &*long);
    for damaged in [
        with(b"AtU8", 2, b"\x05lists\x03gr\xc3"),
        with(b"AtU8", 1, b"\x05lists"),
        with(b"AtU8", 2, b"\x05lists\x01\xff"),
        with(b"AtU8", -2, b"\x50lists\x18\x04gr\xc3\xb6"),
        with(b"AtU8", i32::MIN, b""),
        with(b"AtU8", 0, b""),
    ] {
        assert_eq!(kind(damaged), ErrorKind::Corrupt);
    }
}

#[test]
fn debug_info_that_is_not_there_or_unknown_is_passed_over() {
    let none = |version, backend| tuple([atom(version), atom(backend), atom("none")]).encoded();
    for debug_info in [
        Vec::new(),
        b"\x00\x08des3_cbcsecret".to_vec(),
        none("debug_info_v1", "elixir_erl"),
        none("debug_info_v1", "somebody"),
        none("debug_info_v9", "elixir_erl"),
        tuple([atom("debug_info_v1"), atom("erl_abstract_code"), tuple([atom("none"), Value::Nil])])
            .encoded(),
        tuple([
            atom("debug_info_v1"),
            atom("elixir_erl"),
            tuple([atom("elixir_v9"), Value::Nil, Value::Nil]),
        ])
        .encoded(),
        atom("none").encoded(),
    ] {
        let module = read(&file("Elixir.Shop", &[(b"Dbgi", debug_info)]));
        assert_eq!((&*module.module, module.debug_info), ("Shop", false));
    }
}

#[test]
fn old_debug_info_of_erlang_is_read() {
    let line = || Value::Integer(7);
    let name = |name: &str| tuple([atom("atom"), line(), atom(name)]);
    let call = tuple([atom("call"), line(), name("node"), Value::Nil]);
    let old =
        tuple([atom("fun"), line(), tuple([atom("function"), atom("io"), atom("nl"), Value::Integer(0)])]);
    let clause = tuple([atom("clause"), line(), Value::Nil, Value::Nil, list([call, old])]);
    let function = tuple([atom("function"), line(), atom("f"), Value::Integer(0), list([clause])]);
    let forms = tuple([atom("raw_abstract_v1"), list([function])]);
    let module = read(&file("m", &[(b"Abst", forms.compressed())]));
    functions(&module, "defp f/0 7 (7)");
    calls(&module, "f/0 7: :erlang.node/0\nf/0 7: &:io.nl/0");
}

#[test]
fn what_quote_leaves_is_not_written() {
    let meta = || list([tuple([atom("line"), Value::Integer(2)])]);
    let dot = tuple([atom("."), meta(), list([atom("elixir_quote"), atom("list")])]);
    let body = tuple([dot, meta(), Value::Nil]);
    let clause = tuple([meta(), Value::Nil, Value::Nil, body]);
    let name = tuple([atom("f"), Value::Integer(0)]);
    let definition = tuple([name, atom("defmacrop"), meta(), list([clause])]);
    let map = Value::Map(vec![(atom("definitions"), list([definition]))]);
    let data = tuple([atom("elixir_v1"), map, Value::Nil]);
    let debug_info = tuple([atom("debug_info_v1"), atom("elixir_erl"), data]);
    let module = read(&file("Elixir.Shop", &[(b"Dbgi", debug_info.encoded())]));
    functions(&module, "defmacrop f/0 2 (2)");
    calls(&module, "f/0 2: :elixir_quote.list/0!");
}

#[test]
fn versions_are_numbers_or_texts() {
    let vsn = |value| {
        let attributes = list([tuple([atom("vsn"), value])]);
        read(&file("m", &[(b"Attr", attributes.encoded())])).vsn
    };
    assert_eq!(
        vsn(list([Value::Big(u128::MAX, false)])).as_deref(),
        Some("340282366920938463463374607431768211455")
    );
    assert_eq!(vsn(Value::Bytes(b"1.0".to_vec())).as_deref(), Some("1.0"));
    assert_eq!(vsn(list([Value::Binary(b"1.0".to_vec())])).as_deref(), Some("1.0"));
    assert_eq!(vsn(list([atom("one"), atom("two")])), None);
}

#[test]
fn damage_is_told_with_its_place() {
    let message = |bytes: &[u8]| {
        let error = CompiledModule::read(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        error.to_string()
    };
    assert!(message(b"FOR1").contains("does not begin as a BEAM file"));
    assert!(message(&MADE[..MADE.len() - 40]).contains("cut off"));
    assert!(message(&bare_file(&[])).contains("no chunk with atoms"));
    let bad = message(&file("m", &[(b"Attr", b"\x83\x68\x01\xee".to_vec())]));
    assert_eq!(bad, "the chunk Attr is damaged at byte 3: no term has the tag 238; compile the module again");
    let mut packed = Value::Binary(vec![7; 500]).compressed();
    packed.truncate(20);
    assert!(message(&file("m", &[(b"Dbgi", packed)])).contains("the chunk Dbgi is damaged at byte 0"));
}

#[test]
fn every_cut_of_a_file_is_refused() {
    for bytes in ALL {
        for end in 0..bytes.len() {
            assert_eq!(kind(CompiledModule::read(&bytes[..end])), ErrorKind::Corrupt, "{end}");
        }
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(number in 0..ALL.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = ALL[number].to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(error) = CompiledModule::read(&bytes) {
            prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Limit));
        }
    }
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).unwrap_err().kind()
}
