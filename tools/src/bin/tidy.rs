//! Checks the house rules: prints file and line of each finding, fails when one is an error.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use tools::tidy;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match tidy::check(&root) {
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            let errors = findings.iter().filter(|finding| finding.fatal).count();
            println!("tidy: {errors} errors, {} warnings", findings.len() - errors);
            ExitCode::from(u8::from(errors > 0))
        }
        Err(error) => {
            eprintln!("tidy: {error:#}");
            ExitCode::FAILURE
        }
    }
}
