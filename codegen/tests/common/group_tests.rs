//! Tests of groups of models, in whose crate there are `check`, `groups` and `fixture::folder`.

/// Each group with as many models as it has, and a test of its own; and a test that none is left out.
macro_rules! groups {
    ($($name:ident: $models:literal,)*) => {
        const GROUPS: &[&str] = &[$(stringify!($name)),*];

        mod group {
            $(
                #[test]
                fn $name() {
                    crate::check(stringify!($name), $models);
                }
            )*
        }

        #[test]
        fn every_group_is_checked() {
            let mut checked = GROUPS.to_vec();
            checked.sort_unstable();
            assert_eq!(groups::names(&fixture::folder()), checked);
        }
    };
}
