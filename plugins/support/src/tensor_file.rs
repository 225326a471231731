//! Models as safetensors: tensors under their names, and all the rest as JSON in the file's header.
//!
//! In: a family's header and tensors. Out: bytes, equal for equal models, which other tools read too.
//! The JSON is the metadata entry `oculus`; it begins with the family and the version of its format.
//! Bytes are checked when they are read: the file is complete, of this family and version, and its
//! numbers are finite and of the requested type and shape.

use std::collections::HashMap;

use oculus_plugin_api::{PluginError, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The metadata entry that holds the header.
const KEY: &str = "oculus";

/// Who wrote a file, and in which version of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The family.
    pub family: &'static str,
    /// The version, which grows when a reader of today could not read the file.
    pub version: u32,
}

/// The header as it is written: the format, then the family's own fields.
#[derive(Serialize)]
struct WrittenHeader<'h, H> {
    family: &'static str,
    format: u32,
    #[serde(flatten)]
    own: &'h H,
}

/// The part of a header that is read before the family's own fields.
#[derive(Deserialize)]
struct ReadFormat {
    family: String,
    format: u32,
}

/// A number of a tensor.
pub trait Element: Copy {
    /// Its type in the file.
    const DTYPE: Dtype;
    /// Its size in the file.
    const N_BYTES: usize;

    /// Appends its little-endian bytes.
    fn push_to(self, bytes: &mut Vec<u8>);

    /// Reads its little-endian bytes; `None` for another number of bytes.
    fn from_le(bytes: &[u8]) -> Option<Self>;

    /// Returns whether it is neither NaN nor infinite.
    fn is_finite(self) -> bool;
}

/// Implements [`Element`] for a floating-point type by its own little-endian bytes.
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
    /// Takes the values of a tensor, the last dimension innermost.
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

/// Writes a model as bytes.
///
/// # Errors
/// [`code::ENGINE`](oculus_plugin_api::code::ENGINE) for a tensor whose values do not fill its shape,
/// and for a header that is not a JSON object.
pub fn write_tensor_file<H: Serialize>(format: Format, header: &H, tensors: &[Tensor]) -> Result<Vec<u8>> {
    let header = WrittenHeader { family: format.family, format: format.version, own: header };
    let header = serde_json::to_string(&header).map_err(PluginError::engine)?;
    let views: Vec<_> = tensors.iter().map(Tensor::view).collect::<Result<_>>()?;
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(PluginError::engine)
}

/// A saved model, whole and of the expected format.
pub struct TensorFile<'b> {
    tensors: SafeTensors<'b>,
    header: String,
}

impl<'b> TensorFile<'b> {
    /// Reads a file of the given format.
    ///
    /// # Errors
    /// [`code::MODEL`](oculus_plugin_api::code::MODEL) for bytes that are not a whole safetensors
    /// file, or not one of this format.
    pub fn read(bytes: &'b [u8], needed: Format) -> Result<Self> {
        let not_whole = |error| PluginError::model(format!("not a whole safetensors file: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(not_whole)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_whole)?;
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY)).cloned();
        let header = header.ok_or_else(|| PluginError::model(format!("the header has no entry `{KEY}`")))?;
        let file = Self { tensors, header };
        let found: ReadFormat = file.header()?;
        if found.family != needed.family || found.format != needed.version {
            let ReadFormat { family, format } = found;
            let Format { family: needed, version } = needed;
            return Err(PluginError::model(format!(
                "found format {format} of `{family}`, needed format {version} of `{needed}`"
            )));
        }
        Ok(file)
    }

    /// Reads the family's own fields of the header.
    ///
    /// # Errors
    /// [`code::MODEL`](oculus_plugin_api::code::MODEL) for JSON that lacks one of them.
    pub fn header<H: DeserializeOwned>(&self) -> Result<H> {
        serde_json::from_str(&self.header)
            .map_err(|error| PluginError::model(format!("the entry `{KEY}` of the header cannot be read: {error}")))
    }

    /// Reads a tensor of a known type and shape.
    ///
    /// # Errors
    /// [`code::MODEL`](oculus_plugin_api::code::MODEL) for a tensor that is missing, is of another
    /// type or shape, or holds a number that is not finite.
    pub fn values<T: Element>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>> {
        let tensor = self.tensors.tensor(name);
        let tensor = tensor.map_err(|_| PluginError::model(format!("the tensor {name} is missing")))?;
        if (tensor.dtype(), tensor.shape()) != (T::DTYPE, shape) {
            let dtype = tensor.dtype();
            let found = tensor.shape();
            let needed = T::DTYPE;
            return Err(PluginError::model(format!("{name} is {dtype:?} {found:?}, needed {needed:?} {shape:?}")));
        }
        let values: Vec<T> = tensor.data().chunks_exact(T::N_BYTES).filter_map(T::from_le).collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(PluginError::model(format!("{name} holds a number that is not finite")));
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

    fn refused<T>(result: Result<T>) -> String {
        let error = result.err().unwrap();
        assert_eq!(error.code, code::MODEL);
        error.message.into()
    }

    proptest! {
        #[test]
        fn a_model_comes_back_to_the_bit(
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
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
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
    fn bytes_that_are_cut_short_are_refused() {
        let bytes = written(&[Tensor::new("w", vec![2], [0.5f32, 1.0])]);
        for end in 0..bytes.len() {
            refused(TensorFile::read(&bytes[..end], FORMAT));
        }
    }

    #[test]
    fn files_of_another_family_or_version_are_refused() {
        let bytes = written(&[]);
        let other = Format { family: "other", ..FORMAT };
        assert_eq!(refused(TensorFile::read(&bytes, other)), "found format 3 of `linear`, needed format 3 of `other`");
        refused(TensorFile::read(&bytes, Format { version: 4, ..FORMAT }));
        let plain = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
        assert_eq!(refused(TensorFile::read(&plain, FORMAT)), "the header has no entry `oculus`");
    }

    #[test]
    fn a_header_without_a_field_of_the_family_is_refused() {
        #[derive(Debug, Deserialize)]
        struct Wider {
            #[expect(dead_code, reason = "only its absence matters")]
            epochs: u32,
        }
        let bytes = written(&[]);
        let message = refused(TensorFile::read(&bytes, FORMAT).unwrap().header::<Wider>());
        assert!(message.starts_with("the entry `oculus` of the header cannot be read: "), "{message}");
    }

    #[test]
    fn a_tensor_of_another_type_or_shape_than_requested_is_refused() {
        let tensors = [Tensor::new("w", vec![2, 1], [0.5f32, 1.0]), Tensor::new("bad", vec![1], [f32::NAN])];
        let bytes = written(&tensors);
        let file = TensorFile::read(&bytes, FORMAT).unwrap();
        assert_eq!(file.values::<f32>("w", &[2, 1]).unwrap(), [0.5, 1.0]);
        assert_eq!(refused(file.values::<f32>("w", &[1, 2])), "w is F32 [2, 1], needed F32 [1, 2]");
        refused(file.values::<f64>("w", &[2, 1]));
        assert_eq!(refused(file.values::<f32>("v", &[1])), "the tensor v is missing");
        assert_eq!(refused(file.values::<f32>("bad", &[1])), "bad holds a number that is not finite");
    }

    #[test]
    fn a_tensor_that_does_not_fill_its_shape_is_not_written() {
        let result = write_tensor_file(FORMAT, &header(), &[Tensor::new("w", vec![3], [0.5f32])]);
        assert_eq!(result.unwrap_err().code, code::ENGINE);
    }
}
