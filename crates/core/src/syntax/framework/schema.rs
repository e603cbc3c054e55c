//! Ecto's schemas, their associations, repositories and the tables of migrations.

use std::sync::Arc;

use tree_sitter::Node;

use super::CallSite;
use super::context::LONGEST_NAME;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

/// What names a field in a schema; all but `field` also name another schema.
const FIELDS: [&str; 7] =
    ["belongs_to", "embeds_many", "embeds_one", "field", "has_many", "has_one", "many_to_many"];

/// The functions of a repository that take what is asked for first. Sorted.
pub(super) const QUERIES: [&str; 17] = [
    "aggregate",
    "all",
    "all_by",
    "delete_all",
    "exists?",
    "get",
    "get!",
    "get_by",
    "get_by!",
    "insert_all",
    "one",
    "one!",
    "preload",
    "reload",
    "reload!",
    "stream",
    "update_all",
];

/// Whether a function of a repository takes what is asked for first.
pub(super) fn is_query(name: &str) -> bool {
    QUERIES.binary_search(&name).is_ok()
}

impl<'t> ElixirReader<'t> {
    /// `schema "users" do` and `embedded_schema do`.
    pub(super) fn schema(&mut self, call: &CallSite<'_, 't>) -> bool {
        let embedded = call.name.ends_with("embedded_schema");
        let source = call.arguments.first().and_then(|source| self.literal_text(*source));
        let (Some(block), Some(module)) = (call.block, self.module().name.clone()) else { return false };
        if !embedded && source.is_none() {
            return false;
        }
        let name = match source {
            Some(source) if !embedded => source.into(),
            _ => module.rsplit('.').next().unwrap_or(&module).into(),
        };
        self.macro_call(call);
        self.enter_schema(call.node, block, module, name);
        self.visit_list(
            call.arguments.get(usize::from(!embedded)..).unwrap_or_default(),
            VisitMode::Expression,
        );
        true
    }

    fn enter_schema(&mut self, node: Node<'t>, block: Node<'t>, module: Arc<str>, name: Arc<str>) {
        let index = self.fact(DefinitionKind::Schema, module, name, Vec::new(), span(node));
        self.owners.push(Some(index));
        self.tasks.push(VisitTask::LeaveOwner);
        self.visit_all([block], VisitMode::Expression);
    }

    /// A field or an association of the schema around.
    pub(super) fn association(&mut self, call: &CallSite<'_, 't>) -> bool {
        let Some(schema) = self.owner().filter(|_| FIELDS.contains(&call.name)) else { return false };
        let schema = schema as usize;
        if self.facts.definitions.get(schema).is_none_or(|owner| owner.kind != DefinitionKind::Schema) {
            return false;
        }
        let [name, rest @ ..] = call.arguments else { return false };
        if let Some(name) = atom(*name, self.source) {
            let name = self.intern(name);
            self.facts.definitions[schema].fields.push(name);
        }
        let [target, options @ ..] = rest else { return false };
        if call.name == "field" {
            return false;
        }
        if let (Some(block), "alias") = (call.block, target.kind()) {
            // `embeds_one :address, Address do` also defines the module, inside of the schema's.
            let Some(outer) = self.facts.definitions.get(schema).map(|outer| outer.module.clone()) else {
                return false;
            };
            if outer.len() > LONGEST_NAME {
                return false;
            }
            let name = self.intern(self.text(*target));
            let module: Arc<str> = format!("{outer}.{name}").into();
            self.macro_call(call);
            self.tie(ReferenceKind::Schema, *target, module.clone(), Basis::Written);
            self.enter_schema(call.node, block, module, name);
            self.visit_list(options, VisitMode::Expression);
            return true;
        }
        let tied = self.queryable(*target, Basis::Written);
        if tied {
            self.macro_call(call);
            let options = self.pairs(options);
            for (_, joined) in options.iter().filter(|(key, _)| *key == "join_through") {
                self.queryable(*joined, Basis::Written);
            }
            self.visit_options(&options, &["join_through"]);
        }
        tied
    }

    /// Ties the definition around to a schema: `User`, `{"users", User}`, or the table of `"users"`.
    pub(super) fn queryable(&mut self, node: Node<'t>, basis: Basis) -> bool {
        let parts = if node.kind() == "tuple" { self.children(node) } else { Vec::new() };
        let named = match parts[..] {
            [source, module] if source.kind() == "string" => module,
            _ => node,
        };
        if let Some(module) = self.literal_module(named) {
            self.tie(ReferenceKind::Schema, named, module, basis);
            return true;
        }
        match self.literal_text(node) {
            Some(table) => {
                self.table_reference(node, &table, basis);
                true
            }
            None => false,
        }
    }

    fn table_reference(&mut self, site: Node<'t>, table: &str, basis: Basis) {
        let to = ReferenceTarget { module: None, name: table.into(), arity: None };
        self.refer(self.owner(), ReferenceKind::Schema, site, to, basis);
    }

    /// `Repo.all(User)` and its like.
    pub(super) fn repository_call(&mut self, call: &CallSite<'_, 't>) {
        if let Some(asked) = call.argument(0).filter(|_| is_query(call.name)) {
            self.queryable(asked, Basis::Convention);
        }
    }

    /// `table(:users)` and `index(:users, ...)` in a migration.
    pub(super) fn table(&mut self, call: &CallSite<'_, 't>) {
        let Some(table) = call.arguments.first().copied() else { return };
        let name = atom(table, self.source).map(str::to_owned).or_else(|| self.literal_text(table));
        if let Some(name) = name {
            self.table_reference(table, &name, Basis::Convention);
        }
    }
}
