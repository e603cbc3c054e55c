//! From a stream of bytes to whole characters.

/// Puts bytes together to characters, and gives out whole ones only.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    /// The beginning of a character: three bytes at most.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes `bytes` and gives the characters that are now complete. Bytes that cannot be UTF-8 become U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let invalid = chunk.invalid();
            let at_end = used + invalid.len() == self.pending.len();
            if invalid.is_empty() || at_end && could_continue(invalid) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            used += invalid.len();
        }
        self.pending.drain(..used);
        text
    }

    /// Gives what is left: nothing, or U+FFFD for the beginning of a character whose end never came.
    pub fn finish(&mut self) -> String {
        let rest = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        rest
    }
}

/// Whether `bytes` are the beginning of a character.
fn could_continue(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn streams_give_whole_characters_wherever_the_pieces_are_cut(text: String, cuts in proptest::collection::vec(1usize..4, 0..64)) {
            let mut stream = Utf8Stream::default();
            let mut left = text.as_bytes();
            let mut got = String::new();
            for cut in cuts.into_iter().chain(std::iter::repeat(3)) {
                if left.is_empty() {
                    break;
                }
                let (piece, rest) = left.split_at(cut.min(left.len()));
                got.push_str(&stream.push(piece));
                prop_assert!(text.starts_with(&got));
                left = rest;
            }
            prop_assert_eq!(stream.finish(), "");
            prop_assert_eq!(got, text);
        }

        #[test]
        fn streams_of_any_bytes_agree_with_the_lossy_reading(bytes: Vec<u8>) {
            let mut stream = Utf8Stream::default();
            let mut got: String = bytes.iter().map(|byte| stream.push(&[*byte])).collect();
            got.push_str(&stream.finish());
            prop_assert_eq!(got, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
