//! Models as JSON, for families that have no format of their own.
//!
//! Any value that serde can write and read will do: tuples, lists and numbers need no dependency on it. Numbers come back
//! to the bit; one that is not finite is refused when it is read. A lone number goes into a tuple, `(share,)`: half of it
//! would be a number too.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{PluginError, Result};

/// A value as JSON, for [`Model::save`](crate::Model::save).
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
/// [`code::ENGINE`](crate::code::ENGINE) for what JSON cannot hold, such as maps whose keys are no text.
pub fn save(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(PluginError::engine)
}

/// A value from the bytes of [`save`], for [`Model::load`](crate::Model::load).
///
/// # Errors
/// [`code::MODEL`](crate::code::MODEL) for anything else.
pub fn load<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| PluginError::model(format!("no model of this family: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    #[test]
    fn a_model_comes_back_to_the_bit_and_nothing_less_than_whole_is_read() {
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
