//! Models as JSON, for families without a file format.
//!
//! Every type that implements the serde traits can be used. Tuples, lists and numbers do not
//! require a dependency on serde. Finite numbers are preserved exactly. [`load`] rejects other
//! numbers. Put a single number into a tuple, `(share,)`. A bare number that is truncated is still
//! a valid number, so a damaged file would not be detected.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{PluginError, Result};

/// Writes a value as JSON, for [`Model::save`](crate::Model::save).
///
/// ```
/// use oculus_plugin_api::json;
///
/// let bytes = json::save(&(0.1, vec![("RSI_14", -2.5)]))?;
/// let (intercept, weights): (f64, Vec<(String, f64)>) = json::load(&bytes)?;
/// assert_eq!((intercept, weights[0].1), (0.1, -2.5));
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
///
/// # Errors
/// [`code::ENGINE`](crate::code::ENGINE) if JSON cannot represent the value, for example a map with
/// keys that are not texts.
pub fn save(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(PluginError::engine)
}

/// Reads a value from the bytes of [`save`], for [`Model::load`](crate::Model::load).
///
/// ```
/// use oculus_plugin_api::{code, json};
///
/// let (share,): (f32,) = json::load(b"[0.25]")?;
/// assert_eq!(share, 0.25);
/// assert_eq!(json::load::<(f32,)>(b"[0.25").unwrap_err().code, code::MODEL);
/// # Ok::<(), oculus_plugin_api::PluginError>(())
/// ```
///
/// # Errors
/// [`code::MODEL`](crate::code::MODEL) if the bytes are not the JSON of such a value.
pub fn load<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // `from_slice` rejects text after the value, so bytes of another format are not accepted by
    // accident.
    serde_json::from_slice(bytes).map_err(|error| PluginError::model(format!("invalid model: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn numbers_are_preserved_exactly_and_truncated_bytes_are_rejected() {
        let model = (f64::MIN_POSITIVE, vec![(String::from("a\n\"b\""), 0.1f32), (String::new(), -1e30)]);
        let bytes = save(&model).unwrap();
        assert_eq!(load::<(f64, Vec<(String, f32)>)>(&bytes).unwrap(), model);
        for end in 0..bytes.len() {
            assert_eq!(load::<(f64, Vec<(String, f32)>)>(&bytes[..end]).unwrap_err().code, code::MODEL, "{end} bytes");
        }
        let not_finite = save(&(f64::NAN, Vec::<(String, f32)>::new())).unwrap();
        assert_eq!(load::<(f64, Vec<(String, f32)>)>(&not_finite).unwrap_err().code, code::MODEL);
    }
}
