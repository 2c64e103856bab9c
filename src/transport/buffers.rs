//! Buffers sized for small devices: 4 KiB in, more for a large head and while data keeps filling it; out while a
//! request is sent. The body's framing and the parser work on what the input holds, in place.

use std::mem;

use ureq::unversioned::transport::Buffers;

use super::MAX_HEAD;

/// The size of a read, in bytes, until data fills it.
pub(crate) const INPUT: usize = 4 * 1024;
/// The maximum size of the input for a head: a larger head is refused before this is full.
const MAX_HEAD_INPUT: usize = MAX_HEAD + 4 * 1024;

/// How large the buffers of one connection may be, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// The longest header line must fit.
    pub(crate) output: usize,
    /// The maximum size of the input for a stream of data.
    pub(crate) input: usize,
}

#[derive(Debug, Default)]
pub(crate) struct IoBuffers {
    input: Vec<u8>,
    /// The bytes `start..end` of the input are received and not consumed.
    start: usize,
    end: usize,
    strategy: ReadStrategy,
    output: Vec<u8>,
    sizes: Sizes,
}

/// Selects the size of the input from the results of the last reads.
#[derive(Debug, Default)]
struct ReadStrategy {
    /// The next size of the input, applied when it is empty.
    next: usize,
    /// Its maximum size.
    max: usize,
    /// The number of reads in a row that filled it; if negative, of reads that returned little.
    streak: i32,
}

impl ReadStrategy {
    fn new(max: usize) -> Self {
        Self { next: INPUT, max, streak: 0 }
    }

    fn reset(&mut self) {
        *self = Self::new(self.max);
    }

    /// Records how many bytes a read into this much room of an input of this size has returned.
    fn record(&mut self, amount: usize, room: usize, size: usize) {
        self.streak = match amount {
            _ if amount == size => self.streak.max(0).saturating_add(1),
            _ if amount <= room / 4 => self.streak.min(0).saturating_sub(1),
            _ => 0,
        };
        match self.streak {
            // A head arrives in pieces that do not fill it.
            2.. => self.next = (self.next * 2).min(self.max),
            ..=-2 => self.next = INPUT,
            _ => {}
        }
    }
}

impl IoBuffers {
    pub(crate) fn new(sizes: Sizes) -> Self {
        Self { strategy: ReadStrategy::new(sizes.input), sizes, ..Self::default() }
    }

    /// Returns empty buffers of the same sizes.
    #[cfg(feature = "gzip")]
    pub(crate) fn like(&self) -> Self {
        Self::new(self.sizes)
    }

    /// Returns the received bytes that are not consumed.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    #[inline]
    pub(crate) fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.end);
    }

    /// Returns the room for the next read.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.make_room();
        &mut self.input[self.end..]
    }

    pub(crate) fn appended(&mut self, amount: usize) {
        let room = self.input.len() - self.end;
        self.end += amount.min(room);
        self.strategy.record(amount, room, self.input.len());
    }

    /// Replaces the first bytes.
    pub(crate) fn replace(&mut self, amount: usize, by: &[u8]) {
        let input = [by, &self.bytes()[amount..]].concat();
        (self.start, self.end) = (0, input.len());
        self.input = input;
    }

    /// Takes the output for sending; [`put_output`](Self::put_output) returns it.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    pub(crate) fn put_output(&mut self, output: Vec<u8>) {
        self.output = output;
    }

    /// Releases the memory of the output: a stream sends nothing after its request.
    pub(crate) fn release_output(&mut self) {
        self.output = Vec::new();
    }

    /// Returns `true` if the buffers are larger than an idle stream needs.
    pub(crate) fn holds_spare_memory(&self) -> bool {
        self.input.len() > INPUT
    }

    /// Releases what only a busy stream needs.
    pub(crate) fn release_memory(&mut self) {
        self.strategy.reset();
        if self.start == self.end {
            (self.input, self.start, self.end) = (Vec::new(), 0, 0);
        }
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.input.len() != self.strategy.next {
                self.input = vec![0; self.strategy.next];
            }
            return;
        }
        if self.start > 0 {
            // Little: ureq asks for more when it cannot continue.
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else if self.end == self.input.len() && self.end < MAX_HEAD_INPUT {
            self.input.resize((self.end * 2).min(MAX_HEAD_INPUT), 0);
        }
    }
}

