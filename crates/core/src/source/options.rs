//! Which files of a folder are read.

use super::file::extension;
use super::generated::is_generated_name;

/// Which files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// A larger file is left out, with a diagnostic `too_large`.
    pub max_file_bytes: u64,
    /// When there are more files, the first ones in order of path are read, with one diagnostic `too_many`.
    pub max_files: usize,
    /// When the files have more bytes of text together, none is read.
    pub max_bytes: u64,
    /// Extensions without a dot; files with another one, or none, are left out silently, but for those in `names`.
    pub extensions: Vec<String>,
    /// Names of files that are read whatever their extension, also hidden ones.
    pub names: Vec<String>,
    /// Whether folders below the root that are repositories, worktrees or submodules of their own are read. Without it each is
    /// left out with a diagnostic `nested_repository`.
    pub nested_repositories: bool,
}

/// Code and documentation, what configures them, and text in other languages that a project may have parts in.
const EXTENSIONS: [&str; 53] = [
    "ex", "exs", "heex", "eex", "leex", "erl", "hrl", "xrl", "yrl", "src", "config", "md", "livemd", "txt",
    "rst", "adoc", "json", "yaml", "yml", "toml", "ini", "conf", "cfg", "sql", "graphql", "proto", "html",
    "css", "scss", "js", "mjs", "cjs", "jsx", "ts", "tsx", "vue", "svelte", "sh", "bash", "nix", "tf", "c",
    "h", "cc", "cpp", "hpp", "rs", "zig", "go", "py", "rb", "lua", "java",
];

/// `.env` is not among them: it holds secrets, and what is read may end up in a prompt.
const NAMES: [&str; 12] = [
    "Makefile",
    "Dockerfile",
    "Containerfile",
    "Procfile",
    "Justfile",
    ".formatter.exs",
    ".credo.exs",
    ".iex.exs",
    ".tool-versions",
    ".env.example",
    ".env.sample",
    ".env.template",
];

impl Default for WalkOptions {
    fn default() -> Self {
        WalkOptions {
            max_file_bytes: 1 << 20,
            max_files: 100_000,
            max_bytes: u64::MAX,
            extensions: EXTENSIONS.map(String::from).to_vec(),
            names: NAMES.map(String::from).to_vec(),
            nested_repositories: false,
        }
    }
}

impl WalkOptions {
    /// Whether a file of this name is read, as far as the name tells.
    pub(super) fn reads(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_wanted =
            |extension| !name.starts_with('.') && self.extensions.iter().any(|wanted| wanted == extension);
        self.names(name) || (extension(path).is_some_and(is_wanted) && !is_generated_name(name))
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == name)
    }
}
