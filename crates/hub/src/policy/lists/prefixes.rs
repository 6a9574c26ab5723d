/// Texts that others may begin with, in order, and none that begins with another of them: so the only one that a text
/// can begin with is the last that is not behind it.
#[derive(Debug, Default)]
pub(super) struct Prefixes(Box<[Box<[u8]>]>);

impl Prefixes {
    pub(super) fn new(mut prefixes: Vec<Box<[u8]>>) -> Self {
        prefixes.sort_unstable();
        // What begins with another follows it at once.
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter));
        Self(prefixes.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has_one_of(&self, text: &[u8]) -> bool {
        let behind = self.0.partition_point(|prefix| **prefix <= *text);
        behind.checked_sub(1).is_some_and(|at| text.starts_with(&self.0[at]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_has_what_one_of_them_begins(
            prefixes in prop::collection::vec("[a-c]{1,4}", 0..12),
            texts in prop::collection::vec("[a-c]{0,6}", 1..20),
        ) {
            let known = Prefixes::new(prefixes.iter().map(|prefix| prefix.as_bytes().into()).collect());
            for text in texts {
                let expected = prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()));
                prop_assert_eq!(known.has_one_of(text.as_bytes()), expected, "{}", text);
            }
        }
    }
}
