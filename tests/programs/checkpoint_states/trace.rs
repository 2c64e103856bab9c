//! What a program did to a folder, as strace saw it.

use std::path::Path;

/// One step that changes what a disk may hold. Names are those within the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file is there afterwards, and empty if it is truncated.
    Create {
        name: String,
        truncates: bool,
    },
    Write {
        name: String,
        bytes: Vec<u8>,
    },
    FlushFile(String),
    FlushFolder,
    Rename {
        from: String,
        to: String,
    },
    Remove(String),
    Open {
        descriptor: u32,
        name: String,
    },
    Close(u32),
    /// The program has begun to write this number.
    Begin(u64),
    /// The program relies on this number from now on.
    Done(u64),
}

/// Calls that change nothing that a power cut could leave half done. The mode of a file is not judged.
const HARMLESS: &[&str] = &[
    "statx",
    "newfstatat",
    "fstat",
    "lstat",
    "stat",
    "readlink",
    "readlinkat",
    "getdents64",
    "read",
    "pread64",
    "lseek",
    "fcntl",
    "fchmod",
    "fchown",
    "access",
    "faccessat",
    "mkdir",
];

/// Reads the output of `strace -f -y -s`; `folder` is the one that is looked at.
///
/// A call that touches the folder and is not known here is an error: a state that nobody has judged.
pub(crate) fn parse(trace: &str, folder: &Path) -> Vec<Step> {
    let folder = folder.to_str().unwrap();
    trace.lines().flat_map(|line| steps(line, folder)).collect()
}

fn steps(line: &str, folder: &str) -> Vec<Step> {
    let step = step(line, folder);
    // `openat(…) = 3</folder/name>`: later steps name the descriptor.
    let opened = match (&step, line.rsplit_once(") = ")) {
        (Some(Step::Create { name, .. } | Step::Open { name, .. }), Some((_, result))) => {
            Some(Step::Open { descriptor: descriptor(result), name: name.clone() })
        }
        _ => None,
    };
    step.into_iter().filter(|step| !matches!(step, Step::Open { .. })).chain(opened).collect()
}

fn step(line: &str, folder: &str) -> Option<Step> {
    // `PID call(arguments) = result`
    let call = line.split_once(' ').map_or(line, |(_, call)| call.trim_start());
    let (name, arguments) = call.split_once('(')?;
    let (arguments, result) = arguments.rsplit_once(") = ").unwrap_or((arguments, ""));
    if name == "write" && arguments.starts_with("1<") {
        return report(arguments);
    }
    if !arguments.contains(folder) {
        return None;
    }
    assert!(!result.is_empty(), "cut into two by another thread: {line}");
    // `?` is a call at which the program was killed.
    if result.starts_with(['-', '?']) || HARMLESS.contains(&name) {
        return None;
    }
    let names = names(arguments, folder);
    let one = || names.first().cloned().unwrap_or_else(|| panic!("no name in {line}"));
    Some(match name {
        "openat" | "open" if arguments.contains("O_TRUNC") => Step::Create { name: one(), truncates: true },
        "openat" | "open" if arguments.contains("O_CREAT") => Step::Create { name: one(), truncates: false },
        // The folder itself has no name in it.
        "openat" | "open" => Step::Open { descriptor: descriptor(result), name: names.first()?.clone() },
        "close" => Step::Close(descriptor(arguments)),
        "write" => Step::Write { name: one(), bytes: bytes(arguments) },
        "fsync" | "fdatasync" => names.first().map_or(Step::FlushFolder, |name| Step::FlushFile(name.clone())),
        "rename" | "renameat" | "renameat2" => match &names[..] {
            [from, to] => Step::Rename { from: from.clone(), to: to.clone() },
            _ => panic!("not two names in {line}"),
        },
        "unlink" | "unlinkat" => Step::Remove(one()),
        _ => panic!("what does this do to the disk? {line}"),
    })
}

/// The number at the start of `3</folder/name>`.
fn descriptor(text: &str) -> u32 {
    text.split('<').next().unwrap().parse().unwrap()
}

fn report(arguments: &str) -> Option<Step> {
    let (_, text) = arguments.split_once('"')?;
    // libtest may have begun the line.
    let text = &text[text.find("BEGIN ").or_else(|| text.find("DONE "))?..];
    let (what, number) = text.split_once(' ')?;
    let number = number.split(|c: char| !c.is_ascii_digit()).next()?.parse().unwrap();
    Some(if what == "BEGIN" { Step::Begin(number) } else { Step::Done(number) })
}

/// The names in the folder, in the order in which the arguments have them; without those of the data.
fn names(arguments: &str, folder: &str) -> Vec<String> {
    let prefix = format!("{folder}/");
    let pieces = arguments.match_indices(&prefix).map(|(start, _)| &arguments[start + prefix.len()..]);
    pieces.map(|rest| rest[..rest.find(['"', '>']).unwrap()].to_owned()).collect()
}

/// The bytes of a write; the writers write nothing that needs another escape.
fn bytes(arguments: &str) -> Vec<u8> {
    let start = arguments.find('"').unwrap() + 1;
    let end = arguments.rfind('"').unwrap();
    assert!(!arguments[end..].contains("..."), "cut off by strace: {arguments}");
    arguments[start..end].replace("\\n", "\n").into_bytes()
}
