//! Fields in the library's file that tests overwrite: `oculus-test:<name>=<value>`, padded with
//! spaces and terminated by a semicolon.

/// Builds the bytes of a field with its initial value.
const fn field<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    let mut bytes = [b' '; N];
    let mut idx = 0;
    while idx < text.len() {
        bytes[idx] = text[idx];
        idx += 1;
    }
    bytes[N - 1] = b';';
    bytes
}

static ID: [u8; 64] = field("oculus-test:id=hostile");
static BUILD: [u8; 32] = field("oculus-test:build=0");
static ACT: [u8; 64] = field("oculus-test:act=none");
static FILE: [u8; 256] = field("oculus-test:file=");

/// Returns the plugin's id.
pub(crate) fn id() -> String {
    value(&ID)
}

/// Returns the last number of the plugin's version.
pub(crate) fn build() -> String {
    value(&BUILD)
}

/// Returns the act that the library performs.
pub(crate) fn act() -> String {
    value(&ACT)
}

/// Returns the path of the file that some acts write or wait for.
pub(crate) fn file() -> String {
    value(&FILE)
}

/// Reads the value of a field from the loaded file.
///
/// `black_box` hides the initial value from the compiler, which would otherwise evaluate the field
/// at build time.
fn value(field: &'static [u8]) -> String {
    let field = String::from_utf8_lossy(std::hint::black_box(field));
    let value = field.split_once('=').map_or("", |(_, value)| value);
    value.trim_end_matches(';').trim_end().to_owned()
}
