//! Reads GGUF files of versions 2 and 3, and trusts nothing in them.
//!
//! The header is read and checked before any tensor is: every length is compared with what is left of the file before
//! memory is taken for it, so a hostile file can make us allocate little more than its own size. Tensors are read, not
//! mapped: a mapping of a file that another program truncates ends the process with SIGBUS.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;

use crate::source::{Links, open};
use crate::{Error, ErrorKind, Result};

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
const NEWEST_VERSION: u32 = 3;
const MAX_ENTRIES: u64 = 1 << 16;
const MAX_NAME: u64 = 1 << 16;
/// Several times the vocabulary and merges of any model, and small beside its weights.
const MAX_HEADER: u64 = 1 << 26;
const DEFAULT_ALIGNMENT: u64 = 32;

/// A checked header, and the file that it describes.
#[derive(Debug)]
pub(super) struct Gguf {
    path: PathBuf,
    header_bytes: u64,
    metadata: HashMap<String, Value>,
    tensors: HashMap<String, TensorInfo>,
}

/// Where a tensor lies. Its bytes are known to be within the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorInfo {
    pub(super) dtype: GgmlDType,
    /// Rows, then columns, as everywhere but in GGUF: the last dimension is the one that lies together in memory.
    pub(super) shape: Vec<usize>,
    pub(super) bytes: usize,
    offset: u64,
}

impl TensorInfo {
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A value of the metadata. Arrays stay packed, so that they take no more memory than they do in the file.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    String(String),
    Strings { text: String, ends: Vec<u32> },
    Numbers { kind: u32, bytes: Vec<u8> },
}

