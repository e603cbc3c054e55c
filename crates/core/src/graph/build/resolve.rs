//! What the references of a file mean, given all the names of the project.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::imports;
use super::names::Class;
use super::observed::{self, Observed, ObservedCall};
use super::shards::Key;
use super::std_lib::{self, Known};
use super::templates::{embedded_folder, template_name};
use super::unit::{Abroad, Implemented, Link, Resolved, ResolvedTarget, Unit, UnitContext, route_size};
use super::view::GraphView;
use crate::graph::{LinkKind, Symbol};
use crate::source::Span;
use crate::syntax::{Basis, DefinitionKind, Reference, ReferenceKind, Shape};

/// Resolves all references of the unit at `slot`.
pub(in crate::graph) fn resolve(view: GraphView, slot: u32) -> Resolved {
    let Some(unit) = view.unit(slot).filter(|unit| !unit.written.outside) else { return Resolved::default() };
    let mut resolver = Resolver {
        view,
        slot,
        unit,
        home: None,
        raw: Vec::new(),
        abroad: Vec::new(),
        implemented: Vec::new(),
        unresolved: 0,
        reads: Vec::new(),
        observed: unit.written.compiled.as_deref().map(Observed::new),
    };
    resolver.find_home();
    let messages: FxHashMap<u32, &Shape> =
        unit.written.facts.messages.iter().map(|shape| (shape.of, shape)).collect();
    for (at, reference) in unit.written.facts.references.iter().enumerate() {
        for node in unit.written.origins(reference) {
            resolver.refer(node, reference, messages.get(&(at as u32)).copied());
        }
    }
    resolver.implement();
    resolver.observe();
    resolver.settle()
}

struct Resolver<'v> {
    view: GraphView<'v>,
    slot: u32,
    unit: &'v Unit,
    /// For a template, the module that makes a function of it.
    home: Option<(Arc<str>, u32)>,
    raw: Vec<(Link, Span)>,
    abroad: Vec<Abroad>,
    implemented: Vec<Implemented>,
    unresolved: usize,
    reads: Vec<Key>,
    observed: Option<Observed<'v>>,
}

impl<'v> Resolver<'v> {
    fn key(&mut self, class: Class, module: &str, name: &str) -> Key {
        let key = self.view.names.key(class, module, name);
        self.reads.push(key);
        key
    }

    fn callable(&mut self, module: &str, name: &str, arity: u8) -> Option<ResolvedTarget> {
        let key = self.key(Class::Callable, module, name);
        self.view.taking(self.slot, key, arity)
    }

    fn module(&mut self, module: &str) -> Option<ResolvedTarget> {
        let key = self.key(Class::Module, module, "");
        self.view.any(self.slot, key)
    }

    /// A template belongs to the module that embeds its folder, or to the live view beside it.
    fn find_home(&mut self) {
        let path = &self.unit.written.path;
        let Some(template) = self.unit.written.nodes.first().filter(|n| n.kind == DefinitionKind::Template)
        else {
            return;
        };
        let (folder, _) = template.file.rsplit_once('/').unwrap_or(("", path));
        let stem = format!("{folder}/{}", template_name(path));
        let keys = [self.key(Class::Embedder, folder, ""), self.key(Class::Source, &stem, "")];
        let home = keys.into_iter().find_map(|key| self.view.any(self.slot, key));
        let module = home.and_then(|home| {
            let node = self.view.unit(home.slot)?.node(home.index)?;
            Some((node.module.clone(), home))
        });
        if let Some((module, home)) = module {
            self.key(Class::Context, &module, "");
            self.key(Class::Module, &module, "");
            self.home = Some((module.clone(), home.slot));
            let name = template_name(path);
            // The live view's own `render/1`, where nobody made a function of the template.
            let renders = self.callable(&module, name, 1).or(Some(home));
            if let Some(target) = renders.filter(|target| target.slot == home.slot) {
                let span = template.span;
                self.link(0, target, LinkKind::Render, span, Basis::Convention, true, 0);
            }
        }
    }

