//! The tables of atoms and functions, which every BEAM file has.

use std::borrow::Cow;

use super::damage::Damage;
use super::iff::Container;
use super::module::{ExportedFunction, ImportedFunction};
use super::name::{Names, behind_macro};
use crate::{Error, Result};

/// The atoms of a module; functions name them by number, from 1.
pub(super) struct Atoms<'a>(Vec<Cow<'a, str>>);

impl<'a> Atoms<'a> {
    /// Reads `AtU8` or, in files from before OTP 20, `Atom`, whose text is Latin-1.
    pub(super) fn read(container: &'a Container) -> Result<Self> {
        let (id, utf8) =
            if container.chunk(b"AtU8").is_some() { (*b"AtU8", true) } else { (*b"Atom", false) };
        let Some(bytes) = container.chunk(&id) else {
            return Err(Damage::File.at(0, "there is no chunk with atoms"));
        };
        let mut cursor = Cursor { bytes, at: 0, id };
        let count = cursor.word()? as i32;
        // Since OTP 28 a negative number says that lengths are packed as numbers in code are, to go beyond 255.
        let packed = count < 0;
        let count = count.unsigned_abs() as usize;
        // Each atom takes a byte at least.
        let mut atoms = Vec::with_capacity(count.min(bytes.len()));
        for _ in 0..count {
            let length = if packed { cursor.packed()? } else { cursor.byte()?.into() };
            let start = cursor.at;
            let text = cursor.take(length)?;
            atoms.push(if utf8 {
                let text = std::str::from_utf8(text);
                Cow::Borrowed(text.map_err(|_| Damage::Chunk(id).at(start, "an atom is not UTF-8"))?)
            } else {
                Cow::Owned(text.iter().map(|byte| char::from(*byte)).collect())
            });
        }
        Ok(Atoms(atoms))
    }

    /// The first atom is the module's name.
    pub(super) fn module(&self) -> Result<&str> {
        let name = self.0.first();
        name.map(|name| &**name).ok_or_else(|| Damage::File.at(0, "the module has no name"))
    }

    fn get(&self, number: u32) -> Option<&str> {
        Some(self.0.get((number as usize).checked_sub(1)?)?)
    }
}

/// The functions that `ExpT` or `LocT` lists, by name and arity. Without the chunk there are none.
pub(super) fn exports(
    container: &Container,
    id: [u8; 4],
    atoms: &Atoms,
    names: &mut Names,
) -> Result<Vec<ExportedFunction>> {
    let mut exports = Vec::new();
    rows(container, id, |[name, arity, _label]| {
        let (name, arity) = (atoms.get(name)?, u8::try_from(arity).ok()?);
        exports.push(match behind_macro(name, arity) {
            Some((name, arity)) => ExportedFunction { name: names.plain(name), arity, is_macro: true },
            None => ExportedFunction { name: names.plain(name), arity, is_macro: false },
        });
        Some(())
    })?;
    exports.sort();
    Ok(exports)
}

/// The functions of other modules that `ImpT` lists, by module, name and arity.
pub(super) fn imports(
    container: &Container,
    atoms: &Atoms,
    names: &mut Names,
) -> Result<Vec<ImportedFunction>> {
    let mut imports = Vec::new();
    rows(container, *b"ImpT", |[module, name, arity]| {
        let (module, name) = (atoms.get(module)?, atoms.get(name)?);
        let (module, name) = (names.module(module), names.plain(name));
        imports.push(ImportedFunction { module, name, arity: u8::try_from(arity).ok()? });
        Some(())
    })?;
    imports.sort();
    Ok(imports)
}

/// Calls `each` with the rows of a table until it finds one wrong.
fn rows(container: &Container, id: [u8; 4], mut each: impl FnMut([u32; 3]) -> Option<()>) -> Result<()> {
    let Some(bytes) = container.chunk(&id) else { return Ok(()) };
    let mut cursor = Cursor { bytes, at: 0, id };
    let count = cursor.word()?;
    for _ in 0..count {
        let start = cursor.at;
        let row = [cursor.word()?, cursor.word()?, cursor.word()?];
        each(row)
            .ok_or_else(|| Damage::Chunk(id).at(start, "a function has no name or too many arguments"))?;
    }
    Ok(())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    id: [u8; 4],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.cut_off())?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        self.take(1)?.first().copied().ok_or_else(|| self.cut_off())
    }

    fn word(&mut self) -> Result<u32> {
        let word = self.take(4)?.first_chunk().ok_or_else(|| self.cut_off())?;
        Ok(u32::from_be_bytes(*word))
    }

    /// A number as code holds it: 4 bits, or 11 bits in two bytes. No atom is longer than these can say.
    fn packed(&mut self) -> Result<usize> {
        let first = self.byte()?;
        match first & 0b1_1111 {
            low if low & 0b1111 == 0 => Ok(usize::from(first >> 4)),
            0b0_1000 => Ok(usize::from(first >> 5) << 8 | usize::from(self.byte()?)),
            _ => Err(Damage::Chunk(self.id).at(self.at - 1, "an atom has no length")),
        }
    }

    fn cut_off(&self) -> Error {
        Damage::Chunk(self.id).at(self.bytes.len(), "it is cut off")
    }
}
