//! References: calls, captures, directives and modules that are named.

use std::sync::Arc;

use tree_sitter::Node;

use super::framework::{CallSite, put_before};
use super::literal::{as_atom, atom, string};
use super::parse::span;
use super::reader::{ElixirReader, VisitMode, VisitTask, arity};
use super::{Basis, ImportDirective, InjectedAlias, ReferenceKind};
use crate::source::Span;

/// Special forms, and the macros that only define or steer: no project function is meant by them.
#[rustfmt::skip]
const NO_REFERENCE: [&str; 27] = [
    "and", "case", "cond", "def", "defdelegate", "defexception", "defguard", "defguardp", "defimpl", "defmacro",
    "defmacrop", "defmodule", "defoverridable", "defp", "defprotocol", "defstruct", "for", "if", "in", "not", "or",
    "receive", "super", "try", "unless", "when", "with",
];

/// What stands behind `::` in a bitstring and takes arguments.
const SEGMENTS: [&str; 2] = ["size", "unit"];

/// What `Ecto.Query.API` gives to queries. Sorted.
#[rustfmt::skip]
const QUERY_WORDS: [&str; 42] = [
    "ago", "all", "any", "as", "avg", "coalesce", "count", "cume_dist", "date_add", "datetime_add", "dense_rank", "exists",
    "field", "filter", "first_value", "fragment", "from_now", "ilike", "is_nil", "json_extract_path", "lag", "last_value",
    "lead", "like", "map", "max", "merge", "min", "nth_value", "ntile", "over", "parent_as", "percent_rank", "rank",
    "row_number", "selected_as", "splice", "struct", "sum", "type", "values", "windows",
];

/// ExUnit's assertions whose first argument is a pattern.
const RECEIVES: [&str; 4] = ["assert_receive", "assert_received", "refute_receive", "refute_received"];

/// Kernel's macros whose first argument is a path into a structure.
const PATHS: [&str; 4] = ["get_and_update_in", "pop_in", "put_in", "update_in"];

/// Names with more parts are not looked at.
const MAX_DOTS: usize = 64;

/// An attribute is looked for in so many modules around.
const MOST_AROUND: usize = 64;

/// So many references of a file may come of loops over modules.
const MOST_LOOPED: usize = 10_000;

impl<'t> ElixirReader<'t> {
    pub(super) fn call(&mut self, node: Node<'t>, mode: VisitMode) {
        let Some(target) = node.child_by_field_name("target") else {
            return self.visit_children(node, VisitMode::Expression);
        };
        match target.kind() {
            "identifier" => self.local_call(node, target, mode),
            "dot" => self.remote_call(node, target, mode),
            _ => self.visit_children(node, VisitMode::Expression),
        }
    }