    fn context(&self, module: &str) -> Option<&'v UnitContext> {
        match &self.home {
            Some((home, slot)) => self.view.unit(*slot)?.expanded.context.get(home),
            None => self.unit.expanded.context.get(module),
        }
    }

    fn refer(&mut self, node: u32, reference: &Reference, message: Option<&Shape>) {
        let Some(from) = self.unit.node(node) else { return };
        let module = reference.module.as_ref().map(|module| self.unalias(from, module));
        match (reference.kind, module.as_ref(), reference.arity) {
            (ReferenceKind::Call, module, Some(arity)) => {
                let compiled = matches!(reference.basis, Basis::Written | Basis::Conditional);
                let verdict = match &mut self.observed {
                    Some(observed) if compiled => observed.verdict(from, reference, arity),
                    _ => ObservedCall::Silent,
                };
                match (verdict, module) {
                    (ObservedCall::Is(module, arity), _) => {
                        let reference = Reference { basis: Basis::Compiled, ..reference.clone() };
                        self.call_remote(node, module, arity, &reference);
                    }
                    (ObservedCall::Absent, _) if reference.basis == Basis::Conditional => {}
                    (_, Some(module)) => self.call_remote(node, module, arity, reference),
                    (_, None) => self.call_local(node, from, arity, reference),
                }
            }
            (ReferenceKind::Call, ..) => {}
            (ReferenceKind::Message, Some(module), Some(arity)) => {
                self.send(node, module, arity, reference, message);
            }
            (ReferenceKind::Route, None, _) => self.follow_path(node, reference),
            (ReferenceKind::Render, module, _) => self.render(node, from, module, reference),
            (ReferenceKind::Config, Some(module), _) => self.read_config(node, module, reference),
            (ReferenceKind::Schema, None, _) => {
                let key = self.key(Class::Schema, "", &reference.name);
                self.link_to_all(node, key, LinkKind::Schema, reference);
            }
            (_, None, _) => {}
            (kind, Some(module), arity) => {
                let named = match kind {
                    ReferenceKind::Use => self.callable(module, "__using__", 1),
                    ReferenceKind::Struct if !reference.name.is_empty() => {
                        let key = self.key(Class::Record, module, &reference.name);
                        self.view.any(self.slot, key)
                    }
                    ReferenceKind::Struct => self.callable(module, "__struct__", 0),
                    ReferenceKind::Type if !reference.name.is_empty() => {
                        let key = self.key(Class::Type, module, &reference.name);
                        self.view.taking(self.slot, key, arity.unwrap_or(0))
                    }
                    _ if reference.name.is_empty() => None,
                    _ => self.callable(module, &reference.name, arity.unwrap_or(0)),
                };
                // What stands in its own module depends on nothing by that.
                let own = kind == ReferenceKind::Type && **module == *from.module;
                match named {
                    None if own => {}
                    Some(target) => self.link_written(node, target, kind_of(kind), reference),
                    None => self.mention(node, module, kind_of(kind), reference),
                }
            }
        }
    }

    /// The full name of a module that the file itself does not explain, if a `use` brought in an alias for it.
    fn unalias(&mut self, from: &Symbol, written: &Arc<str>) -> Arc<str> {
        let Some(full) = self.context(&from.module).and_then(|context| context.unalias(written)) else {
            return written.clone();
        };
        if self.module(written).is_some() { written.clone() } else { full }
    }

    fn call_remote(&mut self, node: u32, module: &Arc<str>, arity: u8, reference: &Reference) {
        if let Some(target) = self.callable(module, &reference.name, arity) {
            return self.call(node, target, module, arity, reference);
        }
        // A module of the project may have it from a macro: then at least the module is depended on.
        self.mention(node, module, LinkKind::Module, reference);
        self.call_abroad(node, module.clone(), reference, arity, reference.basis);
    }

    fn call_local(&mut self, node: u32, from: &Symbol, arity: u8, reference: &Reference) {
        let name = &reference.name;
        let at = reference.span.start;
        let unit = self.unit;
        let directives = unit.written.facts.imports.iter();
        let written = imports::in_force(directives.filter(|import| import.injected_by.is_none()), at);
        let written = written.iter().map(|import| (import.module, import.only, &import.except[..]));
        let injected = self.context(&from.module).into_iter().flat_map(|context| &context.imports);
        let injected = injected.map(|import| (&import.module, import.only.as_deref(), &import.except[..]));
        let listed = |list: &[(Arc<str>, u8)]| list.iter().any(|(n, a)| n == name && *a == arity);
        let brings = |only: Option<&[(Arc<str>, u8)]>, except: &[(Arc<str>, u8)]| {
            only.is_none_or(listed) && !listed(except)
        };
        let directives: Vec<_> = written.chain(injected).collect();
        let (kernels, directives): (Vec<_>, Vec<_>) =
            directives.into_iter().partition(|(import, ..)| &***import == "Kernel");
        let kernel = kernels.iter().all(|(_, only, except)| brings(*only, except));
        // An operator of `Kernel` is another one only where that is not imported.
        let is_operator = !name.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if !(kernel && is_operator && std_lib::known("Kernel", name, arity).is_some()) {
            let module = self.home.as_ref().map_or_else(|| from.module.clone(), |(home, _)| home.clone());
            if let Some(target) = self.callable(&module, name, arity) {
                return self.link_written(node, target, LinkKind::Call, reference);
            }
        }
        let mut guesses = Vec::<&Arc<str>>::new();
        for (import, only, except) in directives {
            if !brings(only, except) {
                continue;
            }
            if let Some(target) = self.callable(import, name, arity).filter(|target| target.signature.public)
            {
                return self.call(node, target, import, arity, reference);
            }
            if only.is_some_and(|only| !only.is_empty()) || std_lib::known(import, name, arity).is_some() {
                return self.call_abroad(node, import.clone(), reference, arity, reference.basis);
            }
            let elsewhere = !std_lib::has_module(import) && self.module(import).is_none();
            match std_lib::package_has(import, name, arity).filter(|_| elsewhere) {
                Some(true) => {
                    let basis = reference.basis.max(Basis::Imported);
                    return self.call_abroad(node, import.clone(), reference, arity, basis);
                }
                Some(false) => continue,
                None => {}
            }
            if elsewhere && !guesses.contains(&import) {
                guesses.push(import);
            }
        }
        let open = self.context(&from.module).is_some_and(|context| context.open);
        match (std_lib::known("Kernel", name, arity).filter(|_| kernel), &guesses[..]) {
            (Some(Known::Function | Known::Inlined), _) => {
                self.call_abroad(node, "Kernel".into(), reference, arity, reference.basis);
            }
            // Only one import can have brought it in.
            (None, [only]) if !open => {
                let basis = reference.basis.max(Basis::Imported);
                self.call_abroad(node, (*only).clone(), reference, arity, basis);
            }
            _ => self.unresolved += 1,
        }
    }

    /// A call of something that is written, in the project or outside of it.
    fn call(
        &mut self,
        node: u32,
        target: ResolvedTarget,
        module: &Arc<str>,
        arity: u8,
        reference: &Reference,
    ) {
        if self.view.unit(target.slot).is_some_and(|unit| unit.written.outside) {
            return self.call_abroad(node, module.clone(), reference, arity, reference.basis);
        }
        self.link_written(node, target, LinkKind::Call, reference);
    }

    fn send(&mut self, node: u32, module: &str, arity: u8, reference: &Reference, message: Option<&Shape>) {
        let Some(target) = self.callable(module, &reference.name, arity) else {
            return self.mention(node, &Arc::from(module), LinkKind::Message, reference);
        };
        let Some(written) = self.view.unit(target.slot).map(|unit| &unit.written) else { return };
        let definition = written.definition_of(target.index);
        let mut clauses =
            written.facts.receivers.iter().filter(|shape| Some(shape.of) == definition).peekable();
        let clause = match message {
            Some(message) if clauses.peek().is_some() => {
                let fits = clauses.find(|clause| Shape::can_match(&clause.shape, &message.shape));
                let Some(clause) = fits else { return };
                u16::try_from(clause.clause + 1).unwrap_or(0)
            }
            _ => 0,
        };
        self.link(node, target, LinkKind::Message, reference.span, reference.basis, false, clause);
    }

    /// A path that is written out, to the routes that it can mean.
    fn follow_path(&mut self, node: u32, reference: &Reference) {
        let key = self.key(Class::Route, &route_size(&reference.name), "");
        for target in self.view.all(key) {
            let route = self.view.unit(target.slot).and_then(|unit| unit.node(target.index));
            if route.is_some_and(|route| can_lead(&route.name, &reference.name)) {
                self.link_written(node, target, LinkKind::Route, reference);
            }
        }
    }

    /// By convention `ShopWeb.CartController` renders functions of `ShopWeb.CartHTML` or `ShopWeb.CartView`.
    fn render(&mut self, node: u32, from: &Symbol, view: Option<&Arc<str>>, reference: &Reference) {
        if reference.basis.is_certain() {
            // The pattern of `embed_templates`: the functions made by it lead to the templates.
            let Some(folder) = embedded_folder(&reference.name) else { return };
            let key = self.key(Class::Folder, folder, "");
            return self.link_to_all(node, key, LinkKind::Render, reference);
        }
        let stem = from.module.strip_suffix("Controller");
        let views = match (view, stem) {
            (Some(view), _) => vec![view.to_string()],
            (None, Some(stem)) => vec![format!("{stem}HTML"), format!("{stem}View"), format!("{stem}JSON")],
            (None, None) => vec![from.module.to_string()],
        };
        for view in views {
            if let Some(target) = self.callable(&view, &reference.name, 1) {
                return self.link_written(node, target, LinkKind::Render, reference);
            }
        }
    }

    fn read_config(&mut self, node: u32, application: &str, reference: &Reference) {
        let key = self.key(Class::Config, application, &reference.name);
        self.link_to_all(node, key, LinkKind::Config, reference);
    }

    fn link_to_all(&mut self, node: u32, key: Key, kind: LinkKind, reference: &Reference) {
        for target in self.view.all(key) {
            self.link_written(node, target, kind, reference);
        }
    }

    fn mention(&mut self, node: u32, module: &Arc<str>, kind: LinkKind, reference: &Reference) {
        if let Some(target) = self.module(module) {
            self.link_written(node, target, kind, reference);
        }
    }

    /// Functions that implement a protocol's functions or a behaviour's callbacks are called by them.
    fn implement(&mut self) {
        let unit = self.unit;
        let mut declared: FxHashMap<Arc<str>, Vec<(Class, Arc<str>)>> = FxHashMap::default();
        for reference in &unit.written.facts.references {
            let Some(implemented) = reference.module.as_ref() else { continue };
            let (class, kind) = match reference.kind {
                ReferenceKind::Behaviour if reference.basis.is_certain() => {
                    (Class::Callback, LinkKind::Behaviour)
                }
                ReferenceKind::Implements => (Class::Callable, LinkKind::Implements),
                _ => continue,
            };
            for at in unit.written.origins(reference) {
                let Some(node) = unit.node(at) else { continue };
                // Of several protocols that a loop implements, each module is of one.
                let of_it =
                    node.module.strip_prefix(&**implemented).is_some_and(|rest| rest.starts_with('.'));
                if node.kind == DefinitionKind::Implementation && !of_it {
                    continue;
                }
                let implemented = self.unalias(node, implemented);
                if self.own_module(&implemented).is_none() {
                    self.implements_foreign(at, &implemented, kind, reference.basis, reference.span);
                } else if class == Class::Callback || node.kind == DefinitionKind::Implementation {
                    // `@derive` implements without any function here.
                    declared.entry(node.module.clone()).or_default().push((class, implemented));
                }
            }
        }
        for (node, at) in unit.nodes().zip(0..).filter(|(node, _)| node.is_module()) {
            for (behaviour, basis) in self.brought_behaviours(node) {
                match self.own_module(&behaviour) {
                    Some(target) => {
                        self.link(at, target, LinkKind::Behaviour, node.span, basis, false, 0);
                        declared.entry(node.module.clone()).or_default().push((Class::Callback, behaviour));
                    }
                    None => self.implements_foreign(at, &behaviour, LinkKind::Behaviour, basis, node.span),
                }
            }
        }
        for (at, node) in unit.nodes().enumerate() {
            if let Some(declared) = declared.get(&node.module).filter(|_| node.public && node.is_callable()) {
                let Some(arity) = node.arity else { continue };
                for (class, implemented) in declared {
                    let key = self.key(*class, implemented, &node.name);
                    if let Some(target) = self.view.taking(self.slot, key, arity) {
                        let site = node.span;
                        self.link(at as u32, target, LinkKind::Dispatch, site, Basis::Dispatch, true, 0);
                    }
                }
            }
        }
    }

    /// The behaviours of a module that are not written in it: those that macros bring, and those that the compiler saw.
    fn brought_behaviours(&self, module: &Symbol) -> Vec<(Arc<str>, Basis)> {
        let context = self.unit.expanded.context.get(&module.module);
        let brought = context.into_iter().flat_map(|context| &context.behaviours).cloned();
        let compiled = self.unit.written.compiled.iter().flat_map(|compiled| &compiled.modules);
        let compiled = compiled.filter(|compiled| compiled.module == module.module);
        let seen = compiled.flat_map(|compiled| &compiled.behaviours);
        brought.chain(seen.map(|behaviour| (behaviour.clone(), Basis::Compiled))).collect()
    }

    /// The module of this name, if it is of the project.
    fn own_module(&mut self, module: &str) -> Option<ResolvedTarget> {
        self.module(module)
            .filter(|target| self.view.unit(target.slot).is_some_and(|unit| !unit.written.outside))
    }

    fn implements_foreign(&mut self, node: u32, of: &Arc<str>, kind: LinkKind, basis: Basis, site: Span) {
        self.implemented.push(Implemented { of: of.clone(), node, kind, basis, site });
    }

    /// Calls that nobody wrote: those of functions that macros made, and what macros put into written ones.
    fn observe(&mut self) {
        let Some(observed) = self.observed.take() else { return };
        let unit = self.unit;
        let mut nodes: FxHashMap<Caller, u32> = FxHashMap::default();
        for (node, at) in unit.nodes().zip(0..) {
            let function = node.arity.filter(|_| node.is_callable()).map(|arity| (&*node.name, arity));
            if function.is_some() || node.is_module() {
                nodes.entry((&node.module, function)).or_insert(at);
            }
        }
        for seen in observed.unwritten() {
            let Some(node) = nodes.get(&(seen.caller_module, seen.caller)).copied() else { continue };
            if let Some(target) = self.callable(seen.module, seen.name, seen.arity) {
                let site = observed::place(&unit.written.facts, seen.line);
                self.link(node, target, LinkKind::Call, site, Basis::Compiled, false, 0);
            }
        }
    }

    fn link_written(&mut self, node: u32, target: ResolvedTarget, kind: LinkKind, reference: &Reference) {
        let basis =
            if self.is_guessed(target) { reference.basis.max(Basis::Convention) } else { reference.basis };
        self.link(node, target, kind, reference.span, basis, false, 0);
    }

    /// Whether a definition is only taken for one.
    fn is_guessed(&self, target: ResolvedTarget) -> bool {
        let Some(unit) = self.view.unit(target.slot) else { return false };
        let definition = unit.written.definition_of(target.index);
        let definition = definition.and_then(|at| unit.written.facts.definitions.get(at as usize));
        definition.is_some_and(|definition| definition.guessed && !unit.confirms(definition, self.view.names))
    }

    #[allow(clippy::too_many_arguments, reason = "they are the fields of a link")]
    fn link(
        &mut self,
        node: u32,
        target: ResolvedTarget,
        kind: LinkKind,
        site: Span,
        basis: Basis,
        reversed: bool,
        clause: u16,
    ) {
        let unit = self.view.unit(target.slot).filter(|unit| !unit.written.outside);
        let Some(other) = unit.and_then(|unit| unit.key(target.index)) else { return };
        self.raw.push((Link { node, kind, other, reversed, clause, basis, first_site: 0 }, site));
    }

    fn call_abroad(&mut self, node: u32, module: Arc<str>, reference: &Reference, arity: u8, basis: Basis) {
        self.abroad.push(Abroad { node, module, name: reference.name.clone(), arity, basis });
    }

    fn settle(mut self) -> Resolved {
        let mut resolved = Resolved { unresolved: self.unresolved, ..Resolved::default() };
        self.raw.sort_unstable_by_key(|(link, site)| {
            (link.node, link.kind, link.other, link.reversed, link.clause, *site, link.basis)
        });
        for (mut link, site) in self.raw {
            let same = |last: &&mut Link| {
                (last.node, last.kind, last.other, last.reversed, last.clause)
                    == (link.node, link.kind, link.other, link.reversed, link.clause)
            };
            match resolved.links.last_mut().filter(same) {
                Some(last) => {
                    last.basis = last.basis.min(link.basis);
                    // Two references of one place may lead to the same node.
                    if resolved.sites.last() == Some(&site) {
                        continue;
                    }
                }
                None => {
                    link.first_site = resolved.sites.len() as u32;
                    resolved.links.push(link);
                }
            }
            resolved.sites.push(site);
        }
        resolved.by_other = (0..resolved.links.len() as u32).collect();
        resolved.by_other.sort_unstable_by_key(|at| (resolved.links[*at as usize].other, *at));
        self.abroad.sort_unstable();
        self.abroad
            .dedup_by(|b, a| (a.node, &a.module, &a.name, a.arity) == (b.node, &b.module, &b.name, b.arity));
        resolved.abroad = self.abroad;
        self.implemented.sort_unstable();
        self.implemented.dedup_by(|b, a| (&a.of, a.node, a.kind) == (&b.of, b.node, b.kind));
        resolved.implemented = self.implemented;
        self.reads.sort_unstable();
        self.reads.dedup();
        resolved.reads = self.reads;
        resolved
    }
}

