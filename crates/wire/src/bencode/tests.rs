use proptest::prelude::*;

use super::*;
use crate::Malformed;

fn strict(input: &[u8]) -> Result<Tree<'_>, Malformed> {
    Tree::parse(input, &Rules::STRICT)
}

fn refusal(input: &[u8]) -> String {
    strict(input).expect_err(&format!("{} was read", input.escape_ascii())).to_string()
}

#[test]
fn the_specification_s_own_examples() {
    // BEP 3, "bencoding".
    assert_eq!(strict(b"4:spam").unwrap().root().as_bytes(), Some(&b"spam"[..]));
    assert_eq!(strict(b"i3e").unwrap().root().as_int(), Some(3));
    assert_eq!(strict(b"i-3e").unwrap().root().as_int(), Some(-3));
    assert_eq!(strict(b"i0e").unwrap().root().as_int(), Some(0));
    let list = strict(b"l4:spam4:eggse").unwrap();
    let items: Vec<_> = list.root().as_list().unwrap().iter().map(|item| item.as_bytes().unwrap()).collect();
    assert_eq!(items, [b"spam", b"eggs"]);
    let cow = strict(b"d3:cow3:moo4:spam4:eggse").unwrap();
    assert_eq!(cow.root().as_dict().unwrap().bytes("spam"), Ok(Some(&b"eggs"[..])));
    let spam = strict(b"d4:spaml1:a1:bee").unwrap();
    let spam = spam.root().as_dict().unwrap().get("spam").unwrap();
    assert_eq!((spam.raw(), spam.offset()), (&b"l1:a1:be"[..], 7));
    for invalid in ["i-0e", "i03e"] {
        refusal(invalid.as_bytes());
    }
}

#[test]
fn the_writer_writes_the_specification_s_examples() {
    let mut out = Vec::new();
    put_dict(&mut out, |dict| {
        dict.bytes("cow", b"moo");
        dict.list("spam", |out| {
            put_int(out, -3);
            put_int(out, 0);
            put_uint(out, u64::MAX);
            put_int(out, i64::MIN);
        });
    });
    assert_eq!(out, b"d3:cow3:moo4:spamli-3ei0ei18446744073709551615ei-9223372036854775808eee");
}

#[test]
fn numbers_are_strict() {
    for wrong in [
        "ie",
        "i-e",
        "i--1e",
        "i+1e",
        "i 1e",
        "i1 e",
        "i00e",
        "i01e",
        "i-01e",
        "i-0e",
        "i1.5e",
        "i1",
        "i",
        "i9223372036854775808e",
        "i-9223372036854775809e",
        "i99999999999999999999999e",
        "01:a",
        "00:",
        "1",
        "1a",
        "-1:a",
        "4294967296:",
        "99999999999999999999:",
        "2:a",
    ] {
        let reason = refusal(wrong.as_bytes());
        assert!(reason.starts_with("bencode at byte 0 `"), "{wrong}: {reason}");
    }
    assert_eq!(strict(b"i9223372036854775807e").unwrap().root().as_int(), Some(i64::MAX));
    assert_eq!(strict(b"i-9223372036854775808e").unwrap().root().as_int(), Some(i64::MIN));
}

#[test]
fn faults_say_where_and_quote() {
    assert_eq!(
        refusal(b"d1:ai042ee"),
        "bencode at byte 4 `i042e` is not an integer of 64 bits without leading zeros (`i42e`, `i-1e`, `i0e`)"
    );
    assert_eq!(refusal(b"li1e"), "bencode at byte 4 `` is not complete: more is expected");
    assert_eq!(refusal(b"i1ei2e"), "bencode at byte 3 `i2e` is not the end");
    assert_eq!(
        refusal(b"5:abc"),
        "bencode at byte 0 `5:` is not the length of a string that has 3 bytes left for it"
    );
    assert_eq!(refusal(b"d1:ae"), "bencode at byte 4 `e` is not the value of the key before it");
    assert_eq!(refusal(b"di1ei2ee"), "bencode at byte 1 `i` is not a key (`<length>:`)");
    assert_eq!(
        refusal(b"d1:b0:1:a0:e"),
        "bencode at byte 6 `1:a` is not a key that sorts after the one before it"
    );
    assert_eq!(refusal(b"x"), "bencode at byte 0 `x` is not the start of a value (`i`, `l`, `d`, a digit)");
    let tree = strict(b"d4:porti1ee").unwrap();
    let fault = tree.root().as_dict().unwrap().bytes("port").unwrap_err();
    assert_eq!(fault.reason(), "`port` at byte 7 `i1e` is not a string");
}

