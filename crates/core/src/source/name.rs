//! Names of files as text: one that can be shown anywhere, and that leads back to the file.
//!
//! On Unix a name is any bytes. Those that are not UTF-8 are written `\xFF`, and characters that a reader does not see or that
//! rule a terminal, such as escape sequences and marks of direction, `\u{1b}`. A backslash that could be read as the beginning
//! of such an escape is itself written `\x5C`. Every path that leaves this module is written so, and [`to_path`] reads it.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::visible::{escape, is_hidden};

/// One part of a path as text.
pub(super) fn to_text(name: &std::ffi::OsStr) -> Cow<'_, str> {
    if let Some(text) = name.to_str()
        && !text.contains(|c| is_hidden(c) || c == '\\')
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' if matches!(characters.peek(), Some('x' | 'u')) => text.push_str("\\x5C"),
                c if is_hidden(c) => escape(&mut text, c),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    Cow::Owned(text)
}

/// The path that is written so. Of escapes only those count that [`to_text`] writes, so none makes a `/` or a `..`.
pub(crate) fn to_path(text: &str) -> PathBuf {
    if !text.contains('\\') {
        return PathBuf::from(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (written, length) = escaped(rest).unwrap_or((Escaped::Byte(b'\\'), 1));
        match written {
            Escaped::Byte(byte) => bytes.push(byte),
            Escaped::Character(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = &rest[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

enum Escaped {
    Byte(u8),
    Character(char),
}

/// What the escape at the beginning of `text` stands for, and how long it is.
fn escaped(text: &str) -> Option<(Escaped, usize)> {
    if let Some(digits) = text.strip_prefix("\\x").and_then(|rest| rest.get(..2)) {
        let byte = u8::from_str_radix(digits, 16).ok()?;
        return (byte == b'\\' || byte >= 0x80).then_some((Escaped::Byte(byte), 4));
    }
    let digits = text.strip_prefix("\\u{")?;
    let digits = &digits[..digits.find('}').filter(|end| *end <= 6)?];
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    is_hidden(c).then_some((Escaped::Character(c), digits.len() + 4))
}

/// `path` below `root` as text, with `/` between folders.
pub(super) fn relative(root: &Path, path: &Path) -> String {
    let mut text = String::new();
    for (nth, part) in path.strip_prefix(root).unwrap_or(path).components().enumerate() {
        if nth > 0 {
            text.push('/');
        }
        text.push_str(&to_text(part.as_os_str()));
    }
    text
}

/// The text of a path.
pub(crate) fn name(path: &Path) -> String {
    relative(Path::new(""), path)
}

/// The text of a path that some program wrote.
pub fn name_of_bytes(path: &[u8]) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        name(Path::new(std::ffi::OsStr::from_bytes(path)))
    }
    #[cfg(not(unix))]
    name(Path::new(&*String::from_utf8_lossy(path)))
}

/// The text of the path that is written so: another one if what should be an escape is not written as one.
pub(crate) fn canonical(text: &str) -> String {
    name(&to_path(text))
}

/// The file below `root` whose path is this text.
pub fn below(root: &Path, text: &str) -> PathBuf {
    root.join(to_path(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn every_name_leads_back_to_its_file_and_shows_nothing_odd() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        for (name, text) in [
            (&b"lib"[..], "lib"),
            ("größe.ex".as_bytes(), "größe.ex"),
            (b"a\xffb", "a\\xFFb"),
            (b"\xc3", "\\xC3"),
            (b"a\x1b[31m", "a\\u{1b}[31m"),
            (b"a\nb", "a\\u{a}b"),
            ("a\u{202e}xe.b".as_bytes(), "a\\u{202e}xe.b"),
            (b"back\\slash", "back\\slash"),
            (b"\\xFF", "\\x5CxFF"),
            (b"\\u{1b}", "\\x5Cu{1b}"),
            (b"\\\xff", "\\\\xFF"),
            (b"\\\\x5C", "\\\\x5Cx5C"),
            (b"\\", "\\"),
            (b"\\x", "\\x5Cx"),
        ] {
            let path = Path::new(OsStr::from_bytes(name));
            assert_eq!(relative(Path::new("/r"), &Path::new("/r").join(path)), text);
            assert_eq!(to_path(text), path, "{text}");
        }
    }

    #[test]
    fn no_escape_makes_a_separator_or_a_way_up() {
        for text in [
            "\\x2F",
            "\\x2E\\x2E",
            "\\u{2f}",
            "\\u{2e}\\u{2e}",
            "\\u{}",
            "\\u{110000}",
            "\\xZZ",
            "\\x",
            "\\u{",
        ] {
            assert_eq!(to_path(text), Path::new(text), "{text}");
        }
    }

    proptest::proptest! {
        #[cfg(unix)]
        #[test]
        fn any_bytes_lead_back(bytes in proptest::collection::vec(proptest::num::u8::ANY, 1..20)) {
            use std::os::unix::ffi::OsStrExt;
            let bytes: Vec<u8> = bytes.into_iter().filter(|b| !matches!(b, 0 | b'/')).collect();
            let name = std::ffi::OsStr::from_bytes(&bytes);
            let text = to_text(name);
            let back = to_path(&text);
            proptest::prop_assert_eq!(back.as_os_str(), name);
            proptest::prop_assert!(!text.contains(is_hidden));
        }
    }
}
