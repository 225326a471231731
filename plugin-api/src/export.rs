//! The macros that export a plugin from its library.

/// Items that the expanded macros use. They are not part of the stable API.
#[doc(hidden)]
pub mod internal {
    pub use abi_stable::library::{
        __call_root_module_loader, CheckTypeLayout, LibHeader, ROOT_MODULE_LOADER_NAME, RootModuleResult,
    };

    pub use crate::abi::Module_Ref;
    pub use crate::module::{extractor_module, family_module};
}

/// Compares two names at compile time, which `==` on `str` cannot do in a constant.
#[doc(hidden)]
pub const fn same(a: &str, b: &str) -> bool {
    let a = a.as_bytes();
    let b = b.as_bytes();
    let mut idx = 0;
    while idx < a.len() && idx < b.len() && a[idx] == b[idx] {
        idx += 1;
    }
    idx == a.len() && idx == b.len()
}

/// Exports a [`Family`](crate::Family) or [`PreparedFamily`](crate::PreparedFamily) as the plugin
/// of this library. Use it once per library.
///
/// ```standalone_crate
/// # use oculus_plugin_api::prelude::*;
/// # struct BaseRate;
/// # struct Share;
/// # impl Family for BaseRate {
/// #     type Model = Share;
/// #     fn manifest() -> Manifest { Manifest::new("base-rate", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Share> { Ok(Share) }
/// # }
/// # impl Model for Share {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Share) }
/// # }
/// oculus_plugin_api::export_family!(BaseRate);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_family {
    ($family:ty) => {
        $crate::__export_module!($crate::internal::family_module::<$family>);
    };
}

/// Exports an [`Extractor`](crate::Extractor) as the plugin of this library. Use it once per
/// library.
///
/// ```standalone_crate
/// # use oculus_plugin_api::prelude::*;
/// # struct Oversold;
/// # impl Extractor for Oversold {
/// #     fn manifest() -> Manifest { Manifest::new("oversold", "1.0.0").role(Role::Rules) }
/// #     fn extract(
/// #         _: &Table<'_>, _: &Task<'_>, _: &[f32], _: &Params, _: &Ctx<'_, '_>,
/// #     ) -> Result<Vec<MinedRule>> { Ok(Vec::new()) }
/// # }
/// oculus_plugin_api::export_extractor!(Oversold);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_extractor {
    ($extractor:ty) => {
        $crate::__export_module!($crate::internal::extractor_module::<$extractor>);
    };
}

/// Exports the header that the loader of `abi_stable` looks up. The attribute of `abi_stable` would
/// do the same, but it requires each plugin to depend on `abi_stable` directly.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_module {
    ($module:expr) => {
        // The SDK catches panics by unwinding, which `panic = "abort"` disables.
        #[cfg(panic = "abort")]
        compile_error!(
            "with panic = \"abort\" the first panic of a plugin aborts its process: build it with panic = \"unwind\""
        );

        // The unnamed constant keeps the names of these items out of the author's crate.
        const _: () = {
            extern "C" fn load_module() -> $crate::internal::RootModuleResult {
                $crate::internal::__call_root_module_loader($module)
            }

            // SAFETY: the loader looks up this name, as the assertion below checks. No other symbol
            // has the name.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static HEADER: $crate::internal::LibHeader = {
                // `export_name` accepts only a literal, so the literal is compared with the
                // loader's constant.
                assert!($crate::same(
                    "_1as_0lib_1header_0root_bmodule_bloader",
                    $crate::internal::ROOT_MODULE_LOADER_NAME
                ));
                // SAFETY: `load_module` returns a `Module_Ref`, and the header contains its layout.
                unsafe {
                    $crate::internal::LibHeader::from_constructor::<$crate::internal::Module_Ref>(
                        load_module,
                        $crate::internal::CheckTypeLayout::Yes,
                    )
                }
            };
        };
    };
}