impl Buffers for IoBuffers {
    fn output(&mut self) -> &mut [u8] {
        self.output.resize(self.sizes.output, 0);
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.bytes()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.room()
    }

    fn input_appended(&mut self, amount: usize) {
        self.appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.make_room();
        self.output.resize(self.sizes.output, 0);
        (&mut self.input[self.end..], &mut self.output)
    }

    /// Called only by ureq's body reader, which is not used.
    fn can_use_input(&self) -> bool {
        self.start < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { output: 100, input: 64 * 1024 };

    fn fill(buffers: &mut IoBuffers, amount: usize) -> usize {
        let room = buffers.input_append_buf().len().min(amount);
        buffers.input_appended(room);
        room
    }

    #[test]
    fn the_input_grows_for_a_large_head_and_shrinks_after_it() {
        let mut buffers = IoBuffers::new(SIZES);
        let mut filled = 0;
        while filled < 20 * 1024 {
            filled += fill(&mut buffers, 20 * 1024 - filled);
            buffers.input_consume(0);
        }
        assert_eq!(buffers.input().len(), 20 * 1024);
        buffers.input_consume(20 * 1024);
        assert_eq!(buffers.input_append_buf().len(), INPUT);
    }

    #[test]
    fn the_input_grows_while_data_fills_it_and_shrinks_when_that_ends() {
        let mut buffers = IoBuffers::new(SIZES);
        let mut read = |amount: usize| {
            let room = fill(&mut buffers, amount);
            buffers.input_consume(room);
            buffers.input_append_buf().len()
        };
        assert_eq!([read(usize::MAX), read(usize::MAX)], [INPUT, 2 * INPUT]);
        (0..10).for_each(|_| assert!(read(usize::MAX) <= SIZES.input));
        assert_eq!([read(SIZES.input / 2), read(100), read(100)], [SIZES.input, SIZES.input, INPUT]);
    }

    #[test]
    fn a_quiet_stream_holds_no_spare_memory() {
        let mut buffers = IoBuffers::new(SIZES);
        for _ in 0..4 {
            let room = fill(&mut buffers, usize::MAX);
            buffers.input_consume(room);
        }
        assert!(buffers.holds_spare_memory());
        buffers.release_memory();
        assert!(!buffers.holds_spare_memory());
        assert_eq!(buffers.room().len(), INPUT);
    }

    #[test]
    fn a_repaired_head_takes_the_place_of_the_first_bytes() {
        let mut buffers = IoBuffers::new(SIZES);
        buffers.room()[..6].copy_from_slice(b"xheady");
        buffers.appended(6);
        buffers.consume(1);
        buffers.replace(4, b"longer");
        assert_eq!(buffers.bytes(), b"longery");
        assert!(!buffers.room().is_empty());
    }

    #[test]
    fn a_full_input_offers_no_room_instead_of_growing_without_limit() {
        let mut buffers = IoBuffers::new(SIZES);
        while fill(&mut buffers, usize::MAX) > 0 {}
        assert_eq!(buffers.input().len(), MAX_HEAD_INPUT);
    }

    #[test]
    fn unconsumed_bytes_survive_a_move_to_the_front() {
        let mut buffers = IoBuffers::new(SIZES);
        for (index, byte) in buffers.input_append_buf().iter_mut().enumerate() {
            *byte = index as u8;
        }
        buffers.input_appended(INPUT);
        buffers.input_consume(INPUT - 3);
        assert_eq!(buffers.input_append_buf().len(), INPUT - 3);
        assert_eq!(buffers.input(), [253, 254, 255]);
    }
}
