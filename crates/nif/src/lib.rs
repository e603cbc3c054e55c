//! The border between the BEAM and `aludel-core`: decode, call, encode, and nothing else.
