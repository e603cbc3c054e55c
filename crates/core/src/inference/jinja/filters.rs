//! Filters: `x | trim`.

use std::rc::Rc;

use super::access::{elements, item};
use super::arguments::{Arguments, flag, integer, text, text_if_given};
use super::budget::RenderBudget;
use super::methods;
use super::state::{Rendering, attribute_path};
use super::syntax::{Comparison, Operator};
use super::text::{Builder, Text};
use super::value::Value;
use super::{fault, format, operators, write};
use crate::Result;

/// The value of `value | name(arguments)`.
pub(super) fn filter<'t>(
    run: &mut Rendering<'t>,
    name: &str,
    value: Value,
    mut arguments: Arguments<'t>,
) -> Result<Value> {
    let budget = run.budget.clone();
    let budget = &budget;
    match name {
        "default" | "d" => {
            let [default, falsy] = arguments.take(name, ["default_value", "boolean"])?;
            let replaced = matches!(value, Value::Undefined) || (flag(falsy, false) && !value.is_true());
            if !replaced {
                return Ok(value);
            }
            default.map_or_else(|| Value::text(budget, "", false), Ok)
        }
        "tojson" => to_json(budget, &value, arguments),
        "safe" | "list" | "string" | "length" | "count" | "upper" | "lower" | "capitalize" | "title"
        | "escape" | "e" | "forceescape" | "first" | "last" | "items" | "abs" | "reverse" => {
            arguments.none(name)?;
            plain(budget, name, value)
        }
        "trim" => {
            let value = printed(budget, &value)?;
            let [chars] = arguments.take(name, ["chars"])?;
            let chars = text_if_given(name, chars)?;
            budget.look(value.len())?;
            let range = methods::trimmed(budget, value.as_str(), chars.as_deref(), true, true)?;
            methods::cut(&value, range)
        }
        "replace" => {
            let value = printed(budget, &value)?;
            let [old, new, count] = arguments.take(name, ["old", "new", "count"])?;
            let (old, new) = (text(name, old)?, text(name, new)?);
            let count = match count {
                None | Some(Value::None) => usize::MAX,
                count => usize::try_from(integer(name, count, -1)?).unwrap_or(usize::MAX),
            };
            methods::replace(&value, &old, &new, count)
        }
        "indent" => indent(budget, &value, arguments),
        "join" => {
            let [between, attribute] = arguments.take(name, ["d", "attribute"])?;
            let between = text_if_given(name, between)?;
            let mut out = Builder::new(budget)?;
            for (number, item) in elements(budget, &value)?.items.iter().enumerate() {
                if let Some(between) = between.as_ref().filter(|_| number > 0) {
                    out.text(between)?;
                }
                match &attribute {
                    Some(path) => write::display(&mut out, &attribute_path(run, item, path)?)?,
                    None => write::display(&mut out, item)?,
                }
            }
            Ok(Value::Text(Rc::new(out.finish())))
        }
        "map" => {
            let named = |name: &str| arguments.named.iter().find(|(given, _)| *given == name);
            if let Some((_, path)) = named("attribute") {
                let (path, default) = (path.clone(), named("default").map(|(_, value)| value.clone()));
                return each(budget, &value, |item| {
                    let found = attribute_path(run, item, &path)?;
                    let missing = matches!(found, Value::Undefined);
                    Ok(Some(default.clone().filter(|_| missing).unwrap_or(found)))
                });
            }
            let inner = inner_name(name, &mut arguments)?;
            each(budget, &value, |item| {
                let arguments = copy(&arguments);
                run.deeper(|run| filter(run, inner.as_str(), item.clone(), arguments)).map(Some)
            })
        }
        "select" | "reject" | "selectattr" | "rejectattr" => {
            let path = if name.ends_with("attr") { Some(inner_name(name, &mut arguments)?) } else { None };
            let path = path.map(Value::Text);
            let inner =
                if arguments.positional.is_empty() { None } else { Some(inner_name(name, &mut arguments)?) };
            let wanted = name.starts_with("select");
            each(budget, &value, |item| {
                let tested = match &path {
                    Some(path) => attribute_path(run, item, path)?,
                    None => item.clone(),
                };
                let passes = match &inner {
                    Some(inner) => super::tests::test(budget, inner.as_str(), &tested, copy(&arguments))?,
                    None => tested.is_true(),
                };
                Ok((passes == wanted).then(|| item.clone()))
            })
        }
        "int" | "float" => number(budget, name, &value, arguments),
        "round" => {
            let [precision, method] = arguments.take(name, ["precision", "method"])?;
            let precision = integer(name, precision, 0)?.clamp(0, 300) as usize;
            let method = text_if_given(name, method)?;
            let number =
                value.number().ok_or_else(|| fault(format!("{} cannot be rounded", value.kind())))?;
            let scale = 10f64.powi(precision as i32);
            Ok(Value::Float(match method.as_ref().map(|method| method.as_str()) {
                None | Some("common") => format!("{number:.precision$}").parse().unwrap_or(number),
                Some("ceil") => (number * scale).ceil() / scale,
                Some("floor") => (number * scale).floor() / scale,
                Some(_) => return Err(fault("'round' knows common, ceil and floor")),
            }))
        }
        "sum" => {
            let [attribute, start] = arguments.take(name, ["attribute", "start"])?;
            let mut sum = start.unwrap_or(Value::Int(0));
            for item in &elements(budget, &value)?.items {
                let item = match &attribute {
                    Some(path) => attribute_path(run, item, path)?,
                    None => item.clone(),
                };
                sum = operators::apply(budget, Operator::Add, &sum, &item)?;
            }
            Ok(sum)
        }
        "min" | "max" => {
            let [sensitive, attribute] = arguments.take(name, ["case_sensitive", "attribute"])?;
            let sorted = sorted(run, &value, attribute.as_ref(), flag(sensitive, false), false)?;
            let found = if name == "min" { sorted.first() } else { sorted.last() };
            Ok(found.cloned().unwrap_or(Value::Undefined))
        }
        "sort" => {
            let [reverse, sensitive, attribute] =
                arguments.take(name, ["reverse", "case_sensitive", "attribute"])?;
            let items =
                sorted(run, &value, attribute.as_ref(), flag(sensitive, false), flag(reverse, false))?;
            Value::list(budget, items)
        }
        "dictsort" => {
            let [sensitive, by, reverse] = arguments.take(name, ["case_sensitive", "by", "reverse"])?;
            let Value::Map(map) = &value else { return Err(fault("'dictsort' wants a mapping")) };
            let by = text_if_given(name, by)?;
            let by_value = by.is_some_and(|by| by.as_str() == "value");
            let pairs = methods::items(budget, map)?;
            let place = Value::Int(i64::from(by_value));
            let items = sorted(run, &pairs, Some(&place), flag(sensitive, false), flag(reverse, false))?;
            Value::list(budget, items)
        }
        "unique" => {
            let [sensitive, attribute] = arguments.take(name, ["case_sensitive", "attribute"])?;
            let sensitive = flag(sensitive, false);
            let mut seen: Vec<Value> = Vec::new();
            each(budget, &value, |item| {
                let key = match &attribute {
                    Some(path) => attribute_path(run, item, path)?,
                    None => item.clone(),
                };
                let key = folded(key, sensitive)?;
                for seen in &seen {
                    if operators::compare(budget, Comparison::Equal, seen, &key)? {
                        return Ok(None);
                    }
                }
                seen.push(key);
                Ok(Some(item.clone()))
            })
        }
        "attr" => {
            let [name] = arguments.take(name, ["name"])?;
            attribute_path(run, &value, &name.unwrap_or(Value::Undefined))
        }
        "format" => {
            let value = text(name, Some(value))?;
            let given = if arguments.named.is_empty() {
                Value::sequence(budget, arguments.positional, true)?
            } else {
                run.mapping(arguments.named)?
            };
            format::percent(&value, &given)
        }
        _ => Err(fault(format!("the filter '{name}' is not known"))),
    }
}

