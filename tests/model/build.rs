//! Takes seven files as they are, with loom's primitives in place of std's, and modelled threads and channels in place of
//! std's and crossbeam's.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    for (file, uses) in [
        ("cancel.rs", &["use std::sync::", "use crossbeam_channel::"][..]),
        ("broadcast.rs", &["use std::sync::", "use crossbeam_channel::"]),
        ("channel.rs", &["use std::sync::", "use crossbeam_channel::"]),
        ("gap.rs", &["use std::sync::"]),
        ("ledger.rs", &["use std::sync::", "use crossbeam_channel::"]),
        ("member.rs", &["use std::sync::", "use crossbeam_channel::"]),
        ("parking.rs", &["use std::sync::", "use std::thread::"]),
    ] {
        let path = source.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("the crate's source");
        let (code, _tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
        for expected in uses {
            assert!(code.contains(expected), "{file} has no `{expected}` any more: the model would not be one");
        }
        // An included file has no inner documentation.
        let code = code.replace("\n//!", "\n//").replacen("//!", "//", 1);
        let code = code
            .replace("use std::sync::", "use crate::sync::")
            .replace("use std::thread::", "use crate::thread::")
            .replace("use crossbeam_channel::", "use crate::crossbeam::");
        fs::write(out.join(file), code).expect("a place for it");
    }
}
