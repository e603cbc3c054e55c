//! Methods of strings, mappings and lists, as in Python; those that change what they belong to are absent.

use std::ops::Range;
use std::rc::Rc;

use super::arguments::{Arguments, integer, text, text_if_given};
use super::budget::{Charge, RenderBudget};
use super::lexer::is_space;
use super::text::{Builder, Text};
use super::value::{List, Map, Value};
use super::{fault, operators, write};
use crate::Result;

/// Calls a method; `None` if there is none of this name.
pub(super) fn call(
    budget: &Rc<RenderBudget>,
    value: &Value,
    name: &str,
    arguments: Arguments<'_>,
) -> Result<Option<Value>> {
    match value {
        Value::Text(receiver) => of_text(budget, receiver, name, arguments),
        Value::Map(map) => of_map(budget, map, name, arguments),
        Value::List(list) => of_list(budget, list, name, arguments),
        _ => Ok(None),
    }
}

fn of_map(
    budget: &Rc<RenderBudget>,
    map: &Map,
    name: &str,
    arguments: Arguments<'_>,
) -> Result<Option<Value>> {
    let room = || budget.take(map.entries.len() * size_of::<Value>());
    Ok(Some(match name {
        "get" => {
            let [key, default] = arguments.take(name, ["key", "default"])?;
            let key = key.ok_or_else(|| fault("'get' wants a key"))?;
            map.get(budget, &key)?.cloned().or(default).unwrap_or(Value::None)
        }
        "items" => {
            arguments.none(name)?;
            items(budget, map)?
        }
        "keys" => {
            arguments.none(name)?;
            let _room = room()?;
            Value::list(budget, map.entries.iter().map(|(key, _)| key.clone()).collect())?
        }
        "values" => {
            arguments.none(name)?;
            let _room = room()?;
            Value::list(budget, map.entries.iter().map(|(_, value)| value.clone()).collect())?
        }
        _ => return Ok(None),
    }))
}

/// The pairs of a mapping.
pub(super) fn items(budget: &Rc<RenderBudget>, map: &Map) -> Result<Value> {
    let mut pairs = Vec::new();
    for (key, value) in &map.entries {
        pairs.push(Value::sequence(budget, vec![key.clone(), value.clone()], true)?);
    }
    Value::list(budget, pairs)
}

fn of_list(
    budget: &Rc<RenderBudget>,
    list: &List,
    name: &str,
    arguments: Arguments<'_>,
) -> Result<Option<Value>> {
    if !matches!(name, "index" | "count") {
        return Ok(None);
    }
    let [wanted] = arguments.take(name, ["value"])?;
    let wanted = wanted.ok_or_else(|| fault(format!("'{name}' wants a value")))?;
    let mut count = 0;
    for (at, item) in list.items.iter().enumerate() {
        if operators::equal(budget, item, &wanted)? {
            count += 1;
            if name == "index" {
                return Ok(Some(Value::Int(at as i64)));
            }
        }
    }
    if name == "index" {
        return Err(fault("'index' does not find the value in the list"));
    }
    Ok(Some(Value::Int(count)))
}

