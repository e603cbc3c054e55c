//! Definitions: modules, functions with all their clauses, attributes, types, structs and tests.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tree_sitter::Node;

use super::literal::{as_atom, atom, string};
use super::parse::{join, span};
use super::reader::{ElixirReader, Module, Pending, VisitMode, VisitTask};
use super::{
    Basis, Definition, DefinitionKind, InjectedDefinition, InjectedModule, InjectedRoot, ReferenceKind,
};
use crate::source::Span;

/// Macros of much used packages that define functions as `def` and `defp` do.
const DEFINERS: [&str; 8] =
    ["defn", "defnp", "deftransform", "deftransformp", "defmemo", "defmemop", "defcached", "defcachedp"];

/// What begins with `def` and is read in another way, or defines no function.
const NOT_BY_FORM: [&str; 14] = [
    "def",
    "defp",
    "defmacro",
    "defmacrop",
    "defguard",
    "defguardp",
    "defdelegate",
    "defmodule",
    "defprotocol",
    "defimpl",
    "defstruct",
    "defexception",
    "defoverridable",
    "default",
];

impl<'t> ElixirReader<'t> {
    /// An expression in the body of a module or file.
    pub(super) fn statement(&mut self, node: Node<'t>) {
        match node.kind() {
            "source" => return self.visit_children(node, VisitMode::Statement),
            "comment" => return self.comment(node),
            "unary_operator" if self.operator(node) == Some("@") && self.quotes == 0 => {
                if let Some(call) = node.child_by_field_name("operand").filter(|o| o.kind() == "call") {
                    return self.attribute(node, call);
                }
            }
            "call" if self.declares_component(node) => return,
            "call" => {
                self.call(node, VisitMode::Expression);
                self.module().pending = Pending::default();
                return;
            }
            "stab_clause" | "after_block" | "rescue_block" | "catch_block" | "else_block" | "ERROR" => {}
            _ => self.module().pending = Pending::default(),
        }
        self.tasks.push(VisitTask::Visit(node, VisitMode::Expression));
    }

    /// Adds what is said of the function that follows.
    pub(super) fn declare(&mut self, at: Span) {
        let pending = &mut self.module().pending;
        pending.extend(at);
        pending.declares = true;
    }

    /// A comment belongs to the definition that follows on the next line.
    fn comment(&mut self, node: Node<'t>) {
        let at = span(node);
        self.module().pending.extend(at);
    }

