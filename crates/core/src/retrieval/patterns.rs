//! How much patterns of paths may cost: they become automata, whose size and speed depend on what callers write.

use crate::{Error, ErrorKind, Result};

/// Patterns in one question.
const MAX_PATTERNS: usize = 256;

/// Bytes of one pattern: longer than the names that file systems allow.
const MAX_BYTES: usize = 1024;

/// Signs in all patterns that stand for more than themselves. Each multiplies the states of an automaton.
const MAX_SIGNS: usize = 512;

/// Refuses patterns whose automata would take long to build or to run.
///
/// # Errors
/// [`ErrorKind::Limit`] for too many patterns, a pattern that is too long, or too many wildcards.
pub(crate) fn check(patterns: &[String]) -> Result<()> {
    let refuse = |what: String| Err(Error::new(ErrorKind::Limit, what));
    if patterns.len() > MAX_PATTERNS {
        return refuse(format!("there are more than {MAX_PATTERNS} patterns of paths; name folders instead"));
    }
    if patterns.iter().any(|pattern| pattern.len() > MAX_BYTES) {
        return refuse(format!("a pattern of paths has more than {MAX_BYTES} bytes; write it shorter"));
    }
    let signs = patterns.iter().flat_map(|pattern| pattern.bytes());
    if signs.filter(|byte| b"*?[{,".contains(byte)).count() > MAX_SIGNS {
        return refuse(format!(
            "the patterns of paths have more than {MAX_SIGNS} wildcards; name folders instead"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_ceilings() {
        let kind = |patterns: &[String]| check(patterns).map_err(|error| error.kind());
        assert_eq!(kind(&vec!["lib/*".to_string(); MAX_PATTERNS]), Ok(()));
        assert_eq!(kind(&vec!["lib".to_string(); MAX_PATTERNS + 1]), Err(ErrorKind::Limit));
        assert_eq!(kind(&["a".repeat(MAX_BYTES)]), Ok(()));
        assert_eq!(kind(&["a".repeat(MAX_BYTES + 1)]), Err(ErrorKind::Limit));
        assert_eq!(kind(&["*a".repeat(MAX_SIGNS)]), Ok(()));
        assert_eq!(kind(&["*a".repeat(MAX_SIGNS), "?".into()]), Err(ErrorKind::Limit));
    }
}
