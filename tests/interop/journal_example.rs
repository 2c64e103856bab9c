//! The example `journal` with the real gateway, killed and started again: what it has not printed comes after the restart.

use crate::journal::Gateway;
use crate::program::say;
use support::program::{Folder, Running, example};

#[test]
fn the_journal_example_goes_on_after_a_kill_where_it_was() {
    let Some(mut gateway) = Gateway::start() else { return };
    let folder = Folder::new("journal-example");
    let checkpoint = folder.file("cursor");
    let url = format!("http://{}", gateway.server.address());
    let start = || Running::start(example("journal").arg(&url).arg(&checkpoint));
    let lines = |running: &Running, count: usize| -> Vec<usize> {
        (0..count).map(|_| running.line().trim_end().parse().unwrap()).collect()
    };

    gateway.append(2..=300);
    let running = start();
    assert_eq!(lines(&running, 300), (1..=300).collect::<Vec<_>>());
    gateway.server.restart();
    gateway.append(301..=350);
    assert_eq!(lines(&running, 50), (301..=350).collect::<Vec<_>>());
    running.signal("KILL");
    assert_eq!(running.finish().code, None);

    gateway.append(351..=400);
    let running = start();
    // At least once: it counts an entry as handled when it asks for the next one, and writes every hundredth.
    let first = lines(&running, 1)[0];
    assert!((2..=351).contains(&first), "it goes on with entry {first}");
    assert_eq!(lines(&running, 400 - first), (first + 1..=400).collect::<Vec<_>>());
    running.signal("TERM");
    assert_eq!(running.finish().code, None);
    say(&format!(
        "systemd-journal-gatewayd, example journal: 400 entries, 0 lost; {} came twice over a kill",
        351 - first
    ));
}
