//! Positions in the pack's tables. Ids are for files and messages; the code works on indices.

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position as an array index.
            pub const fn at(self) -> usize {
                self.0 as usize
            }

            /// The index of position `i`; tables are far smaller than `u32::MAX` rows.
            pub const fn new(i: usize) -> Self {
                Self(i as u32)
            }
        }
    };
}

index! {
    /// Position of a finding in [`Pack::findings`](crate::Pack::findings).
    FindingIx
}
index! {
    /// Position of a condition in [`Pack::conditions`](crate::Pack::conditions).
    ConditionIx
}
index! {
    /// Position of a herb in [`Pack::herbs`](crate::Pack::herbs).
    HerbIx
}
