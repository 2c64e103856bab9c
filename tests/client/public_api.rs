//! Which crates' types a user of this one meets: std's, crossbeam-channel's, serde's, and rustls' in one setter.
//!
//! A major version of any crate in the public API is a major version of this one, so that nothing may get in unseen.
//! Rustdoc tells, in a format that needs `RUSTC_BOOTSTRAP=1`; where it cannot, the test says that it is left out.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};
use support::left_out::{lacking, left_out};

/// With the crates that the first three are made of.
const ALLOWED: [&str; 7] = ["std", "core", "alloc", "crossbeam_channel", "serde", "serde_core", "http_sse"];
/// The only place for rustls, beside its re-export.
const TLS_SETTER: &str = "tls_config";

fn rustdoc() -> Option<Value> {
    // The same source, whatever the processor.
    if support::is_emulated() {
        left_out("the crates of the public API, under an emulator");
        return None;
    }
    // A directory of its own: the one in use may be locked.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("public_api");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustdoc", "--quiet", "--locked", "--package", "http-sse", "--lib", "--all-features", "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTDOCFLAGS")
        .current_dir(support::root())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = fs::read_to_string(target.join("doc/http_sse.json")).unwrap();
            Some(serde_json::from_str(&text).unwrap())
        }
        other => {
            lacking("rustdoc", &format!("rustdoc gives no JSON here: {other:?}"));
            None
        }
    }
}

/// Adds the crate of every path that is named anywhere in the value.
fn add_crates(value: &Value, doc: &Value, crates: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("id").and_then(|id| crate_of(id, doc)) {
                crates.insert(name);
            }
            fields.values().for_each(|value| add_crates(value, doc, crates));
        }
        Value::Array(items) => items.iter().for_each(|item| add_crates(item, doc, crates)),
        _ => {}
    }
}

fn crate_of(id: &Value, doc: &Value) -> Option<String> {
    let number = doc["paths"].get(id.as_u64()?.to_string())?["crate_id"].as_u64()?;
    match number {
        0 => Some("http_sse".to_owned()),
        number => Some(doc["external_crates"][number.to_string()]["name"].as_str()?.to_owned()),
    }
}

/// Whether an item says anything of this crate: its documentation's links and what others implement for everything do not.
fn is_own(item: &Value) -> bool {
    let of_others = |implementation: &Value| {
        implementation["is_synthetic"] == Value::Bool(true) || !implementation["blanket_impl"].is_null()
    };
    item["crate_id"] == 0 && !item["inner"].get("impl").is_some_and(of_others)
}

#[test]
fn no_type_of_another_crate_is_in_the_public_api_unseen() {
    let Some(doc) = rustdoc() else { return };
    let index: &Map<String, Value> = doc["index"].as_object().unwrap();
    let mut seen = BTreeSet::new();
    let mut unwanted = Vec::new();
    for item in index.values().filter(|item| is_own(item)) {
        let mut crates = BTreeSet::new();
        add_crates(&item["inner"], &doc, &mut crates);
        let name = item["name"].as_str().unwrap_or_default();
        for foreign in crates {
            let is_tls = foreign.starts_with("rustls") && (name == TLS_SETTER || item["inner"].get("use").is_some());
            if !ALLOWED.contains(&&foreign[..]) && !is_tls {
                unwanted.push(format!("{name:?} names {foreign}: {}", item["span"]));
            }
            seen.insert(foreign);
        }
    }
    assert!(unwanted.is_empty(), "{}", unwanted.join("\n"));
    // Else nothing was looked at.
    for expected in ["crossbeam_channel", "serde_core", "http_sse"] {
        assert!(seen.contains(expected), "{expected} is not in {seen:?}");
    }
    assert!(seen.contains("rustls"), "{seen:?}");
}
