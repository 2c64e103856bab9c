//! The events of one seed: the same, however often a server is asked for them.

use std::rc::Rc;

use crate::chance::Chance;

/// The largest event that the client takes, in bytes.
pub const LIMIT: usize = 2000;

/// Events by their number, from 1 on, which is their id.
#[derive(Clone)]
pub struct Stream(Rc<[Sent]>);

struct Sent {
    data: String,
    /// A block with an id and no data: it is never delivered, and counts.
    is_silent: bool,
    block: String,
    /// So many bytes of the block are an event: a CR ends a line, whatever follows.
    complete_at: usize,
}

impl Stream {
    pub fn new(chance: &mut Chance) -> Self {
        let events = 1 + chance.below(60) as u64;
        Self((1..=events).map(|number| Sent::new(number, chance)).collect())
    }

    pub fn events(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn is_silent(&self, number: u64) -> bool {
        self.sent(number).is_silent
    }

    /// An event above the limit of the client, which is skipped.
    pub fn is_oversized(&self, number: u64) -> bool {
        let sent = self.sent(number);
        !sent.is_silent && sent.data.len() > LIMIT
    }

    pub fn is_delivered(&self, number: u64) -> bool {
        !self.is_silent(number) && !self.is_oversized(number)
    }

    pub fn data(&self, number: u64) -> &str {
        &self.sent(number).data
    }

    pub fn block(&self, number: u64) -> &str {
        &self.sent(number).block
    }

    /// Returns the last event that is complete in so many bytes of the blocks behind this number.
    pub fn reached(&self, after: u64, mut bytes: usize) -> u64 {
        let mut last = after;
        for number in after + 1..=self.events() {
            let sent = self.sent(number);
            if bytes < sent.complete_at {
                break;
            }
            last = number;
            bytes = bytes.saturating_sub(sent.block.len());
        }
        last
    }

    fn sent(&self, number: u64) -> &Sent {
        &self.0[number as usize - 1]
    }
}

impl Sent {
    fn new(number: u64, chance: &mut Chance) -> Self {
        let is_silent = chance.percent(10);
        let size = match chance.below(50) {
            0 => 2 * LIMIT,
            1..=5 => chance.below(LIMIT / 2),
            _ => chance.below(80),
        };
        let mut data = format!("{number} {}", "ä-".repeat(size / 3));
        if chance.percent(20) {
            data.push_str(&format!("\nsecond line of {number}"));
        }
        let end = ["\n", "\r\n", "\r"][chance.below(3)];
        let mut lines = Vec::new();
        if chance.percent(10) {
            lines.push(": a comment".to_owned());
        }
        let id = format!("id: {number}");
        let id_first = chance.percent(50);
        if id_first {
            lines.push(id.clone());
        }
        if chance.percent(20) {
            lines.push("event: kind".into());
        }
        if !is_silent {
            lines.extend(data.split('\n').map(|line| format!("data: {line}")));
        }
        if !id_first {
            lines.push(id);
        }
        lines.push(String::new());
        let block: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        let complete_at = block.len() + 1 - end.len();
        Self { data, is_silent, block, complete_at }
    }
}