/// Filters that take no arguments.
fn plain(budget: &Rc<RenderBudget>, name: &str, value: Value) -> Result<Value> {
    match name {
        "safe" | "string" => Ok(Value::Text(printed(budget, &value)?)),
        "list" => Ok(Value::List(elements(budget, &value)?)),
        "length" | "count" => length(budget, &value).map(|length| Value::Int(length as i64)),
        "upper" => Ok(Value::Text(Rc::new(printed(budget, &value)?.map(str::to_uppercase)?))),
        "lower" => Ok(Value::Text(Rc::new(printed(budget, &value)?.map(str::to_lowercase)?))),
        "capitalize" => methods::capitalised(&*printed(budget, &value)?),
        "title" => {
            let between = |char: char| char.is_whitespace() || "-({[<".contains(char);
            methods::title(&*printed(budget, &value)?, between)
        }
        "escape" | "e" | "forceescape" => {
            let text = printed(budget, &value)?;
            let escaped = text.map(|part| {
                let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                part.replace('\'', "&#39;").replace('"', "&#34;")
            })?;
            Ok(Value::Text(Rc::new(escaped)))
        }
        "first" | "last" => {
            let place = if name == "first" { 0 } else { -1 };
            if let Value::Text(_) = value {
                return item(budget, &value, &Value::Int(place));
            }
            let list = elements(budget, &value)?;
            let found = if place == 0 { list.items.first() } else { list.items.last() };
            Ok(found.cloned().unwrap_or(Value::Undefined))
        }
        "items" => match &value {
            Value::Map(map) => methods::items(budget, map),
            Value::Undefined => Value::list(budget, Vec::new()),
            other => Err(fault(format!("{} has no items", other.kind()))),
        },
        "abs" => match &value {
            Value::Float(value) => Ok(Value::Float(value.abs())),
            other if other.integer().is_some_and(|value| value < 0) => operators::negative(other),
            other if other.integer().is_some() => Ok(other.clone()),
            other => Err(fault(format!("{} has no absolute value", other.kind()))),
        },
        _ => match &value {
            Value::Text(text) => {
                let mut out = Builder::new(budget)?;
                for (at, char) in text.as_str().char_indices().rev() {
                    out.slice(text, at..at + char.len_utf8())?;
                }
                Ok(Value::Text(Rc::new(out.finish())))
            }
            other => {
                let list = elements(budget, other)?;
                let _room = budget.take(list.items.len() * size_of::<Value>())?;
                Value::list(budget, list.items.iter().rev().cloned().collect())
            }
        },
    }
}

