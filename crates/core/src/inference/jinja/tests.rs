//! Tests: `x is defined`.

use super::arguments::Arguments;
use super::budget::RenderBudget;
use super::syntax::Comparison;
use super::value::Value;
use super::{fault, operators};
use crate::Result;

/// Whether `value` passes the test.
pub(super) fn test(
    budget: &RenderBudget,
    name: &str,
    value: &Value,
    arguments: Arguments<'_>,
) -> Result<bool> {
    let comparison = match name {
        "eq" | "equalto" | "sameas" | "==" => Some(Comparison::Equal),
        "ne" | "!=" => Some(Comparison::Unequal),
        "lt" | "lessthan" | "<" => Some(Comparison::Less),
        "le" | "<=" => Some(Comparison::LessOrEqual),
        "gt" | "greaterthan" | ">" => Some(Comparison::Greater),
        "ge" | ">=" => Some(Comparison::GreaterOrEqual),
        "in" => Some(Comparison::In),
        _ => None,
    };
    if let Some(comparison) = comparison {
        let [other] = arguments.take(name, ["other"])?;
        let other = other.ok_or_else(|| fault(format!("the test '{name}' wants an argument")))?;
        if name == "sameas" && matches!(value, Value::Bool(_)) != matches!(other, Value::Bool(_)) {
            return Ok(false);
        }
        return operators::compare(budget, comparison, value, &other);
    }
    if name == "divisibleby" {
        let [divisor] = arguments.take(name, ["num"])?;
        return match (value.integer(), divisor.and_then(|divisor| divisor.integer())) {
            (Some(value), Some(divisor)) if divisor != 0 => Ok(value.checked_rem(divisor).unwrap_or(0) == 0),
            _ => Err(fault("the test 'divisibleby' wants integers, and none that is 0")),
        };
    }
    arguments.none(name)?;
    let odd = || {
        let integer = value.integer().map(|value| value % 2 != 0);
        integer.ok_or_else(|| fault(format!("the test '{name}' wants an integer")))
    };
    let case = |other: fn(char) -> bool, wanted: fn(char) -> bool| match value {
        Value::Text(text) => {
            budget.look(text.len())?;
            Ok(!text.as_str().contains(other) && text.as_str().contains(wanted))
        }
        _ => Ok(false),
    };
    Ok(match name {
        "defined" => !matches!(value, Value::Undefined),
        "undefined" => matches!(value, Value::Undefined),
        "none" => matches!(value, Value::None),
        "boolean" => matches!(value, Value::Bool(_)),
        "true" => matches!(value, Value::Bool(true)),
        "false" => matches!(value, Value::Bool(false)),
        "string" => matches!(value, Value::Text(_)),
        "number" => value.number().is_some(),
        "integer" => matches!(value, Value::Int(_)),
        "float" => matches!(value, Value::Float(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "sequence" | "iterable" => {
            let sequence =
                matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_) | Value::Undefined);
            sequence || (name == "iterable" && matches!(value, Value::Loop(_)))
        }
        "callable" => matches!(value, Value::Macro(_) | Value::Function(_)),
        "odd" => odd()?,
        "even" => !odd()?,
        "upper" => case(char::is_lowercase, char::is_uppercase)?,
        "lower" => case(char::is_uppercase, char::is_lowercase)?,
        _ => return Err(fault(format!("the test '{name}' is not known"))),
    })
}