fn of_text(
    budget: &Rc<RenderBudget>,
    receiver: &Rc<Text>,
    name: &str,
    arguments: Arguments<'_>,
) -> Result<Option<Value>> {
    let string = receiver.as_str();
    budget.look(string.len())?;
    let all = |test: fn(char) -> bool| Value::Bool(!string.is_empty() && string.chars().all(test));
    let cased = |wanted: fn(char) -> bool, other: fn(char) -> bool| {
        Value::Bool(string.contains(wanted) && !string.contains(other))
    };
    let value = match name {
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = arguments.take(name, ["chars"])?;
            let chars = text_if_given(name, chars)?;
            let range = trimmed(budget, string, chars.as_deref(), name != "rstrip", name != "lstrip")?;
            return cut(receiver, range).map(Some);
        }
        "removeprefix" | "removesuffix" => {
            let [part] = arguments.take(name, ["part"])?;
            let part = text(name, part)?;
            let part = part.as_str();
            let range = match name {
                "removeprefix" if string.starts_with(part) => part.len()..string.len(),
                "removesuffix" if string.ends_with(part) => 0..string.len() - part.len(),
                _ => 0..string.len(),
            };
            return cut(receiver, range).map(Some);
        }
        "split" | "rsplit" => {
            let [separator, most] = arguments.take(name, ["sep", "maxsplit"])?;
            let separator = text_if_given(name, separator)?;
            let most = usize::try_from(integer(name, most, -1)?).unwrap_or(usize::MAX);
            // The places of the pieces are many times as long as a text of separators.
            let count = match &separator {
                Some(separator) if separator.len() > 0 => string.matches(separator.as_str()).count(),
                _ => string.chars().filter(|char| is_space(*char)).count(),
            };
            let _room = budget.take((count + 1) * size_of::<Range<usize>>())?;
            let ranges = match &separator {
                Some(separator) if separator.len() == 0 => return Err(fault("a separator is empty")),
                Some(separator) => split_at(string, separator.as_str(), most, name == "rsplit"),
                None => split_words(string, most, name == "rsplit"),
            };
            return pieces(budget, receiver, ranges).map(Some);
        }
        "splitlines" => {
            let [keep] = arguments.take(name, ["keepends"])?;
            let keep = keep.is_some_and(|keep| keep.is_true());
            let (lines, _room) = lines(budget, string)?;
            let lines = lines.into_iter().map(|(line, end)| if keep { line.start..end } else { line });
            return pieces(budget, receiver, lines.collect()).map(Some);
        }
        "partition" | "rpartition" => {
            let [separator] = arguments.take(name, ["sep"])?;
            let separator = text(name, separator)?;
            let separator = separator.as_str();
            let found = if name == "partition" { string.find(separator) } else { string.rfind(separator) };
            let (start, end) = match found {
                Some(at) => (at, at + separator.len()),
                None if name == "partition" => (string.len(), string.len()),
                None => (0, 0),
            };
            let parts = [0..start, start..end, end..string.len()];
            let parts: Result<Vec<Value>> = parts.into_iter().map(|range| cut(receiver, range)).collect();
            Value::sequence(budget, parts?, true)?
        }
        "replace" => {
            let [old, new, count] = arguments.take(name, ["old", "new", "count"])?;
            let (old, new) = (text(name, old)?, text(name, new)?);
            let count = usize::try_from(integer(name, count, -1)?).unwrap_or(usize::MAX);
            replace(receiver, &old, &new, count)?
        }
        "startswith" | "endswith" => {
            let [part, start, end] = arguments.take(name, ["part", "start", "end"])?;
            let from = byte_at(string, integer(name, start, 0)?);
            let to = byte_at(string, integer(name, end, i64::MAX)?).max(from);
            let within = &string[from..to];
            let matches = |part: &Value| match part {
                Value::Text(part) if name == "startswith" => Ok(within.starts_with(part.as_str())),
                Value::Text(part) => Ok(within.ends_with(part.as_str())),
                other => Err(fault(format!("'{name}' wants a string and not {}", other.kind()))),
            };
            let mut found = false;
            match &part {
                Some(Value::List(parts)) if parts.tuple => {
                    for part in &parts.items {
                        budget.work(1)?;
                        found |= matches(part)?;
                    }
                }
                Some(part) => found = matches(part)?,
                None => return Err(fault(format!("'{name}' wants a string"))),
            }
            Value::Bool(found)
        }
        "find" | "rfind" | "index" | "count" => {
            let [part] = arguments.take(name, ["part"])?;
            let part = text(name, part)?;
            let part = part.as_str();
            if name == "count" {
                return Ok(Some(Value::Int(string.matches(part).count() as i64)));
            }
            let found = if name == "rfind" { string.rfind(part) } else { string.find(part) };
            match found {
                Some(at) => Value::Int(string[..at].chars().count() as i64),
                None if name == "index" => return Err(fault("'index' does not find the string")),
                None => Value::Int(-1),
            }
        }
        "join" => {
            let [list] = arguments.take(name, ["iterable"])?;
            let Some(Value::List(list)) = list else { return Err(fault("'join' wants a list")) };
            let mut builder = Builder::new(budget)?;
            for (number, item) in list.items.iter().enumerate() {
                let Value::Text(item) = item else {
                    return Err(fault(format!("'join' wants strings and not {}", item.kind())));
                };
                if number > 0 {
                    builder.text(receiver)?;
                }
                builder.text(item)?;
            }
            Value::Text(Rc::new(builder.finish()))
        }
        "format" => formatted(receiver, arguments)?,
        "zfill" | "ljust" | "rjust" | "center" => {
            let [width, fill] = arguments.take(name, ["width", "fillchar"])?;
            let fill = text_if_given(name, fill)?;
            let fill = fill.as_ref().map_or(if name == "zfill" { "0" } else { " " }, |fill| fill.as_str());
            let width = usize::try_from(integer(name, width, 0)?).unwrap_or(0);
            let missing = width.saturating_sub(string.chars().count());
            let before = match name {
                "ljust" => 0,
                "center" => missing / 2 + (missing & width & 1),
                _ => missing,
            };
            let sign = usize::from(name == "zfill" && string.starts_with(['+', '-']));
            let mut builder = Builder::new(budget)?;
            builder.slice(receiver, 0..sign)?;
            builder.repeat(fill, before)?;
            builder.slice(receiver, sign..string.len())?;
            builder.repeat(fill, missing - before)?;
            Value::Text(Rc::new(builder.finish()))
        }
        _ => {
            let value = match name {
                "upper" => Value::Text(Rc::new(receiver.map(str::to_uppercase)?)),
                "lower" | "casefold" => Value::Text(Rc::new(receiver.map(str::to_lowercase)?)),
                "capitalize" => capitalised(receiver)?,
                "title" => title(receiver, |char| !char.is_alphabetic())?,
                "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
                "isalpha" => all(char::is_alphabetic),
                "isalnum" => all(char::is_alphanumeric),
                "isspace" => all(is_space),
                "isupper" => cased(char::is_uppercase, char::is_lowercase),
                "islower" => cased(char::is_lowercase, char::is_uppercase),
                _ => return Ok(None),
            };
            arguments.none(name)?;
            value
        }
    };
    Ok(Some(value))
}

