//! The external term format.

use proptest::prelude::*;

use super::super::Limits;
use super::super::term::Terms;
use super::super::testing::{Value, atom, list, tuple};
use super::kind;
use crate::ErrorKind;

const ID: [u8; 4] = *b"Dbgi";

fn terms() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        (any::<u128>(), any::<bool>()).prop_map(|(value, negative)| Value::Big(value, negative)),
        "\\PC{0,300}".prop_map(Value::Atom),
        "[a-zà-ÿ]{0,9}".prop_map(Value::Latin),
        bytes().prop_map(Value::Bytes),
        Just(Value::Nil),
        bytes().prop_map(Value::Binary),
        ("[a-z]{1,5}", "[a-z]{1,5}", any::<u8>())
            .prop_map(|(module, name, arity)| Value::Export(module, name, arity)),
        any::<f64>().prop_map(Value::Float),
        bytes().prop_map(Value::Bits),
        Just(Value::Process),
        Just(Value::Reference),
        bytes().prop_map(Value::Function),
    ];
    leaf.prop_recursive(6, 80, 8, |inner| {
        let many = || prop::collection::vec(inner.clone(), 0..8);
        prop_oneof![
            many().prop_map(Value::Tuple),
            many().prop_map(list),
            (prop::collection::vec(inner.clone(), 1..4), inner.clone())
                .prop_map(|(elements, tail)| Value::List(elements, Box::new(tail))),
            prop::collection::vec((inner.clone(), inner.clone()), 0..5).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(term in terms()) {
        for bytes in [term.encoded(), term.compressed()] {
            let read = Terms::read(&bytes, ID, &Limits::default()).unwrap();
            prop_assert_eq!(Value::of(read.root()), term.seen());
        }
    }

    #[test]
    fn every_cut_of_a_term_is_refused(term in terms()) {
        let bytes = term.encoded();
        for end in 0..bytes.len() {
            prop_assert_eq!(kind(Terms::read(&bytes[..end], ID, &Limits::default())), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn changed_bytes_never_panic(term in terms(), at: prop::sample::Index, byte: u8) {
        let mut bytes = term.encoded();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Terms::read(&bytes, ID, &Limits::default()) {
            Value::of(read.root());
        }
    }
}

#[test]
fn all_tags_of_other_times_are_read() {
    let node = b"\x64\x00\x01n";
    let opaque = |tag: u8, rest: &[u8]| [&[131, tag], rest].concat();
    let with_node = |tag: u8, rest: &[u8]| opaque(tag, &[&node[..], rest].concat());
    let mut float = b"1.50000000000000000000e+00".to_vec();
    float.resize(31, 0);
    for bytes in [
        opaque(99, &float),
        with_node(101, &[0; 5]),
        with_node(102, &[0; 5]),
        with_node(103, &[0; 9]),
        with_node(89, &[0; 8]),
        with_node(120, &[0; 12]),
        opaque(114, &[&[0, 2][..], node, &[0; 9]].concat()),
        // An anonymous function with one variable.
        opaque(117, b"\x00\x00\x00\x01\x67\x64\x00\x01n\0\0\0\0\0\0\0\0\0\x64\x00\x01m\x61\x01\x61\x02\x6a"),
    ] {
        // What follows must be read at its place.
        let both = [&[131, 104, 2], &bytes[1..], &[97, 5]].concat();
        let read = Terms::read(&both, ID, &Limits::default()).unwrap();
        assert_eq!(Value::of(read.root()), tuple([Value::Opaque, Value::Integer(5)]), "tag {}", bytes[1]);
    }
    let long = |tag: u8, rest: &[u8]| [&[131, tag, 0, 0, 0, 1], rest].concat();
    let read = |bytes: &[u8]| Value::of(Terms::read(bytes, ID, &Limits::default()).unwrap().root());
    assert_eq!(read(&long(111, &[1, 7])), Value::Big(7, false));
    assert_eq!(read(&long(105, &[106])), tuple([Value::Nil]));
    assert_eq!(read(&[131, 115, 1, 0xe4]), atom("ä"));
}

#[test]
fn terms_that_promise_too_much_are_refused() {
    let full = u32::MAX.to_be_bytes();
    for tag in [105, 108, 109, 111, 112, 116, 117, 77] {
        let bytes = [&[131, tag], &full[..], &[0; 8]].concat();
        assert_eq!(kind(Terms::read(&bytes, ID, &Limits::default())), ErrorKind::Corrupt, "tag {tag}");
    }
    // Each level promises as much as there are bytes: together they would be the square of it.
    let level = [105, 0, 0, 0x40, 0];
    let bytes = [&[131][..], &level.repeat(4000)].concat();
    assert_eq!(kind(Terms::read(&bytes, ID, &Limits::default())), ErrorKind::Corrupt);
}

#[test]
fn limits_hold() {
    let nested = |depth: usize| [&[131][..], &[104, 1].repeat(depth), &[106]].concat();
    let limits = Limits::default();
    assert!(Terms::read(&nested(limits.nesting), ID, &limits).is_ok());
    assert_eq!(kind(Terms::read(&nested(limits.nesting + 1), ID, &limits)), ErrorKind::Limit);

    let few = Limits { terms: 10, ..limits };
    let count = |count| list((0..count).map(Value::Integer)).encoded();
    assert!(Terms::read(&count(8), ID, &few).is_ok());
    assert_eq!(kind(Terms::read(&count(9), ID, &few)), ErrorKind::Limit);

    let bomb = Value::Binary(vec![0; 1 << 20]).compressed();
    assert!(bomb.len() < 2000);
    assert!(Terms::read(&bomb, ID, &limits).is_ok());
    let small = Limits { inflated: 1 << 19, ..limits };
    assert_eq!(kind(Terms::read(&bomb, ID, &small)), ErrorKind::Limit);
    // It says that it is small, and is not.
    let lying = [&bomb[..2], &100_u32.to_be_bytes(), &bomb[6..]].concat();
    assert_eq!(kind(Terms::read(&lying, ID, &small)), ErrorKind::Corrupt);
}
