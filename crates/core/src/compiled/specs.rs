//! Specs, types and callbacks: Erlang's attributes, which Elixir keeps them as, too.

use rustc_hash::FxHashSet;

use super::docs::line_of;
use super::module::{CompiledModule, TypeEntry};
use super::name::{Names, behind_macro};
use super::term::Term;

/// Gathers attributes that are about types.
#[derive(Default)]
pub(super) struct Specs<'t> {
    specs: Vec<TypeEntry>,
    types: Vec<TypeEntry>,
    callbacks: Vec<TypeEntry>,
    exported: FxHashSet<(&'t str, u8)>,
}

impl<'t> Specs<'t> {
    /// Reads `-kind(value)`; attributes of other kinds are passed over.
    pub(super) fn attribute(&mut self, anno: Term<'t>, kind: &str, value: Term<'t>, names: &mut Names) {
        // Nothing to add if the attribute does not look as it should.
        let _ = self.add(anno, kind, value, names);
    }

    fn add(&mut self, anno: Term<'t>, kind: &str, value: Term<'t>, names: &mut Names) -> Option<()> {
        match kind {
            "spec" | "callback" => {
                let [what, _] = value.tuple_of()?;
                let (name, arity) = what.name_and_arity().or_else(|| {
                    let [_module, name, arity] = what.tuple_of()?;
                    Some((name.atom()?, arity.arity()?))
                })?;
                let behind = behind_macro(name, arity);
                let (name, arity) = behind.unwrap_or((name, arity));
                let list = if kind == "spec" { &mut self.specs } else { &mut self.callbacks };
                list.push(TypeEntry {
                    line: line_of(anno),
                    name: names.plain(name),
                    arity,
                    is_macro: behind.is_some(),
                    public: true,
                });
            }
            "type" | "opaque" | "nominal" => {
                let [name, _, parameters] = value.tuple_of()?;
                self.types.push(TypeEntry {
                    line: line_of(anno),
                    name: names.plain(name.atom()?),
                    arity: parameters.list()?.len().try_into().ok()?,
                    is_macro: false,
                    public: false,
                });
            }
            "export_type" => self.exported.extend(value.list()?.iter().filter_map(Term::name_and_arity)),
            _ => {}
        }
        Some(())
    }

    /// Hands over what was gathered.
    pub(super) fn finish(mut self, module: &mut CompiledModule) {
        for entry in &mut self.types {
            entry.public = self.exported.contains(&(&*entry.name, entry.arity));
        }
        for list in [&mut self.specs, &mut self.types, &mut self.callbacks] {
            list.sort();
        }
        (module.specs, module.types, module.callbacks) = (self.specs, self.types, self.callbacks);
    }
}
