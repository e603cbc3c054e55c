//! Edits that somebody else proposed.

use ambix_core::ErrorKind;
use ambix_core::edit::{Edit, Patch, unified_diff};

/// A patch is refused as an invalid argument, or it applies and its inverse brings the text back; a diff is empty just when
/// nothing changed. The bytes are a number of edits, for each the start, the end and a length, then the replacements, then
/// the text.
pub fn patch(data: &[u8]) {
    let Some((text, edits)) = parse(data) else { return };
    let patch = Patch::new("lib/a.ex", edits);
    match patch.apply(&text) {
        Ok(new) => {
            let undo = patch.invert(&text).expect("what applies can be inverted");
            assert_eq!(undo.apply(&new).expect("what was inverted applies"), text);
            assert_eq!(unified_diff("lib/a.ex", &text, &new).is_empty(), text == new);
            assert!(patch.size(&text).is_ok());
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let with = |edits: &[[u8; 3]], rest: &str| {
        let count = [edits.len() as u8];
        [&count[..], &edits.concat(), rest.as_bytes()].concat()
    };
    vec![
        with(&[[2, 4, 1]], ">a <= b\n"),
        with(&[[0, 1, 2], [3, 3, 1], [5, 9, 0]], "xyzfoo bar baz\nqux\n"),
        with(&[[0, 2, 0], [2, 4, 0]], "abcdef"),
        with(&[[0, 0, 3]], "é\nañb\r\n"),
        with(&[], "unchanged"),
    ]
}

fn parse(data: &[u8]) -> Option<(String, Vec<Edit>)> {
    let (count, rest) = data.split_first()?;
    let count = usize::from(count % 8);
    let (heads, rest) = rest.split_at_checked(count * 3)?;
    let mut rest = String::from_utf8_lossy(rest).into_owned();
    let mut edits = Vec::with_capacity(count);
    for head in heads.chunks_exact(3) {
        let length = rest.floor_char_boundary(usize::from(head[2] % 16));
        let text = rest.split_off(length);
        edits.push(Edit::new(head[0].into(), head[1].into(), std::mem::replace(&mut rest, text)));
    }
    Some((rest, edits))
}
