//! Names as keys: what kind of thing is called what, in which module.

use std::hash::{BuildHasher, Hash, RandomState};

use super::shards::Key;
use crate::syntax::{Definition, DefinitionKind};

/// What a name can be the name of; each has names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::graph) enum Class {
    Module,
    /// What is called: functions, macros, guards, and the functions that a struct or an exception defines.
    Callable,
    Type,
    Callback,
    Record,
    Config,
    Schema,
    /// Routes, by method and number of segments.
    Route,
    /// The templates in a folder.
    Folder,
    /// The modules that take in the templates of a folder.
    Embedder,
    /// The first module of a source file, by the file's path without extension.
    Source,
    /// What the `use`s of a module bring into it.
    Context,
    /// What is reached by nothing but its place.
    Other,
}

impl Class {
    /// The class in which definitions of this kind have their names.
    pub(in crate::graph) fn of(kind: DefinitionKind) -> Class {
        use DefinitionKind as K;
        match kind {
            K::Module | K::Protocol | K::Implementation => Class::Module,
            K::Function | K::Macro | K::Guard | K::Delegate | K::Struct | K::Exception => Class::Callable,
            K::Type => Class::Type,
            K::Callback => Class::Callback,
            K::Record => Class::Record,
            K::Config => Class::Config,
            K::Schema => Class::Schema,
            _ => Class::Other,
        }
    }
}

/// Makes keys of names. The seed is random, so that nobody can choose names that collide; no answer depends on it.
#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct NameTable(RandomState);

impl NameTable {
    pub(in crate::graph) fn key(&self, class: Class, module: &str, name: &str) -> Key {
        self.0.hash_one((class, module, name))
    }

    /// The key of a definition: it stays the same when the definition moves within its file.
    pub(in crate::graph) fn definition(&self, path: &str, module: &str, definition: &Definition) -> Key {
        self.exact(path, definition.kind, module, &definition.name, definition.arity)
    }

    pub(in crate::graph) fn exact(
        &self,
        path: &str,
        kind: DefinitionKind,
        module: &str,
        name: &str,
        arity: Option<u8>,
    ) -> Key {
        let class = Class::of(kind);
        // What several files may define under one name side by side is told apart by the file.
        let path = if matches!(class, Class::Other | Class::Config | Class::Schema) { path } else { "" };
        let name = if class == Class::Module { "" } else { name };
        let kind = (class == Class::Other).then_some(kind);
        let mut hasher = self.0.build_hasher();
        (class, module, name, arity, path, kind).hash(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    }
}
