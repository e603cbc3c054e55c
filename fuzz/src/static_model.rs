//! Files that claim to be a static model.

use ambix_core::retrieval::{Embedder, StaticEncoder};
use ambix_core::{Cancel, ErrorKind};

/// The file is refused as damaged or too new, or is a model that gives finite vectors of its dimensions, the same ones each
/// time.
pub fn static_model(data: &[u8]) {
    let encoder = match StaticEncoder::from_bytes(data.to_vec()) {
        Ok(encoder) => encoder,
        Err(error) => {
            return assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Version), "{error:?}");
        }
    };
    let cancel = Cancel::new();
    let texts = ["A.B (a.ex)\ndef ab(x), do: ab <> \"\u{e9}\" |> cd", ""];
    let vectors = encoder.embed(&texts, &cancel).expect("documents have vectors");
    let question = encoder.embed_query("ab abcd", &cancel).expect("questions have vectors");
    for vector in vectors.iter().chain([&question]) {
        assert_eq!(vector.len(), encoder.dimensions());
        assert!(vector.iter().all(|value| value.is_finite()));
    }
    assert_eq!(vectors, encoder.embed(&texts, &cancel).expect("documents have vectors"));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = tiny();
    assert!(StaticEncoder::from_bytes(whole.clone()).is_ok(), "the seed is a model");
    vec![whole[..24].to_vec(), whole]
}

/// Four tokens of three dimensions.
fn tiny() -> Vec<u8> {
    let tokens = ["ab", "cd", "def", "|>"];
    let mut file = b"AMBIXSEM".to_vec();
    for number in [1, 3, tokens.len() as u32] {
        file.extend(number.to_le_bytes());
    }
    (0..4).for_each(|_| file.extend(0.001_f32.to_le_bytes()));
    file.extend(tokens.iter().map(|token| token.len() as u8));
    tokens.iter().for_each(|token| file.extend(token.as_bytes()));
    (0..4 * tokens.len() as i16).for_each(|weight| file.extend((weight * 100).to_le_bytes()));
    file.extend((0..3 * tokens.len() as u8).map(|value| value.wrapping_mul(37)));
    file
}