#[test]
fn keys_in_any_order_only_where_allowed() {
    let input = b"d1:bi1e1:ai2e1:bi3eetail";
    assert!(strict(&input[..20]).is_err());
    let tree = Tree::parse(input, &Rules::LENIENT).unwrap();
    assert_eq!(tree.end(), 20);
    let dict = tree.root().as_dict().unwrap();
    assert_eq!((dict.int("b"), dict.int("a"), dict.int("c")), (Ok(Some(1)), Ok(Some(2)), Ok(None)));
    assert_eq!(dict.iter().count(), 3);
    assert!(strict(b"d1:ai1e1:ai1ee").is_err(), "the same key twice is not canonical");
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    assert!(strict(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(
        refusal(&nested(DEPTH_MAX + 1)),
        "bencode at byte 100 `l` is not allowed here: 100 levels at most"
    );
    let deep = Rules { depth_max: usize::MAX, ..Rules::STRICT };
    let input = nested(1_000_000);
    assert_eq!(Tree::parse(&input, &deep).unwrap().items(), input.len() / 2);
}

#[test]
fn truncation_at_every_byte_is_refused() {
    let whole = b"d4:listl0:i-7e3:abcd1:ki0eee4:name3:\xff\x00ze";
    assert!(strict(whole).is_ok());
    for end in 0..whole.len() {
        assert!(strict(&whole[..end]).is_err(), "{}", whole[..end].escape_ascii());
    }
}

/// The naive model: an ordinary recursive value.
#[derive(Debug, Clone, PartialEq)]
enum Model {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Model>),
    Dict(std::collections::BTreeMap<Vec<u8>, Model>),
}

impl Model {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(int) => put_int(out, *int),
            Self::Bytes(bytes) => put_bytes(out, bytes),
            Self::List(items) => put_list(out, |out| items.iter().for_each(|item| item.write(out))),
            Self::Dict(entries) => put_dict(out, |dict| {
                entries.iter().for_each(|(key, value)| value.write(dict.key(key)));
            }),
        }
    }

    fn read(value: Value<'_, '_>) -> Self {
        if let Some(int) = value.as_int() {
            return Self::Int(int);
        }
        if let Some(bytes) = value.as_bytes() {
            return Self::Bytes(bytes.to_vec());
        }
        if let Some(list) = value.as_list() {
            return Self::List(list.iter().map(Self::read).collect());
        }
        let dict = value.as_dict().unwrap();
        Self::Dict(dict.iter().map(|(key, value)| (key.to_vec(), Self::read(value))).collect())
    }
}

fn model() -> impl Strategy<Value = Model> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![any::<i64>().prop_map(Model::Int), bytes().prop_map(Model::Bytes)];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Model::List),
            proptest::collection::btree_map(bytes(), inner, 0..6).prop_map(Model::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(model in model()) {
        let mut out = Vec::new();
        model.write(&mut out);
        let tree = strict(&out).unwrap();
        prop_assert_eq!(tree.root().raw(), &out[..]);
        prop_assert_eq!(Model::read(tree.root()), model);
        prop_assert!(tree.items() * 2 <= out.len());
    }

    #[test]
    fn any_bytes_are_read_or_refused(input in proptest::collection::vec(
        prop_oneof![4 => proptest::sample::select(&b"ilde0123:-"[..]), 1 => any::<u8>()], 0..64,
    )) {
        if let Ok(tree) = strict(&input) {
            let mut out = Vec::new();
            Model::read(tree.root()).write(&mut out);
            prop_assert_eq!(out, input);
        }
    }
}
