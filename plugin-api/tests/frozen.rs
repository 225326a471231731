//! Tests that every type that crosses the boundary still has its layout of API 1.0, which
//! `frozen-1.0.txt` describes.
//!
//! When 1.0 was frozen, this test wrote the file from the layout that `abi_stable` reports for the
//! module. The file does not change within 1.x. It contains the sizes of 64-bit platforms.
#![cfg(target_pointer_width = "64")]

use std::collections::{BTreeMap, BTreeSet};

use abi_stable::StableAbi;
use abi_stable::type_layout::{TLData, TLField, TLFunction, TypeLayout};
use oculus_plugin_api::abi::Module_Ref;
use oculus_plugin_api::{FeatureRole, Level, code};

const FROZEN: &str = include_str!("frozen-1.0.txt");

/// The instruction for an author whose change breaks the layout.
const REMEDY: &str = "API 1.x is frozen: released plugins depend on this layout. Undo the change. Add new items after the \
                      last field of `Module`, after the last method of a trait (with a default), to the JSON, or as \
                      an extension";

#[test]
fn structs_have_the_layout_of_1_0() {
    let now = described();
    let frozen = types(FROZEN);
    for (head, members) in frozen.iter().filter(|(head, _)| head.starts_with("struct")) {
        assert_eq!(now.get(head), Some(members), "`{head}` is missing or has other fields. {REMEDY}");
    }
}

#[test]
fn the_module_and_the_traits_begin_as_in_1_0() {
    let now = described();
    let frozen = types(FROZEN);
    for (head, members) in frozen.iter().filter(|(head, _)| !head.starts_with("struct")) {
        let found = now.get(head).unwrap_or_else(|| panic!("`{head}` is missing. {REMEDY}"));
        let n_same = found.iter().zip(members).take_while(|(found, frozen)| found == frozen).count();
        assert_eq!(n_same, members.len(), "`{head}` differs from member {n_same} on: {found:#?}. {REMEDY}");
    }
}

#[test]
fn codes_levels_and_roles_have_the_numbers_of_1_0() {
    let codes = [
        code::PARAMS,
        code::DATA,
        code::CANCELLED,
        code::PANIC,
        code::UNSUPPORTED,
        code::ENGINE,
        code::MODEL,
        code::DEVICE,
    ];
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8], "{REMEDY}");
    let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
    assert_eq!(levels.map(|level| level as u32), [1, 2, 3, 4, 5], "{REMEDY}");
    assert_eq!([FeatureRole::Model, FeatureRole::Rule].map(FeatureRole::code), [0, 1], "{REMEDY}");
}

/// Describes each type of the API: its head, and one line per member.
fn described() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    collect(<Module_Ref as StableAbi>::LAYOUT, &mut found, &mut BTreeSet::new());
    found
}

/// Adds the descriptions of a type and of all types that it refers to.
fn collect(
    layout: &'static TypeLayout,
    found: &mut BTreeMap<String, Vec<String>>,
    visited: &mut BTreeSet<*const TypeLayout>,
) {
    if !visited.insert(std::ptr::from_ref(layout)) {
        return;
    }
    if layout.package() == "oculus-plugin-api" {
        found.insert(head(layout), members(layout));
    }
    layout.shared_vars().type_layouts().iter().for_each(|layout| collect(layout(), found, visited));
    layout.phantom_fields().iter().for_each(|field| collect(field.layout(), found, visited));
}

fn head(layout: &TypeLayout) -> String {
    match layout.data() {
        TLData::PrefixType(grows) => {
            let module = layout.mod_path().to_string();
            let trait_name = module.rsplit("::").next().and_then(|module| module.strip_suffix("_trait"));
            let kind = trait_name.map_or(format!("module {}", layout.name()), |name| format!("trait {name}"));
            format!("{kind}, which grows behind member {}", grows.first_suffix_field)
        }
        _ => format!("struct {}: {} bytes, aligned to {}", layout.name(), layout.size(), layout.alignment()),
    }
}

/// Describes the fields of a type with their offsets. All types are `repr(C)`, so the offsets
/// follow from the order of the fields. A function is described with its parameters.
fn members(layout: &TypeLayout) -> Vec<String> {
    let mut end = 0;
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let describe = |field: TLField| {
        let offset = usize::next_multiple_of(end, field.layout().alignment());
        end = offset + field.layout().size();
        let functions: Vec<_> = field.function_range().iter().map(signature).collect();
        let kind = if functions.is_empty() { spelled(field.layout()) } else { functions.join(", ") };
        format!("at {offset}: {} {kind}", field.name())
    };
    fields.into_iter().map(describe).collect()
}

fn signature(function: TLFunction) -> String {
    let params: Vec<_> = function.param_type_layouts.iter().map(|layout| spelled(layout())).collect();
    let returned = function.return_type_layout().map_or("()".to_owned(), |layout| spelled(layout()));
    format!("({}) -> {returned}", params.join(", "))
}

/// Returns the name of a type with its element types. The names from `abi_stable` omit the element
/// types.
fn spelled(layout: &TypeLayout) -> String {
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let elements = |n_fields: usize| fields[..n_fields].iter().map(|field| spelled(field.layout())).collect::<Vec<_>>();
    match layout.name() {
        name @ ("RSlice" | "RSliceMut" | "RVec") => format!("{name}<{}>", elements(1).join(", ")),
        name @ "RResult" => format!("{name}<{}>", elements(2).join(", ")),
        _ => layout.full_type().to_string().trim().to_owned(),
    }
}

/// Parses a description: a head without indentation, followed by its indented members.
fn types(description: &str) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::<String, Vec<String>>::new();
    let mut head = "";
    for line in description.lines() {
        match line.strip_prefix("    ") {
            Some(member) => types.entry(head.to_owned()).or_default().push(member.to_owned()),
            None => {
                head = line;
                types.insert(line.to_owned(), Vec::new());
            }
        }
    }
    types
}
