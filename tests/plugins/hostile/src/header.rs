//! The header that the host's loader reads, and the changes that an act makes to it when the
//! library is opened.

use std::cell::UnsafeCell;

use abi_stable::library::{AbiHeader, CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RResult, RString};
use oculus_plugin_api::PluginError;
use oculus_plugin_api::abi::{Module, Module_Ref};

use crate::family::Hostile;
use crate::fields;

/// A header that may change once, before the host reads it.
#[repr(transparent)]
pub(crate) struct Header(UnsafeCell<LibHeader>);

// SAFETY: only the library's constructor writes the header, and it runs before the host can find
// the header.
unsafe impl Sync for Header {}

// SAFETY: the name is the one that abi_stable's loader searches, and no other symbol has it.
#[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
static HEADER: Header = Header(UnsafeCell::new(valid_header(CheckTypeLayout::Yes)));

/// Builds a valid header.
const fn valid_header(layout: CheckTypeLayout) -> LibHeader {
    // SAFETY: `load_module` returns a `Module_Ref`.
    unsafe { LibHeader::from_constructor::<Module_Ref>(load_module, layout) }
}

/// Changes the header if the act is one of the header acts.
pub(crate) fn falsify(act: &str) {
    let header = HEADER.0.get();
    match act {
        "abi-0-10" => {
            // SAFETY: see `Header`; every header begins with an `AbiHeader`.
            unsafe { (*header.cast::<AbiHeader>()).abi_minor = 10 }
        }
        "no-layout" => {
            // SAFETY: see `Header`.
            unsafe { header.write(valid_header(CheckTypeLayout::No)) }
        }
        "api-2" => {
            // SAFETY: `load_module` returns no `Next_Ref`, but a host of API 1 never calls
            // `load_module` through this header.
            let next = unsafe { LibHeader::from_constructor::<next::Next_Ref>(load_module, CheckTypeLayout::Yes) };
            // SAFETY: see `Header`.
            unsafe { header.write(next) }
        }
        _ => {}
    }
}

extern "C" fn load_module() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(module)
}

/// Returns the family's module; an act may replace its manifest with invalid JSON.
fn module() -> Module_Ref {
    let family = oculus_plugin_api::internal::family_module::<Hostile>();
    if fields::act() != "invalid-manifest" {
        return family;
    }
    let prepare = family.prepare();
    let load = family.load();
    let extract = family.extract();
    let extension = family.extension();
    Module { describe: invalid_manifest, prepare, load, extract, extension }.leak_into_prefix()
}

extern "C" fn invalid_manifest() -> RResult<RString, PluginError> {
    RResult::ROk("not JSON".into())
}

mod next {
    //! The module of a future API.
    #![allow(
        non_camel_case_types,
        dead_code,
        unreachable_pub,
        reason = "abi_stable's own style; no host ever calls it"
    )]

    use abi_stable::StableAbi;
    use abi_stable::library::RootModule;
    use abi_stable::sabi_types::VersionStrings;
    use abi_stable::std_types::RString;

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = Next_Ref)))]
    pub struct Next {
        #[sabi(last_prefix_field)]
        pub describe: extern "C" fn() -> RString,
    }

    impl RootModule for Next_Ref {
        abi_stable::declare_root_module_statics! {Next_Ref}
        const BASE_NAME: &'static str = "oculus_plugin";
        const NAME: &'static str = "oculus_plugin";
        const VERSION_STRINGS: VersionStrings = VersionStrings::new("2.0.0");
    }
}
