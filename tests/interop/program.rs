//! Where the programs are that the tests start, and what is said when one is not there.

use std::env;
use std::fs;
use std::path::PathBuf;

use support::left_out::lacking;

/// Finds a program on the path, or where Debian puts daemons.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&folders).chain(usual).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Finds what `scripts/interop-setup` has put into the cache.
pub(crate) fn find_cached(path: &str) -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|cache| cache.is_absolute());
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("http-sse/interop").join(path)).filter(|found| found.exists())
}

/// Returns `true` if a package is among those that `scripts/interop-setup` has put into a folder of the cache.
pub(crate) fn has_cached(folder: &str, package: &str) -> bool {
    let list = find_cached(&format!("{folder}/.packages")).and_then(|list| fs::read_to_string(list).ok());
    list.is_some_and(|list| list.contains(package))
}

/// Returns the path of a file that belongs to these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    support::root().join("tests/interop").join(name)
}

/// Says what is missing, where it is missing.
///
/// # Panics
///
/// When it is missing although the environment says that it is required.
pub(crate) fn or_left_out<T>(found: Option<T>, what: &str) -> Option<T> {
    if found.is_none() {
        lacking("interop", &format!("there is no {what}; scripts/interop-setup installs it"));
    }
    found
}

/// Writes to the error output although the test passes.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
