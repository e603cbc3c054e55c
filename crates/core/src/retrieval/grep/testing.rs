//! Made-up patterns.

use proptest::prelude::*;

/// A regular expression of few letters, so that it matches now and then.
pub(super) fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab", "abc", "bca", "K", "s", "é", "."]).prop_map(str::to_string),
        1 => prop::sample::select(vec![r"\w", r"\s", "[ab]", "[^a]", r"\b", "^", "$", "(?i:aB)", "(?i:kS)", "[a-cé]", r"\W"])
            .prop_map(str::to_string),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner, prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}", "{2,}", "+?"]))
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    })
}
