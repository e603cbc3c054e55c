//! What expressions evaluate to. Values do not change, as in Jinja2's immutable sandbox; namespaces belong to the rendering.

use std::rc::Rc;

use super::budget::{Charge, RenderBudget};
use super::fault;
use super::text::Text;
use crate::Result;

/// What a list or a mapping takes beside its values.
const OVERHEAD: usize = 96;
/// How deep lists and mappings may nest. Whatever walks them recurses.
const DEEPEST: usize = 48;

/// A value of a template.
#[derive(Clone)]
pub(crate) enum Value {
    Undefined,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<Text>),
    List(Rc<List>),
    Map(Rc<Map>),
    /// The number of a namespace of this rendering.
    Namespace(usize),
    /// The number of a loop that runs.
    Loop(usize),
    /// The number of a macro of the template.
    Macro(usize),
    Function(BuiltinFunction),
}

/// What every template may call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltinFunction {
    Range,
    Namespace,
    Dict,
    RaiseException,
    StrftimeNow,
}

/// A list, or a tuple.
pub(crate) struct List {
    pub(super) items: Vec<Value>,
    pub(super) tuple: bool,
    depth: usize,
    _charge: Charge,
}

/// A mapping, in the order in which its keys came.
pub(crate) struct Map {
    pub(super) entries: Vec<(Value, Value)>,
    depth: usize,
    _charge: Charge,
}

impl Value {
    pub(crate) fn text(budget: &Rc<RenderBudget>, string: &str, foreign: bool) -> Result<Value> {
        Ok(Value::Text(Rc::new(Text::new(budget, string, foreign)?)))
    }

    pub(crate) fn list(budget: &Rc<RenderBudget>, items: Vec<Value>) -> Result<Value> {
        Value::sequence(budget, items, false)
    }

    pub(super) fn sequence(budget: &Rc<RenderBudget>, items: Vec<Value>, tuple: bool) -> Result<Value> {
        let charge = budget.take(OVERHEAD + items.capacity() * size_of::<Value>())?;
        let depth = deeper(items.iter())?;
        Ok(Value::List(Rc::new(List { items, tuple, depth, _charge: charge })))
    }

    /// A mapping. Where a key comes twice, the later value takes the place of the earlier.
    pub(crate) fn map(budget: &Rc<RenderBudget>, pairs: Vec<(Value, Value)>) -> Result<Value> {
        let charge = budget.take(OVERHEAD + pairs.capacity() * size_of::<(Value, Value)>())?;
        let mut entries: Vec<(Value, Value)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            if !matches!(key, Value::Text(_) | Value::Int(_) | Value::Bool(_) | Value::None) {
                return Err(fault(format!("{} cannot be the key of a mapping", key.kind())));
            }
            match position(budget, &entries, &key)? {
                Some(at) => entries[at].1 = value,
                None => entries.push((key, value)),
            }
        }
        let depth = deeper(entries.iter().map(|(_, value)| value))?;
        Ok(Value::Map(Rc::new(Map { entries, depth, _charge: charge })))
    }

    /// What it is, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Undefined => "an undefined value",
            Value::None => "none",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(list) if list.tuple => "a tuple",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Namespace(_) => "a namespace",
            Value::Loop(_) => "a loop",
            Value::Macro(_) | Value::Function(_) => "a function",
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Undefined | Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => text.len() > 0,
            Value::List(list) => !list.items.is_empty(),
            Value::Map(map) => !map.entries.is_empty(),
            Value::Namespace(_) | Value::Loop(_) | Value::Macro(_) | Value::Function(_) => true,
        }
    }

    /// Its number, if it is one; booleans are 0 and 1.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            _ => self.integer().map(|value| value as f64),
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Value::Bool(value) => Some(i64::from(*value)),
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Value::List(list) => list.depth,
            Value::Map(map) => map.depth,
            _ => 0,
        }
    }
}

impl Map {
    pub(super) fn get(&self, budget: &RenderBudget, key: &Value) -> Result<Option<&Value>> {
        Ok(position(budget, &self.entries, key)?.map(|at| &self.entries[at].1))
    }

    pub(super) fn get_name(&self, budget: &RenderBudget, name: &str) -> Result<Option<&Value>> {
        budget.work(1 + self.entries.len() / 4)?;
        let mut entries = self.entries.iter();
        let found = entries.find(|(key, _)| matches!(key, Value::Text(key) if key.as_str() == name));
        Ok(found.map(|(_, value)| value))
    }
}

fn position(budget: &RenderBudget, entries: &[(Value, Value)], key: &Value) -> Result<Option<usize>> {
    if let Value::Text(wanted) = key {
        budget.work(entries.len() / 4)?;
        budget.look(wanted.len())?;
    }
    for (at, (held, _)) in entries.iter().enumerate() {
        let same = match (held, key) {
            (Value::Text(held), Value::Text(wanted)) => held.as_str() == wanted.as_str(),
            (Value::None, Value::None) => true,
            _ => held.number().is_some() && held.number() == key.number(),
        };
        if same {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn deeper<'v>(values: impl Iterator<Item = &'v Value>) -> Result<usize> {
    let depth = 1 + values.map(Value::depth).max().unwrap_or(0);
    if depth > DEEPEST {
        return Err(fault(format!("its lists and mappings nest more than {DEEPEST} deep")));
    }
    Ok(depth)
}
