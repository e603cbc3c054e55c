//! `'%s' % value`, as in Python.

use std::rc::Rc;

use super::text::{Builder, Text};
use super::value::Value;
use super::{fault, write};
use crate::Result;

/// The longest fraction; a float has no more digits that mean anything.
const PRECISION: usize = 340;

/// How a value is laid out.
#[derive(Default)]
struct Layout {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// `text` with the directives in it replaced by `values`: one, a tuple of them, or a mapping.
pub(super) fn percent(text: &Text, values: &Value) -> Result<Value> {
    let mut out = Builder::new(text.budget())?;
    let mut values = Values { values, next: 0 };
    let string = text.as_str();
    let mut from = 0;
    while let Some(found) = string[from..].find('%') {
        out.slice(text, from..from + found)?;
        let mut rest = &string[from + found + 1..];
        let mut key = None;
        if let Some(named) = rest.strip_prefix('(') {
            let (name, after) = named.split_once(')').ok_or_else(|| fault("a format ends in its middle"))?;
            (key, rest) = (Some(name), after);
        }
        let layout = layout(&mut rest, &mut values)?;
        let directive = rest.chars().next().ok_or_else(|| fault("a format ends in its middle"))?;
        from = string.len() - rest.len() + directive.len_utf8();
        if directive == '%' {
            out.push("%", false)?;
            continue;
        }
        let value = match key {
            Some(key) => values.named(text, key)?,
            None => values.next()?,
        };
        convert(&mut out, directive, &layout, &value)?;
    }
    out.slice(text, from..string.len())?;
    values.finish()?;
    Ok(Value::Text(Rc::new(out.finish())))
}

/// Reads flags, width and precision.
fn layout(rest: &mut &str, values: &mut Values<'_>) -> Result<Layout> {
    let mut layout = Layout::default();
    while let Some(flag) = rest.chars().next().filter(|flag| "-+ #0".contains(*flag)) {
        match flag {
            '-' => layout.left = true,
            '+' => layout.plus = true,
            ' ' => layout.space = true,
            '#' => layout.alternate = true,
            _ => layout.zeros = true,
        }
        *rest = &rest[1..];
    }
    if let Some(width) = number(rest, values)? {
        layout.left |= width < 0;
        layout.width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
    }
    if let Some(precision) = rest.strip_prefix('.') {
        *rest = precision;
        let precision = number(rest, values)?.unwrap_or(0);
        layout.precision = Some(usize::try_from(precision).unwrap_or(0));
    }
    Ok(layout)
}

/// A number in a format, or `*` for the next value.
fn number(rest: &mut &str, values: &mut Values<'_>) -> Result<Option<i64>> {
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        let value = values.next()?;
        return value.integer().map(Some).ok_or_else(|| fault("'*' in a format wants an integer"));
    }
    let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    if number.is_empty() {
        return Ok(None);
    }
    number.parse().map(Some).map_err(|_| fault("a number in a format is too large"))
}

