//! Runs a template.

use std::rc::Rc;

use super::access::{elements, item, slice};
use super::arguments::{Arguments, text};
use super::budget::RenderBudget;
use super::state::{Loop, NAMESPACE, Namespace, Rendering};
use super::syntax::{Expr, Given, Macro, Node, Postfix, Target, Template};
use super::text::{Builder, Text};
use super::value::{BuiltinFunction, List, Value};
use super::{clock, fault, filters, methods, operators, tests, write};
use crate::Result;

/// Each level takes about a kilobyte, and ten without optimisation. Only what is used is ever touched.
const STACK: usize = 32 << 20;
/// The longest `range`, which is that of Jinja2's sandbox.
const LONGEST_RANGE: i64 = 100_000;
/// What `template` renders with these variables; `now` is what `strftime_now` says, in seconds since 1970.
///
/// # Errors
/// [`crate::ErrorKind::Model`] if the template fails or refuses, [`crate::ErrorKind::Limit`] if the budget is spent, and those
/// of [`crate::Cancel::check`].
pub(crate) fn render(
    template: &Template,
    budget: &Rc<RenderBudget>,
    variables: Vec<(&'static str, Value)>,
    now: Option<i64>,
) -> Result<Text> {
    let mut run = Rendering::new(template, budget, variables, now);
    stacker::grow(STACK, || {
        let mut out = Builder::new(budget)?;
        run.nodes(&template.body, &mut out)?;
        Ok(out.finish())
    })
}

/// What comes after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Rendering<'t> {
    fn nodes(&mut self, nodes: &'t [Node], out: &mut Builder) -> Result<Flow> {
        self.deeper(|run| {
            for node in nodes {
                match run.node(node, out)? {
                    Flow::Next => {}
                    other => return Ok(other),
                }
            }
            Ok(Flow::Next)
        })
    }

    /// Runs nodes whose variables are their own.
    fn scoped(&mut self, scope: Vec<(&'t str, Value)>, nodes: &'t [Node], out: &mut Builder) -> Result<Flow> {
        self.scopes.push(scope);
        let flow = self.nodes(nodes, out);
        self.scopes.pop();
        flow
    }

    fn node(&mut self, node: &'t Node, out: &mut Builder) -> Result<Flow> {
        self.budget.work(1)?;
        match node {
            Node::Data(text) => out.push(text, false)?,
            Node::Print(expr) => {
                let value = self.eval(expr)?;
                write::display(out, &value)?;
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.eval(condition)?.is_true() {
                        return self.nodes(body, out);
                    }
                }
                return self.nodes(otherwise, out);
            }
            Node::For { target, over, filter, body, otherwise } => {
                let over = self.eval(over)?;
                let mut items = elements(&self.budget, &over)?;
                if let Some(filter) = filter {
                    items = self.filtered(target, &items, filter)?;
                }
                if items.items.is_empty() {
                    return self.nodes(otherwise, out);
                }
                self.loops.push(Loop { items: items.clone(), index: 0, changed: None });
                let done = self.iterate(target, &items, body, out);
                self.loops.pop();
                done?;
            }
            Node::Set { target, value } => {
                let value = self.eval(value)?;
                self.assign(target, value)?;
            }
            Node::Capture { target, filters, body } => {
                let value = self.captured(filters, body)?;
                self.assign(target, value)?;
            }
            Node::Filter { filters, body } => {
                let value = self.captured(filters, body)?;
                write::display(out, &value)?;
            }
            Node::Scope { bindings, body } => {
                let mut values = Vec::new();
                for (target, value) in bindings {
                    values.push((target, self.eval(value)?));
                }
                self.scopes.push(Vec::new());
                let bound = values.into_iter().try_for_each(|(target, value)| self.assign(target, value));
                let flow = bound.and_then(|()| self.nodes(body, out));
                self.scopes.pop();
                return flow;
            }
            Node::Macro(number) => {
                let name = &self.template.macros[*number].name;
                self.define(name, Value::Macro(*number));
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn iterate(
        &mut self,
        target: &'t Target,
        items: &Rc<List>,
        body: &'t [Node],
        out: &mut Builder,
    ) -> Result<()> {
        let number = self.loops.len() - 1;
        for (index, item) in items.items.iter().enumerate() {
            self.budget.work(1)?;
            self.loops[number].index = index;
            self.scopes.push(vec![("loop", Value::Loop(number))]);
            let flow = self.assign(target, item.clone()).and_then(|()| self.nodes(body, out));
            self.scopes.pop();
            if flow? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// Those of `items` for which `filter` is true.
    fn filtered(&mut self, target: &'t Target, items: &Rc<List>, filter: &'t Expr) -> Result<Rc<List>> {
        let mut room = self.budget.take(0)?;
        let mut kept = Vec::new();
        for item in &items.items {
            self.scopes.push(Vec::new());
            let passes = self.assign(target, item.clone()).and_then(|()| self.eval(filter));
            self.scopes.pop();
            if passes?.is_true() {
                room.grow(size_of::<Value>())?;
                kept.push(item.clone());
            }
        }
        elements(&self.budget, &Value::list(&self.budget, kept)?)
    }

    /// What `body` renders, after `filters`.
    fn captured(&mut self, filters: &'t [Postfix], body: &'t [Node]) -> Result<Value> {
        let mut inner = Builder::new(&self.budget)?;
        self.scoped(Vec::new(), body, &mut inner)?;
        self.postfix(Value::Text(Rc::new(inner.finish())), filters)
    }

    fn assign(&mut self, target: &'t Target, value: Value) -> Result<()> {
        match target {
            Target::Name(name) => self.define(name, value),
            Target::Attribute(name, attribute) => match self.variable(name)? {
                Value::Namespace(number) => self.set_attribute(number, attribute, value)?,
                other => return Err(fault(format!("'{name}' is {} and no namespace", other.kind()))),
            },
            Target::Tuple(targets) => {
                let items = elements(&self.budget, &value)?;
                if items.items.len() != targets.len() {
                    let (found, wanted) = (items.items.len(), targets.len());
                    return Err(fault(format!("{found} values cannot be assigned to {wanted} names")));
                }
                for (target, item) in targets.iter().zip(&items.items) {
                    self.deeper(|run| run.assign(target, item.clone()))?;
                }
            }
        }
        Ok(())
    }

    fn eval(&mut self, expr: &'t Expr) -> Result<Value> {
        self.deeper(|run| run.expression(expr))
    }

    fn expression(&mut self, expr: &'t Expr) -> Result<Value> {
        self.budget.work(1)?;
        Ok(match expr {
            Expr::None => Value::None,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(value) => Value::Int(*value),
            Expr::Float(value) => Value::Float(*value),
            Expr::String(text) => Value::text(&self.budget, text, false)?,
            Expr::Name(name) => self.variable(name)?,
            Expr::Sequence { items, tuple } => {
                let items: Result<Vec<Value>> = items.iter().map(|item| self.eval(item)).collect();
                Value::sequence(&self.budget, items?, *tuple)?
            }
            Expr::Map(entries) => {
                let mut pairs = Vec::new();
                for (key, value) in entries {
                    pairs.push((self.eval(key)?, self.eval(value)?));
                }
                Value::map(&self.budget, pairs)?
            }
            Expr::Not(inner) => Value::Bool(!self.eval(inner)?.is_true()),
            Expr::Negative(inner) => operators::negative(&self.eval(inner)?)?,
            Expr::Positive(inner) => {
                let value = self.eval(inner)?;
                if value.number().is_none() {
                    return Err(fault(format!("{} is no number", value.kind())));
                }
                value
            }
            Expr::And(all) => self.first(all, false)?,
            Expr::Or(all) => self.first(all, true)?,
            Expr::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (comparison, right) in rest {
                    let right = self.eval(right)?;
                    if !operators::compare(&self.budget, *comparison, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            Expr::Chain(first, rest) => {
                let mut value = self.eval(first)?;
                for (operator, right) in rest {
                    let right = self.eval(right)?;
                    value = operators::apply(&self.budget, *operator, &value, &right)?;
                }
                value
            }
            Expr::Concat(all) => {
                let mut builder = Builder::new(&self.budget)?;
                for part in all {
                    let part = self.eval(part)?;
                    write::display(&mut builder, &part)?;
                }
                Value::Text(Rc::new(builder.finish()))
            }
            Expr::Conditional(conditional) => {
                if self.eval(&conditional.condition)?.is_true() {
                    return self.eval(&conditional.value);
                }
                match &conditional.otherwise {
                    Some(otherwise) => self.eval(otherwise)?,
                    None => Value::Undefined,
                }
            }
            Expr::Postfix(base, postfixes) => {
                if let (Expr::Name(name), [postfix, ..]) = (&**base, &postfixes[..]) {
                    let value = self.variable(name)?;
                    let applies = !matches!(postfix, Postfix::Filter(..) | Postfix::Test { .. });
                    if matches!(value, Value::Undefined) && applies {
                        return Err(fault(format!("'{name}' is undefined")));
                    }
                    return self.postfix(value, postfixes);
                }
                let value = self.eval(base)?;
                self.postfix(value, postfixes)?
            }
        })
    }

    /// The first value that is `wanted`, or the last.
    fn first(&mut self, all: &'t [Expr], wanted: bool) -> Result<Value> {
        let mut value = Value::Undefined;
        for part in all {
            value = self.eval(part)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn postfix(&mut self, mut value: Value, postfixes: &'t [Postfix]) -> Result<Value> {
        let mut rest = postfixes.iter().peekable();
        while let Some(postfix) = rest.next() {
            self.budget.work(1)?;
            value = match postfix {
                Postfix::Attribute(name) => {
                    if let Some(Postfix::Call(given)) = rest.peek() {
                        rest.next();
                        self.method(&value, name, given)?
                    } else {
                        self.attribute(&value, name)?
                    }
                }
                Postfix::Item(key) => {
                    let key = self.eval(key)?;
                    match (&value, &key) {
                        (Value::Namespace(_) | Value::Loop(_), Value::Text(name)) => {
                            self.attribute(&value, name.as_str())?
                        }
                        _ => item(&self.budget, &value, &key)?,
                    }
                }
                Postfix::Slice { start, end, step } => {
                    let mut bound = |bound: &'t Option<Expr>| match bound {
                        None => Ok(None),
                        Some(bound) => match self.eval(bound)? {
                            Value::None => Ok(None),
                            value => match value.integer() {
                                Some(bound) => Ok(Some(bound)),
                                None => Err(fault(format!("{} cannot bound a slice", value.kind()))),
                            },
                        },
                    };
                    let bounds = [bound(start)?, bound(end)?, bound(step)?];
                    slice(&self.budget, &value, bounds)?
                }
                Postfix::Call(given) => {
                    let arguments = self.arguments(given)?;
                    self.call(&value, arguments)?
                }
                Postfix::Filter(name, given) => {
                    let arguments = self.arguments(given)?;
                    filters::filter(self, name, value, arguments)?
                }
                Postfix::Test { name, given, negated } => {
                    let arguments = self.arguments(given)?;
                    Value::Bool(tests::test(&self.budget, name, &value, arguments)? != *negated)
                }
            };
        }
        Ok(value)
    }

    fn arguments(&mut self, given: &'t Given) -> Result<Arguments<'t>> {
        let mut arguments = Arguments::default();
        for value in &given.positional {
            arguments.positional.push(self.eval(value)?);
        }
        for (name, value) in &given.named {
            arguments.named.push((name, self.eval(value)?));
        }
        Ok(arguments)
    }

    fn method(&mut self, value: &Value, name: &'t str, given: &'t Given) -> Result<Value> {
        let arguments = self.arguments(given)?;
        if let Value::Loop(number) = value {
            return self.loop_method(*number, name, arguments);
        }
        let callable = match self.attribute(value, name)? {
            // An entry of a mapping does not hide its methods.
            found @ (Value::Macro(_) | Value::Function(_)) => found,
            _ => {
                let called = methods::call(&self.budget, value, name, arguments)?;
                return called.ok_or_else(|| fault(format!("{} has no method '{name}'", value.kind())));
            }
        };
        self.call(&callable, arguments)
    }

    fn loop_method(&mut self, number: usize, name: &str, arguments: Arguments<'t>) -> Result<Value> {
        let Some(this) = self.loops.get_mut(number) else { return Ok(Value::Undefined) };
        let values = arguments.positional;
        match name {
            "cycle" if !values.is_empty() => Ok(values[this.index % values.len()].clone()),
            "changed" => {
                let mut same = this.changed.as_ref().is_some_and(|before| before.len() == values.len());
                for (before, now) in this.changed.iter().flatten().zip(&values) {
                    same = same && operators::equal(&self.budget, before, now)?;
                }
                this.changed = Some(values);
                Ok(Value::Bool(!same))
            }
            _ => Err(fault(format!("a loop has no method '{name}'"))),
        }
    }

    fn call(&mut self, callable: &Value, arguments: Arguments<'t>) -> Result<Value> {
        match callable {
            Value::Macro(number) => self.call_macro(&self.template.macros[*number], arguments),
            Value::Function(BuiltinFunction::Range) => {
                let [first, second, step] = arguments.take("range", ["start", "stop", "step"])?;
                range(&self.budget, [first, second, step])
            }
            Value::Function(BuiltinFunction::Namespace) => {
                let [entries] = Arguments { positional: arguments.positional, named: Vec::new() }
                    .take("namespace", ["entries"])?;
                let number = self.namespaces.len();
                let charge = self.budget.take(2 * NAMESPACE)?;
                self.namespaces.push(Namespace { attributes: Vec::new(), charge });
                if let Some(Value::Map(entries)) = entries {
                    for (key, value) in &entries.entries {
                        if let Value::Text(key) = key {
                            self.set_attribute(number, key.as_str(), value.clone())?;
                        }
                    }
                }
                for (name, value) in arguments.named {
                    self.set_attribute(number, name, value)?;
                }
                Ok(Value::Namespace(number))
            }
            Value::Function(BuiltinFunction::Dict) => {
                let mut pairs = Vec::new();
                for from in arguments.positional {
                    match from {
                        Value::Map(map) => pairs.extend(map.entries.iter().cloned()),
                        other => return Err(fault(format!("{} cannot become a mapping", other.kind()))),
                    }
                }
                for (name, value) in arguments.named {
                    pairs.push((Value::text(&self.budget, name, false)?, value));
                }
                Value::map(&self.budget, pairs)
            }
            Value::Function(BuiltinFunction::RaiseException) => {
                let [message] = arguments.take("raise_exception", ["message"])?;
                let mut out = Builder::new(&self.budget)?;
                write::display(&mut out, &message.unwrap_or(Value::Undefined))?;
                let refused = out.finish();
                Err(fault(format!("it refuses them: {}", shortened(refused.as_str()))))
            }
            Value::Function(BuiltinFunction::StrftimeNow) => {
                let [format] = arguments.take("strftime_now", ["format"])?;
                let format = text("strftime_now", format)?;
                let _room = self.budget.take(format.len().saturating_mul(16))?;
                let written = clock::strftime(self.now.unwrap_or_default(), format.as_str())?;
                Value::text(&self.budget, &written, false)
            }
            Value::Undefined => Err(fault("what is called is undefined")),
            other => Err(fault(format!("{} cannot be called", other.kind()))),
        }
    }

    fn call_macro(&mut self, called: &'t Macro, arguments: Arguments<'t>) -> Result<Value> {
        let (given, named) = (arguments.positional, arguments.named);
        if given.len() > called.parameters.len() {
            return Err(fault(format!(
                "the macro '{}' takes {} arguments",
                called.name,
                called.parameters.len()
            )));
        }
        if let Some((name, _)) =
            named.iter().find(|(name, _)| called.parameters.iter().all(|(known, _)| known != name))
        {
            return Err(fault(format!("the macro '{}' takes no argument '{name}'", called.name)));
        }
        let base = std::mem::replace(&mut self.base, self.scopes.len());
        self.scopes.push(Vec::new());
        let rendered = self.deeper(|run| {
            let mut given = given.into_iter();
            for (name, default) in &called.parameters {
                let named = named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                let value = match (given.next().or(named), default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => run.eval(default)?,
                    (None, None) => Value::Undefined,
                };
                run.define(name, value);
            }
            let mut out = Builder::new(&run.budget)?;
            run.nodes(&called.body, &mut out)?;
            Ok(Value::Text(Rc::new(out.finish())))
        });
        self.scopes.truncate(self.base);
        self.base = base;
        rendered
    }
}

/// The beginning of what a template says when it refuses; it may say anything.
fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(500.min(message.len()))]
}

fn range(budget: &Rc<RenderBudget>, given: [Option<Value>; 3]) -> Result<Value> {
    let mut bounds = Vec::new();
    for value in given.into_iter().flatten() {
        let bound = value.integer();
        bounds.push(bound.ok_or_else(|| fault(format!("'range' wants integers and not {}", value.kind())))?);
    }
    let (start, end, step) = match bounds[..] {
        [end] => (0, end, 1),
        [start, end] => (start, end, 1),
        [start, end, step] if step != 0 => (start, end, step),
        _ => return Err(fault("'range' wants one to three numbers, and a step other than 0")),
    };
    let distance = i128::from(end) - i128::from(start);
    let count = (distance / i128::from(step)) + i128::from(distance % i128::from(step) != 0);
    let forward = (distance > 0) == (step > 0) && distance != 0;
    let count = if forward { count } else { 0 };
    if count > i128::from(LONGEST_RANGE) {
        return Err(fault(format!("'range' is longer than {LONGEST_RANGE}")));
    }
    let _room = budget.take(count as usize * size_of::<Value>())?;
    Value::list(budget, (0..count as i64).map(|number| Value::Int(start + number * step)).collect())
}
