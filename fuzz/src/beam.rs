//! Compiled modules of anybody.

use ambix_core::ErrorKind;
use ambix_core::compiled::{CompiledModule, Limits};

/// Enough for what is worth trying.
const LIMITS: Limits = Limits { inflated: 1 << 20, terms: 1 << 18, nesting: 1 << 10 };

/// A file is refused as damaged or too large, or gives the same module twice, whose parts fit and are in order. The first
/// byte says whether the rest is a file, or the debug info in one: most changes of compressed bytes are found at once, and
/// would try nothing.
pub fn beam(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let bytes = match first % 4 {
        0 => rest.to_vec(),
        1 => file(b"Dbgi", rest),
        2 => file(b"Abst", rest),
        _ => file(b"Docs", rest),
    };
    let (module, summary) =
        (CompiledModule::read_within(&bytes, &LIMITS), CompiledModule::summary_within(&bytes, &LIMITS));
    let module = match module {
        Ok(module) => module,
        Err(error) => {
            return assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Limit), "{error:?}");
        }
    };
    let summary = summary.expect("what is read in full is read in part");
    assert_eq!(
        (&module.module, &module.exports, &module.docs),
        (&summary.module, &summary.exports, &summary.docs)
    );
    assert_eq!(
        module,
        CompiledModule::read_within(&bytes, &LIMITS).expect("what is read once is read twice")
    );
    let count = module.functions.len() as u32;
    assert!(module.debug_info || count == 0);
    assert!(module.calls.iter().all(|call| call.from < count));
    assert!(module.mentions.iter().all(|mention| mention.from < count));
    assert!(module.functions.is_sorted_by_key(|function| (function.line, &function.name, function.arity)));
    assert!(module.calls.is_sorted_by_key(|call| (call.from, call.line)));
    assert!(module.mentions.is_sorted_by_key(|mention| (mention.from, mention.line)));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |kind: u8, bytes: Vec<u8>| [vec![kind], bytes].concat();
    vec![
        seed(
            0,
            include_bytes!("../../crates/core/tests/fixtures/beam/elixir-1.14/Elixir.Shop.Made.beam")
                .to_vec(),
        ),
        seed(
            0,
            include_bytes!("../../crates/core/tests/fixtures/beam/elixir-1.14/Elixir.Shop.Cart.beam")
                .to_vec(),
        ),
        seed(0, include_bytes!("../../crates/core/tests/fixtures/beam/elixir-1.14/shop_stock.beam").to_vec()),
        seed(1, term(elixir())),
        seed(
            1,
            term(tuple(&[atom("debug_info_v1"), atom("erl_abstract_code"), tuple(&[forms(), NIL.to_vec()])])),
        ),
        seed(2, term(tuple(&[atom("raw_abstract_v1"), forms()]))),
        seed(3, term(docs())),
    ]
}

/// A file with one atom and one more chunk.
fn file(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut body = b"BEAMAtU8\0\0\0\x10\0\0\0\x01\x0bElixir.Shop".to_vec();
    body.extend(id);
    body.extend((data.len() as u32).to_be_bytes());
    body.extend(data);
    [b"FOR1", &(body.len() as u32).to_be_bytes()[..], &body].concat()
}

const NIL: &[u8] = &[106];

fn term(rest: Vec<u8>) -> Vec<u8> {
    [vec![131], rest].concat()
}

fn atom(name: &str) -> Vec<u8> {
    [&[119, name.len() as u8], name.as_bytes()].concat()
}

fn number(value: u8) -> Vec<u8> {
    vec![97, value]
}