    /// If the call of `name` defines something, records that, goes on inside and returns `true`.
    pub(super) fn definition(
        &mut self,
        node: Node<'t>,
        name: &'t str,
        arguments: &[Node<'t>],
        block: Option<Node<'t>>,
    ) -> bool {
        use DefinitionKind::{Delegate, Function, Guard, Implementation, Macro, Module, Protocol, Test};
        let quoted = self.quotes > 0;
        match (name, arguments) {
            // Quoted functions are defined elsewhere, but their parameters are bound all the same.
            ("defstruct" | "defexception", [_, ..]) if quoted => {
                let (kind, name, arity) = match name {
                    "defstruct" => (DefinitionKind::Struct, "__struct__", 0),
                    _ => (DefinitionKind::Exception, "exception", 1),
                };
                self.inject(node, kind, true, name, arity, 0);
                return false;
            }
            ("defmodule", [name, ..]) if quoted => self.inject_module(node, *name, arguments, block),
            _ if quoted
                && !matches!(
                    name,
                    "def" | "defp" | "defmacro" | "defmacrop" | "defguard" | "defguardp" | "defdelegate"
                ) =>
            {
                return false;
            }
            ("defmodule", [name, ..]) => self.define_module(node, Module, *name, arguments, block),
            ("defprotocol", [name, ..]) => self.define_module(node, Protocol, *name, arguments, block),
            ("defimpl", [name, ..]) => self.define_module(node, Implementation, *name, arguments, block),
            ("def", [head, rest @ ..]) => self.define_function(node, Function, true, *head, rest, block),
            ("defp", [head, rest @ ..]) => self.define_function(node, Function, false, *head, rest, block),
            ("defmacro", [head, rest @ ..]) => self.define_function(node, Macro, true, *head, rest, block),
            ("defmacrop", [head, rest @ ..]) => self.define_function(node, Macro, false, *head, rest, block),
            ("defguard", [head, rest @ ..]) => self.define_function(node, Guard, true, *head, rest, block),
            ("defguardp", [head, rest @ ..]) => self.define_function(node, Guard, false, *head, rest, block),
            // The form of old: a list of heads.
            ("defdelegate", [heads, rest @ ..]) if heads.kind() == "list" => {
                for head in self.children(*heads) {
                    self.define_function(node, Delegate, true, head, rest, block);
                }
            }
            ("defdelegate", [head, rest @ ..]) => {
                self.define_function(node, Delegate, true, *head, rest, block)
            }
            ("defstruct", [fields, ..]) => self.define_struct(node, DefinitionKind::Struct, *fields),
            ("defexception", [fields, ..]) => self.define_struct(node, DefinitionKind::Exception, *fields),
            ("test" | "property", [text, rest @ ..]) if self.functions == 0 => {
                self.define_test(node, Test, *text, rest, block)
            }
            (_, [head, rest @ ..]) if self.is_definition_by_form(name, *head, rest, block) => {
                let public = !name.ends_with('p');
                let arity = arguments.len() + usize::from(block.is_some());
                // The macro is called in the body of the module.
                if let Some(target) = node.child_by_field_name("target") {
                    self.local(target, name, arity);
                }
                let count = self.facts.definitions.len();
                self.define_function(node, Function, public, *head, rest, block);
                if !DEFINERS.contains(&name)
                    && let Some(definition) = self.facts.definitions.get_mut(count)
                {
                    definition.guessed = true;
                }
            }
            ("describe", [text, rest @ ..]) if self.functions == 0 && block.is_some() => {
                self.define_test(node, DefinitionKind::Describe, *text, rest, block)
            }
            _ => return false,
        }
        true
    }

    /// Whether a call of a macro of an unknown module defines a function: it is named `def...`, and is given a head and a body
    /// as `def` is.
    fn is_definition_by_form(
        &mut self,
        name: &'t str,
        head: Node<'t>,
        rest: &[Node<'t>],
        block: Option<Node<'t>>,
    ) -> bool {
        if !name.starts_with("def") || NOT_BY_FORM.contains(&name) || self.functions > 0 {
            return false;
        }
        let call = match self.operator(head) {
            Some("when") => head.child_by_field_name("left"),
            _ => Some(head),
        };
        let is_head = call.is_some_and(|call| {
            let target = call.child_by_field_name("target");
            call.kind() == "call" && target.is_some_and(|target| target.kind() == "identifier")
        });
        let options = self.pairs(rest);
        let has_body = block.is_some() || options.iter().any(|(key, _)| *key == "do");
        // Of what is known, a head is enough: it declares defaults.
        is_head && (has_body || (rest.is_empty() && DEFINERS.contains(&name)))
    }

    /// The definition of the module around.
    pub(super) fn module_definition(&mut self) -> Option<u32> {
        self.module().definition
    }

    fn define_module(
        &mut self,
        node: Node<'t>,
        kind: DefinitionKind,
        written: Node<'t>,
        arguments: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        let options = self.pairs(&arguments[1..]);
        let outer = self.module().name.clone();
        let mut fields = Vec::new();
        let mut protocols = Vec::new();
        let mut attributes = FxHashMap::default();
        let name = match kind {
            DefinitionKind::Implementation => {
                // `for protocol <- [Inspect, String.Chars] do defimpl protocol, ...`
                protocols =
                    self.module_of(written).map_or_else(|| self.looped_targets(written), |one| vec![one]);
                let protocol = protocols.first().cloned();
                if let Some(protocol) = &protocol {
                    fields.push(protocol.clone());
                    attributes.insert("protocol", protocol.clone());
                }
                let targets = match options.iter().find(|(key, _)| *key == "for") {
                    Some((_, list)) if list.kind() == "list" => self.children(*list),
                    Some((_, target)) => vec![*target],
                    None => Vec::new(),
                };
                for target in targets {
                    match self.module_of(target) {
                        Some(module) => fields.push(module),
                        // `for target <- [Integer, Float] do defimpl ..., for: target`
                        None => fields.extend(self.looped_targets(target)),
                    }
                }
                if fields.len() < 2 {
                    fields.extend(outer);
                }
                if let [_, target] = &fields[..] {
                    attributes.insert("for", target.clone());
                }
                protocol
                    .zip(fields.get(1))
                    .map(|(protocol, target)| as_atom(&format!("{protocol}.{target}")).into())
            }
            _ => match outer {
                Some(outer) if written.kind() == "alias" && !self.text(written).starts_with("Elixir.") => {
                    let inner = self.text(written);
                    let first = inner.split('.').next().unwrap_or(inner).trim();
                    self.alias(first, as_atom(&format!("{outer}.{first}")).into());
                    Some(as_atom(&format!("{outer}.{inner}")).into())
                }
                _ => self.module_of(written),
            },
        };
        let definition = name.clone().map(|module: Arc<str>| {
            let last = module.rsplit('.').next().unwrap_or(&module).into();
            let pending = std::mem::take(&mut self.module().pending);
            let mut definition = self.blank(kind, module, last, None, self.extent(node), pending);
            definition.doc = None;
            definition.fields = fields.clone();
            self.record(definition)
        });
        let outer_functions = std::mem::take(&mut self.functions);
        self.modules.push(Module { name, definition, attributes, outer_functions, ..Module::default() });
        self.owners.push(definition);
        for protocol in protocols {
            self.reference(ReferenceKind::Implements, written, Some(protocol), "", None, Basis::Written);
        }
        self.scopes.enter(self.extent(node).end as usize);
        self.tasks.extend([VisitTask::LeaveModule, VisitTask::LeaveScope]);
        self.visit_all(block, VisitMode::Expression);
        for (key, value) in options {
            if key == "do" {
                self.tasks.push(VisitTask::Visit(value, VisitMode::Statement));
            }
        }
    }

    pub(super) fn leave_module(&mut self) {
        let Some(module) = self.modules.pop() else { return };
        self.owners.pop();
        self.functions = module.outer_functions;
        self.settle_through(&module.returns, module.through);
        let Some(name) = module.name else { return };
        self.settle_framework(&name, &module.framework);
        for ((function, arity), specs) in module.specs {
            let key = (name.clone(), self.intern(function), arity);
            if let Some(index) = self.callables.get(&key) {
                self.facts.definitions[*index as usize].spec = Some(specs.join("\n").into());
            }
        }
    }

    fn define_function(
        &mut self,
        node: Node<'t>,
        kind: DefinitionKind,
        public: bool,
        head: Node<'t>,
        rest: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        let (call, guard) = match self.operator(head) {
            Some("when") => (head.child_by_field_name("left"), head.child_by_field_name("right")),
            _ => (Some(head), None),
        };
        let (name, parameters) = call.map_or((None, Vec::new()), |call| self.head(call));
        let index = match (name, self.module().name.clone(), u8::try_from(parameters.len())) {
            (Some(name), Some(module), Ok(arity)) if self.quotes == 0 => {
                let defaults =
                    parameters.iter().filter(|parameter| self.operator(**parameter) == Some("\\\\")).count();
                Some(self.clause(node, kind, public, (module, name, arity), defaults as u8, head))
            }
            _ => None,
        };
        if let (Some(name), Ok(arity)) = (name, u8::try_from(parameters.len())) {
            let defaults =
                parameters.iter().filter(|parameter| self.operator(**parameter) == Some("\\\\")).count();
            self.inject(node, kind, public, name, arity, defaults as u8);
        } else if name.is_none() {
            self.inject(node, kind, public, "", 0, 0);
        }
        if kind == DefinitionKind::Macro && self.quotes == 0 {
            self.macro_parameters = parameters.iter().map(|parameter| self.text(*parameter)).collect();
        }
        self.owners.push(index.or(self.owner()));
        self.functions += 1;
        if let Some((index, name)) = index.zip(name) {
            self.framework_function(index, name, &parameters, rest, block);
        }
        if self.quotes == 0 {
            self.hold_function(name, &parameters, rest, block);
        }
        if kind == DefinitionKind::Delegate {
            let options = self.pairs(rest);
            let option =
                |wanted: &str| options.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
            let target = option("to").and_then(|to| self.module_of(to));
            let function = option("as").and_then(|name| atom(name, self.source)).or(name);
            if let (Some(target), Some(function), Ok(arity)) =
                (target, function, u8::try_from(parameters.len()))
            {
                self.reference(
                    ReferenceKind::Call,
                    head,
                    Some(target),
                    function,
                    Some(arity),
                    Basis::Written,
                );
            }
        }
        // A quoted function sees, by `unquote`, the variables around the quote.
        let outer = (self.quotes == 0).then(|| self.scopes.isolate());
        self.scopes.enter(self.extent(node).end as usize);
        self.tasks.extend([VisitTask::LeaveFunction(outer), VisitTask::LeaveScope]);
        self.visit_all(block, VisitMode::Expression);
        if kind != DefinitionKind::Delegate {
            self.visit_list(rest, VisitMode::Expression);
        }
        self.visit_all(guard, VisitMode::Expression);
        self.visit_list(&parameters, VisitMode::Pattern);
        // In `def unquote(name(x))(y)` the name is computed.
        let computed = call.and_then(|call| call.child_by_field_name("target"));
        self.visit_all(computed.filter(|target| target.kind() == "call"), VisitMode::Expression);
    }

    /// Records a module that quoted code defines where it is used, and goes on inside.
    fn inject_module(
        &mut self,
        node: Node<'t>,
        written: Node<'t>,
        arguments: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        let within = self.injected_module(written);
        self.quoted_modules.push(within);
        self.inject(node, DefinitionKind::Module, true, "", 0, 0);
        self.scopes.enter(self.extent(node).end as usize);
        self.tasks.extend([VisitTask::LeaveQuotedModule, VisitTask::LeaveScope]);
        self.visit_all(block, VisitMode::Expression);
        self.visit_list(&arguments[1..], VisitMode::Expression);
        self.visit_all((written.kind() != "alias").then_some(written), VisitMode::Expression);
    }

    /// What is known of the name of a module that quoted code defines.
    fn injected_module(&mut self, written: Node<'t>) -> Option<InjectedModule> {
        let text = self.text(written);
        let around = self.quoted_modules.last().cloned();
        let (root, path) = match written.kind() {
            "alias" => match (text.strip_prefix("Elixir."), around) {
                (Some(absolute), _) => (InjectedRoot::Absolute, absolute.into()),
                (None, None) => (InjectedRoot::User, text.into()),
                (None, Some(around)) => {
                    let InjectedModule { root, path } = around?;
                    let path = if path.is_empty() { text.into() } else { format!("{path}.{text}").into() };
                    (root, path)
                }
            },
            "dot" if text.starts_with("__MODULE__.") && around.is_none() => {
                (InjectedRoot::User, text.trim_start_matches("__MODULE__.").into())
            }
            "call" => {
                let target = written.child_by_field_name("target")?;
                match (self.text(target), &self.arguments(written)[..]) {
                    ("unquote", [name])
                        if name.kind() == "identifier" && self.text(*name) != "__MODULE__" =>
                    {
                        let name = self.text(*name);
                        let number = self.macro_parameters.iter().position(|known| *known == name)?;
                        (InjectedRoot::Argument(u8::try_from(number).ok()?), "".into())
                    }
                    ("Module.concat", [module, name])
                        if self.text(*module) == "__MODULE__"
                            && name.kind() == "alias"
                            && around.is_none() =>
                    {
                        (InjectedRoot::User, self.text(*name).into())
                    }
                    _ => (InjectedRoot::Absolute, self.module_of(written)?),
                }
            }
            _ => (InjectedRoot::Absolute, self.module_of(written)?),
        };
        Some(InjectedModule { root, path })
    }

    /// Records what quoted code defines where it is used.
    fn inject(
        &mut self,
        node: Node<'t>,
        kind: DefinitionKind,
        public: bool,
        name: &'t str,
        arity: u8,
        defaults: u8,
    ) {
        let Some(injected_by) = self.owner().filter(|_| self.quotes > 0) else { return };
        let within = match self.quoted_modules.last() {
            // Nobody could look it up.
            Some(None) => return,
            Some(known) => known.clone(),
            None => None,
        };
        let same = |last: &InjectedDefinition| {
            (&*last.name, last.arity, last.injected_by, &last.within, last.kind)
                == (name, arity, injected_by, &within, kind)
        };
        if self.facts.injected_definitions.last().is_some_and(same) {
            return;
        }
        let (name, span) = (self.intern(name), self.extent(node));
        let injected = InjectedDefinition { kind, name, arity, defaults, public, span, injected_by, within };
        self.facts.injected_definitions.push(injected);
    }

    /// Name and parameters of a function's head; no name where only running the code would tell it.
    fn head(&mut self, head: Node<'t>) -> (Option<&'t str>, Vec<Node<'t>>) {
        match head.kind() {
            "identifier" => (Some(self.text(head)), Vec::new()),
            "call" => {
                let target =
                    head.child_by_field_name("target").filter(|target| target.kind() == "identifier");
                let name = target.map(|target| self.text(target)).filter(|name| *name != "unquote");
                let is_unquote = target.is_some() && name.is_none();
                (name, if is_unquote { Vec::new() } else { self.arguments(head) })
            }
            "binary_operator" | "unary_operator" => {
                let operands = ["left", "right", "operand"];
                let operands = operands.iter().filter_map(|field| head.child_by_field_name(field)).collect();
                (self.operator(head), operands)
            }
            _ => (None, Vec::new()),
        }
    }

    /// Adds one clause to its function, which may be new. Returns the function's index.
    pub(super) fn clause(
        &mut self,
        node: Node<'t>,
        kind: DefinitionKind,
        public: bool,
        (module, name, arity): (Arc<str>, &'t str, u8),
        defaults: u8,
        head: Node<'t>,
    ) -> u32 {
        let name = self.intern(as_atom(name));
        let key = (module.clone(), name.clone(), arity);
        let pending = std::mem::take(&mut self.module().pending);
        let last = self.module().last;
        let at = self.extent(node);
        let Some(index) = self.callables.get(&key).copied() else {
            let mut definition = self.blank(kind, module, name, Some(arity), at, pending);
            definition.public = public;
            definition.defaults = defaults;
            definition.signature = self.signature(head);
            let index = self.record(definition);
            self.callables.insert(key, index);
            return index;
        };
        let definition = &mut self.facts.definitions[index as usize];
        definition.clauses.push(at);
        definition.defaults = definition.defaults.max(defaults);
        definition.doc = definition.doc.take().or(pending.doc);
        if last == Some(index) {
            definition.span = join(definition.span, at);
        }
        self.module().last = Some(index);
        index
    }

    /// The text of a head. Where heads hold other functions, all of them together may be no longer than the file.
    fn signature(&mut self, head: Node<'t>) -> Option<Arc<str>> {
        let text = self.text(head);
        self.heads = self.heads.saturating_add(text.len());
        (self.heads <= self.source.len()).then(|| text.into())
    }

    fn define_struct(&mut self, node: Node<'t>, kind: DefinitionKind, written: Node<'t>) {
        let Some(module) = self.module().name.clone() else { return };
        let mut fields: Vec<Arc<str>> = Vec::new();
        let mut open = vec![written];
        while let Some(part) = open.pop() {
            match part.kind() {
                "list" | "keywords" => {
                    let first = open.len();
                    open.extend(self.children(part));
                    open[first..].reverse();
                }
                "pair" => fields.extend(self.key(part).map(Arc::from)),
                "atom" => fields.extend(atom(part, self.source).map(Arc::from)),
                _ => {}
            }
        }
        let (name, arity) = if kind == DefinitionKind::Struct { ("__struct__", 0) } else { ("exception", 1) };
        let pending = std::mem::take(&mut self.module().pending);
        let mut definition = self.blank(kind, module, name.into(), Some(arity), self.extent(node), pending);
        definition.fields = fields;
        definition.doc = None;
        let index = self.record(definition);
        self.owners.push(Some(index));
        // What is left to do for a struct is what is left for a function without parameters.
        self.functions += 1;
        let outer = Some(self.scopes.isolate());
        self.tasks.push(VisitTask::LeaveFunction(outer));
        self.visit_all([written], VisitMode::Expression);
    }

    fn define_test(
        &mut self,
        node: Node<'t>,
        kind: DefinitionKind,
        text: Node<'t>,
        rest: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        let is_describe = kind == DefinitionKind::Describe;
        // The name of a test is an atom.
        let title: Option<Arc<str>> = string(text, self.source).map(|title| as_atom(&title).into());
        let index = match (&title, self.module().name.clone()) {
            (Some(title), Some(module)) => {
                let name = match self.module().describe.clone() {
                    Some(outer) if !is_describe => as_atom(&format!("{outer} {title}")).into(),
                    _ => title.clone(),
                };
                let pending = std::mem::take(&mut self.module().pending);
                let definition = self.blank(kind, module, name, None, self.extent(node), pending);
                Some(self.record(definition))
            }
            _ => None,
        };
        self.owners.push(index.or(self.owner()));
        if is_describe {
            let outer = std::mem::replace(&mut self.module().describe, title);
            self.tasks.push(VisitTask::LeaveDescribe(outer));
            return self.visit_all(block, VisitMode::Expression);
        }
        self.functions += 1;
        let outer = Some(self.scopes.isolate());
        self.scopes.enter(self.extent(node).end as usize);
        self.tasks.extend([VisitTask::LeaveFunction(outer), VisitTask::LeaveScope]);
        self.visit_all(block, VisitMode::Expression);
        self.visit_list(rest, if block.is_some() { VisitMode::Pattern } else { VisitMode::Expression });
        self.visit_all([text], VisitMode::Expression);
    }

    fn attribute(&mut self, node: Node<'t>, call: Node<'t>) {
        let name = call.child_by_field_name("target").map_or("", |target| self.text(target));
        let arguments = self.arguments(call);
        let Some(value) = arguments.first().copied() else { return };
        let at = span(node);
        match name {
            "moduledoc" => {
                self.documentation(value, true);
                let doc = string(value, self.source).map(Arc::from);
                if let Some(index) = self.module().definition {
                    self.facts.definitions[index as usize].doc = doc;
                }
                self.module().pending = Pending::default();
            }
            "doc" | "typedoc" => {
                self.documentation(value, false);
                self.module().pending.extend(at);
                if let Some(doc) = string(value, self.source) {
                    self.module().pending.doc = Some(doc.into());
                }
            }
            "spec" => {
                self.module().pending.extend(at);
                let (function, arity) = self.typed(value);
                if let (Some(function), Some(arity)) = (function, arity) {
                    let text = self.text(value);
                    self.module().specs.entry((function, arity)).or_default().push(text);
                    self.spec_types(function, arity, value);
                }
            }
            "type" | "typep" | "opaque" => {
                self.define_type(node, DefinitionKind::Type, name != "typep", value)
            }
            "callback" | "macrocallback" => self.define_type(node, DefinitionKind::Callback, true, value),
            "behaviour" | "before_compile" => {
                self.commit_to(name, value);
                self.module().pending = Pending::default();
            }
            // Said of what follows.
            "impl" | "deprecated" | "since" | "tag" | "dialyzer" | "enforce_keys" | "decorate" => {
                self.module().pending.extend(at);
                self.visit_list(&arguments, VisitMode::Expression);
            }
            "derive" => {
                self.module().pending.extend(at);
                self.derive(value);
            }
            // Read by Elixir or ExUnit.
            "moduletag" | "describetag" | "compile" | "after_compile" | "after_verify"
            | "external_resource" | "on_load" | "optional_callbacks" | "fallback_to_any" | "vsn" | "file"
            | "on_definition" | "nifs" => {
                self.module().pending = Pending::default();
                self.visit_list(&arguments, VisitMode::Expression);
            }
            _ => self.define_attribute(node, name, value),
        }
    }

    /// `@behaviour Mod`, and `@before_compile Mod`, which calls a macro of `Mod` when the module is about to be compiled.
    pub(super) fn commit_to(&mut self, name: &'t str, value: Node<'t>) {
        let named = match value.kind() {
            "tuple" => self.children(value).first().copied().unwrap_or(value),
            _ => value,
        };
        match (name, self.module_of(named)) {
            ("behaviour", Some(module)) => {
                self.reference(ReferenceKind::Behaviour, value, Some(module), "", None, Basis::Written);
            }
            ("before_compile", Some(module)) => {
                let (name, kind) = ("__before_compile__", ReferenceKind::Call);
                self.reference(kind, value, Some(module), name, Some(1), Basis::Convention);
            }
            _ => self.visit_all([value], VisitMode::Expression),
        }
    }

    fn define_attribute(&mut self, node: Node<'t>, name: &'t str, value: Node<'t>) {
        let pending = std::mem::take(&mut self.module().pending);
        match self.module_of(value) {
            Some(held) => drop(self.module().attributes.insert(name, held)),
            None => {
                let values = self.may_be(value);
                if !values.is_empty() {
                    self.module().values.insert(name, values);
                }
            }
        }
        let mut owner = self.owner();
        if let Some(module) = self.module().name.clone() {
            let name = self.intern(name);
            let mut definition =
                self.blank(DefinitionKind::Attribute, module, name, None, span(node), pending);
            definition.public = false;
            owner = Some(self.record(definition));
        }
        self.owners.push(owner);
        self.functions += 1;
        let outer = Some(self.scopes.isolate());
        self.tasks.push(VisitTask::LeaveFunction(outer));
        self.visit_all([value], VisitMode::Expression);
    }

    fn define_type(&mut self, node: Node<'t>, kind: DefinitionKind, public: bool, value: Node<'t>) {
        let pending = std::mem::take(&mut self.module().pending);
        let (Some(name), Some(arity)) = self.typed(value) else { return };
        let Some(module) = self.module().name.clone() else { return };
        let name = self.intern(name);
        let mut definition = self.blank(kind, module, name, Some(arity), span(node), pending);
        definition.public = public;
        definition.spec = Some(self.text(value).into());
        let index = self.record(definition);
        self.types(Some(index), value);
    }

    /// Name and arity of what a spec, type or callback is about.
    fn typed(&mut self, value: Node<'t>) -> (Option<&'t str>, Option<u8>) {
        let mut head = value;
        while let Some("when" | "::") = self.operator(head)
            && let Some(left) = head.child_by_field_name("left")
        {
            head = left;
        }
        let (name, parameters) = self.head(head);
        (name, u8::try_from(parameters.len()).ok())
    }

    fn blank(
        &mut self,
        kind: DefinitionKind,
        module: Arc<str>,
        name: Arc<str>,
        arity: Option<u8>,
        at: Span,
        pending: Pending,
    ) -> Definition {
        let mut whole = pending;
        whole.extend(at);
        Definition {
            kind,
            module,
            name,
            arity,
            defaults: 0,
            public: true,
            span: whole.span.unwrap_or(at),
            clauses: vec![at],
            doc: whole.doc,
            spec: None,
            fields: Vec::new(),
            signature: None,
            guessed: false,
        }
    }

    fn record(&mut self, definition: Definition) -> u32 {
        let index = self.facts.definitions.len() as u32;
        self.facts.definitions.push(definition);
        let module = self.module();
        module.last = Some(index);
        module.framework.defined.push(index);
        index
    }
}