/// The value as it is printed.
fn printed(budget: &Rc<RenderBudget>, value: &Value) -> Result<Rc<Text>> {
    if let Value::Text(text) = value {
        return Ok(text.clone());
    }
    let mut out = Builder::new(budget)?;
    write::display(&mut out, value)?;
    Ok(Rc::new(out.finish()))
}

fn length(budget: &RenderBudget, value: &Value) -> Result<usize> {
    match value {
        Value::Text(text) => {
            budget.look(text.len())?;
            Ok(text.as_str().chars().count())
        }
        Value::List(list) => Ok(list.items.len()),
        Value::Map(map) => Ok(map.entries.len()),
        Value::Undefined => Ok(0),
        other => Err(fault(format!("{} has no length", other.kind()))),
    }
}

/// The list of what `change` makes of each element.
fn each(
    budget: &Rc<RenderBudget>,
    value: &Value,
    mut change: impl FnMut(&Value) -> Result<Option<Value>>,
) -> Result<Value> {
    let mut room = budget.take(0)?;
    let mut changed = Vec::new();
    for item in &elements(budget, value)?.items {
        if let Some(item) = change(item)? {
            room.grow(size_of::<Value>())?;
            changed.push(item);
        }
    }
    Value::list(budget, changed)
}

/// The name of a filter, a test or an attribute, which comes first.
fn inner_name(what: &str, arguments: &mut Arguments<'_>) -> Result<Rc<Text>> {
    if arguments.positional.is_empty() {
        return Err(fault(format!("'{what}' wants a name")));
    }
    text(what, Some(arguments.positional.remove(0)))
}

fn copy<'t>(arguments: &Arguments<'t>) -> Arguments<'t> {
    Arguments { positional: arguments.positional.clone(), named: arguments.named.clone() }
}

/// Strings in small letters, unless `sensitive`.
fn folded(key: Value, sensitive: bool) -> Result<Value> {
    match &key {
        Value::Text(text) if !sensitive => Ok(Value::Text(Rc::new(text.map(str::to_lowercase)?))),
        _ => Ok(key),
    }
}

fn sorted(
    run: &mut Rendering<'_>,
    value: &Value,
    attribute: Option<&Value>,
    sensitive: bool,
    reverse: bool,
) -> Result<Vec<Value>> {
    let budget = run.budget.clone();
    let list = elements(&budget, value)?;
    let mut room = budget.take(0)?;
    let mut keyed = Vec::new();
    for item in &list.items {
        let key = match attribute {
            Some(path) => attribute_path(run, item, path)?,
            None => item.clone(),
        };
        room.grow(2 * size_of::<Value>())?;
        keyed.push((folded(key, sensitive)?, item.clone()));
    }
    // Keys are of one kind, so that they have a total order, which sorting relies on.
    let integers = keyed.iter().all(|(key, _)| key.integer().is_some());
    let numbers = keyed.iter().all(|(key, _)| key.number().is_some());
    let texts = keyed.iter().all(|(key, _)| matches!(key, Value::Text(_)));
    if !(numbers || texts) && keyed.len() > 1 {
        return Err(fault("what is sorted must be all numbers or all strings"));
    }
    // Strings are compared to their first difference; in the worst case that is their end.
    let longest = keyed.iter().map(|(key, _)| if let Value::Text(text) = key { text.len() } else { 0 }).max();
    let rounds = keyed.len().max(2).ilog2() as usize;
    budget.work(keyed.len().saturating_mul(rounds).saturating_mul(1 + longest.unwrap_or(0) / 32))?;
    keyed.sort_by(|(a, _), (b, _)| {
        let order = match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.as_str().cmp(b.as_str()),
            _ if integers => a.integer().cmp(&b.integer()),
            _ => a.number().unwrap_or(0.0).total_cmp(&b.number().unwrap_or(0.0)),
        };
        if reverse { order.reverse() } else { order }
    });
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

