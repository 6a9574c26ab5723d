/// One key of the configuration, for those that print or check a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key's name within its section.
    pub name: &'static str,
    /// Its documentation, a line each: what it is, its unit and its default.
    pub doc: &'static [&'static str],
}

/// Declares a section of the configuration: the struct, its defaults and its documentation from one text, so that
/// what `skep config show` prints cannot differ from what the code does.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[serde($($serde:tt)*)])?
                pub $field:ident: $type:ty = $default:expr,
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                $(#[serde($($serde)*)])?
                pub $field: $type,
            )*
        }

        impl $name {
            /// The section's keys in the order in which they are written.
            pub const KEYS: &'static [$crate::config::Key] = &[
                $($crate::config::Key { name: stringify!($field), doc: &[$($doc),*] },)*
            ];
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

pub(super) use section;