/// The text in `range`; the whole of it costs nothing.
pub(super) fn cut(receiver: &Rc<Text>, range: Range<usize>) -> Result<Value> {
    if range.len() == receiver.len() {
        return Ok(Value::Text(receiver.clone()));
    }
    Ok(Value::Text(Rc::new(receiver.slice(range)?)))
}

fn pieces(budget: &Rc<RenderBudget>, receiver: &Rc<Text>, ranges: Vec<Range<usize>>) -> Result<Value> {
    let mut pieces = Vec::new();
    for range in ranges {
        pieces.push(cut(receiver, range)?);
    }
    Value::list(budget, pieces)
}

/// Where `string` stands without the white space, or `chars`, at its ends.
pub(super) fn trimmed(
    budget: &RenderBudget,
    string: &str,
    chars: Option<&Text>,
    start: bool,
    end: bool,
) -> Result<Range<usize>> {
    let drop: Box<dyn Fn(char) -> bool> = match chars {
        Some(chars) => {
            // Each character is looked for among these.
            budget.work(chars.len().saturating_mul(1 + string.len() / 32))?;
            Box::new(|char| chars.as_str().contains(char))
        }
        None => Box::new(is_space),
    };
    let from = if start { string.len() - string.trim_start_matches(&drop).len() } else { 0 };
    let to = if end { from + string[from..].trim_end_matches(&drop).len() } else { string.len() };
    Ok(from..to)
}

fn split_at(string: &str, separator: &str, most: usize, from_end: bool) -> Vec<Range<usize>> {
    let mut found: Vec<usize> = if from_end {
        string.rmatch_indices(separator).take(most).map(|(at, _)| at).collect()
    } else {
        string.match_indices(separator).take(most).map(|(at, _)| at).collect()
    };
    found.sort_unstable();
    let mut start = 0;
    let mut ranges: Vec<_> =
        found.into_iter().map(|at| std::mem::replace(&mut start, at + separator.len())..at).collect();
    ranges.push(start..string.len());
    ranges
}

fn split_words(string: &str, most: usize, from_end: bool) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut start = None;
    for (at, char) in string.char_indices().chain([(string.len(), ' ')]) {
        match (is_space(char), start) {
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    if words.len() > most {
        // What is not split keeps all white space but that on the side where splitting begins.
        if from_end {
            let rest = words.drain(..words.len() - most).next_back().map_or(0, |last| last.end);
            words.insert(0, 0..rest);
        } else {
            let rest = words.drain(most..).next().map_or(string.len(), |first| first.start);
            words.push(rest..string.len());
        }
    }
    words
}

/// Where a line stands without its end, and where it ends with it.
type Line = (Range<usize>, usize);

/// The lines of a text, and the charge for their list.
pub(super) fn lines(budget: &Rc<RenderBudget>, string: &str) -> Result<(Vec<Line>, Charge)> {
    let count = 1 + string.chars().filter(|char| breaks_line(*char)).count();
    let room = budget.take(count * size_of::<Line>())?;
    let mut lines = Vec::with_capacity(count);
    let mut start = 0;
    let mut chars = string.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if !breaks_line(char) {
            continue;
        }
        let mut end = at + char.len_utf8();
        if char == '\r' && chars.next_if(|(_, next)| *next == '\n').is_some() {
            end += 1;
        }
        lines.push((start..at, end));
        start = end;
    }
    if start < string.len() {
        lines.push((start..string.len(), string.len()));
    }
    Ok((lines, room))
}