fn text(text: &str) -> Vec<u8> {
    [&[109][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

fn tuple(elements: &[Vec<u8>]) -> Vec<u8> {
    [vec![104, elements.len() as u8], elements.concat()].concat()
}

fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    [&[108][..], &(elements.len() as u32).to_be_bytes(), &elements.concat(), NIL].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let pairs_in_turn: Vec<u8> =
        pairs.iter().flat_map(|(key, value)| [atom(key), value.clone()].concat()).collect();
    [&[116][..], &(pairs.len() as u32).to_be_bytes(), &pairs_in_turn].concat()
}

/// Elixir's: a function with a clause that calls in all the ways there are.
fn elixir() -> Vec<u8> {
    let meta = || list(&[tuple(&[atom("line"), number(3)])]);
    let node = |name: &str, arguments: &[Vec<u8>]| tuple(&[atom(name), meta(), list(arguments)]);
    let dot = |module: &str, name: &str| node(".", &[atom(module), atom(name)]);
    let capture = |function: Vec<u8>| node("&", &[node("/", &[function, number(1)])]);
    let over = list(&[tuple(&[atom("super"), tuple(&[atom("def"), atom("f")])])]);
    let segment = node("-", &[node("binary", &[]), node("size", &[node("size_of", &[])])]);
    let body = node(
        "__block__",
        &[
            tuple(&[dot("Elixir.Enum", "map"), meta(), list(&[NIL.to_vec()])]),
            tuple(&[dot("erlang", "+"), meta(), vec![107, 0, 2, 1, 2]]),
            node("local", &[atom("Elixir.Shop.Item")]),
            capture(tuple(&[dot("Elixir.IO", "puts"), meta(), NIL.to_vec()])),
            capture(tuple(&[atom("local"), meta(), atom("nil")])),
            tuple(&[atom("super"), over, list(&[number(1), number(2)])]),
            node("%", &[atom("Elixir.URI"), node("%{}", &[])]),
            node("%{}", &[tuple(&[atom("__struct__"), atom("Elixir.URI")])]),
            node("<<>>", &[node("::", &[atom("x"), segment])]),
            [vec![113], atom("Elixir.String"), atom("trim"), number(1)].concat(),
        ],
    );
    let clause = tuple(&[meta(), NIL.to_vec(), NIL.to_vec(), body]);
    let marks = list(&[tuple(&[atom("context"), atom("Elixir.Kernel")]), tuple(&[atom("line"), number(3)])]);
    let definition = tuple(&[tuple(&[atom("f"), number(1)]), atom("def"), marks, list(&[clause])]);
    let facts = map(&[
        ("definitions", list(&[definition])),
        ("file", text("/shop.ex")),
        ("anno", tuple(&[number(1), number(2)])),
        ("struct", list(&[map(&[("field", atom("a"))])])),
    ]);
    let data = tuple(&[atom("elixir_v1"), facts, list(&[spec()])]);
    tuple(&[atom("debug_info_v1"), atom("elixir_erl"), data])
}

fn spec() -> Vec<u8> {
    let what = tuple(&[atom("MACRO-f"), number(2)]);
    tuple(&[atom("attribute"), number(2), atom("spec"), tuple(&[what, NIL.to_vec()])])
}

/// Erlang's: attributes and a function.
fn forms() -> Vec<u8> {
    let line = || tuple(&[number(4), number(1)]);
    let attribute = |kind: &str, value: Vec<u8>| tuple(&[atom("attribute"), line(), atom(kind), value]);
    let literal = |name: &str| tuple(&[atom("atom"), line(), atom(name)]);
    let remote = tuple(&[atom("remote"), line(), literal("lists"), literal("map")]);
    let fun = tuple(&[atom("fun"), line(), tuple(&[atom("function"), atom("f"), number(0)])]);
    let call = tuple(&[atom("call"), line(), remote, list(&[fun, NIL.to_vec()])]);
    let local = tuple(&[atom("call"), line(), literal("foldl"), NIL.to_vec()]);
    let record = tuple(&[atom("record"), line(), atom("item"), NIL.to_vec()]);
    let clause = tuple(&[atom("clause"), line(), NIL.to_vec(), NIL.to_vec(), list(&[call, local, record])]);
    let field = tuple(&[atom("record_field"), line(), literal("name")]);
    list(&[
        attribute("file", tuple(&[text("shop.erl"), number(1)])),
        attribute("import", tuple(&[atom("lists"), list(&[tuple(&[atom("foldl"), number(0)])])])),
        attribute("record", tuple(&[atom("item"), list(&[field])])),
        attribute("type", tuple(&[atom("t"), NIL.to_vec(), NIL.to_vec()])),
        attribute("export_type", list(&[tuple(&[atom("t"), number(0)])])),
        spec(),
        tuple(&[atom("function"), line(), atom("f"), number(0), list(&[clause])]),
    ])
}

fn docs() -> Vec<u8> {
    let english = [&[116, 0, 0, 0, 1][..], &text("en"), &text("Adds.")].concat();
    let entry = tuple(&[
        tuple(&[atom("function"), atom("f"), number(1)]),
        number(3),
        list(&[text("f(x)")]),
        english,
        map(&[("since", text("1.0")), ("defaults", number(1))]),
    ]);
    let head = [atom("docs_v1"), number(1), atom("elixir"), text("text/markdown"), atom("hidden"), map(&[])];
    tuple(&[&head[..], &[list(&[entry])]].concat())
}
