//! A set of rules, each with a name, the section it stands in, and a sentence.

macro_rules! rules {
    ($(#[$doc:meta])* $rules:ident: $($name:ident = $section:literal, $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $rules { $(#[doc = $text] #[doc = ""] #[doc = $section] $name),* }

        impl $rules {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Where the rule stands, such as `RFC 9293 3.10.7.4 first`.
            pub const fn section(self) -> &'static str {
                match self { $(Self::$name => $section),* }
            }

            /// The rule in our words: one sentence, lower case, no full stop.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The variant's name, for machine-readable output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

pub(super) use rules;