    fn local_call(&mut self, node: Node<'t>, target: Node<'t>, mode: VisitMode) {
        let name = self.text(target);
        let arguments = self.arguments(node);
        let block = self.do_block(node);
        match name {
            "unquote" | "unquote_splicing" => {
                // Outside of a quote it stands in a function that code around it makes: its variables are that code's.
                let fragment = self.quotes == 0;
                let seen =
                    arguments.into_iter().filter(|argument| !fragment || argument.kind() != "identifier");
                // It runs when the module is compiled, so it is the module that calls.
                let compiles = fragment && self.functions > 0;
                if compiles {
                    self.tasks.push(VisitTask::LeaveOwner);
                }
                self.tasks.push(VisitTask::Quotes(self.quotes));
                self.visit_all(seen, VisitMode::Expression);
                self.tasks.push(VisitTask::Quotes(0));
                if compiles {
                    let owner = self.module_definition();
                    self.tasks.push(VisitTask::EnterOwner(owner));
                }
                return;
            }
            "quote" => return self.quote(&arguments, block),
            "alias" | "import" | "require" | "use" => return self.directive(node, name, &arguments),
            _ if self.definition(node, name, &arguments, block) => return,
            _ => {
                let (arguments, remote) = (&arguments[..], None);
                let call = CallSite { node, site: target, name, remote, arguments, block, mode };
                if self.framework_call(&call) {
                    return;
                }
            }
        }
        let is_type = mode == VisitMode::Segment && SEGMENTS.contains(&name);
        let is_query = self.in_query && QUERY_WORDS.binary_search(&name).is_ok();
        if !NO_REFERENCE.contains(&name) && !is_type && !is_query {
            let count =
                arguments.len() + usize::from(block.is_some()) + usize::from(mode == VisitMode::Piped);
            self.local(target, name, count);
        }
        if let ("if" | "unless", [condition], Some(block)) = (name, &arguments[..], block)
            && self.functions == 0
            && let Some(holds) = self.usual(*condition)
        {
            return self.choose(node, block, holds == (name == "if"));
        }
        if name == "for" && self.functions == 0 {
            self.loop_over(&arguments);
        }
        // What these bind is seen only in themselves.
        if matches!(name, "for" | "with" | "match?" | "setup" | "setup_all") {
            self.scopes.enter(node.end_byte());
            self.tasks.push(VisitTask::LeaveScope);
        }
        self.visit_all(block, if name == "cond" { VisitMode::Conditions } else { VisitMode::Expression });
        match (name, arguments.split_first()) {
            ("match?" | "destructure", Some((pattern, rest))) if !rest.is_empty() => {
                self.visit_list(rest, VisitMode::Expression);
                self.visit_all([*pattern], VisitMode::Pattern);
            }
            (name, Some((pattern, rest))) if RECEIVES.contains(&name) => {
                self.visit_list(rest, VisitMode::Expression);
                self.visit_all([*pattern], VisitMode::Pattern);
            }
            ("setup" | "setup_all", Some((first, rest))) if block.is_some() || !rest.is_empty() => {
                self.visit_list(rest, VisitMode::Expression);
                self.visit_all([*first], VisitMode::Pattern);
            }
            ("setup" | "setup_all", Some((first, []))) => self.callbacks(*first),
            (name, Some((path, rest))) if PATHS.contains(&name) && mode != VisitMode::Piped => {
                self.visit_list(rest, VisitMode::Expression);
                self.fetched_path(*path);
            }
            _ => self.visit_list(&arguments, inner(mode)),
        }
        self.named_functions(&arguments, 0);
        self.renders(node, None, name, &arguments);
    }

    fn remote_call(&mut self, node: Node<'t>, dot: Node<'t>, mode: VisitMode) {
        let arguments = self.arguments(node);
        let block = self.do_block(node);
        let Some(left) = dot.child_by_field_name("left") else { return };
        let name = dot.child_by_field_name("right").map(|right| self.name(right));
        // The name in `Mod.unquote(name)()` is known when the module is compiled.
        if name == Some("unquote") {
            self.tasks.push(VisitTask::Quotes(self.quotes));
            self.visit_list(&arguments, VisitMode::Expression);
            self.tasks.push(VisitTask::Quotes(0));
            return self.visit_all([left], VisitMode::Expression);
        }
        match (self.module_of(left), name) {
            (Some(module), Some(name)) => {
                let count =
                    arguments.len() + usize::from(block.is_some()) + usize::from(mode == VisitMode::Piped);
                let site = dot.child_by_field_name("right").unwrap_or(dot);
                let before = put_before(&module, name);
                self.reference(
                    ReferenceKind::Call,
                    site,
                    Some(module.clone()),
                    name,
                    arity(count),
                    Basis::Written,
                );
                self.named_functions(&arguments, before);
                self.renders(node, Some(module.clone()), name, &arguments);
                let (arguments, remote) = (&arguments[..], Some(module));
                let call = CallSite { node, site, name, remote, arguments, block, mode };
                if self.framework_call(&call) {
                    return;
                }
                self.visit_all(block, VisitMode::Expression);
                self.visit_list(arguments, inner(mode));
            }
            (_, name) => {
                let count =
                    arguments.len() + usize::from(block.is_some()) + usize::from(mode == VisitMode::Piped);
                for module in self.looped(left) {
                    let (name, kind) = (name.unwrap_or_default(), ReferenceKind::Call);
                    self.reference(kind, dot, Some(module), name, arity(count), Basis::Written);
                }
                if let Some(name) = name {
                    let site = dot.child_by_field_name("right").unwrap_or(dot);
                    self.call_through(left, site, name, arity(count));
                }
                self.visit_all(block, VisitMode::Expression);
                self.visit_list(&arguments, inner(mode));
                self.visit_all([left], VisitMode::Expression);
            }
        }
    }

