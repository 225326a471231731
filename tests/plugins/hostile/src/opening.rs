//! The act that runs while the library is opened, before the host can read anything from it.

use crate::{acts, fields, header};

#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static CONSTRUCTOR: extern "C" fn() = at_open;

extern "C" fn at_open() {
    acts::perform(acts::OPENING);
    header::falsify(&fields::act());
}
