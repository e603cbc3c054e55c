//! Names of templates and of the folders that they are embedded from.

/// The folder that a pattern of `embed_templates` takes in whole.
pub(in crate::graph) fn embedded_folder(pattern: &str) -> Option<&str> {
    pattern.strip_suffix("/*").or_else(|| pattern.strip_suffix("/**"))
}

/// The name under which a template file is rendered: what stands before the first dot.
pub(in crate::graph) fn template_name(path: &str) -> &str {
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    file.split('.').next().unwrap_or(file)
}
