//! What a rendering knows: variables by scope, loops, namespaces, and how deep it is.

use std::rc::Rc;

use super::access::item;
use super::budget::{Charge, RenderBudget};
use super::fault;
use super::syntax::Template;
use super::value::{BuiltinFunction, List, Value};
use crate::Result;

/// How deep statements, expressions and calls of macros may nest while a template runs.
const DEEPEST: usize = 400;
/// What a namespace takes, and each of its attributes.
pub(super) const NAMESPACE: usize = 64;

/// A rendering.
pub(super) struct Rendering<'t> {
    pub(super) budget: Rc<RenderBudget>,
    pub(super) template: &'t Template,
    pub(super) now: Option<i64>,
    /// Variables, from the template's own to those of the innermost loop.
    pub(super) scopes: Vec<Vec<(&'t str, Value)>>,
    /// The first scope of the macro that runs; beside it and those behind it, only the template's own is seen.
    pub(super) base: usize,
    pub(super) loops: Vec<Loop>,
    pub(super) namespaces: Vec<Namespace>,
    depth: usize,
}

pub(super) struct Loop {
    pub(super) items: Rc<List>,
    pub(super) index: usize,
    pub(super) changed: Option<Vec<Value>>,
}

pub(super) struct Namespace {
    pub(super) attributes: Vec<(Box<str>, Value)>,
    pub(super) charge: Charge,
}

impl<'t> Rendering<'t> {
    pub(super) fn new(
        template: &'t Template,
        budget: &Rc<RenderBudget>,
        variables: Vec<(&'static str, Value)>,
        now: Option<i64>,
    ) -> Self {
        Rendering {
            budget: budget.clone(),
            template,
            now,
            scopes: vec![variables],
            base: 0,
            loops: Vec::new(),
            namespaces: Vec::new(),
            depth: 0,
        }
    }

    /// Runs `work` one level deeper.
    pub(super) fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return Err(fault(format!("it calls itself more than {DEEPEST} deep")));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    pub(super) fn define(&mut self, name: &'t str, value: Value) {
        let Some(scope) = self.scopes.last_mut() else { return };
        match scope.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => scope.push((name, value)),
        }
    }

    pub(super) fn set_attribute(&mut self, number: usize, name: &str, value: Value) -> Result<()> {
        let namespace = &mut self.namespaces[number];
        self.budget.work(1 + namespace.attributes.len() / 4)?;
        match namespace.attributes.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, slot)) => *slot = value,
            None => {
                namespace.charge.grow(NAMESPACE + name.len())?;
                namespace.attributes.push((name.into(), value));
            }
        }
        Ok(())
    }

    pub(super) fn variable(&self, name: &str) -> Result<Value> {
        let visible = self.scopes[self.base..].iter().rev().chain(&self.scopes[..1]);
        for scope in visible {
            self.budget.work(1 + scope.len() / 8)?;
            if let Some((_, value)) = scope.iter().find(|(known, _)| *known == name) {
                return Ok(value.clone());
            }
        }
        Ok(match name {
            "range" => Value::Function(BuiltinFunction::Range),
            "namespace" => Value::Function(BuiltinFunction::Namespace),
            "dict" => Value::Function(BuiltinFunction::Dict),
            "raise_exception" => Value::Function(BuiltinFunction::RaiseException),
            "strftime_now" if self.now.is_some() => Value::Function(BuiltinFunction::StrftimeNow),
            _ => Value::Undefined,
        })
    }

    /// `value.name`, which is undefined where there is none.
    pub(super) fn attribute(&self, value: &Value, name: &str) -> Result<Value> {
        match value {
            Value::Undefined => Err(fault(format!("an undefined value has no attribute '{name}'"))),
            Value::Map(map) => Ok(map.get_name(&self.budget, name)?.cloned().unwrap_or(Value::Undefined)),
            Value::Namespace(number) => {
                let attributes = &self.namespaces[*number].attributes;
                self.budget.work(1 + attributes.len() / 4)?;
                let found = attributes.iter().find(|(known, _)| **known == *name);
                Ok(found.map_or(Value::Undefined, |(_, value)| value.clone()))
            }
            Value::Loop(number) => Ok(self.loop_attribute(*number, name)),
            _ => Ok(Value::Undefined),
        }
    }

    pub(super) fn loop_attribute(&self, number: usize, name: &str) -> Value {
        let Some(this) = self.loops.get(number) else { return Value::Undefined };
        let (items, index) = (&this.items.items, this.index);
        let integer = |value: usize| Value::Int(value as i64);
        match name {
            "index" => integer(index + 1),
            "index0" => integer(index),
            "revindex" => integer(items.len() - index),
            "revindex0" => integer(items.len() - index - 1),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 == items.len()),
            "length" => integer(items.len()),
            "depth" => Value::Int(1),
            "depth0" => Value::Int(0),
            "previtem" => index.checked_sub(1).map_or(Value::Undefined, |before| items[before].clone()),
            "nextitem" => items.get(index + 1).cloned().unwrap_or(Value::Undefined),
            _ => Value::Undefined,
        }
    }

    /// A mapping of named arguments.
    pub(super) fn mapping(&self, named: Vec<(&str, Value)>) -> Result<Value> {
        let mut pairs = Vec::new();
        for (name, value) in named {
            pairs.push((Value::text(&self.budget, name, false)?, value));
        }
        Value::map(&self.budget, pairs)
    }
}

/// What a path such as `function.name` or a number leads to.
pub(super) fn attribute_path(run: &Rendering<'_>, value: &Value, path: &Value) -> Result<Value> {
    let Value::Text(path) = path else { return item(&run.budget, value, path) };
    let mut value = value.clone();
    for part in path.as_str().split('.') {
        run.budget.work(1)?;
        value = match part.parse() {
            Ok(index) => item(&run.budget, &value, &Value::Int(index))?,
            Err(_) => run.attribute(&value, part)?,
        };
    }
    Ok(value)
}
