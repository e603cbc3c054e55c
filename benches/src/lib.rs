//! Figures: what the programs that measure have in common.

use std::collections::HashMap;

/// Options of a program, each `--name value`, and the flag `--json`.
#[derive(Debug, Default)]
pub struct Options {
    values: HashMap<String, String>,
    json: bool,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// For an option that is not in `known` or has no value.
    pub fn parse(known: &[&str]) -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Options::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("json") => options.json = true,
                Long(name) if known.contains(&name) => {
                    let name = name.to_owned();
                    options.values.insert(name, parser.value()?.string()?);
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }

    /// The value of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of an option that must be there.
    ///
    /// # Errors
    /// If it is not.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("--{name} is missing"))
    }

    /// The value of an option as a number, or `default`.
    ///
    /// # Errors
    /// If it is no whole number.
    pub fn number(&self, name: &str, default: usize) -> Result<usize, String> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("--{name} needs a whole number, not {text:?}")),
        }
    }

    /// Prints the fields of an object, as one line of JSON or as a line each.
    pub fn print(&self, result: &serde_json::Value) {
        match result.as_object() {
            Some(fields) if !self.json => {
                fields.iter().for_each(|(name, value)| println!("{name:28} {value}"))
            }
            _ => println!("{result}"),
        }
    }
}

/// The middle value, which one slow repetition does not move.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The most memory that this process ever held, in bytes, where the system tells (Linux: `VmHWM`).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// The processor time that this process has used, in seconds: what another program takes of a processor is not in it.
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it fills in the struct that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}
