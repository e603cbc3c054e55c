//! Writes the seeds of every target to where cargo-fuzz looks for them: `corpus/TARGET`.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    for target in ambix_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