    /// Remembers the modules of `for module <- [A, B]`.
    fn loop_over(&mut self, arguments: &[Node<'t>]) {
        for generator in arguments {
            if self.operator(*generator) != Some("<-") {
                continue;
            }
            let (variable, list) =
                (generator.child_by_field_name("left"), generator.child_by_field_name("right"));
            if let (Some(variable), Some(list)) = (variable, list.filter(|list| list.kind() == "list")) {
                let members = self.children(list);
                let modules: Option<Vec<_>> =
                    members.into_iter().map(|member| self.module_of(member)).collect();
                self.loops.insert(self.text(variable), modules.unwrap_or_default());
            }
        }
    }

    /// The modules that a variable of a loop stands for, as it is or unquoted.
    pub(super) fn looped_targets(&mut self, node: Node<'t>) -> Vec<Arc<str>> {
        match node.kind() {
            "identifier" => self.loops.get(self.text(node)).cloned().unwrap_or_default(),
            _ => self.looped(node),
        }
    }

    /// The modules that `unquote(variable)` stands for in what a loop defines.
    fn looped(&mut self, node: Node<'t>) -> Vec<Arc<str>> {
        let unquote = node.child_by_field_name("target").filter(|target| self.text(*target) == "unquote");
        match (unquote, &self.arguments(node)[..]) {
            (Some(_), [variable]) if self.quotes == 0 => {
                let modules = self.loops.get(self.text(*variable)).map_or(&[][..], Vec::as_slice);
                self.looped = self.looped.saturating_add(modules.len());
                if self.looped <= MOST_LOOPED { modules.to_vec() } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    /// `&fun/1` and `&Mod.fun/1` are references; any other capture is code like any other.
    pub(super) fn capture(&mut self, node: Node<'t>) {
        let operand = self.children(node).first().copied();
        if let Some(operand) = operand.filter(|operand| self.operator(*operand) == Some("/"))
            && let Some(left) = operand.child_by_field_name("left")
            && let Some(right) = operand.child_by_field_name("right").filter(|n| n.kind() == "integer")
            && let Ok(count) = self.text(right).parse::<usize>()
        {
            if matches!(left.kind(), "identifier" | "operator_identifier") {
                return self.local(left, self.text(left), count);
            }
            let dot = left.child_by_field_name("target").filter(|target| target.kind() == "dot");
            if let Some(dot) = dot.filter(|_| self.arguments(left).is_empty())
                && let (Some(module), Some(name)) =
                    (dot.child_by_field_name("left"), dot.child_by_field_name("right"))
            {
                return match self.module_of(module) {
                    Some(resolved) => {
                        let text = self.name(name);
                        self.reference(
                            ReferenceKind::Call,
                            name,
                            Some(resolved),
                            text,
                            arity(count),
                            Basis::Written,
                        );
                    }
                    None => {
                        let text = self.name(name);
                        self.call_through(module, name, text, arity(count));
                        self.visit_all([module], VisitMode::Expression);
                    }
                };
            }
        }
        self.visit_children(node, VisitMode::Expression);
    }

    /// `target[key]` is `Access.get(target, key)`.
    pub(super) fn access(&mut self, node: Node<'t>) {
        let site = node.child_by_field_name("key").unwrap_or(node);
        self.reference(ReferenceKind::Call, site, Some("Access".into()), "get", Some(2), Basis::Written);
        self.visit_children(node, VisitMode::Expression);
    }

    /// A condition on Elixir's version leaves out one of its branches.
    fn choose(&mut self, node: Node<'t>, block: Node<'t>, first: bool) {
        self.scopes.enter(node.end_byte());
        self.tasks.extend([VisitTask::LeaveScope, VisitTask::LeftOut(self.left_out)]);
        let mut parts = self.children(block);
        parts.reverse();
        for part in parts {
            let left_out = self.left_out || first == (part.kind() == "else_block");
            self.tasks.extend([VisitTask::Visit(part, VisitMode::Statement), VisitTask::LeftOut(left_out)]);
        }
    }

    /// `put_in(target[key], value)` takes its first argument apart: nothing in it is fetched.
    fn fetched_path(&mut self, mut node: Node<'t>) {
        while node.kind() == "access_call" {
            self.visit_all(node.child_by_field_name("key"), VisitMode::Expression);
            let Some(target) = node.child_by_field_name("target") else { return };
            node = target;
        }
        self.visit_all([node], VisitMode::Expression);
    }

    fn quote(&mut self, arguments: &[Node<'t>], block: Option<Node<'t>>) {
        let (mut quoted, mut evaluated) = (Vec::from_iter(block), Vec::new());
        for argument in arguments {
            let parts =
                if argument.kind() == "keywords" { self.children(*argument) } else { vec![*argument] };
            for part in parts {
                let is_body = self.key(part) == Some("do");
                if is_body { quoted.push(part) } else { evaluated.push(part) }
            }
        }
        self.tasks.push(VisitTask::Quotes(self.quotes));
        self.visit_list(&quoted, VisitMode::Expression);
        self.tasks.push(VisitTask::Quotes(self.quotes + 1));
        self.visit_list(&evaluated, VisitMode::Expression);
    }

    fn directive(&mut self, node: Node<'t>, name: &'t str, arguments: &[Node<'t>]) {
        let kind = match name {
            "alias" => ReferenceKind::Alias,
            "import" => ReferenceKind::Import,
            "require" => ReferenceKind::Require,
            _ => ReferenceKind::Use,
        };
        let Some((first, options)) = arguments.split_first() else { return };
        let options = self.pairs(options);
        for (site, module) in self.modules_of(*first) {
            self.reference(kind, site, Some(module.clone()), "", None, Basis::Written);
            self.framework_directive(kind, &module, arguments);
            match kind {
                ReferenceKind::Alias | ReferenceKind::Require => {
                    let named =
                        options.iter().find(|(key, _)| *key == "as").map(|(_, value)| self.text(*value));
                    // `require Mod` alone names nothing; `alias Mod` takes the last part.
                    let last =
                        (kind == ReferenceKind::Alias).then(|| self.text(site).rsplit('.').next()).flatten();
                    if let Some(short) = named.or(last.map(str::trim)) {
                        let short = if short == "__MODULE__" { last_part(&module) } else { short.to_owned() };
                        self.alias(&short, module);
                    }
                }
                ReferenceKind::Import => self.import(node, module, &options),
                _ => {
                    if let [which] = &arguments[1..]
                        && let Some(function) = atom(*which, self.source)
                    {
                        // `use MyAppWeb, :controller` by convention calls `MyAppWeb.controller/0`.
                        self.reference(
                            ReferenceKind::Call,
                            *which,
                            Some(module),
                            function,
                            Some(0),
                            Basis::Convention,
                        );
                    }
                }
            }
        }
        for (key, value) in options {
            if !matches!(key, "as" | "only" | "except" | "warn") {
                self.visit_all([value], VisitMode::Expression);
            }
        }
    }

    fn import(&mut self, node: Node<'t>, module: Arc<str>, options: &[(&'t str, Node<'t>)]) {
        let listed = |reader: &mut Self, wanted: &str| {
            let (_, list) = options.iter().find(|(key, value)| *key == wanted && value.kind() == "list")?;
            let pairs = reader.pairs(&[*list]);
            let mut names = Vec::new();
            for (name, value) in pairs {
                if let Ok(arity) = reader.text(value).parse() {
                    names.push((reader.intern(name), arity));
                }
            }
            Some(names)
        };
        let only = listed(self, "only");
        let except = listed(self, "except").unwrap_or_default();
        let scope = Span { end: self.scopes.end(self.source.len()) as u32, ..span(node) };
        let line_end = self.lines.at(scope.end);
        let injected_by = if self.quotes > 0 { self.owner() } else { None };
        self.facts.imports.push(ImportDirective {
            module,
            only,
            except,
            scope: Span { line_end, ..scope },
            injected_by,
        });
    }

    /// The modules of `A`, `A.{B, C}` and the like, each with the node that ends its name.
    fn modules_of(&mut self, node: Node<'t>) -> Vec<(Node<'t>, Arc<str>)> {
        let group = node.child_by_field_name("right").filter(|right| right.kind() == "tuple");
        match (group, node.child_by_field_name("left")) {
            (Some(group), Some(left)) if node.kind() == "dot" => {
                let Some(base) = self.module_of(left) else { return Vec::new() };
                self.children(group)
                    .into_iter()
                    .filter(|part| part.kind() == "alias")
                    .map(|part| (part, as_atom(&format!("{base}.{}", self.text(part))).into()))
                    .collect()
            }
            _ => self.module_of(node).map(|module| (node, module)).into_iter().collect(),
        }
    }

    /// The module that an expression names, if that can be told from the text.
    pub(super) fn module_of(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        // `A.b.C` nests to the left; what is behind the name is kept here until its beginning is found.
        let (mut node, mut behind, mut unquoted) = (node, Vec::new(), false);
        let base = loop {
            match node.kind() {
                "alias" => break self.scopes.resolve(self.text(node)),
                // In quoted code it stands for the module that uses the macro, unless it is unquoted.
                "identifier" if self.text(node) == "__MODULE__" && (self.quotes == 0 || unquoted) => {
                    break self.module().name.clone()?;
                }
                "call" if self.quotes > 0 && !unquoted => {
                    let target = node.child_by_field_name("target")?;
                    unquoted = self.text(target) == "unquote";
                    node = self.arguments(node).first().copied().filter(|_| unquoted)?;
                }
                "atom" | "quoted_atom" => {
                    let text = self.text(node);
                    let elixir = atom(node, self.source)?.strip_prefix("Elixir.");
                    break as_atom(elixir.unwrap_or(text)).into();
                }
                // In a template `@name` is an assign.
                "unary_operator" if self.operator(node) == Some("@") && self.templates_around == 0 => {
                    let name = self.text(node.child_by_field_name("operand")?);
                    break self
                        .modules
                        .iter()
                        .rev()
                        .take(MOST_AROUND)
                        .find_map(|module| module.attributes.get(name))
                        .cloned()?;
                }
                "dot" if behind.len() < MAX_DOTS => {
                    behind.push(node.child_by_field_name("right").filter(|right| right.kind() == "alias")?);
                    node = node.child_by_field_name("left")?;
                }
                _ => return None,
            }
        };
        if behind.is_empty() {
            return Some(base);
        }
        let mut full = base.to_string();
        for part in behind.into_iter().rev() {
            full.push('.');
            full.push_str(self.text(part));
        }
        Some(as_atom(&full).into())
    }

    /// A module that is named, without a call.
    pub(super) fn mention(&mut self, node: Node<'t>) {
        if let Some(module) = self.module_of(node) {
            self.reference(ReferenceKind::Module, node, Some(module), "", None, Basis::Written);
        }
    }

    /// `Mod, :fun, [a, b]` among the arguments of any call is how functions are passed to be called later, with so many
    /// arguments put before.
    fn named_functions(&mut self, arguments: &[Node<'t>], before: usize) {
        for window in arguments.windows(3) {
            if let [module, name, list] = window
                && list.kind() == "list"
                && name.kind() == "atom"
                && !matches!(module.kind(), "atom" | "quoted_atom")
                && let Some(function) = atom(*name, self.source)
            {
                let count = self.children(*list).len() + before;
                let Some(resolved) = self.module_of(*module) else {
                    self.named_by_value(*module, *name, count);
                    continue;
                };
                self.reference(
                    ReferenceKind::Call,
                    *name,
                    Some(resolved),
                    function,
                    arity(count),
                    Basis::ByName,
                );
            }
        }
    }

    /// `setup :name` and `setup [:a, :b]` call local functions with the context.
    fn callbacks(&mut self, names: Node<'t>) {
        let names = if names.kind() == "list" { self.children(names) } else { vec![names] };
        for name in names {
            match atom(name, self.source) {
                Some(function) => self.local(name, function, 1),
                None => self.visit_all([name], VisitMode::Expression),
            }
        }
    }

    pub(super) fn alias(&mut self, short: &str, full: Arc<str>) {
        let short: Arc<str> = short.into();
        if let Some(injected_by) = self.owner().filter(|_| self.quotes > 0) {
            let (short, module) = (short.clone(), full.clone());
            self.facts.injected_aliases.push(InjectedAlias { short, module, injected_by });
        }
        self.scopes.alias(short, full);
    }

    /// The name behind the dot of a call.
    fn name(&self, right: Node<'t>) -> &'t str {
        let text = self.text(right);
        match right.kind() {
            "string" | "charlist" if string(right, self.source).is_some() => text.trim_matches(['"', '\'']),
            _ => text,
        }
    }
}

fn inner(mode: VisitMode) -> VisitMode {
    if mode == VisitMode::Pattern { mode } else { VisitMode::Expression }
}

fn last_part(module: &str) -> String {
    module.rsplit('.').next().unwrap_or(module).to_owned()
}
