//! What crosses the boundary is laid out as on the first day of API 1.0: `frozen-1.0.txt`.
//!
//! The page was written by this test, from abi_stable's own description of the module, when 1.0 was frozen. It stays as
//! it is for all of 1.x. On 64-bit platforms, whose pointers it counts.
#![cfg(target_pointer_width = "64")]

use std::collections::{BTreeMap, BTreeSet};

use abi_stable::StableAbi;
use abi_stable::type_layout::{TLData, TLField, TLFunction, TypeLayout};
use oculus_plugin_api::abi::Module_Ref;
use oculus_plugin_api::{FeatureRole, Level, code};

const FROZEN: &str = include_str!("frozen-1.0.txt");

/// What to do about a layout that is another.
const MEND: &str = "API 1.x is frozen: plugins that are out there read these bytes. Undo the change; what is new goes \
                    behind the last field of `Module`, behind the last method of a trait (with a default), into the JSON, \
                    or behind `extension`";

#[test]
fn structs_are_laid_out_as_in_1_0() {
    let now = described();
    let frozen = types(FROZEN);
    for (head, members) in frozen.iter().filter(|(head, _)| head.starts_with("struct")) {
        assert_eq!(now.get(head), Some(members), "`{head}` is no more, or has other fields. {MEND}");
    }
}

#[test]
fn the_module_and_the_traits_begin_as_in_1_0() {
    let now = described();
    let frozen = types(FROZEN);
    for (head, members) in frozen.iter().filter(|(head, _)| !head.starts_with("struct")) {
        let found = now.get(head).unwrap_or_else(|| panic!("`{head}` is no more. {MEND}"));
        let kept = found.iter().zip(members).take_while(|(found, frozen)| found == frozen).count();
        assert_eq!(kept, members.len(), "`{head}` is other from its place {kept} on: {found:#?}. {MEND}");
    }
}

#[test]
fn numbers_that_stand_for_something_are_those_of_1_0() {
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
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8], "{MEND}");
    let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
    assert_eq!(levels.map(|level| level as u32), [1, 2, 3, 4, 5], "{MEND}");
    assert_eq!([FeatureRole::Model, FeatureRole::Rule].map(FeatureRole::code), [0, 1], "{MEND}");
}

/// Each type of the API: its head, and one line a member.
fn described() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    collect(<Module_Ref as StableAbi>::LAYOUT, &mut found, &mut BTreeSet::new());
    found
}

fn collect(
    layout: &'static TypeLayout,
    found: &mut BTreeMap<String, Vec<String>>,
    seen: &mut BTreeSet<*const TypeLayout>,
) {
    if !seen.insert(std::ptr::from_ref(layout)) {
        return;
    }
    if layout.package() == "oculus-plugin-api" {
        found.insert(head(layout), members(layout));
    }
    layout.shared_vars().type_layouts().iter().for_each(|layout| collect(layout(), found, seen));
    layout.phantom_fields().iter().for_each(|field| collect(field.layout(), found, seen));
}

fn head(layout: &TypeLayout) -> String {
    match layout.data() {
        TLData::PrefixType(grows) => {
            let module = layout.mod_path().to_string();
            let of_trait = module.rsplit("::").next().and_then(|module| module.strip_suffix("_trait"));
            let what = of_trait.map_or(format!("module {}", layout.name()), |name| format!("trait {name}"));
            format!("{what}, which grows behind member {}", grows.first_suffix_field)
        }
        _ => format!("struct {}: {} bytes, aligned to {}", layout.name(), layout.size(), layout.alignment()),
    }
}

/// Fields at their places, which follow from the order as in C; a function with its parameters.
fn members(layout: &TypeLayout) -> Vec<String> {
    let mut end = 0;
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let place = |field: TLField| {
        let at = usize::next_multiple_of(end, field.layout().alignment());
        end = at + field.layout().size();
        let functions: Vec<_> = field.function_range().iter().map(signature).collect();
        let what = if functions.is_empty() { spelled(field.layout()) } else { functions.join(", ") };
        format!("at {at}: {} {what}", field.name())
    };
    fields.into_iter().map(place).collect()
}

fn signature(function: TLFunction) -> String {
    let params: Vec<_> = function.param_type_layouts.iter().map(|layout| spelled(layout())).collect();
    let returned = function.return_type_layout().map_or("()".to_owned(), |layout| spelled(layout()));
    format!("({}) -> {returned}", params.join(", "))
}

/// A type with what it holds, which abi_stable's own names leave away.
fn spelled(layout: &TypeLayout) -> String {
    let fields = layout.get_fields().map(|fields| fields.to_vec()).unwrap_or_default();
    let held = |n_fields: usize| fields[..n_fields].iter().map(|field| spelled(field.layout())).collect::<Vec<_>>();
    match layout.name() {
        name @ ("RSlice" | "RSliceMut" | "RVec") => format!("{name}<{}>", held(1).join(", ")),
        name @ "RResult" => format!("{name}<{}>", held(2).join(", ")),
        _ => layout.full_type().to_string().trim().to_owned(),
    }
}

/// Reads the page: a head at the margin, its members below.
fn types(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::<String, Vec<String>>::new();
    let mut head = "";
    for line in page.lines() {
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
