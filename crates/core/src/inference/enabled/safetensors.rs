//! Reads safetensors files: eight bytes of length, a JSON object that says where each tensor lies, and the tensors.
//!
//! Like [`super::gguf`] it checks everything before it takes memory, and reads instead of mapping.
//! Format: <https://huggingface.co/docs/safetensors>

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;

use super::gguf::AlignedBytes;
use crate::source::{Links, open};
use crate::{Error, ErrorKind, Result};

const MAX_HEADER: u64 = 100_000_000;

/// A checked header.
pub(super) struct SafeTensors {
    path: PathBuf,
    /// Where the first tensor begins.
    data: u64,
    entries: HashMap<String, Entry>,
}

struct Entry {
    dtype: GgmlDType,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

#[derive(serde::Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl SafeTensors {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let corrupt = |message: String| {
            Error::new(ErrorKind::Corrupt, format!("{} cannot be loaded: {message}", path.display()))
                .with_path(path)
        };
        let failed = |error| Error::io(path, "read", error);
        let opened = open(path, Links::Followed)?;
        let (mut file, size) = (opened.file, opened.metadata.len());
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| corrupt("it is too short to be a safetensors file".into()))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            return Err(corrupt(format!("a header of {length} bytes does not fit into it")));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(failed)?;
        let header: HashMap<String, serde_json::Value> = serde_json::from_slice(&header)
            .map_err(|error| corrupt(format!("its header is no JSON object: {error}")))?;
        let data = 8 + length;
        let mut entries = HashMap::new();
        for (name, value) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
            let wrong = || corrupt(format!("what its header says of {name:?} cannot be true"));
            let raw: RawEntry = serde_json::from_value(value).map_err(|_| wrong())?;
            let dtype = match raw.dtype.as_str() {
                "F32" => GgmlDType::F32,
                "F16" => GgmlDType::F16,
                "BF16" => GgmlDType::BF16,
                // Such as position numbers in some exports, which are not weights.
                _ => continue,
            };
            let [start, end] = raw.data_offsets;
            let elements = raw
                .shape
                .iter()
                .try_fold(1u64, |product, &dim| product.checked_mul(dim))
                .ok_or_else(wrong)?;
            let bytes = elements.checked_mul(dtype.type_size() as u64).ok_or_else(wrong)?;
            if end.checked_sub(start) != Some(bytes) || end > size - data {
                return Err(wrong());
            }
            let shape = raw.shape.iter().map(|&dim| dim as usize).collect();
            entries.insert(name, Entry { dtype, shape, start, bytes: bytes as usize });
        }
        Ok(SafeTensors { path: path.to_path_buf(), data, entries })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Whether there is a tensor `name` of this shape.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.entry(name, shape).map(|_| ())
    }

    /// The type of the tensor `name`, which must have this shape, and the bytes of `rows` along its first dimension.
    pub(super) fn read_rows(
        &self,
        name: &str,
        shape: &[usize],
        rows: Range<usize>,
    ) -> Result<(GgmlDType, AlignedBytes)> {
        let entry = self.entry(name, shape)?;
        let row_bytes = entry.bytes / shape.first().copied().unwrap_or(1).max(1);
        let failed = |error| Error::io(&self.path, "read", error);
        let mut file = open(&self.path, Links::Followed)?.file;
        let start = self.data + entry.start + (rows.start * row_bytes) as u64;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok((entry.dtype, AlignedBytes::read(&mut file, rows.len() * row_bytes).map_err(failed)?))
    }

    fn entry(&self, name: &str, shape: &[usize]) -> Result<&Entry> {
        let wrong = |message: String| Error::new(ErrorKind::Model, message).with_path(&self.path);
        let entry =
            self.entries.get(name).ok_or_else(|| wrong(format!("the model has no tensor {name:?}")))?;
        if entry.shape != shape {
            return Err(wrong(format!(
                "the model's tensor {name:?} has the shape {:?} and not {shape:?}",
                entry.shape
            )));
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(header: &str, data: usize) -> Result<SafeTensors> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        std::fs::write(&path, bytes).unwrap();
        let tensors = SafeTensors::open(&path)?;
        tensors.read_rows("a", &[2, 3], 1..2).map(|_| tensors)
    }

    #[test]
    fn rows_are_those_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let header = r#"{"a":{"dtype":"F16","shape":[3,2],"data_offsets":[2,14]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(0..14);
        std::fs::write(&path, bytes).unwrap();
        let (dtype, read) = SafeTensors::open(&path).unwrap().read_rows("a", &[3, 2], 1..3).unwrap();
        assert_eq!((dtype, read.as_slice()), (GgmlDType::F16, &[6, 7, 8, 9, 10, 11, 12, 13][..]));
    }

    #[test]
    fn headers_are_checked_against_the_file() {
        let entry = |shape: &str, end: u64| {
            format!(r#"{{"a":{{"dtype":"F16","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
        };
        assert!(open(&entry("[2,3]", 12), 12).is_ok());
        for (header, data, kind) in [
            (entry("[2,3]", 12), 11, ErrorKind::Corrupt),
            (entry("[2,4]", 12), 12, ErrorKind::Corrupt),
            (entry("[2,18446744073709551615]", 12), 12, ErrorKind::Corrupt),
            (entry("[3,2]", 12), 12, ErrorKind::Model),
            ("{}".into(), 12, ErrorKind::Model),
            ("[".repeat(100_000), 0, ErrorKind::Corrupt),
        ] {
            assert_eq!(open(&header, data).err().map(|error| error.kind()), Some(kind), "{header:.80}");
        }
    }
}
