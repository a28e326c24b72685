//! How often things happened: chance must get far enough to matter.

macro_rules! seen {
    ($($what:ident: $least:literal,)+) => {
        /// How often something happened.
        #[derive(Clone, Debug, Default)]
        pub(in crate::call::model) struct Seen { $(pub(in crate::call::model) $what: u32,)+ }

        impl Seen {
            pub(in crate::call::model) fn add(&mut self, other: &Self) {
                $(self.$what += other.$what;)+
            }

            /// More than so often in 400 runs.
            pub(in crate::call::model) fn check(&self) {
                $(assert!(self.$what > $least, "{}: {self:?}", stringify!($what));)+
            }
        }
    };
}

seen!(
    conversations: 200,
    takes: 100,
    overrides: 5,
    transfers: 20,
    withdrawals: 10,
    failed_units: 50,
    missed: 50,
    quiet: 20,
    handed_over: 20,
    returned: 20,
    consulted: 20,
    conferences: 10,
    replaced: 20,
    outside: 10,
    referred: 5,
    lost: 50,
    reattached: 20,
    requeued: 5,
    paused_while_lost: 5,
    supervised: 50,
    listened: 20,
    whispered: 20,
    barged: 20,
);
