//! Values as text: as `str`, `repr` and `json.dumps` of Python write them.

use std::fmt::Write as _;

use super::fault;
use super::text::{Builder, Text};
use super::value::Value;
use crate::Result;

/// Appends a value as it is printed.
pub(super) fn display(out: &mut Builder, value: &Value) -> Result<()> {
    match value {
        Value::Text(text) => out.text(text),
        Value::Undefined => Ok(()),
        other => repr(out, other),
    }
}

/// Appends a value as Python writes it in its source.
pub(super) fn repr(out: &mut Builder, value: &Value) -> Result<()> {
    out.budget().work(1)?;
    match value {
        Value::Undefined => out.push("Undefined", false),
        Value::None => out.push("None", false),
        Value::Bool(value) => out.push(if *value { "True" } else { "False" }, false),
        Value::Int(value) => out.push(&value.to_string(), false),
        Value::Float(value) => out.push(&float(*value), false),
        Value::Text(text) => quote(out, text, python_quote(text.as_str()), python_escape),
        Value::List(list) => {
            out.push(if list.tuple { "(" } else { "[" }, false)?;
            for (number, item) in list.items.iter().enumerate() {
                out.push(if number > 0 { ", " } else { "" }, false)?;
                repr(out, item)?;
            }
            out.push(if list.tuple && list.items.len() == 1 { "," } else { "" }, false)?;
            out.push(if list.tuple { ")" } else { "]" }, false)
        }
        Value::Map(map) => {
            out.push("{", false)?;
            for (number, (key, value)) in map.entries.iter().enumerate() {
                out.push(if number > 0 { ", " } else { "" }, false)?;
                repr(out, key)?;
                out.push(": ", false)?;
                repr(out, value)?;
            }
            out.push("}", false)
        }
        other => Err(fault(format!("{} cannot be printed", other.kind()))),
    }
}

/// How JSON is laid out.
pub(super) struct Layout<'a> {
    /// What stands before each line, once for each level; `None` for one line.
    pub(super) indent: Option<&'a str>,
    pub(super) comma: &'a str,
    pub(super) colon: &'a str,
    pub(super) sorted: bool,
    pub(super) ascii: bool,
}

/// Appends a value as JSON.
pub(super) fn json(out: &mut Builder, value: &Value, layout: &Layout<'_>, level: usize) -> Result<()> {
    out.budget().work(1)?;
    let line = |out: &mut Builder, level| match layout.indent {
        Some(indent) => {
            out.push("\n", false)?;
            out.repeat(indent, level)
        }
        None => Ok(()),
    };
    match value {
        Value::None => out.push("null", false),
        Value::Bool(value) => out.push(if *value { "true" } else { "false" }, false),
        Value::Int(value) => out.push(&value.to_string(), false),
        Value::Float(value) if value.is_nan() => out.push("NaN", false),
        Value::Float(value) if value.is_infinite() => {
            out.push(if *value > 0.0 { "Infinity" } else { "-Infinity" }, false)
        }
        Value::Float(value) => out.push(&float(*value), false),
        Value::Text(text) if layout.ascii => quote(out, text, '"', json_escape_ascii),
        Value::Text(text) => quote(out, text, '"', json_escape),
        Value::List(list) if list.items.is_empty() => out.push("[]", false),
        Value::List(list) => {
            out.push("[", false)?;
            for (number, item) in list.items.iter().enumerate() {
                out.push(if number > 0 { layout.comma } else { "" }, false)?;
                line(out, level + 1)?;
                json(out, item, layout, level + 1)?;
            }
            line(out, level)?;
            out.push("]", false)
        }
        Value::Map(map) if map.entries.is_empty() => out.push("{}", false),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.entries.iter().collect();
            if layout.sorted {
                out.budget().work(entries.len() * 16)?;
                entries.sort_by(|(a, _), (b, _)| key_text(a).cmp(key_text(b)));
            }
            out.push("{", false)?;
            for (number, (key, value)) in entries.into_iter().enumerate() {
                out.push(if number > 0 { layout.comma } else { "" }, false)?;
                line(out, level + 1)?;
                match key {
                    Value::Text(_) => json(out, key, layout, level)?,
                    _ => {
                        out.push("\"", false)?;
                        json(out, key, layout, level)?;
                        out.push("\"", false)?;
                    }
                }
                out.push(layout.colon, false)?;
                json(out, value, layout, level + 1)?;
            }
            line(out, level)?;
            out.push("}", false)
        }
        other => Err(fault(format!("{} cannot be written as JSON", other.kind()))),
    }
}

fn key_text(key: &Value) -> &str {
    match key {
        Value::Text(text) => text.as_str(),
        _ => "",
    }
}

/// A float as Python writes it: the shortest that reads the same, with an exponent where it is large or small.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value != 0.0 && !(1e-4..1e16).contains(&value.abs()) {
        let written = format!("{value:e}");
        let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{value:?}")
}

fn python_quote(text: &str) -> char {
    if text.contains('\'') && !text.contains('"') { '"' } else { '\'' }
}

/// Appends `text` between quotes; `escape` appends what stands for a character, or says that it stands for itself.
fn quote(
    out: &mut Builder,
    text: &Text,
    quote: char,
    escape: fn(&mut String, char, char) -> bool,
) -> Result<()> {
    let mark = quote.encode_utf8(&mut [0; 4]).to_owned();
    out.push(&mark, false)?;
    let mut from = 0;
    let mut escaped = String::new();
    out.budget().look(text.len())?;
    for (at, char) in text.as_str().char_indices() {
        if escape(&mut escaped, char, quote) {
            out.slice(text, from..at)?;
            out.push(&escaped, false)?;
            escaped.clear();
            from = at + char.len_utf8();
        }
    }
    out.slice(text, from..text.len())?;
    out.push(&mark, false)
}

fn python_escape(out: &mut String, char: char, quote: char) -> bool {
    match char {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        _ if char == quote => {
            out.push('\\');
            out.push(char);
        }
        _ if char.is_control() && u32::from(char) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", u32::from(char));
        }
        '\u{a0}' | '\u{ad}' => {
            let _ = write!(out, "\\x{:02x}", u32::from(char));
        }
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        _ => return false,
    }
    true
}

fn json_escape(out: &mut String, char: char, _: char) -> bool {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\0'..='\x1f' => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        _ => return false,
    }
    true
}

fn json_escape_ascii(out: &mut String, char: char, quote: char) -> bool {
    if json_escape(out, char, quote) {
        return true;
    }
    if char.is_ascii() {
        return false;
    }
    for unit in char.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
    true
}
