//! On which line a place is.

/// Where the lines of a text end.
pub(super) struct LineNumbers {
    ends: Vec<u32>,
}

impl LineNumbers {
    pub(super) fn of(text: &str) -> Self {
        LineNumbers { ends: text.match_indices('\n').map(|(at, _)| at as u32).collect() }
    }

    /// The line, from 1, of the byte at `at`, or of the end of the text.
    pub(super) fn at(&self, at: u32) -> u32 {
        self.ends.partition_point(|end| *end < at) as u32 + 1
    }
}