fn convert(out: &mut Builder, directive: char, layout: &Layout, value: &Value) -> Result<()> {
    if matches!(directive, 's' | 'r' | 'a') {
        let mut written = Builder::new(out.budget())?;
        if directive == 's' {
            write::display(&mut written, value)?
        } else {
            write::repr(&mut written, value)?
        }
        let written = written.finish();
        let string = written.as_str();
        let end = layout.precision.and_then(|precision| string.char_indices().nth(precision));
        let end = end.map_or(string.len(), |(at, _)| at);
        let padding = layout.width.saturating_sub(string[..end].chars().count());
        out.repeat(" ", if layout.left { 0 } else { padding })?;
        out.slice(&written, 0..end)?;
        return out.repeat(" ", if layout.left { padding } else { 0 });
    }
    if directive == 'c' {
        let char = match value {
            Value::Text(text) if text.as_str().chars().count() == 1 => return out.text(text),
            other => other.integer().and_then(|code| char::from_u32(u32::try_from(code).ok()?)),
        };
        let char = char.ok_or_else(|| fault("%c wants a character"))?;
        return out.push(char.encode_utf8(&mut [0; 4]), false);
    }
    let wrong = || fault(format!("%{directive} cannot write {}", value.kind()));
    let (negative, digits) = match directive {
        'd' | 'i' | 'u' => {
            let whole = match value {
                Value::Float(value) if value.is_finite() => value.trunc() as i64,
                other => other.integer().ok_or_else(wrong)?,
            };
            (whole < 0, whole.unsigned_abs().to_string())
        }
        'x' | 'X' | 'o' => {
            let whole = value.integer().ok_or_else(wrong)?;
            let (size, prefix) = (whole.unsigned_abs(), if layout.alternate { "0" } else { "" });
            let mark = if layout.alternate { directive.to_string() } else { String::new() };
            let digits = match directive {
                'x' => format!("{size:x}"),
                'X' => format!("{size:X}"),
                _ => format!("{size:o}"),
            };
            (whole < 0, format!("{prefix}{mark}{digits}"))
        }
        'f' | 'F' | 'e' | 'E' => {
            let number = value.number().ok_or_else(wrong)?;
            let precision = layout.precision.unwrap_or(6);
            if precision > PRECISION {
                return Err(fault("a precision in a format is too large"));
            }
            let size = number.abs();
            let digits = if !size.is_finite() {
                write::float(size)
            } else if directive.eq_ignore_ascii_case(&'f') {
                format!("{size:.precision$}")
            } else {
                let written = format!("{size:.precision$e}");
                let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
                let (sign, digits) =
                    exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
                format!("{mantissa}e{sign}{digits:0>2}")
            };
            let digits = if directive == 'E' { digits.to_uppercase() } else { digits };
            (number.is_sign_negative() && !number.is_nan(), digits)
        }
        'g' | 'G' if layout.precision.is_none() => {
            let number = value.number().ok_or_else(wrong)?;
            let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
            let digits = write::float(rounded.abs());
            (number < 0.0, digits.strip_suffix(".0").map_or(digits.clone(), str::to_owned))
        }
        other => return Err(fault(format!("%{other} is not known in a format"))),
    };
    let sign = match (negative, layout.plus, layout.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    // The precision of an integer is its least number of digits.
    let least = layout.precision.filter(|_| "diuxXo".contains(directive)).unwrap_or(0);
    let mut zeros = least.saturating_sub(digits.len());
    let padding = layout.width.saturating_sub(sign.len().saturating_add(digits.len()).saturating_add(zeros));
    let fill = layout.zeros && !layout.left;
    if fill {
        zeros = zeros.saturating_add(padding);
    }
    out.repeat(" ", if layout.left || fill { 0 } else { padding })?;
    out.push(sign, false)?;
    out.repeat("0", zeros)?;
    out.push(&digits, false)?;
    out.repeat(" ", if layout.left { padding } else { 0 })
}

/// The values of a format, in order.
struct Values<'v> {
    values: &'v Value,
    next: usize,
}

impl Values<'_> {
    fn next(&mut self) -> Result<Value> {
        self.next += 1;
        let value = match self.values {
            Value::List(list) if list.tuple => list.items.get(self.next - 1).cloned(),
            single => (self.next == 1).then(|| single.clone()),
        };
        value.ok_or_else(|| fault("a format has fewer values than it needs"))
    }

    fn named(&mut self, format: &Text, name: &str) -> Result<Value> {
        let found = match self.values {
            Value::Map(map) => map.get_name(format.budget(), name)?.cloned(),
            _ => None,
        };
        found.ok_or_else(|| fault(format!("a format finds no value '{name}'")))
    }

    fn finish(&self) -> Result<()> {
        match self.values {
            Value::List(list) if list.tuple && self.next < list.items.len() => {
                Err(fault("a format has more values than it needs"))
            }
            Value::List(list) if list.tuple => Ok(()),
            Value::Map(_) | Value::List(_) => Ok(()),
            _ if self.next == 0 => Err(fault("a format has more values than it needs")),
            _ => Ok(()),
        }
    }
}
