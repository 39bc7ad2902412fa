//! Deliberately wrong variants, for tests that must see them fail. Without the feature
//! `failpoints` none of them is compiled in.

/// Whether the variant of that name is switched on.
pub(super) fn is_broken(variant: &str) -> bool {
    #[cfg(not(feature = "failpoints"))]
    let _ = variant;
    fail::fail_point!(variant, |_| true);
    false
}
