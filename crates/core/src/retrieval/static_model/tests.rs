use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::ErrorKind;

/// What `scripts/embedding/ship.py` wrote with the model: texts, their tokens and their vectors.
const REFERENCE: &str = include_str!("../../../tests/fixtures/static_model/reference.json");

#[derive(Deserialize)]
struct Reference {
    dimensions: usize,
    vocabulary: usize,
    documents: Vec<Example>,
    queries: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    #[serde(default)]
    header: String,
    text: String,
    /// By field, the tokens in order of their text, each as often as it occurs.
    tokens: BTreeMap<String, Vec<String>>,
    vector: Vec<f32>,
}

fn encoder() -> StaticEncoder {
    StaticEncoder::shipped().unwrap()
}

fn document(encoder: &StaticEncoder, header: &str, text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; encoder.model.dimensions];
    encoder.document(header, text, &mut Scratch::default(), &mut vector);
    vector
}

fn query(encoder: &StaticEncoder, text: &str) -> Vec<f32> {
    encoder.embed_query(text, &Cancel::new()).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn tokens(encoder: &StaticEncoder, scratch: &Scratch) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for token in &scratch.tokens {
        let field = ["header", "name", "body", "query"][(token >> file::TOKEN_BITS) as usize];
        let number = token & ((1 << file::TOKEN_BITS) - 1);
        let text = String::from_utf8_lossy(encoder.model.text(number)).into_owned();
        found.entry(field.to_owned()).or_default().push(text);
    }
    found.values_mut().for_each(|tokens| tokens.sort());
    found
}

#[test]
fn tokens_and_vectors_are_those_of_the_training() {
    let encoder = encoder();
    let reference: Reference = serde_json::from_str(REFERENCE).unwrap();
    assert_eq!((encoder.dimensions(), encoder.vocabulary()), (reference.dimensions, reference.vocabulary));
    let mut scratch = Scratch::default();
    let mut vector = vec![0.0; reference.dimensions];
    let mut check = |example: &Example, is_query: bool| {
        if is_query {
            encoder.query(&example.text, &mut scratch, &mut vector);
        } else {
            encoder.document(&example.header, &example.text, &mut scratch, &mut vector);
        }
        assert_eq!(tokens(&encoder, &scratch), example.tokens, "{}", example.text);
        for (ours, theirs) in vector.iter().zip(&example.vector) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} is not {theirs} in {}", example.text);
        }
    };
    assert!(reference.documents.len() > 5 && reference.queries.len() > 5);
    reference.documents.iter().for_each(|example| check(example, false));
    reference.queries.iter().for_each(|example| check(example, true));
}

#[test]
fn a_question_is_nearest_to_what_it_asks_for() {
    let encoder = encoder();
    let functions = [
        ("Shop.Cart (lib/shop/cart.ex)", "def add(cart, item), do: %{cart | items: [item | cart.items]}"),
        (
            "Shop.Mailer (lib/shop/mailer.ex)",
            "def deliver(mail) do\n  smtp |> connect() |> transmit(mail)\nend",
        ),
        ("Shop.Json (lib/shop/json.ex)", "def decode(binary), do: parse(binary, [])"),
    ];
    let vectors: Vec<_> = functions.iter().map(|(header, text)| document(&encoder, header, text)).collect();
    for (expected, question) in
        [(0, "Appends an element"), (1, "Sends an email"), (2, "Reads a value from a string of JSON")]
    {
        let question_vector = query(&encoder, question);
        let nearest = (0..vectors.len()).max_by(|a, b| {
            cosine(&vectors[*a], &question_vector).total_cmp(&cosine(&vectors[*b], &question_vector))
        });
        assert_eq!(nearest, Some(expected), "{question}");
    }
}

#[test]
fn a_document_is_its_header_and_its_text() {
    let encoder = encoder();
    let texts = ["Shop.Cart (cart.ex)\ndef add(cart, item), do: [item | cart]", "one line alone", ""];
    let vectors = encoder.embed(&texts, &Cancel::new()).unwrap();
    assert_eq!(
        vectors[0],
        document(&encoder, "Shop.Cart (cart.ex)", "def add(cart, item), do: [item | cart]")
    );
    assert_eq!(vectors[1], document(&encoder, "", "one line alone"));
    assert!((cosine(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-5);
    assert!(vectors[2].iter().all(|value| *value == 0.0));
    assert_ne!(vectors[1], query(&encoder, "one line alone"));
}

#[test]
fn any_text_has_a_vector() {
    let encoder = encoder();
    for text in ["\0\u{feff}", "日本語のテキスト", "((((", "____", &"x".repeat(1 << 20), &"def ".repeat(1000)]
    {
        for vector in [document(&encoder, text, text), query(&encoder, text)] {
            assert!(vector.iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn a_cancelled_call_ends() {
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(encoder().embed(&["a"], &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(encoder().embed_query("a", &cancel).unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn the_shipped_file_is_small() {
    assert!(SHIPPED.len() <= 8_000_000);
    assert!(encoder().dimensions() <= 256);
}

#[test]
fn damaged_files_are_refused() {
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = SHIPPED.to_vec();
        change(&mut bytes);
        StaticEncoder::from_bytes(bytes).unwrap_err().kind()
    };
    assert_eq!(changed(&|bytes| bytes.clear()), ErrorKind::Corrupt);
    assert_eq!(changed(&|bytes| bytes[0] = b'X'), ErrorKind::Corrupt);
    assert_eq!(changed(&|bytes| bytes[8] = 0), ErrorKind::Corrupt);
    assert_eq!(changed(&|bytes| bytes[8] = 2), ErrorKind::Version);
    assert_eq!(changed(&|bytes| bytes[15] = 1), ErrorKind::Corrupt, "too many dimensions");
    assert_eq!(changed(&|bytes| bytes[19] = 1), ErrorKind::Corrupt, "too many tokens");
    assert_eq!(changed(&|bytes| bytes[20..24].fill(0xff)), ErrorKind::Corrupt, "a unit that is no number");
    assert_eq!(changed(&|bytes| bytes[36] = 0), ErrorKind::Corrupt, "an empty token");
    assert_eq!(changed(&|bytes| bytes[36] = 33), ErrorKind::Corrupt, "a long token");
    assert_eq!(changed(&|bytes| bytes.push(0)), ErrorKind::Corrupt);
    assert_eq!(changed(&|bytes| bytes.truncate(bytes.len() - 1)), ErrorKind::Corrupt);
}

#[test]
fn a_file_is_loaded_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    assert_eq!(StaticEncoder::load(&path).unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::write(&path, SHIPPED).unwrap();
    let loaded = StaticEncoder::load(&path).unwrap();
    assert_eq!(Embedder::fingerprint(&loaded), Embedder::fingerprint(&encoder()));
    std::fs::write(&path, b"text").unwrap();
    assert_eq!(StaticEncoder::load(&path).unwrap_err().path(), Some(&*path));
}
