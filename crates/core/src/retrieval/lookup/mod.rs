//! Looking up definitions by name: the whole name, the end of it, the beginning, an abbreviation, or one with typos.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use super::index::Index;
use super::names::Candidate;
use super::names::key::{abbreviates, distance, humps, key, lowered, typos};
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind};
use crate::{Cancel, Error, Result};

/// What to look up.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// `Shop.Cart.add/2` or less: `Cart.add`, `add/2`, `Cart`; the beginning of the last part, `Cart.ad`; an abbreviation,
    /// `SC.rhu` for `Shop.Cart.round_half_up`. Also `lists:map/2`, a test's text, a route, a template's path.
    pub name: String,
    /// Only definitions of these kinds; of all kinds, if empty.
    pub kinds: Vec<DefinitionKind>,
    /// The most definitions.
    pub limit: usize,
}

impl Lookup {
    /// A look-up of twenty definitions of any kind.
    pub fn new(name: impl Into<String>) -> Lookup {
        Lookup { name: name.into(), kinds: Vec::new(), limit: 20 }
    }
}

/// How a definition's name is what was looked up, the better ways first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// All of the name is the same.
    Exact,
    /// The end of it is.
    Tail,
    /// It is, but for capitals.
    Case,
    /// The last part, or one before it, begins with it.
    Prefix,
    /// It is made of the beginnings of the parts.
    Abbreviation,
    /// It is nearly the same: at most one edit for up to six characters, two for more; or it is the same, and takes another
    /// number of arguments.
    Typo,
}

impl Fit {
    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Fit::Exact => "exact",
            Fit::Tail => "tail",
            Fit::Case => "case",
            Fit::Prefix => "prefix",
            Fit::Abbreviation => "abbreviation",
            Fit::Typo => "typo",
        }
    }
}

/// A definition that was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Relative to the root.
    pub file: Arc<str>,
    /// Documentation, spec and all clauses.
    pub span: Span,
    /// The line of the first clause; of what has none, where it begins.
    pub line: u32,
    /// `Mod.fun/arity`, as [`Definition::qualified`] has it.
    pub symbol: String,
    /// What it is.
    pub kind: DefinitionKind,
    /// Whether other modules can see it.
    pub public: bool,
    /// The head of the first clause as written.
    pub signature: Option<Arc<str>>,
    /// How its name is what was looked up.
    pub fit: Fit,
}

impl Index {
    /// The definitions whose name is `lookup.name`, best first: by [`Fit`]; then by the number of typos, the project's own
    /// code before tests and examples, what defines before what uses, public before private, short names before long ones;
    /// then by path and position. What is only like the name ([`Fit::Abbreviation`], [`Fit::Typo`]) is told where nothing
    /// has this name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a name without text and for a limit of 0; those of [`Cancel::check`].
    pub fn lookup(&self, lookup: &Lookup, cancel: &Cancel) -> Result<Vec<Named>> {
        let name = lookup.name.trim();
        if name.is_empty() {
            return Err(Error::invalid("the name is empty; look up one such as Shop.Cart.add/2"));
        }
        if lookup.limit == 0 {
            return Err(Error::invalid("the limit of definitions must be at least 1"));
        }
        let mut found = Found { lookup, ranked: Vec::new() };
        let readings = Wanted::readings(name);
        for wanted in &readings {
            cancel.check()?;
            let lower = &wanted.lower_key;
            if found.add(wanted, Fit::Exact, self.names().equal(lower)) < lookup.limit {
                found.add(wanted, Fit::Prefix, self.names().longer(lower));
            }
        }
        let guess = !found.has_name() && found.no_worse_than(Fit::Prefix) < lookup.limit;
        if let Some(wanted) = readings.first().filter(|_| guess) {
            cancel.check()?;
            if found.add(wanted, Fit::Abbreviation, self.names().abbreviated(&wanted.lower_key))
                < lookup.limit
            {
                cancel.check()?;
                found.add(wanted, Fit::Typo, self.names().mistyped(&wanted.lower_key));
            }
        }
        Ok(found.best())
    }
}

/// A way to understand a name.
struct Wanted<'q> {
    /// The module, or the folder.
    qualifier: Option<&'q str>,
    lower_qualifier: String,
    key: &'q str,
    lower_key: String,
    arity: Option<u8>,
}

