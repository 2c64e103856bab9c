//! A process that may open no more files: what it is told when it looks up a name.

use std::fs::File;
use std::process::{Command, Stdio};

use http_sse::{Client, Request, RetryPolicy};

use support::program::{part, run};

#[test]
#[ignore = "a part: the test below runs it in a process that may open few files"]
fn child_looks_up_a_name_without_descriptors() {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = Request::get("http://localhost:9/").retry(RetryPolicy::never());
    let mut reader = client.read("few", request).unwrap();
    let files: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let error = reader.next().unwrap().unwrap_err();
    drop(files);
    println!("told: {error}");
}

#[test]
fn a_lookup_without_descriptors_says_so() {
    let test = part(module_path!(), "child_looks_up_a_name_without_descriptors");
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n 40 && exec "$@""#, "sh"]).arg(test.get_program()).args(test.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let left = run(&mut command);
    let told = left.stdout.lines().find_map(|line| line.split_once("told: ")).map(|(_, told)| told);
    assert!(told.is_some_and(|told| told.contains("Too many open files")), "{left:?}");
}
