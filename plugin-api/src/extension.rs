//! The way out for what this API did not foresee.

/// A value that a plugin hands over by name, such as a table of functions.
///
/// The name fixes the layout for ever, and carries its version (`acme.explain/1`): whoever asks for it casts the pointer
/// to that layout, which is `#[repr(C)]` and holds nothing that both sides do not lay out alike. The value is never moved,
/// changed or dropped: the pointer holds until the process ends, as libraries are never closed, and is usable on any
/// thread. Panics must not leave functions behind it.
///
/// ```
/// use oculus_plugin_api::Extension;
///
/// #[repr(C)]
/// struct Explain {
///     depth: extern "C" fn(u32) -> u32,
/// }
///
/// extern "C" fn depth(rows: u32) -> u32 {
///     rows.ilog2()
/// }
///
/// static EXPLAIN: Explain = Explain { depth };
///
/// fn extension(name: &str) -> Option<Extension> {
///     (name == "acme.explain/1").then(|| Extension::of(&EXPLAIN))
/// }
/// # assert!(extension("acme.explain/1").is_some() && extension("acme.explain/2").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension(*const ());

impl Extension {
    /// Hands over a value that lives as long as the library.
    pub fn of<T: Sync>(value: &'static T) -> Self {
        Self(std::ptr::from_ref(value).cast())
    }

    /// What crosses the boundary; never null.
    pub fn pointer(self) -> *const () {
        self.0
    }
}
