//! Takes eight files as they are, with modelled channels in place of crossbeam's. Their locks, atomics and threads are those
//! of `crate::sync`, which here is made of loom's.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    for file in
        ["cancel.rs", "broadcast.rs", "channel.rs", "gap.rs", "ledger.rs", "member.rs", "parking.rs", "place.rs"]
    {
        let path = source.join(file);
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(&path).expect("the crate's source");
        let (code, _tests) = text.split_once("#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
        for other in ["std::sync", "std::thread"] {
            assert!(!code.contains(other), "{file} takes {other} past `sync.rs`: the model would not be one");
        }
        // An included file has no inner documentation.
        let code = code.replace("\n//!", "\n//").replacen("//!", "//", 1);
        let code = code.replace("use crossbeam_channel::", "use crate::crossbeam::");
        fs::write(out.join(file), code).expect("a place for it");
    }
}
