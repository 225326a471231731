//! Extensions: values that a plugin passes to the host although the plugin API has no function for
//! them.

/// A value that a plugin passes to the host by name, such as a table of functions.
///
/// The name includes a version (`acme.explain/1`) and determines the layout of the value. A new
/// layout needs a new name. The caller casts the pointer to the type of this layout. The type must
/// be `#[repr(C)]` and contain only types with the same layout on both sides. The value is never
/// moved, changed or dropped. The pointer is valid on any thread until the process exits, because
/// libraries are never closed. Functions of the value must not panic.
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
    /// Creates an extension from a static value.
    // `T` must be `Sync`, because the host may read the value on any thread.
    pub fn of<T: Sync>(value: &'static T) -> Self {
        Self(std::ptr::from_ref(value).cast())
    }

    /// Returns the pointer that crosses the boundary. It is never null.
    pub fn pointer(self) -> *const () {
        self.0
    }
}
