//! What a function, a filter, a method or a test was called with.

use std::rc::Rc;

use super::fault;
use super::text::Text;
use super::value::Value;
use crate::Result;

/// Evaluated arguments.
#[derive(Default)]
pub(super) struct Arguments<'t> {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(&'t str, Value)>,
}

impl Arguments<'_> {
    /// The arguments of `what`, whose parameters have these names; `None` for those that were not given.
    pub(super) fn take<const N: usize>(self, what: &str, names: [&str; N]) -> Result<[Option<Value>; N]> {
        if self.positional.len() > N {
            return Err(fault(format!("'{what}' takes {N} arguments, not {}", self.positional.len())));
        }
        let mut taken = [const { None }; N];
        for (slot, value) in taken.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|known| *known == name) {
                Some(at) if taken[at].is_none() => taken[at] = Some(value),
                _ => return Err(fault(format!("'{what}' takes no argument '{name}' here"))),
            }
        }
        Ok(taken)
    }

    /// Refuses any.
    pub(super) fn none(self, what: &str) -> Result<()> {
        self.take::<0>(what, []).map(|_| ())
    }
}

/// The string that was given.
pub(super) fn text(what: &str, value: Option<Value>) -> Result<Rc<Text>> {
    match value {
        Some(Value::Text(text)) => Ok(text),
        other => Err(wrong(what, "a string", other)),
    }
}

/// The string that was given, unless none was or it is none.
pub(super) fn text_if_given(what: &str, value: Option<Value>) -> Result<Option<Rc<Text>>> {
    match value {
        None | Some(Value::None) => Ok(None),
        value => text(what, value).map(Some),
    }
}

/// The integer that was given, or `default`.
pub(super) fn integer(what: &str, value: Option<Value>, default: i64) -> Result<i64> {
    match value {
        None => Ok(default),
        Some(value) => value.integer().ok_or_else(|| wrong(what, "an integer", Some(value))),
    }
}

/// Whether what was given is true, or `default`.
pub(super) fn flag(value: Option<Value>, default: bool) -> bool {
    value.map_or(default, |value| value.is_true())
}

fn wrong(what: &str, wanted: &str, value: Option<Value>) -> crate::Error {
    let found = value.as_ref().map_or("nothing", Value::kind);
    fault(format!("'{what}' wants {wanted} and not {found}"))
}