/// A module, and a function in it with its arity, or none for the body of the module.
type Caller<'n> = (&'n str, Option<(&'n str, u8)>);

/// Whether a path that is written out, or a request with its verb, can lead to a route: `"/users/:_"` and `"GET /users/1"` to
/// `"GET /users/:id"`.
fn can_lead(route: &str, written: &str) -> bool {
    let (verbs, route) = verb_and_path(route);
    let (verb, written) = verb_and_path(written);
    let takes = |verb: &str| verbs.is_none_or(|verbs| verbs == "*" || verbs.split('|').any(|it| it == verb));
    let is_open = |segment: &&str| segment.starts_with([':', '*']);
    let (route, written) = (segments(route), segments(written));
    verb.is_none_or(|verb| takes(verb) || (verb == "HEAD" && takes("GET")))
        && route.len() == written.len()
        && route.iter().zip(&written).all(|(route, written)| is_open(route) || route == written)
}

fn verb_and_path(name: &str) -> (Option<&str>, &str) {
    name.rsplit_once(' ').map_or((None, name), |(verb, path)| (Some(verb), path))
}

fn segments(path: &str) -> Vec<&str> {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn kind_of(kind: ReferenceKind) -> LinkKind {
    match kind {
        ReferenceKind::Call => LinkKind::Call,
        ReferenceKind::Alias => LinkKind::Alias,
        ReferenceKind::Import => LinkKind::Import,
        ReferenceKind::Require => LinkKind::Require,
        ReferenceKind::Use => LinkKind::Use,
        ReferenceKind::Behaviour => LinkKind::Behaviour,
        ReferenceKind::Struct => LinkKind::Struct,
        ReferenceKind::Implements => LinkKind::Implements,
        ReferenceKind::Module => LinkKind::Module,
        ReferenceKind::Type => LinkKind::Type,
        ReferenceKind::Route => LinkKind::Route,
        ReferenceKind::Plug => LinkKind::Plug,
        ReferenceKind::Render => LinkKind::Render,
        ReferenceKind::Schema => LinkKind::Schema,
        ReferenceKind::Message => LinkKind::Message,
        ReferenceKind::Supervise => LinkKind::Supervise,
        ReferenceKind::Config => LinkKind::Config,
        ReferenceKind::Doctest => LinkKind::Doctest,
    }
}
