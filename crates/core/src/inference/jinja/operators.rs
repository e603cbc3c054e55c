//! What operators do, as in Python.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget::RenderBudget;
use super::syntax::{Comparison, Operator};
use super::text::Builder;
use super::value::Value;
use super::{fault, format};
use crate::{Error, Result};

pub(super) fn apply(
    budget: &Rc<RenderBudget>,
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Result<Value> {
    match (operator, left, right) {
        (Operator::Add, Value::Text(a), Value::Text(b)) => {
            let mut builder = Builder::new(budget)?;
            builder.text(a)?;
            builder.text(b)?;
            return Ok(Value::Text(Rc::new(builder.finish())));
        }
        (Operator::Add, Value::List(a), Value::List(b)) if a.tuple == b.tuple => {
            let _room = budget.take((a.items.len() + b.items.len()) * size_of::<Value>())?;
            let items = a.items.iter().chain(&b.items).cloned().collect();
            return Value::sequence(budget, items, a.tuple);
        }
        (Operator::Multiply, Value::Text(_) | Value::List(_), times)
        | (Operator::Multiply, times, Value::Text(_) | Value::List(_)) => {
            if let Some(times) = times.integer() {
                let repeated = if left.integer().is_some() { right } else { left };
                return repeat(budget, repeated, times);
            }
        }
        (Operator::Remainder, Value::Text(text), _) => return format::percent(text, right),
        _ => {}
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        let (left, right) = (left.kind(), right.kind());
        return Err(fault(format!("{left} and {right} cannot be {}", done(operator))));
    };
    if matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder) && b == 0.0 {
        return Err(fault("it divides by zero"));
    }
    let integers = left.integer().zip(right.integer());
    let whole = match (operator, integers) {
        (Operator::Divide, _) | (_, None) => None,
        (Operator::Power, Some((_, b))) if b < 0 => None,
        (operator, Some((a, b))) => {
            let whole = match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                Operator::FloorDivide => {
                    a.checked_div(b).map(|whole| whole - i64::from(a % b != 0 && (a < 0) != (b < 0)))
                }
                Operator::Remainder => a
                    .checked_rem(b)
                    .map(|rest| if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }),
                Operator::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
                Operator::Divide => None,
            };
            Some(whole.ok_or_else(|| fault("a number is too large"))?)
        }
    };
    Ok(match whole {
        Some(whole) => Value::Int(whole),
        None => Value::Float(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            Operator::FloorDivide => (a / b).floor(),
            Operator::Remainder => a - b * (a / b).floor(),
            Operator::Power => a.powf(b),
        }),
    })
}

fn done(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "added",
        Operator::Subtract => "subtracted",
        Operator::Multiply => "multiplied",
        Operator::Divide | Operator::FloorDivide | Operator::Remainder => "divided",
        Operator::Power => "raised",
    }
}

fn repeat(budget: &Rc<RenderBudget>, value: &Value, times: i64) -> Result<Value> {
    let times = usize::try_from(times).unwrap_or(0);
    match value {
        Value::Text(text) => {
            let mut builder = Builder::new(budget)?;
            // Empty texts would take steps and no memory.
            for _ in 0..if text.len() == 0 { 0 } else { times } {
                builder.text(text)?;
            }
            Ok(Value::Text(Rc::new(builder.finish())))
        }
        Value::List(list) => {
            let bytes = list.items.len().saturating_mul(times).saturating_mul(size_of::<Value>());
            let _room = budget.take(bytes)?;
            let times = if list.items.is_empty() { 0 } else { times };
            let items = std::iter::repeat_n(&list.items, times).flatten().cloned().collect();
            Value::sequence(budget, items, list.tuple)
        }
        other => Ok(other.clone()),
    }
}

/// The negative of a number.
pub(super) fn negative(value: &Value) -> Result<Value> {
    match value {
        Value::Float(value) => Ok(Value::Float(-value)),
        other => match other.integer().map(i64::checked_neg) {
            Some(Some(value)) => Ok(Value::Int(value)),
            Some(None) => Err(fault("a number is too large")),
            None => Err(fault(format!("{} has no negative", other.kind()))),
        },
    }
}

pub(super) fn compare(
    budget: &RenderBudget,
    comparison: Comparison,
    left: &Value,
    right: &Value,
) -> Result<bool> {
    let ordered = |wanted: &[Ordering]| Ok(wanted.contains(&order(budget, left, right)?));
    match comparison {
        Comparison::Equal => equal(budget, left, right),
        Comparison::Unequal => Ok(!equal(budget, left, right)?),
        Comparison::Less => ordered(&[Ordering::Less]),
        Comparison::LessOrEqual => ordered(&[Ordering::Less, Ordering::Equal]),
        Comparison::Greater => ordered(&[Ordering::Greater]),
        Comparison::GreaterOrEqual => ordered(&[Ordering::Greater, Ordering::Equal]),
        Comparison::In => contains(budget, right, left),
        Comparison::NotIn => Ok(!contains(budget, right, left)?),
    }
}

pub(super) fn equal(budget: &RenderBudget, left: &Value, right: &Value) -> Result<bool> {
    budget.work(1)?;
    Ok(match (left, right) {
        (Value::Undefined, Value::Undefined) | (Value::None, Value::None) => true,
        (Value::Text(a), Value::Text(b)) => {
            budget.look(a.len().min(b.len()))?;
            a.as_str() == b.as_str()
        }
        (Value::List(a), Value::List(b)) => {
            if a.tuple != b.tuple || a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(budget, a, b)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                match b.get(budget, key)? {
                    Some(other) if equal(budget, value, other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Namespace(a), Value::Namespace(b)) | (Value::Macro(a), Value::Macro(b)) => a == b,
        (Value::Function(a), Value::Function(b)) => a == b,
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    })
}

pub(super) fn order(budget: &RenderBudget, left: &Value, right: &Value) -> Result<Ordering> {
    budget.work(1)?;
    let unordered = || -> Error { fault(format!("{} and {} have no order", left.kind(), right.kind())) };
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => {
            budget.look(a.len().min(b.len()))?;
            Ok(a.as_str().cmp(b.as_str()))
        }
        (Value::List(a), Value::List(b)) if a.tuple == b.tuple => {
            for (a, b) in a.items.iter().zip(&b.items) {
                match order(budget, a, b)? {
                    Ordering::Equal => {}
                    other => return Ok(other),
                }
            }
            Ok(a.items.len().cmp(&b.items.len()))
        }
        _ => match left.integer().zip(right.integer()) {
            Some((a, b)) => Ok(a.cmp(&b)),
            None => {
                let numbers = left.number().zip(right.number());
                numbers.and_then(|(a, b)| a.partial_cmp(&b)).ok_or_else(unordered)
            }
        },
    }
}

/// Whether `part` is in `whole`.
pub(super) fn contains(budget: &RenderBudget, whole: &Value, part: &Value) -> Result<bool> {
    match (whole, part) {
        (Value::Text(whole), Value::Text(part)) => {
            budget.look(whole.len() + part.len())?;
            Ok(whole.as_str().contains(part.as_str()))
        }
        (Value::List(list), part) => {
            for item in &list.items {
                if equal(budget, item, part)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Map(map), key) => Ok(map.get(budget, key)?.is_some()),
        (Value::Undefined, _) => Ok(false),
        (whole, part) => Err(fault(format!("{} cannot be looked for in {}", part.kind(), whole.kind()))),
    }
}
