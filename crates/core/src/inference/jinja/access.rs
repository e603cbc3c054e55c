//! What a value is made of: its elements, one of them, a slice.

use std::rc::Rc;

use super::budget::RenderBudget;
use super::text::Builder;
use super::value::{List, Value};
use super::{fault, methods};
use crate::Result;

/// What iterating over a value gives.
pub(super) fn elements(budget: &Rc<RenderBudget>, value: &Value) -> Result<Rc<List>> {
    let items = match value {
        Value::List(list) => return Ok(list.clone()),
        Value::Undefined => Vec::new(),
        Value::Map(map) => {
            let _room = budget.take(map.entries.len() * size_of::<Value>())?;
            map.entries.iter().map(|(key, _)| key.clone()).collect()
        }
        Value::Text(text) => {
            let mut chars = Vec::new();
            for (at, char) in text.as_str().char_indices() {
                chars.push(methods::cut(text, at..at + char.len_utf8())?);
            }
            chars
        }
        other => return Err(fault(format!("{} has no elements", other.kind()))),
    };
    match Value::list(budget, items)? {
        Value::List(list) => Ok(list),
        _ => Err(fault("a list is no list")),
    }
}

/// `value[key]`, which is undefined where there is none.
pub(super) fn item(budget: &Rc<RenderBudget>, value: &Value, key: &Value) -> Result<Value> {
    let found = match (value, key) {
        (Value::Undefined, _) => return Err(fault("an undefined value has no elements")),
        (Value::Map(map), key) => map.get(budget, key)?.cloned(),
        (Value::List(list), key) => {
            key.integer().and_then(|index| list.items.get(place(index, list.items.len())?)).cloned()
        }
        (Value::Text(text), key) => match key.integer() {
            Some(index) => {
                let string = text.as_str();
                budget.look(string.len())?;
                let within = index >= 0 || place(index, string.chars().count()).is_some();
                let at = methods::byte_at(string, index);
                match string[at..].chars().next() {
                    Some(char) if within => Some(methods::cut(text, at..at + char.len_utf8())?),
                    _ => None,
                }
            }
            None => None,
        },
        _ => None,
    };
    Ok(found.unwrap_or(Value::Undefined))
}

/// The place that an index means, which counts from the end if it is negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(i64::try_from(length).ok()?)? } else { index };
    usize::try_from(index).ok().filter(|place| *place < length)
}

/// `value[start:end:step]`
pub(super) fn slice(
    budget: &Rc<RenderBudget>,
    value: &Value,
    [start, end, step]: [Option<i64>; 3],
) -> Result<Value> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(fault("the step of a slice is 0"));
    }
    let length = match value {
        Value::Text(text) => {
            budget.look(text.len())?;
            text.as_str().chars().count()
        }
        Value::List(list) => list.items.len(),
        Value::Undefined => return Err(fault("an undefined value has no elements")),
        _ => return Ok(Value::Undefined),
    };
    let length = length as i64;
    let clamp = |bound: i64, low: i64, high: i64| {
        (if bound < 0 { bound.saturating_add(length) } else { bound }).clamp(low, high)
    };
    let (start, end) = if step > 0 {
        (clamp(start.unwrap_or(0), 0, length), clamp(end.unwrap_or(length), 0, length))
    } else {
        (
            start.map_or(length - 1, |bound| clamp(bound, -1, length - 1)),
            end.map_or(-1, |bound| clamp(bound, -1, length - 1)),
        )
    };
    let places = std::iter::successors(Some(start), |at| at.checked_add(step))
        .take_while(|at| if step > 0 { *at < end } else { *at > end })
        .map(|at| at as usize);
    match value {
        Value::Text(text) if step == 1 => {
            let from = methods::byte_at(text.as_str(), start);
            let to = methods::byte_at(text.as_str(), end).max(from);
            methods::cut(text, from..to)
        }
        Value::Text(text) => {
            let _room = budget.take(text.len().saturating_mul(size_of::<usize>()))?;
            let bounds: Vec<usize> =
                text.as_str().char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut out = Builder::new(budget)?;
            for at in places {
                out.slice(text, bounds[at]..bounds[at + 1])?;
            }
            Ok(Value::Text(Rc::new(out.finish())))
        }
        Value::List(list) => {
            let _room = budget.take(list.items.len() * size_of::<Value>())?;
            Value::sequence(budget, places.map(|at| list.items[at].clone()).collect(), list.tuple)
        }
        _ => Ok(Value::Undefined),
    }
}