impl<'q> Wanted<'q> {
    fn new(qualifier: Option<&'q str>, key: &'q str, arity: Option<u8>) -> Wanted<'q> {
        let lower_qualifier = lowered(qualifier.unwrap_or_default());
        Wanted { qualifier, lower_qualifier, key, lower_key: lowered(key), arity }
    }

    /// The likely one first; the other one takes all of the text for the last part of a name, such as that of a test.
    fn readings(text: &'q str) -> Vec<Wanted<'q>> {
        let name = symbol(text);
        let (name, arity) = match name.rsplit_once('/') {
            Some((name, digits)) if !name.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                match digits.parse() {
                    Ok(arity) => (name, Some(arity)),
                    Err(_) => (text, None),
                }
            }
            _ => (name, None),
        };
        let parts =
            |separator| name.rsplit_once(separator).filter(|(of, key)| !of.is_empty() && !key.is_empty());
        let split = match name.contains(char::is_whitespace) {
            true => None,
            // A path may have dots, and an Erlang function has its module before a colon.
            false if name.contains('/') => parts('/'),
            false => parts('.').or_else(|| parts(':')),
        };
        let likely = match split {
            Some((qualifier, key)) => Wanted::new(Some(qualifier), unquoted(key), arity),
            None => Wanted::new(None, unquoted(name), arity),
        };
        let whole = (likely.key != text).then(|| Wanted::new(None, text, None));
        // The name of a function may hold a slash: `Desk.//2`.
        let dotted = parts('.').filter(|_| name.contains('/'));
        let dotted = dotted.map(|(qualifier, key)| Wanted::new(Some(qualifier), unquoted(key), arity));
        std::iter::once(likely).chain(dotted).chain(whole).collect()
    }

    /// How `candidate`, whose key is what is wanted by `by`, has the name that is wanted.
    fn fit(&self, candidate: &Candidate<'_>, by: Fit) -> Option<Fit> {
        let definition = candidate.definition()?;
        let by_key = if by == Fit::Exact && key(definition) != self.key { Fit::Case } else { by };
        let by_arity = match (self.arity, definition.arity) {
            (None, _) => Fit::Exact,
            (Some(wanted), Some(most))
                if (most.saturating_sub(definition.defaults)..=most).contains(&wanted) =>
            {
                Fit::Exact
            }
            (Some(_), Some(_)) if by_key <= Fit::Case => Fit::Typo,
            _ => return None,
        };
        let of = qualifier(definition);
        let by_qualifier = match self.qualifier {
            Some(wanted) => qualifier_fit(wanted, &self.lower_qualifier, of)?,
            None if of.is_empty() => Fit::Exact,
            None => Fit::Tail,
        };
        Some(by_key.max(by_arity).max(by_qualifier))
    }
}

/// Without the quotes around it, as in `Desk."do it"/1`.
fn unquoted(name: &str) -> &str {
    let inside = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).filter(|name| !name.is_empty()).unwrap_or(name)
}

/// The symbol in a piece of code that is little more than that: `` `add/2` ``, `&Cart.add/2`, `add(cart, item)`, `:lists`.
fn symbol(text: &str) -> &str {
    let text = text.trim_matches('`');
    let text =
        text.strip_prefix(['&', ':']).filter(|rest| rest.starts_with(char::is_alphabetic)).unwrap_or(text);
    match text.split_once('(') {
        Some((name, _)) if name.ends_with(is_word) && !name.contains(char::is_whitespace) => name,
        _ => text,
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '?' | '!')
}

/// What stands before the key in a definition's name.
fn qualifier(definition: &Definition) -> &str {
    use DefinitionKind::{File, Implementation, Module, Protocol, Template};
    let (name, separator) = match definition.kind {
        Module | Protocol | Implementation => (&definition.module, '.'),
        Template | File => (&definition.name, '/'),
        _ => return &definition.module,
    };
    name.rsplit_once(separator).map_or("", |(qualifier, _)| qualifier)
}

/// How `of` is the wanted qualifier. Erlang's modules have a colon, which need not be written.
fn qualifier_fit(wanted: &str, lower: &str, of: &str) -> Option<Fit> {
    let (wanted, of) = (wanted.trim_start_matches(':'), of.trim_start_matches(':'));
    let lower = lower.trim_start_matches(':');
    let ends_with =
        |of: &str, tail: &str| of.strip_suffix(tail).is_some_and(|rest| rest.ends_with(['.', '/']));
    if of == wanted {
        return Some(Fit::Exact);
    }
    if ends_with(of, wanted) {
        return Some(Fit::Tail);
    }
    let lower_of = lowered(of);
    if lower_of == lower || ends_with(&lower_of, lower) {
        return Some(Fit::Case);
    }
    let separators = ['.', '/'];
    let mut parts = of.rsplit(separators);
    let by_parts = lower.rsplit(separators).try_fold(Fit::Exact, |fit, wanted| {
        let part = parts.next()?;
        Some(fit.max(part_fit(wanted, part)?))
    });
    let in_all = || {
        let short: String = lower.chars().filter(|character| !separators.contains(character)).collect();
        let starts = std::iter::once(0).chain(of.match_indices(separators).map(|(at, _)| at + 1));
        let mut tails = starts.filter_map(|at| of.get(at..));
        tails.any(|tail| abbreviates(&short, &lowered(tail), humps(tail))).then_some(Fit::Abbreviation)
    };
    by_parts.into_iter().chain(in_all()).min()
}

