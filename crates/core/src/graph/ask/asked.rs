//! What a name that somebody asks for can mean.

use std::borrow::Cow;

/// A name is taken apart at so many dots.
const MOST_DOTS: usize = 8;

/// A way to understand a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading<'q> {
    /// Empty where the name has none.
    pub(super) module: Cow<'q, str>,
    pub(super) name: &'q str,
    pub(super) arity: Option<u8>,
}

/// The ways to understand a name, the likely one first: `Mod.fun/2`, also `&Mod.fun/2`, `mod:fun/2` as Erlang writes it, and
/// names in quotes. A name may itself hold dots and slashes, as `Mod.//2` and `:mod.a/b/1` do.
pub(super) fn readings(query: &str) -> Vec<Reading<'_>> {
    let query = query.trim();
    let query = query.strip_prefix('&').filter(|rest| rest.contains('/')).unwrap_or(query);
    let with_arity = query.rsplit_once('/').and_then(|(name, arity)| Some((name, arity.parse::<u8>().ok()?)));
    let with_arity = with_arity.filter(|(name, _)| !name.is_empty());
    let ways = with_arity.map(|(name, arity)| (name, Some(arity))).into_iter().chain([(query, None)]);
    let mut found = Vec::new();
    for (name, arity) in ways {
        let dots = name.rmatch_indices('.').take(MOST_DOTS).map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
        let dotted =
            dots.map(|(module, name)| Reading { module: module.into(), name: unquoted(name), arity });
        let colon = name.rmatch_indices(':').map(|(colon, _)| (&name[..colon], &name[colon + 1..]));
        // An Erlang module is printed with a colon before it.
        let colon = colon.take(1).filter(|(module, _)| !module.is_empty() && !module.ends_with(':')).map(
            |(module, name)| Reading {
                module: format!(":{}", unquoted(module.trim_start_matches(':'))).into(),
                name: unquoted(name),
                arity,
            },
        );
        let alone = Reading { module: "".into(), name: unquoted(name), arity };
        let all = dotted.chain(colon).chain([alone]);
        found.extend(all.filter(|reading| !reading.name.is_empty()));
    }
    found
}

/// Without the quotes around it.
fn unquoted(name: &str) -> &str {
    let inside = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_all_the_ways_that_they_are_written() {
        for (query, module, name, arity) in [
            ("Shop.Cart.add/2", "Shop.Cart", "add", Some(2)),
            ("&Shop.Cart.add/2", "Shop.Cart", "add", Some(2)),
            ("add/2", "", "add", Some(2)),
            ("Desk.//2", "Desk", "/", Some(2)),
            ("Desk...///3", "Desk", "..//", Some(3)),
            ("Desk.../2", "Desk", "..", Some(2)),
            (":ticket_srv.a/b/1", ":ticket_srv", "a/b", Some(1)),
            ("ticket_srv:open/1", ":ticket_srv", "open", Some(1)),
            (":ticket_srv:open/1", ":ticket_srv", "open", Some(1)),
            ("'ticket srv':'do it'/1", ":ticket srv", "do it", Some(1)),
            ("Desk.\"do it\"/1", "Desk", "do it", Some(1)),
            ("Desk.a.b/1", "Desk", "a.b", Some(1)),
            ("//2", "", "/", Some(2)),
            ("+/2", "", "+", Some(2)),
            ("/", "", "/", None),
        ] {
            let wanted = Reading { module: module.into(), name, arity };
            assert!(readings(query).contains(&wanted), "{query}: {:?}", readings(query));
        }
        assert_eq!(readings("Shop.Cart.add/2")[0].module, "Shop.Cart");
        assert_eq!(readings(""), []);
    }
}
