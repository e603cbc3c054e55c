//! Changes to files as data: applying them, and showing them as diffs.
