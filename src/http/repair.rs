//! Repairs heads of old devices for the parser, which refuses some syntax that RFC 9112 allows a client to accept.

/// Returns the repaired head: folded lines are joined by a space (RFC 9112 section 5.2), and spaces before a colon
/// removed (section 5.1). `None` if there is nothing to repair.
pub(super) fn repair(head: &[u8]) -> Option<Vec<u8>> {
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let status = lines.next()?;
    if !lines.clone().any(|line| is_folded(line) || blanks_before_colon(line).is_some()) {
        return None;
    }
    let mut repaired = status.to_vec();
    for line in lines {
        if is_folded(line) && repaired.len() > status.len() {
            let end = repaired.trim_ascii_end().len();
            repaired.truncate(end);
            repaired.push(b' ');
            repaired.extend_from_slice(line.trim_ascii_start());
            if !line.trim_ascii().is_empty() {
                continue;
            }
            repaired.extend_from_slice(b"\r\n");
        } else if let Some((name, rest)) = blanks_before_colon(line) {
            repaired.extend_from_slice(name);
            repaired.extend_from_slice(rest);
        } else {
            repaired.extend_from_slice(line);
        }
    }
    Some(repaired)
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line, [b' ' | b'\t', ..])
}

/// Returns the name without the spaces after it, and the line from its colon on.
fn blanks_before_colon(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, rest) = line.split_at(colon);
    let trimmed = name.trim_ascii_end();
    (!trimmed.is_empty() && trimmed.len() < name.len()).then_some((trimmed, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn repaired(head: &str) -> Option<String> {
        repair(head.as_bytes()).map(|head| String::from_utf8(head).unwrap())
    }

    #[test]
    fn a_sound_head_is_left_alone() {
        assert_eq!(repaired("HTTP/1.1 200 OK\r\nA: b : c\r\n\r\n"), None);
        assert_eq!(repaired("HTTP/1.1 200 OK: x\r\n\r\n"), None);
        assert_eq!(repaired("HTTP/1.1 200 OK\n\n"), None);
    }

    #[test]
    fn folded_lines_are_joined_by_a_blank() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\t  d\r\nE: f\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b c d\r\nE: f\r\n\r\n"),
            ("HTTP/1.1 200 OK\nA:\n b\n\n", "HTTP/1.1 200 OK\nA: b\n\n"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n \r\nC: d\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b \r\nC: d\r\n\r\n"),
        ] {
            assert_eq!(repaired(head).as_deref(), Some(expected));
        }
    }

    #[test]
    fn blanks_before_a_colon_are_removed() {
        let head = "HTTP/1.1 200 OK\r\nA : b\r\nC\t: d\r\nE: f :g\r\n\r\n";
        assert_eq!(repaired(head).as_deref(), Some("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f :g\r\n\r\n"));
    }

    #[test]
    fn what_cannot_be_repaired_stays_as_it_was() {
        let folded_first = "HTTP/1.1 200 OK\r\n A: b\r\n\r\n";
        assert_eq!(repaired(folded_first).as_deref(), Some(folded_first));
        assert_eq!(repaired("HTTP/1.1 200 OK\r\n: b\r\nno colon\r\n\r\n"), None);
    }
}