fn number(budget: &RenderBudget, name: &str, value: &Value, arguments: Arguments<'_>) -> Result<Value> {
    let whole = |number: f64| number.is_finite().then_some(Value::Int(number as i64));
    let (default, base) = if name == "int" {
        let [default, base] = arguments.take(name, ["default", "base"])?;
        (default.unwrap_or(Value::Int(0)), integer(name, base, 10)?)
    } else {
        let [default] = arguments.take(name, ["default"])?;
        (default.unwrap_or(Value::Float(0.0)), 10)
    };
    let converted = match value {
        Value::Text(text) => {
            budget.look(text.len())?;
            let written = text.as_str().trim().replace('_', "");
            let base = u32::try_from(base).unwrap_or(0);
            let integer =
                (2..=36).contains(&base).then(|| i64::from_str_radix(&written, base).ok()).flatten();
            let float = written.parse::<f64>().ok();
            if name == "int" {
                integer.map(Value::Int).or(float.and_then(whole))
            } else {
                float.map(Value::Float)
            }
        }
        Value::Float(number) if name == "int" => whole(*number),
        other if name == "int" => other.integer().map(Value::Int),
        other => other.number().map(Value::Float),
    };
    Ok(converted.unwrap_or(default))
}

/// Lines with blanks before them.
fn indent(budget: &Rc<RenderBudget>, value: &Value, arguments: Arguments<'_>) -> Result<Value> {
    let text = printed(budget, value)?;
    let [width, first, blank] = arguments.take("indent", ["width", "first", "blank"])?;
    let (first, blank) = (flag(first, false), flag(blank, false));
    let (before, times) = match &width {
        Some(Value::Text(before)) => (before.as_str(), 1),
        width => (" ", usize::try_from(integer("indent", width.clone(), 4)?).unwrap_or(0)),
    };
    budget.look(text.len())?;
    let (mut lines, _room) = methods::lines(budget, text.as_str())?;
    // As if a line break followed: a text that ends with one has an empty line at its end.
    if text.as_str().ends_with(['\n', '\r']) || lines.is_empty() {
        lines.push((text.len()..text.len(), text.len()));
    }
    let mut out = Builder::new(budget)?;
    for (number, (line, _)) in lines.into_iter().enumerate() {
        if number > 0 {
            out.push("\n", false)?;
        }
        if if number == 0 { first } else { blank || !line.is_empty() } {
            out.repeat(before, times)?;
        }
        out.slice(&text, line)?;
    }
    Ok(Value::Text(Rc::new(out.finish())))
}

fn to_json(budget: &Rc<RenderBudget>, value: &Value, arguments: Arguments<'_>) -> Result<Value> {
    let [ascii, indent, separators, sorted] =
        arguments.take("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])?;
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(Value::Text(text)) => Some(text),
        Some(width) => {
            let width = usize::try_from(integer("tojson", Some(width), 0)?).unwrap_or(0);
            let mut blanks = Builder::new(budget)?;
            blanks.repeat(" ", width)?;
            Some(Rc::new(blanks.finish()))
        }
    };
    let (comma, colon) = match &separators {
        Some(Value::List(pair)) if pair.items.len() == 2 => (
            Some(text("tojson", pair.items.first().cloned())?),
            Some(text("tojson", pair.items.last().cloned())?),
        ),
        _ => (None, None),
    };
    let layout = write::Layout {
        indent: indent.as_ref().map(|indent| indent.as_str()),
        comma: comma.as_ref().map_or(if indent.is_some() { "," } else { ", " }, |comma| comma.as_str()),
        colon: colon.as_ref().map_or(": ", |colon| colon.as_str()),
        sorted: flag(sorted, false),
        ascii: flag(ascii, false),
    };
    let mut out = Builder::new(budget)?;
    write::json(&mut out, value, &layout, 0)?;
    Ok(Value::Text(Rc::new(out.finish())))
}
