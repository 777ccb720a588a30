//! Tests of groups of models, in whose crate there are `check`, `groups` and `fixture::folder`.

/// Each group with as many models as it has, and a test of its own; and a test that none is left out. Of a folder in the
/// fixtures' the name comes first, with a `/` at its end.
macro_rules! groups {
    (in $folder:literal: $($name:ident: $models:literal,)*) => {
        const GROUPS: &[&str] = &[$(concat!($folder, stringify!($name))),*];

        mod group {
            $(
                #[test]
                fn $name() {
                    crate::check(concat!($folder, stringify!($name)), $models);
                }
            )*
        }

        #[test]
        fn every_group_is_checked() {
            let mut checked = GROUPS.to_vec();
            checked.sort_unstable();
            let found = groups::names(&fixture::folder().join($folder));
            assert_eq!(found.iter().map(|name| format!("{}{name}", $folder)).collect::<Vec<_>>(), checked);
        }
    };
    ($($name:ident: $models:literal,)*) => {
        groups! { in "": $($name: $models,)* }
    };
}

/// What is found of a model, or what is wrong with it.
type Check<Model, Found> = fn(&Model) -> Result<Found, String>;

/// What the checks find of every model of a group, which has `count`. Fails with all that is wrong.
pub fn checked<Model, Found>(
    group: &str,
    count: usize,
    models: &[Model],
    checks: &[Check<Model, Found>],
) -> Vec<Found> {
    assert_eq!(models.len(), count, "models of {group}");
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for result in models.iter().flat_map(|model| checks.iter().map(move |check| check(model))) {
        match result {
            Ok(answer) => found.push(answer),
            Err(reason) => failed.push(reason),
        }
    }
    assert!(failed.is_empty(), "of {count} models of {group}:\n{}", failed.join("\n"));
    found
}
