//! Reads safetensors files: eight bytes of length, a JSON object that says where each tensor lies, and the tensors.
//!
//! The crate `safetensors` checks the header: shapes, types and offsets agree, and the tensors fill the file without gaps. It
//! wants the whole file in memory; this module reads the header and then single rows, and maps nothing, for the reasons
//! that [`super::gguf`] gives.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};
use candle_core::quantized::GgmlDType;

use super::gguf::AlignedBytes;
use crate::source::{Links, open};
use crate::{Error, ErrorKind, Result};

/// Hundreds of times what encoders have. To read JSON takes several times its size.
const MAX_HEADER: u64 = 1 << 24;

/// A checked header.
pub(super) struct SafeTensors {
    path: PathBuf,
    /// Where the first tensor begins.
    data: u64,
    header: Metadata,
}

impl SafeTensors {
    /// Reads the header, which may not take more than `max_bytes`.
    pub(super) fn open(path: &Path, max_bytes: Option<u64>) -> Result<Self> {
        let fault = |kind, message: String| {
            Error::new(kind, format!("{} cannot be loaded: {message}", path.display())).with_path(path)
        };
        let corrupt = |message| fault(ErrorKind::Corrupt, message);
        let failed = |error| Error::io(path, "read", error);
        let opened = open(path, Links::Followed)?;
        let (mut file, size) = (opened.file, opened.metadata.len());
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| corrupt("it is too short to be a safetensors file".into()))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size.saturating_sub(8) {
            return Err(corrupt(format!("a header of {length} bytes does not fit into it")));
        }
        if max_bytes.is_some_and(|most| length > most) {
            return Err(fault(
                ErrorKind::Limit,
                format!("its header has {length} bytes, more than are allowed"),
            ));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(failed)?;
        let header: Metadata = serde_json::from_slice(&header)
            .map_err(|error| corrupt(format!("what its header says cannot be true: {error}")))?;
        let data = 8 + length;
        if data.checked_add(header.data_len() as u64) != Some(size) {
            return Err(corrupt("its header tells of more or fewer bytes than it has".into()));
        }
        Ok(SafeTensors { path: path.to_path_buf(), data, header })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// Whether there is a tensor `name` of this shape.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.info(name, shape).map(|_| ())
    }

    /// The type of the tensor `name`, which must have this shape, and the bytes of `rows` along its first dimension.
    pub(super) fn read_rows(
        &self,
        name: &str,
        shape: &[usize],
        rows: Range<usize>,
    ) -> Result<(GgmlDType, AlignedBytes)> {
        let (info, dtype) = self.info(name, shape)?;
        let (start, end) = info.data_offsets;
        let row_bytes = (end - start) / shape.first().copied().unwrap_or(1).max(1);
        let failed = |error| Error::io(&self.path, "read", error);
        let mut file = open(&self.path, Links::Followed)?.file;
        let start = self.data + (start + rows.start * row_bytes) as u64;
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok((dtype, AlignedBytes::read(&mut file, rows.len() * row_bytes).map_err(failed)?))
    }

    fn info(&self, name: &str, shape: &[usize]) -> Result<(&TensorInfo, GgmlDType)> {
        let wrong = |message: String| Error::new(ErrorKind::Model, message).with_path(&self.path);
        let info =
            self.header.info(name).ok_or_else(|| wrong(format!("the model has no tensor {name:?}")))?;
        if info.shape != shape {
            return Err(wrong(format!(
                "the model's tensor {name:?} has the shape {:?} and not {shape:?}",
                info.shape
            )));
        }
        let dtype = match info.dtype {
            Dtype::F32 => GgmlDType::F32,
            Dtype::F16 => GgmlDType::F16,
            Dtype::BF16 => GgmlDType::BF16,
            other => {
                return Err(wrong(format!("the model's tensor {name:?} has numbers of the type {other:?}")));
            }
        };
        Ok((info, dtype))
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
        let tensors = SafeTensors::open(&path, Some(1 << 16))?;
        tensors.read_rows("a", &[2, 3], 1..2).map(|_| tensors)
    }

    #[test]
    fn rows_are_those_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let header = r#"{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"F16","shape":[3,2],"data_offsets":[2,14]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(0..14);
        std::fs::write(&path, bytes).unwrap();
        let tensors = SafeTensors::open(&path, None).unwrap();
        let (dtype, read) = tensors.read_rows("a", &[3, 2], 1..3).unwrap();
        assert_eq!((dtype, read.as_slice()), (GgmlDType::F16, &[6, 7, 8, 9, 10, 11, 12, 13][..]));
        assert!(tensors.contains("b") && !tensors.contains("c"));
        assert_eq!(tensors.check("b", &[2]).unwrap_err().kind(), ErrorKind::Model);
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
            ("{}".into(), 12, ErrorKind::Corrupt),
            ("{}".into(), 0, ErrorKind::Model),
            ("[".repeat(10_000), 0, ErrorKind::Corrupt),
            (" ".repeat(100_000) + "{}", 0, ErrorKind::Limit),
            (entry("[2,3]", 12), 13, ErrorKind::Corrupt),
            (entry("[2,3]", 12).replace("F16", "F17"), 12, ErrorKind::Corrupt),
            (entry("[2,3]", 12).replace("[0,", "[1,"), 12, ErrorKind::Corrupt),
            (entry("[2,3]", 12).replace("[0,12]", "[12,0]"), 12, ErrorKind::Corrupt),
            (entry("[2,3]", 12).replace("[0,", "[-1,"), 12, ErrorKind::Corrupt),
            (entry("[4294967296,4294967296]", 12), 12, ErrorKind::Corrupt),
            (format!(r#"{{"a":{}"#, r#"{"dtype":"#.repeat(1000)), 12, ErrorKind::Corrupt),
        ] {
            assert_eq!(open(&header, data).err().map(|error| error.kind()), Some(kind), "{header:.80}");
        }
    }
}
