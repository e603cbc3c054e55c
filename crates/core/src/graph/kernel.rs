//! What every module imports: the names of `Kernel`, as its documentation lists them (Elixir 1.14 to 1.18).

/// Functions, with their arities.
#[rustfmt::skip]
const FUNCTIONS: &[(&str, &[u8])] = &[
    ("abs", &[1]), ("apply", &[2, 3]), ("binary_part", &[3]), ("binary_slice", &[2, 3]), ("bit_size", &[1]),
    ("byte_size", &[1]), ("ceil", &[1]), ("div", &[2]), ("elem", &[2]), ("exit", &[1]), ("floor", &[1]),
    ("function_exported?", &[3]), ("get_and_update_in", &[3]), ("get_in", &[2]), ("hd", &[1]), ("inspect", &[1, 2]),
    ("is_atom", &[1]), ("is_binary", &[1]), ("is_bitstring", &[1]), ("is_boolean", &[1]), ("is_float", &[1]),
    ("is_function", &[1, 2]), ("is_integer", &[1]), ("is_list", &[1]), ("is_map", &[1]), ("is_map_key", &[2]),
    ("is_number", &[1]), ("is_pid", &[1]), ("is_port", &[1]), ("is_reference", &[1]), ("is_tuple", &[1]),
    ("length", &[1]), ("macro_exported?", &[3]), ("make_ref", &[0]), ("map_size", &[1]), ("max", &[2]), ("min", &[2]),
    ("node", &[0, 1]), ("not", &[1]), ("pop_in", &[2]), ("put_elem", &[3]), ("put_in", &[3]), ("rem", &[2]),
    ("round", &[1]), ("self", &[0]), ("send", &[2]), ("spawn", &[1, 3]), ("spawn_link", &[1, 3]),
    ("spawn_monitor", &[1, 3]), ("struct", &[1, 2]), ("struct!", &[1, 2]), ("throw", &[1]), ("tl", &[1]),
    ("to_timeout", &[1]), ("trunc", &[1]), ("tuple_size", &[1]), ("update_in", &[3]),
];

/// Macros that look like calls, with their arities.
#[rustfmt::skip]
const MACROS: &[(&str, &[u8])] = &[
    ("alias!", &[1]), ("binding", &[0, 1]), ("dbg", &[0, 1, 2]), ("destructure", &[2]), ("get_and_update_in", &[2]),
    ("is_exception", &[1, 2]), ("is_nil", &[1]), ("is_non_struct_map", &[1]), ("is_struct", &[1, 2]), ("match?", &[2]),
    ("pop_in", &[1]), ("put_in", &[2]), ("raise", &[1, 2]), ("reraise", &[2, 3]), ("tap", &[2]), ("then", &[2]),
    ("to_char_list", &[1]), ("to_charlist", &[1]), ("to_string", &[1]), ("update_in", &[2]), ("var!", &[1, 2]),
];

/// Whether `Kernel` has this function.
pub(super) fn is_function(name: &str, arity: u8) -> bool {
    has(FUNCTIONS, name, arity)
}

/// Whether `Kernel` has this macro.
pub(super) fn is_macro(name: &str, arity: u8) -> bool {
    has(MACROS, name, arity)
}

fn has(list: &[(&str, &[u8])], name: &str, arity: u8) -> bool {
    list.binary_search_by(|(known, _)| (*known).cmp(name)).is_ok_and(|at| list[at].1.contains(&arity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_the_search() {
        assert!(FUNCTIONS.is_sorted_by_key(|(name, _)| *name));
        assert!(MACROS.is_sorted_by_key(|(name, _)| *name));
        assert!(is_function("spawn", 3) && !is_function("spawn", 2) && is_macro("tap", 2));
    }
}
