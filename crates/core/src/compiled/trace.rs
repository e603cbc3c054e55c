//! What `Ambix.Tracer` writes: for each source file one file of lines of JSON. The first is `{"source": PATH}`, each other
//! one a call: `{"m", "f", "a", "l", "cm", "cf", "ca", "k"}`, that is module, name, arity and line of what is called, module,
//! name and arity of the caller, and 1 for a macro.

use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde::Deserialize;

use super::TracedCall;
use crate::{Error, ErrorKind, Result};

#[derive(Deserialize)]
struct Head {
    source: PathBuf,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    m: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    f: std::borrow::Cow<'a, str>,
    a: u8,
    #[serde(default)]
    l: u32,
    #[serde(borrow)]
    cm: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    cf: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    ca: Option<u8>,
    #[serde(default)]
    k: u8,
}

/// The source file that was traced, and its calls, sorted.
///
/// # Errors
/// [`ErrorKind::Corrupt`], with the number of the line that is none of a trace.
pub fn trace(bytes: &[u8]) -> Result<(PathBuf, Vec<TracedCall>)> {
    let corrupt = |line: usize, why: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::Corrupt,
            format!("line {line} is no line of a trace: {why}; compile the project again"),
        )
    };
    let mut names: FxHashSet<Arc<str>> = FxHashSet::default();
    let mut name = |text: &str| match names.get(text) {
        Some(known) => known.clone(),
        None => {
            let new: Arc<str> = text.into();
            names.insert(new.clone());
            new
        }
    };
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let (_, head) = lines.next().ok_or_else(|| corrupt(1, &"there is none"))?;
    let head: Head = serde_json::from_slice(head).map_err(|error| corrupt(1, &error))?;
    let mut calls = Vec::new();
    for (at, line) in lines {
        let row: Row = serde_json::from_slice(line).map_err(|error| corrupt(at + 1, &error))?;
        calls.push(TracedCall {
            caller_module: name(&row.cm),
            caller: row.cf.zip(row.ca).map(|(caller, arity)| (name(&caller), arity)),
            module: name(&row.m),
            name: name(&row.f),
            arity: row.a,
            line: row.l,
            is_macro: row.k != 0,
        });
    }
    calls.sort_unstable();
    calls.dedup();
    Ok((head.source, calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_read_and_what_is_none_is_refused() {
        let text = br#"{"source": "/p/lib/a.ex"}
{"m":":lists","f":"map","a":2,"l":3,"cm":"A","cf":"go","ca":1,"k":0}
{"m":"Logger","f":"info","a":1,"l":2,"cm":"A","cf":null,"ca":null,"k":1}
"#;
        let (source, calls) = trace(text).unwrap();
        assert_eq!(source, PathBuf::from("/p/lib/a.ex"));
        let seen: Vec<_> = calls.iter().map(|c| (&*c.name, c.caller.clone(), c.line, c.is_macro)).collect();
        assert_eq!(seen, [("info", None, 2, true), ("map", Some(("go".into(), 1)), 3, false)]);
        for (text, line) in [
            (&b""[..], "line 1"),
            (b"[]", "line 1"),
            (b"{\"source\":\"a\"}\n{}", "line 2"),
            (b"\xff", "line 1"),
        ] {
            let error = trace(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().starts_with(line), "{error}");
        }
    }
}