fn breaks_line(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn replace(receiver: &Rc<Text>, old: &Text, new: &Text, count: usize) -> Result<Value> {
    let mut builder = Builder::new(receiver.budget())?;
    let mut from = 0;
    receiver.budget().look(receiver.len())?;
    for (at, _) in receiver.as_str().match_indices(old.as_str()).take(count) {
        builder.slice(receiver, from..at)?;
        builder.text(new)?;
        from = at + old.len();
    }
    builder.slice(receiver, from..receiver.len())?;
    Ok(Value::Text(Rc::new(builder.finish())))
}

/// The first letter large and the others small.
pub(super) fn capitalised(receiver: &Text) -> Result<Value> {
    let mut builder = Builder::new(receiver.budget())?;
    let first = receiver.as_str().chars().next().map_or(0, char::len_utf8);
    builder.text(&receiver.slice(0..first)?.map(str::to_uppercase)?)?;
    builder.text(&receiver.slice(first..receiver.len())?.map(str::to_lowercase)?)?;
    Ok(Value::Text(Rc::new(builder.finish())))
}

/// The first letter of each word large and the others small; `between` says what stands between words.
pub(super) fn title(receiver: &Text, between: fn(char) -> bool) -> Result<Value> {
    let mut builder = Builder::new(receiver.budget())?;
    let mut first = true;
    let string = receiver.as_str();
    let mut from = 0;
    while let Some(char) = string[from..].chars().next() {
        let end = if between(char) {
            first = true;
            string[from..].find(|char| !between(char)).map_or(string.len(), |at| from + at)
        } else if first {
            from + char.len_utf8()
        } else {
            string[from..].find(between).map_or(string.len(), |at| from + at)
        };
        let part = receiver.slice(from..end)?;
        let part = match (between(char), first) {
            (true, _) => part,
            (false, true) => part.map(str::to_uppercase)?,
            (false, false) => part.map(str::to_lowercase)?,
        };
        first = between(char);
        builder.text(&part)?;
        from = end;
    }
    Ok(Value::Text(Rc::new(builder.finish())))
}

/// `'{} {0} {name}'.format(…)`, without layouts.
fn formatted(receiver: &Rc<Text>, arguments: Arguments<'_>) -> Result<Value> {
    let string = receiver.as_str();
    let mut out = Builder::new(receiver.budget())?;
    let (mut from, mut next) = (0, 0);
    while let Some(found) = string[from..].find(['{', '}']) {
        let at = from + found;
        out.slice(receiver, from..at)?;
        let rest = &string[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            out.slice(receiver, at..at + 1)?;
            from = at + 2;
            continue;
        }
        let field = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((field, _)) = field else { return Err(fault("a format has an unmatched brace")) };
        from = at + field.len() + 2;
        let value = if field.is_empty() {
            next += 1;
            arguments.positional.get(next - 1)
        } else if let Ok(number) = field.parse::<usize>() {
            arguments.positional.get(number)
        } else {
            arguments.named.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
        };
        let value = value.ok_or_else(|| fault(format!("a format finds no value '{field}'")))?;
        write::display(&mut out, value)?;
    }
    out.slice(receiver, from..string.len())?;
    Ok(Value::Text(Rc::new(out.finish())))
}

/// Where the character of this number begins; negative numbers count from the end.
pub(super) fn byte_at(string: &str, index: i64) -> usize {
    let number = |index: i64| usize::try_from(index).unwrap_or(usize::MAX);
    if index >= 0 {
        return string.char_indices().nth(number(index)).map_or(string.len(), |(at, _)| at);
    }
    let from_end = number(index.saturating_neg());
    string.char_indices().rev().nth(from_end - 1).map_or(0, |(at, _)| at)
}