impl Gguf {
    /// Reads and checks the header of the file at `path`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = open(path, Links::Followed)?;
        let size = opened.metadata.len();
        let mut reader = HeaderReader { inner: BufReader::new(opened.file), position: 0, size };
        let (metadata, tensors) = header(&mut reader).map_err(|error| {
            Error::new(error.kind(), format!("{} cannot be loaded: {error}", path.display())).with_path(path)
        })?;
        Ok(Gguf { path: path.to_path_buf(), header_bytes: reader.position, metadata, tensors })
    }

    /// The bytes of the file before its tensors.
    pub(super) fn header_bytes(&self) -> u64 {
        self.header_bytes
    }

    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// The bytes of a tensor, aligned for every element type.
    pub(super) fn read(&self, info: &TensorInfo) -> Result<AlignedBytes> {
        let failed = |error| Error::io(&self.path, "read", error).with_path(&self.path);
        let mut file = open(&self.path, Links::Followed)?.file;
        file.seek(SeekFrom::Start(info.offset)).map_err(failed)?;
        AlignedBytes::read(&mut file, info.bytes).map_err(|error| {
            let message = format!("{} became shorter while it was read", self.path.display());
            corrupt(message).with_path(&self.path).with_source(error)
        })
    }

    pub(super) fn string(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn bool(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn usize(&self, key: &str) -> Option<usize> {
        match self.metadata.get(key)? {
            Value::Integer(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn f32(&self, key: &str) -> Option<f32> {
        match self.metadata.get(key)? {
            Value::Float(value) => Some(*value as f32),
            Value::Integer(value) => Some(*value as f32),
            _ => None,
        }
    }

    /// The strings of an array.
    pub(super) fn strings(&self, key: &str) -> Option<impl ExactSizeIterator<Item = &str>> {
        let Value::Strings { text, ends } = self.metadata.get(key)? else { return None };
        let mut start = 0;
        Some(ends.iter().map(move |&end| {
            let piece = &text[start..end as usize];
            start = end as usize;
            piece
        }))
    }

    /// The numbers of an array, as floats.
    pub(super) fn numbers(&self, key: &str) -> Option<impl ExactSizeIterator<Item = f64>> {
        let Value::Numbers { kind, bytes } = self.metadata.get(key)? else { return None };
        let kind = *kind;
        Some(bytes.chunks_exact(scalar_size(kind).unwrap_or(1)).map(move |raw| match scalar(kind, raw) {
            Value::Integer(value) => value as f64,
            Value::Float(value) => value,
            Value::Bool(value) => f64::from(u8::from(value)),
            _ => 0.0,
        }))
    }
}

/// Bytes at an address that is a multiple of 8.
pub(super) struct AlignedBytes {
    words: Vec<u64>,
    len: usize,
}

impl AlignedBytes {
    pub(super) fn read(from: &mut impl Read, len: usize) -> std::io::Result<Self> {
        let mut this = AlignedBytes { words: vec![0; len.div_ceil(8)], len };
        from.read_exact(this.as_mut())?;
        Ok(this)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        // SAFETY: the words are at least `len` initialised bytes, and bytes need no alignment.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.len) }
    }
}

fn corrupt(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

type Header = (HashMap<String, Value>, HashMap<String, TensorInfo>);

fn header<R: Read>(reader: &mut HeaderReader<R>) -> Result<Header> {
    if reader.size < 24 {
        return Err(corrupt("it is too short to be a GGUF file"));
    }
    if reader.u32()? != MAGIC {
        return Err(corrupt("it is not a GGUF file: it does not begin with \"GGUF\""));
    }
    match reader.u32()? {
        2..=NEWEST_VERSION => {}
        version if version > NEWEST_VERSION && version < 1 << 16 => {
            let message =
                format!("it has GGUF version {version}, and the newest known one is {NEWEST_VERSION}");
            return Err(Error::new(ErrorKind::Version, message));
        }
        version => {
            return Err(corrupt(format!(
                "its GGUF version is {version}; little-endian files of version 2 or 3 can be read"
            )));
        }
    }
    let tensor_count = reader.u64()?;
    let value_count = reader.u64()?;
    if tensor_count > MAX_ENTRIES || value_count > MAX_ENTRIES {
        return Err(corrupt(format!("its header promises {tensor_count} tensors and {value_count} values")));
    }
    let mut metadata = HashMap::new();
    for _ in 0..value_count {
        let name = reader.string(MAX_NAME)?;
        let value = value(reader, &name)?;
        metadata.insert(name, value);
    }
    let mut unplaced = Vec::new();
    for _ in 0..tensor_count {
        unplaced.push(tensor_info(reader)?);
    }
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(Value::Integer(value)) if (8..=1 << 20).contains(value) && value & (value - 1) == 0 => {
            *value as u64
        }
        Some(other) => {
            return Err(corrupt(format!("its alignment is {other:?}, not a power of two of at least 8")));
        }
    };
    let data = reader.position.next_multiple_of(alignment);
    let mut tensors = HashMap::new();
    for (name, mut info) in unplaced {
        if !info.offset.is_multiple_of(alignment) {
            return Err(corrupt(format!("its tensor {name:?} is not aligned")));
        }
        let end = data.checked_add(info.offset).and_then(|start| start.checked_add(info.bytes as u64));
        if end.is_none_or(|end| end > reader.size) {
            return Err(corrupt(format!(
                "it is truncated or damaged: its tensor {name:?} would end after the file does"
            )));
        }
        info.offset += data;
        if tensors.insert(name.clone(), info).is_some() {
            return Err(corrupt(format!("it has two tensors {name:?}")));
        }
    }
    Ok((metadata, tensors))
}

fn tensor_info<R: Read>(reader: &mut HeaderReader<R>) -> Result<(String, TensorInfo)> {
    let name = reader.string(MAX_NAME)?;
    let rank = reader.u32()?;
    if !(1..=4).contains(&rank) {
        return Err(corrupt(format!("its tensor {name:?} has {rank} dimensions")));
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(reader.u64()?);
    }
    let dtype = dtype(reader.u32()?, &name)?;
    let offset = reader.u64()?;
    let block = dtype.block_size() as u64;
    let elements = shape.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let bytes = elements
        .filter(|&elements| elements > 0 && shape[0] % block == 0)
        .and_then(|elements| (elements / block).checked_mul(dtype.type_size() as u64))
        .filter(|&bytes| bytes <= reader.size)
        .ok_or_else(|| {
            corrupt(format!("its tensor {name:?} of type {dtype:?} has the impossible shape {shape:?}"))
        })?;
    let shape = shape.iter().rev().map(|&dim| dim as usize).collect();
    Ok((name, TensorInfo { dtype, shape, bytes: bytes as usize, offset }))
}

fn dtype(code: u32, name: &str) -> Result<GgmlDType> {
    use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    Ok(match code {
        0 => F32,
        1 => F16,
        2 => Q4_0,
        3 => Q4_1,
        6 => Q5_0,
        7 => Q5_1,
        8 => Q8_0,
        10 => Q2K,
        11 => Q3K,
        12 => Q4K,
        13 => Q5K,
        14 => Q6K,
        30 => BF16,
        _ => {
            let message = format!(
                "its tensor {name:?} has type {code}, which cannot be computed with; use Q4_K_M or Q8_0"
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
    })
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Bytes of a scalar of this kind; `None` for strings, arrays and unknown kinds.
fn scalar_size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Reads a scalar from exactly [`scalar_size`] bytes.
fn scalar(kind: u32, raw: &[u8]) -> Value {
    let mut wide = [0; 8];
    wide[..raw.len()].copy_from_slice(raw);
    let bits = u64::from_le_bytes(wide);
    match kind {
        1 => Value::Integer(i128::from(bits as i8)),
        3 => Value::Integer(i128::from(bits as i16)),
        5 => Value::Integer(i128::from(bits as i32)),
        6 => Value::Float(f64::from(f32::from_bits(bits as u32))),
        7 => Value::Bool(bits != 0),
        11 => Value::Integer(i128::from(bits as i64)),
        12 => Value::Float(f64::from_bits(bits)),
        _ => Value::Integer(i128::from(bits)),
    }
}

fn value<R: Read>(reader: &mut HeaderReader<R>, name: &str) -> Result<Value> {
    let unknown = |kind| corrupt(format!("its value {name:?} has the unknown kind {kind}"));
    match reader.u32()? {
        STRING => Ok(Value::String(reader.string(MAX_HEADER)?)),
        ARRAY => {
            let kind = reader.u32()?;
            let count = reader.u64()?;
            if kind == STRING {
                return strings(reader, count);
            }
            // Arrays of arrays end here: no model uses them, and they are how a file would nest without end.
            let size = scalar_size(kind).ok_or_else(|| unknown(kind))?;
            let bytes = count
                .checked_mul(size as u64)
                .ok_or_else(|| corrupt("an array in its header is absurdly long"))?;
            Ok(Value::Numbers { kind, bytes: reader.bytes(bytes)? })
        }
        kind => {
            let size = scalar_size(kind).ok_or_else(|| unknown(kind))?;
            Ok(scalar(kind, &reader.bytes(size as u64)?))
        }
    }
}

fn strings<R: Read>(reader: &mut HeaderReader<R>, count: u64) -> Result<Value> {
    // Each string takes at least the 8 bytes of its length.
    if count > reader.left() / 8 {
        return Err(corrupt(format!(
            "it is truncated or damaged: an array of {count} texts does not fit into it"
        )));
    }
    let mut ends = Vec::with_capacity(count as usize);
    let mut text = String::new();
    for _ in 0..count {
        text.push_str(&reader.string(MAX_HEADER)?);
        ends.push(u32::try_from(text.len()).map_err(|_| corrupt("its header is absurdly large"))?);
    }
    Ok(Value::Strings { text, ends })
}

/// Reads little-endian values and knows how much is left.
struct HeaderReader<R> {
    inner: R,
    position: u64,
    size: u64,
}

impl<R: Read> HeaderReader<R> {
    fn left(&self) -> u64 {
        self.size.min(MAX_HEADER).saturating_sub(self.position)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut raw = [0; N];
        self.fill(&mut raw)?;
        Ok(raw)
    }

    fn fill(&mut self, raw: &mut [u8]) -> Result<()> {
        let truncated = || corrupt("it is truncated or damaged: its header ends too soon");
        if raw.len() as u64 > self.left() {
            return Err(truncated());
        }
        self.inner.read_exact(raw).map_err(|error| truncated().with_source(error))?;
        self.position += raw.len() as u64;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        if count > self.left() {
            return Err(corrupt(format!(
                "it is truncated or damaged: {count} bytes do not fit into its header"
            )));
        }
        let mut bytes = vec![0; count as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn string(&mut self, longest: u64) -> Result<String> {
        let length = self.u64()?;
        if length > longest {
            return Err(corrupt(format!("its header has a text of {length} bytes")));
        }
        // Some vocabularies hold bytes that are no text; they decode as U+FFFD.
        let bytes = self.bytes(length)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::allocated::most_held;

    /// What is wrong with a file of these bytes, and the most memory that finding it out took.
    fn opened(bytes: &[u8]) -> (Option<ErrorKind>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, bytes).unwrap();
        let (result, held) = most_held(|| Gguf::open(&path));
        (result.err().map(|error| error.kind()), held)
    }

    /// A header that promises so many tensors and values, and what follows.
    fn header(tensors: u64, values: u64, rest: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(values.to_le_bytes());
        bytes.extend(rest.concat());
        bytes
    }

    /// The value named `a` of this kind, whose length is what the file says and not what follows.
    fn claim(kind: u32, length: u64) -> Vec<u8> {
        let mut bytes = b"\x01\0\0\0\0\0\0\0a".to_vec();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes
    }

    fn array(kind: u32, count: u64) -> Vec<u8> {
        let mut bytes = claim(ARRAY, 0);
        bytes.truncate(bytes.len() - 8);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes
    }

    #[test]
    fn what_a_header_promises_takes_no_memory() {
        let tensor = |dimensions: &[u64]| {
            let mut bytes = b"\x01\0\0\0\0\0\0\0a".to_vec();
            bytes.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
            bytes.extend([0; 12]);
            bytes
        };
        let huge = [1 << 20, 1 << 25, 1 << 28, 1 << 40, u64::MAX / 8, u64::MAX];
        let mut files = vec![header(0, 0, &[])[..20].to_vec(), header(1, 0, &[&tensor(&[9; 60])])];
        for count in huge {
            files.push(header(count, 0, &[]));
            files.push(header(0, count, &[]));
            files.push(header(0, 1, &[&claim(STRING, count), &[0; 64]]));
            files.push(header(0, 1, &[&count.to_le_bytes(), &[0; 64]]));
            for kind in [0, 4, 6, STRING, ARRAY, 12, 99] {
                files.push(header(0, 1, &[&array(kind, count), &[0; 64]]));
            }
            files.push(header(1, 0, &[&tensor(&[count]), &[0; 64]]));
            files.push(header(1, 0, &[&tensor(&[count, count, count, count]), &[0; 64]]));
        }
        for file in files {
            let (error, held) = opened(&file);
            assert!(error.is_some() && held < 1 << 20, "{error:?}, {held} bytes of memory for {file:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn headers_take_memory_in_proportion_to_their_files(
            counts in (0u64..600, 0u64..600),
            values in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..4), 0u32..14, 0u32..14, 0u64..40, proptest::collection::vec(any::<u8>(), 0..80)),
                0..400,
            ),
        ) {
            let mut rest = Vec::new();
            for (name, kind, inner, length, payload) in values {
                rest.extend((name.len() as u64).to_le_bytes());
                rest.extend(name);
                rest.extend(kind.to_le_bytes());
                if kind == ARRAY {
                    rest.extend(inner.to_le_bytes());
                }
                rest.extend(length.to_le_bytes());
                rest.extend(payload);
            }
            let file = header(counts.0, counts.1, &[&rest]);
            let (_, held) = opened(&file);
            prop_assert!(held < 24 * file.len() + (64 << 10), "{} bytes take {held}", file.len());
        }
    }
}
