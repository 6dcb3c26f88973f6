//! Messages that wait for a reader, counted in bytes.

use std::collections::VecDeque;

/// Bytes after which nothing more is read that could add to a queue.
const FULL: usize = 8 << 20;

/// Messages for one side, in their order.
#[derive(Default)]
pub(super) struct Queue {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Queue {
    /// Adds a message, and its line feed.
    pub(super) fn push(&mut self, mut message: Vec<u8>) {
        message.push(b'\n');
        self.bytes = self.bytes.saturating_add(message.len());
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.len());
        Some(message)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    /// Nobody reads it any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
