//! Reads and writes models as safetensors: named tensors, and a JSON header with all other parts.
//!
//! In: the header and the tensors of a family's model. Out: a file that other tools can read. Equal
//! models result in equal bytes. The header is the metadata entry `oculus`. It begins with the
//! family and the version of the family's format. A file is checked when it is read. It must be
//! complete and have the expected family and version. Its tensors must have the requested types and
//! shapes, and their numbers must be finite.

use std::collections::HashMap;

use oculus_plugin_api::{PluginError, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Name of the metadata entry with the header.
const KEY: &str = "oculus";

/// The family that writes a file, and the version of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Id of the family.
    pub family: &'static str,
    /// Version of the format. The version is increased when existing readers cannot read new files.
    pub version: u32,
}

/// The header as it is written: the format, then the fields of the family.
#[derive(Serialize)]
struct WrittenHeader<'h, H> {
    family: &'static str,
    format: u32,
    #[serde(flatten)]
    fields: &'h H,
}

/// The part of a header that is read before the fields of the family.
#[derive(Deserialize)]
struct ReadFormat {
    family: String,
    format: u32,
}

/// A type of the numbers in a tensor.
pub trait Element: Copy {
    /// The type in the file.
    const DTYPE: Dtype;
    /// The size in the file, in bytes.
    const N_BYTES: usize;

    /// Appends the little-endian bytes of the number.
    fn push_to(self, bytes: &mut Vec<u8>);

    /// Reads a number from little-endian bytes; returns `None` if their count differs from
    /// [`Element::N_BYTES`].
    fn from_le(bytes: &[u8]) -> Option<Self>;

    /// Returns whether the number is neither NaN nor infinite.
    fn is_finite(self) -> bool;
}

/// Implements [`Element`] for a floating-point type.
macro_rules! float_element {
    ($float:ty, $dtype:expr) => {
        impl Element for $float {
            const DTYPE: Dtype = $dtype;
            const N_BYTES: usize = size_of::<$float>();

            fn push_to(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn from_le(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }

            fn is_finite(self) -> bool {
                self.is_finite()
            }
        }
    };
}

float_element!(f32, Dtype::F32);
float_element!(f64, Dtype::F64);

/// A tensor to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    /// Creates a tensor from its values in row-major order.
    pub fn new<T: Element>(name: impl Into<String>, shape: Vec<usize>, values: impl IntoIterator<Item = T>) -> Self {
        let mut bytes = Vec::new();
        values.into_iter().for_each(|value| value.push_to(&mut bytes));
        Self { name: name.into(), dtype: T::DTYPE, shape, bytes }
    }

    fn view(&self) -> Result<(&str, TensorView<'_>)> {
        let view = TensorView::new(self.dtype, self.shape.clone(), &self.bytes).map_err(PluginError::engine)?;
        Ok((&self.name, view))
    }
}

/// Serialises a model.
///
/// # Errors
/// Returns [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if the number of values of a tensor
/// does not match its shape, or if the header is not a JSON object.
pub fn write_tensor_file<H: Serialize>(format: Format, header: &H, tensors: &[Tensor]) -> Result<Vec<u8>> {
    let header = WrittenHeader { family: format.family, format: format.version, fields: header };
    let header = serde_json::to_string(&header).map_err(PluginError::engine)?;
    let views: Vec<_> = tensors.iter().map(Tensor::view).collect::<Result<_>>()?;
    // A map with one entry has only one order, so equal models result in equal bytes.
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(PluginError::engine)
}

/// A saved model that is complete and has the expected format.
pub struct TensorFile<'b> {
    tensors: SafeTensors<'b>,
    header: String,
}

impl<'b> TensorFile<'b> {
    /// Reads a file of the given format.
    ///
    /// # Errors
    /// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the bytes are not a complete
    /// safetensors file of this format.
    pub fn read(bytes: &'b [u8], expected: Format) -> Result<Self> {
        let invalid = |error| PluginError::model(format!("the bytes are not a complete safetensors file: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(invalid)?;
        // Other tools write safetensors files without this entry; they are valid files, but not
        // models of a plugin.
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)).cloned();
        let header = header.ok_or_else(|| PluginError::model(format!("the header has no entry `{KEY}`")))?;
        let file = Self { tensors, header };
        // The format is read alone, because the other fields may differ between formats.
        let found: ReadFormat = file.header()?;
        if found.family != expected.family || found.format != expected.version {
            let ReadFormat { family, format } = found;
            let Format { family: expected, version } = expected;
            return Err(PluginError::model(format!(
                "found format {format} of `{family}`, expected format {version} of `{expected}`"
            )));
        }
        Ok(file)
    }

    /// Reads the fields of the family from the header.
    ///
    /// # Errors
    /// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if a field is missing or has another
    /// type.
    pub fn header<H: DeserializeOwned>(&self) -> Result<H> {
        serde_json::from_str(&self.header)
            .map_err(|error| PluginError::model(format!("invalid entry `{KEY}` in the header: {error}")))
    }

