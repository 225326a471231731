//! The macros that make a library a plugin.

/// What the macros expand to; not for use by hand.
#[doc(hidden)]
pub mod internal {
    pub use abi_stable::library::{
        __call_root_module_loader, CheckTypeLayout, LibHeader, ROOT_MODULE_LOADER_NAME, RootModuleResult,
    };

    pub use crate::abi::Module_Ref;
    pub use crate::module::{extractor_module, family_module};
}

/// Whether two names are the same, at compile time.
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

/// Exports a [`Family`](crate::Family) or [`PreparedFamily`](crate::PreparedFamily) as the plugin that this library is.
#[macro_export]
macro_rules! export_family {
    ($family:ty) => {
        $crate::__export_module!($crate::internal::family_module::<$family>);
    };
}

/// Exports an [`Extractor`](crate::Extractor) as the plugin that this library is.
#[macro_export]
macro_rules! export_extractor {
    ($extractor:ty) => {
        $crate::__export_module!($crate::internal::extractor_module::<$extractor>);
    };
}

/// Emits the header that the loader looks for. (abi_stable's own attribute would need a direct dependency on it.)
#[doc(hidden)]
#[macro_export]
macro_rules! __export_module {
    ($module:expr) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "a plugin built with panic = \"abort\" takes its process down at the first panic: build it with panic = \"unwind\""
        );

        const _: () = {
            extern "C" fn load_module() -> $crate::internal::RootModuleResult {
                $crate::internal::__call_root_module_loader($module)
            }

            // SAFETY: the name is the loader's own (checked below) and names nothing else.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static HEADER: $crate::internal::LibHeader = {
                assert!($crate::same(
                    "_1as_0lib_1header_0root_bmodule_bloader",
                    $crate::internal::ROOT_MODULE_LOADER_NAME
                ));
                // SAFETY: `load_module` makes a `Module_Ref`, and its layout is exported with it.
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