fn part_fit(wanted: &str, part: &str) -> Option<Fit> {
    let lower = lowered(part);
    if lower == wanted {
        return Some(Fit::Case);
    }
    if lower.starts_with(wanted) {
        return Some(Fit::Prefix);
    }
    if abbreviates(wanted, &lower, humps(part)) {
        return Some(Fit::Abbreviation);
    }
    let (a, b): (Vec<char>, Vec<char>) = (wanted.chars().collect(), lower.chars().collect());
    distance(&a, &b, typos(a.len())).map(|_| Fit::Typo)
}

/// What was found so far.
struct Found<'n, 'q> {
    lookup: &'q Lookup,
    ranked: Vec<(Fit, InOrder<'n>)>,
}

impl<'n> Found<'n, '_> {
    /// Adds the best of `candidates`, whose keys are what is wanted by `by`, and says how many there are now that are no
    /// worse than this. Many names may have one beginning: of these only as many are looked at closely as are wanted.
    fn add(
        &mut self,
        wanted: &Wanted<'_>,
        by: Fit,
        candidates: impl IntoIterator<Item = Candidate<'n>>,
    ) -> usize {
        let kinds = &self.lookup.kinds;
        let candidates =
            candidates.into_iter().filter(|candidate| kinds.is_empty() || kinds.contains(&candidate.kind));
        let fitting = |it: Candidate<'n>| Some((wanted.fit(&it, by)?, InOrder(it)));
        if by == Fit::Exact {
            self.ranked.extend(candidates.filter_map(fitting));
            return self.no_worse_than(Fit::Case);
        }
        let candidates: Vec<Candidate<'n>> = candidates.collect();
        let mut heap: BinaryHeap<Reverse<(Rank, usize)>> =
            candidates.iter().enumerate().map(|(at, candidate)| Reverse((rank(candidate), at))).collect();
        let mut good = self.no_worse_than(by);
        while good < self.lookup.limit
            && let Some(Reverse((best, first))) = heap.pop()
        {
            // All of one rank, for which are the first of them is only known when they are looked at.
            let mut equals = vec![InOrder(candidates[first])];
            while let Some(Reverse((_, at))) = heap.peek().filter(|next| next.0.0 == best) {
                equals.push(InOrder(candidates[*at]));
                heap.pop();
            }
            equals.sort_unstable();
            for (fit, it) in equals.into_iter().filter_map(|it| fitting(it.0)) {
                good += usize::from(fit <= by);
                self.ranked.push((fit, it));
            }
        }
        good
    }

    fn no_worse_than(&self, most: Fit) -> usize {
        self.ranked.iter().filter(|(fit, _)| *fit <= most).count()
    }

    /// Whether something has the name that is looked up.
    fn has_name(&self) -> bool {
        self.ranked.iter().any(|(fit, _)| *fit <= Fit::Case)
    }

    fn best(mut self) -> Vec<Named> {
        if self.has_name() {
            self.ranked.retain(|(fit, _)| *fit <= Fit::Prefix);
        }
        self.ranked.sort_unstable();
        let mut seen = BTreeSet::new();
        let new = |(_, it): &(Fit, InOrder<'n>)| seen.insert((&*it.0.entry.file.path, it.0.index));
        let named = |(fit, InOrder(candidate)): (Fit, InOrder<'n>)| {
            let definition = candidate.definition()?;
            Some(Named {
                file: candidate.entry.file.path.clone(),
                span: definition.span,
                line: definition
                    .clauses
                    .first()
                    .map_or(definition.span.line_start, |clause| clause.line_start),
                symbol: definition.qualified(),
                kind: definition.kind,
                public: definition.public,
                signature: definition.signature.clone(),
                fit,
            })
        };
        self.ranked.into_iter().filter(new).filter_map(named).take(self.lookup.limit).collect()
    }
}

/// What tells candidates that fit alike apart, the better ones first: as far as the tables know it.
type Rank = (usize, bool, u8, bool, usize);

fn rank(it: &Candidate<'_>) -> Rank {
    (it.distance, it.aside, class(it.kind), !it.public, it.length)
}

/// Candidates by rank, then by the length of the module's name, path and position.
#[derive(Clone, Copy)]
struct InOrder<'n>(Candidate<'n>);

impl Ord for InOrder<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.0, &other.0);
        let module = |it: &Candidate<'_>| it.definition().map_or(0, |definition| definition.module.len());
        rank(a)
            .cmp(&rank(b))
            .then_with(|| module(a).cmp(&module(b)))
            .then_with(|| a.entry.file.path.cmp(&b.entry.file.path))
            .then(a.index.cmp(&b.index))
    }
}

impl PartialOrd for InOrder<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for InOrder<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for InOrder<'_> {}

/// What defines before what declares, and this before what tries.
fn class(kind: DefinitionKind) -> u8 {
    use DefinitionKind as Kind;
    match kind {
        Kind::Module
        | Kind::Protocol
        | Kind::Function
        | Kind::Macro
        | Kind::Guard
        | Kind::Delegate
        | Kind::Struct
        | Kind::Exception
        | Kind::Callback
        | Kind::Schema
        | Kind::Record => 0,
        Kind::Test | Kind::Describe | Kind::Doctest => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