    /// Reads a tensor of a known type and shape.
    ///
    /// # Errors
    /// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the tensor is missing, has
    /// another type or shape, or contains a number that is not finite.
    pub fn values<T: Element>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>> {
        let tensor = self.tensors.tensor(name);
        let tensor = tensor.map_err(|_| PluginError::model(format!("the tensor {name} is missing")))?;
        if (tensor.dtype(), tensor.shape()) != (T::DTYPE, shape) {
            let dtype = tensor.dtype();
            let found = tensor.shape();
            let expected = T::DTYPE;
            return Err(PluginError::model(format!(
                "invalid tensor {name}: found {dtype:?} {found:?}, expected {expected:?} {shape:?}"
            )));
        }
        // Every chunk has the size of a number, so `from_le` never returns `None` here.
        let values: Vec<T> = tensor.data().chunks_exact(T::N_BYTES).filter_map(T::from_le).collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(PluginError::model(format!("the tensor {name} contains a number that is not finite")));
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use oculus_plugin_api::code;
    use proptest::prelude::*;

    use super::*;

    const FORMAT: Format = Format { family: "linear", version: 3 };

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Header {
        features: Vec<String>,
        clip: f64,
    }

    fn header() -> Header {
        Header { features: vec!["RSI_14".to_owned()], clip: 5.0 }
    }

    fn written(tensors: &[Tensor]) -> Vec<u8> {
        write_tensor_file(FORMAT, &header(), tensors).unwrap()
    }

    fn error_message<T>(result: Result<T>) -> String {
        let error = result.err().unwrap();
        assert_eq!(error.code, code::MODEL);
        error.message.into()
    }

    proptest! {
        #[test]
        fn a_model_is_read_back_bit_by_bit(
            weights in proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::ZERO, 0..40),
            mean in proptest::num::f64::NORMAL,
            features in proptest::collection::vec(".*", 0..5),
        ) {
            let header = Header { features, clip: mean };
            let shape = [weights.len()];
            let tensors = [Tensor::new("w", shape.to_vec(), weights.clone()), Tensor::new("mean", vec![1], [mean])];
            let bytes = write_tensor_file(FORMAT, &header, &tensors).unwrap();
            let file = TensorFile::read(&bytes, FORMAT).unwrap();
            prop_assert_eq!(file.header::<Header>().unwrap(), header);
            prop_assert_eq!(file.values::<f32>("w", &shape).unwrap(), weights);
            prop_assert_eq!(file.values::<f64>("mean", &[1]).unwrap(), [mean]);
        }

        #[test]
        fn arbitrary_bytes_are_rejected_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(TensorFile::read(&bytes, FORMAT).err().unwrap().code, code::MODEL);
        }
    }

    #[test]
    fn the_header_begins_with_family_and_format() {
        let bytes = written(&[Tensor::new("w", vec![1], [0.5f32])]);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let entry = &metadata.metadata().as_ref().unwrap()[KEY];
        assert_eq!(entry, r#"{"family":"linear","format":3,"features":["RSI_14"],"clip":5.0}"#);
    }

    #[test]
    fn truncated_bytes_are_rejected() {
        let bytes = written(&[Tensor::new("w", vec![2], [0.5f32, 1.0])]);
        for end in 0..bytes.len() {
            error_message(TensorFile::read(&bytes[..end], FORMAT));
        }
    }

    #[test]
    fn files_of_another_family_or_version_are_rejected() {
        let bytes = written(&[]);
        let other = Format { family: "other", ..FORMAT };
        assert_eq!(
            error_message(TensorFile::read(&bytes, other)),
            "found format 3 of `linear`, expected format 3 of `other`"
        );
        error_message(TensorFile::read(&bytes, Format { version: 4, ..FORMAT }));
        let plain = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        assert_eq!(error_message(TensorFile::read(&plain, FORMAT)), "the header has no entry `oculus`");
    }

    #[test]
    fn a_header_without_a_field_of_the_family_is_rejected() {
        #[derive(Debug, Deserialize)]
        struct Wider {
            #[expect(dead_code, reason = "only its absence matters")]
            epochs: u32,
        }
        let bytes = written(&[]);
        let message = error_message(TensorFile::read(&bytes, FORMAT).unwrap().header::<Wider>());
        assert!(message.starts_with("invalid entry `oculus` in the header: "), "{message}");
    }

    #[test]
    fn a_tensor_of_another_type_or_shape_than_requested_is_rejected() {
        let tensors = [Tensor::new("w", vec![2, 1], [0.5f32, 1.0]), Tensor::new("bad", vec![1], [f32::NAN])];
        let bytes = written(&tensors);
        let file = TensorFile::read(&bytes, FORMAT).unwrap();
        assert_eq!(file.values::<f32>("w", &[2, 1]).unwrap(), [0.5, 1.0]);
        assert_eq!(
            error_message(file.values::<f32>("w", &[1, 2])),
            "invalid tensor w: found F32 [2, 1], expected F32 [1, 2]"
        );
        error_message(file.values::<f64>("w", &[2, 1]));
        assert_eq!(error_message(file.values::<f32>("v", &[1])), "the tensor v is missing");
        assert_eq!(
            error_message(file.values::<f32>("bad", &[1])),
            "the tensor bad contains a number that is not finite"
        );
    }

    #[test]
    fn a_tensor_that_does_not_fill_its_shape_is_not_written() {
        let result = write_tensor_file(FORMAT, &header(), &[Tensor::new("w", vec![3], [0.5f32])]);
        assert_eq!(result.unwrap_err().code, code::ENGINE);
    }
}
